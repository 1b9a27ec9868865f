/* page - the page, embedded: web/page.html, up to where its data begins.  Empty
 * where it could not be built (web/build.sh). */
	.section .rodata
	.globl	report_page, report_page_size
report_page:
	.incbin	"web/page.html"
1:
	.p2align 3
report_page_size:
	.quad	1b - report_page

	.section .note.GNU-stack,"",%progbits
