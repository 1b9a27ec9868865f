/* opened - a run file with its names and its ledger, for verbs that need all of
 * it, or the end of this process. */
#include "observer/cli/cli.h"

#include <errno.h>

struct cli_opened cli_open_run(const char *path, const char *doing)
{
	struct cli_opened opened = { 0 };
	enum file_error error = FILE_OK;
	size_t size = 0;
	const void *bytes; /* stay mapped: the run points into them */

	cli_progress(path, doing);
	bytes = cli_map(path, &size);
	if (!bytes && errno)
		cli_fail(CLI_FAILED, path, errno, "cannot be read");
	opened.run = bytes ? ledger_read(bytes, size, &error) : NULL;
	if (bytes && !opened.run && error == FILE_OK)
		cli_fail(CLI_FAILED, path, ENOMEM, "cannot be read");
	if (!opened.run)
		cli_fail(CLI_FAILED, path, 0, "%s",
		         bytes ? file_strerror(error) : "is not a run file");
	if (opened.run->torn)
		cli_complain(path, 0,
		             "ends in the middle of a block: cut there");
	opened.names = cli_names_open(opened.run);
	opened.ledger = ledger_build(opened.run, cli_name, opened.names);
	if (!opened.ledger)
		cli_fail(CLI_FAILED, path, ENOMEM, "cannot build the ledger");
	return opened;
}

void cli_close_run(const struct cli_opened *opened)
{
	ledger_free(opened->ledger);
	cli_names_close(opened->names);
	ledger_run_free(opened->run);
}
