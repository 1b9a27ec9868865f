/*
 * The page's mappings over time.
 *
 * A page shows LIVES_MOST of them one by one: those of the last moment, then
 * those with the most bytes x time.  All others are its *rest*, sums that leave
 * nothing out: for each kind and stack, in EDGES equal steps of time, how many
 * mappings began in the step, with how many bytes, and how many there were at
 * its end.  So what the page says of the whole run, or of whole steps, is
 * exact.
 */
#include "observer/report/html.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LIVES_MOST  32768
#define EDGES       256
#define GROUPS_MOST 1024 /* of kind and stack, in the rest */
#define SHOTS_MOST  64
#define RANGES_MOST 32768 /* of all shots, or so */
#define MARKS_MOST  128   /* threads */

/* ---- groups -------------------------------------------------------------- */

/* The row that a mapping is of, or would have been. */
static size_t group_of(struct page *page, const struct ledger_life *life)
{
	size_t i = 0;

	for (; i < page->group_count; i++)
		if (strcmp(page->group[i].kind, life->kind) == 0 &&
		    strcmp(page->group[i].owner, life->owner) == 0)
			return i;
	if (i == page->group_room) {
		size_t room = i ? 2 * i : 64;
		struct page_group *grown =
			realloc(page->group, room * sizeof(*grown));

		page->failed |= !grown;
		if (!grown)
			return 0;
		page->group = grown;
		page->group_room = room;
	}
	page->group[page->group_count++] =
		(struct page_group){ life->kind, life->owner };
	return i;
}

static void take_rows(struct page *page)
{
	const struct ledger *ledger = page->ledger;

	for (size_t i = 0; i < ledger->row_count; i++)
		group_of(page, &(struct ledger_life){
				       .kind = ledger->row[i].kind,
				       .owner = ledger->row[i].owner });
}

static void write_groups(struct page *page, const struct ledger_lives *lives)
{
	fputs(",\"groups\":[", page->out);
	for (size_t i = 0; i < page->group_count; i++) {
		const struct page_group *group = &page->group[i];
		const char *kind = group->kind;

		if (page->redacted && i < page->ledger->row_count)
			kind = page->shown->row[i].kind;
		else if (page->redacted)
			kind = redact_kind(page->redacted, kind, group->owner,
			                   lives->word, lives->word_count);
		fputs(i ? ",[" : "[", page->out);
		report_json_string(page->out, kind);
		putc(',', page->out);
		report_json_string(page->out, group->owner);
		putc(']', page->out);
	}
	putc(']', page->out);
}

/* ---- which are shown ----------------------------------------------------- */

static double area(const struct ledger_life *life)
{
	return (double)(life->end - life->start) *
	       ((double)(life->until - life->from) + 1);
}

static int by_weight(const void *left, const void *right)
{
	const struct ledger_life *a = *(const struct ledger_life *const *)left;
	const struct ledger_life *b = *(const struct ledger_life *const *)right;
	double of_a = area(a), of_b = area(b);

	if (a->last != b->last)
		return b->last - a->last;
	if (of_a != of_b)
		return of_a < of_b ? 1 : -1;
	return a < b ? -1 : a > b;
}

static int by_place(const void *left, const void *right)
{
	const struct ledger_life *a = *(const struct ledger_life *const *)left;
	const struct ledger_life *b = *(const struct ledger_life *const *)right;

	return a < b ? -1 : a > b; /* as lives are: by time, then address */
}

static uint64_t call_of(const struct ledger_life *life)
{
	return life->event ? life->event->event->call : TRACE_FACT;
}

static uint32_t path_of(struct page *page, const struct ledger_life *life)
{
	return page_text(page, page->redacted ? NULL : life->path);
}

static void write_shown(struct page *page, const struct ledger_life **life,
                        size_t count)
{
	if (count > 0)
		qsort(life, count, sizeof(*life), by_place);
	fputs(",\"lives\":{\"v\":1", page->out);
	PAGE_COLUMN(page, "start", count, life[at]->start);
	PAGE_COLUMN(page, "size", count, life[at]->end - life[at]->start);
	PAGE_COLUMN(page, "from", count, life[at]->from);
	PAGE_COLUMN(page, "until", count, life[at]->until);
	PAGE_COLUMN(page, "last", count, life[at]->last != 0);
	PAGE_COLUMN(page, "group", count, group_of(page, life[at]));
	PAGE_COLUMN(page, "stack", count, page_stack(page, life[at]->event));
	PAGE_COLUMN(page, "call", count, call_of(life[at]));
	PAGE_COLUMN(page, "prot", count, life[at]->prot);
	PAGE_COLUMN(page, "flags", count, life[at]->flags);
	PAGE_COLUMN(page, "path", count, path_of(page, life[at]));
	PAGE_COLUMN(page, "resident", count, life[at]->resident);
	putc('}', page->out);
}

/* ---- the rest ------------------------------------------------------------ */

struct sums {
	uint64_t count, reserved, committed;
};

struct step {
	struct sums began;
	/* that are there at its end; while they are added up, the change */
	struct sums there;
};

struct rest_group {
	uint32_t group, stack;
	struct step *step; /* EDGES + 1 of them */
};

struct rest {
	struct rest_group group[GROUPS_MOST];
	size_t count;
};

static void add(struct sums *sums, const struct ledger_life *life, int sign)
{
	uint64_t bytes = (life->end - life->start) * (uint64_t)sign;

	sums->count += (uint64_t)sign;
	sums->reserved += life->prot ? 0 : bytes;
	sums->committed += life->prot ? bytes : 0;
}

/* The step that `t` is in: edge n is at duration x (n + 1) / EDGES, and belongs
 * to the step it ends. */
static size_t step_of(const struct page *page, uint64_t t)
{
	uint64_t duration = page->ledger->duration;

	if (t == 0 || duration == 0)
		return 0;
	if (t >= duration)
		return EDGES - 1;
	return (size_t)(((unsigned __int128)t * EDGES - 1) / duration);
}

/* Too many groups: those that come last are told by their kind alone, and if
 * even that is too much, with the first. */
static struct rest_group *rest_of(struct page *page, struct rest *rest,
                                  uint32_t group, uint32_t stack)
{
	struct rest_group *found = rest->group;

	if (rest->count >= GROUPS_MOST / 2)
		stack = PAGE_OTHERS;
	for (; found < rest->group + rest->count; found++)
		if (found->group == group && found->stack == stack)
			return found;
	if (rest->count == GROUPS_MOST)
		return rest->group;
	found->step = calloc(EDGES + 1, sizeof(*found->step));
	page->failed |= !found->step;
	if (!found->step)
		return NULL;
	found->group = group;
	found->stack = stack;
	rest->count++;
	return found;
}

static void take_rest(struct page *page, struct rest *rest,
                      const struct ledger_life *life)
{
	struct rest_group *group =
		rest_of(page, rest, (uint32_t)group_of(page, life),
	                page_stack(page, life->event));
	size_t first = step_of(page, life->from);
	/* It is not there any more at the edge where it ends. */
	size_t gone = step_of(page, life->until);

	if (!group)
		return;
	add(&group->step[first].began, life, 1);
	if (life->last)
		gone = EDGES;
	add(&group->step[first].there, life, 1);
	add(&group->step[gone].there, life, -1);
}

static void write_step(struct page *page, size_t group, size_t i,
                       const struct sums *began, const struct sums *there)
{
	fprintf(page->out,
	        "[%zu,%zu,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
	        ",%" PRIu64 ",%" PRIu64 "]",
	        group, i, began->count, began->reserved, began->committed,
	        there->count, there->reserved, there->committed);
}

static void write_steps(struct page *page, const struct rest *rest)
{
	const char *before = "";

	for (size_t g = 0; g < rest->count; g++) {
		struct sums there = { 0 };

		for (size_t i = 0; i < EDGES; i++) {
			const struct step *step = &rest->group[g].step[i];

			there.count += step->there.count;
			there.reserved += step->there.reserved;
			there.committed += step->there.committed;
			if (step->began.count == 0 && there.count == 0)
				continue;
			fputs(before, page->out);
			write_step(page, g, i, &step->began, &there);
			before = ",";
		}
	}
}

static void write_rest(struct page *page, const struct ledger_life **life,
                       size_t count)
{
	struct rest *rest = calloc(1, sizeof(*rest));

	page->failed |= !rest;
	if (!rest)
		return;
	for (size_t i = 0; i < count; i++)
		take_rest(page, rest, life[i]);
	fprintf(page->out, ",\"rest\":{\"count\":%zu,\"edges\":%d", count,
	        EDGES);
	PAGE_COLUMN(page, "group", rest->count, rest->group[at].group);
	PAGE_COLUMN(page, "stack", rest->count, rest->group[at].stack);
	fputs(",\"steps\":[", page->out);
	write_steps(page, rest);
	fputs("]}", page->out);
	for (size_t i = 0; i < rest->count; i++)
		free(rest->group[i].step);
	free(rest);
}

/* ---- times that stand out ------------------------------------------------ */

static void mark(struct page *page, uint64_t t, const char *what)
{
	fprintf(page->out, ",[%" PRIu64 ",\"%s\"]", t, what);
}

static int is_collection(const struct ledger_frame *frame)
{
	static const char *const functions[] = {
		"runtime.gcStart",
		"runtime.gcBgMark",
		"runtime.gcDrain",
		"runtime.gcMark",
	};
	const char *function = frame->place.function;

	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		if (function &&
		    strncmp(function, functions[i], strlen(functions[i])) == 0)
			return 1;
	return 0;
}

/* Of those that asked for memory. */
static int is_of_collector(struct page *page, const struct ledger_event *event)
{
	const struct ledger_frame *frame;
	size_t count = ledger_frames_of(page->names, event, &frame);

	for (size_t i = 0; i < count; i++)
		if (is_collection(&frame[i]))
			return 1;
	return 0;
}

static void mark_collector(struct page *page)
{
	const struct ledger_run *run = page->ledger->run;
	struct pool seen = { 0 };

	for (size_t i = 0; run->go_version && i < run->event_count; i++) {
		const struct ledger_event *event = &run->event[i];
		size_t known = seen.count;

		if (event->event->call >= TRACE_FACT)
			continue;
		pool_put(&seen, &event->stack, sizeof(event->stack));
		if (seen.count == known || !is_of_collector(page, event))
			continue;
		mark(page, ledger_time(run, event->event->tsc), "GC at work");
		break;
	}
	pool_free(&seen);
}

/* The rows of the table below, each for the first life it fits. */
static int is_go(const struct ledger_life *life)
{
	return strcmp(life->owner, "Go runtime") == 0;
}

static int is_growth(const struct ledger_life *life)
{
	return is_go(life) && strcmp(life->kind, "heap") == 0 && life->prot &&
	       !life->site.at_start;
}

static int is_arena(const struct ledger_life *life)
{
	return strcmp(life->kind, "malloc arena") == 0;
}

static void mark_lives(struct page *page, const struct ledger_lives *lives)
{
	static const struct {
		int (*is)(const struct ledger_life *life);
		const char *what;
	} marks[] = {
		{ is_go, "Go runtime starts" },
		{ is_growth, "heap grows" },
		{ is_arena, "first malloc arena" },
	};

	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		for (size_t at = 0; at < lives->count; at++)
			if (marks[i].is(&lives->life[at])) {
				mark(page, lives->life[at].from, marks[i].what);
				break;
			}
}

static void write_marks(struct page *page, const struct ledger_lives *lives)
{
	const struct ledger_run *run = page->ledger->run;
	size_t threads = 0;

	fputs(",\"marks\":[[0,\"execve\"]", page->out);
	mark_lives(page, lives);
	mark_collector(page);
	for (size_t i = 0; i < run->event_count; i++) {
		const struct trace_event *event = run->event[i].event;
		uint64_t t = ledger_time(run, event->tsc);

		if (event->call == TRACE_BOOTED)
			mark(page, t, "first instruction");
		else if (event->call == TRACE_THREAD && threads++ < MARKS_MOST)
			mark(page, t, "thread");
		else if (event->call == TRACE_CHILD && threads < MARKS_MOST)
			mark(page, t, "child process");
	}
	fprintf(page->out, "],\"threads\":%zu", threads);
}

/* ---- what was resident --------------------------------------------------- */

/* One of how many shots is taken. */
static size_t shot_step(const struct ledger_run *run)
{
	size_t ranges = 0,
	       shots = (run->shot_count + SHOTS_MOST - 1) / SHOTS_MOST;

	for (size_t i = 0; i < run->shot_count; i++)
		ranges += run->shot[i].count;
	ranges = (ranges + RANGES_MOST - 1) / RANGES_MOST;
	return shots > ranges ? shots : ranges;
}

static void write_shots(struct page *page)
{
	const struct ledger_run *run = page->ledger->run;
	size_t step = shot_step(run);

	fputs(",\"shots\":[", page->out);
	for (size_t i = 0; i < run->shot_count; i += step) {
		const struct ledger_shot *shot = &run->shot[i];

		fprintf(page->out, "%s{\"t\":%" PRIu64, i ? "," : "",
		        ledger_time(run, shot->tsc));
		PAGE_COLUMN(page, "start", shot->count, shot->range[at].start);
		PAGE_COLUMN(page, "size", shot->count,
		            shot->range[at].end - shot->range[at].start);
		PAGE_COLUMN(page, "bytes", shot->count, shot->range[at].bytes);
		putc('}', page->out);
	}
	putc(']', page->out);
}

/* ---- all of it ----------------------------------------------------------- */

static void write_lives(struct page *page, const struct ledger_lives *lives,
                        const struct ledger_life **life)
{
	size_t shown = lives->count < LIVES_MOST ? lives->count : LIVES_MOST;

	for (size_t i = 0; i < lives->count; i++)
		life[i] = &lives->life[i];
	if (lives->count > LIVES_MOST)
		qsort(life, lives->count, sizeof(*life), by_weight);
	write_shown(page, life, shown);
	write_rest(page, life + shown, lives->count - shown);
	write_groups(page, lives);
	write_marks(page, lives);
}

void page_write_lives(struct page *page)
{
	struct ledger_lives *lives =
		ledger_lives(page->ledger, page->namer, page->context);
	const struct ledger_life **life =
		calloc(lives ? lives->count + 1 : 1, sizeof(*life));

	take_rows(page);
	page->failed |= !lives || !life;
	if (lives && life)
		write_lives(page, lives, life);
	write_shots(page);
	free(life);
	ledger_lives_free(lives);
}
