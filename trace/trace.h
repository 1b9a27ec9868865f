/*
 * trace - the contract between what runs in the target and what watches it.
 *
 * Both worlds include this room and it includes nothing: only <stdint.h> and
 * <stddef.h>, no libc call, nothing that allocates.  Everything in the headers
 * may be used inside the target, in a signal handler, on any stack.
 *
 *   event.h    one memory syscall (or one fact about the process)
 *   ring.h     the shared queue the events travel through
 *   session.h  the memory file that target and observer share
 *   patch.h    what the observer proved about a syscall site
 *   file.h     the run file
 *
 * Words, each with one meaning everywhere (docs/glossary.md has them all):
 *
 *   target       the loaded program, and the process it runs in
 *   shim         goload's code inside the target
 *   observer     goload's process outside the target
 *   segment      what a PT_LOAD program header describes; never a section
 *   mapping      one range of the address space, [start, end), page aligned
 *   reservation  address space without access (PROT_NONE)
 *   commitment   address space with any access: the kernel owes a page on touch
 *   resident     has a physical page now
 *   page         an operating system page (4 KiB), never a page of the Go heap
 *   ticket       a place in the one order of all events
 *   lost         events that were not recorded because the ring was full
 */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include "trace/event.h"
#include "trace/file.h"
#include "trace/patch.h"
#include "trace/ring.h"
#include "trace/session.h"

#endif
