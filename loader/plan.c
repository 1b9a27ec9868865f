/*
 * plan - what to map and where, decided from the headers alone.
 *
 * A transcription of the checks of load_elf_binary (Linux 6.18), with the ones
 * that mmap, padzero and vm_brk_flags make while mapping moved to the front.
 * What depends on the machine (overcommit, mmap_min_addr, the largest file of
 * the file system) is left to loader_map.
 *
 * Deliberately not looked at, because the kernel does not: EI_CLASS, EI_DATA,
 * EI_VERSION, EI_OSABI, e_version, e_ehsize, e_flags, every section header,
 * p_paddr, and p_align of ET_EXEC.
 */
#include <elf.h>
#include <linux/mman.h>
#include <stddef.h>
#include <stdint.h>

#include "loader/loader.h"

#define MACHINE  EM_X86_64             /* elf_check_arch() */
#define FILE_MAX 0x7fffffffffffffffull /* MAX_LFS_FILESIZE */

_Static_assert(sizeof(Elf64_Ehdr) == LOADER_HEADER, "LOADER_HEADER");
_Static_assert(sizeof(Elf64_Phdr) == LOADER_PHDR, "LOADER_PHDR");
_Static_assert(LOADER_PHDRS_MAX == 65536 / sizeof(Elf64_Phdr), "phnum");

static inline uint64_t page_offset(uint64_t address)
{
	return address & (LOADER_PAGE - 1);
}

static inline uint64_t page_start(uint64_t address)
{
	return address - page_offset(address);
}

static inline uint64_t page_align(uint64_t address)
{
	return page_start(address + LOADER_PAGE - 1);
}

static Elf64_Phdr phdr_at(const uint8_t *phdrs, uint32_t index)
{
	Elf64_Phdr phdr;

	/* the builtin: with -fno-builtin the plain name is a call */
	__builtin_memcpy(&phdr, phdrs + (size_t)index * LOADER_PHDR,
	                 sizeof(phdr));
	return phdr;
}

static enum loader_error refuse(struct loader_plan *plan, uint32_t index,
                                uint64_t value, enum loader_error error)
{
	plan->bad_index = index;
	plan->bad_value = value;
	return error;
}

static int has_magic(const uint8_t *bytes)
{
	return bytes[0] == ELFMAG0 && bytes[1] == ELFMAG1 &&
	       bytes[2] == ELFMAG2 && bytes[3] == ELFMAG3;
}

/*
 * The type is looked at with the program headers at hand: an interpreter of
 * another type is found late, and the kernel kills for it.
 */
static enum loader_error check_header(const Elf64_Ehdr *header)
{
	if (header->e_machine == EM_386)
		return LOADER_32BIT;
	if (header->e_machine != MACHINE)
		return LOADER_OTHER_CPU;
	/* x32 has our e_machine; what gives it away is the shorter header */
	if (header->e_phentsize != LOADER_PHDR)
		return header->e_ident[EI_CLASS] == ELFCLASS32
		               ? LOADER_32BIT
		               : LOADER_PHENTSIZE;
	if (header->e_phnum == 0 || header->e_phnum > LOADER_PHDRS_MAX)
		return LOADER_PHNUM;
	return LOADER_OK;
}

/*
 * The kernel reads a cut header as if zeroes followed.  That can only pass the
 * checks when the program headers begin inside e_ident, and such a file has no
 * byte to execute: refusing it takes nothing away.
 */
enum loader_error loader_header(const uint8_t *header, size_t size,
                                enum loader_role role, uint64_t *phoff,
                                size_t *phdrs_size)
{
	Elf64_Ehdr fields;

	if (size == 0)
		return LOADER_EMPTY;
	/* of an interpreter the kernel reads the header, or fails */
	if (role == LOADER_INTERP && size < LOADER_HEADER)
		return LOADER_TRUNCATED;
	if (size >= 2 && header[0] == '#' && header[1] == '!')
		return LOADER_SCRIPT;
	if (size < SELFMAG || !has_magic(header))
		return LOADER_NOT_ELF;
	if (size < LOADER_HEADER)
		return LOADER_TRUNCATED;
	__builtin_memcpy(&fields, header, sizeof(fields));

	enum loader_error error = check_header(&fields);

	if (error != LOADER_OK)
		return error;
	*phoff = fields.e_phoff;
	*phdrs_size = (size_t)fields.e_phnum * LOADER_PHDR;
	return LOADER_OK;
}

static enum loader_error plan_interp(struct loader_plan *plan,
                                     const Elf64_Phdr *phdr, uint32_t index,
                                     uint64_t file_size)
{
	if (phdr->p_filesz < 2 || phdr->p_filesz > LOADER_INTERP_MAX)
		return refuse(plan, index, phdr->p_filesz, LOADER_INTERP_SIZE);
	plan->interp_offset = phdr->p_offset;
	plan->interp_size = (uint32_t)phdr->p_filesz;
	if (phdr->p_offset > file_size ||
	    phdr->p_filesz > file_size - phdr->p_offset)
		return refuse(plan, index, phdr->p_offset, LOADER_INTERP_CUT);
	return LOADER_OK;
}

/*
 * Everything but PT_LOAD, before it, for these errors the kernel reports and
 * those of a segment it does not.  The first PT_INTERP counts, however broken a
 * second one is; the last PT_GNU_STACK counts.
 */
static enum loader_error plan_rest(struct loader_plan *plan,
                                   const uint8_t *phdrs, uint64_t file_size)
{
	for (uint32_t i = 0; i < plan->phnum; i++) {
		Elf64_Phdr phdr = phdr_at(phdrs, i);

		if (phdr.p_type == PT_GNU_STACK)
			plan->exec_stack = (phdr.p_flags & PF_X) != 0;
		if (phdr.p_type != PT_INTERP || plan->interp_size != 0)
			continue;

		enum loader_error error =
			plan_interp(plan, &phdr, i, file_size);

		if (error != LOADER_OK)
			return error;
	}
	return LOADER_OK;
}

/* padzero() writes to the page that holds the end of the file's bytes. */
static int zeroes_past_end(const Elf64_Phdr *phdr, uint64_t file_size)
{
	uint64_t end = phdr->p_offset + phdr->p_filesz;

	return (phdr->p_flags & PF_W) && phdr->p_memsz > phdr->p_filesz &&
	       page_offset(end) != 0 && page_start(end) >= file_size;
}

/*
 * Of the program the kernel looks at p_vaddr, of an interpreter at where it has
 * put that: what is linked to the kernel's half is all right for ET_DYN.
 */
static int lies_outside(const struct loader_plan *plan, const Elf64_Phdr *phdr)
{
	if (phdr->p_memsz > LOADER_TASK_SIZE)
		return 1;
	if (plan->role == LOADER_INTERP && plan->type == ET_DYN)
		return phdr->p_vaddr + phdr->p_memsz < phdr->p_vaddr;
	return phdr->p_vaddr >= LOADER_TASK_SIZE ||
	       LOADER_TASK_SIZE - phdr->p_memsz < phdr->p_vaddr;
}

static enum loader_error check_segment(struct loader_plan *plan,
                                       const Elf64_Phdr *phdr, uint32_t index,
                                       uint64_t file_size)
{
	uint64_t vaddr = phdr->p_vaddr;
	uint64_t offset = phdr->p_offset;

	if (phdr->p_filesz > phdr->p_memsz)
		return refuse(plan, index, phdr->p_filesz, LOADER_FILESZ);
	if (lies_outside(plan, phdr))
		return refuse(plan, index, vaddr, LOADER_ADDRESS);
	/* without bytes in the file nothing is mapped from it */
	if (phdr->p_filesz == 0)
		return LOADER_OK;
	/* modulo the page only: p_align does not matter */
	if (page_offset(offset) != page_offset(vaddr))
		return refuse(plan, index, offset, LOADER_INCONGRUENT);
	if (page_start(offset) >
	    FILE_MAX - page_align(phdr->p_filesz + page_offset(vaddr)))
		return refuse(plan, index, offset, LOADER_OFFSET);
	if (zeroes_past_end(phdr, file_size))
		return refuse(plan, index, offset, LOADER_BSS_PAST_END);
	return LOADER_OK;
}

static uint32_t prot_of(uint32_t flags)
{
	return (flags & PF_R ? PROT_READ : 0u) |
	       (flags & PF_W ? PROT_WRITE : 0u) |
	       (flags & PF_X ? PROT_EXEC : 0u);
}

static inline void lower(uint64_t *least, uint64_t value)
{
	if (value < *least)
		*least = value;
}

static inline void raise(uint64_t *most, uint64_t value)
{
	if (value > *most)
		*most = value;
}

static void add_segment(struct loader_plan *plan, const Elf64_Phdr *phdr,
                        uint32_t index)
{
	plan->segment[plan->segment_count++] = (struct loader_segment){
		.vaddr = phdr->p_vaddr,
		.offset = phdr->p_offset,
		.filesz = phdr->p_filesz,
		.memsz = phdr->p_memsz,
		.prot = prot_of(phdr->p_flags),
		.index = index,
	};
}

/* The sums that load_elf_binary keeps while it maps. */
static void measure(struct loader_plan *plan, const Elf64_Phdr *phdr,
                    uint64_t phoff)
{
	uint64_t file_end = phdr->p_vaddr + phdr->p_filesz;

	/* the last one that holds the table wins; PT_PHDR is not asked */
	if (phdr->p_offset <= phoff && phoff < phdr->p_offset + phdr->p_filesz)
		plan->phdr = phoff - phdr->p_offset + phdr->p_vaddr;
	if (phdr->p_flags & PF_X) {
		lower(&plan->start_code, phdr->p_vaddr);
		raise(&plan->end_code, file_end);
	}
	/* yes, the highest one: that is what the kernel calls start_data */
	raise(&plan->start_data, phdr->p_vaddr);
	raise(&plan->end_data, file_end);
	lower(&plan->low, page_start(phdr->p_vaddr));
	raise(&plan->high, phdr->p_vaddr + phdr->p_memsz);
	/* maximum_alignment(): what is no power of two does not count */
	if ((phdr->p_align & (phdr->p_align - 1)) == 0)
		raise(&plan->align, phdr->p_align);
}

/*
 * Of ET_DYN, and of any interpreter, the first mmap takes the whole span from
 * the first segment's offset on, and what is too much is given back.
 */
static enum loader_error check_span(struct loader_plan *plan)
{
	const struct loader_segment *first = &plan->segment[0];
	uint64_t span = plan->high - plan->low;

	if (plan->segment_count == 0)
		return plan->role == LOADER_INTERP
		               ? refuse(plan, 0, 0, LOADER_SPAN)
		               : LOADER_OK;
	if (plan->type == ET_EXEC && plan->role == LOADER_PROGRAM)
		return LOADER_OK;
	if (span == 0)
		return refuse(plan, first->index, 0, LOADER_SPAN);
	if (first->filesz == 0)
		return LOADER_OK;
	if (page_start(first->offset) > FILE_MAX - page_align(span))
		return refuse(plan, first->index, first->offset, LOADER_OFFSET);
	if (plan->type == ET_EXEC &&
	    page_align(span) > LOADER_TASK_SIZE - page_start(first->vaddr))
		return refuse(plan, first->index, first->vaddr, LOADER_ADDRESS);
	return LOADER_OK;
}

static enum loader_error plan_segments(struct loader_plan *plan,
                                       const uint8_t *phdrs, uint64_t phoff,
                                       uint64_t file_size)
{
	plan->low = UINT64_MAX;
	for (uint32_t i = 0; i < plan->phnum; i++) {
		Elf64_Phdr phdr = phdr_at(phdrs, i);

		if (phdr.p_type != PT_LOAD)
			continue;

		enum loader_error error =
			check_segment(plan, &phdr, i, file_size);

		if (error != LOADER_OK)
			return error;
		add_segment(plan, &phdr, i);
		measure(plan, &phdr, phoff);
	}
	lower(&plan->low, plan->high);
	plan->brk = page_align(plan->high);
	return check_span(plan);
}

enum loader_error loader_plan(const uint8_t *header, const uint8_t *phdrs,
                              uint64_t file_size, enum loader_role role,
                              struct loader_plan *plan)
{
	Elf64_Ehdr fields;
	uint64_t phoff;
	size_t size;
	enum loader_error error;

	__builtin_memcpy(&fields, header, sizeof(fields));
	*plan = (struct loader_plan){
		.type = fields.e_type,
		.role = role,
		.phnum = fields.e_phnum,
		.entry = fields.e_entry,
		.align = LOADER_PAGE,
		.start_code = UINT64_MAX,
	};
	error = loader_header(header, LOADER_HEADER, role, &phoff, &size);
	if (error != LOADER_OK)
		return error;
	if (phoff > file_size || size > file_size - phoff)
		return refuse(plan, 0, phoff, LOADER_PHDRS_CUT);
	if (plan->type != ET_EXEC && plan->type != ET_DYN)
		return role == LOADER_INTERP ? LOADER_INTERP_TYPE
		                             : LOADER_NOT_PROGRAM;
	error = role == LOADER_INTERP ? LOADER_OK
	                              : plan_rest(plan, phdrs, file_size);
	if (error != LOADER_OK)
		return error;
	error = plan_segments(plan, phdrs, phoff, file_size);
	if (error != LOADER_OK)
		return error;
	/* load_elf_interp() aligns nothing */
	if (role == LOADER_INTERP)
		plan->align = LOADER_PAGE;
	/*
	 * With an interpreter the kernel never looks at e_entry, and that of
	 * ET_DYN is only an address once the bias is known: see loader_map.
	 */
	if (plan->type == ET_EXEC && plan->interp_size == 0 &&
	    plan->entry >= LOADER_TASK_SIZE)
		return refuse(plan, 0, plan->entry, LOADER_ENTRY);
	return LOADER_OK;
}
