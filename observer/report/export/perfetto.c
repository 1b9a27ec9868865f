/*
 * A run as a trace of Perfetto.  Tracks of the process: sums over time as
 * counters, each life of a mapping as a slice, the phases of the run as
 * instants.  Tracks of its threads: each call that was recorded.
 *
 * Lives of one row overlap in time, and slices of one track must nest: each row
 * has as many tracks of its name as it ever had lives at once, which the page
 * shows as one.
 */
#include "observer/report/export/packets.h"
#include "observer/report/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The tracks of one row: when each is free again, the earliest first. */
struct lanes {
	struct list heap; /* struct lane */
};

struct lane {
	uint64_t free, track;
};

struct trace {
	const struct export_from *from;
	struct store store;
	struct packets packets;
	struct keys threads;
	struct threads ids;
	struct gauges gauges;
	uint64_t thread_tracks; /* the first of them */
	uint64_t counters;      /* likewise: two, then one for each row */
};

/* ---- the beginning ------------------------------------------------------ */

static void write_process(struct trace *trace)
{
	const struct ledger_run *run = trace->from->ledger->run;
	perfetto_track track = PERFETTO__PROTOS__TRACK_DESCRIPTOR__INIT;
	perfetto_process process = PERFETTO__PROTOS__PROCESS_DESCRIPTOR__INIT;

	process.has_pid = 1;
	process.pid = (int32_t)run->program->pid;
	process.process_name =
		(char *)text_clean(&trace->store, units_base_name(run->path));
	process.n_cmdline = run->program->argc;
	process.cmdline =
		store_take(&trace->store, process.n_cmdline * sizeof(char *));
	if (!process.cmdline)
		return;
	for (size_t i = 0; i < process.n_cmdline; i++)
		process.cmdline[i] =
			(char *)text_clean(&trace->store, run->argv[i]);
	track.process = &process;
	track_write(&trace->packets, &track, trace->packets.process);
}

static uint64_t thread_track(const struct trace *trace, size_t index)
{
	return trace->packets.process + trace->thread_tracks + index;
}

static void write_thread(struct trace *trace, size_t index, uint64_t id)
{
	uint32_t pid = trace->from->ledger->run->program->pid;
	perfetto_track track = PERFETTO__PROTOS__TRACK_DESCRIPTOR__INIT;
	perfetto_thread thread = PERFETTO__PROTOS__THREAD_DESCRIPTOR__INIT;
	char name[32];

	snprintf(name, sizeof(name), "thread %" PRIu64, id);
	thread.has_pid = thread.has_tid = 1;
	thread.pid = (int32_t)pid;
	thread.tid = (int64_t)id;
	thread.thread_name = id == pid ? (char *)"main" : name;
	track.thread = &thread;
	track.has_parent_uuid = 1;
	track.parent_uuid = trace->packets.process;
	track_write(&trace->packets, &track, thread_track(trace, index));
}

/* One track for each, before the first event on it. */
static void write_threads(struct trace *trace)
{
	const struct ledger_run *run = trace->from->ledger->run;

	for (size_t i = 0; i < run->event_count; i++) {
		uint64_t id = threads_of(&trace->ids, &run->event[i]);
		size_t before = trace->threads.count;

		if (id && keys_put(&trace->threads, &id, sizeof(id)) == before)
			write_thread(trace, before, id);
	}
	trace->packets.tracks += trace->threads.count;
}

/* ---- phases and calls --------------------------------------------------- */

static void write_instant(struct trace *trace, uint64_t t, const char *name)
{
	event_begin(&trace->packets, EVENT(INSTANT), t, trace->packets.process);
	event_name(&trace->packets, name);
	event_end(&trace->packets);
}

static void write_phases(struct trace *trace)
{
	const struct ledger *ledger = trace->from->ledger;
	const struct file_end *end = ledger->run->end;
	char text[64], signal[UNITS_TEXT];

	write_instant(trace, 0, "start");
	for (size_t i = 0; i < ledger->run->event_count; i++) {
		const struct trace_event *event = ledger->run->event[i].event;

		if (event->call == TRACE_BOOTED)
			write_instant(trace,
			              ledger_time(ledger->run, event->tsc),
			              "first instruction");
	}
	snprintf(text, sizeof(text), "end of the record");
	if (end && end->kind == FILE_END_EXITED)
		snprintf(text, sizeof(text), "exit %" PRIu64, end->value);
	if (end && end->kind == FILE_END_SIGNALED)
		snprintf(text, sizeof(text), "killed by %s",
		         units_signal(signal, end->value));
	if (end && end->kind == FILE_END_EXECED)
		snprintf(text, sizeof(text), "exec of another program");
	write_instant(trace, ledger->duration, text);
}

static void write_call(struct trace *trace, const struct ledger_event *from)
{
	static const char *const keys[] = { "arg0", "arg1", "arg2",
		                            "arg3", "arg4", "arg5" };
	const struct trace_event *event = from->event;
	const struct ledger_run *run = trace->from->ledger->run;
	uint64_t id = threads_of(&trace->ids, from);
	int ends = !(event->flags & TRACE_ONE_PHASE);
	uint64_t track;
	char name[LEDGER_CALL_NAME];

	if (event->call >= TRACE_FACT || id == 0)
		return;
	track = thread_track(trace, keys_put(&trace->threads, &id, sizeof(id)));
	event_begin(&trace->packets, ends ? EVENT(SLICE_BEGIN) : EVENT(INSTANT),
	            ledger_time(run, event->tsc), track);
	event_name(&trace->packets, ledger_call_name(name, event->call));
	for (int i = 0; i < 6; i++)
		note_address(&trace->packets, keys[i], event->args[i]);
	if (ends && trace_failed(event->result))
		note_signed(&trace->packets, "result", (int64_t)event->result);
	else if (ends)
		note_address(&trace->packets, "result", event->result);
	event_end(&trace->packets);
	if (!ends)
		return;
	event_begin(&trace->packets, EVENT(SLICE_END),
	            ledger_time(run, event->tsc_after), track);
	event_end(&trace->packets);
}

/* ---- lives -------------------------------------------------------------- */

static void sink(struct lane *heap, size_t count)
{
	size_t at = 0, child;

	while ((child = 2 * at + 1) < count) {
		struct lane lane = heap[at];

		if (child + 1 < count &&
		    heap[child + 1].free < heap[child].free)
			child++;
		if (lane.free <= heap[child].free)
			return;
		heap[at] = heap[child];
		heap[child] = lane;
		at = child;
	}
}

static void rise(struct lane *heap, size_t at)
{
	while (at > 0 && heap[(at - 1) / 2].free > heap[at].free) {
		struct lane lane = heap[at];

		heap[at] = heap[(at - 1) / 2];
		heap[(at - 1) / 2] = lane;
		at = (at - 1) / 2;
	}
}

/* "heap, Go runtime" */
static const char *row_name(struct store *store, const char *kind,
                            const char *owner)
{
	size_t size = strlen(kind) + strlen(owner) + sizeof(", ");
	char *name = store_take(store, size);

	if (!name)
		return "";
	snprintf(name, size, "%s, %s", kind, owner);
	return name;
}

/* A track that is free for this life.  They come by their beginnings. */
static uint64_t lane_of(struct trace *trace, struct lanes *lanes,
                        const struct ledger_life *life)
{
	struct lane *lane = lanes->heap.item;
	uint64_t track;

	if (lanes->heap.count > 0 && lane[0].free <= life->from) {
		track = lane[0].track;
		lane[0].free = life->until;
		sink(lane, lanes->heap.count);
		return track;
	}
	track = track_new(&trace->packets,
	                  row_name(&trace->store, life->kind, life->owner));
	lane = list_add(&lanes->heap, sizeof(*lane), &trace->store);
	if (lane) {
		*lane = (struct lane){ life->until, track };
		rise(lanes->heap.item, lanes->heap.count - 1);
	}
	return track;
}

static void write_life(struct trace *trace, struct lanes *lanes,
                       const struct ledger_life *life)
{
	const struct ledger_place *place = &life->site.place;
	const struct ledger_event *call = life_call(life);
	uint64_t track = lane_of(trace, lanes, life);

	event_begin(&trace->packets, EVENT(SLICE_BEGIN), life->from, track);
	event_name(&trace->packets,
	           place->function ? place->function : life->kind);
	note_address(&trace->packets, "start", life->start);
	note_address(&trace->packets, "end", life->end);
	note_number(&trace->packets, "bytes", life_size(life));
	note_text(&trace->packets, "protection", prot_text(life->prot));
	note_text(&trace->packets, "kind", life->kind);
	note_text(&trace->packets, "owner", life->owner);
	note_text(&trace->packets, "path", life->path);
	note_text(&trace->packets, "function", place->function);
	note_text(&trace->packets, "file", place->file);
	if (place->file && place->line > 0)
		note_number(&trace->packets, "line", (uint64_t)place->line);
	if (call)
		note_number(&trace->packets, "thread",
		            threads_of(&trace->ids, call));
	if (life->last)
		note_number(&trace->packets, "resident", life->resident);
	event_end(&trace->packets);
	event_begin(&trace->packets, EVENT(SLICE_END), life->until, track);
	event_end(&trace->packets);
}

static void write_lives(struct trace *trace)
{
	const struct ledger_lives *lives = trace->from->lives;
	size_t rows = trace->gauges.gauge.count;
	struct lanes *lanes = calloc(rows + 1, sizeof(*lanes));

	if (!lanes) {
		trace->store.failed = 1;
		return;
	}
	for (size_t i = 0; i < lives->count && !trace->store.failed; i++)
		if (strcmp(lives->life[i].owner, "goload") != 0)
			write_life(trace,
			           &lanes[gauges_of(&trace->gauges,
			                            &lives->life[i])],
			           &lives->life[i]);
	for (size_t i = 0; i < rows; i++)
		free(lanes[i].heap.item);
	free(lanes);
}

/* ---- counters ----------------------------------------------------------- */

static void count_gauge(void *context, uint64_t t, size_t index,
                        const struct gauge *gauge)
{
	struct trace *trace = context;
	uint64_t track = trace->counters + index;

	if (index > 0) {
		counter_set(&trace->packets, t, track + 1,
		            gauge->reserved + gauge->committed);
		return;
	}
	counter_set(&trace->packets, t, track, gauge->reserved);
	counter_set(&trace->packets, t, track + 1, gauge->committed);
}

static void count_gauges(struct trace *trace)
{
	const struct gauge *gauge = trace->gauges.gauge.item;

	if (trace->gauges.gauge.count == 0)
		return;
	trace->counters = counter_new(&trace->packets, "reserved");
	counter_new(&trace->packets, "committed");
	for (size_t i = 1; i < trace->gauges.gauge.count; i++)
		counter_new(
			&trace->packets,
			row_name(&trace->store, gauge[i].kind, gauge[i].owner));
	gauges_follow(&trace->gauges, count_gauge, trace);
}

static void count_resident(struct trace *trace)
{
	const struct ledger *ledger = trace->from->ledger;
	uint64_t track = counter_new(&trace->packets, "resident");

	for (size_t i = 0; i < ledger->point_count; i++)
		if (i == 0 ||
		    ledger->point[i].resident != ledger->point[i - 1].resident)
			counter_set(&trace->packets, ledger->point[i].t, track,
			            ledger->point[i].resident);
	for (size_t row = 0; row < ledger->row_count; row++) {
		const struct ledger_row *of = &ledger->row[row];
		const char *name = row_name(&trace->store, of->kind, of->owner);

		if (ledger->moment_count == 0)
			break;
		name = row_name(&trace->store, "resident", name);
		track = counter_new(&trace->packets, name);
		for (size_t i = 0; i < ledger->moment_count; i++)
			counter_set(&trace->packets, ledger->moment[i], track,
			            of->resident_at[i]);
	}
}

static void count_memstats(struct trace *trace)
{
	const struct ledger_memstats *stats = &trace->from->ledger->memstats;

	for (size_t number = 0; number < MEMSTATS_NUMBERS && stats->count > 0;
	     number++) {
		char name[64];
		uint64_t track;

		snprintf(name, sizeof(name), "MemStats %s",
		         memstats_name(number));
		track = counter_new(&trace->packets, name);
		for (size_t i = 0; i < stats->count; i++)
			counter_set(&trace->packets,
			            ledger_time(trace->from->ledger->run,
			                        stats->at[i]->tsc),
			            track,
			            memstats_number(stats->at[i], number));
	}
}

/* ---- the whole ---------------------------------------------------------- */

static void write_trace(struct trace *trace)
{
	const struct ledger_run *run = trace->from->ledger->run;

	packets_clock(&trace->packets, run->program->started);
	write_process(trace);
	trace->thread_tracks = trace->packets.tracks + 1;
	write_threads(trace);
	write_phases(trace);
	gauges_read(&trace->gauges, trace->from->lives);
	count_gauges(trace);
	count_resident(trace);
	count_memstats(trace);
	write_lives(trace);
	for (size_t i = 0; i < run->event_count && !trace->store.failed; i++)
		write_call(trace, &run->event[i]);
}

int export_perfetto(FILE *out, const struct export_from *from)
{
	struct trace *trace = calloc(1, sizeof(*trace));
	int done;

	if (!trace)
		return 0;
	packets_init(&trace->packets, out, &trace->store);
	trace->from = from;
	trace->packets.start = from->ledger->run->first.ns;
	trace->packets.process = from->ledger->run->program->started;
	trace->threads.store = trace->gauges.store = &trace->store;
	if (threads_read(&trace->ids, from->ledger->run))
		write_trace(trace);
	else
		trace->store.failed = 1;
	done = !trace->store.failed;
	packets_free(&trace->packets);
	keys_free(&trace->threads);
	gauges_free(&trace->gauges);
	threads_free(&trace->ids);
	store_free(&trace->store);
	free(trace);
	return done;
}
