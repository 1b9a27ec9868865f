/*
 * MemStats over time: few samples are all kept.  Many are divided into buckets,
 * and of each stay the one with the largest heap and the last.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>

#define BUCKETS 256

static void thin(struct ledger_memstats *stats,
                 const struct file_memstats *const *sample, size_t count)
{
	size_t next = 0;

	for (size_t bucket = 1; bucket <= BUCKETS; bucket++) {
		size_t last = count * bucket / BUCKETS - 1, most = next;

		for (; next < last; next++)
			if (sample[next]->heap_inuse > sample[most]->heap_inuse)
				most = next;
		if (most < last)
			stats->at[stats->count++] = sample[most];
		stats->at[stats->count++] = sample[last];
		next = last + 1;
	}
}

int memstats_build(struct ledger *ledger)
{
	const struct ledger_run *run = ledger->run;
	struct ledger_memstats *stats = &ledger->memstats;
	size_t count = run->memstats_count;

	if (count == 0) {
		stats->reason = run->memstats_reason;
		return 1;
	}
	stats->last = run->memstats[count - 1];
	stats->at = calloc(count < 2 * BUCKETS ? count : 2 * BUCKETS,
	                   sizeof(*stats->at));
	if (!stats->at)
		return 0;
	if (count > 2 * BUCKETS) {
		thin(stats, run->memstats, count);
		return 1;
	}
	for (size_t i = 0; i < count; i++)
		stats->at[stats->count++] = run->memstats[i];
	return 1;
}
