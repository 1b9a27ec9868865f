/*
 * demangle - what the linker's names of C++ and Rust stand for, by libiberty.
 *
 * Without parameters and Rust's hashes: who made a mapping is to be read at a
 * glance.  A name can refer to its own parts (Itanium C++ ABI, 5.1.8), and so ask
 * for any amount of output, of stack and of time: each is bounded, and a name
 * beyond stays as it is.
 */
#include "observer/symbol/internal.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdlib.h>

#define NAME_SIZE 1024u
#define TEXT_SIZE 4096u
#define PARTS_IN_PACKS 24u /* 3^8 ways through them */

struct demangled {
	struct demangled *next;
	const char *name;
	char text[];
};

struct writing {
	char text[TEXT_SIZE];
	size_t size;
	jmp_buf enough;
};

static void write_part(const char *part, size_t size, void *context)
{
	struct writing *writing = context;

	if (size >= sizeof(writing->text) - writing->size)
		longjmp(writing->enough, 1);
	memcpy(writing->text + writing->size, part, size);
	writing->size += size;
}

/* What a demangler that fails has written already is forgotten. */
static int demangle(const char *name, struct writing *writing)
{
	writing->size = 0;
	if (setjmp(writing->enough))
		return 0;
	if (rust_demangle_callback(name, 0, write_part, writing))
		return 1;
	writing->size = 0;
	return cplus_demangle_v3_callback(name, 0, write_part, writing);
}

/* How often a name refers to its own parts: S_, S0_, S1Z_. */
static size_t parts_again(const char *name)
{
	size_t count = 0;

	for (; (name = strchr(name, 'S')); count += *name == '_') {
		name++;
		name += strspn(name, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	}
	return count;
}

/* To find a parameter pack libiberty goes every way to every part. */
static int is_maze(const char *name)
{
	return (strstr(name, "Dp") || strstr(name, "sZ")) &&
	       parts_again(name) > PARTS_IN_PACKS;
}

static int is_mangled(const char *name)
{
	return name[0] == '_' && (name[1] == 'Z' || name[1] == 'R') &&
	       strnlen(name, NAME_SIZE) < NAME_SIZE && !is_maze(name);
}

/* Once for each name: what is found at many addresses is one string. */
static const struct demangled *find(const struct symbol_file *file,
                                    const char *name)
{
	const struct demangled *found = file->demangled;

	while (found && found->name != name)
		found = found->next;
	return found;
}

static const struct demangled *add(struct symbol_file *file, const char *name)
{
	struct writing writing;
	struct demangled *added;

	if (!demangle(name, &writing) || !writing.size)
		return NULL;
	added = malloc(sizeof(*added) + writing.size + 1);
	if (!added)
		return NULL;
	memcpy(added->text, writing.text, writing.size);
	added->text[writing.size] = '\0';
	added->name = name;
	added->next = file->demangled;
	file->demangled = added;
	return added;
}

void demangle_place(struct symbol_file *file, struct symbol_place *place)
{
	const struct demangled *text;

	if (!place->function || !is_mangled(place->function))
		return;
	text = find(file, place->function);
	if (!text)
		text = add(file, place->function);
	if (!text)
		return;
	place->linker = place->function;
	place->function = text->text;
}

void demangle_close(struct symbol_file *file)
{
	while (file->demangled) {
		struct demangled *demangled = file->demangled;

		file->demangled = demangled->next;
		free(demangled);
	}
}
