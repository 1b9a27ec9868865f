/*
 * The ledger as gauges, in the text that both OpenMetrics and Prometheus read.
 * A run is over: its counts are gauges, too (the two want a counter to have
 * names that exclude each other).  No label has an address, a process ID or a
 * time, and there are ROWS_MOST rows at most.
 *
 * A text file is for node_exporter, which serves many as one: the label `run`
 * keeps them apart, each family has the same words in all of them, and what
 * only this run has a word for (a library, a file, a name that the program
 * gave) is a row of a kind that others have, too.
 */
#include "observer/report/export/internal.h"
#include "observer/report/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MOST 64

struct measured { /* a row, or many */
	const char *kind, *owner;
	uint64_t reserved, committed, resident, mappings;
};

struct metrics {
	FILE *out;
	const struct ledger *ledger;
	const char *run; /* of a text file: which it is; else NULL */
	struct store store;
	struct list rows; /* struct measured */
};

/* In both formats these three, and no others, are escaped. */
static void put_value(struct metrics *metrics, const char *text)
{
	for (text = text_clean(&metrics->store, text); *text; text++) {
		if (*text == '\n')
			fputs("\\n", metrics->out);
		else if (*text == '"' || *text == '\\')
			fprintf(metrics->out, "\\%c", *text);
		else
			putc(*text, metrics->out);
	}
}

static void put_label(struct metrics *metrics, const char *name,
                      const char *value)
{
	fprintf(metrics->out, ",%s=\"", name);
	put_value(metrics, value);
	putc('"', metrics->out);
}

/* Which program it is of stands in all of them: files of several runs may be
 * read by one collector. */
static void open_sample(struct metrics *metrics, const char *name)
{
	fprintf(metrics->out, "%s{program=\"", name);
	put_value(metrics, units_base_name(metrics->ledger->run->path));
	putc('"', metrics->out);
	if (metrics->run)
		put_label(metrics, "run", metrics->run);
}

static void close_sample(struct metrics *metrics, uint64_t value)
{
	fprintf(metrics->out, "} %" PRIu64 "\n", value);
}

static void family(struct metrics *metrics, const char *name, const char *unit,
                   const char *help)
{
	fprintf(metrics->out, "# TYPE %s gauge\n", name);
	if (unit && !metrics->run) /* unknown to Prometheus' own text */
		fprintf(metrics->out, "# UNIT %s %s\n", name, unit);
	fprintf(metrics->out, "# HELP %s %s\n", name, help);
}

static void simple(struct metrics *metrics, const char *name, const char *unit,
                   const char *help, uint64_t value)
{
	family(metrics, name, unit, help);
	open_sample(metrics, name);
	close_sample(metrics, value);
}

/* ---- rows --------------------------------------------------------------- */

/* Adds to the row of that name.  Names that differ in bytes that are no UTF-8
 * are one here. */
static void add_row(struct metrics *metrics, const char *kind,
                    const char *owner, const struct ledger_row *row)
{
	struct measured *of = metrics->rows.item;
	size_t i = 0;

	while (i < metrics->rows.count && (strcmp(of[i].kind, kind) != 0 ||
	                                   strcmp(of[i].owner, owner) != 0))
		i++;
	if (i == metrics->rows.count &&
	    !list_add(&metrics->rows, sizeof(*of), &metrics->store))
		return;
	of = (struct measured *)metrics->rows.item + i;
	of->kind = kind;
	of->owner = owner;
	of->reserved += row->reserved;
	of->committed += row->committed;
	of->resident += row->resident;
	of->mappings += row->mappings;
}

static int is_own_word(const struct ledger *ledger, const char *kind)
{
	for (size_t i = 0; i < ledger->word_count; i++)
		if (ledger->word[i] == kind)
			return 1;
	return 0;
}

/* One of the kinds that any run may have. */
static const char *common_kind(const struct ledger *ledger,
                               const struct ledger_row *row)
{
	if (!is_own_word(ledger, row->kind))
		return row->kind;
	if (strcmp(row->owner, "library") == 0 ||
	    strcmp(row->owner, "libc") == 0)
		return "shared library";
	if (strcmp(row->owner, "Go runtime") == 0)
		return "Go runtime, other";
	return strncmp(row->kind, "file ", 5) == 0 ? "file mapping"
	                                           : "named mapping";
}

static void read_common_rows(struct metrics *metrics)
{
	const struct ledger *ledger = metrics->ledger;

	for (size_t i = 0; i < ledger->row_count; i++)
		add_row(metrics, common_kind(ledger, &ledger->row[i]),
		        ledger->row[i].owner, &ledger->row[i]);
}

/* The largest rows, and one for all others. */
static void read_rows(struct metrics *metrics)
{
	const struct ledger *ledger = metrics->ledger;

	for (size_t i = 0; i < ledger->row_count; i++) {
		const struct ledger_row *row = &ledger->row[i];

		if (i < ROWS_MOST)
			add_row(metrics, text_clean(&metrics->store, row->kind),
			        text_clean(&metrics->store, row->owner), row);
		else
			add_row(metrics, "other", "other", row);
	}
}

static void put_memory(struct metrics *metrics, const struct measured *of)
{
	const struct {
		const char *state;
		uint64_t bytes;
	} values[] = { { "reserved", of->reserved },
		       { "committed", of->committed },
		       { "resident", of->resident } };

	for (int i = 0; i < 3; i++) {
		open_sample(metrics, "goload_memory_bytes");
		put_label(metrics, "kind", of->kind);
		put_label(metrics, "owner", of->owner);
		put_label(metrics, "state", values[i].state);
		close_sample(metrics, values[i].bytes);
	}
}

static void put_mappings(struct metrics *metrics, const struct measured *of)
{
	open_sample(metrics, "goload_mappings");
	put_label(metrics, "kind", of->kind);
	put_label(metrics, "owner", of->owner);
	close_sample(metrics, of->mappings);
}

static void write_rows(struct metrics *metrics)
{
	const struct measured *row;

	if (metrics->run)
		read_common_rows(metrics);
	else
		read_rows(metrics);
	row = metrics->rows.item;
	family(metrics, "goload_memory_bytes", "bytes",
	       "Address space of the program at its end, by what it is for: "
	       "reserved and committed add up to it, resident is a part.");
	for (size_t i = 0; i < metrics->rows.count; i++)
		put_memory(metrics, &row[i]);
	family(metrics, "goload_mappings", NULL,
	       "Mappings of the program at its end.");
	for (size_t i = 0; i < metrics->rows.count; i++)
		put_mappings(metrics, &row[i]);
}

/* ---- the rest ----------------------------------------------------------- */

static void write_end(struct metrics *metrics)
{
	const struct ledger_run *run = metrics->ledger->run;
	const struct file_end *end = run->end;
	int known = end && end->kind != FILE_END_UNKNOWN;

	simple(metrics, "goload_run_complete", NULL,
	       "1 when all that was recorded is there, to the end.",
	       end && !run->torn);
	if (known && end->kind == FILE_END_EXITED)
		simple(metrics, "goload_run_exit_status", NULL,
		       "How the program exited; missing when it did not.",
		       end->value);
	if (known)
		simple(metrics, "goload_run_signal", NULL,
		       "The signal that killed the program; 0: none did.",
		       end->kind == FILE_END_SIGNALED ? end->value : 0);
}

static void write_run(struct metrics *metrics)
{
	const struct ledger *ledger = metrics->ledger;
	const struct ledger_run *run = ledger->run;
	const char *go = run->go_version, *id = run->build_id;

	family(metrics, "goload_run_info", NULL,
	       "The program that was run: always 1.");
	open_sample(metrics, "goload_run_info");
	put_label(metrics, "linkage", report_linkage(ledger));
	put_label(metrics, "go_version", go ? go : "");
	put_label(metrics, "build_id", id ? id : "");
	close_sample(metrics, 1);
	family(metrics, "goload_run_duration_seconds", "seconds",
	       "How long the program ran.");
	open_sample(metrics, "goload_run_duration_seconds");
	fprintf(metrics->out, "} %" PRIu64 ".%09" PRIu64 "\n",
	        ledger->duration / 1000000000, ledger->duration % 1000000000);
	write_end(metrics);
	simple(metrics, "goload_run_checked", NULL,
	       "1 when the ledger was checked against the kernel's last map.",
	       ledger->checked != 0);
}

static void write_sizes(struct metrics *metrics)
{
	const struct ledger *ledger = metrics->ledger;

	simple(metrics, "goload_vm_size_bytes", "bytes",
	       "VmSize at the end: that of the program, goload's own and what "
	       "is unexplained.",
	       ledger->vm_size);
	simple(metrics, "goload_vm_size_peak_bytes", "bytes",
	       "The most that VmSize ever was.", ledger->peak_vm_size);
	simple(metrics, "goload_own_bytes", "bytes",
	       "Of VmSize, what is goload's own.", ledger->goload);
	simple(metrics, "goload_own_resident_bytes", "bytes",
	       "Of what is goload's own, what is resident.",
	       ledger->goload_resident);
	simple(metrics, "goload_unexplained_bytes", "bytes",
	       "Of VmSize, what no recorded call has made.",
	       ledger->unexplained);
	simple(metrics, "goload_phantom_bytes", "bytes",
	       "What recorded calls have made and the kernel has not.",
	       ledger->phantom);
}

static void write_events(struct metrics *metrics)
{
	const struct ledger *ledger = metrics->ledger;

	family(metrics, "goload_events", NULL,
	       "Memory syscalls that were recorded.");
	for (size_t i = 0; i < ledger->call_count; i++) {
		open_sample(metrics, "goload_events");
		put_label(metrics, "call", ledger->call[i].name);
		close_sample(metrics, ledger->call[i].count);
	}
	simple(metrics, "goload_events_lost", NULL,
	       "Memory syscalls that were not recorded.", ledger->lost);
}

static void write_memstats(struct metrics *metrics)
{
	const struct file_memstats *last = metrics->ledger->memstats.last;

	if (!last)
		return;
	family(metrics, "goload_memstats_bytes", "bytes",
	       "What runtime.ReadMemStats would have said at the end.");
	for (size_t i = 0; i < MEMSTATS_NUMBERS; i++) {
		open_sample(metrics, "goload_memstats_bytes");
		put_label(metrics, "field", memstats_name(i));
		close_sample(metrics, memstats_number(last, i));
	}
}

static int write_all(struct metrics *metrics)
{
	write_run(metrics);
	write_sizes(metrics);
	write_rows(metrics);
	write_events(metrics);
	write_memstats(metrics);
	free(metrics->rows.item);
	store_free(&metrics->store);
	return !metrics->store.failed;
}

int export_openmetrics(FILE *out, const struct export_from *from)
{
	struct metrics metrics = { .out = out, .ledger = from->ledger };
	int done = write_all(&metrics);

	fputs("# EOF\n", out);
	return done;
}

int export_textfile(FILE *out, const struct ledger *ledger, const char *run)
{
	struct metrics metrics = { .out = out, .ledger = ledger, .run = run };

	return write_all(&metrics);
}
