/*
 * What each row had resident while the program ran.
 *
 * A shot says which pages were resident at a moment; whose they were, the map
 * of that moment says.  So the events are gone through once more, up to each
 * shot, and a row gets what belonged to its kind then: also of mappings that
 * are gone at the end.  What was of a kind that has no row at the end is
 * `gone`, with the pages that nobody had when the shot was over.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>
#include <string.h>

#define PARTS 63 /* of many shots; two are kept of each */
#define MOST  (1 + 2 * PARTS)
#define KNOWN 4096 /* claims that are remembered */

struct known { /* whose a piece is */
	const struct ledger_event *event, *given;
	uint64_t start, end;
	uint8_t prot, what;
	uint64_t *bytes; /* at each moment; NULL: an empty place */
};

struct shots {
	struct ledger *ledger;
	struct kinds *kinds;
	const struct space *end; /* what was mapped at the last look */
	const struct ledger_shot *shot[MOST];
	size_t count, next;
	struct known known[KNOWN];
};

/* ---- which are kept ----------------------------------------------------- */

/* Of many the first, and of each part the one with most and the last. */
static void choose(struct shots *shots, const struct ledger_run *run)
{
	size_t count = run->shot_count, next = 1;

	if (count <= MOST) {
		for (size_t i = 0; i < count; i++)
			shots->shot[shots->count++] = &run->shot[i];
		return;
	}
	shots->shot[shots->count++] = &run->shot[0];
	for (size_t part = 1; part <= PARTS; part++) {
		size_t last = (count - 1) * part / PARTS, most = next;

		for (; next < last; next++)
			if (run->shot[next].bytes > run->shot[most].bytes)
				most = next;
		if (most < last)
			shots->shot[shots->count++] = &run->shot[most];
		shots->shot[shots->count++] = &run->shot[last];
		next = last + 1;
	}
}

/* The last look is a moment, too, unless the program went on behind it. */
static const struct file_look *last_moment(const struct shots *shots,
                                           const struct ledger_run *run)
{
	const struct ledger_look *last = look_when(run, FILE_LOOK_LAST);

	if (!last || !run->resident_count ||
	    (shots->count > 0 &&
	     shots->shot[shots->count - 1]->tsc > last->look->tsc))
		return NULL;
	return last->look;
}

/* The moments and all the columns are one piece of memory. */
static int make_room(struct shots *shots, const struct file_look *last)
{
	struct ledger *ledger = shots->ledger;
	size_t count = shots->count + (last != NULL);
	uint64_t *room =
		calloc((ledger->row_count + 3) * count + 1, sizeof(*room));

	if (!room)
		return 0;
	ledger->moment = room;
	ledger->moment_count = count;
	for (size_t i = 0; i < shots->count; i++)
		*room++ = ledger_time(ledger->run, shots->shot[i]->tsc);
	if (last)
		*room++ = ledger_time(ledger->run, last->tsc);
	ledger->goload_resident_at = room;
	ledger->gone_resident_at = room += count;
	for (size_t i = 0; i < ledger->row_count; i++)
		ledger->row[i].resident_at = room += count;
	return 1;
}

static void fill_last(struct ledger *ledger)
{
	size_t last = ledger->moment_count - 1;

	for (size_t i = 0; i < ledger->row_count; i++)
		ledger->row[i].resident_at[last] = ledger->row[i].resident;
	ledger->goload_resident_at[last] = ledger->goload_resident;
}

/* ---- whose the pages were ----------------------------------------------- */

static uint64_t *column_of(struct shots *shots, const struct space_piece *piece,
                           const struct ledger_event *given)
{
	const struct ledger *ledger = shots->ledger;
	struct claim claim;

	if (piece->what >= SPACE_OWN)
		return ledger->goload_resident_at;
	claim = kinds_claim(shots->kinds, piece, given);
	for (size_t i = 0; i < ledger->row_count; i++)
		if (strcmp(ledger->row[i].kind, claim.kind) == 0 &&
		    strcmp(ledger->row[i].owner, claim.owner) == 0)
			return ledger->row[i].resident_at;
	return ledger->gone_resident_at;
}

/* The same piece is there in many shots. */
static uint64_t *remember(struct shots *shots, const struct space_piece *piece,
                          const struct ledger_event *given)
{
	uint64_t hash = piece->start * 0x9e3779b97f4a7c15u;
	struct known *known = &shots->known[hash >> 40 & (KNOWN - 1)];

	if (!known->bytes || known->event != piece->event ||
	    known->given != given || known->start != piece->start ||
	    known->end != piece->end || known->prot != piece->prot ||
	    known->what != piece->what)
		*known = (struct known){
			.event = piece->event,
			.given = given,
			.start = piece->start,
			.end = piece->end,
			.prot = piece->prot,
			.what = piece->what,
			.bytes = column_of(shots, piece, given),
		};
	return known->bytes;
}

/* What is in `space` at the start of `part`, or NULL; the part ends where that
 * does. */
static const struct space_piece *find(const struct space *space,
                                      struct span *part)
{
	const struct space_piece *piece =
		space_get(space, space_seek(space, part->start));
	struct span span;

	if (!piece)
		return NULL;
	span = (struct span){ piece->start, piece->end };
	if (piece->start > part->start)
		span = (struct span){ part->start, piece->start };
	*part = span_cross(*part, span);
	return piece->start <= part->start ? piece : NULL;
}

/* No call tells of what the kernel maps and lets grow by itself, and the call
 * that maps the pages of the shot may not be over: then they are still there at
 * the end. */
static const struct space_piece *find_untold(const struct shots *shots,
                                             struct span *part)
{
	const struct space_piece *piece = find(shots->end, part);

	if (!piece || !piece->event ||
	    piece->event->event->tsc <= shots->shot[shots->next]->tsc)
		return piece;
	return NULL;
}

/* The column of the part's pages; the part ends where they are others'. */
static uint64_t *find_column(struct shots *shots, const struct replay *replay,
                             struct span *part)
{
	const struct space_piece *found = find(&replay->space, part), *name;
	struct space_piece piece;

	if (!found)
		found = find_untold(shots, part);
	name = find(&replay->given, part);
	if (!found)
		return shots->ledger->gone_resident_at;
	piece = *found;
	if (name) {
		struct span named =
			span_cross((struct span){ name->start, name->end },
		                   (struct span){ piece.start, piece.end });

		piece.offset += named.start - piece.start;
		piece.start = named.start;
		piece.end = named.end;
	}
	return remember(shots, &piece, name ? name->event : NULL);
}

static void spread(struct shots *shots, const struct replay *replay,
                   const struct file_resident *range)
{
	uint64_t size = range->end - range->start;
	struct span part = { range->start, range->end };

	for (; part.start < range->end; part.start = part.end) {
		uint64_t *column;

		part.end = range->end;
		column = find_column(shots, replay, &part);
		column[shots->next] += span_share(range->bytes, size,
		                                  part.end - range->start) -
		                       span_share(range->bytes, size,
		                                  part.start - range->start);
	}
}

void shots_until(struct shots *shots, const struct replay *replay, uint64_t tsc)
{
	for (;
	     shots->next < shots->count && shots->shot[shots->next]->tsc <= tsc;
	     shots->next++) {
		const struct ledger_shot *shot = shots->shot[shots->next];

		for (size_t i = 0; i < shot->count; i++)
			spread(shots, replay, &shot->range[i]);
	}
}

/* ---- the whole ---------------------------------------------------------- */

static int go_through(struct shots *shots)
{
	struct replay *replay = calloc(1, sizeof(*replay));
	int done;

	if (!replay)
		return 0;
	done = replay_shots(replay, shots->ledger->run, shots);
	shots_until(shots, replay, UINT64_MAX);
	replay_free(replay);
	free(replay);
	return done;
}

int shots_build(struct ledger *ledger, const struct space *end,
                struct kinds *kinds)
{
	struct shots *shots = calloc(1, sizeof(*shots));
	const struct file_look *last;
	int done;

	if (!shots)
		return 0;
	shots->ledger = ledger;
	shots->kinds = kinds;
	shots->end = end;
	choose(shots, ledger->run);
	last = last_moment(shots, ledger->run);
	done = make_room(shots, last);
	if (done && last)
		fill_last(ledger);
	if (done && shots->count > 0)
		done = go_through(shots);
	free(shots);
	return done;
}
