/* main - which verb.  goload PROGRAM is the verb without a name. */
#include "observer/cli/cli.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int help(int argc, char **argv)
{
	enum cli_verb verb = argc > 1 ? cli_verb_of(argv[1]) : CLI_RUN;

	if (verb == CLI_VERBS)
		cli_misused("", argv[1], "no such verb");
	cli_help(verb);
	cli_close_output(stdout, NULL);
	return CLI_OK;
}

/* A word with a slash is a program, never a verb. */
static enum cli_verb verb_of(int argc, char **argv)
{
	enum cli_verb verb = argc > 1 ? cli_verb_of(argv[1]) : CLI_RUN;

	return verb == CLI_VERBS ? CLI_RUN : verb;
}

/* As the goload that runs the parent was told to. */
static int follow(const struct cli_followed *followed, char **argv)
{
	enum cli_verb verb =
		**followed->words ? cli_verb_of(*followed->words) : CLI_RUN;
	struct cli_options options = { 0 };

	cli_step_aside(followed, argv);
	cli_say_to(-1); /* the program's output is read by somebody */
	cli_parse(verb, false, followed->count, followed->words, &options);
	options.operand = argv;
	return cli_run(verb, &options, followed);
}

static int act(enum cli_verb verb, int argc, char **argv)
{
	struct cli_options options = { 0 };

	if (verb == CLI_HELP)
		return help(argc, argv);
	if (verb == CLI_RUN || verb == CLI_RECORD)
		cli_parse_environment(verb, &options);
	cli_parse(verb, false, argc, argv, &options);
	if (!options.operands && verb != CLI_MAP)
		cli_misused(cli_verb_name(verb), NULL,
		            cli_takes_program(verb) ? "no program given"
		                                    : "no file given");
	switch (verb) {
	case CLI_REPORT:
		return cli_report(&options);
	case CLI_COMPARE:
		return cli_compare(&options);
	case CLI_CHECK:
		return cli_check(&options);
	case CLI_FLOOR:
		return cli_floor(&options);
	case CLI_INJECT:
		return cli_inject(&options);
	case CLI_INSPECT:
		return cli_inspect(&options);
	case CLI_MAP:
		return cli_map_verb(&options);
	case CLI_EXPORT:
		return cli_export(&options);
	default:
		return cli_run(verb, &options, NULL);
	}
}

/* A standard descriptor that is closed stays closed in the program, but
 * goload's own files must not land on its number. */
static void hold_standard_places(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	enum cli_verb verb = verb_of(argc, argv);
	struct cli_followed followed;

	hold_standard_places();
	if (cli_followed(&followed))
		return follow(&followed, argv);
	return verb == CLI_RUN ? act(verb, argc, argv)
	                       : act(verb, argc - 1, argv + 1);
}
