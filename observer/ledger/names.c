/*
 * A memory of names.  A million calls come from a few hundred places: each
 * address is asked for, and judged by the table of kinds, once.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>

static struct name *place_of(struct name *table, size_t capacity,
                             uint64_t address)
{
	size_t i = (address * 0x9e3779b97f4a7c15u) >> 20;

	for (;; i++) {
		struct name *name = &table[i & (capacity - 1)];

		if (name->address == address || name->address == 0)
			return name;
	}
}

static int grow(struct names *names)
{
	size_t capacity = names->capacity ? 2 * names->capacity : 256;
	struct name *table = calloc(capacity, sizeof(*table));

	if (!table)
		return 0;
	for (size_t i = 0; i < names->capacity; i++)
		if (names->name[i].address)
			*place_of(table, capacity, names->name[i].address) =
				names->name[i];
	free(names->name);
	names->name = table;
	names->capacity = capacity;
	return 1;
}

const struct name *names_get(struct names *names, uint64_t address)
{
	static const struct name unknown;
	struct name *name;

	if (address == 0)
		return &unknown;
	if (2 * names->count >= names->capacity && !grow(names)) {
		names->failed = 1;
		return &unknown;
	}
	name = place_of(names->name, names->capacity, address);
	if (name->address)
		return name;
	names->count++;
	name->address = address;
	if (!names->namer ||
	    !names->namer(names->context, address, &name->place))
		name->place = (struct ledger_place){ 0 };
	kinds_tell(name);
	return name;
}

void names_free(struct names *names)
{
	free(names->name);
	*names = (struct names){ 0 };
}
