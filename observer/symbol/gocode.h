/*
 * gocode - functions of Go's runtime, instruction by instruction.
 *
 * Private to the room: what golayout.c and gorun.c share.  x86_64 only.
 */
#ifndef OBSERVER_SYMBOL_GOCODE_H
#define OBSERVER_SYMBOL_GOCODE_H

#include "observer/symbol/internal.h"

#include <Zydis/Zydis.h>

enum { GOCODE_REGISTERS = 16 };

/* Numbers of general registers. */
enum {
	GOCODE_RAX = 0,
	GOCODE_RCX = 1,
	GOCODE_RBX = 3,
	GOCODE_RSI = 6,
	GOCODE_RDI = 7,
	GOCODE_R14 = 14,
};

/* A function of the runtime by name, and its [start, end): 0 0 when there is
 * none. */
struct gocode_wanted {
	const char *name; /* NULL: the end of the list */
	uint64_t *range;
};

void gocode_find(const struct symbol_file *file,
                 const struct gocode_wanted *wanted);

struct gocode {
	const struct symbol_file *file;
	ZydisDecoder decoder;
	struct span left;
	/* the instruction that gocode_next took */
	ZydisDecodedInstruction head;
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
};

/* At the start of a function; of one that is 0 0 there are no instructions. */
void gocode_open(struct gocode *code, const struct symbol_file *file,
                 const uint64_t range[2]);
int gocode_next(struct gocode *code);

/* 0 to 15, or -1 when it is no general register. */
int gocode_register(ZydisRegister name);

/* Is operand `i` that register; memory without an index? */
int gocode_is_register(const struct gocode *code, int i, ZydisRegister name);
int gocode_is_memory(const struct gocode *code, int i);

/* The address that operand `i`, memory relative to rip, means. */
uint64_t gocode_address(const struct gocode *code, int i);

/* The Go function that a direct call goes to; 0 when it is none. */
int gocode_callee(const struct gocode *code, uint64_t range[2]);

#endif
