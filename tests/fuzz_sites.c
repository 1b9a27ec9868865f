/*
 * fuzz_sites - any bytes as code, and any places as starts of functions: each
 * pair 0f 05 gets one verdict, and a window that is patched can be.
 *
 *   clang -fsanitize=fuzzer,address,undefined -I. tests/fuzz_sites.c
 *           (all of observer/sites) -lZydis
 *
 * The first byte is how many starts there are, each then a distance from the
 * one before; the rest is code.
 */
#include "observer/sites/sites.h"

#include <stdlib.h>
#include <string.h>

#define BASE 0x401000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int holds)
{
	if (!holds)
		abort();
}

static int is_pair(const uint8_t *code, size_t at)
{
	return code[at] == 0x0f && code[at + 1] == 0x05;
}

/* The bytes that are moved are those of the code around the site. */
static void check_window(const struct trace_patch *patch, const uint8_t *code,
                         size_t size, uint64_t *end_of_last)
{
	uint64_t site = patch->site - BASE;
	uint64_t start = site - patch->before;
	uint64_t end = site + 2 + patch->after;

	demand(patch->before <= site && end <= size);
	demand(patch->before + patch->after <= PATCH_WINDOW);
	demand(end - start >= PATCH_JUMP);
	demand(start >= *end_of_last);
	*end_of_last = end;
	demand(memcmp(patch->code, code + start, patch->before) == 0);
	demand(memcmp(patch->code + patch->before, code + site + 2,
	              patch->after) == 0);
}

static void check(const struct sites_result *result, const uint8_t *code,
                  size_t size)
{
	uint64_t end_of_last = 0;
	size_t next = 0;

	for (size_t at = 0; at + 2 <= size; at++) {
		const struct sites_site *site;

		if (!is_pair(code, at))
			continue;
		demand(next < result->count);
		site = &result->site[next];
		demand(site->patch.site == BASE + at);
		demand(site->verdict >= SITES_BACKWARD &&
		       site->verdict < SITES_VERDICTS);
		if (sites_patched(site->verdict))
			check_window(&site->patch, code, size, &end_of_last);
		next++;
	}
	demand(next == result->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t starts[256], address = BASE;
	struct sites_result result = { 0 };
	struct sites_text text;
	size_t count;
	uint8_t *code;

	if (size == 0 || size - 1 < data[0])
		return 0;
	count = data[0];
	data++;
	size--;
	for (size_t i = 0; i < count; i++) {
		address += data[i] + (i > 0);
		starts[i] = address;
	}
	data += count;
	size -= count;
	code = malloc(size ? size : 1); /* of the exact size */
	if (!code)
		exit(1);
	if (size)
		memcpy(code, data, size);
	while (count && starts[count - 1] >= BASE + size)
		count--;
	text = (struct sites_text){ code, BASE, size };
	demand(sites_find(&(struct sites_input){ .text = &text,
	                                         .text_count = 1,
	                                         .starts = starts,
	                                         .start_count = count },
	                  &result) == SITES_OK);
	check(&result, code, size);
	sites_free(&result);
	free(code);
	return 0;
}
