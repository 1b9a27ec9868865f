/*
 * The model against the kernel's map.
 *
 * Three things are taken from the kernel before the two are compared, since no
 * call makes them: the growth of stacks, mappings that the kernel made on its
 * own account, and ranges where the order of calls cannot be known.  All else
 * that differs is reported, and taken out of the model: rows are made of what
 * both sides agree on.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>
#include <sys/mman.h>

enum difference_why {
	MISSING,   /* the kernel has it, the model has not */
	PHANTOM,   /* the other way round */
	PROTECTED, /* both, with another protection */
};

struct difference {
	uint64_t start, end;
	enum difference_why why;
	const struct look_line *line; /* NULL for a phantom */
};

/* ---- compare ------------------------------------------------------------ */

static uint64_t lower(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The next border behind `at` of [start, end), which ends behind it. */
static uint64_t border(uint64_t at, uint64_t start, uint64_t end)
{
	return start > at ? start : end;
}

static int add(struct vector *list, struct span span, enum difference_why why,
               const struct look_line *line)
{
	struct difference *difference = vector_add(list, sizeof(*difference));

	if (!difference)
		return 0;
	*difference = (struct difference){ span.start, span.end, why, line };
	return 1;
}

/* Adds what differs from `at` to `next`, where neither side has a border. */
static int compare_at(struct vector *list, struct span span,
                      const struct space_piece *piece,
                      const struct look_line *line)
{
	if (piece && piece->start > span.start)
		piece = NULL;
	if (line && line->start > span.start)
		line = NULL;
	if (piece && line)
		return piece->prot == line->prot ||
		       add(list, span, PROTECTED, line);
	if (piece)
		return add(list, span, PHANTOM, NULL);
	return !line || add(list, span, MISSING, line);
}

/* All differences within `span`, in order; 0 when memory is short. */
static int compare(const struct space *space, const struct look *look,
                   struct span span, struct vector *list)
{
	struct space_at place = space_seek(space, span.start);
	size_t i = look_seek(look, span.start);

	while (span.start < span.end) {
		struct space_piece *piece = space_get(space, place);
		const struct look_line *line =
			i < look->count ? &look->line[i] : NULL;
		uint64_t next = span.end;

		if (!piece && !line)
			break;
		if (piece)
			next = lower(next, border(span.start, piece->start,
			                          piece->end));
		if (line)
			next = lower(next, border(span.start, line->start,
			                          line->end));
		if (!compare_at(list, (struct span){ span.start, next }, piece,
		                line))
			return 0;
		span.start = next;
		if (piece && piece->end <= next)
			place = space_next(space, place);
		if (line && line->end <= next)
			i++;
	}
	return 1;
}

/* ---- what is the kernel's ----------------------------------------------- */

/* A piece for what a line shows in [start, end). */
static struct space_piece piece_of(const struct look_line *line,
                                   struct span span)
{
	return (struct space_piece){
		.start = span.start,
		.end = span.end,
		.offset = line->offset + (span.start - line->start),
		.flags = (line->shared ? MAP_SHARED : MAP_PRIVATE) |
		         (line->inode ? 0 : MAP_ANONYMOUS),
		.prot = line->prot,
		.what = look_kernel_made(line),
	};
}

/* One piece that grows downwards: as far as the kernel's line reaches. */
static void grow(struct space *space, const struct look *look,
                 const struct space_piece *stack)
{
	size_t i = look_seek(look, stack->start);
	struct space_piece piece = *stack;
	const struct space_piece *below;
	uint64_t start;

	if (i == look->count || look->line[i].start >= stack->start)
		return;
	start = look->line[i].start;
	/* Whatever the model has in between ends the stack. */
	while ((below = space_get(space, space_seek(space, start))) &&
	       below->start < stack->start)
		start = below->end;
	piece.start = start;
	piece.end = stack->start;
	piece.offset -= piece.end - piece.start;
	space_map(space, &piece);
}

static void grow_stacks(struct space *space, const struct look *look)
{
	struct space_piece *piece;
	uint64_t at = 0;

	while ((piece = space_get(space, space_seek(space, at)))) {
		at = piece->end;
		if (piece->flags & MAP_GROWSDOWN && piece->what < SPACE_OWN)
			grow(space, look, piece);
	}
}

/* Rings of io_setup, probes, a vDSO that the program asked for: no event
 * tells their range. */
static int take_kernel_made(struct replay *replay, const struct look *look)
{
	struct vector list = { 0 };
	struct difference *it;
	int done = compare(&replay->space, look, (struct span){ 0, UINT64_MAX },
	                   &list);

	it = list.item;
	for (size_t i = 0; done && i < list.count; i++, it++) {
		struct space_piece piece;

		if (it->why != MISSING)
			continue;
		piece = piece_of(it->line, (struct span){ it->start, it->end });
		if (piece.what == SPACE_AIO || piece.what == SPACE_UPROBES ||
		    (piece.what == SPACE_VDSO && replay->vdso_moved))
			space_map(&replay->space, &piece);
	}
	free(list.item);
	return done;
}

static void adopt(struct space *space, const struct difference *it,
                  const struct ledger_event *event)
{
	struct space_piece piece;

	switch (it->why) {
	case MISSING:
		piece = piece_of(it->line, (struct span){ it->start, it->end });
		piece.event = event;
		space_map(space, &piece);
		break;
	case PHANTOM:
		space_unmap(space, it->start, it->end);
		break;
	case PROTECTED:
		space_protect(space, it->start, it->end, it->line->prot);
		break;
	}
}

/* In doubtful ranges the kernel is right. */
static int settle_doubt(struct replay *replay, const struct look *look)
{
	const struct space_piece *doubt;
	struct vector list = { 0 };
	uint64_t at = 0;

	while ((doubt = space_get(&replay->doubt,
	                          space_seek(&replay->doubt, at)))) {
		const struct difference *it;

		list.count = 0;
		at = doubt->end;
		if (!compare(&replay->space, look,
		             (struct span){ doubt->start, doubt->end },
		             &list)) {
			free(list.item);
			return 0;
		}
		it = list.item;
		for (size_t i = 0; i < list.count; i++)
			adopt(&replay->space, &it[i], doubt->event);
		if (list.count > 0 && doubt->prot == DOUBT_FAILED)
			replay->ambiguous++;
	}
	free(list.item);
	return 1;
}

/* ---- the verdict -------------------------------------------------------- */

/* Neighbours of one sort are one range: VMAs have no say in it. */
static int report(struct ledger *ledger, struct vector *ranges,
                  const struct difference *it)
{
	int phantom = it->why == PHANTOM;
	struct ledger_range *range = ranges->item;

	*(phantom ? &ledger->phantom : &ledger->unexplained) +=
		it->end - it->start;
	if (ranges->count > 0) {
		range += ranges->count - 1;
		if (range->end == it->start && range->phantom == phantom) {
			range->end = it->end;
			return 1;
		}
	}
	range = vector_add(ranges, sizeof(*range));
	if (!range)
		return 0;
	*range = (struct ledger_range){ it->start, it->end, phantom };
	return 1;
}

static int judge(struct replay *replay, struct ledger *ledger,
                 const struct look *look)
{
	struct vector list = { 0 }, ranges = { 0 };
	const struct difference *it;
	int done = compare(&replay->space, look, (struct span){ 0, UINT64_MAX },
	                   &list);

	it = list.item;
	for (size_t i = 0; done && i < list.count; i++) {
		if (it[i].why != MISSING)
			space_unmap(&replay->space, it[i].start, it[i].end);
		done = report(ledger, &ranges, &it[i]);
	}
	free(list.item);
	ledger->range = ranges.item;
	ledger->range_count = ranges.count;
	ledger->vm_size = look->size;
	ledger->checked = 1;
	return done;
}

static int check_against(struct replay *replay, struct ledger *ledger,
                         const struct look *look)
{
	grow_stacks(&replay->space, look);
	return take_kernel_made(replay, look) && settle_doubt(replay, look) &&
	       judge(replay, ledger, look) && !replay_failed(replay);
}

/* VmSize is what counts.  The kernel keeps it apart from its map, so the lines
 * of the map could add up to less: nobody can explain the rest then. */
static void trust_vm_size(struct ledger *ledger, uint64_t vm_size)
{
	if (vm_size <= ledger->vm_size)
		return;
	ledger->unexplained += vm_size - ledger->vm_size;
	ledger->vm_size = vm_size;
}

static void sum_up(const struct replay *replay, struct ledger *ledger)
{
	const struct space *space = &replay->space;

	ledger->reserved = space->reserved;
	ledger->committed = space->committed;
	ledger->target = space->reserved + space->committed;
	ledger->goload = space->own;
	if (!ledger->checked)
		ledger->vm_size = ledger->target + ledger->goload;
	ledger->ambiguous = replay->ambiguous;
	ledger->peak_vm_size =
		replay->peak > ledger->vm_size ? replay->peak : ledger->vm_size;
}

int check_run(struct replay *replay, struct ledger *ledger)
{
	struct look look;
	int done = 1;

	if (replay->last) {
		struct ledger_look text = { replay->last,
			                    (const char *)(replay->last + 1) };

		if (!look_read(&look, &text))
			return 0;
		done = check_against(replay, ledger, &look);
		trust_vm_size(ledger, replay->last->vm_size);
		look_free(&look);
	}
	sum_up(replay, ledger);
	return done;
}
