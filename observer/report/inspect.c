/* inspect - a program file in text and as JSON. */
#include "observer/report/inspect.h"

#include "observer/report/internal.h"

#include <inttypes.h>
#include <string.h>
#include <sys/syscall.h>

struct word {
	uint64_t value;
	const char *name;
};

#define WORDS(list) (list), sizeof(list) / sizeof((list)[0])

static const char *const linkages[] = {
	[FILE_STATIC] = "static",
	[FILE_STATIC_PIE] = "static-pie",
	[FILE_DYNAMIC] = "dynamic",
	[FILE_DYNAMIC_PIE] = "dynamic-pie",
};

/* As elf.h has them, and readelf. */
static const struct word segment_types[] = {
	{ PT_NULL, "NULL" },
	{ PT_LOAD, "LOAD" },
	{ PT_DYNAMIC, "DYNAMIC" },
	{ PT_INTERP, "INTERP" },
	{ PT_NOTE, "NOTE" },
	{ PT_SHLIB, "SHLIB" },
	{ PT_PHDR, "PHDR" },
	{ PT_TLS, "TLS" },
	{ PT_GNU_EH_FRAME, "GNU_EH_FRAME" },
	{ PT_GNU_STACK, "GNU_STACK" },
	{ PT_GNU_RELRO, "GNU_RELRO" },
	{ PT_GNU_PROPERTY, "GNU_PROPERTY" },
};

static const struct word section_types[] = {
	{ SHT_NULL, "NULL" },
	{ SHT_PROGBITS, "PROGBITS" },
	{ SHT_SYMTAB, "SYMTAB" },
	{ SHT_STRTAB, "STRTAB" },
	{ SHT_RELA, "RELA" },
	{ SHT_HASH, "HASH" },
	{ SHT_DYNAMIC, "DYNAMIC" },
	{ SHT_NOTE, "NOTE" },
	{ SHT_NOBITS, "NOBITS" },
	{ SHT_REL, "REL" },
	{ SHT_DYNSYM, "DYNSYM" },
	{ SHT_INIT_ARRAY, "INIT_ARRAY" },
	{ SHT_FINI_ARRAY, "FINI_ARRAY" },
	{ SHT_PREINIT_ARRAY, "PREINIT_ARRAY" },
	{ SHT_GROUP, "GROUP" },
	{ SHT_SYMTAB_SHNDX, "SYMTAB SECTION INDICES" },
	{ 19, "RELR" },
	{ SHT_GNU_HASH, "GNU_HASH" },
	{ SHT_GNU_verdef, "VERDEF" },
	{ SHT_GNU_verneed, "VERNEED" },
	{ SHT_GNU_versym, "VERSYM" },
	{ 0x70000001, "X86_64_UNWIND" }, /* psABI: SHT_X86_64_UNWIND */
};

/* Calls that change the address space, by which a program gets memory. */
static const struct word memory_calls[] = {
	{ SYS_mmap, "mmap" },       { SYS_munmap, "munmap" },
	{ SYS_mremap, "mremap" },   { SYS_mprotect, "mprotect" },
	{ SYS_madvise, "madvise" }, { SYS_brk, "brk" },
	{ SYS_shmat, "shmat" },
};

#define HEX_TEXT  24
#define NAME_TEXT 256

/* Names are the file's: what a terminal would act on is shown as '?'. */
static const char *harmless(const char *name, char text[static NAME_TEXT])
{
	snprintf(text, NAME_TEXT, "%s", name);
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 32 || *c == 127)
			*c = '?';
	return text;
}

static void put_harmless(FILE *out, const char *text)
{
	for (; *text; text++)
		putc((unsigned char)*text < 32 || *text == 127 ? '?' : *text,
		     out);
}

static const char *word_of(const struct word *list, size_t count,
                           uint64_t value, char text[static HEX_TEXT])
{
	for (size_t i = 0; i < count; i++)
		if (list[i].value == value)
			return list[i].name;
	snprintf(text, HEX_TEXT, "0x%" PRIx64, value);
	return text;
}

static const char *access_of(uint32_t flags, char text[static 4])
{
	text[0] = flags & PF_R ? 'r' : '-';
	text[1] = flags & PF_W ? 'w' : '-';
	text[2] = flags & PF_X ? 'x' : '-';
	text[3] = 0;
	return text;
}

static const char *section_flags(uint64_t flags, char text[static 8])
{
	char *at = text;

	if (flags & SHF_ALLOC)
		*at++ = 'a';
	if (flags & SHF_WRITE)
		*at++ = 'w';
	if (flags & SHF_EXECINSTR)
		*at++ = 'x';
	if (flags & SHF_TLS)
		*at++ = 't';
	if (flags & SHF_COMPRESSED)
		*at++ = 'c';
	*at = 0;
	return text;
}

/* ---- sites --------------------------------------------------------------- */

struct census {
	size_t real, inside;
	size_t served[SITES_VERDICTS];
};

static struct census census_of(const struct sites_result *sites)
{
	struct census census = { 0 };

	for (size_t i = 0; i < sites->count; i++) {
		enum sites_verdict verdict = sites->site[i].verdict;

		census.served[verdict]++;
		census.real += (size_t)sites_real(verdict);
	}
	census.inside = census.served[SITES_INSIDE];
	return census;
}

static const char *place_of(const struct report_file *file, uint64_t address,
                            char *text, size_t room)
{
	struct symbol_place place;

	if (symbol_places(file->symbols, address, &place, 1))
		snprintf(text, room, "%s+0x%" PRIx64, place.function,
		         address - place.start);
	else
		snprintf(text, room, "?");
	return text;
}

static const char *number_of(const struct trace_patch *patch, char *text,
                             size_t room)
{
	if (patch->nr == PATCH_ANY)
		return "any";
	snprintf(text, room, "%d", patch->nr);
	return text;
}

/* How many sites make this call, all of them with a constant number. */
static size_t sites_of(const struct sites_result *sites, uint64_t number)
{
	size_t count = 0;

	for (size_t i = 0; i < sites->count; i++)
		count += sites_real(sites->site[i].verdict) &&
		         sites->site[i].patch.nr == (int32_t)number;
	return count;
}

/* ---- text ---------------------------------------------------------------- */

static void text_head(FILE *out, const struct report_file *file,
                      const struct report_style *style)
{
	const struct symbol_info *info = symbol_info(file->symbols);
	char where[NAME_TEXT], text[NAME_TEXT];

	fprintf(out, "%s%s%s: %s%s%s%s\n", style->colour ? "\033[1m" : "",
	        file->path, style->colour ? "\033[0m" : "",
	        linkages[info->linkage], info->stripped ? ", stripped" : "",
	        info->go_version ? ", " : "",
	        info->go_version ? info->go_version : "");
	if (info->interp)
		fprintf(out, "interpreter: %s\n", harmless(info->interp, text));
	if (info->build_id)
		fprintf(out, "build id: %s\n", harmless(info->build_id, text));
	place_of(file, file->about->entry, where, sizeof(where));
	fprintf(out, "entry: 0x%" PRIx64 " %s\n", file->about->entry,
	        harmless(where, text));
}

static void text_memory(FILE *out, const struct about_memory *memory)
{
	const struct {
		const char *name;
		uint64_t bytes;
	} parts[] = {
		{ "text", memory->text },
		{ "rodata", memory->rodata },
		{ "data", memory->data },
		{ "bss", memory->bss },
		{ "TLS of each thread", memory->tls },
	};
	char text[UNITS_TEXT];
	const char *comma = "memory: ";

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].bytes) {
			fprintf(out, "%s%s %s", comma,
			        report_size(text, parts[i].bytes, 0),
			        parts[i].name);
			comma = ", ";
		}
	if (comma[0] == ',')
		fputc('\n', out);
}

/* Whom it asks for memory: a libc, the kernel, or both. */
static void text_allocators(FILE *out, const struct report_file *file)
{
	const struct symbol_about *about = file->about;
	const char *comma;

	if (about->needed_count) {
		comma = "needs: ";
		for (size_t i = 0; i < about->needed_count; i++, comma = ", ") {
			fputs(comma, out);
			put_harmless(out, about->needed[i]);
		}
		fputc('\n', out);
	}
	fprintf(out, "asks for memory: ");
	comma = about->needed_count ? "a library, by " : "a libc inside, by ";
	for (size_t i = 0; i < about->allocator_count; i++, comma = ", ")
		fprintf(out, "%s%s", comma, about->allocator[i].name);
	if (!about->allocator_count)
		fprintf(out, "no libc");
	comma = "; the kernel, by ";
	for (size_t i = 0; i < sizeof(memory_calls) / sizeof(memory_calls[0]);
	     i++) {
		size_t count = sites_of(file->sites, memory_calls[i].value);

		if (!count)
			continue;
		fprintf(out, "%s%s", comma, memory_calls[i].name);
		if (count > 1)
			fprintf(out, " (%zu sites)", count);
		comma = ", ";
	}
	fputc('\n', out);
}

static void text_segments(FILE *out, const struct symbol_about *about)
{
	fprintf(out, "\n  %-14s %-4s %18s %12s %12s %12s %9s\n", "segment", "",
	        "address", "offset", "in file", "in memory", "align");
	for (size_t i = 0; i < about->segment_count; i++) {
		const Elf64_Phdr *segment = &about->segment[i];
		char type[HEX_TEXT], flags[4];

		fprintf(out,
		        "  %-14s %-4s %#18" PRIx64 " %#12" PRIx64 " %12" PRIu64
		        " %12" PRIu64 " %#9" PRIx64 "\n",
		        word_of(WORDS(segment_types), segment->p_type, type),
		        access_of(segment->p_flags, flags), segment->p_vaddr,
		        segment->p_offset, segment->p_filesz, segment->p_memsz,
		        segment->p_align);
	}
}

static void text_sections(FILE *out, const struct symbol_about *about)
{
	if (!about->section_count)
		return;
	fprintf(out, "\n  %-24s %-12s %-4s %18s %12s %12s\n", "section", "type",
	        "", "address", "offset", "size");
	for (size_t i = 0; i < about->section_count; i++) {
		const Elf64_Shdr *header = &about->section[i].header;
		char type[HEX_TEXT], flags[8], name[NAME_TEXT];

		fprintf(out,
		        "  %-24s %-12s %-4s %#18" PRIx64 " %#12" PRIx64
		        " %12" PRIu64 "\n",
		        harmless(about->section[i].name, name),
		        word_of(WORDS(section_types), header->sh_type, type),
		        section_flags(header->sh_flags, flags), header->sh_addr,
		        header->sh_offset, header->sh_size);
	}
}

static void text_notes(FILE *out, const struct symbol_about *about)
{
	if (!about->note_count && !about->build_count)
		return;
	fputc('\n', out);
	for (size_t i = 0; i < about->note_count; i++) {
		char owner[NAME_TEXT];

		fprintf(out,
		        "  note %s, type %#" PRIx32 ", %" PRIu64 " bytes\n",
		        harmless(about->note[i].owner, owner),
		        about->note[i].type, about->note[i].size);
	}
	for (size_t i = 0; i < about->build_count; i++) {
		fputs("  ", out);
		put_harmless(out, about->build[i].key);
		fputs("  ", out);
		put_harmless(out, about->build[i].value);
		fputc('\n', out);
	}
}

static void text_sites(FILE *out, const struct report_file *file,
                       const struct report_style *style)
{
	const struct sites_result *sites = file->sites;
	struct census census = census_of(sites);

	fprintf(out,
	        "\n%zu syscall sites; %zu byte pairs inside other "
	        "instructions\n",
	        census.real, census.inside);
	for (int v = SITES_BACKWARD; v < SITES_INSIDE; v++)
		if (census.served[v])
			fprintf(out, "  %6zu  %s\n", census.served[v],
			        sites_verdict_name((enum sites_verdict)v));
	if (!census.real)
		return;
	fprintf(out, "\n%s%-18s %6s %6s  %-40s %s%s\n",
	        style->colour ? "\033[2m" : "", "address", "number", "bytes",
	        "function", "served", style->colour ? "\033[0m" : "");
	for (size_t i = 0; i < sites->count; i++) {
		const struct sites_site *site = &sites->site[i];
		char where[NAME_TEXT], text[NAME_TEXT], number[16];

		if (!sites_real(site->verdict))
			continue;
		place_of(file, site->patch.site, where, sizeof(where));
		fprintf(out, "0x%-16" PRIx64 " %6s %2u+2+%-2u %-40s %s\n",
		        site->patch.site,
		        number_of(&site->patch, number, sizeof(number)),
		        site->patch.before, site->patch.after,
		        harmless(where, text),
		        sites_verdict_name(site->verdict));
	}
}

void report_file_text(FILE *out, const struct report_file *file,
                      const struct report_style *style)
{
	text_head(out, file, style);
	text_memory(out, &file->about->memory);
	text_allocators(out, file);
	text_segments(out, file->about);
	text_sections(out, file->about);
	text_notes(out, file->about);
	text_sites(out, file, style);
}

/* ---- JSON ---------------------------------------------------------------- */

static void json_hex(FILE *out, const char *key, uint64_t value)
{
	fprintf(out, "\"%s\": \"0x%" PRIx64 "\"", key, value);
}

static void json_head(FILE *out, const struct report_file *file)
{
	const struct symbol_info *info = symbol_info(file->symbols);
	const struct symbol_about *about = file->about;

	fprintf(out, "{\"schema\": \"goload/1\", ");
	report_json_text(out, "path", file->path);
	fprintf(out, ", \"size\": %" PRIu64 ",\n ", file->size);
	report_json_text(out, "linkage", linkages[info->linkage]);
	fprintf(out, ", \"stripped\": %s, ", info->stripped ? "true" : "false");
	report_json_text(out, "go_version", info->go_version);
	fputs(", ", out);
	report_json_text(out, "build_id", info->build_id);
	fputs(", ", out);
	report_json_text(out, "interpreter", info->interp);
	fprintf(out, ",\n \"type\": %u, \"machine\": %u, ", about->type,
	        about->machine);
	json_hex(out, "entry", about->entry);
	fputs(", ", out);
	report_json_text(out, "soname", about->soname);
	fputs(", ", out);
	report_json_text(out, "runpath", about->runpath);
	fprintf(out, ", \"bind_now\": %s, \"text_relocations\": %s",
	        about->bind_now ? "true" : "false",
	        about->text_relocations ? "true" : "false");
}

static void json_memory(FILE *out, const struct symbol_about *about)
{
	const struct about_memory *memory = &about->memory;
	const char *comma = "";

	fprintf(out,
	        ",\n \"memory\": {\"text\": %" PRIu64 ", \"rodata\": %" PRIu64
	        ", \"data\": %" PRIu64 ", \"bss\": %" PRIu64
	        ", \"tls\": %" PRIu64 "}",
	        memory->text, memory->rodata, memory->data, memory->bss,
	        memory->tls);
	fputs(",\n \"needed\": [", out);
	for (size_t i = 0; i < about->needed_count; i++, comma = ", ") {
		fputs(comma, out);
		report_json_string(out, about->needed[i]);
	}
	fputs("],\n \"allocators\": [", out);
	comma = "";
	for (size_t i = 0; i < about->allocator_count; i++, comma = ", ") {
		fprintf(out, "%s{", comma);
		report_json_text(out, "function", about->allocator[i].name);
		fprintf(out, ", \"imported\": %s}",
		        about->allocator[i].imported ? "true" : "false");
	}
	fputc(']', out);
}

static void json_segments(FILE *out, const struct symbol_about *about)
{
	const char *comma = "";

	fputs(",\n \"segments\": [", out);
	for (size_t i = 0; i < about->segment_count; i++, comma = ",") {
		const Elf64_Phdr *segment = &about->segment[i];
		char type[HEX_TEXT], flags[4];

		fprintf(out, "%s\n  {", comma);
		report_json_text(
			out, "type",
			word_of(WORDS(segment_types), segment->p_type, type));
		fprintf(out, ", \"flags\": \"%s\", ",
		        access_of(segment->p_flags, flags));
		json_hex(out, "offset", segment->p_offset);
		fputs(", ", out);
		json_hex(out, "address", segment->p_vaddr);
		fprintf(out,
		        ", \"file_size\": %" PRIu64
		        ", \"memory_size\": %" PRIu64 ", \"align\": %" PRIu64
		        "}",
		        segment->p_filesz, segment->p_memsz, segment->p_align);
	}
	fputc(']', out);
}

static void json_sections(FILE *out, const struct symbol_about *about)
{
	const char *comma = "";

	fputs(",\n \"sections\": [", out);
	for (size_t i = 0; i < about->section_count; i++, comma = ",") {
		const Elf64_Shdr *header = &about->section[i].header;
		char type[HEX_TEXT], flags[8];

		fprintf(out, "%s\n  {", comma);
		report_json_text(out, "name", about->section[i].name);
		fputs(", ", out);
		report_json_text(
			out, "type",
			word_of(WORDS(section_types), header->sh_type, type));
		fprintf(out, ", \"flags\": \"%s\", ",
		        section_flags(header->sh_flags, flags));
		json_hex(out, "address", header->sh_addr);
		fputs(", ", out);
		json_hex(out, "offset", header->sh_offset);
		fprintf(out, ", \"size\": %" PRIu64 "}", header->sh_size);
	}
	fputc(']', out);
}

static void json_notes(FILE *out, const struct symbol_about *about)
{
	const char *comma = "";

	fputs(",\n \"notes\": [", out);
	for (size_t i = 0; i < about->note_count; i++, comma = ", ") {
		fprintf(out, "%s{", comma);
		report_json_text(out, "owner", about->note[i].owner);
		fprintf(out, ", \"type\": %" PRIu32 ", \"size\": %" PRIu64 "}",
		        about->note[i].type, about->note[i].size);
	}
	fputs("],\n \"build\": [", out);
	comma = "";
	for (size_t i = 0; i < about->build_count; i++, comma = ",") {
		fprintf(out, "%s\n  {", comma);
		report_json_text(out, "key", about->build[i].key);
		fputs(", ", out);
		report_json_text(out, "value", about->build[i].value);
		fputc('}', out);
	}
	fputc(']', out);
}

static void json_sites(FILE *out, const struct report_file *file)
{
	const struct sites_result *sites = file->sites;
	const char *comma = "";

	fputs(",\n \"sites\": [", out);
	for (size_t i = 0; i < sites->count; i++) {
		const struct sites_site *site = &sites->site[i];
		char where[256];

		if (!sites_real(site->verdict))
			continue;
		fprintf(out, "%s\n  {", comma);
		json_hex(out, "address", site->patch.site);
		comma = ",";
		if (site->patch.nr == PATCH_ANY)
			fputs(", \"number\": null", out);
		else
			fprintf(out, ", \"number\": %d", site->patch.nr);
		fprintf(out, ", \"patched\": %s, ",
		        sites_patched(site->verdict) ? "true" : "false");
		report_json_text(out, "served",
		                 sites_verdict_name(site->verdict));
		fputs(", ", out);
		report_json_text(
			out, "function",
			place_of(file, site->patch.site, where, sizeof(where)));
		fputc('}', out);
	}
	fputs("]}\n", out);
}

void report_file_json(FILE *out, const struct report_file *file)
{
	json_head(out, file);
	json_memory(out, file->about);
	json_segments(out, file->about);
	json_sections(out, file->about);
	json_notes(out, file->about);
	json_sites(out, file);
}
