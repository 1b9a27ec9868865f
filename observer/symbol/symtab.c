/* symtab - functions of .symtab and .dynsym. */
#include "observer/symbol/internal.h"

#include <stdlib.h>

/* How many symbols that end too early are looked behind: a function may hold
 * the entry points of others, each with a size of its own. */
#define NESTED_MAX 16

/* Ranks of names at one address: mmap rather than __mmap or a local alias. */
#define RANK_LOCAL      (1u << 24)
#define RANK_UNDERSCORE (1u << 16)
#define NAME_MAX_RANKED 255u /* so that a hostile name takes no time */

static int is_function(const Elf64_Sym *symbol)
{
	unsigned type = ELF64_ST_TYPE(symbol->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) &&
	       symbol->st_shndx != SHN_UNDEF && symbol->st_value;
}

static void each_of(const struct symbol_file *file, const Elf64_Shdr *table,
                    symtab_each *each, void *context)
{
	Elf64_Shdr section;
	struct span span = elf_section_span(file, table), names = { 0 };

	if (elf_section(file, table->sh_link, &section))
		names = elf_section_span(file, &section);
	/* one check here instead of one for each name */
	while (names.size && names.at[names.size - 1])
		names.size--;
	for (; span.size >= sizeof(Elf64_Sym);
	     span = span_from(span, sizeof(Elf64_Sym))) {
		Elf64_Sym symbol;
		memcpy(&symbol, span.at, sizeof(symbol));
		if (is_function(&symbol) && symbol.st_name < names.size)
			each(context, &symbol,
			     (const char *)names.at + symbol.st_name);
	}
}

/* Two tables at most: a file that has more of them wants to take our time. */
void symtab_functions(const struct symbol_file *file, symtab_each *each,
                      void *context)
{
	static const uint32_t types[] = { SHT_SYMTAB, SHT_DYNSYM };
	Elf64_Shdr section;

	for (size_t t = 0; t < sizeof(types) / sizeof(*types); t++) {
		for (uint32_t i = 0; elf_section(file, i, &section); i++) {
			if (section.sh_type != types[t])
				continue;
			each_of(file, &section, each, context);
			break;
		}
	}
}

static uint32_t rank_of(const Elf64_Sym *symbol, const char *name)
{
	uint32_t rank = 0;

	if (ELF64_ST_BIND(symbol->st_info) == STB_LOCAL)
		rank += RANK_LOCAL;
	for (; *name == '_' && rank % RANK_LOCAL < 15 * RANK_UNDERSCORE; name++)
		rank += RANK_UNDERSCORE;
	return rank + (uint32_t)strnlen(name, NAME_MAX_RANKED);
}

static void count_symbol(void *context, const Elf64_Sym *symbol,
                         const char *name)
{
	(void)symbol;
	(void)name;
	++*(size_t *)context;
}

static void add_symbol(void *context, const Elf64_Sym *symbol, const char *name)
{
	struct symbol_file *file = context;

	file->symbols[file->symbol_count++] = (struct symtab_entry){
		.address = symbol->st_value,
		.size = symbol->st_size,
		.name = name,
		.rank = rank_of(symbol, name),
	};
}

static int by_address(const void *left, const void *right)
{
	const struct symtab_entry *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

/* Of the names at one address the best stays, with the greatest size. */
static void drop_aliases(struct symbol_file *file)
{
	struct symtab_entry *last = NULL, *to = file->symbols;

	for (size_t i = 0; i < file->symbol_count; i++) {
		struct symtab_entry *entry = file->symbols + i;
		if (last && last->address == entry->address) {
			if (last->size < entry->size)
				last->size = entry->size;
			continue;
		}
		last = to++;
		*last = *entry;
	}
	file->symbol_count = (size_t)(to - file->symbols);
}

static void read_symbols(struct symbol_file *file)
{
	size_t count = 0;

	file->has_symbols = 1;
	file->mini = minidebug_open(file);
	symtab_functions(file, count_symbol, &count);
	if (file->mini)
		symtab_functions(file->mini, count_symbol, &count);
	file->symbols = calloc(count ? count : 1, sizeof(*file->symbols));
	if (!file->symbols)
		return;
	symtab_functions(file, add_symbol, file);
	if (file->mini)
		symtab_functions(file->mini, add_symbol, file);
	qsort(file->symbols, file->symbol_count, sizeof(*file->symbols),
	      by_address);
	drop_aliases(file);
}

/* How many symbols start at or before `address`. */
static size_t symbols_before(const struct symbol_file *file, uint64_t address)
{
	size_t low = 0, high = file->symbol_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (file->symbols[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int symtab_find(struct symbol_file *file, uint64_t address,
                struct symbol_place *place)
{
	if (!file->has_symbols)
		read_symbols(file);
	size_t before = symbols_before(file, address);
	for (size_t back = 1; back <= before && back <= NESTED_MAX; back++) {
		const struct symtab_entry *entry =
			file->symbols + before - back;
		int holds = address - entry->address < entry->size;
		/* assembly without .size: it goes up to the next symbol */
		if (!entry->size && back == 1)
			holds = elf_executable(file, entry->address,
			                       address + 1);
		if (!holds)
			continue;
		*place = (struct symbol_place){
			.function = entry->name,
			.start = entry->address,
		};
		return 1;
	}
	return 0;
}
