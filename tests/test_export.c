/*
 * A small run in each format, to the letter; and what only other runs have.
 * Binary formats are read back by the library that made them, which is not the
 * one that reads them in tests/export.sh.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "observer/report/export/export.h"
#include "observer/report/export/profile.pb-c.h"
#include "observer/report/export/trace.pb-c.h"
#include "tests/export_golden.h"
#include "tests/run_builder.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <zlib.h>

#define MIB         (1ull << 20)
#define ARCH_SET_FS 0x1002

struct exported {
	struct run run;
	struct ledger *ledger;
	struct ledger_lives *lives;
	struct export_from from;
	char *bytes;
	size_t size;
};

/* What is inlined in GROW, and what has no name: as cli_name() has it. */
static int namer(void *context, uint64_t address, struct ledger_place *place)
{
	static const struct ledger_place inlined = {
		.function = "runtime.inlined", .file = "/src/in.go", .line = 7
	};
	int known = run_namer(context, address, place);

	if (known && address == GROW) {
		place->inlined = &inlined;
		place->inlined_count = 1;
	}
	return known;
}

static void build(struct exported *of, const char *look)
{
	of->ledger = ledger_of(&of->run, look);
	of->lives = ledger_lives(of->ledger, namer, NULL);
	cr_assert(of->lives != NULL);
	of->from = (struct export_from){ .ledger = of->ledger,
		                         .lives = of->lives,
		                         .namer = namer };
}

static void write_as(struct exported *of, export_writer *writer)
{
	FILE *out;

	free(of->bytes);
	of->bytes = NULL;
	out = open_memstream(&of->bytes, &of->size);
	cr_assert(writer(out, &of->from));
	fclose(out);
}

static void write_textfile(struct exported *of, const char *run)
{
	FILE *out;

	free(of->bytes);
	of->bytes = NULL;
	out = open_memstream(&of->bytes, &of->size);
	cr_assert(export_textfile(out, of->ledger, run));
	fclose(out);
}

static void forget(struct exported *of)
{
	free(of->bytes);
	ledger_lives_free(of->lives);
	done(&of->run, of->ledger);
}

static void expect_text(const char *text, const char *golden)
{
	cr_expect(strcmp(text, golden) == 0, "%s", text);
}

static void expect_part(const char *text, const char *part)
{
	cr_expect(strstr(text, part) != NULL, "%s\nin\n%s", part, text);
}

static void expect_no_part(const char *text, const char *part)
{
	cr_expect(strstr(text, part) == NULL, "%s\nin\n%s", part, text);
}

/* ---- the small run ------------------------------------------------------- */

/* A program of two segments and its stack; a heap of 64 MiB, a quarter of its
 * pages committed by a second thread; what is mapped and gone again; 100 ms. */
static void small_run(struct exported *of)
{
	struct run *run = &of->run;

	*of = (struct exported){ .run = run_new() };
	run->thread = 0;
	run_look(run, FILE_LOOK_BOOT, run_line(90000, 33, "rw-", "[stack]"));
	run_fact(run, SPAN(30000, 100), PROT_READ | PROT_EXEC, TRACE_WHAT_FILE);
	run_fact(run, SPAN(30100, 50), RW, TRACE_WHAT_BSS);
	run_fact(run, SPAN(40000, 16), RW, TRACE_WHAT_RING);
	run_call(run, TRACE_BOOTED, 0, 0, 0, 0, 0, 0);
	run_call(run, SYS_arch_prctl, 0, ARCH_SET_FS, 0x1111, 0, 0, 0);
	run->thread = 0x1111;
	run->tsc = 20000000;
	run_sample(run, 40 * PAGE, 10 * PAGE);
	run_memstats(run, 100, NULL);
	STACK(run, SYSMMAP, SYSRESERVE, HSYSALLOC, GROW, SCHEDINIT);
	run_mmap(run, BASE, 64 * MIB, PROT_NONE, ANON);
	run->thread = 0x2222;
	run_call(run, TRACE_THREAD, 0, 43, 0, 0, 0, 0);
	run->tsc = 60000000;
	STACK(run, SYSMMAP, SYSMAP, GROW, MALLOCGC, MAIN);
	run_mmap(run, BASE, 16 * MIB, RW, ANON | MAP_FIXED);
	STACK(run, SYSCALL6, 99, MAIN);
	run_mmap(run, SPAN(50000, 2), RW, ANON);
	run->tsc = 80000000;
	run_munmap(run, SPAN(50000, 2));
	run->tsc = 100000000;
	run_resident(run, BASE, 2 * MIB, 2 * MIB);
	build(of, lines(lines(RW_LINE(0, 4096), NONE_LINE(4096, 12288), ""),
	                run_line(30000, 100, "r-x", "/http"),
	                lines(RW_LINE(30100, 50), RW_LINE(40000, 16),
	                      run_line(90000, 33, "rw-", "[stack]"))));
}

static void small_run_as(struct exported *of, export_writer *writer)
{
	small_run(of);
	write_as(of, writer);
}

/* ---- folded -------------------------------------------------------------- */

static void expect_folded(enum export_metric metric, const char *golden)
{
	struct exported of;

	small_run(&of);
	of.from.metric = metric;
	write_as(&of, export_folded);
	expect_text(of.bytes, golden);
	forget(&of);
}

Test(export_folded, counts_what_is_reserved_and_committed)
{
	expect_folded(EXPORT_SIZE, GOLDEN_FOLDED);
}

Test(export_folded, counts_what_is_asked_for)
{
	expect_folded(EXPORT_RESERVED,
	              "heap;runtime.schedinit;runtime.(*mheap).grow;"
	              "runtime.inlined;runtime.(*mheap).sysAlloc;"
	              "runtime.sysReserveOS;runtime.sysMmap.abi0 50331648\n");
	expect_folded(EXPORT_RESIDENT,
	              "heap;main.handle;runtime.mallocgc;runtime.(*mheap).grow;"
	              "runtime.inlined;runtime.sysMapOS;"
	              "runtime.sysMmap.abi0 2097152\n");
}

Test(export_folded, keeps_lines_and_frames_apart_whatever_names_have)
{
	struct exported of;

	small_run(&of);
	for (size_t i = 0; i < of.lives->count; i++)
		if (strcmp(of.lives->life[i].kind, "text") == 0)
			of.lives->life[i].kind = "a;b\nc\xff";
	write_as(&of, export_folded);
	expect_part(of.bytes, "a:b?c\xef\xbf\xbd;[a:b?c\xef\xbf\xbd] ./http "
	                      "409600\n");
	forget(&of);
}

Test(export_folded, names_a_frame_without_a_name_by_its_file)
{
	const struct file_module module = { .bias = 0x1000,
		                            .start = 0x1000,
		                            .end = 0x9000 };
	struct exported of = { .run = run_new() };

	run_block(&of.run, FILE_MODULE, &module, sizeof(module), "/lib/x.so",
	          10);
	STACK(&of.run, 0x2345, 99);
	run_mmap(&of.run, SPAN(0, 1), RW, ANON);
	build(&of, RW_LINE(0, 1));
	write_as(&of, export_folded);
	expect_part(of.bytes, ";0x63;x.so+0x1345 4096\n");
	forget(&of);
}

/* ---- jsonl, openmetrics -------------------------------------------------- */

Test(export_jsonl, has_a_line_for_each_thing)
{
	struct exported of;

	small_run_as(&of, export_jsonl);
	expect_text(of.bytes, GOLDEN_JSONL);
	forget(&of);
}

Test(export_openmetrics, has_gauges)
{
	struct exported of;

	small_run_as(&of, export_openmetrics);
	expect_text(of.bytes, GOLDEN_OPENMETRICS);
	forget(&of);
}

Test(export_openmetrics, escapes_what_ends_a_value)
{
	struct exported of;

	small_run(&of);
	of.ledger->row[0].kind = "a\"b\\c\nd\xff";
	write_as(&of, export_openmetrics);
	expect_part(of.bytes, "kind=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\",");
	forget(&of);
}

Test(export_openmetrics, has_one_sample_for_names_that_are_one_when_shown)
{
	struct exported of;

	small_run(&of);
	of.ledger->row[0].kind = "a\xff";
	of.ledger->row[1].kind = "a\xfe";
	of.ledger->row[0].owner = of.ledger->row[1].owner = "x";
	write_as(&of, export_openmetrics);
	expect_part(of.bytes, "{program=\"http\",kind=\"a\xef\xbf\xbd\","
	                      "owner=\"x\",state=\"committed\"} 17186816\n");
	forget(&of);
}

Test(export_openmetrics, adds_up_what_is_behind_many_rows)
{
	static char kind[70][4];
	struct ledger_row row[70];
	struct exported of;
	struct ledger_row *rows;
	size_t count;

	small_run(&of);
	for (int i = 0; i < 70; i++) {
		snprintf(kind[i], sizeof(kind[i]), "k%d", i);
		row[i] = (struct ledger_row){ .kind = kind[i],
			                      .owner = "program",
			                      .reserved = 1,
			                      .mappings = 2 };
	}
	rows = of.ledger->row;
	count = of.ledger->row_count;
	of.ledger->row = row;
	of.ledger->row_count = 70;
	write_as(&of, export_openmetrics);
	expect_part(of.bytes, "kind=\"k63\"");
	expect_no_part(of.bytes, "kind=\"k64\"");
	expect_part(of.bytes, "kind=\"other\",owner=\"other\","
	                      "state=\"reserved\"} 6\n");
	expect_part(of.bytes, "kind=\"other\",owner=\"other\"} 12\n");
	of.ledger->row = rows;
	of.ledger->row_count = count;
	forget(&of);
}

/* ---- pprof --------------------------------------------------------------- */

static Perftools__Profiles__Profile *profile_of(const struct exported *of)
{
	static uint8_t bytes[1 << 20];
	z_stream stream = { .next_in = (void *)of->bytes,
		            .avail_in = (uInt)of->size,
		            .next_out = bytes,
		            .avail_out = sizeof(bytes) };
	Perftools__Profiles__Profile *profile;

	cr_assert(eq(int, inflateInit2(&stream, 16 + MAX_WBITS), Z_OK));
	cr_assert(eq(int, inflate(&stream, Z_FINISH), Z_STREAM_END));
	inflateEnd(&stream);
	profile = perftools__profiles__profile__unpack(NULL, stream.total_out,
	                                               bytes);
	cr_assert(profile != NULL);
	return profile;
}

static void print_location(FILE *out, const Perftools__Profiles__Profile *from,
                           uint64_t id)
{
	const Perftools__Profiles__Location *location = from->location[id - 1];

	cr_expect(eq(u64, location->id, id));
	fprintf(out, " [%" PRIu64 " 0x%" PRIx64, location->mapping_id,
	        location->address);
	for (size_t i = 0; i < location->n_line; i++) {
		const Perftools__Profiles__Function *function =
			from->function[location->line[i]->function_id - 1];

		fprintf(out, " %s %s:%" PRIi64 " from %" PRIi64,
		        from->string_table[function->name],
		        from->string_table[function->filename],
		        location->line[i]->line, function->start_line);
	}
	putc(']', out);
}

static void print_sample(FILE *out, const Perftools__Profiles__Profile *from,
                         const Perftools__Profiles__Sample *sample)
{
	for (size_t i = 0; i < sample->n_value; i++)
		fprintf(out, "%" PRIi64 " ", sample->value[i]);
	for (size_t i = 0; i < sample->n_label; i++)
		fprintf(out, "%s=%s ",
		        from->string_table[sample->label[i]->key],
		        from->string_table[sample->label[i]->str]);
	for (size_t i = 0; i < sample->n_location_id; i++)
		print_location(out, from, sample->location_id[i]);
	putc('\n', out);
}

static char *profile_text(const struct exported *of)
{
	Perftools__Profiles__Profile *from = profile_of(of);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < from->n_sample_type; i++)
		fprintf(out, "%s/%s ",
		        from->string_table[from->sample_type[i]->type],
		        from->string_table[from->sample_type[i]->unit]);
	fprintf(out, "default %s\n%" PRIi64 " %" PRIi64 "\n",
	        from->string_table[from->default_sample_type], from->time_nanos,
	        from->duration_nanos);
	for (size_t i = 0; i < from->n_comment; i++)
		fprintf(out, "%s\n", from->string_table[from->comment[i]]);
	for (size_t i = 0; i < from->n_mapping; i++)
		fprintf(out, "%s %s 0x%" PRIx64 "-0x%" PRIx64 " %d\n",
		        from->string_table[from->mapping[i]->filename],
		        from->string_table[from->mapping[i]->build_id],
		        from->mapping[i]->memory_start,
		        from->mapping[i]->memory_limit,
		        from->mapping[i]->has_functions);
	for (size_t i = 0; i < from->n_sample; i++)
		print_sample(out, from, from->sample[i]);
	fclose(out);
	perftools__profiles__profile__free_unpacked(from, NULL);
	return text;
}

static void expect_profile(struct exported *of, const char *golden)
{
	char *text = profile_text(of);

	expect_text(text, golden);
	free(text);
}

Test(export_pprof, has_a_sample_for_each_stack_of_each_row)
{
	struct exported of;

	small_run_as(&of, export_pprof);
	expect_profile(&of, GOLDEN_PPROF);
	forget(&of);
}

Test(export_pprof, counts_each_mapping_once_however_many_have_made_it)
{
	struct exported of = { .run = run_new() };
	char *text;

	STACK(&of.run, SYSMMAP, MAIN);
	run_mmap(&of.run, SPAN(0, 1), RW, ANON);
	STACK(&of.run, SYSCALL6, MAIN);
	run_mmap(&of.run, SPAN(1, 1), RW, ANON);
	build(&of, RW_LINE(0, 2));
	write_as(&of, export_pprof);
	text = profile_text(&of);
	cr_expect(eq(u64, of.ledger->mappings, 1));
	expect_part(text, "\n1 0 4096 0 ");
	expect_part(text, "\n0 0 4096 0 ");
	free(text);
	forget(&of);
}

Test(export_pprof, tells_protections_of_one_stack_apart)
{
	struct exported of = { .run = run_new() };
	char *text;

	STACK(&of.run, MAIN);
	run_mmap(&of.run, SPAN(0, 4), RW, ANON);
	run_mprotect(&of.run, SPAN(0, 1), PROT_READ);
	run_mprotect(&of.run, SPAN(3, 1), PROT_NONE);
	build(&of,
	      lines(run_line(0, 1, "r--", ""), RW_LINE(1, 2), NONE_LINE(3, 1)));
	write_as(&of, export_pprof);
	text = profile_text(&of);
	expect_part(text, "\n1 0 4096 0 kind=mapping owner=program "
	                  "protection=r-- ");
	expect_part(text, "\n1 0 8192 0 kind=mapping owner=program "
	                  "protection=rw- ");
	expect_part(text, "\n1 4096 0 0 kind=mapping owner=program "
	                  "protection=--- ");
	free(text);
	forget(&of);
}

Test(export_pprof, shows_committed_when_nothing_is_reserved)
{
	struct exported of = { .run = run_new() };
	char *text;

	run_mmap(&of.run, SPAN(0, 1), RW, ANON);
	build(&of, RW_LINE(0, 1));
	write_as(&of, export_pprof);
	text = profile_text(&of);
	expect_part(text, "default committed\n");
	free(text);
	forget(&of);
}

/* A thread's key is another thread's when it has ended. */
Test(export_pprof, knows_threads_by_their_keys_at_the_time)
{
	struct exported of = { .run = run_new() };
	char *text;

	for (uint64_t i = 0; i < 2; i++) {
		of.run.thread = 0x2222;
		run_call(&of.run, TRACE_THREAD, 0, 43 + i, 0, 0, 0, 0);
		STACK(&of.run, MAIN);
		run_mmap(&of.run, SPAN(2 * i, 1), RW, ANON);
	}
	of.run.thread = 1ull << 63 | 45;
	STACK(&of.run, MAIN);
	run_mmap(&of.run, SPAN(4, 1), RW, ANON);
	of.run.thread = 0x3333;
	STACK(&of.run, MAIN);
	run_mmap(&of.run, SPAN(6, 1), RW, ANON);
	build(&of, lines(RW_LINE(0, 1), RW_LINE(2, 1),
	                 lines(RW_LINE(4, 1), RW_LINE(6, 1), "")));
	write_as(&of, export_pprof);
	text = profile_text(&of);
	expect_part(text, "thread=43 ");
	expect_part(text, "thread=44 ");
	expect_part(text, "thread=45 ");
	expect_part(text, "protection=rw-  [");
	free(text);
	forget(&of);
}

/* ---- perfetto ------------------------------------------------------------ */

static Perfetto__Protos__Trace *trace_of(const struct exported *of)
{
	Perfetto__Protos__Trace *trace = perfetto__protos__trace__unpack(
		NULL, of->size, (const uint8_t *)of->bytes);

	cr_assert(trace != NULL);
	return trace;
}

struct names {
	const char *name[512];  /* by number */
	const char *track[512]; /* by uuid, less that of the process */
	uint64_t process;
};

static void print_track(FILE *out, struct names *names,
                        const Perfetto__Protos__TrackDescriptor *track)
{
	if (track->process) {
		names->process = track->uuid;
		names->track[0] = "process";
		fprintf(out, "process %d %s", track->process->pid,
		        track->process->process_name);
		for (size_t i = 0; i < track->process->n_cmdline; i++)
			fprintf(out, " <%s>", track->process->cmdline[i]);
		putc('\n', out);
		return;
	}
	cr_assert(lt(u64, track->uuid - names->process, 512));
	cr_expect(eq(u64, track->parent_uuid, names->process));
	names->track[track->uuid - names->process] =
		track->thread ? track->thread->thread_name : track->name;
	fprintf(out, "%s %s\n",
	        track->thread    ? "thread"
	        : track->counter ? "counter"
	                         : "track",
	        track->thread ? track->thread->thread_name : track->name);
}

static void print_event(FILE *out, const struct names *names, uint64_t t,
                        const Perfetto__Protos__TrackEvent *event)
{
	static const char *const types[] = { "", "begin", "end", "at",
		                             "count" };
	const char *track = names->track[event->track_uuid - names->process];

	fprintf(out, "%" PRIu64 " %s %s", t, track, types[event->type]);
	if (event->has_name_iid)
		fprintf(out, " %s", names->name[event->name_iid]);
	if (event->has_counter_value)
		fprintf(out, " %" PRIi64, event->counter_value);
	if (event->n_debug_annotations > 0)
		fprintf(out, " (%zu)", event->n_debug_annotations);
	putc('\n', out);
}

static char *trace_text(const struct exported *of)
{
	Perfetto__Protos__Trace *trace = trace_of(of);
	struct names names = { 0 };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < trace->n_packet; i++) {
		const Perfetto__Protos__TracePacket *packet = trace->packet[i];
		const Perfetto__Protos__InternedData *interned =
			packet->interned_data;

		cr_expect(eq(uint, packet->trusted_packet_sequence_id, 1));
		for (size_t j = 0; interned && j < interned->n_event_names; j++)
			names.name[interned->event_names[j]->iid] =
				interned->event_names[j]->name;
		if (packet->clock_snapshot)
			fprintf(out, "clock %" PRIu64 " is %" PRIu64 "\n",
			        packet->clock_snapshot->clocks[0]->timestamp,
			        packet->clock_snapshot->clocks[1]->timestamp);
		if (packet->track_descriptor)
			print_track(out, &names, packet->track_descriptor);
		if (packet->track_event)
			print_event(out, &names, packet->timestamp,
			            packet->track_event);
	}
	fclose(out);
	perfetto__protos__trace__free_unpacked(trace, NULL);
	return text;
}

Test(export_perfetto, has_counters_lives_and_calls)
{
	struct exported of;
	char *text;

	small_run_as(&of, export_perfetto);
	text = trace_text(&of);
	expect_text(text, GOLDEN_PERFETTO);
	free(text);
	forget(&of);
}

Test(export_perfetto, has_resident_bytes_of_rows_where_shots_were_taken)
{
	uint64_t moment[2] = { 10, 20 }, resident[5][2] = { { 7, 8 } };
	struct ledger_row kept[5];
	uint64_t *kept_moment;
	struct exported of;
	char *text;

	small_run(&of);
	kept_moment = of.ledger->moment;
	of.ledger->moment = moment;
	of.ledger->moment_count = 2;
	for (size_t i = 0; i < of.ledger->row_count; i++) {
		kept[i] = of.ledger->row[i];
		of.ledger->row[i].resident_at = resident[i];
	}
	write_as(&of, export_perfetto);
	text = trace_text(&of);
	expect_part(text, "counter resident, heap, Go runtime\n"
	                  "1010 resident, heap, Go runtime count 7\n"
	                  "1020 resident, heap, Go runtime count 8\n");
	free(text);
	of.ledger->moment = kept_moment;
	for (size_t i = 0; i < of.ledger->row_count; i++)
		of.ledger->row[i] = kept[i];
	forget(&of);
}

/* Lives of one row: the second begins when the first ends, the third while the
 * second lasts. */
Test(export_perfetto, puts_lives_that_overlap_on_tracks_of_their_own)
{
	struct exported of = { .run = run_new() };
	char *text, *at;
	int tracks = 0;

	run_mmap(&of.run, SPAN(0, 1), RW, ANON);
	run_munmap(&of.run, SPAN(0, 1));
	run_mmap(&of.run, SPAN(0, 1), RW, ANON);
	run_mmap(&of.run, SPAN(4, 1), RW, ANON);
	build(&of, lines(RW_LINE(0, 1), RW_LINE(4, 1), ""));
	write_as(&of, export_perfetto);
	text = trace_text(&of);
	for (at = text; (at = strstr(at, "\ntrack ")); at++)
		tracks++;
	cr_expect(eq(int, tracks, 2), "%s", text);
	free(text);
	forget(&of);
}

/* ---- sqlite -------------------------------------------------------------- */

static int add_line(void *context, int columns, char **text, char **names)
{
	(void)names;
	for (int i = 0; i < columns; i++)
		fprintf(context, "%s%s", i ? "|" : "", text[i] ? text[i] : "-");
	putc('\n', context);
	return 0;
}

static void expect_rows(struct exported *of, const char *sql,
                        const char *golden)
{
	sqlite3 *database;
	char *text = NULL, *error = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert(eq(int, sqlite3_open(":memory:", &database), SQLITE_OK));
	cr_assert(eq(int,
	             sqlite3_deserialize(database, "main",
	                                 (unsigned char *)of->bytes, of->size,
	                                 of->size, SQLITE_DESERIALIZE_READONLY),
	             SQLITE_OK));
	sqlite3_exec(database, sql, add_line, out, &error);
	fclose(out);
	cr_expect(error == NULL, "%s", error);
	expect_text(text, golden);
	sqlite3_close(database);
	free(text);
}

Test(export_sqlite, has_tables_and_views)
{
	struct exported of;

	small_run_as(&of, export_sqlite);
	expect_rows(&of, "PRAGMA integrity_check", "ok\n");
	expect_rows(&of, "SELECT * FROM run", GOLDEN_SQLITE_RUN);
	expect_rows(&of, "SELECT * FROM ledger", GOLDEN_SQLITE_LEDGER);
	expect_rows(&of, "SELECT * FROM timeline", GOLDEN_SQLITE_TIMELINE);
	expect_rows(&of, "SELECT * FROM who", GOLDEN_SQLITE_WHO);
	expect_rows(&of, "SELECT * FROM mapping", GOLDEN_SQLITE_MAPPING);
	expect_rows(&of, "SELECT * FROM event", GOLDEN_SQLITE_EVENT);
	expect_rows(&of, "SELECT * FROM stack", GOLDEN_SQLITE_STACK);
	expect_rows(&of, "SELECT * FROM frame", GOLDEN_SQLITE_FRAME);
	expect_rows(&of, "SELECT * FROM sample", "19999000|0|163840|40960\n");
	expect_rows(&of, "SELECT t, sys, heap_inuse FROM memstats",
	            "19999000|200|100\n");
	forget(&of);
}

Test(export_sqlite, is_of_the_same_bytes_each_time)
{
	struct exported of;
	char *first;
	size_t size;

	small_run_as(&of, export_sqlite);
	first = of.bytes;
	size = of.size;
	of.bytes = NULL;
	write_as(&of, export_sqlite);
	cr_expect(eq(sz, of.size, size));
	cr_expect(memcmp(first, of.bytes, size) == 0);
	free(first);
	forget(&of);
}

/* ---- text files ---------------------------------------------------------- */

/* The lines of the golden text, as they are in a text file called `blue`. */
static char *as_textfile(const char *golden)
{
	static const char program[] = "{program=\"http\"";
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (const char *end; *golden; golden = end + 1) {
		const char *at = strstr(golden, program);

		end = strchr(golden, '\n');
		if (strncmp(golden, "# UNIT", 6) == 0 ||
		    strncmp(golden, "# EOF", 5) == 0)
			continue;
		if (at && at < end) {
			at += strlen(program);
			fprintf(out, "%.*s,run=\"blue\"", (int)(at - golden),
			        golden);
			golden = at;
		}
		fprintf(out, "%.*s", (int)(end + 1 - golden), golden);
	}
	fclose(out);
	return text;
}

Test(export_textfile, has_the_same_gauges_each_with_its_run)
{
	struct exported of;
	char *golden = as_textfile(GOLDEN_OPENMETRICS);

	small_run(&of);
	write_textfile(&of, "blue");
	expect_text(of.bytes, golden);
	free(golden);
	forget(&of);
}

/* The rows become words that only this run has, in that order. */
static void give_words(struct ledger *ledger, const char *const *words,
                       const char *const *owners, size_t count)
{
	ledger->word = realloc(ledger->word, (ledger->word_count + count) *
	                                             sizeof(*ledger->word));
	for (size_t i = 0; i < count; i++) {
		char *word = strdup(words[i]);

		ledger->word[ledger->word_count++] = word;
		ledger->row[i].kind = word;
		ledger->row[i].owner = owners[i];
		ledger->row[i].reserved = 0;
		ledger->row[i].committed = 1000 + i;
	}
}

Test(export_textfile, has_no_names_of_files_or_of_the_program_for_its_mappings)
{
	static const char *const words[] = { "libz.so.1 text", "libz.so.1 data",
		                             "file /a.db", "my cache" };
	static const char *const owners[] = { "library", "library", "program",
		                              "program" };
	struct exported of;

	small_run(&of);
	give_words(of.ledger, words, owners, 4);
	write_textfile(&of, "blue");
	expect_part(of.bytes, "kind=\"shared library\",owner=\"library\","
	                      "state=\"committed\"} 2001\n");
	expect_part(of.bytes, "kind=\"file mapping\",owner=\"program\","
	                      "state=\"committed\"} 1002\n");
	expect_part(of.bytes, "kind=\"named mapping\",owner=\"program\","
	                      "state=\"committed\"} 1003\n");
	for (size_t i = 0; i < 4; i++)
		expect_no_part(of.bytes, words[i]);
	forget(&of);
}

Test(export_textfile, tells_what_only_a_newer_go_knows_as_go_s)
{
	static const char *const words[] = { "quantum index",
		                             "libc.so.6 text" };
	static const char *const owners[] = { "Go runtime", "libc" };
	struct exported of;

	small_run(&of);
	give_words(of.ledger, words, owners, 2);
	write_textfile(&of, "blue");
	expect_part(of.bytes, "kind=\"Go runtime, other\",owner=\"Go runtime\""
	                      ",state=\"committed\"} 1000\n");
	expect_part(of.bytes, "kind=\"shared library\",owner=\"libc\","
	                      "state=\"committed\"} 1001\n");
	forget(&of);
}

Test(export_textfile, tells_death_by_a_signal_from_an_exit)
{
	struct exported of;
	struct file_end end;

	small_run(&of);
	end = *of.ledger->run->end;
	end.kind = FILE_END_SIGNALED;
	end.value = 9;
	((struct ledger_run *)of.ledger->run)->end = &end;
	write_textfile(&of, "blue");
	expect_part(of.bytes, "goload_run_signal{program=\"http\","
	                      "run=\"blue\"} 9\n");
	expect_no_part(of.bytes, "goload_run_exit_status");
	end.kind = FILE_END_UNKNOWN;
	write_textfile(&of, "blue");
	expect_no_part(of.bytes, "goload_run_signal");
	forget(&of);
}
