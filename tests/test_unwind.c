/* observer/symbol/unwind: stacks of this process, and of programs it traces. */
#include "observer/symbol/unwind_internal.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAMES    256
#define COPY_MAX  (64u << 10)
#define FILES_MAX 64
#define MIB       (1ul << 20)

/* ---- the files that a process has mapped ---- */

struct mapped {
	char path[256];
	uint64_t start, end, bias;
	void *bytes;
	size_t size;
	struct symbol_file *file;
};

static struct mapped files[FILES_MAX];
static size_t file_count;

static uint64_t lowest(const void *bytes)
{
	const Elf64_Ehdr *header = bytes;
	const Elf64_Phdr *segment =
		(const Elf64_Phdr *)((const char *)bytes + header->e_phoff);
	uint64_t low = UINT64_MAX;

	for (unsigned i = 0; i < header->e_phnum; i++)
		if (segment[i].p_type == PT_LOAD && segment[i].p_vaddr < low)
			low = segment[i].p_vaddr;
	return low & ~UINT64_C(4095);
}

/* Private, so that a test can spoil its copy. */
static void read_mapped(struct mapped *mapped)
{
	int fd = open(mapped->path, O_RDONLY | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) || status.st_size < 64) {
		close(fd);
		return;
	}
	mapped->size = (size_t)status.st_size;
	mapped->bytes = mmap(NULL, mapped->size, PROT_READ | PROT_WRITE,
	                     MAP_PRIVATE, fd, 0);
	close(fd);
	if (mapped->bytes == MAP_FAILED ||
	    memcmp(mapped->bytes, ELFMAG, SELFMAG)) {
		mapped->bytes = NULL;
		return;
	}
	mapped->bias = mapped->start - lowest(mapped->bytes);
	mapped->file = symbol_open(mapped->bytes, mapped->size);
}

static void read_maps(pid_t pid)
{
	char name[64], line[512];

	snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(name, "re");
	cr_assert(ne(ptr, maps, NULL));
	while (file_count)
		if (files[--file_count].file)
			symbol_close(files[file_count].file);
	while (fgets(line, sizeof(line), maps)) {
		uint64_t start, end;
		char path[256] = "";
		if (sscanf(line,
		           "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %*s %255s",
		           &start, &end, path) != 3 ||
		    *path != '/')
			continue;
		struct mapped *last = files + file_count - 1;
		if (file_count && !strcmp(last->path, path)) {
			last->end = end;
			continue;
		}
		if (file_count == FILES_MAX)
			break;
		files[file_count] =
			(struct mapped){ .start = start, .end = end };
		memcpy(files[file_count++].path, path, sizeof(path));
	}
	fclose(maps);
	for (size_t i = 0; i < file_count; i++)
		read_mapped(files + i);
}

static struct unwind *unwind_files(void)
{
	struct unwind *unwind = unwind_new();

	cr_assert(ne(ptr, unwind, NULL));
	for (size_t i = 0; i < file_count; i++)
		if (files[i].file)
			cr_assert(unwind_module(unwind, files[i].bytes,
			                        files[i].size, files[i].bias,
			                        files[i].start, files[i].end));
	return unwind;
}

static const char *name_of(uint64_t address)
{
	struct symbol_place place;

	for (size_t i = 0; i < file_count; i++)
		if (files[i].file && address >= files[i].start &&
		    address < files[i].end)
			return symbol_find(files[i].file,
			                   address - files[i].bias, &place)
			               ? place.function
			               : "?";
	return "";
}

/* ---- a stack of this thread ---- */

struct shot {
	struct unwind_stack stack;
	uint8_t bytes[COPY_MAX] __attribute__((aligned(8)));
	void *trace[FRAMES]; /* from 1 on: the callers, as glibc finds them */
	int traced;
};

static struct shot shot;
static void *restorer;

/* No lea of a label: that would look like a function's address. */
__asm__(".pushsection .text\n"
        "unwind_test_here: mov (%rsp), %rax\n\t"
        "ret\n\t"
        ".popsection");

/* glibc's answer, from the caller's frame on: a sanitizer puts one of its own
 * in front of it. */
__attribute__((noinline)) static void trace_callers(void *caller)
{
	void *trace[FRAMES];
	int count = backtrace(trace, FRAMES), first = 0;

	while (first < count && trace[first] != caller)
		first++;
	cr_assert(lt(int, first, count));
	shot.traced = count - first + 1;
	memcpy(shot.trace + 1, trace + first,
	       (size_t)(count - first) * sizeof(*trace));
	shot.trace[0] = trace[0];
}

/* A sanitizer minds a copy of what lies between variables. */
__attribute__((noinline, no_sanitize("address"))) static void copy_stack(
	const volatile uint64_t *from, uint64_t *to, size_t size)
{
	for (size_t i = 0; i < size / 8; i++)
		to[i] = from[i];
}

__attribute__((noinline)) static void shoot(void)
{
	struct unwind_stack *stack = &shot.stack;
	uint64_t regs[8];
	pthread_attr_t attr;
	void *low;
	size_t size;

	memset(stack, 0, sizeof(*stack));
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstack(&attr, &low, &size);
	pthread_attr_destroy(&attr);
	trace_callers(__builtin_return_address(0));
	__asm__ volatile("call unwind_test_here\n\t"
	                 "mov %%rax, (%0)\n\t"
	                 "mov %%rsp, 8(%0)\n\t"
	                 "mov %%rbp, 16(%0)\n\t"
	                 "mov %%rbx, 24(%0)\n\t"
	                 "mov %%r12, 32(%0)\n\t"
	                 "mov %%r13, 40(%0)\n\t"
	                 "mov %%r14, 48(%0)\n\t"
	                 "mov %%r15, 56(%0)" ::"r"(regs)
	                 : "rax", "memory");
	stack->ip = regs[0];
	stack->sp = regs[1];
	stack->bp = regs[2];
	stack->bx = regs[3];
	stack->r12 = regs[4];
	stack->r13 = regs[5];
	stack->r14 = regs[6];
	stack->r15 = regs[7];
	stack->size = (uint64_t)low + size - stack->sp;
	if (stack->size > COPY_MAX)
		stack->size = COPY_MAX;
	stack->bytes = shot.bytes;
	copy_stack((const volatile uint64_t *)stack->sp, (uint64_t *)shot.bytes,
	           stack->size);
}

__attribute__((noinline)) static void deep(int depth)
{
	if (depth)
		deep(depth - 1);
	else
		shoot();
	__asm__ volatile("" ::: "memory"); /* no tail call */
}

static int shoot_once(const void *left, const void *right)
{
	if (!shot.stack.ip)
		shoot();
	return *(const int *)left - *(const int *)right;
}

__attribute__((noinline)) static void shoot_in_qsort(void)
{
	int numbers[] = { 4, 2, 3, 1 };

	memset(&shot, 0, sizeof(shot));
	qsort(numbers, 4, sizeof(*numbers), shoot_once);
}

static void *shoot_in_thread(void *argument)
{
	deep(3);
	return argument;
}

static void on_signal(int number)
{
	(void)number;
	restorer = __builtin_return_address(0);
	deep(2);
}

/* As glibc says, but that a function interrupted by a signal is where it is
 * there, and one behind here. */
static void expect_trace(const uint64_t *frame, size_t count, int interrupted)
{
	cr_assert(eq(int, (int)count, shot.traced - 1));
	for (int i = 1; i < shot.traced; i++)
		cr_expect(eq(u64, frame[i - 1],
		             (uint64_t)shot.trace[i] + (i == interrupted)),
		          "frame %d", i);
}

static void check_shot(int interrupted)
{
	uint64_t frame[FRAMES];
	bool whole;

	read_maps(getpid());
	struct unwind *unwind = unwind_files();
	size_t count = unwind_walk(unwind, &shot.stack, frame, FRAMES, &whole);
	expect_trace(frame, count, interrupted);
	cr_expect(whole);
	unwind_free(unwind);
}

Test(unwind, finds_nested_calls_up_to_the_first_function)
{
	deep(5);
	check_shot(0);
}

Test(unwind, finds_a_deep_recursion)
{
	deep(100);
	check_shot(0);
}

Test(unwind, crosses_a_callback_of_libc)
{
	shoot_in_qsort();
	check_shot(0);
}

Test(unwind, ends_at_a_threads_first_function)
{
	pthread_t thread;

	cr_assert(eq(int, pthread_create(&thread, NULL, shoot_in_thread, NULL),
	             0));
	pthread_join(thread, NULL);
	check_shot(0);
}

Test(unwind, crosses_a_signal_frame)
{
	int at = 1;

	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	while (at < shot.traced && shot.trace[at - 1] != restorer)
		at++;
	cr_assert(lt(int, at, shot.traced));
	check_shot(at);
}

Test(unwind, gives_no_more_frames_than_asked_for)
{
	uint64_t frame[4] = { 0, 0, 0, 77 };
	bool whole;

	deep(5);
	read_maps(getpid());
	struct unwind *unwind = unwind_files();
	cr_expect(
		eq(sz, unwind_walk(unwind, &shot.stack, frame, 3, &whole), 3));
	cr_expect(not(whole));
	cr_expect(eq(u64, frame[3], 77));
	unwind_free(unwind);
}

/* ---- without .eh_frame ---- */

/* No program header and no section leads to it any more. */
static void hide_frames(struct mapped *mapped)
{
	Elf64_Ehdr *header = mapped->bytes;
	char *bytes = mapped->bytes;
	Elf64_Phdr *segment = (Elf64_Phdr *)(bytes + header->e_phoff);
	Elf64_Shdr *section = (Elf64_Shdr *)(bytes + header->e_shoff);
	const char *names = bytes + section[header->e_shstrndx].sh_offset;

	for (unsigned i = 0; i < header->e_phnum; i++)
		if (segment[i].p_type == PT_GNU_EH_FRAME)
			segment[i].p_type = PT_NULL;
	for (unsigned i = 0; i < header->e_shnum; i++)
		if (!strcmp(names + section[i].sh_name, ".eh_frame"))
			section[i].sh_type = SHT_NOBITS;
}

/* The header's table goes, .eh_frame stays: as in a static program. */
static void hide_header(struct mapped *mapped)
{
	Elf64_Ehdr *header = mapped->bytes;
	Elf64_Phdr *segment =
		(Elf64_Phdr *)((char *)mapped->bytes + header->e_phoff);

	for (unsigned i = 0; i < header->e_phnum; i++)
		if (segment[i].p_type == PT_GNU_EH_FRAME)
			segment[i].p_type = PT_NULL;
}

static void check_spoiled(void (*spoil)(struct mapped *))
{
	uint64_t frame[FRAMES];
	bool whole;

	read_maps(getpid());
	for (size_t i = 0; i < file_count; i++)
		if (files[i].file)
			spoil(files + i);
	struct unwind *unwind = unwind_files();
	size_t count = unwind_walk(unwind, &shot.stack, frame, FRAMES, &whole);
	expect_trace(frame, count, 0);
	cr_expect(whole);
	unwind_free(unwind);
}

Test(unwind, makes_the_table_that_a_static_program_lacks)
{
	shoot_in_qsort();
	check_spoiled(hide_header);
	/* and it was not the code that told */
	struct unwind *unwind = unwind_files();
	struct walk walk = {
		.unwind = unwind,
		.stack = &shot.stack,
		.module = module_at(unwind, shot.stack.ip),
		.state = { .ip = shot.stack.ip,
		           .sp = shot.stack.sp,
		           .exact = 1 },
	};
	for (unsigned i = 0; i < SAVED; i++)
		walk.state.reg[i] = (struct place){ PLACE_INPUT, i };
	cr_expect(cfi_step(&walk));
	cr_expect(eq(u64, walk.state.ip, (uint64_t)shot.trace[1]));
	unwind_free(unwind);
}

Test(unwind, follows_the_code_where_there_is_no_table)
{
	shoot_in_qsort();
	check_spoiled(hide_frames);
}

/* ---- frame pointers ---- */

#define FAKE_SP  0x7ffe00001000u
#define FAKE_JIT 0x33330000u

/* A stack of made-up code that no file was mapped to. */
static struct unwind_stack fake(uint64_t *word, size_t count)
{
	return (struct unwind_stack){
		.ip = FAKE_JIT,
		.sp = FAKE_SP,
		.bp = FAKE_SP + 16,
		.bytes = (const uint8_t *)word,
		.size = count * sizeof(*word),
	};
}

/* Two frames. */
static struct unwind_stack fake_two(uint64_t word[10])
{
	const uint64_t two[10] = {
		[2] = FAKE_SP + 40,
		[3] = FAKE_JIT + 10,
		[5] = 0,
		[6] = FAKE_JIT + 20,
	};

	memcpy(word, two, sizeof(two));
	return fake(word, 10);
}

static size_t walk_fake(const struct unwind_stack *stack, uint64_t *frame)
{
	struct unwind *unwind = unwind_new();
	bool whole;
	size_t count = unwind_walk(unwind, stack, frame, FRAMES, &whole);

	cr_expect(not(whole));
	unwind_free(unwind);
	return count;
}

Test(unwind, follows_frame_pointers_in_code_of_no_file)
{
	uint64_t frame[FRAMES];
	uint64_t word[10] = {
		[2] = FAKE_SP + 40,
		[3] = FAKE_JIT + 10,
		[5] = FAKE_SP + 64,
		[6] = FAKE_JIT + 20,
		[8] = 0,
		[9] = FAKE_JIT + 30,
	};
	struct unwind_stack stack = fake(word, 10);

	cr_assert(eq(sz, walk_fake(&stack, frame), 3));
	cr_expect(eq(u64, frame[0], FAKE_JIT + 10));
	cr_expect(eq(u64, frame[1], FAKE_JIT + 20));
	cr_expect(eq(u64, frame[2], FAKE_JIT + 30));
}

Test(unwind, does_not_follow_frame_pointers_down)
{
	uint64_t frame[FRAMES];
	uint64_t word[10] = {
		[2] = FAKE_SP + 40,  [3] = FAKE_JIT + 10,
		[5] = FAKE_SP + 48, /* within the frame that it is to leave */
		[6] = FAKE_JIT + 20, [7] = FAKE_JIT + 30,
	};
	struct unwind_stack stack = fake(word, 10);

	cr_expect(eq(sz, walk_fake(&stack, frame), 2));
}

Test(unwind, takes_no_address_of_the_stack_for_code)
{
	uint64_t frame[FRAMES];
	uint64_t word[10] = { [2] = FAKE_SP + 40, [3] = FAKE_SP + 8 };
	struct unwind_stack stack = fake(word, 10);

	cr_expect(eq(sz, walk_fake(&stack, frame), 0));
}

Test(unwind, is_whole_when_the_frames_reach_the_stacks_top)
{
	uint64_t frame[FRAMES];
	uint64_t word[10];
	struct unwind_stack stack = fake_two(word);
	struct unwind *unwind = unwind_new();
	bool whole;

	stack.top = FAKE_SP + 80;
	unwind_walk(unwind, &stack, frame, FRAMES, &whole);
	cr_expect(whole);
	stack.top = FAKE_SP + 8000;
	unwind_walk(unwind, &stack, frame, FRAMES, &whole);
	cr_expect(not(whole));
	unwind_free(unwind);
}

/* ---- two stacks ---- */

#define FAKE_GO 0xc000001000u

/* The second frame is on the goroutine's stack, the third on the first. */
static struct unwind_stack fake_other(uint64_t word[16])
{
	const uint64_t words[16] = {
		[2] = FAKE_GO + 16,
		[3] = FAKE_JIT + 10,
		[6] = 0,
		[7] = FAKE_JIT + 30,
		[8 + 2] = FAKE_SP + 48,
		[8 + 3] = FAKE_JIT + 20,
	};

	memcpy(word, words, sizeof(words));
	struct unwind_stack stack = fake(word, 8);
	stack.other.at = FAKE_GO;
	stack.other.size = 64;
	return stack;
}

Test(unwind, goes_over_to_the_other_stack_and_back)
{
	uint64_t frame[FRAMES], word[16];
	struct unwind_stack stack = fake_other(word);

	cr_assert(eq(sz, walk_fake(&stack, frame), 3));
	cr_expect(eq(u64, frame[1], FAKE_JIT + 20));
	cr_expect(eq(u64, frame[2], FAKE_JIT + 30));
	stack.other.size = 24; /* without that frame's return address */
	cr_expect(eq(sz, walk_fake(&stack, frame), 1));
}

Test(unwind, does_not_go_down_on_the_other_stack)
{
	uint64_t frame[FRAMES], word[16];
	struct unwind_stack stack = fake_other(word);

	word[8 + 1] = FAKE_JIT + 40;
	word[8 + 2] = FAKE_GO;
	cr_expect(eq(sz, walk_fake(&stack, frame), 2));
}

Test(unwind, takes_no_address_of_the_other_stack_for_code)
{
	uint64_t frame[FRAMES], word[16];
	struct unwind_stack stack = fake_other(word);

	word[8 + 3] = FAKE_GO + 8;
	cr_expect(eq(sz, walk_fake(&stack, frame), 1));
}

Test(unwind, ends_when_two_stacks_lead_to_each_other_for_ever)
{
	uint64_t frame[FRAMES], word[16];
	struct unwind_stack stack = fake_other(word);

	word[8 + 2] = FAKE_SP + 16;
	cr_expect(eq(sz, walk_fake(&stack, frame), FRAMES));
}

Test(unwind, knows_two_stacks_again_when_both_are_where_they_were)
{
	uint64_t frame[FRAMES], word[16];
	struct unwind_stack stack = fake_other(word);
	struct unwind *unwind = unwind_new();
	bool whole;

	unwind_walk(unwind, &stack, frame, FRAMES, &whole);
	unwind_walk(unwind, &stack, frame, FRAMES, &whole);
	cr_expect(eq(sz, unwind->repeated, 1));
	stack.other.at += 4096;
	cr_expect(
		eq(sz, unwind_walk(unwind, &stack, frame, FRAMES, &whole), 1));
	cr_expect(eq(sz, unwind->repeated, 1));
	unwind_free(unwind);
}

/* ---- the memo ---- */

Test(unwind, knows_an_equal_stack_again)
{
	uint64_t first[FRAMES], second[FRAMES];
	bool whole;

	deep(5);
	read_maps(getpid());
	struct unwind *unwind = unwind_files();
	size_t count = unwind_walk(unwind, &shot.stack, first, FRAMES, &whole);
	cr_expect(eq(sz, unwind->repeated, 0));
	cr_expect(eq(sz,
	             unwind_walk(unwind, &shot.stack, second, FRAMES, &whole),
	             count));
	cr_expect(eq(sz, unwind->repeated, 1));
	cr_expect(whole);
	cr_expect(not(memcmp(first, second, count * sizeof(*first))));
	unwind_free(unwind);
}

Test(unwind, unwinds_again_when_a_word_differs_that_mattered)
{
	uint64_t frame[FRAMES];
	uint64_t word[10];
	struct unwind_stack stack = fake_two(word);
	struct unwind *unwind = unwind_new();
	bool whole;

	unwind_walk(unwind, &stack, frame, FRAMES, &whole);
	word[6] = FAKE_JIT + 50;
	cr_expect(
		eq(sz, unwind_walk(unwind, &stack, frame, FRAMES, &whole), 2));
	cr_expect(eq(sz, unwind->repeated, 0));
	cr_expect(eq(u64, frame[1], FAKE_JIT + 50));
	word[7] = 1; /* nobody reads it */
	unwind_walk(unwind, &stack, frame, FRAMES, &whole);
	cr_expect(eq(sz, unwind->repeated, 1));
	unwind_free(unwind);
}

Test(unwind, knows_the_stack_of_another_thread_again)
{
	uint64_t frame[FRAMES];
	uint64_t word[10];
	struct unwind_stack stack = fake_two(word);
	struct unwind *unwind = unwind_new();
	bool whole;

	unwind_walk(unwind, &stack, frame, FRAMES, &whole);
	stack.sp += MIB;
	stack.bp += MIB;
	word[2] += MIB;
	cr_expect(
		eq(sz, unwind_walk(unwind, &stack, frame, FRAMES, &whole), 2));
	cr_expect(eq(sz, unwind->repeated, 1));
	word[2] -= MIB; /* of the first thread's stack now */
	cr_expect(
		eq(sz, unwind_walk(unwind, &stack, frame, FRAMES, &whole), 1));
	cr_expect(eq(sz, unwind->repeated, 1));
	unwind_free(unwind);
}

Test(unwind, forgets_what_it_knew_when_a_file_is_mapped)
{
	uint64_t frame[FRAMES];
	bool whole;

	size_t any = 0;

	deep(5);
	read_maps(getpid());
	struct unwind *unwind = unwind_files();
	unwind_walk(unwind, &shot.stack, frame, FRAMES, &whole);
	while (!files[any].file)
		any++;
	/* over all of the program and its libraries */
	cr_assert(unwind_module(unwind, files[any].bytes, files[any].size, 0,
	                        4096, UINT64_C(1) << 47));
	unwind_walk(unwind, &shot.stack, frame, FRAMES, &whole);
	cr_expect(eq(sz, unwind->repeated, 0));
	cr_expect(not(whole));
	unwind_free(unwind);
}

/* ---- hostile input ---- */

static uint64_t state = 88172645463325252u;

static uint64_t chance(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Something that looks like what could be there. */
static uint64_t likely(void)
{
	switch (chance() % 4) {
	case 0:
		return shot.stack.sp + chance() % shot.stack.size;
	case 1:
		return (uint64_t)shot.trace[chance() % (unsigned)shot.traced];
	case 2:
		return chance() % 3;
	default:
		return chance();
	}
}

Test(unwind, ends_with_any_stack_and_registers)
{
	uint64_t frame[FRAMES];
	bool whole;

	shoot_in_qsort();
	read_maps(getpid());
	struct unwind *unwind = unwind_files();
	for (int i = 0; i < 2000; i++) {
		struct unwind_stack stack = shot.stack;
		uint64_t *reg = &stack.ip + 2 + chance() % 6;
		*reg = likely();
		if (chance() % 4 == 0)
			stack.ip = likely();
		if (chance() % 2)
			stack.size = chance() % (stack.size + 1);
		for (uint64_t n = chance() % 3; stack.size >= 8 && n; n--) {
			uint64_t word = likely();
			memcpy(shot.bytes + chance() % (stack.size - 7), &word,
			       sizeof(word));
		}
		/* exactly as large, so that a tool sees what is outside */
		uint8_t *copy = malloc(stack.size ? stack.size : 1);
		cr_assert(ne(ptr, copy, NULL));
		memcpy(copy, shot.bytes, stack.size);
		stack.bytes = copy;
		if (chance() % 2) {
			stack.other = (struct unwind_other){
				.at = likely(),
				.size = chance() % (stack.size + 1),
				.go_pc = likely(),
				.go_bp = likely(),
				.go_top = likely(),
			};
			stack.size -= stack.other.size;
		}
		size_t count =
			unwind_walk(unwind, &stack, frame, FRAMES, &whole);
		cr_assert(count <= FRAMES);
		free(copy);
	}
	unwind_free(unwind);
}

Test(unwind, ends_with_any_unwind_table)
{
	uint64_t frame[FRAMES];
	bool whole;

	shoot_in_qsort();
	read_maps(getpid());
	for (int i = 0; i < 30; i++) {
		for (size_t f = 0; f < file_count; f++) {
			struct span span;
			if (!files[f].file ||
			    !elf_section_named(files[f].file, ".eh_frame",
			                       &span))
				continue;
			for (uint64_t n = 0; n < span.size / 50; n++)
				((uint8_t *)span.at)[chance() % span.size] =
					(uint8_t)chance();
		}
		struct unwind *unwind = unwind_files();
		unwind_walk(unwind, &shot.stack, frame, FRAMES, &whole);
		unwind_free(unwind);
	}
}

Test(unwind, takes_no_file_that_is_not_elf)
{
	struct unwind *unwind = unwind_new();

	cr_expect(
		not(unwind_module(unwind, "not an ELF file", 15, 0, 0, 4096)));
	unwind_free(unwind);
}

/* ---- programs ---- */

static uint64_t frames[8][FRAMES]; /* by the size that take() asks for */
static size_t counts[8];
static bool wholes[8];

/* Stands for the goroutine's frames: no code lies there. */
static const uint64_t goroutine[] = { 0x11, 0x22 };

static void look(struct unwind *unwind, pid_t pid, size_t which)
{
	static uint8_t bytes[COPY_MAX];
	struct user_regs_struct regs;
	char name[64];

	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	snprintf(name, sizeof(name), "/proc/%d/mem", (int)pid);
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	while (size < COPY_MAX) { /* up to the end of the stack's mapping */
		size_t step = 4096 - (regs.rsp + size) % 4096;
		if (step > COPY_MAX - size)
			step = COPY_MAX - size;
		if (pread(fd, bytes + size, step, (off_t)(regs.rsp + size)) !=
		    (ssize_t)step)
			break;
		size += step;
	}
	close(fd);
	struct unwind_stack stack = {
		.ip = regs.rip - 2,
		.sp = regs.rsp,
		.bp = regs.rbp,
		.bx = regs.rbx,
		.r12 = regs.r12,
		.r13 = regs.r13,
		.r14 = regs.r14,
		.r15 = regs.r15,
		.bytes = bytes,
		.size = size,
		.go = goroutine,
		.go_count = 2,
	};
	counts[which] = unwind_walk(unwind, &stack, frames[which], FRAMES,
	                            wholes + which);
}

/* mmap for a block of take()'s, at the call's entry. */
static size_t which_call(pid_t pid)
{
	struct user_regs_struct regs;

	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	if (regs.orig_rax != SYS_mmap || (int64_t)regs.rax != -ENOSYS ||
	    (int)regs.r8 != -1 || regs.rsi % MIB == 0 || regs.rsi % MIB > 65536)
		return 0;
	return regs.rsi / MIB < 8 ? regs.rsi / MIB : 0;
}

static void on_block(struct unwind **unwind, pid_t pid)
{
	size_t which = which_call(pid);

	if (!which)
		return;
	if (!*unwind) {
		read_maps(pid);
		*unwind = unwind_files();
	}
	look(*unwind, pid, which);
}

/* Runs the program; `each` sees each of its syscalls, before and behind. */
static void trace(const char *program,
                  void (*each)(struct unwind **unwind, pid_t pid))
{
	struct unwind *unwind = NULL;
	int status;
	pid_t child = fork();

	memset(counts, 0, sizeof(counts));
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		execl(program, program, (char *)NULL);
		_exit(127);
	}
	cr_assert(eq(int, waitpid(child, &status, 0), child));
	ptrace(PTRACE_SETOPTIONS, child, NULL,
	       PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
	               PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL);
	ptrace(PTRACE_SYSCALL, child, NULL, NULL);
	for (;;) {
		pid_t pid = waitpid(-1, &status, __WALL);
		if (pid < 0 || (pid == child && !WIFSTOPPED(status)))
			break;
		if (!WIFSTOPPED(status))
			continue;
		int number = WSTOPSIG(status);
		if (number == (SIGTRAP | 0x80))
			each(&unwind, pid);
		if (number == (SIGTRAP | 0x80) || number == SIGTRAP ||
		    number == SIGSTOP)
			number = 0;
		ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)number);
	}
	cr_assert(eq(int, status, 0));
	unwind_free(unwind);
}

static void expect_names(size_t which, const char *const *names)
{
	size_t at = 0;

	/* malloc's own functions come first */
	while (at < counts[which] &&
	       strcmp(name_of(frames[which][at] - 1), *names))
		at++;
	for (; *names; names++, at++) {
		cr_assert(lt(sz, at, counts[which]), "%zu MiB: no %s", which,
		          *names);
		const char *name = name_of(frames[which][at] - 1);
		if (strcmp(*names, "...")) {
			cr_expect(eq(str, (char *)name, (char *)*names));
			continue;
		}
		while (at + 1 < counts[which] &&
		       strcmp(name_of(frames[which][at + 1] - 1), names[1]))
			at++;
	}
}

static void expect_calls(void)
{
	static const char *const calls[][8] = {
		[1] = { "take", "outer", "main" },
		[2] = { "take", "outer", "compare", "...", "main" },
		[3] = { "take", "outer", "thread" },
		[4] = { "take", "outer", "handler", "...", "raise", "main" },
	};

	for (size_t which = 1; which < 5; which++) {
		expect_names(which, calls[which]);
		cr_expect(wholes[which], "%zu MiB", which);
	}
}

static const char *helper(void)
{
	static char path[512];
	const char *srcdir = getenv("srcdir");

	snprintf(path, sizeof(path), "%s/tests/helpers/unwind_calls.c",
	         srcdir ? srcdir : ".");
	return path;
}

/* Builds the helper as `program`; 0: there is no such compiler. */
static int build(const char *compiler, const char *flags, char *program)
{
	char command[2048];

	strcpy(program, "/tmp/test_unwind_XXXXXX");
	int fd = mkstemp(program);
	cr_assert(fd >= 0);
	close(fd);
	snprintf(command, sizeof(command), "command -v %s >/dev/null",
	         compiler);
	if (system(command))
		return 0;
	snprintf(command, sizeof(command), "%s -O2 %s -o %s %s -pthread",
	         compiler, flags, program, helper());
	cr_assert(eq(int, system(command), 0));
	return 1;
}

static void check_program(const char *compiler, const char *flags)
{
	char program[64];

	if (!build(compiler, flags, program)) {
		unlink(program);
		cr_skip_test("no %s", compiler);
	}
	trace(program, on_block);
	unlink(program);
	expect_calls();
}

Test(unwind, unwinds_a_program_with_glibc, .timeout = 60)
{
	check_program("cc", "");
}

Test(unwind, unwinds_a_static_program, .timeout = 60)
{
	check_program("cc", "-static");
}

Test(unwind, unwinds_a_program_with_musl, .timeout = 60)
{
	check_program("musl-gcc", "-static");
}

/* The addresses are the same, the names are gone. */
Test(unwind, unwinds_a_stripped_program_with_musl, .timeout = 60)
{
	static uint64_t before[8][FRAMES];
	size_t count[8];
	char program[64];

	if (!build("musl-gcc", "-static", program)) {
		unlink(program);
		cr_skip_test("no musl-gcc");
	}
	trace(program, on_block);
	unlink(program);
	memcpy(before, frames, sizeof(frames));
	memcpy(count, counts, sizeof(counts));
	build("musl-gcc", "-static -s", program);
	trace(program, on_block);
	unlink(program);
	for (size_t which = 1; which < 5; which++) {
		cr_assert(lt(sz, 4, count[which]));
		cr_assert(eq(sz, counts[which], count[which]));
		cr_expect(not(memcmp(frames[which], before[which],
		                     count[which] * sizeof(**frames))));
	}
}

/* ---- Go ---- */

static unsigned left, threads, on_g0;

static int is_change(const char *name)
{
	return !strcmp(name, "runtime.systemstack") ||
	       !strcmp(name, "runtime.mcall") ||
	       !strcmp(name, "runtime.morestack") ||
	       !strcmp(name, "runtime.asmcgocall");
}

/* A change of the stack is followed by the goroutine's frames, once. */
static void expect_goroutine(const uint64_t *frame, size_t count, bool whole)
{
	size_t from_c = 0;

	for (size_t i = 0; i < count && frame[i] != goroutine[0]; i++) {
		const char *name = name_of(frame[i] - 1);
		from_c |= !strcmp(name, "pthread_create");
		threads += !strcmp(name, "threadentry") && whole;
		/* asmcgocall did not change the stack: it was g0's already */
		on_g0 += i && !strcmp(name, "runtime.newm1") &&
		         !strcmp(name_of(frame[i - 1] - 1),
		                 "runtime.asmcgocall");
	}
	if (count > 2 && frame[count - 2] == goroutine[0]) {
		cr_expect(eq(u64, frame[count - 1], goroutine[1]));
		cr_expect(is_change(name_of(frame[count - 3] - 1)), "%s",
		          name_of(frame[count - 3] - 1));
		cr_expect(not(whole));
		left += from_c;
	} else {
		cr_expect(whole);
	}
}

/* From the first thread on all libraries are there. */
static void on_go_call(struct unwind **unwind, pid_t pid)
{
	struct user_regs_struct regs;

	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	if ((int64_t)regs.rax != -ENOSYS)
		return;
	if (!*unwind) {
		if (regs.orig_rax != SYS_rt_sigprocmask)
			return;
		read_maps(pid);
		*unwind = unwind_files();
	}
	if (regs.orig_rax != SYS_mmap && regs.orig_rax != SYS_mprotect)
		return;
	look(*unwind, pid, 0);
	expect_goroutine(frames[0], counts[0], wholes[0]);
}

static void check_go(const char *version, const char *name)
{
	const char *srcdir = getenv("srcdir"), *samples = getenv("SAMPLES");
	char command[1024], program[512];

	if (!samples || !srcdir)
		cr_skip_test("no SAMPLES");
	snprintf(command, sizeof(command),
	         "bash '%s/samples/build.sh' '%s' %s >/dev/null 2>&1", srcdir,
	         samples, name);
	snprintf(program, sizeof(program), "%s/%s/%s", samples, version, name);
	if (system(command) || access(program, X_OK))
		cr_skip_test("no %s", program);
	trace(program, on_go_call);
	/* Criterion's gt() holds for equal numbers, too */
	cr_expect(lt(uint, 0, left));
	cr_expect(lt(uint, 0, threads));
	cr_expect(lt(uint, 0, on_g0));
}

Test(unwind, goes_on_in_the_goroutine_below_c, .timeout = 120)
{
	check_go("go", "hello.cgo");
}

Test(unwind, goes_on_in_the_goroutine_without_frames, .timeout = 120)
{
	check_go("go1.19.8", "hello.cgo");
}

Test(unwind, goes_on_in_the_goroutine_below_static_c, .timeout = 120)
{
	check_go("go", "hello.cgo-static");
}
