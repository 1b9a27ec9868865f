/*
 * run - one file under the kernel, and under goload.
 *
 * Natively a tracer tells what the wait status cannot: whether the program had
 * begun when it was killed.  Under goload its line does: it is printed before
 * the program begins, and the program itself prints nothing.
 */
#include "tests/odd/odd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define HUNG 30 /* seconds */

static volatile pid_t child;

/* SIGKILL is an outcome that no case has. */
static void on_alarm(int sig)
{
	(void)sig;
	kill(child, SIGKILL);
}

static int wait_for(pid_t pid)
{
	int status = 0;

	child = pid;
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	alarm(HUNG);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	alarm(0);
	return status;
}

static int end_of(int status)
{
	return WIFSIGNALED(status) ? ODD_DIES + WTERMSIG(status)
	                           : ODD_RUNS + 1 + WEXITSTATUS(status);
}

/* Both ways the same: no core, no environment but one string. */
static void prepare(const struct odd_case *row)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	if (row->flags & ODD_FIXED)
		personality(ADDR_NO_RANDOMIZE);
}

static char *const environment[] = { (char *)"ODD=1", NULL };

struct odd_run odd_native(const struct odd_case *row, const char *path)
{
	char *argv[] = { (char *)path, NULL };
	struct odd_run run = { 0 };
	int told[2], error, status;
	pid_t pid;

	if (pipe2(told, O_CLOEXEC) != 0 || (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		prepare(row);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execve(path, argv, environment);
		error = errno;
		_exit(write(told[1], &error, sizeof(error)) < 0);
	}
	close(told[1]);
	status = wait_for(pid);
	if (read(told[0], &error, sizeof(error)) == sizeof(error)) {
		run.end = error;
	} else if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP) {
		ptrace(PTRACE_DETACH, pid, 0, 0);
		run.end = end_of(wait_for(pid));
	} else {
		run.end = ODD_KILLED;
		if (WIFSTOPPED(status)) { /* about to be */
			ptrace(PTRACE_DETACH, pid, 0, WSTOPSIG(status));
			status = wait_for(pid);
		}
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV)
			run.end = end_of(status);
	}
	close(told[0]);
	return run;
}

static void read_line(int fd, char line[1024])
{
	ssize_t size = pread(fd, line, 1023, 0);

	line[size > 0 ? size : 0] = 0;
}

struct odd_run odd_goload(const struct odd_case *row, const char *path,
                          const char *goload, const char *option)
{
	char *argv[] = { (char *)"goload", (char *)"-q", (char *)option,
		         (char *)path, NULL };
	int said = memfd_create("said", MFD_CLOEXEC);
	struct odd_run run;
	pid_t pid = fork();

	if (said < 0 || pid < 0)
		abort();
	if (pid == 0) {
		prepare(row);
		dup2(said, STDERR_FILENO);
		execve(goload, argv, environment);
		_exit(125);
	}
	run.end = end_of(wait_for(pid));
	read_line(said, run.line);
	if (run.line[0])
		run.end = run.end == ODD_RUNS + 1 + 126 ||
		                          run.end == ODD_RUNS + 1 + 127
		                  ? ODD_REFUSED
		                  : run.end;
	close(said);
	return run;
}
