/*
 * symbol_image - programs built byte by byte, for the tests of observer/symbol.
 *
 * No Go is needed: three functions of 256 bytes each, a pclntab in one of the
 * four layouts, and what else a test puts in.  Where things are in the file:
 */
#ifndef TESTS_SYMBOL_IMAGE_H
#define TESTS_SYMBOL_IMAGE_H

#include "observer/symbol/symbol.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <elf.h>
#include <string.h>

#define BASE    0x400000u
#define TEXT    0x1000u /* offsets in the file; addresses are BASE higher */
#define DATA    0x2000u /* writable from here on */
#define TABLE   0x2000u
#define MODULE  0x3000u
#define FRAMES  0x3400u
#define RELA    0x3800u
#define DYNAMIC 0x3c00u
#define BLOB    0x4000u
#define STRINGS 0x4800u /* names of sections */
#define HEADERS 0x5000u
#define SIZE    0x6000u

/* A program in the making. */
struct image {
	_Alignas(16) uint8_t at[SIZE];
	unsigned sections, names_size;
};

static inline void put32(struct image *image, unsigned offset, uint32_t value)
{
	memcpy(image->at + offset, &value, sizeof(value));
}

static inline void put64(struct image *image, unsigned offset, uint64_t value)
{
	memcpy(image->at + offset, &value, sizeof(value));
}

static inline void put(struct image *image, unsigned offset, const void *bytes,
                       size_t size)
{
	memcpy(image->at + offset, bytes, size);
}

static inline void add_segment(struct image *image, uint32_t type,
                               uint32_t flags, unsigned offset, unsigned size)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)image->at;
	Elf64_Phdr segment = {
		.p_type = type,
		.p_flags = flags,
		.p_offset = offset,
		.p_vaddr = BASE + offset,
		.p_filesz = size,
		.p_memsz = size,
		.p_align = 4,
	};

	put(image, 64u + 56u * header->e_phnum++, &segment, sizeof(segment));
}

static inline void add_section(struct image *image, const char *name,
                               uint32_t type, uint64_t flags, unsigned offset,
                               unsigned size)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)image->at;
	Elf64_Shdr section = {
		.sh_name = image->names_size,
		.sh_type = type,
		.sh_flags = flags,
		.sh_addr = BASE + offset,
		.sh_offset = offset,
		.sh_size = size,
	};

	put(image, STRINGS + image->names_size, name, strlen(name));
	image->names_size += (unsigned)strlen(name) + 1;
	put(image, HEADERS + 64u * header->e_shnum++, &section,
	    sizeof(section));
}

static inline void make_elf(struct image *image, uint16_t type)
{
	Elf64_Ehdr header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB },
		.e_type = type,
		.e_machine = EM_X86_64,
		.e_entry = BASE + TEXT,
		.e_phoff = 64,
		.e_phentsize = 56,
		.e_shoff = HEADERS,
		.e_shentsize = 64,
	};

	*image = (struct image){ 0 };
	put(image, 0, &header, sizeof(header));
	add_segment(image, PT_LOAD, PF_R | PF_X, 0, DATA);
	add_segment(image, PT_LOAD, PF_R | PF_W, DATA, SIZE - DATA);
	add_section(image, ".shstrtab", SHT_STRTAB, 0, STRINGS, 0x400);
	add_section(image, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR,
	            TEXT, 0x300);
}

static inline void expect_text(const char *found, const char *wanted)
{
	cr_assert(found != NULL, "nothing instead of %s", wanted);
	cr_expect(eq(str, (char *)found, (char *)wanted));
}

static inline struct symbol_file *open_image(const struct image *image)
{
	struct symbol_file *file = symbol_open(image->at, SIZE);

	cr_assert(ne(ptr, file, NULL));
	return file;
}

/* Parts of the pclntab, from its start. */
enum { NAMES = 0x80, UNITS = 0xc0, FILES = 0xe0, VALUES = 0x140, TAB = 0x180 };

#define MAGIC_12  0xfffffffbu
#define MAGIC_116 0xfffffffau
#define MAGIC_118 0xfffffff0u
#define MAGIC_120 0xfffffff1u

static inline int is_relative(uint32_t magic)
{
	return magic == MAGIC_118 || magic == MAGIC_120;
}

/* Function `i`'s record; its name is at `name` of the names. */
static inline void put_function(struct image *image, uint32_t magic, unsigned i,
                                uint32_t name)
{
	unsigned record = TABLE + 0x200 + 0x40 * i;
	unsigned fields = record + (is_relative(magic) ? 4 : 8);
	unsigned old = magic == MAGIC_12 ? VALUES : 0;

	put32(image, fields, name + (magic == MAGIC_12 ? NAMES : 0));
	put32(image, fields + 16, old + 1); /* files */
	put32(image, fields + 20, old + 8); /* lines */
}

/* Lines 10 up to 0x40, 12 up to 0x100; file /src/a.go. */
static inline void put_tables(struct image *image, uint32_t magic)
{
	uint8_t files[] = { 0, magic == MAGIC_12 ? 4 : 2, 0x80, 2, 0 };
	uint8_t lines[] = { 22, 0x40, 4, 0xc0, 1, 0 };
	uint32_t start = magic == MAGIC_12 ? FILES : 0;

	put(image, TABLE + NAMES, "\0main.a\0runtime.sigtramp\0main.c", 32);
	put(image, TABLE + FILES, "/src/a.go", 10);
	put(image, TABLE + VALUES, files, sizeof(files));
	put(image, TABLE + VALUES + 8, lines, sizeof(lines));
	if (magic == MAGIC_12) /* entry 0 is their number */
		put32(image, TABLE + UNITS, 2);
	put32(image, TABLE + UNITS + (magic == MAGIC_12 ? 4 : 0), start);
}

static inline unsigned functab_of(uint32_t magic)
{
	return magic == MAGIC_12 ? 16 : TAB;
}

static inline void make_pclntab(struct image *image, uint32_t magic,
                                uint64_t text)
{
	static const uint32_t name[] = { 1, 8, 25 };
	static const unsigned parts[] = { NAMES, UNITS, FILES, VALUES, TAB };
	unsigned tab = functab_of(magic), at = TABLE + 24;

	put32(image, TABLE, magic);
	image->at[TABLE + 6] = 1;
	image->at[TABLE + 7] = 8;
	put64(image, TABLE + 8, 3);
	if (is_relative(magic)) {
		put64(image, at, text);
		at += 8;
	}
	for (unsigned i = 0; magic != MAGIC_12 && i < 5; i++)
		put64(image, at + 8 * i, parts[i]);
	put_tables(image, magic);
	for (unsigned i = 0; i <= 3; i++) {
		unsigned record = 0x200 + 0x40 * i;
		if (magic != MAGIC_12)
			record -= TAB;
		if (i < 3)
			put_function(image, magic, i, name[i]);
		if (is_relative(magic)) {
			put32(image, TABLE + tab + 8 * i, 0x100 * i);
			put32(image, TABLE + tab + 8 * i + 4,
			      i < 3 ? record : 0);
			continue;
		}
		put64(image, TABLE + tab + 16 * i, BASE + TEXT + 0x100 * i);
		if (i < 3)
			put64(image, TABLE + tab + 16 * i + 8, record);
	}
	if (magic == MAGIC_12)
		put32(image, TABLE + tab + 56, UNITS);
}

static inline void make_go(struct image *image, uint32_t magic, uint64_t text)
{
	make_elf(image, ET_EXEC);
	make_pclntab(image, magic, text);
	add_section(image, ".gopclntab", SHT_PROGBITS, SHF_ALLOC, TABLE,
	            0x1000);
}

static inline void make_module(struct image *image)
{
	put64(image, MODULE, BASE + TABLE);
	put64(image, MODULE + 160, BASE + TEXT);
	put64(image, MODULE + 168, BASE + TEXT + 0x300);
	put64(image, MODULE + 176, BASE + TEXT);
}

/* A call inlined at `call` of main.c, by its place in the tree of them. */
static inline void put_inlined(struct image *image, uint32_t magic,
                               unsigned index, uint32_t name, uint32_t call)
{
	unsigned old = magic == MAGIC_118;
	unsigned row = BLOB + 0x40 + (old ? 20 : 16) * index;

	put32(image, row + (old ? 12 : 4), name);
	put32(image, row + (old ? 16 : 8), call);
}

/*
 * Calls inlined in main.c: up to 0x20 main.a, called at 0x30, where that is in
 * runtime.sigtramp up to 0x40, called at 0x60.
 */
static inline void make_inlined(struct image *image, uint32_t magic)
{
	static const uint8_t calls[] = { 4, 0x20, 1, 0x20, 1, 0xc0, 1, 0 };
	unsigned record = TABLE + 0x280, behind = magic == MAGIC_118 ? 40 : 44;

	put(image, TABLE + VALUES + 16, calls, sizeof(calls));
	put32(image, record + 28, 3);          /* tables, */
	image->at[record + behind - 1] = 4;    /* data, */
	put32(image, record + behind + 8, 16); /* the last of each */
	put32(image, record + behind + 24, 0x40);
	put64(image, MODULE + (magic == MAGIC_118 ? 304 : 320), BASE + BLOB);
	put_inlined(image, magic, 0, 8, 0x60);
	put_inlined(image, magic, 1, 1, 0x30);
}

static inline void add_rela(struct image *image, unsigned *count,
                            unsigned offset)
{
	Elf64_Rela rela = {
		.r_offset = BASE + offset,
		.r_info = ELF64_R_INFO(0, R_X86_64_RELATIVE),
	};

	memcpy(&rela.r_addend, image->at + offset, 8);
	put64(image, offset, 0);
	put(image, RELA + 24 * (*count)++, &rela, sizeof(rela));
}

/* What is a pointer in the table becomes a relocation. */
static inline void make_pie(struct image *image, uint32_t magic)
{
	unsigned count = 0;

	make_go(image, magic, BASE + TEXT);
	((Elf64_Ehdr *)image->at)->e_type = ET_DYN;
	if (is_relative(magic))
		add_rela(image, &count, TABLE + 24);
	for (unsigned i = 0; !is_relative(magic) && i <= 3; i++)
		add_rela(image, &count, TABLE + functab_of(magic) + 16 * i);
	put64(image, DYNAMIC, DT_RELA);
	put64(image, DYNAMIC + 8, BASE + RELA);
	put64(image, DYNAMIC + 16, DT_RELASZ);
	put64(image, DYNAMIC + 24, 24 * count);
	add_segment(image, PT_DYNAMIC, PF_R | PF_W, DYNAMIC, 48);
}

/* A CIE of augmentation zR or zRS, and FDEs of pcrel sdata4. */
static inline unsigned put_cie(struct image *image, unsigned at,
                               const char *letters)
{
	uint8_t *to = image->at + at + 9;

	put32(image, at, 20);
	image->at[at + 8] = 1;
	to = (uint8_t *)stpcpy((char *)to, letters) + 1;
	memcpy(to, "\x01\x78\x10\x01\x1b", 5);
	return at + 24;
}

static inline unsigned put_fde(struct image *image, unsigned at, unsigned cie,
                               unsigned start)
{
	put32(image, at, 16);
	put32(image, at + 4, at + 4 - cie);
	put32(image, at + 8, start - (at + 8));
	put32(image, at + 12, 0x10);
	return at + 20;
}

static inline void make_frames(struct image *image)
{
	unsigned plain = FRAMES, at = put_cie(image, plain, "zR");

	at = put_fde(image, at, plain, TEXT + 0x80);
	at = put_fde(image, at, plain, TEXT + 0x20);
	unsigned signal = at;
	at = put_cie(image, at, "zRS");
	at = put_fde(image, at, signal, TEXT + 0x3f);
	add_section(image, ".eh_frame", SHT_PROGBITS, SHF_ALLOC, FRAMES,
	            at - FRAMES);
}

#endif
