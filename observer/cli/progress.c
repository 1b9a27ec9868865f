/*
 * progress - what takes its time, in one line on a terminal, from half a second
 * on.
 */
#include "observer/cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define TICK_US 500000
#define DIGITS  8

static char line[256]; /* "\rgoload: FILE: reading, ", and room for "4 s" */
static size_t size;    /* of the line without them */
static volatile sig_atomic_t ticks;

/* In a handler nothing may be formatted. */
static void show(int signal)
{
	int seconds = ++ticks / 2;
	char digits[DIGITS], *first = digits + DIGITS;

	(void)signal;
	do
		*--first = (char)('0' + seconds % 10);
	while (first > digits && (seconds /= 10) > 0);
	memcpy(line + size, first, (size_t)(digits + DIGITS - first));
	memcpy(line + size + (digits + DIGITS - first), " s", 2);
	if (write(STDERR_FILENO, line,
	          size + (size_t)(digits + DIGITS - first) + 2) < 0)
		return; /* nobody is looking */
}

static void set_timer(long us)
{
	const struct timeval tick = { .tv_usec = us };
	const struct itimerval timer = { tick, tick };

	setitimer(ITIMER_REAL, &timer, NULL);
}

void cli_progress(const char *object, const char *what)
{
	const struct sigaction action = { .sa_handler = show,
		                          .sa_flags = SA_RESTART };

	if (!cli_is_terminal(STDERR_FILENO))
		return;
	cli_progress_end();
	size = (size_t)snprintf(line, sizeof(line) - DIGITS - 2,
	                        "\rgoload: %.160s: %s, ", object, what);
	cli_make_plain(line + 1);
	sigaction(SIGALRM, &action, NULL);
	set_timer(TICK_US);
}

void cli_progress_end(void)
{
	static const char erase[] = "\r\033[K";

	if (!size)
		return;
	set_timer(0);
	if (ticks && write(STDERR_FILENO, erase, sizeof(erase) - 1) < 0)
		ticks = 0; /* nobody is looking */
	ticks = 0;
	size = 0;
}
