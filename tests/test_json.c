/*
 * Parts of the JSON report that the small run of test_report.c has not.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "observer/report/report.h"
#include "tests/run_builder.h"

static void expect_parts(struct run *run, const char *a, const char *b)
{
	struct ledger *ledger = ledger_of(run, RW_LINE(0, 8));
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	report_json(out, ledger);
	fclose(out);
	cr_expect(strstr(text, a) != NULL, "%s\nin\n%s", a, text);
	cr_expect(strstr(text, b) != NULL, "%s\nin\n%s", b, text);
	free(text);
	done(run, ledger);
}

/* What is part of a sentence is not part of the document. */
Test(json, has_the_explanation_as_sentences)
{
	const char *path = "/lib/a\"b\\.so";
	const struct file_module module = { .start = BASE,
		                            .end = BASE + 8 * PAGE,
		                            .kind = PATCH_MODULES };
	struct run run = run_new();

	run_block(&run, FILE_MODULE, &module, sizeof(module), path,
	          strlen(path) + 1);
	run_mmap(&run, SPAN(0, 8), PROT_NONE, ANON);
	expect_parts(&run,
	             "  \"explanation\": [\n"
	             "    \"VmSize is 32 KiB.\",\n",
	             "    \"32 KiB is unexplained.\"\n  ],\n  \"totals\": ");
}

Test(json, has_memstats_and_their_timeline)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 8), RW, ANON);
	run_memstats(&run, 100, NULL);
	run.tsc += 500;
	run_memstats(&run, 300, NULL);
	expect_parts(&run,
	             "  \"memstats\": {\n"
	             "    \"available\": true,\n"
	             "    \"reason\": null,\n"
	             "    \"sys\": 600,\n"
	             "    \"heap_sys\": 0,\n"
	             "    \"heap_idle\": 0,\n"
	             "    \"heap_inuse\": 300,\n",
	             "      {\"t\": 100, \"sys\": 200, \"heap_sys\": 0, "
	             "\"heap_idle\": 0, \"heap_inuse\": 100, "
	             "\"heap_released\": 0, \"stack_inuse\": 0, "
	             "\"stack_sys\": 0, \"mspan_inuse\": 0, \"mspan_sys\": 0, "
	             "\"mcache_inuse\": 0, \"mcache_sys\": 0, "
	             "\"buck_hash_sys\": 0, \"gc_sys\": 0, \"other_sys\": 0},\n"
	             "      {\"t\": 600, \"sys\": 600, ");
}

Test(json, says_why_there_is_no_memstats)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 8), RW, ANON);
	run_memstats(&run, 0, "of \"another\" sort");
	expect_parts(&run,
	             "  \"memstats\": {\n"
	             "    \"available\": false,\n"
	             "    \"reason\": \"of \\\"another\\\" sort\",\n"
	             "    \"sys\": null,\n",
	             "    \"other_sys\": null,\n    \"timeline\": []\n  }\n");
}

Test(json, tells_pages_apart_and_what_was_returned)
{
	const struct file_resident part[] = {
		{ BASE, BASE + PAGE, PAGE, 0, FILE_PAGES_ANONYMOUS },
		{ BASE + PAGE, BASE + 3 * PAGE, 2 * PAGE, 1000,
		  FILE_PAGES_FILE },
		{ BASE + 3 * PAGE, BASE + 7 * PAGE, 4 * PAGE, 1000,
		  FILE_PAGES_SHARED },
	};
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 8), RW, ANON);
	run_call(&run, SYS_madvise, 0, SPAN(6, 2), MADV_DONTNEED, 0, 0);
	run_block(&run, FILE_RESIDENT, part, sizeof(part), "", 0);
	expect_parts(&run,
	             "      \"resident\": 28672,\n"
	             "      \"anonymous\": 4096,\n"
	             "      \"file\": 8192,\n"
	             "      \"shared\": 16384,\n"
	             "      \"huge\": 2000,\n"
	             "      \"returned\": 8192,\n"
	             "      \"came_back\": 4096,\n",
	             "  \"memstats\": null\n");
}
