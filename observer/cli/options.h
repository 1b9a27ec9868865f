/*
 * options - one table of verbs and one of options.  Parsing and help
 * (options.c) come from them, and so do completions and man pages (pages.c).
 *
 * A new option is a row, and a member of struct cli_options to put it into.  A
 * new verb is a row, its name in enum cli_verb, a line in main.c and a page
 * docs/man/goload-VERB.1.in.
 */
#ifndef OBSERVER_CLI_OPTIONS_H
#define OBSERVER_CLI_OPTIONS_H

#include "observer/cli/cli.h"

/* What stands behind a verb's options. */
enum cli_operand {
	CLI_OPERAND_PROGRAM, /* and its arguments: goload's options end there */
	CLI_OPERAND_FILE,    /* or several */
	CLI_OPERAND_VERB,
};

struct cli_verb_row {
	const char *name;
	enum cli_operand operand;
	const char *usage, *what;
};

/* Where an option has several rows, each verb is in one of them at most. */
struct cli_option_row {
	const char *brief; /* "-o", or NULL */
	const char *full;  /* "--output" */
	/* NULL: a switch.  "text|json": one of these words.  "FILE": text, the
	 * name of a file when it is FILE.  "WORD...": may be given more than
	 * once: a struct cli_list. */
	const char *value;
	size_t into;      /* struct cli_options: a bool; an int, 0 for the first
	                   * of the words; a string; a list */
	unsigned verbs;   /* bit per enum cli_verb */
	const char *help; /* half a sentence */
	const char *more; /* sentences for the man page, or NULL */
};

extern const struct cli_verb_row cli_verbs[CLI_VERBS];
extern const struct cli_option_row cli_options[];
extern const int cli_option_count;

bool cli_is_list(const struct cli_option_row *option);

#endif
