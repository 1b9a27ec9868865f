/*
 * The rows of the ledger over time: each life adds its bytes when it begins and
 * takes them away when it ends.
 */
#include "observer/report/export/internal.h"

#include <stdlib.h>
#include <string.h>

struct change {
	uint64_t t;
	size_t gauge;
	int64_t reserved, committed;
};

size_t gauges_of(struct gauges *gauges, const struct ledger_life *life)
{
	struct gauge *gauge = gauges->gauge.item;
	size_t i = gauges->latest;

	if (i > 0 && gauge[i].kind == life->kind &&
	    gauge[i].owner == life->owner)
		return i;
	for (i = 1; i < gauges->gauge.count; i++)
		if (strcmp(gauge[i].kind, life->kind) == 0 &&
		    strcmp(gauge[i].owner, life->owner) == 0)
			return gauges->latest = i;
	if (gauges->gauge.count == 0)
		list_add(&gauges->gauge, sizeof(*gauge), gauges->store);
	gauge = list_add(&gauges->gauge, sizeof(*gauge), gauges->store);
	if (!gauge)
		return 0;
	gauge->kind = life->kind;
	gauge->owner = life->owner;
	return gauges->latest = gauges->gauge.count - 1;
}

static void add_change(struct gauges *gauges, uint64_t t,
                       const struct ledger_life *life, int64_t sign)
{
	struct change *change =
		list_add(&gauges->change, sizeof(*change), gauges->store);
	int64_t size = sign * (int64_t)life_size(life);

	if (change)
		*change = (struct change){
			.t = t,
			.gauge = gauges_of(gauges, life),
			.reserved = life->prot ? 0 : size,
			.committed = life->prot ? size : 0,
		};
}

static int by_time(const void *left, const void *right)
{
	const struct change *a = left, *b = right;

	if (a->t != b->t)
		return a->t < b->t ? -1 : 1;
	return (a->gauge > b->gauge) - (a->gauge < b->gauge);
}

void gauges_read(struct gauges *gauges, const struct ledger_lives *lives)
{
	for (size_t i = 0; i < lives->count; i++) {
		const struct ledger_life *life = &lives->life[i];

		if (strcmp(life->owner, "goload") == 0)
			continue;
		add_change(gauges, life->from, life, 1);
		if (!life->last)
			add_change(gauges, life->until, life, -1);
	}
	if (gauges->change.count > 0)
		qsort(gauges->change.item, gauges->change.count,
		      sizeof(struct change), by_time);
}

static void apply(struct gauge *gauge, const struct change *change)
{
	gauge->reserved += change->reserved;
	gauge->committed += change->committed;
}

void gauges_follow(struct gauges *gauges,
                   void (*changed)(void *context, uint64_t t, size_t index,
                                   const struct gauge *gauge),
                   void *context)
{
	const struct change *change = gauges->change.item;
	struct gauge *gauge = gauges->gauge.item;
	size_t count = gauges->change.count;

	for (size_t i = 0; i < count; i++) {
		int ends = i + 1 == count || change[i + 1].t != change[i].t;

		apply(&gauge[change[i].gauge], &change[i]);
		apply(&gauge[0], &change[i]);
		if (ends || change[i + 1].gauge != change[i].gauge)
			changed(context, change[i].t, change[i].gauge,
			        &gauge[change[i].gauge]);
		if (ends)
			changed(context, change[i].t, 0, &gauge[0]);
	}
}

void gauges_free(struct gauges *gauges)
{
	free(gauges->gauge.item);
	free(gauges->change.item);
}
