/*
 * Two programs side by side: small ledgers made by hand, to the letter, and
 * each rule of the comparison.
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
	static const struct file_end end;

	*side = (struct side){ .program = { .linkage = linkage } };
	side->run = (struct ledger_run){ .program = &side->program,
		                         .path = path,
		                         .go_version = "go1.26.8",
		                         .build_id = "cafe",
		                         .end = &end };
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
		.largest = makes ? (reserved + committed) / makes : 0,
	};
	ledger->reserved += reserved;
	ledger->committed += committed;
	ledger->target += reserved + committed;
	ledger->vm_size += reserved + committed;
	ledger->peak_vm_size = ledger->vm_size;
	ledger->mappings += mappings;
}

static void side_goload(struct side *side, uint64_t size)
{
	side->ledger.goload = size;
	side->ledger.vm_size += size;
	side->ledger.peak_vm_size += size;
}

static void side_unexplained(struct side *side, uint64_t size)
{
	side->ledger.unexplained = size;
	side->ledger.vm_size += size;
	side->ledger.peak_vm_size += size;
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
	b->row[1].resident = b->ledger.resident = 2 * MIB;
}

static const struct report_style plain = { 0 };

static void add(struct report_compare *compare, int side, const struct side *of)
{
	cr_assert(report_compare_add(compare, side, &of->ledger, NULL));
}

static char *text_as(struct report_compare *compare, enum report_format format,
                     const struct report_style *style)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert(out != NULL);
	cr_expect(report_compare(out, compare, format, style));
	fclose(out);
	report_compare_free(compare);
	return text;
}

static struct report_compare *two(const struct side *a, const struct side *b)
{
	struct report_compare *compare = report_compare_open();

	cr_assert(compare != NULL);
	add(compare, REPORT_A, a);
	add(compare, REPORT_B, b);
	return compare;
}

/* As JSON without a style. */
static char *text_of(const struct side *a, const struct side *b,
                     const struct report_style *style)
{
	return text_as(two(a, b), style ? REPORT_TEXT : REPORT_JSON, style);
}

static void expect_text(char *text, const char *golden)
{
	cr_expect(strcmp(text, golden) == 0, "%s", text);
	free(text);
}

static void expect_in(const char *text, const char *part)
{
	cr_expect(strstr(text, part) != NULL, "%s\nin\n%s", part, text);
}

static void expect_part(char *text, const char *part)
{
	expect_in(text, part);
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
	"  B has 289.3 MiB more VmSize than A.\n" \
	"\n" \
	"  VmSize     +296,240 KiB: 4 threads x (8,196 + 65,536) + text (libc.so.6) 1,300\n" \
	"             + goload itself 16 - text (program) 4\n" \
	"  committed  +35,088 KiB: 4 thread stacks x 8,192 + text (libc.so.6) 1,300\n" \
	"             + malloc arena 1,024 - text (program) 4\n" \
	"  reserved   +261,136 KiB: malloc arena 261,120 + 4 thread stacks x 4\n" \
	"  resident   +2,048 KiB: malloc arena 2,048\n" \
	"  peak       +296,240 KiB: malloc arena 262,144 + thread stack 32,784\n" \
	"             + text (libc.so.6) 1,300 + goload itself 16 - text (program) 4\n" \
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
	"  peak                        80.5 MiB     369.8 MiB    +289.3 MiB\n" \
	"\n"

#define GOLDEN_JSON \
	"{\n" \
	"  \"schema\": \"goload/1\",\n" \
	"  \"a\": {\"path\": \"./http\", \"linkage\": \"static\", \"go_version\": \"go1.26.8\", \"build_id\": \"cafe\", \"runs\": 1, \"shown\": 0},\n" \
	"  \"b\": {\"path\": \"./http.cgo\", \"linkage\": \"dynamic-pie\", \"go_version\": \"go1.26.8\", \"build_id\": \"cafe\", \"runs\": 1, \"shown\": 0},\n" \
	"  \"what_if\": null,\n" \
	"  \"totals\": {\n" \
	"    \"vm_size\": {\"a\": 84430848, \"b\": 387780608, \"difference\": 303349760},\n" \
	"    \"target\": {\"a\": 67653632, \"b\": 370987008, \"difference\": 303333376},\n" \
	"    \"goload\": {\"a\": 16777216, \"b\": 16793600, \"difference\": 16384},\n" \
	"    \"unexplained\": {\"a\": 0, \"b\": 0, \"difference\": 0},\n" \
	"    \"reserved\": {\"a\": 62914560, \"b\": 330317824, \"difference\": 267403264},\n" \
	"    \"committed\": {\"a\": 4739072, \"b\": 40669184, \"difference\": 35930112},\n" \
	"    \"resident\": {\"a\": 0, \"b\": 2097152, \"difference\": 2097152},\n" \
	"    \"goload_resident\": {\"a\": 0, \"b\": 0, \"difference\": 0},\n" \
	"    \"peak_vm_size\": {\"a\": 84430848, \"b\": 387780608, \"difference\": 303349760},\n" \
	"    \"mappings\": {\"a\": 4, \"b\": 21, \"difference\": 17}\n" \
	"  },\n" \
	"  \"ledger\": [\n" \
	"    {\"kind\": \"malloc arena\", \"owner\": \"libc\", \"a\": 0, \"b\": 268435456, \"difference\": 268435456, \"why\": \"4 x 64 MiB\", \"committed\": {\"a\": 0, \"b\": 1048576, \"difference\": 1048576}, \"reserved\": {\"a\": 0, \"b\": 267386880, \"difference\": 267386880}, \"resident\": {\"a\": 0, \"b\": 2097152, \"difference\": 2097152}, \"peak_vm_size\": {\"a\": 0, \"b\": 268435456, \"difference\": 268435456}},\n" \
	"    {\"kind\": \"thread stack\", \"owner\": \"libc\", \"a\": 0, \"b\": 33570816, \"difference\": 33570816, \"why\": \"4 x 8,196 KiB\", \"committed\": {\"a\": 0, \"b\": 33554432, \"difference\": 33554432}, \"reserved\": {\"a\": 0, \"b\": 16384, \"difference\": 16384}, \"resident\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"peak_vm_size\": {\"a\": 0, \"b\": 33570816, \"difference\": 33570816}},\n" \
	"    {\"kind\": \"text\", \"owner\": \"libc.so.6\", \"a\": 0, \"b\": 1331200, \"difference\": 1331200, \"why\": \"1 mapping more\", \"committed\": {\"a\": 0, \"b\": 1331200, \"difference\": 1331200}, \"reserved\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"resident\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"peak_vm_size\": {\"a\": 0, \"b\": 1331200, \"difference\": 1331200}},\n" \
	"    {\"kind\": \"text\", \"owner\": \"program\", \"a\": 409600, \"b\": 405504, \"difference\": -4096, \"why\": null, \"committed\": {\"a\": 409600, \"b\": 405504, \"difference\": -4096}, \"reserved\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"resident\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"peak_vm_size\": {\"a\": 409600, \"b\": 405504, \"difference\": -4096}},\n" \
	"    {\"kind\": \"heap\", \"owner\": \"Go runtime\", \"a\": 67108864, \"b\": 67108864, \"difference\": 0, \"why\": null, \"committed\": {\"a\": 4194304, \"b\": 4194304, \"difference\": 0}, \"reserved\": {\"a\": 62914560, \"b\": 62914560, \"difference\": 0}, \"resident\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"peak_vm_size\": {\"a\": 67108864, \"b\": 67108864, \"difference\": 0}},\n" \
	"    {\"kind\": \"stack\", \"owner\": \"kernel\", \"a\": 135168, \"b\": 135168, \"difference\": 0, \"why\": null, \"committed\": {\"a\": 135168, \"b\": 135168, \"difference\": 0}, \"reserved\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"resident\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"peak_vm_size\": {\"a\": 135168, \"b\": 135168, \"difference\": 0}},\n" \
	"    {\"kind\": \"goload itself\", \"owner\": \"goload\", \"a\": 16777216, \"b\": 16793600, \"difference\": 16384, \"why\": null, \"committed\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"reserved\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"resident\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"peak_vm_size\": {\"a\": 16777216, \"b\": 16793600, \"difference\": 16384}}\n" \
	"  ],\n" \
	"  \"terms\": {\n" \
	"    \"vm_size\": \"+296,240 KiB: 4 threads x (8,196 + 65,536) + text (libc.so.6) 1,300 + goload itself 16 - text (program) 4\",\n" \
	"    \"committed\": \"+35,088 KiB: 4 thread stacks x 8,192 + text (libc.so.6) 1,300 + malloc arena 1,024 - text (program) 4\",\n" \
	"    \"reserved\": \"+261,136 KiB: malloc arena 261,120 + 4 thread stacks x 4\",\n" \
	"    \"resident\": \"+2,048 KiB: malloc arena 2,048\",\n" \
	"    \"peak_vm_size\": \"+296,240 KiB: malloc arena 262,144 + thread stack 32,784 + text (libc.so.6) 1,300 + goload itself 16 - text (program) 4\"\n" \
	"  },\n" \
	"  \"runs\": [\n" \
	"    {\n" \
	"      \"totals\": {\n" \
	"        \"vm_size\": {\"a\": 84430848, \"b\": 387780608, \"difference\": 303349760},\n" \
	"        \"target\": {\"a\": 67653632, \"b\": 370987008, \"difference\": 303333376},\n" \
	"        \"goload\": {\"a\": 16777216, \"b\": 16793600, \"difference\": 16384},\n" \
	"        \"unexplained\": {\"a\": 0, \"b\": 0, \"difference\": 0},\n" \
	"        \"reserved\": {\"a\": 62914560, \"b\": 330317824, \"difference\": 267403264},\n" \
	"        \"committed\": {\"a\": 4739072, \"b\": 40669184, \"difference\": 35930112},\n" \
	"        \"resident\": {\"a\": 0, \"b\": 2097152, \"difference\": 2097152},\n" \
	"        \"goload_resident\": {\"a\": 0, \"b\": 0, \"difference\": 0},\n" \
	"        \"peak_vm_size\": {\"a\": 84430848, \"b\": 387780608, \"difference\": 303349760},\n" \
	"        \"mappings\": {\"a\": 4, \"b\": 21, \"difference\": 17}\n" \
	"      },\n" \
	"      \"ledger\": [\n" \
	"        {\"kind\": \"malloc arena\", \"owner\": \"libc\", \"a\": 0, \"b\": 268435456, \"difference\": 268435456, \"why\": \"4 x 64 MiB\", \"committed\": {\"a\": 0, \"b\": 1048576, \"difference\": 1048576}, \"reserved\": {\"a\": 0, \"b\": 267386880, \"difference\": 267386880}, \"resident\": {\"a\": 0, \"b\": 2097152, \"difference\": 2097152}, \"peak_vm_size\": {\"a\": 0, \"b\": 268435456, \"difference\": 268435456}},\n" \
	"        {\"kind\": \"thread stack\", \"owner\": \"libc\", \"a\": 0, \"b\": 33570816, \"difference\": 33570816, \"why\": \"4 x 8,196 KiB\", \"committed\": {\"a\": 0, \"b\": 33554432, \"difference\": 33554432}, \"reserved\": {\"a\": 0, \"b\": 16384, \"difference\": 16384}, \"resident\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"peak_vm_size\": {\"a\": 0, \"b\": 33570816, \"difference\": 33570816}},\n" \
	"        {\"kind\": \"text\", \"owner\": \"libc.so.6\", \"a\": 0, \"b\": 1331200, \"difference\": 1331200, \"why\": \"1 mapping more\", \"committed\": {\"a\": 0, \"b\": 1331200, \"difference\": 1331200}, \"reserved\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"resident\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"peak_vm_size\": {\"a\": 0, \"b\": 1331200, \"difference\": 1331200}},\n" \
	"        {\"kind\": \"text\", \"owner\": \"program\", \"a\": 409600, \"b\": 405504, \"difference\": -4096, \"why\": null, \"committed\": {\"a\": 409600, \"b\": 405504, \"difference\": -4096}, \"reserved\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"resident\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"peak_vm_size\": {\"a\": 409600, \"b\": 405504, \"difference\": -4096}},\n" \
	"        {\"kind\": \"heap\", \"owner\": \"Go runtime\", \"a\": 67108864, \"b\": 67108864, \"difference\": 0, \"why\": null, \"committed\": {\"a\": 4194304, \"b\": 4194304, \"difference\": 0}, \"reserved\": {\"a\": 62914560, \"b\": 62914560, \"difference\": 0}, \"resident\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"peak_vm_size\": {\"a\": 67108864, \"b\": 67108864, \"difference\": 0}},\n" \
	"        {\"kind\": \"stack\", \"owner\": \"kernel\", \"a\": 135168, \"b\": 135168, \"difference\": 0, \"why\": null, \"committed\": {\"a\": 135168, \"b\": 135168, \"difference\": 0}, \"reserved\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"resident\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"peak_vm_size\": {\"a\": 135168, \"b\": 135168, \"difference\": 0}},\n" \
	"        {\"kind\": \"goload itself\", \"owner\": \"goload\", \"a\": 16777216, \"b\": 16793600, \"difference\": 16384, \"why\": null, \"committed\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"reserved\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"resident\": {\"a\": 0, \"b\": 0, \"difference\": 0}, \"peak_vm_size\": {\"a\": 16777216, \"b\": 16793600, \"difference\": 16384}}\n" \
	"      ],\n" \
	"      \"terms\": {\n" \
	"        \"vm_size\": \"+296,240 KiB: 4 threads x (8,196 + 65,536) + text (libc.so.6) 1,300 + goload itself 16 - text (program) 4\",\n" \
	"        \"committed\": \"+35,088 KiB: 4 thread stacks x 8,192 + text (libc.so.6) 1,300 + malloc arena 1,024 - text (program) 4\",\n" \
	"        \"reserved\": \"+261,136 KiB: malloc arena 261,120 + 4 thread stacks x 4\",\n" \
	"        \"resident\": \"+2,048 KiB: malloc arena 2,048\",\n" \
	"        \"peak_vm_size\": \"+296,240 KiB: malloc arena 262,144 + thread stack 32,784 + text (libc.so.6) 1,300 + goload itself 16 - text (program) 4\"\n" \
	"      }\n" \
	"    }\n" \
	"  ],\n" \
	"  \"distribution\": {\n" \
	"    \"totals\": {\n" \
	"      \"vm_size\": {\"a\": {\"min\": 84430848, \"median\": 84430848, \"max\": 84430848}, \"b\": {\"min\": 387780608, \"median\": 387780608, \"max\": 387780608}, \"difference\": {\"min\": 303349760, \"median\": 303349760, \"max\": 303349760}},\n" \
	"      \"committed\": {\"a\": {\"min\": 4739072, \"median\": 4739072, \"max\": 4739072}, \"b\": {\"min\": 40669184, \"median\": 40669184, \"max\": 40669184}, \"difference\": {\"min\": 35930112, \"median\": 35930112, \"max\": 35930112}},\n" \
	"      \"reserved\": {\"a\": {\"min\": 62914560, \"median\": 62914560, \"max\": 62914560}, \"b\": {\"min\": 330317824, \"median\": 330317824, \"max\": 330317824}, \"difference\": {\"min\": 267403264, \"median\": 267403264, \"max\": 267403264}},\n" \
	"      \"resident\": {\"a\": {\"min\": 0, \"median\": 0, \"max\": 0}, \"b\": {\"min\": 2097152, \"median\": 2097152, \"max\": 2097152}, \"difference\": {\"min\": 2097152, \"median\": 2097152, \"max\": 2097152}},\n" \
	"      \"peak_vm_size\": {\"a\": {\"min\": 84430848, \"median\": 84430848, \"max\": 84430848}, \"b\": {\"min\": 387780608, \"median\": 387780608, \"max\": 387780608}, \"difference\": {\"min\": 303349760, \"median\": 303349760, \"max\": 303349760}}\n" \
	"    },\n" \
	"    \"rows\": [\n" \
	"      {\"kind\": \"heap\", \"owner\": \"Go runtime\", \"constant\": true, \"a\": {\"min\": 67108864, \"median\": 67108864, \"max\": 67108864}, \"b\": {\"min\": 67108864, \"median\": 67108864, \"max\": 67108864}, \"count\": null},\n" \
	"      {\"kind\": \"text\", \"owner\": \"program\", \"constant\": true, \"a\": {\"min\": 409600, \"median\": 409600, \"max\": 409600}, \"b\": {\"min\": 405504, \"median\": 405504, \"max\": 405504}, \"count\": null},\n" \
	"      {\"kind\": \"stack\", \"owner\": \"kernel\", \"constant\": true, \"a\": {\"min\": 135168, \"median\": 135168, \"max\": 135168}, \"b\": {\"min\": 135168, \"median\": 135168, \"max\": 135168}, \"count\": null},\n" \
	"      {\"kind\": \"goload itself\", \"owner\": \"goload\", \"constant\": true, \"a\": {\"min\": 16777216, \"median\": 16777216, \"max\": 16777216}, \"b\": {\"min\": 16793600, \"median\": 16793600, \"max\": 16793600}, \"count\": null},\n" \
	"      {\"kind\": \"malloc arena\", \"owner\": \"libc\", \"constant\": true, \"a\": {\"min\": 0, \"median\": 0, \"max\": 0}, \"b\": {\"min\": 268435456, \"median\": 268435456, \"max\": 268435456}, \"count\": {\"a\": {\"min\": 0, \"median\": 0, \"max\": 0}, \"b\": {\"min\": 4, \"median\": 4, \"max\": 4}}},\n" \
	"      {\"kind\": \"thread stack\", \"owner\": \"libc\", \"constant\": true, \"a\": {\"min\": 0, \"median\": 0, \"max\": 0}, \"b\": {\"min\": 33570816, \"median\": 33570816, \"max\": 33570816}, \"count\": {\"a\": {\"min\": 0, \"median\": 0, \"max\": 0}, \"b\": {\"min\": 4, \"median\": 4, \"max\": 4}}},\n" \
	"      {\"kind\": \"text\", \"owner\": \"libc.so.6\", \"constant\": true, \"a\": {\"min\": 0, \"median\": 0, \"max\": 0}, \"b\": {\"min\": 1331200, \"median\": 1331200, \"max\": 1331200}, \"count\": null}\n" \
	"    ]\n" \
	"  },\n" \
	"  \"sentences\": [\n" \
	"    \"B has 289.3 MiB more VmSize than A.\"\n" \
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
	            "  A and B have the same VmSize, 369.8 MiB.\n\n"
	            "  VmSize     no difference\n");
	expect_part(text_of(&b, &b, &plain), "  no difference, 6 rows ");
}

Test(compare, turned_round_turns_the_signs)
{
	struct side a, b;

	servers(&a, &b);
	expect_part(text_of(&b, &a, &plain),
	            "B has 289.3 MiB less VmSize than A.\n");
	expect_part(
		text_of(&b, &a, &plain),
		"  VmSize     -296,240 KiB: - 4 threads x (8,196 + 65,536)");
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
	            "\"why\": null, ");
}

Test(compare, says_that_a_run_was_not_checked)
{
	struct side a, b;

	servers(&a, &b);
	a.ledger.checked = 0;
	expect_part(text_of(&a, &b, &plain), " A had no last look");
	expect_no_part(text_of(&a, &b, &plain), " B had no last look");
}

Test(compare, says_first_that_a_run_is_cut_short)
{
	struct side a, b;

	servers(&a, &b);
	b.run.torn = 1;
	b.ledger.checked = 0;
	expect_part(text_of(&a, &b, &plain),
	            "\n\n  B is cut short: what came then is missing. B has ");
	expect_no_part(text_of(&a, &b, &plain), "no last look");
	b.run.torn = 0;
	b.run.end = NULL;
	expect_part(text_of(&a, &b, NULL), "    \"B is cut short: ");
	expect_no_part(text_of(&a, &b, NULL), "A is cut short: ");
}

Test(compare, lines_up_programs_by_what_is_seen)
{
	struct side a, b;

	servers(&a, &b);
	a.run.path = "./h\xc3\xa4\xc3\xa4p";
	expect_part(text_of(&a, &b, &plain),
	            "A ./h\xc3\xa4\xc3\xa4p       go1.26.8, static\n"
	            "        B ./http.cgo   go1.26.8, ");
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
	            "12288, \"why\": \"2 mappings more\", ");
}

Test(compare, counts_only_what_is_exactly_so)
{
	static const struct {
		const char *kind, *owner;
		/* of B; A has none */
		uint64_t reserved, committed, mappings, makes;
		const char *why;
		uint64_t largest;
	} cases[] = {
		{ "malloc arena", "libc", 127 * MIB, MIB, 4, 2, "2 x 64 MiB",
		  64 * MIB },
		/* and a block that malloc mapped on its own */
		{ "malloc arena", "libc", 127 * MIB, 2 * MIB, 5, 3, "3 more",
		  64 * MIB },
		{ "malloc arena", "program", 127 * MIB, MIB, 4, 2,
		  "4 mappings more", 64 * MIB },
		{ "thread stack", "libc", 4 * KIB, 64 * KIB, 2, 1, "1 x 68 KiB",
		  68 * KIB },
		{ "thread stack", "libc", 0, 16 * MIB, 2, 2, "2 x 8 MiB",
		  8 * MIB },
		/* 4, 8 and 12 MiB: the mean of others */
		{ "thread stack", "libc", 12 * KIB, 24 * MIB, 6, 3, "3 more",
		  12 * MIB + 4 * KIB },
		{ "heap", "Go runtime", 60 * MIB, 4 * MIB, 2, 1,
		  "2 mappings more", 64 * MIB },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct side a, b;
		char part[64];

		side_make(&a, "a", FILE_STATIC);
		side_make(&b, "b", FILE_STATIC);
		side_row(&b, cases[i].kind, cases[i].owner, cases[i].reserved,
		         cases[i].committed, cases[i].mappings, cases[i].makes);
		b.row[0].largest = cases[i].largest;
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

/* ---- sums in words ------------------------------------------------------ */

/* What is behind the name of a total in the document. */
static void expect_terms(const struct side *a, const struct side *b,
                         const char *total, const char *terms)
{
	char part[512];

	snprintf(part, sizeof(part), "\n    \"%s\": \"%s\"", total, terms);
	expect_part(text_of(a, b, NULL), part);
}

static void empty_sides(struct side *a, struct side *b)
{
	side_make(a, "a", FILE_STATIC);
	side_make(b, "b", FILE_STATIC);
}

Test(compare_terms, joins_a_stack_and_an_arena_to_a_thread)
{
	struct side a, b;

	empty_sides(&a, &b);
	side_row(&a, "thread stack", "libc", 4 * KIB, 8 * MIB, 2, 1);
	side_row(&a, "malloc arena", "libc", 0, 64 * MIB, 1, 1);
	side_row(&b, "thread stack", "libc", 20 * KIB, 40 * MIB, 10, 5);
	side_row(&b, "malloc arena", "libc", 128 * MIB, 64 * MIB, 3, 3);
	expect_terms(&a, &b, "vm_size",
	             "+163,856 KiB: 2 threads x (8,196 + 65,536) + "
	             "2 thread stacks x 8,196");
	expect_terms(&b, &a, "vm_size",
	             "-163,856 KiB: - 2 threads x (8,196 + 65,536) - "
	             "2 thread stacks x 8,196");
	expect_terms(&a, &b, "committed",
	             "+32,768 KiB: 4 thread stacks x 8,192");
	expect_terms(&a, &b, "reserved",
	             "+131,088 KiB: malloc arena 131,072 + "
	             "4 thread stacks x 4");
}

Test(compare_terms, does_not_join_what_goes_and_what_comes)
{
	struct side a, b;

	empty_sides(&a, &b);
	side_row(&a, "thread stack", "libc", 4 * KIB, 8 * MIB, 2, 1);
	side_row(&b, "malloc arena", "libc", 0, 64 * MIB, 1, 1);
	expect_terms(&a, &b, "vm_size",
	             "+57,340 KiB: 1 malloc arena x 65,536 - "
	             "1 thread stack x 8,196");
}

Test(compare_terms, counts_arenas_of_the_go_heap)
{
	struct side a, b;

	empty_sides(&a, &b);
	side_row(&a, "heap", "Go runtime", 60 * MIB, 4 * MIB, 2, 2);
	side_row(&b, "heap", "Go runtime", 100 * MIB, 92 * MIB, 2, 2);
	expect_terms(&a, &b, "vm_size", "+131,072 KiB: 2 heap arenas x 65,536");
	expect_terms(&a, &b, "committed", "+90,112 KiB: heap 90,112");
}

Test(compare_terms, takes_the_segments_of_a_library_together)
{
	struct side a, b;

	empty_sides(&a, &b);
	side_row(&b, "libc.so.6 text", "libc", 0, 1800 * KIB, 3, 3);
	side_row(&b, "libc.so.6 data", "libc", 0, 76 * KIB, 3, 3);
	side_row(&b, "libz.so.1 text", "library", 0, 100 * KIB, 3, 3);
	side_row(&b, "text", "program", 0, 4 * KIB, 1, 1);
	expect_terms(&a, &b, "vm_size",
	             "+1,980 KiB: libc.so.6 1,876 + libz.so.1 100 + text 4");
}

Test(compare_terms, take_no_library_for_what_it_is_named_as)
{
	struct side a, b;

	empty_sides(&a, &b);
	side_row(&b, "thread stack", "libc", 16 * KIB, 32 * MIB, 8, 4);
	side_row(&b, "thread stack text", "library", 0, 100 * KIB, 3, 3);
	side_row(&b, "thread stack data", "library", 0, 4 * KIB, 1, 1);
	expect_terms(&a, &b, "vm_size",
	             "+32,888 KiB: 4 thread stacks x 8,196 + thread stack 104");
}

Test(compare_terms, tells_rows_of_one_kind_by_their_owner)
{
	struct side a, b;

	empty_sides(&a, &b);
	side_row(&b, "data", "program", 0, 8 * KIB, 1, 1);
	side_row(&b, "data", "plugin", 0, 4 * KIB, 1, 1);
	expect_terms(&a, &b, "vm_size",
	             "+12 KiB: data (program) 8 + data (plugin) 4");
}

Test(compare_terms, adds_up_what_is_behind_the_eighth)
{
	static const char *const kinds[] = { "a", "b", "c", "d", "e",
		                             "f", "g", "h", "i", "j" };
	struct side a, b;

	empty_sides(&a, &b);
	for (uint64_t i = 0; i < 9; i++)
		side_row(&b, kinds[i], "program", 0, (20 - i) * KIB, 1, 1);
	expect_terms(&a, &b, "vm_size",
	             "+144 KiB: a 20 + b 19 + c 18 + d 17 + e 16 + f 15 + "
	             "g 14 + h 13 + i 12");
	side_row(&a, kinds[9], "program", 0, 4 * KIB, 1, 1);
	expect_terms(&a, &b, "vm_size",
	             "+140 KiB: a 20 + b 19 + c 18 + d 17 + e 16 + f 15 + "
	             "g 14 + h 13 + other 2 rows 8");
}

Test(compare_terms, are_in_bytes_where_those_are_no_whole_kib)
{
	struct side a, b;

	empty_sides(&a, &b);
	side_row(&b, "text", "program", 0, 4097, 1, 1);
	expect_terms(&a, &b, "vm_size", "+4,097 B: text 4,097");
}

Test(compare_terms, come_to_nothing_when_rows_balance)
{
	struct side a, b;

	empty_sides(&a, &b);
	side_row(&a, "data", "program", 0, 4 * KIB, 1, 1);
	side_row(&b, "bss", "program", 0, 4 * KIB, 1, 1);
	expect_terms(&a, &b, "vm_size", "0 KiB: bss 4 - data 4");
}

/* ---- the peak ----------------------------------------------------------- */

static struct ledger_life life_of(const char *kind, const char *owner,
                                  uint64_t at, uint64_t size, uint64_t from,
                                  uint64_t until)
{
	return (struct ledger_life){ .kind = kind,
		                     .owner = owner,
		                     .start = at,
		                     .end = at + size,
		                     .from = from,
		                     .until = until,
		                     .last = until == 0 };
}

/* B had 128 MiB for a moment, of which 64 are left. */
static char *peak_of(uint64_t peak)
{
	struct ledger_life life[] = {
		life_of("malloc arena", "libc", 1 << 30, 128 * MIB, 5, 6),
		life_of("stubs", "goload", 1 << 20, 4 * KIB, 1, 0),
		life_of("malloc arena", "libc", 1 << 30, 64 * MIB, 6, 0),
	};
	struct ledger_lives lives = { .life = life, .count = 3 };
	struct report_compare *compare = report_compare_open();
	struct side a, b;

	/* lives come in order of their beginning */
	struct ledger_life first = life[0];

	life[0] = life[1];
	life[1] = first;
	empty_sides(&a, &b);
	side_goload(&a, 4 * KIB);
	side_row(&b, "malloc arena", "libc", 63 * MIB, MIB, 2, 1);
	side_goload(&b, 4 * KIB);
	b.ledger.peak_vm_size = peak;
	b.ledger.duration = 10;
	cr_assert(compare != NULL);
	add(compare, REPORT_A, &a);
	cr_assert(report_compare_add(compare, REPORT_B, &b.ledger, &lives));
	return text_as(compare, REPORT_JSON, NULL);
}

Test(compare_peak, has_the_rows_of_that_moment)
{
	char *text = peak_of(128 * MIB + 4 * KIB);

	expect_in(text, "\"peak_vm_size\": \"+131,072 KiB: malloc "
	                "arena 131,072\"");
	expect_part(text, "\"peak_vm_size\": {\"a\": 0, \"b\": 134217728, "
	                  "\"difference\": 134217728}");
}

Test(compare_peak, is_a_total_only_where_its_rows_do_not_add_up)
{
	char *text = peak_of(192 * MIB);

	expect_in(text, "\"peak_vm_size\": null\n");
	expect_part(text, "\"peak_vm_size\": null}");
}

/* ---- several runs ------------------------------------------------------- */

/* Three runs of each: A is always the same, B has these arenas. */
static struct report_compare *three_of(const uint64_t arenas[static 3])
{
	struct report_compare *compare = report_compare_open();

	cr_assert(compare != NULL);
	for (size_t i = 0; i < 3; i++) {
		struct side a, b;

		empty_sides(&a, &b);
		side_row(&a, "text", "program", 0, MIB, 1, 1);
		side_row(&b, "text", "program", 0, MIB, 1, 1);
		side_row(&b, "malloc arena", "libc", 0, arenas[i] * 64 * MIB,
		         arenas[i], arenas[i]);
		side_goload(&a, 4 * KIB);
		side_goload(&b, 4 * KIB);
		add(compare, REPORT_A, &a);
		add(compare, REPORT_B, &b);
	}
	return compare;
}

static struct report_compare *three(void)
{
	return three_of((const uint64_t[]){ 2, 4, 3 });
}

Test(compare_runs, shows_the_one_in_the_middle)
{
	char *text = text_as(three(), REPORT_TEXT, &plain);

	expect_in(text, "3 runs of each, in turn; shown: run 2 of A, "
	                "run 3 of B");
	expect_in(text, "B has 192.0 MiB more VmSize than A. In 3 "
	                "pairs of runs the difference was +128.0 MiB to\n"
	                "  +256.0 MiB, in the middle +192.0 MiB.");
	expect_part(text, "  VmSize     +196,608 KiB: 3 malloc arenas x "
	                  "65,536\n");
}

Test(compare_runs, says_what_varies_and_what_does_not)
{
	char *text = text_as(three(), REPORT_TEXT, &plain);

	expect_in(text, "  2 rows have the same size in every run of A "
	                "and in every run of B, 1 varies:\n");
	expect_part(text, "  malloc arena             B     128.0 MiB     "
	                  "192.0 MiB     256.0 MiB   2 to 4\n");
}

/* One that was there at the peak alone is in no table. */
Test(compare_runs, count_the_rows_of_the_table)
{
	struct ledger_life life[] = {
		life_of("text", "program", 1 << 20, MIB, 1, 0),
		life_of("stubs", "goload", 1 << 25, 4 * KIB, 1, 0),
		life_of("brk heap", "libc", 1 << 30, MIB, 1, 2),
	};
	struct ledger_lives lives = { .life = life, .count = 3 };
	struct report_compare *compare = report_compare_open();
	struct side side;

	side_make(&side, "a", FILE_STATIC);
	side_row(&side, "text", "program", 0, MIB, 1, 1);
	side_goload(&side, 4 * KIB);
	side.ledger.peak_vm_size = 2 * MIB + 4 * KIB;
	side.ledger.duration = 10;
	cr_assert(compare != NULL);
	for (int i = 0; i < 4; i++)
		cr_assert(report_compare_add(compare, i % 2, &side.ledger,
		                             &lives));
	expect_part(text_as(compare, REPORT_TEXT, &plain),
	            "  All 2 rows have the same size in every run.\n");
}

Test(compare_runs, has_each_pair_of_runs_in_the_document)
{
	char *text = text_as(three(), REPORT_JSON, NULL);
	const char *pairs = strstr(text, "\"runs\": [");

	cr_assert(pairs != NULL);
	for (size_t i = 0; i < 3; i++) {
		static const char *const terms[] = {
			"\"+131,072 KiB: 2 malloc arenas x 65,536\"",
			"\"+262,144 KiB: 4 malloc arenas x 65,536\"",
			"\"+196,608 KiB: 3 malloc arenas x 65,536\"",
		};

		pairs = strstr(pairs, terms[i]);
		cr_assert(pairs != NULL, "%s", terms[i]);
	}
	expect_part(text, "\"kind\": \"malloc arena\", \"owner\": \"libc\", "
	                  "\"constant\": false, \"a\": {\"min\": 0, "
	                  "\"median\": 0, \"max\": 0}, \"b\": {\"min\": "
	                  "134217728, \"median\": 201326592, \"max\": "
	                  "268435456}, \"count\": {\"a\": {\"min\": 0, "
	                  "\"median\": 0, \"max\": 0}, \"b\": {\"min\": 2, "
	                  "\"median\": 3, \"max\": 4}}");
}

Test(compare_runs, are_dots_on_the_page)
{
	char *text = text_as(three(), REPORT_HTML, &plain);
	const char *at = text;
	int dots = 0;

	while ((at = strstr(at, "<rect ")))
		dots++, at++;
	cr_expect(eq(int, dots, 6));
	free(text);
}

/* ---- what if ------------------------------------------------------------ */

static char *what_if(uint64_t before, uint64_t now)
{
	struct side a, b;
	struct report_compare *compare;

	empty_sides(&a, &b);
	side_row(&a, "malloc arena", "libc", 0, before * 64 * MIB, before,
	         before);
	side_row(&b, "malloc arena", "libc", 0, now * 64 * MIB, now, now);
	compare = two(&a, &b);
	cr_assert(report_compare_what_if(compare, "MALLOC_ARENA_MAX=1"));
	return text_as(compare, REPORT_TEXT, &plain);
}

Test(compare_what_if, says_what_a_setting_takes_away)
{
	expect_part(what_if(4, 1),
	            "  MALLOC_ARENA_MAX=1 takes 192.0 MiB of VmSize away: "
	            "3 x 64 MiB malloc arena.\n");
	expect_part(what_if(1, 2), "  MALLOC_ARENA_MAX=1 adds 64.0 MiB to "
	                           "VmSize: 1 x 64 MiB malloc arena.\n");
	expect_part(what_if(1, 1),
	            "  MALLOC_ARENA_MAX=1 changes nothing of VmSize.\n");
	expect_part(what_if(1, 1), "static, with MALLOC_ARENA_MAX=1\n");
}

static char *what_if_three(uint64_t first, uint64_t second, uint64_t third)
{
	struct report_compare *compare =
		three_of((const uint64_t[]){ first, second, third });

	cr_assert(report_compare_what_if(compare, "GOGC=50"));
	return text_as(compare, REPORT_TEXT, &plain);
}

Test(compare_what_if, takes_no_noise_for_the_effect)
{
	expect_part(
		what_if_three(0, 1, 2),
		"  GOGC=50 changes nothing of VmSize that runs do not change "
		"by themselves. In 3 pairs of\n");
	expect_part(what_if_three(0, 0, 0),
	            "  GOGC=50 changes nothing of VmSize. In 3 pairs");
	expect_part(what_if_three(1, 1, 2),
	            "  GOGC=50 adds 64.0 MiB to VmSize: 1 x 64 MiB");
}

/* ---- from one Go to another --------------------------------------------- */

static void go_sides(struct side *a, const char *go_of_a, struct side *b,
                     const char *go_of_b)
{
	empty_sides(a, b);
	a->run.go_version = go_of_a;
	b->run.go_version = go_of_b;
}

static const char index_jump[] =
	"scavenge index: 8 MiB in go1.19.8, 512 MiB in go1.26.8: since Go 1.21";

Test(compare_go, explains_what_the_version_has_changed)
{
	struct side a, b;

	go_sides(&a, "go1.19.8", &b, "go1.26.8");
	side_row(&a, "scavenge index", "Go runtime", 4 * MIB, 4 * MIB, 1, 1);
	side_row(&b, "scavenge index", "Go runtime", 512 * MIB, 0, 1, 1);
	expect_part(text_of(&a, &b, NULL), index_jump);
	expect_part(text_of(&b, &a, NULL),
	            "scavenge index: 512 MiB in go1.26.8, 8 MiB in go1.19.8: "
	            "since Go 1.21");
}

Test(compare_go, explains_nothing_that_has_another_size)
{
	struct side a, b;

	go_sides(&a, "go1.19.8", &b, "go1.26.8");
	side_row(&a, "scavenge index", "Go runtime", 8 * MIB, 0, 1, 1);
	side_row(&b, "scavenge index", "Go runtime", 512 * MIB + 4096, 0, 1, 1);
	expect_no_part(text_of(&a, &b, NULL), "since Go 1.");
}

Test(compare_go, explains_nothing_between_versions_that_are_alike)
{
	static const char *const versions[][2] = {
		{ "go1.21.13", "go1.26.8" }, { "go1.26.8", "go1.26.8" },
		{ NULL, "go1.26.8" },        { "go1.19.8", NULL },
		{ "devel", "go1.26.8" },     { "go1.18.1", "go1.26.8" },
	};

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		struct side a, b;

		go_sides(&a, versions[i][0], &b, versions[i][1]);
		side_row(&a, "scavenge index", "Go runtime", 8 * MIB, 0, 1, 1);
		side_row(&b, "scavenge index", "Go runtime", 512 * MIB, 0, 1,
		         1);
		expect_no_part(text_of(&a, &b, NULL), "since Go 1.");
	}
}

Test(compare_go, knows_the_page_summary_since_1_14)
{
	struct side a, b;

	go_sides(&a, "go1.13.8", &b, "go1.16.3");
	side_row(&b, "page summary", "Go runtime", 613548032, 0, 5, 5);
	expect_part(text_of(&a, &b, NULL),
	            "page summary: none in go1.13.8, 599,168 KiB (585.1 MiB) "
	            "in go1.16.3: since Go 1.14");
	go_sides(&a, "go1.14.2", &b, "go1.16.3");
	side_row(&a, "page summary", "Go runtime", 613548032, 0, 5, 5);
	side_row(&b, "page summary", "Go runtime", 613548032, 0, 5, 5);
	expect_part(text_of(&a, &b, NULL),
	            "page summary: 599,168 KiB (585.1 MiB) in both: since");
}

Test(compare_go, counts_metadata_by_the_arena)
{
	struct side a, b;

	go_sides(&a, "go1.19.8", &b, "go1.22.1");
	side_row(&a, "heap", "Go runtime", 0, 128 * MIB, 2, 2);
	side_row(&b, "heap", "Go runtime", 0, 192 * MIB, 3, 3);
	side_row(&a, "heap metadata", "Go runtime", 0, 2 * 2116 * KIB, 2, 2);
	side_row(&b, "heap metadata", "Go runtime", 0, 3 * 68 * KIB, 3, 3);
	expect_part(text_of(&a, &b, NULL),
	            "an arena of the heap has no bitmap");
	b.row[1].committed = 400 * KIB;
	expect_no_part(text_of(&a, &b, NULL), "heap has no bitmap");
}

Test(compare_go, knows_what_crypto_brings)
{
	static const struct {
		const char *from, *to;
		uint64_t more;
		int told;
	} cases[] = {
		{ "go1.25.7", "go1.26.8", 32 * MIB + 8 * KIB, 1 },
		{ "go1.25.7", "go1.26.8", 40 * MIB, 0 },
		{ "go1.24.1", "go1.25.7", 32 * MIB, 0 },
		{ "go1.26.8", "go1.25.7", 32 * MIB, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct side a, b;

		go_sides(&a, cases[i].from, &b, cases[i].to);
		side_row(&a, "bss", "program", 0, 200 * KIB, 1, 1);
		side_row(&b, "bss", "program", 0, 200 * KIB + cases[i].more, 1,
		         1);
		if (cases[i].told)
			expect_part(text_of(&a, &b, NULL),
			            "bss: 32 MiB of it may be ");
		else
			expect_no_part(text_of(&a, &b, NULL), "bss: ");
	}
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

Test(compare, lets_no_text_of_others_be_markup)
{
	struct side a, b;
	char *text;

	servers(&a, &b);
	a.run.path = "./<b>|`*";
	a.run.go_version = "go1.26 <b>|";
	b.row[1].kind = "<i>'\"";
	b.row[3].owner = "\xff&lt;\n|";
	text = text_as(two(&a, &b), REPORT_HTML, &plain);
	expect_in(text, "<code>./&#60;b&#62;|`*</code>");
	expect_in(text, "&#60;i&#62;&#39;&#34;");
	expect_in(text, "\xef\xbf\xbd&#38;lt;?|");
	expect_no_part(text, "<b>|");
	text = text_as(two(&a, &b), REPORT_MARKDOWN, &plain);
	expect_in(text, "| A | ./&#60;b&#62;&#124;&#96;&#42; | go1.26 "
	                "&#60;b&#62;&#124;, static |");
	expect_in(text, "\xef\xbf\xbd&#38;lt;?&#124;");
	expect_no_part(text, "<i>");
}

Test(compare, is_a_page_with_all_rows_to_one_scale)
{
	struct side a, b;
	char *text;

	servers(&a, &b);
	text = text_as(two(&a, &b), REPORT_HTML, &plain);
	/* 64 of 369.8 MiB, in both */
	expect_in(text, "style=\"width:17.3059%;background:var(--c2)\" "
	                "title=\"heap, 64.0 MiB\"");
	expect_part(text, "<td class=\"number\">+256.0 MiB</td>");
}
