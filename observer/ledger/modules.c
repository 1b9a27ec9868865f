/*
 * Which file's code was at an address, and when.  A library that is closed
 * leaves its addresses to the next one.
 *
 * The program and its interpreter are there from the start.  Of a library the
 * run file has a module, with the ticket at which its code had been mapped; it
 * stands until the page where its code begins is unmapped.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct reading {
	struct modules *modules;
	const struct ledger_module **library; /* by their tickets */
	size_t library_count;
	size_t *standing;
	size_t standing_count; /* libraries that are mapped: spans */
};

static int holds(const struct ledger_module *module, uint64_t address)
{
	return address >= module->module->start &&
	       address < module->module->end;
}

static int same(const struct ledger_module *a, const struct ledger_module *b)
{
	return a->module->bias == b->module->bias &&
	       strcmp(a->path, b->path) == 0;
}

static void add_span(struct modules *modules,
                     const struct ledger_module *module, uint64_t code,
                     uint64_t from)
{
	modules->span[modules->count++] =
		(struct module_span){ module, code, from, UINT64_MAX };
}

static void code_went(struct reading *reading, uint64_t start, uint64_t size,
                      uint64_t order)
{
	for (size_t i = reading->standing_count; i-- > 0;) {
		struct module_span *span =
			&reading->modules->span[reading->standing[i]];
		if (span->code - start >= size)
			continue;
		span->until = order;
		reading->standing[i] =
			reading->standing[--reading->standing_count];
	}
}

static int stands(const struct reading *reading,
                  const struct ledger_module *library)
{
	const struct module_span *span = reading->modules->span;

	for (size_t i = 0; i < reading->standing_count; i++)
		if (same(span[reading->standing[i]].module, library))
			return 1;
	return 0;
}

/* It is told of twice when it changes the protection of its code. */
static void library_came(struct reading *reading,
                         const struct ledger_module *library)
{
	if (stands(reading, library))
		return;
	reading->standing[reading->standing_count++] = reading->modules->count;
	add_span(reading->modules, library, library->module->code,
	         library->module->ticket);
}

static void follow(struct reading *reading, const struct trace_event *event,
                   uint64_t order)
{
	const uint64_t *args = event->args;

	if (trace_failed(event->result))
		return;
	switch (event->call) {
	case SYS_munmap:
		code_went(reading, args[0], args[1], order);
		break;
	case SYS_mremap:
		code_went(reading, args[0], args[1], order);
		code_went(reading, event->result, args[2], order);
		break;
	case SYS_mmap:
		code_went(reading, event->result, args[1], order);
		break;
	default:
		break;
	}
}

static void follow_run(struct reading *reading, const struct ledger_run *run)
{
	size_t next = 0;

	for (size_t i = 0; i < run->event_count; i++) {
		const struct trace_event *event = run->event[i].event;
		uint64_t order = ledger_order(event);

		while (next < reading->library_count &&
		       reading->library[next]->module->ticket <= order)
			library_came(reading, reading->library[next++]);
		follow(reading, event, order);
	}
	while (next < reading->library_count)
		library_came(reading, reading->library[next++]);
}

static int by_ticket(const void *left, const void *right)
{
	const struct ledger_module *const *a = left, *const *b = right;
	uint64_t x = (*a)->module->ticket, y = (*b)->module->ticket;

	if (x != y)
		return x < y ? -1 : 1;
	return *a < *b ? -1 : *a > *b;
}

static void sort_modules(struct reading *reading, const struct ledger_run *run)
{
	for (size_t i = 0; i < run->module_count; i++) {
		const struct ledger_module *module = &run->module[i];

		if (module->module->kind < PATCH_MODULES)
			add_span(reading->modules, module, 0, 0);
		else
			reading->library[reading->library_count++] = module;
	}
	qsort(reading->library, reading->library_count,
	      sizeof(*reading->library), by_ticket);
}

int modules_read(struct modules *modules, const struct ledger_run *run)
{
	size_t count = run->module_count;
	struct reading reading = { .modules = modules };

	*modules = (struct modules){ 0 };
	modules->span = calloc(count + 1, sizeof(*modules->span));
	reading.library = calloc(count + 1, sizeof(*reading.library));
	reading.standing = calloc(count + 1, sizeof(*reading.standing));
	if (modules->span && reading.library && reading.standing) {
		sort_modules(&reading, run);
		follow_run(&reading, run);
	}
	free(reading.library);
	free(reading.standing);
	return reading.library && reading.standing && modules->span;
}

void modules_free(struct modules *modules)
{
	free(modules->span);
	*modules = (struct modules){ 0 };
}

struct module_span modules_find(const struct modules *modules, uint64_t address,
                                uint64_t order)
{
	struct module_span found = { .until = UINT64_MAX };
	const struct module_span *last = NULL;

	for (size_t i = 0; i < modules->count; i++) {
		const struct module_span *span = &modules->span[i];
		if (!holds(span->module, address))
			continue;
		if (span->from > order) {
			if (found.until >= span->from)
				found.until = span->from - 1;
			continue;
		}
		if (span->until < order) {
			if (found.from <= span->until)
				found.from = span->until + 1;
			continue;
		}
		if (found.from < span->from)
			found.from = span->from;
		if (found.until > span->until)
			found.until = span->until;
		if (!last || span->from > last->from)
			last = span;
	}
	if (last)
		found.module = last->module;
	return found;
}
