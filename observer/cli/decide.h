/* decide - how calls of the program shall go: --fail and --delay. */
#ifndef OBSERVER_CLI_DECIDE_H
#define OBSERVER_CLI_DECIDE_H

#include "observer/cli/cli.h"
#include "observer/cli/rules.h"
#include "observer/record/record.h"

struct cli_decider;

/* Of the rules that are given, NULL when there are none; ends the process when
 * one is wrong. */
struct cli_decider *cli_decider_of(const char *verb,
                                   const struct cli_options *options);
struct ring_answer cli_decide(struct cli_decider *decider,
                              const struct record_call *call);
/* Rules have asked where calls come from, and that was known of none. */
bool cli_decider_blind(const struct cli_decider *decider);

#endif
