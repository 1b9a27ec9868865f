/*
 * cli - the command line.  The only room that prints errors and ends the
 * process.
 *
 *   main.c     which verb
 *   options.c  the options of each verb, their help and their parsing
 *   pages.c    a program of the build: man pages and completions
 *   run.c      goload PROGRAM, goload record
 *   follow.c   --follow: being started for a child of a program
 *   program.c  the program's file: PATH, scripts, what execve checks
 *   report.c   goload report
 *   opened.c   a run file with its names and its ledger
 *   compare.c  goload compare
 *   why.c      their option --why
 *   check.c    goload check
 *   floor.c    goload floor
 *   bisect.h   the smallest value that passes
 *   cgroup.h   a control group of one's own
 *   trial.c    a program run by a verb that goes on afterwards
 *   time.c     times as users type them
 *   inject.c   goload inject, explore.c its --explore
 *   rules.c    the rules of --fail and --delay; decide.c acts on them
 *   metrics.c  --metrics-file
 *   export.c   goload export
 *   inspect.c  goload inspect
 *   map.c      goload map
 *   names.c    names for a run's addresses, from its modules' files
 *   environment.c  GOLOAD_OPTIONS, and what the program gets
 *   output.c   where a verb prints to: file, terminal, pager
 *   progress.c what takes its time
 *   fail.c     one line for each error, and the exit status
 */
#ifndef OBSERVER_CLI_CLI_H
#define OBSERVER_CLI_CLI_H

#include "observer/ledger/ledger.h"
#include "observer/report/report.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Exit status of goload's own failures, as env(1) has them. */
enum cli_exit {
	CLI_OK = 0,
	CLI_OVER = 3,          /* goload check: over budget, else all is well */
	CLI_FAILED = 125,      /* goload itself, or misused */
	CLI_CANNOT_LOAD = 126, /* found, but cannot be executed */
	CLI_NOT_FOUND = 127,
};

/* fail.c: "goload: object: what[: errno text]", in one write; control bytes in
 * it become question marks. */
void cli_complain(const char *object, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void cli_fail(int status, const char *object, int error, const char *format,
              ...) __attribute__((format(printf, 4, 5), noreturn));
/* From now on they are of what `source` holds, or NULL. */
void cli_complain_of(const char *source);
/* From now on they go there: --log-file. */
void cli_say_to(int fd);
/* What ends the process calls this first; it may not return. */
void cli_before_end(void (*act)(void));
void cli_ending(void);
void cli_end(int status) __attribute__((noreturn));
/* The same with "Try 'goload help VERB'." behind; status 125. */
void cli_misused(const char *verb, const char *object, const char *what)
	__attribute__((noreturn));
/* The question marks. */
void cli_make_plain(char *text);

/* options.c; an enum's words are in the order of the option's. */
enum cli_color {
	CLI_COLOR_AUTO,
	CLI_COLOR_ALWAYS,
	CLI_COLOR_NEVER,
};

enum cli_patch {
	CLI_PATCH_ALL,
	CLI_PATCH_NONE,
};

enum cli_net {
	CLI_NET_ON,
	CLI_NET_OFF,
};

/* Whether programs shall name their mappings (PR_SET_VMA_ANON_NAME). */
enum cli_naming {
	CLI_NAMES_AUTO, /* if they want to: told that the kernel can */
	CLI_NAMES_ALL,  /* Go 1.25 and later is asked to */
	CLI_NAMES_OFF,  /* told what the kernel says */
};

/* The values of an option that may be given more than once. */
struct cli_list {
	const char *word[64];
	int count;
};

struct cli_options {
	const char *output; /* -o */
	bool quiet;         /* -q */
	const char *log;    /* --log-file */
	const char *metrics_file; /* --metrics-file */
	int format;         /* --format: enum report_format; export: its word */
	int metric;         /* --metric: enum export_metric */
	bool redact;        /* --redact */
	bool bytes;         /* --bytes */
	bool faithful;      /* --faithful */
	bool follow;        /* --follow */
	int color;          /* --color: enum cli_color */
	bool no_pager;      /* --no-pager */
	const char *why;    /* --why */
	int patch;          /* --patch: enum cli_patch */
	int net;            /* --net: enum cli_net */
	int names;          /* --names: enum cli_naming */
	const char *at;     /* --at */
	const char *addr;   /* --addr */
	const char *pid;    /* --pid */
	const char *maps;   /* --maps */
	const char *budget; /* --budget */
	bool update;        /* --update */
	const char *slack;  /* --slack */
	const char *max_vm, *max_reserved, *max_committed, *max_rss;
	const char *max_mappings;
	struct cli_list max; /* --max */
	bool no_new_kinds;   /* --no-new-kinds */
	int annotate;        /* --annotate */
	const char *junit;   /* --junit */
	const char *step;   /* --step */
	const char *runs;   /* --runs */
	const char *keep;   /* --keep */
	struct cli_list what_if; /* --what-if */
	const char *drive;  /* --drive */
	const char *run_for; /* --for */
	struct cli_list fail; /* --fail */
	struct cli_list delay; /* --delay */
	bool explore; /* --explore */
	const char *patience; /* --patience */
	bool help, version;
	char **operand; /* what is behind the options */
	int operands;
	int behind; /* of them, the last ones: what is behind -- */
};

enum cli_verb {
	CLI_RUN,
	CLI_RECORD,
	CLI_REPORT,
	CLI_COMPARE,
	CLI_CHECK,
	CLI_FLOOR,
	CLI_INJECT,
	CLI_INSPECT,
	CLI_MAP,
	CLI_EXPORT,
	CLI_HELP,
	CLI_VERBS
};

const char *cli_verb_name(enum cli_verb verb);
/* Is what stands behind its options a program and its arguments? */
bool cli_takes_program(enum cli_verb verb);
/* The verb that `word` names, or CLI_VERBS. */
enum cli_verb cli_verb_of(const char *word);
/* Adds to what *options says; argv[0] is the verb (or goload).  Options that
 * only other verbs have are passed over when they are `shared`.  Ends the
 * process when misused. */
void cli_parse(enum cli_verb verb, bool shared, int argc, char **argv,
               struct cli_options *options);
void cli_help(enum cli_verb verb);

/* environment.c */
/* The options in GOLOAD_OPTIONS, to be called before cli_parse(). */
void cli_parse_environment(enum cli_verb verb, struct cli_options *options);
/* The environment without what is meant for goload. */
char **cli_program_environment(void);

/* follow.c: what goload is told when it is started instead of a program by the
 * family of one that it runs (trace/session.h). */
struct cli_followed {
	const char *path; /* what execve was given */
	pid_t parent;
	const char *parent_run, *goload;
	char **words; /* verb and options */
	int count;
};
/* Was it? */
bool cli_followed(struct cli_followed *followed);
/* From now on whatever ends goload runs the program without it. */
void cli_step_aside(const struct cli_followed *followed, char **argv);
/* What such a goload is told of this one: strings, `size` bytes of them, with
 * goload's own path at `goload_at`. */
char *cli_follow_words(enum cli_verb verb, const struct cli_options *options,
                       const char *run, const struct cli_followed *followed,
                       size_t *size, size_t *goload_at);

/* program.c: the file to execute for argv, or the end of this process; `path`
 * is what execve gets, NULL: argv[0], looked up as a shell does. */
struct cli_program {
	const char *path; /* what execve is given: of a script its own */
	const char *exe;  /* the file: of a script the interpreter's */
	char **argv;      /* of a script with its interpreter before it */
	int fd;
};
struct cli_program cli_open(const char *path, char **argv);

/* the verbs */
/* `followed` is NULL when a user started it. */
int cli_run(enum cli_verb verb, const struct cli_options *options,
            const struct cli_followed *followed);
int cli_report(const struct cli_options *options);
int cli_compare(const struct cli_options *options);
int cli_check(const struct cli_options *options);
int cli_floor(const struct cli_options *options);
int cli_inject(const struct cli_options *options);
int cli_explore(const struct cli_options *options); /* its --explore */
int cli_inspect(const struct cli_options *options);
int cli_map_verb(const struct cli_options *options);
int cli_export(const struct cli_options *options);

/* names.c */
struct cli_names;
struct cli_names *cli_names_open(const struct ledger_run *run);
void cli_names_close(struct cli_names *names);
ledger_namer cli_name;

/* opened.c: what a verb needs of a run file */
struct cli_opened {
	void *bytes; /* what the run points into, where it is unmapped with it */
	size_t size;
	struct ledger_run *run;
	struct cli_names *names;
	struct ledger *ledger;
};
/* A file in memory: NULL with errno set when it cannot be had; errno is 0 when
 * it is empty, or no regular file. */
const void *cli_map(const char *path, size_t *size);
/* Of the file's bytes, which the run points into; false after a complaint. */
bool cli_read_run(const char *object, const void *bytes, size_t size,
                  struct cli_opened *opened);
/* Did its writing go on to the end?  Not when the disk was full. */
bool cli_is_whole(const struct ledger_run *run);
/* Is it a run file, by its first bytes? */
bool cli_is_run(const char *path);
/* Of the file, or the end of this process; `doing` is the word of the progress,
 * which the caller ends. */
struct cli_opened cli_open_run(const char *path, const char *doing);
void cli_close_run(const struct cli_opened *opened);

/* run.c: the directories that `path` is in, as far as they are missing; what
 * fails shows when the file is opened. */
void cli_make_parents(const char *path);

/* time.c: of CLOCK_MONOTONIC, in ns. */
uint64_t cli_now(void);
/* "12345", "12.5ms", "1.2s" into ns; false when it is none. */
bool cli_read_time(const char *text, uint64_t *ns);

/*
 * trial.c: a program that a verb runs and looks at afterwards, under goload or
 * as it is.  Signals that others send to goload meanwhile go to the program;
 * where its output is captured they end goload when it has ended.
 */
struct cli_limit {
	int resource; /* RLIMIT_AS ... */
	uint64_t bytes;
};

struct cli_trial {
	char **argv;     /* as a user types it, ends with NULL */
	bool native;     /* without goload: there is no run */
	const char *run; /* where the run file stays; NULL: a temporary one */
	const char *const *options; /* more of goload record's; ends with NULL,
	                               or NULL */
	const char *const *set; /* VAR=VALUE for its environment, likewise */
	const struct cli_limit *limit;
	int limits;
	const char *cgroup; /* the directory of one to run in, or NULL */
	bool own_output; /* standard input, output and error are the program's;
	                    else /dev/null and captured */
	const char *drive;  /* a shell command beside it, with GOLOAD_PID: when
	                       it ends the program gets SIGTERM; or NULL */
	uint64_t run_for;   /* ns after which it does; 0: it ends by itself */
	uint64_t patience;  /* ns after which it hangs and is killed; 0: never */
};

struct cli_outcome {
	int status;   /* wait status of the program */
	bool refused; /* goload, or execve, did not start it */
	bool hung;    /* it was killed when patience was over */
	bool asked;   /* it got SIGTERM: its driver had ended, or its time */
	int driver;   /* wait status of the driver; -1: there was none */
	char *run;    /* path of the run file, or NULL */
	int output;   /* its captured output, or -1: of more than a MiB the first
	               * and the last half */
	int run_fd;   /* of a temporary run file, which has no name any more */
};

/* False after a complaint: then there is nothing to forget. */
bool cli_try(const struct cli_trial *trial, struct cli_outcome *outcome);
void cli_forget(struct cli_outcome *outcome);
/* The last lines of what was captured, on standard error. */
void cli_show_output(const struct cli_outcome *outcome);
/* It exited with 0, or was ended by the SIGTERM that it was sent ... */
bool cli_ended_well(const struct cli_outcome *outcome);
/* ... and its driver exited with 0. */
bool cli_went_well(const struct cli_outcome *outcome);
/* Reads its run.  0 after a complaint; -1, with errno as of cli_map(): there is
 * none. */
int cli_read_outcome(const char *object, const struct cli_outcome *outcome,
                     struct cli_opened *opened);
/* The path as goload's -o and --log-file take it, to be freed. */
char *cli_escape(const char *path);
/* The time that is the value of an option, in ns and more than 0; `otherwise`
 * where it was not given. */
uint64_t cli_duration(const char *verb, const char *option, const char *text,
                      uint64_t otherwise);
/* The value of --runs, a number from 1 to 1000; likewise. */
int cli_runs(const char *verb, const char *text, int otherwise);
/* Ends this process as that one ended. */
void cli_end_as(int wait_status) __attribute__((noreturn));

/* report.c: a whole report, or the stacks behind the rows that options->why
 * names; false after a complaint. */
bool cli_print(FILE *out, const char *object, const struct cli_opened *opened,
               const struct cli_options *options);

/* metrics.c: the file appears whole, in the place of one of that name, or not
 * at all: then there is a complaint. */
void cli_write_metrics(const char *path, const struct ledger *ledger);
/* The size of its name without ".prom". */
size_t cli_metrics_stem(const char *path);

/* why.c: does the word name a row?  false after a complaint. */
bool cli_has_row(const char *object, const struct ledger *ledger,
                 const char *word);
/* The stacks behind the rows that it names. */
bool cli_print_why(FILE *out, const struct cli_opened *opened, const char *word,
                   const struct report_style *style);

/* output.c */
/* Can it do more than print lines? */
bool cli_is_terminal(int fd);
/* What suits what `out` is, and what was asked for. */
struct report_style cli_style(FILE *out, const struct cli_options *options);
/* From now on a pager has what goes to standard output, if that is a terminal
 * and text goes there; to be called when nothing is left to complain of. */
void cli_page(const struct cli_options *options);
/* What --output names (or standard output), empty, and its end; they end the
 * process when it cannot be written.  To be opened when all is read: a file is
 * left as it was when a verb fails before, and when it is one of those that are
 * read: operands, --maps, and what names of the `count` runs come from. */
FILE *cli_open_output(const struct cli_options *options,
                      const struct cli_opened *opened, int count);
/* Ends the process when it is plain before that it cannot be opened: for verbs
 * that run programs first. */
void cli_expect_output(const struct cli_options *options);
/* Ends the process where a page would go to a terminal. */
void cli_expect_page_file(const char *verb, const struct cli_options *options);
/* What `write` writes takes the place of `path` when it is whole; an errno, or 0.
 * Until then it is in the same directory, and its name does not end like that
 * of `path`. */
int cli_replace(const char *path, mode_t mode,
                bool (*write)(FILE *out, const void *context),
                const void *context);
/* "it" of "/tmp/it"; "/tmp/." of it, to be freed, or NULL. */
const char *cli_base_name(const char *path);
char *cli_folder_of(const char *path);
void cli_close_output(FILE *out, const char *path);

/* progress.c: "goload: OBJECT: WHAT, 4 s" from half a second on, where standard
 * error is a terminal; complaints and cli_progress_end() take it away. */
void cli_progress(const char *object, const char *what);
void cli_progress_end(void);

#endif
