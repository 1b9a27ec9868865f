/* explore - what goload inject --explore shares with goload inject. */
#ifndef OBSERVER_CLI_EXPLORE_H
#define OBSERVER_CLI_EXPLORE_H

#include "observer/cli/cli.h"

/* The time that an option of inject says in ns, `otherwise` without; or the end
 * of this process. */
uint64_t cli_inject_time(const char *option, const char *text,
                         uint64_t otherwise);

int cli_explore(const struct cli_options *options);

#endif
