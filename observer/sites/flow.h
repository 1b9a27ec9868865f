/*
 * flow - where control goes inside one function.
 *
 * Private to the room.  A jump to nobody knows where may lead anywhere in its
 * function.  But where a known function ends is often not known: a stripped
 * library names few, and the jump may belong to the next one, or be a tail
 * call.
 */
#ifndef OBSERVER_SITES_FLOW_H
#define OBSERVER_SITES_FLOW_H

#include "observer/sites/code.h"
#include "observer/sites/sites.h"

/*
 * Whether no such jump leads to `site`: an entry is found from which direct
 * flow reaches it, and never leaves, and meets no such jump.  The first of a
 * function is met by direct flow from its entry, so this function has none.
 */
int flow_is_direct(struct code *code, const struct sites_text *text,
                   const ZydisDecoder *decoder, size_t site);

#endif
