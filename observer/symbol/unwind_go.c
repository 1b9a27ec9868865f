/*
 * unwind_go - a frame of Go.
 *
 * What Go's compiler makes keeps a frame pointer (since Go 1.7):
 *
 *     [rbp] the caller's rbp   [rbp + 8] the return address
 *
 * Functions in assembly may have no frame, and rbp is then still the caller's:
 * their own code tells (unwind_depth.c).  Those that change the stack leave
 * the copy; what follows is on the goroutine's own stack.  Where the copy has
 * that, too, the code behind the call tells how they go back.
 */
#include "observer/symbol/gocode.h"
#include "observer/symbol/unwind_internal.h"

#define STACK_HIGH 8  /* runtime.g: stack.hi */
#define WAY_BACK   96 /* bytes of code behind a call */

static int is_assembly(const struct symbol_place *place)
{
	size_t length = place->file ? strlen(place->file) : 0;

	return length > 2 && !strcmp(place->file + length - 2, ".s");
}

static int is_named(const struct symbol_place *place, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(place->function, name, length) &&
	       (!place->function[length] ||
	        !strcmp(place->function + length, ".abi0"));
}

static int changes_stack(const struct symbol_place *place)
{
	return is_named(place, "runtime.systemstack") ||
	       is_named(place, "runtime.mcall") ||
	       is_named(place, "runtime.morestack") ||
	       is_named(place, "runtime.asmcgocall");
}

/* What a register holds on the way back. */
struct value {
	enum {
		HOLDS_NOTHING, /* that is known */
		HOLDS_SAVED,   /* what C code has preserved: SAVED_... */
		HOLDS_WORD,
		HOLDS_TOP, /* of the goroutine's stack */
	} holds;
	uint64_t word;
};

struct way_back {
	struct walk *walk;
	struct gocode code;
	struct value reg[GOCODE_REGISTERS], *sp;
	struct place bp; /* the caller's */
};

static struct value in_register(const struct way_back *back, ZydisRegister name)
{
	int number = gocode_register(name);
	struct value value = { 0 };

	if (number >= 0)
		value = back->reg[number];
	if (value.holds == HOLDS_SAVED)
		value.holds = walk_register(back->walk,
		                            back->walk->state.reg[value.word],
		                            &value.word)
		                      ? HOLDS_WORD
		                      : HOLDS_NOTHING;
	return value;
}

static struct value on_stack(const struct way_back *back, int64_t offset)
{
	struct value value = { HOLDS_WORD, 0 };

	if (back->sp->holds != HOLDS_WORD ||
	    !walk_word(back->walk, back->sp->word + (uint64_t)offset,
	               &value.word))
		value.holds = HOLDS_NOTHING;
	return value;
}

/* What the instruction leaves in its first operand, a register.  A stack
 * pointer is kept as it was, or as its distance from g.stack.hi. */
static struct value result(const struct way_back *back)
{
	const ZydisDecodedOperand *to = &back->code.operand[0];
	const ZydisDecodedOperand *from = &back->code.operand[1];
	struct value from_stack = { 0 }, old;
	int is_memory = gocode_is_memory(&back->code, 1);

	if (is_memory && from->mem.base == ZYDIS_REGISTER_RSP)
		from_stack = on_stack(back, from->mem.disp.value);
	switch (back->code.head.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		if (from->type == ZYDIS_OPERAND_TYPE_REGISTER)
			return in_register(back, from->reg.value);
		if (is_memory && from->mem.base != ZYDIS_REGISTER_RSP &&
		    from->mem.disp.value == STACK_HIGH)
			from_stack.holds = HOLDS_TOP;
		return from_stack;
	case ZYDIS_MNEMONIC_SUB:
		old = in_register(back, to->reg.value);
		if (old.holds != HOLDS_TOP || from_stack.holds != HOLDS_WORD)
			break;
		from_stack.word =
			back->walk->stack->other.go_top - from_stack.word;
		return from_stack;
	case ZYDIS_MNEMONIC_ADD:
		old = in_register(back, to->reg.value);
		if (from->type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
			break;
		old.word += from->imm.value.u;
		return old;
	default:
		break;
	}
	return (struct value){ 0 };
}

/* The caller's rbp, or any other register, from the stack. */
static void restore(struct way_back *back, int64_t offset)
{
	if (back->sp->holds == HOLDS_WORD &&
	    gocode_is_register(&back->code, 0, ZYDIS_REGISTER_RBP))
		back->bp = (struct place){ PLACE_STACK,
			                   back->sp->word + (uint64_t)offset };
}

static void run_instruction(struct way_back *back)
{
	const ZydisDecodedOperand *to = &back->code.operand[0];
	const ZydisDecodedOperand *from = &back->code.operand[1];
	struct value value;

	if (back->code.head.mnemonic == ZYDIS_MNEMONIC_POP) {
		restore(back, 0);
		back->sp->word += 8;
		return;
	}
	if (back->code.head.mnemonic == ZYDIS_MNEMONIC_MOV &&
	    gocode_is_memory(&back->code, 1) &&
	    from->mem.base == ZYDIS_REGISTER_RSP)
		restore(back, from->mem.disp.value);
	if (to->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    (to->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)) {
		value = result(back);
		if (gocode_register(to->reg.value) >= 0)
			back->reg[gocode_register(to->reg.value)] = value;
	}
}

/* Runs the function over in our head from where the call returns to it. */
static int step_back(struct walk *walk)
{
	static const ZydisRegister saved[SAVED] = {
		[SAVED_BX] = ZYDIS_REGISTER_RBX,
		[SAVED_BP] = ZYDIS_REGISTER_RBP,
		[SAVED_R12] = ZYDIS_REGISTER_R12,
		[SAVED_R13] = ZYDIS_REGISTER_R13,
		[SAVED_R14] = ZYDIS_REGISTER_R14,
		[SAVED_R15] = ZYDIS_REGISTER_R15,
	};
	uint64_t ip = walk->state.ip - walk->module->bias;
	const uint64_t range[2] = { ip, ip + WAY_BACK };
	struct way_back back = { .walk = walk,
		                 .bp = walk->state.reg[SAVED_BP] };

	back.sp = back.reg + gocode_register(ZYDIS_REGISTER_RSP);
	*back.sp = (struct value){ HOLDS_WORD, walk->state.sp };
	for (unsigned i = 0; i < SAVED; i++)
		back.reg[gocode_register(saved[i])] =
			(struct value){ HOLDS_SAVED, i };
	gocode_open(&back.code, walk->module->file, range);
	while (gocode_next(&back.code)) {
		if (back.code.head.meta.category == ZYDIS_CATEGORY_RET)
			return back.sp->holds == HOLDS_WORD &&
			       walk_return(walk, back.sp->word, back.bp);
		if (back.code.head.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE)
			break;
		run_instruction(&back);
	}
	return 0;
}

static enum go_step step_assembly(struct walk *walk,
                                  const struct symbol_place *place)
{
	struct depth depth = { .sp = DEPTH_NONE };
	int known = depth_find(walk, &depth);
	int bare = known && depth.saved[SAVED_BP] == DEPTH_NONE;
	uint64_t end = walk->state.sp + (uint64_t)(int64_t)depth.sp;

	if (depth.sp == DEPTH_NONE) {
		if (!walk->state.exact && step_back(walk))
			return GO_STEP;
	} else if (bare ? walk_return(walk, end - 8, walk->state.reg[SAVED_BP])
	                : depth_step(walk)) {
		return GO_STEP;
	}
	if (!bare && walk_frame_pointer(walk))
		return GO_STEP;
	walk->bare = bare;
	return changes_stack(place) ? GO_LEFT : GO_END;
}

enum go_step go_step(struct walk *walk)
{
	struct symbol_place place;

	if (!symbol_find(walk->module->file,
	                 state_pc(&walk->state) - walk->module->bias, &place))
		return GO_END;
	if (is_assembly(&place))
		return step_assembly(walk, &place);
	/* of a goroutine that moved while it was in C rbp is not right */
	return walk_frame_pointer(walk) || depth_step(walk) ? GO_STEP : GO_END;
}
