/*
 * For debuggers, who are to find leaf, middle and main:
 *
 *	debug wait      says its process; then each byte of input is a call
 *	debug N         N calls
 *	debug abort     one, that aborts
 *	debug spin      one, that takes a second of processor time
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int aborts, spins;

__attribute__((noinline)) int leaf(int n)
{
	void *mem =
		mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (aborts)
		abort();
	while (spins && clock() < CLOCKS_PER_SEC)
		for (volatile int i = 0; i < 100000; i++)
			;
	munmap(mem, 4096);
	return n + 1;
}

__attribute__((noinline)) int middle(int n)
{
	return leaf(n) * 2;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int sum = 0, n = atoi(what);
	char byte;

	aborts = !strcmp(what, "abort");
	spins = !strcmp(what, "spin");
	if (!strcmp(what, "wait")) {
		printf("here %d\n", (int)getpid());
		fflush(stdout);
		while (read(0, &byte, 1) == 1)
			sum += middle(n++);
	} else {
		for (int i = 0; i < n + aborts + spins; i++)
			sum += middle(i);
	}
	printf("sum %d\n", sum);
	return 0;
}
