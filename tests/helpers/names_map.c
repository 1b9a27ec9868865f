/*
 * Maps 4 MiB in a function whose name is WHO, for names.sh: all in one file; or
 * with PROGRAM or LIBRARY the one that calls it, or the one that has it and
 * calls it when it is opened.
 */
#include <stddef.h>
#include <sys/mman.h>

int WHO(void);

#ifndef PROGRAM
#ifdef LIBRARY
__attribute__((constructor))
#endif
int WHO(void)
{
	void *at = mmap(NULL, 4ul << 20, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED; /* not the last call: WHO is on the stack */
}
#endif

#ifndef LIBRARY
int main(void)
{
	return WHO();
}
#endif
