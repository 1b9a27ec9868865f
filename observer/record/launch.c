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
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_SPACE  (64ull << 20) /* the session, and a run in memory */
#define STACK_SPACE (1ull << 20)

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

/* The image as an executable file: a memory file, or where those may not be
 * executed (vm.memfd_noexec) the installed copy. */
static int open_image(void)
{
	int fd = memory_file("goload", true);

	if (fd >= 0 && write_all(fd, record_image, record_image_size) &&
	    faccessat(fd, "", X_OK, AT_EMPTY_PATH) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return open(GOLOAD_IMAGE, O_RDONLY | O_CLOEXEC);
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

static bool make_session(struct observer *observer, int *socket_fd)
{
	int pair[2];
	void *at;

	observer->session_fd = memory_file("goload-session", false);
	if (observer->session_fd < 0 ||
	    ftruncate(observer->session_fd, SESSION_SHARED) < 0)
		return false;
	at = mmap(NULL, SESSION_SHARED, PROT_READ | PROT_WRITE, MAP_SHARED,
	          observer->session_fd, 0);
	if (at == MAP_FAILED ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	observer->session = at;
	observer->socket_fd = pair[0];
	*socket_fd = pair[1];
	return true;
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

/* 0, or why there is none; its id is in session->alive, from its first moment. */
static int clone_observer(struct observer *observer)
{
	long pid = syscall(SYS_clone, CLONE_PARENT_SETTID, NULL,
	                   &observer->session->alive, NULL, 0);

	if (pid == 0)
		observe(observer);
	return pid < 0 ? errno : 0;
}

/*
 * The same, but of a process that then ends: nobody here has a child.  Whose
 * parent ignores SIGCHLD is not waited for (kernel do_notify_parent), and so
 * does not count in the program's RUSAGE_CHILDREN.
 */
static bool clone_orphan(struct observer *observer)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction before;
	long pid;

	sigaction(SIGCHLD, &ignore, &before);
	pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
	if (pid == 0)
		_exit(clone_observer(observer));
	while (pid > 0 && waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
		;
	sigaction(SIGCHLD, &before, NULL);
	return observer->session->alive != 0;
}

/* Do orphans come to this process?  Then with SIGCHLD (kernel reparent_leader). */
static bool takes_orphans(void)
{
	int takes = 0;

	prctl(PR_GET_CHILD_SUBREAPER, &takes);
	return takes || getpid() == 1;
}

/*
 * Not a child of the program's, which may wait for all it has, of any kind
 * (__WALL: strace, gdb).  Where that cannot be, one without exit signal, which
 * other waits do not see.
 */
static int spawn_observer(struct observer *observer)
{
	observer->target = getpid();
	observer->target_fd =
		(int)syscall(SYS_pidfd_open, observer->target, 0);
	if (observer->target_fd >= 0 && !takes_orphans() &&
	    clone_orphan(observer))
		return 0;
	return clone_observer(observer);
}

static bool observer_died(const struct trace_session *session)
{
	return __atomic_load_n(&session->alive, __ATOMIC_ACQUIRE) &
	       FUTEX_OWNER_DIED;
}

static void wait_for_bell(struct trace_session *session, uint32_t seen)
{
	const struct timespec slice = { .tv_nsec = 10000000 };

	syscall(SYS_futex, &session->target_bell, FUTEX_WAIT, seen, &slice,
	        NULL, 0);
}

/* Waits for the plan; false when the observer refused the program or died. */
static bool wait_for_plan(struct trace_session *session,
                          struct record_failure *failure)
{
	for (;;) {
		uint32_t bell = __atomic_load_n(&session->target_bell,
		                                __ATOMIC_ACQUIRE);
		/* first: what refuses says so, and then it is gone */
		bool dead = observer_died(session);
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
		wait_for_bell(session, bell);
	}
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

#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000 /* Linux 6.14 */
#endif

int record_may_exec(int fd)
{
	char *argv[] = { (char *)"", NULL }, *envp[] = { NULL };
	long result = syscall(SYS_execveat, fd, "", argv, envp,
	                      AT_EMPTY_PATH | AT_EXECVE_CHECK);

	/* anything else is about the question, not the file */
	return result < 0 && (errno == ETXTBSY || errno == EACCES) ? errno : 0;
}

static void keep_open(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, 0);
}

/* Becomes the program; returns only when the kernel refuses. */
static void become(const struct record_options *options, int session_fd,
                   int socket_fd, int interp_fd, int image_fd,
                   struct record_failure *failure)
{
	char **envp = session_environment(options->envp, session_fd);

	if (!envp) {
		record_fail(failure, 125, ENOMEM, "cannot be started");
		return;
	}
	keep_open(session_fd);
	keep_open(socket_fd);
	keep_open(options->program_fd);
	keep_open(interp_fd);
	syscall(SYS_execveat, image_fd, "", options->argv, envp, AT_EMPTY_PATH);
	record_fail(failure, errno == E2BIG ? 126 : 125, errno,
	            "cannot be started");
	free(envp);
}

void record_start(const struct record_options *options,
                  struct record_failure *failure)
{
	struct observer observer = { .options = options };
	int socket_fd = -1, image_fd;
	int error;

	if (!limits_allow(failure))
		return;
	image_fd = open_image();
	if (image_fd < 0 || !make_session(&observer, &socket_fd)) {
		record_fail(failure, 125, errno, "cannot make a session");
		return;
	}
	prepare_session(observer.session, options, socket_fd);
	error = spawn_observer(&observer);
	if (error) {
		record_fail(failure, 125, error, "cannot start the observer");
		return;
	}
	close(observer.socket_fd);
	close(observer.target_fd);
	if (!wait_for_plan(observer.session, failure))
		return;
	if (observer.session->interp_fd >= 0)
		observer.session->interp_fd = record_receive(socket_fd);
	become(options, observer.session_fd, socket_fd,
	       observer.session->interp_fd, image_fd, failure);
	kill((pid_t)(observer.session->alive & FUTEX_TID_MASK), SIGKILL);
}
