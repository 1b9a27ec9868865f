/*
 * stack - what the caller's stack leaves in an event.
 *
 * A caller in Go text is walked by frame pointers, one in C leaves a copy of
 * its stack, which the observer unwinds.  In both cases, where the thread runs
 * on g0 for a goroutine, the goroutine's own frames follow in frame[].
 *
 * These are the rules of record_walk, record_copy and record_goroutine in
 * x86_64/record.S, for calls that go the cold way.  Here nothing is taken on
 * trust: those that come may have no caller at all (the end of a thread, at the
 * very top of its stack), so every word is read fault-safely.
 */
#include "shim/shim.h"

struct shim_stack shim_stacks[STACK_COUNT];

static int within(uint64_t address, uint64_t start, uint64_t size)
{
	return address - start < size;
}

static uint64_t word(uint64_t at)
{
	uint64_t value = 0;

	shim_read(&value, at, sizeof(value));
	return value;
}

/* ---- Go -------------------------------------------------------------------
 */

/* 0: there is no room, or it is not in Go text: the walk ends. */
static int add_frame(struct ring_slot *slot, uint64_t pc)
{
	struct trace_event *event = &slot->event;

	if (!within(pc, shim.go.text, shim.go.text_size))
		return 0;
	if (event->frames == TRACE_FRAMES) {
		event->flags |= TRACE_CUT;
		return 0;
	}
	slot->frame[event->frames++] = pc;
	return !within(pc, shim.go.sigtramp, shim.go.sigtramp_size) &&
	       !within(pc, shim.go.systemstack, shim.go.systemstack_size);
}

/* The frames of one stack, from the one at `at`, which is above `below`. */
static void walk(struct ring_slot *slot, uint64_t below, uint64_t at)
{
	uint64_t link[2]; /* the caller's frame, and pc */

	while (at - below < STACK_RISE && !(at & 7) &&
	       !shim_read(link, at, sizeof(link)) && add_frame(slot, link[1])) {
		below = at;
		at = link[0];
	}
}

/* The wrappers have no frame: their caller is at RSP; settls has one. */
static void walk_go(struct ring_slot *slot, const struct shim_frame *frame)
{
	uint64_t pc = word(frame->rsp);

	if (!within(pc, shim.go.text, shim.go.text_size) || add_frame(slot, pc))
		walk(slot, frame->rsp, frame->rbp);
}

/* The goroutine for which this thread runs on g0, or 0. */
static uint64_t goroutine_behind(uint64_t key)
{
	const struct session_go *go = &shim.go;
	uint64_t g, m;

	if (!go->tls || !key || key >> 63)
		return 0;
	g = word(key + (uint64_t)go->tls);
	m = g ? word(g + go->g_m) : 0;
	return m && word(m + go->m_g0) == g ? word(m + go->m_curg) : 0;
}

/* What g.sched holds depends on who left the goroutine: systemstack and
 * asmcgocall leave a marker for pc, mcall and morestack a pc. */
static void walk_goroutine(struct ring_slot *slot)
{
	const struct session_go *go = &shim.go;
	uint64_t g = goroutine_behind(slot->event.thread), sp, pc;

	if (!g)
		return;
	sp = word(g + go->sched_sp);
	pc = word(g + go->sched_pc);
	if (!within(sp, word(g + G_STACK_LOW),
	            word(g + G_STACK_HIGH) - word(g + G_STACK_LOW)))
		return;
	if (!within(pc, go->marker, go->marker_size)) {
		if (!add_frame(slot, pc))
			return;
	} else if (go->bare && !add_frame(slot, word(sp))) {
		return;
	}
	walk(slot, sp, word(g + go->sched_bp));
}

/* ---- C --------------------------------------------------------------------
 */

#define BEING_WRITTEN 1 /* no thread's key */

static struct shim_stack *stack_of(uint64_t key)
{
	return &shim_stacks[(uint32_t)key * STACK_HASH >> STACK_HASH_SHIFT];
}

/* Of the calling thread.  Readers look at the key before and after; while two
 * threads want the same entry the second goes without. */
void shim_stack_learn(uint64_t low, uint64_t top)
{
	uint64_t key = shim_thread_key();
	struct shim_stack *stack = stack_of(key);

	if (__atomic_exchange_n(&stack->key, BEING_WRITTEN, __ATOMIC_SEQ_CST) ==
	    BEING_WRITTEN)
		return;
	__atomic_store_n(&stack->low, low, __ATOMIC_SEQ_CST);
	__atomic_store_n(&stack->top, top, __ATOMIC_SEQ_CST);
	__atomic_store_n(&stack->key, key, __ATOMIC_SEQ_CST);
}

/* Where the stack that `sp` is on began; 0: not known. */
static uint64_t top_of(uint64_t key, uint64_t sp)
{
	const struct shim_stack *stack = stack_of(key);

	if (shim.stack_top - sp < STACK_MAIN_MAX)
		return shim.stack_top;
	if (stack->key == key && sp - stack->low < stack->top - stack->low)
		return stack->top;
	return 0;
}

/*
 * Bytes of the ring of copies, or 0 when the observer makes no room.  Where it
 * stood when patience ran out nobody waits again: a thread that was killed in
 * its copy never gives it back.
 */
static int take_room(uint64_t size, uint64_t *at)
{
	static uint64_t stuck = UINT64_MAX;
	int slices = 0;

	for (;;) {
		uint64_t tail = __atomic_load_n(&shim_session.stack_tail,
		                                __ATOMIC_SEQ_CST);
		uint64_t head = __atomic_load_n(&shim_session.stack_head,
		                                __ATOMIC_SEQ_CST);

		if (head + size - tail <= TRACE_STACK_ROOM) {
			if (!__atomic_compare_exchange_n(
				    &shim_session.stack_head, &head,
				    head + size, 0, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST))
				continue;
			*at = head;
			return 1;
		}
		if (tail == stuck || !shim_ring_patience(&slices)) {
			stuck = tail;
			return 0;
		}
	}
}

static void copy_stack(struct ring_slot *slot, const struct shim_frame *frame)
{
	struct ring_spill *spill = &slot->spill;
	uint64_t top = top_of(slot->event.thread, frame->rsp);
	uint64_t size = top ? top - frame->rsp : TRACE_STACK_MAX;
	uint8_t *to;
	size_t done;

	if (size > TRACE_STACK_MAX)
		size = TRACE_STACK_MAX;
	if (!take_room(ring_stack_room(size), &spill->stack_at))
		return;
	spill->stack_size = size; /* the reader gives it back by this */
	to = shim_copies + (spill->stack_at & (TRACE_STACK_ROOM - 1));
	done = shim_read_some(to, frame->rsp, size);
	memset(to + done, 0, size - done);
	spill->stack_top = top;
	spill->rbx = frame->rbx;
	spill->rbp = frame->rbp;
	spill->r12 = frame->r12;
	spill->r13 = frame->r13;
	spill->r14 = frame->r14;
	spill->r15 = frame->r15;
	slot->event.flags |= TRACE_COPIED;
	__atomic_store_n(&spill->stack_ready, slot->event.turn,
	                 __ATOMIC_SEQ_CST);
}

/* Which site made the call. */
void shim_describe_site(struct ring_slot *slot, const struct shim_frame *frame)
{
	if (!slot)
		return;
	slot->event.site = frame->stub->site;
	slot->event.sp = frame->rsp;
	if (frame->stub->flags & STUB_FLAG_NET)
		slot->event.flags |= TRACE_BY_NET;
}

/* And how it came there. */
void shim_describe(struct ring_slot *slot, const struct shim_frame *frame)
{
	if (!slot)
		return;
	shim_describe_site(slot, frame);
	if (frame->stub->flags & STUB_FLAG_GO)
		walk_go(slot, frame);
	else
		copy_stack(slot, frame);
	walk_goroutine(slot);
}
