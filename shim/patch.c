/*
 * patch - the stub area, and the way from a site to its stub.
 *
 *   site: jmp island       (rel32: the island is near)
 *   island: jmp *stub      (anywhere)
 *   stub: ... jmp *return
 *
 * All stubs lie in the one range that Syscall User Dispatch allows, so a module
 * may be too far from it for a rel32: hence an island by each module.
 *
 * Stubs are found by address in the area (shim_stub_starts, one entry per
 * STUB_GRAIN) and by site (a hash chain).  Both are read without a lock, from
 * signal handlers: an entry is complete before it can be seen, and stays.
 */
#include "shim/shim.h"

#include <asm/mman.h>
#include <asm/unistd_64.h>
#include <linux/elf.h>
#include <linux/mman.h>

#define CHAINS 1024 /* of the hash table; a power of two */

/* For assembly: the grain in which the stub at this grain begins. */
uint16_t shim_stub_starts[STUB_AREA / STUB_GRAIN]
	__attribute__((visibility("hidden")));
static struct stub_site *chain[CHAINS];

static struct stub_site **chain_of(uint64_t site)
{
	return &chain[(site ^ site >> 10) & (CHAINS - 1)];
}

struct stub_site *shim_stub_at(uint64_t rip)
{
	uint64_t offset = rip - (uint64_t)shim_stubs;

	if (offset >= STUB_AREA)
		return NULL;
	return (struct stub_site *)(shim_stubs +
	                            shim_stub_starts[offset / STUB_GRAIN] *
	                                    STUB_GRAIN);
}

/*
 * The stub for a site that is not patched now.  A stub with instructions behind
 * the call belongs to a window that covers the site: what traps there is
 * another module, mapped in the place of the one that was patched.
 */
struct stub_site *shim_stub_of_site(uint64_t site)
{
	struct stub_site *stub =
		__atomic_load_n(chain_of(site), __ATOMIC_ACQUIRE);

	while (stub && (stub->site != site || stub->after))
		stub = (struct stub_site *)stub->next;
	return stub;
}

/* Held, too, while the last look is taken: pages must not be half way. */
void shim_stubs_lock(void)
{
	while (__atomic_exchange_n(&shim.stubs_lock, 1, __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
}

void shim_stubs_unlock(void)
{
	__atomic_store_n(&shim.stubs_lock, 0, __ATOMIC_RELEASE);
}

/* 0 when the kernel refuses: PR_SET_MDWE, SELinux, too many mappings. */
static int protect(uint64_t start, uint64_t size, long prot)
{
	uint64_t end = (start + size + LOADER_PAGE - 1) & -LOADER_PAGE;

	start &= -LOADER_PAGE;
	return !sys_failed(sys_call3(__NR_mprotect, (long)start,
	                             (long)(end - start), prot));
}

static void publish(struct stub_site *stub, size_t size)
{
	struct stub_site **head = chain_of(stub->site);
	size_t first = ((uint64_t)stub - (uint64_t)shim_stubs) / STUB_GRAIN;

	for (size_t i = 0; i < size / STUB_GRAIN; i++)
		shim_stub_starts[first + i] = (uint16_t)first;
	stub->next = (uint64_t)*head;
	__atomic_store_n(head, stub, __ATOMIC_RELEASE);
	__atomic_fetch_add(&shim_session.stubs, 1, __ATOMIC_RELAXED);
}

static int interest_of(const struct trace_patch *patch)
{
	if (patch->nr < 0 || patch->nr >= INTEREST_CALLS)
		return SHIM_NONE;
	return shim_interest[patch->nr];
}

/* The stub area must be writable; the caller holds the lock, or is alone. */
static struct stub_site *write_stub(uint64_t site,
                                    const struct trace_patch *patch,
                                    uint32_t flags)
{
	const struct stub_targets targets = {
		.record = (uint64_t)shim_record,
		.cold = (uint64_t)shim_cold,
		.sigreturn = (uint64_t)shim_sigreturn,
		.dispatch = (uint64_t)shim_dispatch,
		.interest = (uint64_t)shim_interest,
		.gate = (uint64_t)&shim.gate,
	};
	uint8_t *at = shim_stubs + shim.stubs_used;
	size_t size = stub_write(at, (uint64_t)at, site, patch,
	                         interest_of(patch), flags, &targets);

	publish((struct stub_site *)at, size);
	shim.stubs_used += (uint32_t)size;
	return (struct stub_site *)at;
}

static int room_for_a_stub(void)
{
	return shim.stubs_used + STUB_SIZE_MAX <= STUB_AREA;
}

/*
 * A stub made while the program runs (the net).  The page is writable and
 * executable for a moment: other threads are running in it.
 */
struct stub_site *shim_stub_new(uint64_t site, const struct trace_patch *patch,
                                uint32_t flags)
{
	struct stub_site *stub;
	uint64_t at;

	shim_stubs_lock();
	stub = shim_stub_of_site(site);
	at = (uint64_t)shim_stubs + shim.stubs_used;
	if (!stub && room_for_a_stub() &&
	    protect(at, STUB_SIZE_MAX, PROT_READ | PROT_WRITE | PROT_EXEC)) {
		stub = write_stub(site, patch, flags);
		protect(at, STUB_SIZE_MAX, PROT_READ | PROT_EXEC);
	}
	shim_stubs_unlock();
	return stub;
}

/*
 * The islands of one module, filled in order.  The table is for signal handlers
 * and for unwind.c: a thread may be interrupted on an island.
 */
struct island_range {
	uint64_t start, size;
};

#define ISLAND_RANGES 512
struct island_range shim_islands[ISLAND_RANGES]
	__attribute__((visibility("hidden")));
uint32_t shim_island_count __attribute__((visibility("hidden")));

struct stub_site *shim_stub_of_island(uint64_t rip)
{
	uint32_t count = __atomic_load_n(&shim_island_count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count; i++)
		if (rip - shim_islands[i].start < shim_islands[i].size)
			return shim_stub_at(
				*(const uint64_t *)(rip + ISLAND_ENTRY));
	return NULL;
}

/*
 * Room for `count` islands within a rel32 of [low, high), preferably just below
 * it, where no program break grows.
 */
static int islands_map(struct island_range *islands, uint64_t low,
                       uint64_t high, size_t count)
{
	const uint64_t step = 1u << 20, reach = 1u << 30;
	const long flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	uint64_t size = (count * STUB_ISLAND + LOADER_PAGE - 1) & -LOADER_PAGE;

	low &= -LOADER_PAGE;
	high = (high + LOADER_PAGE - 1) & -LOADER_PAGE;
	for (uint64_t away = 0; away < reach; away += step) {
		const uint64_t at[2] = { low - size - away,
			                 high + reach - away };

		for (int i = 0; i < 2; i++) {
			if (i == 0 && low < size + away + 0x10000)
				continue;
			if (sys_call6(__NR_mmap, (long)at[i], (long)size,
			              PROT_READ | PROT_WRITE, flags, -1,
			              0) == (long)at[i]) {
				*islands = (struct island_range){ at[i], size };
				return 1;
			}
		}
	}
	return 0;
}

static int same_bytes(const uint8_t *a, const uint8_t *b, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (a[i] != b[i])
			return 0;
	return 1;
}

/* What is in memory is what was proven: the file may have changed, or the
 * program may have written there. */
static int is_as_proven(const uint8_t *site, const struct trace_patch *patch)
{
	return site[0] == 0x0f && site[1] == 0x05 &&
	       same_bytes(site - patch->before, patch->code, patch->before) &&
	       same_bytes(site + 2, patch->code + patch->before, patch->after);
}

static int any_is_as_proven(uint64_t bias, const struct trace_patch *patch,
                            size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_as_proven((const uint8_t *)(patch[i].site + bias),
		                 &patch[i]))
			return 1;
	return 0;
}

/* The site's window becomes a jump to its island; the rest of it, unreachable
 * but for the syscall instruction that may still stand there, is left. */
static int patch_site(uint64_t island, uint64_t bias,
                      const struct trace_patch *patch)
{
	uint64_t site = patch->site + bias;
	uint64_t window = site - patch->before;
	uint8_t jump[PATCH_JUMP];
	struct stub_site *stub;

	if (!is_as_proven((const uint8_t *)site, patch) ||
	    !stub_jump(jump, window, island) || !room_for_a_stub())
		return 0;
	stub = write_stub(site, patch, patch->go ? STUB_FLAG_GO : 0);
	stub_island((uint8_t *)island, stub->entry);
	memcpy((uint8_t *)window, jump, sizeof(jump));
	return 1;
}

/* Its module may have gone, and another have come. */
static int leads_to(uint64_t window, const struct stub_site *stub)
{
	uint8_t jump[PATCH_JUMP];
	int32_t distance;

	if (shim_read(jump, window, sizeof(jump)) || jump[0] != 0xe9)
		return 0;
	memcpy(&distance, jump + 1, sizeof(distance));
	return shim_stub_of_island(window + PATCH_JUMP + (uint64_t)distance) ==
	       stub;
}

static void undo_site(const struct stub_site *stub)
{
	static const uint8_t call[2] = { 0x0f, 0x05 };
	uint64_t window = stub->site - stub->before;
	uint64_t size = (uint64_t)stub->before + sizeof(call) + stub->after;

	if (!leads_to(window, stub) ||
	    !protect(window, size, PROT_READ | PROT_WRITE | PROT_EXEC))
		return;
	memcpy((void *)window, (const void *)stub->entry, stub->before);
	memcpy((void *)stub->site, call, sizeof(call));
	memcpy((void *)stub->native_post, (const void *)stub->post,
	       stub->after);
	protect(window, size, PROT_READ | PROT_EXEC);
}

/*
 * For a core dump: a debugger knows the frame of a signal by the bytes that
 * leave it.  Those sites are as they were, and the net's from now on; other
 * threads may be running, so no other site is touched.
 */
void shim_patch_undo_returns(void)
{
	const struct stub_site *stub;
	uint32_t used = shim.stubs_used;

	for (uint32_t at = 0; at < used; at += STUB_GRAIN) {
		stub = (const struct stub_site *)(shim_stubs + at);
		if (shim_stub_starts[at / STUB_GRAIN] * STUB_GRAIN == at &&
		    stub->nr == __NR_rt_sigreturn && stub->before + stub->after)
			undo_site(stub);
	}
}

static void tell_unpatched(size_t count)
{
	__atomic_fetch_add(&shim_session.unpatched, count, __ATOMIC_RELAXED);
}

static void publish_islands(const struct island_range *islands)
{
	protect(islands->start, islands->size, PROT_READ | PROT_EXEC);
	shim_islands[shim_island_count] = *islands;
	__atomic_store_n(&shim_island_count, shim_island_count + 1,
	                 __ATOMIC_RELEASE);
	shim_fact(TRACE_MAPPED, islands->start, islands->size,
	          PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
	          TRACE_WHAT_ISLAND, 0);
}

/*
 * Patches the sites in [low, high), whose pages are writable now and are run by
 * nobody.  The stub area is writable, too.
 */
static void patch_range(uint64_t low, uint64_t high, uint64_t bias,
                        const struct trace_patch *patch, size_t count)
{
	struct island_range islands;
	uint64_t island;

	if (shim_island_count == ISLAND_RANGES ||
	    !islands_map(&islands, low, high, count)) {
		tell_unpatched(count);
		return;
	}
	island = islands.start;
	for (size_t i = 0; i < count; i++) {
		if (patch_site(island, bias, &patch[i]))
			island += STUB_ISLAND;
		else
			tell_unpatched(1);
	}
	publish_islands(&islands);
}

/* Makes the executable segments writable and back. */
static int protect_segments(const struct loader_plan *plan, uint64_t bias,
                            uint32_t extra)
{
	for (uint32_t i = 0; i < plan->segment_count; i++) {
		const struct loader_segment *s = &plan->segment[i];

		if ((s->prot & PROT_EXEC) && s->filesz &&
		    !protect(s->vaddr + bias, s->filesz, s->prot | extra))
			return 0;
	}
	return 1;
}

static void patch_module(const struct loader_plan *plan, uint64_t bias,
                         const struct trace_patch *patch, size_t count)
{
	if (!count)
		return;
	if (protect_segments(plan, bias, PROT_WRITE))
		patch_range(plan->low + bias, plan->high + bias, bias, patch,
		            count);
	else
		tell_unpatched(count);
	protect_segments(plan, bias, 0);
}

/* Up to the end of its section headers, which are its last bytes. */
static uint64_t vdso_size(uint64_t vdso)
{
	const Elf64_Ehdr *header = (const void *)vdso;

	return header->e_shoff +
	       (uint64_t)header->e_shnum * sizeof(Elf64_Shdr);
}

/*
 * The vDSO's few pages, where the kernel lets them be written: all at once, for
 * it does not let them be split.
 */
static void patch_vdso(uint64_t vdso, const struct trace_patch *patch,
                       size_t count)
{
	uint64_t size = vdso_size(vdso);

	if (!count)
		return;
	if (protect(vdso, size, PROT_READ | PROT_WRITE | PROT_EXEC))
		patch_range(vdso, vdso + size, vdso, patch, count);
	else
		tell_unpatched(count);
	protect(vdso, size, PROT_READ | PROT_EXEC);
}

/* Before the program's first instruction: nothing of it runs yet.  0 when
 * goload may not make memory executable: then neither stubs nor net can work.
 */
int shim_patch_program(const struct session_plan *plan,
                       const struct shim_modules *modules)
{
	const uint8_t *base = (const uint8_t *)plan;
	const struct trace_patch *patch = (const void *)(base + plan->patches);
	const uint64_t *count = plan->patch_count;

	/* tried out first: patched sites would lead there */
	if (!protect((uint64_t)shim_stubs, STUB_AREA, PROT_READ | PROT_EXEC) ||
	    !protect((uint64_t)shim_stubs, STUB_AREA, PROT_READ | PROT_WRITE))
		return 0;
	patch_module((const void *)(base + plan->program),
	             modules->program.bias, patch, count[PATCH_PROGRAM]);
	patch += count[PATCH_PROGRAM];
	patch_module((const void *)(base + plan->interp), modules->interp.bias,
	             patch, count[PATCH_INTERP]);
	patch += count[PATCH_INTERP];
	if (modules->vdso)
		patch_vdso(modules->vdso, patch, count[PATCH_VDSO]);
	return protect((uint64_t)shim_stubs, STUB_AREA, PROT_READ | PROT_EXEC);
}

/*
 * Code that arrives while the program runs: [start, start + size), mapped with
 * `prot` by this thread, which has not returned from the call yet.  The stub
 * area is writable and executable for a moment: other threads run in it.
 */
void shim_patch_late(uint64_t start, uint64_t size, uint32_t prot,
                     uint64_t bias, const struct trace_patch *patch,
                     size_t count)
{
	uint64_t used, room;

	if ((prot & PROT_READ) && !any_is_as_proven(bias, patch, count))
		return; /* patched already: protected once more */
	shim_stubs_lock();
	used = (uint64_t)shim_stubs + shim.stubs_used;
	room = STUB_AREA - shim.stubs_used;
	if (room > count * STUB_SIZE_MAX)
		room = count * STUB_SIZE_MAX;
	if (!protect(used, room, PROT_READ | PROT_WRITE | PROT_EXEC)) {
		tell_unpatched(count);
	} else if (sys_failed(sys_call3(__NR_mprotect, (long)start, (long)size,
	                                (long)(prot | PROT_WRITE)))) {
		protect(used, room, PROT_READ | PROT_EXEC);
		tell_unpatched(count);
	} else {
		patch_range(start, start + size, bias, patch, count);
		protect(used, room, PROT_READ | PROT_EXEC);
		sys_call3(__NR_mprotect, (long)start, (long)size, (long)prot);
	}
	shim_stubs_unlock();
}
