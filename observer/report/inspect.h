/*
 * inspect - a program file in text or as JSON: what it is made of, and how each
 * of its syscall sites is served.
 *
 * Pure: what was found in, bytes out to a FILE.  Hosted.
 */
#ifndef OBSERVER_REPORT_INSPECT_H
#define OBSERVER_REPORT_INSPECT_H

#include "observer/report/report.h"
#include "observer/sites/sites.h"
#include "observer/symbol/about.h"
#include "observer/symbol/symbol.h"

#include <stdio.h>

struct report_file {
	const char *path;
	uint64_t size; /* of the file */
	struct symbol_file *symbols;
	const struct symbol_about *about;
	const struct sites_result *sites;
};

void report_file_text(FILE *out, const struct report_file *file,
                      const struct report_style *style);
void report_file_json(FILE *out, const struct report_file *file);

#endif
