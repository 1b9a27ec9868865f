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
 *
 * The reader gives each slot its first turn (in a new session it is zero, which
 * the C side takes for free in the first lap), and frees a slot for the next lap by storing
 * position + RING_SLOTS.
 * A writer that finds its slot still in use by an earlier lap (a call that
 * takes long, or a reader that is behind) and does not want to wait adds one
 * to `skips`: the reader then knows that nobody writes that position, and
 * frees the slot for the lap after.  So one slow call never blocks the ring.
 *
 * The writer's side is shim/x86_64/record.S and shim/ring.c, the reader's is
 * observer/record/drain.c.  No libc; may be used in the target.
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
};

#define RING_SKIP      4u /* one skip, in `turn` */
#define RING_SKIPS_MAX 0x3fffffu
#define RING_SHIFT     TRACE_RING_SHIFT

/* Registers that a stub keeps in its slot while it borrows them. */
struct ring_spill {
	uint64_t rbx;
	uint64_t stub; /* number << 48 | struct stub_site (shim/stub.h) */
	uint64_t unused[14];
};

struct ring_slot {
	struct trace_event event;
	struct ring_spill spill;
	uint64_t frame[TRACE_FRAMES];
};

_Static_assert(sizeof(struct ring_slot) == RING_SLOT_SIZE, "slot size");

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
