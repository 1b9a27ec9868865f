/* rules - reading a rule, and whether it hits a call. */
#include "observer/cli/rules.h"

#include "observer/cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CALLS   512  /* syscall numbers that may have a name */
#define ERRNO   4095 /* the kernel's MAX_ERRNO */
#define FOREVER UINT64_MAX

/* A rule being read. */
struct reading {
	const char *text;
	size_t at;  /* of the word */
	char *word; /* a copy of it, */
	size_t size;
	bool delays;
	bool has_error, has_when, has_delay;
	struct cli_rule *rule;
	struct cli_rule_fault *fault;
};

static bool wrong(struct reading *reading, const char *what)
{
	*reading->fault =
		(struct cli_rule_fault){ reading->at, reading->size, what };
	return false;
}

/* ---- words ------------------------------------------------------------------
 */

/* The next one, up to a colon that is not doubled. */
static bool take_word(struct reading *reading)
{
	const char *from = reading->text + reading->at, *end = from;

	while (*end && (*end != ':' || end[1] == ':'))
		end += *end == ':' ? 2 : 1;
	reading->size = (size_t)(end - from);
	free(reading->word);
	reading->word = strndup(from, reading->size);
	return reading->word || wrong(reading, "memory is short");
}

/* A number of digits alone, *behind it; false: there is none, or it is 0. */
static bool read_count(const char *text, uint64_t *count, const char **behind)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*count = strtoull(text, &end, 10);
	*behind = end;
	return errno == 0 && *count > 0;
}

static bool read_call(struct reading *reading)
{
	char text[LEDGER_CALL_NAME];

	reading->rule->call = RULE_ANY;
	if (strcmp(reading->word, "any") == 0)
		return true;
	for (uint32_t call = 0; call < CALLS; call++) {
		/* one byte of brk's argument, so that it may fail */
		const struct trace_event event = { .call = call,
			                           .args = { 1 } };

		if (!ledger_may_fail(&event) ||
		    strcmp(ledger_call_name(text, call), reading->word) != 0)
			continue;
		reading->rule->call = call;
		return true;
	}
	return wrong(reading, "is no memory call, nor any");
}

static bool read_error(struct reading *reading)
{
	const char *behind;
	uint64_t number;

	if (reading->has_error)
		return wrong(reading, "is a second error");
	reading->has_error = true;
	if (read_count(reading->word, &number, &behind) && !*behind &&
	    number <= ERRNO) {
		reading->rule->answer.error = (uint32_t)number;
		return true;
	}
	for (int error = 1; error <= ERRNO; error++) {
		const char *name = strerrorname_np(error);

		if (!name || strcmp(name, reading->word) != 0)
			continue;
		reading->rule->answer.error = (uint32_t)error;
		return true;
	}
	return wrong(reading, "is the name of no error");
}

/* "6", "6+", "6+2", "6..9", "6..9+2" */
static bool read_when(struct reading *reading, const char *text)
{
	struct cli_rule *rule = reading->rule;

	if (reading->has_when)
		return wrong(reading, "is a second when or every");
	reading->has_when = true;
	if (!read_count(text, &rule->first, &text))
		return wrong(reading, "counts from 1");
	rule->last = rule->first;
	if (strncmp(text, "..", 2) == 0) {
		if (!read_count(text + 2, &rule->last, &text) ||
		    rule->last < rule->first)
			return wrong(reading, "ends before it begins");
	} else if (*text == '+') {
		rule->last = FOREVER;
	}
	if (*text == '+' && text[1] &&
	    !read_count(text + 1, &rule->step, &text))
		return wrong(reading, "steps by 1 or more");
	else if (*text == '+' && !text[1] && rule->last == FOREVER)
		text++;
	return !*text ||
	       wrong(reading, "is none of N, N+, N+STEP, N..M and N..M+STEP");
}

static bool read_every(struct reading *reading, const char *text)
{
	struct cli_rule *rule = reading->rule;

	if (reading->has_when)
		return wrong(reading, "is a second when or every");
	reading->has_when = true;
	if (!read_count(text, &rule->step, &text) || *text)
		return wrong(reading, "is no number from 1 on");
	rule->first = rule->step;
	return true;
}

static bool read_name(struct reading *reading, const char *text, char **into)
{
	if (*into)
		return wrong(reading, "is there twice");
	if (!*text)
		return wrong(reading, "names nothing");
	*into = strdup(text);
	return *into || wrong(reading, "memory is short");
}

static bool read_id(struct reading *reading, const char *text)
{
	if (reading->rule->has_id)
		return wrong(reading, "is there twice");
	if (strlen(text) != 8 || text[strspn(text, "0123456789abcdef")])
		return wrong(reading, "is no stack id: 8 digits, 0 to f");
	reading->rule->has_id = true;
	reading->rule->id = (uint32_t)strtoul(text, NULL, 16);
	return true;
}

static bool read_delay(struct reading *reading, const char *text)
{
	uint64_t ns;

	if (reading->has_delay)
		return wrong(reading, "is a second delay");
	reading->has_delay = true;
	if (!cli_read_time(text, &ns) || !ns)
		return wrong(reading, "is no time: 50ms, 2s");
	if (ns > RULE_DELAY_MAX * 1000ull)
		return wrong(reading, "is more than an hour");
	reading->rule->answer.delay = (uint32_t)((ns + 999) / 1000);
	return true;
}

/* What stands behind "NAME=", or NULL. */
static const char *value_of(const char *word, const char *name)
{
	size_t size = strlen(name);

	return strncmp(word, name, size) == 0 && word[size] == '='
	               ? word + size + 1
	               : NULL;
}

static bool read_word(struct reading *reading)
{
	const char *word = reading->word, *value;

	if ((value = value_of(word, "when")))
		return read_when(reading, value);
	if ((value = value_of(word, "every")))
		return read_every(reading, value);
	if ((value = value_of(word, "from")))
		return read_name(reading, value, &reading->rule->from);
	if ((value = value_of(word, "kind")))
		return read_name(reading, value, &reading->rule->kind);
	if ((value = value_of(word, "at")))
		return read_id(reading, value);
	if ((value = value_of(word, "delay")))
		return read_delay(reading, value);
	if (strchr(word, '='))
		return wrong(reading, "is none of when, every, from, kind, at "
		                      "and delay");
	return reading->delays ? read_delay(reading, word)
	                       : read_error(reading);
}

/* ---- a rule
 * ------------------------------------------------------------------ */

static bool read_all(struct reading *reading)
{
	if (!take_word(reading) || !read_call(reading))
		return false;
	while (reading->text[reading->at + reading->size]) {
		reading->at += reading->size + 1;
		if (!take_word(reading) || !read_word(reading))
			return false;
	}
	if (!reading->delays || reading->has_delay)
		return true;
	reading->at = 0;
	reading->size = strlen(reading->text);
	return wrong(reading, "does not say how long: mmap:50ms");
}

bool cli_rule_read(const char *text, bool delays, struct cli_rule *rule,
                   struct cli_rule_fault *fault)
{
	struct reading reading = {
		.text = text, .delays = delays, .rule = rule, .fault = fault
	};
	bool done;

	*rule = (struct cli_rule){ .first = 1, .last = FOREVER, .step = 1 };
	done = read_all(&reading);
	free(reading.word);
	if (!delays && !reading.has_error)
		rule->answer.error = ENOMEM;
	if (!done)
		cli_rule_free(rule);
	return done;
}

void cli_rule_free(struct cli_rule *rule)
{
	free(rule->from);
	free(rule->kind);
	*rule = (struct cli_rule){ 0 };
}

/* ---- a call
 * ------------------------------------------------------------------ */

/* '*' stands for anything, itself included. */
static bool matches(const char *pattern, const char *text, bool caseless)
{
	size_t size = strcspn(pattern, "*");

	if (caseless ? strncasecmp(pattern, text, size)
	             : strncmp(pattern, text, size))
		return false;
	if (!pattern[size])
		return !text[size];
	for (text += size;; text++) {
		if (matches(pattern + size + 1, text, caseless))
			return true;
		if (!*text)
			return false;
	}
}

static bool comes_from(const char *pattern, const struct ledger_caller *caller)
{
	for (size_t i = 0; i < caller->frame_count; i++) {
		const struct ledger_place *place = &caller->frame[i].place;

		if ((place->function &&
		     matches(pattern, place->function, false)) ||
		    (place->linker && matches(pattern, place->linker, false)))
			return true;
	}
	return false;
}

static bool fits_caller(const struct cli_rule *rule,
                        const struct ledger_caller *caller)
{
	if (rule->has_id && rule->id != caller->id)
		return false;
	if (rule->kind &&
	    (!caller->kind || !matches(rule->kind, caller->kind, true)))
		return false;
	return !rule->from || comes_from(rule->from, caller);
}

static bool fits_call(const struct cli_rule *rule,
                      const struct trace_event *event)
{
	return ledger_may_fail(event) &&
	       (rule->call == RULE_ANY || rule->call == event->call);
}

bool cli_rule_wants_caller(const struct cli_rule *rule,
                           const struct trace_event *event)
{
	return fits_call(rule, event) &&
	       (rule->from || rule->kind || rule->has_id);
}

bool cli_rule_hits(struct cli_rule *rule, const struct trace_event *event,
                   const struct ledger_caller *caller)
{
	if (!fits_call(rule, event))
		return false;
	if (cli_rule_wants_caller(rule, event) &&
	    (!caller || !fits_caller(rule, caller)))
		return false;
	rule->seen++;
	return rule->seen >= rule->first && rule->seen <= rule->last &&
	       (rule->seen - rule->first) % rule->step == 0;
}
