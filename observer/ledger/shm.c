/*
 * System V shared memory and the rings of aio: the calls that do not say how
 * much they map.  What the shim has measured does (TRACE_MEASURED), or the
 * nearest look behind the call.
 */
#include "observer/ledger/effects.h"

#include <string.h>
#include <sys/shm.h>

static const struct look *read_look(struct replay *replay, size_t index)
{
	struct look *look = &replay->look[index];

	if (!look->line && !look_read(look, &replay->run->look[index]))
		replay->failed = 1;
	return look;
}

static int is_attach(const struct look_line *line, uint64_t start)
{
	return line->start == start && line->offset == 0 &&
	       line->name_size >= 5 && memcmp(line->name, "/SYSV", 5) == 0;
}

/* The lines of one attach: mprotect may have split it. */
static uint64_t attach_end(const struct look *look, uint64_t start)
{
	size_t i = look_seek(look, start);
	uint64_t inode, end;

	if (i == look->count || !is_attach(&look->line[i], start))
		return 0;
	inode = look->line[i].inode;
	end = look->line[i].end;
	for (i++; i < look->count; i++) {
		const struct look_line *next = &look->line[i];

		if (next->start != end || next->inode != inode ||
		    next->offset != end - start)
			break;
		end = next->end;
	}
	return end;
}

static struct span measured(const struct replay *replay,
                            const struct trace_event *event)
{
	if (!(event->flags & TRACE_MEASURED))
		return (struct span){ 0, 0 };
	return effect_span(replay, event->args[4], event->args[5]);
}

/* Of a segment in huge pages the kernel maps whole ones, and does not say so.
 */
static int is_huge(struct span span, uint64_t end)
{
	return end ==
	       span.start + effect_round(span.end - span.start, 2ull << 20);
}

struct span shmat_span(struct replay *replay, const struct trace_event *event)
{
	const struct ledger_run *run = replay->run;
	struct span span = measured(replay, event);
	uint64_t end;

	for (size_t i = 0; i < run->look_count; i++) {
		const struct file_look *look = run->look[i].look;

		if (look->when != FILE_LOOK_LAST &&
		    look->ticket <= ledger_order(event))
			continue;
		end = attach_end(read_look(replay, i), event->result);
		if (end && (span_empty(span) || is_huge(span, end)))
			return (struct span){ event->result, end };
	}
	return span;
}

static unsigned protection(uint64_t flags)
{
	return PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) |
	       (flags & SHM_EXEC ? PROT_EXEC : 0);
}

/* What shmdt or io_destroy will want to know, by its address. */
static struct attach *find_attach(const struct replay *replay, uint32_t call,
                                  uint64_t start)
{
	struct attach *attach = replay->attach.item;

	for (size_t i = replay->attach.count; i-- > 0;)
		if (attach[i].start == start &&
		    attach[i].event->event->call == call)
			return &attach[i];
	return NULL;
}

static void note_attach(struct replay *replay, struct call *call,
                        struct span span)
{
	struct attach *attach =
		find_attach(replay, call->event->call, span.start);

	if (!attach)
		attach = vector_add(&replay->attach, sizeof(*attach));
	if (!attach) {
		replay->failed = 1;
		return;
	}
	*attach = (struct attach){ span.start, span.end, call->from };
	call->took = span;
	if (call_shape(call->event) == CALL_MAPS)
		race_release(replay, span);
}

/* `piece` knows what is there, the span where. */
static void map_attached(struct replay *replay, struct call *call,
                         struct span span, struct space_piece piece)
{
	note_attach(replay, call, span);
	piece.start = span.start;
	piece.end = span.end;
	piece.event = call->from;
	piece.flags = MAP_SHARED;
	effect_map(replay, &piece);
}

static void forget_attach(struct replay *replay, struct attach *attach)
{
	const struct attach *all = replay->attach.item;

	*attach = all[--replay->attach.count];
}

void shmat_end(struct replay *replay, struct call *call)
{
	const struct trace_event *event = call->event;
	struct span span = shmat_span(replay, event);

	if (span_empty(span)) {
		replay->ambiguous++;
		return;
	}
	map_attached(
		replay, call, span,
		(struct space_piece){ .prot = protection(event->args[2]) });
}

static struct span attach_span(const struct replay *replay, uint32_t call,
                               uint64_t start)
{
	const struct attach *attach = find_attach(replay, call, start);

	if (!attach)
		return (struct span){ 0, 0 };
	return (struct span){ attach->start, attach->end };
}

struct span shmdt_span(const struct replay *replay, uint64_t start)
{
	return attach_span(replay, SYS_shmat, start);
}

void shmdt_begin(struct replay *replay, struct call *call)
{
	struct space *space = &replay->space;
	uint64_t start = call->event->args[0];
	struct attach *attach = find_attach(replay, SYS_shmat, start);
	struct span left = shmdt_span(replay, start);
	const struct space_piece *piece;

	while (!span_empty(left)) {
		struct span part;

		piece = space_get(space, space_seek(space, left.start));
		if (!piece || piece->start >= left.end)
			break;
		part = (struct span){ piece->start, piece->end };
		left.start = part.end;
		/* Something else may have been mapped over part of it. */
		if (piece->event == attach->event)
			effect_unmap(replay, part);
	}
	if (attach)
		forget_attach(replay, attach);
}

/* ---- aio ---------------------------------------------------------------- */

/* One that was not measured is taken from the last look: see check.c. */
void ring_end(struct replay *replay, struct call *call)
{
	struct span span = measured(replay, call->event);

	if (span_empty(span))
		return;
	map_attached(replay, call, span,
	             (struct space_piece){ .prot = PROT_READ | PROT_WRITE,
	                                   .what = SPACE_AIO });
}

struct span ring_span(const struct replay *replay, uint64_t start)
{
	return attach_span(replay, SYS_io_setup, start);
}

/* The kernel unmaps what is there now, whoever has mapped it. */
void ring_begin(struct replay *replay, struct call *call)
{
	uint64_t start = call->event->args[0];
	struct attach *attach = find_attach(replay, SYS_io_setup, start);

	if (!attach)
		return;
	effect_unmap(replay, ring_span(replay, start));
	forget_attach(replay, attach);
}
