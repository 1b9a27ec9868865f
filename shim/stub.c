/* stub - writing stubs, and translating addresses in and out of them. */
#include "shim/stub.h"

_Static_assert(offsetof(struct stub_site, site) == STUB_SITE, "layout.h");
_Static_assert(offsetof(struct stub_site, plain) == STUB_PLAIN, "layout.h");
_Static_assert(offsetof(struct stub_site, post) == STUB_POST, "layout.h");
_Static_assert(offsetof(struct stub_site, flags) == STUB_FLAGS, "layout.h");
_Static_assert(offsetof(struct stub_site, entry) == STUB_ENTRY, "layout.h");
_Static_assert(offsetof(struct stub_site, resume) == STUB_RESUME, "layout.h");
_Static_assert(offsetof(struct stub_site, native_post) == STUB_NATIVE_POST,
               "layout.h");
_Static_assert(offsetof(struct stub_site, before) == STUB_BEFORE, "layout.h");
_Static_assert(offsetof(struct stub_site, after) == STUB_AFTER, "layout.h");
_Static_assert(offsetof(struct stub_site, ret) == STUB_RETURN, "layout.h");

/* Where code is being written, and the address it will run at. */
struct writer {
	uint8_t *bytes;
	uint64_t address;
	size_t at;
};

static void put(struct writer *w, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		w->bytes[w->at++] = bytes[i];
}

static void put32(struct writer *w, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		w->bytes[w->at++] = (uint8_t)(value >> (8 * i));
}

/* An instruction whose last four bytes are a distance to `to`. */
static void put_relative(struct writer *w, const uint8_t *opcode, size_t size,
                         uint64_t to)
{
	put(w, opcode, size);
	put32(w, (uint32_t)(to - (w->address + w->at + 4)));
}

/* lea site(%rip),%r11; jmp target */
#define LEAVE_SIZE 12
static void put_leave(struct writer *w, uint64_t target)
{
	put_relative(w, (const uint8_t[]){ 0x4c, 0x8d, 0x1d }, 3, w->address);
	put_relative(w, (const uint8_t[]){ 0xe9 }, 1, target);
}

/*
 * A call of no interest waits, too, while another thread ends the process.  It
 * has `behind` more bytes to pass by:
 *
 *	cmpl   $GATE_CLOSING,gate(%rip)
 *	jne    plain
 *	lea    site(%rip),%r11
 *	jmp    cold
 */
#define GATE_SIZE (9 + LEAVE_SIZE)
static void put_gate(struct writer *w, const struct stub_targets *targets,
                     uint8_t behind)
{
	/* the distance counts from behind the immediate byte */
	put_relative(w, (const uint8_t[]){ 0x83, 0x3d }, 2, targets->gate - 1);
	put(w,
	    (const uint8_t[]){ GATE_CLOSING, 0x75,
	                       (uint8_t)(LEAVE_SIZE + behind) },
	    3);
	put_leave(w, targets->cold);
}

/*
 * The number is in eax and known only now.  That of no interest, the usual one,
 * takes one jump, the gate's:
 *
 *	cmp    $512,%eax
 *	jae    gate
 *	mov    %eax,%ecx
 *	lea    interest(%rip),%r11
 *	movzbl (%r11,%rcx),%ecx
 *	test   %ecx,%ecx
 *	jne    1f
 *	(gate)
 * 1:	lea    site(%rip),%r11
 *	jmp    dispatch
 */
static void put_dispatch(struct writer *w, const struct stub_targets *targets)
{
	put(w, (const uint8_t[]){ 0x3d }, 1);
	put32(w, INTEREST_CALLS);
	put(w, (const uint8_t[]){ 0x73, 18, 0x89, 0xc1 }, 4);
	put_relative(w, (const uint8_t[]){ 0x4c, 0x8d, 0x1d }, 3,
	             targets->interest);
	put(w, (const uint8_t[]){ 0x41, 0x0f, 0xb6, 0x0c, 0x0b }, 5);
	put(w, (const uint8_t[]){ 0x85, 0xc9, 0x75, GATE_SIZE }, 4);
	put_gate(w, targets, LEAVE_SIZE);
	put_leave(w, targets->dispatch);
}

static void put_decision(struct writer *w, int nr, int interest,
                         const struct stub_targets *targets)
{
	if (nr == PATCH_ANY)
		put_dispatch(w, targets);
	else if (interest == INTEREST_RECORD)
		put_leave(w, targets->record);
	else if (interest == INTEREST_SIGRETURN)
		put_leave(w, targets->sigreturn);
	else if (interest != INTEREST_NONE)
		put_leave(w, targets->cold);
	else
		put_gate(w, targets, 0);
}

/*
 *	jmp    1f
 * 1:	jmp    *return(%rip)
 *
 * Where an indirect jump goes the processor foretells from the branches before
 * it, and behind a syscall it has seen none: without the first jump the second
 * costs 6 ns more than with it, of 100 for the call (docs/performance.md).
 */
static void put_return(struct writer *w, uint64_t stub)
{
	put(w, (const uint8_t[]){ 0xeb, 0 }, 2);
	put_relative(w, (const uint8_t[]){ 0xff, 0x25 }, 2, stub + STUB_RETURN);
}

size_t stub_write(uint8_t *bytes, uint64_t address, uint64_t site,
                  const struct trace_patch *patch, int interest, uint32_t flags,
                  const struct stub_targets *targets)
{
	static const uint8_t syscall[2] = { 0x0f, 0x05 };
	static const uint8_t int80[2] = { 0xcd, 0x80 };
	struct stub_site *stub = (struct stub_site *)bytes;
	struct writer w = { bytes, address, sizeof(*stub) };

	stub->entry = address + w.at;
	put(&w, patch->code, patch->before);
	stub->resume = address + w.at;
	if (!(flags & STUB_FLAG_INT80))
		put_decision(&w, patch->nr, interest, targets);
	stub->plain = address + w.at;
	put(&w, flags & STUB_FLAG_INT80 ? int80 : syscall, 2);
	stub->post = address + w.at;
	put(&w, patch->code + patch->before, patch->after);
	put_return(&w, address);

	stub->site = site;
	stub->flags = flags;
	stub->nr = patch->nr;
	stub->native_post = site + 2;
	stub->before = patch->before;
	stub->after = patch->after;
	stub->ret = site + 2 + patch->after;
	stub->next = 0;
	return (w.at + STUB_GRAIN - 1) / STUB_GRAIN * STUB_GRAIN;
}

uint64_t stub_native(const struct stub_site *stub, uint64_t rip)
{
	if (rip < stub->resume)
		return stub->site - stub->before + (rip - stub->entry);
	if (rip < stub->post)
		return stub->site;
	if (rip < stub->post + stub->after)
		return stub->native_post + (rip - stub->post);
	return stub->ret;
}

uint64_t stub_of_native(const struct stub_site *stub, uint64_t native)
{
	uint64_t window = stub->site - stub->before;

	if (native <= window || native >= stub->ret)
		return 0;
	if (native < stub->site)
		return stub->entry + (native - window);
	if (native == stub->site)
		return stub->resume;
	return stub->post + (native - stub->native_post);
}

int stub_jump(uint8_t bytes[PATCH_JUMP], uint64_t from, uint64_t to)
{
	int64_t distance = (int64_t)(to - (from + PATCH_JUMP));

	if (distance != (int32_t)distance)
		return 0;
	bytes[0] = 0xe9;
	for (int i = 0; i < 4; i++)
		bytes[1 + i] = (uint8_t)((uint64_t)distance >> (8 * i));
	return 1;
}

void stub_island(uint8_t bytes[STUB_ISLAND], uint64_t to)
{
	static const uint8_t jump[] = { 0xff, 0x25, 0, 0, 0, 0 };

	for (size_t i = 0; i < STUB_ISLAND; i++)
		bytes[i] = i < sizeof(jump) ? jump[i] : 0xcc;
	for (int i = 0; i < 8; i++)
		bytes[sizeof(jump) + i] = (uint8_t)(to >> (8 * i));
}
