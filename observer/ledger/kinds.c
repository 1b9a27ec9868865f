/*
 * The table from frames to kinds: what a mapping is for, by who asked for it.
 *
 * Read a stack from the inside out.  Frames that only carry a call for others
 * (primitives) are passed over; the first that has a row in the table decides.
 * A row may ask how the call maps: Go's mheap.sysAlloc reserves the heap,
 * allocates the heap index, and gets metadata by persistentalloc.
 *
 * Kinds carry the runtime's own words (setVMAName, Go 1.25) or clearer ones.
 */
#include "observer/ledger/internal.h"

#include <string.h>

#define GO   KINDS_GO
#define LIBC KINDS_LIBC

/* Rows of one function stand together; the first whose manner fits counts. */
/* clang-format off */
static const struct kind_rule rules[] = {
	{ "runtime.(*mheap).sysAlloc", PERSISTENT, "heap metadata", GO, 0 },
	{ "runtime.(*mheap).sysAlloc", RESERVES, "heap", GO, 1 },
	{ "runtime.(*mheap).sysAlloc", COMMITS, "heap", GO, 1 },
	{ "runtime.(*mheap).sysAlloc", ALLOCATES, "heap index", GO, 0 },
	{ "runtime.(*linearAlloc).alloc", ANY, "heap", GO, 1 },
	{ "runtime.(*mheap).grow", ANY, "heap", GO, 1 },
	{ "runtime.(*mheap).allocUserArenaChunk", ANY, "user arena", GO, 1 },
	{ "runtime.newUserArenaChunk", ANY, "user arena", GO, 1 },

	{ "runtime.(*scavengeIndex).sysInit", ANY, "scavenge index", GO, 0 },
	{ "runtime.(*scavengeIndex).init", ANY, "scavenge index", GO, 0 },
	{ "runtime.(*scavengeIndex).sysGrow", ANY, "scavenge index", GO, 0 },
	{ "runtime.(*scavengeIndex).grow", ANY, "scavenge index", GO, 0 },
	{ "runtime.(*pageAlloc).sysInit", ANY, "page summary", GO, 0 },
	{ "runtime.(*pageAlloc).init", RESERVES, "page summary", GO, 0 },
	{ "runtime.(*pageAlloc).sysGrow", ANY, "page summary", GO, 0 },
	{ "runtime.(*pageAlloc).grow", ALLOCATES, "page alloc index", GO, 0 },

	{ "runtime.recordspan", ANY, "spans", GO, 0 },
	{ "runtime.newArenaMayUnlock", ANY, "gc bits", GO, 0 },
	{ "runtime.newMarkBits", ANY, "gc bits", GO, 0 },
	{ "runtime.newAllocBits", ANY, "gc bits", GO, 0 },
	{ "runtime.newSpanSPMC", ANY, "GC span queue", GO, 0 },
	{ "runtime.(*spanSPMC).init", ANY, "GC span queue", GO, 0 },
	{ "runtime.(*spanQueue).expand", ANY, "GC span queue", GO, 0 },
	{ "runtime.(*localSpanQueue).expand", ANY, "GC span queue", GO, 0 },
	{ "runtime.stkbucket", ALLOCATES, "profiling buckets", GO, 0 },
	{ "runtime.newBucket", ALLOCATES, "profiling buckets", GO, 0 },
	{ "runtime.stackalloc", ALLOCATES, "goroutine stack (system)", GO, 1 },
	{ "runtime.newosproc0", ANY, "OS thread stack", GO, 0 },
	{ "runtime.traceBufAlloc", ANY, "trace buffer", GO, 0 },
	{ "runtime.traceWriter.refill", ANY, "trace buffer", GO, 0 },
	{ "runtime.(*traceRegionAlloc).alloc", ANY, "trace buffer", GO, 0 },
	{ "runtime.getdebuglog", ANY, "debug log", GO, 0 },
	{ "runtime.getCachedDlogger", ANY, "debug log", GO, 0 },
	{ "runtime.dlogImpl", ANY, "debug log", GO, 0 },
	{ "runtime.printDebugLog", ANY, "debug log", GO, 0 },
	{ "runtime.makeheapobjbv", ANY, "heap dump", GO, 0 },
	{ "runtime.vgetrandomGetState", ANY, "getrandom states", GO, 0 },

	{ "allocate_stack", ANY, "thread stack", LIBC, 1 },
	{ "__pthread_create", ANY, "thread stack", LIBC, 1 },
	{ "pthread_create", ANY, "thread stack", LIBC, 1 },
	{ "new_heap", ANY, "malloc arena", LIBC, 1 },
	{ "grow_heap", ANY, "malloc arena", LIBC, 1 },
	{ "arena_get2", ANY, "malloc arena", LIBC, 1 },
	{ "sysmalloc", ANY, "malloc arena", LIBC, 1 },
	{ "sysmalloc_mmap", ANY, "malloc arena", LIBC, 1 },
	{ "__expand_heap", ANY, "malloc arena", LIBC, 1 },
	{ "__malloc_alloc_meta", ANY, "malloc arena", LIBC, 1 },
	{ "alloc_group", ANY, "malloc arena", LIBC, 1 },
	{ "__libc_malloc_impl", ANY, "malloc arena", LIBC, 1 },
	{ "_int_malloc", ANY, "malloc arena", LIBC, 1 },
	{ "__libc_malloc", ANY, "malloc arena", LIBC, 1 },
	{ "malloc", ANY, "malloc arena", LIBC, 1 },
	{ "mremap_chunk", ANY, "malloc arena", LIBC, 1 },
	{ "__libc_setup_tls", ANY, "TLS", LIBC, 0 },
	{ "__init_tls", ANY, "TLS", LIBC, 0 },
	{ "static_init_tls", ANY, "TLS", LIBC, 0 },
	{ "_dl_early_allocate", ANY, "TLS", LIBC, 0 },
	{ "_dl_allocate_tls", ANY, "TLS", LIBC, 0 },
	{ "_dl_map_segments", ANY, "shared library", LIBC, 0 },
	{ "_dl_map_segment", ANY, "shared library", LIBC, 0 },
	{ "_dl_map_object_from_fd", ANY, "shared library", LIBC, 0 },
	{ "map_library", ANY, "shared library", LIBC, 0 },
};

/* Frames that carry a call for someone.  A name that ends in '*' stands for
 * all that begin so. */
static const char *const primitives[] = {
	"runtime.sysMmap", "runtime.sysMunmap", "runtime.mmap",
	"runtime.munmap", "runtime.madvise", "runtime.callCgoMmap",
	"runtime.callCgoMunmap", "runtime.sysAlloc*", "runtime.sysReserve*",
	"runtime.sysMap*", "runtime.sysUsed*", "runtime.sysUnused*",
	"runtime.sysFree*", "runtime.sysFault*", "runtime.sysHugePage*",
	"runtime.sysNoHugePage*", "runtime.persistentalloc*",
	"runtime.systemstack*", "runtime.mcall", "runtime.morestack*",
	"runtime.asmcgocall*", "runtime.(*fixalloc).alloc",
	"syscall.Syscall*", "syscall.RawSyscall*", "syscall.rawSyscall*",
	"syscall.mmap", "syscall.munmap", "syscall.Mmap", "syscall.Munmap",
	"syscall.(*mmapper).*", "internal/runtime/syscall*",
	"runtime/internal/syscall*", "golang.org/x/sys/unix.*",
	"internal/syscall/unix.*",
	"x_cgo_mmap", "x_cgo_munmap", "mmap", "mmap64", "__mmap", "__mmap64",
	"munmap", "__munmap", "mremap", "__mremap", "mprotect", "__mprotect",
	"brk", "__brk", "sbrk", "__sbrk", "__default_morecore",
	"__glibc_morecore", "shmat", "__shmat", "syscall", "__syscall",
};
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- one name ----------------------------------------------------------- */

/* Length without what the tool chain adds: ".abi0" of the symbol table, and
 * ".func1" for the functions inside (persistentalloc.func1). */
static size_t plain_length(const char *function)
{
	const char *suffix = strstr(function, ".abi0");
	const char *inner = strstr(function, ".func");

	if (inner && inner[5] >= '0' && inner[5] <= '9')
		suffix = inner;
	return suffix ? (size_t)(suffix - function) : strlen(function);
}

static int starts(const char *function, const char *with)
{
	return strncmp(function, with, strlen(with)) == 0;
}

static int is_primitive(const char *function, size_t length)
{
	for (size_t i = 0; i < COUNT(primitives); i++) {
		size_t size = strlen(primitives[i]);

		if (primitives[i][size - 1] == '*') {
			if (strncmp(function, primitives[i], size - 1) == 0)
				return 1;
		} else if (size == length &&
		           memcmp(function, primitives[i], size) == 0) {
			return 1;
		}
	}
	return 0;
}

static int is_runtime(const char *function)
{
	return starts(function, "runtime.") || starts(function, "runtime/") ||
	       starts(function, "internal/runtime/") ||
	       starts(function, "internal/cpu.");
}

static const struct kind_rule *find_rule(const char *function, size_t length)
{
	for (size_t i = 0; i < COUNT(rules); i++)
		if (strlen(rules[i].function) == length &&
		    memcmp(rules[i].function, function, length) == 0)
			return &rules[i];
	return NULL;
}

void kinds_tell(struct name *name)
{
	const char *function = name->place.function;
	size_t length;

	if (!function)
		return;
	length = plain_length(function);
	name->persistent = starts(function, "runtime.persistentalloc");
	name->start = starts(function, "runtime.schedinit");
	name->rule = find_rule(function, length);
	if (is_primitive(function, length))
		name->group = NAME_PRIMITIVE;
	else if (is_runtime(function))
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
