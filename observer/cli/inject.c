/*
 * inject - goload inject: a program whose memory calls fail or wait, and how it
 * takes that.  Without --explore its input, output and end are its own.
 */
#include "observer/cli/cli.h"

#include "observer/cli/decide.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* ---- options --------------------------------------------------------------
 */

static void check(const struct cli_options *options)
{
	bool rules = options->fail.count || options->delay.count;

	if (options->explore && rules)
		cli_misused("inject", "--explore",
		            "has rules of its own: no --fail, no --delay");
	if (!options->explore && !rules)
		cli_misused("inject", NULL,
		            "no --fail RULE, --delay RULE or --explore given");
	if (!options->explore && options->format != REPORT_TEXT)
		cli_misused("inject", "--format",
		            "is for --explore; goload report --format json has "
		            "what goload inject -o FILE keeps");
	/* whoever makes a mistake in a rule is told once */
	cli_decider_of("inject", options);
}

/* As goload record takes them. */
static const char **record_options(const struct cli_options *options)
{
	int count = options->fail.count + options->delay.count, at = 0;
	const char **words = calloc((size_t)(2 * count + 1), sizeof(*words));

	if (!words)
		cli_fail(CLI_FAILED, NULL, ENOMEM, "cannot hand on the rules");
	for (int i = 0; i < options->fail.count; i++) {
		words[at++] = "--fail";
		words[at++] = options->fail.word[i];
	}
	for (int i = 0; i < options->delay.count; i++) {
		words[at++] = "--delay";
		words[at++] = options->delay.word[i];
	}
	return words;
}

/* ---- what came of it
 * ----------------------------------------------------------- */

static void say_end(const struct cli_options *options,
                    const struct cli_outcome *outcome)
{
	const char *path = options->operand[0];
	int status = outcome->status;

	if (outcome->hung)
		cli_complain(path, 0, "hung, and was killed");
	else if (WIFEXITED(status))
		cli_complain(path, 0, "exited with %d", WEXITSTATUS(status));
	else if (outcome->asked && WTERMSIG(status) == SIGTERM)
		cli_complain(path, 0, "went on until it was asked to end");
	else
		cli_complain(path, 0, "was killed by SIG%s",
		             sigabbrev_np(WTERMSIG(status)));
	if (outcome->driver > 0)
		cli_complain(options->drive, 0, "has failed");
}

static void say_calls(const struct cli_options *options,
                      const struct cli_outcome *outcome)
{
	const struct report_style style = cli_style(stderr, options);
	const char *path = options->operand[0];
	struct cli_opened opened;
	int done = cli_read_outcome(path, outcome, &opened);

	if (done < 0)
		cli_complain(path, errno, "left no run");
	if (done <= 0)
		return;
	if (opened.ledger->injected_count)
		report_injected(stderr, opened.ledger, &style);
	else if (outcome->hung || outcome->asked) /* maybe in such a call */
		cli_complain(path, 0, "finished no call that a rule fits");
	else
		cli_complain(path, 0, "made no call that a rule fits");
	cli_close_run(&opened);
}

static int run(const struct cli_options *options)
{
	const char **words = record_options(options);
	const struct cli_trial trial = {
		.argv = options->operand,
		.run = options->output,
		.options = words,
		.own_output = true,
		.drive = options->drive,
		.run_for = cli_duration("inject", "--for", options->run_for, 0),
		.patience = cli_duration("inject", "--patience",
		                         options->patience, 0),
	};
	struct cli_outcome outcome;
	int status;

	if (!cli_try(&trial, &outcome))
		return CLI_FAILED;
	free(words);
	if (outcome.run && !options->quiet) {
		say_calls(options, &outcome);
		say_end(options, &outcome);
	}
	status = outcome.status;
	cli_forget(&outcome);
	cli_end_as(status);
}

int cli_inject(const struct cli_options *options)
{
	check(options);
	return options->explore ? cli_explore(options) : run(options);
}
