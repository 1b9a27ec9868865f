/*
 * late - code that arrives while the program runs: libraries, plugins.
 *
 * The thread that mapped it asks the observer for a plan and patches the pages
 * before it returns their address: nobody can be running there.  The wait is
 * bounded, and without a plan the net carries what comes.
 */
#include "shim/shim.h"

#include <asm/mman.h>

#define SLICE_NS 1000000l
#define SLICES   500 /* half a second for a plan */

static uint32_t lock;

/* In a fork child: whoever held the lock does not exist here. */
void shim_late_unlock(void)
{
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

/* A question that was given up is not asked over until its answer has come: the
 * observer may be writing it. */
static int may_ask(uint32_t *state)
{
	uint32_t idle = SESSION_IDLE, late = SESSION_ANSWERED;

	return __atomic_compare_exchange_n(state, &idle, SESSION_FILLING, 0,
	                                   __ATOMIC_SEQ_CST,
	                                   __ATOMIC_SEQ_CST) ||
	       __atomic_compare_exchange_n(state, &late, SESSION_FILLING, 0,
	                                   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* With the lock held. */
static void ask(uint64_t start, uint64_t size, uint32_t prot)
{
	struct session_request *request = &shim_session.request;

	if (!may_ask(&request->state))
		return;
	request->start = start;
	request->size = size;
	request->ticket =
		__atomic_load_n(&shim_session.order, __ATOMIC_SEQ_CST);
	__atomic_store_n(&request->state, SESSION_ASKED, __ATOMIC_SEQ_CST);
	shim_ring_bell();
	if (!shim_wait_until(&request->state, SESSION_ANSWERED, SLICES,
	                     SLICE_NS))
		return;
	if (request->patch_count)
		shim_patch_late(start, size, prot, request->bias, shim_reply,
		                request->patch_count);
	__atomic_store_n(&request->state, SESSION_IDLE, __ATOMIC_SEQ_CST);
}

/* Asked even when nothing shall be patched: stacks and names need the file. */
void shim_code_arrived(uint64_t start, uint64_t size, uint32_t prot)
{
	if (shim.gate == SHIM_OFF)
		return;
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
	ask(start, (size + LOADER_PAGE - 1) & -LOADER_PAGE, prot);
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}
