/*
 * dynamic_spawn PROGRAM N: spawns PROGRAM N times and waits for it, with a
 * handler for SIGSYS that must be there, and work, before and after.
 */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static volatile sig_atomic_t handled;

static void on_sigsys(int sig)
{
	handled += sig == SIGSYS;
}

static int is_handled(void)
{
	struct sigaction now;

	raise(SIGSYS);
	return sigaction(SIGSYS, NULL, &now) == 0 &&
	       now.sa_handler == on_sigsys;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = on_sigsys };
	long times = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	long ended = 0, kept = 0;

	sigaction(SIGSYS, &action, NULL);
	for (long i = 0; i < times; i++) {
		char *arguments[] = { argv[1], NULL };
		int status, error;
		pid_t pid;

		error = posix_spawn(&pid, argv[1], NULL, NULL, arguments, NULL);
		if (error) {
			fprintf(stderr, "dynamic_spawn: %s\n", strerror(error));
			return 1;
		}
		ended += waitpid(pid, &status, 0) == pid && status == 0;
		kept += is_handled();
	}
	printf("spawned %ld, kept %ld, handled %d\n", ended, kept,
	       (int)handled);
	return 0;
}
