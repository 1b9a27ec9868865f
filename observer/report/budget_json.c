/* A verdict as one JSON document. */
#include "observer/report/budget_internal.h"

#include <inttypes.h>

/* A limit, and what is held against it; NULL: there is none. */
static void write_limit(FILE *out, const struct budget_limit *limit)
{
	if (limit && limit->most != BUDGET_ANY)
		fprintf(out, ", \"most\": %" PRIu64, limit->most);
	else
		fputs(", \"most\": null", out);
	if (limit && limit->line)
		fprintf(out, ", \"line\": %d", limit->line);
	else
		fputs(", \"line\": null", out);
}

static void write_head(FILE *out, enum budget_what what, const char *kind,
                       const struct budget_peak *peak)
{
	report_json_text(out, "limit", budget_name(what));
	fputs(", ", out);
	report_json_text(out, "kind", kind);
	fprintf(out, ", \"value\": %" PRIu64 ", \"at\": %" PRIu64, peak->value,
	        peak->at);
}

static void write_limits(FILE *out, const struct budget_verdict *verdict)
{
	const struct budget *budget = verdict->budget;

	fputs("  \"limits\": [", out);
	for (size_t i = 0; i < budget->count; i++) {
		const struct budget_limit *limit = &budget->limit[i];
		struct budget_peak peak = budget_peak_of(verdict->found, limit);

		fprintf(out, "%s\n    {", i ? "," : "");
		write_head(out, limit->what, limit->kind, &peak);
		write_limit(out, limit);
		putc('}', out);
	}
	fprintf(out, "%s],\n", budget->count ? "\n  " : "");
}

static void write_frames(FILE *out, const struct budget_verdict *verdict,
                         const struct budget_stack *stack)
{
	const struct ledger_frame *frame;
	size_t count = budget_frames(verdict, stack, &frame);

	for (size_t i = 0; i < count; i++) {
		fputs(i ? ", {" : "{", out);
		report_json_text(out, "function", frame[i].place.function);
		fputs(", ", out);
		report_json_text(out, "file", frame[i].place.file);
		fprintf(out, ", \"line\": %d, \"address\": \"0x%" PRIx64 "\"}",
		        frame[i].place.line, frame[i].address);
	}
}

static void write_stack(FILE *out, const struct budget_verdict *verdict,
                        const struct budget_stack *stack)
{
	char call[LEDGER_CALL_NAME];

	fputs("\n          {", out);
	report_json_text(
		out, "call",
		stack->calls ? ledger_call_name(call,
	                                        stack->life->event->event->call)
			     : NULL);
	fprintf(out,
	        ", \"bytes\": %" PRIu64 ", \"calls\": %" PRIu64
	        ", \"frames\": [",
	        stack->bytes, stack->calls);
	write_frames(out, verdict, stack);
	fputs("]}", out);
}

static void write_row(FILE *out, const struct budget_verdict *verdict,
                      const struct budget_row *row)
{
	fputs("\n        {", out);
	report_json_text(out, "kind", row->kind);
	fprintf(out, ", \"value\": %" PRIu64 ", \"stacks\": [", row->value);
	for (size_t i = 0; i < row->stacks; i++) {
		if (i)
			putc(',', out);
		write_stack(out, verdict, &row->stack[i]);
	}
	fputs("]}", out);
}

static void write_excess(FILE *out, const struct budget_verdict *verdict,
                         const struct budget_excess *excess)
{
	fputs("\n    {", out);
	write_head(out, excess->what, excess->kind, &excess->peak);
	write_limit(out, excess->limit);
	fprintf(out, ",\n      \"grown\": %s, \"rows\": [",
	        excess->grown ? "true" : "false");
	for (size_t i = 0; i < excess->rows; i++) {
		if (i)
			putc(',', out);
		write_row(out, verdict, &excess->row[i]);
	}
	fputs("]}", out);
}

void budget_json(FILE *out, const struct budget_verdict *verdict)
{
	fputs("{\n  \"schema\": \"goload/1\",\n  ", out);
	report_json_text(out, "program", verdict->found->ledger->run->path);
	fputs(",\n  ", out);
	report_json_text(out, "budget", verdict->budget->path);
	fputs(",\n  ", out);
	report_json_text(out, "failure", verdict->failure);
	fprintf(out, ",\n  \"within\": %s,\n",
	        verdict->count ? "false" : "true");
	fprintf(out, "  \"no_new_kinds\": %s,\n",
	        verdict->budget->no_new_kinds ? "true" : "false");
	write_limits(out, verdict);
	fputs("  \"over\": [", out);
	for (size_t i = 0; i < verdict->count; i++) {
		if (i)
			putc(',', out);
		write_excess(out, verdict, &verdict->excess[i]);
	}
	fprintf(out, "%s]\n}\n", verdict->count ? "\n  " : "");
}
