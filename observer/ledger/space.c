/*
 * The range map: an ordered directory of chunks, each an ordered array.
 *
 * Finding a piece is two binary searches; a change moves at most one chunk's
 * pieces and, once in many, the directory.  A balanced tree would do the same
 * with a cache miss at each of its levels; here the 60,000 pieces of a large
 * program have some 1,400 directory entries, which stay in the first cache.
 */
#include "observer/ledger/space.h"

#include <stdlib.h>
#include <string.h>

struct space_chunk {
	unsigned count;
	struct space_piece piece[SPACE_CHUNK];
};

void space_free(struct space *space)
{
	for (size_t i = 0; i < space->count; i++)
		free(space->slot[i].chunk);
	free(space->slot);
	*space = (struct space){ 0 };
}

/* ---- places ------------------------------------------------------------- */

/*
 * Both searches halve what is left until one is left, without a branch that
 * depends on the address: a branch would be mispredicted every other time.
 */

/* The last slot that starts at or below `address`, or the first. */
static size_t find_slot(const struct space *space, uint64_t address)
{
	size_t first = 0;

	for (size_t left = space->count; left > 1; left -= left / 2) {
		size_t middle = first + left / 2;

		first = space->slot[middle].start <= address ? middle : first;
	}
	return first;
}

struct space_at space_seek(const struct space *space, uint64_t address)
{
	struct space_at at = { .slot = find_slot(space, address) };
	const struct space_chunk *chunk;

	if (at.slot == space->count)
		return at;
	chunk = space->slot[at.slot].chunk;
	for (unsigned left = chunk->count; left > 1; left -= left / 2) {
		unsigned middle = at.index + left / 2;

		at.index = chunk->piece[middle - 1].end <= address ? middle
		                                                   : at.index;
	}
	if (chunk->piece[at.index].end <= address)
		return space_next(space, at);
	return at;
}

struct space_at space_next(const struct space *space, struct space_at at)
{
	if (++at.index < space->slot[at.slot].chunk->count)
		return at;
	return (struct space_at){ .slot = at.slot + 1 };
}

struct space_piece *space_get(const struct space *space, struct space_at at)
{
	if (at.slot >= space->count)
		return NULL;
	return &space->slot[at.slot].chunk->piece[at.index];
}

struct space_piece *space_find(const struct space *space, uint64_t address)
{
	struct space_piece *piece =
		space_get(space, space_seek(space, address));

	return piece && piece->start <= address ? piece : NULL;
}

/* ---- chunks ------------------------------------------------------------- */

/* The sum that a piece is part of. */
static uint64_t *total(struct space *space, const struct space_piece *piece)
{
	if (piece->what >= SPACE_OWN)
		return &space->own;
	return piece->prot ? &space->committed : &space->reserved;
}

/* Makes room for a new chunk at `index` of the directory. */
static struct space_chunk *add_chunk(struct space *space, size_t index)
{
	struct space_chunk *chunk;

	if (space->count == space->capacity) {
		size_t capacity = space->capacity ? 2 * space->capacity : 16;
		struct space_slot *slot =
			realloc(space->slot, capacity * sizeof(*slot));

		if (!slot)
			return NULL;
		space->slot = slot;
		space->capacity = capacity;
	}
	chunk = malloc(sizeof(*chunk));
	if (!chunk)
		return NULL;
	chunk->count = 0;
	memmove(&space->slot[index + 1], &space->slot[index],
	        (space->count - index) * sizeof(*space->slot));
	space->slot[index] = (struct space_slot){ .chunk = chunk };
	space->count++;
	return chunk;
}

static void remove_slots(struct space *space, size_t first, size_t end)
{
	if (first >= end)
		return;
	for (size_t i = first; i < end; i++)
		free(space->slot[i].chunk);
	memmove(&space->slot[first], &space->slot[end],
	        (space->count - end) * sizeof(*space->slot));
	space->count -= end - first;
}

/* Moves the upper half of a full chunk to a new one behind it. */
static int split_chunk(struct space *space, size_t slot)
{
	struct space_chunk *upper = add_chunk(space, slot + 1);
	struct space_chunk *lower = space->slot[slot].chunk;
	unsigned half = SPACE_CHUNK / 2;

	if (!upper)
		return 0;
	upper->count = lower->count - half;
	memcpy(upper->piece, &lower->piece[half],
	       upper->count * sizeof(upper->piece[0]));
	lower->count = half;
	space->slot[slot + 1].start = upper->piece[0].start;
	return 1;
}

/* Puts `piece` before the place, and tells its own; does not count it. */
static struct space_at insert(struct space *space, struct space_at at,
                              const struct space_piece *piece)
{
	struct space_chunk *chunk;

	if (at.slot == space->count && at.slot > 0) {
		at.slot--;
		at.index = space->slot[at.slot].chunk->count;
	} else if (at.slot == space->count && !add_chunk(space, 0)) {
		space->failed = 1;
		return at;
	}
	if (space->slot[at.slot].chunk->count == SPACE_CHUNK) {
		if (!split_chunk(space, at.slot)) {
			space->failed = 1;
			return at;
		}
		if (at.index > SPACE_CHUNK / 2) {
			at.index -= SPACE_CHUNK / 2;
			at.slot++;
		}
	}
	chunk = space->slot[at.slot].chunk;
	memmove(&chunk->piece[at.index + 1], &chunk->piece[at.index],
	        (chunk->count - at.index) * sizeof(*piece));
	chunk->piece[at.index] = *piece;
	chunk->count++;
	space->slot[at.slot].start = chunk->piece[0].start;
	return at;
}

/* Takes `count` pieces out of one chunk, which may become empty. */
static void take_out(struct space_slot *slot, unsigned index, unsigned count)
{
	struct space_chunk *chunk = slot->chunk;

	chunk->count -= count;
	memmove(&chunk->piece[index], &chunk->piece[index + count],
	        (chunk->count - index) * sizeof(chunk->piece[0]));
	if (chunk->count > 0)
		slot->start = chunk->piece[0].start;
}

/* Keeps chunks from staying nearly empty, for memory's sake. */
static void merge_chunks(struct space *space, size_t slot)
{
	struct space_chunk *lower, *upper;

	if (slot + 1 >= space->count)
		return;
	lower = space->slot[slot].chunk;
	upper = space->slot[slot + 1].chunk;
	if (lower->count + upper->count > SPACE_CHUNK / 2)
		return;
	memcpy(&lower->piece[lower->count], upper->piece,
	       upper->count * sizeof(upper->piece[0]));
	lower->count += upper->count;
	remove_slots(space, slot + 1, slot + 2);
}

/* Takes out the pieces of [from, to); does not count them. */
static void erase(struct space *space, struct space_at from, struct space_at to)
{
	size_t first = from.slot;

	if (from.slot == to.slot) {
		if (from.index < to.index)
			take_out(&space->slot[first], from.index,
			         to.index - from.index);
	} else {
		struct space_slot *slot = &space->slot[first];

		take_out(slot, from.index, slot->chunk->count - from.index);
		if (to.index > 0)
			take_out(&space->slot[to.slot], 0, to.index);
		remove_slots(space, first + 1, to.slot);
	}
	if (first < space->count && space->slot[first].chunk->count == 0)
		remove_slots(space, first, first + 1);
	merge_chunks(space, first);
	if (first > 0)
		merge_chunks(space, first - 1);
}

/* ---- ranges ------------------------------------------------------------- */

/* Makes `address` a border of pieces: the place of the first behind it. */
static struct space_at cut(struct space *space, uint64_t address)
{
	struct space_at at = space_seek(space, address);
	struct space_piece *piece = space_get(space, at);
	struct space_piece upper;

	if (!piece || piece->start >= address)
		return at;
	upper = *piece;
	upper.start = address;
	upper.offset += address - piece->start;
	piece->end = address;
	at.index++;
	return insert(space, at, &upper);
}

int space_joins(const struct space_piece *a, const struct space_piece *b)
{
	return a->end == b->start && a->event == b->event &&
	       a->prot == b->prot && a->what == b->what &&
	       a->flags == b->flags && a->offset + space_size(a) == b->offset;
}

static struct space_at before(const struct space *space, struct space_at at)
{
	if (at.index > 0)
		at.index--;
	else if (at.slot > 0)
		at.index = space->slot[--at.slot].chunk->count - 1;
	return at;
}

/* Joins equal neighbours, from the border before `at` to that at `end`. */
static void join(struct space *space, struct space_at at, uint64_t end)
{
	struct space_piece *piece;

	at = before(space, at);
	while ((piece = space_get(space, at))) {
		struct space_at next = space_next(space, at);
		struct space_piece *follower = space_get(space, next);
		uint64_t start = piece->start;

		if (!follower || follower->start > end)
			return;
		if (piece->born != follower->born ||
		    !space_joins(piece, follower)) {
			at = next;
			continue;
		}
		piece->end = follower->end;
		erase(space, next, space_next(space, next));
		at = space_seek(space, start); /* chunks may have merged */
	}
}

static void tell_end(const struct space *space, const struct space_piece *piece)
{
	if (space->ended)
		space->ended(space->context, piece);
}

void space_unmap(struct space *space, uint64_t start, uint64_t end)
{
	struct space_at from, to;
	struct space_piece *piece;

	if (start >= end || space->failed)
		return;
	cut(space, end);
	from = to = cut(space, start);
	if (space->failed)
		return;
	while ((piece = space_get(space, to)) && piece->start < end) {
		tell_end(space, piece);
		*total(space, piece) -= space_size(piece);
		to = space_next(space, to);
	}
	if (from.slot < space->count)
		erase(space, from, to);
}

void space_map(struct space *space, const struct space_piece *piece)
{
	struct space_piece born = *piece;

	if (piece->start >= piece->end)
		return;
	space_unmap(space, piece->start, piece->end);
	if (space->failed)
		return;
	born.born = space->now;
	insert(space, space_seek(space, piece->start), &born);
	if (space->failed)
		return;
	*total(space, piece) += space_size(piece);
	if (!piece->event)
		join(space, space_seek(space, piece->start), piece->end);
}

void space_protect(struct space *space, uint64_t start, uint64_t end,
                   unsigned prot)
{
	struct space_at from;
	struct space_piece *piece;

	if (start >= end || space->failed)
		return;
	cut(space, end);
	from = cut(space, start);
	if (space->failed)
		return;
	for (struct space_at at = from;
	     (piece = space_get(space, at)) && piece->start < end;
	     at = space_next(space, at)) {
		if (piece->prot == prot)
			continue;
		tell_end(space, piece);
		*total(space, piece) -= space_size(piece);
		piece->prot = prot;
		piece->born = space->now;
		*total(space, piece) += space_size(piece);
	}
	join(space, from, end);
}

/* ---- lists -------------------------------------------------------------- */

static struct space_piece *list_add(struct space_list *list)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 4;
		struct space_piece *piece =
			realloc(list->piece, capacity * sizeof(*piece));

		if (!piece)
			return NULL;
		list->piece = piece;
		list->capacity = capacity;
	}
	return &list->piece[list->count++];
}

void space_copy(struct space *space, uint64_t start, uint64_t end,
                struct space_list *list)
{
	struct space_piece *piece, *copy;

	for (struct space_at at = space_seek(space, start);
	     (piece = space_get(space, at)) && piece->start < end;
	     at = space_next(space, at)) {
		copy = list_add(list);
		if (!copy) {
			space->failed = 1;
			return;
		}
		*copy = *piece;
		if (copy->start < start) {
			copy->offset += start - copy->start;
			copy->start = start;
		}
		if (copy->end > end)
			copy->end = end;
	}
}
