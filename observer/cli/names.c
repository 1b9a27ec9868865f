/*
 * names - names for a run's addresses, from the files of its modules.
 *
 * A file is opened when it is first asked for, once for all the modules that
 * are it.  One that is not what was mapped (built again, upgraded) names
 * nothing: its names would be wrong.
 */
#include "observer/cli/cli.h"

#include "observer/symbol/symbol.h"

#include <stdlib.h>
#include <string.h>

#define DEBUG_ROOT "/usr/lib/debug"
#define DEPTH_MAX  32 /* places at one address */

struct file {
	const char *path;
	struct symbol_bytes bytes;
	struct symbol_file *symbols; /* NULL: it is no ELF file */
	bool there;
	bool complained;
	struct file *next;
};

/* What is inlined at an address. */
struct inlined {
	struct inlined *next;
	struct ledger_place place[];
};

struct cli_names {
	const struct ledger_run *run;
	struct file *files;
	struct inlined *inlined;
	struct source {
		bool asked; /* the rest is known */
		struct symbol_file *symbols;
	} of[]; /* each module */
};

struct cli_names *cli_names_open(const struct ledger_run *run)
{
	struct cli_names *names = calloc(
		1, sizeof(*names) + run->module_count * sizeof(*names->of));

	if (names)
		names->run = run;
	return names;
}

void cli_names_close(struct cli_names *names)
{
	while (names && names->files) {
		struct file *file = names->files;

		names->files = file->next;
		symbol_close(file->symbols);
		symbol_unmap(&file->bytes);
		free(file);
	}
	while (names && names->inlined) {
		struct inlined *inlined = names->inlined;

		names->inlined = inlined->next;
		free(inlined);
	}
	free(names);
}

static struct file *open_file(struct cli_names *names, const char *path)
{
	struct file *file = names->files;

	while (file && strcmp(file->path, path) != 0)
		file = file->next;
	if (file)
		return file;
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	file->path = path;
	file->next = names->files;
	names->files = file;
	file->there = symbol_map(path, &file->bytes);
	if (file->bytes.at)
		file->symbols = symbol_open(file->bytes.at, file->bytes.stored);
	if (file->symbols)
		symbol_look_for_debug(file->symbols, path, DEBUG_ROOT);
	return file;
}

/* Is it what was mapped?  By its build id, which strip(1) leaves alone; where
 * there was none by its size and time. */
static bool is_mapped(const struct file *file,
                      const struct ledger_module *module)
{
	const char *now =
		file->symbols ? symbol_info(file->symbols)->build_id : NULL;

	if (module->build_id)
		return now && strcmp(now, module->build_id) == 0;
	return file->bytes.size == module->module->size &&
	       file->bytes.mtime == module->module->mtime;
}

static struct symbol_file *open_module(struct cli_names *names,
                                       const struct ledger_module *module)
{
	struct file *file = open_file(names, module->path);

	if (!file || !file->there)
		return NULL;
	if (is_mapped(file, module))
		return file->symbols;
	if (!file->complained)
		cli_complain(module->path, 0,
		             "has changed since the run was recorded: its "
		             "addresses stay without names");
	file->complained = true;
	return NULL;
}

static struct symbol_file *symbols_of(struct cli_names *names,
                                      const struct ledger_module *module)
{
	struct source *source = &names->of[module - names->run->module];

	if (!source->asked)
		*source = (struct source){ true, open_module(names, module) };
	return source->symbols;
}

static struct ledger_place place_of(const struct ledger_module *module,
                                    const struct symbol_place *found)
{
	return (struct ledger_place){
		.function = found->function,
		.linker = found->linker,
		.file = found->file,
		.line = found->line,
		.go = found->go,
		.start = found->start + module->module->bias,
		.module = module,
	};
}

/* Without memory the place is told alone. */
static void add_inlined(struct cli_names *names,
                        const struct symbol_place *found, size_t count,
                        struct ledger_place *place)
{
	struct inlined *inlined =
		malloc(sizeof(*inlined) + count * sizeof(*place));

	if (!inlined)
		return;
	inlined->next = names->inlined;
	names->inlined = inlined;
	for (size_t i = 0; i < count; i++)
		inlined->place[i] = place_of(place->module, &found[i]);
	place->inlined = inlined->place;
	place->inlined_count = count;
}

int cli_name(void *context, uint64_t address, struct ledger_place *place)
{
	struct cli_names *names = context;
	struct symbol_place found[DEPTH_MAX];
	const struct ledger_module *module = place->module;
	struct symbol_file *symbols;
	size_t count = 0;

	if (!names)
		return 0;
	if (!module)
		module = ledger_module_at(names->run, address - 1);
	symbols = module ? symbols_of(names, module) : NULL;
	if (symbols)
		count = symbol_places(symbols,
		                      address - module->module->bias - 1, found,
		                      DEPTH_MAX);
	if (!count)
		return 0;
	*place = place_of(module, &found[count - 1]);
	if (count > 1)
		add_inlined(names, found, count - 1, place);
	return 1;
}
