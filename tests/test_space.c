/*
 * The range map against the plainest model of one: an array with a byte per
 * page.  Random changes, and after them both must say the same.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "observer/ledger/space.h"

#include <stdlib.h>
#include <string.h>

#define PAGES 4096
#define PAGE  4096ull

struct model { /* prot + 1 per page, 0: nothing; and who made it */
	uint8_t prot[PAGES];
	uint16_t maker[PAGES];
};

/* Stand-ins for events: only their addresses are compared. */
static const char makers[256];

static const struct ledger_event *maker(unsigned i)
{
	return (const void *)&makers[i];
}

static uint64_t random_state = 1;

static unsigned random_below(unsigned limit)
{
	random_state =
		random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(random_state >> 33) % limit;
}

static void change(struct space *space, struct model *model)
{
	unsigned start = random_below(PAGES);
	unsigned left = PAGES - start;
	unsigned most = random_below(20) ? 16 : 1024;
	unsigned count = 1 + random_below(left < most ? left : most);
	unsigned prot = random_below(4), by = random_below(256);
	uint64_t from = start * PAGE, to = (start + count) * PAGE;

	switch (random_below(8)) {
	case 0:
	case 1:
	case 2:
		space_map(space, &(struct space_piece){ .start = from,
		                                        .end = to,
		                                        .offset = from,
		                                        .prot = prot,
		                                        .event = maker(by) });
		memset(&model->prot[start], prot + 1, count);
		for (unsigned i = 0; i < count; i++)
			model->maker[start + i] = by;
		break;
	case 3:
	case 4:
		space_unmap(space, from, to);
		memset(&model->prot[start], 0, count);
		break;
	case 5:
	case 6:
		space_protect(space, from, to, prot);
		for (unsigned i = start; i < start + count; i++)
			if (model->prot[i])
				model->prot[i] = prot + 1;
		break;
	default: { /* move */
		unsigned target = random_below(PAGES - count + 1);
		struct space_list list = { 0 };
		struct model old = *model;

		space_copy(space, from, to, &list);
		space_unmap(space, from, to);
		space_unmap(space, target * PAGE, (target + count) * PAGE);
		for (size_t i = 0; i < list.count; i++) {
			list.piece[i].start +=
				(target - (uint64_t)start) * PAGE;
			list.piece[i].end += (target - (uint64_t)start) * PAGE;
			space_map(space, &list.piece[i]);
		}
		free(list.piece);
		memset(&model->prot[start], 0, count);
		memcpy(&model->prot[target], &old.prot[start], count);
		memcpy(&model->maker[target], &old.maker[start],
		       count * sizeof(old.maker[0]));
	}
	}
}

/* Pieces in order, none empty, none overlapping, each page as in the model. */
static void expect_same(const struct space *space, const struct model *model)
{
	uint64_t reserved = 0, committed = 0, last = 0;
	unsigned page = 0;
	struct space_piece *piece;

	for (struct space_at at = { 0 }; (piece = space_get(space, at));
	     at = space_next(space, at)) {
		cr_assert(piece->start >= last && piece->start < piece->end);
		for (; page < piece->start / PAGE; page++)
			cr_assert(model->prot[page] == 0, "page %u", page);
		for (; page < piece->end / PAGE; page++) {
			cr_assert(model->prot[page] == piece->prot + 1);
			cr_assert(maker(model->maker[page]) == piece->event);
		}
		last = piece->end;
		*(piece->prot ? &committed : &reserved) += space_size(piece);
	}
	for (; page < PAGES; page++)
		cr_assert(model->prot[page] == 0, "page %u", page);
	cr_assert(eq(u64, space->reserved, reserved));
	cr_assert(eq(u64, space->committed, committed));
}

Test(space, agrees_with_a_page_table_after_any_change, .timeout = 120)
{
	struct space space = { 0 };
	struct model *model = calloc(1, sizeof(*model));

	for (int i = 0; i < 100000; i++) {
		change(&space, model);
		if (i % 64 == 0)
			expect_same(&space, model);
	}
	expect_same(&space, model);
	cr_expect(not(space.failed));
	space_free(&space);
	free(model);
}

static size_t pieces(const struct space *space)
{
	size_t count = 0;

	for (struct space_at at = { 0 }; space_get(space, at);
	     at = space_next(space, at))
		count++;
	return count;
}

Test(space, joins_what_was_protected_back)
{
	struct space space = { 0 };

	space_map(&space, &(struct space_piece){ .end = 100 * PAGE,
	                                         .prot = 3,
	                                         .event = maker(0) });
	for (uint64_t i = 0; i < 100; i++)
		space_protect(&space, i * PAGE, (i + 1) * PAGE, i % 2);
	cr_expect(eq(sz, pieces(&space), 100));
	space_protect(&space, 0, 100 * PAGE, 3);
	cr_expect(eq(sz, pieces(&space), 1));
	space_free(&space);
}

Test(space, keeps_goloads_own_apart)
{
	struct space space = { 0 };

	space_map(&space, &(struct space_piece){ .end = 2 * PAGE,
	                                         .prot = 5,
	                                         .what = SPACE_OWN });
	cr_expect(eq(u64, space.own, 2 * PAGE));
	cr_expect(eq(u64, space.committed, 0));
	space_unmap(&space, PAGE, 2 * PAGE);
	cr_expect(eq(u64, space.own, PAGE));
	space_free(&space);
}

Test(space, reaches_the_end_of_the_address_space)
{
	struct space space = { 0 };

	space_map(&space, &(struct space_piece){ .start = -2 * PAGE,
	                                         .end = -PAGE,
	                                         .prot = 1 });
	cr_expect(space_find(&space, -PAGE - 1) != NULL);
	cr_expect(space_find(&space, -PAGE) == NULL);
	space_unmap(&space, 0, UINT64_MAX);
	cr_expect(eq(u64, space.committed, 0));
	space_free(&space);
}
