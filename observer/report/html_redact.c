/*
 * A ledger that may be shown to others.  What is left of a run are sizes,
 * times, addresses, the names of functions, and the Go version.
 */
#include "observer/report/html.h"

#include <stdlib.h>
#include <string.h>

#define KIND 48 /* bytes of "library 12 text" */

static int ends(const char *text, size_t size, const char *with)
{
	size_t end = strlen(with);

	return size > end && memcmp(text + size - end, with, end) == 0;
}

/* "libx.so text" is "library 1 text", "file x" is "file 2"; the number is that
 * of the name, so text and data of one file have the same. */
const char *redact_kind(struct redacted *redacted, const char *kind,
                        const char *owner, char *const *word, size_t count)
{
	char text[KIND];
	const char *what = "name", *behind = "";
	size_t size = strlen(kind), i = 0;
	uint32_t number;

	while (i < count && strcmp(word[i], kind) != 0)
		i++;
	if (i == count || strcmp(owner, "libc") == 0)
		return kind;
	if (strcmp(owner, "library") == 0)
		what = "library";
	else if (strncmp(kind, "file ", 5) == 0)
		what = "file";
	if (ends(kind, size, " text"))
		behind = " text";
	else if (ends(kind, size, " data"))
		behind = " data";
	number = pool_put(&redacted->hidden, kind, size - strlen(behind));
	snprintf(text, sizeof(text), "%s %u%s", what, number + 1, behind);
	number = pool_put(&redacted->kinds, text, strlen(text));
	return redacted->kinds.failed ? what
	                              : redacted->kinds.item[number].bytes;
}

static void hide_place(struct ledger_place *place)
{
	*place = (struct ledger_place){
		.function = place->function,
		.start = place->start,
		.go = place->go,
	};
}

static void redact_row(struct redacted *redacted, struct ledger_row *row,
                       struct ledger_site *site)
{
	const struct ledger *ledger = &redacted->ledger;

	row->kind = redact_kind(redacted, row->kind, row->owner, ledger->word,
	                        ledger->word_count);
	for (size_t i = 0; i < row->site_count; i++) {
		site[i] = row->site[i];
		hide_place(&site[i].place);
	}
	row->site = site;
}

static int copy_rows(struct redacted *redacted, const struct ledger *ledger)
{
	struct ledger_site *site;
	size_t sites = 1; /* at least */

	for (size_t i = 0; i < ledger->row_count; i++)
		sites += ledger->row[i].site_count;
	redacted->row = calloc(ledger->row_count + 1, sizeof(*redacted->row));
	redacted->site = site = calloc(sites, sizeof(*site));
	if (!redacted->row || !site)
		return 0;
	for (size_t i = 0; i < ledger->row_count; i++) {
		redacted->row[i] = ledger->row[i];
		redact_row(redacted, &redacted->row[i], site);
		site += ledger->row[i].site_count;
	}
	redacted->ledger.row = redacted->row;
	return !redacted->kinds.failed && !redacted->hidden.failed;
}

int redact_ledger(struct redacted *redacted, const struct ledger *ledger)
{
	const struct file_program *program = ledger->run->program;

	*redacted = (struct redacted){ .ledger = *ledger, .run = *ledger->run };
	redacted->program = (struct file_program){
		.linkage = program->linkage,
		.stripped = program->stripped,
		.options = program->options,
		.net_on = program->net_on,
	};
	redacted->run.program = &redacted->program;
	redacted->run.path = "program";
	redacted->run.build_id = NULL;
	redacted->run.host = NULL;
	redacted->ledger.run = &redacted->run;
	return copy_rows(redacted, ledger);
}

void redact_free(struct redacted *redacted)
{
	pool_free(&redacted->hidden);
	pool_free(&redacted->kinds);
	free(redacted->row);
	free(redacted->site);
}
