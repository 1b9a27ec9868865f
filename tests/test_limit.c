/*
 * What a limit of memory hits: the calls that it made fail, and what would not
 * have fitted.
 */
#include "run_builder.h"

#include <errno.h>

#define EXPECT_TEXT(is, text) cr_expect(eq(str, (char *)(is), (char *)(text)))

/* ---- calls that failed --------------------------------------------------- */

static struct ledger_refusals *refusals_of(struct run *run)
{
	struct ledger_refusals *refusals;
	enum file_error error;

	run_end(run, FILE_END_EXITED, 2);
	run->read = ledger_read(run->bytes, run->size, &error);
	cr_assert(run->read != NULL);
	refusals = ledger_refusals(run->read, run_namer, NULL);
	cr_assert(refusals != NULL);
	return refusals;
}

static void fail_mmap(struct run *run, uint64_t size, unsigned prot, int error)
{
	run_call(run, SYS_mmap, (uint64_t)-error, 0, size, prot, ANON, -1ull);
}

Test(ledger_refusals, are_calls_that_lacked_memory_with_kind_and_site)
{
	struct run run = run_new();
	struct ledger_refusals *refusals;

	STACK(&run, SYSMMAP, SYSRESERVE, SUMMARY, SCHEDINIT);
	fail_mmap(&run, 5 * PAGE - 1, PROT_NONE, ENOMEM);
	STACK(&run, SYSMMAP, SYSRESERVE, HSYSALLOC, GROW, MALLOCGC, MAIN);
	fail_mmap(&run, 64 * PAGE, PROT_NONE, ENOMEM);
	refusals = refusals_of(&run);
	cr_assert(eq(sz, refusals->count, 2));
	EXPECT_TEXT(refusals->refused[0].kind, "page summary");
	EXPECT_TEXT(refusals->refused[0].owner, "Go runtime");
	cr_expect(eq(u64, refusals->refused[0].site.bytes, 5 * PAGE));
	EXPECT_TEXT(refusals->refused[0].site.place.function,
	            "runtime.(*pageAlloc).sysInit");
	EXPECT_TEXT(refusals->refused[1].kind, "heap");
	EXPECT_TEXT(refusals->refused[1].site.place.function, "main.handle");
	ledger_refusals_free(refusals);
	run_free(&run);
}

Test(ledger_refusals, are_not_calls_that_succeed_or_fail_otherwise)
{
	struct run run = run_new();
	struct ledger_refusals *refusals;

	run_mmap(&run, SPAN(0, 4), RW, ANON);
	fail_mmap(&run, PAGE, RW, EINVAL);
	run_call(&run, SYS_munmap, (uint64_t)-ENOMEM, BASE, PAGE, 0, 0, 0);
	run_call(&run, SYS_brk, BASE, 0, 0, 0, 0, 0);
	run_call(&run, SYS_brk, BASE + PAGE, BASE + PAGE, 0, 0, 0, 0);
	run_call(&run, SYS_mremap, (uint64_t)-ENOMEM, BASE, 4 * PAGE, PAGE, 0,
	         0);
	refusals = refusals_of(&run);
	cr_expect(eq(sz, refusals->count, 0));
	ledger_refusals_free(refusals);
	run_free(&run);
}

Test(ledger_refusals, have_the_bytes_that_were_missing)
{
	struct run run = run_new();
	struct ledger_refusals *refusals;

	run_call(&run, SYS_brk, BASE + PAGE, BASE + 4 * PAGE, 0, 0, 0, 0);
	run_call(&run, SYS_mremap, (uint64_t)-ENOMEM, BASE, PAGE, 8 * PAGE, 0,
	         0);
	run_call(&run, SYS_mprotect, (uint64_t)-ENOMEM, BASE, 2 * PAGE, RW, 0,
	         0);
	refusals = refusals_of(&run);
	cr_assert(eq(sz, refusals->count, 3));
	EXPECT_TEXT(refusals->refused[0].kind, "brk heap");
	cr_expect(eq(u64, refusals->refused[0].site.bytes, 3 * PAGE));
	cr_expect(eq(u64, refusals->refused[1].site.bytes, 7 * PAGE));
	cr_expect(eq(u64, refusals->refused[2].site.bytes, 2 * PAGE));
	ledger_refusals_free(refusals);
	run_free(&run);
}

/* ---- what would not have fitted ------------------------------------------ */

static struct ledger_strain strain_of(const struct ledger_lives *lives,
                                      enum ledger_limit limit, uint64_t pages)
{
	struct ledger_strain strain;

	cr_assert(ledger_strain(lives, limit, pages * PAGE, &strain));
	return strain;
}

/* 8 reserved, 4 of them written to later; 6 writable, gone before 3 shared. */
Test(ledger_strain, is_the_most_at_any_moment_and_the_first_too_many)
{
	struct run run = run_new();
	struct ledger_strain strain;
	struct ledger_lives *lives;
	struct ledger *ledger;

	run_fact(&run, SPAN(100, 7), RW, TRACE_WHAT_GOLOAD);
	run_mmap(&run, SPAN(0, 8), PROT_NONE, ANON);
	run_mmap(&run, SPAN(20, 6), RW, ANON);
	run_munmap(&run, SPAN(20, 6));
	run_mprotect(&run, SPAN(0, 4), RW);
	run_mmap(&run, SPAN(40, 3), RW, MAP_SHARED | MAP_ANONYMOUS);
	ledger = ledger_of(&run, NULL);
	lives = ledger_lives(ledger, run_namer, NULL);
	cr_assert(lives != NULL);

	strain = strain_of(lives, LEDGER_ADDRESS_SPACE, 13);
	cr_expect(eq(u64, strain.peak, 14 * PAGE));
	cr_expect(eq(u64, strain.own, 7 * PAGE));
	cr_assert(strain.over != NULL);
	cr_expect(eq(u64, strain.over->start, BASE + 20 * PAGE));
	strain = strain_of(lives, LEDGER_ADDRESS_SPACE, 7);
	cr_assert(strain.over != NULL);
	cr_expect(eq(u64, strain.over->event->event->args[1], 8 * PAGE));
	strain = strain_of(lives, LEDGER_ADDRESS_SPACE, 14);
	cr_expect(strain.over == NULL);

	strain = strain_of(lives, LEDGER_DATA, 5);
	cr_expect(eq(u64, strain.peak, 6 * PAGE));
	cr_expect(eq(u64, strain.own, 7 * PAGE));
	cr_assert(strain.over != NULL);
	cr_expect(eq(u64, strain.over->start, BASE + 20 * PAGE));
	ledger_lives_free(lives);
	ledger_free(ledger);
	run_free(&run);
}
