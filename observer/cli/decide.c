/*
 * decide - in the observer: how a call of the program shall go, by the rules of
 * --fail and --delay.
 *
 * Where a call comes from is told by the run file as far as it is written: it
 * names all files that are mapped.
 */
#include "observer/cli/decide.h"

#include "observer/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct cli_decider {
	struct cli_rule *rule;
	int count;
	uint64_t modules; /* that the run below has; 0: there is none */
	void *bytes;
	size_t size;
	struct ledger_run *run;
	struct cli_names *names;
	struct ledger_callers *callers;
	struct file_stack *stack; /* of the call */
	bool asked; /* where calls come from, */
	bool told;  /* and that was known of one, at least */
};

/* ---- the rules
 * --------------------------------------------------------------- */

static void misused(const char *verb, const char *option, const char *text,
                    const struct cli_rule_fault *fault)
{
	char *what;

	if (asprintf(&what, "%.200s: '%.*s', from character %zu on, %s", text,
	             (int)(fault->size < 100 ? fault->size : 100),
	             text + fault->at, fault->at + 1, fault->what) < 0)
		cli_fail(CLI_FAILED, option, ENOMEM, "cannot be read");
	cli_make_plain(what);
	cli_misused(verb, option, what);
}

static void read_rules(const char *verb, const char *option, bool delays,
                       const struct cli_list *list, struct cli_decider *decider)
{
	struct cli_rule_fault fault;

	for (int i = 0; i < list->count; i++)
		if (!cli_rule_read(list->word[i], delays,
		                   &decider->rule[decider->count++], &fault))
			misused(verb, option, list->word[i], &fault);
}

struct cli_decider *cli_decider_of(const char *verb,
                                   const struct cli_options *options)
{
	int count = options->fail.count + options->delay.count;
	struct cli_decider *decider;

	if (!count)
		return NULL;
	decider = calloc(1, sizeof(*decider));
	if (decider) {
		decider->rule = calloc((size_t)count, sizeof(*decider->rule));
		decider->stack = malloc(sizeof(*decider->stack) +
		                        FILE_FRAMES * sizeof(uint64_t));
	}
	if (!decider || !decider->rule || !decider->stack)
		cli_fail(CLI_FAILED, NULL, ENOMEM, "cannot read the rules");
	read_rules(verb, "--fail", false, &options->fail, decider);
	read_rules(verb, "--delay", true, &options->delay, decider);
	return decider;
}

/* ---- the run so far
 * ---------------------------------------------------------- */

static void close_run(struct cli_decider *decider)
{
	ledger_callers_close(decider->callers);
	cli_names_close(decider->names);
	ledger_run_free(decider->run);
	if (decider->bytes)
		munmap(decider->bytes, decider->size);
	decider->callers = NULL;
	decider->names = NULL;
	decider->run = NULL;
	decider->bytes = NULL;
}

static void *map_run(int fd, size_t *size)
{
	struct stat st;
	void *bytes = MAP_FAILED;

	if (fstat(fd, &st) == 0 && st.st_size > 0)
		bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE,
		             fd, 0);
	*size = (size_t)st.st_size;
	return bytes == MAP_FAILED ? NULL : bytes;
}

/* Once for each file that is mapped. */
static bool open_run(struct cli_decider *decider,
                     const struct record_call *call)
{
	enum file_error error;

	if (decider->modules == call->modules)
		return decider->callers != NULL;
	close_run(decider);
	decider->modules = call->modules;
	decider->bytes = map_run(call->run_fd, &decider->size);
	if (decider->bytes)
		decider->run =
			ledger_read(decider->bytes, decider->size, &error);
	if (decider->run)
		decider->names = cli_names_open(decider->run);
	if (decider->names)
		decider->callers = ledger_callers_open(decider->run, cli_name,
		                                       decider->names);
	return decider->callers != NULL;
}

/* ---- a call
 * ------------------------------------------------------------------ */

static bool wants_caller(const struct cli_decider *decider,
                         const struct trace_event *event)
{
	for (int i = 0; i < decider->count; i++)
		if (cli_rule_wants_caller(&decider->rule[i], event))
			return true;
	return false;
}

static struct ledger_caller caller_of(struct cli_decider *decider,
                                      const struct record_call *call)
{
	const struct ledger_event event = { call->event, decider->stack };

	decider->stack->count = call->event->frames;
	memcpy(decider->stack->frame, call->frame,
	       call->event->frames * sizeof(uint64_t));
	return ledger_caller_of(decider->callers, &event);
}

static bool has_name(const struct ledger_caller *caller)
{
	for (size_t i = 0; i < caller->frame_count; i++)
		if (caller->frame[i].place.function)
			return true;
	return false;
}

/* Each rule counts each call.  Of several that hit, the first error and the
 * longest delay. */
struct ring_answer cli_decide(struct cli_decider *decider,
                              const struct record_call *call)
{
	struct ring_answer answer = { 0 };
	struct ledger_caller caller;
	bool wanted = wants_caller(decider, call->event);
	bool known = wanted && open_run(decider, call);

	if (known)
		caller = caller_of(decider, call);
	decider->asked |= wanted;
	decider->told |= known && has_name(&caller);
	for (int i = 0; i < decider->count; i++) {
		struct cli_rule *rule = &decider->rule[i];

		if (!cli_rule_hits(rule, call->event, known ? &caller : NULL))
			continue;
		/* an id needs no names */
		decider->told |= cli_rule_wants_caller(rule, call->event);
		if (!answer.error)
			answer.error = rule->answer.error;
		if (rule->answer.delay > answer.delay)
			answer.delay = rule->answer.delay;
	}
	return answer;
}

bool cli_decider_blind(const struct cli_decider *decider)
{
	return decider && decider->asked && !decider->told;
}
