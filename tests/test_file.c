/*
 * The reader of run files: whole runs, torn ones, and bytes that are none.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/run_builder.h"

static unsigned blocks(const struct run *run, struct file_reader *reader)
{
	struct file_block block;
	const uint8_t *payload;
	unsigned count = 0;

	cr_assert(eq(int, file_open(reader, run->bytes, run->size), FILE_OK));
	while (file_next(reader, &block, &payload))
		count++;
	return count;
}

Test(file, reads_every_block_of_a_whole_run)
{
	struct run run = run_new();
	struct file_reader reader;

	run_mmap(&run, SPAN(0, 1), RW, ANON);
	run_end(&run, FILE_END_EXITED, 0);
	/* program, two clocks, events, end */
	cr_expect(eq(uint, blocks(&run, &reader), 5));
	cr_expect(not(reader.torn));
	run_free(&run);
}

Test(file, refuses_what_is_no_run)
{
	static const char text[] = "#!/bin/sh\nexit 0\n";
	struct file_reader reader;

	cr_expect(eq(int, file_open(&reader, text, sizeof(text)),
	             FILE_NOT_A_RUN));
	cr_expect(eq(int, file_open(&reader, text, 0), FILE_NOT_A_RUN));
}

Test(file, refuses_another_version)
{
	struct run run = run_new();
	struct file_reader reader;

	run.bytes[8]++;
	cr_expect(eq(int, file_open(&reader, run.bytes, run.size),
	             FILE_OTHER_VERSION));
	run_free(&run);
}

Test(file, stops_at_every_torn_tail)
{
	struct run run = run_new();
	struct file_reader reader;
	size_t before = run.size;

	run_mmap(&run, SPAN(0, 1), RW, ANON);
	for (size_t size = before + 1; size < run.size; size++) {
		struct run cut = { .bytes = run.bytes, .size = size };

		cr_expect(eq(uint, blocks(&cut, &reader), 2), "%zu", size);
		cr_expect(reader.torn, "%zu", size);
	}
	run_free(&run);
}

Test(file, takes_an_unwritten_tail_for_torn)
{
	static const char zeroes[64];
	struct run run = run_new();
	struct file_reader reader;

	run_bytes(&run, zeroes, sizeof(zeroes));
	cr_expect(eq(uint, blocks(&run, &reader), 2));
	cr_expect(reader.torn);
	run_free(&run);
}

Test(file, refuses_a_block_size_that_wraps)
{
	struct file_block block = { .type = FILE_EVENTS, .size = -16ull };
	struct run run = run_new();
	struct file_reader reader;

	run_bytes(&run, &block, sizeof(block));
	cr_expect(eq(uint, blocks(&run, &reader), 2));
	cr_expect(reader.torn);
	run_free(&run);
}

Test(file, gives_one_event_behind_the_other)
{
	const struct trace_event events[] = { { .call = 9 }, { .call = 11 } };
	const uint8_t *bytes = (const void *)events;
	uint64_t at = 0;

	cr_expect(file_event(bytes, sizeof(events), &at) == &events[0]);
	cr_expect(file_event(bytes, sizeof(events), &at) == &events[1]);
	cr_expect(file_event(bytes, sizeof(events), &at) == NULL);
	cr_expect(eq(u64, at, sizeof(events)));
}

Test(file, refuses_events_that_reach_over_the_end)
{
	struct trace_event event = { .call = 9 };
	uint64_t at = 8;

	cr_expect(file_event((void *)&event, sizeof(event), &at) == NULL);
	cr_expect(eq(u64, at, 8));
	at = -8ull;
	cr_expect(file_event((void *)&event, sizeof(event), &at) == NULL);
}

Test(file, gives_each_stack_its_own_frames)
{
	const uint64_t words[] = { 2, 7, 8, 0, 1, 9 };
	const uint8_t *bytes = (const void *)words;
	const struct file_stack *stack;
	uint64_t at = 0;

	stack = file_stack(bytes, sizeof(words), &at);
	cr_assert(eq(u64, stack->count, 2));
	cr_expect(eq(u64, stack->frame[1], 8));
	stack = file_stack(bytes, sizeof(words), &at);
	cr_assert(eq(u64, stack->count, 0));
	stack = file_stack(bytes, sizeof(words), &at);
	cr_assert(eq(u64, stack->count, 1));
	cr_expect(eq(u64, stack->frame[0], 9));
	cr_expect(eq(u64, at, sizeof(words)));
	cr_expect(file_stack(bytes, sizeof(words), &at) == NULL);
}

Test(file, refuses_stacks_that_reach_over_the_end)
{
	static uint64_t words[2 + FILE_FRAMES] = { 1 };
	uint64_t at = 0;

	cr_expect(file_stack((void *)words, 8, &at) == NULL);
	words[0] = 1ull << 61; /* its size wraps */
	cr_expect(file_stack((void *)words, 16, &at) == NULL);
	words[0] = FILE_FRAMES + 1;
	cr_expect(file_stack((void *)words, sizeof(words), &at) == NULL);
	cr_expect(eq(u64, at, 0));
	at = -8ull;
	cr_expect(file_stack((void *)words, 16, &at) == NULL);
}

static void read_run(struct run *run)
{
	enum file_error error;

	run->read = ledger_read(run->bytes, run->size, &error);
	cr_assert(run->read != NULL);
}

static void put_event(struct run *run, uint64_t stack, uint16_t frames)
{
	struct trace_event event = { .stack = stack, .frames = frames };

	event.ticket = run->ticket++;
	run_block(run, FILE_EVENTS, &event, sizeof(event), "", 0);
}

Test(file, finds_a_stack_by_its_number)
{
	static const uint64_t frames[] = { 7, 8, 9 };
	struct run run = run_new();
	const struct ledger_event *event;

	run_put_stack(&run, frames, 3);
	run_put_stack(&run, frames, 2);
	put_event(&run, 2, 2);
	put_event(&run, 1, 3);
	put_event(&run, 2, 2);
	put_event(&run, 0, 0);
	read_run(&run);
	event = run.read->event;
	cr_assert(eq(sz, run.read->event_count, 4));
	cr_expect(eq(u64, event[0].stack->count, 2));
	cr_expect(eq(u64, event[1].stack->count, 3));
	cr_expect(eq(u64, event[1].stack->frame[2], 9));
	cr_expect(event[2].stack == event[0].stack);
	cr_expect(eq(u64, event[3].stack->count, 0));
	cr_expect(not(run.read->torn));
	run_free(&run);
}

/* The call has happened all the same. */
Test(file, keeps_an_event_whose_stack_is_missing)
{
	static const uint64_t frames[] = { 7, 8, 9 };
	static const struct {
		uint64_t stack;
		uint16_t frames;
	} bad[] = {
		{ 0, 3 },      /* none */
		{ 2, 3 },      /* behind it */
		{ 3, 3 },      /* nowhere */
		{ -1ull, 3 },  /* nowhere */
		{ 1, 2 },      /* of another length */
		{ 1, 0xffff }, /* likewise */
	};
	const size_t count = sizeof(bad) / sizeof(*bad);
	struct run run = run_new();
	struct ledger *ledger;

	run_put_stack(&run, frames, 3);
	for (size_t i = 0; i < count; i++)
		put_event(&run, bad[i].stack, bad[i].frames);
	run_put_stack(&run, frames, 3);
	put_event(&run, 2, 3);
	ledger = run_ledger(&run);
	cr_assert(eq(sz, run.read->event_count, count + 1));
	for (size_t i = 0; i < count; i++)
		cr_expect(eq(u64, run.read->event[i].stack->count, 0), "%zu",
		          i);
	cr_expect(eq(u64, run.read->event[count].stack->count, 3));
	cr_expect(eq(u64, ledger->truncated, count));
	done(&run, ledger);
}

/* Cut anywhere: what is left of the events has all of its frames. */
Test(file, has_the_stack_of_every_event_up_to_the_tear)
{
	struct run run = run_new();
	size_t before = run.size;

	for (int i = 0; i < 3; i++) {
		STACK(&run, MAIN, GROW);
		run_mmap(&run, SPAN(i, 1), RW, ANON);
	}
	for (size_t size = before; size <= run.size; size++) {
		struct run cut = { .bytes = run.bytes, .size = size };

		read_run(&cut);
		for (size_t i = 0; i < cut.read->event_count; i++)
			cr_expect(eq(u64, cut.read->event[i].stack->count, 2),
			          "%zu", size);
		cr_expect(cut.read->event_count == 3 || size < run.size);
		ledger_run_free(cut.read);
	}
	run_free(&run);
}

Test(file, takes_a_stack_that_is_not_whole_for_torn)
{
	static const uint64_t frames[] = { 7, 8 };
	const struct file_stack stack = { .count = 3 };
	struct run run = run_new();

	run_block(&run, FILE_STACKS, &stack, sizeof(stack), frames,
	          sizeof(frames));
	put_event(&run, 1, 3);
	read_run(&run);
	cr_expect(run.read->torn);
	cr_expect(eq(u64, run.read->event[0].stack->count, 0));
	run_free(&run);
}

Test(file, has_a_text_for_every_error)
{
	for (int i = FILE_OK; i <= FILE_OTHER_VERSION + 1; i++)
		cr_expect(file_strerror((enum file_error)i)[0] != 0);
}

/* Every reader behind the bytes has to live with any bytes. */
Test(file, survives_random_damage, .timeout = 60)
{
	struct run run = run_new();
	uint8_t *bytes;

	srand(1);
	run_mmap(&run, SPAN(0, 8), RW, ANON);
	STACK(&run, MAIN, GROW);
	run_mprotect(&run, SPAN(2, 2), PROT_NONE);
	run_look(&run, FILE_LOOK_LAST, run_line(0, 9, "rw-", ""));
	run_resident(&run, SPAN(0, 4), PAGE);
	run_call(&run, SYS_madvise, 0, SPAN(2, 1), MADV_DONTNEED, 0, 0);
	run_memstats(&run, PAGE, NULL);
	run_memstats(&run, 0, "not");
	run_sample(&run, PAGE, 0);
	run_end(&run, FILE_END_SIGNALED, 9);
	bytes = malloc(run.size);
	for (int i = 0; i < 20000; i++) {
		struct run bad = { .bytes = bytes, .size = run.size };

		memcpy(bytes, run.bytes, run.size);
		for (int n = rand() % 4; n >= 0; n--)
			bytes[16 + (size_t)rand() % (run.size - 16)] =
				(uint8_t)(rand() % 3 ? rand() : 255);
		bad.size -= (size_t)(rand() % 2 ? rand() % 64 : 0);
		ledger_free(run_ledger(&bad));
		ledger_run_free(bad.read);
	}
	free(bytes);
	run_free(&run);
}
