/*
 * window - what may be moved to make room for a jump.
 *
 * Private to the room; works on a function that code_settle has judged.
 */
#ifndef OBSERVER_SITES_WINDOW_H
#define OBSERVER_SITES_WINDOW_H

#include "observer/sites/code.h"
#include "observer/sites/sites.h"

/* The constant in eax at the syscall instruction, or PATCH_ANY. */
int32_t window_number(const struct code *code, const ZydisDecoder *decoder,
                      size_t site);

/* Whether nothing reads the flags that reach `address`. */
int window_flags_dead(const struct sites_text *text,
                      const ZydisDecoder *decoder, uint64_t address);

/*
 * The smallest window around the syscall instruction at `site`: the patch's
 * before and after, unless the verdict is SITES_NO_ROOM.
 */
enum sites_verdict window_choose(const struct code *code,
                                 const ZydisDecoder *decoder, size_t site,
                                 struct trace_patch *patch);

/*
 * Copy the window's instructions into the patch; no other site may use them
 * then.  0 when another has taken some of them.
 */
int window_take(struct code *code, size_t site, struct trace_patch *patch);

#endif
