/*
 * The writer of run files: what it writes, the reader finds, and each stack
 * once.
 */
#define _GNU_SOURCE 1

#include "observer/record/internal.h"
#include "tests/run_builder.h"

#include <sys/stat.h>
#include <unistd.h>

static struct output new_output(void)
{
	struct output out;

	cr_assert(output_open(&out, memfd_create("run", MFD_CLOEXEC)));
	return out;
}

static void free_seen(struct seen *seen)
{
	free(seen->place);
	free(seen->frame);
}

static void put(struct output *out, uint64_t ticket, const uint64_t *frames,
                size_t count)
{
	struct trace_event event = {
		.turn = 0x1234567,
		.call = SYS_madvise,
		.ticket = ticket,
		.frames = (uint16_t)count,
	};

	output_event(out, &event, frames);
}

/* What is in the file; the program and the rest are missing. */
static struct run written(struct output *out)
{
	struct stat st;
	struct run run = { 0 };
	enum file_error error;

	cr_assert(eq(int, out->error, 0));
	fstat(out->fd, &st);
	run.size = (size_t)st.st_size;
	run.bytes = malloc(run.size);
	cr_assert(eq(long, pread(out->fd, run.bytes, run.size, 0),
	             (long)run.size));
	run.read = ledger_read(run.bytes, run.size, &error);
	cr_assert(run.read != NULL);
	cr_assert(not(run.read->torn));
	close(out->fd);
	free(out->buffer);
	free(out->stacks);
	free_seen(&out->seen);
	return run;
}

/* Stack `n`: other stacks share its beginning, or its length. */
static size_t make_stack(uint64_t *frames, unsigned n)
{
	size_t count = 1 + n % 40;

	for (size_t i = 0; i < count; i++)
		frames[i] = 0x400000 + i;
	frames[count - 1] = n;
	return count;
}

static unsigned blocks(const struct run *run, uint32_t type)
{
	struct file_reader reader;
	struct file_block block;
	const uint8_t *payload;
	unsigned count = 0;

	file_open(&reader, run->bytes, run->size);
	while (file_next(&reader, &block, &payload))
		count += block.type == type;
	return count;
}

Test(output, gives_each_event_its_stack)
{
	enum { EVENTS = 30000, STACKS = 2000 };
	struct output out = new_output();
	uint64_t frames[FILE_FRAMES];
	struct run run;

	output_events_begin(&out);
	for (unsigned i = 0; i < EVENTS; i++)
		put(&out, i + 1, frames, make_stack(frames, i % STACKS));
	output_events_end(&out);
	run = written(&out);
	cr_assert(eq(sz, run.read->event_count, EVENTS));
	for (unsigned i = 0; i < EVENTS; i++) {
		const struct ledger_event *event = &run.read->event[i];
		size_t count = make_stack(frames, i % STACKS);

		cr_assert(eq(u64, event->stack->count, count), "%u", i);
		cr_assert(memcmp(event->stack->frame, frames, 8 * count) == 0,
		          "%u", i);
		cr_assert(event->stack == run.read->event[i % STACKS].stack);
	}
	cr_expect(run.size < EVENTS * 128 + STACKS * 24 * 8);
	run_free(&run);
}

Test(output, writes_a_stack_once_in_all_of_the_file)
{
	const uint64_t frames[] = { 7, 8 };
	struct output out = new_output();
	struct run run;

	for (unsigned i = 0; i < 3; i++) {
		output_events_begin(&out);
		put(&out, 2 * i + 1, frames, 2);
		put(&out, 2 * i + 2, NULL, 0);
		output_events_end(&out);
	}
	run = written(&out);
	cr_expect(eq(uint, blocks(&run, FILE_STACKS), 1));
	cr_expect(eq(uint, blocks(&run, FILE_EVENTS), 3));
	cr_expect(eq(u64, run.read->event[4].stack->frame[1], 8));
	cr_expect(eq(u64, run.read->event[5].event->stack, 0));
	run_free(&run);
}

Test(output, writes_the_longest_stacks)
{
	enum { EVENTS = 1000 };
	struct output out = new_output();
	uint64_t frames[FILE_FRAMES] = { 0 };
	struct run run;

	output_events_begin(&out);
	for (unsigned i = 0; i < EVENTS; i++) {
		frames[FILE_FRAMES - 1] = i;
		put(&out, i + 1, frames, FILE_FRAMES);
	}
	output_events_end(&out);
	run = written(&out);
	for (unsigned i = 0; i < EVENTS; i++)
		cr_assert(eq(u64,
		             run.read->event[i].stack->frame[FILE_FRAMES - 1],
		             i));
	run_free(&run);
}

/* ---- the numbers -------------------------------------------------------- */

Test(output, numbers_stacks_from_one)
{
	const uint64_t frames[] = { 7, 8, 9 }, other[] = { 7, 8, 10 };
	struct seen seen;
	bool is_new;

	cr_assert(seen_open(&seen));
	cr_expect(eq(u64, seen_number(&seen, frames, 3, &is_new), 1));
	cr_expect(is_new);
	cr_expect(eq(u64, seen_number(&seen, frames, 2, &is_new), 2));
	cr_expect(is_new);
	cr_expect(eq(u64, seen_number(&seen, other, 3, &is_new), 3));
	cr_expect(is_new);
	cr_expect(eq(u64, seen_number(&seen, frames, 3, &is_new), 1));
	cr_expect(not(is_new));
	free_seen(&seen);
}

/* Memory stays within bounds; numbers go on. */
static void overflow(unsigned stacks, size_t count)
{
	struct seen seen;
	uint64_t frames[FILE_FRAMES] = { 0 };
	bool is_new;

	cr_assert(seen_open(&seen));
	for (uint64_t i = 1; i <= stacks; i++) {
		frames[count - 1] = i;
		cr_assert(
			eq(u64, seen_number(&seen, frames, count, &is_new), i));
		cr_assert(is_new);
		cr_assert(seen.stacks <= SEEN_STACKS);
		cr_assert(seen.frames <= SEEN_FRAMES);
	}
	frames[count - 1] = stacks;
	cr_expect(eq(u64, seen_number(&seen, frames, count, &is_new), stacks));
	cr_expect(not(is_new));
	frames[count - 1] = 1;
	cr_expect(eq(u64, seen_number(&seen, frames, count, &is_new),
	             stacks + 1));
	cr_expect(is_new);
	free_seen(&seen);
}

/* So many that stacks of one hash are among them. */
Test(output, forgets_stacks_when_they_are_many)
{
	overflow(40 * SEEN_STACKS + 10, 2);
}

Test(output, forgets_stacks_when_they_are_long)
{
	overflow(SEEN_FRAMES / FILE_FRAMES + 10, FILE_FRAMES);
}
