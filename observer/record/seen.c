/*
 * seen - the stacks that the run file has, and their numbers (trace/file.h).
 *
 * A hash table, bounded: when it is full all of it is forgotten, and stacks
 * that come again are written again, under new numbers.
 */
#include "observer/record/internal.h"

#include <stdlib.h>
#include <string.h>

#define PLACES (2u * SEEN_STACKS) /* a power of two */

bool seen_open(struct seen *seen)
{
	*seen = (struct seen){
		.place = calloc(PLACES, sizeof(*seen->place)),
		.frame = malloc(SEEN_FRAMES * sizeof(*seen->frame)),
	};
	return seen->place && seen->frame;
}

static uint64_t hash(const uint64_t *frame, size_t count)
{
	uint64_t mixed = count;

	for (size_t i = 0; i < count; i++) {
		mixed = (mixed ^ frame[i]) * 0x9e3779b97f4a7c15u;
		mixed ^= mixed >> 32;
	}
	return mixed;
}

static bool is(const struct seen *seen, const struct seen_stack *place,
               const uint64_t *frame, size_t count, uint64_t mixed)
{
	return place->hash == (uint16_t)mixed && place->count == count &&
	       !memcmp(seen->frame + place->at, frame, count * sizeof(*frame));
}

static void forget(struct seen *seen)
{
	memset(seen->place, 0, PLACES * sizeof(*seen->place));
	seen->stacks = 0;
	seen->frames = 0;
}

/* Where the stack is, or an empty place for it. */
static struct seen_stack *find(struct seen *seen, const uint64_t *frame,
                               size_t count, uint64_t mixed)
{
	struct seen_stack *place;

	for (uint64_t at = mixed >> 16;; at++) {
		place = &seen->place[at % PLACES];
		if (!place->number || is(seen, place, frame, count, mixed))
			return place;
	}
}

uint64_t seen_number(struct seen *seen, const uint64_t *frame, size_t count,
                     bool *is_new)
{
	uint64_t mixed = hash(frame, count);
	struct seen_stack *place = find(seen, frame, count, mixed);

	*is_new = !place->number;
	if (!*is_new)
		return place->number;
	if (seen->stacks == SEEN_STACKS || seen->frames + count > SEEN_FRAMES) {
		forget(seen);
		place = find(seen, frame, count, mixed);
	}
	*place = (struct seen_stack){
		.number = ++seen->last,
		.at = (uint32_t)seen->frames,
		.count = (uint16_t)count,
		.hash = (uint16_t)mixed,
	};
	memcpy(seen->frame + seen->frames, frame, count * sizeof(*frame));
	seen->frames += count;
	seen->stacks++;
	return place->number;
}
