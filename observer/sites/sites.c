#include "observer/sites/sites.h"

#include "observer/sites/flow.h"
#include "observer/sites/scan.h"
#include "observer/sites/window.h"

#include <stdlib.h>
#include <string.h>

enum {
	SHORT_REACH = 130, /* bytes a rel8 branch can span, itself included */
	WINDOW_REACH = 20, /* bytes of the longest window, to either side */
	NEAR_START = 16,   /* a pair this close depends on its start alone */
	WITNESSES = 3,     /* starts asked whether they reach a function */
	NUMBERS = 1024,    /* more than there are syscalls */
};

struct finder {
	const struct sites_input *input;
	struct sites_result *result;
	ZydisDecoder quick; /* boundaries and branches only */
	ZydisDecoder full;
	struct scan_list pairs;
	struct scan_list targets; /* of branches, near a pair; sorted */
	struct scan_filter *filter;
	struct code code;      /* the function at hand */
	struct code neighbour; /* another one, asked about */
};

static int compare_addresses(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;
	return (*left > *right) - (*left < *right);
}

static void sort(struct scan_list *list)
{
	if (list->count)
		qsort(list->item, list->count, sizeof(*list->item),
		      compare_addresses);
}

static int scan(struct finder *find)
{
	const struct sites_input *input = find->input;
	for (size_t i = 0; i < input->text_count; i++)
		if (!scan_pairs(&input->text[i], &find->pairs))
			return 0;
	if (!find->pairs.count)
		return 1;
	sort(&find->pairs);
	find->filter = malloc(sizeof(*find->filter));
	if (!find->filter)
		return 0;
	scan_filter(&find->pairs, find->filter);
	for (size_t i = 0; i < input->text_count; i++)
		if (!scan_branches(&input->text[i], &find->pairs, find->filter,
		                   &find->targets))
			return 0;
	sort(&find->targets);
	return 1;
}

static const struct sites_text *text_of(const struct sites_input *input,
                                        uint64_t address)
{
	for (size_t i = 0; i < input->text_count; i++)
		if (address - input->text[i].address < input->text[i].size)
			return &input->text[i];
	return NULL;
}

/* Index of the last start <= address, -1 when that is in another text. */
static ptrdiff_t start_of(const struct sites_input *input,
                          const struct sites_text *text, uint64_t address)
{
	size_t i = scan_find(input->starts, input->start_count, address + 1);
	if (i == 0 || input->starts[i - 1] < text->address)
		return -1;
	return (ptrdiff_t)i - 1;
}

/* The bytes of a function: up to the next one, or the end of the text. */
static void frame(const struct sites_input *input,
                  const struct sites_text *text, size_t start,
                  struct code *code)
{
	uint64_t end = text->address + text->size;
	if (start + 1 < input->start_count && input->starts[start + 1] < end)
		end = input->starts[start + 1];
	code->address = input->starts[start];
	code->bytes = text->bytes + (code->address - text->address);
	code->size = end - code->address;
	code->starts = input->starts;
	code->start_count = input->start_count;
}

/*
 * Where a start may be wrong by a byte, code that falls into it from an
 * earlier one must agree.  Nothing before it: nothing to disagree with.
 */
static int start_agrees(struct finder *find, const struct sites_text *text,
                        ptrdiff_t start)
{
	const uint64_t *starts = find->input->starts;
	struct code *code = &find->neighbour;
	ptrdiff_t at = start - 1;
	for (; at >= 0 && start - at <= WITNESSES; at--) {
		if (starts[at] < text->address)
			break;
		code->address = starts[at];
		code->bytes = text->bytes + (code->address - text->address);
		code->size = starts[start] - starts[at];
		if (!code_decode(code, &find->quick, code->size))
			return 0;
		if (code->decoded == code->size)
			return 1;
	}
	return at == start - 1;
}

/* Whether the branch that `at` looks like is really one: yes when in doubt. */
static int is_branch(struct finder *find, const struct sites_text *text,
                     uint64_t at, uint64_t target)
{
	struct code *code = &find->neighbour;
	/* the one asked about last is often the same */
	if (at - code->address >= code->size) {
		ptrdiff_t start = start_of(find->input, text, at);
		code->size = 0;
		if (start < 0)
			return 1;
		frame(find->input, text, (size_t)start, code);
		if (!code_decode(code, &find->quick, code->size)) {
			code->size = 0;
			return 1;
		}
	}
	return at - code->address >= code->decoded ||
	       code_branch(code, &find->quick, at - code->address) == target;
}

static int is_short_branch(uint8_t opcode)
{
	return opcode == 0xeb || (opcode & 0xf0) == 0x70 ||
	       (opcode & 0xfc) == 0xe0;
}

/* Branches of one byte's distance from outside the decoded bytes. */
static void mark_short_branches(struct finder *find,
                                const struct sites_text *text, uint64_t from,
                                uint64_t to, size_t low, size_t high)
{
	struct code *code = &find->code;
	for (uint64_t at = from; at + 1 < to; at++) {
		const uint8_t *bytes = text->bytes + (at - text->address);
		if (!is_short_branch(bytes[0]))
			continue;
		uint64_t target = at + 2 + (uint64_t)(int8_t)bytes[1];
		size_t offset = target - code->address;
		if (offset >= low && offset < high &&
		    !(code->mark[offset] & CODE_TARGET) &&
		    scan_near(&find->pairs, target, WINDOW_REACH) &&
		    is_branch(find, text, at, target))
			code->mark[offset] |= CODE_TARGET;
	}
}

static void mark_far_branches(struct finder *find)
{
	struct code *code = &find->code;
	const struct scan_list *targets = &find->targets;
	size_t i = scan_find(targets->item, targets->count, code->address);
	for (; i < targets->count; i++) {
		size_t offset = targets->item[i] - code->address;
		if (offset >= code->size)
			break;
		code->mark[offset] |= CODE_TARGET;
	}
}

/* What reaches [low, high) of the function, but does not begin in it. */
static void mark_neighbours(struct finder *find, const struct sites_text *text,
                            size_t low, size_t high)
{
	const struct code *code = &find->code;
	uint64_t start = code->address;
	uint64_t end = start + code->decoded;
	uint64_t first = text->address, last = first + text->size;
	if (start + low - first > SHORT_REACH)
		first = start + low - SHORT_REACH;
	if (last - start > high + SHORT_REACH)
		last = start + high + SHORT_REACH;
	if (first < start)
		mark_short_branches(find, text, first, start, low, high);
	if (end < last)
		mark_short_branches(find, text, end, last, low, high);
}

/* A syscall instruction with prefixes is one, but has no place for them. */
static enum sites_verdict covered(struct finder *find, size_t offset)
{
	const struct code *code = &find->code;
	ZydisDecodedInstruction head;
	size_t at = code_previous(code, offset);
	if (ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(
		    &find->quick, NULL, code->bytes + at, code->size - at,
		    &head)) &&
	    head.mnemonic == ZYDIS_MNEMONIC_SYSCALL)
		return SITES_NO_ROOM;
	return SITES_INSIDE;
}

/*
 * Data hardly ever loads a small constant into eax and runs into a syscall.
 * Zero does not count: two bytes are enough to make it.
 */
static int loads_number(struct finder *find, size_t offset)
{
	int32_t number = window_number(&find->code, &find->full, offset);
	return number > 0 && number < NUMBERS;
}

/* SITES_VERDICTS: a syscall instruction, whose window is still to be chosen. */
static enum sites_verdict classify(struct finder *find, size_t offset)
{
	const struct code *code = &find->code;
	if (offset >= code->decoded || code->mark[offset] & CODE_TAKEN)
		return SITES_UNPROVEN;
	if (!(code->mark[offset] & CODE_BOUNDARY))
		return covered(find, offset);
	if (code->mark[offset] & CODE_DARK && !loads_number(find, offset))
		return SITES_UNPROVEN;
	return SITES_VERDICTS;
}

static int is_open(const struct sites_site *site)
{
	return site->verdict == SITES_VERDICTS;
}

static size_t offset_of(const struct finder *find,
                        const struct sites_site *site)
{
	return site->patch.site - find->code.address;
}

/* A site that is to have a window. */
struct wanted {
	struct sites_site *site;
};

/* Smallest window first, then the lowest address. */
static int compare_windows(const void *a, const void *b)
{
	const struct trace_patch *left =
		&((const struct wanted *)a)->site->patch;
	const struct trace_patch *right =
		&((const struct wanted *)b)->site->patch;
	int difference =
		left->before + left->after - right->before - right->after;
	if (difference)
		return difference;
	return (left->site > right->site) - (left->site < right->site);
}

/* Where a jump table spoils the window, it may be another function's. */
static enum sites_verdict first_choice(struct finder *find,
                                       const struct sites_text *text,
                                       size_t offset, struct trace_patch *patch)
{
	struct code *code = &find->code;
	enum sites_verdict verdict =
		window_choose(code, &find->full, offset, patch);

	if (verdict != SITES_NO_ROOM || !code->indirect ||
	    !flow_is_direct(code, text, &find->full, offset))
		return verdict;
	code->mark[offset] |= CODE_DIRECT;
	return window_choose(code, &find->full, offset, patch);
}

/*
 * Two sites may want the same bytes: the smaller window has them, the other
 * chooses again from what is left.
 */
static void share_out(struct finder *find, const struct sites_text *text,
                      struct wanted *wanted, size_t count)
{
	struct code *code = &find->code;
	for (size_t i = 0; i < count; i++)
		wanted[i].site->verdict = first_choice(
			find, text, offset_of(find, wanted[i].site),
			&wanted[i].site->patch);
	qsort(wanted, count, sizeof(wanted[0]), compare_windows);
	for (size_t i = 0; i < count; i++) {
		struct sites_site *site = wanted[i].site;
		size_t offset = offset_of(find, site);
		while (site->verdict != SITES_NO_ROOM &&
		       !window_take(code, offset, &site->patch))
			site->verdict = window_choose(code, &find->full, offset,
			                              &site->patch);
	}
}

/* The number, and whether the flags allow a window at all. */
static void examine(struct finder *find, const struct sites_text *text,
                    struct sites_site *site)
{
	site->patch.nr =
		window_number(&find->code, &find->full, offset_of(find, site));
	if (!window_flags_dead(text, &find->full, site->patch.site + 2))
		site->verdict = SITES_FLAGS_LIVE;
}

static enum sites_error choose(struct finder *find,
                               const struct sites_text *text,
                               struct sites_site *site, size_t count)
{
	struct wanted *wanted = calloc(count, sizeof(*wanted));
	size_t wants = 0;
	if (!wanted)
		return SITES_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		if (is_open(&site[i]))
			examine(find, text, &site[i]);
		if (is_open(&site[i]))
			wanted[wants++].site = &site[i];
	}
	share_out(find, text, wanted, wants);
	free(wanted);
	return SITES_OK;
}

/*
 * Most functions that hold the pair hold it inside another instruction.  Who
 * could jump between the two is known some way behind it: a short branch does
 * not reach any further, and long ones have been scanned for.
 */
static int decode(struct finder *find, const struct sites_site *site,
                  size_t count)
{
	struct code *code = &find->code;
	size_t last = offset_of(find, &site[count - 1]);
	if (!code_decode(code, &find->quick, last + SHORT_REACH))
		return 0;
	for (size_t i = 0; i < count; i++)
		if (code->mark[offset_of(find, &site[i])] & CODE_BOUNDARY) {
			code_decode_rest(code, &find->quick);
			break;
		}
	return 1;
}

/* The bytes from the first to the last syscall instruction, and near them. */
static size_t reach(const struct finder *find, const struct sites_site *site,
                    size_t count, size_t *low, size_t *high)
{
	const struct code *code = &find->code;
	size_t found = 0;
	for (size_t i = 0; i < count; i++) {
		size_t offset = offset_of(find, &site[i]);
		if (offset >= code->decoded ||
		    !(code->mark[offset] & CODE_BOUNDARY))
			continue;
		if (!found++)
			*low = offset > WINDOW_REACH ? offset - WINDOW_REACH
			                             : 0;
		*high = offset + WINDOW_REACH;
	}
	if (*high > code->size)
		*high = code->size;
	return found;
}

/* All the pairs of one function, which is framed already. */
static enum sites_error in_function(struct finder *find,
                                    const struct sites_text *text,
                                    ptrdiff_t start, struct sites_site *site,
                                    size_t count)
{
	struct code *code = &find->code;
	size_t low = 0, high = 0;
	if (!decode(find, site, count))
		return SITES_NO_MEMORY;
	find->result->decoded += code->count;
	mark_far_branches(find);
	if (reach(find, site, count, &low, &high))
		mark_neighbours(find, text, low, high);
	code_settle(code, &find->quick);
	int agrees = offset_of(find, &site[0]) >= NEAR_START ||
	             start_agrees(find, text, start);
	for (size_t i = 0; i < count; i++) {
		size_t offset = offset_of(find, &site[i]);
		if (!agrees && offset < NEAR_START)
			continue;
		site[i].function = code->address;
		site[i].verdict = classify(find, offset);
	}
	return choose(find, text, site, count);
}

static int is_go(const struct sites_input *input, uint64_t address)
{
	return address >= input->go_text[0] && address < input->go_text[1];
}

/* One record for every pair, unproven so far. */
static int records(struct finder *find)
{
	struct sites_result *result = find->result;
	result->count = find->pairs.count;
	result->site = calloc(result->count, sizeof(*result->site));
	if (!result->site)
		return 0;
	for (size_t i = 0; i < result->count; i++) {
		uint64_t address = find->pairs.item[i];
		result->site[i].verdict = SITES_UNPROVEN;
		result->site[i].patch = (struct trace_patch){
			.site = address,
			.nr = PATCH_ANY,
			.module = find->input->module,
			.go = (uint8_t)is_go(find->input, address),
		};
	}
	return 1;
}

static enum sites_error in_functions(struct finder *find)
{
	const struct sites_input *input = find->input;
	struct sites_site *site = find->result->site;
	size_t count = find->result->count;
	for (size_t i = 0, next; i < count; i = next) {
		const struct sites_text *text =
			text_of(input, site[i].patch.site);
		ptrdiff_t start = start_of(input, text, site[i].patch.site);
		next = i + 1;
		if (start < 0)
			continue;
		frame(input, text, (size_t)start, &find->code);
		while (next < count &&
		       offset_of(find, &site[next]) < find->code.size)
			next++;
		enum sites_error error =
			in_function(find, text, start, site + i, next - i);
		if (error)
			return error;
	}
	return SITES_OK;
}

enum sites_error sites_find(const struct sites_input *input,
                            struct sites_result *result)
{
	struct finder find = { .input = input, .result = result };
	enum sites_error error = SITES_NO_MEMORY;
	memset(result, 0, sizeof(*result));
	ZydisDecoderInit(&find.full, ZYDIS_MACHINE_MODE_LONG_64,
	                 ZYDIS_STACK_WIDTH_64);
	find.quick = find.full;
	ZydisDecoderEnableMode(&find.quick, ZYDIS_DECODER_MODE_MINIMAL,
	                       ZYAN_TRUE);
	if (scan(&find)) {
		error = SITES_OK;
		if (find.pairs.count)
			error = records(&find) ? in_functions(&find)
			                       : SITES_NO_MEMORY;
	}
	if (error)
		sites_free(result);
	free(find.pairs.item);
	free(find.targets.item);
	free(find.filter);
	free(find.code.mark);
	free(find.neighbour.mark);
	return error;
}

void sites_free(struct sites_result *result)
{
	free(result->site);
	memset(result, 0, sizeof(*result));
}

const char *sites_verdict_name(enum sites_verdict verdict)
{
	static const char *const name[SITES_VERDICTS] = {
		[SITES_BACKWARD] = "patched, with the instructions before it",
		[SITES_FORWARD] = "patched, with the instructions behind it",
		[SITES_MIXED] = "patched, with the instructions around it",
		[SITES_EXACT] = "patched, with the padding behind it",
		[SITES_NO_ROOM] = "left to the net: no room for a jump",
		[SITES_FLAGS_LIVE] = "left to the net: the flags are read",
		[SITES_UNPROVEN] = "left to the net: not proven",
		[SITES_INSIDE] = "no site: inside another instruction",
	};
	if (verdict < SITES_BACKWARD || verdict >= SITES_VERDICTS)
		return "unknown";
	return name[verdict];
}
