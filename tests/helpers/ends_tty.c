/*
 * Types at a terminal: runs COMMAND in a session with a new terminal, waits
 * until its output has WORD, types KEYS, and so on; prints all that came.
 *
 *	ends_tty [WORD KEYS]... -- COMMAND...
 *
 * In KEYS ^C and ^Z stand for those keys.  Ends as COMMAND does; 124 when a
 * word did not come within 10 seconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int terminal;
static char seen[1 << 20];
static size_t used, from;
static pid_t child;

static pid_t start(char **command)
{
	const char *name;
	pid_t pid;

	terminal = posix_openpt(O_RDWR | O_NOCTTY);
	if (terminal < 0 || grantpt(terminal) || unlockpt(terminal))
		exit(2);
	name = ptsname(terminal);
	pid = fork();
	if (pid == 0) {
		int fd;

		for (int sig = 1; sig < 32; sig++)
			signal(sig, SIG_DFL);
		setsid();
		fd = open(name, O_RDWR);
		ioctl(fd, TIOCSCTTY, 0);
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		if (fd > 2)
			close(fd);
		close(terminal);
		execvp(command[0], command);
		_exit(127);
	}
	return pid;
}

/* More output; 0 at its end or when none came in time. */
static int more(int ms)
{
	struct pollfd p = { .fd = terminal, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return 0;
	n = read(terminal, seen + used, sizeof(seen) - 1 - used);
	if (n <= 0)
		return 0;
	used += (size_t)n;
	seen[used] = 0;
	return 1;
}

static int await(const char *word)
{
	for (;;) {
		char *at = strstr(seen + from, word);

		if (at) {
			from = (size_t)(at - seen) + strlen(word);
			return 1;
		}
		if (!more(10000))
			return 0;
	}
}

static void type(const char *keys)
{
	struct timespec pause = { 0, 100000000 };

	nanosleep(&pause, NULL);
	for (; *keys; keys++) {
		char key = *keys;

		if (key == '^' && keys[1])
			key = *++keys - 'A' + 1;
		if (write(terminal, &key, 1) != 1)
			exit(2);
	}
}

int main(int argc, char **argv)
{
	int status = 0, split = 1;

	while (split < argc && strcmp(argv[split], "--"))
		split++;
	if (split + 1 >= argc)
		return 2;
	child = start(argv + split + 1);
	for (int i = 1; i + 1 < split; i += 2) {
		if (!await(argv[i])) {
			printf("%s\n(no \"%s\" came)\n", seen, argv[i]);
			kill(-child, 9);
			kill(child, 9);
			return 124;
		}
		type(argv[i + 1]);
	}
	while (more(10000))
		;
	fputs(seen, stdout);
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
