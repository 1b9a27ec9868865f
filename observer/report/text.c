/*
 * The ledger on one screen: what ran, what it comes to in words, the table,
 * whose calls went unpatched, and how it came about over time.
 */
#include "observer/report/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RANGES 12 /* unexplained ranges that are listed */
#define WIDTH  92 /* of the sentences where the terminal is wider */

void screen_colour(const struct screen *screen, const char *code)
{
	if (screen->style->colour)
		fprintf(screen->out, "\033[%sm", code);
}

/* ---- the headline ------------------------------------------------------- */

static void print_nature(FILE *out, const struct ledger *ledger)
{
	const struct ledger_run *run = ledger->run;

	if (run->go_version) {
		units_print(out, run->go_version);
		fputs(", ", out);
	}
	fputs(report_linkage(ledger), out);
	if (run->program->stripped)
		fputs(", stripped", out);
}

static void print_end(FILE *out, const struct file_end *end)
{
	char text[UNITS_TEXT];

	switch (end ? end->kind : (uint64_t)FILE_END_UNKNOWN) {
	case FILE_END_EXITED:
		fprintf(out, "exit %" PRIu64, end->value);
		break;
	case FILE_END_SIGNALED:
		fputs(units_signal(text, end->value), out);
		break;
	case FILE_END_EXECED:
		fputs("execve", out);
		break;
	default:
		fputs("killed, or cut short", out);
	}
}

/* What only now and then is worth a word. */
static void print_oddities(FILE *out, const struct ledger *ledger)
{
	const struct {
		uint64_t count;
		const char *words;
	} odd[] = {
		{ ledger->net_hits, "by the net" },
		{ ledger->ambiguous, "ambiguous" },
		{ ledger->truncated, "with a cut stack" },
		{ ledger->children, "processes not observed" },
	};
	char text[UNITS_TEXT];

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		if (odd[i].count > 0)
			fprintf(out, ", %s %s", units_count(text, odd[i].count),
			        odd[i].words);
}

static void print_parent(FILE *out, const struct ledger_run *run)
{
	if (!run->parent)
		return;
	fprintf(out, "; followed from process %" PRIu64, run->parent->pid);
	if (run->parent_run) {
		fputs(" (", out);
		units_print(out, run->parent_run);
		fputs(")", out);
	}
}

static void print_headline(const struct screen *screen)
{
	const struct ledger *ledger = screen->ledger;
	char text[UNITS_TEXT];
	FILE *out = screen->out;

	screen_colour(screen, "1");
	fputs("goload: ", out);
	units_print(out, ledger->run->path);
	screen_colour(screen, "0");
	fputs(": ", out);
	print_nature(out, ledger);
	fprintf(out, "; %s, ", units_time(text, ledger->duration));
	print_end(out, ledger->run->end);
	fprintf(out, "; %s memory syscalls, ",
	        units_count(text, ledger->events));
	if (ledger->lost)
		screen_colour(screen, "31");
	fprintf(out, "%s lost", units_count(text, ledger->lost));
	if (ledger->lost)
		screen_colour(screen, "0");
	print_oddities(out, ledger);
	print_parent(out, ledger->run);
	fputs("\n\n", out);
}

/* ---- the explanation ---------------------------------------------------- */

static void print_ranges(FILE *out, const struct ledger *ledger,
                         const struct report_style *style)
{
	char text[UNITS_TEXT];

	for (size_t i = 0; i < ledger->range_count; i++) {
		const struct ledger_range *range = &ledger->range[i];

		if (i == RANGES) {
			fprintf(out, "    and %zu more\n",
			        ledger->range_count - i);
			break;
		}
		fprintf(out, "    %012" PRIx64 "-%012" PRIx64 "  %s%s\n",
		        range->start, range->end,
		        report_cell(style, text, range->end - range->start, 0),
		        range->phantom ? ", not in the kernel's map" : "");
	}
}

static void write_sentence(void *words, const char *sentence)
{
	fprintf(words, "%s ", sentence);
}

static void print_explanation(const struct screen *screen)
{
	int width = screen->style->width;
	char *text = NULL;
	size_t size;
	FILE *words = open_memstream(&text, &size);

	if (!words)
		return;
	explain_sentences(screen->ledger, write_sentence, words);
	if (fclose(words) == 0)
		units_wrap(screen->out, text, SCREEN_INDENT,
		           width > 0 && width < WIDTH ? width : WIDTH);
	free(text);
	print_ranges(screen->out, screen->ledger, screen->style);
	putc('\n', screen->out);
}

void report_text(FILE *out, const struct ledger *ledger,
                 const struct report_style *style)
{
	const struct screen screen = {
		.out = out,
		.ledger = ledger,
		.style = style,
	};

	print_headline(&screen);
	print_explanation(&screen);
	table_print(&screen);
	net_print(&screen);
	report_injected(out, ledger, style);
	chart_print(out, ledger, style, SCREEN_INDENT);
}
