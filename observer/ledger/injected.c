/*
 * The calls that goload made to fail or wait (--fail, --delay), by where they
 * came from.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>
#include <string.h>

#define NUMBERS 512 /* syscall numbers that are counted */

struct gathering {
	struct ledger *ledger;
	struct vector groups, frames;
	uint64_t seen[NUMBERS]; /* calls that may fail, by number */
	int failed;
};

static int is_injected(const struct trace_event *event)
{
	return event->call < TRACE_FACT &&
	       event->flags & (TRACE_INJECTED | TRACE_DELAYED);
}

/* What goload did; of a call that failed by itself the error is not its own. */
static int is_alike(const struct trace_event *a, const struct trace_event *b)
{
	return a->call == b->call &&
	       !((a->flags ^ b->flags) & (TRACE_INJECTED | TRACE_DELAYED)) &&
	       (!(a->flags & TRACE_INJECTED) || a->call == SYS_brk ||
	        a->result == b->result);
}

static struct ledger_injected *find(const struct gathering *gathering,
                                    const struct trace_event *event,
                                    uint32_t id)
{
	struct ledger_injected *group = gathering->groups.item;

	for (size_t i = 0; i < gathering->groups.count; i++)
		if (group[i].caller.id == id &&
		    is_alike(group[i].event->event, event))
			return &group[i];
	return NULL;
}

/* The frames of all groups stand in one array, which still grows. */
static void keep_frames(struct gathering *gathering,
                        const struct ledger_caller *caller)
{
	for (size_t i = 0; i < caller->frame_count; i++) {
		struct ledger_frame *frame =
			vector_add(&gathering->frames, sizeof(*frame));

		if (frame)
			*frame = caller->frame[i];
		gathering->failed |= !frame;
	}
}

static void gather(struct gathering *gathering,
                   const struct ledger_event *event)
{
	struct ledger_caller caller =
		ledger_caller_of(gathering->ledger->callers, event);
	struct ledger_injected *group =
		find(gathering, event->event, caller.id);

	if (group) {
		group->count++;
		return;
	}
	group = vector_add(&gathering->groups, sizeof(*group));
	if (!group) {
		gathering->failed = 1;
		return;
	}
	*group = (struct ledger_injected){
		.event = event,
		.number = gathering->seen[event->event->call % NUMBERS],
		.count = 1,
		.caller = caller,
	};
	keep_frames(gathering, &caller);
}

static void gather_all(struct gathering *gathering)
{
	const struct ledger_run *run = gathering->ledger->run;

	for (size_t i = 0; i < run->event_count && !gathering->failed; i++) {
		const struct trace_event *event = run->event[i].event;

		if (ledger_may_fail(event))
			gathering->seen[event->call % NUMBERS]++;
		if (is_injected(event))
			gather(gathering, &run->event[i]);
	}
}

static void hand_over(struct gathering *gathering)
{
	struct ledger *ledger = gathering->ledger;
	struct ledger_frame *frame = gathering->frames.item;

	ledger->injected = gathering->groups.item;
	ledger->injected_count = gathering->groups.count;
	ledger->injected_frame = frame;
	for (size_t i = 0; i < ledger->injected_count; i++) {
		ledger->injected[i].caller.frame = frame;
		frame += ledger->injected[i].caller.frame_count;
	}
}

static int has_injected(const struct ledger_run *run)
{
	for (size_t i = 0; i < run->event_count; i++)
		if (is_injected(run->event[i].event))
			return 1;
	return 0;
}

int injected_build(struct ledger *ledger, ledger_namer *namer, void *context)
{
	struct gathering gathering = { .ledger = ledger };

	if (!has_injected(ledger->run))
		return 1;
	ledger->callers = ledger_callers_open(ledger->run, namer, context);
	if (!ledger->callers)
		return 0;
	gather_all(&gathering);
	hand_over(&gathering);
	return !gathering.failed;
}
