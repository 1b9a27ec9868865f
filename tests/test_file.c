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

Test(file, gives_each_event_its_own_frames)
{
	struct {
		struct trace_event event;
		uint64_t frame[2];
	} one = { .event = { .call = 9, .frames = 2 }, .frame = { 7, 8 } };
	uint8_t bytes[2 * sizeof(one)] __attribute__((aligned(8)));
	const struct trace_event *event;
	const uint64_t *frames;
	uint64_t at = 0;
	unsigned count = 0;

	memcpy(bytes, &one, sizeof(one));
	memcpy(bytes + sizeof(one), &one, sizeof(one));
	while ((event = file_event(bytes, sizeof(bytes), &at, &frames))) {
		cr_expect(eq(u64, frames[1], 8));
		count++;
	}
	cr_expect(eq(uint, count, 2));
	cr_expect(eq(u64, at, sizeof(bytes)));
}

Test(file, refuses_events_that_reach_over_the_end)
{
	struct trace_event event = { .frames = 1 };
	const uint64_t *frames;
	uint64_t at = 0;

	cr_expect(file_event((void *)&event, sizeof(event), &at, &frames) ==
	          NULL);
	event.frames = FILE_FRAMES + 1;
	cr_expect(file_event((void *)&event, 1 << 20, &at, &frames) == NULL);
	at = -8ull;
	cr_expect(file_event((void *)&event, sizeof(event), &at, &frames) ==
	          NULL);
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
