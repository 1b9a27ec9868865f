/*
 * numbers - constants of this room as plain numbers, for assembly too.
 *
 * event.h and ring.h assert that they agree.
 */
#ifndef TRACE_NUMBERS_H
#define TRACE_NUMBERS_H

#define TRACE_RING_SLOTS     8192 /* a power of two */
#define TRACE_RING_SLOT_SIZE 1280
#define TRACE_MAX_FRAMES     128  /* return addresses kept of one stack */

/* trace_event.flags */
#define TRACE_FLAG_NET       1
#define TRACE_FLAG_CUT       2
#define TRACE_FLAG_ONE_PHASE 4
#define TRACE_FLAG_ABANDONED 8

/* system calls that assembly makes (arch/x86/entry/syscalls/syscall_64.tbl) */
#define TRACE_NR_rt_sigprocmask 14
#define TRACE_NR_rt_sigreturn   15
#define TRACE_NR_exit           60
#define TRACE_NR_gettid         186

#endif
