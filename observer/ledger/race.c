/*
 * Calls under way, and the races between them.
 *
 * Tickets order every program that does not race with itself.  When two
 * threads change the same named pages at the same time nobody can tell the
 * order afterwards: the range becomes doubtful, and there the kernel's last
 * look is believed.
 *
 * Overlap in time is overlap of [ticket, ticket_after].  A call that unmaps
 * has only the first of the two: its end is told by the time stamp counter.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>

/* More calls than threads can be under way only in a made-up run. */
#define OPEN_LIMIT 4096

static struct call *open_calls(const struct replay *replay)
{
	return replay->open.item;
}

static void widen(struct span *clash, struct span by)
{
	if (span_empty(*clash)) {
		*clash = by;
		return;
	}
	if (by.start < clash->start)
		clash->start = by.start;
	if (by.end > clash->end)
		clash->end = by.end;
}

/* Notes where the two clash; 1 when they do. */
static int compare(struct call *a, struct call *b)
{
	int found = 0;

	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < 2; j++) {
			struct span both = span_cross(a->asked[i], b->asked[j]);

			if (span_empty(both))
				continue;
			widen(&a->clash, both);
			widen(&b->clash, both);
			found = 1;
		}
	}
	return found;
}

void race_leave(struct call *call)
{
	free(call->lifted.piece);
	free(call->lifted_returned.piece);
	*call = (struct call){ 0 };
}

static struct call *empty_place(struct replay *replay)
{
	struct call *calls = open_calls(replay);
	struct call *call;

	for (size_t i = 0; i < replay->open.count; i++)
		if (!calls[i].used)
			return &calls[i];
	if (replay->open.count == OPEN_LIMIT) {
		race_leave(&calls[0]);
		return &calls[0];
	}
	call = vector_add(&replay->open, sizeof(*call));
	if (!call)
		replay->failed = 1;
	return call;
}

struct call *race_enter(struct replay *replay, const struct call *call)
{
	struct call entered = *call;
	struct call *other = open_calls(replay), *place;

	for (size_t i = 0; i < replay->open.count; i++, other++) {
		if (!other->used)
			continue;
		if (other->over && other->over <= entered.event->tsc) {
			race_leave(other);
			continue;
		}
		if (other->event->thread != entered.event->thread &&
		    compare(&entered, other))
			replay->ambiguous++;
	}
	place = empty_place(replay);
	if (!place)
		return NULL;
	*place = entered;
	place->used = 1;
	return place;
}

struct call *race_find(struct replay *replay, const struct ledger_event *from)
{
	struct call *calls = open_calls(replay);

	for (size_t i = 0; i < replay->open.count; i++)
		if (calls[i].used && calls[i].from == from)
			return &calls[i];
	return NULL;
}

/* Takes `by` out of what a call names: the larger rest stays. */
static void narrow(struct span *asked, struct span by)
{
	struct span below = { asked->start, by.start };
	struct span above = { by.end, asked->end };

	if (span_empty(span_cross(*asked, by)))
		return;
	if (span_empty(below) ||
	    (!span_empty(above) &&
	     above.end - above.start > below.end - below.start))
		*asked = above;
	else
		*asked = below;
}

void race_release(struct replay *replay, struct span span)
{
	struct call *call = open_calls(replay);

	for (size_t i = 0; i < replay->open.count; i++, call++) {
		if (!call->used)
			continue;
		if (call->over || call->event->call == SYS_mremap ||
		    call->event->call == SYS_brk)
			narrow(&call->asked[0], span);
	}
}
