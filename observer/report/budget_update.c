/*
 * --update: a budget file, line by line, with its limits raised to what a run
 * has taken and some room, and with kinds that are new to it.
 */
#include "observer/report/budget_internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define KIB     1024ull
#define MIB     (1024 * KIB)
#define ARENA   (64 * MIB)
#define NAME    34           /* columns of a name in a new line */
#define MOST    (1ull << 60) /* of slack */
#define PERCENT 1000

struct update {
	const struct budget *budget;
	const struct budget_found *found;
	const struct budget_slack *slack;
	FILE *out;
	struct budget_kind *kind; /* of the run, and rare ones, by name */
	size_t kinds, next;       /* that may have to be added yet */
	budget_say *say;
	void *context;
};

int budget_read_slack(const char *text, struct budget_slack *slack)
{
	size_t size = strlen(text);

	if (size > 0 && text[size - 1] == '%') {
		slack->how = BUDGET_PERCENT;
		return budget_count(text, size - 1, &slack->value) &&
		       slack->value <= PERCENT;
	}
	slack->how = BUDGET_BYTES;
	return budget_size(text, size, &slack->value) && slack->value <= MOST;
}

static uint64_t round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* From 1.26 on Go's heap begins at a random address of its first arena, and so
 * takes one more now and then. */
static uint64_t spare_arena(const struct ledger_run *run, enum budget_what what,
                            const char *kind)
{
	unsigned minor = 0;

	if (what != BUDGET_VM && what != BUDGET_RESERVED &&
	    (!kind || strcmp(kind, "heap") != 0))
		return 0;
	if (run->go_version)
		sscanf(run->go_version, "go1.%u", &minor);
	return minor >= 26 ? ARENA : 0;
}

/* Go takes 256 KiB at a time for itself, and commits its heap by 4 MiB; what is
 * resident, and which mappings are neighbours, is another thing in each run. */
static uint64_t usual_limit(enum budget_what what, uint64_t value)
{
	switch (what) {
	case BUDGET_KIND:
		return round_up(value + MIB / 2, MIB / 2);
	case BUDGET_MAPPINGS:
		return value + larger(value / 4, 8);
	case BUDGET_COMMITTED:
	case BUDGET_RESIDENT:
		return round_up(value + larger(value / 4, 4 * MIB), MIB);
	default:
		return round_up(value + MIB, MIB);
	}
}

static uint64_t limit_for(const struct update *update, enum budget_what what,
                          const char *kind, uint64_t value)
{
	const struct budget_slack *slack = update->slack;
	const struct ledger_run *run = update->found->ledger->run;

	if (slack->how == BUDGET_USUAL)
		return usual_limit(what, value) + spare_arena(run, what, kind);
	if (slack->how == BUDGET_PERCENT)
		value += value / 100 * slack->value +
		         (value % 100 * slack->value + 99) / 100;
	else if (what != BUDGET_MAPPINGS)
		value += slack->value;
	return what == BUDGET_MAPPINGS ? value
	                               : round_up(value, run->page_size);
}

static void write_new(const struct update *update, enum budget_what what,
                      const char *kind, uint64_t most)
{
	char text[UNITS_EXACT];
	int column = fprintf(update->out, "%s", budget_name(what));

	if (kind) {
		putc(' ', update->out);
		units_print(update->out, kind);
		column += 1 + (int)strlen(kind);
	}
	fprintf(update->out, "%*s%s\n", column < NAME ? NAME - column : 1, "",
	        budget_value(text, what, most));
}

__attribute__((format(printf, 2, 3))) static void say(
	const struct update *update, const char *format, ...)
{
	char *line = NULL;
	va_list list;

	va_start(list, format);
	if (vasprintf(&line, format, list) < 0)
		line = NULL;
	va_end(list);
	if (line)
		update->say(update->context, line);
	free(line);
}

static int is_in_file(const struct budget *budget, const char *kind)
{
	for (size_t i = 0; i < budget->count; i++)
		if (budget->limit[i].line > 0 &&
		    budget->limit[i].what == BUDGET_KIND &&
		    strcmp(budget->limit[i].kind, kind) == 0)
			return 1;
	return 0;
}

/* Kinds that the file does not have, up to that name, or all that are left. */
static void add_kinds(struct update *update, const char *until, size_t size)
{
	for (; update->next < update->kinds; update->next++) {
		const struct budget_kind *kind = &update->kind[update->next];
		uint64_t most = limit_for(update, BUDGET_KIND, kind->kind,
		                          kind->peak.value);
		char text[UNITS_EXACT];

		if (until && strncmp(kind->kind, until, size) >= 0)
			return;
		if (is_in_file(update->budget, kind->kind))
			continue;
		write_new(update, BUDGET_KIND, kind->kind, most);
		say(update, "%s is added: %s", kind->kind,
		    budget_bytes(text, most));
	}
}

/* The limit that stands in that line. */
static const struct budget_limit *limit_at(const struct budget *budget,
                                           int number)
{
	for (size_t i = 0; i < budget->count; i++)
		if (budget->limit[i].line == number)
			return &budget->limit[i];
	return NULL;
}

static void update_line(struct update *update, const char *text,
                        const struct budget_line *line, int number)
{
	const struct budget_limit *limit = limit_at(update->budget, number);
	char old[UNITS_EXACT], new[UNITS_EXACT];
	struct budget_parts parts;
	uint64_t value = 0;

	if (limit && !budget_read_line(line, &parts)) {
		value = budget_peak_of(update->found, limit).value;
		if (update->budget->no_new_kinds && limit->what == BUDGET_KIND)
			add_kinds(update, parts.name,
			          (size_t)(parts.name_end - parts.name));
	}
	if (!limit || value <= limit->most) {
		fwrite(text, 1, (size_t)(line->next - text), update->out);
		return;
	}
	fwrite(text, 1, (size_t)(parts.value - text), update->out);
	value = limit_for(update, limit->what, limit->kind, value);
	budget_value(new, limit->what, value);
	fputs(new, update->out);
	if (line->next[-1] == '\n')
		putc('\n', update->out);
	say(update, "%s is raised from %s to %s",
	    limit->kind ? limit->kind : budget_name(limit->what),
	    budget_value(old, limit->what, limit->most), new);
}

static void update_lines(struct update *update, const char *text, size_t size)
{
	const char *end = text + size;
	struct budget_line line;
	int number = 0;

	for (; budget_next_line(text, end, &line); text = line.next)
		update_line(update, text, &line, ++number);
	if (size > 0 && end[-1] != '\n')
		putc('\n', update->out);
	if (update->budget->no_new_kinds)
		add_kinds(update, NULL, 0);
}

static void write_all(struct update *update)
{
	static const enum budget_what totals[] = { BUDGET_VM, BUDGET_COMMITTED,
		                                   BUDGET_RESIDENT,
		                                   BUDGET_MAPPINGS };
	const struct budget_found *found = update->found;
	const struct ledger_run *run = found->ledger->run;

	fputs("# goload budget of ", update->out);
	units_print(update->out, run->path);
	fprintf(update->out, ": %s%s%s.\n",
	        run->go_version ? run->go_version : "",
	        run->go_version ? ", " : "", report_linkage(found->ledger));
	fputs("# goload check --update raises what a run exceeds, and adds its "
	      "kinds.\n\n",
	      update->out);
	for (size_t i = 0; i < sizeof(totals) / sizeof(*totals); i++)
		write_new(update, totals[i], NULL,
		          limit_for(update, totals[i], NULL,
		                    found->total[totals[i]].value));
	fputs("\nno new kinds\n", update->out);
	for (size_t i = 0; i < update->kinds; i++)
		write_new(update, BUDGET_KIND, update->kind[i].kind,
		          limit_for(update, BUDGET_KIND, update->kind[i].kind,
		                    update->kind[i].peak.value));
	say(update, "is new: %zu limits",
	    sizeof(totals) / sizeof(*totals) + update->kinds);
}

static int by_name(const void *left, const void *right)
{
	const struct budget_kind *a = left, *b = right;

	return strcmp(a->kind, b->kind);
}

/* The run's kinds, and those that other runs of a Go program may have. */
static int list_kinds(struct update *update)
{
	static const struct budget_kind rare[] = {
		{ "GC span queue", { 64 * KIB, 0 } },
		{ "profiling buckets", { 1408 * KIB, 0 } },
	};
	const size_t rares = sizeof(rare) / sizeof(*rare);
	const struct budget_found *found = update->found;
	int is_usual = update->slack->how == BUDGET_USUAL;

	update->kind = calloc(found->kinds + rares, sizeof(*rare));
	if (!update->kind)
		return 0;
	while (update->kinds < found->kinds) {
		update->kind[update->kinds] = found->kind[update->kinds];
		update->kinds++;
	}
	for (size_t i = 0; i < rares && is_usual; i++)
		if (found->ledger->run->go_version &&
		    !budget_kind_of(found, rare[i].kind))
			update->kind[update->kinds++] = rare[i];
	qsort(update->kind, update->kinds, sizeof(*rare), by_name);
	return 1;
}

char *budget_update(const struct budget *budget, const char *text, size_t size,
                    const struct budget_found *found,
                    const struct budget_slack *slack, budget_say *say_it,
                    void *context)
{
	char *result = NULL;
	size_t length;
	struct update update = {
		.budget = budget,
		.found = found,
		.slack = slack,
		.out = open_memstream(&result, &length),
		.say = say_it,
		.context = context,
	};

	int done;

	if (!update.out)
		return NULL;
	done = list_kinds(&update);
	if (done && text)
		update_lines(&update, text, size);
	else if (done)
		write_all(&update);
	free(update.kind);
	done &= fclose(update.out) == 0;
	if (done)
		return result;
	free(result);
	return NULL;
}
