/*
 * report - a ledger, or two side by side, as text or as JSON.
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
};

struct report_style {
	int colour; /* ANSI colours */
	int width;  /* columns, 0: no terminal, nothing is cut */
	int ascii;  /* no block characters */
};

void report_text(FILE *out, const struct ledger *ledger,
                 const struct report_style *style);
void report_json(FILE *out, const struct ledger *ledger);

/* The ledger in sentences, each backed by its rows: one after the other goes to
 * `say`.  Stops early when memory is short. */
void explain_sentences(const struct ledger *ledger,
                       void (*say)(void *context, const char *sentence),
                       void *context);

/* The stacks that are behind a row. */
void report_why(FILE *out, const struct ledger_row *row,
                const struct ledger_why *why, const struct report_style *style);

/* Two ledgers side by side: the rows of both and their differences, which add
 * up to that of VmSize.  0 when memory is short: then nothing is written. */
int report_compare_text(FILE *out, const struct ledger *a,
                        const struct ledger *b,
                        const struct report_style *style);
int report_compare_json(FILE *out, const struct ledger *a,
                        const struct ledger *b);

/* A JSON string in quotes; bytes that are no UTF-8 become U+FFFD. */
void report_json_string(FILE *out, const char *string);

/* "1,224.1 MiB", "24 KiB", "-" for 0 (when dash is set).  `text` has room for
 * 32 characters; the result may stand in it, or not. */
const char *report_size(char *text, uint64_t bytes, int dash);

#endif
