/* buildinfo - which Go made the file, and its build id. */
#include "observer/symbol/internal.h"

#include <ctype.h>
#include <stdlib.h>

/* debug/buildinfo: magic 14, pointer size, flags; at 16 pointers to two Go
 * strings (before 1.18), or at 32 the strings, each behind its length. */
#define MAGIC        "\xff Go buildinf:"
#define MAGIC_SIZE   14u
#define BLOB_STRINGS 32u
#define FLAG_BIG     1
#define FLAG_INLINE  2

/* cmd/go/internal/modload: 16 bytes stand before and behind the lines. */
#define MODULES_MARK 16u

/* The linker puts the blob first in the data segment. */
#define BLOB_SEARCHED (1u << 20)

#define VERSION_MAX 255u
#define NOTES_MAX   64 /* of one segment; real files have at most 4 */

/* "go1.26.8", "go1.20rc1", "go1.26.4 (microsoft)", "devel go1.27-f00 ..." */
static char *version_copy(struct span text)
{
	if (text.size < 5 || text.size > VERSION_MAX)
		return NULL;
	for (uint64_t i = 0; i < text.size; i++)
		if (text.at[i] < 0x20 || text.at[i] > 0x7e)
			return NULL;
	return strndup((const char *)text.at, text.size);
}

/* The string whose header (pointer, length) is at `address`. */
static struct span string_at(const struct symbol_file *file, uint64_t address)
{
	struct span header = elf_at(file, address);
	struct span text;

	if (header.size < 16)
		return (struct span){ 0 };
	text = elf_at(file, elf_pointer(file, address));
	if (text.size < load64(header.at + 8))
		return (struct span){ 0 };
	return span_cut(text, 0, load64(header.at + 8));
}

static char *version_at(const struct symbol_file *file, uint64_t address)
{
	return version_copy(string_at(file, address));
}

/* The string behind its length (a varint) at the start of `blob`; what is
 * behind it becomes `blob`. */
static struct span inline_string(struct span *blob)
{
	uint64_t size = 0, skip = 0;
	struct span text;

	do {
		if (skip == 5 || blob->size <= skip)
			return (struct span){ 0 };
		size |= (uint64_t)(blob->at[skip] & 0x7f) << (7 * skip);
	} while (blob->at[skip++] & 0x80);
	text = span_cut(*blob, skip, size);
	*blob = span_from(*blob, skip + size);
	return text.size == size ? text : (struct span){ 0 };
}

/* String 0 is the version, 1 the modules and settings. */
static struct span blob_string(const struct symbol_file *file, struct span blob,
                               unsigned index)
{
	uint8_t flags;
	struct span text;

	if (blob.size < BLOB_STRINGS + 1)
		return (struct span){ 0 };
	flags = blob.at[MAGIC_SIZE + 1];
	if (!(flags & FLAG_INLINE)) {
		if (blob.at[MAGIC_SIZE] != 8 || (flags & FLAG_BIG))
			return (struct span){ 0 };
		return string_at(file,
		                 elf_pointer(file,
		                             blob.address + 16 + 8 * index));
	}
	blob = span_from(blob, BLOB_STRINGS);
	text = inline_string(&blob);
	return index ? inline_string(&blob) : text;
}

static struct span search_blob(struct span span)
{
	span = span_cut(span, -span.address & 15, BLOB_SEARCHED);
	for (; span.size > BLOB_STRINGS; span = span_from(span, 16))
		if (*span.at == 0xff && !memcmp(span.at, MAGIC, MAGIC_SIZE))
			return span;
	return (struct span){ 0 };
}

static struct span find_blob(const struct symbol_file *file)
{
	Elf64_Phdr segment;
	struct span span;

	if (elf_section_named(file, ".go.buildinfo", &span))
		return search_blob(span);
	if (file->go.version == PCLNTAB_NONE)
		return (struct span){ 0 }; /* not worth a search */
	for (uint32_t i = 0; elf_segment(file, i, &segment); i++) {
		span = elf_segment_span(file, &segment);
		if (segment.p_type == PT_LOAD && (segment.p_flags & PF_W) &&
		    span.size)
			return search_blob(span);
	}
	return (struct span){ 0 };
}

char *buildinfo_modules(const struct symbol_file *file)
{
	struct span text = blob_string(file, find_blob(file), 1);

	if (text.size <= 2 * MODULES_MARK ||
	    text.at[text.size - MODULES_MARK - 1] != '\n')
		return NULL;
	return strndup((const char *)text.at + MODULES_MARK,
	               text.size - 2 * MODULES_MARK);
}

/* Stricter than version_copy: what the code points at may be anything. */
static char *only_version(char *text)
{
	const char *at = text;

	if (text && !strncmp(text, "devel ", 6))
		at += 6;
	if (text && !strncmp(at, "go1.", 4) && isdigit((unsigned char)at[4]))
		return text;
	free(text);
	return NULL;
}

/*
 * A binary without the blob (esbuild) still has runtime.buildVersion: the
 * first lines of runtime.schedinit keep it alive by `if buildVersion == ""`,
 * which is cmpq $0, length(%rip), or the length is loaded and tested.
 */
static char *version_of_code(const struct symbol_file *file, uint64_t schedinit)
{
	struct pclntab go = file->go;
	uint32_t index;

	if (file->header.e_machine != EM_X86_64 ||
	    !pclntab_search(&go, schedinit, &index))
		return NULL;
	struct span code = span_cut(elf_at(file, schedinit), 0,
	                            pclntab_entry(&go, index + 1) - schedinit);
	if (code.size > 4096)
		code.size = 4096;
	for (; code.size >= 8; code = span_from(code, 1)) {
		int compare = code.at[0] == 0x48 && code.at[1] == 0x83 &&
		              code.at[2] == 0x3d && code.at[7] == 0;
		int load = code.at[0] == 0x48 && code.at[1] == 0x8b &&
		           (code.at[2] & 0xc7) == 0x05;
		if (!compare && !load)
			continue;
		uint64_t length = code.address + 7 + (uint64_t)compare +
		                  (uint64_t)(int32_t)load32(code.at + 3);
		char *text = only_version(version_at(file, length - 8));
		if (text)
			return text;
	}
	return NULL;
}

char *buildinfo_go_version(const struct symbol_file *file, uint64_t schedinit)
{
	char *text = version_copy(blob_string(file, find_blob(file), 0));

	if (!text && schedinit)
		text = version_of_code(file, schedinit);
	return text;
}

static char *hex(struct span bytes)
{
	static const char digits[] = "0123456789abcdef";
	char *text = NULL;

	if (2 * bytes.size < SYMBOL_BUILD_ID)
		text = malloc(2 * bytes.size + 1);
	if (!text)
		return NULL;
	for (uint64_t i = 0; i < bytes.size; i++) {
		text[2 * i] = digits[bytes.at[i] >> 4];
		text[2 * i + 1] = digits[bytes.at[i] & 15];
	}
	text[2 * bytes.size] = 0;
	return text;
}

/* The description of the note of that owner and type in `notes`. */
static struct span find_note(struct span notes, uint64_t align,
                             const char *owner, uint32_t type)
{
	for (int i = 0; i < NOTES_MAX && notes.size >= 12; i++) {
		uint64_t name_size = load32(notes.at);
		uint64_t size = load32(notes.at + 4);
		uint64_t at = (12 + name_size + align - 1) & -align;
		struct span text = span_cut(notes, at, size);
		if (load32(notes.at + 8) == type && name_size == 4 && size &&
		    text.size == size && size < SYMBOL_BUILD_ID &&
		    !memcmp(notes.at + 12, owner, 4))
			return text;
		notes = span_from(notes, (at + size + align - 1) & -align);
	}
	return (struct span){ 0 };
}

/* Notes are loaded; their sections are asked too, since a Go PIE of 1.19 has
 * its note in a section only. */
static struct span any_note(const struct symbol_file *file, const char *owner,
                            uint32_t type)
{
	Elf64_Phdr segment;
	Elf64_Shdr section;
	struct span note = { 0 };

	for (uint32_t i = 0; !note.size && elf_segment(file, i, &segment); i++)
		if (segment.p_type == PT_NOTE)
			note = find_note(elf_segment_span(file, &segment),
			                 segment.p_align == 8 ? 8 : 4, owner,
			                 type);
	for (uint32_t i = 0; !note.size && elf_section(file, i, &section); i++)
		if (section.sh_type == SHT_NOTE)
			note = find_note(elf_section_span(file, &section),
			                 section.sh_addralign == 8 ? 8 : 4,
			                 owner, type);
	return note;
}

char *buildinfo_build_id(const struct symbol_file *file)
{
	struct span note = any_note(file, "GNU", NT_GNU_BUILD_ID);

	if (note.size)
		return hex(note);
	note = any_note(file, "Go\0", 4);
	if (note.size)
		return version_copy(note);
	return NULL;
}
