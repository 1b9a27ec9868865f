/*
 * The stacks behind a row: the account of one kind again, by the calls that
 * made its pieces and the frames that made these.
 *
 * A ledger keeps no pieces and no frames, so the run is replayed once more.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>
#include <string.h>

struct part {                             /* of the row */
	const struct ledger_event *event; /* NULL: the kernel made it */
	uint64_t reserved, committed;
	uint64_t end;
	uint8_t prot;
	int joined; /* to the one before: one mapping */
};

struct question {
	const struct ledger_row *row;
	struct kinds kinds;
	struct vector parts, stacks, frames;
	int failed;
};

/* ---- the parts ---------------------------------------------------------- */

/* What was mapped by no call of the program's has no stack. */
static const struct ledger_event *maker_of(const struct space_piece *piece)
{
	if (!piece->event || piece->event->event->call >= TRACE_FACT)
		return NULL;
	return piece->event;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* By call and stack. */
static int compare_stacks(const struct ledger_event *a,
                          const struct ledger_event *b)
{
	int order;

	if (!a || !b)
		return (a != NULL) - (b != NULL);
	order = compare_numbers(a->event->call, b->event->call);
	if (order == 0)
		order = compare_numbers(a->event->site, b->event->site);
	if (order == 0)
		order = compare_numbers(a->stack->count, b->stack->count);
	for (uint64_t i = 0; order == 0 && i < a->stack->count; i++)
		order = compare_numbers(a->stack->frame[i], b->stack->frame[i]);
	return order;
}

static int by_stack(const void *left, const void *right)
{
	const struct part *a = left, *b = right;
	int order = compare_stacks(a->event, b->event);

	if (order == 0 && a->event)
		order = compare_numbers(a->event->event->ticket,
		                        b->event->event->ticket);
	return order ? order : compare_numbers(a->end, b->end);
}

static void add_part(struct question *question, const struct space_piece *piece)
{
	const struct part *before = NULL;
	struct part part = {
		.event = maker_of(piece),
		.reserved = piece->prot ? 0 : space_size(piece),
		.committed = piece->prot ? space_size(piece) : 0,
		.end = piece->end,
		.prot = piece->prot,
	};
	struct part *added;

	if (question->parts.count > 0)
		before = (const struct part *)question->parts.item +
		         question->parts.count - 1;
	part.joined = before && before->end == piece->start &&
	              before->prot == piece->prot &&
	              compare_stacks(before->event, part.event) == 0;
	added = vector_add(&question->parts, sizeof(part));
	if (added)
		*added = part;
	question->failed |= !added;
}

/* One piece that has one name, if it is of the row. */
static void ask_piece(struct question *question,
                      const struct space_piece *piece,
                      const struct ledger_event *given)
{
	struct claim claim = kinds_claim(&question->kinds, piece, given);

	if (strcmp(claim.kind, question->row->kind) == 0 &&
	    strcmp(claim.owner, question->row->owner) == 0)
		add_part(question, piece);
}

/* The piece, cut where names begin and end, as for its row. */
static void ask_pieces(struct question *question, const struct space *given,
                       struct space_piece piece)
{
	uint64_t end = piece.end;

	while (piece.start < end) {
		const struct space_piece *name =
			space_get(given, space_seek(given, piece.start));
		int named = name && name->start <= piece.start;

		piece.end = end;
		if (named && name->end < end)
			piece.end = name->end;
		else if (name && !named && name->start < end)
			piece.end = name->start;
		ask_piece(question, &piece, named ? name->event : NULL);
		piece.offset += space_size(&piece);
		piece.start = piece.end;
	}
}

static void ask_space(struct question *question, const struct replay *replay)
{
	const struct space_piece *piece;
	struct space_at at = { 0 };

	while ((piece = space_get(&replay->space, at))) {
		if (piece->what < SPACE_OWN)
			ask_pieces(question, &replay->given, *piece);
		at = space_next(&replay->space, at);
	}
}

/* ---- the stacks --------------------------------------------------------- */

static const char *call_name(const struct ledger_event *event)
{
	static const struct {
		uint32_t call;
		const char *name;
	} names[] = {
		{ SYS_mmap, "mmap" },
		{ SYS_mremap, "mremap" },
		{ SYS_brk, "brk" },
		{ SYS_shmat, "shmat" },
		{ SYS_io_setup, "io_setup" },
		{ SYS_remap_file_pages, "remap_file_pages" },
		{ SYS_map_shadow_stack, "map_shadow_stack" },
	};

	if (!event)
		return NULL;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].call == event->event->call)
			return names[i].name;
	return "other";
}

static void add_frame(struct question *question, const struct name *name,
                      uint64_t address, int inlined)
{
	struct ledger_frame *frame =
		vector_add(&question->frames, sizeof(*frame));

	if (!frame) {
		question->failed = 1;
		return;
	}
	*frame = (struct ledger_frame){ name->place, address, inlined };
}

static void add_frames(struct question *question, uint64_t address)
{
	const struct name *name = names_get(&question->kinds.names, address);

	for (size_t i = 0; i < name->inlined_count; i++)
		add_frame(question, &name->inlined[i], address, 1);
	add_frame(question, name, address, 0);
}

/* The frames of all stacks stand in one array: until it has stopped growing,
 * a stack knows only how many are its own. */
static void add_stack(struct question *question,
                      const struct ledger_event *event)
{
	struct ledger_stack *stack =
		vector_add(&question->stacks, sizeof(*stack));
	size_t before = question->frames.count;

	if (!stack) {
		question->failed = 1;
		return;
	}
	*stack = (struct ledger_stack){ .call = call_name(event) };
	if (!event)
		return;
	stack->cut = !!(event->event->flags & TRACE_CUT);
	names_at(&question->kinds.names, question->kinds.run, event);
	if (event->event->site) /* the callee looks one byte before */
		add_frames(question, event->event->site + 1);
	for (uint64_t i = 0; i < event->stack->count; i++)
		add_frames(question, event->stack->frame[i]);
	stack->frame_count = question->frames.count - before;
}

static void sum_parts(struct question *question)
{
	struct part *part = question->parts.item;
	size_t count = question->parts.count;

	if (count > 0)
		qsort(part, count, sizeof(*part), by_stack);
	for (size_t i = 0; i < count && !question->failed; i++) {
		struct ledger_stack *stack;
		int first = i == 0 ||
		            compare_stacks(part[i - 1].event, part[i].event);

		if (first)
			add_stack(question, part[i].event);
		if (question->failed)
			return;
		stack = (struct ledger_stack *)question->stacks.item +
		        question->stacks.count - 1;
		stack->reserved += part[i].reserved;
		stack->committed += part[i].committed;
		stack->mappings += !part[i].joined;
		stack->calls += part[i].event &&
		                (first || part[i - 1].event != part[i].event);
	}
}

static int by_bytes(const void *left, const void *right)
{
	const struct ledger_stack *a = left, *b = right;
	int order = compare_numbers(b->reserved + b->committed,
	                            a->reserved + a->committed);

	if (order == 0)
		order = compare_numbers(b->mappings, a->mappings);
	return order ? order : compare_numbers(a->frame_count, b->frame_count);
}

static void hand_over(struct question *question, struct ledger_why *why)
{
	struct ledger_frame *frame = question->frames.item;

	why->stack = question->stacks.item;
	why->stack_count = question->stacks.count;
	why->frames = frame;
	for (size_t i = 0; i < why->stack_count; i++) {
		why->stack[i].frame = frame;
		frame += why->stack[i].frame_count;
	}
	if (why->stack_count > 0)
		qsort(why->stack, why->stack_count, sizeof(*why->stack),
		      by_bytes);
}

/* ---- the whole ---------------------------------------------------------- */

static int answer(struct question *question, struct replay *replay,
                  struct ledger *again, ledger_namer *namer, void *context)
{
	if (!replay_run(replay, again->run) || !check_run(replay, again) ||
	    !kinds_init(&question->kinds, again->run, namer, context))
		return 0;
	ask_space(question, replay);
	sum_parts(question);
	return !question->failed && !question->kinds.names.failed;
}

struct ledger_why *ledger_why(const struct ledger *ledger,
                              const struct ledger_row *row, ledger_namer *namer,
                              void *context)
{
	struct ledger_why *why = calloc(1, sizeof(*why));
	struct ledger *again = calloc(1, sizeof(*again));
	struct replay *replay = calloc(1, sizeof(*replay));
	struct question question = { .row = row };
	int done = 0;

	if (why && again && replay) {
		again->run = ledger->run;
		done = answer(&question, replay, again, namer, context);
		hand_over(&question, why);
		again->word = question.kinds.words.list.item;
		again->word_count = question.kinds.words.list.count;
		kinds_free(&question.kinds);
		replay_free(replay);
	}
	free(question.parts.item);
	free(replay);
	ledger_free(again);
	if (done)
		return why;
	ledger_why_free(why);
	return NULL;
}

void ledger_why_free(struct ledger_why *why)
{
	if (!why)
		return;
	free(why->stack);
	free(why->frames);
	free(why);
}
