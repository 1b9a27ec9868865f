/*
 * unwind_go - a frame of Go.
 *
 * What Go's compiler makes keeps a frame pointer (since Go 1.7):
 *
 *     [rbp] the caller's rbp   [rbp + 8] the return address
 *
 * Functions in assembly may have no frame, and rbp is then still the caller's:
 * their own code tells (unwind_depth.c).  Those that change the stack leave
 * the copy; what follows is on the goroutine's own stack.
 */
#include "observer/symbol/unwind_internal.h"

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

/* The return address is at `end` - 8, and rbp is the caller's already. */
static int step_without_frame(struct walk *walk, uint64_t end)
{
	struct state next = walk->state;

	if (end <= walk->state.sp || !walk_word(walk, end - 8, &next.ip) ||
	    !walk_after_call(walk, next.ip))
		return 0;
	next.sp = end;
	next.exact = 0;
	for (int i = 0; i < SAVED; i++)
		if (i != SAVED_BP)
			next.reg[i].kind = PLACE_UNKNOWN;
	walk->state = next;
	return 1;
}

/*
 * asmcgocall aligns the stack.  Where it did not change it, it keeps at
 * 40(%rsp) where it was, and 0 at 48(%rsp) (Go 1.10 to 1.20, without frame).
 */
static int step_over_asmcgocall(struct walk *walk)
{
	uint64_t goroutine, sp;

	return walk_word(walk, walk->state.sp + 48, &goroutine) && !goroutine &&
	       walk_word(walk, walk->state.sp + 40, &sp) &&
	       step_without_frame(walk, sp + 8);
}

static enum go_step step_assembly(struct walk *walk,
                                  const struct symbol_place *place)
{
	struct depth depth;
	int known = depth_find(walk, &depth);

	if (known && depth.saved[SAVED_BP] == DEPTH_NONE) {
		if (depth.sp != DEPTH_NONE)
			return step_without_frame(
				walk,
				walk->state.sp + (uint64_t)(int64_t)depth.sp);
		if (is_named(place, "runtime.asmcgocall") &&
		    step_over_asmcgocall(walk))
			return GO_STEP;
	} else if (known && depth.sp != DEPTH_NONE && depth_step(walk)) {
		return GO_STEP;
	} else if (walk_frame_pointer(walk)) {
		return GO_STEP;
	}
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
	return walk_frame_pointer(walk) ? GO_STEP : GO_END;
}
