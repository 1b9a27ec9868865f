/*
 * environment - GOLOAD_OPTIONS, and the environment that the program gets.
 */
#include "observer/cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OURS "GOLOAD_"

extern char **environ;

/* What stands in quotes, to its end; backslashes count in double ones only. */
static const char *copy_quoted(const char *text, char **to)
{
	char quote = *text++;

	while (*text && *text != quote) {
		if (quote == '"' && *text == '\\' && text[1] &&
		    strchr("\"\\", text[1]))
			text++;
		*(*to)++ = *text++;
	}
	if (!*text)
		cli_misused("", NULL, "a quote is not closed");
	return text + 1;
}

/* One word as a shell reads it; *to goes behind its end. */
static const char *copy_word(const char *text, char **to)
{
	while (*text && !strchr(" \t\n", *text)) {
		if (*text == '\'' || *text == '"') {
			text = copy_quoted(text, to);
			continue;
		}
		if (*text == '\\' && text[1])
			text++;
		*(*to)++ = *text++;
	}
	*(*to)++ = 0;
	return text;
}

/* words[0] is left to the caller; returns how many there are, with it. */
static int split(const char *text, char *to, char **words)
{
	int count = 1;

	for (;;) {
		text += strspn(text, " \t\n");
		if (!*text)
			break;
		words[count++] = to;
		text = copy_word(text, &to);
	}
	words[count] = NULL;
	return count;
}

void cli_parse_environment(enum cli_verb verb, struct cli_options *out)
{
	static char name[] = OURS "OPTIONS";
	const char *text = getenv(name);
	size_t size = text ? strlen(text) + 1 : 0;
	char *bytes, **words;

	if (!text)
		return;
	bytes = malloc(size); /* options point there */
	words = malloc((size / 2 + 3) * sizeof(*words));
	if (!bytes || !words)
		cli_fail(CLI_FAILED, name, ENOMEM, "cannot be read");
	cli_complain_of(name);
	words[0] = name;
	cli_parse(verb, true, split(text, bytes, words), words, out);
	if (out->operands)
		cli_misused(cli_verb_name(verb), out->operand[0],
		            "is no option");
	cli_complain_of(NULL);
	free(words);
}

char **cli_program_environment(void)
{
	size_t count = 0, kept = 0;
	char **envp;

	while (environ[count])
		count++;
	envp = malloc((count + 1) * sizeof(*envp));
	if (!envp)
		cli_fail(CLI_FAILED, NULL, ENOMEM,
		         "cannot make the environment");
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], OURS, sizeof(OURS) - 1) != 0)
			envp[kept++] = environ[i];
	envp[kept] = NULL;
	return envp;
}
