/* internal - what the files of this room share; see record.h. */
#ifndef OBSERVER_RECORD_INTERNAL_H
#define OBSERVER_RECORD_INTERNAL_H

#include "loader/loader.h"
#include "observer/record/record.h"
#include "observer/sites/sites.h"
#include "observer/symbol/memstats.h"
#include "observer/symbol/symbol.h"
#include "observer/symbol/unwind.h"

#include <elf.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

/* image.S */
extern const uint8_t record_image[];
extern const uint64_t record_image_size;

/* ---- seen.c -------------------------------------------------------------- */

#define SEEN_STACKS 32768u     /* most, and */
#define SEEN_FRAMES (1u << 20) /* of all of them */

struct seen_stack {
	uint64_t number; /* 0: an empty place */
	uint32_t at;     /* in frame[] */
	uint16_t count;
	uint16_t hash; /* a part of it */
};

struct seen {
	struct seen_stack *place;
	uint64_t *frame;
	size_t stacks, frames;
	uint64_t last; /* number */
};

bool seen_open(struct seen *seen);
/* The number of a stack, the next one when it is new to the run file; of at
 * most FILE_FRAMES frames. */
uint64_t seen_number(struct seen *seen, const uint64_t *frame, size_t count,
                     bool *is_new);

/* ---- output.c ------------------------------------------------------------ */

/* The run file.  After an error nothing more is written: what is there stays
 * readable. */
struct output {
	int fd;
	int error; /* errno, 0 while all is well */
	uint8_t *buffer;
	size_t used, size;
	struct seen seen;
	uint8_t *stacks; /* a block of new ones; goes before that of events */
	size_t stacks_used;
	uint64_t modules; /* written */
};

bool output_open(struct output *out, int fd);
void output_block(struct output *out, enum file_block_type type,
                  const void *head, size_t head_size, const void *body,
                  size_t body_size);
void output_events_begin(struct output *out);
/* Sets event->stack. */
void output_event(struct output *out, struct trace_event *event,
                  const uint64_t *frames);
void output_events_end(struct output *out);
void output_flush(struct output *out);

/* ---- module.c ------------------------------------------------------------ */

/* One ELF file; addresses without bias. */
struct module {
	enum patch_module kind;
	struct symbol_info info; /* its strings are those below, or gone */
	char go_version[64], build_id[SYMBOL_BUILD_ID];
	struct session_go go;
	struct trace_patch *patch; /* windows that can be patched */
	size_t patch_count;
	struct file_site *site; /* every real site, for the run file */
	size_t site_count;
};

const uint8_t *module_part(const struct symbol_bytes *file, uint64_t from,
                           uint64_t size);
/* Program header `index`; false: there is none. */
bool module_segment(const struct symbol_bytes *file, size_t index,
                    Elf64_Phdr *segment);
void module_read(struct module *module, const struct symbol_bytes *file,
                 enum patch_module kind, uint32_t options);
/* Its FILE_MODULE; sets size and mtime in `where`. */
void module_write(struct output *out, const struct module *module,
                  const struct symbol_bytes *file, struct file_module *where,
                  const char *path);
void module_free(struct module *module);

/* ---- early.c ------------------------------------------------------------- */

#define EARLY_FILES 6

struct early {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const struct symbol_bytes *program;
	uint32_t options; /* enum session_option */
	char *folder; /* of the interpreter */
	size_t count; /* 0: not started */
	struct early_file {
		struct symbol_bytes bytes; /* mapped for good */
		enum patch_module kind;
		struct module module;
		bool judged; /* under the lock */
		bool taken;
	} file[EARLY_FILES];
};

/* Both files stay mapped. */
void early_start(struct early *early, const struct symbol_bytes *program,
                 const struct symbol_bytes *interp, const char *interp_path);
struct module early_interp(struct early *early); /* waits for it */
/* The library, if it is among them, once; the caller frees the module. */
bool early_library(struct early *early, const struct symbol_bytes *bytes,
                   struct module *module);

/* ---- plan.c -------------------------------------------------------------- */

struct plan {
	struct session_plan *bytes; /* what goes behind SESSION_PLAN */
	size_t size;
	struct loader_plan *program, *interp;
	struct symbol_bytes program_file, interp_file; /* mapped for good */
	int interp_fd;                                 /* -1: there is none */
	char *interp_path;
	char *exe; /* the program's absolute path */
	struct module module[PATCH_MODULES];
	struct early early;
};

bool plan_program(const struct record_options *options, struct plan *plan,
                  struct record_failure *failure);

/* ---- stacks.c ------------------------------------------------------------ */

#define STACKS_GRAINS (TRACE_STACK_ROOM / TRACE_STACK_GRAIN)

struct stacks {
	struct unwind *unwind;
	struct trace_session *session;
	const uint8_t *copies; /* the ring of copies */
	/* grains given back out of order, at the first of each copy */
	uint16_t back[STACKS_GRAINS];
	uint64_t frame[FILE_FRAMES];
};

bool stacks_open(struct stacks *stacks, struct trace_session *session);
/* `file` stays mapped from now on. */
void stacks_module(struct stacks *stacks, const struct symbol_bytes *file,
                   const struct file_module *where);
/* The copy of a slot whose call goes on, out of the ring, for free(); NULL:
 * none yet. */
struct stack_copy {
	uint64_t size;
	uint8_t bytes[];
};
struct stack_copy *stacks_keep(struct stacks *stacks,
                               const struct ring_slot *slot);
/* The frames of `event`, a copy of the slot's, from `kept` or the ring; sets
 * their count and flags in it. */
const uint64_t *stacks_frames(struct stacks *stacks, struct trace_event *event,
                              const struct ring_slot *slot,
                              const struct stack_copy *kept);
/* The slot's copy is read. */
void stacks_release(struct stacks *stacks, const struct ring_slot *slot);

/* ---- drain.c ------------------------------------------------------------- */

/* A position passed over, not done yet. */
struct late {
	uint64_t position;
	struct stack_copy *stack; /* kept */
};

struct drain {
	struct trace_session *session;
	struct ring_slot *slots;
	struct stacks *stacks;
	uint64_t prepared; /* slots that have had their first turn */
	uint64_t next;     /* the first position never looked at */
	struct late *late;
	size_t late_count, late_room;
	uint64_t events, abandoned;
};

void drain_prepare(struct drain *drain);

/* Takes every finished event; returns how many. */
size_t drain_ring(struct drain *drain, struct output *out);

/* ---- inject.c ------------------------------------------------------------ */

/* Answers every thread that asks how its call shall go. */
void inject_answer(const struct record_options *options, struct drain *drain,
                   struct output *out);

/* ---- look.c -------------------------------------------------------------- */

/* The target's files in /proc, opened by itself; -1: none. */
struct proc {
	int fd[SESSION_FDS];
};

bool look_available(const struct proc *proc);
/* The target's memory is gone: it has ended, or is another program now. */
bool look_gone(const struct proc *proc);
bool look_map(const struct proc *proc, struct output *out,
              const struct trace_session *session, enum file_look_when when);
void look_resident(const struct proc *proc, struct output *out);

/* Called between the parts of a long look; false: leave it. */
struct look_pause {
	bool (*go_on)(void *context);
	void *context;
	bool left; /* it has said so */
};

/* What is resident while the program runs; the bytes of its block, 0 when there
 * is none. */
size_t look_shot(const struct proc *proc, struct output *out,
                 struct look_pause *pause);
/* From one shot to the next, ns: in a run of this age, when the latest took so
 * many ns and bytes. */
uint64_t look_shot_gap(uint64_t age, uint64_t cost, uint64_t bytes);
bool look_sample(const struct proc *proc, const struct trace_session *session,
                 struct file_sample *sample);

/* A whole file of /proc; the caller frees it. */
char *look_maps(const struct proc *proc);

/* ---- memstats.c ---------------------------------------------------------- */

struct go_memory {
	enum {
		GO_MEMORY_NONE, /* not Go, or it has been said why not */
		GO_MEMORY_UNKNOWN, /* nobody has looked yet */
		GO_MEMORY_KNOWN,
	} state;
	struct symbol_bytes file; /* the program's */
	uint64_t bias;
	struct memstats_layout layout;
	bool written; /* there are numbers in the run file */
};

/* What MemStats would say now, or once why nobody can tell. */
void memstats_sample(struct go_memory *go, const struct proc *proc,
                     struct output *out);
/* The last time: then one of the two is in the run file. */
void memstats_end(struct go_memory *go, const struct proc *proc,
                  struct output *out);

/* ---- arrive.c ------------------------------------------------------------ */

#define ARRIVALS 64 /* libraries remembered */

struct arrivals {
	uint64_t clock;
	struct early *early;
	struct arrival {
		uint64_t used; /* 0: an empty place */
		/* mapped for good: frames are in it */
		struct symbol_bytes file;
		struct module module;
	} recent[ARRIVALS];
};

/* Answers what a thread of the target asks, if one does. */
void arrive_answer(struct arrivals *arrivals, const struct proc *proc,
                   struct trace_session *session, struct stacks *stacks,
                   struct output *out);

/* ---- pass.c -------------------------------------------------------------- */

/* One descriptor over a socket: sent (true), received (-1: none came). */
bool record_send(int socket, int fd);
int record_receive(int socket);

static inline struct session_family *record_family(struct trace_session *session)
{
	return (void *)((uint8_t *)session + SESSION_FAMILY);
}

uint64_t record_clock(void); /* time stamp counter */
void record_fail(struct record_failure *failure, int code, int error,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ---- observe.c ----------------------------------------------------------- */

struct observer {
	const struct record_options *options;
	struct trace_session *session;
	int session_fd;
	int socket_fd;
	pid_t target;
	int target_fd; /* pidfd; -1: no such call, and this is its child */
};

/* The observer's life; never returns. */
void observe(struct observer *observer) __attribute__((noreturn));

/* Rings the bell that goload and the target wait on. */
void observe_tell(struct trace_session *session);
/* Until a bell has rung since it was `seen`, or `ns` are over. */
void observe_wait(const uint32_t *bell, uint32_t seen, uint64_t ns);

#endif
