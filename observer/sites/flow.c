#include "observer/sites/flow.h"

#include <stdlib.h>

enum {
	WALKS = 8,    /* over a function, for all its sites together */
	WORD = 8,     /* bytes of a push */
	NOWHERE = -1, /* a depth: not reached yet */
};

struct walk {
	const struct code *code;
	const struct sites_text *text;
	const ZydisDecoder *decoder;
	int32_t *depth; /* of the stack, by offset */
	size_t *open;   /* reached, and to be looked at */
	size_t count;
	int balanced; /* the depth is known, and each return's is 0 */
};

static int decode(const struct walk *walk, size_t at,
                  ZydisDecodedInstruction *head,
                  ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT])
{
	return ZYAN_SUCCESS(
		ZydisDecoderDecodeFull(walk->decoder, walk->code->bytes + at,
	                               walk->code->size - at, head, operand));
}

/* 0 when flow leaves the function, or goes into an instruction. */
static int reach(struct walk *walk, size_t at, int32_t depth)
{
	const struct code *code = walk->code;

	if (at >= code->decoded || !(code->mark[at] & CODE_BOUNDARY))
		return 0;
	if (walk->depth[at] == NOWHERE) {
		walk->depth[at] = depth;
		walk->open[walk->count++] = at;
	} else if (walk->depth[at] != depth) {
		walk->balanced = 0;
	}
	return 1;
}

static int writes_stack_pointer(const ZydisDecodedInstruction *head,
                                const ZydisDecodedOperand *operand)
{
	for (int i = 0; i < head->operand_count; i++)
		if (operand[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    operand[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
		                                     operand[i].reg.value) ==
		            ZYDIS_REGISTER_RSP)
			return 1;
	return 0;
}

/* The depth behind an instruction. */
static int32_t deepen(struct walk *walk, const ZydisDecodedInstruction *head,
                      const ZydisDecodedOperand *operand, int32_t depth)
{
	const int by_constant = operand[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
	int64_t change = 0;

	if (!writes_stack_pointer(head, operand) ||
	    head->meta.category == ZYDIS_CATEGORY_CALL ||
	    head->meta.category == ZYDIS_CATEGORY_RET)
		return depth;
	if (head->mnemonic == ZYDIS_MNEMONIC_PUSH && head->operand_width == 64)
		change = WORD;
	else if (head->mnemonic == ZYDIS_MNEMONIC_POP &&
	         head->operand_width == 64 &&
	         operand[0].reg.value != ZYDIS_REGISTER_RSP)
		change = -WORD;
	else if (head->mnemonic == ZYDIS_MNEMONIC_SUB && by_constant)
		change = operand[1].imm.value.s;
	else if (head->mnemonic == ZYDIS_MNEMONIC_ADD && by_constant)
		change = -operand[1].imm.value.s;
	else
		walk->balanced = 0;
	change += depth;
	if (change < 0 || change > INT32_MAX) {
		walk->balanced = 0;
		return depth;
	}
	return (int32_t)change;
}

/* A call of what stops at once does not return: abort() of the stack check. */
static int returns(const struct walk *walk, const ZydisDecodedInstruction *head,
                   uint64_t to)
{
	const struct sites_text *text = walk->text;
	ZydisDecodedInstruction first;
	size_t at = to - text->address;

	if (!code_relative(head) || at >= text->size ||
	    ZYAN_FAILED(ZydisDecoderDecodeInstruction(walk->decoder, NULL,
	                                              text->bytes + at,
	                                              text->size - at, &first)))
		return 1;
	return !code_stops(&first) ||
	       first.meta.category == ZYDIS_CATEGORY_RET ||
	       first.mnemonic == ZYDIS_MNEMONIC_JMP;
}

/* 0 when nobody knows where flow goes from here. */
static int step(struct walk *walk, size_t at)
{
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction head;
	int32_t depth;
	size_t next, to;

	if (!decode(walk, at, &head, operand))
		return 0;
	depth = deepen(walk, &head, operand, walk->depth[at]);
	next = at + head.length;
	to = next + (size_t)head.raw.imm[0].value.s;
	if (head.meta.category == ZYDIS_CATEGORY_CALL)
		return !returns(walk, &head, walk->code->address + to) ||
		       reach(walk, next, depth);
	if (code_relative(&head) && !reach(walk, to, depth))
		return 0;
	if (!code_stops(&head))
		return reach(walk, next, depth);
	if (head.mnemonic == ZYDIS_MNEMONIC_RET && depth != 0)
		walk->balanced = 0;
	return head.mnemonic != ZYDIS_MNEMONIC_JMP || code_relative(&head);
}

static int walk_from(struct walk *walk, size_t entry)
{
	walk->count = 0;
	walk->balanced = 1;
	for (size_t at = 0; at < walk->code->decoded; at++)
		walk->depth[at] = NOWHERE;
	if (!reach(walk, entry, 0))
		return 0;
	while (walk->count)
		if (!step(walk, walk->open[--walk->count]))
			return 0;
	return 1;
}

/*
 * The nearest instruction before the site that saves a register and that only a
 * branch can lead to: behind a jump or a return, and padding.
 */
static size_t prologue(const struct walk *walk, size_t site)
{
	const struct code *code = walk->code;
	size_t found = 0;

	for (size_t at = 0, stopped = 0; at < site; at++) {
		ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
		ZydisDecodedInstruction head;

		if (!(code->mark[at] & CODE_BOUNDARY) ||
		    !decode(walk, at, &head, operand))
			continue;
		if (stopped && head.mnemonic == ZYDIS_MNEMONIC_PUSH &&
		    operand[0].type == ZYDIS_OPERAND_TYPE_REGISTER)
			found = at;
		stopped = code->mark[at] & CODE_STOP ||
		          (stopped && head.mnemonic == ZYDIS_MNEMONIC_NOP);
	}
	return found;
}

/*
 * An entry that nothing names is one if the stack is, at each return, as it was
 * there.  What runs on a deeper stack than at the entry is this function's
 * alone: no other code has made that frame.
 */
static int is_direct(struct walk *walk, size_t site)
{
	size_t entry;

	if (walk_from(walk, 0) && walk->depth[site] != NOWHERE)
		return 1;
	entry = prologue(walk, site);
	return entry && walk_from(walk, entry) && walk->balanced &&
	       walk->depth[site] > 0;
}

int flow_is_direct(struct code *code, const struct sites_text *text,
                   const ZydisDecoder *decoder, size_t site)
{
	struct walk walk = { .code = code, .text = text, .decoder = decoder };
	int direct = 0;

	if (code->walks == WALKS)
		return 0;
	code->walks++;
	walk.depth = malloc(code->decoded * sizeof(*walk.depth));
	walk.open = malloc(code->count * sizeof(*walk.open));
	if (walk.depth && walk.open)
		direct = is_direct(&walk, site);
	free(walk.depth);
	free(walk.open);
	return direct;
}
