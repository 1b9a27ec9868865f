/* elf - the container: segments, sections, bytes behind an address. */
#include "observer/symbol/internal.h"

/* load_elf_phdrs takes no more, so the kernel runs no program with more. */
#define SEGMENTS_MAX 1170u
/* Linkers make dozens; more only take our time. */
#define SECTIONS_MAX 16384u

static struct span elf_bytes(const struct symbol_file *file, uint64_t offset,
                             uint64_t size, uint64_t address)
{
	struct span span = span_cut(file->all, offset, size);

	span.address = address;
	return span;
}

int elf_segment(const struct symbol_file *file, uint32_t index,
                Elf64_Phdr *segment)
{
	if (index >= file->phnum)
		return 0;
	memcpy(segment,
	       file->all.at + file->header.e_phoff +
	               (uint64_t)index * sizeof(*segment),
	       sizeof(*segment));
	return 1;
}

int elf_section(const struct symbol_file *file, uint32_t index,
                Elf64_Shdr *section)
{
	if (index >= file->shnum)
		return 0;
	memcpy(section,
	       file->all.at + file->header.e_shoff +
	               (uint64_t)index * sizeof(*section),
	       sizeof(*section));
	return 1;
}

struct span elf_segment_span(const struct symbol_file *file,
                             const Elf64_Phdr *segment)
{
	return elf_bytes(file, segment->p_offset, segment->p_filesz,
	                 segment->p_vaddr);
}

struct span elf_section_span(const struct symbol_file *file,
                             const Elf64_Shdr *section)
{
	if (section->sh_type == SHT_NOBITS ||
	    (section->sh_flags & SHF_COMPRESSED))
		return (struct span){ 0 };
	return elf_bytes(file, section->sh_offset, section->sh_size,
	                 section->sh_addr);
}

const char *elf_section_name(const struct symbol_file *file,
                             const Elf64_Shdr *section)
{
	const char *name = span_string(file->section_names, section->sh_name);

	return name ? name : "";
}

int elf_section_named(const struct symbol_file *file, const char *name,
                      struct span *span)
{
	size_t size = strlen(name) + 1;
	Elf64_Shdr section;

	for (uint32_t i = 0; elf_section(file, i, &section); i++) {
		struct span own =
			span_cut(file->section_names, section.sh_name, size);
		if (own.size != size || memcmp(own.at, name, size))
			continue;
		*span = elf_section_span(file, &section);
		return span->size != 0;
	}
	return 0;
}

struct span elf_at(const struct symbol_file *file, uint64_t address)
{
	Elf64_Phdr segment;

	for (uint32_t i = 0; elf_segment(file, i, &segment); i++) {
		if (segment.p_type != PT_LOAD || address < segment.p_vaddr)
			continue;
		struct span span = elf_segment_span(file, &segment);
		if (address - segment.p_vaddr < span.size)
			return span_from(span, address - segment.p_vaddr);
	}
	return (struct span){ 0 };
}

uint64_t elf_pointer(const struct symbol_file *file, uint64_t address)
{
	for (uint64_t at = 0; file->rela.size - at >= sizeof(Elf64_Rela);
	     at += sizeof(Elf64_Rela)) {
		uint64_t offset, addend;
		if (rela_relative(file->rela.at + at, &offset, &addend) &&
		    offset == address)
			return addend;
	}
	struct span span = elf_at(file, address);
	return span.size < 8 ? 0 : load64(span.at);
}

/* In a file without relocations the pointers are in the data itself. */
static int pointer_in_data(const struct symbol_file *file, uint64_t target,
                           uint64_t *at)
{
	Elf64_Phdr segment;

	for (uint32_t i = 0; elf_segment(file, i, &segment); i++) {
		if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_W))
			continue;
		struct span span = elf_segment_span(file, &segment);
		uint64_t skip = -span.address & 7;
		if (*at >= span.address && *at - span.address < span.size)
			skip = *at - span.address + 8;
		for (; span.size > skip && span.size - skip >= 8; skip += 8) {
			if (load64(span.at + skip) != target)
				continue;
			*at = span.address + skip;
			return 1;
		}
	}
	return 0;
}

int elf_pointer_to(const struct symbol_file *file, uint64_t target,
                   uint64_t *at)
{
	uint64_t best = 0;

	if (!file->rela.size)
		return pointer_in_data(file, target, at);
	for (uint64_t i = 0; file->rela.size - i >= sizeof(Elf64_Rela);
	     i += sizeof(Elf64_Rela)) {
		uint64_t offset, addend;
		if (rela_relative(file->rela.at + i, &offset, &addend) &&
		    addend == target && offset > *at &&
		    (!best || offset < best))
			best = offset;
	}
	*at = best;
	return best != 0;
}

int elf_executable(const struct symbol_file *file, uint64_t start, uint64_t end)
{
	Elf64_Phdr segment;

	for (uint32_t i = 0; elf_segment(file, i, &segment); i++)
		if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) &&
		    start >= segment.p_vaddr && start < end &&
		    end - segment.p_vaddr <= segment.p_memsz)
			return 1;
	return 0;
}

static uint32_t table_count(const struct symbol_file *file, uint64_t offset,
                            uint64_t count, uint64_t each)
{
	uint64_t room = span_from(file->all, offset).size / each;

	return offset ? (uint32_t)(count < room ? count : room) : 0;
}

/* Section 0 holds the numbers that do not fit in the header. */
static void read_sections(struct symbol_file *file)
{
	const Elf64_Ehdr *header = &file->header;
	uint64_t count = header->e_shnum;
	uint32_t names = header->e_shstrndx;
	Elf64_Shdr section;

	if (header->e_shentsize != sizeof(section))
		return;
	file->shnum = table_count(file, header->e_shoff, 1, sizeof(section));
	if (!elf_section(file, 0, &section))
		return;
	if (!count)
		count = section.sh_size;
	if (count > SECTIONS_MAX)
		count = SECTIONS_MAX;
	if (names == SHN_XINDEX)
		names = section.sh_link;
	file->shnum =
		table_count(file, header->e_shoff, count, sizeof(section));
	if (elf_section(file, names, &section))
		file->section_names = elf_section_span(file, &section);
}

/* ld.so's way to the relocations, so that no section is needed. */
static void read_dynamic(struct symbol_file *file)
{
	Elf64_Phdr segment;
	uint64_t address = 0, size = 0;

	for (uint32_t i = 0; elf_segment(file, i, &segment); i++) {
		if (segment.p_type != PT_DYNAMIC)
			continue;
		struct span span = elf_segment_span(file, &segment);
		for (; span.size >= 16; span = span_from(span, 16)) {
			uint64_t tag = load64(span.at);
			if (tag == DT_NULL)
				break;
			if (tag == DT_RELA)
				address = load64(span.at + 8);
			if (tag == DT_RELASZ)
				size = load64(span.at + 8);
		}
	}
	if (address)
		file->rela = span_cut(elf_at(file, address), 0, size);
}

int elf_read(struct symbol_file *file)
{
	Elf64_Ehdr *header = &file->header;

	if (file->all.size < sizeof(*header))
		return 0;
	memcpy(header, file->all.at, sizeof(*header));
	if (memcmp(header->e_ident, ELFMAG, SELFMAG))
		return 0;
	/* the kernel tells 32-bit by the machine, not by EI_CLASS */
	if (header->e_ident[EI_CLASS] != ELFCLASS64 &&
	    header->e_machine != EM_X86_64)
		return 0;
	if (header->e_phnum && header->e_phentsize != sizeof(Elf64_Phdr))
		return 0;
	uint64_t count = header->e_phnum;
	if (count > SEGMENTS_MAX)
		count = SEGMENTS_MAX;
	file->phnum =
		table_count(file, header->e_phoff, count, sizeof(Elf64_Phdr));
	read_sections(file);
	read_dynamic(file);
	return 1;
}
