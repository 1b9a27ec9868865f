/*
 * memstats - the runtime's own code tells what MemStats is made of.
 *
 * That the code was understood is checked by what Go promises: Sys is the sum
 * of the other Sys numbers. Here it must be that word for word.
 */
#include "observer/symbol/memstats_internal.h"

#include <stdlib.h>

/* The word at `address`; a new one keeps the order. -1 when there are too many.
 */
static int word_at(struct memstats_layout *layout, uint64_t address)
{
	size_t i = 0;

	while (i < layout->count && layout->address[i] < address)
		i++;
	if (i < layout->count && layout->address[i] == address)
		return (int)i;
	if (layout->count == MEMSTATS_WORDS)
		return -1;
	for (size_t w = layout->count++; w > i; w--) {
		layout->address[w] = layout->address[w - 1];
		for (int n = 0; n < MEMSTATS_NUMBERS; n++)
			layout->weight[n][w] = layout->weight[n][w - 1];
	}
	layout->address[i] = address;
	for (int n = 0; n < MEMSTATS_NUMBERS; n++)
		layout->weight[n][i] = 0;
	return (int)i;
}

bool memstats_add(struct memstats_layout *layout, enum memstats_number number,
                  uint64_t address, int weight)
{
	int word = word_at(layout, address);

	if (word < 0)
		return false;
	layout->weight[number][word] += (int8_t)weight;
	return true;
}

/* acquire gives one of the copies: imul $size,...; what follows them is read
 * before, so that the number is certain. */
uint64_t memstats_copy_size(const struct symbol_file *file,
                            const uint64_t acquire[2])
{
	struct gocode code;
	uint64_t last = 0;

	gocode_open(&code, file, acquire);
	while (gocode_next(&code)) {
		const ZydisDecodedOperand *by = &code.operand[2];
		if (code.head.mnemonic == ZYDIS_MNEMONIC_MOV &&
		    gocode_is_memory(&code, 1) && code.operand[1].size == 32)
			last = (uint64_t)code.operand[1].mem.disp.value;
		if (code.head.mnemonic == ZYDIS_MNEMONIC_IMUL &&
		    code.head.operand_count >= 3 &&
		    by->type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
		    by->imm.value.u * GORUN_COPIES == last)
			return by->imm.value.u;
	}
	return 0;
}

/* What Go's documentation says of the numbers, for each word. */
static bool as_documented(const struct memstats_layout *layout)
{
	for (size_t w = 0; w < layout->count; w++) {
		int of[MEMSTATS_NUMBERS];
		for (int n = 0; n < MEMSTATS_NUMBERS; n++)
			of[n] = layout->weight[n][w];
		if (of[SYS] != of[HEAP_SYS] + of[STACK_SYS] + of[MSPAN_SYS] +
		                       of[MCACHE_SYS] + of[BUCK_HASH_SYS] +
		                       of[GC_SYS] + of[OTHER_SYS])
			return false;
	}
	return true;
}

static bool in_data(const struct symbol_file *file,
                    const struct memstats_layout *layout)
{
	Elf64_Phdr segment;
	size_t found = 0;

	for (uint32_t i = 0; elf_segment(file, i, &segment); i++) {
		if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_W) ||
		    segment.p_memsz < 8)
			continue;
		for (size_t w = 0; w < layout->count; w++)
			found += layout->address[w] - segment.p_vaddr <=
			         segment.p_memsz - 8;
	}
	return found == layout->count;
}

bool memstats_layout(struct symbol_file *file, struct memstats_layout *layout,
                     const char **reason)
{
	struct gorun *run = calloc(1, sizeof(*run));
	uint64_t readmemstats[2] = { 0 };
	const struct gocode_wanted wanted[] = {
		{ "runtime.readmemstats_m", readmemstats },
		{ 0 },
	};
	bool found = false;

	*layout = (struct memstats_layout){ 0 };
	*reason = "no memory";
	if (run) {
		run->file = file;
		gocode_find(file, wanted);
		found = readmemstats[0]
		                ? memstats_formula(run, readmemstats, layout)
		                : memstats_parts(run, layout);
		*reason = "the code of Go's runtime is not as expected";
	}
	free(run);
	if (file->go.version == PCLNTAB_NONE)
		*reason = "the program is none of Go's";
	found = found && as_documented(layout) && in_data(file, layout);
	if (found)
		*reason = NULL;
	else
		*layout = (struct memstats_layout){ 0 };
	return found;
}

/* ---- reading ------------------------------------------------------------ */

/* Words that are near each other are read together. */
static bool read_words(const struct memstats_layout *layout, uint64_t bias,
                       memstats_reader *reader, void *context, uint64_t *words)
{
	uint8_t bytes[4096];

	for (size_t first = 0, end; first < layout->count; first = end) {
		uint64_t start = layout->address[first], size = 8;
		for (end = first + 1; end < layout->count; end++) {
			uint64_t more = layout->address[end] + 8 - start;
			if (more > sizeof(bytes))
				break;
			size = more;
		}
		if (!reader(context, start + bias, bytes, size))
			return false;
		for (size_t w = first; w < end; w++)
			words[w] = load64(bytes + layout->address[w] - start);
	}
	return true;
}

bool memstats_read(const struct memstats_layout *layout, uint64_t bias,
                   memstats_reader *reader, void *context,
                   struct memstats *stats)
{
	uint64_t words[MEMSTATS_WORDS], number[MEMSTATS_NUMBERS] = { 0 };

	if (!layout->count || !read_words(layout, bias, reader, context, words))
		return false;
	for (int n = 0; n < MEMSTATS_NUMBERS; n++) {
		for (size_t w = 0; w < layout->count; w++)
			number[n] += (uint64_t)layout->weight[n][w] * words[w];
		if (number[n] > INT64_MAX)
			return false;
	}
	memcpy(stats, number, sizeof(*stats));
	return true;
}
