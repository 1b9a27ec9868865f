/*
 * sigaction - signal dispositions and masks as the program sees them.
 *
 * Three things differ from what the kernel holds:
 *
 *   - every handler of the program is entered through shim_handler, which shows
 *     it the site and never goload's code;
 *   - SIGSYS is goload's: the program's disposition of it is only remembered,
 *     and no mask ever blocks it (a blocked SIGSYS of the net would kill);
 *   - a signal that would kill by default has shim_fatal as its handler, which
 *     takes the last look and then lets it kill.
 *
 * Dispositions are given back unchanged when the program asks; a mask never
 * shows SIGSYS.  A child that shares
 * memory but not handlers (vfork, posix_spawn) changes its own kernel state
 * only, never this table.
 */
#include "shim/shim.h"

#include <asm/signal.h>
#include <asm/unistd_64.h>
#include <linux/errno.h>

#define SIGNALS  64
#define RESTORER 0x04000000ul /* SA_RESTORER */
/* offsets in siginfo, and who sent a SIGSYS (asm-generic/siginfo.h) */
#define SI_CODE      8
#define SI_CALL_ADDR 16
#define SYS_SECCOMP  1
/* the flags that the kernel keeps (UAPI_SA_FLAGS, and SA_RESTORER) */
#define KNOWN_FLAGS 0xdc000807ul

/* struct sigaction as the kernel reads it (include/linux/signal_types.h) */
struct action {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

/* What the program believes; shim_handlers[] has the handlers, for assembly. */
static struct action believed[SIGNALS + 1];
uint64_t shim_handlers[SIGNALS + 1];
static uint32_t lock;

static void acquire(void)
{
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
}

static void release(void)
{
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

/* In a fork child: whoever held the lock does not exist here. */
void shim_signals_unlock(void)
{
	release();
}

static long kernel_action(int sig, const struct action *set, struct action *old)
{
	return sys_call4(__NR_rt_sigaction, sig, (long)set, (long)old, 8);
}

/* Signals that end the process when nobody handles them (signal(7)). */
static int kills_by_default(int sig)
{
	switch (sig) {
	case SIGCHLD:
	case SIGCONT:
	case SIGURG:
	case SIGWINCH:
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
	case SIGKILL:
		return 0;
	default:
		return 1;
	}
}

static int has_handler(const struct action *action)
{
	return action->handler > 1; /* neither SIG_DFL nor SIG_IGN */
}

/* What the kernel must hold so that the program gets `wanted`. */
static struct action for_kernel(int sig, const struct action *wanted)
{
	struct action action = *wanted;

	action.mask &= ~SHIM_SIGSYS_BIT;
	if (has_handler(wanted)) {
		if (wanted->flags & SA_RESETHAND)
			action.mask = ~SHIM_SIGSYS_BIT; /* until entered */
		action.handler = (uint64_t)(wanted->flags & SA_RESETHAND
		                                    ? shim_handler_reset
		                                    : shim_handler);
	} else if (wanted->handler == 0 && kills_by_default(sig) &&
	           !(shim.options & SESSION_NO_FATAL) &&
	           shim.gate != SHIM_OFF) {
		action.handler = (uint64_t)shim_fatal;
		action.flags = SA_SIGINFO | SA_ONSTACK | RESTORER;
		action.restorer = (uint64_t)shim_restorer;
		action.mask = ~0ull;
	}
	return action;
}

/* SIGSYS goes to the net, whatever the program wants. */
void shim_net_handler(void)
{
	const struct action action = {
		.handler = (uint64_t)shim_sigsys,
		.flags = SA_SIGINFO | SA_ONSTACK | RESTORER,
		.restorer = (uint64_t)shim_restorer,
		.mask = ~0ull,
	};

	kernel_action(SIGSYS, &action, NULL);
}

void shim_signals_boot(void)
{
	const uint64_t sigsys = SHIM_SIGSYS_BIT;

	for (int sig = 1; sig <= SIGNALS; sig++) {
		struct action action;

		if (kernel_action(sig, NULL, &believed[sig]))
			continue;
		if (sig == SIGSYS || believed[sig].handler != 0 ||
		    !kills_by_default(sig))
			continue;
		action = for_kernel(sig, &believed[sig]);
		kernel_action(sig, &action, NULL);
	}
	shim_net_handler();
	/* it may have been blocked when goload was started */
	sys_call4(__NR_rt_sigprocmask, SIG_UNBLOCK, (long)&sigsys, 0, 8);
}

/* In a fork child whose handlers the kernel has reset (CLONE_CLEAR_SIGHAND). */
void shim_signals_cleared(void)
{
	for (int sig = 1; sig <= SIGNALS; sig++)
		if (has_handler(&believed[sig]))
			believed[sig] = (struct action){ 0 };
}

/* Back to the kernel's default, for good: the signal is about to kill. */
void shim_default(int sig)
{
	const struct action action = { 0 };

	kernel_action(sig, &action, NULL);
}

static void believe(int sig, const struct action *wanted)
{
	believed[sig] = *wanted;
	believed[sig].flags &= KNOWN_FLAGS;
	believed[sig].mask &=
		~((1ull << (SIGKILL - 1)) | 1ull << (SIGSTOP - 1));
	/* never cleared: a thread may be on its way to the handler */
	if (has_handler(wanted))
		__atomic_store_n(&shim_handlers[sig], wanted->handler,
		                 __ATOMIC_RELEASE);
}

/* A handler must be in the table before the kernel can enter it. */
static long change(int sig, const struct action *wanted)
{
	struct action action;
	long result;

	if (sig == SIGSYS) {
		believe(sig, wanted);
		return 0;
	}
	action = for_kernel(sig, wanted);
	if (has_handler(wanted))
		believe(sig, wanted);
	result = kernel_action(sig, &action, NULL);
	if (!has_handler(wanted) && !result)
		believe(sig, wanted);
	return result;
}

/* In a child with handlers of its own: the kernel's state alone. */
static long change_foreign(int sig, const struct action *wanted)
{
	struct action action = *wanted;

	if (sig == SIGSYS)
		return 0;
	action.mask &= ~SHIM_SIGSYS_BIT;
	return kernel_action(sig, &action, NULL);
}

static int64_t sigaction_checked(int sig, uint64_t set, uint64_t old)
{
	struct action wanted, had;
	long result = 0;

	if (set && shim_read(&wanted, set, sizeof(wanted)))
		return -EFAULT;
	if (sig < 1 || sig > SIGNALS ||
	    (set && (sig == SIGKILL || sig == SIGSTOP)))
		return -EINVAL;
	acquire();
	had = believed[sig];
	if (set)
		result = shim_foreign() ? change_foreign(sig, &wanted)
		                        : change(sig, &wanted);
	release();
	if (!result && old && shim_write(old, &had, sizeof(had)))
		return -EFAULT;
	return result;
}

/* rt_sigaction(sig, set, old, size) */
void shim_sigaction(struct shim_frame *frame)
{
	if (frame->arg[3] != 8)
		frame->result = (uint64_t)-EINVAL;
	else
		frame->result = (uint64_t)sigaction_checked(
			(int)frame->arg[0], frame->arg[1], frame->arg[2]);
}

/* The mask that the program's handler runs with (signal_delivered()). */
static uint64_t handler_mask(int sig, const struct action *action,
                             const uint8_t *ucontext)
{
	uint64_t mask =
		*(const uint64_t *)(ucontext + UC_SIGMASK) | action->mask;

	if (!(action->flags & SA_NODEFER))
		mask |= 1ull << (sig - 1);
	return mask & ~SHIM_SIGSYS_BIT;
}

/*
 * A handler with SA_RESETHAND is being entered, every signal blocked: what it
 * is, and the mask it runs with.  From now on the default is in force.
 */
uint64_t shim_handler_reset_take(int sig, uint8_t *ucontext, uint64_t *mask)
{
	uint64_t handler = believed[sig].handler;
	struct action action;

	shim_unwind_any(ucontext);
	acquire();
	*mask = handler_mask(sig, &believed[sig], ucontext);
	believed[sig].handler = 0;
	action = for_kernel(sig, &believed[sig]);
	kernel_action(sig, &action, NULL);
	release();
	return handler;
}

/*
 * The call that a filter of the program's own answers with SIGSYS has not been
 * made: it has failed in the ledger, and what the program sees of it is the
 * site and the number.
 */
static void unwind_trapped(uint8_t *info, uint8_t *ucontext)
{
	uint64_t *rax = (uint64_t *)(ucontext + UC_RAX), number = *rax;

	*rax = (uint64_t)-ENOSYS;
	shim_unwind_any(ucontext);
	*rax = number;
	*(uint64_t *)(info + SI_CALL_ADDR) = *(uint64_t *)(ucontext + UC_RIP);
}

/*
 * A SIGSYS that is not the net's: the program's handler for it with its mask in
 * place, or 0 when there is none to call.
 */
uint64_t shim_sigsys_handler(uint8_t *info, uint8_t *ucontext)
{
	struct action *action = &believed[SIGSYS];
	uint64_t handler = action->handler, mask;

	if (action->handler == 0)
		shim_fatal_signal(SIGSYS, info, ucontext);
	if (!has_handler(action))
		return 0;
	mask = handler_mask(SIGSYS, action, ucontext);
	if (*(int32_t *)(info + SI_CODE) == SYS_SECCOMP)
		unwind_trapped(info, ucontext);
	else
		shim_unwind_any(ucontext);
	sys_call4(__NR_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, 8);
	if (action->flags & SA_RESETHAND)
		action->handler = 0;
	return handler;
}

/*
 * rt_sigprocmask(how, set, old, size): the thread's mask is frame->mask while
 * signals are blocked for the shim; it is put in force on the way out.
 */
static int64_t change_mask(struct shim_frame *frame, uint64_t how, uint64_t set)
{
	uint64_t mask;

	if (shim_read(&mask, set, sizeof(mask)))
		return -EFAULT;
	mask &= ~SHIM_SIGSYS_BIT;
	switch (how) {
	case SIG_BLOCK:
		frame->mask |= mask;
		return 0;
	case SIG_UNBLOCK:
		frame->mask &= ~mask;
		return 0;
	case SIG_SETMASK:
		frame->mask = mask;
		return 0;
	default:
		return -EINVAL;
	}
}

void shim_sigprocmask(struct shim_frame *frame)
{
	uint64_t had = frame->mask;
	int64_t result = 0;

	if (frame->arg[3] != 8)
		result = -EINVAL;
	else if (frame->arg[1])
		result = change_mask(frame, (uint32_t)frame->arg[0],
		                     frame->arg[1]);
	if (!result && frame->arg[2] &&
	    shim_write(frame->arg[2], &had, sizeof(had)))
		result = -EFAULT;
	frame->result = (uint64_t)result;
}

/* Which argument points to the mask of a call that carries one. */
static int mask_argument(uint64_t nr)
{
	switch (nr) {
	case __NR_rt_sigsuspend:
	case __NR_rt_sigtimedwait:
		return 0;
	case __NR_signalfd:
	case __NR_signalfd4:
		return 1;
	case __NR_ppoll:
		return 3;
	case __NR_epoll_pwait:
	case TRACE_NR_epoll_pwait2:
		return 4;
	default:
		return -1;
	}
}

/* pselect6 and io_pgetevents: the last argument points to a mask's address and
 * its size.  1 when the call now carries copies. */
static int strip_pair(struct shim_frame *frame)
{
	uint64_t *pair = frame->scratch, *mask = frame->scratch + 2;

	if (!frame->arg[5] || shim_read(pair, frame->arg[5], 16) || !pair[0] ||
	    shim_read(mask, pair[0], 8) || !(*mask & SHIM_SIGSYS_BIT))
		return 0;
	*mask &= ~SHIM_SIGSYS_BIT;
	pair[0] = (uint64_t)mask;
	frame->arg[5] = (uint64_t)pair;
	return 1;
}

static int strip_mask(struct shim_frame *frame, int at)
{
	uint64_t *mask = frame->scratch;

	if (!frame->arg[at] || shim_read(mask, frame->arg[at], 8) ||
	    !(*mask & SHIM_SIGSYS_BIT))
		return 0;
	*mask &= ~SHIM_SIGSYS_BIT;
	frame->arg[at] = (uint64_t)mask;
	return 1;
}

/*
 * Where the mask has SIGSYS in it the kernel reads a copy without; else the
 * call is left to the stub, and no frame is held while it blocks.  A bad
 * pointer is left, too: the kernel says EFAULT.
 */
enum shim_action shim_mask_call(struct shim_frame *frame)
{
	int at = mask_argument(frame->nr);
	int copied = at < 0 ? strip_pair(frame) : strip_mask(frame, at);

	return copied ? SHIM_CALL : SHIM_PLAIN;
}
