/*
 * The sentences that all formats have.
 */
#include "observer/report/compare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TELL 3 /* rows that a saving is told by */

static const struct report_style rounded;

const char *signed_size(const struct report_style *style,
                        char text[static SIGNED_TEXT], int64_t bytes)
{
	char size[UNITS_TEXT];

	if (bytes == 0)
		return "-";
	snprintf(text, SIGNED_TEXT, "%c%s", bytes > 0 ? '+' : '-',
	         report_cell(style, size, (uint64_t)llabs(bytes), 0));
	return text;
}

static const char *signed_words(char text[static SIGNED_TEXT], int64_t bytes)
{
	return bytes ? signed_size(&rounded, text, bytes) : "0";
}

void words_nature(FILE *out, const struct side *side, const char *special)
{
	if (side->go_version) {
		words_escape(out, side->go_version, special);
		fputs(", ", out);
	}
	fprintf(out, "%s%s", side->linkage, side->stripped ? ", stripped" : "");
}

/* "4 x 64 MiB malloc arena, 1.8 MiB libc.so.6 text": the rows that make most of
 * a difference, in its direction. */
static void tell_rows(FILE *out, const struct pairs *pairs, int more)
{
	char text[PAIR_WHY], size[UNITS_TEXT];
	size_t told = 0;

	for (size_t i = 0; i < pairs->count && told < TELL; i++) {
		const struct pair *pair = &pairs->pair[i];
		int64_t own = pair_difference(pair, VM_SIZE);
		const char *why = pair_why(pair, text);

		if (own == 0 || (own > 0) != more)
			continue;
		fprintf(out, "%s%s ", told++ ? ", " : ": ",
		        row_is_counted(pair->key) && why && strstr(why, " x ")
		                ? why
		                : report_size(size, (uint64_t)llabs(own), 0));
		units_print(out, pair->key->kind);
	}
}

static void tell_setting(FILE *out, const struct report_compare *compare,
                         const struct pairs *pairs)
{
	struct spread spread = spread_difference(compare, VM_SIZE);
	int64_t difference = total_difference(pairs, VM_SIZE);
	char text[UNITS_TEXT];

	units_print(out, compare->what_if);
	if (spread.least <= 0 && spread.most >= 0) {
		fprintf(out, " changes nothing of VmSize%s",
		        spread_is_one(spread)
		                ? ""
		                : " that runs do not change by themselves");
		return;
	}
	report_size(text, (uint64_t)llabs(difference), 0);
	if (difference < 0)
		fprintf(out, " takes %s of VmSize away", text);
	else
		fprintf(out, " adds %s to VmSize", text);
	tell_rows(out, pairs, difference > 0);
}

static void tell_difference(FILE *out, const struct pairs *pairs)
{
	int64_t difference = total_difference(pairs, VM_SIZE);
	char text[UNITS_TEXT];

	if (difference == 0)
		fprintf(out, "A and B have the same VmSize, %s",
		        report_size(text, pairs->run[A]->total[VM_SIZE], 0));
	else
		fprintf(out, "B has %s %s VmSize than A",
		        report_size(text, (uint64_t)llabs(difference), 0),
		        difference > 0 ? "more" : "less");
}

void words_range(FILE *out, const struct report_compare *compare)
{
	struct spread spread = spread_difference(compare, VM_SIZE);
	char text[SIGNED_TEXT];
	size_t turns = compare_turns(compare);

	if (turns < 2)
		return;
	fprintf(out, "In %zu pairs of runs the difference was ", turns);
	if (spread_is_one(spread)) {
		fprintf(out, "always %s.", signed_words(text, spread.least));
		return;
	}
	fprintf(out, "%s to ", signed_words(text, spread.least));
	fprintf(out, "%s, ", signed_words(text, spread.most));
	fprintf(out, "in the middle %s.", signed_words(text, spread.median));
}

void words_headline(FILE *out, const struct report_compare *compare,
                    const struct pairs *pairs)
{
	for (int side = A; side < SIDES; side++)
		if (pairs->run[side]->cut)
			fprintf(out,
			        "%c is cut short: what came then is missing. ",
			        'A' + side);
	if (compare->what_if)
		tell_setting(out, compare, pairs);
	else
		tell_difference(out, pairs);
	putc('.', out);
	for (int side = A; side < SIDES; side++)
		if (!pairs->run[side]->checked && !pairs->run[side]->cut)
			fprintf(out,
			        " %c had no last look at the kernel's map: "
			        "its figures are by its calls.",
			        'A' + side);
}

void words_runs(FILE *out, const struct report_compare *compare)
{
	const struct side *a = &compare->side[A], *b = &compare->side[B];

	if (compare_turns(compare) < 2)
		return;
	if (a->count == b->count)
		fprintf(out, "%zu runs of each, in turn", a->count);
	else
		fprintf(out, "%zu run%s of A, %zu run%s of B", a->count,
		        a->count == 1 ? "" : "s", b->count,
		        b->count == 1 ? "" : "s");
	fprintf(out,
	        "; shown: run %zu of A, run %zu of B, in the middle by VmSize",
	        a->median + 1, b->median + 1);
}

void words_spread(FILE *out, const struct report_compare *compare)
{
	size_t constant = rows_constant(compare);
	size_t varying = rows_varying(compare);

	if (varying == 0)
		fprintf(out, "All %zu rows have the same size in every run.",
		        constant);
	else
		fprintf(out,
		        "%zu rows have the same size in every run of A and in "
		        "every run of B, %zu %s:",
		        constant, varying, varying == 1 ? "varies" : "vary");
}

char *words_terms(const struct pairs *pairs, enum metric metric)
{
	char number[SIGNED_TEXT], *text = NULL;

	if (metric_by_row(pairs, metric))
		return terms_text(pairs, metric);
	if (asprintf(&text,
	             "%s: its rows are not known, for calls of several "
	             "threads meet there",
	             signed_words(number, total_difference(pairs, metric))) < 0)
		return NULL;
	return text;
}

void words_escape(FILE *out, const char *text, const char *special)
{
	while (*text) {
		int size = utf8_size((const unsigned char *)text);

		if ((unsigned char)*text < 32 || *text == 127)
			putc('?', out);
		else if (strchr(special, *text))
			fprintf(out, "&#%d;", *text);
		else if ((unsigned char)*text < 128)
			putc(*text, out);
		else if (size)
			fwrite(text, 1, (size_t)size, out);
		else
			fputs("\xef\xbf\xbd", out); /* U+FFFD */
		text += size ? size : 1;
	}
}
