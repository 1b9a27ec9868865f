/*
 * run - goload PROGRAM and goload record.
 *
 * This process becomes the program, so all that is said before is said now:
 * that the file cannot be executed, or the run file not be written.
 */
#include "observer/cli/decide.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_ROOM 8192
#define UNKNOWN   ((size_t)-1)

/* What the callbacks need to know, in the observer. */
struct story {
	const char *path; /* the program */
	char *output;     /* the run file, or NULL */
	char *metrics;    /* --metrics-file, or NULL */
	const struct cli_options *options;
	bool summary;
	bool is_child; /* whose standard error is somebody's */
	int log_fd;    /* where goload speaks */
	struct cli_decider *decider; /* NULL: calls go as ever */
};

/* %p pid, %e program, %h host, %t seconds since 1970, %% a percent sign;
 * UNKNOWN for any other. */
static size_t expand(char *to, size_t room, char what, const char *program)
{
	char host[256] = "";

	switch (what) {
	case 'p':
		return (size_t)snprintf(to, room, "%d", (int)getpid());
	case 'e':
		return (size_t)snprintf(to, room, "%s", cli_base_name(program));
	case 'h':
		gethostname(host, sizeof(host) - 1);
		return (size_t)snprintf(to, room, "%s", host);
	case 't':
		return (size_t)snprintf(to, room, "%lld",
		                        (long long)time(NULL));
	case '%':
		return (size_t)snprintf(to, room, "%%");
	default:
		return UNKNOWN;
	}
}

static char *expand_name(const char *option, const char *pattern,
                         const char *program)
{
	char *name = malloc(NAME_ROOM);
	size_t at = 0;

	if (!name)
		cli_fail(CLI_FAILED, pattern, ENOMEM, "cannot be written");
	for (const char *p = pattern; *p && at < NAME_ROOM; p++) {
		size_t size;

		if (*p != '%') {
			name[at++] = *p;
			continue;
		}
		size = expand(name + at, NAME_ROOM - at, *++p, program);
		if (size == UNKNOWN)
			cli_misused("record", option,
			            "knows %p %e %h %t and %% only");
		at += size;
	}
	if (at >= NAME_ROOM)
		cli_fail(CLI_FAILED, pattern, ENAMETOOLONG,
		         "cannot be written");
	name[at] = 0;
	return name;
}

void cli_make_parents(const char *path)
{
	char *part = strdup(path);

	for (char *p = part; p && (p = strchr(p + 1, '/'));) {
		*p = 0;
		mkdir(part, 0777);
		*p = '/';
	}
	free(part);
}

static int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0 && errno == ENOENT && *path) {
		cli_make_parents(path);
		fd = open(path, flags | O_CREAT | O_CLOEXEC, 0666);
	}
	return fd;
}

static int open_new(const char *path, int flags)
{
	int fd = try_open(path, flags);

	if (fd < 0 && errno == EEXIST)
		cli_fail(CLI_FAILED, path, 0,
		         "exists already: remove it, or choose another name");
	if (fd < 0)
		cli_fail(CLI_FAILED, path, errno, "cannot be written");
	return fd;
}

/* Has the pattern %what? */
static bool tells(const char *pattern, char what)
{
	while ((pattern = strchr(pattern, '%'))) {
		if (pattern[1] == what)
			return true;
		pattern += pattern[1] ? 2 : 1;
	}
	return false;
}

/* The run file of a child, or of what a process became: nobody could choose
 * another name. */
static int open_followed(char **path, const char *pattern, const char *program)
{
	char *name, *at;
	int fd;

	if (asprintf(&name, "%s%s", pattern, tells(pattern, 'p') ? "" : ".%p") <
	    0)
		cli_fail(CLI_FAILED, pattern, ENOMEM, "cannot be written");
	*path = expand_name("-o", name, program);
	free(name);
	at = *path + strlen(*path);
	fd = try_open(*path, O_RDWR | O_EXCL);
	for (int n = 2; fd < 0 && errno == EEXIST; n++) {
		snprintf(at, (size_t)(*path + NAME_ROOM - at), ".%d", n);
		fd = try_open(*path, O_RDWR | O_EXCL);
	}
	if (fd < 0)
		cli_fail(CLI_FAILED, *path, errno, "cannot be written");
	return fd;
}

/* A child's file must not take its parent's place, and runs of one program
 * take turns. */
static char *metrics_name(const char *pattern, const char *program,
                          bool is_child)
{
	int stem = (int)cli_metrics_stem(pattern);
	char *own, *name;

	if (!is_child || tells(pattern, 'e') || tells(pattern, 'p'))
		return expand_name("--metrics-file", pattern, program);
	if (asprintf(&own, "%.*s.%%e%s", stem, pattern, pattern + stem) < 0)
		cli_fail(CLI_FAILED, pattern, ENOMEM, "cannot be written");
	name = expand_name("--metrics-file", own, program);
	free(own);
	return name;
}

static void say_net(const struct story *story, const void *bytes, size_t size)
{
	const struct file_program *program;
	struct file_reader reader;
	struct file_block block;
	const uint8_t *payload;

	if (file_open(&reader, bytes, size) != FILE_OK)
		return;
	while (file_next(&reader, &block, &payload)) {
		program = (const void *)payload;
		if (block.type != FILE_PROGRAM || program->net_on ||
		    (program->options & SESSION_NO_NET))
			continue;
		cli_complain(story->path, 0,
		             "ran without the net: this kernel has no Syscall "
		             "User Dispatch");
	}
}

/* The file as a shell would take it. */
static void say_next(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-+=:,.@%/";
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	if (path[strspn(path, plain)] || *path == '-') {
		fputs(*path == '-' ? "./'" : "'", out);
		for (; *path; path++)
			fputs(*path == '\'' ? "'\\''" : (char[]){ *path, 0 },
			      out);
		putc('\'', out);
	} else {
		fputs(path, out);
	}
	if (fclose(out) == 0)
		cli_complain(NULL, 0, "next: goload report %s", text);
	free(text);
}

/* In one write, for with --follow others may print at the same time. */
static void print_summary(const struct story *story,
                          const struct cli_opened *opened)
{
	static char room[1 << 16];
	FILE *out = story->log_fd == STDERR_FILENO ? stderr
	                                           : fdopen(story->log_fd, "a");

	if (!out)
		return;
	setvbuf(out, room, _IOFBF, sizeof(room));
	cli_print(out, story->path, opened, story->options);
}

static void use_ledger(const struct story *story, bool print, const void *run,
                       size_t size)
{
	struct cli_opened opened;

	if (!cli_read_run(story->path, run, size, &opened))
		return;
	if (story->metrics)
		cli_write_metrics(story->metrics, opened.ledger);
	if (print)
		print_summary(story, &opened);
	cli_close_run(&opened);
}

/* In the observer, when the run is over. */
static void finish(void *context, const void *run, size_t size, int error)
{
	const struct story *story = context;
	bool print = story->summary && !story->options->quiet;

	if (error)
		cli_complain(story->output, error,
		             "is not whole: writing stopped");
	if (cli_decider_blind(story->decider))
		cli_complain(story->path, 0,
		             "cannot tell where calls come from: rules with "
		             "from, kind and at hit nothing");
	if (!size)
		return;
	say_net(story, run, size);
	if (print || story->metrics)
		use_ledger(story, print, run, size);
	if (!story->summary && !story->options->quiet && !story->is_child)
		say_next(story->output);
}

/* In the observer, before each memory call. */
static struct ring_answer decide(void *context, const struct record_call *call)
{
	const struct story *story = context;

	return cli_decide(story->decider, call);
}

/* One line, unless the signal is to say it: the kernel says nothing either. */
static void say_failure(const struct story *story,
                        const struct record_failure *failure)
{
	if (story->output)
		unlink(story->output);
	if (failure->killed && story->options->faithful)
		return;
	cli_complain(story->path, failure->error, "%s%s",
	             failure->killed ? "the kernel would kill it: " : "",
	             failure->message);
}

static void failed(void *context, const struct record_failure *failure)
{
	say_failure(context, failure);
}

static void gone(void *context)
{
	const struct story *story = context;

	if (story->output)
		unlink(story->output);
}

/* A fault, so that neither an ignored nor a blocked signal, nor being pid 1,
 * keeps it from killing. */
static void die_as_killed(void)
{
	signal(SIGSEGV, SIG_DFL);
	__asm__ volatile("hlt");
}

/* Go names its mappings by default only where go.mod says 1.25 or later. */
static void ask_for_names(void)
{
	static const char asked[] = "decoratemappings=1";
	const char *old = getenv("GODEBUG");
	char *text = NULL;

	if (old && strstr(old, asked))
		return;
	if (asprintf(&text, "%s%s%s", old ? old : "", old ? "," : "", asked) <
	    0)
		cli_fail(CLI_FAILED, NULL, ENOMEM, "cannot ask for names");
	setenv("GODEBUG", text, 1);
	free(text);
}

/* Where goload speaks, from now on. */
static int open_log(const struct cli_options *options, const char *path)
{
	char *name;
	int fd;

	if (!options->log)
		return STDERR_FILENO;
	name = expand_name("--log-file", options->log, path);
	fd = open_new(name, O_WRONLY | O_APPEND);
	free(name);
	cli_say_to(fd);
	return fd;
}

static bool is_same(const struct stat *file, int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == file->st_dev &&
	       st.st_ino == file->st_ino;
}

/* What the run reads or writes is not to give its name to the gauges. */
static void spare_used(const struct story *story,
                       const struct record_options *record)
{
	const int used[] = { record->program_fd, record->output_fd,
		             record->log_fd, STDOUT_FILENO };
	struct stat file;

	if (!story->metrics || lstat(story->metrics, &file) < 0 ||
	    !S_ISREG(file.st_mode))
		return;
	for (size_t i = 0; i < sizeof(used) / sizeof(*used); i++) {
		if (!is_same(&file, used[i]))
			continue;
		if (story->output)
			unlink(story->output);
		cli_fail(CLI_FAILED, story->metrics, 0,
		         "is a file that is used");
	}
}

static uint32_t session_options(const struct cli_options *options)
{
	uint32_t session = 0;

	if (options->patch == CLI_PATCH_NONE)
		session |= SESSION_NO_PATCH;
	if (options->net == CLI_NET_OFF)
		session |= SESSION_NO_NET;
	if (options->names == CLI_NAMES_OFF)
		session |= SESSION_NO_NAMES;
	if (options->faithful)
		session |= SESSION_FAITHFUL;
	if (options->fail.count || options->delay.count)
		session |= SESSION_ASK;
	if (getpid() == 1)
		session |= SESSION_NO_FATAL;
	return session;
}

/* The program's own environment: as it is where the program is not the first.
 */
static char **environment_for(const struct cli_followed *followed)
{
	return followed ? environ : cli_program_environment();
}

int cli_run(enum cli_verb verb, const struct cli_options *options,
            const struct cli_followed *followed)
{
	bool summary = verb == CLI_RUN;
	struct story story = { .options = options,
		               .summary = summary,
		               .is_child = followed != NULL };
	struct record_options record = {
		.output_fd = -1,
		.options = session_options(options),
		.finish = finish,
		.failed = failed,
		.gone = gone,
		.context = &story,
	};
	struct record_failure failure;
	struct cli_program program;

	if (!summary && !options->output)
		cli_misused("record", NULL, "no -o FILE given");
	story.log_fd = record.log_fd = open_log(options, options->operand[0]);
	program = cli_open(followed ? followed->path : NULL, options->operand);
	story.path = record.path = program.path;
	record.exe = program.exe;
	record.program_fd = program.fd;
	record.argv = program.argv;
	story.decider = cli_decider_of(cli_verb_name(verb), options);
	if (story.decider)
		record.decide = decide;
	if (options->metrics_file)
		story.metrics = metrics_name(options->metrics_file, record.path,
		                             followed != NULL);
	if (options->output && followed) {
		record.output_fd = open_followed(&story.output, options->output,
		                                 record.path);
	} else if (options->output) {
		story.output = expand_name("-o", options->output, record.path);
		record.output_fd = open_new(story.output, O_RDWR | O_EXCL);
	}
	spare_used(&story, &record);
	if (followed) {
		record.silent = !summary && !options->log;
		record.parent = followed->parent;
		record.parent_run = followed->parent_run;
	}
	if (options->follow) {
		record.words =
			cli_follow_words(verb, options, story.output, followed,
		                         &record.words_size, &record.goload_at);
	}
	if (options->names == CLI_NAMES_ALL)
		ask_for_names();
	record.envp = environment_for(followed);
	record_start(&record, &failure);
	say_failure(&story, &failure);
	if (failure.killed && options->faithful && !followed)
		die_as_killed();
	cli_end(failure.code);
}
