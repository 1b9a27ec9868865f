/*
 * A memory of names.  A million calls come from a few hundred places: each
 * address is asked for, and judged by the table of kinds, once; or once for
 * each of the libraries that were there one after the other.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>

static struct name *place_of(struct name *table, size_t capacity,
                             uint64_t address, uint64_t from)
{
	size_t i = ((address + from * 0xff51afd7ed558ccdu) *
	            0x9e3779b97f4a7c15u) >>
	           20;

	for (;; i++) {
		struct name *name = &table[i & (capacity - 1)];

		if (name->address == 0 ||
		    (name->address == address && name->from == from))
			return name;
	}
}

static int grow(struct names *names)
{
	size_t capacity = names->capacity ? 2 * names->capacity : 256;
	struct name *table = calloc(capacity, sizeof(*table));

	if (!table)
		return 0;
	for (size_t i = 0; i < names->capacity; i++) {
		const struct name *name = &names->name[i];

		if (name->address)
			*place_of(table, capacity, name->address, name->from) =
				*name;
	}
	free(names->name);
	names->name = table;
	names->capacity = capacity;
	return 1;
}

void names_at(struct names *names, const struct ledger_run *run,
              const struct ledger_event *from)
{
	if (!names->run) {
		names->run = run;
		names->failed |= !modules_read(&names->modules, run);
	}
	names->order = from->event->ticket;
}

/* Where libraries come and go and none is, no file's name is right. */
static int ask(struct names *names, struct name *name,
               const struct module_span *there)
{
	int gone = !there->module &&
	           (there->from > 0 || there->until < UINT64_MAX);

	name->place.module = there->module;
	return !gone && names->namer &&
	       names->namer(names->context, name->address, &name->place);
}

static void tell_inlined(struct names *names, struct name *name)
{
	size_t count = name->place.inlined_count;

	if (count == 0)
		return;
	name->inlined = calloc(count, sizeof(*name->inlined));
	if (!name->inlined) {
		names->failed = 1;
		return;
	}
	name->inlined_count = count;
	for (size_t i = 0; i < count; i++) {
		name->inlined[i].address = name->address;
		name->inlined[i].place = name->place.inlined[i];
		kinds_tell(&name->inlined[i]);
	}
}

const struct name *names_get(struct names *names, uint64_t address)
{
	static const struct name unknown;
	struct module_span there;
	struct name *name;

	if (address == 0)
		return &unknown;
	if (2 * names->count >= names->capacity && !grow(names)) {
		names->failed = 1;
		return &unknown;
	}
	there = modules_find(&names->modules, address - 1, names->order);
	name = place_of(names->name, names->capacity, address, there.from);
	if (name->address)
		return name;
	names->count++;
	*name = (struct name){ .address = address, .from = there.from };
	if (!ask(names, name, &there))
		name->place = (struct ledger_place){ .module = there.module };
	kinds_tell(name);
	tell_inlined(names, name);
	return name;
}

void names_free(struct names *names)
{
	for (size_t i = 0; i < names->capacity; i++)
		free(names->name[i].inlined);
	free(names->name);
	modules_free(&names->modules);
	*names = (struct names){ 0 };
}
