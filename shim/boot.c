/*
 * boot - the image's life before the program's: from the kernel's stack to the
 * program's first instruction.
 *
 * The process is goload's own: the same pid, parent, terminal and descriptors,
 * freshly exec'ed, so the kernel has reset signals, timers, rseq and the rest.
 * What is left to do of an execve is here, in order, in shim_boot().
 *
 * A failure is told to the observer in the session's message, and the process
 * ends with goload's own status; nothing of the program has run.
 */
#include "shim/shim.h"

#include <asm/mman.h>
#include <asm/signal.h>
#include <asm/unistd_64.h>
#include <linux/auxvec.h>
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/uio.h>

#define GO_ON_SLICES      2500 /* 5 s for the observer to take over */
#define SLICE_NS          2000000l
#define DYN_BASE          0x555555554000ul /* ELF_ET_DYN_BASE, page-aligned */
#define DYN_RANDOM_BITS   28 /* vm.mmap_rnd_bits unless it is changed */
#define BRK_FAR           0x100000000ul /* more than arch_randomize_brk() adds */
#define ADDR_NO_RANDOMIZE 0x0040000ul  /* uapi/linux/personality.h */
#define EXIT_OWN_FAILURE  125
#define EXIT_CANNOT_LOAD  126
#define HWCAP2_FSGSBASE   2u /* asm/hwcap2.h */

void shim_boot(uint64_t *sp);
void shim_enter(uint64_t sp, uint64_t entry)
	__attribute__((visibility("hidden"), noreturn));

/* What the kernel put on the image's initial stack. */
struct start {
	uint64_t argc, envc;
	const char **argv, **envp;
	uint64_t *auxv;
	const char *session; /* behind SESSION_ENV */
};

static uint64_t aux(const struct start *start, uint64_t type)
{
	for (const uint64_t *a = start->auxv; a[0] != AT_NULL; a += 2)
		if (a[0] == type)
			return a[1];
	return 0;
}

static size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

static void give_up(const char *message, long error, uint32_t code)
	__attribute__((noreturn));
static void kill_as_kernel(const char *message, long error)
	__attribute__((noreturn));
static void leave(long code) __attribute__((noreturn));

static void tell_failure(const char *message, long error, uint32_t code)
{
	struct trace_session *s = &shim_session;
	size_t size = length(message) + 1;

	if (s->magic == SESSION_MAGIC) {
		memcpy(s->message, message, size);
		s->error = (uint32_t)-error;
		s->exit_code = code;
		__atomic_store_n(&s->state, SESSION_FAILED, __ATOMIC_SEQ_CST);
		shim_ring_bell();
		/* the observer prints it before the prompt comes */
		for (int i = 0;
		     i < GO_ON_SLICES && !s->reported && shim_observer_alive();
		     i++) {
			uint32_t bell = __atomic_load_n(&s->target_bell,
			                                __ATOMIC_ACQUIRE);

			shim_wait(&s->target_bell, bell, SLICE_NS);
		}
	}
}

/* By one of two calls; a filter may forbid the first. */
static void leave(long code)
{
	sys_call1(__NR_exit_group, code);
	sys_call1(__NR_exit, code);
	__builtin_trap();
}

static void give_up(const char *message, long error, uint32_t code)
{
	tell_failure(message, error, code);
	leave((long)code);
}

/* What fails here fails behind the kernel's point of no return.  A fault kills
 * as the kernel does then: ignored, blocked, or as pid 1. */
static void kill_as_kernel(const char *message, long error)
{
	shim_session.killed = 1;
	tell_failure(message, error, EXIT_CANNOT_LOAD);
	if (shim_session.options & SESSION_FAITHFUL)
		__asm__ volatile("hlt");
	leave(EXIT_CANNOT_LOAD);
}

static const char *after_prefix(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return NULL;
	return s;
}

/* The session's name is the last string of the environment: goload put it
 * there, and the program shall not see it. */
static struct start read_stack(uint64_t *sp)
{
	struct start s = { .argc = sp[0], .argv = (const char **)(sp + 1) };

	s.envp = s.argv + s.argc + 1;
	while (s.envp[s.envc])
		s.envc++;
	s.auxv = (uint64_t *)(s.envp + s.envc + 1);
	if (s.envc)
		s.session = after_prefix(s.envp[s.envc - 1], SESSION_ENV);
	if (s.session)
		s.envc--;
	return s;
}

static int number(const char *s)
{
	int n = 0;

	while (*s >= '0' && *s <= '9')
		n = n * 10 + (*s++ - '0');
	return n;
}

static void map_session(int fd)
{
	long size = shim_image_end - (uint8_t *)&shim_session;
	long got = sys_call6(__NR_mmap, (long)&shim_session, size,
	                     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
	                     0);

	if (got != (long)&shim_session || shim_session.magic != SESSION_MAGIC)
		leave(EXIT_OWN_FAILURE);
}

static const struct session_plan *map_plan(int fd)
{
	long plan = sys_call6(__NR_mmap, 0, (long)shim_session.plan_size,
	                      PROT_READ, MAP_PRIVATE, fd, SESSION_PLAN);

	if (sys_failed(plan))
		give_up("cannot map the plan", plan, EXIT_OWN_FAILURE);
	return (const struct session_plan *)plan;
}

static void require(long result, const char *message)
{
	if (result == -EPERM || result == -ENOSYS)
		give_up(message, result, EXIT_OWN_FAILURE);
}

/* What a filter may forbid, and nothing here can do without: asked in a way
 * that changes nothing. */
static void require_calls(void)
{
	require(sys_call2(__NR_munmap, 0, 0), "cannot do without munmap");
	require(sys_call4(__NR_rt_sigaction, SIGSYS, 0, 0, 8),
	        "cannot do without rt_sigaction");
	require(sys_call4(__NR_rt_sigprocmask, 0, 0, 0, 8),
	        "cannot do without rt_sigprocmask");
}

static uint32_t prot_of(uint32_t flags)
{
	return (flags & PF_R ? PROT_READ : 0) |
	       (flags & PF_W ? PROT_WRITE : 0) | (flags & PF_X ? PROT_EXEC : 0);
}

/* The same bytes, but anonymous: then the file that the image came from is not
 * mapped any more, and /proc/self/exe can be made to name the program.  The
 * page that runs this is replaced in one step, by the same instructions. */
static void anonymise(uint64_t start, uint64_t end, uint32_t flags)
{
	long size, copy;

	start &= -LOADER_PAGE;
	end = (end + LOADER_PAGE - 1) & -LOADER_PAGE;
	size = (long)(end - start);
	copy = sys_call6(__NR_mmap, 0, size, PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_failed(copy))
		return;
	memcpy((void *)copy, (const void *)start, (size_t)size);
	if (sys_failed(sys_call3(__NR_mprotect, copy, size, prot_of(flags)))) {
		sys_call2(__NR_munmap, copy, size);
		return; /* not allowed: it stays the file's */
	}
	if (sys_failed(sys_call5(__NR_mremap, copy, size, size,
	                         MREMAP_MAYMOVE | MREMAP_FIXED, (long)start)))
		sys_call2(__NR_munmap, copy, size);
}

static void tell_own(uint64_t start, uint64_t end, uint32_t prot,
                     enum trace_what what)
{
	uint32_t flags = what == TRACE_WHAT_RING ? MAP_SHARED
	                                         : MAP_PRIVATE | MAP_ANONYMOUS;

	shim_fact(TRACE_MAPPED, start, end - start, prot, flags, what, 0);
}

/* The image's segments become anonymous; each, and what the last one's bss
 * holds, is told as goload's own. */
static void settle_image(const struct start *start)
{
	const Elf64_Phdr *phdr = (const void *)aux(start, AT_PHDR);
	uint64_t base = (uint64_t)__executable_start;
	uint64_t stubs = (uint64_t)shim_stubs, ring = (uint64_t)&shim_session;
	uint64_t count = aux(start, AT_PHNUM);

	for (uint64_t i = 0; i < count; i++) {
		uint64_t at =
			base + phdr[i].p_vaddr; /* the image starts at 0 */
		uint64_t end = at + phdr[i].p_memsz;

		if (phdr[i].p_type != PT_LOAD)
			continue;
		anonymise(at, at + phdr[i].p_filesz, phdr[i].p_flags);
		tell_own(at & -LOADER_PAGE,
		         end > stubs ? stubs
		                     : (end + LOADER_PAGE - 1) & -LOADER_PAGE,
		         prot_of(phdr[i].p_flags), TRACE_WHAT_IMAGE);
	}
	tell_own(stubs, ring, PROT_READ | PROT_EXEC, TRACE_WHAT_STUBS);
	tell_own(ring, (uint64_t)shim_image_end, PROT_READ | PROT_WRITE,
	         TRACE_WHAT_RING);
}

static void mapped(void *context, uint64_t start, uint64_t size, uint32_t prot,
                   uint32_t flags, uint32_t what, uint64_t offset)
{
	uint64_t first = *(const uint32_t *)context;

	shim_fact(TRACE_MAPPED, start, size, prot, flags, first + what - 1,
	          offset);
}

static int randomized(void)
{
	return !(sys_call1(__NR_personality, 0xffffffff) & ADDR_NO_RANDOMIZE);
}

static uint64_t random_pages(uint64_t count)
{
	uint64_t random = 0;

	if (randomized())
		sys_call3(__NR_getrandom, (long)&random, sizeof(random), 0);
	return random % count * LOADER_PAGE;
}

/* Where load_elf_binary puts a PIE with an interpreter: ELF_ET_DYN_BASE and
 * arch_mmap_rnd().  Everything else goes where its addresses or mmap say. */
static uint64_t choose_base(const struct loader_plan *plan)
{
	if (plan->type != ET_DYN || !plan->interp_size)
		return LOADER_ANYWHERE;
	return (DYN_BASE + random_pages(1ull << DYN_RANDOM_BITS)) &
	       -plan->align;
}

static struct loader_image map_file(const struct loader_plan *plan, int fd,
                                    uint64_t base, uint32_t what)
{
	struct loader_image image = { 0 };
	enum loader_error error =
		loader_map(plan, fd, base, &image, mapped, &what);

	if (error && loader_kills(error))
		kill_as_kernel(loader_strerror(error), -image.error);
	if (error)
		give_up(loader_strerror(error), 0, EXIT_CANNOT_LOAD);
	return image;
}

/* Linked to where goload's image, the vDSO or the stack happens to be. */
static void refuse_overlap(const struct loader_plan *plan)
{
	struct loader_image image;
	enum loader_error error = loader_room(plan, &image);

	if (error)
		give_up(loader_strerror(error), 0, EXIT_CANNOT_LOAD);
}

static struct shim_modules map_program(const struct start *start,
                                       const struct session_plan *plan)
{
	const uint8_t *base = (const uint8_t *)plan;
	const struct loader_plan *program =
		(const void *)(base + plan->program);
	struct shim_modules modules = {
		.program = map_file(program, shim_session.program_fd,
		                    choose_base(program), TRACE_WHAT_FILE),
		.vdso = aux(start, AT_SYSINFO_EHDR),
	};

	/* beside a program at its own addresses the interpreter's are a hint */
	if (plan->interp)
		modules.interp = map_file((const void *)(base + plan->interp),
		                          shim_session.interp_fd,
		                          modules.program.bias ? LOADER_ANYWHERE
		                                               : LOADER_LINKED,
		                          TRACE_WHAT_INTERP_FILE);
	return modules;
}

/* What a stack walk knows of Go, at the addresses it has here. */
static void set_go(const struct session_plan *plan, uint64_t bias)
{
	shim.go = plan->go;
	shim.go.text += bias;
	shim.go.sigtramp += bias;
	shim.go.systemstack += bias;
	shim.go.callback += bias;
	shim.go.marker += bias;
}

static void boot_state(const struct start *start)
{
	shim.slots = shim_slots;
	shim.pool_end = shim_pool_end;
	shim.image_size = (uint64_t)(shim_image_end - __executable_start);
	shim.pid = (int32_t)sys_call0(__NR_getpid);
	shim.threads = 1;
	shim.options = shim_session.options;
	shim.fsgsbase = (aux(start, AT_HWCAP2) & HWCAP2_FSGSBASE) != 0;
	shim_session.image_start = (uint64_t)__executable_start;
	shim_session.image_end = (uint64_t)shim_image_end;
}

/*
 * Where the heap begins: as load_elf_binary, a page and some chance behind the
 * program.  How much chance (arch_randomize_brk(): up to 32 MiB, or 1 GiB in
 * newer kernels) is what the image's own break got: it was counted from
 * DYN_BASE, for a static PIE, or before Linux 5.2 from the image's end.  A
 * static PIE keeps that break.
 */
static uint64_t choose_brk(const struct loader_plan *plan,
                           const struct loader_image *image)
{
	uint64_t own = (uint64_t)sys_call1(__NR_brk, 0);
	uint64_t from = own - DYN_BASE < BRK_FAR ? DYN_BASE + LOADER_PAGE
	                                         : (uint64_t)shim_image_end;

	if (plan->type == ET_DYN && !plan->interp_size)
		return own;
	if (own <= from) /* there is no chance, and then no page in between */
		return image->brk;
	return image->brk + LOADER_PAGE + (own - from);
}

/* The top of the stack and the kernel's random gap below the strings, read off
 * the stack that the kernel made for the image. */
static void read_layout(const struct start *start, struct loader_stack *in)
{
	const char *execfn = (const char *)aux(start, AT_EXECFN);
	const char *platform = (const char *)aux(start, AT_PLATFORM);
	uint64_t strings =
		start->argc ? (uint64_t)start->argv[0] : (uint64_t)execfn;

	in->top = (uint64_t)execfn + length(execfn) + 1 + 8;
	if (platform) {
		uint64_t gap =
			strings - ((uint64_t)platform + length(platform) + 1);

		in->gap = gap < 16 || gap > 8191 + 16 ? 0 : gap;
	}
	in->platform = platform;
	memcpy(in->random, (const void *)aux(start, AT_RANDOM), 16);
}

static struct loader_stack_out build_stack(const struct start *start,
                                           const struct session_plan *plan,
                                           const struct loader_plan *program,
                                           const struct shim_modules *modules)
{
	struct loader_stack in = {
		.execfn = (const char *)plan + plan->execfn,
		.argc = start->argc,
		.envc = start->envc,
		.argv = start->argv,
		.envp = start->envp,
		.auxv = start->auxv,
		.phdr = modules->program.phdr,
		.phnum = program->phnum,
		.entry = modules->program.entry,
		.base = modules->interp.bias,
	};
	struct loader_stack_out out;
	enum loader_error error;
	size_t room;
	long bytes;

	read_layout(start, &in);
	room = (loader_stack_size(&in) + LOADER_PAGE - 1) & -LOADER_PAGE;
	bytes = sys_call6(__NR_mmap, 0, (long)room, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_failed(bytes))
		give_up("no memory for the initial stack", bytes,
		        EXIT_OWN_FAILURE);
	error = loader_stack(&in, (uint8_t *)bytes, room, &out);
	if (error)
		give_up(loader_strerror(error), 0, EXIT_OWN_FAILURE);
	/* from here on argv, envp and auxv of `start` are gone */
	memcpy((void *)out.sp, (const void *)bytes, out.size);
	sys_call2(__NR_munmap, bytes, (long)room);
	if (program->exec_stack)
		sys_call3(__NR_mprotect, (long)(out.sp & -LOADER_PAGE),
		          (long)(in.top - (out.sp & -LOADER_PAGE)),
		          PROT_READ | PROT_WRITE | PROT_EXEC |
		                  (long)PROT_GROWSDOWN);
	return out;
}

/* mm_struct as execve would have left it; /proc shows it.  The link exe needs
 * a privilege: without it all the rest is set. */
static void set_mm(const struct loader_plan *program,
                   const struct loader_image *image,
                   const struct loader_stack_out *stack, const char *exe)
{
	uint64_t brk = choose_brk(program, image);
	struct prctl_mm_map map = {
		.start_code = program->start_code + image->bias,
		.end_code = program->end_code + image->bias,
		.start_data = program->start_data + image->bias,
		.end_data = program->end_data + image->bias,
		.start_brk = brk,
		.brk = brk,
		.start_stack = stack->sp,
		.arg_start = stack->arg_start,
		.arg_end = stack->arg_end,
		.env_start = stack->env_start,
		.env_end = stack->env_end,
		.auxv = (void *)stack->auxv,
		.auxv_size = (uint32_t)stack->auxv_size,
		.exe_fd = (uint32_t)shim_session.program_fd,
	};
	long result = sys_call5(__NR_prctl, PR_SET_MM, PR_SET_MM_MAP,
	                        (long)&map, sizeof(map), 0);

	shim_exe_know(exe);
	if (sys_failed(result)) {
		shim_exe_answer();
		map.exe_fd = (uint32_t)-1;
		sys_call5(__NR_prctl, PR_SET_MM, PR_SET_MM_MAP, (long)&map,
		          sizeof(map), 0);
	}
	shim_fact(TRACE_MAPPED, (uint64_t)sys_call1(__NR_brk, 0), 0,
	          PROT_READ | PROT_WRITE, 0, TRACE_WHAT_BRK, 0);
}

static void set_name(const char *path)
{
	const char *base = path;
	char name[16];
	size_t n = 0;

	for (const char *p = path; *p; p++)
		if (*p == '/')
			base = p + 1;
	memset(name, 0, sizeof(name));
	while (base[n] && n < sizeof(name) - 1) {
		name[n] = base[n];
		n++;
	}
	sys_call2(__NR_prctl, PR_SET_NAME, (long)name);
}

/* Opened by the target itself: later it may be denied to everybody. */
static size_t open_proc(int fds[SESSION_FDS])
{
	static const char path[SESSION_FDS][24] = {
		[SESSION_FD_MAPS] = "/proc/self/maps",
		[SESSION_FD_SMAPS] = "/proc/self/smaps",
		[SESSION_FD_STATUS] = "/proc/self/status",
		[SESSION_FD_PAGEMAP] = "/proc/self/pagemap",
		[SESSION_FD_MEM] = "/proc/self/mem",
	};

	for (int i = 0; i < SESSION_FDS; i++) {
		long fd = sys_call3(__NR_openat, AT_FDCWD, (long)path[i],
		                    O_RDONLY | O_CLOEXEC);

		if (sys_failed(fd)) {
			while (i--)
				sys_call1(__NR_close, fds[i]);
			return 0;
		}
		fds[i] = (int)fd;
	}
	return SESSION_FDS;
}

/* struct msghdr and struct cmsghdr as the kernel has them (linux/socket.h). */
struct message {
	void *name;
	uint32_t name_size;
	struct iovec *data;
	uint64_t data_count;
	void *control;
	uint64_t control_size;
	uint32_t flags;
};

struct control {
	uint64_t size;
	int32_t level, type;
	int32_t fds[SESSION_FDS];
};

static void send_fds(int socket)
{
	struct control control = { .level = 1 /* SOL_SOCKET */,
		                   .type = 1 /* SCM_RIGHTS */ };
	size_t count = open_proc(control.fds);
	char byte = (char)count;
	struct iovec data = { &byte, 1 };
	struct message message = { .data = &data, .data_count = 1 };

	control.size = 16 + 4 * count;
	if (count) {
		message.control = &control;
		message.control_size = (control.size + 7) & -8ull;
	}
	sys_call3(__NR_sendmsg, socket, (long)&message, 0x4000);
	for (size_t i = 0; i < count; i++)
		sys_call1(__NR_close, control.fds[i]);
}

/* Tells the observer and waits until it watches; without one goes on alone. */
static void hand_over(int session_fd)
{
	struct trace_session *s = &shim_session;

	send_fds(s->socket_fd);
	sys_call1(__NR_close, s->socket_fd);
	sys_call1(__NR_close, s->program_fd);
	if (s->interp_fd >= 0)
		sys_call1(__NR_close, s->interp_fd);
	sys_call1(__NR_close, session_fd);
	__atomic_store_n(&s->state, SESSION_BOOTED, __ATOMIC_SEQ_CST);
	shim_ring_bell();
	for (int i = 0; i < GO_ON_SLICES && shim_observer_alive(); i++) {
		uint32_t bell =
			__atomic_load_n(&s->target_bell, __ATOMIC_ACQUIRE);

		if (__atomic_load_n(&s->state, __ATOMIC_ACQUIRE) ==
		    SESSION_WATCHED)
			return;
		shim_wait(&s->target_bell, bell, SLICE_NS);
	}
	shim.gate = SHIM_OFF;
	s->lost = 1; /* or more: nothing is recorded */
}

static void net_on(void)
{
	if (shim.options & SESSION_NO_NET)
		return;
	shim.net = (uint32_t)shim_net_arm();
	if (!shim.net && (shim.options & SESSION_NO_PATCH))
		give_up("cannot do without Syscall User Dispatch (prctl) where "
		        "nothing is patched",
		        0, EXIT_OWN_FAILURE);
	shim_session.net_on = shim.net;
}

void shim_boot(uint64_t *sp)
{
	struct start start = read_stack(sp);
	const struct session_plan *plan;
	const struct loader_plan *program;
	struct shim_modules modules;
	struct loader_stack_out stack;
	uint64_t entry;
	int session_fd;

	if (!start.session)
		leave(EXIT_OWN_FAILURE);
	session_fd = number(start.session);
	map_session(session_fd);
	require_calls();
	boot_state(&start);
	plan = map_plan(session_fd);
	program = (const void *)((const uint8_t *)plan + plan->program);

	refuse_overlap(program);
	if (plan->interp)
		refuse_overlap(
			(const void *)((const uint8_t *)plan + plan->interp));
	settle_image(&start);
	modules = map_program(&start, plan);
	set_go(plan, modules.program.bias);
	entry = plan->interp ? modules.interp.entry : modules.program.entry;
	stack = build_stack(&start, plan, program, &modules);
	shim.stack_top = stack.sp;
	set_mm(program, &modules.program, &stack,
	       (const char *)plan + plan->exe);
	shim_inject_boot();
	if (!shim_patch_program(plan, &modules))
		give_up("needs to make memory executable, and may not", -EACCES,
		        EXIT_OWN_FAILURE);
	set_name((const char *)plan + plan->execfn);
	sys_call2(__NR_munmap, (long)plan, (long)shim_session.plan_size);
	shim_signals_boot();
	shim_fact(TRACE_BOOTED, modules.program.bias, entry,
	          modules.program.phdr, modules.interp.bias, stack.sp,
	          (uint64_t)shim.pid);
	net_on();
	hand_over(session_fd);
	shim_enter(stack.sp, entry);
}
