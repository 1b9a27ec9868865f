/*
 * patch - what the observer proved about one syscall site, for the shim.
 *
 * A site is a `syscall` instruction (0f 05).  Its window is the whole
 * instructions around it, at least five bytes, that a `jmp rel32` replaces:
 *
 *        before                syscall   after
 *   b8 09 00 00 00             0f 05                 mov $9,%eax; syscall
 *   ^ site - before            ^ site
 *
 * `code` holds the bytes of `before` and of `after`, one behind the other;
 * they run unchanged at another address, so none of them is relative to rip,
 * a branch, or the target of one (but the window's first byte).  The one
 * exception: `after` may be a `ret` with padding behind it.
 *
 * Addresses are those of the file (without load bias).  No libc.
 */
#ifndef TRACE_PATCH_H
#define TRACE_PATCH_H

#include <stdint.h>

#define PATCH_JUMP   5  /* bytes of `jmp rel32` */
#define PATCH_WINDOW 40 /* bytes of `before` and `after` at most */
#define PATCH_ANY    (-1)

/* Where the patched bytes come from. */
enum patch_module {
	PATCH_PROGRAM,
	PATCH_INTERP,
	PATCH_VDSO,
	PATCH_MODULES,
};

struct trace_patch {
	uint64_t site;  /* address of the syscall instruction */
	int32_t nr;     /* its syscall number, PATCH_ANY when not constant */
	uint8_t before; /* bytes of the window before the syscall instruction */
	uint8_t after;  /* and behind it */
	uint8_t module; /* enum patch_module */
	uint8_t go; /* the site lies in Go text: frame pointers can be walked */
	uint8_t code[PATCH_WINDOW];
};

_Static_assert(sizeof(struct trace_patch) == 56, "a patch is 56 bytes");

#endif
