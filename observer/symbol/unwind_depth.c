/*
 * unwind_depth - a frame by the function's own code.
 *
 * From the function's start its instructions are followed along the branches,
 * and with them how far the stack pointer is below the caller's, whether rbp
 * is a frame pointer, and where registers were saved.  Where two paths meet
 * with different answers there is none.  What follows a call is believed less
 * than what a branch leads to: the callee may not return.
 */
#include "observer/symbol/unwind_internal.h"

#include <stdlib.h>

#define INSTRUCTIONS_MAX 8192u
#define STEPS_MAX        (4 * INSTRUCTIONS_MAX)
#define SLOTS            (2 * INSTRUCTIONS_MAX) /* a power of two */
#define KNOWN            4096u                  /* a power of two */
#define STARTS_TRIED     8u
#define CASES_MAX        1024u /* of a jump table */

/* The answer for one place in the code. */
struct known {
	const struct module *module;
	uint64_t ip;
	int exact;
	struct depth depth;
};

/* An instruction, and what is true before it. */
struct place_in_code {
	uint64_t address; /* 0: free */
	struct depth depth;
	int behind_call; /* reached over a call only */
	int pending;
};

struct depths {
	ZydisDecoder decoder;
	struct known known[KNOWN];
	/* of the function that is followed now */
	struct place_in_code slot[SLOTS];
	uint32_t used[INSTRUCTIONS_MAX], stack[INSTRUCTIONS_MAX];
	size_t used_count, stack_count;
	int too_long;
	struct module *module;
	uint64_t start;
	uint64_t table; /* the last address of data that was taken */
};

struct depths *depths_new(void)
{
	struct depths *depths = calloc(1, sizeof(*depths));

	if (depths)
		ZydisDecoderInit(&depths->decoder, ZYDIS_MACHINE_MODE_LONG_64,
		                 ZYDIS_STACK_WIDTH_64);
	return depths;
}

void depths_free(struct depths *depths)
{
	free(depths);
}

void depths_forget(struct depths *depths)
{
	memset(depths->known, 0, sizeof(depths->known));
}

static uint64_t hash(uint64_t value)
{
	return (value * 0x9e3779b97f4a7c15u) >> 32;
}

static struct place_in_code *slot_of(struct depths *depths, uint64_t address)
{
	uint64_t at = hash(address);

	while (depths->slot[at % SLOTS].address &&
	       depths->slot[at % SLOTS].address != address)
		at++;
	return depths->slot + at % SLOTS;
}

/* What holds on both paths; 1 when `into` changed. */
static int meet(struct depth *into, const struct depth *other)
{
	int changed = 0;

	if (into->sp != other->sp && into->sp != DEPTH_NONE)
		changed = 1, into->sp = DEPTH_NONE;
	if (into->bp != other->bp && into->bp != DEPTH_NONE)
		changed = 1, into->bp = DEPTH_NONE;
	for (int i = 0; i < SAVED; i++)
		if (into->saved[i] != other->saved[i] &&
		    into->saved[i] != DEPTH_LOST)
			changed = 1, into->saved[i] = DEPTH_LOST;
	return changed;
}

static void reach(struct depths *depths, uint64_t address,
                  const struct depth *depth, int behind_call)
{
	struct place_in_code *place = slot_of(depths, address);
	int changed;

	if (!place->address) {
		if (depths->used_count == INSTRUCTIONS_MAX) {
			depths->too_long = 1;
			return;
		}
		depths->used[depths->used_count++] =
			(uint32_t)(place - depths->slot);
		*place = (struct place_in_code){
			.address = address,
			.depth = *depth,
			.behind_call = behind_call,
		};
		changed = 1;
	} else if (place->behind_call == behind_call) {
		changed = meet(&place->depth, depth);
	} else if (place->behind_call) {
		changed = 1;
		place->depth = *depth;
		place->behind_call = 0;
	} else {
		changed = 0;
	}
	if (!changed || place->pending)
		return;
	place->pending = 1;
	depths->stack[depths->stack_count++] = (uint32_t)(place - depths->slot);
}

static int saved_of(ZydisRegister reg)
{
	switch (reg) {
	case ZYDIS_REGISTER_RBX:
		return SAVED_BX;
	case ZYDIS_REGISTER_RBP:
		return SAVED_BP;
	case ZYDIS_REGISTER_R12:
		return SAVED_R12;
	case ZYDIS_REGISTER_R13:
		return SAVED_R13;
	case ZYDIS_REGISTER_R14:
		return SAVED_R14;
	case ZYDIS_REGISTER_R15:
		return SAVED_R15;
	default:
		return SAVED;
	}
}

static int is_register(const ZydisDecodedOperand *operand, ZydisRegister reg)
{
	return operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       operand->reg.value == reg;
}

static int32_t plus(int32_t depth, int64_t add)
{
	int64_t sum = depth + add;

	if (depth == DEPTH_NONE || sum > (1 << 30) || sum < -(1 << 30))
		return DEPTH_NONE;
	return (int32_t)sum;
}

/* The place that a memory operand on rsp or rbp means. */
static int32_t place_of(const struct depth *depth,
                        const ZydisDecodedOperand *operand)
{
	int32_t base = DEPTH_NONE;

	if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY ||
	    operand->mem.index != ZYDIS_REGISTER_NONE)
		return DEPTH_NONE;
	if (operand->mem.base == ZYDIS_REGISTER_RSP)
		base = depth->sp;
	if (operand->mem.base == ZYDIS_REGISTER_RBP)
		base = depth->bp;
	return plus(base, -operand->mem.disp.value);
}

static void save(struct depth *depth, const ZydisDecodedOperand *operand,
                 int32_t place)
{
	int saved = SAVED;

	if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER)
		saved = saved_of(operand->reg.value);
	if (saved != SAVED && depth->saved[saved] == DEPTH_NONE)
		depth->saved[saved] = place;
}

/* `place` is read into a register: back to what the caller had? */
static void restore(struct depth *depth, const ZydisDecodedOperand *operand,
                    int32_t place)
{
	int saved = SAVED;

	if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER)
		saved = saved_of(operand->reg.value);
	if (saved != SAVED && depth->saved[saved] == place)
		depth->saved[saved] = DEPTH_NONE;
	if (saved == SAVED_BP)
		depth->bp = DEPTH_NONE;
}

/* Any other instruction: what it writes is not known any more. */
static void other(struct depth *depth, const ZydisDecodedInstruction *head,
                  const ZydisDecodedOperand *operand)
{
	for (unsigned i = 0; i < head->operand_count; i++) {
		if (operand[i].type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    !(operand[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		ZydisRegister whole = ZydisRegisterGetLargestEnclosing(
			ZYDIS_MACHINE_MODE_LONG_64, operand[i].reg.value);
		if (whole == ZYDIS_REGISTER_RSP)
			depth->sp = DEPTH_NONE;
		if (whole == ZYDIS_REGISTER_RBP)
			depth->bp = DEPTH_NONE;
	}
}

static void move(struct depth *depth, const ZydisDecodedInstruction *head,
                 const ZydisDecodedOperand *operand)
{
	if (is_register(operand, ZYDIS_REGISTER_RBP) &&
	    is_register(operand + 1, ZYDIS_REGISTER_RSP))
		depth->bp = depth->sp;
	else if (is_register(operand, ZYDIS_REGISTER_RSP) &&
	         is_register(operand + 1, ZYDIS_REGISTER_RBP))
		depth->sp = depth->bp;
	else if (operand[0].type == ZYDIS_OPERAND_TYPE_MEMORY)
		save(depth, operand + 1, place_of(depth, operand));
	else if (place_of(depth, operand + 1) != DEPTH_NONE &&
	         !is_register(operand, ZYDIS_REGISTER_RSP))
		restore(depth, operand, place_of(depth, operand + 1));
	else
		other(depth, head, operand);
}

/* What the instruction does to the stack, to rbp and to what is saved. */
static void apply(struct depth *depth, const ZydisDecodedInstruction *head,
                  const ZydisDecodedOperand *operand)
{
	int64_t sign = 1;

	switch (head->mnemonic) {
	case ZYDIS_MNEMONIC_CALL: /* and back */
		return;
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_PUSHFQ:
		depth->sp = plus(depth->sp, head->operand_width / 8);
		if (head->mnemonic == ZYDIS_MNEMONIC_PUSH)
			save(depth, operand, depth->sp);
		return;
	case ZYDIS_MNEMONIC_POP:
		if (is_register(operand, ZYDIS_REGISTER_RSP))
			break;
		restore(depth, operand, depth->sp);
		depth->sp = plus(depth->sp, -(head->operand_width / 8));
		return;
	case ZYDIS_MNEMONIC_POPFQ:
		depth->sp = plus(depth->sp, -8);
		return;
	case ZYDIS_MNEMONIC_LEAVE:
		depth->saved[SAVED_BP] = DEPTH_NONE;
		depth->sp = plus(depth->bp, -8);
		depth->bp = DEPTH_NONE;
		return;
	case ZYDIS_MNEMONIC_SUB:
		sign = -1;
		/* fallthrough */
	case ZYDIS_MNEMONIC_ADD:
		if (operand[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
			break;
		if (is_register(operand, ZYDIS_REGISTER_RSP))
			depth->sp =
				plus(depth->sp, -sign * operand[1].imm.value.s);
		else if (is_register(operand, ZYDIS_REGISTER_RBP))
			depth->bp =
				plus(depth->bp, -sign * operand[1].imm.value.s);
		else
			break;
		return;
	case ZYDIS_MNEMONIC_LEA:
		if (is_register(operand, ZYDIS_REGISTER_RSP))
			depth->sp = place_of(depth, operand + 1);
		else if (is_register(operand, ZYDIS_REGISTER_RBP))
			depth->bp = place_of(depth, operand + 1);
		return;
	case ZYDIS_MNEMONIC_MOV:
		move(depth, head, operand);
		return;
	default:
		break;
	}
	other(depth, head, operand);
}

static int stops(const ZydisDecodedInstruction *head)
{
	switch (head->mnemonic) {
	case ZYDIS_MNEMONIC_RET:
	case ZYDIS_MNEMONIC_JMP:
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_INT3:
		return 1;
	default:
		return 0;
	}
}

/*
 * A jump through a table, as compilers write it: the table's address was taken
 * shortly before, its entries are distances from it.  They end where one does
 * not lead into the function.
 */
static void follow_table(struct depths *depths, uint64_t from,
                         const struct depth *depth, int behind_call)
{
	struct span span = elf_at(depths->module->file, depths->table);

	if (!depths->table)
		return;
	for (unsigned i = 0; i < CASES_MAX && span.size >= 4; i++) {
		uint64_t to = depths->table +
		              (uint64_t)(int64_t)(int32_t)load32(span.at);
		if (to < depths->start || to - depths->start > 1u << 16 ||
		    to - from + (1u << 16) > 1u << 17 ||
		    !elf_executable(depths->module->file, to, to + 1))
			return;
		reach(depths, to, depth, behind_call);
		span = span_from(span, 4);
	}
}

/* lea disp32(%rip) of something that is not code */
static void note_table(struct depths *depths,
                       const ZydisDecodedInstruction *head,
                       const ZydisDecodedOperand *operand, uint64_t next)
{
	if (head->mnemonic != ZYDIS_MNEMONIC_LEA ||
	    operand[1].mem.base != ZYDIS_REGISTER_RIP)
		return;
	uint64_t to = next + (uint64_t)operand[1].mem.disp.value;
	if (!elf_executable(depths->module->file, to, to + 1))
		depths->table = to;
}

static void follow(struct depths *depths, const struct place_in_code *place)
{
	struct span span = elf_at(depths->module->file, place->address);
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction head;
	struct depth depth = place->depth;
	int behind_call = place->behind_call;
	uint64_t next;

	if (!elf_executable(depths->module->file, place->address,
	                    place->address + 1) ||
	    ZYAN_FAILED(ZydisDecoderDecodeFull(&depths->decoder, span.at,
	                                       span.size, &head, operand)))
		return;
	next = place->address + head.length;
	apply(&depth, &head, operand);
	note_table(depths, &head, operand, next);
	if (head.mnemonic == ZYDIS_MNEMONIC_CALL)
		behind_call = 1;
	else if (head.raw.imm[0].is_relative)
		reach(depths, next + (uint64_t)head.raw.imm[0].value.s, &depth,
		      behind_call);
	else if (head.mnemonic == ZYDIS_MNEMONIC_JMP)
		follow_table(depths, next, &depth, behind_call);
	/* a call at a function's end does not come back */
	if (!stops(&head) &&
	    (depth.sp == 8 || !module_is_start(depths->module, next)))
		reach(depths, next, &depth, behind_call);
}

/* Follows the code from `start`. */
static void follow_function(struct depths *depths, struct module *module,
                            uint64_t start)
{
	struct depth depth = { .sp = 8, .bp = DEPTH_NONE };

	for (size_t i = 0; i < depths->used_count; i++)
		depths->slot[depths->used[i]].address = 0;
	depths->used_count = depths->stack_count = 0;
	depths->too_long = 0;
	depths->module = module;
	depths->start = start;
	depths->table = 0;
	for (int i = 0; i < SAVED; i++)
		depth.saved[i] = DEPTH_NONE;
	reach(depths, start, &depth, 0);
	for (unsigned i = 0; i < STEPS_MAX && depths->stack_count; i++) {
		struct place_in_code *place =
			depths->slot + depths->stack[--depths->stack_count];
		place->pending = 0;
		follow(depths, place);
	}
}

static int is_call(struct depths *depths, const struct place_in_code *place,
                   uint64_t end)
{
	struct span span = elf_at(depths->module->file, place->address);
	ZydisDecodedInstruction head;

	return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(
		       &depths->decoder, NULL, span.at, span.size, &head)) &&
	       head.mnemonic == ZYDIS_MNEMONIC_CALL &&
	       place->address + head.length == end;
}

/* What was true before the instruction at `ip`, or before the call that ends
 * there. */
static int look_up(struct depths *depths, uint64_t ip, int exact,
                   struct depth *depth)
{
	if (depths->stack_count || depths->too_long) /* not all of it */
		return 0;
	for (unsigned length = exact ? 0 : 2; length <= (exact ? 0 : 9);
	     length++) {
		const struct place_in_code *place =
			slot_of(depths, ip - length);
		if (!place->address || (!exact && !is_call(depths, place, ip)))
			continue;
		*depth = place->depth;
		return 1;
	}
	return 0;
}

/* Where the caller's stack pointer is, by rsp or else by rbp. */
static int caller_sp(struct walk *walk, const struct depth *depth, uint64_t *sp)
{
	*sp = walk->state.sp;
	if (depth->sp != DEPTH_NONE) {
		*sp += (uint64_t)(int64_t)depth->sp;
		return 1;
	}
	if (depth->bp == DEPTH_NONE ||
	    !walk_register(walk, walk->state.reg[SAVED_BP], sp))
		return 0;
	*sp += (uint64_t)(int64_t)depth->bp;
	return 1;
}

static int return_address(struct walk *walk, const struct depth *depth,
                          uint64_t *sp, uint64_t *address)
{
	return caller_sp(walk, depth, sp) && walk_is_up(walk, *sp) &&
	       walk_word(walk, *sp - 8, address) &&
	       (walk_after_call(walk, *address) ||
	        walk_is_restorer(walk, *address));
}

/* Go's table has each function; elsewhere a start is believed when it leads to
 * a return address. */
static int search(struct walk *walk, uint64_t ip, struct depth *depth)
{
	struct depths *depths = walk->unwind->depths;
	struct module *module = walk->module;
	uint64_t start[STARTS_TRIED], sp, address;
	uint64_t pc = walk->state.exact ? ip : ip - 1;
	int in_go = module_in_go(module, pc);

	for (int how = START_KNOWN; how < (in_go ? 1 : MODULE_STARTS); how++) {
		size_t count = module_starts(module, pc, how, start,
		                             in_go ? 1 : STARTS_TRIED);
		for (size_t i = 0; i < count; i++) {
			follow_function(depths, module, start[i]);
			if (look_up(depths, ip, walk->state.exact, depth) &&
			    (in_go ||
			     return_address(walk, depth, &sp, &address)))
				return 1;
		}
	}
	return 0;
}

int depth_find(struct walk *walk, struct depth *depth)
{
	uint64_t ip = walk->state.ip - walk->module->bias;
	struct known *known = walk->unwind->depths->known + hash(ip) % KNOWN;

	if (known->module == walk->module && known->ip == ip &&
	    known->exact == walk->state.exact) {
		*depth = known->depth;
		return 1;
	}
	if (!search(walk, ip, depth))
		return 0;
	known->module = walk->module;
	known->ip = ip;
	known->exact = walk->state.exact;
	known->depth = *depth;
	return 1;
}

int depth_step(struct walk *walk)
{
	struct state next = walk->state;
	struct depth depth;

	if (!depth_find(walk, &depth) ||
	    !return_address(walk, &depth, &next.sp, &next.ip))
		return 0;
	next.exact = 0;
	for (int i = 0; i < SAVED; i++)
		if (depth.saved[i] == DEPTH_LOST)
			next.reg[i].kind = PLACE_UNKNOWN;
		else if (depth.saved[i] != DEPTH_NONE)
			next.reg[i] = (struct place){
				PLACE_STACK,
				next.sp - (uint64_t)(int64_t)depth.saved[i]
			};
	walk->state = next;
	return 1;
}
