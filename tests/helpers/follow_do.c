/*
 * follow_do forks N             N children that only fork
 * follow_do twice PROGRAM       a child that forks, whose child executes
 * follow_do exec-by-fd PROGRAM  execveat() by descriptor
 * follow_do itself PROGRAM       /proc/self/exe, which then becomes PROGRAM
 * follow_do by-proc PROGRAM      /proc/self/fd/N of a file that is closed by it
 * follow_do drops N PROGRAM      N vforked children of another user
 * follow_do reaper PROGRAM       a child of one that adopts: no other comes
 * follow_do shared-fds PROGRAM   a child that shares descriptors: none is left
 * follow_do filtered PROGRAM     with a filter that kills whoever calls prctl
 * follow_do alarmed PROGRAM      a fast timer, while it executes what is not
 * there follow_do inherit N PROGRAM   N children that end one after the other,
 * while this becomes PROGRAM follow_do reap N              0 if there are so
 * many children to wait for
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int forks(long count)
{
	while (count--) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return 0;
}

static int twice(char **argv)
{
	pid_t pid = fork();

	if (pid) {
		waitpid(pid, NULL, 0);
		return 0;
	}
	pid = fork();
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(90);
	}
	waitpid(pid, NULL, 0);
	_exit(0);
}

static int by_proc(char **argv)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d",
	         open(argv[0], O_RDONLY | O_CLOEXEC));
	execv(path, argv);
	return 91;
}

/* posix_spawn() has no word for it; the child touches nothing of the parent's.
 */
static int drops(volatile long count, char **argv)
{
	while (count-- > 0) {
		pid_t pid = vfork();

		if (pid == 0) {
			syscall(SYS_setresuid, 65534, 65534, 65534);
			execv(argv[0], argv);
			_exit(92);
		}
		waitpid(pid, NULL, 0);
	}
	return 0;
}

static int reaper(char **argv)
{
	int ended = 0;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int i = 0; i < 5; i++)
		if (fork() == 0) {
			execv(argv[0], argv);
			_exit(93);
		}
	while (wait(NULL) > 0)
		ended++;
	fprintf(stderr, "%d\n", ended);
	return 0;
}

static char *const *shared_argv;

static int shared_child(void *unused)
{
	(void)unused;
	execv(shared_argv[0], shared_argv);
	_exit(94);
}

static int shared_fds(char **argv)
{
	static char stack[1 << 16];

	shared_argv = argv;
	for (int i = 0; i < 3; i++) {
		pid_t pid = clone(
			shared_child, stack + sizeof(stack),
			CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, NULL);

		waitpid(pid, NULL, 0);
	}
	fprintf(stderr, "%d\n", dup(0));
	return 0;
}

static int filtered(char **argv)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
		execv(argv[0], argv);
		_exit(95);
	}
	waitpid(pid, &status, 0);
	fprintf(stderr, "%x\n", status);
	return 0;
}

static void ignored(int sig)
{
	(void)sig;
}

static int alarmed(char **argv)
{
	const struct sigaction action = { .sa_handler = ignored };
	struct itimerval timer = { { 0, 100 }, { 0, 100 } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (int i = 0; i < 20; i++)
		execv("/nowhere/at/all", argv);
	timer = (struct itimerval){ 0 };
	setitimer(ITIMER_REAL, &timer, NULL);
	execv(argv[0], argv);
	return 96;
}

static int inherit(long count, char **argv)
{
	for (long i = 0; i < count; i++) {
		const struct timespec end = { .tv_nsec = i * 100000 };

		if (fork() == 0) {
			nanosleep(&end, NULL);
			_exit(0);
		}
	}
	execv(argv[0], argv);
	return 90;
}

static int reap(long count)
{
	while (wait(NULL) > 0)
		count--;
	if (count)
		fprintf(stderr, "%ld are missing\n", count);
	return count != 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "forks") == 0)
		return forks(atol(argv[2]));
	if (argc > 2 && strcmp(argv[1], "twice") == 0)
		return twice(argv + 2);
	if (argc > 2 && strcmp(argv[1], "itself") == 0)
		execv("/proc/self/exe",
		      (char *[]){ argv[0], "become", argv[2], NULL });
	if (argc > 2 && strcmp(argv[1], "become") == 0)
		execv(argv[2], argv + 2);
	if (argc > 2 && strcmp(argv[1], "by-proc") == 0)
		return by_proc(argv + 2);
	if (argc > 3 && strcmp(argv[1], "drops") == 0)
		return drops(atol(argv[2]), argv + 3);
	if (argc > 2 && strcmp(argv[1], "reaper") == 0)
		return reaper(argv + 2);
	if (argc > 2 && strcmp(argv[1], "shared-fds") == 0)
		return shared_fds(argv + 2);
	if (argc > 2 && strcmp(argv[1], "filtered") == 0)
		return filtered(argv + 2);
	if (argc > 2 && strcmp(argv[1], "alarmed") == 0)
		return alarmed(argv + 2);
	if (argc > 3 && strcmp(argv[1], "inherit") == 0)
		return inherit(atol(argv[2]), argv + 3);
	if (argc > 2 && strcmp(argv[1], "reap") == 0)
		return reap(atol(argv[2]));
	if (argc > 2 && strcmp(argv[1], "exec-by-fd") == 0)
		fexecve(open(argv[2], O_RDONLY | O_CLOEXEC), argv + 2, environ);
	return 2;
}
