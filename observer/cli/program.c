/*
 * program - from what the user typed to the file that is executed.
 *
 * PATH as a shell looks it up, then what execve checks before it reads the
 * file, and scripts: fs/binfmt_script.c.
 */
#include "observer/cli/cli.h"

#include "observer/record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PATH_ROOM 8192
#define LINE      256 /* BINPRM_BUF_SIZE */
#define SCRIPTS   5   /* one behind the other: exec_binprm() */

/* A name without a slash is looked up in PATH, as a shell does. */
static const char *look_up(const char *name)
{
	static char path[PATH_ROOM];
	const char *list = getenv("PATH");
	bool denied = false;

	if (!list)
		list = "/bin:/usr/bin";
	while (*list) {
		size_t size = strcspn(list, ":");

		snprintf(path, sizeof(path), "%.*s%s%s", (int)size, list,
		         size ? "/" : "", name);
		if (record_may_run(path)) {
			struct stat st;

			if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
				return path;
		} else if (errno == EACCES) {
			denied = true;
		}
		list += size + (list[size] == ':');
	}
	if (denied)
		cli_fail(CLI_CANNOT_LOAD, name, EACCES, "cannot be executed");
	cli_fail(CLI_NOT_FOUND, name, 0, "not found in PATH");
}

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "is a directory";
	case S_IFIFO:
		return "is a FIFO, not a program";
	case S_IFSOCK:
		return "is a socket, not a program";
	default:
		return "is a device, not a program";
	}
}

/* The kernel changes credentials for such a file, and goload cannot. */
static void refuse_privileged(const char *path, int fd)
{
	char capability[64];
	struct stat st;

	if (fstat(fd, &st) < 0)
		cli_fail(CLI_CANNOT_LOAD, path, errno, "cannot be examined");
	if (st.st_mode & S_ISUID)
		cli_fail(CLI_CANNOT_LOAD, path, 0, "is setuid");
	if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		cli_fail(CLI_CANNOT_LOAD, path, 0, "is setgid");
	if (fgetxattr(fd, "security.capability", capability,
	              sizeof(capability)) > 0)
		cli_fail(CLI_CANNOT_LOAD, path, 0, "has file capabilities");
}

static int fail_with(int error, const char **what, const char *why)
{
	*what = why;
	return -error;
}

/* The file, checked as execve checks it before it reads it; or the errno,
 * negative, and *what is wrong. */
static int open_checked(const char *path, const char **what)
{
	struct stat st;
	int fd, error;

	if (stat(path, &st) < 0)
		return fail_with(errno, what, "cannot be found");
	if (!S_ISREG(st.st_mode))
		return fail_with(EACCES, what, kind_of(st.st_mode));
	if (!record_may_run(path))
		return fail_with(errno, what, "cannot be executed");
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fail_with(errno, what, "cannot be read");
	error = record_may_exec(fd);
	if (error == 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return fail_with(error ? error : EACCES, what, "cannot be executed");
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Where the line of a script ends, or NULL: the name of its interpreter may go
 * on behind what execve reads. */
static char *line_end(char line[LINE])
{
	char *last = line + LINE - 1;
	char *end = memchr(line, '\n', LINE), *name = line + 2;

	/* strnchr() stops at a NUL */
	if (end && !memchr(line, 0, (size_t)(end - line)))
		return end;
	while (name <= last && is_blank(*name))
		name++;
	for (char *at = name; at <= last; at++)
		if (is_blank(*at) || !*at)
			return last;
	return NULL;
}

/*
 * load_script(): the interpreter's name and one argument, which may have blanks
 * inside; NULL when the line has no name.
 */
static char *parse_line(char line[LINE], char **argument)
{
	char *end = line_end(line), *name = line + 2, *at;

	*argument = NULL;
	if (!end)
		return NULL;
	while (is_blank(end[-1]))
		end--;
	while (name <= end && is_blank(*name))
		name++;
	if (name >= end)
		return NULL;
	for (at = name; at <= end && !is_blank(*at) && *at; at++)
		;
	*end = 0;
	if (at < end && *at) {
		*at++ = 0;
		while (at < end && is_blank(*at))
			at++;
		if (at < end)
			*argument = at;
	}
	return name;
}

/* The words before those that the program has already; not its first. */
static char **put_before(char **argv, char *name, char *argument,
                         const char *script)
{
	size_t count = 0, at = 0;
	char **made;

	while (argv[count])
		count++;
	made = calloc(count + 4, sizeof(*made));
	if (!made)
		cli_fail(CLI_FAILED, script, ENOMEM, "cannot be started");
	made[at++] = name;
	if (argument)
		made[at++] = argument;
	made[at++] = (char *)script;
	for (size_t i = 1; i < count; i++)
		made[at++] = argv[i];
	return made;
}

static bool is_script(int fd, char line[LINE])
{
	memset(line, 0, LINE);
	return pread(fd, line, LINE, 0) >= 2 && line[0] == '#' &&
	       line[1] == '!';
}

/* One step: the file becomes that of the script's interpreter. */
static void follow(struct cli_program *program, char line[LINE])
{
	char *argument, *name = parse_line(line, &argument);
	const char *what;

	if (!name)
		cli_fail(CLI_CANNOT_LOAD, program->path, ENOEXEC,
		         "a script without an interpreter");
	name = strdup(name);
	argument = argument ? strdup(argument) : NULL;
	program->argv = put_before(program->argv, name, argument, program->exe);
	/* an empty name cannot be: it is what the line's NUL leaves */
	program->exe = *name ? name : ".";
	close(program->fd);
	program->fd = open_checked(program->exe, &what);
	if (program->fd < 0)
		cli_fail(CLI_CANNOT_LOAD, program->path, -program->fd,
		         "interpreter %.200s %s", name, what);
}

static const char *named_by(const char *word)
{
	return strchr(word, '/') ? word : look_up(word);
}

struct cli_program cli_open(const char *path, char **argv)
{
	struct cli_program program = { .argv = argv };
	const char *what;
	char line[LINE];

	path = path ? path : named_by(argv[0]);
	program.path = program.exe = path;
	program.fd = open_checked(path, &what);
	if (program.fd < 0)
		cli_fail(program.fd == -ENOENT || program.fd == -ENOTDIR
		                 ? CLI_NOT_FOUND
		                 : CLI_CANNOT_LOAD,
		         path, -program.fd, "%s", what);
	for (int i = 0; is_script(program.fd, line); i++) {
		follow(&program, line);
		if (i == SCRIPTS)
			cli_fail(CLI_CANNOT_LOAD, path, ELOOP,
			         "scripts that interpret scripts");
	}
	refuse_privileged(program.exe, program.fd);
	return program;
}
