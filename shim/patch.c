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

struct stub_site *shim_stub_of_site(uint64_t site)
{
	struct stub_site *stub =
		__atomic_load_n(chain_of(site), __ATOMIC_ACQUIRE);

	while (stub && stub->site != site)
		stub = (struct stub_site *)stub->next;
	return stub;
}

static void protect(uint64_t start, uint64_t size, long prot)
{
	uint64_t end = (start + size + LOADER_PAGE - 1) & -LOADER_PAGE;

	start &= -LOADER_PAGE;
	sys_call3(__NR_mprotect, (long)start, (long)(end - start), prot);
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

	while (__atomic_exchange_n(&shim.stubs_lock, 1, __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
	stub = shim_stub_of_site(site);
	if (!stub && room_for_a_stub()) {
		at = (uint64_t)shim_stubs + shim.stubs_used;
		protect(at, STUB_SIZE_MAX, PROT_READ | PROT_WRITE | PROT_EXEC);
		stub = write_stub(site, patch, flags);
		protect(at, STUB_SIZE_MAX, PROT_READ | PROT_EXEC);
	}
	__atomic_store_n(&shim.stubs_lock, 0, __ATOMIC_RELEASE);
	return stub;
}

/* The islands of one module, filled in order. */
struct islands {
	uint64_t start, size;
	uint64_t used;
};

/*
 * Room for `count` islands within a rel32 of [low, high), preferably just below
 * it, where no program break grows.
 */
static int islands_map(struct islands *islands, uint64_t low, uint64_t high,
                       size_t count)
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
				*islands = (struct islands){ at[i], size, 0 };
				return 1;
			}
		}
	}
	return 0;
}

/* The site's window becomes a jump to its island; the rest of it, unreachable
 * but for the syscall instruction that may still stand there, is left. */
static int patch_site(struct islands *islands, uint64_t bias,
                      const struct trace_patch *patch)
{
	uint64_t site = patch->site + bias;
	uint64_t window = site - patch->before;
	uint64_t island = islands->start + islands->used;
	uint8_t jump[PATCH_JUMP];
	struct stub_site *stub;

	if (!stub_jump(jump, window, island) || !room_for_a_stub())
		return 0;
	stub = write_stub(site, patch, patch->go ? STUB_FLAG_GO : 0);
	stub_island((uint8_t *)island, stub->entry);
	islands->used += STUB_ISLAND;
	memcpy((uint8_t *)window, jump, sizeof(jump));
	return 1;
}

static void protect_segments(const struct loader_plan *plan, uint64_t bias,
                             uint32_t extra)
{
	for (uint32_t i = 0; i < plan->segment_count; i++) {
		const struct loader_segment *s = &plan->segment[i];

		if ((s->prot & PROT_EXEC) && s->filesz)
			protect(s->vaddr + bias, s->filesz, s->prot | extra);
	}
}

static void patch_module(const struct loader_plan *plan, uint64_t bias,
                         const struct trace_patch *patch, size_t count)
{
	struct islands islands;

	if (!islands_map(&islands, plan->low + bias, plan->high + bias,
	                 count)) {
		__atomic_fetch_add(&shim_session.unpatched, count,
		                   __ATOMIC_RELAXED);
		return;
	}
	protect_segments(plan, bias, PROT_WRITE);
	for (size_t i = 0; i < count; i++)
		if (!patch_site(&islands, bias, &patch[i]))
			__atomic_fetch_add(&shim_session.unpatched, 1,
			                   __ATOMIC_RELAXED);
	protect_segments(plan, bias, 0);
	protect(islands.start, islands.size, PROT_READ | PROT_EXEC);
	shim_fact(TRACE_MAPPED, islands.start, islands.size,
	          PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
	          TRACE_WHAT_ISLAND, 0);
}

/* Before the program's first instruction: nothing of it runs yet. */
void shim_patch_program(const struct session_plan *plan,
                        const struct loader_image *image)
{
	const uint8_t *base = (const uint8_t *)plan;

	if (plan->patch_count && !(shim.options & SESSION_NO_PATCH))
		patch_module((const void *)(base + plan->program), image->bias,
		             (const void *)(base + plan->patches),
		             plan->patch_count);
	protect((uint64_t)shim_stubs, STUB_AREA, PROT_READ | PROT_EXEC);
}
