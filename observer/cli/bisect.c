/* bisect - the smallest value that passes. */
#include "observer/cli/bisect.h"

void bisect_begin(struct bisect *bisect, uint64_t guess, uint64_t most)
{
	*bisect = (struct bisect){ .guess = guess, .most = most, .stride = 1 };
	if (bisect->most == 0)
		bisect->most = 1;
	if (bisect->guess > bisect->most)
		bisect->guess = bisect->most;
	if (bisect->guess == 0)
		bisect->guess = 1;
}

static uint64_t above(const struct bisect *bisect)
{
	uint64_t room = bisect->most - bisect->fails;

	if (room == 0)
		return 0;
	return bisect->fails + (bisect->stride < room ? bisect->stride : room);
}

static uint64_t below(const struct bisect *bisect)
{
	return bisect->stride < bisect->passes ? bisect->passes - bisect->stride
	                                       : bisect->passes / 2;
}

uint64_t bisect_next(const struct bisect *bisect)
{
	if (!bisect->passes)
		return bisect->fails ? above(bisect) : bisect->guess;
	if (bisect->passes - bisect->fails <= 1)
		return 0;
	if (!bisect->fails)
		return below(bisect);
	return bisect->fails + (bisect->passes - bisect->fails) / 2;
}

void bisect_tell(struct bisect *bisect, uint64_t value, bool passed)
{
	bool turned = passed ? bisect->fails : bisect->passes;

	if (passed && (!bisect->passes || value < bisect->passes)) {
		bisect->passes = value;
	} else if (!passed) {
		bisect->fails = value;
		if (bisect->passes <= value)
			bisect->passes = 0;
	}
	bisect->stride = turned ? 1 : 2 * bisect->stride;
}
