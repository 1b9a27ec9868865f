/*
 * plan - the program's file becomes the plan that the image boots from.
 *
 * Runs in the observer: it is the part that takes time and memory.
 */
#include "observer/record/internal.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define VDSO_PAGES 4 /* more than any vDSO has */

static bool map_file(int fd, struct symbol_bytes *file,
                     struct record_failure *failure)
{
	if (symbol_map_fd(fd, file))
		return true;
	record_fail(failure, 126, errno, "cannot be mapped");
	return false;
}

/* In the words of the rule, with the program header at fault, and what execve
 * answers; `interp`: the interpreter's path, NULL for the program. */
static void explain(struct record_failure *failure, const char *interp,
                    const struct loader_plan *plan, enum loader_error error,
                    int answer)
{
	char header[64] = "", value[32] = "";

	if (loader_kills(error) && error != LOADER_INTERP_TYPE) {
		snprintf(header, sizeof(header),
		         "program header %u: ", plan->bad_index);
		snprintf(value, sizeof(value), " (0x%llx)",
		         (unsigned long long)plan->bad_value);
	}
	record_fail(failure, 126, answer, "%s%.200s%s%s%s%s",
	            interp ? "interpreter " : "", interp ? interp : "",
	            interp ? ": " : "", header, loader_strerror(error), value);
	failure->killed = loader_kills(error);
}

static enum loader_error plan_segments(const struct symbol_bytes *file,
                                       enum loader_role role,
                                       struct loader_plan *plan)
{
	uint8_t header[LOADER_HEADER] = { 0 };
	size_t have = file->size < sizeof(header) ? file->size : sizeof(header);
	uint64_t phoff = 0;
	size_t phdrs_size = 0;
	const uint8_t *phdrs;
	enum loader_error error;

	if (have)
		memcpy(header, file->at, have);
	error = loader_header(header, have, role, &phoff, &phdrs_size);
	if (error)
		return error;
	phdrs = module_part(file, phoff, phdrs_size);
	return phdrs ? loader_plan(header, phdrs, file->size, role, plan)
	             : LOADER_PHDRS_CUT;
}

/* What the kernel says when it reads PT_INTERP's path past the file's end: some
 * offsets it does not take at all. */
static int read_errno(int fd, const struct loader_plan *plan)
{
	char path[LOADER_INTERP_MAX];

	if (pread(fd, path, plan->interp_size, (off_t)plan->interp_offset) < 0)
		return errno;
	return loader_errno(LOADER_INTERP_CUT, LOADER_PROGRAM);
}

/* PT_INTERP's path, as open_exec() takes it: up to its first NUL; an empty one
 * is the working folder. */
static const char *interp_path(const struct symbol_bytes *file,
                               const struct loader_plan *plan,
                               struct record_failure *failure)
{
	const char *path = (const char *)module_part(file, plan->interp_offset,
	                                             plan->interp_size);

	if (path && !path[plan->interp_size - 1])
		return *path ? path : ".";
	explain(failure, NULL, plan, LOADER_INTERP_NUL,
	        loader_errno(LOADER_INTERP_NUL, LOADER_PROGRAM));
	return NULL;
}

static bool open_interp(const char *path, int *fd,
                        struct record_failure *failure)
{
	struct stat st;
	int error;

	if (stat(path, &st) < 0)
		record_fail(failure, 126, errno, "interpreter %s", path);
	else if (!S_ISREG(st.st_mode))
		record_fail(failure, 126, EACCES, "interpreter %s", path);
	else if (!record_may_run(path) ||
	         (*fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
		record_fail(failure, 126, errno, "interpreter %s", path);
	else if ((error = record_may_exec(*fd)) != 0)
		record_fail(failure, 126, error, "interpreter %s", path);
	else
		return true;
	return false;
}

/* The interpreter's file, mapped; its plan; its sites. */
static bool plan_interp(const struct symbol_bytes *program, struct plan *plan,
                        struct record_failure *failure)
{
	const char *path = interp_path(program, plan->program, failure);
	struct symbol_bytes *file = &plan->interp_file;
	enum loader_error error;
	bool done = false;

	if (!path || !open_interp(path, &plan->interp_fd, failure))
		return false;
	plan->interp_path = strdup(path);
	plan->interp = calloc(1, LOADER_PLAN_SIZE(LOADER_PHDRS_MAX));
	if (!plan->interp_path || !plan->interp) {
		record_fail(failure, 125, ENOMEM, "cannot be planned");
	} else if (map_file(plan->interp_fd, file, failure)) {
		error = plan_segments(file, LOADER_INTERP, plan->interp);
		done = !error;
		if (error)
			explain(failure, path, plan->interp, error,
			        loader_errno(error, LOADER_INTERP));
		else
			early_start(&plan->early, program, file, path);
	}
	return done;
}

/* The kernel's vDSO is the same in every process: this one's is at hand. */
static void plan_vdso(struct plan *plan, uint32_t options)
{
	const uint8_t *at = (const void *)getauxval(AT_SYSINFO_EHDR);
	struct symbol_bytes file = { .at = at };

	if (!at)
		return;
	file.size =
		(size_t)((const Elf64_Ehdr *)at)->e_shoff +
		(size_t)((const Elf64_Ehdr *)at)->e_shnum * sizeof(Elf64_Shdr);
	if (file.size > VDSO_PAGES * (size_t)LOADER_PAGE)
		return;
	file.stored = file.size;
	module_read(&plan->module[PATCH_VDSO], &file, PATCH_VDSO, options);
}

static size_t round8(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

static size_t put(struct plan *plan, size_t at, const void *bytes, size_t size)
{
	if (size)
		memcpy((uint8_t *)plan->bytes + at, bytes, size);
	return round8(at + size);
}

static size_t plan_bytes(const struct loader_plan *plan)
{
	return plan ? LOADER_PLAN_SIZE(plan->segment_count) : 0;
}

/* Header, load plans, patches by module, path: one behind the other. */
static bool assemble(struct plan *plan, const char *execfn, const char *exe)
{
	size_t at = round8(sizeof(struct session_plan)), patches = 0;
	struct session_plan *s;

	for (int i = 0; i < PATCH_MODULES; i++)
		patches += plan->module[i].patch_count;
	plan->size = at + round8(plan_bytes(plan->program)) +
	             round8(plan_bytes(plan->interp)) +
	             patches * sizeof(struct trace_patch) +
	             round8(strlen(execfn) + 1) + round8(strlen(exe) + 1);
	s = plan->bytes = calloc(1, plan->size);
	if (!s)
		return false;
	s->program = at;
	at = put(plan, at, plan->program, plan_bytes(plan->program));
	s->interp = plan->interp ? at : 0;
	at = put(plan, at, plan->interp, plan_bytes(plan->interp));
	s->patches = at;
	for (int i = 0; i < PATCH_MODULES; i++) {
		const struct module *m = &plan->module[i];

		s->patch_count[i] = m->patch_count;
		at = put(plan, at, m->patch,
		         m->patch_count * sizeof(struct trace_patch));
	}
	s->execfn = at;
	at = put(plan, at, execfn, strlen(execfn) + 1);
	s->exe = at;
	put(plan, at, exe, strlen(exe) + 1);
	s->go = plan->module[PATCH_PROGRAM].go;
	return true;
}

bool plan_program(const struct record_options *options, struct plan *plan,
                  struct record_failure *failure)
{
	struct symbol_bytes *file = &plan->program_file;
	enum loader_error error;
	bool done = false;

	*plan = (struct plan){
		.interp_fd = -1,
		.early.options = options->options,
	};
	plan->program = calloc(1, LOADER_PLAN_SIZE(LOADER_PHDRS_MAX));
	if (!plan->program) {
		record_fail(failure, 125, ENOMEM, "cannot be planned");
		return false;
	}
	if (!map_file(options->program_fd, file, failure))
		return false;
	error = plan_segments(file, LOADER_PROGRAM, plan->program);
	if (error && !loader_kills(error)) {
		explain(failure, NULL, plan->program, error,
		        error == LOADER_INTERP_CUT
		                ? read_errno(options->program_fd, plan->program)
		                : loader_errno(error, LOADER_PROGRAM));
		return false;
	}
	/* before a segment is mapped the interpreter's headers are read */
	if (plan->program->interp_size && !plan_interp(file, plan, failure))
		return false;
	if (error) {
		explain(failure, NULL, plan->program, error, 0);
	} else {
		module_read(&plan->module[PATCH_PROGRAM], file, PATCH_PROGRAM,
		            options->options);
		plan_vdso(plan, options->options);
		if (plan->interp)
			plan->module[PATCH_INTERP] =
				early_interp(&plan->early);
		plan->exe = realpath(options->exe, NULL);
		if (!plan->exe) /* no readlink */
			plan->exe = strdup(options->exe);
		done = plan->exe && assemble(plan, options->path, plan->exe);
		if (!done)
			record_fail(failure, 125, ENOMEM, "cannot be planned");
	}
	return done;
}
