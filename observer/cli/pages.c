/*
 * pages - a program of the build: puts what the tables of options.c say into
 * man pages and completions.
 *
 *   pages [VERB] <docs/man/goload-VERB.1.in >docs/goload-VERB.1
 *
 * A line that is one of the names in `parts` is replaced, all others are
 * copied.
 */
#include "observer/cli/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE 60 /* columns of a line of a man page, about */

static bool is_of(const struct cli_option_row *option, enum cli_verb verb)
{
	return option->verbs >> verb & 1;
}

static bool is_choice(const struct cli_option_row *option)
{
	return option->value && strchr(option->value, '|');
}

static bool takes(const struct cli_option_row *option, const char *what)
{
	return option->value && strcmp(option->value, what) == 0;
}

/* A verb as a word; running has none. */
static const char *word_of(enum cli_verb verb)
{
	return verb == CLI_RUN ? "run" : cli_verbs[verb].name;
}

/* ---- man ----------------------------------------------------------------- */

static void print_roff(const char *text, size_t size)
{
	for (; size--; text++)
		switch (*text) {
		case '-':
			fputs("\\-", stdout);
			break;
		case '\\':
			fputs("\\e", stdout);
			break;
		case '"':
			fputs("\\(dq", stdout);
			break;
		default:
			putchar(*text);
		}
}

/* 'I' for what somebody else puts in, 'B' for what is typed so. */
static char font_of(const struct cli_option_row *option, const char *word,
                    size_t size)
{
	if ((*word == '-' || *word == '%') && size > 1)
		return 'B';
	if (!option->value)
		return 0;
	if (!is_choice(option))
		return strlen(option->value) == size &&
		                       strncmp(option->value, word, size) == 0
		               ? 'I'
		               : 0;
	for (const char *p = option->value; p; p = strchr(p, '|')) {
		p += *p == '|';
		if (strcspn(p, "|") == size && strncmp(p, word, size) == 0)
			return 'B';
	}
	return 0;
}

static void print_marked(const char *text, size_t size, char font)
{
	if (font)
		printf("\\f%c", font);
	print_roff(text, size);
	if (font)
		fputs("\\fR", stdout);
}

/* A new line for each sentence, and where one would become too long. */
static void print_sentences(const struct cli_option_row *option,
                            const char *text, const char *end)
{
	size_t column = 0;

	while (*text) {
		size_t size = strcspn(text, " "), bare = size;

		while (bare && strchr(".,;:()", text[bare - 1]))
			bare--;
		print_marked(text, bare,
		             option ? font_of(option, text, bare) : 0);
		print_roff(text + bare, size - bare);
		column += size + 1;
		if (text[size] && (text[size - 1] == '.' || column > LINE)) {
			putchar('\n');
			column = 0;
		} else if (text[size]) {
			putchar(' ');
		}
		text += size + (text[size] == ' ');
	}
	printf("%s\n", end);
}

static void print_synopsis(enum cli_verb verb)
{
	const char *usage = cli_verbs[verb].usage;

	while (*usage) {
		size_t capitals = strspn(usage, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
		size_t typed = strspn(usage, "abcdefghijklmnopqrstuvwxyz-");
		size_t size = capitals ? capitals : typed ? typed : 1;

		print_marked(usage, size, capitals ? 'I' : typed ? 'B' : 0);
		usage += size;
	}
	putchar('\n');
}

static void print_option(const struct cli_option_row *option)
{
	printf(".TP\n");
	if (option->brief) {
		print_marked(option->brief, 2, 'B');
		fputs(", ", stdout);
	}
	print_marked(option->full, strlen(option->full), 'B');
	if (option->value) {
		putchar('=');
		print_marked(option->value, strlen(option->value),
		             is_choice(option) ? 'B' : 'I');
	}
	printf("\n%c", toupper(*option->help));
	print_sentences(option, option->help + 1, ".");
	if (is_choice(option))
		printf("The default is \\fB%.*s\\fR.\n",
		       (int)strcspn(option->value, "|"), option->value);
	if (option->more)
		print_sentences(option, option->more, "");
}

static void print_options(enum cli_verb verb)
{
	for (int i = 0; i < cli_option_count; i++)
		if (is_of(&cli_options[i], verb))
			print_option(&cli_options[i]);
}

static void print_title(enum cli_verb verb)
{
	const char *name = cli_verbs[verb].name;

	printf(".TH GOLOAD%s", *name ? "\\-" : "");
	for (; *name; name++)
		putchar(toupper(*name));
	printf(" 1 2026-11-23 \"goload " PACKAGE_VERSION
	       "\" \"User Commands\"\n");
}

static void print_format_title(enum cli_verb verb)
{
	(void)verb;
	printf(".TH GOLOAD\\-FORMAT 5 2026-11-23 \"goload " PACKAGE_VERSION
	       "\" \"File Formats\"\n");
}

static void print_all_synopses(enum cli_verb verb)
{
	(void)verb;
	for (enum cli_verb i = CLI_RUN; i < CLI_VERBS; i++) {
		print_synopsis(i);
		if (i + 1 < CLI_VERBS)
			printf(".br\n");
	}
}

static void print_verbs(enum cli_verb verb)
{
	(void)verb;
	for (enum cli_verb i = CLI_RECORD; i < CLI_VERBS; i++) {
		const char *what = cli_verbs[i].what;

		printf(".TP\n\\fB%s\\fR\n%c", cli_verbs[i].name,
		       toupper(*what));
		print_sentences(NULL, what + 1, ".");
		if (cli_verbs[i].operand != CLI_OPERAND_VERB)
			printf("See\n.BR goload\\-%s (1).\n",
			       cli_verbs[i].name);
	}
}

/* ---- bash ---------------------------------------------------------------- */

static void print_names(enum cli_verb verb, bool valued)
{
	for (int i = 0; i < cli_option_count; i++) {
		const struct cli_option_row *option = &cli_options[i];

		if (!is_of(option, verb) || (valued && !option->value))
			continue;
		if (option->brief)
			printf(" %s", option->brief);
		printf(" %s%s", option->full,
		       option->value && !valued ? "=" : "");
	}
}

static void print_words(const char *value)
{
	for (; *value; value++)
		putchar(*value == '|' ? ' ' : *value);
}

static void print_verb_words(enum cli_verb verb)
{
	(void)verb;
	for (enum cli_verb i = CLI_RECORD; i < CLI_VERBS; i++)
		printf("%s%s", i > CLI_RECORD ? " " : "", cli_verbs[i].name);
}

static void print_bash(enum cli_verb verb)
{
	printf("_goload_verbs='");
	print_verb_words(verb);
	printf("'\n");
	for (enum cli_verb i = CLI_RUN; i < CLI_VERBS; i++) {
		printf("_goload_options_%s='", word_of(i));
		print_names(i, false);
		printf(" '\n_goload_valued_%s='", word_of(i));
		print_names(i, true);
		printf(" '\n");
	}
	printf("\n# VERB OPTION: the words that it takes, or what\n"
	       "_goload_values()\n{\n\tcase \"$1 $2\" in\n");
	for (enum cli_verb i = CLI_RUN; i < CLI_VERBS; i++)
		for (int j = 0; j < cli_option_count; j++) {
			const struct cli_option_row *option = &cli_options[j];
			const char *name = word_of(i);

			if (!is_of(option, i) || !option->value)
				continue;
			printf("\t'%s %s'", name, option->full);
			if (option->brief)
				printf(" | '%s %s'", name, option->brief);
			printf(") echo '");
			print_words(option->value);
			printf("' ;;\n");
		}
	printf("\tesac\n}\n");
}

/* ---- zsh ----------------------------------------------------------------- */

/* Inside single quotes, and where some more characters mean something. */
static void print_quoted(const char *text, const char *special)
{
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			printf(strchr(special, *text) ? "\\%c" : "%c", *text);
}

static void print_zsh_option(const struct cli_option_row *option)
{
	printf("\t");
	if (option->brief)
		printf("'(%s %s)'{%s%s,%s%s}'", option->brief, option->full,
		       option->brief, option->value ? "+" : "", option->full,
		       option->value ? "=" : "");
	else
		printf("'%s%s", option->full, option->value ? "=" : "");
	putchar('[');
	print_quoted(option->help, "[]:\\");
	putchar(']');
	if (is_choice(option)) {
		printf(":%s:(", option->full + 2);
		print_words(option->value);
		putchar(')');
	} else if (option->value) {
		printf(":%s:%s", option->value,
		       takes(option, "FILE")  ? "_files"
		       : takes(option, "PID") ? "_pids"
		                              : "");
	}
	printf("'\n");
}

static void print_zsh(enum cli_verb verb)
{
	(void)verb;
	printf("local -a verbs=(\n");
	for (enum cli_verb i = CLI_RECORD; i < CLI_VERBS; i++) {
		printf("\t'%s:", cli_verbs[i].name);
		print_quoted(cli_verbs[i].what, "\\");
		printf("'\n");
	}
	printf(")\n");
	for (enum cli_verb i = CLI_RUN; i < CLI_VERBS; i++) {
		printf("local -a options_%s=(\n", word_of(i));
		for (int j = 0; j < cli_option_count; j++)
			if (is_of(&cli_options[j], i))
				print_zsh_option(&cli_options[j]);
		printf(")\n");
	}
}

/* ---- fish ---------------------------------------------------------------- */

static void print_fish_option(enum cli_verb verb,
                              const struct cli_option_row *option)
{
	printf("complete -c goload -n '__goload_in %s'", word_of(verb));
	if (option->brief)
		printf(" -s %s", option->brief + 1);
	printf(" -l %s", option->full + 2);
	if (is_choice(option)) {
		printf(" -x -a '");
		print_words(option->value);
		putchar('\'');
	} else if (option->value) {
		fputs(takes(option, "FILE")  ? " -r -F"
		      : takes(option, "PID") ? " -x -a '(__fish_complete_pids)'"
		                             : " -x",
		      stdout);
	}
	printf(" -d '");
	print_quoted(option->help, "");
	printf("'\n");
}

static void print_fish(enum cli_verb verb)
{
	printf("set -g __goload_verbs ");
	print_verb_words(verb);
	printf("\nset -g __goload_valued");
	for (enum cli_verb i = CLI_RUN; i < CLI_VERBS; i++)
		print_names(i, true);
	putchar('\n');
	for (enum cli_verb i = CLI_RECORD; i < CLI_VERBS; i++) {
		printf("complete -c goload -n __goload_first -a %s -d '",
		       word_of(i));
		print_quoted(cli_verbs[i].what, "");
		printf("'\n");
	}
	for (enum cli_verb i = CLI_RUN; i < CLI_VERBS; i++)
		for (int j = 0; j < cli_option_count; j++)
			if (is_of(&cli_options[j], i))
				print_fish_option(i, &cli_options[j]);
}

/* ---- the filter ---------------------------------------------------------- */

static const struct {
	const char *name;
	void (*print)(enum cli_verb verb);
} parts[] = {
	{ "@TITLE@\n", print_title },
	{ "@SYNOPSIS@\n", print_synopsis },
	{ "@TITLE5@\n", print_format_title },
	{ "@SYNOPSES@\n", print_all_synopses },
	{ "@OPTIONS@\n", print_options },
	{ "@VERBS@\n", print_verbs },
	{ "@BASH@\n", print_bash },
	{ "@ZSH@\n", print_zsh },
	{ "@FISH@\n", print_fish },
};

static void copy_line(const char *line, enum cli_verb verb)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (strcmp(line, parts[i].name) == 0) {
			parts[i].print(verb);
			return;
		}
	fputs(line, stdout);
}

int main(int argc, char **argv)
{
	enum cli_verb verb = argc > 1 ? cli_verb_of(argv[1]) : CLI_RUN;
	char line[1024];

	if (verb == CLI_VERBS)
		cli_misused("", argv[1], "no such verb");
	while (fgets(line, sizeof(line), stdin))
		copy_line(line, verb);
	if (ferror(stdin) || fflush(stdout))
		cli_fail(CLI_FAILED, NULL, 0, "cannot copy the page");
	return CLI_OK;
}
