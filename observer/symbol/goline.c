/*
 * goline - file and line of an address in Go text.
 *
 * A pc-value table is pairs of varints (value delta, zigzag; pc delta in
 * quanta): a value holds from the pc before the pair up to the pc behind it.
 * One such table has the lines, another the files, of each function.
 */
#include "observer/symbol/internal.h"

/* Fields of a function's record (runtime._func), as gosym numbers them. */
enum { FIELD_FILE = 5, FIELD_LINE = 6, FIELD_UNIT = 8 };

static int varint(struct span *span, uint32_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 35 && span->size; shift += 7) {
		uint8_t byte = *span->at;
		*span = span_from(*span, 1);
		*value |= (uint32_t)((uint64_t)(byte & 0x7f) << shift);
		if (!(byte & 0x80))
			return 1;
	}
	return 0;
}

/* The value at `distance` from the function's start, or -1. */
static int64_t value_at(const struct pclntab *go, uint32_t table,
                        uint64_t distance)
{
	struct span span = span_from(go->values, table);
	uint32_t value = UINT32_MAX, delta, step;
	uint64_t pc = 0;

	while (varint(&span, &delta)) {
		if (!delta && pc) /* the end; a first delta of 0 is none */
			break;
		value += (delta & 1) ? ~(delta >> 1) : delta >> 1;
		if (!varint(&span, &step))
			break;
		pc += (uint64_t)step * go->quantum;
		if (distance < pc)
			return (int32_t)value;
	}
	return -1;
}

static const char *file_name(const struct pclntab *go, struct span function,
                             uint64_t number)
{
	uint32_t unit = 0;

	if (go->version != PCLNTAB_12 &&
	    !pclntab_field(go, function, FIELD_UNIT, &unit))
		return NULL;
	/* 1.2 has one table; its entry 0 is the number of entries */
	if (go->version == PCLNTAB_12 && !number)
		return NULL;
	struct span entry = span_from(go->units, 4 * (unit + number));
	if (entry.size < 4 || load32(entry.at) == UINT32_MAX)
		return NULL;
	return span_string(go->files, load32(entry.at));
}

void goline_find(const struct pclntab *go, uint32_t index, uint64_t address,
                 struct symbol_place *place)
{
	struct span function = pclntab_function(go, index);
	uint64_t distance = address - pclntab_entry(go, index);
	uint32_t files, lines;

	if (!pclntab_field(go, function, FIELD_FILE, &files) ||
	    !pclntab_field(go, function, FIELD_LINE, &lines))
		return;
	int64_t number = value_at(go, files, distance);
	if (number < 0)
		return;
	place->file = file_name(go, function, (uint64_t)number);
	int64_t line = value_at(go, lines, distance);
	place->line = line > 0 ? (int)line : 0;
}
