/*
 * module - one ELF file: what it is, and how its syscall sites are patched.
 *
 * The program, its interpreter and every library take the same way; so does
 * the vDSO, which is an ELF file that the kernel keeps in memory.
 */
#include "observer/record/internal.h"

#include "observer/symbol/golayout.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define TEXTS 64

/* Bytes [from, from + size) of the file, or NULL when it does not have them. */
const uint8_t *module_part(const struct symbol_bytes *file, uint64_t from,
                           uint64_t size)
{
	if (from > file->size || size > file->size - from)
		return NULL;
	return file->at + from;
}

bool module_segment(const struct symbol_bytes *file, size_t index,
                    Elf64_Phdr *segment)
{
	const uint8_t *at = module_part(file, 0, sizeof(Elf64_Ehdr));
	Elf64_Ehdr header;

	if (!at)
		return false;
	memcpy(&header, at, sizeof(header));
	if (index >= header.e_phnum || header.e_phoff > file->size)
		return false;
	at = module_part(file, header.e_phoff + index * sizeof(*segment),
	                 sizeof(*segment));
	if (at)
		memcpy(segment, at, sizeof(*segment));
	return at != NULL;
}

static size_t executable_texts(const struct symbol_bytes *file,
                               const struct symbol_file *symbols,
                               struct sites_text text[TEXTS])
{
	struct symbol_text found[TEXTS];
	size_t count = symbol_texts(symbols, found, TEXTS), kept = 0;

	for (size_t i = 0; i < count && i < TEXTS; i++) {
		const uint8_t *at =
			module_part(file, found[i].offset, found[i].size);

		if (at)
			text[kept++] =
				(struct sites_text){ at, found[i].address,
				                     found[i].size };
	}
	return kept;
}

static bool find_sites(const struct symbol_bytes *file,
                       struct symbol_file *symbols, enum patch_module kind,
                       struct sites_result *result)
{
	const struct symbol_info *info = symbol_info(symbols);
	struct sites_text text[TEXTS];
	struct sites_input input = {
		.text = text,
		.text_count = executable_texts(file, symbols, text),
		.module = (uint8_t)kind,
	};

	/* The shim follows frame pointers within the program's Go text only. */
	if (kind == PATCH_PROGRAM)
		memcpy(input.go_text, info->go_text, sizeof(input.go_text));

	input.start_count = symbol_starts(symbols, &input.starts);
	return sites_find(&input, result) == SITES_OK;
}

/*
 * With --patch=none the net carries all calls but the end of a thread: it has
 * no stack any more that is its own, and the net's signal needs one.
 */
static bool is_wanted(const struct trace_patch *patch, uint32_t options)
{
	return !(options & SESSION_NO_PATCH) || patch->nr == SYS_exit;
}

static void keep_sites(struct module *module, const struct sites_result *result,
                       uint32_t options)
{
	module->site = calloc(result->count + 1, sizeof(*module->site));
	module->patch = calloc(result->count + 1, sizeof(*module->patch));
	if (!module->site || !module->patch)
		return;
	for (size_t i = 0; i < result->count; i++) {
		const struct sites_site *site = &result->site[i];

		if (sites_patched(site->verdict) &&
		    is_wanted(&site->patch, options))
			module->patch[module->patch_count++] = site->patch;
		if (!sites_real(site->verdict))
			continue;
		module->site[module->site_count++] = (struct file_site){
			.site = site->patch.site,
			.nr = site->patch.nr,
			.module = site->patch.module,
			.how = (uint8_t)site->verdict,
			.before = site->patch.before,
			.after = site->patch.after,
		};
	}
}

static void copy_string(char *to, size_t room, const char *from)
{
	if (from)
		strncpy(to, from, room - 1);
}

static void set_range(uint64_t *start, uint64_t *size, const uint64_t range[2])
{
	*start = range[0];
	*size = range[1] - range[0];
}

/* What the shim must know to walk stacks of this Go program. */
static void read_go(struct module *module, struct symbol_file *symbols)
{
	struct session_go *go = &module->go;
	struct golayout layout;

	if (!module->info.go_text[1])
		return;
	set_range(&go->text, &go->text_size, module->info.go_text);
	set_range(&go->sigtramp, &go->sigtramp_size, module->info.sigtramp);
	if (!golayout_read(symbols, &layout))
		return;
	set_range(&go->systemstack, &go->systemstack_size, layout.systemstack);
	set_range(&go->callback, &go->callback_size, layout.cgocallback);
	set_range(&go->marker, &go->marker_size, layout.systemstack_switch);
	go->tls = layout.g_tls;
	go->g_m = layout.g_m;
	go->m_g0 = layout.m_g0;
	go->m_curg = layout.m_curg;
	go->sched_sp = layout.sched_sp;
	go->sched_pc = layout.sched_pc;
	go->sched_bp = layout.sched_bp;
	go->bare = !layout.systemstack_has_frame;
}

/* A file that is no ELF, or of which nothing is known, has no sites: the net
 * carries it. */
void module_read(struct module *module, const struct symbol_bytes *file,
                 enum patch_module kind, uint32_t options)
{
	const struct symbol_bytes stored = { .at = file->at,
		                             .size = file->stored };
	struct symbol_file *symbols = symbol_open(stored.at, stored.size);
	struct sites_result result = { 0 };

	*module = (struct module){ .kind = kind };
	if (!symbols)
		return;
	module->info = *symbol_info(symbols);
	copy_string(module->go_version, sizeof(module->go_version),
	            module->info.go_version);
	copy_string(module->build_id, sizeof(module->build_id),
	            module->info.build_id);
	read_go(module, symbols);
	if (find_sites(&stored, symbols, kind, &result))
		keep_sites(module, &result, options);
	sites_free(&result);
	symbol_close(symbols);
}

void module_write(struct output *out, const struct module *module,
                  const struct symbol_bytes *file, struct file_module *where,
                  const char *path)
{
	size_t path_size = strlen(path) + 1;
	size_t id_size = strlen(module->build_id) + 1;
	char *text = malloc(path_size + id_size);

	if (!text)
		return;
	where->size = file->size;
	where->mtime = file->mtime;
	memcpy(text, path, path_size);
	memcpy(text + path_size, module->build_id, id_size);
	output_block(out, FILE_MODULE, where, sizeof(*where), text,
	             path_size + id_size);
	out->modules++;
	free(text);
}

void module_free(struct module *module)
{
	free(module->site);
	free(module->patch);
	*module = (struct module){ 0 };
}
