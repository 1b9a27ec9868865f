/*
 * internal - what the files of this room share: never included elsewhere.
 *
 *   text.c   the screen: headline, explanation, then
 *   explain.c  its sentences, by a table of rules
 *   facts.c  what rules know of rows
 *   table.c  its table and totals
 *   chart.c  its three lines over time
 *   net.c    whose calls the net carried
 *   injected.c  the calls that goload made to fail or wait
 *   json.c   the document
 *   why.c    the stacks behind a row
 *   map.h    the address space at a moment: map.c, address.c, listing.c
 *   compare.h  two programs side by side, and its files
 *   budget.h  limits of what a run may have, and its files
 *   html.h   the page, and its files
 *   units.c  sizes, counts, durations and signals in words
 */
#ifndef OBSERVER_REPORT_INTERNAL_H
#define OBSERVER_REPORT_INTERNAL_H

#include "observer/report/report.h"

#define UNITS_TEXT  32 /* room for any text of these */
#define UNITS_EXACT 64

const char *units_count(char *text, uint64_t count);   /* "1,161" */
const char *units_time(char *text, uint64_t ns);       /* "4.21 s" */
const char *units_signal(char *text, uint64_t number); /* "SIGINT" */

/* To the byte: "64 MiB", "8,196 KiB", "4,097 B". */
const char *units_exact(char text[static UNITS_EXACT], uint64_t bytes);

/* Prints words in lines of at most `width` columns, each behind `indent`; a
 * number and its unit are one word. */
void units_wrap(FILE *out, const char *text, int indent, int width);

/* Prints text of others: what a terminal would act on is shown as '?'. */
void units_print(FILE *out, const char *text);

const char *units_base_name(const char *path);
/* Columns that it takes, in UTF-8. */
int units_columns(const char *text);

const char *report_linkage(const struct ledger *ledger); /* "static-pie" */

/* Bytes of the UTF-8 character at `text`, which is no ASCII; 0 when it is none.
 */
int utf8_size(const unsigned char *text);

#define MEMSTATS_NUMBERS 14

const char *memstats_name(size_t i); /* "heap_inuse" */
uint64_t memstats_number(const struct file_memstats *stats, size_t i);

struct screen {
	FILE *out;
	const struct ledger *ledger;
	const struct report_style *style;
};

#define SCREEN_INDENT 2

/* "1": bold and so on, "0": off; nothing when there are no colours. */
void screen_colour(const struct screen *screen, const char *code);

/* Whether --patch=none was asked for; why a site was left to the net: in the
 * words of `goload inspect` where it says so, too. */
int net_no_patching(const struct ledger *ledger);
const char *net_why(const struct ledger *ledger,
                    const struct ledger_net_site *site);

/* ---- facts.c ------------------------------------------------------------- */

int row_is_go(const struct ledger_row *row);
int row_is_library(const struct ledger_row *row); /* text or data of one */

/* Who reserved what a row has reserved; NULL when more than one may have. */
const struct ledger_site *row_reserver(const struct ledger_row *row);

/* Which part of a row counts in a sum. */
typedef uint64_t row_part(const struct ledger_row *row);

row_part part_reserved;
row_part part_uncounted; /* committed, and not in MemStats.Sys */
row_part part_libc;      /* without thread stacks and malloc arenas */
row_part part_sanitizer;

struct part_sum {
	uint64_t bytes;
	size_t rows; /* that have a part in it */
};

struct part_sum part_sum(const struct ledger *ledger, row_part *part);

/* Rows that have a part, the largest first: the one behind `last`. */
const struct ledger_row *part_next(const struct ledger *ledger, row_part *part,
                                   const struct ledger_row *last);

/* Arenas and stacks, which come in one size, mostly. */
struct things {
	uint64_t count, bytes, committed, largest;
};

/* Bytes of each when they are equal, or 0. */
uint64_t things_unit(const struct things *things);

struct facts {
	const struct ledger *ledger;
	uint64_t go_reserved;
	int at_start; /* it was before the program began */
	uint64_t returned, came_back;
	struct things stacks, arenas; /* of libc */
	int glibc;                    /* as its arenas show */
	int fresh;                    /* they have hardly been used */
	uint64_t libraries;
};

struct facts facts_of(const struct ledger *ledger);

/* Never longer than the line: cut by columns, not by bytes. */
void table_print_cut(FILE *out, const char *text, int room, int ascii);

/* A frame of a stack: a line. */
void why_print_frame(FILE *out, const struct ledger_frame *frame);

void table_print(const struct screen *screen);
void net_print(const struct screen *screen);
void chart_print(FILE *out, const struct ledger *ledger,
                 const struct report_style *style, int indent);

#endif
