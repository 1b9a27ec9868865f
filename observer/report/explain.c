/*
 * The ledger in sentences, as a person would explain it.  One table of rules:
 * a condition over the rows, and a template.  In a template {word} stands for
 * what the table of words has for it, which is from the rows as well.
 *
 * A sentence that names parts of a sum names all of them, the small ones
 * together; and a product is exact, or there is none.
 */
#include "observer/report/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- conditions --------------------------------------------------------- */

static int checked(const struct facts *facts)
{
	return facts->ledger->checked;
}

static int not_checked(const struct facts *facts)
{
	return !facts->ledger->checked;
}

static int only_go_at_start(const struct facts *facts)
{
	return facts->at_start && facts->ledger->reserved == facts->go_reserved;
}

static int only_go(const struct facts *facts)
{
	return facts->go_reserved && !facts->at_start &&
	       facts->ledger->reserved == facts->go_reserved;
}

static int go_and_others(const struct facts *facts)
{
	return facts->go_reserved &&
	       facts->ledger->reserved > facts->go_reserved;
}

static int only_others(const struct facts *facts)
{
	return facts->ledger->reserved && !facts->go_reserved;
}

static int sampled(const struct facts *facts)
{
	return facts->ledger->run->resident_count > 0;
}

static int not_sampled(const struct facts *facts)
{
	return !sampled(facts);
}

static int returned(const struct facts *facts)
{
	return facts->returned && !facts->came_back;
}

static int came_back(const struct facts *facts)
{
	return facts->came_back > 0;
}

static int peaked(const struct facts *facts)
{
	return facts->ledger->peak_vm_size > facts->ledger->vm_size;
}

static int has_memstats(const struct facts *facts)
{
	return facts->ledger->memstats.last != NULL;
}

static int equal_stacks(const struct facts *facts)
{
	return facts->stacks.count > 1 && things_unit(&facts->stacks);
}

static int equal_arenas(const struct facts *facts)
{
	return facts->arenas.count > 1 && things_unit(&facts->arenas);
}

/* As many stacks as arenas, all of them alike: so much for each thread. */
static int paired(const struct facts *facts)
{
	return facts->stacks.count == facts->arenas.count &&
	       equal_stacks(facts) && equal_arenas(facts);
}

static int stacks_alike(const struct facts *facts)
{
	return equal_stacks(facts) && !paired(facts);
}

static int stacks_unlike(const struct facts *facts)
{
	return facts->stacks.count && !equal_stacks(facts);
}

static int arenas_alike(const struct facts *facts)
{
	return equal_arenas(facts) && !paired(facts);
}

static int arenas_unlike(const struct facts *facts)
{
	return facts->arenas.count && !equal_arenas(facts);
}

/* What is in use of an arena would have to go elsewhere. */
static int arenas_can_go(const struct facts *facts)
{
	return facts->glibc && facts->fresh;
}

static int arenas_may_shrink(const struct facts *facts)
{
	return facts->glibc && !facts->fresh;
}

static int has_libc(const struct facts *facts)
{
	return (facts->stacks.count || facts->arenas.count ||
	        facts->libraries) &&
	       part_sum(facts->ledger, part_libc).rows;
}

static int has_sanitizer(const struct facts *facts)
{
	return part_sum(facts->ledger, part_sanitizer).rows > 0;
}

static int cut_short(const struct facts *facts)
{
	return facts->ledger->run->torn || !facts->ledger->run->end;
}

static int closed(const struct facts *facts)
{
	return checked(facts) && !facts->ledger->unexplained &&
	       !facts->ledger->phantom;
}

static int unexplained(const struct facts *facts)
{
	return checked(facts) && facts->ledger->unexplained;
}

static int phantom(const struct facts *facts)
{
	return facts->ledger->phantom > 0;
}

/* ---- the rules ---------------------------------------------------------- */

/* clang-format off */
static const struct {
	int (*holds)(const struct facts *facts);
	const char *template;
} rules[] = {
	{ checked, "VmSize is {vm_size}{own}." },
	{ not_checked, "By its calls VmSize was {vm_size}{own}." },
	{ only_go_at_start, "{reserved} is address space that the Go runtime "
	  "reserves at start and never touches: {reservations}." },
	{ only_go, "{reserved} is address space that the Go runtime reserves "
	  "and does not touch: {reservations}." },
	{ go_and_others, "{reserved} is only reserved, {go_reserved} of it by "
	  "the Go runtime: {reservations}." },
	{ only_others, "{reserved} is only reserved, nothing may touch it: "
	  "{reservations}." },
	{ sampled, "{committed} is committed, {resident} resident." },
	{ not_sampled, "{committed} is committed." },
	{ returned, "{returned} was given back to the kernel." },
	{ came_back, "{returned} was given back to the kernel, {came_back} of "
	  "that is resident again." },
	{ peaked, "At its peak VmSize was {peak}." },
	{ paired, "{count} x ({stack} thread stack + {arena} malloc arena) = "
	  "{both}." },
	{ stacks_alike, "{stacks} x {stack} = {stack_sum}." },
	{ stacks_unlike, "{stack_sum} is {stacks}." },
	{ arenas_alike, "{arenas} x {arena} = {arena_sum}." },
	{ arenas_unlike, "{arena_sum} is {arenas}." },
	{ arenas_can_go, "MALLOC_ARENA_MAX=1 would save {arena_sum}." },
	{ arenas_may_shrink, "MALLOC_ARENA_MAX=1 would save up to "
	  "{arena_sum}." },
	{ has_libc, "{libc} more is of libc: {libc_kinds}." },
	{ has_sanitizer, "{sanitizer_sum} is of the sanitizer that is built "
	  "in: {sanitizer}." },
	{ has_memstats, "MemStats.Sys is {sys}: of what is committed it leaves "
	  "out {uncounted_sum}: {uncounted}." },
	{ cut_short, "The run was cut short: what is shown is up to there." },
	{ not_checked, "There was no last look at the kernel's map: nothing "
	  "could be checked." },
	{ closed, "Nothing is unexplained." },
	{ unexplained, "{unexplained} is unexplained." },
	{ phantom, "{phantom} should be there and is not." },
};
/* clang-format on */

/* ---- words -------------------------------------------------------------- */

static void write_size(FILE *out, uint64_t bytes)
{
	char text[UNITS_TEXT];

	fputs(report_size(text, bytes, 0), out);
}

/* To the byte, and rounded where that helps: "368,660 KiB (360.0 MiB)". */
static void write_exact(FILE *out, uint64_t bytes)
{
	char text[UNITS_EXACT];

	fputs(units_exact(text, bytes), out);
	if (bytes % (1 << 20) == 0 || bytes < 10 << 20)
		return;
	fputs(" (", out);
	write_size(out, bytes);
	fputs(")", out);
}

static void write_count(FILE *out, uint64_t count, const char *one,
                        const char *many)
{
	char text[UNITS_TEXT];

	fprintf(out, "%s %s", units_count(text, count),
	        count == 1 ? one : many);
}

/* " (runtime.(*pageAlloc).sysInit, mpagealloc_64bit.go:79)" */
static void write_site(FILE *out, const struct ledger_site *site)
{
	const struct ledger_place *place = &site->place;

	if (!place->function)
		return;
	fputs(" (", out);
	units_print(out, place->function);
	if (place->file && place->line > 0) {
		fputs(", ", out);
		units_print(out, units_base_name(place->file));
		fprintf(out, ":%d", place->line);
	}
	fputs(")", out);
}

/* "585.0 MiB page summary (...), 20 KiB in 2 other rows": `count` of them have
 * a name, and the last where it would stand alone. */
static void write_parts(FILE *out, const struct facts *facts, row_part *part,
                        size_t count, int sites)
{
	const struct ledger *ledger = facts->ledger;
	struct part_sum rest = part_sum(ledger, part);
	const struct ledger_row *row = NULL;
	const struct ledger_site *site;

	for (size_t i = 0; (row = part_next(ledger, part, row)); i++) {
		fputs(i ? ", " : "", out);
		if (i >= count && rest.rows > 1) {
			write_size(out, rest.bytes);
			fprintf(out, " in %zu other rows", rest.rows);
			break;
		}
		write_size(out, part(row));
		putc(' ', out);
		units_print(out, row->kind);
		site = sites && row_is_go(row) ? row_reserver(row) : NULL;
		if (site)
			write_site(out, site);
		rest.bytes -= part(row);
		rest.rows--;
	}
}

static void word_own(FILE *out, const struct facts *facts)
{
	if (facts->ledger->goload == 0)
		return;
	fputs(", ", out);
	write_size(out, facts->ledger->goload);
	fputs(" of it goload's own", out);
}

static void word_reservations(FILE *out, const struct facts *facts)
{
	write_parts(out, facts, part_reserved, 4, 1);
}

static void word_uncounted(FILE *out, const struct facts *facts)
{
	write_parts(out, facts, part_uncounted, 3, 0);
}

static void word_sanitizer(FILE *out, const struct facts *facts)
{
	write_parts(out, facts, part_sanitizer, 4, 0);
}

static void word_libc_kinds(FILE *out, const struct facts *facts)
{
	const struct ledger_row *row = NULL;
	const char *before = "";

	if (facts->libraries) {
		write_count(out, facts->libraries, "shared library",
		            "shared libraries");
		before = ", ";
	}
	while ((row = part_next(facts->ledger, part_libc, row))) {
		if (row_is_library(row))
			continue;
		fputs(before, out);
		units_print(out, row->kind);
		before = ", ";
	}
}

static void word_count(FILE *out, const struct facts *facts)
{
	char text[UNITS_TEXT];

	fputs(units_count(text, facts->stacks.count), out);
}

#define SIZE(name, bytes)                                                      \
	static void word_##name(FILE *out, const struct facts *facts)          \
	{                                                                      \
		write_size(out, bytes);                                        \
	}
#define EXACT(name, bytes)                                                     \
	static void word_##name(FILE *out, const struct facts *facts)          \
	{                                                                      \
		write_exact(out, bytes);                                       \
	}
#define COUNT(name, count, one)                                                \
	static void word_##name(FILE *out, const struct facts *facts)          \
	{                                                                      \
		write_count(out, count, one, one "s");                         \
	}

SIZE(vm_size, facts->ledger->vm_size)
SIZE(peak, facts->ledger->peak_vm_size)
SIZE(reserved, facts->ledger->reserved)
SIZE(go_reserved, facts->go_reserved)
SIZE(committed, facts->ledger->committed)
SIZE(resident, facts->ledger->resident)
SIZE(returned, facts->returned)
SIZE(came_back, facts->came_back)
SIZE(sys, facts->ledger->memstats.last->sys)
SIZE(uncounted_sum, part_sum(facts->ledger, part_uncounted).bytes)
SIZE(sanitizer_sum, part_sum(facts->ledger, part_sanitizer).bytes)
SIZE(unexplained, facts->ledger->unexplained)
SIZE(phantom, facts->ledger->phantom)
EXACT(stack, things_unit(&facts->stacks))
EXACT(arena, things_unit(&facts->arenas))
EXACT(stack_sum, facts->stacks.bytes)
EXACT(arena_sum, facts->arenas.bytes)
EXACT(both, facts->stacks.bytes + facts->arenas.bytes)
EXACT(libc, part_sum(facts->ledger, part_libc).bytes)
COUNT(stacks, facts->stacks.count, "thread stack")
COUNT(arenas, facts->arenas.count, "malloc arena")

/* clang-format off */
#define WORD(name) { #name, word_##name }

static const struct {
	const char *name;
	void (*write)(FILE *out, const struct facts *facts);
} words[] = {
	WORD(vm_size), WORD(own), WORD(peak), WORD(reserved),
	WORD(go_reserved), WORD(reservations), WORD(committed),
	WORD(resident), WORD(returned), WORD(came_back), WORD(sys), WORD(uncounted_sum),
	WORD(uncounted), WORD(sanitizer_sum), WORD(sanitizer),
	WORD(unexplained), WORD(phantom), WORD(count), WORD(stacks),
	WORD(stack), WORD(stack_sum), WORD(arenas), WORD(arena),
	WORD(arena_sum), WORD(both), WORD(libc), WORD(libc_kinds),
};
/* clang-format on */

/* ---- sentences ---------------------------------------------------------- */

/* Writes the word that `text` begins with; returns what is behind its '}'. */
static const char *write_word(FILE *out, const struct facts *facts,
                              const char *text)
{
	size_t size = strcspn(text, "}");

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].name) == size &&
		    memcmp(words[i].name, text, size) == 0)
			words[i].write(out, facts);
	return text + size + 1;
}

static void write_sentence(FILE *out, const struct facts *facts,
                           const char *template)
{
	while (*template) {
		if (*template == '{')
			template = write_word(out, facts, template + 1);
		else
			putc(*template ++, out);
	}
}

void explain_sentences(const struct ledger *ledger,
                       void (*say)(void *context, const char *sentence),
                       void *context)
{
	struct facts facts = facts_of(ledger);

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		char *sentence = NULL;
		size_t size;
		FILE *out;

		if (!rules[i].holds(&facts))
			continue;
		out = open_memstream(&sentence, &size);
		if (!out)
			return;
		write_sentence(out, &facts, rules[i].template);
		if (fclose(out) == 0)
			say(context, sentence);
		free(sentence);
	}
}
