/* about - segments, sections, notes, what is needed, and Go's build lines. */
#include "observer/symbol/about.h"

#include "observer/symbol/internal.h"

#include <stdlib.h>

#define NOTES_MAX   256   /* real files have at most a dozen */
#define NEEDED_MAX  4096  /* Chromium has about 50 */
#define BUILD_LINES 16384 /* of go version -m; Kubernetes has about 300 */
#define SYMBOLS_MAX (1u << 20)

/* Functions that give memory, or a thread, which has a stack. */
static const char *const allocators[] = {
	"aligned_alloc", "brk",        "calloc",       "free",
	"madvise",       "malloc",     "memalign",     "mmap",
	"mmap64",        "mprotect",   "mremap",       "munmap",
	"posix_memalign", "pthread_create", "realloc", "reallocarray",
	"sbrk",          "shmat",      "valloc",
};

#define ALLOCATORS (sizeof(allocators) / sizeof(allocators[0]))

/* ---- segments and sections ----------------------------------------------- */

static int read_segments(struct symbol_about *about,
                         const struct symbol_file *file)
{
	about->segment = calloc(file->phnum + 1, sizeof(*about->segment));
	if (!about->segment)
		return 0;
	while (elf_segment(file, (uint32_t)about->segment_count,
	                   &about->segment[about->segment_count]))
		about->segment_count++;
	return 1;
}

static int read_sections(struct symbol_about *about,
                         const struct symbol_file *file)
{
	Elf64_Shdr header;

	about->section = calloc(file->shnum + 1, sizeof(*about->section));
	if (!about->section)
		return 0;
	for (uint32_t i = 1; elf_section(file, i, &header); i++)
		about->section[about->section_count++] =
			(struct about_section){
				elf_section_name(file, &header), header
			};
	return 1;
}

static void add_size(uint64_t *sum, uint64_t size)
{
	*sum = *sum + size < *sum ? UINT64_MAX : *sum + size;
}

static void measure(struct symbol_about *about)
{
	struct about_memory *memory = &about->memory;

	for (size_t i = 0; i < about->segment_count; i++) {
		const Elf64_Phdr *segment = &about->segment[i];
		uint64_t from_file = segment->p_filesz < segment->p_memsz
		                             ? segment->p_filesz
		                             : segment->p_memsz;

		if (segment->p_type == PT_TLS)
			memory->tls = segment->p_memsz;
		if (segment->p_type != PT_LOAD)
			continue;
		if (segment->p_flags & PF_X)
			add_size(&memory->text, from_file);
		else if (segment->p_flags & PF_W)
			add_size(&memory->data, from_file);
		else
			add_size(&memory->rodata, from_file);
		add_size(&memory->bss, segment->p_memsz - from_file);
	}
}

/* ---- notes --------------------------------------------------------------- */

static void add_notes(struct symbol_about *about, struct span notes,
                      uint64_t align)
{
	align = align == 8 ? 8 : 4;
	while (about->note_count < NOTES_MAX && notes.size >= 12) {
		uint64_t name_size = load32(notes.at);
		uint64_t size = load32(notes.at + 4);
		uint64_t at = (12 + name_size + align - 1) & -align;
		struct span owner = span_cut(notes, 12, name_size);
		struct span said = span_cut(notes, at, size);
		const char *name = span_string(owner, 0);

		if (said.size != size)
			return;
		about->note[about->note_count++] = (struct about_note){
			.owner = name ? name : "",
			.type = load32(notes.at + 8),
			.size = size,
			.at = said.at,
		};
		notes = span_from(notes, (at + size + align - 1) & -align);
	}
}

/* By section where there are any: a Go PIE has notes that no segment has. */
static int read_notes(struct symbol_about *about,
                      const struct symbol_file *file)
{
	about->note = calloc(NOTES_MAX, sizeof(*about->note));
	if (!about->note)
		return 0;
	for (size_t i = 0; i < about->section_count; i++)
		if (about->section[i].header.sh_type == SHT_NOTE)
			add_notes(about,
			          elf_section_span(file,
			                           &about->section[i].header),
			          about->section[i].header.sh_addralign);
	for (size_t i = 0; !about->section_count && i < about->segment_count;
	     i++)
		if (about->segment[i].p_type == PT_NOTE)
			add_notes(about,
			          elf_segment_span(file, &about->segment[i]),
			          about->segment[i].p_align);
	return 1;
}

/* ---- what ld.so reads ---------------------------------------------------- */

struct dynamic {
	struct span entries;
	uint64_t strings_at, strings_size, symbols_at;
};

static int dynamic_entry(const struct dynamic *dynamic, uint64_t index,
                         uint64_t *tag, uint64_t *value)
{
	struct span entry = span_from(dynamic->entries, 16 * index);

	if (entry.size < 16)
		return 0;
	*tag = load64(entry.at);
	*value = load64(entry.at + 8);
	return *tag != DT_NULL;
}

static void find_dynamic(struct dynamic *dynamic,
                         const struct symbol_about *about,
                         const struct symbol_file *file)
{
	uint64_t tag, value;

	for (size_t i = 0; i < about->segment_count; i++)
		if (about->segment[i].p_type == PT_DYNAMIC)
			dynamic->entries =
				elf_segment_span(file, &about->segment[i]);
	for (uint64_t i = 0; dynamic_entry(dynamic, i, &tag, &value); i++) {
		if (tag == DT_STRTAB)
			dynamic->strings_at = value;
		if (tag == DT_STRSZ)
			dynamic->strings_size = value;
		if (tag == DT_SYMTAB)
			dynamic->symbols_at = value;
	}
}

static const char *or_empty(const char *string)
{
	return string ? string : "";
}

static int read_needed(struct symbol_about *about,
                       const struct symbol_file *file,
                       const struct dynamic *dynamic)
{
	struct span strings = span_cut(elf_at(file, dynamic->strings_at), 0,
	                               dynamic->strings_size);
	uint64_t tag, value;
	size_t count = 0;

	for (uint64_t i = 0; dynamic_entry(dynamic, i, &tag, &value); i++)
		count += tag == DT_NEEDED;
	if (count > NEEDED_MAX)
		count = NEEDED_MAX;
	about->needed = calloc(count + 1, sizeof(*about->needed));
	if (!about->needed)
		return 0;
	for (uint64_t i = 0; dynamic_entry(dynamic, i, &tag, &value); i++) {
		const char *string = or_empty(span_string(strings, value));

		if (tag == DT_NEEDED && about->needed_count < count)
			about->needed[about->needed_count++] = string;
		if (tag == DT_SONAME)
			about->soname = string;
		if (tag == DT_RUNPATH || (tag == DT_RPATH && !about->runpath))
			about->runpath = string;
		if (tag == DT_TEXTREL || (tag == DT_FLAGS && value & DF_TEXTREL))
			about->text_relocations = 1;
		if (tag == DT_BIND_NOW || (tag == DT_FLAGS && value & DF_BIND_NOW) ||
		    (tag == DT_FLAGS_1 && value & DF_1_NOW))
			about->bind_now = 1;
	}
	return 1;
}

/* ---- functions that give memory ------------------------------------------ */

static int by_name(const void *left, const void *right)
{
	return strcmp(left, *(const char *const *)right);
}

struct allocators {
	struct symbol_about *about;
	int imported; /* the ones that are looked for */
};

static void take_allocator(struct allocators *into, const Elf64_Sym *symbol,
                           struct span names)
{
	const char *name = span_string(span_from(names, symbol->st_name), 0);
	int imported = symbol->st_shndx == SHN_UNDEF;
	struct symbol_about *about = into->about;

	if (imported != into->imported || !name ||
	    !bsearch(name, allocators, ALLOCATORS, sizeof(*allocators),
	             by_name))
		return;
	for (size_t i = 0; i < about->allocator_count; i++)
		if (strcmp(about->allocator[i].name, name) == 0)
			return;
	about->allocator[about->allocator_count++] =
		(struct about_function){ name, imported };
}

static void take_symbols(struct allocators *into, struct span symbols,
                         struct span names)
{
	for (uint32_t i = 0;
	     i < SYMBOLS_MAX && symbols.size >= sizeof(Elf64_Sym);
	     i++, symbols = span_from(symbols, sizeof(Elf64_Sym))) {
		Elf64_Sym symbol;

		memcpy(&symbol, symbols.at, sizeof(symbol));
		take_allocator(into, &symbol, names);
	}
}

static int by_function(const void *left, const void *right)
{
	const struct about_function *a = left, *b = right;

	return strcmp(a->name, b->name);
}

/* A file that is linked at run time asks for them in the table of ld.so, which
 * ends where its strings begin; another has them in its own. */
static int read_allocators(struct symbol_about *about,
                           const struct symbol_file *file,
                           const struct dynamic *dynamic)
{
	struct allocators into = { .about = about };

	about->allocator = calloc(ALLOCATORS, sizeof(*about->allocator));
	if (!about->allocator)
		return 0;
	into.imported = about->needed_count > 0;
	if (into.imported && dynamic->symbols_at < dynamic->strings_at)
		take_symbols(&into,
		             span_cut(elf_at(file, dynamic->symbols_at), 0,
		                      dynamic->strings_at -
		                              dynamic->symbols_at),
		             span_cut(elf_at(file, dynamic->strings_at), 0,
		                      dynamic->strings_size));
	for (size_t i = 0; !into.imported && i < about->section_count; i++) {
		const Elf64_Shdr *header = &about->section[i].header;
		Elf64_Shdr names;

		if (header->sh_type == SHT_SYMTAB &&
		    elf_section(file, header->sh_link, &names))
			take_symbols(&into, elf_section_span(file, header),
			             elf_section_span(file, &names));
	}
	qsort(about->allocator, about->allocator_count,
	      sizeof(*about->allocator), by_function);
	return 1;
}

/* ---- Go's build lines ---------------------------------------------------- */

/* Cuts the text at `at` into a line of its key and its value; returns what is
 * behind it. */
static char *cut_line(char *at, struct about_build *line)
{
	char *end = at + strcspn(at, "\n");
	char *tab = memchr(at, '\t', (size_t)(end - at));

	line->key = at;
	line->value = tab ? tab + 1 : end;
	if (tab)
		*tab = 0;
	at = *end ? end + 1 : end;
	*end = 0;
	return at;
}

static int read_build(struct symbol_about *about,
                      const struct symbol_file *file)
{
	size_t lines = 1;

	about->texts = buildinfo_modules(file);
	if (!about->texts)
		return 1;
	for (char *at = about->texts; *at; at++)
		lines += *at == '\n';
	if (lines > BUILD_LINES)
		lines = BUILD_LINES;
	about->build = calloc(lines, sizeof(*about->build));
	if (!about->build)
		return 0;
	for (char *at = about->texts; *at && about->build_count < lines;)
		at = cut_line(at, &about->build[about->build_count++]);
	return 1;
}

/* ---- the whole ----------------------------------------------------------- */

struct symbol_about *symbol_about(const struct symbol_file *file)
{
	struct symbol_about *about = calloc(1, sizeof(*about));
	struct dynamic dynamic = { 0 };

	if (!about)
		return NULL;
	about->type = file->header.e_type;
	about->machine = file->header.e_machine;
	about->entry = file->header.e_entry;
	if (!read_segments(about, file) || !read_sections(about, file) ||
	    !read_notes(about, file))
		goto no_memory;
	measure(about);
	find_dynamic(&dynamic, about, file);
	if (read_needed(about, file, &dynamic) &&
	    read_allocators(about, file, &dynamic) && read_build(about, file))
		return about;
no_memory:
	symbol_about_free(about);
	return NULL;
}

void symbol_about_free(struct symbol_about *about)
{
	if (!about)
		return;
	free(about->segment);
	free(about->section);
	free(about->note);
	free(about->needed);
	free(about->build);
	free(about->allocator);
	free(about->texts);
	free(about);
}
