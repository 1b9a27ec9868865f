/* unwind - the walk: one frame after the other. */
#include "observer/symbol/unwind_internal.h"

#include <stdlib.h>

#define ADDRESS_MIN 0x1000u
#define ADDRESS_MAX (1ull << 47)
/* What the C library puts above the frame of a thread's first function. */
#define TOP_ROOM 64u

struct unwind *unwind_new(void)
{
	struct unwind *unwind = calloc(1, sizeof(*unwind));

	if (!unwind)
		return NULL;
	unwind->cfi = cfi_new();
	unwind->depths = depths_new();
	unwind->memo = memo_new();
	if (unwind->cfi && unwind->depths && unwind->memo)
		return unwind;
	unwind_free(unwind);
	return NULL;
}

void unwind_free(struct unwind *unwind)
{
	if (!unwind)
		return;
	while (unwind->modules) {
		struct module *module = unwind->modules;
		unwind->modules = module->next;
		unwind_module_free(module);
	}
	free(unwind->ranges);
	cfi_free(unwind->cfi);
	depths_free(unwind->depths);
	memo_free(unwind->memo);
	free(unwind);
}

static void note(struct walk *walk, uint32_t offset, uint64_t value)
{
	uint64_t distance = value - walk->stack->sp;
	int is_stack = distance <= walk->stack->size;

	for (size_t i = 0; i < walk->word_count; i++)
		if (walk->words[i].offset == offset)
			return;
	if (walk->word_count == WORDS_MAX)
		return;
	walk->words[walk->word_count++] = (struct word){
		.offset = offset,
		.is_stack = (uint32_t)is_stack,
		.value = is_stack ? distance : value,
	};
}

/* Where in the copy the word at `address` is. */
static int find_word(const struct unwind_stack *stack, uint64_t address,
                     uint64_t *offset)
{
	*offset = address - stack->sp;
	if (stack->size >= 8 && *offset <= stack->size - 8)
		return 1;
	*offset = address - stack->other.at;
	if (stack->other.size < 8 || *offset > stack->other.size - 8)
		return 0;
	*offset += stack->size;
	return 1;
}

int walk_word(struct walk *walk, uint64_t address, uint64_t *value)
{
	uint64_t offset;

	if (!find_word(walk->stack, address, &offset) ||
	    offset >= WORD_REGISTERS)
		return 0;
	*value = load64(walk->stack->bytes + offset);
	note(walk, (uint32_t)offset, *value);
	return 1;
}

/* On which stack: 1, 2, or 0 for none; the end belongs to it. */
static int stack_of(const struct unwind_stack *stack, uint64_t sp)
{
	if (sp - stack->sp <= stack->size)
		return 1;
	return stack->other.size && sp - stack->other.at <= stack->other.size
	               ? 2
	               : 0;
}

int walk_is_up(const struct walk *walk, uint64_t sp)
{
	int which = stack_of(walk->stack, sp);

	return which && (sp > walk->state.sp ||
	                 which != stack_of(walk->stack, walk->state.sp));
}

int walk_register(struct walk *walk, struct place place, uint64_t *value)
{
	const struct unwind_stack *stack = walk->stack;
	const uint64_t input[SAVED + 1] = {
		[SAVED_BX] = stack->bx,
		[SAVED_BP] = stack->bp,
		[SAVED_R12] = stack->r12,
		[SAVED_R13] = stack->r13,
		[SAVED_R14] = stack->r14,
		[SAVED_R15] = stack->r15,
		[SAVED_GO_BP] = stack->other.go_bp,
	};

	if (place.kind == PLACE_STACK)
		return walk_word(walk, place.at, value);
	if (place.kind != PLACE_INPUT)
		return 0;
	*value = input[place.at];
	note(walk, WORD_REGISTERS + (uint32_t)place.at, *value);
	return 1;
}

/* call rel32, or call through a register or memory: ff /2 and its operand */
static int is_call_before(struct span before)
{
	if (before.size >= 5 && before.at[before.size - 5] == 0xe8)
		return 1;
	for (uint64_t i = 2; i <= 7 && i <= before.size; i++)
		if (before.at[before.size - i] == 0xff &&
		    (before.at[before.size - i + 1] & 0x38) == 0x10)
			return 1;
	return 0;
}

int walk_after_call(const struct walk *walk, uint64_t address)
{
	const struct module *module = module_at(walk->unwind, address - 1);

	if (!module || !module_is_code(module, address - 1))
		return 0;
	struct span span = module_bytes(module, address - 7);
	return is_call_before(span_cut(span, 0, 7));
}

/* Code of a module behind a call, Go text (nobody called goexit), or what no
 * file was mapped to: a JIT. */
static int is_return_address(const struct walk *walk, uint64_t address)
{
	const struct module *module = module_at(walk->unwind, address - 1);

	if (address < ADDRESS_MIN || address >= ADDRESS_MAX ||
	    stack_of(walk->stack, address))
		return 0;
	return !module || module_in_go(module, address - 1 - module->bias) ||
	       walk_after_call(walk, address);
}

int walk_return(struct walk *walk, uint64_t at, struct place bp)
{
	struct state next = { .sp = at + 8 };

	if (!walk_word(walk, at, &next.ip) || !walk_after_call(walk, next.ip))
		return 0;
	next.reg[SAVED_BP] = bp;
	walk->state = next;
	return 1;
}

int walk_frame_pointer(struct walk *walk)
{
	struct state next = { 0 };
	uint64_t bp;

	if (!walk_register(walk, walk->state.reg[SAVED_BP], &bp) || bp % 8 ||
	    (bp != walk->state.sp && !walk_is_up(walk, bp)) ||
	    !walk_word(walk, bp + 8, &next.ip) ||
	    !is_return_address(walk, next.ip))
		return 0;
	next.sp = bp + 16;
	next.reg[SAVED_BP] = (struct place){ PLACE_STACK, bp };
	walk->state = next;
	return 1;
}

/* mov $15, %rax; syscall: what a signal handler returns to */
int walk_is_restorer(const struct walk *walk, uint64_t address)
{
	static const uint8_t code[] = { 0x48, 0xc7, 0xc0, 0x0f, 0x00,
		                        0x00, 0x00, 0x0f, 0x05 };
	const struct module *module = module_at(walk->unwind, address);

	if (!module)
		return 0;
	struct span span = module_bytes(module, address);
	return span.size >= sizeof(code) &&
	       !memcmp(span.at, code, sizeof(code));
}

/* The kernel's frame: struct ucontext at sp, its registers from 40 on, in the
 * order of struct sigcontext_64. */
static int step_over_signal(struct walk *walk)
{
	enum { R12 = 4, R13, R14, R15, BP = 10, BX = 11, SP = 15, IP = 16 };
	static const unsigned index[SAVED] = {
		[SAVED_BX] = BX,   [SAVED_BP] = BP,   [SAVED_R12] = R12,
		[SAVED_R13] = R13, [SAVED_R14] = R14, [SAVED_R15] = R15,
	};
	uint64_t registers = walk->state.sp + 40;
	struct state next = { .exact = 1 };

	if (!walk_word(walk, registers + 8 * IP, &next.ip) ||
	    !walk_word(walk, registers + 8 * SP, &next.sp))
		return 0;
	for (int i = 0; i < SAVED; i++)
		next.reg[i] =
			(struct place){ PLACE_STACK, registers + 8 * index[i] };
	walk->state = next;
	return 1;
}

/* A return address that no call has left, at the very start of a function: it
 * was put there by hand, and this is where a coroutine began (makecontext). */
static int is_beginning(const struct walk *walk)
{
	return !walk->state.exact && !walk_after_call(walk, walk->state.ip) &&
	       module_is_start(walk->module,
	                       walk->state.ip - walk->module->bias);
}

static enum go_step step(struct walk *walk)
{
	walk->module = module_at(walk->unwind, state_pc(&walk->state));
	if (!walk->module)
		return walk_frame_pointer(walk) ? GO_STEP : GO_END;
	if (walk_is_restorer(walk, walk->state.ip))
		return step_over_signal(walk) ? GO_STEP : GO_END;
	if (module_in_go(walk->module,
	                 state_pc(&walk->state) - walk->module->bias))
		return go_step(walk);
	walk->outermost = is_beginning(walk);
	if (walk->outermost || cfi_step(walk))
		return GO_STEP;
	walk->outermost = walk_is_root(walk->unwind, state_pc(&walk->state));
	return walk->outermost || depth_step(walk) || walk_frame_pointer(walk)
	               ? GO_STEP
	               : GO_END;
}

/* One step, and whether it led to a caller: higher up in the copy. */
static enum go_step step_up(struct walk *walk)
{
	struct state old = walk->state;
	enum go_step how = step(walk);

	if (how != GO_STEP || walk->outermost)
		return how;
	struct state next = walk->state;
	walk->state = old;
	if (!walk_is_up(walk, next.sp) || next.ip < ADDRESS_MIN ||
	    next.ip >= ADDRESS_MAX)
		return GO_END;
	walk->state = next;
	return GO_STEP;
}

/* `pc`: an address within the function's instructions. */
int walk_is_root(const struct unwind *unwind, uint64_t pc)
{
	static const char *const names[] = {
		"_start",
		"start_thread",
		"clone",
		"clone3",
		"__clone",
		"__clone3",
		/* of the thread that looks for leaks, with -fsanitize=address */
		"_ZN11__sanitizer14internal_cloneEPFiPvES0_iS0_PiS0_S3_",
		"crosscall1",
		"crosscall_amd64",
		"_rt0_amd64",
		"_rt0_amd64_linux",
		"runtime.rt0_go",
		"runtime.rt0_go.abi0",
		"runtime.clone",
		"runtime.clone.abi0",
		"runtime.goexit",
		"runtime.goexit.abi0",
		"runtime.mstart",
		"runtime.mstart.abi0",
		"runtime.mstart0",
		"runtime.mstart1",
		"runtime.kickoff", /* gccgo's goexit */
		/* the scheduler, after it let go of the goroutine */
		"runtime.mcall",
		"runtime.morestack",
		"runtime.morestack.abi0",
	};
	struct module *module = module_at(unwind, pc);
	struct symbol_place place;

	if (!module)
		return 0;
	pc -= module->bias;
	/* the program's first function is a short one */
	if (pc - module->file->header.e_entry < TOP_ROOM)
		return 1;
	if (!symbol_find(module->file, pc, &place))
		return 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(place.function, names[i]))
			return 1;
	return 0;
}

/* Few addresses are the last of many stacks: the answers are kept. */
bool unwind_is_whole(struct unwind *unwind, const uint64_t *frame, size_t count)
{
	uint64_t pc = count ? frame[count - 1] - 1 : 0;
	struct root *root = unwind->root + pc % ROOTS;

	if (root->pc != pc)
		*root = (struct root){ pc, count && walk_is_root(unwind, pc) };
	return root->is_root;
}

static void start(struct walk *walk, struct unwind *unwind,
                  const struct unwind_stack *stack)
{
	walk->unwind = unwind;
	walk->stack = stack;
	walk->outermost = walk->go_used = walk->bare = 0;
	walk->word_count = 0;
	walk->state = (struct state){
		.ip = stack->ip,
		.sp = stack->sp,
		.exact = 1,
	};
	for (unsigned i = 0; i < SAVED; i++)
		walk->state.reg[i] = (struct place){ PLACE_INPUT, i };
}

/* Where the stack was changed the goroutine's own frames follow. */
static size_t add_go(struct walk *walk, uint64_t *frame, size_t count,
                     size_t room)
{
	const struct unwind_stack *stack = walk->stack;

	walk->go_used = 1;
	for (size_t i = 0; i < stack->go_count && count < room; i++)
		frame[count++] = stack->go[i];
	return count;
}

/*
 * The goroutine's stack is in the copy, from where it was left: by mcall or
 * morestack, for which g.sched.pc is the caller's, or by systemstack or
 * asmcgocall, for which it is a marker.
 */
static int enter_goroutine(struct walk *walk)
{
	const struct unwind_stack *stack = walk->stack;
	const struct place bp = { PLACE_INPUT, SAVED_GO_BP };
	struct module *module = module_at(walk->unwind, stack->other.go_pc);
	struct symbol_place place;

	if (!stack->other.go_pc || walk->go_used || !module ||
	    !symbol_find(module->file, stack->other.go_pc - module->bias,
	                 &place))
		return 0;
	walk->go_used = 1;
	if (strcmp(place.function, "runtime.systemstack_switch")) {
		walk->state = (struct state){ .ip = stack->other.go_pc,
			                      .sp = stack->other.at };
		walk->state.reg[SAVED_BP] = bp;
		return 1;
	}
	if (walk->bare)
		return walk_return(walk, stack->other.at, bp);
	return walk_return(walk, stack->other.at + 8,
	                   (struct place){ PLACE_STACK, stack->other.at });
}

static size_t walk_all(struct walk *walk, uint64_t *frame, size_t room,
                       bool *whole)
{
	const struct unwind_stack *stack = walk->stack;
	enum go_step how = GO_STEP;
	size_t count = 0;

	while (count < room) {
		how = step_up(walk);
		if (how == GO_LEFT && enter_goroutine(walk))
			how = GO_STEP;
		if (how != GO_STEP || walk->outermost)
			break;
		/* of an interrupted function: as if it had made a call */
		frame[count++] = walk->state.ip + (uint64_t)walk->state.exact;
	}
	if (how == GO_LEFT)
		count = add_go(walk, frame, count, room);
	*whole = walk->outermost ||
	         unwind_is_whole(walk->unwind, frame, count) ||
	         (how != GO_LEFT && stack->top &&
	          stack->top - walk->state.sp <= TOP_ROOM);
	return count;
}

size_t unwind_walk(struct unwind *unwind, const struct unwind_stack *stack,
                   uint64_t *frame, size_t room, bool *whole)
{
	struct walk walk;
	size_t count;

	if (memo_find(unwind->memo, stack, room, frame, &count, whole)) {
		unwind->repeated++;
		return count;
	}
	start(&walk, unwind, stack);
	count = walk_all(&walk, frame, room, whole);
	memo_keep(unwind->memo, &walk, room, frame, count, *whole);
	return count;
}
