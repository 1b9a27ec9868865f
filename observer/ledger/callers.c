/*
 * Where a call comes from, and what for, by its stack alone: so that it can be
 * said before the call is made, and in every run of the program alike.
 */
#include "observer/ledger/effects.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct ledger_callers {
	struct kinds kinds;
	struct ledger_frames *frames;
	uint64_t largest; /* see kinds_is_scavenge() */
};

/* ---- calls ----------------------------------------------------------------
 */

/* clang-format off */
static const struct {
	uint32_t call;
	int makes; /* or protects: there is a kind */
} calls[] = {
	{ SYS_mmap, 1 }, { SYS_munmap, 0 }, { SYS_mremap, 1 },
	{ SYS_mprotect, 1 }, { SYS_pkey_mprotect, 1 }, { SYS_madvise, 0 },
	{ SYS_process_madvise, 0 }, { SYS_brk, 1 }, { SYS_shmat, 1 },
	{ SYS_shmdt, 0 }, { SYS_remap_file_pages, 0 }, { SYS_mlock, 0 },
	{ SYS_mlock2, 0 }, { SYS_mlockall, 0 }, { SYS_munlock, 0 },
	{ SYS_munlockall, 0 }, { SYS_mseal, 0 }, { SYS_map_shadow_stack, 1 },
	{ SYS_io_setup, 1 }, { SYS_io_destroy, 0 },
};
/* clang-format on */

#define CALLS (sizeof(calls) / sizeof(calls[0]))

static size_t find(uint32_t call)
{
	size_t i = 0;

	while (i < CALLS && calls[i].call != call)
		i++;
	return i;
}

int ledger_may_fail(const struct trace_event *event)
{
	return find(event->call) < CALLS &&
	       !(event->call == SYS_brk && event->args[0] == 0);
}

/* ---- kind and place --------------------------------------------------------
 */

/* Like a piece that the call would make, somewhere. */
static struct claim claim(struct ledger_callers *callers,
                          const struct ledger_event *event)
{
	const struct trace_event *call = event->event;
	struct space_piece piece = {
		.event = event,
		.flags = MAP_PRIVATE | MAP_ANONYMOUS,
		.prot = PROT_READ | PROT_WRITE,
		.what = call->call == SYS_brk ? TRACE_WHAT_BRK : SPACE_CALL,
	};

	if (call->call == SYS_mmap) {
		piece.flags = call->args[3];
		piece.prot = call->args[2] & PROT_ALL;
	}
	return kinds_claim(&callers->kinds, &piece, NULL);
}

/* A call that is not in the run may still be the one that reserves it. */
static struct claim claim_in_order(struct ledger_callers *callers,
                                   const struct ledger_event *event)
{
	const struct ledger_event *known = callers->kinds.scavenge;
	struct claim claimed;

	if (!known &&
	    kinds_is_scavenge(&callers->kinds, event, &callers->largest))
		callers->kinds.scavenge = event;
	claimed = claim(callers, event);
	callers->kinds.scavenge = known;
	return claimed;
}

/* Where no frame claims it: the innermost one with a name. */
static void set_place(struct ledger_caller *caller, const struct claim *claim)
{
	const struct ledger_frame *frame = caller->frame;
	size_t i = 0;

	caller->place = claim->maker_address ? claim->maker : claim->place;
	caller->address =
		claim->maker_address ? claim->maker_address : claim->address;
	if (caller->address || caller->frame_count == 0)
		return;
	while (i + 1 < caller->frame_count && !frame[i].place.function)
		i++;
	caller->place = frame[i].place;
	caller->address = frame[i].address;
}

/* ---- its id -----------------------------------------------------------------
 */

/* FNV-1a */
static uint32_t mix(uint32_t hash, const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;

	while (size--)
		hash = (hash ^ *byte++) * 16777619u;
	return hash;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A frame by names and lines: where there is no line, by how far it is in its
 * function; and where there is no name, in its file. */
static uint32_t mix_frame(uint32_t hash, const struct ledger_frame *frame)
{
	const struct ledger_place *place = &frame->place;
	const char *name = place->linker ? place->linker : place->function;
	uint64_t where = 0;

	if (name && place->line > 0)
		where = (uint64_t)place->line;
	else if (name && place->start)
		where = frame->address - place->start;
	else if (!name && place->module) {
		name = base_name(place->module->path);
		where = frame->address - place->module->module->bias;
	}
	if (name)
		hash = mix(hash, name, strlen(name) + 1);
	return mix(hash, &where, sizeof(where));
}

/* How many frames count.  Go's runtime maps for whoever needs the next page:
 * what is behind its function is by chance another one in each run. */
static size_t counting(const struct ledger_caller *caller,
                       const struct claim *claim)
{
	size_t count = caller->frame_count;

	while (claim->maker_address && count > 0 &&
	       caller->frame[count - 1].address != claim->maker_address)
		count--;
	return count;
}

static uint32_t id_of(uint32_t call, const struct ledger_caller *caller,
                      size_t count)
{
	uint32_t hash = mix(2166136261u, &call, sizeof(call));

	for (size_t i = 0; i < count; i++)
		hash = mix_frame(hash, &caller->frame[i]);
	return hash;
}

/* ---- the whole
 * --------------------------------------------------------------- */

/* What sequences of calls prove is not asked for: it would depend on what came
 * behind. */
struct ledger_callers *ledger_callers_open(const struct ledger_run *run,
                                           ledger_namer *namer, void *context)
{
	struct ledger_callers *callers = calloc(1, sizeof(*callers));

	if (!callers)
		return NULL;
	callers->kinds.run = run;
	callers->kinds.names.namer = namer;
	callers->kinds.names.context = context;
	callers->frames = ledger_frames_open(run, namer, context);
	if (!callers->frames || !files_read(&callers->kinds.files, run)) {
		ledger_callers_close(callers);
		return NULL;
	}
	callers->kinds.scavenge = kinds_find_scavenge(&callers->kinds);
	return callers;
}

struct ledger_caller ledger_caller_of(struct ledger_callers *callers,
                                      const struct ledger_event *event)
{
	struct claim claimed = claim_in_order(callers, event);
	size_t i = find(event->event->call);
	struct ledger_caller caller = { 0 };

	caller.frame_count =
		ledger_frames_of(callers->frames, event, &caller.frame);
	set_place(&caller, &claimed);
	caller.id =
		id_of(event->event->call, &caller, counting(&caller, &claimed));
	if (i < CALLS && calls[i].makes) {
		caller.kind = claimed.kind;
		caller.owner = claimed.owner;
	}
	return caller;
}

void ledger_callers_close(struct ledger_callers *callers)
{
	if (!callers)
		return;
	for (size_t i = 0; i < callers->kinds.words.list.count; i++)
		free(((char **)callers->kinds.words.list.item)[i]);
	free(callers->kinds.words.list.item);
	kinds_free(&callers->kinds);
	ledger_frames_close(callers->frames);
	free(callers);
}
