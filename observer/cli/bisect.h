/*
 * bisect - the smallest value that passes, by trying few.
 *
 * Values are numbers of steps, 1 and more; 0 counts as failed.  The caller asks
 * for the next value, tries it, and tells.  First away from the guess in
 * strides that double, then by halves.  Pure.
 */
#ifndef OBSERVER_CLI_BISECT_H
#define OBSERVER_CLI_BISECT_H

#include <stdbool.h>
#include <stdint.h>

struct bisect {
	uint64_t guess, most; /* most: the largest that may be tried */
	uint64_t fails;       /* the largest that is known to; 0: none yet */
	uint64_t passes;      /* the smallest that is known to; 0: none yet */
	uint64_t stride;
};

void bisect_begin(struct bisect *bisect, uint64_t guess, uint64_t most);

/* 0: it is over, with `passes`, where `passes - 1` fails; or `passes` is 0 and
 * not even `most` does. */
uint64_t bisect_next(const struct bisect *bisect);

/* What has passed may fail when it is tried again: then the search goes on
 * above it. */
void bisect_tell(struct bisect *bisect, uint64_t value, bool passed);

#endif
