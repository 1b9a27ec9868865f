/*
 * look - what the kernel says of the target's memory.
 *
 * Through descriptors that the target opened itself at boot: they keep working
 * when it drops its uid or becomes undumpable.  Resident pages come from
 * PAGEMAP_SCAN where the kernel has it (Linux 6.7), else from reading pagemap,
 * and which are huge from smaps.
 */
#include "observer/record/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* uapi/linux/fs.h, Linux 6.7; older headers do not have it */
#define SCAN_FILE    (1ull << 2) /* PAGE_IS_FILE: shared anonymous, too */
#define SCAN_PRESENT (1ull << 3) /* PAGE_IS_PRESENT */
#define SCAN_PFNZERO (1ull << 5) /* PAGE_IS_PFNZERO: the shared zero page */
#define SCAN_HUGE    (1ull << 6) /* PAGE_IS_HUGE */

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
#define HUGE_SIZE  (2ull << 20)

/* of a part of a walk, most */
#define PART_REGIONS 128
#define PART_PAGES   4096

#define SHOT_RANGES 16384

/* of a pagemap entry (admin-guide/mm/pagemap) */
#define PRESENT (1ull << 63)
#define OF_FILE (1ull << 61) /* or shared anonymous */

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
	failure->killed = false;
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

static bool goes_on(struct look_pause *pause)
{
	if (pause && !pause->left)
		pause->left = !pause->go_on(pause->context);
	return !pause || !pause->left;
}

/* A whole file of /proc; the caller frees it.  NULL when it cannot be read. */
static char *read_whole(int fd, size_t *size, struct look_pause *pause)
{
	size_t room = 1u << 16, used = 0;
	char *text = malloc(room + 1);

	while (text && goes_on(pause)) {
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

	return read_whole(proc->fd[SESSION_FD_MAPS], &size, NULL);
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
	text = read_whole(proc->fd[SESSION_FD_MAPS], &size, NULL);
	look.text_size = size;
	if (size)
		output_block(out, FILE_MAPS, &look, sizeof(look), text, size);
	free(text);
	return size != 0;
}

/* Told of each run of resident pages, in order, with its SCAN_ categories. */
typedef void on_resident(void *context, uint64_t start, uint64_t end,
                         uint64_t categories);

/* How to go through the pages, and whom to tell. */
struct walk {
	on_resident *tell;
	void *context;
	/* Not NULL: in parts, since each holds the target's map. */
	struct look_pause *pause;
};

/* False where the kernel cannot. */
static bool scan(int fd, uint64_t start, uint64_t end, const struct walk *walk)
{
	static struct scan_region region[REGIONS];

	while (start < end && goes_on(walk->pause)) {
		struct scan_arg arg = {
			.size = sizeof(arg),
			.start = start,
			.end = end,
			.vec = (uint64_t)(uintptr_t)region,
			.vec_len = walk->pause ? PART_REGIONS : REGIONS,
			.max_pages = walk->pause ? PART_PAGES : 0,
			.category_inverted = SCAN_PFNZERO,
			.category_mask = SCAN_PRESENT | SCAN_PFNZERO,
			.return_mask = SCAN_PRESENT | SCAN_FILE | SCAN_HUGE,
		};
		int n = ioctl(fd, SCAN_IOCTL, &arg);

		if (n < 0)
			return false;
		for (int i = 0; i < n; i++)
			walk->tell(walk->context, region[i].start,
			           region[i].end, region[i].categories);
		if (arg.walk_end <= start)
			break;
		start = arg.walk_end;
	}
	return true;
}

/* Without PAGEMAP_SCAN: every entry of [start, end). */
static void read_entries(int fd, uint64_t start, uint64_t end,
                         const struct walk *walk)
{
	uint64_t entry[512];

	while (start < end && goes_on(walk->pause)) {
		size_t want = (end - start) / 4096;
		ssize_t n;

		if (want > 512)
			want = 512;
		n = pread(fd, entry, want * 8, (off_t)(start / 4096 * 8));
		if (n < 8)
			return;
		for (ssize_t i = 0; i < n / 8; i++)
			if (entry[i] & PRESENT)
				walk->tell(walk->context,
				           start + 4096 * (uint64_t)i,
				           start + 4096 * (uint64_t)(i + 1),
				           entry[i] & OF_FILE ? SCAN_FILE : 0);
		start += 4096 * (uint64_t)(n / 8);
	}
}

/* ---- memory that is shared without a file on a disk --------------------- */

#define DEVICES 64 /* of such memory: one for each tmpfs */

struct devices {
	dev_t device[DEVICES];
	size_t count;
};

static void add_device(struct devices *devices, dev_t device)
{
	if (devices->count < DEVICES)
		devices->device[devices->count++] = device;
}

/* The kernel's own, which has memfd, System V and shared anonymous memory, and
 * each one that is mounted. */
static void find_devices(struct devices *devices)
{
	int fd = memfd_create("goload-device", MFD_CLOEXEC);
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	unsigned first, second;
	struct stat status;
	char *line = NULL;
	size_t room = 0;

	if (fd >= 0 && fstat(fd, &status) == 0)
		add_device(devices, status.st_dev);
	if (fd >= 0)
		close(fd);
	while (mounts && getline(&line, &room, mounts) > 0)
		if (strstr(line, " - tmpfs ") &&
		    sscanf(line, "%*d %*d %u:%u", &first, &second) == 2)
			add_device(devices, makedev(first, second));
	free(line);
	if (mounts)
		fclose(mounts);
}

/* The range that a line of maps begins with; what is behind it, NULL: it is no
 * such line.  sscanf() would measure all of the text, for each line. */
static const char *read_range(const char *line, uint64_t *start, uint64_t *end)
{
	char *at;

	*start = strtoull(line, &at, 16);
	if (at == line || *at != '-')
		return NULL;
	*end = strtoull(at + 1, &at, 16);
	return *at == ' ' ? at + 1 : NULL;
}

/* A line of maps: does it map such memory? */
static bool is_shared(const struct devices *devices, const char *line,
                      uint64_t *start, uint64_t *end)
{
	const char *behind = read_range(line, start, end);
	char *at = behind ? strchr(behind, ' ') : NULL;
	unsigned first, second;

	if (!at)
		return false;
	strtoull(at, &at, 16); /* offset */
	first = (unsigned)strtoul(at, &at, 16);
	if (*at != ':')
		return false;
	second = (unsigned)strtoul(at + 1, &at, 16);
	for (size_t i = 0; i < devices->count; i++)
		if (devices->device[i] == makedev(first, second))
			return true;
	return false;
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : line + strlen(line);
}

/* ---- resident pages ----------------------------------------------------- */

struct collected {
	struct file_resident *range;
	size_t count, room;
	size_t mapping; /* the first range that may grow */
	struct devices devices;
	const char *line; /* of maps: the first that ends behind the latest */
	/* At most so many ranges (0: any number), for which those inside the
	 * same block of so many bytes become one. */
	size_t most;
	uint64_t block;
};

static void join(struct file_resident *range, const struct file_resident *next)
{
	range->end = next->end;
	range->bytes += next->bytes;
	range->huge += next->huge;
}

static bool are_one(const struct collected *all,
                    const struct file_resident *range,
                    const struct file_resident *next)
{
	if (all->block &&
	    range->start / all->block == (next->end - 1) / all->block)
		return true;
	return range->end == next->start && range->pages == next->pages &&
	       !range->huge == !next->huge;
}

/* Fewer ranges, of which some say only how much of them is resident. */
static void coarsen(struct collected *all)
{
	do {
		size_t last = 0;

		all->block = all->block ? 2 * all->block : 8192;
		for (size_t i = 1; i < all->count; i++) {
			struct file_resident *range = &all->range[last];

			if (are_one(all, range, &all->range[i]))
				join(range, &all->range[i]);
			else
				all->range[++last] = all->range[i];
		}
		all->count = last + 1;
	} while (all->count > all->most / 2);
	all->mapping = all->count;
}

/* Joins runs that touch and are alike. */
static void put(struct collected *all, uint64_t start, uint64_t end,
                uint64_t pages, bool huge)
{
	const struct file_resident range = { start, end, end - start,
		                             huge ? end - start : 0, pages };

	if (all->count > all->mapping &&
	    are_one(all, &all->range[all->count - 1], &range)) {
		join(&all->range[all->count - 1], &range);
		return;
	}
	if (all->most && all->count == all->most)
		coarsen(all);
	if (all->count == all->room) {
		size_t room = all->room ? 2 * all->room : 1024;
		void *more = realloc(all->range, room * sizeof(*all->range));

		if (!more)
			return;
		all->range = more;
		all->room = room;
	}
	all->range[all->count++] = range;
}

/* Pages of files, cut where memory begins or ends that is shared without. */
static void collect(void *context, uint64_t start, uint64_t end,
                    uint64_t categories)
{
	struct collected *all = context;
	bool huge = categories & SCAN_HUGE;

	if (!(categories & SCAN_FILE)) {
		put(all, start, end, FILE_PAGES_ANONYMOUS, huge);
		return;
	}
	for (; start < end && *all->line; all->line = next_line(all->line)) {
		uint64_t from = 0, to = 0;
		bool shared = is_shared(&all->devices, all->line, &from, &to);

		if (to <= start)
			continue;
		if (from >= end)
			break;
		if (to > end)
			to = end;
		put(all, start, to,
		    shared ? FILE_PAGES_SHARED : FILE_PAGES_FILE, huge);
		start = to;
		if (start == end)
			return; /* the line may have more */
	}
	if (start < end)
		put(all, start, end, FILE_PAGES_FILE, huge);
}

/* Of the latest mapping's ranges `huge` bytes are in huge pages: they can only
 * be where a whole one has room. */
static void place_huge(struct collected *all, uint64_t huge)
{
	for (size_t i = all->mapping; i < all->count && huge; i++) {
		struct file_resident *range = &all->range[i];
		uint64_t from = (range->start + HUGE_SIZE - 1) / HUGE_SIZE;
		uint64_t to = range->end / HUGE_SIZE;
		uint64_t here = from < to ? (to - from) * HUGE_SIZE : 0;

		range->huge = here < huge ? here : huge;
		huge -= range->huge;
	}
	all->mapping = all->count;
}

/* Bytes in huge pages by this line of smaps. */
static uint64_t huge_bytes(const char *line)
{
	static const char *const key[] = { "AnonHugePages:", "ShmemPmdMapped:",
		                           "FilePmdMapped:", "Shared_Hugetlb:",
		                           "Private_Hugetlb:" };

	for (size_t i = 0; i < sizeof(key) / sizeof(*key); i++)
		if (strncmp(line, key[i], strlen(key[i])) == 0)
			return 1024 * strtoull(line + strlen(key[i]), NULL, 10);
	return 0;
}

/* Without PAGEMAP_SCAN: smaps, or where there is none maps, line by line. */
static void read_mappings(const struct proc *proc, const struct walk *walk)
{
	struct collected *all = walk->context;
	size_t size;
	char *text = read_whole(proc->fd[SESSION_FD_SMAPS], &size, walk->pause);
	uint64_t start, end, huge = 0;

	if (!size) {
		free(text);
		text = look_maps(proc);
	}
	for (const char *line = text ? text : ""; *line;
	     line = next_line(line)) {
		if (!read_range(line, &start, &end)) {
			huge += huge_bytes(line);
			continue;
		}
		place_huge(all, huge);
		huge = 0;
		if (end <= USER_END)
			read_entries(proc->fd[SESSION_FD_PAGEMAP], start, end,
			             walk);
	}
	place_huge(all, huge);
	free(text);
}

static void collect_all(const struct proc *proc, struct collected *all,
                        struct look_pause *pause)
{
	const struct walk walk = { collect, all, pause };

	if (!scan(proc->fd[SESSION_FD_PAGEMAP], 0, USER_END, &walk))
		read_mappings(proc, &walk);
}

void look_resident(const struct proc *proc, struct output *out)
{
	struct collected all = { 0 };
	char *maps;

	if (!look_available(proc))
		return;
	maps = look_maps(proc);
	all.line = maps ? maps : "";
	find_devices(&all.devices);
	collect_all(proc, &all, NULL);
	output_block(out, FILE_RESIDENT, all.range,
	             all.count * sizeof(*all.range), NULL, 0);
	free(all.range);
	free(maps);
}

/* Without maps, which would cost more than the pages: what is shared counts as
 * of a file. */
size_t look_shot(const struct proc *proc, struct output *out,
                 struct look_pause *pause)
{
	struct collected all = { .line = "", .most = SHOT_RANGES };
	struct file_shot shot;

	if (!look_available(proc))
		return 0;
	collect_all(proc, &all, pause);
	if (!goes_on(pause))
		all.count = 0;
	shot = (struct file_shot){ record_clock(), all.count };
	if (all.count)
		output_block(out, FILE_SHOT, &shot, sizeof(shot), all.range,
		             all.count * sizeof(*all.range));
	free(all.range);
	return all.count * sizeof(*all.range);
}

/*
 * Dense while the run is young; later 24 while its age grows to e times what it
 * was: 300 in a day.  With what the observer does besides at most 2 % of a
 * processor, and 250 KB of run file a second.
 */
uint64_t look_shot_gap(uint64_t age, uint64_t cost, uint64_t bytes)
{
	uint64_t gap = 20000000; /* ns */

	if (gap < age / 24)
		gap = age / 24;
	if (gap < 80 * cost)
		gap = 80 * cost;
	if (gap < 4000 * bytes)
		gap = 4000 * bytes;
	return gap;
}

static void add(void *context, uint64_t start, uint64_t end,
                uint64_t categories)
{
	(void)categories;
	*(uint64_t *)context += end - start;
}

bool look_sample(const struct proc *proc, const struct trace_session *session,
                 struct file_sample *sample)
{
	struct file_look look = { 0 };
	int fd = proc->fd[SESSION_FD_PAGEMAP];
	uint64_t own = 0;
	const struct walk walk = { add, &own, NULL };

	if (!look_available(proc) || !read_status(proc, &look))
		return false;
	if (!scan(fd, session->image_start, session->image_end, &walk))
		read_entries(fd, session->image_start, session->image_end,
		             &walk);
	*sample = (struct file_sample){
		.tsc = record_clock(),
		.vm_size = look.vm_size,
		.resident = look.resident,
		.goload_resident = own,
	};
	return true;
}
