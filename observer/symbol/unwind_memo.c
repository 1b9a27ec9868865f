/*
 * unwind_memo - unwindings that were made before.
 *
 * One is kept with all that it depended on: where it began, the registers and
 * the words of the stack that were read.  A word that points into the copied
 * stack is compared by its distance from sp, so that threads with equal stacks
 * at different places share an unwinding; code that aligns its stack is right,
 * too, since the places may differ by whole pages only.
 */
#include "observer/symbol/unwind_internal.h"

#include <stdlib.h>

#define BUCKETS     4096u
#define CHAIN_MAX   64u
#define ENTRIES_MAX 16384u
#define PAGE        4096u

struct entry {
	struct entry *next;
	uint64_t ip, sp, size, top; /* sp within a page, top from sp */
	struct unwind_other other;
	size_t room, count, word_count, go_count;
	bool whole, go_used;
	uint64_t *frame, *go; /* both behind words[] */
	struct word words[];
};

struct memo {
	struct entry *bucket[BUCKETS];
	size_t count;
};

struct memo *memo_new(void)
{
	return calloc(1, sizeof(struct memo));
}

void memo_forget(struct memo *memo)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (memo->bucket[i]) {
			struct entry *entry = memo->bucket[i];
			memo->bucket[i] = entry->next;
			free(entry);
		}
	memo->count = 0;
}

void memo_free(struct memo *memo)
{
	if (memo)
		memo_forget(memo);
	free(memo);
}

static uint64_t top_of(const struct unwind_stack *stack)
{
	return stack->top ? stack->top - stack->sp : 0;
}

static struct entry **bucket_of(struct memo *memo,
                                const struct unwind_stack *stack)
{
	uint64_t mixed =
		stack->ip + (stack->sp % PAGE << 32) + (stack->size << 48);

	return memo->bucket + (mixed * 0x9e3779b97f4a7c15u >> 52) % BUCKETS;
}

static uint64_t input(const struct unwind_stack *stack, unsigned saved)
{
	switch (saved) {
	case SAVED_BX:
		return stack->bx;
	case SAVED_BP:
		return stack->bp;
	case SAVED_R12:
		return stack->r12;
	case SAVED_R13:
		return stack->r13;
	case SAVED_R14:
		return stack->r14;
	case SAVED_R15:
		return stack->r15;
	default:
		return stack->other.go_bp;
	}
}

static int word_is(const struct word *word, const struct unwind_stack *stack)
{
	uint64_t value = word->offset >= WORD_REGISTERS
	                         ? input(stack, word->offset - WORD_REGISTERS)
	                         : load64(stack->bytes + word->offset);
	uint64_t distance = value - stack->sp;

	if (word->is_stack)
		return distance == word->value;
	return value == word->value && distance > stack->size;
}

static int go_is(const struct entry *entry, const struct unwind_stack *stack)
{
	if (!entry->go_used)
		return 1;
	return entry->go_count == stack->go_count &&
	       !memcmp(entry->go, stack->go,
	               entry->go_count * sizeof(*entry->go));
}

static int entry_is(const struct entry *entry, const struct unwind_stack *stack,
                    size_t room)
{
	if (entry->ip != stack->ip || entry->sp != stack->sp % PAGE ||
	    entry->size != stack->size || entry->top != top_of(stack) ||
	    entry->room != room ||
	    memcmp(&entry->other, &stack->other, sizeof(entry->other)) != 0)
		return 0;
	for (size_t i = 0; i < entry->word_count; i++)
		if (!word_is(entry->words + i, stack))
			return 0;
	return go_is(entry, stack);
}

int memo_find(struct memo *memo, const struct unwind_stack *stack, size_t room,
              uint64_t *frame, size_t *count, bool *whole)
{
	struct entry **bucket = bucket_of(memo, stack);

	for (struct entry **at = bucket; *at; at = &(*at)->next) {
		struct entry *entry = *at;
		if (!entry_is(entry, stack, room))
			continue;
		*at = entry->next;
		entry->next = *bucket;
		*bucket = entry;
		memcpy(frame, entry->frame, entry->count * sizeof(*frame));
		*count = entry->count;
		*whole = entry->whole;
		return 1;
	}
	return 0;
}

/* A chain that is too long loses what was used least. */
static void shorten(struct memo *memo, struct entry **at)
{
	for (unsigned i = 0; *at; i++) {
		struct entry *entry = *at;
		if (i < CHAIN_MAX) {
			at = &entry->next;
			continue;
		}
		*at = entry->next;
		free(entry);
		memo->count--;
	}
}

void memo_keep(struct memo *memo, const struct walk *walk, size_t room,
               const uint64_t *frame, size_t count, bool whole)
{
	const struct unwind_stack *stack = walk->stack;
	size_t words = walk->word_count;
	size_t go_count = walk->go_used ? stack->go_count : 0;

	if (words == WORDS_MAX)
		return;
	if (memo->count == ENTRIES_MAX)
		memo_forget(memo);
	struct entry *entry =
		malloc(sizeof(*entry) + words * sizeof(*entry->words) +
	               (count + go_count) * sizeof(*frame));
	if (!entry)
		return;
	struct entry **bucket = bucket_of(memo, stack);
	*entry = (struct entry){
		.next = *bucket,
		.ip = stack->ip,
		.sp = stack->sp % PAGE,
		.size = stack->size,
		.top = top_of(stack),
		.other = stack->other,
		.room = room,
		.count = count,
		.word_count = words,
		.go_count = go_count,
		.whole = whole,
		.go_used = walk->go_used,
		.frame = (uint64_t *)(entry->words + words),
	};
	entry->go = entry->frame + count;
	memcpy(entry->words, walk->words, words * sizeof(*entry->words));
	memcpy(entry->frame, frame, count * sizeof(*frame));
	if (go_count)
		memcpy(entry->go, stack->go, go_count * sizeof(*frame));
	*bucket = entry;
	memo->count++;
	shorten(memo, bucket);
}
