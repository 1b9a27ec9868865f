/*
 * Any bytes as a run file, all the way to both reports.
 *
 *   clang -fsanitize=fuzzer,address,undefined -I. tests/fuzz_ledger.c
 *           trace/file.c observer/ledger/?*.c observer/report/?*.c
 */
#include "observer/report/report.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void report(const struct ledger *ledger)
{
	const struct report_style style = { .colour = 1, .width = 70 };
	FILE *out = fopen("/dev/null", "w");

	if (!out)
		return;
	report_text(out, ledger, &style);
	report_json(out, ledger);
	fclose(out);
}

/* What must hold whatever the run says. */
static void demand(const struct ledger *ledger)
{
	uint64_t size = 0;

	for (size_t i = 0; i < ledger->row_count; i++)
		size += ledger->row[i].reserved + ledger->row[i].committed;
	if (size != ledger->target ||
	    ledger->reserved + ledger->committed != ledger->target ||
	    ledger->target + ledger->goload + ledger->unexplained !=
	            ledger->vm_size)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(size + 1); /* aligned, as file.h asks */
	enum file_error error;
	struct ledger_run *run;
	struct ledger *ledger;

	memcpy(bytes, data, size);
	run = ledger_read(bytes, size, &error);
	ledger = run ? ledger_build(run, NULL, NULL) : NULL;
	if (ledger) {
		demand(ledger);
		report(ledger);
	}
	ledger_free(ledger);
	ledger_run_free(run);
	free(bytes);
	return 0;
}
