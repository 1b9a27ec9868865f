/*
 * shim - goload's code inside the target.
 *
 * Freestanding: no libc, no thread-local storage, no vector register, no
 * relocation.  Nothing here prints or ends the target on goload's account:
 * what fails is counted in the session and the program goes on.
 *
 *   boot.c     the image's start: map the program, patch it, jump
 *   patch.c    plan -> stubs, islands and patched sites
 *   stub.c     the bytes of a stub (pure)
 *   ring.c     events written from C
 *   stack.c    what the caller's stack leaves in an event
 *   cold.c     the calls that need more than an event
 *   sigaction.c  signal dispositions and masks, SIGSYS virtual
 *   unwind.c   a signal that lands in the shim: back to the site, or on
 *   net.c      Syscall User Dispatch and its handler
 *   thread.c   clone, fork, vfork and their children
 *   late.c     code that arrives while the program runs
 *   inject.c   calls that shall fail, or wait
 *   exe.c      /proc/self/exe, without the privilege to set it
 *   end.c      every way the target can end
 *   follow.c   --follow: an execve that becomes goload's
 *
 *   x86_64/record.S  the hot path: one event, no stack, no TLS
 *   x86_64/cold.S    the way from a stub to C and back
 *   x86_64/signal.S  entries of signal handlers
 *   x86_64/entry.S   _start, and the jump into the program
 *   x86_64/area.S    where everything lies
 *
 * Rules.  The hot path never changes RSP or FS.  C runs on a stack of the pool
 * with every signal blocked, or on a signal stack with every signal blocked;
 * so C is never interrupted, and only the assembly has to be unwound.
 */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H

#include "loader/loader.h"
#include "loader/x86_64/sys.h"
#include "shim/stub.h"
#include "shim/x86_64/layout.h"
#include "trace/trace.h"

#include <stddef.h>
#include <stdint.h>

/* What a stub wants done with a call (shim_interest). */
enum shim_interest {
	SHIM_NONE = INTEREST_NONE,
	SHIM_RECORD = INTEREST_RECORD, /* one event around the call */
	SHIM_COLD = INTEREST_COLD,     /* to C */
	SHIM_MASK = INTEREST_MASK,     /* to C if it carries a signal mask */
	SHIM_SIGRETURN = INTEREST_SIGRETURN,
	SHIM_ASK = INTEREST_ASK, /* to C, which asks how it shall go */
};

enum shim_action {
	SHIM_DONE = ACTION_DONE, /* frame->result is the answer */
	SHIM_CALL = ACTION_CALL, /* make the call with frame->arg, signals on */
	SHIM_CLONE = ACTION_CLONE, /* make it with signals off, two return */
	SHIM_EXIT = ACTION_EXIT,   /* end this thread */
	SHIM_RESTART = ACTION_RESTART, /* run the stub again from `resume` */
	SHIM_PLAIN =
		ACTION_PLAIN, /* give the frame back, make it in the stub */
};

enum shim_gate {
	SHIM_OPEN = GATE_OPEN,       /* recording */
	SHIM_OFF = GATE_OFF,         /* not: a fork child, or no observer */
	SHIM_CLOSING = GATE_CLOSING, /* the target is ending: recorders park */
};

/* A thread's registers while it is in C; one of a pool. */
struct shim_frame {
	uint32_t busy;
	uint32_t kind; /* FRAME_COLD, FRAME_FULL: how it came here */
	struct stub_site *stub;
	uint64_t rax, rbx, rdx, rsi, rdi, rbp, rsp;
	uint64_t r8, r9, r10, r12, r13, r14, r15;
	uint64_t r11;  /* FRAME_FULL: number << 48 | stub */
	uint64_t mask; /* the thread's signal mask */
	uint64_t result;
	struct shim_frame *child;
	uint8_t post;  /* shim_cold_post() wants to see the result */
	uint8_t plain; /* SHIM_PLAIN, not SHIM_RESTART */
	int32_t follow; /* follow.c: the first of two descriptors, 0: none */
	uint64_t nr;   /* SHIM_CALL, SHIM_CLONE: what to call */
	uint64_t arg[6];
	uint64_t scratch[16]; /* copies that the kernel reads, notes of a clone
	                       */
};

_Static_assert(offsetof(struct trace_session, head) == SESSION_HEAD,
               "layout.h");
_Static_assert(offsetof(struct trace_session, order) == SESSION_ORDER,
               "layout.h");
_Static_assert(offsetof(struct trace_session, stack_head) == SESSION_STACK_HEAD,
               "layout.h");
_Static_assert(offsetof(struct trace_session, stack_tail) == SESSION_STACK_TAIL,
               "layout.h");
_Static_assert(offsetof(struct ring_slot, spill.stack_top) == SLOT_STACK_TOP,
               "layout.h");
_Static_assert(offsetof(struct ring_slot, spill.first) == SLOT_FIRST,
               "layout.h");
_Static_assert(offsetof(struct session_go, bare) == GO_BARE, "layout.h");
_Static_assert(sizeof(struct shim_frame) < 1024, "room for the stack");

/* From x86_64/area.S: one contiguous range, in this order. */
extern uint8_t __executable_start[] __attribute__((visibility("hidden")));
extern uint8_t shim_pool[] __attribute__((visibility("hidden")));
extern uint8_t shim_pool_end[] __attribute__((visibility("hidden")));
extern uint8_t shim_stubs[] __attribute__((visibility("hidden")));
extern uint8_t shim_stubs_end[] __attribute__((visibility("hidden")));
extern struct trace_session shim_session __attribute__((visibility("hidden")));
extern struct session_family shim_family __attribute__((visibility("hidden")));
extern const struct trace_patch shim_reply[]
	__attribute__((visibility("hidden")));
extern struct ring_slot shim_slots[] __attribute__((visibility("hidden")));
extern uint8_t shim_copies[] __attribute__((visibility("hidden")));
extern uint8_t shim_image_end[] __attribute__((visibility("hidden")));

/* State of the shim; in memory of this process alone (a fork child has its
 * own).  Written at boot unless said otherwise. */
struct shim_state {
	struct session_go go;    /* addresses in memory */
	struct ring_slot *slots; /* = shim_slots */
	uint8_t *pool_end;       /* = shim_pool_end */
	uint32_t gate;           /* enum shim_gate; changes */
	uint32_t fsgsbase;       /* rdfsbase may be used */
	uint64_t image_size;     /* of the range of area.S */
	int32_t pid;
	uint32_t threads; /* alive; changes */
	uint32_t net;     /* the net is on */
	uint32_t stubs_lock;
	uint32_t stubs_used; /* bytes of the stub area */
	uint32_t options;    /* enum session_option */
	uint64_t stack_top;  /* of the main thread: its first sp */
};
extern struct shim_state shim __attribute__((visibility("hidden")));

_Static_assert(sizeof(struct shim_state) <= 256, "area.S");
_Static_assert(offsetof(struct shim_state, slots) == 144, "area.S");
_Static_assert(offsetof(struct shim_state, gate) == 160, "area.S");
_Static_assert(offsetof(struct shim_state, image_size) == 168, "area.S");
_Static_assert(offsetof(struct shim_state, stack_top) == 200, "area.S");

/* The stack a thread began on: all of [low, top) can be read while it runs
 * there. */
struct shim_stack {
	uint64_t key; /* shim_thread_key(), 0: none */
	uint64_t low, top;
	uint64_t unused;
};
_Static_assert(sizeof(struct shim_stack) == 1 << STACK_ENTRY_SHIFT, "layout.h");
extern struct shim_stack shim_stacks[STACK_COUNT]
	__attribute__((visibility("hidden")));

extern uint8_t shim_interest[INTEREST_CALLS]
	__attribute__((visibility("hidden")));

/* Assembly labels that C takes the address of. */
#define SHIM_LABEL(name)                                                       \
	extern uint8_t name[] __attribute__((visibility("hidden")))
SHIM_LABEL(shim_record);
SHIM_LABEL(shim_cold);
SHIM_LABEL(shim_sigreturn);
SHIM_LABEL(shim_dispatch);
SHIM_LABEL(shim_handler);
SHIM_LABEL(shim_handler_reset);
SHIM_LABEL(shim_sigsys);
SHIM_LABEL(shim_fatal);
SHIM_LABEL(shim_restorer);

/* stub area (patch.c) */
struct stub_site *shim_stub_at(uint64_t rip); /* rip inside a stub */
struct stub_site *shim_stub_of_site(uint64_t site);
struct stub_site *shim_stub_new(uint64_t site, const struct trace_patch *patch,
                                uint32_t flags);
struct stub_site *shim_stub_of_island(uint64_t rip);

/* Where the program and what the kernel would have mapped with it are. */
struct shim_modules {
	struct loader_image program, interp;
	uint64_t vdso; /* 0: there is none */
};
int shim_patch_program(const struct session_plan *plan,
                       const struct shim_modules *modules);
void shim_patch_late(uint64_t start, uint64_t size, uint32_t prot,
                     uint64_t bias, const struct trace_patch *patch,
                     size_t count);
void shim_patch_undo_returns(void);

/* late.c: a call that made pages executable has just returned */
void shim_late_unlock(void);
void shim_stubs_lock(void);
void shim_stubs_unlock(void);
void shim_code_arrived(uint64_t start, uint64_t size, uint32_t prot);

/* inject.c */
void shim_inject_boot(void);
/* 1: *result is the answer, and the call must not be made. */
int shim_inject(struct ring_slot *slot, const struct shim_frame *frame,
                uint64_t *result);

/* ring.c */
struct ring_slot *shim_event_begin(uint32_t call, const uint64_t args[6]);
void shim_event_end(struct ring_slot *slot, uint64_t result);
void shim_fact(enum trace_call fact, uint64_t a, uint64_t b, uint64_t c,
               uint64_t d, uint64_t e, uint64_t f);
struct ring_slot *shim_slot_wait(uint64_t position);
struct ring_slot *shim_slot_take(void);
void shim_slot_abandon(uint64_t position, int begun);
uint64_t shim_ticket(void);
uint64_t shim_thread_key(void);
uint64_t shim_clock(void);
void shim_ring_bell(void);
void shim_wait(const uint32_t *word, uint32_t seen, long ns);
/* How long the observer has been waited for; starts with 0s. */
struct shim_patience {
	uint32_t all, still; /* slices of time; of the last ones: without work */
	uint64_t worked;     /* CPU time that it had had, ns */
};
/* Before the next slice: is it worth it?  Not when the observer is gone, or has
 * stood still for so many `slices`. */
int shim_waits_on(struct shim_patience *patience, uint32_t slices);
int shim_ring_waits_on(struct shim_patience *patience);
int shim_wait_until(const uint32_t *word, uint32_t value, uint32_t slices,
                    long ns);

/* stack.c */
void shim_describe_site(struct ring_slot *slot, const struct shim_frame *frame);
void shim_describe(struct ring_slot *slot, const struct shim_frame *frame);
void shim_stack_learn(uint64_t low, uint64_t top);

/* cold.c, called from cold.S */
enum shim_action shim_cold_call(struct shim_frame *frame);
/* SHIM_DONE, or SHIM_CALL: make another one */
enum shim_action shim_cold_post(struct shim_frame *frame);

/* sigaction.c */
#define SHIM_SIGSYS_BIT (1ull << (31 - 1))
void shim_signals_boot(void);
void shim_signals_cleared(void);
void shim_net_handler(void);
void shim_signals_unlock(void);
void shim_sigaction(struct shim_frame *frame);
void shim_sigprocmask(struct shim_frame *frame);
enum shim_action shim_mask_call(struct shim_frame *frame);
extern uint64_t shim_handlers[65] __attribute__((visibility("hidden")));
uint64_t shim_handler_reset_take(int sig, uint8_t *ucontext, uint64_t *mask);
void shim_default(int sig);
uint64_t shim_sigsys_handler(uint8_t *info, uint8_t *ucontext);

/* unwind.c */
void shim_unwind(uint8_t *ucontext);
void shim_unwind_any(uint8_t *ucontext);
void shim_frame_release(struct shim_frame *frame);

/* net.c */
int shim_net_arm(void);
void shim_net_traced(const struct shim_frame *frame);
uint64_t shim_net_signal(int sig, uint8_t *info, uint8_t *ucontext);

/* thread.c */
enum shim_action shim_clone_before(struct shim_frame *frame);
void shim_clone_after(struct shim_frame *frame);
void shim_child(struct shim_frame *frame);
int shim_foreign(void);

/* exe.c */
void shim_exe_know(const char *path);
void shim_exe_answer(void);
uint64_t shim_exe_path(uint64_t path);
void shim_exe_exec(struct shim_frame *frame);
enum shim_action shim_exe_call(struct shim_frame *frame);

/* end.c */
enum shim_action shim_exit_before(struct shim_frame *frame);
enum shim_action shim_exec_failed(struct shim_frame *frame);
void shim_last_look(enum trace_end end, uint64_t value);
void shim_park(void);
void shim_fatal_signal(int sig, uint8_t *info, uint8_t *ucontext);

/* follow.c */
int shim_follow(struct shim_frame *frame);
void shim_follow_undo(struct shim_frame *frame);
void shim_follow_filtered(void);
int shim_is_filtered(void);
void shim_follow_adopts(void);
void shim_follow_alone(void);
int shim_vfork_take(void);
void shim_vfork_child(int vfork);
void shim_vfork_release(int vfork);
void shim_vfork_stays(const struct shim_frame *frame);
void shim_vforks_forget(void);

/* fault-safe access to the program's memory: 0 or -EFAULT; how many bytes could
 * be read; how many pages from `from` down */
int shim_read(void *to, uint64_t from, size_t size);
size_t shim_read_some(void *to, uint64_t from, size_t size);
size_t shim_readable_pages(uint64_t from);
int shim_write(uint64_t to, const void *from, size_t size);

/* mem.c */
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);

static inline int shim_observer_alive(void)
{
	uint32_t word = __atomic_load_n(&shim_session.alive, __ATOMIC_ACQUIRE);

	return word != 0 && !(word & 0x40000000); /* FUTEX_OWNER_DIED */
}

#endif
