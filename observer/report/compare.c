/*
 * Two ledgers side by side: the rows of both, joined by kind and owner, and
 * what each adds to the difference.  What is goload's own and what is
 * unexplained are rows too, so the differences add up to that of VmSize.
 */
#include "observer/report/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ALWAYS 14 /* rows that are shown however small their difference */
#define TELL   4  /* rows that the sentence names */
#define WIDTH  92 /* of the sentence where the terminal is wider */
#define WHY    (4 * UNITS_TEXT)

enum { A, B, SIDES };

struct pair {
	const char *kind, *owner;
	uint64_t bytes[SIDES], reserved[SIDES], committed[SIDES];
	uint64_t mappings[SIDES], makes[SIDES];
	int last; /* goload itself, unexplained: behind the target's rows */
};

struct comparison {
	const struct ledger *ledger[SIDES];
	struct pair *pair;
	size_t count;
};

/* ---- the pairs ---------------------------------------------------------- */

static int64_t difference(const uint64_t value[SIDES])
{
	return (int64_t)(value[B] - value[A]);
}

static uint64_t distance(const uint64_t value[SIDES])
{
	return value[A] < value[B] ? value[B] - value[A] : value[A] - value[B];
}

/* Most difference first, then most bytes, then by name. */
static int by_difference(const void *left, const void *right)
{
	const struct pair *a = left, *b = right;
	uint64_t from = distance(a->bytes), to = distance(b->bytes);
	uint64_t from_sum = a->bytes[A] + a->bytes[B];
	uint64_t to_sum = b->bytes[A] + b->bytes[B];
	int order;

	if (a->last != b->last)
		return a->last - b->last;
	if (from != to)
		return from < to ? 1 : -1;
	if (from_sum != to_sum)
		return from_sum < to_sum ? 1 : -1;
	order = strcmp(a->kind, b->kind);
	return order ? order : strcmp(a->owner, b->owner);
}

static struct pair *pair_of(struct comparison *both, const char *kind,
                            const char *owner, int last)
{
	struct pair *pair = both->pair;

	for (; pair < both->pair + both->count; pair++)
		if (pair->last == last && strcmp(pair->kind, kind) == 0 &&
		    strcmp(pair->owner, owner) == 0)
			return pair;
	*pair = (struct pair){ .kind = kind, .owner = owner, .last = last };
	both->count++;
	return pair;
}

static void join_side(struct comparison *both, int side)
{
	const struct ledger *ledger = both->ledger[side];

	for (size_t i = 0; i < ledger->row_count; i++) {
		const struct ledger_row *row = &ledger->row[i];
		struct pair *pair = pair_of(both, row->kind, row->owner, 0);

		pair->reserved[side] += row->reserved;
		pair->committed[side] += row->committed;
		pair->bytes[side] += row->reserved + row->committed;
		pair->mappings[side] += row->mappings;
		pair->makes[side] += row->makes;
	}
	pair_of(both, "goload itself", "goload", 1)->bytes[side] =
		ledger->goload;
	if (ledger->unexplained)
		pair_of(both, "unexplained", "unknown", 2)->bytes[side] =
			ledger->unexplained;
}

static int join(struct comparison *both, const struct ledger *a,
                const struct ledger *b)
{
	*both = (struct comparison){ .ledger = { a, b } };
	both->pair =
		calloc(a->row_count + b->row_count + 2, sizeof(*both->pair));
	if (!both->pair)
		return 0;
	join_side(both, A);
	join_side(both, B);
	qsort(both->pair, both->count, sizeof(*both->pair), by_difference);
	return 1;
}

/* ---- how many ----------------------------------------------------------- */

/* Arenas and stacks come in one size, mostly: their number tells most. */
static int is_counted(const struct pair *pair)
{
	return strcmp(pair->owner, "libc") == 0 &&
	       (strcmp(pair->kind, "malloc arena") == 0 ||
	        strcmp(pair->kind, "thread stack") == 0);
}

/* Bytes of each thing that one side's row is made of, or 0. */
static uint64_t unit_of(const struct pair *pair, int side)
{
	return things_unit(&(struct things){
		pair->makes[side], pair->bytes[side], pair->committed[side] });
}

/* The size of the equal things that the difference consists of, or 0. */
static uint64_t common_unit(const struct pair *pair)
{
	uint64_t a = unit_of(pair, A), b = unit_of(pair, B);

	if (!pair->bytes[A])
		return b;
	if (!pair->bytes[B])
		return a;
	return a == b ? a : 0;
}

/* "4 x 64 MiB", "4 more", "7 mappings more"; NULL: nothing to say. */
static const char *why(const struct pair *pair, char text[static WHY])
{
	int counted = is_counted(pair);
	const uint64_t *number = counted ? pair->makes : pair->mappings;
	uint64_t unit = counted ? common_unit(pair) : 0;
	char count[UNITS_TEXT], size[UNITS_EXACT];
	const char *of = counted                 ? ""
	                 : distance(number) == 1 ? "mapping "
	                                         : "mappings ";

	if (distance(number) == 0)
		return NULL;
	units_count(count, distance(number));
	if (unit)
		snprintf(text, WHY, "%s x %s", count, units_exact(size, unit));
	else
		snprintf(text, WHY, "%s %s%s", count, of,
		         difference(number) > 0 ? "more" : "fewer");
	return text;
}

/* ---- JSON --------------------------------------------------------------- */

static void write_text(FILE *out, const char *name, const char *text)
{
	fprintf(out, "\"%s\": ", name);
	if (text)
		report_json_string(out, text);
	else
		fputs("null", out);
}

static void write_program(FILE *out, const char *side,
                          const struct ledger *ledger)
{
	fprintf(out, "  \"%s\": {", side);
	write_text(out, "path", ledger->run->path);
	fputs(", ", out);
	write_text(out, "linkage", report_linkage(ledger));
	fputs(", ", out);
	write_text(out, "go_version", ledger->run->go_version);
	fputs(", ", out);
	write_text(out, "build_id", ledger->run->build_id);
	fputs("},\n", out);
}

static void write_values(FILE *out, const uint64_t value[SIDES])
{
	fprintf(out,
	        "\"a\": %" PRIu64 ", \"b\": %" PRIu64
	        ", \"difference\": %" PRId64,
	        value[A], value[B], difference(value));
}

static void write_totals(FILE *out, const struct ledger *a,
                         const struct ledger *b)
{
	const struct {
		const char *name;
		uint64_t value[SIDES];
	} totals[] = {
		{ "vm_size", { a->vm_size, b->vm_size } },
		{ "target", { a->target, b->target } },
		{ "goload", { a->goload, b->goload } },
		{ "unexplained", { a->unexplained, b->unexplained } },
		{ "reserved", { a->reserved, b->reserved } },
		{ "committed", { a->committed, b->committed } },
		{ "resident", { a->resident, b->resident } },
		{ "goload_resident",
		  { a->goload_resident, b->goload_resident } },
		{ "peak_vm_size", { a->peak_vm_size, b->peak_vm_size } },
		{ "mappings", { a->mappings, b->mappings } },
	};

	fputs("  \"totals\": {", out);
	for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
		fprintf(out, "%s\n    \"%s\": {", i ? "," : "", totals[i].name);
		write_values(out, totals[i].value);
		putc('}', out);
	}
	fputs("\n  },\n", out);
}

static void write_pair(FILE *out, const struct pair *pair)
{
	char text[WHY];

	fputs("\n    {", out);
	write_text(out, "kind", pair->kind);
	fputs(", ", out);
	write_text(out, "owner", pair->owner);
	fputs(", ", out);
	write_values(out, pair->bytes);
	fputs(", ", out);
	write_text(out, "why", why(pair, text));
	putc('}', out);
}

int report_compare_json(FILE *out, const struct ledger *a,
                        const struct ledger *b)
{
	struct comparison both;

	if (!join(&both, a, b))
		return 0;
	fputs("{\n  \"schema\": \"goload/1\",\n", out);
	write_program(out, "a", a);
	write_program(out, "b", b);
	write_totals(out, a, b);
	fputs("  \"ledger\": [", out);
	for (size_t i = 0; i < both.count; i++) {
		if (i)
			putc(',', out);
		write_pair(out, &both.pair[i]);
	}
	fputs("\n  ]\n}\n", out);
	free(both.pair);
	return 1;
}

/* ---- text: the programs and the sentence -------------------------------- */

static void print_programs(const struct screen *screen,
                           const struct comparison *both)
{
	int width = 0;

	for (int side = A; side < SIDES; side++) {
		int size = (int)strlen(both->ledger[side]->run->path);

		if (size > width)
			width = size;
	}
	for (int side = A; side < SIDES; side++) {
		const struct ledger *ledger = both->ledger[side];
		const char *path = ledger->run->path;

		fprintf(screen->out, side ? "        %c " : "goload: %c ",
		        'A' + side);
		screen_colour(screen, "1");
		units_print(screen->out, path);
		screen_colour(screen, "0");
		fprintf(screen->out, "%*s", width + 3 - (int)strlen(path), "");
		if (ledger->run->go_version) {
			units_print(screen->out, ledger->run->go_version);
			fputs(", ", screen->out);
		}
		fprintf(screen->out, "%s%s\n", report_linkage(ledger),
		        ledger->run->program->stripped ? ", stripped" : "");
	}
	putc('\n', screen->out);
}

/* "+256.0 MiB", "-4 KiB", "-" for no difference */
static const char *signed_size(const struct report_style *style,
                               char text[static UNITS_TEXT + 1], int64_t bytes)
{
	char size[UNITS_TEXT];

	if (bytes == 0)
		return "-";
	snprintf(text, UNITS_TEXT + 1, "%c%s", bytes > 0 ? '+' : '-',
	         report_cell(style, size,
	                     bytes > 0 ? (uint64_t)bytes : -(uint64_t)bytes,
	                     0));
	return text;
}

/* In a sentence. */
static const char *signed_words(char text[static UNITS_TEXT + 1], int64_t bytes)
{
	static const struct report_style rounded;

	return signed_size(&rounded, text, bytes);
}

/* The few rows that make the most of it, and the sum of all others. */
static void tell_rows(FILE *out, const struct comparison *both, int64_t rest)
{
	char text[UNITS_TEXT + 1];
	size_t told = 0, differ = 0;

	for (size_t i = 0; i < both->count; i++)
		differ += difference(both->pair[i].bytes) != 0;
	for (size_t i = 0; i < both->count; i++) {
		int64_t own = difference(both->pair[i].bytes);

		if (own == 0)
			continue;
		if (told == TELL && differ > TELL + 1)
			break;
		fprintf(out, "%s%s ", told ? ", " : ": ",
		        signed_words(text, own));
		units_print(out, both->pair[i].kind);
		rest -= own;
		told++;
	}
	if (told < differ)
		fprintf(out, ", %s in %zu other rows",
		        rest ? signed_words(text, rest) : "0", differ - told);
	fputs(".", out);
}

static void tell(FILE *out, const struct comparison *both)
{
	const struct ledger *a = both->ledger[A], *b = both->ledger[B];
	const uint64_t size[SIDES] = { a->vm_size, b->vm_size };
	char text[UNITS_TEXT];

	if (size[A] == size[B])
		fprintf(out, "A and B have the same VmSize, %s",
		        report_size(text, size[A], 0));
	else
		fprintf(out, "B has %s %s VmSize than A",
		        report_size(text, distance(size), 0),
		        size[A] < size[B] ? "more" : "less");
	tell_rows(out, both, difference(size));
	for (int side = A; side < SIDES; side++)
		if (!both->ledger[side]->checked)
			fprintf(out,
			        " %c had no last look at the kernel's map: "
			        "its figures are by its calls.",
			        'A' + side);
}

static void print_sentence(const struct screen *screen,
                           const struct comparison *both)
{
	int width = screen->style->width;
	char *text = NULL;
	size_t size;
	FILE *words = open_memstream(&text, &size);

	if (!words)
		return;
	tell(words, both);
	if (fclose(words) == 0)
		units_wrap(screen->out, text, SCREEN_INDENT,
		           width > 0 && width < WIDTH ? width : WIDTH);
	free(text);
	putc('\n', screen->out);
}

/* ---- text: the table ---------------------------------------------------- */

static int columns_of(const char *text)
{
	int columns = 0;

	for (; *text; text++)
		columns += (*text & 0xc0) != 0x80;
	return columns;
}

/* As wide as the longest kind, for kinds hold the names of files. */
static int label_width(const struct comparison *both)
{
	int width = 22; /* "no difference, 99 rows" */

	for (size_t i = 0; i < both->count; i++) {
		int columns = columns_of(both->pair[i].kind);

		if (columns > width)
			width = columns;
	}
	return width;
}

static int number_width(const struct screen *screen)
{
	return report_cell_width(screen->style) + 2; /* a sign, too */
}

static void print_values(const struct screen *screen, int width,
                         const char *label, const uint64_t value[SIDES])
{
	int number = number_width(screen);
	char text[UNITS_TEXT + 1];

	fprintf(screen->out, "%*s", SCREEN_INDENT, "");
	units_print(screen->out, label);
	fprintf(screen->out, "%*s", width - columns_of(label), "");
	for (int side = A; side < SIDES; side++)
		fprintf(screen->out, "%*s", number,
		        report_cell(screen->style, text, value[side], 1));
	fprintf(screen->out, "%*s", number,
	        signed_size(screen->style, text, difference(value)));
}

/* What stands behind the numbers; never longer than the line. */
static void print_remark(const struct screen *screen, int width,
                         const struct pair *pair)
{
	int room = screen->style->width - SCREEN_INDENT - width -
	           SIDES * number_width(screen) - number_width(screen) - 4;
	char text[WHY], *remark = NULL;
	const char *reason = why(pair, text);

	if (asprintf(&remark, "%s%s%s", pair->owner, reason ? ", " : "",
	             reason ? reason : "") < 0)
		return;
	fputs("   ", screen->out);
	table_print_cut(screen->out, remark,
	                screen->style->width > 0 && room > 8 ? room : 4096,
	                screen->style->ascii);
	free(remark);
}

static void print_pair(const struct screen *screen, int width,
                       const struct pair *pair)
{
	int wrong = strcmp(pair->kind, "unexplained") == 0 && pair->last;

	if (wrong)
		screen_colour(screen, "1;31");
	print_values(screen, width, pair->kind, pair->bytes);
	if (wrong)
		screen_colour(screen, "0");
	if (!pair->last)
		print_remark(screen, width, pair);
	putc('\n', screen->out);
}

struct folded {
	uint64_t bytes[SIDES];
	size_t count;
};

static void fold(struct folded *folded, const struct pair *pair)
{
	folded->bytes[A] += pair->bytes[A];
	folded->bytes[B] += pair->bytes[B];
	folded->count++;
}

static void print_folded(const struct screen *screen, int width,
                         const char *what, const struct folded *folded)
{
	char label[64];

	if (folded->count == 0)
		return;
	snprintf(label, sizeof(label), "%s, %zu row%s", what, folded->count,
	         folded->count == 1 ? "" : "s");
	print_values(screen, width, label, folded->bytes);
	putc('\n', screen->out);
}

/* Rows without a difference are one line, and so are the least of many. */
static void print_pairs(const struct screen *screen,
                        const struct comparison *both, int width)
{
	struct folded small = { .count = 0 }, same = { .count = 0 };
	size_t i = 0;

	for (; i < both->count && !both->pair[i].last; i++) {
		const struct pair *pair = &both->pair[i];
		uint64_t most = distance(both->pair[0].bytes);

		if (distance(pair->bytes) == 0)
			fold(&same, pair);
		else if (i >= ALWAYS && distance(pair->bytes) <= most / 200)
			fold(&small, pair);
		else
			print_pair(screen, width, pair);
	}
	print_folded(screen, width, "other", &small);
	print_folded(screen, width, "no difference", &same);
	for (; i < both->count; i++)
		print_pair(screen, width, &both->pair[i]);
}

static void print_totals(const struct screen *screen,
                         const struct comparison *both, int width)
{
	const struct ledger *a = both->ledger[A], *b = both->ledger[B];
	const uint64_t size[SIDES] = { a->vm_size, b->vm_size };
	const struct {
		const char *label;
		uint64_t value[SIDES];
	} part[] = {
		{ "reserved", { a->reserved, b->reserved } },
		{ "committed", { a->committed, b->committed } },
		{ "resident", { a->resident, b->resident } },
	};

	screen_colour(screen, "1");
	print_values(screen, width, "VmSize", size);
	screen_colour(screen, "0");
	fputs("\n\n", screen->out);
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		print_values(screen, width, part[i].label, part[i].value);
		putc('\n', screen->out);
	}
	putc('\n', screen->out);
}

int report_compare_text(FILE *out, const struct ledger *a,
                        const struct ledger *b,
                        const struct report_style *style)
{
	const struct screen screen = { .out = out, .style = style };
	int width, number = number_width(&screen);
	struct comparison both;

	if (!join(&both, a, b))
		return 0;
	width = label_width(&both);
	print_programs(&screen, &both);
	print_sentence(&screen, &both);
	screen_colour(&screen, "2");
	fprintf(out, "%*s%*s%*s%*s   owner\n", SCREEN_INDENT + width, "",
	        number, "A", number, "B", number, "difference");
	screen_colour(&screen, "0");
	print_pairs(&screen, &both, width);
	print_totals(&screen, &both, width);
	free(both.pair);
	return 1;
}
