/*
 * golayout - where a Go program's runtime keeps g, m and what a goroutine left
 * when it left its stack.
 *
 * Read out of the code of the runtime itself (systemstack, clone, ...), which
 * has every offset as a displacement: no DWARF, no symbols and no table of Go
 * versions are needed, only names of functions (pclntab).  x86_64; tried with
 * Go 1.13 to 1.26.
 *
 * A library has none: where its thread-local block is only ld.so knows.
 *
 *     g       at fs:g_tls, 0 in a thread that runs no Go
 *     g.m     at g + g_m, and so on
 *
 * g.stack is first in g: low at 0, high at 8.
 */
#ifndef OBSERVER_SYMBOL_GOLAYOUT_H
#define OBSERVER_SYMBOL_GOLAYOUT_H

#include "observer/symbol/symbol.h"

struct golayout {
	int valid; /* else all is 0 */
	int64_t g_tls;
	uint32_t g_m;
	uint32_t m_g0, m_gsignal, m_curg;
	uint32_t m_procid; /* the thread's id */
	/* of g: its registers when it left its stack */
	uint32_t sched_sp, sched_pc, sched_bp;

	/* [start, end) of functions, 0 0 when the program has none */
	uint64_t systemstack[2];
	uint64_t systemstack_switch[2]; /* sched.pc in systemstack and
	                                   asmcgocall points here: a marker */
	uint64_t asmcgocall[2];
	uint64_t cgocallback[2]; /* C code called into Go */
	uint64_t mcall[2], morestack[2];
	uint64_t goexit[2], mstart[2], rt0_go[2]; /* nothing called these */

	/* Since 1.21 systemstack, mcall and asmcgocall push rbp.  Before, the
	 * caller of systemstack or asmcgocall is in no chain of frames: the
	 * address is at *sched.sp (that of mcall is sched.pc, always). */
	int systemstack_has_frame;
	/* Since 1.25 morestack and mcall begin a new chain with rbp = 0. */
	int morestack_clears_bp;
};

/* Returns layout->valid. */
int golayout_read(struct symbol_file *file, struct golayout *layout);

#endif
