/* compare - goload compare A B: two run files side by side. */
#include "observer/cli/cli.h"

#include <errno.h>

int cli_compare(const struct cli_options *options)
{
	struct report_style style;
	struct cli_opened a, b;
	FILE *out;
	int done;

	if (options->operands != 2)
		cli_misused("compare",
		            options->operands < 2 ? NULL : options->operand[2],
		            "two files are compared");
	a = cli_open_run(options->operand[0], "reading");
	b = cli_open_run(options->operand[1], "reading");
	cli_progress_end();
	cli_page(options);
	out = cli_open_output(options->output);
	style = cli_style(out, options);
	done = options->format == REPORT_JSON
	               ? report_compare_json(out, a.ledger, b.ledger)
	               : report_compare_text(out, a.ledger, b.ledger, &style);
	cli_close_output(out, options->output);
	cli_close_run(&a);
	cli_close_run(&b);
	if (!done)
		cli_fail(CLI_FAILED, NULL, ENOMEM,
		         "cannot compare the ledgers");
	return CLI_OK;
}
