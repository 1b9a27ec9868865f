/* fail - errors as one line on stderr, in one write. */
#include "observer/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE 8192

static int said_to = STDERR_FILENO;

static const char *read_from;
static void (*before_end)(void);

void cli_complain_of(const char *source)
{
	read_from = source;
}

void cli_say_to(int fd)
{
	said_to = fd;
}

void cli_make_plain(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

void cli_before_end(void (*act)(void))
{
	before_end = act;
}

void cli_ending(void)
{
	if (before_end)
		before_end();
}

void cli_end(int status)
{
	cli_ending();
	exit(status);
}

static void complain(const char *object, int error, const char *format,
                     va_list list, const char *hint)
{
	char line[LINE];
	int at = snprintf(line, LINE, "goload: ");

	if (read_from)
		at += snprintf(line + at, LINE - at, "%s: ", read_from);
	if (object)
		at += snprintf(line + at, LINE - at, "%.4096s: ", object);
	at += vsnprintf(line + at, LINE - at, format, list);
	if (at < LINE && error)
		at += snprintf(line + at, LINE - at, ": %s", strerror(error));
	cli_make_plain(line);
	if (at < LINE)
		at += snprintf(line + at, LINE - at, "\n%s", hint);
	if (at >= LINE)
		at = LINE - 1;
	cli_progress_end();
	if (write(said_to, line, (size_t)at) < 0)
		return; /* nobody is listening */
}

void cli_complain(const char *object, int error, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	complain(object, error, format, list, "");
	va_end(list);
}

void cli_fail(int status, const char *object, int error, const char *format,
              ...)
{
	va_list list;

	va_start(list, format);
	complain(object, error, format, list, "");
	va_end(list);
	cli_end(status);
}

static void complain_with(const char *hint, const char *object,
                          const char *format, ...)
{
	va_list list;

	va_start(list, format);
	complain(object, 0, format, list, hint);
	va_end(list);
}

void cli_misused(const char *verb, const char *object, const char *what)
{
	char hint[64];

	snprintf(hint, sizeof(hint), "Try 'goload help%s%s'.\n",
	         *verb ? " " : "", verb);
	complain_with(hint, object, "%s", what);
	cli_end(CLI_FAILED);
}
