/*
 * libc_throw WAY: C++ exceptions, and stacks, through frames whose calls goload
 * carries.  Built with -fnon-call-exceptions -fasynchronous-unwind-tables
 * -rdynamic.  The ways:
 *
 *	signal N     N times a signal's handler throws out of a call
 *	sort         a comparison that maps memory throws out of qsort
 *	cancel       threads cancelled: destructors, catch and rethrow
 *	backtrace    the stack of a handler in each of several calls
 *	everywhere N the stack of a handler that comes at any time
 *
 * What it prints is the same natively and under goload.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static int destroyed;

struct guard {
	~guard()
	{
		destroyed++;
	}
};

/* ---- the calls that are interrupted ------------------------------------- */

/* By pointers that may throw: the headers say that these do not. */
static void *(*volatile map)(void *, size_t, int, int, int, off_t) = mmap;
static int (*volatile unmap)(void *, size_t) = munmap;
static int (*volatile set_mask)(int, const sigset_t *,
                                sigset_t *) = pthread_sigmask;
static int (*volatile signal_to)(pid_t, int) = kill;

extern "C" __attribute__((noinline)) void by_libc()
{
	unmap(map(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	      8192);
}

/* A site in the program's own text. */
extern "C" __attribute__((noinline)) void by_hand()
{
	long result;

	asm volatile("syscall"
	             : "=a"(result)
	             : "a"((long)SYS_munmap), "D"(4096L), "S"(0L)
	             : "rcx", "r11", "memory");
	asm volatile("syscall"
	             : "=a"(result)
	             : "a"((long)SYS_getppid)
	             : "rcx", "r11", "memory");
}

static void only(int how, int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	set_mask(how, &set, NULL);
}

static void handle(int sig, void (*handler)(int))
{
	struct sigaction action = {};

	action.sa_handler = handler;
	sigaction(sig, &action, NULL);
}

static void in_microseconds(long us)
{
	struct itimerval timer = {};

	timer.it_value.tv_usec = us;
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* ---- thrown by a handler ------------------------------------------------ */

static void throws(int sig)
{
	throw std::runtime_error(sig == SIGALRM ? "alarm" : "another");
}

/* Nothing in it is to be destroyed, so every instruction of it may throw. */
extern "C" __attribute__((noinline)) void interrupted(long way)
{
	only(SIG_UNBLOCK, SIGALRM);
	for (;;)
		if (way & 1)
			by_libc();
		else
			by_hand();
}

static int through_signals(long times)
{
	int caught = 0;

	only(SIG_BLOCK, SIGALRM);
	handle(SIGALRM, throws);
	for (long i = 0; i < times; i++) {
		in_microseconds(20 + i * 37 % 200);
		try {
			guard here;
			interrupted(i);
		} catch (const std::runtime_error &e) {
			/* the signal is blocked: nobody has returned */
			caught += !strcmp(e.what(), "alarm");
		}
	}
	printf("%d caught, %d destroyed\n", caught, destroyed);
	return caught != times;
}

/* ---- thrown through libc ------------------------------------------------ */

static int comparisons;

static int compare(const void *a, const void *b)
{
	guard here;

	by_libc();
	if (++comparisons == 100)
		throw 42;
	return *(const int *)a - *(const int *)b;
}

static int through_sort()
{
	int numbers[64], caught = 0;

	for (int i = 0; i < 64; i++)
		numbers[i] = i * 37 % 64;
	try {
		qsort(numbers, 64, sizeof(int), compare);
	} catch (int what) {
		caught = what;
	}
	printf("caught %d after %d comparisons, %d destroyed\n", caught,
	       comparisons, destroyed);
	return caught != 42;
}

/* ---- cancellation ------------------------------------------------------- */

static int rethrown;
static volatile bool started;

static void *waits(void *)
{
	guard outer;

	try {
		guard inner;

		started = true;
		for (;;)
			poll(NULL, 0, -1);
	} catch (abi::__forced_unwind &) {
		rethrown++;
		throw;
	}
	return NULL;
}

static void *maps(void *)
{
	guard outer;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	started = true;
	for (;;)
		by_libc();
	return NULL;
}

static int through_threads()
{
	int ended = 0;

	for (int i = 0; i < 200; i++) {
		pthread_t thread;
		void *end;

		started = false;
		pthread_create(&thread, NULL, i & 1 ? maps : waits, NULL);
		while (!started)
			sched_yield();
		pthread_cancel(thread);
		pthread_join(thread, &end);
		ended += end == PTHREAD_CANCELED;
	}
	printf("%d cancelled, %d rethrown, %d destroyed\n", ended, rethrown,
	       destroyed);
	return ended != 200;
}

/* ---- stacks ------------------------------------------------------------- */

/* Function or file, and distance: without where the file was mapped. */
static void show(void *pc)
{
	char *at = (char *)pc;
	Dl_info info;

	if (!dladdr(pc, &info))
		printf("  %p\n", pc); /* static: it is there each time */
	else if (info.dli_sname)
		printf("  %s+0x%zx\n", info.dli_sname,
		       (size_t)(at - (char *)info.dli_saddr));
	else
		printf("  %s+0x%zx\n", basename(info.dli_fname),
		       (size_t)(at - (char *)info.dli_fbase));
}

static void show_stack(int sig)
{
	void *frames[32];
	int count = backtrace(frames, 32);

	printf("signal %d:\n", sig);
	for (int i = 1; i < count; i++)
		show(frames[i]);
}

extern "C" __attribute__((noinline)) void stacks()
{
	struct sigaction action = {};
	sigset_t none;

	handle(SIGUSR1, show_stack);
	signal_to(getpid(), SIGUSR1);
	raise(SIGUSR1);
	action.sa_handler = show_stack;
	action.sa_flags = (int)SA_RESETHAND;
	sigaction(SIGUSR1, &action, NULL);
	signal_to(getpid(), SIGUSR1);
	handle(SIGUSR1, show_stack);
	only(SIG_BLOCK, SIGUSR1);
	signal_to(getpid(), SIGUSR1);
	only(SIG_UNBLOCK, SIGUSR1); /* inside of a call that goload makes */
	only(SIG_BLOCK, SIGUSR1);
	signal_to(getpid(), SIGUSR1);
	sigemptyset(&none);
	sigsuspend(&none);
	signal_to(getpid(), SIGUSR1);
	ppoll(NULL, 0, NULL, &none);
	sigaddset(&none, SIGSYS);
	signal_to(getpid(), SIGUSR1);
	ppoll(NULL, 0, NULL, &none); /* goload puts another mask there */
	only(SIG_UNBLOCK, SIGUSR1);
	handle(SIGSEGV, [](int sig) {
		show_stack(sig);
		exit(0);
	});
	*(volatile int *)8 = 1;
}

/* Does every stack lead back to what called the loop? */
static volatile int seen, whole;
static void *callers[32];
static int caller_count;

static void count_stack(int)
{
	void *frames[32];
	int count = backtrace(frames, 32), from = count - caller_count;

	seen = seen + 1;
	whole = whole +
	        (from > 2 && !memcmp(frames + from, callers,
	                             (size_t)caller_count * sizeof(*callers)));
}

static void every(long us)
{
	struct itimerval timer = {};

	timer.it_value.tv_usec = timer.it_interval.tv_usec = us;
	setitimer(ITIMER_REAL, &timer, NULL);
}

extern "C" __attribute__((noinline)) void everywhere(long times)
{
	void *frames[32];

	caller_count = backtrace(frames, 32) - 1;
	memcpy(callers, frames + 1, (size_t)caller_count * sizeof(*callers));
	handle(SIGALRM, count_stack);
	every(200);
	while (seen < times) {
		by_libc();
		by_hand();
	}
	every(0);
	printf("every stack is whole: %s\n", whole == seen ? "yes" : "no");
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "";
	long times = argc > 2 ? atol(argv[2]) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(way, "signal"))
		return through_signals(times);
	if (!strcmp(way, "sort"))
		return through_sort();
	if (!strcmp(way, "cancel"))
		return through_threads();
	if (!strcmp(way, "everywhere"))
		everywhere(times);
	if (!strcmp(way, "backtrace")) {
		void *frames[2];

		backtrace(frames, 2); /* loads what it needs */
		stacks();
	}
	return way[0] != 'e';
}
