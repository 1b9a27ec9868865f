/*
 * lines_file - the separate debug file of a stripped one.
 *
 * By build id it is ROOT/.build-id/xx/yyyy.debug.  By .gnu_debuglink, a name
 * and a checksum, it is beside the file, in .debug there, or at the file's path
 * below ROOT.  gdb looks in the same places.
 */
#include "observer/symbol/internal.h"

#include <limits.h>
#include <stdio.h>
#include <zlib.h>

static uint32_t checksum(struct span bytes)
{
	uLong sum = crc32(0, NULL, 0);

	while (bytes.size) {
		struct span part = span_cut(bytes, 0, 1u << 30);
		sum = crc32(sum, part.at, (uInt)part.size);
		bytes = span_from(bytes, part.size);
	}
	return (uint32_t)sum;
}

/* By the build id, which Go's is not: that has a '/' in it. */
static const char *build_id(const struct symbol_file *file)
{
	const char *id = file->info.build_id;

	if (!id || strlen(id) < 4 || id[strspn(id, "0123456789abcdef")])
		return NULL;
	return id;
}

/* The debug file at `path`, if it is the one of `file`; `sum` is for a file
 * without a build id, NULL when there is none. */
static struct symbol_file *try_file(const struct symbol_file *file,
                                    const char *path, const uint32_t *sum)
{
	const char *id = build_id(file), *other;
	struct symbol_bytes bytes;
	struct symbol_file *debug;

	if (!symbol_map(path, &bytes))
		return NULL;
	/* of one that is sparse at its end no section is left */
	debug = bytes.stored == bytes.size ? symbol_open(bytes.at, bytes.size)
	                                   : NULL;
	if (!debug) {
		symbol_unmap(&bytes);
		return NULL;
	}
	other = build_id(debug);
	if (id ? other && !strcmp(id, other)
	       : sum && checksum(debug->all) == *sum)
		return debug;
	lines_file_close(debug);
	return NULL;
}

void lines_file_close(struct symbol_file *debug)
{
	struct symbol_bytes bytes;

	if (!debug)
		return;
	bytes = (struct symbol_bytes){ .at = debug->all.at,
		                       .size = debug->all.size };
	symbol_close(debug);
	symbol_unmap(&bytes);
}

static struct symbol_file *by_build_id(const struct symbol_file *file)
{
	const char *id = build_id(file);
	char path[PATH_MAX];

	if (!id || snprintf(path, sizeof(path), "%s/.build-id/%.2s/%s.debug",
	                    file->root, id, id + 2) >= PATH_MAX)
		return NULL;
	return try_file(file, path, NULL);
}

static struct symbol_file *by_link(const struct symbol_file *file)
{
	static const char *const places[] = { "", ".debug/", NULL };
	const char *slash = strrchr(file->path, '/'), *name;
	int folder = slash ? (int)(slash - file->path) + 1 : 0;
	struct symbol_file *debug = NULL;
	char path[PATH_MAX];
	struct span link;

	if (!elf_section_named(file, ".gnu_debuglink", &link))
		return NULL;
	name = span_string(link, 0);
	if (!name || !*name || strchr(name, '/'))
		return NULL;
	link = span_from(link, (strlen(name) + 4) & -4ull);
	if (link.size < 4)
		return NULL;
	uint32_t sum = load32(link.at);
	for (size_t i = 0; !debug && i < 3; i++) {
		if (!places[i] && *file->path != '/')
			break; /* nowhere below the root */
		const char *root = places[i] ? "" : file->root;
		const char *under = places[i] ? places[i] : "";
		if (snprintf(path, sizeof(path), "%s%.*s%s%s", root, folder,
		             file->path, under, name) < PATH_MAX)
			debug = try_file(file, path, &sum);
	}
	return debug;
}

struct symbol_file *lines_file(struct symbol_file *file)
{
	if (file->has_debug || !file->path)
		return file->debug;
	file->has_debug = 1;
	file->debug = by_build_id(file);
	if (!file->debug)
		file->debug = by_link(file);
	return file->debug;
}
