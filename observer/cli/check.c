/*
 * check - goload check: a program's run, or one that was recorded, held against
 * a budget.
 *
 * What the program fails with is how goload ends; over budget is 3.
 */
#include "observer/cli/cli.h"

#include "observer/report/budget.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum annotate {
	ANNOTATE_AUTO, /* where GitHub's runner is */
	ANNOTATE_GITHUB,
	ANNOTATE_NONE,
};

struct check {
	const struct cli_options *options;
	struct budget budget;
	struct budget_slack slack;
	const char *text; /* of the budget file, NULL: there is none yet */
	size_t size;
	uint64_t run_for;
	FILE *out; /* where the verdict goes */
	const char *program;
	bool over;
};

static void no_memory(void)
{
	cli_fail(CLI_FAILED, NULL, ENOMEM, "cannot check the budget");
}

/* ---- the budget
 * -------------------------------------------------------------- */

static void add_limit(struct check *check, const struct budget_limit *limit)
{
	if (!budget_add(&check->budget, limit))
		no_memory();
}

static void add_total(struct check *check, enum budget_what what,
                      const char *option, const char *text)
{
	struct budget_limit limit = { .what = what };
	size_t size = text ? strlen(text) : 0;

	if (!text)
		return;
	if (what == BUDGET_MAPPINGS && !budget_count(text, size, &limit.most))
		cli_misused("check", option, "takes a number");
	if (what != BUDGET_MAPPINGS && !budget_size(text, size, &limit.most))
		cli_misused("check", option, "takes a size: 64M, 1.5GiB");
	add_limit(check, &limit);
}

static void add_kind(struct check *check, const char *text)
{
	const char *equal = strrchr(text, '=');
	struct budget_limit limit = { .what = BUDGET_KIND };
	char *kind;

	if (!equal || equal == text ||
	    !budget_size(equal + 1, strlen(equal + 1), &limit.most))
		cli_misused("check", "--max",
		            "takes a kind and a size: heap=64M");
	kind = strndup(text, (size_t)(equal - text));
	if (!kind)
		no_memory();
	limit.kind = kind;
	add_limit(check, &limit);
	free(kind);
}

static void read_file(struct check *check)
{
	const char *path = check->options->budget;
	struct budget_error error;
	char object[4096];

	check->text = cli_map(path, &check->size);
	if (!check->text && errno == ENOENT && check->options->update)
		return;
	if (!check->text && errno)
		cli_fail(CLI_FAILED, path, errno, "cannot be read");
	if (!check->text) {
		check->text = "";
		check->size = 0;
	}
	if (budget_read(&check->budget, check->text, check->size, &error))
		return;
	if (!error.line)
		no_memory();
	snprintf(object, sizeof(object), "%s:%d", path, error.line);
	cli_fail(CLI_FAILED, object, 0, "%s", error.what);
}

static bool has_kinds(const struct budget *budget)
{
	for (size_t i = 0; i < budget->count; i++)
		if (budget->limit[i].what == BUDGET_KIND)
			return true;
	return false;
}

static void read_budget(struct check *check)
{
	const struct cli_options *options = check->options;

	check->budget.path = options->budget;
	if (options->budget)
		read_file(check);
	add_total(check, BUDGET_VM, "--max-vm", options->max_vm);
	add_total(check, BUDGET_RESERVED, "--max-reserved",
	          options->max_reserved);
	add_total(check, BUDGET_COMMITTED, "--max-committed",
	          options->max_committed);
	add_total(check, BUDGET_RESIDENT, "--max-rss", options->max_rss);
	add_total(check, BUDGET_MAPPINGS, "--max-mappings",
	          options->max_mappings);
	for (int i = 0; i < options->max.count; i++)
		add_kind(check, options->max.word[i]);
	if (options->no_new_kinds && !has_kinds(&check->budget))
		cli_misused("check", "--no-new-kinds",
		            "needs a budget that has kinds");
	check->budget.no_new_kinds |= options->no_new_kinds;
}

static void read_options(struct check *check)
{
	const struct cli_options *options = check->options;

	if (options->update && !options->budget)
		cli_misused("check", "--update", "needs a --budget FILE");
	if (options->slack && !options->update)
		cli_misused("check", "--slack", "is for --update");
	if (options->slack && !budget_read_slack(options->slack, &check->slack))
		cli_misused("check", "--slack", "takes a size or 5%");
	check->run_for = cli_duration("check", "--for", options->run_for, 0);
	read_budget(check);
	if (!check->budget.count && !check->budget.no_new_kinds &&
	    !options->update)
		cli_misused("check", options->budget, "no limit given");
}

/* ---- --update
 * ---------------------------------------------------------------- */

static void say_change(void *context, const char *line)
{
	const struct check *check = context;

	if (!check->options->quiet)
		cli_complain(check->options->budget, 0, "%s", line);
}

static bool write_text(FILE *out, const void *text)
{
	return fputs(text, out) >= 0 || ferror(out);
}

/* As that of the file, or as of any that is new. */
static mode_t mode_of(const char *path)
{
	mode_t mask = umask(0);
	struct stat st = { .st_mode = 0666 & ~mask };

	umask(mask);
	stat(path, &st);
	return st.st_mode & 0777;
}

static void update(struct check *check, const struct budget_found *found)
{
	const char *path = check->options->budget;
	char *text = budget_update(&check->budget, check->text, check->size,
	                           found, &check->slack, say_change, check);
	int error = 0;

	if (!text)
		no_memory();
	if (check->text && strlen(text) == check->size &&
	    memcmp(text, check->text, check->size) == 0) {
		say_change(check, "is left as it is: the run keeps to it");
	} else {
		error = cli_replace(path, mode_of(path), write_text, text);
	}
	if (error)
		cli_fail(CLI_FAILED, path, error, "cannot be written");
	free(text);
}

/* ---- the verdict
 * ------------------------------------------------------------- */

static bool wants_annotations(const struct cli_options *options)
{
	const char *there = getenv("GITHUB_ACTIONS");

	if (options->annotate == ANNOTATE_AUTO)
		return there && strcmp(there, "true") == 0;
	return options->annotate == ANNOTATE_GITHUB;
}

static void write_junit(const struct check *check,
                        const struct budget_verdict *verdict)
{
	const char *path = check->options->junit;
	FILE *out = fopen(path, "we");

	if (!out)
		cli_fail(CLI_FAILED, path, errno, "cannot be written");
	if (!budget_junit(out, verdict))
		no_memory();
	if (ferror(out) | fclose(out))
		cli_fail(CLI_FAILED, path, errno, "cannot be written");
}

/* A kind that is misspelt would never be over its limit. */
static void say_unknown_kinds(const struct check *check,
                              const struct budget_found *found)
{
	const struct budget *budget = &check->budget;

	for (size_t i = 0; i < budget->count; i++)
		if (budget->limit[i].what == BUDGET_KIND &&
		    !budget->limit[i].line &&
		    !budget_peak_of(found, &budget->limit[i]).value)
			cli_complain("--max", 0, "%s: the run has no such kind",
			             budget->limit[i].kind);
}

static void say_verdict(const struct check *check,
                        const struct budget_verdict *verdict)
{
	const struct cli_options *options = check->options;

	say_unknown_kinds(check, verdict->found);
	if (options->format == REPORT_JSON)
		budget_json(check->out, verdict);
	else if (verdict->count || !(options->quiet || verdict->failure))
		budget_text(check->out, verdict);
	fflush(check->out);
	if (wants_annotations(options)) {
		budget_github(stderr, verdict);
		fflush(stderr);
	}
	if (options->junit)
		write_junit(check, verdict);
}

/* Where paths of annotations begin. */
static char *root_of(void)
{
	const char *workspace = getenv("GITHUB_WORKSPACE");

	return workspace ? strdup(workspace) : getcwd(NULL, 0);
}

static void judge(struct check *check, const struct cli_opened *opened,
                  const struct budget_found *found, const char *failure)
{
	struct budget_verdict verdict;
	const char *path = check->options->budget;
	char *root = root_of(), *file = path ? realpath(path, NULL) : NULL;

	if (!budget_judge(&verdict, &check->budget, found))
		no_memory();
	verdict.frames =
		ledger_frames_open(opened->run, cli_name, opened->names);
	verdict.failure = failure;
	verdict.root = root;
	verdict.file = file;
	check->over = verdict.count > 0;
	say_verdict(check, &verdict);
	ledger_frames_close(verdict.frames);
	budget_verdict_free(&verdict);
	free(root);
	free(file);
}

/* What a run has not recorded no limit can hold. */
static void say_doubts(const struct check *check,
                       const struct cli_opened *opened)
{
	if (!opened->ledger->checked)
		cli_complain(check->program, 0,
		             "has no last look: the run was cut short");
	if (opened->ledger->lost)
		cli_complain(check->program, 0,
		             "made calls that were lost: limits may not hold");
}

static void act(struct check *check, const struct cli_opened *opened,
                const char *failure)
{
	struct ledger_lives *lives =
		ledger_lives(opened->ledger, cli_name, opened->names);
	struct budget_found found;

	if (!lives || !budget_find(&found, opened->ledger, lives))
		no_memory();
	say_doubts(check, opened);
	if (check->options->update && !failure)
		update(check, &found);
	else
		judge(check, opened, &found, failure);
	budget_found_free(&found);
	ledger_lives_free(lives);
}

/* ---- a run
 * --------------------------------------------------------------------- */

static int check_run(struct check *check)
{
	const struct cli_options *options = check->options;
	struct cli_opened opened;

	if (options->operands > 1)
		cli_misused("check", options->operand[1], "one run at a time");
	if (options->output || options->drive || options->run_for)
		cli_misused("check", options->operand[0],
		            "is a run: no -o, --drive or --for");
	if (!options->log)
		check->out = stdout;
	opened = cli_open_run(check->program, "reading");
	cli_progress_end();
	if (!cli_is_whole(opened.run))
		cli_fail(CLI_FAILED, check->program, 0,
		         "is cut short: nothing can be checked");
	act(check, &opened, NULL);
	cli_close_run(&opened);
	cli_close_output(check->out, options->log);
	return check->over ? CLI_OVER : CLI_OK;
}

/* ---- a program
 * ----------------------------------------------------------------- */

/* The wait status that goload ends with, unless it is 0: the program's own, or
 * that of what drives it. */
static int fault_of(const struct cli_outcome *outcome)
{
	if (!cli_ended_well(outcome))
		return outcome->status;
	return outcome->driver > 0 ? outcome->driver : 0;
}

/* "exited with 1"; NULL: all went well. */
static char *failure_of(const struct cli_outcome *outcome)
{
	const char *who = cli_ended_well(outcome) ? "--drive " : "";
	int fault = fault_of(outcome), done;
	char *text = NULL;

	if (!fault)
		return NULL;
	if (WIFEXITED(fault))
		done = asprintf(&text, "%sexited with %d", who,
		                WEXITSTATUS(fault));
	else
		done = asprintf(&text, "%swas killed by SIG%s", who,
		                sigabbrev_np(WTERMSIG(fault)));
	if (done < 0)
		no_memory();
	return text;
}

static void check_outcome(struct check *check,
                          const struct cli_outcome *outcome,
                          const char *failure)
{
	struct cli_opened opened;

	if (cli_read_outcome(check->program, outcome, &opened) > 0 &&
	    cli_is_whole(opened.run)) {
		act(check, &opened, failure);
		cli_close_run(&opened);
		return;
	}
	if (outcome->run)
		cli_complain(check->program, 0,
		             "its run is not whole: nothing can be checked");
	else if (!failure)
		cli_complain(check->program, 0,
		             "left no run: it was ended before it began");
	if (!failure)
		cli_end(CLI_FAILED);
}

static int check_program(struct check *check)
{
	const struct cli_options *options = check->options;
	const char *log = options->log ? cli_escape(options->log) : NULL;
	const char *const words[] = { "--log-file", log, NULL };
	const struct cli_trial trial = {
		.argv = options->operand,
		.run = options->output,
		.options = log ? words : NULL,
		.own_output = true,
		.drive = options->drive,
		.run_for = check->run_for,
	};
	struct cli_outcome outcome;
	char *failure;
	int fault;

	if (!cli_try(&trial, &outcome))
		return CLI_FAILED;
	failure = failure_of(&outcome);
	fault = fault_of(&outcome);
	if (failure &&
	    cli_ended_well(&outcome)) /* else it has said so itself */
		cli_complain(check->program, 0, "%s", failure);
	check_outcome(check, &outcome, failure);
	free(failure);
	cli_forget(&outcome);
	if (fault)
		cli_end_as(fault);
	return check->over ? CLI_OVER : CLI_OK;
}

static FILE *open_log(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "a");

	if (!out)
		cli_fail(CLI_FAILED, path, errno, "cannot be written");
	cli_say_to(fd);
	return out;
}

int cli_check(const struct cli_options *options)
{
	struct check check = { .options = options,
		               .out = stderr,
		               .program = options->operand[0] };
	int status;

	read_options(&check);
	if (options->log)
		check.out = open_log(options->log);
	status = cli_is_run(check.program) ? check_run(&check)
	                                   : check_program(&check);
	budget_free(&check.budget);
	return status;
}
