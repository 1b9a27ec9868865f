/*
 * run_builder - makes run files in memory, for tests only.
 *
 * A built run has a program, two clocks (1 tick is 1 ns) and what the test
 * adds: events in the order of the calls, looks, samples, an end.  Frames are
 * small numbers that name functions in run_names[].
 */
#ifndef TESTS_RUN_BUILDER_H
#define TESTS_RUN_BUILDER_H

#include "observer/ledger/ledger.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE       4096ull
#define BASE       0x7f0000000000ull /* where tests map */
#define ANON       (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW         (PROT_READ | PROT_WRITE)
#define SPAN(a, n) (BASE + (a)*PAGE), ((n)*PAGE)

struct run {
	uint8_t *bytes;
	size_t size, capacity;
	uint64_t ticket, tsc, thread;
	uint64_t stacks; /* of the file */
	/* of the next event only */
	uint16_t flags;
	uint16_t frame_count;
	uint64_t frame[TRACE_FRAMES];
	struct ledger_run *read;
};

static inline void run_bytes(struct run *run, const void *bytes, size_t size)
{
	while (run->size + size > run->capacity) {
		run->capacity = run->capacity ? 2 * run->capacity : 4096;
		run->bytes = realloc(run->bytes, run->capacity);
	}
	if (size > 0)
		memcpy(run->bytes + run->size, bytes, size);
	run->size += size;
}

/* A block of a fixed part and what follows it, padded to 8 bytes. */
static inline void run_block(struct run *run, uint32_t type, const void *part,
                             size_t size, const void *tail, size_t tail_size)
{
	static const char zeroes[8];
	size_t padding = -(size + tail_size) % 8;
	struct file_block block = { .type = type,
		                    .size = size + tail_size + padding };

	run_bytes(run, &block, sizeof(block));
	run_bytes(run, part, size);
	run_bytes(run, tail, tail_size);
	run_bytes(run, zeroes, padding);
}

static inline void run_clock(struct run *run, uint64_t tsc)
{
	struct file_clock clock = { tsc, tsc };

	run_block(run, FILE_CLOCK, &clock, sizeof(clock), "", 0);
}

static inline struct run run_new(void)
{
	struct run run = { .ticket = 1, .tsc = 1000, .thread = 1 };
	struct file_header header = { .version = FILE_VERSION,
		                      .page_size = PAGE };
	struct file_program program = {
		.started = 5,
		.pid = 42,
		.argc = 2,
		.linkage = FILE_STATIC,
		.stripped = 1,
	};
	static const char strings[] = "./http\0./http\0a \"b\"\0"
				      "go1.26.8\0cafe\0host";

	memcpy(header.magic, FILE_MAGIC, 8);
	run_bytes(&run, &header, sizeof(header));
	run_block(&run, FILE_PROGRAM, &program, sizeof(program), strings,
	          sizeof(strings));
	run_clock(&run, 1000);
	return run;
}

static inline void run_free(struct run *run)
{
	ledger_run_free(run->read);
	free(run->bytes);
}

/* ---- events ------------------------------------------------------------- */

/* A stack of its own for each event: the reader does not mind. */
static inline uint64_t run_put_stack(struct run *run, const uint64_t *frames,
                                     uint64_t count)
{
	const struct file_stack stack = { .count = count };

	run_block(run, FILE_STACKS, &stack, sizeof(stack), frames, 8 * count);
	return ++run->stacks;
}

/* An event as it stands, but for the number of its stack; tickets and times are
 * the caller's. */
static inline void run_put(struct run *run, struct trace_event event)
{
	if (run->frame_count)
		event.stack = run_put_stack(run, run->frame, run->frame_count);
	event.frames = run->frame_count;
	event.flags = run->flags;
	if (!event.thread)
		event.thread = run->thread;
	run_block(run, FILE_EVENTS, &event, sizeof(event), "", 0);
	run->frame_count = 0;
	run->flags = 0;
}

/* The next call: takes its tickets one behind the other. */
static inline void run_call(struct run *run, uint32_t call, uint64_t result,
                            uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                            uint64_t e)
{
	run_put(run, (struct trace_event){
			     .call = call,
			     .result = result,
			     .args = { a, b, c, d, e },
			     .ticket = run->ticket,
			     .ticket_after = run->ticket + 1,
			     .tsc = run->tsc,
			     .tsc_after = run->tsc + 10,
		     });
	run->ticket += 2;
	run->tsc += 100;
}

static inline void run_mmap(struct run *run, uint64_t at, uint64_t size,
                            unsigned prot, unsigned flags)
{
	run_call(run, SYS_mmap, at, flags & MAP_FIXED ? at : 0, size, prot,
	         flags, -1ull);
}

static inline void run_munmap(struct run *run, uint64_t at, uint64_t size)
{
	run_call(run, SYS_munmap, 0, at, size, 0, 0, 0);
}

static inline void run_mprotect(struct run *run, uint64_t at, uint64_t size,
                                unsigned prot)
{
	run_call(run, SYS_mprotect, 0, at, size, prot, 0, 0);
}

static inline void run_fact(struct run *run, uint64_t at, uint64_t size,
                            unsigned prot, enum trace_what what)
{
	run_call(run, TRACE_MAPPED, 0, at, size, prot, ANON, what);
}

/* ---- looks, samples, end ------------------------------------------------ */

static inline void run_look(struct run *run, enum file_look_when when,
                            const char *text)
{
	struct file_look look = {
		.tsc = run->tsc,
		.ticket = run->ticket,
		.when = when,
		.text_size = strlen(text),
	};

	run_block(run, FILE_MAPS, &look, sizeof(look), text, strlen(text));
}

/* A line of a look: pages of BASE. */
static inline const char *run_line(unsigned page, unsigned pages,
                                   const char *prot, const char *name)
{
	static char text[8][160];
	static unsigned next;
	char *line = text[next++ % 8];

	snprintf(line, sizeof(text[0]),
	         "%llx-%llx %sp 00000000 00:00 0          %s\n",
	         BASE + page * PAGE, BASE + (page + pages) * PAGE, prot, name);
	return line;
}

static inline void run_resident(struct run *run, uint64_t start, uint64_t size,
                                uint64_t bytes)
{
	struct file_resident resident = { .start = start,
		                          .end = start + size,
		                          .bytes = bytes };

	run_block(run, FILE_RESIDENT, &resident, sizeof(resident), "", 0);
}

static inline void run_memstats(struct run *run, uint64_t heap,
                                const char *reason)
{
	struct file_memstats stats = { .tsc = run->tsc,
		                       .available = !reason,
		                       .sys = heap ? 2 * heap : 0,
		                       .heap_inuse = heap };

	run_block(run, FILE_MEMSTATS, &stats, sizeof(stats), reason,
	          reason ? strlen(reason) + 1 : 0);
}

static inline void run_sample(struct run *run, uint64_t resident,
                              uint64_t goload)
{
	struct file_sample sample = { run->tsc, 0, resident, goload };

	run_block(run, FILE_SAMPLE, &sample, sizeof(sample), "", 0);
}

static inline void run_end(struct run *run, enum file_end_kind kind,
                           uint64_t value)
{
	struct file_end end = {
		.tsc = run->tsc, .kind = kind, .value = value, .last_look = 1
	};

	run_clock(run, run->tsc);
	run_block(run, FILE_END, &end, sizeof(end), "", 0);
}

/* ---- names -------------------------------------------------------------- */

enum run_name {
	MAIN = 1,
	MALLOCGC,
	GROW,
	SYSMAP,
	SYSRESERVE,
	SYSALLOC,
	SYSALLOCOS,
	HSYSALLOC,
	SUMMARY,
	SCHEDINIT,
	PERSISTENT,
	NEWMARK,
	SYSMMAP,
	RTMAIN,
	SYSCALL6,
	NEWTHING,
	ADDRANGES,
	NAMES,
};

static const char *const run_names[NAMES] = {
	[MAIN] = "main.handle",
	[MALLOCGC] = "runtime.mallocgc",
	[GROW] = "runtime.(*mheap).grow",
	[SYSMAP] = "runtime.sysMapOS",
	[SYSRESERVE] = "runtime.sysReserveOS",
	[SYSALLOC] = "runtime.sysAlloc",
	[SYSALLOCOS] = "runtime.sysAllocOS",
	[HSYSALLOC] = "runtime.(*mheap).sysAlloc",
	[SUMMARY] = "runtime.(*pageAlloc).sysInit",
	[SCHEDINIT] = "runtime.schedinit",
	[PERSISTENT] = "runtime.persistentalloc.func1",
	[NEWMARK] = "runtime.newArenaMayUnlock",
	[SYSMMAP] = "runtime.sysMmap.abi0",
	[RTMAIN] = "runtime.main",
	[SYSCALL6] = "syscall.RawSyscall6",
	[NEWTHING] = "runtime.somethingNew",
	[ADDRANGES] = "runtime.(*addrRanges).init",
};

static inline int run_namer(void *context, uint64_t address,
                            struct ledger_place *place)
{
	(void)context;
	if (address >= NAMES || !run_names[address])
		return 0;
	*place = (struct ledger_place){
		.function = run_names[address],
		.file = "/src/main.go",
		.line = (int)address * 10,
		.go = 1,
	};
	return 1;
}

/* The stack of the next event, innermost first, 0 at the end. */
static inline void run_stack(struct run *run, const uint64_t *frames)
{
	for (run->frame_count = 0; frames[run->frame_count]; run->frame_count++)
		run->frame[run->frame_count] = frames[run->frame_count];
}

#define STACK(run, ...) run_stack(run, (const uint64_t[]){ __VA_ARGS__, 0 })

/* ---- the ledger --------------------------------------------------------- */

static inline struct ledger *run_ledger(struct run *run)
{
	enum file_error error;

	run->read = ledger_read(run->bytes, run->size, &error);
	if (!run->read)
		return NULL;
	return ledger_build(run->read, run_namer, NULL);
}

/* ---- expectations ------------------------------------------------------- */

/* Builds the ledger of what the test put in; `look` is the kernel's last. */
static inline struct ledger *ledger_of(struct run *run, const char *look)
{
	struct ledger *ledger;

	if (look)
		run_look(run, FILE_LOOK_LAST, look);
	run_end(run, FILE_END_EXITED, 0);
	ledger = run_ledger(run);
	cr_assert(ledger != NULL);
	cr_expect(eq(u64, ledger->vm_size,
	             ledger->target + ledger->goload + ledger->unexplained));
	cr_expect(
		eq(u64, ledger->target, ledger->reserved + ledger->committed));
	return ledger;
}

static inline void done(struct run *run, struct ledger *ledger)
{
	ledger_free(ledger);
	run_free(run);
}

/* What the calls in `run` make must be what `look` says, to the page. */
static inline void expect_closed(struct run *run, const char *look)
{
	struct ledger *ledger = ledger_of(run, look);

	cr_expect(ledger->checked);
	cr_expect(eq(u64, ledger->unexplained, 0));
	cr_expect(eq(u64, ledger->phantom, 0));
	cr_expect(eq(sz, ledger->range_count, 0));
	cr_expect(eq(u64, ledger->ambiguous, 0));
	done(run, ledger);
}

/* Results may be parts of further ones. */
static inline const char *lines(const char *a, const char *b, const char *c)
{
	static char *text[8];
	static unsigned next;
	char **line = &text[next++ % 8];

	free(*line);
	*line = malloc(strlen(a) + strlen(b) + strlen(c) + 1);
	strcat(strcat(strcpy(*line, a), b), c);
	return *line;
}

#define RW_LINE(page, pages)   run_line(page, pages, "rw-", "")
#define NONE_LINE(page, pages) run_line(page, pages, "---", "")

#endif
