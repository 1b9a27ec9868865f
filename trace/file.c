/*
 * Reading a run file.  A run may have been cut anywhere, or be hostile: every
 * size is checked against what is left before it is believed.
 */
#include "trace/file.h"

#include <string.h>

enum file_error file_open(struct file_reader *reader, const void *bytes,
                          uint64_t size)
{
	struct file_header header;

	*reader = (struct file_reader){ .bytes = bytes, .size = size };
	if (size < sizeof(header))
		return FILE_NOT_A_RUN;
	memcpy(&header, bytes, sizeof(header));
	if (memcmp(header.magic, FILE_MAGIC, sizeof(header.magic)) != 0)
		return FILE_NOT_A_RUN;
	if (header.version != FILE_VERSION)
		return FILE_OTHER_VERSION;
	reader->at = sizeof(header);
	return FILE_OK;
}

/* Type 0 is no block: a file that was extended, but not written, ends so. */
static int whole(const struct file_block *block, uint64_t left)
{
	return block->type != 0 && block->size % 8 == 0 && block->size <= left;
}

int file_next(struct file_reader *reader, struct file_block *block,
              const uint8_t **payload)
{
	uint64_t left = reader->size - reader->at;

	if (left == 0 || reader->torn)
		return 0;
	if (left >= sizeof(*block)) {
		memcpy(block, reader->bytes + reader->at, sizeof(*block));
		left -= sizeof(*block);
		if (whole(block, left)) {
			*payload = reader->bytes + reader->at + sizeof(*block);
			reader->at += sizeof(*block) + block->size;
			return 1;
		}
	}
	reader->torn = 1;
	return 0;
}

static int fits(uint64_t part, uint64_t size, uint64_t at)
{
	return at <= size && part <= size - at;
}

const struct trace_event *file_event(const uint8_t *payload, uint64_t size,
                                     uint64_t *at)
{
	const struct trace_event *event;

	if (!fits(sizeof(*event), size, *at))
		return NULL;
	event = (const void *)(payload + *at);
	*at += sizeof(*event);
	return event;
}

const struct file_stack *file_stack(const uint8_t *payload, uint64_t size,
                                    uint64_t *at)
{
	const struct file_stack *stack;
	uint64_t part = sizeof(*stack);

	if (!fits(part, size, *at))
		return NULL;
	stack = (const void *)(payload + *at);
	if (stack->count > FILE_FRAMES)
		return NULL;
	part += stack->count * sizeof(*stack->frame);
	if (!fits(part, size, *at))
		return NULL;
	*at += part;
	return stack;
}

const char *file_strerror(enum file_error error)
{
	static const char *const text[] = {
		[FILE_OK] = "no error",
		[FILE_NOT_A_RUN] = "is not a run file",
		[FILE_OTHER_VERSION] =
			"recorded by a goload with another file format",
	};

	if ((unsigned)error >= sizeof(text) / sizeof(text[0]))
		return "unknown error";
	return text[error];
}
