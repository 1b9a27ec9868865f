/*
 * event - one memory syscall of the target, as the shim saw it.
 *
 * A worked example: the reservation of the first Go heap arena,
 *
 *   mmap(0xc000000000, 67108864, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)
 *       = 0xc000000000
 *
 *   call          9               the number in rax (asm/unistd_64.h)
 *   args          0xc000000000 0x4000000 0 0x22 0xffffffff 0
 *   result        0xc000000000    as the kernel returned it; -errno on failure
 *   ticket        17              its place in the order, before the call
 *   ticket_after  18              and behind it
 *   tsc           81240918...     time stamp counter before the call
 *   tsc_after     81240931...     and behind it
 *   thread        0x54c8b0        FS base of the caller: names the thread
 *   site          0x46b2f4        address of the syscall instruction
 *   sp            0x7ffd1c2e5a10  stack pointer at the site
 *   frames        11              return addresses in frame[], innermost first
 *
 * A caller in C has no frame pointers to follow: its stack is copied
 * (TRACE_COPIED, ring.h) and the observer writes frame[], for the run file.
 *
 * A call that unmaps takes effect at `ticket`, one that maps at `ticket_after`;
 * with the two, every program without a race on the same pages has one order.
 *
 * This layout is also that of the run file (file.h), which has each stack once:
 * there `stack` says which, in the place of `turn`.  No libc; may be used in
 * the target.
 */
#ifndef TRACE_EVENT_H
#define TRACE_EVENT_H

#include "trace/numbers.h"

#include <stddef.h>
#include <stdint.h>

#define TRACE_FRAMES TRACE_MAX_FRAMES

/* Calls that are no syscall: facts that the shim tells.  Arguments in args[].
 */
enum trace_call {
	TRACE_FACT = 0x10000,      /* first of the facts */
	TRACE_MAPPED = TRACE_FACT, /* start, size, prot, flags, what, offset */
	TRACE_BOOTED,  /* bias, entry, phdr, interpreter's bias or 0, sp, pid */
	TRACE_THREAD,  /* tid, its stack pointer; `thread` is its key */
	TRACE_CHILD,   /* pid, clone flags: a process not observed */
	TRACE_CLOSING, /* enum trace_end, status or signal */
};

/* What a TRACE_MAPPED mapping is (args[4]). */
enum trace_what {
	TRACE_WHAT_FILE = 1, /* file-backed part of a segment of the program */
	TRACE_WHAT_BSS,      /* anonymous part of a segment of the program */
	TRACE_WHAT_INTERP_FILE,
	TRACE_WHAT_INTERP_BSS,
	TRACE_WHAT_BRK,         /* the initial, empty heap: start only */
	TRACE_WHAT_GOLOAD = 64, /* from here on: goload's own */
	TRACE_WHAT_IMAGE = TRACE_WHAT_GOLOAD, /* text and data of the image */
	TRACE_WHAT_STUBS,
	TRACE_WHAT_RING,
	TRACE_WHAT_ISLAND,
};

/* Why the target is about to end (args[0] of TRACE_CLOSING). */
enum trace_end {
	TRACE_END_EXIT = 1, /* exit_group, or exit of the last thread: status */
	TRACE_END_SIGNAL,   /* a signal that kills: its number */
	TRACE_END_EXEC,     /* execve of another program */
};

/* trace_event.flags */
enum {
	TRACE_BY_NET = TRACE_FLAG_NET, /* the site was not patched: the net
	                                  carried it */
	TRACE_CUT = TRACE_FLAG_CUT,    /* the frames end before the start of the
	                                  program, a thread or a goroutine */
	TRACE_ONE_PHASE = TRACE_FLAG_ONE_PHASE, /* written before the call:
	                                           result is not known */
	TRACE_NAMED = 16, /* frame[] holds a NUL-terminated name instead */
	TRACE_ABANDONED = TRACE_FLAG_ABANDONED, /* a signal unwound the stub:
	                                           the call starts over */
	TRACE_COPIED = TRACE_FLAG_COPIED, /* in the ring only: the stack is in
	                                     a copy, and frame[] holds those
	                                     of the goroutine behind it */
	TRACE_MEASURED = 64, /* shmat, io_setup: args[4] and args[5] are start
	                        and size of what it has mapped */
	TRACE_INJECTED = 128, /* --fail: not made, the result is goload's */
	TRACE_DELAYED = 256,  /* --delay: made to wait before */
};

struct trace_event {
	union {
		uint64_t turn;  /* see ring.h */
		uint64_t stack; /* in the run file: see file.h */
	};
	uint64_t ticket;
	uint64_t ticket_after;
	uint64_t tsc;
	uint64_t tsc_after;
	uint64_t thread;
	uint64_t site;
	uint64_t args[6];
	uint64_t result;
	uint32_t call;
	uint16_t frames;
	uint16_t flags;
	uint64_t sp;
};

_Static_assert(sizeof(struct trace_event) == 128, "an event is 128 bytes");

/* A failed call: the kernel's MAX_ERRNO (include/linux/err.h). */
static inline int trace_failed(uint64_t result)
{
	return result > (uint64_t)-4096;
}

#endif
