/*
 * internal - what the files of this folder share: never included elsewhere.
 *
 *   store.c    memory for a while, keys by number, text that is UTF-8
 *   threads.c  which thread made a call
 *   shares.c   what each stack has of each row at the end
 *   gzip.c     bytes, packed
 *   gauges.c   sums over time, from lives
 *   packets.c  of perfetto.c: packets, names, tracks
 *   pprof.c, perfetto.c, folded.c, jsonl.c, sqlite.c, openmetrics.c
 */
#ifndef OBSERVER_REPORT_EXPORT_INTERNAL_H
#define OBSERVER_REPORT_EXPORT_INTERNAL_H

#include "observer/report/export/export.h"

/* ---- store.c ------------------------------------------------------------ */

/* Memory that is given back all at once.  Once it was short `failed` is set:
 * callers look at it at the end. */
struct store {
	struct store_block *block;
	int failed;
};

/* Zeroed; NULL when memory is short. */
void *store_take(struct store *store, size_t size);
void store_free(struct store *store);

/* An array that grows. */
struct list {
	void *item;
	size_t count, capacity;
};

/* Room for one more item, zeroed; NULL when memory is short. */
void *list_add(struct list *list, size_t size, struct store *store);

/* Keys, each once, numbered from 0 as they come. */
struct keys {
	struct store *store;
	struct key *key;
	uint32_t *slot; /* a hash table of numbers, + 1 */
	size_t count, capacity;
};

struct key {
	const void *bytes; /* a copy, with a NUL behind */
	size_t size;
	uint64_t hash;
};

/* Its number; it is new when that was keys->count.  0 when memory is short. */
size_t keys_put(struct keys *keys, const void *bytes, size_t size);
void keys_free(struct keys *keys);

/* The text, or a copy with U+FFFD for each byte that is no UTF-8. */
const char *text_clean(struct store *store, const char *text);

/* ---- threads.c ---------------------------------------------------------- */

struct threads {
	struct list key;
	uint32_t pid;
};

/* 0 when memory is short. */
int threads_read(struct threads *threads, const struct ledger_run *run);
/* The ID of the thread that made a call; 0: not known. */
uint64_t threads_of(const struct threads *threads,
                    const struct ledger_event *event);
void threads_free(struct threads *threads);

/* ---- shares.c ----------------------------------------------------------- */

/* Of the last moment, and goload's own?  Else it counts in the ledger. */
int life_counts(const struct ledger_life *life);

static inline uint64_t life_size(const struct ledger_life *life)
{
	return life->end - life->start;
}

/* Who asked for it; NULL: no call of the program. */
const struct ledger_event *life_call(const struct ledger_life *life);

/* Is it a part of the mapping before it, as the ledger counts mappings? */
int life_joins(const struct ledger_life *life,
               const struct ledger_life *before);

/* The lives that count in the ledger, by address; *count of them.  NULL when
 * memory is short. */
const struct ledger_life **lives_last(const struct ledger_lives *lives,
                                      size_t *count);

/* What one thread has made, from one stack, of one row, of one protection. */
struct share {
	const struct ledger_life *life;  /* the first of them */
	const struct ledger_event *call; /* likewise; NULL: no call */
	uint64_t thread;                 /* 0: no call, or not known */
	uint64_t mappings, reserved, committed, resident;
};

struct shares {
	struct share *share;
	size_t count;
};

/* 0 when memory is short.  Their sums are those of the ledger's rows. */
int shares_read(struct shares *shares, const struct export_from *from);
void shares_free(struct shares *shares);

/* Who made it, when no call did: "[text] ./main". */
const char *share_name(struct store *store, const struct ledger *ledger,
                       const struct ledger_life *life);

/* "rw-" */
const char *prot_text(unsigned prot);

/* The arguments, a space between them; free() it.  NULL when memory is short.
 */
char *command_text(const struct ledger_run *run);

/* ---- gzip.c ------------------------------------------------------------- */

/* 0 when memory is short. */
int write_gzip(FILE *out, const void *bytes, size_t size);

/* ---- gauges.c ----------------------------------------------------------- */

/* A row as it was at a moment; gauge 0 is the sum of all. */
struct gauge {
	const char *kind, *owner;
	uint64_t reserved, committed;
};

struct gauges {
	struct store *store;
	struct list gauge, change;
	size_t latest;
};

/* The gauge of a life's row, which may be new. */
size_t gauges_of(struct gauges *gauges, const struct ledger_life *life);
/* All gauges, and their changes, from the lives that are not goload's. */
void gauges_read(struct gauges *gauges, const struct ledger_lives *lives);
/* Calls `changed` at each moment with each gauge that has changed then. */
void gauges_follow(struct gauges *gauges,
                   void (*changed)(void *context, uint64_t t, size_t index,
                                   const struct gauge *gauge),
                   void *context);
void gauges_free(struct gauges *gauges);

#endif
