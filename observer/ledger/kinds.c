/*
 * The table from frames to kinds: what a mapping is for, by who asked for it.
 *
 * Read a stack from the inside out.  Frames that only carry a call for others
 * (primitives) are passed over; the first that has a row in the table decides.
 * A row may ask how the call maps: Go's mheap.sysAlloc reserves the heap,
 * allocates the heap index, and gets metadata by persistentalloc.
 *
 * Kinds carry the runtime's own words (setVMAName, Go 1.25) or clearer ones.
 * A row has the runtime's word beside it: where a run gives names, they are
 * compared with what the frames have said (rows.c).
 *
 * The rows for Go hold from 1.11 on; what is of some versions only says so.
 * A function that is inlined may be absent: rows of a caller and of what it
 * calls stand in for each other.
 */
#include "observer/ledger/internal.h"

#include <string.h>

#define GO        KINDS_GO
#define LIBC      KINDS_LIBC
#define SANITIZER KINDS_SANITIZER

/* Rows of one function stand together; the first whose manner fits counts.  A
 * function that ends in '*' stands for all that begin so. */
/* clang-format off */
static const struct kind_rule rules[] = {
	/* The race detector (-race), and its C and C++ relatives.  Its shadow
	 * follows the heap: this comes before the frames that called it. */
	{ "_ZN6__tsan*", SHADOWS, "sanitizer shadow", SANITIZER, 0, NULL },
	{ "_ZN6__tsan*", ANY, "sanitizer memory", SANITIZER, 0, NULL },
	{ "_ZN11__sanitizer*", SHADOWS, "sanitizer shadow", SANITIZER, 0, NULL },
	{ "_ZN11__sanitizer*", ANY, "sanitizer memory", SANITIZER, 0, NULL },
	{ "_ZN6__asan*", SHADOWS, "sanitizer shadow", SANITIZER, 0, NULL },
	{ "_ZN6__asan*", ANY, "sanitizer memory", SANITIZER, 0, NULL },
	{ "_ZN6__msan*", SHADOWS, "sanitizer shadow", SANITIZER, 0, NULL },
	{ "_ZN6__msan*", ANY, "sanitizer memory", SANITIZER, 0, NULL },
	{ "__tsan_*", SHADOWS, "sanitizer shadow", SANITIZER, 0, NULL },
	{ "__tsan_*", ANY, "sanitizer memory", SANITIZER, 0, NULL },
	{ "racecall", SHADOWS, "sanitizer shadow", SANITIZER, 0, NULL },
	{ "racecall", ANY, "sanitizer memory", SANITIZER, 0, NULL },
	{ "runtime.race*", SHADOWS, "sanitizer shadow", SANITIZER, 0, NULL },
	{ "runtime.race*", ANY, "sanitizer memory", SANITIZER, 0, NULL },

	/* The heap: reserved in arenas of 64 MiB, committed whole until 1.16,
	 * by 4 MiB since.  The index of all arenas, and what belongs to one:
	 * its bitmap until 1.21, its spans. */
	{ "runtime.(*mheap).sysAlloc", PERSISTENT, "heap metadata", GO, 0,
	  "immortal metadata" },
	{ "runtime.(*mheap).sysAlloc", RESERVES, "heap", GO, 1,
	  "heap reservation" },
	{ "runtime.(*mheap).sysAlloc", COMMITS, "heap", GO, 1, "heap" },
	{ "runtime.(*mheap).sysAlloc", ALLOCATES, "heap index", GO, 0,
	  "heap index" },
	{ "runtime.(*linearAlloc).alloc", ANY, "heap", GO, 1, "heap" },
	{ "runtime.(*mheap).grow", ANY, "heap", GO, 1, "heap" },
	{ "runtime.(*mheap).allocUserArenaChunk", ANY, "user arena", GO, 1,
	  "user arena chunk" }, /* 1.20- */
	{ "runtime.newUserArenaChunk", ANY, "user arena", GO, 1,
	  "user arena chunk" },

	/* The page allocator, 1.14-: a summary of five levels, an index for
	 * what gives pages back (1.19-; in 1.19 and 1.20 also by pageAlloc's
	 * sysInit: claim.c), bitmaps of pages. */
	{ "runtime.(*scavengeIndex).sysInit", ANY, "scavenge index", GO, 0,
	  "scavenge index" },
	{ "runtime.(*scavengeIndex).init", ANY, "scavenge index", GO, 0,
	  "scavenge index" },
	{ "runtime.(*scavengeIndex).sysGrow", ANY, "scavenge index", GO, 0,
	  "scavenge index" },
	{ "runtime.(*scavengeIndex).grow", ANY, "scavenge index", GO, 0,
	  "scavenge index" },
	{ "runtime.(*pageAlloc).sysInit", ANY, "page summary", GO, 0,
	  "page summary" },
	{ "runtime.(*pageAlloc).init", RESERVES, "page summary", GO, 0,
	  "page summary" },
	{ "runtime.(*pageAlloc).sysGrow", ANY, "page summary", GO, 0,
	  "page alloc" },
	{ "runtime.(*pageAlloc).grow", ALLOCATES, "page alloc index", GO, 0,
	  "page alloc index" },

	/* What many share, in chunks of 256 KiB; of whoever needed the next. */
	{ "runtime.persistentalloc*", ANY, "runtime metadata", GO, 0,
	  "immortal metadata" },

	/* Spans, the collector's bits and queues. */
	{ "runtime.recordspan", ANY, "spans", GO, 0, "allspans array" },
	{ "runtime.newArenaMayUnlock", ANY, "gc bits", GO, 0, "gc bits" },
	{ "runtime.newMarkBits", ANY, "gc bits", GO, 0, "gc bits" },
	{ "runtime.newAllocBits", ANY, "gc bits", GO, 0, "gc bits" },
	{ "runtime.newSpanSPMC", ANY, "GC span queue", GO, 0,
	  "GC span queue" }, /* 1.26- */
	{ "runtime.(*spanSPMC).*", ANY, "GC span queue", GO, 0,
	  "GC span queue" },
	{ "runtime.(*spanQueue).*", ANY, "GC span queue", GO, 0,
	  "GC span queue" },

	/* Profiling, tracing, debugging. */
	{ "runtime.stkbucket", ALLOCATES, "profiling buckets", GO, 0,
	  "profiler hash buckets" },
	{ "runtime.traceBufAlloc", ANY, "trace buffer", GO, 0, NULL },
	{ "runtime.traceFlush", ANY, "trace buffer", GO, 0, NULL }, /* -1.22 */
	{ "runtime.(*traceAlloc).alloc", ANY, "trace buffer", GO, 0, NULL },
	{ "runtime.traceWriter.refill", ANY, "trace buffer", GO, 0,
	  "trace buffer" }, /* 1.22- */
	{ "runtime.(*traceRegionAlloc).alloc", ANY, "trace buffer", GO, 0,
	  "trace arena alloc" },
	{ "runtime.pageTraceEmit", ANY, "trace buffer", GO, 0, NULL },
	{ "runtime.getdebuglog", ANY, "debug log", GO, 0, "debug log" },
	{ "runtime.getCachedDlogger", ANY, "debug log", GO, 0, "debug log" },
	{ "runtime.dlog*", ANY, "debug log", GO, 0, "debug log" },
	{ "runtime.printDebugLog*", ANY, "debug log", GO, 0, "debug log" },
	{ "runtime.makeheapobjbv", ANY, "heap dump", GO, 0, "heapdump" },

	/* Threads and stacks that are not of the heap; random numbers. */
	{ "runtime.stackalloc", ALLOCATES, "goroutine stack (system)", GO, 1,
	  "goroutine stack (system)" },
	{ "runtime.newosproc0", ANY, "OS thread stack", GO, 0,
	  "OS thread stack" },
	{ "runtime.vgetrandomGetState", ANY, "getrandom states", GO, 0,
	  "getrandom states" }, /* 1.24- */

	/* libc.  Of glibc's stripped libraries only the functions that it
	 * exports have names: the public ones stand in for those inside. */
	{ "allocate_stack", ANY, "thread stack", LIBC, 1, NULL },
	{ "__pthread_create*", ANY, "thread stack", LIBC, 1, NULL },
	{ "pthread_create", ANY, "thread stack", LIBC, 1, NULL },
	{ "new_heap", ANY, "malloc arena", LIBC, 1, NULL },
	{ "alloc_new_heap", ANY, "malloc arena", LIBC, 1, NULL },
	{ "grow_heap", ANY, "malloc arena", LIBC, 1, NULL },
	{ "arena_get2*", ANY, "malloc arena", LIBC, 1, NULL },
	{ "__expand_heap", ANY, "malloc arena", LIBC, 1, NULL },
	{ "__malloc_alloc_meta", ANY, "malloc arena", LIBC, 1, NULL },
	{ "alloc_group", ANY, "malloc arena", LIBC, 1, NULL },
	{ "sysmalloc_mmap*", ANY, "malloc mmap", LIBC, 1, NULL },
	{ "mremap_chunk", ANY, "malloc mmap", LIBC, 1, NULL },
#define MALLOC(function) \
	{ function, RESERVES, "malloc arena", LIBC, 1, NULL }, \
	{ function, ANY, "malloc mmap", LIBC, 1, NULL }
	MALLOC("sysmalloc"), MALLOC("_int_malloc"), MALLOC("_int_realloc"),
	MALLOC("_int_memalign"), MALLOC("__libc_malloc*"),
	MALLOC("__libc_calloc"), MALLOC("__libc_realloc"),
	MALLOC("__libc_memalign"), MALLOC("__libc_free"), MALLOC("malloc"),
	MALLOC("calloc"), MALLOC("realloc"), MALLOC("reallocarray"),
	MALLOC("free"), MALLOC("cfree"), MALLOC("memalign"),
	MALLOC("aligned_alloc"), MALLOC("posix_memalign"), MALLOC("valloc"),
	MALLOC("pvalloc"), MALLOC("tcache_init"), MALLOC("ptmalloc_init"),
#undef MALLOC
	{ "__libc_setup_tls", ANY, "TLS", LIBC, 0, NULL },
	{ "__init_tls", ANY, "TLS", LIBC, 0, NULL },
	{ "static_init_tls", ANY, "TLS", LIBC, 0, NULL },
	{ "_dl_early_allocate", ANY, "TLS", LIBC, 0, NULL },
	{ "_dl_allocate_tls*", PERSISTENT, "TLS", LIBC, 0, NULL },
	{ "_dl_allocate_tls*", ANY, "TLS", LIBC, 0, NULL },
	{ "__minimal_malloc", ANY, "ld.so", LIBC, 0, NULL },
	{ "__dls*", ANY, "ld.so", LIBC, 0, NULL }, /* musl's */
	{ "_dl_map_segment*", ANY, "shared library", LIBC, 0, NULL },
	{ "_dl_map_object*", ANY, "shared library", LIBC, 0, NULL },
	{ "map_library", ANY, "shared library", LIBC, 0, NULL },
};

/* Frames that carry a call for someone.  Those that have a row, too, allocate
 * for many: the row counts unless one that asked for it has a row for that. */
static const char *const primitives[] = {
	"runtime.sysMmap", "runtime.sysMunmap", "runtime.mmap",
	"runtime.munmap", "runtime.madvise", "runtime.callCgoMmap",
	"runtime.callCgoMunmap", "runtime.sysAlloc*", "runtime.sysReserve*",
	"runtime.sysMap*", "runtime.sysUsed*", "runtime.sysUnused*",
	"runtime.sysFree*", "runtime.sysFault*", "runtime.sysHugePage*",
	"runtime.sysNoHugePage*", "runtime.persistentalloc*",
	"runtime.systemstack*", "runtime.mcall", "runtime.morestack*",
	"runtime.asmcgocall*", "runtime.cgocall", "runtime.(*fixalloc).alloc",
	"syscall.Syscall*", "syscall.RawSyscall*", "syscall.rawSyscall*",
	"syscall.mmap", "syscall.munmap", "syscall.Mmap", "syscall.Munmap",
	"syscall.(*mmapper).*", "internal/runtime/syscall*",
	"runtime/internal/syscall*", "golang.org/x/sys/unix.*",
	"internal/syscall/unix.*",
	"x_cgo_mmap", "x_cgo_munmap", "_cgo_*_Cfunc_*", "*._Cfunc_*",
	"*._C2func_*", "mmap", "mmap64", "__mmap", "__mmap64",
	"munmap", "__munmap", "mremap", "__mremap", "mprotect", "__mprotect",
	"brk", "__brk", "sbrk", "__sbrk", "__default_morecore",
	"__glibc_morecore", "__minimal_malloc", "shmat",
	"__shmat", "syscall", "__syscall",
};

/* Functions of the Go runtime, in Go and in C. */
static const char *const runtimes[] = {
	"runtime.*", "runtime/*", "internal/runtime/*", "internal/cpu.*",
	"x_cgo_*", "_cgo_*", "threadentry", "crosscall1", "crosscall2",
	"crosscall_amd64",
};
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- one name ----------------------------------------------------------- */

/* Length without what the tool chain adds: ".abi0" of Go's symbol table; what
 * gcc has made of a function (tcache_init.part.0); the version of a libc's
 * (pthread_create@GLIBC_2.2.5); and ".func1" for Go's functions inside
 * (persistentalloc.func1). */
static size_t plain_length(const char *function)
{
	static const char *const added[] = {
		".abi0", ".part.", ".constprop.", ".isra.",
		".cold", "@GLIBC", "@@GLIBC",
	};
	const char *inner = strstr(function, ".func");
	size_t length = strlen(function);

	if (inner && inner[5] >= '0' && inner[5] <= '9')
		length = (size_t)(inner - function);
	for (size_t i = 0; i < COUNT(added); i++) {
		const char *at = strstr(function, added[i]);

		if (at && (size_t)(at - function) < length)
			length = (size_t)(at - function);
	}
	return length;
}

static int starts(const char *function, const char *with)
{
	return strncmp(function, with, strlen(with)) == 0;
}

/* Is `function`, of `length`, what `pattern` says?  '*' stands for anything. */
static int matches(const char *pattern, const char *function, size_t length)
{
	const char *star = strchr(pattern, '*');
	size_t size = star ? (size_t)(star - pattern) : strlen(pattern);

	if (length < size || memcmp(pattern, function, size) != 0)
		return 0;
	if (!star)
		return length == size;
	if (!star[1])
		return 1;
	for (size_t i = size; i < length; i++)
		if (matches(star + 1, function + i, length - i))
			return 1;
	return 0;
}

static int is_among(const char *const *list, size_t count, const char *function,
                    size_t length)
{
	for (size_t i = 0; i < count; i++)
		if (matches(list[i], function, length))
			return 1;
	return 0;
}

static const struct kind_rule *find_rule(const char *function, size_t length)
{
	for (size_t i = 0; i < COUNT(rules); i++)
		if (matches(rules[i].function, function, length))
			return &rules[i];
	return NULL;
}

void kinds_tell(struct name *name)
{
	const char *function = name->place.linker ? name->place.linker
	                                          : name->place.function;
	size_t length;

	if (!function)
		return;
	length = plain_length(function);
	name->start = starts(function, "runtime.schedinit");
	name->rule = find_rule(function, length);
	if (is_among(primitives, COUNT(primitives), function, length))
		name->group = NAME_PRIMITIVE;
	else if (is_among(runtimes, COUNT(runtimes), function, length))
		name->group = NAME_RUNTIME;
	else
		name->group = NAME_PROGRAM;
}

const struct kind_rule *kinds_fit(const struct kind_rule *rule,
                                  enum manner manner)
{
	const char *function = rule ? rule->function : NULL;

	for (; rule && rule < rules + COUNT(rules) &&
	       strcmp(rule->function, function) == 0;
	     rule++)
		if (rule->manner == ANY || rule->manner == manner)
			return rule;
	return NULL;
}

int kinds_agree(const char *kind, struct word_part given)
{
	for (size_t i = 0; i < COUNT(rules); i++)
		if (rules[i].given && strcmp(rules[i].kind, kind) == 0 &&
		    strlen(rules[i].given) == given.size &&
		    memcmp(rules[i].given, given.text, given.size) == 0)
			return 1;
	return 0;
}
