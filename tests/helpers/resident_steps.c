/*
 * Known memory, touched in steps; and who looks at it from outside.
 *
 *   resident_steps do FILE
 *      touches, says where in a line, and waits for a line, for each step
 *   resident_steps watch RUN FROM TO
 *      reads these lines from FROM.  At each step: waits until the run file
 *      has a shot that was begun behind the step, reads smaps, prints
 *      "SHOT KIND BYTES" for each of the areas, and lets it go on (TO)
 *
 * An area is "KIND START END"; a step is "step PID TSC", its areas, "wait".
 */
#include "trace/file.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB   1048576ul
#define PAGE  4096ul
#define AREAS 8

/* ---- the program --------------------------------------------------------- */

static unsigned long tick(void)
{
	return __builtin_ia32_rdtsc();
}

static void touch(char *at, unsigned long size)
{
	for (unsigned long i = 0; i < size; i += PAGE)
		((volatile char *)at)[i] = 1;
}

static void area(const char *kind, const char *at, unsigned long size)
{
	printf("%lx %lx %s\n", (unsigned long)at, (unsigned long)at + size,
	       kind);
}

/* The areas follow. */
static void step(void)
{
	printf("step %d %lu\n", getpid(), tick());
}

static void wait_for_leave(void)
{
	char byte;

	puts("wait");
	fflush(stdout);
	if (read(STDIN_FILENO, &byte, 1) != 1)
		exit(1);
}

static void *good(void *at)
{
	if (at == MAP_FAILED)
		exit(1);
	return at;
}

/* With borders, so that it stays a mapping of its own. */
static char *map(unsigned long size)
{
	char *at = good(mmap(NULL, size + 2 * MIB, PROT_NONE,
	                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	mprotect(at + MIB, size, PROT_READ | PROT_WRITE);
	madvise(at + MIB, size, MADV_NOHUGEPAGE);
	return at + MIB;
}

static int do_steps(const char *path)
{
	char kind[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int memory = memfd_create("steps", MFD_CLOEXEC);
	char *a = map(32 * MIB), *b, *c, *shared, *file;

	snprintf(kind, sizeof(kind), "file %s", strrchr(path, '/') + 1);
	if (ftruncate(memory, 4 * MIB))
		return 1;
	shared = good(mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED,
	                   memory, 0));
	file = good(mmap(NULL, MIB, PROT_READ, MAP_PRIVATE, fd, 0));

	touch(a, 10 * PAGE);
	touch(shared, 5 * PAGE);
	step();
	area("mapping", a, 32 * MIB);
	area("file mapping", shared, 4 * MIB);
	area(kind, file, MIB);
	wait_for_leave();

	b = map(8 * MIB);
	touch(a + MIB, 8 * MIB);
	touch(b, 8 * MIB);
	touch(shared, 4 * MIB);
	for (unsigned long i = 0; i < MIB; i += PAGE)
		((volatile char *)file)[i];
	step();
	area("mapping", a, 32 * MIB);
	area("mapping", b, 8 * MIB);
	area("file mapping", shared, 4 * MIB);
	area(kind, file, MIB);
	wait_for_leave();

	madvise(a + 2 * MIB, 4 * MIB, MADV_DONTNEED);
	munmap(b, 8 * MIB);
	munmap(shared, 4 * MIB);
	c = good(mremap(a, 32 * MIB, 32 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED,
	                map(32 * MIB)));
	touch(c + 20 * MIB, 3 * PAGE);
	step();
	area("mapping", c, 32 * MIB);
	area(kind, file, MIB);
	wait_for_leave();
	munmap(c, 31 * MIB);
	return 0;
}

/* ---- who watches --------------------------------------------------------- */

struct area {
	unsigned long start, end, bytes;
	char kind[128];
};

static struct watched {
	int run, changes;         /* the run file; inotify */
	off_t at;                 /* in the run file: the next block */
	unsigned long shots, tsc; /* so many, the latest of this moment */
} watched;

static void open_run(const char *path)
{
	watched.at = sizeof(struct file_header);
	watched.changes = inotify_init();
	watched.run = open(path, O_RDONLY);
	if (watched.run < 0 ||
	    inotify_add_watch(watched.changes, path, IN_MODIFY) < 0)
		exit(2);
}

/* 0: it is not there yet. */
static int next_shot(void)
{
	struct file_block block;
	struct file_shot shot;
	struct stat status;

	fstat(watched.run, &status);
	while (pread(watched.run, &block, sizeof(block), watched.at) ==
	               sizeof(block) &&
	       watched.at + (off_t)(sizeof(block) + block.size) <=
	               status.st_size) {
		off_t at = watched.at + (off_t)sizeof(block);

		watched.at = at + (off_t)block.size;
		if (block.type != FILE_SHOT)
			continue;
		if (pread(watched.run, &shot, sizeof(shot), at) != sizeof(shot))
			exit(2);
		watched.shots++;
		watched.tsc = shot.tsc;
		return 1;
	}
	return 0;
}

/* A shot was over at its moment: only the second behind the step was also
 * begun there. */
static void wait_for_shots(unsigned long tsc)
{
	char change[4096];

	for (int behind = 0; behind < 2;) {
		if (next_shot())
			behind += watched.tsc > tsc;
		else if (read(watched.changes, change, sizeof(change)) <= 0)
			exit(2);
	}
}

static void read_smaps(int pid, struct area *areas, int count)
{
	char path[64], line[512];
	unsigned long from, to, number;
	struct area *at = NULL;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	file = fopen(path, "re");
	if (!file)
		exit(2);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx", &from, &to) == 2) {
			at = NULL;
			for (int i = 0; i < count; i++)
				if (from >= areas[i].start &&
				    to <= areas[i].end)
					at = &areas[i];
		} else if (at && sscanf(line, "Rss: %lu", &number) == 1) {
			at->bytes += 1024 * number;
		}
	}
	fclose(file);
}

/* A line for each kind. */
static void say(struct area *areas, int count)
{
	for (int i = 0; i < count; i++) {
		for (int j = i + 1; j < count; j++)
			if (strcmp(areas[i].kind, areas[j].kind) == 0) {
				areas[j].bytes += areas[i].bytes;
				areas[i].kind[0] = 0;
				break;
			}
		if (areas[i].kind[0])
			printf("%lu %lu %s\n", watched.shots - 1,
			       areas[i].bytes, areas[i].kind);
	}
}

static int watch(const char *run, const char *from, const char *to)
{
	FILE *lines = fopen(from, "re");
	int leave = open(to, O_WRONLY | O_CLOEXEC), pid = 0, count = 0;
	struct area areas[AREAS];
	unsigned long tsc = 0;
	char line[512];

	while (lines && fgets(line, sizeof(line), lines)) {
		struct area *area = &areas[count];

		if (sscanf(line, "step %d %lu", &pid, &tsc) == 2) {
			count = 0;
			if (!watched.run)
				open_run(run);
		} else if (strcmp(line, "wait\n") == 0) {
			wait_for_shots(tsc);
			read_smaps(pid, areas, count);
			say(areas, count);
			if (write(leave, "\n", 1) != 1)
				return 2;
		} else if (count < AREAS &&
		           sscanf(line, "%lx %lx %127[^\n]", &area->start,
		                  &area->end, area->kind) == 3) {
			area->bytes = 0;
			count++;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "do") == 0)
		return do_steps(argv[2]);
	if (argc == 5 && strcmp(argv[1], "watch") == 0)
		return watch(argv[2], argv[3], argv[4]);
	return 2;
}
