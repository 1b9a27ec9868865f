/*
 * The page: both programs as bars to one scale, and the rows that they are made
 * of, for each total; in one file that needs no network.  Text of others is
 * escaped, and never stands in the script or the style.
 */
#include "observer/report/compare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SPECIAL "&<>\"'"
#define COLOURS 10
#define GREY    COLOURS /* kinds without a colour of their own */
#define OWN     (COLOURS + 1)
#define WRONG   (COLOURS + 2)

#define DOTS_WIDTH  1000 /* of the drawing of all runs, in its own units */
#define DOTS_HEIGHT 26

struct page {
	FILE *out;
	const struct report_compare *compare;
	const struct pairs *pairs;
	const int *colour; /* of each pair */
};

/* ---- what never changes -------------------------------------------------- */

#define LIGHT                                                                  \
	"color-scheme:light;--ground:#fcfcfb;--text:#1d2125;--muted:#5d656d;"  \
	"--rule:#dfe2e5;--faint:#f1f2f3;--accent:#0b62a8;--more:#b3266b;"      \
	"--less:#00795a;--c0:#0072b2;--c1:#e69f00;--c2:#009e73;--c3:#cc79a7;"  \
	"--c4:#56b4e9;--c5:#d55e00;--c6:#5b4bb5;--c7:#8f8f26;--c8:#882255;"    \
	"--c9:#7d5a3c;--c10:#9aa1a8;--c11:#c3c8cd;--c12:#b3261e"
#define DARK                                                                   \
	"color-scheme:dark;--ground:#16191c;--text:#e6e8ea;--muted:#9aa3ab;"   \
	"--rule:#30363b;--faint:#1e2226;--accent:#6fb3ec;--more:#f07fb6;"      \
	"--less:#45c79d;--c0:#3f9fdc;--c1:#e8a90f;--c2:#22b58b;--c3:#d98bb8;"  \
	"--c4:#7cc6f2;--c5:#e8743a;--c6:#9587ea;--c7:#b5b546;--c8:#b8527f;"    \
	"--c9:#b08a63;--c10:#7d858d;--c11:#4b535b;--c12:#ff8a80"

/* clang-format off */
static const char head[] =
"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
"script-src 'unsafe-inline'; style-src 'unsafe-inline'\">\n"
"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
"<meta name=\"generator\" content=\"goload\">\n"
"<meta name=\"referrer\" content=\"no-referrer\">\n"
"<title>goload compare</title>\n<style>\n"
":root{" LIGHT "}\n"
"@media (prefers-color-scheme:dark){:root{" DARK "}}\n"
":root[data-theme=light]{" LIGHT "}\n"
":root[data-theme=dark]{" DARK "}\n"
"*{box-sizing:border-box}\n"
"html{background:var(--ground);color:var(--text);"
"font:14px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}\n"
"body{margin:0}\n"
"main{max-width:1280px;margin:0 auto;padding:20px 28px 40px}\n"
"h1{font-size:20px;line-height:1.3;margin:0 0 10px;max-width:60ch}\n"
"h2{font-size:15px;margin:30px 0 6px}\n"
"p{margin:0 0 6px;max-width:90ch}\n"
"code,.number,.terms{font-family:ui-monospace,'SF Mono','Cascadia Mono',"
"'DejaVu Sans Mono',monospace}\n"
"code{overflow-wrap:anywhere}\n"
".muted{color:var(--muted)}\n"
".terms{font-size:13px;margin:10px 0 12px;max-width:none;"
"overflow-wrap:anywhere}\n"
".sides{display:grid;grid-template-columns:max-content minmax(0,1fr) "
"max-content;gap:2px 14px;margin:0 0 4px}\n"
".title{display:flex;justify-content:space-between;gap:16px;"
"align-items:flex-start}\n"
"button,.tabs label{font:inherit;font-size:13px;color:inherit;"
"background:none;border:1px solid var(--rule);border-radius:4px;"
"padding:2px 10px;min-height:28px;white-space:nowrap;cursor:pointer}\n"
".tab{position:absolute;opacity:0;pointer-events:none}\n"
".tabs{display:flex;flex-wrap:wrap;margin:22px 0 10px}\n"
".tabs label{border-radius:0;margin-left:-1px}\n"
"button:focus-visible{outline:2px solid var(--accent)}\n"
".panel{display:none}\n"
".bar{display:grid;grid-template-columns:20px minmax(0,1fr) 104px;gap:10px;"
"align-items:center;margin:5px 0}\n"
".track{display:flex;height:38px;background:var(--faint)}\n"
".track i{display:block;height:100%;"
"box-shadow:inset -1px 0 var(--ground)}\n"
".bar .number{padding:0;white-space:nowrap}\n"
".bar b{font-weight:600}\n"
".scroll{overflow-x:auto;margin-bottom:14px}\n"
"table{border-collapse:collapse;width:100%;font-size:13px;"
"font-variant-numeric:tabular-nums}\n"
"th,td{padding:2px 14px 2px 0;text-align:left;font-weight:400;"
"white-space:nowrap}\n"
"thead th{font-weight:600;border-bottom:1px solid var(--muted)}\n"
"tfoot tr:first-child>*{border-top:1px solid var(--muted)}\n"
"tfoot th{font-weight:600}\n"
".number{text-align:right;padding-right:22px}\n"
"tbody tr.lit,tbody tr:hover{background:var(--faint)}\n"
".lighting .track i:not(.lit){opacity:.25}\n"
".swatch{display:inline-block;width:11px;height:11px;margin-right:7px;"
"border-radius:2px}\n"
".change{width:24%;min-width:120px;padding:0 14px 0 0}\n"
".change div{position:relative;height:11px;background:linear-gradient("
"var(--rule),var(--rule)) center/1px 100% no-repeat}\n"
".change i{position:absolute;top:0;height:100%;min-width:1px}\n"
".more{left:50%;background:var(--more)}\n"
".less{right:50%;background:var(--less)}\n"
".same td,.same th{color:var(--muted)}\n"
".go{margin-top:26px}\np:empty{margin:0}\n"
"svg{display:block;width:100%;height:34px}\n"
"footer{margin-top:34px;padding-top:10px;border-top:1px solid var(--rule);"
"font-size:13px;color:var(--muted)}\n"
"@media (max-width:700px){main{padding:14px}.of-owner,.change{display:none}"
".number{padding-right:8px}}\n"
"@media print{button,.tabs{display:none}"
"*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}\n";

static const char script[] =
"<script>\n\"use strict\";\n"
"const root=document.documentElement;\n"
"document.getElementById('theme').onclick=()=>{\n"
"\tconst dark=root.dataset.theme?root.dataset.theme==='dark'\n"
"\t\t:matchMedia('(prefers-color-scheme: dark)').matches;\n"
"\troot.dataset.theme=dark?'light':'dark';\n"
"};\n"
"for(const panel of document.querySelectorAll('.panel')){\n"
"\tconst light=(event)=>{\n"
"\t\tconst at=event.type==='mouseover'&&event.target.closest('[data-row]');\n"
"\t\tfor(const part of panel.querySelectorAll('[data-row]'))\n"
"\t\t\tpart.classList.toggle('lit',!!at&&part.dataset.row===at.dataset.row);\n"
"\t\tpanel.classList.toggle('lighting',!!at);\n"
"\t};\n"
"\tpanel.onmouseover=light;\n"
"\tpanel.onmouseleave=light;\n"
"}\n</script>\n";
/* clang-format on */

/* Which panel the tabs show. */
static void write_tab_styles(FILE *out)
{
	for (int metric = 0; metric < METRICS; metric++)
		fprintf(out,
		        "#%s:checked~.panel-%s{display:block}\n"
		        "#%s:checked~.tabs [for=%s]{background:var(--text);"
		        "color:var(--ground)}\n"
		        "#%s:focus-visible~.tabs [for=%s]{outline:2px solid "
		        "var(--accent)}\n",
		        metric_key(metric), metric_key(metric),
		        metric_key(metric), metric_key(metric),
		        metric_key(metric), metric_key(metric));
	fputs("</style>\n</head>\n<body>\n<main>\n", out);
}

static void write_words(FILE *out, const char *text)
{
	words_escape(out, text, SPECIAL);
}

/* ---- colours ------------------------------------------------------------- */

/* So that two pages, and those of goload report, are of the same colours. */
static int usual_colour(const struct row_key *key)
{
	static const char *const kinds[] = {
		"page summary", "scavenge index", "heap",       "rodata",
		"bss",          "text",           "heap index", "thread stack",
		"malloc arena",
	};

	if (key->last)
		return key->last == 1 ? OWN : WRONG;
	for (int i = 0; i < (int)(sizeof(kinds) / sizeof(kinds[0])); i++)
		if (strcmp(kinds[i], key->kind) == 0)
			return i;
	return GREY;
}

/* The rows with most difference get what the usual ones leave. */
static int *choose_colours(const struct pairs *pairs)
{
	int *colour = calloc(pairs->count, sizeof(*colour));
	int taken[WRONG + 1] = { 0 }, next = 0;

	if (!colour)
		return NULL;
	for (size_t i = 0; i < pairs->count; i++) {
		colour[i] = usual_colour(pairs->pair[i].key);
		if (colour[i] < COLOURS && taken[colour[i]]++)
			colour[i] = GREY; /* "text" of another owner */
	}
	for (size_t i = 0; i < pairs->count; i++) {
		while (next < COLOURS && taken[next])
			next++;
		if (colour[i] == GREY && next < COLOURS)
			colour[i] = next++;
	}
	return colour;
}

/* ---- the bars ------------------------------------------------------------ */

static double share(uint64_t part, uint64_t of)
{
	return of ? 100.0 * (double)part / (double)of : 0;
}

static void write_segment(const struct page *page, size_t i, int side,
                          enum metric metric, uint64_t scale)
{
	const struct pair *pair = &page->pairs->pair[i];
	uint64_t bytes = pair_bytes(pair, side, metric);
	char text[UNITS_TEXT];

	if (!bytes)
		return;
	fprintf(page->out,
	        "<i data-row=\"%zu\" style=\"width:%.4f%%;"
	        "background:var(--c%d)\" title=\"",
	        i, share(bytes, scale), page->colour[i]);
	write_words(page->out, pair->key->kind);
	fprintf(page->out, ", %s\"></i>", report_size(text, bytes, 0));
}

static void write_bars(const struct page *page, enum metric metric)
{
	uint64_t a = page->pairs->run[A]->total[metric];
	uint64_t b = page->pairs->run[B]->total[metric];
	char text[UNITS_TEXT];

	for (int side = A; side < SIDES; side++) {
		fprintf(page->out,
		        "<div class=\"bar\"><b>%c</b><div class=\"track\">",
		        'A' + side);
		for (size_t i = 0; i < page->pairs->count; i++)
			write_segment(page, i, side, metric, a > b ? a : b);
		fprintf(page->out,
		        "</div><span class=\"number\">%s</span></div>\n",
		        report_size(text, side ? b : a, 1));
	}
}

/* ---- the table ----------------------------------------------------------- */

static void write_sizes(FILE *out, uint64_t a, uint64_t b)
{
	static const struct report_style rounded;
	char text[SIGNED_TEXT];

	fprintf(out, "<td class=\"number\">%s</td>", report_size(text, a, 1));
	fprintf(out, "<td class=\"number\">%s</td>", report_size(text, b, 1));
	fprintf(out, "<td class=\"number\">%s</td>",
	        signed_size(&rounded, text, (int64_t)(b - a)));
}

static uint64_t most_difference(const struct pairs *pairs, enum metric metric)
{
	uint64_t most = 0;

	for (size_t i = 0; i < pairs->count; i++) {
		uint64_t own = (uint64_t)llabs(
			pair_difference(&pairs->pair[i], metric));

		if (own > most)
			most = own;
	}
	return most;
}

/* A bar to the right for more, to the left for less. */
static void write_change(FILE *out, int64_t difference, uint64_t most)
{
	fputs("<td class=\"change\"><div>", out);
	if (difference)
		fprintf(out, "<i class=\"%s\" style=\"width:%.4f%%\"></i>",
		        difference > 0 ? "more" : "less",
		        share((uint64_t)llabs(difference), most) / 2);
	fputs("</div></td>", out);
}

static void write_row(const struct page *page, size_t i, enum metric metric,
                      uint64_t most)
{
	const struct pair *pair = &page->pairs->pair[i];
	uint64_t a = pair_bytes(pair, A, metric);
	uint64_t b = pair_bytes(pair, B, metric);
	char text[PAIR_WHY];
	const char *why = metric == VM_SIZE ? pair_why(pair, text) : NULL;

	if (!a && !b)
		return;
	fprintf(page->out,
	        "<tr data-row=\"%zu\"%s><th scope=\"row\">"
	        "<i class=\"swatch\" style=\"background:var(--c%d)\"></i>",
	        i, a == b ? " class=\"same\"" : "", page->colour[i]);
	write_words(page->out, pair->key->kind);
	fputs("</th>", page->out);
	write_sizes(page->out, a, b);
	write_change(page->out, pair_difference(pair, metric), most);
	fputs("<td class=\"of-owner\">", page->out);
	write_words(page->out, pair->key->owner);
	if (why)
		fprintf(page->out, ", %s", why);
	fputs("</td></tr>\n", page->out);
}

static void write_table(const struct page *page, enum metric metric)
{
	uint64_t most = most_difference(page->pairs, metric);

	fputs("<div class=\"scroll\"><table><thead><tr><th>kind</th>"
	      "<th class=\"number\">A</th><th class=\"number\">B</th>"
	      "<th class=\"number\">difference</th><th class=\"change\"></th>"
	      "<th class=\"of-owner\">owner</th></tr></thead>\n<tbody>\n",
	      page->out);
	for (size_t i = 0; i < page->pairs->count; i++)
		write_row(page, i, metric, most);
	fprintf(page->out, "</tbody>\n<tfoot><tr><th scope=\"row\">%s</th>",
	        metric_name(metric));
	write_sizes(page->out, page->pairs->run[A]->total[metric],
	            page->pairs->run[B]->total[metric]);
	fputs("<td class=\"change\"></td><td class=\"of-owner\"></td></tr>"
	      "</tfoot></table></div>\n",
	      page->out);
}

static void write_panel(const struct page *page, enum metric metric)
{
	char *terms = words_terms(page->pairs, metric);

	fprintf(page->out, "<section class=\"panel panel-%s\">\n",
	        metric_key(metric));
	if (metric_by_row(page->pairs, metric))
		write_bars(page, metric);
	fprintf(page->out, "<p class=\"terms\">%s ", metric_name(metric));
	if (terms)
		write_words(page->out, terms);
	fputs("</p>\n", page->out);
	if (metric_by_row(page->pairs, metric))
		write_table(page, metric);
	fputs("</section>\n", page->out);
	free(terms);
}

static void write_panels(const struct page *page)
{
	for (int metric = 0; metric < METRICS; metric++)
		fprintf(page->out,
		        "<input class=\"tab\" type=\"radio\" name=\"metric\" "
		        "id=\"%s\"%s>\n",
		        metric_key(metric), metric ? "" : " checked");
	fputs("<div class=\"tabs\">", page->out);
	for (int metric = 0; metric < METRICS; metric++)
		fprintf(page->out, "<label for=\"%s\">%s</label>",
		        metric_key(metric), metric_name(metric));
	fputs("</div>\n", page->out);
	for (int metric = 0; metric < METRICS; metric++)
		write_panel(page, metric);
}

/* ---- the head ------------------------------------------------------------ */

/* What `write` writes, escaped. */
static void write_sentence(const struct page *page,
                           void (*write)(FILE *out, const struct page *page))
{
	char *text = NULL;
	size_t size;
	FILE *words = open_memstream(&text, &size);

	if (!words)
		return;
	write(words, page);
	if (fclose(words) == 0)
		write_words(page->out, text);
	free(text);
}

static void headline(FILE *out, const struct page *page)
{
	words_headline(out, page->compare, page->pairs);
}

static void range(FILE *out, const struct page *page)
{
	words_range(out, page->compare);
}

static void runs(FILE *out, const struct page *page)
{
	words_runs(out, page->compare);
}

static void varying(FILE *out, const struct page *page)
{
	words_spread(out, page->compare);
}

static void write_sides(const struct page *page)
{
	fputs("<div class=\"sides\">\n", page->out);
	for (int i = A; i < SIDES; i++) {
		const struct side *side = &page->compare->side[i];

		fprintf(page->out, "<b>%c</b><code>", 'A' + i);
		write_words(page->out, side->path);
		fputs("</code><span class=\"muted\">", page->out);
		if (side->go_version) {
			write_words(page->out, side->go_version);
			fputs(", ", page->out);
		}
		fprintf(page->out, "%s%s", side->linkage,
		        side->stripped ? ", stripped" : "");
		if (i == B && page->compare->what_if) {
			fputs(", with ", page->out);
			write_words(page->out, page->compare->what_if);
		}
		fputs("</span>\n", page->out);
	}
	fputs("</div>\n<p class=\"muted\">", page->out);
	write_sentence(page, runs);
	fputs("</p>\n<p>", page->out);
	write_sentence(page, range);
	fputs("</p>\n", page->out);
}

static void write_go(void *context, const char *sentence)
{
	FILE *out = context;

	fputs("<p>", out);
	write_words(out, sentence);
	fputs("</p>\n", out);
}

/* ---- all runs ------------------------------------------------------------ */

/* A dot for each run between the smallest and the largest of both sides. */
static void write_dots(const struct page *page, int side, struct spread a,
                       struct spread b)
{
	const struct side *of = &page->compare->side[side];
	int64_t least = a.least < b.least ? a.least : b.least;
	int64_t most = a.most > b.most ? a.most : b.most;
	uint64_t width = most > least ? (uint64_t)(most - least) : 1;
	char text[UNITS_TEXT];

	fprintf(page->out,
	        "<div class=\"bar\"><b>%c</b><svg viewBox=\"0 0 %d %d\" "
	        "preserveAspectRatio=\"none\" role=\"img\">"
	        "<title>VmSize of each run</title>",
	        'A' + side, DOTS_WIDTH, DOTS_HEIGHT);
	for (size_t i = 0; i < of->count; i++) {
		uint64_t size = of->run[i].total[VM_SIZE];

		fprintf(page->out,
		        "<rect x=\"%.2f\" y=\"0\" width=\"4\" height=\"%d\" "
		        "fill=\"var(--c%d)\" fill-opacity=\".45\"><title>run "
		        "%zu: %s</title></rect>",
		        share(size - (uint64_t)least, width) *
		                (DOTS_WIDTH - 4) / 100,
		        DOTS_HEIGHT, side ? 5 : 0, i + 1,
		        report_size(text, size, 0));
	}
	fputs("</svg><span></span></div>\n", page->out);
}

static void write_three(FILE *out, const char *name, int side,
                        struct spread spread)
{
	char text[UNITS_TEXT];

	fputs("<tr><th scope=\"row\">", out);
	write_words(out, name);
	fprintf(out, "</th><td>%c</td><td class=\"number\">%s</td>", 'A' + side,
	        report_size(text, (uint64_t)spread.least, 1));
	fprintf(out, "<td class=\"number\">%s</td>",
	        report_size(text, (uint64_t)spread.median, 1));
	fprintf(out, "<td class=\"number\">%s</td></tr>\n",
	        report_size(text, (uint64_t)spread.most, 1));
}

static void write_spread(const struct page *page)
{
	const struct report_compare *compare = page->compare;
	struct spread a = spread_total(&compare->side[A], VM_SIZE);
	struct spread b = spread_total(&compare->side[B], VM_SIZE);

	fputs("<h2>All runs</h2>\n<p>", page->out);
	write_sentence(page, varying);
	fputs("</p>\n", page->out);
	write_dots(page, A, a, b);
	write_dots(page, B, a, b);
	fputs("<div class=\"scroll\"><table><thead><tr><th>kind</th><th></th>"
	      "<th class=\"number\">least</th><th class=\"number\">median</th>"
	      "<th class=\"number\">most</th></tr></thead>\n<tbody>\n",
	      page->out);
	write_three(page->out, metric_name(VM_SIZE), A, a);
	write_three(page->out, metric_name(VM_SIZE), B, b);
	for (size_t key = 0; key < compare->keys; key++)
		for (int side = A; side < SIDES; side++)
			if (!row_is_constant(compare, key))
				write_three(
					page->out, compare->key[key].kind, side,
					spread_row(&compare->side[side], key));
	fputs("</tbody></table></div>\n", page->out);
}

int compare_html(FILE *out, const struct report_compare *compare,
                 const struct pairs *pairs)
{
	int *colour = choose_colours(pairs);
	const struct page page = { out, compare, pairs, colour };

	if (!colour)
		return 0;
	fputs(head, out);
	write_tab_styles(out);
	fputs("<div class=\"title\"><h1>", out);
	write_sentence(&page, headline);
	fputs("</h1><button id=\"theme\">light or dark</button></div>\n", out);
	write_sides(&page);
	write_panels(&page);
	if (compare_turns(compare) > 1)
		write_spread(&page);
	fputs("<div class=\"go\">\n", out);
	go_tell(compare, pairs, write_go, out);
	fputs("</div>\n", out);
	fputs("<footer>Made by goload compare. The rows of each total add up "
	      "to it, on both sides.</footer>\n</main>\n",
	      out);
	fputs(script, out);
	fputs("</body>\n</html>\n", out);
	free(colour);
	return 1;
}
