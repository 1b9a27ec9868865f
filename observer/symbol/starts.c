/* starts - where functions start, from all tables together. */
#include "observer/symbol/internal.h"

#include <stdlib.h>

/* Text that the pclntab leaves over by this much is padding. */
#define PADDING 64u

struct list {
	uint64_t *at;
	size_t count, capacity;
	const uint64_t *skip; /* Go text: the pclntab knows it better */
	int failed;
};

static void add(struct list *list, uint64_t start)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 4096;
		uint64_t *at = realloc(list->at, capacity * sizeof(*at));
		if (!at) {
			list->failed = 1;
			return;
		}
		list->at = at;
		list->capacity = capacity;
	}
	list->at[list->count++] = start;
}

static void add_other(void *context, uint64_t start)
{
	struct list *list = context;

	if (start < list->skip[0] || start >= list->skip[1])
		add(list, start);
}

static void add_frame(void *context, uint64_t start, uint64_t fde)
{
	(void)fde;
	add_other(context, start);
}

static void add_symbol(void *context, const Elf64_Sym *symbol, const char *name)
{
	(void)name;
	add_other(context, symbol->st_value);
}

static int ascending(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

/* qsort is slow where nothing is to be done, and mostly nothing is. */
static void sort(struct list *list)
{
	for (size_t i = 1; i < list->count; i++) {
		if (list->at[i - 1] <= list->at[i])
			continue;
		qsort(list->at, list->count, sizeof(*list->at), ascending);
		return;
	}
}

/* Does Go text hold all code? */
static int only_go(const uint64_t go[2], const struct symbol_text *text,
                   size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (text[i].address < go[0] ||
		    text[i].address + text[i].size > go[1] + PADDING)
			return 0;
	return 1;
}

/* Drops duplicates and what is not in any text; both arrays are sorted. */
static size_t keep_code(struct list *list, const struct symbol_text *text,
                        size_t count)
{
	size_t kept = 0;

	for (size_t i = 0, t = 0; i < list->count; i++) {
		uint64_t start = list->at[i];
		while (t < count && start >= text[t].address &&
		       start - text[t].address >= text[t].size)
			t++;
		if (t == count)
			break;
		if (start < text[t].address ||
		    (kept && list->at[kept - 1] == start))
			continue;
		list->at[kept++] = start;
	}
	return kept;
}

static void collect(struct symbol_file *file, const struct symbol_text *text,
                    size_t count)
{
	struct list list = { .skip = file->info.go_text };

	if (file->go.version != PCLNTAB_NONE)
		for (uint32_t i = 0; i < file->go.count; i++)
			add(&list, pclntab_entry(&file->go, i));
	if (!only_go(file->info.go_text, text, count)) {
		ehframe_functions(file, add_frame, &list);
		symtab_functions(file, add_symbol, &list);
		/* the kernel jumps there, so an instruction starts there */
		add_other(&list, file->header.e_entry);
	}
	sort(&list);
	file->start_count = keep_code(&list, text, count);
	file->starts = list.at;
}

size_t symbol_starts(struct symbol_file *file, const uint64_t **starts)
{
	if (!file->has_starts) {
		size_t count = symbol_texts(file, NULL, 0);
		struct symbol_text *text =
			calloc(count ? count : 1, sizeof(*text));
		file->has_starts = 1;
		if (text) {
			symbol_texts(file, text, count);
			collect(file, text, count);
		}
		free(text);
	}
	*starts = file->starts;
	return file->start_count;
}
