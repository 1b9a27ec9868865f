/*
 * Three lines over time, each to its own scale: reserved is hundreds of times
 * resident, on one scale the second would be a flat line.
 */
#include "observer/report/internal.h"

#include <string.h>

#define CELLS  28
#define LABEL  11
#define LEVELS 8

struct line {
	const char *label;
	size_t offset; /* of the value in struct ledger_point */
	uint64_t end;
};

static uint64_t value_of(const struct ledger_point *point, size_t offset)
{
	return *(const uint64_t *)((const char *)point + offset);
}

static size_t cell_of(const struct ledger *ledger, uint64_t t)
{
	size_t cell;

	if (ledger->duration == 0 || t >= ledger->duration)
		return CELLS - 1;
	cell = (size_t)((double)t / (double)ledger->duration * CELLS);
	return cell < CELLS ? cell : CELLS - 1;
}

/* The most in each cell; a cell where nothing changed has what was before. */
static void fill(const struct ledger *ledger, size_t offset, uint64_t *cells)
{
	uint64_t value = 0;
	size_t i = 0;

	for (size_t cell = 0; cell < CELLS; cell++) {
		cells[cell] = value;
		for (; i < ledger->point_count; i++) {
			const struct ledger_point *point = &ledger->point[i];

			if (cell_of(ledger, point->t) > cell)
				break;
			value = value_of(point, offset);
			if (value > cells[cell])
				cells[cell] = value;
		}
	}
}

static void print_cells(FILE *out, const uint64_t *cells, int ascii)
{
	static const char *const blocks[LEVELS] = { "▁", "▂", "▃", "▄",
		                                    "▅", "▆", "▇", "█" };
	static const char *const letters[LEVELS] = { "_", ".", ":", "-",
		                                     "=", "+", "*", "#" };
	const char *const *level = ascii ? letters : blocks;
	uint64_t most = 1;

	for (size_t i = 0; i < CELLS; i++)
		most = cells[i] > most ? cells[i] : most;
	for (size_t i = 0; i < CELLS; i++) {
		double part = (double)cells[i] / (double)most;

		/* The top of the scale is 7/8: a full block would touch the
		 * line above. */
		fputs(cells[i] ? level[(int)(part * (LEVELS - 2) + 0.5)] : " ",
		      out);
	}
}

static void print_line(FILE *out, const struct ledger *ledger,
                       const struct line *line,
                       const struct report_style *style, int indent)
{
	uint64_t cells[CELLS];
	char size[UNITS_TEXT];

	fill(ledger, line->offset, cells);
	fprintf(out, "%*s%-*s", indent, "", LABEL, line->label);
	print_cells(out, cells, style->ascii);
	fprintf(out, " %*s\n", report_cell_width(style),
	        report_cell(style, size, line->end, 0));
}

void chart_print(FILE *out, const struct ledger *ledger,
                 const struct report_style *style, int indent)
{
	const struct line lines[] = {
		{ "reserved", offsetof(struct ledger_point, reserved),
		  ledger->reserved },
		{ "committed", offsetof(struct ledger_point, committed),
		  ledger->committed },
		{ "resident", offsetof(struct ledger_point, resident),
		  ledger->resident },
	};
	char time[UNITS_TEXT];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		print_line(out, ledger, &lines[i], style, indent);
	fprintf(out, "%*s%-*s0 s%*s\n", indent, "", LABEL, "", CELLS - 3,
	        units_time(time, ledger->duration));
}
