/*
 * Which file's code was at an address, and when.  A library that is closed
 * leaves its addresses to the next one.
 *
 * The program and its interpreter are there from the start.  Of a library the
 * run file has a module, written when its code came, and the call that mapped
 * the code is an event: modules and calls of one range pair up in their order.
 * A library stands until the page where its code begins is unmapped.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MODULES_TRIED 1024 /* so that a hostile file takes no time */

struct reading {
	struct modules *modules;
	const struct ledger_run *run;
	uint8_t *paired; /* of run->module */
	size_t first;    /* not paired */
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

/* The first module without a call that is to have code at `address`. */
static const struct ledger_module *next_module(struct reading *reading,
                                               uint64_t address)
{
	const struct ledger_run *run = reading->run;

	while (reading->first < run->module_count &&
	       reading->paired[reading->first])
		reading->first++;
	for (size_t i = reading->first;
	     i < run->module_count && i - reading->first < MODULES_TRIED; i++)
		if (!reading->paired[i] && holds(&run->module[i], address))
			return &run->module[i];
	return NULL;
}

static void add_span(struct reading *reading,
                     const struct ledger_module *module, uint64_t code,
                     uint64_t from)
{
	struct modules *modules = reading->modules;

	modules->span[modules->count++] =
		(struct module_span){ module, code, from, UINT64_MAX };
	reading->paired[module - reading->run->module] = 1;
}

static const struct module_span *standing_at(const struct reading *reading,
                                             uint64_t address)
{
	for (size_t i = 0; i < reading->standing_count; i++) {
		const struct module_span *span =
			&reading->modules->span[reading->standing[i]];
		if (holds(span->module, address))
			return span;
	}
	return NULL;
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

/* A library asks for its code twice when it changes the protection in
 * between. */
static void code_came(struct reading *reading, uint64_t start, uint64_t order)
{
	const struct module_span *there = standing_at(reading, start);
	const struct ledger_module *module = next_module(reading, start);

	if (!module)
		return;
	if (there && same(there->module, module)) {
		reading->paired[module - reading->run->module] = 1;
	} else if (!there) {
		reading->standing[reading->standing_count++] =
			reading->modules->count;
		add_span(reading, module, start, order);
	}
}

static void follow(struct reading *reading, const struct trace_event *event)
{
	uint64_t order = ledger_order(event);
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
		if ((args[2] & PROT_EXEC) && !(args[3] & MAP_ANONYMOUS))
			code_came(reading, event->result, order);
		break;
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		if (args[2] & PROT_EXEC)
			code_came(reading, args[0], order);
		break;
	default:
		break;
	}
}

int modules_read(struct modules *modules, const struct ledger_run *run)
{
	size_t count = run->module_count;
	struct reading reading = { .modules = modules, .run = run };

	*modules = (struct modules){ 0 };
	modules->span = calloc(count + 1, sizeof(*modules->span));
	reading.paired = calloc(count + 1, sizeof(*reading.paired));
	reading.standing = calloc(count + 1, sizeof(*reading.standing));
	if (modules->span && reading.paired && reading.standing) {
		for (size_t i = 0; i < count; i++)
			if (run->module[i].module->kind < PATCH_MODULES)
				add_span(&reading, &run->module[i], 0, 0);
		for (size_t i = 0; i < run->event_count; i++)
			follow(&reading, run->event[i].event);
		/* whose event is lost: it may have been there all the time */
		for (size_t i = 0; i < count; i++)
			if (!reading.paired[i])
				add_span(&reading, &run->module[i], 0, 0);
	}
	free(reading.paired);
	free(reading.standing);
	return reading.paired && reading.standing && modules->span;
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
