/*
 * Kinds that a run brings along: names of files, and names that a program gave
 * to its mappings.  Each is made once, so that rows find it by its address; the
 * ledger keeps them.  There is a limit: a program that maps ten thousand files
 * gets a table, not a list of its files.
 */
#include "observer/ledger/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST   256 /* words in one ledger */
#define LENGTH 96  /* of a word */

const char *words_make(struct words *words, const char *before,
                       struct word_part part, const char *behind)
{
	char text[LENGTH];
	char *copy, **slot;

	if (part.size > LENGTH / 2)
		part.size = LENGTH / 2;
	snprintf(text, sizeof(text), "%s%.*s%s", before, (int)part.size,
	         part.text, behind);
	for (char *at = text; *at; at++) /* files may be called anything */
		if ((unsigned char)*at < 32 || *at == 127)
			*at = '?';
	for (size_t i = 0; i < words->list.count; i++)
		if (strcmp(((char **)words->list.item)[i], text) == 0)
			return ((char **)words->list.item)[i];
	if (words->list.count == MOST)
		return NULL;
	copy = strdup(text);
	slot = copy ? vector_add(&words->list, sizeof(*slot)) : NULL;
	if (!slot) {
		free(copy);
		return NULL;
	}
	*slot = copy;
	return copy;
}

/* ---- names that a program gave ------------------------------------------ */

static int starts(struct word_part part, const char *with)
{
	return part.size >= strlen(with) &&
	       memcmp(part.text, with, strlen(with)) == 0;
}

/*
 * Go's names (setVMAName, Go 1.25) that are not the words of kinds.c, and
 * glibc's (2.38, setvmaname.c).  A name stands for all that begin so.
 */
static const struct {
	const char *name, *kind, *owner;
} given[] = {
	{ "Go: heap reservation", "heap", KINDS_GO },
	{ "Go: page alloc index", "page alloc index", KINDS_GO },
	{ "Go: page alloc", "page summary", KINDS_GO },
	{ "Go: immortal metadata", "runtime metadata", KINDS_GO },
	{ "Go: allspans array", "spans", KINDS_GO },
	{ "Go: profiler hash buckets", "profiling buckets", KINDS_GO },
	{ "Go: user arena chunk", "user arena", KINDS_GO },
	{ "Go: heapdump", "heap dump", KINDS_GO },
	{ "Go: trace arena alloc", "trace buffer", KINDS_GO },
	{ "glibc: pthread", "thread stack", KINDS_LIBC },
	{ "glibc: malloc arena", "malloc arena", KINDS_LIBC },
	{ "glibc: malloc", "malloc mmap", KINDS_LIBC },
	{ "glibc: loader malloc", "ld.so", KINDS_LIBC },
};

static struct word_part given_name(const struct ledger_event *from)
{
	const char *text = (const char *)from->stack->frame;
	size_t room = 8ul * from->stack->count;

	while (room > 0 && *text == ' ') {
		text++;
		room--;
	}
	return (struct word_part){ text, strnlen(text, room) };
}

struct claim words_given(struct words *words, const struct ledger_event *from)
{
	struct claim claim = { .owner = "program" };
	struct word_part name = given_name(from);

	for (size_t i = 0; i < sizeof(given) / sizeof(*given); i++) {
		if (!starts(name, given[i].name))
			continue;
		claim.kind = given[i].kind;
		claim.owner = given[i].owner;
		return claim;
	}
	if (starts(name, "Go: ")) {
		name.text += 4;
		name.size -= 4;
		claim.owner = KINDS_GO;
	}
	if (name.size > 0)
		claim.kind = words_make(words, "", name, "");
	return claim;
}

/* "used" and "unused" (GODEBUG=harddecommit=1) say how the heap's pages are,
 * not what they are. */
int words_is_state(const struct ledger_event *from)
{
	struct word_part name = given_name(from);

	return starts(name, "Go: used") || starts(name, "Go: unused");
}

struct word_part words_of_go(const struct ledger_event *from)
{
	struct word_part name = given_name(from);

	if (!starts(name, "Go: "))
		return (struct word_part){ "", 0 };
	return (struct word_part){ name.text + 4, name.size - 4 };
}
