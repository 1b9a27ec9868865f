/*
 * The ledger as one JSON document.  Sizes are integer bytes, times integer ns,
 * addresses strings in hex: many readers lose integers above 2^53.
 */
#include "observer/report/internal.h"

#include <inttypes.h>

/* ---- a writer ----------------------------------------------------------- */

struct writer {
	FILE *out;
	int depth;
	int first; /* nothing has been written on this level */
};

static void separate(struct writer *writer)
{
	if (!writer->first)
		putc(',', writer->out);
	if (writer->depth > 0)
		fprintf(writer->out, "\n%*s", 2 * writer->depth, "");
	writer->first = 0;
}

static void open_level(struct writer *writer, char bracket)
{
	putc(bracket, writer->out);
	writer->depth++;
	writer->first = 1;
}

static void close_level(struct writer *writer, char bracket)
{
	writer->depth--;
	if (!writer->first)
		fprintf(writer->out, "\n%*s", 2 * writer->depth, "");
	putc(bracket, writer->out);
	writer->first = 0;
}

int utf8_size(const unsigned char *text)
{
	int size = *text < 0xc2   ? 0
	           : *text < 0xe0 ? 2
	           : *text < 0xf0 ? 3
	           : *text < 0xf5 ? 4
	                          : 0;

	for (int i = 1; i < size; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and what lies above U+10FFFF. */
	if ((text[0] == 0xe0 && text[1] < 0xa0) ||
	    (text[0] == 0xed && text[1] >= 0xa0) ||
	    (text[0] == 0xf0 && text[1] < 0x90) ||
	    (text[0] == 0xf4 && text[1] >= 0x90))
		return 0;
	return size;
}

void report_json_string(FILE *out, const char *string)
{
	const unsigned char *text = (const unsigned char *)string;

	putc('"', out);
	while (*text) {
		int size = utf8_size(text);

		if (*text == '"' || *text == '\\') {
			fprintf(out, "\\%c", *text++);
		} else if (*text < 32 || *text == 127) {
			fprintf(out, "\\u%04x", *text++);
		} else if (*text < 128) {
			putc(*text++, out);
		} else if (size == 0) {
			fputs("\\ufffd", out);
			text++;
		} else {
			fwrite(text, 1, size, out);
			text += size;
		}
	}
	putc('"', out);
}

void report_json_text(FILE *out, const char *name, const char *text)
{
	report_json_string(out, name);
	fputs(": ", out);
	if (text)
		report_json_string(out, text);
	else
		fputs("null", out);
}

static void key(struct writer *writer, const char *name)
{
	separate(writer);
	report_json_string(writer->out, name);
	fputs(": ", writer->out);
}

static void key_text(struct writer *writer, const char *name, const char *text)
{
	separate(writer);
	report_json_text(writer->out, name, text);
}

static void key_number(struct writer *writer, const char *name, uint64_t number)
{
	key(writer, name);
	fprintf(writer->out, "%" PRIu64, number);
}

static void key_address(struct writer *writer, const char *name,
                        uint64_t address)
{
	key(writer, name);
	fprintf(writer->out, "\"0x%" PRIx64 "\"", address);
}

static void key_bool(struct writer *writer, const char *name, int value)
{
	key(writer, name);
	fputs(value ? "true" : "false", writer->out);
}

static void key_null(struct writer *writer, const char *name)
{
	key_text(writer, name, NULL);
}

static void key_numbers(struct writer *writer, const char *name,
                        const uint64_t *number, size_t count)
{
	key(writer, name);
	for (size_t i = 0; i < count; i++)
		fprintf(writer->out, "%s%" PRIu64, i ? ", " : "[", number[i]);
	fputs(count ? "]" : "[]", writer->out);
}

static void key_open(struct writer *writer, const char *name, char bracket)
{
	key(writer, name);
	open_level(writer, bracket);
}

static void item_open(struct writer *writer)
{
	separate(writer);
	open_level(writer, '{');
}

/* ---- the document ------------------------------------------------------- */

static void write_parent(struct writer *writer, const struct ledger_run *run)
{
	if (!run->parent) {
		key_null(writer, "followed_from");
		return;
	}
	key_open(writer, "followed_from", '{');
	key_number(writer, "pid", run->parent->pid);
	key_text(writer, "run", run->parent_run);
	close_level(writer, '}');
}

static void write_program(struct writer *writer, const struct ledger *ledger)
{
	const struct ledger_run *run = ledger->run;

	key_open(writer, "program", '{');
	key_text(writer, "path", run->path);
	key_open(writer, "args", '[');
	for (uint32_t i = 0; i < run->program->argc; i++) {
		separate(writer);
		report_json_string(writer->out, run->argv[i]);
	}
	close_level(writer, ']');
	key_text(writer, "linkage", report_linkage(ledger));
	key_bool(writer, "stripped", run->program->stripped != 0);
	key_text(writer, "go_version", run->go_version);
	key_text(writer, "build_id", run->build_id);
	key_number(writer, "pid", run->program->pid);
	key_text(writer, "host", run->host);
	write_parent(writer, run);
	close_level(writer, '}');
}

static void write_exit(struct writer *writer, const struct ledger *ledger)
{
	const struct file_end *end = ledger->run->end;
	uint64_t kind = end ? end->kind : FILE_END_UNKNOWN;

	key_open(writer, "exit", '{');
	if (kind == FILE_END_EXITED)
		key_number(writer, "status", end->value);
	else
		key_null(writer, "status");
	if (kind == FILE_END_SIGNALED)
		key_number(writer, "signal", end->value);
	else
		key_null(writer, "signal");
	key_bool(writer, "exec", kind == FILE_END_EXECED);
	close_level(writer, '}');
}

static void write_run(struct writer *writer, const struct ledger *ledger)
{
	const struct ledger_run *run = ledger->run;

	key_open(writer, "run", '{');
	key_number(writer, "started", run->program->started);
	key_number(writer, "duration", ledger->duration);
	key_bool(writer, "complete", run->end && !run->torn);
	key_bool(writer, "checked", ledger->checked);
	key_bool(writer, "net", run->program->net_on != 0);
	close_level(writer, '}');
}

static void write_sentence(void *context, const char *sentence)
{
	struct writer *writer = context;

	separate(writer);
	report_json_string(writer->out, sentence);
}

static void write_explanation(struct writer *writer,
                              const struct ledger *ledger)
{
	key_open(writer, "explanation", '[');
	explain_sentences(ledger, write_sentence, writer);
	close_level(writer, ']');
}

static void write_totals(struct writer *writer, const struct ledger *ledger)
{
	key_open(writer, "totals", '{');
	key_number(writer, "vm_size", ledger->vm_size);
	key_number(writer, "target", ledger->target);
	key_number(writer, "goload", ledger->goload);
	key_number(writer, "unexplained", ledger->unexplained);
	key_number(writer, "phantom", ledger->phantom);
	key_number(writer, "reserved", ledger->reserved);
	key_number(writer, "committed", ledger->committed);
	key_number(writer, "resident", ledger->resident);
	key_number(writer, "goload_resident", ledger->goload_resident);
	key_number(writer, "peak_vm_size", ledger->peak_vm_size);
	key_number(writer, "mappings", ledger->mappings);
	close_level(writer, '}');
}

static void write_net_site(struct writer *writer, const struct ledger *ledger,
                           const struct ledger_net_site *site)
{
	const struct ledger_place *place = &site->place;

	item_open(writer);
	key_text(writer, "module", site->path);
	key_address(writer, "address", site->address);
	if (site->path)
		key_address(writer, "in_file", site->in_file);
	else
		key_null(writer, "in_file");
	key_text(writer, "function", place->function);
	if (place->function && site->address >= place->start)
		key_number(writer, "offset", site->address - place->start);
	else
		key_null(writer, "offset");
	key_number(writer, "calls", site->calls);
	key_text(writer, "why", net_why(ledger, site));
	close_level(writer, '}');
}

static void write_names(struct writer *writer, const struct ledger_names *names)
{
	key_open(writer, "names", '{');
	key_number(writer, "given", names->given);
	key_number(writer, "agreed", names->agreed);
	key_open(writer, "wrong", '[');
	for (size_t i = 0; i < names->wrong_count; i++) {
		const struct ledger_wrong *wrong = &names->wrong[i];

		item_open(writer);
		key_address(writer, "start", wrong->start);
		key_address(writer, "end", wrong->end);
		key_text(writer, "name", wrong->name);
		key_text(writer, "kind", wrong->kind);
		key_text(writer, "function", wrong->place.function);
		close_level(writer, '}');
	}
	close_level(writer, ']');
	close_level(writer, '}');
}

static void write_events(struct writer *writer, const struct ledger *ledger)
{
	key_open(writer, "events", '{');
	key_number(writer, "count", ledger->events);
	key_number(writer, "lost", ledger->lost);
	key_number(writer, "net_hits", ledger->net_hits);
	key_number(writer, "net_recorded", ledger->net_recorded);
	key_number(writer, "ambiguous", ledger->ambiguous);
	key_number(writer, "truncated", ledger->truncated);
	key_number(writer, "abandoned", ledger->abandoned);
	key_number(writer, "children", ledger->children);
	write_names(writer, &ledger->names);
	key_open(writer, "by_call", '{');
	for (size_t i = 0; i < ledger->call_count; i++)
		key_number(writer, ledger->call[i].name, ledger->call[i].count);
	close_level(writer, '}');
	key_number(writer, "sites", ledger->sites);
	key_number(writer, "sites_patched", ledger->sites_patched);
	key_open(writer, "net_sites", '[');
	for (size_t i = 0; i < ledger->net_site_count; i++)
		write_net_site(writer, ledger, &ledger->net_site[i]);
	close_level(writer, ']');
	close_level(writer, '}');
}

static void write_site(struct writer *writer, const struct ledger_site *site)
{
	item_open(writer);
	key_text(writer, "function", site->place.function);
	key_text(writer, "file", site->place.file);
	if (site->place.line > 0)
		key_number(writer, "line", site->place.line);
	else
		key_null(writer, "line");
	key_address(writer, "address", site->address);
	key_number(writer, "bytes", site->bytes);
	key_bool(writer, "at_start", site->at_start);
	close_level(writer, '}');
}

static void write_row(struct writer *writer, const struct ledger *ledger,
                      const struct ledger_row *row)
{
	item_open(writer);
	key_text(writer, "kind", row->kind);
	key_text(writer, "owner", row->owner);
	key_number(writer, "reserved", row->reserved);
	key_number(writer, "committed", row->committed);
	key_number(writer, "resident", row->resident);
	key_number(writer, "anonymous", row->anonymous);
	key_number(writer, "file", row->file);
	key_number(writer, "shared", row->shared);
	key_number(writer, "huge", row->huge);
	key_number(writer, "returned", row->returned);
	key_number(writer, "came_back", row->came_back);
	key_number(writer, "mappings", row->mappings);
	key_numbers(writer, "resident_at", row->resident_at,
	            ledger->moment_count);
	key_open(writer, "sites", '[');
	for (size_t i = 0; i < row->site_count; i++)
		write_site(writer, &row->site[i]);
	close_level(writer, ']');
	close_level(writer, '}');
}

static void write_own(struct writer *writer, const struct ledger_own *own)
{
	item_open(writer);
	key_text(writer, "kind", own->kind);
	key_number(writer, "size", own->size);
	key_number(writer, "resident", own->resident);
	close_level(writer, '}');
}

static void write_ranges(struct writer *writer, const struct ledger *ledger,
                         const char *name, int phantom)
{
	key_open(writer, name, '[');
	for (size_t i = 0; i < ledger->range_count; i++) {
		if (ledger->range[i].phantom != phantom)
			continue;
		item_open(writer);
		key_address(writer, "start", ledger->range[i].start);
		key_address(writer, "end", ledger->range[i].end);
		close_level(writer, '}');
	}
	close_level(writer, ']');
}

static void write_timeline(struct writer *writer, const struct ledger *ledger)
{
	key_open(writer, "timeline", '[');
	for (size_t i = 0; i < ledger->point_count; i++) {
		const struct ledger_point *point = &ledger->point[i];

		separate(writer);
		fprintf(writer->out,
		        "{\"t\": %" PRIu64 ", \"reserved\": %" PRIu64
		        ", \"committed\": %" PRIu64 ", \"resident\": %" PRIu64
		        "}",
		        point->t, point->reserved, point->committed,
		        point->resident);
	}
	close_level(writer, ']');
}

/* clang-format off */
#define NUMBER(name) { #name, offsetof(struct file_memstats, name) }
static const struct {
	const char *name;
	size_t at;
} memstats[] = {
	NUMBER(sys),
	NUMBER(heap_sys), NUMBER(heap_idle), NUMBER(heap_inuse),
	NUMBER(heap_released),
	NUMBER(stack_inuse), NUMBER(stack_sys),
	NUMBER(mspan_inuse), NUMBER(mspan_sys),
	NUMBER(mcache_inuse), NUMBER(mcache_sys),
	NUMBER(buck_hash_sys), NUMBER(gc_sys), NUMBER(other_sys),
};
/* clang-format on */

#define MEMSTATS (sizeof(memstats) / sizeof(*memstats))

_Static_assert(MEMSTATS == MEMSTATS_NUMBERS, "a name for each number");

const char *memstats_name(size_t i)
{
	return memstats[i].name;
}

uint64_t memstats_number(const struct file_memstats *stats, size_t i)
{
	return *(const uint64_t *)((const char *)stats + memstats[i].at);
}

static void write_memstats_at(struct writer *writer, uint64_t t,
                              const struct file_memstats *stats)
{
	separate(writer);
	fprintf(writer->out, "{\"t\": %" PRIu64, t);
	for (size_t i = 0; i < MEMSTATS; i++)
		fprintf(writer->out, ", \"%s\": %" PRIu64, memstats[i].name,
		        memstats_number(stats, i));
	putc('}', writer->out);
}

static void write_memstats(struct writer *writer, const struct ledger *ledger)
{
	const struct ledger_memstats *stats = &ledger->memstats;

	if (!stats->last && !stats->reason) {
		key_null(writer, "memstats");
		return;
	}
	key_open(writer, "memstats", '{');
	key_bool(writer, "available", stats->last != NULL);
	key_text(writer, "reason", stats->reason);
	for (size_t i = 0; i < MEMSTATS; i++) {
		if (stats->last)
			key_number(writer, memstats[i].name,
			           memstats_number(stats->last, i));
		else
			key_null(writer, memstats[i].name);
	}
	key_open(writer, "timeline", '[');
	for (size_t i = 0; i < stats->count; i++)
		write_memstats_at(writer,
		                  ledger_time(ledger->run, stats->at[i]->tsc),
		                  stats->at[i]);
	close_level(writer, ']');
	close_level(writer, '}');
}

static void write_place(struct writer *writer, const struct ledger_place *place,
                        uint64_t address)
{
	key_text(writer, "function", place->function);
	key_text(writer, "file", place->file);
	if (place->line > 0)
		key_number(writer, "line", place->line);
	else
		key_null(writer, "line");
	key_address(writer, "address", address);
}

static void write_injected_group(struct writer *writer,
                                 const struct ledger *ledger,
                                 const struct ledger_injected *group)
{
	const struct trace_event *event = group->event->event;
	const struct ledger_caller *caller = &group->caller;
	char text[LEDGER_CALL_NAME];

	item_open(writer);
	key_text(writer, "call", ledger_call_name(text, event->call));
	key_number(writer, "number", group->number);
	key_number(writer, "count", group->count);
	key(writer, "at");
	fprintf(writer->out, "\"%08" PRIx32 "\"", caller->id);
	key_bool(writer, "failed", !!(event->flags & TRACE_INJECTED));
	key_bool(writer, "delayed", !!(event->flags & TRACE_DELAYED));
	if (trace_failed(event->result))
		key_number(writer, "errno", -event->result);
	else
		key_null(writer, "errno");
	key_number(writer, "t", ledger_time(ledger->run, event->tsc));
	key_number(writer, "took",
	           ledger_time(ledger->run, event->tsc_after) -
	                   ledger_time(ledger->run, event->tsc));
	key_open(writer, "args", '[');
	for (int i = 0; i < 6; i++) {
		separate(writer);
		fprintf(writer->out, "\"0x%" PRIx64 "\"", event->args[i]);
	}
	close_level(writer, ']');
	key_text(writer, "kind", caller->kind);
	key_text(writer, "owner", caller->owner);
	write_place(writer, &caller->place, caller->address);
	key_open(writer, "frames", '[');
	for (size_t i = 0; i < caller->frame_count; i++) {
		item_open(writer);
		write_place(writer, &caller->frame[i].place,
		            caller->frame[i].address);
		key_bool(writer, "inlined", caller->frame[i].inlined);
		close_level(writer, '}');
	}
	close_level(writer, ']');
	close_level(writer, '}');
}

/* Of a run in which calls could be made to fail. */
static void write_injected(struct writer *writer, const struct ledger *ledger)
{
	if (!(ledger->run->program->options & SESSION_ASK))
		return;
	key_open(writer, "injected", '[');
	for (size_t i = 0; i < ledger->injected_count; i++)
		write_injected_group(writer, ledger, &ledger->injected[i]);
	close_level(writer, ']');
}

void report_json(FILE *out, const struct ledger *ledger)
{
	struct writer writer = { .out = out, .first = 1 };

	open_level(&writer, '{');
	key_text(&writer, "schema", "goload/1");
	write_program(&writer, ledger);
	write_exit(&writer, ledger);
	write_run(&writer, ledger);
	write_explanation(&writer, ledger);
	write_totals(&writer, ledger);
	write_events(&writer, ledger);
	key_open(&writer, "ledger", '[');
	for (size_t i = 0; i < ledger->row_count; i++)
		write_row(&writer, ledger, &ledger->row[i]);
	close_level(&writer, ']');
	key_open(&writer, "goload", '[');
	for (size_t i = 0; i < ledger->own_count; i++)
		write_own(&writer, &ledger->own[i]);
	close_level(&writer, ']');
	write_ranges(&writer, ledger, "unexplained", 0);
	write_ranges(&writer, ledger, "phantom", 1);
	write_timeline(&writer, ledger);
	key_numbers(&writer, "moments", ledger->moment, ledger->moment_count);
	key_numbers(&writer, "goload_resident_at", ledger->goload_resident_at,
	            ledger->moment_count);
	key_numbers(&writer, "gone_resident_at", ledger->gone_resident_at,
	            ledger->moment_count);
	write_memstats(&writer, ledger);
	write_injected(&writer, ledger);
	close_level(&writer, '}');
	putc('\n', out);
}
