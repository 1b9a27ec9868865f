/*
 * What the page shows, as one JSON document: for web/src/ alone, so it may
 * change from one goload to the next.  Tables stand as columns, and what comes
 * again (texts, frames, stacks) as a number: a million events have to fit.
 *
 * - head, say, totals, events: who ran, and the explanation
 * - rows, own, ranges: the ledger
 * - points, moments, memstats: curves
 * - lives, rest, groups, marks, threads, shots: html_lives.c
 * - texts, frames, stacks: what the numbers mean; a stack is whether it was
 * cut, then its frames, innermost first
 */
#include "observer/report/html.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STACKS_MOST 20000
#define FRAMES_MOST 400000 /* of all stacks */
#define SITES_MOST  8      /* of one row */

/* ---- texts, frames, stacks ----------------------------------------------- */

uint32_t page_text(struct page *page, const char *text)
{
	return pool_put(&page->texts, text ? text : "",
	                text ? strlen(text) : 0);
}

static uint32_t page_frame(struct page *page, const struct ledger_frame *frame)
{
	const struct ledger_place *place = &frame->place;
	const char *function = place->function;
	uint32_t column[5];
	char address[UNITS_TEXT];

	if (!function) {
		snprintf(address, sizeof(address), "0x%" PRIx64,
		         frame->address);
		function = address;
	}
	column[0] = page_text(page, function);
	column[1] = page_text(page, page->redacted ? NULL : place->file);
	column[2] = place->file && place->line > 0 && !page->redacted
	                    ? (uint32_t)place->line
	                    : 0;
	column[3] = page_text(page, place->module && !page->redacted
	                                    ? place->module->path
	                                    : NULL);
	column[4] = !!frame->inlined;
	return pool_put(&page->frames, column, sizeof(column));
}

static uint32_t stack_number(struct page *page,
                             const struct ledger_frame *frame, size_t count,
                             int cut)
{
	uint32_t *number, stack = PAGE_OTHERS;

	if (page->stacks.count >= STACKS_MOST ||
	    page->frames_used + count > FRAMES_MOST)
		return PAGE_OTHERS;
	number = calloc(count + 1, sizeof(*number));
	if (number) {
		size_t before = page->stacks.count;

		number[0] = !!cut;
		for (size_t i = 0; i < count; i++)
			number[i + 1] = page_frame(page, &frame[i]);
		stack = PAGE_STACKS + pool_put(&page->stacks, number,
		                               (count + 1) * sizeof(*number));
		if (page->stacks.count > before)
			page->frames_used += count;
	}
	page->failed |= !number;
	free(number);
	return stack;
}

/* Each stack of the run file is looked at once, for each site. */
uint32_t page_stack(struct page *page, const struct ledger_event *event)
{
	const struct ledger_frame *frame = NULL;
	uintptr_t key[2];
	size_t count, known = page->calls.count;
	uint32_t number;

	if (!event || event->event->call >= TRACE_FACT)
		return PAGE_NO_CALL;
	key[0] = (uintptr_t)event->stack;
	key[1] = event->event->site;
	number = pool_put(&page->calls, key, sizeof(key));
	if (page->calls.failed)
		return PAGE_OTHERS;
	if (number < known)
		return page->stack_of[number];
	if (number >= page->stacks_room) {
		size_t room = page->stacks_room ? 2 * page->stacks_room : 256;
		uint32_t *grown =
			realloc(page->stack_of, room * sizeof(*grown));

		page->failed |= !grown;
		if (!grown)
			return PAGE_OTHERS;
		page->stack_of = grown;
		page->stacks_room = room;
	}
	count = ledger_frames_of(page->names, event, &frame);
	page->stack_of[number] = stack_number(page, frame, count,
	                                      event->event->flags & TRACE_CUT);
	return page->stack_of[number];
}

/* ---- the writer ---------------------------------------------------------- */

static void key(struct page *page, const char *name)
{
	fprintf(page->out, ",\"%s\":", name);
}

static void text(struct page *page, const char *name, const char *value)
{
	key(page, name);
	if (value)
		report_json_string(page->out, value);
	else
		fputs("null", page->out);
}

static void number(struct page *page, const char *name, uint64_t value)
{
	fprintf(page->out, ",\"%s\":%" PRIu64, name, value);
}

static void flag(struct page *page, const char *name, int value)
{
	fprintf(page->out, ",\"%s\":%s", name, value ? "true" : "false");
}

/* ---- who ran ------------------------------------------------------------- */

static void write_head(struct page *page)
{
	const struct ledger_run *run = page->shown->run;
	const struct file_end *end = run->end;

	fputs("\"head\":{\"v\":1", page->out);
	text(page, "path", run->path);
	key(page, "args");
	putc('[', page->out);
	for (uint32_t i = 0; i < run->program->argc; i++) {
		if (i)
			putc(',', page->out);
		report_json_string(page->out, run->argv[i]);
	}
	putc(']', page->out);
	text(page, "linkage", report_linkage(page->shown));
	flag(page, "stripped", !!run->program->stripped);
	text(page, "go", run->go_version);
	text(page, "build", run->build_id);
	text(page, "host", run->host);
	number(page, "pid", run->program->pid);
	number(page, "started", run->program->started);
	number(page, "duration", page->shown->duration);
	number(page, "end", end ? end->kind : FILE_END_UNKNOWN);
	number(page, "status", end ? end->value : 0);
	flag(page, "complete", end && !run->torn);
	flag(page, "checked", page->shown->checked);
	flag(page, "redacted", page->redacted != NULL);
	putc('}', page->out);
}

struct words {
	struct page *page;
	int count;
};

static void write_sentence(void *context, const char *sentence)
{
	struct words *words = context;

	if (words->count++)
		putc(',', words->page->out);
	report_json_string(words->page->out, sentence);
}

static void write_totals(struct page *page)
{
	const struct ledger *ledger = page->shown;
	struct words words = { .page = page };

	key(page, "say");
	putc('[', page->out);
	explain_sentences(ledger, write_sentence, &words);
	putc(']', page->out);
	key(page, "totals");
	fprintf(page->out, "{\"vmSize\":%" PRIu64, ledger->vm_size);
	number(page, "target", ledger->target);
	number(page, "goload", ledger->goload);
	number(page, "unexplained", ledger->unexplained);
	number(page, "phantom", ledger->phantom);
	number(page, "reserved", ledger->reserved);
	number(page, "committed", ledger->committed);
	number(page, "resident", ledger->resident);
	number(page, "goloadResident", ledger->goload_resident);
	number(page, "peak", ledger->peak_vm_size);
	number(page, "mappings", ledger->mappings);
	putc('}', page->out);
	key(page, "events");
	fprintf(page->out, "{\"count\":%" PRIu64, ledger->events);
	number(page, "lost", ledger->lost);
	number(page, "net", ledger->net_hits);
	number(page, "ambiguous", ledger->ambiguous);
	number(page, "cut", ledger->truncated);
	number(page, "children", ledger->children);
	putc('}', page->out);
}

/* ---- rows ---------------------------------------------------------------- */

/* The first sites of a row: frame, bytes, at start. */
static void write_sites(struct page *page, const struct ledger_row *row)
{
	key(page, "sites");
	putc('[', page->out);
	for (size_t i = 0; i < row->site_count && i < SITES_MOST; i++) {
		const struct ledger_site *site = &row->site[i];
		const struct ledger_frame frame = {
			.place = site->place,
			.address = site->address,
		};

		fprintf(page->out, "%s[%" PRIu32 ",%" PRIu64 ",%d]",
		        i ? "," : "", page_frame(page, &frame), site->bytes,
		        site->at_start);
	}
	putc(']', page->out);
	number(page, "siteCount", row->site_count);
}

static void write_row(struct page *page, size_t i)
{
	const struct ledger_row *row = &page->shown->row[i];

	fputs(i ? ",{\"kind\":" : "{\"kind\":", page->out);
	report_json_string(page->out, row->kind);
	text(page, "owner", row->owner);
	number(page, "reserved", row->reserved);
	number(page, "committed", row->committed);
	number(page, "resident", row->resident);
	number(page, "anonymous", row->anonymous);
	number(page, "file", row->file);
	number(page, "shared", row->shared);
	number(page, "huge", row->huge);
	number(page, "returned", row->returned);
	number(page, "cameBack", row->came_back);
	number(page, "mappings", row->mappings);
	key(page, "at");
	putc('[', page->out);
	for (size_t m = 0; row->resident_at && m < page->ledger->moment_count;
	     m++)
		fprintf(page->out, m ? ",%" PRIu64 : "%" PRIu64,
		        row->resident_at[m]);
	putc(']', page->out);
	write_sites(page, row);
	putc('}', page->out);
}

static void write_rows(struct page *page)
{
	const struct ledger *ledger = page->shown;

	key(page, "rows");
	putc('[', page->out);
	for (size_t i = 0; i < ledger->row_count; i++)
		write_row(page, i);
	putc(']', page->out);
	key(page, "own");
	putc('[', page->out);
	for (size_t i = 0; i < ledger->own_count; i++) {
		fputs(i ? ",{\"kind\":" : "{\"kind\":", page->out);
		report_json_string(page->out, ledger->own[i].kind);
		number(page, "size", ledger->own[i].size);
		number(page, "resident", ledger->own[i].resident);
		putc('}', page->out);
	}
	putc(']', page->out);
	key(page, "ranges");
	putc('[', page->out);
	for (size_t i = 0; i < ledger->range_count; i++)
		fprintf(page->out, "%s[%" PRIu64 ",%" PRIu64 ",%d]",
		        i ? "," : "", ledger->range[i].start,
		        ledger->range[i].end, ledger->range[i].phantom);
	putc(']', page->out);
}

/* ---- curves -------------------------------------------------------------- */

static void write_curves(struct page *page)
{
	const struct ledger *ledger = page->ledger;
	const struct ledger_point *point = ledger->point;
	const struct ledger_memstats *stats = &ledger->memstats;

	key(page, "points");
	fputs("{\"v\":1", page->out);
	PAGE_COLUMN(page, "t", ledger->point_count, point[at].t);
	PAGE_COLUMN(page, "reserved", ledger->point_count, point[at].reserved);
	PAGE_COLUMN(page, "committed", ledger->point_count,
	            point[at].committed);
	PAGE_COLUMN(page, "resident", ledger->point_count, point[at].resident);
	putc('}', page->out);
	PAGE_COLUMN(page, "moments", ledger->moment_count, ledger->moment[at]);
	key(page, "memstats");
	if (!stats->last && !stats->reason) {
		fputs("null", page->out);
		return;
	}
	fputs("{\"v\":1", page->out);
	text(page, "reason", stats->reason);
	PAGE_COLUMN(page, "t", stats->count,
	            ledger_time(ledger->run, stats->at[at]->tsc));
	PAGE_COLUMN(page, "sys", stats->count, stats->at[at]->sys);
	PAGE_COLUMN(page, "heapSys", stats->count, stats->at[at]->heap_sys);
	PAGE_COLUMN(page, "heapInuse", stats->count, stats->at[at]->heap_inuse);
	PAGE_COLUMN(page, "heapReleased", stats->count,
	            stats->at[at]->heap_released);
	PAGE_COLUMN(page, "stackInuse", stats->count,
	            stats->at[at]->stack_inuse);
	putc('}', page->out);
}

/* ---- the pools ----------------------------------------------------------- */

static void write_numbers(struct page *page, const struct pool_item *item)
{
	const uint32_t *value = item->bytes;

	putc('[', page->out);
	for (size_t i = 0; i < item->size / sizeof(*value); i++)
		fprintf(page->out, i ? ",%" PRIu32 : "%" PRIu32, value[i]);
	putc(']', page->out);
}

static void write_pool(struct page *page, const char *name,
                       const struct pool *pool)
{
	key(page, name);
	putc('[', page->out);
	for (size_t i = 0; i < pool->count; i++) {
		if (i)
			putc(',', page->out);
		if (pool == &page->texts)
			report_json_string(page->out, pool->item[i].bytes);
		else
			write_numbers(page, &pool->item[i]);
	}
	putc(']', page->out);
	page->failed |= pool->failed;
}

void page_write(struct page *page)
{
	page->failed |= !page->names;
	if (page->failed)
		return;
	putc('{', page->out);
	write_head(page);
	write_totals(page);
	write_rows(page);
	write_curves(page);
	page_write_lives(page);
	write_pool(page, "texts", &page->texts);
	write_pool(page, "frames", &page->frames);
	write_pool(page, "stacks", &page->stacks);
	fputs("}\n", page->out);
}
