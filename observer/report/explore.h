/*
 * explore - how a program takes it that a memory call fails, place by place.
 *
 * What is counted as what, by the first that fits:
 *
 *   not reached   the call did not come this time
 *   hang          it had not ended when patience was over
 *   crash         a signal killed it, or Go's runtime says that one did, or a
 *                 panic that nobody recovered
 *   survived      it ended as it does when nothing fails
 *   clean error   any other end: it has said what is wrong, or at least exited
 *                 with another status.  That is where Go's runtime ends that
 *                 gets no memory ("fatal error: ... out of memory", status 2):
 *                 it knows what has happened.
 *
 * Pure: text in, words out.
 */
#ifndef OBSERVER_REPORT_EXPLORE_H
#define OBSERVER_REPORT_EXPLORE_H

#include "observer/report/report.h"

#include <stdbool.h>

enum report_outcome {
	REPORT_SURVIVED,
	REPORT_CLEAN_ERROR,
	REPORT_CRASH,
	REPORT_HANG,
	REPORT_NOT_REACHED,
	REPORT_OUTCOMES
};

/* How a program ended. */
struct report_ending {
	bool reached; /* the call was made to fail */
	bool hung;
	bool as_ever;       /* as when nothing fails */
	int status;         /* wait status */
	const char *output; /* what it wrote, with NUL */
};

enum report_outcome report_outcome_of(const struct report_ending *ending);

/* The line of its output that tells most, which it does not write when nothing
 * fails (`usual`): into `line`, cut there.  False: there is none. */
bool report_telling_line(const char *output, const char *usual, char *line,
                         size_t room);

/* A place that memory calls come from: one call with one stack. */
struct report_place {
	uint32_t id; /* struct ledger_caller */
	char call[LEDGER_CALL_NAME];
	char *kind;     /* or NULL */
	char *function; /* likewise */
	char *file;     /* likewise */
	int line;
	uint64_t calls;  /* in the run that has shown it first, */
	size_t shown_by; /* 0: nothing failed; N: the Nth place did, */
	bool behind;     /* and was failing when this one was tried */
	enum report_outcome outcome;
	int status;
	char *said; /* the telling line, or NULL */
};

struct report_explored {
	const char *program;
	const struct report_place *place;
	size_t count;
	size_t tried; /* of these, the first ones */
};

void report_explored_text(FILE *out, const struct report_explored *explored,
                          const struct report_style *style);
void report_explored_json(FILE *out, const struct report_explored *explored);

#endif
