/*
 * cold - the calls that need more than one event around them.
 *
 * Each runs with every signal blocked, on a stack of the pool.  What it decides
 * is an enum shim_action; x86_64/cold.S carries it out.
 */
#include "shim/shim.h"

#include <asm/mman.h>
#include <asm/unistd_64.h>
#include <linux/errno.h>
#include <linux/prctl.h>
#include <linux/shm.h>

#define NR_io_pgetevents     333
#define NR_clone3            435
#define NR_process_madvise   440
#define NR_map_shadow_stack  453
#define NR_mseal             462
#define VMA_ANON_NAME        0x53564d41 /* PR_SET_VMA (linux/prctl.h) */
#define SET_SYSCALL_DISPATCH 59         /* PR_SET_SYSCALL_USER_DISPATCH */

/* Which calls the ledger needs (docs/design.md, "Cold calls"), and which carry
 * a signal mask, a disposition, or an end. */
uint8_t shim_interest[INTEREST_CALLS] = {
	[__NR_mmap] = SHIM_RECORD,
	[__NR_munmap] = SHIM_RECORD,
	[__NR_mremap] = SHIM_RECORD,
	[__NR_mprotect] = SHIM_RECORD,
	[TRACE_NR_pkey_mprotect] = SHIM_RECORD,
	[__NR_madvise] = SHIM_RECORD,
	[NR_process_madvise] = SHIM_RECORD,
	[__NR_brk] = SHIM_RECORD,
	[__NR_shmat] = SHIM_COLD,
	[__NR_shmdt] = SHIM_RECORD,
	[__NR_remap_file_pages] = SHIM_RECORD,
	[__NR_mlock] = SHIM_RECORD,
	[__NR_mlock2] = SHIM_RECORD,
	[__NR_mlockall] = SHIM_RECORD,
	[__NR_munlock] = SHIM_RECORD,
	[__NR_munlockall] = SHIM_RECORD,
	[NR_mseal] = SHIM_RECORD,
	[NR_map_shadow_stack] = SHIM_RECORD,
	[__NR_io_setup] = SHIM_COLD,
	[__NR_io_destroy] = SHIM_RECORD,
	[__NR_arch_prctl] = SHIM_COLD,
	[__NR_prctl] = SHIM_COLD,
	[__NR_seccomp] = SHIM_COLD,
	[__NR_ptrace] = SHIM_COLD,
	[__NR_clone] = SHIM_COLD,
	[NR_clone3] = SHIM_COLD,
	[__NR_fork] = SHIM_COLD,
	[__NR_vfork] = SHIM_COLD,
	[__NR_execve] = SHIM_COLD,
	[__NR_execveat] = SHIM_COLD,
	[__NR_exit] = SHIM_COLD,
	[__NR_exit_group] = SHIM_COLD,
	[__NR_rt_sigaction] = SHIM_COLD,
	[__NR_rt_sigprocmask] = SHIM_COLD,
	[__NR_rt_sigsuspend] = SHIM_COLD,
	[__NR_rt_sigtimedwait] = SHIM_COLD,
	[__NR_signalfd] = SHIM_COLD,
	[__NR_signalfd4] = SHIM_COLD,
	[__NR_ppoll] = SHIM_MASK,
	[__NR_pselect6] = SHIM_MASK,
	[__NR_epoll_pwait] = SHIM_MASK,
	[TRACE_NR_epoll_pwait2] = SHIM_MASK,
	[NR_io_pgetevents] = SHIM_MASK,
	[__NR_rt_sigreturn] = SHIM_SIGRETURN,
};

/* It may be told to fail instead. */
static uint64_t make_call(struct ring_slot *slot,
                          const struct shim_frame *frame)
{
	uint64_t result;

	if (shim_inject(slot, frame, &result))
		return result;
	return (uint64_t)sys_call6((long)frame->nr, (long)frame->arg[0],
	                           (long)frame->arg[1], (long)frame->arg[2],
	                           (long)frame->arg[3], (long)frame->arg[4],
	                           (long)frame->arg[5]);
}

/* One event around the call, made right here. */
static enum shim_action recorded(struct shim_frame *frame)
{
	struct ring_slot *slot =
		shim_event_begin((uint32_t)frame->nr, frame->arg);

	shim_describe(slot, frame);
	frame->result = make_call(slot, frame);
	shim_event_end(slot, frame->result);
	return SHIM_DONE;
}

/* Its permission is the one that shmat asks for. */
static uint64_t segment_size(uint64_t id)
{
	struct shmid64_ds segment;

	if (sys_call3(__NR_shmctl, (long)id, IPC_STAT, (long)&segment))
		return 0;
	return segment.shm_segsz;
}

/* A ring of aio is its context: the page begins with its ID and how many
 * entries it has; the header is as large as one. */
static uint64_t ring_size(uint64_t ring)
{
	struct {
		uint32_t id, entries;
	} header;

	if (shim_read(&header, ring, sizeof(header)))
		return 0;
	return (header.entries + 1ull) * 32;
}

/* Two calls do not say how much they map, io_setup not where either. */
static void measure(struct ring_slot *slot, const struct shim_frame *frame)
{
	uint64_t start = frame->result, size = 0;

	if (frame->nr == __NR_shmat)
		size = segment_size(frame->arg[0]);
	else if (!shim_read(&start, frame->arg[1], sizeof(start)))
		size = ring_size(start);
	if (size == 0)
		return;
	slot->event.args[4] = start;
	slot->event.args[5] = size;
	slot->event.flags |= TRACE_MEASURED;
}

static enum shim_action measured(struct shim_frame *frame)
{
	struct ring_slot *slot =
		shim_event_begin((uint32_t)frame->nr, frame->arg);

	shim_describe(slot, frame);
	frame->result = make_call(slot, frame);
	if (slot && !trace_failed(frame->result))
		measure(slot, frame);
	shim_event_end(slot, frame->result);
	return SHIM_DONE;
}

static enum shim_action answer(struct shim_frame *frame, int64_t result)
{
	frame->result = (uint64_t)result;
	return SHIM_DONE;
}

/*
 * Go since 1.25 and glibc name their mappings, until the kernel says it cannot
 * (CONFIG_ANON_VMA_NAME off).  Answered 0, they go on naming: the one
 * deliberate difference (--names).  The name is copied into the event's frames.
 */
static enum shim_action name_mapping(struct shim_frame *frame)
{
	struct ring_slot *slot =
		shim_event_begin((uint32_t)frame->nr, frame->arg);

	shim_describe_site(slot, frame);
	if (slot && frame->arg[4]) {
		char name[80];

		memset(name, 0, sizeof(name));
		for (size_t i = 0; i < sizeof(name) - 1; i++)
			if (shim_read(name + i, frame->arg[4] + i, 1) ||
			    !name[i])
				break;
		memcpy(slot->frame, name, sizeof(name));
		slot->event.frames = sizeof(name) / 8;
		slot->event.flags |= TRACE_NAMED;
	}
	frame->result = make_call(slot, frame);
	if ((int64_t)frame->result == -EINVAL &&
	    !(shim.options & SESSION_NO_NAMES))
		frame->result = 0;
	shim_event_end(slot, frame->result);
	return SHIM_DONE;
}

static enum shim_action do_prctl(struct shim_frame *frame)
{
	switch (frame->arg[0]) {
	case VMA_ANON_NAME:
		if (frame->arg[1] == 0 /* PR_SET_VMA_ANON_NAME */)
			return name_mapping(frame);
		return recorded(frame);
	case PR_SET_MM:
		return recorded(frame);
	case PR_SET_SECCOMP:
		shim_follow_filtered();
		return SHIM_PLAIN;
	case PR_SET_CHILD_SUBREAPER:
		if (frame->arg[1])
			shim_follow_adopts();
		return SHIM_PLAIN;
	case SET_SYSCALL_DISPATCH:
		/* one dispatcher a thread, and it is the net; of the program's
		 * own goload's calls would be caught: as a kernel without it */
		return answer(frame, -EINVAL);
	default:
		return SHIM_PLAIN;
	}
}

/* arch_prctl: where FS and GS point names the thread.  The rest (shadow stacks)
 * must not happen in the middle of C. */
static enum shim_action set_base(struct shim_frame *frame)
{
	return frame->arg[0] >> 12 == 1 /* ARCH_SET_GS .. ARCH_GET_GS */
	               ? recorded(frame)
	               : SHIM_PLAIN;
}

/* A call whose slot was not free: wait for the observer, then as record.S. */
static enum shim_action full(struct shim_frame *frame)
{
	struct ring_slot *slot = shim_slot_wait(ring_position(frame->rax));

	frame->nr = frame->r11 >> 48;
	frame->rax = frame->nr;
	frame->stub = (struct stub_site *)(frame->r11 << 16 >> 16);
	if (slot) {
		slot->event.call = (uint32_t)frame->nr;
		slot->event.frames = 0;
		slot->event.flags = 0;
		slot->spill.stack_size = 0;
		for (int i = 0; i < 6; i++)
			slot->event.args[i] = frame->arg[i];
		slot->event.thread = shim_thread_key();
		shim_describe(slot, frame);
		slot->event.tsc = shim_clock();
		slot->event.ticket = shim_ticket();
	}
	frame->result = make_call(slot, frame);
	shim_event_end(slot, frame->result);
	return SHIM_DONE;
}

static int makes_executable(const struct shim_frame *frame)
{
	return (frame->nr == __NR_mmap || frame->nr == __NR_mprotect ||
	        frame->nr == TRACE_NR_pkey_mprotect) &&
	       (frame->arg[2] & PROT_EXEC);
}

/* A call that the hot path left: it makes pages executable, or record_copy
 * could not copy the stack. */
static enum shim_action memory(struct shim_frame *frame)
{
	uint64_t start = frame->arg[0];

	if (shim.gate != SHIM_OPEN)
		return SHIM_PLAIN;
	recorded(frame);
	if (trace_failed(frame->result) || !makes_executable(frame))
		return SHIM_DONE;
	if (frame->nr == __NR_mmap)
		start = frame->result;
	shim_code_arrived(start, frame->arg[1], (uint32_t)frame->arg[2]);
	return SHIM_DONE;
}

static int is_memory_call(uint64_t nr)
{
	return nr < INTEREST_CALLS && (shim_interest[nr] == SHIM_RECORD ||
	                               shim_interest[nr] == SHIM_ASK);
}

static enum shim_action decide(struct shim_frame *frame)
{
	switch (frame->nr) {
	case __NR_rt_sigaction:
		shim_sigaction(frame);
		return SHIM_DONE;
	case __NR_rt_sigprocmask:
		shim_sigprocmask(frame);
		return SHIM_DONE;
	case __NR_ppoll:
	case __NR_pselect6:
	case __NR_epoll_pwait:
	case TRACE_NR_epoll_pwait2:
	case NR_io_pgetevents:
	case __NR_rt_sigsuspend:
	case __NR_rt_sigtimedwait:
	case __NR_signalfd:
	case __NR_signalfd4:
		return shim_mask_call(frame);
	case __NR_clone:
	case NR_clone3:
	case __NR_fork:
	case __NR_vfork:
		return shim_clone_before(frame);
	case __NR_execve:
	case __NR_execveat:
	case __NR_exit:
	case __NR_exit_group:
		return shim_exit_before(frame);
	case __NR_prctl:
		return do_prctl(frame);
	case __NR_arch_prctl:
		return set_base(frame);
	case __NR_seccomp:
		shim_follow_filtered();
		return SHIM_PLAIN;
	case __NR_shmat:
	case __NR_io_setup:
		return measured(frame);
	case __NR_ptrace:
		shim_net_traced(frame);
		return SHIM_PLAIN;
	default:
		return is_memory_call(frame->nr) ? memory(frame)
		                                 : shim_exe_call(frame);
	}
}

/* While another thread has the last look taken everything waits but the end; a
 * child that shares memory is none of it. */
static int must_park(const struct shim_frame *frame)
{
	if (shim.gate != SHIM_CLOSING || shim_foreign())
		return 0;
	switch (frame->nr) {
	case __NR_exit:
	case __NR_exit_group:
	case __NR_execve:
	case __NR_execveat:
		return 0; /* they see to it themselves */
	default:
		return 1;
	}
}

enum shim_action shim_cold_call(struct shim_frame *frame)
{
	const uint64_t args[6] = { frame->rdi, frame->rsi, frame->rdx,
		                   frame->r10, frame->r8,  frame->r9 };

	for (int i = 0; i < 6; i++)
		frame->arg[i] = args[i];
	frame->post = 0;
	frame->follow = 0;
	frame->child = NULL;
	if (frame->kind == FRAME_FULL)
		return full(frame);
	frame->nr = (uint32_t)frame->rax;
	if (must_park(frame)) {
		shim_park();
		return SHIM_RESTART;
	}
	return decide(frame);
}

enum shim_action shim_cold_post(struct shim_frame *frame)
{
	switch (frame->nr) {
	case __NR_clone:
	case NR_clone3:
	case __NR_fork:
	case __NR_vfork:
		shim_clone_after(frame);
		return SHIM_DONE;
	case __NR_execve:
	case __NR_execveat:
		return shim_exec_failed(frame);
	default:
		return SHIM_DONE;
	}
}
