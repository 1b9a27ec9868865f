/*
 * The document: the two runs that are shown, all pairs of runs, and what varies
 * between them.
 */
#include "observer/report/compare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void write_program(FILE *out, const char *name, const struct side *side)
{
	fprintf(out, "  \"%s\": {", name);
	report_json_text(out, "path", side->path);
	fputs(", ", out);
	report_json_text(out, "linkage", side->linkage);
	fputs(", ", out);
	report_json_text(out, "go_version", side->go_version);
	fputs(", ", out);
	report_json_text(out, "build_id", side->build_id);
	fprintf(out, ", \"runs\": %zu, \"shown\": %zu},\n", side->count,
	        side->median);
}

static void write_values(FILE *out, uint64_t a, uint64_t b)
{
	fprintf(out,
	        "\"a\": %" PRIu64 ", \"b\": %" PRIu64
	        ", \"difference\": %" PRId64,
	        a, b, (int64_t)(b - a));
}

/* ---- two runs ------------------------------------------------------------ */

static void write_totals(FILE *out, const struct pairs *pairs,
                         const char *indent)
{
	const struct side_run *a = pairs->run[A], *b = pairs->run[B];
	const struct {
		const char *name;
		uint64_t a, b;
	} totals[] = {
		{ "vm_size", a->total[VM_SIZE], b->total[VM_SIZE] },
		{ "target", a->target, b->target },
		{ "goload", a->goload, b->goload },
		{ "unexplained", a->unexplained, b->unexplained },
		{ "reserved", a->total[RESERVED], b->total[RESERVED] },
		{ "committed", a->total[COMMITTED], b->total[COMMITTED] },
		{ "resident", a->total[RESIDENT], b->total[RESIDENT] },
		{ "goload_resident", a->goload_resident, b->goload_resident },
		{ "peak_vm_size", a->total[PEAK], b->total[PEAK] },
		{ "mappings", a->mappings, b->mappings },
	};

	fprintf(out, "%s\"totals\": {", indent);
	for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
		fprintf(out, "%s\n%s  \"%s\": {", i ? "," : "", indent,
		        totals[i].name);
		write_values(out, totals[i].a, totals[i].b);
		putc('}', out);
	}
	fprintf(out, "\n%s},\n", indent);
}

/* The other totals, by row. */
static void write_parts(FILE *out, const struct pairs *pairs,
                        const struct pair *pair)
{
	for (int metric = COMMITTED; metric < METRICS; metric++) {
		fprintf(out, ", \"%s\": ", metric_key(metric));
		if (!metric_by_row(pairs, metric)) {
			fputs("null", out);
			continue;
		}
		putc('{', out);
		write_values(out, pair_bytes(pair, A, metric),
		             pair_bytes(pair, B, metric));
		putc('}', out);
	}
}

static void write_pair(FILE *out, const struct pairs *pairs,
                       const struct pair *pair)
{
	char text[PAIR_WHY];

	report_json_text(out, "kind", pair->key->kind);
	fputs(", ", out);
	report_json_text(out, "owner", pair->key->owner);
	fputs(", ", out);
	write_values(out, pair_bytes(pair, A, VM_SIZE),
	             pair_bytes(pair, B, VM_SIZE));
	fputs(", ", out);
	report_json_text(out, "why", pair_why(pair, text));
	write_parts(out, pairs, pair);
}

static void write_ledger(FILE *out, const struct pairs *pairs,
                         const char *indent)
{
	fprintf(out, "%s\"ledger\": [", indent);
	for (size_t i = 0; i < pairs->count; i++) {
		fprintf(out, "%s\n%s  {", i ? "," : "", indent);
		write_pair(out, pairs, &pairs->pair[i]);
		putc('}', out);
	}
	fprintf(out, "\n%s]", indent);
}

/* The differences as sums; 0 when memory is short. */
static int write_terms(FILE *out, const struct pairs *pairs, const char *indent)
{
	fprintf(out, ",\n%s\"terms\": {", indent);
	for (int metric = 0; metric < METRICS; metric++) {
		char *text = terms_text(pairs, metric);

		if (!text)
			return 0;
		fprintf(out, "%s\n%s  ", metric ? "," : "", indent);
		report_json_text(out, metric_key(metric), *text ? text : NULL);
		free(text);
	}
	fprintf(out, "\n%s}", indent);
	return 1;
}

/* ---- all runs ------------------------------------------------------------ */

static int write_runs(FILE *out, const struct report_compare *compare)
{
	const struct side *side = compare->side;

	fputs(",\n  \"runs\": [", out);
	for (size_t i = 0; i < compare_turns(compare); i++) {
		struct pairs pairs;
		int done;

		if (!pairs_join(&pairs, compare, compare_turn(&side[A], i),
		                compare_turn(&side[B], i)))
			return 0;
		fprintf(out, "%s\n    {\n", i ? "," : "");
		write_totals(out, &pairs, "      ");
		write_ledger(out, &pairs, "      ");
		done = write_terms(out, &pairs, "      ");
		fputs("\n    }", out);
		pairs_free(&pairs);
		if (!done)
			return 0;
	}
	fputs("\n  ]", out);
	return 1;
}

static void write_spread(FILE *out, const char *name, struct spread spread)
{
	fprintf(out,
	        "\"%s\": {\"min\": %" PRId64 ", \"median\": %" PRId64
	        ", \"max\": %" PRId64 "}",
	        name, spread.least, spread.median, spread.most);
}

static void write_spread_of_row(FILE *out, const struct report_compare *compare,
                                size_t key)
{
	const struct side *side = compare->side;

	report_json_text(out, "kind", compare->key[key].kind);
	fputs(", ", out);
	report_json_text(out, "owner", compare->key[key].owner);
	fprintf(out, ", \"constant\": %s, ",
	        row_is_constant(compare, key) ? "true" : "false");
	write_spread(out, "a", spread_row(&side[A], key));
	fputs(", ", out);
	write_spread(out, "b", spread_row(&side[B], key));
	fputs(", \"count\": ", out);
	if (!row_is_counted(&compare->key[key])) {
		fputs("null", out);
		return;
	}
	putc('{', out);
	write_spread(out, "a", spread_makes(&side[A], key));
	fputs(", ", out);
	write_spread(out, "b", spread_makes(&side[B], key));
	putc('}', out);
}

static void write_distribution(FILE *out, const struct report_compare *compare)
{
	const struct side *side = compare->side;

	fputs(",\n  \"distribution\": {\n    \"totals\": {", out);
	for (int metric = 0; metric < METRICS; metric++) {
		fprintf(out, "%s\n      \"%s\": {", metric ? "," : "",
		        metric_key(metric));
		write_spread(out, "a", spread_total(&side[A], metric));
		fputs(", ", out);
		write_spread(out, "b", spread_total(&side[B], metric));
		fputs(", ", out);
		write_spread(out, "difference",
		             spread_difference(compare, metric));
		putc('}', out);
	}
	fputs("\n    },\n    \"rows\": [", out);
	for (size_t i = 0; i < compare->keys; i++) {
		fprintf(out, "%s\n      {", i ? "," : "");
		write_spread_of_row(out, compare, i);
		putc('}', out);
	}
	fputs("\n    ]\n  }", out);
}

/* ---- sentences ----------------------------------------------------------- */

static void write_sentence(void *context, const char *sentence)
{
	FILE *out = context;

	fputs(",\n    ", out);
	report_json_string(out, sentence);
}

static int write_sentences(FILE *out, const struct report_compare *compare,
                           const struct pairs *pairs)
{
	char *text = NULL;
	size_t size;
	FILE *words = open_memstream(&text, &size);

	if (!words)
		return 0;
	words_headline(words, compare, pairs);
	if (compare_turns(compare) > 1) {
		putc('\n', words);
		words_range(words, compare);
	}
	if (fclose(words) != 0)
		return 0;
	fputs(",\n  \"sentences\": [\n    ", out);
	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (line == text)
			report_json_string(out, line);
		else
			write_sentence(out, line);
	}
	free(text);
	go_tell(compare, pairs, write_sentence, out);
	fputs("\n  ]", out);
	return 1;
}

int compare_json(FILE *out, const struct report_compare *compare,
                 const struct pairs *pairs)
{
	fputs("{\n  \"schema\": \"goload/1\",\n", out);
	write_program(out, "a", &compare->side[A]);
	write_program(out, "b", &compare->side[B]);
	fputs("  ", out);
	report_json_text(out, "what_if", compare->what_if);
	fputs(",\n", out);
	write_totals(out, pairs, "  ");
	write_ledger(out, pairs, "  ");
	if (!write_terms(out, pairs, "  ") || !write_runs(out, compare))
		return 0;
	write_distribution(out, compare);
	if (!write_sentences(out, compare, pairs))
		return 0;
	fputs("\n}\n", out);
	return 1;
}
