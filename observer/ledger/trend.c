/*
 * The sums over time, as few points as a chart can show.
 *
 * A run with few changes keeps each of them.  With many, time is divided into
 * buckets and of each stay the least, the most, the most resident and the last
 * point: a peak of a microsecond is still seen.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST, MOST, MOST_RESIDENT, LAST };

static uint64_t total(const struct ledger_point *point)
{
	return point->reserved + point->committed;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* When the last thing happened that the run tells of. */
static uint64_t run_duration(const struct ledger_run *run)
{
	const struct ledger_look *look = look_when(run, FILE_LOOK_LAST);
	uint64_t tsc = run->end ? run->end->tsc : 0;

	if (tsc == 0 && look)
		tsc = look->look->tsc;
	if (tsc == 0) {
		const struct trace_event *event;

		if (run->event_count > 0) {
			event = run->event[run->event_count - 1].event;
			tsc = later(event->tsc, event->tsc_after);
		}
		if (run->sample_count > 0)
			tsc = later(tsc,
			            run->sample[run->sample_count - 1]->tsc);
		tsc = later(tsc, run->last.tsc);
	}
	return ledger_time(run, tsc);
}

void trend_init(struct trend *trend, const struct ledger_run *run)
{
	*trend = (struct trend){ .run = run, .duration = run_duration(run) };
}

static void put(struct trend *trend, const struct ledger_point *point)
{
	size_t index = trend->duration
	                       ? (size_t)((unsigned __int128)point->t *
	                                  TREND_BUCKETS / trend->duration)
	                       : 0;
	struct ledger_point *kept;

	if (index >= TREND_BUCKETS)
		index = TREND_BUCKETS - 1;
	kept = trend->bucket[index].kept;
	if (!trend->bucket[index].used) {
		trend->bucket[index].used = 1;
		for (int i = 0; i < TREND_KEPT; i++)
			kept[i] = *point;
	}
	if (total(point) < total(&kept[LEAST]))
		kept[LEAST] = *point;
	if (total(point) > total(&kept[MOST]))
		kept[MOST] = *point;
	if (point->resident > kept[MOST_RESIDENT].resident)
		kept[MOST_RESIDENT] = *point;
	kept[LAST] = *point;
	if (trend->count < TREND_RAW)
		trend->raw[trend->count] = *point;
	trend->count++;
}

static void put_waiting(struct trend *trend)
{
	if (trend->is_waiting)
		put(trend, &trend->waiting);
	trend->is_waiting = 0;
}

/*
 * Order is by ticket: clocks of two threads may be a little apart.  What was
 * over within the same nanosecond was never seen, as in lives.c.
 */
static void put_at(struct trend *trend, uint64_t t, uint64_t reserved,
                   uint64_t committed)
{
	t = later(t, trend->waiting.t);
	if (t > trend->duration)
		t = trend->duration;
	if (t > trend->waiting.t)
		put_waiting(trend);
	trend->waiting = (struct ledger_point){ t, reserved, committed,
		                                trend->resident };
	trend->is_waiting = 1;
}

static void take_sample(struct trend *trend, const struct file_sample *sample)
{
	trend->resident = sample->resident > sample->goload_resident
	                          ? sample->resident - sample->goload_resident
	                          : 0;
}

/* Samples up to `tsc`, with the sums as they are before it. */
static void catch_up(struct trend *trend, uint64_t tsc, uint64_t reserved,
                     uint64_t committed)
{
	const struct ledger_run *run = trend->run;

	while (trend->sample < run->sample_count &&
	       run->sample[trend->sample]->tsc <= tsc) {
		const struct file_sample *sample = run->sample[trend->sample++];

		take_sample(trend, sample);
		put_at(trend, ledger_time(run, sample->tsc), reserved,
		       committed);
	}
}

/* The sums before this point are those of the one before. */
void trend_add(struct trend *trend, uint64_t tsc, uint64_t reserved,
               uint64_t committed)
{
	const struct ledger_point before = trend->last;

	catch_up(trend, tsc, before.reserved, before.committed);
	trend->last.reserved = reserved;
	trend->last.committed = committed;
	put_at(trend, ledger_time(trend->run, tsc), reserved, committed);
}

static int by_time(const void *left, const void *right)
{
	const struct ledger_point *a = left, *b = right;

	return a->t < b->t ? -1 : a->t > b->t;
}

static int same(const struct ledger_point *a, const struct ledger_point *b)
{
	return a->reserved == b->reserved && a->committed == b->committed &&
	       a->resident == b->resident && a->t == b->t;
}

/* The kept points of one bucket, in order, each once. */
static size_t empty_bucket(struct ledger_point *kept, struct ledger_point *out)
{
	size_t count = 0;

	/* Points of one moment: the last is what the next bucket begins with.
	 */
	qsort(kept, LAST, sizeof(*kept), by_time);
	for (int i = 0; i < TREND_KEPT; i++)
		if (count == 0 || !same(&out[count - 1], &kept[i]))
			out[count++] = kept[i];
	return count;
}

int trend_finish(struct trend *trend, struct ledger *ledger)
{
	catch_up(trend, UINT64_MAX, trend->last.reserved,
	         trend->last.committed);
	if (ledger->resident)
		trend->resident = ledger->resident;
	put_at(trend, trend->duration, ledger->reserved, ledger->committed);
	put_waiting(trend);
	ledger->duration = trend->duration;
	ledger->point = calloc((size_t)TREND_BUCKETS * TREND_KEPT,
	                       sizeof(*ledger->point));
	if (!ledger->point)
		return 0;
	if (trend->count <= TREND_RAW) {
		memcpy(ledger->point, trend->raw,
		       trend->count * sizeof(*trend->raw));
		ledger->point_count = trend->count;
		return 1;
	}
	for (size_t i = 0; i < TREND_BUCKETS; i++)
		if (trend->bucket[i].used)
			ledger->point_count += empty_bucket(
				trend->bucket[i].kept,
				&ledger->point[ledger->point_count]);
	return 1;
}
