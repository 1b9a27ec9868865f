/*
 * A listing of the kernel's, /proc/PID/maps or smaps, with names for what can
 * be known without causes: by paths, by the kernel's own names, and by shapes
 * that only one allocator has.  Lines of dots stand for what was left out.
 *
 *   7face8000000-7face8021000 rw-p 00000000 00:00 0
 *   7face8021000-7facec000000 ---p 00000000 00:00 0
 *   ...
 *
 * A line "VmSize: 388496 kB", as /proc/PID/status has it, may stand anywhere:
 * then what is left to the dots is told.
 */
#include "observer/report/map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define KIB (1024ull)
#define MIB (1024 * KIB)

/* glibc, malloc/arena.c: HEAP_MAX_SIZE, and so they are aligned */
#define ARENA      (64 * MIB)
#define ARENA_KIND "malloc arena"

/* Go's heap is committed in these, and may look like an arena else. */
#define GO_CHUNK (4 * MIB)

/* A thread's stack, above its guard. */
#define GUARD_MOST  (64 * KIB)
#define STACK_LEAST (64 * KIB)

/* Go, malloc.go, mallocinit: the first of the heap's hints on Linux. */
#define GO_HEAP     0xc000000000u
#define GO_HEAP_END 0xd000000000u

#define KIND  96 /* room for a kind */
#define WIDTH 92 /* of sentences */

struct part { /* of the text; not NUL-terminated */
	const char *text;
	size_t size;
};

struct shown { /* a line */
	uint64_t start, end, offset, resident;
	struct part path;
	uint8_t prot, shared;
	uint8_t after_gap; /* lines before it are left out */
	uint8_t things;    /* 0: it goes on with the thing of the line before */
	uint8_t in_part;   /* the rest of the thing is left out */
	char kind[KIND];
	const char *owner; /* NULL: not known */
};

struct sum { /* of one kind */
	const struct shown *first;
	uint64_t size, resident, things, in_part;
	uint64_t between; /* what is left out has room for just so many more */
	uint64_t whole;   /* size of each thing that is all there; 0: differs */
};

struct listing {
	const struct report_listing *from;
	struct part program;
	struct shown *line;
	size_t count, capacity;
	size_t gaps;
	int gap;      /* one behind the last line */
	int resident; /* it is told */
	int unordered;
	int failed;
	struct sum *sum;
	size_t sum_count;
	uint64_t size, resident_size; /* what VmSize and VmRSS count */
	uint64_t room;                /* of the gaps, if ... */
	int bounded;                  /* ... each has two ends */
	uint64_t vm_size;             /* as a line of it says */
	int told;                     /* one does */
};

/* ---- reading ------------------------------------------------------------ */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return 16;
}

static int number(struct part *left, unsigned base, uint64_t *value)
{
	size_t i = 0;

	*value = 0;
	for (; i < left->size && digit(left->text[i]) < (int)base; i++)
		if (__builtin_mul_overflow(*value, base, value) ||
		    __builtin_add_overflow(*value, digit(left->text[i]), value))
			return 0;
	left->text += i;
	left->size -= i;
	return i > 0;
}

static int accept(struct part *left, char c)
{
	if (left->size == 0 || *left->text != c)
		return 0;
	left->text++;
	left->size--;
	return 1;
}

static void skip_blanks(struct part *left)
{
	while (accept(left, ' ') || accept(left, '\t'))
		;
}

static int protection(struct part *left, struct shown *line)
{
	const char *text = left->text;

	if (left->size < 4 || !strchr("r-", text[0]) ||
	    !strchr("w-", text[1]) || !strchr("x-", text[2]) ||
	    !strchr("ps", text[3]))
		return 0;
	line->prot = (text[0] == 'r' ? PROT_READ : 0) |
	             (text[1] == 'w' ? PROT_WRITE : 0) |
	             (text[2] == 'x' ? PROT_EXEC : 0);
	line->shared = text[3] == 's';
	left->text += 4;
	left->size -= 4;
	return 1;
}

/* Offset, device and inode may be missing in what somebody has edited. */
static void origin(struct part *left, struct shown *line)
{
	struct part before;
	uint64_t value;

	skip_blanks(left);
	before = *left;
	if (!number(left, 16, &line->offset) ||
	    (left->size && *left->text != ' '))
		*left = before;
	skip_blanks(left);
	before = *left;
	if (!number(left, 16, &value) || !accept(left, ':') ||
	    !number(left, 16, &value))
		*left = before;
	skip_blanks(left);
	before = *left;
	if (!number(left, 10, &value) || (left->size && *left->text != ' '))
		*left = before;
	skip_blanks(left);
	line->path = *left;
}

static int read_line(struct part text, struct shown *line)
{
	*line = (struct shown){ .things = 1 };
	if (!number(&text, 16, &line->start) || !accept(&text, '-') ||
	    !number(&text, 16, &line->end) || !accept(&text, ' ') ||
	    line->start >= line->end || !protection(&text, line))
		return 0;
	origin(&text, line);
	return 1;
}

static int is_dots(struct part text)
{
	size_t dots = 0;

	for (size_t i = 0; i < text.size; i++) {
		if (text.text[i] == '.')
			dots++;
		else if (text.text[i] != ' ' && text.text[i] != '\t')
			return 0;
	}
	return dots >= 2;
}

/* "Rss:                132 kB" */
static int read_field(struct part text, const char *name, uint64_t *bytes)
{
	size_t size = strlen(name);
	uint64_t kib;

	if (text.size < size || memcmp(text.text, name, size) != 0)
		return 0;
	text.text += size;
	text.size -= size;
	skip_blanks(&text);
	if (!number(&text, 10, &kib) || kib > UINT64_MAX / KIB ||
	    !accept(&text, ' ') || !accept(&text, 'k') || !accept(&text, 'B') ||
	    text.size)
		return 0;
	*bytes = kib * KIB;
	return 1;
}

/* What smaps and status say besides. */
static void read_fields(struct listing *listing, struct part text)
{
	uint64_t rss;

	if (read_field(text, "VmSize:", &listing->vm_size))
		listing->told = 1;
	if (listing->count && read_field(text, "Rss:", &rss)) {
		listing->line[listing->count - 1].resident = rss;
		listing->resident = 1;
	}
}

static void add(struct listing *listing, const struct shown *line)
{
	if (listing->count == listing->capacity) {
		size_t capacity =
			listing->capacity ? 2 * listing->capacity : 64;
		struct shown *grown =
			realloc(listing->line, capacity * sizeof(*grown));

		if (!grown) {
			listing->failed = 1;
			return;
		}
		listing->line = grown;
		listing->capacity = capacity;
	}
	listing->line[listing->count] = *line;
	listing->line[listing->count++].after_gap = listing->gap;
	listing->gap = 0;
}

static void take(struct listing *listing, struct part text)
{
	struct shown line;
	uint64_t last =
		listing->count ? listing->line[listing->count - 1].end : 0;

	while (text.size && (text.text[text.size - 1] == ' ' ||
	                     text.text[text.size - 1] == '\r'))
		text.size--;
	if (is_dots(text)) {
		listing->gaps += !listing->gap;
		listing->gap = 1;
	} else if (!read_line(text, &line)) {
		read_fields(listing, text);
	} else if (line.start < last) {
		listing->unordered = 1;
	} else {
		add(listing, &line);
	}
}

static void read_text(struct listing *listing)
{
	const char *at = listing->from->text;
	const char *end = at + listing->from->size;

	while (at < end && !listing->failed) {
		const char *newline = memchr(at, '\n', end - at);
		const char *behind = newline ? newline : end;

		take(listing, (struct part){ at, behind - at });
		at = behind + 1;
	}
}

/* ---- names by paths ------------------------------------------------------ */

static int starts(struct part part, const char *with)
{
	return part.size >= strlen(with) &&
	       memcmp(part.text, with, strlen(with)) == 0;
}

static int same(struct part a, struct part b)
{
	return a.size == b.size && memcmp(a.text, b.text, a.size) == 0;
}

static struct part base_name(struct part path)
{
	static const char deleted[] = " (deleted)";
	size_t tail = sizeof(deleted) - 1, start;

	if (path.size > tail &&
	    memcmp(path.text + path.size - tail, deleted, tail) == 0)
		path.size -= tail;
	for (start = path.size; start > 0 && path.text[start - 1] != '/';)
		start--;
	return (struct part){ path.text + start, path.size - start };
}

/* "libc-2.27.so", "libz.so.1" */
static int is_library(struct part path)
{
	struct part name = base_name(path);

	return memmem(name.text, name.size, ".so", 3) != NULL;
}

/* Saved listings may have base names alone. */
static int is_file(const struct shown *line)
{
	return line->path.size > 0 && *line->path.text != '[';
}

static void set(struct shown *line, const char *kind, const char *owner)
{
	snprintf(line->kind, KIND, "%s", kind);
	line->owner = owner;
}

static void set_with(struct shown *line, const char *before, struct part name,
                     const char *behind, const char *owner)
{
	int size = name.size > KIND / 2 ? KIND / 2 : (int)name.size;

	snprintf(line->kind, KIND, "%s%.*s%s", before, size, name.text, behind);
	line->owner = owner;
}

/* Its file is the one that is asked for; without, the first but libraries. */
static void find_program(struct listing *listing)
{
	const char *path = listing->from->program;

	if (path)
		listing->program = (struct part){ path, strlen(path) };
	for (size_t i = 0; !path && i < listing->count; i++)
		if (is_file(&listing->line[i]) &&
		    !is_library(listing->line[i].path)) {
			listing->program = listing->line[i].path;
			return;
		}
}

static void name_library(struct shown *line, struct part path, int data)
{
	struct part name = base_name(path);

	set_with(line, "", name, data ? " data" : " text",
	         ledger_is_libc(name.text, name.size) ? "libc" : "library");
}

static void name_file(const struct listing *listing, struct shown *line)
{
	if (same(line->path, listing->program))
		set(line,
		    line->prot & PROT_EXEC    ? "text"
		    : line->prot & PROT_WRITE ? "data"
		                              : "rodata",
		    "program");
	else if (starts(line->path, "/[aio]"))
		set(line, "aio ring", "kernel");
	else if (starts(line->path, "/dev/zero") || starts(line->path, "/SYSV"))
		set(line, "shared memory", "program");
	else if (is_library(line->path))
		name_library(line, line->path, line->prot & PROT_WRITE);
	else
		set_with(line, "file ", base_name(line->path), "", "program");
}

/* Cuts `with` off, if the name begins so. */
static int cut(struct part *name, const char *with)
{
	if (!starts(*name, with))
		return 0;
	name->text += strlen(with);
	name->size -= strlen(with);
	return 1;
}

/* "[anon:Go: heap]", "[anon_shmem:buffers]": what somebody has named it. */
static int name_given(struct shown *line)
{
	struct part name = line->path;
	const char *owner = "program";

	if (!cut(&name, "[anon:") && !cut(&name, "[anon_shmem:"))
		return 0;
	if (name.size && name.text[name.size - 1] == ']')
		name.size--;
	if (cut(&name, "Go: "))
		owner = "Go runtime";
	else if (cut(&name, "glibc: "))
		owner = "libc";
	set_with(line, "", name, "", owner);
	return 1;
}

static void name_bracketed(struct shown *line)
{
	static const struct {
		const char *name, *kind, *owner;
	} names[] = {
		{ "[heap]", "brk heap", NULL },
		{ "[stack", "stack", "kernel" },
		{ "[vdso]", "vDSO, vvar", "kernel" },
		{ "[vvar", "vDSO, vvar", "kernel" },
		{ "[vsyscall]", "vsyscall", "kernel" },
		{ "[uprobes]", "uprobes", "kernel" },
	};

	if (name_given(line))
		return;
	set_with(line, "", line->path, "", NULL);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (starts(line->path, names[i].name))
			set(line, names[i].kind, names[i].owner);
}

/* ---- names by shapes ----------------------------------------------------- */

static uint64_t size_of(const struct shown *line)
{
	return line->end - line->start;
}

static int is_plain(const struct shown *line, unsigned prot)
{
	return line->path.size == 0 && !line->shared && line->prot == prot;
}

/* The neighbours, where nothing lies between; NULL at a gap too. */
static struct shown *next_to(const struct listing *listing, size_t i)
{
	struct shown *next = &listing->line[i + 1];

	if (i + 1 == listing->count || next->after_gap ||
	    next->start != listing->line[i].end)
		return NULL;
	return next;
}

static struct shown *previous_to(const struct listing *listing, size_t i)
{
	return i > 0 && next_to(listing, i - 1) ? &listing->line[i - 1] : NULL;
}

static int gap_behind(const struct listing *listing, size_t i)
{
	return i + 1 == listing->count ? listing->gap
	                               : listing->line[i + 1].after_gap;
}

/* Begins a malloc arena here?  Not where a Go program may have its heap. */
static int is_arena(const struct listing *listing, const struct shown *line)
{
	return is_plain(line, PROT_READ | PROT_WRITE) &&
	       line->start % ARENA == 0 && size_of(line) < ARENA &&
	       (listing->from->no_go || size_of(line) % GO_CHUNK != 0);
}

/* malloc's arena: what is in use, and the rest, up to the next multiple. */
static int name_arena(struct listing *listing, size_t i)
{
	struct shown *line = &listing->line[i], *rest = next_to(listing, i);

	if (is_arena(listing, line)) {
		if (rest && is_plain(rest, PROT_NONE) &&
		    rest->end == line->start + ARENA) {
			set(line, ARENA_KIND, "libc");
			set(rest, ARENA_KIND, "libc");
			rest->things = 0;
			return 1;
		}
		line->in_part = !rest && gap_behind(listing, i);
	} else if (is_plain(line, PROT_NONE) && line->after_gap) {
		line->in_part = line->end % ARENA == 0 &&
		                size_of(line) < ARENA &&
		                size_of(line) % GO_CHUNK != 0;
	}
	if (line->in_part)
		set(line, ARENA_KIND, "libc");
	return line->in_part;
}

static int is_guard(const struct shown *line)
{
	return line && is_plain(line, PROT_NONE) && size_of(line) <= GUARD_MOST;
}

static int is_power(uint64_t number)
{
	return (number & (number - 1)) == 0;
}

/* Stacks are powers of two, without their guard or with it. */
static int is_stack(const struct shown *line, uint64_t guard)
{
	return line && is_plain(line, PROT_READ | PROT_WRITE) &&
	       size_of(line) >= STACK_LEAST &&
	       (is_power(size_of(line)) || is_power(size_of(line) + guard));
}

static int name_stack(struct listing *listing, size_t i)
{
	struct shown *line = &listing->line[i], *next = next_to(listing, i);

	if (is_guard(line) && is_stack(next, size_of(line))) {
		set(line, "thread stack", "libc");
		set(next, "thread stack", "libc");
		next->things = 0;
		return 1;
	}
	/* a guard whose stack is left out, a stack whose guard is */
	line->in_part =
		(is_guard(line) && gap_behind(listing, i) &&
	         previous_to(listing, i)) ||
		(line->after_gap && is_stack(line, 0) && is_guard(next));
	if (line->in_part)
		set(line, "thread stack", "libc");
	return line->in_part;
}

/* Data that no file has, behind data that one has. */
static int name_bss(struct listing *listing, size_t i)
{
	struct shown *line = &listing->line[i];
	const struct shown *data = previous_to(listing, i);

	if (!data || !is_plain(line, PROT_READ | PROT_WRITE) || !is_file(data))
		return 0;
	if (same(data->path, listing->program))
		set(line, "bss", "program");
	else if (is_library(data->path))
		name_library(line, data->path, 1);
	else
		return 0;
	return 1;
}

static int name_go_heap(struct listing *listing, size_t i)
{
	struct shown *line = &listing->line[i];

	if (listing->from->no_go || line->path.size || line->shared ||
	    line->start < GO_HEAP || line->end > GO_HEAP_END)
		return 0;
	set(line, "heap or its metadata", "Go runtime");
	return 1;
}

static void name_all(struct listing *listing)
{
	find_program(listing);
	for (size_t i = 0; i < listing->count; i++) {
		struct shown *line = &listing->line[i];

		if (line->kind[0]) /* together with the one before */
			continue;
		if (is_file(line))
			name_file(listing, line);
		else if (line->path.size > 0)
			name_bracketed(line);
		else if (!name_go_heap(listing, i) && !name_bss(listing, i) &&
		         !name_arena(listing, i) && !name_stack(listing, i))
			set(line, "anonymous", NULL);
	}
}

/* ---- sums --------------------------------------------------------------- */

static int compare_kinds(const struct shown *a, const struct shown *b)
{
	int order = strcmp(a->kind, b->kind);

	if (order == 0)
		order = strcmp(a->owner ? a->owner : "",
		               b->owner ? b->owner : "");
	return order;
}

static int by_kind(const void *left, const void *right)
{
	const struct shown *a = *(const struct shown *const *)left;
	const struct shown *b = *(const struct shown *const *)right;
	int order = compare_kinds(a, b);

	return order ? order : (a > b) - (a < b);
}

static int by_size(const void *left, const void *right)
{
	const struct sum *a = left, *b = right;

	if (a->size != b->size)
		return a->size > b->size ? -1 : 1;
	return (a->first > b->first) - (a->first < b->first);
}

/* The size of the thing that begins with a line. */
static uint64_t thing_size(const struct listing *listing,
                           const struct shown *line)
{
	const struct shown *end = listing->line + listing->count;
	uint64_t size = size_of(line);

	while (++line < end && !line->things)
		size += size_of(line);
	return size;
}

static void add_to(const struct listing *listing, struct sum *sum,
                   const struct shown *line)
{
	sum->size += size_of(line);
	sum->resident += line->resident;
	if (line->things && !line->in_part) {
		uint64_t whole = thing_size(listing, line);

		if (sum->things > sum->in_part && sum->whole != whole)
			whole = 0;
		sum->whole = whole;
	}
	sum->things += line->things;
	sum->in_part += line->in_part;
}

/* Are these its ends, and what is left out its middle? */
static int is_one_arena(const struct shown *a, const struct shown *b)
{
	return strcmp(a->kind, ARENA_KIND) == 0 &&
	       a->start / ARENA == b->start / ARENA;
}

static int of_kind(const void *line, const void *sum)
{
	return compare_kinds(line, ((const struct sum *)sum)->first);
}

/* How many whole things fit between two parts, of which the missing rest lies
 * there, too?  0 unless they fill it. */
static uint64_t fit_between(const struct shown *a, const struct shown *b,
                            uint64_t whole)
{
	uint64_t all = size_of(a) + (b->start - a->end) + size_of(b);

	if (!whole || all % whole != 0 || all / whole < 2)
		return 0;
	return all / whole - 2;
}

/* While the sums are still in the order of their kinds. */
static void add_gaps(struct listing *listing)
{
	listing->bounded = !listing->gap && !listing->line[0].after_gap;
	for (size_t i = 1; i < listing->count; i++) {
		const struct shown *a = &listing->line[i - 1], *b = a + 1;

		if (!b->after_gap)
			continue;
		listing->room += b->start - a->end;
		if (starts(b->path, "[vsyscall]"))
			listing->bounded = 0;
		if (a->in_part && b->in_part && compare_kinds(a, b) == 0) {
			struct sum *sum =
				bsearch(a, listing->sum, listing->sum_count,
			                sizeof(*sum), of_kind);

			sum->between += fit_between(a, b, sum->whole);
			sum->things -= is_one_arena(a, b);
			sum->in_part -= is_one_arena(a, b);
		}
	}
}

static void add_kinds(struct listing *listing)
{
	const struct shown **line = calloc(listing->count, sizeof(*line));

	listing->sum = calloc(listing->count, sizeof(*listing->sum));
	if (!line || !listing->sum) {
		listing->failed = 1;
		free(line);
		return;
	}
	for (size_t i = 0; i < listing->count; i++)
		line[i] = &listing->line[i];
	qsort(line, listing->count, sizeof(*line), by_kind);
	for (size_t i = 0; i < listing->count; i++) {
		if (i == 0 || compare_kinds(line[i - 1], line[i]) != 0)
			listing->sum[listing->sum_count++].first = line[i];
		add_to(listing, &listing->sum[listing->sum_count - 1], line[i]);
	}
	add_gaps(listing);
	qsort(listing->sum, listing->sum_count, sizeof(*listing->sum), by_size);
	free(line);
}

/* What VmSize counts. */
static void add_up(struct listing *listing)
{
	for (size_t i = 0; i < listing->count; i++) {
		const struct shown *line = &listing->line[i];

		if (starts(line->path, "[vsyscall]"))
			continue;
		listing->size += size_of(line);
		listing->resident_size += line->resident;
	}
}

/* ---- the screen --------------------------------------------------------- */

static const char *perms_of(const struct shown *line,
                            char text[static MAP_PERMS])
{
	const struct ledger_life life = { .prot = line->prot,
		                          .flags = line->shared ? MAP_SHARED
		                                                : MAP_PRIVATE };

	return map_perms(text, &life);
}

static void print_gaps(FILE *out, const struct listing *listing)
{
	char text[UNITS_EXACT];

	fprintf(out, "Lines are left out in %s place%s",
	        units_count(text, listing->gaps),
	        listing->gaps == 1 ? "" : "s");
	if (listing->bounded)
		fprintf(out, ", which %s room for %s",
		        listing->gaps == 1 ? "has" : "have",
		        units_exact(text, listing->room));
	fputs(". ", out);
}

/* What it shows against what it says of VmSize. */
static void print_told(FILE *out, const struct listing *listing)
{
	char all[UNITS_EXACT], text[UNITS_EXACT];
	uint64_t left = listing->vm_size - listing->size;

	fprintf(out, "It says that VmSize is %s: ",
	        units_exact(all, listing->vm_size));
	if (listing->size > listing->vm_size)
		fprintf(out, "%s less than it shows, of another moment. ",
		        units_exact(text, -left));
	else if (left == 0)
		fputs("all is shown. ", out);
	else if (!listing->gaps)
		fprintf(out, "%s are missing. ", units_exact(text, left));
	else
		fprintf(out, "%s are left to these%s. ",
		        units_exact(text, left),
		        listing->bounded && left > listing->room
		                ? ", more than they have room for"
		                : "");
}

static void print_sentences(const struct screen *screen,
                            const struct listing *listing)
{
	int width = screen->style->width;
	char *text = NULL;
	size_t size;
	FILE *words = open_memstream(&text, &size);

	if (!words)
		return;
	if (listing->gaps)
		print_gaps(words, listing);
	if (listing->told)
		print_told(words, listing);
	fputs("Who made these mappings is not known: goload did not run the "
	      "program.",
	      words);
	if (fclose(words) == 0)
		units_wrap(screen->out, text, 0,
		           width > 0 && width < WIDTH ? width : WIDTH);
	free(text);
}

static void print_headline(const struct screen *screen,
                           const struct listing *listing)
{
	const struct report_listing *from = listing->from;
	const struct report_style *style = screen->style;
	FILE *out = screen->out;
	char text[UNITS_TEXT];

	screen_colour(screen, "1");
	if (from->pid)
		fprintf(out, "process %" PRIu64, from->pid);
	else
		units_print(out, from->file);
	screen_colour(screen, "0");
	fprintf(out, listing->gaps ? ": %s of VmSize are shown" : ": VmSize %s",
	        report_cell(style, text, listing->size, 0));
	if (listing->resident)
		fprintf(out, ", %s resident",
		        report_cell(style, text, listing->resident_size, 0));
	fputs(".\n", out);
	print_sentences(screen, listing);
	putc('\n', out);
}

static void print_owner(FILE *out, const char *owner)
{
	if (owner)
		fprintf(out, ", %s", owner);
}

static void print_lines(const struct screen *screen,
                        const struct listing *listing)
{
	FILE *out = screen->out;

	map_print_heads(screen, "what, whose; which file");
	for (size_t i = 0; i < listing->count; i++) {
		const struct shown *line = &listing->line[i];
		char perms[MAP_PERMS], *text = NULL;
		size_t size;
		FILE *words = open_memstream(&text, &size);

		if (line->after_gap)
			fputs("...\n", out);
		map_print_place(out, line->start, line->end,
		                perms_of(line, perms), line->offset);
		map_print_sizes(screen, size_of(line), listing->resident,
		                line->resident);
		if (!words)
			return;
		fputs(line->kind, words);
		print_owner(words, line->owner);
		if (line->path.size)
			fprintf(words, "  %.*s", (int)line->path.size,
			        line->path.text);
		if (fclose(words) == 0)
			map_print_remark(screen, text);
		free(text);
	}
	fputs(listing->gap ? "...\n\n" : "\n", out);
}

static void print_sum(const struct screen *screen,
                      const struct listing *listing, const struct sum *sum)
{
	FILE *out = screen->out;
	char text[UNITS_EXACT];

	map_print_sizes(screen, sum->size, listing->resident, sum->resident);
	fprintf(out, "  %6" PRIu64 "  ", sum->things);
	units_print(out, sum->first->kind);
	print_owner(out, sum->first->owner);
	if (sum->things - sum->in_part > 1 && sum->whole)
		fprintf(out, ", %s each", units_exact(text, sum->whole));
	if (sum->in_part)
		fprintf(out, "; %" PRIu64 " of them in part", sum->in_part);
	if (sum->between)
		fprintf(out, ", with room for just %" PRIu64 " more between",
		        sum->between);
	putc('\n', out);
}

static void print_sums(const struct screen *screen,
                       const struct listing *listing)
{
	int cell = report_cell_width(screen->style);

	screen_colour(screen, "2");
	fprintf(screen->out, "%*s%*s  %6s  what, whose", cell, "size", cell,
	        "resident", "count");
	screen_colour(screen, "0");
	putc('\n', screen->out);
	for (size_t i = 0; i < listing->sum_count; i++)
		print_sum(screen, listing, &listing->sum[i]);
}

/* ---- the document ------------------------------------------------------- */

static void json_part(FILE *out, struct part part)
{
	char *copy = part.size ? strndup(part.text, part.size) : NULL;

	map_json_text(out, copy);
	free(copy);
}

static void json_number(FILE *out, int known, uint64_t number)
{
	if (known)
		fprintf(out, "%" PRIu64, number);
	else
		fputs("null", out);
}

static void json_resident(FILE *out, const struct listing *listing,
                          uint64_t bytes)
{
	fputs(", \"resident\": ", out);
	json_number(out, listing->resident, bytes);
}

static void json_kind(FILE *out, const struct shown *line)
{
	fputs("\"kind\": ", out);
	report_json_string(out, line->kind);
	fputs(", \"owner\": ", out);
	map_json_text(out, line->owner);
}

static void json_line(FILE *out, const struct listing *listing,
                      const struct shown *line)
{
	char perms[MAP_PERMS];

	fprintf(out,
	        "{\"start\": \"0x%" PRIx64 "\", \"end\": \"0x%" PRIx64
	        "\", \"perms\": \"%s\", \"offset\": \"0x%" PRIx64
	        "\", \"size\": %" PRIu64,
	        line->start, line->end, perms_of(line, perms), line->offset,
	        size_of(line));
	json_resident(out, listing, line->resident);
	fputs(", ", out);
	json_kind(out, line);
	fputs(", \"path\": ", out);
	json_part(out, line->path);
	fprintf(out, ", \"after_gap\": %s}",
	        line->after_gap ? "true" : "false");
}

static void json_head(FILE *out, const struct listing *listing)
{
	const struct report_listing *from = listing->from;

	fputs("{\n  \"schema\": \"goload/1\",\n  \"pid\": ", out);
	json_number(out, from->pid != 0, from->pid);
	fputs(", \"file\": ", out);
	map_json_text(out, from->file);
	fputs(", \"program\": ", out);
	json_part(out, listing->program);
	fprintf(out,
	        ",\n  \"causes\": false, \"gaps\": %zu,\n"
	        "  \"totals\": {\"vm_size\": %" PRIu64,
	        listing->gaps, listing->size);
	json_resident(out, listing, listing->resident_size);
	fputs(", \"room\": ", out);
	json_number(out, listing->bounded, listing->room);
	fputs(", \"told\": ", out);
	json_number(out, listing->told, listing->vm_size);
	fputs("},\n", out);
}

static void json_all(FILE *out, const struct listing *listing)
{
	json_head(out, listing);
	fputs("  \"mappings\": [", out);
	for (size_t i = 0; i < listing->count; i++) {
		fputs(i ? ",\n    " : "\n    ", out);
		json_line(out, listing, &listing->line[i]);
	}
	fputs("\n  ],\n  \"kinds\": [", out);
	for (size_t i = 0; i < listing->sum_count; i++) {
		const struct sum *sum = &listing->sum[i];

		fputs(i ? ",\n    {" : "\n    {", out);
		json_kind(out, sum->first);
		fprintf(out,
		        ", \"count\": %" PRIu64 ", \"in_part\": %" PRIu64
		        ", \"between\": %" PRIu64 ", \"size\": %" PRIu64,
		        sum->things, sum->in_part, sum->between, sum->size);
		json_resident(out, listing, sum->resident);
		putc('}', out);
	}
	fputs("\n  ]\n}\n", out);
}

/* ---- the whole ---------------------------------------------------------- */

int report_listing(FILE *out, const struct report_listing *from,
                   const struct report_style *style)
{
	const struct screen screen = { .out = out, .style = style };
	struct listing listing = { .from = from };
	int done;

	read_text(&listing);
	if (!listing.failed && listing.count > 0) {
		name_all(&listing);
		add_kinds(&listing);
		add_up(&listing);
	}
	done = listing.failed      ? 0
	       : listing.unordered ? REPORT_UNORDERED
	       : listing.count > 0 ? 1
	                           : REPORT_NO_LINE;
	if (done > 0 && out && style) {
		print_headline(&screen, &listing);
		print_lines(&screen, &listing);
		print_sums(&screen, &listing);
	} else if (done > 0 && out) {
		json_all(out, &listing);
	}
	free(listing.line);
	free(listing.sum);
	return done;
}
