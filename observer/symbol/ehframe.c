/*
 * ehframe - where functions start, from the unwind table (LSB, .eh_frame).
 *
 *     length 4 (or ffffffff and 8) | CIE: 0, FDE: distance back to its CIE 4 |
 *     CIE: version, augmentation "zRS", code and data alignment, return
 *          register, size and data of the augmentation: one byte of encoding
 *          behind each R, L and P (and a pointer behind P)
 *     FDE: start of the function in the CIE's encoding, its size, ...
 */
#include "observer/symbol/internal.h"

/* DW_EH_PE_*: how a pointer is written */
enum {
	FORMAT = 0x0f,
	ABSPTR = 0x00,
	UDATA2 = 0x02,
	UDATA4 = 0x03,
	UDATA8 = 0x04,
	SDATA2 = 0x0a,
	SDATA4 = 0x0b,
	SDATA8 = 0x0c,
	RELATIVE = 0x70,
	PCREL = 0x10,
	OMIT = 0xff,
};

#define AUGMENTATION_MAX 8u

struct cie {
	uint64_t offset;
	uint8_t encoding;
	int signal_frame;
	int valid;
};

static int leb128(struct span *span, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 70 && span->size; shift += 7) {
		uint8_t byte = *span->at;
		*span = span_from(*span, 1);
		if (shift < 64)
			*value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return 1;
	}
	return 0;
}

static unsigned pointer_size(uint8_t encoding)
{
	switch (encoding & FORMAT) {
	case ABSPTR:
	case UDATA8:
	case SDATA8:
		return 8;
	case UDATA4:
	case SDATA4:
		return 4;
	case UDATA2:
	case SDATA2:
		return 2;
	default:
		return 0;
	}
}

static int pointer(struct span span, uint8_t encoding, uint64_t *value)
{
	unsigned size = pointer_size(encoding);

	if (encoding == OMIT || !size || span.size < size)
		return 0;
	switch (encoding & FORMAT) {
	case UDATA2:
		*value = load16(span.at);
		break;
	case SDATA2:
		*value = (uint64_t)(int16_t)load16(span.at);
		break;
	case UDATA4:
		*value = load32(span.at);
		break;
	case SDATA4:
		*value = (uint64_t)(int32_t)load32(span.at);
		break;
	default:
		*value = load64(span.at);
	}
	if (!*value)
		return 0; /* of a function that the linker dropped */
	switch (encoding & ~FORMAT) { /* indirect (0x80) is for data only */
	case 0:
		return 1;
	case PCREL:
		*value += span.address;
		return 1;
	default:
		return 0;
	}
}

/* The augmentation's data: which pointer encoding FDEs have. */
static int read_augmentation(const char *letters, struct span data,
                             struct cie *cie)
{
	for (; *letters; letters++) {
		if (*letters == 'S') {
			cie->signal_frame = 1;
			continue;
		}
		if (*letters == 'B')
			continue;
		if (!data.size || !strchr("LPR", *letters))
			return 0;
		uint8_t encoding = *data.at;
		data = span_from(data, 1);
		if (*letters == 'R')
			cie->encoding = encoding;
		if (*letters == 'P')
			data = span_from(data, pointer_size(encoding));
	}
	return 1;
}

/* `body` is what follows the CIE's zero. */
static int read_cie(struct span body, struct cie *cie)
{
	uint64_t value;

	cie->encoding = ABSPTR;
	cie->signal_frame = 0;
	if (body.size < 2 || (*body.at != 1 && *body.at != 3))
		return 0;
	uint8_t version = *body.at;
	body = span_from(body, 1);
	const char *letters =
		span_string(span_cut(body, 0, AUGMENTATION_MAX), 0);
	if (!letters)
		return 0;
	body = span_from(body, strlen(letters) + 1);
	if (!leb128(&body, &value) || !leb128(&body, &value))
		return 0;
	if (version == 1)
		body = span_from(body, 1);
	else if (!leb128(&body, &value))
		return 0;
	if (!*letters)
		return 1;
	if (*letters != 'z' || !leb128(&body, &value))
		return 0;
	return read_augmentation(letters + 1, span_cut(body, 0, value), cie);
}

/* Takes one entry off `rest`: `entry` is its id and what follows. */
static int next_entry(struct span *rest, struct span *entry)
{
	if (rest->size < 4)
		return 0;
	uint64_t length = load32(rest->at), skip = 4;
	if (length == UINT32_MAX) {
		if (rest->size < 12)
			return 0;
		length = load64(rest->at + 4);
		skip = 12;
	}
	struct span behind = span_from(*rest, skip);
	if (length > behind.size)
		return 0;
	*entry = span_cut(behind, 0, length);
	*rest = span_from(behind, length);
	return 1;
}

/* The CIE that an FDE's `entry` points back to. */
static void find_cie(struct span all, struct span entry, struct cie *cie)
{
	uint64_t id = entry.address - all.address, back = load32(entry.at);
	struct span rest, body;

	if (back > id) {
		cie->valid = 0;
		return;
	}
	if (cie->valid && cie->offset == id - back)
		return;
	cie->offset = id - back;
	rest = span_from(all, cie->offset);
	cie->valid = next_entry(&rest, &body) && body.size >= 4 &&
	             load32(body.at) == 0 && read_cie(span_from(body, 4), cie);
}

/* A terminator (length 0) also stands between the parts of crtend.o and of
 * what was linked behind it, so it does not end the table. */
static void walk(struct span all, ehframe_each *each, void *context)
{
	struct span rest = all, entry;
	struct cie cie = { 0 };
	uint64_t start;

	for (uint64_t at = rest.address; next_entry(&rest, &entry);
	     at = rest.address) {
		if (entry.size < 4 || load32(entry.at) == 0)
			continue;
		find_cie(all, entry, &cie);
		if (cie.valid &&
		    pointer(span_from(entry, 4), cie.encoding, &start))
			/* the unwinder looks for pc - 1, so the entry of a
			 * signal's restorer begins one byte early */
			each(context, start + (uint64_t)cie.signal_frame, at);
	}
}

/* Without sections: .eh_frame_hdr is version, three encodings, pointer. */
static int by_header(const struct symbol_file *file, struct span *span)
{
	Elf64_Phdr segment;
	uint64_t address;

	for (uint32_t i = 0; elf_segment(file, i, &segment); i++) {
		if (segment.p_type != PT_GNU_EH_FRAME)
			continue;
		struct span header = elf_segment_span(file, &segment);
		if (header.size < 4 || header.at[0] != 1 ||
		    !pointer(span_from(header, 4), header.at[1], &address))
			return 0;
		*span = elf_at(file, address);
		return span->size != 0;
	}
	return 0;
}

void ehframe_functions(const struct symbol_file *file, ehframe_each *each,
                       void *context)
{
	struct span span;

	if (elf_section_named(file, ".eh_frame", &span) ||
	    by_header(file, &span))
		walk(span, each, context);
}
