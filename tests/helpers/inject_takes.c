/*
 * Maps memory in five ways, and takes it in five ways that it gets none: goes
 * on, exits with 3, dies of it, waits for ever, or tries another way, which it
 * cannot do without.
 *
 *	inject_takes [BEGUN GO]    makes a file, and waits for another before it
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define OWN __attribute__((noinline, noclone))

__attribute__((always_inline)) static inline void *get(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

OWN static void goes_on(void)
{
	char *at = get(4096);

	if (at)
		*at = 1;
	__asm__ volatile("");
}

OWN static void gives_up(void)
{
	char *at = get(8192);

	if (!at) {
		fprintf(stderr, "no memory\n");
		exit(3);
	}
	*at = 1;
}

OWN static void dies(void)
{
	volatile char *at = get(12288);

	*at = 1;
	__asm__ volatile("");
}

OWN static void waits(void)
{
	while (!get(16384))
		pause();
	__asm__ volatile("");
}

OWN static void *another_way(void)
{
	void *at = sbrk(4096);

	return at == (void *)-1 ? NULL : at;
}

OWN static void tries_on(void)
{
	char *at = get(20480);

	if (!at)
		at = another_way();
	if (!at)
		exit(4);
	*at = 1;
}

int main(int argc, char **argv)
{
	if (argc > 2 && creat(argv[1], 0600) >= 0)
		while (access(argv[2], F_OK))
			usleep(1000);
	goes_on();
	gives_up();
	dies();
	waits();
	tries_on();
	puts("done");
	return 0;
}
