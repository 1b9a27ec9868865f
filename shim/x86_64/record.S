/*
 * record - the hot path: one event around one memory syscall.
 *
 * In:    r11 = the site's struct stub_site, eax = number, the call's arguments
 *        in rdi rsi rdx r10 r8 r9; everything else is the program's.
 * Out:   jumps to the stub's `post` with the result in rax.
 * Uses:  rcx, r11 and the flags, which a syscall destroys anyway (flags: proven
 *        dead by the observer).  All else is spilled in the ring slot.  RSP and
 *        FS never change, so a signal finds the program's stack in order.
 *
 * The labels are the seams that unwind.c knows; between two of them the same
 * facts hold about where the program's registers are.  Keep them together.
 */
#include "shim/x86_64/layout.h"
#include "trace/numbers.h"

	.text

	.globl	record_left, record_exec
	.hidden	record_left, record_exec
	.globl	shim_record, record_packing, record_packed, record_taken
	.globl	record_shifted, record_counted, record_begun, record_saved
	.globl	record_call, record_called, record_stored, record_commit
	.globl	record_committed, record_done, record_gone, record_end
	.globl	record_reserved, record_granted, record_noted
	.globl	record_yielded, record_given
	.hidden	record_reserved, record_granted, record_noted
	.hidden	record_yielded, record_given
	.hidden	shim_record, record_packing, record_packed, record_taken
	.hidden	record_shifted, record_counted, record_begun, record_saved
	.hidden	record_call, record_called, record_stored, record_commit
	.hidden	record_committed, record_done, record_gone, record_end

	.p2align 6
shim_record:				/* r11 = stub, rax = number */
	cmpl	$GATE_OPEN, shim_gate(%rip)
	jne	shim_cold
	test	$4, %dl			/* PROT_EXEC, if it is a protection */
	jnz	record_exec
record_plainly:
	mov	%eax, %eax
	shl	$48, %rax
record_packing:				/* rax = number << 48, not yet in r11 */
	or	%rax, %r11
record_packed:				/* r11 = number << 48 | stub; rax free */
	mov	$1, %eax
	lock xadd %rax, shim_session+SESSION_HEAD(%rip)
record_taken:				/* rax = position */
	mov	%eax, %ecx
	and	$(TRACE_RING_SLOTS - 1), %ecx
	imul	$TRACE_RING_SLOT_SIZE, %ecx, %ecx
	add	shim_slots_pointer(%rip), %rcx
	shl	$TRACE_RING_SHIFT, %rax
record_shifted:				/* rax = turn, rcx = slot */
	cmp	%rax, EVENT_TURN(%rcx)
	jne	record_full
	inc	%rax
record_counted:				/* rax = turn + RING_BEGUN */
	mov	%rax, EVENT_TURN(%rcx)
record_begun:				/* the slot at rcx is ours */
	mov	%rdi, EVENT_ARGS(%rcx)
	mov	%rsi, EVENT_ARGS+8(%rcx)
	mov	%rdx, EVENT_ARGS+16(%rcx)
	mov	%r10, EVENT_ARGS+24(%rcx)
	mov	%r8, EVENT_ARGS+32(%rcx)
	mov	%r9, EVENT_ARGS+40(%rcx)
	mov	%rsp, EVENT_SP(%rcx)
	mov	%rbx, SLOT_RBX(%rcx)
	mov	%r11, SLOT_STUB(%rcx)
	movq	$0, SLOT_STACK_SIZE(%rcx)
	mov	%rcx, %rbx
record_saved:				/* rbx = slot, all is saved in it */
	mov	%r11, %rax
	shr	$48, %rax
	mov	%rax, EVENT_CALL(%rbx)	/* and 0 frames, no flags */
	shl	$16, %r11
	shr	$16, %r11		/* r11 = stub */
	mov	STUB_SITE(%r11), %rax
	mov	%rax, EVENT_SITE(%rbx)

	cmpl	$0, shim_fsgsbase(%rip)
	je	record_gettid
	rdfsbase %rax
record_keyed:
	mov	%rax, EVENT_THREAD(%rbx)

	mov	STUB_FLAGS(%r11), %ecx
	test	$STUB_FLAG_NET, %ecx
	jz	1f
	orw	$TRACE_FLAG_NET, EVENT_FLAGS(%rbx)
1:	test	$STUB_FLAG_GO, %ecx
	jnz	record_walk
	jmp	record_copy
record_described:
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	mov	%rax, EVENT_TSC(%rbx)
	mov	$1, %eax
	lock xadd %rax, shim_session+SESSION_ORDER(%rip)
	mov	%rax, EVENT_TICKET(%rbx)
	mov	EVENT_ARGS(%rbx), %rdi
	mov	EVENT_ARGS+8(%rbx), %rsi
	mov	EVENT_ARGS+16(%rbx), %rdx
	mov	EVENT_ARGS+24(%rbx), %r10
	mov	EVENT_ARGS+32(%rbx), %r8
	mov	EVENT_ARGS+40(%rbx), %r9
	mov	EVENT_CALL(%rbx), %eax
record_call:
	syscall
record_called:				/* rax = result */
	mov	%rax, EVENT_RESULT(%rbx)
record_stored:
	mov	$1, %eax
	lock xadd %rax, shim_session+SESSION_ORDER(%rip)
	mov	%rax, EVENT_TICKET_AFTER(%rbx)
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	mov	%rax, EVENT_TSC_AFTER(%rbx)
	mov	EVENT_ARGS+16(%rbx), %rdx
	mov	EVENT_RESULT(%rbx), %rax
	mov	SLOT_STUB(%rbx), %r11
	shl	$16, %r11
	shr	$16, %r11
	mov	SLOT_RBX(%rbx), %rcx
record_commit:
	lock incq EVENT_TURN(%rbx)	/* RING_BEGUN -> RING_DONE */
record_committed:			/* the slot is the reader's; rcx = rbx */
	mov	%rcx, %rbx
record_done:				/* every register is the program's */
	jmp	*STUB_POST(%r11)
record_left:

	/* mmap, mprotect and pkey_mprotect of executable pages: C patches them */
record_exec:
	cmp	$TRACE_NR_mmap, %eax
	je	shim_cold
	cmp	$TRACE_NR_mprotect, %eax
	je	shim_cold
	cmp	$TRACE_NR_pkey_mprotect, %eax
	je	shim_cold
	jmp	record_plainly

record_gone:				/* from here on as behind record_saved */

	/* Without FSGSBASE a thread is named by its id, and bit 63. */
record_gettid:
	mov	$TRACE_NR_gettid, %eax
	syscall
	mov	SLOT_STUB(%rbx), %r11	/* the kernel destroyed it */
	shl	$16, %r11
	shr	$16, %r11
	bts	$63, %rax
	jmp	record_keyed

	/*
	 * The stack of a caller in C, copied: from RSP to where the thread
	 * began, so that all of it is the thread's own.  It may still have a
	 * hole (a guard page that the program put there), so each page is asked
	 * for first.  Where the beginning is not known, or a page missing, or
	 * the ring of copies full, C sees to it.
	 */
record_copy:				/* rax = key of the thread */
	mov	shim_stack_top(%rip), %rdi
	mov	%rdi, %rcx
	sub	%rsp, %rcx
	cmp	$STACK_MAIN_MAX, %rcx
	jb	1f			/* on the main thread's stack */
	imul	$STACK_HASH, %eax, %edx
	shr	$STACK_HASH_SHIFT, %edx
	shl	$STACK_ENTRY_SHIFT, %edx
	lea	shim_stacks(%rip), %rsi
	add	%rdx, %rsi
	cmp	STACK_KEY(%rsi), %rax
	jne	record_yield
	mov	STACK_LOW(%rsi), %rdx
	mov	STACK_TOP(%rsi), %rdi
	cmp	STACK_KEY(%rsi), %rax	/* still, so the two belong together */
	jne	record_yield
	cmp	%rdx, %rsp
	jb	record_yield
	mov	%rdi, %rcx
	sub	%rsp, %rcx
	jbe	record_yield
1:	mov	%rdi, SLOT_STACK_TOP(%rbx)
	mov	$TRACE_STACK_MAX, %edx
	cmp	%rdx, %rcx
	cmova	%rdx, %rcx
	and	$-8, %ecx
	mov	%rcx, %r8		/* r8 = bytes to copy */

	/* rt_sigprocmask(-1, address, NULL, 8) reads 8 bytes or says EFAULT,
	 * and then that there is no such request.  Asked across the end of each
	 * page, for it and the next.  A page that has the thread's beginning in
	 * it, too, is there. */
	lea	(%rsp,%r8), %r9
	mov	%rsp, %rsi
	or	$4095, %rsi
	sub	$3, %rsi
	lea	4(%rsi), %rax
	cmp	%r9, %rax
	jae	4f
3:	mov	$-1, %edi
	xor	%edx, %edx
	mov	$8, %r10d
	mov	$TRACE_NR_rt_sigprocmask, %eax
	syscall
	cmp	$-TRACE_EFAULT, %rax
	je	record_yield
	add	$4096, %rsi
	cmp	%r9, %rsi
	jb	3b

4:	mov	%r8, %rcx
	lea	TRACE_STACK_GRAIN-1(%rcx), %rdx
	and	$-TRACE_STACK_GRAIN, %edx	/* rdx = what they take */
	mov	shim_session+SESSION_STACK_HEAD(%rip), %rax
2:	lea	(%rax,%rdx), %rsi
	mov	%rsi, %rdi
	sub	shim_session+SESSION_STACK_TAIL(%rip), %rdi
	cmp	$TRACE_STACK_ROOM, %rdi
	ja	record_yield
	lock cmpxchg %rsi, shim_session+SESSION_STACK_HEAD(%rip)
record_reserved:			/* zero flag: [rax, rax + rdx) is ours */
	jne	2b
record_granted:
	mov	%rax, SLOT_STACK_AT(%rbx)
	mov	%rcx, SLOT_STACK_SIZE(%rbx)
	mov	%rcx, SLOT_FIRST(%rbx)
record_noted:
	and	$(TRACE_STACK_ROOM - 1), %eax
	lea	shim_copies(%rip), %rdi
	add	%rax, %rdi
	mov	%rsp, %rsi
	shr	$3, %ecx
	cld
	rep movsq
	mov	%rbp, SLOT_RBP(%rbx)
	mov	%r12, SLOT_R12(%rbx)
	mov	%r13, SLOT_R13(%rbx)
	mov	%r14, SLOT_R14(%rbx)
	mov	%r15, SLOT_R15(%rbx)
	orw	$TRACE_FLAG_COPIED, EVENT_FLAGS(%rbx)
	mov	EVENT_TURN(%rbx), %rax
	mov	%rax, SLOT_STACK_READY(%rbx)
	cmpq	$0, shim+GO_TLS(%rip)
	je	record_described
	jmp	record_goroutine

	/*
	 * The stack of a caller in Go text: the wrappers have no frame, so
	 * the first return address is at RSP, and RBP is the caller's frame.
	 *
	 *   rdi = frame, r8 = the one before it, rax = return address,
	 *   rsi = where it goes, rdx = where there is no room any more,
	 *   r9 = where frames end while the goroutine's own stack is walked,
	 *   else 0; rcx: scratch
	 *
	 * A frame is read only while the return address before it was in Go
	 * text and while frames rise by less than 64 KiB, or stay within the
	 * goroutine's stack.  systemstack ends it, for the goroutine goes on
	 * behind it; sigtramp does, for below it RBP belongs to the interrupted
	 * code and may be anything.  What ends in cgocallback goes on in C, and
	 * the observer unwinds it, as it does what has more frames than there
	 * is room for: copies of both stacks are C's to make.
	 */
record_walk:
	xor	%r9d, %r9d
	lea	SLOT_FRAME(%rbx), %rsi
	lea	SLOT_FRAME+8*TRACE_MAX_FRAMES(%rbx), %rdx
	mov	(%rsp), %rax
	mov	%rbp, %rdi
	mov	%rsp, %r8
1:	mov	%rax, %rcx		/* the address in rax, then the frame at rdi */
	sub	shim+GO_TEXT(%rip), %rcx
	cmp	shim+GO_TEXT_SIZE(%rip), %rcx
	jae	3f
	cmp	%rdx, %rsi
	jae	record_yield
	mov	%rax, (%rsi)
	add	$8, %rsi
	mov	%rax, %rcx
	sub	shim+GO_SIGTRAMP(%rip), %rcx
	cmp	shim+GO_SIGTRAMP_SIZE(%rip), %rcx
	jb	3f
	sub	shim+GO_SYSTEMSTACK(%rip), %rax
	cmp	shim+GO_SYSTEMSTACK_SIZE(%rip), %rax
	jb	3f
2:	mov	%rdi, %rcx
	sub	%r8, %rcx
	cmp	$STACK_RISE, %rcx
	jae	5f
6:	test	$7, %dil
	jnz	3f
	mov	8(%rdi), %rax
	mov	%rdi, %r8
	mov	(%rdi), %rdi
	jmp	1b
5:	cmp	%r9, %rdi		/* of a function with large variables */
	jae	3f
	cmp	%r8, %rdi
	ja	6b
	jmp	3f
3:	mov	-8(%rsi), %rax		/* of no frame: the slot's go_top */
	sub	shim+GO_CALLBACK(%rip), %rax
	cmp	shim+GO_CALLBACK_SIZE(%rip), %rax
	jb	record_yield
	lea	SLOT_FRAME(%rbx), %rcx
	sub	%rcx, %rsi
	shr	$3, %esi
	mov	%si, EVENT_FRAMES(%rbx)
	test	%r9, %r9
	jnz	record_described
	/* fall through */

	/*
	 * A thread on g0 may run for a goroutine, whose frames follow: from
	 * g.sched, where systemstack and asmcgocall leave a marker for pc,
	 * mcall and morestack a pc.
	 */
record_goroutine:
	mov	shim+GO_TLS(%rip), %rcx
	mov	EVENT_THREAD(%rbx), %rax
	test	%rcx, %rcx
	jz	record_described
	test	%rax, %rax
	jle	record_described	/* no FS base, or the thread's id */
	mov	(%rax,%rcx), %rax	/* g */
	test	%rax, %rax
	jz	record_described
	mov	shim+GO_G_M(%rip), %rcx
	mov	(%rax,%rcx), %rdx	/* m */
	test	%rdx, %rdx
	jz	record_described
	mov	shim+GO_M_G0(%rip), %rcx
	cmp	(%rdx,%rcx), %rax
	jne	record_apart
	mov	shim+GO_M_CURG(%rip), %rcx
	mov	(%rdx,%rcx), %r10	/* curg */
	test	%r10, %r10
	jz	record_described
	mov	shim+GO_SCHED_SP(%rip), %rcx
	mov	(%r10,%rcx), %r8
	mov	G_STACK_HIGH(%r10), %rdx
	mov	G_STACK_LOW(%r10), %rcx
	sub	%rcx, %rdx
	mov	%r8, %rsi
	sub	%rcx, %rsi
	cmp	%rdx, %rsi		/* sp on the goroutine's stack? */
	jae	record_described
	lea	-8(%rcx,%rdx), %r9
	mov	shim+GO_SCHED_BP(%rip), %rcx
	mov	(%r10,%rcx), %rdi
	mov	shim+GO_SCHED_PC(%rip), %rcx
	mov	(%r10,%rcx), %rax
	movzwl	EVENT_FRAMES(%rbx), %esi
	lea	SLOT_FRAME(%rbx,%rsi,8), %rsi
	lea	SLOT_FRAME+8*TRACE_MAX_FRAMES(%rbx), %rdx
	mov	%rax, %rcx
	sub	shim+GO_MARKER(%rip), %rcx
	cmp	shim+GO_MARKER_SIZE(%rip), %rcx
	jae	1b
	cmpq	$0, shim+GO_BARE(%rip)
	je	2b
	mov	(%r8), %rax		/* its caller, which has no frame */
	jmp	1b

	/*
	 * C code, and yet the thread is not on g0: the race detector's, to
	 * which the runtime changes the stack alone, or a handler of the
	 * program's own.  C finds the goroutine's stack.
	 */
record_apart:				/* rax = g */
	testw	$TRACE_FLAG_COPIED, EVENT_FLAGS(%rbx)
	jz	record_described
	mov	G_STACK_LOW(%rax), %rcx
	mov	G_STACK_HIGH(%rax), %rdx
	sub	%rcx, %rdx
	mov	%rsp, %rsi
	sub	%rcx, %rsi
	cmp	%rdx, %rsi
	jb	record_described
	jmp	record_yield

	/*
	 * Given up: the slot goes back unused and C records the call.  As
	 * between record_stored and record_done, but to the cold way.
	 */
record_yield:
	mov	EVENT_ARGS(%rbx), %rdi
	mov	EVENT_ARGS+8(%rbx), %rsi
	mov	EVENT_ARGS+16(%rbx), %rdx
	mov	EVENT_ARGS+24(%rbx), %r10
	mov	EVENT_ARGS+32(%rbx), %r8
	mov	EVENT_ARGS+40(%rbx), %r9
	mov	SLOT_STUB(%rbx), %r11
	mov	%r11, %rax
	shr	$48, %rax
	shl	$16, %r11
	shr	$16, %r11
	movw	$TRACE_FLAG_ABANDONED, EVENT_FLAGS(%rbx)
	mov	SLOT_RBX(%rbx), %rcx
	lock incq EVENT_TURN(%rbx)
record_yielded:				/* the slot is the reader's; rcx = rbx */
	mov	%rcx, %rbx
record_given:				/* every register is the program's */
	jmp	shim_cold
record_end:

	.section .note.GNU-stack,"",%progbits
