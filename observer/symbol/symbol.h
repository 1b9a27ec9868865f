/*
 * symbol - names for addresses: Go's pclntab, ELF symbol tables, unwind tables,
 * DWARF; those of C++ and Rust as their authors wrote them.
 *
 * Works on one ELF file as bytes in memory (the caller maps it); addresses are
 * those of the file, without load bias.  Every reader is bounds-checked: a
 * hostile file yields fewer names, never a fault.  Our own readers, for the
 * container too (internal.h says why) and for pclntab (all four layouts:
 * Go 1.2, 1.16, 1.18, 1.20+; since Go 1.26 its textStart is 0 and the text
 * address is taken elsewhere).  DWARF is libdw's, and read only when an address
 * is asked for that is not Go's.
 *
 * Failure: NULL or 0.  Hosted; no I/O but for symbol_map(), and for separate
 * debug files, where symbol_look_for_debug() allows it.
 */
#ifndef OBSERVER_SYMBOL_SYMBOL_H
#define OBSERVER_SYMBOL_SYMBOL_H

#include "trace/file.h"

#include <stddef.h>
#include <stdint.h>

/* A file in memory, and what tells it from another one at its path. */
struct symbol_bytes {
	const uint8_t *at; /* NULL when it is empty */
	size_t size;
	size_t stored; /* of that, what can hold names and code: what is behind
	                  the last stored byte of a sparse file cannot, and
	                  4 GiB are enough */
	uint64_t device, inode;
	uint64_t mtime; /* ns */
};

/* Maps a regular file to be read.  0 with errno set when that cannot be; errno
 * is 0 when it is no regular file, nor a directory. */
int symbol_map(const char *path, struct symbol_bytes *bytes);
int symbol_map_fd(int fd, struct symbol_bytes *bytes);
void symbol_unmap(const struct symbol_bytes *bytes);
/* Are both of one file, that has not been written to in between? */
int symbol_same(const struct symbol_bytes *a, const struct symbol_bytes *b);

struct symbol_file;

#define SYMBOL_BUILD_ID 128 /* bytes of a build id, with its NUL, at most */

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

/*
 * From now on lines and names may also come from a separate debug file: by
 * build id below `root` ("/usr/lib/debug"), or by .gnu_debuglink beside `path`,
 * in .debug there, or below `root`.  It is opened when it is needed and taken
 * only when its build id or checksum is the right one.  Nothing is asked of the
 * network.  The strings must outlive `file`.
 */
void symbol_look_for_debug(struct symbol_file *file, const char *path,
                           const char *root);

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
	const char *linker;   /* "_Znwm" where function is "operator new", or
	                         NULL: the same */
	const char *file;     /* "/usr/.../mpagealloc_64bit.go", or NULL */
	int line;             /* 0 when not known */
	uint64_t start;       /* of the function, or what it is inlined in */
	int go;               /* found in the pclntab */
};

/*
 * The places of `address`, innermost first: the functions whose code was
 * inlined there, then the one that has a start of its own.  Each has the file
 * and line where it is, all but the first that of a call.  For a return address
 * pass address - 1.  Returns how many, at most `room`; where that is too little
 * the last is still that function.  Strings live as long as the file is open.
 */
size_t symbol_places(struct symbol_file *file, uint64_t address,
                     struct symbol_place *place, size_t room);

/* The last of them, with the name that the linker knows: 1 when found. */
int symbol_find(struct symbol_file *file, uint64_t address,
                struct symbol_place *place);

#endif
