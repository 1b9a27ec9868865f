/*
 * sites - finds every syscall instruction and proves how it can be patched.
 *
 * Pure over bytes: the caller gives the executable bytes and the addresses
 * where functions start, this room decodes forward (Zydis) from those, never
 * backward, and only the functions that hold a candidate pair 0f 05.  Every
 * pair ends as a verdict; nothing is guessed.
 *
 * Failure: SITES_NO_MEMORY only.  Hosted.
 */
#ifndef OBSERVER_SITES_SITES_H
#define OBSERVER_SITES_SITES_H

#include "trace/trace.h"

#include <stddef.h>
#include <stdint.h>

enum sites_verdict {
	SITES_BACKWARD = 1, /* window: instructions before the syscall */
	SITES_FORWARD,      /* window: instructions behind it */
	SITES_MIXED,        /* both */
	SITES_EXACT,        /* its `ret` and the padding behind that */
	/* left to the net */
	SITES_NO_ROOM,    /* no window of five bytes that can be moved */
	SITES_FLAGS_LIVE, /* the flags are read behind the syscall */
	SITES_UNPROVEN,   /* no function, or not certainly code */
	/* no site at all */
	SITES_INSIDE, /* the pair is inside another instruction */
	SITES_VERDICTS
};

static inline int sites_patched(enum sites_verdict verdict)
{
	return verdict >= SITES_BACKWARD && verdict <= SITES_EXACT;
}

static inline int sites_real(enum sites_verdict verdict)
{
	return verdict != SITES_INSIDE;
}

struct sites_site {
	enum sites_verdict verdict;
	uint64_t function; /* its start, 0 when none is known */
	struct trace_patch
		patch; /* site and nr always; the window when patched */
};

/* Executable bytes of one segment, at the address they have in the file. */
struct sites_text {
	const uint8_t *bytes;
	uint64_t address;
	size_t size;
};

struct sites_input {
	const struct sites_text *text;
	size_t text_count;
	const uint64_t *starts; /* function starts, sorted, no duplicates */
	size_t start_count;
	uint64_t go_text[2]; /* Go text [start, end), 0 0 when none: patch.go */
	uint8_t module;      /* enum patch_module, copied into the patches */
};

struct sites_result {
	struct sites_site *site; /* sorted by address; free with sites_free */
	size_t count;
	size_t decoded; /* instructions, for the curious */
};

enum sites_error {
	SITES_OK,
	SITES_NO_MEMORY,
};

enum sites_error sites_find(const struct sites_input *input,
                            struct sites_result *result);
void sites_free(struct sites_result *result);

/* "patched, with the instructions before it",
 * "left to the net: the flags are read" ... */
const char *sites_verdict_name(enum sites_verdict verdict);

#endif
