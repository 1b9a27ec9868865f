/*
 * pclntab - Go's function table (debug/gosym/pclntab.go, runtime/symtab.go).
 *
 *     offset  1.2 - 1.15      1.16, 1.17      1.18 and newer
 *      0      magic, 0, 0, pc quantum, pointer size
 *      8      functions       functions       functions
 *     16      functab         files           files
 *     24                      names           text start (1.26+: 0)
 *     32                      units           names
 *     40                      file names      units
 *     48                      pc values       file names
 *     56                      functab         pc values
 *     64                                      functab
 *
 * A functab is (entry, offset of the function's record) pairs and a last entry
 * where text ends: pointers at first, 4 bytes relative to the text since 1.18.
 */
#include "observer/symbol/internal.h"

#include <stdlib.h>

/* moduledata starts with a pointer to the pclntab; from 1.18 to 1.26 these
 * are at the same place (1.16 and 1.17 too, but they need no text address).
 * Since 1.20 coverage counters stand before gofunc. */
#define MODULE_MINPC      160u
#define MODULE_MAXPC      168u
#define MODULE_TEXT       176u
#define MODULE_GOFUNC_118 304u
#define MODULE_GOFUNC_120 320u

#define MODULES_TRIED 16 /* so that a hostile file is not quadratic */

static enum pclntab_version version_of(const uint8_t *header)
{
	if (header[4] || header[5] || header[7] != 8)
		return PCLNTAB_NONE;
	if (header[6] != 1 && header[6] != 2 && header[6] != 4)
		return PCLNTAB_NONE;
	switch (load32(header)) {
	case 0xfffffffb:
		return PCLNTAB_12;
	case 0xfffffffa:
		return PCLNTAB_116;
	case 0xfffffff0:
		return PCLNTAB_118;
	case 0xfffffff1:
		return PCLNTAB_120;
	default:
		return PCLNTAB_NONE;
	}
}

/* The table that header word `word` gives the offset of. */
static struct span part(struct span all, unsigned word)
{
	return span_from(all, load64(all.at + 8 + 8ull * word));
}

static int read_header(struct pclntab *go, struct span all)
{
	if (all.size < 72)
		return 0;
	go->version = version_of(all.at);
	if (go->version == PCLNTAB_NONE)
		return 0;
	go->address = all.address;
	go->quantum = all.at[6];
	uint64_t count = load64(all.at + 8);
	unsigned pair = 16, first = 2;

	if (go->version == PCLNTAB_12) {
		go->names = go->files = go->values = go->functions = all;
		go->table = span_from(all, 16);
	} else {
		if (go->version >= PCLNTAB_118)
			pair = 8, first = 3;
		go->names = part(all, first);
		go->units = part(all, first + 1);
		go->files = part(all, first + 2);
		go->values = part(all, first + 3);
		go->functions = go->table = part(all, first + 4);
	}
	if (!count || count > UINT32_MAX || go->table.size < pair / 2 ||
	    (go->table.size - pair / 2) / pair < count)
		return 0;
	go->count = (uint32_t)count;
	go->table.size = pair * count + pair / 2;
	if (go->version == PCLNTAB_12) {
		/* a 4-byte offset of the file table stands behind */
		struct span behind = span_from(all, 16 + go->table.size);
		if (behind.size >= 4)
			go->units = span_from(all, load32(behind.at));
	}
	return 1;
}

/* Would the functions lie in executable memory if text started there? */
static int text_fits(const struct symbol_file *file, uint64_t text)
{
	struct pclntab go = file->go;

	go.text = text;
	return text && elf_executable(file, pclntab_entry(&go, 0),
	                              pclntab_entry(&go, go.count));
}

static int is_module(const struct symbol_file *file, uint64_t module)
{
	struct pclntab go = file->go;

	go.text = elf_pointer(file, module + MODULE_TEXT);
	return text_fits(file, go.text) &&
	       elf_pointer(file, module + MODULE_MINPC) ==
	               pclntab_entry(&go, 0) &&
	       elf_pointer(file, module + MODULE_MAXPC) ==
	               pclntab_entry(&go, go.count);
}

/* The moduledata of the table at `table`, or 0. */
static uint64_t find_module(const struct symbol_file *file, uint64_t table)
{
	struct span section;
	uint64_t at = 0;

	if (elf_section_named(file, ".go.module", &section) &&
	    is_module(file, section.address))
		return section.address;
	for (int i = 0; i < MODULES_TRIED; i++) {
		if (!elf_pointer_to(file, table, &at))
			break;
		if (is_module(file, at))
			return at;
	}
	return 0;
}

/*
 * Up to 1.25 the header has it, relocated in a PIE.  Since 1.26 that is 0 and
 * moduledata has it.  The start of .text comes last: in a program that the
 * system's linker made, C start-up code comes first there.
 */
static uint64_t find_text(const struct symbol_file *file, uint64_t table)
{
	struct span section;
	uint64_t text = elf_pointer(file, table + 24);

	if (text_fits(file, text))
		return text;
	uint64_t module = find_module(file, table);
	if (module)
		return elf_pointer(file, module + MODULE_TEXT);
	if (elf_section_named(file, ".text", &section) &&
	    text_fits(file, section.address))
		return section.address;
	return 0;
}

uint64_t pclntab_gofunc(struct symbol_file *file)
{
	struct pclntab *go = &file->go;

	if (go->version < PCLNTAB_118 || go->has_gofunc)
		return go->gofunc;
	go->has_gofunc = 1;
	uint64_t module = find_module(file, go->address);
	uint64_t offset = go->version == PCLNTAB_118 ? MODULE_GOFUNC_118
	                                             : MODULE_GOFUNC_120;
	if (module)
		go->gofunc = elf_pointer(file, module + offset);
	return go->gofunc;
}

/* In a PIE the entries of an old table are relocations, and 0 in the file. */
static int read_relocated(struct symbol_file *file)
{
	struct pclntab *go = &file->go;
	struct span rela = file->rela;

	if (pclntab_entry(go, 0) || !rela.size)
		return 1;
	go->relocated = calloc(go->count + 1ull, sizeof(*go->relocated));
	if (!go->relocated)
		return 0;
	for (uint64_t i = 0; rela.size - i >= sizeof(Elf64_Rela);
	     i += sizeof(Elf64_Rela)) {
		uint64_t offset, addend;
		if (!rela_relative(rela.at + i, &offset, &addend))
			continue;
		offset -= go->table.address;
		if (offset < go->table.size && offset % 16 == 0)
			go->relocated[offset / 16] = addend;
	}
	return 1;
}

static int try_table(struct symbol_file *file, struct span all)
{
	struct pclntab *go = &file->go;

	if (!read_header(go, all))
		goto no;
	if (go->version >= PCLNTAB_118)
		go->text = find_text(file, all.address);
	else if (!read_relocated(file))
		goto no;
	if (elf_executable(file, pclntab_entry(go, 0),
	                   pclntab_entry(go, go->count)))
		return 1;
no:
	free(go->relocated);
	*go = (struct pclntab){ 0 };
	return 0;
}

/* Only by its first bytes, where no section names it. */
static int scan(struct symbol_file *file)
{
	Elf64_Phdr segment;
	int tried = 0;

	for (uint32_t i = 0; elf_segment(file, i, &segment); i++) {
		if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X))
			continue;
		struct span span = elf_segment_span(file, &segment);
		for (span = span_from(span, -span.address & 7); span.size >= 72;
		     span = span_from(span, 8)) {
			if (version_of(span.at) == PCLNTAB_NONE)
				continue;
			if (try_table(file, span))
				return 1;
			if (++tried == MODULES_TRIED)
				return 0;
		}
	}
	return 0;
}

/*
 * The system's linker puts the table of a 1.19 PIE into .data.rel.ro, so the
 * name is not enough; but C programs shall not pay for a scan.
 */
static int looks_go(const struct symbol_file *file)
{
	struct span span;

	return !file->shnum ||
	       elf_section_named(file, ".go.buildinfo", &span) ||
	       elf_section_named(file, ".note.go.buildid", &span);
}

void pclntab_find(struct symbol_file *file)
{
	struct span span;

	if (elf_section_named(file, ".gopclntab", &span) &&
	    try_table(file, span))
		return;
	if (elf_section_named(file, ".data.rel.ro.gopclntab", &span) &&
	    try_table(file, span))
		return;
	if (looks_go(file))
		scan(file);
}

struct span pclntab_function(const struct pclntab *go, uint32_t index)
{
	uint64_t offset = go->version >= PCLNTAB_118
	                          ? load32(go->table.at + 8ull * index + 4)
	                          : load64(go->table.at + 16ull * index + 8);

	return span_from(go->functions, offset);
}

const char *pclntab_name(const struct pclntab *go, uint32_t index)
{
	uint32_t offset;

	if (!pclntab_field(go, pclntab_function(go, index), 1, &offset))
		return NULL;
	return span_string(go->names, offset);
}

int pclntab_search(const struct pclntab *go, uint64_t address, uint32_t *index)
{
	if (go->version == PCLNTAB_NONE || address < pclntab_entry(go, 0) ||
	    address >= pclntab_entry(go, go->count))
		return 0;
	uint32_t low = 0, high = go->count;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (pclntab_entry(go, middle) <= address)
			low = middle;
		else
			high = middle;
	}
	*index = low;
	return 1;
}
