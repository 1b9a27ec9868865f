/*
 * numbers - constants of this room as plain numbers, for assembly too.
 *
 * event.h and ring.h assert that they agree.
 */
#ifndef TRACE_NUMBERS_H
#define TRACE_NUMBERS_H

#define TRACE_RING_SLOTS     8192 /* a power of two */
#define TRACE_RING_SLOT_SIZE 1280
#define TRACE_RING_SHIFT     24   /* of the position in a slot's turn */
#define TRACE_MAX_FRAMES     128  /* return addresses kept in a slot */

#define TRACE_STACK_ROOM     0x100000 /* bytes of copied stacks: a power of 2 */
#define TRACE_STACK_MAX      0x8000   /* bytes of one copy */
#define TRACE_STACKS_MAX     0x20000  /* of one of two stacks, made in C */
#define TRACE_STACK_GRAIN    64       /* copies begin at multiples of this */

/* offsets in the session */
#define TRACE_SESSION_FAMILY 0x2000
#define TRACE_SESSION_REPLY  0x6000
#define TRACE_SESSION_RING   0x26000

/* trace_event.flags */
#define TRACE_FLAG_NET       1
#define TRACE_FLAG_CUT       2
#define TRACE_FLAG_ONE_PHASE 4
#define TRACE_FLAG_ABANDONED 8
#define TRACE_FLAG_COPIED    32

#define TRACE_EFAULT         14 /* asm-generic/errno-base.h */

/* system calls that assembly makes (arch/x86/entry/syscalls/syscall_64.tbl) */
#define TRACE_NR_mmap           9
#define TRACE_NR_mprotect       10
#define TRACE_NR_rt_sigprocmask 14
#define TRACE_NR_rt_sigreturn   15
#define TRACE_NR_exit           60
#define TRACE_NR_gettid         186
#define TRACE_NR_ppoll          271
#define TRACE_NR_epoll_pwait    281
#define TRACE_NR_pkey_mprotect  329
#define TRACE_NR_epoll_pwait2   441

#endif
