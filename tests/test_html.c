/*
 * The page of small runs: what its data says, and what it does not.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "observer/report/report.h"
#include "tests/run_builder.h"

#include <zlib.h>

#define MIB  (1ull << 20)
#define EVIL "</script><img src=x onerror=alert(1)>"

/* ---- a page, taken apart ------------------------------------------------- */

static char *page_of(const struct ledger *ledger, ledger_namer *namer,
                     int redact)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert(report_html(out, ledger, namer, NULL, redact));
	fclose(out);
	cr_assert(size > 9 && strcmp(text + size - 10, "</script>\n") == 0);
	text[size - 10] = '\0';
	return text;
}

static int digit_of(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Base64 is all there is behind the page; in place. */
static size_t decode(char *text)
{
	size_t size = 0;
	uint32_t word = 0;

	cr_expect(strlen(text) % 4 == 0);
	for (size_t i = 0; text[i] && text[i] != '='; i++) {
		cr_assert(digit_of(text[i]) >= 0, "%c", text[i]);
		word = word << 6 | (uint32_t)digit_of(text[i]);
		if (i % 4)
			text[size++] = (char)(word >> (6 - 2 * (i % 4)));
	}
	return size;
}

static char *unpack(char *bytes, size_t size)
{
	size_t room = 64 * MIB;
	char *text = calloc(1, room);
	z_stream stream = {
		.next_in = (Bytef *)bytes,
		.avail_in = (uInt)size,
		.next_out = (Bytef *)text,
		.avail_out = (uInt)room - 1,
	};

	cr_assert(inflateInit2(&stream, MAX_WBITS + 16) == Z_OK);
	cr_expect(inflate(&stream, Z_FINISH) == Z_STREAM_END);
	cr_expect(stream.avail_in == 0);
	inflateEnd(&stream);
	return text;
}

extern const uint64_t report_page_size;

static char *data_with(struct ledger *ledger, ledger_namer *namer, int redact)
{
	char *page = page_of(ledger, namer, redact);
	char *data = page + report_page_size;
	char *text = unpack(data, decode(data));

	free(page);
	return text;
}

static char *data_of(struct ledger *ledger, int redact)
{
	return data_with(ledger, run_namer, redact);
}

static void expect_part(const char *text, const char *part)
{
	cr_expect(strstr(text, part) != NULL, "no %s in\n%.4000s", part, text);
}

static void expect_none(const char *text, const char *part)
{
	cr_expect(strstr(text, part) == NULL, "%s in\n%.4000s", part, text);
}

/* Adds up numbers 2, 3 ... of each [ ] behind `name`:[ ... ]. */
static void sum_steps(const char *text, uint64_t last_edge, uint64_t sum[6])
{
	const char *at = strstr(text, "\"steps\":[");

	memset(sum, 0, 6 * sizeof(*sum));
	cr_assert(at != NULL);
	for (at += 9; *at == '[' || *at == ',';) {
		uint64_t number[8];
		char *end;

		at += *at == ',';
		for (int i = 0; i < 8; i++) {
			number[i] = strtoull(at + 1, &end, 10);
			at = end;
		}
		for (int i = 0; i < 3; i++)
			sum[i] += number[2 + i];
		if (number[1] == last_edge)
			for (int i = 3; i < 6; i++)
				sum[i] += number[2 + i];
		at++;
	}
}

/* ---- what it says -------------------------------------------------------- */

Test(html, has_rows_and_mappings)
{
	struct run run = run_new();
	struct ledger *ledger;
	char *text;

	STACK(&run, SYSMMAP, SYSRESERVE, HSYSALLOC, GROW, SCHEDINIT);
	run_mmap(&run, SPAN(0, 64), PROT_NONE, ANON);
	STACK(&run, SYSMMAP, SYSMAP, GROW, MALLOCGC, MAIN);
	run_mmap(&run, SPAN(0, 4), RW, ANON | MAP_FIXED);
	run_resident(&run, BASE, 4 * PAGE, 2 * PAGE);
	ledger = ledger_of(&run, lines(RW_LINE(0, 4), NONE_LINE(4, 60), ""));
	text = data_of(ledger, 0);
	expect_part(text, "{\"kind\":\"heap\",\"owner\":\"Go runtime\","
	                  "\"reserved\":245760,\"committed\":16384,"
	                  "\"resident\":8192,");
	/* the first 4 pages of the reservation, which ended, then both parts */
	expect_part(text, "\"size\":[16384,245760,16384]");
	expect_part(text, "\"last\":[0,1,1]");
	expect_part(text, "\"prot\":[0,0,3]");
	expect_part(text, "\"resident\":[0,0,8192]");
	expect_part(text, "\"stack\":[2,2,3]");
	expect_part(text, "\"stacks\":[[0,");
	expect_part(text, "\"runtime.(*mheap).sysAlloc\"");
	expect_part(text, "\"/src/main.go\"");
	expect_part(text, "[\"VmSize is 256 KiB.\"");
	expect_part(text, "\"rest\":{\"count\":0,");
	free(text);
	done(&run, ledger);
}

Test(html, of_nothing_is_a_page)
{
	struct run run = run_new();
	struct ledger *ledger;
	char *text;

	ledger = run_ledger(&run);
	text = data_of(ledger, 0);
	expect_part(text, "\"rows\":[]");
	expect_part(text, "\"lives\":{\"v\":1,\"start\":[]");
	free(text);
	text = data_of(ledger, 1);
	expect_part(text, "\"path\":\"program\"");
	free(text);
	done(&run, ledger);
}

Test(html, has_what_was_resident_before)
{
	const struct file_resident range[] = {
		{ .start = BASE, .end = BASE + 4 * PAGE, .bytes = 3 * PAGE },
		{ .start = BASE + 8 * PAGE,
		  .end = BASE + 9 * PAGE,
		  .bytes = 1 },
	};
	struct ledger_shot shot[130];
	struct run run = run_new();
	struct ledger *ledger;
	char *text;

	run_mmap(&run, SPAN(0, 16), RW, ANON);
	ledger = ledger_of(&run, RW_LINE(0, 16));
	for (size_t i = 0; i < 130; i++)
		shot[i] = (struct ledger_shot){ 1000 + i, range, i ? 2 : 0, 0 };
	run.read->shot = shot;
	run.read->shot_count = 130; /* of which every third is taken */
	text = data_of(ledger, 0);
	expect_part(text, "\"shots\":[{\"t\":0,\"start\":[],");
	expect_part(text, "{\"t\":3,\"start\":[139637976727552,"
	                  "139637976760320],\"size\":[16384,4096],"
	                  "\"bytes\":[12288,1]},{\"t\":6,");
	expect_part(text, "{\"t\":129,");
	free(text);
	run.read->shot = NULL;
	run.read->shot_count = 0;
	done(&run, ledger);
}

/* The frames of each mapping at the end are those of ledger_why(). */
Test(html, has_the_stacks_behind_rows)
{
	struct run run = run_new();
	struct ledger *ledger;
	struct ledger_why *why;
	struct ledger_lives *lives;
	struct ledger_frames *frames;

	STACK(&run, SYSMMAP, SYSRESERVE, HSYSALLOC, GROW, SCHEDINIT);
	run_mmap(&run, SPAN(0, 64), PROT_NONE, ANON);
	ledger = ledger_of(&run, NONE_LINE(0, 64));
	why = ledger_why(ledger, &ledger->row[0], run_namer, NULL);
	lives = ledger_lives(ledger, run_namer, NULL);
	frames = ledger_frames_open(ledger->run, run_namer, NULL);
	cr_assert(why && lives && frames);
	cr_assert(eq(sz, why->stack_count, 1));
	cr_assert(eq(sz, lives->count, 1));
	for (int again = 0; again < 2; again++) {
		const struct ledger_frame *first;
		size_t count =
			ledger_frames_of(frames, lives->life[0].event, &first);

		cr_assert(eq(sz, count, why->stack[0].frame_count));
		for (size_t i = 0; i < count; i++) {
			const struct ledger_frame *frame =
				&why->stack[0].frame[i];

			cr_expect(eq(u64, first[i].address, frame->address));
			cr_expect(eq(str, (char *)first[i].place.function,
			             (char *)frame->place.function));
		}
	}
	ledger_frames_close(frames);
	ledger_lives_free(lives);
	ledger_why_free(why);
	done(&run, ledger);
}

/* ---- many mappings ------------------------------------------------------- */

/* 2 x 40,000 that come and go, of 1 or 3 pages; they are told together, but for
 * the largest, and nothing is missing. */
Test(html, adds_up_what_it_does_not_tell)
{
	enum { COUNT = 40000, TOLD = 32768 };
	struct run run = run_new();
	struct ledger *ledger;
	uint64_t sum[6], told = 0;
	char *text, *at;

	run_mmap(&run, SPAN(0, 1), PROT_NONE, ANON);
	for (unsigned i = 0; i < COUNT; i++) {
		run_mmap(&run, SPAN(10, 1 + i % 2 * 2), RW, ANON);
		run_munmap(&run, SPAN(10, 1 + i % 2 * 2));
	}
	ledger = ledger_of(&run, NONE_LINE(0, 1));
	text = data_of(ledger, 0);
	sum_steps(text, 255, sum);
	at = strstr(text, "\"size\":[");
	for (at += 7; *at == '[' || *at == ',';) {
		uint64_t size = strtoull(at + 1, &at, 10);

		told += size;
	}
	/* the page at the start is told, it is of the end */
	cr_expect(eq(u64, sum[0], COUNT + 1 - TOLD));
	cr_expect(eq(u64, sum[1], 0));
	cr_expect(eq(u64, sum[2] + told, (COUNT * 2 + 1) * PAGE));
	for (int i = 3; i < 6; i++)
		cr_expect(eq(u64, sum[i], 0));
	cr_expect(strlen(text) < 3 * MIB);
	free(text);
	done(&run, ledger);
}

/* More at the end than are told: the others are there at the last edge. */
Test(html, adds_up_what_is_there_at_the_end)
{
	enum { COUNT = 33000, TOLD = 32768 };
	struct run run = run_new();
	struct ledger *ledger;
	uint64_t sum[6];
	char *text;

	for (unsigned i = 0; i < COUNT; i++)
		run_mmap(&run, SPAN(2 * i, 1), RW, ANON);
	ledger = ledger_of(&run, NULL);
	text = data_of(ledger, 0);
	sum_steps(text, 255, sum);
	cr_expect(eq(u64, sum[0], COUNT - TOLD));
	cr_expect(eq(u64, sum[3], COUNT - TOLD));
	cr_expect(eq(u64, sum[5], (COUNT - TOLD) * PAGE));
	free(text);
	done(&run, ledger);
}

/* ---- names of others ----------------------------------------------------- */

static int evil_namer(void *context, uint64_t address,
                      struct ledger_place *place)
{
	(void)context;
	(void)address;
	*place = (struct ledger_place){
		.function = EVIL,
		.file = "/src/" EVIL "/\xff\x01\"\\.go",
		.line = 7,
	};
	return 1;
}

Test(html, is_not_ended_by_a_name)
{
	struct run run = run_new();
	struct ledger *ledger;
	char *page, *text;

	STACK(&run, MAIN);
	run_mmap(&run, SPAN(0, 4), RW, ANON);
	ledger = ledger_of(&run, RW_LINE(0, 4));
	page = page_of(ledger, evil_namer, 0);
	expect_none(page + report_page_size, "<");
	free(page);
	text = data_with(ledger, evil_namer, 0);
	expect_part(text, "\"" EVIL "\"");
	expect_part(text, "/\\ufffd\\u0001\\\"\\\\.go\"");
	free(text);
	done(&run, ledger);
}

/* ---- what is left out ---------------------------------------------------- */

Test(html, leaves_out_who_and_where)
{
	static const char *const secrets[] = {
		"./http", "a \\\"b\\\"", "cafe",       "\"host\":\"host\"",
		"/src/",  "main.go",     "\"pid\":42", "secret"
	};
	struct run run = run_new();
	struct ledger *ledger;
	char *text;

	STACK(&run, SYSMMAP, SYSRESERVE, HSYSALLOC, GROW, SCHEDINIT);
	run_mmap(&run, SPAN(0, 64), PROT_NONE, ANON);
	run_call(&run, SYS_mmap, BASE + 100 * PAGE, 0, 4 * PAGE, PROT_READ,
	         MAP_PRIVATE, 3);
	ledger = ledger_of(
		&run, lines(NONE_LINE(0, 64),
	                    "7f0000064000-7f0000068000 r--p 00000000 08:01 "
	                    "77 /home/secret/secretfile\n",
	                    ""));
	text = data_of(ledger, 0);
	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
		expect_part(text, secrets[i]);
	expect_part(text, "\"file secretfile\"");
	free(text);
	text = data_of(ledger, 1);
	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
		expect_none(text, secrets[i]);
	expect_part(text, "\"kind\":\"file 1\"");
	expect_part(text, "runtime.schedinit");
	expect_part(text, "go1.26.8");
	free(text);
	done(&run, ledger);
}
