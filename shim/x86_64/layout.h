/*
 * layout - offsets that assembly and C agree on.
 *
 * Plain numbers, for both; shim.h and stub.h hold the structures and assert
 * that these are true.
 */
#ifndef SHIM_X86_64_LAYOUT_H
#define SHIM_X86_64_LAYOUT_H

/* struct trace_event (trace/event.h) and struct ring_slot (trace/ring.h) */
#define EVENT_TURN         0
#define EVENT_TICKET       8
#define EVENT_TICKET_AFTER 16
#define EVENT_TSC          24
#define EVENT_TSC_AFTER    32
#define EVENT_THREAD       40
#define EVENT_SITE         48
#define EVENT_ARGS         56
#define EVENT_RESULT       104
#define EVENT_CALL         112
#define EVENT_FRAMES       116
#define EVENT_FLAGS        118
#define EVENT_SP           120
#define SLOT_RBX           128
#define SLOT_STUB          136
#define SLOT_RBP           144
#define SLOT_R12           152
#define SLOT_R13           160
#define SLOT_R14           168
#define SLOT_R15           176
#define SLOT_STACK_AT      184
#define SLOT_STACK_SIZE    192
#define SLOT_STACK_READY   200
#define SLOT_STACK_TOP     208
#define SLOT_FIRST         216
#define SLOT_FRAME         256

/* struct trace_session (trace/session.h) */
#define SESSION_HEAD       0x380
#define SESSION_ORDER      0x3c0
#define SESSION_STACK_HEAD 0x440
#define SESSION_STACK_TAIL 0x480

/* struct session_go (trace/session.h), the beginning of struct shim_state */
#define GO_TEXT             0
#define GO_TEXT_SIZE        8
#define GO_SIGTRAMP         16
#define GO_SIGTRAMP_SIZE    24
#define GO_SYSTEMSTACK      32
#define GO_SYSTEMSTACK_SIZE 40
#define GO_CALLBACK         48
#define GO_CALLBACK_SIZE    56
#define GO_MARKER           64
#define GO_MARKER_SIZE      72
#define GO_TLS              80
#define GO_G_M              88
#define GO_M_G0             96
#define GO_M_CURG           104
#define GO_SCHED_SP         112
#define GO_SCHED_PC         120
#define GO_SCHED_BP         128
#define GO_BARE             136

/* runtime.g: stack.lo and stack.hi (runtime/runtime2.go) */
#define G_STACK_LOW        0
#define G_STACK_HIGH       8

/* struct shim_stack (shim.h) */
#define STACK_KEY          0
#define STACK_LOW          8
#define STACK_TOP          16
#define STACK_ENTRY_SHIFT  5
#define STACK_COUNT        1024
#define STACK_HASH         0x9e3779b1 /* of a key: its low 32 bits times this */
#define STACK_HASH_SHIFT   22         /* and the upper 10 of that */
#define STACK_MAIN_MAX     0x4000000 /* the main thread's, at most */
#define STACK_RISE         0x10000 /* from one Go frame to the next, at most */

/* struct stub_site (shim/stub.h) */
#define STUB_SITE          0
#define STUB_PLAIN         8
#define STUB_POST          16
#define STUB_FLAGS         24
#define STUB_FLAG_GO       1
#define STUB_FLAG_NET      2
#define STUB_FLAG_INT80    4
#define STUB_ENTRY         32
#define STUB_RESUME        40
#define STUB_NATIVE_POST   48
#define STUB_BEFORE        56
#define STUB_AFTER         57
#define STUB_RETURN        64

/* struct shim_frame (shim/shim.h) */
#define FRAME_BUSY         0
#define FRAME_KIND         4
#define FRAME_STUB         8
#define FRAME_RAX          16
#define FRAME_RBX          24
#define FRAME_RDX          32
#define FRAME_RSI          40
#define FRAME_RDI          48
#define FRAME_RBP          56
#define FRAME_RSP          64
#define FRAME_R8           72
#define FRAME_R9           80
#define FRAME_R10          88
#define FRAME_R12          96
#define FRAME_R13          104
#define FRAME_R14          112
#define FRAME_R15          120
#define FRAME_R11          128
#define FRAME_MASK         136
#define FRAME_RESULT       144
#define FRAME_CHILD        152
#define FRAME_POST         160
#define FRAME_PLAIN        161
#define FRAME_NR           168
#define FRAME_ARG          176
#define FRAME_SIZE         8192
#define FRAME_COUNT        512

/* enum frame_kind */
#define FRAME_COLD         1
#define FRAME_FULL         2

/* enum shim_action */
#define ACTION_DONE        0
#define ACTION_CALL        1
#define ACTION_CLONE       2
#define ACTION_EXIT        3
#define ACTION_RESTART     4
#define ACTION_PLAIN       5

/* enum shim_gate */
#define GATE_OPEN          0
#define GATE_OFF           1
#define GATE_CLOSING       2

/* enum shim_interest */
#define INTEREST_NONE      0
#define INTEREST_RECORD    1
#define INTEREST_COLD      2
#define INTEREST_MASK      3
#define INTEREST_SIGRETURN 4
#define INTEREST_ASK       5
#define INTEREST_CALLS     512

/* struct rt_sigframe, as the stack pointer sees it in a handler: the return
 * address, then ucontext, then siginfo (arch/x86/include/asm/sigframe.h);
 * offsets from the ucontext (struct sigcontext_64, uapi/asm/sigcontext.h) */
#define UC_R8              40
#define UC_RAX             144
#define UC_RIP             168
#define UC_COOKIE          232 /* sigcontext.reserved1: the kernel ignores it */
#define UC_SHOWN           240
#define UC_RESUME          248
#define UC_SIGMASK         296
#define UC_COOKIE_VALUE    0x676f6c64

#define ISLAND_ENTRY       6  /* `jmp *0(%rip)`, then the stub's entry */
#define STUB_GRAIN         64      /* stubs begin at multiples of this */
#define STUB_AREA          0x200000

#endif
