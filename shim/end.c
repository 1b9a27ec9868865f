/*
 * end - every way the target can end, and the last look before it.
 *
 * A thread that is about to end the process closes the gate (every other
 * thread parks at its next call), tells the observer and waits for it,
 * bounded: when goload is slow or dead the program ends without it.
 */
#include "shim/shim.h"

#include <asm/signal.h>
#include <asm/unistd_64.h>
#include <linux/errno.h>
#include <linux/futex.h>

#define SLICE_NS      2000000l
#define FOLLOW_TRIES  4    /* it takes its time, too */
#define LOOK_SLICES   1000 /* 2 s for the last look */
#define REPORT_SLICES 2500 /* 5 s for the summary */

static void wait_for(const uint32_t *word, uint32_t slices)
{
	shim_wait_until(word, 1, slices, SLICE_NS);
}

/* Another thread is ending the process: nothing is left to do but wait for it,
 * or for its execve to fail. */
void shim_park(void)
{
	while (__atomic_load_n(&shim.gate, __ATOMIC_ACQUIRE) == SHIM_CLOSING)
		shim_wait(&shim.gate, SHIM_CLOSING, SLICE_NS);
}

static int close_gate(void)
{
	uint32_t open = SHIM_OPEN;

	return __atomic_compare_exchange_n(&shim.gate, &open, SHIM_CLOSING, 0,
	                                   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void open_gate(enum shim_gate gate)
{
	__atomic_store_n(&shim.gate, gate, __ATOMIC_SEQ_CST);
	sys_call3(__NR_futex, (long)&shim.gate, FUTEX_WAKE, 1 << 30);
}

/* With the gate closed by this thread. */
void shim_last_look(enum trace_end end, uint64_t value)
{
	shim_stubs_lock();
	shim_fact(TRACE_CLOSING, end, value, 0, 0, 0, 0);
	shim_session.closing_value = value;
	__atomic_store_n(&shim_session.closing, end, __ATOMIC_SEQ_CST);
	shim_ring_bell();
	wait_for(&shim_session.looked, LOOK_SLICES);
	if (__atomic_load_n(&shim_session.looked, __ATOMIC_ACQUIRE))
		wait_for(&shim_session.reported, REPORT_SLICES);
}

static void note(const struct shim_frame *frame)
{
	struct ring_slot *slot =
		shim_event_begin((uint32_t)frame->nr, frame->arg);

	if (!slot)
		return;
	slot->event.site = frame->stub->site;
	slot->event.sp = frame->rsp;
	slot->event.flags |= TRACE_ONE_PHASE;
	if (frame->stub->flags & STUB_FLAG_NET)
		slot->event.flags |= TRACE_BY_NET;
	shim_describe(slot, frame);
	shim_event_end(slot, 0);
}

/* The target's own threads only; 0: somebody else is closing, start over. */
static int closes(const struct shim_frame *frame, enum trace_end end,
                  uint64_t value)
{
	if (!close_gate()) {
		shim_park();
		return 0;
	}
	note(frame);
	shim_last_look(end, value);
	return 1;
}

static enum shim_action exit_thread(struct shim_frame *frame)
{
	if (shim.gate == SHIM_CLOSING) {
		shim_park();
		return SHIM_RESTART;
	}
	if (__atomic_sub_fetch(&shim.threads, 1, __ATOMIC_SEQ_CST)) {
		note(frame);
		return SHIM_EXIT;
	}
	if (!closes(frame, TRACE_END_EXIT, frame->arg[0] & 0xff)) {
		__atomic_add_fetch(&shim.threads, 1, __ATOMIC_SEQ_CST);
		return SHIM_RESTART;
	}
	return SHIM_EXIT;
}

/* Where the ring's head was behind the look that an execve waited for.  A
 * signal may come between it and the call, which then starts over: it looks
 * again only if there is something new, or a fast timer would keep it from ever
 * being made. */
static uint64_t looked_at;
static uint32_t tries; /* since then */

static uint64_t ring_head(void)
{
	return __atomic_load_n(&shim_session.head, __ATOMIC_SEQ_CST);
}

/* The look is taken before: if it goes well there is nothing left to look at.
 * If it fails the program goes on, and is recorded on. */
static enum shim_action exec(struct shim_frame *frame)
{
	if (looked_at != ring_head()) {
		if (!closes(frame, TRACE_END_EXEC, 0))
			return SHIM_RESTART;
		/* `closing` first: the observer looks when it is set and looked
		 * is not */
		__atomic_store_n(&shim_session.closing, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&shim_session.looked, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&shim_session.reported, 0, __ATOMIC_SEQ_CST);
		looked_at = ring_head();
		tries = 0;
		shim_stubs_unlock();
		open_gate(SHIM_OPEN);
	}
	if (tries++ < FOLLOW_TRIES)
		shim_follow(frame);
	frame->post = 1;
	return SHIM_CALL;
}

/* It is still here.  What goload was to be started for is started without. */
enum shim_action shim_exec_failed(struct shim_frame *frame)
{
	if (frame->follow) {
		shim_follow_undo(frame);
		return SHIM_CALL;
	}
	shim_vfork_stays(frame);
	looked_at = 0;
	if (shim.gate != SHIM_OFF && !shim_foreign())
		__atomic_fetch_add(&shim_session.execs_failed, 1,
		                   __ATOMIC_SEQ_CST);
	return SHIM_DONE;
}

/* Made right here, with signals blocked: one that came in between would start
 * the stub over, in front of a gate that nobody opens any more.  Where a filter
 * forbids it the program goes on; its run is over. */
static enum shim_action exit_process(struct shim_frame *frame)
{
	if (!closes(frame, TRACE_END_EXIT, frame->arg[0] & 0xff))
		return SHIM_RESTART;
	frame->result =
		(uint64_t)sys_call1(__NR_exit_group, (long)frame->arg[0]);
	shim_stubs_unlock();
	open_gate(SHIM_OFF);
	return SHIM_DONE;
}

/* A child that shares memory ends or becomes another program without a word,
 * and without the frame, which its parent would miss (or looks for: follow.c).
 */
static enum shim_action unobserved(struct shim_frame *frame)
{
	if (frame->nr == __NR_exit)
		return SHIM_EXIT;
	if (frame->nr == __NR_exit_group || !shim_follow(frame))
		return SHIM_PLAIN;
	frame->post = 1;
	return SHIM_CALL;
}

enum shim_action shim_exit_before(struct shim_frame *frame)
{
	if (frame->nr == __NR_execve || frame->nr == __NR_execveat)
		shim_exe_exec(frame);
	if (shim.gate == SHIM_OFF || shim_foreign())
		return unobserved(frame);
	switch (frame->nr) {
	case __NR_exit:
		return exit_thread(frame);
	case __NR_exit_group:
		return exit_process(frame);
	default:
		return exec(frame);
	}
}

static int dumps_core(int sig)
{
	switch (sig) {
	case SIGQUIT:
	case SIGILL:
	case SIGTRAP:
	case SIGABRT:
	case SIGBUS:
	case SIGFPE:
	case SIGSEGV:
	case SIGXCPU:
	case SIGXFSZ:
	case SIGSYS:
		return 1;
	default:
		return 0;
	}
}

/*
 * The program left this signal at its default, which kills.  Look, then let it:
 * it is sent again with the same siginfo and delivered when this handler has
 * returned, so the registers, the core dump and the wait status are the
 * program's.
 */
void shim_fatal_signal(int sig, uint8_t *info, uint8_t *ucontext)
{
	long pid = sys_call0(__NR_getpid);

	if (pid == shim.pid && shim.gate != SHIM_OFF) {
		/* a call that has been made must be in the ring */
		shim_unwind_any(ucontext);
		if (close_gate())
			shim_last_look(TRACE_END_SIGNAL, (uint64_t)sig);
		else
			wait_for(&shim_session.reported, REPORT_SLICES);
	}
	if (pid == shim.pid && dumps_core(sig))
		shim_patch_undo_returns();
	shim_default(sig);
	sys_call4(__NR_rt_tgsigqueueinfo, pid, sys_call0(__NR_gettid), sig,
	          (long)info);
}
