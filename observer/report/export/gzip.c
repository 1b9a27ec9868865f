/*
 * Bytes as gzip has them, without a name or a time: the same bytes always.
 */
#include "observer/report/export/internal.h"

#include <zlib.h>

#define GZIP 16 /* added to the window's bits: zlib.h, deflateInit2() */

static void pack(FILE *out, z_stream *stream)
{
	unsigned char room[65536];
	int status;

	do {
		stream->next_out = room;
		stream->avail_out = sizeof(room);
		status = deflate(stream, Z_FINISH);
		fwrite(room, 1, sizeof(room) - stream->avail_out, out);
	} while (status == Z_OK);
}

int write_gzip(FILE *out, const void *bytes, size_t size)
{
	z_stream stream = { .next_in = (void *)bytes, .avail_in = (uInt)size };

	if (size > UINT32_MAX ||
	    deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
	                 GZIP + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return 0;
	pack(out, &stream);
	deflateEnd(&stream);
	return 1;
}
