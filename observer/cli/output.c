/*
 * output - where a verb prints to: a file, standard output, or a pager between
 * it and the terminal; and what suits it.
 */
#include "observer/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The terminal behind the pager; .pid is 0 while there is none. */
static struct {
	pid_t pid;
	int columns;
} pager;

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

bool cli_is_terminal(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && strcmp(term, "dumb") != 0;
}

/* As no-color.org and bixense.com/clicolors have it. */
static bool wants_colour(int fd, int when)
{
	if (when != CLI_COLOR_AUTO)
		return when == CLI_COLOR_ALWAYS;
	if (is_set("NO_COLOR"))
		return false;
	if (is_set("CLICOLOR_FORCE") &&
	    strcmp(getenv("CLICOLOR_FORCE"), "0") != 0)
		return true;
	return (pager.pid && fd == STDOUT_FILENO) || cli_is_terminal(fd);
}

static int columns_of(int fd)
{
	struct winsize window = { 0 };

	if (!isatty(fd))
		return 0;
	ioctl(fd, TIOCGWINSZ, &window);
	return window.ws_col;
}

struct report_style cli_style(FILE *out, const struct cli_options *options)
{
	int fd = fileno(out);

	return (struct report_style){
		.colour = wants_colour(fd, options->color),
		.width = pager.pid && fd == STDOUT_FILENO ? pager.columns
		                                          : columns_of(fd),
		.exact = options->bytes,
	};
}

static bool is_file(const char *path)
{
	return path && strcmp(path, "-") != 0;
}

/* ---- the pager ----------------------------------------------------------- */

static void wait_for_pager(void)
{
	fflush(NULL);
	close(STDOUT_FILENO);
	while (waitpid(pager.pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static const char *pager_of(void)
{
	const char *command = getenv("GOLOAD_PAGER");

	return command ? command : getenv("PAGER");
}

/* Standard output of the pager is ours, its input a pipe: *to is the other end.
 * Only less need not be there. */
static bool spawn_pager(const char *command, int *to)
{
	const char *const less[] = { "less", NULL };
	const char *const shell[] = { "sh", "-c", command, NULL };
	posix_spawn_file_actions_t actions;
	int ends[2], error;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
	if (command)
		error = posix_spawn(&pager.pid, "/bin/sh", &actions, NULL,
		                    (char *const *)shell, environ);
	else
		error = posix_spawnp(&pager.pid, "less", &actions, NULL,
		                     (char *const *)less, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[0]);
	*to = ends[1];
	if (error) {
		close(ends[1]);
		pager.pid = 0;
	}
	return !error;
}

void cli_page(const struct cli_options *options)
{
	const char *command = pager_of();
	int columns = columns_of(STDOUT_FILENO), to;

	if (options->no_pager || is_file(options->output) ||
	    options->format != REPORT_TEXT || !cli_is_terminal(STDOUT_FILENO))
		return;
	if (command && (!*command || strcmp(command, "cat") == 0))
		return;
	setenv("LESS", "FRX", 0);
	setenv("LV", "-c", 0);
	if (!spawn_pager(command, &to))
		return;
	pager.columns = columns;
	dup2(to, STDOUT_FILENO);
	close(to);
	/* What is typed is meant for the pager, and it may end before us. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	atexit(wait_for_pager);
}

/* ---- the file ------------------------------------------------------------ */

static bool is_same(const char *path, const struct stat *as)
{
	struct stat st;

	return path && stat(path, &st) == 0 && st.st_dev == as->st_dev &&
	       st.st_ino == as->st_ino;
}

/* Is it one that is read?  Names are read while the output is written. */
static bool is_read(const struct stat *file, const struct cli_options *options,
                    const struct cli_opened *opened, int count)
{
	if (!S_ISREG(file->st_mode))
		return false;
	if (is_same(options->maps, file))
		return true;
	for (int i = 0; i < options->operands; i++)
		if (is_same(options->operand[i], file))
			return true;
	for (int i = 0; i < count; i++)
		for (size_t j = 0; j < opened[i].run->module_count; j++)
			if (is_same(opened[i].run->module[j].path, file))
				return true;
	return false;
}

void cli_expect_page_file(const char *verb, const struct cli_options *options)
{
	if (!is_file(options->output) && isatty(STDOUT_FILENO))
		cli_misused(verb, "--format html",
		            "goes to a file: name it with --output");
}

static int write_new(int fd, mode_t mode,
                     bool (*write)(FILE *out, const void *context),
                     const void *context)
{
	FILE *out = fdopen(fd, "w");
	int error = 0;

	if (!out) {
		close(fd);
		return ENOMEM;
	}
	if (!write(out, context))
		error = ENOMEM;
	if (fchmod(fd, mode) < 0)
		error = errno;
	if ((ferror(out) | fclose(out)) && !error)
		error = errno;
	return error;
}

int cli_replace(const char *path, mode_t mode,
                bool (*write)(FILE *out, const void *context),
                const void *context)
{
	char *unnamed;
	int fd, error;

	if (asprintf(&unnamed, "%.*s.goload.XXXXXX",
	             (int)(cli_base_name(path) - path), path) < 0)
		return ENOMEM;
	fd = mkostemp(unnamed, O_CLOEXEC);
	error = fd < 0 ? errno : write_new(fd, mode, write, context);
	if (!error && rename(unnamed, path) < 0)
		error = errno;
	if (error && fd >= 0)
		unlink(unnamed);
	free(unnamed);
	return error;
}

const char *cli_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *cli_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder;

	if (asprintf(&folder, "%.*s.", slash ? (int)(slash + 1 - path) : 0,
	             path) < 0)
		return NULL;
	return folder;
}

static int error_of_folder(const char *path)
{
	char *folder = cli_folder_of(path);
	int error = !folder                            ? ENOMEM
	            : eaccess(folder, W_OK | X_OK) < 0 ? errno
	                                               : 0;

	free(folder);
	return error;
}

void cli_expect_output(const struct cli_options *options)
{
	const char *path = options->output;
	struct stat file;
	int error;

	if (!is_file(path))
		return;
	if (stat(path, &file) < 0)
		error = errno == ENOENT ? error_of_folder(path) : errno;
	else if (S_ISDIR(file.st_mode))
		error = EISDIR;
	else if (is_read(&file, options, NULL, 0))
		cli_fail(CLI_FAILED, path, 0, "is a file that is read");
	else
		error = eaccess(path, W_OK) < 0 ? errno : 0;
	if (error)
		cli_fail(CLI_FAILED, path, error, "cannot be written");
}

FILE *cli_open_output(const struct cli_options *options,
                      const struct cli_opened *opened, int count)
{
	const char *path = is_file(options->output) ? options->output : NULL;
	const char *object = path ? path : "standard output";
	int fd = STDOUT_FILENO;
	struct stat file;
	FILE *out;

	if (path)
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || fstat(fd, &file) < 0)
		cli_fail(CLI_FAILED, object, errno, "cannot be written");
	if (is_read(&file, options, opened, count))
		cli_fail(CLI_FAILED, object, 0, "is a file that is read");
	if (!path)
		return stdout;
	if ((S_ISREG(file.st_mode) && ftruncate(fd, 0) < 0) ||
	    !(out = fdopen(fd, "w")))
		cli_fail(CLI_FAILED, object, errno, "cannot be written");
	return out;
}

void cli_close_output(FILE *out, const char *path)
{
	bool failed = ferror(out) | fclose(out);

	if (failed && !pager.pid)
		cli_fail(CLI_FAILED, path ? path : "standard output", errno,
		         "cannot be written");
}
