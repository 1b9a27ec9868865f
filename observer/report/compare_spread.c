/*
 * What is the same in every run, and what varies: how many threads a program
 * starts is up to the scheduler.
 */
#include "observer/report/compare.h"

/* A value of each run. */
struct series {
	int64_t (*value)(const struct series *series, size_t run);
	const struct report_compare *compare;
	const struct side *side;
	size_t key;
	enum metric metric;
	size_t count;
};

static size_t rank_of(const struct series *series, size_t run)
{
	int64_t own = series->value(series, run);
	size_t rank = 0;

	for (size_t i = 0; i < series->count; i++) {
		int64_t value = series->value(series, i);

		rank += value < own || (value == own && i < run);
	}
	return rank;
}

/* Of an even number the lower one in the middle: one that was. */
static struct spread spread_of(const struct series *series)
{
	struct spread spread = { 0 };

	for (size_t i = 0; i < series->count; i++) {
		int64_t value = series->value(series, i);

		if (i == 0 || value < spread.least)
			spread.least = value;
		if (i == 0 || value > spread.most)
			spread.most = value;
		if (rank_of(series, i) == (series->count - 1) / 2)
			spread.median = value;
	}
	return spread;
}

static int64_t total(const struct series *series, size_t run)
{
	return (int64_t)series->side->run[run].total[series->metric];
}

static int64_t bytes(const struct series *series, size_t run)
{
	return (int64_t)cell_of(&series->side->run[run], series->key)
	        ->bytes[VM_SIZE];
}

static int64_t makes(const struct series *series, size_t run)
{
	return (int64_t)cell_of(&series->side->run[run], series->key)->makes;
}

static int64_t difference(const struct series *series, size_t turn)
{
	const struct side *side = series->compare->side;
	size_t a = compare_turn(&side[A], turn);
	size_t b = compare_turn(&side[B], turn);

	return (int64_t)(side[B].run[b].total[series->metric] -
	                 side[A].run[a].total[series->metric]);
}

struct spread spread_total(const struct side *side, enum metric metric)
{
	return spread_of(&(struct series){ .value = total,
	                                   .side = side,
	                                   .metric = metric,
	                                   .count = side->count });
}

struct spread spread_row(const struct side *side, size_t key)
{
	return spread_of(&(struct series){ .value = bytes,
	                                   .side = side,
	                                   .key = key,
	                                   .count = side->count });
}

struct spread spread_makes(const struct side *side, size_t key)
{
	return spread_of(&(struct series){ .value = makes,
	                                   .side = side,
	                                   .key = key,
	                                   .count = side->count });
}

struct spread spread_difference(const struct report_compare *compare,
                                enum metric metric)
{
	return spread_of(&(struct series){ .value = difference,
	                                   .compare = compare,
	                                   .metric = metric,
	                                   .count = compare_turns(compare) });
}

int spread_is_one(struct spread spread)
{
	return spread.least == spread.most;
}

int row_is_constant(const struct report_compare *compare, size_t key)
{
	return spread_is_one(spread_row(&compare->side[A], key)) &&
	       spread_is_one(spread_row(&compare->side[B], key));
}

size_t rows_constant(const struct report_compare *compare)
{
	size_t count = 0;

	for (size_t i = 0; i < compare->keys; i++)
		count += row_is_constant(compare, i) &&
		         (spread_row(&compare->side[A], i).most ||
		          spread_row(&compare->side[B], i).most);
	return count;
}

size_t rows_varying(const struct report_compare *compare)
{
	size_t count = 0;

	for (size_t i = 0; i < compare->keys; i++)
		count += !row_is_constant(compare, i);
	return count;
}
