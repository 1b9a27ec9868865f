/*
 * A storm of memory calls, drawn by lot: threads map, unmap, move and protect
 * what is theirs, and get what others have just given back.  At every barrier
 * all threads wait, and the program prints its own map between two marks, calls
 * that change nothing:
 *
 *   mark NUMBER SIZE    and SIZE bytes of /proc/self/maps, of that moment
 *   made CALL COUNT     at the end, between the first mark and the last
 *   peak BYTES          VmPeak
 *
 *   storm own THREADS CALLS BARRIERS SEED FILE
 *          CALLS of each thread, in an arena of its own at a fixed address, and
 *          on what the kernel gives it wherever it likes
 *   storm shared ...
 *          the same, but all in one arena: they race
 *   storm many MAPPINGS SEED
 *          so many mappings at once, cut out, protected and mapped again
 */
#include "tests/helpers/storm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE    4096ul
#define HUGE    (2ul << 20)
#define THREADS 64
#define CALLS   512 /* numbers of calls */
#define ARENA   (256 * PAGE)
#define NARROW  (32 * PAGE) /* one arena for all: they shall meet */
#define LOOSE   48          /* mappings elsewhere, of one thread */
#define RINGS   2           /* aio contexts, likewise */
#define SEGMENT (5 * PAGE)  /* of shared memory */
#define ANON    (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW      (PROT_READ | PROT_WRITE)

/* Far below where the kernel looks for room by itself. */
#define ARENAS 0x100000000000ul
#define APART  (1ul << 32)

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

struct range {
	unsigned long at, size;
};

struct thread {
	pthread_t id;
	unsigned number;
	uint64_t random;
	unsigned long arena;
	struct range loose[LOOSE];
	unsigned loose_count;
	aio_context_t ring[RINGS];
	unsigned ring_count;
	unsigned long made[CALLS];
};

static struct thread threads[THREADS];
static unsigned thread_count, barrier_count;
static unsigned long call_count, arena_size;
static pthread_barrier_t barrier;
static int file = -1, segment = -1;
static unsigned long break_start;
static char text[32 << 20];

static void must(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

static unsigned below(struct thread *thread, unsigned limit)
{
	thread->random =
		thread->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(thread->random >> 33) % limit;
}

static int one_in(struct thread *thread, unsigned many)
{
	return below(thread, many) == 0;
}

/* ---- calls -------------------------------------------------------------- */

/* What the kernel says, -errno when it fails. */
static long call(struct thread *thread, long number, unsigned long a,
                 unsigned long b, unsigned long c, unsigned long d,
                 unsigned long e, unsigned long f)
{
	long result = syscall(number, a, b, c, d, e, f);

	thread->made[number]++;
	return result == -1 ? -errno : result;
}

static int good(long result)
{
	return result < -4095 || result >= 0;
}

static long map(struct thread *thread, unsigned long at, unsigned long size,
                int prot, int flags, int fd, unsigned long offset)
{
	return call(thread, SYS_mmap, at, size, (unsigned)prot, (unsigned)flags,
	            (unsigned long)(long)fd, offset);
}

static long unmap(struct thread *thread, unsigned long at, unsigned long size)
{
	return call(thread, SYS_munmap, at, size, 0, 0, 0, 0);
}

static long protect(struct thread *thread, unsigned long at, unsigned long size,
                    int prot)
{
	if (one_in(thread, 8))
		return call(thread, SYS_pkey_mprotect, at, size, (unsigned)prot,
		            -1ul, 0, 0);
	return call(thread, SYS_mprotect, at, size, (unsigned)prot, 0, 0, 0);
}

static long move(struct thread *thread, unsigned long at, unsigned long size,
                 unsigned long new_size, int flags, unsigned long to)
{
	return call(thread, SYS_mremap, at, size, new_size, (unsigned)flags, to,
	            0);
}

/* ---- what is anywhere --------------------------------------------------- */

static void keep(struct thread *thread, long at, unsigned long size)
{
	if (!good(at) || size == 0)
		return;
	if (thread->loose_count < LOOSE)
		thread->loose[thread->loose_count++] =
			(struct range){ (unsigned long)at, size };
	else
		unmap(thread, (unsigned long)at, size);
}

static struct range *any_loose(struct thread *thread)
{
	if (thread->loose_count == 0)
		return NULL;
	return &thread->loose[below(thread, thread->loose_count)];
}

static void forget(struct thread *thread, struct range *range)
{
	*range = thread->loose[--thread->loose_count];
}

/* ---- calls drawn by lot ------------------------------------------------- */

static int any_prot(struct thread *thread)
{
	static const int prots[] = { RW, RW, RW, PROT_READ, PROT_NONE };

	if (one_in(thread, 100))
		return PROT_READ | PROT_EXEC;
	return prots[below(thread, sizeof(prots) / sizeof(prots[0]))];
}

/* A few pages of the arena. */
static struct range spot(struct thread *thread)
{
	unsigned page = below(thread, (unsigned)(arena_size / PAGE));
	unsigned pages = (unsigned)(arena_size / PAGE) - page;
	unsigned most = pages < 24 ? pages : 24;

	return (struct range){ thread->arena + page * PAGE,
		               (1 + below(thread, most)) * PAGE };
}

static struct range spot_or_loose(struct thread *thread)
{
	struct range *loose = any_loose(thread);

	return loose && one_in(thread, 2) ? *loose : spot(thread);
}

/* Of some nature: anonymous or of a file, private or shared. */
static long map_some(struct thread *thread, unsigned long at,
                     unsigned long size, int flags)
{
	int fd = -1;
	unsigned long offset = 0;
	int prot = any_prot(thread);

	switch (below(thread, 6)) {
	case 0:
		fd = file;
		offset = below(thread, 64) * PAGE;
		flags |= MAP_PRIVATE;
		break;
	case 1: /* the file is open for reading alone */
		fd = file;
		flags |= MAP_SHARED;
		prot &= ~PROT_WRITE;
		break;
	case 2:
		flags |= MAP_SHARED | MAP_ANONYMOUS;
		break;
	default:
		flags |= ANON;
		flags |= one_in(thread, 3) ? MAP_NORESERVE : 0;
	}
	return map(thread, at, size, prot, flags, fd, offset);
}

static void do_map_anywhere(struct thread *thread)
{
	unsigned long size = (1 + below(thread, 32)) * PAGE;

	keep(thread, map_some(thread, 0, size - below(thread, PAGE), 0), size);
}

static void do_map_hint(struct thread *thread)
{
	struct range *near = any_loose(thread);
	unsigned long size = (1 + below(thread, 16)) * PAGE;
	unsigned long hint = spot(thread).at;
	long at;

	if (near && one_in(thread, 2))
		hint = near->at + near->size;
	at = map_some(thread, hint, size, 0);
	if (good(at) && (unsigned long)at - thread->arena >= arena_size)
		keep(thread, at, size);
	else if (good(at) &&
	         (unsigned long)at + size > thread->arena + arena_size)
		unmap(thread, thread->arena + arena_size, size);
}

static void do_map_fixed(struct thread *thread)
{
	struct range at = spot(thread);

	map_some(thread, at.at, at.size,
	         one_in(thread, 4) ? MAP_FIXED_NOREPLACE : MAP_FIXED);
}

/* Huge pages that nobody touches, so there need be none. */
static void do_map_huge(struct thread *thread)
{
	unsigned long size = (1 + below(thread, 3)) * HUGE;
	long at = map(thread, 0, size, RW, ANON | MAP_HUGETLB | MAP_NORESERVE,
	              -1, 0);

	if (!good(at))
		return;
	if (size > HUGE) { /* a page that is not a huge one: fails */
		unmap(thread, (unsigned long)at + PAGE, PAGE);
		unmap(thread, (unsigned long)at + HUGE, HUGE);
		protect(thread, (unsigned long)at, HUGE, PROT_READ);
	}
	unmap(thread, (unsigned long)at, size);
}

static void do_unmap_spot(struct thread *thread)
{
	struct range at = spot(thread);

	unmap(thread, at.at, at.size - below(thread, PAGE));
}

/* All of it, its head, its tail, or out of its middle. */
static void do_unmap_loose(struct thread *thread)
{
	struct range *range = any_loose(thread), old;
	unsigned long pages, first, count;

	if (!range)
		return;
	old = *range;
	pages = old.size / PAGE;
	first = one_in(thread, 2) ? 0 : below(thread, (unsigned)pages);
	count = 1 + below(thread, (unsigned)(pages - first));
	if (one_in(thread, 2)) {
		first = 0;
		count = pages;
	}
	if (!good(unmap(thread, old.at + first * PAGE, count * PAGE)))
		return;
	forget(thread, range);
	keep(thread, (long)old.at, first * PAGE);
	keep(thread, (long)(old.at + (first + count) * PAGE),
	     (pages - first - count) * PAGE);
}

static void do_protect(struct thread *thread)
{
	struct range at = spot_or_loose(thread);

	protect(thread, at.at, at.size - below(thread, PAGE), any_prot(thread));
}

/* Grows or shrinks where it is, or moves. */
static void do_resize_loose(struct thread *thread)
{
	struct range *range = any_loose(thread);
	unsigned long size = (1 + below(thread, 48)) * PAGE;
	long at;

	if (!range)
		return;
	at = move(thread, range->at, range->size, size,
	          below(thread, 3) ? MREMAP_MAYMOVE : 0, 0);
	if (good(at))
		*range = (struct range){ (unsigned long)at, size };
}

static void do_resize_spot(struct thread *thread)
{
	struct range at = spot(thread);
	unsigned long room = thread->arena + arena_size - at.at;
	unsigned long size = (1 + below(thread, 24)) * PAGE;

	move(thread, at.at, at.size, size < room ? size : room, 0, 0);
}

/* From one place of the arena to another, which need not be free. */
static void do_move_fixed(struct thread *thread)
{
	struct range from = spot(thread), to = spot(thread);
	unsigned long room = thread->arena + arena_size - to.at;
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	if (one_in(thread, 3))
		to.size = from.size;
	if (from.size <= room && one_in(thread, 4)) {
		flags |= MREMAP_DONTUNMAP;
		to.size = from.size;
	}
	move(thread, from.at, from.size, to.size < room ? to.size : room, flags,
	     to.at);
}

/* Out of the arena, or a copy of what is in it. */
static void do_move_out(struct thread *thread)
{
	struct range at = spot(thread);
	unsigned long size = at.size + below(thread, 8) * PAGE;
	long to;

	switch (below(thread, 3)) {
	case 0: /* the same pages once more, if they are shared */
		to = move(thread, at.at, 0, at.size, MREMAP_MAYMOVE, 0);
		size = at.size;
		break;
	case 1:
		to = move(thread, at.at, at.size, at.size,
		          MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
		size = at.size;
		break;
	default: /* grows where it is while there is room: behind the arena */
		if (at.at + size > thread->arena + arena_size)
			return;
		to = move(thread, at.at, at.size, size, MREMAP_MAYMOVE, 0);
	}
	if (good(to) && (unsigned long)to != at.at)
		keep(thread, to, size);
}

static void do_advise(struct thread *thread)
{
	static const int advice[] = {
		MADV_DONTNEED,       MADV_FREE,     MADV_HUGEPAGE,
		MADV_POPULATE_WRITE, MADV_WILLNEED, MADV_NOHUGEPAGE,
		MADV_POPULATE_WRITE, MADV_DONTFORK, MADV_REMOVE,
	};
	struct range at = spot_or_loose(thread);

	call(thread, SYS_madvise, at.at, at.size,
	     (unsigned)advice[below(thread, sizeof(advice) / sizeof(int))], 0,
	     0, 0);
}

static void do_lock(struct thread *thread)
{
	struct range at = spot_or_loose(thread);

	call(thread, SYS_mlock, at.at, PAGE, 0, 0, 0, 0);
	call(thread, SYS_munlock, at.at, at.size, 0, 0, 0, 0);
}

/* There is one break: that is for one thread. */
static void do_break(struct thread *thread)
{
	if (thread->number != 0)
		return;
	call(thread, SYS_brk, break_start + below(thread, 64 * PAGE), 0, 0, 0,
	     0, 0);
	if (one_in(thread, 4))
		call(thread, SYS_brk, -1ul, 0, 0, 0, 0, 0);
}

/* In the arena, over all that is there or where nothing is; and something else
 * over a part of it, which shmdt leaves alone.  It goes at once: that shared
 * memory is there keeps the kernel from moving several mappings, half way. */
static void do_attach_spot(struct thread *thread)
{
	struct range at = spot(thread);
	unsigned long flags = one_in(thread, 2) ? SHM_RDONLY : 0;

	if (at.at + SEGMENT > thread->arena + arena_size)
		return;
	flags |= one_in(thread, 2) ? SHM_REMAP : 0;
	if (!good(call(thread, SYS_shmat, (unsigned)segment, at.at, flags, 0, 0,
	               0)))
		return;
	protect(thread, at.at + PAGE, PAGE, PROT_NONE);
	if (one_in(thread, 2))
		map(thread, at.at + 2 * PAGE, PAGE, PROT_READ, ANON | MAP_FIXED,
		    -1, 0);
	call(thread, SYS_shmdt, at.at, 0, 0, 0, 0, 0);
}

static void do_attach(struct thread *thread)
{
	unsigned long flags = one_in(thread, 2) ? SHM_RDONLY : 0;
	long at = call(thread, SYS_shmat, (unsigned)segment, 0, flags, 0, 0, 0);

	if (!good(at))
		return;
	if (one_in(thread, 3)) /* it stays, and may grow, move or be cut */
		keep(thread, at, SEGMENT);
	else
		call(thread, SYS_shmdt, (unsigned long)at, 0, 0, 0, 0, 0);
}

static void do_ring(struct thread *thread)
{
	aio_context_t *ring = &thread->ring[thread->ring_count];

	if (thread->ring_count < RINGS && one_in(thread, 2)) {
		*ring = 0;
		if (call(thread, SYS_io_setup, 1 + below(thread, 300),
		         (unsigned long)ring, 0, 0, 0, 0) == 0)
			thread->ring_count++;
	} else if (thread->ring_count > 0) {
		call(thread, SYS_io_destroy, thread->ring[--thread->ring_count],
		     0, 0, 0, 0, 0);
	}
}

/* Each of these fails. */
static void do_fail(struct thread *thread)
{
	struct range at = spot(thread);

	switch (below(thread, 11)) {
	case 0:
		map(thread, 0, 0, RW, ANON, -1, 0);
		break;
	case 1:
		map(thread, at.at + 1, at.size, RW, ANON | MAP_FIXED, -1, 0);
		break;
	case 2:
		map(thread, at.at, at.size, RW, MAP_PRIVATE | MAP_FIXED, 999,
		    0);
		break;
	case 3:
		map(thread, 0, 1ul << 60, RW, ANON, -1, 0);
		break;
	case 4:
		map(thread, at.at, at.size, RW, MAP_SHARED | MAP_FIXED, file,
		    0);
		break;
	case 5:
		unmap(thread, at.at + 1, at.size);
		break;
	case 6:
		protect(thread, at.at + 1, at.size, RW);
		break;
	case 7:
		move(thread, at.at + 1, at.size, at.size, MREMAP_MAYMOVE, 0);
		break;
	case 8:
		call(thread, SYS_shmdt, at.at + 1, 0, 0, 0, 0, 0);
		break;
	case 9:
		call(thread, SYS_shmat, -1ul, 0, 0, 0, 0, 0);
		break;
	default:
		call(thread, SYS_io_destroy, at.at, 0, 0, 0, 0, 0);
	}
}

static void act(struct thread *thread)
{
	static const struct {
		unsigned weight;
		void (*act)(struct thread *thread);
	} acts[] = {
		{ 16, do_map_anywhere }, { 6, do_map_hint },
		{ 16, do_map_fixed },    { 1, do_map_huge },
		{ 10, do_unmap_spot },   { 16, do_unmap_loose },
		{ 16, do_protect },      { 8, do_resize_loose },
		{ 4, do_resize_spot },   { 6, do_move_fixed },
		{ 6, do_move_out },      { 12, do_advise },
		{ 1, do_lock },          { 4, do_break },
		{ 3, do_attach },        { 3, do_attach_spot },
		{ 1, do_ring },          { 4, do_fail },
	};
	unsigned lot, sum = 0;

	for (unsigned i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		sum += acts[i].weight;
	lot = below(thread, sum);
	for (unsigned i = 0;; i++) {
		if (lot < acts[i].weight) {
			acts[i].act(thread);
			return;
		}
		lot -= acts[i].weight;
	}
}

/* ---- barriers ----------------------------------------------------------- */

static void mark(unsigned number)
{
	syscall(SYS_madvise, STORM_MARK + number, 0, STORM_ADVICE);
}

static void write_all(const char *at, size_t size)
{
	ssize_t n;

	for (; size > 0; at += n, size -= (size_t)n)
		must((n = write(1, at, size)) > 0, "write");
}

/* Without a call that changes memory: nothing stands between the two marks. */
static void print_map(void)
{
	static unsigned marks;
	char line[64];
	size_t size = 0;
	ssize_t n;
	int fd;

	mark(marks);
	fd = open("/proc/self/maps", O_RDONLY);
	must(fd >= 0, "/proc/self/maps");
	while ((n = read(fd, text + size, sizeof(text) - size)) > 0)
		size += (size_t)n;
	close(fd);
	must(size < sizeof(text), "size of /proc/self/maps");
	mark(marks + 1);
	write_all(line, (size_t)snprintf(line, sizeof(line), "mark %u %zu\n",
	                                 marks, size));
	write_all(text, size);
	marks += 2;
}

static void print_end(void)
{
	unsigned long kib = 0;
	char line[64], *at;
	ssize_t size;
	int fd = open("/proc/self/status", O_RDONLY);

	for (unsigned nr = 0; nr < CALLS; nr++) {
		unsigned long sum = 0;

		for (unsigned i = 0; i < THREADS; i++)
			sum += threads[i].made[nr];
		if (sum > 0)
			write_all(line,
			          (size_t)snprintf(line, sizeof(line),
			                           "made %u %lu\n", nr, sum));
	}
	size = read(fd, text, sizeof(text) - 1);
	must(size > 0, "/proc/self/status");
	text[size] = 0;
	at = strstr(text, "VmPeak:");
	must(at && sscanf(at + 7, "%lu", &kib) == 1, "VmPeak");
	write_all(line, (size_t)snprintf(line, sizeof(line), "peak %lu\n",
	                                 kib * 1024));
	close(fd);
}

/* ---- own, shared -------------------------------------------------------- */

static void *run(void *argument)
{
	struct thread *thread = argument;

	for (unsigned i = 0; i < barrier_count; i++) {
		pthread_barrier_wait(&barrier);
		if (thread->number == 0)
			print_map();
		pthread_barrier_wait(&barrier);
		for (unsigned long n = 0; n < call_count / barrier_count; n++)
			act(thread);
	}
	pthread_barrier_wait(&barrier);
	if (thread->number == 0)
		print_map();
	pthread_barrier_wait(&barrier);
	return NULL;
}

/* Gone with the program: the kernel removes it when nobody has it any more. */
static void make_segment(void)
{
	segment = shmget(IPC_PRIVATE, SEGMENT - 1, IPC_CREAT | 0600);
	must(segment >= 0, "shmget");
	must(shmat(segment, NULL, 0) != (void *)-1, "shmat");
	must(shmctl(segment, IPC_RMID, NULL) == 0, "shmctl");
}

static void storm(int shared, char **argv)
{
	uint64_t seed = strtoull(argv[3], NULL, 0);

	thread_count = (unsigned)atoi(argv[0]);
	call_count = strtoul(argv[1], NULL, 0);
	barrier_count = (unsigned)atoi(argv[2]);
	file = open(argv[4], O_RDONLY);
	must(file >= 0, argv[4]);
	must(thread_count > 0 && thread_count <= THREADS, "threads");
	must(pthread_barrier_init(&barrier, NULL, thread_count) == 0,
	     "pthread_barrier_init");
	make_segment();
	break_start = (unsigned long)sbrk(0);
	arena_size = shared ? NARROW : ARENA;
	for (unsigned i = 0; i < thread_count; i++) {
		threads[i].number = i;
		threads[i].random = seed * THREADS + i;
		threads[i].arena = ARENAS + (shared ? 0 : i * APART);
	}
	for (unsigned i = 1; i < thread_count; i++)
		must(pthread_create(&threads[i].id, NULL, run, &threads[i]) ==
		             0,
		     "pthread_create");
	run(&threads[0]);
	for (unsigned i = 1; i < thread_count; i++)
		pthread_join(threads[i].id, NULL);
	print_end();
}

/* ---- many --------------------------------------------------------------- */

/* Page by page in turn protected otherwise: no two are one mapping. */
static int turned(unsigned long page)
{
	return page % 2 ? PROT_READ : RW;
}

static void many(char **argv)
{
	struct thread *thread = &threads[0];
	unsigned long count = strtoul(argv[0], NULL, 0);

	thread_count = 1;
	thread->random = strtoull(argv[1], NULL, 0);
	print_map();
	for (unsigned long i = 0; i < count; i++)
		must(good(map(thread, ARENAS + i * PAGE, PAGE, turned(i),
		              ANON | MAP_FIXED_NOREPLACE, -1, 0)),
		     "mmap");
	print_map();
	for (unsigned long i = 0; i < count / 8; i++) {
		unsigned long at =
			ARENAS + below(thread, (unsigned)count) * PAGE;

		if (one_in(thread, 2))
			unmap(thread, at, PAGE);
		else
			protect(thread, at, 3 * PAGE, any_prot(thread));
	}
	print_map();
	/* As many as there may be: the kernel refuses the next ones. */
	for (unsigned long i = 0; i < count; i++)
		map(thread, ARENAS + APART + i * PAGE, PAGE, turned(i),
		    ANON | MAP_FIXED_NOREPLACE, -1, 0);
	for (unsigned long i = 0; i < 64; i++) {
		unsigned long at =
			ARENAS + below(thread, (unsigned)count) * PAGE;

		protect(thread, at, 4 * PAGE, any_prot(thread));
		move(thread, at, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0);
		unmap(thread, at + PAGE, PAGE);
	}
	print_map();
	print_end();
}

int main(int argc, char **argv)
{
	if (argc == 7 && strcmp(argv[1], "own") == 0)
		storm(0, argv + 2);
	else if (argc == 7 && strcmp(argv[1], "shared") == 0)
		storm(1, argv + 2);
	else if (argc == 4 && strcmp(argv[1], "many") == 0)
		many(argv + 2);
	else
		return 2;
	return 0;
}
