/*
 * internal - what the files of this room share.
 *
 * elf.c       the container: segments, sections, bytes behind an address
 * bytes.c     symbol_map
 * file.c      symbol_open, symbol_find
 * buildinfo.c Go version and build id, modules and settings
 * about.c     symbol_about: what the file is made of
 * pclntab.c   Go's function table;  goline.c  its files, lines, inlined calls
 * symtab.c    .symtab and .dynsym;  minidebug.c  .gnu_debugdata
 * demangle.c  names of C++ and Rust
 * lines.c     DWARF: files, lines, inlined calls of what is not Go
 * lines_copy.c  the same for a file whose DWARF is compressed
 * lines_file.c  separate debug files
 * ehframe.c   .eh_frame
 * starts.c    symbol_starts: the above together
 * texts.c     where code is: symbol_texts
 * gocode.c    Go's runtime by instructions;  gorun.c  what they compute
 * golayout.c  its g and m;  memstats*.c  its MemStats
 *
 * The file is untrusted.  Everything is read through `struct span`, and every
 * offset is checked against it; numbers are little endian, ELF64 only.  There
 * is no libelf here but below libdw (lines.c): what is needed of the container
 * is little, it must not depend on EI_CLASS and EI_DATA (the kernel does not
 * look at them), and only what is asked for is read, for start-up's sake.
 */
#ifndef OBSERVER_SYMBOL_INTERNAL_H
#define OBSERVER_SYMBOL_INTERNAL_H

#include "observer/symbol/symbol.h"

#include <elf.h>
#include <string.h>

/* Bytes of the file and the address the first of them has. */
struct span {
	const uint8_t *at;
	uint64_t size;
	uint64_t address;
};

/* Go's function table, all four layouts. */
enum pclntab_version {
	PCLNTAB_NONE,
	PCLNTAB_12,  /* Go 1.2 - 1.15 */
	PCLNTAB_116, /* Go 1.16, 1.17 */
	PCLNTAB_118, /* Go 1.18, 1.19 */
	PCLNTAB_120, /* Go 1.20 and newer */
};

struct pclntab {
	enum pclntab_version version;
	uint32_t quantum;      /* what a pc delta counts in */
	uint32_t count;        /* functions; the table has one entry more */
	uint64_t text;         /* what 1.18+ entries are relative to */
	struct span table;     /* (2 * count + 1) fields */
	struct span functions; /* what function offsets are relative to */
	struct span names, units, files, values;
	uint64_t *relocated; /* entries of an old table in a PIE, or NULL */
	uint64_t address;    /* of the table's header */
	int has_gofunc;      /* looked for, when first asked */
	uint64_t gofunc;     /* what functions' data is relative to, or 0 */
};

/* A place on the way to struct symbol_place. */
struct symtab_entry {
	uint64_t address, size;
	const char *name;
	uint32_t rank; /* of several at one address the lowest is shown */
};

struct symbol_file {
	struct span all;
	Elf64_Ehdr header;
	uint32_t phnum, shnum;
	struct span section_names;
	struct span rela;
	struct symbol_info info;
	struct pclntab go;
	char *go_version, *build_id;

	int has_starts, has_symbols; /* made when first asked for */
	uint64_t *starts;
	size_t start_count;
	struct symtab_entry *symbols;
	size_t symbol_count;
	struct symbol_file *mini; /* whose names some of them have, or NULL */
	struct demangled *demangled;

	const char *path, *root; /* symbol_look_for_debug(), or NULL */
	int has_debug, has_lines;
	struct symbol_file *debug; /* the separate debug file, or NULL */
	struct lines *lines;       /* or NULL */
};

static inline uint16_t load16(const uint8_t *at)
{
	uint16_t value;
	memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint32_t load32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint64_t load64(const uint8_t *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof(value));
	return value;
}

/* What is left of `span` from `offset` on; empty when that lies outside. */
static inline struct span span_from(struct span span, uint64_t offset)
{
	if (offset > span.size)
		offset = span.size;
	return (struct span){
		.at = span.size ? span.at + offset : span.at,
		.size = span.size - offset,
		.address = span.address + offset,
	};
}

static inline struct span span_cut(struct span span, uint64_t offset,
                                   uint64_t size)
{
	span = span_from(span, offset);
	if (span.size > size)
		span.size = size;
	return span;
}

/* The NUL-terminated string at `offset`, or NULL when it does not end. */
static inline const char *span_string(struct span span, uint64_t offset)
{
	span = span_from(span, offset);
	if (!span.size || !memchr(span.at, 0, span.size))
		return NULL;
	return (const char *)span.at;
}

/* elf.c */
int elf_read(struct symbol_file *file);
int elf_segment(const struct symbol_file *file, uint32_t index,
                Elf64_Phdr *segment);
int elf_section(const struct symbol_file *file, uint32_t index,
                Elf64_Shdr *section);
const char *elf_section_name(const struct symbol_file *file,
                             const Elf64_Shdr *section);
/* The file's bytes of it: cut at the file's end, empty for NOBITS. */
struct span elf_segment_span(const struct symbol_file *file,
                             const Elf64_Phdr *segment);
struct span elf_section_span(const struct symbol_file *file,
                             const Elf64_Shdr *section);
/* The bytes of the first section of that name; 0 when there is none. */
int elf_section_named(const struct symbol_file *file, const char *name,
                      struct span *span);
/* From `address` to the end of the segment that holds it. */
struct span elf_at(const struct symbol_file *file, uint64_t address);
/* The pointer at `address`, relocated as ld.so would with a bias of 0. */
uint64_t elf_pointer(const struct symbol_file *file, uint64_t address);
/* Where a pointer to `target` lies, the next one behind *at; 0: no more. */
int elf_pointer_to(const struct symbol_file *file, uint64_t target,
                   uint64_t *at);
int elf_executable(const struct symbol_file *file, uint64_t start,
                   uint64_t end);

/* A relative relocation: writes the addend (plus bias) to `offset`. */
static inline int rela_relative(const uint8_t *rela, uint64_t *offset,
                                uint64_t *addend)
{
	uint64_t type = load64(rela + 8);

	*offset = load64(rela);
	*addend = load64(rela + 16);
	return type == R_X86_64_RELATIVE || type == R_AARCH64_RELATIVE;
}

/* buildinfo.c: malloc'd or NULL */
char *buildinfo_go_version(const struct symbol_file *file, uint64_t schedinit);
char *buildinfo_build_id(const struct symbol_file *file);
/* modules and settings, a line each */
char *buildinfo_modules(const struct symbol_file *file);

/* pclntab.c */
void pclntab_find(struct symbol_file *file);
struct span pclntab_function(const struct pclntab *go, uint32_t index);
const char *pclntab_name(const struct pclntab *go, uint32_t index);
/* The function that holds `address`; 0 when none does. */
int pclntab_search(const struct pclntab *go, uint64_t address, uint32_t *index);

/* Where function `index` starts; `index` == count: the end of the last one. */
static inline uint64_t pclntab_entry(const struct pclntab *go, uint32_t index)
{
	if (go->version >= PCLNTAB_118)
		return go->text + load32(go->table.at + 8ull * index);
	if (go->relocated)
		return go->relocated[index];
	return load64(go->table.at + 16ull * index);
}

/* A 4-byte field of a function's record; field 1 is its name. */
static inline int pclntab_field(const struct pclntab *go, struct span function,
                                unsigned field, uint32_t *value)
{
	unsigned first = go->version >= PCLNTAB_118 ? 4 : 8;
	unsigned offset = first + 4 * (field - 1);

	if (function.size < offset + 4)
		return 0;
	*value = load32(function.at + offset);
	return 1;
}

/* moduledata's gofunc, 0 when it cannot be found (before Go 1.18 always). */
uint64_t pclntab_gofunc(struct symbol_file *file);

/* goline.c: file NULL and line 0 when not known */
void goline_find(const struct pclntab *go, uint32_t index, uint64_t address,
                 struct symbol_place *place);
/* symbol_places, of an address in function `index` */
size_t goline_places(struct symbol_file *file, uint32_t index, uint64_t address,
                     struct symbol_place *place, size_t room);

/* symtab.c */
typedef void symtab_each(void *context, const Elf64_Sym *symbol,
                         const char *name);
void symtab_functions(const struct symbol_file *file, symtab_each *each,
                      void *context);
int symtab_find(struct symbol_file *file, uint64_t address,
                struct symbol_place *place);

/* minidebug.c: what a stripped file has in .gnu_debugdata, or NULL */
struct symbol_file *minidebug_open(const struct symbol_file *file);
void minidebug_close(struct symbol_file *mini);

/* demangle.c: makes the linker's name of a place readable */
void demangle_place(struct symbol_file *file, struct symbol_place *place);
void demangle_close(struct symbol_file *file);

/* lines.c: symbol_places by DWARF; the function of the last place is NULL when
 * that does not name it.  0 when nothing is known. */
size_t lines_places(struct symbol_file *file, uint64_t address,
                    struct symbol_place *place, size_t room);
void lines_close(struct lines *lines);

/* lines_copy.c: only the DWARF of the file, malloc'd; empty: no memory, or
 * more of it than can be true */
int lines_copy_needed(const struct symbol_file *file);
struct span lines_copy(const struct symbol_file *file);

/* lines_file.c: file->debug, looked for when first asked */
struct symbol_file *lines_file(struct symbol_file *file);
void lines_file_close(struct symbol_file *debug);

/* ehframe.c */
/* `fde`: the address of its entry */
typedef void ehframe_each(void *context, uint64_t start, uint64_t fde);
void ehframe_functions(const struct symbol_file *file, ehframe_each *each,
                       void *context);

#endif
