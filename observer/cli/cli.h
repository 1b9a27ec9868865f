/*
 * cli - the command line.  The only room that prints errors and ends the
 * process.
 *
 *   main.c     which verb
 *   options.c  the options of each verb, their help and their parsing
 *   run.c      goload PROGRAM, goload record
 *   report.c   goload report
 *   compare.c  goload compare
 *   why.c      their option --why
 *   inspect.c  goload inspect
 *   names.c    names for a run's addresses, from its modules' files
 *   fail.c     one line for each error, and the exit status
 */
#ifndef OBSERVER_CLI_CLI_H
#define OBSERVER_CLI_CLI_H

#include "observer/ledger/ledger.h"
#include "observer/report/report.h"

#include <stdbool.h>
#include <stdint.h>

/* Exit status of goload's own failures, as env(1) has them. */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 125,      /* goload itself, or misused */
	CLI_CANNOT_LOAD = 126, /* found, but cannot be executed */
	CLI_NOT_FOUND = 127,
};

/* fail.c: "goload: object: what[: errno text]", in one write. */
void cli_complain(const char *object, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void cli_fail(int status, const char *object, int error, const char *format,
              ...) __attribute__((format(printf, 4, 5), noreturn));
/* The same with "Try 'goload help VERB'." behind; status 125. */
void cli_misused(const char *verb, const char *object, const char *what)
	__attribute__((noreturn));

/* options.c */
/* Whether programs shall name their mappings (PR_SET_VMA_ANON_NAME). */
enum cli_naming {
	CLI_NAMES_AUTO, /* if they want to: told that the kernel can */
	CLI_NAMES_ALL,  /* Go 1.25 and later is asked to */
	CLI_NAMES_OFF,  /* told what the kernel says */
};

struct cli_options {
	const char *output;        /* -o */
	bool quiet;                /* -q */
	enum report_format format; /* --format */
	const char *why;           /* --why */
	uint32_t session;          /* --patch, --net: enum session_option */
	enum cli_naming names;     /* --names */
	char **operand;            /* what is behind the options */
	int operands;
};

enum cli_verb {
	CLI_RUN,
	CLI_RECORD,
	CLI_REPORT,
	CLI_COMPARE,
	CLI_INSPECT,
	CLI_HELP,
	CLI_VERBS
};

const char *cli_verb_name(enum cli_verb verb);
/* The verb that `word` names, or CLI_VERBS. */
enum cli_verb cli_verb_of(const char *word);
/* argv[0] is the verb (or goload); ends the process when misused. */
void cli_parse(enum cli_verb verb, int argc, char **argv,
               struct cli_options *options);
void cli_help(enum cli_verb verb);

/* the verbs */
int cli_run(const struct cli_options *options, bool summary);
int cli_report(const struct cli_options *options);
int cli_compare(const struct cli_options *options);
int cli_inspect(const struct cli_options *options);

/* names.c */
struct cli_names;
struct cli_names *cli_names_open(const struct ledger_run *run);
void cli_names_close(struct cli_names *names);
ledger_namer cli_name;

/* report.c: a whole report of run file bytes, or the stacks behind the rows
 * that `why` names; false when they are none, or it names none. */
bool cli_print(FILE *out, const char *object, const void *bytes, size_t size,
               enum report_format format, const char *why);

/* why.c */
bool cli_print_why(FILE *out, const char *object, const struct ledger *ledger,
                   const char *word, struct cli_names *names);

/* What suits what `out` is; a file to write to (NULL or "-": standard output);
 * its end.  The last two end the process when it cannot be written. */
struct report_style cli_style(FILE *out);
FILE *cli_open_output(const char *path);
void cli_close_output(FILE *out, const char *path);

/* A file in memory: NULL with errno set when it cannot be had; errno is 0 when
 * it is empty, or no regular file. */
const void *cli_map(const char *path, size_t *size);

#endif
