/*
 * Reports of mangled run files: none may crash, hang or say nothing.
 *
 *	badinput_mangle GOLOAD RUN SCRATCH cut|flip COUNT
 *
 * cut: at COUNT places, spread over the file, and at each of its first bytes.
 * flip: COUNT times, some bits here and there, by a seeded generator.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *goload, *scratch;
static uint8_t *bytes;
static size_t size;
static pid_t child;
static volatile sig_atomic_t hung;
static uint64_t seed = 88172645463325252u;
static int bad;

static void on_alarm(int sig)
{
	(void)sig;
	hung = 1;
	kill(child, SIGKILL);
}

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint8_t *read_whole(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uint8_t *at;

	if (fd < 0 || fstat(fd, &st))
		exit(2);
	size = (size_t)st.st_size;
	at = malloc(size);
	if (!at || read(fd, at, size) != (ssize_t)size)
		exit(2);
	close(fd);
	return at;
}

static void write_part(const uint8_t *from, size_t part)
{
	int fd = open(scratch, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, from, part) != (ssize_t)part)
		exit(2);
	close(fd);
}

/* Ends well, or with 125 and a line that says why. */
static void report(const char *what, size_t where, const char *format)
{
	char said[4096];
	ssize_t n, used = 0;
	int fds[2], status;

	if (pipe(fds))
		exit(2);
	hung = 0;
	child = fork();
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		dup2(fds[1], 2);
		close(fds[0]);
		execl(goload, goload, "report", "--format", format, scratch,
		      NULL);
		_exit(99);
	}
	close(fds[1]);
	alarm(10);
	while ((n = read(fds[0], said + used,
	                 sizeof(said) - (size_t)used - 1)) > 0)
		used += n;
	said[used] = 0;
	close(fds[0]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	alarm(0);
	if (!hung && WIFEXITED(status) &&
	    (WEXITSTATUS(status) == 0 ||
	     (WEXITSTATUS(status) == 125 && used > 8)))
		return;
	bad++;
	if (bad <= 10)
		printf("%s %zu, %s: %s %d, said \"%.200s\"\n", what, where,
		       format,
		       hung                ? "hung"
		       : WIFEXITED(status) ? "exited"
		                           : "killed by",
		       WIFEXITED(status) ? WEXITSTATUS(status)
		                         : WTERMSIG(status),
		       said);
	if (bad == 1) {
		char keep[4096];

		snprintf(keep, sizeof(keep), "%s.bad", scratch);
		rename(scratch, keep);
	}
}

static void cut(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t at = i < 48 ? i : next_random() % size;

		write_part(bytes, at);
		report("cut at", at, i & 1 ? "json" : "text");
	}
}

static void flip(size_t count)
{
	uint8_t *copy = malloc(size);

	if (!copy)
		exit(2);
	for (size_t i = 0; i < count; i++) {
		size_t bits = 1 + next_random() % 8;

		memcpy(copy, bytes, size);
		while (bits--) {
			/* half of them where the headers are */
			size_t room = next_random() & 1 ? size : 512;

			copy[next_random() % (room < size ? room : size)] ^=
				(uint8_t)(1u << (next_random() & 7));
		}
		write_part(copy, size);
		report("flip", i, i & 1 ? "json" : "text");
	}
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	goload = argv[1];
	scratch = argv[3];
	bytes = read_whole(argv[2]);
	signal(SIGALRM, on_alarm);
	if (!strcmp(argv[4], "cut"))
		cut(strtoul(argv[5], NULL, 10));
	else
		flip(strtoul(argv[5], NULL, 10));
	printf("%d of %s are bad\n", bad, argv[5]);
	return bad != 0;
}
