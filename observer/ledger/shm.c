/*
 * System V shared memory: the one way to map that does not tell the size.
 * The nearest look behind the call does.
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

static struct span shmat_span(struct replay *replay,
                              const struct trace_event *event)
{
	const struct ledger_run *run = replay->run;
	uint64_t end;

	for (size_t i = 0; i < run->look_count; i++) {
		const struct file_look *look = run->look[i].look;

		if (look->when != FILE_LOOK_LAST &&
		    look->ticket <= ledger_order(event))
			continue;
		end = attach_end(read_look(replay, i), event->result);
		if (end)
			return (struct span){ event->result, end };
	}
	return (struct span){ 0, 0 };
}

static unsigned protection(uint64_t flags)
{
	return PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) |
	       (flags & SHM_EXEC ? PROT_EXEC : 0);
}

void shmat_end(struct replay *replay, struct call *call)
{
	const struct trace_event *event = call->event;
	struct span span = shmat_span(replay, event);
	struct attach *attach;

	if (span_empty(span)) {
		replay->ambiguous++;
		return;
	}
	attach = vector_add(&replay->attach, sizeof(*attach));
	if (!attach) {
		replay->failed = 1;
		return;
	}
	*attach = (struct attach){ span.start, span.end, call->from };
	call->took = span;
	race_release(replay, span);
	effect_map(replay, &(struct space_piece){
				   .start = span.start,
				   .end = span.end,
				   .event = call->from,
				   .flags = MAP_SHARED,
				   .prot = protection(event->args[2]),
			   });
}

static const struct attach *find_attach(const struct replay *replay,
                                        uint64_t start)
{
	const struct attach *attach = replay->attach.item;

	for (size_t i = replay->attach.count; i-- > 0;)
		if (attach[i].start == start)
			return &attach[i];
	return NULL;
}

struct span shmdt_span(const struct replay *replay, uint64_t start)
{
	const struct attach *attach = find_attach(replay, start);

	if (!attach)
		return (struct span){ 0, 0 };
	return (struct span){ attach->start, attach->end };
}

void shmdt_begin(struct replay *replay, struct call *call)
{
	struct space *space = &replay->space;
	const struct attach *attach = find_attach(replay, call->event->args[0]);
	struct span left = shmdt_span(replay, call->event->args[0]);

	while (!span_empty(left)) {
		const struct space_piece *piece =
			space_get(space, space_seek(space, left.start));
		struct span part;

		if (!piece || piece->start >= left.end)
			return;
		part = (struct span){ piece->start, piece->end };
		left.start = part.end;
		/* Something else may have been mapped over part of it. */
		if (piece->event == attach->event)
			effect_unmap(replay, part);
	}
}
