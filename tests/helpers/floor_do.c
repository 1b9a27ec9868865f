/*
 * Programs of tests/floor.sh, by what they need:
 *
 *   floor_do map BYTES   so much address space
 *   floor_do data BYTES  so much that is writable
 *   floor_do write BYTES so much memory
 *   floor_do less BYTES  so much, or half of it
 *   floor_do gap BYTES   half as much again, but only where it got so much
 *   floor_do some BYTES  so much in every third run: counts in $FLOOR_COUNT
 *
 * What cannot have it says so and exits with 3.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static int map(size_t size, int prot)
{
	return mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
	       MAP_FAILED;
}

static int write_to(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return 0;
	memset(at, 1, size);
	return 1;
}

static int less(size_t size)
{
	return map(size, PROT_NONE) || map(size / 2, PROT_NONE);
}

static int gap(size_t size)
{
	return !map(size, PROT_NONE) || map(size / 2, PROT_NONE);
}

static int some(size_t size)
{
	FILE *file = fopen(getenv("FLOOR_COUNT"), "r+");
	unsigned count = 0;

	if (!file || fscanf(file, "%u", &count) != 1)
		return 0;
	rewind(file);
	fprintf(file, "%u\n", count + 1);
	fclose(file);
	return count % 3 || map(size, PROT_NONE);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	int done = strcmp(what, "map") == 0 ? map(size, PROT_NONE)
	           : strcmp(what, "data") == 0
	                   ? map(size, PROT_READ | PROT_WRITE)
	           : strcmp(what, "write") == 0 ? write_to(size)
	           : strcmp(what, "less") == 0  ? less(size)
	           : strcmp(what, "gap") == 0   ? gap(size)
	           : strcmp(what, "some") == 0  ? some(size)
	                                        : 0;

	if (!done)
		puts("no room");
	return done ? 0 : 3;
}
