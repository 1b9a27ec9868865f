/*
 * storm - what storm.c and storm_check.c agree on: a mark is
 *
 *   madvise(STORM_MARK + number, 0, STORM_ADVICE)
 *
 * which the kernel refuses, and which nobody else asks for.
 */
#ifndef TESTS_HELPERS_STORM_H
#define TESTS_HELPERS_STORM_H

#define STORM_MARK   0x5707000000ul
#define STORM_ADVICE 0x5707

#endif
