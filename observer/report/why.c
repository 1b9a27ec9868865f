/*
 * The stacks behind a row: which calls made it, and from where.
 */
#include "observer/report/internal.h"

#include <inttypes.h>

#define STACKS 10 /* that are listed */

static void print_count(FILE *out, uint64_t count, const char *what)
{
	char text[UNITS_TEXT];

	fprintf(out, "%s %s%s", units_count(text, count), what,
	        count == 1 ? "" : "s");
}

static void print_sizes(const struct screen *screen, uint64_t reserved,
                        uint64_t committed)
{
	const struct report_style *style = screen->style;
	FILE *out = screen->out;
	char text[UNITS_TEXT];

	if (reserved)
		fprintf(out, "%s reserved",
		        report_cell(style, text, reserved, 0));
	if (committed)
		fprintf(out, "%s%s committed", reserved ? ", " : "",
		        report_cell(style, text, committed, 0));
	fputs(", ", out);
}

static void print_row(const struct screen *screen, const struct ledger_row *row,
                      const struct ledger_why *why)
{
	FILE *out = screen->out;

	screen_colour(screen, "1");
	units_print(out, row->kind);
	screen_colour(screen, "0");
	fputs(", ", out);
	units_print(out, row->owner);
	fputs(": ", out);
	print_sizes(screen, row->reserved, row->committed);
	print_count(out, row->mappings, "mapping");
	fputs("; ", out);
	print_count(out, why->stack_count, "stack");
	fputs("\n\n", out);
}

void why_print_frame(FILE *out, const struct ledger_frame *frame)
{
	const struct ledger_place *place = &frame->place;

	fprintf(out, "%*s", 3 * SCREEN_INDENT, "");
	if (place->function)
		units_print(out, place->function);
	else
		fprintf(out, "0x%" PRIx64, frame->address);
	if (place->file) {
		putc(' ', out);
		units_print(out, place->file);
		if (place->line > 0)
			fprintf(out, ":%d", place->line);
	} else if (place->module) {
		putc(' ', out);
		units_print(out, place->module->path);
	}
	fputs(frame->inlined ? " (inlined)\n" : "\n", out);
}

static void print_stack(const struct screen *screen,
                        const struct ledger_stack *stack)
{
	FILE *out = screen->out;
	char call[UNITS_TEXT];

	fprintf(out, "%*s", SCREEN_INDENT, "");
	screen_colour(screen, "1");
	print_sizes(screen, stack->reserved, stack->committed);
	print_count(out, stack->mappings, "mapping");
	fputs(" ", out);
	screen_colour(screen, "0");
	if (stack->call) {
		snprintf(call, sizeof(call), "%s call", stack->call);
		fputs("by ", out);
		print_count(out, stack->calls, call);
	} else {
		fputs("by no call of the program: execve, or the kernel", out);
	}
	putc('\n', out);
	for (size_t i = 0; i < stack->frame_count; i++)
		why_print_frame(out, &stack->frame[i]);
	if (stack->cut)
		fprintf(out, "%*s... (the stack was cut here)\n",
		        3 * SCREEN_INDENT, "");
	putc('\n', out);
}

static void print_rest(const struct screen *screen,
                       const struct ledger_why *why)
{
	FILE *out = screen->out;
	uint64_t reserved = 0, committed = 0, mappings = 0;

	if (why->stack_count <= STACKS)
		return;
	for (size_t i = STACKS; i < why->stack_count; i++) {
		reserved += why->stack[i].reserved;
		committed += why->stack[i].committed;
		mappings += why->stack[i].mappings;
	}
	fprintf(out, "%*s%zu more: ", SCREEN_INDENT, "",
	        why->stack_count - STACKS);
	print_sizes(screen, reserved, committed);
	print_count(out, mappings, "mapping");
	fputs("\n\n", out);
}

void report_why(FILE *out, const struct ledger_row *row,
                const struct ledger_why *why, const struct report_style *style)
{
	const struct screen screen = { .out = out, .style = style };

	print_row(&screen, row, why);
	for (size_t i = 0; i < why->stack_count && i < STACKS; i++)
		print_stack(&screen, &why->stack[i]);
	print_rest(&screen, why);
}
