/* dynamic_threads N: starts and joins N threads, one at a time. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void *work(void *argument)
{
	char *block = malloc(1000);

	if (!block)
		return NULL;
	block[999] = 1;
	argument = (void *)((uintptr_t)argument + (uintptr_t)block[999]);
	free(block);
	return argument;
}

int main(int argc, char **argv)
{
	uintptr_t times = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	uintptr_t sum = 0;

	for (uintptr_t i = 0; i < times; i++) {
		pthread_t thread;
		void *result;

		if (pthread_create(&thread, NULL, work, (void *)i) != 0 ||
		    pthread_join(thread, &result) != 0) {
			fputs("dynamic_threads: no thread\n", stderr);
			return 1;
		}
		sum += (uintptr_t)result;
	}
	printf("threads %lu, sum %lu\n", (unsigned long)times,
	       (unsigned long)sum);
	return 0;
}
