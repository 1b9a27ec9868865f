/*
 * texts - where code is.
 *
 * What runs is the segment; sections only say where in it code is and where
 * data that was put into the same segment.  A section is believed only where
 * it lies in the segment at the segment's own distance from the file.
 */
#include "observer/symbol/internal.h"

#include <stdlib.h>

/* Executable segments looked at; linkers make one or two.  Code in others is
 * not found before it runs, and the net has it then. */
#define SEGMENTS_MAX 64u

struct texts {
	struct symbol_text *at;
	size_t count, capacity;
};

static void add(struct texts *texts, uint64_t address, uint64_t size,
                uint64_t offset)
{
	if (texts->count < texts->capacity)
		texts->at[texts->count] = (struct symbol_text){
			.address = address,
			.size = size,
			.offset = offset,
		};
	texts->count++;
}

static int is_code(const Elf64_Shdr *section, struct span segment,
                   uint64_t offset)
{
	uint64_t distance = section->sh_addr - segment.address;

	return section->sh_type == SHT_PROGBITS &&
	       (section->sh_flags & SHF_EXECINSTR) && section->sh_size &&
	       section->sh_addr >= segment.address && distance < segment.size &&
	       section->sh_size <= segment.size - distance &&
	       section->sh_offset == offset + distance;
}

/* Where the entry point is outside of all sections, they are no help. */
static int sections_lie(const struct symbol_file *file, struct span segment,
                        uint64_t offset)
{
	uint64_t entry = file->header.e_entry;
	Elf64_Shdr section;

	if (entry < segment.address || entry - segment.address >= segment.size)
		return 0;
	for (uint32_t i = 0; elf_section(file, i, &section); i++)
		if (is_code(&section, segment, offset) &&
		    entry >= section.sh_addr &&
		    entry - section.sh_addr < section.sh_size)
			return 0;
	return 1;
}

static void add_segment(const struct symbol_file *file, struct span segment,
                        uint64_t offset, struct texts *texts)
{
	size_t before = texts->count;
	Elf64_Shdr section;

	if (!sections_lie(file, segment, offset))
		for (uint32_t i = 0; elf_section(file, i, &section); i++)
			if (is_code(&section, segment, offset))
				add(texts, section.sh_addr, section.sh_size,
				    section.sh_offset);
	if (texts->count == before)
		add(texts, segment.address, segment.size, offset);
}

static int by_address(const void *left, const void *right)
{
	const struct symbol_text *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return a->size < b->size ? -1 : a->size > b->size;
}

size_t symbol_texts(const struct symbol_file *file, struct symbol_text *text,
                    size_t capacity)
{
	struct texts texts = { .at = text, .capacity = capacity };
	Elf64_Phdr segment;
	unsigned segments = 0;

	for (uint32_t i = 0; elf_segment(file, i, &segment); i++) {
		struct span span = elf_segment_span(file, &segment);
		if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) &&
		    span.size && segments++ < SEGMENTS_MAX)
			add_segment(file, span, segment.p_offset, &texts);
	}
	if (text)
		qsort(text, texts.count < capacity ? texts.count : capacity,
		      sizeof(*text), by_address);
	return texts.count;
}
