/*
 * The smallest limits under which a program runs, and what breaks below them.
 */
#include "observer/report/floor.h"

#include "observer/report/internal.h"

#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#define LABEL 15 /* columns */

static const struct {
	const char *label, *key, *breaks; /* in the text; in the JSON */
	const char *set;                  /* how a user sets it */
	uint64_t unit;                    /* in so many bytes */
} limits[FLOORS] = {
	[FLOOR_ADDRESS_SPACE] = { "address space", "address_space", "breaks",
	                          "ulimit -v", 1024 },
	[FLOOR_DATA] = { "data", "data", "breaks_data", "ulimit -d", 1024 },
	[FLOOR_CGROUP] = { "cgroup memory", "cgroup_memory", "breaks_cgroup",
	                   "memory.max", 1 },
};

/* ---- text ---------------------------------------------------------------- */

static void print_headline(const struct screen *screen,
                           const struct report_floor *floor)
{
	const struct ledger *ledger = floor->ledger;
	char step[UNITS_TEXT];

	fputs("goload: ", screen->out);
	screen_colour(screen, "1");
	units_print(screen->out, ledger->run->path);
	screen_colour(screen, "0");
	fputs(": ", screen->out);
	if (ledger->run->go_version) {
		units_print(screen->out, ledger->run->go_version);
		fputs(", ", screen->out);
	}
	fprintf(screen->out,
	        "%s; the smallest limits under which it runs, to %s\n\n",
	        report_linkage(ledger), report_size(step, floor->step, 0));
}

static void next_line(FILE *out)
{
	fprintf(out, "\n%*s", SCREEN_INDENT + LABEL, "");
}

/* "heap index, mmap of 32.0 MiB" */
static void print_what(FILE *out, const struct report_break *breaks)
{
	char size[UNITS_TEXT];

	units_print(out, breaks->kind);
	fprintf(out, ", %s%s%s", breaks->call, *breaks->call ? " of " : "",
	        report_size(size, breaks->bytes, 0));
	if (breaks->how == BREAK_RESIDENT)
		fputs(" resident", out);
}

static void print_place(FILE *out, const struct ledger_place *place)
{
	units_print(out, place->function);
	if (!place->file)
		return;
	fputs(", ", out);
	units_print(out, units_base_name(place->file));
	if (place->line > 0)
		fprintf(out, ":%d", place->line);
}

static void print_end(FILE *out, const struct report_break *breaks)
{
	char text[UNITS_TEXT];

	if (breaks->hung)
		fputs("it hangs", out);
	else if (WIFSIGNALED(breaks->status))
		fputs(units_signal(text, (uint64_t)WTERMSIG(breaks->status)),
		      out);
	else
		fprintf(out, "exit %d", WEXITSTATUS(breaks->status));
	if (!breaks->said)
		return;
	fputs(": ", out);
	units_print(out, breaks->said);
}

static void print_break(FILE *out, const struct report_break *breaks)
{
	static const char *const intro[] = {
		[BREAK_FAILED] = "below, this fails: ",
		[BREAK_REPLAYED] = "below, this does not fit: ",
		[BREAK_RESIDENT] = "most of it: ",
	};

	next_line(out);
	if (breaks->kind) {
		fputs(intro[breaks->how], out);
		print_what(out, breaks);
	} else {
		fputs("below, no call of its own was seen to fail", out);
	}
	if (breaks->place.function) {
		next_line(out);
		print_place(out, &breaks->place);
	}
	next_line(out);
	print_end(out, breaks);
}

static void print_doubt(FILE *out, const struct report_floor_limit *limit)
{
	char size[UNITS_TEXT];

	if (limit->below_passed) {
		next_line(out);
		fprintf(out, "below it not every run fails: %d of %d passed",
		        limit->below_passed, limit->runs);
	}
	if (limit->again) {
		next_line(out);
		fprintf(out,
		        "it passes under %s, too, but not under all between",
		        report_size(size, limit->again, 0));
	}
}

static void print_limit(const struct screen *screen,
                        const struct report_floor *floor, int which)
{
	const struct report_floor_limit *limit = &floor->limit[which];
	FILE *out = screen->out;
	char size[UNITS_TEXT];

	fprintf(out, "%*s%-*s", SCREEN_INDENT, "", LABEL, limits[which].label);
	if (!limit->bytes) {
		fprintf(out, "not known: ");
		units_print(out, limit->reason);
		putc('\n', out);
		return;
	}
	screen_colour(screen, "1");
	fputs(report_cell(screen->style, size, limit->bytes, 0), out);
	screen_colour(screen, "0");
	fprintf(out, "   %s %" PRIu64, limits[which].set,
	        limit->bytes / limits[which].unit);
	if (limit->bytes > floor->step)
		print_break(out, &limit->breaks);
	print_doubt(out, limit);
	putc('\n', out);
}

void report_floor_text(FILE *out, const struct report_floor *floor,
                       const struct report_style *style)
{
	const struct screen screen = { out, floor->ledger, style };

	print_headline(&screen, floor);
	for (int i = 0; i < FLOORS; i++)
		print_limit(&screen, floor, i);
}

/* ---- JSON ---------------------------------------------------------------- */

static void write_end(FILE *out, const struct report_break *breaks)
{
	fputs("\"exit\": ", out);
	if (breaks->hung)
		fputs("null", out);
	else if (WIFSIGNALED(breaks->status))
		fprintf(out, "{\"status\": null, \"signal\": %d}",
		        WTERMSIG(breaks->status));
	else
		fprintf(out, "{\"status\": %d, \"signal\": null}",
		        WEXITSTATUS(breaks->status));
}

static void write_break(FILE *out, const struct report_break *breaks)
{
	static const char *const how[] = {
		[BREAK_FAILED] = "failed",
		[BREAK_REPLAYED] = "replayed",
		[BREAK_RESIDENT] = "resident",
	};
	const struct ledger_place *place = &breaks->place;
	const struct {
		const char *name, *text;
	} texts[] = {
		{ "kind", breaks->kind },
		{ "owner", breaks->owner },
		{ "call", *breaks->call ? breaks->call : NULL },
		{ "function", place->function },
		{ "file", place->file },
	};

	putc('{', out);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		report_json_text(out, texts[i].name, texts[i].text);
		fputs(", ", out);
	}
	fprintf(out, "\"line\": %d, \"bytes\": %" PRIu64 ", ", place->line,
	        breaks->bytes);
	report_json_text(out, "how", breaks->kind ? how[breaks->how] : NULL);
	fputs(", ", out);
	write_end(out, breaks);
	fputs(", ", out);
	report_json_text(out, "said", breaks->said);
	putc('}', out);
}

static void write_limit(FILE *out, const struct report_floor *floor, int which)
{
	const struct report_floor_limit *limit = &floor->limit[which];

	fprintf(out, ",\n  \"%s\": ", limits[which].key);
	if (limit->bytes)
		fprintf(out, "%" PRIu64, limit->bytes);
	else
		fputs("null", out);
	fprintf(out, ",\n  \"%s\": ", limits[which].breaks);
	if (limit->bytes > floor->step)
		write_break(out, &limit->breaks);
	else
		fputs("null", out);
}

/* Why a limit is not known, and what passed sometimes. */
static void write_doubts(FILE *out, const struct report_floor *floor)
{
	const char *before = "";

	fputs(",\n  \"doubts\": [", out);
	for (int i = 0; i < FLOORS; i++) {
		const struct report_floor_limit *limit = &floor->limit[i];

		if (!limit->reason && !limit->below_passed && !limit->again)
			continue;
		fprintf(out, "%s\n    {\"limit\": \"%s\", ", before,
		        limits[i].key);
		report_json_text(out, "reason", limit->reason);
		fprintf(out,
		        ", \"runs\": %d, \"below_passed\": %d, "
		        "\"passes_again\": %" PRIu64 "}",
		        limit->runs, limit->below_passed, limit->again);
		before = ",";
	}
	fputs(*before ? "\n  ]" : "]", out);
}

void report_floor_json(FILE *out, const struct report_floor *floor)
{
	const struct ledger_run *run = floor->ledger->run;

	fputs("{\n  \"schema\": \"goload/1\",\n  \"program\": {", out);
	report_json_text(out, "path", run->path);
	fputs(", ", out);
	report_json_text(out, "linkage", report_linkage(floor->ledger));
	fputs(", ", out);
	report_json_text(out, "go_version", run->go_version);
	fputs(", ", out);
	report_json_text(out, "build_id", run->build_id);
	fprintf(out, "},\n  \"step\": %" PRIu64 ",\n  \"runs\": %d",
	        floor->step, floor->runs);
	for (int i = 0; i < FLOORS; i++)
		write_limit(out, floor, i);
	write_doubts(out, floor);
	fputs("\n}\n", out);
}
