/*
 * What a page must show as it is, or not at all: maps memory from hostile(),
 * which the test gives another name, maps the file argv[1], and names a
 * mapping.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA           0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define SIZE (1u << 20)

#ifdef LIBRARY
void library(void); /* of the test's own library */
#else
static void library(void)
{
}
#endif

__attribute__((noinline)) void *hostile(int prot)
{
	return mmap(NULL, SIZE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int main(int argc, char **argv)
{
	char *memory = hostile(PROT_READ | PROT_WRITE);
	int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;

	if (memory == MAP_FAILED || hostile(PROT_NONE) == MAP_FAILED)
		return 1;
	memset(memory, 1, SIZE / 2);
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, memory, SIZE, "secretname");
	if (fd >= 0 &&
	    mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		return 1;
	library();
	return 0;
}
