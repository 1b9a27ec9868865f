/*
 * metrics - --metrics-file: the gauges of a run, for node_exporter's textfile
 * collector.
 *
 * It reads a file of its directory when the name ends in .prom, at any moment:
 * the file gets its name when it is whole.
 */
#include "observer/cli/cli.h"

#include "observer/report/export/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READABLE 0644 /* the collector is another user */

size_t cli_metrics_stem(const char *path)
{
	static const char end[] = ".prom";
	size_t size = strlen(path), tail = sizeof(end) - 1;

	if (size > tail && strcmp(path + size - tail, end) == 0)
		size -= tail;
	return size;
}

/* Which of a directory's files it is: "http" of "/metrics/http.prom". */
static char *run_of(const char *path)
{
	const char *name = cli_base_name(path);

	return strndup(name, cli_metrics_stem(name));
}

/* An errno, or 0. */
static int write_gauges(int fd, const char *path, const struct ledger *ledger)
{
	FILE *out = fdopen(fd, "w");
	char *run = run_of(path);
	int error = 0;

	if (!out || !run || !export_textfile(out, ledger, run))
		error = ENOMEM;
	free(run);
	if (!out) {
		close(fd);
		return error;
	}
	if (fchmod(fd, READABLE) < 0)
		error = errno;
	if ((ferror(out) | fclose(out)) && !error)
		error = errno;
	return error;
}

/* A link, a device or a pipe is not to lose its name. */
static bool may_take_place_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 || S_ISREG(st.st_mode);
}

void cli_write_metrics(const char *path, const struct ledger *ledger)
{
	char *unnamed;
	int fd, error;

	if (!may_take_place_of(path)) {
		cli_complain(path, 0, "is no regular file: no metrics written");
		return;
	}
	/* a short name in the same directory, and none that ends in .prom */
	if (asprintf(&unnamed, "%.*s.goload.XXXXXX",
	             (int)(cli_base_name(path) - path), path) < 0) {
		cli_complain(path, ENOMEM, "cannot be written");
		return;
	}
	fd = mkostemp(unnamed, O_CLOEXEC);
	error = fd < 0 ? errno : write_gauges(fd, path, ledger);
	if (!error && rename(unnamed, path) < 0)
		error = errno;
	if (error && fd >= 0)
		unlink(unnamed);
	if (error)
		cli_complain(path, error, "cannot be written");
	free(unnamed);
}
