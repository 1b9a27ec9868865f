/*
 * plan - the program's file becomes the plan that the image boots from.
 *
 * Runs in the observer: it is the part that takes time and memory.
 */
#include "observer/record/internal.h"

#include "loader/loader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXTS 64

/* The file in memory. */
struct bytes {
	const uint8_t *at;
	size_t size;
};

static bool map_file(int fd, struct bytes *file, struct record_failure *failure)
{
	struct stat st;
	void *at;

	if (fstat(fd, &st) < 0) {
		record_fail(failure, 126, errno, "cannot be examined");
		return false;
	}
	*file = (struct bytes){ NULL, (size_t)st.st_size };
	if (!file->size)
		return true;
	at = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED) {
		record_fail(failure, 126, errno, "cannot be mapped");
		return false;
	}
	file->at = at;
	return true;
}

/* Bytes [from, from + size) of the file, or NULL when it does not have them. */
static const uint8_t *part(const struct bytes *file, uint64_t from,
                           uint64_t size)
{
	if (from > file->size || size > file->size - from)
		return NULL;
	return file->at + from;
}

static bool plan_segments(const struct bytes *file, struct loader_plan *plan,
                          struct record_failure *failure)
{
	static const uint8_t nothing[LOADER_HEADER];
	uint8_t header[LOADER_HEADER] = { 0 };
	size_t have = file->size < sizeof(header) ? file->size : sizeof(header);
	uint64_t phoff = 0;
	size_t phdrs_size = 0;
	const uint8_t *phdrs;
	enum loader_error error;

	memcpy(header, have ? file->at : nothing, have);
	error = loader_header(header, have, &phoff, &phdrs_size);
	if (!error) {
		phdrs = part(file, phoff, phdrs_size);
		error = phdrs ? loader_plan(header, phdrs, file->size, plan)
		              : LOADER_PHDRS_CUT;
	}
	if (!error)
		return true;
	if (error >= LOADER_FILESZ && error <= LOADER_BSS_PAST_END)
		record_fail(failure, 126, 0, "program header %u: %s (0x%llx)",
		            plan->bad_index, loader_strerror(error),
		            (unsigned long long)plan->bad_value);
	else
		record_fail(failure, 126, 0, "%s", loader_strerror(error));
	return false;
}

static size_t executable_texts(const struct bytes *file,
                               const struct symbol_file *symbols,
                               struct sites_text text[TEXTS])
{
	struct symbol_text found[TEXTS];
	size_t count = symbol_texts(symbols, found, TEXTS), kept = 0;

	for (size_t i = 0; i < count && i < TEXTS; i++) {
		const uint8_t *at = part(file, found[i].offset, found[i].size);

		if (at)
			text[kept++] =
				(struct sites_text){ at, found[i].address,
				                     found[i].size };
	}
	return kept;
}

static bool find_sites(const struct bytes *file, struct symbol_file *symbols,
                       struct sites_result *result)
{
	const struct symbol_info *info = symbol_info(symbols);
	struct sites_text text[TEXTS];
	struct sites_input input = {
		.text = text,
		.text_count = executable_texts(file, symbols, text),
		.go_text = { info->go_text[0], info->go_text[1] },
		.module = PATCH_PROGRAM,
	};

	input.start_count = symbol_starts(symbols, &input.starts);
	return sites_find(&input, result) == SITES_OK;
}

/* The sites for the run file; and how many of them get a patch. */
static size_t keep_sites(struct plan *plan, const struct sites_result *result)
{
	size_t patches = 0;

	plan->site = calloc(result->count + 1, sizeof(*plan->site));
	for (size_t i = 0; i < result->count && plan->site; i++) {
		const struct sites_site *site = &result->site[i];

		patches += sites_patched(site->verdict);
		if (!sites_real(site->verdict))
			continue;
		plan->site[plan->site_count++] = (struct file_site){
			.site = site->patch.site,
			.nr = site->patch.nr,
			.module = site->patch.module,
			.how = (uint8_t)site->verdict,
			.before = site->patch.before,
			.after = site->patch.after,
		};
	}
	return patches;
}

static void copy_patches(struct trace_patch *patch,
                         const struct sites_result *result)
{
	for (size_t i = 0; i < result->count; i++)
		if (sites_patched(result->site[i].verdict))
			*patch++ = result->site[i].patch;
}

static size_t round8(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

/* Header, load plan, patches, path: one behind the other. */
static bool assemble(struct plan *plan, const struct loader_plan *program,
                     const struct sites_result *result, size_t patches,
                     const char *execfn)
{
	size_t program_at = round8(sizeof(struct session_plan));
	size_t patches_at =
		round8(program_at + LOADER_PLAN_SIZE(program->segment_count));
	size_t execfn_at = patches_at + patches * sizeof(struct trace_patch);
	struct session_plan *s;

	plan->size = round8(execfn_at + strlen(execfn) + 1);
	s = calloc(1, plan->size);
	if (!s)
		return false;
	plan->bytes = s;
	s->program = program_at;
	s->patches = patches_at;
	s->patch_count = patches;
	s->execfn = execfn_at;
	memcpy(s->go_text, plan->info.go_text, sizeof(s->go_text));
	memcpy(s->sigtramp, plan->info.sigtramp, sizeof(s->sigtramp));
	memcpy(s->systemstack, plan->info.systemstack, sizeof(s->systemstack));
	memcpy((uint8_t *)s + program_at, program,
	       LOADER_PLAN_SIZE(program->segment_count));
	copy_patches((void *)((uint8_t *)s + patches_at), result);
	strcpy((char *)s + execfn_at, execfn);
	return true;
}

static void keep_info(struct plan *plan, const struct symbol_info *info)
{
	plan->info = *info;
	if (info->go_version)
		strncpy(plan->go_version, info->go_version,
		        sizeof(plan->go_version) - 1);
	if (info->build_id)
		strncpy(plan->build_id, info->build_id,
		        sizeof(plan->build_id) - 1);
}

/* Symbols, sites and the plan's bytes, once the segments are planned. */
static bool plan_rest(const struct bytes *file, const char *execfn,
                      const struct loader_plan *program, struct plan *plan)
{
	struct symbol_file *symbols = symbol_open(file->at, file->size);
	struct sites_result result = { 0 };
	size_t patches = 0;
	bool done;

	if (symbols) {
		keep_info(plan, symbol_info(symbols));
		if (find_sites(file, symbols, &result))
			patches = keep_sites(plan, &result);
	}
	plan->low = program->low;
	plan->high = program->high;
	done = assemble(plan, program, &result, patches, execfn);
	sites_free(&result);
	symbol_close(symbols);
	return done;
}

bool plan_program(const struct record_options *options, struct plan *plan,
                  struct record_failure *failure)
{
	struct loader_plan *program =
		calloc(1, LOADER_PLAN_SIZE(LOADER_PHDRS_MAX));
	struct bytes file = { 0 };
	bool done = false;

	*plan = (struct plan){ 0 };
	if (!program)
		record_fail(failure, 125, ENOMEM, "cannot be planned");
	else if (!map_file(options->program_fd, &file, failure) ||
	         !plan_segments(&file, program, failure))
		;
	else if (program->interp_size)
		record_fail(failure, 126, 0,
		            "is dynamically linked: not supported yet");
	else if (!(done = plan_rest(&file, options->path, program, plan)))
		record_fail(failure, 125, ENOMEM, "cannot be planned");
	if (file.at)
		munmap((void *)file.at, file.size);
	free(program);
	return done;
}
