/*
 * The ledger in sentences, rule by rule, from rows made by hand; and the stacks
 * behind a row.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "observer/report/report.h"
#include "tests/run_builder.h"

#define KIB (1ull << 10)
#define MIB (1ull << 20)

/* ---- sentences ---------------------------------------------------------- */

static void collect(void *context, const char *sentence)
{
	fprintf(context, "%s\n", sentence);
}

static char *sentences_of(const struct ledger *ledger)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	explain_sentences(ledger, collect, out);
	fclose(out);
	cr_expect(strpbrk(text, "{}") == NULL, "%s", text);
	return text;
}

static const struct file_resident looked_at;
static const struct file_end ended;
static const struct file_program program;

/* A whole run that was looked at; the ledger's totals are those of the rows. */
struct story {
	struct ledger_run run;
	struct ledger ledger;
};

static struct story story_of(struct ledger_row *row, size_t count)
{
	struct story story = {
		.run = { .program = &program,
		         .end = &ended,
		         .resident = &looked_at,
		         .resident_count = 1 },
		.ledger = { .row = row, .row_count = count, .checked = 1 },
	};
	struct ledger *ledger = &story.ledger;

	for (size_t i = 0; i < count; i++) {
		ledger->reserved += row[i].reserved;
		ledger->committed += row[i].committed;
		ledger->resident += row[i].resident;
	}
	ledger->target = ledger->reserved + ledger->committed;
	ledger->vm_size = ledger->peak_vm_size = ledger->target;
	return story;
}

static char *text_of(struct story *story)
{
	story->ledger.run = &story->run;
	return sentences_of(&story->ledger);
}

static void expect_text(char *text, const char *wanted)
{
	cr_expect(strcmp(text, wanted) == 0, "%s", text);
	free(text);
}

static void expect_part(char *text, const char *part)
{
	cr_expect(strstr(text, part) != NULL, "%s\nin\n%s", part, text);
	free(text);
}

static void expect_without(char *text, const char *part)
{
	cr_expect(strstr(text, part) == NULL, "%s\nin\n%s", part, text);
	free(text);
}

#define STORY(...)                                                             \
	story_of((struct ledger_row[]){ __VA_ARGS__ },                         \
	         sizeof((struct ledger_row[]){ __VA_ARGS__ }) /                \
	                 sizeof(struct ledger_row))

#define SITE(name, where, at, size, start)                                     \
	{                                                                      \
		.place = { .function = name,                                   \
			   .file = "/go/src/runtime/" where,                   \
			   .line = at },                                       \
		.bytes = size, .at_start = start                               \
	}

static struct ledger_site summary[] = {
	SITE("runtime.(*pageAlloc).sysInit", "mpagealloc_64bit.go", 79,
	     585 * MIB, 1),
	SITE("runtime.(*pageAlloc).sysGrow", "mpagealloc_64bit.go", 179,
	     144 * KIB, 1),
};
static struct ledger_site heap[] = {
	SITE("main.handle", "main.go", 12, 8 * MIB, 0),
	SITE("runtime.(*mheap).sysAlloc", "malloc.go", 773, 56 * MIB, 1),
};

#define ROW_SUMMARY                                                            \
	{                                                                      \
		.kind = "page summary", .owner = "Go runtime",                 \
		.reserved = 585 * MIB, .committed = 144 * KIB,                 \
		.resident = 20 * KIB, .site = summary, .site_count = 2         \
	}
#define ROW_HEAP                                                               \
	{                                                                      \
		.kind = "heap", .owner = "Go runtime", .reserved = 56 * MIB,   \
		.committed = 8 * MIB, .resident = 2 * MIB, .site = heap,       \
		.site_count = 2                                                \
	}
#define ROW_INDEX                                                              \
	{                                                                      \
		.kind = "heap index", .owner = "Go runtime",                   \
		.committed = 32 * MIB                                          \
	}
#define ROW_TEXT                                                               \
	{                                                                      \
		.kind = "text", .owner = "program", .committed = MIB           \
	}
#define ROW_STACKS(count, guard, size)                                         \
	{                                                                      \
		.kind = "thread stack", .owner = "libc", .reserved = guard,    \
		.committed = size, .makes = count,                             \
		.largest = ((guard) + (size)) / (count)                        \
	}
#define ROW_ARENAS(count, size, used)                                          \
	{                                                                      \
		.kind = "malloc arena", .owner = "libc",                       \
		.reserved = (size) - (used), .committed = used,                \
		.makes = count, .largest = (size) / (count)                    \
	}

Test(explain, tells_what_go_reserves_at_start_and_where)
{
	struct story story = STORY(ROW_SUMMARY, ROW_HEAP, ROW_INDEX, ROW_TEXT);

	story.ledger.goload = 16 * MIB;
	story.ledger.vm_size += 16 * MIB;
	story.ledger.peak_vm_size = story.ledger.vm_size;
	expect_text(text_of(&story),
	            "VmSize is 698.1 MiB, 16.0 MiB of it goload's own.\n"
	            "641.0 MiB is address space that the Go runtime reserves "
	            "at start and never touches: 585.0 MiB page summary "
	            "(runtime.(*pageAlloc).sysInit, mpagealloc_64bit.go:79), "
	            "56.0 MiB heap (runtime.(*mheap).sysAlloc, malloc.go:773)."
	            "\n41.1 MiB is committed, 2.0 MiB resident.\n"
	            "Nothing is unexplained.\n");
}

Test(explain, says_at_start_only_of_what_is_all_from_then)
{
	struct story story = STORY(ROW_SUMMARY, ROW_HEAP);

	heap[1].at_start = 0;
	expect_part(text_of(&story),
	            "that the Go runtime reserves and does not touch: 585.0");
	heap[1].at_start = 1;
}

/* Two that have as many bytes: either can be it. */
Test(explain, names_nobody_where_two_may_have_reserved)
{
	struct story story = STORY(ROW_HEAP);

	heap[0].bytes = 56 * MIB;
	expect_part(text_of(&story), "does not touch: 56.0 MiB heap.\n");
	heap[0].bytes = 8 * MIB;
}

Test(explain, tells_go_from_others)
{
	struct story story = STORY(ROW_SUMMARY, ROW_ARENAS(1, 64 * MIB, MIB));
	char *text = text_of(&story);

	expect_without(strdup(text), "at start");
	expect_part(text,
	            "648.0 MiB is only reserved, 585.0 MiB of it by the Go "
	            "runtime: 585.0 MiB page summary (runtime.(*pageAlloc)."
	            "sysInit, mpagealloc_64bit.go:79), 63.0 MiB malloc "
	            "arena.\n");
	story = STORY({ .kind = "mapping",
	                .owner = "program",
	                .reserved = 100 * MIB });
	expect_part(text_of(&story),
	            "100.0 MiB is only reserved, nothing may touch it: "
	            "100.0 MiB mapping.\n");
}

Test(explain, says_nothing_of_rows_that_are_not_there)
{
	struct story story = STORY(ROW_TEXT, { .kind = "brk heap",
	                                       .owner = "libc",
	                                       .committed = 132 * KIB,
	                                       .makes = 1 });

	expect_text(text_of(&story), "VmSize is 1.1 MiB.\n"
	                             "1.1 MiB is committed, 0 resident.\n"
	                             "Nothing is unexplained.\n");
	story = story_of(NULL, 0);
	expect_text(text_of(&story), "VmSize is 0.\n"
	                             "0 is committed, 0 resident.\n"
	                             "Nothing is unexplained.\n");
}

Test(explain, multiplies_threads_to_the_kilobyte)
{
	struct story story = STORY(ROW_STACKS(4, 16 * KIB, 32 * MIB),
	                           ROW_ARENAS(4, 256 * MIB, 528 * KIB));

	expect_part(text_of(&story),
	            "4 x (8,196 KiB thread stack + 64 MiB malloc arena) = "
	            "294,928 KiB (288.0 MiB).\n"
	            "MALLOC_ARENA_MAX=1 would save 256 MiB.\n");
}

Test(explain, multiplies_apart_what_is_not_as_many)
{
	struct story story = STORY(ROW_STACKS(4, 16 * KIB, 32 * MIB),
	                           ROW_ARENAS(3, 192 * MIB, 528 * KIB));

	expect_part(text_of(&story),
	            "\n4 thread stacks x 8,196 KiB = 32,784 KiB (32.0 MiB).\n"
	            "3 malloc arenas x 64 MiB = 192 MiB.\n"
	            "MALLOC_ARENA_MAX=1 would save up to 192 MiB.\n");
}

Test(explain, has_no_product_of_what_differs)
{
	struct story story = STORY(ROW_STACKS(4, 16 * KIB, 33 * MIB),
	                           ROW_ARENAS(3, 190 * MIB, 528 * KIB));
	char *text;

	story.ledger.row[0].largest = 9 * MIB;
	text = text_of(&story);
	expect_without(strdup(text), " x ");
	expect_without(strdup(text), "MALLOC_ARENA_MAX");
	expect_part(text, "\n33,808 KiB (33.0 MiB) is 4 thread stacks.\n"
	                  "190 MiB is 3 malloc arenas.\n");
	story = STORY(ROW_STACKS(1, 4 * KIB, 8 * MIB));
	expect_part(text_of(&story), "\n8,196 KiB is 1 thread stack.\n");
	/* guards of which not each has as much */
	story = STORY(ROW_STACKS(3, 16 * KIB, 24 * MIB));
	expect_part(text_of(&story),
	            "\n24,592 KiB (24.0 MiB) is 3 thread stacks.\n");
	/* 4, 8 and 12 MiB: the mean of others */
	story = STORY(ROW_STACKS(3, 0, 24 * MIB));
	story.ledger.row[0].largest = 12 * MIB;
	expect_part(text_of(&story), "\n24 MiB is 3 thread stacks.\n");
}

/* musl's are not made of 64 MiB, and it knows no such variable. */
Test(explain, advises_only_where_glibc_is_seen)
{
	struct story story = STORY(ROW_ARENAS(4, 32 * KIB, 32 * KIB));
	char *text = text_of(&story);

	expect_without(strdup(text), "MALLOC_ARENA_MAX");
	expect_part(text, "\n4 malloc arenas x 8 KiB = 32 KiB.\n");
}

Test(explain, adds_up_the_rest_of_libc)
{
	struct story story = STORY(
		ROW_STACKS(2, 8 * KIB, 16 * MIB),
		{ .kind = "libc.so.6 text", .owner = "libc", .committed = MIB },
		{ .kind = "libc.so.6 data",
	          .owner = "libc",
	          .committed = 76 * KIB },
		{ .kind = "libz.so text",
	          .owner = "library",
	          .committed = 2 * MIB },
		{ .kind = "TLS", .owner = "libc", .committed = 12 * KIB },
		{ .kind = "brk heap", .owner = "libc", .committed = 132 * KIB },
		{ .kind = "my text", .owner = "program", .committed = MIB });

	expect_part(text_of(&story),
	            "\n2 thread stacks x 8,196 KiB = 16,392 KiB (16.0 MiB).\n"
	            "3,292 KiB more is of libc: 2 shared libraries, brk heap, "
	            "TLS.\n");
}

Test(explain, tells_of_a_sanitizer)
{
	struct story story = STORY({ .kind = "sanitizer shadow",
	                             .owner = "sanitizer",
	                             .committed = 200 * MIB },
	                           { .kind = "sanitizer memory",
	                             .owner = "sanitizer",
	                             .reserved = MIB,
	                             .committed = 15 * MIB });

	expect_part(text_of(&story),
	            "\n216.0 MiB is of the sanitizer that is built in: 200.0 "
	            "MiB sanitizer shadow, 16.0 MiB sanitizer memory.\n");
}

Test(explain, tells_what_memstats_leave_out)
{
	const struct file_memstats stats = { .available = 1, .sys = 8 * MIB };
	struct story story = STORY(
		ROW_SUMMARY, ROW_HEAP, ROW_INDEX, ROW_TEXT,
		{ .kind = "bss", .owner = "program", .committed = 2 * MIB },
		{ .kind = "data", .owner = "program", .committed = 3 * MIB },
		{ .kind = "stack", .owner = "kernel", .committed = 132 * KIB });

	expect_without(text_of(&story), "MemStats");
	story.ledger.memstats.last = &stats;
	expect_part(text_of(&story),
	            "\nMemStats.Sys is 8.0 MiB: of what is committed it leaves "
	            "out 38.1 MiB: 32.0 MiB heap index, 3.0 MiB data, 2.0 MiB "
	            "bss, 1.1 MiB in 2 other rows.\n");
}

Test(explain, tells_of_peaks_and_of_what_was_given_back)
{
	struct story story = STORY({ .kind = "heap",
	                             .owner = "Go runtime",
	                             .committed = 8 * MIB,
	                             .returned = 5 * MIB });

	story.ledger.peak_vm_size = 10 * MIB;
	expect_text(text_of(&story), "VmSize is 8.0 MiB.\n"
	                             "8.0 MiB is committed, 0 resident.\n"
	                             "5.0 MiB was given back to the "
	                             "kernel.\n"
	                             "At its peak VmSize was 10.0 MiB.\n"
	                             "Nothing is unexplained.\n");
	story.ledger.row->came_back = MIB;
	expect_part(
		text_of(&story),
		"\n5.0 MiB was given back to the kernel, 1.0 MiB of that is "
		"resident again.\n");
}

Test(explain, says_what_it_does_not_know)
{
	struct story story = STORY(ROW_TEXT);

	story.run.resident_count = 0;
	story.run.end = NULL;
	story.ledger.checked = 0;
	expect_text(text_of(&story),
	            "By its calls VmSize was 1.0 MiB.\n"
	            "1.0 MiB is committed.\n"
	            "The run was cut short: what is shown is up to there.\n"
	            "There was no last look at the kernel's map: nothing could "
	            "be checked.\n");
}

Test(explain, says_what_does_not_add_up)
{
	struct story story = STORY(ROW_TEXT);

	story.ledger.unexplained = 8 * KIB;
	story.ledger.phantom = 4 * KIB;
	expect_text(text_of(&story), "VmSize is 1.0 MiB.\n"
	                             "1.0 MiB is committed, 0 resident.\n"
	                             "8 KiB is unexplained.\n"
	                             "4 KiB should be there and is not.\n");
	story.ledger.phantom = 0;
	expect_without(text_of(&story), "Nothing");
}

Test(explain, names_the_last_part_rather_than_one_other)
{
	const struct file_memstats stats = { .available = 1, .sys = 8 * MIB };
	struct story story = STORY(
		ROW_INDEX, ROW_TEXT,
		{ .kind = "bss", .owner = "program", .committed = 3 * MIB },
		{ .kind = "data", .owner = "program", .committed = 2 * MIB });

	story.ledger.memstats.last = &stats;
	expect_part(text_of(&story), "3.0 MiB bss, 2.0 MiB data, 1.0 MiB "
	                             "text.\n");
}

/* Whole MiB, so that nothing is rounded: parts are the sum that is claimed. */
static void expect_parts_to_add_up(const char *text, const char *sentence)
{
	const char *at = strstr(text, sentence);
	const char *end = at ? strchr(at, '\n') : NULL;
	uint64_t claimed, sum = 0;

	cr_assert(at != NULL, "%s\nin\n%s", sentence, text);
	while (at > text && at[-1] != '\n')
		at--;
	claimed = strtoull(at, NULL, 10);
	for (at = strchr(at, ':'); at && at < end; at = strpbrk(at + 1, ":,"))
		sum += strtoull(at + 1, NULL, 10);
	cr_expect(eq(u64, sum, claimed), "%s", text);
}

Test(explain, names_parts_that_add_up)
{
	static const char *const kinds[] = { "a", "b", "c", "d", "e", "f" };
	struct ledger_row row[6];
	uint64_t random = 1;

	for (int round = 0; round < 200; round++) {
		size_t count = 1 + (size_t)round % 6;
		struct story story;
		char *text;

		for (size_t i = 0; i < count; i++) {
			random = random * 6364136223846793005u + 1;
			row[i] = (struct ledger_row){
				.kind = kinds[i],
				.owner = "program",
				.reserved = (random >> 60) * MIB,
			};
		}
		row[0].reserved += MIB;
		story = story_of(row, count);
		text = text_of(&story);
		expect_parts_to_add_up(text, "only reserved");
		free(text);
	}
}

/* ---- the stacks behind a row -------------------------------------------- */

static const struct ledger_row *row_of(const struct ledger *ledger,
                                       const char *kind)
{
	for (size_t i = 0; i < ledger->row_count; i++)
		if (strcmp(ledger->row[i].kind, kind) == 0)
			return &ledger->row[i];
	cr_fatal("no row %s", kind);
}

static struct ledger_why *why_of(const struct ledger *ledger, const char *kind)
{
	const struct ledger_row *row = row_of(ledger, kind);
	struct ledger_why *why = ledger_why(ledger, row, run_namer, NULL);
	uint64_t reserved = 0, committed = 0;

	cr_assert(why != NULL);
	for (size_t i = 0; i < why->stack_count; i++) {
		reserved += why->stack[i].reserved;
		committed += why->stack[i].committed;
	}
	cr_expect(eq(u64, reserved, row->reserved));
	cr_expect(eq(u64, committed, row->committed));
	return why;
}

static char *print_why(const struct ledger *ledger, const char *kind)
{
	const struct report_style style = { 0 };
	struct ledger_why *why = why_of(ledger, kind);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	report_why(out, row_of(ledger, kind), why, &style);
	fclose(out);
	ledger_why_free(why);
	return text;
}

/* 64 MiB reserved once, committed in two steps from one place and in one from
 * another; two bits of GC; a stack. */
static struct ledger *heap_run(struct run *run)
{
	*run = run_new();
	run_look(run, FILE_LOOK_BOOT, run_line(90000, 33, "rw-", "[stack]"));
	run_fact(run, SPAN(30000, 100), PROT_READ | PROT_EXEC, TRACE_WHAT_FILE);
	STACK(run, SYSMMAP, SYSRESERVE, HSYSALLOC, GROW, SCHEDINIT);
	run_mmap(run, BASE, 64 * MIB, PROT_NONE, ANON);
	for (unsigned i = 0; i < 2; i++) {
		STACK(run, SYSMMAP, SYSMAP, GROW, MALLOCGC, MAIN);
		run_mmap(run, BASE + i * MIB, MIB, RW, ANON | MAP_FIXED);
	}
	STACK(run, SYSMMAP, SYSMAP, GROW, MALLOCGC, RTMAIN);
	run->flags = TRACE_CUT;
	run_mmap(run, BASE + 8 * MIB, MIB, RW, ANON | MAP_FIXED);
	return ledger_of(
		run, lines(lines(RW_LINE(0, 512), NONE_LINE(512, 1536),
	                         RW_LINE(2048, 256)),
	                   NONE_LINE(2304, 14080),
	                   lines(run_line(30000, 100, "r-x", "/http"),
	                         run_line(90000, 33, "rw-", "[stack]"), "")));
}

Test(why, lists_the_stacks_behind_a_row)
{
	struct run run;
	struct ledger *ledger = heap_run(&run);

	expect_text(print_why(ledger, "heap"),
	            "heap, Go runtime: 61.0 MiB reserved, 3.0 MiB committed, "
	            "4 mappings; 3 stacks\n\n"
	            "  61.0 MiB reserved, 2 mappings by 1 mmap call\n"
	            "      runtime.sysMmap.abi0 /src/main.go:130\n"
	            "      runtime.sysReserveOS /src/main.go:50\n"
	            "      runtime.(*mheap).sysAlloc /src/main.go:80\n"
	            "      runtime.(*mheap).grow /src/main.go:30\n"
	            "      runtime.schedinit /src/main.go:100\n\n"
	            "  2.0 MiB committed, 1 mapping by 2 mmap calls\n"
	            "      runtime.sysMmap.abi0 /src/main.go:130\n"
	            "      runtime.sysMapOS /src/main.go:40\n"
	            "      runtime.(*mheap).grow /src/main.go:30\n"
	            "      runtime.mallocgc /src/main.go:20\n"
	            "      main.handle /src/main.go:10\n\n"
	            "  1.0 MiB committed, 1 mapping by 1 mmap call\n"
	            "      runtime.sysMmap.abi0 /src/main.go:130\n"
	            "      runtime.sysMapOS /src/main.go:40\n"
	            "      runtime.(*mheap).grow /src/main.go:30\n"
	            "      runtime.mallocgc /src/main.go:20\n"
	            "      runtime.main /src/main.go:140\n"
	            "      ... (the stack was cut here)\n\n");
	done(&run, ledger);
}

Test(why, knows_what_no_call_has_made)
{
	struct run run;
	struct ledger *ledger = heap_run(&run);

	expect_text(print_why(ledger, "stack"),
	            "stack, kernel: 132 KiB committed, 1 mapping; 1 stack\n\n"
	            "  132 KiB committed, 1 mapping by no call of the program: "
	            "execve, or the kernel\n\n");
	expect_part(print_why(ledger, "text"),
	            "\n  400 KiB committed, 1 mapping by no call of the "
	            "program: execve, or the kernel\n\n");
	done(&run, ledger);
}

Test(why, marks_what_is_inlined_and_what_has_no_name)
{
	const struct report_style style = { 0 };
	const struct ledger_frame frame[] = {
		{ .place = { .function = "inner" }, .inlined = 1 },
		{ .place = { .function = "outer\x1b", .file = "a.c" } },
		{ .address = 0x1234 },
	};
	struct ledger_stack stack = { .call = "brk",
		                      .committed = MIB,
		                      .mappings = 1,
		                      .calls = 1200,
		                      .frame = frame,
		                      .frame_count = 3 };
	const struct ledger_why why = { .stack = &stack, .stack_count = 1 };
	const struct ledger_row row = { .kind = "brk heap", .owner = "libc" };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	report_why(out, &row, &why, &style);
	fclose(out);
	expect_part(text, "  1.0 MiB committed, 1 mapping by 1,200 brk calls\n"
	                  "      inner (inlined)\n"
	                  "      outer? a.c\n"
	                  "      0x1234\n\n");
}

/* Each of twelve from another place, a page more than the one before. */
Test(why, lists_ten_of_many)
{
	struct run run = run_new();
	struct ledger *ledger;
	const char *look = "";
	char *text;

	for (unsigned i = 0; i < 12; i++) {
		STACK(&run, SYSCALL6, 100 + i, MAIN);
		run_mmap(&run, SPAN(100 * i, 1 + i), RW, ANON);
		look = lines(look, RW_LINE(100 * i, 1 + i), "");
	}
	ledger = ledger_of(&run, look);
	text = print_why(ledger, "mapping");
	expect_part(strdup(text),
	            "; 12 stacks\n\n  48 KiB committed, 1 mapping "
	            "by 1 mmap call\n");
	expect_part(text, "\n\n  2 more: 12 KiB committed, 2 mappings\n\n");
	done(&run, ledger);
}

/* A part of one mapping that has a name is of another row. */
Test(why, cuts_where_a_name_begins)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_fact(&run, SPAN(40, 16), RW, TRACE_WHAT_RING); /* goload's own */
	run_mmap(&run, SPAN(0, 8), RW, ANON);
	run.flags = TRACE_NAMED;
	run.frame_count = 1;
	memcpy(run.frame, "pool\0\0\0", 8);
	run_call(&run, SYS_prctl, 0, 0x53564d41, 0, SPAN(2, 3), 1);
	ledger = ledger_of(&run, lines(RW_LINE(0, 8), RW_LINE(40, 16), ""));
	expect_text(print_why(ledger, "pool"),
	            "pool, program: 12 KiB committed, 1 mapping; 1 stack\n\n"
	            "  12 KiB committed, 1 mapping by 1 mmap call\n\n");
	expect_text(print_why(ledger, "mapping"),
	            "mapping, program: 20 KiB committed, 2 mappings; 1 stack"
	            "\n\n  20 KiB committed, 2 mappings by 1 mmap call\n\n");
	done(&run, ledger);
}

Test(why, tells_apart_what_has_another_protection)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 8), RW, ANON);
	run_mprotect(&run, SPAN(0, 1), PROT_NONE);
	ledger = ledger_of(&run, lines(NONE_LINE(0, 1), RW_LINE(1, 7), ""));
	expect_part(print_why(ledger, "mapping"),
	            "\n  4 KiB reserved, 28 KiB committed, 2 mappings by "
	            "1 mmap call\n");
	done(&run, ledger);
}
