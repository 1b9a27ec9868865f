/* explore - the outcomes of failed calls, as a table and as a document. */
#include "observer/report/explore.h"

#include "observer/report/internal.h"

#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#define PLACE 56 /* columns */
#define KIND  20

static const struct {
	const char *name, *one, *many;
} outcomes[REPORT_OUTCOMES] = {
	[REPORT_SURVIVED] = { "survived", "survived", "survived" },
	[REPORT_CLEAN_ERROR] = { "clean error", "clean error", "clean errors" },
	[REPORT_CRASH] = { "crash", "crash", "crashes" },
	[REPORT_HANG] = { "hang", "hang", "hangs" },
	[REPORT_NOT_REACHED] = { "not reached", "not reached", "not reached" },
};

/* ---- which it is
 * -------------------------------------------------------------- */

/* What Go's runtime says when a signal or a panic has ended the program. */
static bool tells_of_crash(const char *output)
{
	static const char *const words[] = {
		"[signal SIG",
		"fatal error: unexpected signal",
		"fatal: ",
		"SIGABRT: abort",
		"SIGSEGV: segmentation violation",
		"SIGBUS: bus error",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(output, words[i]))
			return true;
	return strncmp(output, "panic: ", 7) == 0 ||
	       strstr(output, "\npanic: ") != NULL;
}

enum report_outcome report_outcome_of(const struct report_ending *ending)
{
	if (!ending->reached)
		return REPORT_NOT_REACHED;
	if (ending->hung)
		return REPORT_HANG;
	if (ending->as_ever)
		return REPORT_SURVIVED;
	if (WIFSIGNALED(ending->status) || tells_of_crash(ending->output))
		return REPORT_CRASH;
	return REPORT_CLEAN_ERROR;
}

/* ---- what it has said
 * ---------------------------------------------------------- */

static bool has_line(const char *text, const char *line, size_t size)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		if (length == size && memcmp(text, line, size) == 0)
			return true;
		text += length + (text[length] == '\n');
	}
	return false;
}

/* Does the runtime begin so what it dies of? */
static bool begins_end(const char *line)
{
	return strncmp(line, "fatal error: ", 13) == 0 ||
	       strncmp(line, "panic: ", 7) == 0 ||
	       strncmp(line, "fatal: ", 7) == 0;
}

bool report_telling_line(const char *output, const char *usual, char *line,
                         size_t room)
{
	const char *found = NULL;
	size_t found_size = 0;

	while (*output) {
		size_t size = strcspn(output, "\n");

		if (size && (begins_end(output) ||
		             (!found && !has_line(usual, output, size)))) {
			found = output;
			found_size = size;
		}
		if (size && begins_end(output))
			break;
		output += size + (output[size] == '\n');
	}
	if (!found)
		return false;
	snprintf(line, room, "%.*s", (int)found_size, found);
	return true;
}

/* ---- the table
 * ------------------------------------------------------------------ */

static void count_outcomes(const struct report_explored *explored,
                           size_t count[REPORT_OUTCOMES])
{
	memset(count, 0, REPORT_OUTCOMES * sizeof(*count));
	for (size_t i = 0; i < explored->tried; i++)
		count[explored->place[i].outcome]++;
}

static void print_sums(FILE *out, const struct report_explored *explored)
{
	size_t count[REPORT_OUTCOMES], left = explored->count - explored->tried;

	count_outcomes(explored, count);
	for (int i = 0; i < REPORT_OUTCOMES; i++)
		fprintf(out, "%s%zu %s", i ? ", " : "", count[i],
		        count[i] == 1 ? outcomes[i].one : outcomes[i].many);
	if (left)
		fprintf(out, "; %zu more places were not tried", left);
	putc('\n', out);
}

static void print_place(FILE *out, const struct report_place *place)
{
	char text[512];

	if (!place->function)
		snprintf(text, sizeof(text), "not known");
	else if (place->file && place->line > 0)
		snprintf(text, sizeof(text), "%s %s:%d", place->function,
		         units_base_name(place->file), place->line);
	else
		snprintf(text, sizeof(text), "%s", place->function);
	units_print(out, text);
	fprintf(out, "%*s",
	        strlen(text) < PLACE ? (int)(PLACE - strlen(text)) : 0, "");
}

static bool is_behind(const struct report_place *place)
{
	return place->behind && place->shown_by &&
	       place->outcome != REPORT_NOT_REACHED;
}

static void print_ending(FILE *out, const struct report_place *place)
{
	char text[UNITS_TEXT];

	if (place->outcome != REPORT_CLEAN_ERROR &&
	    place->outcome != REPORT_CRASH)
		return;
	fprintf(out, "%*s", SCREEN_INDENT + 13, "");
	if (WIFSIGNALED(place->status))
		fputs(units_signal(text, (uint64_t)WTERMSIG(place->status)),
		      out);
	else
		fprintf(out, "exit %d", WEXITSTATUS(place->status));
	if (place->said) {
		fputs(": ", out);
		units_print(out, place->said);
	}
	putc('\n', out);
}

static const char *const colours[REPORT_OUTCOMES] = {
	[REPORT_SURVIVED] = "32",   [REPORT_CLEAN_ERROR] = "0",
	[REPORT_CRASH] = "31",      [REPORT_HANG] = "31",
	[REPORT_NOT_REACHED] = "2",
};

static void print_row(const struct screen *screen,
                      const struct report_explored *explored,
                      const struct report_place *place)
{
	FILE *out = screen->out;

	fprintf(out, "%*s", SCREEN_INDENT, "");
	screen_colour(screen, colours[place->outcome]);
	fprintf(out, "%-12s", outcomes[place->outcome].name);
	screen_colour(screen, "0");
	fprintf(out, " %-10s ", place->call);
	print_place(out, place);
	fprintf(out, "  %-*s  %08" PRIx32, KIND,
	        place->kind ? place->kind : "-", place->id);
	if (is_behind(place))
		fprintf(out, " behind %08" PRIx32,
		        explored->place[place->shown_by - 1].id);
	putc('\n', out);
	print_ending(out, place);
}

void report_explored_text(FILE *out, const struct report_explored *explored,
                          const struct report_style *style)
{
	const struct screen screen = { .out = out, .style = style };

	screen_colour(&screen, "1");
	fputs("goload: ", out);
	units_print(out, explored->program);
	screen_colour(&screen, "0");
	fprintf(out,
	        ": %zu places that memory calls come from, the first call of each "
	        "made to fail with ENOMEM\n\n",
	        explored->count);
	fprintf(out, "%*s%-12s %-10s %-*s  %-*s  %s\n", SCREEN_INDENT, "",
	        "outcome", "call", PLACE, "place", KIND, "kind", "at");
	for (size_t i = 0; i < explored->tried; i++)
		print_row(&screen, explored, &explored->place[i]);
	fprintf(out, "\n%*s", SCREEN_INDENT, "");
	print_sums(out, explored);
}

/* ---- the document
 * ---------------------------------------------------------------- */

static void text_or_null(FILE *out, const char *name, const char *text)
{
	fprintf(out, ", \"%s\": ", name);
	if (text)
		report_json_string(out, text);
	else
		fputs("null", out);
}

static void write_place(FILE *out, const struct report_explored *explored,
                        const struct report_place *place)
{
	bool ended = place->outcome != REPORT_NOT_REACHED &&
	             place->outcome != REPORT_HANG;

	fprintf(out, "    {\"call\": \"%s\", \"at\": \"%08" PRIx32 "\"",
	        place->call, place->id);
	text_or_null(out, "kind", place->kind);
	text_or_null(out, "function", place->function);
	text_or_null(out, "file", place->file);
	if (place->line > 0)
		fprintf(out, ", \"line\": %d", place->line);
	else
		fputs(", \"line\": null", out);
	fprintf(out, ", \"calls\": %" PRIu64 ", \"behind\": ", place->calls);
	if (is_behind(place))
		fprintf(out, "\"%08" PRIx32 "\"",
		        explored->place[place->shown_by - 1].id);
	else
		fputs("null", out);
	fprintf(out, ", \"outcome\": \"%s\"", outcomes[place->outcome].name);
	if (ended && WIFEXITED(place->status))
		fprintf(out, ", \"status\": %d", WEXITSTATUS(place->status));
	else
		fputs(", \"status\": null", out);
	if (ended && WIFSIGNALED(place->status))
		fprintf(out, ", \"signal\": %d", WTERMSIG(place->status));
	else
		fputs(", \"signal\": null", out);
	text_or_null(out, "said", place->said);
	putc('}', out);
}

void report_explored_json(FILE *out, const struct report_explored *explored)
{
	size_t count[REPORT_OUTCOMES];

	count_outcomes(explored, count);
	fputs("{\n  \"schema\": \"goload/1\",\n  \"program\": ", out);
	report_json_string(out, explored->program);
	fprintf(out,
	        ",\n  \"count\": %zu,\n  \"tried\": %zu,\n  \"outcomes\": {",
	        explored->count, explored->tried);
	for (int i = 0; i < REPORT_OUTCOMES; i++)
		fprintf(out, "%s\"%s\": %zu", i ? ", " : "", outcomes[i].name,
		        count[i]);
	fputs("},\n  \"places\": [", out);
	for (size_t i = 0; i < explored->tried; i++) {
		fputs(i ? ",\n" : "\n", out);
		write_place(out, explored, &explored->place[i]);
	}
	fputs(explored->tried ? "\n  ]\n}\n" : "]\n}\n", out);
}
