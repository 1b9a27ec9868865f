/*
 * A verdict as JUnit's XML: a test case for the program itself, for each limit,
 * and for the rule that there are no new kinds.
 */
#include "observer/report/budget_internal.h"

#include <stdlib.h>
#include <string.h>

/* As text or in an attribute; what XML cannot hold is shown as '?'. */
static void print_xml(FILE *out, const char *string)
{
	const unsigned char *text = (const unsigned char *)string;

	while (*text) {
		int size = *text < 128 ? 1 : utf8_size(text);

		if (strchr("&<>\"\n", *text))
			fprintf(out, "&#%d;", *text);
		else if (size == 0 || *text < ' ' || *text == 127 ||
		         (size == 3 && memcmp(text, "\xef\xbf", 2) == 0 &&
		          text[2] >= 0xbe))
			putc('?', out);
		else
			fwrite(text, 1, (size_t)size, out);
		text += size ? size : 1;
	}
}

struct suite {
	FILE *out;
	const struct budget_verdict *verdict;
};

static void begin_case(const struct suite *suite, const char *what,
                       const char *kind)
{
	const char *path = suite->verdict->found->ledger->run->path;

	fputs("    <testcase classname=\"goload.", suite->out);
	print_xml(suite->out, units_base_name(path));
	fprintf(suite->out, "\" name=\"%s%s", what, kind ? " " : "");
	if (kind)
		print_xml(suite->out, kind);
	fputs("\">", suite->out);
}

static void end_case(const struct suite *suite)
{
	fputs("</testcase>\n", suite->out);
}

static void add_failure(const struct suite *suite, const char *message,
                        const char *text)
{
	fputs("<failure type=\"budget\" message=\"", suite->out);
	print_xml(suite->out, message);
	fputs("\">", suite->out);
	print_xml(suite->out, text);
	fputs("</failure>", suite->out);
}

/* What the budget's other forms say; 0 when memory is short. */
static int add_excess(const struct suite *suite,
                      const struct budget_excess *excess)
{
	char *sentence = NULL, *code = NULL;
	size_t size;
	FILE *out = open_memstream(&sentence, &size);
	int done;

	if (out) {
		budget_print_sentence(out, suite->verdict, excess);
		fclose(out);
	}
	out = open_memstream(&code, &size);
	if (out) {
		budget_print_code(out, suite->verdict, excess);
		fclose(out);
	}
	done = sentence && code;
	if (done)
		add_failure(suite, sentence, code);
	free(sentence);
	free(code);
	return done;
}

static int add_limit(const struct suite *suite,
                     const struct budget_limit *limit)
{
	const struct budget_verdict *verdict = suite->verdict;
	int done = 1;

	begin_case(suite, budget_name(limit->what), limit->kind);
	for (size_t i = 0; i < verdict->count; i++)
		if (verdict->excess[i].limit == limit)
			done &= add_excess(suite, &verdict->excess[i]);
	end_case(suite);
	return done;
}

static int add_no_new_kinds(const struct suite *suite)
{
	const struct budget_verdict *verdict = suite->verdict;
	int done = 1;

	begin_case(suite, "no new kinds", NULL);
	for (size_t i = 0; i < verdict->count; i++)
		if (!verdict->excess[i].limit)
			done &= add_excess(suite, &verdict->excess[i]);
	end_case(suite);
	return done;
}

static int has_new_kinds(const struct budget_verdict *verdict)
{
	for (size_t i = 0; i < verdict->count; i++)
		if (!verdict->excess[i].limit)
			return 1;
	return 0;
}

/* Test cases that fail: new kinds are one. */
static size_t count_failures(const struct budget_verdict *verdict)
{
	size_t count = has_new_kinds(verdict) + (verdict->failure != NULL);

	for (size_t i = 0; i < verdict->count; i++)
		count += verdict->excess[i].limit != NULL;
	return count;
}

int budget_junit(FILE *out, const struct budget_verdict *verdict)
{
	const struct budget *budget = verdict->budget;
	const struct suite suite = { .out = out, .verdict = verdict };
	int done = 1;

	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
	      "  <testsuite name=\"goload check ",
	      out);
	print_xml(out, verdict->found->ledger->run->path);
	fprintf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\">\n",
	        1 + budget->count + (budget->no_new_kinds != 0),
	        count_failures(verdict));
	begin_case(&suite, "the program ends well", NULL);
	if (verdict->failure)
		add_failure(&suite, verdict->failure, "");
	end_case(&suite);
	for (size_t i = 0; i < budget->count; i++)
		done &= add_limit(&suite, &budget->limit[i]);
	if (budget->no_new_kinds)
		done &= add_no_new_kinds(&suite);
	fputs("  </testsuite>\n</testsuites>\n", out);
	return done;
}
