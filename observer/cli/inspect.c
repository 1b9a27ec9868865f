/* inspect - goload inspect ELF: what it is made of, and how its syscall sites
 * are served. */
#include "observer/cli/cli.h"

#include "observer/report/inspect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXTS 64

struct inspected {
	const char *path;
	struct symbol_bytes bytes;
	struct symbol_file *symbols;
	struct sites_result sites;
};

static void find(struct inspected *file)
{
	const struct symbol_info *info = symbol_info(file->symbols);
	struct symbol_text found[TEXTS];
	struct sites_text text[TEXTS];
	size_t count = symbol_texts(file->symbols, found, TEXTS);
	struct sites_input input = {
		.text = text,
		.go_text = { info->go_text[0], info->go_text[1] },
	};

	for (size_t i = 0; i < count && i < TEXTS; i++)
		if (found[i].offset <= file->bytes.size &&
		    found[i].size <= file->bytes.size - found[i].offset)
			text[input.text_count++] = (struct sites_text){
				file->bytes.at + found[i].offset,
				found[i].address, found[i].size
			};
	input.start_count = symbol_starts(file->symbols, &input.starts);
	if (sites_find(&input, &file->sites) != SITES_OK)
		cli_fail(CLI_FAILED, file->path, ENOMEM, "cannot be inspected");
}

static void print(const struct inspected *file,
                  const struct cli_options *options)
{
	const struct report_style style = cli_style(stdout, options);
	struct symbol_about *about = symbol_about(file->symbols);
	const struct report_file found = {
		.path = file->path,
		.size = file->bytes.size,
		.symbols = file->symbols,
		.about = about,
		.sites = &file->sites,
	};

	if (!about)
		cli_fail(CLI_FAILED, file->path, ENOMEM, "cannot be inspected");
	if (options->format == REPORT_JSON)
		report_file_json(stdout, &found);
	else
		report_file_text(stdout, &found, &style);
	symbol_about_free(about);
}

int cli_inspect(const struct cli_options *options)
{
	struct inspected file = { .path = options->operand[0] };

	if (options->operands > 1)
		cli_misused("inspect", options->operand[1],
		            "one file at a time");
	if (!symbol_map(file.path, &file.bytes) && errno)
		cli_fail(errno == ENOENT ? CLI_NOT_FOUND : CLI_CANNOT_LOAD,
		         file.path, errno, "cannot be read");
	if (file.bytes.at)
		file.symbols = symbol_open(file.bytes.at, file.bytes.stored);
	if (!file.symbols)
		cli_fail(CLI_CANNOT_LOAD, file.path, 0, "is not an ELF file");
	find(&file);
	cli_page(options);
	print(&file, options);
	cli_close_output(stdout, NULL);
	sites_free(&file.sites);
	symbol_close(file.symbols);
	return CLI_OK;
}
