/*
 * arrive - plans for code that arrives while the program runs (shim/late.c).
 *
 * The kernel's map says which file the new pages are of; its sites are found as
 * the program's were.  Whether the file is what is mapped is not taken on
 * trust: the shim patches a window only where the bytes in memory are the ones
 * that were proven.
 */
#include "observer/record/internal.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM 4096
#define PHDRS     64

/* The line of the map that holds an address. */
struct line {
	uint64_t start, end, offset, inode;
	char path[PATH_ROOM];
};

/* False for what is no file's, and for a shared mapping: to patch that would be
 * to write into the file. */
static bool find_line(const char *text, uint64_t address, struct line *line)
{
	while (text && *text) {
		char path[PATH_ROOM] = "";
		unsigned long start, end, offset, inode;

		char share;

		if (sscanf(text, "%lx-%lx %*3c%c %lx %*s %lu %4095[^\n]",
		           &start, &end, &share, &offset, &inode, path) >= 5 &&
		    address >= start && address < end) {
			*line = (struct line){ start, end, offset, inode, "" };
			memcpy(line->path, path, sizeof(path));
			return share == 'p' && inode != 0 && path[0] == '/';
		}
		text = strchr(text, '\n');
		text += text != NULL;
	}
	return false;
}

/* The file, if the one at the path is still the one that is mapped. */
static bool map_library(const struct line *line, struct module_bytes *file)
{
	int fd = open(line->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	void *at = MAP_FAILED;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    (uint64_t)st.st_ino == line->inode)
		at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd,
		          0);
	close(fd);
	*file = (struct module_bytes){ at, (size_t)st.st_size };
	return at != MAP_FAILED;
}

/* Bias of the segment that holds file offset `offset`, mapped at `start`; and
 * the module's range. */
static bool place(const struct module_bytes *file, const struct line *line,
                  struct file_module *module)
{
	const Elf64_Ehdr *header = (const void *)module_part(file, 0, 64);
	const Elf64_Phdr *phdr;
	uint64_t low = UINT64_MAX, high = 0;
	bool found = false;

	if (!header || header->e_phnum > PHDRS)
		return false;
	phdr = (const void *)module_part(file, header->e_phoff,
	                                 header->e_phnum * sizeof(*phdr));
	for (int i = 0; phdr && i < header->e_phnum; i++) {
		uint64_t page = phdr[i].p_offset & -LOADER_PAGE;

		if (phdr[i].p_type != PT_LOAD)
			continue;
		if (phdr[i].p_vaddr < low)
			low = phdr[i].p_vaddr & -LOADER_PAGE;
		if (phdr[i].p_vaddr + phdr[i].p_memsz > high)
			high = phdr[i].p_vaddr + phdr[i].p_memsz;
		if ((phdr[i].p_flags & PF_X) && line->offset >= page &&
		    line->offset < phdr[i].p_offset + phdr[i].p_filesz) {
			module->bias =
				line->start - line->offset -
				((phdr[i].p_vaddr & -LOADER_PAGE) - page);
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

static void write_module(struct output *out, const struct module *module,
                         const struct file_module *where, const char *path,
                         bool with_sites)
{
	output_block(out, FILE_MODULE, where, sizeof(*where), path,
	             strlen(path) + 1);
	if (with_sites)
		output_block(out, FILE_SITES, module->site,
		             module->site_count * sizeof(*module->site), NULL,
		             0);
}

/* What was found in a library, kept: programs open the same one again.  *file
 * may become an older mapping of it. */
static const struct module *sites_of(struct arrivals *arrivals,
                                     const struct line *line,
                                     struct module_bytes *file, bool *known)
{
	struct arrival *a = arrivals->recent;
	size_t oldest = 0;

	for (size_t i = 0; i < ARRIVALS; i++) {
		if (a[i].inode == line->inode && a[i].file.size == file->size) {
			munmap((void *)file->at, file->size);
			*file = a[i].file;
			*known = true;
			return &a[i].module;
		}
		if (a[i].used < a[oldest].used)
			oldest = i;
	}
	module_free(&a[oldest].module);
	a[oldest].inode = line->inode;
	a[oldest].file = *file;
	a[oldest].used = ++arrivals->clock;
	if (!early_library(arrivals->early, line->inode, file->size,
	                   &a[oldest].module))
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
	struct module_bytes file;
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
				sites_of(arrivals, &line, &file, &known);

			request->bias = where.bias;
			request->patch_count =
				reply(session, module, where.bias);
			write_module(out, module, &where, line.path, !known);
			stacks_module(stacks, &file, &where);
		} else {
			munmap((void *)file.at, file.size);
		}
	}
	free(text);
	__atomic_store_n(&request->state, SESSION_ANSWERED, __ATOMIC_SEQ_CST);
	observe_tell(session);
}
