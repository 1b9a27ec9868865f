/*
 * memstats - MemStats of a Go program, into the run file.
 *
 * Read from the program's memory while it runs (observer/symbol/memstats.h).
 * Finding out where takes as long as some programs run, so it is not done
 * before a number is asked for.
 */
#include "observer/record/internal.h"

#include <string.h>
#include <unistd.h>

static bool read_target(void *context, uint64_t address, void *to, size_t size)
{
	return pread(*(const int *)context, to, size, (off_t)address) ==
	       (ssize_t)size;
}

/* Words of different moments: another attempt may do. */
static bool read_numbers(const struct go_memory *go, int fd,
                         struct memstats *stats)
{
	return memstats_read(&go->layout, go->bias, read_target, &fd, stats) ||
	       memstats_read(&go->layout, go->bias, read_target, &fd, stats);
}

static void write_reason(struct go_memory *go, struct output *out,
                         const char *reason)
{
	const struct file_memstats none = { .tsc = record_clock() };

	output_block(out, FILE_MEMSTATS, &none, sizeof(none), reason,
	             strlen(reason) + 1);
	go->state = GO_MEMORY_NONE;
}

static void find_layout(struct go_memory *go, struct output *out)
{
	struct symbol_file *symbols = symbol_open(go->file.at, go->file.stored);
	const char *reason = "the program's file cannot be read";

	if (symbols && memstats_layout(symbols, &go->layout, &reason))
		go->state = GO_MEMORY_KNOWN;
	else
		write_reason(go, out, reason);
	symbol_close(symbols);
}

void memstats_sample(struct go_memory *go, const struct proc *proc,
                     struct output *out)
{
	struct memstats stats;

	if (go->state == GO_MEMORY_UNKNOWN)
		find_layout(go, out);
	if (go->state != GO_MEMORY_KNOWN ||
	    !read_numbers(go, proc->fd[SESSION_FD_MEM], &stats))
		return;
	output_block(out, FILE_MEMSTATS,
	             &(struct file_memstats){
			     .tsc = record_clock(),
			     .available = 1,
			     .sys = stats.sys,
			     .heap_sys = stats.heap_sys,
			     .heap_idle = stats.heap_idle,
			     .heap_inuse = stats.heap_inuse,
			     .heap_released = stats.heap_released,
			     .stack_inuse = stats.stack_inuse,
			     .stack_sys = stats.stack_sys,
			     .mspan_inuse = stats.mspan_inuse,
			     .mspan_sys = stats.mspan_sys,
			     .mcache_inuse = stats.mcache_inuse,
			     .mcache_sys = stats.mcache_sys,
			     .buck_hash_sys = stats.buck_hash_sys,
			     .gc_sys = stats.gc_sys,
			     .other_sys = stats.other_sys,
		     },
	             sizeof(struct file_memstats), NULL, 0);
	go->written = true;
}

void memstats_end(struct go_memory *go, const struct proc *proc,
                  struct output *out)
{
	memstats_sample(go, proc, out);
	if (go->state == GO_MEMORY_KNOWN && !go->written)
		write_reason(go, out, "the program's memory cannot be read");
}
