/*
 * dynamic_open LIBRARY SYMBOL N: opens LIBRARY, finds SYMBOL and closes it
 * again, N times.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	long times = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
	long found = 0;

	for (long i = 0; i < times; i++) {
		void *library = dlopen(argv[1], RTLD_NOW);

		if (!library) {
			fprintf(stderr, "dynamic_open: %s\n", dlerror());
			return 1;
		}
		found += dlsym(library, argv[2]) != NULL;
		dlclose(library);
	}
	printf("found %ld times\n", found);
	return 0;
}
