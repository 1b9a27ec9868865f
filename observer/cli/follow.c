/*
 * follow - --follow: what goload tells the goload that will be started for a
 * child, and what it does when it is that one.  shim/follow.c is between them.
 */
#include "observer/cli/options.h"

#include "trace/session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#define MESSAGE 65536 /* the room in a pipe */
#define STRINGS 256   /* of a message, most */
#define BEFORE  4     /* SESSION_FOLLOW, pid, run, goload; then its words */

/* ---- to tell ------------------------------------------------------------- */

static const char *own_path(void)
{
	static char path[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (size < 0)
		cli_fail(CLI_FAILED, "/proc/self/exe", errno, "cannot be read");
	return path;
}

/* A child may be in another directory.  In the pattern of a name % is %%. */
static void put_path(FILE *out, const char *path, bool pattern)
{
	char here[PATH_MAX] = "";

	if (*path != '/') {
		if (!getcwd(here, sizeof(here)))
			cli_fail(CLI_FAILED, path, errno,
			         "cannot be told to children");
		for (const char *c = here; *c; c++)
			fprintf(out, pattern && *c == '%' ? "%%%%" : "%c", *c);
		putc('/', out);
	}
	fputs(path, out);
}

/* The word of an option's choices, "text|json", with that number. */
static void put_choice(FILE *out, const char *words, int choice)
{
	while (choice--)
		words = strchr(words, '|') + 1;
	fprintf(out, "%.*s", (int)strcspn(words, "|"), words);
}

/* As it would be typed, when it says anything. */
static void put_option(FILE *out, const struct cli_option_row *option,
                       const struct cli_options *options)
{
	const void *from = (const char *)options + option->into;
	const struct cli_list *list = from;
	const char *text = NULL;

	if (cli_is_list(option)) {
		for (int i = 0; i < list->count; i++)
			fprintf(out, "%s=%s%c", option->full, list->word[i], 0);
	} else if (!option->value) {
		if (*(const bool *)from)
			fprintf(out, "%s%c", option->full, 0);
	} else if (strchr(option->value, '|')) {
		fprintf(out, "%s=", option->full);
		put_choice(out, option->value, *(const int *)from);
		putc(0, out);
	} else if ((text = *(const char *const *)from)) {
		fprintf(out, "%s=", option->full);
		if (strcmp(option->value, "FILE") == 0)
			put_path(out, text, true);
		else
			fputs(text, out);
		putc(0, out);
	}
}

char *cli_follow_words(enum cli_verb verb, const struct cli_options *options,
                       const char *run, const struct cli_followed *followed,
                       size_t *size, size_t *goload_at)
{
	char *words = NULL;
	FILE *out = open_memstream(&words, size);

	if (!out)
		cli_fail(CLI_FAILED, NULL, errno, "cannot tell children");
	fprintf(out, SESSION_FOLLOW "%c%d%c", 0, (int)getpid(), 0);
	if (run)
		put_path(out, run, false);
	putc(0, out);
	*goload_at = (size_t)ftell(out);
	fprintf(out, "%s%c%s%c", followed ? followed->goload : own_path(), 0,
	        cli_verb_name(verb), 0);
	for (int i = 0; i < cli_option_count; i++)
		if (cli_options[i].verbs & (1u << verb))
			put_option(out, &cli_options[i], options);
	if (fclose(out))
		cli_fail(CLI_FAILED, NULL, ENOMEM, "cannot tell children");
	return words;
}

/* ---- to be told ---------------------------------------------------------- */

/* The descriptor that goload was executed by, or -1. */
static int executed_by(void)
{
	const char *name = (const char *)getauxval(AT_EXECFN);
	int fd, end = 0;

	if (!name || sscanf(name, "/dev/fd/%d%n", &fd, &end) != 1 || name[end])
		return -1;
	return fd;
}

static bool is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) &&
	       (fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* All that is in the pipe; nobody writes to it any more. */
static size_t read_all(int fd, char *to, size_t room)
{
	size_t size = 0;
	ssize_t n;

	while (size < room && (n = read(fd, to + size, room - size)) > 0)
		size += (size_t)n;
	return size;
}

static int split(char *text, size_t size, char **string)
{
	int count = 0;

	while (size && count < STRINGS) {
		size_t length = strnlen(text, size);

		if (length == size)
			return 0; /* cut */
		string[count++] = text;
		text += length + 1;
		size -= length + 1;
	}
	return count;
}

bool cli_followed(struct cli_followed *followed)
{
	static char message[MESSAGE];
	static char *string[STRINGS];
	int fd = executed_by(), count;

	if (fd < 0 || !is_pipe(fd + 1))
		return false;
	count = split(message, read_all(fd + 1, message, MESSAGE), string);
	if (count < BEFORE + 2 || strcmp(string[0], SESSION_FOLLOW) != 0)
		return false;
	close(fd + 1);
	followed->parent = (pid_t)atol(string[1]);
	followed->parent_run = string[2];
	followed->goload = string[3];
	followed->words = string + BEFORE;
	followed->count = count - BEFORE - 1;
	followed->path = string[count - 1];
	return true;
}

/* ---- to step aside ------------------------------------------------------- */

static struct {
	const char *path;
	char **argv;
} instead;

static void run_instead(void)
{
	execve(instead.path, instead.argv, environ);
	_exit(errno == ENOENT ? CLI_NOT_FOUND : CLI_CANNOT_LOAD);
}

void cli_step_aside(const struct cli_followed *followed, char **argv)
{
	instead.path = followed->path;
	instead.argv = argv;
	cli_before_end(run_instead);
}
