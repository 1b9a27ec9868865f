/* compare - goload compare A B: two run files side by side. */
#include "observer/cli/cli.h"

#include <errno.h>

int cli_compare(const struct cli_options *options)
{
	struct report_style style;
	struct cli_opened of[2];
	FILE *out;
	int done;

	if (options->operands != 2)
		cli_misused("compare",
		            options->operands < 2 ? NULL : options->operand[2],
		            "two files are compared");
	for (int i = 0; i < 2; i++)
		of[i] = cli_open_run(options->operand[i], "reading");
	cli_progress_end();
	cli_page(options);
	out = cli_open_output(options, of, 2);
	style = cli_style(out, options);
	done = options->format == REPORT_JSON
	               ? report_compare_json(out, of[0].ledger, of[1].ledger)
	               : report_compare_text(out, of[0].ledger, of[1].ledger,
	                                     &style);
	cli_close_output(out, options->output);
	for (int i = 0; i < 2; i++)
		cli_close_run(&of[i]);
	if (!done)
		cli_fail(CLI_FAILED, NULL, ENOMEM,
		         "cannot compare the ledgers");
	return CLI_OK;
}
