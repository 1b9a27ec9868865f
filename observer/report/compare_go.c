/*
 * What one Go reserves and another does not, in sentences.  One table has how
 * large a row is, since which Go, why, and where the source of Go shows it.
 *
 * Nothing is guessed: a sentence is said when both sides are of Go and the row
 * is on each side just as large as the table has it for that Go.  What else has
 * made it grow is then no part of it.  Only in bss a program has much of its
 * own: there the sentence says how to see whose it is.
 */
#include "observer/report/compare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KIB     1024ull
#define MIB     (1024 * KIB)
#define ARENA   (64 * MIB) /* of the Go heap */
#define SLACK   (4 * KIB)  /* of what is per arena: fields that came and went */
#define LARGE   (32 * MIB) /* worth a word even when both have it */
#define SCRATCH (32 * MIB)

/* A row of the Go runtime, since Go 1.`since`, until its next line. */
static const struct state {
	const char *kind;
	unsigned since;
	int per_arena;
	uint64_t size;
	const char *why, *source;
} states[] = {
	{ "page summary", 14, 0, 613548032,
	  "since Go 1.14 the page allocator has a summary of the whole address "
	  "space of 48 bits, in five levels of up to 2^26 entries of 8 bytes",
	  "runtime/mpagealloc_64bit.go, pageAlloc.sysInit" },
	{ "scavenge index", 19, 0, 8 * MIB,
	  "since Go 1.19 it has a bit for each 4 MiB of the address space",
	  "runtime/mpagealloc_64bit.go, pageAlloc.sysInit" },
	{ "scavenge index", 21, 0, 512 * MIB,
	  "since Go 1.21 it has 8 bytes for each 4 MiB of the address space, "
	  "where it had one bit",
	  "runtime/mpagealloc_64bit.go, scavengeIndex.sysInit" },
	{ "heap index", 11, 0, 32 * MIB,
	  "since Go 1.11 it has a pointer for each arena of 64 MiB that there "
	  "could be; no number of MemStats counts it",
	  "runtime/malloc.go, mheap.sysAlloc" },
	{ "heap metadata", 11, 1, 2116 * KIB,
	  "since Go 1.11 an arena of the heap has a bitmap of two bits for "
	  "each word",
	  "runtime/mheap.go, heapArena.bitmap" },
	{ "heap metadata", 20, 1, 1108 * KIB,
	  "since Go 1.20 the bitmap of an arena has one bit for each word, "
	  "where it had two",
	  "runtime/mheap.go, heapArena.bitmap" },
	{ "heap metadata", 22, 1, 68 * KIB,
	  "since Go 1.22 an arena of the heap has no bitmap: that is in its "
	  "spans, or in front of its objects",
	  "runtime/mheap.go, heapArena" },
};

#define COUNT (sizeof(states) / sizeof(states[0]))

/* 26 of "go1.26.8"; 0: not known */
static unsigned minor_of(const struct side *side)
{
	const char *at =
		side->go_version ? strstr(side->go_version, "go1.") : NULL;
	unsigned minor = 0;

	for (at = at ? at + 4 : ""; *at >= '0' && *at <= '9' && minor < 1000;
	     at++)
		minor = minor * 10 + (unsigned)(*at - '0');
	return minor;
}

static const struct state *state_of(const char *kind, unsigned minor)
{
	const struct state *found = NULL;

	for (size_t i = 0; i < COUNT; i++)
		if (strcmp(states[i].kind, kind) == 0 &&
		    states[i].since <= minor)
			found = &states[i];
	return found;
}

static const struct pair *find_pair(const struct pairs *pairs, const char *kind,
                                    const char *owner)
{
	for (size_t i = 0; i < pairs->count; i++)
		if (strcmp(pairs->pair[i].key->kind, kind) == 0 &&
		    strcmp(pairs->pair[i].key->owner, owner) == 0)
			return &pairs->pair[i];
	return NULL;
}

static uint64_t arenas_of(const struct pairs *pairs, int side)
{
	const struct pair *heap = find_pair(pairs, "heap", "Go runtime");

	return heap ? pair_bytes(heap, side, VM_SIZE) / ARENA : 0;
}

/* Is the row as large as it has to be in this state? */
static int is_in(const struct state *state, const struct pairs *pairs,
                 const struct pair *pair, int side)
{
	uint64_t size = pair_bytes(pair, side, VM_SIZE);
	uint64_t arenas = arenas_of(pairs, side);

	if (!state)
		return size == 0;
	if (!state->per_arena)
		return size == state->size;
	return arenas > 0 && size >= arenas * state->size &&
	       size <= arenas * (state->size + SLACK);
}

static void write_exact(FILE *out, uint64_t bytes)
{
	char exact[UNITS_EXACT], rounded[UNITS_TEXT];

	if (bytes == 0)
		fputs("none", out);
	else if (bytes < MIB || bytes % MIB == 0)
		fputs(units_exact(exact, bytes), out);
	else
		fprintf(out, "%s (%s)", units_exact(exact, bytes),
		        report_size(rounded, bytes, 0));
}

/* "Scavenge index: 8 MiB in go1.19.8, 512 MiB in go1.26.8: since Go 1.21 ..."
 */
static void tell_state(FILE *out, const struct report_compare *compare,
                       const struct pair *pair, const struct state *newer)
{
	int differs = pair_difference(pair, VM_SIZE) != 0;

	fputs(pair->key->kind, out);
	fputs(": ", out);
	write_exact(out, pair_bytes(pair, A, VM_SIZE));
	if (differs) {
		fputs(" in ", out);
		units_print(out, compare->side[A].go_version);
		fputs(", ", out);
		write_exact(out, pair_bytes(pair, B, VM_SIZE));
		fputs(" in ", out);
		units_print(out, compare->side[B].go_version);
	} else {
		fputs(" in both", out);
	}
	fprintf(out, ": %s (%s).", newer->why, newer->source);
}

/* Programs that have crypto in them; a program's own array may be as large. */
static void tell_scratch(FILE *out, const struct report_compare *compare,
                         const struct pairs *pairs)
{
	const struct pair *bss = find_pair(pairs, "bss", "program");
	unsigned a = minor_of(&compare->side[A]);
	unsigned b = minor_of(&compare->side[B]);
	uint64_t more = bss ? pair_distance(bss) : 0;

	if (!a || !b || (a < 26) == (b < 26) || more < SCRATCH - MIB ||
	    more > SCRATCH + MIB ||
	    (a < b) != (pair_difference(bss, VM_SIZE) > 0))
		return;
	fputs("bss: 32 MiB of it may be what programs with crypto in them have "
	      "since Go 1.26, a buffer that only the FIPS 140-3 module touches "
	      "(crypto/internal/fips140/drbg/entropy_fips140.go): then go tool "
	      "nm lists crypto/internal/fips140/drbg.memory.",
	      out);
}

static void tell_row(FILE *out, const struct report_compare *compare,
                     const struct pairs *pairs, const char *kind)
{
	unsigned a = minor_of(&compare->side[A]);
	unsigned b = minor_of(&compare->side[B]);
	const struct state *of_a = state_of(kind, a), *of_b = state_of(kind, b);
	const struct pair *pair = find_pair(pairs, kind, "Go runtime");

	if (!a || !b || a == b || !pair || !is_in(of_a, pairs, pair, A) ||
	    !is_in(of_b, pairs, pair, B))
		return;
	if (of_a == of_b && pair_bytes(pair, A, VM_SIZE) < LARGE)
		return;
	tell_state(out, compare, pair, a < b ? of_b : of_a);
}

/* Passes on what was written, if anything was. */
static void say_one(FILE *out, char **sentence,
                    void (*say)(void *context, const char *sentence),
                    void *context)
{
	if (fclose(out) == 0 && **sentence)
		say(context, *sentence);
	free(*sentence);
}

void go_tell(const struct report_compare *compare, const struct pairs *pairs,
             void (*say)(void *context, const char *sentence), void *context)
{
	for (size_t i = 0; i <= COUNT; i++) {
		char *sentence = NULL;
		size_t size;
		FILE *out;

		if (i + 1 < COUNT &&
		    strcmp(states[i].kind, states[i + 1].kind) == 0)
			continue; /* each kind once */
		out = open_memstream(&sentence, &size);
		if (!out)
			return;
		if (i < COUNT)
			tell_row(out, compare, pairs, states[i].kind);
		else
			tell_scratch(out, compare, pairs);
		say_one(out, &sentence, say, context);
	}
}
