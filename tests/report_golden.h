/*
 * report_golden - what the report of the small run in test_report.c must be.
 */
#ifndef TESTS_REPORT_GOLDEN_H
#define TESTS_REPORT_GOLDEN_H

/* clang-format off */
#define GOLDEN_TEXT \
	"goload: ./http: go1.26.8, static, stripped; 0.10 s, exit 0; 2 memory syscalls, 0 lost\n" \
	"\n" \
	"  VmSize is 64.8 MiB, 64 KiB of it goload's own. 60.0 MiB is address space that the Go\n" \
	"  runtime reserves at start and never touches: 60.0 MiB heap (runtime.(*mheap).sysAlloc,\n" \
	"  main.go:80). 4.7 MiB is committed, 2.0 MiB resident. Nothing is unexplained.\n" \
	"\n" \
	"                      reserved   committed    resident   claimed by\n" \
	"  heap                60.0 MiB     4.0 MiB     2.0 MiB   main.handle main.go:10, + 1 more\n" \
	"  text                       -     400 KiB           -   ./http\n" \
	"  bss                        -     200 KiB           -   ./http\n" \
	"  stack                      -     132 KiB           -   kernel\n" \
	"  total               60.0 MiB     4.7 MiB     2.0 MiB\n" \
	"  goload itself              -      64 KiB           -   ring\n" \
	"  unexplained   0\n" \
	"\n" \
	"  reserved        ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇     60.0 MiB\n" \
	"  committed  ▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▇▇▇▇▇▇▇▇▇▇▇▇      4.7 MiB\n" \
	"  resident        ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▇      2.0 MiB\n" \
	"             0 s                   0.10 s\n"

#define GOLDEN_EXACT \
	"                            reserved         committed          resident   claimed by\n" \
	"  heap                    62,914,560         4,194,304         2,097,152   main.handle main.go:10, + 1 more\n" \
	"  text                             -           409,600                 -   ./http\n" \
	"  bss                              -           204,800                 -   ./http\n" \
	"  stack                            -           135,168                 -   kernel\n" \
	"  total                   62,914,560         4,943,872         2,097,152\n" \
	"  goload itself                    -            65,536                 -   ring\n" \
	"  unexplained   0\n"

#define GOLDEN_EXACT_CHART \
	"  committed  ▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▇▇▇▇▇▇▇▇▇▇▇▇          4,943,872\n"

#define GOLDEN_JSON \
	"{\n" \
	"  \"schema\": \"goload/1\",\n" \
	"  \"program\": {\n" \
	"    \"path\": \"./http\",\n" \
	"    \"args\": [\n" \
	"      \"./http\",\n" \
	"      \"a \\\"b\\\"\"\n" \
	"    ],\n" \
	"    \"linkage\": \"static\",\n" \
	"    \"stripped\": true,\n" \
	"    \"go_version\": \"go1.26.8\",\n" \
	"    \"build_id\": \"cafe\",\n" \
	"    \"pid\": 42,\n" \
	"    \"host\": \"host\",\n" \
	"    \"followed_from\": null\n" \
	"  },\n" \
	"  \"exit\": {\n" \
	"    \"status\": 0,\n" \
	"    \"signal\": null,\n" \
	"    \"exec\": false\n" \
	"  },\n" \
	"  \"run\": {\n" \
	"    \"started\": 5,\n" \
	"    \"duration\": 99999000,\n" \
	"    \"complete\": true,\n" \
	"    \"checked\": true,\n" \
	"    \"net\": false\n" \
	"  },\n" \
	"  \"explanation\": [\n" \
	"    \"VmSize is 64.8 MiB, 64 KiB of it goload's own.\",\n" \
	"    \"60.0 MiB is address space that the Go runtime reserves at start and never touches: 60.0 MiB heap (runtime.(*mheap).sysAlloc, main.go:80).\",\n" \
	"    \"4.7 MiB is committed, 2.0 MiB resident.\",\n" \
	"    \"Nothing is unexplained.\"\n" \
	"  ],\n" \
	"  \"totals\": {\n" \
	"    \"vm_size\": 67923968,\n" \
	"    \"target\": 67858432,\n" \
	"    \"goload\": 65536,\n" \
	"    \"unexplained\": 0,\n" \
	"    \"phantom\": 0,\n" \
	"    \"reserved\": 62914560,\n" \
	"    \"committed\": 4943872,\n" \
	"    \"resident\": 2097152,\n" \
	"    \"goload_resident\": 0,\n" \
	"    \"peak_vm_size\": 67923968,\n" \
	"    \"mappings\": 5\n" \
	"  },\n" \
	"  \"events\": {\n" \
	"    \"count\": 2,\n" \
	"    \"lost\": 0,\n" \
	"    \"net_hits\": 0,\n" \
	"    \"net_recorded\": 0,\n" \
	"    \"ambiguous\": 0,\n" \
	"    \"truncated\": 0,\n" \
	"    \"abandoned\": 0,\n" \
	"    \"children\": 0,\n" \
	"    \"names\": {\n" \
	"      \"given\": 0,\n" \
	"      \"agreed\": 0,\n" \
	"      \"wrong\": []\n" \
	"    },\n" \
	"    \"by_call\": {\n" \
	"      \"mmap\": 2\n" \
	"    },\n" \
	"    \"sites\": 0,\n" \
	"    \"sites_patched\": 0,\n" \
	"    \"net_sites\": []\n" \
	"  },\n" \
	"  \"ledger\": [\n" \
	"    {\n" \
	"      \"kind\": \"heap\",\n" \
	"      \"owner\": \"Go runtime\",\n" \
	"      \"reserved\": 62914560,\n" \
	"      \"committed\": 4194304,\n" \
	"      \"resident\": 2097152,\n" \
	"      \"anonymous\": 2097152,\n" \
	"      \"file\": 0,\n" \
	"      \"shared\": 0,\n" \
	"      \"huge\": 0,\n" \
	"      \"returned\": 0,\n" \
	"      \"came_back\": 0,\n" \
	"      \"mappings\": 2,\n" \
	"      \"resident_at\": [2097152],\n" \
	"      \"sites\": [\n" \
	"        {\n" \
	"          \"function\": \"runtime.(*mheap).sysAlloc\",\n" \
	"          \"file\": \"/src/main.go\",\n" \
	"          \"line\": 80,\n" \
	"          \"address\": \"0x8\",\n" \
	"          \"bytes\": 62914560,\n" \
	"          \"at_start\": true\n" \
	"        },\n" \
	"        {\n" \
	"          \"function\": \"main.handle\",\n" \
	"          \"file\": \"/src/main.go\",\n" \
	"          \"line\": 10,\n" \
	"          \"address\": \"0x1\",\n" \
	"          \"bytes\": 4194304,\n" \
	"          \"at_start\": false\n" \
	"        }\n" \
	"      ]\n" \
	"    },\n" \
	"    {\n" \
	"      \"kind\": \"text\",\n" \
	"      \"owner\": \"program\",\n" \
	"      \"reserved\": 0,\n" \
	"      \"committed\": 409600,\n" \
	"      \"resident\": 0,\n" \
	"      \"anonymous\": 0,\n" \
	"      \"file\": 0,\n" \
	"      \"shared\": 0,\n" \
	"      \"huge\": 0,\n" \
	"      \"returned\": 0,\n" \
	"      \"came_back\": 0,\n" \
	"      \"mappings\": 1,\n" \
	"      \"resident_at\": [0],\n" \
	"      \"sites\": []\n" \
	"    },\n" \
	"    {\n" \
	"      \"kind\": \"bss\",\n" \
	"      \"owner\": \"program\",\n" \
	"      \"reserved\": 0,\n" \
	"      \"committed\": 204800,\n" \
	"      \"resident\": 0,\n" \
	"      \"anonymous\": 0,\n" \
	"      \"file\": 0,\n" \
	"      \"shared\": 0,\n" \
	"      \"huge\": 0,\n" \
	"      \"returned\": 0,\n" \
	"      \"came_back\": 0,\n" \
	"      \"mappings\": 1,\n" \
	"      \"resident_at\": [0],\n" \
	"      \"sites\": []\n" \
	"    },\n" \
	"    {\n" \
	"      \"kind\": \"stack\",\n" \
	"      \"owner\": \"kernel\",\n" \
	"      \"reserved\": 0,\n" \
	"      \"committed\": 135168,\n" \
	"      \"resident\": 0,\n" \
	"      \"anonymous\": 0,\n" \
	"      \"file\": 0,\n" \
	"      \"shared\": 0,\n" \
	"      \"huge\": 0,\n" \
	"      \"returned\": 0,\n" \
	"      \"came_back\": 0,\n" \
	"      \"mappings\": 1,\n" \
	"      \"resident_at\": [0],\n" \
	"      \"sites\": []\n" \
	"    }\n" \
	"  ],\n" \
	"  \"goload\": [\n" \
	"    {\n" \
	"      \"kind\": \"ring\",\n" \
	"      \"size\": 65536,\n" \
	"      \"resident\": 0\n" \
	"    }\n" \
	"  ],\n" \
	"  \"unexplained\": [],\n" \
	"  \"phantom\": [],\n" \
	"  \"timeline\": [\n" \
	"    {\"t\": 0, \"reserved\": 0, \"committed\": 544768, \"resident\": 0},\n" \
	"    {\"t\": 100, \"reserved\": 0, \"committed\": 749568, \"resident\": 0},\n" \
	"    {\"t\": 19999000, \"reserved\": 0, \"committed\": 749568, \"resident\": 122880},\n" \
	"    {\"t\": 19999010, \"reserved\": 67108864, \"committed\": 749568, \"resident\": 122880},\n" \
	"    {\"t\": 59999010, \"reserved\": 62914560, \"committed\": 4943872, \"resident\": 122880},\n" \
	"    {\"t\": 99999000, \"reserved\": 62914560, \"committed\": 4943872, \"resident\": 2097152}\n" \
	"  ],\n" \
	"  \"moments\": [99999000],\n" \
	"  \"goload_resident_at\": [0],\n" \
	"  \"gone_resident_at\": [0],\n" \
	"  \"memstats\": null\n" \
	"}\n"
/* clang-format on */

#endif
