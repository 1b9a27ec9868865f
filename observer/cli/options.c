/*
 * options - the tables of verbs and options, their help and their parsing.
 *
 * Where a program is run, options stop at its name: what is behind it is the
 * program's own.  Elsewhere they may stand anywhere.
 */
#include "observer/cli/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

#define WIDTH  79 /* of help */
#define INDENT 27 /* of what an option does */

#define IN(verb) (1u << (verb))
#define RUNNING  (IN(CLI_RUN) | IN(CLI_RECORD))
#define TABLES                                                                 \
	(IN(CLI_REPORT) | IN(CLI_COMPARE) | IN(CLI_INSPECT) | IN(CLI_MAP))
#define TRYING                                                                 \
	(IN(CLI_COMPARE) | IN(CLI_CHECK) | IN(CLI_FLOOR) | IN(CLI_INJECT))
#define INTO(member) offsetof(struct cli_options, member)

const struct cli_option_row cli_options[] = {
	{ "-o", "--output", "FILE", INTO(output), RUNNING,
	  "keep the run in FILE, which must not exist yet",
	  "In its name %p stands for the process ID, %e for the name of the "
	  "program, %h for the name of the host, %t for the seconds since 1970, "
	  "%% for a percent sign." },
	{ "-o", "--output", "FILE", INTO(output),
	  IN(CLI_MAP) | IN(CLI_REPORT) | IN(CLI_COMPARE) | IN(CLI_EXPORT) |
		  IN(CLI_FLOOR),
	  "write to FILE instead of standard output",
	  "It must be none of the files that are read, and is left as it was when "
	  "one of them cannot be." },
	{ "-q", "--quiet", NULL, INTO(quiet), RUNNING,
	  "say nothing when all is well", NULL },
	{ NULL, "--log-file", "FILE", INTO(log), RUNNING,
	  "add what goload itself says to FILE, not to standard error",
	  "The ledger is a part of that. In the name % has the same meanings as "
	  "for --output." },
	{ NULL, "--metrics-file", "FILE", INTO(metrics_file), RUNNING,
	  "write gauges of the run to FILE at its end, for Prometheus",
	  "For the textfile collector of node_exporter: a FILE in its directory "
	  "whose name ends in .prom. It appears whole, in the place of the one "
	  "of the run before; when it cannot be written goload says so, and the "
	  "program ends as it would. Its name without .prom is the label run of "
	  "all gauges, and keeps those of many files apart: use %e in it, which "
	  "has the same meaning as for --output, rather than %p. With --follow "
	  "a child writes to a file of its own: FILE with the name of its "
	  "program in front of .prom, unless the name has %e or %p." },
	{ NULL, "--format", "text|json|html", INTO(format), IN(CLI_REPORT),
	  "how to print",
	  "html is a page to look at in a browser, in one file that needs no "
	  "network: name it with --output." },
	{ NULL, "--redact", NULL, INTO(redact), IN(CLI_REPORT),
	  "leave arguments, paths, host and ids out of the page",
	  "Names of functions stay. Libraries, files and names that the program "
	  "gave to its mappings are numbered." },
	{ NULL, "--format", "text|json", INTO(format),
	  IN(CLI_INSPECT) | IN(CLI_MAP), "how to print", NULL },
	{ NULL, "--format", "text|json|html|markdown", INTO(format),
	  IN(CLI_COMPARE), "how to print",
	  "html is a page with both side by side, in one file that needs no "
	  "network; markdown is for the comment of a pull request." },
	{ NULL, "--format", "pprof|perfetto|folded|jsonl|sqlite|openmetrics",
	  INTO(format), IN(CLI_EXPORT), "what to write", NULL },
	{ NULL, "--metric", "size|reserved|committed|resident", INTO(metric),
	  IN(CLI_EXPORT), "what folded stacks count", NULL },
	{ NULL, "--bytes", NULL, INTO(bytes),
	  IN(CLI_RUN) | IN(CLI_REPORT) | IN(CLI_COMPARE) | IN(CLI_FLOOR),
	  "print the sizes of tables in bytes", NULL },
	{ NULL, "--color", "auto|always|never", INTO(color),
	  IN(CLI_RUN) | TABLES | IN(CLI_FLOOR), "use colour: on a terminal, always or never",
	  NULL },
	{ NULL, "--no-pager", NULL, INTO(no_pager), TABLES,
	  "print to the terminal, not to a pager", NULL },
	{ NULL, "--why", "ROW", INTO(why), IN(CLI_RUN) | IN(CLI_REPORT),
	  "print the stacks behind a row instead of the ledger",
	  "Each stack comes with what it made and by how many calls, and its "
	  "frames as function and line, most bytes first. ROW is a kind (heap, "
	  "\"page summary\"), upper or lower case. If no row has just that name, "
	  "all that begin with it are meant." },
	{ NULL, "--patch", "all|none", INTO(patch), RUNNING,
	  "patch all syscall sites, or none: leave every call to the net (slow, "
	  "for tests)",
	  "Sites are patched before the program starts, those of a library "
	  "before its code can run. When the net carried calls of sites that are "
	  "not patched, the report names these sites, in the words of goload "
	  "inspect." },
	{ NULL, "--net", "on|off", INTO(net), RUNNING,
	  "catch the calls of sites that are not patched",
	  "With off they pass unrecorded, so the ledger may not close." },
	{ NULL, "--names", "auto|all|off", INTO(names), RUNNING,
	  "let programs name their mappings where the kernel does not; all: ask "
	  "each Go program to",
	  "Programs that name their mappings (Go 1.25 and later, glibc) stop when "
	  "the kernel says that it cannot. With auto they are told that it can, "
	  "so that the report has the names. With all a Go program whose go.mod "
	  "is older is asked to as well, by GODEBUG. With off they are told what "
	  "the kernel says." },
	{ NULL, "--faithful", NULL, INTO(faithful), RUNNING,
	  "end as the kernel would end a program that it kills before it begins",
	  "Where a segment cannot be mapped, that is death by SIGSEGV, without a "
	  "word. Otherwise goload says which program header is at fault and exits "
	  "with 126." },
	{ NULL, "--follow", NULL, INTO(follow), RUNNING,
	  "observe the programs that its children become, too, each in a run of "
	  "its own",
	  "The run files of children have %p behind the name if it has none, and "
	  "a number where that exists already. A program that goload cannot load "
	  "runs without it. Processes that goload was not started for, as those "
	  "that never call execve, are counted as not observed." },
	{ NULL, "--at", "TIME", INTO(at), IN(CLI_MAP),
	  "the moment: 12.5ms, 1.2s or a number of ns after the run began, "
	  "start, peak (of VmSize), or end, the default",
	  "At start the program's first instruction has not run yet." },
	{ NULL, "--addr", "ADDRESS", INTO(addr), IN(CLI_MAP),
	  "print what is at this address: who made it, with all frames, and "
	  "what was there before and behind",
	  "ADDRESS is hexadecimal, with 0x or without." },
	{ NULL, "--pid", "PID", INTO(pid), IN(CLI_MAP),
	  "the map of a process that runs, as the kernel has it: without causes",
	  NULL },
	{ NULL, "--maps", "FILE", INTO(maps), IN(CLI_MAP),
	  "the same of a saved /proc/PID/maps or smaps; lines of dots stand for "
	  "what is left out",
	  NULL },
	{ NULL, "--runs", "N", INTO(runs), IN(CLI_COMPARE),
	  "run each program N times, A and B in turn; 1, or 3 with --what-if",
	  "What is the same in every run and what varies is said, and one run "
	  "of each is shown row by row: the one in the middle by VmSize." },
	{ NULL, "--what-if", "SETTING...", INTO(what_if), IN(CLI_COMPARE),
	  "compare a program with itself under a setting: VAR=VALUE, or "
	  "'ulimit -s KIB'",
	  "MALLOC_ARENA_MAX=1, GOGC=50, GODEBUG=..., 'ulimit -s 1024'; ulimit "
	  "takes -s (stack), -v (address space) and -d (data), in KiB or "
	  "unlimited. Several settings are tried together." },
	{ NULL, "--keep", "DIRECTORY", INTO(keep), IN(CLI_COMPARE),
	  "keep the run files there: a-1.run, b-1.run, a-2.run ...", NULL },
	{ NULL, "--drive", "COMMAND", INTO(drive), TRYING,
	  "a shell command to run beside the program, which gets SIGTERM when "
	  "that has ended",
	  "For servers: a command that waits until the server answers, and sends "
	  "its requests. GOLOAD_PID is the process ID of the program. When that "
	  "has ended first, COMMAND has a second to end, too." },
	{ NULL, "--for", "TIME", INTO(run_for), TRYING,
	  "send SIGTERM to the program after this time: 500ms, 2s", NULL },
	{ NULL, "--budget", "FILE", INTO(budget), IN(CLI_CHECK),
	  "the limits in FILE, one a line; see goload-check(1)", NULL },
	{ NULL, "--update", NULL, INTO(update), IN(CLI_CHECK),
	  "write the budget file, or raise what the run exceeds in it, instead "
	  "of checking",
	  "Comments, the order of lines and limits that the run keeps to stay. "
	  "Nothing is written when the program fails." },
	{ NULL, "--slack", "SIZE", INTO(slack), IN(CLI_CHECK),
	  "how much more than the run has --update allows: 0, 1M, 5%",
	  NULL },
	{ NULL, "--max-vm", "SIZE", INTO(max_vm), IN(CLI_CHECK),
	  "limit of VmSize, at any moment: 1200M, 1.5GiB", NULL },
	{ NULL, "--max-reserved", "SIZE", INTO(max_reserved), IN(CLI_CHECK),
	  "limit of what is reserved, at any moment", NULL },
	{ NULL, "--max-committed", "SIZE", INTO(max_committed), IN(CLI_CHECK),
	  "limit of what is committed, at any moment", NULL },
	{ NULL, "--max-rss", "SIZE", INTO(max_rss), IN(CLI_CHECK),
	  "limit of what is resident, as samples show it", NULL },
	{ NULL, "--max-mappings", "N", INTO(max_mappings), IN(CLI_CHECK),
	  "limit of mappings, at the end", NULL },
	{ NULL, "--max", "KIND=SIZE...", INTO(max), IN(CLI_CHECK),
	  "limit of one kind of row, as the report names it: heap=64M",
	  "May be given more than once." },
	{ NULL, "--no-new-kinds", NULL, INTO(no_new_kinds), IN(CLI_CHECK),
	  "fail when the run has a kind that has no limit", NULL },
	{ NULL, "--annotate", "auto|github|none", INTO(annotate),
	  IN(CLI_CHECK),
	  "say it on standard error in GitHub's words, too, which show beside "
	  "the code",
	  "With auto that is done where GITHUB_ACTIONS is true." },
	{ NULL, "--junit", "FILE", INTO(junit), IN(CLI_CHECK),
	  "write a test case for each limit to FILE, as JUnit's XML", NULL },
	{ NULL, "--format", "text|json", INTO(format), IN(CLI_CHECK),
	  "how to print", NULL },
	{ "-o", "--output", "FILE", INTO(output), IN(CLI_CHECK),
	  "keep the run in FILE, which must not exist yet", NULL },
	{ "-q", "--quiet", NULL, INTO(quiet), IN(CLI_CHECK),
	  "say nothing when all is well", NULL },
	{ NULL, "--log-file", "FILE", INTO(log), IN(CLI_CHECK),
	  "add what goload itself says to FILE, not to standard error", NULL },
	{ "-q", "--quiet", NULL, INTO(quiet), IN(CLI_FLOOR),
	  "do not say on a terminal what is being tried", NULL },
	{ NULL, "--format", "text|json", INTO(format), IN(CLI_FLOOR),
	  "how to print", NULL },
	{ NULL, "--step", "SIZE", INTO(step), IN(CLI_FLOOR),
	  "how exact the limits are to be: 64K, the default, or other whole pages",
	  "In bytes, or with K or M for KiB and MiB." },
	{ NULL, "--runs", "N", INTO(runs), IN(CLI_FLOOR),
	  "how often the program must pass under a limit; 3",
	  "When it does so less often, that is said, and the limit is raised." },
	{ NULL, "--fail", "RULE...", INTO(fail), RUNNING | IN(CLI_INJECT),
	  "let memory calls fail, unmade: mmap:ENOMEM:when=6, "
	  "any:kind=heap:every=3",
	  "RULE is CALL[:ERRNO], and behind that any of :when=N (also N+, N+STEP, "
	  "N..M and N..M+STEP) or :every=N, :from=FUNCTION, :kind=KIND, "
	  ":at=STACKID and :delay=TIME; see goload-inject(1). May be given more "
	  "than once." },
	{ NULL, "--delay", "RULE...", INTO(delay), RUNNING | IN(CLI_INJECT),
	  "let memory calls wait before they are made: mmap:50ms:from=main.load",
	  "RULE is as for --fail, with a time in the place of the error." },
	{ NULL, "--explore", NULL, INTO(explore), IN(CLI_INJECT),
	  "run the program once for each place that its memory calls come from, "
	  "let the first call there fail with ENOMEM, and say how it took that",
	  NULL },
	{ NULL, "--patience", "TIME", INTO(patience), IN(CLI_INJECT),
	  "after which the program hangs, and is killed: 10s for exploring, else "
	  "never",
	  NULL },
	{ "-o", "--output", "FILE", INTO(output), IN(CLI_INJECT),
	  "keep the run in FILE, which must not exist yet; or write to FILE what "
	  "exploring has found",
	  "What exploring has found takes the place of what was in FILE." },
	{ "-q", "--quiet", NULL, INTO(quiet), IN(CLI_INJECT),
	  "do not say which calls have failed, nor what is being tried", NULL },
	{ NULL, "--format", "text|json", INTO(format), IN(CLI_INJECT),
	  "how to print what exploring has found", NULL },
	{ "-h", "--help", NULL, INTO(help), ~0u, "print this text", NULL },
	{ NULL, "--version", NULL, INTO(version), IN(CLI_RUN),
	  "print the version", NULL },
};
const int cli_option_count = sizeof(cli_options) / sizeof(*cli_options);

const struct cli_verb_row cli_verbs[CLI_VERBS] = {
	[CLI_RUN] = { "", CLI_OPERAND_PROGRAM,
	              "goload [OPTION]... PROGRAM [ARGUMENT]...",
	              "run PROGRAM as execve would, watch every memory "
	              "reservation, print the closed ledger at the end" },
	[CLI_RECORD] = { "record", CLI_OPERAND_PROGRAM,
	                 "goload record [OPTION]... -o FILE PROGRAM "
	                 "[ARGUMENT]...",
	                 "run PROGRAM and keep the run in FILE, to be reported later" },
	[CLI_REPORT] = { "report", CLI_OPERAND_FILE,
	                 "goload report [OPTION]... FILE",
	                 "the ledger of a recorded run: every byte of VmSize "
	                 "has a cause" },
	[CLI_COMPARE] = { "compare", CLI_OPERAND_FILE,
	                  "goload compare [OPTION]... A B [-- ARGUMENT...]",
	                  "two programs or recorded runs side by side: what the "
	                  "difference of their VmSize is made of, exactly" },
	[CLI_CHECK] = { "check", CLI_OPERAND_PROGRAM,
	                "goload check [OPTION]... PROGRAM [ARGUMENT]...",
	                "run PROGRAM, or take a recorded run, and hold its "
	                "ledger against a budget" },
	[CLI_FLOOR] = { "floor", CLI_OPERAND_PROGRAM,
	                "goload floor [OPTION]... PROGRAM [ARGUMENT]...",
	                "the smallest limits of memory under which PROGRAM runs, "
	                "and the reservation that breaks below them" },
	[CLI_INJECT] = { "inject", CLI_OPERAND_PROGRAM,
	                 "goload inject [OPTION]... PROGRAM [ARGUMENT]...",
	                 "run PROGRAM, let memory calls of it fail, and say how "
	                 "it takes that" },
	[CLI_INSPECT] = { "inspect", CLI_OPERAND_FILE,
	                  "goload inspect [OPTION]... ELF",
	                  "what a program file is made of, and how each of its "
	                  "syscall sites is served" },
	[CLI_EXPORT] = { "export", CLI_OPERAND_FILE,
	                 "goload export [OPTION]... FILE",
	                 "a recorded run for other programs: pprof, Perfetto, "
	                 "flame graphs, DuckDB, SQLite, Prometheus" },
	[CLI_MAP] = { "map", CLI_OPERAND_FILE,
	              "goload map [OPTION]... FILE|--pid=PID|--maps=FILE",
	              "the address space of a recorded run at a moment, each "
	              "mapping with its cause" },
	[CLI_HELP] = { "help", CLI_OPERAND_VERB, "goload help [VERB]",
	               "how to use a verb" },
};

const char *cli_verb_name(enum cli_verb verb)
{
	return cli_verbs[verb].name;
}

bool cli_takes_program(enum cli_verb verb)
{
	return cli_verbs[verb].operand == CLI_OPERAND_PROGRAM;
}

enum cli_verb cli_verb_of(const char *word)
{
	enum cli_verb verb = CLI_RECORD;

	while (verb < CLI_VERBS && strcmp(cli_verbs[verb].name, word) != 0)
		verb++;
	return verb;
}

static bool is_choice(const struct cli_option_row *option)
{
	return option->value && strchr(option->value, '|');
}

bool cli_is_list(const struct cli_option_row *option)
{
	size_t size = option->value ? strlen(option->value) : 0;

	return size > 3 && strcmp(option->value + size - 3, "...") == 0;
}

/* ---- help ---------------------------------------------------------------- */

/* Words from column `at` on, none behind WIDTH, other lines from `indent`. */
static void print_wrapped(const char *text, int at, int indent)
{
	while (*text) {
		int size = (int)strcspn(text, " ");

		if (at > indent && at + 1 + size > WIDTH)
			at = printf("\n%*s", indent, "") - 1;
		else if (at > indent)
			at += printf(" ");
		at += printf("%.*s", size, text);
		text += size + (text[size] == ' ');
	}
}

static void help_option(const struct cli_option_row *option)
{
	int at = printf("  %s%s%s%s%s", option->brief ? option->brief : "    ",
	                option->brief ? ", " : "", option->full,
	                option->value ? "=" : "",
	                option->value ? option->value : "");

	if (at > INDENT - 2)
		at = printf("\n") - 1;
	printf("%*s", INDENT - at, "");
	print_wrapped(option->help, INDENT, INDENT);
	putchar('\n');
}

void cli_help(enum cli_verb verb)
{
	int choices = 0;

	printf("Usage: %s\n\n", cli_verbs[verb].usage);
	print_wrapped(cli_verbs[verb].what, 0, 0);
	printf(".\n\n");
	for (int i = 0; i < cli_option_count; i++)
		if (cli_options[i].verbs & IN(verb)) {
			help_option(&cli_options[i]);
			choices += is_choice(&cli_options[i]);
		}
	if (choices)
		printf("\nOf several words the first is the default.\n");
	if (verb != CLI_RUN)
		return;
	printf("\nOther verbs:\n");
	for (int i = CLI_RECORD; i < CLI_VERBS; i++)
		printf("  %s\n", cli_verbs[i].usage);
	printf("\nThe exit status is the program's own; 125 goload failed, 126 "
	       "the program\ncannot be loaded, 127 it was not found.\n");
}

/* ---- parsing ------------------------------------------------------------- */

/* Does `word` name the option?  *value is what is glued to it, or NULL. */
static bool names(const struct cli_option_row *option, const char *word,
                  const char **value)
{
	size_t size = strlen(option->full);

	*value = NULL;
	if (option->brief && strncmp(word, option->brief, 2) == 0 &&
	    word[1] != '-') {
		*value = word[2] ? word + 2 : NULL;
		return option->value || !word[2];
	}
	if (strncmp(word, option->full, size) != 0)
		return false;
	*value = word[size] == '=' ? word + size + 1 : NULL;
	return !word[size] || word[size] == '=';
}

static const struct cli_option_row *find(unsigned verbs, const char *word,
                                         const char **value)
{
	for (int i = 0; i < cli_option_count; i++)
		if ((cli_options[i].verbs & verbs) &&
		    names(&cli_options[i], word, value))
			return &cli_options[i];
	return NULL;
}

/* Which of the words between bars, "text|json", the value is: 0, 1, ... */
static int choose(enum cli_verb verb, const struct cli_option_row *option,
                  const char *value)
{
	const char *word = option->value;
	size_t size = strlen(value);

	for (int i = 0; word; i++) {
		if (strncmp(word, value, size) == 0 &&
		    (word[size] == '|' || !word[size]))
			return i;
		word = strchr(word, '|');
		word += word != NULL;
	}
	cli_misused(cli_verbs[verb].name, option->full, "takes another value");
}

static void add(enum cli_verb verb, const struct cli_option_row *option,
                const char *value, struct cli_list *list)
{
	int room = sizeof(list->word) / sizeof(*list->word);

	if (list->count == room)
		cli_misused(cli_verbs[verb].name, option->full,
		            "is given too often");
	list->word[list->count++] = value;
}

static void set(enum cli_verb verb, const struct cli_option_row *option,
                const char *value, struct cli_options *out)
{
	void *into = (char *)out + option->into;

	if (!option->value)
		*(bool *)into = true;
	else if (is_choice(option))
		*(int *)into = choose(verb, option, value);
	else if (cli_is_list(option))
		add(verb, option, value, into);
	else
		*(const char **)into = value;
}

/* The option at argv[i]; returns the place behind it and its value. */
static int parse_one(enum cli_verb verb, bool shared, int argc, char **argv,
                     int i, struct cli_options *out)
{
	const char *word = argv[i++], *value;
	const struct cli_option_row *option = find(IN(verb), word, &value);

	if (!option && shared)
		option = find(~0u, word, &value);
	if (!option)
		cli_misused(cli_verbs[verb].name, word, "no such option");
	if (value && !option->value)
		cli_misused(cli_verbs[verb].name, word, "takes no value");
	if (!value && option->value) {
		if (i == argc)
			cli_misused(cli_verbs[verb].name, word,
			            "needs a value");
		value = argv[i++];
	}
	if (option->verbs & IN(verb))
		set(verb, option, value, out);
	if (out->help)
		cli_help(verb);
	else if (out->version)
		printf("goload " PACKAGE_VERSION "\n");
	if (out->help || out->version) {
		cli_close_output(stdout, NULL);
		exit(CLI_OK);
	}
	return i;
}

void cli_parse(enum cli_verb verb, bool shared, int argc, char **argv,
               struct cli_options *out)
{
	bool runs = cli_takes_program(verb);
	int i = 1, kept = 0;

	out->operand = argv;
	while (i < argc) {
		if (argv[i][0] == '-' && argv[i][1]) {
			if (strcmp(argv[i], "--") == 0) {
				i++;
				break;
			}
			i = parse_one(verb, shared, argc, argv, i, out);
		} else if (runs) {
			break;
		} else {
			argv[kept++] = argv[i++];
		}
	}
	out->behind = argc - i;
	if (runs)
		out->operand = argv + i;
	else
		while (i < argc)
			argv[kept++] = argv[i++];
	out->operands = runs ? argc - i : kept;
}
