/*
 * Prints what observer/symbol says of addresses of FILE, one in hex on each
 * line of standard input:
 *
 *     names_places FILE ROOT [BASE]
 *
 *     0x401146
 *     inner /src/a.c:12
 *     main /src/a.c:30
 *
 * BASE, in hex, is where the file's address 0 is.  A line without a place gets
 * "? ?:0".  ROOT is the folder of separate debug files.
 */
#include "observer/symbol/symbol.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void print(struct symbol_file *file, uint64_t address)
{
	struct symbol_place place[64];
	size_t count = symbol_places(file, address, place, 64);

	if (!count)
		place[count++] = (struct symbol_place){ .function = "?" };
	for (size_t i = 0; i < count; i++)
		printf("%s %s:%d\n", place[i].function,
		       place[i].file ? place[i].file : "?", place[i].line);
}

int main(int argc, char **argv)
{
	int fd = argc < 3 ? -1 : open(argv[1], O_RDONLY);
	uint64_t base = argc > 3 ? strtoull(argv[3], NULL, 16) : 0;
	struct symbol_file *file = NULL;
	struct stat st;
	char line[64];
	void *at;

	if (fd >= 0 && fstat(fd, &st) == 0) {
		at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd,
		          0);
		file = at == MAP_FAILED ? NULL
		                        : symbol_open(at, (size_t)st.st_size);
	}
	if (!file)
		return 1;
	symbol_look_for_debug(file, argv[1], argv[2]);
	while (fgets(line, sizeof(line), stdin)) {
		uint64_t address = strtoull(line, NULL, 16);
		printf("0x%llx\n", (unsigned long long)address);
		print(file, address - base);
	}
	symbol_close(file);
	return 0;
}
