/*
 * Replays a run of the storm to each of its marks, and holds goload's model
 * against the map that the program read there: page for page, in protection
 * and in sharing.
 *
 *   storm_check RUN OUTPUT [doubt]
 *
 *   OUTPUT  what the program has printed: see storm.c
 *   doubt   where the model says that it is in doubt, it may be wrong
 *
 * Prints "marks pages wrong doubtful disturbed" as numbers: maps compared,
 * their pages, those that are wrong, those of them that the model had in doubt,
 * and maps that somebody has changed while they were read, which are left out.
 * To standard error each range that is wrong.  Fails if one is, or if other
 * calls were recorded than the program has made.
 */
#include "observer/ledger/internal.h"
#include "tests/helpers/storm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096ul

struct mark {
	uint64_t order;   /* of its event */
	const char *text; /* of the map that follows it; NULL: none does */
	size_t text_size;
};

/* Who is told of the replay's way: see internal.h. */
struct shots {
	struct mark *mark;
	size_t count, next;
	const struct ledger_run *run;
	int may_doubt;
	uint64_t maps, pages, wrong, doubtful, disturbed;
};

static void must(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "storm_check: %s\n", what);
	exit(2);
}

/* ---- comparing ---------------------------------------------------------- */

/* A way that a range is: 0, or protection and these. */
#define SHARED 8u
#define MAPPED 16u

static unsigned way_of_piece(const struct space_piece *piece)
{
	int shared = (piece->flags & MAP_TYPE) != MAP_PRIVATE;

	return MAPPED | (shared ? SHARED : 0) | piece->prot;
}

static unsigned way_of_line(const struct look_line *line)
{
	return MAPPED | (line->shared ? SHARED : 0) | line->prot;
}

static const char *said(unsigned way, char *text)
{
	if (way == 0)
		return "nothing";
	snprintf(text, 8, "%c%c%c%c", way & PROT_READ ? 'r' : '-',
	         way & PROT_WRITE ? 'w' : '-', way & PROT_EXEC ? 'x' : '-',
	         way & SHARED ? 's' : 'p');
	return text;
}

static int in_doubt(const struct replay *replay, uint64_t address)
{
	return space_find(&replay->doubt, address) != NULL;
}

/* The stack of the main thread grows without a call. */
static int is_stack(const struct look_line *line)
{
	return line && look_named(line, "[stack]");
}

static void differ(struct shots *shots, const struct replay *replay,
                   struct span span, unsigned model, unsigned kernel)
{
	char a[8], b[8];
	uint64_t doubtful = 0;

	for (uint64_t at = span.start; at < span.end; at += PAGE)
		doubtful += in_doubt(replay, at);
	shots->wrong += (span.end - span.start) / PAGE;
	shots->doubtful += doubtful;
	if (!shots->may_doubt || doubtful < (span.end - span.start) / PAGE)
		fprintf(stderr, "mark %zu: %lx-%lx: model %s, kernel %s%s\n",
		        shots->next, span.start, span.end, said(model, a),
		        said(kernel, b), doubtful ? ", in doubt" : "");
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* From border to border of either side. */
static void compare(struct shots *shots, const struct replay *replay,
                    const struct look *look)
{
	struct space_at place = space_seek(&replay->space, 0);
	size_t i = 0;
	uint64_t at = 0;

	for (;;) {
		const struct space_piece *piece =
			space_get(&replay->space, place);
		const struct look_line *line =
			i < look->count ? &look->line[i] : NULL;
		uint64_t end = UINT64_MAX;
		unsigned model = 0, kernel = 0;

		if (!piece && !line)
			return;
		if (piece) {
			model = piece->start <= at ? way_of_piece(piece) : 0;
			end = least(end, model ? piece->end : piece->start);
		}
		if (line) {
			kernel = line->start <= at ? way_of_line(line) : 0;
			end = least(end, kernel ? line->end : line->start);
		}
		if (kernel)
			shots->pages += (end - at) / PAGE;
		if (shots->may_doubt) /* mprotect settles all that it tells */
			model &= ~SHARED, kernel &= ~SHARED;
		if (model != kernel && !(is_stack(line) && !model))
			differ(shots, replay, (struct span){ at, end }, model,
			       kernel);
		at = end;
		if (piece && piece->end <= at)
			place = space_next(&replay->space, place);
		if (line && line->end <= at)
			i++;
	}
}

/* Has another call changed something between this mark and the next? */
static int is_disturbed(const struct shots *shots, size_t mark)
{
	const struct ledger_run *run = shots->run;
	uint64_t from = shots->mark[mark].order;
	uint64_t until = shots->mark[mark + 1].order;

	for (size_t i = 0; i < run->event_count; i++) {
		const struct trace_event *event = run->event[i].event;
		uint64_t last = least(event->ticket, ledger_order(event));

		if (call_shape(event) != CALL_NEITHER && last < until &&
		    (event->ticket_after > from || event->ticket > from))
			return 1;
	}
	return 0;
}

static void check(struct shots *shots, const struct replay *replay)
{
	const struct mark *mark = &shots->mark[shots->next];
	struct file_look size = { .text_size = mark->text_size };
	struct ledger_look text = { &size, mark->text };
	struct look look;

	if (!mark->text)
		return;
	if (is_disturbed(shots, shots->next)) {
		shots->disturbed++;
		return;
	}
	must(look_read(&look, &text), "no memory");
	compare(shots, replay, &look);
	shots->maps++;
	look_free(&look);
}

void shots_until(struct shots *shots, const struct replay *replay, uint64_t tsc)
{
	(void)tsc;
	while (shots->next < shots->count &&
	       shots->mark[shots->next].order <= replay->order) {
		check(shots, replay);
		shots->next++;
	}
}

/* ---- reading ------------------------------------------------------------ */

static char *read_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	char *bytes;

	must(fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0, path);
	*size = (size_t)st.st_size;
	/* with a NUL behind it, for sscanf */
	bytes = mmap(NULL, *size + PAGE, PROT_READ | PROT_WRITE,
	             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(bytes != MAP_FAILED, "no memory");
	for (size_t at = 0; at < *size;) {
		ssize_t n = read(fd, bytes + at, *size - at);

		must(n > 0, path);
		at += (size_t)n;
	}
	close(fd);
	return bytes;
}

static int is_mark(const struct trace_event *event)
{
	return event->call == SYS_madvise && event->args[2] == STORM_ADVICE;
}

static void find_marks(struct shots *shots, const struct ledger_run *run)
{
	for (size_t i = 0; i < run->event_count; i++) {
		const struct trace_event *event = run->event[i].event;

		if (!is_mark(event))
			continue;
		must(event->args[0] - STORM_MARK == shots->count,
		     "marks are not in order");
		shots->mark = realloc(shots->mark,
		                      (shots->count + 1) * sizeof(struct mark));
		must(shots->mark != NULL, "no memory");
		shots->mark[shots->count++] =
			(struct mark){ .order = ledger_order(event) };
	}
	must(shots->count >= 2 && shots->count % 2 == 0, "no marks");
}

/* Events of this call between the first mark and the last. */
static unsigned long recorded(const struct shots *shots, unsigned call)
{
	const struct ledger_run *run = shots->run;
	unsigned long count = 0;

	for (size_t i = 0; i < run->event_count; i++) {
		const struct trace_event *event = run->event[i].event;

		count += event->call == call && !is_mark(event) &&
		         event->ticket > shots->mark[0].order &&
		         event->ticket < shots->mark[shots->count - 1].order;
	}
	return count;
}

/* What the program has printed; how many of its calls are not events. */
static int read_output(struct shots *shots, const char *at, size_t size)
{
	const char *end = at + size, *newline;
	unsigned long number, count;
	int missing = 0;

	for (; (newline = memchr(at, '\n', (size_t)(end - at)));
	     at = newline + 1) {
		if (sscanf(at, "mark %lu %lu\n", &number, &count) == 2) {
			must(number < shots->count &&
			             count < (size_t)(end - newline),
			     "a mark without its event");
			shots->mark[number].text = newline + 1;
			shots->mark[number].text_size = count;
			newline += count;
		} else if (sscanf(at, "made %lu %lu\n", &number, &count) == 2 &&
		           recorded(shots, (unsigned)number) != count) {
			fprintf(stderr, "call %lu: made %lu, recorded %lu\n",
			        number, count,
			        recorded(shots, (unsigned)number));
			missing++;
		}
	}
	for (size_t i = 0; i < shots->count; i += 2)
		must(shots->mark[i].text != NULL, "an event without its map");
	return missing;
}

int main(int argc, char **argv)
{
	struct shots shots = { .may_doubt = argc > 3 };
	struct replay replay;
	enum file_error error;
	const char *bytes;
	size_t size;
	int missing;

	must(argc == 3 || (argc == 4 && strcmp(argv[3], "doubt") == 0),
	     "storm_check RUN OUTPUT [doubt]");
	bytes = read_file(argv[1], &size);
	shots.run = ledger_read(bytes, size, &error);
	must(shots.run != NULL, "no run file");
	find_marks(&shots, shots.run);
	bytes = read_file(argv[2], &size);
	missing = read_output(&shots, bytes, size);
	must(replay_shots(&replay, shots.run, &shots), "the replay failed");
	printf("%lu %lu %lu %lu %lu\n", shots.maps, shots.pages, shots.wrong,
	       shots.doubtful, shots.disturbed);
	return missing > 0 || shots.maps + shots.disturbed != shots.count / 2 ||
	       shots.wrong > (shots.may_doubt ? shots.doubtful : 0);
}
