/*
 * The kernel's rules for mmap, mprotect, mremap, brk and madvise.
 */
#include "observer/ledger/effects.h"

#include <errno.h>

#define HUGE_BITS 21 /* of the huge page that no MAP_HUGE_ flag asks for */

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

/* The kernel maps nothing this close below the initial stack by itself
 * (arch/x86/mm/mmap.c, SIZE_128M). */
#define STACK_GAP (128ull << 20)

/* linux/mman.h, which older systems have without these */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define DONTNEED_LOCKED 24
#define GUARD_INSTALL   102

uint64_t effect_round(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) & ~(unit - 1);
}

static struct span span_of(uint64_t start, uint64_t size)
{
	if (start + size < start)
		return (struct span){ 0, 0 };
	return (struct span){ start, start + size };
}

struct span effect_span(const struct replay *replay, uint64_t start,
                        uint64_t size)
{
	return span_of(start, effect_round(size, replay->page));
}

/* ---- changes that are certain ------------------------------------------- */

static void settle(struct replay *replay, struct span span)
{
	if (replay->doubt.count > 0)
		space_unmap(&replay->doubt, span.start, span.end);
}

/* A new mapping has no name yet. */
static void forget_names(struct replay *replay, struct span span)
{
	if (replay->given.count > 0)
		space_unmap(&replay->given, span.start, span.end);
}

static void forget_returned(struct replay *replay, struct span span)
{
	if (replay->returned.count > 0)
		space_unmap(&replay->returned, span.start, span.end);
}

void effect_unmap(struct replay *replay, struct span span)
{
	space_unmap(&replay->space, span.start, span.end);
	settle(replay, span);
	forget_names(replay, span);
	forget_returned(replay, span);
}

void effect_map(struct replay *replay, const struct space_piece *piece)
{
	space_map(&replay->space, piece);
	settle(replay, (struct span){ piece->start, piece->end });
	forget_names(replay, (struct span){ piece->start, piece->end });
	forget_returned(replay, (struct span){ piece->start, piece->end });
}

void name_end(struct replay *replay, const struct ledger_event *from)
{
	const uint64_t *args = from->event->args;
	struct span span = effect_span(replay, args[2], args[3]);

	if (span_empty(span))
		return;
	if (!(from->event->flags & TRACE_NAMED))
		forget_names(replay, span);
	else if (!words_is_state(from))
		space_map(&replay->given, &(struct space_piece){
						  .start = span.start,
						  .end = span.end,
						  .event = from,
					  });
}

/* ---- mmap --------------------------------------------------------------- */

/* The unit that the kernel rounds lengths to. */
static uint64_t unit_of(const struct replay *replay, uint64_t flags)
{
	unsigned bits = (flags >> MAP_HUGE_SHIFT) & 63;

	if (!(flags & MAP_HUGETLB))
		return replay->page;
	return 1ull << (bits ? bits : HUGE_BITS);
}

struct span mmap_span(const struct replay *replay, uint64_t start,
                      const uint64_t *args)
{
	return span_of(start, effect_round(args[1], unit_of(replay, args[3])));
}

void mmap_end(struct replay *replay, struct call *call)
{
	const struct trace_event *event = call->event;
	const uint64_t *args = event->args;
	struct span span = mmap_span(replay, event->result, args);

	call->took = span;
	if (call_shape(event) == CALL_MAPS)
		race_release(replay, span);
	effect_map(replay,
	           &(struct space_piece){
			   .start = span.start,
			   .end = span.end,
			   .offset = args[3] & MAP_ANONYMOUS ? 0 : args[5],
			   .event = call->from,
			   .flags = args[3],
			   .prot = args[2] & PROT_ALL,
		   });
}

void shadow_stack_end(struct replay *replay, struct call *call)
{
	struct span span =
		effect_span(replay, call->event->result, call->event->args[1]);

	call->took = span;
	race_release(replay, span);
	effect_map(replay, &(struct space_piece){
				   .start = span.start,
				   .end = span.end,
				   .event = call->from,
				   .flags = MAP_PRIVATE | MAP_ANONYMOUS,
				   .prot = PROT_READ | PROT_WRITE,
			   });
}

/* ---- mprotect ----------------------------------------------------------- */

/*
 * A stack grows without a call.  A call on `span` that succeeded proves that
 * the stack above had grown that far: when nothing else can lie between.
 */
static void reach_down(struct replay *replay, struct span span)
{
	struct space *space = &replay->space;
	struct space_piece *found, piece;

	found = space_get(space, space_seek(space, span.start));
	if (!found || found->start <= span.start ||
	    !(found->flags & MAP_GROWSDOWN))
		return;
	if (span.end < found->start &&
	    (found->what != SPACE_STACK || found->end - span.start > STACK_GAP))
		return;
	piece = *found;
	piece.offset -= piece.start - span.start;
	piece.end = piece.start;
	piece.start = span.start;
	space_map(space, &piece);
}

struct span mprotect_span(struct replay *replay, const uint64_t *args)
{
	struct span span = effect_span(replay, args[0], args[1]);
	const struct space_piece *piece;

	if (!(args[2] & PROT_GROWSDOWN) || span_empty(span))
		return span;
	piece = space_find(&replay->space, span.start);
	if (piece && piece->flags & MAP_GROWSDOWN)
		span.start = piece->start;
	return span;
}

/* Success proves that all of `span` is there: where the model has not got it,
 * the kernel still knows better. */
static void settle_known(struct replay *replay, struct span span)
{
	const struct space_piece *piece;
	struct space_at at;

	if (replay->doubt.count == 0)
		return;
	for (at = space_seek(&replay->space, span.start);
	     (piece = space_get(&replay->space, at)) && piece->start < span.end;
	     at = space_next(&replay->space, at))
		settle(replay, span_cross(span, (struct span){ piece->start,
		                                               piece->end }));
}

void mprotect_end(struct replay *replay, struct call *call)
{
	struct span span = mprotect_span(replay, call->event->args);

	if (span_empty(span))
		return;
	reach_down(replay, span);
	space_protect(&replay->space, span.start, span.end,
	              call->event->args[2] & PROT_ALL);
	settle_known(replay, span);
}

/* Can this be what mprotect has refused with EACCES?  A file that was opened
 * for reading may not be written where it is shared; and not every file run. */
static int may_refuse(const struct space_piece *piece, unsigned prot)
{
	unsigned wanted = prot & ~piece->prot;

	if (piece->flags & MAP_ANONYMOUS)
		return 0;
	return (wanted & PROT_WRITE && piece->flags & MAP_SHARED) ||
	       wanted & PROT_EXEC;
}

/* The kernel goes from mapping to mapping, up to a hole (ENOMEM) or to one that
 * must not be so (EACCES). */
void mprotect_part(struct replay *replay, struct call *call)
{
	const struct trace_event *event = call->event;
	struct span left = mprotect_span(replay, event->args);
	unsigned prot = event->args[2] & PROT_ALL;
	const struct space_piece *piece;

	if (event->result != (uint64_t)-ENOMEM &&
	    event->result != (uint64_t)-EACCES)
		return;
	while (!span_empty(left)) {
		piece = space_find(&replay->space, left.start);
		if (!piece || (event->result == (uint64_t)-EACCES &&
		               may_refuse(piece, prot)))
			break;
		left.start = piece->end;
	}
	if (!span_empty(left)) /* else there is another reason */
		space_protect(&replay->space, call->asked[0].start, left.start,
		              prot);
}

/* ---- mremap ------------------------------------------------------------- */

struct mremap {
	struct span old, new;
	int keeps; /* the old range stays: duplicate, or MREMAP_DONTUNMAP */
	int moves;
};

static uint64_t length(struct span span)
{
	return span.end - span.start;
}

/* What mremap_end() wants to know and will be gone by then: the mapping's
 * unit, and whether it was doubtful. */
void mremap_open(struct replay *replay, struct call *call)
{
	const struct space_piece *piece =
		space_find(&replay->space, call->event->args[0]);

	const struct space_piece *doubt =
		space_get(&replay->doubt,
	                  space_seek(&replay->doubt, call->event->args[0]));

	call->unit = unit_of(replay, piece ? piece->flags : 0);
	if (doubt && doubt->start < call->asked[0].end) {
		call->inherits = 1;
		call->doubt = doubt->prot;
	}
}

static struct mremap mremap_of(const struct call *call)
{
	const struct trace_event *event = call->event;
	const uint64_t *args = event->args;

	return (struct mremap){
		.old = span_of(args[0], effect_round(args[1], call->unit)),
		.new = span_of(event->result,
		               effect_round(args[2], call->unit)),
		.keeps = args[1] == 0 || (args[3] & MREMAP_DONTUNMAP),
		.moves = event->result != args[0],
	};
}

void mremap_begin(struct replay *replay, struct call *call)
{
	struct mremap it = mremap_of(call);
	struct span kept = it.old;

	if (it.keeps)
		return;
	reach_down(replay, it.old);
	if (length(it.new) < length(it.old))
		kept.end = kept.start + length(it.new);
	if (!it.moves) {
		effect_unmap(replay, (struct span){ kept.end, it.old.end });
		return;
	}
	space_copy(&replay->space, kept.start, kept.end, &call->lifted);
	space_copy(&replay->returned, kept.start, kept.end,
	           &call->lifted_returned);
	effect_unmap(replay, it.old);
}

/* The new end of a mapping has its nature, and the mremap as its maker. */
static void extend(struct replay *replay, struct call *call, uint64_t end,
                   uint64_t new_end)
{
	const struct space_piece *last = space_find(&replay->space, end - 1);
	struct space_piece piece;

	if (!last || end >= new_end)
		return;
	piece = *last;
	piece.offset += end - piece.start;
	piece.start = end;
	piece.end = new_end;
	piece.event = call->from;
	piece.what = SPACE_CALL;
	effect_map(replay, &piece);
}

/* mremap of 0 bytes: the same shared pages once more. */
static void duplicate(struct replay *replay, struct call *call, struct span to)
{
	const struct space_piece *found =
		space_find(&replay->space, call->event->args[0]);
	struct space_piece piece;

	if (!found)
		return;
	piece = *found;
	piece.offset += call->event->args[0] - piece.start;
	piece.start = to.start;
	piece.end = to.end;
	piece.event = call->from;
	piece.what = SPACE_CALL;
	effect_map(replay, &piece);
}

/*
 * Since Linux 6.17 several mappings move in one call, with the holes between
 * them: what lies below a hole at the destination stays.
 */
static int may_have_holes(const struct call *call, const struct mremap *it)
{
	const struct space_list *list = &call->lifted;

	return length(it->old) == length(it->new) && list->count > 0 &&
	       list->piece[0].start == it->old.start;
}

static void put_down(struct replay *replay, struct call *call,
                     const struct mremap *it)
{
	uint64_t by = it->new.start - it->old.start;

	if (!may_have_holes(call, it))
		effect_unmap(replay, it->new);
	for (size_t i = 0; i < call->lifted.count; i++) {
		struct space_piece piece = call->lifted.piece[i];

		piece.start += by;
		piece.end += by;
		effect_map(replay, &piece);
	}
	for (size_t i = 0; i < call->lifted_returned.count; i++) {
		struct space_piece piece = call->lifted_returned.piece[i];

		piece.start += by;
		piece.end += by;
		space_map(&replay->returned, &piece);
	}
}

void mremap_end(struct replay *replay, struct call *call)
{
	struct mremap it = mremap_of(call);

	call->took = it.new;
	if (!it.moves)
		race_release(replay, (struct span){ it.old.end, it.new.end });
	else if (!(call->event->args[3] & MREMAP_FIXED))
		race_release(replay, it.new);
	if (length(it.old) == 0) {
		duplicate(replay, call, it.new);
		return;
	}
	if (it.keeps) { /* but its pages move */
		space_copy(&replay->space, it.old.start, it.old.end,
		           &call->lifted);
		space_copy(&replay->returned, it.old.start, it.old.end,
		           &call->lifted_returned);
		forget_returned(replay, it.old);
	}
	if (it.moves)
		put_down(replay, call, &it);
	extend(replay, call, it.new.start + length(it.old), it.new.end);
	if (call->inherits)
		replay_doubt(replay, it.new, call->doubt, call->from);
}

/* ---- brk ---------------------------------------------------------------- */

static struct span between(const struct replay *replay, uint64_t from,
                           uint64_t to)
{
	return (struct span){ effect_round(from, replay->page),
		              effect_round(to, replay->page) };
}

void brk_begin(struct replay *replay, struct call *call)
{
	uint64_t new = call->event->result;

	if (!replay->brk_known || new >= replay->brk)
		return;
	effect_unmap(replay, between(replay, new, replay->brk));
	replay->brk = new;
}

void brk_end(struct replay *replay, struct call *call)
{
	uint64_t new = call->event->result;
	struct span span = between(replay, replay->brk, new);

	brk_begin(replay, call);
	if (replay->brk_known && !span_empty(span))
		effect_map(replay, &(struct space_piece){
					   .start = span.start,
					   .end = span.end,
					   .event = call->from,
					   .flags = MAP_PRIVATE | MAP_ANONYMOUS,
					   .prot = PROT_READ | PROT_WRITE,
					   .what = TRACE_WHAT_BRK,
				   });
	replay->brk = new;
	replay->brk_known = 1;
}

struct span brk_span(const struct replay *replay,
                     const struct trace_event *event)
{
	if (!replay->brk_known)
		return (struct span){ 0, 0 };
	if (event->result > replay->brk)
		return between(replay, replay->brk, event->result);
	return between(replay, event->result, replay->brk);
}

/* ---- madvise ------------------------------------------------------------ */

/* Over a hole it says ENOMEM, and has done the rest. */
void madvise_end(struct replay *replay, const struct ledger_event *from)
{
	const uint64_t *args = from->event->args;
	struct span span = effect_span(replay, args[0], args[1]);

	if (span_empty(span) ||
	    (from->event->result && from->event->result != (uint64_t)-ENOMEM))
		return;
	switch (args[2]) {
	case MADV_DONTNEED:
	case MADV_FREE:
	case MADV_REMOVE:
	case DONTNEED_LOCKED:
	case GUARD_INSTALL:
		space_map(&replay->returned, &(struct space_piece){
						     .start = span.start,
						     .end = span.end,
					     });
		break;
	case MADV_POPULATE_WRITE:
		forget_returned(replay, span);
		break;
	}
}
