/*
 * The ledger: calls and looks in, rows and what does not add up out.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/run_builder.h"

/* ---- calls -------------------------------------------------------------- */

Test(ledger, closes)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 4), RW, ANON);
	run_mmap(&run, SPAN(4, 4), PROT_NONE, ANON);
	expect_closed(&run, lines(RW_LINE(0, 4), NONE_LINE(4, 4), ""));
}

Test(ledger, closes_however_the_kernel_merges)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 4), RW, ANON);
	run_mmap(&run, SPAN(4, 4), RW, ANON);
	expect_closed(&run, lines(RW_LINE(0, 3), RW_LINE(3, 5), ""));
}

Test(ledger, rounds_lengths_up)
{
	struct run run = run_new();

	run_mmap(&run, BASE, 3 * PAGE + 1, RW, ANON);
	run_munmap(&run, BASE, 1);
	expect_closed(&run, RW_LINE(1, 3));
}

Test(ledger, rounds_huge_lengths_to_huge_pages)
{
	struct run run = run_new();

	run_mmap(&run, BASE, PAGE, RW, ANON | MAP_HUGETLB);
	run_mmap(&run, BASE + (1ull << 30), PAGE, RW,
	         ANON | MAP_HUGETLB | 30u << 26);
	expect_closed(&run,
	              lines(RW_LINE(0, 512), RW_LINE(1 << 18, 1 << 18), ""));
}

Test(ledger, splits_at_an_munmap_inside)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 8), RW, ANON);
	run_munmap(&run, SPAN(2, 3));
	expect_closed(&run, lines(RW_LINE(0, 2), RW_LINE(5, 3), ""));
}

Test(ledger, commits_over_a_reservation)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 8), PROT_NONE, ANON);
	run_mmap(&run, SPAN(2, 3), RW, ANON | MAP_FIXED);
	expect_closed(&run,
	              lines(NONE_LINE(0, 2), RW_LINE(2, 3), NONE_LINE(5, 3)));
}

Test(ledger, splits_at_an_mprotect)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 8), PROT_NONE, ANON);
	run_mprotect(&run, SPAN(1, 2), RW);
	expect_closed(&run,
	              lines(NONE_LINE(0, 1), RW_LINE(1, 2), NONE_LINE(3, 5)));
}

Test(ledger, ignores_a_refused_call)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 1), RW, ANON);
	run_call(&run, SYS_mmap, -12ull, 0, 99 * PAGE, RW, ANON, -1ull);
	expect_closed(&run, RW_LINE(0, 1));
}

Test(ledger, ignores_an_abandoned_event)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 1), RW, ANON);
	run.flags = TRACE_ABANDONED;
	run_munmap(&run, SPAN(0, 1));
	expect_closed(&run, RW_LINE(0, 1));
}

static void mremap_to(struct run *run, uint64_t old_pages, uint64_t new_pages,
                      unsigned flags, unsigned to)
{
	run_call(run, SYS_mremap, BASE + to * PAGE, BASE, old_pages * PAGE,
	         new_pages * PAGE, flags, BASE + to * PAGE);
}

Test(ledger, follows_mremap)
{
	static const struct {
		const char *name;
		unsigned old_pages, new_pages, flags, to;
		unsigned kept;        /* pages of the eight at BASE */
		unsigned page, pages; /* and elsewhere */
	} cases[] = {
		{ "shrink", 8, 3, 0, 0, 3, 0, 0 },
		{ "grow in place", 8, 12, 1, 0, 12, 0, 0 },
		{ "move", 8, 8, 1, 50, 0, 50, 8 },
		{ "move and grow", 8, 20, 1, 50, 0, 50, 20 },
		{ "move and shrink, fixed", 8, 2, 3, 50, 0, 50, 2 },
		{ "don't unmap", 8, 8, 5, 50, 8, 50, 8 },
		{ "duplicate", 0, 8, 1, 50, 8, 50, 8 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct run run = run_new();
		struct ledger *ledger;

		run_mmap(&run, SPAN(0, 8), RW, ANON);
		mremap_to(&run, cases[i].old_pages, cases[i].new_pages,
		          cases[i].flags, cases[i].to);
		ledger = ledger_of(
			&run,
			lines(cases[i].kept ? RW_LINE(0, cases[i].kept) : "",
		              cases[i].pages
		                      ? RW_LINE(cases[i].page, cases[i].pages)
		                      : "",
		              ""));
		cr_expect(eq(sz, ledger->range_count, 0), "%s", cases[i].name);
		done(&run, ledger);
	}
}

Test(ledger, moves_onto_a_mapping)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 2), RW, ANON);
	run_mmap(&run, SPAN(50, 4), PROT_NONE, ANON);
	mremap_to(&run, 2, 2, 3, 51);
	expect_closed(&run, lines(NONE_LINE(50, 1), RW_LINE(51, 2),
	                          NONE_LINE(53, 1)));
}

static void brk_to(struct run *run, uint64_t to)
{
	run_call(run, SYS_brk, to, to, 0, 0, 0, 0);
}

Test(ledger, follows_the_break)
{
	struct run run = run_new();

	run_fact(&run, BASE + 5, 0, 0, TRACE_WHAT_BRK);
	brk_to(&run, BASE + 5); /* asks where it is */
	brk_to(&run, BASE + 10 * PAGE + 1);
	brk_to(&run, BASE + 6 * PAGE);
	expect_closed(&run, run_line(1, 5, "rw-", "[heap]"));
}

Test(ledger, learns_the_size_of_an_attach_from_a_look)
{
	struct run run = run_new();

	run_call(&run, SYS_shmat, BASE, 7, 0, 0, 0, 0);
	run_look(&run, FILE_LOOK_LIVE,
	         run_line(0, 6, "rw-", "/SYSV00000000 (deleted)"));
	run_mmap(&run, SPAN(2, 2), PROT_NONE, ANON | MAP_FIXED);
	run_call(&run, SYS_shmdt, 0, BASE, 0, 0, 0, 0);
	expect_closed(&run, NONE_LINE(2, 2));
}

/* A call with what the shim has measured of it. */
static void measured(struct run *run, uint32_t call, uint64_t result,
                     uint64_t at, uint64_t size)
{
	run->flags = TRACE_MEASURED;
	run_put(run, (struct trace_event){
			     .call = call,
			     .result = result,
			     .args = { 7, 0, 0, 0, at, size },
			     .ticket = run->ticket,
			     .ticket_after = run->ticket + 1,
			     .tsc = run->tsc,
			     .tsc_after = run->tsc + 10,
		     });
	run->ticket += 2;
	run->tsc += 100;
}

Test(ledger, knows_an_attach_that_no_look_has_seen)
{
	struct run run = run_new();
	struct ledger *ledger;

	measured(&run, SYS_shmat, BASE, SPAN(0, 6) - 1);
	run_mmap(&run, SPAN(2, 2), PROT_NONE, ANON | MAP_FIXED);
	run_call(&run, SYS_shmdt, 0, BASE, 0, 0, 0, 0);
	ledger = ledger_of(&run, NONE_LINE(2, 2));
	cr_expect(eq(sz, ledger->range_count, 0));
	cr_expect(eq(u64, ledger->ambiguous, 0));
	cr_expect(eq(u64, ledger->peak_vm_size, 6 * PAGE));
	done(&run, ledger);
}

Test(ledger, takes_the_latest_attach_at_an_address)
{
	struct run run = run_new();

	measured(&run, SYS_shmat, BASE, SPAN(0, 2));
	run_munmap(&run, SPAN(0, 2));
	measured(&run, SYS_shmat, BASE, SPAN(0, 6));
	run_call(&run, SYS_shmdt, 0, BASE, 0, 0, 0, 0);
	expect_closed(&run, "");
}

Test(ledger, counts_a_huge_attach_by_its_look)
{
	struct run run = run_new();

	measured(&run, SYS_shmat, BASE, SPAN(0, 3));
	expect_closed(&run, run_line(0, 512, "rw-", "/SYSV00000000 (deleted)"));
}

Test(ledger, knows_an_aio_ring_from_its_setup_to_its_end)
{
	struct run run = run_new();
	struct ledger *ledger;

	measured(&run, SYS_io_setup, 0, SPAN(0, 3));
	measured(&run, SYS_io_setup, 0, SPAN(8, 1));
	run_mmap(&run, SPAN(2, 2), RW, ANON | MAP_FIXED);
	run_call(&run, SYS_io_destroy, 0, BASE, 0, 0, 0, 0);
	ledger = ledger_of(
		&run, lines(RW_LINE(3, 1),
	                    run_line(8, 1, "rw-", "/[aio] (deleted)"), ""));
	cr_expect(eq(sz, ledger->range_count, 0));
	cr_expect(eq(u64, ledger->peak_vm_size, 5 * PAGE));
	done(&run, ledger);
}

Test(ledger, goes_with_mprotect_up_to_a_hole)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 4), RW, ANON);
	run_mmap(&run, SPAN(6, 2), RW, ANON);
	run_call(&run, SYS_mprotect, -12ull, SPAN(2, 6), PROT_READ, 0, 0);
	expect_closed(&run, lines(RW_LINE(0, 2), run_line(2, 2, "r--", ""),
	                          RW_LINE(6, 2)));
}

Test(ledger, goes_with_mprotect_up_to_a_file_that_may_not_be_written)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 4), PROT_READ, ANON);
	run_call(&run, SYS_mmap, BASE + 4 * PAGE, BASE + 4 * PAGE, 2 * PAGE,
	         PROT_READ, MAP_SHARED, 3);
	run_call(&run, SYS_mprotect, -13ull, SPAN(2, 4), RW, 0, 0);
	expect_closed(&run, lines(run_line(0, 2, "r--", ""), RW_LINE(2, 2),
	                          run_line(4, 2, "r--", "")));
}

/* ---- what the kernel makes ---------------------------------------------- */

Test(ledger, lets_the_stack_grow)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_look(&run, FILE_LOOK_BOOT, run_line(10, 2, "rw-", "[stack]"));
	ledger = ledger_of(&run, run_line(4, 8, "rw-", "[stack]"));
	cr_expect(eq(u64, ledger->unexplained, 0));
	cr_expect(strcmp(ledger->row[0].kind, "stack") == 0);
	cr_expect(eq(u64, ledger->row[0].committed, 8 * PAGE));
	done(&run, ledger);
}

Test(ledger, knows_that_a_protected_stack_had_grown)
{
	struct run run = run_new();

	run_look(&run, FILE_LOOK_BOOT, run_line(100, 2, "rw-", "[stack]"));
	run_mprotect(&run, SPAN(50, 1), PROT_NONE);
	expect_closed(&run, lines(NONE_LINE(50, 1),
	                          run_line(51, 51, "rw-", "[stack]"), ""));
}

Test(ledger, takes_vdso_and_aio_rings_for_the_kernels)
{
	struct run run = run_new();

	run_look(&run, FILE_LOOK_BOOT,
	         lines(run_line(0, 4, "r--", "[vvar]"),
	               run_line(4, 2, "r-x", "[vdso]"), ""));
	expect_closed(&run, lines(run_line(0, 4, "r--", "[vvar]"),
	                          run_line(4, 2, "r-x", "[vdso]"),
	                          run_line(9, 1, "rw-", "/[aio] (deleted)")));
}

Test(ledger, leaves_vsyscall_out_as_vmsize_does)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 1), RW, ANON);
	expect_closed(&run, lines(RW_LINE(0, 1),
	                          "ffffffffff600000-ffffffffff601000 --xp "
	                          "00000000 00:00 0 [vsyscall]\n",
	                          ""));
}

/* ---- what does not match ------------------------------------------------ */

Test(ledger, shows_the_exact_range_of_a_dropped_mmap)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 4), RW, ANON);
	/* SPAN(4, 3) is lost, and merged by the kernel into one mapping */
	run_mmap(&run, SPAN(7, 2), RW, ANON);
	ledger = ledger_of(&run, RW_LINE(0, 9));
	cr_expect(eq(u64, ledger->unexplained, 3 * PAGE));
	cr_assert(eq(sz, ledger->range_count, 1));
	cr_expect(eq(u64, ledger->range[0].start, BASE + 4 * PAGE));
	cr_expect(eq(u64, ledger->range[0].end, BASE + 7 * PAGE));
	cr_expect(not(ledger->range[0].phantom));
	done(&run, ledger);
}

Test(ledger, calls_a_dropped_munmap_a_phantom)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 4), RW, ANON);
	ledger = ledger_of(&run, RW_LINE(0, 1));
	cr_expect(eq(u64, ledger->vm_size, PAGE));
	cr_expect(eq(u64, ledger->unexplained, 0));
	cr_expect(eq(u64, ledger->phantom, 3 * PAGE));
	cr_assert(eq(sz, ledger->range_count, 1));
	cr_expect(ledger->range[0].phantom);
	done(&run, ledger);
}

Test(ledger, does_not_explain_another_protection)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 4), PROT_READ, ANON);
	ledger = ledger_of(&run, run_line(0, 4, "r-x", ""));
	cr_expect(eq(u64, ledger->unexplained, 4 * PAGE));
	cr_expect(eq(u64, ledger->target, 0));
	done(&run, ledger);
}

Test(ledger, says_when_nothing_was_checked)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 4), RW, ANON);
	ledger = ledger_of(&run, NULL);
	cr_expect(not(ledger->checked));
	cr_expect(eq(u64, ledger->vm_size, 4 * PAGE));
	done(&run, ledger);
}

Test(ledger, keeps_what_came_before_a_torn_end)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 4), RW, ANON);
	run_mmap(&run, SPAN(4, 4), RW, ANON);
	run.size -= 8;
	ledger = run_ledger(&run);
	cr_expect(run.read->torn);
	cr_expect(run.read->end == NULL);
	cr_expect(eq(u64, ledger->events, 1));
	cr_expect(eq(u64, ledger->target, 4 * PAGE));
	done(&run, ledger);
}

/* ---- sums --------------------------------------------------------------- */

Test(ledger, finds_the_peak)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 4), RW, ANON);
	run_mmap(&run, SPAN(10, 90), PROT_NONE, ANON);
	run_munmap(&run, SPAN(10, 90));
	ledger = ledger_of(&run, RW_LINE(0, 4));
	cr_expect(eq(u64, ledger->peak_vm_size, 94 * PAGE));
	cr_assert(eq(sz, ledger->point_count, 4));
	cr_expect(eq(u64, ledger->point[1].reserved, 90 * PAGE));
	cr_expect(eq(u64, ledger->point[1].t, 110));
	done(&run, ledger);
}

Test(ledger, thins_a_long_timeline_but_keeps_its_peak)
{
	struct run run = run_new();
	struct ledger *ledger;
	uint64_t most = 0;

	for (unsigned i = 0; i < 3000; i++) {
		unsigned pages = i == 1234 ? 5000 : 1 + i % 3;

		run_mmap(&run, SPAN(0, pages), RW, ANON);
		run_munmap(&run, SPAN(0, pages));
	}
	ledger = ledger_of(&run, "");
	cr_expect(le(sz, ledger->point_count, 512));
	for (size_t i = 0; i < ledger->point_count; i++) {
		if (ledger->point[i].committed > most)
			most = ledger->point[i].committed;
		cr_expect(i == 0 ||
		          ledger->point[i].t >= ledger->point[i - 1].t);
	}
	cr_expect(eq(u64, most, 5000 * PAGE));
	done(&run, ledger);
}

Test(ledger, cuts_resident_bytes_to_rows_and_to_goload)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_fact(&run, SPAN(0, 4), PROT_READ, TRACE_WHAT_FILE);
	run_fact(&run, SPAN(4, 4), RW, TRACE_WHAT_BSS);
	run_fact(&run, SPAN(8, 3), RW, TRACE_WHAT_RING);
	run_resident(&run, SPAN(1, 9), 9 * PAGE);
	ledger = ledger_of(&run,
	                   lines(run_line(0, 4, "r--", ""), RW_LINE(4, 7), ""));
	cr_expect(eq(u64, ledger->resident, 7 * PAGE));
	cr_expect(eq(u64, ledger->goload_resident, 2 * PAGE));
	cr_expect(eq(u64, ledger->goload, 3 * PAGE));
	cr_expect(eq(u64, ledger->target, 8 * PAGE));
	cr_expect(strcmp(ledger->own[0].kind, "ring") == 0);
	done(&run, ledger);
}

Test(ledger, shares_a_partly_resident_range_to_the_byte)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 1), RW, ANON);
	run_mmap(&run, SPAN(1, 1), PROT_READ, ANON);
	run_mmap(&run, SPAN(2, 1), RW, ANON);
	run_resident(&run, SPAN(0, 3), PAGE + 1);
	ledger = ledger_of(&run, lines(RW_LINE(0, 1), run_line(1, 1, "r--", ""),
	                               RW_LINE(2, 1)));
	cr_expect(eq(u64, ledger->resident, PAGE + 1));
	done(&run, ledger);
}

Test(ledger, counts_calls_by_name)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 1), RW, ANON);
	run_mmap(&run, SPAN(1, 1), RW, ANON);
	run.flags = TRACE_CUT;
	run_call(&run, 333, 0, 0, 0, 0, 0, 0);
	run_fact(&run, SPAN(4, 1), RW, TRACE_WHAT_RING);
	ledger = ledger_of(&run, NULL);
	cr_expect(eq(u64, ledger->events, 3));
	cr_expect(eq(u64, ledger->truncated, 1));
	cr_assert(eq(sz, ledger->call_count, 2));
	cr_expect(strcmp(ledger->call[0].name, "mmap") == 0);
	cr_expect(eq(u64, ledger->call[0].count, 2));
	cr_expect(strcmp(ledger->call[1].name, "syscall_333") == 0);
	done(&run, ledger);
}

/* ---- what is resident, and what was given back -------------------------- */

Test(ledger, tells_pages_of_files_and_shared_and_huge_ones)
{
	struct file_resident part[] = {
		{ BASE, BASE + 2 * PAGE, PAGE + 1, 0, FILE_PAGES_ANONYMOUS },
		{ BASE + 2 * PAGE, BASE + 5 * PAGE, 3 * PAGE, PAGE,
		  FILE_PAGES_FILE },
		{ BASE + 5 * PAGE, BASE + 6 * PAGE, PAGE, PAGE,
		  FILE_PAGES_SHARED },
		{ BASE + 6 * PAGE, BASE + 7 * PAGE, PAGE, 0, 99 },
	};
	struct run run = run_new();
	struct ledger *ledger;
	const struct ledger_row *row;

	run_mmap(&run, SPAN(0, 8), RW, ANON);
	run_block(&run, FILE_RESIDENT, part, sizeof(part), "", 0);
	ledger = ledger_of(&run, RW_LINE(0, 8));
	cr_assert(eq(sz, ledger->row_count, 1));
	row = ledger->row;
	cr_expect(eq(u64, row->resident, 6 * PAGE + 1));
	cr_expect(eq(u64, row->anonymous, 2 * PAGE + 1));
	cr_expect(eq(u64, row->file, 3 * PAGE));
	cr_expect(eq(u64, row->shared, PAGE));
	cr_expect(eq(u64, row->huge, 2 * PAGE));
	done(&run, ledger);
}

static void run_madvise(struct run *run, uint64_t at, uint64_t size,
                        unsigned advice, int error)
{
	run_call(run, SYS_madvise, (uint64_t)-error, at, size, advice, 0, 0);
}

/* In pages: of all rows. */
static void expect_returned(struct run *run, const char *look,
                            unsigned returned, unsigned came_back)
{
	struct ledger *ledger = ledger_of(run, look);
	uint64_t all = 0, back = 0;

	for (size_t i = 0; i < ledger->row_count; i++) {
		all += ledger->row[i].returned;
		back += ledger->row[i].came_back;
	}
	cr_expect(eq(u64, all, returned * PAGE));
	cr_expect(eq(u64, back, came_back * PAGE));
	done(run, ledger);
}

Test(ledger, counts_what_was_returned_and_what_came_back)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 16), RW, ANON);
	run_madvise(&run, SPAN(0, 8), MADV_DONTNEED, 0);
	run_madvise(&run, SPAN(4, 5), MADV_FREE, 0);
	run_madvise(&run, BASE + 10 * PAGE, 1, MADV_REMOVE, 0);
	run_madvise(&run, SPAN(12, 1), 24 /* MADV_DONTNEED_LOCKED */, 0);
	run_madvise(&run, SPAN(14, 1), 102 /* MADV_GUARD_INSTALL */, 0);
	run_resident(&run, SPAN(7, 4), 4 * PAGE);
	expect_returned(&run, RW_LINE(0, 16), 12, 3);
}

Test(ledger, does_not_count_other_advice_nor_what_was_refused)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 16), RW, ANON);
	run_madvise(&run, SPAN(0, 8), MADV_HUGEPAGE, 0);
	run_madvise(&run, SPAN(0, 8), MADV_DONTNEED, 22);
	run_madvise(&run, ~0ull - PAGE, 4 * PAGE, MADV_DONTNEED, 0);
	expect_returned(&run, RW_LINE(0, 16), 0, 0);
}

Test(ledger, counts_what_is_returned_around_a_hole)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 4), RW, ANON);
	run_mmap(&run, SPAN(6, 4), RW, ANON);
	run_madvise(&run, SPAN(0, 10), MADV_DONTNEED, 12);
	run_mmap(&run, SPAN(4, 2), RW, ANON);
	run_resident(&run, SPAN(3, 4), 4 * PAGE);
	expect_returned(&run, RW_LINE(0, 10), 8, 2);
}

Test(ledger, forgets_what_was_returned_when_it_is_mapped_or_filled_anew)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 16), RW, ANON);
	run_madvise(&run, SPAN(0, 16), MADV_DONTNEED, 0);
	run_munmap(&run, SPAN(0, 2));
	run_mmap(&run, SPAN(0, 2), RW, ANON);
	run_mmap(&run, SPAN(4, 2), RW, ANON | MAP_FIXED);
	run_madvise(&run, SPAN(8, 3), 23 /* MADV_POPULATE_WRITE */, 0);
	run_mprotect(&run, SPAN(12, 2), PROT_READ);
	run_resident(&run, SPAN(0, 16), 16 * PAGE);
	expect_returned(&run,
	                lines(RW_LINE(0, 12), run_line(12, 2, "r--", ""),
	                      RW_LINE(14, 2)),
	                9, 9);
}

Test(ledger, moves_what_was_returned_with_its_mapping)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 8), RW, ANON);
	run_madvise(&run, SPAN(2, 2), MADV_DONTNEED, 0);
	run_call(&run, SYS_mremap, BASE + 32 * PAGE, BASE, 8 * PAGE, 12 * PAGE,
	         MREMAP_MAYMOVE, 0);
	run_resident(&run, SPAN(35, 1), PAGE);
	expect_returned(&run, RW_LINE(32, 12), 2, 1);
}

Test(ledger, leaves_nothing_returned_where_pages_moved_away)
{
	struct run run = run_new();

	run_mmap(&run, SPAN(0, 8), RW, ANON);
	run_madvise(&run, SPAN(2, 2), MADV_DONTNEED, 0);
	run_call(&run, SYS_mremap, BASE + 32 * PAGE, BASE, 8 * PAGE, 8 * PAGE,
	         MREMAP_MAYMOVE | 4 /* MREMAP_DONTUNMAP */, 0);
	run_resident(&run, SPAN(0, 8), 8 * PAGE);
	expect_returned(&run, lines(RW_LINE(0, 8), RW_LINE(32, 8), ""), 2, 0);
}

/* ---- MemStats ----------------------------------------------------------- */

Test(ledger, keeps_memstats_in_order)
{
	struct run run = run_new();
	struct ledger *ledger;

	for (unsigned i = 1; i <= 3; i++)
		run_memstats(&run, i * 100, NULL);
	ledger = ledger_of(&run, NULL);
	cr_assert(eq(sz, ledger->memstats.count, 3));
	cr_expect(eq(u64, ledger->memstats.at[0]->heap_inuse, 100));
	cr_expect(eq(u64, ledger->memstats.last->heap_inuse, 300));
	cr_expect(ledger->memstats.reason == NULL);
	done(&run, ledger);
}

Test(ledger, thins_many_memstats_and_keeps_the_largest)
{
	struct run run = run_new();
	struct ledger *ledger;
	size_t found = 0;

	for (unsigned i = 1; i <= 5000; i++) {
		run.tsc++;
		run_memstats(&run, i == 3333 ? 1000000 : i, NULL);
	}
	ledger = ledger_of(&run, NULL);
	cr_expect(ledger->memstats.count > 256 && ledger->memstats.count <= 512,
	          "%zu", ledger->memstats.count);
	for (size_t i = 0; i < ledger->memstats.count; i++) {
		const struct file_memstats *const *at =
			(const struct file_memstats *const *)
				ledger->memstats.at;

		found += at[i]->heap_inuse == 1000000;
		cr_expect(i == 0 || at[i]->tsc > at[i - 1]->tsc);
	}
	cr_expect(eq(sz, found, 1));
	cr_expect(eq(u64, ledger->memstats.last->heap_inuse, 5000));
	done(&run, ledger);
}

Test(ledger, says_why_there_is_no_memstats)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_memstats(&run, 0, "too new");
	ledger = ledger_of(&run, NULL);
	cr_expect(ledger->memstats.last == NULL);
	cr_assert(ledger->memstats.reason != NULL);
	cr_expect(strcmp(ledger->memstats.reason, "too new") == 0);
	done(&run, ledger);
}
