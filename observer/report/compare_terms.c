/*
 * A difference as a sum of terms, exact to the byte.
 *
 * What comes in equal units is counted: thread stacks, malloc arenas, arenas of
 * the Go heap; a thread that brings a stack and an arena is one thing.  The
 * segments of a library are one term, any other row is one.  A product is
 * exact, or there is none.
 */
#include "observer/report/compare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TELL       8 /* terms that have a name */
#define HEAP_ARENA (64ull << 20)

struct term {
	const char *name; /* `size` bytes of it */
	int size;
	const char *owner; /* where the name alone does not tell, or NULL */
	int64_t bytes;
	uint64_t count; /* of `unit` bytes each, and of `second`; 0: no such */
	uint64_t unit, second;
	size_t rows;
	int library; /* all segments of one */
};

struct terms {
	const struct pairs *pairs;
	enum metric metric;
	struct term *term;
	size_t count;
};

/* ---- how many ------------------------------------------------------------ */

static int is_libcs(const struct row_key *key, const char *kind)
{
	return strcmp(key->owner, "libc") == 0 && strcmp(key->kind, kind) == 0;
}

int row_is_counted(const struct row_key *key)
{
	return is_libcs(key, "malloc arena") || is_libcs(key, "thread stack");
}

/* Bytes of each thing that one side's row is made of, or 0. */
static uint64_t whole_unit(const struct row_cell *cell)
{
	return things_unit(&(struct things){ .count = cell->makes,
	                                     .bytes = cell->bytes[VM_SIZE],
	                                     .largest = cell->largest });
}

static int is_power_of_two(uint64_t size)
{
	return size != 0 && (size & (size - 1)) == 0;
}

/* Of a stack all but the guard is committed, from the beginning.  How much of
 * each arena is, nothing tells. */
static uint64_t unit_of(const struct row_cell *cell, enum metric metric)
{
	uint64_t whole = whole_unit(cell);
	uint64_t committed = whole ? cell->bytes[COMMITTED] / cell->makes : 0;

	if (metric == VM_SIZE)
		return whole;
	if (!whole || !is_power_of_two(committed) || is_power_of_two(whole))
		return 0;
	return metric == COMMITTED  ? committed
	       : metric == RESERVED ? whole - committed
	                            : 0;
}

/* The size of the equal things that the difference consists of, or 0. */
static uint64_t common_unit(const struct pair *pair, enum metric metric)
{
	uint64_t a = unit_of(pair->of[A], metric);
	uint64_t b = unit_of(pair->of[B], metric);

	if (!pair->of[A]->bytes[VM_SIZE])
		return b;
	if (!pair->of[B]->bytes[VM_SIZE])
		return a;
	return a == b ? a : 0;
}

const char *pair_why(const struct pair *pair, char text[static PAIR_WHY])
{
	int counted = row_is_counted(pair->key);
	const uint64_t number[SIDES] = {
		counted ? pair->of[A]->makes : pair->of[A]->mappings,
		counted ? pair->of[B]->makes : pair->of[B]->mappings,
	};
	uint64_t unit = counted ? common_unit(pair, VM_SIZE) : 0;
	uint64_t more = number[A] < number[B] ? number[B] - number[A]
	                                      : number[A] - number[B];
	char count[UNITS_TEXT], size[UNITS_EXACT];

	if (more == 0)
		return NULL;
	units_count(count, more);
	if (unit)
		snprintf(text, PAIR_WHY, "%s x %s", count,
		         units_exact(size, unit));
	else
		snprintf(text, PAIR_WHY, "%s %s%s", count,
		         counted     ? ""
		         : more == 1 ? "mapping "
		                     : "mappings ",
		         number[A] < number[B] ? "more" : "fewer");
	return text;
}

/* ---- the terms ----------------------------------------------------------- */

/* "libc.so.6" of "libc.so.6 text": its length; 0 when it is no library's. */
static int library_size(const struct row_key *key)
{
	size_t size = strlen(key->kind);

	if (strcmp(key->owner, "libc") != 0 &&
	    strcmp(key->owner, "library") != 0)
		return 0;
	if (size > 5 && (strcmp(key->kind + size - 5, " text") == 0 ||
	                 strcmp(key->kind + size - 5, " data") == 0))
		return (int)size - 5;
	return 0;
}

static struct term *find_library(const struct terms *terms, const char *name,
                                 int size)
{
	for (size_t i = 0; i < terms->count; i++)
		if (terms->term[i].library && terms->term[i].size == size &&
		    memcmp(terms->term[i].name, name, (size_t)size) == 0)
			return &terms->term[i];
	return NULL;
}

static int has_namesake(const struct terms *terms, const struct pair *as)
{
	for (size_t i = 0; i < terms->pairs->count; i++) {
		const struct pair *pair = &terms->pairs->pair[i];

		if (pair != as && pair_difference(pair, terms->metric) != 0 &&
		    strcmp(pair->key->kind, as->key->kind) == 0)
			return 1;
	}
	return 0;
}

/* A count when the product is the whole difference. */
static void count_units(struct term *term, uint64_t unit, const char *name)
{
	uint64_t bytes = (uint64_t)llabs(term->bytes);

	if (!unit || bytes % unit)
		return;
	term->count = bytes / unit;
	term->unit = unit;
	term->name = name;
	term->size = (int)strlen(name);
}

static int is_heap(const struct terms *terms, const struct pair *pair)
{
	return terms->metric == VM_SIZE &&
	       strcmp(pair->key->owner, "Go runtime") == 0 &&
	       strcmp(pair->key->kind, "heap") == 0 &&
	       pair_bytes(pair, A, VM_SIZE) % HEAP_ARENA == 0 &&
	       pair_bytes(pair, B, VM_SIZE) % HEAP_ARENA == 0;
}

static void add_term(struct terms *terms, const struct pair *pair)
{
	int size = library_size(pair->key);
	struct term *term =
		size ? find_library(terms, pair->key->kind, size) : NULL;

	if (term) {
		term->bytes += pair_difference(pair, terms->metric);
		term->rows++;
		return;
	}
	term = &terms->term[terms->count++];
	*term = (struct term){ .name = pair->key->kind,
		               .size = (int)strlen(pair->key->kind),
		               .bytes = pair_difference(pair, terms->metric),
		               .rows = 1,
		               .library = size != 0 };
	if (size)
		term->size = size;
	else if (is_libcs(pair->key, "thread stack"))
		count_units(term, common_unit(pair, terms->metric),
		            "thread stack");
	else if (is_libcs(pair->key, "malloc arena"))
		count_units(term, common_unit(pair, terms->metric),
		            "malloc arena");
	else if (is_heap(terms, pair))
		count_units(term, HEAP_ARENA, "heap arena");
	else if (has_namesake(terms, pair))
		term->owner = pair->key->owner;
}

static struct term *counted_term(const struct terms *terms, const char *name)
{
	for (size_t i = 0; i < terms->count; i++)
		if (terms->term[i].count &&
		    strcmp(terms->term[i].name, name) == 0)
			return &terms->term[i];
	return NULL;
}

static void take_away(struct term *term, uint64_t count)
{
	int64_t bytes = (int64_t)(count * term->unit);

	term->count -= count;
	term->bytes += term->bytes > 0 ? -bytes : bytes;
	if (term->count == 0)
		term->rows = 0;
}

/* As many stacks as arenas more are threads; what is left of either stays. */
static void pair_threads(struct terms *terms)
{
	struct term *stack = counted_term(terms, "thread stack");
	struct term *arena = counted_term(terms, "malloc arena");
	struct term *both = &terms->term[terms->count];
	uint64_t count;

	if (!stack || !arena || (stack->bytes > 0) != (arena->bytes > 0))
		return;
	count = stack->count < arena->count ? stack->count : arena->count;
	*both = (struct term){ .name = "thread",
		               .size = 6,
		               .count = count,
		               .unit = stack->unit,
		               .second = arena->unit,
		               .rows = (stack->count == count) +
		                       (arena->count == count) };
	both->bytes = (int64_t)(count * (stack->unit + arena->unit));
	if (stack->bytes < 0)
		both->bytes = -both->bytes;
	take_away(stack, count);
	take_away(arena, count);
	terms->count++;
}

static int by_bytes(const void *left, const void *right)
{
	const struct term *a = left, *b = right;
	int64_t from = llabs(a->bytes), to = llabs(b->bytes);

	if (from != to)
		return from < to ? 1 : -1;
	return strcmp(a->name, b->name);
}

static int make_terms(struct terms *terms)
{
	const struct pairs *pairs = terms->pairs;

	terms->term = calloc(pairs->count + 1, sizeof(*terms->term));
	if (!terms->term)
		return 0;
	for (size_t i = 0; i < pairs->count; i++)
		if (pair_difference(&pairs->pair[i], terms->metric) != 0)
			add_term(terms, &pairs->pair[i]);
	pair_threads(terms);
	qsort(terms->term, terms->count, sizeof(*terms->term), by_bytes);
	while (terms->count && terms->term[terms->count - 1].bytes == 0)
		terms->count--;
	return 1;
}

/* ---- in words ------------------------------------------------------------ */

/* In KiB where all are whole ones, or in bytes. */
static uint64_t scale_of(const struct terms *terms)
{
	for (size_t i = 0; i < terms->count; i++)
		if (terms->term[i].bytes % 1024 || terms->term[i].unit % 1024 ||
		    terms->term[i].second % 1024)
			return 1;
	return 1024;
}

static void write_number(FILE *out, uint64_t bytes, uint64_t scale)
{
	char text[UNITS_TEXT];

	fputs(units_count(text, bytes / scale), out);
}

static void write_name(FILE *out, const struct term *term)
{
	for (int i = 0; i < term->size; i++)
		putc((unsigned char)term->name[i] < 32 || term->name[i] == 127
		             ? '?'
		             : term->name[i],
		     out);
	if (term->owner) {
		fputs(" (", out);
		units_print(out, term->owner);
		putc(')', out);
	}
}

static void write_term(FILE *out, const struct term *term, uint64_t scale)
{
	if (!term->count) {
		write_name(out, term);
		putc(' ', out);
		write_number(out, (uint64_t)llabs(term->bytes), scale);
		return;
	}
	write_number(out, term->count, 1);
	putc(' ', out);
	write_name(out, term);
	fputs(term->count == 1 ? " x " : "s x ", out);
	if (term->second)
		putc('(', out);
	write_number(out, term->unit, scale);
	if (term->second) {
		fputs(" + ", out);
		write_number(out, term->second, scale);
		putc(')', out);
	}
}

static void write_sign(FILE *out, int64_t bytes, int first)
{
	if (first)
		fputs(bytes < 0 ? "- " : "", out);
	else
		fputs(bytes < 0 ? " - " : " + ", out);
}

/* The terms behind the TELLth as one; of a single one its name says more. */
static void write_terms(FILE *out, const struct terms *terms, uint64_t scale)
{
	struct term rest = { .bytes = 0 };

	for (size_t i = 0; i < terms->count; i++) {
		const struct term *term = &terms->term[i];

		if (i >= TELL && terms->count > TELL + 1) {
			rest.bytes += term->bytes;
			rest.rows += term->rows;
			continue;
		}
		write_sign(out, term->bytes, i == 0);
		write_term(out, term, scale);
	}
	if (!rest.rows)
		return;
	write_sign(out, rest.bytes, 0);
	fprintf(out, "other %zu rows ", rest.rows);
	write_number(out, (uint64_t)llabs(rest.bytes), scale);
}

static void write_sum(FILE *out, const struct terms *terms)
{
	int64_t sum = total_difference(terms->pairs, terms->metric);
	uint64_t scale = scale_of(terms);

	if (sum == 0 && terms->count == 0) {
		fputs("no difference", out);
		return;
	}
	fputs(sum < 0 ? "-" : sum > 0 ? "+" : "", out);
	write_number(out, (uint64_t)llabs(sum), scale);
	fputs(scale == 1 ? " B: " : " KiB: ", out);
	write_terms(out, terms, scale);
}

char *terms_text(const struct pairs *pairs, enum metric metric)
{
	struct terms terms = { .pairs = pairs, .metric = metric };
	char *text = NULL;
	size_t size;
	FILE *out;

	if (!metric_by_row(pairs, metric))
		return strdup("");
	out = make_terms(&terms) ? open_memstream(&text, &size) : NULL;
	if (out) {
		write_sum(out, &terms);
		if (fclose(out) != 0) {
			free(text);
			text = NULL;
		}
	}
	free(terms.term);
	return text;
}
