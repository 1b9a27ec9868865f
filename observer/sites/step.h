/*
 * step - how long an instruction is, and where control goes from it.
 *
 * Private to the room.  It is all that is to be known of most instructions, and
 * most of those are of a few kinds, so they are measured by a table; Zydis, ten
 * times as slow, has the others.  Both say the same (tests/test_sites.c).
 */
#ifndef OBSERVER_SITES_STEP_H
#define OBSERVER_SITES_STEP_H

#include <Zydis/Zydis.h>

#include <stddef.h>
#include <stdint.h>

struct step {
	uint8_t length;
	uint8_t stops;    /* control never falls out of it */
	uint8_t relative; /* a direct branch, by `distance` from its end */
	uint8_t indirect; /* a jump to nobody knows where */
	int64_t distance;
};

/* 0 when the bytes are no instruction. */
int step_decode(const ZydisDecoder *decoder, const uint8_t *bytes, size_t size,
                struct step *step);

/* The same by the table alone; 0 when it does not know. */
int step_known(const uint8_t *bytes, size_t size, struct step *step);

#endif
