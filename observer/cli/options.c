/*
 * options - one table of verbs and options; help and parsing both come from it.
 *
 * Where a program is run, options stop at its name: what is behind it is the
 * program's own.  Elsewhere they may stand anywhere.
 */
#include "observer/cli/cli.h"

#include "trace/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option {
	OPTION_OUTPUT,
	OPTION_QUIET,
	OPTION_FORMAT,
	OPTION_WHY,
	OPTION_PATCH,
	OPTION_NET,
	OPTION_NAMES,
	OPTION_HELP,
	OPTIONS
};

struct described {
	const char *brief; /* "-o", or NULL */
	const char *full;  /* "--output", or NULL */
	const char *value; /* what it takes, or NULL */
	const char *help;
	unsigned verbs; /* bit per enum cli_verb */
};

#define IN(verb) (1u << (verb))
#define RUNNING  (IN(CLI_RUN) | IN(CLI_RECORD))

static const struct described options[OPTIONS] = {
	[OPTION_OUTPUT] = { "-o", "--output", "FILE",
	                    "keep the run in FILE (%p pid, %e program, %h host,"
	                    " %t time); for report, compare: write there",
	                    RUNNING | IN(CLI_REPORT) | IN(CLI_COMPARE) },
	[OPTION_QUIET] = { "-q", "--quiet", NULL,
	                   "say nothing when all is well", RUNNING },
	[OPTION_FORMAT] = { NULL, "--format", "text|json", "how to print",
	                    IN(CLI_REPORT) | IN(CLI_COMPARE) |
	                            IN(CLI_INSPECT) },
	[OPTION_WHY] = { NULL, "--why", "ROW",
	                 "print the stacks behind a row (\"heap\"; its first "
	                 "letters do) instead",
	                 IN(CLI_RUN) | IN(CLI_REPORT) },
	[OPTION_PATCH] = { NULL, "--patch", "all|none",
	                   "patch syscall sites (all), or leave every call to "
	                   "the net (slow, for tests)",
	                   RUNNING },
	[OPTION_NET] = { NULL, "--net", "on|off",
	                 "catch the calls of sites that are not patched",
	                 RUNNING },
	[OPTION_NAMES] = { NULL, "--names", "auto|all|off",
	                   "let programs name their mappings where the kernel "
	                   "does not (auto); ask each Go program to (all)",
	                   RUNNING },
	[OPTION_HELP] = { "-h", "--help", NULL, "this text", ~0u },
};

static const struct {
	const char *name, *usage, *what;
} verbs[CLI_VERBS] = {
	[CLI_RUN] = { "", "goload [OPTION]... PROGRAM [ARGUMENT]...",
	              "run PROGRAM as execve would, watch every memory "
	              "reservation,\nprint the closed ledger at the end" },
	[CLI_RECORD] = { "record",
	                 "goload record [OPTION]... -o FILE PROGRAM "
	                 "[ARGUMENT]...",
	                 "the same, but keep the run in FILE instead" },
	[CLI_REPORT] = { "report", "goload report [OPTION]... FILE",
	                 "the ledger of a recorded run: every byte of VmSize "
	                 "has a cause" },
	[CLI_COMPARE] = { "compare", "goload compare [OPTION]... A B",
	                  "the ledgers of two recorded runs side by side: what "
	                  "the difference\nof their VmSize is made of" },
	[CLI_INSPECT] = { "inspect", "goload inspect [OPTION]... ELF",
	                  "what a program is, and how each of its syscall sites "
	                  "is served" },
	[CLI_HELP] = { "help", "goload help [VERB]", "how to use a verb" },
};

const char *cli_verb_name(enum cli_verb verb)
{
	return verbs[verb].name;
}

enum cli_verb cli_verb_of(const char *word)
{
	enum cli_verb verb = CLI_RECORD;

	while (verb < CLI_VERBS && strcmp(verbs[verb].name, word) != 0)
		verb++;
	return verb;
}

static void help_option(const struct described *option)
{
	char left[64];

	snprintf(left, sizeof(left), "  %s%s%s%s%s",
	         option->brief ? option->brief : "    ",
	         option->brief ? ", " : "", option->full,
	         option->value ? "=" : "", option->value ? option->value : "");
	printf("%-26s %s\n", left, option->help);
}

void cli_help(enum cli_verb verb)
{
	printf("Usage: %s\n\n%s.\n\n", verbs[verb].usage, verbs[verb].what);
	for (int i = 0; i < OPTIONS; i++)
		if (options[i].verbs & IN(verb))
			help_option(&options[i]);
	if (verb != CLI_RUN)
		return;
	printf("\nOther verbs:\n");
	for (int i = CLI_RECORD; i < CLI_VERBS; i++)
		printf("  %s\n", verbs[i].usage);
	printf("\nThe exit status is the program's own; 125 goload failed, 126 "
	       "the program\ncannot be loaded, 127 it was not found.\n");
}

/* Does `word` name the option?  *value is what is glued to it, or NULL. */
static bool names(const struct described *option, const char *word,
                  const char **value)
{
	size_t size = strlen(option->full);

	*value = NULL;
	if (option->brief && strncmp(word, option->brief, 2) == 0 &&
	    word[1] != '-') {
		*value = word[2] ? word + 2 : NULL;
		return option->value || !word[2];
	}
	if (strncmp(word, option->full, size) != 0)
		return false;
	*value = word[size] == '=' ? word + size + 1 : NULL;
	return !word[size] || word[size] == '=';
}

static enum option find(enum cli_verb verb, const char *word,
                        const char **value)
{
	for (enum option i = 0; i < OPTIONS; i++)
		if ((options[i].verbs & IN(verb)) &&
		    names(&options[i], word, value))
			return i;
	cli_misused(verbs[verb].name, word, "no such option");
}

/* Which of the words between bars, "text|json", the value is: 0, 1, ... */
static int choose(enum cli_verb verb, enum option option, const char *value)
{
	const char *word = options[option].value;
	size_t size = strlen(value);

	for (int i = 0; word; i++) {
		if (strncmp(word, value, size) == 0 &&
		    (word[size] == '|' || !word[size]))
			return i;
		word = strchr(word, '|');
		word += word != NULL;
	}
	cli_misused(verbs[verb].name, options[option].full,
	            "takes another value");
}

static void set(enum cli_verb verb, enum option option, const char *value,
                struct cli_options *out)
{
	switch (option) {
	case OPTION_OUTPUT:
		out->output = value;
		break;
	case OPTION_QUIET:
		out->quiet = true;
		break;
	case OPTION_FORMAT:
		out->format = choose(verb, option, value) ? REPORT_JSON
		                                          : REPORT_TEXT;
		break;
	case OPTION_WHY:
		out->why = value;
		break;
	case OPTION_PATCH:
		if (choose(verb, option, value))
			out->session |= SESSION_NO_PATCH;
		break;
	case OPTION_NET:
		if (choose(verb, option, value))
			out->session |= SESSION_NO_NET;
		break;
	case OPTION_NAMES:
		out->names = choose(verb, option, value);
		break;
	default:
		break;
	}
}

/* The option at argv[i]; returns the place behind it and its value. */
static int parse_one(enum cli_verb verb, int argc, char **argv, int i,
                     struct cli_options *out)
{
	const char *word = argv[i++], *value;
	enum option option = find(verb, word, &value);

	if (option == OPTION_HELP) {
		cli_help(verb);
		exit(CLI_OK);
	}
	if (value && !options[option].value)
		cli_misused(verbs[verb].name, word, "takes no value");
	if (!value && options[option].value) {
		if (i == argc)
			cli_misused(verbs[verb].name, word, "needs a value");
		value = argv[i++];
	}
	set(verb, option, value, out);
	return i;
}

void cli_parse(enum cli_verb verb, int argc, char **argv,
               struct cli_options *out)
{
	int i = 1, kept = 0;

	*out = (struct cli_options){ .operand = argv };
	while (i < argc) {
		if (argv[i][0] == '-' && argv[i][1]) {
			if (strcmp(argv[i], "--") == 0) {
				i++;
				break;
			}
			i = parse_one(verb, argc, argv, i, out);
		} else if (IN(verb) & RUNNING) {
			break;
		} else {
			argv[kept++] = argv[i++];
		}
	}
	if (IN(verb) & RUNNING)
		out->operand = argv + i;
	else
		while (i < argc)
			argv[kept++] = argv[i++];
	out->operands = IN(verb) & RUNNING ? argc - i : kept;
}
