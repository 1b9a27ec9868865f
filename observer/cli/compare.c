/* compare - goload compare A B: two run files side by side. */
#include "observer/cli/cli.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void short_of_memory(void)
{
	cli_fail(CLI_FAILED, NULL, ENOMEM, "cannot compare the ledgers");
}

static void take_options(const struct cli_options *options)
{
	if (options->operands != 2)
		cli_misused("compare",
		            options->operands < 2 ? NULL : options->operand[2],
		            "two files are compared");
	if (options->format == REPORT_HTML && isatty(STDOUT_FILENO) &&
	    (!options->output || strcmp(options->output, "-") == 0))
		cli_misused("compare", "--format html",
		            "goes to a file: name it with --output");
}

static void take_ledger(struct report_compare *compare, int which,
                        struct cli_opened opened)
{
	struct ledger_lives *lives =
		ledger_lives(opened.ledger, cli_name, opened.names);

	if (!report_compare_add(compare, which, opened.ledger, lives))
		short_of_memory();
	ledger_lives_free(lives);
}

int cli_compare(const struct cli_options *options)
{
	struct report_compare *compare = report_compare_open();
	struct report_style style;
	struct cli_opened of[2];
	FILE *out;

	if (!compare)
		short_of_memory();
	take_options(options);
	for (int i = REPORT_A; i <= REPORT_B; i++) {
		of[i] = cli_open_run(options->operand[i], "reading");
		take_ledger(compare, i, of[i]);
	}
	cli_progress_end();
	cli_page(options);
	out = cli_open_output(options, of, 2);
	style = cli_style(out, options);
	if (!report_compare(out, compare, options->format, &style))
		short_of_memory();
	cli_close_output(out, options->output);
	for (int i = REPORT_A; i <= REPORT_B; i++)
		cli_close_run(&of[i]);
	report_compare_free(compare);
	return CLI_OK;
}
