/*
 * compare - goload compare A B: run files, or programs that are run for it, A
 * and B in turn, each as often as asked for.
 */
#include "observer/cli/cli.h"

#include "observer/record/record.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES  3 /* of a setting: runs vary by themselves */
#define LIMITS 8

struct side {
	const char *word;
	bool is_run; /* it is a run file, else a program: */
	char **argv;
	const char **set; /* of --what-if: VAR=VALUE ... */
	struct cli_limit limit[LIMITS];
	int limits;
	struct cli_opened last; /* the run that was read last */
};

struct comparing {
	const struct cli_options *options;
	struct report_compare *compare;
	struct side side[2];
	int runs;
	uint64_t run_for;
};

static void short_of_memory(void)
{
	cli_fail(CLI_FAILED, NULL, ENOMEM, "cannot compare the ledgers");
}

/* ---- what is asked for --------------------------------------------------- */

/* "ulimit -s 1024", in KiB as shells have it. */
static bool read_limit(const char *text, struct cli_limit *limit)
{
	static const struct {
		char name;
		int resource;
	} known[] = { { 's', RLIMIT_STACK },
		      { 'v', RLIMIT_AS },
		      { 'd', RLIMIT_DATA } };
	char name, rest, number[32];
	char *end;

	if (sscanf(text, "ulimit -%c %31s %c", &name, number, &rest) != 2)
		return false;
	limit->resource = -1;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].name == name)
			limit->resource = known[i].resource;
	if (limit->resource < 0)
		return false;
	if (strcmp(number, "unlimited") == 0) {
		limit->bytes = RLIM_INFINITY;
		return true;
	}
	errno = 0;
	limit->bytes = strtoull(number, &end, 10);
	return *number >= '0' && *number <= '9' && !*end && !errno &&
	       !__builtin_mul_overflow(limit->bytes, 1024, &limit->bytes);
}

static void take_setting(struct side *side, const char *word, int *settings)
{
	const char *equals = strchr(word, '=');

	if (strncmp(word, "ulimit ", 7) == 0) {
		if (side->limits == LIMITS ||
		    !read_limit(word, &side->limit[side->limits++]))
			cli_misused("compare", word,
			            "is no limit: 'ulimit -s 1024', -v or -d");
	} else if (equals && equals > word) {
		side->set[(*settings)++] = word;
	} else {
		cli_misused("compare", word,
		            "is no setting: VAR=VALUE, or 'ulimit -s KIB'");
	}
}

/* Side B is A with the settings, which go into one line: "GOGC=50, ..." */
static void take_settings(struct comparing *comparing,
                          const struct cli_list *what_if)
{
	struct side *side = &comparing->side[REPORT_B];
	char *words = NULL;
	size_t size;
	FILE *out = open_memstream(&words, &size);
	int settings = 0;

	side->set = calloc((size_t)what_if->count + 1, sizeof(*side->set));
	if (!out || !side->set)
		short_of_memory();
	for (int i = 0; i < what_if->count; i++) {
		take_setting(side, what_if->word[i], &settings);
		fprintf(out, "%s%s", i ? ", " : "", what_if->word[i]);
	}
	if (fclose(out) != 0 ||
	    !report_compare_what_if(comparing->compare, words))
		short_of_memory();
	free(words);
}

static void take_options(struct comparing *comparing)
{
	const struct cli_options *options = comparing->options;

	if (options->format == REPORT_HTML)
		cli_expect_page_file("compare", options);
	comparing->runs = cli_runs("compare", options->runs,
	                           options->what_if.count ? TRIES : 1);
	comparing->run_for =
		cli_duration("compare", "--for", options->run_for, 0);
	if (options->what_if.count)
		take_settings(comparing, &options->what_if);
}

/* What is behind -- is for both programs. */
static char **argv_of(const struct cli_options *options, const char *word)
{
	char **argv = calloc((size_t)options->behind + 2, sizeof(*argv));

	if (!argv)
		short_of_memory();
	argv[0] = (char *)word;
	memcpy(argv + 1, options->operand + options->operands - options->behind,
	       (size_t)options->behind * sizeof(*argv));
	return argv;
}

static bool is_elf(int fd)
{
	char magic[SELFMAG];

	return pread(fd, magic, SELFMAG, 0) == SELFMAG &&
	       memcmp(magic, ELFMAG, SELFMAG) == 0;
}

/* So that a word that is neither is known before anything has run. */
static void expect_program(char **argv)
{
	bool neither = false;
	struct stat st;

	if (stat(argv[0], &st) == 0 && strchr(argv[0], '/'))
		neither = !S_ISREG(st.st_mode) || !record_may_run(argv[0]);
	if (!neither) {
		int fd = cli_open(NULL, argv).fd;

		neither = !is_elf(fd);
		close(fd);
	}
	if (neither)
		cli_fail(CLI_FAILED, argv[0], 0,
		         "is neither a run file nor a program");
}

static void take_word(struct comparing *comparing, int which, const char *word)
{
	struct side *side = &comparing->side[which];

	side->word = word;
	side->is_run = cli_is_run(word);
	if (side->is_run)
		return;
	side->argv = argv_of(comparing->options, word);
	expect_program(side->argv);
}

static void take_words(struct comparing *comparing)
{
	const struct cli_options *options = comparing->options;
	int words = options->operands - options->behind;
	int wanted = options->what_if.count ? 1 : 2;
	char **word = options->operand;

	if (words != wanted)
		cli_misused("compare", words > wanted ? word[wanted] : NULL,
		            wanted == 1 ? "--what-if is about one program"
		                        : "two programs or run files are "
		                          "compared");
	for (int i = 0; i < 2; i++)
		take_word(comparing, i, word[i < wanted ? i : 0]);
	if (wanted == 1 && comparing->side[REPORT_A].is_run)
		cli_misused("compare", word[0],
		            "is a run file: --what-if runs a program");
	if (!comparing->side[REPORT_A].is_run ||
	    !comparing->side[REPORT_B].is_run)
		return;
	if (options->behind)
		cli_misused("compare", word[words],
		            "is for a program, and both are run files");
	if (options->runs || options->keep || options->drive ||
	    options->run_for)
		cli_misused("compare", NULL,
		            "both are run files: nothing is run");
}

/* ---- a run --------------------------------------------------------------- */

static void take_ledger(struct comparing *comparing, int which,
                        struct cli_opened opened)
{
	struct side *side = &comparing->side[which];
	struct ledger_lives *lives =
		ledger_lives(opened.ledger, cli_name, opened.names);

	if (!report_compare_add(comparing->compare, which, opened.ledger,
	                        lives))
		short_of_memory();
	ledger_lives_free(lives);
	if (side->last.run)
		cli_close_run(&side->last);
	side->last = opened;
}

/* DIR/a-3.run, which must not be there yet; NULL: a temporary one. */
static char *name_run(const struct comparing *comparing, int which, int run)
{
	const char *directory = comparing->options->keep;
	char *path;

	if (!directory)
		return NULL;
	if (asprintf(&path, "%s/%c-%d.run", directory, 'a' + which, run) < 0)
		short_of_memory();
	return path;
}

static void write_end(FILE *out, const struct cli_outcome *outcome, int limits)
{
	if (outcome->asked && outcome->driver > 0)
		fputs("the command of --drive failed", out);
	else if (outcome->refused)
		fputs(outcome->asked ? "was ended before it began"
		      : limits       ? "cannot be run under this limit"
		                     : "cannot be run under goload",
		      out);
	else if (WIFSIGNALED(outcome->status))
		fprintf(out, "was killed by signal %d",
		        WTERMSIG(outcome->status));
	else
		fprintf(out, "exited with %d", WEXITSTATUS(outcome->status));
}

/* What is compared has to be what was meant. */
static void fail_of(const struct comparing *comparing, int which, int run,
                    const struct cli_outcome *outcome)
{
	char *end = NULL;
	size_t size;
	FILE *out = open_memstream(&end, &size);

	if (out)
		write_end(out, outcome, comparing->side[which].limits);
	if (!out || fclose(out) != 0)
		short_of_memory();
	cli_complain(comparing->side[which].word, 0,
	             "%s, in run %d of %d of %c", end, run, comparing->runs,
	             'A' + which);
	cli_show_output(outcome);
	exit(outcome->refused && !outcome->asked ? CLI_CANNOT_LOAD
	                                         : CLI_FAILED);
}

/* Of one that is cut short the difference would be false. */
static struct cli_opened read_own(const struct comparing *comparing, int which,
                                  int run, const struct cli_outcome *outcome)
{
	const char *word = comparing->side[which].word;
	struct cli_opened opened;

	cli_progress(word, "reading");
	if (cli_read_outcome(word, outcome, &opened) > 0 &&
	    cli_is_whole(opened.run))
		return opened;
	cli_complain(word, 0, "its run is not whole, run %d of %d of %c", run,
	             comparing->runs, 'A' + which);
	cli_show_output(outcome);
	exit(CLI_FAILED);
}

static void run_side(struct comparing *comparing, int which, int run)
{
	const struct side *side = &comparing->side[which];
	char *path = name_run(comparing, which, run);
	char doing[64];
	struct cli_trial trial = {
		.argv = side->argv,
		.run = path,
		.set = side->set,
		.limit = side->limit,
		.limits = side->limits,
		.drive = comparing->options->drive,
		.run_for = comparing->run_for,
	};
	struct cli_outcome outcome;

	snprintf(doing, sizeof(doing), "run %d of %d, as %c", run,
	         comparing->runs, 'A' + which);
	cli_progress(side->word, doing);
	if (!cli_try(&trial, &outcome))
		exit(CLI_FAILED);
	cli_progress_end();
	if (!cli_went_well(&outcome))
		fail_of(comparing, which, run, &outcome);
	take_ledger(comparing, which,
	            read_own(comparing, which, run, &outcome));
	cli_progress_end();
	cli_forget(&outcome);
	free(path);
}

static void each_run(struct comparing *comparing,
                     void (*act)(struct comparing *comparing, int which,
                                 int run))
{
	for (int run = 1; run <= comparing->runs; run++)
		for (int which = REPORT_A; which <= REPORT_B; which++)
			if (!comparing->side[which].is_run)
				act(comparing, which, run);
}

/* ---- what is written ----------------------------------------------------- */

static bool is_in(const char *path, const char *folder)
{
	char *own = cli_folder_of(path);
	struct stat a, b;
	bool is = own && stat(own, &a) == 0 && stat(folder, &b) == 0 &&
	          a.st_dev == b.st_dev && a.st_ino == b.st_ino;

	free(own);
	return is;
}

static void expect_free(struct comparing *comparing, int which, int run)
{
	const char *output = comparing->options->output;
	const char *keep = comparing->options->keep;
	char *path = name_run(comparing, which, run);
	struct stat st;

	if (lstat(path, &st) == 0)
		cli_fail(CLI_FAILED, path, 0,
		         "exists already: remove it, or choose another name");
	if (output && strcmp(basename(output), basename(path)) == 0 &&
	    is_in(output, keep))
		cli_fail(CLI_FAILED, output, 0, "is a run file of --keep");
	free(path);
}

/* What cannot be written is known before anything has run. */
static void expect_files(struct comparing *comparing)
{
	const char *keep = comparing->options->keep;
	struct stat st;

	if (keep && mkdir(keep, 0777) < 0 && errno != EEXIST)
		cli_fail(CLI_FAILED, keep, errno, "cannot be made");
	cli_expect_output(comparing->options);
	if (!keep)
		return;
	if (stat(keep, &st) == 0 && !S_ISDIR(st.st_mode))
		cli_fail(CLI_FAILED, keep, 0, "is no directory");
	if (eaccess(keep, W_OK | X_OK) < 0)
		cli_fail(CLI_FAILED, keep, errno, "cannot be written");
	each_run(comparing, expect_free);
}

/* ---- the verb ------------------------------------------------------------ */

static void free_side(struct side *side)
{
	cli_close_run(&side->last);
	free(side->argv);
	free(side->set);
}

int cli_compare(const struct cli_options *options)
{
	struct comparing comparing = {
		.options = options,
		.compare = report_compare_open(),
	};
	struct side *side = comparing.side;
	struct report_style style;
	FILE *out;

	if (!comparing.compare)
		short_of_memory();
	take_options(&comparing);
	take_words(&comparing);
	for (int i = REPORT_A; i <= REPORT_B; i++)
		if (side[i].is_run)
			take_ledger(&comparing, i,
			            cli_open_run(side[i].word, "reading"));
	expect_files(&comparing);
	each_run(&comparing, run_side);
	cli_progress_end();
	cli_page(options);
	out = cli_open_output(
		options, (struct cli_opened[]){ side[0].last, side[1].last },
		2);
	style = cli_style(out, options);
	if (!report_compare(out, comparing.compare, options->format, &style))
		short_of_memory();
	cli_close_output(out, options->output);
	free_side(&side[REPORT_A]);
	free_side(&side[REPORT_B]);
	report_compare_free(comparing.compare);
	return CLI_OK;
}
