/*
 * names - names for a run's addresses, from the files of its modules.
 *
 * A file is opened when it is first asked for, once for all the modules that
 * are it.
 */
#include "observer/cli/cli.h"

#include "observer/symbol/symbol.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define DEBUG_ROOT "/usr/lib/debug"
#define DEPTH_MAX  32 /* places at one address */

struct file {
	const char *path;
	const void *bytes; /* NULL: it cannot be read */
	size_t size;
	struct symbol_file *symbols;
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
	struct file *of[]; /* each module, or NULL before it is asked for */
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
		if (file->bytes)
			munmap((void *)file->bytes, file->size);
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
	file->bytes = cli_map(path, &file->size);
	if (file->bytes)
		file->symbols = symbol_open(file->bytes, file->size);
	if (file->symbols)
		symbol_look_for_debug(file->symbols, path, DEBUG_ROOT);
	return file;
}

static struct symbol_file *symbols_of(struct cli_names *names,
                                      const struct ledger_module *module)
{
	struct file **file = &names->of[module - names->run->module];

	if (!*file)
		*file = open_file(names, module->path);
	return *file ? (*file)->symbols : NULL;
}

static const struct ledger_module *module_at(const struct ledger_run *run,
                                             uint64_t address)
{
	for (size_t i = 0; i < run->module_count; i++)
		if (address >= run->module[i].module->start &&
		    address < run->module[i].module->end)
			return &run->module[i];
	return NULL;
}

static struct ledger_place place_of(const struct ledger_module *module,
                                    const struct symbol_place *found)
{
	return (struct ledger_place){
		.function = found->function,
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
		module = module_at(names->run, address - 1);
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
