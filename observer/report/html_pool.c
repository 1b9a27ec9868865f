/*
 * Texts, frames and stacks, each once: a page has a hundred stacks for a
 * hundred thousand mappings.
 */
#include "observer/report/html.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash(const uint8_t *bytes, size_t size)
{
	uint64_t sum = 0xcbf29ce484222325u;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3u;
	return sum ^ sum >> 29;
}

/* The slot of these bytes, or the empty one where they belong. */
static uint32_t *slot_of(const struct pool *pool, const void *bytes,
                         size_t size)
{
	uint64_t i = hash(bytes, size);

	for (;; i++) {
		uint32_t *slot = &pool->slot[i & (pool->slots - 1)];
		const struct pool_item *item;

		if (!*slot)
			return slot;
		item = &pool->item[*slot - 1];
		if (item->size == size && memcmp(item->bytes, bytes, size) == 0)
			return slot;
	}
}

static int grow(struct pool *pool)
{
	size_t slots = pool->slots ? 2 * pool->slots : 256;
	struct pool_item *item =
		realloc(pool->item, slots / 2 * sizeof(*pool->item));

	if (!item)
		return 0;
	pool->item = item;
	free(pool->slot);
	pool->slot = calloc(slots, sizeof(*pool->slot));
	pool->slots = pool->slot ? slots : 0;
	if (!pool->slot)
		return 0;
	for (size_t i = 0; i < pool->count; i++)
		*slot_of(pool, item[i].bytes, item[i].size) = (uint32_t)i + 1;
	return 1;
}

uint32_t pool_put(struct pool *pool, const void *bytes, size_t size)
{
	uint32_t *slot;
	void *copy;

	pool->failed |= 2 * pool->count >= pool->slots && !grow(pool);
	if (pool->failed)
		return 0;
	slot = slot_of(pool, bytes, size);
	if (*slot)
		return *slot - 1;
	copy = malloc(size + 1);
	if (!copy) {
		pool->failed = 1;
		return 0;
	}
	memcpy(copy, bytes, size);
	((char *)copy)[size] = '\0';
	pool->item[pool->count++] = (struct pool_item){ copy, size };
	*slot = (uint32_t)pool->count;
	return *slot - 1;
}

void pool_free(struct pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		free(pool->item[i].bytes);
	free(pool->item);
	free(pool->slot);
	*pool = (struct pool){ 0 };
}
