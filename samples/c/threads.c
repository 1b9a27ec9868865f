/*
 * Starts and joins threads, eight at a time, N times over; each uses memory
 * of its own.
 *
 *	threads [N]
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 8

static void *work(void *argument)
{
	uintptr_t seed = (uintptr_t)argument;
	size_t size = 100000 + seed % 1000;
	unsigned char *mem = malloc(size);
	uintptr_t sum = 0;

	if (!mem)
		return NULL;
	memset(mem, (int)(seed & 0xff), size);
	for (size_t at = 0; at < size; at += 4096)
		sum += mem[at];
	free(mem);
	return (void *)sum;
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 50;
	uint64_t sum = 0;

	for (unsigned long n = 0; n < rounds; n++) {
		pthread_t thread[THREADS];

		for (uintptr_t i = 0; i < THREADS; i++) {
			void *seed = (void *)(n * THREADS + i);

			if (pthread_create(&thread[i], NULL, work, seed) != 0) {
				fputs("threads: pthread_create\n", stderr);
				return 1;
			}
		}
		for (size_t i = 0; i < THREADS; i++) {
			void *result;

			pthread_join(thread[i], &result);
			sum = sum * 31 + (uintptr_t)result;
		}
	}
	printf("threads %lu, checksum %016llx\n", rounds * THREADS,
	       (unsigned long long)sum);
	return 0;
}
