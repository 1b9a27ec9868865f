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

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what the program needs ---------------------------------------------- */

/* Program header `index`, or NULL. */
static const Elf64_Phdr *segment(const struct module_bytes *file, size_t index)
{
	const Elf64_Ehdr *header =
		(const void *)module_part(file, 0, sizeof(*header));

	if (!header || index >= header->e_phnum)
		return NULL;
	return (const void *)module_part(
		file, header->e_phoff + index * sizeof(Elf64_Phdr),
		sizeof(Elf64_Phdr));
}

/* The offset in the file of an address, 0: there is none. */
static uint64_t offset_of(const struct module_bytes *file, uint64_t address)
{
	const Elf64_Phdr *p;

	for (size_t i = 0; (p = segment(file, i)); i++)
		if (p->p_type == PT_LOAD && address - p->p_vaddr < p->p_filesz)
			return address - p->p_vaddr + p->p_offset;
	return 0;
}

static const Elf64_Dyn *dynamic(const struct module_bytes *file, size_t index)
{
	const Elf64_Phdr *p;

	for (size_t i = 0; (p = segment(file, i)); i++)
		if (p->p_type == PT_DYNAMIC &&
		    index < p->p_filesz / sizeof(Elf64_Dyn))
			return (const void *)module_part(
				file, p->p_offset + index * sizeof(Elf64_Dyn),
				sizeof(Elf64_Dyn));
	return NULL;
}

/* The name of a library: no path, and its end is in the file. */
static const char *library_name(const struct module_bytes *file, uint64_t at)
{
	const char *name = (const char *)module_part(file, at, 1);

	if (!name || !memchr(name, 0, file->size - at) || strchr(name, '/') ||
	    strlen(name) > NAME_MAX)
		return NULL;
	return name;
}

/* ---- judging ------------------------------------------------------------- */

static bool map_file(const char *path, struct early_file *to)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	void *at = MAP_FAILED;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd,
		          0);
	close(fd);
	if (at == MAP_FAILED)
		return false;
	to->inode = (uint64_t)st.st_ino;
	to->bytes = (struct module_bytes){ at, (size_t)st.st_size };
	return true;
}

/* The files to judge; the first is the interpreter. */
static void list(struct early *early)
{
	uint64_t strings = 0;
	const Elf64_Dyn *d;
	char path[PATH_MAX + NAME_MAX + 2];

	for (size_t i = 0; (d = dynamic(early->program, i)); i++)
		if (d->d_tag == DT_STRTAB)
			strings = offset_of(early->program, d->d_un.d_ptr);
	for (size_t i = 0; strings && early->count < EARLY_FILES &&
	                   (d = dynamic(early->program, i));
	     i++) {
		const char *name;

		if (d->d_tag != DT_NEEDED)
			continue;
		name = library_name(early->program, strings + d->d_un.d_val);
		snprintf(path, sizeof(path), "%s/%s", early->folder,
		         name ? name : "");
		if (name && map_file(path, &early->file[early->count]))
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

void early_start(struct early *early, const struct module_bytes *program,
                 const struct module_bytes *interp, const char *interp_path)
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
	if (pthread_create(&thread, NULL, work, early) == 0)
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

bool early_library(struct early *early, uint64_t inode, size_t size,
                   struct module *module)
{
	for (size_t i = 1; i < early->count; i++) {
		struct early_file *file = &early->file[i];

		if (file->inode != inode || file->bytes.size != size)
			continue;
		wait_for(early, file);
		*module = file->module;
		file->inode = 0; /* it is the caller's now */
		return true;
	}
	return false;
}
