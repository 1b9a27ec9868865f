/*
 * Budget files: one limit a line, behind what it is a limit of.
 *
 *     # a comment
 *     vm         1,200 MiB
 *     mappings   40
 *     no new kinds
 *     kind page summary   586 MiB
 *
 * A kind may have any name: its limit is what the line ends with.
 */
#include "observer/report/budget_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KIB    1024ull
#define MIB    (1024 * KIB)
#define FINEST 1000000 /* part of a unit: TiB times this is below 2^63 */

/* ---- numbers ------------------------------------------------------------ */

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static const char *skip_blanks(const char *text, const char *end)
{
	while (text < end && is_blank(*text))
		text++;
	return text;
}

static const char *trim_blanks(const char *start, const char *end)
{
	while (end > start && is_blank(end[-1]))
		end--;
	return end;
}

/* Digits with commas between; returns what is behind, or NULL. */
static const char *read_digits(const char *text, const char *end,
                               uint64_t *number)
{
	*number = 0;
	if (text == end || !is_digit(*text))
		return NULL;
	for (; text < end && (is_digit(*text) || *text == ','); text++) {
		if (*text == ',')
			continue;
		if (__builtin_mul_overflow(*number, 10, number) ||
		    __builtin_add_overflow(*number, (uint64_t)(*text - '0'),
		                           number))
			return NULL;
	}
	return text[-1] == ',' ? NULL : text;
}

static int is_word(const char *text, const char *end, const char *word)
{
	size_t size = strlen(word);

	return (size_t)(end - text) == size && memcmp(text, word, size) == 0;
}

static uint64_t read_unit(const char *text, const char *end)
{
	static const struct {
		const char *name[3];
		uint64_t bytes;
	} units[] = { { { "", "B", "b" }, 1 },
		      { { "K", "KiB", "k" }, KIB },
		      { { "M", "MiB", "m" }, MIB },
		      { { "G", "GiB", "g" }, 1024 * MIB },
		      { { "T", "TiB", "t" }, 1024 * 1024 * MIB } };

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		for (int j = 0; j < 3; j++)
			if (is_word(text, end, units[i].name[j]))
				return units[i].bytes;
	return 0;
}

int budget_count(const char *text, size_t size, uint64_t *count)
{
	return read_digits(text, text + size, count) == text + size;
}

int budget_size(const char *text, size_t size, uint64_t *bytes)
{
	const char *end = text + size;
	const char *unit = read_digits(text, end, bytes);
	uint64_t scale, part = 0, whole = 1;

	if (!unit)
		return 0;
	if (unit < end && *unit == '.')
		for (unit++; unit < end && is_digit(*unit); unit++)
			if (whole < FINEST) {
				part = 10 * part + (uint64_t)(*unit - '0');
				whole *= 10;
			}
	scale = read_unit(skip_blanks(unit, end), end);
	return scale && !__builtin_mul_overflow(*bytes, scale, bytes) &&
	       !__builtin_add_overflow(*bytes, part * scale / whole, bytes) &&
	       *bytes != BUDGET_ANY;
}

const char *budget_bytes(char text[static UNITS_EXACT], uint64_t bytes)
{
	char count[UNITS_TEXT];

	if (bytes < MIB || bytes % MIB != MIB / 2)
		return units_exact(text, bytes);
	snprintf(text, UNITS_EXACT, "%s.5 MiB",
	         units_count(count, bytes / MIB));
	return text;
}

const char *budget_value(char text[static UNITS_EXACT], enum budget_what what,
                         uint64_t value)
{
	return what == BUDGET_MAPPINGS ? units_count(text, value)
	                               : budget_bytes(text, value);
}

/* ---- a budget ----------------------------------------------------------- */

int budget_add(struct budget *budget, const struct budget_limit *limit)
{
	struct budget_limit *more =
		reallocarray(budget->limit, budget->count + 1, sizeof(*more));
	char *kind = limit->kind ? strdup(limit->kind) : NULL;

	if (more)
		budget->limit = more;
	if (!more || (limit->kind && !kind)) {
		free(kind);
		return 0;
	}
	more[budget->count] = *limit;
	more[budget->count++].kind = kind;
	return 1;
}

void budget_free(struct budget *budget)
{
	for (size_t i = 0; i < budget->count; i++)
		free((char *)budget->limit[i].kind);
	free(budget->limit);
	budget->limit = NULL;
	budget->count = 0;
}

/* ---- lines -------------------------------------------------------------- */

int budget_next_line(const char *text, const char *end,
                     struct budget_line *line)
{
	const char *stop;

	if (text == end)
		return 0;
	stop = memchr(text, '\n', (size_t)(end - text));
	line->next = stop ? stop + 1 : end;
	stop = stop ? stop : end;
	line->start = skip_blanks(text, stop);
	line->end = trim_blanks(line->start, stop);
	return 1;
}

static const char *last_word(const char *start, const char *end)
{
	end = trim_blanks(start, end);
	while (end > start && !is_blank(end[-1]))
		end--;
	return end;
}

/* "64 MiB" is two words, "64M" and "any" are one. */
static const char *find_value(const char *start, const char *end)
{
	const char *value = last_word(start, end);

	if (value < end && !is_digit(*value) && !is_word(value, end, "any"))
		value = last_word(start, value);
	return value;
}

/* What is wrong with it, or NULL. */
static const char *read_value(struct budget_parts *parts, const char *end)
{
	size_t size = (size_t)(end - parts->value);

	if (is_word(parts->value, end, "any"))
		parts->most = BUDGET_ANY;
	else if (parts->what == BUDGET_MAPPINGS) {
		if (!budget_count(parts->value, size, &parts->most))
			return "takes a number at its end: mappings 40";
	} else if (!budget_size(parts->value, size, &parts->most)) {
		return "has no size at its end, as 64 MiB or 1.5G are, or any";
	}
	return NULL;
}

const char *budget_read_line(const struct budget_line *line,
                             struct budget_parts *parts)
{
	const char *name = line->start, *end = name, *wrong;

	while (end < line->end && !is_blank(*end))
		end++;
	*parts = (struct budget_parts){ .name = name };
	while (parts->what <= BUDGET_KIND &&
	       !is_word(name, end, budget_name(parts->what)))
		parts->what++;
	if (parts->what > BUDGET_KIND)
		return "begins with none of vm, reserved, committed, resident, "
		       "mappings, kind, no new kinds";
	parts->value = find_value(end, line->end);
	wrong = read_value(parts, line->end);
	if (wrong)
		return wrong;
	name = skip_blanks(end, parts->value);
	if (parts->what != BUDGET_KIND)
		return name == parts->value ? NULL : "has more than one limit";
	parts->name = name;
	parts->name_end = trim_blanks(name, parts->value);
	return parts->name == parts->name_end ? "names no kind" : NULL;
}

static int is_comment(const struct budget_line *line)
{
	return line->start == line->end || *line->start == '#';
}

static int is_no_new_kinds(const struct budget_line *line)
{
	return is_word(line->start, line->end, "no new kinds");
}

/* ---- reading ------------------------------------------------------------ */

static int is_twice(const struct budget *budget,
                    const struct budget_limit *limit)
{
	for (size_t i = 0; i < budget->count; i++)
		if (budget->limit[i].what == limit->what &&
		    (!limit->kind ||
		     strcmp(budget->limit[i].kind, limit->kind) == 0))
			return 1;
	return 0;
}

/* What is wrong, or NULL; *short when memory is. */
static const char *add_line(struct budget *budget,
                            const struct budget_line *line, int number,
                            int *is_short)
{
	struct budget_limit limit = { .line = number };
	struct budget_parts parts;
	const char *wrong = budget_read_line(line, &parts);
	char *kind = NULL;

	if (wrong)
		return wrong;
	limit.what = parts.what;
	limit.most = parts.most;
	if (parts.what == BUDGET_KIND) {
		kind = strndup(parts.name,
		               (size_t)(parts.name_end - parts.name));
		*is_short |= !kind;
		limit.kind = kind;
	}
	if (!*is_short && is_twice(budget, &limit))
		wrong = "is there twice";
	else if (!*is_short)
		*is_short |= !budget_add(budget, &limit);
	free(kind);
	return wrong;
}

int budget_read(struct budget *budget, const char *text, size_t size,
                struct budget_error *error)
{
	const char *end = text + size;
	int is_short = 0;
	struct budget_line line;

	*error = (struct budget_error){ 0 };
	if (memchr(text, 0, size))
		error->what = "is no text";
	for (; !error->what && budget_next_line(text, end, &line);
	     text = line.next) {
		error->line++;
		if (is_no_new_kinds(&line))
			budget->no_new_kinds = 1;
		else if (!is_comment(&line))
			error->what =
				add_line(budget, &line, error->line, &is_short);
		if (is_short)
			*error = (struct budget_error){ .what = "" };
	}
	return !error->what;
}
