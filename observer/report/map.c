/*
 * The address space at one moment, as /proc/PID/maps has it, with what each
 * mapping is and who made it; and all that is known of one address.
 */
#include "observer/report/map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- the moment --------------------------------------------------------- */

int map_is_alive(const struct ledger_life *life, uint64_t t)
{
	return life->from <= t && (t < life->until || life->last);
}

/* What stands in the column for offsets: anonymous memory has none. */
static int has_offset(const struct ledger_life *life)
{
	return !(life->flags & MAP_ANONYMOUS) || life->flags & MAP_SHARED;
}

uint64_t map_offset(const struct ledger_life *life)
{
	return has_offset(life) ? life->offset : 0;
}

const char *map_path(const struct ledger_life *life)
{
	static const struct {
		const char *kind, *name;
	} names[] = {
		{ "stack", "[stack]" },
		{ "aio ring", "/[aio] (deleted)" },
		{ "uprobes", "[uprobes]" },
	};

	if (life->path)
		return life->path;
	if (strcmp(life->kind, "brk heap") == 0)
		return "[heap]";
	if (strcmp(life->owner, "kernel") != 0)
		return NULL;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(life->kind, names[i].kind) == 0)
			return names[i].name;
	if (strcmp(life->kind, "vDSO, vvar") == 0)
		return life->prot & PROT_EXEC ? "[vdso]" : "[vvar]";
	return NULL;
}

static int by_start(const void *left, const void *right)
{
	const struct map_line *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

static void add_line(struct map *map, const struct ledger_life *life)
{
	map->line[map->count++] = (struct map_line){
		.start = life->start,
		.end = life->end,
		.offset = map_offset(life),
		.from = life->from,
		.life = life,
		.resident = map->last ? life->resident : 0,
		.known = map->known && (map->last || life->from <= map->seen),
	};
}

/* The last look's, or the shot before the moment. */
static const struct ledger_shot *find_resident(struct map *map)
{
	const struct ledger_run *run = map->ledger->run;
	const struct ledger_shot *shot = NULL;

	if (map->last && run->resident_count > 0) {
		map->known = 1;
		map->seen = map->t;
		return NULL;
	}
	for (size_t i = 0; i < run->shot_count; i++) {
		uint64_t t = ledger_time(run, run->shot[i].tsc);

		if (t > map->t)
			break;
		shot = &run->shot[i];
		map->known = 1;
		map->seen = t;
	}
	return shot;
}

/* Of `bytes` in a range of `size`, those before `at`. */
static uint64_t share(uint64_t bytes, uint64_t size, uint64_t at)
{
	return (uint64_t)((unsigned __int128)bytes * at / size);
}

static uint64_t lower(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void spread(struct map *map, const struct ledger_shot *shot)
{
	size_t first = 0;

	for (size_t i = 0; i < shot->count; i++) {
		const struct file_resident *range = &shot->range[i];
		uint64_t size = range->end - range->start;

		if (range->start >= range->end)
			continue;
		while (first < map->count &&
		       map->line[first].end <= range->start)
			first++;
		for (size_t k = first; k < map->count; k++) {
			struct map_line *line = &map->line[k];
			uint64_t from = line->start > range->start
			                        ? line->start - range->start
			                        : 0;

			if (line->start >= range->end)
				break;
			if (line->known)
				line->resident +=
					share(range->bytes, size,
				              lower(line->end - range->start,
				                    size)) -
					share(range->bytes, size, from);
		}
	}
}

static int same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static int same_site(const struct ledger_site *a, const struct ledger_site *b)
{
	return same_text(a->place.function, b->place.function) &&
	       same_text(a->place.file, b->place.file) &&
	       a->place.line == b->place.line && a->at_start == b->at_start &&
	       (a->place.function || a->address == b->address);
}

static int joins(const struct map_line *a, const struct map_line *b)
{
	const struct ledger_life *x = a->life, *y = b->life;

	return a->end == b->start && a->known == b->known && x && y &&
	       x->prot == y->prot &&
	       ((x->flags ^ y->flags) & (MAP_SHARED | MAP_ANONYMOUS)) == 0 &&
	       strcmp(x->kind, y->kind) == 0 &&
	       strcmp(x->owner, y->owner) == 0 &&
	       same_text(map_path(x), map_path(y)) &&
	       (!has_offset(x) ||
	        a->offset + (a->end - a->start) == b->offset) &&
	       same_site(&x->site, &y->site);
}

static void join(struct map *map)
{
	size_t kept = 0;

	for (size_t i = 1; i < map->count; i++) {
		struct map_line *last = &map->line[kept];
		const struct map_line *line = &map->line[i];

		if (!joins(last, line)) {
			map->line[++kept] = *line;
			continue;
		}
		last->end = line->end;
		last->resident += line->resident;
		last->from = lower(last->from, line->from);
	}
	if (map->count > 0)
		map->count = kept + 1;
}

static void sum_up(struct map *map)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct map_line *line = &map->line[i];

		map->size += line->end - line->start;
		map->resident += line->resident;
	}
}

/* What only the kernel's last map has is no life. */
static void add_unexplained(struct map *map)
{
	const struct ledger *ledger = map->ledger;

	for (size_t i = 0; map->last && i < ledger->range_count; i++)
		if (!ledger->range[i].phantom)
			map->line[map->count++] = (struct map_line){
				.start = ledger->range[i].start,
				.end = ledger->range[i].end,
				.from = map->t,
			};
}

int map_open(struct map *map, const struct ledger *ledger,
             const struct ledger_lives *lives, uint64_t t, int joined)
{
	const struct ledger_shot *shot;
	size_t room = ledger->range_count + 1;

	*map = (struct map){ .ledger = ledger, .lives = lives, .t = t };
	map->last = t >= ledger->duration;
	for (size_t i = 0; i < lives->count; i++)
		room += map_is_alive(&lives->life[i], t);
	map->line = calloc(room, sizeof(*map->line));
	if (!map->line)
		return 0;
	shot = find_resident(map);
	for (size_t i = 0; i < lives->count; i++)
		if (map_is_alive(&lives->life[i], t))
			add_line(map, &lives->life[i]);
	add_unexplained(map);
	qsort(map->line, map->count, sizeof(*map->line), by_start);
	if (shot)
		spread(map, shot);
	if (joined)
		join(map);
	sum_up(map);
	return 1;
}

void map_close(struct map *map)
{
	free(map->line);
}

/* ---- a line's parts ------------------------------------------------------ */

const char *map_perms(char text[static MAP_PERMS],
                      const struct ledger_life *life)
{
	if (!life)
		return "????";
	text[0] = life->prot & PROT_READ ? 'r' : '-';
	text[1] = life->prot & PROT_WRITE ? 'w' : '-';
	text[2] = life->prot & PROT_EXEC ? 'x' : '-';
	text[3] = life->flags & MAP_SHARED ? 's' : 'p';
	text[4] = 0;
	return text;
}

void map_print_site(FILE *out, const struct ledger_site *site)
{
	const struct ledger_place *place = &site->place;

	if (place->function)
		units_print(out, place->function);
	else
		fprintf(out, "0x%" PRIx64, site->address);
	if (place->file && place->line > 0) {
		putc(' ', out);
		units_print(out, units_base_name(place->file));
		fprintf(out, ":%d", place->line);
	}
	if (site->at_start)
		fputs(", at start", out);
}

/* ---- the screen --------------------------------------------------------- */

/* "7f12c0000000-7f12c0021000 rw-p 00000000", as in /proc/PID/maps */
void map_print_place(FILE *out, uint64_t start, uint64_t end, const char *perms,
                     uint64_t offset)
{
	char range[48], text[64];

	snprintf(range, sizeof(range), "%08" PRIx64 "-%08" PRIx64, start, end);
	snprintf(text, sizeof(text), "%-25s %s %08" PRIx64, range, perms,
	         offset);
	fprintf(out, "%-*s", MAP_PLACE, text);
}

void map_print_sizes(const struct screen *screen, uint64_t size, int known,
                     uint64_t resident)
{
	int cell = report_cell_width(screen->style);
	char text[UNITS_TEXT];

	fprintf(screen->out, "%*s", cell,
	        report_cell(screen->style, text, size, 1));
	fprintf(screen->out, "%*s", cell,
	        known ? report_cell(screen->style, text, resident, 1) : "?");
}

void map_print_remark(const struct screen *screen, const char *text)
{
	int room = screen->style->width - MAP_PLACE -
	           2 * report_cell_width(screen->style) - 3;

	fputs("   ", screen->out);
	table_print_cut(screen->out, text, room > 8 ? room : 4096,
	                screen->style->ascii);
	putc('\n', screen->out);
}

void map_print_heads(const struct screen *screen, const char *remark)
{
	int cell = report_cell_width(screen->style);

	screen_colour(screen, "2");
	fprintf(screen->out, "%-30s %-*s%*s%*s   %s", "address", MAP_PLACE - 31,
	        "offset", cell, "size", cell, "resident", remark);
	screen_colour(screen, "0");
	putc('\n', screen->out);
}

/* Kind and owner, who made it, of which file: what there is. */
static void write_remark(FILE *out, const struct ledger_life *life)
{
	if (!life) {
		fputs("unexplained", out);
		return;
	}
	fprintf(out, "%s, %s", life->kind, life->owner);
	if (life->site.address) {
		fputs("  ", out);
		map_print_site(out, &life->site);
	}
	if (map_path(life))
		fprintf(out, "  %s", map_path(life));
}

static void print_line(const struct screen *screen, const struct map_line *line)
{
	char *text = NULL, perms[MAP_PERMS];
	size_t size;
	FILE *words = open_memstream(&text, &size);

	map_print_place(screen->out, line->start, line->end,
	                map_perms(perms, line->life), line->offset);
	map_print_sizes(screen, line->end - line->start, line->known,
	                line->resident);
	if (!words)
		return;
	write_remark(words, line->life);
	if (fclose(words) == 0)
		map_print_remark(screen, text);
	free(text);
}

/* "./http at 1.21 s of 4.21 s: VmSize 1,224.1 MiB, 5.1 MiB resident" */
static void print_headline(const struct screen *screen, const struct map *map)
{
	FILE *out = screen->out;
	char text[UNITS_TEXT];

	screen_colour(screen, "1");
	units_print(out, map->ledger->run->path);
	screen_colour(screen, "0");
	if (map->last)
		fputs(" at the end, ", out);
	else
		fprintf(out, " at %s of ", units_time(text, map->t));
	fputs(units_time(text, map->ledger->duration), out);
	fprintf(out, ": VmSize %s",
	        report_cell(screen->style, text, map->size, 0));
	if (!map->known) {
		fputs("; resident: not known at that moment\n\n", out);
		return;
	}
	fprintf(out, ", %s resident",
	        report_cell(screen->style, text, map->resident, 0));
	if (map->seen != map->t)
		fprintf(out, " when last seen, at %s",
		        units_time(text, map->seen));
	fputs("\n\n", out);
}

static void print_map(const struct screen *screen, const struct map *map)
{
	print_headline(screen, map);
	map_print_heads(screen, "what, whose; by whom; which file");
	for (size_t i = 0; i < map->count; i++)
		print_line(screen, &map->line[i]);
}

/* ---- the document ------------------------------------------------------- */

void map_json_text(FILE *out, const char *text)
{
	if (text)
		report_json_string(out, text);
	else
		fputs("null", out);
}

void map_json_place(FILE *out, const struct ledger_place *place,
                    uint64_t address)
{
	fputs("\"function\": ", out);
	map_json_text(out, place->function);
	fputs(", \"file\": ", out);
	map_json_text(out, place->file);
	if (place->line > 0)
		fprintf(out, ", \"line\": %d", place->line);
	else
		fputs(", \"line\": null", out);
	fprintf(out, ", \"address\": \"0x%" PRIx64 "\"", address);
}

static void json_site(FILE *out, const struct ledger_site *site)
{
	if (!site->address) {
		fputs(", \"site\": null", out);
		return;
	}
	fputs(", \"site\": {", out);
	map_json_place(out, &site->place, site->address);
	fprintf(out, ", \"at_start\": %s}", site->at_start ? "true" : "false");
}

void map_json_line(FILE *out, const struct map_line *line)
{
	static const struct ledger_life none = { .kind = "unexplained" };
	const struct ledger_life *life = line->life ? line->life : &none;
	char perms[MAP_PERMS];

	fprintf(out,
	        "\"start\": \"0x%" PRIx64 "\", \"end\": \"0x%" PRIx64
	        "\", \"perms\": \"%s\", \"offset\": \"0x%" PRIx64
	        "\", \"size\": %" PRIu64,
	        line->start, line->end, map_perms(perms, line->life),
	        line->offset, line->end - line->start);
	if (line->known)
		fprintf(out, ", \"resident\": %" PRIu64, line->resident);
	else
		fputs(", \"resident\": null", out);
	fprintf(out, ", \"from\": %" PRIu64 ", \"kind\": ", line->from);
	map_json_text(out, life->kind);
	fputs(", \"owner\": ", out);
	map_json_text(out, life->owner);
	fputs(", \"path\": ", out);
	map_json_text(out, line->life ? map_path(life) : NULL);
	json_site(out, &life->site);
}

void map_json_run(FILE *out, const struct ledger *ledger)
{
	fputs("{\n  \"schema\": \"goload/1\",\n  \"run\": {\"path\": ", out);
	report_json_string(out, ledger->run->path);
	fprintf(out,
	        ", \"pid\": %" PRIu32 ", \"started\": %" PRIu64
	        ", \"duration\": %" PRIu64 "},\n",
	        ledger->run->program->pid, ledger->run->program->started,
	        ledger->duration);
}

static void json_number(FILE *out, int known, uint64_t number)
{
	if (known)
		fprintf(out, "%" PRIu64, number);
	else
		fputs("null", out);
}

static void json_map(FILE *out, const struct map *map)
{
	map_json_run(out, map->ledger);
	fprintf(out,
	        "  \"at\": %" PRIu64 ",\n  \"totals\": {\"vm_size\": %" PRIu64
	        ", \"resident\": ",
	        map->t, map->size);
	json_number(out, map->known, map->resident);
	fputs(", \"resident_at\": ", out);
	json_number(out, map->known, map->seen);
	fputs("},\n  \"mappings\": [", out);
	for (size_t i = 0; i < map->count; i++) {
		fputs(i ? ",\n    {" : "\n    {", out);
		map_json_line(out, &map->line[i]);
		putc('}', out);
	}
	fputs("\n  ]\n}\n", out);
}

int report_map(FILE *out, const struct ledger *ledger,
               const struct ledger_lives *lives, uint64_t t,
               const struct report_style *style)
{
	const struct screen screen = { .out = out, .style = style };
	struct map map;
	int done = map_open(&map, ledger, lives, t, 1);

	if (done && style)
		print_map(&screen, &map);
	else if (done)
		json_map(out, &map);
	map_close(&map);
	return done;
}
