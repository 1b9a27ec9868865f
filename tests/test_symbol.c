/* test_symbol - what an ELF file says of itself, and names for addresses. */
#include "tests/symbol_image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

Test(starts, come_sorted_from_eh_frame_with_signal_frames_corrected)
{
	struct image image;
	const uint64_t *start;
	uint64_t text = BASE + TEXT;

	make_elf(&image, ET_EXEC);
	make_frames(&image);
	struct symbol_file *file = open_image(&image);
	cr_assert(eq(sz, symbol_starts(file, &start), 4));
	cr_expect(eq(u64, start[0], text)); /* the entry point */
	cr_expect(eq(u64, start[1], text + 0x20));
	cr_expect(eq(u64, start[2], text + 0x40));
	cr_expect(eq(u64, start[3], text + 0x80));
	symbol_close(file);
}

Test(starts, in_go_text_come_from_the_pclntab_only)
{
	struct image image;
	const uint64_t *start;

	make_go(&image, MAGIC_120, BASE + TEXT);
	make_frames(&image);
	struct symbol_file *file = open_image(&image);
	cr_assert(eq(sz, symbol_starts(file, &start), 3));
	cr_expect(eq(u64, start[2], BASE + TEXT + 0x200));
	symbol_close(file);
}

Test(texts, are_sections_where_sections_tell_the_truth)
{
	struct image image;
	struct symbol_text text;

	make_elf(&image, ET_EXEC);
	struct symbol_file *file = open_image(&image);
	cr_assert(eq(sz, symbol_texts(file, &text, 1), 1));
	cr_expect(eq(u64, text.address, BASE + TEXT));
	cr_expect(eq(u64, text.offset, TEXT));
	cr_expect(eq(u64, text.size, 0x300));
	symbol_close(file);
}

Test(texts, are_the_segment_where_no_section_holds_the_entry_point)
{
	struct image image;
	struct symbol_text text;

	make_elf(&image, ET_EXEC);
	((Elf64_Ehdr *)image.at)->e_entry = BASE + TEXT + 0x400;
	struct symbol_file *file = open_image(&image);
	cr_assert(eq(sz, symbol_texts(file, &text, 1), 1));
	cr_expect(eq(u64, text.address, BASE));
	cr_expect(eq(u64, text.size, DATA));
	symbol_close(file);
}

static void expect_version(const struct image *image, const char *version)
{
	struct symbol_file *file = open_image(image);

	expect_text(symbol_info(file)->go_version, version);
	symbol_close(file);
}

Test(go_version, stands_in_the_build_information)
{
	struct image image;

	make_elf(&image, ET_EXEC);
	put(&image, BLOB, "\xff Go buildinf:\x08\x02", 16);
	put(&image, BLOB + 32, "\x08go1.26.8", 9);
	add_section(&image, ".go.buildinfo", SHT_PROGBITS, SHF_ALLOC, BLOB, 64);
	expect_version(&image, "go1.26.8");
	image.at[BLOB + 15] = 0;
	put64(&image, BLOB + 16, BASE + BLOB + 48);
	put64(&image, BLOB + 48, BASE + BLOB + 33);
	put64(&image, BLOB + 56, 6);
	expect_version(&image, "go1.26");
}

/* cmpq $0, length(%rip), as in esbuild, which has no build information. */
Test(go_version, is_what_schedinit_keeps_alive)
{
	struct image image;

	make_go(&image, MAGIC_120, BASE + TEXT);
	put(&image, TABLE + NAMES + 25, "runtime.schedinit", 18);
	put(&image, TEXT + 0x220, "\x48\x83\x3d", 3);
	put32(&image, TEXT + 0x223, BLOB + 8 - (TEXT + 0x228));
	put64(&image, BLOB, BASE + BLOB + 32);
	put64(&image, BLOB + 8, 8);
	put(&image, BLOB + 32, "go1.26.5junk", 12);
	expect_version(&image, "go1.26.5");
}

Test(build_id, is_the_linkers_in_hex_before_gos)
{
	static const char note[] = "\4\0\0\0\7\0\0\0\4\0\0\0Go\0\0abc/def\0"
				   "\4\0\0\0\3\0\0\0\3\0\0\0GNU\0\xde\x01\xfe";
	struct image image;

	make_elf(&image, ET_EXEC);
	put(&image, BLOB, note, sizeof(note));
	add_segment(&image, PT_NOTE, PF_R, BLOB, 24);
	struct symbol_file *file = open_image(&image);
	expect_text(symbol_info(file)->build_id, "abc/def");
	symbol_close(file);
	add_segment(&image, PT_NOTE, PF_R, BLOB, sizeof(note));
	file = open_image(&image);
	expect_text(symbol_info(file)->build_id, "de01fe");
	symbol_close(file);
}

Test(build_id, has_a_length_that_can_be_kept)
{
	static const char owner[] = "GNU";
	struct image image;

	for (uint32_t size = 63; size <= 64; size++) {
		make_elf(&image, ET_EXEC);
		put32(&image, BLOB, sizeof(owner));
		put32(&image, BLOB + 4, size);
		put32(&image, BLOB + 8, 3);
		put(&image, BLOB + 12, owner, sizeof(owner));
		memset(image.at + BLOB + 16, 0xab, size);
		add_segment(&image, PT_NOTE, PF_R, BLOB, 16 + size);
		struct symbol_file *file = open_image(&image);
		const char *id = symbol_info(file)->build_id;
		cr_expect(eq(int, id != NULL, size == 63));
		cr_expect(le(sz, id ? strlen(id) : 0,
		             (size_t)SYMBOL_BUILD_ID - 1));
		symbol_close(file);
	}
}

Test(linkage, is_told_by_type_and_interpreter)
{
	static const struct {
		uint16_t type;
		int interp;
		enum file_linkage linkage;
	} cases[] = {
		{ ET_EXEC, 0, FILE_STATIC },
		{ ET_DYN, 0, FILE_STATIC_PIE },
		{ ET_EXEC, 1, FILE_DYNAMIC },
		{ ET_DYN, 1, FILE_DYNAMIC_PIE },
	};
	struct image image;

	for (size_t i = 0; i < 4; i++) {
		make_elf(&image, cases[i].type);
		put(&image, BLOB, "/lib/ld.so", 11);
		if (cases[i].interp)
			add_segment(&image, PT_INTERP, PF_R, BLOB, 11);
		struct symbol_file *file = open_image(&image);
		const struct symbol_info *info = symbol_info(file);
		cr_expect(eq(int, (int)info->linkage, (int)cases[i].linkage));
		cr_expect(eq(int, info->interp != NULL, cases[i].interp));
		cr_expect(info->stripped);
		symbol_close(file);
	}
}

Test(open, refuses_what_is_not_a_64_bit_elf_file)
{
	struct image image;

	make_elf(&image, ET_EXEC);
	cr_expect(eq(ptr, symbol_open(image.at, 63), NULL));
	cr_expect(eq(ptr, symbol_open("", 0), NULL));
	((Elf64_Ehdr *)image.at)->e_machine = EM_386;
	image.at[EI_CLASS] = ELFCLASS32;
	cr_expect(eq(ptr, symbol_open(image.at, SIZE), NULL));
	image.at[0] = 0;
	cr_expect(eq(ptr, symbol_open(image.at, SIZE), NULL));
}

/* This program itself; noinline keeps it a function with a symbol. */
__attribute__((noinline)) static int named_in_c(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x;
}

extern const char __ehdr_start[] __attribute__((visibility("hidden")));

Test(symtab, names_a_c_function_of_this_program)
{
	struct stat status;
	struct symbol_place place;
	const uint64_t *start;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	cr_assert(eq(int, fstat(fd, &status), 0));
	size_t size = (size_t)status.st_size;
	void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	struct symbol_file *file = symbol_open(bytes, size);
	cr_assert(ne(ptr, file, NULL));
	uint64_t bias = symbol_info(file)->linkage == FILE_DYNAMIC_PIE
	                        ? (uintptr_t)__ehdr_start
	                        : 0;
	uint64_t address = (uintptr_t)named_in_c - bias;
	cr_assert(symbol_find(file, address + 1, &place));
	expect_text(place.function, "named_in_c");
	cr_expect(eq(u64, place.start, address));
	cr_expect(not(place.go));
	size_t count = symbol_starts(file, &start), i = 0;
	while (i < count && start[i] != address)
		i++;
	cr_expect(lt(sz, i, count), "the function is no start");
	symbol_close(file);
	munmap(bytes, size);
	named_in_c(0);
}
