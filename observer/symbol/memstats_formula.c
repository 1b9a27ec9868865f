/*
 * memstats_formula - runtime.readmemstats_m says what MemStats is.
 *
 * It, and updatememstats, which it calls up to Go 1.18, put sums of words into
 * MemStats (gorun.h).  Some of it is kept in three copies, which
 * heapStats.unsafeRead adds up in a structure on the stack.  Up to Go 1.15 all
 * is in memstats, and copied as it is.
 */
#include "observer/symbol/memstats_internal.h"

struct names {
	uint64_t updatememstats[2], acquire[2], unsafe_read[2], merge[2],
		memmove[2];
	int depth;
};

/* unsafeRead(&heapStats, &delta) or, for each copy, merge(&delta, &copy) */
static void call_sum(struct gorun_frame *frame, int from, int to)
{
	struct gorun_value source = gorun_argument(frame, from, GORUN_ADDRESS);
	struct gorun_value delta = gorun_argument(frame, to, GORUN_STACK);

	if (source.holds && delta.holds && frame->run->copy_size) {
		frame->delta = delta.number;
		frame->delta_of = source.number;
	}
}

/* memmove(&stats, &memstats, size); what is copied later goes elsewhere. */
static void call_memmove(struct gorun_frame *frame)
{
	struct gorun *run = frame->run;
	struct gorun_value to = gorun_argument(frame, 0, GORUN_RESULT);
	struct gorun_value from = gorun_argument(frame, 1, GORUN_ADDRESS);

	if (!to.holds || !from.holds || to.number)
		return;
	for (uint64_t i = 0; i < GORUN_RESULTS / 8; i++)
		run->result[i] = gorun_load(run, from.number + 8 * i);
}

static void called(struct gorun_frame *frame, const uint64_t range[2])
{
	struct names *names = frame->run->context;

	if (range[0] == names->unsafe_read[0])
		call_sum(frame, 0, 1);
	else if (range[0] == names->merge[0])
		call_sum(frame, 1, 0);
	else if (range[0] == names->memmove[0])
		call_memmove(frame);
	else if (range[0] == names->updatememstats[0] && !names->depth++)
		gorun_function(frame->run, range);
}

static bool take(struct memstats_layout *layout, const struct gorun *run)
{
	/* where they are in MemStats: that is for ever */
	static const uint8_t place[MEMSTATS_NUMBERS] = {
		[SYS] = 16,           [HEAP_SYS] = 56,
		[HEAP_IDLE] = 64,     [HEAP_INUSE] = 72,
		[HEAP_RELEASED] = 80, [STACK_INUSE] = 96,
		[STACK_SYS] = 104,    [MSPAN_INUSE] = 112,
		[MSPAN_SYS] = 120,    [MCACHE_INUSE] = 128,
		[MCACHE_SYS] = 136,   [BUCK_HASH_SYS] = 144,
		[GC_SYS] = 152,       [OTHER_SYS] = 160,
	};

	for (int n = 0; n < MEMSTATS_NUMBERS; n++) {
		struct gorun_value value = run->result[place[n] / 8];
		if (value.holds != GORUN_SUM)
			return false;
		const struct gorun_sum *sum = &run->sum[value.number];
		for (int i = 0; i < sum->count; i++)
			if (!memstats_add(layout, (enum memstats_number)n,
			                  sum->term[i].address,
			                  sum->term[i].weight))
				return false;
	}
	return true;
}

bool memstats_formula(struct gorun *run, const uint64_t readmemstats[2],
                      struct memstats_layout *layout)
{
	struct names names = { 0 };
	const struct gocode_wanted wanted[] = {
		{ "runtime.updatememstats", names.updatememstats },
		{ "runtime.(*consistentHeapStats).acquire", names.acquire },
		{ "runtime.(*consistentHeapStats).unsafeRead",
		  names.unsafe_read },
		{ "runtime.(*heapStatsDelta).merge", names.merge },
		{ "runtime.memmove", names.memmove },
		{ 0 },
	};

	gocode_find(run->file, wanted);
	run->called = called;
	run->context = &names;
	run->copy_size = memstats_copy_size(run->file, names.acquire);
	gorun_function(run, readmemstats);
	return take(layout, run);
}
