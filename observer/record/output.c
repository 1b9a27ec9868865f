/* output - the run file, appended block by block (trace/file.h). */
#include "observer/record/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER (1u << 20)
#define STACKS (1u << 16)

bool output_open(struct output *out, int fd)
{
	const struct file_header header = {
		.magic = FILE_MAGIC,
		.version = FILE_VERSION,
		.page_size = 4096,
	};

	*out = (struct output){ .fd = fd, .size = BUFFER };
	out->buffer = malloc(BUFFER);
	out->stacks = malloc(STACKS);
	out->stacks_used = sizeof(struct file_block);
	if (!out->buffer || !out->stacks || !seen_open(&out->seen))
		return false;
	memcpy(out->buffer, &header, sizeof(header));
	out->used = sizeof(header);
	return true;
}

static void write_all(struct output *out, const uint8_t *bytes, size_t size)
{
	size_t done = 0;

	while (done < size && !out->error) {
		ssize_t n = write(out->fd, bytes + done, size - done);

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno != EINTR)
			out->error = errno;
	}
}

void output_flush(struct output *out)
{
	write_all(out, out->buffer, out->used);
	out->used = 0;
}

static void put(struct output *out, const void *bytes, size_t size)
{
	const uint8_t *from = bytes;

	while (size) {
		size_t room = out->size - out->used;
		size_t part = size < room ? size : room;

		memcpy(out->buffer + out->used, from, part);
		out->used += part;
		from += part;
		size -= part;
		if (out->used == out->size)
			output_flush(out);
	}
}

void output_block(struct output *out, enum file_block_type type,
                  const void *head, size_t head_size, const void *body,
                  size_t body_size)
{
	static const uint8_t zero[8];
	size_t padding = -(head_size + body_size) & 7;
	const struct file_block block = {
		.type = type,
		.size = head_size + body_size + padding,
	};

	put(out, &block, sizeof(block));
	put(out, head, head_size);
	put(out, body, body_size);
	put(out, zero, padding);
}

/*
 * Events go into one block per drain.  Its size is known only at its end, so
 * the block is begun at the start of the buffer and finished there.  Stacks
 * that are new to the file gather in a block of their own, which is written
 * first.
 */
static void write_stacks(struct output *out)
{
	const struct file_block block = {
		.type = FILE_STACKS,
		.size = out->stacks_used - sizeof(block),
	};

	if (!block.size)
		return;
	memcpy(out->stacks, &block, sizeof(block));
	write_all(out, out->stacks, out->stacks_used);
	out->stacks_used = sizeof(block);
}

static void put_stack(struct output *out, const uint64_t *frames, size_t count)
{
	const struct file_stack stack = { .count = count };
	size_t size = count * sizeof(*frames);

	if (out->stacks_used + sizeof(stack) + size > STACKS)
		write_stacks(out);
	memcpy(out->stacks + out->stacks_used, &stack, sizeof(stack));
	out->stacks_used += sizeof(stack);
	memcpy(out->stacks + out->stacks_used, frames, size);
	out->stacks_used += size;
}

void output_events_begin(struct output *out)
{
	output_flush(out);
	out->used = sizeof(struct file_block);
}

void output_events_end(struct output *out)
{
	const struct file_block block = {
		.type = FILE_EVENTS,
		.size = out->used - sizeof(block),
	};

	if (!block.size) {
		out->used = 0;
		return;
	}
	write_stacks(out);
	memcpy(out->buffer, &block, sizeof(block));
	output_flush(out);
}

void output_event(struct output *out, struct trace_event *event,
                  const uint64_t *frames)
{
	bool is_new = false;

	if (out->used + sizeof(*event) > out->size) {
		output_events_end(out);
		output_events_begin(out);
	}
	event->stack = 0;
	if (event->frames)
		event->stack =
			seen_number(&out->seen, frames, event->frames, &is_new);
	if (is_new)
		put_stack(out, frames, event->frames);
	memcpy(out->buffer + out->used, event, sizeof(*event));
	out->used += sizeof(*event);
}
