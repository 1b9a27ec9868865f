/*
 * unwind - a signal that lands in goload's own code.
 *
 * The program's handler must find the context that it would find without
 * goload: either the call has not been made yet (roll back: the thread is at
 * the syscall instruction, and the stub starts over when it goes on), or it has
 * (complete: finish the bookkeeping here, and the thread is behind it).
 *
 * C code of the shim runs with signals blocked, so only the assembly can be
 * interrupted; its labels say what is true between two of them.  Called with
 * every signal blocked.
 */
#include "shim/shim.h"

SHIM_LABEL(record_packing);
SHIM_LABEL(record_packed);
SHIM_LABEL(record_taken);
SHIM_LABEL(record_shifted);
SHIM_LABEL(record_counted);
SHIM_LABEL(record_begun);
SHIM_LABEL(record_saved);
SHIM_LABEL(record_called);
SHIM_LABEL(record_stored);
SHIM_LABEL(record_commit);
SHIM_LABEL(record_committed);
SHIM_LABEL(record_done);
SHIM_LABEL(record_left);
SHIM_LABEL(record_gone);
SHIM_LABEL(record_reserved);
SHIM_LABEL(record_granted);
SHIM_LABEL(record_noted);
SHIM_LABEL(record_yielded);
SHIM_LABEL(record_given);
SHIM_LABEL(record_end);
SHIM_LABEL(cold_tried);
SHIM_LABEL(cold_taken);
SHIM_LABEL(cold_save);
SHIM_LABEL(cold_saved);
SHIM_LABEL(cold_call_open);
SHIM_LABEL(cold_called);
SHIM_LABEL(cold_stored);
SHIM_LABEL(cold_closed);
SHIM_LABEL(cold_done_open);
SHIM_LABEL(cold_release);
SHIM_LABEL(cold_left);
SHIM_LABEL(cold_restart_open);
SHIM_LABEL(cold_restart_release);
SHIM_LABEL(cold_restart_left);
SHIM_LABEL(cold_restart_gone);
SHIM_LABEL(cold_end);
SHIM_LABEL(record_full);
SHIM_LABEL(full_tried);
SHIM_LABEL(full_taken);
SHIM_LABEL(handler_blocked);
SHIM_LABEL(handler_open);
SHIM_LABEL(handler_reset_open);
SHIM_LABEL(handler_slow);
SHIM_LABEL(shim_signal_end);

/* The registers of a ucontext, in the kernel's order (struct sigcontext_64). */
struct registers {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
};

#define CARRY 1u /* of eflags */
#define ZERO  0x40u

static struct registers *registers_of(uint8_t *ucontext)
{
	return (struct registers *)(ucontext + UC_R8);
}

static int between(uint64_t rip, const uint8_t *from, const uint8_t *to)
{
	return rip >= (uint64_t)from && rip < (uint64_t)to;
}

static struct stub_site *unpack(uint64_t packed)
{
	return (struct stub_site *)(packed << 16 >> 16);
}

/* The thread is shown at `shown` and will go on at `resume`. */
static void show(uint8_t *ucontext, uint64_t shown, uint64_t resume)
{
	*(uint32_t *)(ucontext + UC_COOKIE) = UC_COOKIE_VALUE;
	*(uint64_t *)(ucontext + UC_SHOWN) = shown;
	*(uint64_t *)(ucontext + UC_RESUME) = resume;
	registers_of(ucontext)->rip = shown;
}

/* Not made yet: at the syscall instruction. */
static void roll_back(uint8_t *ucontext, const struct stub_site *stub)
{
	show(ucontext, stub->site, stub->resume);
}

/* Made: behind it. */
static void complete(uint8_t *ucontext, const struct stub_site *stub)
{
	if (stub->after)
		show(ucontext, stub->native_post, stub->post);
	else
		registers_of(ucontext)->rip = stub->ret;
}

static void from_slot(struct registers *r, const struct ring_slot *slot)
{
	r->rdi = slot->event.args[0];
	r->rsi = slot->event.args[1];
	r->rdx = slot->event.args[2];
	r->r10 = slot->event.args[3];
	r->r8 = slot->event.args[4];
	r->r9 = slot->event.args[5];
	r->rbx = slot->spill.rbx;
}

static void from_frame(struct registers *r, const struct shim_frame *frame)
{
	r->rbx = frame->rbx;
	r->rdx = frame->rdx;
	r->rsi = frame->rsi;
	r->rdi = frame->rdi;
	r->rbp = frame->rbp;
	r->rsp = frame->rsp;
	r->r8 = frame->r8;
	r->r9 = frame->r9;
	r->r10 = frame->r10;
	r->r12 = frame->r12;
	r->r13 = frame->r13;
	r->r14 = frame->r14;
	r->r15 = frame->r15;
}

/* Part of the ring of copies is this slot's and its number still in registers:
 * the reader gives back what the slot says. */
static void note_copy(const struct registers *r, struct ring_slot *slot)
{
	if (between(r->rip, record_granted, record_noted) ||
	    (r->rip == (uint64_t)record_reserved && (r->eflags & ZERO))) {
		slot->spill.stack_at = r->rax;
		slot->spill.stack_size = r->rcx;
	}
}

/* record.S before the call: shim_record .. record_call, record_gone .. end */
static void unwind_unmade(uint8_t *ucontext, uint64_t rip)
{
	struct registers *r = registers_of(ucontext);
	uint64_t packed = r->r11;

	if (rip >= (uint64_t)record_saved) {
		struct ring_slot *slot = (struct ring_slot *)r->rbx;

		packed = slot->spill.stub;
		note_copy(r, slot);
		from_slot(r, slot);
		shim_slot_abandon(ring_position(slot->event.turn), 1);
	} else if (rip >= (uint64_t)record_begun) {
		struct ring_slot *slot = (struct ring_slot *)r->rcx;

		slot->spill.stack_size = 0;
		shim_slot_abandon(ring_position(slot->event.turn), 1);
	} else if (rip >= (uint64_t)record_shifted) {
		shim_slot_abandon(ring_position(r->rax), 0);
	} else if (rip >= (uint64_t)record_taken) {
		/* the shift is the last instruction before record_shifted */
		shim_slot_abandon(r->rax, 0);
	} else if (rip == (uint64_t)record_packing) {
		packed = (r->rax & ~0xffffffffffffull) | r->r11;
	} else if (rip < (uint64_t)record_packing) {
		packed = (r->rax << 48) | r->r11;
	}
	r->rax = packed >> 48;
	roll_back(ucontext, unpack(packed));
}

/* record.S behind the call: record_called .. record_left */
static void unwind_made(uint8_t *ucontext, uint64_t rip)
{
	struct registers *r = registers_of(ucontext);

	if (rip < (uint64_t)record_committed) {
		struct ring_slot *slot = (struct ring_slot *)r->rbx;

		if (rip == (uint64_t)record_called)
			slot->event.result = r->rax;
		r->r11 = (uint64_t)unpack(slot->spill.stub);
		r->rax = slot->event.result;
		from_slot(r, slot);
		shim_event_end(slot, r->rax);
	} else if (rip < (uint64_t)record_done) {
		r->rbx = r->rcx;
	}
	complete(ucontext, (struct stub_site *)r->r11);
}

void shim_frame_release(struct shim_frame *frame)
{
	__atomic_store_n(&frame->busy, 0, __ATOMIC_RELEASE);
}

/* cold.S with a frame at `frame`, the call not made. */
static void cold_unmade(uint8_t *ucontext, struct shim_frame *frame)
{
	struct registers *r = registers_of(ucontext);

	shim_follow_undo(frame);
	shim_vfork_stays(frame);
	from_frame(r, frame);
	r->rax = frame->kind == FRAME_FULL ? frame->r11 >> 48 : frame->rax;
	if (frame->kind == FRAME_FULL) {
		shim_slot_abandon(ring_position(frame->rax), 0);
		roll_back(ucontext, unpack(frame->r11));
	} else {
		roll_back(ucontext, frame->stub);
	}
	shim_frame_release(frame);
}

static void cold_made(uint8_t *ucontext, struct shim_frame *frame)
{
	struct registers *r = registers_of(ucontext);

	from_frame(r, frame);
	r->rax = frame->result;
	complete(ucontext, frame->stub);
	shim_frame_release(frame);
}

/* Before the registers are in a frame: they are all where they were. */
static void unwind_taking(uint8_t *ucontext, uint64_t rip)
{
	struct registers *r = registers_of(ucontext);
	int full = between(rip, record_full, cold_end);
	int tried = rip == (uint64_t)cold_tried || rip == (uint64_t)full_tried;
	int taken = between(rip, cold_taken, cold_saved) ||
	            between(rip, full_taken, cold_end);

	if (between(rip, cold_save, cold_saved))
		full = ((struct shim_frame *)r->rcx)->kind == FRAME_FULL;
	if (taken || (tried && !(r->eflags & CARRY)))
		shim_frame_release((struct shim_frame *)r->rcx);
	if (full) {
		shim_slot_abandon(ring_position(r->rax), 0);
		r->rax = r->r11 >> 48;
	}
	roll_back(ucontext, unpack(r->r11));
}

static void unwind_cold(uint8_t *ucontext, uint64_t rip)
{
	struct registers *r = registers_of(ucontext);
	struct shim_frame *frame = (struct shim_frame *)r->rbx;

	if (between(rip, cold_done_open, cold_release)) {
		/* the last instruction before cold_release restores rbx */
		cold_made(ucontext, frame);
	} else if (between(rip, cold_release, cold_left)) {
		shim_frame_release((struct shim_frame *)r->rcx);
		complete(ucontext, (struct stub_site *)r->r11);
	} else if (rip == (uint64_t)cold_left) {
		complete(ucontext, (struct stub_site *)r->r11);
	} else if (between(rip, cold_restart_open, cold_restart_release)) {
		cold_unmade(ucontext, frame);
	} else if (between(rip, cold_restart_release, cold_restart_left)) {
		shim_frame_release((struct shim_frame *)r->rcx);
		roll_back(ucontext, (struct stub_site *)r->r11);
	} else if (between(rip, cold_restart_left, cold_restart_gone)) {
		roll_back(ucontext, (struct stub_site *)r->r11);
	} else if (between(rip, cold_called, cold_closed)) {
		if (rip == (uint64_t)cold_called)
			frame->result = r->rax;
		if (frame->post && shim_cold_post(frame) == SHIM_CALL)
			cold_unmade(ucontext, frame);
		else
			cold_made(ucontext, frame);
	} else if (between(rip, cold_call_open, cold_called) ||
	           between(rip, cold_saved, cold_call_open)) {
		cold_unmade(ucontext, frame);
	} else {
		unwind_taking(ucontext, rip);
	}
}

/*
 * A signal on top of the entry of another one's handler, before that has
 * unwound what it interrupted: do it for it, and show its handler's start.
 */
static void unwind_entry(uint8_t *ucontext, uint64_t rip)
{
	struct registers *r = registers_of(ucontext);

	if (rip >= (uint64_t)handler_slow && rip < (uint64_t)handler_blocked) {
		/* the copies are made before the originals are used */
		static const uint8_t copies = 12; /* bytes of four moves */

		if (rip >= (uint64_t)handler_slow + copies) {
			r->rdi = r->r12;
			r->rsi = r->r13;
			r->rdx = r->r14;
			r->rsp = r->r15;
		}
	}
	shim_unwind_any((uint8_t *)r->rdx);
	r->rip = shim_handlers[(uint32_t)r->rdi];
}

/* The same behind it: all is unwound, the registers are on their way. */
static void unwind_leaving(uint8_t *ucontext, uint64_t handler)
{
	struct registers *r = registers_of(ucontext);

	r->rdi = r->r12;
	r->rsi = r->r13;
	r->rdx = r->r14;
	r->rsp = r->r15;
	r->rip = handler;
}

/* record.S on its way to the cold path: record_yielded .. record_end */
static void unwind_yielded(uint8_t *ucontext, uint64_t rip)
{
	struct registers *r = registers_of(ucontext);

	if (rip == (uint64_t)record_yielded)
		r->rbx = r->rcx;
	roll_back(ucontext, (struct stub_site *)r->r11);
}

void shim_unwind(uint8_t *ucontext)
{
	uint64_t rip = registers_of(ucontext)->rip;

	if (between(rip, record_called, record_left))
		unwind_made(ucontext, rip);
	else if (between(rip, record_left, record_gone))
		roll_back(ucontext,
		          (struct stub_site *)registers_of(ucontext)->r11);
	else if (between(rip, record_yielded, record_end))
		unwind_yielded(ucontext, rip);
	else if (between(rip, shim_record, record_end))
		unwind_unmade(ucontext, rip);
	else if (between(rip, shim_dispatch, cold_end))
		unwind_cold(ucontext, rip);
	else if (between(rip, shim_handler, handler_blocked))
		unwind_entry(ucontext, rip);
	else if (between(rip, handler_open, shim_handler_reset))
		unwind_leaving(
			ucontext,
			shim_handlers[(uint32_t)registers_of(ucontext)->r12]);
	else if (between(rip, handler_reset_open, shim_sigsys))
		unwind_leaving(ucontext, registers_of(ucontext)->rbx);
	else if (between(rip, shim_sigreturn, shim_signal_end)) {
		struct stub_site *stub =
			(struct stub_site *)registers_of(ucontext)->r11;

		roll_back(ucontext, stub);
	}
}

/* The same for any context: in a stub, in the shim, or not goload's at all. */
void shim_unwind_any(uint8_t *ucontext)
{
	uint64_t rip = registers_of(ucontext)->rip;
	struct stub_site *stub;

	if (rip - (uint64_t)__executable_start >= shim.image_size) {
		stub = shim_stub_of_island(rip);
		if (stub)
			registers_of(ucontext)->rip = stub->site - stub->before;
		return;
	}
	stub = shim_stub_at(rip);
	if (!stub) {
		shim_unwind(ucontext);
	} else if (rip < stub->resume) {
		show(ucontext, stub_native(stub, rip), rip);
	} else if (rip < stub->post) {
		roll_back(ucontext, stub);
	} else if (rip < stub->post + stub->after) {
		show(ucontext, stub_native(stub, rip), rip);
	} else {
		registers_of(ucontext)->rip = stub->ret;
	}
}
