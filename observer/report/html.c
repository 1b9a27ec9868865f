/*
 * The page: what web/ was built to, then the data, in an element that is no
 * script.  Nothing of a run stands in it in any other way.
 */
#include "observer/report/html.h"

#include <stdlib.h>

extern const char report_page[];
extern const uint64_t report_page_size;

int report_has_page(void)
{
	return report_page_size > 0;
}

static void page_free(struct page *page)
{
	ledger_frames_close(page->names);
	pool_free(&page->texts);
	pool_free(&page->frames);
	pool_free(&page->stacks);
	pool_free(&page->calls);
	free(page->stack_of);
	free(page->group);
}

static int write_page(FILE *out, struct page *page)
{
	int done = 0;

	page->names = ledger_frames_open(page->ledger->run, page->namer,
	                                 page->context);
	page->out = pack_open(out);
	fwrite(report_page, 1, report_page_size, out);
	if (page->out) {
		page_write(page);
		done = fclose(page->out) == 0 && !page->failed;
	}
	fputs("</script>\n", out);
	return done;
}

int report_html(FILE *out, const struct ledger *ledger, ledger_namer *namer,
                void *context, int redact)
{
	struct redacted redacted = { .row = NULL };
	struct page page = {
		.ledger = ledger,
		.shown = redact ? &redacted.ledger : ledger,
		.redacted = redact ? &redacted : NULL,
		.namer = namer,
		.context = context,
	};
	int done = (!redact || redact_ledger(&redacted, ledger)) &&
	           write_page(out, &page);

	page_free(&page);
	redact_free(&redacted);
	return done;
}
