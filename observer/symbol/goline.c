/*
 * goline - file, line and inlined calls of an address in Go text.
 *
 * A pc-value table is pairs of varints (value delta, zigzag; pc delta in
 * quanta): a value holds from the pc before the pair up to the pc behind it.
 * One such table has the lines, another the files, of each function.  A third
 * has the inlined call, if any, as an index in a tree of them:
 *
 *     offset  1.18, 1.19     1.20 and newer
 *      0      parent
 *      4      file           name
 *      8      line           call
 *     12      name           start line
 *     16      call
 *
 * `call` is where in the function an instruction is whose own place is that of
 * the call: what is known of that is the next frame.  (parent, file and line
 * say the same once more.)
 */
#include "observer/symbol/internal.h"

/* Fields of a function's record (runtime._func), as gosym numbers them. */
enum { FIELD_FILE = 5, FIELD_LINE = 6, FIELD_TABLES = 7, FIELD_UNIT = 8 };

#define TABLE_INLINED 2u /* PCDATA_InlTreeIndex */
#define DATA_INLINED  3u /* FUNCDATA_InlTree */

#define DEPTH_MAX 64 /* inlined calls at one address, so that all ends */

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

/* ---- inlined calls ------------------------------------------------------ */

struct inlined {
	uint32_t table;   /* pc -> index in the tree */
	struct span tree; /* empty: nothing was inlined */
};

static struct inlined inlined_of(struct symbol_file *file, uint32_t index)
{
	const struct pclntab *go = &file->go;
	struct span function = pclntab_function(go, index);
	/* behind the record: tables of pcs, then data */
	uint32_t first = go->version == PCLNTAB_118 ? 10 : 11, tables, data;
	struct inlined inlined = { 0 };

	if (go->version < PCLNTAB_118 || function.size < 4 * first ||
	    function.at[4 * first - 1] <= DATA_INLINED ||
	    !pclntab_field(go, function, FIELD_TABLES, &tables) ||
	    tables <= TABLE_INLINED || tables > UINT16_MAX ||
	    !pclntab_field(go, function, first + TABLE_INLINED,
	                   &inlined.table) ||
	    !pclntab_field(go, function, first + tables + DATA_INLINED,
	                   &data) ||
	    !inlined.table || data == UINT32_MAX)
		return inlined;
	uint64_t gofunc = pclntab_gofunc(file);
	if (gofunc)
		inlined.tree = elf_at(file, gofunc + data);
	return inlined;
}

/* The call inlined at `distance`: its function's name and where it was called,
 * or NULL. */
static const char *inlined_at(const struct pclntab *go,
                              const struct inlined *inlined, uint64_t distance,
                              uint64_t *call)
{
	unsigned old = go->version == PCLNTAB_118, size = old ? 20 : 16;

	if (!inlined->tree.size)
		return NULL;
	int64_t index = value_at(go, inlined->table, distance);
	if (index < 0)
		return NULL;
	struct span row = span_cut(inlined->tree, size * (uint64_t)index, size);
	if (row.size < size)
		return NULL;
	*call = load32(row.at + (old ? 16 : 8));
	return span_string(go->names, load32(row.at + (old ? 12 : 4)));
}

size_t goline_places(struct symbol_file *file, uint32_t index, uint64_t address,
                     struct symbol_place *place, size_t room)
{
	const struct pclntab *go = &file->go;
	struct inlined inlined = inlined_of(file, index);
	uint64_t start = pclntab_entry(go, index);
	uint64_t size = pclntab_entry(go, index + 1) - start;
	uint64_t at = address - start, call;
	const char *name;
	size_t count = 0;

	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		name = inlined_at(go, &inlined, at, &call);
		if (!name || call >= size)
			break;
		if (count + 1 < room) {
			place[count] = (struct symbol_place){
				.function = name,
				.start = start,
				.go = 1,
			};
			goline_find(go, index, start + at, &place[count++]);
		}
		at = call;
	}
	name = pclntab_name(go, index);
	if (!name)
		return 0;
	place[count] = (struct symbol_place){
		.function = name,
		.start = start,
		.go = 1,
	};
	goline_find(go, index, start + at, &place[count]);
	return count + 1;
}
