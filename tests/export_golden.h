/*
 * export_golden - what the small run in test_export.c must be in each format.
 */
#ifndef TESTS_EXPORT_GOLDEN_H
#define TESTS_EXPORT_GOLDEN_H

/* clang-format off */
#define GOLDEN_FOLDED \
	"bss;[bss] ./http 204800\n" \
	"heap;main.handle;runtime.mallocgc;runtime.(*mheap).grow;runtime.inlined;runtime.sysMapOS;runtime.sysMmap.abi0 16777216\n" \
	"heap;runtime.schedinit;runtime.(*mheap).grow;runtime.inlined;runtime.(*mheap).sysAlloc;runtime.sysReserveOS;runtime.sysMmap.abi0 50331648\n" \
	"stack;[stack] kernel 135168\n" \
	"text;[text] ./http 409600\n"

#define GOLDEN_JSONL \
	"{\"type\":\"run\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"command\":\"./http a \\\"b\\\"\",\"linkage\":\"static\",\"stripped\":true,\"status\":0,\"signal\":null,\"exec\":false,\"duration\":99999000,\"complete\":true,\"checked\":true,\"vm_size\":67923968,\"target\":67858432,\"goload\":65536,\"unexplained\":0,\"phantom\":0,\"reserved\":50331648,\"committed\":17526784,\"resident\":2097152,\"goload_resident\":0,\"peak_vm_size\":67932160,\"mappings\":5,\"events\":5,\"lost\":0}\n" \
	"{\"type\":\"call\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"call\":\"mmap\",\"count\":3}\n" \
	"{\"type\":\"call\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"call\":\"arch_prctl\",\"count\":1}\n" \
	"{\"type\":\"call\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"call\":\"munmap\",\"count\":1}\n" \
	"{\"type\":\"row\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"kind\":\"heap\",\"owner\":\"Go runtime\",\"reserved\":50331648,\"committed\":16777216,\"resident\":2097152,\"anonymous\":2097152,\"file_pages\":0,\"shared\":0,\"huge\":0,\"returned\":0,\"came_back\":0,\"mappings\":2}\n" \
	"{\"type\":\"site\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"kind\":\"heap\",\"owner\":\"Go runtime\",\"function\":\"runtime.(*mheap).sysAlloc\",\"file\":\"/src/main.go\",\"line\":80,\"address\":\"0x8\",\"at_start\":true,\"bytes\":50331648}\n" \
	"{\"type\":\"site\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"kind\":\"heap\",\"owner\":\"Go runtime\",\"function\":\"main.handle\",\"file\":\"/src/main.go\",\"line\":10,\"address\":\"0x1\",\"at_start\":false,\"bytes\":16777216}\n" \
	"{\"type\":\"row\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"kind\":\"text\",\"owner\":\"program\",\"reserved\":0,\"committed\":409600,\"resident\":0,\"anonymous\":0,\"file_pages\":0,\"shared\":0,\"huge\":0,\"returned\":0,\"came_back\":0,\"mappings\":1}\n" \
	"{\"type\":\"row\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"kind\":\"bss\",\"owner\":\"program\",\"reserved\":0,\"committed\":204800,\"resident\":0,\"anonymous\":0,\"file_pages\":0,\"shared\":0,\"huge\":0,\"returned\":0,\"came_back\":0,\"mappings\":1}\n" \
	"{\"type\":\"row\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"kind\":\"stack\",\"owner\":\"kernel\",\"reserved\":0,\"committed\":135168,\"resident\":0,\"anonymous\":0,\"file_pages\":0,\"shared\":0,\"huge\":0,\"returned\":0,\"came_back\":0,\"mappings\":1}\n" \
	"{\"type\":\"goload\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"kind\":\"ring\",\"owner\":\"goload\",\"committed\":65536,\"resident\":0}\n" \
	"{\"type\":\"point\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"t\":0,\"reserved\":0,\"committed\":544768,\"resident\":0}\n" \
	"{\"type\":\"point\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"t\":100,\"reserved\":0,\"committed\":749568,\"resident\":0}\n" \
	"{\"type\":\"point\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"t\":19999000,\"reserved\":0,\"committed\":749568,\"resident\":122880}\n" \
	"{\"type\":\"point\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"t\":19999010,\"reserved\":67108864,\"committed\":749568,\"resident\":122880}\n" \
	"{\"type\":\"point\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"t\":59999010,\"reserved\":50331648,\"committed\":17526784,\"resident\":122880}\n" \
	"{\"type\":\"point\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"t\":59999110,\"reserved\":50331648,\"committed\":17534976,\"resident\":122880}\n" \
	"{\"type\":\"point\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"t\":79999010,\"reserved\":50331648,\"committed\":17526784,\"resident\":122880}\n" \
	"{\"type\":\"point\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"t\":99999000,\"reserved\":50331648,\"committed\":17526784,\"resident\":2097152}\n" \
	"{\"type\":\"memstats\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"t\":19999000,\"sys\":200,\"heap_sys\":0,\"heap_idle\":0,\"heap_inuse\":100,\"heap_released\":0,\"stack_inuse\":0,\"stack_sys\":0,\"mspan_inuse\":0,\"mspan_sys\":0,\"mcache_inuse\":0,\"mcache_sys\":0,\"buck_hash_sys\":0,\"gc_sys\":0,\"other_sys\":0}\n" \
	"{\"type\":\"life\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"start\":\"0x7f0007530000\",\"end\":\"0x7f0007594000\",\"bytes\":409600,\"born\":0,\"died\":99999000,\"last\":true,\"kind\":\"text\",\"owner\":\"program\",\"protection\":\"r-x\",\"flags\":34,\"path\":null,\"offset\":0,\"resident\":0,\"function\":null,\"file\":null,\"line\":null,\"address\":null,\"at_start\":false,\"thread\":null}\n" \
	"{\"type\":\"life\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"start\":\"0x7f0015f90000\",\"end\":\"0x7f0015fb1000\",\"bytes\":135168,\"born\":0,\"died\":99999000,\"last\":true,\"kind\":\"stack\",\"owner\":\"kernel\",\"protection\":\"rw-\",\"flags\":290,\"path\":null,\"offset\":139638345367552,\"resident\":0,\"function\":null,\"file\":null,\"line\":null,\"address\":null,\"at_start\":false,\"thread\":null}\n" \
	"{\"type\":\"life\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"start\":\"0x7f0007594000\",\"end\":\"0x7f00075c6000\",\"bytes\":204800,\"born\":100,\"died\":99999000,\"last\":true,\"kind\":\"bss\",\"owner\":\"program\",\"protection\":\"rw-\",\"flags\":34,\"path\":null,\"offset\":0,\"resident\":0,\"function\":null,\"file\":null,\"line\":null,\"address\":null,\"at_start\":false,\"thread\":null}\n" \
	"{\"type\":\"life\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"start\":\"0x7f0009c40000\",\"end\":\"0x7f0009c50000\",\"bytes\":65536,\"born\":200,\"died\":99999000,\"last\":true,\"kind\":\"ring\",\"owner\":\"goload\",\"protection\":\"rw-\",\"flags\":34,\"path\":null,\"offset\":0,\"resident\":0,\"function\":null,\"file\":null,\"line\":null,\"address\":null,\"at_start\":false,\"thread\":null}\n" \
	"{\"type\":\"life\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"start\":\"0x7f0000000000\",\"end\":\"0x7f0001000000\",\"bytes\":16777216,\"born\":19999010,\"died\":59999010,\"last\":false,\"kind\":\"heap\",\"owner\":\"Go runtime\",\"protection\":\"---\",\"flags\":34,\"path\":null,\"offset\":0,\"resident\":0,\"function\":\"runtime.(*mheap).sysAlloc\",\"file\":\"/src/main.go\",\"line\":80,\"address\":\"0x8\",\"at_start\":true,\"thread\":42}\n" \
	"{\"type\":\"life\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"start\":\"0x7f0001000000\",\"end\":\"0x7f0004000000\",\"bytes\":50331648,\"born\":19999010,\"died\":99999000,\"last\":true,\"kind\":\"heap\",\"owner\":\"Go runtime\",\"protection\":\"---\",\"flags\":34,\"path\":null,\"offset\":16777216,\"resident\":0,\"function\":\"runtime.(*mheap).sysAlloc\",\"file\":\"/src/main.go\",\"line\":80,\"address\":\"0x8\",\"at_start\":true,\"thread\":42}\n" \
	"{\"type\":\"life\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"start\":\"0x7f0000000000\",\"end\":\"0x7f0001000000\",\"bytes\":16777216,\"born\":59999010,\"died\":99999000,\"last\":true,\"kind\":\"heap\",\"owner\":\"Go runtime\",\"protection\":\"rw-\",\"flags\":50,\"path\":null,\"offset\":0,\"resident\":2097152,\"function\":\"main.handle\",\"file\":\"/src/main.go\",\"line\":10,\"address\":\"0x1\",\"at_start\":false,\"thread\":43}\n" \
	"{\"type\":\"life\",\"program\":\"./http\",\"build_id\":\"cafe\",\"go_version\":\"go1.26.8\",\"host\":\"host\",\"started\":5,\"pid\":42,\"start\":\"0x7f000c350000\",\"end\":\"0x7f000c352000\",\"bytes\":8192,\"born\":59999110,\"died\":79999010,\"last\":false,\"kind\":\"mapping\",\"owner\":\"program\",\"protection\":\"rw-\",\"flags\":34,\"path\":null,\"offset\":0,\"resident\":0,\"function\":\"main.handle\",\"file\":\"/src/main.go\",\"line\":10,\"address\":\"0x1\",\"at_start\":false,\"thread\":43}\n"

#define GOLDEN_OPENMETRICS \
	"# TYPE goload_run_info gauge\n" \
	"# HELP goload_run_info The program that was run: always 1.\n" \
	"goload_run_info{program=\"http\",linkage=\"static\",go_version=\"go1.26.8\",build_id=\"cafe\"} 1\n" \
	"# TYPE goload_run_duration_seconds gauge\n" \
	"# UNIT goload_run_duration_seconds seconds\n" \
	"# HELP goload_run_duration_seconds How long the program ran.\n" \
	"goload_run_duration_seconds{program=\"http\"} 0.099999000\n" \
	"# TYPE goload_run_complete gauge\n" \
	"# HELP goload_run_complete 1 when all that was recorded is there, to the end.\n" \
	"goload_run_complete{program=\"http\"} 1\n" \
	"# TYPE goload_run_exit_status gauge\n" \
	"# HELP goload_run_exit_status How the program exited; missing when it did not.\n" \
	"goload_run_exit_status{program=\"http\"} 0\n" \
	"# TYPE goload_run_signal gauge\n" \
	"# HELP goload_run_signal The signal that killed the program; 0: none did.\n" \
	"goload_run_signal{program=\"http\"} 0\n" \
	"# TYPE goload_run_checked gauge\n" \
	"# HELP goload_run_checked 1 when the ledger was checked against the kernel's last map.\n" \
	"goload_run_checked{program=\"http\"} 1\n" \
	"# TYPE goload_vm_size_bytes gauge\n" \
	"# UNIT goload_vm_size_bytes bytes\n" \
	"# HELP goload_vm_size_bytes VmSize at the end: that of the program, goload's own and what is unexplained.\n" \
	"goload_vm_size_bytes{program=\"http\"} 67923968\n" \
	"# TYPE goload_vm_size_peak_bytes gauge\n" \
	"# UNIT goload_vm_size_peak_bytes bytes\n" \
	"# HELP goload_vm_size_peak_bytes The most that VmSize ever was.\n" \
	"goload_vm_size_peak_bytes{program=\"http\"} 67932160\n" \
	"# TYPE goload_own_bytes gauge\n" \
	"# UNIT goload_own_bytes bytes\n" \
	"# HELP goload_own_bytes Of VmSize, what is goload's own.\n" \
	"goload_own_bytes{program=\"http\"} 65536\n" \
	"# TYPE goload_own_resident_bytes gauge\n" \
	"# UNIT goload_own_resident_bytes bytes\n" \
	"# HELP goload_own_resident_bytes Of what is goload's own, what is resident.\n" \
	"goload_own_resident_bytes{program=\"http\"} 0\n" \
	"# TYPE goload_unexplained_bytes gauge\n" \
	"# UNIT goload_unexplained_bytes bytes\n" \
	"# HELP goload_unexplained_bytes Of VmSize, what no recorded call has made.\n" \
	"goload_unexplained_bytes{program=\"http\"} 0\n" \
	"# TYPE goload_phantom_bytes gauge\n" \
	"# UNIT goload_phantom_bytes bytes\n" \
	"# HELP goload_phantom_bytes What recorded calls have made and the kernel has not.\n" \
	"goload_phantom_bytes{program=\"http\"} 0\n" \
	"# TYPE goload_memory_bytes gauge\n" \
	"# UNIT goload_memory_bytes bytes\n" \
	"# HELP goload_memory_bytes Address space of the program at its end, by what it is for: reserved and committed add up to it, resident is a part.\n" \
	"goload_memory_bytes{program=\"http\",kind=\"heap\",owner=\"Go runtime\",state=\"reserved\"} 50331648\n" \
	"goload_memory_bytes{program=\"http\",kind=\"heap\",owner=\"Go runtime\",state=\"committed\"} 16777216\n" \
	"goload_memory_bytes{program=\"http\",kind=\"heap\",owner=\"Go runtime\",state=\"resident\"} 2097152\n" \
	"goload_memory_bytes{program=\"http\",kind=\"text\",owner=\"program\",state=\"reserved\"} 0\n" \
	"goload_memory_bytes{program=\"http\",kind=\"text\",owner=\"program\",state=\"committed\"} 409600\n" \
	"goload_memory_bytes{program=\"http\",kind=\"text\",owner=\"program\",state=\"resident\"} 0\n" \
	"goload_memory_bytes{program=\"http\",kind=\"bss\",owner=\"program\",state=\"reserved\"} 0\n" \
	"goload_memory_bytes{program=\"http\",kind=\"bss\",owner=\"program\",state=\"committed\"} 204800\n" \
	"goload_memory_bytes{program=\"http\",kind=\"bss\",owner=\"program\",state=\"resident\"} 0\n" \
	"goload_memory_bytes{program=\"http\",kind=\"stack\",owner=\"kernel\",state=\"reserved\"} 0\n" \
	"goload_memory_bytes{program=\"http\",kind=\"stack\",owner=\"kernel\",state=\"committed\"} 135168\n" \
	"goload_memory_bytes{program=\"http\",kind=\"stack\",owner=\"kernel\",state=\"resident\"} 0\n" \
	"# TYPE goload_mappings gauge\n" \
	"# HELP goload_mappings Mappings of the program at its end.\n" \
	"goload_mappings{program=\"http\",kind=\"heap\",owner=\"Go runtime\"} 2\n" \
	"goload_mappings{program=\"http\",kind=\"text\",owner=\"program\"} 1\n" \
	"goload_mappings{program=\"http\",kind=\"bss\",owner=\"program\"} 1\n" \
	"goload_mappings{program=\"http\",kind=\"stack\",owner=\"kernel\"} 1\n" \
	"# TYPE goload_events gauge\n" \
	"# HELP goload_events Memory syscalls that were recorded.\n" \
	"goload_events{program=\"http\",call=\"mmap\"} 3\n" \
	"goload_events{program=\"http\",call=\"arch_prctl\"} 1\n" \
	"goload_events{program=\"http\",call=\"munmap\"} 1\n" \
	"# TYPE goload_events_lost gauge\n" \
	"# HELP goload_events_lost Memory syscalls that were not recorded.\n" \
	"goload_events_lost{program=\"http\"} 0\n" \
	"# TYPE goload_memstats_bytes gauge\n" \
	"# UNIT goload_memstats_bytes bytes\n" \
	"# HELP goload_memstats_bytes What runtime.ReadMemStats would have said at the end.\n" \
	"goload_memstats_bytes{program=\"http\",field=\"sys\"} 200\n" \
	"goload_memstats_bytes{program=\"http\",field=\"heap_sys\"} 0\n" \
	"goload_memstats_bytes{program=\"http\",field=\"heap_idle\"} 0\n" \
	"goload_memstats_bytes{program=\"http\",field=\"heap_inuse\"} 100\n" \
	"goload_memstats_bytes{program=\"http\",field=\"heap_released\"} 0\n" \
	"goload_memstats_bytes{program=\"http\",field=\"stack_inuse\"} 0\n" \
	"goload_memstats_bytes{program=\"http\",field=\"stack_sys\"} 0\n" \
	"goload_memstats_bytes{program=\"http\",field=\"mspan_inuse\"} 0\n" \
	"goload_memstats_bytes{program=\"http\",field=\"mspan_sys\"} 0\n" \
	"goload_memstats_bytes{program=\"http\",field=\"mcache_inuse\"} 0\n" \
	"goload_memstats_bytes{program=\"http\",field=\"mcache_sys\"} 0\n" \
	"goload_memstats_bytes{program=\"http\",field=\"buck_hash_sys\"} 0\n" \
	"goload_memstats_bytes{program=\"http\",field=\"gc_sys\"} 0\n" \
	"goload_memstats_bytes{program=\"http\",field=\"other_sys\"} 0\n" \
	"# EOF\n"

#define GOLDEN_PPROF \
	"mappings/count reserved/bytes committed/bytes resident/bytes default reserved\n" \
	"5 99999000\n" \
	"command: ./http a \"b\"\n" \
	"VmSize: 67923968 bytes, 65536 of them goload's own, 0 unexplained\n" \
	"1 0 204800 0 kind=bss owner=program protection=rw-  [0 0x0 [bss] ./http :0 from 0]\n" \
	"1 0 16777216 2097152 kind=heap owner=Go runtime protection=rw- thread=43  [0 0xc runtime.sysMmap.abi0 /src/main.go:130 from 0] [0 0x3 runtime.sysMapOS /src/main.go:40 from 0] [0 0x2 runtime.inlined /src/in.go:7 from 0 runtime.(*mheap).grow /src/main.go:30 from 0] [0 0x1 runtime.mallocgc /src/main.go:20 from 0] [0 0x0 main.handle /src/main.go:10 from 0]\n" \
	"1 50331648 0 0 kind=heap owner=Go runtime protection=--- thread=42  [0 0xc runtime.sysMmap.abi0 /src/main.go:130 from 0] [0 0x4 runtime.sysReserveOS /src/main.go:50 from 0] [0 0x7 runtime.(*mheap).sysAlloc /src/main.go:80 from 0] [0 0x2 runtime.inlined /src/in.go:7 from 0 runtime.(*mheap).grow /src/main.go:30 from 0] [0 0x9 runtime.schedinit /src/main.go:100 from 0]\n" \
	"1 0 135168 0 kind=stack owner=kernel protection=rw-  [0 0x0 [stack] kernel :0 from 0]\n" \
	"1 0 409600 0 kind=text owner=program protection=r-x  [0 0x0 [text] ./http :0 from 0]\n"

#define GOLDEN_PERFETTO \
	"clock 1000 is 5\n" \
	"process 42 http <./http> <a \"b\">\n" \
	"thread main\n" \
	"thread thread 43\n" \
	"1000 process at start\n" \
	"1300 process at first instruction\n" \
	"100000000 process at exit 0\n" \
	"counter reserved\n" \
	"counter committed\n" \
	"counter text, program\n" \
	"counter stack, kernel\n" \
	"counter bss, program\n" \
	"counter heap, Go runtime\n" \
	"counter mapping, program\n" \
	"1000 text, program count 409600\n" \
	"1000 stack, kernel count 135168\n" \
	"1000 reserved count 0\n" \
	"1000 committed count 544768\n" \
	"1100 bss, program count 204800\n" \
	"1100 reserved count 0\n" \
	"1100 committed count 749568\n" \
	"20000010 heap, Go runtime count 67108864\n" \
	"20000010 reserved count 67108864\n" \
	"20000010 committed count 749568\n" \
	"60000010 heap, Go runtime count 67108864\n" \
	"60000010 reserved count 50331648\n" \
	"60000010 committed count 17526784\n" \
	"60000110 mapping, program count 8192\n" \
	"60000110 reserved count 50331648\n" \
	"60000110 committed count 17534976\n" \
	"80000010 mapping, program count 0\n" \
	"80000010 reserved count 50331648\n" \
	"80000010 committed count 17526784\n" \
	"counter resident\n" \
	"1000 resident count 0\n" \
	"20000000 resident count 122880\n" \
	"100000000 resident count 2097152\n" \
	"counter resident, heap, Go runtime\n" \
	"100000000 resident, heap, Go runtime count 2097152\n" \
	"counter resident, text, program\n" \
	"100000000 resident, text, program count 0\n" \
	"counter resident, bss, program\n" \
	"100000000 resident, bss, program count 0\n" \
	"counter resident, stack, kernel\n" \
	"100000000 resident, stack, kernel count 0\n" \
	"counter MemStats sys\n" \
	"20000000 MemStats sys count 200\n" \
	"counter MemStats heap_sys\n" \
	"20000000 MemStats heap_sys count 0\n" \
	"counter MemStats heap_idle\n" \
	"20000000 MemStats heap_idle count 0\n" \
	"counter MemStats heap_inuse\n" \
	"20000000 MemStats heap_inuse count 100\n" \
	"counter MemStats heap_released\n" \
	"20000000 MemStats heap_released count 0\n" \
	"counter MemStats stack_inuse\n" \
	"20000000 MemStats stack_inuse count 0\n" \
	"counter MemStats stack_sys\n" \
	"20000000 MemStats stack_sys count 0\n" \
	"counter MemStats mspan_inuse\n" \
	"20000000 MemStats mspan_inuse count 0\n" \
	"counter MemStats mspan_sys\n" \
	"20000000 MemStats mspan_sys count 0\n" \
	"counter MemStats mcache_inuse\n" \
	"20000000 MemStats mcache_inuse count 0\n" \
	"counter MemStats mcache_sys\n" \
	"20000000 MemStats mcache_sys count 0\n" \
	"counter MemStats buck_hash_sys\n" \
	"20000000 MemStats buck_hash_sys count 0\n" \
	"counter MemStats gc_sys\n" \
	"20000000 MemStats gc_sys count 0\n" \
	"counter MemStats other_sys\n" \
	"20000000 MemStats other_sys count 0\n" \
	"track text, program\n" \
	"1000 text, program begin text (7)\n" \
	"100000000 text, program end\n" \
	"track stack, kernel\n" \
	"1000 stack, kernel begin stack (7)\n" \
	"100000000 stack, kernel end\n" \
	"track bss, program\n" \
	"1100 bss, program begin bss (7)\n" \
	"100000000 bss, program end\n" \
	"track heap, Go runtime\n" \
	"20000010 heap, Go runtime begin runtime.(*mheap).sysAlloc (10)\n" \
	"60000010 heap, Go runtime end\n" \
	"track heap, Go runtime\n" \
	"20000010 heap, Go runtime begin runtime.(*mheap).sysAlloc (11)\n" \
	"100000000 heap, Go runtime end\n" \
	"60000010 heap, Go runtime begin main.handle (11)\n" \
	"100000000 heap, Go runtime end\n" \
	"track mapping, program\n" \
	"60000110 mapping, program begin main.handle (10)\n" \
	"80000010 mapping, program end\n" \
	"1400 main begin arch_prctl (7)\n" \
	"1410 main end\n" \
	"20000000 main begin mmap (7)\n" \
	"20000010 main end\n" \
	"60000000 thread 43 begin mmap (7)\n" \
	"60000010 thread 43 end\n" \
	"60000100 thread 43 begin mmap (7)\n" \
	"60000110 thread 43 end\n" \
	"80000000 thread 43 begin munmap (7)\n" \
	"80000010 thread 43 end\n"

#define GOLDEN_SQLITE_RUN \
	"./http|./http a \"b\"|static|1|go1.26.8|cafe|42|host|5|99999000|0|-|0|1|1|0|67923968|67858432|65536|0|0|50331648|17526784|2097152|0|67932160|5|5|0|0\n"

#define GOLDEN_SQLITE_LEDGER \
	"heap|Go runtime|50331648|16777216|2097152|2097152|0|0|0|0|0|2\n" \
	"text|program|0|409600|0|0|0|0|0|0|0|1\n" \
	"bss|program|0|204800|0|0|0|0|0|0|0|1\n" \
	"stack|kernel|0|135168|0|0|0|0|0|0|0|1\n"

#define GOLDEN_SQLITE_TIMELINE \
	"0|0|544768\n" \
	"100|0|749568\n" \
	"19999010|67108864|749568\n" \
	"59999010|50331648|17526784\n" \
	"59999110|50331648|17534976\n" \
	"79999010|50331648|17526784\n"

#define GOLDEN_SQLITE_WHO \
	"heap|Go runtime|runtime.(*mheap).sysAlloc|/src/main.go|80|50331648|0|1\n" \
	"heap|Go runtime|main.handle|/src/main.go|10|16777216|2097152|1\n" \
	"text|program|-|-|-|409600|0|1\n" \
	"bss|program|-|-|-|204800|0|1\n" \
	"stack|kernel|-|-|-|135168|0|1\n"

#define GOLDEN_SQLITE_MAPPING \
	"1|139638099607552|139638100017152|0|99999000|1|0|text|program|r-x|34|-|0|0|-|-|-|-|-|0\n" \
	"2|139638345367552|139638345502720|0|99999000|1|0|stack|kernel|rw-|290|-|139638345367552|0|-|-|-|-|-|0\n" \
	"3|139638100017152|139638100221952|100|99999000|1|0|bss|program|rw-|34|-|0|0|-|-|-|-|-|0\n" \
	"4|139638140567552|139638140633088|200|99999000|1|0|ring|goload|rw-|34|-|0|0|-|-|-|-|-|0\n" \
	"5|139637976727552|139637993504768|19999010|59999010|0|0|heap|Go runtime|---|34|-|0|0|6|runtime.(*mheap).sysAlloc|/src/main.go|80|8|1\n" \
	"6|139637993504768|139638043836416|19999010|99999000|1|0|heap|Go runtime|---|34|-|16777216|0|6|runtime.(*mheap).sysAlloc|/src/main.go|80|8|1\n" \
	"7|139637976727552|139637993504768|59999010|99999000|1|0|heap|Go runtime|rw-|50|-|0|2097152|8|main.handle|/src/main.go|10|1|0\n" \
	"8|139638181527552|139638181535744|59999110|79999010|0|0|mapping|program|rw-|34|-|0|0|9|main.handle|/src/main.go|10|1|0\n"

#define GOLDEN_SQLITE_EVENT \
	"5|400|10|arch_prctl|42|4098|4369|0|0|0|0|0|0|1\n" \
	"6|19999000|10|mmap|42|0|67108864|0|34|-1|0|139637976727552|0|2\n" \
	"8|59999000|10|mmap|43|139637976727552|16777216|3|50|-1|0|139637976727552|0|3\n" \
	"9|59999100|10|mmap|43|0|8192|3|34|-1|0|139638181527552|0|4\n" \
	"10|79999000|10|munmap|43|139638181527552|8192|0|0|0|0|0|0|1\n"

#define GOLDEN_SQLITE_STACK \
	"1|0|0\n" \
	"2|6|0\n" \
	"3|6|0\n" \
	"4|3|0\n"

#define GOLDEN_SQLITE_FRAME \
	"2|0|13|runtime.sysMmap.abi0|/src/main.go|130|0|-\n" \
	"2|1|5|runtime.sysReserveOS|/src/main.go|50|0|-\n" \
	"2|2|8|runtime.(*mheap).sysAlloc|/src/main.go|80|0|-\n" \
	"2|3|3|runtime.inlined|/src/in.go|7|1|-\n" \
	"2|4|3|runtime.(*mheap).grow|/src/main.go|30|0|-\n" \
	"2|5|10|runtime.schedinit|/src/main.go|100|0|-\n" \
	"3|0|13|runtime.sysMmap.abi0|/src/main.go|130|0|-\n" \
	"3|1|4|runtime.sysMapOS|/src/main.go|40|0|-\n" \
	"3|2|3|runtime.inlined|/src/in.go|7|1|-\n" \
	"3|3|3|runtime.(*mheap).grow|/src/main.go|30|0|-\n" \
	"3|4|2|runtime.mallocgc|/src/main.go|20|0|-\n" \
	"3|5|1|main.handle|/src/main.go|10|0|-\n" \
	"4|0|15|syscall.RawSyscall6|/src/main.go|150|0|-\n" \
	"4|1|99|-|-|-|0|-\n" \
	"4|2|1|main.handle|/src/main.go|10|0|-\n"
/* clang-format on */

#endif
