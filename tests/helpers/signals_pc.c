/*
 * A storm of timer signals on a program that makes calls of every kind that a
 * stub treats differently.  Each handler finds the interrupted program in the
 * text of the program, of a library or of the vDSO, and the calls give what
 * they must.
 *
 *	signals_pc FLAGS SIGNALS [jump]
 *
 * FLAGS: letters o SA_ONSTACK, r SA_RESTART, h SA_RESETHAND (the handler sets
 * itself again), n SA_NODEFER, f a full sa_mask.  With `jump` every handler
 * leaves by siglongjmp.
 */
#include <errno.h>
#include <link.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096u

static volatile sig_atomic_t count, violations, wrong;
static volatile uint64_t first_violation;
static uint64_t vdso, vdso_end;
static struct sigaction action;
static int jumps;
static sigjmp_buf again;
static char alternate[1 << 16];
static long me;

static struct {
	uint64_t start, end;
} texts[16]; /* of the program and its libraries */
static unsigned text_count;

static int note_text(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) ||
		    text_count == sizeof(texts) / sizeof(*texts))
			continue;
		texts[text_count].start = info->dlpi_addr + p->p_vaddr;
		texts[text_count].end = texts[text_count].start + p->p_memsz;
		text_count++;
	}
	return 0;
}

static void check_pc(const ucontext_t *context)
{
	uint64_t rip = (uint64_t)context->uc_mcontext.gregs[REG_RIP];

	for (unsigned i = 0; i < text_count; i++)
		if (rip >= texts[i].start && rip < texts[i].end)
			return;
	if (rip >= vdso && rip < vdso_end)
		return;
	if (!violations++)
		first_violation = rip;
}

static void handler(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)sig;
	if (info->si_signo != sig)
		wrong = 1;
	check_pc(context);
	count++;
	if (action.sa_flags & SA_RESETHAND)
		sigaction(SIGALRM, &action, NULL);
	errno = saved;
	if (jumps)
		siglongjmp(again, 1);
}

static void set_action(const char *letters)
{
	action.sa_sigaction = handler;
	action.sa_flags = SA_SIGINFO;
	for (; *letters; letters++)
		switch (*letters) {
		case 'o':
			action.sa_flags |= SA_ONSTACK;
			break;
		case 'r':
			action.sa_flags |= SA_RESTART;
			break;
		case 'h':
			action.sa_flags |= SA_RESETHAND;
			break;
		case 'n':
			action.sa_flags |= SA_NODEFER;
			break;
		case 'f':
			sigfillset(&action.sa_mask);
			break;
		}
}

static void expect(int good, int which)
{
	if (!good)
		wrong = which;
}

static int interrupted(long result)
{
	return result < 0 && errno == EINTR;
}

/* One of the calls, in turn.  A jump may leave `mem` behind the truth. */
static void call(unsigned turn)
{
	static char *mem = MAP_FAILED; /* survives a jump */
	struct timespec soon = { 0, 20000 };
	struct timeval soon_us = { 0, 20 };
	sigset_t mask, old;
	struct pollfd none;
	int r;

	switch (turn % 12) {
	case 0:
		if (mem != MAP_FAILED) /* jumped over the munmap */
			munmap(mem, 4 * PAGE);
		mem = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
		           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		expect(mem != MAP_FAILED, 10);
		mem[PAGE] = 1;
		break;
	case 1:
		if (mem == MAP_FAILED)
			break;
		expect(!mprotect(mem, PAGE, PROT_READ) || jumps, 11);
		break;
	case 2:
		if (mem == MAP_FAILED)
			break;
		expect(!madvise(mem, 4 * PAGE, MADV_DONTNEED) || jumps, 12);
		break;
	case 3:
		if (mem == MAP_FAILED)
			break;
		expect(!munmap(mem, 4 * PAGE), 13);
		mem = MAP_FAILED;
		break;
	case 4:
		expect(syscall(SYS_getppid) == me, 14);
		break;
	case 5:
		sigemptyset(&mask);
		sigaddset(&mask, SIGUSR1);
		expect(!sigprocmask(SIG_BLOCK, &mask, &old), 15);
		expect(!sigprocmask(SIG_SETMASK, &old, &mask), 16);
		expect(sigismember(&mask, SIGUSR1) == 1, 17);
		expect(!sigismember(&mask, SIGALRM), 18);
		break;
	case 6:
		sigemptyset(&mask);
		r = ppoll(&none, 0, &soon, &mask);
		expect(r == 0 || interrupted(r), 19);
		break;
	case 7:
		r = nanosleep(&soon, NULL);
		expect(r == 0 || interrupted(r), 20);
		break;
	case 8:
		sigemptyset(&mask);
		r = pselect(0, NULL, NULL, NULL, &soon, &mask);
		expect(r == 0 || interrupted(r), 21);
		break;
	case 9:
		r = select(0, NULL, NULL, NULL, &soon_us);
		expect(r == 0 || interrupted(r), 22);
		break;
	case 10:
		sigemptyset(&mask);
		sigaddset(&mask, SIGUSR2);
		r = sigtimedwait(&mask, NULL, &soon);
		expect(r < 0 && (errno == EAGAIN || errno == EINTR), 23);
		break;
	default:
		r = (int)syscall(SYS_brk, 0) == 0;
		expect(!r, 24);
		break;
	}
}

static int single; /* one signal at a time */

static void start_storm(long us)
{
	struct itimerval timer = { { 0, single ? 0 : us }, { 0, us } };

	setitimer(ITIMER_REAL, &timer, NULL);
}

int main(int argc, char **argv)
{
	long wanted = argc > 2 ? atol(argv[2]) : 20000;
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
	volatile unsigned turn = 0;

	vdso = getauxval(AT_SYSINFO_EHDR);
	vdso_end = vdso + 4 * PAGE;
	dl_iterate_phdr(note_text, NULL);
	me = getppid();
	jumps = argc > 3;
	set_action(argc > 1 ? argv[1] : "");
	single = jumps || (action.sa_flags & SA_RESETHAND);
	sigaltstack(&stack, NULL);
	sigaction(SIGALRM, &action, NULL);
	if (jumps)
		sigsetjmp(again, 1);
	if (!single)
		start_storm(100);
	while (count < wanted && !wrong) {
		if (single)
			start_storm(30 + turn % 29);
		for (int i = 0; i < 40; i++)
			call(turn++);
	}
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	/* everything still works */
	call(0);
	jumps = 0;
	for (unsigned i = 0; i < 1200; i++)
		call(i);
	printf("%s, wrong %d, violations %d (first at 0x%llx)\n",
	       count >= wanted ? "all signals" : "too few", (int)wrong,
	       (int)violations, (unsigned long long)first_violation);
	if (first_violation && getenv("SHOW_MAPS")) {
		char line[256];
		FILE *maps = fopen("/proc/self/maps", "r");

		while (maps && fgets(line, sizeof(line), maps))
			fputs(line, stderr);
	}
	return wrong || violations || count < wanted;
}
