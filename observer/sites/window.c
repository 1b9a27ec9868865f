#include "observer/sites/window.h"

#include <string.h>

enum {
	SYSCALL = 2,       /* bytes of the instruction */
	NUMBER_REACH = 32, /* instructions between number and syscall */
	FLAGS_REACH = 64,  /* instructions until the flags are overwritten */
};

#define FLAGS                                                                  \
	(ZYDIS_CPUFLAG_CF | ZYDIS_CPUFLAG_PF | ZYDIS_CPUFLAG_AF |              \
	 ZYDIS_CPUFLAG_ZF | ZYDIS_CPUFLAG_SF | ZYDIS_CPUFLAG_OF)

struct instruction {
	ZydisDecodedInstruction head;
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
};

static int decode(const ZydisDecoder *decoder, const uint8_t *bytes,
                  size_t size, struct instruction *out)
{
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, bytes, size,
	                                           &out->head, out->operand));
}

static ZydisRegister widest(ZydisRegister reg)
{
	return ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
	                                        reg);
}

static int is_address_of(const ZydisDecodedOperand *operand, ZydisRegister reg)
{
	return operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
	       (widest(operand->mem.base) == reg ||
	        widest(operand->mem.index) == reg);
}

static int touches(const struct instruction *it, ZydisRegister reg,
                   ZydisOperandActions how)
{
	for (int i = 0; i < it->head.operand_count; i++) {
		const ZydisDecodedOperand *operand = &it->operand[i];
		if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    (operand->actions & how) &&
		    widest(operand->reg.value) == reg)
			return 1;
		if (how == ZYDIS_OPERAND_ACTION_MASK_READ &&
		    is_address_of(operand, reg))
			return 1;
	}
	return 0;
}

/* mov $n,%eax; mov $n,%rax; xor %eax,%eax; anything else is PATCH_ANY. */
static int32_t constant(const struct instruction *it)
{
	const ZydisDecodedOperand *to = &it->operand[0];
	const ZydisDecodedOperand *from = &it->operand[1];
	if (to->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    (to->reg.value != ZYDIS_REGISTER_EAX &&
	     to->reg.value != ZYDIS_REGISTER_RAX))
		return PATCH_ANY;
	if (it->head.mnemonic == ZYDIS_MNEMONIC_MOV &&
	    from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
	    from->imm.value.u <= INT32_MAX)
		return (int32_t)from->imm.value.u;
	if (it->head.mnemonic == ZYDIS_MNEMONIC_XOR &&
	    from->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    from->reg.value == to->reg.value)
		return 0;
	return PATCH_ANY;
}

static int any_mark(const struct code *code, size_t from, size_t to,
                    uint8_t mark)
{
	for (size_t at = from; at < to; at++)
		if (code->mark[at] & mark)
			return 1;
	return 0;
}

static int indirect(const struct code *code, size_t site)
{
	return code->indirect && !(code->mark[site] & CODE_DIRECT);
}

/*
 * A jump table can lead anywhere in its function.  But a compiler puts no
 * label between an asm statement and the loading of its operands (the number
 * first of all), except where it merges tails, and then direct jumps lead
 * there.
 */
static int loads_argument(const struct instruction *it)
{
	const ZydisDecodedOperand *to = &it->operand[0];
	if (it->head.operand_count == 0 ||
	    to->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    to->visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT ||
	    !(to->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
		return 0;
	switch (widest(to->reg.value)) {
	case ZYDIS_REGISTER_RAX:
	case ZYDIS_REGISTER_RDI:
	case ZYDIS_REGISTER_RSI:
	case ZYDIS_REGISTER_RDX:
	case ZYDIS_REGISTER_R10:
	case ZYDIS_REGISTER_R8:
	case ZYDIS_REGISTER_R9:
		return 1;
	default:
		return 0;
	}
}

/*
 * The instruction that runs before the one at `at`, whatever happens; its
 * offset, or `at` when there is none.
 */
static size_t step_back(const struct code *code, const ZydisDecoder *decoder,
                        size_t at, struct instruction *it)
{
	size_t before = code_previous(code, at);
	if (before == at || any_mark(code, before + 1, at + 1, CODE_TARGET) ||
	    code->mark[before] & CODE_STOP ||
	    !decode(decoder, code->bytes + before, at - before, it))
		return at;
	return before;
}

/* In rax, though the decoder does not say so of a syscall. */
static int leaves_result(const struct instruction *it)
{
	switch (it->head.meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_INTERRUPT:
		return 1;
	default:
		return 0;
	}
}

/* The instruction that loads eax; `site` and PATCH_ANY when not a constant. */
static size_t number_at(const struct code *code, const ZydisDecoder *decoder,
                        size_t site, int32_t *number)
{
	size_t at = site;
	*number = PATCH_ANY;
	for (int i = 0; i < NUMBER_REACH; i++) {
		struct instruction it;
		size_t before = step_back(code, decoder, at, &it);
		if (before == at || leaves_result(&it))
			return site;
		at = before;
		if (!touches(&it, ZYDIS_REGISTER_RAX,
		             ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		*number = constant(&it);
		return *number == PATCH_ANY ? site : at;
	}
	return site;
}

int32_t window_number(const struct code *code, const ZydisDecoder *decoder,
                      size_t site)
{
	int32_t number;
	number_at(code, decoder, site, &number);
	return number;
}

/*
 * The flags that `it` certainly overwrites.  A shift by a count of zero and a
 * repeated comparison of nothing leave them as they were.
 */
static ZydisAccessedFlagsMask overwrites(const ZydisDecodedInstruction *head)
{
	const ZydisInstructionAttributes repeated = ZYDIS_ATTRIB_HAS_REP |
	                                            ZYDIS_ATTRIB_HAS_REPE |
	                                            ZYDIS_ATTRIB_HAS_REPNE;
	const ZydisAccessedFlags *flags = head->cpu_flags;
	if (!flags || head->meta.category == ZYDIS_CATEGORY_SHIFT ||
	    head->meta.category == ZYDIS_CATEGORY_ROTATE ||
	    head->attributes & repeated)
		return 0;
	return flags->modified | flags->set_0 | flags->set_1 | flags->undefined;
}

/* A call or a return ends the life of the flags: no ABI passes them on. */
static int ends_flags(const ZydisDecodedInstruction *head)
{
	return head->meta.category == ZYDIS_CATEGORY_CALL ||
	       (code_stops(head) && head->mnemonic != ZYDIS_MNEMONIC_JMP);
}

struct flags_walk {
	const struct sites_text *text;
	const ZydisDecoder *decoder;
	int budget; /* instructions, over all paths */
};

static int flags_dead(struct flags_walk *walk, uint64_t address,
                      ZydisAccessedFlagsMask live)
{
	const struct sites_text *text = walk->text;
	uint64_t been = 0; /* the last jump's target, and what lived then */
	ZydisAccessedFlagsMask lived = 0;
	while (live && walk->budget-- > 0) {
		ZydisDecodedInstruction head;
		size_t at = address - text->address;
		if (at >= text->size ||
		    ZYAN_FAILED(ZydisDecoderDecodeInstruction(
			    walk->decoder, NULL, text->bytes + at,
			    text->size - at, &head)))
			return 0;
		if (ends_flags(&head))
			return 1;
		if (head.cpu_flags && head.cpu_flags->tested & live)
			return 0;
		live &= ~overwrites(&head);
		address += head.length;
		if (!code_relative(&head)) {
			/* a jump to nobody knows where */
			if (head.mnemonic == ZYDIS_MNEMONIC_JMP)
				return 0;
			continue;
		}
		uint64_t to = address + (uint64_t)head.raw.imm[0].value.s;
		if (head.mnemonic != ZYDIS_MNEMONIC_JMP) {
			if (!flags_dead(walk, to, live))
				return 0;
			continue;
		}
		/* once round a loop, and nothing was read */
		if (to == been && live == lived)
			return 1;
		been = address = to;
		lived = live;
	}
	return !live;
}

int window_flags_dead(const struct sites_text *text,
                      const ZydisDecoder *decoder, uint64_t address)
{
	struct flags_walk walk = { text, decoder, FLAGS_REACH };
	return flags_dead(&walk, address, FLAGS);
}

/* Runs at another address exactly as it runs at its own. */
static int movable(const struct instruction *it)
{
	if (it->head.attributes & ZYDIS_ATTRIB_IS_RELATIVE)
		return 0;
	if (it->head.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED)
		return 0;
	switch (it->head.meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_IO:
	case ZYDIS_CATEGORY_IOSTRINGOP:
		return 0;
	default:
		return !code_stops(&it->head);
	}
}

/* Behind the syscall rcx and r11 hold rip and the flags: not in the stub. */
static int movable_behind(const struct instruction *it)
{
	return movable(it) &&
	       !touches(it, ZYDIS_REGISTER_RCX,
	                ZYDIS_OPERAND_ACTION_MASK_READ) &&
	       !touches(it, ZYDIS_REGISTER_R11, ZYDIS_OPERAND_ACTION_MASK_READ);
}

/* Bytes in front of the syscall that can be moved: as few as make the room. */
static size_t room_before(const struct code *code, const ZydisDecoder *decoder,
                          size_t site)
{
	int32_t number;
	size_t at = site;
	size_t loaded = 0; /* no jump table leads behind this */
	if (indirect(code, site))
		loaded = number_at(code, decoder, site, &number);
	while (site - at + SYSCALL < PATCH_JUMP) {
		struct instruction it;
		size_t before = step_back(code, decoder, at, &it);
		if (before == at || any_mark(code, before, at, CODE_TAKEN) ||
		    !movable(&it) || (before < loaded && !loads_argument(&it)))
			break;
		at = before;
	}
	return site - at;
}

static int is_padding(const struct instruction *it)
{
	return it->head.mnemonic == ZYDIS_MNEMONIC_NOP ||
	       it->head.mnemonic == ZYDIS_MNEMONIC_INT3;
}

/*
 * Bytes behind it.  A `ret` can be moved when only padding stands behind it:
 * then the rest of the window never runs, and *ends says so.
 */
static size_t room_behind(const struct code *code, const ZydisDecoder *decoder,
                          size_t site, int *ends)
{
	size_t at = site + SYSCALL;
	*ends = 0;
	if (indirect(code, site))
		return 0;
	while (at - site < PATCH_JUMP && at < code->decoded) {
		struct instruction it;
		if (!decode(decoder, code->bytes + at, code->decoded - at, &it))
			break;
		size_t next = at + it.head.length;
		if (any_mark(code, at, next, CODE_TARGET | CODE_TAKEN))
			break;
		if (*ends ? !is_padding(&it) : !movable_behind(&it)) {
			if (*ends || it.head.mnemonic != ZYDIS_MNEMONIC_RET)
				break;
			*ends = 1;
		}
		at = next;
	}
	/* a window must not end between the ret and enough padding */
	if (at - site < PATCH_JUMP && *ends)
		return 0;
	return at - site - SYSCALL;
}

enum sites_verdict window_choose(const struct code *code,
                                 const ZydisDecoder *decoder, size_t site,
                                 struct trace_patch *patch)
{
	const size_t missing = PATCH_JUMP - SYSCALL;
	patch->before = patch->after = 0;
	/* a jump into the middle of the syscall itself */
	if (any_mark(code, site + 1, site + SYSCALL, CODE_TARGET))
		return SITES_NO_ROOM;
	size_t before = room_before(code, decoder, site);
	if (before >= missing) {
		patch->before = (uint8_t)before;
		return SITES_BACKWARD;
	}
	int ends;
	size_t after = room_behind(code, decoder, site, &ends);
	if (before + after < missing)
		return SITES_NO_ROOM;
	patch->after = (uint8_t)after;
	if (after >= missing)
		return ends ? SITES_EXACT : SITES_FORWARD;
	patch->before = (uint8_t)before;
	return SITES_MIXED;
}

int window_take(struct code *code, size_t site, struct trace_patch *patch)
{
	const uint8_t *bytes = code->bytes + site;
	size_t start = site - patch->before;
	size_t end = site + SYSCALL + patch->after;
	if (any_mark(code, start, end, CODE_TAKEN))
		return 0;
	for (size_t at = start; at < end; at++)
		code->mark[at] |= CODE_TAKEN;
	memcpy(patch->code, bytes - patch->before, patch->before);
	memcpy(patch->code + patch->before, bytes + SYSCALL, patch->after);
	return 1;
}
