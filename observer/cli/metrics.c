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

struct gauges {
	const struct ledger *ledger;
	const char *run;
};

static bool write_gauges(FILE *out, const void *context)
{
	const struct gauges *gauges = context;

	return gauges->run && export_textfile(out, gauges->ledger, gauges->run);
}

/* A link, a device or a pipe is not to lose its name. */
static bool may_take_place_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 || S_ISREG(st.st_mode);
}

void cli_write_metrics(const char *path, const struct ledger *ledger)
{
	char *run;
	int error;

	if (!may_take_place_of(path)) {
		cli_complain(path, 0, "is no regular file: no metrics written");
		return;
	}
	run = run_of(path);
	error = cli_replace(path, READABLE, write_gauges,
	                    &(struct gauges){ ledger, run });
	free(run);
	if (error)
		cli_complain(path, error, "cannot be written");
}
