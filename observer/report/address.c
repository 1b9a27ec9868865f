/*
 * All that is known of one address: what is there at a moment, who made it, and
 * what was there before and behind.
 */
#include "observer/report/map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define THREAD_ID (1ull << 63) /* trace_event.thread is the thread's ID */

struct answer {
	const struct map *map;
	uint64_t address;
	const struct map_line *line;          /* NULL: nothing is there, but */
	const struct map_line *below, *above; /* or NULL */
	const struct ledger_life *life;       /* of `line`, or NULL */
	const struct ledger_frame *frame;     /* of who made it */
	size_t frame_count;
	uint64_t thread; /* ID; 0: not known */
};

/* ---- finding ------------------------------------------------------------ */

static int holds(const struct ledger_life *life, uint64_t address)
{
	return life->start <= address && address < life->end;
}

/* Each thread but the first tells its ID when it begins. */
static uint64_t thread_of(const struct ledger *ledger,
                          const struct ledger_event *event)
{
	uint64_t thread = event->event->thread;

	if (thread & THREAD_ID)
		return thread & ~THREAD_ID;
	for (const struct ledger_event *at = event; at >= ledger->run->event;
	     at--)
		if (at->event->call == TRACE_THREAD &&
		    at->event->thread == thread)
			return at->event->args[0];
	return ledger->lost ? 0 : ledger->run->program->pid;
}

static int is_call(const struct ledger_event *event)
{
	return event && event->event->call < TRACE_FACT;
}

static void find(struct answer *answer, struct ledger_frames *frames)
{
	const struct map *map = answer->map;

	for (size_t i = 0; i < map->count; i++) {
		const struct map_line *line = &map->line[i];

		if (line->end <= answer->address)
			answer->below = line;
		else if (line->start <= answer->address)
			answer->line = line;
		else if (!answer->above)
			answer->above = line;
	}
	if (answer->line)
		answer->life = answer->line->life;
	if (!answer->life || !is_call(answer->life->event))
		return;
	answer->frame_count =
		ledger_frames_of(frames, answer->life->event, &answer->frame);
	answer->thread = thread_of(map->ledger, answer->life->event);
}

/* When the call returned that made it. */
static uint64_t made_at(const struct answer *answer)
{
	const struct trace_event *event = answer->life->event->event;

	return ledger_time(answer->map->ledger->run,
	                   event->tsc_after ? event->tsc_after : event->tsc);
}

static const char *call_of(const struct ledger_life *life)
{
	static const struct {
		uint32_t call;
		const char *name;
	} names[] = {
		{ SYS_mmap, "mmap" },         { SYS_mremap, "mremap" },
		{ SYS_brk, "brk" },           { SYS_shmat, "shmat" },
		{ SYS_munmap, "munmap" },     { SYS_mprotect, "mprotect" },
		{ SYS_io_setup, "io_setup" },
	};

	if (strcmp(life->owner, "goload") == 0)
		return "goload";
	if (!life->event)
		return "the kernel";
	if (!is_call(life->event))
		return "execve";
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].call == life->event->event->call)
			return names[i].name;
	return "another call";
}

/* ---- the screen --------------------------------------------------------- */

static void print_maker(const struct screen *screen,
                        const struct answer *answer)
{
	FILE *out = screen->out;
	char text[UNITS_TEXT];

	fprintf(out, "  made by %s", call_of(answer->life));
	if (answer->life->event)
		fprintf(out, " at %s", units_time(text, made_at(answer)));
	if (answer->thread)
		fprintf(out, ", thread %" PRIu64, answer->thread);
	putc('\n', out);
	for (size_t i = 0; i < answer->frame_count; i++)
		why_print_frame(out, &answer->frame[i]);
	if (is_call(answer->life->event) &&
	    answer->life->event->event->flags & TRACE_CUT)
		fputs("      ... (the stack was cut here)\n", out);
	putc('\n', out);
}

/* The lives of the address, the one of the moment with a star. */
static void print_history(const struct screen *screen,
                          const struct answer *answer)
{
	const struct ledger_lives *lives = answer->map->lives;
	FILE *out = screen->out;
	char text[UNITS_TEXT], perms[MAP_PERMS];

	for (size_t i = 0; i < lives->count; i++) {
		const struct ledger_life *life = &lives->life[i];

		if (!holds(life, answer->address))
			continue;
		fprintf(out, "%s from %9s", life == answer->life ? "*" : " ",
		        units_time(text, life->from));
		fprintf(out, " until %9s  ",
		        life->last ? "the end" : units_time(text, life->until));
		map_print_place(out, life->start, life->end,
		                map_perms(perms, life), map_offset(life));
		fputs("  ", out);
		units_print(out, life->kind);
		fprintf(out, ", %s\n", life->owner);
	}
}

static void print_line(const struct screen *screen, const struct map_line *line)
{
	char perms[MAP_PERMS];

	map_print_place(screen->out, line->start, line->end,
	                map_perms(perms, line->life), line->offset);
	map_print_sizes(screen, line->end - line->start, line->known,
	                line->resident);
	fputs("   ", screen->out);
	if (!line->life) {
		fputs("unexplained\n", screen->out);
		return;
	}
	units_print(screen->out, line->life->kind);
	fprintf(screen->out, ", %s", line->life->owner);
	if (map_path(line->life)) {
		fputs("  ", screen->out);
		units_print(screen->out, map_path(line->life));
	}
	putc('\n', screen->out);
}

static void print_answer(const struct screen *screen,
                         const struct answer *answer)
{
	char text[UNITS_TEXT];
	FILE *out = screen->out;

	fprintf(out, "0x%" PRIx64 " %s %s", answer->address,
	        answer->map->last ? "at the end," : "at",
	        units_time(text, answer->map->t));
	fputs(answer->line ? ":\n\n"
	                   : ": nothing is mapped there; its neighbours:\n\n",
	      out);
	if (answer->line) {
		print_line(screen, answer->line);
	} else {
		if (answer->below)
			print_line(screen, answer->below);
		if (answer->above)
			print_line(screen, answer->above);
	}
	putc('\n', out);
	if (answer->life)
		print_maker(screen, answer);
	print_history(screen, answer);
}

/* ---- the document ------------------------------------------------------- */

static void json_maker(FILE *out, const struct answer *answer)
{
	const struct ledger_event *event = answer->life->event;

	fputs(",\n  \"maker\": {\"call\": ", out);
	report_json_string(out, call_of(answer->life));
	fputs(", \"made\": ", out);
	if (event)
		fprintf(out, "%" PRIu64, made_at(answer));
	else
		fputs("null", out);
	fputs(", \"thread\": ", out);
	if (answer->thread)
		fprintf(out, "%" PRIu64, answer->thread);
	else
		fputs("null", out);
	fprintf(out, ", \"cut\": %s,\n    \"frames\": [",
	        is_call(event) && event->event->flags & TRACE_CUT ? "true"
	                                                          : "false");
	for (size_t i = 0; i < answer->frame_count; i++) {
		const struct ledger_frame *frame = &answer->frame[i];

		fputs(i ? ",\n      {" : "\n      {", out);
		map_json_place(out, &frame->place, frame->address);
		fprintf(out, ", \"inlined\": %s}",
		        frame->inlined ? "true" : "false");
	}
	fputs("]}", out);
}

static void json_line(FILE *out, const char *key, const struct map_line *line)
{
	fprintf(out, ",\n  \"%s\": ", key);
	if (!line) {
		fputs("null", out);
		return;
	}
	putc('{', out);
	map_json_line(out, line);
	putc('}', out);
}

static void json_history(FILE *out, const struct answer *answer)
{
	const struct ledger_lives *lives = answer->map->lives;
	const char *comma = "";

	fputs(",\n  \"lives\": [", out);
	for (size_t i = 0; i < lives->count; i++) {
		const struct ledger_life *life = &lives->life[i];
		char perms[MAP_PERMS];

		if (!holds(life, answer->address))
			continue;
		fprintf(out,
		        "%s\n    {\"start\": \"0x%" PRIx64
		        "\", \"end\": \"0x%" PRIx64
		        "\", \"perms\": \"%s\", \"from\": %" PRIu64
		        ", \"until\": ",
		        comma, life->start, life->end, map_perms(perms, life),
		        life->from);
		if (life->last)
			fputs("null", out);
		else
			fprintf(out, "%" PRIu64, life->until);
		fputs(", \"kind\": ", out);
		report_json_string(out, life->kind);
		fputs(", \"owner\": ", out);
		report_json_string(out, life->owner);
		putc('}', out);
		comma = ",";
	}
	fputs("]", out);
}

static void json_answer(FILE *out, const struct answer *answer)
{
	map_json_run(out, answer->map->ledger);
	fprintf(out, "  \"at\": %" PRIu64 ",\n  \"address\": \"0x%" PRIx64 "\"",
	        answer->map->t, answer->address);
	json_line(out, "mapping", answer->line);
	if (answer->life)
		json_maker(out, answer);
	else
		fputs(",\n  \"maker\": null", out);
	json_line(out, "below", answer->below);
	json_line(out, "above", answer->above);
	json_history(out, answer);
	fputs("\n}\n", out);
}

/* ---- the whole ---------------------------------------------------------- */

int report_address(FILE *out, const struct ledger *ledger,
                   const struct ledger_lives *lives,
                   struct ledger_frames *frames, uint64_t t, uint64_t address,
                   const struct report_style *style)
{
	const struct screen screen = { .out = out, .style = style };
	struct map map;
	struct answer answer = { .map = &map, .address = address };
	int done = map_open(&map, ledger, lives, t, 0);

	if (done) {
		find(&answer, frames);
		if (style)
			print_answer(&screen, &answer);
		else
			json_answer(out, &answer);
	}
	map_close(&map);
	return done;
}
