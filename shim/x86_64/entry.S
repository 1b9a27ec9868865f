/*
 * entry - the image's first instruction, and its last before the program's.
 *
 * At _start the kernel gives RSP = argc, argv, envp, auxv; all else is zero
 * (psABI 3.4.1, ELF_PLAT_INIT).  Boot runs on a stack of the image, since it
 * lays the program's stack out anew where the kernel's lies.
 */
	.text
	.globl	_start, shim_enter
	.hidden	shim_enter

_start:
	mov	%rsp, %rdi
	lea	shim_boot_stack(%rip), %rsp
	call	shim_boot
	hlt

	/* rdi = stack pointer, rsi = entry.  All registers as after execve. */
shim_enter:
	mov	%rsi, shim_entry(%rip)
	mov	%rdi, %rsp
	xor	%eax, %eax
	xor	%ebx, %ebx
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%ebp, %ebp
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	pushq	$0x202			/* the kernel's initial flags */
	popfq
	movq	$0, -8(%rsp)		/* and what it left below the stack */
	jmp	*shim_entry(%rip)

	.bss
	.p2align 3
shim_entry:
	.skip	8

	.section .note.GNU-stack,"",%progbits
