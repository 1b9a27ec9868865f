/*
 * A run as lines of JSON, one flat object each: `type` says what, and which run
 * it is of stands in all of them.
 */
#include "observer/report/export/internal.h"
#include "observer/report/internal.h"

#include <inttypes.h>
#include <stdlib.h>

struct lines {
	FILE *out;
	const struct export_from *from;
	struct threads threads;
	char *run; /* which run, as part of an object */
};

static void put_text(FILE *out, const char *key, const char *text)
{
	fprintf(out, ",\"%s\":", key);
	if (text)
		report_json_string(out, text);
	else
		fputs("null", out);
}

static void put_number(FILE *out, const char *key, uint64_t number)
{
	fprintf(out, ",\"%s\":%" PRIu64, key, number);
}

static void put_address(FILE *out, const char *key, uint64_t address)
{
	fprintf(out, ",\"%s\":\"0x%" PRIx64 "\"", key, address);
}

static void put_bool(FILE *out, const char *key, int value)
{
	fprintf(out, ",\"%s\":%s", key, value ? "true" : "false");
}

static void put_null(FILE *out, const char *key)
{
	put_text(out, key, NULL);
}

static void line_begin(const struct lines *lines, const char *type)
{
	fprintf(lines->out, "{\"type\":\"%s\"%s", type, lines->run);
}

static void line_end(const struct lines *lines)
{
	fputs("}\n", lines->out);
}

/* NULL when memory is short. */
static char *run_text(const struct ledger_run *run)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	put_text(out, "program", run->path);
	put_text(out, "build_id", run->build_id);
	put_text(out, "go_version", run->go_version);
	put_text(out, "host", run->host);
	put_number(out, "started", run->program->started);
	put_number(out, "pid", run->program->pid);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* ---- the lines ---------------------------------------------------------- */

static void write_run(const struct lines *lines)
{
	const struct ledger *ledger = lines->from->ledger;
	const struct file_end *end = ledger->run->end;
	FILE *out = lines->out;
	char *command = command_text(ledger->run);

	line_begin(lines, "run");
	put_text(out, "command", command);
	free(command);
	put_text(out, "linkage", report_linkage(ledger));
	put_bool(out, "stripped", ledger->run->program->stripped != 0);
	if (end && end->kind == FILE_END_EXITED)
		put_number(out, "status", end->value);
	else
		put_null(out, "status");
	if (end && end->kind == FILE_END_SIGNALED)
		put_number(out, "signal", end->value);
	else
		put_null(out, "signal");
	put_bool(out, "exec", end && end->kind == FILE_END_EXECED);
	put_number(out, "duration", ledger->duration);
	put_bool(out, "complete", end && !ledger->run->torn);
	put_bool(out, "checked", ledger->checked);
	put_number(out, "vm_size", ledger->vm_size);
	put_number(out, "target", ledger->target);
	put_number(out, "goload", ledger->goload);
	put_number(out, "unexplained", ledger->unexplained);
	put_number(out, "phantom", ledger->phantom);
	put_number(out, "reserved", ledger->reserved);
	put_number(out, "committed", ledger->committed);
	put_number(out, "resident", ledger->resident);
	put_number(out, "goload_resident", ledger->goload_resident);
	put_number(out, "peak_vm_size", ledger->peak_vm_size);
	put_number(out, "mappings", ledger->mappings);
	put_number(out, "events", ledger->events);
	put_number(out, "lost", ledger->lost);
	line_end(lines);
}

static void write_calls(const struct lines *lines)
{
	const struct ledger *ledger = lines->from->ledger;

	for (size_t i = 0; i < ledger->call_count; i++) {
		line_begin(lines, "call");
		put_text(lines->out, "call", ledger->call[i].name);
		put_number(lines->out, "count", ledger->call[i].count);
		line_end(lines);
	}
}

static void put_row(FILE *out, const struct ledger_row *row)
{
	put_text(out, "kind", row->kind);
	put_text(out, "owner", row->owner);
}

static void put_site(FILE *out, const struct ledger_site *site)
{
	const struct ledger_place *place = &site->place;

	put_text(out, "function", place->function);
	put_text(out, "file", place->file);
	if (place->file && place->line > 0)
		put_number(out, "line", (uint64_t)place->line);
	else
		put_null(out, "line");
	if (site->address)
		put_address(out, "address", site->address);
	else
		put_null(out, "address");
	put_bool(out, "at_start", site->at_start);
}

static void write_row(const struct lines *lines, const struct ledger_row *row)
{
	FILE *out = lines->out;

	line_begin(lines, "row");
	put_row(out, row);
	put_number(out, "reserved", row->reserved);
	put_number(out, "committed", row->committed);
	put_number(out, "resident", row->resident);
	put_number(out, "anonymous", row->anonymous);
	put_number(out, "file_pages", row->file);
	put_number(out, "shared", row->shared);
	put_number(out, "huge", row->huge);
	put_number(out, "returned", row->returned);
	put_number(out, "came_back", row->came_back);
	put_number(out, "mappings", row->mappings);
	line_end(lines);
	for (size_t i = 0; i < row->site_count; i++) {
		line_begin(lines, "site");
		put_row(out, row);
		put_site(out, &row->site[i]);
		put_number(out, "bytes", row->site[i].bytes);
		line_end(lines);
	}
}

static void write_own(const struct lines *lines, const struct ledger_own *own)
{
	line_begin(lines, "goload");
	put_text(lines->out, "kind", own->kind);
	put_text(lines->out, "owner", "goload");
	put_number(lines->out, "committed", own->size);
	put_number(lines->out, "resident", own->resident);
	line_end(lines);
}

static void write_point(const struct lines *lines,
                        const struct ledger_point *point)
{
	line_begin(lines, "point");
	put_number(lines->out, "t", point->t);
	put_number(lines->out, "reserved", point->reserved);
	put_number(lines->out, "committed", point->committed);
	put_number(lines->out, "resident", point->resident);
	line_end(lines);
}

static void write_memstats(const struct lines *lines,
                           const struct file_memstats *stats)
{
	const struct ledger_run *run = lines->from->ledger->run;

	line_begin(lines, "memstats");
	put_number(lines->out, "t", ledger_time(run, stats->tsc));
	for (size_t i = 0; i < MEMSTATS_NUMBERS; i++)
		put_number(lines->out, memstats_name(i),
		           memstats_number(stats, i));
	line_end(lines);
}

static void write_life(const struct lines *lines,
                       const struct ledger_life *life)
{
	const struct ledger_event *call = life_call(life);
	FILE *out = lines->out;

	line_begin(lines, "life");
	put_address(out, "start", life->start);
	put_address(out, "end", life->end);
	put_number(out, "bytes", life_size(life));
	put_number(out, "born", life->from);
	put_number(out, "died", life->until);
	put_bool(out, "last", life->last);
	put_text(out, "kind", life->kind);
	put_text(out, "owner", life->owner);
	put_text(out, "protection", prot_text(life->prot));
	put_number(out, "flags", life->flags);
	put_text(out, "path", life->path);
	put_number(out, "offset", life->offset);
	put_number(out, "resident", life->resident);
	put_site(out, &life->site);
	if (call)
		put_number(out, "thread", threads_of(&lines->threads, call));
	else
		put_null(out, "thread");
	line_end(lines);
}

int export_jsonl(FILE *out, const struct export_from *from)
{
	const struct ledger *ledger = from->ledger;
	struct lines lines = { .out = out,
		               .from = from,
		               .run = run_text(ledger->run) };
	int done = threads_read(&lines.threads, ledger->run) && lines.run;

	if (done) {
		write_run(&lines);
		write_calls(&lines);
		for (size_t i = 0; i < ledger->row_count; i++)
			write_row(&lines, &ledger->row[i]);
		for (size_t i = 0; i < ledger->own_count; i++)
			write_own(&lines, &ledger->own[i]);
		for (size_t i = 0; i < ledger->point_count; i++)
			write_point(&lines, &ledger->point[i]);
		for (size_t i = 0; i < ledger->memstats.count; i++)
			write_memstats(&lines, ledger->memstats.at[i]);
		for (size_t i = 0; i < from->lives->count; i++)
			write_life(&lines, &from->lives->life[i]);
	}
	free(lines.run);
	threads_free(&lines.threads);
	return done;
}
