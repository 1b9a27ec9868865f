/*
 * What each stack has of each row at the last moment: lives, grouped.
 */
#include "observer/report/export/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

char *command_text(const struct ledger_run *run)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (uint32_t i = 0; i < run->program->argc; i++)
		fprintf(out, "%s%s", i ? " " : "", run->argv[i]);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

const char *prot_text(unsigned prot)
{
	static const char texts[8][4] = { "---", "r--", "-w-", "rw-",
		                          "--x", "r-x", "-wx", "rwx" };

	return texts[prot & 7];
}

/* ---- lives -------------------------------------------------------------- */

int life_counts(const struct ledger_life *life)
{
	return life->last && strcmp(life->owner, "goload") != 0;
}

const struct ledger_event *life_call(const struct ledger_life *life)
{
	if (!life->event || life->event->event->call >= TRACE_FACT)
		return NULL;
	return life->event;
}

static const char *object_of(const struct ledger *ledger,
                             const struct ledger_life *life)
{
	if (strcmp(life->owner, "program") == 0)
		return ledger->run->path;
	return life->path ? life->path : life->owner;
}

const char *share_name(struct store *store, const struct ledger *ledger,
                       const struct ledger_life *life)
{
	const char *object = object_of(ledger, life);
	size_t size = strlen(life->kind) + strlen(object) + sizeof("[] ");
	char *name = store_take(store, size);

	if (!name)
		return "";
	snprintf(name, size, "[%s] %s", life->kind, object);
	return name;
}

int life_joins(const struct ledger_life *life, const struct ledger_life *before)
{
	const uint32_t nature =
		MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_HUGETLB;

	return before->end == life->start && before->prot == life->prot &&
	       ((before->flags ^ life->flags) & nature) == 0 &&
	       strcmp(before->kind, life->kind) == 0 &&
	       strcmp(before->owner, life->owner) == 0;
}

static int by_address(const void *left, const void *right)
{
	const struct ledger_life *const *a = left, *const *b = right;

	return ((*a)->start > (*b)->start) - ((*a)->start < (*b)->start);
}

const struct ledger_life **lives_last(const struct ledger_lives *lives,
                                      size_t *count)
{
	const struct ledger_life **last =
		calloc(lives->count + 1, sizeof(struct ledger_life *));

	*count = 0;
	for (size_t i = 0; last && i < lives->count; i++)
		if (life_counts(&lives->life[i]))
			last[(*count)++] = &lives->life[i];
	if (last)
		qsort(last, *count, sizeof(*last), by_address);
	return last;
}

/* ---- shares ------------------------------------------------------------- */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_stacks(const struct ledger_event *a,
                          const struct ledger_event *b)
{
	int order;

	if (!a || !b)
		return (a != NULL) - (b != NULL);
	order = compare_numbers(a->event->site, b->event->site);
	if (order || a->stack == b->stack)
		return order;
	order = compare_numbers(a->stack->count, b->stack->count);
	for (uint64_t i = 0; order == 0 && i < a->stack->count; i++)
		order = compare_numbers(a->stack->frame[i], b->stack->frame[i]);
	return order;
}

/* Those with no call are told apart by what they are of. */
static int compare_shares(const struct share *a, const struct share *b)
{
	int order = strcmp(a->life->kind, b->life->kind);

	if (order == 0)
		order = strcmp(a->life->owner, b->life->owner);
	if (order == 0)
		order = compare_stacks(a->call, b->call);
	if (order == 0 && !a->call)
		order = strcmp(a->life->path ? a->life->path : "",
		               b->life->path ? b->life->path : "");
	if (order == 0)
		order = compare_numbers(a->life->prot, b->life->prot);
	return order ? order : compare_numbers(a->thread, b->thread);
}

static int by_share(const void *left, const void *right)
{
	const struct share *a = left, *b = right;
	int order = compare_shares(a, b);

	return order ? order : compare_numbers(a->life->start, b->life->start);
}

static struct share share_of(const struct ledger_life *life,
                             const struct ledger_life *before,
                             const struct threads *threads)
{
	const struct ledger_event *call = life_call(life);

	return (struct share){
		.life = life,
		.call = call,
		.thread = call ? threads_of(threads, call) : 0,
		.mappings = !before || !life_joins(life, before),
		.reserved = life->prot ? 0 : life_size(life),
		.committed = life->prot ? life_size(life) : 0,
		.resident = life->resident,
	};
}

static void add_up(struct shares *shares)
{
	struct share *share = shares->share;
	size_t last = 0;

	for (size_t i = 1; i < shares->count; i++) {
		if (compare_shares(&share[last], &share[i])) {
			share[++last] = share[i];
			continue;
		}
		share[last].mappings += share[i].mappings;
		share[last].reserved += share[i].reserved;
		share[last].committed += share[i].committed;
		share[last].resident += share[i].resident;
	}
	if (shares->count > 0)
		shares->count = last + 1;
}

int shares_read(struct shares *shares, const struct export_from *from)
{
	struct threads threads;
	int done = threads_read(&threads, from->ledger->run);
	const struct ledger_life **last =
		lives_last(from->lives, &shares->count);

	shares->share = calloc(shares->count + 1, sizeof(*shares->share));
	done = done && last && shares->share;
	for (size_t i = 0; done && i < shares->count; i++)
		shares->share[i] =
			share_of(last[i], i > 0 ? last[i - 1] : NULL, &threads);
	if (done) {
		qsort(shares->share, shares->count, sizeof(*shares->share),
		      by_share);
		add_up(shares);
	}
	free(last);
	threads_free(&threads);
	return done;
}

void shares_free(struct shares *shares)
{
	free(shares->share);
}
