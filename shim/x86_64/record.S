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
record_walked:
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
	 * The stack of a caller in Go text: the wrappers have no frame, so
	 * the first return address is at RSP, and RBP is the caller's frame.
	 *
	 *   rdi = frame, rsi = where the next address goes, rdx = its end,
	 *   rax = return address, rcx and r8 and r10: scratch
	 *
	 * A frame is read only while the return address before it was in Go
	 * text and while frames rise by less than 64 KiB; systemstack alone
	 * may lead to another stack.  sigtramp ends it: below it RBP belongs to
	 * the interrupted code and may be anything.
	 */
record_walk:
	lea	SLOT_FRAME(%rbx), %rsi
	lea	SLOT_FRAME+8*TRACE_MAX_FRAMES(%rbx), %rdx
	mov	(%rsp), %rax
	mov	%rax, (%rsi)
	add	$8, %rsi
	mov	%rax, %rcx
	sub	shim_go_text(%rip), %rcx
	cmp	shim_go_text_size(%rip), %rcx
	jae	3f
	mov	%rbp, %rdi
	mov	%rsp, %r8
2:	mov	%rdi, %rcx
	sub	%r8, %rcx		/* rises from r8, by less than 64 KiB? */
	cmp	$0x10000, %rcx
	jae	4f
5:	test	$7, %dil
	jnz	3f
	mov	8(%rdi), %rax
	mov	%rax, %rcx
	sub	shim_go_text(%rip), %rcx
	cmp	shim_go_text_size(%rip), %rcx
	jae	3f
	cmp	%rdx, %rsi
	jae	6f
	mov	%rax, (%rsi)
	add	$8, %rsi
	mov	%rax, %rcx
	sub	shim_sigtramp(%rip), %rcx
	cmp	shim_sigtramp_size(%rip), %rcx
	jb	3f
	mov	%rdi, %r8
	mov	(%rdi), %rdi
	jmp	2b
4:	/* out of this stack: allowed right behind systemstack only */
	mov	-8(%rsi), %rcx
	sub	shim_systemstack(%rip), %rcx
	cmp	shim_systemstack_size(%rip), %rcx
	jae	3f
	cmp	$0x10000, %rdi
	jae	5b
	jmp	3f
6:	orw	$TRACE_FLAG_CUT, EVENT_FLAGS(%rbx)
3:	lea	SLOT_FRAME(%rbx), %rcx
	sub	%rcx, %rsi
	shr	$3, %esi
	mov	%si, EVENT_FRAMES(%rbx)
	jmp	record_walked
record_end:

	.section .note.GNU-stack,"",%progbits
