/*
 * Rules of --fail and --delay: how they are read, what is wrong with those that
 * are none, and which calls they hit; and what an explored program's end is
 * counted as.
 */
#define _GNU_SOURCE 1

#include "observer/cli/rules.h"
#include "observer/report/explore.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

static struct cli_rule read_rule(const char *text, bool delays)
{
	struct cli_rule_fault fault = { 0 };
	struct cli_rule rule;

	cr_assert(cli_rule_read(text, delays, &rule, &fault), "%s: %s", text,
	          fault.what);
	return rule;
}

static struct trace_event mmap_event(void)
{
	return (struct trace_event){ .call = SYS_mmap };
}

/* Which of the first 12 calls that fit are hit: "..x" is the third. */
static void hits(const char *text, const char *wanted)
{
	struct cli_rule rule = read_rule(text, false);
	const struct trace_event event = mmap_event();
	char got[13] = "";

	for (int i = 0; i < 12; i++)
		got[i] = cli_rule_hits(&rule, &event, NULL) ? 'x' : '.';
	cr_expect(eq(str, got, (char *)wanted), "%s", text);
	cli_rule_free(&rule);
}

Test(rules, which_calls)
{
	hits("mmap", "xxxxxxxxxxxx");
	hits("mmap:when=6", ".....x......");
	hits("mmap:when=6+", ".....xxxxxxx");
	hits("mmap:when=3+4", "..x...x...x.");
	hits("mmap:when=2..4", ".xxx........");
	hits("mmap:when=2..9+3", ".x..x..x....");
	hits("any:every=5", "....x....x..");
	hits("munmap", "............");
}

/* The words of a rule, read. */
Test(rules, words)
{
	struct cli_rule rule = read_rule(
		"mmap:EAGAIN:from=std::vector<int>::grow:kind=page summary:"
		"at=0badcafe:delay=50ms",
		false);

	cr_expect(eq(u32, rule.call, SYS_mmap));
	cr_expect(eq(u32, rule.answer.error, EAGAIN));
	cr_expect(eq(u32, rule.answer.delay, 50000));
	cr_expect(eq(str, rule.from, (char *)"std::vector<int>::grow"));
	cr_expect(eq(str, rule.kind, (char *)"page summary"));
	cr_expect(rule.has_id);
	cr_expect(eq(u32, rule.id, 0x0badcafe));
	cli_rule_free(&rule);
}

Test(rules, errors_and_delays)
{
	struct cli_rule rule = read_rule("brk", false);

	cr_expect(eq(u32, rule.answer.error, ENOMEM));
	rule = read_rule("brk:13", false);
	cr_expect(eq(u32, rule.answer.error, 13));
	rule = read_rule("any:1.5ms", true);
	cr_expect(eq(u32, rule.call, RULE_ANY));
	cr_expect(eq(u32, rule.answer.error, 0));
	cr_expect(eq(u32, rule.answer.delay, 1500));
	rule = read_rule("any:1ns", true); /* not nothing */
	cr_expect(eq(u32, rule.answer.delay, 1));
	rule = read_rule("any:when=2:delay=2s", true);
	cr_expect(eq(u32, rule.answer.delay, 2000000));
}

static const struct {
	const char *text;
	bool delays;
	const char *word, *what;
} wrong[] = {
	{ "", false, "", "is no memory call, nor any" },
	{ "map", false, "map", "is no memory call, nor any" },
	{ "openat", false, "openat", "is no memory call, nor any" },
	{ "prctl", false, "prctl", "is no memory call, nor any" },
	{ "mmap:", false, "", "is the name of no error" },
	{ "mmap:ENOMEN:when=6", false, "ENOMEN", "is the name of no error" },
	{ "mmap:0", false, "0", "is the name of no error" },
	{ "mmap:4096", false, "4096", "is the name of no error" },
	{ "mmap:EAGAIN:ENOMEM", false, "ENOMEM", "is a second error" },
	{ "mmap:when=0", false, "when=0", "counts from 1" },
	{ "mmap:when=", false, "when=", "counts from 1" },
	{ "mmap:when=-1", false, "when=-1", "counts from 1" },
	{ "mmap:when=99999999999999999999", false, "when=99999999999999999999",
	  "counts from 1" },
	{ "mmap:when=6..5", false, "when=6..5", "ends before it begins" },
	{ "mmap:when=6..", false, "when=6..", "ends before it begins" },
	{ "mmap:when=6+0", false, "when=6+0", "steps by 1 or more" },
	{ "mmap:when=6x", false, "when=6x",
	  "is none of N, N+, N+STEP, N..M and N..M+STEP" },
	{ "mmap:when=6..9+", false, "when=6..9+",
	  "is none of N, N+, N+STEP, N..M and N..M+STEP" },
	{ "mmap:when=1:every=2", false, "every=2",
	  "is a second when or every" },
	{ "mmap:every=0", false, "every=0", "is no number from 1 on" },
	{ "mmap:every=2+", false, "every=2+", "is no number from 1 on" },
	{ "mmap:from=", false, "from=", "names nothing" },
	{ "mmap:kind=a:kind=b", false, "kind=b", "is there twice" },
	{ "mmap:at=12345", false, "at=12345",
	  "is no stack id: 8 digits, 0 to f" },
	{ "mmap:at=1234567G", false, "at=1234567G",
	  "is no stack id: 8 digits, 0 to f" },
	{ "mmap:how=6", false, "how=6",
	  "is none of when, every, from, kind, at and delay" },
	{ "mmap:delay=soon", false, "delay=soon", "is no time: 50ms, 2s" },
	{ "mmap:delay=0", false, "delay=0", "is no time: 50ms, 2s" },
	{ "mmap:delay=3601s", false, "delay=3601s", "is more than an hour" },
	{ "mmap", true, "mmap", "does not say how long: mmap:50ms" },
	{ "mmap:ENOMEM", true, "ENOMEM", "is no time: 50ms, 2s" },
	{ "mmap:1ms:2ms", true, "2ms", "is a second delay" },
};

/* Each says which word is wrong, and where it stands. */
Test(rules, faults)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct cli_rule_fault fault = { 0 };
		struct cli_rule rule;

		cr_expect(not(cli_rule_read(wrong[i].text, wrong[i].delays,
		                            &rule, &fault)),
		          "%s", wrong[i].text);
		cr_expect(eq(str, (char *)fault.what, (char *)wrong[i].what),
		          "%s", wrong[i].text);
		cr_expect(fault.size == strlen(wrong[i].word) &&
		                  !memcmp(wrong[i].text + fault.at,
		                          wrong[i].word, fault.size),
		          "%s: at %zu, %zu characters", wrong[i].text, fault.at,
		          fault.size);
	}
}

/* ---- callers
 * ------------------------------------------------------------------ */

static const struct ledger_frame frames[] = {
	{ .place.function = "runtime.mmap" },
	{ .place.function = NULL },
	{ .place.function = "runtime.(*mheap).grow" },
	{ .place.function = "vector::grow",
	  .place.linker = "_ZN6vector4growEv" },
};

static const struct ledger_caller caller = {
	.id = 0x12345678,
	.kind = "heap",
	.frame = frames,
	.frame_count = sizeof(frames) / sizeof(frames[0]),
};

static bool fits(const char *text, const struct ledger_caller *from)
{
	struct cli_rule rule = read_rule(text, false);
	const struct trace_event event = mmap_event();
	bool hit = cli_rule_hits(&rule, &event, from);

	cli_rule_free(&rule);
	return hit;
}

Test(rules, from_where)
{
	cr_expect(fits("any:from=runtime.mmap", &caller));
	cr_expect(fits("any:from=runtime.(*mheap).grow", &caller));
	cr_expect(fits("any:from=runtime.*grow", &caller));
	cr_expect(fits("any:from=vector::grow", &caller));
	cr_expect(fits("any:from=_ZN6vector*", &caller));
	cr_expect(not(fits("any:from=runtime.map", &caller)));
	cr_expect(not(fits("any:from=runtime", &caller)));
	cr_expect(fits("any:kind=Heap", &caller));
	cr_expect(not(fits("any:kind=heap index", &caller)));
	cr_expect(fits("any:at=12345678", &caller));
	cr_expect(not(fits("any:at=12345679", &caller)));
	cr_expect(not(fits("any:at=12345678:kind=stack", &caller)));
	cr_expect(not(fits("any:kind=heap", NULL)));
}

/* A call that does not fit is not counted. */
Test(rules, counting)
{
	struct cli_rule rule = read_rule("any:kind=heap:when=2", false);
	const struct ledger_caller other = { .kind = "stack" };
	const struct trace_event event = mmap_event();

	cr_expect(not(cli_rule_hits(&rule, &event, &caller)));
	cr_expect(not(cli_rule_hits(&rule, &event, &other)));
	cr_expect(cli_rule_hits(&rule, &event, &caller));
	cli_rule_free(&rule);
}

/* Where it is asked where the break is nothing can fail. */
Test(rules, brk_that_asks)
{
	struct cli_rule rule = read_rule("brk:when=1", false);
	struct trace_event event = { .call = SYS_brk };

	cr_expect(not(cli_rule_hits(&rule, &event, NULL)));
	event.args[0] = 0x1000;
	cr_expect(cli_rule_hits(&rule, &event, NULL));
}

/* ---- explored
 * ------------------------------------------------------------------ */

static const struct {
	struct report_ending ending;
	enum report_outcome outcome;
} endings[] = {
	{ { .output = "" }, REPORT_NOT_REACHED },
	{ { .reached = true, .hung = true, .output = "" }, REPORT_HANG },
	{ { .reached = true, .as_ever = true, .output = "panic: no\n" },
	  REPORT_SURVIVED },
	{ { .reached = true, .status = SIGSEGV, .output = "" }, REPORT_CRASH },
	{ { .reached = true,
	    .status = 2 << 8,
	    .output = "fatal error: runtime: out of memory\n" },
	  REPORT_CLEAN_ERROR },
	{ { .reached = true,
	    .status = 2 << 8,
	    .output = "fatal error: fault\n[signal SIGSEGV: segmentation" },
	  REPORT_CRASH },
	{ { .reached = true, .status = 2 << 8, .output = "x\npanic: no\n" },
	  REPORT_CRASH },
	{ { .reached = true, .status = 2 << 8, .output = "no panic: x\n" },
	  REPORT_CLEAN_ERROR },
	{ { .reached = true, .status = 1 << 8, .output = "no memory\n" },
	  REPORT_CLEAN_ERROR },
	{ { .reached = true,
	    .status = 128 << 8,
	    .output = "fatal: Out of memory, malloc failed\n" },
	  REPORT_CLEAN_ERROR },
	{ { .reached = true,
	    .status = 1 << 8,
	    .output = "it says fatal: bad g in signal handler\n" },
	  REPORT_CLEAN_ERROR },
	{ { .reached = true,
	    .status = 1 << 8,
	    .output = "child: SIGSEGV: segmentation violation\n" },
	  REPORT_CLEAN_ERROR },
	{ { .reached = true,
	    .status = 2 << 8,
	    .output = "x\nfatal: morestack on g0\n" },
	  REPORT_CRASH },
	{ { .reached = true,
	    .status = 2 << 8,
	    .output = "\nSIGSEGV: segmentation violation\nPC=0x1\n" },
	  REPORT_CRASH },
};

Test(explore, outcomes)
{
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		cr_expect(report_outcome_of(&endings[i].ending) ==
		                  endings[i].outcome,
		          "%zu", i);
}

static void tells(const char *output, const char *usual, const char *wanted)
{
	char line[20] = "";

	cr_expect(report_telling_line(output, usual, line, sizeof(line)) ==
	          (*wanted != 0));
	cr_expect(eq(str, line, (char *)wanted));
}

Test(explore, telling_line)
{
	tells("", "", "");
	tells("hello\n", "hello\n", "");
	tells("hello\n", "hell\n", "hello");
	tells("hello\n\nno memory\nbye\n", "hello\n", "no memory");
	tells("x\nfatal error: out\ny\n", "", "fatal error: out");
	tells("a line longer than that", "", "a line longer than ");
	tells("b\na\n", "a\nb\n", "");
	tells("b\n\na\nc", "a\nb", "c");
	tells("a\nfatal: bad g\n", "a\nfatal: bad g\n", "fatal: bad g");
}

#define MANY 300000

static char *numbered(int first, int step)
{
	char *text = malloc(MANY * 8 + 1), *at = text;

	for (int i = 0, n = first; i < MANY; i++, n += step)
		at += sprintf(at, "%07d\n", n);
	return text;
}

/* Threads say the same in another order: no line is looked for in all others,
 * which would take minutes. */
Test(explore, many_lines, .timeout = 60)
{
	char *up = numbered(0, 1), *down = numbered(MANY - 1, -1);

	tells(up, down, "");
	free(up);
	free(down);
}
