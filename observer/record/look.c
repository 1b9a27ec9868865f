/*
 * look - what the kernel says of the target's memory.
 *
 * Through descriptors that the target opened itself at boot: they keep working
 * when it drops its uid or becomes undumpable.  Resident pages come from
 * PAGEMAP_SCAN where the kernel has it (Linux 6.7), else from reading pagemap.
 */
#include "observer/record/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* uapi/linux/fs.h, Linux 6.7; older headers do not have it */
#define SCAN_PRESENT (1ull << 3) /* PAGE_IS_PRESENT */
#define SCAN_PFNZERO (1ull << 5) /* PAGE_IS_PFNZERO: the shared zero page */

struct scan_region {
	uint64_t start, end, categories;
};

struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask;
	uint64_t return_mask;
};

#define SCAN_IOCTL _IOWR('f', 16, struct scan_arg)
#define USER_END   0x7ffffffff000ull
#define REGIONS    1024
#define PRESENT    (1ull << 63) /* of a pagemap entry (admin-guide/mm/pagemap) */

uint64_t record_clock(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

void record_fail(struct record_failure *failure, int code, int error,
                 const char *format, ...)
{
	va_list list;

	failure->code = code;
	failure->error = error;
	va_start(list, format);
	vsnprintf(failure->message, sizeof(failure->message), format, list);
	va_end(list);
}

bool look_available(const struct proc *proc)
{
	return proc->fd[SESSION_FD_MAPS] >= 0;
}

bool look_gone(const struct proc *proc)
{
	char byte;

	return pread(proc->fd[SESSION_FD_MAPS], &byte, 1, 0) <= 0;
}

/* A whole file of /proc; the caller frees it.  NULL when it cannot be read. */
static char *read_whole(int fd, size_t *size)
{
	size_t room = 1u << 16, used = 0;
	char *text = malloc(room + 1);

	while (text) {
		ssize_t n = pread(fd, text + used, room - used, (off_t)used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
		if (used == room) {
			char *more = realloc(text, 2 * room + 1);

			if (!more)
				break;
			text = more;
			room *= 2;
		}
	}
	if (text)
		text[used] = 0;
	*size = used;
	return text;
}

char *look_maps(const struct proc *proc)
{
	size_t size;

	return read_whole(proc->fd[SESSION_FD_MAPS], &size);
}

static uint64_t status_bytes(const char *status, const char *key)
{
	const char *at = strstr(status, key);

	return at ? 1024 * strtoull(at + strlen(key), NULL, 10) : 0;
}

static bool read_status(const struct proc *proc, struct file_look *look)
{
	char status[4096];
	ssize_t n = pread(proc->fd[SESSION_FD_STATUS], status,
	                  sizeof(status) - 1, 0);

	if (n <= 0)
		return false;
	status[n] = 0;
	look->vm_size = status_bytes(status, "VmSize:");
	look->vm_peak = status_bytes(status, "VmPeak:");
	look->resident = status_bytes(status, "VmRSS:");
	return look->vm_size != 0;
}

bool look_map(const struct proc *proc, struct output *out,
              const struct trace_session *session, enum file_look_when when)
{
	struct file_look look = {
		.tsc = record_clock(),
		.ticket = __atomic_load_n(&session->order, __ATOMIC_SEQ_CST),
		.when = when,
	};
	size_t size = 0;
	char *text;

	if (!look_available(proc))
		return false;
	/* Without a first thread (pthread_exit in main) status has no sizes,
	 * but the map is still there. */
	read_status(proc, &look);
	text = read_whole(proc->fd[SESSION_FD_MAPS], &size);
	look.text_size = size;
	if (size)
		output_block(out, FILE_MAPS, &look, sizeof(look), text, size);
	free(text);
	return size != 0;
}

/* Told of each run of resident pages, in order. */
typedef void on_resident(void *context, uint64_t start, uint64_t end);

static bool scan(int fd, uint64_t start, uint64_t end, on_resident *tell,
                 void *context)
{
	static struct scan_region region[REGIONS];

	while (start < end) {
		struct scan_arg arg = {
			.size = sizeof(arg),
			.start = start,
			.end = end,
			.vec = (uint64_t)(uintptr_t)region,
			.vec_len = REGIONS,
			.category_inverted = SCAN_PFNZERO,
			.category_mask = SCAN_PRESENT | SCAN_PFNZERO,
			.return_mask = SCAN_PRESENT,
		};
		int n = ioctl(fd, SCAN_IOCTL, &arg);

		if (n < 0)
			return false;
		for (int i = 0; i < n; i++)
			tell(context, region[i].start, region[i].end);
		if (arg.walk_end <= start)
			break;
		start = arg.walk_end;
	}
	return true;
}

/* Without PAGEMAP_SCAN: every entry of [start, end). */
static void read_entries(int fd, uint64_t start, uint64_t end,
                         on_resident *tell, void *context)
{
	uint64_t entry[512];

	while (start < end) {
		size_t want = (end - start) / 4096;
		ssize_t n;

		if (want > 512)
			want = 512;
		n = pread(fd, entry, want * 8, (off_t)(start / 4096 * 8));
		if (n < 8)
			return;
		for (ssize_t i = 0; i < n / 8; i++)
			if (entry[i] & PRESENT)
				tell(context, start + 4096 * (uint64_t)i,
				     start + 4096 * (uint64_t)(i + 1));
		start += 4096 * (uint64_t)(n / 8);
	}
}

static void read_maps(const struct proc *proc, on_resident *tell, void *context)
{
	size_t size;
	char *text = read_whole(proc->fd[SESSION_FD_MAPS], &size);
	char *line = text;

	while (line && *line) {
		unsigned long start, end;
		char *next = strchr(line, '\n');

		if (sscanf(line, "%lx-%lx", &start, &end) == 2 &&
		    end <= USER_END)
			read_entries(proc->fd[SESSION_FD_PAGEMAP], start, end,
			             tell, context);
		line = next ? next + 1 : NULL;
	}
	free(text);
}

/* Joins runs that touch. */
struct collected {
	struct file_resident *range;
	size_t count, room;
};

static void collect(void *context, uint64_t start, uint64_t end)
{
	struct collected *all = context;
	struct file_resident *last =
		all->count ? &all->range[all->count - 1] : NULL;

	if (last && last->end == start) {
		last->end = end;
		last->bytes += end - start;
		return;
	}
	if (all->count == all->room) {
		size_t room = all->room ? 2 * all->room : 1024;
		void *more = realloc(all->range, room * sizeof(*all->range));

		if (!more)
			return;
		all->range = more;
		all->room = room;
	}
	all->range[all->count++] =
		(struct file_resident){ start, end, end - start };
}

void look_resident(const struct proc *proc, struct output *out)
{
	struct collected all = { 0 };
	int fd = proc->fd[SESSION_FD_PAGEMAP];

	if (!look_available(proc))
		return;
	if (!scan(fd, 0, USER_END, collect, &all)) {
		all.count = 0;
		read_maps(proc, collect, &all);
	}
	output_block(out, FILE_RESIDENT, all.range,
	             all.count * sizeof(*all.range), NULL, 0);
	free(all.range);
}

static void add(void *context, uint64_t start, uint64_t end)
{
	*(uint64_t *)context += end - start;
}

bool look_sample(const struct proc *proc, const struct trace_session *session,
                 struct file_sample *sample)
{
	struct file_look look = { 0 };
	int fd = proc->fd[SESSION_FD_PAGEMAP];
	uint64_t own = 0;

	if (!look_available(proc) || !read_status(proc, &look))
		return false;
	if (!scan(fd, session->image_start, session->image_end, add, &own))
		read_entries(fd, session->image_start, session->image_end, add,
		             &own);
	*sample = (struct file_sample){
		.tsc = record_clock(),
		.vm_size = look.vm_size,
		.resident = look.resident,
		.goload_resident = own,
	};
	return true;
}
