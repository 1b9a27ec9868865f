/* compare - goload compare A B: two run files side by side. */
#include "observer/cli/cli.h"

#include <errno.h>
#include <stdlib.h>

struct side {
	struct ledger_run *run;
	struct cli_names *names;
	struct ledger *ledger;
};

/* Only what is taken from the file's bytes stays: they stay mapped. */
static void read_side(struct side *side, const char *path)
{
	enum file_error error = FILE_OK;
	size_t size = 0;
	const void *bytes;

	cli_progress(path, "reading");
	bytes = cli_map(path, &size);
	if (!bytes && errno)
		cli_fail(CLI_FAILED, path, errno, "cannot be read");
	side->run = ledger_read(bytes, size, &error);
	if (!side->run)
		cli_fail(CLI_FAILED, path, 0, "%s",
		         error == FILE_NOT_A_RUN ? "is not a run file"
		                                 : file_strerror(error));
	if (side->run->torn)
		cli_complain(path, 0,
		             "ends in the middle of a block: cut there");
	side->names = cli_names_open(side->run);
	side->ledger = ledger_build(side->run, cli_name, side->names);
	if (!side->ledger)
		cli_fail(CLI_FAILED, path, ENOMEM, "cannot build the ledger");
	cli_progress_end();
}

static void forget_side(struct side *side)
{
	ledger_free(side->ledger);
	cli_names_close(side->names);
	ledger_run_free(side->run);
}

int cli_compare(const struct cli_options *options)
{
	struct report_style style;
	struct side a, b;
	FILE *out;
	int done;

	if (options->operands != 2)
		cli_misused("compare",
		            options->operands < 2 ? NULL : options->operand[2],
		            "two files are compared");
	read_side(&a, options->operand[0]);
	read_side(&b, options->operand[1]);
	cli_page(options);
	out = cli_open_output(options->output);
	style = cli_style(out, options);
	done = options->format == REPORT_JSON
	               ? report_compare_json(out, a.ledger, b.ledger)
	               : report_compare_text(out, a.ledger, b.ledger, &style);
	cli_close_output(out, options->output);
	forget_side(&a);
	forget_side(&b);
	if (!done)
		cli_fail(CLI_FAILED, NULL, ENOMEM,
		         "cannot compare the ledgers");
	return CLI_OK;
}
