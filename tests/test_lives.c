/*
 * Lives of mappings: at any moment those alive are what was mapped then, and
 * those of the last moment are the ledger's rows.
 */
#include "run_builder.h"

#define PAGES 256
#define STEPS 400

struct page { /* prot + 1, 0: nothing; who made it; where in it */
	uint8_t prot;
	uint64_t ticket, offset;
};

struct moment {
	uint64_t t;
	struct page page[PAGES];
};

static unsigned random_below(unsigned limit)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % limit;
}

static struct ledger_lives *lives_of(const struct ledger *ledger)
{
	struct ledger_lives *lives = ledger_lives(ledger, run_namer, NULL);

	cr_assert(lives != NULL);
	return lives;
}

static int is_alive(const struct ledger_life *life, uint64_t t)
{
	return life->from <= t && (t < life->until || life->last);
}

/* ---- any moment --------------------------------------------------------- */

/* Who it is that maps, now and then: rows of several kinds. */
static void somebody(struct run *run)
{
	switch (random_below(4)) {
	case 0:
		STACK(run, SYSMMAP, SYSRESERVE, SUMMARY, SCHEDINIT);
		break;
	case 1:
		STACK(run, SYSMMAP, SYSMAP, GROW, MALLOCGC, MAIN);
		break;
	case 2:
		STACK(run, SYSMMAP, SYSCALL6, MAIN);
		break;
	}
}

static void change(struct run *run, struct page *page)
{
	static const unsigned prots[] = { PROT_NONE, PROT_READ, RW };
	unsigned count = 1 + random_below(random_below(8) ? 8 : 64);
	unsigned start = random_below(PAGES - count);
	unsigned to = random_below(PAGES - count);
	unsigned prot = prots[random_below(3)];
	struct page old[PAGES];

	switch (random_below(6)) {
	case 0:
	case 1:
		somebody(run);
		for (unsigned i = 0; i < count; i++)
			page[start + i] =
				(struct page){ prot + 1, run->ticket, 0 };
		run_mmap(run, SPAN(start, count), prot, ANON | MAP_FIXED);
		break;
	case 2:
		run_munmap(run, SPAN(start, count));
		memset(&page[start], 0, count * sizeof(*page));
		break;
	case 3:
	case 4: /* of what is there: the kernel stops at a hole */
		for (unsigned i = start; i < start + count; i++)
			if (!page[i].prot)
				count = i - start;
		if (count == 0)
			return;
		run_mprotect(run, SPAN(start, count), prot);
		for (unsigned i = start; i < start + count; i++)
			page[i].prot = prot + 1;
		break;
	default:
		if (to + count > start && start + count > to)
			return;
		for (unsigned i = start; i < start + count; i++)
			if (!page[i].prot)
				return;
		run_call(run, SYS_mremap, BASE + to * PAGE, BASE + start * PAGE,
		         count * PAGE, count * PAGE, 3, BASE + to * PAGE);
		memcpy(old, page, sizeof(old));
		memset(&page[start], 0, count * sizeof(*page));
		memcpy(&page[to], &old[start], count * sizeof(*page));
	}
}

/* Each page is in one life if it is mapped, in none if not. */
static void expect_moment(const struct ledger_lives *lives,
                          const struct moment *moment)
{
	unsigned seen[PAGES] = { 0 };

	for (size_t i = 0; i < lives->count; i++) {
		const struct ledger_life *life = &lives->life[i];

		if (!is_alive(life, moment->t))
			continue;
		for (uint64_t at = life->start; at < life->end; at += PAGE) {
			unsigned n = (unsigned)((at - BASE) / PAGE);
			const struct page *page = &moment->page[n];

			cr_assert(n < PAGES);
			seen[n]++;
			cr_assert(eq(int, life->prot + 1, page->prot));
			cr_assert(eq(u64, life->event->event->ticket,
			             page->ticket));
		}
	}
	for (unsigned i = 0; i < PAGES; i++)
		cr_assert(eq(uint, seen[i], !!moment->page[i].prot));
}

/* The kernel's map of these pages. */
static char *look_of(const struct page *page)
{
	char *text = malloc(PAGES * 80);
	char *at = text;

	*at = '\0';
	for (unsigned i = 0; i < PAGES; i++)
		if (page[i].prot)
			at += sprintf(
				at, "%llx-%llx %c%c-p 00000000 00:00 0 \n",
				BASE + i * PAGE, BASE + (i + 1) * PAGE,
				(page[i].prot - 1) & PROT_READ ? 'r' : '-',
				(page[i].prot - 1) & PROT_WRITE ? 'w' : '-');
	return text;
}

static void expect_rows(const struct ledger *ledger,
                        const struct ledger_lives *lives)
{
	uint64_t own = 0, target = 0;

	for (size_t i = 0; i < ledger->row_count; i++) {
		const struct ledger_row *row = &ledger->row[i];
		uint64_t reserved = 0, committed = 0, resident = 0;

		for (size_t k = 0; k < lives->count; k++) {
			const struct ledger_life *life = &lives->life[k];

			if (!life->last || strcmp(life->kind, row->kind) != 0 ||
			    strcmp(life->owner, row->owner) != 0)
				continue;
			*(life->prot ? &committed : &reserved) +=
				life->end - life->start;
			resident += life->resident;
		}
		cr_assert(eq(u64, reserved, row->reserved), "%s", row->kind);
		cr_assert(eq(u64, committed, row->committed), "%s", row->kind);
		cr_assert(eq(u64, resident, row->resident), "%s", row->kind);
	}
	for (size_t k = 0; k < lives->count; k++) {
		const struct ledger_life *life = &lives->life[k];

		cr_expect(life->last || life->resident == 0);
		cr_expect(life->last ? life->until == ledger->duration
		                     : life->from < life->until);
		if (life->last)
			*(strcmp(life->owner, "goload") == 0 ? &own
			                                     : &target) +=
				life->end - life->start;
	}
	cr_expect(eq(u64, own, ledger->goload));
	cr_expect(eq(u64, target, ledger->target));
}

Test(lives, are_what_was_mapped_at_any_moment, .timeout = 120)
{
	for (int round = 0; round < 20; round++) {
		struct run run = run_new();
		struct page page[PAGES] = { 0 };
		struct moment *moment = calloc(STEPS, sizeof(*moment));
		struct ledger_lives *lives;
		struct ledger *ledger;
		char *look;

		run.tsc += 100;
		for (int i = 0; i < STEPS; i++) {
			change(&run, page); /* and 90 ns of peace behind */
			moment[i].t = run.tsc - 1001 - random_below(90);
			memcpy(moment[i].page, page, sizeof(page));
		}
		look = look_of(page);
		for (unsigned i = 0; i < PAGES; i += 7)
			run_resident(&run, SPAN(i, 5), random_below(4 * PAGE));
		ledger = ledger_of(&run, look);
		cr_assert(eq(u64, ledger->unexplained, 0));
		cr_assert(eq(u64, ledger->phantom, 0));
		lives = lives_of(ledger);
		for (int i = 0; i < STEPS; i++)
			expect_moment(lives, &moment[i]);
		expect_rows(ledger, lives);
		ledger_lives_free(lives);
		done(&run, ledger);
		free(moment);
		free(look);
	}
}

/* ---- one after the other ------------------------------------------------ */

struct wanted {
	unsigned page, pages;
	uint64_t from, until;
	int last;
	uint8_t prot;
};

static void expect_lives(const struct ledger_lives *lives,
                         const struct wanted *wanted, size_t count)
{
	cr_assert(eq(sz, lives->count, count));
	for (size_t i = 0; i < count; i++) {
		const struct ledger_life *life = &lives->life[i];

		cr_expect(eq(u64, life->start, BASE + wanted[i].page * PAGE));
		cr_expect(eq(u64, life->end,
		             life->start + wanted[i].pages * PAGE));
		cr_expect(eq(u64, life->from, wanted[i].from), "%zu", i);
		cr_expect(eq(u64, life->until, wanted[i].until), "%zu", i);
		cr_expect(eq(int, life->last, wanted[i].last), "%zu", i);
		cr_expect(eq(int, life->prot, wanted[i].prot), "%zu", i);
	}
}

#define EXPECT_LIVES(lives, ...)                                               \
	expect_lives(lives, (const struct wanted[]){ __VA_ARGS__ },            \
	             sizeof((const struct wanted[]){ __VA_ARGS__ }) /          \
	                     sizeof(struct wanted))

/* Calls are 100 ns apart and take 10: the first ends at 10. */
Test(lives, of_a_piece_that_loses_a_part_go_on)
{
	struct run run = run_new();
	struct ledger_lives *lives;
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 8), RW, ANON);
	run_munmap(&run, SPAN(2, 2));
	run_mmap(&run, SPAN(6, 1), PROT_READ, ANON | MAP_FIXED);
	ledger = ledger_of(&run, NULL);
	lives = lives_of(ledger);
	EXPECT_LIVES(lives, { 0, 2, 10, 300, 1, RW }, { 2, 2, 10, 110, 0, RW },
	             { 4, 2, 10, 300, 1, RW }, { 6, 1, 10, 210, 0, RW },
	             { 7, 1, 10, 300, 1, RW },
	             { 6, 1, 210, 300, 1, PROT_READ });
	ledger_lives_free(lives);
	done(&run, ledger);
}

Test(lives, end_when_they_are_protected_otherwise)
{
	struct run run = run_new();
	struct ledger_lives *lives;
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 4), 0, ANON);
	run_mprotect(&run, SPAN(0, 1), RW);
	run_mprotect(&run, SPAN(0, 2), RW); /* new for the second page alone */
	ledger = ledger_of(&run, NULL);
	lives = lives_of(ledger);
	EXPECT_LIVES(lives, { 0, 1, 10, 110, 0, 0 }, { 1, 1, 10, 210, 0, 0 },
	             { 2, 2, 10, 300, 1, 0 }, { 0, 1, 110, 300, 1, RW },
	             { 1, 1, 210, 300, 1, RW });
	ledger_lives_free(lives);
	done(&run, ledger);
}

/* From its first ticket on a move has given the old place back. */
Test(lives, end_when_they_are_moved)
{
	struct run run = run_new();
	struct ledger_lives *lives;
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 2), RW, ANON);
	run_call(&run, SYS_mremap, BASE + 8 * PAGE, BASE, 2 * PAGE, 3 * PAGE, 1,
	         0);
	ledger = ledger_of(&run, NULL);
	lives = lives_of(ledger);
	EXPECT_LIVES(lives, { 0, 2, 10, 100, 0, RW }, { 8, 2, 110, 200, 1, RW },
	             { 10, 1, 110, 200, 1, RW });
	cr_expect(eq(u64, lives->life[1].event->event->call, SYS_mmap));
	cr_expect(eq(u64, lives->life[2].event->event->call, SYS_mremap));
	ledger_lives_free(lives);
	done(&run, ledger);
}

Test(lives, of_the_heap_of_brk)
{
	struct run run = run_new();
	struct ledger_lives *lives;
	struct ledger *ledger;

	run_fact(&run, BASE, 0, RW, TRACE_WHAT_BRK);
	run_call(&run, SYS_brk, BASE + 3 * PAGE, BASE + 3 * PAGE, 0, 0, 0, 0);
	run_call(&run, SYS_brk, BASE + PAGE, BASE + PAGE, 0, 0, 0, 0);
	ledger = ledger_of(&run, NULL);
	lives = lives_of(ledger);
	EXPECT_LIVES(lives, { 0, 1, 110, 300, 1, RW },
	             { 1, 2, 110, 200, 0, RW });
	cr_expect(eq(str, (char *)lives->life[1].kind, (char *)"brk heap"));
	ledger_lives_free(lives);
	done(&run, ledger);
}

/* Clocks of two processors may differ: order is by ticket. */
Test(lives, never_go_back_in_time)
{
	struct run run = run_new();
	struct ledger_lives *lives;
	struct ledger *ledger;

	run.tsc += 200;
	run_mmap(&run, SPAN(0, 1), RW, ANON);
	run.tsc -= 150;
	run_mmap(&run, SPAN(1, 1), RW, ANON);
	run_mmap(&run, SPAN(2, 1), RW, ANON);
	run.tsc -= 150;
	run_munmap(&run, SPAN(2, 1)); /* it has not lived at all */
	run_munmap(&run, SPAN(0, 1));
	ledger = ledger_of(&run, NULL);
	lives = lives_of(ledger);
	EXPECT_LIVES(lives, { 0, 1, 210, 310, 0, RW },
	             { 1, 1, 210, 400, 1, RW });
	ledger_lives_free(lives);
	done(&run, ledger);
}

/* ---- the last moment ---------------------------------------------------- */

/* The model has page 5, and page 3 with another protection; the kernel has page
 * 7.  What both do not have is in no row, and so in no last life. */
Test(lives, that_the_kernel_does_not_have_are_not_the_last)
{
	struct run run = run_new();
	struct ledger_lives *lives;
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 6), RW, ANON);
	run_resident(&run, SPAN(0, 8), 5 * PAGE + 7);
	ledger =
		ledger_of(&run, lines(RW_LINE(0, 3), NONE_LINE(3, 1),
	                              lines(RW_LINE(4, 1), RW_LINE(7, 1), "")));
	lives = lives_of(ledger);
	cr_expect(eq(u64, ledger->phantom, PAGE));
	cr_expect(eq(u64, ledger->unexplained, 2 * PAGE));
	EXPECT_LIVES(lives, { 0, 3, 10, 100, 1, RW }, { 3, 1, 10, 100, 0, RW },
	             { 4, 1, 10, 100, 1, RW }, { 5, 1, 10, 100, 0, RW });
	expect_rows(ledger, lives);
	ledger_lives_free(lives);
	done(&run, ledger);
}

/* The kernel's own growth of a stack is seen when the last look is taken. */
Test(lives, have_what_the_kernel_makes)
{
	struct run run = run_new();
	struct ledger_lives *lives;
	struct ledger *ledger;

	run_look(&run, FILE_LOOK_BOOT,
	         lines(run_line(10, 2, "rw-", "[stack]"),
	               run_line(20, 1, "r-x", "[vdso]"), ""));
	run_fact(&run, SPAN(30, 2), RW, TRACE_WHAT_RING);
	ledger = ledger_of(&run, lines(run_line(8, 4, "rw-", "[stack]"),
	                               run_line(20, 1, "r-x", "[vdso]"),
	                               run_line(30, 2, "rw-", "")));
	lives = lives_of(ledger);
	EXPECT_LIVES(lives, { 10, 2, 0, 100, 1, RW },
	             { 20, 1, 0, 100, 1, PROT_READ | PROT_EXEC },
	             { 30, 2, 0, 100, 1, RW }, { 8, 2, 100, 100, 1, RW });
	cr_expect(eq(str, (char *)lives->life[0].kind, (char *)"stack"));
	cr_expect(eq(str, (char *)lives->life[2].kind, (char *)"ring"));
	cr_expect(eq(str, (char *)lives->life[2].owner, (char *)"goload"));
	expect_rows(ledger, lives);
	ledger_lives_free(lives);
	done(&run, ledger);
}

/* A row's piece is judged as one, however its parts differ in age. */
Test(lives, of_one_piece_have_one_cause)
{
	struct run run = run_new();
	struct ledger_lives *lives;
	struct ledger *ledger;

	STACK(&run, SYSMMAP, SYSRESERVE, HSYSALLOC, GROW, MALLOCGC, MAIN);
	run_mmap(&run, SPAN(0, 8), 0, ANON);
	run_mprotect(&run, SPAN(2, 2), RW);
	run_mprotect(&run, SPAN(2, 2), 0);
	ledger = ledger_of(&run, NONE_LINE(0, 8));
	lives = lives_of(ledger);
	EXPECT_LIVES(lives, { 0, 2, 10, 300, 1, 0 }, { 2, 2, 10, 110, 0, 0 },
	             { 4, 4, 10, 300, 1, 0 }, { 2, 2, 110, 210, 0, RW },
	             { 2, 2, 210, 300, 1, 0 });
	for (size_t i = 0; i < lives->count; i++) {
		const struct ledger_life *life = &lives->life[i];

		cr_expect(eq(str, (char *)life->kind, (char *)"heap"));
		cr_expect(eq(str, (char *)life->owner, (char *)"Go runtime"));
		cr_expect(eq(str, (char *)life->site.place.function,
		             (char *)"main.handle"));
		cr_expect(eq(u64, life->site.bytes, life->end - life->start));
	}
	expect_rows(ledger, lives);
	ledger_lives_free(lives);
	done(&run, ledger);
}

/* ---- files -------------------------------------------------------------- */

static void put_module(struct run *run, unsigned page, unsigned pages,
                       const char *path)
{
	struct file_module module = {
		.start = BASE + page * PAGE,
		.end = BASE + (page + pages) * PAGE,
		.kind = 3,
		.ticket = run->ticket,
		.code = BASE + (page + 1) * PAGE,
	};

	run_block(run, FILE_MODULE, &module, sizeof(module), path,
	          strlen(path) + 1);
}

static void load(struct run *run, unsigned page, const char *path)
{
	run_mmap(run, SPAN(page, 3), PROT_READ, MAP_PRIVATE);
	run_mmap(run, SPAN(page + 1, 1), PROT_READ | PROT_EXEC,
	         MAP_PRIVATE | MAP_FIXED);
	put_module(run, page, 3, path);
}

/* A library where another one was, and a file where a library will be. */
Test(lives, have_the_files_of_their_time)
{
	static const struct {
		const char *path, *kind;
	} wanted[] = {
		{ NULL, "file mapping" },
		{ "/lib/libone.so", "libone.so text" },
		{ NULL, "file mapping" }, /* where its code comes then */
		{ "/lib/libone.so", "libone.so text" },
		{ "/lib/libone.so", "libone.so text" },
		{ "/lib/libtwo.so", "libtwo.so text" },
		{ "/lib/libtwo.so", "file libtwo.so" },
		{ "/lib/libtwo.so", "libtwo.so text" },
		{ "/lib/libtwo.so", "libtwo.so text" },
	};
	struct run run = run_new();
	struct ledger_lives *lives;
	struct ledger *ledger;
	char look[512];

	run_mmap(&run, SPAN(0, 2), PROT_READ, MAP_PRIVATE);
	run_munmap(&run, SPAN(0, 2));
	load(&run, 0, "/lib/libone.so");
	run_munmap(&run, SPAN(0, 3));
	load(&run, 0, "/lib/libtwo.so");
	snprintf(look, sizeof(look),
	         "%llx-%llx r--p 00000000 00:01 7 /lib/libtwo.so\n"
	         "%llx-%llx r-xp 00000000 00:01 7 /lib/libtwo.so\n"
	         "%llx-%llx r--p 00002000 00:01 7 /lib/libtwo.so\n",
	         BASE, BASE + PAGE, BASE + PAGE, BASE + 2 * PAGE,
	         BASE + 2 * PAGE, BASE + 3 * PAGE);
	ledger = ledger_of(&run, look);
	lives = lives_of(ledger);
	cr_assert(eq(sz, lives->count, sizeof(wanted) / sizeof(*wanted)));
	for (size_t i = 0; i < lives->count; i++) {
		const struct ledger_life *life = &lives->life[i];

		cr_expect(eq(str, (char *)life->kind, (char *)wanted[i].kind),
		          "%zu", i);
		cr_expect(eq(str, (char *)(life->path ? life->path : (char *)"-"),
		             (char *)(wanted[i].path ? wanted[i].path : "-")),
		          "%zu", i);
	}
	expect_rows(ledger, lives);
	ledger_lives_free(lives);
	done(&run, ledger);
}
