/*
 * export - a run for other programs' eyes: one ledger, in six formats.
 *
 *   pprof        profile.proto, gzip: `go tool pprof`, Pyroscope, Parca
 *   perfetto     trace.proto: ui.perfetto.dev, trace_processor
 *   folded       stacks with a number: flame graphs
 *   jsonl        one object a line, flat: DuckDB, ClickHouse
 *   sqlite       a database
 *   openmetrics  gauges: Prometheus
 *
 * Pure: a ledger in, bytes out to a FILE.  What each format has in it is fixed
 * in docs/formats.md.  All are of the target; what is goload's own stands apart
 * where a format has a place for it.  Hosted.
 */
#ifndef OBSERVER_REPORT_EXPORT_EXPORT_H
#define OBSERVER_REPORT_EXPORT_EXPORT_H

#include "observer/ledger/ledger.h"

#include <stdio.h>

enum export_metric {              /* what a folded stack counts */
	             EXPORT_SIZE, /* reserved and committed */
	             EXPORT_RESERVED,
	             EXPORT_COMMITTED,
	             EXPORT_RESIDENT,
};

struct export_from {
	const struct ledger *ledger;
	const struct ledger_lives *lives;
	ledger_namer *namer; /* as for ledger_build() */
	void *context;
	enum export_metric metric;
};

/* 0 when memory is short: then what was written is no whole document.  Whether
 * it could be written is the caller's to ask of `out`. */
typedef int export_writer(FILE *out, const struct export_from *from);

export_writer export_pprof;
export_writer export_perfetto;
export_writer export_folded;
export_writer export_jsonl;
export_writer export_sqlite;
export_writer export_openmetrics;

/* The gauges as node_exporter's textfile collector wants them, many runs' in
 * one directory: `run` is which of them. */
int export_textfile(FILE *out, const struct ledger *ledger, const char *run);

#endif
