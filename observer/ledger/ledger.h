/*
 * ledger - the model of the target's address space, and its account.
 *
 *   run.c      run file bytes -> struct ledger_run (events sorted by order)
 *   space.c    the range map: map, unmap, protect, move.  Pure.
 *   replay.c   event after event into the range map
 *   check.c    the range map against the kernel's map
 *   rows.c     ranges -> rows of the account
 *   kinds.c    the table from stacks to kinds and owners
 *   net.c      the sites whose calls the net carried
 *   why.c      the stacks behind a row
 *   frames.c   the frames of one call
 *   callers.c  where one call comes from, and what for
 *   injected.c  calls that goload made to fail, or wait
 *   limit.c    what a limit of memory hits
 *   internal.h the whole way, with the smaller files
 *
 * Built from events, plus what the kernel made before and without them (the
 * initial stack and its growth, vDSO, vvar).  The kernel's own map is only
 * used to check: what it has and the model has not is `unexplained`, with its
 * range.  Nothing is ever derived by subtraction.
 *
 * Hosted, pure: bytes in, structs out; no I/O, no printing.  Names for
 * addresses come through a callback, so this room knows no symbols.
 */
#ifndef OBSERVER_LEDGER_LEDGER_H
#define OBSERVER_LEDGER_LEDGER_H

#include "trace/trace.h"

#include <stddef.h>
#include <stdint.h>

/* ---- run.c: a run file, read ------------------------------------------- */

struct ledger_event {
	const struct trace_event *event; /* in the run file's bytes, */
	const struct file_stack *stack;  /* likewise; of 0 frames if missing */
};

struct ledger_look {
	const struct file_look *look;
	const char *text; /* look->text_size bytes of /proc/PID/maps */
};

struct ledger_module {
	const struct file_module *module;
	const char *path;
	const char *build_id; /* NULL when there is none */
};

/* What was resident at one moment, mapping by mapping. */
struct ledger_shot {
	uint64_t tsc;
	const struct file_resident *range; /* in order; none of 0 bytes */
	size_t count;
	uint64_t bytes; /* of all of them */
};

/* The syscall sites of one file, by address. */
struct ledger_sites {
	const struct file_site *site;
	size_t count;
	const char *path; /* as that of its module; "[vdso]" */
};

struct ledger_run {
	const struct file_program
		*program; /* never NULL; 0s when it is missing */
	const char *path;
	const char **argv;      /* program->argc of them */
	const char *go_version; /* NULL when there is none */
	const char *build_id;   /* likewise */
	const char *host;
	struct ledger_event *event; /* sorted: see ledger_order() */
	size_t event_count;
	size_t abandoned_count; /* events that are left out: TRACE_ABANDONED */
	struct ledger_module *module;
	size_t module_count;
	struct ledger_look *look;
	size_t look_count;
	const struct file_sample **sample;
	size_t sample_count;
	const struct file_memstats **memstats; /* that are available */
	size_t memstats_count;
	const char *memstats_reason; /* why none is, or NULL */
	const struct file_resident *resident;
	size_t resident_count;
	struct ledger_shot *shot; /* in order */
	size_t shot_count;
	struct ledger_sites *sites;
	size_t sites_count;
	const struct file_end *end; /* NULL: the run was cut short */
	const struct file_parent *parent; /* NULL: it was not followed */
	const char *parent_run; /* the path of its run file, or NULL */
	struct file_clock first, last;
	uint64_t page_size;
	int torn;
};

/* NULL with *error set when `bytes` is not a run file, or memory is short. */
struct ledger_run *ledger_read(const void *bytes, size_t size,
                               enum file_error *error);
void ledger_run_free(struct ledger_run *run);

/* The ticket at which an event takes effect (unmapping calls before the call,
 * mapping calls after it). */
uint64_t ledger_order(const struct trace_event *event);

/* The module that has `address`, by its range alone; or NULL. */
const struct ledger_module *ledger_module_at(const struct ledger_run *run,
                                             uint64_t address);

/* Nanoseconds since the run began. */
uint64_t ledger_time(const struct ledger_run *run, uint64_t tsc);

/* ---- the account -------------------------------------------------------- */

struct ledger_place {
	const char *function; /* NULL when unknown */
	const char *linker;   /* its name for the linker, NULL: the same */
	const char *file;     /* or NULL */
	int line;
	int go;
	uint64_t start; /* of the function, in the target; 0: not known */
	/* of run->module, the one that held the address when it mattered; the
	 * ledger fills it in before it asks.  NULL: not known */
	const struct ledger_module *module;
	/* the functions whose code was inlined at the address, innermost first;
	 * file and line above are those of the outermost's call */
	const struct ledger_place *inlined;
	size_t inlined_count;
};

/* Names an address of the target (a return address: the callee looks one byte
 * before).  Returns 0 when unknown.  Strings, and what is inlined, must outlive
 * the ledger. */
typedef int ledger_namer(void *context, uint64_t address,
                         struct ledger_place *place);

struct ledger_site {
	struct ledger_place place;
	uint64_t address; /* of the frame */
	uint64_t bytes;
	int at_start; /* the Go runtime did it before the program began */
};

struct ledger_row {
	/* "page summary", "heap", "text", "stack", "libc.so.6 text" ... */
	const char *kind;
	/* "Go runtime", "libc", "library", "program", "kernel" */
	const char *owner;
	uint64_t reserved, committed, resident;
	/* of `resident`: these three are all of it (enum file_pages); in huge
	 * pages (any of the three) */
	uint64_t anonymous, file, shared, huge;
	/* Bytes of the row's mappings that a madvise has given back
	 * (MADV_DONTNEED, _FREE, _REMOVE ...), each counted once; not those of
	 * which a call says that they are new since (unmapped, mapped anew,
	 * MADV_POPULATE_WRITE).  And of these, the ones that are resident at
	 * the last look: touched since, or after MADV_FREE not taken yet. */
	uint64_t returned, came_back;
	uint64_t mappings;        /* pieces, after joining equal neighbours */
	uint64_t makes;           /* arenas, stacks ..., however cut up */
	uint64_t largest;         /* bytes of the largest of these */
	struct ledger_site *site; /* who made it, most bytes first */
	size_t site_count;
	uint64_t *resident_at; /* ledger->moment_count of them */
};

struct ledger_own {       /* goload's own */
	const char *kind; /* "image", "stubs", "ring", "islands" */
	uint64_t size, resident;
};

struct ledger_range {
	uint64_t start, end;
	int phantom; /* 1: the model has it and the kernel has not */
};

struct ledger_point {
	uint64_t t;                             /* ns since the run began */
	uint64_t reserved, committed, resident; /* of the target */
};

struct ledger_call {
	const char *name; /* "mmap" */
	uint64_t count;
};

#define LEDGER_CALL_NAME 24

/* "mmap".  `text` has room for LEDGER_CALL_NAME characters; the result may stand
 * in it, or not. */
const char *ledger_call_name(char *text, uint32_t number);

/* A mapping whose name, given by Go, is not one of its kind. */
struct ledger_wrong {
	uint64_t start, end;
	const char *name; /* or NULL */
	const char *kind;
	struct ledger_place place;
};

/* Names that Go gave to its mappings (1.25-), against the kinds that frames and
 * sequences of calls have proved without them. */
struct ledger_names {
	uint64_t given, agreed; /* pieces */
	struct ledger_wrong *wrong;
	size_t wrong_count;
};

/* A site whose calls the net carried, or may have carried: calls that are not
 * about memory leave no event, and are only counted all together. */
struct ledger_net_site {
	const char *path; /* of the file, NULL: in none */
	uint64_t address; /* in the target */
	uint64_t in_file; /* in the file, as `goload inspect` has it */
	struct ledger_place place;
	uint64_t calls; /* recorded */
	uint8_t how;    /* file_site.how; 0: not among the file's sites */
};

struct ledger_frame {
	struct ledger_place place;
	uint64_t address;
	int inlined; /* into the next frame */
};

/* Where a call comes from, and what for: known before it is made. */
struct ledger_caller {
	uint32_t id; /* of call and stack, in each run of the program: of
	              * functions and lines, not of addresses; of a stack in Go
	              * up to the function of the runtime that makes such
	              * mappings, whoever needs them */
	/* the row that what it makes or protects would belong to, by the stack;
	 * NULL: it does neither */
	const char *kind, *owner;
	struct ledger_place place; /* that function, or as for rows */
	uint64_t address;
	const struct ledger_frame *frame; /* the site, then the stack */
	size_t frame_count;
};

/* Calls from one place that goload made to fail with one error, or wait. */
struct ledger_injected {
	const struct ledger_event *event; /* the first of them */
	uint64_t number; /* it was the Nth of all these calls, from 1 */
	uint64_t count;
	struct ledger_caller caller;
};

/* MemStats as Go's runtime would tell it, over time. */
struct ledger_memstats {
	const struct file_memstats *last; /* NULL: not available ... */
	const char *reason;               /* ... because; NULL: not Go */
	const struct file_memstats **at;  /* samples in order, thinned */
	size_t count;
};

struct ledger {
	const struct ledger_run *run;
	/* totals, bytes.  target + goload + unexplained = vm_size,
	 * reserved + committed = target */
	uint64_t vm_size, target, goload, unexplained, phantom;
	uint64_t reserved, committed, resident, goload_resident;
	uint64_t peak_vm_size;
	uint64_t mappings;
	/* events */
	uint64_t events, lost, net_hits, ambiguous, truncated, children;
	uint64_t abandoned;
	struct ledger_call *call;
	size_t call_count;
	/* syscall sites of all files; with a window that was patched */
	uint64_t sites, sites_patched;
	uint64_t net_recorded; /* of net_hits, those that are events */
	/* most calls first; without calls: all that can have made the others */
	struct ledger_net_site *net_site;
	size_t net_site_count;
	struct ledger_row *row; /* most bytes first */
	size_t row_count;
	struct ledger_injected *injected; /* in the order of their first */
	size_t injected_count;
	struct ledger_frame *injected_frame;
	struct ledger_callers *callers; /* whose words these are */
	struct ledger_names names;
	struct ledger_memstats memstats;
	char **word; /* kinds that only this run has */
	size_t word_count;
	struct ledger_own *own;
	size_t own_count;
	/* What does not match the kernel's map.  Those that are no phantoms
	 * add up to `unexplained`: the model has not got them, or has them with
	 * another protection. */
	struct ledger_range *range;
	size_t range_count;
	struct ledger_point *point;
	size_t point_count;
	/* ns since the run began: when the rows' resident_at were taken; shots,
	 * thinned, and the last look */
	uint64_t *moment;
	size_t moment_count;
	/* likewise at these moments: of goload's own, and of kinds that have no
	 * row at the end (or of nobody, when the shot was over) */
	uint64_t *goload_resident_at, *gone_resident_at;
	uint64_t duration; /* ns */
	int checked; /* 0: there was no last look, nothing could be checked */
};

/* NULL only when memory is short. */
struct ledger *ledger_build(const struct ledger_run *run, ledger_namer *namer,
                            void *context);
void ledger_free(struct ledger *ledger);

/* Is it the base name of a file of the system's libc? */
int ledger_is_libc(const char *name, size_t size);

/* ---- why.c: the stacks behind a row -------------------------------------- */

/* What calls of one kind with one stack have made. */
struct ledger_stack {
	const char *call; /* "mmap"; NULL: not made by a call of the program */
	uint64_t reserved, committed;
	uint64_t mappings; /* joined neighbours count once */
	uint64_t calls;
	int cut; /* outer frames are missing */
	const struct ledger_frame *frame; /* innermost first */
	size_t frame_count;
};

struct ledger_why {
	struct ledger_stack *stack; /* most bytes first */
	size_t stack_count;
	struct ledger_frame *frames; /* of all of them */
};

/* Their bytes add up to those of `row`, one of the ledger's; names as for
 * ledger_build().  NULL only when memory is short. */
struct ledger_why *ledger_why(const struct ledger *ledger,
                              const struct ledger_row *row, ledger_namer *namer,
                              void *context);
void ledger_why_free(struct ledger_why *why);

/* ---- frames.c: the frames of one call ------------------------------------- */

/* Names as for ledger_build(), each asked for once.  NULL when memory is short.
 */
struct ledger_frames;
struct ledger_frames *ledger_frames_open(const struct ledger_run *run,
                                         ledger_namer *namer, void *context);

/* The site, then the stack, innermost first: so many at *first, which is good
 * until the next call. */
size_t ledger_frames_of(struct ledger_frames *frames,
                        const struct ledger_event *event,
                        const struct ledger_frame **first);
void ledger_frames_close(struct ledger_frames *frames);

/* ---- callers.c: where calls come from ------------------------------------- */

/* Is it one that --fail can let fail?  brk can also just ask. */
int ledger_may_fail(const struct trace_event *event);

/* Names as for ledger_build(), each asked for once.  Calls may come that are not
 * in the run, in their order.  NULL when memory is short. */
struct ledger_callers *ledger_callers_open(const struct ledger_run *run,
                                           ledger_namer *namer, void *context);
/* Its frames are good until the next call. */
struct ledger_caller ledger_caller_of(struct ledger_callers *callers,
                                      const struct ledger_event *event);
void ledger_callers_close(struct ledger_callers *callers);

/* ---- lives.c: every mapping, from its beginning to its end ---------------- */

/* A range for as long as it was mapped in one way: an address range, a time
 * range, which is alive at t when from <= t and t < until or `last`.  What is
 * protected otherwise or moved ends, and begins anew.  When a part of a mapping
 * ends, the part is a life, and the rest lives on: lives never overlap.  What
 * only the last look shows (a stack has grown) has no time, and is `last`. */
struct ledger_life {
	uint64_t start, end;
	uint64_t from, until;             /* ns since the run began */
	int last;                         /* until the end of the run */
	uint64_t offset;                  /* of `start` in its file */
	const struct ledger_event *event; /* who made it; NULL: the kernel */
	const char *kind, *owner; /* as rows have them; owner "goload": its own */
	struct ledger_site site;  /* who made it; address 0: not known */
	const char *path;         /* of its file, or NULL */
	uint32_t flags;           /* MAP_* */
	uint8_t prot;             /* PROT_READ, _WRITE, _EXEC */
	uint64_t resident;        /* at the last look; 0 unless `last` */
};

struct ledger_lives {
	struct ledger_life *life; /* by `from`, then by `start` */
	size_t count;
	char **word; /* kinds and paths that only this run has */
	size_t word_count;
};

/* The lives of the last moment are the pieces of the ledger's rows: their sizes
 * and resident bytes, by kind and owner, add up to those of the rows.  Names as
 * for ledger_build().  NULL only when memory is short. */
struct ledger_lives *ledger_lives(const struct ledger *ledger,
                                  ledger_namer *namer, void *context);
void ledger_lives_free(struct ledger_lives *lives);

/* When VmSize was at its largest, for the first time.  Calls of one nanosecond
 * count together: it may be less than peak_vm_size. */
uint64_t ledger_lives_peak(const struct ledger *ledger,
                           const struct ledger_lives *lives);

/* ---- limit.c: what a limit of memory hits --------------------------------- */

/* A call that failed because memory was short, and what it would have made. */
struct ledger_refused {
	const struct ledger_event *event;
	const char *kind, *owner; /* as rows have them */
	struct ledger_site site;  /* who asked, and for how many bytes */
};

struct ledger_refusals {
	struct ledger_refused *refused; /* in the order of the calls */
	size_t count;
	char **word; /* kinds that only this run has */
	size_t word_count;
};

/* Names as for ledger_build().  NULL only when memory is short. */
struct ledger_refusals *ledger_refusals(const struct ledger_run *run,
                                        ledger_namer *namer, void *context);
void ledger_refusals_free(struct ledger_refusals *refusals);

enum ledger_limit {
	LEDGER_ADDRESS_SPACE, /* RLIMIT_AS: all mappings */
	LEDGER_DATA,          /* RLIMIT_DATA: private ones that are writable */
};

/* What counts against a limit. */
struct ledger_strain {
	uint64_t peak; /* of the target's, over time */
	uint64_t own;  /* of goload's, at the end */
	const struct ledger_life *over; /* the first with which the target's are
	                                   more than `bytes`, or NULL */
};

/* 0 when memory is short. */
int ledger_strain(const struct ledger_lives *lives, enum ledger_limit limit,
                  uint64_t bytes, struct ledger_strain *strain);

#endif
