/* explore - the outcomes of failed calls, as a table and as a document. */
#include "observer/report/explore.h"

#include "observer/report/internal.h"

#include <inttypes.h>
#include <stdlib.h>
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

static bool begins(const char *line, const char *words)
{
	return strncmp(line, words, strlen(words)) == 0;
}

/* What Go's runtime says when a signal, a panic or a fault of its own has ended
 * the program. */
static bool begins_crash(const char *line)
{
	static const char *const words[] = {
		"[signal SIG",
		"panic: ",
		"fatal error: unexpected signal",
		"fatal: morestack on ",
		"fatal: bad g",
		"fatal: systemstack called",
		"SIGABRT: abort",
		"SIGSEGV: segmentation violation",
		"SIGBUS: bus error",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (begins(line, words[i]))
			return true;
	return false;
}

/* Within a line others may have such words. */
static bool tells_of_crash(const char *output)
{
	while (*output) {
		if (begins_crash(output))
			return true;
		output += strcspn(output, "\n");
		output += *output == '\n';
	}
	return false;
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

struct line {
	const char *at; /* NULL: there is none */
	size_t size;
};

static struct line line_at(const char *text)
{
	return (struct line){ text, strcspn(text, "\n") };
}

static const char *behind(struct line line)
{
	return line.at + line.size + (line.at[line.size] == '\n');
}

static int by_text(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int order = memcmp(x->at, y->at, x->size < y->size ? x->size : y->size);

	return order ? order : (x->size > y->size) - (x->size < y->size);
}

/* In order, so that one is found quickly; NULL: there is no memory for them. */
static struct line *lines_of(const char *text, size_t *count)
{
	struct line *lines;

	*count = 1;
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		++*count;
	lines = calloc(*count, sizeof(*lines));
	if (!lines)
		return NULL;
	for (size_t i = 0; i < *count; text = behind(lines[i++]))
		lines[i] = line_at(text);
	qsort(lines, *count, sizeof(*lines), by_text);
	return lines;
}

/* Does the runtime begin so what it dies of?  Others do, too. */
static bool begins_end(const char *line)
{
	return begins(line, "fatal error: ") || begins(line, "panic: ") ||
	       begins(line, "fatal: ");
}

static struct line telling_line(const char *output, const struct line *usual,
                                size_t count)
{
	struct line found = { 0 };

	for (struct line line; *output; output = behind(line)) {
		line = line_at(output);
		if (begins_end(output))
			return line;
		if (!found.at && line.size &&
		    !bsearch(&line, usual, count, sizeof(line), by_text))
			found = line;
	}
	return found;
}

bool report_telling_line(const char *output, const char *usual, char *line,
                         size_t room)
{
	size_t count;
	struct line *lines = lines_of(usual, &count), found = { 0 };

	if (lines)
		found = telling_line(output, lines, count);
	free(lines);
	if (found.at)
		snprintf(line, room, "%.*s", (int)found.size, found.at);
	return found.at;
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

static void write_place(FILE *out, const struct report_explored *explored,
                        const struct report_place *place)
{
	bool ended = place->outcome != REPORT_NOT_REACHED &&
	             place->outcome != REPORT_HANG;

	fprintf(out, "    {\"call\": \"%s\", \"at\": \"%08" PRIx32 "\"",
	        place->call, place->id);
	fputs(", ", out);
	report_json_text(out, "kind", place->kind);
	fputs(", ", out);
	report_json_text(out, "function", place->function);
	fputs(", ", out);
	report_json_text(out, "file", place->file);
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
	fputs(", ", out);
	report_json_text(out, "said", place->said);
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
