/*
 * rules - which memory calls shall fail, or wait: --fail and --delay.  Pure.
 *
 *   CALL[:ERRNO][:when=N|N+|N+STEP|N..M|N..M+STEP][:every=N]
 *       [:from=FUNCTION][:kind=KIND][:at=STACKID][:delay=TIME]
 *
 * CALL is the name of a memory call, or any.  Each rule counts the calls that
 * fit all of its words but when and every, which say the how-manieth are hit;
 * without them all are.  A colon in a name is doubled already, as in C++.
 */
#ifndef OBSERVER_CLI_RULES_H
#define OBSERVER_CLI_RULES_H

#include "observer/ledger/ledger.h"

#include <stdbool.h>

#define RULE_ANY       UINT32_MAX
#define RULE_DELAY_MAX 3600000000u /* us: an hour */

struct cli_rule {
	uint32_t call;              /* its number, or RULE_ANY */
	struct ring_answer answer;  /* to a call that is hit */
	uint64_t first, last, step; /* of those that fit */
	char *from, *kind;          /* or NULL; '*' stands for anything */
	bool has_id;
	uint32_t id;   /* struct ledger_caller */
	uint64_t seen; /* calls that fit, so far */
};

/* What is wrong with a rule: `size` characters of it, from `at` on. */
struct cli_rule_fault {
	size_t at, size;
	const char *what;
};

/* Of --delay a time stands in the place of the errno, and is wanted.  False:
 * *fault says why; then there is nothing to free. */
bool cli_rule_read(const char *text, bool delays, struct cli_rule *rule,
                   struct cli_rule_fault *fault);
void cli_rule_free(struct cli_rule *rule);

/* Does the rule ask from where such a call comes, and what for? */
bool cli_rule_wants_caller(const struct cli_rule *rule,
                           const struct trace_event *event);

/* Counts the call if it fits; is it one that is hit?  `caller` may be NULL when
 * the rule does not want it; if it does, nothing fits. */
bool cli_rule_hits(struct cli_rule *rule, const struct trace_event *event,
                   const struct ledger_caller *caller);

#endif
