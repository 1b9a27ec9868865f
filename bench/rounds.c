/*
 * rounds - runs commands in turn and compares them, for bench/run.sh.
 *
 *   rounds number N -- COMMAND... -- COMMAND...   what each prints is its
 * figure rounds first N -- COMMAND... -- COMMAND...    ms until its first byte
 * of output rounds whole N -- COMMAND... -- COMMAND...    ms until it has ended
 *
 * N rounds, in each of them every command once, so a change of the machine's
 * speed meets all of them.  Prints for each command its median; for each but
 * the first the median of the round's ratio to the first (number) or of the
 * difference (first, whole), and that figure's 95 % bound: what it lies below
 * with 95 % confidence, by order statistics of the rounds.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS 8
#define ROUNDS   1000

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static pid_t start(char **command, int *out)
{
	int ends[2];
	pid_t pid;

	if (pipe(ends) < 0)
		exit(2);
	pid = vfork();
	if (pid == 0) {
		dup2(ends[1], 1);
		dup2(open("/dev/null", O_WRONLY), 2);
		close(ends[0]);
		close(ends[1]);
		execvp(command[0], command);
		_exit(127);
	}
	close(ends[1]);
	*out = ends[0];
	return pid;
}

/* One figure of one command; NAN when it failed. */
static double once(const char *what, char **command)
{
	char text[256];
	double begin = now_ms(), first, whole;
	ssize_t size;
	int out, status;
	pid_t pid = start(command, &out);

	size = read(out, text, sizeof(text) - 1);
	first = now_ms() - begin;
	while (read(out, text + sizeof(text) - 1, 1) > 0)
		;
	close(out);
	waitpid(pid, &status, 0);
	whole = now_ms() - begin;
	if (size <= 0 || !WIFEXITED(status) || WEXITSTATUS(status))
		return NAN;
	text[size] = 0;
	if (strcmp(what, "number") == 0)
		return atof(text);
	return strcmp(what, "first") == 0 ? first : whole;
}

static double median(double *value, int n)
{
	qsort(value, n, sizeof(*value), by_value);
	return n % 2 ? value[n / 2] : (value[n / 2 - 1] + value[n / 2]) / 2;
}

/* Of sorted values: the order statistic that is above the median with 95 %
 * confidence (normal approximation of the binomial, one-sided). */
static double bound(const double *sorted, int n)
{
	int at = (int)ceil(n / 2.0 + 1.645 * sqrt(n) / 2.0);

	return sorted[at >= n ? n - 1 : at];
}

int main(int argc, char **argv)
{
	static double value[COMMANDS][ROUNDS], relation[ROUNDS];
	static double sorted[ROUNDS];
	char **command[COMMANDS];
	int n = argc > 2 ? atoi(argv[2]) : 0, count = 0;
	int ratio = argc > 1 && strcmp(argv[1], "number") == 0;

	for (int i = 3; i < argc && count < COMMANDS; i++)
		if (strcmp(argv[i], "--") == 0) {
			argv[i] = NULL;
			command[count++] = argv + i + 1;
		}
	if (n < 1 || n > ROUNDS || !count)
		return 2;
	for (int round = 0; round < n; round++)
		for (int c = 0; c < count; c++) {
			value[c][round] = once(argv[1], command[c]);
			if (isnan(value[c][round])) {
				fprintf(stderr, "rounds: %s failed\n",
				        command[c][0]);
				return 1;
			}
		}
	for (int c = 0; c < count; c++) {
		double middle;

		for (int round = 0; round < n; round++)
			relation[round] =
				ratio ? value[c][round] / value[0][round]
				      : value[c][round] - value[0][round];
		middle = median(relation, n);
		memcpy(sorted, value[c], sizeof(sorted));
		printf("%.3f %.3f %.3f\n", median(sorted, n), middle,
		       bound(relation, n));
	}
	return 0;
}
