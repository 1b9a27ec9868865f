/*
 * internal - what the files of this room share: never included elsewhere.
 *
 *   text.c   the screen: headline, explanation, then
 *   table.c  its table and totals
 *   chart.c  its three lines over time
 *   net.c    whose calls the net carried
 *   json.c   the document
 *   compare.c  two ledgers side by side: screen and document
 *   units.c  sizes, counts, durations and signals in words
 */
#ifndef OBSERVER_REPORT_INTERNAL_H
#define OBSERVER_REPORT_INTERNAL_H

#include "observer/report/report.h"

#define UNITS_TEXT 32 /* room for any text of these */

const char *units_count(char *text, uint64_t count);   /* "1,161" */
const char *units_time(char *text, uint64_t ns);       /* "4.21 s" */
const char *units_signal(char *text, uint64_t number); /* "SIGINT" */

/* Prints words in lines of at most `width` columns, each behind `indent`; a
 * number and its unit are one word. */
void units_wrap(FILE *out, const char *text, int indent, int width);

/* Prints text of others: what a terminal would act on is shown as '?'. */
void units_print(FILE *out, const char *text);

const char *report_linkage(const struct ledger *ledger); /* "static-pie" */

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

int row_is_go(const struct ledger_row *row);

void table_print(const struct screen *screen);
void net_print(const struct screen *screen);
void chart_print(FILE *out, const struct ledger *ledger,
                 const struct report_style *style, int indent);

#endif
