/*
 * What a run has taken at most of everything that can have a limit, and what of
 * it is over the limits of a budget.
 *
 * Lives tell it for each moment: their beginnings and ends, in order of time,
 * are added up.  Calls of one nanosecond count together.
 */
#include "observer/report/budget_internal.h"

#include <stdlib.h>
#include <string.h>

const char *budget_name(enum budget_what what)
{
	static const char *const names[] = {
		[BUDGET_VM] = "vm",
		[BUDGET_RESERVED] = "reserved",
		[BUDGET_COMMITTED] = "committed",
		[BUDGET_RESIDENT] = "resident",
		[BUDGET_MAPPINGS] = "mappings",
		[BUDGET_KIND] = "kind",
	};

	return names[what];
}

/* ---- kinds -------------------------------------------------------------- */

static int is_own(const struct ledger_life *life)
{
	return strcmp(life->owner, "goload") == 0;
}

static int by_name(const void *left, const void *right)
{
	const struct budget_kind *a = left, *b = right;

	return strcmp(a->kind, b->kind);
}

const struct budget_kind *budget_kind_of(const struct budget_found *found,
                                         const char *kind)
{
	const struct budget_kind key = { .kind = kind };

	if (found->kinds == 0)
		return NULL;
	return bsearch(&key, found->kind, found->kinds, sizeof(key), by_name);
}

/* All of lives and, if there is such, of what is unexplained. */
static int list_kinds(struct budget_found *found)
{
	const struct ledger_lives *lives = found->lives;
	struct budget_kind *kind = calloc(lives->count + 1, sizeof(*kind));
	size_t count = 0, kinds = 0;

	if (!kind)
		return 0;
	for (size_t i = 0; i < lives->count; i++)
		if (!is_own(&lives->life[i]))
			kind[count++].kind = lives->life[i].kind;
	if (found->ledger->unexplained)
		kind[count++].kind = "unexplained";
	qsort(kind, count, sizeof(*kind), by_name);
	for (size_t i = 0; i < count; i++)
		if (kinds == 0 || strcmp(kind[kinds - 1].kind, kind[i].kind))
			kind[kinds++] = kind[i];
	found->kind = kind;
	found->kinds = kinds;
	return 1;
}

/* ---- peaks -------------------------------------------------------------- */

struct sums {
	struct budget_found *found;
	uint64_t total[BUDGET_TOTALS];
	uint64_t *kind; /* found->kinds of them */
};

static void add_life(struct sums *sums, const struct ledger_life *life,
                     int64_t sign)
{
	uint64_t bytes = (life->end - life->start) * (uint64_t)sign;
	const struct budget_kind *kind;

	if (is_own(life))
		return;
	kind = budget_kind_of(sums->found, life->kind);
	sums->kind[kind - sums->found->kind] += bytes;
	sums->total[BUDGET_VM] += bytes;
	sums->total[life->prot ? BUDGET_COMMITTED : BUDGET_RESERVED] += bytes;
}

static void raise_peak(struct budget_peak *peak, uint64_t value, uint64_t at)
{
	if (value > peak->value)
		*peak = (struct budget_peak){ value, at };
}

static void raise_peaks(struct sums *sums, uint64_t at)
{
	struct budget_found *found = sums->found;

	for (int i = BUDGET_VM; i <= BUDGET_COMMITTED; i++)
		raise_peak(&found->total[i], sums->total[i], at);
	for (size_t i = 0; i < found->kinds; i++)
		raise_peak(&found->kind[i].peak, sums->kind[i], at);
}

/* What is still so at the end is said of the end. */
static void settle_peak(struct budget_peak *peak, uint64_t value, uint64_t end)
{
	if (value >= peak->value)
		*peak = (struct budget_peak){ value, end };
}

static void settle_peaks(struct sums *sums)
{
	struct budget_found *found = sums->found;
	uint64_t end = found->ledger->duration;

	for (int i = BUDGET_VM; i <= BUDGET_COMMITTED; i++)
		settle_peak(&found->total[i], sums->total[i], end);
	for (size_t i = 0; i < found->kinds; i++)
		settle_peak(&found->kind[i].peak, sums->kind[i], end);
}

static int by_end(const void *left, const void *right)
{
	const struct ledger_life *a = *(const struct ledger_life *const *)left;
	const struct ledger_life *b = *(const struct ledger_life *const *)right;

	return (a->until > b->until) - (a->until < b->until);
}

/* Those that end before the end, in the order in which they do. */
static size_t list_ended(const struct ledger_lives *lives,
                         const struct ledger_life **ended)
{
	size_t count = 0;

	for (size_t i = 0; i < lives->count; i++)
		if (!lives->life[i].last)
			ended[count++] = &lives->life[i];
	qsort(ended, count, sizeof(*ended), by_end);
	return count;
}

static void sweep(struct sums *sums, const struct ledger_life **ended,
                  size_t count)
{
	const struct ledger_lives *lives = sums->found->lives;
	size_t gone = 0;

	for (size_t i = 0; i < lives->count; i++) {
		const struct ledger_life *life = &lives->life[i];

		for (; gone < count && ended[gone]->until <= life->from; gone++)
			add_life(sums, ended[gone], -1);
		add_life(sums, life, 1);
		if (i + 1 == lives->count || life[1].from != life->from)
			raise_peaks(sums, life->from);
	}
	for (; gone < count; gone++)
		add_life(sums, ended[gone], -1);
	settle_peaks(sums);
}

static int find_sizes(struct budget_found *found)
{
	struct sums sums = { .found = found };
	const struct ledger_life **ended =
		calloc(found->lives->count + 1, sizeof(*ended));
	int done;

	sums.kind = calloc(found->kinds + 1, sizeof(*sums.kind));
	done = ended && sums.kind;
	if (done)
		sweep(&sums, ended, list_ended(found->lives, ended));
	free(ended);
	free(sums.kind);
	return done;
}

/* What no event tells of is there at the end, as far as is known. */
static void add_unexplained(struct budget_found *found)
{
	uint64_t bytes = found->ledger->unexplained;
	struct budget_kind *kind;

	if (!bytes)
		return;
	kind = (struct budget_kind *)budget_kind_of(found, "unexplained");
	kind->peak = (struct budget_peak){ bytes, found->ledger->duration };
	found->total[BUDGET_VM].value += bytes;
}

static void find_resident(struct budget_found *found)
{
	const struct ledger *ledger = found->ledger;
	struct budget_peak *peak = &found->total[BUDGET_RESIDENT];

	for (size_t i = 0; i < ledger->point_count; i++)
		raise_peak(peak, ledger->point[i].resident, ledger->point[i].t);
	settle_peak(peak, ledger->resident, ledger->duration);
}

int budget_find(struct budget_found *found, const struct ledger *ledger,
                const struct ledger_lives *lives)
{
	*found = (struct budget_found){ .ledger = ledger, .lives = lives };
	if (!list_kinds(found))
		return 0;
	if (!find_sizes(found)) {
		budget_found_free(found);
		return 0;
	}
	add_unexplained(found);
	find_resident(found);
	found->total[BUDGET_MAPPINGS] =
		(struct budget_peak){ ledger->mappings, ledger->duration };
	return 1;
}

void budget_found_free(struct budget_found *found)
{
	free(found->kind);
	found->kind = NULL;
}

/* ---- the verdict -------------------------------------------------------- */

struct budget_peak budget_peak_of(const struct budget_found *found,
                                  const struct budget_limit *limit)
{
	const struct budget_kind *kind;

	if (limit->what != BUDGET_KIND)
		return found->total[limit->what];
	kind = budget_kind_of(found, limit->kind);
	return kind ? kind->peak
	            : (struct budget_peak){ 0, found->ledger->duration };
}

const struct budget_limit *budget_limit_of(const struct budget *budget,
                                           const char *kind)
{
	const struct budget_limit *lowest = NULL;

	for (size_t i = 0; i < budget->count; i++) {
		const struct budget_limit *limit = &budget->limit[i];

		if (limit->what == BUDGET_KIND &&
		    strcmp(limit->kind, kind) == 0 &&
		    (!lowest || limit->most < lowest->most))
			lowest = limit;
	}
	return lowest;
}

static void judge_kinds(struct budget_verdict *verdict)
{
	const struct budget_found *found = verdict->found;

	for (size_t i = 0; i < found->kinds; i++) {
		const struct budget_kind *kind = &found->kind[i];
		const struct budget_limit *limit =
			budget_limit_of(verdict->budget, kind->kind);

		if (limit ? kind->peak.value <= limit->most
		          : !verdict->budget->no_new_kinds)
			continue;
		verdict->excess[verdict->count++] = (struct budget_excess){
			.limit = limit,
			.what = BUDGET_KIND,
			.kind = kind->kind,
			.peak = kind->peak,
		};
	}
}

static void judge_totals(struct budget_verdict *verdict)
{
	const struct budget *budget = verdict->budget;

	for (size_t i = 0; i < budget->count; i++) {
		const struct budget_limit *limit = &budget->limit[i];
		struct budget_peak peak = budget_peak_of(verdict->found, limit);

		if (limit->what == BUDGET_KIND || peak.value <= limit->most)
			continue;
		verdict->excess[verdict->count++] = (struct budget_excess){
			.limit = limit,
			.what = limit->what,
			.peak = peak,
		};
	}
}

int budget_judge(struct budget_verdict *verdict, const struct budget *budget,
                 const struct budget_found *found)
{
	*verdict = (struct budget_verdict){ .budget = budget, .found = found };
	verdict->excess = calloc(budget->count + found->kinds + 1,
	                         sizeof(*verdict->excess));
	if (!verdict->excess)
		return 0;
	judge_kinds(verdict);
	judge_totals(verdict);
	if (budget_find_rows(verdict))
		return 1;
	budget_verdict_free(verdict);
	return 0;
}

void budget_verdict_free(struct budget_verdict *verdict)
{
	free(verdict->excess);
	verdict->excess = NULL;
}
