/*
 * session - the memory file that the target and the observer share.
 *
 *   offset 0             struct trace_session   the control page
 *   SESSION_FAMILY       struct session_family  of the target's children
 *   SESSION_REPLY        struct trace_patch[], see struct session_request
 *   SESSION_RING         struct ring_slot[RING_SLOTS]
 *   SESSION_STACKS       copies of stacks, see ring.h
 *   SESSION_PLAN         plan: read once at boot, never mapped again
 *
 * All but the last stay mapped in the target, next to the stubs; the
 * control page has one cache line for each word that many threads write.
 *
 * Life of a session (observer/record/launch.c, shim/boot.c):
 *
 *   observer   writes the plan, sets PLANNED, rings target_bell
 *   goload     sees it and execs the image, in its own process
 *   image      maps the program, hands descriptors over, sets BOOTED, waits
 *   observer   takes them, looks at the kernel's map once, sets WATCHED
 *   ...        events flow; a thread that maps code asks in `request`
 *   target     about to end: writes TRACE_CLOSING, sets closing, rings the
 *              observer's bell and waits (bounded) for looked, then reported
 *
 * A bell is a futex word that its owner waits on; who rings it adds one and
 * wakes.  `alive` is a robust futex that the observer holds as long as it
 * lives, from the clone that makes it: the kernel sets FUTEX_OWNER_DIED in it
 * when the observer dies.
 * No libc; may be used in the target.
 */
#ifndef TRACE_SESSION_H
#define TRACE_SESSION_H

#include "trace/patch.h"
#include "trace/ring.h"

#define SESSION_MAGIC 0x31305353455347ull /* "GSESS01" */
#define SESSION_ENV   "GOLOAD_SESSION="   /* last string of the image's env */
#define SESSION_FAMILY TRACE_SESSION_FAMILY
#define SESSION_REPLY                                                          \
	TRACE_SESSION_REPLY /* patches of a module that arrived late */
#define SESSION_RING   TRACE_SESSION_RING
#define SESSION_STACKS (SESSION_RING + RING_SLOTS * RING_SLOT_SIZE)
#define SESSION_SHARED (SESSION_STACKS + TRACE_STACK_ROOM + TRACE_STACKS_MAX)
#define SESSION_PLAN   SESSION_SHARED

enum session_state {
	SESSION_NEW = 0,
	SESSION_PLANNED, /* the plan is complete: exec the image */
	SESSION_REFUSED, /* the program cannot be loaded: see message */
	SESSION_BOOTED,  /* the image has mapped the program */
	SESSION_WATCHED, /* the observer has taken over the descriptors */
	SESSION_FAILED,  /* the image could not boot the program: see message */
};

/* Options of the run, fixed before the image starts (trace_session.options) */
enum session_option {
	SESSION_NO_PATCH = 1, /* --patch=none: every syscall through the net, but
	                        the end of a thread, which has no stack for it */
	SESSION_NO_NET = 2,   /* --net=off */
	SESSION_NO_FATAL = 4, /* leave default-fatal signals alone: pid 1 */
	SESSION_NO_NAMES = 8, /* --names=off: PR_SET_VMA as the kernel says */
	SESSION_FAITHFUL = 16, /* --faithful: SIGSEGV where the kernel kills */
	SESSION_ASK = 32, /* --fail, --delay: memory calls ask first (ring.h) */
};

/* Descriptors of the target that the image hands over, in this order. */
enum session_fd {
	SESSION_FD_MAPS,
	SESSION_FD_SMAPS,
	SESSION_FD_STATUS,
	SESSION_FD_PAGEMAP,
	SESSION_FD_MEM,
	SESSION_FDS,
};

/*
 * Code that arrives while the program runs: a thread that has just mapped
 * executable pages of a file asks how to patch them, and waits (bounded) before
 * it returns the address to the program.  One at a time.
 */
enum session_asking {
	SESSION_IDLE = 0,
	SESSION_FILLING, /* a thread is writing its question */
	SESSION_ASKED,
	SESSION_ANSWERED,
};

struct session_request {
	uint32_t state;       /* enum session_asking */
	uint32_t patch_count; /* the answer: patches at SESSION_REPLY ... */
	uint64_t bias;        /* ... and what to add to their addresses */
	uint64_t start, size; /* the question: these pages, */
	uint64_t ticket;      /* mapped before this one was taken */
};

#define SESSION_REPLIES                                                        \
	((SESSION_RING - SESSION_REPLY) / sizeof(struct trace_patch))

#define SESSION_LINE _Alignas(64)

struct trace_session {
	uint64_t magic;
	uint32_t options;   /* enum session_option */
	uint32_t state;     /* enum session_state */
	int32_t program_fd; /* the program's file, open in goload */
	int32_t interp_fd;  /* the interpreter's, -1 when there is none */
	int32_t socket_fd;  /* where the image sends its descriptors */
	uint64_t plan_size; /* bytes of the plan behind SESSION_PLAN */
	uint32_t exit_code; /* with REFUSED and FAILED: 125, 126, 127 */
	uint32_t error;     /* and the errno that goes with the message, or 0 */
	uint32_t killed;    /* 1: the kernel would not refuse but kill */
	char message[512];
	/* where the image sits, told by the image before it sends descriptors
	 */
	uint64_t image_start; /* all of goload but the islands is in here */
	uint64_t image_end;
	uint32_t net_on; /* 0: --net=off, or no Syscall User Dispatch */

	SESSION_LINE uint32_t alive; /* robust futex: the observer's tid */
	SESSION_LINE uint32_t observer_bell; /* the observer sleeps here */
	SESSION_LINE uint32_t target_bell; /* goload and the target wait here */
	uint32_t looked;                   /* the last look is taken */
	uint32_t reported;                 /* and the summary is printed */
	SESSION_LINE uint32_t
		closing; /* enum trace_end: the target is ending */
	uint64_t closing_value;
	uint32_t execs_failed; /* last looks that were not the last */
	struct session_request request;

	SESSION_LINE uint64_t head;  /* next position of the ring */
	SESSION_LINE uint64_t order; /* next ticket */
	SESSION_LINE uint64_t lost;  /* calls made without an event */
	uint64_t net_hits;           /* calls that the net carried */
	uint64_t stubs;              /* stubs written */
	uint64_t unpatched;          /* planned windows that did not fit */

	SESSION_LINE uint64_t stack_head; /* ring.h: moved by writers */
	SESSION_LINE uint64_t stack_tail; /* by the observer */
};

_Static_assert(sizeof(struct trace_session) <= SESSION_FAMILY, "control page");

/*
 * What the target and its children know of each other.  A forked child, which
 * is not observed, keeps these pages of the session and no other.
 *
 * With --follow an execve in the family becomes one of goload's, which is told
 * what it is for through a pipe (shim/follow.c, observer/cli/follow.c).  The
 * pipe carries strings, each with its NUL:
 *
 *   SESSION_FOLLOW     to be sure
 *   the parent's pid, and the path of its run file (may be empty)
 *   goload's own path
 *   goload's verb (may be empty) and its options, a string each
 *   the path that execve was given
 *
 * All but the last are in `words`.
 */
#define SESSION_FOLLOW "goload-follow-1"

struct session_family {
	uint32_t born;      /* processes that the target and those made */
	uint32_t followed;  /* of them: those that goload was started for */
	uint32_t size;      /* of words; 0: without --follow */
	uint32_t goload_at; /* in words: goload's path */
	uint64_t device, inode; /* and the file that it must lead to */
	uint32_t adopts; /* the target gets orphans, goload's among them: its
	                    children are not followed */
	char words[SESSION_REPLY - SESSION_FAMILY - 36];
};

_Static_assert(sizeof(struct session_family) == SESSION_REPLY - SESSION_FAMILY,
               "area.S");

/*
 * What a stack walk must know of the Go runtime in the program (all read out of
 * the program's own code: observer/symbol/golayout.h).  Ranges are start and
 * size, without load bias in the plan; size 0: there is none.
 */
struct session_go {
	uint64_t text, text_size;               /* Go text */
	uint64_t sigtramp, sigtramp_size;       /* a walk ends there ... */
	uint64_t systemstack, systemstack_size; /* ... and there: the goroutine
	                                           goes on behind it */
	uint64_t callback, callback_size; /* runtime.cgocallback: below it is
	                                     the C code that called in */
	uint64_t marker, marker_size; /* runtime.systemstack_switch: in
	                                 g.sched.pc it says that systemstack or
	                                 asmcgocall left the goroutine */
	int64_t tls; /* g is at FS base + this; 0: not known, and so the rest */
	uint64_t g_m, m_g0, m_curg; /* offsets in runtime.g and runtime.m */
	uint64_t sched_sp, sched_pc, sched_bp; /* in runtime.g */
	uint64_t bare; /* systemstack has no frame: before Go 1.21 */
};

/*
 * The plan: a header, then (8-byte aligned, offsets from the header) the
 * program's and the interpreter's load plan (loader/loader.h), the patches
 * sorted by module and site, and the path that AT_EXECFN shall show.
 */
struct session_plan {
	uint64_t program; /* struct loader_plan */
	uint64_t interp;  /* struct loader_plan, 0 when there is none */
	uint64_t patches; /* struct trace_patch[], module after module */
	uint64_t patch_count[PATCH_MODULES];
	struct session_go go;
	uint64_t execfn; /* NUL-terminated */
	uint64_t exe;    /* the program's absolute path, likewise */
};

#endif
