/*
 * map - the segments of a plan, put into memory.
 *
 * elf_load of Linux 6.18 with mmap for vm_mmap and vm_brk_flags.  Nothing else
 * may map in this address space meanwhile: the place for ET_DYN is found by
 * reserving its whole span and given back before the segments go there, so that
 * holes between them end up unmapped, as the kernel leaves them.
 */
#include <asm/unistd.h>
#include <elf.h>
#include <linux/errno.h>
#include <linux/mman.h>
#include <stddef.h>
#include <stdint.h>

#include "loader/loader.h"
#include "loader/x86_64/sys.h"

#define FILE_PART 1u /* `what` of loader_mapped */
#define BSS_PART  2u

void *memset(void *bytes, int value, size_t size);

struct mapping {
	uint64_t start, end, offset;
	uint32_t prot, flags, what;
	int fd;
};

struct mapper {
	struct loader_image *image;
	uint64_t bias;
	loader_mapped *mapped;
	void *context;
	int fd;
};

static inline uint64_t page_start(uint64_t address)
{
	return address & ~(uint64_t)(LOADER_PAGE - 1);
}

static inline uint64_t page_align(uint64_t address)
{
	return page_start(address + LOADER_PAGE - 1);
}

static enum loader_error failed(struct loader_image *image, uint32_t index,
                                long result)
{
	image->error = (int32_t)-result;
	image->bad_index = index;
	return result == -EEXIST ? LOADER_IN_USE : LOADER_MAP_FAILED;
}

static long reserve(uint64_t address, uint64_t size, uint32_t flags)
{
	return sys_call6(
		__NR_mmap, (long)address, (long)size, PROT_NONE,
		(long)(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags), -1,
		0);
}

static void release(uint64_t address, uint64_t size)
{
	sys_call2(__NR_munmap, (long)address, (long)size);
}

/*
 * The kernel maps the span where it likes and rounds the address down to the
 * alignment, which cannot hit anything in its empty address space.  In ours it
 * can, so the room to round is reserved as well; the address is the same.
 * Where the alignment is more than the address space holds, the kernel's way is
 * all that is left.
 */
static long choose(uint64_t hint, uint64_t span, uint64_t align)
{
	uint64_t slack = align - LOADER_PAGE;
	long found = reserve(hint, span + slack, 0);

	if (sys_failed(found) && slack != 0) {
		slack = 0;
		found = reserve(hint, span, 0);
	}
	if (sys_failed(found))
		return found;
	release((uint64_t)found, span + slack);
	return (long)(((uint64_t)found + slack) & ~(align - 1));
}

/* Sets the bias of ET_DYN to one where the whole span is free. */
static enum loader_error place(struct mapper *mapper,
                               const struct loader_plan *plan, uint64_t base)
{
	uint64_t span = page_align(plan->high - plan->low);
	uint64_t linked = page_start(plan->segment[0].vaddr);
	uint32_t first = plan->segment[0].index;
	long at;

	if (base == LOADER_ANYWHERE)
		at = choose(0, span, plan->align);
	else if (base == LOADER_LINKED)
		at = choose(plan->low, span, plan->align);
	else
		at = (long)(base - (linked - plan->low));
	if (sys_failed(at))
		return failed(mapper->image, first, at);

	long result = reserve((uint64_t)at, span, MAP_FIXED_NOREPLACE);

	if (sys_failed(result))
		return failed(mapper->image, first, result);
	release((uint64_t)result, span);
	/* a kernel before 4.17 takes the address for a hint */
	if (result != at)
		return failed(mapper->image, first, -EEXIST);
	mapper->bias = (uint64_t)at - plan->low;
	return LOADER_OK;
}

static enum loader_error map(struct mapper *mapper, uint32_t index,
                             const struct mapping *mapping)
{
	uint64_t size = mapping->end - mapping->start;
	long result = sys_call6(__NR_mmap, (long)mapping->start, (long)size,
	                        (long)mapping->prot, (long)mapping->flags,
	                        mapping->fd, (long)mapping->offset);

	if (sys_failed(result))
		return failed(mapper->image, index, result);
	if ((uint64_t)result != mapping->start) {
		release((uint64_t)result, size);
		return failed(mapper->image, index, -EEXIST);
	}
	if (mapper->mapped)
		mapper->mapped(mapper->context, mapping->start, size,
		               mapping->prot, mapping->flags, mapping->what,
		               mapping->offset);
	return LOADER_OK;
}

static enum loader_error map_file(struct mapper *mapper,
                                  const struct loader_segment *segment,
                                  uint32_t fixed)
{
	uint64_t start = mapper->bias + page_start(segment->vaddr);
	uint64_t end = mapper->bias + segment->vaddr + segment->filesz;
	enum loader_error error =
		map(mapper, segment->index,
	            &(struct mapping){ .start = start,
	                               .end = page_align(end),
	                               .offset = page_start(segment->offset),
	                               .prot = segment->prot,
	                               .flags = MAP_PRIVATE | fixed,
	                               .what = FILE_PART,
	                               .fd = mapper->fd });

	if (error != LOADER_OK)
		return error;
	/*
	 * padzero(): without bss the file's bytes stay, and in a segment that
	 * cannot be written too, for there the kernel ignores its own fault.
	 */
	if (segment->memsz > segment->filesz && (segment->prot & PROT_WRITE))
		memset((void *)(uintptr_t)end, 0, page_align(end) - end);
	return LOADER_OK;
}

/* vm_brk_flags(): readable and writable whatever the segment says. */
static enum loader_error map_bss(struct mapper *mapper,
                                 const struct loader_segment *segment,
                                 uint64_t start, uint32_t fixed)
{
	uint64_t end =
		page_align(mapper->bias + segment->vaddr + segment->memsz);

	if (end == start)
		return LOADER_OK;
	return map(
		mapper, segment->index,
		&(struct mapping){ .start = start,
	                           .end = end,
	                           .prot = PROT_READ | PROT_WRITE |
	                                   (segment->prot & PROT_EXEC),
	                           .flags = MAP_PRIVATE | MAP_ANONYMOUS | fixed,
	                           .what = BSS_PART,
	                           .fd = -1 });
}

static enum loader_error load(struct mapper *mapper,
                              const struct loader_segment *segment,
                              uint32_t fixed)
{
	uint64_t bss = mapper->bias + page_start(segment->vaddr);

	if (segment->filesz != 0) {
		enum loader_error error = map_file(mapper, segment, fixed);

		if (error != LOADER_OK)
			return error;
		bss = page_align(mapper->bias + segment->vaddr +
		                 segment->filesz);
		fixed = MAP_FIXED;
	}
	if (segment->memsz == segment->filesz)
		return LOADER_OK;
	return map_bss(mapper, segment, bss, fixed);
}

/*
 * A quirk of elf_load(): where the first segment of ET_DYN has no byte of the
 * file it does not ask mmap for an address, but takes the 0 (or the address it
 * is linked to) that was meant for a hint.
 */
static int begins_with_bss(const struct loader_plan *plan)
{
	return plan->type == ET_DYN && plan->segment_count != 0 &&
	       plan->segment[0].filesz == 0;
}

/* Is nothing mapped there?  What cannot be mapped is found when it is. */
static int is_free(uint64_t start, uint64_t end)
{
	long result = reserve(start, end - start, MAP_FIXED_NOREPLACE);

	if (!sys_failed(result))
		release((uint64_t)result, end - start);
	return result != -EEXIST;
}

static enum loader_error find_room(const struct loader_plan *plan,
                                   uint64_t bias, struct loader_image *image)
{
	for (uint32_t i = 0; i < plan->segment_count; i++) {
		const struct loader_segment *segment = &plan->segment[i];
		uint64_t start = bias + segment->vaddr;
		uint64_t end = start + segment->memsz;

		/* nor may a part of it be mapped where it fits */
		if (end < start || end > LOADER_TASK_SIZE)
			return failed(image, segment->index, -ENOMEM);
		if (!is_free(page_start(start), page_align(end)))
			return failed(image, segment->index, -EEXIST);
	}
	return LOADER_OK;
}

/*
 * Of an ET_EXEC interpreter the kernel maps the whole span over whatever is
 * there, the program too, before it gives back what is too much.
 */
static void clear_span(const struct loader_plan *plan)
{
	if (plan->segment[0].filesz != 0)
		release(page_start(plan->segment[0].vaddr),
		        page_align(plan->high - plan->low));
}

enum loader_error loader_room(const struct loader_plan *plan,
                              struct loader_image *image)
{
	uint64_t start;

	if (plan->type != ET_EXEC || plan->segment_count == 0)
		return LOADER_OK;
	start = page_start(plan->segment[0].vaddr);
	/* clear_span() */
	if (plan->role == LOADER_INTERP &&
	    !is_free(start, start + page_align(plan->high - plan->low)))
		return failed(image, plan->segment[0].index, -EEXIST);
	return find_room(plan, 0, image);
}

enum loader_error loader_map(const struct loader_plan *plan, int fd,
                             uint64_t base, struct loader_image *image,
                             loader_mapped *mapped, void *context)
{
	struct mapper mapper = {
		.image = image, .mapped = mapped, .context = context, .fd = fd
	};
	uint32_t fixed = MAP_FIXED_NOREPLACE;

	*image = (struct loader_image){ 0 };
	if (begins_with_bss(plan) && base >= LOADER_LINKED) {
		if (base == LOADER_ANYWHERE)
			mapper.bias = -page_start(plan->segment[0].vaddr);

		enum loader_error error = find_room(plan, mapper.bias, image);

		if (error != LOADER_OK)
			return error;
	} else if (plan->type == ET_DYN && plan->segment_count != 0) {
		enum loader_error error = place(&mapper, plan, base);

		if (error != LOADER_OK)
			return error;
		fixed = MAP_FIXED; /* the span is free, ends may share a page */
	} else if (plan->role == LOADER_INTERP) {
		clear_span(plan);
		fixed = MAP_FIXED;
	}
	image->bias = mapper.bias;
	image->entry = mapper.bias + plan->entry;
	image->phdr = mapper.bias + plan->phdr;
	image->brk = mapper.bias + plan->brk;
	/* with an interpreter the kernel does not look at it */
	if (plan->interp_size == 0 && image->entry >= LOADER_TASK_SIZE)
		return LOADER_ENTRY;
	for (uint32_t i = 0; i < plan->segment_count; i++) {
		enum loader_error error =
			load(&mapper, &plan->segment[i], fixed);

		if (error != LOADER_OK)
			return error;
		fixed = MAP_FIXED;
	}
	return LOADER_OK;
}
