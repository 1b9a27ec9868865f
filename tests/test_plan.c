/*
 * Planning and mapping against the kernel: one good file, each row breaks one
 * thing in it.  A row says what loader_plan must answer; then the kernel execs
 * the same bytes, and where it runs them loader_map must leave the same
 * mappings with the same contents.
 */
#define _GNU_SOURCE 1

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "loader/loader.h"
#include "tests/native.h"

#define BASE      0x10000000ull
#define FILE_SIZE 0x3000u
#define FILE_MOST (0x4000u + 65536 + 64)
#define INTERP    "/lib64/ld-linux-x86-64.so.2"
#define INTERP_AT 0x1100u /* of the file: in segment 1 */
#define POKES     6
#define COUNT(x)  (sizeof(x) / sizeof(*(x)))

/* Where a field is in the good file. */
#define E(field) offsetof(Elf64_Ehdr, field), sizeof(((Elf64_Ehdr *)0)->field)
#define IDENT(i) (i), 1
#define P(i, field)                                                            \
	(sizeof(Elf64_Ehdr) + (i) * sizeof(Elf64_Phdr) +                       \
	 offsetof(Elf64_Phdr, field)),                                         \
		sizeof(((Elf64_Phdr *)0)->field)
#define DYN E(e_type), ET_DYN

struct poke {
	size_t where, width;
	uint64_t value;
};

struct row {
	const char *name;
	enum loader_error error; /* of loader_header or loader_plan */
	struct poke poke[POKES];
	uint64_t cut;      /* the file's size, where not 0 */
	uint64_t phdrs_to; /* move the table there, where not 0 */
};

struct file {
	uint8_t bytes[FILE_MOST];
	uint64_t size;
};

/* mov $60, %eax; mov $42, %edi; syscall */
static const uint8_t code[] = {
	0xb8, 60, 0, 0, 0, 0xbf, 42, 0, 0, 0, 0x0f, 0x05
};

/*
 * Text, constants, a hole of two pages, then data whose bss begins in the
 * middle of a page and goes on for two more; the file's bytes are never zero.
 */
/* clang-format off */
static const Elf64_Phdr good_phdrs[] = {
	{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = BASE,
	  .p_filesz = 0x1000, .p_memsz = 0x1000, .p_align = 0x1000 },
	{ .p_type = PT_LOAD, .p_flags = PF_R, .p_offset = 0x1000,
	  .p_vaddr = BASE + 0x1000, .p_filesz = 0x800, .p_memsz = 0x800,
	  .p_align = 0x1000 },
	{ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0x2100,
	  .p_vaddr = BASE + 0x4100, .p_filesz = 0x900, .p_memsz = 0x2800,
	  .p_align = 0x1000 },
	{ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W },
	{ .p_type = PT_NOTE },
	{ .p_type = PT_NOTE },
};
/* clang-format on */

static void good(struct file *file)
{
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
		             ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = BASE + 0x800,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = COUNT(good_phdrs),
	};

	memset(file->bytes, 0, sizeof(file->bytes));
	for (size_t i = 0; i < FILE_SIZE; i++)
		file->bytes[i] = (uint8_t)(1 + i % 251);
	memcpy(file->bytes, &header, sizeof(header));
	memcpy(file->bytes + sizeof(header), good_phdrs, sizeof(good_phdrs));
	memcpy(file->bytes + 0x800, code, sizeof(code));
	memcpy(file->bytes + INTERP_AT, INTERP, sizeof(INTERP));
	file->size = FILE_SIZE;
}

/* The table behind everything else, as long as e_phnum says. */
static void move_phdrs(struct file *file, uint64_t to)
{
	Elf64_Ehdr header;
	uint64_t end;

	memcpy(&header, file->bytes, sizeof(header));
	memcpy(file->bytes + to, good_phdrs, sizeof(good_phdrs));
	header.e_phoff = to;
	memcpy(file->bytes, &header, sizeof(header));
	end = to + header.e_phnum * sizeof(Elf64_Phdr);
	if (end > file->size && end <= sizeof(file->bytes))
		file->size = end;
}

static void build(struct file *file, const struct row *row)
{
	good(file);
	for (size_t i = 0; i < POKES && row->poke[i].width != 0; i++)
		memcpy(file->bytes + row->poke[i].where, &row->poke[i].value,
		       row->poke[i].width);
	if (row->phdrs_to != 0)
		move_phdrs(file, row->phdrs_to);
	if (row->cut != 0)
		file->size = row->cut;
}

static struct loader_plan *new_plan(void)
{
	return calloc(1, LOADER_PLAN_SIZE(LOADER_PHDRS_MAX));
}

/* What the callers do: the header, then the table, then the plan. */
static enum loader_error plan_as(enum loader_role role, const struct file *file,
                                 struct loader_plan *plan)
{
	uint64_t phoff;
	size_t size;
	enum loader_error error =
		loader_header(file->bytes, file->size, role, &phoff, &size);

	if (error != LOADER_OK)
		return error;
	if (phoff > file->size || size > file->size - phoff)
		return LOADER_PHDRS_CUT;
	return loader_plan(file->bytes, file->bytes + phoff, file->size, role,
	                   plan);
}

static enum loader_error plan_file(const struct file *file,
                                   struct loader_plan *plan)
{
	return plan_as(LOADER_PROGRAM, file, plan);
}

static int memory_file(const struct file *file)
{
	int fd = memfd_create("program", MFD_CLOEXEC);

	if (fd < 0 || fchmod(fd, 0755) != 0 ||
	    write(fd, file->bytes, file->size) != (ssize_t)file->size)
		abort();
	return fd;
}

/* a row leaves out what it does not change */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* clang-format off */
#define TEXT 0
#define RODATA 1
#define DATA 2
#define STACK 3
#define SPARE 4
#define SPARE2 5

/* facts: what Linux 6.18 does with each; the second column says as what */
static const struct row rows[] = {
	{ .name = "the good file" },
	{ .name = "the good file as ET_DYN", .poke = { { DYN } } },

	/* not ELF, or not for us: ENOEXEC */
	{ "4 bytes", LOADER_TRUNCATED, .cut = 4 },
	{ "63 bytes", LOADER_TRUNCATED, .cut = 63 },
	{ "the header only", LOADER_PHDRS_CUT, .cut = 64 },
	{ "bad magic", LOADER_NOT_ELF, { { IDENT(1), 'e' } } },
	{ "ET_NONE", LOADER_NOT_PROGRAM, { { E(e_type), ET_NONE } } },
	{ "ET_REL", LOADER_NOT_PROGRAM, { { E(e_type), ET_REL } } },
	{ "ET_CORE", LOADER_NOT_PROGRAM, { { E(e_type), ET_CORE } } },
	{ "e_type 0xfeed", LOADER_NOT_PROGRAM, { { E(e_type), 0xfeed } } },
	{ "e_machine 0", LOADER_OTHER_CPU, { { E(e_machine), 0 } } },
	{ "aarch64", LOADER_OTHER_CPU, { { E(e_machine), EM_AARCH64 } } },
	{ "big endian", LOADER_OTHER_CPU, { { E(e_machine), EM_S390 << 8 },
					    { E(e_type), ET_EXEC << 8 } } },
	{ "EM_386", LOADER_32BIT, { { E(e_machine), EM_386 } } },
	{ "x32", LOADER_32BIT, { { IDENT(EI_CLASS), ELFCLASS32 },
				 { E(e_phentsize), 0 } } },

	/* what the kernel does not look at */
	{ "EI_CLASS 0", LOADER_OK, { { IDENT(EI_CLASS), 0 } } },
	{ "EI_CLASS 1", LOADER_OK, { { IDENT(EI_CLASS), 1 } } },
	{ "EI_CLASS 9", LOADER_OK, { { IDENT(EI_CLASS), 9 } } },
	{ "EI_DATA 0", LOADER_OK, { { IDENT(EI_DATA), 0 } } },
	{ "EI_DATA 2", LOADER_OK, { { IDENT(EI_DATA), 2 } } },
	{ "EI_VERSION 0", LOADER_OK, { { IDENT(EI_VERSION), 0 } } },
	{ "e_version 77", LOADER_OK, { { E(e_version), 77 } } },
	{ "OSABI 9", LOADER_OK, { { IDENT(EI_OSABI), 9 } } },
	{ "OSABI 255", LOADER_OK, { { IDENT(EI_OSABI), 255 } } },
	{ "e_ehsize 0", LOADER_OK, { { E(e_ehsize), 0 } } },
	{ "e_ehsize 9999", LOADER_OK, { { E(e_ehsize), 9999 } } },
	{ "e_flags", LOADER_OK, { { E(e_flags), 0xffffffff } } },
	{ "section headers", LOADER_OK, { { E(e_shoff), UINT64_MAX },
		{ E(e_shnum), 0xfff0 }, { E(e_shentsize), 3 },
		{ E(e_shstrndx), 0xfff0 } } },
	{ "p_paddr", LOADER_OK, { { P(TEXT, p_paddr), UINT64_MAX } } },

	/* the table */
	{ "e_phnum 0", LOADER_PHNUM, { { E(e_phnum), 0 } } },
	{ "e_phnum 1171", LOADER_PHNUM, { { E(e_phnum), 1171 } },
	  .phdrs_to = 0x3000 },
	{ "PN_XNUM", LOADER_PHNUM, { { E(e_phnum), PN_XNUM } } },
	{ "e_phnum 1170", LOADER_OK, { { E(e_phnum), 1170 } },
	  .phdrs_to = 0x3000 },
	{ "e_phentsize 0", LOADER_PHENTSIZE, { { E(e_phentsize), 0 } } },
	{ "e_phentsize 32", LOADER_PHENTSIZE, { { E(e_phentsize), 32 } } },
	{ "e_phentsize 55", LOADER_PHENTSIZE, { { E(e_phentsize), 55 } } },
	{ "e_phentsize 57", LOADER_PHENTSIZE, { { E(e_phentsize), 57 } } },
	{ "e_phoff unaligned", LOADER_OK, .phdrs_to = 0x1801 },
	{ "e_phoff 0", LOADER_OK, { { E(e_phoff), 0 }, { E(e_phnum), 1 } } },
	{ "e_phoff past the end", LOADER_PHDRS_CUT,
	  { { E(e_phoff), 0x9000 } } },
	{ "e_phoff crossing the end", LOADER_PHDRS_CUT,
	  { { E(e_phoff), FILE_SIZE - 56 } } },
	{ "e_phoff 2^63", LOADER_PHDRS_CUT, { { E(e_phoff), 1ull << 63 } } },
	{ "e_phoff 2^63-1", LOADER_PHDRS_CUT,
	  { { E(e_phoff), INT64_MAX } } },
	{ "e_phoff -1", LOADER_PHDRS_CUT, { { E(e_phoff), UINT64_MAX } } },
	{ "a table outside of segments", LOADER_OK, .phdrs_to = 0x1900 },
	{ "a table outside of segments, ET_DYN", LOADER_OK, { { DYN } },
	  .phdrs_to = 0x1900 },
	{ "a table in the constants", LOADER_OK, .phdrs_to = 0x1200 },
	{ "a table in two segments", LOADER_OK,
	  { { P(RODATA, p_offset), 0 } } },

	/* which segments there are */
	{ "no segment", LOADER_OK, { { P(TEXT, p_type), PT_NOTE },
		{ P(RODATA, p_type), PT_NOTE },
		{ P(DATA, p_type), PT_NOTE } } },
	{ "no segment, ET_DYN", LOADER_OK, { { DYN },
		{ P(TEXT, p_type), PT_NOTE }, { P(RODATA, p_type), PT_NOTE },
		{ P(DATA, p_type), PT_NOTE } } },
	{ "no segment at offset 0", LOADER_OK,
	  { { P(TEXT, p_offset), 0x1000 } } },
	{ "an empty first segment", LOADER_OK,
	  { { P(TEXT, p_filesz), 0 }, { P(TEXT, p_memsz), 0 } } },
	{ "an empty first segment, ET_DYN", LOADER_OK, { { DYN },
		{ P(TEXT, p_filesz), 0 }, { P(TEXT, p_memsz), 0 } } },
	{ "one empty segment, ET_DYN", LOADER_SPAN, { { DYN },
		{ P(TEXT, p_filesz), 0 }, { P(TEXT, p_memsz), 0 },
		{ P(RODATA, p_type), PT_NOTE },
		{ P(DATA, p_type), PT_NOTE } } },
	{ "one empty segment", LOADER_OK, {
		{ P(TEXT, p_filesz), 0 }, { P(TEXT, p_memsz), 0 },
		{ P(RODATA, p_type), PT_NOTE },
		{ P(DATA, p_type), PT_NOTE } } },
	{ "an empty segment inside a page", LOADER_OK, {
		{ P(RODATA, p_filesz), 0 }, { P(RODATA, p_memsz), 0 },
		{ P(RODATA, p_vaddr), BASE + 0x2123 } } },
	{ "a segment of bss only", LOADER_OK, { { P(DATA, p_filesz), 0 } } },
	{ "a segment of bss only, ET_DYN", LOADER_OK,
	  { { DYN }, { P(DATA, p_filesz), 0 } } },
	{ "a segment of bss only with any offset", LOADER_OK,
	  { { P(DATA, p_filesz), 0 }, { P(DATA, p_offset), UINT64_MAX } } },
	{ "a read-only segment of bss only", LOADER_OK,
	  { { P(RODATA, p_filesz), 0 } } },
	{ "segments out of order", LOADER_OK, {
		{ P(TEXT, p_vaddr), BASE + 0x9000 },
		{ E(e_entry), BASE + 0x9800 } } },
	{ "overlapping segments", LOADER_OK,
	  { { P(RODATA, p_vaddr), BASE }, { E(e_entry), BASE + 0x10 } } },
	{ "a segment below an earlier one, same page", LOADER_OK, {
		{ P(DATA, p_vaddr), BASE + 0x1100 } } },
	{ "bss over the code", LOADER_OK, {
		{ P(DATA, p_vaddr), BASE - 0xf00 },
		{ P(DATA, p_memsz), 0x2800 } } },

	/* a segment against its file */
	{ "filesz > memsz", LOADER_FILESZ, { { P(DATA, p_filesz), 0x2801 } } },
	{ "filesz > memsz, ET_DYN", LOADER_FILESZ,
	  { { DYN }, { P(DATA, p_filesz), 0x2801 } } },
	{ "filesz -1", LOADER_FILESZ, { { P(DATA, p_filesz), UINT64_MAX } } },
	{ "filesz and memsz -1", LOADER_ADDRESS, {
		{ P(DATA, p_filesz), UINT64_MAX },
		{ P(DATA, p_memsz), UINT64_MAX } } },
	{ "data without bss", LOADER_OK, { { P(DATA, p_memsz), 0x900 } } },
	{ "filesz past the end by a page", LOADER_OK, {
		{ P(RODATA, p_vaddr), BASE + 0x10000 },
		{ P(RODATA, p_filesz), 0x4000 },
		{ P(RODATA, p_memsz), 0x4000 } } },
	{ "filesz 2^40, ET_DYN", LOADER_OK, { { DYN },
		{ P(RODATA, p_vaddr), BASE + 0x10000 },
		{ P(RODATA, p_filesz), 1ull << 40 },
		{ P(RODATA, p_memsz), 1ull << 40 } } },
	{ "offset past the end", LOADER_OK, { { P(TEXT, p_offset), 0x9000 } } },
	{ "bss that begins past the end", LOADER_BSS_PAST_END,
	  { { P(DATA, p_offset), 0x9100 } } },
	{ "bss that begins past the end, at a page", LOADER_OK, {
		{ P(DATA, p_offset), 0x9100 }, { P(DATA, p_filesz), 0xf00 } } },
	{ "bss that begins at the end", LOADER_OK, {
		{ P(DATA, p_filesz), 0xf00 } } },
	{ "bss that begins on the page after the end", LOADER_BSS_PAST_END,
	  { { P(DATA, p_filesz), 0xf01 } } },
	{ "bss that begins past the end, on its page", LOADER_OK,
	  .cut = 0x2001 },
	{ "read-only bss that begins past the end", LOADER_OK, {
		{ P(DATA, p_offset), 0x9100 }, { P(DATA, p_flags), PF_R } } },
	{ "p_offset -0x1000", LOADER_OFFSET,
	  { { P(TEXT, p_offset), -0x1000ull } } },
	{ "p_offset 2^63", LOADER_OFFSET,
	  { { P(TEXT, p_offset), 1ull << 63 } } },
	{ "p_offset 2^63-0x1000", LOADER_OFFSET,
	  { { P(TEXT, p_offset), (1ull << 63) - 0x1000 } } },
	{ "p_offset 2^63-0x2000", LOADER_OK,
	  { { P(TEXT, p_offset), (1ull << 63) - 0x2000 } } },
	{ "p_offset 2^63-0x2000, ET_DYN", LOADER_OFFSET,
	  { { DYN }, { P(TEXT, p_offset), (1ull << 63) - 0x2000 } } },
	{ "p_offset 2^63-0x8000, ET_DYN", LOADER_OK,
	  { { DYN }, { P(TEXT, p_offset), (1ull << 63) - 0x8000 } } },
	{ "p_offset and p_vaddr incongruent", LOADER_INCONGRUENT,
	  { { P(TEXT, p_offset), 8 } } },
	{ "p_offset and p_vaddr congruent, unaligned", LOADER_OK, {
		{ P(TEXT, p_offset), 8 }, { P(TEXT, p_vaddr), BASE + 8 } } },
	{ "p_offset and p_vaddr congruent, unaligned, ET_DYN", LOADER_OK, {
		{ DYN }, { P(TEXT, p_offset), 8 },
		{ P(TEXT, p_vaddr), BASE + 8 } } },

	/* alignment */
	{ "p_align 0", LOADER_OK, { { P(TEXT, p_align), 0 } } },
	{ "p_align 1", LOADER_OK, { { P(TEXT, p_align), 1 } } },
	{ "p_align 3", LOADER_OK, { { P(TEXT, p_align), 3 } } },
	{ "p_align 0, ET_DYN", LOADER_OK,
	  { { DYN }, { P(TEXT, p_align), 0 } } },
	{ "p_align 3 << 20, ET_DYN", LOADER_OK,
	  { { DYN }, { P(TEXT, p_align), 3 << 20 } } },
	{ "p_align 2 MB, misplaced", LOADER_OK, {
		{ P(TEXT, p_align), 2 << 20 },
		{ P(TEXT, p_vaddr), BASE + 0x9000 } } },
	{ "p_align 2 MB, ET_DYN", LOADER_OK,
	  { { DYN }, { P(TEXT, p_align), 2 << 20 } } },
	{ "p_align 1 GB, ET_DYN", LOADER_OK,
	  { { DYN }, { P(DATA, p_align), 1 << 30 } } },
	{ "p_align 2^44, ET_DYN", LOADER_OK,
	  { { DYN }, { P(DATA, p_align), 1ull << 44 } } },
	{ "p_align 2^62, ET_DYN", LOADER_OK,
	  { { DYN }, { P(TEXT, p_align), 1ull << 62 } } },
	{ "p_align 2^63, ET_DYN", LOADER_OK,
	  { { DYN }, { P(TEXT, p_align), 1ull << 63 } } },

	/* addresses */
	{ "ET_DYN from 0", LOADER_OK, { { DYN }, { P(TEXT, p_vaddr), 0 },
		{ P(RODATA, p_vaddr), 0x1000 }, { P(DATA, p_vaddr), 0x4100 },
		{ E(e_entry), 0x800 } } },
	{ "p_vaddr 0x10000", LOADER_OK, { { P(TEXT, p_vaddr), 0x10000 } } },
	{ "p_vaddr at the end of user space", LOADER_ADDRESS,
	  { { P(TEXT, p_vaddr), LOADER_TASK_SIZE } } },
	{ "p_vaddr 2^47", LOADER_ADDRESS,
	  { { P(TEXT, p_vaddr), 1ull << 47 } } },
	{ "p_vaddr of the kernel", LOADER_ADDRESS,
	  { { P(TEXT, p_vaddr), 0xffffffff80000000ull } } },
	{ "p_vaddr of the kernel, ET_DYN", LOADER_ADDRESS,
	  { { DYN }, { P(TEXT, p_vaddr), 0xffffffff80000000ull } } },
	{ "a segment that wraps around", LOADER_ADDRESS,
	  { { P(DATA, p_memsz), UINT64_MAX - BASE } } },
	{ "memsz 2^47", LOADER_ADDRESS, { { P(DATA, p_memsz), 1ull << 47 } } },
	{ "memsz 2^47, ET_DYN", LOADER_ADDRESS,
	  { { DYN }, { P(DATA, p_memsz), 1ull << 47 } } },
	{ "memsz -1, ET_DYN", LOADER_ADDRESS,
	  { { DYN }, { P(DATA, p_memsz), UINT64_MAX } } },

	/* protection */
	{ "write and execute", LOADER_OK,
	  { { P(DATA, p_flags), PF_R | PF_W | PF_X } } },
	{ "execute only", LOADER_OK, { { P(TEXT, p_flags), PF_X } } },
	{ "write only", LOADER_OK, { { P(DATA, p_flags), PF_W } } },
	{ "no access", LOADER_OK, { { P(RODATA, p_flags), 0 } } },
	{ "no access with bss", LOADER_OK, { { P(DATA, p_flags), 0 } } },
	{ "read-only with bss", LOADER_OK, { { P(DATA, p_flags), PF_R } } },
	{ "code with bss", LOADER_OK, { { P(DATA, p_flags), PF_R | PF_X } } },
	{ "code with bss, ET_DYN", LOADER_OK,
	  { { DYN }, { P(DATA, p_flags), PF_R | PF_X } } },
	{ "unknown flags", LOADER_OK, { { P(DATA, p_flags), 0xfffffff6 } } },
	{ "no code", LOADER_OK, { { P(TEXT, p_flags), PF_R } } },
	{ "stack executable", LOADER_OK, { { P(STACK, p_flags), 7 } } },

	/* entry */
	{ "e_entry 0", LOADER_OK, { { E(e_entry), 0 } } },
	{ "e_entry unmapped", LOADER_OK, { { E(e_entry), 0x70000000 } } },
	{ "e_entry at the end of user space", LOADER_ENTRY,
	  { { E(e_entry), LOADER_TASK_SIZE } } },
	{ "e_entry not canonical", LOADER_ENTRY,
	  { { E(e_entry), 1ull << 62 } } },
	{ "e_entry of the kernel", LOADER_ENTRY,
	  { { E(e_entry), 0xffffffff80000000ull } } },
	/* the sum wraps around into user space, or not: loader_map says */
	{ "e_entry -1 GB, ET_DYN", LOADER_OK,
	  { { DYN }, { E(e_entry), -(1ull << 30) } } },
	{ "e_entry 2^62, ET_DYN", LOADER_OK,
	  { { DYN }, { E(e_entry), 1ull << 62 } } },

	/* what else the table holds */
	{ "garbage in PT_DYNAMIC, PT_TLS", LOADER_OK, {
		{ P(SPARE, p_type), PT_DYNAMIC },
		{ P(SPARE, p_offset), UINT64_MAX },
		{ P(SPARE2, p_type), PT_TLS },
		{ P(SPARE2, p_memsz), UINT64_MAX } } },
	{ "garbage in PT_PHDR", LOADER_OK, {
		{ P(SPARE, p_type), PT_PHDR }, { P(SPARE, p_vaddr), 1 } } },
	{ "garbage in PT_GNU_PROPERTY", LOADER_OK, {
		{ P(SPARE, p_type), PT_GNU_PROPERTY },
		{ P(SPARE, p_offset), UINT64_MAX },
		{ P(SPARE, p_filesz), UINT64_MAX } } },
	{ "garbage for the processor", LOADER_OK, {
		{ P(SPARE, p_type), PT_LOPROC },
		{ P(SPARE, p_offset), UINT64_MAX } } },

	/* the interpreter */
	{ "interpreter of 1 byte", LOADER_INTERP_SIZE, {
		{ P(SPARE, p_type), PT_INTERP },
		{ P(SPARE, p_offset), INTERP_AT },
		{ P(SPARE, p_filesz), 1 } } },
	{ "interpreter of 4097 bytes", LOADER_INTERP_SIZE, {
		{ P(SPARE, p_type), PT_INTERP },
		{ P(SPARE, p_offset), INTERP_AT },
		{ P(SPARE, p_filesz), 4097 } } },
	{ "interpreter past the end", LOADER_INTERP_CUT, {
		{ P(SPARE, p_type), PT_INTERP },
		{ P(SPARE, p_offset), 0x9000 }, { P(SPARE, p_filesz), 20 } } },
	{ "interpreter across the end", LOADER_INTERP_CUT, {
		{ P(SPARE, p_type), PT_INTERP },
		{ P(SPARE, p_offset), FILE_SIZE - 19 },
		{ P(SPARE, p_filesz), 20 } } },
	{ "interpreter before a broken segment", LOADER_INTERP_SIZE, {
		{ P(SPARE, p_type), PT_INTERP }, { P(SPARE, p_filesz), 1 },
		{ P(TEXT, p_offset), 8 } } },
	{ "interpreter", LOADER_OK, {
		{ P(SPARE, p_type), PT_INTERP },
		{ P(SPARE, p_offset), INTERP_AT },
		{ P(SPARE, p_filesz), sizeof(INTERP) } } },
	{ "interpreter and any entry", LOADER_OK, {
		{ P(SPARE, p_type), PT_INTERP },
		{ P(SPARE, p_offset), INTERP_AT },
		{ P(SPARE, p_filesz), sizeof(INTERP) },
		{ E(e_entry), 1ull << 62 } } },
	{ "a second, broken interpreter", LOADER_OK, {
		{ P(SPARE, p_type), PT_INTERP },
		{ P(SPARE, p_offset), INTERP_AT },
		{ P(SPARE, p_filesz), sizeof(INTERP) },
		{ P(SPARE2, p_type), PT_INTERP },
		{ P(SPARE2, p_filesz), 1 } } },
};
/* clang-format on */

Test(plan, gives_every_broken_field_its_rule)
{
	static struct file file;
	struct loader_plan *plan = new_plan();

	for (size_t i = 0; i < COUNT(rows); i++) {
		build(&file, &rows[i]);
		cr_expect(eq(int, plan_file(&file, plan), rows[i].error), "%s",
		          rows[i].name);
	}
	free(plan);
}

/*
 * The same rows, mapped by the kernel and by loader_map.
 */

/* What a child of ours did, told through shared memory. */
struct ours {
	enum loader_error error;
	struct loader_image image;
	pid_t pid;
};

static void *shared(size_t size)
{
	void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert(ne(ptr, bytes, MAP_FAILED));
	return bytes;
}

/* A child that maps the file and stops; on an error it is gone already. */
static struct ours map_in_child(const struct loader_plan *plan, int fd,
                                uint64_t base)
{
	struct ours *told = shared(sizeof(*told));
	pid_t pid = fork();

	if (pid == 0) {
		struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		told->error =
			loader_map(plan, fd, base, &told->image, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}

	int status;

	cr_assert(eq(int, waitpid(pid, &status, WUNTRACED), pid));
	cr_assert(eq(int, status & 0xff, 0x7f), "loader_map died of signal %d",
	          WTERMSIG(status));

	struct ours ours = *told;

	ours.pid = pid;
	munmap(told, sizeof(*told));
	return ours;
}

/* Page by page; a page that cannot be read must be so in both. */
static void expect_same_contents(const struct native_mapping *mapping, int mem,
                                 uint64_t bias, int our_mem, uint64_t our_bias,
                                 const char *name)
{
	uint8_t page[LOADER_PAGE], our_page[LOADER_PAGE];
	uint64_t end = mapping->end;

	if (end > mapping->start + 16 * LOADER_PAGE)
		end = mapping->start + 16 * LOADER_PAGE;
	for (uint64_t at = mapping->start; at < end; at += LOADER_PAGE) {
		uint64_t our_at = at - bias + our_bias;
		ssize_t got = pread(mem, page, sizeof(page), (off_t)at);
		ssize_t our_got = pread(our_mem, our_page, sizeof(our_page),
		                        (off_t)our_at);

		cr_expect(eq(long, our_got, got), "%s: %#lx", name, at - bias);
		cr_expect(got <= 0 || memcmp(page, our_page, (size_t)got) == 0,
		          "%s: contents of %#lx differ", name, at - bias);
	}
}

static void expect_same_mapping(const struct native_mapping *kernel,
                                uint64_t bias, const struct native_mapping *our,
                                uint64_t our_bias, const char *name)
{
	cr_expect(eq(u64, our->start - our_bias, kernel->start - bias), "%s",
	          name);
	cr_expect(eq(u64, our->end - our_bias, kernel->end - bias), "%s", name);
	cr_expect(eq(u64, our->offset, kernel->offset), "%s", name);
	cr_expect(eq(int, our->file, kernel->file), "%s", name);
	cr_expect(eq(str, (char *)our->prot, (char *)kernel->prot), "%s", name);
}

static void expect_same_maps(const struct loader_plan *plan, pid_t pid,
                             uint64_t bias, const struct ours *ours,
                             const char *name)
{
	static struct native_mapping kernel[NATIVE_MAPPINGS];
	static struct native_mapping our[NATIVE_MAPPINGS];
	uint64_t size = (plan->high - plan->low + 0xfff) & ~0xfffull;
	uint64_t low = plan->low + bias, our_low = plan->low + ours->image.bias;
	size_t count = native_maps(pid, low, low + size, kernel);
	size_t our_count = native_maps(ours->pid, our_low, our_low + size, our);
	int mem = native_open(pid, "mem"),
	    our_mem = native_open(ours->pid, "mem");

	cr_expect(eq(sz, our_count, count), "%s", name);
	for (size_t i = 0; i < count && i < our_count; i++) {
		expect_same_mapping(&kernel[i], bias, &our[i], ours->image.bias,
		                    name);
		expect_same_contents(&kernel[i], mem, bias, our_mem,
		                     ours->image.bias, name);
	}
	close(mem);
	close(our_mem);
}

/* AT_PHDR, AT_ENTRY and what the kernel keeps in its mm_struct. */
static void expect_same_numbers(const struct loader_plan *plan, pid_t pid,
                                uint64_t bias, const char *name)
{
	cr_expect(eq(u64, plan->phdr + bias, native_aux(pid, AT_PHDR)), "%s",
	          name);
	cr_expect(eq(u64, plan->phnum, native_aux(pid, AT_PHNUM)), "%s", name);
	cr_expect(eq(u64, plan->start_code + bias, native_stat(pid, 26)), "%s",
	          name);
	cr_expect(eq(u64, plan->end_code + bias, native_stat(pid, 27)), "%s",
	          name);
	cr_expect(eq(u64, plan->start_data + bias, native_stat(pid, 45)), "%s",
	          name);
	cr_expect(eq(u64, plan->end_data + bias, native_stat(pid, 46)), "%s",
	          name);
	/* of a static PIE the kernel moves the break to another place */
	if (plan->type == ET_EXEC || plan->interp_size != 0)
		cr_expect(eq(u64, plan->brk + bias, native_stat(pid, 47)), "%s",
		          name);
}

/* Unrandomised, so that the break is where the plan has it. */
static struct native start(int fd)
{
	static char *argv[] = { (char *)"program", NULL }, *envp[] = { NULL };

	return native_start(&(struct native_program){
		.fd = fd,
		.argv = argv,
		.envp = envp,
		.personality = ADDR_NO_RANDOMIZE,
	});
}

static int refusal(enum loader_error error)
{
	return error == LOADER_INTERP_CUT ? EIO : ENOEXEC;
}

static void compare_run(const struct loader_plan *plan, int fd, pid_t pid,
                        uint64_t base, const char *name)
{
	uint64_t bias = native_aux(pid, AT_ENTRY) - plan->entry;
	struct ours ours = map_in_child(plan, fd, base);

	cr_expect(eq(int, ours.error, LOADER_OK), "%s: errno %d", name,
	          ours.image.error);
	cr_expect(base == LOADER_ANYWHERE || plan->type == ET_EXEC ||
	                  ours.image.bias == base - plan->low,
	          "%s: not at its base", name);
	if (ours.error == LOADER_OK)
		expect_same_maps(plan, pid, bias, &ours, name);
	expect_same_numbers(plan, pid, bias, name);
	native_kill(ours.pid);
}

static void compare(const struct file *file, const char *name, uint64_t base)
{
	struct loader_plan *plan = new_plan();
	enum loader_error error = plan_file(file, plan);
	int fd = memory_file(file);
	struct native native = start(fd);

	if (error == LOADER_OK && native.end == NATIVE_KILLED) {
		/* what only the machine can tell, such as too much memory */
		struct ours ours = map_in_child(plan, fd, base);

		cr_expect(ne(int, ours.error, LOADER_OK), "%s", name);
		native_kill(ours.pid);
	} else if (error == LOADER_OK) {
		cr_expect(eq(int, native.end, NATIVE_RUNS), "%s", name);
	} else if (error < LOADER_KILLED) {
		cr_expect(eq(int, native.end, NATIVE_REFUSED), "%s", name);
		cr_expect(eq(int, native.error, refusal(error)), "%s", name);
	} else {
		cr_expect(eq(int, native.end, NATIVE_KILLED), "%s", name);
	}
	if (native.end == NATIVE_RUNS) {
		if (error == LOADER_OK)
			compare_run(plan, fd, native.pid, base, name);
		native_kill(native.pid);
	}
	close(fd);
	free(plan);
}

/* elf_load is of 6.6, the alignment of static PIE of 6.10. */
static int kernel_is_older(int major, int minor)
{
	struct utsname name;
	int have_major = 0, have_minor = 0;

	uname(&name);
	sscanf(name.release, "%d.%d", &have_major, &have_minor);
	return have_major < major ||
	       (have_major == major && have_minor < minor);
}

Test(plan, agrees_with_the_kernel, .timeout = 60)
{
	static struct file file;

	if (kernel_is_older(6, 10))
		cr_skip("the rows are those of Linux 6.10 and later");
	for (size_t i = 0; i < COUNT(rows); i++) {
		build(&file, &rows[i]);
		compare(&file, rows[i].name, LOADER_ANYWHERE);
	}
}

Test(map, puts_a_PIE_where_it_is_told, .timeout = 60)
{
	static struct file file;

	if (kernel_is_older(6, 10))
		cr_skip("the rows are those of Linux 6.10 and later");
	build(&file, &(struct row){ .poke = { { DYN } } });
	compare(&file, "base", 0x200000000000);
}

Test(map, takes_a_thousand_segments, .timeout = 60)
{
	static struct file file;
	Elf64_Ehdr header;

	if (kernel_is_older(6, 10))
		cr_skip("the rows are those of Linux 6.10 and later");
	good(&file);
	memcpy(&header, file.bytes, sizeof(header));
	header.e_phnum = 1000;
	header.e_phoff = FILE_SIZE;
	memcpy(file.bytes, &header, sizeof(header));
	for (uint32_t i = 0; i < 1000; i++) {
		Elf64_Phdr phdr = good_phdrs[i % 3];

		phdr.p_vaddr += i / 3 * 0x10000;
		memcpy(file.bytes + FILE_SIZE + i * sizeof(phdr), &phdr,
		       sizeof(phdr));
	}
	file.size = FILE_SIZE + 1000 * sizeof(Elf64_Phdr);
	compare(&file, "1000 segments", LOADER_ANYWHERE);
}

/* One fact each about what a plan says. */

static struct loader_plan *plan_of(const struct row *row)
{
	static struct file file;
	struct loader_plan *plan = new_plan();

	build(&file, row);
	cr_assert(eq(int, plan_file(&file, plan), row->error));
	return plan;
}

Test(plan, of_nothing_is_empty)
{
	uint64_t phoff;
	size_t size;

	cr_expect(eq(int, loader_header(NULL, 0, LOADER_PROGRAM, &phoff, &size),
	             LOADER_EMPTY));
}

Test(plan, of_a_script_is_a_script)
{
	const uint8_t script[] = "#!/bin/sh\n";
	uint64_t phoff;
	size_t size;

	cr_expect(eq(int,
	             loader_header(script, 10, LOADER_PROGRAM, &phoff, &size),
	             LOADER_SCRIPT));
	cr_expect(eq(int,
	             loader_header(script, 2, LOADER_PROGRAM, &phoff, &size),
	             LOADER_SCRIPT));
	cr_expect(eq(int,
	             loader_header(script, 1, LOADER_PROGRAM, &phoff, &size),
	             LOADER_NOT_ELF));
}

Test(plan, header_says_where_the_table_is)
{
	static struct file file;
	uint64_t phoff;
	size_t size;

	good(&file);
	cr_assert(
		eq(int,
	           loader_header(file.bytes, 64, LOADER_PROGRAM, &phoff, &size),
	           LOADER_OK));
	cr_expect(eq(u64, phoff, 64));
	cr_expect(eq(sz, size, 6 * sizeof(Elf64_Phdr)));
}

Test(plan, spans_from_the_lowest_page_to_the_highest_byte)
{
	struct loader_plan *plan = plan_of(&rows[0]);

	cr_expect(eq(u64, plan->low, BASE));
	cr_expect(eq(u64, plan->high, BASE + 0x6900));
	cr_expect(eq(u64, plan->brk, BASE + 0x7000));
	free(plan);
}

Test(plan, of_no_segment_spans_nothing)
{
	struct loader_plan *plan = plan_of(
		&(struct row){ .poke = { { P(TEXT, p_type), PT_NOTE },
	                                 { P(RODATA, p_type), PT_NOTE },
	                                 { P(DATA, p_type), PT_NOTE } } });

	cr_expect(eq(u32, plan->segment_count, 0));
	cr_expect(eq(u64, plan->low, plan->high));
	cr_expect(eq(u64, plan->phdr, 0));
	free(plan);
}

Test(plan, keeps_segments_in_file_order_with_their_numbers)
{
	struct loader_plan *plan = plan_of(&(struct row){
		.poke = { { P(RODATA, p_type), PT_NOTE },
	                  { P(TEXT, p_vaddr), BASE + 0x9000 } } });

	cr_assert(eq(u32, plan->segment_count, 2));
	cr_expect(eq(u32, plan->segment[0].index, TEXT));
	cr_expect(eq(u32, plan->segment[1].index, DATA));
	free(plan);
}

Test(plan, takes_the_largest_alignment_that_is_a_power_of_two)
{
	struct loader_plan *plan = plan_of(
		&(struct row){ .poke = { { P(TEXT, p_align), 2 << 20 },
	                                 { P(DATA, p_align), 3 << 20 } } });

	cr_expect(eq(u64, plan->align, 2 << 20));
	free(plan);
}

Test(plan, aligns_to_a_page_at_least)
{
	struct loader_plan *plan =
		plan_of(&(struct row){ .poke = { { P(TEXT, p_align), 0 },
	                                         { P(RODATA, p_align), 3 },
	                                         { P(DATA, p_align), 16 } } });

	cr_expect(eq(u64, plan->align, LOADER_PAGE));
	free(plan);
}

Test(plan, takes_the_last_PT_GNU_STACK)
{
	struct loader_plan *plan = plan_of(
		&(struct row){ .poke = { { P(SPARE, p_type), PT_GNU_STACK },
	                                 { P(SPARE, p_flags), 7 } } });

	cr_expect(eq(u32, plan->exec_stack, 1));
	free(plan);
}

Test(plan, without_PT_GNU_STACK_has_no_executable_stack)
{
	struct loader_plan *plan = plan_of(
		&(struct row){ .poke = { { P(STACK, p_type), PT_NOTE } } });

	cr_expect(eq(u32, plan->exec_stack, 0));
	free(plan);
}

Test(plan, takes_the_first_PT_INTERP)
{
	struct loader_plan *plan = plan_of(&(struct row){
		.poke = { { P(SPARE, p_type), PT_INTERP },
	                  { P(SPARE, p_offset), INTERP_AT },
	                  { P(SPARE, p_filesz), sizeof(INTERP) },
	                  { P(SPARE2, p_type), PT_INTERP },
	                  { P(SPARE2, p_filesz), UINT64_MAX } } });

	cr_expect(eq(u64, plan->interp_offset, INTERP_AT));
	cr_expect(eq(u32, plan->interp_size, sizeof(INTERP)));
	free(plan);
}

Test(plan, that_fails_names_the_header_and_the_number)
{
	struct loader_plan *plan = plan_of(
		&(struct row){ .error = LOADER_FILESZ,
	                       .poke = { { P(DATA, p_filesz), 0x2801 } } });

	cr_expect(eq(u32, plan->bad_index, DATA));
	cr_expect(eq(u64, plan->bad_value, 0x2801));
	free(plan);
}

/* The same bytes as an interpreter. */
/* clang-format off */
static const struct row interps[] = {
	{ "the good file" },
	{ "the good file as ET_DYN", .poke = { { DYN } } },
	{ "63 bytes", LOADER_TRUNCATED, .cut = 63 },
	{ "a broken type", LOADER_INTERP_TYPE, { { E(e_type), ET_REL } } },
	{ "a broken type and CPU", LOADER_OTHER_CPU,
	  { { E(e_type), ET_REL }, { E(e_machine), 0 } } },
	{ "a broken type and table", LOADER_PHDRS_CUT,
	  { { E(e_type), ET_REL }, { E(e_phoff), 0x9000 } } },
	{ "a broken interpreter", LOADER_OK,
	  { { P(SPARE, p_type), PT_INTERP }, { P(SPARE, p_filesz), 1 } } },
	{ "no segment", LOADER_SPAN,
	  { { P(TEXT, p_type), PT_NOTE }, { P(RODATA, p_type), PT_NOTE },
	    { P(DATA, p_type), PT_NOTE } } },
	{ "one empty segment", LOADER_SPAN,
	  { { P(TEXT, p_filesz), 0 }, { P(TEXT, p_memsz), 0 },
	    { P(RODATA, p_type), PT_NOTE }, { P(DATA, p_type), PT_NOTE } } },
	{ "ET_EXEC in the kernel's half", LOADER_ADDRESS,
	  { { P(TEXT, p_vaddr), -0x10000ull } } },
	{ "ET_DYN in the kernel's half", LOADER_OK,
	  { { DYN }, { P(TEXT, p_vaddr), -0x10000ull },
	    { P(RODATA, p_vaddr), -0xf000ull },
	    { P(DATA, p_vaddr), -0xbf00ull } } },
	{ "ET_EXEC, not enough room for its span behind its first segment",
	  LOADER_ADDRESS, { { P(TEXT, p_vaddr), LOADER_TASK_SIZE - 0x1000 } } },
	{ "ET_DYN around the end", LOADER_ADDRESS,
	  { { DYN }, { P(TEXT, p_vaddr), -0x800ull },
	    { P(TEXT, p_offset), 0x800 }, { P(TEXT, p_filesz), 0x800 } } },
};
/* clang-format on */

Test(plan, of_an_interpreter_obeys_the_rules_for_one)
{
	static struct file file;
	struct loader_plan *plan = new_plan();

	for (size_t i = 0; i < COUNT(interps); i++) {
		build(&file, &interps[i]);
		cr_expect(eq(int, plan_as(LOADER_INTERP, &file, plan),
		             interps[i].error),
		          "%s", interps[i].name);
		cr_expect(eq(u32, plan->interp_size, 0), "%s", interps[i].name);
	}
	free(plan);
}

Test(plan, of_an_interpreter_aligns_to_a_page_only)
{
	static struct file file;
	struct loader_plan *plan = new_plan();

	build(&file,
	      &(struct row){
		      .poke = { { DYN }, { P(TEXT, p_align), 1 << 21 } } });
	cr_assert(eq(int, plan_as(LOADER_INTERP, &file, plan), LOADER_OK));
	cr_expect(eq(u64, plan->align, LOADER_PAGE));
	free(plan);
}

Test(plan, keeps_the_place_of_an_interpreter_that_is_cut)
{
	struct loader_plan *plan = plan_of(
		&(struct row){ .error = LOADER_INTERP_CUT,
	                       .poke = { { P(SPARE, p_type), PT_INTERP },
	                                 { P(SPARE, p_offset), INT64_MAX },
	                                 { P(SPARE, p_filesz), 7 } } });

	cr_expect(eq(u64, plan->interp_offset, INT64_MAX));
	cr_expect(eq(u32, plan->interp_size, 7));
	free(plan);
}

Test(plan, tells_what_execve_refuses_from_what_it_kills)
{
	for (int i = LOADER_OK; i < LOADER_ERRORS; i++) {
		int program = loader_errno(i, LOADER_PROGRAM);
		int interp = loader_errno(i, LOADER_INTERP);
		int refused = i > LOADER_OK && i < LOADER_KILLED;

		cr_expect(eq(int, program != 0, refused), "%d", i);
		cr_expect(eq(int, interp != 0, refused), "%d", i);
		cr_expect(eq(int, loader_kills(i),
		             i >= LOADER_KILLED && i < LOADER_IN_USE),
		          "%d", i);
	}
	cr_expect(eq(int, loader_errno(LOADER_PHNUM, LOADER_PROGRAM), ENOEXEC));
	cr_expect(eq(int, loader_errno(LOADER_PHNUM, LOADER_INTERP), ELIBBAD));
	cr_expect(eq(int, loader_errno(LOADER_EMPTY, LOADER_PROGRAM), ENOEXEC));
	cr_expect(eq(int, loader_errno(LOADER_EMPTY, LOADER_INTERP), EIO));
	cr_expect(eq(int, loader_errno(LOADER_TRUNCATED, LOADER_INTERP), EIO));
	cr_expect(
		eq(int, loader_errno(LOADER_INTERP_CUT, LOADER_PROGRAM), EIO));
}

Test(plan, reads_bytes_at_any_alignment)
{
	static struct file file;
	static uint8_t moved[FILE_SIZE + 1];
	struct loader_plan *plan = new_plan();

	good(&file);
	memcpy(moved + 1, file.bytes, FILE_SIZE);
	cr_expect(eq(int,
	             loader_plan(moved + 1, moved + 65, FILE_SIZE,
	                         LOADER_PROGRAM, plan),
	             LOADER_OK));
	free(plan);
}

Test(plan, has_words_of_its_own_for_every_error)
{
	for (int i = 0; i < LOADER_ERRORS; i++)
		for (int k = 0; k <= i; k++)
			cr_expect(eq(int, k == i,
			             !strcmp(loader_strerror(i),
			                     loader_strerror(k))),
			          "%d and %d", i, k);
	cr_expect(ne(int,
	             strcmp(loader_strerror(LOADER_OK),
	                    loader_strerror(LOADER_ERRORS)),
	             0));
}

/* What loader_map tells, and what it does not do to others. */

struct told {
	uint64_t start, size, offset;
	uint32_t prot, what;
};

struct told_list {
	struct told told[8];
	size_t count;
};

static void tell(void *context, uint64_t start, uint64_t size, uint32_t prot,
                 uint32_t flags, uint32_t what, uint64_t offset)
{
	struct told_list *list = context;

	cr_assert(list->count < COUNT(list->told));
	cr_expect(eq(u32, flags & MAP_PRIVATE, MAP_PRIVATE));
	list->told[list->count++] =
		(struct told){ start, size, offset, prot, what };
}

static void unmap(const struct loader_plan *plan,
                  const struct loader_image *image)
{
	munmap((void *)(plan->low + image->bias), plan->high - plan->low);
}

Test(map, tells_each_mapping_in_order)
{
	static struct file file;
	struct told_list list = { .count = 0 };
	struct loader_plan *plan = plan_of(&rows[0]);
	struct loader_image image;

	good(&file);

	int fd = memory_file(&file);

	cr_assert(eq(int,
	             loader_map(plan, fd, LOADER_ANYWHERE, &image, tell, &list),
	             LOADER_OK));

	static const struct told expected[] = {
		{ BASE, 0x1000, 0, PROT_READ | PROT_EXEC, 1 },
		{ BASE + 0x1000, 0x1000, 0x1000, PROT_READ, 1 },
		{ BASE + 0x4000, 0x1000, 0x2000, PROT_READ | PROT_WRITE, 1 },
		{ BASE + 0x5000, 0x2000, 0, PROT_READ | PROT_WRITE, 2 },
	};

	cr_assert(eq(sz, list.count, COUNT(expected)));
	for (size_t i = 0; i < COUNT(expected); i++) {
		cr_expect(eq(u64, list.told[i].start, expected[i].start));
		cr_expect(eq(u64, list.told[i].size, expected[i].size));
		cr_expect(eq(u64, list.told[i].offset, expected[i].offset));
		cr_expect(eq(u32, list.told[i].prot, expected[i].prot));
		cr_expect(eq(u32, list.told[i].what, expected[i].what));
	}
	unmap(plan, &image);
	close(fd);
	free(plan);
}

Test(map, does_not_replace_what_is_under_the_first_segment)
{
	static struct file file;
	struct loader_plan *plan = plan_of(&rows[0]);
	struct loader_image image;
	char *there =
		mmap((void *)BASE, 0x1000, PROT_READ | PROT_WRITE,
	             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	cr_assert(eq(ptr, there, (void *)BASE));
	there[0] = 7;
	good(&file);

	int fd = memory_file(&file);

	cr_expect(eq(int,
	             loader_map(plan, fd, LOADER_ANYWHERE, &image, NULL, NULL),
	             LOADER_IN_USE));
	cr_expect(eq(int, image.error, EEXIST));
	cr_expect(eq(chr, there[0], 7));
	munmap(there, 0x1000);
	close(fd);
	free(plan);
}

Test(map, does_not_replace_anything_in_the_span_of_a_PIE)
{
	static struct file file;
	struct loader_plan *plan = plan_of(&rows[1]);
	struct loader_image image;
	/* in the hole between two segments */
	uint64_t base = 0x200000000000;
	char *there =
		mmap((void *)(base + 0x2000), 0x1000, PROT_READ | PROT_WRITE,
	             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	there[0] = 7;
	good(&file);

	int fd = memory_file(&file);

	cr_expect(eq(int, loader_map(plan, fd, base, &image, NULL, NULL),
	             LOADER_IN_USE));
	cr_expect(eq(chr, there[0], 7));
	munmap(there, 0x1000);
	close(fd);
	free(plan);
}

Test(map, says_which_call_failed_and_where)
{
	struct loader_plan *plan = plan_of(&rows[0]);
	struct loader_image image;

	cr_expect(eq(int,
	             loader_map(plan, -1, LOADER_ANYWHERE, &image, NULL, NULL),
	             LOADER_MAP_FAILED));
	cr_expect(eq(int, image.error, EBADF));
	cr_expect(eq(u32, image.bad_index, TEXT));
	free(plan);
}

Test(map, aligns_a_PIE_as_it_asks)
{
	static struct file file;
	struct loader_plan *plan = plan_of(&(struct row){
		.poke = { { DYN }, { P(DATA, p_align), 1 << 24 } } });
	struct loader_image image;

	good(&file);

	int fd = memory_file(&file);

	cr_assert(eq(int,
	             loader_map(plan, fd, LOADER_ANYWHERE, &image, NULL, NULL),
	             LOADER_OK));
	cr_expect(eq(u64, (plan->low + image.bias) % (1 << 24), 0));
	unmap(plan, &image);
	close(fd);
	free(plan);
}

static uint64_t bias_of(const struct row *row, enum loader_role role,
                        uint64_t base)
{
	static struct file file;
	struct loader_plan *plan = new_plan();
	struct loader_image image;
	int fd;

	build(&file, row);
	fd = memory_file(&file);
	cr_assert(eq(int, plan_as(role, &file, plan), LOADER_OK));
	cr_assert(eq(int, loader_map(plan, fd, base, &image, NULL, NULL),
	             LOADER_OK));
	unmap(plan, &image);
	close(fd);
	free(plan);
	return image.bias;
}

Test(map, puts_the_first_segment_at_the_base_not_the_lowest)
{
	struct row row = { .poke = { { DYN },
		                     { P(TEXT, p_vaddr), BASE + 0x9000 },
		                     { E(e_entry), BASE + 0x9800 } } };

	cr_expect(eq(u64, bias_of(&row, LOADER_PROGRAM, 0x200000009000),
	             0x200000009000 - (BASE + 0x9000)));
}

Test(map, takes_linked_addresses_for_a_hint)
{
	struct row row = { .poke = { { DYN } } };
	void *there;

	cr_expect(eq(u64, bias_of(&row, LOADER_INTERP, LOADER_LINKED), 0));
	there = mmap((void *)(BASE + 0x1000), 0x1000, PROT_NONE,
	             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	cr_assert(eq(ptr, there, (void *)(BASE + 0x1000)));
	cr_expect(ne(u64, bias_of(&row, LOADER_INTERP, LOADER_LINKED), 0));
	munmap(there, 0x1000);
}

Test(map, asks_nobody_where_a_PIE_goes_that_begins_with_bss)
{
	struct row row = { .poke = { { DYN }, { P(TEXT, p_filesz), 0 } } };

	cr_expect(eq(u64, bias_of(&row, LOADER_INTERP, LOADER_LINKED), 0));
	if (geteuid() == 0) /* page 0 takes a privilege */
		cr_expect(eq(u64,
		             bias_of(&row, LOADER_PROGRAM, LOADER_ANYWHERE),
		             -BASE));
}

Test(map, maps_no_part_of_a_segment_that_does_not_fit)
{
	static struct file file;
	struct loader_plan *plan = new_plan();
	struct loader_image image;

	/* begins at 0, for it begins with bss */
	build(&file,
	      &(struct row){
		      .poke = { { DYN },
	                        { P(TEXT, p_filesz), 0 },
	                        { P(TEXT, p_memsz), 0 },
	                        { P(RODATA, p_memsz), 1ull << 46 },
	                        { P(RODATA, p_vaddr),
	                          BASE + (1ull << 46) + (1ull << 45) } } });
	cr_assert(eq(int, plan_as(LOADER_INTERP, &file, plan), LOADER_OK));
	cr_expect(eq(int,
	             loader_map(plan, -1, LOADER_ANYWHERE, &image, NULL, NULL),
	             LOADER_MAP_FAILED));
	cr_expect(eq(int, image.error, ENOMEM));
	cr_expect(eq(u32, image.bad_index, RODATA));
	free(plan);
}

Test(map, has_room_only_where_nothing_is)
{
	struct loader_plan *plan = plan_of(&rows[0]);
	struct loader_plan *pie = plan_of(&rows[1]);
	struct loader_image image;
	void *there =
		mmap((void *)(BASE + 0x6000), 0x1000, PROT_NONE,
	             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	cr_assert(eq(ptr, there, (void *)(BASE + 0x6000)));
	cr_expect(eq(int, loader_room(plan, &image), LOADER_IN_USE));
	cr_expect(eq(u32, image.bad_index, DATA));
	cr_expect(eq(int, loader_room(pie, &image), LOADER_OK));
	munmap(there, 0x1000);
	cr_expect(eq(int, loader_room(plan, &image), LOADER_OK));
	free(plan);
	free(pie);
}

Test(map, of_an_ET_EXEC_interpreter_takes_its_whole_span)
{
	static struct file file;
	struct loader_plan *plan = new_plan();
	struct loader_image image;
	unsigned char there;
	int fd;

	build(&file, &rows[0]);
	fd = memory_file(&file);
	cr_assert(eq(int, plan_as(LOADER_INTERP, &file, plan), LOADER_OK));
	/* a program in the hole between its segments, and under the first */
	cr_assert(ne(ptr,
	             mmap((void *)BASE, 0x3000, PROT_READ,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
	                  0),
	             MAP_FAILED));
	cr_expect(eq(int,
	             loader_map(plan, fd, LOADER_LINKED, &image, NULL, NULL),
	             LOADER_OK));
	cr_expect(eq(int, mincore((void *)BASE, 0x1000, &there), 0));
	cr_expect(
		eq(int, mincore((void *)(BASE + 0x2000), 0x1000, &there), -1));
	unmap(plan, &image);
	close(fd);
	free(plan);
}
