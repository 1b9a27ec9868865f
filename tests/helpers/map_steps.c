/*
 * Maps, protects, moves and unmaps memory in several steps, and prints its own
 * map in the middle of them, while a mapping at MARK stands.
 *
 *   map_steps [FILE]    a file to map, too
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MARK  ((char *)0x5a0000000000)
#define PAGE  4096ul
#define PAGES 64

static char text[1 << 18];

static void must(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

static char *map(size_t pages, int prot, int flags)
{
	char *at = mmap(NULL, pages * PAGE, prot, flags | MAP_ANONYMOUS, -1, 0);

	must(at != MAP_FAILED, "mmap");
	return at;
}

/* Without a call that changes memory: no event stands between it and MARK's. */
static void print_map(void)
{
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t size = 0;
	ssize_t n;

	must(fd >= 0, "/proc/self/maps");
	while ((n = read(fd, text + size, sizeof(text) - size)) > 0)
		size += (size_t)n;
	for (size_t at = 0; at < size; at += (size_t)n)
		must((n = write(1, text + at, size - at)) > 0, "write");
	close(fd);
}

/* Something of every sort, more of it with each round. */
static void step(int fd, size_t round)
{
	const int flags = MAP_PRIVATE;
	char *at = map(PAGES, PROT_READ | PROT_WRITE, flags);
	char *hole = map(PAGES, PROT_NONE, flags);
	char *moved = map(4, PROT_READ | PROT_WRITE, flags);

	must(mprotect(at + 8 * PAGE, (8 + round) * PAGE, PROT_READ) == 0,
	     "mprotect");
	must(munmap(at + 40 * PAGE, 4 * PAGE) == 0, "munmap");
	must(mmap(hole + 16 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE,
	          flags | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED,
	     "mmap over");
	must(mremap(moved, 4 * PAGE, (8 + round) * PAGE, MREMAP_MAYMOVE) !=
	             MAP_FAILED,
	     "mremap");
	map(3, PROT_READ | PROT_WRITE, MAP_SHARED);
	must(sbrk((8 + (long)round) * (long)PAGE) != (void *)-1, "brk");
	if (fd >= 0)
		must(mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0) !=
		             MAP_FAILED,
		     "mmap of the file");
}

int main(int argc, char **argv)
{
	int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;

	for (size_t round = 0; round < 3; round++)
		step(fd, round);
	must(mmap(MARK, PAGE, PROT_READ,
	          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MARK,
	     "mmap of the mark");
	print_map();
	must(munmap(MARK, PAGE) == 0, "munmap of the mark");
	for (size_t round = 3; round < 6; round++)
		step(fd, round);
	return 0;
}
