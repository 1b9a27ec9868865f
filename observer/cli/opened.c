/* opened - a run file with its names and its ledger, for verbs that need all of
 * it. */
#include "observer/cli/cli.h"

#include "observer/symbol/symbol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

bool cli_is_run(const char *path)
{
	char magic[sizeof(FILE_MAGIC) - 1];
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool is = fd >= 0 && read(fd, magic, sizeof(magic)) == sizeof(magic) &&
	          memcmp(magic, FILE_MAGIC, sizeof(magic)) == 0;

	if (fd >= 0)
		close(fd);
	return is;
}

static void complain_of_bytes(const char *object, enum file_error error)
{
	if (error == FILE_OK)
		cli_complain(object, ENOMEM, "cannot be read");
	else
		cli_complain(object, 0, "%s", file_strerror(error));
}

bool cli_read_run(const char *object, const void *bytes, size_t size,
                  struct cli_opened *opened)
{
	enum file_error error = FILE_OK;

	*opened =
		(struct cli_opened){ .run = ledger_read(bytes, size, &error) };
	if (!opened->run) {
		complain_of_bytes(object, error);
		return false;
	}
	opened->names = cli_names_open(opened->run);
	opened->ledger = ledger_build(opened->run, cli_name, opened->names);
	if (opened->ledger)
		return true;
	cli_complain(object, ENOMEM, "cannot build the ledger");
	cli_close_run(opened);
	return false;
}

bool cli_is_whole(const struct ledger_run *run)
{
	return run->end && !run->torn;
}

/* Of bytes that go when the run is closed, or cannot be read. */
static bool read_mapped(const char *object, const void *bytes, size_t size,
                        struct cli_opened *opened)
{
	if (!cli_read_run(object, bytes, size, opened)) {
		munmap((void *)bytes, size);
		return false;
	}
	opened->bytes = (void *)bytes;
	opened->size = size;
	return true;
}

int cli_read_outcome(const char *object, const struct cli_outcome *outcome,
                     struct cli_opened *opened)
{
	size_t size = 0;
	const void *bytes;

	errno = 0;
	bytes = outcome->run ? cli_map(outcome->run, &size) : NULL;
	return bytes ? read_mapped(object, bytes, size, opened) : -1;
}

struct cli_opened cli_open_run(const char *path, const char *doing)
{
	struct cli_opened opened;
	size_t size = 0;
	const void *bytes;

	cli_progress(path, doing);
	bytes = cli_map(path, &size);
	if (!bytes && errno)
		cli_fail(CLI_FAILED, path, errno, "cannot be read");
	if (!bytes)
		cli_fail(CLI_FAILED, path, 0, "is not a run file");
	if (!read_mapped(path, bytes, size, &opened))
		exit(CLI_FAILED);
	if (opened.run->torn)
		cli_complain(path, 0,
		             "ends in the middle of a block: cut there");
	return opened;
}

void cli_close_run(const struct cli_opened *opened)
{
	ledger_free(opened->ledger);
	cli_names_close(opened->names);
	ledger_run_free(opened->run);
	if (opened->bytes)
		munmap(opened->bytes, opened->size);
}
