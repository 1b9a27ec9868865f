/*
 * The ledger where calls of several threads overlap: what tickets order, what
 * nobody can order, and what came too late for the last look.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/run_builder.h"

#include <sys/shm.h>

/* One event, its tickets and thread as given. */
static void put(struct run *run, unsigned thread, unsigned before,
                unsigned after, struct trace_event event)
{
	event.thread = thread;
	event.ticket = before;
	event.ticket_after = after;
	event.tsc = run->tsc + before * 10;
	event.tsc_after = run->tsc + after * 10;
	run_put(run, event);
	run->ticket = 1000;
}

#define MUNMAP(a, n)                                                           \
	(struct trace_event)                                                   \
	{                                                                      \
		.call = SYS_munmap, .args = { SPAN(a, n) }                     \
	}
#define MMAP(a, n, fixed)                                                      \
	(struct trace_event)                                                   \
	{                                                                      \
		.call = SYS_mmap, .result = BASE + (a)*PAGE, .args = {         \
			SPAN(a, n),                                            \
			RW,                                                    \
			ANON | (fixed),                                        \
			-1ull                                                  \
		}                                                              \
	}
#define MPROTECT(a, n, prot)                                                   \
	(struct trace_event)                                                   \
	{                                                                      \
		.call = SYS_mprotect, .args = { SPAN(a, n), prot }             \
	}
#define MREMAP(a, n, to)                                                       \
	(struct trace_event)                                                   \
	{                                                                      \
		.call = SYS_mremap, .result = BASE + (to)*PAGE, .args = {      \
			SPAN(a, n),                                            \
			(n)*PAGE,                                              \
			MREMAP_MAYMOVE                                         \
		}                                                              \
	}
#define MREMAP_MAYMOVE 1
#define GROW_TO(a, n, m)                                                       \
	(struct trace_event)                                                   \
	{                                                                      \
		.call = SYS_mremap, .result = BASE + (a)*PAGE, .args = {       \
			SPAN(a, n),                                            \
			(m)*PAGE                                               \
		}                                                              \
	}

/* Thread 2 gets what thread 1 gives back, while 1 has not returned yet; and
 * its event is recorded first. */
Test(ledger, orders_a_reused_range_by_tickets)
{
	struct run run = run_new();

	put(&run, 1, 1, 2, MMAP(0, 4, 0));
	put(&run, 2, 4, 5, MMAP(0, 4, 0));
	put(&run, 1, 3, 6, MUNMAP(0, 4));
	expect_closed(&run, RW_LINE(0, 4));
}

Test(ledger, gives_a_moved_range_back_before_the_move_is_over)
{
	struct run run = run_new();

	put(&run, 1, 1, 2, MMAP(0, 4, 0));
	put(&run, 2, 4, 5, MMAP(0, 2, 0));
	put(&run, 2, 6, 7, MPROTECT(0, 1, PROT_NONE));
	put(&run, 1, 3, 8, MREMAP(0, 4, 20));
	expect_closed(&run,
	              lines(NONE_LINE(0, 1), RW_LINE(1, 1), RW_LINE(20, 4)));
}

Test(ledger, moves_to_a_range_given_back_meanwhile)
{
	struct run run = run_new();

	put(&run, 1, 1, 2, MMAP(0, 4, 0));
	put(&run, 2, 3, 4, MMAP(20, 4, 0));
	put(&run, 1, 5, 8, MREMAP(0, 4, 20));
	put(&run, 2, 6, 7, MUNMAP(20, 4));
	expect_closed(&run, RW_LINE(20, 4));
}

Test(ledger, believes_the_kernel_where_two_threads_race)
{
	struct run run = run_new();
	struct ledger *ledger;

	put(&run, 1, 1, 2, MMAP(0, 8, 0));
	put(&run, 1, 3, 6, MPROTECT(0, 6, PROT_NONE));
	put(&run, 2, 4, 5, MPROTECT(4, 4, PROT_READ));
	ledger = ledger_of(
		&run, lines(NONE_LINE(0, 4), run_line(4, 4, "r--", ""), ""));
	cr_expect(eq(u64, ledger->ambiguous, 1));
	cr_expect(eq(u64, ledger->unexplained, 0));
	done(&run, ledger);
}

Test(ledger, sees_the_race_of_munmap_by_the_clock)
{
	struct run run = run_new();
	struct ledger *ledger;

	put(&run, 1, 1, 2, MMAP(0, 8, 0));
	put(&run, 1, 3, 9, MUNMAP(0, 8));
	put(&run, 2, 4, 5, MMAP(0, 8, MAP_FIXED));
	ledger = ledger_of(&run, "");
	cr_expect(eq(u64, ledger->ambiguous, 1));
	cr_expect(eq(u64, ledger->phantom, 0));
	done(&run, ledger);
}

Test(ledger, believes_no_kernel_where_a_race_was_settled)
{
	struct run run = run_new();
	struct ledger *ledger;

	put(&run, 1, 1, 2, MMAP(0, 8, 0));
	put(&run, 1, 3, 6, MPROTECT(0, 8, PROT_NONE));
	put(&run, 2, 4, 5, MPROTECT(0, 8, PROT_READ));
	put(&run, 2, 7, 8, MMAP(0, 8, MAP_FIXED));
	ledger = ledger_of(&run, NONE_LINE(0, 8));
	cr_expect(eq(u64, ledger->unexplained, 8 * PAGE));
	done(&run, ledger);
}

/* No hole: there were too many mappings for the second one to be cut. */
Test(ledger, re_reads_what_a_failed_call_may_have_changed)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 2), PROT_READ | PROT_EXEC, ANON);
	run_mmap(&run, SPAN(2, 4), RW, ANON);
	run_call(&run, SYS_mprotect, -12ull, SPAN(0, 4), PROT_READ, 0, 0);
	ledger = ledger_of(&run,
	                   lines(run_line(0, 2, "r--", ""), RW_LINE(2, 4), ""));
	cr_expect(eq(u64, ledger->ambiguous, 1));
	cr_expect(eq(u64, ledger->unexplained, 0));
	done(&run, ledger);
}

/* What was given back, and has not returned yet, is taken by growth. */
Test(ledger, grows_over_a_range_given_back_meanwhile)
{
	struct run run = run_new();

	put(&run, 1, 1, 2, MMAP(0, 4, 0));
	put(&run, 2, 3, 4, MMAP(4, 4, 0));
	put(&run, 2, 5, 20, MUNMAP(4, 4));
	put(&run, 1, 6, 7, GROW_TO(0, 4, 8));
	put(&run, 1, 8, 9, MPROTECT(4, 4, PROT_NONE));
	expect_closed(&run, lines(RW_LINE(0, 4), NONE_LINE(4, 4), ""));
}

/* The move got what the mmap under way had put there. */
Test(ledger, doubts_where_a_raced_range_has_moved)
{
	struct run run = run_new();
	struct ledger *ledger;

	put(&run, 1, 1, 4, MMAP(0, 4, MAP_FIXED));
	put(&run, 2, 2, 3, MREMAP(0, 4, 20));
	ledger = ledger_of(&run, RW_LINE(20, 4));
	cr_expect(eq(u64, ledger->ambiguous, 1));
	cr_expect(eq(sz, ledger->range_count, 0));
	done(&run, ledger);
}

/* mremap of 0 bytes */
Test(ledger, doubts_the_copy_of_a_raced_range)
{
	struct run run = run_new();
	struct ledger *ledger;

	put(&run, 1, 1, 4, MMAP(0, 4, MAP_FIXED));
	put(&run, 2, 2, 3,
	    (struct trace_event){
		    .call = SYS_mremap,
		    .result = BASE + 20 * PAGE,
		    .args = { BASE, 0, 4 * PAGE, MREMAP_MAYMOVE } });
	put(&run, 2, 5, 6, MUNMAP(0, 4));
	ledger = ledger_of(&run, RW_LINE(20, 4));
	cr_expect(eq(u64, ledger->ambiguous, 1));
	cr_expect(eq(sz, ledger->range_count, 0));
	done(&run, ledger);
}

Test(ledger, sees_the_race_of_an_attach_that_replaces)
{
	struct run run = run_new();
	struct ledger *ledger;

	put(&run, 1, 1, 2, MMAP(0, 4, 0));
	run.flags = TRACE_MEASURED;
	put(&run, 1, 3, 6,
	    (struct trace_event){
		    .call = SYS_shmat,
		    .result = BASE,
		    .args = { 7, BASE, SHM_REMAP, 0, SPAN(0, 4) } });
	put(&run, 2, 4, 5, MPROTECT(0, 4, PROT_NONE));
	ledger = ledger_of(&run, NONE_LINE(0, 4));
	cr_expect(eq(u64, ledger->ambiguous, 1));
	cr_expect(eq(sz, ledger->range_count, 0));
	done(&run, ledger);
}

Test(ledger, leaves_out_what_came_after_the_last_look)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 4), RW, ANON);
	run_look(&run, FILE_LOOK_LAST, RW_LINE(0, 4));
	run_mmap(&run, SPAN(10, 4), RW, ANON);
	run_munmap(&run, SPAN(0, 2));
	ledger = ledger_of(&run, NULL);
	cr_expect(eq(sz, ledger->range_count, 0));
	cr_expect(eq(u64, ledger->ambiguous, 0));
	cr_expect(eq(u64, ledger->vm_size, 4 * PAGE));
	done(&run, ledger);
}
