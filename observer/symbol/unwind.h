/*
 * unwind - the frames of a copied stack.
 *
 * A thread that makes a memory syscall from C leaves its registers and a copy
 * of its stack (trace/ring.h).  Here the copy is unwound, by libunwind with the
 * modules' .eh_frame; where a function has none (musl's libc, hand-written
 * assembly) by following its own code for what it did to the stack pointer,
 * and where there is no module at all (a JIT) by frame pointers.  Go text is
 * walked by frame pointers; where it left the goroutine's stack (systemstack,
 * mcall, morestack, asmcgocall) the goroutine's own frames follow.
 *
 * The copy may be of two stacks, a thread's and its goroutine's: the walk then
 * goes from one to the other wherever the program did, and back.
 *
 * The same stack is unwound once: an unwinding depends on a few words of the
 * copy only, and while those are equal the frames are, too.
 *
 * Hosted; one thread.  Failure: fewer frames.
 */
#ifndef OBSERVER_SYMBOL_UNWIND_H
#define OBSERVER_SYMBOL_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unwind;

struct unwind *unwind_new(void); /* NULL: no memory */
void unwind_free(struct unwind *unwind);

/*
 * An ELF file whose segments are mapped at [start, end) from now on, address in
 * the file = address - bias; it hides what was known of that range before.
 * `bytes` must outlive `unwind`.  False: not an ELF file, or no memory.
 */
bool unwind_module(struct unwind *unwind, const void *bytes, size_t size,
                   uint64_t bias, uint64_t start, uint64_t end);

/* The other of a thread's stack and its goroutine's. */
struct unwind_other {
	uint64_t at, size;     /* what was at [at, at + size); size 0: none */
	uint64_t go_pc, go_bp; /* when `at` is where the goroutine left its
	                          stack: how it goes on; pc 0: it is not */
	uint64_t go_top;       /* of the goroutine's stack */
};

struct unwind_stack {
	uint64_t ip; /* the syscall instruction */
	uint64_t sp, bp, bx, r12, r13, r14, r15;
	const uint8_t *bytes; /* what was at [sp, sp + size) */
	uint64_t size;
	struct unwind_other other; /* its bytes follow those */
	uint64_t top; /* sp at the thread's first instruction; 0: not known */
	const uint64_t *go; /* of the goroutine this thread runs, if it runs on
	                       another stack: addresses, innermost first */
	size_t go_count;
};

/*
 * Return addresses in frame[], innermost first, without stack->ip; returns how
 * many, at most `room`.  A function that a signal interrupted is there with the
 * address behind the pc, so that one less is always within the function.
 * *whole: the last one lies in the program's first function, a thread's, a
 * coroutine's or a goroutine's, or its frame begins at stack->top.  Where the
 * stack was changed and go[] follows, `whole` is a matter of go[]'s last one.
 */
size_t unwind_walk(struct unwind *unwind, const struct unwind_stack *stack,
                   uint64_t *frame, size_t room, bool *whole);

/* The same question for frames that are known already (a stack all of Go). */
bool unwind_is_whole(struct unwind *unwind, const uint64_t *frame,
                     size_t count);

#endif
