/*
 * unwind_internal - what the files of unwind share.
 *
 * unwind.c        the walk: one frame after the other
 * unwind_module.c which file is mapped where, and its tables
 * unwind_cfi.c    a frame by .eh_frame (libunwind)
 * unwind_depth.c  a frame by the function's own code (Zydis)
 * unwind_go.c     a frame of Go
 * unwind_memo.c   unwindings that were made before
 *
 * A walk reads the copied stack and the registers through walk_word and
 * walk_register only: they note what the frames depend on, for the memo.
 * Registers are read when they are needed, so that what a function saved but
 * nobody asks for does not count.
 */
#ifndef OBSERVER_SYMBOL_UNWIND_INTERNAL_H
#define OBSERVER_SYMBOL_UNWIND_INTERNAL_H

#include "observer/symbol/internal.h"
#include "observer/symbol/unwind.h"

#include <Zydis/Zydis.h>

/* What a function keeps for its caller (System V ABI). */
enum { SAVED_BX, SAVED_BP, SAVED_R12, SAVED_R13, SAVED_R14, SAVED_R15, SAVED };

/* ---- unwind_module.c: files and what is known of them ---- */

struct fde_entry {
	int32_t start, fde; /* from the file's address 0, as in .eh_frame_hdr */
};

struct addresses {
	uint64_t *at; /* sorted */
	size_t count, room;
};

struct module {
	struct module *next;
	const void *bytes;
	size_t size;
	uint64_t bias;
	unsigned ranges; /* that show it */
	struct symbol_file *file;

	int has_frames;                       /* made when first asked for: */
	uint64_t frames_address, frames_base; /* .eh_frame_hdr's table */
	size_t frames_count;
	struct fde_entry *frames; /* or one of our own */
	size_t frames_room;

	int has_targets;
	struct addresses calls; /* where its own code calls */
	struct addresses jumps; /* and where it jumps */
};

struct range {
	uint64_t start, end;
	struct module *module;
};

struct module *module_at(const struct unwind *unwind, uint64_t address);
void unwind_module_free(struct module *module);
/* From `address` (in memory) on; empty outside of the file's segments. */
struct span module_bytes(const struct module *module, uint64_t address);
void module_read_frames(struct module *module);
/* Where functions may start, from what is sure to what is likely. */
enum module_start {
	START_KNOWN,  /* by the file's tables: Go's has each function */
	START_CALLED, /* code calls it or takes its address */
	START_JUMPED, /* code jumps there, maybe within one function */
	MODULE_STARTS,
};
/* Those next to `pc` (in the file), nearest first, at most `room`. */
size_t module_starts(struct module *module, uint64_t pc, enum module_start how,
                     uint64_t *start, size_t room);
/* Known, or called if the calls have been read already. */
int module_is_start(struct module *module, uint64_t address);
int module_in_go(const struct module *module, uint64_t pc);
int module_is_code(const struct module *module, uint64_t address);

/* ---- the state between two frames ---- */

enum place_kind { PLACE_UNKNOWN, PLACE_INPUT, PLACE_STACK };

/* Where a register's value is: in the thread's register `at`, or at an address
 * of its stack. */
struct place {
	enum place_kind kind;
	uint64_t at;
};

struct state {
	uint64_t ip, sp;
	int exact; /* ip is the next instruction, not a return address */
	struct place reg[SAVED];
};

/* A PLACE_INPUT behind the registers: stack->other.go_bp. */
#define SAVED_GO_BP SAVED

#define WORDS_MAX 512u
/* What is behind the copy's offsets: the input registers. */
#define WORD_REGISTERS (UINT32_MAX - SAVED)

struct word {
	uint32_t offset; /* in the copy, or WORD_REGISTERS + register */
	uint32_t is_stack;
	uint64_t value; /* is_stack: relative to sp */
};

struct walk {
	struct unwind *unwind;
	const struct unwind_stack *stack;
	struct state state;
	struct module *module; /* that holds state.ip */
	int outermost;         /* nobody called this function */
	int go_used;
	int bare; /* what left the goroutine's stack has no frame there */

	struct word words[WORDS_MAX];
	size_t word_count; /* WORDS_MAX: too many to be kept */
	size_t reads;      /* left for libunwind in this step */
};

/* The address in the function that state.ip is in, for look-ups. */
static inline uint64_t state_pc(const struct state *state)
{
	return state->exact ? state->ip : state->ip - 1;
}

int walk_word(struct walk *walk, uint64_t address, uint64_t *value);
int walk_register(struct walk *walk, struct place place, uint64_t *value);
/* Further up than state.sp, or on the other stack? */
int walk_is_up(const struct walk *walk, uint64_t sp);
/* Does a call instruction stand before `address`, in a module? */
int walk_after_call(const struct walk *walk, uint64_t address);
/* What a signal handler returns to? */
int walk_is_restorer(const struct walk *walk, uint64_t address);
/* The return address is at `at`, and rbp is the caller's already, or at
 * `bp`. */
int walk_return(struct walk *walk, uint64_t at, struct place bp);
/* One step up the chain of frame pointers. */
int walk_frame_pointer(struct walk *walk);
int walk_is_root(const struct unwind *unwind, uint64_t pc);

/* ---- the ways to step; 0: not this way, walk->state is unchanged ---- */

struct cfi;
struct cfi *cfi_new(void);
void cfi_free(struct cfi *cfi);
void cfi_forget(struct cfi *cfi);
int cfi_step(struct walk *walk);

/* What a function has done to the stack when it is at some instruction.
 * Distances are from the caller's stack pointer (behind the return address)
 * down; DEPTH_NONE: not known or, of a saved register, not saved; DEPTH_LOST:
 * the register is saved on one way there and not on another. */
#define DEPTH_NONE INT32_MIN
#define DEPTH_LOST (INT32_MIN + 1)

struct depth {
	int32_t sp, bp;       /* where they point to */
	int32_t saved[SAVED]; /* where registers were put */
};

struct depths;
struct depths *depths_new(void);
void depths_free(struct depths *depths);
void depths_forget(struct depths *depths);
/* Of the state's function; 0 when its code does not tell. */
int depth_find(struct walk *walk, struct depth *depth);
int depth_step(struct walk *walk);

enum go_step { GO_END, GO_STEP, GO_LEFT };
enum go_step go_step(struct walk *walk);

/* ---- unwind_memo.c ---- */

struct memo;
struct memo *memo_new(void);
void memo_free(struct memo *memo);
void memo_forget(struct memo *memo);
/* 1 when `stack` is known: frame[], *count and *whole are as they were. */
int memo_find(struct memo *memo, const struct unwind_stack *stack, size_t room,
              uint64_t *frame, size_t *count, bool *whole);
void memo_keep(struct memo *memo, const struct walk *walk, size_t room,
               const uint64_t *frame, size_t count, bool whole);

#define ROOTS 251u

/* Whether a stack may end at `pc` (pc 0: nothing asked yet). */
struct root {
	uint64_t pc;
	int is_root;
};

struct unwind {
	struct root root[ROOTS];
	struct module *modules;
	struct range *ranges; /* sorted, disjoint */
	size_t range_count, range_room;
	struct cfi *cfi;
	struct depths *depths;
	struct memo *memo;
	size_t repeated; /* stacks that the memo knew */
};

#endif
