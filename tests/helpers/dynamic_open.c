/*
 * dynamic_open N LIBRARY SYMBOL...: opens each LIBRARY, finds its SYMBOL in it,
 * and closes them again, N times.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

/* Opens the first and what follows, and closes them in turn. */
static long open_all(char **pairs)
{
	void *library;
	long found;

	if (!pairs[0] || !pairs[1])
		return 0;
	library = dlopen(pairs[0], RTLD_NOW);
	if (!library) {
		fprintf(stderr, "dynamic_open: %s\n", dlerror());
		exit(1);
	}
	found = dlsym(library, pairs[1]) != NULL;
	found += open_all(pairs + 2);
	dlclose(library);
	return found;
}

int main(int argc, char **argv)
{
	long times = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
	long found = 0;

	for (long i = 0; i < times; i++)
		found += open_all(argv + 2);
	printf("found %ld\n", found);
	return 0;
}
