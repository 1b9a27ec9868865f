/*
 * minidebug - .gnu_debugdata: a small ELF file, packed by xz, in a stripped
 * one.  It has the functions that .dynsym has not (Fedora's programs have it).
 */
#include "observer/symbol/internal.h"

#include <lzma.h>
#include <stdlib.h>

#define MEMORY_MAX   (128u << 20) /* for the decoder: xz -9 takes 65 MiB */
#define UNPACKED_MIN (1u << 16)   /* room for it, whatever it is packed to */
#define UNPACKED_MAX (64u << 20)
#define RATIO_MAX    64u /* names pack to a fifth */

/* What can be true of so many packed bytes. */
static size_t most_of(size_t packed)
{
	if (packed > UNPACKED_MAX / RATIO_MAX)
		return UNPACKED_MAX;
	return packed * RATIO_MAX > UNPACKED_MIN ? packed * RATIO_MAX
	                                         : UNPACKED_MIN;
}

/* Room for more, of `most`; 0 when it is all used, or there is no memory. */
static int grow(lzma_stream *stream, uint8_t **to, size_t *room, size_t most)
{
	size_t larger = !*room             ? UNPACKED_MIN
	                : *room < most / 2 ? 2 * *room
	                                   : most;
	uint8_t *grown = *room < most ? realloc(*to, larger) : NULL;

	if (!grown)
		return 0;
	*to = grown;
	*room = larger;
	stream->next_out = grown + stream->total_out;
	stream->avail_out = larger - stream->total_out;
	return 1;
}

/* malloc'd; empty when it cannot be unpacked. */
static struct span unpack(struct span packed)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_ret result = lzma_stream_decoder(&stream, MEMORY_MAX, 0);
	struct span unpacked = { 0 };
	uint8_t *to = NULL;
	size_t room = 0;

	stream.next_in = packed.at;
	stream.avail_in = packed.size;
	while (result == LZMA_OK &&
	       (stream.avail_out ||
	        grow(&stream, &to, &room, most_of(packed.size))))
		result = lzma_code(&stream, LZMA_FINISH);
	if (result == LZMA_STREAM_END)
		unpacked = (struct span){ to, stream.total_out, 0 };
	else
		free(to);
	lzma_end(&stream);
	return unpacked;
}

struct symbol_file *minidebug_open(const struct symbol_file *file)
{
	struct symbol_file *mini = NULL;
	struct span packed, unpacked;

	if (!file->info.stripped ||
	    !elf_section_named(file, ".gnu_debugdata", &packed))
		return NULL;
	unpacked = unpack(packed);
	if (unpacked.size)
		mini = symbol_open(unpacked.at, unpacked.size);
	if (!mini)
		free((void *)unpacked.at);
	return mini;
}

void minidebug_close(struct symbol_file *mini)
{
	const uint8_t *bytes = mini ? mini->all.at : NULL;

	symbol_close(mini);
	free((void *)bytes);
}
