/*
 * A program of many kinds of calls for tests/sandbox.sh: says of each step how
 * it went, goes on, and ends with 3.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	caught += sig;
}

static void say(const char *step, int failed)
{
	printf("%s: %s\n", step, failed ? strerror(errno) : "done");
	fflush(stdout);
}

static int churn(void)
{
	for (int i = 0; i < 50; i++) {
		char *mem = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
		                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (mem == MAP_FAILED)
			return -1;
		*mem = 1;
		if (mprotect(mem, PAGE, PROT_READ) ||
		    munmap(mem, (1 + i % 4) * PAGE))
			return -1;
	}
	return 0;
}

static int handle(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	if (sigaction(SIGUSR1, &action, NULL) || raise(SIGUSR1))
		return -1;
	errno = EIO;
	return caught == SIGUSR1 ? 0 : -1;
}

static _Atomic int result;
static pid_t id;

static void *in_thread(void *unused)
{
	(void)unused;
	id = gettid();
	result = churn() ? -1 : 1;
	return NULL;
}

/* Not joined: that takes a futex, and libc ends a program without one.  But
 * gone, where it can go: the last thread's status may be the program's. */
static int start_thread(void)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, in_thread, NULL);
	if (errno)
		return -1;
	while (!result)
		sched_yield();
	for (int i = 0; i < 100000 && !tgkill(getpid(), id, 0); i++)
		sched_yield();
	errno = EIO;
	return result == 1 ? 0 : -1;
}

static int start_child(void)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -1;
	if (pid == 0)
		_exit(churn() ? 1 : 7);
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	errno = EIO;
	return WIFEXITED(status) && WEXITSTATUS(status) == 7 ? 0 : -1;
}

static int read_link(void)
{
	char path[4096];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (size < 0)
		return -1;
	path[size] = 0;
	puts(path);
	return 0;
}

int main(void)
{
	say("memory", churn());
	say("signal", handle());
	say("thread", start_thread());
	say("child", start_child());
	say("link", read_link());
	say("memory", churn());
	return 3;
}
