/* report - goload report FILE. */
#include "observer/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool print_page(FILE *out, const struct ledger *ledger,
                       struct cli_names *names, bool redact)
{
	bool done = report_html(out, ledger, cli_name, names, redact);

	if (!done)
		cli_complain(NULL, ENOMEM, "cannot make the page");
	return done;
}

static bool print(FILE *out, const struct cli_opened *opened,
                  const struct cli_options *options)
{
	const struct report_style style = cli_style(out, options);

	if (options->why)
		return cli_print_why(out, opened, options->why, &style);
	if (options->format == REPORT_HTML)
		return print_page(out, opened->ledger, opened->names,
		                  options->redact);
	if (options->format == REPORT_JSON)
		report_json(out, opened->ledger);
	else
		report_text(out, opened->ledger, &style);
	return true;
}

static bool can_print(const char *object, const struct cli_opened *opened,
                      const struct cli_options *options)
{
	return !options->why ||
	       cli_has_row(object, opened->ledger, options->why);
}

bool cli_print(FILE *out, const char *object, const struct cli_opened *opened,
               const struct cli_options *options)
{
	bool done = can_print(object, opened, options) &&
	            print(out, opened, options);

	fflush(out);
	return done;
}

static void check_page(const struct cli_options *options)
{
	if (!report_has_page())
		cli_fail(CLI_FAILED, "--format html", 0,
		         "this goload was built without the page, for want of "
		         "npm");
	cli_expect_page_file("report", options);
}

int cli_report(const struct cli_options *options)
{
	const char *path = options->operand[0];
	struct cli_opened opened;
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
		check_page(options);
	opened = cli_open_run(path, "reading");
	cli_progress_end();
	if (!can_print(path, &opened, options))
		return CLI_FAILED;
	cli_page(options);
	out = cli_open_output(options, &opened, 1);
	done = print(out, &opened, options);
	cli_close_output(out, options->output);
	cli_close_run(&opened);
	return done ? CLI_OK : CLI_FAILED;
}
