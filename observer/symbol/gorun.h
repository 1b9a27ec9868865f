/*
 * gorun - a function of Go's runtime, run over in our head.
 *
 * Registers, the stack and a result hold sums of words of memory, addresses,
 * or nothing that is known:
 *
 *     mov  gcController.heapInUse(%rip),%rcx
 *     mov  gcController.heapFree(%rip),%rbx
 *     add  %rbx,%rcx                   rcx: two words
 *     mov  %rcx,0x38(%rdi)             the result has them at 0x38
 *
 * Code is followed in the order of addresses up to the return; calls and
 * branches are not followed: what is wanted is done on the straight way.  So
 * whoever uses this must be able to tell a wrong result.
 *
 * Private to the room.
 */
#ifndef OBSERVER_SYMBOL_GORUN_H
#define OBSERVER_SYMBOL_GORUN_H

#include "observer/symbol/gocode.h"

enum {
	GORUN_TERMS = 32,    /* words in one sum */
	GORUN_WEIGHT = 8,    /* how often, at most, a word is in a sum */
	GORUN_SUMS = 4096,   /* that are kept */
	GORUN_SLOTS = 1024,  /* of the stack, 8 bytes each */
	GORUN_WRITTEN = 64,  /* words of memory that are changed */
	GORUN_RESULTS = 168, /* bytes */
	GORUN_COPIES = 3,    /* of runtime.heapStatsDelta */
};

enum gorun_holds {
	GORUN_NOTHING, /* that is known */
	GORUN_NUMBER,
	GORUN_SUM,     /* sum[number] */
	GORUN_ADDRESS, /* of data */
	GORUN_STACK,   /* an address: the stack pointer at entry + number */
	GORUN_RESULT,  /* an address: the result + number */
	GORUN_COPY,    /* an address: one of the copies + number */
};

struct gorun_value {
	enum gorun_holds holds;
	uint64_t number;
};

struct gorun_term {
	uint64_t address;
	int weight;
};

struct gorun_sum {
	int count;
	struct gorun_term term[GORUN_TERMS];
};

struct gorun_frame;

struct gorun {
	const struct symbol_file *file;
	/* Told of each direct call; what it leaves in `returned` is in rax
	 * afterwards. */
	void (*called)(struct gorun_frame *frame, const uint64_t range[2]);
	void *context;
	uint64_t copy_size; /* of heapStatsDelta; 0: not known */

	struct gorun_value result[GORUN_RESULTS / 8];
	struct gorun_value returned;
	uint64_t counted; /* bit i: something was added to word i of a copy */
	struct {
		uint64_t address;
		struct gorun_value value;
	} written[GORUN_WRITTEN];
	int written_count;
	int sum_count;
	struct gorun_sum sum[GORUN_SUMS];
};

/* What one function has. */
struct gorun_frame {
	struct gorun *run;
	struct gorun_value registers[GOCODE_REGISTERS];
	struct gorun_value slot[GORUN_SLOTS]; /* the last: arguments */
	uint64_t sp;                          /* what it was at entry is 0 */
	uint64_t delta;    /* where heapStatsDelta is on the stack, */
	uint64_t delta_of; /* and of what in memory it is the sum; or 0 */
};

/* The result's address is its first argument. */
void gorun_function(struct gorun *run, const uint64_t range[2]);

/* Argument `i` of a call: in a register since Go 1.17, on the stack before. */
struct gorun_value gorun_argument(struct gorun_frame *frame, int i,
                                  enum gorun_holds holds);

/* What is in memory at `address`. */
struct gorun_value gorun_load(struct gorun *run, uint64_t address);

#endif
