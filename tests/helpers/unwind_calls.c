/*
 * Memory syscalls from known places, for an unwinder to look at: each is made
 * by malloc for take(), and gives its size away:
 *
 *     1 MiB  main -> outer -> take          2 MiB  a callback of qsort
 *     3 MiB  a thread                       4 MiB  a signal handler
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define MIB (1ul << 20)

void take(size_t size);
void outer(size_t size);
int compare(const void *left, const void *right);
void *thread(void *argument);
void handler(int number);

__attribute__((noinline)) void take(size_t size)
{
	char *volatile block = malloc(size);

	free(block);
}

__attribute__((noinline)) void outer(size_t size)
{
	char room[size / MIB * 16];

	__asm__ volatile("" ::"r"(room) : "memory");
	take(size);
	__asm__ volatile("" ::"r"(room) : "memory");
}

int compare(const void *left, const void *right)
{
	outer(2 * MIB);
	return *(const int *)left - *(const int *)right;
}

void *thread(void *argument)
{
	outer(3 * MIB);
	return argument;
}

void handler(int number)
{
	(void)number;
	outer(4 * MIB);
	__asm__ volatile("" ::: "memory"); /* no tail call */
}

int main(void)
{
	int numbers[] = { 4, 2, 3, 1 };
	pthread_t id;

	outer(MIB);
	qsort(numbers, 4, sizeof(*numbers), compare);
	if (pthread_create(&id, NULL, thread, NULL))
		return 1;
	pthread_join(id, NULL);
	signal(SIGUSR1, handler);
	raise(SIGUSR1);
	return 0;
}
