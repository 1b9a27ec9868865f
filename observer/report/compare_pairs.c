/*
 * Two runs side by side: the rows of both, joined by kind and owner.
 */
#include "observer/report/compare.h"

#include <stdlib.h>
#include <string.h>

uint64_t pair_bytes(const struct pair *pair, int side, enum metric metric)
{
	return pair->of[side]->bytes[metric];
}

int64_t pair_difference(const struct pair *pair, enum metric metric)
{
	return (int64_t)(pair_bytes(pair, B, metric) -
	                 pair_bytes(pair, A, metric));
}

uint64_t pair_distance(const struct pair *pair)
{
	return (uint64_t)llabs(pair_difference(pair, VM_SIZE));
}

int64_t total_difference(const struct pairs *pairs, enum metric metric)
{
	return (int64_t)(pairs->run[B]->total[metric] -
	                 pairs->run[A]->total[metric]);
}

int metric_by_row(const struct pairs *pairs, enum metric metric)
{
	return metric != PEAK || pairs->peak_by_row;
}

const char *metric_name(enum metric metric)
{
	static const char *const names[METRICS] = {
		[VM_SIZE] = "VmSize",    [COMMITTED] = "committed",
		[RESERVED] = "reserved", [RESIDENT] = "resident",
		[PEAK] = "peak",
	};

	return names[metric];
}

const char *metric_key(enum metric metric)
{
	static const char *const keys[METRICS] = {
		[VM_SIZE] = "vm_size",   [COMMITTED] = "committed",
		[RESERVED] = "reserved", [RESIDENT] = "resident",
		[PEAK] = "peak_vm_size",
	};

	return keys[metric];
}

size_t compare_turns(const struct report_compare *compare)
{
	size_t a = compare->side[A].count, b = compare->side[B].count;

	return a > b ? a : b;
}

size_t compare_turn(const struct side *side, size_t turn)
{
	return turn < side->count ? turn : side->count - 1;
}

/* Most difference first, then most bytes, then by name. */
static int by_difference(const void *left, const void *right)
{
	const struct pair *a = left, *b = right;
	uint64_t from = pair_distance(a), to = pair_distance(b);
	uint64_t from_sum =
		pair_bytes(a, A, VM_SIZE) + pair_bytes(a, B, VM_SIZE);
	uint64_t to_sum = pair_bytes(b, A, VM_SIZE) + pair_bytes(b, B, VM_SIZE);
	int order;

	if (a->key->last != b->key->last)
		return a->key->last - b->key->last;
	if (from != to)
		return from < to ? 1 : -1;
	if (from_sum != to_sum)
		return from_sum < to_sum ? 1 : -1;
	order = strcmp(a->key->kind, b->key->kind);
	return order ? order : strcmp(a->key->owner, b->key->owner);
}

/* Is there anything of the row in these runs?  Others may have had it. */
static int is_there(const struct pair *pair)
{
	uint64_t sum = 0;

	for (int side = A; side < SIDES; side++)
		for (int metric = 0; metric < METRICS; metric++)
			sum |= pair_bytes(pair, side, metric);
	return sum != 0 || pair->key->last == 1;
}

int pairs_join(struct pairs *pairs, const struct report_compare *compare,
               size_t run_of_a, size_t run_of_b)
{
	const struct side_run *a = &compare->side[A].run[run_of_a];
	const struct side_run *b = &compare->side[B].run[run_of_b];

	*pairs = (struct pairs){ .run = { a, b } };
	pairs->peak_by_row = a->peak_by_row && b->peak_by_row;
	pairs->pair = calloc(compare->keys, sizeof(*pairs->pair));
	if (!pairs->pair)
		return 0;
	for (size_t i = 0; i < compare->keys; i++) {
		struct pair pair = { &compare->key[i],
			             { cell_of(a, i), cell_of(b, i) } };

		if (is_there(&pair))
			pairs->pair[pairs->count++] = pair;
	}
	qsort(pairs->pair, pairs->count, sizeof(*pairs->pair), by_difference);
	return 1;
}

void pairs_free(struct pairs *pairs)
{
	free(pairs->pair);
}
