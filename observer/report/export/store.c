/*
 * What the writers of this folder keep for a while.
 */
#include "observer/report/export/internal.h"
#include "observer/report/internal.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 65536

struct store_block {
	struct store_block *next;
	size_t used, size;
	_Alignas(16) char bytes[];
};

void *store_take(struct store *store, size_t size)
{
	struct store_block *block = store->block;
	void *taken;

	size = (size + 15) & ~(size_t)15;
	if (!block || block->size - block->used < size) {
		size_t room = size > BLOCK ? size : BLOCK;

		block = calloc(1, sizeof(*block) + room);
		if (!block) {
			store->failed = 1;
			return NULL;
		}
		block->size = room;
		block->next = store->block;
		store->block = block;
	}
	taken = block->bytes + block->used;
	block->used += size;
	return taken;
}

void store_free(struct store *store)
{
	while (store->block) {
		struct store_block *block = store->block;

		store->block = block->next;
		free(block);
	}
}

void *list_add(struct list *list, size_t size, struct store *store)
{
	void *item;

	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 64;

		item = reallocarray(list->item, capacity, size);
		if (!item) {
			store->failed = 1;
			return NULL;
		}
		list->item = item;
		list->capacity = capacity;
	}
	item = (char *)list->item + size * list->count++;
	return memset(item, 0, size);
}

/* ---- keys --------------------------------------------------------------- */

/* FNV-1a */
static uint64_t hash_of(const unsigned char *bytes, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return hash ^ hash >> 29;
}

static uint32_t *slot_of(const struct keys *keys, const void *bytes,
                         size_t size, uint64_t hash)
{
	size_t slots = 2 * keys->capacity; /* a power of two */

	for (size_t i = hash;; i++) {
		uint32_t *slot = &keys->slot[i & (slots - 1)];
		const struct key *key = &keys->key[*slot - 1];

		if (!*slot || (key->hash == hash && key->size == size &&
		               memcmp(key->bytes, bytes, size) == 0))
			return slot;
	}
}

static int grow(struct keys *keys)
{
	size_t capacity = keys->capacity ? 2 * keys->capacity : 64;
	struct key *key = reallocarray(keys->key, capacity, sizeof(*key));
	uint32_t *slot = key ? calloc(2 * capacity, sizeof(*slot)) : NULL;

	if (key)
		keys->key = key;
	if (!slot || capacity > UINT32_MAX) {
		free(slot);
		keys->store->failed = 1;
		return 0;
	}
	free(keys->slot);
	keys->slot = slot;
	keys->capacity = capacity;
	for (size_t i = 0; i < keys->count; i++)
		*slot_of(keys, key[i].bytes, key[i].size, key[i].hash) =
			(uint32_t)i + 1;
	return 1;
}

size_t keys_put(struct keys *keys, const void *bytes, size_t size)
{
	uint64_t hash = hash_of(bytes, size);
	uint32_t *slot;
	char *copy;

	if (keys->count == keys->capacity && !grow(keys))
		return 0;
	slot = slot_of(keys, bytes, size, hash);
	if (*slot)
		return *slot - 1;
	copy = store_take(keys->store, size + 1);
	if (!copy)
		return 0;
	memcpy(copy, bytes, size);
	keys->key[keys->count] = (struct key){ copy, size, hash };
	*slot = (uint32_t)++keys->count;
	return keys->count - 1;
}

void keys_free(struct keys *keys)
{
	free(keys->key);
	free(keys->slot);
}

/* ---- text --------------------------------------------------------------- */

static int is_clean(const unsigned char *text)
{
	while (*text) {
		int size = *text < 128 ? 1 : utf8_size(text);

		if (size == 0)
			return 0;
		text += size;
	}
	return 1;
}

const char *text_clean(struct store *store, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	char *copy, *to;

	if (is_clean(at))
		return text;
	copy = to = store_take(store, 3 * strlen(text) + 1);
	while (copy && *at) {
		int size = *at < 128 ? 1 : utf8_size(at);

		if (size == 0) {
			to = stpcpy(to, "\xef\xbf\xbd");
			at++;
		} else {
			to = mempcpy(to, at, size);
			at += size;
		}
	}
	return copy ? copy : "";
}
