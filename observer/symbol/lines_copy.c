/*
 * lines_copy - the DWARF of a file in a container of its own.
 *
 * libelf writes into the section headers when it inflates a section, and ours
 * lie in memory that cannot be written and that others read: a file with
 * compressed sections is copied, as far as libdw needs it.  So is one that
 * shares DWARF with others (dwz): libdw would open whatever path it names.
 */
#include "observer/symbol/internal.h"

#include <stdlib.h>

#define INFLATED_MAX (1ull << 30) /* a hostile file may promise anything */

static int starts(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

static int is_wanted(const struct symbol_file *file, const Elf64_Shdr *section)
{
	const char *name = elf_section_name(file, section);

	return section->sh_type != SHT_NOBITS &&
	       (starts(name, ".debug_") || starts(name, ".zdebug_"));
}

static uint64_t inflated_size(struct span bytes, const Elf64_Shdr *section)
{
	Elf64_Chdr header;

	if (!(section->sh_flags & SHF_COMPRESSED) ||
	    bytes.size < sizeof(header))
		return bytes.size;
	memcpy(&header, bytes.at, sizeof(header));
	return header.ch_size;
}

int lines_copy_needed(const struct symbol_file *file)
{
	Elf64_Shdr section;

	for (uint32_t i = 0; elf_section(file, i, &section); i++) {
		const char *name = elf_section_name(file, &section);
		if (starts(name, ".zdebug_") ||
		    !strcmp(name, ".gnu_debugaltlink") ||
		    (is_wanted(file, &section) &&
		     (section.sh_flags & SHF_COMPRESSED)))
			return 1;
	}
	return 0;
}

/* Puts `bytes` behind what is there, and the header in its place. */
static void put_section(struct span *copy, uint8_t *to, uint32_t index,
                        Elf64_Shdr section, struct span bytes)
{
	section.sh_offset = copy->size;
	section.sh_size = bytes.size;
	section.sh_addr = section.sh_link = section.sh_info = 0;
	memcpy(to + sizeof(Elf64_Ehdr) + index * sizeof(section), &section,
	       sizeof(section));
	if (bytes.size)
		memcpy(to + copy->size, bytes.at, bytes.size);
	copy->size += (bytes.size + 7) & -8ull;
}

/* The header, a section header for each section of the file, empty where it is
 * not wanted, so that the names' index stays; then the bytes. */
static struct span copy_sections(const struct symbol_file *file, uint64_t room)
{
	Elf64_Ehdr header = file->header;
	struct span copy = { 0 };
	uint8_t *to = calloc(1, room);
	Elf64_Shdr section;

	if (!to)
		return copy;
	header.e_phnum = 0;
	header.e_shoff = sizeof(header);
	header.e_shnum = (uint16_t)(file->shnum + 1);
	header.e_shstrndx = (uint16_t)file->shnum;
	memcpy(to, &header, sizeof(header));
	copy.at = to;
	copy.size = sizeof(header) + (file->shnum + 1ull) * sizeof(section);
	for (uint32_t i = 0; elf_section(file, i, &section); i++)
		if (is_wanted(file, &section))
			put_section(&copy, to, i, section,
			            span_cut(file->all, section.sh_offset,
			                     section.sh_size));
	section = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_addralign = 1 };
	put_section(&copy, to, file->shnum, section, file->section_names);
	return copy;
}

struct span lines_copy(const struct symbol_file *file)
{
	uint64_t room = sizeof(Elf64_Ehdr) + file->section_names.size + 8 +
	                (file->shnum + 1ull) * sizeof(Elf64_Shdr);
	uint64_t bytes = 0, inflated = 0;
	Elf64_Shdr section;

	for (uint32_t i = 0; elf_section(file, i, &section); i++) {
		struct span span =
			span_cut(file->all, section.sh_offset, section.sh_size);
		uint64_t size = inflated_size(span, &section);
		if (!is_wanted(file, &section))
			continue;
		bytes += (span.size + 7) & -8ull;
		/* sections that overlap could ask for any amount */
		if (bytes > file->all.size + 8ull * file->shnum ||
		    size > INFLATED_MAX || (inflated += size) > INFLATED_MAX)
			return (struct span){ 0 };
	}
	return copy_sections(file, room + bytes);
}
