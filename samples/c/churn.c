/*
 * Maps, protects, moves, resizes and unmaps memory and moves the break, N
 * rounds of it. What it prints depends on N alone.
 *
 *	churn [N]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096u

static void must(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "churn: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t mix(uint64_t sum, uint64_t value)
{
	return (sum ^ value) * 0x100000001b3u;
}

/* Map, write, protect a part, move to twice the size, unmap in two pieces. */
static uint64_t round_of_mappings(uint64_t sum, unsigned i)
{
	size_t size = (2 + i % 14) * PAGE;
	unsigned char *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(mem != MAP_FAILED, "mmap");
	memset(mem, (int)(i & 0xff), size);
	must(!mprotect(mem, PAGE, PROT_READ), "mprotect");
	must(!mprotect(mem, PAGE, PROT_READ | PROT_WRITE), "mprotect");
	mem = mremap(mem, size, 2 * size, MREMAP_MAYMOVE);
	must(mem != MAP_FAILED, "mremap");
	for (size_t at = 0; at < 2 * size; at += PAGE)
		sum = mix(sum, mem[at]);
	must(!madvise(mem, PAGE, MADV_DONTNEED), "madvise");
	sum = mix(sum, mem[0]);
	must(!munmap(mem + size, size), "munmap");
	must(!munmap(mem, size), "munmap");
	return sum;
}

/* The raw call: musl's brk() refuses, and malloc must not be in between. */
static uint64_t round_of_break(uint64_t sum, unsigned i)
{
	long size = (long)((1 + i % 7) * PAGE);
	long start = syscall(SYS_brk, 0);
	long end = syscall(SYS_brk, start + size);

	must(end == start + size, "brk");
	*(volatile unsigned char *)(end - 1) = (unsigned char)i;
	sum = mix(sum, *(volatile unsigned char *)(end - 1));
	must(syscall(SYS_brk, start) == start, "brk");
	return sum;
}

int main(int argc, char **argv)
{
	unsigned rounds =
		argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;
	uint64_t sum = 0xcbf29ce484222325u;

	for (unsigned i = 0; i < rounds; i++) {
		sum = round_of_mappings(sum, i);
		sum = round_of_break(sum, i);
	}
	printf("churn %u rounds, checksum %016llx\n", rounds,
	       (unsigned long long)sum);
	return 0;
}
