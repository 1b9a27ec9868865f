/* why - --why ROW: the stacks behind the rows that a word names. */
#include "observer/cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_named(const struct ledger_row *row, const char *word,
                     bool exactly)
{
	if (exactly)
		return strcasecmp(row->kind, word) == 0;
	return *word && strncasecmp(row->kind, word, strlen(word)) == 0;
}

static size_t count_named(const struct ledger *ledger, const char *word,
                          bool exactly)
{
	size_t count = 0;

	for (size_t i = 0; i < ledger->row_count; i++)
		count += is_named(&ledger->row[i], word, exactly);
	return count;
}

/* One line with all that could be asked for. */
static void complain_of(const char *object, const struct ledger *ledger,
                        const char *word)
{
	char *kinds = NULL;
	size_t size;
	FILE *out = open_memstream(&kinds, &size);

	if (!out)
		return;
	for (size_t i = 0; i < ledger->row_count; i++)
		fprintf(out, "%s%s", i ? ", " : "", ledger->row[i].kind);
	if (fclose(out) == 0)
		cli_complain(object, 0, "has no row '%.64s', but %s", word,
		             kinds);
	free(kinds);
}

bool cli_has_row(const char *object, const struct ledger *ledger,
                 const char *word)
{
	if (count_named(ledger, word, false))
		return true;
	complain_of(object, ledger, word);
	return false;
}

bool cli_print_why(FILE *out, const struct cli_opened *opened, const char *word,
                   const struct report_style *style)
{
	const struct ledger *ledger = opened->ledger;
	bool exactly = count_named(ledger, word, true) > 0;

	for (size_t i = 0; i < ledger->row_count; i++) {
		const struct ledger_row *row = &ledger->row[i];
		struct ledger_why *why;

		if (!is_named(row, word, exactly))
			continue;
		why = ledger_why(ledger, row, cli_name, opened->names);
		if (!why) {
			cli_complain(NULL, ENOMEM, "cannot build the ledger");
			return false;
		}
		report_why(out, row, why, style);
		ledger_why_free(why);
	}
	return true;
}
