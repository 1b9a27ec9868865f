/*
 * Budgets: their text, what a run has at most of each thing, what is over, and
 * how that is said; and what --update makes of a budget's text.
 */
#include "run_builder.h"

#include "observer/report/budget.h"

#define KIB 1024ull
#define MIB (1024 * KIB)

/* ---- numbers and text --------------------------------------------------- */

Test(budget, reads_sizes)
{
	static const struct {
		const char *text;
		uint64_t bytes; /* 0: is none */
	} cases[] = {
		{ "1", 1 },
		{ "4096B", 4096 },
		{ "64M", 64 * MIB },
		{ "64 MiB", 64 * MIB },
		{ "64m", 64 * MIB },
		{ "1,224.5 MiB", 1224 * MIB + 512 * KIB },
		{ "1.5GiB", 1536 * MIB },
		{ "0.1K", 102 },
		{ "2T", 2 * MIB * MIB },
		{ "1.0000000000000000000000000000001K", 1024 },
		{ "16777215T", 16777215 * MIB * MIB },
		{ "", 0 },
		{ "M", 0 },
		{ "-1", 0 },
		{ ".5M", 0 },
		{ "5x", 0 },
		{ "5 M M", 0 },
		{ "5 MB", 0 },
		{ "5,", 0 },
		{ "16777216T", 0 },
		{ "18446744073709551615", 0 }, /* stands for "any" */
		{ "18446744073709551616", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t bytes = 0;
		int done = budget_size(cases[i].text, strlen(cases[i].text),
		                       &bytes);

		cr_expect(eq(int, done, cases[i].bytes != 0), "%s",
		          cases[i].text);
		if (done)
			cr_expect(eq(u64, bytes, cases[i].bytes), "%s",
			          cases[i].text);
	}
}

/* Of bytes without a NUL behind them, which a sanitizer would notice. */
static struct budget_error read_into(struct budget *budget, const char *text)
{
	struct budget_error error;
	size_t size = strlen(text);
	char *bytes = malloc(size + !size);

	memcpy(bytes, text, size);
	budget_read(budget, bytes, size, &error);
	free(bytes);
	return error;
}

static struct budget budget_of(const char *text)
{
	struct budget budget = { .path = "mem.budget" };
	struct budget_error error = read_into(&budget, text);

	cr_assert(error.what == NULL, "%d: %s", error.line, error.what);
	return budget;
}

Test(budget, is_text_with_a_limit_in_a_line)
{
	static const struct budget_limit limits[] = {
		{ BUDGET_VM, NULL, 1200 * MIB, 2 },
		{ BUDGET_RESERVED, NULL, BUDGET_ANY, 3 },
		{ BUDGET_MAPPINGS, NULL, 1040, 4 },
		{ BUDGET_KIND, "page summary", 586 * MIB, 7 },
		{ BUDGET_KIND, "libx 2", 4 * KIB, 8 },
		{ BUDGET_KIND, "vDSO, vvar", BUDGET_ANY, 9 },
		{ BUDGET_KIND, "# odd", 5, 10 },
	};
	struct budget budget = budget_of("# a comment: vm 5\n"
	                                 "vm 1,200 MiB\n"
	                                 "reserved any\n"
	                                 "mappings\t1,040\r\n"
	                                 "\n"
	                                 "  no new kinds  \n"
	                                 "  kind page summary   586 MiB  \n"
	                                 "kind libx 2 4K\n"
	                                 "kind vDSO, vvar any\n"
	                                 "kind # odd 5");

	cr_expect(budget.no_new_kinds);
	cr_assert(eq(sz, budget.count, sizeof(limits) / sizeof(*limits)));
	for (size_t i = 0; i < budget.count; i++) {
		const struct budget_limit *limit = &budget.limit[i];

		cr_expect(eq(int, limit->what, limits[i].what));
		cr_expect(eq(u64, limit->most, limits[i].most));
		cr_expect(eq(int, limit->line, limits[i].line));
		if (limits[i].kind)
			cr_expect(eq(str, (char *)limit->kind,
			             (char *)limits[i].kind));
	}
	budget_free(&budget);
}

Test(budget, says_in_which_line_it_is_wrong)
{
	static const struct {
		const char *text;
		int line;
		const char *what;
	} cases[] = {
		{ "vm 1M\nheap 64M\n", 2, "begins with none of" },
		{ "Vm 1M\n", 1, "begins with none of" },
		{ "\n\nvm", 3, "has no size" },
		{ "vm 64 apples", 1, "has no size" },
		{ "vm 1M 2M", 1, "has more than one limit" },
		{ "mappings 4K", 1, "takes a number" },
		{ "kind heap", 1, "has no size" },
		{ "kind 64M", 1, "names no kind" },
		{ "kind any", 1, "names no kind" },
		{ "no new kinds at all", 1, "begins with none of" },
		{ "vm 1M\nvm 1M", 2, "is there twice" },
		{ "kind a 1\nkind b 1\nkind a 2", 3, "is there twice" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct budget budget = { 0 };
		struct budget_error error = read_into(&budget, cases[i].text);

		cr_assert(error.what != NULL, "%s", cases[i].text);
		cr_expect(eq(int, error.line, cases[i].line), "%s",
		          cases[i].text);
		cr_expect(strncmp(error.what, cases[i].what,
		                  strlen(cases[i].what)) == 0,
		          "%s: %s", cases[i].text, error.what);
		budget_free(&budget);
	}
}

/* ---- a run -------------------------------------------------------------- */

struct scene {
	struct run run;
	struct ledger *ledger;
	struct ledger_lives *lives;
	struct budget_found found;
};

/*
 * 16 pages of a heap, of which 4 are committed at once and 8 in the end; main
 * maps 4 pages, and for a while 32 more; goload has some of its own.
 */
static void play(struct scene *scene)
{
	struct run *run = &scene->run;

	*run = run_new();
	run_fact(run, SPAN(200, 100), RW, TRACE_WHAT_RING);
	STACK(run, SYSMMAP, SYSRESERVE, HSYSALLOC, SCHEDINIT);
	run_mmap(run, SPAN(0, 16), PROT_NONE, ANON);
	STACK(run, SYSMMAP, SYSMAP, GROW, MALLOCGC, MAIN);
	run_mmap(run, SPAN(0, 4), RW, ANON | MAP_FIXED);
	STACK(run, SYSMMAP, SYSCALL6, MAIN);
	run_mmap(run, SPAN(100, 32), RW, ANON);
	run_munmap(run, SPAN(100, 32));
	STACK(run, SYSMMAP, SYSCALL6, MAIN);
	run_mmap(run, SPAN(40, 4), PROT_NONE, ANON);
	STACK(run, SYSMMAP, SYSMAP, GROW, MALLOCGC, RTMAIN);
	run_mmap(run, SPAN(4, 4), RW, ANON | MAP_FIXED);
	run_sample(run, 9 * PAGE, PAGE);
	run_resident(run, SPAN(0, 4), 3 * PAGE);
	run->tsc += 1000000;
	scene->ledger =
		ledger_of(run, lines(lines(RW_LINE(0, 8), NONE_LINE(8, 8), ""),
	                             NONE_LINE(40, 4), RW_LINE(200, 100)));
	cr_assert(eq(u64, scene->ledger->unexplained, 0));
	scene->lives = ledger_lives(scene->ledger, run_namer, NULL);
	cr_assert(scene->lives != NULL);
	cr_assert(budget_find(&scene->found, scene->ledger, scene->lives));
}

static void stop(struct scene *scene)
{
	budget_found_free(&scene->found);
	ledger_lives_free(scene->lives);
	done(&scene->run, scene->ledger);
}

static struct budget_peak kind_peak(const struct scene *scene, const char *kind)
{
	const struct budget_limit limit = { BUDGET_KIND, kind, 0, 0 };

	return budget_peak_of(&scene->found, &limit);
}

Test(budget, holds_the_most_that_there_was_at_any_moment)
{
	struct scene scene;
	const struct budget_peak *total = scene.found.total;
	uint64_t end;

	play(&scene);
	end = scene.ledger->duration;
	cr_expect(eq(u64, total[BUDGET_VM].value, 48 * PAGE));
	cr_expect(lt(u64, total[BUDGET_VM].at, end));
	cr_expect(eq(u64, total[BUDGET_RESERVED].value, 16 * PAGE));
	cr_expect(eq(u64, total[BUDGET_COMMITTED].value, 36 * PAGE));
	cr_expect(eq(u64, total[BUDGET_RESIDENT].value, 8 * PAGE));
	cr_expect(eq(u64, total[BUDGET_MAPPINGS].value, 3));
	cr_expect(eq(u64, total[BUDGET_MAPPINGS].at, end));
	cr_expect(eq(u64, kind_peak(&scene, "heap").value, 16 * PAGE));
	cr_expect(eq(u64, kind_peak(&scene, "heap").at, end));
	cr_expect(eq(u64, kind_peak(&scene, "mapping").value, 32 * PAGE));
	cr_expect(
		eq(u64, kind_peak(&scene, "mapping").at, total[BUDGET_VM].at));
	cr_expect(eq(u64, kind_peak(&scene, "stack").value, 0));
	cr_expect(eq(sz, scene.found.kinds, 2)); /* goload's own is none */
	stop(&scene);
}

Test(budget, has_what_is_unexplained_as_a_kind)
{
	struct run run = run_new();
	struct scene scene;

	run_mmap(&run, SPAN(0, 4), RW, ANON);
	scene.run = run;
	scene.ledger =
		ledger_of(&scene.run, lines(RW_LINE(0, 4), RW_LINE(50, 7), ""));
	scene.lives = ledger_lives(scene.ledger, run_namer, NULL);
	cr_assert(budget_find(&scene.found, scene.ledger, scene.lives));
	cr_expect(eq(u64, kind_peak(&scene, "unexplained").value, 7 * PAGE));
	cr_expect(eq(u64, scene.found.total[BUDGET_VM].value, 11 * PAGE));
	stop(&scene);
}

/* ---- the verdict -------------------------------------------------------- */

enum form { TEXT, GITHUB, JSON, JUNIT };

/* What is said of the run, held against this budget; *count are over. */
static char *said(const char *text, enum form form, size_t *count,
                  const char *failure)
{
	struct budget budget = budget_of(text);
	struct budget_verdict verdict;
	struct scene scene;
	char *result = NULL;
	size_t size;
	FILE *out = open_memstream(&result, &size);

	play(&scene);
	cr_assert(budget_judge(&verdict, &budget, &scene.found));
	verdict.frames = ledger_frames_open(scene.ledger->run, run_namer, NULL);
	verdict.root = "/src";
	verdict.failure = failure;
	*count = verdict.count;
	if (form == TEXT)
		budget_text(out, &verdict);
	else if (form == GITHUB)
		budget_github(out, &verdict);
	else if (form == JSON)
		budget_json(out, &verdict);
	else
		cr_expect(budget_junit(out, &verdict));
	fclose(out);
	ledger_frames_close(verdict.frames);
	budget_verdict_free(&verdict);
	budget_free(&budget);
	stop(&scene);
	return result;
}

static void expect_said(const char *budget, enum form form, const char *golden)
{
	size_t count;
	char *text = said(budget, form, &count, NULL);

	cr_expect(strcmp(text, golden) == 0, "%s", text);
	free(text);
}

static void expect_part(const char *budget, enum form form, const char *part)
{
	size_t count;
	char *text = said(budget, form, &count, NULL);

	cr_expect(strstr(text, part) != NULL, "%s\nin\n%s", part, text);
	free(text);
}

Test(budget, is_kept_to_up_to_the_last_byte)
{
	static const struct {
		const char *budget;
		size_t over;
	} cases[] = {
		{ "vm 196608", 0 },
		{ "vm 196607", 1 },
		{ "reserved 64K", 0 },
		{ "reserved 65535", 1 },
		{ "committed 144K", 0 },
		{ "committed 147455", 1 },
		{ "resident 32K", 0 },
		{ "resident 32767", 1 },
		{ "mappings 3", 0 },
		{ "mappings 2", 1 },
		{ "kind heap 64K", 0 },
		{ "kind heap 65535", 1 },
		{ "kind nothing 0", 0 },
		{ "vm any", 0 },
		{ "kind heap any\nno new kinds", 1 },
		{ "kind heap any\nkind mapping any\nno new kinds", 0 },
		{ "vm 0\nreserved 0\ncommitted 0\nresident 0\nmappings 0\n"
		  "kind heap 0\nno new kinds",
		  7 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t over;

		free(said(cases[i].budget, TEXT, &over, NULL));
		cr_expect(eq(sz, over, cases[i].over), "%s", cases[i].budget);
	}
}

/* clang-format off */
#define OVER \
	"goload: ./http: mapping: 128 KiB at 0.0 ms, of a kind that the budget does not have; main.handle /src/main.go:10\n" \
	"  128 KiB by 1 mmap call\n" \
	"      runtime.sysMmap.abi0 /src/main.go:130\n" \
	"      syscall.RawSyscall6 /src/main.go:150\n" \
	"      main.handle /src/main.go:10\n" \
	"goload: ./http: vm: 192 KiB at 0.0 ms, 64 KiB over its limit of 128 KiB (mem.budget:1)\n" \
	"  over limits of their own:\n" \
	"    128 KiB mapping: main.handle /src/main.go:10\n"

#define GITHUB_OVER \
	"::error file=main.go,line=10,title=goload%3A mapping over budget::" \
	"mapping: 128 KiB at 0.0 ms, 64 KiB over its limit of 64 KiB (mem.budget:1)%0A" \
	"  128 KiB by 1 mmap call%0A" \
	"      runtime.sysMmap.abi0 /src/main.go:130%0A" \
	"      syscall.RawSyscall6 /src/main.go:150%0A" \
	"      main.handle /src/main.go:10%0A\n"

#define JSON_OVER \
	"{\n" \
	"  \"schema\": \"goload/1\",\n" \
	"  \"program\": \"./http\",\n" \
	"  \"budget\": \"mem.budget\",\n" \
	"  \"failure\": null,\n" \
	"  \"within\": false,\n" \
	"  \"no_new_kinds\": false,\n" \
	"  \"limits\": [\n" \
	"    {\"limit\": \"mappings\", \"kind\": null, \"value\": 3, \"at\": 1000700, \"most\": 2, \"line\": 1},\n" \
	"    {\"limit\": \"kind\", \"kind\": \"heap\", \"value\": 65536, \"at\": 1000700, \"most\": null, \"line\": 2}\n" \
	"  ],\n" \
	"  \"over\": [\n" \
	"    {\"limit\": \"mappings\", \"kind\": null, \"value\": 3, \"at\": 1000700, \"most\": 2, \"line\": 1,\n" \
	"      \"grown\": false, \"rows\": [\n" \
	"        {\"kind\": \"heap\", \"value\": 2, \"stacks\": [\n" \
	"          {\"call\": \"mmap\", \"bytes\": 32768, \"calls\": 1, \"frames\": [" \
	"{\"function\": \"runtime.sysMmap.abi0\", \"file\": \"/src/main.go\", \"line\": 130, \"address\": \"0xd\"}, " \
	"{\"function\": \"runtime.sysReserveOS\", \"file\": \"/src/main.go\", \"line\": 50, \"address\": \"0x5\"}, " \
	"{\"function\": \"runtime.(*mheap).sysAlloc\", \"file\": \"/src/main.go\", \"line\": 80, \"address\": \"0x8\"}, " \
	"{\"function\": \"runtime.schedinit\", \"file\": \"/src/main.go\", \"line\": 100, \"address\": \"0xa\"}]}"
/* clang-format on */

Test(budget, says_what_is_over_and_whose_it_is)
{
	expect_said("vm 128K\nkind heap 64K\nno new kinds", TEXT, OVER);
}

Test(budget, says_in_a_line_that_it_is_kept_to)
{
	expect_said("vm 1M\nkind heap 64K", TEXT,
	            "goload: ./http: keeps to its budget: 2 limits; "
	            "vm: 192 KiB of 1.0 MiB\n");
	expect_said("vm any", TEXT,
	            "goload: ./http: keeps to its budget: 1 limit\n");
}

Test(budget, has_the_largest_rows_where_no_row_is_over)
{
	expect_part("committed 4K", TEXT,
	            "  most of it:\n"
	            "    128 KiB mapping: main.handle /src/main.go:10\n"
	            "    16 KiB heap: ");
	expect_part("resident 4K", TEXT,
	            "resident: 32 KiB at 0.0 ms, 28 KiB over its limit of "
	            "4 KiB (mem.budget:1)\n");
	expect_part("mappings 1", TEXT,
	            "mappings: 3, 2 over its limit of 1 (mem.budget:1)\n"
	            "  most of it:\n    2 heap: ");
}

Test(budget, is_annotated_at_the_line_of_the_program)
{
	expect_said("kind mapping 64K", GITHUB, GITHUB_OVER);
	expect_said("vm 1M", GITHUB, "");
}

Test(budget, is_annotated_in_its_own_line_where_there_is_no_other)
{
	static const char golden[] =
		"::error file=a%2Cb%3A100%25%0D,line=2,title=goload%3A heap "
		"over budget::heap: 64 KiB, 60 KiB over its limit of 4 KiB "
		"(a,b:100%25?:2)%0A";
	struct budget budget = budget_of("\nkind heap 4K\n");
	struct budget_verdict verdict;
	struct scene scene;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	budget.path = "a,b:100%\r";
	play(&scene);
	cr_assert(budget_judge(&verdict, &budget, &scene.found));
	budget_github(out, &verdict); /* without frames */
	fclose(out);
	cr_expect(strncmp(text, golden, strlen(golden)) == 0, "%s", text);
	free(text);
	budget_verdict_free(&verdict);
	budget_free(&budget);
	stop(&scene);
}

Test(budget, is_a_document)
{
	expect_part("mappings 2\nkind heap any", JSON, JSON_OVER);
	expect_part("vm 1M", JSON, "  \"within\": true,\n");
	expect_part("vm 1M", JSON, "  \"over\": []\n}\n");
}

Test(budget, is_a_test_case_for_each_limit)
{
	expect_part("vm 1M\nkind a<b>&\"c\" 1M\nkind mapping 64K\n"
	            "no new kinds",
	            JUNIT,
	            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	            "<testsuites>\n"
	            "  <testsuite name=\"goload check ./http\" tests=\"5\" "
	            "failures=\"2\" errors=\"0\">\n"
	            "    <testcase classname=\"goload.http\" "
	            "name=\"the program ends well\"></testcase>\n"
	            "    <testcase classname=\"goload.http\" "
	            "name=\"vm\"></testcase>\n"
	            "    <testcase classname=\"goload.http\" name=\"kind "
	            "a&#60;b&#62;&#38;&#34;c&#34;\"></testcase>\n"
	            "    <testcase classname=\"goload.http\" "
	            "name=\"kind mapping\"><failure type=\"budget\" message=\""
	            "mapping: 128 KiB at 0.0 ms, 64 KiB over its limit of "
	            "64 KiB (mem.budget:3)\">");
	expect_part("kind mapping any\nno new kinds", JUNIT,
	            "name=\"no new kinds\"><failure type=\"budget\" "
	            "message=\"heap: 64 KiB, of a kind that the budget does "
	            "not have\">");
}

Test(budget, says_as_a_test_case_how_the_program_has_failed)
{
	size_t count;
	char *text = said("vm 1M", JUNIT, &count, "exited with 1");

	cr_expect(strstr(text, "failures=\"1\"") != NULL, "%s", text);
	cr_expect(strstr(text, "name=\"the program ends well\"><failure "
	                       "type=\"budget\" message=\"exited with 1\">"
	                       "</failure></testcase>") != NULL,
	          "%s", text);
	free(text);
	text = said("vm 1M", JSON, &count, "exited with 1");
	cr_expect(strstr(text, "\"failure\": \"exited with 1\"") != NULL);
	free(text);
}

/* ---- --update ----------------------------------------------------------- */

static char *changes;

static void keep_change(void *context, const char *line)
{
	char *all;

	(void)context;
	if (asprintf(&all, "%s%s\n", changes ? changes : "", line) < 0)
		abort();
	free(changes);
	changes = all;
}

/* The budget's text after the run, NULL: there was none; `said` is what has
 * changed. */
static void expect_update(const char *text, const char *slack_text,
                          const char *golden, const char *told)
{
	struct budget budget = { .path = "mem.budget" };
	struct budget_slack slack = { 0 };
	struct scene scene;
	char *result;

	if (text)
		budget = budget_of(text);
	if (slack_text)
		cr_assert(budget_read_slack(slack_text, &slack));
	play(&scene);
	result = budget_update(&budget, text, text ? strlen(text) : 0,
	                       &scene.found, &slack, keep_change, NULL);
	cr_assert(result != NULL);
	cr_expect(strcmp(result, golden) == 0, "%s", result);
	cr_expect(strcmp(changes ? changes : "", told) == 0, "%s", changes);
	free(changes);
	changes = NULL;
	free(result);
	budget_free(&budget);
	stop(&scene);
}

Test(budget, is_written_with_the_usual_room)
{
	/* Go 1.26: an arena of 64 MiB more for its heap, and so for VmSize;
	 * and kinds that only some runs have */
	expect_update(
		NULL, NULL,
		"# goload budget of ./http: go1.26.8, static.\n"
		"# goload check --update raises what a run exceeds, and adds "
		"its kinds.\n"
		"\n"
		"vm                                66 MiB\n"
		"committed                         5 MiB\n"
		"resident                          5 MiB\n"
		"mappings                          11\n"
		"\n"
		"no new kinds\n"
		"kind GC span queue                1 MiB\n"
		"kind heap                         65 MiB\n"
		"kind mapping                      1 MiB\n"
		"kind profiling buckets            2 MiB\n",
		"is new: 8 limits\n");
}

Test(budget, is_written_exactly_without_slack)
{
	expect_update(
		NULL, "0",
		"# goload budget of ./http: go1.26.8, static.\n"
		"# goload check --update raises what a run exceeds, and adds "
		"its kinds.\n"
		"\n"
		"vm                                192 KiB\n"
		"committed                         144 KiB\n"
		"resident                          32 KiB\n"
		"mappings                          3\n"
		"\n"
		"no new kinds\n"
		"kind heap                         64 KiB\n"
		"kind mapping                      128 KiB\n",
		"is new: 6 limits\n");
}

Test(budget, stays_as_it_is_where_the_run_keeps_to_it)
{
	expect_update("# mine\n\n  vm    2G\r\nkind heap   1 GiB", "0",
	              "# mine\n\n  vm    2G\r\nkind heap   1 GiB\n", "");
	expect_update("", "0", "", "");
}

Test(budget, is_raised_where_the_run_exceeds_it)
{
	expect_update("# ours\n"
	              "vm \t 8 KiB  \n"
	              "mappings 2 \n"
	              "# the heap\n"
	              "kind heap   4K",
	              "0",
	              "# ours\n"
	              "vm \t 192 KiB\n"
	              "mappings 3\n"
	              "# the heap\n"
	              "kind heap   64 KiB\n",
	              "vm is raised from 8 KiB to 192 KiB\n"
	              "mappings is raised from 2 to 3\n"
	              "heap is raised from 4 KiB to 64 KiB\n");
}

Test(budget, gets_kinds_in_their_place_if_it_allows_no_others)
{
	expect_update("no new kinds\n"
	              "kind gc bits 4K\n"
	              "kind heap metadata 4K\n"
	              "# last\n",
	              "8K",
	              "no new kinds\n"
	              "kind gc bits 4K\n"
	              "kind heap                         72 KiB\n"
	              "kind heap metadata 4K\n"
	              "# last\n"
	              "kind mapping                      136 KiB\n",
	              "heap is added: 72 KiB\n"
	              "mapping is added: 136 KiB\n");
	expect_update("kind gc bits 4K\n", "0", "kind gc bits 4K\n", "");
}

Test(budget, gets_slack_in_percent_in_whole_pages)
{
	expect_update("vm 0\nkind heap 0\nmappings 0\n", "10%",
	              "vm 212 KiB\nkind heap 72 KiB\nmappings 4\n",
	              "vm is raised from 0 B to 212 KiB\n"
	              "heap is raised from 0 B to 72 KiB\n"
	              "mappings is raised from 0 to 4\n");
}

Test(budget, takes_no_other_slack)
{
	static const char *const wrong[] = {
		"", "%", "-1%", "5%%", "1x", "1.5%", "1001%", "2000000T"
	};
	struct budget_slack slack;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		cr_expect(budget_read_slack(wrong[i], &slack) == 0, "%s",
		          wrong[i]);
}
