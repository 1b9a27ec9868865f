/*
 * loop - one operation many times, for bench/run.sh.
 *
 *   loop pair N     mmap 64 KiB, touch every page, munmap
 *   loop syscall N  getppid, a call that is not about memory
 *   loop signal N   SIGURG to itself, to a handler that does nothing
 *   loop end N      N MiB touched, then the end
 *
 * Prints nanoseconds per operation, with three decimals; `end` the time at its
 * end, in ns.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SIZE 65536

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void pair(void)
{
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	for (int i = 0; i < SIZE; i += 4096)
		((volatile char *)p)[i] = 1;
	munmap(p, SIZE);
}

static void get_parent(void)
{
	syscall(SYS_getppid);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
}

static void send_signal(void)
{
	raise(SIGURG);
}

static int end(long size)
{
	char *p = mmap(NULL, (size_t)size << 20, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 1;
	for (long i = 0; i < size << 20; i += 4096)
		((volatile char *)p)[i] = 1;
	printf("%.3f\n", now());
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	long n = argc > 2 ? atol(argv[2]) : 1;
	void (*operation)(void) = NULL;
	struct sigaction action = { .sa_sigaction = on_signal,
		                    .sa_flags = SA_SIGINFO | SA_RESTART };
	double start;

	if (strcmp(what, "end") == 0)
		return end(n);
	if (strcmp(what, "pair") == 0)
		operation = pair;
	else if (strcmp(what, "syscall") == 0)
		operation = get_parent;
	else if (strcmp(what, "signal") == 0)
		operation = send_signal;
	else
		return 2;
	sigaction(SIGURG, &action, NULL);
	for (long i = 0; i < n / 10; i++)
		operation();
	start = now();
	for (long i = 0; i < n; i++)
		operation();
	printf("%.3f\n", (now() - start) / (double)n);
	return 0;
}
