/*
 * Prints the last look of a run file: the kernel's map when the program was
 * about to end.
 *
 *   map_look RUN
 */
#include "trace/trace.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
	struct file_reader reader;
	struct file_block block;
	struct file_look look, last = { .text_size = 0 };
	const uint8_t *payload, *text = NULL;
	struct stat st;
	void *bytes;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 1;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED ||
	    file_open(&reader, bytes, (uint64_t)st.st_size) != FILE_OK)
		return 1;
	while (file_next(&reader, &block, &payload)) {
		if (block.type != FILE_MAPS)
			continue;
		memcpy(&look, payload, sizeof(look));
		if (look.when != FILE_LOOK_LAST)
			continue;
		last = look;
		text = payload + sizeof(look);
	}
	return fwrite(text, 1, last.text_size, stdout) != last.text_size;
}
