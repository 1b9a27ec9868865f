#include "observer/sites/scan.h"

#include <emmintrin.h>
#include <stdlib.h>
#include <string.h>

enum {
	LANES = 16,   /* bytes of one vector */
	BLOCK = 64,   /* bytes looked at before the first branch */
	GRANULE = 6,  /* log2 of the addresses that share a filter bit */
	BATCH = 64,   /* blocks listed before their branches are looked at */
	FEW = 4,      /* branches that a block hardly has more of */
	LONG_JCC = 6, /* bytes of the longest rel32 branch */
};

static int append(struct scan_list *list, uint64_t address)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 64;
		uint64_t *item = realloc(list->item, capacity * sizeof(*item));
		if (!item)
			return 0;
		list->item = item;
		list->capacity = capacity;
	}
	list->item[list->count++] = address;
	return 1;
}

size_t scan_find(const uint64_t *item, size_t count, uint64_t address)
{
	size_t low = 0;
	while (count) {
		size_t half = count / 2;
		if (item[low + half] < address) {
			low += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return low;
}

static __m128i load(const uint8_t *bytes)
{
	return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

static __m128i equal(__m128i bytes, int value)
{
	return _mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)value));
}

static __m128i pair_lanes(const uint8_t *bytes)
{
	return _mm_and_si128(equal(load(bytes), 0x0f),
	                     equal(load(bytes + 1), 0x05));
}

static int any_pair(const uint8_t *bytes)
{
	__m128i low = _mm_or_si128(pair_lanes(bytes), pair_lanes(bytes + 16));
	__m128i high =
		_mm_or_si128(pair_lanes(bytes + 32), pair_lanes(bytes + 48));
	return _mm_movemask_epi8(_mm_or_si128(low, high));
}

static int pairs_between(const struct sites_text *text, size_t from, size_t to,
                         struct scan_list *pairs)
{
	for (size_t at = from; at < to && at + 1 < text->size; at++)
		if (text->bytes[at] == 0x0f && text->bytes[at + 1] == 0x05 &&
		    !append(pairs, text->address + at))
			return 0;
	return 1;
}

int scan_pairs(const struct sites_text *text, struct scan_list *pairs)
{
	size_t at = 0;
	for (; at + BLOCK < text->size; at += BLOCK)
		if (any_pair(text->bytes + at) &&
		    !pairs_between(text, at, at + BLOCK, pairs))
			return 0;
	return pairs_between(text, at, text->size, pairs);
}

static size_t filter_bit(uint64_t address)
{
	return (address >> GRANULE) & (SCAN_FILTER_BITS - 1);
}

void scan_filter(const struct scan_list *pairs, struct scan_filter *filter)
{
	memset(filter, 0, sizeof(*filter));
	for (size_t i = 0; i < pairs->count; i++) {
		uint64_t first = (pairs->item[i] - SCAN_NEAR) >> GRANULE;
		uint64_t last = (pairs->item[i] + SCAN_NEAR) >> GRANULE;
		for (uint64_t at = first; at <= last; at++) {
			size_t bit = filter_bit(at << GRANULE);
			filter->word[bit / 64] |= 1ull << bit % 64;
		}
	}
}

int scan_near(const struct scan_list *pairs, uint64_t address,
              uint64_t distance)
{
	size_t i = scan_find(pairs->item, pairs->count, address);
	if (i < pairs->count && pairs->item[i] - address <= distance)
		return 1;
	return i > 0 && address - pairs->item[i - 1] <= distance;
}

/* call e8, jmp e9, jcc 0f 80..8f */
static unsigned branch_lanes(const uint8_t *bytes)
{
	__m128i here = load(bytes);
	__m128i next = load(bytes + 1);
	__m128i near =
		equal(_mm_and_si128(here, _mm_set1_epi8((char)0xfe)), 0xe8);
	__m128i jcc =
		equal(_mm_and_si128(next, _mm_set1_epi8((char)0xf0)), 0x80);
	jcc = _mm_and_si128(jcc, equal(here, 0x0f));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(near, jcc));
}

static uint64_t branches_in_block(const uint8_t *bytes)
{
	uint64_t lanes = 0;
	for (unsigned at = 0; at < BLOCK; at += LANES)
		lanes |= (uint64_t)branch_lanes(bytes + at) << at;
	return lanes;
}

struct branches {
	const struct sites_text *text;
	const struct scan_list *pairs;
	const struct scan_filter *filter;
	struct scan_list *targets;
};

static inline int branch_at(const struct branches *scan, size_t at)
{
	const uint8_t *bytes = scan->text->bytes + at;
	size_t opcode = 1 + (*bytes == 0x0f);
	int32_t distance;
	memcpy(&distance, bytes + opcode, sizeof(distance));
	uint64_t to = scan->text->address + at + opcode + sizeof(distance) +
	              (uint64_t)(int64_t)distance;
	size_t bit = filter_bit(to);
	if (__builtin_expect(!(scan->filter->word[bit / 64] >> bit % 64 & 1),
	                     1))
		return 1;
	return !scan_near(scan->pairs, to, SCAN_NEAR) ||
	       append(scan->targets, to);
}

/*
 * How many branches a block has nobody can foretell, and a processor that
 * guesses wrong loses more time than all else here takes: so they are written
 * down first, FEW at a time without asking, and looked at then.
 */
static size_t list_lanes(uint64_t lanes, size_t at, size_t *list)
{
	size_t count = 0;
	do {
		for (int i = 0; i < FEW; i++) {
			uint64_t last = 1ull << (BLOCK - 1);
			list[count] =
				at + (size_t)__builtin_ctzll(lanes | last);
			count += lanes != 0;
			lanes &= lanes - 1;
		}
	} while (lanes);
	return count;
}

static int branches_in_tail(const struct branches *scan, size_t at)
{
	const struct sites_text *text = scan->text;
	for (; at + LONG_JCC - 1 <= text->size; at++) {
		const uint8_t *bytes = text->bytes + at;
		int near = (bytes[0] & 0xfe) == 0xe8;
		int jcc = at + LONG_JCC <= text->size && bytes[0] == 0x0f &&
		          (bytes[1] & 0xf0) == 0x80;
		if ((near || jcc) && !branch_at(scan, at))
			return 0;
	}
	return 1;
}

int scan_branches(const struct sites_text *text, const struct scan_list *pairs,
                  const struct scan_filter *filter, struct scan_list *targets)
{
	const struct branches scan = { text, pairs, filter, targets };
	size_t list[BATCH * BLOCK + FEW], at = 0;
	while (at + BATCH * BLOCK + LONG_JCC <= text->size) {
		size_t count = 0;
		for (int i = 0; i < BATCH; i++, at += BLOCK)
			count += list_lanes(branches_in_block(text->bytes + at),
			                    at, list + count);
		for (size_t i = 0; i < count; i++)
			if (!branch_at(&scan, list[i]))
				return 0;
	}
	return branches_in_tail(&scan, at);
}
