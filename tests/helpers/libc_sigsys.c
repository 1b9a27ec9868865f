/*
 * libc_sigsys handled|ignored|blocked|default N: has SIGSYS so, and starts
 * itself again N times by posix_spawn, vfork, fork and in the end by execve
 * alone.  Each says what it has; the parent's own must be as before.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static volatile sig_atomic_t handled;

static void on_sigsys(int sig)
{
	handled += sig == SIGSYS;
}

static void have(const char *way)
{
	struct sigaction action = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	if (!strcmp(way, "handled"))
		action.sa_handler = on_sigsys;
	else if (!strcmp(way, "ignored"))
		action.sa_handler = SIG_IGN;
	else if (!strcmp(way, "blocked"))
		sigprocmask(SIG_BLOCK, &set, NULL);
	if (action.sa_handler)
		sigaction(SIGSYS, &action, NULL);
}

static const char *now(void)
{
	struct sigaction action;

	if (sigaction(SIGSYS, NULL, &action))
		return "unknown";
	return action.sa_handler == SIG_IGN     ? "ignored"
	       : action.sa_handler == SIG_DFL   ? "default"
	       : action.sa_handler == on_sigsys ? "handled"
	                                        : "somebody's";
}

static void report(const char *who, int status)
{
	if (WIFEXITED(status))
		printf("%s: exited %d; here %s", who, WEXITSTATUS(status),
		       now());
	else
		printf("%s: killed by %d; here %s", who, WTERMSIG(status),
		       now());
	if (!strcmp(now(), "handled") || !strcmp(now(), "ignored"))
		raise(SIGSYS);
	printf(", handled %d\n", (int)handled);
	fflush(stdout);
}

static int await(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid) {
		perror("waitpid");
		exit(90);
	}
	return status;
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "";
	long times = argc > 2 ? atol(argv[2]) : 0;
	char *child[] = { argv[0], (char *)"child", NULL };
	char *missing[] = { (char *)"/nothing/here", NULL };

	if (!strcmp(way, "child")) {
		printf("  a child has it %s\n", now());
		return 3;
	}
	have(way);
	report("itself", 0);
	for (volatile long i = 0; i < times; i++) {
		pid_t pid;
		int error;

		error = posix_spawn(&pid, argv[0], NULL, NULL, child, environ);
		report("posix_spawn", error ? 127 << 8 : await(pid));
		error = posix_spawn(&pid, missing[0], NULL, NULL, missing,
		                    environ);
		report("posix_spawn of nothing", error << 8);
		pid = vfork();
		if (pid == 0) {
			execve(argv[0], child, environ);
			_exit(127);
		}
		report("vfork", await(pid));
		pid = vfork();
		if (pid == 0) {
			execve(missing[0], missing, environ);
			_exit(errno);
		}
		report("vfork for nothing", await(pid));
		pid = fork();
		if (pid == 0) {
			execve(missing[0], missing, environ);
			execve(argv[0], child, environ);
			_exit(127);
		}
		report("fork", await(pid));
	}
	execve(missing[0], missing, environ);
	report("execve of nothing", errno << 8);
	execve(argv[0], child, environ);
	return 127;
}
