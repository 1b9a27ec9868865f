/*
 * Which file's code was at an address, and when.  A library that is closed
 * leaves its addresses to the next one.
 *
 * The program and its interpreter are there from the start.  Of a library the
 * run file has a module, with the ticket at which its code had been mapped; it
 * stands until the page where its code begins is unmapped.
 *
 * To find what was where and when, the addresses at which a module begins or
 * ends are the leaves of a segment tree.  A module is told of in the few nodes
 * that together are its range, and each node knows the moments at which what it
 * tells of changes.
 */
#include "observer/ledger/internal.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct reading {
	struct modules *modules;
	const struct ledger_module **library; /* by their tickets */
	size_t library_count;
	/* tsearch() trees of the spans of libraries that are mapped */
	void *by_file, *by_code;
	int failed;
};

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* ---- what stands -------------------------------------------------------- */

static int compare_files(const void *left, const void *right)
{
	const struct module_span *a = left, *b = right;
	int bias = compare(a->module->module->bias, b->module->module->bias);

	return bias ? bias : strcmp(a->module->path, b->module->path);
}

static int compare_codes(const void *left, const void *right)
{
	const struct module_span *a = left, *b = right;
	int code = compare(a->code, b->code);

	return code ? code : (a > b) - (a < b);
}

struct range {
	uint64_t start, size;
};

/* 0 for any code in the range. */
static int compare_range(const void *left, const void *right)
{
	const struct range *range = left;
	const struct module_span *span = right;

	if (span->code - range->start < range->size)
		return 0;
	return compare(range->start, span->code);
}

static struct module_span *add_span(struct modules *modules,
                                    const struct ledger_module *module,
                                    uint64_t code, uint64_t from)
{
	struct module_span *span = &modules->span[modules->count++];

	*span = (struct module_span){ module, code, from, UINT64_MAX };
	return span;
}

static void code_went(struct reading *reading, uint64_t start, uint64_t size,
                      uint64_t order)
{
	const struct range range = { start, size };
	struct module_span **found;

	while ((found = tfind(&range, &reading->by_code, compare_range))) {
		struct module_span *span = *found;

		span->until = order;
		tdelete(span, &reading->by_code, compare_codes);
		tdelete(span, &reading->by_file, compare_files);
	}
}

/* It is told of twice when it changes the protection of its code. */
static void library_came(struct reading *reading,
                         const struct ledger_module *library)
{
	struct module_span *span =
		add_span(reading->modules, library, library->module->code,
	                 library->module->ticket);
	struct module_span **stands =
		tsearch(span, &reading->by_file, compare_files);

	if (stands && *stands != span)
		reading->modules->count--;
	else if (!stands || !tsearch(span, &reading->by_code, compare_codes))
		reading->failed = 1;
}

static void leave(void *span)
{
	(void)span; /* it is the modules' */
}

/* ---- the run ------------------------------------------------------------ */

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

/* ---- the tree ----------------------------------------------------------- */

/* A node tells of this span from then on, of those that it has the latest;
 * NULL: of none. */
struct module_moment {
	size_t node;
	uint64_t at;
	const struct module_span *span;
};

static int by_address(const void *left, const void *right)
{
	return compare(*(const uint64_t *)left, *(const uint64_t *)right);
}

/* Of spans that begin at one moment the first in order is the last: it is
 * the one that counts. */
static int by_moment(const void *left, const void *right)
{
	const struct module_moment *a = left, *b = right;

	if (a->node != b->node)
		return a->node < b->node ? -1 : 1;
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return compare((uintptr_t)b->span, (uintptr_t)a->span);
}

static int cut_addresses(struct modules *modules)
{
	uint64_t *cut = calloc(2 * modules->count + 1, sizeof(*cut));
	size_t count = 0;

	modules->cut = cut;
	if (!cut)
		return 0;
	for (size_t i = 0; i < modules->count; i++) {
		cut[2 * i] = modules->span[i].module->module->start;
		cut[2 * i + 1] = modules->span[i].module->module->end;
	}
	qsort(cut, 2 * modules->count, sizeof(*cut), by_address);
	for (size_t i = 0; i < 2 * modules->count; i++)
		if (count == 0 || cut[count - 1] != cut[i])
			cut[count++] = cut[i];
	modules->cut_count = count;
	return 1;
}

/* How many cuts are at or before `address`. */
static size_t cuts_until(const struct modules *modules, uint64_t address)
{
	size_t low = 0, high = modules->cut_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (modules->cut[middle] <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int add_moment(struct vector *moments, size_t node, uint64_t at,
                      const struct module_span *span)
{
	struct module_moment *moment = vector_add(moments, sizeof(*moment));

	if (moment)
		*moment = (struct module_moment){ node, at, span };
	return moment != NULL;
}

static int tell_node(struct vector *moments, size_t node,
                     const struct module_span *span)
{
	return add_moment(moments, node, span->from, span) &&
	       (span->until == UINT64_MAX ||
	        add_moment(moments, node, span->until + 1, NULL));
}

/* To the nodes that together are its range: at most two of each height. */
static int tell_nodes(struct modules *modules, struct vector *moments,
                      const struct module_span *span)
{
	const struct file_module *module = span->module->module;
	size_t leaves = modules->cut_count;
	size_t low = leaves + cuts_until(modules, module->start) - 1;
	size_t high = leaves + cuts_until(modules, module->end) - 1;
	int done = 1;

	for (; low < high; low /= 2, high /= 2) {
		if (low & 1)
			done &= tell_node(moments, low++, span);
		if (high & 1)
			done &= tell_node(moments, --high, span);
	}
	return done;
}

/* Of what begins and ends in a node, in order, to what it tells of: spans wait
 * in a stack until those that came behind them are gone. */
static size_t follow_nodes(struct module_moment *moment, size_t count,
                           const struct module_span **stack)
{
	size_t kept = 0, depth = 0;

	for (size_t i = 0; i < count; i++) {
		const struct module_moment next = moment[i];

		if (kept == 0 || moment[kept - 1].node != next.node)
			depth = 0;
		if (next.span)
			stack[depth++] = next.span;
		while (depth > 0 && stack[depth - 1]->until < next.at)
			depth--;
		if (kept == 0 || moment[kept - 1].node != next.node ||
		    moment[kept - 1].at != next.at)
			kept++;
		moment[kept - 1] = (struct module_moment){
			next.node, next.at, depth ? stack[depth - 1] : NULL
		};
	}
	return kept;
}

static int build_tree(struct modules *modules)
{
	const struct module_span **stack =
		calloc(modules->count + 1, sizeof(*stack));
	struct vector moments = { 0 };
	int done = stack && cut_addresses(modules);

	for (size_t i = 0; done && i < modules->count; i++)
		done = tell_nodes(modules, &moments, &modules->span[i]);
	modules->moment = moments.item;
	if (done && moments.count > 0) {
		qsort(moments.item, moments.count, sizeof(*modules->moment),
		      by_moment);
		modules->moment_count =
			follow_nodes(moments.item, moments.count, stack);
	}
	free(stack);
	return done;
}

/* How many moments are before the node's first one behind `order`. */
static size_t moments_until(const struct modules *modules, size_t node,
                            uint64_t order)
{
	size_t low = 0, high = modules->moment_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct module_moment *moment = &modules->moment[middle];

		if (moment->node < node ||
		    (moment->node == node && moment->at <= order))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What the node tells of at that moment, and for how long. */
static void ask_node(const struct modules *modules, size_t node, uint64_t order,
                     struct module_span *found, const struct module_span **last)
{
	size_t i = moments_until(modules, node, order);
	const struct module_moment *next = modules->moment + i;

	if (i < modules->moment_count && next->node == node &&
	    found->until >= next->at)
		found->until = next->at - 1;
	if (i == 0 || next[-1].node != node)
		return;
	if (found->from < next[-1].at)
		found->from = next[-1].at;
	if (next[-1].span &&
	    (!*last || next[-1].span->from > (*last)->from ||
	     (next[-1].span->from == (*last)->from && next[-1].span < *last)))
		*last = next[-1].span;
}

struct module_span modules_find(const struct modules *modules, uint64_t address,
                                uint64_t order)
{
	struct module_span found = { .until = UINT64_MAX };
	const struct module_span *last = NULL;
	size_t leaf = cuts_until(modules, address);

	if (leaf == 0)
		return found;
	for (size_t node = modules->cut_count + leaf - 1; node > 0; node /= 2)
		ask_node(modules, node, order, &found, &last);
	if (last)
		found.module = last->module;
	return found;
}

/* ---- the whole ---------------------------------------------------------- */

int modules_read(struct modules *modules, const struct ledger_run *run)
{
	size_t count = run->module_count;
	struct reading reading = { .modules = modules };
	int done;

	*modules = (struct modules){ 0 };
	modules->span = calloc(count + 1, sizeof(*modules->span));
	reading.library = calloc(count + 1, sizeof(*reading.library));
	done = modules->span && reading.library;
	if (done) {
		sort_modules(&reading, run);
		follow_run(&reading, run);
		done = !reading.failed && build_tree(modules);
	}
	tdestroy(reading.by_file, leave);
	tdestroy(reading.by_code, leave);
	free(reading.library);
	return done;
}

void modules_free(struct modules *modules)
{
	free(modules->span);
	free(modules->cut);
	free(modules->moment);
	*modules = (struct modules){ 0 };
}
