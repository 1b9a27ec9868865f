/*
 * Says what dispositions, masks and the calls that carry masks do.  What it
 * prints is the same natively and under goload.
 *
 *	signals_masks [sys]
 *
 * sys: the same for SIGSYS, which is virtual under goload.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define BAD      ((void *)8)
#define BIT(sig) (1ull << ((sig)-1))

struct action {
	uint64_t handler, flags, restorer, mask;
};

static volatile int calls, depth, deepest;
static volatile uint64_t mask_inside;
static uint64_t restorer;
static uint64_t edit;

static long get_mask(uint64_t *mask)
{
	return syscall(SYS_rt_sigprocmask, 0, NULL, mask, 8);
}

static uint64_t mask_now(void)
{
	uint64_t mask = 0;

	get_mask(&mask);
	return mask;
}

static void set_mask(uint64_t mask)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8);
}

static void say(const char *what, long result)
{
	if (result < 0)
		printf("%s: %ld %s\n", what, result, strerror(errno));
	else
		printf("%s: %ld\n", what, result);
	fflush(stdout);
}

static void handler(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	calls++;
	if (++depth > deepest)
		deepest = depth;
	mask_inside = mask_now();
	if (calls == 1 && deepest == 1 && edit == 1)
		raise(sig); /* SA_NODEFER: comes in at once */
	if (edit > 1)
		*(uint64_t *)&u->uc_sigmask |= edit;
	if (info->si_code == SI_QUEUE)
		printf("queued %d\n", info->si_value.sival_int);
	depth--;
}

/* glibc's restorer, as its own sigaction() installs it. */
static void find_restorer(void)
{
	struct sigaction action = { .sa_sigaction = handler,
		                    .sa_flags = SA_SIGINFO };
	struct action raw;

	sigaction(SIGUSR1, &action, NULL);
	syscall(SYS_rt_sigaction, SIGUSR1, NULL, &raw, 8);
	restorer = raw.restorer;
}

static long install(int sig, uint64_t flags, uint64_t mask)
{
	struct action action = { (uint64_t)handler,
		                 flags | SA_SIGINFO | 0x04000000, restorer,
		                 mask };

	return syscall(SYS_rt_sigaction, sig, &action, NULL, 8);
}

static void show(const char *what, int sig)
{
	struct action got;
	long result = syscall(SYS_rt_sigaction, sig, NULL, &got, 8);

	printf("%s: %ld, %s, flags %llx, mask %llx, restorer %s\n", what,
	       result,
	       got.handler == (uint64_t)handler ? "handler"
	       : got.handler == 0               ? "default"
	       : got.handler == 1               ? "ignored"
	                                        : "something",
	       (unsigned long long)got.flags, (unsigned long long)got.mask,
	       got.restorer == restorer ? "ours"
	       : got.restorer           ? "another"
	                                : "none");
	fflush(stdout);
}

/* ---- dispositions -------------------------------------------------------- */

static void dispositions(int sig)
{
	static const uint64_t flags[] = {
		0,
		SA_RESTART,
		SA_NODEFER,
		SA_RESETHAND,
		SA_ONSTACK,
		SA_NOCLDSTOP | SA_NOCLDWAIT,
		0x400 /* not known to any kernel */,
	};
	struct action set = { 1, 0, 0, BIT(SIGUSR2) }, old;

	printf("signal %d\n", sig);
	show("at first", sig);
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		say("set", install(sig, flags[i], ~0ull));
		show("then", sig);
	}
	say("set and get", syscall(SYS_rt_sigaction, sig, &set, &old, 8));
	printf("had %d %llx %llx\n", old.handler == (uint64_t)handler,
	       (unsigned long long)old.flags, (unsigned long long)old.mask);
	show("then", sig);
	set = (struct action){ 0 };
	say("default", syscall(SYS_rt_sigaction, sig, &set, NULL, 8));
	show("then", sig);
}

static void bad_pointers(void)
{
	struct action set = { 0 };
	uint64_t mask = 0;
	struct timespec zero = { 0, 0 };
	uint64_t pair[2] = { 8, 8 };
	uint64_t bad_size[2] = { (uint64_t)&mask, 7 };
	int epoll = epoll_create1(0);
	struct epoll_event event;

	say("act", syscall(SYS_rt_sigaction, SIGUSR1, BAD, NULL, 8));
	say("old", syscall(SYS_rt_sigaction, SIGUSR1, NULL, BAD, 8));
	say("act, old", syscall(SYS_rt_sigaction, SIGUSR2, &set, BAD, 8));
	say("size", syscall(SYS_rt_sigaction, SIGUSR1, &set, NULL, 7));
	say("SIGKILL", syscall(SYS_rt_sigaction, SIGKILL, &set, NULL, 8));
	say("SIGKILL, get", syscall(SYS_rt_sigaction, SIGKILL, NULL, &set, 8));
	say("SIGSTOP", syscall(SYS_rt_sigaction, SIGSTOP, &set, NULL, 8));
	say("0", syscall(SYS_rt_sigaction, 0, &set, NULL, 8));
	say("65", syscall(SYS_rt_sigaction, 65, &set, NULL, 8));
	say("65, bad", syscall(SYS_rt_sigaction, 65, BAD, NULL, 8));
	say("SIGKILL, bad", syscall(SYS_rt_sigaction, SIGKILL, BAD, NULL, 8));
	say("set", syscall(SYS_rt_sigprocmask, SIG_BLOCK, BAD, NULL, 8));
	say("old", syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, BAD, 8));
	say("how", syscall(SYS_rt_sigprocmask, 99, &mask, NULL, 8));
	say("how, no set", syscall(SYS_rt_sigprocmask, 99, NULL, &mask, 8));
	say("how, bad", syscall(SYS_rt_sigprocmask, 99, BAD, NULL, 8));
	say("size", syscall(SYS_rt_sigprocmask, SIG_BLOCK, &mask, NULL, 4));
	say("ppoll", syscall(SYS_ppoll, NULL, 0, &zero, BAD, 8));
	say("ppoll size", syscall(SYS_ppoll, NULL, 0, &zero, &mask, 7));
	say("pselect", syscall(SYS_pselect6, 0, 0, 0, 0, &zero, BAD));
	say("pselect mask", syscall(SYS_pselect6, 0, 0, 0, 0, &zero, pair));
	say("pselect size", syscall(SYS_pselect6, 0, 0, 0, 0, &zero, bad_size));
	say("suspend", syscall(SYS_rt_sigsuspend, BAD, 8));
	say("suspend size", syscall(SYS_rt_sigsuspend, &mask, 7));
	say("timedwait", syscall(SYS_rt_sigtimedwait, BAD, 0, &zero, 8));
	say("timedwait size", syscall(SYS_rt_sigtimedwait, &mask, 0, &zero, 7));
	say("signalfd", syscall(SYS_signalfd4, -1, BAD, 8, 0));
	say("signalfd size", syscall(SYS_signalfd4, -1, &mask, 7, 0));
	say("epoll", syscall(SYS_epoll_pwait, epoll, &event, 1, 0, BAD, 8));
	say("epoll size",
	    syscall(SYS_epoll_pwait, epoll, &event, 1, 0, &mask, 7));
	close(epoll);
}

/* ---- waiting with a mask ------------------------------------------------- */

/* SIGUSR1 is blocked and pending; the call lets it in. */
static void wait_with_masks(uint64_t also)
{
	struct timespec second = { 1, 0 }, zero = { 0, 0 };
	uint64_t none = also, all = ~0ull;
	uint64_t pair[2] = { (uint64_t)&none, 8 };
	int epoll = epoll_create1(0);
	struct epoll_event event;
	siginfo_t info;
	struct signalfd_siginfo si;
	uint64_t usr1 = BIT(SIGUSR1) | also;
	int fd;

	install(SIGUSR1, 0, 0);
	set_mask(BIT(SIGUSR1) | BIT(SIGUSR2));
	calls = 0;
	kill(getpid(), SIGUSR1);
	say("ppoll, all blocked", syscall(SYS_ppoll, NULL, 0, &zero, &all, 8));
	printf("calls %d\n", calls);
	say("ppoll", syscall(SYS_ppoll, NULL, 0, &second, &none, 8));
	printf("calls %d, mask %llx\n", calls, (unsigned long long)mask_now());
	kill(getpid(), SIGUSR1);
	say("pselect", syscall(SYS_pselect6, 0, 0, 0, 0, &second, pair));
	printf("calls %d, mask %llx\n", calls, (unsigned long long)mask_now());
	kill(getpid(), SIGUSR1);
	say("epoll",
	    syscall(SYS_epoll_pwait, epoll, &event, 1, 1000, &none, 8));
	printf("calls %d, mask %llx\n", calls, (unsigned long long)mask_now());
	kill(getpid(), SIGUSR1);
	say("epoll2", syscall(441, epoll, &event, 1, &second, &none, 8));
	printf("calls %d, mask %llx\n", calls, (unsigned long long)mask_now());
	kill(getpid(), SIGUSR1);
	say("suspend", syscall(SYS_rt_sigsuspend, &none, 8));
	printf("calls %d, mask %llx\n", calls, (unsigned long long)mask_now());
	kill(getpid(), SIGUSR1);
	say("timedwait",
	    syscall(SYS_rt_sigtimedwait, &usr1, &info, &second, 8));
	printf("calls %d, info %d %d\n", calls, info.si_signo,
	       info.si_pid == getpid());
	say("timedwait, none",
	    syscall(SYS_rt_sigtimedwait, &usr1, &info, &zero, 8));
	fd = (int)syscall(SYS_signalfd4, -1, &usr1, 8, SFD_NONBLOCK);
	printf("signalfd %s\n", fd >= 0 ? "is there" : "failed");
	say("read", read(fd, &si, sizeof(si)));
	kill(getpid(), SIGUSR1);
	say("read", read(fd, &si, sizeof(si)));
	printf("signal %u\n", si.ssi_signo);
	close(fd);
	close(epoll);
	set_mask(0);
}

/* ---- handlers ------------------------------------------------------------ */

static void in_handlers(int sig)
{
	union sigval value = { .sival_int = 42 };
	uint64_t pending = 0;
	stack_t stack;

	calls = deepest = 0;
	edit = 1;
	install(sig, SA_NODEFER, BIT(SIGUSR2) | BIT(SIGWINCH));
	raise(sig);
	printf("nodefer: calls %d, depth %d, mask %llx\n", calls, deepest,
	       (unsigned long long)mask_inside);
	calls = deepest = 0;
	install(sig, 0, ~0ull);
	kill(getpid(), sig);
	/* goload keeps SIGSYS deliverable, so there it comes in at once */
	printf("calls %d, depth %d, mask %llx\n", calls,
	       sig == SIGSYS ? 0 : deepest,
	       (unsigned long long)(mask_inside & ~BIT(SIGSYS)));
	edit = 0;
	calls = 0;
	install(sig, SA_RESETHAND, 0);
	raise(sig);
	printf("resethand: calls %d\n", calls);
	show("then", sig);
	install(sig, 0, 0);
	sigqueue(getpid(), sig, value);
	edit = BIT(SIGUSR2) | BIT(40);
	raise(sig);
	printf("edited: mask %llx\n", (unsigned long long)mask_now());
	edit = 0;
	kill(getpid(), SIGUSR2);
	syscall(SYS_rt_sigpending, &pending, 8);
	printf("pending %llx\n", (unsigned long long)pending);
	install(SIGUSR2, 0, 0);
	set_mask(0);
	printf("calls %d\n", calls);
	say("sigaltstack", sigaltstack(NULL, &stack));
	printf("stack %p %zu %d\n", stack.ss_sp, stack.ss_size, stack.ss_flags);
}

static void masks(uint64_t also)
{
	static const uint64_t sets[] = { 0, BIT(SIGINT), BIT(64) | BIT(1),
		                         ~BIT(SIGSYS), 0xffff0000 };

	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
		for (int how = 0; how < 3; how++) {
			uint64_t set = sets[i] & ~BIT(SIGSYS), old = 0;
			long r;

			set |= also;
			r = syscall(SYS_rt_sigprocmask, how, &set, &old, 8);
			printf("%ld: %llx -> %llx\n", r,
			       (unsigned long long)(old & ~BIT(SIGSYS)),
			       (unsigned long long)(mask_now() & ~BIT(SIGSYS)));
		}
	set_mask(0);
}

/* ---- SIGSYS -------------------------------------------------------------- */

static void child_ends(const char *what, void (*act)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		act();
		_exit(5);
	}
	waitpid(pid, &status, 0);
	printf("%s: %s %d\n", what,
	       WIFSIGNALED(status) ? "killed by" : "exited",
	       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void kill_self(void)
{
	kill(getpid(), SIGSYS);
}

static void kill_nobody(void)
{
	kill(getpid(), 0);
}

static void ignore_and_kill(void)
{
	signal(SIGSYS, SIG_IGN);
	kill(getpid(), SIGSYS);
}

static void sys(void)
{
	dispositions(SIGSYS);
	in_handlers(SIGSYS);
	calls = 0;
	install(SIGSYS, 0, 0);
	for (int i = 0; i < 100; i++) {
		kill(getpid(), SIGSYS);
		raise(SIGSYS);
	}
	printf("calls %d\n", calls);
	signal(SIGSYS, SIG_DFL);
	child_ends("default", kill_self);
	child_ends("ignored", ignore_and_kill);
}

/* To block SIGSYS must not block the net: all that follows still works. */
static void blocked_sys(void)
{
	masks(BIT(SIGSYS));
	install(SIGUSR1, 0, ~0ull);
	calls = 0;
	set_mask(~0ull);
	kill(getpid(), SIGUSR1);
	say("getppid", syscall(SYS_getppid) == getppid());
	printf("blocked: calls %d\n", calls);
	set_mask(BIT(SIGSYS));
	printf("open: calls %d\n", calls);
	say("getppid", syscall(SYS_getppid) == getppid());
	child_ends("child", kill_nobody);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	find_restorer();
	if (argc > 1 && !strcmp(argv[1], "sys")) {
		sys();
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "blocked")) {
		blocked_sys();
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "pointers")) {
		bad_pointers();
		return 0;
	}
	dispositions(SIGUSR1);
	dispositions(SIGCHLD);
	dispositions(40);
	masks(0);
	wait_with_masks(0);
	wait_with_masks(BIT(SIGSYS)); /* a mask with SIGSYS kills nobody */
	in_handlers(SIGUSR1);
	in_handlers(41);
	return 0;
}
