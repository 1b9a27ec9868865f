/*
 * What calls tell without a stack.
 *
 * C code's stacks are not known, and a libc-linked Go runtime maps by libc's
 * mmap.  Some sequences of calls still prove what is mapped: each rule below
 * says whose they are, and by what source.  What no rule proves stays a
 * "mapping".
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define KIB    1024ull
#define MIB    (1024 * KIB)
#define NEAR   4096 /* events that one sequence may span */
#define LEVELS 5

#ifndef MAP_STACK
#define MAP_STACK 0x20000
#endif
#define ARCH_SET_FS 0x1002 /* asm/prctl.h */

#define SHADOW     0x200000000000u /* of Go's race detector, see below */
#define SHADOW_END 0x400000000000u

struct region {
	uint64_t start, end;
	const struct ledger_event *from;
	const char *kind, *owner;
};

struct point { /* where a thread's own area is */
	uint64_t address;
	const struct ledger_event *from; /* who says so */
};

/* ---- reading calls ------------------------------------------------------ */

static int is_mmap(const struct trace_event *event, unsigned prot,
                   unsigned flags)
{
	return event->call == SYS_mmap && !trace_failed(event->result) &&
	       event->args[2] == prot && event->args[3] == flags;
}

/* mmap(hint, size, PROT_NONE, MAP_ANON|MAP_PRIVATE): as Go reserves. */
static int reserves(const struct trace_event *event)
{
	return is_mmap(event, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
}

static struct region *add(struct inferred *inferred,
                          const struct ledger_event *from, const char *kind,
                          const char *owner)
{
	struct region *region = vector_add(&inferred->region, sizeof(*region));

	if (!region) {
		inferred->failed = 1;
		return NULL;
	}
	*region = (struct region){
		.start = from->event->result,
		.end = from->event->result + from->event->args[1],
		.from = from,
		.kind = kind,
		.owner = owner,
	};
	return region;
}

/* ---- malloc's arenas ---------------------------------------------------- */

/*
 * glibc, malloc/arena.c, new_heap(): HEAP_MAX_SIZE is 64 MiB.  It maps twice
 * that, unmaps what is not the aligned half, or maps one at an aligned hint,
 * and makes the beginning writable; all in one thread:
 *
 *   mmap(0, 128M, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE)
 *   munmap(before), munmap(behind)
 *   mprotect(aligned, 132K, PROT_READ|PROT_WRITE)
 *
 * The end of the run may come before that: then all of it is still there.
 */
#define ARENA (64 * MIB)

/* What the thread does next but to unmap; of `run`'s end: NULL, *cut is 1. */
static const struct trace_event *next_protect(const struct ledger_run *run,
                                              size_t i, int *cut)
{
	uint64_t thread = run->event[i].event->thread;
	size_t end = i + NEAR < run->event_count ? i + NEAR : run->event_count;

	while (++i < end) {
		const struct trace_event *event = run->event[i].event;

		if (event->thread != thread || event->call == SYS_munmap)
			continue;
		return event->call == SYS_mprotect ? event : NULL;
	}
	*cut = end == run->event_count;
	return NULL;
}

static void see_arena(struct inferred *inferred, const struct ledger_run *run,
                      size_t i)
{
	const struct trace_event *event = run->event[i].event, *protect;
	uint64_t start = (event->result + ARENA - 1) & -ARENA;
	struct region *region;
	int cut = 0;

	if (!is_mmap(event, PROT_NONE,
	             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE) ||
	    (event->args[1] != 2 * ARENA &&
	     (event->args[1] != ARENA || start != event->result)))
		return;
	protect = next_protect(run, i, &cut);
	if (!cut && (!protect || protect->args[0] != start ||
	             protect->args[1] > ARENA ||
	             protect->args[2] != (PROT_READ | PROT_WRITE)))
		return;
	region = add(inferred, &run->event[i], "malloc arena", KINDS_LIBC);
	if (region && !cut) {
		region->start = start;
		region->end = start + ARENA;
	}
}

/* ---- threads ------------------------------------------------------------ */

static void add_point(struct inferred *inferred, uint64_t address,
                      const struct ledger_event *from)
{
	struct point *point = vector_add(&inferred->point, sizeof(*point));

	if (point)
		*point = (struct point){ address, from };
	else
		inferred->failed = 1;
}

/*
 * glibc's allocate_stack() and musl's pthread_create() put the thread's own
 * area (FS base) at the top of its stack.  A mapping in which a thread began
 * with both is its stack, whoever asked for it.  FS bases that arch_prctl sets
 * are those of the main thread: libc's TLS.
 */
static void see_thread(struct inferred *inferred,
                       const struct ledger_event *from)
{
	const struct trace_event *event = from->event;

	if (event->call == TRACE_THREAD && event->thread)
		add_point(inferred, event->thread, from);
	if (event->call == SYS_arch_prctl && event->args[0] == ARCH_SET_FS &&
	    !trace_failed(event->result))
		add_point(inferred, event->args[1], from);
}

static int by_address(const void *left, const void *right)
{
	const struct point *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return a->from < b->from ? -1 : a->from > b->from;
}

/* One point for each address: the latest. */
static void settle_points(struct inferred *inferred)
{
	struct point *point = inferred->point.item;
	size_t count = inferred->point.count, kept = 0;

	if (count == 0)
		return;
	qsort(point, count, sizeof(*point), by_address);
	for (size_t i = 1; i < count; i++) {
		kept += point[i].address != point[kept].address;
		point[kept] = point[i];
	}
	inferred->point.count = kept + 1;
}

static size_t first_point(const struct inferred *inferred, uint64_t address)
{
	const struct point *point = inferred->point.item;
	size_t low = 0, high = inferred->point.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (point[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const char *by_point(const struct inferred *inferred,
                            const struct ledger_event *from)
{
	const struct point *point = inferred->point.item;
	uint64_t start = from->event->result;
	uint64_t end = start + from->event->args[1];

	for (size_t i = first_point(inferred, start);
	     i < inferred->point.count && point[i].address < end; i++) {
		const struct trace_event *event = point[i].from->event;

		if (point[i].from < from) /* in what was here before */
			continue;
		if (event->call == SYS_arch_prctl)
			return "TLS";
		if (event->args[1] >= start && event->args[1] < end)
			return "thread stack";
	}
	return NULL;
}

/* ---- a libc-linked Go runtime ------------------------------------------- */

/*
 * mpagealloc_64bit.go, (*pageAlloc).sysInit: a reservation for each of five
 * levels, of 1<<(48-shift) entries of 8 bytes, one behind the other, before the
 * runtime does anything else.  Nothing else asks for these five in a row.
 * Behind them (*scavengeIndex).sysInit: 8 MiB in Go 1.19 and 1.20, 512 MiB
 * since 1.21, nothing before.
 */
static const uint64_t levels[LEVELS] = { 128 * KIB, MIB, 8 * MIB, 64 * MIB,
	                                 512 * MIB };

/*
 * The first growth of the heap allocates in this order, all in one thread and
 * by one site: malloc.go, (*mheap).sysAlloc, an index of 4 Mi pointers and the
 * arena's own metadata; mpagealloc.go, (*pageAlloc).grow, bitmaps of 8,192
 * chunks; mheap.go, recordspan and newArenaMayUnlock, 64 KiB each.  What is
 * behind the first that differs is not known.
 */
static const struct {
	uint64_t size; /* 0: by version */
	const char *kind;
} growth[] = {
	{ 32 * MIB, "heap index" },  { 0, "heap metadata" },
	{ MIB, "page alloc index" }, { 64 * KIB, "spans" },
	{ 64 * KIB, "gc bits" },
};

#define GROWTH  (sizeof(growth) / sizeof(growth[0]))
#define CHUNK   (256 * KIB)   /* malloc.go, persistentChunkSize */
#define BUCKETS (8 * 179999u) /* mprof.go, buckhashArray */

struct go { /* how far the thread that starts the runtime has come */
	uint64_t thread, site;
	const struct ledger_event *before; /* the latest mmap */
	const struct ledger_event *level[LEVELS];
	size_t count;
	int summarised;    /* all five are there: what comes next? */
	uint64_t heap;     /* where the heap's next reservation would be */
	size_t grown;      /* steps of its first growth */
	uint64_t grower;   /* thread that has just reserved an arena */
	uint64_t metadata; /* of one arena */
};

static void summary(struct inferred *inferred, struct go *go)
{
	for (size_t i = 0; i < LEVELS; i++)
		add(inferred, go->level[i], "page summary", KINDS_GO);
	go->count = 0;
	go->summarised = 1;
	go->site = go->level[0]->event->site;
	go->heap = 0;
	go->grown = 0;
	go->metadata = 0;
}

/* mmap(0, size, RW): as Go allocates. */
static int allocates(const struct trace_event *event)
{
	return is_mmap(event, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS) &&
	       event->args[0] == 0;
}

/* malloc.go, mallocinit: the first chunk of persistentalloc's is needed right
 * before the page summary. */
static void see_chunk(struct inferred *inferred, const struct go *go,
                      const struct trace_event *level)
{
	const struct trace_event *event = go->before ? go->before->event : NULL;

	if (event && allocates(event) && event->args[1] == CHUNK &&
	    event->thread == level->thread && event->site == level->site)
		add(inferred, go->before, "runtime metadata", KINDS_GO);
}

static int is_level(const struct trace_event *event, size_t level)
{
	return reserves(event) && event->args[0] == 0 &&
	       event->args[1] == levels[level];
}

static void see_level(struct inferred *inferred, struct go *go,
                      const struct ledger_event *from)
{
	const struct trace_event *event = from->event;

	if (go->count > 0 && event->thread != go->thread)
		return;
	if (!is_level(event, go->count))
		go->count = 0;
	if (!is_level(event, go->count))
		return;
	if (go->count == 0)
		see_chunk(inferred, go, event);
	go->thread = event->thread;
	go->level[go->count++] = from;
	if (go->count == LEVELS)
		summary(inferred, go);
}

/*
 * malloc.go, (*mheap).sysAlloc: the heap is reserved at a hint, in units of
 * 64 MiB (heapArenaBytes), each where the one before ended.  The first is the
 * first reservation at a hint behind the page summary, in the same thread.
 */
static int see_heap(struct inferred *inferred, struct go *go,
                    const struct ledger_event *from)
{
	const struct trace_event *event = from->event;
	int first = go->heap == 0 && event->thread == go->thread;

	if (!reserves(event))
		return 0;
	if (first && event->args[0] == 0 &&
	    (event->args[1] == 8 * MIB || event->args[1] == 512 * MIB)) {
		add(inferred, from, "scavenge index", KINDS_GO);
		return 1;
	}
	if (event->args[0] != event->result || event->args[0] == 0 ||
	    event->args[1] % (64 * MIB) != 0 ||
	    event->result % (64 * MIB) != 0 ||
	    (!first && event->result != go->heap))
		return 0;
	add(inferred, from, "heap", KINDS_GO);
	go->heap = event->result + event->args[1];
	go->grower = event->thread;
	return 1;
}

/* The steps of the first growth; of later ones, an arena's metadata right
 * behind its reservation.  At last, what only Go's profiles are so large. */
static void see_growth(struct inferred *inferred, struct go *go,
                       const struct ledger_event *from)
{
	const struct trace_event *event = from->event;
	uint64_t size = event->args[1];

	if (!go->heap || event->site != go->site || !allocates(event))
		return;
	if (size == BUCKETS) {
		add(inferred, from, "profiling buckets", KINDS_GO);
	} else if (go->grown < GROWTH && event->thread == go->thread) {
		if (growth[go->grown].size == 0)
			go->metadata = size;
		else if (growth[go->grown].size != size)
			go->grown = GROWTH;
		if (go->grown < GROWTH)
			add(inferred, from, growth[go->grown++].kind, KINDS_GO);
	} else if (event->thread == go->grower) {
		go->grower = 0;
		if (size == go->metadata)
			add(inferred, from, "heap metadata", KINDS_GO);
	}
}

static void see_go(struct inferred *inferred, struct go *go,
                   const struct ledger_event *from)
{
	if (from->event->call != SYS_mmap || trace_failed(from->event->result))
		return;
	if (go->summarised && !see_heap(inferred, go, from))
		see_growth(inferred, go, from);
	see_level(inferred, go, from);
	go->before = from;
}

/* ---- the race detector -------------------------------------------------- */

/*
 * compiler-rt, tsan_platform.h: for Go, the shadow of the heap begins at
 * 0x200000000000, and what is known of each block at 0x300000000000.
 * MapShadow() maps parts of them at fixed places.  All that the detector has
 * is mapped by one instruction: sanitizer_linux.cpp, internal_mmap().
 */
static void see_shadow(struct inferred *inferred,
                       const struct ledger_event *from)
{
	const struct trace_event *event = from->event;

	if (!is_mmap(event, PROT_READ | PROT_WRITE,
	             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE) ||
	    event->result < SHADOW || event->result >= SHADOW_END)
		return;
	add(inferred, from, "sanitizer shadow", KINDS_SANITIZER);
	inferred->sanitizer = event->site;
}

/* ---- the whole ---------------------------------------------------------- */

static int by_event(const void *left, const void *right)
{
	const struct region *a = left, *b = right;

	return a->from < b->from ? -1 : a->from > b->from;
}

int infer_run(struct inferred *inferred, const struct ledger_run *run)
{
	struct go go = { 0 };

	*inferred = (struct inferred){ 0 };
	for (size_t i = 0; i < run->event_count; i++) {
		see_thread(inferred, &run->event[i]);
		see_arena(inferred, run, i);
		if (!run->go_version)
			continue;
		see_go(inferred, &go, &run->event[i]);
		see_shadow(inferred, &run->event[i]);
	}
	settle_points(inferred);
	if (inferred->region.count > 0)
		qsort(inferred->region.item, inferred->region.count,
		      sizeof(struct region), by_event);
	return !inferred->failed;
}

void infer_free(struct inferred *inferred)
{
	free(inferred->region.item);
	free(inferred->point.item);
}

/* The latest before `from` that holds [start, end). */
static const struct region *region_around(const struct inferred *inferred,
                                          const struct ledger_event *from,
                                          uint64_t start, uint64_t end)
{
	const struct region *region = inferred->region.item;

	for (size_t i = inferred->region.count; i-- > 0;)
		if (region[i].from < from && start >= region[i].start &&
		    end <= region[i].end)
			return &region[i];
	return NULL;
}

/* What is mapped over a reservation, at its address, is a part of it. */
static const struct region *region_of(const struct inferred *inferred,
                                      const struct space_piece *piece)
{
	const struct region key = { .from = piece->event };
	const struct region *region = NULL;

	if (inferred->region.count > 0)
		region = bsearch(&key, inferred->region.item,
		                 inferred->region.count, sizeof(key), by_event);
	if (!region && piece->flags & MAP_FIXED)
		region = region_around(inferred, piece->event, piece->start,
		                       piece->end);
	return region;
}

struct claim infer_claim(const struct inferred *inferred,
                         const struct space_piece *piece)
{
	struct claim claim = { .owner = KINDS_LIBC };
	const struct region *region;

	if (!(piece->flags & MAP_ANONYMOUS) ||
	    piece->event->event->call != SYS_mmap)
		return claim;
	region = region_of(inferred, piece);
	if (region) {
		claim.kind = region->kind;
		claim.owner = region->owner;
		claim.whole = region->from;
		return claim;
	}
	if (inferred->sanitizer &&
	    piece->event->event->site == inferred->sanitizer) {
		claim.kind = "sanitizer memory";
		claim.owner = KINDS_SANITIZER;
		return claim;
	}
	/* glibc maps all stacks of threads so, also those that wait for one
	 * (nptl/allocatestack.c) */
	if (piece->flags & MAP_STACK)
		claim.kind = "thread stack";
	else
		claim.kind = by_point(inferred, piece->event);
	return claim;
}
