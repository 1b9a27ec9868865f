/*
 * build - a row of the table becomes a file.
 *
 * Every row begins as the same good program: text, constants, a hole of two
 * pages, data whose bss begins in the middle of a page and goes on for two
 * more.  None of its bytes is zero but where the ELF format says so, so that a
 * page that ought to be zero shows.
 */
#include "tests/odd/odd.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/odd/cases.h"
#include "tests/odd/code.h"

#define ROOM (FILE_SIZE + 65536 + 64)

struct odd_file {
	uint8_t bytes[ROOM];
	uint64_t size, base;
};

/* clang-format off */
static const Elf64_Phdr good_phdrs[PHDRS] = {
	[TEXT] = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X,
		.p_filesz = 0x1000, .p_memsz = 0x1000, .p_align = 0x1000 },
	[RODATA] = { .p_type = PT_LOAD, .p_flags = PF_R, .p_offset = 0x1000,
		.p_vaddr = 0x1000, .p_filesz = 0x800, .p_memsz = 0x800,
		.p_align = 0x1000 },
	[DATA] = { .p_type = PT_LOAD, .p_flags = PF_R | PF_W,
		.p_offset = 0x2100, .p_vaddr = 0x4100, .p_filesz = 0x900,
		.p_memsz = 0x2800, .p_align = 0x1000 },
	[STACK] = { .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W },
};
/* clang-format on */

static const struct {
	const uint8_t *bytes;
	size_t size;
} codes[] = {
	[ODD_PROBE] = { code_probe, sizeof(code_probe) },
	[ODD_CALL] = { code_call, sizeof(code_call) },
	[ODD_READ] = { code_read, sizeof(code_read) },
	[ODD_WRITE] = { code_write, sizeof(code_write) },
};

static void put(struct odd_file *file, uint64_t at, const void *bytes,
                size_t size)
{
	memcpy(file->bytes + at, bytes, size);
}

static void put_code(struct odd_file *file, const struct odd_case *row)
{
	size_t end = CODE_AT + codes[row->code].size;

	put(file, CODE_AT, codes[row->code].bytes, codes[row->code].size);
	if (row->code != ODD_PROBE)
		put(file, end - 8, &row->at, 8);
	else if (row->count != 0) {
		put(file, end - 16, &row->at, 8);
		put(file, end - 8, &row->count, 8);
	}
}

static void put_good(struct odd_file *file, bool pie)
{
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
		             ELFDATA2LSB, EV_CURRENT },
		.e_type = pie ? ET_DYN : ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = PHDRS,
	};

	file->base = pie ? 0 : BASE;
	header.e_entry = file->base + CODE_AT;
	for (size_t i = 0; i < FILE_SIZE; i++)
		file->bytes[i] = (uint8_t)(1 + i % 251);
	put(file, 0, &header, sizeof(header));
	for (size_t i = 0; i < PHDRS; i++) {
		Elf64_Phdr phdr = good_phdrs[i];

		if (phdr.p_type == PT_LOAD)
			phdr.p_vaddr += file->base;
		put(file, sizeof(header) + i * sizeof(phdr), &phdr,
		    sizeof(phdr));
	}
	file->size = FILE_SIZE;
}

static void put_interp(struct odd_file *file, const char *path)
{
	Elf64_Phdr phdr = {
		.p_type = PT_INTERP,
		.p_flags = PF_R,
		.p_offset = INTERP_AT,
		.p_vaddr = file->base + INTERP_AT,
		.p_filesz = strlen(path) + 1,
		.p_memsz = strlen(path) + 1,
		.p_align = 1,
	};

	put(file, INTERP_AT, path, strlen(path) + 1);
	put(file, sizeof(Elf64_Ehdr) + BEHIND * sizeof(phdr), &phdr,
	    sizeof(phdr));
}

/* The table elsewhere, as long as e_phnum says; what is behind the good ones
 * is PT_NULL, or further segments. */
static void move_table(struct odd_file *file, uint64_t to, uint32_t segments)
{
	Elf64_Phdr phdrs[PHDRS];
	Elf64_Ehdr header;
	uint64_t end;

	memcpy(&header, file->bytes, sizeof(header));
	memcpy(phdrs, file->bytes + sizeof(header), sizeof(phdrs));
	header.e_phoff = to;
	header.e_phnum = (uint16_t)(header.e_phnum + segments);
	put(file, 0, &header, sizeof(header));
	put(file, to, phdrs, sizeof(phdrs));
	for (uint32_t i = 0; i < segments; i++) {
		Elf64_Phdr phdr = phdrs[RODATA];

		phdr.p_vaddr = file->base + 0x10000 + i * 0x2000ull;
		put(file, to + sizeof(phdrs) + i * sizeof(phdr), &phdr,
		    sizeof(phdr));
	}
	end = to + header.e_phnum * sizeof(Elf64_Phdr);
	if (end > file->size && end <= ROOM)
		file->size = end;
}

static void make(struct odd_file *file, const struct odd_case *row, bool pie)
{
	memset(file, 0, sizeof(*file));
	put_good(file, pie);
	put_code(file, row);
	if (row->interp)
		put_interp(file, row->interp);
	for (size_t i = 0; i < ODD_POKES && row->poke[i].width; i++) {
		const struct odd_poke *poke = &row->poke[i];
		uint64_t value =
			poke->value + (poke->relative ? file->base : 0);

		put(file, poke->where, &value, poke->width);
	}
	if (row->table != 0)
		move_table(file, row->table, row->segments);
}

/* mov $1, %eax; mov $42, %ebx; int $0x80 */
static const uint8_t code32[] = { 0xb8, 1, 0, 0, 0,    0xbb,
	                          42,   0, 0, 0, 0xcd, 0x80 };

static void put_elf32(struct odd_file *file)
{
	Elf32_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32,
		             ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_version = EV_CURRENT,
		.e_entry = BASE + CODE_AT,
		.e_phoff = sizeof(Elf32_Ehdr),
		.e_ehsize = sizeof(Elf32_Ehdr),
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = 1,
	};
	Elf32_Phdr phdr = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_vaddr = BASE,
		.p_filesz = 0x1000,
		.p_memsz = 0x1000,
		.p_align = 0x1000,
	};

	file->size = FILE_SIZE;
	put(file, 0, &header, sizeof(header));
	put(file, sizeof(header), &phdr, sizeof(phdr));
	put(file, CODE_AT, code32, sizeof(code32));
}

static bool write_file(const char *name, const void *bytes, size_t size,
                       uint64_t whole, uint32_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	bool done = fd >= 0 && write(fd, bytes, size) == (ssize_t)size &&
	            ftruncate(fd, (off_t)whole) == 0 && fchmod(fd, mode) == 0;

	if (fd >= 0 && close(fd) != 0)
		return false;
	return done;
}

void odd_name(const struct odd_case *row, bool pie, char name[ODD_NAME])
{
	snprintf(name, ODD_NAME, "%s%s", row->name,
	         pie && (row->flags & ODD_BOTH) ? "-pie" : "");
}

bool odd_build(const struct odd_case *row, bool pie)
{
	static struct odd_file file;
	uint32_t mode = row->mode ? row->mode : 0755;
	char name[ODD_NAME];

	odd_name(row, pie, name);
	switch (row->kind) {
	case ODD_ELF:
		make(&file, row, pie);
		return write_file(name, file.bytes, file.size,
		                  row->size == EMPTY ? 0
		                  : row->size != 0   ? row->size
		                                     : file.size,
		                  mode);
	case ODD_ELF32:
		memset(&file, 0, sizeof(file));
		put_elf32(&file);
		return write_file(name, file.bytes, file.size, file.size, mode);
	case ODD_TEXT:
		return write_file(name, row->text, strlen(row->text),
		                  strlen(row->text), mode);
	case ODD_LINK:
		return symlink(row->text, name) == 0;
	case ODD_FOLDER:
		return mkdir(name, mode) == 0;
	case ODD_FIFO:
		return mkfifo(name, mode) == 0;
	case ODD_NONE:
		break;
	}
	return true;
}
