/*
 * Ends in the way it is told, and the parent that watches how.
 *
 *	ends_do WAY [ARGUMENT]...
 *
 * The ways that wait for somebody to end them say "ready" first.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define PAGE 4096u

static void say(const char *what)
{
	puts(what);
	fflush(stdout);
}

static void map_once(void)
{
	char *mem = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		_exit(90);
	mem[0] = 1;
	munmap(mem, 4 * PAGE);
}

static void ms_sleep(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

/* ---- ways to wait for the end ------------------------------------------- */

static void wait_paused(void)
{
	say("ready");
	for (;;)
		pause();
}

static void wait_spinning(void)
{
	say("ready");
	for (volatile unsigned long i = 0;; i++)
		;
}

static void wait_mapping(void)
{
	say("ready");
	for (;;)
		map_once();
}

static void *map_for_ever(void *unused)
{
	(void)unused;
	for (;;)
		map_once();
	return NULL;
}

static void wait_threads(void)
{
	pthread_t thread;

	for (int i = 0; i < 4; i++)
		pthread_create(&thread, NULL, map_for_ever, NULL);
	wait_paused();
}

static void wait_pipe(void)
{
	int fds[2];
	char byte;

	if (pipe(fds))
		exit(91);
	say("ready");
	if (read(fds[0], &byte, 1) < 0)
		exit(92);
}

/* Counts its stops: says "again" whenever it was continued. */
static void on_continue(int sig)
{
	static const char again[] = "again\n";

	(void)sig;
	if (write(1, again, sizeof(again) - 1) < 0)
		_exit(93);
}

static void wait_continued(void)
{
	signal(SIGCONT, on_continue);
	wait_paused();
}

/* ---- threads ------------------------------------------------------------ */

static int group;

static void *outlive(void *unused)
{
	(void)unused;
	ms_sleep(100);
	map_once();
	say("still here");
	if (group)
		syscall(SYS_exit_group, 9);
	else
		syscall(SYS_exit, 8);
	return NULL;
}

/* The first thread goes first; another ends the process, or itself last. */
static void first_thread_exits(int by_group)
{
	pthread_t thread;

	group = by_group;
	pthread_create(&thread, NULL, outlive, NULL);
	syscall(SYS_exit, 7);
}

static void *leave(void *status)
{
	ms_sleep(20);
	map_once();
	say("still here");
	if (status)
		exit((int)(intptr_t)status);
	return NULL;
}

/* By libc: the first thread waits in it, or is gone when the last one ends. */
static void thread_exits(int status, int first_waits)
{
	pthread_t thread;

	pthread_create(&thread, NULL, leave, (void *)(intptr_t)status);
	if (first_waits)
		for (;;)
			pause();
	pthread_exit(NULL);
}

/* ---- a churn that leaves its own account --------------------------------- */

#define ACCOUNT_MS 4096u

struct account {
	uint64_t done;                /* munmap calls that have returned */
	uint64_t last_ms;             /* when the last one did */
	uint64_t done_at[ACCOUNT_MS]; /* and how many had, millisecond by
	                                 millisecond */
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct account *open_account(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	void *at;

	if (fd < 0 || ftruncate(fd, sizeof(struct account)))
		exit(94);
	at = mmap(NULL, sizeof(struct account), PROT_READ | PROT_WRITE,
	          MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		exit(95);
	return at;
}

/* Pairs of mmap and munmap, for ever or for so many milliseconds. */
static void churn(const char *path, long ms)
{
	struct account *account = open_account(path);
	uint64_t end = now_ms() + (uint64_t)ms;

	say("ready");
	while (!ms || account->last_ms < end) {
		map_once();
		account->done++;
		account->last_ms = now_ms();
		account->done_at[account->last_ms % ACCOUNT_MS] = account->done;
	}
	say("done");
}

/* Is RECORDED at least what was done MS before the last call, and not more
 * than was done at all? */
static int check_account(const char *path, uint64_t recorded, uint64_t ms)
{
	const struct account *account = open_account(path);
	uint64_t before = 0, from = account->last_ms - ms;

	for (uint64_t at = from; at > from - 100 && !before; at--)
		before = account->done_at[at % ACCOUNT_MS];
	printf("%llu munmap calls, %llu of them %llu ms before the end, "
	       "%llu recorded\n",
	       (unsigned long long)account->done, (unsigned long long)before,
	       (unsigned long long)ms, (unsigned long long)recorded);
	return recorded < before || recorded > account->done + 1;
}

/* ---- exec and children --------------------------------------------------- */

static void exec_missing(void)
{
	char *argv[] = { "nothing", NULL };

	map_once();
	execve("/nothing/here", argv, environ);
	printf("execve: %s\n", strerror(errno));
	map_once();
	exit(4);
}

static void exec_after_missing(char **argv)
{
	char *nothing[] = { "nothing", NULL };

	execve("/nothing/here", nothing, environ);
	execve(argv[0], argv, environ);
}

/* Children by vfork that exec, and by fork; then waitpid(-1) says ECHILD, of
 * children of any kind. */
static void children(char **argv)
{
	int status;

	for (volatile int i = 0; i < 4; i++) {
		pid_t pid = i < 2 ? vfork() : fork();

		if (pid == 0) {
			if (i & 1)
				_exit(40 + i);
			execve(argv[0], argv, environ);
			_exit(127);
		}
		if (waitpid(pid, &status, 0) != pid)
			exit(96);
		printf("child %d: %s %d\n", i,
		       WIFEXITED(status) ? "exited" : "killed by",
		       WIFEXITED(status) ? WEXITSTATUS(status)
		                         : WTERMSIG(status));
		fflush(stdout);
	}
	status = waitpid(-1, NULL, 0);
	printf("waitpid(-1): %d %s\n", status, strerror(errno));
	status = waitpid(-1, NULL, WNOHANG | __WALL);
	printf("waitpid(-1, __WALL): %d %s\n", status, strerror(errno));
	exit(6);
}

/* A child in the middle of vfork is killed by a signal of its own. */
static void child_killed(void)
{
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		kill(getpid(), SIGTERM);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	printf("child: %s %d\n", WIFSIGNALED(status) ? "killed by" : "exited",
	       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	pid = fork();
	if (pid == 0) {
		abort();
	}
	waitpid(pid, &status, 0);
	printf("child: %s %d\n", WIFSIGNALED(status) ? "killed by" : "exited",
	       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	exit(5);
}

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	caught = sig;
}

/* A child that leaves an orphan, which sends its new parent a signal. */
static void leave_orphan(void)
{
	pid_t first = getpid(), child = fork();

	if (child)
		return;
	child = fork();
	if (child) /* the orphan's parent must be gone first */
		_exit(11);
	while (getppid() != first)
		sched_yield();
	kill(first, SIGUSR1);
	_exit(12);
}

/* As pid 1 a signal at its default does nothing, and zombies come that are not
 * its own. */
static void as_init(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	int status, ended = 0;

	printf("pid %d\n", (int)getpid());
	fflush(stdout);
	kill(getpid(), SIGTERM);
	kill(getpid(), SIGINT);
	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < 3; i++)
		leave_orphan();
	for (int i = 0; i < 6;)
		if (waitpid(-1, &status, 0) > 0) {
			ended += WEXITSTATUS(status);
			i++;
		} else if (errno != EINTR) {
			break;
		}
	printf("statuses %d, signal %d\n", ended, (int)caught);
	say("alive");
	status = (int)waitpid(-1, NULL, 0);
	printf("waitpid(-1): %d %s\n", status, strerror(errno));
	exit(5);
}

static int act(char **argv)
{
	const char *way = argv[0];
	const char *to = argv[1] ? argv[1] : "0";

	if (!strcmp(way, "exit"))
		exit(atoi(to));
	else if (!strcmp(way, "raw-exit"))
		syscall(SYS_exit, atoi(to));
	else if (!strcmp(way, "_exit"))
		_exit(atoi(to));
	else if (!strcmp(way, "thread-exit"))
		thread_exits(atoi(to), 1);
	else if (!strcmp(way, "pthread-exit"))
		thread_exits(atoi(to), 0);
	else if (!strcmp(way, "first-thread-exits"))
		first_thread_exits(1);
	else if (!strcmp(way, "every-thread-exits"))
		first_thread_exits(0);
	else if (!strcmp(way, "pause"))
		wait_paused();
	else if (!strcmp(way, "spin"))
		wait_spinning();
	else if (!strcmp(way, "map"))
		wait_mapping();
	else if (!strcmp(way, "threads"))
		wait_threads();
	else if (!strcmp(way, "pipe"))
		wait_pipe();
	else if (!strcmp(way, "continued"))
		wait_continued();
	else if (!strcmp(way, "raise"))
		raise(atoi(to));
	else if (!strcmp(way, "abort"))
		abort();
	else if (!strcmp(way, "fault"))
		return *(volatile int *)8;
	else if (!strcmp(way, "trap"))
		__builtin_trap();
	else if (!strcmp(way, "churn"))
		churn(to, argv[2] ? atol(argv[2]) : 0);
	else if (!strcmp(way, "check"))
		return check_account(to, strtoull(argv[2], NULL, 10),
		                     strtoull(argv[3], NULL, 10));
	else if (!strcmp(way, "exec"))
		execve(to, argv + 1, environ);
	else if (!strcmp(way, "exec-after-missing"))
		exec_after_missing(argv + 1);
	else if (!strcmp(way, "exec-missing"))
		exec_missing();
	else if (!strcmp(way, "children"))
		children(argv + 1);
	else if (!strcmp(way, "child-killed"))
		child_killed();
	else if (!strcmp(way, "init"))
		as_init();
	return 99;
}

int main(int argc, char **argv)
{
	return argc > 1 ? act(argv + 1) : 98;
}
