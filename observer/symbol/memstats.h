/*
 * memstats - what runtime.ReadMemStats would say, asked from outside.
 *
 * The runtime keeps what MemStats is made of in words of its data.
 * memstats_layout finds out, once for a file, which words and which sum of them
 * each number is, by reading the code that computes or counts them: neither
 * DWARF nor symbols nor a table of Go versions is needed, only names of
 * functions (pclntab).  x86_64; tried with Go 1.13 to 1.26 where the program
 * asks for MemStats itself, with 1.19 to 1.26 where it does not.  memstats_read
 * then does the sums, as often as wanted.
 *
 * The target is not stopped.  Each word is right, but they are of slightly
 * different moments; `sys` is always the sum of the other _sys numbers, as in
 * Go.  Stacks that are cached for reuse count as in use: ReadMemStats gives
 * them back first.
 */
#ifndef OBSERVER_SYMBOL_MEMSTATS_H
#define OBSERVER_SYMBOL_MEMSTATS_H

#include "observer/symbol/symbol.h"

#include <stdbool.h>

/* In bytes; names and meanings are those of runtime.MemStats. */
struct memstats {
	uint64_t sys;
	uint64_t heap_sys, heap_idle, heap_inuse, heap_released;
	uint64_t stack_inuse, stack_sys;
	uint64_t mspan_inuse, mspan_sys, mcache_inuse, mcache_sys;
	uint64_t buck_hash_sys, gc_sys, other_sys;
};

enum { MEMSTATS_NUMBERS = sizeof(struct memstats) / sizeof(uint64_t) };
enum { MEMSTATS_WORDS = 40 };

/* Number i of struct memstats is the sum of weight[i][w] * word w. */
struct memstats_layout {
	size_t count;
	uint64_t address[MEMSTATS_WORDS]; /* ascending */
	int8_t weight[MEMSTATS_NUMBERS][MEMSTATS_WORDS];
};

/* False: *reason says why not, a string that lives for ever (else NULL). */
bool memstats_layout(struct symbol_file *file, struct memstats_layout *layout,
                     const char **reason);

/* Reads `size` bytes of the target's memory; false when it cannot. */
typedef bool memstats_reader(void *context, uint64_t address, void *to,
                             size_t size);

/*
 * `bias`: address in the target - address in the file.  False when the reader
 * fails, or the words are of moments so different that a number is negative:
 * then another attempt may do.
 */
bool memstats_read(const struct memstats_layout *layout, uint64_t bias,
                   memstats_reader *reader, void *context,
                   struct memstats *stats);

#endif
