/*
 * cgroup - a control group of one's own, version 2, with a limit of memory.
 *
 * It is made below goload's own group when that has memory to give out, else
 * beside it.  Children that are in it are killed when it is removed.
 */
#ifndef OBSERVER_CLI_CGROUP_H
#define OBSERVER_CLI_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

/* The path of its directory, to be removed and freed; or NULL and why not, to
 * be freed. */
char *cgroup_make(const char *name, char **reason);

/* Without swap.  False with errno set. */
bool cgroup_limit(const char *group, uint64_t bytes);
void cgroup_remove(const char *group);

#endif
