/*
 * record - makes a session, becomes the program, and watches it from outside.
 *
 *   launch.c   the session, the observer process, exec of the image
 *   plan.c     the program's file -> the plan the image boots from
 *   observe.c  the observer's life, from the plan to the last look
 *   drain.c    the reader of the ring
 *   inject.c   what calls are told that ask how they shall go
 *   look.c     what the kernel says: map, status, resident pages
 *   output.c   the run file, appended
 *
 * record_start() is called by a small process and returns only when the program
 * cannot be started: on success this process is the program, and a child of
 * it (exit signal 0, so no wait() sees it) is the observer.  All that is heavy
 * happens in the child: what this process once had resident counts in the
 * program's ru_maxrss.
 *
 * Hosted.  Nothing here prints, but through record_options.finish.
 */
#ifndef OBSERVER_RECORD_RECORD_H
#define OBSERVER_RECORD_RECORD_H

#include "trace/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Why the program was not started. */
struct record_failure {
	int code;          /* exit status: 125, 126, 127 */
	int error;         /* errno to add, or 0 */
	bool killed;       /* the kernel would not refuse but kill */
	char message[512]; /* "segment 2 lies outside the address space" */
};

/* A call of the program that has not been made yet. */
struct record_call {
	const struct trace_event *event; /* without a result */
	const uint64_t *frame;           /* event->frames of them */
	int run_fd;       /* the run file so far; it names all that is */
	uint64_t modules; /* mapped: so many FILE_MODULEs */
};

struct record_options {
	const char *path; /* as execve would get it: AT_EXECFN */
	const char *exe;  /* the file: another for a script */
	int program_fd;   /* the file, open for reading */
	char **argv, **envp;
	int output_fd;    /* the run file; -1: in memory only */
	int log_fd;       /* kept open in the observer, for those below */
	uint32_t options; /* enum session_option */
	/* what goload is told when it is started for a child (trace/session.h),
	 * with its own path in it; words_size 0: children are not followed */
	const char *words;
	size_t words_size, goload_at;
	bool silent; /* nothing is said on standard error: it is given up */
	/* of the run that this one was followed from; parent_run NULL: none */
	pid_t parent;
	const char *parent_run;
	/*
	 * Called in the observer when the run is over, before the program's
	 * parent learns of it (where the kernel lets it): `run` is the run
	 * file, `size` 0 when there is nothing in it. `error` is the errno that
	 * stopped the writing of output_fd, or 0.
	 */
	void (*finish)(void *context, const void *run, size_t size, int error);
	/* Called in the observer for each memory call, in the order of asking:
	 * how shall it go?  NULL: nobody asks. */
	struct ring_answer (*decide)(void *context,
	                             const struct record_call *call);
	/* Called in the observer when the image refuses to boot. */
	void (*failed)(void *context, const struct record_failure *failure);
	/* Called in the observer when the process has ended before it was the
	 * program: there is no run. */
	void (*gone)(void *context);
	void *context;
};

/* May this file be executed, as far as its mode says?  errno says why not. */
bool record_may_run(const char *path);

/* Why execve may not take this open file, an errno; 0: it may, as far as the
 * kernel can be asked. */
int record_may_exec(int fd);

/* Returns only on failure. */
void record_start(const struct record_options *options,
                  struct record_failure *failure);

#endif
