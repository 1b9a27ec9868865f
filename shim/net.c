/*
 * net - Syscall User Dispatch: what carries the sites that are not patched.
 *
 * Armed on every thread with no selector and one allowed range, so it needs no
 * memory of the thread.  A syscall instruction outside the range raises SIGSYS
 * (kernel/entry/syscall_user_dispatch.c); the handler never makes the call
 * itself (clone, vfork and rt_sigreturn cannot run inside a handler): it points
 * the context at a stub for that site and returns.
 *
 * Not inherited by any child, gone after execve.
 */
#include "shim/shim.h"

#include <asm/unistd_64.h>
#include <linux/ptrace.h>

#define SET_SYSCALL_DISPATCH 59 /* PR_SET_SYSCALL_USER_DISPATCH */
#define DISPATCH_ON          1  /* PR_SYS_DISPATCH_ON */
#define SI_CODE              8  /* offset in siginfo */
#define SYS_USER_DISPATCH    2  /* si_code of such a SIGSYS */
#define SI_ARCH              28 /* offset in siginfo: AUDIT_ARCH_* */
#define ARCH_X86_64          0xc000003eu

/* 1 when this thread is under the net. */
int shim_net_arm(void)
{
	uint64_t start = (uint64_t)__executable_start;

	return !sys_failed(sys_call5(
		__NR_prctl, SET_SYSCALL_DISPATCH, DISPATCH_ON, (long)start,
		(long)((uint64_t)shim_stubs_end - start), 0));
}

static void disarm(void)
{
	sys_call5(__NR_prctl, SET_SYSCALL_DISPATCH, 0, 0, 0, 0);
}

/*
 * ptrace(PTRACE_TRACEME) of a child that is not observed, gdb's before its
 * execve: each SIGSYS would stop it from now on, for a tracer that waits for
 * the execve.  Nothing of it is recorded, so it can do without.
 */
void shim_net_traced(const struct shim_frame *frame)
{
	if (frame->arg[0] == PTRACE_TRACEME &&
	    (shim.gate == SHIM_OFF || shim_foreign()))
		disarm();
}

static struct stub_site *stub_for(uint64_t site, uint32_t arch)
{
	const struct trace_patch patch = { .site = site, .nr = PATCH_ANY };
	struct stub_site *stub = shim_stub_of_site(site);
	uint32_t flags = STUB_FLAG_NET;

	if (stub)
		return stub;
	if (arch != ARCH_X86_64) /* int $0x80: other numbers, let through */
		flags |= STUB_FLAG_INT80;
	if (site - shim.go.text < shim.go.text_size)
		flags |= STUB_FLAG_GO;
	return shim_stub_new(site, &patch, flags);
}

/*
 * Where the stub goes on.  Nobody has proven that the flags behind a site of
 * the net are not read, and a call of no interest can leave them as they are.
 */
static uint64_t start_of(const struct stub_site *stub, uint64_t nr)
{
	int interest = nr < INTEREST_CALLS ? shim_interest[nr] : SHIM_NONE;

	return interest == SHIM_NONE && shim.gate != SHIM_CLOSING
	               ? stub->plain
	               : stub->resume;
}

/*
 * The kernel has undone the call: rax is the number again, RIP is behind the
 * instruction.  Returns 0, or the program's handler to go to.
 */
uint64_t shim_net_signal(int sig, uint8_t *info, uint8_t *ucontext)
{
	uint64_t *rip = (uint64_t *)(ucontext + UC_RIP);
	struct stub_site *stub;

	(void)sig;
	if (*(int32_t *)(info + SI_CODE) != SYS_USER_DISPATCH)
		return shim_sigsys_handler(info, ucontext);
	__atomic_fetch_add(&shim_session.net_hits, 1, __ATOMIC_RELAXED);
	stub = stub_for(*rip - 2, *(uint32_t *)(info + SI_ARCH));
	if (stub) {
		*rip = start_of(stub, *(uint32_t *)(ucontext + UC_RAX));
		return 0;
	}
	/* no room for another stub: this thread goes on without the net */
	*rip -= 2;
	disarm();
	return 0;
}
