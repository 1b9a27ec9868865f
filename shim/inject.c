/*
 * inject - calls that shall fail, or wait before they are made.
 *
 * With --fail or --delay every memory call goes the cold way and asks: its
 * event is whole but for the result, and waits in its slot until the observer
 * has said how it shall go (trace/ring.h).  The wait is bounded: without an
 * answer the call is made.
 */
#include "shim/shim.h"

#include <asm/unistd_64.h>

#define SLICE_NS 5000000l
#define SLICES   400 /* 2 s for an answer */
#define DELAY_US 500000u

/* Before the stubs are written, which know what their calls are to do. */
void shim_inject_boot(void)
{
	if (!(shim.options & SESSION_ASK))
		return;
	for (size_t i = 0; i < INTEREST_CALLS; i++)
		if (shim_interest[i] == SHIM_RECORD)
			shim_interest[i] = SHIM_ASK;
	shim_interest[__NR_shmat] = SHIM_ASK;
	shim_interest[__NR_io_setup] = SHIM_ASK;
}

static enum ring_state state_of(const struct ring_slot *slot)
{
	return ring_state(__atomic_load_n(&slot->event.turn, __ATOMIC_ACQUIRE));
}

/* 0: the answer has come. */
static int take_back(struct ring_slot *slot)
{
	uint64_t seen = __atomic_load_n(&slot->event.turn, __ATOMIC_ACQUIRE);

	while (ring_state(seen) == RING_ASKED)
		if (__atomic_compare_exchange_n(
			    &slot->event.turn, &seen,
			    seen - (RING_ASKED - RING_BEGUN), 0,
			    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return 1;
	return 0;
}

static struct ring_answer ask(struct ring_slot *slot)
{
	struct shim_patience patience = { 0 };

	__atomic_fetch_add(&slot->event.turn, RING_ASKED - RING_BEGUN,
	                   __ATOMIC_SEQ_CST);
	shim_ring_bell();
	while (shim_waits_on(&patience, SLICES)) {
		uint32_t bell = __atomic_load_n(&shim_session.target_bell,
		                                __ATOMIC_ACQUIRE);

		if (state_of(slot) != RING_ASKED)
			break;
		shim_wait(&shim_session.target_bell, bell, SLICE_NS);
	}
	if (take_back(slot))
		return (struct ring_answer){ 0 };
	return slot->spill.answer;
}

/* As a call that takes long in the kernel: no signal comes in between.  On a
 * word that nobody wakes, as filters let futex pass; it has to be writable. */
static void wait_out(uint32_t us)
{
	static uint32_t nothing;

	while (us) {
		uint32_t slice = us < DELAY_US ? us : DELAY_US;

		shim_wait(&nothing, 0, slice * 1000l);
		us -= slice;
	}
}

/* brk tells no error: the break is where it was. */
static uint64_t failure(const struct shim_frame *frame, uint32_t error)
{
	if (frame->nr == __NR_brk)
		return (uint64_t)sys_call1(__NR_brk, 0);
	return -(uint64_t)error;
}

/* What a vforked child does to the memory that it shares it does itself. */
int shim_inject(struct ring_slot *slot, const struct shim_frame *frame,
                uint64_t *result)
{
	struct ring_answer answer;

	if (!slot || shim_interest[frame->nr] != SHIM_ASK || shim_foreign())
		return 0;
	answer = ask(slot);
	if (answer.delay) {
		slot->event.flags |= TRACE_DELAYED;
		wait_out(answer.delay);
	}
	if (!answer.error)
		return 0;
	slot->event.flags |= TRACE_INJECTED;
	*result = failure(frame, answer.error);
	return 1;
}
