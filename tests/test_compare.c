/*
 * Two ledgers side by side: small ones made by hand, to the letter, and each
 * rule of the comparison.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "observer/report/report.h"

#include <stdlib.h>
#include <string.h>

#define KIB 1024ull
#define MIB (1024 * KIB)
#define MAX 24

struct side { /* a ledger, and what it points to */
	struct ledger ledger;
	struct ledger_run run;
	struct file_program program;
	struct ledger_row row[MAX];
};

static void side_make(struct side *side, const char *path, uint32_t linkage)
{
	*side = (struct side){ .program = { .linkage = linkage } };
	side->run = (struct ledger_run){ .program = &side->program,
		                         .path = path,
		                         .go_version = "go1.26.8",
		                         .build_id = "cafe" };
	side->ledger = (struct ledger){ .run = &side->run,
		                        .row = side->row,
		                        .checked = 1 };
}

static void side_row(struct side *side, const char *kind, const char *owner,
                     uint64_t reserved, uint64_t committed, uint64_t mappings,
                     uint64_t makes)
{
	struct ledger *ledger = &side->ledger;

	cr_assert(lt(sz, ledger->row_count, MAX));
	side->row[ledger->row_count++] = (struct ledger_row){
		.kind = kind,
		.owner = owner,
		.reserved = reserved,
		.committed = committed,
		.mappings = mappings,
		.makes = makes,
	};
	ledger->reserved += reserved;
	ledger->committed += committed;
	ledger->target += reserved + committed;
	ledger->vm_size += reserved + committed;
	ledger->mappings += mappings;
}

static void side_goload(struct side *side, uint64_t size)
{
	side->ledger.goload = size;
	side->ledger.vm_size += size;
}

static void side_unexplained(struct side *side, uint64_t size)
{
	side->ledger.unexplained = size;
	side->ledger.vm_size += size;
}

/* The article's server, static and libc-linked, in few rows. */
static void servers(struct side *a, struct side *b)
{
	side_make(a, "./http", FILE_STATIC);
	side_row(a, "heap", "Go runtime", 60 * MIB, 4 * MIB, 2, 2);
	side_row(a, "text", "program", 0, 400 * KIB, 1, 1);
	side_row(a, "stack", "kernel", 0, 132 * KIB, 1, 1);
	side_goload(a, 16 * MIB);
	side_make(b, "./http.cgo", FILE_DYNAMIC_PIE);
	b->program.stripped = 1;
	side_row(b, "stack", "kernel", 0, 132 * KIB, 1, 1);
	side_row(b, "malloc arena", "libc", 255 * MIB, MIB, 8, 4);
	side_row(b, "thread stack", "libc", 16 * KIB, 32 * MIB, 8, 4);
	side_row(b, "text", "libc.so.6", 0, 1300 * KIB, 1, 1);
	side_row(b, "text", "program", 0, 396 * KIB, 1, 1);
	side_row(b, "heap", "Go runtime", 60 * MIB, 4 * MIB, 2, 2);
	side_goload(b, 16 * MIB + 16 * KIB);
	b->ledger.resident = 2 * MIB;
}

static const struct report_style plain = { 0 };

static char *text_of(const struct side *a, const struct side *b,
                     const struct report_style *style)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert(out != NULL);
	if (style)
		cr_expect(report_compare_text(out, &a->ledger, &b->ledger,
		                              style));
	else
		cr_expect(report_compare_json(out, &a->ledger, &b->ledger));
	fclose(out);
	return text;
}

static void expect_text(char *text, const char *golden)
{
	cr_expect(strcmp(text, golden) == 0, "%s", text);
	free(text);
}

static void expect_part(char *text, const char *part)
{
	cr_expect(strstr(text, part) != NULL, "%s\nin\n%s", part, text);
	free(text);
}

static void expect_no_part(char *text, const char *part)
{
	cr_expect(strstr(text, part) == NULL, "%s\nin\n%s", part, text);
	free(text);
}

/* ---- to the letter ------------------------------------------------------ */

/* clang-format off */
#define GOLDEN_TEXT \
	"goload: A ./http       go1.26.8, static\n" \
	"        B ./http.cgo   go1.26.8, dynamic-pie, stripped\n" \
	"\n" \
	"  B has 289.3 MiB more VmSize than A: +256.0 MiB malloc arena, +32.0 MiB thread stack,\n" \
	"  +1.3 MiB text, -4 KiB text, +16 KiB goload itself.\n" \
	"\n" \
	"                                     A             B    difference   owner\n" \
	"  malloc arena                       -     256.0 MiB    +256.0 MiB   libc, 4 x 64 MiB\n" \
	"  thread stack                       -      32.0 MiB     +32.0 MiB   libc, 4 x 8,196 KiB\n" \
	"  text                               -       1.3 MiB      +1.3 MiB   libc.so.6, 1 mapping more\n" \
	"  text                         400 KiB       396 KiB        -4 KiB   program\n" \
	"  no difference, 2 rows       64.1 MiB      64.1 MiB             -\n" \
	"  goload itself               16.0 MiB      16.0 MiB       +16 KiB\n" \
	"  VmSize                      80.5 MiB     369.8 MiB    +289.3 MiB\n" \
	"\n" \
	"  reserved                    60.0 MiB     315.0 MiB    +255.0 MiB\n" \
	"  committed                    4.5 MiB      38.8 MiB     +34.3 MiB\n" \
	"  resident                           -       2.0 MiB      +2.0 MiB\n" \
	"\n"

#define GOLDEN_JSON \
	"{\n" \
	"  \"schema\": \"goload/1\",\n" \
	"  \"a\": {\"path\": \"./http\", \"linkage\": \"static\", \"go_version\": \"go1.26.8\", \"build_id\": \"cafe\"},\n" \
	"  \"b\": {\"path\": \"./http.cgo\", \"linkage\": \"dynamic-pie\", \"go_version\": \"go1.26.8\", \"build_id\": \"cafe\"},\n" \
	"  \"totals\": {\n" \
	"    \"vm_size\": {\"a\": 84430848, \"b\": 387780608, \"difference\": 303349760},\n" \
	"    \"target\": {\"a\": 67653632, \"b\": 370987008, \"difference\": 303333376},\n" \
	"    \"goload\": {\"a\": 16777216, \"b\": 16793600, \"difference\": 16384},\n" \
	"    \"unexplained\": {\"a\": 0, \"b\": 0, \"difference\": 0},\n" \
	"    \"reserved\": {\"a\": 62914560, \"b\": 330317824, \"difference\": 267403264},\n" \
	"    \"committed\": {\"a\": 4739072, \"b\": 40669184, \"difference\": 35930112},\n" \
	"    \"resident\": {\"a\": 0, \"b\": 2097152, \"difference\": 2097152},\n" \
	"    \"goload_resident\": {\"a\": 0, \"b\": 0, \"difference\": 0},\n" \
	"    \"peak_vm_size\": {\"a\": 0, \"b\": 0, \"difference\": 0},\n" \
	"    \"mappings\": {\"a\": 4, \"b\": 21, \"difference\": 17}\n" \
	"  },\n" \
	"  \"ledger\": [\n" \
	"    {\"kind\": \"malloc arena\", \"owner\": \"libc\", \"a\": 0, \"b\": 268435456, \"difference\": 268435456, \"why\": \"4 x 64 MiB\"},\n" \
	"    {\"kind\": \"thread stack\", \"owner\": \"libc\", \"a\": 0, \"b\": 33570816, \"difference\": 33570816, \"why\": \"4 x 8,196 KiB\"},\n" \
	"    {\"kind\": \"text\", \"owner\": \"libc.so.6\", \"a\": 0, \"b\": 1331200, \"difference\": 1331200, \"why\": \"1 mapping more\"},\n" \
	"    {\"kind\": \"text\", \"owner\": \"program\", \"a\": 409600, \"b\": 405504, \"difference\": -4096, \"why\": null},\n" \
	"    {\"kind\": \"heap\", \"owner\": \"Go runtime\", \"a\": 67108864, \"b\": 67108864, \"difference\": 0, \"why\": null},\n" \
	"    {\"kind\": \"stack\", \"owner\": \"kernel\", \"a\": 135168, \"b\": 135168, \"difference\": 0, \"why\": null},\n" \
	"    {\"kind\": \"goload itself\", \"owner\": \"goload\", \"a\": 16777216, \"b\": 16793600, \"difference\": 16384, \"why\": null}\n" \
	"  ]\n" \
	"}\n"
/* clang-format on */

Test(compare, is_one_screen)
{
	struct side a, b;

	servers(&a, &b);
	expect_text(text_of(&a, &b, &plain), GOLDEN_TEXT);
}

Test(compare, is_one_document)
{
	struct side a, b;

	servers(&a, &b);
	expect_text(text_of(&a, &b, NULL), GOLDEN_JSON);
}

/* ---- the rows ----------------------------------------------------------- */

Test(compare, of_a_run_with_itself_has_no_difference)
{
	struct side a, b;

	servers(&a, &b);
	expect_part(text_of(&b, &b, &plain),
	            "  A and B have the same VmSize, 369.8 MiB.\n");
	expect_part(text_of(&b, &b, &plain), "  no difference, 6 rows ");
}

Test(compare, turned_round_turns_the_signs)
{
	struct side a, b;

	servers(&a, &b);
	expect_part(text_of(&b, &a, &plain),
	            "B has 289.3 MiB less VmSize than A: -256.0 MiB malloc");
	expect_part(text_of(&b, &a, NULL), "\"difference\": -303349760}");
}

Test(compare, has_a_row_for_what_is_unexplained)
{
	struct side a, b;

	servers(&a, &b);
	expect_no_part(text_of(&a, &b, &plain), "unexplained");
	side_unexplained(&b, 8 * KIB);
	expect_part(text_of(&a, &b, &plain), "\n  unexplained              "
	                                     "          -         8 KiB        "
	                                     "+8 KiB\n  VmSize ");
	expect_part(text_of(&a, &b, NULL),
	            "{\"kind\": \"unexplained\", \"owner\": \"unknown\", "
	            "\"a\": 0, \"b\": 8192, \"difference\": 8192, "
	            "\"why\": null}\n");
}

Test(compare, says_that_a_run_was_not_checked)
{
	struct side a, b;

	servers(&a, &b);
	a.ledger.checked = 0;
	expect_part(text_of(&a, &b, &plain), " A had no last look");
	expect_no_part(text_of(&a, &b, &plain), " B had no last look");
}

Test(compare, names_few_rows_in_its_sentence_and_adds_up_the_others)
{
	static const char *const kinds[] = { "a", "b", "c", "d", "e", "f" };
	struct side a, b;

	side_make(&a, "a", FILE_STATIC);
	side_make(&b, "b", FILE_STATIC);
	for (uint64_t i = 0; i < 6; i++)
		side_row(&b, kinds[i], "program", 0, (6 - i) * MIB, 1, 1);
	expect_part(text_of(&a, &b, &plain),
	            ": +6.0 MiB a, +5.0 MiB b, +4.0 MiB c, +3.0 MiB d,\n"
	            "  +3.0 MiB in 2 other rows.\n");
}

Test(compare, folds_small_differences_of_a_long_table)
{
	static const char *const kinds[] = { "a", "b", "c", "d", "e", "f",
		                             "g", "h", "i", "j", "k", "l",
		                             "m", "n", "o", "p" };
	struct side a, b;

	side_make(&a, "a", FILE_STATIC);
	side_make(&b, "b", FILE_STATIC);
	for (int i = 0; i < 16; i++)
		side_row(&b, kinds[i], "program", 0, i < 14 ? MIB : 4 * KIB, 1,
		         1);
	expect_part(text_of(&a, &b, &plain), "  other, 2 rows ");
}

Test(compare, adds_up_rows_of_one_name)
{
	struct side a, b;

	side_make(&a, "a", FILE_STATIC);
	side_make(&b, "b", FILE_STATIC);
	side_row(&b, "text", "x", 0, 4 * KIB, 1, 1);
	side_row(&b, "text", "x", 0, 8 * KIB, 1, 1);
	expect_part(text_of(&a, &b, NULL),
	            "\"owner\": \"x\", \"a\": 0, \"b\": 12288, \"difference\": "
	            "12288, \"why\": \"2 mappings more\"}");
}

Test(compare, counts_only_what_is_exactly_so)
{
	static const struct {
		const char *kind, *owner;
		/* of B; A has none */
		uint64_t reserved, committed, mappings, makes;
		const char *why;
	} cases[] = {
		{ "malloc arena", "libc", 127 * MIB, MIB, 4, 2, "2 x 64 MiB" },
		/* and a block that malloc mapped on its own */
		{ "malloc arena", "libc", 127 * MIB, 2 * MIB, 5, 3, "3 more" },
		{ "malloc arena", "program", 127 * MIB, MIB, 4, 2,
		  "4 mappings more" },
		{ "thread stack", "libc", 4 * KIB, 64 * KIB, 2, 1,
		  "1 x 68 KiB" },
		{ "thread stack", "libc", 0, 16 * MIB, 2, 2, "2 x 8 MiB" },
		/* 8 MiB and 4 MiB */
		{ "thread stack", "libc", 8 * KIB, 12 * MIB, 4, 2, "2 more" },
		{ "heap", "Go runtime", 60 * MIB, 4 * MIB, 2, 1,
		  "2 mappings more" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct side a, b;
		char part[64];

		side_make(&a, "a", FILE_STATIC);
		side_make(&b, "b", FILE_STATIC);
		side_row(&b, cases[i].kind, cases[i].owner, cases[i].reserved,
		         cases[i].committed, cases[i].mappings, cases[i].makes);
		snprintf(part, sizeof(part), "\"why\": \"%s\"", cases[i].why);
		expect_part(text_of(&a, &b, NULL), part);
	}
}

Test(compare, counts_no_stacks_of_two_sizes)
{
	struct side a, b;

	side_make(&a, "a", FILE_STATIC);
	side_make(&b, "b", FILE_STATIC);
	side_row(&a, "thread stack", "libc", 4 * KIB, 8 * MIB, 2, 1);
	side_row(&b, "thread stack", "libc", 8 * KIB, 8 * MIB, 4, 2);
	expect_part(text_of(&a, &b, NULL), "\"why\": \"1 more\"");
}

/* ---- text of others ----------------------------------------------------- */

Test(compare, sends_no_control_codes_of_others_to_the_terminal)
{
	struct side a, b;

	servers(&a, &b);
	a.run.path = "./a\x1b[2J";
	b.row[1].kind = "lib\x1b[2J.so text";
	b.row[3].owner = "lib\x1b[2J.so";
	expect_no_part(text_of(&a, &b, &plain), "\x1b");
	expect_part(text_of(&a, &b, NULL), "\"./a\\u001b[2J\"");
}

Test(compare, cuts_what_is_behind_the_numbers_to_the_width)
{
	const struct report_style narrow = { .width = 86 };
	struct side a, b;

	servers(&a, &b);
	expect_part(text_of(&a, &b, &narrow), "   libc, 4 x 64 MiB\n");
	expect_part(text_of(&a, &b, &narrow), "   libc.so.6, 1 ma…\n");
}

Test(compare, has_the_bytes_of_its_table_on_request)
{
	const struct report_style exact = { .exact = 1 };
	struct side a, b;

	servers(&a, &b);
	expect_part(text_of(&a, &b, &exact),
	            "  text                               409,600"
	            "             405,504              -4,096   program\n"
	            "  no difference, 2 rows           67,244,032"
	            "          67,244,032                   -\n");
}

Test(compare, is_coloured_on_request_only)
{
	const struct report_style coloured = { .colour = 1 };
	struct side a, b;

	servers(&a, &b);
	expect_no_part(text_of(&a, &b, &plain), "\033");
	expect_part(text_of(&a, &b, &coloured), "\033[1m./http\033[0m");
}
