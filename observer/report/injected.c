/*
 * The calls that goload made to fail or wait: which, and the stack that each
 * came from.
 */
#include "observer/report/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define GROUPS 10 /* that are listed */

/* Bytes that the call is about, 0: it does not say. */
static uint64_t size_of(const struct trace_event *event)
{
	switch (event->call) {
	case SYS_brk:
	case SYS_shmat:
	case SYS_shmdt:
	case SYS_io_setup:
	case SYS_io_destroy:
	case SYS_mlockall:
	case SYS_munlockall:
		return 0;
	case SYS_mremap:
		return event->args[2];
	default:
		return event->args[1];
	}
}

static void print_what(FILE *out, const struct ledger *ledger,
                       const struct trace_event *event)
{
	const char *error = strerrorname_np((int)-event->result);
	uint64_t end = ledger_time(ledger->run, event->tsc_after);
	char text[UNITS_TEXT];

	if (event->flags & TRACE_DELAYED)
		fprintf(out, ": took %s",
		        units_time(text,
		                   end - ledger_time(ledger->run, event->tsc)));
	if (!(event->flags & TRACE_INJECTED))
		return;
	fputs(event->flags & TRACE_DELAYED ? ", then " : ": ", out);
	if (event->call == SYS_brk)
		fputs("left the break where it was", out);
	else if (error)
		fprintf(out, "failed with %s", error);
	else
		fprintf(out, "failed with error %" PRIu64, -event->result);
}

static void print_group(const struct screen *screen,
                        const struct ledger_injected *group)
{
	const struct trace_event *event = group->event->event;
	char call[LEDGER_CALL_NAME], text[UNITS_TEXT], exact[UNITS_EXACT];
	uint64_t size = size_of(event);
	FILE *out = screen->out;

	fprintf(out, "%*s", SCREEN_INDENT, "");
	screen_colour(screen, "1");
	fprintf(out, "%s number %s", ledger_call_name(call, event->call),
	        units_count(text, group->number));
	screen_colour(screen, "0");
	if (size)
		fprintf(out, ", %s", units_exact(exact, size));
	if (group->caller.kind) {
		fputs(", ", out);
		units_print(out, group->caller.kind);
	}
	print_what(out, screen->ledger, event);
	if (group->count > 1)
		fprintf(out, "; so did %s more from there",
		        units_count(text, group->count - 1));
	fprintf(out, " (at=%08" PRIx32 ")\n", group->caller.id);
	for (size_t i = 0; i < group->caller.frame_count; i++)
		why_print_frame(out, &group->caller.frame[i]);
	putc('\n', out);
}

/* "goload let 2 calls fail and 1 wait:" */
static void print_head(FILE *out, const struct ledger *ledger)
{
	uint64_t failed = 0, waited = 0, calls;
	char text[UNITS_TEXT];

	for (size_t i = 0; i < ledger->injected_count; i++) {
		const struct ledger_injected *group = &ledger->injected[i];

		if (group->event->event->flags & TRACE_INJECTED)
			failed += group->count;
		else
			waited += group->count;
	}
	calls = failed ? failed : waited;
	fprintf(out, "%*sgoload let %s call%s %s", SCREEN_INDENT, "",
	        units_count(text, calls), calls == 1 ? "" : "s",
	        failed ? "fail" : "wait");
	if (failed && waited)
		fprintf(out, " and %s wait", units_count(text, waited));
	fputs(":\n", out);
}

void report_injected(FILE *out, const struct ledger *ledger,
                     const struct report_style *style)
{
	const struct screen screen = { .out = out,
		                       .ledger = ledger,
		                       .style = style };

	if (!ledger->injected_count)
		return;
	print_head(out, ledger);
	for (size_t i = 0; i < ledger->injected_count && i < GROUPS; i++)
		print_group(&screen, &ledger->injected[i]);
	if (ledger->injected_count > GROUPS)
		fprintf(out, "%*sand calls from %zu more places\n\n",
		        SCREEN_INDENT, "", ledger->injected_count - GROUPS);
}
