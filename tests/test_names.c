/* test_names - names of addresses: which file was there, and what is inlined.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define PERSISTENT NAMED_PERSISTENT /* the ledger has one of its own */
#include "tests/run_builder.h"
#undef PERSISTENT

#include "observer/ledger/internal.h"

#define EXEC (PROT_READ | PROT_EXEC)

/* Its code is in its second page. */
static void module_from(struct run *run, uint64_t ticket, uint64_t page,
                        uint64_t pages, int kind, const char *path)
{
	struct file_module module = {
		.bias = BASE + page * PAGE,
		.start = BASE + page * PAGE,
		.end = BASE + (page + pages) * PAGE,
		.kind = (uint64_t)kind,
		.ticket = ticket,
		.code = BASE + (page + 1) * PAGE,
	};

	run_block(run, FILE_MODULE, &module, sizeof(module), path,
	          strlen(path) + 1);
}

static void module(struct run *run, uint64_t page, uint64_t pages, int kind,
                   const char *path)
{
	module_from(run, run->ticket, page, pages, kind, path);
}

/* As ld.so maps: all of it first, then code in the second page. */
static void map_library(struct run *run, uint64_t page, uint64_t pages)
{
	run_call(run, SYS_mmap, BASE + page * PAGE, 0, pages * PAGE, PROT_READ,
	         MAP_PRIVATE, 3);
	run_call(run, SYS_mmap, BASE + (page + 1) * PAGE,
	         BASE + (page + 1) * PAGE, PAGE, EXEC, MAP_PRIVATE | MAP_FIXED,
	         3);
}

static void library(struct run *run, uint64_t page, uint64_t pages,
                    const char *path)
{
	map_library(run, page, pages);
	module(run, page, pages, PATCH_MODULES, path);
}

/* An event to ask at; returns its ticket. */
static uint64_t moment(struct run *run)
{
	run_call(run, SYS_brk, 0, 0, 0, 0, 0, 0);
	return run->ticket - 2;
}

static const struct ledger_run *read_run(struct run *run)
{
	enum file_error error;

	run->read = ledger_read(run->bytes, run->size, &error);
	cr_assert(ne(ptr, run->read, NULL));
	return run->read;
}

/* Names an address by the file it is in. */
static int by_path(void *context, uint64_t address, struct ledger_place *place)
{
	int *asked = context;

	(void)address;
	++*asked;
	if (!place->module)
		return 0;
	place->function = place->module->path;
	return 1;
}

static const struct name *ask(struct names *names, const struct run *run,
                              uint64_t ticket, uint64_t address)
{
	const struct trace_event event = { .ticket = ticket };
	const struct ledger_event from = { .event = &event };

	names_at(names, run->read, &from);
	return names_get(names, address);
}

static void expect(struct names *names, const struct run *run, uint64_t ticket,
                   unsigned page, const char *path)
{
	const struct name *name =
		ask(names, run, ticket, BASE + page * PAGE + 9);
	const char *found = name->place.function;

	cr_expect(eq(str, (char *)(found ? found : "nothing"), (char *)path));
}

Test(names, are_those_of_the_library_that_was_there_then)
{
	struct run run = run_new();
	int asked = 0;
	struct names names = { .namer = by_path, .context = &asked };

	module(&run, 100, 9, PATCH_PROGRAM, "/prog");
	uint64_t before = moment(&run);
	library(&run, 0, 4, "/a.so");
	uint64_t in_a = moment(&run);
	run_munmap(&run, SPAN(0, 4));
	uint64_t between = moment(&run);
	library(&run, 1, 3, "/b.so");
	uint64_t in_b = moment(&run);
	read_run(&run);
	for (int twice = 0; twice < 2; twice++) {
		expect(&names, &run, in_b, 2, "/b.so");
		expect(&names, &run, in_a, 2, "/a.so");
		expect(&names, &run, before, 2, "nothing");
		expect(&names, &run, between, 2, "nothing");
		expect(&names, &run, before, 101, "/prog");
		expect(&names, &run, in_b, 101, "/prog");
	}
	cr_expect(eq(int, asked, 3), "asked again");
	names_free(&names);
	run_free(&run);
}

/* What counts is the ticket of a module, not its place in the file. */
Test(names, do_not_depend_on_how_modules_and_events_are_mixed)
{
	struct run run = run_new();
	int asked = 0;
	struct names names = { .namer = by_path, .context = &asked };

	map_library(&run, 0, 4);
	uint64_t a = run.ticket, in_a = moment(&run);
	run_munmap(&run, SPAN(0, 4));
	map_library(&run, 0, 4);
	module(&run, 0, 4, PATCH_MODULES, "/b.so");
	uint64_t in_b = moment(&run);
	run_munmap(&run, SPAN(0, 4));
	map_library(&run, 0, 4);
	uint64_t c = run.ticket, in_c = moment(&run);
	module_from(&run, c, 0, 4, PATCH_MODULES, "/c.so");
	module_from(&run, a, 0, 4, PATCH_MODULES, "/a.so");
	read_run(&run);
	expect(&names, &run, in_a, 1, "/a.so");
	expect(&names, &run, in_b, 1, "/b.so");
	expect(&names, &run, in_c, 1, "/c.so");
	names_free(&names);
	run_free(&run);
}

Test(names, stay_when_a_library_changes_the_protection_of_its_code)
{
	struct run run = run_new();
	int asked = 0;
	struct names names = { .namer = by_path, .context = &asked };

	library(&run, 0, 4, "/a.so");
	uint64_t before = moment(&run);
	run_mprotect(&run, SPAN(1, 1), RW);
	run_mprotect(&run, SPAN(1, 1), EXEC);
	module(&run, 0, 4, PATCH_MODULES, "/a.so");
	run_munmap(&run, SPAN(3, 1));
	uint64_t in_a = moment(&run);
	run_munmap(&run, SPAN(0, 3));
	library(&run, 0, 4, "/b.so");
	uint64_t in_b = moment(&run);
	read_run(&run);
	expect(&names, &run, before, 1, "/a.so");
	expect(&names, &run, in_a, 1, "/a.so");
	expect(&names, &run, in_b, 1, "/b.so");
	cr_expect(eq(int, asked, 2), "asked again");
	names_free(&names);
	run_free(&run);
}

Test(names, begin_with_the_library_also_when_its_call_was_lost)
{
	struct run run = run_new();
	int asked = 0;
	struct names names = { .namer = by_path, .context = &asked };

	uint64_t early = moment(&run);
	module(&run, 0, 4, PATCH_MODULES, "/a.so");
	uint64_t in_a = moment(&run);
	module(&run, 0, 4, PATCH_MODULES, "/b.so");
	uint64_t in_b = moment(&run);
	read_run(&run);
	expect(&names, &run, early, 1, "nothing");
	expect(&names, &run, in_a, 1, "/a.so");
	expect(&names, &run, in_b, 1, "/b.so");
	names_free(&names);
	run_free(&run);
}

static int inlining(void *context, uint64_t address, struct ledger_place *place)
{
	static const struct ledger_place inner[] = {
		{ .function = "runtime.sysReserveOS", .line = 3 },
		{ .function = "runtime.(*mheap).sysAlloc", .line = 2 },
	};

	(void)context;
	(void)address;
	*place = (struct ledger_place){
		.function = "runtime.(*mheap).grow",
		.line = 1,
		.inlined = inner,
		.inlined_count = 2,
	};
	return 1;
}

Test(names, judge_what_is_inlined_by_its_own_name)
{
	struct names names = { .namer = inlining };
	const struct name *name = names_get(&names, 77);

	cr_assert(eq(sz, name->inlined_count, 2));
	cr_expect(eq(int, name->inlined[0].group, NAME_PRIMITIVE));
	cr_expect(eq(int, name->inlined[1].group, NAME_RUNTIME));
	cr_expect(eq(int, name->inlined[1].place.line, 2));
	cr_expect(ne(ptr, (void *)name->inlined[1].rule, NULL));
	cr_expect(eq(u64, name->inlined[1].address, 77));
	for (uint64_t i = 1000; i < 2000; i++) /* the table grows */
		names_get(&names, i);
	cr_expect(eq(sz, names_get(&names, 77)->inlined_count, 2));
	names_free(&names);
}

/* ---- against a plain search --------------------------------------------- */

#define PAGES  24
#define ROUNDS 60
#define STEPS  60

struct plain { /* the same, as plainly as it can be said */
	struct module_span span[STEPS];
	size_t count;
};

static unsigned random_below(unsigned limit)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % limit;
}

static void plain_came(struct plain *plain, const struct ledger_module *module)
{
	int library = module->module->kind >= PATCH_MODULES;

	for (size_t i = 0; i < plain->count; i++) {
		const struct module_span *span = &plain->span[i];

		if (library && span->code && span->until == UINT64_MAX &&
		    span->module->module->bias == module->module->bias &&
		    strcmp(span->module->path, module->path) == 0)
			return;
	}
	plain->span[plain->count++] = (struct module_span){
		.module = module,
		.code = library ? module->module->code : 0,
		.from = library ? module->module->ticket : 0,
		.until = UINT64_MAX,
	};
}

static void plain_went(struct plain *plain, uint64_t start, uint64_t size,
                       uint64_t order)
{
	for (size_t i = 0; i < plain->count; i++) {
		struct module_span *span = &plain->span[i];

		if (span->code >= start && span->code - start < size &&
		    span->until == UINT64_MAX)
			span->until = order;
	}
}

static void plain_follow(struct plain *plain, const struct trace_event *event)
{
	uint64_t order = ledger_order(event);

	if (event->call == SYS_munmap || event->call == SYS_mremap)
		plain_went(plain, event->args[0], event->args[1], order);
	if (event->call == SYS_mmap)
		plain_went(plain, event->result, event->args[1], order);
	if (event->call == SYS_mremap)
		plain_went(plain, event->result, event->args[2], order);
}

static int earlier(const void *left, const void *right)
{
	const struct ledger_module *const *a = left, *const *b = right;
	uint64_t x = (*a)->module->ticket, y = (*b)->module->ticket;

	return x != y ? (x < y ? -1 : 1) : (*a > *b) - (*a < *b);
}

static void plain_read(struct plain *plain, const struct ledger_run *run)
{
	const struct ledger_module *module[STEPS];
	size_t next = 0;

	for (size_t i = 0; i < run->module_count; i++)
		module[i] = &run->module[i];
	qsort(module, run->module_count, sizeof(*module), earlier);
	plain->count = 0;
	for (size_t i = 0; i < run->event_count; i++) {
		const struct trace_event *event = run->event[i].event;

		while (next < run->module_count &&
		       module[next]->module->ticket <= ledger_order(event))
			plain_came(plain, module[next++]);
		plain_follow(plain, event);
	}
	while (next < run->module_count)
		plain_came(plain, module[next++]);
}

static struct module_span plain_find(const struct plain *plain,
                                     uint64_t address, uint64_t order)
{
	struct module_span found = { .until = UINT64_MAX };
	uint64_t latest = 0;

	for (size_t i = 0; i < plain->count; i++) {
		const struct module_span *span = &plain->span[i];
		const struct file_module *module = span->module->module;
		uint64_t from = span->from, until = span->until;

		if (address < module->start || address >= module->end)
			continue;
		if (order < from) {
			until = from - 1;
			from = 0;
		} else if (order > until) {
			from = until + 1;
			until = UINT64_MAX;
		} else if (!found.module || from > latest) {
			found.module = span->module;
			latest = from;
		}
		found.from = from > found.from ? from : found.from;
		found.until = until < found.until ? until : found.until;
	}
	return found;
}

static struct run random_run(void)
{
	static const char *const paths[] = { "/a.so", "/b.so", "/c.so" };
	struct run run = run_new();

	moment(&run); /* at first there is the program alone */
	for (int i = 0; i < STEPS; i++) {
		uint64_t page = random_below(PAGES), to = random_below(PAGES);
		uint64_t count = 1 + random_below(random_below(4) ? 4 : 12);

		switch (random_below(8)) {
		case 0:
			run_munmap(&run, SPAN(page, count));
			break;
		case 1:
			run_mmap(&run, SPAN(page, count), RW, ANON | MAP_FIXED);
			break;
		case 2:
			run_call(&run, SYS_mremap, BASE + to * PAGE,
			         BASE + page * PAGE, count * PAGE, count * PAGE,
			         3, BASE + to * PAGE);
			break;
		case 3:
			if (i < STEPS / 10)
				module_from(&run, 0, page, count, PATCH_PROGRAM,
				            "/prog");
			break;
		default: /* some at one moment */
			module_from(&run, run.ticket - random_below(2), page,
			            count, PATCH_MODULES,
			            paths[random_below(3)]);
			run.ticket += random_below(2);
		}
	}
	read_run(&run);
	return run;
}

Test(names, are_of_the_module_that_a_plain_search_finds)
{
	static struct plain plain;

	for (int round = 0; round < ROUNDS; round++) {
		struct run run = random_run();
		struct modules modules;

		plain_read(&plain, run.read);
		cr_assert(modules_read(&modules, run.read));
		for (uint64_t at = 0; at < (PAGES + 14) * 2; at++)
			for (uint64_t order = 0; order < run.ticket + 2;
			     order++) {
				uint64_t address = BASE + at * PAGE / 2;
				struct module_span wanted =
					plain_find(&plain, address, order);
				struct module_span found =
					modules_find(&modules, address, order);

				cr_assert(found.module == wanted.module &&
				          found.from == wanted.from &&
				          found.until == wanted.until);
			}
		modules_free(&modules);
		run_free(&run);
	}
}
