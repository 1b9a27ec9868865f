/*
 * odd list                 the table, as docs/loader.md has it
 * odd write                writes the files into the working folder
 * odd run GOLOAD           runs each natively and under GOLOAD, there: what
 *                          differs, and last "N cases, N differ"
 */
#include "tests/odd/odd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sums {
	int cases, differ, deliberate;
};

const char *odd_end_name(int end, char text[ODD_NAME])
{
	if (end == ODD_REFUSED)
		snprintf(text, ODD_NAME, "is refused");
	else if (end == ODD_DEPENDS)
		snprintf(text, ODD_NAME, "depends on the machine");
	else if (end > ODD_DIES)
		snprintf(text, ODD_NAME, "dies of SIG%s",
		         sigabbrev_np(end - ODD_DIES));
	else if (end == ODD_KILLED)
		snprintf(text, ODD_NAME, "killed");
	else if (end > ODD_RUNS)
		snprintf(text, ODD_NAME, "exits with %d", end - ODD_RUNS - 1);
	else if (end == ODD_RUNS)
		snprintf(text, ODD_NAME, "runs");
	else
		snprintf(text, ODD_NAME, "%s", strerrorname_np(end));
	return text;
}

/* What goload does otherwise, and why. */
static void list_difference(const struct odd_case *row)
{
	char end[ODD_NAME];

	if (!row->why)
		return;
	printf("; goload: %s%s: %s",
	       odd_end_name(row->ours ? row->ours : row->ours_user, end),
	       row->ours ? "" : " (not as root)", row->why);
}

static void list(void)
{
	char end[ODD_NAME];

	printf("| case | what is odd | the rule | where | what happens |\n"
	       "|---|---|---|---|---|\n");
	for (size_t i = 0; i < odd_count; i++) {
		const struct odd_case *row = &odd_cases[i];

		if (row->flags & ODD_PART)
			continue;
		printf("| %s%s | %s | %s | `%s` | %s", row->name,
		       row->flags & ODD_BOTH ? ", -pie" : "", row->change,
		       row->rule, row->source, odd_end_name(row->end, end));
		list_difference(row);
		printf(" |\n");
	}
}

/* `act` for each file: a row makes one or two. */
static void each(void (*act)(const struct odd_case *row, bool pie, void *),
                 void *context)
{
	for (size_t i = 0; i < odd_count; i++) {
		const struct odd_case *row = &odd_cases[i];

		if (!(row->flags & ODD_PIE))
			act(row, false, context);
		if (row->flags & (ODD_PIE | ODD_BOTH))
			act(row, true, context);
	}
}

static void write_one(const struct odd_case *row, bool pie, void *context)
{
	char name[ODD_NAME];

	(void)context;
	odd_name(row, pie, name);
	if (odd_build(row, pie))
		return;
	fprintf(stderr, "odd: %s: %s\n", name, strerror(errno));
	exit(2);
}

/* Does the line name the errno, and nothing more? */
static bool says(const char *line, int error)
{
	char tail[128];
	size_t size =
		(size_t)snprintf(tail, sizeof(tail), ": %s\n", strerror(error));
	size_t all = strlen(line);

	return all > size && strcmp(line + all - size, tail) == 0;
}

static bool is_one_line(const char *line, const char *path)
{
	const char *end = strchr(line, '\n');
	size_t size = strlen(path);

	return end && !end[1] && strncmp(line, "goload: ", 8) == 0 &&
	       strncmp(line + 8, path, size) == 0 && line[8 + size] == ':';
}

/* What goload must do where the kernel ends it so. */
static bool is_answer(int end, const struct odd_case *row, const char *path,
                      const struct odd_run *ours)
{
	if (end == ODD_REFUSED)
		return ours->end == end && is_one_line(ours->line, path) &&
		       strstr(ours->line, row->says);
	if (end > 0 && end < ODD_RUNS)
		return ours->end == ODD_REFUSED && says(ours->line, end) &&
		       is_one_line(ours->line, path);
	if (end == ODD_KILLED)
		return ours->end == ODD_REFUSED &&
		       is_one_line(ours->line, path) &&
		       strstr(ours->line, "the kernel would kill it");
	return ours->end == end && !ours->line[0];
}

static void differs(struct sums *sums, const char *name, const char *option,
                    int end, const struct odd_run *ours)
{
	char native[ODD_NAME], other[ODD_NAME];

	sums->differ++;
	printf("%s: natively %s; with %s %s\n", name, odd_end_name(end, native),
	       option, odd_end_name(ours->end, other));
	if (ours->line[0])
		printf("  %s", ours->line);
}

/* Is it how the row has it?  What a machine decides may be anything. */
static bool is_expected(int expected, int end)
{
	return expected == ODD_DEPENDS || end == expected ||
	       (expected == ODD_RUNS && end > ODD_RUNS && end < ODD_KILLED);
}

struct runner {
	struct sums sums;
	const char *goload;
	const char *only;
};

/* Can the option make a difference?  Only a program that begins has calls, and
 * only one that does not can be killed before. */
static bool is_told_by(const char *option, int end)
{
	if (strcmp(option, "--patch=none") == 0)
		return end > ODD_RUNS && end != ODD_KILLED;
	return strcmp(option, "--faithful") != 0 || end == ODD_KILLED;
}

static void compare(struct runner *runner, const struct odd_case *row,
                    const char *name, const char *path)
{
	static const char *const options[] = { "--patch=all", "--patch=none",
		                               "--faithful" };
	struct odd_run native = odd_native(row, path), ours;
	int want = native.end;

	runner->sums.cases++;
	if (!is_expected(row->end, native.end))
		differs(&runner->sums, name, "the table", native.end,
		        &(struct odd_run){ .end = row->end });
	if (row->ours || (row->ours_user && geteuid() != 0)) {
		want = row->ours ? row->ours : row->ours_user;
		runner->sums.deliberate++;
	}
	for (int i = 0; i < 3; i++) {
		if (!is_told_by(options[i], native.end))
			continue;
		ours = odd_goload(row, path, runner->goload, options[i]);
		if (i == 2 && want == ODD_KILLED)
			want = ODD_DIES + SIGSEGV;
		if (!is_answer(want, row, path, &ours)) {
			differs(&runner->sums, name, options[i], native.end,
			        &ours);
			return;
		}
	}
}

static void run_one(const struct odd_case *row, bool pie, void *context)
{
	struct runner *runner = context;
	char name[ODD_NAME], path[ODD_NAME + 2];
	int busy = -1;

	odd_name(row, pie, name);
	if ((row->flags & ODD_PART) ||
	    (runner->only && strcmp(name, runner->only) != 0))
		return;
	snprintf(path, sizeof(path), "./%s", name);
	if (row->flags & ODD_BUSY)
		busy = open(row->interp ? row->interp : name,
		            O_WRONLY | O_CLOEXEC);
	compare(runner, row, name, row->path ? row->path : path);
	if (busy >= 0)
		close(busy);
}

int main(int argc, char **argv)
{
	struct runner runner = { 0 };

	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		list();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "write") == 0) {
		each(write_one, NULL);
		return 0;
	}
	if (argc < 3 || strcmp(argv[1], "run") != 0) {
		fprintf(stderr,
		        "Usage: odd list | write | run GOLOAD [CASE]\n");
		return 2;
	}
	runner.goload = argv[2];
	runner.only = argv[3];
	each(run_one, &runner);
	printf("%d cases, %d differ", runner.sums.cases, runner.sums.differ);
	if (runner.sums.deliberate)
		printf(", %d deliberately", runner.sums.deliberate);
	printf("\n");
	return runner.sums.differ != 0;
}
