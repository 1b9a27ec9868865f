/*
 * floor - the smallest limits under which a program runs, and what breaks below
 * them, as text or as JSON.
 *
 * Pure: what was found in, bytes out to a FILE.  Hosted.
 */
#ifndef OBSERVER_REPORT_FLOOR_H
#define OBSERVER_REPORT_FLOOR_H

#include "observer/report/report.h"

enum report_limit { FLOOR_ADDRESS_SPACE, FLOOR_DATA, FLOOR_CGROUP, FLOORS };

/* How a reservation is known to be the one. */
enum report_break_how {
	BREAK_FAILED,   /* the last one that failed, in a run under the limit */
	BREAK_REPLAYED, /* the first that would not have fitted, in a run
	                   without one */
	BREAK_RESIDENT, /* most of what was resident, in a run without one */
};

/* What breaks when there is one step less. */
struct report_break {
	enum report_break_how how;
	const char *kind, *owner;    /* NULL: not known */
	char call[LEDGER_CALL_NAME]; /* "mmap"; "": no call of the program's */
	uint64_t bytes;
	struct ledger_place place; /* function NULL: not known */
	int status;                /* wait status of the program */
	int hung;
	char *said; /* a line of what it said, or NULL */
};

struct report_floor_limit {
	uint64_t bytes; /* 0: not known, because */
	char *reason;   /* this */
	int runs;       /* so many passed, and all did */
	/* With one step less a run has failed; then so many of as many did not.
	 */
	int below_passed;
	struct report_break breaks;
	uint64_t again; /* it passes under so much less, too; 0: not known to */
};

struct report_floor {
	const struct ledger *ledger; /* of a run without a limit */
	uint64_t step;               /* bytes */
	int runs;                    /* that have to pass under each */
	struct report_floor_limit limit[FLOORS];
};

void report_floor_text(FILE *out, const struct report_floor *floor,
                       const struct report_style *style);
void report_floor_json(FILE *out, const struct report_floor *floor);

#endif
