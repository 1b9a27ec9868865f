/*
 * early - files whose code is about to come are judged before they do.
 *
 * A program waits while the sites of a file are found, so a thread of the
 * observer begins with the interpreter while the program's own are found, and
 * goes on with the libraries that the program names and that lie next to the
 * interpreter, as libc does. It is a guess that costs nothing when it is wrong:
 * what was judged is used for the very file that arrives, or not at all.
 */
#include "observer/record/internal.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES 65536 /* of PT_DYNAMIC, at most: a program has some forty */

/* ---- what the program needs ---------------------------------------------- */

struct dynamic {
	const uint8_t *at;
	size_t count;
};

/* The offset in the file of an address, 0: there is none. */
static uint64_t offset_of(const struct symbol_bytes *file, uint64_t address)
{
	Elf64_Phdr p;

	for (size_t i = 0; module_segment(file, i, &p); i++)
		if (p.p_type == PT_LOAD && address - p.p_vaddr < p.p_filesz)
			return address - p.p_vaddr + p.p_offset;
	return 0;
}

/* The first PT_DYNAMIC.  The kernel does not look at it, so it may be anything:
 * one that is not all in the file is left alone. */
static struct dynamic find_dynamic(const struct symbol_bytes *file)
{
	struct dynamic table = { 0 };
	Elf64_Phdr p;

	for (size_t i = 0; module_segment(file, i, &p); i++) {
		if (p.p_type != PT_DYNAMIC)
			continue;
		table.count = p.p_filesz / sizeof(Elf64_Dyn);
		if (table.count > ENTRIES)
			table.count = ENTRIES;
		table.at = module_part(file, p.p_offset,
		                       table.count * sizeof(Elf64_Dyn));
		break;
	}
	return table;
}

/* False: the table ends, with its DT_NULL or without. */
static bool read_dynamic(const struct dynamic *table, size_t index,
                         Elf64_Dyn *entry)
{
	if (!table->at || index >= table->count)
		return false;
	memcpy(entry, table->at + index * sizeof(*entry), sizeof(*entry));
	return entry->d_tag != DT_NULL;
}

/* The name of a library: no path, and its end is in the file. */
static const char *library_name(const struct symbol_bytes *file, uint64_t at)
{
	const char *name = (const char *)module_part(file, at, 1);
	size_t room = name ? file->size - at : 0;

	if (!name || !memchr(name, 0, room > NAME_MAX ? NAME_MAX + 1 : room) ||
	    strchr(name, '/'))
		return NULL;
	return name;
}

/* ---- judging ------------------------------------------------------------- */

/* The files to judge; the first is the interpreter. */
static void list(struct early *early)
{
	const struct dynamic table = find_dynamic(early->program);
	uint64_t address = 0, strings;
	Elf64_Dyn d;
	char path[PATH_MAX + NAME_MAX + 2];

	for (size_t i = 0; read_dynamic(&table, i, &d); i++)
		if (d.d_tag == DT_STRTAB)
			address = d.d_un.d_ptr;
	strings = offset_of(early->program, address);
	for (size_t i = 0; strings && early->count < EARLY_FILES &&
	                   read_dynamic(&table, i, &d);
	     i++) {
		const char *name;

		if (d.d_tag != DT_NEEDED)
			continue;
		name = library_name(early->program, strings + d.d_un.d_val);
		snprintf(path, sizeof(path), "%s/%s", early->folder,
		         name ? name : "");
		if (name && symbol_map(path, &early->file[early->count].bytes))
			early->file[early->count++].kind = PATCH_MODULES;
	}
}

static void judge(struct early *early, struct early_file *file)
{
	struct module module;

	module_read(&module, &file->bytes, file->kind, early->options);
	pthread_mutex_lock(&early->lock);
	file->module = module;
	file->judged = true;
	pthread_cond_broadcast(&early->changed);
	pthread_mutex_unlock(&early->lock);
}

static void *work(void *argument)
{
	struct early *early = argument;

	judge(early, &early->file[0]);
	for (size_t i = 1; i < early->count; i++)
		judge(early, &early->file[i]);
	return NULL;
}

/* ---- for the observer ---------------------------------------------------- */

/* Threads that wait for each other cannot do without, and libc ends a process
 * that tries. */
static bool has_futex(void)
{
	static uint32_t word;

	return syscall(SYS_futex, &word, FUTEX_WAKE, 0, NULL, NULL, 0) >= 0;
}

void early_start(struct early *early, const struct symbol_bytes *program,
                 const struct symbol_bytes *interp, const char *interp_path)
{
	pthread_t thread;
	char *end;

	pthread_mutex_init(&early->lock, NULL);
	pthread_cond_init(&early->changed, NULL);
	early->program = program;
	early->file[0].bytes = *interp;
	early->file[0].kind = PATCH_INTERP;
	early->count = 1;
	early->folder = realpath(interp_path, NULL);
	end = early->folder ? strrchr(early->folder, '/') : NULL;
	if (end) {
		*end = '\0';
		list(early);
	}
	if (has_futex() && pthread_create(&thread, NULL, work, early) == 0)
		return;
	early->count = 1;
	work(early);
}

static void wait_for(struct early *early, const struct early_file *file)
{
	pthread_mutex_lock(&early->lock);
	while (!file->judged)
		pthread_cond_wait(&early->changed, &early->lock);
	pthread_mutex_unlock(&early->lock);
}

struct module early_interp(struct early *early)
{
	wait_for(early, &early->file[0]);
	return early->file[0].module;
}

bool early_library(struct early *early, const struct symbol_bytes *bytes,
                   struct module *module)
{
	for (size_t i = 1; i < early->count; i++) {
		struct early_file *file = &early->file[i];

		if (file->taken || !symbol_same(&file->bytes, bytes))
			continue;
		wait_for(early, file);
		*module = file->module;
		file->taken = true; /* it is the caller's now */
		return true;
	}
	return false;
}
