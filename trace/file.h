/*
 * file - the run file: what was observed, in the order it was observed.
 *
 * Append-only: a header, then blocks.  A block is a type, a payload size (a
 * multiple of 8) and the payload.  A run that was cut short (SIGKILL, disk
 * full) ends in a torn block; readers stop there and say so.  All numbers are
 * little endian.  docs/formats.md describes each block.
 *
 * This header is free of libc; file.c is hosted, pure over bytes.
 */
#ifndef TRACE_FILE_H
#define TRACE_FILE_H

#include "trace/event.h"

#define FILE_MAGIC   "goload\nR" /* 8 bytes, no NUL */
#define FILE_VERSION 3
#define FILE_FRAMES                                                            \
	512 /* of one stack, most: an unwound one has more than                \
	       a slot of the ring could hold */

enum file_block_type {
	FILE_PROGRAM = 1, /* struct file_program, then strings */
	FILE_CLOCK,    /* struct file_clock: one pair; at least two in a run */
	FILE_EVENTS,   /* struct trace_event[]; without the abandoned ones,
	                  which FILE_END counts */
	FILE_MODULE,   /* struct file_module, then its path and build id */
	FILE_MAPS,     /* struct file_look, then the text of /proc/PID/maps */
	FILE_SAMPLE,   /* struct file_sample[] */
	FILE_RESIDENT, /* struct file_resident[]: of the last look */
	FILE_SITES,    /* struct file_site[] */
	FILE_END,      /* struct file_end: the last block of a whole run */
	FILE_MEMSTATS, /* struct file_memstats, then why not (text, NUL) */
	FILE_STACKS,   /* struct file_stack, one behind the other */
	FILE_SHOT,     /* struct file_shot, then its struct file_resident[] */
	FILE_PARENT,   /* struct file_parent, then a path */
};

struct file_header {
	char magic[8];
	uint32_t version;
	uint32_t page_size;
};

struct file_block {
	uint32_t type;
	uint32_t flags; /* 0 */
	uint64_t size;  /* of the payload; a multiple of 8 */
};

/*
 * The frames of events, each stack once.  The stacks of a run are numbered from
 * 1, in the order of the file, and stand before the first event that names one
 * by its number (trace_event.stack); 0 is that of an event without frames.
 */
struct file_stack {
	uint64_t count; /* trace_event.frames of its events */
	uint64_t frame[];
};

enum file_linkage {
	FILE_STATIC,
	FILE_STATIC_PIE,
	FILE_DYNAMIC,
	FILE_DYNAMIC_PIE,
};

/* Behind it: path, then argc arguments, go version (may be empty), build id in
 * hex (may be empty), host name; each NUL-terminated; padded to 8. */
struct file_program {
	uint64_t started; /* CLOCK_REALTIME, ns */
	uint32_t pid;
	uint32_t argc;
	uint32_t linkage; /* enum file_linkage */
	uint32_t stripped;
	uint32_t options; /* enum session_option */
	uint32_t net_on;
};

/* The run that this one was followed from (--follow): its process, which is the
 * same one when it became this program.  Behind it: the path of its run file, or
 * an empty string; NUL-terminated; padded to 8. */
struct file_parent {
	uint64_t pid;
};

/* The same moment on two clocks: time stamp counter and CLOCK_MONOTONIC. */
struct file_clock {
	uint64_t tsc;
	uint64_t ns;
};

/* A mapped ELF file: address in the target = address in the file + bias.
 * Behind it: path, build id (may be empty: then size and mtime tell whether the
 * file is still that one); each NUL-terminated; padded to 8. */
struct file_module {
	uint64_t bias;
	uint64_t start, end;
	uint64_t kind;   /* enum patch_module */
	uint64_t ticket; /* the order's next ticket when it was mapped */
	uint64_t code;   /* a library's: where the pages with its code begin */
	uint64_t size;   /* of the file */
	uint64_t mtime;  /* of the file, ns */
};

enum file_look_when {
	FILE_LOOK_BOOT, /* before the program's first instruction */
	FILE_LOOK_LAST, /* when it was about to end */
	FILE_LOOK_LIVE, /* in between: to settle what events cannot tell */
};

/* What the kernel says: its map (text behind) and figures of the same moment.
 * Sizes in bytes. */
struct file_look {
	uint64_t tsc;
	uint64_t ticket; /* the order's next ticket at that moment */
	uint64_t when;   /* enum file_look_when */
	uint64_t vm_size, vm_peak, resident; /* 0: the kernel did not say */
	uint64_t text_size; /* bytes of text behind, before padding */
};

struct file_sample {
	uint64_t tsc;
	uint64_t vm_size;
	uint64_t resident;        /* of the whole process */
	uint64_t goload_resident; /* goload's part of it */
};

/*
 * What runtime.ReadMemStats would say at that moment, read from outside
 * (observer/symbol/memstats.h); bytes.  available 0: the numbers are 0 and a
 * text behind says why; then there is one such block in the run, else one with
 * each sample.
 */
struct file_memstats {
	uint64_t tsc;
	uint64_t available;
	uint64_t sys;
	uint64_t heap_sys, heap_idle, heap_inuse, heap_released;
	uint64_t stack_inuse, stack_sys;
	uint64_t mspan_inuse, mspan_sys, mcache_inuse, mcache_sys;
	uint64_t buck_hash_sys, gc_sys, other_sys;
};

/* A range with the bytes of it that are resident; ranges do not overlap. */
struct file_resident {
	uint64_t start, end;
	uint64_t bytes;
	uint64_t huge;  /* of them, in huge pages */
	uint64_t pages; /* enum file_pages */
};

enum file_pages {
	FILE_PAGES_ANONYMOUS,
	FILE_PAGES_FILE,   /* of a file on a disk */
	FILE_PAGES_SHARED, /* of memory that others may have, too: shared
	                      anonymous, System V, memfd, tmpfs */
};

/* What was resident at a moment while the program ran: `count` ranges behind
 * it, in order, those without a resident byte left out. */
struct file_shot {
	uint64_t tsc;
	uint64_t count;
};

/* How a syscall site is served. */
struct file_site {
	uint64_t site;  /* address in the file */
	int32_t nr;     /* PATCH_ANY: not constant */
	uint8_t module; /* enum patch_module */
	uint8_t how;    /* enum sites_verdict */
	uint8_t before, after;
};

enum file_end_kind {
	FILE_END_UNKNOWN, /* the process was gone before it could be asked */
	FILE_END_EXITED,
	FILE_END_SIGNALED,
	FILE_END_EXECED,
};

struct file_end {
	uint64_t tsc;
	uint64_t kind;  /* enum file_end_kind */
	uint64_t value; /* exit status or signal */
	uint64_t events, lost, abandoned, net_hits;
	uint64_t children;  /* processes not observed */
	uint64_t last_look; /* 1: FILE_MAPS/FILE_RESIDENT are of the very end */
};

/*
 * Reading.  Nothing is copied: `bytes` must outlive what these return.
 */
struct file_reader {
	const uint8_t *bytes;
	uint64_t size;
	uint64_t at; /* of the next block */
	int torn;    /* the last block was cut */
};

enum file_error {
	FILE_OK,
	FILE_NOT_A_RUN, /* no magic */
	FILE_OTHER_VERSION,
};

/* Checks the header and stands before the first block. */
enum file_error file_open(struct file_reader *reader, const void *bytes,
                          uint64_t size);

/* The next block's payload in *payload (8-byte aligned if `bytes` is), or 0 at
 * the end or at a torn block (then reader->torn is set). */
int file_next(struct file_reader *reader, struct file_block *block,
              const uint8_t **payload);

/* One event of a FILE_EVENTS payload at *at; NULL at the end or where the rest
 * is no whole event. */
const struct trace_event *file_event(const uint8_t *payload, uint64_t size,
                                     uint64_t *at);

/* Likewise one stack of a FILE_STACKS payload. */
const struct file_stack *file_stack(const uint8_t *payload, uint64_t size,
                                    uint64_t *at);

const char *file_strerror(enum file_error error);

#endif
