/*
 * stacks - the frames of an event whose stack was copied.
 *
 * The copy is unwound where it lies, in the shared ring, which takes it back
 * afterwards.  Copies are given back in any order; the ring's tail moves over
 * those that are next to it.  What the slot says of its copy is the target's
 * word: it is checked before it is believed.
 */
#include "observer/record/internal.h"

#include <stdlib.h>
#include <string.h>

bool stacks_open(struct stacks *stacks, struct trace_session *session)
{
	stacks->session = session;
	stacks->copies = (const uint8_t *)session + SESSION_STACKS;
	stacks->unwind = unwind_new();
	return stacks->unwind != NULL;
}

void stacks_module(struct stacks *stacks, const struct symbol_bytes *file,
                   const struct file_module *where)
{
	unwind_module(stacks->unwind, file->at, file->stored, where->bias,
	              where->start, where->end);
}

/* Bytes of the slot's copy, within what the ring has given out; 0: none. */
static uint64_t copy_size(const struct stacks *stacks,
                          const struct ring_spill *spill)
{
	if (spill->stack_size > TRACE_STACKS_MAX ||
	    spill->stack_at % TRACE_STACK_GRAIN ||
	    spill->stack_at - stacks->session->stack_tail >= TRACE_STACK_ROOM)
		return 0;
	return spill->stack_size;
}

static const uint8_t *copy_of(const struct stacks *stacks,
                              const struct ring_spill *spill)
{
	return stacks->copies + spill->stack_at % TRACE_STACK_ROOM;
}

void stacks_release(struct stacks *stacks, const struct ring_slot *slot)
{
	const struct ring_spill spill = slot->spill;
	uint64_t tail = stacks->session->stack_tail;
	uint64_t size = copy_size(stacks, &spill);
	uint16_t *back = stacks->back, grains;

	if (!size)
		return;
	back[spill.stack_at / TRACE_STACK_GRAIN % STACKS_GRAINS] =
		(uint16_t)(ring_stack_room(size) / TRACE_STACK_GRAIN);
	while ((grains = back[tail / TRACE_STACK_GRAIN % STACKS_GRAINS])) {
		back[tail / TRACE_STACK_GRAIN % STACKS_GRAINS] = 0;
		tail += (uint64_t)grains * TRACE_STACK_GRAIN;
	}
	__atomic_store_n(&stacks->session->stack_tail, tail, __ATOMIC_SEQ_CST);
}

struct stack_copy *stacks_keep(struct stacks *stacks,
                               const struct ring_slot *slot)
{
	uint64_t ready =
		__atomic_load_n(&slot->spill.stack_ready, __ATOMIC_ACQUIRE);
	const struct ring_spill spill = slot->spill;
	uint64_t size = copy_size(stacks, &spill);
	struct stack_copy *kept;

	if (ring_position(ready) != ring_position(slot->event.turn) || !size)
		return NULL;
	kept = malloc(sizeof(*kept) + size);
	if (!kept)
		return NULL;
	kept->size = size;
	memcpy(kept->bytes, copy_of(stacks, &spill), size);
	stacks_release(stacks, slot);
	return kept;
}

/* Of a copy of two stacks: the second one. */
static struct unwind_other other_of(const struct ring_spill *spill,
                                    uint64_t size)
{
	if (spill->first >= size)
		return (struct unwind_other){ 0 };
	return (struct unwind_other){
		.at = spill->other,
		.size = size - spill->first,
		.go_pc = spill->go_pc,
		.go_bp = spill->go_bp,
		.go_top = spill->go_top,
	};
}

static bool unwind_copy(struct stacks *stacks, const struct trace_event *event,
                        const struct ring_slot *slot,
                        const struct stack_copy *kept, size_t *count)
{
	const struct ring_spill spill = slot->spill;
	uint64_t size = kept ? kept->size : copy_size(stacks, &spill);
	const struct unwind_other other = other_of(&spill, size);
	const struct unwind_stack stack = {
		.ip = event->site,
		.sp = event->sp,
		.bp = spill.rbp,
		.bx = spill.rbx,
		.r12 = spill.r12,
		.r13 = spill.r13,
		.r14 = spill.r14,
		.r15 = spill.r15,
		.bytes = kept ? kept->bytes : copy_of(stacks, &spill),
		.size = size - other.size,
		.other = other,
		.top = spill.stack_top,
		.go = slot->frame,
		.go_count = event->frames,
	};
	bool whole = false;

	*count = unwind_walk(stacks->unwind, &stack, stacks->frame, FILE_FRAMES,
	                     &whole);
	return whole;
}

const uint64_t *stacks_frames(struct stacks *stacks, struct trace_event *event,
                              const struct ring_slot *slot,
                              const struct stack_copy *kept)
{
	size_t count = event->frames;
	bool whole = true;

	if (event->call >= TRACE_FACT || (event->flags & TRACE_NAMED))
		return slot->frame;
	if (!(event->flags & TRACE_COPIED)) {
		whole = unwind_is_whole(stacks->unwind, slot->frame, count);
		/* a thread's first calls: its rbp is still its parent's */
		if (!whole && count > 1 &&
		    unwind_is_whole(stacks->unwind, slot->frame, 1)) {
			whole = true;
			event->frames = 1;
		}
		event->flags |= whole ? 0 : TRACE_CUT;
		return slot->frame;
	}
	if (!unwind_copy(stacks, event, slot, kept, &count))
		event->flags |= TRACE_CUT;
	event->flags &= (uint16_t)~TRACE_COPIED;
	event->frames = (uint16_t)count;
	return stacks->frame;
}
