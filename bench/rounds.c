/*
 * rounds - runs commands in turn and compares them, for bench/run.sh.
 *
 *   rounds FIGURE[,FIGURE...] N -- COMMAND... [-- COMMAND...]...
 *
 * N rounds, in each of them the first two commands once, so a change of the
 * machine's speed meets both; the others, which may take a hundred times as
 * long, in each sixth.  Of each run it is known:
 *
 *   number    what it printed
 *   first     ms until its first byte of output
 *   wall      ms until it has ended; whole: the same
 *   exit      ms from the time it printed (CLOCK_MONOTONIC, ns) to its end
 *   cpu       ms of processor time, with all that it started
 *   share     what it started and did not wait for (goload's observer), in % of
 *             a processor while it ran
 *   memory    KiB that were resident at most
 *
 * Prints, figure by figure and command by command, a line of three: the median;
 * the median of the rounds' relations to the first command's (the ratio of
 * number, wall and cpu, else the difference), and what that relation
 * lies below with 95 % confidence, by order statistics of the rounds.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS 8
#define ROUNDS   1000
#define SPARSE   6

enum figure {
	NUMBER,
	FIRST,
	WALL,
	WHOLE,
	EXIT,
	CPU,
	SHARE,
	MEMORY,
	FIGURES,
};

static const struct {
	const char *name;
	int ratio;
} figures[FIGURES] = {
	[NUMBER] = { "number", 1 }, [FIRST] = { "first", 0 },
	[WALL] = { "wall", 1 },     [WHOLE] = { "whole", 0 },
	[EXIT] = { "exit", 0 },     [CPU] = { "cpu", 1 },
	[SHARE] = { "share", 0 },   [MEMORY] = { "memory", 0 },
};

static double value[FIGURES][COMMANDS][ROUNDS];

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double cpu_ms(const struct rusage *used)
{
	return (double)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1e3 +
	       (double)(used->ru_utime.tv_usec + used->ru_stime.tv_usec) / 1e3;
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

	if (pipe2(ends, O_CLOEXEC) < 0)
		exit(2);
	pid = vfork();
	if (pid == 0) {
		dup2(ends[1], 1);
		dup2(open("/dev/null", O_WRONLY), 2);
		execvp(command[0], command);
		_exit(127);
	}
	close(ends[1]);
	*out = ends[0];
	return pid;
}

/* One run of a command; 0 when it failed. */
static int once(char **command, double figure[FIGURES])
{
	char text[256], rest[4096];
	double begin = now_ms(), ended, orphans = 0;
	struct rusage used, apart;
	ssize_t size;
	int out, status;
	pid_t pid = start(command, &out);

	size = read(out, text, sizeof(text) - 1);
	figure[FIRST] = now_ms() - begin;
	while (read(out, rest, sizeof(rest)) > 0)
		;
	close(out);
	wait4(pid, &status, 0, &used);
	ended = now_ms();
	if (size < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
		return 0;
	text[size] = 0;
	figure[NUMBER] = atof(text);
	figure[EXIT] = ended - figure[NUMBER] / 1e6;
	figure[WALL] = figure[WHOLE] = ended - begin;
	figure[MEMORY] = (double)used.ru_maxrss;
	while (wait4(-1, &status, __WALL, &apart) > 0)
		orphans += cpu_ms(&apart); /* they come here: main() */
	figure[CPU] = cpu_ms(&used) + orphans;
	figure[SHARE] = orphans * 100 / figure[WALL];
	return 1;
}

static double median(const double *of, int n)
{
	static double sorted[ROUNDS];

	memcpy(sorted, of, (size_t)n * sizeof(*of));
	qsort(sorted, (size_t)n, sizeof(*sorted), by_value);
	return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* The order statistic that is above the median with 95 % confidence (normal
 * approximation of the binomial, one-sided). */
static double bound(double *of, int n)
{
	int at = (int)ceil(n / 2.0 + 1.645 * sqrt(n) / 2.0);

	qsort(of, (size_t)n, sizeof(*of), by_value);
	return of[at >= n ? n - 1 : at];
}

/* A command runs in each round that is a multiple of this. */
static int step_of(int command)
{
	return command < 2 ? 1 : SPARSE;
}

static void print_one(enum figure figure, int command, int rounds)
{
	static double mine[ROUNDS], relation[ROUNDS];
	double middle;
	int n = 0;

	for (int i = 0; i < rounds; i += step_of(command), n++) {
		double first = value[figure][0][i];

		mine[n] = value[figure][command][i];
		relation[n] = figures[figure].ratio ? mine[n] / first
		                                    : mine[n] - first;
	}
	middle = median(relation, n);
	printf("%.3f %.3f %.3f\n", median(mine, n), middle, bound(relation, n));
}

static void print(enum figure figure, int commands, int rounds)
{
	for (int c = 0; c < commands; c++)
		print_one(figure, c, rounds);
}

int main(int argc, char **argv)
{
	char **command[COMMANDS];
	int n = argc > 2 ? atoi(argv[2]) : 0, count = 0;
	double figure[FIGURES];

	for (int i = 3; i < argc && count < COMMANDS; i++)
		if (strcmp(argv[i], "--") == 0) {
			argv[i] = NULL;
			command[count++] = argv + i + 1;
		}
	if (n < 1 || n > ROUNDS || !count)
		return 2;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int round = 0; round < n; round++)
		for (int c = 0; c < count; c++) {
			if (round % step_of(c))
				continue;
			if (!once(command[c], figure)) {
				fprintf(stderr, "rounds: %s failed\n",
				        command[c][0]);
				return 1;
			}
			for (int f = 0; f < FIGURES; f++)
				value[f][c][round] = figure[f];
		}
	for (char *name = strtok(argv[1], ","); name; name = strtok(NULL, ","))
		for (int f = 0; f < FIGURES; f++)
			if (strcmp(figures[f].name, name) == 0)
				print((enum figure)f, count, n);
	return 0;
}
