/*
 * drop RUN N COPY: copies a run file without its N-th mmap (from 0) whose
 * mapping no other event touches, and prints what that mapping was, "0xSTART
 * 0xEND".  Exit status 3 when there are not that many.
 */
#include "trace/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096ull

struct range {
	uint64_t start, end;
};

static int overlap(struct range a, uint64_t start, uint64_t size)
{
	return size && start < a.end && a.start < start + size;
}

/* The event after *at in the file; the blocks around events are stepped over.
 * file.c is not linked: what reads the copy must not be what made it. */
struct walk {
	const uint8_t *bytes;
	uint64_t size, at, block_end;
	const struct file_block *block;
};

static const struct trace_event *next(struct walk *walk)
{
	const struct trace_event *event;

	while (walk->at == walk->block_end) {
		if (walk->size - walk->at < sizeof(*walk->block))
			return NULL;
		walk->block = (const void *)(walk->bytes + walk->at);
		walk->at += sizeof(*walk->block);
		walk->block_end = walk->at + walk->block->size;
		if (walk->block_end > walk->size)
			exit(2);
		if (walk->block->type != FILE_EVENTS)
			walk->at = walk->block_end;
	}
	event = (const void *)(walk->bytes + walk->at);
	walk->at += sizeof(*event);
	return event;
}

static struct walk start(const uint8_t *bytes, uint64_t size)
{
	return (struct walk){ .bytes = bytes,
		              .size = size,
		              .at = sizeof(struct file_header),
		              .block_end = sizeof(struct file_header) };
}

static struct range range_of(const struct trace_event *event)
{
	return (struct range){ event->result,
		               event->result +
		                       ((event->args[1] + PAGE - 1) & -PAGE) };
}

static int changes(const struct trace_event *event, struct range range)
{
	switch (event->call) {
	case SYS_mmap:
		return overlap(range, event->result, event->args[1]);
	case SYS_munmap:
	case SYS_mprotect:
		return overlap(range, event->args[0], event->args[1]);
	case SYS_mremap:
		return overlap(range, event->args[0], event->args[1]) ||
		       overlap(range, event->result, event->args[2]);
	default:
		return 0;
	}
}

static int touched(const uint8_t *bytes, uint64_t size,
                   const struct trace_event *mine)
{
	struct walk walk = start(bytes, size);
	const struct trace_event *event;

	while ((event = next(&walk)))
		if (event != mine && changes(event, range_of(mine)))
			return 1;
	return 0;
}

/* Everything but `event`; its block, the one at `block`, gets shorter. */
static int copy(const char *path, const uint8_t *bytes, uint64_t size,
                const struct trace_event *event, const struct file_block *block)
{
	struct file_block shorter = *block;
	const uint8_t *gone = (const uint8_t *)event;
	const uint8_t *header = (const uint8_t *)block;
	const uint8_t *behind = gone + sizeof(*event);
	FILE *file = fopen(path, "w");

	if (!file)
		return 2;
	shorter.size -= sizeof(*event);
	fwrite(bytes, 1, (size_t)(header - bytes), file);
	fwrite(&shorter, 1, sizeof(shorter), file);
	header += sizeof(shorter);
	fwrite(header, 1, (size_t)(gone - header), file);
	fwrite(behind, 1, (size_t)(bytes + size - behind), file);
	return fclose(file) ? 2 : 0;
}

int main(int argc, char **argv)
{
	int fd = argc == 4 ? open(argv[1], O_RDONLY) : -1;
	struct stat stat;
	const struct trace_event *event;
	struct walk walk;
	uint8_t *bytes;
	long n;

	if (fd < 0 || fstat(fd, &stat) < 0)
		return 2;
	bytes = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return 2;
	n = strtol(argv[2], NULL, 10);
	walk = start(bytes, (uint64_t)stat.st_size);
	while ((event = next(&walk))) {
		struct range range = range_of(event);

		if (event->call != SYS_mmap || trace_failed(event->result) ||
		    touched(bytes, walk.size, event) || n-- > 0)
			continue;
		printf("0x%llx 0x%llx\n", (unsigned long long)range.start,
		       (unsigned long long)range.end);
		return copy(argv[3], bytes, walk.size, event, walk.block);
	}
	return 3;
}
