/*
 * Sites that are hard to patch, for hazards.c and late_library.c.  Those with
 * `mem` call madvise(mem, 4096, 0), once.
 */
#ifndef HAZARDS_SITES_H
#define HAZARDS_SITES_H

#define MADVISE_AND_RETURN                                                     \
	"	mov $4096,%esi\n"                                                    \
	"	xor %edx,%edx\n"                                                     \
	"	nop\n"                                                               \
	"	mov $28,%eax\n"                                                      \
	"	syscall\n"                                                           \
	"	ret\n"

__asm__(".text\n"
        /* a branch leads into what would be the window; the next function
         * leaves no room behind it */
        ".globl site_target\n"
        ".type site_target,@function\nsite_target:\n"
        "	mov $110,%eax\n"
        "	test %edi,%edi\n"
        "	jnz 1f\n"
        "	xor %esi,%esi\n"
        "1:	xor %edx,%edx\n"
        "	syscall\n"
        "	ret\n"
        ".size site_target,.-site_target\n"
        ".globl site_itself\n"
        ".type site_itself,@function\nsite_itself:\n" /* a branch to the call */
        "	mov $4096,%esi\n"
        "	xor %edx,%edx\n"
        "	mov $28,%eax\n"
        "	jmp 1f\n"
        "1:	syscall\n"
        "	ret\n"
        ".size site_itself,.-site_itself\n"
        ".globl site_twice\n"
        ".type site_twice,@function\nsite_twice:\n" /* mem: one behind the other
                                                     */
        "	mov $4096,%esi\n"
        "	xor %edx,%edx\n"
        "	mov $28,%eax\n"
        "	syscall\n"
        "	syscall\n" /* read(mem): no such descriptor */
        "	syscall\n" /* no such call */
        "	ret\n"
        ".size site_twice,.-site_twice\n"
        /* the two bytes of the call, and the jump, lie on two pages */
        "	.p2align 12,0xcc\n"
        "	.skip 4096-1-13,0x90\n"
        ".globl site_across\n"
        ".type site_across,@function\nsite_across:\n" MADVISE_AND_RETURN
        ".size site_across,.-site_across\n"
        "	.p2align 12,0xcc\n"
        "	.skip 4096-3-8,0x90\n"
        ".globl site_between\n"
        ".type site_between,@function\nsite_between:\n" MADVISE_AND_RETURN
        ".size site_between,.-site_between\n");

long site_target(int jump); /* getppid */
long site_twice(void *mem); /* and two more, that fail: ENOSYS */
long site_itself(void *mem);
long site_across(void *mem);
long site_between(void *mem);

#endif
