/*
 * ring - the shared queue from the stubs to the observer.
 *
 * Many writers (every thread of the target), one reader (the observer), no
 * lock.  A writer takes a position with one `lock xadd` on session.head; the
 * position names a slot (position modulo RING_SLOTS) and the slot's `turn`
 * says whose turn it is:
 *
 *   turn = position << 24 | skips << 2 | state
 *
 *   state RING_FREE    free for the writer of `position`
 *         RING_BEGUN   being written; everything but `turn` may be torn
 *         RING_DONE    whole: the reader may take it
 *         RING_ASKED   whole but for what the call does: the writer waits to
 *                      be told how it shall go (SESSION_ASK)
 *
 * The reader gives each slot its first turn (in a new session it is zero, which
 * the C side takes for free in the first lap), and frees a slot for the next
 * lap by storing position + RING_SLOTS. A writer that finds its slot still in
 * use by an earlier lap (a call that takes long, or a reader that is behind)
 * and does not want to wait adds one to `skips`: the reader then knows that
 * nobody writes that position, and frees the slot for the lap after.  So one
 * slow call never blocks the ring.
 *
 * Copies of stacks (TRACE_COPIED) lie in a ring of bytes of their own.  A
 * writer takes the next bytes by moving session.stack_head, never further than
 * TRACE_STACK_ROOM ahead of session.stack_tail, which the reader moves; a copy
 * is not split, the last one runs on behind the end of the ring.  `ready` is
 * the slot's turn once the copy is whole: the reader then takes it out of the
 * ring even if the call itself goes on for long.
 *
 * A writer that asks sets RING_ASKED, rings the observer's bell and waits,
 * bounded.  The reader writes `answer`, sets RING_BEGUN and rings back.  Who
 * waits no longer sets RING_BEGUN itself, and does not look at the answer.
 *
 * The writer's side is shim/x86_64/record.S, shim/ring.c and shim/stack.c, the
 * reader's is observer/record/drain.c and stacks.c.  No libc; may be used in
 * the target.
 */
#ifndef TRACE_RING_H
#define TRACE_RING_H

#include "trace/event.h"

#define RING_SLOTS     TRACE_RING_SLOTS
#define RING_SLOT_SIZE TRACE_RING_SLOT_SIZE

enum ring_state {
	RING_FREE = 0,
	RING_BEGUN = 1,
	RING_DONE = 2,
	RING_ASKED = 3,
};

/* How a call shall go; all 0: as ever. */
struct ring_answer {
	uint32_t error; /* fail with this errno, unmade */
	uint32_t delay; /* but wait before, us */
};

#define RING_SKIP      4u /* one skip, in `turn` */
#define RING_SKIPS_MAX 0x3fffffu
#define RING_SHIFT     TRACE_RING_SHIFT

/*
 * Registers that a stub keeps in its slot while it borrows them, and what the
 * reader needs to unwind a copied stack; event.sp is where it begins.
 *
 * Where a thread's stack and its goroutine's are joined (a callback into Go,
 * the race detector) the copy is of both: `first` bytes from event.sp, and
 * behind them those from `other` on.
 */
struct ring_spill {
	uint64_t rbx;
	union {
		uint64_t stub; /* number << 48 | struct stub_site
		                  (shim/stub.h) */
		struct ring_answer answer; /* to a call that C makes */
	};
	uint64_t rbp, r12, r13, r14, r15;
	uint64_t stack_at;   /* position in the ring of copies */
	uint64_t stack_size; /* bytes, 0: none was taken */
	uint64_t stack_ready;
	uint64_t stack_top; /* sp when the thread began, 0: not known */
	uint64_t first; /* of stack_size; less than that: there is another */
	uint64_t other;
	uint64_t go_pc, go_bp; /* when `other` is where the goroutine left its
	                          stack: g.sched's; pc 0: it is not */
	uint64_t go_top; /* of the goroutine's stack; the last word here: what
	                    is before frame[] lies in no text */
};

struct ring_slot {
	struct trace_event event;
	struct ring_spill spill;
	uint64_t frame[TRACE_FRAMES];
};

_Static_assert(sizeof(struct ring_slot) == RING_SLOT_SIZE, "slot size");

/* What a copy of `size` bytes takes of the ring of copies. */
static inline uint64_t ring_stack_room(uint64_t size)
{
	return (size + TRACE_STACK_GRAIN - 1) & -(uint64_t)TRACE_STACK_GRAIN;
}

static inline uint64_t ring_turn(uint64_t position, enum ring_state state)
{
	return position << RING_SHIFT | state;
}

static inline uint64_t ring_position(uint64_t turn)
{
	return turn >> RING_SHIFT;
}

static inline unsigned ring_skips(uint64_t turn)
{
	return (turn >> 2) & RING_SKIPS_MAX;
}

static inline enum ring_state ring_state(uint64_t turn)
{
	return (enum ring_state)(turn & 3);
}

#endif
