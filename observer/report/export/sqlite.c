/*
 * A run as a database: made in memory, so that it is bytes like any other
 * format.
 */
#include "observer/report/export/internal.h"
#include "observer/report/export/schema.h"
#include "observer/report/internal.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct database {
	const struct export_from *from;
	sqlite3 *handle;
	sqlite3_stmt *row; /* the table that is being filled */
	int column;        /* the next one */
	struct store store;
	struct keys stacks;
	struct ledger_frames *frames;
	struct threads threads;
};

/* ---- rows --------------------------------------------------------------- */

static int run_sql(struct database *database, const char *sql)
{
	int status = sqlite3_exec(database->handle, sql, NULL, NULL, NULL);

	database->store.failed |= status != SQLITE_OK;
	return status == SQLITE_OK;
}

/* Makes rows of `columns` values from now on. */
static void table(struct database *database, const char *name, int columns)
{
	char sql[256];
	int at = snprintf(sql, sizeof(sql), "INSERT INTO %s VALUES (?", name);

	while (--columns > 0)
		at += snprintf(sql + at, sizeof(sql) - at, ",?");
	snprintf(sql + at, sizeof(sql) - at, ")");
	sqlite3_finalize(database->row);
	database->row = NULL;
	if (sqlite3_prepare_v2(database->handle, sql, -1, &database->row,
	                       NULL) != SQLITE_OK)
		database->store.failed = 1;
	database->column = 1;
}

static void number(struct database *database, uint64_t value)
{
	sqlite3_bind_int64(database->row, database->column++,
	                   (sqlite3_int64)value);
}

static void nothing(struct database *database)
{
	sqlite3_bind_null(database->row, database->column++);
}

/* NULL is NULL. */
static void text(struct database *database, const char *value)
{
	if (value)
		value = text_clean(&database->store, value);
	sqlite3_bind_text(database->row, database->column++, value, -1,
	                  SQLITE_STATIC);
}

static void row_end(struct database *database)
{
	if (sqlite3_step(database->row) != SQLITE_DONE)
		database->store.failed = 1;
	sqlite3_reset(database->row);
	database->column = 1;
}

/* ---- run and modules ---------------------------------------------------- */

static void fill_run_identity(struct database *database, char *command)
{
	const struct ledger *ledger = database->from->ledger;
	const struct ledger_run *run = ledger->run;

	text(database, run->path);
	text(database, command);
	text(database, report_linkage(ledger));
	number(database, run->program->stripped != 0);
	text(database, run->go_version);
	text(database, run->build_id);
	number(database, run->program->pid);
	text(database, run->host);
	number(database, run->program->started);
	number(database, ledger->duration);
}

static void fill_run_end(struct database *database)
{
	const struct ledger *ledger = database->from->ledger;
	const struct file_end *end = ledger->run->end;

	if (end && end->kind == FILE_END_EXITED)
		number(database, end->value);
	else
		nothing(database);
	if (end && end->kind == FILE_END_SIGNALED)
		number(database, end->value);
	else
		nothing(database);
	number(database, end && end->kind == FILE_END_EXECED);
	number(database, end && !ledger->run->torn);
	number(database, ledger->checked != 0);
	number(database, ledger->run->program->net_on != 0);
}

static void fill_run(struct database *database)
{
	const struct ledger *ledger = database->from->ledger;
	const uint64_t totals[] = {
		ledger->vm_size,      ledger->target,   ledger->goload,
		ledger->unexplained,  ledger->phantom,  ledger->reserved,
		ledger->committed,    ledger->resident, ledger->goload_resident,
		ledger->peak_vm_size, ledger->mappings, ledger->events,
		ledger->lost,         ledger->net_hits,
	};
	char *command = command_text(ledger->run);

	table(database, "run", 16 + sizeof(totals) / sizeof(*totals));
	fill_run_identity(database, command);
	fill_run_end(database);
	for (size_t i = 0; i < sizeof(totals) / sizeof(*totals); i++)
		number(database, totals[i]);
	row_end(database);
	database->store.failed |= !command;
	free(command);
}

static void fill_modules(struct database *database)
{
	static const char *const kinds[] = { "program", "interpreter", "vDSO",
		                             "library" };
	const struct export_from *from = database->from;
	const struct ledger_run *run = from->ledger->run;

	table(database, "module", 7);
	for (size_t i = 0; i < run->module_count; i++) {
		const struct ledger_module *module = &run->module[i];
		uint64_t kind = module->module->kind;

		number(database, i + 1);
		text(database, module->path);
		text(database, kinds[kind < 4 ? kind : 3]);
		text(database, module->build_id);
		number(database, module->module->start);
		number(database, module->module->end);
		number(database, module->module->bias);
		row_end(database);
	}
}

/* ---- stacks and events -------------------------------------------------- */

struct stack_key {
	const struct file_stack *stack;
	uint64_t site;
};

static uint64_t stack_of(struct database *database,
                         const struct ledger_event *event)
{
	const struct stack_key key = { event->stack, event->event->site };

	return keys_put(&database->stacks, &key, sizeof(key)) + 1;
}

static void fill_events(struct database *database)
{
	const struct ledger_run *run = database->from->ledger->run;

	table(database, "event", 14);
	for (size_t i = 0; i < run->event_count; i++) {
		const struct trace_event *event = run->event[i].event;
		int ends = !(event->flags & TRACE_ONE_PHASE);
		uint64_t t = ledger_time(run, event->tsc);
		char name[LEDGER_CALL_NAME];

		if (event->call >= TRACE_FACT)
			continue;
		number(database, i + 1);
		number(database, t);
		if (ends)
			number(database,
			       ledger_time(run, event->tsc_after) - t);
		else
			nothing(database);
		text(database, ledger_call_name(name, event->call));
		number(database,
		       threads_of(&database->threads, &run->event[i]));
		for (int arg = 0; arg < 6; arg++)
			number(database, event->args[arg]);
		if (ends)
			number(database, event->result);
		else
			nothing(database);
		number(database, !!(event->flags & TRACE_BY_NET));
		number(database, stack_of(database, &run->event[i]));
		row_end(database);
	}
}

static void fill_frames(struct database *database, uint64_t stack,
                        const struct ledger_frame *frame, size_t count)
{
	const struct ledger_run *run = database->from->ledger->run;

	for (size_t i = 0; i < count; i++) {
		const struct ledger_place *place = &frame[i].place;

		number(database, stack);
		number(database, i);
		number(database, frame[i].address);
		text(database, place->function);
		text(database, place->file);
		if (place->file && place->line > 0)
			number(database, (uint64_t)place->line);
		else
			nothing(database);
		number(database, frame[i].inlined);
		if (place->module)
			number(database, place->module - run->module + 1);
		else
			nothing(database);
		row_end(database);
	}
}

/* Calls `fill` for each stack, with the first event that has it. */
static void each_stack(struct database *database,
                       void (*fill)(struct database *database, uint64_t id,
                                    const struct ledger_event *event,
                                    const struct ledger_frame *frame,
                                    size_t count))
{
	const struct ledger_run *run = database->from->ledger->run;
	uint64_t next = 1;

	for (size_t i = 0; i < run->event_count; i++) {
		const struct ledger_event *event = &run->event[i];
		const struct ledger_frame *frame = NULL;
		size_t count = 0;

		if (event->event->call >= TRACE_FACT ||
		    stack_of(database, event) != next)
			continue;
		if (!(event->event->flags & TRACE_NAMED))
			count = ledger_frames_of(database->frames, event,
			                         &frame);
		fill(database, next++, event, frame, count);
	}
}

static void fill_stack(struct database *database, uint64_t id,
                       const struct ledger_event *event,
                       const struct ledger_frame *frame, size_t count)
{
	(void)frame;
	number(database, id);
	number(database, count);
	number(database, !!(event->event->flags & TRACE_CUT));
	row_end(database);
}

static void fill_frames_of(struct database *database, uint64_t id,
                           const struct ledger_event *event,
                           const struct ledger_frame *frame, size_t count)
{
	(void)event;
	fill_frames(database, id, frame, count);
}

static void fill_stacks(struct database *database)
{
	table(database, "stack", 3);
	each_stack(database, fill_stack);
	table(database, "frame", 8);
	each_stack(database, fill_frames_of);
}

/* ---- mappings ----------------------------------------------------------- */

/* For each life, whether it is a part of the mapping before it. */
static uint8_t *joined(const struct ledger_lives *lives)
{
	uint8_t *flags = calloc(lives->count + 1, 1);
	size_t count;
	const struct ledger_life **last = lives_last(lives, &count);

	for (size_t i = 1; flags && last && i < count; i++)
		flags[last[i] - lives->life] = life_joins(last[i], last[i - 1]);
	free(last);
	if (last)
		return flags;
	free(flags);
	return NULL;
}

static void fill_place(struct database *database,
                       const struct ledger_site *site)
{
	text(database, site->place.function);
	text(database, site->place.file);
	if (site->place.file && site->place.line > 0)
		number(database, (uint64_t)site->place.line);
	else
		nothing(database);
	if (site->address)
		number(database, site->address);
	else
		nothing(database);
	number(database, site->at_start != 0);
}

static void fill_mapping(struct database *database,
                         const struct ledger_life *life, int joins)
{
	const struct ledger_event *call = life_call(life);

	number(database, life->start);
	number(database, life->end);
	number(database, life->from);
	number(database, life->until);
	number(database, life->last != 0);
	number(database, joins);
	text(database, life->kind);
	text(database, life->owner);
	text(database, prot_text(life->prot));
	number(database, life->flags);
	text(database, life->path);
	number(database, life->offset);
	number(database, life->resident);
	if (call)
		number(database, call - database->from->ledger->run->event + 1);
	else
		nothing(database);
	fill_place(database, &life->site);
}

static void fill_mappings(struct database *database)
{
	const struct ledger_lives *lives = database->from->lives;
	uint8_t *joins = joined(lives);

	table(database, "mapping", 20);
	database->store.failed |= !joins;
	for (size_t i = 0; joins && i < lives->count; i++) {
		number(database, i + 1);
		fill_mapping(database, &lives->life[i], joins[i]);
		row_end(database);
	}
	free(joins);
}

/* What lives do not know of rows. */
static void fill_pages(struct database *database)
{
	const struct ledger *ledger = database->from->ledger;

	table(database, "pages", 8);
	for (size_t i = 0; i < ledger->row_count; i++) {
		const struct ledger_row *row = &ledger->row[i];

		text(database, row->kind);
		text(database, row->owner);
		number(database, row->anonymous);
		number(database, row->file);
		number(database, row->shared);
		number(database, row->huge);
		number(database, row->returned);
		number(database, row->came_back);
		row_end(database);
	}
}

/* ---- over time ---------------------------------------------------------- */

static void fill_samples(struct database *database)
{
	const struct ledger_run *run = database->from->ledger->run;

	table(database, "sample", 4);
	for (size_t i = 0; i < run->sample_count; i++) {
		number(database, ledger_time(run, run->sample[i]->tsc));
		number(database, run->sample[i]->vm_size);
		number(database, run->sample[i]->resident);
		number(database, run->sample[i]->goload_resident);
		row_end(database);
	}
}

static void fill_memstats(struct database *database)
{
	const struct ledger_run *run = database->from->ledger->run;

	table(database, "memstats", 1 + MEMSTATS_NUMBERS);
	for (size_t i = 0; i < run->memstats_count; i++) {
		number(database, ledger_time(run, run->memstats[i]->tsc));
		for (size_t j = 0; j < MEMSTATS_NUMBERS; j++)
			number(database, memstats_number(run->memstats[i], j));
		row_end(database);
	}
}

/* ---- the whole ---------------------------------------------------------- */

static void fill(struct database *database)
{
	if (!run_sql(database, "BEGIN;" SCHEMA_TABLES))
		return;
	fill_run(database);
	fill_modules(database);
	fill_events(database);
	fill_stacks(database);
	fill_mappings(database);
	fill_pages(database);
	fill_samples(database);
	fill_memstats(database);
	run_sql(database, SCHEMA_VIEWS "COMMIT;");
}

static int write_database(FILE *out, sqlite3 *handle)
{
	sqlite3_int64 size = 0;
	unsigned char *bytes = sqlite3_serialize(handle, "main", &size, 0);

	if (bytes)
		fwrite(bytes, 1, (size_t)size, out);
	sqlite3_free(bytes);
	return bytes != NULL;
}

int export_sqlite(FILE *out, const struct export_from *from)
{
	struct database database = { .from = from };
	const struct ledger_run *run = from->ledger->run;
	int done = 0;

	database.stacks.store = &database.store;
	database.frames = ledger_frames_open(run, from->namer, from->context);
	if (threads_read(&database.threads, run) && database.frames &&
	    sqlite3_open(":memory:", &database.handle) == SQLITE_OK) {
		fill(&database);
		sqlite3_finalize(database.row);
		done = !database.store.failed &&
		       write_database(out, database.handle);
	}
	sqlite3_close(database.handle);
	ledger_frames_close(database.frames);
	threads_free(&database.threads);
	keys_free(&database.stacks);
	store_free(&database.store);
	return done;
}
