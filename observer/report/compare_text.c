/*
 * The screen: the programs, the differences in sentences, the table of the two
 * runs that are shown, and what varies between all runs.
 */
#include "observer/report/compare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ALWAYS 14 /* rows that are shown however small their difference */
#define WIDTH  92 /* of sentences where the terminal is wider */

#define TERMS_AT 13 /* where sums stand, behind the name of their total */

struct view {
	const struct screen *screen;
	const struct report_compare *compare;
	const struct pairs *pairs;
	int width; /* of labels */
};

/* ---- sentences ----------------------------------------------------------- */

static int wrap_width(const struct screen *screen)
{
	int width = screen->style->width;

	return width > 0 && width < WIDTH ? width : WIDTH;
}

static void wrap(const struct screen *screen, const char *text)
{
	units_wrap(screen->out, text, SCREEN_INDENT, wrap_width(screen));
}

static void print_sentence(const struct view *view,
                           void (*write)(FILE *out, const struct view *view))
{
	char *text = NULL;
	size_t size;
	FILE *words = open_memstream(&text, &size);

	if (!words)
		return;
	write(words, view);
	if (fclose(words) == 0 && *text)
		wrap(view->screen, text);
	free(text);
}

static void write_headline(FILE *out, const struct view *view)
{
	words_headline(out, view->compare, view->pairs);
	putc(' ', out);
	words_range(out, view->compare);
}

static void write_spread(FILE *out, const struct view *view)
{
	words_spread(out, view->compare);
}

/* Up to the next sign: a sum is broken in front of one only. */
static int term_size(const char *text)
{
	int size = 0, depth = 0;

	for (; text[size]; size++) {
		depth += (text[size] == '(') - (text[size] == ')');
		if (depth == 0 && (strncmp(text + size, " + ", 3) == 0 ||
		                   strncmp(text + size, " - ", 3) == 0))
			break;
	}
	return size;
}

/* "VmSize     +4 KiB: text 4", further lines behind the name, too. */
static void print_terms(const struct view *view, enum metric metric)
{
	FILE *out = view->screen->out;
	int width = wrap_width(view->screen), column = TERMS_AT;
	char *terms = words_terms(view->pairs, metric);

	fprintf(out, "%*s%-*s", SCREEN_INDENT, "", TERMS_AT - SCREEN_INDENT,
	        metric_name(metric));
	for (char *at = terms; at && *at; at += strspn(at, " ")) {
		int size = term_size(at);

		if (at > terms && column + 1 + size > width) {
			fprintf(out, "\n%*s", TERMS_AT, "");
			column = TERMS_AT;
		} else if (at > terms) {
			column += fprintf(out, " ");
		}
		column += fprintf(out, "%.*s", size, at);
		at += size;
	}
	putc('\n', out);
	free(terms);
}

static void print_go(void *context, const char *sentence)
{
	const struct view *view = context;

	wrap(view->screen, sentence);
}

/* ---- the programs -------------------------------------------------------- */

static void print_programs(const struct view *view)
{
	const struct screen *screen = view->screen;
	const struct side *side = view->compare->side;
	int a = units_columns(side[A].path), b = units_columns(side[B].path);

	for (int i = A; i < SIDES; i++) {
		fprintf(screen->out, i ? "        %c " : "goload: %c ",
		        'A' + i);
		screen_colour(screen, "1");
		units_print(screen->out, side[i].path);
		screen_colour(screen, "0");
		fprintf(screen->out, "%*s",
		        (a > b ? a : b) + 3 - units_columns(side[i].path), "");
		words_nature(screen->out, &side[i], "");
		if (i == B && view->compare->what_if) {
			fputs(", with ", screen->out);
			units_print(screen->out, view->compare->what_if);
		}
		putc('\n', screen->out);
	}
	if (compare_turns(view->compare) > 1) {
		fputs("        ", screen->out);
		words_runs(screen->out, view->compare);
		putc('\n', screen->out);
	}
	putc('\n', screen->out);
}

/* ---- the table ----------------------------------------------------------- */

/* As wide as the longest kind, for kinds hold the names of files. */
static int label_width(const struct pairs *pairs)
{
	int width = 22; /* "no difference, 99 rows" */

	for (size_t i = 0; i < pairs->count; i++) {
		int columns = units_columns(pairs->pair[i].key->kind);

		if (columns > width)
			width = columns;
	}
	return width;
}

static int number_width(const struct screen *screen)
{
	return report_cell_width(screen->style) + 2; /* a sign, too */
}

static void print_label(const struct view *view, const char *label)
{
	fprintf(view->screen->out, "%*s", SCREEN_INDENT, "");
	units_print(view->screen->out, label);
	fprintf(view->screen->out, "%*s", view->width - units_columns(label),
	        "");
}

static void print_size(const struct view *view, uint64_t bytes)
{
	char text[UNITS_TEXT];

	fprintf(view->screen->out, "%*s", number_width(view->screen),
	        report_cell(view->screen->style, text, bytes, 1));
}

static void print_values(const struct view *view, const char *label, uint64_t a,
                         uint64_t b)
{
	char text[SIGNED_TEXT];

	print_label(view, label);
	print_size(view, a);
	print_size(view, b);
	fprintf(view->screen->out, "%*s", number_width(view->screen),
	        signed_size(view->screen->style, text, (int64_t)(b - a)));
}

/* What stands behind the numbers; never longer than the line. */
static void print_remark(const struct view *view, const struct pair *pair)
{
	const struct screen *screen = view->screen;
	int room = screen->style->width - SCREEN_INDENT - view->width -
	           3 * number_width(screen) - 4;
	char text[PAIR_WHY], *remark = NULL;
	const char *reason = pair_why(pair, text);

	if (asprintf(&remark, "%s%s%s", pair->key->owner, reason ? ", " : "",
	             reason ? reason : "") < 0)
		return;
	fputs("   ", screen->out);
	table_print_cut(screen->out, remark,
	                screen->style->width > 0 && room > 8 ? room : 4096,
	                screen->style->ascii);
	free(remark);
}

static void print_pair(const struct view *view, const struct pair *pair)
{
	int wrong = pair->key->last == 2;

	if (wrong)
		screen_colour(view->screen, "1;31");
	print_values(view, pair->key->kind, pair_bytes(pair, A, VM_SIZE),
	             pair_bytes(pair, B, VM_SIZE));
	if (wrong)
		screen_colour(view->screen, "0");
	if (!pair->key->last)
		print_remark(view, pair);
	putc('\n', view->screen->out);
}

struct folded {
	uint64_t bytes[SIDES];
	size_t count;
};

static void fold(struct folded *folded, const struct pair *pair)
{
	folded->bytes[A] += pair_bytes(pair, A, VM_SIZE);
	folded->bytes[B] += pair_bytes(pair, B, VM_SIZE);
	folded->count++;
}

static void print_folded(const struct view *view, const char *what,
                         const struct folded *folded)
{
	char label[64];

	if (folded->count == 0)
		return;
	snprintf(label, sizeof(label), "%s, %zu row%s", what, folded->count,
	         folded->count == 1 ? "" : "s");
	print_values(view, label, folded->bytes[A], folded->bytes[B]);
	putc('\n', view->screen->out);
}

/* Rows without a difference are one line, and so are the least of many; what
 * there was at the peak alone is no row here. */
static void print_pairs(const struct view *view)
{
	const struct pairs *pairs = view->pairs;
	struct folded small = { .count = 0 }, same = { .count = 0 };
	uint64_t most = pair_distance(&pairs->pair[0]);
	size_t i = 0;

	for (; i < pairs->count && !pairs->pair[i].key->last; i++) {
		const struct pair *pair = &pairs->pair[i];

		if (pair_distance(pair) == 0) {
			if (pair_bytes(pair, A, VM_SIZE))
				fold(&same, pair);
		} else if (i >= ALWAYS && pair_distance(pair) <= most / 200) {
			fold(&small, pair);
		} else {
			print_pair(view, pair);
		}
	}
	print_folded(view, "other", &small);
	print_folded(view, "no difference", &same);
	for (; i < pairs->count; i++)
		print_pair(view, &pairs->pair[i]);
}

static void print_head(const struct view *view)
{
	int number = number_width(view->screen);

	screen_colour(view->screen, "2");
	fprintf(view->screen->out, "%*s%*s%*s%*s   owner\n",
	        SCREEN_INDENT + view->width, "", number, "A", number, "B",
	        number, "difference");
	screen_colour(view->screen, "0");
}

static void print_total(const struct view *view, enum metric metric)
{
	print_values(view, metric_name(metric),
	             view->pairs->run[A]->total[metric],
	             view->pairs->run[B]->total[metric]);
}

static void print_totals(const struct view *view)
{
	static const enum metric others[] = { RESERVED, COMMITTED, RESIDENT,
		                              PEAK };
	FILE *out = view->screen->out;

	screen_colour(view->screen, "1");
	print_total(view, VM_SIZE);
	screen_colour(view->screen, "0");
	fputs("\n\n", out);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		print_total(view, others[i]);
		putc('\n', out);
	}
	putc('\n', out);
}

/* ---- what varies --------------------------------------------------------- */

static void print_three(const struct view *view, struct spread spread)
{
	print_size(view, (uint64_t)spread.least);
	print_size(view, (uint64_t)spread.median);
	print_size(view, (uint64_t)spread.most);
}

static void print_spread_of(const struct view *view, const char *label,
                            int side, struct spread spread)
{
	print_label(view, label);
	fprintf(view->screen->out, "   %c", 'A' + side);
	print_three(view, spread);
}

/* "   3 to 5" things */
static void print_count(const struct view *view, int side, size_t key)
{
	struct spread makes = spread_makes(&view->compare->side[side], key);

	if (makes.least == makes.most)
		fprintf(view->screen->out, "   %" PRId64, makes.most);
	else
		fprintf(view->screen->out, "   %" PRId64 " to %" PRId64,
		        makes.least, makes.most);
}

static void print_varying(const struct view *view, size_t key)
{
	const struct side *side = view->compare->side;

	for (int i = A; i < SIDES; i++) {
		struct spread spread = spread_row(&side[i], key);

		if (spread.most == 0)
			continue;
		print_spread_of(view, view->compare->key[key].kind, i, spread);
		if (row_is_counted(&view->compare->key[key]))
			print_count(view, i, key);
		putc('\n', view->screen->out);
	}
}

static void print_spread(const struct view *view)
{
	const struct report_compare *compare = view->compare;
	FILE *out = view->screen->out;
	int number = number_width(view->screen);

	print_sentence(view, write_spread);
	putc('\n', out);
	if (rows_varying(compare) == 0)
		return;
	screen_colour(view->screen, "2");
	fprintf(out, "%*s%*s%*s%*s\n", SCREEN_INDENT + view->width + 4, "",
	        number, "least", number, "median", number, "most");
	screen_colour(view->screen, "0");
	for (size_t i = 0; i < compare->keys; i++)
		if (!row_is_constant(compare, i))
			print_varying(view, i);
	for (int i = A; i < SIDES; i++) {
		print_spread_of(view, metric_name(VM_SIZE), i,
		                spread_total(&compare->side[i], VM_SIZE));
		putc('\n', out);
	}
	putc('\n', out);
}

void compare_text(FILE *out, const struct report_compare *compare,
                  const struct pairs *pairs, const struct report_style *style)
{
	const struct screen screen = { .out = out, .style = style };
	struct view view = { &screen, compare, pairs, label_width(pairs) };

	print_programs(&view);
	print_sentence(&view, write_headline);
	putc('\n', out);
	for (int metric = 0; metric < METRICS; metric++)
		print_terms(&view, metric);
	putc('\n', out);
	print_head(&view);
	print_pairs(&view);
	print_totals(&view);
	if (compare_turns(compare) > 1)
		print_spread(&view);
	go_tell(compare, pairs, print_go, &view);
}
