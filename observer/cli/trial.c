/*
 * trial - a program that a verb runs and looks at afterwards.
 *
 * The program is a child: goload record, which becomes it, or the program
 * itself.  The observer of such a run is nobody's child, so that the run file
 * is whole shows when its last writer closes it.
 */
#include "observer/cli/cli.h"

#include "observer/symbol/symbol.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND      1000000000ull
#define GRACE       (10 * SECOND) /* from SIGTERM to SIGKILL */
#define DRIVER_LEFT SECOND /* what a driver has when the program is gone */
#define WRITTEN     (10 * SECOND) /* in which the observer ends, too */
#define HALF        (1 << 19)     /* bytes of output: the first and the last */
#define SHOWN       10            /* lines of them */
#define MOST_RUNS   1000
#define NEVER       UINT64_MAX

extern char **environ;

/* One trial as it goes on. */
struct going {
	const struct cli_trial *trial;
	struct cli_outcome *outcome;
	char *run;       /* path of the run file */
	char *folder;    /* of a temporary one */
	int watch;       /* inotify: of its folder */
	int captured[2]; /* pipe */
	int report[2];   /* pipe: errno of what keeps the child from execve */
	int signals;     /* signalfd */
	sigset_t old;    /* signals blocked before */
	struct sigaction child, size; /* what SIGCHLD and SIGXFSZ did */
	pid_t program, driver;
	int program_fd, driver_fd;            /* pidfds; -1: ended, or none */
	uint64_t term_at, kill_at, driver_at; /* moments, NEVER */
	uint64_t captured_size;
	bool begun;           /* the program */
	bool closed;          /* the run file */
	int error;            /* of the driver: an errno */
	int signal;           /* that somebody sent, for goload itself */
	const char *at_fault; /* what an error is of: NULL, the program */
};

static uint64_t in(uint64_t ns)
{
	uint64_t at;

	return __builtin_add_overflow(cli_now(), ns, &at) ? NEVER : at;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void let_signals_go(const struct going *going)
{
	sigaction(SIGCHLD, &going->child, NULL);
	sigaction(SIGXFSZ, &going->size, NULL);
	sigprocmask(SIG_SETMASK, &going->old, NULL);
}

/* ---- the run file -------------------------------------------------------- */

char *cli_escape(const char *path)
{
	char *to = malloc(2 * strlen(path) + 1), *at = to;

	for (; to && *path; *at++ = *path++)
		if (*path == '%')
			*at++ = '%';
	if (to)
		*at = 0;
	return to;
}

static bool name_run(struct going *going)
{
	const char *above = getenv("TMPDIR");
	char *folder;

	if (going->trial->run) {
		going->run = strdup(going->trial->run);
		return going->run;
	}
	above = above && *above ? above : "/tmp";
	if (asprintf(&folder, "%s/goload.XXXXXX", above) < 0)
		return false;
	if (!mkdtemp(folder)) {
		going->at_fault = above;
		free(folder);
		return false;
	}
	going->folder = folder;
	return asprintf(&going->run, "%s/run", folder) >= 0;
}

static bool watch_run(struct going *going)
{
	int size = (int)(cli_base_name(going->run) - going->run);
	char *folder;
	bool done;

	cli_make_parents(going->run);
	if (asprintf(&folder, "%.*s.", size, going->run) < 0)
		return false;
	going->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	done = going->watch >= 0 &&
	       inotify_add_watch(going->watch, folder,
	                         IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE) >= 0;
	if (going->watch >= 0 && !done)
		going->at_fault = going->run;
	free(folder);
	return done;
}

/* Has what happened in the folder ended the writing of the run? */
static void look_for_end(struct going *going)
{
	_Alignas(struct inotify_event) char bytes[4096];
	const char *name = cli_base_name(going->run);
	const struct inotify_event *event;
	ssize_t size;

	while ((size = read(going->watch, bytes, sizeof(bytes))) > 0)
		for (ssize_t at = 0; at < size;
		     at += (ssize_t)(sizeof(*event) + event->len)) {
			event = (const void *)(bytes + at);
			if (event->len && strcmp(event->name, name) == 0 &&
			    !(event->mask & IN_MODIFY))
				going->closed = true;
		}
}

/* The kernel's map from before its first instruction is in the run file: from
 * now on a signal is the program's. */
static bool has_begun(const struct going *going)
{
	struct symbol_bytes bytes;
	struct file_reader reader;
	struct file_block block;
	const uint8_t *payload;
	bool begun = false;

	if (!symbol_map(going->run, &bytes))
		return false;
	if (file_open(&reader, bytes.at, bytes.size) == FILE_OK)
		while (!begun && file_next(&reader, &block, &payload))
			begun = block.type == FILE_MAPS;
	symbol_unmap(&bytes);
	return begun;
}

/* Returns when the observer has ended: there is a run then, or none. */
static void await_run(struct going *going)
{
	uint64_t until = in(WRITTEN), at;
	struct pollfd poll_fd = { .fd = going->watch, .events = POLLIN };

	look_for_end(going);
	while (access(going->run, F_OK) == 0 && !going->closed &&
	       (at = cli_now()) < until) {
		poll(&poll_fd, 1, (int)((until - at) / 1000000) + 1);
		look_for_end(going);
	}
}

/* A temporary run has no name any more when the trial is over. */
static void keep_run(struct going *going)
{
	struct cli_outcome *outcome = going->outcome;
	int fd = open(going->run, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		outcome->refused = true;
		return;
	}
	if (going->trial->run) {
		close(fd);
		outcome->run = going->run;
		going->run = NULL;
	} else if (asprintf(&outcome->run, "/proc/self/fd/%d", fd) >= 0) {
		outcome->run_fd = fd;
	} else {
		close(fd);
	}
}

/* ---- the child ----------------------------------------------------------- */

/* For the parent to complain of. */
static void give_up(const struct going *going)
{
	int error = errno;

	if (write(going->report[1], &error, sizeof(error)) < 0)
		_exit(CLI_FAILED);
	_exit(CLI_FAILED);
}

static void join_cgroup(const struct going *going)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", going->trial->cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		give_up(going);
	close(fd);
}

/* The observer is not to be bound: it goes back to the hard limit. */
static void set_limits(const struct going *going)
{
	for (int i = 0; i < going->trial->limits; i++) {
		const struct cli_limit *limit = &going->trial->limit[i];
		struct rlimit both = { limit->bytes, limit->bytes };

		if (!going->trial->native) {
			getrlimit(limit->resource, &both);
			both.rlim_cur = limit->bytes;
		}
		if (setrlimit(limit->resource, &both) < 0)
			give_up(going);
	}
}

static void capture(const struct going *going)
{
	int nothing = open("/dev/null", O_RDONLY);

	if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
	    dup2(going->captured[1], STDOUT_FILENO) < 0 ||
	    dup2(going->captured[1], STDERR_FILENO) < 0)
		give_up(going);
	close(nothing);
}

/* goload record and its words, or the program's own. */
static char **words_of(const struct going *going)
{
	const struct cli_trial *trial = going->trial;
	size_t count = 0, options = 0, at = 0;
	char **words;

	if (trial->native)
		return trial->argv;
	while (trial->argv[count])
		count++;
	while (trial->options && trial->options[options])
		options++;
	words = calloc(count + options + 8, sizeof(*words));
	if (!words)
		return NULL;
	words[at++] = (char *)"goload";
	words[at++] = (char *)"record";
	words[at++] = (char *)"-q";
	for (size_t i = 0; i < options; i++)
		words[at++] = (char *)trial->options[i];
	words[at++] = (char *)"-o";
	words[at++] = cli_escape(going->run);
	words[at++] = (char *)"--";
	memcpy(words + at, trial->argv, count * sizeof(*words));
	return words;
}

static void become_program(const struct going *going)
{
	const struct cli_trial *trial = going->trial;
	char **words = words_of(going);

	if (!words)
		give_up(going);
	if (!trial->own_output) {
		setpgid(0, 0); /* what it sends to its group is not for us */
		capture(going);
	}
	unsetenv("GOLOAD_OPTIONS"); /* they are for the user's own runs */
	for (int i = 0; trial->set && trial->set[i]; i++)
		putenv((char *)trial->set[i]);
	if (trial->native)
		environ = cli_program_environment();
	if (trial->cgroup)
		join_cgroup(going);
	let_signals_go(going);
	set_limits(going);
	if (trial->native)
		execvp(words[0], words);
	else
		execv("/proc/self/exe", words);
	give_up(going);
}

/* ---- the driver ---------------------------------------------------------- */

static void become_driver(const struct going *going)
{
	char pid[32];
	int nothing = open("/dev/null", O_RDONLY);

	setpgid(0, 0); /* with all that it starts */
	snprintf(pid, sizeof(pid), "%d", (int)going->program);
	setenv("GOLOAD_PID", pid, 1);
	if (nothing >= 0)
		dup2(nothing, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	let_signals_go(going);
	execl("/bin/sh", "sh", "-c", going->trial->drive, (char *)NULL);
	_exit(CLI_NOT_FOUND);
}

static bool start_driver(struct going *going)
{
	going->driver = fork();
	if (going->driver == 0)
		become_driver(going);
	if (going->driver < 0)
		return false;
	setpgid(going->driver, going->driver);
	going->driver_fd = pidfd_open(going->driver, 0);
	if (going->driver_fd >= 0)
		return true;
	kill(-going->driver, SIGKILL);
	waitpid(going->driver, NULL, 0);
	return false;
}

/* From now on it can be driven, and asked to end. */
static void begin(struct going *going)
{
	going->begun = true;
	if (going->trial->run_for)
		going->term_at = in(going->trial->run_for);
	if (going->trial->drive && !start_driver(going)) {
		going->error = errno;
		going->kill_at = 0;
	}
}

/* ---- from its start to its end ------------------------------------------- */

static void tell(const struct going *going, int signal)
{
	if (going->program_fd >= 0)
		pidfd_send_signal(going->program_fd, signal, NULL, 0);
}

/* With all that it has started, where that is a group of its own. */
static void kill_all(const struct going *going)
{
	if (!going->trial->own_output)
		kill(-going->program, SIGKILL);
	tell(going, SIGKILL);
}

static void ask_to_end(struct going *going)
{
	if (going->program_fd < 0 || going->outcome->asked)
		return;
	going->outcome->asked = true;
	going->term_at = NEVER;
	if (going->kill_at > in(GRACE))
		going->kill_at = in(GRACE);
	tell(going, SIGTERM);
}

static void end_of_program(struct going *going)
{
	waitpid(going->program, &going->outcome->status, 0);
	close(going->program_fd);
	going->program_fd = -1;
	going->driver_at = in(DRIVER_LEFT);
}

static void end_of_driver(struct going *going)
{
	waitpid(going->driver, &going->outcome->driver, 0);
	close(going->driver_fd);
	going->driver_fd = -1;
	ask_to_end(going);
}

/* Those of a terminal went to the program, too, if that is in our group. */
static void pass_signal(struct going *going)
{
	struct signalfd_siginfo info;

	if (read(going->signals, &info, sizeof(info)) != sizeof(info))
		return;
	going->signal = (int)info.ssi_signo;
	if (!going->trial->own_output || info.ssi_code != SI_KERNEL)
		tell(going, going->signal);
	if (going->driver_fd >= 0)
		kill(-going->driver, going->signal);
}

/* The first half of what is kept stays, the second goes round. */
static void keep_output(struct going *going, const char *bytes, size_t size)
{
	while (size) {
		uint64_t at = going->captured_size;
		uint64_t place = at < HALF ? at : HALF + at % HALF;
		uint64_t room = HALF - at % HALF;
		size_t part = size < room ? size : (size_t)room;

		if (pwrite(going->outcome->output, bytes, part, (off_t)place) !=
		    (ssize_t)part)
			return;
		going->captured_size += part;
		bytes += part;
		size -= part;
	}
}

/* The second half from its oldest byte on. */
static void straighten_output(const struct going *going)
{
	size_t turn = (size_t)(going->captured_size % HALF);
	char *newest, *half, *bytes;

	if (going->captured_size <= 2 * HALF || !turn ||
	    !(newest = malloc(turn)))
		return;
	bytes = mmap(NULL, 2 * HALF, PROT_READ | PROT_WRITE, MAP_SHARED,
	             going->outcome->output, 0);
	if (bytes != MAP_FAILED) {
		half = bytes + HALF;
		memcpy(newest, half, turn);
		memmove(half, half + turn, HALF - turn);
		memcpy(half + HALF - turn, newest, turn);
		munmap(bytes, 2 * HALF);
	}
	free(newest);
}

static void take_output(struct going *going)
{
	char bytes[65536];
	ssize_t size;

	while ((size = read(going->captured[0], bytes, sizeof(bytes))) > 0)
		keep_output(going, bytes, (size_t)size);
	if (size == 0)
		close_end(&going->captured[0]);
}

static void act_on_time(struct going *going, uint64_t at)
{
	if (at >= going->term_at)
		ask_to_end(going);
	if (at >= going->kill_at && going->program_fd >= 0) {
		going->outcome->hung = true;
		going->kill_at = NEVER;
		kill_all(going);
	}
	if (at >= going->driver_at && going->driver_fd >= 0) {
		going->driver_at = NEVER;
		kill(-going->driver, SIGKILL);
	}
}

static int until_next(const struct going *going, uint64_t at)
{
	uint64_t next = going->term_at;

	if (going->kill_at < next)
		next = going->kill_at;
	if (going->driver_at < next)
		next = going->driver_at;
	if (next == NEVER)
		return -1;
	return next <= at ? 0 : (int)((next - at) / 1000000 % INT_MAX) + 1;
}

static void attend(struct going *going)
{
	enum { PROGRAM, DRIVER, SIGNALS, OUTPUT, FOLDER, FDS };

	if (going->trial->native && going->program_fd >= 0)
		begin(going);
	while (going->program_fd >= 0 || going->driver_fd >= 0) {
		struct pollfd fd[FDS] = {
			[PROGRAM] = { going->program_fd, POLLIN, 0 },
			[DRIVER] = { going->driver_fd, POLLIN, 0 },
			[SIGNALS] = { going->signals, POLLIN, 0 },
			[OUTPUT] = { going->captured[0], POLLIN, 0 },
			[FOLDER] = { going->watch, POLLIN, 0 },
		};

		poll(fd, FDS, until_next(going, cli_now()));
		if (fd[OUTPUT].revents)
			take_output(going);
		if (fd[SIGNALS].revents)
			pass_signal(going);
		if (fd[FOLDER].revents) {
			look_for_end(going);
			if (!going->begun && has_begun(going))
				begin(going);
		}
		if (fd[PROGRAM].revents)
			end_of_program(going);
		if (fd[DRIVER].revents)
			end_of_driver(going);
		act_on_time(going, cli_now());
	}
	take_output(going);
	straighten_output(going);
}

/* ---- a trial ------------------------------------------------------------- */

static bool hold_signals(struct going *going)
{
	static const int held[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };
	struct sigaction action;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(held) / sizeof(*held); i++)
		if (sigaction(held[i], NULL, &action) == 0 &&
		    action.sa_handler != SIG_IGN)
			sigaddset(&set, held[i]);
	action = (struct sigaction){ .sa_handler = SIG_DFL };
	sigaction(SIGCHLD, &action, NULL); /* ignored, it leaves no status */
	action.sa_handler = SIG_IGN;
	sigaction(SIGXFSZ, &action, NULL); /* the program's output is ours */
	if (sigprocmask(SIG_BLOCK, &set, &going->old) < 0)
		return false;
	going->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return going->signals >= 0;
}

static bool prepare(struct going *going)
{
	const struct cli_trial *trial = going->trial;

	if (!hold_signals(going) || pipe2(going->report, O_CLOEXEC) < 0)
		return false;
	if (!trial->native && (!name_run(going) || !watch_run(going)))
		return false;
	if (trial->own_output)
		return true;
	going->outcome->output = memfd_create("goload output", MFD_CLOEXEC);
	return going->outcome->output >= 0 &&
	       pipe2(going->captured, O_CLOEXEC) == 0 &&
	       fcntl(going->captured[0], F_SETFL, O_NONBLOCK) == 0;
}

/* The errno of what kept the child from execve, or 0: under a limit that is an
 * outcome like others. */
static int start_program(struct going *going)
{
	int error = 0;

	going->program = fork();
	if (going->program == 0)
		become_program(going);
	if (going->program < 0)
		return errno;
	close_end(&going->report[1]);
	close_end(&going->captured[1]);
	while (read(going->report[0], &error, sizeof(error)) < 0 &&
	       errno == EINTR)
		;
	if (!error)
		going->program_fd = pidfd_open(going->program, 0);
	if (!error && going->program_fd >= 0)
		return 0;
	error = error ? error : errno;
	kill(going->program, SIGKILL);
	waitpid(going->program, &going->outcome->status, 0);
	going->outcome->refused = true;
	return going->trial->limits ? 0 : error;
}

static int run_it(struct going *going)
{
	const struct cli_trial *trial = going->trial;
	int error = prepare(going) ? start_program(going) : errno;

	if (error)
		return error;
	if (trial->patience)
		going->kill_at = in(trial->patience);
	attend(going);
	if (going->error)
		return going->error;
	if (!trial->native) {
		await_run(going);
		keep_run(going);
	}
	return 0;
}

static void clean_up(struct going *going)
{
	if (going->folder) {
		if (going->run)
			unlink(going->run);
		rmdir(going->folder);
	}
	free(going->folder);
	free(going->run);
	close_end(&going->watch);
	close_end(&going->signals);
	for (int i = 0; i < 2; i++) {
		close_end(&going->captured[i]);
		close_end(&going->report[i]);
	}
	let_signals_go(going);
}

/* goload record would refuse it, and the old one be taken for the new. */
static bool is_taken(const char *path)
{
	struct stat st;

	if (!path || lstat(path, &st) < 0)
		return false;
	cli_complain(path, 0,
	             "exists already: remove it, or choose another name");
	return true;
}

bool cli_try(const struct cli_trial *trial, struct cli_outcome *outcome)
{
	struct going going = {
		.trial = trial,
		.outcome = outcome,
		.watch = -1,
		.captured = { -1, -1 },
		.report = { -1, -1 },
		.signals = -1,
		.program_fd = -1,
		.driver_fd = -1,
		.term_at = NEVER,
		.kill_at = NEVER,
		.driver_at = NEVER,
	};
	int error;

	*outcome = (struct cli_outcome){ .driver = -1,
		                         .output = -1,
		                         .run_fd = -1 };
	if (!trial->native && is_taken(trial->run))
		return false;
	sigprocmask(SIG_SETMASK, NULL, &going.old);
	sigaction(SIGCHLD, NULL, &going.child);
	sigaction(SIGXFSZ, NULL, &going.size);
	error = run_it(&going);
	clean_up(&going);
	if (going.signal && !trial->own_output) {
		cli_forget(outcome);
		cli_end_as(going.signal);
	}
	if (!error)
		return true;
	cli_forget(outcome);
	if (going.at_fault)
		cli_complain(going.at_fault, error, "cannot be written");
	else
		cli_complain(trial->argv[0], error, "cannot be run");
	return false;
}

void cli_forget(struct cli_outcome *outcome)
{
	free(outcome->run);
	outcome->run = NULL;
	close_end(&outcome->run_fd);
	close_end(&outcome->output);
}

/* ---- what is made of it -------------------------------------------------- */

/* Where the last lines of the text begin. */
static size_t last_lines(const char *text, size_t size)
{
	size_t at = size;
	int lines = 0;

	while (at > 0 &&
	       (at == size || text[at - 1] != '\n' || ++lines < SHOWN))
		at--;
	return at;
}

void cli_show_output(const struct cli_outcome *outcome)
{
	struct stat st;
	char *text;
	size_t size;

	if (outcome->output < 0 || fstat(outcome->output, &st) < 0 ||
	    st.st_size == 0 || !(text = malloc((size_t)st.st_size + 1)))
		return;
	size = (size_t)st.st_size;
	if (pread(outcome->output, text, size, 0) == (ssize_t)size) {
		text[size] = 0;
		for (char *line = text + last_lines(text, size), *end;
		     line < text + size; line = end + 1) {
			end = strchrnul(line, '\n');
			*end = 0;
			cli_make_plain(line);
			fprintf(stderr, "  %s\n", line);
		}
	}
	free(text);
}

bool cli_ended_well(const struct cli_outcome *outcome)
{
	int status = outcome->status;

	return status == 0 || (outcome->asked && WIFSIGNALED(status) &&
	                       WTERMSIG(status) == SIGTERM);
}

bool cli_went_well(const struct cli_outcome *outcome)
{
	return !outcome->refused && !outcome->hung && outcome->driver <= 0 &&
	       cli_ended_well(outcome);
}

void cli_end_as(int wait_status)
{
	const struct rlimit none = { 0, 0 }; /* the program left its own */
	int signal_number = WTERMSIG(wait_status);
	sigset_t set;

	if (WIFEXITED(wait_status))
		cli_end(WEXITSTATUS(wait_status));
	cli_ending();
	setrlimit(RLIMIT_CORE, &none);
	sigemptyset(&set);
	sigaddset(&set, signal_number);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	cli_end(128 + signal_number); /* pid 1 lives on */
}

uint64_t cli_duration(const char *verb, const char *option, const char *text,
                      uint64_t otherwise)
{
	uint64_t ns = otherwise;

	if (text && (!cli_read_time(text, &ns) || !ns))
		cli_misused(verb, option, "takes a time: 500ms, 2s");
	return ns;
}

int cli_runs(const char *verb, const char *text, int otherwise)
{
	char *end;
	long runs;

	if (!text)
		return otherwise;
	runs = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : 0;
	if (runs < 1 || runs > MOST_RUNS || *end)
		cli_misused(verb, "--runs", "takes a number from 1 to 1000");
	return (int)runs;
}
