/* test_pclntab - Go's function table in its four layouts. */
#include "tests/symbol_image.h"

/* main.c's second line, and where Go text is. */
static void expect_go(const struct image *image, const char *what)
{
	struct symbol_file *file = open_image(image);
	const struct symbol_info *info = symbol_info(file);
	struct symbol_place place = { 0 };
	uint64_t text = BASE + TEXT;

	cr_assert(symbol_find(file, text + 0x250, &place), "%s", what);
	expect_text(place.function, "main.c");
	expect_text(place.file, "/src/a.go");
	cr_expect(eq(int, place.line, 12), "%s", what);
	cr_expect(eq(u64, place.start, text + 0x200), "%s", what);
	cr_expect(place.go, "%s", what);
	cr_assert(symbol_find(file, text + 0x3f, &place), "%s", what);
	cr_expect(eq(int, place.line, 10), "%s", what);
	cr_expect(not(symbol_find(file, text + 0x300, &place)), "%s", what);
	cr_expect(eq(u64, info->go_text[0], text), "%s", what);
	cr_expect(eq(u64, info->go_text[1], text + 0x300), "%s", what);
	cr_expect(eq(u64, info->sigtramp[0], text + 0x100), "%s", what);
	cr_expect(eq(u64, info->sigtramp[1], text + 0x200), "%s", what);
	symbol_close(file);
}

Test(pclntab, names_files_and_lines_in_all_four_layouts)
{
	static const struct {
		const char *name;
		uint32_t magic;
	} cases[] = {
		{ "go1.2", MAGIC_12 },
		{ "go1.16", MAGIC_116 },
		{ "go1.18", MAGIC_118 },
		{ "go1.20", MAGIC_120 },
	};
	struct image image;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		make_go(&image, cases[i].magic, BASE + TEXT);
		expect_go(&image, cases[i].name);
	}
}

Test(pclntab, takes_text_from_the_section_when_the_header_has_none)
{
	struct image image;

	make_go(&image, MAGIC_120, 0);
	expect_go(&image, ".text");
}

Test(pclntab, prefers_moduledata_to_a_text_section_that_starts_with_c)
{
	struct image image;

	make_go(&image, MAGIC_120, 0);
	make_module(&image);
	Elf64_Shdr *text = (Elf64_Shdr *)(image.at + HEADERS + 64);
	text->sh_offset -= 0x80;
	text->sh_addr -= 0x80;
	text->sh_size += 0x80;
	expect_go(&image, "searched");
	add_section(&image, ".go.module", SHT_PROGBITS, SHF_ALLOC, MODULE, 256);
	expect_go(&image, "section");
}

Test(pclntab, is_found_without_sections)
{
	struct image image;

	make_elf(&image, ET_EXEC);
	make_pclntab(&image, MAGIC_120, 0);
	make_module(&image);
	((Elf64_Ehdr *)image.at)->e_shnum = 0;
	((Elf64_Ehdr *)image.at)->e_shoff = 0;
	expect_go(&image, "no sections");
}

Test(pclntab, reads_the_relocations_of_a_pie)
{
	static const uint32_t magics[] = { MAGIC_12, MAGIC_116, MAGIC_118 };
	struct image image;

	for (size_t i = 0; i < 3; i++) {
		make_pie(&image, magics[i]);
		expect_go(&image, "PIE");
	}
}

Test(pclntab, is_refused_when_its_functions_are_not_executable)
{
	struct image image;

	make_go(&image, MAGIC_118, BASE + DATA);
	((Elf64_Ehdr *)image.at)->e_shnum = 1;
	struct symbol_file *file = open_image(&image);
	cr_expect(eq(u64, symbol_info(file)->go_text[1], 0));
	symbol_close(file);
}

static void expect_place(const struct symbol_place *place, const char *function,
                         int line)
{
	expect_text(place->function, function);
	expect_text(place->file, "/src/a.go");
	cr_expect(eq(int, place->line, line));
	cr_expect(eq(u64, place->start, BASE + TEXT + 0x200));
}

/* What is inlined at the start of main.c; `count` places of it are known. */
static void expect_inlined(const struct image *image, size_t count)
{
	struct symbol_file *file = open_image(image);
	struct symbol_place place[8];
	uint64_t address = BASE + TEXT + 0x210;

	cr_assert(eq(sz, symbol_places(file, address, place, 8), count));
	if (count == 3) {
		expect_place(&place[0], "main.a", 10);
		expect_place(&place[1], "runtime.sigtramp", 10);
	}
	expect_place(&place[count - 1], "main.c", count == 3 ? 12 : 10);
	cr_assert(eq(sz, symbol_places(file, address, place, 2),
	             count < 2 ? count : 2));
	expect_text(place[count > 1].function, "main.c");
	cr_assert(symbol_find(file, address, place));
	expect_place(place, "main.c", count == 3 ? 12 : 10);
	cr_assert(eq(sz, symbol_places(file, address + 0x40, place, 8), 1));
	cr_expect(eq(sz, symbol_places(file, address, place, 0), 0));
	symbol_close(file);
}

Test(pclntab, expands_inlined_calls_where_moduledata_is_found)
{
	static const uint32_t magics[] = { MAGIC_118, MAGIC_120 };
	struct image image;

	for (size_t i = 0; i < 2; i++) {
		make_go(&image, magics[i], BASE + TEXT);
		make_inlined(&image, magics[i]);
		expect_inlined(&image, 1);
		make_module(&image);
		expect_inlined(&image, 3);
	}
}

Test(pclntab, does_not_follow_inlined_calls_in_circles)
{
	struct image image;
	struct symbol_place place[8];

	make_go(&image, MAGIC_120, BASE + TEXT);
	make_module(&image);
	make_inlined(&image, MAGIC_120);
	put_inlined(&image, MAGIC_120, 0, 8, 0x10);
	struct symbol_file *file = open_image(&image);
	cr_assert(
		eq(sz, symbol_places(file, BASE + TEXT + 0x210, place, 8), 8));
	expect_text(place[7].function, "main.c");
	put_inlined(&image, MAGIC_120, 0, 8, 0x100);
	cr_assert(
		eq(sz, symbol_places(file, BASE + TEXT + 0x210, place, 8), 2));
	symbol_close(file);
}

Test(pclntab, survives_a_table_cut_or_spoiled_anywhere)
{
	struct image image, bad;
	static const uint32_t magics[] = { MAGIC_12, MAGIC_118, MAGIC_120 };
	struct symbol_place place;
	const uint64_t *starts;

	for (unsigned i = 0; i < 3 * 0x300; i++) {
		uint32_t magic = magics[i / 0x300];
		make_go(&image, magic, BASE + TEXT);
		if (magic != MAGIC_12) {
			make_module(&image);
			make_inlined(&image, magic);
		}
		bad = image;
		bad.at[TABLE + i % 0x300] = 0xff;
		struct symbol_file *file = open_image(&bad);
		symbol_starts(file, &starts);
		for (unsigned k = 0; k < 0x300; k += 0x3f)
			symbol_find(file, BASE + TEXT + k, &place);
		symbol_close(file);
	}
}
