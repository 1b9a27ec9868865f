/*
 * stub - the code that runs in place of a syscall instruction.
 *
 * A stub is a struct stub_site followed by code:
 *
 *   entry:   the window's instructions before the syscall
 *   resume:  cmp, jne                            a call of no interest
 *            lea site(%rip),%r11; jmp shim_...   a call that is recorded
 *            cmp, table lookup, one of the two   number not constant
 *   plain:   syscall
 *   post:    the window's instructions behind the syscall
 *            jmp, jmp *return(%rip)
 *
 * From `resume` on only rcx and r11 are touched, so a thread interrupted
 * between `resume` and `plain` can be started over at `resume`: there is no
 * state.  Every address in a stub stands for exactly one address of the
 * unpatched program; stub_native() and stub_of_native() translate.
 *
 * stub.c is pure: bytes and addresses in, bytes out.  No libc; signal-safe.
 */
#ifndef SHIM_STUB_H
#define SHIM_STUB_H

#include "shim/x86_64/layout.h"
#include "trace/patch.h"

#include <stddef.h>
#include <stdint.h>

struct stub_site {
	uint64_t site;  /* the syscall instruction, in memory */
	uint64_t plain; /* address of the stub's own syscall instruction */
	uint64_t post;  /* and behind it */
	uint32_t flags; /* STUB_FLAG_* */
	int32_t nr;     /* PATCH_ANY when not constant */
	uint64_t entry;
	uint64_t resume;
	uint64_t native_post;  /* site + 2: where the program goes on */
	uint8_t before, after; /* bytes of the window */
	uint8_t unused[6];
	uint64_t ret;  /* native_post + after: where the stub jumps */
	uint64_t next; /* next stub_site of the same hash chain, or 0 */
};

#define STUB_SIZE_MAX 256 /* site, code and padding of the largest stub */

/* Addresses of the shim that stubs refer to. */
struct stub_targets {
	uint64_t record;    /* shim_record */
	uint64_t cold;      /* shim_cold */
	uint64_t sigreturn; /* shim_sigreturn */
	uint64_t dispatch;  /* shim_dispatch */
	uint64_t interest;  /* shim_interest[INTEREST_CALLS] */
	uint64_t gate;      /* shim.gate */
};

/*
 * Writes the stub for `patch` (its site address already biased: `site`) to
 * `bytes`, for execution at `address` (a multiple of STUB_GRAIN).  `interest`
 * is that of the constant number, ignored for PATCH_ANY.  Returns the bytes
 * used, a multiple of STUB_GRAIN, at most STUB_SIZE_MAX.
 */
size_t stub_write(uint8_t *bytes, uint64_t address, uint64_t site,
                  const struct trace_patch *patch, int interest, uint32_t flags,
                  const struct stub_targets *targets);

/* The address of the unpatched program that `rip` in this stub stands for. */
uint64_t stub_native(const struct stub_site *stub, uint64_t rip);

/* The address in the stub where a thread at `native` goes on, or 0 when
 * `native` is not inside the window (its first byte is outside). */
uint64_t stub_of_native(const struct stub_site *stub, uint64_t native);

/* Bytes of a `jmp` from `from` to `to`; 0 when it does not reach. */
int stub_jump(uint8_t bytes[PATCH_JUMP], uint64_t from, uint64_t to);

/* Bytes of an island: `jmp *0(%rip); .quad to`. */
#define STUB_ISLAND 16
void stub_island(uint8_t bytes[STUB_ISLAND], uint64_t to);

#endif
