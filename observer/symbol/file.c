/* file - one ELF file: open, what it says of itself, its text, its names. */
#include "observer/symbol/internal.h"

#include <stdlib.h>

static const char *read_interp(const struct symbol_file *file)
{
	Elf64_Phdr segment;

	for (uint32_t i = 0; elf_segment(file, i, &segment); i++)
		if (segment.p_type == PT_INTERP)
			return span_string(elf_segment_span(file, &segment), 0);
	return NULL;
}

/* DF_1_PIE is not asked: static-PIE made by Go's own linker lacks it, and a
 * library is planned like a PIE. */
static enum file_linkage read_linkage(const struct symbol_file *file)
{
	Elf64_Phdr segment;
	int interp = 0;

	for (uint32_t i = 0; elf_segment(file, i, &segment); i++)
		if (segment.p_type == PT_INTERP)
			interp = 1;
	if (file->header.e_type == ET_DYN)
		return interp ? FILE_DYNAMIC_PIE : FILE_STATIC_PIE;
	return interp ? FILE_DYNAMIC : FILE_STATIC;
}

static int has_symtab(const struct symbol_file *file)
{
	Elf64_Shdr section;

	for (uint32_t i = 0; elf_section(file, i, &section); i++)
		if (section.sh_type == SHT_SYMTAB)
			return 1;
	return 0;
}

/* One pass over the names for all that is wanted: the runtime comes early. */
static uint64_t find_runtime(struct symbol_file *file)
{
	const struct pclntab *go = &file->go;
	uint64_t schedinit = 0;

	for (uint32_t i = 0; i < go->count; i++) {
		const char *name;
		uint32_t offset;
		if (!pclntab_field(go, pclntab_function(go, i), 1, &offset))
			continue;
		struct span own = span_cut(go->names, offset, 18);
		name = (const char *)own.at;
		if (own.size < 18 || memcmp(name, "runtime.s", 9))
			continue;
		if (!memcmp(name, "runtime.schedinit", 18))
			schedinit = pclntab_entry(go, i);
		if (!memcmp(name, "runtime.sigtramp", 17)) {
			file->info.sigtramp[0] = pclntab_entry(go, i);
			file->info.sigtramp[1] = pclntab_entry(go, i + 1);
		}
		if (schedinit && file->info.sigtramp[0])
			break;
	}
	return schedinit;
}

static int is_go(const struct pclntab *go, uint32_t index)
{
	struct symbol_place place = { 0 };

	goline_find(go, index, pclntab_entry(go, index), &place);
	return place.file != NULL;
}

/*
 * What Go's own linker took from host objects (cgo, the race detector) stands
 * in the table, too, before or behind all that is Go, and has no source file.
 * Neither has the build id, one entry in front of all.
 */
static void find_go_text(struct symbol_file *file)
{
	const struct pclntab *go = &file->go;
	uint32_t first = 0, last = go->count;

	while (first < last && !is_go(go, first))
		first++;
	while (last > first && !is_go(go, last - 1))
		last--;
	file->info.go_text[0] = pclntab_entry(go, first > 1 ? first : 0);
	file->info.go_text[1] = pclntab_entry(go, last);
}

struct symbol_file *symbol_open(const void *bytes, size_t size)
{
	struct symbol_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->all = (struct span){ .at = bytes, .size = size };
	if (!elf_read(file)) {
		free(file);
		return NULL;
	}
	pclntab_find(file);
	uint64_t schedinit = 0;
	if (file->go.version != PCLNTAB_NONE) {
		find_go_text(file);
		schedinit = find_runtime(file);
	}
	file->go_version = buildinfo_go_version(file, schedinit);
	file->build_id = buildinfo_build_id(file);
	file->info.go_version = file->go_version;
	file->info.build_id = file->build_id;
	file->info.interp = read_interp(file);
	file->info.linkage = read_linkage(file);
	file->info.stripped = !has_symtab(file);
	return file;
}

void symbol_close(struct symbol_file *file)
{
	if (!file)
		return;
	free(file->go.relocated);
	free(file->go_version);
	free(file->build_id);
	free(file->starts);
	free(file->symbols);
	minidebug_close(file->mini);
	demangle_close(file);
	lines_close(file->lines);
	lines_file_close(file->debug);
	free(file);
}

const struct symbol_info *symbol_info(const struct symbol_file *file)
{
	return &file->info;
}

void symbol_look_for_debug(struct symbol_file *file, const char *path,
                           const char *root)
{
	file->path = path;
	file->root = root;
}

/* A file without .symtab has more names in its debug file than in .dynsym. */
static int find_symbol(struct symbol_file *file, uint64_t address,
                       struct symbol_place *place)
{
	struct symbol_file *debug =
		file->info.stripped ? lines_file(file) : NULL;

	return (debug && symtab_find(debug, address, place)) ||
	       symtab_find(file, address, place);
}

/* By symbols and DWARF. */
static size_t find_places(struct symbol_file *file, uint64_t address,
                          struct symbol_place *place, size_t room)
{
	struct symbol_place symbol;
	int found = find_symbol(file, address, &symbol);
	size_t count = lines_places(file, address, place, room);
	if (!found)
		return count && place[count - 1].function ? count : 0;
	if (!count)
		place[count++] = (struct symbol_place){ 0 };
	place[count - 1].function = symbol.function;
	for (size_t i = 0; i < count; i++)
		place[i].start = symbol.start;
	return count;
}

/* With the linker's names. */
static size_t linker_places(struct symbol_file *file, uint64_t address,
                            struct symbol_place *place, size_t room)
{
	uint32_t index;

	if (!room)
		return 0;
	if (pclntab_search(&file->go, address, &index))
		return goline_places(file, index, address, place, room);
	return find_places(file, address, place, room);
}

size_t symbol_places(struct symbol_file *file, uint64_t address,
                     struct symbol_place *place, size_t room)
{
	size_t count = linker_places(file, address, place, room);

	for (size_t i = 0; i < count; i++)
		demangle_place(file, &place[i]);
	return count;
}

int symbol_find(struct symbol_file *file, uint64_t address,
                struct symbol_place *place)
{
	return (int)linker_places(file, address, place, 1);
}
