/*
 * Maps 64 MiB, touches all of it, gives half back and touches a quarter of all
 * again; then shares 3 MiB.  Says what smaps has seen of it: a line for each
 * of "returned", "came_back", "anonymous", "huge", "shared".  With the argument
 * "huge" it asks for huge pages.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB 1048576ul

/* A number of the mapping at `start`, in bytes. */
static unsigned long smaps(const void *start, const char *key)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	unsigned long from, to, number = 0;
	char line[512];
	int here = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx", &from, &to) == 2)
			here = from == (unsigned long)start;
		else if (here && strncmp(line, key, strlen(key)) == 0)
			number += 1024 * strtoul(line + strlen(key), NULL, 10);
	}
	if (file)
		fclose(file);
	return number;
}

static void touch(char *at, unsigned long size)
{
	for (unsigned long i = 0; i < size; i += 4096)
		((volatile char *)at)[i] = 1;
}

static char *map(unsigned long size, int flags, int fd)
{
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (at == MAP_FAILED)
		exit(1);
	return at;
}

int main(int argc, char **argv)
{
	/* with borders, so that it stays a mapping of its own */
	char *room = mmap(NULL, 66 * MIB, PROT_NONE,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = room + MIB, *shared, *file;
	int fd = memfd_create("pages", 0);
	unsigned long whole, less, more;

	if (room == MAP_FAILED || fd < 0 || ftruncate(fd, 2 * MIB))
		return 1;
	mprotect(at, 64 * MIB, PROT_READ | PROT_WRITE);
	if (argc > 1 && strcmp(argv[1], "huge") == 0)
		madvise(at, 64 * MIB, MADV_HUGEPAGE);
	touch(at, 64 * MIB);
	whole = smaps(at, "Rss:");
	madvise(at + 16 * MIB, 32 * MIB, MADV_DONTNEED);
	less = smaps(at, "Rss:");
	touch(at + 24 * MIB, 16 * MIB);
	more = smaps(at, "Rss:");
	shared = map(MIB, MAP_SHARED | MAP_ANONYMOUS, -1);
	file = map(2 * MIB, MAP_SHARED, fd);
	touch(shared, MIB);
	touch(file, 2 * MIB);
	printf("returned %lu\ncame_back %lu\nanonymous %lu\nhuge %lu\n",
	       whole - less, more - less, more, smaps(at, "AnonHugePages:"));
	printf("shared %lu\n", smaps(shared, "Rss:") + smaps(file, "Rss:"));
	return 0;
}
