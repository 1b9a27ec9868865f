/* time - the time, and times as users type them. */
#include "observer/cli/cli.h"

#include <string.h>
#include <time.h>

uint64_t cli_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool cli_read_time(const char *text, uint64_t *ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "", 1 },
		      { "ns", 1 },
		      { "us", 1000 },
		      { "ms", 1000000 },
		      { "s", 1000000000 } };
	size_t whole = strspn(text, "0123456789"), digits = 0;
	const char *unit = text + whole;
	uint64_t scale = 0;

	if (*unit == '.') {
		digits = strspn(unit + 1, "0123456789");
		unit += 1 + digits;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strcmp(unit, units[i].name) == 0)
			scale = units[i].ns;
	if (!scale || whole + digits == 0)
		return false;
	*ns = 0;
	for (size_t i = 0; i < whole; i++)
		if (__builtin_mul_overflow(*ns, 10, ns) ||
		    __builtin_add_overflow(*ns, (unsigned)(text[i] - '0'), ns))
			return false;
	if (__builtin_mul_overflow(*ns, scale, ns))
		return false;
	for (size_t i = 0; i < digits && (scale /= 10) > 0; i++)
		*ns += scale * (unsigned)(text[whole + 1 + i] - '0');
	return true;
}
