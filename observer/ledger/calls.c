/*
 * A call, in its two parts.
 *
 * The first, at `ticket`, gives addresses back: from there on another thread's
 * call may get them.  The second, at `ticket_after`, takes addresses: until
 * there another thread's call may have given them back.
 */
#include "observer/ledger/effects.h"

#include <errno.h>
#include <sys/prctl.h>

/* arch_prctl that maps the vDSO once more (asm/prctl.h) */
#define MAP_VDSO_FIRST 0x2001
#define MAP_VDSO_LAST  0x2003

/* linux/prctl.h, which older systems have without these */
#define SET_VMA           0x53564d41
#define SET_VMA_ANON_NAME 0

static int failed(const struct trace_event *event)
{
	if (event->flags & TRACE_ONE_PHASE) /* a thread that ends with it */
		return event->call != SYS_munmap;
	return trace_failed(event->result);
}

static void ask(struct replay *replay, struct call *call)
{
	const struct trace_event *event = call->event;
	const uint64_t *args = event->args;

	switch (event->call) {
	case SYS_munmap:
		call->asked[0] = effect_span(replay, args[0], args[1]);
		break;
	case SYS_mmap:
		if (call_shape(event) == CALL_BOTH)
			call->asked[0] = mmap_span(replay, args[0], args);
		break;
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		call->asked[0] = mprotect_span(replay, args);
		break;
	case SYS_mremap:
		/* of 0 bytes: a copy of what is there */
		call->asked[0] =
			effect_span(replay, args[0], args[1] ? args[1] : 1);
		mremap_open(replay, call);
		if (args[3] & MREMAP_FIXED)
			call->asked[1] = effect_span(replay, args[4], args[2]);
		break;
	case SYS_brk:
		call->asked[0] = brk_span(replay, event);
		break;
	case SYS_shmat:
		if (call_shape(event) == CALL_BOTH &&
		    !trace_failed(event->result))
			call->asked[0] = shmat_span(replay, event);
		break;
	case SYS_shmdt:
		call->asked[0] = shmdt_span(replay, args[0]);
		break;
	case SYS_io_destroy:
		call->asked[0] = ring_span(replay, args[0]);
		break;
	}
}

void call_open(struct replay *replay, struct call *call,
               const struct ledger_event *from)
{
	const struct trace_event *event = from->event;

	*call = (struct call){ .from = from, .event = event };
	if (call_shape(event) == CALL_UNMAPS && event->tsc_after > event->tsc)
		call->over = event->tsc_after;
	ask(replay, call);
}

void call_begin(struct replay *replay, struct call *call)
{
	if (failed(call->event))
		return;
	switch (call->event->call) {
	case SYS_munmap:
		effect_unmap(replay, call->asked[0]);
		break;
	case SYS_mremap:
		mremap_begin(replay, call);
		break;
	case SYS_brk:
		brk_begin(replay, call);
		break;
	case SYS_shmdt:
		shmdt_begin(replay, call);
		break;
	case SYS_io_destroy:
		ring_begin(replay, call);
		break;
	}
}

/* A change of the process that moves no range by itself. */
static void attribute(struct replay *replay, const struct ledger_event *from)
{
	const struct trace_event *event = from->event;
	const uint64_t *args = event->args;

	if (event->call == SYS_arch_prctl && args[0] >= MAP_VDSO_FIRST &&
	    args[0] <= MAP_VDSO_LAST)
		replay->vdso_moved = 1;
	if (event->call == SYS_prctl && args[0] == SET_VMA &&
	    args[1] == SET_VMA_ANON_NAME)
		name_end(replay, from);
	if (event->call != SYS_prctl || args[0] != PR_SET_MM)
		return;
	if (args[1] == PR_SET_MM_BRK)
		replay->brk = args[2];
	if (args[1] == PR_SET_MM_MAP) /* a structure that the event has not */
		replay->brk_known = 0;
}

static void succeed(struct replay *replay, struct call *call)
{
	switch (call->event->call) {
	case SYS_mmap:
		mmap_end(replay, call);
		break;
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		mprotect_end(replay, call);
		break;
	case SYS_mremap:
		mremap_end(replay, call);
		break;
	case SYS_brk:
		brk_end(replay, call);
		break;
	case SYS_shmat:
		shmat_end(replay, call);
		break;
	case SYS_io_setup:
		ring_end(replay, call);
		break;
	case SYS_map_shadow_stack:
		shadow_stack_end(replay, call);
		break;
	case SYS_prctl:
	case SYS_arch_prctl:
		attribute(replay, call->from);
		break;
	}
}

/* Could the call have done something else than it says? */
static int doubtful(const struct trace_event *event)
{
	if (event->flags & TRACE_ONE_PHASE)
		return 1;
	/* EINVAL is told before anything was changed. */
	return trace_failed(event->result) &&
	       event->result != (uint64_t)-EINVAL;
}

/* Does the last look show what was before the call, or might it? */
static int is_late(const struct replay *replay, const struct call *call)
{
	const struct file_look *last = replay->last;

	return last && last->ticket &&
	       (ledger_order(call->event) >= last->ticket ||
	        call->over > last->tsc);
}

static void doubt_all(struct replay *replay, const struct call *call,
                      enum doubt why)
{
	for (int i = 0; i < 2; i++)
		replay_doubt(replay, call->asked[i], why, call->from);
	replay_doubt(replay, call->took, why, call->from);
}

void call_end(struct replay *replay, struct call *call)
{
	if (!failed(call->event))
		succeed(replay, call);
	else if (call->event->call == SYS_mprotect ||
	         call->event->call == SYS_pkey_mprotect)
		mprotect_part(replay, call);
	if (is_late(replay, call)) {
		doubt_all(replay, call, DOUBT_LATE);
		return;
	}
	if (!span_empty(call->clash))
		replay_doubt(replay, call->clash, DOUBT_RACED, call->from);
	/* What was raced for has moved with it. */
	if (!span_empty(call->clash) && call->event->call == SYS_mremap)
		replay_doubt(replay, call->took, DOUBT_RACED, call->from);
	if (doubtful(call->event))
		doubt_all(replay, call, DOUBT_FAILED);
}

static void start_brk(struct replay *replay, uint64_t brk)
{
	replay->brk = brk;
	replay->brk_known = 1;
}

static void mapped(struct replay *replay, const struct ledger_event *from)
{
	const uint64_t *args = from->event->args;
	struct span span = effect_span(replay, args[0], args[1]);

	effect_map(replay,
	           &(struct space_piece){
			   .start = span.start,
			   .end = span.end,
			   .offset = args[5],
			   .event = from,
			   .flags = args[3],
			   .prot = args[2] & PROT_ALL,
			   .what = args[4] <= TRACE_WHAT_ISLAND ? args[4] : 0,
		   });
}

void call_fact(struct replay *replay, const struct ledger_event *from)
{
	const uint64_t *args = from->event->args;

	if (from->event->call != TRACE_MAPPED)
		return;
	if (args[4] == TRACE_WHAT_BRK)
		start_brk(replay, args[0]);
	else
		mapped(replay, from);
}
