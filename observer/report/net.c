/*
 * Whose calls the net carried, and why: a few lines below the table, when there
 * was any such call.
 */
#include "observer/report/internal.h"

#include "observer/sites/sites.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SITES 10 /* that are listed */
#define PLACE 44 /* columns of a site */
#define WIDTH 92 /* of the sentence where the terminal is wider */

int net_no_patching(const struct ledger *ledger)
{
	return ledger->run->program->options & SESSION_NO_PATCH;
}

const char *net_why(const struct ledger *ledger,
                    const struct ledger_net_site *site)
{
	if (net_no_patching(ledger))
		return "not patched: --patch=none";
	if (!site->path)
		return "not patched: in no file, made while the program ran";
	if (site->how == 0)
		return "not patched: no syscall instruction of the file";
	if (sites_patched(site->how))
		return "not patched: the code in memory was not changed";
	return sites_verdict_name(site->how);
}

/* "sysconf+0x135 ld-musl-x86_64.so.1" */
static void print_place(FILE *out, const struct ledger_net_site *site)
{
	const char *slash = site->path ? strrchr(site->path, '/') : NULL;
	char *text = NULL;
	size_t size;
	FILE *words = open_memstream(&text, &size);

	if (!words)
		return;
	if (site->place.function && site->address >= site->place.start)
		fprintf(words, "%s+0x%" PRIx64, site->place.function,
		        site->address - site->place.start);
	else
		fprintf(words, "0x%" PRIx64, site->in_file);
	if (site->path)
		fprintf(words, " %s", slash ? slash + 1 : site->path);
	if (fclose(words) == 0) {
		units_print(out, text);
		fprintf(out, "%*s", size < PLACE ? (int)(PLACE - size) : 0, "");
	}
	free(text);
}

static void print_sites(const struct screen *screen)
{
	const struct ledger *ledger = screen->ledger;
	FILE *out = screen->out;
	char text[UNITS_TEXT];

	for (size_t i = 0; i < ledger->net_site_count; i++) {
		const struct ledger_net_site *site = &ledger->net_site[i];

		if (i == SITES) {
			fprintf(out, "%*s%zu more\n", SCREEN_INDENT + 14, "",
			        ledger->net_site_count - i);
			break;
		}
		fprintf(out, "%*s%12s  ", SCREEN_INDENT, "",
		        site->calls ? units_count(text, site->calls) : "-");
		print_place(out, site);
		fprintf(out, " %s\n", net_why(ledger, site));
	}
}

/* Calls that are not about memory leave no event, so nothing tells their site.
 */
static uint64_t not_recorded(const struct ledger *ledger)
{
	return ledger->net_hits > ledger->net_recorded
	               ? ledger->net_hits - ledger->net_recorded
	               : 0;
}

/* Whether a site is listed that can have made them. */
static int has_suspects(const struct ledger *ledger)
{
	size_t count = ledger->net_site_count;

	return count && !ledger->net_site[count - 1].calls;
}

static void tell_recorded(FILE *out, const struct ledger *ledger)
{
	char text[UNITS_TEXT];
	const char *recorded =
		!not_recorded(ledger) ? "all"
		: !ledger->net_recorded
			? "none"
			: units_count(text, ledger->net_recorded);

	fprintf(out, ", %s about memory.", recorded);
	if (not_recorded(ledger))
		fputs(has_suspects(ledger)
		              ? " Only these are counted by site."
		              : " The rest came from code that is in no file "
		                "or was not changed, or from int $0x80.",
		      out);
}

static void tell(FILE *out, const struct ledger *ledger)
{
	char text[UNITS_TEXT];

	if (net_no_patching(ledger))
		fputs("Only the ends of threads were patched (--patch=none): ", out);
	fprintf(out, "%s net carried %s call%s",
	        net_no_patching(ledger) ? "the" : "The",
	        units_count(text, ledger->net_hits),
	        ledger->net_hits == 1 ? "" : "s");
	if (net_no_patching(ledger)) {
		fputs(".", out);
		return;
	}
	tell_recorded(out, ledger);
	if (ledger->sites) {
		fprintf(out, " %s of",
		        units_count(text, ledger->sites_patched));
		fprintf(out, " %s sites are patched%s",
		        units_count(text, ledger->sites),
		        ledger->sites_patched < ledger->sites ? ", not these:"
		                                              : ".");
	}
}

void net_print(const struct screen *screen)
{
	int width = screen->style->width;
	char *text = NULL;
	size_t size;
	FILE *words;

	if (!screen->ledger->net_hits)
		return;
	words = open_memstream(&text, &size);
	if (!words)
		return;
	tell(words, screen->ledger);
	if (fclose(words) == 0)
		units_wrap(screen->out, text, SCREEN_INDENT,
		           width > 0 && width < WIDTH ? width : WIDTH);
	free(text);
	if (!net_no_patching(screen->ledger))
		print_sites(screen);
	putc('\n', screen->out);
}
