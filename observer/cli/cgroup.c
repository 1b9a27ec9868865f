/* cgroup - a control group of one's own with a limit of memory. */
#include "observer/cli/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_ROOM (PATH_MAX + 64) /* a group's path, and a file's name */
#define KILLED_MS 5000            /* in which those that are killed are gone */

/* ---- which --------------------------------------------------------------- */

/* The first line of a file that `find` takes something from, as a new string;
 * NULL: there is none. */
static char *search(const char *path, char *(*find)(char *line))
{
	FILE *file = fopen(path, "re");
	char *line = NULL, *found = NULL;
	size_t room = 0;

	while (file && !found && getline(&line, &room, file) > 0) {
		line[strcspn(line, "\n")] = 0;
		found = find(line);
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* "0::/user.slice/session-1.scope" */
static char *own_path(char *line)
{
	return strncmp(line, "0::/", 4) == 0 ? strdup(line + 3) : NULL;
}

/* "35 31 0:29 /root /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw":
 * the group that is mounted, then where. */
static char *mounted(char *line)
{
	char *type = strstr(line, " - "), *root, *at, *both = NULL;
	char *rest = line;

	if (!type || strncmp(type + 3, "cgroup2 ", 8) != 0)
		return NULL;
	for (int i = 0; i < 3; i++)
		strsep(&rest, " ");
	root = strsep(&rest, " ");
	at = strsep(&rest, " ");
	if (!root || !at || asprintf(&both, "%s %s", root, at) < 0)
		return NULL;
	return both;
}

/* The directory of this process's group, in `room` bytes; false: there is none.
 */
static bool own_group(char *group, size_t room)
{
	char *path = search("/proc/self/cgroup", own_path);
	char *mount = search("/proc/self/mountinfo", mounted);
	char *at = mount ? strchr(mount, ' ') : NULL;
	bool found = false;

	if (path && at) {
		size_t root;

		*at++ = 0;
		root = strcmp(mount, "/") == 0 ? 0 : strlen(mount);
		if (strcmp(path, "/") == 0)
			*path = 0;
		found = strncmp(path, mount, root) == 0 &&
		        (size_t)snprintf(group, room, "%s%s", at, path + root) <
		                room;
	}
	free(path);
	free(mount);
	return found;
}

static char *memory_word(char *line)
{
	for (char *word; (word = strsep(&line, " "));)
		if (strcmp(word, "memory") == 0)
			return strdup(word);
	return NULL;
}

/* Have the groups in this one a limit of memory? */
static bool gives_memory(const char *group)
{
	char path[FILE_ROOM], *word;

	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", group);
	word = search(path, memory_word);
	free(word);
	return word;
}

/* ---- making and removing ------------------------------------------------- */

static char *make_in(const char *parent, const char *name, char **reason)
{
	char *group;

	if (asprintf(&group, "%s/%s", parent, name) < 0)
		return NULL;
	if (mkdir(group, 0755) == 0)
		return group;
	if (asprintf(reason, "%s: cannot be made: %s", group, strerror(errno)) <
	    0)
		*reason = NULL;
	free(group);
	return NULL;
}

char *cgroup_make(const char *name, char **reason)
{
	char parent[PATH_MAX];
	bool known = own_group(parent, sizeof(parent)), gives;

	*reason = NULL;
	gives = known && gives_memory(parent);
	if (known && !gives) {
		*strrchr(parent, '/') = 0;
		gives = gives_memory(parent);
	}
	if (gives)
		return make_in(parent, name, reason);
	*reason = strdup(known ? "no group of cgroup v2 here has memory to "
	                         "give out"
	                       : "there is no cgroup v2");
	return NULL;
}

static bool write_to(const char *group, const char *name, const char *text)
{
	char path[FILE_ROOM];
	bool done;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", group, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = write(fd, text, strlen(text)) >= 0;
	close(fd);
	return done;
}

bool cgroup_limit(const char *group, uint64_t bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	/* a kernel without swap has no such file */
	if (!write_to(group, "memory.swap.max", "0") && errno != ENOENT)
		return false;
	return write_to(group, "memory.max", text);
}

static char *is_empty(char *line)
{
	return strcmp(line, "populated 0") == 0 ? strdup(line) : NULL;
}

/* Killed is not gone: cgroup.events says when. */
void cgroup_remove(const char *group)
{
	char path[FILE_ROOM], *empty;
	struct pollfd events = { .events = POLLPRI };

	write_to(group, "cgroup.kill", "1"); /* Linux 5.14 */
	snprintf(path, sizeof(path), "%s/cgroup.events", group);
	events.fd = open(path, O_RDONLY | O_CLOEXEC);
	empty = search(path, is_empty);
	if (!empty)
		poll(&events, 1, KILLED_MS);
	free(empty);
	if (events.fd >= 0)
		close(events.fd);
	rmdir(group);
}
