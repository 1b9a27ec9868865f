/*
 * internal - what the files of this room share: never included elsewhere.
 *
 * The way of a ledger:
 *
 *   run.c     bytes -> sorted events, looks, samples
 *   replay.c  events in order -> calls.c, when -> effects.c, shm.c, what
 *   race.c    watches calls that overlap in time and in addresses
 *   trend.c   the sums over time, thinned to what a chart can show
 *   memstats.c  MemStats over time, likewise
 *   look.c    the kernel's map as text -> lines
 *   check.c   the space against the last look; only what both have stays
 *   kinds.c   the table from frames to kinds and owners
 *   claim.c   a piece's stack -> its kind, owner and site
 *   files.c   a piece's address -> its file, its shared library
 *   infer.c   what sequences of calls prove where there is no stack
 *   words.c   kinds that the run brings along: names of files and mappings
 *   names.c   a memory of names, so that each address is asked for once
 *   modules.c modules and events -> which file was where, and when
 *   rows.c    pieces -> rows
 *   shots.c   what was resident at a moment -> rows
 *   why.c     the stacks behind a row, when somebody asks
 *   lives.c   every mapping, from its beginning to its end, likewise
 *   limit.c   what a limit of memory hits, likewise
 *   callers.c  a call's stack -> its place and kind, likewise
 *   injected.c  calls that goload made to fail or wait -> their callers
 *   net.c     events and the files' sites -> whose calls the net carried
 */
#ifndef OBSERVER_LEDGER_INTERNAL_H
#define OBSERVER_LEDGER_INTERNAL_H

#include "observer/ledger/ledger.h"
#include "observer/ledger/space.h"

#include <sys/syscall.h>

/* Calls that are younger than the headers of the oldest supported system. */
#ifndef SYS_map_shadow_stack
#define SYS_map_shadow_stack 453
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* ---- an array that grows ------------------------------------------------ */

struct vector {
	void *item;
	size_t count, capacity;
};

/* Room for one more item of `size` bytes; NULL when memory is short. */
void *vector_add(struct vector *vector, size_t size);

/* ---- order -------------------------------------------------------------- */

/* How a call changes the map: decides at which of its tickets it counts. */
enum call_shape {
	CALL_NEITHER, /* changes no range */
	CALL_UNMAPS,  /* counts before: others may get what it frees */
	CALL_MAPS,    /* counts after: it got what others had freed */
	CALL_BOTH,    /* changes named ranges between its two tickets */
};

enum call_shape call_shape(const struct trace_event *event);

/* ---- looks -------------------------------------------------------------- */

struct look_line { /* of /proc/PID/maps */
	uint64_t start, end;
	uint64_t offset;
	uint64_t inode;
	const char *name; /* not NUL-terminated */
	size_t name_size;
	uint8_t prot;
	uint8_t shared;
};

struct look {
	struct look_line *line; /* in order, without overlap */
	size_t count;
	uint64_t size; /* the sum: what VmSize counts */
};

/* 0 when memory is short.  Lines that are none, and [vsyscall], which VmSize
 * does not count, are left out. */
int look_read(struct look *look, const struct ledger_look *text);
void look_free(struct look *look);
int look_named(const struct look_line *line, const char *name);

/* The line that holds `address`, or the first behind it; look->count if none */
size_t look_seek(const struct look *look, uint64_t address);

/* What the kernel makes by itself: enum space_what, or 0 when calls make it. */
unsigned look_kernel_made(const struct look_line *line);

/* The first look of this kind, or the last one of FILE_LOOK_LAST. */
const struct ledger_look *look_when(const struct ledger_run *run,
                                    enum file_look_when when);

/* ---- time --------------------------------------------------------------- */

#define TREND_RAW     512
#define TREND_BUCKETS 128
#define TREND_KEPT    4 /* of a bucket: least, most, most resident, last */

struct trend {
	const struct ledger_run *run;
	uint64_t duration;
	uint64_t resident;        /* by the latest sample */
	size_t sample;            /* the next one */
	size_t count;             /* points seen */
	struct ledger_point last; /* sums as they are now */
	struct ledger_point waiting; /* the latest point: is it the last of
	                                its moment? */
	int is_waiting;
	struct ledger_point raw[TREND_RAW];
	struct {
		int used;
		struct ledger_point kept[TREND_KEPT];
	} bucket[TREND_BUCKETS];
};

void trend_init(struct trend *trend, const struct ledger_run *run);
void trend_add(struct trend *trend, uint64_t tsc, uint64_t reserved,
               uint64_t committed);

/* Adds the end, then writes ledger->point; 0 when memory is short. */
int trend_finish(struct trend *trend, struct ledger *ledger);

/* Fills in ledger->memstats; 0 when memory is short. */
int memstats_build(struct ledger *ledger);

/* ---- replay ------------------------------------------------------------- */

struct span {
	uint64_t start, end; /* empty when start >= end */
};

static inline struct span span_cross(struct span a, struct span b)
{
	return (struct span){ a.start > b.start ? a.start : b.start,
		              a.end < b.end ? a.end : b.end };
}

static inline int span_empty(struct span a)
{
	return a.start >= a.end;
}

/* Of `bytes` in a range of `size`, those before `at`.  Taking differences of
 * these, the shares of the range's parts add up to the byte. */
static inline uint64_t span_share(uint64_t bytes, uint64_t size, uint64_t at)
{
	return (uint64_t)((unsigned __int128)bytes * at / size);
}

/* Doubtful ranges: where the order is not known, the kernel is right. */
enum doubt {
	DOUBT_RACED,  /* two threads on the same pages: counted when seen */
	DOUBT_FAILED, /* a failed call: counted if it did change something */
	DOUBT_LATE,   /* not over when the last look was taken */
};

/* One call on its way through the replay. */
struct call {
	const struct ledger_event *from;
	const struct trace_event *event;
	struct span asked[2]; /* ranges that the caller named: a race on these
	                       * cannot be put in order */
	struct span took;     /* where it mapped, once it has */
	struct span clash;    /* where another thread's call raced it */
	uint64_t over;        /* of an unmapping call: TSC behind it, or 0 */
	struct space_list lifted; /* what mremap has taken up */
	struct space_list lifted_returned; /* and of replay.returned */
	uint64_t unit;            /* of mremap: page or huge page */
	int inherits;             /* of mremap: what it moves is doubtful, */
	enum doubt doubt;         /* for this reason */
	int used;
};

struct attach { /* of System V shared memory, or a ring of aio */
	uint64_t start, end;
	const struct ledger_event *event;
};

struct replay {
	const struct ledger_run *run;
	struct space space;
	struct space doubt; /* pieces' `prot` is enum doubt */
	struct space given; /* names: pieces' `event` is who gave it */
	struct space returned; /* given back by madvise */
	const struct file_look *last; /* to check against, or NULL */
	uint64_t order; /* of what changes now */
	uint64_t page;
	uint64_t brk;
	int brk_known;
	int vdso_moved;     /* the program asked for another vDSO */
	struct vector open; /* of struct call: under way */
	struct vector attach;
	struct look *look; /* run->look_count of them, read when needed */
	uint64_t ambiguous;
	uint64_t peak;
	struct trend trend;
	struct shots *shots; /* to be told of the way, or NULL */
	int failed; /* memory is short */
};

/* Runs all events; 0 when memory is short.  replay_free() in any case. */
int replay_run(struct replay *replay, const struct ledger_run *run);
/* The same, telling shots_until(). */
int replay_shots(struct replay *replay, const struct ledger_run *run,
                 struct shots *shots);

/* The same; each piece that ends goes to `ended`.  Its clock, and that of the
 * pieces that are left, is ns since the run began, and never goes back. */
int replay_watched(struct replay *replay, const struct ledger_run *run,
                   space_ended *ended, void *context);
void replay_free(struct replay *replay);
int replay_failed(const struct replay *replay); /* memory is short */

/* calls.c: one call, its part at `ticket` and its part at
 * `ticket_after`.  A call with one ticket has both parts at that. */
void call_open(struct replay *replay, struct call *call,
               const struct ledger_event *from);
void call_begin(struct replay *replay, struct call *call);
void call_end(struct replay *replay, struct call *call);
void call_fact(struct replay *replay, const struct ledger_event *from);

/* race.c: calls under way. */
struct call *race_enter(struct replay *replay, const struct call *call);
struct call *race_find(struct replay *replay, const struct ledger_event *from);
void race_leave(struct call *call);

/* `span` was free for the kernel to choose: who named it before is done. */
void race_release(struct replay *replay, struct span span);

/* The whole range is doubtful from now on, by `from`. */
void replay_doubt(struct replay *replay, struct span span, enum doubt why,
                  const struct ledger_event *from);

/* ---- check -------------------------------------------------------------- */

/* Compares with the last look, takes out of the space what it does not have,
 * and fills in ledger->vm_size ... peak_vm_size.  0 when memory is short. */
int check_run(struct replay *replay, struct ledger *ledger);

/* ---- names, kinds, rows ------------------------------------------------- */

#define KINDS_GO        "Go runtime"
#define KINDS_LIBC      "libc"
#define KINDS_SANITIZER "sanitizer"

enum manner {
	ANY,
	RESERVES,   /* no access */
	ALLOCATES,  /* access, where the kernel likes */
	COMMITS,    /* access, over a reservation */
	PERSISTENT, /* through an allocator for many */
	SHADOWS,    /* access, at a place of its own, MAP_NORESERVE */
};

struct kind_rule {
	const char *function;
	enum manner manner;
	const char *kind, *owner;
	int caused;        /* the program's code caused it: that is the site */
	const char *given; /* what Go names it (1.25-), or NULL */
};

enum name_group {
	NAME_UNKNOWN,
	NAME_PRIMITIVE, /* carries a call for someone: look further out */
	NAME_RUNTIME,   /* the Go runtime */
	NAME_PROGRAM,
};

/* modules.c: which file's code was where, and when. */
struct module_span {
	const struct ledger_module *module; /* NULL: none was there */
	uint64_t code;        /* where its code begins; 0: it is never unmapped */
	uint64_t from, until; /* tickets, both included */
};

struct modules {
	struct module_span *span;
	size_t count;
	uint64_t *cut; /* where one begins or ends, in order */
	size_t cut_count;
	struct module_moment *moment; /* of a tree over these, by node */
	size_t moment_count;
};

/* 0 when memory is short.  modules_free() in any case. */
int modules_read(struct modules *modules, const struct ledger_run *run);
void modules_free(struct modules *modules);

/* What was at `address`, and how long before and behind `order` nothing else
 * was. */
struct module_span modules_find(const struct modules *modules, uint64_t address,
                                uint64_t order);

struct name {
	uint64_t address; /* 0: an empty place */
	uint64_t from; /* the ticket from which on it is this one */
	struct ledger_place place;
	const struct kind_rule *rule; /* first row of the table for it */
	uint8_t group;                /* enum name_group */
	uint8_t start;      /* runtime.schedinit: before the program */
	/* likewise of place.inlined; their address is the same */
	struct name *inlined;
	size_t inlined_count;
};

struct names {
	ledger_namer *namer;
	void *context;
	struct name *name; /* a hash table */
	size_t count, capacity;
	const struct ledger_run *run; /* whose modules these are, or NULL */
	struct modules modules;
	uint64_t order; /* names_at() */
	int failed;
};

/* From now on names are what they were when `from` was recorded.  Before it is
 * first called, the namer alone knows modules. */
void names_at(struct names *names, const struct ledger_run *run,
              const struct ledger_event *from);

/* Never NULL.  The result lives until the next call. */
const struct name *names_get(struct names *names, uint64_t address);
void names_free(struct names *names);

/* Fills in what kinds.c knows of a name. */
void kinds_tell(struct name *name);

/* `rule`, or the first of its followers for the same function, that fits. */
const struct kind_rule *kinds_fit(const struct kind_rule *rule,
                                  enum manner manner);

struct claim {
	const char *kind, *owner;
	struct ledger_place place; /* who made it; function NULL: not known */
	uint64_t address;          /* of that frame, 0: no one */
	const struct ledger_event *whole; /* of what it is a part, or NULL */
	int at_start;
	/* the function of the Go runtime that makes such mappings, whoever
	 * needs them; address 0: it was none */
	struct ledger_place maker;
	uint64_t maker_address;
	const char *proved; /* the kind without its name; NULL: not known */
};

struct word_part { /* not NUL-terminated */
	const char *text;
	size_t size;
};

/* Does a mapping of this kind get this name from Go? */
int kinds_agree(const char *kind, struct word_part given);

/* words.c: kinds that are made up. */
struct words {
	struct vector list; /* of char * */
};

/* "<before><part><behind>", once; NULL when there are too many. */
const char *words_make(struct words *words, const char *before,
                       struct word_part part, const char *behind);

/* A claim from the name that `from` gave; its kind is NULL when that names
 * nothing. */
struct claim words_given(struct words *words, const struct ledger_event *from);
int words_is_state(const struct ledger_event *from);

/* What Go has named it, without "Go: "; of size 0 when it was not Go. */
struct word_part words_of_go(const struct ledger_event *from);

/* files.c: files and libraries, by the last look. */
struct library {
	uint64_t start, end;
	struct word_part name;
	int interpreter;
};

struct files {
	struct look look;
	struct vector library;
	int failed;
};

int files_read(struct files *files, const struct ledger_run *run);
void files_free(struct files *files);
const struct library *files_library(const struct files *files,
                                    uint64_t address);
int files_is_loader(const struct files *files, uint64_t site);

/* What a module is as a library; 0 when it is none. */
int files_of_module(const struct ledger_run *run,
                    const struct ledger_module *from, struct library *library);

/* Base name of the file at `address`; of size 0 when there is none. */
struct word_part files_name(const struct files *files, uint64_t address);

/* Kind NULL: not a library's. */
struct claim files_claim_library(struct files *files, struct words *words,
                                 const struct space_piece *piece);

/* infer.c */
struct inferred {
	struct vector region; /* ranges that are known, by their event */
	struct vector point;  /* where threads' own areas are, by address */
	uint64_t sanitizer;   /* the site of the race detector, or 0 */
	int failed;
};

int infer_run(struct inferred *inferred, const struct ledger_run *run);
void infer_free(struct inferred *inferred);

/* Kind NULL: nothing is proved.  The piece is a call's. */
struct claim infer_claim(const struct inferred *inferred,
                         const struct space_piece *piece);

struct kinds {
	const struct ledger_run *run;
	struct names names;
	struct words words;
	struct files files;
	struct inferred inferred;
	const struct ledger_event *scavenge; /* Go 1.19, 1.20: see claim.c */
};

/* 0 when memory is short.  kinds_free() in any case; the words are the
 * ledger's. */
int kinds_init(struct kinds *kinds, const struct ledger_run *run,
               ledger_namer *namer, void *context);
void kinds_free(struct kinds *kinds);

/* `given` names the piece, or is NULL. */
struct claim kinds_claim(struct kinds *kinds, const struct space_piece *piece,
                         const struct ledger_event *given);

/* Rows of what is in the space; 0 when memory is short. */
int rows_build(struct ledger *ledger, const struct replay *replay,
               ledger_namer *namer, void *context);

/* Fills in ledger->moment and the columns of these moments; the rows are there,
 * and `end` is what they were made of.  0 when memory is short. */
int shots_build(struct ledger *ledger, const struct space *end,
                struct kinds *kinds);
/* The replay is at all shots that were over before `tsc`. */
void shots_until(struct shots *shots, const struct replay *replay,
                 uint64_t tsc);

/* Does Go 1.19 or 1.20 reserve its scavenge index so?  *largest is that of the
 * reservations before, 0 at first.  To be asked of all calls, in order. */
int kinds_is_scavenge(struct kinds *kinds, const struct ledger_event *from,
                      uint64_t *largest);
/* The one of the run's, or NULL. */
const struct ledger_event *kinds_find_scavenge(struct kinds *kinds);

/* Calls that goload made to fail or wait; 0 when memory is short. */
int injected_build(struct ledger *ledger, ledger_namer *namer, void *context);

/* "image", "stubs" ... of a piece that is goload's. */
const char *rows_own_kind(unsigned what);

/* The sites and whose calls the net carried; 0 when memory is short. */
int net_build(struct ledger *ledger, ledger_namer *namer, void *context);

#endif
