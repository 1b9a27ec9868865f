/*
 * The map of one small run at two moments, one address, and the kernel's
 * listings: to the letter.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "observer/report/report.h"
#include "tests/run_builder.h"

#define MIB (1ull << 20)

/* Reserved at 10 ms, 4 MiB of it committed at 30 ms by another thread, a part
 * of that read-only at 50 ms; 100 ms. */
static struct ledger *small_run(struct run *run)
{
	*run = run_new();
	run_fact(run, SPAN(30000, 2), PROT_READ | PROT_EXEC, TRACE_WHAT_FILE);
	run->tsc = 10000000;
	STACK(run, SYSMMAP, SYSRESERVE, HSYSALLOC, GROW, SCHEDINIT);
	run_mmap(run, BASE, 64 * MIB, PROT_NONE, ANON);
	run->tsc = 20000000;
	run->thread = 78;
	run_call(run, TRACE_THREAD, 0, 4712, 0, 0, 0, 0);
	run->thread = 77;
	run_call(run, TRACE_THREAD, 0, 4711, 0, 0, 0, 0);
	run->thread = 79;
	run_call(run, TRACE_THREAD, 0, 4713, 0, 0, 0, 0);
	run->thread = 77;
	run->tsc = 30000100;
	STACK(run, SYSMMAP, SYSMAP, GROW, MALLOCGC, MAIN);
	run_mmap(run, BASE, 4 * MIB, RW, ANON | MAP_FIXED);
	run->tsc = 50000000;
	run_mprotect(run, BASE, MIB, PROT_READ);
	run->tsc = 100000000;
	run_resident(run, BASE, 2 * MIB, 2 * MIB);
	return ledger_of(
		run, lines(run_line(0, 256, "r--", ""),
	                   lines(RW_LINE(256, 768), NONE_LINE(1024, 15360), ""),
	                   run_line(30000, 2, "r-x", "")));
}

enum what { MAP, ADDRESS };

static char *text_of(enum what what, uint64_t t, uint64_t address,
                     const struct report_style *style)
{
	struct run run;
	struct ledger *ledger = small_run(&run);
	struct ledger_lives *lives = ledger_lives(ledger, run_namer, NULL);
	struct ledger_frames *frames =
		ledger_frames_open(ledger->run, run_namer, NULL);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert(lives && frames && out);
	if (what == MAP)
		cr_assert(report_map(out, ledger, lives, t, style) == 1);
	else
		cr_assert(report_address(out, ledger, lives, frames, t, address,
		                         style) == 1);
	fclose(out);
	ledger_frames_close(frames);
	ledger_lives_free(lives);
	done(&run, ledger);
	return text;
}

static void expect_text(char *text, const char *golden)
{
	cr_expect(strcmp(text, golden) == 0, "%s", text);
	free(text);
}

static const struct report_style plain = { 0 };

Test(map, is_the_kernels_with_causes)
{
	expect_text(text_of(MAP, 99999000, 0, &plain),
	            "./http at the end, 0.10 s: VmSize 64.0 MiB, 2.0 MiB "
	            "resident\n"
	            "\n"
	            "address                        offset          size    "
	            "resident   what, whose; by whom; which file\n"
	            "7f0000000000-7f0000100000 r--p 00000000     1.0 MiB     "
	            "1.0 MiB   heap, Go runtime  main.handle main.go:10\n"
	            "7f0000100000-7f0000400000 rw-p 00000000     3.0 MiB     "
	            "1.0 MiB   heap, Go runtime  main.handle main.go:10\n"
	            "7f0000400000-7f0004000000 ---p 00000000    60.0 MiB       "
	            "    -   heap, Go runtime  runtime.(*mheap).sysAlloc "
	            "main.go:80, at start\n"
	            "7f0007530000-7f0007532000 r-xp 00000000       8 KiB       "
	            "    -   text, program\n");
}

Test(map, of_another_moment)
{
	expect_text(text_of(MAP, 20000000, 0, &plain),
	            "./http at 20.0 ms of 0.10 s: VmSize 64.0 MiB; resident: "
	            "not known at that moment\n"
	            "\n"
	            "address                        offset          size    "
	            "resident   what, whose; by whom; which file\n"
	            "7f0000000000-7f0004000000 ---p 00000000    64.0 MiB       "
	            "    ?   heap, Go runtime  runtime.(*mheap).sysAlloc "
	            "main.go:80, at start\n"
	            "7f0007530000-7f0007532000 r-xp 00000000       8 KiB       "
	            "    ?   text, program\n");
}

Test(map, as_json)
{
	expect_text(text_of(MAP, 20000000, 0, NULL),
	            "{\n"
	            "  \"schema\": \"goload/1\",\n"
	            "  \"run\": {\"path\": \"./http\", \"pid\": 42, "
	            "\"started\": 5, \"duration\": 99999000},\n"
	            "  \"at\": 20000000,\n"
	            "  \"totals\": {\"vm_size\": 67117056, \"resident\": null, "
	            "\"resident_at\": null},\n"
	            "  \"mappings\": [\n"
	            "    {\"start\": \"0x7f0000000000\", \"end\": "
	            "\"0x7f0004000000\", \"perms\": \"---p\", \"offset\": "
	            "\"0x0\", \"size\": 67108864, \"resident\": null, "
	            "\"from\": 9999010, \"kind\": \"heap\", \"owner\": \"Go "
	            "runtime\", \"path\": null, \"site\": {\"function\": "
	            "\"runtime.(*mheap).sysAlloc\", \"file\": "
	            "\"/src/main.go\", \"line\": 80, \"address\": \"0x8\", "
	            "\"at_start\": true}},\n"
	            "    {\"start\": \"0x7f0007530000\", \"end\": "
	            "\"0x7f0007532000\", \"perms\": \"r-xp\", \"offset\": "
	            "\"0x0\", \"size\": 8192, \"resident\": null, \"from\": 0, "
	            "\"kind\": \"text\", \"owner\": \"program\", \"path\": "
	            "null, \"site\": null}\n"
	            "  ]\n"
	            "}\n");
}

Test(map, of_one_address)
{
	expect_text(
		text_of(ADDRESS, 40000000, BASE + 12, &plain),
		"0x7f000000000c at 40.0 ms:\n"
		"\n"
		"7f0000000000-7f0000100000 rw-p 00000000     1.0 MiB       "
		"    ?   heap, Go runtime\n"
		"\n"
		"  made by mmap at 30.0 ms, thread 4711\n"
		"      runtime.sysMmap.abi0 /src/main.go:130\n"
		"      runtime.sysMapOS /src/main.go:40\n"
		"      runtime.(*mheap).grow /src/main.go:30\n"
		"      runtime.mallocgc /src/main.go:20\n"
		"      main.handle /src/main.go:10\n"
		"\n"
		"  from   10.0 ms until   30.0 ms  "
		"7f0000000000-7f0000400000 ---p 00000000  heap, Go runtime\n"
		"* from   30.0 ms until   50.0 ms  "
		"7f0000000000-7f0000100000 rw-p 00000000  heap, Go runtime\n"
		"  from   50.0 ms until   the end  "
		"7f0000000000-7f0000100000 r--p 00000000  heap, Go runtime\n");
}

Test(map, of_one_address_as_json)
{
	expect_text(text_of(ADDRESS, 40000000, BASE + 12, NULL),
	            "{\n"
	            "  \"schema\": \"goload/1\",\n"
	            "  \"run\": {\"path\": \"./http\", \"pid\": 42, "
	            "\"started\": 5, \"duration\": 99999000},\n"
	            "  \"at\": 40000000,\n"
	            "  \"address\": \"0x7f000000000c\",\n"
	            "  \"mapping\": {\"start\": \"0x7f0000000000\", \"end\": "
	            "\"0x7f0000100000\", \"perms\": \"rw-p\", \"offset\": "
	            "\"0x0\", \"size\": 1048576, \"resident\": null, \"from\": "
	            "29999110, \"kind\": \"heap\", \"owner\": \"Go runtime\", "
	            "\"path\": null, \"site\": {\"function\": \"main.handle\", "
	            "\"file\": \"/src/main.go\", \"line\": 10, \"address\": "
	            "\"0x1\", \"at_start\": false}},\n"
	            "  \"maker\": {\"call\": \"mmap\", \"made\": 29999110, "
	            "\"thread\": 4711, \"cut\": false,\n"
	            "    \"frames\": [\n"
	            "      {\"function\": \"runtime.sysMmap.abi0\", \"file\": "
	            "\"/src/main.go\", \"line\": 130, \"address\": \"0xd\", "
	            "\"inlined\": false},\n"
	            "      {\"function\": \"runtime.sysMapOS\", \"file\": "
	            "\"/src/main.go\", \"line\": 40, \"address\": \"0x4\", "
	            "\"inlined\": false},\n"
	            "      {\"function\": \"runtime.(*mheap).grow\", \"file\": "
	            "\"/src/main.go\", \"line\": 30, \"address\": \"0x3\", "
	            "\"inlined\": false},\n"
	            "      {\"function\": \"runtime.mallocgc\", \"file\": "
	            "\"/src/main.go\", \"line\": 20, \"address\": \"0x2\", "
	            "\"inlined\": false},\n"
	            "      {\"function\": \"main.handle\", \"file\": "
	            "\"/src/main.go\", \"line\": 10, \"address\": \"0x1\", "
	            "\"inlined\": false}]},\n"
	            "  \"below\": null,\n"
	            "  \"above\": {\"start\": \"0x7f0000100000\", \"end\": "
	            "\"0x7f0000400000\", \"perms\": \"rw-p\", \"offset\": "
	            "\"0x0\", \"size\": 3145728, \"resident\": null, \"from\": "
	            "29999110, \"kind\": \"heap\", \"owner\": \"Go runtime\", "
	            "\"path\": null, \"site\": {\"function\": \"main.handle\", "
	            "\"file\": \"/src/main.go\", \"line\": 10, \"address\": "
	            "\"0x1\", \"at_start\": false}},\n"
	            "  \"lives\": [\n"
	            "    {\"start\": \"0x7f0000000000\", \"end\": "
	            "\"0x7f0000400000\", \"perms\": \"---p\", \"from\": "
	            "9999010, \"until\": 29999110, \"kind\": \"heap\", "
	            "\"owner\": \"Go runtime\"},\n"
	            "    {\"start\": \"0x7f0000000000\", \"end\": "
	            "\"0x7f0000100000\", \"perms\": \"rw-p\", \"from\": "
	            "29999110, \"until\": 49999010, \"kind\": \"heap\", "
	            "\"owner\": \"Go runtime\"},\n"
	            "    {\"start\": \"0x7f0000000000\", \"end\": "
	            "\"0x7f0000100000\", \"perms\": \"r--p\", \"from\": "
	            "49999010, \"until\": null, \"kind\": \"heap\", \"owner\": "
	            "\"Go runtime\"}]\n"
	            "}\n");
}

Test(map, where_nothing_is)
{
	expect_text(text_of(ADDRESS, 40000000, BASE + 65 * MIB, &plain),
	            "0x7f0004100000 at 40.0 ms: nothing is mapped there; its "
	            "neighbours:\n"
	            "\n"
	            "7f0000400000-7f0004000000 ---p 00000000    60.0 MiB       "
	            "    ?   heap, Go runtime\n"
	            "7f0007530000-7f0007532000 r-xp 00000000       8 KiB       "
	            "    ?   text, program\n"
	            "\n");
}

/* ---- what was resident while it ran ----------------------------------------
 */

static void expect_part(const struct ledger *ledger,
                        const struct ledger_lives *lives, uint64_t t,
                        const char *part)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert(report_map(out, ledger, lives, t, &plain) == 1);
	fclose(out);
	cr_expect(strstr(text, part) != NULL, "%s", text);
	free(text);
}

/* Seen at 20 and at 40 ms.  What began since is not known; what both looks had
 * in it counts where it is. */
Test(map, has_what_was_resident_before_the_moment)
{
	const struct file_resident early = { BASE, BASE + MIB, MIB / 2, 0, 0 };
	const struct file_resident late = { BASE, BASE + 2 * MIB, MIB, 0, 0 };
	struct ledger_shot shot[] = { { 20001000, &early, 1, MIB / 2 },
		                      { 40001000, &late, 1, MIB } };
	struct run run;
	struct ledger *ledger = small_run(&run);
	struct ledger_lives *lives = ledger_lives(ledger, run_namer, NULL);

	run.read->shot = shot;
	run.read->shot_count = 2;
	expect_part(ledger, lives, 19999999,
	            "; resident: not known at that moment\n");
	expect_part(ledger, lives, 20000000, "512 KiB resident\n");
	expect_part(ledger, lives, 25000000,
	            "512 KiB resident when last seen, at 20.0 ms\n");
	expect_part(ledger, lives, 25000000, "64.0 MiB     512 KiB   heap");
	expect_part(ledger, lives, 35000000, "4.0 MiB           ?   heap");
	expect_part(ledger, lives, 45000000, "4.0 MiB     1.0 MiB   heap");
	/* a part of it is younger since: half of the rest is what is known */
	expect_part(ledger, lives, 60000000,
	            "1.0 MiB           ?   heap, Go runtime  main.handle "
	            "main.go:10\n7f0000100000-7f0000400000 rw-p 00000000     "
	            "3.0 MiB     512 KiB   heap");
	run.read->shot = NULL;
	run.read->shot_count = 0;
	ledger_lives_free(lives);
	done(&run, ledger);
}

/* A hole stays one, and a mapping holds its first address. */
Test(map, has_the_borders_of_mappings)
{
	struct run run = run_new();
	struct ledger_lives *lives;
	struct ledger *ledger;
	char *text;

	run_mmap(&run, SPAN(0, 4), RW, ANON);
	run_mmap(&run, SPAN(8, 4), RW, ANON);
	run_munmap(&run, SPAN(1, 1));
	ledger = ledger_of(&run, NULL);
	lives = ledger_lives(ledger, run_namer, NULL);
	expect_part(ledger, lives, 200,
	            "7f0000000000-7f0000004000 rw-p 00000000      16 KiB");
	expect_part(ledger, lives, 300,
	            "7f0000002000-7f0000004000 rw-p 00000000       8 KiB");
	ledger_lives_free(lives);
	done(&run, ledger);
	text = text_of(ADDRESS, 40000000, BASE, &plain);
	cr_expect(strstr(text, "made by mmap") != NULL);
	free(text);
}

/* ---- the peak ------------------------------------------------------------ */

Test(map, knows_when_vm_size_was_largest)
{
	struct run run = run_new();
	struct ledger_lives *lives;
	struct ledger *ledger;

	run_mmap(&run, SPAN(0, 4), RW, ANON);
	run_mmap(&run, SPAN(10, 4), RW, ANON);
	run_mmap(&run, SPAN(0, 4), PROT_READ, ANON | MAP_FIXED);
	run_mmap(&run, SPAN(30, 1), RW, ANON); /* at 310: 9 pages */
	run_munmap(&run, SPAN(0, 4));
	run_mmap(&run, SPAN(20, 4), RW, ANON); /* as many */
	ledger = ledger_of(&run, NULL);
	lives = ledger_lives(ledger, run_namer, NULL);
	cr_expect(eq(u64, ledger_lives_peak(ledger, lives), 310));
	ledger_lives_free(lives);
	done(&run, ledger);
}

/* ---- listings ------------------------------------------------------------ */

static char *listing_of(const struct report_listing *listing, int wanted)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int done = report_listing(out, listing, &plain);

	fclose(out);
	cr_assert(eq(int, done, wanted));
	return text;
}

/* The kind, the owner and the path that each line gets. */
static void expect_kinds(struct report_listing listing, const char *text,
                         const char *wanted)
{
	char *all, *found = calloc(1, 4096), *at;

	listing.text = text;
	listing.size = strlen(text);
	listing.file = "saved";
	all = listing_of(&listing, 1);
	at = strstr(all, "which file\n");
	cr_assert(at != NULL);
	at += strlen("which file\n");
	while (*at != '\n') {
		char *end = strchr(at, '\n'), *remark = strstr(at, "   ");

		*end = '\0';
		/* behind the sizes */
		for (remark = at; strstr(remark, "?   ");)
			remark = strstr(remark, "?   ") + 4;
		strcat(strcat(found, remark), "\n");
		at = end + 1;
	}
	cr_expect(strcmp(found, wanted) == 0, "%s", found);
	free(found);
	free(all);
}

Test(map, names_a_listing_by_paths)
{
	expect_kinds(
		(struct report_listing){ 0 },
		"00400000-00401000 r-xp 00000000 08:01 7   /bin/a b\n"
		"00401000-00402000 r--p 00001000 08:01 7   /bin/a b\n"
		"00402000-00403000 rw-p 00002000 08:01 7   /bin/a b\n"
		"00403000-00404000 rw-p 00000000 00:00 0 \n"
		"00500000-00501000 rw-p 00000000 00:00 0   [heap]\n"
		"00600000-00601000 rw-p 00000000 00:00 0   [anon:Go: heap]\n"
		"00601000-00602000 rw-p 00000000 00:00 0   "
		"[anon:glibc: malloc]\n"
		"00602000-00603000 rw-s 00000000 00:01 9   "
		"/dev/zero (deleted)\n"
		"00603000-00604000 r--s 00000000 00:01 9   /tmp/x (deleted)\n"
		"7f0000000000-7f0000001000 r-xp 00000000 08:01 8   "
		"/lib/libz.so.1\n"
		"7f0000001000-7f0000002000 rw-p 00000000 08:01 8   "
		"/lib/libz.so.1\n"
		"7f0000002000-7f0000003000 rw-p 00000000 00:00 0\n"
		"7f0000003000-7f0000004000 r-xp 00000000 08:01 8   libc.so.6\n"
		"7f0000100000-7f0000101000 rw-p 00000000 00:00 0   [stack]\n"
		"7f0000200000-7f0000201000 r--p 00000000 00:00 0   [vvar]\n"
		"ffffffffff600000-ffffffffff601000 r-xp 0000 00:00 "
		"[vsyscall]\n",
		"text, program  /bin/a b\n"
		"rodata, program  /bin/a b\n"
		"data, program  /bin/a b\n"
		"bss, program\n"
		"brk heap  [heap]\n"
		"heap, Go runtime  [anon:Go: heap]\n"
		"malloc, libc  [anon:glibc: malloc]\n"
		"shared memory, program  /dev/zero (deleted)\n"
		"file x, program  /tmp/x (deleted)\n"
		"libz.so.1 text, library  /lib/libz.so.1\n"
		"libz.so.1 data, library  /lib/libz.so.1\n"
		"libz.so.1 data, library\n"
		"libc.so.6 text, libc  libc.so.6\n"
		"stack, kernel  [stack]\n"
		"vDSO, vvar, kernel  [vvar]\n"
		"vsyscall, kernel  [vsyscall]\n");
}

Test(map, names_a_listing_by_shapes)
{
	static const char listing[] =
		"c000000000-c000400000 rw-p 00000000 00:00 0\n"
		"c000400000-c004000000 ---p 00000000 00:00 0\n"
		"1fc000000000-1fc000400000 rw-p 00000000 00:00 0\n" /* Go's */
		"1fc000400000-1fc004000000 ---p 00000000 00:00 0\n"
		"7f0000000000-7f0000021000 rw-p 00000000 00:00 0\n"
		"7f0000021000-7f0004000000 ---p 00000000 00:00 0\n"
		"7f0004000000-7f0004021000 rw-p 00000000 00:00 0\n" /* none */
		"7f0004021000-7f0007000000 ---p 00000000 00:00 0\n"
		"7f0010000000-7f0010001000 ---p 00000000 00:00 0\n"
		"7f0010001000-7f0010801000 rw-p 00000000 00:00 0\n"
		"7f0020000000-7f0020001000 ---p 00000000 00:00 0\n"
		"7f0020001000-7f0020700000 rw-p 00000000 00:00 0\n"; /* none */

	expect_kinds((struct report_listing){ 0 }, listing,
	             "heap or its metadata, Go runtime\n"
	             "heap or its metadata, Go runtime\n"
	             "anonymous\n"
	             "anonymous\n"
	             "malloc arena, libc\n"
	             "malloc arena, libc\n"
	             "anonymous\n"
	             "anonymous\n"
	             "thread stack, libc\n"
	             "thread stack, libc\n"
	             "anonymous\n"
	             "anonymous\n");
	expect_kinds((struct report_listing){ .no_go = 1 }, listing,
	             "malloc arena, libc\n"
	             "malloc arena, libc\n"
	             "malloc arena, libc\n"
	             "malloc arena, libc\n"
	             "malloc arena, libc\n"
	             "malloc arena, libc\n"
	             "anonymous\n"
	             "anonymous\n"
	             "thread stack, libc\n"
	             "thread stack, libc\n"
	             "anonymous\n"
	             "anonymous\n");
}

/* What was left out may be anything, even where nothing has room. */
Test(map, takes_no_line_with_one_behind_a_gap)
{
	expect_kinds((struct report_listing){ 0 },
	             "00402000-00403000 rw-p 00002000 08:01 7   /bin/a\n"
	             "...\n"
	             "00403000-00404000 rw-p 00000000 00:00 0\n"
	             "7f0010000000-7f0010001000 ---p 00000000 00:00 0\n"
	             "...\n"
	             "7f0010001000-7f0010801000 rw-p 00000000 00:00 0\n",
	             "data, program  /bin/a\n"
	             "...\n"
	             "anonymous\n"
	             "anonymous\n"
	             "...\n"
	             "anonymous\n");
}

Test(map, sums_a_listing_up)
{
	static const char listing[] =
		"00400000-00401000 r-xp 00000000 08:01 7   /bin/a\n"
		"Size:                  4 kB\n"
		"Rss:                   4 kB\n"
		"VmFlags: rd ex mr mw me sd \n"
		"7f0000000000-7f0000021000 rw-p 00000000 00:00 0\n"
		"Rss:                  12 kB\n"
		"7f0000021000-7f0004000000 ---p 00000000 00:00 0\n"
		"Rss:                   0 kB\n"
		"7f0008000000-7f0008021000 rw-p 00000000 00:00 0\n"
		"...\n"
		"....\n"
		"7f0010001000-7f0010801000 rw-p 00000000 00:00 0\n"
		"7f0010801000-7f0010802000 ---p 00000000 00:00 0\n"
		"...\n"
		"ffffffffff600000-ffffffffff601000 r-xp 00000000 00:00 0 "
		"[vsyscall]\n"
		"Rss:                   4 kB\n";
	char *text =
		listing_of(&(struct report_listing){ .file = "saved",
	                                             .text = listing,
	                                             .size = strlen(listing) },
	                   1);

	expect_text(text,
	            "saved: 72.1 MiB of VmSize are shown, 16 KiB resident.\n"
	            "Lines are left out in 2 places. Who made these mappings "
	            "is not known: goload did not run the\nprogram.\n"
	            "\n"
	            "address                        offset          size    "
	            "resident   what, whose; which file\n"
	            "00400000-00401000         r-xp 00000000       4 KiB     "
	            "  4 KiB   text, program  /bin/a\n"
	            "7f0000000000-7f0000021000 rw-p 00000000     132 KiB     "
	            " 12 KiB   malloc arena, libc\n"
	            "7f0000021000-7f0004000000 ---p 00000000    63.9 MiB     "
	            "      -   malloc arena, libc\n"
	            "7f0008000000-7f0008021000 rw-p 00000000     132 KiB     "
	            "      -   malloc arena, libc\n"
	            "...\n"
	            "7f0010001000-7f0010801000 rw-p 00000000     8.0 MiB     "
	            "      -   thread stack, libc\n"
	            "7f0010801000-7f0010802000 ---p 00000000       4 KiB     "
	            "      -   thread stack, libc\n"
	            "...\n"
	            "ffffffffff600000-ffffffffff601000 r-xp 00000000       4 "
	            "KiB       4 KiB   vsyscall, kernel  [vsyscall]\n"
	            "\n"
	            "        size    resident   count  what, whose\n"
	            "    64.1 MiB      12 KiB       2  malloc arena, libc; 1 "
	            "of them in part\n"
	            "     8.0 MiB           -       2  thread stack, libc; 2 "
	            "of them in part\n"
	            "       4 KiB       4 KiB       1  text, program\n"
	            "       4 KiB       4 KiB       1  vsyscall, kernel\n");
}

/* A listing with `vm_size` of the status in it, and what is said of that. */
static void expect_told(const char *dots, const char *vm_size,
                        const char *wanted)
{
	char listing[512], *text;

	snprintf(listing, sizeof(listing),
	         "VmPeak:\t    9999 kB\n"
	         "VmSize:\t%8s kB\n"
	         "00400000-00402000 r-xp 00000000 08:01 7   /bin/a\n"
	         "%s"
	         "00404000-00405000 rw-p 00000000 00:00 0\n"
	         "ffffffffff600000-ffffffffff601000 r-xp 00000000 00:00 0 "
	         "[vsyscall]\n",
	         vm_size, dots);
	text = listing_of(&(struct report_listing){ .file = "saved",
	                                            .text = listing,
	                                            .size = strlen(listing) },
	                  1);
	for (char *at = text; (at = strchr(at, '\n')) != NULL;)
		*at = ' ';
	cr_expect(strstr(text, wanted) != NULL, "%s", text);
	free(text);
}

Test(map, tells_what_of_vmsize_a_listing_lacks)
{
	expect_told("", "12", "says that VmSize is 12 KiB: all is shown. ");
	expect_told("", "20",
	            "says that VmSize is 20 KiB: 8 KiB are missing. ");
	expect_told("", "8",
	            "says that VmSize is 8 KiB: 4 KiB less than it "
	            "shows, of another moment. ");
	expect_told("...\n", "20",
	            "left out in 1 place, which has room for 8 KiB. It says "
	            "that VmSize is 20 KiB: 8 KiB are left to these. ");
	expect_told("...\n", "24",
	            "12 KiB are left to these, more than they have room for. ");
}

/* Two parts whose rests fill a gap, with one more arena or without. */
Test(map, finds_room_for_arenas_between_parts)
{
	static const struct {
		const char *head, *tail, *wanted;
	} cases[] = {
		{ "7f0010000000-7f0010021000", "7f0014021000-7f0018000000",
		  "libc; 2 of them in part\n" },
		{ "7f0010000000-7f0010021000", "7f0018021000-7f001c000000",
		  "libc; 2 of them in part, with room for just 1 more "
		  "between\n" },
		{ "7f0010000000-7f0010021000", "7f001c042000-7f0020000000",
		  "libc; 2 of them in part, with room for just 2 more "
		  "between\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char listing[512], *text;

		snprintf(listing, sizeof(listing),
		         "7f0000000000-7f0000021000 rw-p 00000000 00:00 0\n"
		         "7f0000021000-7f0004000000 ---p 00000000 00:00 0\n"
		         "%s rw-p 00000000 00:00 0\n"
		         "...\n"
		         "%s ---p 00000000 00:00 0\n",
		         cases[i].head, cases[i].tail);
		text = listing_of(
			&(struct report_listing){ .file = "saved",
		                                  .text = listing,
		                                  .size = strlen(listing) },
			1);
		cr_expect(strstr(text, cases[i].wanted) != NULL, "%s", text);
		free(text);
	}
}

static char *listing_of_text(const char *text, int wanted)
{
	return listing_of(&(struct report_listing){ .file = "saved",
	                                            .text = text,
	                                            .size = strlen(text) },
	                  wanted);
}

Test(map, counts_an_arena_once_whose_middle_is_left_out)
{
	static const char wanted[] =
		"  1  malloc arena, libc; 1 of them in part\n";
	char *text = listing_of_text(
		"7f0000000000-7f0000021000 rw-p 00000000 00:00 0\n"
		"...\n"
		"7f0000050000-7f0004000000 ---p 00000000 00:00 0\n",
		1);

	cr_expect(strstr(text, wanted) != NULL, "%s", text);
	free(text);
}

Test(map, takes_numbers_as_the_kernel_writes_them)
{
	static const struct {
		const char *line;
		bool told;
	} cases[] = {
		{ "VmSize:\t     100 kB\n", true },
		{ "VmSize: 100 kB \r\n", true },
		{ "VmSize: 100 MB\n", false },
		{ "VmSize: 100 kBit\n", false },
		{ "VmSize: 100\n", false },
		{ "VmSize: 18446744073709551716 kB\n", false }, /* 2^64 + 100 */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char listing[256], *text;
		bool told;

		snprintf(listing, sizeof(listing),
		         "%s1000-2000 rw-p 00000000 00:00 0\n", cases[i].line);
		text = listing_of_text(listing, 1);
		told = strstr(text, "VmSize is") != NULL;
		cr_expect(told == cases[i].told, "%s%s", cases[i].line, text);
		free(text);
	}
	free(listing_of_text("fff0000000000000000-fff0000000000001000 rw-p\n",
	                     REPORT_NO_LINE));
}

Test(map, refuses_lines_out_of_order)
{
	free(listing_of_text("2000-3000 rw-p 00000000 00:00 0\n"
	                     "1000-2000 rw-p 00000000 00:00 0\n",
	                     REPORT_UNORDERED));
	free(listing_of_text("1000-3000 rw-p 00000000 00:00 0\n"
	                     "2000-4000 rw-p 00000000 00:00 0\n",
	                     REPORT_UNORDERED));
}

Test(map, takes_anything_for_a_listing)
{
	static const char *const none[] = {
		"",         "\n",
		"...",      "Rss: 4 kB\n",
		"VmSize:",  "VmSize: 4 kB\n...\n",
		"1000",     "1000-",
		"1-2",      "2000-1000 rw-p 0 00:00 0\n",
		"x-y rw-p", "1000-2000 zzzz 00000000 00:00 0\n",
	};

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		free(listing_of(
			&(struct report_listing){ .text = none[i],
		                                  .size = strlen(none[i]),
		                                  .file = "x" },
			REPORT_NO_LINE));
	/* each beginning of a line, and each with a byte turned over */
	for (unsigned i = 0; i < 48; i++) {
		char line[] =
			"1000-2000 rw-p 00000000 00:00 0 [anon:Go: x y]\nR";
		struct report_listing listing = { .text = line,
			                          .size = i,
			                          .file = "x" };
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		report_listing(out, &listing, &plain);
		listing.size = strlen(line);
		line[i] ^= 0x15;
		report_listing(out, &listing, NULL);
		fclose(out);
		free(text);
	}
}
