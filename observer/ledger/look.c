/*
 * The kernel's map as text, read:
 *
 *   7f8bd0d95000-7f8bd0eeb000 r-xp 00026000 fe:00 326269     /usr/lib/libc.so.6
 *   start        end          prot offset   device inode     name
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct cursor {
	const char *at, *end;
};

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return 16;
}

/* A number and the character behind it; 0 when that is not there. */
static int number(struct cursor *cursor, unsigned base, char behind,
                  uint64_t *value)
{
	const char *start = cursor->at;

	*value = 0;
	while (cursor->at < cursor->end && digit(*cursor->at) < (int)base)
		*value = *value * base + digit(*cursor->at++);
	if (cursor->at == start || cursor->at == cursor->end ||
	    *cursor->at != behind)
		return 0;
	cursor->at++;
	return 1;
}

static int protection(struct cursor *cursor, struct look_line *line)
{
	const char *at = cursor->at;

	if (cursor->end - at < 5 || at[4] != ' ')
		return 0;
	line->prot = (at[0] == 'r' ? PROT_READ : 0) |
	             (at[1] == 'w' ? PROT_WRITE : 0) |
	             (at[2] == 'x' ? PROT_EXEC : 0);
	line->shared = at[3] == 's';
	cursor->at += 5;
	return 1;
}

/* [from, end) is one line with its newline. */
static int read_line(const char *from, const char *end, struct look_line *line)
{
	struct cursor cursor = { from, end };
	uint64_t device;

	if (!number(&cursor, 16, '-', &line->start) ||
	    !number(&cursor, 16, ' ', &line->end) ||
	    !protection(&cursor, line) ||
	    !number(&cursor, 16, ' ', &line->offset) ||
	    !number(&cursor, 16, ':', &device) ||
	    !number(&cursor, 16, ' ', &device))
		return 0;
	/* Some kernels put nothing behind the inode, most a space. */
	if (!number(&cursor, 10, ' ', &line->inode) &&
	    !(cursor.at < end && *cursor.at == '\n'))
		return 0;
	while (cursor.at < end && *cursor.at == ' ')
		cursor.at++;
	line->name = cursor.at;
	line->name_size = end - 1 - cursor.at;
	return line->start < line->end;
}

int look_named(const struct look_line *line, const char *name)
{
	size_t size = strlen(name);

	return line->name_size == size && memcmp(line->name, name, size) == 0;
}

int look_read(struct look *look, const struct ledger_look *text)
{
	struct vector lines = { 0 };
	const char *at = text->text, *end = at + text->look->text_size;
	const char *newline;
	uint64_t last = 0;

	*look = (struct look){ 0 };
	for (; (newline = memchr(at, '\n', end - at)); at = newline + 1) {
		struct look_line line, *copy;

		if (!read_line(at, newline + 1, &line) || line.start < last ||
		    look_named(&line, "[vsyscall]"))
			continue;
		copy = vector_add(&lines, sizeof(*copy));
		if (!copy) {
			free(lines.item);
			return 0;
		}
		*copy = line;
		last = line.end;
		look->size += line.end - line.start;
	}
	look->line = lines.item;
	look->count = lines.count;
	return 1;
}

void look_free(struct look *look)
{
	free(look->line);
	*look = (struct look){ 0 };
}

size_t look_seek(const struct look *look, uint64_t address)
{
	size_t low = 0, high = look->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (look->line[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

unsigned look_kernel_made(const struct look_line *line)
{
	static const struct {
		const char *name;
		unsigned what;
	} made[] = {
		{ "[stack]", SPACE_STACK },
		{ "[vdso]", SPACE_VDSO },
		{ "[vvar]", SPACE_VDSO },
		{ "[vvar_vclock]", SPACE_VDSO },
		{ "/[aio] (deleted)", SPACE_AIO },
		{ "[uprobes]", SPACE_UPROBES },
	};

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		if (look_named(line, made[i].name))
			return made[i].what;
	return 0;
}

const struct ledger_look *look_when(const struct ledger_run *run,
                                    enum file_look_when when)
{
	const struct ledger_look *found = NULL;

	for (size_t i = 0; i < run->look_count; i++) {
		if (run->look[i].look->when != when)
			continue;
		found = &run->look[i];
		if (when == FILE_LOOK_BOOT)
			break;
	}
	return found;
}
