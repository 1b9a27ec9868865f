/*
 * dynamic_preload: a library for LD_PRELOAD, which stands before libc's puts,
 * and for LD_AUDIT, which names each object that is loaded.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int puts(const char *text);

static void say(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) < 0)
		_exit(1);
}

int puts(const char *text)
{
	say("preloaded: ");
	say(text);
	say("\n");
	return 1;
}

unsigned la_version(unsigned version)
{
	return version;
}

unsigned la_objopen(struct link_map *map, Lmid_t namespace, uintptr_t *cookie)
{
	(void)namespace;
	(void)cookie;
	say("loaded: ");
	say(map->l_name);
	say("\n");
	return 0;
}
