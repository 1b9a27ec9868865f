/*
 * go_samples - the sample `memstats` in all its kinds, for tests that read
 * programs of real Go. For tests only; includes Criterion.
 */
#ifndef TESTS_GO_SAMPLES_H
#define TESTS_GO_SAMPLES_H

#include "observer/symbol/symbol.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static inline const char *from_environment(const char *name,
                                           const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

/* Builds them where they are out of date; skips the test without a Go. */
static inline glob_t go_samples(void)
{
	char command[4096], pattern[4096];
	const char *folder = from_environment("SAMPLES", "out/samples");
	glob_t paths = { 0 };

	if (system("command -v go >/dev/null || test -x /usr/lib/go/bin/go"))
		cr_skip_test("there is no Go");
	snprintf(command, sizeof(command),
	         "'%s/samples/build.sh' '%s' memstats memstats.pie "
	         "memstats.cgo memstats.cgo-pie memstats.cgo-static >&2",
	         from_environment("srcdir", "."), folder);
	cr_assert(eq(int, system(command), 0));
	snprintf(pattern, sizeof(pattern), "%s/go1*/memstats*", folder);
	cr_assert(eq(int, glob(pattern, 0, NULL, &paths), 0));
	return paths;
}

struct mapped {
	void *bytes; /* may be written to */
	size_t size;
	struct symbol_file *file;
};

static inline struct mapped map_sample(const char *path)
{
	struct mapped mapped;
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	cr_assert(eq(int, fstat(fd, &status), 0));
	mapped.size = (size_t)status.st_size;
	mapped.bytes = mmap(NULL, mapped.size, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE, fd, 0);
	close(fd);
	mapped.file = symbol_open(mapped.bytes, mapped.size);
	cr_assert(ne(ptr, mapped.file, NULL), "%s", path);
	return mapped;
}

static inline void unmap_sample(struct mapped *mapped)
{
	symbol_close(mapped->file);
	munmap(mapped->bytes, mapped->size);
}

#endif
