/*
 * Runs a command and says on stderr how it ended, at once when it is told.
 *
 *	ends_wait PIDFILE [-i SIGNAL]... COMMAND...
 *
 * Every signal is at its default for the command (a shell's `&` ignores some),
 * but those behind -i, which are ignored.  The last line is "== exited N",
 * "== killed by N" or "== killed by N, core dumped".  After 30 seconds the
 * command is killed: "== hung".
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child;
static volatile sig_atomic_t hung;

static void on_alarm(int sig)
{
	(void)sig;
	hung = 1;
	kill(child, SIGKILL);
}

static void default_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < 65; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void write_pid(const char *path, pid_t pid)
{
	char text[32];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	snprintf(text, sizeof(text), "%d\n", (int)pid);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		exit(2);
	close(fd);
}

int main(int argc, char **argv)
{
	const char *pid_file = argv[1];
	char line[64];
	int status;

	default_signals();
	argv += 2;
	for (; argc > 3 && !strcmp(argv[0], "-i"); argv += 2)
		signal(atoi(argv[1]), SIG_IGN);
	child = fork();
	if (child == 0) {
		/* a group of its own, whose parent is in this session: in an
		 * orphaned group SIGTSTP stops nothing */
		setpgid(0, 0);
		write_pid(pid_file, getpid());
		execvp(argv[0], argv);
		_exit(127);
	}
	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGCHLD)
			signal(sig, SIG_IGN);
	signal(SIGALRM, on_alarm);
	alarm(30);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (hung)
		snprintf(line, sizeof(line), "== hung\n");
	else if (WIFEXITED(status))
		snprintf(line, sizeof(line), "== exited %d\n",
		         WEXITSTATUS(status));
	else
		snprintf(line, sizeof(line), "== killed by %d%s\n",
		         WTERMSIG(status),
		         WCOREDUMP(status) ? ", core dumped" : "");
	return write(2, line, strlen(line)) < 0;
}
