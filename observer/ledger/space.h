/*
 * space - a map from address ranges to what is mapped there.
 *
 * Knows nothing of system calls, files or the kernel: pieces, [start, end),
 * that never overlap, in order, with the sums of their sizes kept as they
 * change.  Made for tens of thousands of pieces and millions of changes: the
 * pieces stand in chunks, a directory names the first address of each chunk.
 *
 * When memory is short, `failed` is set, and from then on nothing changes:
 * callers look at it once, at the end.
 */
#ifndef OBSERVER_LEDGER_SPACE_H
#define OBSERVER_LEDGER_SPACE_H

#include <stddef.h>
#include <stdint.h>

#define SPACE_CHUNK 64 /* pieces */

struct ledger_event;

/* What a piece is: made by a call, or one of enum trace_what, or ... */
enum space_what {
	SPACE_CALL = 0,    /* a syscall made it: the piece has its event */
	SPACE_STACK = 32,  /* made by the kernel */
	SPACE_VDSO,        /* with vvar */
	SPACE_AIO,
	SPACE_UPROBES,
	SPACE_OWN = 64,    /* from here on goload's own: TRACE_WHAT_GOLOAD */
};

struct space_piece {
	uint64_t start, end;
	uint64_t offset;                  /* of `start` in what backs it */
	uint64_t born;                    /* space.now of that moment */
	const struct ledger_event *event; /* who made it, or NULL */
	uint32_t flags;                   /* MAP_* */
	uint8_t prot;                     /* PROT_READ, _WRITE, _EXEC */
	uint8_t what;                     /* enum space_what, trace_what */
};

struct space_chunk;

/* A piece, or a part of one, has just ended: what it was.  The space is not to
 * be looked at meanwhile. */
typedef void space_ended(void *context, const struct space_piece *piece);

struct space_slot {
	uint64_t start; /* of the chunk's first piece */
	struct space_chunk *chunk;
};

struct space {
	struct space_slot *slot;
	size_t count, capacity;
	uint64_t reserved;  /* of pieces that are not goload's: PROT_NONE */
	uint64_t committed; /* and all others */
	uint64_t own;       /* of goload's */
	uint64_t now;       /* the caller's clock, or 0 */
	space_ended *ended; /* who wants to know, or NULL */
	void *context;
	int failed;
};

/* A place in the order of pieces; any change of the space spoils it. */
struct space_at {
	size_t slot;
	unsigned index;
};

/* Pieces taken out of a space, with the addresses they had. */
struct space_list {
	struct space_piece *piece;
	size_t count, capacity;
};

void space_free(struct space *space);

/* The first piece that ends behind `address`; and its followers. */
struct space_at space_seek(const struct space *space, uint64_t address);
struct space_at space_next(const struct space *space, struct space_at at);

/* The piece at a place, NULL behind the last. */
struct space_piece *space_get(const struct space *space, struct space_at at);

/* The piece that holds `address`, or NULL. */
struct space_piece *space_find(const struct space *space, uint64_t address);

/* Are they neighbours and one thing, whenever each was born? */
int space_joins(const struct space_piece *a, const struct space_piece *b);

/* Places `piece`, born now; what was in its range is gone.  What is left of a
 * piece that is cut goes on as it was born. */
void space_map(struct space *space, const struct space_piece *piece);
void space_unmap(struct space *space, uint64_t start, uint64_t end);

/* What was not protected so ends, and is born anew. */
void space_protect(struct space *space, uint64_t start, uint64_t end,
		   unsigned prot);

/* Appends copies of the parts of pieces in [start, end) to `list`.  A move is a
 * copy, an unmap, and later maps: mremap gives the old addresses back before it
 * has the new ones. */
void space_copy(struct space *space, uint64_t start, uint64_t end,
		struct space_list *list);

static inline uint64_t space_size(const struct space_piece *piece)
{
	return piece->end - piece->start;
}

#endif
