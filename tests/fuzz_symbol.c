/*
 * fuzz_symbol - every entry point of observer/symbol on hostile bytes.
 *
 *   clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I.
 *           tests/fuzz_symbol.c observer/symbol/?*.c -ldw -lelf -llzma -lz
 *           -liberty -lZydis -lunwind-x86_64 -lunwind
 */
#include "observer/symbol/symbol.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink;

/* Reads what was returned, so that the sanitizer sees a bad pointer. */
static void read_string(const char *text)
{
	if (text)
		sink += strlen(text);
}

static void find(struct symbol_file *file, uint64_t address)
{
	struct symbol_place place[8], last;
	size_t count = symbol_places(file, address, place, 8);

	if (symbol_find(file, address, &last) != (count > 0))
		abort();
	if (!count)
		return;
	for (size_t i = 0; i < count; i++) {
		read_string(place[i].function);
		read_string(place[i].file);
		if (!place[i].function || place[i].start > address)
			abort();
	}
	const struct symbol_place *same = &place[count - 1];

	if (last.function != (same->linker ? same->linker : same->function) ||
	    last.file != same->file || last.line != same->line)
		abort();
}

static void find_some(struct symbol_file *file)
{
	const uint64_t *start;
	size_t count = symbol_starts(file, &start);
	size_t step = count / 64 + 1;

	for (size_t i = 0; i < count; i += step) {
		if (i && start[i] <= start[i - 1])
			abort();
		find(file, start[i]);
		find(file, start[i] + 5);
		find(file, start[i] - 1);
	}
	find(file, 0);
	find(file, UINT64_MAX);
}

static void read_texts(const struct symbol_file *file, size_t size)
{
	struct symbol_text text[8];
	size_t count = symbol_texts(file, text, 8);

	for (size_t i = 0; i < count && i < 8; i++)
		if (text[i].offset > size ||
		    text[i].size > size - text[i].offset)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* a copy of the exact size: a read past it is seen */
	uint8_t *bytes = malloc(size ? size : 1);

	if (!bytes)
		return 0;
	memcpy(bytes, data, size);
	struct symbol_file *file = symbol_open(bytes, size);
	if (file) {
		const struct symbol_info *info = symbol_info(file);
		read_string(info->interp);
		read_string(info->go_version);
		read_string(info->build_id);
		read_texts(file, size);
		find(file, info->go_text[0]);
		find(file, info->go_text[1] - 1);
		find(file, info->sigtramp[0]);
		find_some(file);
	}
	symbol_close(file);
	free(bytes);
	return 0;
}
