/*
 * Allocates, resizes and frees blocks of many sizes, N rounds of it. What it
 * prints depends on N alone.
 *
 *	malloc [N]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 256

static unsigned char *block[BLOCKS];
static size_t size_of[BLOCKS];

/* Mostly small, now and then large enough to be mapped on its own. */
static size_t pick_size(uint64_t random)
{
	size_t small = 1 + random % 4000;

	return random % 17 == 0 ? small * 200 : small;
}

static void resize(size_t i, size_t size)
{
	unsigned char *bigger = realloc(block[i], size);

	if (!bigger) {
		fprintf(stderr, "malloc: no memory for %zu bytes\n", size);
		exit(1);
	}
	block[i] = bigger;
	memset(bigger, (int)(size & 0xff), size);
	size_of[i] = size;
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
	uint64_t random = 88172645463325252u;
	uint64_t sum = 0;

	for (unsigned long n = 0; n < rounds; n++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		size_t i = random % BLOCKS;

		if (block[i])
			sum = sum * 31 + block[i][size_of[i] - 1];
		if (random & 0x100) {
			resize(i, pick_size(random >> 16));
		} else {
			free(block[i]);
			block[i] = NULL;
		}
	}
	for (size_t i = 0; i < BLOCKS; i++)
		free(block[i]);
	printf("malloc %lu rounds, checksum %016llx\n", rounds,
	       (unsigned long long)sum);
	return 0;
}
