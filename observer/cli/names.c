/* names - names for a run's addresses, from the files of its modules. */
#include "observer/cli/cli.h"

#include "observer/symbol/symbol.h"

#include <stdlib.h>
#include <sys/mman.h>

struct module {
	uint64_t start, end, bias;
	const void *bytes;
	size_t size;
	struct symbol_file *symbols;
};

struct cli_names {
	size_t count;
	struct module module[];
};

struct cli_names *cli_names_open(const struct ledger_run *run)
{
	struct cli_names *names = calloc(
		1, sizeof(*names) + run->module_count * sizeof(struct module));

	if (!names)
		return NULL;
	for (size_t i = 0; i < run->module_count; i++) {
		const struct file_module *m = run->module[i].module;
		struct module *module = &names->module[names->count++];

		*module = (struct module){ m->start, m->end, m->bias,
			                   NULL,     0,      NULL };
		module->bytes = cli_map(run->module[i].path, &module->size);
		if (module->bytes)
			module->symbols =
				symbol_open(module->bytes, module->size);
	}
	return names;
}

void cli_names_close(struct cli_names *names)
{
	for (size_t i = 0; names && i < names->count; i++) {
		symbol_close(names->module[i].symbols);
		if (names->module[i].bytes)
			munmap((void *)names->module[i].bytes,
			       names->module[i].size);
	}
	free(names);
}

int cli_name(void *context, uint64_t address, struct ledger_place *place)
{
	struct cli_names *names = context;
	struct symbol_place found;

	for (size_t i = 0; names && i < names->count; i++) {
		struct module *m = &names->module[i];

		if (!m->symbols || address < m->start || address >= m->end)
			continue;
		if (!symbol_find(m->symbols, address - m->bias - 1, &found))
			return 0;
		*place = (struct ledger_place){ found.function, found.file,
			                        found.line, found.go };
		return 1;
	}
	return 0;
}
