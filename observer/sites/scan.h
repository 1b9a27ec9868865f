/*
 * scan - passes over the bytes of the text, at the speed of memory.
 *
 * Private to the room.  Nothing is decoded here: what is found is a candidate.
 */
#ifndef OBSERVER_SITES_SCAN_H
#define OBSERVER_SITES_SCAN_H

#include "observer/sites/sites.h"

/* A growing array of addresses; free(list.item) when done. */
struct scan_list {
	uint64_t *item;
	size_t count, capacity;
};

/*
 * How far from a pair a branch target still matters: one in the window spoils
 * it, one before shows that what follows is code.
 */
#define SCAN_NEAR 64

/* Append the address of every 0f 05; 0 when there is no memory. */
int scan_pairs(const struct sites_text *text, struct scan_list *pairs);

/* Whether one of the pairs (sorted) is within `distance` of the address. */
int scan_near(const struct scan_list *pairs, uint64_t address,
              uint64_t distance);

/* What scan_branches asks first: bits for the addresses near the pairs. */
#define SCAN_FILTER_BITS (1u << 17)
struct scan_filter {
	uint64_t word[SCAN_FILTER_BITS / 64];
};
void scan_filter(const struct scan_list *pairs, struct scan_filter *filter);

/*
 * Append where every call, jmp and jcc rel32 goes, whether the bytes are one
 * or only look like one, when that is near a pair; 0 when there is no memory.
 * `pairs` is sorted.
 */
int scan_branches(const struct sites_text *text, const struct scan_list *pairs,
                  const struct scan_filter *filter, struct scan_list *targets);

/* Index of the first item >= address in a sorted list. */
size_t scan_find(const uint64_t *item, size_t count, uint64_t address);

#endif
