/*
 * The ledger's rules against the kernel's: thousands of random calls, made for
 * real, replayed, and the model held against /proc/self/maps.
 *
 * Between the two looks nothing may map memory but the calls that are noted:
 * no allocation, only static buffers and raw system calls.
 */
#define _GNU_SOURCE 1

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/run_builder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#define CALLS  20000
#define GROUND 256 /* pages that the calls play on */
#define TEXT   (4u << 20)

static struct noted {
	long call, result;
	unsigned long args[5];
} noted[CALLS];

static unsigned noted_count;
static char before[TEXT], after[TEXT];
static char *ground;

static uint64_t random_state;

static unsigned random_below(unsigned limit)
{
	random_state =
		random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(random_state >> 33) % limit;
}

static void take_look(char *text)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n;

	while ((n = read(fd, text + used, TEXT - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = 0;
	close(fd);
}

static long call(long number, unsigned long a, unsigned long b, unsigned long c,
                 unsigned long d, unsigned long e)
{
	long result = syscall(number, a, b, c, d, e, 0);

	if (result == -1)
		result = -errno;
	noted[noted_count++] =
		(struct noted){ number, result, { a, b, c, d, e } };
	return result;
}

static unsigned long page_at(unsigned page)
{
	return (unsigned long)ground + page * PAGE;
}

/* One random call on the playing ground, or from it to elsewhere and back. */
static void play(void)
{
	unsigned page = random_below(GROUND);
	unsigned pages =
		1 + random_below(GROUND - page < 24 ? GROUND - page : 24);
	unsigned to = random_below(GROUND - pages + 1);
	unsigned long at = page_at(page), size = pages * PAGE;
	unsigned prot = random_below(4); /* without PROT_EXEC */

	switch (random_below(12)) {
	case 0:
	case 1:
	case 2:
		call(SYS_mmap, at, size - random_below(PAGE), prot,
		     ANON | MAP_FIXED | (random_below(4) ? 0 : MAP_NORESERVE),
		     -1ul);
		break;
	case 3:
		call(SYS_mmap, at, size, prot,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1ul);
		break;
	case 4:
		call(SYS_mmap, at, size, prot, ANON | 0x100000, -1ul);
		break;
	case 5:
	case 6:
		call(SYS_munmap, at, size - random_below(PAGE), 0, 0, 0);
		break;
	case 7:
	case 8: /* fails, half done, where there is a hole */
		call(SYS_mprotect, at, size, prot, 0, 0);
		break;
	case 9: /* moves, or grows and shrinks in place */
		call(SYS_mremap, at, size, (1 + random_below(24)) * PAGE,
		     random_below(2), 0);
		break;
	case 10:
		call(SYS_mremap, at, size, size, 3 | (random_below(3) ? 0 : 4),
		     page_at(to));
		break;
	default:
		call(SYS_mremap, at, 0, size, 1, 0);
	}
}

/* What lies outside the ground goes back before the next call. */
static void clean_up(void)
{
	const struct noted *last = &noted[noted_count - 1];
	unsigned long at = (unsigned long)last->result;

	if (last->result < 0 || last->call != SYS_mremap)
		return;
	if (at < page_at(0) || at >= page_at(GROUND)) {
		call(SYS_munmap, at, last->args[2], 0, 0, 0);
	} else if (at + last->args[2] > page_at(GROUND)) {
		call(SYS_munmap, page_at(GROUND),
		     at + last->args[2] - page_at(GROUND), 0, 0, 0);
	}
}

/* The first look as facts: the program that this test is in. */
static void add_facts(struct run *run)
{
	char *line = before, *end, prot[5], name[256];
	unsigned long from, to;

	run_look(run, FILE_LOOK_BOOT, before);
	for (; (end = strchr(line, '\n')); line = end + 1) {
		name[0] = 0;
		cr_assert(sscanf(line, "%lx-%lx %4s %*s %*s %*s%*[ ]%255[^\n]",
		                 &from, &to, prot, name) >= 3);
		if (strcmp(name, "[stack]") == 0 || strncmp(name, "[v", 2) == 0)
			continue;
		run_fact(run, from, to - from,
		         (prot[0] == 'r' ? PROT_READ : 0) |
		                 (prot[1] == 'w' ? PROT_WRITE : 0) |
		                 (prot[2] == 'x' ? PROT_EXEC : 0),
		         TRACE_WHAT_FILE);
	}
}

static void expect_agreement(void)
{
	struct run run = run_new();
	struct ledger *ledger;

	add_facts(&run);
	run_fact(&run, (uint64_t)sbrk(0), 0, 0, TRACE_WHAT_BRK);
	for (unsigned i = 0; i < noted_count; i++)
		run_call(&run, noted[i].call, noted[i].result, noted[i].args[0],
		         noted[i].args[1], noted[i].args[2], noted[i].args[3],
		         noted[i].args[4]);
	ledger = ledger_of(&run, after);
	for (size_t i = 0; i < ledger->range_count; i++)
		cr_expect(0, "%s %lx-%lx",
		          ledger->range[i].phantom ? "phantom" : "unexplained",
		          ledger->range[i].start, ledger->range[i].end);
	done(&run, ledger);
}

/* Room for growth behind the ground, so that nothing else gets in its way. */
static void make_ground(void)
{
	ground = mmap(NULL, 2 * GROUND * PAGE, PROT_NONE, ANON, -1, 0);
	munmap(ground, 2 * GROUND * PAGE);
	noted_count = 0;
}

Test(kernel, agrees_on_random_calls, .timeout = 120)
{
	for (unsigned seed = 1; seed <= 20; seed++) {
		random_state = seed;
		make_ground();
		take_look(before);
		for (unsigned i = 0; i < 400; i++) {
			play();
			clean_up();
		}
		take_look(after);
		munmap(ground, 2 * GROUND * PAGE);
		expect_agreement();
	}
}

static unsigned deep(unsigned levels)
{
	volatile char room[16384];

	room[0] = (char)levels;
	return levels ? deep(levels - 1) + room[0] : 0;
}

Test(kernel, agrees_on_a_stack_that_grew)
{
	take_look(before);
	deep(200);
	take_look(after);
	noted_count = 0;
	expect_agreement();
}

Test(kernel, agrees_on_the_break)
{
	unsigned long at = (unsigned long)sbrk(0);

	noted_count = 0;
	take_look(before);
	call(SYS_brk, 0, 0, 0, 0, 0);
	call(SYS_brk, at + 5 * PAGE + 1, 0, 0, 0, 0);
	call(SYS_brk, at + 2 * PAGE + 7, 0, 0, 0, 0);
	call(SYS_mprotect, at + PAGE, PAGE, PROT_READ, 0, 0);
	take_look(after);
	call(SYS_brk, at, 0, 0, 0, 0);
	noted_count--;
	expect_agreement();
}

Test(kernel, agrees_on_shared_memory)
{
	int id = shmget(IPC_PRIVATE, 5 * PAGE + 1, IPC_CREAT | 0600);
	long at;

	if (id < 0)
		cr_skip("no System V shared memory here");
	noted_count = 0;
	take_look(before);
	at = call(SYS_shmat, id, 0, 0, 0, 0);
	call(SYS_mprotect, at + PAGE, PAGE, PROT_READ, 0, 0);
	call(SYS_shmat, id, 0, SHM_RDONLY, 0, 0);
	take_look(after);
	shmctl(id, IPC_RMID, NULL);
	expect_agreement();
}

Test(kernel, agrees_on_an_aio_ring)
{
	unsigned long context = 0;

	noted_count = 0;
	take_look(before);
	if (call(SYS_io_setup, 8, (unsigned long)&context, 0, 0, 0) < 0)
		cr_skip("no aio here");
	take_look(after);
	expect_agreement();
}

Test(kernel, agrees_on_a_mapping_that_grows_down)
{
	char *room = mmap(NULL, 4096 * PAGE, PROT_NONE, ANON, -1, 0);
	unsigned long top = (unsigned long)room + 4000 * PAGE;

	noted_count = 0;
	munmap(room, 4096 * PAGE);
	take_look(before);
	if (call(SYS_mmap, top - PAGE, PAGE, RW,
	         ANON | MAP_FIXED | MAP_GROWSDOWN, -1ul) < 0)
		cr_skip("no MAP_GROWSDOWN here");
	for (unsigned i = 2; i < 10; i++)
		*(volatile char *)(top - i * PAGE) = 1;
	take_look(after);
	expect_agreement();
}
