/*
 * observe - the observer's life.
 *
 * A child of the program that no wait() reports: no exit signal, a session of
 * its own, no signal of the terminal, no descriptor but its own and standard
 * error, for the ledger.  It sleeps on its bell and wakes at least every 40 ms:
 * however the program ends, all but the last 40 ms before is kept.
 */
#include "observer/record/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NAP_NS          40000000ull  /* the longest sleep */
#define BUSY_NAP_NS     1000000ull   /* while the ring fills quickly */
#define SAMPLE_FIRST_NS 10000000ull  /* between two samples: doubles ... */
#define SAMPLE_LAST_NS  320000000ull /* ... up to this while nothing changes */
#define SETTLE_NS       80000000ull  /* for calls under way at the end */

struct life {
	struct trace_session *session;
	const struct record_options *options;
	struct plan plan;
	struct output out;
	struct drain drain;
	struct proc proc;
	struct arrivals arrivals;
	struct stacks stacks;
	struct go_memory go;
	pid_t target;
	int stderr_fd; /* standard error, set aside */
	int target_fd; /* pidfd, or -1 */
	uint64_t sample_at, sample_gap, sample_resident;
	uint64_t began, shot_at; /* CLOCK_MONOTONIC */
	uint32_t told; /* the bell's count when threads were told of room */
	bool exec_pending;
	uint32_t execs_failed;
	bool last_look;
	enum file_end_kind end;
	uint64_t end_value;
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

void observe_tell(struct trace_session *session)
{
	__atomic_fetch_add(&session->target_bell, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &session->target_bell, FUTEX_WAKE, 1 << 30, NULL,
	        NULL, 0);
}

void observe_wait(const uint32_t *word, uint32_t seen, uint64_t ns)
{
	const struct timespec t = { .tv_nsec = (long)ns };

	if (syscall(SYS_futex, word, FUTEX_WAIT, seen, &t, NULL, 0) &&
	    (errno == EPERM || errno == ENOSYS))
		nanosleep(&t, NULL);
}

static void set_state(struct trace_session *session, enum session_state state)
{
	__atomic_store_n(&session->state, state, __ATOMIC_SEQ_CST);
	observe_tell(session);
}

/* ---- becoming the observer ------------------------------------------------
 */

/* The kernel marks session->alive when this process dies, however it dies
 * (Documentation/locking/robust-futexes.rst). */
static void promise_life(struct trace_session *session)
{
	static struct {
		struct robust_list_head head;
		struct robust_list entry;
	} robust;

	robust.entry.next = &robust.head.list;
	robust.head.list.next = &robust.entry;
	robust.head.futex_offset =
		(long)((char *)&session->alive - (char *)&robust.entry);
	syscall(SYS_set_robust_list, &robust.head, sizeof(robust.head));
}

static void ignore_signals(void)
{
	static const int ignored[] = { SIGINT,  SIGQUIT, SIGTSTP, SIGTTIN,
		                       SIGTTOU, SIGHUP,  SIGPIPE, SIGTERM,
		                       SIGUSR1, SIGUSR2, SIGALRM, SIGXFSZ,
		                       SIGXCPU };
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A limit that the program can raise itself is not the observer's: it has files
 * to read that the program only maps. */
static void raise_limits(void)
{
	static const int limits[] = { RLIMIT_AS, RLIMIT_DATA, RLIMIT_NOFILE };
	struct rlimit limit;

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
		if (getrlimit(limits[i], &limit) == 0) {
			limit.rlim_cur = limit.rlim_max;
			setrlimit(limits[i], &limit);
		}
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Closes all but these (-1: none). */
static void keep_only(int *fds, size_t count)
{
	int next = 0;

	qsort(fds, count, sizeof(*fds), by_number);
	for (size_t i = 0; i < count; i++) {
		if (fds[i] > next)
			syscall(SYS_close_range, next, fds[i] - 1, 0);
		if (fds[i] >= next)
			next = fds[i] + 1;
	}
	syscall(SYS_close_range, next, ~0u, 0);
}

static void detach(const struct observer *observer)
{
	int fds[] = { observer->options->silent ? -1 : STDERR_FILENO,
		      observer->session_fd, observer->socket_fd,
		      observer->options->program_fd,
		      observer->options->output_fd,
		      observer->options->log_fd, observer->target_fd };

	setsid();
	ignore_signals();
	keep_only(fds, sizeof(fds) / sizeof(*fds));
}

/*
 * Standard error is the program's while it runs.  With LD_DEBUG the observer's
 * own ld.so would write there, in the middle of the program's lines.
 */
static int set_stderr_aside(void)
{
	int aside = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (aside >= 0 && nothing >= 0)
		dup2(nothing, STDERR_FILENO);
	if (nothing > STDERR_FILENO)
		close(nothing);
	return aside;
}

static void restore_stderr(int aside)
{
	if (aside >= 0)
		dup2(aside, STDERR_FILENO);
}

/* ---- the plan --------------------------------------------------------------
 */

static void refuse(struct trace_session *session,
                   const struct record_failure *failure)
{
	session->exit_code = (uint32_t)failure->code;
	session->error = (uint32_t)failure->error;
	session->killed = failure->killed;
	memcpy(session->message, failure->message, sizeof(session->message));
	set_state(session, SESSION_REFUSED);
	_exit(0);
}

static bool write_plan(struct life *life, int session_fd)
{
	const uint8_t *bytes = (const uint8_t *)life->plan.bytes;
	size_t size = life->plan.size, done = 0;

	if (ftruncate(session_fd, (off_t)(SESSION_PLAN + size)) < 0)
		return false;
	while (done < size) {
		ssize_t n = pwrite(session_fd, bytes + done, size - done,
		                   (off_t)(SESSION_PLAN + done));

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	life->session->plan_size = size;
	return true;
}

/* ---- blocks of the run file ------------------------------------------------
 */

static size_t append(char *text, size_t at, size_t room, const char *string)
{
	size_t size = strlen(string) + 1;

	if (at + size > room)
		return at;
	memcpy(text + at, string, size);
	return at + size;
}

static const struct module *program_module(const struct life *life)
{
	return &life->plan.module[PATCH_PROGRAM];
}

static void write_parent(struct life *life)
{
	const struct record_options *options = life->options;
	const struct file_parent parent = { .pid = (uint64_t)options->parent };

	if (options->parent_run)
		output_block(&life->out, FILE_PARENT, &parent, sizeof(parent),
		             options->parent_run,
		             strlen(options->parent_run) + 1);
}

static void write_program(struct life *life, pid_t pid)
{
	const struct record_options *options = life->options;
	struct file_program program = {
		.started = now_ns(CLOCK_REALTIME),
		.pid = (uint32_t)pid,
		.linkage = program_module(life)->info.linkage,
		.stripped = (uint32_t)program_module(life)->info.stripped,
		.options = options->options,
		.net_on = life->session->net_on,
	};
	char host[256] = "";
	size_t room = strlen(options->path) + 1024, at = 0;
	char *text;

	for (char **arg = options->argv; *arg; arg++)
		room += strlen(*arg) + 1;
	text = malloc(room);
	if (!text)
		return;
	gethostname(host, sizeof(host) - 1);
	at = append(text, at, room, options->path);
	for (char **arg = options->argv; *arg; arg++, program.argc++)
		at = append(text, at, room, *arg);
	at = append(text, at, room, program_module(life)->go_version);
	at = append(text, at, room, program_module(life)->build_id);
	at = append(text, at, room, host);
	output_block(&life->out, FILE_PROGRAM, &program, sizeof(program), text,
	             at);
	free(text);
	write_parent(life);
}

static void write_clock(struct life *life)
{
	const struct file_clock clock = {
		.tsc = record_clock(),
		.ns = now_ns(CLOCK_MONOTONIC),
	};

	output_block(&life->out, FILE_CLOCK, &clock, sizeof(clock), NULL, 0);
}

/* With its absolute path, so that a report can find the file from anywhere. */
static void write_module(struct life *life, enum patch_module kind,
                         const struct loader_plan *plan,
                         const struct symbol_bytes *file, uint64_t bias,
                         const char *path)
{
	struct file_module module = {
		.bias = bias,
		.start = plan->low + bias,
		.end = plan->high + bias,
		.kind = kind,
	};
	char *absolute = realpath(path, NULL);
	const char *shown = absolute ? absolute : path;

	module_write(&life->out, &life->plan.module[kind], file, &module,
	             shown);
	stacks_module(&life->stacks, file, &module);
	free(absolute);
}

static void write_sites(struct life *life)
{
	for (int i = 0; i < PATCH_MODULES; i++) {
		const struct module *m = &life->plan.module[i];

		if (m->site_count)
			output_block(&life->out, FILE_SITES, m->site,
			             m->site_count * sizeof(*m->site), NULL, 0);
	}
}

static uint64_t not_observed(const struct session_family *family)
{
	uint32_t born = __atomic_load_n(&family->born, __ATOMIC_ACQUIRE);
	uint32_t followed = __atomic_load_n(&family->followed, __ATOMIC_ACQUIRE);

	return born > followed ? born - followed : 0;
}

static void write_end(struct life *life)
{
	const struct file_end end = {
		.tsc = record_clock(),
		.kind = life->end,
		.value = life->end_value,
		.events = life->drain.events,
		.lost = life->session->lost,
		.abandoned = life->drain.abandoned,
		.net_hits = life->session->net_hits,
		.children = not_observed(record_family(life->session)),
		.last_look = life->last_look,
	};

	write_clock(life);
	output_block(&life->out, FILE_END, &end, sizeof(end), NULL, 0);
	output_flush(&life->out);
}

/* ---- taking over -----------------------------------------------------------
 */

static void receive_fds(struct life *life, int socket_fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * SESSION_FDS)];
	} control;
	char byte;
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;

	for (int i = 0; i < SESSION_FDS; i++)
		life->proc.fd[i] = -1;
	if (recvmsg(socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int) * SESSION_FDS))
		memcpy(life->proc.fd, CMSG_DATA(header),
		       sizeof(int) * SESSION_FDS);
}

static bool target_died(const struct life *life)
{
	struct pollfd p = { .fd = life->target_fd, .events = POLLIN };

	if (life->target_fd < 0) /* this is its child, then */
		return getppid() != life->target;
	return poll(&p, 1, 0) > 0;
}

static uint32_t bell(const struct trace_session *session)
{
	return __atomic_load_n(&session->observer_bell, __ATOMIC_ACQUIRE);
}

/* Until the image has booted.  False: it did not, and this is over. */
static bool wait_for_boot(struct life *life)
{
	for (;;) {
		uint32_t seen = bell(life->session);
		uint32_t state = __atomic_load_n(&life->session->state,
		                                 __ATOMIC_ACQUIRE);

		if (state == SESSION_BOOTED)
			return true;
		if (state == SESSION_FAILED) {
			struct record_failure failure;

			record_fail(&failure, (int)life->session->exit_code,
			            (int)life->session->error, "%s",
			            life->session->message);
			failure.killed = life->session->killed;
			restore_stderr(life->stderr_fd);
			life->options->failed(life->options->context, &failure);
			life->session->reported = 1;
			return false;
		}
		if (target_died(life)) {
			life->options->gone(life->options->context);
			return false;
		}
		observe_wait(&life->session->observer_bell, seen, NAP_NS);
	}
}

/* The image's own account of where it put things: TRACE_BOOTED. */
static const uint64_t *booted(const struct life *life)
{
	static const uint64_t nothing[6];

	for (uint64_t i = 0; i < life->session->head && i < RING_SLOTS; i++)
		if (life->drain.slots[i].event.call == TRACE_BOOTED)
			return life->drain.slots[i].event.args;
	return nothing;
}

static void take_over(struct life *life, int socket_fd, pid_t target)
{
	const uint64_t *args = booted(life);

	receive_fds(life, socket_fd);
	write_program(life, target);
	write_module(life, PATCH_PROGRAM, life->plan.program,
	             &life->plan.program_file, args[0], life->plan.exe);
	if (program_module(life)->info.go_text[1])
		life->go = (struct go_memory){
			.state = GO_MEMORY_UNKNOWN,
			.file = life->plan.program_file,
			.bias = args[0],
		};
	if (life->plan.interp)
		write_module(life, PATCH_INTERP, life->plan.interp,
		             &life->plan.interp_file, args[3],
		             life->plan.interp_path);
	write_sites(life);
	drain_ring(&life->drain, &life->out);
	look_map(&life->proc, &life->out, life->session, FILE_LOOK_BOOT);
	output_flush(&life->out);
	life->began = now_ns(CLOCK_MONOTONIC);
	life->shot_at = life->began + look_shot_gap(0, 0, 0);
	set_state(life->session, SESSION_WATCHED);
}

/* ---- watching --------------------------------------------------------------
 */

/* A thread rang because it waits for room: there is some now. */
static void tell_of_room(struct life *life, uint32_t seen, size_t taken)
{
	if (!taken || seen == life->told)
		return;
	life->told = seen;
	observe_tell(life->session);
}

/* Returns how many events came. */
static size_t take(struct life *life)
{
	size_t taken = drain_ring(&life->drain, &life->out);

	inject_answer(life->options, &life->drain, &life->out);
	return taken;
}

/* What the target may wait for; returns how many events came.  `seen` is the
 * bell from before. */
static size_t serve(struct life *life, uint32_t seen)
{
	size_t taken;

	arrive_answer(&life->arrivals, &life->proc, life->session,
	              &life->stacks, &life->out);
	taken = take(life);
	tell_of_room(life, seen, taken);
	return taken;
}

/* Samples come quickly while something changes, and rarely while nothing does:
 * one costs about 60 us. */
static void sample(struct life *life, bool changed)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	struct file_sample s;

	if (now < life->sample_at)
		return;
	if (!look_sample(&life->proc, life->session, &s))
		return;
	output_block(&life->out, FILE_SAMPLE, &s, sizeof(s), NULL, 0);
	if (life->sample_at) /* not while the program starts */
		memstats_sample(&life->go, &life->proc, &life->out);
	write_clock(life); /* a run that is cut has its time, too */
	if (changed || s.resident != life->sample_resident)
		life->sample_gap = SAMPLE_FIRST_NS;
	else if (life->sample_gap < SAMPLE_LAST_NS)
		life->sample_gap *= 2;
	life->sample_resident = s.resident;
	life->sample_at = now + life->sample_gap;
}

static bool serve_meanwhile(void *context)
{
	struct life *life = context;

	serve(life, bell(life->session));
	return !__atomic_load_n(&life->session->closing, __ATOMIC_ACQUIRE);
}

static void shot(struct life *life)
{
	struct look_pause pause = { .go_on = serve_meanwhile, .context = life };
	uint64_t now = now_ns(CLOCK_MONOTONIC), cost;
	size_t bytes;

	if (now < life->shot_at)
		return;
	cost = now_ns(CLOCK_THREAD_CPUTIME_ID);
	bytes = look_shot(&life->proc, &life->out, &pause);
	cost = now_ns(CLOCK_THREAD_CPUTIME_ID) - cost;
	life->shot_at = now + look_shot_gap(now - life->began, cost, bytes);
}

/*
 * Calls that were under way when the gate closed finish in microseconds, unless
 * their threads wait for a processor.  Returns how many events came.
 */
static size_t settle(struct life *life, uint64_t until)
{
	size_t taken = 0;

	do
		taken += take(life);
	while (life->drain.late_count && now_ns(CLOCK_MONOTONIC) < until);
	return taken;
}

static void announce(struct life *life, uint32_t *word)
{
	__atomic_store_n(word, 1, __ATOMIC_SEQ_CST);
	observe_tell(life->session);
}

/* The program is about to end and waits. */
static void last_look(struct life *life, enum trace_end end)
{
	const uint64_t until = now_ns(CLOCK_MONOTONIC) + SETTLE_NS;
	struct file_sample s;

	settle(life, until);
	do /* again, when a call came to its end meanwhile */
		life->last_look = look_map(&life->proc, &life->out,
		                           life->session, FILE_LOOK_LAST);
	while (settle(life, until) && now_ns(CLOCK_MONOTONIC) < until);
	look_resident(&life->proc, &life->out);
	if (look_sample(&life->proc, life->session, &s))
		output_block(&life->out, FILE_SAMPLE, &s, sizeof(s), NULL, 0);
	memstats_end(&life->go, &life->proc, &life->out);
	life->end_value = life->session->closing_value;
	switch (end) {
	case TRACE_END_EXIT:
		life->end = FILE_END_EXITED;
		break;
	case TRACE_END_SIGNAL:
		life->end = FILE_END_SIGNALED;
		break;
	default:
		life->end = FILE_END_EXECED;
		break;
	}
	announce(life, &life->session->looked);
}

/* How a process ended that nobody announced (uapi/linux/pidfd.h, 6.15). */
static void ask_exit(struct life *life)
{
	struct {
		uint64_t mask, cgroupid;
		uint32_t pid, tgid, ppid, ids[8];
		int32_t exit_code;
		uint32_t coredump[3];
	} info;

	for (int tries = 0; tries < 50; tries++) {
		const struct timespec nap = { .tv_nsec = 1000000 };

		memset(&info, 0, sizeof(info));
		info.mask = 1ull << 3; /* PIDFD_INFO_EXIT */
		if (ioctl(life->target_fd, _IOWR(0xFF, 11, char[64]), &info))
			info.mask = 0;
		if (info.mask & 1ull << 3)
			break;
		nanosleep(&nap, NULL);
	}
	if (!(info.mask & 1ull << 3))
		return;
	life->end = info.exit_code & 0x7f ? FILE_END_SIGNALED : FILE_END_EXITED;
	life->end_value = info.exit_code & 0x7f
	                          ? (uint64_t)(info.exit_code & 0x7f)
	                          : (uint64_t)(info.exit_code >> 8 & 0xff);
}

/* The last look was not the last: the program goes on. */
static void exec_failed(struct life *life)
{
	life->exec_pending = false;
	life->last_look = false;
}

/* 1 when the run is over. */
static bool step(struct life *life, size_t taken)
{
	/* in this order: a failed execve takes back `closing` first */
	bool looked = __atomic_load_n(&life->session->looked, __ATOMIC_ACQUIRE);
	enum trace_end end =
		__atomic_load_n(&life->session->closing, __ATOMIC_ACQUIRE);
	/* first: what it became may have ended by the time it is seen gone */
	bool died = target_died(life);

	if (end && !looked) {
		life->execs_failed = life->session->execs_failed;
		last_look(life, end);
		if (end != TRACE_END_EXEC)
			return true;
		life->exec_pending = true;
		announce(life, &life->session->reported);
		return false;
	}
	if (life->exec_pending &&
	    life->session->execs_failed != life->execs_failed)
		exec_failed(life);
	if (life->exec_pending && look_gone(&life->proc))
		return true;
	if (died) {
		drain_ring(&life->drain, &life->out);
		life->last_look = false;
		life->end = FILE_END_UNKNOWN;
		ask_exit(life);
		return true;
	}
	if (!life->exec_pending) { /* nothing is newer than the last look */
		sample(life, taken != 0);
		shot(life);
	}
	return false;
}

static void watch(struct life *life)
{
	for (;;) {
		uint32_t seen = bell(life->session);
		uint64_t nap = NAP_NS;
		size_t taken;

		taken = serve(life, seen);
		if (step(life, taken))
			return;
		if (taken > RING_SLOTS / 8 || life->exec_pending)
			nap = BUSY_NAP_NS;
		else if (life->sample_gap < NAP_NS)
			nap = life->sample_gap;
		observe_wait(&life->session->observer_bell, seen, nap);
	}
}

static void finish(struct life *life)
{
	size_t size = 0;
	struct stat st;
	void *run = NULL;

	write_end(life);
	if (fstat(life->out.fd, &st) == 0 && st.st_size > 0)
		size = (size_t)st.st_size;
	if (size)
		run = mmap(NULL, size, PROT_READ, MAP_PRIVATE, life->out.fd, 0);
	if (run == MAP_FAILED)
		size = 0;
	restore_stderr(life->stderr_fd);
	life->options->finish(life->options->context, run, size,
	                      life->out.error);
	announce(life, &life->session->reported);
}

void observe(struct observer *observer)
{
	struct life life = {
		.session = observer->session,
		.options = observer->options,
		.sample_gap = SAMPLE_FIRST_NS,
	};
	struct record_options options = *observer->options;
	struct record_failure failure;

	life.arrivals.early = &life.plan.early;
	promise_life(observer->session);
	raise_limits();
	detach(observer);
	life.stderr_fd = set_stderr_aside();
	life.options = &options;
	life.drain = (struct drain){
		.session = observer->session,
		.stacks = &life.stacks,
		.slots = (struct ring_slot *)((char *)observer->session +
		                              SESSION_RING),
	};
	life.target = observer->target;
	life.target_fd = observer->target_fd;
	if (options.output_fd < 0)
		options.output_fd = (int)syscall(SYS_memfd_create, "goload-run",
		                                 MFD_CLOEXEC);
	if (!plan_program(&options, &life.plan, &failure))
		refuse(observer->session, &failure);
	if (!output_open(&life.out, options.output_fd) ||
	    !stacks_open(&life.stacks, observer->session)) {
		record_fail(&failure, 125, ENOMEM, "cannot be observed");
		refuse(observer->session, &failure);
	}
	if (!write_plan(&life, observer->session_fd)) {
		record_fail(&failure, 125, errno,
		            "cannot write the plan: pwrite");
		refuse(observer->session, &failure);
	}
	if (life.plan.interp_fd >= 0) {
		observer->session->interp_fd = life.plan.interp_fd;
		if (!record_send(observer->socket_fd, life.plan.interp_fd)) {
			record_fail(&failure, 125, errno,
			            "cannot hand over its interpreter: sendmsg");
			refuse(observer->session, &failure);
		}
	}
	write_clock(&life);
	set_state(observer->session, SESSION_PLANNED);
	drain_prepare(&life.drain); /* while goload becomes the image */
	if (wait_for_boot(&life)) {
		take_over(&life, observer->socket_fd, observer->target);
		watch(&life);
		finish(&life);
	}
	_exit(0);
}
