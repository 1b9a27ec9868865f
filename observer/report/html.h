/*
 * html - what the files behind the page share: never included elsewhere.
 *
 *   html.c         the page around its data
 *   html_data.c    the data: what the page shows, as JSON
 *   html_lives.c   of it, the mappings over time
 *   html_redact.c  a ledger without what is private
 *   html_pool.c    texts, frames and stacks, each once
 *   html_pack.c    a stream: gzip, then base64
 *   page.S         the page itself, made of web/
 */
#ifndef OBSERVER_REPORT_HTML_H
#define OBSERVER_REPORT_HTML_H

#include "observer/report/internal.h"

#include <inttypes.h>

/* ---- html_pool.c --------------------------------------------------------- */

/* Runs of bytes, each once, numbered from 0 in the order they came. */
struct pool {
	struct pool_item {
		void *bytes; /* a NUL behind */
		size_t size;
	} * item;
	size_t count;
	uint32_t *slot; /* a hash table of numbers + 1 */
	size_t slots;
	int failed; /* memory was short: numbers may be wrong */
};

uint32_t pool_put(struct pool *pool, const void *bytes, size_t size);
void pool_free(struct pool *pool);

/* ---- html_pack.c --------------------------------------------------------- */

/* A stream: what is written to it goes to `out` as the base64 of its gzip; all
 * of it when it is closed.  NULL when memory is short. */
FILE *pack_open(FILE *out);

/* ---- html_redact.c ------------------------------------------------------- */

/* A copy of a ledger that says nothing of who ran what, and where: arguments,
 * host, paths and ids are empty, and kinds that are names of files or were
 * given by the program are numbered. */
struct redacted {
	struct ledger ledger;
	struct ledger_run run;
	struct file_program program;
	struct ledger_row *row;
	struct ledger_site *site;
	struct pool hidden; /* what is numbered */
	struct pool kinds;
};

/* 0 when memory is short. */
int redact_ledger(struct redacted *redacted, const struct ledger *ledger);
void redact_free(struct redacted *redacted);

/* What stands for a kind; `word` are the kinds that only this run has.  It
 * lives as long as `redacted`. */
const char *redact_kind(struct redacted *redacted, const char *kind,
                        const char *owner, char *const *word, size_t count);

/* ---- html_data.c --------------------------------------------------------- */

struct page_group { /* of mappings: a row, or what had none at the end */
	const char *kind, *owner;
};

struct page {
	FILE *out;
	const struct ledger *ledger; /* as it is */
	const struct ledger *shown;
	struct redacted *redacted; /* what `shown` is of, or NULL */
	ledger_namer *namer;
	void *context;
	struct ledger_frames *names;
	struct pool texts, frames, stacks;
	size_t frames_used; /* by all stacks */
	struct pool calls;  /* whose stacks are known, */
	uint32_t *stack_of; /* and these stacks */
	size_t stacks_room;
	struct page_group *group; /* the rows, then others */
	size_t group_count, group_room;
	int failed; /* memory was short */
};

/* Stacks without frames. */
enum {
	PAGE_NO_CALL, /* execve or the kernel made it */
	PAGE_OTHERS,  /* one of too many to be told apart */
	PAGE_STACKS,
};

void page_write(struct page *page);

uint32_t page_text(struct page *page, const char *text);
uint32_t page_stack(struct page *page, const struct ledger_event *event);

/* ,"name":[...]: a column of `count` numbers; `value` is that of row `at`. */
#define PAGE_COLUMN(page, name, count, value)                                  \
	do {                                                                   \
		fprintf((page)->out, ",\"%s\":[", name);                       \
		for (size_t at = 0; at < (count); at++)                        \
			fprintf((page)->out, at ? ",%" PRIu64 : "%" PRIu64,    \
			        (uint64_t)(value));                            \
		putc(']', (page)->out);                                        \
	} while (0)

/* ---- html_lives.c -------------------------------------------------------- */

void page_write_lives(struct page *page);

#endif
