/* export - goload export FILE: a run for other programs. */
#include "observer/report/export/export.h"
#include "observer/cli/cli.h"

#include <errno.h>
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

static bool export_run(const struct cli_options *options,
                       const struct cli_opened *opened)
{
	struct ledger_lives *lives =
		ledger_lives(opened->ledger, cli_name, opened->names);
	const struct export_from from = {
		.ledger = opened->ledger,
		.lives = lives,
		.namer = cli_name,
		.context = opened->names,
		.metric = options->metric,
	};
	bool done = false;
	FILE *out;

	if (!lives)
		return false;
	out = cli_open_output(options, opened, 1);
	done = formats[options->format].write(out, &from);
	cli_progress_end();
	cli_close_output(out, options->output);
	ledger_lives_free(lives);
	return done;
}

int cli_export(const struct cli_options *options)
{
	const char *path = options->operand[0];
	struct cli_opened opened;
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
	opened = cli_open_run(path, "exporting");
	done = export_run(options, &opened);
	cli_close_run(&opened);
	if (!done)
		cli_fail(CLI_FAILED, path, ENOMEM, "cannot be exported");
	return CLI_OK;
}
