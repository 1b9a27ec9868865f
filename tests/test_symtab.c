/*
 * test_symtab - names from symbol tables: as their authors wrote them, and
 * those that a stripped file has packed in .gnu_debugdata.
 */
#include "tests/symbol_image.h"

#include <lzma.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME 2048 /* room for one, at BLOB */

/* A function of 0x100 bytes at TEXT + 0x100 * `i`, named `name`. */
static void put_symbol(struct image *image, unsigned i, const char *name)
{
	static const Elf64_Sym none;
	Elf64_Sym symbol = {
		.st_name = 1,
		.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
		.st_shndx = 1,
		.st_value = BASE + TEXT + 0x100 * i,
		.st_size = 0x100,
	};
	unsigned link = ((Elf64_Ehdr *)image->at)->e_shnum + 1u;

	put(image, FRAMES, &none, sizeof(none));
	put(image, FRAMES + sizeof(none), &symbol, sizeof(symbol));
	put(image, BLOB + 1, name, strlen(name) + 1);
	add_section(image, ".symtab", SHT_SYMTAB, 0, FRAMES,
	            2 * sizeof(symbol));
	put32(image, HEADERS + 64 * (link - 1) + 40, link);
	add_section(image, ".strtab", SHT_STRTAB, 0, BLOB,
	            (unsigned)strlen(name) + 2);
}

static void expect_name(const char *linker, const char *function)
{
	struct symbol_place place = { 0 }, again;
	struct image image;

	make_elf(&image, ET_EXEC);
	put_symbol(&image, 1, linker);
	struct symbol_file *file = open_image(&image);
	cr_assert(symbol_places(file, BASE + TEXT + 0x108, &place, 1));
	expect_text(place.function, function);
	if (strcmp(linker, function) == 0)
		cr_expect(eq(ptr, (void *)place.linker, NULL));
	else
		expect_text(place.linker, linker);
	symbol_places(file, BASE + TEXT + 0x110, &again, 1);
	cr_expect(eq(ptr, (void *)place.function, (void *)again.function));
	symbol_find(file, BASE + TEXT + 0x110, &again);
	expect_text(again.function, linker);
	symbol_close(file);
}

Test(demangle, tells_names_as_their_authors_wrote_them)
{
	expect_name("_Znwm", "operator new");
	expect_name("_ZNSt6vectorIiSaIiEE9push_backERKi",
	            "std::vector<int, std::allocator<int> >::push_back");
	expect_name("_ZN5outer3mapIiEEPvT_m.part.0", "outer::map<int>");
	expect_name("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
	            "core::fmt::Write::write_fmt");
	expect_name("_RNvCskwGfYPst2Cb_3foo16example_function",
	            "foo::example_function");
}

Test(demangle, leaves_alone_what_is_no_such_name)
{
	expect_name("main", "main");
	expect_name("_Zx", "_Zx");
	expect_name("_RESET", "_RESET");
	expect_name("_ZN", "_ZN");
	expect_name("x_Znwm", "x_Znwm");
}

/* f<B, C<B, B>, C<C<B, B>, C<B, B> >, ...: each argument of f but the first is
 * of two like the one before. */
static const char *doubled(unsigned times)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static char name[NAME];
	size_t size = (size_t)sprintf(name, "_Z1fI1B1CIS0_S0_E");

	for (unsigned i = 0; i < times; i++)
		size += (size_t)sprintf(name + size, "S1_IS%c_S%c_E",
		                        digits[i + 2], digits[i + 2]);
	strcpy(name + size, "EvT_");
	return name;
}

static void add_part(char *name, unsigned part)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t size = strlen(name);

	if (part / 36)
		sprintf(name + size, "S%c%c_", digits[part / 36],
		        digits[part % 36]);
	else
		sprintf(name + size, "S%c_", digits[part]);
}

/* f<int (C::*)(int (int, int), ...), P...>: each function's two parameters are
 * the function before it.  To expand P takes a look for packs in all of them. */
static const char *maze(unsigned times)
{
	static char name[NAME];

	strcpy(name, "_Z1fIMFiFiiE");
	for (unsigned i = 0; i < times; i++) {
		strcat(name, "Fi");
		add_part(name, i);
		add_part(name, i);
		strcat(name, "E");
	}
	strcat(name, "EDp");
	add_part(name, times);
	return strcat(name, "EvV");
}

Test(demangle, goes_into_no_maze, .timeout = 60)
{
	expect_name(maze(40), maze(40));
}

Test(demangle, leaves_alone_what_would_have_no_end)
{
	char name[NAME];

	expect_name(doubled(1), "f<B, C<B, B>, C<C<B, B>, C<B, B> > >");
	expect_name(doubled(33), doubled(33));
	memset(name, 'P', sizeof(name));
	memcpy(name, "_Z1fI", 5);
	strcpy(name + sizeof(name) - 10, "iEvv");
	expect_name(name, name);
	strcpy(name, "_ZN");
	for (int i = 0; i < 600; i++)
		strcat(name, "1a");
	strcat(name, "17h0123456789abcdefE");
	expect_name(name, name);
}

/* ---- .gnu_debugdata ------------------------------------------------------ */

/* A stripped file with packed bytes behind all the rest. */
struct packed {
	struct image image;
	size_t size; /* of the file */
	uint8_t at[5 << 18];
};

static void make_packed(struct packed *packed, const void *bytes, size_t size)
{
	size_t used = 0;

	make_elf(&packed->image, ET_EXEC);
	cr_assert(eq(int,
	             (int)lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL,
	                                          bytes, size, packed->at,
	                                          &used, sizeof(packed->at)),
	             LZMA_OK));
	add_section(&packed->image, ".gnu_debugdata", SHT_PROGBITS, 0,
	            offsetof(struct packed, at), (unsigned)used);
	packed->size = offsetof(struct packed, at) + used;
}

/* `size` bytes that begin with a file that names a function; behind it are
 * `noise` bytes that cannot be packed, and zeroes. */
static void make_mini(struct packed *packed, size_t size, size_t noise)
{
	uint64_t number = 1;
	uint8_t *bytes = calloc(1, size);
	struct image mini;

	cr_assert(ne(ptr, bytes, NULL));
	make_elf(&mini, ET_EXEC);
	put_symbol(&mini, 1, "_ZN6inside3mapEv");
	memcpy(bytes, mini.at, SIZE);
	for (size_t i = SIZE; i < SIZE + noise; i++) {
		number = number * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = (uint8_t)(number >> 56);
	}
	make_packed(packed, bytes, size);
	free(bytes);
}

static int found_in(const struct packed *packed, unsigned offset)
{
	struct symbol_file *file = symbol_open(packed, packed->size);
	struct symbol_place place;
	int found;

	cr_assert(ne(ptr, file, NULL));
	found = (int)symbol_places(file, BASE + TEXT + offset, &place, 1);
	if (found)
		expect_text(place.function, "inside::map");
	symbol_close(file);
	return found;
}

Test(minidebug, names_what_the_file_itself_does_not)
{
	struct packed packed;

	make_mini(&packed, SIZE, 0);
	cr_expect(found_in(&packed, 0x108));
	cr_expect(not(found_in(&packed, 0x8)));
}

Test(minidebug, that_is_damaged_or_cut_names_nothing)
{
	struct packed packed, damaged;

	make_mini(&packed, SIZE, 0);
	for (size_t i = 0; offsetof(struct packed, at) + i < packed.size; i++) {
		damaged = packed;
		damaged.at[i] ^= 0x5a;
		found_in(&damaged, 0x108); /* or not, but never wrong */
	}
	damaged = packed;
	damaged.at[40] ^= 1;
	cr_expect(not(found_in(&damaged, 0x108)));
	packed.size -= 100;
	cr_expect(not(found_in(&packed, 0x108)));
	make_packed(&packed, "not an ELF file", 15);
	cr_expect(not(found_in(&packed, 0x108)));
}

Test(minidebug, that_would_fill_the_memory_names_nothing)
{
	struct packed packed;

	make_mini(&packed, 60u << 20, 1u << 20);
	cr_expect(found_in(&packed, 0x108));
	make_mini(&packed, 65u << 20, 9u << 17);
	cr_expect(not(found_in(&packed, 0x108)));
}

Test(minidebug, that_is_packed_too_well_names_nothing)
{
	struct packed packed;

	make_mini(&packed, 1u << 16, 0);
	cr_expect(found_in(&packed, 0x108));
	make_mini(&packed, 1u << 20, 0);
	cr_expect(not(found_in(&packed, 0x108)));
	make_mini(&packed, 1u << 20, 1u << 15);
	cr_expect(found_in(&packed, 0x108));
}
