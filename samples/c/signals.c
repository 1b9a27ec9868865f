/*
 * A storm of timer signals, whose handler maps memory too, while the program
 * maps and unmaps. The mask must be back after each signal, and the alternate
 * stack in use.
 *
 *	signals [SIGNALS]
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#define SIZE (4 * 4096u)

static volatile sig_atomic_t count, wrong;
static char alternate[65536];

static int map_and_unmap(void)
{
	char *mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		return -1;
	mem[0] = mem[SIZE - 1] = 1;
	return munmap(mem, SIZE);
}

static void on_alarm(int signal, siginfo_t *info, void *context)
{
	char here;

	(void)context;
	if (signal != SIGALRM || info->si_signo != SIGALRM)
		wrong = 1;
	if (&here < alternate || &here >= alternate + sizeof alternate)
		wrong = 2;
	if (map_and_unmap() != 0)
		wrong = 3;
	count++;
}

static void start_storm(void)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
	struct sigaction action = {
		.sa_sigaction = on_alarm,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART,
	};
	struct itimerval timer = {
		.it_interval = { .tv_usec = 100 },
		.it_value = { .tv_usec = 100 },
	};

	sigemptyset(&action.sa_mask);
	sigaltstack(&stack, NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

int main(int argc, char **argv)
{
	long wanted = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
	sigset_t mask;

	start_storm();
	while (count < wanted && !wrong) {
		if (map_and_unmap() != 0)
			wrong = 4;
		sigprocmask(SIG_BLOCK, NULL, &mask);
		if (sigismember(&mask, SIGALRM) || sigismember(&mask, SIGSYS))
			wrong = 5;
	}
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	if (wrong) {
		printf("signals: wrong %d\n", (int)wrong);
		return 1;
	}
	printf("signals: %ld ok\n", wanted);
	return 0;
}
