/*
 * What was resident while the program ran: shots in, columns of rows out.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/run_builder.h"

/* ---- runs --------------------------------------------------------------- */

struct pages {
	unsigned at, count;
};

/* A shot of these whole pages, between the call before and the next. */
static void run_shot(struct run *run, const struct pages *pages, size_t count)
{
	struct file_shot shot = { run->tsc - 50, count };
	struct file_resident range[16] = { 0 };

	for (size_t i = 0; i < count; i++) {
		range[i].start = BASE + pages[i].at * PAGE;
		range[i].end = range[i].start + pages[i].count * PAGE;
		range[i].bytes = pages[i].count * PAGE;
	}
	run_block(run, FILE_SHOT, &shot, sizeof(shot), range,
	          count * sizeof(*range));
}

#define SHOT(run, ...)                                                         \
	run_shot(run, (struct pages[]){ __VA_ARGS__ },                         \
	         sizeof((struct pages[]){ __VA_ARGS__ }) /                     \
	                 sizeof(struct pages))

static void run_heap(struct run *run, unsigned at, unsigned pages)
{
	STACK(run, SYSRESERVE, HSYSALLOC, MALLOCGC, MAIN);
	run_mmap(run, SPAN(at, pages), PROT_NONE, ANON);
}

static void run_summary(struct run *run, unsigned at, unsigned pages)
{
	STACK(run, SYSRESERVE, SUMMARY, SCHEDINIT);
	run_mmap(run, SPAN(at, pages), PROT_NONE, ANON);
}

static void run_mapping(struct run *run, unsigned at, unsigned pages)
{
	STACK(run, SYSCALL6, MAIN);
	run_mmap(run, SPAN(at, pages), RW, ANON);
}

/* ---- expectations ------------------------------------------------------- */

static const uint64_t *row_of(const struct ledger *ledger, const char *kind)
{
	for (size_t i = 0; i < ledger->row_count; i++)
		if (strcmp(ledger->row[i].kind, kind) == 0)
			return ledger->row[i].resident_at;
	return NULL;
}

static void expect_pages(const struct ledger *ledger, const uint64_t *column,
                         const unsigned *pages)
{
	cr_assert(column != NULL);
	for (size_t i = 0; i < ledger->moment_count; i++)
		cr_expect(eq(u64, column[i], pages[i] * PAGE), "%zu", i);
}

#define PAGES(...) ((const unsigned[]){ __VA_ARGS__ })

static uint64_t sum_at(const struct ledger *ledger, size_t moment)
{
	uint64_t sum = ledger->goload_resident_at[moment] +
	               ledger->gone_resident_at[moment];

	for (size_t i = 0; i < ledger->row_count; i++)
		sum += ledger->row[i].resident_at[moment];
	return sum;
}

static void expect_end(const struct ledger *ledger)
{
	size_t last = ledger->moment_count - 1;

	cr_assert(ledger->moment_count > 0);
	for (size_t i = 0; i < ledger->row_count; i++)
		cr_expect(eq(u64, ledger->row[i].resident_at[last],
		             ledger->row[i].resident));
	cr_expect(eq(u64, ledger->goload_resident_at[last],
	             ledger->goload_resident));
	cr_expect(eq(u64, ledger->gone_resident_at[last], 0));
}

/* ---- whose the pages were ----------------------------------------------- */

Test(shots, give_each_row_what_it_had)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_heap(&run, 0, 8);
	SHOT(&run, { 0, 2 });
	run_mapping(&run, 8, 4);
	SHOT(&run, { 1, 9 });
	run_mmap(&run, SPAN(100, 1), RW, ANON);
	run_resident(&run, SPAN(0, 9), 9 * PAGE);
	ledger = ledger_of(
		&run, lines(NONE_LINE(0, 8), RW_LINE(8, 4), RW_LINE(100, 1)));
	cr_assert(eq(sz, ledger->moment_count, 3));
	expect_pages(ledger, row_of(ledger, "heap"), PAGES(2, 7, 8));
	expect_pages(ledger, row_of(ledger, "mapping"), PAGES(0, 2, 1));
	expect_pages(ledger, ledger->gone_resident_at, PAGES(0, 0, 0));
	expect_end(ledger);
	done(&run, ledger);
}

Test(shots, are_of_the_map_of_their_moment)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_heap(&run, 0, 4);
	SHOT(&run, { 0, 4 });
	run_munmap(&run, SPAN(0, 4));
	run_mapping(&run, 0, 4);
	SHOT(&run, { 0, 3 });
	run_munmap(&run, SPAN(0, 4));
	run_heap(&run, 10, 4);
	run_mapping(&run, 20, 4);
	SHOT(&run, { 10, 1 });
	ledger = ledger_of(&run, lines(NONE_LINE(10, 4), RW_LINE(20, 4), ""));
	cr_assert(eq(sz, ledger->moment_count, 3)); /* nothing was resident */
	expect_pages(ledger, row_of(ledger, "heap"), PAGES(4, 0, 1));
	expect_pages(ledger, row_of(ledger, "mapping"), PAGES(0, 3, 0));
	done(&run, ledger);
}

/* One place and one manner, another maker. */
Test(shots, do_not_take_one_maker_for_another)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_heap(&run, 0, 4);
	SHOT(&run, { 0, 4 });
	run_summary(&run, 0, 4);
	SHOT(&run, { 0, 3 });
	run_heap(&run, 0, 4);
	SHOT(&run, { 0, 2 });
	run_summary(&run, 8, 4);
	ledger = ledger_of(&run, lines(NONE_LINE(0, 4), NONE_LINE(8, 4), ""));
	expect_pages(ledger, row_of(ledger, "heap"), PAGES(4, 0, 2));
	expect_pages(ledger, row_of(ledger, "page summary"), PAGES(0, 3, 0));
	done(&run, ledger);
}

Test(shots, follow_what_moves)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mapping(&run, 0, 4);
	run_heap(&run, 4, 4);
	SHOT(&run, { 0, 8 });
	run_call(&run, SYS_mremap, BASE + 50 * PAGE, BASE, 4 * PAGE, 4 * PAGE,
	         MREMAP_MAYMOVE, 0);
	SHOT(&run, { 2, 3 }, { 50, 2 });
	ledger = ledger_of(&run, lines(NONE_LINE(4, 4), RW_LINE(50, 4), ""));
	expect_pages(ledger, row_of(ledger, "mapping"), PAGES(4, 2));
	expect_pages(ledger, row_of(ledger, "heap"), PAGES(4, 1));
	expect_pages(ledger, ledger->gone_resident_at, PAGES(0, 2));
	done(&run, ledger);
}

/* A row of nothing at the end would be none: totals are of the end. */
Test(shots, have_no_row_for_a_kind_that_is_gone)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_fact(&run, SPAN(40, 4), RW, TRACE_WHAT_STUBS);
	run_mapping(&run, 0, 4);
	run_heap(&run, 10, 4);
	SHOT(&run, { 1, 2 }, { 10, 1 }, { 20, 5 }, { 41, 2 });
	run_munmap(&run, SPAN(10, 4));
	run_resident(&run, SPAN(0, 3), 3 * PAGE);
	ledger = ledger_of(&run, lines(RW_LINE(0, 4), RW_LINE(40, 4), ""));
	cr_expect(row_of(ledger, "heap") == NULL);
	expect_pages(ledger, row_of(ledger, "mapping"), PAGES(2, 3));
	expect_pages(ledger, ledger->gone_resident_at, PAGES(6, 0));
	expect_pages(ledger, ledger->goload_resident_at, PAGES(2, 0));
	expect_end(ledger);
	done(&run, ledger);
}

/* It has grown since the boot, and no call tells when. */
Test(shots, know_the_grown_stack)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_look(&run, FILE_LOOK_BOOT, run_line(90, 10, "rw-", "[stack]"));
	run_mapping(&run, 0, 4);
	SHOT(&run, { 0, 1 }, { 70, 30 });
	ledger = ledger_of(&run, lines(RW_LINE(0, 4),
	                               run_line(60, 40, "rw-", "[stack]"), ""));
	cr_expect(eq(u64, ledger->unexplained, 0));
	expect_pages(ledger, row_of(ledger, "stack"), PAGES(30));
	done(&run, ledger);
}

/* Its pages were there before it was over: MAP_POPULATE. */
Test(shots, know_a_call_that_was_under_way)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mapping(&run, 0, 4);
	run.tsc += 1000;
	SHOT(&run, { 2, 1 }, { 10, 3 });
	STACK(&run, SYSCALL6, MAIN);
	run_put(&run, (struct trace_event){
			      .call = SYS_mmap,
			      .result = BASE + 10 * PAGE,
			      .args = { 0, 4 * PAGE, RW, ANON, -1ull },
			      .ticket = run.ticket,
			      .ticket_after = run.ticket + 1,
			      .tsc = run.tsc - 500,
			      .tsc_after = run.tsc + 500,
		      });
	run.tsc += 1000;
	ledger = ledger_of(&run, lines(RW_LINE(0, 4), RW_LINE(10, 4), ""));
	expect_pages(ledger, row_of(ledger, "mapping"), PAGES(4));
	done(&run, ledger);
}

Test(shots, share_a_range_to_the_byte)
{
	struct run run = run_new();
	struct file_shot shot = { 0, 1 };
	struct file_resident range = { .start = BASE,
		                       .end = BASE + 7 * PAGE,
		                       .bytes = 2 * PAGE + 1 };
	struct ledger *ledger;

	run_heap(&run, 0, 3);
	run_mapping(&run, 3, 3); /* and a page of nobody */
	shot.tsc = run.tsc;
	run_block(&run, FILE_SHOT, &shot, sizeof(shot), &range, sizeof(range));
	ledger = ledger_of(&run, lines(NONE_LINE(0, 3), RW_LINE(3, 3), ""));
	cr_expect(eq(u64, sum_at(ledger, 0), 2 * PAGE + 1));
	cr_expect(ledger->gone_resident_at[0] > PAGE / 4);
	cr_expect(row_of(ledger, "heap")[0] > PAGE / 2);
	done(&run, ledger);
}

/* ---- the moments -------------------------------------------------------- */

Test(shots, stand_in_time)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mapping(&run, 0, 4);
	run.tsc += 10000;
	SHOT(&run, { 0, 1 });
	run.tsc += 10000;
	SHOT(&run, { 0, 2 });
	run_resident(&run, SPAN(0, 3), 3 * PAGE);
	run.tsc += 10000;
	ledger = ledger_of(&run, RW_LINE(0, 4));
	cr_assert(eq(sz, ledger->moment_count, 3));
	cr_expect(eq(u64, ledger->moment[0], 10050));
	cr_expect(eq(u64, ledger->moment[1], 20050));
	cr_expect(eq(u64, ledger->moment[2], 30100));
	expect_pages(ledger, row_of(ledger, "mapping"), PAGES(1, 2, 3));
	done(&run, ledger);
}

/* Many: the first, the last and the peaks stay, and what is of a shot stays
 * its own. */
Test(shots, are_thinned)
{
	enum { SHOTS = 1000, PEAK = 340 };
	struct run run = run_new();
	struct ledger *ledger;
	uint64_t most = 0;

	run_heap(&run, 0, 2000);
	run_mapping(&run, 3000, 2000);
	for (unsigned i = 0; i < SHOTS; i++) {
		unsigned pages = i == PEAK ? 1999 : i + 1;

		SHOT(&run, { 0, pages }, { 3000, 1 + pages / 2 });
		run.tsc += 100;
	}
	run_resident(&run, SPAN(0, 5), 5 * PAGE);
	ledger = ledger_of(&run,
	                   lines(NONE_LINE(0, 2000), RW_LINE(3000, 2000), ""));
	cr_expect(eq(sz, ledger->moment_count, 128));
	for (size_t i = 0; i + 1 < ledger->moment_count; i++) {
		uint64_t pages = row_of(ledger, "heap")[i] / PAGE;

		cr_expect(eq(u64, sum_at(ledger, i),
		             (pages + 1 + pages / 2) * PAGE));
		cr_expect(ledger->moment[i] < ledger->moment[i + 1]);
		most = pages > most ? pages : most;
	}
	cr_expect(eq(u64, most, 1999));
	cr_expect(eq(u64, row_of(ledger, "heap")[0], PAGE));
	cr_expect(eq(u64, row_of(ledger, "heap")[126], SHOTS * PAGE));
	expect_end(ledger);
	done(&run, ledger);
}

Test(shots, of_a_run_that_was_cut_have_no_last_look)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mapping(&run, 0, 4);
	SHOT(&run, { 0, 4 });
	run_clock(&run, run.tsc);
	ledger = run_ledger(&run);
	cr_assert(ledger != NULL);
	cr_assert(eq(sz, ledger->moment_count, 1));
	expect_pages(ledger, row_of(ledger, "mapping"), PAGES(4));
	done(&run, ledger);
}

/* The look before an execve that failed is a moment no more. */
Test(shots, behind_the_last_look_end_the_columns)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mapping(&run, 0, 4);
	run_resident(&run, SPAN(0, 1), PAGE);
	run_look(&run, FILE_LOOK_LAST, RW_LINE(0, 4));
	run.tsc += 1000;
	SHOT(&run, { 0, 4 });
	run_clock(&run, run.tsc);
	ledger = run_ledger(&run);
	cr_assert(ledger != NULL);
	cr_assert(eq(sz, ledger->moment_count, 1));
	expect_pages(ledger, row_of(ledger, "mapping"), PAGES(4));
	done(&run, ledger);
}

Test(shots, need_not_be)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mapping(&run, 0, 4);
	ledger = ledger_of(&run, RW_LINE(0, 4));
	cr_expect(eq(sz, ledger->moment_count, 0));
	done(&run, ledger);
}

/* ---- what no observer writes -------------------------------------------- */

static void put_shot(struct run *run, uint64_t count,
                     const struct file_resident *range, size_t ranges)
{
	struct file_shot shot = { run->tsc, count };

	run_block(run, FILE_SHOT, &shot, sizeof(shot), range,
	          ranges * sizeof(*range));
}

Test(shots, that_lie_are_left_out)
{
	const struct file_resident backwards[] = {
		{ BASE + PAGE, BASE + 2 * PAGE, PAGE, 0, 0 },
		{ BASE, BASE + PAGE, PAGE, 0, 0 },
	};
	const struct file_resident across[] = {
		{ BASE, BASE + 2 * PAGE, PAGE, 0, 0 },
		{ BASE + PAGE, BASE + 3 * PAGE, PAGE, 0, 0 },
	};
	const struct file_resident inside_out = { BASE + PAGE, BASE, 0, 0, 0 };
	const struct file_resident full = { BASE, BASE + PAGE, PAGE + 1, 0, 0 };
	/* with the block behind it two ranges that would do */
	const struct file_resident low = { 0, 8, 1, 0, 0 };
	const uint64_t next[5] = { 5 };
	const struct file_resident right = { 0, ~0ull, PAGE, 0, 77 };
	struct run run = run_new();
	struct ledger *ledger;

	run_mapping(&run, 0, 4);
	put_shot(&run, 2, &low, 1);
	run_block(&run, FILE_SHOT, next, sizeof(next), "", 0);
	put_shot(&run, 2, backwards, 2);
	put_shot(&run, 2, across, 2);
	put_shot(&run, 1, &inside_out, 1);
	put_shot(&run, 1, &full, 1);
	put_shot(&run, 2, &right, 1);
	put_shot(&run, ~0ull, &right, 1);
	put_shot(&run, 0, &right, 1);
	run_block(&run, FILE_SHOT, "12345678", 8, "", 0);
	put_shot(&run, 1, &right, 1);
	run.tsc -= 10;
	put_shot(&run, 1, &right, 1); /* before the one before */
	run.tsc = ~0ull;
	put_shot(&run, 1, &right, 1);
	run.tsc = 5000;
	ledger = ledger_of(&run, RW_LINE(0, 4));
	cr_assert(eq(sz, ledger->moment_count, 2));
	cr_expect(eq(u64, sum_at(ledger, 0), PAGE));
	cr_expect(eq(u64, sum_at(ledger, 1), PAGE));
	done(&run, ledger);
}
