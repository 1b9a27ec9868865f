/*
 * launch - the session, the observer process, and the exec of the image.
 *
 * Everything here runs in the process that becomes the program: little of it,
 * and nothing that changes its signals, its descriptors that stay, or its
 * memory high-water mark.
 */
#include "observer/record/internal.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_SPACE  (64ull << 20) /* the session, and a run in memory */
#define STACK_SPACE (1ull << 20)
#define END_OF_FDS  (-2)
#define SLICE_NS    10000000ull /* of waiting for the plan */

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u /* Linux 6.3 */
#endif

/* A memory file; `exec`: one that can be executed, where that is a choice. */
static int memory_file(const char *name, bool exec)
{
	int fd = (int)syscall(SYS_memfd_create, name,
	                      MFD_CLOEXEC | (exec ? MFD_EXEC : 0));

	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_memfd_create, name, MFD_CLOEXEC);
	return fd;
}

static bool write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		size -= (size_t)n;
	}
	return true;
}

static bool may_be_executed(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IXUSR);
}

/* The image as an executable file: a memory file, or where those may not be
 * executed (vm.memfd_noexec) or made, the installed copy. */
static int open_image(struct record_failure *failure)
{
	int fd = memory_file("goload", true), installed;

	if (fd < 0)
		record_fail(failure, 125, errno, "cannot make its image: %s",
		            errno == EACCES ? "vm.memfd_noexec"
		                            : "memfd_create");
	else if (!write_all(fd, record_image, record_image_size))
		record_fail(failure, 125, errno,
		            "cannot make its image: write");
	else if (!may_be_executed(fd))
		record_fail(failure, 125, EACCES,
		            "cannot make its image: vm.memfd_noexec");
	else
		return fd;
	installed = open(GOLOAD_IMAGE, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return installed;
}

static bool limit_is_below(int resource, uint64_t bytes)
{
	struct rlimit limit;

	return getrlimit(resource, &limit) == 0 &&
	       limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < bytes;
}

/* Address space of the image when it starts: its segments and a stack. */
static uint64_t image_space(void)
{
	const Elf64_Ehdr *header = (const void *)record_image;
	const Elf64_Phdr *phdr = (const void *)(record_image + header->e_phoff);
	uint64_t end = 0;

	for (int i = 0; i < header->e_phnum; i++)
		if (phdr[i].p_type == PT_LOAD &&
		    phdr[i].p_vaddr + phdr[i].p_memsz > end)
			end = phdr[i].p_vaddr + phdr[i].p_memsz;
	return end + STACK_SPACE;
}

/* Limits under which the kernel would kill without a word: SIGXFSZ for the
 * memory files, SIGSEGV for an image that does not fit. */
static bool limits_allow(struct record_failure *failure)
{
	if (limit_is_below(RLIMIT_FSIZE, FILE_SPACE))
		record_fail(failure, 125, 0,
		            "the limit of file sizes (ulimit -f) is below "
		            "%llu MiB",
		            FILE_SPACE >> 20);
	else if (limit_is_below(RLIMIT_AS, image_space()))
		record_fail(failure, 125, 0,
		            "the limit of address space (ulimit -v) is below "
		            "the %llu MiB that goload takes",
		            (unsigned long long)image_space() >> 20);
	else
		return true;
	return false;
}

/* NULL, or the call that failed. */
static const char *make_session(struct observer *observer, int *socket_fd)
{
	int pair[2];
	void *at;

	observer->session_fd = memory_file("goload-session", false);
	if (observer->session_fd < 0)
		return "memfd_create";
	if (ftruncate(observer->session_fd, SESSION_SHARED) < 0)
		return "ftruncate";
	at = mmap(NULL, SESSION_SHARED, PROT_READ | PROT_WRITE, MAP_SHARED,
	          observer->session_fd, 0);
	if (at == MAP_FAILED)
		return "mmap";
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return "socketpair";
	observer->session = at;
	observer->socket_fd = pair[0];
	*socket_fd = pair[1];
	return NULL;
}

static void prepare_session(struct trace_session *session,
                            const struct record_options *options, int socket_fd)
{
	session->options = options->options;
	session->program_fd = options->program_fd;
	session->socket_fd = socket_fd;
	session->interp_fd = -1;
	session->magic = SESSION_MAGIC;
}

/* Do orphans come to this process?  Then with SIGCHLD (kernel reparent_leader).
 */
static bool takes_orphans(void)
{
	int takes = 0;

	prctl(PR_GET_CHILD_SUBREAPER, &takes);
	return takes || getpid() == 1;
}

static bool prepare_family(struct session_family *family,
                           const struct record_options *options)
{
	struct stat st;

	if (!options->words_size)
		return true;
	if (options->words_size > sizeof(family->words) ||
	    stat(options->words + options->goload_at, &st) < 0)
		return false;
	memcpy(family->words, options->words, options->words_size);
	family->size = (uint32_t)options->words_size;
	family->goload_at = (uint32_t)options->goload_at;
	family->device = st.st_dev;
	family->inode = st.st_ino;
	family->adopts = takes_orphans();
	return true;
}

/* 0, or why there is none; its id is in session->alive, from its first moment.
 */
static int clone_observer(struct observer *observer)
{
	long pid = syscall(SYS_clone, CLONE_PARENT_SETTID, NULL,
	                   &observer->session->alive, NULL, 0);

	if (pid == 0)
		observe(observer);
	return pid < 0 ? errno : 0;
}

/* Has the program inherited children, or the news of one? */
static bool has_children(void)
{
	siginfo_t info;
	sigset_t pending;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) ==
	               0 ||
	       (sigpending(&pending) == 0 && sigismember(&pending, SIGCHLD));
}

/*
 * The same, but of a process that then ends, before this one goes on
 * (CLONE_VFORK): nobody here has a child.  Whose parent ignores SIGCHLD is not
 * waited for (kernel do_notify_parent), and so does not count in the program's
 * RUSAGE_CHILDREN.  Where the program has children of its own they would be
 * lost to its waits with that: then it counts.
 */
static bool clone_orphan(struct observer *observer)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	bool ignored = !has_children();
	struct sigaction before;
	long pid;

	if (ignored)
		sigaction(SIGCHLD, &ignore, &before);
	pid = syscall(SYS_clone, CLONE_VFORK | (ignored ? SIGCHLD : 0), NULL,
	              NULL, NULL, 0);
	if (pid == 0)
		_exit(clone_observer(observer));
	while (pid > 0 && waitpid((pid_t)pid, NULL, __WALL) < 0 &&
	       errno == EINTR)
		;
	if (ignored)
		sigaction(SIGCHLD, &before, NULL);
	return observer->session->alive != 0;
}

/*
 * Not a child of the program's, which may wait for all it has, of any kind
 * (__WALL: strace, gdb).  Where that cannot be, one without exit signal, which
 * other waits do not see.
 */
static int spawn_observer(struct observer *observer)
{
	observer->target = getpid();
	if (observer->target < 0)
		return EPERM;
	observer->target_fd = (int)syscall(SYS_pidfd_open, observer->target, 0);
	if (observer->target_fd >= 0 && !takes_orphans() &&
	    clone_orphan(observer))
		return 0;
	return clone_observer(observer);
}

/* `watch`: its pidfd, for it may die before it has made its promise; -1: there
 * is no such call. */
static bool observer_died(const struct trace_session *session, int watch)
{
	uint32_t alive = __atomic_load_n(&session->alive, __ATOMIC_ACQUIRE);
	struct pollfd p = { .fd = watch, .events = POLLIN };

	if (alive & FUTEX_OWNER_DIED)
		return true;
	return watch < 0 ? kill((pid_t)alive, 0) && errno == ESRCH
	                 : poll(&p, 1, 0) > 0;
}

static bool plan_came(struct trace_session *session, int watch,
                      struct record_failure *failure)
{
	for (;;) {
		uint32_t bell = __atomic_load_n(&session->target_bell,
		                                __ATOMIC_ACQUIRE);
		/* first: what refuses says so, and then it is gone */
		bool dead = observer_died(session, watch);
		uint32_t state =
			__atomic_load_n(&session->state, __ATOMIC_ACQUIRE);

		if (state == SESSION_PLANNED)
			return true;
		if (state == SESSION_REFUSED) {
			record_fail(failure, (int)session->exit_code,
			            (int)session->error, "%s",
			            session->message);
			failure->killed = session->killed;
			return false;
		}
		if (dead) {
			record_fail(failure, 125, 0, "the observer died");
			return false;
		}
		observe_wait(&session->target_bell, bell, SLICE_NS);
	}
}

/* Waits for the plan; false when the observer refused the program or died. */
static bool wait_for_plan(struct trace_session *session,
                          struct record_failure *failure)
{
	int watch = (int)syscall(SYS_pidfd_open,
	                         session->alive & FUTEX_TID_MASK, 0);
	bool came = plan_came(session, watch, failure);

	if (watch >= 0)
		close(watch);
	return came;
}

/* The environment with the session's name behind it; the image takes it off. */
static char **session_environment(char **envp, int session_fd)
{
	static char name[sizeof(SESSION_ENV) + 16];
	size_t count = 0;
	char **with;

	while (envp[count])
		count++;
	with = malloc((count + 2) * sizeof(*with));
	if (!with)
		return NULL;
	memcpy(with, envp, count * sizeof(*with));
	snprintf(name, sizeof(name), SESSION_ENV "%d", session_fd);
	with[count] = name;
	with[count + 1] = NULL;
	return with;
}

/* The interpreter's file that was planned. */
static bool take_interp(struct trace_session *session, int socket_fd,
                        struct record_failure *failure)
{
	if (session->interp_fd < 0)
		return true;
	session->interp_fd = record_receive(socket_fd);
	if (session->interp_fd >= 0)
		return true;
	record_fail(failure, 125, errno,
	            "cannot take its interpreter: recvmsg");
	return false;
}

#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000 /* Linux 6.14 */
#endif

/* Some sandboxes forbid the newer call that faccessat() makes. */
bool record_may_run(const char *path)
{
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ||
	       (errno == EPERM && access(path, X_OK) == 0);
}

int record_may_exec(int fd)
{
	char *argv[] = { (char *)"", NULL }, *envp[] = { NULL };
	long result = syscall(SYS_execveat, fd, "", argv, envp,
	                      AT_EMPTY_PATH | AT_EXECVE_CHECK);

	/* anything else is about the question, not the file */
	return result < 0 && (errno == ETXTBSY || errno == EACCES) ? errno : 0;
}

static bool keep_over_exec(const int *fds, bool keep)
{
	for (; *fds != END_OF_FDS; fds++)
		if (*fds >= 0 && fcntl(*fds, F_SETFD, keep ? 0 : FD_CLOEXEC))
			return false;
	return true;
}

/* Becomes the program; returns only when the kernel refuses. */
static void become(const struct record_options *options, int session_fd,
                   int socket_fd, int interp_fd, int image_fd,
                   struct record_failure *failure)
{
	char **envp = session_environment(options->envp, session_fd);
	const int fds[] = { session_fd, socket_fd, options->program_fd,
		            interp_fd, END_OF_FDS };

	if (!envp) {
		record_fail(failure, 125, ENOMEM, "cannot be started");
		return;
	}
	if (!keep_over_exec(fds, true)) {
		record_fail(failure, 125, errno, "cannot be started: fcntl");
	} else {
		syscall(SYS_execveat, image_fd, "", options->argv, envp,
		        AT_EMPTY_PATH);
		record_fail(failure, errno == E2BIG ? 126 : 125, errno,
		            "cannot be started: execveat");
	}
	keep_over_exec(fds, false);
	free(envp);
}

void record_start(const struct record_options *options,
                  struct record_failure *failure)
{
	struct observer observer = { .options = options };
	int socket_fd = -1, image_fd;
	const char *failed;
	int error;

	if (!limits_allow(failure))
		return;
	image_fd = open_image(failure);
	if (image_fd < 0)
		return;
	failed = make_session(&observer, &socket_fd);
	if (failed) {
		record_fail(failure, 125, errno, "cannot make a session: %s",
		            failed);
		return;
	}
	prepare_session(observer.session, options, socket_fd);
	if (!prepare_family(record_family(observer.session), options)) {
		record_fail(failure, 125, ENAMETOOLONG,
		            "its children cannot be followed");
		return;
	}
	error = spawn_observer(&observer);
	if (error) {
		record_fail(failure, 125, error,
		            "cannot start the observer: %s",
		            observer.target < 0 ? "getpid" : "clone");
		return;
	}
	close(observer.socket_fd);
	close(observer.target_fd);
	if (!wait_for_plan(observer.session, failure))
		return;
	if (take_interp(observer.session, socket_fd, failure))
		become(options, observer.session_fd, socket_fd,
		       observer.session->interp_fd, image_fd, failure);
	kill((pid_t)(observer.session->alive & FUTEX_TID_MASK), SIGKILL);
}
