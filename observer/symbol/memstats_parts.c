/*
 * memstats_parts - MemStats out of the functions that do the counting.
 *
 * A program that never asks for MemStats has no runtime.readmemstats_m, but it
 * counts all the same.  Each function hands over, or adds to, what it counts:
 *
 *     mheap.init            fixalloc.init(.., &mspan_sys), mcache_sys
 *     recordspan            sysAlloc(.., &other_sys)
 *     newArenaMayUnlock     sysAlloc(.., &gcMiscSys)
 *     mheap.grow            sysMap(.., &heapReleased), heapStats.acquire()
 *     mheap.freeSpanLocked  heapFree.add(), heapInUse.add(), and what of
 *                           heapStats' copies it adds to
 *
 * These lie side by side in two structures, since Go 1.19 in this order, and
 * where several are known the order is checked:
 *
 *     memstats      three copies, 16 bytes, stacks_sys, mspan_sys, mcache_sys,
 *                   buckhash_sys, gcMiscSys, other_sys
 *     gcController  heapInUse, heapReleased, heapFree
 *     a copy        committed, released, inHeap, inStacks, inWorkBufs,
 *                   inPtrScalarBits (up to 1.25)
 */
#include "observer/symbol/memstats_internal.h"

enum { IN_STACKS = 8 * 3, IN_WORK_BUFS = 8 * 4, IN_BITS = 8 * 5 };

/* inHeap and what follows it, as gorun counts */
enum { COUNTED = 7 << 2, COUNTED_BITS = 15 << 2 };

struct parts {
	uint64_t init[2], fixalloc_init[2], fixalloc_alloc[2], mallocinit[2];
	uint64_t recordspan[2], new_arena[2], sys_alloc[2];
	uint64_t grow[2], sys_map[2], acquire[2];
	uint64_t free_span[2], add[2];

	uint64_t running; /* the function that makes the calls */
	uint64_t mheap, heap_stats;
	uint64_t mspan_sys, mcache_sys, gc_misc_sys, other_sys;
	uint64_t mspan_alloc, mcache_alloc; /* offsets in mheap */
	uint64_t heap_released, heap_free, heap_inuse;
	uint64_t inuse; /* offset in fixalloc */
};

static uint64_t address_argument(struct gorun_frame *frame, int i)
{
	return gorun_argument(frame, i, GORUN_ADDRESS).number;
}

/* The spans' allocator comes first; mcache_sys follows mspan_sys. */
static void call_fixalloc_init(struct gorun_frame *frame, struct parts *parts)
{
	uint64_t offset = gorun_argument(frame, 0, GORUN_RESULT).number;
	uint64_t stat = address_argument(frame, 4);

	if (!parts->mspan_sys) {
		parts->mspan_sys = stat;
		parts->mspan_alloc = offset;
	} else if (stat == parts->mspan_sys + 8) {
		parts->mcache_sys = stat;
		parts->mcache_alloc = offset;
	}
}

static void called(struct gorun_frame *frame, const uint64_t range[2])
{
	struct parts *parts = frame->run->context;
	uint64_t callee = range[0], by = parts->running;

	if (by == parts->init[0] && callee == parts->fixalloc_init[0])
		call_fixalloc_init(frame, parts);
	if (by == parts->mallocinit[0] && callee == parts->init[0])
		parts->mheap = address_argument(frame, 0);
	if (by == parts->recordspan[0] && callee == parts->sys_alloc[0])
		parts->other_sys = address_argument(frame, 1);
	if (by == parts->new_arena[0] && callee == parts->sys_alloc[0])
		parts->gc_misc_sys = address_argument(frame, 1);
	if (by == parts->grow[0] && callee == parts->sys_map[0])
		parts->heap_released = address_argument(frame, 2);
	if (by == parts->free_span[0] && callee == parts->add[0]) {
		parts->heap_free = parts->heap_inuse;
		parts->heap_inuse = address_argument(frame, 0);
	}
	if (callee == parts->acquire[0]) {
		parts->heap_stats = address_argument(frame, 0);
		frame->run->returned = (struct gorun_value){ GORUN_COPY, 0 };
	}
}

/* fixalloc.alloc adds to what is in use on both its ways, and to nothing else
 * on both. */
static uint64_t find_inuse(const struct gorun *run, const struct parts *parts)
{
	struct gocode code;
	uint64_t added = 0;

	gocode_open(&code, run->file, parts->fixalloc_alloc);
	while (gocode_next(&code)) {
		const ZydisDecodedOperand *to = &code.operand[0];
		uint64_t word = (uint64_t)to->mem.disp.value / 8;
		if (code.head.mnemonic != ZYDIS_MNEMONIC_ADD ||
		    !gocode_is_memory(&code, 0) || to->size != 64 || word >= 64)
			continue;
		if (added & 1ull << word)
			return 8 * word;
		added |= 1ull << word;
	}
	return 0;
}

static void run_all(struct gorun *run, struct parts *parts)
{
	const uint64_t *functions[] = {
		parts->init,      parts->mallocinit, parts->recordspan,
		parts->new_arena, parts->grow,
	};

	parts->inuse = find_inuse(run, parts);
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		parts->running = functions[i][0];
		gorun_function(run, functions[i]);
	}
	run->counted = 0; /* the last alone is of interest */
	parts->running = parts->free_span[0];
	gorun_function(run, parts->free_span);
}

static bool in_order(const struct parts *parts, uint64_t copy_size)
{
	return copy_size && parts->mheap && parts->inuse &&
	       parts->mspan_alloc && parts->mcache_alloc &&
	       parts->mspan_sys ==
	               parts->heap_stats + GORUN_COPIES * copy_size + 24 &&
	       parts->mcache_sys == parts->mspan_sys + 8 &&
	       parts->gc_misc_sys == parts->mspan_sys + 24 &&
	       parts->other_sys == parts->mspan_sys + 32 &&
	       parts->heap_inuse + 8 == parts->heap_released &&
	       parts->heap_free - 8 == parts->heap_released;
}

/* Up to three words of each copy, in the order of the structure: stacks, work
 * buffers, pointer bits. freeSpanLocked takes back from them all. */
static bool add_counted(struct memstats_layout *layout,
                        const struct parts *parts, uint64_t copy_size,
                        uint64_t counted)
{
	bool fits = counted == COUNTED || counted == COUNTED_BITS;

	for (uint64_t i = 0; i < GORUN_COPIES; i++) {
		uint64_t copy = parts->heap_stats + i * copy_size;
		fits &= memstats_add(layout, STACK_INUSE, copy + IN_STACKS, 1);
		fits &= memstats_add(layout, STACK_SYS, copy + IN_STACKS, 1);
		fits &= memstats_add(layout, GC_SYS, copy + IN_WORK_BUFS, 1);
		if (counted == COUNTED_BITS)
			fits &= memstats_add(layout, GC_SYS, copy + IN_BITS, 1);
	}
	return fits;
}

static bool add_words(struct memstats_layout *layout, const struct parts *p)
{
	const struct {
		enum memstats_number number;
		uint64_t address;
	} words[] = {
		{ HEAP_SYS, p->heap_inuse },
		{ HEAP_SYS, p->heap_released },
		{ HEAP_SYS, p->heap_free },
		{ HEAP_IDLE, p->heap_released },
		{ HEAP_IDLE, p->heap_free },
		{ HEAP_INUSE, p->heap_inuse },
		{ HEAP_RELEASED, p->heap_released },
		{ STACK_SYS, p->mspan_sys - 8 },
		{ MSPAN_INUSE, p->mheap + p->mspan_alloc + p->inuse },
		{ MSPAN_SYS, p->mspan_sys },
		{ MCACHE_INUSE, p->mheap + p->mcache_alloc + p->inuse },
		{ MCACHE_SYS, p->mcache_sys },
		{ BUCK_HASH_SYS, p->mspan_sys + 16 },
		{ GC_SYS, p->gc_misc_sys },
		{ OTHER_SYS, p->other_sys },
	};
	bool fits = true;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		fits &= memstats_add(layout, words[i].number, words[i].address,
		                     1);
	return fits;
}

/* What Go says Sys is. */
static bool add_sys(struct memstats_layout *layout)
{
	static const enum memstats_number parts[] = {
		HEAP_SYS,      STACK_SYS, MSPAN_SYS, MCACHE_SYS,
		BUCK_HASH_SYS, GC_SYS,    OTHER_SYS,
	};
	bool fits = true;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		for (size_t w = 0; w < layout->count; w++)
			if (layout->weight[parts[i]][w])
				fits &= memstats_add(layout, SYS,
				                     layout->address[w], 1);
	return fits;
}

bool memstats_parts(struct gorun *run, struct memstats_layout *layout)
{
	struct parts p = { 0 };
	const struct gocode_wanted wanted[] = {
		{ "runtime.(*mheap).init", p.init },
		{ "runtime.(*fixalloc).init", p.fixalloc_init },
		{ "runtime.(*fixalloc).alloc", p.fixalloc_alloc },
		{ "runtime.mallocinit", p.mallocinit },
		{ "runtime.recordspan", p.recordspan },
		{ "runtime.newArenaMayUnlock", p.new_arena },
		{ "runtime.sysAlloc", p.sys_alloc },
		{ "runtime.(*mheap).grow", p.grow },
		{ "runtime.sysMap", p.sys_map },
		{ "runtime.(*consistentHeapStats).acquire", p.acquire },
		{ "runtime.(*mheap).freeSpanLocked", p.free_span },
		{ "runtime.(*sysMemStat).add", p.add },
		{ 0 },
	};

	gocode_find(run->file, wanted);
	run->called = called;
	run->context = &p;
	uint64_t size = memstats_copy_size(run->file, p.acquire);
	run_all(run, &p);
	return in_order(&p, size) && add_words(layout, &p) &&
	       add_counted(layout, &p, size, run->counted) && add_sys(layout);
}
