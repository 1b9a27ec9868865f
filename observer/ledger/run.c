/*
 * A run file as arrays: one pass over its blocks.  Events are put in order
 * here, so that all others see one sequence.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>

void *vector_add(struct vector *vector, size_t size)
{
	if (vector->count == vector->capacity) {
		size_t capacity = vector->capacity ? 2 * vector->capacity : 16;
		void *item = realloc(vector->item, capacity * size);

		if (!item)
			return NULL;
		vector->item = item;
		vector->capacity = capacity;
	}
	return (char *)vector->item + vector->count++ * size;
}

/* ---- order -------------------------------------------------------------- */

static int replaces(uint64_t flags)
{
	return (flags & MAP_FIXED) && !(flags & MAP_FIXED_NOREPLACE);
}

enum call_shape call_shape(const struct trace_event *event)
{
	switch (event->call) {
	case SYS_munmap:
	case SYS_shmdt:
	case SYS_io_destroy:
		return CALL_UNMAPS;
	case SYS_mmap:
		return replaces(event->args[3]) ? CALL_BOTH : CALL_MAPS;
	case SYS_shmat:
		return event->args[2] & SHM_REMAP ? CALL_BOTH : CALL_MAPS;
	case SYS_io_setup:
	case SYS_map_shadow_stack:
		return CALL_MAPS;
	case SYS_brk:
	case SYS_mremap:
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		return CALL_BOTH;
	default:
		return CALL_NEITHER;
	}
}

uint64_t ledger_order(const struct trace_event *event)
{
	if (call_shape(event) == CALL_UNMAPS)
		return event->ticket;
	/* What has one ticket may have left the other at 0. */
	return event->ticket_after > event->ticket ? event->ticket_after
	                                           : event->ticket;
}

static int compare(const void *left, const void *right)
{
	const struct ledger_event *a = left, *b = right;
	uint64_t a_order = ledger_order(a->event);
	uint64_t b_order = ledger_order(b->event);

	if (a_order != b_order)
		return a_order < b_order ? -1 : 1;
	/* One array of bytes: as recorded. */
	return a->event < b->event ? -1 : 1;
}

/* ---- blocks ------------------------------------------------------------- */

struct reading {
	struct ledger_run *run;
	struct vector events, modules, looks, samples, memstats, shots;
	struct vector sites;  /* of struct ledger_sites */
	struct vector stacks; /* of const struct file_stack *, from number 1 */
	uint64_t order;       /* of the latest event */
	int unsorted;         /* it was not always behind the one before */
	int failed;           /* memory is short */
};

/* The string at *at, NULL when it is not terminated inside. */
static const char *next_string(const char **at, const char *end)
{
	const char *text = *at;
	const char *nul = memchr(text, 0, end - text);

	if (!nul)
		return NULL;
	*at = nul + 1;
	return text;
}

static const char *filled(const char *text)
{
	return text && *text ? text : NULL;
}

static void read_program(struct reading *reading, const uint8_t *payload,
                         uint64_t size)
{
	struct ledger_run *run = reading->run;
	const struct file_program *program = (const void *)payload;
	const char *at = (const char *)(program + 1);
	const char *end = (const char *)payload + size;
	const char *path;

	if (size < sizeof(*program) || run->argv ||
	    program->argc > size - sizeof(*program))
		return;
	path = next_string(&at, end);
	run->argv = calloc(program->argc + 1ul, sizeof(*run->argv));
	if (!run->argv) {
		reading->failed = 1;
		return;
	}
	for (uint32_t i = 0; i < program->argc; i++) {
		run->argv[i] = next_string(&at, end);
		if (!run->argv[i])
			return; /* argc lies: the program stays unknown */
	}
	run->program = program;
	run->path = path;
	run->go_version = filled(next_string(&at, end));
	run->build_id = filled(next_string(&at, end));
	run->host = filled(next_string(&at, end));
}

static void read_parent(struct ledger_run *run, const uint8_t *payload,
                        uint64_t size)
{
	const struct file_parent *parent = (const void *)payload;
	const char *at = (const char *)(parent + 1);

	if (size < sizeof(*parent))
		return;
	run->parent = parent;
	run->parent_run =
		filled(next_string(&at, (const char *)payload + size));
}

static void read_clock(struct ledger_run *run, const uint8_t *payload,
                       uint64_t size)
{
	const struct file_clock *clock = (const void *)payload;

	if (size < sizeof(*clock))
		return;
	if (run->first.tsc == 0)
		run->first = *clock;
	run->last = *clock;
}

static void read_stacks(struct reading *reading, const uint8_t *payload,
                        uint64_t size)
{
	const struct file_stack *stack, **copy;
	uint64_t at = 0;

	while ((stack = file_stack(payload, size, &at))) {
		copy = vector_add(&reading->stacks, sizeof(*copy));
		if (!copy) {
			reading->failed = 1;
			return;
		}
		*copy = stack;
	}
	if (at != size)
		reading->run->torn = 1;
}

/* Only one that stands before the event, and is as long as it says. */
static const struct file_stack *stack_of(const struct reading *reading,
                                         const struct trace_event *event)
{
	static const struct file_stack none;
	const struct file_stack *const *stack = reading->stacks.item;
	uint64_t index = event->stack - 1;

	if (index >= reading->stacks.count ||
	    stack[index]->count != event->frames)
		return &none;
	return stack[index];
}

/* They come nearly in order, in many runs all of them. */
static void watch_order(struct reading *reading,
                        const struct trace_event *event)
{
	uint64_t order = ledger_order(event);

	reading->unsorted |= order < reading->order;
	reading->order = order;
}

static void read_events(struct reading *reading, const uint8_t *payload,
                        uint64_t size)
{
	const struct trace_event *event;
	struct ledger_event *copy;
	uint64_t at = 0;

	while ((event = file_event(payload, size, &at))) {
		if (event->flags & TRACE_ABANDONED) {
			reading->run->abandoned_count++;
			continue;
		}
		copy = vector_add(&reading->events, sizeof(*copy));
		if (!copy) {
			reading->failed = 1;
			return;
		}
		*copy = (struct ledger_event){ event,
			                       stack_of(reading, event) };
		watch_order(reading, event);
	}
	if (at != size)
		reading->run->torn = 1;
}

static void read_module(struct reading *reading, const uint8_t *payload,
                        uint64_t size)
{
	const struct file_module *module = (const void *)payload;
	const char *at = (const char *)(module + 1);
	struct ledger_module *copy;

	if (size < sizeof(*module))
		return;
	copy = vector_add(&reading->modules, sizeof(*copy));
	if (!copy) {
		reading->failed = 1;
		return;
	}
	copy->module = module;
	copy->path = next_string(&at, (const char *)payload + size);
	copy->build_id = filled(next_string(&at, (const char *)payload + size));
	if (!copy->path)
		reading->modules.count--;
}

static void read_look(struct reading *reading, const uint8_t *payload,
                      uint64_t size)
{
	const struct file_look *look = (const void *)payload;
	struct ledger_look *copy;

	if (size < sizeof(*look) || look->text_size > size - sizeof(*look))
		return;
	copy = vector_add(&reading->looks, sizeof(*copy));
	if (!copy) {
		reading->failed = 1;
		return;
	}
	*copy = (struct ledger_look){ look, (const char *)(look + 1) };
}

static void read_samples(struct reading *reading, const uint8_t *payload,
                         uint64_t size)
{
	const struct file_sample *sample = (const void *)payload;
	const struct file_sample **copy;

	for (uint64_t i = 0; i < size / sizeof(*sample); i++) {
		copy = vector_add(&reading->samples, sizeof(void *));
		if (!copy) {
			reading->failed = 1;
			return;
		}
		*copy = &sample[i];
	}
}

static void read_memstats(struct reading *reading, const uint8_t *payload,
                          uint64_t size)
{
	const struct file_memstats *stats = (const void *)payload;
	const char *at = (const char *)(stats + 1);
	const struct file_memstats **copy;

	if (size < sizeof(*stats))
		return;
	if (!stats->available) {
		reading->run->memstats_reason =
			next_string(&at, (const char *)payload + size);
		return;
	}
	copy = vector_add(&reading->memstats, sizeof(void *));
	if (!copy) {
		reading->failed = 1;
		return;
	}
	*copy = stats;
}

/* The bytes of ranges in order; 0: they are not. */
static uint64_t sum_ranges(const struct file_resident *range, uint64_t count)
{
	uint64_t last = 0, sum = 0;

	for (uint64_t i = 0; i < count; i++) {
		if (range[i].start < last || range[i].start >= range[i].end ||
		    range[i].bytes > range[i].end - range[i].start)
			return 0;
		last = range[i].end;
		sum += range[i].bytes;
	}
	return sum;
}

static void read_shot(struct reading *reading, const uint8_t *payload,
                      uint64_t size)
{
	const struct file_shot *shot = (const void *)payload;
	const struct file_resident *range = (const void *)(shot + 1);
	struct ledger_shot *copy = reading->shots.item;
	uint64_t bytes;

	if (size < sizeof(*shot) ||
	    shot->count > (size - sizeof(*shot)) / sizeof(*range) ||
	    (copy && copy[reading->shots.count - 1].tsc > shot->tsc))
		return;
	bytes = sum_ranges(range, shot->count);
	if (!bytes)
		return;
	copy = vector_add(&reading->shots, sizeof(*copy));
	if (!copy) {
		reading->failed = 1;
		return;
	}
	*copy = (struct ledger_shot){ shot->tsc, range, shot->count, bytes };
}

/* A library's sites stand behind its module; of the others there is one. */
static const char *path_of_sites(const struct reading *reading, uint8_t kind)
{
	const struct ledger_module *module = reading->modules.item;
	size_t count = reading->modules.count;

	if (kind == PATCH_VDSO)
		return "[vdso]";
	if (kind >= PATCH_MODULES)
		return count ? module[count - 1].path : NULL;
	for (size_t i = 0; i < count; i++)
		if (module[i].module->kind == kind)
			return module[i].path;
	return NULL;
}

static int is_known(const struct reading *reading, const char *path)
{
	const struct ledger_sites *sites = reading->sites.item;

	for (size_t i = 0; i < reading->sites.count; i++)
		if (strcmp(sites[i].path, path) == 0)
			return 1;
	return 0;
}

static void read_sites(struct reading *reading, const uint8_t *payload,
                       uint64_t size)
{
	const struct file_site *site = (const void *)payload;
	size_t count = size / sizeof(*site);
	const char *path = count ? path_of_sites(reading, site->module) : NULL;
	struct ledger_sites *sites;

	if (!path || is_known(reading, path))
		return;
	sites = vector_add(&reading->sites, sizeof(*sites));
	if (!sites) {
		reading->failed = 1;
		return;
	}
	*sites = (struct ledger_sites){ site, count, path };
}

static void read_block(struct reading *reading, const struct file_block *block,
                       const uint8_t *payload)
{
	struct ledger_run *run = reading->run;

	switch (block->type) {
	case FILE_PROGRAM:
		read_program(reading, payload, block->size);
		break;
	case FILE_PARENT:
		read_parent(run, payload, block->size);
		break;
	case FILE_CLOCK:
		read_clock(run, payload, block->size);
		break;
	case FILE_EVENTS:
		read_events(reading, payload, block->size);
		break;
	case FILE_STACKS:
		read_stacks(reading, payload, block->size);
		break;
	case FILE_MODULE:
		read_module(reading, payload, block->size);
		break;
	case FILE_MAPS:
		read_look(reading, payload, block->size);
		break;
	case FILE_SAMPLE:
		read_samples(reading, payload, block->size);
		break;
	case FILE_RESIDENT: /* the latest one counts */
		run->resident = (const void *)payload;
		run->resident_count = block->size / sizeof(*run->resident);
		break;
	case FILE_SHOT:
		read_shot(reading, payload, block->size);
		break;
	case FILE_MEMSTATS:
		read_memstats(reading, payload, block->size);
		break;
	case FILE_SITES:
		read_sites(reading, payload, block->size);
		break;
	case FILE_END:
		if (block->size >= sizeof(*run->end))
			run->end = (const void *)payload;
		break;
	default: /* of a later minor version */
		break;
	}
}

/* ---- the whole ---------------------------------------------------------- */

static uint64_t page_size(const void *bytes)
{
	struct file_header header;
	uint64_t size;

	memcpy(&header, bytes, sizeof(header));
	size = header.page_size;
	return size >= 4096 && size <= 1u << 20 && !(size & (size - 1)) ? size
	                                                                : 4096;
}

/* Moves what was read into the run; 0 when memory was short. */
static int settle(struct reading *reading)
{
	static const struct file_program none;
	struct ledger_run *run = reading->run;

	run->event = reading->events.item;
	run->event_count = reading->events.count;
	if (reading->unsorted)
		qsort(run->event, run->event_count, sizeof(*run->event),
		      compare);
	run->module = reading->modules.item;
	run->module_count = reading->modules.count;
	run->look = reading->looks.item;
	run->look_count = reading->looks.count;
	run->sample = reading->samples.item;
	run->sample_count = reading->samples.count;
	run->memstats = reading->memstats.item;
	run->memstats_count = reading->memstats.count;
	run->shot = reading->shots.item;
	run->shot_count = reading->shots.count;
	run->sites = reading->sites.item;
	run->sites_count = reading->sites.count;
	if (!run->program)
		run->program = &none;
	if (!run->path)
		run->path = "";
	if (!run->host)
		run->host = "";
	return !reading->failed;
}

struct ledger_run *ledger_read(const void *bytes, size_t size,
                               enum file_error *error)
{
	struct reading reading = { 0 };
	struct file_reader reader;
	struct file_block block;
	const uint8_t *payload;
	int done;

	*error = file_open(&reader, bytes, size);
	if (*error != FILE_OK)
		return NULL;
	reading.run = calloc(1, sizeof(*reading.run));
	if (!reading.run)
		return NULL;
	reading.run->page_size = page_size(bytes);
	while (!reading.failed && file_next(&reader, &block, &payload))
		read_block(&reading, &block, payload);
	reading.run->torn |= reader.torn;
	done = settle(&reading);
	free(reading.stacks.item);
	if (done)
		return reading.run;
	ledger_run_free(reading.run);
	return NULL;
}

void ledger_run_free(struct ledger_run *run)
{
	if (!run)
		return;
	free(run->argv);
	free(run->event);
	free(run->module);
	free(run->look);
	free(run->sample);
	free(run->memstats);
	free(run->shot);
	free(run->sites);
	free(run);
}

const struct ledger_module *ledger_module_at(const struct ledger_run *run,
                                             uint64_t address)
{
	for (size_t i = 0; i < run->module_count; i++)
		if (address >= run->module[i].module->start &&
		    address < run->module[i].module->end)
			return &run->module[i];
	return NULL;
}

/* Without two moments on both clocks the tick counts as 1 ns. */
uint64_t ledger_time(const struct ledger_run *run, uint64_t tsc)
{
	uint64_t ticks = run->last.tsc - run->first.tsc;
	uint64_t ns = run->last.ns - run->first.ns;

	if (tsc <= run->first.tsc)
		return 0;
	tsc -= run->first.tsc;
	if (run->last.tsc <= run->first.tsc || run->last.ns <= run->first.ns)
		return tsc;
	return (uint64_t)((unsigned __int128)tsc * ns / ticks);
}
