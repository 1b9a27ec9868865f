/*
 * ring - events written from C: the writer's side of trace/ring.h, for the
 * calls that take the cold path.  The hot path is x86_64/record.S.
 */
#include "shim/shim.h"

#include <asm/unistd_64.h>
#include <linux/errno.h>
#include <linux/futex.h>
#include <linux/time_types.h>

#define WAIT_SLICE_NS 5000000l /* how long a waiter sleeps without looking */
#define WAIT_SLICES   40       /* 200 ms for the observer to make room */
#define AT_WORK       10       /* times that, when it is at work */
#define THREAD_IS_TID (1ull << 63)

uint64_t shim_clock(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

uint64_t shim_ticket(void)
{
	return __atomic_fetch_add(&shim_session.order, 1, __ATOMIC_SEQ_CST);
}

uint64_t shim_thread_key(void)
{
	uint64_t base;

	if (!shim.fsgsbase)
		return (uint64_t)sys_call0(__NR_gettid) | THREAD_IS_TID;
	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

void shim_ring_bell(void)
{
	__atomic_fetch_add(&shim_session.observer_bell, 1, __ATOMIC_SEQ_CST);
	sys_call3(__NR_futex, (long)&shim_session.observer_bell, FUTEX_WAKE, 1);
}

/* Until *word is not `seen` any more, somebody wakes it, or `ns` are over; and
 * where a filter forbids futex they are waited out. */
void shim_wait(const uint32_t *word, uint32_t seen, long ns)
{
	struct __kernel_timespec slice = { .tv_nsec = ns };
	long result = sys_call4(__NR_futex, (long)word, FUTEX_WAIT, seen,
	                        (long)&slice);

	if (result == -EPERM || result == -ENOSYS)
		sys_call2(__NR_nanosleep, (long)&slice, 0);
}

static void nap(void)
{
	uint32_t bell =
		__atomic_load_n(&shim_session.target_bell, __ATOMIC_ACQUIRE);

	shim_wait(&shim_session.target_bell, bell, WAIT_SLICE_NS);
}

/* CPU time that the observer has had, or 0: kernel/time/posix-cpu-timers.c has
 * a clock for every process.  A filter may kill for it. */
static uint64_t observer_worked(void)
{
	struct __kernel_timespec time = { 0 };
	int32_t pid = (int32_t)(shim_session.alive & FUTEX_TID_MASK);

	sys_call2(__NR_clock_gettime, (long)(int32_t)(~(uint32_t)pid << 3 | 2),
	          (long)&time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* One that works is waited for, where there is more to do than CPUs. */
int shim_waits_on(struct shim_patience *patience, uint32_t slices)
{
	uint64_t worked;

	if (!shim_observer_alive() || patience->all >= slices * AT_WORK)
		return 0;
	if (!patience->all++ || shim_is_filtered())
		return ++patience->still < slices;
	worked = observer_worked();
	patience->still = worked == patience->worked ? patience->still + 1 : 0;
	patience->worked = worked;
	return patience->still < slices;
}

/* Until *word, which the observer sets with a ring of the bell, is `value`; 0:
 * it is gone, or has stood still for so many slices of `ns`. */
int shim_wait_until(const uint32_t *word, uint32_t value, uint32_t slices,
                    long ns)
{
	struct shim_patience patience = { 0 };

	while (shim_waits_on(&patience, slices)) {
		uint32_t bell = __atomic_load_n(&shim_session.target_bell,
		                                __ATOMIC_ACQUIRE);

		if (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
			return 1;
		shim_wait(&shim_session.target_bell, bell, ns);
	}
	return 0;
}

/* Asks the observer to make room and naps; 0: that was often enough, or there
 * is no observer. */
int shim_ring_waits_on(struct shim_patience *patience)
{
	if (!shim_waits_on(patience, WAIT_SLICES))
		return 0;
	shim_ring_bell();
	nap();
	return 1;
}

static struct ring_slot *slot_of(uint64_t position)
{
	return &shim.slots[position & (RING_SLOTS - 1)];
}

/* In the first lap a slot whose turn the reader has not written yet is all
 * zero, and free for the one position it can be. */
static int is_free_for(uint64_t turn, uint64_t position)
{
	return turn == ring_turn(position, RING_FREE) ||
	       (turn == 0 && position < RING_SLOTS);
}

static int claim(uint64_t position)
{
	uint64_t *turn = &slot_of(position)->event.turn;
	uint64_t seen = __atomic_load_n(turn, __ATOMIC_ACQUIRE);

	while (is_free_for(seen, position))
		if (__atomic_compare_exchange_n(
			    turn, &seen, ring_turn(position, RING_BEGUN), 0,
			    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return 1;
	return 0;
}

/*
 * Tells the reader that nobody writes `position`, a number of laps ahead of the
 * one that holds its slot.  0: not now.  The slot may be free (for this
 * position: claim it; for an earlier one: its writer is about to claim it, and
 * until then only that writer may touch `turn`), or the laps between have not
 * been skipped yet: the reader counts on their order.
 */
static int skip(uint64_t position)
{
	uint64_t *turn = &slot_of(position)->event.turn;
	uint64_t seen = __atomic_load_n(turn, __ATOMIC_ACQUIRE);

	while (ring_state(seen) != RING_FREE &&
	       ring_skips(seen) + 1ull ==
	               (position - ring_position(seen)) / RING_SLOTS)
		if (__atomic_compare_exchange_n(turn, &seen, seen + RING_SKIP,
		                                0, __ATOMIC_SEQ_CST,
		                                __ATOMIC_SEQ_CST))
			return 1;
	return 0;
}

/* The slot is held by a call of an earlier lap that is still going on: then
 * waiting for the reader is no use. */
static int held_by_a_call(uint64_t position)
{
	uint64_t turn = __atomic_load_n(&slot_of(position)->event.turn,
	                                __ATOMIC_ACQUIRE);

	return (ring_state(turn) == RING_BEGUN ||
	        ring_state(turn) == RING_ASKED) &&
	       ring_position(turn) != position;
}

/*
 * Waits until `position`, already taken, can be written: its slot, or another
 * one; NULL when the observer did not make room in time.  The loss is counted.
 */
struct ring_slot *shim_slot_wait(uint64_t position)
{
	struct shim_patience patience = { 0 };

	for (;;) {
		if (claim(position))
			return slot_of(position);
		if (held_by_a_call(position) && skip(position)) {
			position = __atomic_fetch_add(&shim_session.head, 1,
			                              __ATOMIC_SEQ_CST);
			continue;
		}
		if (shim_ring_waits_on(&patience))
			continue;
		if (!skip(position)) {
			nap();
			continue;
		}
		__atomic_fetch_add(&shim_session.lost, 1, __ATOMIC_RELAXED);
		if (!shim_observer_alive())
			shim.gate = SHIM_OFF;
		return NULL;
	}
}

struct ring_slot *shim_slot_take(void)
{
	return shim_slot_wait(
		__atomic_fetch_add(&shim_session.head, 1, __ATOMIC_SEQ_CST));
}

/* Gives a position back unused: `begun` when its slot is marked already. */
void shim_slot_abandon(uint64_t position, int begun)
{
	struct ring_slot *slot = slot_of(position);

	while (!begun && !claim(position)) {
		if (skip(position))
			return;
		nap();
	}
	if (!begun)
		slot->spill.stack_size = 0;
	slot->event.call = 0;
	slot->event.frames = 0;
	slot->event.flags = TRACE_ABANDONED;
	__atomic_fetch_add(&slot->event.turn, 1, __ATOMIC_SEQ_CST);
}

struct ring_slot *shim_event_begin(uint32_t call, const uint64_t args[6])
{
	struct ring_slot *slot;

	if (shim.gate == SHIM_OFF)
		return NULL;
	slot = shim_slot_take();
	if (!slot)
		return NULL;
	slot->event.call = call;
	slot->event.frames = 0;
	slot->event.flags = 0;
	slot->spill.stack_size = 0;
	slot->event.site = 0;
	slot->event.sp = 0;
	slot->event.result = 0;
	for (int i = 0; i < 6; i++)
		slot->event.args[i] = args[i];
	slot->event.thread = shim_thread_key();
	slot->event.tsc = shim_clock();
	slot->event.ticket = shim_ticket();
	return slot;
}

void shim_event_end(struct ring_slot *slot, uint64_t result)
{
	if (!slot)
		return;
	slot->event.result = result;
	slot->event.ticket_after = shim_ticket();
	slot->event.tsc_after = shim_clock();
	__atomic_fetch_add(&slot->event.turn, 1, __ATOMIC_SEQ_CST);
}

void shim_fact(enum trace_call fact, uint64_t a, uint64_t b, uint64_t c,
               uint64_t d, uint64_t e, uint64_t f)
{
	const uint64_t args[6] = { a, b, c, d, e, f };

	shim_event_end(shim_event_begin(fact, args), 0);
}
