/*
 * floor - goload floor PROGRAM: the smallest limits of memory under which it
 * runs, and the reservation that breaks below them.
 *
 * Values are tried on the program as it is: with goload in its process they
 * would be goload's, too.  Then it runs under goload once with one step less
 * than it needs, and with what goload takes on top, to see what fails.
 */
#include "observer/cli/cli.h"

#include "observer/cli/bisect.h"
#include "observer/cli/cgroup.h"
#include "observer/report/floor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KIB      1024ull
#define SECOND   1000000000ull
#define MOST     (1ull << 47) /* x86-64 has no more for programs */
#define STEP     (64 * KIB)
#define PATIENCE (10 * SECOND) /* more than ten times what it takes */
#define RUNS     3
#define MORE     4 /* times as many where not all pass */
#define TRIES    3 /* likewise, to see one fail under goload */

#define TOO_SOON "has not begun under goload when it is asked to end"

static const struct {
	int resource;
	enum ledger_limit counts;
	const char *doing;
} kinds[FLOORS] = {
	[FLOOR_ADDRESS_SPACE] = { RLIMIT_AS, LEDGER_ADDRESS_SPACE,
	                          "trying limits of address space" },
	[FLOOR_DATA] = { RLIMIT_DATA, LEDGER_DATA, "trying limits of data" },
	[FLOOR_CGROUP] = { .doing = "trying limits of a cgroup's memory" },
};

struct search {
	const struct cli_options *options;
	struct cli_trial trial;     /* without a limit */
	bool asked;                 /* it was ended by SIGTERM then */
	struct cli_opened opened;   /* a run without a limit, */
	struct ledger_lives *lives; /* and its mappings */
	struct below {              /* runs with one step less */
		struct cli_opened opened;
		struct ledger_refusals *refusals;
	} below[FLOORS];
	struct failure {
		uint64_t bytes; /* the largest limit that did not do, */
		int status;
		bool hung;
		char *said; /* and what the program made of it; or NULL */
	} failure;
	struct report_floor floor;
};

/* The control group of the trials, or NULL. */
static char *group;

static void remove_group(void)
{
	if (group)
		cgroup_remove(group);
	free(group);
	group = NULL;
}

static void no_memory(void)
{
	cli_fail(CLI_FAILED, NULL, ENOMEM, "cannot search");
}

static void say(const struct search *search, const char *what)
{
	if (!search->options->quiet)
		cli_progress(search->trial.argv[0], what);
}

/* ---- trials -------------------------------------------------------------- */

static struct cli_outcome run_once(const struct cli_trial *trial)
{
	struct cli_outcome outcome;

	if (!cli_try(trial, &outcome))
		cli_end(CLI_FAILED);
	return outcome;
}

/* Did it start, do and end what it does without a limit?  What is over in less
 * than its time may take longer. */
static bool passed(const struct search *search,
                   const struct cli_outcome *outcome)
{
	return cli_went_well(outcome) &&
	       (!search->trial.run_for || outcome->asked || !search->asked);
}

/* A line that begins so tells more than the last one. */
static bool tells(const char *line)
{
	return strncmp(line, "fatal error: ", 13) == 0 ||
	       strncmp(line, "panic: ", 7) == 0;
}

/* What the program said of it: to be freed, or NULL. */
static char *said(const struct cli_outcome *outcome)
{
	char text[65536], *rest = text, *line, *best = NULL;
	ssize_t size = pread(outcome->output, text, sizeof(text) - 1, 0);

	text[size > 0 ? size : 0] = 0;
	while ((line = strsep(&rest, "\n"))) {
		if (*line)
			best = line;
		if (tells(line))
			break;
	}
	return best ? strdup(best) : NULL;
}

static void note_failure(struct failure *failure, uint64_t bytes,
                         const struct cli_outcome *outcome)
{
	if (bytes <= failure->bytes)
		return;
	free(failure->said);
	*failure = (struct failure){ bytes, outcome->status, outcome->hung,
		                     said(outcome) };
}

/* Does it pass under so many bytes? */
static bool passes(struct search *search, enum report_limit which,
                   uint64_t bytes)
{
	const struct cli_limit limit = { kinds[which].resource, bytes };
	struct cli_trial trial = search->trial;
	struct cli_outcome outcome;
	bool pass;

	if (which == FLOOR_CGROUP) {
		trial.cgroup = group;
		if (!cgroup_limit(group, bytes))
			cli_fail(CLI_FAILED, group, errno, "cannot be limited");
	} else {
		trial.limit = &limit;
		trial.limits = 1;
	}
	outcome = run_once(&trial);
	pass = passed(search, &outcome);
	if (!pass)
		note_failure(&search->failure, bytes, &outcome);
	cli_forget(&outcome);
	return pass;
}

/* How many of `runs` pass. */
static int count_passed(struct search *search, enum report_limit which,
                        uint64_t bytes, int runs)
{
	int count = 0;

	while (runs-- > 0)
		count += passes(search, which, bytes);
	return count;
}

/* Do all of them?  Ends with the first that does not. */
static bool all_pass(struct search *search, enum report_limit which,
                     uint64_t bytes, int runs)
{
	while (runs > 0 && passes(search, which, bytes))
		runs--;
	return runs == 0;
}

/* ---- the value ----------------------------------------------------------- */

/* The largest that can be set. */
static uint64_t most_of(enum report_limit which)
{
	struct rlimit limit;

	if (which == FLOOR_CGROUP)
		return (uint64_t)sysconf(_SC_PHYS_PAGES) *
		       (uint64_t)sysconf(_SC_PAGESIZE);
	if (getrlimit((__rlimit_resource_t)kinds[which].resource, &limit) < 0 ||
	    limit.rlim_max > MOST)
		return MOST;
	return limit.rlim_max;
}

/* Where to begin. */
static uint64_t guess_of(const struct search *search, enum report_limit which)
{
	struct ledger_strain strain;

	if (which == FLOOR_CGROUP)
		return search->opened.ledger->resident;
	if (!ledger_strain(search->lives, kinds[which].counts, 0, &strain))
		no_memory();
	return strain.peak;
}

/* One run each is enough where all of them pass and none with one step less.
 * Else the program does not need the same each time: the value goes up until
 * all of more runs pass. */
static void search_limit(struct search *search, enum report_limit which)
{
	struct report_floor_limit *limit = &search->floor.limit[which];
	uint64_t step = search->floor.step, value;
	struct bisect bisect;
	int runs = 1;
	bool pass;

	bisect_begin(&bisect, guess_of(search, which) / step + 1,
	             most_of(which) / step);
	for (;;) {
		while ((value = bisect_next(&bisect)))
			bisect_tell(
				&bisect, value,
				all_pass(search, which, value * step, runs));
		value = bisect.passes;
		if (!value || runs > 1)
			break;
		runs = search->floor.runs;
		pass = all_pass(search, which, value * step, runs);
		if (pass &&
		    (value == 1 ||
		     !count_passed(search, which, (value - 1) * step, runs)))
			break;
		runs *= MORE;
		bisect_tell(
			&bisect, value,
			pass && all_pass(search, which, value * step, runs));
	}
	limit->bytes = value * step;
	limit->runs = runs;
	if (!limit->bytes)
		limit->reason =
			strdup("it does not pass under any that can be set");
}

/* Less memory can be enough where more is not: Go does not notice that some
 * large reservations have failed.  Tried further and further below. */
static uint64_t passes_again(struct search *search, enum report_limit which,
                             uint64_t floor, int runs)
{
	uint64_t step = search->floor.step;

	for (uint64_t less = 2 * step; less < floor; less *= 2)
		if (all_pass(search, which, floor - less, runs))
			return floor - less;
	return 0;
}

/* ---- what breaks below it ------------------------------------------------ */

static void set_site(struct report_break *breaks,
                     const struct ledger_event *event,
                     const struct ledger_site *site)
{
	char text[LEDGER_CALL_NAME];

	if (event && event->event->call < TRACE_FACT)
		snprintf(breaks->call, sizeof(breaks->call), "%s",
		         ledger_call_name(text, event->event->call));
	breaks->place = site->place;
	breaks->bytes = site->bytes;
}

static void close_below(struct below *below)
{
	ledger_refusals_free(below->refusals);
	if (below->opened.run)
		cli_close_run(&below->opened);
	*below = (struct below){ 0 };
}

/* The last call that failed in a run that ended as the program did. */
static bool take_failed(struct search *search, enum report_limit which,
                        const struct cli_outcome *outcome)
{
	struct report_break *breaks = &search->floor.limit[which].breaks;
	struct below *below = &search->below[which];
	const struct ledger_refused *last;

	if (outcome->hung != breaks->hung ||
	    outcome->status != breaks->status ||
	    cli_read_outcome(search->trial.argv[0], outcome, &below->opened) <=
	            0)
		return false;
	below->refusals = ledger_refusals(below->opened.run, cli_name,
	                                  below->opened.names);
	if (!below->refusals)
		no_memory();
	if (below->refusals->count == 0) {
		close_below(below);
		return false;
	}
	last = &below->refusals->refused[below->refusals->count - 1];
	breaks->how = BREAK_FAILED;
	breaks->kind = last->kind;
	breaks->owner = last->owner;
	set_site(breaks, last->event, &last->site);
	return true;
}

/* What goload has in the process counts against the limit, too: so much more it
 * is.  Where not every run fails natively, it may take some. */
static void find_reservation(struct search *search, enum report_limit which,
                             uint64_t bytes)
{
	struct report_floor_limit *floor = &search->floor.limit[which];
	uint64_t page = search->opened.run->page_size;
	struct cli_trial trial = search->trial;
	struct ledger_strain strain;
	struct cli_limit limit;
	bool found = false;

	if (!ledger_strain(search->lives, kinds[which].counts, bytes, &strain))
		no_memory();
	limit = (struct cli_limit){ kinds[which].resource, bytes + strain.own };
	trial.native = false;
	trial.limit = &limit;
	trial.limits = 1;
	for (int i = 0; !found && i <= TRIES * floor->below_passed; i++) {
		struct cli_outcome outcome = run_once(&trial);

		found = take_failed(search, which, &outcome);
		cli_forget(&outcome);
	}
	if (found || !strain.over)
		return;
	floor->breaks.how = BREAK_REPLAYED;
	floor->breaks.kind = strain.over->kind;
	floor->breaks.owner = strain.over->owner;
	set_site(&floor->breaks, strain.over->event, &strain.over->site);
	/* not the part of it that is left */
	if (strcmp(floor->breaks.call, "mmap") == 0)
		floor->breaks.bytes =
			(strain.over->event->event->args[1] + page - 1) & -page;
}

/* What cannot be given back when a cgroup has no memory left.  Code is a
 * file's: it is anonymous where goload has patched it. */
static uint64_t kept(const struct ledger_row *row)
{
	size_t size = strlen(row->kind);

	if (size >= 4 && strcmp(row->kind + size - 4, "text") == 0)
		return 0;
	return row->anonymous + row->shared;
}

/* There no reservation fails: what is resident is what is too much. */
static void find_resident(const struct ledger *ledger,
                          struct report_break *breaks)
{
	const struct ledger_row *most = ledger->row;

	for (size_t i = 1; i < ledger->row_count; i++)
		if (kept(&ledger->row[i]) > kept(most))
			most = &ledger->row[i];
	breaks->how = BREAK_RESIDENT;
	if (ledger->row_count == 0)
		return;
	breaks->kind = most->kind;
	breaks->owner = most->owner;
	breaks->bytes = kept(most);
	if (most->site_count)
		breaks->place = most->site->place;
}

/* With one step less: the search has seen it fail. */
static void look_below(struct search *search, enum report_limit which)
{
	struct report_floor_limit *limit = &search->floor.limit[which];
	uint64_t bytes = limit->bytes - search->floor.step;
	struct report_break *breaks = &limit->breaks;

	breaks->status = search->failure.status;
	breaks->hung = search->failure.hung;
	breaks->said = search->failure.said;
	search->failure.said = NULL;
	limit->below_passed = count_passed(search, which, bytes, limit->runs);
	if (which == FLOOR_CGROUP)
		find_resident(search->opened.ledger, breaks);
	else
		find_reservation(search, which, bytes);
	limit->again = passes_again(search, which, limit->bytes, limit->runs);
}

static void find(struct search *search, enum report_limit which)
{
	struct report_floor_limit *limit = &search->floor.limit[which];

	say(search, kinds[which].doing);
	free(search->failure.said);
	search->failure = (struct failure){ 0 };
	search_limit(search, which);
	if (limit->bytes > search->floor.step)
		look_below(search, which);
}

static void find_cgroup(struct search *search)
{
	char name[64];

	snprintf(name, sizeof(name), "goload.floor.%d", (int)getpid());
	cli_before_end(remove_group);
	group = cgroup_make(name, &search->floor.limit[FLOOR_CGROUP].reason);
	if (group)
		find(search, FLOOR_CGROUP);
	remove_group();
}

/* ---- without a limit ----------------------------------------------------- */

/* `where`: "without a limit" */
static void refuse(const struct cli_outcome *outcome, const char *object,
                   const char *where)
{
	char text[64];

	cli_progress_end();
	cli_show_output(outcome);
	if (outcome->refused)
		cli_fail(CLI_FAILED, object, 0, "%s",
		         outcome->asked ? TOO_SOON : "cannot be run");
	if (outcome->hung)
		snprintf(text, sizeof(text), "it hangs");
	else if (outcome->driver > 0)
		snprintf(text, sizeof(text), "its driver failed");
	else if (WIFSIGNALED(outcome->status))
		snprintf(text, sizeof(text), "killed by signal %d",
		         WTERMSIG(outcome->status));
	else
		snprintf(text, sizeof(text), "exit status %d",
		         WEXITSTATUS(outcome->status));
	cli_fail(CLI_FAILED, object, 0, "does not pass %s: %s", where, text);
}

/* The program as it is, then under goload. */
static void run_free(struct search *search)
{
	const char *object = search->trial.argv[0];
	uint64_t began = cli_now();
	struct cli_outcome outcome;

	close(cli_open(NULL, search->trial.argv).fd); /* or not found */
	say(search, "running without a limit");
	outcome = run_once(&search->trial);
	if (!cli_went_well(&outcome))
		refuse(&outcome, object, "without a limit");
	search->asked = outcome.asked;
	cli_forget(&outcome);
	search->trial.patience = PATIENCE + 10 * (cli_now() - began);
	search->trial.native = false;
	outcome = run_once(&search->trial);
	if (!passed(search, &outcome))
		refuse(&outcome, object, "under goload");
	if (cli_read_outcome(object, &outcome, &search->opened) <= 0)
		cli_fail(CLI_FAILED, object, 0, TOO_SOON);
	search->trial.native = true;
	search->lives = ledger_lives(search->opened.ledger, cli_name,
	                             search->opened.names);
	if (!search->lives)
		no_memory();
	search->floor.ledger = search->opened.ledger;
	cli_forget(&outcome);
}

static void clean_up(struct search *search)
{
	for (int i = 0; i < FLOORS; i++) {
		struct report_floor_limit *limit = &search->floor.limit[i];

		free(limit->reason);
		free(limit->breaks.said);
		close_below(&search->below[i]);
	}
	free(search->failure.said);
	ledger_lives_free(search->lives);
	cli_close_run(&search->opened);
}

/* ---- options ------------------------------------------------------------- */

static uint64_t step_of(const char *text)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), bytes;
	char *unit;

	if (!text)
		return STEP;
	bytes = *text >= '0' && *text <= '9' ? strtoull(text, &unit, 10) : 0;
	if (bytes && bytes < MOST && strcmp(unit, "K") == 0)
		bytes *= KIB;
	else if (bytes && bytes < MOST && strcmp(unit, "M") == 0)
		bytes *= KIB * KIB;
	else if (bytes && *unit)
		bytes = 0;
	if (bytes == 0 || bytes % page || bytes > MOST)
		cli_misused("floor", "--step", "takes whole pages: 64K, 4096");
	return bytes;
}

int cli_floor(const struct cli_options *options)
{
	struct search search = {
		.options = options,
		.trial = { .argv = options->operand,
		           .native = true,
		           .drive = options->drive },
		.floor = { .step = step_of(options->step),
		           .runs = cli_runs("floor", options->runs, RUNS) },
	};
	struct report_style style;
	FILE *out;

	search.trial.run_for =
		cli_duration("floor", "--for", options->run_for, 0);
	run_free(&search);
	find(&search, FLOOR_ADDRESS_SPACE);
	find(&search, FLOOR_DATA);
	find_cgroup(&search);
	cli_progress_end();
	out = cli_open_output(options, &search.opened, 1);
	style = cli_style(out, options);
	if (options->format == REPORT_JSON)
		report_floor_json(out, &search.floor);
	else
		report_floor_text(out, &search.floor, &style);
	cli_close_output(out, options->output);
	clean_up(&search);
	return CLI_OK;
}
