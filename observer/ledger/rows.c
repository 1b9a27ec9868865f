/*
 * Pieces into rows: grouped by kind and owner, each with its sites, its
 * resident and returned bytes cut to size.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ROW_PAGES (FILE_PAGES_SHARED + 1)

struct item { /* a piece of one name, on its way to a row */
	struct space_piece piece;
	const struct ledger_event *given; /* the name, or NULL */
	const struct ledger_event *whole; /* the call that made it at first */
	uint64_t resident, pages[ROW_PAGES], huge, returned, came_back;
	size_t row;
};

struct maker { /* of bytes of a row */
	size_t row;
	struct ledger_site site;
};

struct build {
	struct ledger *ledger;
	struct kinds kinds;
	struct item *item; /* in order of address */
	size_t count;
	struct vector rows, own, makers, wrong;
	size_t last_row;
	uint64_t make; /* bytes so far of what ledger_row.makes counts */
	int failed;
};

/* ---- items -------------------------------------------------------------- */

static int add_item(struct vector *items, const struct space_piece *piece,
                    struct span span, const struct ledger_event *given)
{
	struct item *item = vector_add(items, sizeof(*item));

	if (!item)
		return 0;
	*item = (struct item){ .piece = *piece, .given = given };
	item->piece.start = span.start;
	item->piece.end = span.end;
	item->piece.offset += span.start - piece->start;
	return 1;
}

/* A piece, cut where its name changes. */
static int add_items(struct vector *items, const struct space *given,
                     const struct space_piece *piece)
{
	struct span span = { piece->start, piece->end };

	while (span.start < piece->end) {
		const struct space_piece *name =
			space_get(given, space_seek(given, span.start));
		const struct ledger_event *from = NULL;

		span.end = piece->end;
		if (name && name->start > span.start) {
			if (name->start < span.end)
				span.end = name->start;
		} else if (name) {
			from = name->event;
			if (name->end < span.end)
				span.end = name->end;
		}
		if (!add_item(items, piece, span, from))
			return 0;
		span.start = span.end;
	}
	return 1;
}

static int list_items(struct build *build, const struct replay *replay)
{
	const struct space_piece *piece;
	struct vector items = { 0 };
	struct space_at at = { 0 };
	int done = 1;

	while (done && (piece = space_get(&replay->space, at))) {
		done = add_items(&items, &replay->given, piece);
		at = space_next(&replay->space, at);
	}
	build->item = items.item;
	build->count = items.count;
	return done;
}

/* The first item that ends behind `address`. */
static size_t seek(const struct build *build, uint64_t address)
{
	size_t low = 0, high = build->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (build->item[middle].piece.end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Bytes that are somewhere in `range`; meant are those of `part`. */
struct portion {
	struct span range, part;
	uint64_t bytes;
};

/* Adds to this number of each item what it has of the portion. */
static void spread(struct build *build, struct portion portion, size_t number)
{
	struct span range = portion.range;
	uint64_t size = range.end - range.start;

	if (portion.bytes > size)
		portion.bytes = size;
	for (size_t i = seek(build, portion.part.start); i < build->count;
	     i++) {
		struct item *item = &build->item[i];
		struct span span = span_cross(
			(struct span){ item->piece.start, item->piece.end },
			portion.part);

		if (span_empty(span))
			break;
		*(uint64_t *)((char *)item + number) +=
			span_share(portion.bytes, size,
		                   span.end - range.start) -
			span_share(portion.bytes, size,
		                   span.start - range.start);
	}
}

static void spread_resident(struct build *build, const struct space *returned,
                            const struct file_resident *from)
{
	struct span range = { from->start, from->end };
	struct portion all = { range, range, from->bytes };
	uint64_t pages = from->pages < ROW_PAGES ? from->pages : 0;
	const struct space_piece *piece;
	struct space_at at;

	if (span_empty(range))
		return;
	spread(build, all, offsetof(struct item, resident));
	spread(build, all, offsetof(struct item, pages[pages]));
	if (from->huge)
		spread(build, (struct portion){ range, range, from->huge },
		       offsetof(struct item, huge));
	for (at = space_seek(returned, range.start);
	     (piece = space_get(returned, at)) && piece->start < range.end;
	     at = space_next(returned, at)) {
		all.part = span_cross(
			range, (struct span){ piece->start, piece->end });
		spread(build, all, offsetof(struct item, came_back));
	}
}

static void spread_returned(struct build *build, const struct space *returned)
{
	const struct space_piece *piece;
	struct space_at at = { 0 };

	for (; (piece = space_get(returned, at));
	     at = space_next(returned, at)) {
		struct span span = { piece->start, piece->end };

		spread(build, (struct portion){ span, span, space_size(piece) },
		       offsetof(struct item, returned));
	}
}

/* ---- rows --------------------------------------------------------------- */

static size_t find_row(struct build *build, const struct claim *claim)
{
	struct ledger_row *row = build->rows.item;

	for (size_t i = 0; i < build->rows.count; i++)
		if (row[i].kind == claim->kind && row[i].owner == claim->owner)
			return i;
	for (size_t i = 0; i < build->rows.count; i++)
		if (strcmp(row[i].kind, claim->kind) == 0 &&
		    strcmp(row[i].owner, claim->owner) == 0)
			return i;
	row = vector_add(&build->rows, sizeof(*row));
	if (!row) {
		build->failed = 1;
		return 0;
	}
	*row = (struct ledger_row){ .kind = claim->kind,
		                    .owner = claim->owner };
	return build->rows.count - 1;
}

/* Is the piece a part of the mapping before it, as the kernel would say? */
static int continues(const struct item *item, const struct item *before)
{
	const uint32_t nature =
		MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_HUGETLB;

	return before->piece.end == item->piece.start &&
	       before->row == item->row && before->piece.what < SPACE_OWN &&
	       before->piece.prot == item->piece.prot &&
	       ((before->piece.flags ^ item->piece.flags) & nature) == 0;
}

static void add_maker(struct build *build, const struct claim *claim,
                      size_t row, uint64_t bytes)
{
	struct maker *maker;

	if (claim->address == 0)
		return;
	maker = vector_add(&build->makers, sizeof(*maker));
	if (!maker) {
		build->failed = 1;
		return;
	}
	*maker = (struct maker){
		.row = row,
		.site = { claim->place, claim->address, bytes,
		          claim->at_start },
	};
}

/* The name that Go gave, against what was proved without it. */
static void add_name(struct build *build, const struct item *item,
                     const struct claim *claim)
{
	struct ledger_names *names = &build->ledger->names;
	struct word_part name = { "", 0 };
	struct ledger_wrong *wrong;

	if (item->given)
		name = words_of_go(item->given);
	if (name.size == 0)
		return;
	names->given++;
	if (!claim->proved)
		return;
	if (kinds_agree(claim->proved, name)) {
		names->agreed++;
		return;
	}
	wrong = vector_add(&build->wrong, sizeof(*wrong));
	if (!wrong) {
		build->failed = 1;
		return;
	}
	*wrong = (struct ledger_wrong){
		.start = item->piece.start,
		.end = item->piece.end,
		.kind = claim->proved,
		.name = words_make(&build->kinds.words, "", name, ""),
		.place = claim->place,
	};
}

static void add_target(struct build *build, size_t index)
{
	struct item *item = &build->item[index];
	struct claim claim =
		kinds_claim(&build->kinds, &item->piece, item->given);
	uint64_t size = space_size(&item->piece);
	struct ledger_row *row;

	item->whole = claim.whole ? claim.whole : item->piece.event;
	item->row = find_row(build, &claim);
	if (build->failed)
		return;
	row = (struct ledger_row *)build->rows.item + item->row;
	if (item->piece.prot)
		row->committed += size;
	else
		row->reserved += size;
	row->resident += item->resident;
	row->anonymous += item->pages[FILE_PAGES_ANONYMOUS];
	row->file += item->pages[FILE_PAGES_FILE];
	row->shared += item->pages[FILE_PAGES_SHARED];
	row->huge += item->huge;
	row->returned += item->returned;
	row->came_back += item->came_back;
	if (index == 0 || !continues(item, item - 1))
		row->mappings++;
	if (index == 0 || item[-1].row != item->row ||
	    item[-1].whole != item->whole) {
		row->makes++;
		build->make = 0;
	}
	build->make += size;
	if (row->largest < build->make)
		row->largest = build->make;
	add_maker(build, &claim, item->row, size);
	add_name(build, item, &claim);
}

const char *rows_own_kind(unsigned what)
{
	switch (what) {
	case TRACE_WHAT_STUBS:
		return "stubs";
	case TRACE_WHAT_RING:
		return "ring";
	case TRACE_WHAT_ISLAND:
		return "islands";
	default:
		return "image";
	}
}

static void add_own(struct build *build, const struct item *item)
{
	const char *kind = rows_own_kind(item->piece.what);
	struct ledger_own *own = build->own.item;
	size_t i = 0;

	while (i < build->own.count && strcmp(own[i].kind, kind) != 0)
		i++;
	if (i == build->own.count) {
		own = vector_add(&build->own, sizeof(*own));
		if (!own) {
			build->failed = 1;
			return;
		}
		*own = (struct ledger_own){ .kind = kind };
		i = 0;
	}
	own[i].size += space_size(&item->piece);
	own[i].resident += item->resident;
}

/* ---- sites -------------------------------------------------------------- */

static int compare_text(const char *a, const char *b)
{
	if (a == b)
		return 0;
	return strcmp(a ? a : "", b ? b : "");
}

/* Two addresses of one line are one place; without a name each is its own. */
static int compare_place(const struct ledger_site *a,
                         const struct ledger_site *b)
{
	int order = compare_text(a->place.function, b->place.function);

	if (order == 0)
		order = compare_text(a->place.file, b->place.file);
	if (order == 0)
		order = (a->place.line > b->place.line) -
		        (a->place.line < b->place.line);
	if (order == 0 && !a->place.function)
		order = (a->address > b->address) - (a->address < b->address);
	return order;
}

static int by_row_and_place(const void *left, const void *right)
{
	const struct maker *a = left, *b = right;

	if (a->row != b->row)
		return a->row < b->row ? -1 : 1;
	return compare_place(&a->site, &b->site);
}

static int by_bytes(const void *left, const void *right)
{
	const struct ledger_site *a = left, *b = right;

	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return compare_place(a, b);
}

/* The makers of one row, sorted by place, become its sites. */
static int settle_row(struct ledger_row *row, const struct maker *maker,
                      size_t count)
{
	struct ledger_site *site = calloc(count, sizeof(*site));
	size_t last = 0;

	if (!site)
		return 0;
	site[0] = maker[0].site;
	for (size_t i = 1; i < count; i++) {
		if (compare_place(&site[last], &maker[i].site) == 0) {
			site[last].bytes += maker[i].site.bytes;
			site[last].at_start &= maker[i].site.at_start;
		} else {
			site[++last] = maker[i].site;
		}
	}
	row->site = site;
	row->site_count = last + 1;
	qsort(site, row->site_count, sizeof(*site), by_bytes);
	return 1;
}

static int settle_sites(struct build *build)
{
	struct maker *maker = build->makers.item;
	struct ledger_row *row = build->rows.item;
	size_t count = build->makers.count;
	size_t first = 0;

	if (count > 0)
		qsort(maker, count, sizeof(*maker), by_row_and_place);
	for (size_t i = 1; i <= count; i++) {
		if (i < count && maker[i].row == maker[first].row)
			continue;
		if (!settle_row(&row[maker[first].row], &maker[first],
		                i - first))
			return 0;
		first = i;
	}
	return 1;
}

/* ---- the whole ---------------------------------------------------------- */

static int by_size(const void *left, const void *right)
{
	const struct ledger_row *a = left, *b = right;
	uint64_t size_a = a->reserved + a->committed;
	uint64_t size_b = b->reserved + b->committed;

	if (size_a != size_b)
		return size_a > size_b ? -1 : 1;
	return strcmp(a->kind, b->kind);
}

static void hand_over(struct build *build)
{
	struct ledger *ledger = build->ledger;

	ledger->row = build->rows.item;
	ledger->row_count = build->rows.count;
	ledger->own = build->own.item;
	ledger->own_count = build->own.count;
	ledger->names.wrong = build->wrong.item;
	ledger->names.wrong_count = build->wrong.count;
	if (ledger->row_count > 0)
		qsort(ledger->row, ledger->row_count, sizeof(*ledger->row),
		      by_size);
	for (size_t i = 0; i < ledger->row_count; i++) {
		ledger->resident += ledger->row[i].resident;
		ledger->mappings += ledger->row[i].mappings;
	}
	for (size_t i = 0; i < ledger->own_count; i++)
		ledger->goload_resident += ledger->own[i].resident;
}

int rows_build(struct ledger *ledger, const struct replay *replay,
               ledger_namer *namer, void *context)
{
	const struct ledger_run *run = ledger->run;
	struct build build = { .ledger = ledger };
	int done;

	done = list_items(&build, replay);
	for (size_t i = 0; i < run->resident_count; i++)
		spread_resident(&build, &replay->returned, &run->resident[i]);
	spread_returned(&build, &replay->returned);
	done = done && kinds_init(&build.kinds, run, namer, context);
	for (size_t i = 0; done && i < build.count && !build.failed; i++) {
		if (build.item[i].piece.what >= SPACE_OWN)
			add_own(&build, &build.item[i]);
		else
			add_target(&build, i);
	}
	done = done && !build.failed && settle_sites(&build);
	hand_over(&build);
	done = done && shots_build(ledger, &replay->space, &build.kinds) &&
	       !build.kinds.names.failed;
	ledger->word = build.kinds.words.list.item;
	ledger->word_count = build.kinds.words.list.count;
	kinds_free(&build.kinds);
	free(build.makers.item);
	free(build.item);
	return done;
}
