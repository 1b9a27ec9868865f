/*
 * What is over a budget, for people: a sentence for each excess, and its code.
 * The same as annotations that GitHub shows beside the code.
 */
#include "observer/report/budget_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- sentences ---------------------------------------------------------- */

static const char *subject(const struct budget_excess *excess)
{
	return excess->kind ? excess->kind : budget_name(excess->what);
}

static const char *rounded(char text[static UNITS_TEXT], enum budget_what what,
                           uint64_t value)
{
	return what == BUDGET_MAPPINGS ? units_count(text, value)
	                               : report_size(text, value, 0);
}

static void print_limit(FILE *out, const struct budget_verdict *verdict,
                        const struct budget_excess *excess)
{
	const struct budget_limit *limit = excess->limit;
	char text[UNITS_TEXT], most[UNITS_EXACT];

	if (!limit) {
		fputs(", of a kind that the budget does not have", out);
		return;
	}
	fprintf(out, ", %s over its limit of %s",
	        rounded(text, excess->what, excess->peak.value - limit->most),
	        budget_value(most, excess->what, limit->most));
	if (!limit->line)
		return;
	fputs(" (", out);
	units_print(out, verdict->budget->path);
	fprintf(out, ":%d)", limit->line);
}

void budget_print_sentence(FILE *out, const struct budget_verdict *verdict,
                           const struct budget_excess *excess)
{
	const struct budget_peak *peak = &excess->peak;
	char text[UNITS_TEXT];

	units_print(out, subject(excess));
	fprintf(out, ": %s", rounded(text, excess->what, peak->value));
	if (peak->at != verdict->found->ledger->duration)
		fprintf(out, " at %s", units_time(text, peak->at));
	print_limit(out, verdict, excess);
}

/* ---- code --------------------------------------------------------------- */

static void print_place(FILE *out, const struct ledger_place *place)
{
	units_print(out, place->function);
	if (!place->file)
		return;
	putc(' ', out);
	units_print(out, place->file);
	if (place->line > 0)
		fprintf(out, ":%d", place->line);
}

/* Whose it is: the line to look at, or else who asked for it. */
static void print_maker(FILE *out, const struct budget_verdict *verdict,
                        const struct budget_stack *stack)
{
	const struct ledger_place *place = budget_own_place(verdict, stack);

	if (!place)
		place = &stack->life->site.place;
	fputs(": ", out);
	if (place->function)
		print_place(out, place);
	else
		units_print(out, stack->life->owner);
}

static void print_rows(FILE *out, const struct budget_verdict *verdict,
                       const struct budget_excess *excess)
{
	char text[UNITS_TEXT];

	fprintf(out, "%*s%s:\n", SCREEN_INDENT, "",
	        excess->grown ? "over limits of their own" : "most of it");
	for (size_t i = 0; i < excess->rows; i++) {
		const struct budget_row *row = &excess->row[i];

		fprintf(out, "%*s%s ", 2 * SCREEN_INDENT, "",
		        rounded(text, excess->what, row->value));
		units_print(out, row->kind);
		if (row->stacks)
			print_maker(out, verdict, row->stack);
		putc('\n', out);
	}
}

static void print_stack(FILE *out, const struct budget_verdict *verdict,
                        const struct budget_stack *stack, int whole)
{
	char text[UNITS_EXACT], call[LEDGER_CALL_NAME];
	const struct ledger_frame *frame;
	size_t count;

	fprintf(out, "%*s%s by ", SCREEN_INDENT, "",
	        budget_bytes(text, stack->bytes));
	if (!stack->calls) {
		fputs("no call of the program: execve, or the kernel\n", out);
		return;
	}
	fprintf(out, "%s ", units_count(text, stack->calls));
	fprintf(out, "%s call%s",
	        ledger_call_name(call, stack->life->event->event->call),
	        stack->calls == 1 ? "" : "s");
	if (!whole)
		print_maker(out, verdict, stack);
	putc('\n', out);
	count = whole ? budget_frames(verdict, stack, &frame) : 0;
	for (size_t i = 0; i < count; i++)
		why_print_frame(out, &frame[i]);
}

void budget_print_code(FILE *out, const struct budget_verdict *verdict,
                       const struct budget_excess *excess)
{
	const struct budget_row *row = excess->row;

	if (excess->what != BUDGET_KIND) {
		print_rows(out, verdict, excess);
		return;
	}
	for (size_t i = 0; i < row->stacks; i++)
		print_stack(out, verdict, &row->stack[i], i == 0);
	if (row->more)
		fprintf(out, "%*s%zu more stack%s\n", SCREEN_INDENT, "",
		        row->more, row->more == 1 ? "" : "s");
}

/* ---- the text ----------------------------------------------------------- */

static void print_name(FILE *out, const struct budget_verdict *verdict)
{
	fputs("goload: ", out);
	units_print(out, verdict->found->ledger->run->path);
	fputs(": ", out);
}

/* The line of the program's that has made at least half of what is over; NULL:
 * there is none. */
static const struct ledger_place *place_of(const struct budget_verdict *verdict,
                                           const struct budget_excess *excess)
{
	const struct budget_limit *limit = excess->limit;
	uint64_t over = excess->peak.value - (limit ? limit->most : 0);

	for (size_t i = 0; i < excess->rows; i++)
		for (size_t j = 0; j < excess->row[i].stacks; j++) {
			const struct budget_stack *stack =
				&excess->row[i].stack[j];
			const struct ledger_place *place =
				budget_own_place(verdict, stack);

			if (place && stack->bytes >= over / 2)
				return place;
		}
	return NULL;
}

/* The line to look at; of a total the rows say it. */
static void print_line(FILE *out, const struct budget_verdict *verdict,
                       const struct budget_excess *excess)
{
	const struct ledger_place *place = place_of(verdict, excess);

	if (!place || excess->what != BUDGET_KIND)
		return;
	fputs("; ", out);
	print_place(out, place);
}

/* VmSize tells most. */
static void print_well(FILE *out, const struct budget_verdict *verdict)
{
	const struct budget *budget = verdict->budget;
	char text[UNITS_TEXT];

	print_name(out, verdict);
	fprintf(out, "keeps to its budget: %zu limit%s", budget->count,
	        budget->count == 1 ? "" : "s");
	for (size_t i = 0; i < budget->count; i++) {
		const struct budget_limit *limit = &budget->limit[i];
		struct budget_peak peak = budget_peak_of(verdict->found, limit);

		if (limit->what != BUDGET_VM || limit->most == BUDGET_ANY)
			continue;
		fprintf(out, "; vm: %s", report_size(text, peak.value, 0));
		fprintf(out, " of %s", report_size(text, limit->most, 0));
	}
	putc('\n', out);
}

void budget_text(FILE *out, const struct budget_verdict *verdict)
{
	if (!verdict->count)
		print_well(out, verdict);
	for (size_t i = 0; i < verdict->count; i++) {
		const struct budget_excess *excess = &verdict->excess[i];

		print_name(out, verdict);
		budget_print_sentence(out, verdict, excess);
		print_line(out, verdict, excess);
		putc('\n', out);
		budget_print_code(out, verdict, excess);
	}
}

/* ---- GitHub ------------------------------------------------------------- */

/* Percent-encoded, as the runner decodes it: less in a message than in a
 * property, which ends at a colon or a comma. */
static void print_encoded(FILE *out, const char *text, const char *special)
{
	for (; *text; text++)
		if (*text == '%' || *text == '\n' || *text == '\r' ||
		    strchr(special, *text))
			fprintf(out, "%%%02X", (unsigned char)*text);
		else
			putc(*text, out);
}

static const char *below(const char *file, const char *root)
{
	size_t size = root ? strlen(root) : 0;

	if (size && strncmp(file, root, size) == 0 && file[size] == '/')
		return file + size + 1;
	return file;
}

/* The line of code, or else that of the budget. */
static void print_position(FILE *out, const struct budget_verdict *verdict,
                           const struct budget_excess *excess)
{
	const struct ledger_place *place = place_of(verdict, excess);
	const char *file = place ? place->file : NULL;
	int line = place ? place->line : 0;

	if (!place && excess->limit && excess->limit->line) {
		file = verdict->file ? verdict->file : verdict->budget->path;
		line = excess->limit->line;
	}
	if (!file)
		return;
	fputs("file=", out);
	print_encoded(out, below(file, verdict->root), ":,");
	fprintf(out, ",line=%d,", line);
}

static void print_annotation(FILE *out, const struct budget_verdict *verdict,
                             const struct budget_excess *excess)
{
	char *message = NULL;
	size_t size;
	FILE *text = open_memstream(&message, &size);

	if (!text)
		return;
	budget_print_sentence(text, verdict, excess);
	putc('\n', text);
	budget_print_code(text, verdict, excess);
	fputs("::error ", out);
	print_position(out, verdict, excess);
	fputs("title=goload%3A ", out);
	print_encoded(out, subject(excess), ":,");
	fputs(" over budget::", out);
	if (fclose(text) == 0)
		print_encoded(out, message, "");
	putc('\n', out);
	free(message);
}

void budget_github(FILE *out, const struct budget_verdict *verdict)
{
	for (size_t i = 0; i < verdict->count; i++)
		print_annotation(out, verdict, &verdict->excess[i]);
}
