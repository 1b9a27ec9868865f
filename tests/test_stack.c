/*
 * The initial stack against the kernel's: a program is stopped at its first
 * instruction, loader_stack is given what the kernel was given, and every byte
 * between the stack pointer and the top must be the same.
 */
#define _GNU_SOURCE 1

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "loader/loader.h"
#include "tests/native.h"

#define PROGRAM "/bin/true"
#define STRINGS 4096

/* Where the kernel put things; `bytes` is [sp, top). */
struct kernel_stack {
	struct native native;
	uint64_t sp, top, size;
	uint8_t *bytes;
};

static const uint64_t *word_at(const struct kernel_stack *kernel,
                               uint64_t address)
{
	return (const uint64_t *)(kernel->bytes + (address - kernel->sp));
}

static uint64_t stack_top(pid_t pid, uint64_t sp)
{
	static struct native_mapping mappings[NATIVE_MAPPINGS];
	size_t count = native_maps(pid, 0, UINT64_MAX, mappings);

	for (size_t i = 0; i < count; i++)
		if (mappings[i].start <= sp && sp < mappings[i].end)
			return mappings[i].end;
	return 0;
}

static struct kernel_stack kernel_stack(const struct native_program *program)
{
	struct kernel_stack kernel = { .native = native_start(program) };
	pid_t pid = kernel.native.pid;

	cr_assert(eq(int, kernel.native.end, NATIVE_RUNS));
	kernel.sp = native_stat(pid, 28);
	kernel.top = stack_top(pid, kernel.sp);
	kernel.size = kernel.top - kernel.sp;
	kernel.bytes = malloc(kernel.size);

	int mem = native_open(pid, "mem");

	cr_assert(eq(long,
	             pread(mem, kernel.bytes, kernel.size, (off_t)kernel.sp),
	             (long)kernel.size));
	close(mem);
	return kernel;
}

static void end(struct kernel_stack *kernel)
{
	native_kill(kernel->native.pid);
	free(kernel->bytes);
}

static uint64_t count(char **strings)
{
	uint64_t n = 0;

	while (strings[n])
		n++;
	return n;
}

/*
 * The kernel's own auxv with the values that must be replaced made wrong, so
 * that a value left standing shows.
 */
static void spoil(const uint64_t *auxv, uint64_t *spoiled)
{
	static const uint64_t replaced[] = { AT_PHDR,    AT_PHNUM,  AT_ENTRY,
		                             AT_BASE,    AT_EXECFN, AT_RANDOM,
		                             AT_PLATFORM };

	for (; auxv[0] != AT_NULL; auxv += 2, spoiled += 2) {
		spoiled[0] = auxv[0];
		spoiled[1] = auxv[1];
		for (size_t i = 0; i < sizeof(replaced) / sizeof(*replaced);
		     i++)
			if (auxv[0] == replaced[i])
				spoiled[1] = 0xbad;
	}
	spoiled[0] = spoiled[1] = 0;
}

static uint64_t aux(const uint64_t *auxv, uint64_t type)
{
	for (; auxv[0] != AT_NULL; auxv += 2)
		if (auxv[0] == type)
			return auxv[1];
	return 0;
}

/* The program's strings, and from the kernel's stack the rest. */
static struct loader_stack question(const struct native_program *program,
                                    const struct kernel_stack *kernel,
                                    uint64_t *spoiled)
{
	uint64_t argc = count(program->argv), envc = count(program->envp);
	const uint64_t *words = word_at(kernel, kernel->sp);
	const uint64_t *auxv = words + 1 + argc + 1 + envc + 1;
	uint64_t platform = aux(auxv, AT_PLATFORM);
	struct loader_stack in = {
		.top = kernel->top,
		.execfn = program->path,
		.platform = (const char *)word_at(kernel, platform),
		.argc = argc,
		.envc = envc,
		.argv = (const char *const *)program->argv,
		.envp = (const char *const *)program->envp,
		.auxv = spoiled,
		.phdr = aux(auxv, AT_PHDR),
		.phnum = aux(auxv, AT_PHNUM),
		.entry = aux(auxv, AT_ENTRY),
		.base = aux(auxv, AT_BASE),
	};

	/* words[1] is argv[0]; the gap ends where the platform string does */
	in.gap = words[1] - (platform + strlen(in.platform) + 1);
	memcpy(in.random, word_at(kernel, aux(auxv, AT_RANDOM)), 16);
	spoil(auxv, spoiled);
	return in;
}

static void expect_same_bytes(const struct kernel_stack *kernel,
                              const uint8_t *bytes, const char *name)
{
	for (uint64_t i = 0; i < kernel->size; i++) {
		if (bytes[i] == kernel->bytes[i])
			continue;
		cr_expect(false, "%s: byte %#lx of %#lx is %#x, not %#x", name,
		          i, kernel->size, bytes[i], kernel->bytes[i]);
		return;
	}
}

static void expect_mm(const struct kernel_stack *kernel,
                      const struct loader_stack_out *out)
{
	pid_t pid = kernel->native.pid;

	cr_expect(eq(u64, out->arg_start, native_stat(pid, 48)));
	cr_expect(eq(u64, out->arg_end, native_stat(pid, 49)));
	cr_expect(eq(u64, out->env_start, native_stat(pid, 50)));
	cr_expect(eq(u64, out->env_end, native_stat(pid, 51)));
}

/* /proc/PID/auxv is mm->saved_auxv through AT_NULL. */
static void expect_auxv(const struct kernel_stack *kernel,
                        const struct loader_stack_out *out)
{
	uint8_t saved[1024];
	int fd = native_open(kernel->native.pid, "auxv");
	ssize_t size = read(fd, saved, sizeof(saved));

	close(fd);
	cr_assert(eq(long, size, (long)out->auxv_size));
	cr_expect(eq(int,
	             memcmp(word_at(kernel, out->auxv), saved, (size_t)size),
	             0));
}

static void compare(const struct native_program *program, const char *name)
{
	uint64_t spoiled[128];
	struct kernel_stack kernel = kernel_stack(program);
	struct loader_stack in = question(program, &kernel, spoiled);
	struct loader_stack_out out;
	uint8_t *bytes = malloc(kernel.size);

	memset(bytes, 0xaa, kernel.size);
	cr_assert(
		eq(int, loader_stack(&in, bytes, kernel.size, &out), LOADER_OK),
		"%s", name);
	cr_assert(eq(u64, out.sp, kernel.sp), "%s", name);
	cr_assert(eq(u64, out.size, kernel.size), "%s", name);
	expect_same_bytes(&kernel, bytes, name);
	expect_mm(&kernel, &out);
	expect_auxv(&kernel, &out);
	free(bytes);
	end(&kernel);
}

static char *no_strings[] = { NULL };
static char *one_string[] = { (char *)"true", NULL };
static char *odd_strings[] = { (char *)"true",
	                       (char *)"",
	                       (char *)"a b\tc",
	                       (char *)"",
	                       (char *)"\xff\xfe",
	                       (char *)"--x=y",
	                       NULL };

Test(stack, is_the_kernels_for_every_remainder_of_16)
{
	/* each length of the path moves everything below by one byte */
	char path[64] = "/";

	for (int i = 0; i < 33; i++) {
		memset(path + 1, '/', (size_t)i);
		strcpy(path + 1 + i, PROGRAM);
		compare(&(struct native_program){ .path = path,
		                                  .argv = one_string,
		                                  .envp = no_strings },
		        path);
	}
}

Test(stack, is_the_kernels_for_odd_and_even_numbers_of_strings)
{
	char *strings[9] = { NULL };

	for (int i = 0; i < 8; i++) {
		strings[i] = (char *)"word";
		compare(&(struct native_program){ .path = PROGRAM,
		                                  .argv = strings,
		                                  .envp = odd_strings },
		        "words");
	}
}

Test(stack, is_the_kernels_with_empty_and_odd_strings)
{
	compare(&(struct native_program){ .path = PROGRAM,
	                                  .argv = odd_strings,
	                                  .envp = odd_strings },
	        "odd strings");
}

Test(stack, is_the_kernels_without_randomisation)
{
	compare(&(struct native_program){ .path = PROGRAM,
	                                  .argv = odd_strings,
	                                  .envp = one_string,
	                                  .personality = ADDR_NO_RANDOMIZE },
	        "no randomisation");
}

Test(stack, is_the_kernels_with_a_100_KB_environment)
{
	static char text[100 * 1024];
	char *environment[] = { text, (char *)"B=2", NULL };

	memset(text, 'x', sizeof(text) - 1);
	text[0] = 'A';
	text[1] = '=';
	compare(&(struct native_program){ .path = PROGRAM,
	                                  .argv = one_string,
	                                  .envp = environment },
	        "100 KB");
}

Test(stack, is_the_kernels_with_thousands_of_strings)
{
	static char text[STRINGS][16];
	static char *strings[STRINGS + 1];

	for (int i = 0; i < STRINGS; i++) {
		snprintf(text[i], sizeof(text[i]), "N%d=%d", i, i * i);
		strings[i] = text[i];
	}
	compare(&(struct native_program){ .path = PROGRAM,
	                                  .argv = strings,
	                                  .envp = strings },
	        "thousands");
}

/* A small stack that needs no kernel. */
static const uint64_t small_auxv[] = { AT_PAGESZ, 4096, AT_PLATFORM, 1,
	                               AT_RANDOM, 1,    AT_NULL,     0 };
static const char *const small_argv[] = { "a" };

static struct loader_stack small(void)
{
	return (struct loader_stack){ .top = 0x7fff0000,
		                      .execfn = "a",
		                      .platform = "x86_64",
		                      .argc = 1,
		                      .argv = small_argv,
		                      .auxv = small_auxv };
}

Test(stack, needs_exactly_the_size_it_says)
{
	struct loader_stack in = small();
	struct loader_stack_out out;
	uint8_t bytes[512];
	size_t size = loader_stack_size(&in);

	cr_assert(eq(int, loader_stack(&in, bytes, size, &out), LOADER_OK));
	cr_expect(eq(u64, out.size, size));
}

Test(stack, that_does_not_fit_is_refused_and_nothing_is_written)
{
	struct loader_stack in = small();
	struct loader_stack_out out = { .sp = 1 };
	uint8_t bytes[512] = { 7 };

	cr_expect(eq(int,
	             loader_stack(&in, bytes, loader_stack_size(&in) - 1, &out),
	             LOADER_STACK_SMALL));
	cr_expect(eq(u64, out.sp, 1));
	cr_expect(eq(u8, bytes[0], 7));
}

Test(stack, pointer_is_a_multiple_of_16_for_every_gap)
{
	struct loader_stack in = small();
	struct loader_stack_out out;
	static uint8_t bytes[16384];

	for (in.gap = 0; in.gap < 8192; in.gap++) {
		cr_assert(eq(int, loader_stack(&in, bytes, sizeof(bytes), &out),
		             LOADER_OK));
		cr_assert(eq(u64, out.sp % 16, 0));
	}
}

Test(stack, writes_nothing_outside_its_size)
{
	struct loader_stack in = small();
	struct loader_stack_out out;
	uint8_t bytes[1024];

	memset(bytes, 0x55, sizeof(bytes));
	cr_assert(eq(int, loader_stack(&in, bytes + 1, 1000, &out), LOADER_OK));
	cr_expect(eq(u8, bytes[0], 0x55));
	cr_expect(eq(u8, bytes[1 + out.size], 0x55));
}

Test(stack, leaves_the_platform_of_the_auxv_alone_when_it_gets_none)
{
	struct loader_stack in = small();
	struct loader_stack_out out;
	uint8_t bytes[512];

	in.platform = NULL;
	cr_assert(eq(int, loader_stack(&in, bytes, sizeof(bytes), &out),
	             LOADER_OK));

	uint64_t auxv[8];

	memcpy(auxv, bytes + (out.auxv - out.sp), sizeof(auxv));
	cr_expect(eq(u64, auxv[3], 1));
}
