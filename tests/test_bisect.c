/*
 * The search of goload floor: programs made up of a rule, which value they pass
 * under.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "observer/cli/bisect.h"

#define MOST (1ull << 35) /* 2^47 bytes in pages */

/* How many tries it took to find what passes from `floor` on. */
static int find(struct bisect *bisect, uint64_t floor, uint64_t guess,
                uint64_t most)
{
	uint64_t value;
	int tries = 0;

	bisect_begin(bisect, guess, most);
	while ((value = bisect_next(bisect))) {
		cr_assert(ge(u64, value, 1));
		cr_assert(le(u64, value, most));
		cr_assert(lt(int, tries++, 200));
		bisect_tell(bisect, value, value >= floor);
	}
	return tries;
}

Test(bisect, finds_every_small_value_from_every_guess)
{
	struct bisect bisect;

	for (uint64_t floor = 1; floor <= 40; floor++)
		for (uint64_t guess = 0; guess <= 45; guess++) {
			find(&bisect, floor, guess, 40);
			cr_expect(eq(u64, bisect.passes, floor));
			cr_expect(eq(u64, bisect.fails, floor - 1));
		}
}

Test(bisect, finds_large_values)
{
	static const uint64_t floors[] = {
		1, 2, 4095, 1ull << 20, (1ull << 34) + 17, MOST - 1, MOST
	};
	struct bisect bisect;

	for (size_t i = 0; i < sizeof(floors) / sizeof(*floors); i++)
		for (size_t k = 0; k < sizeof(floors) / sizeof(*floors); k++) {
			find(&bisect, floors[i], floors[k], MOST);
			cr_expect(eq(u64, bisect.passes, floors[i]));
		}
}

Test(bisect, takes_few_tries_near_the_guess)
{
	struct bisect bisect;

	cr_expect(le(int, find(&bisect, 11000, 11001, MOST), 4));
	cr_expect(le(int, find(&bisect, 11000, 10990, MOST), 10));
	cr_expect(le(int, find(&bisect, 7000, 19000, MOST), 30));
}

Test(bisect, says_when_nothing_passes)
{
	struct bisect bisect;

	find(&bisect, 101, 7, 100);
	cr_expect(eq(u64, bisect.passes, 0));
	cr_expect(eq(u64, bisect.fails, 100));
}

Test(bisect, tries_one_step_where_not_even_that_fits)
{
	struct bisect bisect;

	bisect_begin(&bisect, 5, 0);
	cr_expect(eq(u64, bisect_next(&bisect), 1));
	bisect_tell(&bisect, 1, false);
	cr_expect(eq(u64, bisect_next(&bisect), 0));
	cr_expect(eq(u64, bisect.passes, 0));
}

Test(bisect, goes_on_above_what_passed_by_luck)
{
	struct bisect bisect;
	uint64_t value;

	find(&bisect, 500, 500, 1000);
	bisect_tell(&bisect, 500, false);
	while ((value = bisect_next(&bisect))) {
		cr_assert(gt(u64, value, 500));
		bisect_tell(&bisect, value, value >= 523);
	}
	cr_expect(eq(u64, bisect.passes, 523));
}

/* Go passes under some limits below one under which it fails. */
Test(bisect, ends_where_one_step_less_fails_whatever_passes_below)
{
	struct bisect bisect;
	uint64_t value;

	bisect_begin(&bisect, 900, 1000);
	while ((value = bisect_next(&bisect)))
		bisect_tell(&bisect, value,
		            value >= 700 || (value >= 300 && value < 400));
	cr_expect(bisect.passes == 700 || bisect.passes == 300);
	cr_expect(eq(u64, bisect.fails, bisect.passes - 1));
}
