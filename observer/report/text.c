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
		{ ledger->children, "child processes not observed" },
	};
	char text[UNITS_TEXT];

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		if (odd[i].count > 0)
			fprintf(out, ", %s %s", units_count(text, odd[i].count),
			        odd[i].words);
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
	fputs("\n\n", out);
}

/* ---- the explanation ---------------------------------------------------- */

static int is_at_start(const struct ledger_row *row)
{
	return row->site_count > 0 && row->site[0].at_start;
}

/* ", of which the Go runtime ..." for whom most of the reservation is. */
static const char *who_reserves(const struct ledger *ledger)
{
	uint64_t go = 0, at_start = 0;
	uint64_t most = ledger->reserved - ledger->reserved / 10;

	for (size_t i = 0; i < ledger->row_count; i++) {
		const struct ledger_row *row = &ledger->row[i];

		if (!row_is_go(row))
			continue;
		go += row->reserved;
		if (is_at_start(row))
			at_start += row->reserved;
	}
	if (at_start >= most)
		return "that the Go runtime claims at start and never touches";
	if (go >= most)
		return "that the Go runtime claims and does not touch";
	return "that is only claimed: nothing may touch it";
}

static void explain_sizes(FILE *out, const struct ledger *ledger)
{
	char text[UNITS_TEXT];

	fprintf(out, "%s %s. ",
	        ledger->checked ? "VmSize is" : "By its calls VmSize was",
	        report_size(text, ledger->vm_size, 0));
	if (ledger->reserved)
		fprintf(out, "%s is address space %s; ",
		        report_size(text, ledger->reserved, 0),
		        who_reserves(ledger));
	fprintf(out, "%s is usable memory",
	        report_size(text, ledger->committed, 0));
	if (ledger->run->resident_count > 0)
		fprintf(out, "; %s is in RAM",
		        report_size(text, ledger->resident, 0));
	fputs(". ", out);
	if (ledger->peak_vm_size > ledger->vm_size)
		fprintf(out, "At its peak VmSize was %s. ",
		        report_size(text, ledger->peak_vm_size, 0));
}

/* All of one thing, of which the reader wants the number. */
struct sum {
	const char *one, *many;
	uint64_t count, bytes;
};

static void add_row(struct sum *sum, const struct ledger_row *row)
{
	sum->count += row->makes;
	sum->bytes += row->reserved + row->committed;
}

/* A library is two rows: its text and its data. */
static void add_library(struct sum *sum, const struct ledger_row *row)
{
	const char *part = strrchr(row->kind, ' ');

	if (!part || (strcmp(row->owner, "libc") != 0 &&
	              strcmp(row->owner, "library") != 0))
		return;
	if (strcmp(part, " text") != 0 && strcmp(part, " data") != 0)
		return;
	sum->count += strcmp(part, " text") == 0;
	sum->bytes += row->reserved + row->committed;
}

static void explain_sum(FILE *out, const struct sum *sum, int *before)
{
	char bytes[UNITS_TEXT], count[UNITS_TEXT];

	if (sum->count == 0)
		return;
	fprintf(out, "%s%s is %s %s", *before ? ", " : "",
	        report_size(bytes, sum->bytes, 0),
	        units_count(count, sum->count),
	        sum->count == 1 ? sum->one : sum->many);
	*before = 1;
}

/* What linking with libc adds: "256.0 MiB is 4 malloc arenas, 32.0 MiB ..." */
static void explain_libc(FILE *out, const struct ledger *ledger)
{
	struct sum sums[] = {
		{ .one = "malloc arena", .many = "malloc arenas" },
		{ .one = "thread stack", .many = "thread stacks" },
		{ .one = "shared library", .many = "shared libraries" },
	};
	int before = 0;

	for (size_t i = 0; i < ledger->row_count; i++) {
		const struct ledger_row *row = &ledger->row[i];

		for (int j = 0; j < 2; j++)
			if (strcmp(row->kind, sums[j].one) == 0)
				add_row(&sums[j], row);
		add_library(&sums[2], row);
	}
	for (size_t i = 0; i < sizeof(sums) / sizeof(*sums); i++)
		explain_sum(out, &sums[i], &before);
	fputs(before ? ". " : "", out);
}

static void explain_check(FILE *out, const struct ledger *ledger)
{
	char text[UNITS_TEXT];

	if (!ledger->checked)
		fputs("There was no last look at the kernel's map: nothing "
		      "could be checked.",
		      out);
	else if (ledger->unexplained)
		fprintf(out, "%s is unexplained%s",
		        report_size(text, ledger->unexplained, 0),
		        ledger->phantom ? "," : ":");
	else
		fputs("Nothing is unexplained.", out);
	if (ledger->phantom)
		fprintf(out, " %s%s should be there and is not:",
		        ledger->unexplained ? "and " : "",
		        report_size(text, ledger->phantom, 0));
	if (ledger->run->torn || !ledger->run->end)
		fputs(" The run was cut short: what is shown is up to there.",
		      out);
}

static void print_ranges(FILE *out, const struct ledger *ledger)
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
		        report_size(text, range->end - range->start, 0),
		        range->phantom ? ", not in the kernel's map" : "");
	}
}

static void print_explanation(const struct screen *screen)
{
	int width = screen->style->width;
	char *text = NULL;
	size_t size;
	FILE *words = open_memstream(&text, &size);

	if (!words)
		return;
	explain_sizes(words, screen->ledger);
	explain_libc(words, screen->ledger);
	explain_check(words, screen->ledger);
	if (fclose(words) == 0)
		units_wrap(screen->out, text, SCREEN_INDENT,
		           width > 0 && width < WIDTH ? width : WIDTH);
	free(text);
	print_ranges(screen->out, screen->ledger);
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
	chart_print(out, ledger, style, SCREEN_INDENT);
}
