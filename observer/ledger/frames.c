/*
 * The frames of one call, with the names that they had when it was recorded.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>

struct ledger_frames {
	const struct ledger_run *run;
	struct names names;
	struct vector frames; /* of the latest event */
};

struct ledger_frames *ledger_frames_open(const struct ledger_run *run,
                                         ledger_namer *namer, void *context)
{
	struct ledger_frames *frames = calloc(1, sizeof(*frames));

	if (frames) {
		frames->run = run;
		frames->names.namer = namer;
		frames->names.context = context;
	}
	return frames;
}

void ledger_frames_close(struct ledger_frames *frames)
{
	if (!frames)
		return;
	names_free(&frames->names);
	free(frames->frames.item);
	free(frames);
}

static void add_frame(struct ledger_frames *frames, const struct name *name,
                      uint64_t address, int inlined)
{
	struct ledger_frame *frame =
		vector_add(&frames->frames, sizeof(*frame));

	if (frame)
		*frame = (struct ledger_frame){ name->place, address, inlined };
}

static void add_frames(struct ledger_frames *frames, uint64_t address)
{
	const struct name *name = names_get(&frames->names, address);

	for (size_t i = 0; i < name->inlined_count; i++)
		add_frame(frames, &name->inlined[i], address, 1);
	add_frame(frames, name, address, 0);
}

size_t ledger_frames_of(struct ledger_frames *frames,
                        const struct ledger_event *event,
                        const struct ledger_frame **first)
{
	const struct trace_event *call = event->event;

	frames->frames.count = 0;
	names_at(&frames->names, frames->run, event);
	if (call->site) /* the callee looks one byte before */
		add_frames(frames, call->site + 1);
	for (uint64_t i = 0; i < event->stack->count; i++)
		add_frames(frames, event->stack->frame[i]);
	*first = frames->frames.item;
	return frames->frames.count;
}
