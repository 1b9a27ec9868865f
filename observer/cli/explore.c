/*
 * explore - goload inject --explore: the program once for each place that its
 * memory calls come from, with the first call there failing.
 *
 * A program that goes on after a failure goes another way: places that only
 * then show are tried as well, behind that failure, until there are no more.
 */
#include "observer/cli/cli.h"

#include "observer/report/explore.h"
#include "observer/symbol/symbol.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE 10000000000ull /* ns */
#define MOST     4096           /* places that are tried */
#define LINE     400            /* of what a program has said */
#define TRIES    6 /* threads take turns: a call may not come in each run */
#define CHAIN    8 /* failures that one is tried behind, most */

struct exploring {
	const struct cli_options *options;
	struct cli_trial trial;
	int status;  /* when nothing fails */
	bool well;   /* likewise: cli_went_well() */
	char *usual; /* likewise: its output */
	struct report_place *place;
	size_t count, room;
	size_t tried; /* places, the first ones */
};

static void no_memory(void)
{
	cli_fail(CLI_FAILED, NULL, ENOMEM, "cannot explore");
}

/* ---- places
 * ---------------------------------------------------------------------- */

static char *copy(const char *text)
{
	char *to = text ? strdup(text) : NULL;

	if (text && !to)
		no_memory();
	return to;
}

static struct report_place *find(struct exploring *exploring, uint32_t id)
{
	for (size_t i = 0; i < exploring->count; i++)
		if (exploring->place[i].id == id)
			return &exploring->place[i];
	return NULL;
}

static void add(struct exploring *exploring, uint32_t call,
                const struct ledger_caller *caller, size_t shown_by)
{
	struct report_place *place;
	char text[LEDGER_CALL_NAME];

	if (exploring->count == exploring->room) {
		exploring->room = exploring->room ? 2 * exploring->room : 64;
		exploring->place =
			realloc(exploring->place,
		                exploring->room * sizeof(*exploring->place));
		if (!exploring->place)
			no_memory();
	}
	place = &exploring->place[exploring->count++];
	*place = (struct report_place){
		.id = caller->id,
		.kind = copy(caller->kind),
		.function = copy(caller->place.function),
		.file = copy(caller->place.file),
		.line = caller->place.line,
		.calls = 1,
		.shown_by = shown_by,
	};
	snprintf(place->call, sizeof(place->call), "%s",
	         ledger_call_name(text, call));
}

/* The places of a run that are new.  `now` is the number of the place that it
 * was for, from 1, or 0: did a call from there fail? */
static bool learn(struct exploring *exploring, const struct ledger_run *run,
                  struct ledger_callers *callers, size_t now)
{
	bool reached = false;

	for (size_t i = 0; i < run->event_count; i++) {
		const struct trace_event *event = run->event[i].event;
		struct report_place *place;
		struct ledger_caller caller;

		if (!ledger_may_fail(event))
			continue;
		caller = ledger_caller_of(callers, &run->event[i]);
		place = find(exploring, caller.id);
		reached |= place &&
		           place - exploring->place + 1 == (ptrdiff_t)now &&
		           event->flags & TRACE_INJECTED;
		if (!place)
			add(exploring, event->call, &caller, now);
		else if (place && place->shown_by == now)
			place->calls++;
	}
	return reached;
}

/* A program that goload has killed may take its run with it. */
static bool learn_from(struct exploring *exploring,
                       const struct cli_outcome *outcome, size_t now)
{
	const char *object = exploring->trial.argv[0];
	enum file_error error = FILE_OK;
	struct ledger_callers *callers;
	struct cli_names *names;
	struct symbol_bytes bytes;
	struct ledger_run *run;
	bool reached;

	if (!symbol_map(outcome->run, &bytes))
		cli_fail(CLI_FAILED, object, errno, "left no run");
	run = ledger_read(bytes.at, bytes.size, &error);
	if (!run)
		cli_fail(CLI_FAILED, object, 0, "left no run: %s",
		         file_strerror(error));
	if (!cli_is_whole(run) && !outcome->hung)
		cli_fail(CLI_FAILED, object, 0,
		         "left a run that is not whole: is there room in "
		         "TMPDIR?");
	names = cli_names_open(run);
	callers = ledger_callers_open(run, cli_name, names);
	if (!callers)
		no_memory();
	reached = learn(exploring, run, callers, now);
	ledger_callers_close(callers);
	cli_names_close(names);
	ledger_run_free(run);
	symbol_unmap(&bytes);
	return reached;
}

/* ---- trials
 * ---------------------------------------------------------------------- */

/* What was captured, with NUL; NULs in it become blanks. */
static char *output_of(const struct cli_outcome *outcome)
{
	struct stat st = { 0 };
	ssize_t size = 0;
	char *text;

	if (outcome->output >= 0)
		fstat(outcome->output, &st);
	text = calloc(1, (size_t)st.st_size + 1);
	if (!text)
		no_memory();
	if (st.st_size)
		size = pread(outcome->output, text, (size_t)st.st_size, 0);
	for (ssize_t i = 0; i < size; i++)
		text[i] = text[i] ? text[i] : ' ';
	return text;
}

/* Ends the process where goload itself could not run the program. */
static void expect_run(const struct exploring *exploring,
                       const struct cli_outcome *outcome, size_t place)
{
	char *said;

	if (!outcome->refused && outcome->run)
		return;
	said = output_of(outcome); /* goload record says why */
	cli_progress_end();
	fputs(said, stderr);
	free(said);
	if (!place)
		cli_end_as(outcome->status);
	cli_fail(CLI_FAILED, exploring->trial.argv[0], 0,
	         "cannot be run for place %zu", place);
}

static void run_usual(struct exploring *exploring)
{
	struct cli_outcome outcome;

	if (!cli_try(&exploring->trial, &outcome))
		cli_end(CLI_FAILED);
	expect_run(exploring, &outcome, 0);
	if (outcome.hung)
		cli_fail(CLI_FAILED, exploring->trial.argv[0], 0,
		         "does not end by itself: use --drive, --for or a "
		         "longer --patience");
	exploring->status = outcome.status;
	exploring->well = cli_went_well(&outcome);
	exploring->usual = output_of(&outcome);
	learn_from(exploring, &outcome, 0);
	if (!exploring->count)
		cli_fail(CLI_FAILED, exploring->trial.argv[0], 0,
		         "makes no memory call");
	cli_forget(&outcome);
}

/* In the usual way, whatever status that has. */
static bool is_as_ever(const struct exploring *exploring,
                       const struct cli_outcome *outcome)
{
	return exploring->well ? cli_went_well(outcome)
	                       : outcome->status == exploring->status;
}

static void judge(struct exploring *exploring, size_t i,
                  const struct cli_outcome *outcome, bool reached)
{
	struct report_place *place = &exploring->place[i];
	char *output = output_of(outcome), said[LINE];
	const struct report_ending ending = {
		.reached = reached,
		.hung = outcome->hung,
		.as_ever = is_as_ever(exploring, outcome),
		.status = outcome->status,
		.output = output,
	};

	free(place->said);
	place->said = NULL;
	place->outcome = report_outcome_of(&ending);
	place->status = outcome->status;
	if (report_telling_line(output, exploring->usual, said, sizeof(said)))
		place->said = copy(said);
	free(output);
}

static void say_progress(const struct exploring *exploring, size_t i)
{
	char text[64];

	if (exploring->options->quiet)
		return;
	snprintf(text, sizeof(text), "trying place %zu of %zu", i + 1,
	         exploring->count);
	cli_progress(exploring->trial.argv[0], text);
}

struct rules {
	char text[CHAIN + 1][64];
	const char
		*option[2 * (CHAIN + 1) + 1]; /* as goload record takes them */
	size_t count;
};

static void add_rule(struct rules *rules, const struct report_place *place)
{
	char *text = rules->text[rules->count];

	snprintf(text, sizeof(*rules->text), "%s:ENOMEM:at=%08x:when=1",
	         place->call, place->id);
	rules->option[2 * rules->count] = "--fail";
	rules->option[2 * rules->count + 1] = text;
	rules->count++;
}

/* The place, and those that were failing when it showed. */
static void add_rules(struct rules *rules, const struct exploring *exploring,
                      size_t i, bool behind)
{
	const struct report_place *place = &exploring->place[i];

	add_rule(rules, place);
	while (behind && place->shown_by && rules->count <= CHAIN) {
		place = &exploring->place[place->shown_by - 1];
		add_rule(rules, place);
	}
}

/* Did the call come? */
static bool try_once(struct exploring *exploring, size_t i, bool behind)
{
	struct cli_trial trial = exploring->trial;
	struct cli_outcome outcome;
	struct rules rules = { 0 };
	bool reached;

	add_rules(&rules, exploring, i, behind);
	trial.options = rules.option;
	exploring->place[i].behind = behind;
	if (!cli_try(&trial, &outcome))
		cli_end(CLI_FAILED);
	expect_run(exploring, &outcome, i + 1);
	reached = learn_from(exploring, &outcome, i + 1);
	judge(exploring, i, &outcome, reached);
	cli_forget(&outcome);
	return reached;
}

/* What showed behind a failure may have come by chance just then. */
static void try_place(struct exploring *exploring, size_t i)
{
	bool shown = exploring->place[i].shown_by != 0, reached = false;

	for (int n = 0; n < TRIES && !reached; n++)
		reached = try_once(exploring, i, shown && n % 2 == 0);
}

/* ---- the whole
 * -------------------------------------------------------------------- */

static void print(const struct exploring *exploring)
{
	const struct cli_options *options = exploring->options;
	const struct report_explored explored = {
		.program = exploring->trial.argv[0],
		.place = exploring->place,
		.count = exploring->count,
		.tried = exploring->tried,
	};
	FILE *out = cli_open_output(options, NULL, 0);
	const struct report_style style = cli_style(out, options);

	if (options->format == REPORT_JSON)
		report_explored_json(out, &explored);
	else
		report_explored_text(out, &explored, &style);
	cli_close_output(out, options->output);
}

static void free_places(struct exploring *exploring)
{
	for (size_t i = 0; i < exploring->count; i++) {
		free(exploring->place[i].kind);
		free(exploring->place[i].function);
		free(exploring->place[i].file);
		free(exploring->place[i].said);
	}
	free(exploring->place);
	free(exploring->usual);
}

int cli_explore(const struct cli_options *options)
{
	struct exploring exploring = {
		.options = options,
		.trial = {
			.argv = options->operand,
			.drive = options->drive,
			.run_for = cli_duration("inject", "--for",
			                        options->run_for, 0),
			.patience = cli_duration("inject", "--patience",
			                         options->patience, PATIENCE),
		},
	};

	cli_expect_output(options);
	if (!options->quiet)
		cli_progress(options->operand[0], "running as it is");
	run_usual(&exploring);
	while (exploring.tried < exploring.count && exploring.tried < MOST) {
		say_progress(&exploring, exploring.tried);
		try_place(&exploring, exploring.tried++);
	}
	cli_progress_end();
	print(&exploring);
	free_places(&exploring);
	return CLI_OK;
}
