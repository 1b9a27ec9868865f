/*
 * thread - clone, clone3, fork and vfork, and what their children do first.
 *
 * Both sides return with every signal blocked (x86_64/cold.S), the parent with
 * its frame, the child with one that was made for it before the call: they may
 * share all memory and run at the same time.  No slot of the ring is held
 * across the call; the parent records it afterwards.
 */
#include "shim/shim.h"

#include <asm/mman.h>
#include <asm/unistd_64.h>
#include <linux/errno.h>
#include <linux/mman.h>
#include <linux/sched.h>

#define NR_clone3 435

/* A process that shares the target's memory and is not the target: between
 * vfork and execve, in posix_spawn. */
int shim_foreign(void)
{
	return sys_call0(__NR_getpid) != shim.pid;
}

static struct shim_frame *frame_at(size_t index)
{
	return (struct shim_frame *)(shim_pool + index * FRAME_SIZE);
}

static struct shim_frame *frame_take(void)
{
	for (size_t i = 0; i < FRAME_COUNT; i++)
		if (!__atomic_exchange_n(&frame_at(i)->busy, 1,
		                         __ATOMIC_ACQUIRE))
			return frame_at(i);
	return NULL;
}

/* What both sides must know of the call (in frame->scratch: the caller's memory
 * may be gone when the child looks). */
struct note {
	uint64_t flags;
	uint64_t stack; /* lowest address of the child's, 0: not told */
	int vfork;      /* follow.c */
};

static struct note *note_of(struct shim_frame *frame)
{
	return (struct note *)frame->scratch;
}

/* fork and vfork in clone's terms. */
static struct note take_note(const struct shim_frame *frame)
{
	struct clone_args args = { 0 };

	switch (frame->nr) {
	case __NR_clone:
		return (struct note){ .flags = frame->arg[0] };
	case NR_clone3:
		shim_read(&args, frame->arg[0], CLONE_ARGS_SIZE_VER0);
		return (struct note){ .flags = args.flags,
			              .stack = args.stack };
	case __NR_vfork:
		return (struct note){ .flags = CLONE_VM | CLONE_VFORK };
	default:
		return (struct note){ 0 };
	}
}

/* A child that the caller waits for, whose pid it knows as we do, and that has
 * descriptors of its own. */
static int is_vfork(uint64_t flags)
{
	return (flags & (CLONE_VM | CLONE_VFORK | CLONE_THREAD | CLONE_FILES |
	                 CLONE_NEWPID)) == (CLONE_VM | CLONE_VFORK);
}

enum shim_action shim_clone_before(struct shim_frame *frame)
{
	struct shim_frame *child = frame_take();

	if (!child) /* give ours back, so that others can end */
		return SHIM_RESTART;
	*note_of(frame) = take_note(frame);
	if (note_of(frame)->flags & CLONE_THREAD)
		__atomic_fetch_add(&shim.threads, 1, __ATOMIC_SEQ_CST);
	if (shim_family.size && is_vfork(note_of(frame)->flags))
		note_of(frame)->vfork = shim_vfork_take();
	frame->child = child;
	memcpy(child, frame, sizeof(*child));
	return SHIM_CLONE;
}

/* In the parent. */
void shim_clone_after(struct shim_frame *frame)
{
	int failed = trace_failed(frame->result);
	uint64_t flags = note_of(frame)->flags;
	struct ring_slot *slot;

	if (failed) {
		shim_frame_release(frame->child);
		if (flags & CLONE_THREAD)
			__atomic_fetch_sub(&shim.threads, 1, __ATOMIC_SEQ_CST);
	} else if (!(flags & CLONE_VM)) {
		shim_frame_release(frame->child); /* the child has a copy */
	}
	if (note_of(frame)->vfork)
		shim_vfork_release(note_of(frame)->vfork);
	if (!failed && !(flags & CLONE_THREAD))
		__atomic_fetch_add(&shim_family.born, 1, __ATOMIC_SEQ_CST);
	slot = shim_event_begin((uint32_t)frame->nr, frame->arg);
	shim_describe(slot, frame);
	shim_event_end(slot, frame->result);
	if (!failed && !(flags & CLONE_THREAD))
		shim_fact(TRACE_CHILD, frame->result, flags, 0, 0, 0, 0);
}

static void make_own(const uint8_t *start, const uint8_t *end)
{
	sys_call6(__NR_mmap, (long)start, end - start, PROT_READ | PROT_WRITE,
	          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
	          0);
}

/*
 * A fork child: a process of its own that is not observed.  The session is the
 * target's, so it goes, all but the family's pages; the pool and the locks are
 * copies of a moment when other threads, which do not exist here, may have held
 * them.
 */
static void detach(struct shim_frame *frame)
{
	shim.gate = SHIM_OFF;
	shim.pid = (int32_t)sys_call0(__NR_getpid);
	shim.stubs_lock = 0;
	shim_signals_unlock();
	shim_late_unlock();
	for (size_t i = 0; i < FRAME_COUNT; i++)
		if (frame_at(i) != frame)
			frame_at(i)->busy = 0;
	shim_vforks_forget();
	make_own((uint8_t *)&shim_session, (uint8_t *)&shim_family);
	make_own((uint8_t *)shim_reply, shim_image_end);
}

/* A new thread's stack, with its first sp on top.  Not all calls tell where it
 * begins; Go needs no copies of it. */
static void learn_stack(struct shim_frame *frame)
{
	uint64_t low = note_of(frame)->stack;
	size_t pages;

	if (!(note_of(frame)->flags & CLONE_SETTLS) ||
	    (frame->stub->flags & STUB_FLAG_GO))
		return;
	if (!low) {
		pages = shim_readable_pages(frame->rsp - 1);
		low = ((frame->rsp - 1) & -LOADER_PAGE) -
		      (pages - 1) * LOADER_PAGE;
	}
	shim_stack_learn(low, frame->rsp);
}

/* In the child, whatever it is: under the net before its first instruction. */
void shim_child(struct shim_frame *frame)
{
	uint64_t flags = note_of(frame)->flags;

	if (!(flags & CLONE_VM))
		detach(frame);
	if (!(flags & CLONE_VM) && (flags & CLONE_FILES))
		shim_follow_alone();
	else if (note_of(frame)->vfork)
		shim_vfork_child(note_of(frame)->vfork);
	if (flags & CLONE_CLEAR_SIGHAND) {
		shim_net_handler();
		if (!(flags & CLONE_VM))
			shim_signals_cleared();
	}
	if (shim.net)
		shim_net_arm();
	if (!(flags & CLONE_THREAD))
		return;
	learn_stack(frame);
	shim_fact(TRACE_THREAD, (uint64_t)sys_call0(__NR_gettid), frame->rsp, 0,
	          0, 0, 0);
}
