/*
 * Which thread made a call.  An event knows its thread's FS base: the thread
 * told its ID with it when it began, or set it later, with arch_prctl.  What
 * was a thread's becomes another's when it has ended.
 */
#include "observer/report/export/internal.h"

#include <stdlib.h>
#include <sys/syscall.h>

#define ARCH_SET_FS 0x1002       /* asm/prctl.h */
#define IS_ID       (1ull << 63) /* without FSGSBASE: the ID itself */

struct thread {
	uint64_t key;
	const struct ledger_event *from; /* of run->event */
	uint64_t id;
};

static int by_key(const void *left, const void *right)
{
	const struct thread *a = left, *b = right;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return (a->from > b->from) - (a->from < b->from);
}

static void add(struct list *list, struct store *store, uint64_t key,
                const struct ledger_event *from, uint64_t id)
{
	struct thread *thread = list_add(list, sizeof(*thread), store);

	if (thread)
		*thread = (struct thread){ key, from, id };
}

/* The latest that was said of a key; while events are read. */
static uint64_t latest(const struct list *list, uint64_t key)
{
	const struct thread *thread = list->item;

	for (size_t i = list->count; i-- > 0;)
		if (thread[i].key == key)
			return thread[i].id;
	return 0;
}

int threads_read(struct threads *threads, const struct ledger_run *run)
{
	struct store store = { 0 };
	struct list *list = &threads->key;

	*threads = (struct threads){ .pid = run->program->pid };
	for (size_t i = 0; i < run->event_count; i++) {
		const struct ledger_event *from = &run->event[i];
		const struct trace_event *event = from->event;

		if (list->count == 0)
			add(list, &store, event->thread, from, threads->pid);
		if (event->call == TRACE_THREAD)
			add(list, &store, event->thread, from, event->args[0]);
		if (event->call == SYS_arch_prctl &&
		    event->args[0] == ARCH_SET_FS &&
		    !trace_failed(event->result))
			add(list, &store, event->args[1], from,
			    latest(list, event->thread));
	}
	if (list->count > 0)
		qsort(list->item, list->count, sizeof(struct thread), by_key);
	return !store.failed;
}

uint64_t threads_of(const struct threads *threads,
                    const struct ledger_event *event)
{
	const struct thread *thread = threads->key.item;
	const struct thread wanted = { event->event->thread, event, 0 };
	size_t low = 0, high = threads->key.count;

	if (wanted.key & IS_ID)
		return wanted.key & ~IS_ID;
	while (low < high) { /* the first behind it */
		size_t middle = low + (high - low) / 2;

		if (by_key(&thread[middle], &wanted) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && thread[low - 1].key == wanted.key ? thread[low - 1].id
	                                                    : 0;
}

void threads_free(struct threads *threads)
{
	free(threads->key.item);
}
