/*
 * cold - from a stub to C and back, for the calls that need more than an event.
 *
 * In:    r11 = the site's struct stub_site, rax = number, arguments as in a
 *        syscall.
 * Out:   jumps to the stub's `post` with the result in rax.
 *
 * The registers go into a frame of the pool (only rcx and r11 are free to find
 * one), then every signal is blocked, then C runs on the frame's own stack: a
 * goroutine's stack has no room, and a clone's or vfork's child has none at
 * all.  RSP is the program's own again before signals are let in.
 *
 * rbx = frame between cold_saved and the end.  As in record.S the labels are
 * the seams that unwind.c knows.
 */
#include "shim/x86_64/layout.h"
#include "trace/numbers.h"

	.text

	.globl	shim_dispatch, shim_cold, cold_mask, cold_try, cold_tried
	.globl	cold_taken, cold_saved, cold_call_open, cold_call, cold_called
	.globl	cold_closed, cold_done_open, cold_release, cold_left, cold_end
	.globl	record_full, full_try, full_tried, full_taken
	.hidden	shim_dispatch, shim_cold, cold_mask, cold_try, cold_tried
	.hidden	cold_taken, cold_saved, cold_call_open, cold_call, cold_called
	.hidden	cold_closed, cold_done_open, cold_release, cold_left, cold_end
	.hidden	record_full, full_try, full_tried, full_taken

	/* rt_sigprocmask(SIG_SETMASK, rsi, rdx, 8) */
.macro	setmask
	mov	$2, %edi
	mov	$8, %r10d
	mov	$TRACE_NR_rt_sigprocmask, %eax
	syscall
.endm

	/* rbx = frame */
.macro	block_signals
	lea	shim_all_signals(%rip), %rsi
	lea	FRAME_MASK(%rbx), %rdx
	setmask
.endm

.macro	unblock_signals
	lea	FRAME_MASK(%rbx), %rsi
	xor	%edx, %edx
	setmask
.endm

.macro	reload_arguments
	mov	FRAME_ARG(%rbx), %rdi
	mov	FRAME_ARG+8(%rbx), %rsi
	mov	FRAME_ARG+16(%rbx), %rdx
	mov	FRAME_ARG+24(%rbx), %r10
	mov	FRAME_ARG+32(%rbx), %r8
	mov	FRAME_ARG+40(%rbx), %r9
	mov	FRAME_NR(%rbx), %rax
.endm

	/* The program's registers, but rax, rbx and rsp.  C and the kernel keep
	 * rbp and r12-r15; a clone's child has them from the frame alone. */
.macro	reload_program
	mov	FRAME_RDX(%rbx), %rdx
	mov	FRAME_RSI(%rbx), %rsi
	mov	FRAME_RDI(%rbx), %rdi
	mov	FRAME_R8(%rbx), %r8
	mov	FRAME_R9(%rbx), %r9
	mov	FRAME_R10(%rbx), %r10
	mov	FRAME_RBP(%rbx), %rbp
	mov	FRAME_R12(%rbx), %r12
	mov	FRAME_R13(%rbx), %r13
	mov	FRAME_R14(%rbx), %r14
	mov	FRAME_R15(%rbx), %r15
.endm

	/* ecx = interest of the number in eax */
	.p2align 4
shim_dispatch:
	cmp	$INTEREST_RECORD, %ecx
	je	shim_record
	cmp	$INTEREST_SIGRETURN, %ecx
	je	shim_sigreturn
	jmp	shim_cold

	.p2align 4
shim_cold:
	/* The calls that only matter when they carry a signal mask. */
	cmp	$TRACE_NR_epoll_pwait, %eax	/* mask in r8 */
	je	cold_mask
	cmp	$TRACE_NR_epoll_pwait2, %eax	/* r8 */
	je	cold_mask
	cmp	$TRACE_NR_ppoll, %eax		/* r10 */
	jne	cold_try
	test	%r10, %r10
	jnz	cold_try
	jmp	*STUB_PLAIN(%r11)
cold_mask:
	test	%r8, %r8
	jnz	cold_try
	jmp	*STUB_PLAIN(%r11)

cold_try:				/* every register is the program's */
	lea	shim_pool(%rip), %rcx
1:	lock btsl $0, FRAME_BUSY(%rcx)
cold_tried:				/* carry clear: the frame at rcx is ours */
	jnc	cold_taken
	add	$FRAME_SIZE, %rcx
	cmp	shim_pool_pointer(%rip), %rcx
	jb	1b
	pause
	jmp	cold_try
cold_taken:				/* rcx = frame */
	mov	%rax, FRAME_RAX(%rcx)
	mov	%r11, FRAME_STUB(%rcx)
	movl	$FRAME_COLD, FRAME_KIND(%rcx)
cold_save:
	mov	%rdx, FRAME_RDX(%rcx)
	mov	%rsi, FRAME_RSI(%rcx)
	mov	%rdi, FRAME_RDI(%rcx)
	mov	%rbp, FRAME_RBP(%rcx)
	mov	%rsp, FRAME_RSP(%rcx)
	mov	%r8, FRAME_R8(%rcx)
	mov	%r9, FRAME_R9(%rcx)
	mov	%r10, FRAME_R10(%rcx)
	mov	%r12, FRAME_R12(%rcx)
	mov	%r13, FRAME_R13(%rcx)
	mov	%r14, FRAME_R14(%rcx)
	mov	%r15, FRAME_R15(%rcx)
	mov	%rbx, FRAME_RBX(%rcx)
	mov	%rcx, %rbx
cold_saved:				/* rbx = frame */
	block_signals
cold_blocked:				/* no signal from here to cold_*_open */
	lea	FRAME_SIZE(%rbx), %rsp
	mov	%rbx, %rdi
	call	shim_cold_call
cold_act:
	cmp	$ACTION_CALL, %eax
	je	cold_open
	cmp	$ACTION_CLONE, %eax
	je	cold_clone
	cmp	$ACTION_EXIT, %eax
	je	cold_exit
	cmp	$ACTION_RESTART, %eax
	je	cold_restart
	cmp	$ACTION_PLAIN, %eax
	je	cold_plain

cold_done:
	mov	FRAME_RSP(%rbx), %rsp
	unblock_signals
cold_done_open:				/* signals again; the result is in the frame */
	reload_program
	mov	FRAME_RESULT(%rbx), %rax
	mov	FRAME_STUB(%rbx), %r11
	mov	%rbx, %rcx
	mov	FRAME_RBX(%rcx), %rbx
cold_release:				/* rcx = frame, all else is restored */
	movl	$0, FRAME_BUSY(%rcx)
cold_left:
	jmp	*STUB_POST(%r11)

	/* A call that may block: with the program's stack and signals. */
cold_open:
	mov	FRAME_RSP(%rbx), %rsp
	unblock_signals
cold_call_open:
	reload_arguments
cold_call:
	syscall
cold_called:				/* rax = result */
	mov	%rax, FRAME_RESULT(%rbx)
cold_stored:
	cmpb	$0, FRAME_POST(%rbx)
	je	cold_done_open
	block_signals
cold_closed:
	lea	FRAME_SIZE(%rbx), %rsp
	mov	%rbx, %rdi
	call	shim_cold_post
	cmp	$ACTION_CALL, %eax
	je	cold_open
	jmp	cold_done

	/*
	 * The frame is given back and the stub goes on without it: from its
	 * start, as if the call had not been made, or with the call itself.
	 * Which of the two survives the release in the flags.
	 */
cold_plain:
	movb	$1, FRAME_PLAIN(%rbx)
	jmp	1f
cold_restart:
	movb	$0, FRAME_PLAIN(%rbx)
1:	mov	FRAME_RSP(%rbx), %rsp
	unblock_signals
cold_restart_open:
	reload_program
	mov	FRAME_RAX(%rbx), %rax
	mov	FRAME_STUB(%rbx), %r11
	cmpb	$1, FRAME_PLAIN(%rbx)
	mov	%rbx, %rcx
	mov	FRAME_RBX(%rcx), %rbx
cold_restart_release:
	movl	$0, FRAME_BUSY(%rcx)
cold_restart_left:
	je	1f
	jmp	*STUB_RESUME(%r11)
1:	jmp	*STUB_PLAIN(%r11)
cold_restart_gone:

	/*
	 * clone, fork, vfork: two return.  The parent keeps the frame in rbx,
	 * the child (which may share all memory with it, and have another
	 * stack) finds its own in r12.  Signals stay blocked in both.
	 */
cold_clone:
	mov	FRAME_CHILD(%rbx), %r12
	mov	FRAME_RSP(%rbx), %rsp
	mov	FRAME_RBP(%rbx), %rbp
	reload_arguments
	syscall
	test	%rax, %rax
	jz	1f
	mov	%rax, FRAME_RESULT(%rbx)
	lea	FRAME_SIZE(%rbx), %rsp
	mov	%rbx, %rdi
	call	shim_cold_post
	jmp	cold_done
1:	mov	%r12, %rbx
	movq	$0, FRAME_RESULT(%rbx)
	mov	%rsp, FRAME_RSP(%rbx)
	lea	FRAME_SIZE(%rbx), %rsp
	mov	%rbx, %rdi
	call	shim_child
	jmp	cold_done

	/* exit of a thread: its stack may be gone already, and the frame must
	 * be given back before the kernel takes the thread. */
cold_exit:
	mov	FRAME_ARG(%rbx), %rdi
	mov	FRAME_RSP(%rbx), %rsp
	movl	$0, FRAME_BUSY(%rbx)
1:	mov	$TRACE_NR_exit, %eax
	syscall
	jmp	1b	/* a filter forbids it; libc tries for ever, too */

	/*
	 * The ring had no free slot: rax = turn that was not free, r11 =
	 * number << 48 | stub.  C waits for the reader.
	 */
record_full:
full_try:
	lea	shim_pool(%rip), %rcx
1:	lock btsl $0, FRAME_BUSY(%rcx)
full_tried:
	jnc	full_taken
	add	$FRAME_SIZE, %rcx
	cmp	shim_pool_pointer(%rip), %rcx
	jb	1b
	pause
	jmp	full_try
full_taken:
	mov	%rax, FRAME_RAX(%rcx)
	mov	%r11, FRAME_R11(%rcx)
	movl	$FRAME_FULL, FRAME_KIND(%rcx)
	jmp	cold_save
cold_end:

	.globl	cold_save, cold_blocked, cold_stored, cold_restart_open
	.globl	cold_restart_release, cold_restart_left, cold_restart_gone
	.hidden	cold_save, cold_blocked, cold_stored, cold_restart_open
	.hidden	cold_restart_release, cold_restart_left, cold_restart_gone

	.section .rodata
	.p2align 3
shim_all_signals:
	.quad	-1

	.section .note.GNU-stack,"",%progbits
