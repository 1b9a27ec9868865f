/* output - the run file, appended block by block (trace/file.h). */
#include "observer/record/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER (1u << 20)

bool output_open(struct output *out, int fd)
{
	const struct file_header header = {
		.magic = FILE_MAGIC,
		.version = FILE_VERSION,
		.page_size = 4096,
	};

	*out = (struct output){ .fd = fd, .size = BUFFER };
	out->buffer = malloc(BUFFER);
	if (!out->buffer)
		return false;
	memcpy(out->buffer, &header, sizeof(header));
	out->used = sizeof(header);
	return true;
}

void output_flush(struct output *out)
{
	size_t done = 0;

	while (done < out->used && !out->error) {
		ssize_t n =
			write(out->fd, out->buffer + done, out->used - done);

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno != EINTR)
			out->error = errno;
	}
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
 * the block is begun at the start of the buffer and finished there.
 */
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
	memcpy(out->buffer, &block, sizeof(block));
	output_flush(out);
}

void output_event(struct output *out, const struct trace_event *event,
                  const uint64_t *frames)
{
	size_t size = (size_t)file_event_size(event);

	if (out->used + size > out->size) {
		output_events_end(out);
		output_events_begin(out);
	}
	memcpy(out->buffer + out->used, event, sizeof(*event));
	memcpy(out->buffer + out->used + sizeof(*event), frames,
	       size - sizeof(*event));
	out->used += size;
}
