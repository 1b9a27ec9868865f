/*
 * budget - how much a program may take, and what a run of it has taken.
 *
 *   budget.c        what a run has at most, held against limits
 *   budget_code.c   the rows behind what is over them, and their code
 *   budget_file.c   text -> limits
 *   budget_update.c  the text for a run that is over them
 *   budget_text.c   what is over, in lines, and as GitHub's annotations
 *   budget_json.c   as JSON
 *   budget_junit.c  as JUnit's XML
 *
 * All sizes are the target's, without goload's own.  VmSize, its parts and
 * kinds are exact, to each call; resident is that of samples, mappings those of
 * the end.  Pure.  Where memory is short a function returns 0 or NULL.
 */
#ifndef OBSERVER_REPORT_BUDGET_H
#define OBSERVER_REPORT_BUDGET_H

#include "observer/ledger/ledger.h"

#include <stdio.h>

enum budget_what {
	BUDGET_VM,
	BUDGET_RESERVED,
	BUDGET_COMMITTED,
	BUDGET_RESIDENT,
	BUDGET_MAPPINGS,
	BUDGET_TOTALS,
	BUDGET_KIND = BUDGET_TOTALS,
};

#define BUDGET_ANY UINT64_MAX /* no limit, but the kind is known */

struct budget_limit {
	enum budget_what what;
	const char *kind; /* of BUDGET_KIND */
	uint64_t most;    /* bytes, or mappings */
	int line;         /* of the budget file; 0: from an option */
};

struct budget {
	const char *path; /* of the budget file, or NULL */
	int no_new_kinds;
	struct budget_limit *limit; /* in order of the file, then of options */
	size_t count;
};

const char *budget_name(enum budget_what what); /* "resident" */

/* ---- budget_file.c ------------------------------------------------------ */

/* "64M", "1.5 GiB", "1,234,567": K, M, G, T are powers of 1024.  0 when it is
 * none. */
int budget_size(const char *text, size_t size, uint64_t *bytes);
int budget_count(const char *text, size_t size, uint64_t *count);

/* Adds a limit; the kind is copied. */
int budget_add(struct budget *budget, const struct budget_limit *limit);
void budget_free(struct budget *budget);

struct budget_error {
	int line;         /* 0: memory is short */
	const char *what; /* is wrong with it */
};

/* Adds what the file says. */
int budget_read(struct budget *budget, const char *text, size_t size,
                struct budget_error *error);

/* ---- budget.c ----------------------------------------------------------- */

struct budget_peak {
	uint64_t value;
	uint64_t at; /* when it was first; ledger->duration: at the end, too */
};

struct budget_kind { /* all rows of one kind */
	const char *kind;
	struct budget_peak peak;
};

struct budget_found {
	const struct ledger *ledger;
	const struct ledger_lives *lives;
	struct budget_peak total[BUDGET_TOTALS];
	struct budget_kind *kind; /* by name */
	size_t kinds;
};

int budget_find(struct budget_found *found, const struct ledger *ledger,
                const struct ledger_lives *lives);
void budget_found_free(struct budget_found *found);

/* What the run has of what the limit is about. */
struct budget_peak budget_peak_of(const struct budget_found *found,
                                  const struct budget_limit *limit);

#define BUDGET_ROWS   3
#define BUDGET_STACKS 3

struct budget_stack {
	const struct ledger_life *life; /* one of those that it made */
	uint64_t bytes;
	uint64_t calls; /* of the program; 0: none made it */
};

struct budget_row {
	const char *kind;
	uint64_t value; /* bytes, or mappings, at that moment */
	struct budget_stack stack[BUDGET_STACKS]; /* most bytes first */
	size_t stacks, more;                      /* that are left out */
};

struct budget_excess {
	const struct budget_limit *limit; /* NULL: a new kind */
	enum budget_what what;
	const char *kind; /* of BUDGET_KIND */
	struct budget_peak peak;
	/* Of a kind itself.  Of a total those that are over limits of their
	 * own, if there are any, else the largest. */
	struct budget_row row[BUDGET_ROWS];
	size_t rows;
	int grown;
};

struct budget_verdict {
	const struct budget *budget;
	const struct budget_found *found;
	struct budget_excess *excess; /* kinds, then totals */
	size_t count;
	/* for what is printed; filled in by the caller */
	struct ledger_frames *frames;
	const char *failure; /* how the program has failed, or NULL */
	const char *root;    /* annotations name files below it from there */
	const char *file;    /* the budget's, absolute; or NULL */
};

int budget_judge(struct budget_verdict *verdict, const struct budget *budget,
                 const struct budget_found *found);
void budget_verdict_free(struct budget_verdict *verdict);

/* ---- budget_update.c: --update ------------------------------------------ */

struct budget_slack {
	enum { BUDGET_USUAL, BUDGET_BYTES, BUDGET_PERCENT } how;
	uint64_t value;
};

/* "5%", or a size. */
int budget_read_slack(const char *text, struct budget_slack *slack);

/* One line for each limit that is not as it was. */
typedef void budget_say(void *context, const char *line);

/* The file's text with its limits raised, or kinds added, so that the run keeps
 * to it; all else stays.  A whole file when `text` is NULL.  To be freed. */
char *budget_update(const struct budget *budget, const char *text, size_t size,
                    const struct budget_found *found,
                    const struct budget_slack *slack, budget_say *say,
                    void *context);

/* ---- what is printed ---------------------------------------------------- */

/* One sentence and the code, for each excess; one line when there is none. */
void budget_text(FILE *out, const struct budget_verdict *verdict);
/* Workflow commands of GitHub. */
void budget_github(FILE *out, const struct budget_verdict *verdict);
void budget_json(FILE *out, const struct budget_verdict *verdict);
int budget_junit(FILE *out, const struct budget_verdict *verdict);

#endif
