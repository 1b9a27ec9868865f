/*
 * lines - files, lines and inlined calls by DWARF, with libdw.
 *
 * What each compilation unit covers is read once; a unit's own tree and its
 * line table when an address in it is asked for.  In the tree the way goes down
 * from the function to the innermost inlined call.  We walk it ourselves: libdw
 * would recurse as deep as a hostile file wants, or go in circles.
 */
#include "observer/symbol/internal.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>

#define RANGES_MAX  (1u << 20)
#define ENTRIES_MAX (1u << 20) /* looked at for one address */
#define DEPTH_MAX   64         /* of inlined calls; of namespaces */

/* How many units that start before an address are looked at: some overlap. */
#define UNITS_TRIED 16

struct unit {
	uint64_t start, end;
	Dwarf_Off die;
};

struct lines {
	struct span copy; /* what libelf reads, when that is not the file */
	Elf *elf;
	Dwarf *dwarf;
	struct unit *unit; /* sorted by start */
	size_t count, capacity;
};

/* ---- units -------------------------------------------------------------- */

static int add_unit(struct lines *lines, struct unit unit)
{
	if (lines->count == lines->capacity) {
		size_t capacity = lines->capacity ? 2 * lines->capacity : 64;
		struct unit *grown =
			capacity > RANGES_MAX
				? NULL
				: realloc(lines->unit,
		                          capacity * sizeof(*grown));
		if (!grown)
			return 0;
		lines->unit = grown;
		lines->capacity = capacity;
	}
	lines->unit[lines->count++] = unit;
	return 1;
}

static int by_start(const void *left, const void *right)
{
	const struct unit *a = left, *b = right;

	return (a->start > b->start) - (a->start < b->start);
}

/* Code that the linker dropped is still described, at address 0. */
static void read_units(const struct symbol_file *file, struct lines *lines)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;

	while (dwarf_get_units(lines->dwarf, cu, &cu, NULL, NULL, &die, NULL) ==
	       0) {
		Dwarf_Addr base, start, end;
		ptrdiff_t next = 0;

		while ((next = dwarf_ranges(&die, next, &base, &start, &end)) >
		       0) {
			struct unit unit = { start, end,
				             dwarf_dieoffset(&die) };
			if (elf_executable(file, start, end) &&
			    !add_unit(lines, unit))
				return;
		}
	}
}

/* `file` has the segments, `from` the DWARF: the same, or the debug file. */
static struct lines *open_lines(const struct symbol_file *file,
                                const struct symbol_file *from)
{
	struct lines *lines = calloc(1, sizeof(*lines));
	struct span bytes = from->all;

	if (!lines)
		return NULL;
	if (lines_copy_needed(from))
		bytes = lines->copy = lines_copy(from);
	elf_version(EV_CURRENT);
	if (bytes.size)
		lines->elf = elf_memory((char *)bytes.at, bytes.size);
	if (lines->elf)
		lines->dwarf = dwarf_begin_elf(lines->elf, DWARF_C_READ, NULL);
	if (lines->dwarf)
		read_units(file, lines);
	if (lines->count) {
		qsort(lines->unit, lines->count, sizeof(*lines->unit),
		      by_start);
		return lines;
	}
	lines_close(lines);
	return NULL;
}

void lines_close(struct lines *lines)
{
	if (!lines)
		return;
	dwarf_end(lines->dwarf);
	elf_end(lines->elf);
	free((void *)lines->copy.at);
	free(lines->unit);
	free(lines);
}

static int find_unit(const struct lines *lines, uint64_t address,
                     Dwarf_Die *die)
{
	size_t low = 0, high = lines->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (lines->unit[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t back = 1; back <= low && back <= UNITS_TRIED; back++) {
		const struct unit *unit = &lines->unit[low - back];
		if (address < unit->end)
			return dwarf_offdie(lines->dwarf, unit->die, die) !=
			       NULL;
	}
	return 0;
}

/* ---- the way down ------------------------------------------------------- */

struct search {
	uint64_t address;
	unsigned entries;
};

static int holds_names(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_module ||
	       tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
	       tag == DW_TAG_union_type || tag == DW_TAG_enumeration_type;
}

static int holds_code(int tag)
{
	return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine ||
	       tag == DW_TAG_lexical_block || tag == DW_TAG_try_block ||
	       tag == DW_TAG_catch_block;
}

/* The part of `parent` that holds the address. */
static int find_part(struct search *search, Dwarf_Die *parent, Dwarf_Die *part,
                     unsigned depth)
{
	Dwarf_Die die;
	Dwarf_Off before;

	if (dwarf_child(parent, &die) != 0)
		return 0;
	do {
		int tag = dwarf_tag(&die);
		if (search->entries++ == ENTRIES_MAX)
			return 0;
		if (holds_code(tag) &&
		    dwarf_haspc(&die, search->address) == 1) {
			*part = die;
			return 1;
		}
		if (holds_names(tag) && depth < DEPTH_MAX &&
		    find_part(search, &die, part, depth + 1))
			return 1;
		before = dwarf_dieoffset(&die);
	} while (dwarf_siblingof(&die, &die) == 0 &&
	         dwarf_dieoffset(&die) > before);
	return 0;
}

/* The function that holds the address, and the calls inlined there, one in the
 * other; returns how many. */
static size_t find_chain(Dwarf_Die *unit, uint64_t address,
                         Dwarf_Die chain[DEPTH_MAX])
{
	struct search search = { .address = address };
	Dwarf_Die die = *unit;
	size_t count = 0;

	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		if (!find_part(&search, &die, &die, 0))
			break;
		int tag = dwarf_tag(&die);
		if (tag == DW_TAG_subprogram ||
		    tag == DW_TAG_inlined_subroutine)
			chain[count++] = die;
	}
	return count;
}

/* ---- places ------------------------------------------------------------- */

/* The linker's name where it says more, in C++ and Rust; in C it is an alias
 * that nobody calls by that name. */
static const char *name_of(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	const char *name = dwarf_formstring(
		dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute));

	if (name && name[0] == '_' && (name[1] == 'Z' || name[1] == 'R'))
		return name;
	return dwarf_diename(die);
}

static void set_line(Dwarf_Die *unit, uint64_t address,
                     struct symbol_place *place)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, address);
	int number;

	if (!line)
		return;
	place->file = dwarf_linesrc(line, NULL, NULL);
	if (dwarf_lineno(line, &number) == 0 && number > 0)
		place->line = number;
}

static Dwarf_Word number_of(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	if (dwarf_formudata(dwarf_attr(die, name, &attribute), &value) != 0)
		return 0;
	return value;
}

/* Where the inlined call `die` was made. */
static void set_call(Dwarf_Die *unit, Dwarf_Die *die,
                     struct symbol_place *place)
{
	Dwarf_Word file = number_of(die, DW_AT_call_file);
	Dwarf_Word line = number_of(die, DW_AT_call_line);
	Dwarf_Files *files;
	size_t count;

	if (dwarf_getsrcfiles(unit, &files, &count) != 0)
		return;
	place->file =
		file < count ? dwarf_filesrc(files, file, NULL, NULL) : NULL;
	place->line = line <= INT32_MAX ? (int)line : 0;
}

static size_t fill(Dwarf_Die *unit, Dwarf_Die *chain, size_t depth,
                   uint64_t address, struct symbol_place *place, size_t room)
{
	struct symbol_place at = { 0 };
	Dwarf_Addr start;
	size_t count = 0;

	set_line(unit, address, &at);
	while (depth > 1) {
		Dwarf_Die *die = &chain[--depth];
		at.function = name_of(die);
		if (at.function && count + 1 < room)
			place[count++] = at;
		at = (struct symbol_place){ 0 };
		set_call(unit, die, &at);
	}
	if (depth) {
		at.function = name_of(chain);
		if (dwarf_entrypc(chain, &start) == 0 && start <= address)
			at.start = start;
	}
	place[count++] = at;
	for (size_t i = 0; i < count; i++)
		place[i].start = at.start;
	return count;
}

static struct lines *lines_of(struct symbol_file *file)
{
	if (file->has_lines)
		return file->lines;
	file->has_lines = 1;
	file->lines = open_lines(file, file);
	if (!file->lines && lines_file(file))
		file->lines = open_lines(file, file->debug);
	return file->lines;
}

size_t lines_places(struct symbol_file *file, uint64_t address,
                    struct symbol_place *place, size_t room)
{
	const struct lines *lines = lines_of(file);
	Dwarf_Die unit, chain[DEPTH_MAX];

	if (!lines || !find_unit(lines, address, &unit))
		return 0;
	size_t depth = find_chain(&unit, address, chain);
	return fill(&unit, chain, depth, address, place, room);
}
