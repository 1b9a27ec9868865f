/*
 * From stacks to kinds, owners and sites.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/run_builder.h"

/* The only row of a run with one mapping, made by `stack`. */
static struct ledger *ledger_by(struct run *run, const uint64_t *stack,
                                unsigned prot, unsigned flags)
{
	*run = run_new();
	run_stack(run, stack);
	run_mmap(run, SPAN(0, 4), prot, flags);
	return ledger_of(run, NULL);
}

Test(kinds, come_from_the_first_frame_that_has_a_row)
{
	static const struct {
		uint64_t stack[8];
		unsigned prot, flags;
		const char *kind, *owner, *site;
	} cases[] = {
		{ { SYSMMAP, SYSRESERVE, SUMMARY, SCHEDINIT },
		  PROT_NONE,
		  ANON,
		  "page summary",
		  "Go runtime",
		  "runtime.(*pageAlloc).sysInit" },
		{ { SYSMMAP, SYSRESERVE, HSYSALLOC, GROW, MALLOCGC, MAIN },
		  PROT_NONE,
		  ANON,
		  "heap",
		  "Go runtime",
		  "main.handle" },
		{ { SYSMMAP, SYSALLOCOS, HSYSALLOC, GROW, MALLOCGC, MAIN },
		  RW,
		  ANON,
		  "heap index",
		  "Go runtime",
		  "runtime.(*mheap).sysAlloc" },
		{ { SYSMMAP, SYSALLOC, PERSISTENT, HSYSALLOC, GROW },
		  RW,
		  ANON,
		  "heap metadata",
		  "Go runtime",
		  "runtime.(*mheap).sysAlloc" },
		{ { SYSMMAP, SYSALLOC, PERSISTENT, ADDRANGES, SUMMARY },
		  RW,
		  ANON,
		  "runtime metadata",
		  "Go runtime",
		  "runtime.(*addrRanges).init" },
		{ { SYSMMAP, SYSALLOC, PERSISTENT }, /* the rest is lost */
		  RW,
		  ANON,
		  "runtime metadata",
		  "Go runtime",
		  "runtime.sysMmap.abi0" },
		{ { SYSMMAP, SYSMAP, GROW, MALLOCGC, MAIN, RTMAIN },
		  RW,
		  ANON | MAP_FIXED,
		  "heap",
		  "Go runtime",
		  "main.handle" },
		{ { SYSMMAP, SYSALLOC, NEWMARK, MALLOCGC },
		  RW,
		  ANON,
		  "gc bits",
		  "Go runtime",
		  "runtime.newArenaMayUnlock" },
		{ { SYSMMAP, SYSALLOC, NEWTHING, MALLOCGC, MAIN, GROW },
		  RW,
		  ANON,
		  "Go runtime, other",
		  "Go runtime",
		  "runtime.somethingNew" },
		{ { SYSCALL6, MAIN, RTMAIN },
		  RW,
		  ANON,
		  "mapping",
		  "program",
		  "main.handle" },
		{ { SYSCALL6, MAIN, RTMAIN },
		  RW,
		  MAP_SHARED,
		  "file mapping",
		  "program",
		  "main.handle" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct run run;
		struct ledger *ledger = ledger_by(
			&run, cases[i].stack, cases[i].prot, cases[i].flags);
		const struct ledger_row *row = ledger->row;

		cr_assert(eq(sz, ledger->row_count, 1));
		cr_expect(strcmp(row->kind, cases[i].kind) == 0, "%zu: %s", i,
		          row->kind);
		cr_expect(strcmp(row->owner, cases[i].owner) == 0, "%zu: %s", i,
		          row->owner);
		cr_expect(strcmp(row->site->place.function, cases[i].site) == 0,
		          "%zu: %s", i, row->site->place.function);
		done(&run, ledger);
	}
}

Test(kinds, keep_an_address_where_there_is_no_name)
{
	static const uint64_t stack[] = { 0x1000, 0x2000, 0 };
	struct run run;
	struct ledger *ledger = ledger_by(&run, stack, RW, ANON);

	cr_expect(strcmp(ledger->row->kind, "mapping") == 0);
	cr_expect(ledger->row->site->place.function == NULL);
	cr_expect(eq(u64, ledger->row->site->address, 0x1000));
	done(&run, ledger);
}

/* Go 1.19: all six reservations come from the same place. */
Test(kinds, tell_the_scavenge_index_from_the_summary_by_its_place)
{
	static const unsigned pages[] = { 32, 256, 2048, 16384, 131072, 2048 };
	struct run run = run_new();
	struct ledger *ledger;
	unsigned at = 0;

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		STACK(&run, SYSMMAP, SYSRESERVE, SUMMARY, SCHEDINIT);
		run_mmap(&run, SPAN(at, pages[i]), PROT_NONE, ANON);
		at += pages[i];
	}
	ledger = ledger_of(&run, NULL);
	cr_assert(eq(sz, ledger->row_count, 2));
	cr_expect(strcmp(ledger->row[0].kind, "page summary") == 0);
	cr_expect(strcmp(ledger->row[1].kind, "scavenge index") == 0);
	cr_expect(eq(u64, ledger->row[1].reserved, 2048 * PAGE));
	cr_expect(ledger->row[0].site[0].at_start);
	done(&run, ledger);
}

Test(kinds, of_segments_follow_their_protection)
{
	static const struct {
		unsigned prot;
		enum trace_what what;
		const char *kind;
	} cases[] = {
		{ PROT_READ | PROT_EXEC, TRACE_WHAT_FILE, "text" },
		{ PROT_READ, TRACE_WHAT_FILE, "rodata" },
		{ RW, TRACE_WHAT_FILE, "data" },
		{ RW, TRACE_WHAT_BSS, "bss" },
		{ PROT_READ, TRACE_WHAT_INTERP_FILE, "ld.so" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct run run = run_new();
		struct ledger *ledger;

		run_fact(&run, SPAN(0, 1), cases[i].prot, cases[i].what);
		ledger = ledger_of(&run, NULL);
		cr_expect(strcmp(ledger->row->kind, cases[i].kind) == 0, "%s",
		          ledger->row->kind);
		cr_expect(eq(sz, ledger->row->site_count, 0));
		done(&run, ledger);
	}
}

Test(kinds, list_sites_by_bytes_each_place_once)
{
	struct run run = run_new();
	struct ledger *ledger;

	for (unsigned i = 0; i < 6; i++) {
		STACK(&run, SYSCALL6, i % 3 ? MAIN : RTMAIN, MAIN);
		run_mmap(&run, SPAN(2 * i, 1), RW, ANON);
	}
	STACK(&run, SYSCALL6, NEWTHING + 100);
	run_mmap(&run, SPAN(90, 9), RW, ANON);
	ledger = ledger_of(&run, NULL);
	for (size_t i = 0; i < ledger->row_count; i++) {
		const struct ledger_row *row = &ledger->row[i];
		uint64_t bytes = 0;

		for (size_t j = 0; j < row->site_count; j++) {
			bytes += row->site[j].bytes;
			cr_expect(j == 0 ||
			          row->site[j].bytes <= row->site[j - 1].bytes);
		}
		cr_expect(eq(u64, bytes, row->reserved + row->committed));
	}
	cr_expect(eq(sz, ledger->row[0].site_count, 2));
	cr_expect(eq(u64, ledger->row[0].site[0].bytes, 9 * PAGE));
	done(&run, ledger);
}

Test(kinds, count_what_the_kernel_would_join_as_one_mapping)
{
	struct run run = run_new();
	struct ledger *ledger;

	for (unsigned i = 0; i < 5; i++) {
		STACK(&run, SYSMMAP, SYSMAP, GROW, MAIN);
		run_mmap(&run, SPAN(i, 1), RW, ANON | MAP_FIXED);
	}
	ledger = ledger_of(&run, NULL);
	cr_expect(eq(u64, ledger->row[0].mappings, 1));
	cr_expect(eq(u64, ledger->mappings, 1));
	done(&run, ledger);
}

/* ---- the names that Go gives -------------------------------------------- */

static void run_name(struct run *run, uint64_t at, uint64_t size,
                     const char *name)
{
	run->flags = TRACE_NAMED;
	run->frame_count = 10;
	memset(run->frame, 0, 80);
	strcpy((char *)run->frame, name);
	run_call(run, SYS_prctl, 0, 0x53564d41, 0, at, size, 1);
}

/* Mappings of three kinds, the first under `name`, the others under theirs. */
static struct ledger *ledger_named(struct run *run, const char *name)
{
	STACK(run, SYSMMAP, SYSALLOC, NEWMARK, MALLOCGC);
	run_mmap(run, SPAN(0, 2), RW, ANON);
	run_name(run, SPAN(0, 2), name);
	STACK(run, SYSMMAP, SYSRESERVE, HSYSALLOC, GROW, MALLOCGC);
	run_mmap(run, SPAN(10, 8), PROT_NONE, ANON);
	run_name(run, SPAN(10, 8), " Go: heap reservation");
	STACK(run, SYSMMAP, SYSMAP, GROW, MALLOCGC);
	run_mmap(run, SPAN(10, 2), RW, ANON | MAP_FIXED);
	run_name(run, SPAN(10, 2), " Go: heap");
	STACK(run, SYSMMAP, SYSALLOC, PERSISTENT, HSYSALLOC, GROW);
	run_mmap(run, SPAN(20, 1), RW, ANON);
	run_name(run, SPAN(20, 1), " Go: immortal metadata");
	run_mmap(run, SPAN(30, 1), RW, ANON);
	run_name(run, SPAN(30, 1), "heap"); /* not Go's word */
	return ledger_of(run, NULL);
}

Test(kinds, agree_with_the_names_that_go_gives)
{
	struct run run = run_new();
	struct ledger *ledger = ledger_named(&run, " Go: gc bits");

	cr_expect(eq(u64, ledger->names.given, 4));
	cr_expect(eq(u64, ledger->names.agreed, 4));
	cr_expect(eq(sz, ledger->names.wrong_count, 0));
	done(&run, ledger);
}

Test(kinds, that_go_names_otherwise_are_listed)
{
	struct run run = run_new();
	struct ledger *ledger = ledger_named(&run, " Go: gc");
	const struct ledger_wrong *wrong = ledger->names.wrong;

	cr_expect(eq(u64, ledger->names.given, 4));
	cr_expect(eq(u64, ledger->names.agreed, 3));
	cr_assert(eq(sz, ledger->names.wrong_count, 1));
	cr_expect(eq(u64, wrong->start, BASE));
	cr_expect(eq(u64, wrong->end, BASE + 2 * PAGE));
	cr_expect(strcmp(wrong->name, "gc") == 0);
	cr_expect(strcmp(wrong->kind, "gc bits") == 0);
	cr_expect(strcmp(wrong->place.function, "runtime.newArenaMayUnlock") ==
	          0);
	done(&run, ledger);
}

/* A name alone is neither right nor wrong. */
Test(kinds, that_only_a_name_knows_are_not_compared)
{
	struct run run = run_new();
	struct ledger *ledger;

	STACK(&run, SYSMMAP, SYSALLOC, NEWTHING, MALLOCGC);
	run_mmap(&run, SPAN(0, 2), RW, ANON);
	run_name(&run, SPAN(0, 2), " Go: something new");
	ledger = ledger_of(&run, NULL);
	cr_expect(strcmp(ledger->row->kind, "something new") == 0);
	cr_expect(eq(u64, ledger->names.given, 1));
	cr_expect(eq(u64, ledger->names.agreed, 0));
	cr_expect(eq(sz, ledger->names.wrong_count, 0));
	done(&run, ledger);
}
