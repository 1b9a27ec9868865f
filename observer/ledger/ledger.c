/*
 * The account, from a run: replay, check, rows; and what is only counted.
 */
#include "observer/ledger/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct {
	uint32_t call;
	const char *name;
} calls[] = {
	{ SYS_mmap, "mmap" }, { SYS_munmap, "munmap" },
	{ SYS_mremap, "mremap" }, { SYS_mprotect, "mprotect" },
	{ SYS_pkey_mprotect, "pkey_mprotect" }, { SYS_madvise, "madvise" },
	{ SYS_process_madvise, "process_madvise" }, { SYS_brk, "brk" },
	{ SYS_shmat, "shmat" }, { SYS_shmdt, "shmdt" },
	{ SYS_remap_file_pages, "remap_file_pages" }, { SYS_mlock, "mlock" },
	{ SYS_mlock2, "mlock2" }, { SYS_mlockall, "mlockall" },
	{ SYS_munlock, "munlock" }, { SYS_munlockall, "munlockall" },
	{ SYS_mseal, "mseal" }, { SYS_map_shadow_stack, "map_shadow_stack" },
	{ SYS_io_setup, "io_setup" }, { SYS_io_destroy, "io_destroy" },
	{ SYS_arch_prctl, "arch_prctl" }, { SYS_prctl, "prctl" },
	{ SYS_clone, "clone" }, { SYS_clone3, "clone3" }, { SYS_fork, "fork" },
	{ SYS_vfork, "vfork" }, { SYS_execve, "execve" },
	{ SYS_exit, "exit" }, { SYS_exit_group, "exit_group" },
};
/* clang-format on */

#define CALLS   (sizeof(calls) / sizeof(calls[0]))
#define NUMBERS 1024 /* syscall numbers that are counted one by one */

/* ---- counts ------------------------------------------------------------- */

const char *ledger_call_name(char *text, uint32_t number)
{
	for (size_t i = 0; i < CALLS; i++)
		if (calls[i].call == number)
			return calls[i].name;
	snprintf(text, LEDGER_CALL_NAME, "syscall_%u", number);
	return text;
}

static int by_count(const void *left, const void *right)
{
	const struct ledger_call *a = left, *b = right;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* The texts of made-up names stand behind the array. */
static int list_calls(struct ledger *ledger, const uint64_t *count)
{
	size_t used = 0;
	char *text;

	for (uint32_t i = 0; i < NUMBERS; i++)
		used += count[i] > 0;
	ledger->call =
		calloc(used + 1, sizeof(*ledger->call) + LEDGER_CALL_NAME);
	if (!ledger->call)
		return 0;
	text = (char *)(ledger->call + used);
	for (uint32_t i = 0; i < NUMBERS; i++) {
		if (count[i] == 0)
			continue;
		ledger->call[ledger->call_count++] =
			(struct ledger_call){ ledger_call_name(text, i),
			                      count[i] };
		text += LEDGER_CALL_NAME;
	}
	qsort(ledger->call, ledger->call_count, sizeof(*ledger->call),
	      by_count);
	return 1;
}

static int count_events(struct ledger *ledger)
{
	const struct ledger_run *run = ledger->run;
	uint64_t count[NUMBERS] = { 0 };

	for (size_t i = 0; i < run->event_count; i++) {
		const struct trace_event *event = run->event[i].event;
		const struct file_stack *stack = run->event[i].stack;

		ledger->children += event->call == TRACE_CHILD;
		if (event->call >= TRACE_FACT)
			continue;
		ledger->events++;
		ledger->truncated += (event->flags & TRACE_CUT) ||
		                     stack->count != event->frames;
		ledger->net_hits += !!(event->flags & TRACE_BY_NET);
		count[event->call < NUMBERS ? event->call : NUMBERS - 1]++;
	}
	ledger->abandoned = run->abandoned_count;
	ledger->net_recorded = ledger->net_hits;
	if (run->end) { /* knows also what left no event */
		ledger->lost = run->end->lost;
		ledger->net_hits = run->end->net_hits;
		ledger->children = run->end->children;
		ledger->abandoned = run->end->abandoned;
	}
	return list_calls(ledger, count);
}

/* ---- the account -------------------------------------------------------- */

static int build(struct ledger *ledger, struct replay *replay,
                 ledger_namer *namer, void *context)
{
	return replay_run(replay, ledger->run) && check_run(replay, ledger) &&
	       rows_build(ledger, replay, namer, context) &&
	       trend_finish(&replay->trend, ledger) &&
	       memstats_build(ledger) && count_events(ledger) &&
	       net_build(ledger, namer, context) &&
	       injected_build(ledger, namer, context);
}

struct ledger *ledger_build(const struct ledger_run *run, ledger_namer *namer,
                            void *context)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));
	struct replay *replay = calloc(1, sizeof(*replay));
	int done = 0;

	if (ledger && replay) {
		ledger->run = run;
		done = build(ledger, replay, namer, context);
		replay_free(replay);
	}
	free(replay);
	if (done)
		return ledger;
	ledger_free(ledger);
	return NULL;
}

void ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return;
	for (size_t i = 0; i < ledger->row_count; i++)
		free(ledger->row[i].site);
	free(ledger->row);
	for (size_t i = 0; i < ledger->word_count; i++)
		free(ledger->word[i]);
	free(ledger->word);
	free(ledger->own);
	free(ledger->names.wrong);
	free(ledger->memstats.at);
	free(ledger->moment); /* with the columns of all of them */
	free(ledger->range);
	free(ledger->point);
	free(ledger->call);
	free(ledger->net_site);
	free(ledger->injected);
	free(ledger->injected_frame);
	ledger_callers_close(ledger->callers);
	free(ledger);
}
