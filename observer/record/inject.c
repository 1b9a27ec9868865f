/*
 * inject - what calls are told that ask how they shall go (shim/inject.c).
 *
 * They are among those that the drain has passed over.  Who decides knows more
 * than this room: it is a callback.
 */
#include "observer/record/internal.h"

static struct ring_answer decide(const struct record_options *options,
                                 struct drain *drain, const struct late *late,
                                 const struct ring_slot *slot,
                                 struct output *out)
{
	struct trace_event event = slot->event;
	struct record_call call = { .event = &event,
		                    .run_fd = out->fd,
		                    .modules = out->modules };

	if (event.frames > TRACE_FRAMES)
		event.frames = TRACE_FRAMES;
	call.frame = stacks_frames(drain->stacks, &event, slot, late->stack);
	output_flush(out);
	return options->decide(options->context, &call);
}

/* Unless it does not wait any more. */
static void answer(struct trace_session *session, struct ring_slot *slot,
                   struct ring_answer answer)
{
	uint64_t *turn = &slot->event.turn;
	uint64_t seen = __atomic_load_n(turn, __ATOMIC_ACQUIRE);

	slot->spill.answer = answer;
	while (ring_state(seen) == RING_ASKED &&
	       !__atomic_compare_exchange_n(turn, &seen,
	                                    seen - (RING_ASKED - RING_BEGUN), 0,
	                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	observe_tell(session);
}

void inject_answer(const struct record_options *options, struct drain *drain,
                   struct output *out)
{
	if (!options->decide)
		return;
	for (size_t i = 0; i < drain->late_count; i++) {
		const struct late *late = &drain->late[i];
		struct ring_slot *slot =
			&drain->slots[late->position & (RING_SLOTS - 1)];
		uint64_t turn =
			__atomic_load_n(&slot->event.turn, __ATOMIC_ACQUIRE);

		if (ring_position(turn) == late->position &&
		    ring_state(turn) == RING_ASKED)
			answer(drain->session, slot,
			       decide(options, drain, late, slot, out));
	}
}
