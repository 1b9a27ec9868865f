/* sites: hand-assembled functions, one fact each. */
#include "observer/sites/sites.h"

#include "observer/sites/code.h"
#include "observer/sites/step.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdlib.h>
#include <string.h>

#define BASE 0x401000ul
#define MAX  8

/* What sites_find says of a few bytes at BASE. */
struct found {
	size_t count;
	struct sites_site site[MAX];
};

static struct found find_in(const uint8_t *bytes, size_t size,
                            const uint64_t *starts, size_t start_count)
{
	const struct sites_text text = { bytes, BASE, size };
	const struct sites_input input = {
		.text = &text,
		.text_count = 1,
		.starts = starts,
		.start_count = start_count,
		.go_text = { BASE, BASE + 8 },
		.module = PATCH_INTERP,
	};
	struct sites_result result;
	struct found found = { 0 };
	cr_assert(eq(int, sites_find(&input, &result), SITES_OK));
	cr_assert(le(sz, result.count, MAX));
	found.count = result.count;
	if (result.count)
		memcpy(found.site, result.site,
		       result.count * sizeof(*result.site));
	sites_free(&result);
	return found;
}

/* One function that begins with the first byte. */
#define FIND(...)                                                              \
	({                                                                     \
		const uint8_t bytes_[] = { __VA_ARGS__ };                      \
		const uint64_t starts_[] = { BASE };                           \
		find_in(bytes_, sizeof(bytes_), starts_, 1);                   \
	})

#define STARTS(...)                                                            \
	(const uint64_t[])                                                     \
	{                                                                      \
		__VA_ARGS__                                                    \
	}

#define FIND_FROM(starts, n, ...)                                              \
	({                                                                     \
		const uint8_t bytes_[] = { __VA_ARGS__ };                      \
		find_in(bytes_, sizeof(bytes_), starts, n);                    \
	})

/* clang-format off */
#define MOV_EAX(n)  0xb8, n, 0, 0, 0                /* mov $n,%eax */
#define MOV_RAX(n)  0x48, 0xc7, 0xc0, n, 0, 0, 0    /* mov $n,%rax */
#define SYSCALL     0x0f, 0x05
#define CMP_ERROR   0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff /* cmp $-4095,%rax */
#define TEST_EAX    0x85, 0xc0                      /* test %eax,%eax */
#define RET         0xc3
/* clang-format on */

static void expect(const struct sites_site *site, enum sites_verdict verdict,
                   int before, int after)
{
	cr_expect(eq(int, site->verdict, verdict));
	cr_expect(eq(int, site->patch.before, before));
	cr_expect(eq(int, site->patch.after, after));
}

Test(sites, moves_the_number_and_knows_it)
{
	struct found f = FIND(MOV_EAX(9), SYSCALL, CMP_ERROR, RET);
	cr_assert(eq(sz, f.count, 1));
	expect(&f.site[0], SITES_BACKWARD, 5, 0);
	cr_expect(eq(int, f.site[0].patch.nr, 9));
	cr_expect(eq(ulong, f.site[0].patch.site, BASE + 5));
	cr_expect(eq(ulong, f.site[0].function, BASE));
	cr_expect(eq(int, f.site[0].patch.module, PATCH_INTERP));
	cr_expect(
		eq(int,
	           memcmp(f.site[0].patch.code, ((uint8_t[]){ MOV_EAX(9) }), 5),
	           0));
}

Test(sites, reads_the_number_of_the_signal_restorer)
{
	struct found f = FIND(MOV_RAX(15), SYSCALL, 0xcd, 3 /* int $3 */, RET);
	expect(&f.site[0], SITES_BACKWARD, 7, 0);
	cr_expect(eq(int, f.site[0].patch.nr, 15));
}

Test(sites, reads_zero_from_xor)
{
	/* xor %eax,%eax; mov %rbx,%rdi */
	struct found f = FIND(0x31, 0xc0, 0x48, 0x89, 0xdf, SYSCALL, CMP_ERROR);
	expect(&f.site[0], SITES_BACKWARD, 3, 0);
	cr_expect(eq(int, f.site[0].patch.nr, 0));
}

Test(sites, finds_the_number_outside_the_window)
{
	/* mov $0x38,%eax; mov %rbx,%rdi; mov %rbx,%rdi */
	struct found f = FIND(MOV_EAX(0x38), 0x48, 0x89, 0xdf, 0x48, 0x89, 0xdf,
	                      SYSCALL, CMP_ERROR);
	expect(&f.site[0], SITES_BACKWARD, 3, 0);
	cr_expect(eq(int, f.site[0].patch.nr, 0x38));
}

Test(sites, has_no_number_behind_a_call)
{
	/* mov $1,%eax; call +0; mov %rbx,%rdi */
	struct found f = FIND(MOV_EAX(1), 0xe8, 0, 0, 0, 0, 0x48, 0x89, 0xdf,
	                      SYSCALL, CMP_ERROR);
	cr_expect(eq(int, f.site[0].patch.nr, PATCH_ANY));
}

Test(sites, has_no_number_behind_another_syscall)
{
	/* mov $28,%eax; syscall; int $0x80; mov %rbx,%rdi; syscall */
	struct found f = FIND(MOV_EAX(28), SYSCALL, 0x48, 0x89, 0xdf, SYSCALL,
	                      0xcd, 0x80, 0x48, 0x89, 0xdf, SYSCALL, CMP_ERROR);
	cr_assert(eq(sz, f.count, 3));
	cr_expect(eq(int, f.site[0].patch.nr, 28));
	cr_expect(eq(int, f.site[1].patch.nr, PATCH_ANY));
	cr_expect(eq(int, f.site[2].patch.nr, PATCH_ANY));
}

Test(sites, has_no_number_when_a_part_of_eax_is_loaded)
{
	/* mov $1,%eax; mov $2,%al; mov %rbx,%rdi */
	struct found f =
		FIND(MOV_EAX(1), 0xb0, 2, 0x48, 0x89, 0xdf, SYSCALL, CMP_ERROR);
	cr_expect(eq(int, f.site[0].patch.nr, PATCH_ANY));
}

Test(sites, has_no_number_where_a_jump_comes_in)
{
	/* jne 1f; mov $1,%eax; 1: mov %rbx,%rdi; syscall */
	struct found f =
		FIND(0x75, 5, MOV_EAX(1), 0x48, 0x89, 0xdf, SYSCALL, CMP_ERROR);
	expect(&f.site[0], SITES_BACKWARD, 3, 0);
	cr_expect(eq(int, f.site[0].patch.nr, PATCH_ANY));
}

Test(sites, fits_five_bytes_exactly)
{
	/* Syscall6: mov %rbx,%rdi; syscall */
	struct found f = FIND(0x48, 0x89, 0xdf, SYSCALL, CMP_ERROR, RET);
	expect(&f.site[0], SITES_BACKWARD, 3, 0);
	cr_expect(eq(int, f.site[0].patch.nr, PATCH_ANY));
}

Test(sites, moves_the_pop_of_raw_vfork)
{
	/* mov 8(%rsp),%rax; pop %r12; syscall; push %r12 */
	struct found f = FIND(0x48, 0x8b, 0x44, 0x24, 8, 0x41, 0x5c, SYSCALL,
	                      0x41, 0x54, CMP_ERROR, RET);
	expect(&f.site[0], SITES_BACKWARD, 7, 0);
	cr_expect(eq(
		int,
		memcmp(f.site[0].patch.code, "\x48\x8b\x44\x24\x08\x41\x5c", 7),
		0));
}

Test(sites, sees_that_clone_flags_are_no_syscall)
{
	/* runtime.newosproc: movl $0x50f00,(%rsp) */
	struct found f = FIND(0xc7, 0x04, 0x24, 0x00, 0x0f, 0x05, 0x00, RET);
	cr_assert(eq(sz, f.count, 1));
	expect(&f.site[0], SITES_INSIDE, 0, 0);
	cr_expect(not(sites_real(f.site[0].verdict)));
}

Test(sites, sees_a_pair_across_two_instructions)
{
	/* mov $0xf000000,%edx; add $0x241c8b48,%eax */
	struct found f =
		FIND(0xba, 0, 0, 0, 0x0f, 0x05, 0x48, 0x8b, 0x1c, 0x24, RET);
	expect(&f.site[0], SITES_INSIDE, 0, 0);
}

Test(sites, goes_forward_from_a_syscall_that_is_jumped_to)
{
	/* mov $1,%eax; 1: syscall; test %eax,%eax; nop; jne 1b; ret */
	struct found f =
		FIND(MOV_EAX(1), SYSCALL, TEST_EAX, 0x90, 0x75, 0xf9, RET);
	expect(&f.site[0], SITES_FORWARD, 0, 3);
	cr_expect(eq(int, f.site[0].patch.nr, PATCH_ANY));
	cr_expect(eq(int, memcmp(f.site[0].patch.code, "\x85\xc0\x90", 3), 0));
}

Test(sites, goes_forward_at_the_start_of_a_function)
{
	struct found f = FIND(SYSCALL, CMP_ERROR, RET);
	expect(&f.site[0], SITES_FORWARD, 0, 6);
}

Test(sites, goes_forward_behind_a_rip_relative_load)
{
	/* mov 0(%rip),%edi; syscall; cmp */
	struct found f = FIND(0x8b, 0x3d, 0, 0, 0, 0, SYSCALL, CMP_ERROR, RET);
	expect(&f.site[0], SITES_FORWARD, 0, 6);
}

Test(sites, never_moves_code_that_reads_what_a_syscall_leaves_in_rcx)
{
	/* syscall; mov %rcx,%rdx; xor %eax,%eax; ret */
	struct found f = FIND(SYSCALL, 0x48, 0x89, 0xca, 0x31, 0xc0, RET);
	expect(&f.site[0], SITES_NO_ROOM, 0, 0);
}

Test(sites, never_moves_code_that_reads_r11_in_an_address)
{
	/* syscall; mov (%r11),%rdx; xor %eax,%eax; ret */
	struct found f = FIND(SYSCALL, 0x49, 0x8b, 0x13, 0x31, 0xc0, RET);
	expect(&f.site[0], SITES_NO_ROOM, 0, 0);
}

Test(sites, moves_code_that_uses_rcx_before)
{
	/* mov %rcx,%r10; syscall */
	struct found f = FIND(0x49, 0x89, 0xca, SYSCALL, CMP_ERROR, RET);
	expect(&f.site[0], SITES_BACKWARD, 3, 0);
}

Test(sites, takes_both_sides_when_neither_is_enough)
{
	/* jmp 1f; 1: push %rbx; nop; syscall; xor %eax,%eax; 2: ret; jmp 2b */
	struct found f =
		FIND(0xeb, 0, 0x53, 0x90, SYSCALL, 0x31, 0xc0, RET, 0xeb, 0xfd);
	expect(&f.site[0], SITES_MIXED, 2, 2);
	cr_expect(eq(int, memcmp(f.site[0].patch.code, "\x53\x90\x31\xc0", 4),
	             0));
}

Test(sites, takes_a_return_and_the_padding_behind_it)
{
	/* syscall; ret; int3; int3; int3 */
	struct found f = FIND(SYSCALL, RET, 0xcc, 0xcc, 0xcc);
	expect(&f.site[0], SITES_EXACT, 0, 3);
}

Test(sites, leaves_a_return_that_has_code_behind_it)
{
	/* syscall; ret; xor %eax,%eax; ret */
	struct found f = FIND(SYSCALL, RET, 0x31, 0xc0, RET);
	expect(&f.site[0], SITES_NO_ROOM, 0, 0);
}

Test(sites, finds_no_room_between_two_jumps)
{
	/* jmp 1f; 1: syscall; jmp 2f; 2: xor %eax,%eax; ret */
	struct found f = FIND(0xeb, 0, SYSCALL, 0xeb, 0, 0x31, 0xc0, RET);
	expect(&f.site[0], SITES_NO_ROOM, 0, 0);
}

Test(sites, gives_shared_bytes_to_the_smaller_window)
{
	/* syscall; mov %ebx,%edi; mov %rbx,%rsi; syscall: both want the last,
	 * the first would need five bytes and the second needs three */
	struct found f = FIND(SYSCALL, 0x89, 0xdf, 0x48, 0x89, 0xde, SYSCALL,
	                      CMP_ERROR, RET);
	cr_assert(eq(sz, f.count, 2));
	expect(&f.site[0], SITES_NO_ROOM, 0, 0);
	expect(&f.site[1], SITES_BACKWARD, 3, 0);
}

Test(sites, gives_shared_bytes_to_the_first_of_two_equal_windows)
{
	/* syscall; mov $3,%eax; syscall; cmp */
	struct found f = FIND(SYSCALL, MOV_EAX(3), SYSCALL, CMP_ERROR, RET);
	cr_assert(eq(sz, f.count, 2));
	expect(&f.site[0], SITES_FORWARD, 0, 5);
	expect(&f.site[1], SITES_FORWARD, 0, 6);
}

Test(sites, never_lets_two_windows_overlap)
{
	/* push %rbx; mov %rbx,%rdi; syscall; syscall; cmp */
	struct found f =
		FIND(0x53, 0x48, 0x89, 0xdf, SYSCALL, SYSCALL, CMP_ERROR, RET);
	cr_assert(eq(sz, f.count, 2));
	expect(&f.site[0], SITES_BACKWARD, 3, 0);
	expect(&f.site[1], SITES_FORWARD, 0, 6);
}

Test(sites, rejects_a_window_that_another_function_jumps_into)
{
	/* f: mov $1,%eax; syscall; cmp; ret;  g: jmp f+5 */
	struct found f =
		FIND_FROM(STARTS(BASE, BASE + 14), 2, MOV_EAX(1), SYSCALL,
	                  CMP_ERROR, RET, 0xe9, 0xf2, 0xff, 0xff, 0xff);
	expect(&f.site[0], SITES_FORWARD, 0, 6);
	cr_expect(eq(int, f.site[0].patch.nr, PATCH_ANY));
}

Test(sites, rejects_a_window_that_a_neighbour_jumps_into_with_two_bytes)
{
	/* f: mov $1,%eax; syscall; cmp; ret;  g: jmp f+5 */
	struct found f = FIND_FROM(STARTS(BASE, BASE + 14), 2, MOV_EAX(1),
	                           SYSCALL, CMP_ERROR, RET, 0xeb, 0xf5);
	expect(&f.site[0], SITES_FORWARD, 0, 6);
}

Test(sites, is_not_fooled_by_an_immediate_that_looks_like_a_jump)
{
	/* g: mov $0xf4eb,%eax is no jmp f+5 */
	struct found f =
		FIND_FROM(STARTS(BASE, BASE + 14), 2, MOV_EAX(1), SYSCALL,
	                  CMP_ERROR, RET, 0xb8, 0xeb, 0xf4, 0, 0, RET);
	expect(&f.site[0], SITES_BACKWARD, 5, 0);
}

Test(sites, allows_a_jump_to_the_first_byte_of_a_window)
{
	/* 1: mov $1,%eax; syscall; test %eax,%eax; jne 1b */
	struct found f = FIND(MOV_EAX(1), SYSCALL, TEST_EAX, 0x75, 0xf5, RET);
	expect(&f.site[0], SITES_BACKWARD, 5, 0);
	cr_expect(eq(int, f.site[0].patch.nr, 1));
}

Test(sites, leaves_live_flags_alone)
{
	/* cmp $1,%rdi; mov $1,%eax; syscall; jb +0; ret */
	struct found f =
		FIND(0x48, 0x83, 0xff, 1, MOV_EAX(1), SYSCALL, 0x72, 0, RET);
	expect(&f.site[0], SITES_FLAGS_LIVE, 0, 0);
	cr_expect(eq(int, f.site[0].patch.nr, 1));
}

Test(sites, sees_lahf_read_the_flags)
{
	struct found f = FIND(MOV_EAX(1), SYSCALL, 0x9f, RET);
	expect(&f.site[0], SITES_FLAGS_LIVE, 0, 0);
}

Test(sites, knows_that_inc_leaves_the_carry)
{
	/* syscall; inc %ebx; jb +0 */
	struct found f = FIND(MOV_EAX(1), SYSCALL, 0xff, 0xc3, 0x72, 0, RET);
	expect(&f.site[0], SITES_FLAGS_LIVE, 0, 0);
}

Test(sites, knows_that_a_shift_by_cl_may_write_nothing)
{
	/* syscall; shl %cl,%ebx; je +0 */
	struct found f = FIND(MOV_EAX(1), SYSCALL, 0xd3, 0xe3, 0x74, 0, RET);
	expect(&f.site[0], SITES_FLAGS_LIVE, 0, 0);
}

Test(sites, follows_a_jump_to_where_the_flags_are_read)
{
	/* syscall; jmp 1f; cmp; 1: je +0; ret */
	struct found f =
		FIND(MOV_EAX(1), SYSCALL, 0xeb, 6, CMP_ERROR, 0x74, 0, RET);
	expect(&f.site[0], SITES_FLAGS_LIVE, 0, 0);
}

Test(sites, looks_down_both_ways_of_a_jump_that_reads_no_flags)
{
	/* syscall; jrcxz 1f; ret; 1: jb +0; ret */
	struct found f = FIND(MOV_EAX(1), SYSCALL, 0xe3, 1, RET, 0x72, 0, RET);
	expect(&f.site[0], SITES_FLAGS_LIVE, 0, 0);
}

Test(sites, sees_flags_die_in_an_endless_loop)
{
	/* runtime.exitThread: syscall; int $3; 1: jmp 1b */
	struct found f = FIND(MOV_EAX(60), SYSCALL, 0xcd, 3, 0xeb, 0xfe);
	expect(&f.site[0], SITES_BACKWARD, 5, 0);
}

Test(sites, survives_a_signal_frame_that_starts_a_byte_early)
{
	/* f: ret; nopw 0(%rax,%rax); restorer: mov $15,%rax; syscall.
	 * Read from a byte before: add %cl,-57(%rax); rorb $0,(%rdi) ... */
	struct found f =
		FIND_FROM(STARTS(BASE, BASE + 6), 2, RET, 0x66, 0x0f, 0x1f,
	                  0x44, 0x00, 0x00, MOV_RAX(15), SYSCALL, RET);
	cr_assert(eq(sz, f.count, 1));
	expect(&f.site[0], SITES_UNPROVEN, 0, 0);
	cr_expect(eq(ulong, f.site[0].function, 0));
}

Test(sites, trusts_the_right_one_of_two_starts)
{
	struct found f =
		FIND_FROM(STARTS(BASE, BASE + 6, BASE + 7), 3, RET, 0x66, 0x0f,
	                  0x1f, 0x44, 0x00, 0x00, MOV_RAX(15), SYSCALL, RET);
	expect(&f.site[0], SITES_BACKWARD, 7, 0);
	cr_expect(eq(int, f.site[0].patch.nr, 15));
}

Test(sites, proves_nothing_without_a_function)
{
	struct found f =
		FIND_FROM(STARTS(BASE + 8), 1, MOV_EAX(1), SYSCALL, RET, RET);
	expect(&f.site[0], SITES_UNPROVEN, 0, 0);
	cr_expect(eq(ulong, f.site[0].function, 0));
}

Test(sites, proves_nothing_behind_bytes_that_are_no_instruction)
{
	/* 06 does not exist in 64-bit mode */
	struct found f = FIND(RET, 0x06, MOV_EAX(1), SYSCALL, RET);
	expect(&f.site[0], SITES_UNPROVEN, 0, 0);
}

Test(sites, proves_nothing_in_data_behind_a_jump)
{
	/* jmp *%rax; .quad ...: bytes that happen to decode */
	struct found f = FIND(0xff, 0xe0, 0x00, 0x00, SYSCALL, 0x00, 0x00);
	expect(&f.site[0], SITES_UNPROVEN, 0, 0);
}

Test(sites, believes_unreached_code_that_loads_a_number)
{
	/* ret; nop; mov $15,%rax; syscall: musl's restorer has no symbol */
	struct found f = FIND(RET, 0x90, MOV_RAX(15), SYSCALL, TEST_EAX, RET);
	expect(&f.site[0], SITES_BACKWARD, 7, 0);
}

Test(sites, believes_unreached_code_that_calls_a_known_function)
{
	/* f: ret; mov %r8,%rax; syscall; mov %rax,%rdi; call f */
	struct found f = FIND(RET, 0x4c, 0x89, 0xc0, SYSCALL, 0x48, 0x89, 0xc7,
	                      0xe8, 0xf2, 0xff, 0xff, 0xff, RET);
	expect(&f.site[0], SITES_BACKWARD, 3, 0);
}

Test(sites, proves_nothing_where_a_jump_reads_the_bytes_otherwise)
{
	/* jne 1f; mov $...,%eax with 1: in its middle, before the syscall */
	struct found f =
		FIND(0x75, 1, 0xb8, 0x48, 0xb8, 1, 2, SYSCALL, 3, 4, 5, 6, RET);
	expect(&f.site[0], SITES_UNPROVEN, 0, 0);
}

Test(sites, moves_only_operands_where_a_jump_table_may_lead)
{
	/* mov %rbx,16(%rbx); syscall; cmp; jmp *%rax */
	struct found f =
		FIND(0x48, 0x89, 0x5b, 0x10, SYSCALL, CMP_ERROR, 0xff, 0xe0);
	expect(&f.site[0], SITES_NO_ROOM, 0, 0);
}

Test(sites, moves_what_follows_the_number_where_a_jump_table_may_lead)
{
	/* mov $0xcc,%eax; movaps %xmm0,0x190(%rsp), 13 times; syscall; cmp;
	 * jmp *%rax: musl's sysconf */
	static const uint8_t head[] = { 0xb8, 0xcc, 0, 0, 0 };
	static const uint8_t store[] = { 0x0f, 0x29, 0x84, 0x24,
		                         0x90, 0x01, 0x00, 0x00 };
	static const uint8_t tail[] = { SYSCALL, CMP_ERROR, 0xff, 0xe0 };
	const uint64_t starts[] = { BASE };
	uint8_t bytes[5 + 13 * 8 + 10];
	memcpy(bytes, head, 5);
	for (size_t i = 0; i < 13; i++)
		memcpy(bytes + 5 + 8 * i, store, 8);
	memcpy(bytes + 5 + 13 * 8, tail, 10);
	struct found f = find_in(bytes, sizeof(bytes), starts, 1);
	expect(&f.site[0], SITES_BACKWARD, 8, 0);
	cr_expect(eq(int, f.site[0].patch.nr, 0xcc));
}

#define MOV_RAX_RDI 0x48, 0x89, 0xc7 /* mov %rax,%rdi */

/* f: test %edi,%edi; je 1f; ret; 1: syscall; mov %rax,%rdi; then ... */
#define DIRECT(...)                                                            \
	FIND(0x85, 0xff, 0x74, 1, RET, SYSCALL, MOV_RAX_RDI, __VA_ARGS__)

Test(sites, knows_a_jump_table_of_the_next_function)
{
	/* ret; nop; g: jmp *%rax */
	struct found f = DIRECT(RET, 0x90, 0xff, 0xe0);
	expect(&f.site[0], SITES_FORWARD, 0, 3);
	/* test %eax,%eax; jmp *%rax */
	f = DIRECT(TEST_EAX, 0xff, 0xe0);
	expect(&f.site[0], SITES_NO_ROOM, 0, 0);
	/* test %eax,%eax; jmp out of the function; g: jmp *%rax */
	f = DIRECT(TEST_EAX, 0xeb, 0x70, 0xff, 0xe0);
	expect(&f.site[0], SITES_NO_ROOM, 0, 0);
}

Test(sites, knows_a_call_that_does_not_return)
{
	/* call h; nop; g: jmp *%rax; h: hlt */
	struct found f = DIRECT(0xe8, 3, 0, 0, 0, 0x90, 0xff, 0xe0, 0xf4);
	expect(&f.site[0], SITES_FORWARD, 0, 3);
	/* h: ret; then h: nop; ret */
	f = DIRECT(0xe8, 3, 0, 0, 0, 0x90, 0xff, 0xe0, RET);
	expect(&f.site[0], SITES_NO_ROOM, 0, 0);
	f = DIRECT(0xe8, 3, 0, 0, 0, 0x90, 0xff, 0xe0, 0x90, RET);
	expect(&f.site[0], SITES_NO_ROOM, 0, 0);
}

/* f: jmp *%rax; nop; g: ...; 1: syscall; mov %rax,%rdi ... */
#define FRAME(...) FIND(0xff, 0xe0, 0x90, __VA_ARGS__)

Test(sites, knows_a_function_by_its_frame)
{
	/* push %rbx; test %edi,%edi; je 1f; pop %rbx; ret; 1: ...; pop; ret */
	struct found f = FRAME(0x53, 0x85, 0xff, 0x74, 2, 0x5b, RET, SYSCALL,
	                       MOV_RAX_RDI, 0x5b, RET);
	expect(&f.site[0], SITES_FORWARD, 0, 3);
	/* the second return is on another stack */
	f = FRAME(0x53, 0x85, 0xff, 0x74, 2, 0x5b, RET, SYSCALL, MOV_RAX_RDI,
	          RET);
	expect(&f.site[0], SITES_NO_ROOM, 0, 0);
	/* the frame is gone when it gets to the site */
	f = FRAME(0x53, 0x5b, 0x85, 0xff, 0x74, 1, RET, SYSCALL, MOV_RAX_RDI,
	          RET);
	expect(&f.site[0], SITES_NO_ROOM, 0, 0);
	/* sub $8,%rsp after the push, and both are undone, or only one is */
	f = FRAME(0x53, 0x48, 0x83, 0xec, 8, 0x85, 0xff, 0x74, 0, SYSCALL,
	          MOV_RAX_RDI, 0x48, 0x83, 0xc4, 8, 0x5b, RET);
	expect(&f.site[0], SITES_FORWARD, 0, 3);
	f = FRAME(0x53, 0x48, 0x83, 0xec, 8, 0x85, 0xff, 0x74, 0, SYSCALL,
	          MOV_RAX_RDI, 0x5b, RET);
	expect(&f.site[0], SITES_NO_ROOM, 0, 0);
	/* what is behind mov %rdi,%rsp is not known */
	f = FRAME(0x53, 0x48, 0x89, 0xfc, 0x85, 0xff, 0x74, 0, SYSCALL,
	          MOV_RAX_RDI, 0x5b, RET);
	expect(&f.site[0], SITES_NO_ROOM, 0, 0);
}

/* f: jmp f; g: push %rbp; push %rbx; mov %r8,%rax; syscall; ... */
#define SAVES(...)                                                             \
	FIND(0xeb, 0xfe, 0x55, 0x53, 0x4c, 0x89, 0xc0, SYSCALL, __VA_ARGS__)

Test(sites, believes_unreached_code_that_saves_and_restores_registers)
{
	struct found f = SAVES(0x5b, 0x5d, RET);
	expect(&f.site[0], SITES_BACKWARD, 3, 0);
	/* in the wrong order, too few, one alone, and no return */
	f = SAVES(0x5d, 0x5b, RET);
	expect(&f.site[0], SITES_UNPROVEN, 0, 0);
	f = SAVES(0x5b, RET);
	expect(&f.site[0], SITES_UNPROVEN, 0, 0);
	f = SAVES(0x5b, 0x5d, 0xf4);
	expect(&f.site[0], SITES_UNPROVEN, 0, 0);
	f = FIND(0xeb, 0xfe, 0x53, 0x4c, 0x89, 0xc0, SYSCALL, 0x5b, RET);
	expect(&f.site[0], SITES_UNPROVEN, 0, 0);
}

Test(sites, has_no_place_for_prefixes)
{
	/* rex.W syscall */
	struct found f = FIND(MOV_EAX(1), 0x48, SYSCALL, CMP_ERROR, RET);
	expect(&f.site[0], SITES_NO_ROOM, 0, 0);
	cr_expect(sites_real(f.site[0].verdict));
}

Test(sites, knows_go_text_by_the_site)
{
	/* Go text is the first 8 bytes */
	struct found f =
		FIND(MOV_EAX(1), SYSCALL, MOV_EAX(1), SYSCALL, CMP_ERROR, RET);
	cr_assert(eq(sz, f.count, 2));
	cr_expect(eq(int, f.site[0].patch.go, 1));
	cr_expect(eq(int, f.site[1].patch.go, 0));
}

Test(sites, finds_nothing_in_nothing)
{
	cr_expect(eq(sz, FIND(RET).count, 0));
	cr_expect(eq(sz, FIND(0x0f).count, 0));
}

/* The scan reads 64 bytes at a time: a pair may lie anywhere in them. */
Test(sites, finds_a_pair_at_every_offset)
{
	for (size_t at = 5; at < 200; at++) {
		uint8_t bytes[204];
		const uint64_t starts[] = { BASE };
		memset(bytes, 0x90, sizeof(bytes));
		memcpy(bytes + at - 5, (uint8_t[]){ MOV_EAX(1), SYSCALL }, 7);
		struct found f = find_in(bytes, sizeof(bytes), starts, 1);
		cr_assert(eq(sz, f.count, 1));
		cr_expect(eq(ulong, f.site[0].patch.site, BASE + at));
		cr_expect(eq(int, f.site[0].patch.nr, 1));
	}
}

Test(sites, finds_a_far_jump_at_every_offset)
{
	for (size_t at = 14; at < 200; at++) {
		uint8_t bytes[206];
		const uint64_t starts[] = { BASE, BASE + 14 };
		int32_t distance = 5 - (int32_t)(at + 5);
		memset(bytes, 0x90, sizeof(bytes));
		memcpy(bytes,
		       (uint8_t[]){ MOV_EAX(1), SYSCALL, CMP_ERROR, RET }, 14);
		bytes[at] = 0xe9;
		memcpy(bytes + at + 1, &distance, 4);
		struct found f = find_in(bytes, sizeof(bytes), starts, 2);
		expect(&f.site[0], SITES_FORWARD, 0, 6);
	}
}

/* mov $0x50f00,%eax and, so many bytes behind it, a jump into its middle: the
 * pair may be an instruction after all. */
static enum sites_verdict jumped_into_from(size_t at, int far)
{
	const uint64_t starts[] = { BASE };
	uint8_t bytes[400];
	int32_t distance = 1 - (int32_t)(at + (far ? 5 : 2));
	memset(bytes, 0x90, sizeof(bytes));
	memcpy(bytes, (uint8_t[]){ 0xb8, 0, 0x0f, 0x05, 0 }, 5);
	bytes[at] = far ? 0xe9 : 0xeb;
	memcpy(bytes + at + 1, &distance, far ? 4 : 1);
	return find_in(bytes, sizeof(bytes), starts, 1).site[0].verdict;
}

Test(sites, sees_a_jump_into_an_instruction_from_far_behind)
{
	for (size_t at = 5; at < 127; at++)
		cr_expect(eq(int, jumped_into_from(at, 0), SITES_UNPROVEN));
	for (size_t at = 5; at < 390; at++)
		cr_expect(eq(int, jumped_into_from(at, 1), SITES_UNPROVEN));
}

Test(sites, survives_every_byte_being_a_pair, .timeout = 10)
{
	const size_t size = 1 << 16;
	uint8_t *bytes = malloc(size);
	cr_assert(ne(ptr, bytes, NULL));
	for (size_t i = 0; i < size; i += 2)
		memcpy(bytes + i, "\x0f\x05", 2);
	const struct sites_text text = { bytes, BASE, size };
	const uint64_t starts[] = { BASE };
	const struct sites_input input = { .text = &text,
		                           .text_count = 1,
		                           .starts = starts,
		                           .start_count = 1 };
	struct sites_result result;
	cr_assert(eq(int, sites_find(&input, &result), SITES_OK));
	cr_expect(eq(sz, result.count, size / 2));
	sites_free(&result);
	free(bytes);
}

Test(sites, names_every_verdict)
{
	for (int i = SITES_BACKWARD; i < SITES_VERDICTS; i++)
		cr_expect(ne(str, (char *)sites_verdict_name(i),
		             (char *)"unknown"));
	cr_expect(eq(str, (char *)sites_verdict_name(SITES_VERDICTS),
	             (char *)"unknown"));
}

/* A long branch to between a number and its syscall, wherever it stands. */
static void finds_branch(const uint8_t *opcode, size_t size, size_t at)
{
	enum { FAR = 4300 }; /* more than are looked at together */
	static const uint8_t site[] = { MOV_EAX(9), SYSCALL, CMP_ERROR, RET };
	static uint8_t bytes[FAR + sizeof(site)];
	const uint64_t starts[] = { BASE, BASE + FAR };
	int32_t distance = (int32_t)(FAR + 5 - (at + size + 4));
	struct found f;

	if (at + size + 4 > FAR)
		return;
	memset(bytes, 0x90, FAR);
	memcpy(bytes + FAR, site, sizeof(site));
	memcpy(bytes + at, opcode, size);
	memcpy(bytes + at + size, &distance, 4);
	f = find_in(bytes, sizeof(bytes), starts, 2);
	/* a distance may be a pair, too */
	cr_assert(eq(int, f.site[f.count - 1].verdict, SITES_FORWARD),
	          "from %zu", at);
}

Test(sites, sees_a_branch_from_another_function_wherever_it_stands)
{
	for (size_t at = 0; at < 4300; at++) {
		finds_branch((const uint8_t[]){ 0xe9 }, 1, at);
		finds_branch((const uint8_t[]){ 0x0f, 0x84 }, 2, at);
	}
}

/* ---- lengths by a table ------------------------------------------------ */

/* What Zydis says of these bytes is what the table says, if it knows them. */
static int agrees(const ZydisDecoder *decoder, const uint8_t *bytes,
                  size_t size)
{
	ZydisDecodedInstruction head;
	struct step step;

	if (!step_known(bytes, size, &step))
		return 1;
	if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(decoder, NULL, bytes,
	                                              size, &head)))
		return 0;
	return step.length == head.length && step.stops == code_stops(&head) &&
	       step.relative == code_relative(&head) &&
	       (!step.relative || step.distance == head.raw.imm[0].value.s) &&
	       step.indirect == (head.mnemonic == ZYDIS_MNEMONIC_JMP &&
	                         !code_relative(&head));
}

/* Every opcode with every ModRM byte, base and index, behind these prefixes. */
static void agree_behind(const ZydisDecoder *decoder, const uint8_t *prefix,
                         size_t size)
{
	uint8_t bytes[24] = { 0 };

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(0x97 * i); /* distances of both signs */
	memcpy(bytes, prefix, size);
	for (unsigned n = 0; n < 256 * 256 * 16; n++) {
		bytes[size] = (uint8_t)n;
		bytes[size + 1] = (uint8_t)(n >> 8);
		bytes[size + 2] = (uint8_t)((n >> 16 & 7) | (n >> 19 & 1) << 5);
		cr_assert(agrees(decoder, bytes, sizeof(bytes)),
		          "%02x %02x %02x behind %zu of %02x %02x %02x",
		          bytes[size], bytes[size + 1], bytes[size + 2], size,
		          prefix[0], prefix[1], prefix[2]);
	}
}

Test(step, measures_as_zydis_does)
{
	static const uint8_t prefixes[][3] = {
		{ 0 },          { 0x66 },       { 0x40 },
		{ 0x48 },       { 0x4f },       { 0x66, 0x41 },
		{ 0x66, 0x48 }, { 0x0f },       { 0x66, 0x0f },
		{ 0x45, 0x0f }, { 0x48, 0x0f }, { 0x66, 0x4c, 0x0f },
		{ 0xf2 },       { 0xf3, 0x0f }, { 0xf0 },
		{ 0x2e },       { 0x64, 0x48 }, { 0x66, 0x66, 0x0f },
	};
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
	                 ZYDIS_STACK_WIDTH_64);
	ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t size = 0;

		while (size < 3 && prefixes[i][size])
			size++;
		agree_behind(&decoder, prefixes[i], size);
	}
}

Test(step, knows_what_compilers_emit)
{
	/* clang-format off */
	static const uint8_t usual[][15] = {
		{ 0x48, 0x89, 0x44, 0x24, 0x28 }, /* mov %rax,0x28(%rsp) */
		{ 0x48, 0x8d, 0x05, 1, 2, 3, 4 }, /* lea 0x4030201(%rip),%rax */
		{ 0xe8, 1, 2, 3, 4 },             /* call */
		{ 0x0f, 0x84, 1, 2, 3, 4 },       /* je */
		{ 0x75, 1 },                      /* jne */
		{ 0x45, 0x0f, 0xb6, 0xc0 },       /* movzbl %r8b,%r8d */
		{ 0xc3 },                         /* ret */
	};
	static const uint8_t length[] = { 5, 7, 5, 6, 2, 4, 1 };
	/* clang-format on */
	struct step step;

	for (size_t i = 0; i < sizeof(length); i++) {
		cr_assert(step_known(usual[i], sizeof(usual[i]), &step));
		cr_expect(eq(u8, step.length, length[i]));
		cr_expect(
			not(step_known(usual[i], sizeof(usual[i]) - 1, &step)),
			"beyond what is there");
	}
}
