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
 *
 * Where a stack goes on in another, and not as record_goroutine knows it, the
 * copy is of both: a callback from C into Go, whatever made the call; C that
 * runs while a goroutine is current (the race detector); a signal stack.  So it
 * is where frame[] has no room for all.
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

/* The frames of one stack, from the one at `at`, which is above `below`; all
 * below `end`, 0: that is not known. */
static void walk(struct ring_slot *slot, uint64_t below, uint64_t at,
                 uint64_t end)
{
	uint64_t link[2]; /* the caller's frame, and pc */

	while (at - below < (end ? end - below : STACK_RISE) && !(at & 7) &&
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
		walk(slot, frame->rsp, frame->rbp, 0);
}

/* The goroutine that this thread runs; all 0 when it runs none. */
struct goroutine {
	uint64_t g;         /* the current one: g0, or a goroutine */
	uint64_t g0, curg;  /* of its m */
	uint64_t low, high; /* curg's stack */
	uint64_t sp;        /* where curg left it, if it did */
};

static struct goroutine goroutine_of(uint64_t key)
{
	const struct session_go *go = &shim.go;
	struct goroutine of = { 0 };
	uint64_t m;

	if (!go->tls || !key || key >> 63)
		return of;
	of.g = word(key + (uint64_t)go->tls);
	m = of.g ? word(of.g + go->g_m) : 0;
	of.g0 = m ? word(m + go->m_g0) : 0;
	of.curg = m ? word(m + go->m_curg) : 0;
	if (of.curg) {
		of.low = word(of.curg + G_STACK_LOW);
		of.high = word(of.curg + G_STACK_HIGH);
		of.sp = word(of.curg + go->sched_sp);
	}
	return of;
}

/* What g.sched holds depends on who left the goroutine: systemstack and
 * asmcgocall leave a marker for pc, mcall and morestack a pc. */
static void walk_goroutine(struct ring_slot *slot, const struct goroutine *of)
{
	const struct session_go *go = &shim.go;
	uint64_t pc;

	if (!of->curg || of->g != of->g0 ||
	    !within(of->sp, of->low, of->high - of->low))
		return;
	pc = word(of->curg + go->sched_pc);
	if (!within(pc, go->marker, go->marker_size)) {
		if (!add_frame(slot, pc))
			return;
	} else if (go->bare && !add_frame(slot, word(of->sp))) {
		return;
	}
	walk(slot, of->sp, word(of->curg + go->sched_bp), of->high - 8);
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
	struct shim_patience patience = { 0 };

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
		if (tail == stuck || !shim_ring_waits_on(&patience)) {
			stuck = tail;
			return 0;
		}
	}
}

/* The stack that the caller is on, and where it goes on: [at, end). */
struct stacks {
	struct part {
		uint64_t at, end; /* both 0: there is none */
	} first, other;
	uint64_t top; /* of the thread's, 0: not known */
	uint64_t go_pc, go_bp;
};

static uint64_t size_of(struct part part, uint64_t limit)
{
	uint64_t size = (part.end - part.at) & ~7ull;

	return size < limit ? size : limit;
}

/* Where it is not known it may end anywhere. */
static struct part to_top(uint64_t sp, uint64_t top)
{
	return (struct part){ sp, top ? top : sp + TRACE_STACK_MAX };
}

/* The lowest of `words` that points into `part`, if it is below `lowest`. */
static uint64_t lowest_of(const uint64_t *words, size_t count, struct part part,
                          uint64_t lowest)
{
	for (size_t i = 0; i < count; i++)
		if (!(words[i] & 7) && words[i] - part.at < lowest - part.at)
			lowest = words[i];
	return lowest;
}

/*
 * Who changes the stack keeps the old stack pointer in a register that C code
 * preserves, or in memory: so it is in a register or on the stack now.
 */
static struct part pointed_at(const struct shim_frame *frame, struct part first,
                              struct part whole)
{
	const uint64_t kept[] = { frame->rbx, frame->rbp, frame->r12,
		                  frame->r13, frame->r14, frame->r15 };
	uint64_t size = size_of(first, TRACE_STACK_MAX), words[256], some;
	uint64_t lowest = lowest_of(kept, 6, whole, whole.end);

	for (uint64_t at = 0; at < size; at += some) {
		some = size - at < sizeof(words) ? size - at : sizeof(words);
		some = shim_read_some(words, first.at + at, some) & ~7ull;
		if (!some)
			break;
		lowest = lowest_of(words, some / 8, whole, lowest);
	}
	if (lowest == whole.end)
		return (struct part){ 0 };
	return (struct part){ lowest, whole.end };
}

/* The thread's stack and its goroutine's, whichever the caller is on. */
static void join_goroutine(struct stacks *stacks, uint64_t key,
                           const struct goroutine *of)
{
	const struct session_go *go = &shim.go;
	struct part goroutine = { of->sp, of->high };
	uint64_t sp = stacks->first.at, c_sp = word(of->g0 + go->sched_sp);

	if (within(sp, of->low, of->high - of->low)) {
		stacks->top = top_of(key, c_sp);
		stacks->first = (struct part){ sp, of->high };
		stacks->other = to_top(c_sp, stacks->top);
	} else if (within(of->sp, of->low, of->high - of->low)) {
		stacks->other = goroutine;
		stacks->go_pc = word(of->curg + go->sched_pc);
		stacks->go_bp = word(of->curg + go->sched_bp);
	}
}

/* All of the calling thread's stack, if it is known. */
static struct part stack_of_thread(uint64_t key)
{
	const struct shim_stack *stack = stack_of(key);

	if (stack->key == key)
		return (struct part){ stack->low, stack->top };
	if (sys_call0(TRACE_NR_gettid) == shim.pid)
		return (struct part){ shim.stack_top - STACK_MAIN_MAX,
			              shim.stack_top };
	return (struct part){ 0 };
}

/* C code while a goroutine is current, but not on its stack, goes back to that;
 * from a signal stack it is to the thread's. */
static void join_apart(struct stacks *stacks, const struct shim_frame *frame,
                       uint64_t key, const struct goroutine *of)
{
	struct part whole = { of->low, of->high };

	if (!of->curg || of->g != of->curg ||
	    within(frame->rsp, of->low, of->high - of->low)) {
		if (stacks->top)
			return;
		whole = stack_of_thread(key);
		stacks->top = whole.end;
	}
	stacks->other = pointed_at(frame, stacks->first, whole);
}

/* Do frames not tell it all?  From a callback's last on it is C that called;
 * others are too many. */
static int is_beyond_frames(const struct ring_slot *slot)
{
	const struct session_go *go = &shim.go;
	unsigned frames = slot->event.frames;

	return frames == TRACE_FRAMES ||
	       (frames && within(slot->frame[frames - 1], go->callback,
	                         go->callback_size));
}

static void copy_part(uint8_t *to, struct part part, uint64_t size)
{
	size_t done = shim_read_some(to, part.at, size);

	memset(to + done, 0, size - done);
}

/* 0: there is no room. */
static int copy_stacks(struct ring_slot *slot, const struct shim_frame *frame,
                       const struct stacks *stacks, uint64_t go_top)
{
	struct ring_spill *spill = &slot->spill;
	uint64_t other = size_of(stacks->other, TRACE_STACKS_MAX);
	uint64_t first = size_of(stacks->first,
	                         other ? TRACE_STACKS_MAX : TRACE_STACK_MAX);
	uint8_t *to;

	if (first + other > TRACE_STACKS_MAX) {
		/* at least half of the room is either's */
		if (first < TRACE_STACKS_MAX / 2)
			other = TRACE_STACKS_MAX - first;
		else if (other > TRACE_STACKS_MAX / 2)
			other = TRACE_STACKS_MAX / 2;
		first = TRACE_STACKS_MAX - other;
	}
	if (!take_room(ring_stack_room(first + other), &spill->stack_at))
		return 0;
	/* the reader gives it back by this */
	spill->stack_size = first + other;
	to = shim_copies + (spill->stack_at & (TRACE_STACK_ROOM - 1));
	copy_part(to, stacks->first, first);
	copy_part(to + first, stacks->other, other);
	spill->first = first;
	spill->other = stacks->other.at;
	spill->go_pc = stacks->go_pc;
	spill->go_bp = stacks->go_bp;
	spill->go_top = go_top;
	spill->stack_top = stacks->top;
	spill->rbx = frame->rbx;
	spill->rbp = frame->rbp;
	spill->r12 = frame->r12;
	spill->r13 = frame->r13;
	spill->r14 = frame->r14;
	spill->r15 = frame->r15;
	slot->event.flags |= TRACE_COPIED;
	__atomic_store_n(&spill->stack_ready, slot->event.turn,
	                 __ATOMIC_SEQ_CST);
	return 1;
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
	struct stacks stacks = { 0 };
	struct goroutine of;
	int go, beyond;

	if (!slot)
		return;
	shim_describe_site(slot, frame);
	go = (frame->stub->flags & STUB_FLAG_GO) != 0;
	of = goroutine_of(slot->event.thread);
	if (go)
		walk_go(slot, frame);
	walk_goroutine(slot, &of);
	stacks.top = top_of(slot->event.thread, frame->rsp);
	stacks.first = to_top(frame->rsp, stacks.top);
	beyond = is_beyond_frames(slot);
	if (beyond)
		join_goroutine(&stacks, slot->event.thread, &of);
	else if (!go)
		join_apart(&stacks, frame, slot->event.thread, &of);
	if ((!go || stacks.other.end) &&
	    copy_stacks(slot, frame, &stacks, of.high) && beyond &&
	    stacks.other.end) { /* they are in the copy */
		slot->event.frames = 0;
		slot->event.flags &= (uint16_t)~TRACE_CUT;
	}
}
