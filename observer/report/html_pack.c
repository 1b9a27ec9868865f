/*
 * A stream that packs: gzip, which browsers unpack themselves, in base64,
 * in which nothing can end the element that holds it.
 */
#include "observer/report/html.h"

#include <stdlib.h>
#include <zlib.h>

#define CHUNK 12288 /* a multiple of 3 */
#define GZIP  (MAX_WBITS + 16)

struct pack {
	FILE *out;
	z_stream stream;
	uint8_t ready[CHUNK];
};

static void write_base64(FILE *out, const uint8_t *bytes, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t word = (uint32_t)bytes[i] << 16;

		if (left > 1)
			word |= (uint32_t)bytes[i + 1] << 8;
		if (left > 2)
			word |= bytes[i + 2];
		putc(digits[word >> 18], out);
		putc(digits[word >> 12 & 63], out);
		putc(left > 1 ? digits[word >> 6 & 63] : '=', out);
		putc(left > 2 ? digits[word & 63] : '=', out);
	}
}

/* Only full chunks are written before the end: no padding in between. */
static void empty(struct pack *pack)
{
	write_base64(pack->out, pack->ready, CHUNK - pack->stream.avail_out);
	pack->stream.next_out = pack->ready;
	pack->stream.avail_out = CHUNK;
}

static void run(struct pack *pack, int flush)
{
	int status;

	do {
		status = deflate(&pack->stream, flush);
		if (pack->stream.avail_out == 0)
			empty(pack);
	} while (pack->stream.avail_in > 0 ||
	         (flush == Z_FINISH && status == Z_OK));
}

static ssize_t pack_write(void *cookie, const char *bytes, size_t size)
{
	struct pack *pack = cookie;

	pack->stream.next_in = (Bytef *)bytes;
	pack->stream.avail_in = (uInt)size;
	run(pack, Z_NO_FLUSH);
	return (ssize_t)size;
}

static int pack_close(void *cookie)
{
	struct pack *pack = cookie;

	run(pack, Z_FINISH);
	empty(pack);
	deflateEnd(&pack->stream);
	free(pack);
	return 0;
}

FILE *pack_open(FILE *out)
{
	const cookie_io_functions_t functions = { .write = pack_write,
		                                  .close = pack_close };
	struct pack *pack = calloc(1, sizeof(*pack));
	FILE *file = NULL;

	if (!pack)
		return NULL;
	pack->out = out;
	pack->stream.next_out = pack->ready;
	pack->stream.avail_out = CHUNK;
	if (deflateInit2(&pack->stream, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP,
	                 MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK)
		file = fopencookie(pack, "w", functions);
	if (!file) {
		deflateEnd(&pack->stream);
		free(pack);
	}
	return file;
}
