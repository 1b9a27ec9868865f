/*
 * budget_internal - what the files of the budget share.
 */
#ifndef OBSERVER_REPORT_BUDGET_INTERNAL_H
#define OBSERVER_REPORT_BUDGET_INTERNAL_H

#include "observer/report/budget.h"
#include "observer/report/internal.h"

/* "64.5 MiB", "612 KiB": exact, and what a budget file is written with. */
const char *budget_bytes(char text[static UNITS_EXACT], uint64_t bytes);
/* The same, or a count of mappings. */
const char *budget_value(char text[static UNITS_EXACT], enum budget_what what,
                         uint64_t value);

/* ---- budget_file.c ------------------------------------------------------ */

struct budget_line { /* without the blanks around; `next` is behind it */
	const char *start, *end, *next;
};

/* The line that begins at `text`; 0 at the end. */
int budget_next_line(const char *text, const char *end,
                     struct budget_line *line);

struct budget_parts { /* of a line that is a limit */
	enum budget_what what;
	const char *name, *name_end, *value;
	uint64_t most;
};

/* What is wrong with it, or NULL. */
const char *budget_read_line(const struct budget_line *line,
                             struct budget_parts *parts);

/* ---- the others --------------------------------------------------------- */

const struct budget_kind *budget_kind_of(const struct budget_found *found,
                                         const char *kind);
/* The kind's limit in the budget, the lowest of several; NULL: none. */
const struct budget_limit *budget_limit_of(const struct budget *budget,
                                           const char *kind);

/* budget_code.c: fills in the rows of excesses, those of kinds before those of
 * totals. */
int budget_find_rows(struct budget_verdict *verdict);

/* So many frames at *first, innermost first, good until the next call. */
size_t budget_frames(const struct budget_verdict *verdict,
                     const struct budget_stack *stack,
                     const struct ledger_frame **first);

/* The place to look at: the innermost frame that is neither the Go
 * distribution's nor libc's; NULL: none. */
const struct ledger_place *budget_own_place(
	const struct budget_verdict *verdict, const struct budget_stack *stack);

/* The sentence about an excess, without "goload: PROGRAM: ". */
void budget_print_sentence(FILE *out, const struct budget_verdict *verdict,
                           const struct budget_excess *excess);
/* The lines with its code. */
void budget_print_code(FILE *out, const struct budget_verdict *verdict,
                       const struct budget_excess *excess);

#endif
