/* report - goload report FILE. */
#include "observer/cli/cli.h"

#include "observer/symbol/symbol.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

struct report_style cli_style(FILE *out)
{
	int fd = fileno(out);
	struct winsize window = { 0 };
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	struct report_style style = { .width = 0 };

	if (fd < 0 || !isatty(fd))
		return style;
	ioctl(fd, TIOCGWINSZ, &window);
	style.width = window.ws_col;
	style.colour =
		!(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
	return style;
}

static bool print(FILE *out, const char *object, struct ledger_run *run,
                  enum report_format format, const char *why)
{
	struct cli_names *names = cli_names_open(run);
	struct ledger *ledger = ledger_build(run, cli_name, names);
	struct report_style style = cli_style(out);
	bool done = ledger != NULL;

	if (ledger && why)
		done = cli_print_why(out, object, ledger, why, names);
	else if (ledger && format == REPORT_JSON)
		report_json(out, ledger);
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
               enum report_format format, const char *why)
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
	done = print(out, object, run, format, why);
	ledger_run_free(run);
	return done;
}

FILE *cli_open_output(const char *path)
{
	FILE *out =
		!path || strcmp(path, "-") == 0 ? stdout : fopen(path, "we");

	if (!out)
		cli_fail(CLI_FAILED, path, errno, "cannot be written");
	return out;
}

void cli_close_output(FILE *out, const char *path)
{
	if (ferror(out) | fclose(out))
		cli_fail(CLI_FAILED, path ? path : "standard output", errno,
		         "cannot be written");
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
	if (options->why && options->format == REPORT_JSON)
		cli_misused("report", "--why", "is printed as text only");
	bytes = cli_map(path, &size);
	if (!bytes && errno)
		cli_fail(CLI_FAILED, path, errno, "cannot be read");
	if (!bytes)
		cli_fail(CLI_FAILED, path, 0, "is not a run file");
	out = cli_open_output(options->output);
	done = cli_print(out, path, bytes, size, options->format,
	                 options->why);
	cli_close_output(out, options->output);
	return done ? CLI_OK : CLI_FAILED;
}
