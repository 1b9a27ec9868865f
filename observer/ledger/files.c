/*
 * Which file a piece is of, and which shared library.
 *
 * The kernel's map has the path of what is file-backed.  A library is also its
 * .bss, which no file backs: what a loader has put, at an address of its
 * choice, within the library's range.
 *
 * Libraries are those that the run has a FILE_MODULE of.  Without patching
 * there are none: then a file named like a library with executable pages is
 * one.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MODULES_FIRST 3 /* trace/patch.h: from there on libraries */

static struct word_part base_name(const char *path, size_t size)
{
	static const char deleted[] = " (deleted)";
	size_t tail = sizeof(deleted) - 1, start;

	if (size > tail && memcmp(path + size - tail, deleted, tail) == 0)
		size -= tail;
	for (start = size; start > 0 && path[start - 1] != '/'; start--)
		;
	return (struct word_part){ path + start, size - start };
}

static int same(struct word_part a, struct word_part b)
{
	return a.size == b.size && memcmp(a.text, b.text, a.size) == 0;
}

static int has(struct word_part name, const char *part)
{
	return memmem(name.text, name.size, part, strlen(part)) != NULL;
}

static int is_file(const struct look_line *line)
{
	return line->inode != 0 && line->name_size > 0 && *line->name == '/';
}

/* ---- libraries ---------------------------------------------------------- */

/* Is the file still where it was put? */
static int is_there(const struct look *look, const struct library *library)
{
	for (size_t i = look_seek(look, library->start);
	     i < look->count && look->line[i].start < library->end; i++)
		if (is_file(&look->line[i]) &&
		    same(library->name, base_name(look->line[i].name,
		                                  look->line[i].name_size)))
			return 1;
	return 0;
}

static void keep(struct files *files, struct library library)
{
	struct library *kept = files->library.item;

	for (size_t i = files->library.count; i-- > 0;)
		if (kept[i].start == library.start &&
		    same(kept[i].name, library.name))
			return;
	kept = vector_add(&files->library, sizeof(*kept));
	if (kept)
		*kept = library;
	else
		files->failed = 1;
}

int files_of_module(const struct ledger_run *run,
                    const struct ledger_module *from, struct library *library)
{
	const struct file_module *module = from->module;

	*library = (struct library){
		.start = module->start & -run->page_size,
		.end = (module->end + run->page_size - 1) & -run->page_size,
		.name = base_name(from->path, strlen(from->path)),
		.interpreter = module->kind == 1,
	};
	return module->kind == 1 || module->kind >= MODULES_FIRST;
}

static void take_modules(struct files *files, const struct ledger_run *run)
{
	for (size_t i = 0; i < run->module_count; i++) {
		struct library library;

		if (!files_of_module(run, &run->module[i], &library))
			continue;
		/* What is gone may have left its range to others. */
		if (files->look.count == 0 || is_there(&files->look, &library))
			keep(files, library);
	}
}

/* All lines of one file in a row, and the anonymous one behind: its .bss. */
static struct library around(const struct look *look, size_t at)
{
	const struct look_line *line = look->line;
	struct word_part name = base_name(line[at].name, line[at].name_size);
	size_t first = at, last = at;

	while (first > 0 && line[first - 1].inode == line[at].inode)
		first--;
	while (last + 1 < look->count && line[last + 1].inode == line[at].inode)
		last++;
	if (last + 1 < look->count && line[last + 1].inode == 0 &&
	    line[last + 1].start == line[last].end)
		last++;
	return (struct library){ .start = line[first].start,
		                 .end = line[last].end,
		                 .name = name };
}

static void take_look(struct files *files)
{
	const struct look *look = &files->look;

	for (size_t i = 0; i < look->count; i++) {
		const struct look_line *line = &look->line[i];

		if (!is_file(line) || !(line->prot & PROT_EXEC) ||
		    files_library(files, line->start) ||
		    !has(base_name(line->name, line->name_size), ".so"))
			continue;
		keep(files, around(look, i));
	}
}

const struct library *files_library(const struct files *files, uint64_t address)
{
	const struct library *library = files->library.item;

	for (size_t i = files->library.count; i-- > 0;)
		if (address >= library[i].start && address < library[i].end)
			return &library[i];
	return NULL;
}

/* The system's own: what comes with libc, glibc's or musl's. */
static int is_libc(struct word_part name)
{
	static const char *const own[] = {
		"libc",     "libm",   "libmvec",  "libpthread",
		"libdl",    "librt",  "libutil",  "libresolv",
		"libanl",   "libnsl", "libnss_*", "libthread_db",
		"libcrypt", "ld-*",   "ld",       "ld64",
	};

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		size_t size = strlen(own[i]);
		int any = own[i][size - 1] == '*';

		size -= any;
		if (name.size > size && memcmp(name.text, own[i], size) == 0 &&
		    (any || name.text[size] == '.' || name.text[size] == '-'))
			return 1;
	}
	return 0;
}

int ledger_is_libc(const char *name, size_t size)
{
	return is_libc((struct word_part){ name, size });
}

/* Where the loader has put it: a fact of the shim's, a file's pages, or an
 * address that was asked for. */
static int is_placed(const struct files *files, const struct library *library,
                     const struct space_piece *piece)
{
	struct word_part name;

	if (piece->what != SPACE_CALL)
		return 1;
	if (piece->flags & MAP_ANONYMOUS)
		return (piece->flags & MAP_FIXED) != 0;
	name = files_name(files, piece->start);
	return name.size == 0 || same(name, library->name);
}

/* Data is what was writable when it was mapped: also what is read-only after
 * relocation. */
static const char *part_of(const struct space_piece *piece)
{
	const struct trace_event *event =
		piece->event ? piece->event->event : NULL;
	unsigned prot = piece->prot;

	if (event && (event->call == SYS_mmap || event->call == TRACE_MAPPED))
		prot |= (unsigned)event->args[2];
	return prot & PROT_WRITE ? " data" : " text";
}

struct claim files_claim_library(struct files *files, struct words *words,
                                 const struct space_piece *piece)
{
	const struct library *library = files_library(files, piece->start);
	struct claim claim = { 0 };

	if (!library || piece->end > library->end ||
	    !is_placed(files, library, piece))
		return claim;
	claim.owner = library->interpreter || is_libc(library->name)
	                      ? KINDS_LIBC
	                      : "library";
	claim.kind = words_make(words, "", library->name, part_of(piece));
	if (!claim.kind)
		claim.kind = "shared library";
	return claim;
}

/* Is it glibc's ld.so that asks?  musl's interpreter is the libc itself. */
int files_is_loader(const struct files *files, uint64_t site)
{
	const struct library *library = files_library(files, site);

	return library && library->interpreter && library->name.size > 2 &&
	       memcmp(library->name.text, "ld", 2) == 0 &&
	       !has(library->name, "musl");
}

/* ---- files -------------------------------------------------------------- */

struct word_part files_name(const struct files *files, uint64_t address)
{
	size_t i = look_seek(&files->look, address);
	const struct look_line *line;

	if (i == files->look.count)
		return (struct word_part){ "", 0 };
	line = &files->look.line[i];
	if (line->start > address || !is_file(line))
		return (struct word_part){ "", 0 };
	return base_name(line->name, line->name_size);
}

int files_read(struct files *files, const struct ledger_run *run)
{
	const struct ledger_look *text = look_when(run, FILE_LOOK_LAST);

	*files = (struct files){ 0 };
	if (!text)
		text = look_when(run, FILE_LOOK_BOOT);
	if (text && !look_read(&files->look, text))
		return 0;
	if (text && text->look->when == FILE_LOOK_BOOT) {
		/* Libraries came later: it cannot say that they are gone. */
		struct look boot = files->look;

		files->look = (struct look){ 0 };
		take_modules(files, run);
		files->look = boot;
	} else {
		take_modules(files, run);
	}
	take_look(files);
	return !files->failed;
}

void files_free(struct files *files)
{
	look_free(&files->look);
	free(files->library.item);
}
