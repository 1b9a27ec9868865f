/*
 * The rows behind what is over a budget, as they were at the moment of the
 * excess, and the code that made them.
 *
 * A budget has no stacks of an earlier run to compare with: of a row those with
 * most bytes are told.
 */
#include "observer/report/budget_internal.h"

#include <stdlib.h>
#include <string.h>

static int is_alive(const struct budget_found *found,
                    const struct ledger_life *life, uint64_t at)
{
	if (at == found->ledger->duration)
		return life->last;
	return life->from <= at && (life->last || at < life->until);
}

/* ---- stacks ------------------------------------------------------------- */

/* The call that made it; NULL: no call of the program. */
static const struct ledger_event *call_of(const struct budget_stack *stack)
{
	return stack->calls ? stack->life->event : NULL;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* A run file has each stack once: its place tells it. */
static int by_stack(const void *left, const void *right)
{
	const struct ledger_event *a = call_of(left), *b = call_of(right);
	int order;

	if (!a || !b)
		return (a != NULL) - (b != NULL);
	order = compare_numbers((uintptr_t)a->stack, (uintptr_t)b->stack);
	if (order == 0)
		order = compare_numbers(a->event->site, b->event->site);
	if (order == 0)
		order = compare_numbers(a->event->call, b->event->call);
	return order;
}

static int by_stack_and_call(const void *left, const void *right)
{
	int order = by_stack(left, right);

	return order ? order
	             : compare_numbers((uintptr_t)call_of(left),
	                               (uintptr_t)call_of(right));
}

static int by_bytes(const void *left, const void *right)
{
	const struct budget_stack *a = left, *b = right;
	int order = compare_numbers(b->bytes, a->bytes);

	return order ? order : compare_numbers(a->life->start, b->life->start);
}

static size_t list_stacks(const struct budget_found *found, const char *kind,
                          uint64_t at, struct budget_stack *stack)
{
	size_t count = 0;

	for (size_t i = 0; i < found->lives->count; i++) {
		const struct ledger_life *life = &found->lives->life[i];
		const struct ledger_event *event = life->event;

		if (strcmp(life->kind, kind) == 0 && is_alive(found, life, at))
			stack[count++] = (struct budget_stack){
				.life = life,
				.bytes = life->end - life->start,
				.calls = event &&
				         event->event->call < TRACE_FACT,
			};
	}
	qsort(stack, count, sizeof(*stack), by_stack_and_call);
	return count;
}

static size_t join_stacks(struct budget_stack *stack, size_t count)
{
	const struct ledger_event *last = NULL;
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		const struct budget_stack next = stack[i];
		struct budget_stack *same = kept ? &stack[kept - 1] : NULL;

		if (same && by_stack(same, &next) == 0) {
			same->bytes += next.bytes;
			same->calls += call_of(&next) != last;
		} else {
			stack[kept++] = next;
		}
		last = call_of(&next);
	}
	qsort(stack, kept, sizeof(*stack), by_bytes);
	return kept;
}

static int find_stacks(const struct budget_found *found, struct budget_row *row,
                       uint64_t at)
{
	struct budget_stack *stack =
		calloc(found->lives->count + 1, sizeof(*stack));
	size_t count;

	if (!stack)
		return 0;
	count = join_stacks(stack, list_stacks(found, row->kind, at, stack));
	row->stacks = count < BUDGET_STACKS ? count : BUDGET_STACKS;
	row->more = count - row->stacks;
	memcpy(row->stack, stack, row->stacks * sizeof(*stack));
	free(stack);
	return 1;
}

/* ---- rows --------------------------------------------------------------- */

static int counts(enum budget_what what, const struct ledger_life *life)
{
	return what == BUDGET_VM || what == BUDGET_KIND ||
	       (what == BUDGET_COMMITTED) == (life->prot != 0);
}

static void add_lives(const struct budget_found *found, enum budget_what what,
                      uint64_t at, uint64_t *value)
{
	for (size_t i = 0; i < found->lives->count; i++) {
		const struct ledger_life *life = &found->lives->life[i];
		const struct budget_kind *kind =
			budget_kind_of(found, life->kind);

		if (kind && is_alive(found, life, at) && counts(what, life))
			value[kind - found->kind] += life->end - life->start;
	}
}

/* The last moment up to then at which it is known what rows had resident. */
static uint64_t resident_of(const struct ledger *ledger,
                            const struct ledger_row *row, uint64_t at)
{
	uint64_t resident = row->resident;

	if (at == ledger->duration)
		return resident;
	for (size_t i = 0; i < ledger->moment_count; i++)
		if (i == 0 || ledger->moment[i] <= at)
			resident = row->resident_at[i];
	return resident;
}

static void add_ledger_rows(const struct budget_found *found,
                            enum budget_what what, uint64_t at, uint64_t *value)
{
	const struct ledger *ledger = found->ledger;

	for (size_t i = 0; i < ledger->row_count; i++) {
		const struct ledger_row *row = &ledger->row[i];
		const struct budget_kind *kind =
			budget_kind_of(found, row->kind);

		if (kind)
			value[kind - found->kind] +=
				what == BUDGET_MAPPINGS
					? row->mappings
					: resident_of(ledger, row, at);
	}
}

static int is_grown(const struct budget_verdict *verdict, const char *kind)
{
	for (size_t i = 0; i < verdict->count; i++)
		if (verdict->excess[i].what == BUDGET_KIND &&
		    strcmp(verdict->excess[i].kind, kind) == 0)
			return 1;
	return 0;
}

/* The kind with the most that has no row yet; NULL: there is none. */
static const struct budget_kind *next_kind(const struct budget_verdict *verdict,
                                           const uint64_t *value, int grown)
{
	const struct budget_found *found = verdict->found;
	const struct budget_kind *next = NULL;

	for (size_t i = 0; i < found->kinds; i++)
		if (value[i] > 0 &&
		    (!next || value[i] > value[next - found->kind]) &&
		    (!grown || is_grown(verdict, found->kind[i].kind)))
			next = &found->kind[i];
	return next;
}

static int add_row(const struct budget_found *found,
                   struct budget_excess *excess, const char *kind,
                   uint64_t value)
{
	struct budget_row *row = &excess->row[excess->rows++];

	*row = (struct budget_row){ .kind = kind, .value = value };
	return find_stacks(found, row, excess->peak.at);
}

static int find_rows(const struct budget_verdict *verdict,
                     struct budget_excess *excess, uint64_t *value)
{
	const struct budget_found *found = verdict->found;
	const struct budget_kind *kind;

	if (excess->what == BUDGET_RESIDENT || excess->what == BUDGET_MAPPINGS)
		add_ledger_rows(found, excess->what, excess->peak.at, value);
	else
		add_lives(found, excess->what, excess->peak.at, value);
	excess->grown = next_kind(verdict, value, 1) != NULL;
	while (excess->rows < BUDGET_ROWS &&
	       (kind = next_kind(verdict, value, excess->grown))) {
		if (!add_row(found, excess, kind->kind,
		             value[kind - found->kind]))
			return 0;
		value[kind - found->kind] = 0;
	}
	return 1;
}

int budget_find_rows(struct budget_verdict *verdict)
{
	for (size_t i = 0; i < verdict->count; i++) {
		struct budget_excess *excess = &verdict->excess[i];
		uint64_t *value;
		int done;

		if (excess->what == BUDGET_KIND) {
			if (!add_row(verdict->found, excess, excess->kind,
			             excess->peak.value))
				return 0;
			continue;
		}
		value = calloc(verdict->found->kinds + 1, sizeof(*value));
		done = value && find_rows(verdict, excess, value);
		free(value);
		if (!done)
			return 0;
	}
	return 1;
}

/* ---- whose code --------------------------------------------------------- */

/* The directory that the Go distribution's packages are in, as a file of the
 * runtime tells: empty when none does (-trimpath). */
struct root {
	const char *path;
	size_t size;
};

static struct root find_root(const struct ledger_frame *frame, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct ledger_place *place = &frame[i].place;
		const char *at;

		if (!place->function || !place->file ||
		    strncmp(place->function, "runtime.", 8) != 0)
			continue;
		at = strstr(place->file, "/runtime/");
		if (at)
			return (struct root){ place->file,
				              (size_t)(at + 1 - place->file) };
	}
	return (struct root){ "", 0 };
}

/* Import paths of others begin with a host's name, by custom; a program's own
 * package is main. */
static int is_go_package(const char *function)
{
	size_t first = strcspn(function, "/");

	if (strncmp(function, "main.", 5) == 0)
		return 0;
	return !function[first] || !memchr(function, '.', first);
}

static int is_own_place(const struct ledger_place *place, struct root root)
{
	const char *name;

	if (!place->function || !place->file || place->line <= 0)
		return 0;
	if (place->go && root.size)
		return strncmp(place->file, root.path, root.size) != 0;
	if (place->go)
		return !is_go_package(place->function);
	name = place->module ? units_base_name(place->module->path) : "";
	return !ledger_is_libc(name, strlen(name));
}

size_t budget_frames(const struct budget_verdict *verdict,
                     const struct budget_stack *stack,
                     const struct ledger_frame **first)
{
	*first = NULL;
	if (!call_of(stack) || !verdict->frames)
		return 0;
	return ledger_frames_of(verdict->frames, call_of(stack), first);
}

const struct ledger_place *budget_own_place(
	const struct budget_verdict *verdict, const struct budget_stack *stack)
{
	const struct ledger_frame *frame;
	struct root root;
	size_t count;

	count = budget_frames(verdict, stack, &frame);
	root = find_root(frame, count);
	for (size_t i = 0; i < count; i++)
		if (is_own_place(&frame[i].place, root))
			return &frame[i].place;
	return NULL;
}
