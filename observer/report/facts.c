/*
 * What the explanation and the table need to know of rows: which parts of them
 * make up a sum, and whether things that there are many of are all equal.
 */
#include "observer/report/internal.h"

#include <string.h>

#define ARENA (64ull << 20)  /* what glibc reserves for one */
#define FRESH (132ull << 10) /* what it commits of that at first */

static int is_of(const struct ledger_row *row, const char *owner)
{
	return strcmp(row->owner, owner) == 0;
}

static int is_libcs(const struct ledger_row *row, const char *kind)
{
	return is_of(row, "libc") && strcmp(row->kind, kind) == 0;
}

static int ends(const char *text, const char *with)
{
	size_t size = strlen(text), end = strlen(with);

	return size >= end && strcmp(text + size - end, with) == 0;
}

static uint64_t size_of(const struct ledger_row *row)
{
	return row->reserved + row->committed;
}

int row_is_go(const struct ledger_row *row)
{
	return is_of(row, "Go runtime");
}

int row_is_library(const struct ledger_row *row)
{
	return (is_of(row, "libc") || is_of(row, "library")) &&
	       (ends(row->kind, " text") || ends(row->kind, " data"));
}

/* ---- parts -------------------------------------------------------------- */

uint64_t part_reserved(const struct ledger_row *row)
{
	return row->reserved;
}

/* The Go runtime keeps no statistic of some of its own memory. */
uint64_t part_uncounted(const struct ledger_row *row)
{
	static const char *const kinds[] = {
		"heap index",
		"debug log",
		"getrandom states",
	};

	if (!row_is_go(row))
		return row->committed;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(row->kind, kinds[i]) == 0)
			return row->committed;
	return 0;
}

uint64_t part_libc(const struct ledger_row *row)
{
	if ((!is_of(row, "libc") && !is_of(row, "library")) ||
	    is_libcs(row, "thread stack") || is_libcs(row, "malloc arena"))
		return 0;
	return size_of(row);
}

uint64_t part_sanitizer(const struct ledger_row *row)
{
	return is_of(row, "sanitizer") ? size_of(row) : 0;
}

static int order(const struct ledger_row *a, const struct ledger_row *b,
                 row_part *part)
{
	if (part(a) != part(b))
		return part(a) > part(b) ? -1 : 1;
	return (a > b) - (a < b);
}

const struct ledger_row *part_next(const struct ledger *ledger, row_part *part,
                                   const struct ledger_row *last)
{
	const struct ledger_row *next = NULL;

	for (size_t i = 0; i < ledger->row_count; i++) {
		const struct ledger_row *row = &ledger->row[i];

		if (part(row) == 0 || (last && order(row, last, part) <= 0))
			continue;
		if (!next || order(row, next, part) < 0)
			next = row;
	}
	return next;
}

struct part_sum part_sum(const struct ledger *ledger, row_part *part)
{
	struct part_sum sum = { 0 };

	for (size_t i = 0; i < ledger->row_count; i++) {
		sum.bytes += part(&ledger->row[i]);
		sum.rows += part(&ledger->row[i]) > 0;
	}
	return sum;
}

/* ---- facts -------------------------------------------------------------- */

const struct ledger_site *row_reserver(const struct ledger_row *row)
{
	const struct ledger_site *found = NULL;

	for (size_t i = 0; i < row->site_count; i++) {
		if (row->site[i].bytes != row->reserved)
			continue;
		if (found)
			return NULL;
		found = &row->site[i];
	}
	return found;
}

uint64_t things_unit(const struct things *things)
{
	return things->largest * things->count == things->bytes
	               ? things->largest
	               : 0;
}

static void add_things(struct things *things, const struct ledger_row *row)
{
	things->count += row->makes;
	things->bytes += size_of(row);
	things->committed += row->committed;
	if (things->largest < row->largest)
		things->largest = row->largest;
}

static void add_row(struct facts *facts, const struct ledger_row *row)
{
	const struct ledger_site *site = row_reserver(row);

	if (is_libcs(row, "thread stack"))
		add_things(&facts->stacks, row);
	if (is_libcs(row, "malloc arena"))
		add_things(&facts->arenas, row);
	facts->libraries += row_is_library(row) && ends(row->kind, " text");
	facts->returned += row->returned;
	facts->came_back += row->came_back;
	if (!row_is_go(row) || row->reserved == 0)
		return;
	facts->go_reserved += row->reserved;
	facts->at_start &= site && site->at_start;
}

struct facts facts_of(const struct ledger *ledger)
{
	struct facts facts = { .ledger = ledger, .at_start = 1 };

	for (size_t i = 0; i < ledger->row_count; i++)
		add_row(&facts, &ledger->row[i]);
	facts.at_start &= facts.go_reserved > 0;
	facts.glibc = things_unit(&facts.arenas) == ARENA;
	facts.fresh = facts.arenas.committed <= facts.arenas.count * FRESH;
	return facts;
}
