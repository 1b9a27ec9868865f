/*
 * compare - what the files of goload compare share: never included elsewhere.
 *
 *   compare.c           ledgers come in, are kept as far as they are compared
 *   compare_pairs.c     two runs side by side: their rows, joined
 *   compare_terms.c     a difference as a sum of terms: "4 threads x (...)"
 *   compare_spread.c    what is the same in every run, and what varies
 *   compare_go.c        what changed from one Go to another
 *   compare_words.c     the sentences that all formats have
 *   compare_text.c      the screen
 *   compare_json.c      the document
 *   compare_markdown.c  what a comment of a pull request can hold
 *   compare_html.c      the page
 */
#ifndef OBSERVER_REPORT_COMPARE_H
#define OBSERVER_REPORT_COMPARE_H

#include "observer/report/internal.h"

enum { A = REPORT_A, B = REPORT_B, SIDES };

enum metric { VM_SIZE, COMMITTED, RESERVED, RESIDENT, PEAK, METRICS };

/* A row's name: once for all runs. */
struct row_key {
	char *kind, *owner;
	int last; /* 1: goload itself, 2: unexplained; behind the target's */
};

/* What a row comes to in one run. */
struct row_cell {
	uint64_t bytes[METRICS];
	uint64_t mappings, makes, largest;
};

struct side_run {
	uint64_t total[METRICS];
	uint64_t target, goload, unexplained, goload_resident, mappings;
	struct row_cell *cell; /* by key; those behind `cells` are 0 */
	size_t cells;
	int checked;
	int peak_by_row; /* the cells have what each was at the peak */
	int cut; /* its writing did not go on to the end */
};

struct side {
	char *path, *go_version, *build_id; /* the last two may be NULL */
	const char *linkage;
	int stripped;
	struct side_run *run;
	size_t count;
	size_t median; /* the run in the middle, by VmSize */
};

struct report_compare {
	struct side side[SIDES];
	struct row_key *key;
	size_t keys;
	char *what_if; /* B is A with these settings, or NULL */
};

/* The cell of a run; one of 0s when it has none. */
const struct row_cell *cell_of(const struct side_run *run, size_t key);

/* ---- compare_pairs.c ----------------------------------------------------- */

struct pair {
	const struct row_key *key;
	const struct row_cell *of[SIDES];
};

/* A run of A and one of B. */
struct pairs {
	const struct side_run *run[SIDES];
	struct pair *pair; /* the target's first, most difference first */
	size_t count;
	int peak_by_row; /* both have it */
};

/* 0 when memory is short. */
int pairs_join(struct pairs *pairs, const struct report_compare *compare,
               size_t run_of_a, size_t run_of_b);
void pairs_free(struct pairs *pairs);

/* How many pairs of runs there are, and which runs the i-th is made of: they
 * took turns.  A side that has one run only has it in all of them. */
size_t compare_turns(const struct report_compare *compare);
size_t compare_turn(const struct side *side, size_t turn);

uint64_t pair_bytes(const struct pair *pair, int side, enum metric metric);
int64_t pair_difference(const struct pair *pair, enum metric metric);
uint64_t pair_distance(const struct pair *pair);
int64_t total_difference(const struct pairs *pairs, enum metric metric);

/* Are its rows known?  Those at the peak may not be. */
int metric_by_row(const struct pairs *pairs, enum metric metric);

/* "VmSize", "committed" ... ; "vm_size" ... as JSON has them. */
const char *metric_name(enum metric metric);
const char *metric_key(enum metric metric);

/* ---- compare_terms.c ----------------------------------------------------- */

/* Malloc arenas and thread stacks come in one size, mostly: their number tells
 * most. */
int row_is_counted(const struct row_key *key);

#define PAIR_WHY 128

/* "4 x 64 MiB", "4 more", "7 mappings more"; NULL: nothing to say. */
const char *pair_why(const struct pair *pair, char text[static PAIR_WHY]);

/* "+297,256 KiB: 4 threads x (8,196 + 65,536) + libc.so.6 1,972 + ...": what is
 * behind the colon adds up to what is before it.  "" where rows are not known.
 * To be freed; NULL when memory is short. */
char *terms_text(const struct pairs *pairs, enum metric metric);

/* ---- compare_spread.c ---------------------------------------------------- */

struct spread {
	int64_t least, median, most;
};

struct spread spread_total(const struct side *side, enum metric metric);
struct spread spread_row(const struct side *side, size_t key);
struct spread spread_makes(const struct side *side, size_t key);
/* Of all pairs of runs that took turns. */
struct spread spread_difference(const struct report_compare *compare,
                                enum metric metric);
int spread_is_one(struct spread spread);
/* Has the row the same size in every run of A, and in every run of B? */
int row_is_constant(const struct report_compare *compare, size_t key);
/* Of those that any run has; there may be others, at the peak alone. */
size_t rows_constant(const struct report_compare *compare);
size_t rows_varying(const struct report_compare *compare);

/* ---- compare_go.c -------------------------------------------------------- */

/* Sentences about rows that another Go has made larger or smaller, and about
 * the large ones that both have. */
void go_tell(const struct report_compare *compare, const struct pairs *pairs,
             void (*say)(void *context, const char *sentence), void *context);

/* ---- compare_words.c ----------------------------------------------------- */

/* "+256.0 MiB", "-4 KiB", "-" for no difference */
#define SIGNED_TEXT (UNITS_TEXT + 1)
const char *signed_size(const struct report_style *style,
                        char text[static SIGNED_TEXT], int64_t bytes);

/* "B has 290.3 MiB more VmSize than A." and what else is to be said first. */
void words_headline(FILE *out, const struct report_compare *compare,
                    const struct pairs *pairs);
/* "In 20 pairs of runs the difference was +218.2 MiB to +362.3 MiB, in the
 * middle +290.3 MiB."; nothing for one run of each. */
void words_range(FILE *out, const struct report_compare *compare);
/* "go1.26.8, static, stripped"; `special` is escaped, as below */
void words_nature(FILE *out, const struct side *side, const char *special);
/* "20 runs of each, in turn; shown: run 7 of A, run 12 of B, in the middle by
 * VmSize"; nothing for one run of each. */
void words_runs(FILE *out, const struct report_compare *compare);
/* "In 20 runs of each 40 rows are always the same, 3 vary." */
void words_spread(FILE *out, const struct report_compare *compare);
/* What a metric's difference is made of: its terms, or why they are not known;
 * to be freed, NULL when memory is short. */
char *words_terms(const struct pairs *pairs, enum metric metric);
/* Text of others: what is special in a page or in markdown is an entity. */
void words_escape(FILE *out, const char *text, const char *special);

/* ---- the formats: 0 when memory is short --------------------------------- */

void compare_text(FILE *out, const struct report_compare *compare,
                  const struct pairs *pairs, const struct report_style *style);
int compare_json(FILE *out, const struct report_compare *compare,
                 const struct pairs *pairs);
void compare_markdown(FILE *out, const struct report_compare *compare,
                      const struct pairs *pairs);
int compare_html(FILE *out, const struct report_compare *compare,
                 const struct pairs *pairs);

#endif
