/*
 * Markdown, as a comment of a pull request shows it: the sentences, the table,
 * and folded what varies between runs.
 */
#include "observer/report/compare.h"

#include <inttypes.h>
#include <stdlib.h>

#define SPECIAL "\\`*_[]<>#|&@~"
#define ALWAYS  14 /* rows that are shown however small their difference */

static const struct report_style rounded;

static void write_words(FILE *out, const char *text)
{
	words_escape(out, text, SPECIAL);
}

/* What `write` writes, escaped. */
static void write_sentence(FILE *out, const struct report_compare *compare,
                           const struct pairs *pairs,
                           void (*write)(FILE *out,
                                         const struct report_compare *compare,
                                         const struct pairs *pairs))
{
	char *text = NULL;
	size_t size;
	FILE *words = open_memstream(&text, &size);

	if (!words)
		return;
	write(words, compare, pairs);
	if (fclose(words) == 0)
		write_words(out, text);
	free(text);
}

static void write_runs(FILE *out, const struct report_compare *compare,
                       const struct pairs *pairs)
{
	(void)pairs;
	words_runs(out, compare);
}

static void write_range(FILE *out, const struct report_compare *compare,
                        const struct pairs *pairs)
{
	(void)pairs;
	words_range(out, compare);
}

static void write_spread(FILE *out, const struct report_compare *compare,
                         const struct pairs *pairs)
{
	(void)pairs;
	words_spread(out, compare);
}

static void write_programs(FILE *out, const struct report_compare *compare,
                           const struct pairs *pairs)
{
	fputs("| | program | |\n|---|---|---|\n", out);
	for (int i = A; i < SIDES; i++) {
		const struct side *side = &compare->side[i];

		fprintf(out, "| %c | ", 'A' + i);
		write_words(out, side->path);
		if (i == B && compare->what_if) {
			fputs(" with ", out);
			write_words(out, compare->what_if);
		}
		fputs(" | ", out);
		words_nature(out, side, SPECIAL);
		fputs(" |\n", out);
	}
	putc('\n', out);
	if (compare_turns(compare) > 1) {
		write_sentence(out, compare, pairs, write_runs);
		fputs(".\n\n", out);
	}
}

static void write_terms(FILE *out, const struct pairs *pairs)
{
	for (int metric = 0; metric < METRICS; metric++) {
		char *terms = words_terms(pairs, metric);

		if (terms) {
			fprintf(out, "- **%s** ", metric_name(metric));
			write_words(out, terms);
			putc('\n', out);
		}
		free(terms);
	}
	putc('\n', out);
}

/* ---- the table ----------------------------------------------------------- */

static void write_values(FILE *out, uint64_t a, uint64_t b)
{
	char text[SIGNED_TEXT];

	fprintf(out, " | %s", report_size(text, a, 1));
	fprintf(out, " | %s", report_size(text, b, 1));
	fprintf(out, " | %s | ", signed_size(&rounded, text, (int64_t)(b - a)));
}

static void write_pair(FILE *out, const struct pair *pair)
{
	char text[PAIR_WHY];
	const char *why = pair_why(pair, text);

	fputs("| ", out);
	write_words(out, pair->key->kind);
	write_values(out, pair_bytes(pair, A, VM_SIZE),
	             pair_bytes(pair, B, VM_SIZE));
	write_words(out, pair->key->owner);
	if (why)
		fprintf(out, ", %s", why);
	fputs(" |\n", out);
}

static void write_rest(FILE *out, const struct pairs *pairs, size_t from)
{
	uint64_t sum[SIDES] = { 0 };
	size_t rows = 0;

	for (size_t i = from; i < pairs->count; i++) {
		const struct pair *pair = &pairs->pair[i];

		if (pair->key->last)
			break;
		sum[A] += pair_bytes(pair, A, VM_SIZE);
		sum[B] += pair_bytes(pair, B, VM_SIZE);
		rows += pair_bytes(pair, A, VM_SIZE) ||
		        pair_bytes(pair, B, VM_SIZE);
	}
	if (!rows)
		return;
	fprintf(out, "| other %zu row%s", rows, rows == 1 ? "" : "s");
	write_values(out, sum[A], sum[B]);
	fputs(" |\n", out);
}

static void write_table(FILE *out, const struct pairs *pairs)
{
	const struct side_run *a = pairs->run[A], *b = pairs->run[B];
	size_t i = 0;

	fputs("| | A | B | difference | owner |\n"
	      "|---|---:|---:|---:|---|\n",
	      out);
	for (; i < pairs->count && i < ALWAYS; i++) {
		if (pairs->pair[i].key->last ||
		    !pair_difference(&pairs->pair[i], VM_SIZE))
			break;
		write_pair(out, &pairs->pair[i]);
	}
	write_rest(out, pairs, i);
	for (; i < pairs->count; i++)
		if (pairs->pair[i].key->last)
			write_pair(out, &pairs->pair[i]);
	for (int metric = 0; metric < METRICS; metric++) {
		fprintf(out, "| **%s**", metric_name(metric));
		write_values(out, a->total[metric], b->total[metric]);
		fputs(" |\n", out);
	}
}

/* ---- what varies --------------------------------------------------------- */

static void write_three(FILE *out, const char *name, int side,
                        struct spread spread)
{
	char text[UNITS_TEXT];

	fputs("| ", out);
	write_words(out, name);
	fprintf(out, " | %c | ", 'A' + side);
	fprintf(out, "%s | ", report_size(text, (uint64_t)spread.least, 1));
	fprintf(out, "%s | ", report_size(text, (uint64_t)spread.median, 1));
	fprintf(out, "%s |\n", report_size(text, (uint64_t)spread.most, 1));
}

static void write_varying(FILE *out, const struct report_compare *compare,
                          const struct pairs *pairs)
{
	fputs("\n<details><summary>", out);
	write_sentence(out, compare, pairs, write_spread);
	fputs("</summary>\n\n| | | least | median | most |\n"
	      "|---|---|---:|---:|---:|\n",
	      out);
	for (int side = A; side < SIDES; side++)
		write_three(out, metric_name(VM_SIZE), side,
		            spread_total(&compare->side[side], VM_SIZE));
	for (size_t key = 0; key < compare->keys; key++)
		for (int side = A; side < SIDES; side++)
			if (!row_is_constant(compare, key))
				write_three(
					out, compare->key[key].kind, side,
					spread_row(&compare->side[side], key));
	fputs("\n</details>\n", out);
}

static void write_go(void *context, const char *sentence)
{
	fputs("\n", context);
	write_words(context, sentence);
	fputs("\n", context);
}

void compare_markdown(FILE *out, const struct report_compare *compare,
                      const struct pairs *pairs)
{
	fputs("### goload compare\n\n", out);
	write_sentence(out, compare, pairs, words_headline);
	putc('\n', out);
	write_sentence(out, compare, pairs, write_range);
	fputs("\n\n", out);
	write_programs(out, compare, pairs);
	write_terms(out, pairs);
	write_table(out, pairs);
	if (compare_turns(compare) > 1)
		write_varying(out, compare, pairs);
	go_tell(compare, pairs, write_go, out);
}
