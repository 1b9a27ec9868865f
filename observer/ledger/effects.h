/*
 * effects - what each call does to the space; between calls.c and replay.c,
 * which say when, and effects.c and shm.c, which say what.  Never included
 * elsewhere.
 */
#ifndef OBSERVER_LEDGER_EFFECTS_H
#define OBSERVER_LEDGER_EFFECTS_H

#include "observer/ledger/internal.h"

#include <sys/mman.h>

#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)

#ifndef PROT_GROWSDOWN
#define PROT_GROWSDOWN 0x01000000
#endif
#ifndef MREMAP_FIXED
#define MREMAP_FIXED 2
#endif

/* `unit` is a power of two. */
uint64_t effect_round(uint64_t value, uint64_t unit);

/* Whole pages; empty when it would wrap around. */
struct span effect_span(const struct replay *replay, uint64_t start,
                        uint64_t size);

/* Changes that are certain end all doubt in their range. */
void effect_map(struct replay *replay, const struct space_piece *piece);
void effect_unmap(struct replay *replay, struct span span);

/* prctl(PR_SET_VMA): a mapping gets a name, or loses it. */
void name_end(struct replay *replay, const struct ledger_event *from);

struct span mmap_span(const struct replay *replay, uint64_t start,
                      const uint64_t *args);
void mmap_end(struct replay *replay, struct call *call);

void shadow_stack_end(struct replay *replay, struct call *call);

struct span mprotect_span(struct replay *replay, const uint64_t *args);
void mprotect_end(struct replay *replay, struct call *call);

/* It has failed, and done a part. */
void mprotect_part(struct replay *replay, struct call *call);

void mremap_open(struct replay *replay, struct call *call);
void mremap_begin(struct replay *replay, struct call *call);
void mremap_end(struct replay *replay, struct call *call);

struct span brk_span(const struct replay *replay,
                     const struct trace_event *event);
void brk_begin(struct replay *replay, struct call *call);
void brk_end(struct replay *replay, struct call *call);

struct span shmat_span(struct replay *replay, const struct trace_event *event);
struct span shmdt_span(const struct replay *replay, uint64_t start);
void shmat_end(struct replay *replay, struct call *call);
void shmdt_begin(struct replay *replay, struct call *call);

struct span ring_span(const struct replay *replay, uint64_t start);
void ring_end(struct replay *replay, struct call *call);
void ring_begin(struct replay *replay, struct call *call);

/* No part of it changes a range: it says what is given back. */
void madvise_end(struct replay *replay, const struct ledger_event *from);

#endif
