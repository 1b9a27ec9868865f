/* internal - what the files of this room share; see record.h. */
#ifndef OBSERVER_RECORD_INTERNAL_H
#define OBSERVER_RECORD_INTERNAL_H

#include "observer/record/record.h"
#include "observer/sites/sites.h"
#include "observer/symbol/symbol.h"

#include <stdbool.h>
#include <sys/types.h>

/* image.S */
extern const uint8_t record_image[];
extern const uint64_t record_image_size;

/* ---- output.c ------------------------------------------------------------ */

/* The run file.  After an error nothing more is written: what is there stays
 * readable. */
struct output {
	int fd;
	int error; /* errno, 0 while all is well */
	uint8_t *buffer;
	size_t used, size;
};

bool output_open(struct output *out, int fd);
void output_block(struct output *out, enum file_block_type type,
                  const void *head, size_t head_size, const void *body,
                  size_t body_size);
void output_events_begin(struct output *out);
void output_event(struct output *out, const struct trace_event *event,
                  const uint64_t *frames);
void output_events_end(struct output *out);
void output_flush(struct output *out);

/* ---- plan.c -------------------------------------------------------------- */

/* What planning found out; `sites` for the run file. */
struct plan {
	struct session_plan *bytes; /* what goes behind SESSION_PLAN */
	size_t size;
	struct file_site *site;
	size_t site_count;
	struct symbol_info info;
	char go_version[64], build_id[128];
	uint64_t low, high; /* without bias */
};

bool plan_program(const struct record_options *options, struct plan *plan,
                  struct record_failure *failure);

/* ---- drain.c ------------------------------------------------------------- */

struct drain {
	struct trace_session *session;
	struct ring_slot *slots;
	uint64_t prepared; /* slots that have had their first turn */
	uint64_t next;  /* the first position never looked at */
	uint64_t *late; /* positions passed over, not done yet */
	size_t late_count, late_room;
	uint64_t events, abandoned, children;
};

void drain_prepare(struct drain *drain);

/* Takes every finished event; returns how many. */
size_t drain_ring(struct drain *drain, struct output *out);

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
bool look_sample(const struct proc *proc, const struct trace_session *session,
                 struct file_sample *sample);

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
};

/* The observer's life; never returns. */
void observe(struct observer *observer) __attribute__((noreturn));

/* Rings the bell that goload and the target wait on. */
void observe_tell(struct trace_session *session);

#endif
