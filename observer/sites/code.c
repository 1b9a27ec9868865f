#include "observer/sites/code.h"

#include "observer/sites/scan.h"
#include "observer/sites/step.h"

#include <stdlib.h>
#include <string.h>

enum {
	LONGEST = 15, /* bytes of any instruction */
	PUSH = 0x50,  /* opcodes, with a register in their last bits */
	POP = 0x58,
	SAVED = 8, /* registers that a function saves at most */
};

int code_stops(const ZydisDecodedInstruction *head)
{
	switch (head->mnemonic) {
	case ZYDIS_MNEMONIC_JMP:
	case ZYDIS_MNEMONIC_RET:
	case ZYDIS_MNEMONIC_IRET:
	case ZYDIS_MNEMONIC_IRETD:
	case ZYDIS_MNEMONIC_IRETQ:
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_INT3:
		return 1;
	default:
		return 0;
	}
}

int code_relative(const ZydisDecodedInstruction *head)
{
	return head->raw.imm[0].is_relative;
}

static int marks_ready(struct code *code)
{
	if (code->size > code->capacity) {
		uint8_t *mark = realloc(code->mark, code->size);
		if (!mark)
			return 0;
		code->mark = mark;
		code->capacity = code->size;
	}
	memset(code->mark, 0, code->size);
	return 1;
}

/* A long branch to where an instruction certainly begins: data has none. */
static int is_evidence(const struct code *code, const ZydisDecoder *decoder,
                       size_t at)
{
	uint64_t to = code_branch(code, decoder, at);
	if (!to)
		return 0;
	size_t offset = to - code->address;
	if (offset < code->decoded)
		return (code->mark[offset] & (CODE_BOUNDARY | CODE_DARK)) ==
		       CODE_BOUNDARY;
	size_t i = scan_find(code->starts, code->start_count, to);
	return i < code->start_count && code->starts[i] == to;
}

/* push or pop of a register: its number, or -1. */
static int stacked(const ZydisDecodedInstruction *head, uint8_t opcode)
{
	if (head->opcode_map != ZYDIS_OPCODE_MAP_DEFAULT ||
	    (head->opcode & 0xf8) != opcode)
		return -1;
	return (head->opcode & 7) + 8 * head->raw.rex.B;
}

/*
 * A run that saves registers, and before it returns takes the same ones back in
 * the reverse order: nor has data that.
 */
static int keeps_registers(const struct code *code, const ZydisDecoder *decoder,
                           size_t from, size_t to)
{
	int saved[SAVED], depth = 0, restored = 0;
	ZydisDecodedInstruction head;

	for (size_t at = from; at < to; at += head.length) {
		if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(
			    decoder, NULL, code->bytes + at, code->size - at,
			    &head)))
			return 0;
		if (stacked(&head, PUSH) >= 0) {
			if (restored || depth == SAVED)
				return 0;
			saved[depth++] = stacked(&head, PUSH);
		} else if (stacked(&head, POP) >= 0) {
			if (!depth || saved[--depth] != stacked(&head, POP))
				return 0;
			restored++;
		}
	}
	return head.mnemonic == ZYDIS_MNEMONIC_RET && depth == 0 &&
	       restored > 1;
}

static int has_evidence(const struct code *code, const ZydisDecoder *decoder,
                        size_t from, size_t to)
{
	for (size_t at = from; at < to; at++)
		if (code->mark[at] & CODE_LONG &&
		    is_evidence(code, decoder, at))
			return 1;
	return keeps_registers(code, decoder, from, to);
}

static void lighten(struct code *code, const ZydisDecoder *decoder, size_t from,
                    size_t to)
{
	while (from < to && !(code->mark[from] & CODE_BOUNDARY))
		from++;
	if (!(code->mark[from] & CODE_DARK) ||
	    !has_evidence(code, decoder, from, to))
		return;
	for (; from < to; from++)
		code->mark[from] &= (uint8_t)~CODE_DARK;
}

static void decode_to(struct code *code, const ZydisDecoder *decoder,
                      size_t limit)
{
	size_t at = code->decoded;
	struct step step;
	while (at < limit &&
	       step_decode(decoder, code->bytes + at, code->size - at, &step)) {
		code->count++;
		code->mark[at] |= CODE_BOUNDARY | (step.stops ? CODE_STOP : 0);
		size_t next = at + step.length;
		if (step.relative) {
			if (step.length > 4)
				code->mark[at] |= CODE_LONG;
			size_t to = next + (size_t)step.distance;
			if (to < code->size)
				code->mark[to] |= CODE_TARGET;
		}
		code->indirect |= step.indirect;
		at = next;
	}
	code->decoded = at;
}

int code_decode(struct code *code, const ZydisDecoder *decoder, size_t limit)
{
	if (!marks_ready(code))
		return 0;
	code->decoded = 0;
	code->count = 0;
	code->indirect = 0;
	code->walks = 0;
	decode_to(code, decoder, limit < code->size ? limit : code->size);
	return 1;
}

void code_decode_rest(struct code *code, const ZydisDecoder *decoder)
{
	decode_to(code, decoder, code->size);
}

/*
 * A jump over a lock prefix goes into an instruction; so does one that was
 * decoded out of data.  Until the two readings meet, neither is the truth.
 */
static void mark_ambiguous(struct code *code, const ZydisDecoder *decoder,
                           size_t target)
{
	size_t at = target;
	while (at < code->decoded && !(code->mark[at] & CODE_BOUNDARY)) {
		ZydisDecodedInstruction head;
		size_t length = LONGEST;
		int bad = ZYAN_FAILED(ZydisDecoderDecodeInstruction(
			decoder, NULL, code->bytes + at, code->size - at,
			&head));
		if (!bad)
			length = head.length;
		for (size_t i = 0; i < length && at + i < code->size; i++)
			code->mark[at + i] |= CODE_TAKEN;
		if (bad)
			return;
		at += length;
	}
}

/*
 * Code that follows a jump or a return is reached only by a branch.  When no
 * branch in sight goes there it may be the target of a jump table, or data:
 * then its own branches must show that it is code.
 */
static void trust_by_evidence(struct code *code, const ZydisDecoder *decoder)
{
	size_t run = 0;
	for (size_t at = 0; at < code->decoded; at++) {
		if (!(code->mark[at] & CODE_STOP))
			continue;
		lighten(code, decoder, run, at + 1);
		run = at + 1;
	}
}

void code_settle(struct code *code, const ZydisDecoder *decoder)
{
	int dark = 0, any_dark = 0;
	for (size_t at = 0; at < code->decoded; at++) {
		uint8_t mark = code->mark[at];
		/* most are neither, and this is a loop over each byte */
		if (!(mark & (CODE_TARGET | CODE_STOP)) && !dark)
			continue;
		if (!(mark & CODE_BOUNDARY)) {
			if (mark & CODE_TARGET && !(mark & CODE_TAKEN))
				mark_ambiguous(code, decoder, at);
			continue;
		}
		if (mark & CODE_TARGET)
			dark = 0;
		if (dark)
			code->mark[at] |= CODE_DARK;
		any_dark |= dark;
		if (mark & CODE_STOP)
			dark = 1;
	}
	if (any_dark)
		trust_by_evidence(code, decoder);
}

size_t code_previous(const struct code *code, size_t offset)
{
	for (size_t at = offset; at > 0 && offset - at <= LONGEST;)
		if (code->mark[--at] & CODE_BOUNDARY)
			return at;
	return offset;
}

uint64_t code_branch(const struct code *code, const ZydisDecoder *decoder,
                     size_t offset)
{
	ZydisDecodedInstruction head;
	size_t at = code_previous(code, offset + 1);
	if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(
		    decoder, NULL, code->bytes + at, code->size - at, &head)))
		return 0;
	if (!code_relative(&head))
		return 0;
	return code->address + at + head.length +
	       (uint64_t)head.raw.imm[0].value.s;
}
