/*
 * Cancels threads in every call of libc that can block and be cancelled.
 *
 *	libc_cancel waiting    each is cancelled when it waits in the kernel
 *	libc_cancel pending    each is entered with the request already made
 *	libc_cancel anywhere   asynchronous cancellation, in a call or between
 *	libc_cancel lossless   no byte that a cancelled read took is lost
 *
 * One line for each: how the thread ended, and how often its cleanup ran.
 */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct timespec hour = { 3600, 0 };
static char buffer[65536];
static int in, out; /* nothing comes from `in`, nothing goes to `out` */
static int queue;   /* of messages */
static mqd_t mq_queue;
static sem_t semaphore;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static struct aiocb control;
static char path[64];
static pid_t child;

static void fail(const char *what)
{
	perror(what);
	exit(90);
}

static int must(const char *what, int result)
{
	if (result < 0)
		fail(what);
	return result;
}

/* ---- what there is to wait for ------------------------------------------ */

static void fill(int fd)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (write(fd, buffer, sizeof(buffer)) > 0)
		;
	while (write(fd, buffer, 1) > 0)
		;
	fcntl(fd, F_SETFL, 0);
}

static void pipes(void)
{
	int fds[2];

	must("pipe", pipe2(fds, O_CLOEXEC));
	in = fds[0];
	must("pipe", pipe2(fds, O_CLOEXEC));
	out = fds[1];
	fill(out);
}

static void sockets(void)
{
	int fds[2];

	must("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	in = fds[0];
	must("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	out = fds[0];
	fill(out);
}

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static socklen_t address_size;

static void listener(void)
{
	in = must("socket", socket(AF_UNIX, SOCK_STREAM, 0));
	address_size = sizeof(sa_family_t); /* autobind */
	must("bind", bind(in, (void *)&address, address_size));
	must("listen", listen(in, 0));
	address_size = sizeof(address);
	must("name", getsockname(in, (void *)&address, &address_size));
	out = must("socket", socket(AF_UNIX, SOCK_STREAM, 0));
}

/* One connection waits for accept, there is no room for another. */
static void full_listener(void)
{
	listener();
	must("connect", connect(out, (void *)&address, address_size));
	out = must("socket", socket(AF_UNIX, SOCK_STREAM, 0));
}

static void epoll(void)
{
	in = must("epoll", epoll_create1(0));
}

static void messages(void)
{
	struct {
		long type;
		char text[1024];
	} message = { 1, "" };

	queue = must("msgget", msgget(IPC_PRIVATE, 0600));
	while (msgsnd(queue, &message, sizeof(message.text), IPC_NOWAIT) == 0)
		;
}

static void no_messages(void)
{
	msgctl(queue, IPC_RMID, NULL);
}

/* One that is full, or none at all. */
static void posix_queue(unsigned count)
{
	struct mq_attr attributes = { .mq_maxmsg = 1, .mq_msgsize = 8 };

	snprintf(path, sizeof(path), "/libc_cancel-%d", (int)getpid());
	mq_queue = mq_open(path, O_CREAT | O_RDWR, 0600, &attributes);
	must("mq_open", mq_queue);
	mq_unlink(path);
	if (count)
		must("mq_send", mq_send(mq_queue, buffer, 8, 0));
}

static void posix_empty(void)
{
	posix_queue(0);
}

static void posix_full(void)
{
	posix_queue(1);
}

static void semaphores(void)
{
	sem_init(&semaphore, 0, 0);
}

static void start_child(void)
{
	int fds[2];
	char byte;

	must("pipe", pipe2(fds, O_CLOEXEC));
	child = must("fork", fork());
	if (child == 0) { /* until its parent ends */
		close(fds[1]);
		_exit(read(fds[0], &byte, 1) != 0);
	}
	close(fds[0]);
	in = fds[1];
}

static void end_child(void)
{
	close(in);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void temporary(const char *pattern)
{
	strcpy(path, pattern);
	in = must("mkstemp", mkstemp(path));
}

static void remove_path(void)
{
	unlink(path);
}

/* Somebody else has the lock. */
static void locked(void)
{
	int ready[2];
	char byte;

	temporary("/tmp/libc_cancel-XXXXXX");
	must("pipe", pipe2(ready, O_CLOEXEC));
	child = must("fork", fork());
	if (child == 0) {
		struct flock lock = { .l_type = F_WRLCK };

		fcntl(in, F_SETLK, &lock);
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	must("read", (int)read(ready[0], &byte, 1));
}

static void unlocked(void)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	remove_path();
}

static void fifo(void)
{
	temporary("/tmp/libc_cancel-XXXXXX");
	remove_path();
	must("mkfifo", mkfifo(path, 0600));
}

static void asynchronous_read(void)
{
	pipes();
	control = (struct aiocb){ .aio_fildes = in,
		                  .aio_buf = buffer,
		                  .aio_nbytes = 1,
		                  .aio_sigevent.sigev_notify = SIGEV_NONE };
	must("aio_read", aio_read(&control));
}

/* A shell that reads from a pipe, which is closed at the end. */
static char command[64];

static void command_waits(void)
{
	int fds[2];

	must("pipe", pipe(fds));
	fcntl(fds[1], F_SETFD, FD_CLOEXEC);
	in = fds[1];
	snprintf(command, sizeof(command), "read x </dev/fd/%d", fds[0]);
}

/* ---- the calls ---------------------------------------------------------- */

static struct iovec vector = { buffer, sizeof(buffer) };
static struct pollfd polled(void)
{
	return (struct pollfd){ .fd = in, .events = POLLIN };
}

static sigset_t *one_signal(void)
{
	static sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return &set;
}

/* SIGSYS in it: goload puts another mask in its place. */
static sigset_t *with_sigsys(void)
{
	static sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	return &set;
}

static void do_read(void)
{
	read(in, buffer, 1);
}
static void do_readv(void)
{
	readv(in, &vector, 1);
}
static void do_write(void)
{
	write(out, buffer, 1);
}
static void do_writev(void)
{
	writev(out, &vector, 1);
}

static void do_poll(void)
{
	struct pollfd fd = polled();

	poll(&fd, 1, -1);
}

static void do_ppoll(void)
{
	struct pollfd fd = polled();

	ppoll(&fd, 1, &hour, NULL);
}

static void do_ppoll_sigsys(void)
{
	ppoll(NULL, 0, &hour, with_sigsys());
}

static void do_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(in, &set);
	select(in + 1, &set, NULL, NULL, NULL);
}

static void do_pselect(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(in, &set);
	pselect(in + 1, &set, NULL, NULL, &hour, NULL);
}

static void do_pselect_sigsys(void)
{
	pselect(0, NULL, NULL, NULL, NULL, with_sigsys());
}

static void do_epoll_wait(void)
{
	struct epoll_event event;

	epoll_wait(in, &event, 1, -1);
}

static void do_epoll_pwait(void)
{
	struct epoll_event event;

	epoll_pwait(in, &event, 1, -1, with_sigsys());
}

static void do_nanosleep(void)
{
	nanosleep(&hour, NULL);
}
static void do_clock_nanosleep(void)
{
	clock_nanosleep(CLOCK_MONOTONIC, 0, &hour, NULL);
}
static void do_sleep(void)
{
	sleep(3600);
}
static void do_usleep(void)
{
	usleep(999999999);
}
static void do_pause(void)
{
	pause();
}
static void do_accept(void)
{
	accept(in, NULL, NULL);
}
static void do_accept4(void)
{
	accept4(in, NULL, NULL, SOCK_CLOEXEC);
}
static void do_connect(void)
{
	connect(out, (void *)&address, address_size);
}
static void do_recv(void)
{
	recv(in, buffer, 1, 0);
}
static void do_recvfrom(void)
{
	recvfrom(in, buffer, 1, 0, NULL, NULL);
}

static void do_recvmsg(void)
{
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	recvmsg(in, &message, 0);
}

static void do_send(void)
{
	send(out, buffer, 1, 0);
}
static void do_sendto(void)
{
	sendto(out, buffer, 1, 0, NULL, 0);
}

static void do_sendmsg(void)
{
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	sendmsg(out, &message, 0);
}

static void do_msgrcv(void)
{
	msgrcv(queue, buffer, 1024, 99, 0);
}

static void do_msgsnd(void)
{
	buffer[0] = 1;
	msgsnd(queue, buffer, 1024, 0);
}

static void do_mq_receive(void)
{
	mq_receive(mq_queue, buffer, 8, NULL);
}
static void do_mq_send(void)
{
	mq_send(mq_queue, buffer, 8, 0);
}
static void do_sem_wait(void)
{
	sem_wait(&semaphore);
}

static struct timespec in_an_hour(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += 3600;
	return now;
}

static void do_sem_timedwait(void)
{
	struct timespec end = in_an_hour();

	sem_timedwait(&semaphore, &end);
}

static void unlock(void *unused)
{
	(void)unused;
	pthread_mutex_unlock(&mutex);
}

static void do_cond_wait(void)
{
	pthread_mutex_lock(&mutex);
	pthread_cleanup_push(unlock, NULL);
	for (;;)
		pthread_cond_wait(&condition, &mutex);
	pthread_cleanup_pop(0);
}

static void do_cond_timedwait(void)
{
	struct timespec end = in_an_hour();

	pthread_mutex_lock(&mutex);
	pthread_cleanup_push(unlock, NULL);
	for (;;)
		pthread_cond_timedwait(&condition, &mutex, &end);
	pthread_cleanup_pop(0);
}

static pthread_t first;
static void do_join(void)
{
	pthread_join(first, NULL);
}

static void do_sigsuspend(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigsuspend(&none);
}

static void do_sigsuspend_sigsys(void)
{
	sigsuspend(with_sigsys());
}
static void do_sigtimedwait(void)
{
	sigtimedwait(one_signal(), NULL, &hour);
}
static void do_sigwaitinfo(void)
{
	sigwaitinfo(one_signal(), NULL);
}

static void do_sigwait(void)
{
	int sig;

	sigwait(one_signal(), &sig);
}

static void do_waitpid(void)
{
	waitpid(child, NULL, 0);
}
static void do_wait(void)
{
	wait(NULL);
}

static void do_waitid(void)
{
	siginfo_t info;

	waitid(P_PID, (id_t)child, &info, WEXITED);
}

static void do_open(void)
{
	open(path, O_RDONLY);
}
static void do_openat(void)
{
	openat(AT_FDCWD, path, O_WRONLY);
}

static void do_setlkw(void)
{
	struct flock lock = { .l_type = F_WRLCK };

	fcntl(in, F_SETLKW, &lock);
}

static void do_lockf(void)
{
	lockf(in, F_LOCK, 0);
}

static void do_aio_suspend(void)
{
	const struct aiocb *list[] = { &control };

	aio_suspend(list, 1, NULL);
}

static void do_system(void)
{
	system(command);
}

/* ---- one row a call ----------------------------------------------------- */

struct row {
	const char *name;
	void (*act)(void);
	int calls[2]; /* that the thread then waits in, by libc */
	void (*before)(void);
	void (*after)(void);
	int times; /* 0: once */
};

#define MANY 600 /* what goload does not give back is missed */

static const struct row rows[] = {
	{ "read", do_read, { SYS_read }, pipes },
	{ "readv", do_readv, { SYS_readv }, pipes },
	{ "write", do_write, { SYS_write }, pipes },
	{ "writev", do_writev, { SYS_writev }, pipes },
	{ "poll", do_poll, { SYS_poll }, pipes },
	{ "ppoll", do_ppoll, { SYS_ppoll }, pipes },
	{ "ppoll with SIGSYS",
	  do_ppoll_sigsys,
	  { SYS_ppoll },
	  NULL,
	  NULL,
	  MANY },
	{ "select", do_select, { SYS_select, SYS_pselect6 }, pipes },
	{ "pselect", do_pselect, { SYS_pselect6 }, pipes },
	{ "pselect with SIGSYS", do_pselect_sigsys, { SYS_pselect6 } },
	{ "epoll_wait",
	  do_epoll_wait,
	  { SYS_epoll_wait, SYS_epoll_pwait },
	  epoll },
	{ "epoll_pwait", do_epoll_pwait, { SYS_epoll_pwait }, epoll },
	{ "nanosleep", do_nanosleep, { SYS_nanosleep, SYS_clock_nanosleep } },
	{ "clock_nanosleep", do_clock_nanosleep, { SYS_clock_nanosleep } },
	{ "sleep", do_sleep, { SYS_nanosleep, SYS_clock_nanosleep } },
	{ "usleep", do_usleep, { SYS_nanosleep, SYS_clock_nanosleep } },
	{ "pause", do_pause, { SYS_pause } },
	{ "accept", do_accept, { SYS_accept }, listener },
	{ "accept4", do_accept4, { SYS_accept4 }, listener },
	{ "connect", do_connect, { SYS_connect }, full_listener },
	{ "recv", do_recv, { SYS_recvfrom }, sockets },
	{ "recvfrom", do_recvfrom, { SYS_recvfrom }, sockets },
	{ "recvmsg", do_recvmsg, { SYS_recvmsg }, sockets },
	{ "send", do_send, { SYS_sendto }, sockets },
	{ "sendto", do_sendto, { SYS_sendto }, sockets },
	{ "sendmsg", do_sendmsg, { SYS_sendmsg }, sockets },
	{ "msgrcv", do_msgrcv, { SYS_msgrcv }, messages, no_messages },
	{ "msgsnd", do_msgsnd, { SYS_msgsnd }, messages, no_messages },
	{ "mq_receive", do_mq_receive, { SYS_mq_timedreceive }, posix_empty },
	{ "mq_send", do_mq_send, { SYS_mq_timedsend }, posix_full },
	{ "sem_wait", do_sem_wait, { SYS_futex }, semaphores },
	{ "sem_timedwait", do_sem_timedwait, { SYS_futex }, semaphores },
	{ "pthread_cond_wait", do_cond_wait, { SYS_futex } },
	{ "pthread_cond_timedwait", do_cond_timedwait, { SYS_futex } },
	{ "pthread_join", do_join, { SYS_futex } },
	{ "sigsuspend", do_sigsuspend, { SYS_rt_sigsuspend } },
	{ "sigsuspend with SIGSYS",
	  do_sigsuspend_sigsys,
	  { SYS_rt_sigsuspend },
	  NULL,
	  NULL,
	  MANY },
	{ "sigtimedwait", do_sigtimedwait, { SYS_rt_sigtimedwait } },
	{ "sigwaitinfo", do_sigwaitinfo, { SYS_rt_sigtimedwait } },
	{ "sigwait", do_sigwait, { SYS_rt_sigtimedwait } },
	{ "waitpid", do_waitpid, { SYS_wait4 }, start_child, end_child },
	{ "wait", do_wait, { SYS_wait4 }, start_child, end_child },
	{ "waitid", do_waitid, { SYS_waitid }, start_child, end_child },
	{ "open of a fifo",
	  do_open,
	  { SYS_open, SYS_openat },
	  fifo,
	  remove_path },
	{ "openat of a fifo",
	  do_openat,
	  { SYS_open, SYS_openat },
	  fifo,
	  remove_path },
	{ "fcntl F_SETLKW", do_setlkw, { SYS_fcntl }, locked, unlocked },
	{ "lockf", do_lockf, { SYS_fcntl }, locked, unlocked },
	{ "aio_suspend", do_aio_suspend, { SYS_futex }, asynchronous_read },
	{ "system", do_system, { SYS_wait4 }, command_waits, end_child },
};

/* ---- the threads -------------------------------------------------------- */

static atomic_int tid, gate, cleaned;
static int pending;

static void clean(void *unused)
{
	(void)unused;
	cleaned++;
}

static void *blocks(void *of)
{
	const struct row *row = of;

	pthread_cleanup_push(clean, NULL);
	tid = (int)syscall(SYS_gettid);
	while (pending && !gate)
		sched_yield();
	row->act();
	pthread_cleanup_pop(0);
	return NULL;
}

/* "number argument..." of the call that THREAD waits in; 0 when it is gone */
static int call_of(int thread, int *call)
{
	char name[64];
	FILE *file;

	snprintf(name, sizeof(name), "/proc/self/task/%d/syscall", thread);
	file = fopen(name, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%d", call) != 1)
		*call = -1; /* "running" */
	fclose(file);
	return 1;
}

/* Waits until THREAD is in one of these calls, or gone. */
static void wait_until_in(int thread, const int calls[2])
{
	int call;

	while (call_of(thread, &call)) {
		if (call == calls[0] || (call > 0 && call == calls[1]))
			return;
		sched_yield();
	}
}

/* How it ended; "" when it was cancelled as it should be. */
static const char *cancelled(const struct row *row)
{
	pthread_t thread;
	void *end;

	tid = gate = cleaned = 0;
	if (row->before)
		row->before();
	if (pthread_create(&thread, NULL, blocks, (void *)row))
		fail("pthread_create");
	while (!tid)
		sched_yield();
	if (!pending)
		wait_until_in(tid, row->calls);
	pthread_cancel(thread);
	gate = 1;
	pthread_join(thread, &end);
	if (row->after)
		row->after();
	if (end != PTHREAD_CANCELED)
		return "went on";
	return cleaned == 1 ? "" : "without cleanup";
}

static int every_row(void)
{
	int failed = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		const char *how = "";

		for (int n = 0; !*how && n <= row->times; n++)
			how = cancelled(row);
		printf("%s: %s\n", row->name, *how ? how : "cancelled");
		failed += *how != 0;
	}
	return failed != 0;
}

/* ---- asynchronous ------------------------------------------------------- */

static atomic_ulong turns;

static void spin(void)
{
	turns++;
}

static void ask(void)
{
	syscall(SYS_getppid);
	turns++;
}

static void map(void)
{
	void *at =
		mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(at, 4096);
	turns++;
}

static void mask(void)
{
	sigset_t set;

	pthread_sigmask(SIG_BLOCK, NULL, &set);
	turns++;
}

static void wait_a_little(void)
{
	static const struct timespec little = { 0, 1000 };

	turns++;
	nanosleep(&little, NULL);
}

static void *for_ever(void *of)
{
	void (*act)(void) = *(void (**)(void))of;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	pthread_cleanup_push(clean, NULL);
	for (;;)
		act();
	pthread_cleanup_pop(0);
	return NULL;
}

static int anywhere(void)
{
	static struct {
		void (*act)(void);
		const char *name;
	} acts[] = { { spin, "a loop" },
		     { ask, "getppid" },
		     { map, "mmap and munmap" },
		     { mask, "pthread_sigmask" },
		     { wait_a_little, "nanosleep" } };

	for (size_t i = 0; i < sizeof(acts) / sizeof(*acts); i++) {
		int ended = 0;

		cleaned = 0;
		for (unsigned n = 0; n < 40; n++) {
			pthread_t thread;
			void *end;

			turns = 0;
			if (pthread_create(&thread, NULL, for_ever,
			                   &acts[i].act))
				fail("pthread_create");
			while (turns < 1 + n * 7 % 31)
				sched_yield();
			pthread_cancel(thread);
			pthread_join(thread, &end);
			ended += end == PTHREAD_CANCELED;
		}
		printf("%s: %d cancelled, %d cleaned\n", acts[i].name, ended,
		       (int)cleaned);
	}
	return 0;
}

/* ---- lossless ----------------------------------------------------------- */

static atomic_uint taken;

static void *reads(void *unused)
{
	char byte;

	(void)unused;
	for (;;)
		if (read(in, &byte, 1) == 1)
			taken++;
	return NULL;
}

/* A read that has taken its byte is not cancelled. */
static int lossless(void)
{
	unsigned sent = 0;
	int fds[2];
	char byte;

	must("pipe", pipe(fds));
	in = fds[0];
	for (unsigned n = 0; n < 300; n++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, reads, NULL))
			fail("pthread_create");
		for (unsigned i = 0; i < 10 + n % 7; i++)
			sent += write(fds[1], "", 1) == 1;
		pthread_cancel(thread);
		pthread_join(thread, NULL);
	}
	fcntl(in, F_SETFL, O_NONBLOCK);
	while (read(in, &byte, 1) == 1)
		taken++;
	printf("%d bytes lost\n", (int)(sent - taken));
	return sent != taken;
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	first = pthread_self();
	pending = !strcmp(way, "pending");
	if (!strcmp(way, "waiting") || pending)
		return every_row();
	if (!strcmp(way, "anywhere"))
		return anywhere();
	if (!strcmp(way, "lossless"))
		return lossless();
	return 2;
}
