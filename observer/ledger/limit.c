/*
 * What a limit of memory hits: the calls that it made fail, in a run under it;
 * and in a run without it, what would not have fitted.
 */
#include "observer/ledger/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- calls that failed --------------------------------------------------- */

/* What a call would have made; of 0 bytes when it lacked no memory.  brk does
 * not say ENOMEM: it stays where it is. */
static struct space_piece wanted(const struct ledger_event *from, uint64_t page)
{
	const struct trace_event *event = from->event;
	const uint64_t *args = event->args;
	struct space_piece piece = { .event = from, .prot = args[2] & 7 };
	uint64_t size = args[1];

	switch (event->call) {
	case SYS_brk:
		if (!args[0] || event->result >= args[0])
			return piece;
		piece.start = event->result;
		size = args[0] - event->result;
		piece.prot = PROT_READ | PROT_WRITE;
		piece.flags = MAP_PRIVATE | MAP_ANONYMOUS;
		piece.what = TRACE_WHAT_BRK;
		break;
	case SYS_mmap:
		piece.start = args[3] & MAP_FIXED ? args[0] : 0;
		piece.flags = (uint32_t)args[3];
		break;
	case SYS_mremap:
		size = args[2] > args[1] ? args[2] - args[1] : 0;
		piece.prot = PROT_READ | PROT_WRITE;
		piece.flags = MAP_PRIVATE | MAP_ANONYMOUS;
		break;
	case SYS_mprotect:
		piece.start = args[0];
		piece.flags = MAP_PRIVATE | MAP_ANONYMOUS;
		break;
	default:
		size = 0;
	}
	if (event->call != SYS_brk && event->result != (uint64_t)-ENOMEM)
		size = 0;
	piece.end = piece.start + ((size + page - 1) & -page);
	return piece;
}

static int add_refused(struct kinds *kinds, const struct space_piece *piece,
                       struct vector *list)
{
	struct ledger_refused *refused = vector_add(list, sizeof(*refused));
	struct claim claim = kinds_claim(kinds, piece, NULL);

	if (!refused)
		return 0;
	*refused = (struct ledger_refused){
		.event = piece->event,
		.kind = claim.kind,
		.owner = claim.owner,
		.site = { claim.place, claim.address, space_size(piece),
		          claim.at_start },
	};
	return 1;
}

static int find_refused(const struct ledger_run *run, struct kinds *kinds,
                        struct vector *list)
{
	for (size_t i = 0; i < run->event_count; i++) {
		struct space_piece piece =
			wanted(&run->event[i], run->page_size);

		if (space_size(&piece) && !add_refused(kinds, &piece, list))
			return 0;
	}
	return 1;
}

struct ledger_refusals *ledger_refusals(const struct ledger_run *run,
                                        ledger_namer *namer, void *context)
{
	struct ledger_refusals *refusals = calloc(1, sizeof(*refusals));
	struct vector list = { 0 };
	struct kinds kinds;
	int done;

	if (!refusals)
		return NULL;
	done = kinds_init(&kinds, run, namer, context) &&
	       find_refused(run, &kinds, &list) && !kinds.names.failed;
	refusals->refused = list.item;
	refusals->count = list.count;
	refusals->word = kinds.words.list.item;
	refusals->word_count = kinds.words.list.count;
	kinds_free(&kinds);
	if (done)
		return refusals;
	ledger_refusals_free(refusals);
	return NULL;
}

void ledger_refusals_free(struct ledger_refusals *refusals)
{
	if (!refusals)
		return;
	for (size_t i = 0; i < refusals->word_count; i++)
		free(refusals->word[i]);
	free(refusals->word);
	free(refusals->refused);
	free(refusals);
}

/* ---- what would not have fitted ------------------------------------------ */

/* What a mapping counts against a limit; data is what the kernel takes for it
 * (is_data_mapping()). */
static uint64_t weight(const struct ledger_life *life, enum ledger_limit limit)
{
	if (limit == LEDGER_DATA &&
	    (!(life->prot & PROT_WRITE) ||
	     life->flags & (MAP_SHARED | MAP_GROWSDOWN)))
		return 0;
	return life->end - life->start;
}

static int is_own(const struct ledger_life *life)
{
	return strcmp(life->owner, "goload") == 0;
}

static int by_end(const void *left, const void *right)
{
	const struct ledger_life *a = *(const struct ledger_life *const *)left;
	const struct ledger_life *b = *(const struct ledger_life *const *)right;

	return (a->until > b->until) - (a->until < b->until);
}

int ledger_strain(const struct ledger_lives *lives, enum ledger_limit limit,
                  uint64_t bytes, struct ledger_strain *strain)
{
	const struct ledger_life **ended =
		calloc(lives->count + 1, sizeof(*ended));
	uint64_t size = 0;
	size_t count = 0, gone = 0;

	*strain = (struct ledger_strain){ 0 };
	if (!ended)
		return 0;
	for (size_t i = 0; i < lives->count; i++)
		if (!lives->life[i].last && !is_own(&lives->life[i]))
			ended[count++] = &lives->life[i];
	qsort(ended, count, sizeof(*ended), by_end);
	for (size_t i = 0; i < lives->count; i++) {
		const struct ledger_life *life = &lives->life[i];

		if (is_own(life)) {
			strain->own += life->last ? weight(life, limit) : 0;
			continue;
		}
		for (; gone < count && ended[gone]->until <= life->from; gone++)
			size -= weight(ended[gone], limit);
		size += weight(life, limit);
		if (size > strain->peak)
			strain->peak = size;
		if (size > bytes && !strain->over)
			strain->over = life;
	}
	free(ended);
	return 1;
}
