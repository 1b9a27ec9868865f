/*
 * symbol - names for addresses: Go's pclntab, ELF symbol tables, unwind tables.
 *
 * Works on one ELF file as bytes in memory (the caller maps it); addresses are
 * those of the file, without load bias.  Every reader is bounds-checked: a
 * hostile file yields fewer names, never a fault.  Our own readers, for the
 * container too (internal.h says why) and for pclntab (all four layouts:
 * Go 1.2, 1.16, 1.18, 1.20+; since Go 1.26 its textStart is 0 and the text
 * address is taken elsewhere).
 *
 * Failure: NULL or 0.  Hosted, no I/O.
 */
#ifndef OBSERVER_SYMBOL_SYMBOL_H
#define OBSERVER_SYMBOL_SYMBOL_H

#include "trace/file.h"

#include <stddef.h>
#include <stdint.h>

struct symbol_file;

/* `bytes` must outlive the result.  NULL: not an ELF file that can be read. */
struct symbol_file *symbol_open(const void *bytes, size_t size);
void symbol_close(struct symbol_file *file);

/* What the file says of itself; strings live as long as the file is open. */
struct symbol_info {
	enum file_linkage linkage;
	int stripped;           /* no .symtab */
	const char *interp;     /* PT_INTERP, or NULL */
	const char *go_version; /* "go1.26.8", or NULL */
	const char *
		build_id; /* GNU build id in hex, else Go's build id, or NULL */
	uint64_t go_text[2];     /* Go text [start, end), 0 0 when not Go */
	uint64_t sigtramp[2];    /* runtime.sigtramp [start, end), or 0 0 */
	uint64_t systemstack[2]; /* runtime.systemstack [start, end), or 0 0 */
};

const struct symbol_info *symbol_info(const struct symbol_file *file);

/* Executable PT_LOAD ranges narrowed to what holds code (sections where there
 * are any): up to `capacity` of them; returns how many there are. */
struct symbol_text {
	uint64_t address, size;
	uint64_t offset; /* in the file */
};
size_t symbol_texts(const struct symbol_file *file, struct symbol_text *text,
                    size_t capacity);

/*
 * Where functions start: pclntab in Go text; elsewhere .eh_frame, .symtab,
 * .dynsym and the entry point together; sorted, without duplicates, all within
 * symbol_texts.  (An FDE whose CIE augmentation has 'S', a
 * signal frame, starts one byte early: it is corrected by one.)  The array
 * belongs to the file.
 */
size_t symbol_starts(struct symbol_file *file, const uint64_t **starts);

struct symbol_place {
	const char *function; /* "runtime.(*pageAlloc).sysInit"; never NULL */
	const char *file;     /* "/usr/.../mpagealloc_64bit.go", or NULL */
	int line;             /* 0 when not known */
	uint64_t start;       /* of the function */
	int go;               /* found in the pclntab */
};

/*
 * The place of `address`.  For a return address pass address - 1.
 * 1 when found; strings live as long as the file is open.
 */
int symbol_find(struct symbol_file *file, uint64_t address,
                struct symbol_place *place);

#endif
