/*
 * The report of one small run, as text and as JSON: to the letter.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "observer/report/report.h"
#include "tests/report_golden.h"
#include "tests/run_builder.h"

#define MIB (1ull << 20)

/* 64 MiB of reservation, 4 of it committed; a program of three segments; the
 * stack; goload's own; 100 ms. */
static struct ledger *small_run(struct run *run)
{
	*run = run_new();
	run_look(run, FILE_LOOK_BOOT, run_line(90000, 33, "rw-", "[stack]"));
	run_fact(run, SPAN(30000, 100), PROT_READ | PROT_EXEC, TRACE_WHAT_FILE);
	run_fact(run, SPAN(30100, 50), RW, TRACE_WHAT_BSS);
	run_fact(run, SPAN(40000, 16), RW, TRACE_WHAT_RING);
	run->tsc = 20000000;
	run_sample(run, 40 * PAGE, 10 * PAGE);
	STACK(run, SYSMMAP, SYSRESERVE, HSYSALLOC, GROW, SCHEDINIT);
	run_mmap(run, BASE, 64 * MIB, PROT_NONE, ANON);
	run->tsc = 60000000;
	STACK(run, SYSMMAP, SYSMAP, GROW, MALLOCGC, MAIN);
	run_mmap(run, BASE, 4 * MIB, RW, ANON | MAP_FIXED);
	run->tsc = 100000000;
	run_resident(run, BASE, 2 * MIB, 2 * MIB);
	return ledger_of(
		run, lines(lines(RW_LINE(0, 1024), NONE_LINE(1024, 15360), ""),
	                   run_line(30000, 100, "r-x", "/http"),
	                   lines(RW_LINE(30100, 50), RW_LINE(40000, 16),
	                         run_line(90000, 33, "rw-", "[stack]"))));
}

static char *text_of(const struct ledger *ledger,
                     const struct report_style *style)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (style)
		report_text(out, ledger, style);
	else
		report_json(out, ledger);
	fclose(out);
	return text;
}

static const struct report_style plain = { 0 };

/* The report of what the test put into `run`, and nothing else left. */
static char *report_of(struct run *run, const char *look,
                       const struct report_style *style)
{
	struct ledger *ledger = ledger_of(run, look);
	char *text = text_of(ledger, style);

	done(run, ledger);
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

Test(report, is_one_screen)
{
	struct run run;
	struct ledger *ledger = small_run(&run);

	expect_text(text_of(ledger, &plain), GOLDEN_TEXT);
	done(&run, ledger);
}

Test(report, is_one_document)
{
	struct run run;
	struct ledger *ledger = small_run(&run);

	expect_text(text_of(ledger, NULL), GOLDEN_JSON);
	done(&run, ledger);
}

Test(report, is_plain_ascii_on_request)
{
	const struct report_style style = { .ascii = 1, .width = 74 };
	struct run run;
	struct ledger *ledger = small_run(&run);
	char *text = text_of(ledger, &style);

	for (const char *at = text; *at; at++)
		cr_expect(at[0] > 0, "%s", at);
	expect_part(text, "...\n");
	done(&run, ledger);
}

Test(report, has_the_bytes_of_its_table_on_request)
{
	const struct report_style style = { .exact = 1 };
	struct run run;
	struct ledger *ledger = small_run(&run);

	expect_part(text_of(ledger, &style), GOLDEN_EXACT);
	expect_part(text_of(ledger, &style), GOLDEN_EXACT_CHART);
	done(&run, ledger);
}

Test(report, cuts_what_is_behind_the_numbers_to_the_width)
{
	const struct report_style style = { .width = 70 };
	struct run run;
	struct ledger *ledger = small_run(&run);

	expect_part(text_of(ledger, &style), "   main.handle…\n");
	ledger->own[0].kind = "ring and more";
	expect_part(text_of(ledger, &style), "   ring and mo…\n");
	done(&run, ledger);
}

Test(report, lists_what_is_unexplained)
{
	const struct report_style style = { .colour = 1 };
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 1), RW, ANON);
	expect_part(report_of(&run, RW_LINE(0, 3), &style),
	            "8 KiB is unexplained.\n"
	            "    7f0000001000-7f0000003000  8 KiB\n");
	run = run_new();
	expect_part(report_of(&run, RW_LINE(0, 3), &style),
	            "  unexplained   \033[1;31m12 KiB\033[0m\n");
}

Test(report, says_that_nothing_was_checked)
{
	struct run run = run_new();

	expect_part(report_of(&run, NULL, &plain),
	            "  unexplained   not checked\n");
}

/* A ledger of these rows alone. */
static char *text_of_rows(struct ledger_row *row, size_t count,
                          const struct report_style *style)
{
	struct run run = run_new();
	struct ledger *ledger = ledger_of(&run, NULL);
	struct ledger shown = *ledger;
	char *text;

	shown.row = row;
	shown.row_count = count;
	text = text_of(&shown, style);
	done(&run, ledger);
	return text;
}

Test(report, has_a_line_for_memstats)
{
	const struct file_memstats stats = { .available = 1, .sys = 8 * MIB };
	const struct report_style narrow = { .width = 80 };
	struct ledger_row row[] = {
		{ .kind = "bss", .owner = "program", .committed = 4 * MIB },
		{ .kind = "text", .owner = "program", .committed = 3 * MIB },
		{ .kind = "data", .owner = "program", .committed = 2 * MIB },
		{ .kind = "stack", .owner = "kernel", .committed = MIB },
	};
	struct run run = run_new();
	struct ledger *ledger = ledger_of(&run, NULL);
	struct ledger shown = *ledger;

	shown.row = row;
	shown.row_count = 4;
	shown.memstats.last = &stats;
	expect_part(text_of(&shown, &plain),
	            "\n  MemStats.Sys               -     8.0 MiB           -"
	            "   does not count bss, text, data, ...\n");
	shown.row_count = 3;
	expect_part(text_of(&shown, &narrow),
	            "           -   does not count bss, t…\n");
	expect_part(text_of(&shown, &plain), "count bss, text, data\n");
	done(&run, ledger);
}

Test(report, cuts_long_kinds_in_their_middle)
{
	struct ledger_row row = { .kind = "libsomething-very-long-é.so.12 text",
		                  .owner = "library",
		                  .committed = MIB };
	const struct report_style ascii = { .ascii = 1 };

	expect_part(text_of_rows(&row, 1, &plain),
	            "\n  libsomething-very-…12 text           -     1.0 MiB");
	expect_part(text_of_rows(&row, 1, &ascii),
	            "\n  libsomething-ver...12 text           -     1.0 MiB");
}

Test(report, folds_small_rows_of_a_long_table)
{
	static const char *const kinds[] = {
		"text",         "rodata",         "data",       "bss",
		"stack",        "heap",           "spans",      "gc bits",
		"page summary", "scavenge index", "heap index", "heap metadata",
		"TLS",          "vDSO, vvar",     "aio ring",   "uprobes",
	};
	struct ledger_row row[16] = { 0 };
	struct run run = run_new();
	struct ledger *ledger = ledger_of(&run, NULL);
	struct ledger shown = *ledger;

	for (size_t i = 0; i < 16; i++)
		row[i] =
			(struct ledger_row){ .kind = kinds[i],
			                     .owner = "kernel",
			                     .committed = i < 14 ? MIB : PAGE };
	shown.committed = 14 * MIB + 2 * PAGE;
	shown.row = row;
	shown.row_count = 15;
	expect_part(text_of(&shown, &plain), "  other, 1 row  ");
	shown.row_count = 16;
	expect_part(text_of(&shown, &plain), "  other, 2 rows ");
	done(&run, ledger);
}

Test(report, escapes_what_json_cannot_hold)
{
	struct run run = run_new();
	struct ledger *ledger = ledger_of(&run, NULL);
	struct ledger_run other = *ledger->run;

	other.path = "a\"\\\n\x1b\xc3\xa9\xff\xed\xa0\x80z";
	ledger->run = &other;
	expect_part(text_of(ledger, NULL),
	            "\"path\": \"a\\\"\\\\\\u000a\\u001b\xc3\xa9"
	            "\\ufffd\\ufffd\\ufffd\\ufffdz\"");
	done(&run, ledger);
}

Test(report, sends_no_control_codes_of_others_to_the_terminal)
{
	struct run run = run_new();
	struct ledger *ledger = ledger_of(&run, NULL);
	struct ledger_run other = *ledger->run;

	other.path = "./a\x1b[2J";
	ledger->run = &other;
	expect_part(text_of(ledger, &plain), "goload: ./a?[2J: go1.26.8");
	done(&run, ledger);
}

/* ---- whose calls the net carried ----------------------------------------- */

#define LIBRARY  "/lib/libtest.so"
#define LIB_BIAS (BASE + 200 * PAGE)

/* Code at 0x10 (patched), 0x20 (no room), 0x30 (flags), 0x40 (patched). */
static void run_library(struct run *run)
{
	const struct file_module module = { .bias = LIB_BIAS,
		                            .start = LIB_BIAS,
		                            .end = LIB_BIAS + PAGE,
		                            .kind = PATCH_MODULES };
	const struct file_site site[] = {
		{ 0x10, 9, PATCH_MODULES, 1, 5, 0 },
		{ 0x20, 0, PATCH_MODULES, 5, 0, 0 },
		{ 0x30, -1, PATCH_MODULES, 6, 0, 0 },
		{ 0x40, 9, PATCH_MODULES, 1, 5, 0 },
	};

	run_block(run, FILE_MODULE, &module, sizeof(module), LIBRARY,
	          sizeof(LIBRARY));
	run_block(run, FILE_SITES, site, sizeof(site), "", 0);
}

static void net_call(struct run *run, uint64_t site)
{
	run->flags = TRACE_BY_NET;
	run_put(run, (struct trace_event){ .call = SYS_madvise,
	                                   .site = site,
	                                   .ticket = run->ticket++,
	                                   .tsc = run->tsc });
}

static int lib_namer(void *context, uint64_t address,
                     struct ledger_place *place)
{
	(void)context;
	*place = (struct ledger_place){ .function = "read_one",
		                        .start = LIB_BIAS + 8 };
	return address < LIB_BIAS + 0x38;
}

/* The report of a run that ends with this many hits. */
static char *net_report(struct run *run, uint64_t hits, uint32_t options,
                        const struct report_style *style)
{
	struct file_end end = { .kind = FILE_END_EXITED, .net_hits = hits };
	struct file_program program;
	enum file_error error;
	struct ledger *ledger;
	char *text;

	run_block(run, FILE_END, &end, sizeof(end), "", 0);
	run->read = ledger_read(run->bytes, run->size, &error);
	cr_assert(run->read != NULL);
	program = *run->read->program;
	program.options |= options;
	run->read->program = &program;
	ledger = ledger_build(run->read, lib_namer, NULL);
	cr_assert(ledger != NULL);
	text = text_of(ledger, style);
	done(run, ledger);
	return text;
}

Test(report, says_nothing_of_a_net_that_carried_nothing)
{
	struct run run = run_new();
	char *text;

	run_library(&run);
	text = net_report(&run, 0, 0, &plain);
	cr_expect(strstr(text, "carried") == NULL, "%s", text);
	free(text);
}

Test(report, names_the_sites_that_the_net_carried)
{
	struct run run = run_new();

	run_library(&run);
	net_call(&run, LIB_BIAS + 0x40);
	for (int i = 0; i < 2; i++)
		net_call(&run, LIB_BIAS + 0x20);
	expect_part(
		net_report(&run, 3, 0, &plain),
		"  The net carried 3 calls, all about memory. 2 of 4 sites are "
		"patched, not these:\n"
		"             2  read_one+0x18 libtest.so                    "
		" left to the net: no room for a jump\n"
		"             1  0x40 libtest.so                             "
		" not patched: the code in memory was not changed\n\n");
}

Test(report, names_the_sites_that_calls_without_events_can_be_of)
{
	struct run run = run_new();

	run_library(&run);
	net_call(&run, LIB_BIAS + 0x30);
	expect_part(
		net_report(&run, 1000, 0, &plain),
		"  The net carried 1,000 calls, 1 about memory. Only these are "
		"counted by site. 2 of 4 sites\n  are patched, not these:\n"
		"             1  read_one+0x28 libtest.so                    "
		" left to the net: the flags are read\n"
		"             -  read_one+0x18 libtest.so                    "
		" left to the net: no room for a jump\n\n");
}

Test(report, tells_calls_of_code_in_no_file)
{
	struct run run = run_new();

	net_call(&run, 0x1234);
	expect_part(net_report(&run, 2, 0, &plain),
	            "  The net carried 2 calls, 1 about memory. The rest came "
	            "from code that is in no file or was\n  not changed, or "
	            "from int $0x80.\n"
	            "             1  0x1234                                  "
	            "     not patched: in no file, made while the program ran"
	            "\n");
	run = run_new();
	run_library(&run);
	net_call(&run, LIB_BIAS + 0x50);
	expect_part(net_report(&run, 1, 0, &plain),
	            " not patched: no syscall instruction of the file\n");
}

Test(report, lists_ten_of_many_sites)
{
	struct run run = run_new();

	for (uint64_t i = 0; i < 12; i++)
		net_call(&run, 0x1000 + i);
	expect_part(net_report(&run, 12, 0, &plain),
	            "                2 more\n\n");
}

Test(report, says_that_nothing_was_patched_on_request)
{
	struct run run = run_new();

	run_library(&run);
	net_call(&run, LIB_BIAS + 0x10);
	expect_part(net_report(&run, 7, SESSION_NO_PATCH, &plain),
	            "  Only the ends of threads were patched (--patch=none): "
	            "the net carried 7 calls.\n\n");
	run = run_new();
	run_library(&run);
	net_call(&run, LIB_BIAS + 0x10);
	expect_part(net_report(&run, 7, SESSION_NO_PATCH, NULL),
	            "    \"sites\": 4,\n"
	            "    \"sites_patched\": 0,\n"
	            "    \"net_sites\": [\n"
	            "      {\n"
	            "        \"module\": \"" LIBRARY "\",\n"
	            "        \"address\": \"0x7f00000c8010\",\n"
	            "        \"in_file\": \"0x10\",\n"
	            "        \"function\": \"read_one\",\n"
	            "        \"offset\": 8,\n"
	            "        \"calls\": 1,\n"
	            "        \"why\": \"not patched: --patch=none\"\n"
	            "      }\n"
	            "    ]\n");
}

Test(report, writes_sizes_for_people)
{
	static const struct {
		uint64_t bytes;
		int dash;
		const char *text;
	} cases[] = {
		{ 0, 0, "0" },
		{ 0, 1, "-" },
		{ 1000, 0, "1,000 B" },
		{ 4096, 0, "4 KiB" },
		{ 1536, 0, "1.5 KiB" },
		{ 1020 * 1024, 0, "1,020 KiB" },
		{ MIB, 0, "1.0 MiB" },
		{ 1224 * MIB + 100 * 1024, 0, "1,224.1 MiB" },
		{ 20480 * MIB, 0, "20.0 GiB" },
		{ 107374987980 * 1024, 0, "100.0 TiB" },
	};
	char text[32];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect(
			strcmp(report_size(text, cases[i].bytes, cases[i].dash),
		               cases[i].text) == 0,
			"%s, not %s", text, cases[i].text);
}
