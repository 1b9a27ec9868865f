/*
 * A signal at every instruction of goload's code in the target.
 *
 *	signals_step trace KIND one|two|reset COMMAND...   the parent: steps
 *	signals_step target                                the program
 *	signals_step storm MS                              no tracer: a timer
 *
 * The target makes one raw system call again and again, with a known value in
 * every register, and stops (int3) before each.  The tracer steps through the
 * call and injects SIGUSR1 at the k-th instruction that lies in goload's image
 * and runs with that signal unblocked; then at the next one, until the call
 * ends before the k-th.  With `two` SIGUSR2 follows, at a sample of goload's
 * instructions from there to the end of the call (each one for every 16th k,
 * else each 37th); with `reset` the same, and SIGUSR1's handler has
 * SA_RESETHAND.
 *
 * The target checks in each handler that the interrupted address is its own
 * and, where that is at or behind the call, every register; and after the call
 * its result and every register but rax, rcx and r11.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef PTRACE_GETSIGMASK
#define PTRACE_GETSIGMASK 0x420a
#endif

extern char __executable_start[], etext[];

/* ---- the calls: every register in, every register out -------------------- */

struct registers {
	uint64_t rdi, rsi, rdx, r10, r8, r9;   /* 0 .. 40 */
	uint64_t rbx, rbp, r12, r13, r14, r15; /* 48 .. 88 */
	uint64_t rax, rsp;                     /* 96, 104 */
	uint8_t xmm[16][16];                   /* 112 */
};

/* in: rdi; out: rsi; kept on the stack while all registers are in use */
#define CALL(name, number)                                                         \
	extern char at_##name[], behind_##name[];                                  \
	void call_##name(const struct registers *in, struct registers *out);       \
	__asm__(".text\n.globl call_" #name ", at_" #name ", behind_" #name        \
	        "\n.p2align 4\n.type call_" #name ", @function\ncall_" #name       \
	        ":\n"                                                              \
	        "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\n"          \
	        "push %r15\npush %rsi\nmov %rdi,%rcx\n"                            \
	        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"                   \
	        "movdqu 112+16*\\n(%rcx),%xmm\\n\n.endr\n"                         \
	        "mov 0(%rcx),%rdi\nmov 8(%rcx),%rsi\nmov 16(%rcx),%rdx\n"          \
	        "mov 24(%rcx),%r10\nmov 32(%rcx),%r8\nmov 40(%rcx),%r9\n"          \
	        "mov 48(%rcx),%rbx\nmov 56(%rcx),%rbp\nmov 64(%rcx),%r12\n"        \
	        "mov 72(%rcx),%r13\nmov 80(%rcx),%r14\nmov 88(%rcx),%r15\n" number \
	        "\nat_" #name ":\nsyscall\nbehind_" #name ":\n"                    \
	        "mov (%rsp),%rcx\n"                                                \
	        "mov %rdi,0(%rcx)\nmov %rsi,8(%rcx)\nmov %rdx,16(%rcx)\n"          \
	        "mov %r10,24(%rcx)\nmov %r8,32(%rcx)\nmov %r9,40(%rcx)\n"          \
	        "mov %rbx,48(%rcx)\nmov %rbp,56(%rcx)\nmov %r12,64(%rcx)\n"        \
	        "mov %r13,72(%rcx)\nmov %r14,80(%rcx)\nmov %r15,88(%rcx)\n"        \
	        "mov %rax,96(%rcx)\nmov %rsp,104(%rcx)\n"                          \
	        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"                   \
	        "movdqu %xmm\\n,112+16*\\n(%rcx)\n.endr\n"                         \
	        "pop %rsi\npop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\n"     \
	        "pop %rbx\nret\n.size call_" #name ", .-call_" #name "\n")

#define CONSTANT(nr) "mov $" #nr ",%eax"
#define VARIABLE     "mov 96(%rcx),%rax"

CALL(mmap, CONSTANT(9));
CALL(munmap, CONSTANT(11));
CALL(getppid, CONSTANT(110));
CALL(sigprocmask, CONSTANT(14));
CALL(sigaction, CONSTANT(13));
CALL(ppoll, CONSTANT(271));
CALL(sigtimedwait, CONSTANT(128));
CALL(fork, CONSTANT(57));
CALL(any, VARIABLE);

struct kind {
	const char *name;
	void (*call)(const struct registers *in, struct registers *out);
	char *at, *behind;
	uint64_t nr, args[6];
	int64_t result; /* or RESULT_* */
};

#define RESULT_ANY   0x7001
#define RESULT_PPID  0x7002
#define RESULT_CHILD 0x7003

static uint64_t some_mask = 1u << (SIGWINCH - 1);
static uint64_t old_mask[16];
static struct timespec no_time;

#define OF(name) call_##name, at_##name, behind_##name

static struct kind kinds[] = {
	{ "mmap",
	  OF(mmap),
	  9,
	  { 0x10000000000, 8192, 3, 0x32, -1ul, 0 },
	  0x10000000000 },
	{ "mmap-variable",
	  OF(any),
	  9,
	  { 0x10000000000, 8192, 3, 0x32, -1ul, 0 },
	  0x10000000000 },
	{ "munmap", OF(munmap), 11, { 0x10000000000, 8192 }, 0 },
	{ "munmap-fails", OF(munmap), 11, { 1, 8192 }, -EINVAL },
	{ "getppid", OF(getppid), 110, { 1, 2, 3, 4, 5, 6 }, RESULT_PPID },
	{ "getppid-variable", OF(any), 110, { 1, 2, 3, 4, 5, 6 }, RESULT_PPID },
	{ "no-such-call", OF(any), 0x1ff, { 1, 2, 3, 4, 5, 6 }, -ENOSYS },
	{ "sigprocmask",
	  OF(sigprocmask),
	  14,
	  { SIG_BLOCK, (uint64_t)&some_mask, (uint64_t)&old_mask, 8 },
	  0 },
	{ "sigprocmask-variable",
	  OF(any),
	  14,
	  { SIG_UNBLOCK, (uint64_t)&some_mask, (uint64_t)&old_mask, 8 },
	  0 },
	{ "sigaction",
	  OF(sigaction),
	  13,
	  { SIGCHLD, 0, (uint64_t)&old_mask, 8 },
	  0 },
	{ "ppoll",
	  OF(ppoll),
	  271,
	  { 0, 0, (uint64_t)&no_time, (uint64_t)&some_mask, 8 },
	  0 },
	{ "ppoll-variable",
	  OF(any),
	  271,
	  { 0, 0, (uint64_t)&no_time, (uint64_t)&some_mask, 8 },
	  0 },
	{ "sigtimedwait",
	  OF(sigtimedwait),
	  128,
	  { (uint64_t)&some_mask, 0, (uint64_t)&no_time, 8 },
	  RESULT_ANY },
	{ "fork", OF(fork), 57, { 0 }, RESULT_CHILD },
};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

/* ---- the target ---------------------------------------------------------- */

static const struct kind *now;
static struct registers in, out;
static volatile uint64_t handled[2], bad_pc, bad_register, bad_result;
static struct {
	uint64_t at, times;
} bad_places[16];
static uint64_t vdso;
static long parent;

static const int in_context[] = { REG_RDI, REG_RSI, REG_RDX, REG_R10,
	                          REG_R8,  REG_R9,  REG_RBX, REG_RBP,
	                          REG_R12, REG_R13, REG_R14, REG_R15 };

static void check_context(const greg_t *r)
{
	const uint64_t *wanted = (const uint64_t *)&in;
	uint64_t rip = (uint64_t)r[REG_RIP];

	if (!now || (rip != (uint64_t)now->at && rip != (uint64_t)now->behind))
		return;
	for (int i = 0; i < 12; i++)
		if ((uint64_t)r[in_context[i]] != wanted[i])
			bad_register |= 1u << i;
	if (rip == (uint64_t)now->at && (uint64_t)r[REG_RAX] != now->nr)
		bad_register |= 1u << 12;
	if (rip == (uint64_t)now->behind && now->result < RESULT_ANY &&
	    r[REG_RAX] != now->result && r[REG_RAX] != -EINTR)
		bad_register |= 1u << 13;
}

static void note_place(uint64_t rip)
{
	for (int i = 0; i < 16; i++)
		if (!bad_places[i].times || bad_places[i].at == rip) {
			bad_places[i].at = rip;
			bad_places[i].times++;
			return;
		}
}

static void handler(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;
	uint64_t rip = (uint64_t)u->uc_mcontext.gregs[REG_RIP];

	handled[sig == SIGUSR2]++;
	if (info->si_signo != sig)
		bad_result++;
	if ((rip < (uint64_t)__executable_start || rip >= (uint64_t)etext) &&
	    (rip < vdso || rip >= vdso + 0x4000)) {
		bad_pc++;
		note_place(rip);
	}
	check_context(u->uc_mcontext.gregs);
}

static void fill(const struct kind *kind)
{
	uint64_t *r = (uint64_t *)&in;

	for (int i = 0; i < 12; i++)
		r[i] = i < 6 ? kind->args[i]
		             : 0x1111111111111111u * (uint64_t)i;
	in.rax = kind->nr;
	for (int i = 0; i < 256; i++)
		((uint8_t *)in.xmm)[i] = (uint8_t)(i * 7 + 1);
}

static void check_after(const struct kind *kind)
{
	int64_t result = (int64_t)out.rax;

	for (int i = 0; i < 12; i++)
		if (((uint64_t *)&out)[i] != ((uint64_t *)&in)[i])
			bad_register |= 0x10000u << i;
	if (memcmp(out.xmm, in.xmm, sizeof(in.xmm)))
		bad_register |= 1u << 30;
	if (kind->result == RESULT_PPID)
		bad_result += result != parent;
	else if (kind->result == RESULT_CHILD)
		bad_result += result <= 0;
	else if (kind->result != RESULT_ANY)
		bad_result += result != kind->result && result != -EINTR;
}

static void one_call(const struct kind *kind)
{
	int status;

	now = kind;
	kind->call(&in, &out);
	now = NULL;
	if (kind->result == RESULT_CHILD && out.rax == 0)
		_exit(7);
	if (kind->result == RESULT_CHILD)
		while (waitpid((pid_t)out.rax, &status, 0) < 0 &&
		       errno == EINTR)
			;
	check_after(kind);
}

/* What the tracer wants: a kind, or none; in rax, so that it needs no memory */
static long ask(void)
{
	long answer = -1;

	__asm__ volatile("int3" : "+a"(answer) : : "memory");
	return answer;
}

static void set_handlers(int reset)
{
	struct sigaction action = { .sa_sigaction = handler,
		                    .sa_flags = SA_SIGINFO | SA_RESTART |
		                                SA_ONSTACK };

	sigaction(SIGUSR2, &action, NULL);
	action.sa_flags |= reset ? (int)SA_RESETHAND : 0;
	sigaction(SIGUSR1, &action, NULL);
}

static int told(void)
{
	printf("%llu and %llu signals, bad: addresses %llu, registers "
	       "0x%llx, results %llu\n",
	       (unsigned long long)handled[0], (unsigned long long)handled[1],
	       (unsigned long long)bad_pc,
	       (unsigned long long)bad_register,
	       (unsigned long long)bad_result);
	for (int i = 0; i < 16 && bad_places[i].times; i++)
		printf("  at 0x%llx: %llu times\n",
		       (unsigned long long)bad_places[i].at,
		       (unsigned long long)bad_places[i].times);
	return bad_pc || bad_register || bad_result;
}

static int target(void)
{
	static char alternate[1 << 16];
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
	long answer;

	parent = getppid();
	vdso = getauxval(AT_SYSINFO_EHDR);
	sigaltstack(&stack, NULL);
	while ((answer = ask()) >= 0) {
		set_handlers(answer & 0x100);
		fill(&kinds[answer & 0xff]);
		ask(); /* from here on it is stepped */
		one_call(&kinds[answer & 0xff]);
	}
	return told();
}

/* Without a tracer: every kind in turn under a storm of both signals. */
static int storm(long ms)
{
	struct itimerval timer = { { 0, 70 }, { 0, 70 } };
	struct sigaction action = { .sa_sigaction = handler,
		                    .sa_flags = SA_SIGINFO | SA_RESTART };
	struct timespec start, at;

	parent = getppid();
	vdso = getauxval(AT_SYSINFO_EHDR);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		for (size_t i = 0; i < KINDS - 1; i++) {
			fill(&kinds[i]);
			one_call(&kinds[i]);
		}
		clock_gettime(CLOCK_MONOTONIC, &at);
	} while ((at.tv_sec - start.tv_sec) * 1000 +
	                 (at.tv_nsec - start.tv_nsec) / 1000000 <
	         ms);
	handled[0] = handled[0] > 1000;
	return told();
}

/* ---- the tracer ---------------------------------------------------------- */

static pid_t child;
static uint64_t range[64][2];
static size_t ranges;

static void die(const char *why)
{
	printf("tracer: %s: %s\n", why, strerror(errno));
	kill(child, SIGKILL);
	exit(2);
}

/* Executable, private, without a file, not [vdso]: goload's. */
static void read_ranges(void)
{
	char path[64], line[512];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)child);
	maps = fopen(path, "r");
	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long start, end, inode;
		char rights[8], name[256] = "";

		if (sscanf(line, "%lx-%lx %7s %*x %*s %lu %255s", &start, &end,
		           rights, &inode, name) < 4)
			continue;
		if (rights[2] != 'x' || inode || !strcmp(name, "[vdso]") ||
		    !strcmp(name, "[vsyscall]") || ranges == 64)
			continue;
		range[ranges][0] = start;
		range[ranges++][1] = end;
	}
	if (maps)
		fclose(maps);
}

static int goloads(uint64_t rip)
{
	for (size_t i = 0; i < ranges; i++)
		if (rip >= range[i][0] && rip < range[i][1])
			return 1;
	return 0;
}

/* 0: ended, 1: int3, 2: a step, 3: another signal */
static int wait_stop(int *status)
{
	siginfo_t info;

	if (waitpid(child, status, 0) != child)
		die("waitpid");
	if (!WIFSTOPPED(*status))
		return 0;
	if (WSTOPSIG(*status) != SIGTRAP)
		return 3;
	if (*status >> 16)
		return 2;
	if (ptrace(PTRACE_GETSIGINFO, child, 0, &info))
		die("GETSIGINFO");
	return info.si_code == 0x80 ? 1 : 2;
}

static uint64_t rip_of_child(void)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, child, 0, &r))
		die("GETREGS");
	return r.rip;
}

static int is_blocked(int sig)
{
	uint64_t mask;

	if (ptrace(PTRACE_GETSIGMASK, child, (void *)8, &mask))
		die("GETSIGMASK");
	return mask >> (sig - 1) & 1;
}

static void answer(long value)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, child, 0, &r))
		die("GETREGS");
	r.rax = (unsigned long)value;
	if (ptrace(PTRACE_SETREGS, child, 0, &r))
		die("SETREGS");
}

/* A step of `rep movs` is one turn of it: the first two stand for all. */
static int is_one_more_turn(uint64_t rip)
{
	static uint64_t last;
	static int turns;

	turns = rip == last ? turns + 1 : 0;
	last = rip;
	return turns > 1;
}

/* Steps until the k-th instruction of goload's at which `sig` is not blocked,
 * and sends it there.  0: the next int3 came first; -1: the end. */
static int step_and_send(int sig, long k)
{
	int status, pass = 0;
	uint64_t rip;

	for (;;) {
		int what;

		if (ptrace(PTRACE_SINGLESTEP, child, 0, (long)pass))
			die("SINGLESTEP");
		pass = 0;
		what = wait_stop(&status);
		if (what == 0)
			return -1;
		if (what == 1)
			return 0;
		if (what == 3) {
			pass = WSTOPSIG(status);
			continue;
		}
		rip = rip_of_child();
		if (is_one_more_turn(rip) || !goloads(rip) || is_blocked(sig))
			continue;
		if (k-- > 0)
			continue;
		if (ptrace(PTRACE_SINGLESTEP, child, 0, (long)sig))
			die("SINGLESTEP");
		what = wait_stop(&status);
		return what == 0 ? -1 : what == 1 ? 0 : 1;
	}
}

/* To the next int3; 0: the end. */
static int go_on(void)
{
	int status, pass = 0;

	for (;;) {
		int what;

		if (ptrace(PTRACE_CONT, child, 0, (long)pass))
			die("CONT");
		what = wait_stop(&status);
		if (what < 2) {
			if (!what)
				printf("the target ended: %x\n", status);
			return what;
		}
		pass = what == 3 ? WSTOPSIG(status) : 0;
	}
}

static int trace_kind(long kind, int two, int reset)
{
	long places = 0, pairs = 0;

	for (long k = 0;; k++) {
		int sent = 0;

		for (long j = 0; j == 0 || two; j += k % 16 ? 37 : 1) {
			int second = 0;

			answer(kind | (reset ? 0x100 : 0));
			if (!go_on())
				return -1;
			sent = step_and_send(SIGUSR1, k);
			if (sent == 1 && two)
				second = step_and_send(SIGUSR2, j);
			if (sent < 0 || second < 0) {
				printf("the target ended at %ld, %ld\n", k, j);
				return -1;
			}
			if ((second == 1 || (sent == 1 && !two)) && !go_on())
				return -1;
			if (!sent || (two && !second))
				break;
			pairs++;
		}
		if (!sent)
			break;
		places++;
	}
	printf("%s: %ld places", kinds[kind].name, places);
	if (two)
		printf(", %ld pairs", pairs);
	printf("\n");
	return places > 1 ? 0 : 1; /* the call, and the jump back at least */
}

static long kind_of(const char *name)
{
	for (size_t i = 0; i < KINDS; i++)
		if (!strcmp(kinds[i].name, name))
			return (long)i;
	return -1;
}

static int trace(char **argv)
{
	int status, two = strcmp(argv[1], "one") != 0;
	int reset = !strcmp(argv[1], "reset"), bad = 0;
	cpu_set_t one = { 0 };

	CPU_SET(0, &one); /* steps are three times faster on one CPU */
	sched_setaffinity(0, sizeof(one), &one);
	child = fork();
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execv(argv[2], argv + 2);
		_exit(127);
	}
	if (wait_stop(&status) != 2 || !go_on())
		die("the target did not come");
	read_ranges();
	if (!strcmp(argv[0], "all")) {
		for (size_t i = 0; i < KINDS && !bad; i++)
			bad = trace_kind((long)i, two, reset);
	} else {
		bad = trace_kind(kind_of(argv[0]), two, reset);
	}
	fflush(stdout);
	if (bad >= 0) {
		answer(-1);
		ptrace(PTRACE_DETACH, child, 0, 0);
		waitpid(child, &status, 0);
	}
	kill(child, SIGKILL);
	if (bad || !WIFEXITED(status) || WEXITSTATUS(status)) {
		printf("bad %d, status %x\n", bad, status);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 4 && !strcmp(argv[1], "trace"))
		return trace(argv + 2);
	if (argc > 1 && !strcmp(argv[1], "target"))
		return target();
	if (argc > 2 && !strcmp(argv[1], "storm"))
		return storm(atol(argv[2]));
	return 2;
}
