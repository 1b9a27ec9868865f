/*
 * From files, names and sequences of calls to kinds: what is known where no
 * stack is.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/run_builder.h"

#define MIB (1ull << 20)

static void run_module(struct run *run, uint64_t kind, uint64_t at,
                       uint64_t size, const char *path)
{
	struct file_module module = {
		.bias = at, .start = at, .end = at + size, .kind = kind
	};

	run_block(run, FILE_MODULE, &module, sizeof(module), path,
	          strlen(path) + 1);
}

/* A line of a look that a file backs. */
static const char *file_line(unsigned page, unsigned pages, const char *prot,
                             const char *path)
{
	static char text[8][160];
	static unsigned next;
	char *line = text[next++ % 8];

	snprintf(line, sizeof(text[0]), "%llx-%llx %sp 00000000 fe:00 7 %s\n",
	         BASE + page * PAGE, BASE + (page + pages) * PAGE, prot, path);
	return line;
}

static void run_name(struct run *run, uint64_t at, uint64_t size,
                     const char *name)
{
	run->flags = TRACE_NAMED;
	run->frame_count = 10;
	memset(run->frame, 0, 80);
	strcpy((char *)run->frame, name);
	run_call(run, SYS_prctl, 0, 0x53564d41, 0, at, size, 1);
}

static void run_thread(struct run *run, uint64_t area, uint64_t sp)
{
	run->thread = area;
	run_call(run, TRACE_THREAD, 0, 7, sp, 0, 0, 0);
	run->thread = 1;
}

static const struct ledger_row *row_of(const struct ledger *ledger,
                                       const char *kind)
{
	for (size_t i = 0; i < ledger->row_count; i++)
		if (strcmp(ledger->row[i].kind, kind) == 0)
			return &ledger->row[i];
	return NULL;
}

/* A row of this kind, for this owner, of this many bytes. */
static void expect_row(const struct ledger *ledger, const char *kind,
                       const char *owner, uint64_t size)
{
	const struct ledger_row *row = row_of(ledger, kind);

	cr_assert(row != NULL, "no %s", kind);
	cr_expect(strcmp(row->owner, owner) == 0, "%s", row->owner);
	cr_expect(eq(u64, row->reserved + row->committed, size));
}

/* As ld.so maps a library: 4 pages of text, 2 of data, 2 of .bss. */
static void map_library(struct run *run, const char *path)
{
	run_module(run, 3, SPAN(0, 8), path);
	run_mmap(run, SPAN(0, 8), PROT_READ, MAP_PRIVATE);
	run_mmap(run, SPAN(4, 2), RW, MAP_PRIVATE | MAP_FIXED);
	run_mmap(run, SPAN(6, 2), RW, ANON | MAP_FIXED);
}

static const char *library_look(const char *path)
{
	return lines(file_line(0, 4, "r--", path), file_line(4, 2, "rw-", path),
	             RW_LINE(6, 2));
}

Test(libc_kinds, of_a_library_are_its_name_with_text_and_data)
{
	static const struct {
		const char *path, *text, *data, *owner;
	} cases[] = {
		{ "/lib/libc.so.6", "libc.so.6 text", "libc.so.6 data",
		  "libc" },
		{ "/lib/libpthread-2.31.so", "libpthread-2.31.so text",
		  "libpthread-2.31.so data", "libc" },
		{ "/a b/libcurl.so", "libcurl.so text", "libcurl.so data",
		  "library" },
		{ "/lib/libcrypto.so.3", "libcrypto.so.3 text",
		  "libcrypto.so.3 data", "library" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct run run = run_new();
		struct ledger *ledger;

		map_library(&run, cases[i].path);
		ledger = ledger_of(&run, library_look(cases[i].path));
		cr_expect(eq(u64, ledger->unexplained, 0));
		expect_row(ledger, cases[i].text, cases[i].owner, 4 * PAGE);
		expect_row(ledger, cases[i].data, cases[i].owner, 4 * PAGE);
		done(&run, ledger);
	}
}

Test(libc_kinds, count_what_is_read_only_after_relocation_as_data)
{
	struct run run = run_new();
	struct ledger *ledger;

	map_library(&run, "/lib/libz.so");
	run_mprotect(&run, SPAN(4, 1), PROT_READ);
	ledger = ledger_of(&run, NULL);
	expect_row(ledger, "libz.so text", "library", 4 * PAGE);
	expect_row(ledger, "libz.so data", "library", 4 * PAGE);
	done(&run, ledger);
}

Test(libc_kinds, name_the_interpreter_too)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_module(&run, 1, SPAN(0, 3), "/lib/ld-linux-x86-64.so.2");
	run_fact(&run, SPAN(0, 1), PROT_READ, TRACE_WHAT_INTERP_FILE);
	run_fact(&run, SPAN(1, 2), RW, TRACE_WHAT_INTERP_BSS);
	ledger = ledger_of(&run, NULL);
	expect_row(ledger, "ld-linux-x86-64.so.2 text", "libc", PAGE);
	expect_row(ledger, "ld-linux-x86-64.so.2 data", "libc", 2 * PAGE);
	done(&run, ledger);
}

Test(libc_kinds, find_a_library_that_only_the_look_shows)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 4), PROT_READ | PROT_EXEC, MAP_PRIVATE);
	run_mmap(&run, SPAN(4, 2), RW, ANON | MAP_FIXED);
	run_mmap(&run, SPAN(6, 3), RW, ANON);
	ledger = ledger_of(&run, lines(file_line(0, 4, "r-x", "/libz.so.1"),
	                               RW_LINE(4, 5), ""));
	expect_row(ledger, "libz.so.1 text", "library", 4 * PAGE);
	expect_row(ledger, "libz.so.1 data", "library", 2 * PAGE);
	expect_row(ledger, "mapping", "program", 3 * PAGE);
	done(&run, ledger);
}

Test(libc_kinds, give_a_closed_library_nothing)
{
	struct run run = run_new();
	struct ledger *ledger;

	map_library(&run, "/lib/libz.so");
	run_munmap(&run, SPAN(0, 8));
	run_mmap(&run, SPAN(0, 8), RW, ANON);
	run_mmap(&run, SPAN(2, 1), PROT_READ, ANON | MAP_FIXED);
	ledger = ledger_of(&run, lines(RW_LINE(0, 2), run_line(2, 1, "r--", ""),
	                               RW_LINE(3, 5)));
	cr_expect(eq(u64, ledger->unexplained, 0));
	expect_row(ledger, "mapping", "program", 8 * PAGE);
	done(&run, ledger);
}

Test(libc_kinds, name_the_files_that_are_no_libraries)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 2), PROT_READ, MAP_PRIVATE);
	run_mmap(&run, SPAN(4, 1), PROT_READ, MAP_SHARED);
	ledger = ledger_of(
		&run,
		lines(file_line(0, 2, "r--", "/usr/lib/locale-archive"),
	              file_line(4, 1, "r--", "/tmp/a\x1b[2J (deleted)"), ""));
	expect_row(ledger, "file locale-archive", "program", 2 * PAGE);
	expect_row(ledger, "file a?[2J", "program", PAGE);
	done(&run, ledger);
}

Test(libc_kinds, do_not_list_ten_thousand_files)
{
	struct run run = run_new();
	struct ledger *ledger;
	char *look = calloc(1000, 160), *end = look;
	char name[32];

	for (unsigned i = 0; i < 1000; i++) {
		run_mmap(&run, SPAN(2 * i, 1), PROT_READ, MAP_PRIVATE);
		snprintf(name, sizeof(name), "/data/%u", i);
		end = stpcpy(end, file_line(2 * i, 1, "r--", name));
	}
	ledger = ledger_of(&run, look);
	cr_expect(ledger->row_count < 300, "%zu", ledger->row_count);
	cr_expect(row_of(ledger, "file mapping") != NULL);
	cr_expect(eq(u64, ledger->unexplained, 0));
	done(&run, ledger);
	free(look);
}

Test(libc_kinds, show_thread_stacks_with_their_guards)
{
	struct run run = run_new();
	const struct ledger_row *row;
	struct ledger *ledger;

	for (unsigned i = 0; i < 3; i++) {
		run_mmap(&run, SPAN(9 * i, 9), PROT_NONE,
		         ANON | MAP_NORESERVE | MAP_STACK);
		run_mprotect(&run, SPAN(9 * i + 1, 8), RW);
	}
	ledger = ledger_of(&run, NULL);
	expect_row(ledger, "thread stack", "libc", 27 * PAGE);
	row = row_of(ledger, "thread stack");
	cr_expect(eq(u64, row->reserved, 3 * PAGE));
	cr_expect(eq(u64, row->mappings, 6));
	cr_expect(eq(u64, row->makes, 3));
	cr_expect(eq(u64, row->largest, 9 * PAGE));
	done(&run, ledger);
}

Test(libc_kinds, know_a_stack_by_the_thread_that_begins_on_it)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_thread(&run, BASE + 30 * PAGE, BASE + 29 * PAGE);
	run_mmap(&run, SPAN(0, 9), PROT_NONE, ANON);
	run_mprotect(&run, SPAN(1, 8), RW);
	run_thread(&run, BASE + 9 * PAGE - 200, BASE + 9 * PAGE - 300);
	run_mmap(&run, SPAN(20, 11), RW, ANON); /* that thread was before it */
	run_mmap(&run, SPAN(40, 1), RW, ANON); /* has the area, not the stack */
	run_thread(&run, BASE + 40 * PAGE, BASE + 50 * PAGE);
	ledger = ledger_of(&run, NULL);
	expect_row(ledger, "thread stack", "libc", 9 * PAGE);
	expect_row(ledger, "mapping", "program", 12 * PAGE);
	done(&run, ledger);
}

Test(libc_kinds, know_the_main_threads_storage)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 3), RW, ANON);
	run_call(&run, SYS_arch_prctl, 0, 0x1002, BASE + 0x740, 0, 0, 0);
	ledger = ledger_of(&run, NULL);
	expect_row(ledger, "TLS", "libc", 3 * PAGE);
	done(&run, ledger);
}

/* As glibc's new_heap; `protect` is where it makes memory of it. */
static struct ledger *ledger_of_arena(struct run *run, uint64_t protect)
{
	uint64_t at = BASE + 2 * MIB;

	run_mmap(run, at, 128 * MIB, PROT_NONE, ANON | MAP_NORESERVE);
	run->thread = 2; /* another one does something else in between */
	run_mmap(run, SPAN(200000, 1), RW, ANON);
	run_mprotect(run, SPAN(200000, 1), PROT_READ);
	run->thread = 1;
	run_munmap(run, at, 62 * MIB);
	run_munmap(run, BASE + 128 * MIB, 2 * MIB);
	run_mprotect(run, protect, 33 * PAGE, RW);
	run_mmap(run, BASE + 60 * MIB, PAGE, RW, ANON | MAP_FIXED); /* beside */
	run_mmap(run, BASE + 65 * MIB, PAGE, PROT_NONE, ANON | MAP_FIXED);
	return ledger_of(run, NULL);
}

Test(libc_kinds, know_malloc_arenas_by_how_they_are_made)
{
	struct run run = run_new();
	struct ledger *ledger = ledger_of_arena(&run, BASE + 64 * MIB);
	const struct ledger_row *row = row_of(ledger, "malloc arena");

	expect_row(ledger, "malloc arena", "libc", 64 * MIB);
	cr_expect(eq(u64, row->committed, 33 * PAGE));
	cr_expect(eq(u64, row->makes, 1));
	done(&run, ledger);
}

Test(libc_kinds, call_no_other_reservation_an_arena)
{
	struct run run = run_new();
	struct ledger *ledger = ledger_of_arena(&run, BASE + 64 * MIB + PAGE);

	cr_expect(row_of(ledger, "malloc arena") == NULL);
	done(&run, ledger);
	run = run_new();
	run_mmap(&run, BASE, 64 * MIB, PROT_NONE, ANON);
	run_mprotect(&run, BASE, PAGE, RW);
	ledger = ledger_of(&run, NULL);
	cr_expect(row_of(ledger, "malloc arena") == NULL);
	done(&run, ledger);
	run = run_new();
	STACK(&run, SYSCALL6, MAIN); /* Go's own code */
	run_mmap(&run, BASE, 64 * MIB, PROT_NONE, ANON | MAP_NORESERVE);
	run_mprotect(&run, BASE, PAGE, RW);
	ledger = ledger_of(&run, NULL);
	cr_expect(row_of(ledger, "malloc arena") == NULL);
	done(&run, ledger);
}

Test(libc_kinds, know_an_arena_that_the_end_of_the_run_left_unfinished)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, BASE + MIB, 128 * MIB, PROT_NONE, ANON | MAP_NORESERVE);
	run.thread = 2;
	run_mmap(&run, SPAN(200000, 1), RW, ANON);
	run.thread = 1;
	run_munmap(&run, BASE + MIB, 63 * MIB);
	ledger = ledger_of(&run, NULL);
	expect_row(ledger, "malloc arena", "libc", 65 * MIB);
	expect_row(ledger, "mapping", "program", PAGE);
	done(&run, ledger);
}

/* mallocinit of Go 1.26, through libc: there are no stacks. */
static void start_go(struct run *run, unsigned missing)
{
	static const uint64_t levels[] = { MIB / 8, MIB, 8 * MIB, 64 * MIB,
		                           512 * MIB };
	uint64_t at = BASE, heap = BASE + (1ull << 40);

	for (unsigned i = 0; i < 5; i++, at += 512 * MIB)
		if (i != missing)
			run_mmap(run, at, levels[i], PROT_NONE, ANON);
	run_mmap(run, at, 512 * MIB, PROT_NONE, ANON);
	run_call(run, SYS_mmap, heap, heap, 64 * MIB, PROT_NONE, ANON, 0);
	run_mmap(run, at + 512 * MIB, 32 * MIB, RW, ANON);
	run_mmap(run, heap + 4 * MIB, 4 * MIB, RW, ANON | MAP_FIXED);
	run_mmap(run, BASE, PAGE, RW, ANON | MAP_FIXED);
	heap += 64 * MIB;
	run->thread = 2;
	run_call(run, SYS_mmap, heap, heap, 64 * MIB, PROT_NONE, ANON, 0);
	run->thread = 1;
}

Test(libc_kinds, know_a_go_runtime_behind_libc_by_how_it_starts)
{
	struct run run = run_new();
	struct ledger *ledger;

	start_go(&run, 9);
	ledger = ledger_of(&run, NULL);
	expect_row(ledger, "page summary", "Go runtime", 585 * MIB + MIB / 8);
	expect_row(ledger, "scavenge index", "Go runtime", 512 * MIB);
	expect_row(ledger, "heap", "Go runtime", 128 * MIB);
	expect_row(ledger, "heap index", "Go runtime", 32 * MIB);
	cr_expect(eq(u64, row_of(ledger, "heap")->committed, 4 * MIB));
	cr_expect(eq(u64, row_of(ledger, "page summary")->committed, PAGE));
	done(&run, ledger);
}

Test(libc_kinds, know_no_go_runtime_where_there_is_none)
{
	struct run run = run_new();
	struct ledger *ledger;

	start_go(&run, 2); /* a level short */
	ledger = ledger_of(&run, NULL);
	cr_expect(eq(sz, ledger->row_count, 1));
	done(&run, ledger);
	run = run_new();
	start_go(&run, 9);
	*(char *)memmem(run.bytes, run.size, "go1.26.8", 8) = 0;
	ledger = ledger_of(&run, NULL);
	cr_expect(ledger->run->go_version == NULL);
	cr_expect(eq(sz, ledger->row_count, 1));
	done(&run, ledger);
}

Test(libc_kinds, follow_the_names_that_a_program_gives)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 8), RW, ANON);
	run_name(&run, SPAN(0, 2), " Go: gc bits");
	run_name(&run, SPAN(2, 1), " Go: immortal metadata");
	run_name(&run, SPAN(4, 1), "jit");
	run_name(&run, SPAN(5, 1), " glibc: malloc arena");
	run_name(&run, SPAN(7, 1), "gone");
	run_mmap(&run, SPAN(7, 1), RW, ANON | MAP_FIXED);
	ledger = ledger_of(&run, NULL);
	expect_row(ledger, "gc bits", "Go runtime", 2 * PAGE);
	expect_row(ledger, "runtime metadata", "Go runtime", PAGE);
	expect_row(ledger, "jit", "program", PAGE);
	expect_row(ledger, "malloc arena", "libc", PAGE);
	expect_row(ledger, "mapping", "program", 3 * PAGE);
	done(&run, ledger);
}

Test(libc_kinds, believe_a_stack_more_than_a_name)
{
	struct run run = run_new();
	struct ledger *ledger;

	STACK(&run, SYSMMAP, SYSALLOC, NEWMARK, MALLOCGC);
	run_mmap(&run, SPAN(0, 2), RW, ANON);
	run_name(&run, SPAN(0, 2), "Go: something");
	ledger = ledger_of(&run, NULL);
	expect_row(ledger, "gc bits", "Go runtime", 2 * PAGE);
	done(&run, ledger);
}

/* What start_go() leaves out: the first growth of the heap, all in one thread,
 * `odd` of the sizes changed. */
static void grow_go(struct run *run, unsigned odd)
{
	static const uint64_t sizes[] = { 69648, MIB, 65536, 65536 };
	uint64_t at = BASE + (1ull << 41), heap = BASE + (1ull << 40);

	for (unsigned i = 0; i < 4; i++, at += 4 * MIB)
		run_mmap(run, at, sizes[i] + (i == odd ? 2 * PAGE : 0), RW,
		         ANON);
	run_mmap(run, at, 1439992, RW, ANON);
	heap += 128 * MIB;
	run->thread = 3;
	run_call(run, SYS_mmap, heap, heap, 64 * MIB, PROT_NONE, ANON, 0);
	run_mmap(run, at + 4 * MIB, 69648, RW, ANON);
	run_mmap(run, at + 8 * MIB, 69648, RW, ANON); /* not behind an arena */
	run->thread = 1;
}

Test(libc_kinds, know_what_the_heap_needs_by_the_order_of_its_first_growth)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, BASE - MIB, 64 * PAGE, RW, ANON);
	start_go(&run, 9);
	grow_go(&run, 9);
	ledger = ledger_of(&run, NULL);
	expect_row(ledger, "runtime metadata", "Go runtime", 64 * PAGE);
	expect_row(ledger, "heap metadata", "Go runtime", 36 * PAGE);
	expect_row(ledger, "page alloc index", "Go runtime", MIB);
	expect_row(ledger, "spans", "Go runtime", 16 * PAGE);
	expect_row(ledger, "gc bits", "Go runtime", 16 * PAGE);
	expect_row(ledger, "profiling buckets", "Go runtime", 352 * PAGE);
	expect_row(ledger, "mapping", "program", 18 * PAGE);
	done(&run, ledger);
}

Test(libc_kinds, end_with_the_first_step_that_differs)
{
	struct run run = run_new();
	struct ledger *ledger;

	run_mmap(&run, BASE - MIB, 63 * PAGE, RW, ANON);
	start_go(&run, 9);
	grow_go(&run, 1);
	ledger = ledger_of(&run, NULL);
	expect_row(ledger, "heap metadata", "Go runtime", 36 * PAGE);
	expect_row(ledger, "mapping", "program",
	           (63 + 256 + 2 + 16 + 16 + 18) * PAGE);
	cr_expect(row_of(ledger, "spans") == NULL);
	done(&run, ledger);
}

/* The race detector: what it maps at its shadow's place names the site. */
Test(libc_kinds, know_the_race_detector_by_its_shadow)
{
	static const uint64_t sites[] = { 0x400010, 0x400010, 0x400020 };
	const uint64_t shadow = 0x200000be0000;
	struct run run = run_new();
	struct ledger *ledger;

	for (unsigned i = 0; i < 3; i++)
		run_put(&run, (struct trace_event){
				      .call = SYS_mmap,
				      .site = sites[i],
				      .result = i ? BASE + i * MIB : shadow,
				      .args = { i ? 0 : shadow, 2 * PAGE, RW,
		                                i ? ANON
		                                  : ANON | MAP_FIXED |
		                                                MAP_NORESERVE },
				      .ticket = 2 * i + 1,
				      .ticket_after = 2 * i + 2,
			      });
	ledger = ledger_of(&run, NULL);
	expect_row(ledger, "sanitizer shadow", "sanitizer", 2 * PAGE);
	expect_row(ledger, "sanitizer memory", "sanitizer", 2 * PAGE);
	expect_row(ledger, "mapping", "program", 2 * PAGE);
	done(&run, ledger);
}

/* ---- stacks of Go and of C ---------------------------------------------- */

enum mixed_name {
	C_UNKNOWN = 100,
	C_MMAP,
	C_BRK,
	C_MALLOC,
	C_FREE,
	C_PTHREAD,
	C_TCACHE,
	C_MINIMAL,
	C_TLS,
	C_DLS,
	C_WORK,
	C_MAP_SHADOW,
	CGO_MMAP,
	CGO_THREAD,
	CGO_ENTRY,
	CGO_WORK,
	GO_RACECALL,
	GO_RACEMAP,
	GO_ASMCGOCALL,
	GO_CGOCALL,
	GO_CALLCGO,
	GO_MMAP,
	GO_SYSTEMSTACK,
	GO_RESERVE,
	GO_HEAP,
	GO_NEWM,
	GO_C_WORK,
	GO_MAIN,
	MIXED_NAMES
};

static int mixed_namer(void *context, uint64_t address,
                       struct ledger_place *place)
{
	static const char *const names[MIXED_NAMES] = {
		[C_MMAP] = "mmap64",
		[C_BRK] = "__brk",
		[C_MALLOC] = "malloc",
		[C_FREE] = "free@@GLIBC_2.2.5",
		[C_PTHREAD] = "pthread_create@GLIBC_2.2.5",
		[C_TCACHE] = "tcache_init.part.0",
		[C_MINIMAL] = "__minimal_malloc",
		[C_TLS] = "_dl_allocate_tls_storage",
		[C_DLS] = "__dls3",
		[C_WORK] = "work",
		[C_MAP_SHADOW] = "__tsan_map_shadow",
		[CGO_MMAP] = "x_cgo_mmap",
		[CGO_THREAD] = "_cgo_try_pthread_create",
		[CGO_ENTRY] = "threadentry",
		[CGO_WORK] = "_cgo_0c26a3e4_Cfunc_work",
		[GO_RACECALL] = "racecall",
		[GO_RACEMAP] = "runtime.racemapshadow",
		[GO_ASMCGOCALL] = "runtime.asmcgocall.abi0",
		[GO_CGOCALL] = "runtime.cgocall",
		[GO_CALLCGO] = "runtime.callCgoMmap",
		[GO_MMAP] = "runtime.mmap.func1",
		[GO_SYSTEMSTACK] = "runtime.systemstack.abi0",
		[GO_RESERVE] = "runtime.sysReserveOS",
		[GO_HEAP] = "runtime.(*mheap).sysAlloc",
		[GO_NEWM] = "runtime.newm1",
		[GO_C_WORK] = "main._Cfunc_work",
		[GO_MAIN] = "main.main",
	};

	(void)context;
	if (address > MIXED_NAMES)
		address -= 0x1001; /* a site */
	if (address >= MIXED_NAMES || !names[address])
		return 0;
	*place = (struct ledger_place){
		.function = names[address],
		.go = address >= GO_RACECALL,
	};
	return 1;
}

/* The ledger of a call from the site `site` with the frames `stack`. */
static struct ledger *ledger_from(struct run *run, uint64_t site,
                                  const uint64_t *stack, uint32_t call,
                                  uint64_t prot, uint64_t flags)
{
	enum file_error error;

	*run = run_new();
	if (call == SYS_brk)
		run_call(run, TRACE_MAPPED, 0, BASE, 0, RW, ANON,
		         TRACE_WHAT_BRK);
	run_stack(run, stack);
	run_put(run, (struct trace_event){
			     .call = call,
			     .site = 0x1000 + site,
			     .result = call == SYS_brk ? BASE + 4 * PAGE : BASE,
			     .args = { call == SYS_brk ? BASE + 4 * PAGE : BASE,
	                               4 * PAGE, prot, flags },
			     .ticket = 11,
			     .ticket_after = 12,
		     });
	run_end(run, FILE_END_EXITED, 0);
	run->read = ledger_read(run->bytes, run->size, &error);
	cr_assert(run->read != NULL);
	return ledger_build(run->read, mixed_namer, NULL);
}

#define SHADOWED (ANON | MAP_FIXED | MAP_NORESERVE)

Test(libc_kinds, come_from_stacks_that_go_from_c_to_go)
{
	static const struct {
		uint64_t site, stack[10];
		uint32_t call;
		unsigned prot, flags;
		const char *kind, *owner, *by;
	} cases[] = {
		/* the runtime's own, through libc; and without C's names */
		{ C_MMAP,
		  { CGO_MMAP, GO_CALLCGO, GO_MMAP, GO_SYSTEMSTACK, GO_RESERVE,
		    GO_HEAP, GO_MAIN },
		  SYS_mmap,
		  PROT_NONE,
		  ANON,
		  "heap",
		  "Go runtime",
		  "main.main" },
		{ C_UNKNOWN,
		  { C_UNKNOWN, GO_ASMCGOCALL, GO_SYSTEMSTACK, GO_RESERVE,
		    GO_HEAP },
		  SYS_mmap,
		  PROT_NONE,
		  ANON,
		  "heap",
		  "Go runtime",
		  "runtime.(*mheap).sysAlloc" },
		/* a thread; and where only its flag says so */
		{ C_MMAP,
		  { C_UNKNOWN, C_PTHREAD, CGO_THREAD, GO_ASMCGOCALL, GO_NEWM },
		  SYS_mmap,
		  PROT_NONE,
		  ANON,
		  "thread stack",
		  "libc",
		  "pthread_create@GLIBC_2.2.5" },
		{ C_UNKNOWN,
		  { C_UNKNOWN, GO_ASMCGOCALL, GO_NEWM },
		  SYS_mmap,
		  PROT_NONE,
		  ANON | MAP_STACK,
		  "thread stack",
		  "libc",
		  "runtime.newm1" },
		/* its arena: all of malloc's family may need one */
		{ C_MMAP,
		  { C_UNKNOWN, C_FREE, CGO_ENTRY },
		  SYS_mmap,
		  PROT_NONE,
		  ANON | MAP_NORESERVE,
		  "malloc arena",
		  "libc",
		  "free@@GLIBC_2.2.5" },
		{ C_MMAP,
		  { C_TCACHE, CGO_ENTRY },
		  SYS_mmap,
		  PROT_NONE,
		  ANON | MAP_NORESERVE,
		  "malloc arena",
		  "libc",
		  "tcache_init.part.0" },
		/* ld.so's own malloc, behind which there is another */
		{ C_MMAP,
		  { C_MINIMAL, C_MALLOC, C_TLS },
		  SYS_mmap,
		  RW,
		  ANON,
		  "TLS",
		  "libc",
		  "_dl_allocate_tls_storage" },
		{ C_UNKNOWN,
		  { C_UNKNOWN, C_DLS },
		  SYS_mmap,
		  RW,
		  ANON,
		  "ld.so",
		  "libc",
		  "__dls3" },
		/* C code that Go calls */
		{ C_MMAP,
		  { C_UNKNOWN, C_MALLOC, C_WORK, CGO_WORK, GO_ASMCGOCALL,
		    GO_CGOCALL, GO_C_WORK, GO_MAIN },
		  SYS_mmap,
		  RW,
		  ANON,
		  "malloc mmap",
		  "libc",
		  "work" },
		{ C_MMAP,
		  { C_WORK, CGO_WORK, GO_ASMCGOCALL, GO_CGOCALL, GO_C_WORK,
		    GO_MAIN },
		  SYS_mmap,
		  RW,
		  ANON,
		  "mapping",
		  "program",
		  "work" },
		{ C_MMAP,
		  { C_UNKNOWN, CGO_WORK, GO_ASMCGOCALL, GO_CGOCALL, GO_C_WORK,
		    GO_MAIN },
		  SYS_mmap,
		  RW,
		  ANON,
		  "mapping",
		  "program",
		  "main.main" },
		/* the race detector, called by what maps the heap */
		{ C_UNKNOWN,
		  { C_MAP_SHADOW, GO_RACECALL, GO_RACEMAP, GO_HEAP },
		  SYS_mmap,
		  RW,
		  SHADOWED,
		  "sanitizer shadow",
		  "sanitizer",
		  "__tsan_map_shadow" },
		{ C_UNKNOWN,
		  { C_UNKNOWN, GO_RACECALL, GO_RACEMAP, GO_HEAP },
		  SYS_mmap,
		  RW,
		  SHADOWED,
		  "sanitizer shadow",
		  "sanitizer",
		  "racecall" },
		{ C_UNKNOWN,
		  { C_UNKNOWN, GO_RACECALL, GO_RACEMAP, GO_HEAP },
		  SYS_mmap,
		  RW,
		  ANON,
		  "sanitizer memory",
		  "sanitizer",
		  "racecall" },
		/* libc's brk: malloc's, with a frame of it or without any */
		{ C_BRK,
		  { C_MALLOC, C_WORK },
		  SYS_brk,
		  0,
		  0,
		  "brk heap",
		  "libc",
		  "work" },
		{ C_BRK, { 0 }, SYS_brk, 0, 0, "brk heap", "libc", "__brk" },
		{ C_BRK,
		  { C_WORK },
		  SYS_brk,
		  0,
		  0,
		  "brk heap",
		  "program",
		  "work" },
		{ C_WORK, { 0 }, SYS_brk, 0, 0, "brk heap", "program", "work" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ledger_row *row;
		struct ledger *ledger;
		struct run run;

		ledger = ledger_from(&run, cases[i].site, cases[i].stack,
		                     cases[i].call, cases[i].prot,
		                     cases[i].flags);
		cr_assert(eq(sz, ledger->row_count, 1), "%zu", i);
		row = ledger->row;
		cr_expect(strcmp(row->kind, cases[i].kind) == 0, "%zu: %s", i,
		          row->kind);
		cr_expect(strcmp(row->owner, cases[i].owner) == 0, "%zu: %s", i,
		          row->owner);
		cr_assert(eq(sz, row->site_count, 1), "%zu", i);
		cr_expect(row->site->place.function &&
		                  strcmp(row->site->place.function,
		                         cases[i].by) == 0,
		          "%zu: %s", i, row->site->place.function);
		done(&run, ledger);
	}
}
