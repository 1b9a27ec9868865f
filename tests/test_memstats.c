/* test_memstats - MemStats' numbers out of words; tests/memstats.sh asks real
 * programs. */
#include "observer/symbol/memstats.h"
#include "tests/go_samples.h"
#include "tests/symbol_image.h"

#define BIAS 0x10000u

/* A target whose word at address a + BIAS is a, but for one. */
struct target {
	int reads;
	uint64_t odd, value; /* the word at odd */
	uint64_t unmapped;   /* none from here on */
};

static bool read_target(void *context, uint64_t address, void *to, size_t size)
{
	struct target *target = context;

	target->reads++;
	if (address + size > target->unmapped)
		return false;
	for (size_t i = 0; i < size; i += 8) {
		uint64_t word = address - BIAS + i;
		if (word == target->odd)
			word = target->value;
		memcpy((char *)to + i, &word, 8);
	}
	return true;
}

/* sys = both, heap_sys = the first - the second */
static const struct memstats_layout two = {
	.count = 2,
	.address = { 0x1000, 0x1008 },
	.weight = { { 1, 1 }, { -1, 1 } },
};

Test(memstats, are_sums_of_words)
{
	struct target target = { .unmapped = UINT64_MAX };
	struct memstats stats;

	cr_assert(memstats_read(&two, BIAS, read_target, &target, &stats));
	cr_expect(eq(u64, stats.sys, 0x2008));
	cr_expect(eq(u64, stats.heap_sys, 8));
	cr_expect(eq(u64, stats.other_sys, 0));
	cr_expect(eq(int, target.reads, 1));
}

Test(memstats, far_from_each_other_are_read_one_by_one)
{
	struct target target = { .unmapped = UINT64_MAX };
	struct memstats_layout far = two;
	struct memstats stats;

	far.address[1] = 0x1000 + 4096;
	cr_assert(memstats_read(&far, BIAS, read_target, &target, &stats));
	cr_expect(eq(u64, stats.heap_sys, 4096));
	cr_expect(eq(int, target.reads, 2));
	far.address[1] -= 8; /* and no farther than that */
	target.reads = 0;
	cr_assert(memstats_read(&far, BIAS, read_target, &target, &stats));
	cr_expect(eq(int, target.reads, 1));
}

Test(memstats, that_cannot_be_so_are_none)
{
	struct target target = { .unmapped = UINT64_MAX, .odd = 0x1008 };
	struct memstats stats = { .sys = 7 };

	cr_expect(not(memstats_read(&two, BIAS, read_target, &target, &stats)),
	          "heap_sys is negative");
	target = (struct target){ .unmapped = BIAS + 0x1008 };
	cr_expect(not(memstats_read(&two, BIAS, read_target, &target, &stats)),
	          "not to be read");
	target.unmapped = UINT64_MAX;
	cr_expect(not(memstats_read(&(struct memstats_layout){ 0 }, BIAS,
	                            read_target, &target, &stats)),
	          "no layout");
	cr_expect(eq(u64, stats.sys, 7), "changed all the same");
}

/* readmemstats_m, word i being the one at made_code + 0x1f00 + 8 * i. */
#define WORD(i) "made_code + 0x1f00 + 8 * " #i "(%rip)"
#define GIVE(i, offset)                                                        \
	"mov " WORD(i) ", %rcx\n"                                              \
		       "mov %rcx, " #offset "(%rax)\n"
__asm__(".pushsection .rodata\n"
        ".balign 256\n"
        "made_code:\n"
        "mov " WORD(
		0) ", %rcx\n" /* HeapSys */
                   "mov %rcx, 56(%rax)\n"
                   "mov " WORD(
			   1) ", %rdx\n" /* HeapInuse */
                              "mov %rdx, 72(%rax)\n"
                              "mov %rcx, %rbx\n"
                              "sub %rdx, %rbx\n" /* HeapIdle, as up to Go 1.18
                                                  */
                              "mov %rbx, 64(%rax)\n"
                              "add " WORD(
				      2) ", %rcx\n"
                                         "add " WORD(
						 3) ", %rcx\n"
                                                    "add " WORD(
							    4) ", %rcx\n"
                                                               "add " WORD(
								       5) ", %rcx\n"
                                                                          "add " WORD(
										  6) ", %rcx\n"
                                                                                     "made_last:\n"
                                                                                     "add " WORD(
											     7) ", %rcx\n"
                                                                                                "mov %rcx, 16(%rax)\n" /* Sys */
        GIVE(2, 96) GIVE(2, 104) GIVE(3, 120) GIVE(4, 136) GIVE(5, 144)
                GIVE(6, 152) GIVE(7, 160) GIVE(8, 80)
                        GIVE(9, 112) "made_end:\n" GIVE(10,
                                                        128) "ret\n"
                                                             ".balign 256\n"
                                                             ".popsection\n");
extern const uint8_t made_code[], made_last[], made_end[];

/* A program with three functions, of which one is called readmemstats_m. */
static void make_asking(struct image *image)
{
	static const char names[] = "\0main.a\0runtime.readmemstats_m";

	make_go(image, MAGIC_120, BASE + TEXT);
	put(image, TABLE + NAMES, names, sizeof(names));
	put_function(image, MAGIC_120, 2, 0);
	put(image, TEXT + 0x100, made_code, 0x100);
}

static bool layout_of(const struct image *image, struct memstats_layout *layout,
                      const char **reason)
{
	struct symbol_file *file = open_image(image);
	bool found = memstats_layout(file, layout, reason);

	symbol_close(file);
	return found;
}

Test(memstats, are_what_the_code_computes)
{
	struct memstats_layout layout;
	struct image image;
	const char *reason;

	make_asking(&image);
	cr_assert(layout_of(&image, &layout, &reason));
	cr_expect(eq(sz, layout.count, 11));
	for (unsigned i = 0; i < 11; i++) {
		cr_expect(eq(u64, layout.address[i],
		             BASE + TEXT + 0x2000 + 8 * i));
		cr_expect(eq(int, layout.weight[0][i], i < 8 && i != 1));
		cr_expect(eq(int, layout.weight[1][i], i == 0));
		cr_expect(eq(int, layout.weight[2][i], (i == 0) - (i == 1)));
		cr_expect(eq(int, layout.weight[13][i], i == 7));
	}
}

static void expect_none(const struct image *image, const char *why)
{
	struct memstats_layout layout, nothing = { 0 };
	const char *reason;

	cr_expect(not(layout_of(image, &layout, &reason)), "%s", why);
	expect_text(reason, "the code of Go's runtime is not as expected");
	cr_expect(eq(int, memcmp(&layout, &nothing, sizeof(layout)), 0));
}

Test(memstats, of_code_that_breaks_what_go_promises_are_none)
{
	struct image image;

	make_asking(&image);
	image.at[TEXT + 0x100 + (made_last - made_code) + 3] += 8;
	expect_none(&image, "Sys is the sum of others");
	make_asking(&image);
	image.at[TEXT + 0x100 + (made_end - made_code)] = 0xc3;
	expect_none(&image, "one is not told");
	make_asking(&image);
	image.at[TEXT + 0x100] = 0x06;
	expect_none(&image, "no instructions");
	make_asking(&image);
	put32(&image, 64 + 56 + 4, PF_R);
	expect_none(&image, "not in data that can change");
	make_asking(&image);
	image.at[TABLE + NAMES + 8] = 'R';
	expect_none(&image, "nothing that counts, either");
}

Test(memstats, of_a_program_without_a_runtime_are_none)
{
	struct memstats_layout layout;
	struct image image;
	const char *reason;

	make_elf(&image, ET_EXEC);
	struct symbol_file *file = open_image(&image);
	cr_expect(not(memstats_layout(file, &layout, &reason)));
	expect_text(reason, "the program is none of Go's");
	symbol_close(file);
}

static struct memstats_layout expect_layout(const struct mapped *mapped)
{
	struct memstats_layout layout;
	const char *reason;

	cr_expect(memstats_layout(mapped->file, &layout, &reason), "%s",
	          reason);
	cr_expect(eq(ptr, (void *)reason, NULL));
	cr_expect(ge(sz, layout.count, 17));
	return layout;
}

/* A program that never asks for MemStats lacks the function that does. */
Test(memstats, of_what_counts_are_those_of_what_asks, .timeout = 300)
{
	static const char name[] = "runtime.readmemstats_m";
	glob_t paths = go_samples();

	for (size_t i = 0; i < paths.gl_pathc; i++) {
		struct mapped mapped = map_sample(paths.gl_pathv[i]);
		struct memstats_layout asks = expect_layout(&mapped);
		char *at = mapped.bytes, *end = at + mapped.size;
		while ((at = memmem(at, (size_t)(end - at), name,
		                    sizeof(name))))
			*at = 'R';
		struct memstats_layout counts = expect_layout(&mapped);
		cr_expect(eq(int, memcmp(&asks, &counts, sizeof(asks)), 0),
		          "%s", paths.gl_pathv[i]);
		unmap_sample(&mapped);
	}
	globfree(&paths);
}
