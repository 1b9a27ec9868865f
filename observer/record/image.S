/* image - the freestanding image, embedded: what runs in the target. */
	.section .rodata
	.globl	record_image, record_image_size
	.p2align 6
record_image:
	.incbin	"shim/image.bin"
1:
	.p2align 3
record_image_size:
	.quad	1b - record_image

	.section .note.GNU-stack,"",%progbits
