/*
 * Stubs, decoded again with Zydis: what they do, where they go, and that every
 * address in one stands for one address of the unpatched program.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shim/stub.h"

#include <Zydis/Zydis.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ADDRESS 0x7f1122330040u
#define SITE    0x46b2f4u

static const struct stub_targets targets = {
	.record = 0x7f1122300100,
	.cold = 0x7f1122300200,
	.sigreturn = 0x7f1122300300,
	.dispatch = 0x7f1122300400,
	.interest = 0x7f1122310000,
	.gate = 0x7f1122320000,
};

/* Windows: their instructions, "before" and "after" the syscall. */
static const struct trace_patch windows[] = {
	/* mov $9,%eax */
	{ .nr = 9, .before = 5, .code = { 0xb8, 9, 0, 0, 0 } },
	/* mov $9,%eax; mov %rcx,%r10 */
	{ .nr = 9,
	  .before = 8,
	  .code = { 0xb8, 9, 0, 0, 0, 0x49, 0x89, 0xca } },
	/* cmp $-4095,%rax */
	{ .nr = 9, .after = 6, .code = { 0x48, 0x3d, 1, 0xf0, 0xff, 0xff } },
	/* mov %rcx,%r10 | mov %rax,%rdx; inc %edx */
	{ .nr = 9,
	  .before = 3,
	  .after = 5,
	  .code = { 0x49, 0x89, 0xca, 0x48, 0x89, 0xc2, 0xff, 0xc2 } },
	/* ret and padding */
	{ .nr = 9, .after = 3, .code = { 0xc3, 0xcc, 0xcc } },
	/* as long as can be: mov $imm,%rax, twice | the same, twice */
	{ .nr = 9,
	  .before = 20,
	  .after = 20,
	  .code = { 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8,
	            0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8,
	            0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8,
	            0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8 } },
};

#define WINDOWS (sizeof(windows) / sizeof(windows[0]))

static const int interests[] = { INTEREST_NONE, INTEREST_RECORD, INTEREST_COLD,
	                         INTEREST_MASK, INTEREST_SIGRETURN };

#define INTERESTS (sizeof(interests) / sizeof(interests[0]))

struct instruction {
	uint64_t address;
	uint64_t target; /* of a relative operand, or 0 */
	ZydisDecodedInstruction decoded;
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
};

union stub {
	struct stub_site site;
	uint8_t bytes[STUB_SIZE_MAX];
};

static struct instruction decode(const uint8_t *bytes, size_t size,
                                 uint64_t address)
{
	struct instruction in = { .address = address };
	ZydisDecoder decoder;
	int whole;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
	                 ZYDIS_STACK_WIDTH_64);
	whole = ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, size,
	                                            &in.decoded, in.operand));
	cr_assert(whole);
	for (int i = 0; i < in.decoded.operand_count_visible; i++) {
		ZyanU64 target;

		if (ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(
			    &in.decoded, &in.operand[i], address, &target)))
			in.target = target;
	}
	return in;
}

static struct instruction at(const union stub *stub, uint64_t address)
{
	size_t offset = address - ADDRESS;

	return decode(stub->bytes + offset, sizeof(stub->bytes) - offset,
	              address);
}

static uint64_t next(const struct instruction *in)
{
	return in->address + in->decoded.length;
}

static union stub write_stub(const struct trace_patch *patch, int interest,
                             size_t *size)
{
	union stub stub;

	memset(&stub, 0xcc, sizeof(stub));
	*size = stub_write(stub.bytes, ADDRESS, SITE, patch, interest,
	                   STUB_FLAG_GO, &targets);
	return stub;
}

/* Each stub there is: every window with every interest, and with a number
 * that is not known. */
static int next_stub(unsigned *n, struct trace_patch *patch, int *interest,
                     union stub *stub)
{
	size_t size;

	if (*n == WINDOWS * (INTERESTS + 1))
		return 0;
	*patch = windows[*n % WINDOWS];
	*interest = INTEREST_NONE;
	if (*n / WINDOWS == INTERESTS)
		patch->nr = PATCH_ANY;
	else
		*interest = interests[*n / WINDOWS];
	*stub = write_stub(patch, *interest, &size);
	(*n)++;
	return 1;
}

#define EACH_STUB                                                              \
	struct trace_patch patch;                                              \
	union stub stub;                                                       \
	int interest;                                                          \
	for (unsigned n = 0; next_stub(&n, &patch, &interest, &stub);)

static uint64_t leaves_for(const union stub *stub, uint64_t address,
                           uint64_t target)
{
	struct instruction lea = at(stub, address);
	struct instruction jump = at(stub, next(&lea));

	cr_assert(eq(int, lea.decoded.mnemonic, ZYDIS_MNEMONIC_LEA));
	cr_assert(eq(int, lea.operand[0].reg.value, ZYDIS_REGISTER_R11));
	cr_assert(eq(u64, lea.target, ADDRESS));
	cr_assert(eq(int, jump.decoded.mnemonic, ZYDIS_MNEMONIC_JMP));
	cr_assert(eq(u64, jump.target, target));
	return next(&jump);
}

/* The jump through the return address, behind a jump to it. */
static struct instruction return_of(const union stub *stub, unsigned after)
{
	struct instruction jump = at(stub, stub->site.post + after);

	cr_assert(eq(int, jump.decoded.mnemonic, ZYDIS_MNEMONIC_JMP));
	cr_assert(eq(u64, jump.target, next(&jump)));
	return at(stub, next(&jump));
}

/* ---- what a stub does -------------------------------------------------- */

Test(stub, fits_and_is_a_multiple_of_the_grain)
{
	for (size_t i = 0; i < WINDOWS; i++) {
		struct trace_patch patch = windows[i];
		struct instruction jump;
		union stub stub;
		size_t size;

		patch.nr = PATCH_ANY; /* the longest */
		stub = write_stub(&patch, INTEREST_NONE, &size);
		jump = return_of(&stub, patch.after);
		cr_expect(ge(u64, ADDRESS + size, next(&jump)));
		cr_expect(le(sz, size, STUB_SIZE_MAX));
		cr_expect(eq(sz, size % STUB_GRAIN, 0));
	}
}

Test(stub, says_what_it_stands_for)
{
	EACH_STUB
	{
		const struct stub_site *site = &stub.site;

		cr_expect(eq(u64, site->site, SITE));
		cr_expect(eq(i32, site->nr, patch.nr));
		cr_expect(eq(u32, site->flags, STUB_FLAG_GO));
		cr_expect(eq(u64, site->entry, ADDRESS + sizeof(*site)));
		cr_expect(eq(u64, site->resume, site->entry + patch.before));
		cr_expect(eq(u64, site->post, site->plain + 2));
		cr_expect(eq(u64, site->native_post, SITE + 2));
		cr_expect(eq(u64, site->ret, SITE + 2 + patch.after));
		cr_expect(eq(u64, site->next, 0));
	}
}

Test(stub, has_the_windows_instructions_around_its_syscall)
{
	EACH_STUB
	{
		const struct stub_site *site = &stub.site;
		struct instruction call = at(&stub, site->plain);

		cr_expect(eq(int,
		             memcmp(stub.bytes + (site->entry - ADDRESS),
		                    patch.code, patch.before),
		             0));
		cr_expect(
			eq(int, call.decoded.mnemonic, ZYDIS_MNEMONIC_SYSCALL));
		cr_expect(eq(u64, next(&call), site->post));
		cr_expect(eq(int,
		             memcmp(stub.bytes + (site->post - ADDRESS),
		                    patch.code + patch.before, patch.after),
		             0));
	}
}

Test(stub, ends_with_a_jump_through_its_return_address)
{
	EACH_STUB
	{
		struct instruction jump = return_of(&stub, patch.after);

		cr_expect(eq(int, jump.decoded.mnemonic, ZYDIS_MNEMONIC_JMP));
		cr_expect(eq(int, jump.operand[0].type,
		             ZYDIS_OPERAND_TYPE_MEMORY));
		cr_expect(eq(u64, jump.target,
		             ADDRESS + offsetof(struct stub_site, ret)));
	}
}

/* At `address`: leaves for C while the target is closing, else makes the call;
 * what stands behind that. */
static uint64_t looks_at_the_gate(const union stub *stub, uint64_t address)
{
	struct instruction compare = at(stub, address);
	struct instruction branch = at(stub, next(&compare));

	cr_assert(eq(int, compare.decoded.mnemonic, ZYDIS_MNEMONIC_CMP));
	cr_expect(eq(u64, compare.target, targets.gate));
	cr_expect(eq(u64, compare.operand[1].imm.value.u, GATE_CLOSING));
	cr_assert(eq(int, branch.decoded.mnemonic, ZYDIS_MNEMONIC_JNZ));
	cr_expect(eq(u64, branch.target, stub->site.plain));
	return leaves_for(stub, next(&branch), targets.cold);
}

Test(stub, of_no_interest_makes_the_call_unless_the_target_is_closing)
{
	size_t size;
	union stub stub = write_stub(&windows[0], INTEREST_NONE, &size);

	cr_expect(eq(u64, looks_at_the_gate(&stub, stub.site.resume),
	             stub.site.plain));
}

Test(stub, of_int80_makes_that_call)
{
	union stub stub;

	stub_write(stub.bytes, ADDRESS, SITE, &windows[0], INTEREST_NONE,
	           STUB_FLAG_INT80, &targets);
	cr_expect(eq(u64, stub.site.resume, stub.site.plain));
	cr_expect(eq(int, stub.bytes[stub.site.plain - ADDRESS], 0xcd));
	cr_expect(eq(int, stub.bytes[stub.site.plain - ADDRESS + 1], 0x80));
}

Test(stub, leaves_for_what_its_number_is_of_interest_to)
{
	static const struct {
		int interest;
		uint64_t target;
	} cases[] = {
		{ INTEREST_RECORD, 0x7f1122300100 },
		{ INTEREST_COLD, 0x7f1122300200 },
		{ INTEREST_ASK, 0x7f1122300200 },
		{ INTEREST_MASK, 0x7f1122300200 },
		{ INTEREST_SIGRETURN, 0x7f1122300300 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t w = 0; w < WINDOWS; w++) {
			size_t size;
			union stub stub = write_stub(&windows[w],
			                             cases[i].interest, &size);

			cr_expect(eq(u64,
			             leaves_for(&stub, stub.site.resume,
			                        cases[i].target),
			             stub.site.plain));
		}
}

Test(stub, looks_a_number_up_that_is_not_known)
{
	static const ZydisMnemonic wanted[] = {
		ZYDIS_MNEMONIC_CMP, ZYDIS_MNEMONIC_JNB,   ZYDIS_MNEMONIC_MOV,
		ZYDIS_MNEMONIC_LEA, ZYDIS_MNEMONIC_MOVZX, ZYDIS_MNEMONIC_TEST,
		ZYDIS_MNEMONIC_JNZ,
	};
	struct trace_patch patch = windows[1];
	struct instruction in[7];
	union stub stub;
	uint64_t address;
	size_t size;

	patch.nr = PATCH_ANY;
	stub = write_stub(&patch, INTEREST_NONE, &size);
	address = stub.site.resume;
	for (int i = 0; i < 7; i++) {
		in[i] = at(&stub, address);
		cr_assert(eq(int, in[i].decoded.mnemonic, wanted[i]));
		address = next(&in[i]);
	}
	cr_expect(eq(int, in[0].operand[0].reg.value, ZYDIS_REGISTER_EAX));
	cr_expect(eq(u64, in[0].operand[1].imm.value.u, INTEREST_CALLS));
	cr_expect(eq(u64, in[1].target, address));
	cr_expect(eq(u64, looks_at_the_gate(&stub, address), in[6].target));
	cr_expect(eq(u64, in[3].target, targets.interest));
	cr_expect(eq(int, in[4].operand[1].mem.base, ZYDIS_REGISTER_R11));
	cr_expect(eq(int, in[4].operand[1].mem.index, ZYDIS_REGISTER_RCX));
	cr_expect(eq(u64, leaves_for(&stub, in[6].target, targets.dispatch),
	             stub.site.plain));
}

/* A thread that is interrupted there is started over at `resume`. */
Test(stub, touches_rcx_and_r11_alone_until_its_syscall)
{
	EACH_STUB
	{
		uint64_t address = stub.site.resume;

		while (address < stub.site.plain) {
			struct instruction in = at(&stub, address);
			const ZydisDecodedOperand *to = &in.operand[0];

			address = next(&in);
			if (!(to->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) ||
			    in.decoded.meta.branch_type !=
			            ZYDIS_BRANCH_TYPE_NONE)
				continue;
			cr_assert(
				eq(int, to->type, ZYDIS_OPERAND_TYPE_REGISTER));
			cr_assert(to->reg.value == ZYDIS_REGISTER_R11 ||
			          to->reg.value == ZYDIS_REGISTER_ECX ||
			          to->reg.value == ZYDIS_REGISTER_RCX);
		}
		cr_assert(eq(u64, address, stub.site.plain));
	}
}

/* ---- addresses in and out ---------------------------------------------- */

/* The starts of the window's instructions, and where it ends. */
static size_t boundaries(const struct trace_patch *patch, uint64_t list[24])
{
	uint64_t address = SITE - patch->before;
	size_t count = 0, from = 0, code = patch->before + patch->after;

	while (address < SITE + 2 + patch->after) {
		list[count++] = address;
		if (address == SITE) {
			address += 2;
			continue;
		}
		struct instruction in =
			decode(patch->code + from, code - from, address);

		from += in.decoded.length;
		address = next(&in);
	}
	cr_assert(eq(u64, address, SITE + 2 + patch->after));
	list[count++] = address;
	return count;
}

Test(stub, translates_each_instruction_of_the_window_there_and_back)
{
	EACH_STUB
	{
		uint64_t list[24];
		size_t count = boundaries(&patch, list);

		/* the first is outside of the stub, and so is the last */
		for (size_t i = 1; i + 1 < count; i++) {
			uint64_t in = stub_of_native(&stub.site, list[i]);

			cr_assert(ge(u64, in, stub.site.entry));
			cr_assert(
				eq(u64, stub_native(&stub.site, in), list[i]));
			if (list[i] == SITE)
				continue;
			cr_assert(eq(u64, at(&stub, in).decoded.length,
			             list[i + 1] - list[i]));
		}
	}
}

Test(stub, goes_on_at_resume_for_a_thread_at_the_site)
{
	EACH_STUB
	{
		if (patch.before == 0)
			cr_assert(eq(u64, stub_of_native(&stub.site, SITE), 0));
		else
			cr_assert(eq(u64, stub_of_native(&stub.site, SITE),
			             stub.site.resume));
	}
}

Test(stub, knows_nothing_of_addresses_outside_the_window)
{
	EACH_STUB
	{
		uint64_t start = SITE - patch.before;
		uint64_t end = SITE + 2 + patch.after;

		cr_expect(eq(u64, stub_of_native(&stub.site, start - 1), 0));
		cr_expect(eq(u64, stub_of_native(&stub.site, start), 0));
		cr_expect(eq(u64, stub_of_native(&stub.site, end), 0));
		cr_expect(eq(u64, stub_of_native(&stub.site, end + 1), 0));
	}
}

/* Walk the stub itself: each instruction stands for one of the window's. */
Test(stub, shows_an_address_of_the_program_for_each_of_its_instructions)
{
	EACH_STUB
	{
		uint64_t list[24], last = 0;
		size_t count = boundaries(&patch, list);
		uint64_t end = stub.site.post + patch.after;

		for (uint64_t address = stub.site.entry; address <= end;) {
			struct instruction in = at(&stub, address);
			uint64_t native = stub_native(&stub.site, address);
			size_t i = 0;

			while (i < count && list[i] != native)
				i++;
			cr_assert(lt(sz, i, count));
			cr_assert(ge(u64, native, last));
			last = native;
			address = next(&in);
		}
		cr_assert(eq(u64, last, stub.site.ret));
	}
}

Test(stub, shows_the_site_until_the_call_is_made_and_then_what_is_behind)
{
	EACH_STUB
	{
		const struct stub_site *site = &stub.site;

		cr_expect(eq(u64, stub_native(site, site->resume), SITE));
		cr_expect(eq(u64, stub_native(site, site->plain), SITE));
		cr_expect(eq(u64, stub_native(site, site->post), SITE + 2));
	}
}

/* ---- jumps ------------------------------------------------------------- */

Test(jump, reaches_two_gigabytes_either_way_and_no_byte_more)
{
	uint64_t from = 0x7f0000000000;
	uint64_t origin = from + PATCH_JUMP;
	static const struct {
		int64_t distance;
		int reaches;
	} cases[] = {
		{ 0, 1 },
		{ 1, 1 },
		{ -1, 1 },
		{ INT32_MAX, 1 },
		{ INT32_MAX + 1ll, 0 },
		{ INT32_MIN, 1 },
		{ INT32_MIN - 1ll, 0 },
		{ 0x100000000, 0 },
		{ -0x100000000, 0 },
		{ -0x7effffc00000, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t to = origin + (uint64_t)cases[i].distance;
		uint8_t bytes[PATCH_JUMP] = { 1, 2, 3, 4, 5 };
		const uint8_t before[PATCH_JUMP] = { 1, 2, 3, 4, 5 };

		cr_assert(
			eq(int, stub_jump(bytes, from, to), cases[i].reaches));
		if (!cases[i].reaches) {
			cr_assert(
				eq(int, memcmp(bytes, before, PATCH_JUMP), 0));
			continue;
		}
		struct instruction in = decode(bytes, sizeof(bytes), from);

		cr_assert(eq(int, in.decoded.mnemonic, ZYDIS_MNEMONIC_JMP));
		cr_assert(eq(u64, in.target, to));
		cr_assert(eq(int, in.decoded.length, PATCH_JUMP));
	}
}

Test(jump, between_the_halves_of_the_address_space_is_refused)
{
	uint8_t bytes[PATCH_JUMP];

	cr_assert(eq(int, stub_jump(bytes, 0x400000, 0x7f0000000000), 0));
	cr_assert(eq(int, stub_jump(bytes, 0x400000, UINT64_MAX - 0xfff), 1),
	          "wraps as the processor does");
}

Test(island, jumps_anywhere_through_the_word_behind_it)
{
	static const uint64_t places[] = { 0x7f1122330080, 0x400000, 1,
		                           0xffffffffff600000,
		                           0x0f050f050f050f05 };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint8_t bytes[STUB_ISLAND];
		struct instruction in;
		uint64_t to;

		stub_island(bytes, places[i]);
		in = decode(bytes, sizeof(bytes), 0x3ff000);
		cr_assert(eq(int, in.decoded.mnemonic, ZYDIS_MNEMONIC_JMP));
		cr_assert(
			eq(int, in.operand[0].type, ZYDIS_OPERAND_TYPE_MEMORY));
		cr_assert(eq(u64, in.target, next(&in)));
		memcpy(&to, bytes + in.decoded.length, sizeof(to));
		cr_assert(eq(u64, to, places[i]));
	}
}

/* ---- and it runs ------------------------------------------------------- */

Test(stub, patched_over_a_function_makes_its_call)
{
	static const uint8_t function[] = {
		0xb8, SYS_getpid, 0, 0, 0, /* mov $SYS_getpid,%eax */
		0x0f, 0x05,                /* syscall */
		0xff, 0xc0,                /* inc %eax */
		0xc3,                      /* ret */
	};
	uint8_t *text = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *stub = text + 1024, *island = text + 2048;
	struct trace_patch patch = { .nr = SYS_getpid, .before = 5 };
	uint8_t *gate = text + 3072;
	struct stub_targets unused = { .gate = (uint64_t)gate,
		                       .cold = (uint64_t)text };
	int (*call)(void);

	cr_assert(ne(ptr, text, MAP_FAILED));
	memcpy(text, function, sizeof(function));
	memcpy(patch.code, function, patch.before);
	stub_write(stub, (uint64_t)stub, (uint64_t)text + 5, &patch,
	           INTEREST_NONE, 0, &unused);
	stub_island(island, ((struct stub_site *)stub)->entry);
	cr_assert(stub_jump(text, (uint64_t)text, (uint64_t)island));
	memcpy(&call, &text, sizeof(call));
	cr_assert(eq(int, call(), getpid() + 1));
}
