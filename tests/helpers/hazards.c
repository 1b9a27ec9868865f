/*
 * One program for each hazard of patching syscall instructions:
 *
 *	hazards NAME
 *
 * says nothing and ends with 0 when it found what it must; what it makes for
 * the ledger to see is in tests/hazards.sh.  "Late" calls come from a page that
 * the program wrote itself: no site of it is patched, the net carries them.
 */
#include "tests/helpers/hazards_sites.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096ul
#define MINE (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)

extern char __executable_start[], etext[];

static int wrong;

static void must(int good, const char *what)
{
	if (good)
		return;
	printf("wrong: %s\n", what);
	fflush(stdout);
	wrong = 1;
}

static char *pages(size_t count, int prot)
{
	char *mem = mmap(NULL, count * PAGE, prot, MINE, -1, 0);

	if (mem == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return mem;
}

/* long late(number, a, b, c, d, e, f) */
static long (*late)(long, ...);

static void write_late(void)
{
	static const uint8_t code[] = {
		0x48, 0x89, 0xf8,             /* mov %rdi,%rax */
		0x48, 0x89, 0xf7,             /* mov %rsi,%rdi */
		0x48, 0x89, 0xd6,             /* mov %rdx,%rsi */
		0x48, 0x89, 0xca,             /* mov %rcx,%rdx */
		0x4d, 0x89, 0xc2,             /* mov %r8,%r10 */
		0x4d, 0x89, 0xc8,             /* mov %r9,%r8 */
		0x4c, 0x8b, 0x4c, 0x24, 0x08, /* mov 8(%rsp),%r9 */
		0x0f, 0x05,                   /* syscall */
		0xc3,                         /* ret */
	};
	char *mem = pages(1, RW);

	memcpy(mem, code, sizeof(code));
	if (mprotect(mem, PAGE, PROT_READ | PROT_EXEC))
		exit(2);
	late = (long (*)(long, ...))(uintptr_t)mem;
}

static int late_map(void)
{
	long at = late(SYS_mmap, 0l, 16 * PAGE, (long)RW, (long)MINE, -1l, 0l);

	return at > 0;
}

/* ---- 1: bytes that look like a syscall -------------------------------------
 */

__asm__(".text\n"
        ".type h1_store,@function\nh1_store:\n"
        "	movl $0x50f00,(%rdi)\n"
        "	movl $0x50f,4(%rdi)\n"
        "	ret\n"
        ".type h1_wide,@function\nh1_wide:\n"
        "	movabs $0x050f0000000bb805,%rax\n"
        "	ret\n"
        ".type h1_distance,@function\nh1_distance:\n"
        "	lea 0x50f(%rdi),%rax\n"
        "	ret\n"
        ".type h1_tail,@function\nh1_tail:\n" /* b8 10 00 00 00 0f 05 */
        "	mov $110,%eax\n"
        "	mov $16,%r8d\n"
        "	syscall\n"
        "	cmp $16,%r8\n"
        "	je 1f\n"
        "	xor %eax,%eax\n"
        "1:	ret\n"
        ".type h1_data,@function\nh1_data:\n" /* data between code */
        "	lea 1f(%rip),%rax\n"
        "	jmp 2f\n"
        "1:	.byte 0x41,0x0f,0x05,0xb8,0x0f,0x05,0x90,0x0f\n"
        "2:	mov (%rax),%rax\n"
        "	ret\n"
        "	.size h1_data,.-h1_data\n");

void h1_store(uint32_t *to);
uint64_t h1_wide(void);
uint64_t h1_distance(uint64_t from);
long h1_tail(void);
uint64_t h1_data(void);

static void bytes(void)
{
	uint32_t stored[2];

	must(h1_tail() == getppid(), "a call behind `mov $16,%r8d'");
	must(h1_distance(1) == 0x510, "a distance of 0x50f");
	must(h1_data() == 0x0f90050fb8050f41, "data between code");
	must(h1_wide() == 0x050f0000000bb805, "a constant of eight bytes");
	h1_store(stored);
	must(stored[0] == 0x50f00 && stored[1] == 0x50f,
	     "the constants 0x50f00, 0x50f");
}

/* ---- 2: page 0 --------------------------------------------------------------
 */

static sigjmp_buf back;
static void *volatile fault_at;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	fault_at = info->si_addr;
	siglongjmp(back, 1);
}

static void null(void)
{
	struct sigaction action = { .sa_sigaction = on_fault,
		                    .sa_flags = SA_SIGINFO };
	void (*volatile nowhere)(void) = NULL;
	volatile char *volatile nothing = NULL;

	sigaction(SIGSEGV, &action, NULL);
	fault_at = &action;
	if (!sigsetjmp(back, 1))
		must(nothing[8] == 1 && 0, "a read of NULL goes well");
	must(fault_at == (void *)8, "the fault is where NULL was read");
	fault_at = &action;
	if (!sigsetjmp(back, 1)) {
		nowhere();
		must(0, "a call of NULL goes well");
	}
	must(fault_at == NULL, "the fault is where NULL was called");
}

/* ---- calls with every register set, the stack pointer too -------------------
 */

struct registers {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint8_t xmm[16][16];
};
struct registers in, out;
uint64_t own_sp, flags;

/*
 * The number is loaded before the syscall, so that its window is known, or is
 * that of `in`; something that can be moved stands around it.  Two read the
 * flags behind it.  Addresses are absolute: late_code is run elsewhere.
 */
__asm__(".text\n"
        ".macro with_registers name, number=-1, before, behind\n"
        "	.type \\name,@function\n"
        "\\name:\n"
        "	push %rbx\n	push %rbp\n	push %r12\n"
        "	push %r13\n	push %r14\n	push %r15\n"
        "	mov %rsp,own_sp\n"
        "	.irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "	movups in+128+16*\\i,%xmm\\i\n"
        "	.endr\n"
        "	.irp i,8,9,10,11,12,13,14,15\n"
        "	mov in+8*\\i,%r\\i\n"
        "	.endr\n"
        "	mov in,%rax\n	mov in+8,%rbx\n	mov in+24,%rdx\n"
        "	mov in+32,%rsi\n	mov in+40,%rdi\n"
        "	mov in+48,%rbp\n	mov in+56,%rsp\n"
        "	.if \\number >= 0\n"
        "	mov $\\number,%eax\n"
        "	.else\n"
        "	mov %rax,%rax\n"
        "	.endif\n"
        "	\\before\n"
        "	syscall\n"
        "	\\behind\n"
        "	mov %rax,out\n	mov %rbx,out+8\n	mov %rdx,out+24\n"
        "	mov %rsi,out+32\n	mov %rdi,out+40\n"
        "	mov %rbp,out+48\n	mov %rsp,out+56\n"
        "	.irp i,8,9,10,11,12,13,14,15\n"
        "	mov %r\\i,out+8*\\i\n"
        "	.endr\n"
        "	.irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "	movups %xmm\\i,out+128+16*\\i\n"
        "	.endr\n"
        "	mov own_sp,%rsp\n"
        "	pop %r15\n	pop %r14\n	pop %r13\n"
        "	pop %r12\n	pop %rbp\n	pop %rbx\n"
        "	ret\n"
        "	.size \\name,.-\\name\n"
        ".endm\n"
        "with_registers call_mmap, 9\n"
        "with_registers call_mprotect, 10\n"
        "with_registers call_rt_sigprocmask, 14\n"
        "with_registers call_madvise, 28\n"
        "with_registers call_getppid, 110\n"
        "with_registers call_prctl, 157\n"
        "with_registers call_ppoll, 271\n"
        "with_registers call_any\n"
        "with_registers call_carry, 110, stc, \"setc flags\"\n"
        "with_registers call_no_carry, 110, clc, \"setc flags\"\n"
        "	.section .rodata\n"
        "with_registers late_code\n"
        "late_code_end:\n"
        "	.text\n");

void call_mmap(void);
void call_mprotect(void);
void call_rt_sigprocmask(void);
void call_madvise(void);
void call_getppid(void);
void call_prctl(void);
void call_ppoll(void);
void call_any(void);
void call_carry(void);
void call_no_carry(void);
extern const char late_code[], late_code_end[];

static void (*call_late)(void);

static void write_call_late(void)
{
	char *mem = pages(1, RW);

	memcpy(mem, late_code, (size_t)(late_code_end - late_code));
	if (mprotect(mem, PAGE, PROT_READ | PROT_EXEC))
		exit(2);
	call_late = (void (*)(void))(uintptr_t)mem;
}

static void fill(uint64_t sp)
{
	uint64_t *r = (uint64_t *)&in;

	for (uint64_t i = 0; i < 16; i++)
		r[i] = 0x1111111111111111u * i;
	for (int i = 0; i < 256; i++)
		((uint8_t *)in.xmm)[i] = (uint8_t)(i * 7 + 1);
	in.rsp = sp;
}

static int every_register;

/* One call from `code`, with the arguments of it. */
static int64_t call(void (*code)(void), const char *name, uint64_t sp,
                    uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	char what[80];

	fill(sp);
	in.rax = nr;
	in.rdi = a;
	in.rsi = b;
	in.rdx = c;
	in.r10 = d;
	in.r8 = nr == SYS_mmap ? -1ul : 8;
	in.r9 = 16 * PAGE;
	code();
	out.rcx = in.rcx; /* the kernel's */
	out.r11 = in.r11;
	in.rax = out.rax;
	for (int i = 0; i < 16 && every_register; i++)
		if (((uint64_t *)&in)[i] != ((uint64_t *)&out)[i]) {
			snprintf(what, sizeof(what), "%s: register %d is %llx",
			         name, i,
			         (unsigned long long)((uint64_t *)&out)[i]);
			must(0, what);
		}
	must(!every_register || !memcmp(in.xmm, out.xmm, sizeof(in.xmm)), name);
	return (int64_t)out.rax;
}

/* Every way that a stub can go, from patched sites or late ones. */
static void calls_of_each_kind(uint64_t sp, int is_late)
{
	static uint64_t mask, empty[2];
	char *mem = pages(2, RW);
	int64_t r;

	if (is_late)
		write_call_late();
#define WITH(name) (is_late ? call_late : call_##name), #name, sp, SYS_##name
	must(call(WITH(getppid), 0, 0, 0, 0) == getppid(), "getppid");
	must(call(WITH(madvise), (uint64_t)mem, PAGE, MADV_NORMAL, 0) == 0,
	     "madvise");
	must(call(WITH(madvise), 1, PAGE, MADV_NORMAL, 0) == -EINVAL,
	     "madvise of nothing");
	must(call(WITH(rt_sigprocmask), 99, (uint64_t)&mask, 0, 8) == -EINVAL,
	     "sigprocmask of nothing");
	must(call(WITH(rt_sigprocmask), SIG_BLOCK, 0, (uint64_t)&mask, 8) == 0,
	     "sigprocmask");
	must(call(WITH(prctl), PR_GET_DUMPABLE, 0, 0, 0) >= 0, "prctl");
	must(call(WITH(ppoll), 0, 0, (uint64_t)empty, (uint64_t)&mask) == 0,
	     "ppoll");
	r = call(WITH(mmap), 0, PAGE, RW, MINE);
	must(r > 0 && (*(char *)r = 1), "mmap");
	must(call(WITH(mprotect), (uint64_t)r, PAGE, PROT_READ | PROT_EXEC,
	          0) == 0,
	     "mprotect");
	must(call(call_any, "any", sp, SYS_munmap, (uint64_t)r, PAGE, 0, 0) ==
	             0,
	     "munmap");
	must(call(call_any, "any", sp, SYS_getppid, 0, 0, 0, 0) == getppid(),
	     "getppid, the number unknown");
	munmap(mem, 2 * PAGE);
}

/* ---- 3: no usable stack
 * ------------------------------------------------------ */

/* RSP is the lowest byte of a stack, or a red zone lies below it. */
static void stack(void)
{
	char *low = pages(3, PROT_NONE) + PAGE;
	char *top = low + PAGE;

	if (mprotect(low, PAGE, RW))
		exit(2);
	calls_of_each_kind((uint64_t)low, 0);
	for (char *at = low; at < top; at++)
		*at = (char)(uintptr_t)at;
	calls_of_each_kind((uint64_t)top, 0);
	for (char *at = low; at < top; at++)
		must(*at == (char)(uintptr_t)at, "the red zone is as it was");
}

/* ---- 4: children
 * ------------------------------------------------------------- */

/* clone(CLONE_VM | CLONE_VFORK | SIGCHLD, no stack): both run on this one; the
 * child finds the same RSP and RBX and ends with 7. */
__asm__(".text\n"
        ".type h4_vfork,@function\nh4_vfork:\n"
        "	push %rbx\n"
        "	mov %rsp,%rbx\n"
        "	mov $0x4111,%edi\n"
        "	xor %esi,%esi\n"
        "	xor %edx,%edx\n"
        "	xor %r10d,%r10d\n"
        "	xor %r8d,%r8d\n"
        "	mov $56,%eax\n"
        "	syscall\n"
        "	cmp %rsp,%rbx\n"
        "	je 1f\n"
        "	ud2\n"
        "1:	test %rax,%rax\n"
        "	jnz 2f\n"
        "	mov $7,%edi\n"
        "	mov $231,%eax\n"
        "	syscall\n"
        "2:	pop %rbx\n"
        "	ret\n"
        ".size h4_vfork,.-h4_vfork\n"
        /* the child begins with all of its stack in use, and ends at once */
        ".type h4_thread,@function\nh4_thread:\n" /* flags, stack, word */
        "	xor %r10d,%r10d\n"
        "	xor %r8d,%r8d\n"
        "	mov $56,%eax\n"
        "	syscall\n"
        "	test %rax,%rax\n"
        "	jnz 1f\n"
        "	mov %rsp,(%rdx)\n"
        "	xor %edi,%edi\n"
        "	mov $60,%eax\n"
        "	syscall\n"
        "1:	ret\n"
        ".size h4_thread,.-h4_thread\n");

long h4_vfork(void);
long h4_thread(uint64_t flags, void *stack, uint64_t *word);

static void clones(void)
{
	char *low = pages(3, PROT_NONE) + PAGE;
	uint64_t word = 0;
	pid_t pid;
	int status;

	for (int i = 0; i < 10; i++) {
		pid = (pid_t)h4_vfork();
		must(pid > 0 && waitpid(pid, &status, 0) == pid &&
		             WIFEXITED(status) && WEXITSTATUS(status) == 7,
		     "the child of a clone without a stack ends with 7");
	}
	if (mprotect(low, PAGE, RW))
		exit(2);
	/* CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM */
	must(h4_thread(0x50f00, low, &word) > 0, "a thread without room");
	while (!__atomic_load_n(&word, __ATOMIC_ACQUIRE))
		;
	must(word == (uint64_t)low, "it begins on its stack");
}

static void *thread_calls_late(void *unused)
{
	(void)unused;
	must(late_map(), "a late mmap of a thread");
	return NULL;
}

static void threads(void)
{
	pthread_t thread;

	write_late();
	must(late_map(), "a late mmap");
	must(!pthread_create(&thread, NULL, thread_calls_late, NULL) &&
	             !pthread_join(thread, NULL),
	     "a thread");
}

/* ---- 5: SIGSYS
 * ---------------------------------------------------------------- */

static volatile int handled;

static void calls_late(int sig)
{
	(void)sig;
	handled++;
	must(late_map(), "a late mmap in a handler");
}

static void blocks(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)sig;
	(void)info;
	memset(&u->uc_sigmask, 0xff, 8);
}

static void counts(int sig)
{
	(void)sig;
	handled++;
}

/* Blocked by a mask; by a handler's; by what a handler leaves behind. */
static void masked(void)
{
	uint64_t all = ~0ull, none = 0;

	write_late();
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
	must(late_map(), "a late mmap with all signals blocked");
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8);
}

static void masked_handler(void)
{
	struct sigaction action = { .sa_handler = calls_late };

	write_late();
	memset(&action.sa_mask, 0xff, sizeof(action.sa_mask));
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	must(handled == 1, "the handler was called");
}

static void masked_return(void)
{
	struct sigaction action = { .sa_sigaction = blocks,
		                    .sa_flags = SA_SIGINFO };

	write_late();
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	must(late_map(), "a late mmap behind a handler that blocks all");
}

static void owned(void)
{
	struct sigaction action = { .sa_handler = SIG_IGN };

	write_late();
	sigaction(SIGSYS, &action, NULL);
	must(late_map(), "a late mmap with SIGSYS ignored");
	action.sa_handler = counts;
	sigaction(SIGSYS, &action, NULL);
	must(late_map(), "a late mmap with a handler of SIGSYS");
	must(handled == 0, "it is not the program's");
	kill(getpid(), SIGSYS);
	must(handled == 1, "another SIGSYS is");
}

/* A call from a stack without room, with a signal stack. */
static void on_stack(void)
{
	char *low = pages(3, PROT_NONE) + PAGE;
	stack_t alternate = { .ss_sp = pages(8, RW), .ss_size = 8 * PAGE };

	if (mprotect(low, PAGE, RW) || sigaltstack(&alternate, NULL))
		exit(2);
	calls_of_each_kind((uint64_t)low, 1);
}

/* ---- 6: signals
 * --------------------------------------------------------------- */

static __thread int mine;
static int *volatile tls;
static char *volatile stack_now;
static volatile long seen, bad_pc, bad_sp, bad_fs;

static void on_alarm(int sig, siginfo_t *info, void *context)
{
	const greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	uint64_t rip = (uint64_t)r[REG_RIP];

	(void)sig;
	(void)info;
	seen++;
	bad_fs += &mine != tls;
	bad_pc += rip < (uint64_t)__executable_start || rip >= (uint64_t)etext;
	bad_sp += (uint64_t)r[REG_RSP] - ((uint64_t)stack_now - 65536) > 65536;
}

#define STORM 3000
static void storm(void)
{
	struct itimerval timer = { { 0, 50 }, { 0, 50 } };
	struct sigaction action = { .sa_sigaction = on_alarm,
		                    .sa_flags = SA_SIGINFO | SA_RESTART };
	char here, *mem;
	long made = 0;

	stack_now = &here + 4096;
	tls = &mine;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (; seen < STORM; made++) {
		mem = mmap(NULL, PAGE, RW, MINE, -1, 0);
		if (syscall(SYS_getppid) < 0 || munmap(mem, PAGE))
			break;
	}
	timer = (struct itimerval){ 0 };
	setitimer(ITIMER_REAL, &timer, NULL);
	must(seen >= STORM, "every call went well");
	must(!bad_pc, "a handler sees the program's code");
	must(!bad_sp, "a handler sees the program's stack");
	must(!bad_fs, "a handler has the program's thread");
	printf("made %ld\n", made);
}

/* ---- 7: the ledger's order
 * ------------------------------------------------------ */

static void *maps_and_unmaps(void *unused)
{
	(void)unused;
	for (int i = 0; i < 20000; i++) {
		char *mem = mmap(NULL, 4 * PAGE, i & 1 ? RW : PROT_READ, MINE,
		                 -1, 0);

		if (mem == MAP_FAILED || munmap(mem, 4 * PAGE))
			exit(2);
	}
	/* what stays must be told from what went */
	return pages(4, RW);
}

static void reuse(void)
{
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, maps_and_unmaps, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

static void changes(void)
{
	char *a = pages(64, RW), *b = pages(64, RW), *end = sbrk(0);

	munmap(a + 8 * PAGE, 8 * PAGE);
	must(mmap(a + 4 * PAGE, 2 * PAGE, PROT_READ, MINE | MAP_FIXED, -1, 0) !=
	             MAP_FAILED,
	     "MAP_FIXED over a mapping");
	must(mremap(a + 32 * PAGE, 8 * PAGE, 16 * PAGE,
	            MREMAP_MAYMOVE | MREMAP_FIXED, b) == b,
	     "mremap over a mapping");
	must(mremap(b + 32 * PAGE, 8 * PAGE, 4 * PAGE, 0) == b + 32 * PAGE,
	     "mremap that shrinks");
	must(!brk(end + 64 * PAGE) && !brk(end + 8 * PAGE), "brk");
	must(munmap(a + 1, PAGE) < 0, "munmap of an odd address");
	must(mprotect(a, PAGE, PROT_GROWSDOWN | PROT_GROWSUP) < 0,
	     "mprotect in both directions");
	must(mmap(a, 1ul << 62, RW, MINE | MAP_FIXED, -1, 0) == MAP_FAILED,
	     "mmap of too much");
}

/* ---- 8: fork and execve
 * ----------------------------------------------------------- */

static void children(char **argv)
{
	static char *child[] = { NULL, (char *)"masked", NULL };
	char *mem = pages(4, RW);
	int status;

	child[0] = argv[0];
	for (int way = 0; way < 3; way++) {
		pid_t pid = way == 2 ? vfork() : fork();

		if (pid == 0 && way) {
			execv(child[0], child);
			_exit(9);
		}
		if (pid == 0) { /* mremap: nothing of the program's */
			for (int i = 0; i < 100; i++)
				mem = mremap(mem, (4ul + i) * PAGE,
				             (5ul + i) * PAGE, MREMAP_MAYMOVE);
			_exit(mem == MAP_FAILED);
		}
		must(waitpid(pid, &status, 0) == pid && status == 0,
		     "a child ends well");
	}
}

/* ---- 9: sites without room
 * --------------------------------------------------------- */

static void room(void)
{
	char *mem = pages(1, RW);

	for (int i = 0; i < 10; i++) {
		must(site_target(0) == getppid() && site_target(1) == getppid(),
		     "a branch into the window");
		must(site_twice(mem) == -ENOSYS, "calls back to back");
		must(site_itself(mem) == 0, "a branch to the call");
		must(site_across(mem) == 0, "a call across two pages");
		must(site_between(mem) == 0, "a jump across two pages");
	}
}

/* ---- 10: registers
 * ------------------------------------------------------------------ */

static void registers(void)
{
	every_register = 1;
	calls_of_each_kind((uint64_t)(pages(16, RW) + 8 * PAGE), 0);
	calls_of_each_kind((uint64_t)(pages(16, RW) + 8 * PAGE), 1);
}

static void read_flags(void)
{
	uint64_t sp = (uint64_t)(pages(16, RW) + 8 * PAGE);
	long parent = getppid();

	must(call(call_carry, "carry", sp, SYS_getppid, 0, 0, 0, 0) == parent &&
	             (uint8_t)flags == 1,
	     "a carry is still there behind a call");
	must(call(call_no_carry, "no carry", sp, SYS_getppid, 0, 0, 0, 0) ==
	                     parent &&
	             (uint8_t)flags == 0,
	     "there is no carry behind a call that had none");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} all[] = {
		{ "bytes", bytes },
		{ "null", null },
		{ "stack", stack },
		{ "clones", clones },
		{ "threads", threads },
		{ "masked", masked },
		{ "masked-handler", masked_handler },
		{ "masked-return", masked_return },
		{ "owned", owned },
		{ "on-stack", on_stack },
		{ "storm", storm },
		{ "reuse", reuse },
		{ "changes", changes },
		{ "room", room },
		{ "registers", registers },
		{ "flags", read_flags },
	};
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "children")) {
		children(argv);
		return wrong;
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (!strcmp(name, all[i].name)) {
			all[i].run();
			return wrong;
		}
	return 2;
}
