/*
 * signal - where the kernel enters a signal handler, and where it leaves.
 *
 * At entry: rdi = signal, rsi = siginfo, rdx = ucontext, RSP = the address of
 * the restorer's address; every other register is dead, for the kernel restores
 * all of them from the context.  The program's handler starts with those four
 * as the kernel made them.
 *
 * A context inside a stub is shown to the handler as the site it stands for;
 * where to go on is kept in sigcontext.reserved1, which the kernel neither
 * writes nor reads, and put back by shim_sigreturn if the handler left the
 * address alone.
 */
#include "shim/x86_64/layout.h"
#include "trace/numbers.h"

	.text
	.globl	shim_handler, shim_handler_reset, shim_sigsys, shim_fatal
	.globl	shim_sigreturn, shim_restorer, handler_slow, handler_blocked
	.globl	handler_go, handler_open, handler_reset_open, shim_signal_end
	.hidden	shim_handler, shim_handler_reset, shim_sigsys, shim_fatal
	.hidden	shim_sigreturn, shim_restorer, handler_slow, handler_blocked
	.hidden	handler_go, handler_open, handler_reset_open, shim_signal_end

	.p2align 6
shim_handler:
	mov	UC_RIP(%rdx), %rax
	lea	__executable_start(%rip), %rcx
	sub	%rcx, %rax
	cmp	shim_image_size(%rip), %rax
	jb	handler_inside
	mov	UC_RIP(%rdx), %rax
	mov	shim_island_count(%rip), %ecx
	lea	shim_islands(%rip), %r8
1:	dec	%ecx
	js	handler_go
	mov	%rax, %r9
	sub	(%r8), %r9
	cmp	8(%r8), %r9
	jb	handler_island
	add	$16, %r8
	jmp	1b
handler_go:				/* to the program's handler */
	lea	shim_handlers(%rip), %rcx
	mov	%edi, %eax
	mov	(%rcx,%rax,8), %rax
	jmp	*%rax

	/* On an island: nothing of the window has run, so the thread is at its
	 * first byte, and goes on there. */
handler_island:
	mov	ISLAND_ENTRY(%rax), %rax	/* the stub's entry */
	lea	shim_stubs(%rip), %rcx
	sub	%rcx, %rax
	shr	$6, %rax		/* STUB_GRAIN */
	lea	shim_stub_starts(%rip), %r9
	movzwl	(%r9,%rax,2), %eax
	shl	$6, %rax
	add	%rcx, %rax
	movzbl	STUB_BEFORE(%rax), %ecx
	mov	STUB_SITE(%rax), %rax
	sub	%rcx, %rax
	mov	%rax, UC_RIP(%rdx)
	jmp	handler_go

	/* In the shim: in a stub (no state), or in its code (unwind). */
handler_inside:
	mov	UC_RIP(%rdx), %rax
	lea	shim_stubs(%rip), %rcx
	sub	%rcx, %rax
	cmp	$STUB_AREA, %rax
	jae	handler_slow
	/* rax = offset in the stub area -> r8 = its struct stub_site */
	shr	$6, %rax		/* STUB_GRAIN */
	lea	shim_stub_starts(%rip), %r9
	movzwl	(%r9,%rax,2), %eax
	shl	$6, %rax
	lea	(%rcx,%rax), %r8
	mov	UC_RIP(%rdx), %rax
	/* as stub_native(), stub_of_native() in stub.c */
	mov	STUB_SITE(%r8), %r9	/* shown: the site */
	mov	STUB_RESUME(%r8), %r10	/* go on: at resume */
	cmp	STUB_RESUME(%r8), %rax
	jb	1f
	cmp	STUB_POST(%r8), %rax
	jb	3f
	mov	%rax, %r10		/* behind the call: go on right here */
	sub	STUB_POST(%r8), %rax
	movzbl	STUB_AFTER(%r8), %r11d
	cmp	%r11, %rax
	jae	2f
	mov	STUB_NATIVE_POST(%r8), %r9
	add	%rax, %r9
	jmp	3f
2:	mov	STUB_RETURN(%r8), %r9	/* native code again */
	mov	%r9, UC_RIP(%rdx)
	jmp	handler_go
1:	mov	%rax, %r10		/* before the call: go on right here */
	sub	STUB_ENTRY(%r8), %rax
	movzbl	STUB_BEFORE(%r8), %r11d
	sub	%r11, %r9
	add	%rax, %r9
3:	movl	$UC_COOKIE_VALUE, UC_COOKIE(%rdx)
	mov	%r9, UC_SHOWN(%rdx)
	mov	%r10, UC_RESUME(%rdx)
	mov	%r9, UC_RIP(%rdx)
	jmp	handler_go

	/* In goload's own code: unwind it, with every signal blocked. */
handler_slow:
	mov	%rdi, %r12
	mov	%rsi, %r13
	mov	%rdx, %r14
	mov	%rsp, %r15
	mov	$2, %edi
	lea	handler_all_signals(%rip), %rsi
	lea	-136(%rsp), %rdx	/* below: nothing of the program's */
	mov	$8, %r10d
	mov	$TRACE_NR_rt_sigprocmask, %eax
	syscall
handler_blocked:
	sub	$152, %rsp
	and	$-16, %rsp
	mov	-136(%r15), %rbx	/* the handler's mask */
	mov	%r14, %rdi
	call	shim_unwind
	mov	%rbx, (%rsp)
	mov	$2, %edi
	mov	%rsp, %rsi
	xor	%edx, %edx
	mov	$8, %r10d
	mov	$TRACE_NR_rt_sigprocmask, %eax
	syscall
handler_open:
	mov	%r15, %rsp
	mov	%r12, %rdi
	mov	%r13, %rsi
	mov	%r14, %rdx
	jmp	handler_go

	/* SA_RESETHAND: the disposition is the default one from now on.  The
	 * kernel has blocked every signal for this; the handler's own mask is
	 * put in force at the end. */
shim_handler_reset:
	mov	%rdi, %r12
	mov	%rsi, %r13
	mov	%rdx, %r14
	mov	%rsp, %r15
	sub	$24, %rsp
	and	$-16, %rsp
	mov	%rdx, %rsi
	mov	%rsp, %rdx
	call	shim_handler_reset_take	/* rax = the handler it had */
	mov	%rax, %rbx
	mov	$2, %edi
	mov	%rsp, %rsi
	xor	%edx, %edx
	mov	$8, %r10d
	mov	$TRACE_NR_rt_sigprocmask, %eax
	syscall
handler_reset_open:
	mov	%r15, %rsp
	mov	%r12, %rdi
	mov	%r13, %rsi
	mov	%r14, %rdx
	jmp	*%rbx

	/* The net.  The handler's mask is all signals: nothing interrupts it. */
	.p2align 4
shim_sigsys:
	mov	%rdx, %r14
	mov	%rdi, %r12
	mov	%rsi, %r13
	mov	%rsp, %r15
	sub	$8, %rsp
	and	$-16, %rsp
	call	shim_net_signal		/* 0, or the program's handler */
	mov	%r15, %rsp
	test	%rax, %rax
	jnz	1f
	ret
1:	mov	%r12, %rdi
	mov	%r13, %rsi
	mov	%r14, %rdx
	jmp	*%rax

	/* A signal that kills, with the default disposition. */
	.p2align 4
shim_fatal:
	mov	%rsp, %r15
	sub	$8, %rsp
	and	$-16, %rsp
	call	shim_fatal_signal
	mov	%r15, %rsp
	ret

shim_restorer:
	mov	$TRACE_NR_rt_sigreturn, %eax
	syscall

	/* In place of a program's rt_sigreturn: RSP = ucontext.  Every register
	 * is about to be replaced. */
	.p2align 4
shim_sigreturn:
	cmpl	$UC_COOKIE_VALUE, UC_COOKIE(%rsp)
	jne	1f
	mov	UC_SHOWN(%rsp), %rcx
	cmp	UC_RIP(%rsp), %rcx
	jne	1f
	mov	UC_RESUME(%rsp), %rcx
	mov	%rcx, UC_RIP(%rsp)
1:	andb	$0xbf, UC_SIGMASK+3(%rsp)	/* SIGSYS stays deliverable */
	mov	$TRACE_NR_rt_sigreturn, %eax
	syscall
shim_signal_end:

	.section .rodata
	.p2align 3
handler_all_signals:
	.quad	-1

	.section .note.GNU-stack,"",%progbits
