/* unwind_module - which file is mapped where, and its tables. */
#include "observer/symbol/unwind_internal.h"

#include <stdlib.h>

/* Text that is searched for calls: libc is 0.4 to 1.5 MiB. */
#define TARGETS_TEXT_MAX (4u << 20)
#define TEXTS_MAX        8u

/* How many ranges end at or before `address`. */
static size_t ranges_before(const struct unwind *unwind, uint64_t address)
{
	size_t low = 0, high = unwind->range_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (unwind->ranges[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct module *module_at(const struct unwind *unwind, uint64_t address)
{
	size_t i = ranges_before(unwind, address);

	if (i == unwind->range_count || unwind->ranges[i].start > address)
		return NULL;
	return unwind->ranges[i].module;
}

void unwind_module_free(struct module *module)
{
	symbol_close(module->file);
	free(module->frames);
	free(module->calls.at);
	free(module->jumps.at);
	free(module);
}

static struct module *module_open(struct unwind *unwind, const void *bytes,
                                  size_t size, uint64_t bias)
{
	for (struct module *old = unwind->modules; old; old = old->next)
		if (old->bytes == bytes && old->size == size &&
		    old->bias == bias)
			return old;
	struct module *module = calloc(1, sizeof(*module));
	if (!module)
		return NULL;
	module->file = symbol_open(bytes, size);
	if (!module->file) {
		free(module);
		return NULL;
	}
	module->bytes = bytes;
	module->size = size;
	module->bias = bias;
	module->next = unwind->modules;
	unwind->modules = module;
	return module;
}

static void drop_unused(struct unwind *unwind)
{
	for (struct module **at = &unwind->modules; *at;) {
		struct module *module = *at;
		if (module->ranges) {
			at = &module->next;
			continue;
		}
		*at = module->next;
		unwind_module_free(module);
	}
}

static void remove_ranges(struct unwind *unwind, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++)
		unwind->ranges[i].module->ranges--;
	memmove(unwind->ranges + first, unwind->ranges + first + count,
	        (unwind->range_count - first - count) *
	                sizeof(*unwind->ranges));
	unwind->range_count -= count;
}

static void insert_range(struct unwind *unwind, size_t at, struct range range)
{
	memmove(unwind->ranges + at + 1, unwind->ranges + at,
	        (unwind->range_count - at) * sizeof(*unwind->ranges));
	unwind->ranges[at] = range;
	unwind->range_count++;
	range.module->ranges++;
}

/* What lies in [start, end) goes; what sticks out of it stays. */
static size_t clear_ranges(struct unwind *unwind, uint64_t start, uint64_t end)
{
	size_t first = ranges_before(unwind, start), last;

	if (first < unwind->range_count &&
	    unwind->ranges[first].start < start) {
		struct range *range = unwind->ranges + first++;
		struct range rest = { end, range->end, range->module };
		range->end = start;
		if (rest.end > end)
			insert_range(unwind, first, rest);
	}
	for (last = first; last < unwind->range_count; last++)
		if (unwind->ranges[last].end > end)
			break;
	if (last < unwind->range_count && unwind->ranges[last].start < end)
		unwind->ranges[last].start = end;
	remove_ranges(unwind, first, last - first);
	return first;
}

bool unwind_module(struct unwind *unwind, const void *bytes, size_t size,
                   uint64_t bias, uint64_t start, uint64_t end)
{
	if (start >= end)
		return false;
	if (unwind->range_count + 2 > unwind->range_room) {
		size_t room = 2 * unwind->range_room + 16;
		struct range *ranges =
			realloc(unwind->ranges, room * sizeof(*ranges));
		if (!ranges)
			return false;
		unwind->ranges = ranges;
		unwind->range_room = room;
	}
	struct module *module = module_open(unwind, bytes, size, bias);
	if (!module)
		return false;
	size_t at = clear_ranges(unwind, start, end);
	insert_range(unwind, at, (struct range){ start, end, module });
	drop_unused(unwind);
	cfi_forget(unwind->cfi);
	depths_forget(unwind->depths);
	memo_forget(unwind->memo);
	memset(unwind->root, 0, sizeof(unwind->root));
	return true;
}

struct span module_bytes(const struct module *module, uint64_t address)
{
	struct span span = elf_at(module->file, address - module->bias);

	span.address = address;
	return span;
}

int module_is_code(const struct module *module, uint64_t address)
{
	address -= module->bias;
	return elf_executable(module->file, address, address + 1);
}

/*
 * .eh_frame_hdr (LSB): version 1, how pointers are written: to .eh_frame, the
 * count, the table's; here those that every linker writes.  The table is
 * sorted: function and FDE, each from the start of the header.
 */
static int frames_by_header(struct module *module)
{
	static const uint8_t usual[] = { 1, 0x1b, 0x03, 0x3b };
	Elf64_Phdr segment;

	for (uint32_t i = 0; elf_segment(module->file, i, &segment); i++) {
		if (segment.p_type != PT_GNU_EH_FRAME)
			continue;
		struct span span = elf_at(module->file, segment.p_vaddr);
		if (span.size < 12 || memcmp(span.at, usual, sizeof(usual)))
			return 0;
		uint32_t count = load32(span.at + 8);
		if (!count || count > (span.size - 12) / 8)
			return 0;
		module->frames_base = segment.p_vaddr + module->bias;
		module->frames_address = module->frames_base + 12;
		module->frames_count = count;
		return 1;
	}
	return 0;
}

static void add_frame(void *context, uint64_t start, uint64_t fde)
{
	struct module *module = context;

	if (start > INT32_MAX || fde > INT32_MAX)
		return;
	if (module->frames_count == module->frames_room) {
		size_t room = 2 * module->frames_room + 1024;
		struct fde_entry *frames =
			realloc(module->frames, room * sizeof(*frames));
		if (!frames)
			return;
		module->frames = frames;
		module->frames_room = room;
	}
	module->frames[module->frames_count++] = (struct fde_entry){
		.start = (int32_t)start,
		.fde = (int32_t)fde,
	};
}

static int by_start(const void *left, const void *right)
{
	const struct fde_entry *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

/* A static program has no header: it is made here. */
void module_read_frames(struct module *module)
{
	if (module->has_frames)
		return;
	module->has_frames = 1;
	if (frames_by_header(module))
		return;
	ehframe_functions(module->file, add_frame, module);
	if (module->frames_count)
		qsort(module->frames, module->frames_count,
		      sizeof(*module->frames), by_start);
	module->frames_base = module->bias;
}

static void add(struct addresses *to, const struct module *module,
                uint64_t address)
{
	if (!elf_executable(module->file, address, address + 1))
		return;
	if (to->count == to->room) {
		size_t room = 2 * to->room + 1024;
		uint64_t *at = realloc(to->at, room * sizeof(*at));
		if (!at)
			return;
		to->at = at;
		to->room = room;
	}
	to->at[to->count++] = address;
}

/* lea disp32(%rip), or in a program at a fixed address mov $imm32 */
static uint64_t address_taken(const struct module *module,
                              const ZydisDecodedInstruction *head,
                              const uint8_t *bytes, uint64_t next)
{
	if (head->length == 7 && (bytes[0] & 0xfb) == 0x48 &&
	    bytes[1] == 0x8d && (bytes[2] & 0xc7) == 0x05)
		return next + (uint64_t)head->raw.disp.value;
	if (module->file->header.e_type == ET_EXEC &&
	    head->mnemonic == ZYDIS_MNEMONIC_MOV && head->raw.imm[0].size == 32)
		return head->raw.imm[0].value.u & UINT32_MAX;
	return 0;
}

/* To another function rather than within one: functions are aligned. */
static int is_far_jump(const ZydisDecodedInstruction *head, uint64_t next)
{
	return head->mnemonic == ZYDIS_MNEMONIC_JMP && head->length == 5 &&
	       (next + (uint64_t)head->raw.imm[0].value.s) % 16 == 0;
}

static void targets_in(struct module *module, uint64_t from, uint64_t to)
{
	struct span span = elf_at(module->file, from);
	ZydisDecoder decoder;
	ZydisDecodedInstruction head;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
	                 ZYDIS_STACK_WIDTH_64);
	span = span_cut(span, 0, to - from);
	span = span_cut(span, 0, TARGETS_TEXT_MAX);
	for (size_t length; span.size; span = span_from(span, length)) {
		length = 1;
		if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(
			    &decoder, NULL, span.at, span.size, &head)))
			continue;
		length = head.length;
		uint64_t next = span.address + length;
		if (!head.raw.imm[0].is_relative)
			add(&module->calls, module,
			    address_taken(module, &head, span.at, next));
		else if (head.mnemonic == ZYDIS_MNEMONIC_CALL)
			add(&module->calls, module,
			    next + (uint64_t)head.raw.imm[0].value.s);
		else if (is_far_jump(&head, next))
			add(&module->jumps, module,
			    next + (uint64_t)head.raw.imm[0].value.s);
	}
}

/* All but Go text, which has a table of its functions and is large. */
static void targets_of_text(struct module *module,
                            const struct symbol_text *text)
{
	const uint64_t *go = symbol_info(module->file)->go_text;
	uint64_t from = text->address, to = from + text->size;

	if (go[0] >= to || go[1] <= from) {
		targets_in(module, from, to);
		return;
	}
	if (from < go[0])
		targets_in(module, from, go[0]);
	if (go[1] < to)
		targets_in(module, go[1], to);
}

static int ascending(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

static void sort(struct addresses *addresses)
{
	size_t kept = 0;

	if (!addresses->count)
		return;
	qsort(addresses->at, addresses->count, sizeof(*addresses->at),
	      ascending);
	for (size_t i = 0; i < addresses->count; i++)
		if (!kept || addresses->at[kept - 1] != addresses->at[i])
			addresses->at[kept++] = addresses->at[i];
	addresses->count = kept;
}

/* A function without a symbol: somebody calls it, or has its address. */
static void read_targets(struct module *module)
{
	struct span rela = module->file->rela;
	struct symbol_text text[TEXTS_MAX];
	size_t count = symbol_texts(module->file, text, TEXTS_MAX);
	uint64_t offset, addend;

	module->has_targets = 1;
	for (size_t i = 0; i < count && i < TEXTS_MAX; i++)
		targets_of_text(module, text + i);
	for (; rela.size >= sizeof(Elf64_Rela);
	     rela = span_from(rela, sizeof(Elf64_Rela)))
		if (rela_relative(rela.at, &offset, &addend))
			add(&module->calls, module, addend);
	sort(&module->calls);
	sort(&module->jumps);
}

/* How many of `at` are not above `pc`. */
static size_t count_to(const uint64_t *at, size_t count, uint64_t pc)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (at[middle] <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int module_in_go(const struct module *module, uint64_t pc)
{
	const uint64_t *text = symbol_info(module->file)->go_text;

	return pc >= text[0] && pc < text[1];
}

/* To read all of the code is dear: not before it is asked for. */
static size_t starts_of(struct module *module, enum module_start how,
                        const uint64_t **at)
{
	if (how == START_KNOWN)
		return symbol_starts(module->file, at);
	if (!module->has_targets)
		read_targets(module);
	*at = how == START_CALLED ? module->calls.at : module->jumps.at;
	return how == START_CALLED ? module->calls.count : module->jumps.count;
}

size_t module_starts(struct module *module, uint64_t pc, enum module_start how,
                     uint64_t *start, size_t room)
{
	const uint64_t *at = NULL;
	size_t i = starts_of(module, how, &at), count = 0;

	for (i = count_to(at, i, pc); i && count < room;)
		start[count++] = at[--i];
	return count;
}

static int is_among(const uint64_t *at, size_t count, uint64_t address)
{
	size_t below = count_to(at, count, address);

	return below && at[below - 1] == address;
}

int module_is_start(struct module *module, uint64_t address)
{
	const uint64_t *known;
	size_t count = symbol_starts(module->file, &known);

	return is_among(known, count, address) ||
	       is_among(module->calls.at, module->calls.count, address);
}
