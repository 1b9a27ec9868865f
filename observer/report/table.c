/*
 * The table: a row per kind, the totals, what is goload's own.
 */
#include "observer/report/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ALWAYS 14 /* rows that are shown however small */

#define NAMED  3  /* kinds that MemStats does not count */
#define WIDEST 26 /* columns of a kind */
#define TAIL   7  /* of them behind a cut: " text" tells most */

/* As wide as the longest kind, within reason. */
static int label_width(const struct ledger *ledger)
{
	int width = 16;

	for (size_t i = 0; i < ledger->row_count; i++) {
		int size = units_columns(ledger->row[i].kind);

		if (size > width)
			width = size;
	}
	return width > WIDEST ? WIDEST : width;
}

/* Behind that many columns of `text`. */
static const char *skip(const char *text, int columns)
{
	for (; *text && (columns > 0 || (*text & 0xc0) == 0x80); text++)
		columns -= (*text & 0xc0) != 0x80;
	return text;
}

/* A kind with a long name of a file in it is cut in its middle. */
static void print_label(const struct screen *screen, const char *label)
{
	int width = label_width(screen->ledger);
	int columns = units_columns(label);
	const char *cut = screen->style->ascii ? "..." : "…";
	int kept = width - TAIL - units_columns(cut);

	if (columns <= width) {
		units_print(screen->out, label);
		fprintf(screen->out, "%*s", width - columns, "");
		return;
	}
	fprintf(screen->out, "%.*s%s", (int)(skip(label, kept) - label), label,
	        cut);
	units_print(screen->out, skip(label, columns - TAIL));
}

static int is_runtime(const struct ledger_site *site)
{
	return site->place.function &&
	       strncmp(site->place.function, "runtime.", 8) == 0;
}

static void write_site(FILE *out, const struct ledger_row *row,
                       const struct ledger_site *site)
{
	const struct ledger_place *place = &site->place;
	int go = row_is_go(row) && is_runtime(site);

	if (go)
		fprintf(out, "Go runtime, %s",
		        site->at_start ? "at start" : place->function + 8);
	else if (place->function)
		fputs(place->function, out);
	else
		fprintf(out, "0x%" PRIx64, site->address);
	if (!go && place->file && place->line > 0)
		fprintf(out, " %s:%d", units_base_name(place->file),
		        place->line);
	if (row->site_count > 1 && !(go && site->at_start))
		fprintf(out, ", + %zu more", row->site_count - 1);
}

/* The program's own code says more than the runtime's, however few bytes. */
static const struct ledger_site *telling_site(const struct ledger_row *row)
{
	for (size_t i = 0; i < row->site_count; i++)
		if (!is_runtime(&row->site[i]))
			return &row->site[i];
	return &row->site[0];
}

/* "main.handle main.go:12, + 6 more"; the program's path for its segments */
static void write_claimer(FILE *out, const struct ledger *ledger,
                          const struct ledger_row *row)
{
	if (row->site_count > 0)
		write_site(out, row, telling_site(row));
	else if (strcmp(row->owner, "program") == 0)
		units_print(out, ledger->run->path);
	else
		fputs(row->owner, out);
}

void table_print_cut(FILE *out, const char *text, int room, int ascii)
{
	if (units_columns(text) <= room) {
		units_print(out, text);
		return;
	}
	room -= ascii ? 3 : 1;
	for (; *text && (room > 0 || (*text & 0xc0) == 0x80); text++) {
		putc((unsigned char)*text < 32 ? '?' : *text, out);
		if ((text[1] & 0xc0) != 0x80)
			room--;
	}
	fputs(ascii ? "..." : "…", out);
}

/* What stands behind the numbers. */
static void print_remark(const struct screen *screen, const char *text)
{
	int width = screen->style->width;
	int room = width - SCREEN_INDENT - label_width(screen->ledger) -
	           3 * report_cell_width(screen->style) - 4;

	fputs("   ", screen->out);
	table_print_cut(screen->out, text, width > 0 && room > 8 ? room : 4096,
	                screen->style->ascii);
}

static void print_claimer(const struct screen *screen,
                          const struct ledger_row *row)
{
	char *text = NULL;
	size_t size;
	FILE *words = open_memstream(&text, &size);

	if (!words)
		return;
	write_claimer(words, screen->ledger, row);
	if (fclose(words) == 0)
		print_remark(screen, text);
	free(text);
}

static void print_sizes(const struct screen *screen, const char *label,
                        const uint64_t sizes[3])
{
	char text[UNITS_TEXT];

	fprintf(screen->out, "%*s", SCREEN_INDENT, "");
	print_label(screen, label);
	for (int i = 0; i < 3; i++)
		fprintf(screen->out, "%*s", report_cell_width(screen->style),
		        report_cell(screen->style, text, sizes[i], 1));
}

static void print_row(const struct screen *screen, const struct ledger_row *row)
{
	const uint64_t sizes[3] = { row->reserved, row->committed,
		                    row->resident };

	print_sizes(screen, row->kind, sizes);
	print_claimer(screen, row);
	putc('\n', screen->out);
}

/* Less than half a percent, whichever way one looks at it. */
static int is_small(const struct ledger *ledger, const struct ledger_row *row)
{
	return row->reserved <= ledger->reserved / 200 &&
	       row->committed <= ledger->committed / 200 &&
	       row->resident <= ledger->resident / 200;
}

static void print_rows(const struct screen *screen)
{
	const struct ledger *ledger = screen->ledger;
	uint64_t rest[3] = { 0 };
	size_t folded = 0;
	char label[48];

	for (size_t i = 0; i < ledger->row_count; i++) {
		const struct ledger_row *row = &ledger->row[i];

		if (i < ALWAYS || !is_small(ledger, row)) {
			print_row(screen, row);
			continue;
		}
		rest[0] += row->reserved;
		rest[1] += row->committed;
		rest[2] += row->resident;
		folded++;
	}
	if (folded == 0)
		return;
	snprintf(label, sizeof(label), "other, %zu %s", folded,
	         folded == 1 ? "row" : "rows");
	print_sizes(screen, label, rest);
	putc('\n', screen->out);
}

static void print_own(const struct screen *screen)
{
	const struct ledger *ledger = screen->ledger;
	const uint64_t sizes[3] = { 0, ledger->goload,
		                    ledger->goload_resident };
	char *text = NULL;
	size_t size;
	FILE *words = open_memstream(&text, &size);

	if (!words)
		return;
	for (size_t i = 0; i < ledger->own_count; i++)
		fprintf(words, "%s%s", i ? ", " : "", ledger->own[i].kind);
	if (fclose(words) == 0) {
		print_sizes(screen, "goload itself", sizes);
		print_remark(screen, text);
		putc('\n', screen->out);
	}
	free(text);
}

/* What the Go runtime itself would say, and what it leaves out. */
static void print_memstats(const struct screen *screen)
{
	const struct ledger *ledger = screen->ledger;
	const struct ledger_row *row = NULL;
	char *text = NULL;
	size_t size;
	FILE *words;

	if (!ledger->memstats.last)
		return;
	words = open_memstream(&text, &size);
	if (!words)
		return;
	fputs("does not count", words);
	for (int i = 0; (row = part_next(ledger, part_uncounted, row)); i++) {
		fprintf(words, "%s %s", i ? "," : "",
		        i < NAMED ? row->kind : "...");
		if (i == NAMED)
			break;
	}
	if (fclose(words) == 0) {
		print_sizes(screen, "MemStats.Sys",
		            (const uint64_t[3]){ 0, ledger->memstats.last->sys,
		                                 0 });
		print_remark(screen, text);
		putc('\n', screen->out);
	}
	free(text);
}

static void print_unexplained(const struct screen *screen)
{
	const struct ledger *ledger = screen->ledger;
	char text[UNITS_TEXT];

	fprintf(screen->out, "%*sunexplained   ", SCREEN_INDENT, "");
	if (ledger->unexplained)
		screen_colour(screen, "1;31");
	fputs(ledger->checked
	              ? report_cell(screen->style, text, ledger->unexplained, 0)
	              : "not checked",
	      screen->out);
	if (ledger->unexplained)
		screen_colour(screen, "0");
	fputs("\n\n", screen->out);
}

void table_print(const struct screen *screen)
{
	const struct ledger *ledger = screen->ledger;
	const uint64_t total[3] = { ledger->reserved, ledger->committed,
		                    ledger->resident };
	int number = report_cell_width(screen->style);

	screen_colour(screen, "2");
	fprintf(screen->out, "%*s%*s%*s%*s   claimed by\n",
	        SCREEN_INDENT + label_width(screen->ledger), "", number,
	        "reserved", number, "committed", number, "resident");
	screen_colour(screen, "0");
	print_rows(screen);
	screen_colour(screen, "1");
	print_sizes(screen, "total", total);
	screen_colour(screen, "0");
	putc('\n', screen->out);
	print_own(screen);
	print_memstats(screen);
	print_unexplained(screen);
}
