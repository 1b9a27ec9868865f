/*
 * follow - --follow: an execve in the target's family becomes one of goload,
 * for the same program.
 *
 * goload gets the program's own argv and envp, untouched: there may be no
 * memory to make others in, since a vforked child shares its parent's.  What
 * else it must know (trace/session.h) it reads from a pipe, and it finds the
 * pipe by its number: execveat() by descriptor shows goload "/dev/fd/N" as its
 * AT_EXECFN, and the pipe is N + 1.
 *
 * What would fail must fail here, in the caller's execve.  So only what looks
 * like a program that goload can load is followed; all else is left to the
 * kernel, and to goload's own count of processes that are not observed.
 */
#include "shim/shim.h"

#include <asm/stat.h>
#include <asm/unistd_64.h>
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <linux/uio.h>

#define NR_faccessat2 439
#define FIRST_FD      3 /* the standard ones keep their places */
#define VFORKS        64
#define GOLOAD_SPACE  (512ull << 20) /* goload takes that much at most */
#define PHDRS         64             /* of a program, that are looked through */

#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000 /* Linux 6.14 */
#endif

/* ---- frames of vforked children ------------------------------------------ */

/*
 * A vforked child whose execve succeeds leaves its frame taken, in memory that
 * is its parent's; the parent, which waits for just that, gives it back.
 */
static struct vfork {
	uint32_t busy;
	int32_t pid;  /* as the child knows it; namespaces may share one ... */
	uint64_t key; /* ... but not a thread */
	struct shim_frame *frame;
} vforks[VFORKS];

/* In the parent, before: a number to be passed to the child, 0: none. */
int shim_vfork_take(void)
{
	for (int i = 0; i < VFORKS; i++)
		if (!__atomic_exchange_n(&vforks[i].busy, 1, __ATOMIC_ACQUIRE))
			return i + 1;
	return 0;
}

void shim_vfork_child(int vfork)
{
	vforks[vfork - 1].key = shim_thread_key();
	vforks[vfork - 1].pid = (int32_t)sys_call0(__NR_getpid);
}

/* Which of them this process is, or NULL. */
static struct vfork *own_vfork(void)
{
	int32_t pid = (int32_t)sys_call0(__NR_getpid);

	for (int i = 0; i < VFORKS; i++)
		if (vforks[i].busy && vforks[i].pid == pid &&
		    vforks[i].key == shim_thread_key())
			return &vforks[i];
	return NULL;
}

/* Its execve was not made, or failed: it gives the frame back itself. */
void shim_vfork_stays(const struct shim_frame *frame)
{
	for (int i = 0; i < VFORKS; i++)
		if (vforks[i].frame == frame)
			vforks[i].frame = NULL;
}

/* In the parent, when the child is gone. */
void shim_vfork_release(int vfork)
{
	struct vfork *own = &vforks[vfork - 1];
	struct shim_frame *frame = own->frame;

	own->frame = NULL;
	own->pid = 0;
	__atomic_store_n(&own->busy, 0, __ATOMIC_RELEASE);
	if (frame) {
		frame->follow = 0;
		shim_frame_release(frame);
	}
}

/* A forked child has those of its parent, who waits for none in its memory. */
void shim_vforks_forget(void)
{
	memset(vforks, 0, sizeof(vforks));
}

/* ---- what can be followed ------------------------------------------------ */

static uint32_t filtered, alone; /* changed by the calls that say so */

/* A filter of the program's may kill for what goload asks, here and in what it
 * would start. */
void shim_follow_filtered(void)
{
	filtered = 1;
}

int shim_is_filtered(void)
{
	return filtered != 0;
}

/* Orphans come to this process, goload's observers among them. */
void shim_follow_adopts(void)
{
	shim_family.adopts = 1;
}

/* This forked child's descriptors are its parent's, too. */
void shim_follow_alone(void)
{
	alone = 1;
}

/* The target itself is no child: what it becomes is observed either way. */
static int is_child(void)
{
	return shim.gate == SHIM_OFF || shim_foreign();
}

static int is_at_work(void)
{
	return shim_family.size && !filtered && !alone &&
	       !(shim_family.adopts && is_child());
}

static int begins_with(uint64_t text, const char *with)
{
	char c;

	for (; *with; with++, text++)
		if (shim_read(&c, text, 1) || c != *with)
			return 0;
	return 1;
}

static int is_path_execveat(const struct shim_frame *frame)
{
	char first;

	return frame->nr == __NR_execveat && !frame->arg[4] &&
	       ((int32_t)frame->arg[0] == AT_FDCWD ||
	        (!shim_read(&first, frame->arg[1], 1) && first == '/'));
}

static int may_be_executed(uint64_t path)
{
	long result = sys_call4(NR_faccessat2, AT_FDCWD, (long)path,
	                        1 /* X_OK */, AT_EACCESS);

	if (result == -ENOSYS)
		result = sys_call3(__NR_faccessat, AT_FDCWD, (long)path, 1);
	return result == 0;
}

/* Some descriptor's file: goload has other descriptors, and this one is closed
 * when it looks. */
static int is_of_proc(uint64_t path)
{
	return begins_with(path, "/proc/") || begins_with(path, "/dev/fd/");
}

/* Has the kernel itself nothing against it?  Open for writing, noexec, too many
 * arguments, a security module. */
static int is_taken_by_the_kernel(uint64_t path, uint64_t argv, uint64_t envp)
{
	long result = sys_call5(__NR_execveat, AT_FDCWD, (long)path, (long)argv,
	                        (long)envp, AT_EXECVE_CHECK);

	return result == 0 || result == -EINVAL /* before Linux 6.14 */;
}

/* Whose credentials do not change with it. */
static int is_plain_file(uint64_t path)
{
	struct stat st;

	return sys_call2(__NR_stat, (long)path, (long)&st) == 0 &&
	       (st.st_mode & S_IFMT) == S_IFREG &&
	       !(st.st_mode & (S_ISUID | S_ISGID));
}

/* The first word of a script; `text` ends with NUL. */
static int has_its_interpreter(char *text)
{
	char *word = text + 2, *end;

	while (*word == ' ' || *word == '\t')
		word++;
	for (end = word; *end && *end != ' ' && *end != '\t' && *end != '\n';)
		end++;
	*end = 0;
	return may_be_executed((uint64_t)word);
}

/* What PT_INTERP names can be executed, or there is none. */
static int has_its_loader(long fd, const Elf64_Ehdr *elf)
{
	for (long i = 0; i < elf->e_phnum && i < PHDRS; i++) {
		Elf64_Phdr phdr;
		char path[256];
		long at = (long)elf->e_phoff + i * (long)sizeof(phdr);

		if (sys_call4(__NR_pread64, fd, (long)&phdr, sizeof(phdr),
		              at) != sizeof(phdr))
			return 0;
		if (phdr.p_type != PT_INTERP)
			continue;
		return phdr.p_filesz > 1 && phdr.p_filesz <= sizeof(path) &&
		       sys_call4(__NR_pread64, fd, (long)path,
		                 (long)phdr.p_filesz,
		                 (long)phdr.p_offset) == (long)phdr.p_filesz &&
		       !path[phdr.p_filesz - 1] &&
		       may_be_executed((uint64_t)path);
	}
	return 1;
}

static int is_elf(const Elf64_Ehdr *elf)
{
	return elf->e_ident[0] == ELFMAG0 && elf->e_ident[1] == ELFMAG1 &&
	       elf->e_ident[2] == ELFMAG2 && elf->e_ident[3] == ELFMAG3 &&
	       elf->e_ident[EI_CLASS] == ELFCLASS64 &&
	       elf->e_machine == EM_X86_64 &&
	       (elf->e_type == ET_EXEC || elf->e_type == ET_DYN);
}

/* A program of x86-64, or a script: a shell waits for ENOEXEC from all else,
 * and whoever searches PATH for ENOENT. */
static int can_be_started(uint64_t path)
{
	union {
		Elf64_Ehdr elf;
		char text[256]; /* BINPRM_BUF_SIZE */
	} head;
	long fd = sys_call3(__NR_open, (long)path,
	                    O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	long size;
	int can = 0;

	if (sys_failed(fd))
		return 0;
	memset(&head, 0, sizeof(head));
	size = sys_call3(__NR_read, fd, (long)&head, sizeof(head) - 1);
	if (size > 2 && head.text[0] == '#' && head.text[1] == '!')
		can = has_its_interpreter(head.text);
	else if (size >= (long)sizeof(head.elf) && is_elf(&head.elf))
		can = has_its_loader(fd, &head.elf);
	sys_call1(__NR_close, fd);
	return can;
}

/* Has goload no room here? */
static int is_confined(void)
{
	struct rlimit64 space = { 0 };

	sys_call4(__NR_prlimit64, 0, RLIMIT_AS, 0, (long)&space);
	return space.rlim_cur < GOLOAD_SPACE;
}

/* goload's own ld.so would obey these, and say so or load what is not meant for
 * it. */
static int is_for_ld_so(uint64_t text)
{
	return begins_with(text, "LD_PRELOAD=") ||
	       begins_with(text, "LD_AUDIT=") ||
	       begins_with(text, "LD_DEBUG") ||
	       begins_with(text, "LD_TRACE_LOADED_OBJECTS=");
}

static int speaks_to_ld_so(uint64_t envp)
{
	uint64_t text;

	for (; envp && !shim_read(&text, envp, sizeof(text)) && text;
	     envp += sizeof(text))
		if (is_for_ld_so(text))
			return 1;
	return 0;
}

/* A debugger counts the execve calls of what it has started. */
static int is_traced(void)
{
	static const char tracer[] = "\nTracerPid:\t";
	char text[2048];
	long fd = sys_call3(__NR_open, (long)"/proc/self/status",
	                    O_RDONLY | O_CLOEXEC, 0);
	long size = sys_call3(__NR_read, fd, (long)text, sizeof(text));
	size_t same = 0;

	sys_call1(__NR_close, fd);
	for (long i = 0; i < size; i++) {
		if (same == sizeof(tracer) - 1)
			return text[i] != '0';
		same = text[i] == tracer[same] ? same + 1 : text[i] == '\n';
	}
	return 0;
}

/* ---- the pipe ------------------------------------------------------------ */

static long path_size(uint64_t path)
{
	char c = 1;
	long size = 0;

	while (size < PATH_MAX && c && !shim_read(&c, path + (uint64_t)size, 1))
		size++;
	return c ? 0 : size;
}

/* The end to read from, with all that goload must know in it; or -errno. */
static long tell(uint64_t path)
{
	struct iovec part[2] = {
		{ shim_family.words, shim_family.size },
		{ (void *)path, (size_t)path_size(path) },
	};
	long size = (long)(part[0].iov_len + part[1].iov_len);
	int ends[2];
	long wrote = sys_call2(__NR_pipe2, (long)ends, O_CLOEXEC | O_NONBLOCK);

	if (sys_failed(wrote))
		return wrote;
	wrote = sys_call3(__NR_writev, ends[1], (long)part, 2);
	sys_call1(__NR_close, ends[1]);
	if (part[1].iov_len && wrote == size)
		return ends[0];
	sys_call1(__NR_close, ends[0]);
	return -EAGAIN;
}

/* Copies of both at N and N + 1, which only the second keeps over the execve;
 * N, or -errno. */
static long put_side_by_side(long goload, long pipe)
{
	long at = FIRST_FD;

	for (;;) {
		long first = sys_call3(__NR_fcntl, goload, F_DUPFD_CLOEXEC, at);
		long second;

		if (sys_failed(first))
			return first;
		second = sys_call3(__NR_fcntl, pipe, F_DUPFD, first + 1);
		if (second == first + 1)
			return first;
		sys_call1(__NR_close, first);
		if (sys_failed(second))
			return second;
		sys_call1(__NR_close, second);
		at = second;
	}
}

/* In a chroot another file may have its name. */
static long open_goload(void)
{
	long fd = sys_call3(__NR_open,
	                    (long)shim_family.words + shim_family.goload_at,
	                    O_PATH | O_CLOEXEC, 0);
	struct stat st;

	if (sys_failed(fd))
		return fd;
	if (sys_call2(__NR_fstat, fd, (long)&st) == 0 &&
	    st.st_dev == shim_family.device && st.st_ino == shim_family.inode)
		return fd;
	sys_call1(__NR_close, fd);
	return -ENOENT;
}

/* N, or -errno. */
static long prepare(uint64_t path)
{
	long goload = open_goload();
	long pipe, first;

	if (sys_failed(goload))
		return goload;
	pipe = tell(path);
	if (sys_failed(pipe)) {
		sys_call1(__NR_close, goload);
		return pipe;
	}
	first = put_side_by_side(goload, pipe);
	sys_call1(__NR_close, goload);
	sys_call1(__NR_close, pipe);
	return first;
}

/* ---- the call ------------------------------------------------------------ */

static void count(uint32_t by)
{
	if (is_child())
		__atomic_fetch_add(&shim_family.followed, by, __ATOMIC_SEQ_CST);
}

static int can_be_followed(uint64_t path, uint64_t argv, uint64_t envp)
{
	return is_plain_file(path) && !is_of_proc(path) && !is_confined() &&
	       !is_traced() && !speaks_to_ld_so(envp) &&
	       may_be_executed(path) && can_be_started(path) &&
	       is_taken_by_the_kernel(path, argv, envp);
}

/* Makes the call in the frame goload's; 0: it stays as it is. */
int shim_follow(struct shim_frame *frame)
{
	int at = is_path_execveat(frame);
	uint64_t argv = frame->arg[at + 1], envp = frame->arg[at + 2], path;
	struct vfork *vfork = NULL;
	long first;

	if (!is_at_work() || (!at && frame->nr != __NR_execve))
		return 0;
	if (shim_foreign()) {
		vfork = own_vfork();
		if (!vfork)
			return 0;
	}
	path = shim_exe_path(frame->arg[at]);
	if (!can_be_followed(path, argv, envp))
		return 0;
	first = prepare(path);
	if (sys_failed(first))
		return 0;
	if (vfork)
		vfork->frame = frame;
	frame->follow = (int32_t)first;
	frame->arg[0] = (uint64_t)first;
	frame->arg[1] = (uint64_t) "";
	frame->arg[2] = argv;
	frame->arg[3] = envp;
	frame->arg[4] = AT_EMPTY_PATH;
	frame->nr = __NR_execveat;
	count(1);
	return 1;
}

/* The call has not been made, or failed: the frame has the program's again. */
void shim_follow_undo(struct shim_frame *frame)
{
	if (!frame->follow)
		return;
	sys_call1(__NR_close, frame->follow);
	sys_call1(__NR_close, frame->follow + 1);
	frame->follow = 0;
	frame->nr = (uint32_t)frame->rax;
	frame->arg[0] = frame->rdi;
	frame->arg[1] = frame->rsi;
	frame->arg[2] = frame->rdx;
	frame->arg[3] = frame->r10;
	frame->arg[4] = frame->r8;
	count(-1u);
}
