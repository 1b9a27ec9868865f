/*
 * memstats - what runtime.ReadMemStats is made of, read out of code.
 *
 * memstats.c          the layout as a whole, and reading by it
 * memstats_formula.c  out of runtime.readmemstats_m, which computes MemStats
 * memstats_parts.c    where the program lacks that: out of the functions that
 *                     count (grow, sysAlloc's callers, ...); Go 1.19 and newer
 */
#ifndef OBSERVER_SYMBOL_MEMSTATS_INTERNAL_H
#define OBSERVER_SYMBOL_MEMSTATS_INTERNAL_H

#include "observer/symbol/gorun.h"
#include "observer/symbol/memstats.h"

enum memstats_number {
	SYS,
	HEAP_SYS,
	HEAP_IDLE,
	HEAP_INUSE,
	HEAP_RELEASED,
	STACK_INUSE,
	STACK_SYS,
	MSPAN_INUSE,
	MSPAN_SYS,
	MCACHE_INUSE,
	MCACHE_SYS,
	BUCK_HASH_SYS,
	GC_SYS,
	OTHER_SYS,
};

/* A number gets one more word; false when there are too many. */
bool memstats_add(struct memstats_layout *layout, enum memstats_number number,
                  uint64_t address, int weight);

/* sizeof(runtime.heapStatsDelta); `acquire` is consistentHeapStats.acquire. */
uint64_t memstats_copy_size(const struct symbol_file *file,
                            const uint64_t acquire[2]);

/* True when every number has its words. They are not yet checked. */
bool memstats_formula(struct gorun *run, const uint64_t readmemstats[2],
                      struct memstats_layout *layout);
bool memstats_parts(struct gorun *run, struct memstats_layout *layout);

#endif
