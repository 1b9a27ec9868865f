/*
 * A piece's claim: its kind, its owner, and the place in the code that made
 * it, by what the stack of its call says and the table in kinds.c knows.
 */
#include "observer/ledger/internal.h"

#include <string.h>
#include <sys/mman.h>

/* ---- one stack ---------------------------------------------------------- */

struct walk {
	enum manner manner;
	const struct kind_rule *shared; /* of an allocator for many */
	struct name by;   /* the first frame that is no primitive */
	struct name user; /* the first behind it that is not the runtime */
	struct name any;  /* the first that is there */
	const struct kind_rule *rule;
	int at_start;
};

static enum manner manner_of(const struct trace_event *event)
{
	if (event->call != SYS_mmap)
		return ALLOCATES;
	if ((event->args[2] & (PROT_READ | PROT_WRITE | PROT_EXEC)) == 0)
		return RESERVES;
	if (!(event->args[3] & MAP_FIXED))
		return ALLOCATES;
	return event->args[3] & MAP_NORESERVE ? SHADOWS : COMMITS;
}

/* Some allocators' chunks are shared: who needed the next one is its site, but
 * unless that has a row of its own the kind is one for all. */
static const struct kind_rule *persistent_rule(const struct name *name)
{
	const struct kind_rule *rule = kinds_fit(name->rule, PERSISTENT);

	return rule && rule->manner == PERSISTENT ? rule : NULL;
}

static void look_at(struct walk *walk, const struct name *name)
{
	if (walk->any.address == 0)
		walk->any = *name;
	walk->at_start |= name->start;
	if (name->group == NAME_UNKNOWN)
		return;
	if (name->group == NAME_PRIMITIVE) {
		if (name->rule)
			walk->shared = name->rule;
		return;
	}
	if (walk->by.address == 0)
		walk->by = *name;
	/* Once the program's own code is reached, the runtime is done. */
	if (!walk->rule &&
	    !(walk->by.group == NAME_RUNTIME && walk->user.address != 0)) {
		walk->rule = walk->shared ? persistent_rule(name)
		                          : kinds_fit(name->rule, walk->manner);
		if (walk->rule && walk->shared)
			walk->by = *name;
	}
	if (walk->user.address == 0 && name->group == NAME_PROGRAM &&
	    !name->rule)
		walk->user = *name;
}

/* With what is inlined there, unless it is the inside of a primitive. */
static void look_through(struct walk *walk, const struct name *name)
{
	size_t count = name->group == NAME_PRIMITIVE ? 0 : name->inlined_count;

	for (size_t i = 0; i < count; i++)
		look_at(walk, &name->inlined[i]);
	look_at(walk, name);
}

static struct walk walk_stack(struct kinds *kinds,
                              const struct ledger_event *from)
{
	struct names *names = &kinds->names;
	struct walk walk = { .manner = manner_of(from->event) };

	names_at(names, kinds->run, from);
	/* The callee looks one byte before: here the site itself is meant. */
	if (from->event->site)
		look_through(&walk, names_get(names, from->event->site + 1));
	for (uint64_t i = 0; i < from->stack->count; i++)
		look_through(&walk, names_get(names, from->stack->frame[i]));
	if (!walk.rule)
		walk.rule = walk.shared;
	return walk;
}

/* ---- one piece ---------------------------------------------------------- */

static struct claim plain(const char *kind, const char *owner)
{
	return (struct claim){ .kind = kind, .owner = owner };
}

static struct claim claim_segment(const struct space_piece *piece)
{
	switch (piece->what) {
	case TRACE_WHAT_FILE:
		if (piece->prot & PROT_EXEC)
			return plain("text", "program");
		if (piece->prot & PROT_WRITE)
			return plain("data", "program");
		return plain("rodata", "program");
	case TRACE_WHAT_BSS:
		return plain("bss", "program");
	case TRACE_WHAT_INTERP_FILE:
	case TRACE_WHAT_INTERP_BSS: /* its name is not known */
		return plain("ld.so", KINDS_LIBC);
	case SPACE_STACK:
		return plain("stack", "kernel");
	case SPACE_VDSO:
		return plain("vDSO, vvar", "kernel");
	case SPACE_AIO:
		return plain("aio ring", "kernel");
	case SPACE_UPROBES:
		return plain("uprobes", "kernel");
	default:
		return plain("mapping", "program");
	}
}

/* By a frame of the runtime's, if only one that carries calls: its stack could
 * not be walked. */
static int by_runtime(const struct walk *walk)
{
	const char *function = walk->any.place.function;

	if (walk->by.address)
		return walk->by.group == NAME_RUNTIME;
	return function && strncmp(function, "runtime.", 8) == 0;
}

static struct claim claim_file(struct kinds *kinds,
                               const struct space_piece *piece)
{
	struct word_part name = files_name(&kinds->files, piece->start);
	const char *kind = NULL;

	if (name.size > 0)
		kind = words_make(&kinds->words, "file ", name, "");
	return plain(kind ? kind : "file mapping", "program");
}

/* Where no frame has a row in the table. */
static struct claim claim_other(struct kinds *kinds, const struct walk *walk,
                                const struct space_piece *piece)
{
	if (by_runtime(walk))
		return plain("Go runtime, other", KINDS_GO);
	if (piece->event->event->call == SYS_shmat)
		return plain("shared memory", "program");
	if (piece->event->event->call == SYS_map_shadow_stack)
		return plain("shadow stack", "program");
	if (!(piece->flags & MAP_ANONYMOUS))
		return claim_file(kinds, piece);
	return plain("mapping", "program");
}

/* By what the frames say; its kind is NULL when that is nothing. */
static struct claim claim_framed(const struct kinds *kinds,
                                 const struct walk *walk,
                                 const struct space_piece *piece)
{
	int carried = walk->any.group == NAME_PRIMITIVE && !walk->any.place.go;

	/* Who calls libc's brk() with nobody behind is its malloc(). */
	if (piece->what == TRACE_WHAT_BRK)
		return plain("brk heap",
		             walk->rule || (carried && !walk->by.address)
		                     ? KINDS_LIBC
		                     : "program");
	if (piece->event == kinds->scavenge)
		return plain("scavenge index", KINDS_GO);
	if (walk->rule)
		return plain(walk->rule->kind, walk->rule->owner);
	return (struct claim){ 0 };
}

/* What is known without a frame that says more than mmap; not for what Go's
 * own code has mapped: its frames are all there. */
static struct claim claim_frameless(struct kinds *kinds,
                                    const struct walk *walk,
                                    const struct space_piece *piece)
{
	struct claim claim = { 0 };

	if (walk->any.place.go)
		return claim;
	claim = infer_claim(&kinds->inferred, piece);
	if (!claim.kind && piece->flags & MAP_ANONYMOUS &&
	    files_is_loader(&kinds->files, piece->event->event->site))
		claim = plain("ld.so", KINDS_LIBC);
	return claim;
}

static void set_site(struct claim *claim, const struct walk *walk)
{
	const struct name *name = &walk->any;

	if (walk->by.address)
		name = &walk->by;
	if (walk->rule && walk->rule->caused && walk->user.address)
		name = &walk->user;
	claim->place = name->place;
	claim->address = name->address;
	claim->at_start = walk->at_start;
	if (walk->by.group == NAME_RUNTIME) {
		claim->maker = walk->by.place;
		claim->maker_address = walk->by.address;
	}
}

/* By the frames, else by its name, else by what calls prove. */
static struct claim claim_known(struct kinds *kinds, const struct walk *walk,
                                const struct space_piece *piece,
                                const struct ledger_event *given)
{
	struct claim claim = claim_framed(kinds, walk, piece);
	struct claim named = { 0 };
	const char *proved;

	if (!claim.kind) {
		claim = claim_frameless(kinds, walk, piece);
		if (given)
			named = words_given(&kinds->words, given);
	}
	proved = claim.kind;
	if (named.kind && (!proved || strcmp(proved, named.kind) != 0))
		claim = named;
	claim.proved = proved;
	return claim;
}

static struct claim claim_call(struct kinds *kinds,
                               const struct space_piece *piece,
                               const struct ledger_event *given)
{
	struct claim claim =
		files_claim_library(&kinds->files, &kinds->words, piece);
	struct walk walk;

	if (claim.kind)
		return claim;
	walk = walk_stack(kinds, piece->event);
	claim = claim_known(kinds, &walk, piece, given);
	if (!claim.kind)
		claim = claim_other(kinds, &walk, piece);
	else if (!walk.by.address && !walk.rule && piece->what == SPACE_CALL)
		return claim; /* "mmap" would tell nothing */
	set_site(&claim, &walk);
	return claim;
}

struct claim kinds_claim(struct kinds *kinds, const struct space_piece *piece,
                         const struct ledger_event *given)
{
	struct claim claim = { 0 };

	if (piece->what == TRACE_WHAT_INTERP_FILE ||
	    piece->what == TRACE_WHAT_INTERP_BSS)
		claim = files_claim_library(&kinds->files, &kinds->words,
		                            piece);
	if (claim.kind)
		return claim;
	if (!piece->event || piece->event->event->call >= TRACE_FACT ||
	    (piece->what != SPACE_CALL && piece->what != TRACE_WHAT_BRK))
		return claim_segment(piece);
	return claim_call(kinds, piece, given);
}

/* ---- Go 1.19 and 1.20 --------------------------------------------------- */

/*
 * There (*pageAlloc).sysInit reserves the scavenge index too, in the same way
 * as the page summary; but behind its levels, of which each is larger than
 * the one before, and smaller than the last.
 */
int kinds_is_scavenge(struct kinds *kinds, const struct ledger_event *from,
                      uint64_t *largest)
{
	struct walk walk;

	if (from->event->call != SYS_mmap ||
	    manner_of(from->event) != RESERVES)
		return 0;
	walk = walk_stack(kinds, from);
	if (!walk.rule || !walk.rule->function ||
	    strcmp(walk.rule->function, "runtime.(*pageAlloc).sysInit") != 0)
		return 0;
	if (from->event->args[1] < *largest)
		return 1;
	*largest = from->event->args[1];
	return 0;
}

const struct ledger_event *kinds_find_scavenge(struct kinds *kinds)
{
	enum { ENOUGH = 4096 }; /* it happens before the program begins */
	const struct ledger_run *run = kinds->run;
	uint64_t largest = 0;

	for (size_t i = 0; i < run->event_count && i < ENOUGH; i++)
		if (kinds_is_scavenge(kinds, &run->event[i], &largest))
			return &run->event[i];
	return NULL;
}

int kinds_init(struct kinds *kinds, const struct ledger_run *run,
               ledger_namer *namer, void *context)
{
	*kinds = (struct kinds){
		.run = run,
		.names = { .namer = namer, .context = context },
	};
	if (!files_read(&kinds->files, run) ||
	    !infer_run(&kinds->inferred, run))
		return 0;
	kinds->scavenge = kinds_find_scavenge(kinds);
	return 1;
}

void kinds_free(struct kinds *kinds)
{
	names_free(&kinds->names);
	files_free(&kinds->files);
	infer_free(&kinds->inferred);
}
