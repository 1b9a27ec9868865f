/* Runs PROGRAM (samples/go/memstats) until it has said its MemStats, and asks
 * for them from outside: a line "name said found" for each number. */
#include "observer/symbol/memstats.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static bool read_mem(void *context, uint64_t address, void *to, size_t size)
{
	return pread(*(int *)context, to, size, (off_t)address) ==
	       (ssize_t)size;
}

static int open_of(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Address of the program's headers as the kernel says - as the file says. */
static uint64_t bias_of(pid_t pid, const uint8_t *bytes)
{
	const Elf64_Ehdr *header = (const void *)bytes;
	const Elf64_Phdr *segment = (const void *)(bytes + header->e_phoff);
	int fd = open_of(pid, "auxv");
	uint64_t pair[2], address = 0;

	while (read(fd, pair, sizeof(pair)) == sizeof(pair))
		if (pair[0] == 3 /* AT_PHDR */)
			address = pair[1];
	close(fd);
	for (int i = 0; i < header->e_phnum; i++)
		if (segment[i].p_type == PT_LOAD && !segment[i].p_offset)
			return address - header->e_phoff - segment[i].p_vaddr;
	fail("no segment holds the headers");
	return 0;
}

int main(int argc, char **argv)
{
	static const char *names[MEMSTATS_NUMBERS] = {
		"sys",           "heap_sys",     "heap_idle",  "heap_inuse",
		"heap_released", "stack_inuse",  "stack_sys",  "mspan_inuse",
		"mspan_sys",     "mcache_inuse", "mcache_sys", "buck_hash_sys",
		"gc_sys",        "other_sys",
	};
	struct memstats_layout layout;
	struct memstats stats = { 0 };
	struct stat status;
	const char *reason;
	int in[2], out[2], file = argc > 1 ? open(argv[1], O_RDONLY) : -1;

	if (file < 0 || fstat(file, &status) || pipe(in) || pipe(out))
		fail("usage: memstats_ask PROGRAM ARGUMENT...");
	void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE,
	                   file, 0);
	struct symbol_file *symbols =
		symbol_open(bytes, (size_t)status.st_size);
	if (!symbols)
		fail("not an ELF file");
	if (!memstats_layout(symbols, &layout, &reason))
		fail(reason);
	pid_t pid = fork();
	if (!pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		execv(argv[1], argv + 1);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	FILE *said = fdopen(out[0], "r");
	char line[MEMSTATS_NUMBERS][80], end[80] = "";
	for (int i = 0; i < MEMSTATS_NUMBERS; i++)
		if (!fgets(line[i], sizeof(line[i]), said))
			fail("it says too little");
	if (!fgets(end, sizeof(end), said) || strcmp(end, "end\n"))
		fail("it does not come to an end");
	int mem = open_of(pid, "mem");
	if (!memstats_read(&layout, bias_of(pid, bytes), read_mem, &mem,
	                   &stats))
		fail("cannot be read");
	uint64_t found[MEMSTATS_NUMBERS];
	memcpy(found, &stats, sizeof(found));
	for (int i = 0; i < MEMSTATS_NUMBERS; i++) {
		line[i][strcspn(line[i], "\n")] = 0;
		size_t length = strlen(names[i]);
		if (strncmp(line[i], names[i], length) ||
		    line[i][length] != ' ')
			fail("another order");
		printf("%s %llu\n", line[i], (unsigned long long)found[i]);
	}
	close(in[1]);
	waitpid(pid, NULL, 0);
	symbol_close(symbols);
	return 0;
}
