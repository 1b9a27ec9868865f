/*
 * Event after event into the range map.
 *
 * The run's events stand in the order in which they took effect.  Those with
 * two tickets also have a first part, at `ticket`: they are gone through a
 * second time, sorted by that, and the two sequences are merged.
 */
#include "observer/ledger/effects.h"

#include <stdlib.h>
#include <sys/mman.h>

/* ---- the two sequences -------------------------------------------------- */

static int has_two_parts(const struct trace_event *event)
{
	return event->ticket_after > event->ticket &&
	       call_shape(event) == CALL_BOTH &&
	       !(event->flags & TRACE_INJECTED);
}

static int by_ticket(const void *left, const void *right)
{
	const struct ledger_event *a = *(struct ledger_event *const *)left;
	const struct ledger_event *b = *(struct ledger_event *const *)right;

	if (a->event->ticket != b->event->ticket)
		return a->event->ticket < b->event->ticket ? -1 : 1;
	return a < b ? -1 : 1;
}

/* Events with two parts, by their first ticket; 0 when memory is short. */
static int find_begins(const struct ledger_run *run, struct vector *begins)
{
	int sorted = 1;
	uint64_t last = 0;

	for (size_t i = 0; i < run->event_count; i++) {
		const struct ledger_event *from = &run->event[i];
		const struct ledger_event **begin;

		if (!has_two_parts(from->event))
			continue;
		begin = vector_add(begins, sizeof(void *));
		if (!begin)
			return 0;
		*begin = from;
		sorted &= from->event->ticket >= last;
		last = from->event->ticket;
	}
	if (!sorted)
		qsort(begins->item, begins->count,
		      sizeof(struct ledger_event *), by_ticket);
	return 1;
}

/* ---- one step ----------------------------------------------------------- */

void replay_doubt(struct replay *replay, struct span span, enum doubt why,
                  const struct ledger_event *from)
{
	space_map(&replay->doubt, &(struct space_piece){
					  .start = span.start,
					  .end = span.end,
					  .event = from,
					  .prot = why,
				  });
}

/* What changes from now on changes at this moment: as trend.c has it. */
static void set_clock(struct replay *replay, uint64_t tsc)
{
	uint64_t t;

	if (!replay->space.ended)
		return;
	t = ledger_time(replay->run, tsc);
	if (t > replay->trend.duration)
		t = replay->trend.duration;
	if (t > replay->space.now)
		replay->space.now = t;
}

static void note(struct replay *replay, uint64_t tsc)
{
	const struct space *space = &replay->space;
	const struct ledger_point *last = &replay->trend.last;
	uint64_t size = space->reserved + space->committed + space->own;

	if (size > replay->peak)
		replay->peak = size;
	if (space->reserved != last->reserved ||
	    space->committed != last->committed)
		trend_add(&replay->trend, tsc, space->reserved,
		          space->committed);
}

static void reach(struct replay *replay, uint64_t tsc)
{
	if (replay->shots)
		shots_until(replay->shots, replay, tsc);
}

static void step_begin(struct replay *replay, const struct ledger_event *from)
{
	struct call call, *entered;

	reach(replay, from->event->tsc);
	call_open(replay, &call, from);
	entered = race_enter(replay, &call);
	if (!entered)
		return;
	set_clock(replay, from->event->tsc);
	replay->order = from->event->ticket;
	call_begin(replay, entered);
	note(replay, from->event->tsc);
}

/* The second part, or both at once. */
static void step_end(struct replay *replay, const struct ledger_event *from)
{
	const struct trace_event *event = from->event;
	uint64_t tsc = event->tsc_after ? event->tsc_after : event->tsc;
	struct call alone, *call = NULL;

	set_clock(replay, tsc);
	if (has_two_parts(event))
		call = race_find(replay, from);
	if (!call) {
		call_open(replay, &alone, from);
		call = &alone;
		if (!span_empty(alone.asked[0]))
			call = race_enter(replay, &alone);
		if (!call)
			return;
		call_begin(replay, call);
	}
	call_end(replay, call);
	if (!call->over ||
	    !call->used) /* an unmapping call stays for a while */
		race_leave(call);
	note(replay, tsc);
}

static void step(struct replay *replay, const struct ledger_event *from)
{
	const struct trace_event *event = from->event;

	replay->order = ledger_order(event);
	reach(replay, call_shape(event) != CALL_UNMAPS && event->tsc_after
	                      ? event->tsc_after
	                      : event->tsc);
	if (event->flags & TRACE_INJECTED)
		return; /* it was not made */
	switch (event->call) {
	case TRACE_MAPPED:
	case TRACE_BOOTED:
		set_clock(replay, from->event->tsc);
		call_fact(replay, from);
		note(replay, from->event->tsc);
		break;
	case SYS_mmap:
	case SYS_munmap:
	case SYS_mremap:
	case SYS_mprotect:
	case SYS_pkey_mprotect:
	case SYS_brk:
	case SYS_shmat:
	case SYS_shmdt:
	case SYS_io_setup:
	case SYS_io_destroy:
	case SYS_map_shadow_stack:
	case SYS_prctl:
	case SYS_arch_prctl:
		step_end(replay, from);
		break;
	case SYS_madvise:
		madvise_end(replay, from);
		break;
	}
}

/* ---- the whole ---------------------------------------------------------- */

/*
 * The look to check against.  One that is not of the very end (an execve that
 * failed, then SIGKILL) is none when the map has changed since.
 */
static const struct file_look *last_look(const struct ledger_run *run)
{
	const struct ledger_look *last = look_when(run, FILE_LOOK_LAST);
	const struct trace_event *event;

	if (!last || (run->end && run->end->last_look) || !last->look->ticket)
		return last ? last->look : NULL;
	for (size_t i = run->event_count; i-- > 0;) {
		event = run->event[i].event;
		if (ledger_order(event) < last->look->ticket)
			break;
		if (call_shape(event) != CALL_NEITHER)
			return NULL;
	}
	return last->look;
}

/* What the kernel had made before the program's first instruction. */
static void boot(struct replay *replay)
{
	const struct ledger_look *text = look_when(replay->run, FILE_LOOK_BOOT);
	struct look look;

	if (!text)
		text = look_when(replay->run, FILE_LOOK_LAST);
	if (!text)
		return;
	if (!look_read(&look, text)) {
		replay->failed = 1;
		return;
	}
	for (size_t i = 0; i < look.count; i++) {
		const struct look_line *line = &look.line[i];
		unsigned what = look_kernel_made(line);
		struct space_piece piece = {
			.start = line->start,
			.end = line->end,
			.offset = line->start,
			.flags = MAP_PRIVATE | MAP_ANONYMOUS,
			.prot = line->prot,
			.what = what,
		};

		if (what == SPACE_STACK)
			piece.flags |= MAP_GROWSDOWN;
		if (what)
			space_map(&replay->space, &piece);
	}
	look_free(&look);
	note(replay, replay->run->first.tsc);
}

static void merge(struct replay *replay, const struct vector *begins)
{
	const struct ledger_run *run = replay->run;
	const struct ledger_event *const *begin = begins->item;
	size_t left = begins->count;

	for (size_t i = 0; i < run->event_count; i++) {
		uint64_t order = ledger_order(run->event[i].event);

		for (; left > 0 && (*begin)->event->ticket < order; left--)
			step_begin(replay, *begin++);
		step(replay, &run->event[i]);
	}
}

int replay_failed(const struct replay *replay)
{
	return replay->failed || replay->space.failed || replay->doubt.failed ||
	       replay->given.failed || replay->returned.failed;
}

/* With what `replay` says already of who watches. */
static int run_all(struct replay *replay, const struct ledger_run *run)
{
	struct vector begins = { 0 };

	replay->run = run;
	replay->page = run->page_size;
	replay->last = last_look(run);
	trend_init(&replay->trend, run);
	replay->look = calloc(run->look_count + 1, sizeof(*replay->look));
	if (!replay->look || !find_begins(run, &begins)) {
		free(begins.item);
		return 0;
	}
	boot(replay);
	merge(replay, &begins);
	free(begins.item);
	if (replay->space.ended)
		replay->space.now = replay->trend.duration;
	return !replay_failed(replay);
}

int replay_run(struct replay *replay, const struct ledger_run *run)
{
	*replay = (struct replay){ 0 };
	return run_all(replay, run);
}

int replay_shots(struct replay *replay, const struct ledger_run *run,
                 struct shots *shots)
{
	*replay = (struct replay){ .shots = shots };
	return run_all(replay, run);
}

int replay_watched(struct replay *replay, const struct ledger_run *run,
                   space_ended *ended, void *context)
{
	*replay = (struct replay){
		.space = { .ended = ended, .context = context },
	};
	return run_all(replay, run);
}

void replay_free(struct replay *replay)
{
	struct call *call = replay->open.item;

	for (size_t i = 0; i < replay->open.count; i++)
		race_leave(&call[i]);
	for (size_t i = 0; replay->look && i < replay->run->look_count; i++)
		look_free(&replay->look[i]);
	free(replay->look);
	free(replay->open.item);
	free(replay->attach.item);
	space_free(&replay->space);
	space_free(&replay->doubt);
	space_free(&replay->given);
	space_free(&replay->returned);
}
