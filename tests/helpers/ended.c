/*
 * ended SECONDS FILE COMMAND [ARGUMENT]...: runs COMMAND in a process group of
 * its own and writes to FILE how it ended: "exited 3", "killed by 11", or
 * "hung" when it took longer and was killed with its group.  A shell's $?
 * cannot tell exit 139 from death by SIGSEGV.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t hung;
static pid_t child;

static void on_alarm(int sig)
{
	(void)sig;
	hung = 1;
	kill(-child, SIGKILL);
	kill(child, SIGKILL);
}

int main(int argc, char **argv)
{
	int status;
	FILE *file;

	if (argc < 4)
		return 2;
	child = fork();
	if (child == 0) {
		setpgid(0, 0);
		execvp(argv[3], argv + 3);
		_exit(127);
	}
	setpgid(child, child);
	signal(SIGALRM, on_alarm);
	alarm((unsigned)atoi(argv[1]));
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 2;
	file = fopen(argv[2], "w");
	if (!file)
		return 2;
	if (hung)
		fprintf(file, "hung\n");
	else if (WIFSIGNALED(status))
		fprintf(file, "killed by %d\n", WTERMSIG(status));
	else
		fprintf(file, "exited %d\n", WEXITSTATUS(status));
	return fclose(file) != 0;
}
