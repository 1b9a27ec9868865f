/*
 * arrive - plans for code that arrives while the program runs (shim/late.c).
 *
 * The kernel's map says which file the new pages are of; its sites are found as
 * the program's were.  Whether the file is what is mapped is not taken on
 * trust: the shim patches a window only where the bytes in memory are the ones
 * that were proven.
 */
#include "observer/record/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_ROOM 4096
#define PHDRS     64

/* The line of the map that holds an address. */
struct line {
	uint64_t start, end, offset, inode;
	char path[PATH_ROOM];
};

/* False for what is no file's, and for a shared mapping: to patch that would be
 * to write into the file. */
static bool read_line(const char *text, struct line *line)
{
	char share;

	*line = (struct line){ 0 };
	return sscanf(text, "%lx-%lx %*3c%c %lx %*s %lu %4095[^\n]",
	              &line->start, &line->end, &share, &line->offset,
	              &line->inode, line->path) == 6 &&
	       share == 'p' && line->inode != 0 && line->path[0] == '/';
}

/* sscanf() measures all of the text, so it reads one line only: a program may
 * have 60,000 of them. */
static bool find_line(const char *text, uint64_t address, struct line *line)
{
	while (text && *text) {
		char *behind;
		uint64_t start = strtoul(text, &behind, 16);

		if (address >= start && *behind == '-' &&
		    address < strtoul(behind + 1, NULL, 16))
			return read_line(text, line);
		text = strchr(text, '\n');
		text += text != NULL;
	}
	return false;
}

/* The file, if the one at the path is still the one that is mapped. */
static bool map_library(const struct line *line, struct symbol_bytes *file)
{
	if (!symbol_map(line->path, file))
		return false;
	if (file->size && file->inode == line->inode)
		return true;
	symbol_unmap(file);
	return false;
}

/* Bias of the segment that holds file offset `offset`, mapped at `start`; and
 * the module's range. */
static bool place(const struct symbol_bytes *file, const struct line *line,
                  struct file_module *module)
{
	uint64_t low = UINT64_MAX, high = 0;
	bool found = false;
	Elf64_Phdr p;

	for (size_t i = 0; i < PHDRS && module_segment(file, i, &p); i++) {
		uint64_t page = p.p_offset & -LOADER_PAGE;

		if (p.p_type != PT_LOAD)
			continue;
		if (p.p_vaddr < low)
			low = p.p_vaddr & -LOADER_PAGE;
		if (p.p_vaddr + p.p_memsz > high)
			high = p.p_vaddr + p.p_memsz;
		if ((p.p_flags & PF_X) && line->offset >= page &&
		    line->offset < p.p_offset + p.p_filesz) {
			module->bias = line->start - line->offset -
			               ((p.p_vaddr & -LOADER_PAGE) - page);
			found = true;
		}
	}
	module->start = low + module->bias;
	module->end = high + module->bias;
	module->kind = PATCH_MODULES;
	return found;
}

/* The patches whose window lies in the pages that were asked about. */
static uint32_t reply(struct trace_session *session,
                      const struct module *module, uint64_t bias)
{
	struct trace_patch *to = (void *)((uint8_t *)session + SESSION_REPLY);
	const struct session_request *request = &session->request;
	uint32_t count = 0;

	for (size_t i = 0; i < module->patch_count; i++) {
		const struct trace_patch *patch = &module->patch[i];
		uint64_t window = patch->site - patch->before + bias;
		uint64_t end = patch->site + 2 + patch->after + bias;

		if (window >= request->start &&
		    end <= request->start + request->size &&
		    count < SESSION_REPLIES)
			to[count++] = *patch;
	}
	return count;
}

static void write_sites(struct output *out, const struct module *module)
{
	output_block(out, FILE_SITES, module->site,
	             module->site_count * sizeof(*module->site), NULL, 0);
}

/* What was found in a library, kept: programs open the same one again.  *file
 * may become an older mapping of it. */
static const struct module *sites_of(struct arrivals *arrivals,
                                     struct symbol_bytes *file, bool *known)
{
	struct arrival *a = arrivals->recent;
	size_t oldest = 0;

	for (size_t i = 0; i < ARRIVALS; i++) {
		if (a[i].used && symbol_same(&a[i].file, file)) {
			symbol_unmap(file);
			*file = a[i].file;
			*known = true;
			return &a[i].module;
		}
		if (a[i].used < a[oldest].used)
			oldest = i;
	}
	module_free(&a[oldest].module);
	a[oldest].file = *file;
	a[oldest].used = ++arrivals->clock;
	if (!early_library(arrivals->early, file, &a[oldest].module))
		module_read(&a[oldest].module, file, PATCH_MODULES,
		            arrivals->early->options);
	*known = false;
	return &a[oldest].module;
}

void arrive_answer(struct arrivals *arrivals, const struct proc *proc,
                   struct trace_session *session, struct stacks *stacks,
                   struct output *out)
{
	struct session_request *request = &session->request;
	struct file_module where = { 0 };
	struct symbol_bytes file;
	struct line line;
	char *text;

	if (__atomic_load_n(&request->state, __ATOMIC_ACQUIRE) != SESSION_ASKED)
		return;
	request->patch_count = 0;
	text = look_maps(proc);
	if (text && find_line(text, request->start, &line) &&
	    map_library(&line, &file)) {
		if (place(&file, &line, &where)) {
			bool known;
			const struct module *module =
				sites_of(arrivals, &file, &known);

			where.ticket = request->ticket;
			where.code = request->start;
			request->bias = where.bias;
			request->patch_count =
				reply(session, module, where.bias);
			module_write(out, module, &file, &where, line.path);
			if (!known)
				write_sites(out, module);
			stacks_module(stacks, &file, &where);
		} else {
			symbol_unmap(&file);
		}
	}
	free(text);
	__atomic_store_n(&request->state, SESSION_ANSWERED, __ATOMIC_SEQ_CST);
	observe_tell(session);
}
