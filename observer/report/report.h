/*
 * report - a ledger as text, as JSON or as a page, and two side by side.
 *
 * Pure: a ledger in, bytes out to a FILE.  Keys and meaning of the JSON are
 * fixed (docs/formats.md, schema "goload/1").  Hosted.
 */
#ifndef OBSERVER_REPORT_REPORT_H
#define OBSERVER_REPORT_REPORT_H

#include "observer/ledger/ledger.h"

#include <stdio.h>

enum report_format {
	REPORT_TEXT,
	REPORT_JSON,
	REPORT_HTML,
	REPORT_MARKDOWN,
};

struct report_style {
	int colour; /* ANSI colours */
	int width;  /* columns, 0: no terminal, nothing is cut */
	int ascii;  /* no block characters */
	int exact;  /* sizes in bytes */
};

void report_text(FILE *out, const struct ledger *ledger,
                 const struct report_style *style);
void report_json(FILE *out, const struct ledger *ledger);

/* A page to look at in a browser, in one file; names as for ledger_build().
 * `redact` leaves out who ran what, and where.  0 when memory is short. */
int report_html(FILE *out, const struct ledger *ledger, ledger_namer *namer,
                void *context, int redact);
int report_has_page(void); /* 0: this goload was built without */

/* The ledger in sentences, each backed by its rows: one after the other goes to
 * `say`.  Stops early when memory is short. */
void explain_sentences(const struct ledger *ledger,
                       void (*say)(void *context, const char *sentence),
                       void *context);

/* The calls that goload made to fail or wait, and where each came from; nothing
 * when there is none. */
void report_injected(FILE *out, const struct ledger *ledger,
                     const struct report_style *style);

/* The stacks that are behind a row. */
void report_why(FILE *out, const struct ledger_row *row,
                const struct ledger_why *why, const struct report_style *style);

/* compare.c: two programs side by side, by the ledgers of their runs. */
struct report_compare;
enum { REPORT_A, REPORT_B };

struct report_compare *report_compare_open(void); /* NULL: memory is short */
/* A run of a side; the ledger, which may go afterwards, is of that program in
 * every run.  Without `lives` what there was at the peak is not known by row.
 * 0 when memory is short. */
int report_compare_add(struct report_compare *compare, int side,
                       const struct ledger *ledger,
                       const struct ledger_lives *lives);
/* B is A, with these settings; likewise. */
int report_compare_what_if(struct report_compare *compare,
                           const char *settings);
/* The run in the middle of each side and, row by row, their difference; when
 * there are more, what varies between them.  Both sides have a run.  0 when
 * memory is short. */
int report_compare(FILE *out, struct report_compare *compare,
                   enum report_format format, const struct report_style *style);
void report_compare_free(struct report_compare *compare);

/* Below, without a style as JSON; 0 when memory is short. */

/* The address space `t` ns after the run began. */
int report_map(FILE *out, const struct ledger *ledger,
               const struct ledger_lives *lives, uint64_t t,
               const struct report_style *style);

/* All that is known of one address, at that moment and at others. */
int report_address(FILE *out, const struct ledger *ledger,
                   const struct ledger_lives *lives,
                   struct ledger_frames *frames, uint64_t t, uint64_t address,
                   const struct report_style *style);

/* What /proc/PID/maps or smaps says, or a part of it. */
struct report_listing {
	const char *text; /* `size` bytes; lines of dots are gaps */
	size_t size;
	uint64_t pid;        /* whose it is, or 0 and */
	const char *file;    /* where it stands */
	const char *program; /* the path of the program's file, or NULL */
	int no_go;           /* it is no Go program */
};

/* It with names for what can be known without causes, or one of these.
 * Without `out` that alone is asked. */
#define REPORT_NO_LINE   (-1) /* there is no line of a map in it */
#define REPORT_UNORDERED (-2) /* one begins before the end of another */
int report_listing(FILE *out, const struct report_listing *listing,
                   const struct report_style *style);

/* A JSON string in quotes; bytes that are no UTF-8 become U+FFFD. */
void report_json_string(FILE *out, const char *string);
/* "name": and that, or null. */
void report_json_text(FILE *out, const char *name, const char *text);

/* "1,224.1 MiB", "24 KiB", "-" for 0 (when dash is set).  `text` has room for
 * 32 characters; the result may stand in it, or not. */
const char *report_size(char *text, uint64_t bytes, int dash);

/* The same for a column, or "1,283,547,955" where style->exact; and the columns
 * it takes. */
const char *report_cell(const struct report_style *style, char *text,
                        uint64_t bytes, int dash);
int report_cell_width(const struct report_style *style);

#endif
