/*
 * area - where everything of the image lies, in one contiguous range:
 *
 *   text, constants, data, bss  |  pool of stacks  |  stubs  |  session, ring
 *   ^ __executable_start                                    shim_image_end ^
 *
 * Syscall User Dispatch knows one range per thread, from the start to
 * shim_stubs_end, so every syscall instruction of goload's is in it.  This
 * file is linked last: its .bss ends the image.
 */
#include "shim/x86_64/layout.h"
#include "trace/numbers.h"

	.globl	shim, shim_gate, shim_fsgsbase, shim_slots_pointer
	.globl	shim_pool_pointer, shim_image_size, shim_stack_top
	.hidden	shim, shim_gate, shim_fsgsbase, shim_slots_pointer
	.hidden	shim_pool_pointer, shim_image_size, shim_stack_top
	.globl	shim_pool, shim_pool_end, shim_stubs, shim_stubs_end
	.globl	shim_session, shim_reply, shim_slots, shim_image_end, shim_boot_stack
	.globl	shim_copies, shim_family
	.hidden	shim_copies, shim_family
	.hidden	shim_pool, shim_pool_end, shim_stubs, shim_stubs_end
	.hidden	shim_session, shim_reply, shim_slots, shim_image_end, shim_boot_stack

	.bss
	.p2align 6
shim:	/* struct shim_state (shim.h) */
	.set	shim_slots_pointer, shim+144
	.set	shim_pool_pointer, shim+152
	.set	shim_gate, shim+160
	.set	shim_fsgsbase, shim+164
	.set	shim_image_size, shim+168
	.set	shim_stack_top, shim+200
	.skip	256

	.p2align 12
	.skip	16384			/* the boot's stack, grows down */
shim_boot_stack:
shim_pool:
	.skip	FRAME_COUNT * FRAME_SIZE
shim_pool_end:
	.skip	4096			/* a frame's stack never reaches the stubs */
shim_stubs:
	.skip	STUB_AREA
shim_stubs_end:
	.p2align 12
shim_session:
	.skip	TRACE_SESSION_FAMILY
shim_family:
	.skip	TRACE_SESSION_REPLY - TRACE_SESSION_FAMILY
shim_reply:
	.skip	TRACE_SESSION_RING - TRACE_SESSION_REPLY
shim_slots:
	.skip	TRACE_RING_SLOTS * TRACE_RING_SLOT_SIZE
shim_copies:
	.skip	TRACE_STACK_ROOM + TRACE_STACKS_MAX
	.p2align 12
shim_image_end:

	.section .note.GNU-stack,"",%progbits
