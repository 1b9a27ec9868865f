/*
 * drain - the reader's side of the ring (trace/ring.h).
 *
 * Positions are looked at in order; one whose event is not finished yet is
 * remembered and looked at again, so a call that takes long holds up nothing.
 */
#include "observer/record/internal.h"

#include <stdlib.h>

#define PREPARED_AHEAD 1024 /* slots: more than a program's start needs */
#define PREPARED_FIRST 128

enum taken { TAKEN, NOT_YET, SKIPPED };

static struct ring_slot *slot_of(struct drain *drain, uint64_t position)
{
	return &drain->slots[position & (RING_SLOTS - 1)];
}

/* The slot is free for the next lap that somebody will write. */
static void free_slot(struct ring_slot *slot, uint64_t turn)
{
	uint64_t position = ring_position(turn);

	while (!__atomic_compare_exchange_n(
		&slot->event.turn, &turn,
		ring_turn(position + RING_SLOTS * (1ull + ring_skips(turn)),
	                  RING_FREE),
		0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

static void count(struct drain *drain, const struct trace_event *event)
{
	if (event->flags & TRACE_ABANDONED)
		drain->abandoned++;
	else if (event->call < TRACE_FACT)
		drain->events++;
}

/* How many laps `position` is ahead of the one that holds its slot. */
static uint64_t laps_between(uint64_t turn, uint64_t position)
{
	return (position - ring_position(turn)) / RING_SLOTS;
}

/* With its stack, which goes back to the ring. */
static void write_event(struct drain *drain, struct ring_slot *slot,
                        const struct stack_copy *kept, struct output *out)
{
	struct trace_event event = slot->event;
	const uint64_t *frames;

	if (event.frames > TRACE_FRAMES)
		event.frames = TRACE_FRAMES;
	count(drain, &event);
	if (!(event.flags & TRACE_ABANDONED)) {
		frames = stacks_frames(drain->stacks, &event, slot, kept);
		output_event(out, &event, frames);
	}
	if (!kept)
		stacks_release(drain->stacks, slot);
}

static enum taken take(struct drain *drain, struct late *late,
                       struct output *out)
{
	uint64_t position = late->position;
	struct ring_slot *slot = slot_of(drain, position);
	uint64_t turn = __atomic_load_n(&slot->event.turn, __ATOMIC_ACQUIRE);

	if (ring_position(turn) > position)
		return SKIPPED; /* freed for a later lap: nobody writes this */
	if (ring_position(turn) < position)
		return ring_skips(turn) >= laps_between(turn, position)
		               ? SKIPPED
		               : NOT_YET;
	if (ring_state(turn) != RING_DONE) {
		if (!late->stack)
			late->stack = stacks_keep(drain->stacks, slot);
		return NOT_YET;
	}
	write_event(drain, slot, late->stack, out);
	free(late->stack);
	free_slot(slot, turn);
	return TAKEN;
}

static void remember(struct drain *drain, const struct late *one)
{
	if (drain->late_count == drain->late_room) {
		size_t room = drain->late_room ? 2 * drain->late_room : 256;
		struct late *late = realloc(drain->late, room * sizeof(*late));

		if (!late)
			return; /* this one event will be missing */
		drain->late = late;
		drain->late_room = room;
	}
	drain->late[drain->late_count++] = *one;
}

static size_t drain_late(struct drain *drain, struct output *out)
{
	size_t kept = 0, taken = 0;

	for (size_t i = 0; i < drain->late_count; i++) {
		enum taken got = take(drain, &drain->late[i], out);

		if (got == NOT_YET)
			drain->late[kept++] = drain->late[i];
		taken += got == TAKEN;
	}
	drain->late_count = kept;
	return taken;
}

/*
 * Slots get their first turn shortly before they are needed: to touch the whole
 * ring at the start would cost more than all the rest of it.  A writer that
 * comes to one before takes the slow way (shim/ring.c, claim).
 */
void drain_prepare(struct drain *drain)
{
	uint64_t head =
		__atomic_load_n(&drain->session->head, __ATOMIC_RELAXED);
	uint64_t until = head + PREPARED_AHEAD;
	uint64_t twice = 2 * (drain->prepared > head ? drain->prepared : head);

	/* new pages take time, and the program waits for the first ones */
	if (twice < PREPARED_FIRST)
		twice = PREPARED_FIRST;
	if (until > twice)
		until = twice;
	if (until > RING_SLOTS)
		until = RING_SLOTS;
	for (; drain->prepared < until; drain->prepared++) {
		uint64_t *turn = &drain->slots[drain->prepared].event.turn;
		uint64_t nothing = 0;

		__atomic_compare_exchange_n(
			turn, &nothing, ring_turn(drain->prepared, RING_FREE),
			0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	}
}

size_t drain_ring(struct drain *drain, struct output *out)
{
	uint64_t head =
		__atomic_load_n(&drain->session->head, __ATOMIC_SEQ_CST);
	size_t taken;

	drain_prepare(drain);
	output_events_begin(out);
	taken = drain_late(drain, out);
	while (drain->next < head) {
		struct late one = { .position = drain->next++ };
		enum taken got = take(drain, &one, out);

		if (got == NOT_YET)
			remember(drain, &one);
		taken += got == TAKEN;
	}
	output_events_end(out);
	return taken;
}
