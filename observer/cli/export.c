/* export - goload export FILE: a run for other programs. */
#include "observer/report/export/export.h"
#include "observer/cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	export_writer *write;
	bool text;
} formats[] = {
	/* in the order of the option's words */
	{ export_pprof, false },  { export_perfetto, false },
	{ export_folded, true },  { export_jsonl, true },
	{ export_sqlite, false }, { export_openmetrics, true },
};

#define FORMAT_FOLDED 2

static bool is_for_terminal(const struct cli_options *options)
{
	const char *output = options->output;

	return formats[options->format].text ||
	       (output && strcmp(output, "-") != 0) || !isatty(STDOUT_FILENO);
}

static struct ledger_run *read_run(const char *path)
{
	enum file_error error = FILE_OK;
	size_t size = 0;
	const void *bytes = cli_map(path, &size); /* stays mapped */
	struct ledger_run *run;

	if (!bytes && errno)
		cli_fail(CLI_FAILED, path, errno, "cannot be read");
	if (!bytes)
		cli_fail(CLI_FAILED, path, 0, "is not a run file");
	run = ledger_read(bytes, size, &error);
	if (!run && error == FILE_OK)
		cli_fail(CLI_FAILED, path, ENOMEM, "cannot be read");
	if (!run)
		cli_fail(CLI_FAILED, path, 0, "%s", file_strerror(error));
	if (run->torn)
		cli_complain(path, 0,
		             "ends in the middle of a block: cut there");
	return run;
}

static bool export_run(const struct cli_options *options,
                       const struct ledger_run *run)
{
	struct cli_names *names = cli_names_open(run);
	struct ledger *ledger = ledger_build(run, cli_name, names);
	struct ledger_lives *lives =
		ledger ? ledger_lives(ledger, cli_name, names) : NULL;
	const struct export_from from = {
		.ledger = ledger,
		.lives = lives,
		.namer = cli_name,
		.context = names,
		.metric = options->metric,
	};
	bool done = false;
	FILE *out;

	if (!ledger || !lives)
		cli_fail(CLI_FAILED, NULL, ENOMEM, "cannot build the ledger");
	out = cli_open_output(options->output);
	done = formats[options->format].write(out, &from);
	cli_progress_end();
	cli_close_output(out, options->output);
	ledger_lives_free(lives);
	ledger_free(ledger);
	cli_names_close(names);
	return done;
}

int cli_export(const struct cli_options *options)
{
	const char *path = options->operand[0];
	struct ledger_run *run;
	bool done;

	if (options->operands > 1)
		cli_misused("export", options->operand[1],
		            "one file at a time");
	if (options->metric && options->format != FORMAT_FOLDED)
		cli_misused("export", "--metric", "is for --format folded");
	if (!is_for_terminal(options))
		cli_misused("export", "standard output",
		            "is a terminal, and the format is binary: name a "
		            "file with -o");
	cli_progress(path, "exporting");
	run = read_run(path);
	done = export_run(options, run);
	ledger_run_free(run);
	if (!done)
		cli_fail(CLI_FAILED, path, ENOMEM, "cannot be exported");
	return CLI_OK;
}
