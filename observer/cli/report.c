/* report - goload report FILE. */
#include "observer/cli/cli.h"

#include "observer/symbol/symbol.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const void *cli_map(const char *path, size_t *size)
{
	struct symbol_bytes bytes;

	if (!symbol_map(path, &bytes))
		return NULL;
	*size = bytes.size;
	errno = 0;
	return bytes.at;
}

static bool print_page(FILE *out, const struct ledger *ledger,
                       struct cli_names *names, bool redact)
{
	bool done = report_html(out, ledger, cli_name, names, redact);

	if (!done)
		cli_complain(NULL, ENOMEM, "cannot make the page");
	return done;
}

static bool print(FILE *out, const char *object, struct ledger_run *run,
                  const struct cli_options *options)
{
	struct cli_names *names = cli_names_open(run);
	struct ledger *ledger = ledger_build(run, cli_name, names);
	struct report_style style;
	bool done = ledger != NULL;

	cli_progress_end();
	if (ledger && out == stdout)
		cli_page(options);
	style = cli_style(out, options);
	if (ledger && options->why)
		done = cli_print_why(out, object, ledger, options->why, names,
		                     &style);
	else if (ledger && options->format == REPORT_JSON)
		report_json(out, ledger);
	else if (ledger && options->format == REPORT_HTML)
		done = print_page(out, ledger, names, options->redact);
	else if (ledger)
		report_text(out, ledger, &style);
	else
		cli_complain(NULL, ENOMEM, "cannot build the ledger");
	fflush(out);
	ledger_free(ledger);
	cli_names_close(names);
	return done;
}

bool cli_print(FILE *out, const char *object, const void *bytes, size_t size,
               const struct cli_options *options)
{
	enum file_error error = FILE_OK;
	struct ledger_run *run = ledger_read(bytes, size, &error);
	bool done;

	if (!run) {
		cli_complain(object, 0, "%s", file_strerror(error));
		return false;
	}
	if (run->torn)
		cli_complain(object, 0,
		             "ends in the middle of a block: cut there");
	done = print(out, object, run, options);
	ledger_run_free(run);
	return done;
}

static void check_page(const char *output)
{
	if (!report_has_page())
		cli_fail(CLI_FAILED, "--format html", 0,
		         "this goload was built without the page, for want of "
		         "npm");
	if ((!output || strcmp(output, "-") == 0) && isatty(STDOUT_FILENO))
		cli_misused("report", "--format html",
		            "goes to a file: name it with --output");
}

int cli_report(const struct cli_options *options)
{
	const char *path = options->operand[0];
	size_t size = 0;
	const void *bytes;
	FILE *out;
	bool done;

	if (options->operands > 1)
		cli_misused("report", options->operand[1],
		            "one file at a time");
	if (options->why && options->format != REPORT_TEXT)
		cli_misused("report", "--why", "is printed as text only");
	if (options->redact && options->format != REPORT_HTML)
		cli_misused("report", "--redact", "is for --format html");
	if (options->format == REPORT_HTML)
		check_page(options->output);
	cli_progress(path, "reading");
	bytes = cli_map(path, &size);
	if (!bytes && errno)
		cli_fail(CLI_FAILED, path, errno, "cannot be read");
	if (!bytes)
		cli_fail(CLI_FAILED, path, 0, "is not a run file");
	out = cli_open_output(options->output);
	done = cli_print(out, path, bytes, size, options);
	cli_close_output(out, options->output);
	return done ? CLI_OK : CLI_FAILED;
}
