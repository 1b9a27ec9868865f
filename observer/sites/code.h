/*
 * code - one function, decoded.
 *
 * Private to the room.  A `struct code` is the bytes of one function with a
 * mark per byte.  Its own branches are marked while it is decoded; sites.c adds
 * those that come from elsewhere, and then code_settle judges the whole.
 */
#ifndef OBSERVER_SITES_CODE_H
#define OBSERVER_SITES_CODE_H

#include <Zydis/Zydis.h>

#include <stddef.h>
#include <stdint.h>

enum code_mark {
	CODE_BOUNDARY = 1, /* an instruction begins here */
	CODE_STOP = 2,     /* and control never falls out of it */
	CODE_TARGET = 4,   /* something jumps here */
	CODE_TAKEN = 8,    /* not to be patched: in a window, or ambiguous */
	CODE_DARK = 16,    /* nothing known leads to this instruction */
	CODE_LONG = 32,    /* a branch of four bytes' distance */
	CODE_DIRECT = 64,  /* a site that no jump table leads to: flow.h */
};

struct code {
	const uint8_t *bytes;
	uint64_t address;
	size_t size;    /* to the next function, padding included */
	size_t decoded; /* bytes before the first that is no instruction */
	size_t count;   /* instructions */
	const uint64_t *starts; /* of all functions */
	size_t start_count;
	int indirect; /* it has jumps whose targets are not in its bytes */
	int walks;    /* that flow.c has made */
	uint8_t *mark;
	size_t capacity; /* of mark; free(mark) when done */
};

/*
 * Decode from the first byte on, to `limit` or the first boundary behind it; 0
 * when there is no memory for the marks.  And what is left of the function.
 */
int code_decode(struct code *code, const ZydisDecoder *decoder, size_t limit);
void code_decode_rest(struct code *code, const ZydisDecoder *decoder);

/*
 * After every branch target is marked: find the instructions that nothing
 * leads to, and the bytes that a jump into an instruction makes ambiguous.
 */
void code_settle(struct code *code, const ZydisDecoder *decoder);

/* Whether control never falls out of the instruction; a direct branch. */
int code_stops(const ZydisDecodedInstruction *head);
int code_relative(const ZydisDecodedInstruction *head);

/* Where the boundary before `offset` is; `offset` itself when none. */
size_t code_previous(const struct code *code, size_t offset);

/* Where the relative branch that covers `offset` goes; 0 when none does. */
uint64_t code_branch(const struct code *code, const ZydisDecoder *decoder,
                     size_t offset);

#endif
