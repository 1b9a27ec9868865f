/*
 * What is resident, and of what sort, against what smaps says of it; and
 * MemStats, from words that a test may set.
 */
#define _GNU_SOURCE 1

#include "observer/record/internal.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define PAGE 4096ul
#define HUGE (2ul << 20)

/* ---- memory of every sort ------------------------------------------------ */

static char *place(char *at, size_t size, int flags, int fd)
{
	char *got = mmap(at, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
	                 fd, 0);

	cr_assert(got == at);
	return got;
}

static void touch(char *at, size_t from, size_t pages)
{
	for (size_t i = from; i < from + pages; i++)
		((volatile char *)at)[i * PAGE] = 1;
}

static int read_pages(const char *at, size_t pages)
{
	int sum = 0;

	for (size_t i = 0; i < pages; i++)
		sum += ((const volatile char *)at)[i * PAGE];
	return sum;
}

static int file_of(const char *folder, size_t size)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/goload-look-XXXXXX", folder);
	fd = mkstemp(path);
	if (fd >= 0)
		unlink(path);
	cr_assert(fd < 0 || ftruncate(fd, (off_t)size) == 0);
	return fd;
}

enum { AREA = 64 }; /* pages */

/* Areas with holes between, then huge pages where the kernel gives some. */
static char *make_memory(size_t *size)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	size_t whole = (size_t)lseek(file, 0, SEEK_END) / PAGE;
	int memory = memfd_create("look", MFD_CLOEXEC);
	int tmpfs = file_of("/dev/shm", AREA * PAGE);
	char *area, *huge, *at;

	*size = 8 * HUGE;
	area = mmap(NULL, *size + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
	            -1, 0);
	area = (char *)(((uintptr_t)area + HUGE - 1) & ~(HUGE - 1));
	cr_assert(file >= 0 && memory >= 0 && whole >= 16);
	cr_assert(ftruncate(memory, AREA * PAGE) == 0);

	at = place(area, AREA * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	touch(at, 0, 20);
	touch(at, 30, 5);
	at = place(area + AREA * PAGE, AREA * PAGE, MAP_PRIVATE, file);
	read_pages(at, 16);
	touch(at, 4, 3); /* its own now */
	at = place(area + 2 * AREA * PAGE, AREA * PAGE,
	           MAP_SHARED | MAP_ANONYMOUS, -1);
	touch(at, 3, 9);
	at = place(area + 3 * AREA * PAGE, AREA * PAGE, MAP_SHARED, memory);
	touch(at, 0, AREA);
	at = place(area + 4 * AREA * PAGE, AREA * PAGE, MAP_PRIVATE, memory);
	read_pages(at, AREA);
	touch(at, 10, 10);
	at = place(area + 5 * AREA * PAGE, AREA * PAGE, MAP_PRIVATE, file);
	read_pages(at, whole < AREA ? whole : AREA);
	if (tmpfs >= 0) {
		at = place(area + 6 * AREA * PAGE, AREA * PAGE, MAP_SHARED,
		           tmpfs);
		touch(at, 1, 2);
	}
	huge = place(area + 2 * HUGE, 3 * HUGE, MAP_PRIVATE | MAP_ANONYMOUS,
	             -1);
	madvise(huge, 2 * HUGE, MADV_HUGEPAGE);
	touch(huge, 0, 2 * HUGE / PAGE);
	madvise(huge + 2 * HUGE, HUGE, MADV_NOHUGEPAGE);
	touch(huge + 2 * HUGE, 0, 7);
	return area;
}

/* ---- what goload says ------------------------------------------------------
 */

struct sums {
	uint64_t bytes, huge, pages[FILE_PAGES_SHARED + 1];
};

static struct proc own_proc(void)
{
	static const char *const name[SESSION_FDS] = {
		[SESSION_FD_MAPS] = "/proc/self/maps",
		[SESSION_FD_SMAPS] = "/proc/self/smaps",
		[SESSION_FD_STATUS] = "/proc/self/status",
		[SESSION_FD_PAGEMAP] = "/proc/self/pagemap",
		[SESSION_FD_MEM] = "/proc/self/mem",
	};
	struct proc proc;

	for (int i = 0; i < SESSION_FDS; i++)
		proc.fd[i] = open(name[i], O_RDONLY | O_CLOEXEC);
	return proc;
}

static struct output new_output(void)
{
	struct output out = { 0 };

	cr_assert(output_open(&out, memfd_create("run", MFD_CLOEXEC)));
	return out;
}

/* The first block, which is of this type, and its size; NULL: there is none */
static const void *written(struct output *out, enum file_block_type type,
                           size_t *size)
{
	const struct file_block *block;
	const char *bytes;

	output_flush(out);
	bytes = mmap(NULL, 16u << 20, PROT_READ, MAP_SHARED, out->fd, 0);
	if (lseek(out->fd, 0, SEEK_END) == sizeof(struct file_header))
		return NULL;
	block = (const void *)(bytes + sizeof(struct file_header));
	cr_assert(block->type == type);
	*size = block->size;
	return block + 1;
}

static const struct file_resident *look_at(size_t *count)
{
	struct proc proc = own_proc();
	struct output out = new_output();
	const void *ranges;
	size_t size;

	look_resident(&proc, &out);
	ranges = written(&out, FILE_RESIDENT, &size);
	*count = size / sizeof(struct file_resident);
	return ranges;
}

static struct sums sum_of(const struct file_resident *range, size_t count,
                          uint64_t start, uint64_t end)
{
	struct sums sums = { 0 };
	uint64_t from, to;

	for (size_t i = 0; i < count; i++) {
		cr_expect(i == 0 || range[i].start >= range[i - 1].end);
		cr_expect(
			eq(u64, range[i].bytes, range[i].end - range[i].start));
		from = range[i].start > start ? range[i].start : start;
		to = range[i].end < end ? range[i].end : end;
		if (from >= to)
			continue;
		sums.bytes += to - from;
		sums.pages[range[i].pages] += to - from;
		sums.huge += range[i].huge == range[i].bytes ? to - from
		                                             : range[i].huge;
	}
	return sums;
}

/* ---- what the kernel says ------------------------------------------------ */

struct smaps {
	uint64_t start, end;
	char name[64];
	uint64_t rss, anonymous, huge;
};

/* Of the mappings in [start, end) that can be used; returns how many. */
static size_t read_smaps(uint64_t start, uint64_t end, struct smaps *smaps)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	char line[256], prot[5], key[64], *space;
	unsigned long from, to, number;
	struct smaps *at = NULL;
	size_t count = 0;

	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx %4s", &from, &to, prot) == 3) {
			at = NULL;
			if (from < start || to > end || prot[0] != 'r')
				continue;
			at = &smaps[count++];
			*at = (struct smaps){ .start = from, .end = to };
			space = strchr(line, '/');
			if (space)
				snprintf(at->name, sizeof(at->name), "%.60s",
				         space);
		} else if (at && sscanf(line, "%63s %lu", key, &number) == 2) {
			if (strcmp(key, "Rss:") == 0)
				at->rss = 1024 * number;
			if (strcmp(key, "Anonymous:") == 0)
				at->anonymous = 1024 * number;
			if (strcmp(key, "AnonHugePages:") == 0)
				at->huge = 1024 * number;
		}
	}
	fclose(file);
	return count;
}

static int is_shared(const struct smaps *smaps)
{
	return strncmp(smaps->name, "/dev/zero", 9) == 0 ||
	       strncmp(smaps->name, "/memfd:", 7) == 0 ||
	       strncmp(smaps->name, "/dev/shm/", 9) == 0;
}

/* ---- the two ------------------------------------------------------------- */

static void expect_same(void)
{
	size_t size, count, known;
	char *memory = make_memory(&size);
	uint64_t start = (uintptr_t)memory;
	struct smaps smaps[32];
	const struct file_resident *range = look_at(&count);
	uint64_t shared = 0, file = 0;

	known = read_smaps(start, start + size, smaps);
	cr_assert(known >= 8, "%zu", known);
	for (size_t i = 0; i < known; i++) {
		const struct smaps *it = &smaps[i];
		struct sums sums = sum_of(range, count, it->start, it->end);
		enum file_pages other =
			is_shared(it) ? FILE_PAGES_SHARED : FILE_PAGES_FILE;

		cr_expect(eq(u64, sums.bytes, it->rss), "%s", it->name);
		cr_expect(eq(u64, sums.huge, it->huge), "%s", it->name);
		cr_expect(eq(u64, sums.pages[FILE_PAGES_ANONYMOUS],
		             it->anonymous),
		          "%s", it->name);
		cr_expect(eq(u64, sums.pages[other], it->rss - it->anonymous),
		          "%s", it->name);
		shared += sums.pages[FILE_PAGES_SHARED];
		file += sums.pages[FILE_PAGES_FILE];
	}
	cr_expect(shared >= (9 + AREA) * PAGE);
	cr_expect(file >= 16 * PAGE);
}

Test(look, knows_pages_as_the_kernel_does, .timeout = 60)
{
	expect_same();
}

/* From now on as on a kernel before Linux 6.7. */
static void deny_scan(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		         offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		cr_skip("no seccomp filters here");
}

Test(look, knows_them_without_pagemap_scan, .timeout = 60)
{
	deny_scan();
	expect_same();
}

/* Reading where nothing was written costs no page. */
Test(look, does_not_count_the_zero_page, .timeout = 60)
{
	char *at = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct file_resident *range;
	unsigned major = 0, minor = 0;
	struct utsname kernel;
	struct sums sums;
	size_t count;

	uname(&kernel);
	sscanf(kernel.release, "%u.%u", &major, &minor);
	if (major < 6 || (major == 6 && minor < 7))
		cr_skip("this kernel does not tell");
	madvise(at, 8 * PAGE, MADV_NOHUGEPAGE); /* a mapping of its own */
	read_pages(at, 6);
	touch(at, 7, 1);
	range = look_at(&count);
	sums = sum_of(range, count, (uintptr_t)at, (uintptr_t)at + 8 * PAGE);
	cr_expect(eq(u64, sums.bytes, PAGE));
}

/* ---- shots --------------------------------------------------------------- */

static int parts; /* that a pause lets through; -1: all */

static bool count_down(void *context)
{
	++*(unsigned *)context;
	return parts < 0 || parts-- > 0;
}

static const struct file_shot *shoot(size_t *size, unsigned *pauses)
{
	struct look_pause pause = { .go_on = count_down, .context = pauses };
	struct proc proc = own_proc();
	struct output out = new_output();
	const struct file_shot *shot;
	size_t block = 0;

	*size = look_shot(&proc, &out, &pause);
	shot = written(&out, FILE_SHOT, &block);
	cr_assert(shot ? *size > 0 : *size == 0);
	if (shot) {
		cr_assert(eq(sz, *size,
		             shot->count * sizeof(struct file_resident)));
		cr_assert(eq(sz, block, sizeof(*shot) + *size));
	}
	return shot;
}

static uint64_t resident_in(const struct file_shot *shot, uint64_t start,
                            uint64_t end)
{
	const struct file_resident *range = (const void *)(shot + 1);
	uint64_t sum = 0;

	for (size_t i = 0; i < shot->count; i++) {
		cr_expect(i == 0 || range[i].start >= range[i - 1].end);
		cr_expect(range[i].bytes <= range[i].end - range[i].start);
		if (range[i].start >= start && range[i].end <= end)
			sum += range[i].bytes;
	}
	return sum;
}

static void expect_shot(void)
{
	size_t size, known;
	char *memory = make_memory(&size);
	uint64_t start = (uintptr_t)memory;
	struct smaps smaps[32];
	unsigned pauses = 0;
	const struct file_shot *shot;

	parts = -1;
	shot = shoot(&size, &pauses);
	cr_assert(shot != NULL && shot->tsc > 0);
	cr_expect(pauses > 1);
	known = read_smaps(start, start + 8 * HUGE, smaps);
	cr_assert(known >= 8, "%zu", known);
	for (size_t i = 0; i < known; i++)
		if (i + 1 == known || smaps[i].end < smaps[i + 1].start)
			cr_expect(eq(u64,
			             resident_in(shot, smaps[i].start,
			                         smaps[i].end),
			             smaps[i].rss),
			          "%s", smaps[i].name);
}

Test(shot, is_what_smaps_says, .timeout = 60)
{
	expect_shot();
}

Test(shot, is_that_without_pagemap_scan, .timeout = 60)
{
	deny_scan();
	expect_shot();
}

/* Every other page of many: of blocks it says how much of them is resident. */
Test(shot, has_not_too_many_ranges, .timeout = 60)
{
	const size_t pages = 1u << 17;
	char *area = mmap(NULL, (pages + 2) * PAGE, PROT_NONE,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = area + PAGE;
	const struct file_shot *shot;
	unsigned pauses = 0;
	size_t size;

	mprotect(at, pages * PAGE, PROT_READ | PROT_WRITE);
	madvise(at, pages * PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < pages; i += 2)
		touch(at, i, 1);
	parts = -1;
	shot = shoot(&size, &pauses);
	cr_assert(shot != NULL);
	cr_expect(shot->count > 4000 && shot->count <= 16384, "%lu",
	          shot->count);
	cr_expect(eq(u64,
	             resident_in(shot, (uintptr_t)area,
	                         (uintptr_t)area + (pages + 2) * PAGE),
	             pages / 2 * PAGE));
	cr_expect(pauses >= pages / 2 / 1024);
}

Test(shot, is_left_when_the_program_ends)
{
	unsigned pauses = 0;
	size_t size;

	for (int i = 0; i < 2; i++) {
		parts = i;
		cr_expect(shoot(&size, &pauses) == NULL);
	}
}

Test(shot, is_none_without_a_program)
{
	struct proc proc;
	struct output out = new_output();
	size_t size;

	for (int i = 0; i < SESSION_FDS; i++)
		proc.fd[i] = -1;
	cr_expect(eq(sz, look_shot(&proc, &out, NULL), 0));
	cr_expect(written(&out, FILE_SHOT, &size) == NULL);
}

#define MS 1000000ull

Test(shot, comes_the_less_often_the_older_the_run_is)
{
	uint64_t age = 0, day = 86400000 * MS, shots = 0, before = 0, gap;

	for (; age < day; age += gap, shots++) {
		gap = look_shot_gap(age, 0, 0);
		cr_assert(gap >= before);
		cr_expect(age > 400 * MS || gap <= 20 * MS);
		before = gap;
	}
	cr_expect(shots > 200 && shots < 500, "%lu", shots);
}

Test(shot, costs_little)
{
	for (uint64_t cost = MS / 10; cost < 1000 * MS; cost *= 3) {
		cr_expect(look_shot_gap(0, cost, 0) >= 80 * cost);
		cr_expect(look_shot_gap(0, 0, cost) >= 4000 * cost);
	}
	cr_expect(eq(u64, look_shot_gap(3600000 * MS, MS, 10000), 150000 * MS));
}

/* ---- MemStats ------------------------------------------------------------ */

static volatile uint64_t words[2];

/* sys is the first word less the second. */
static struct go_memory go_memory(uint64_t bias)
{
	struct go_memory go = {
		.state = GO_MEMORY_KNOWN,
		.bias = bias,
		.layout = { .count = 2,
		            .address = { (uintptr_t)&words[0] - bias,
		                         (uintptr_t)&words[1] - bias } },
	};

	go.layout.weight[0][0] = 1;
	go.layout.weight[0][1] = -1;
	return go;
}

/* What is written of a sample and an end; NULL: nothing. */
static const struct file_memstats *sampled(const struct proc *proc,
                                           struct go_memory *go, bool end)
{
	struct output out = new_output();
	const struct file_memstats *stats;
	size_t size = 0;

	if (end)
		memstats_end(go, proc, &out);
	else
		memstats_sample(go, proc, &out);
	stats = written(&out, FILE_MEMSTATS, &size);
	cr_assert(stats == NULL || size >= sizeof(*stats));
	return stats;
}

Test(memstats, are_read_where_the_program_is)
{
	struct go_memory go = go_memory(0x1000);
	struct proc proc = own_proc();
	const struct file_memstats *stats;

	words[0] = 50;
	words[1] = 8;
	stats = sampled(&proc, &go, false);
	cr_assert(stats != NULL);
	cr_expect(stats->available == 1 && stats->sys == 42 && stats->tsc);
	proc.fd[SESSION_FD_MEM] = -1; /* the latest stays the last */
	cr_expect(sampled(&proc, &go, true) == NULL);
}

Test(memstats, of_different_moments_are_left_out)
{
	struct go_memory go = go_memory(0);
	struct proc proc = own_proc();

	words[0] = 8;
	words[1] = 50;
	cr_expect(sampled(&proc, &go, false) == NULL);
}

Test(memstats, that_could_never_be_read_have_a_reason)
{
	struct go_memory go = go_memory(0);
	struct proc proc = own_proc();
	const struct file_memstats *stats;

	proc.fd[SESSION_FD_MEM] = -1;
	cr_expect(sampled(&proc, &go, false) == NULL);
	stats = sampled(&proc, &go, true);
	cr_assert(stats != NULL);
	cr_expect(stats->available == 0 && stats->sys == 0);
	cr_expect(strstr((const char *)(stats + 1), "cannot be read") != NULL);
	cr_expect(sampled(&proc, &go, true) == NULL);
}

Test(memstats, of_a_file_that_is_none_have_a_reason)
{
	struct go_memory go = { .state = GO_MEMORY_UNKNOWN,
		                .file = { (const uint8_t *)"none", 4 } };
	struct proc proc = own_proc();
	const struct file_memstats *stats = sampled(&proc, &go, false);

	cr_assert(stats != NULL);
	cr_expect(stats->available == 0);
	cr_expect(strstr((const char *)(stats + 1), "file") != NULL);
	cr_expect(sampled(&proc, &go, false) == NULL);
}
