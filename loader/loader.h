/*
 * loader - a userspace execve: ELF bytes -> plan -> mapped image -> stack.
 *
 * Three steps, each in one file, so that what decides is pure and what does is
 * thin:
 *
 *   plan.c   loader_plan       bytes of the header and of the program headers
 *                              -> struct loader_plan.  Pure.
 *   map.c    loader_map        plan + open file -> segments in memory
 *   stack.c  loader_stack      arguments, environment, auxv -> the bytes of the
 *                              initial stack.  Pure.
 *
 * The rules are those of fs/binfmt_elf.c (load_elf_binary, elf_load,
 * total_mapping_size, create_elf_tables): goload accepts what the kernel runs
 * and is never stricter.  What the kernel finds only after the point of no
 * return (and answers with SIGSEGV) loader_plan refuses with a rule; those
 * rules come after LOADER_KILLED in the enum.  docs/loader.md has the table of
 * cases.
 *
 * No libc, no allocation, no global state: the code is linked into the image
 * that runs in the target and into the hosted library.  Not signal-safe by
 * intent: it runs before the program does.
 */
#ifndef LOADER_LOADER_H
#define LOADER_LOADER_H

#include <stddef.h>
#include <stdint.h>

#define LOADER_PAGE          4096ull
#define LOADER_HEADER        64u    /* sizeof(Elf64_Ehdr) */
#define LOADER_PHDR          56u    /* sizeof(Elf64_Phdr) */
#define LOADER_PHDRS_MAX     1170u  /* load_elf_phdrs: at most 65536 bytes */
#define LOADER_INTERP_MAX    4096u  /* PATH_MAX, as load_elf_binary */
#define LOADER_TASK_SIZE     0x7ffffffff000ull /* TASK_SIZE_MAX, 4-level paging */

/* Where loader_map is to put ET_DYN, other than at an address. */
#define LOADER_ANYWHERE UINT64_MAX       /* where mmap finds room */
#define LOADER_LINKED   (UINT64_MAX - 1) /* where it is linked to, if that is
					    free; else where mmap finds room */

/* As what a file is planned: the rules differ. */
enum loader_role {
	LOADER_PROGRAM,
	LOADER_INTERP, /* the file that PT_INTERP names */
};

enum loader_error {
	LOADER_OK = 0,
	/* refused by the kernel: loader_errno() */
	LOADER_EMPTY,        /* no byte */
	LOADER_NOT_ELF,      /* no ELF magic */
	LOADER_TRUNCATED,    /* the header is cut */
	LOADER_SCRIPT,       /* "#!": the caller's matter */
	LOADER_NOT_PROGRAM,  /* e_type is neither ET_EXEC nor ET_DYN */
	LOADER_32BIT,        /* e_machine EM_386 */
	LOADER_OTHER_CPU,    /* e_machine of another CPU */
	LOADER_PHENTSIZE,
	LOADER_PHNUM,        /* none, or more than LOADER_PHDRS_MAX */
	LOADER_PHDRS_CUT,    /* the table is not whole in the file */
	LOADER_INTERP_SIZE,  /* PT_INTERP of fewer than 2 or too many bytes */
	LOADER_INTERP_CUT,   /* PT_INTERP lies past the end of the file */
	LOADER_INTERP_NUL,   /* PT_INTERP does not end in NUL: who reads it says */
	/* the kernel kills with SIGSEGV */
	LOADER_KILLED,
	LOADER_FILESZ = LOADER_KILLED, /* p_filesz > p_memsz */
	LOADER_ADDRESS,      /* a segment lies or reaches outside user space */
	LOADER_INCONGRUENT,  /* p_offset and p_vaddr differ modulo the page */
	LOADER_OFFSET,       /* p_offset cannot be mapped */
	LOADER_SPAN,         /* the segments span not one byte: ET_DYN, and any
				interpreter */
	LOADER_INTERP_TYPE,  /* the interpreter is no program */
	LOADER_ENTRY,        /* e_entry outside user space; ET_DYN: loader_map */
	LOADER_BSS_PAST_END, /* zeroes to be written on a page past the file's end */
	/* loader_map: see loader_image.error for the errno */
	LOADER_MAP_FAILED,
	LOADER_IN_USE,       /* something else is mapped where it must go */
	/* loader_stack */
	LOADER_STACK_SMALL,  /* the buffer does not hold the stack */
	LOADER_ERRORS
};

/* One PT_LOAD, in file order.  Addresses without bias. */
struct loader_segment {
	uint64_t vaddr;   /* p_vaddr */
	uint64_t offset;  /* p_offset */
	uint64_t filesz;
	uint64_t memsz;
	uint32_t prot;    /* PROT_READ | PROT_WRITE | PROT_EXEC of p_flags */
	uint32_t index;   /* program header number, for messages */
};

struct loader_plan {
	uint32_t type;        /* ET_EXEC or ET_DYN */
	uint32_t role;        /* enum loader_role */
	uint32_t phnum;
	uint64_t entry;       /* e_entry, without bias */
	uint64_t phdr;        /* AT_PHDR without bias, by the kernel's rule */
	uint64_t align;       /* maximum_alignment() over PT_LOAD, at least a page */
	uint64_t low, high;   /* total_mapping_size(): page of the lowest p_vaddr,
				 highest end, not rounded; low == high: no PT_LOAD */
	uint64_t end_code, start_code, end_data, start_data; /* mm_struct, no bias */
	uint64_t brk;         /* page-aligned end of the highest bss, no bias */
	uint32_t exec_stack;  /* PT_GNU_STACK with PF_X */
	uint32_t interp_size; /* bytes of the path with its NUL; 0: no PT_INTERP */
	uint64_t interp_offset;
	uint32_t segment_count;
	uint32_t bad_index;   /* on failure: the program header at fault */
	uint64_t bad_value;   /* and the number that broke the rule */
	struct loader_segment segment[]; /* room for LOADER_PHDRS_MAX when planning */
};

#define LOADER_PLAN_SIZE(count) \
	(sizeof(struct loader_plan) + (count) * sizeof(struct loader_segment))

/*
 * First look at the header: where the program headers are.
 * `header` is what could be read of the first LOADER_HEADER bytes.
 * On LOADER_OK *phoff and *size say what to read next.
 */
enum loader_error loader_header(const uint8_t *header, size_t size,
				enum loader_role role, uint64_t *phoff,
				size_t *phdrs_size);

/*
 * Plans from the header (LOADER_HEADER bytes) and the whole program header
 * table.  `file_size` is the file's.  `plan` has room for
 * LOADER_PLAN_SIZE(LOADER_PHDRS_MAX).  The interpreter's path is not read:
 * plan->interp_offset and interp_size say where it is, also with
 * LOADER_INTERP_CUT.  Of an interpreter PT_INTERP and PT_GNU_STACK do not count.
 */
enum loader_error loader_plan(const uint8_t *header, const uint8_t *phdrs,
			      uint64_t file_size, enum loader_role role,
			      struct loader_plan *plan);

/*
 * What execve answers: an errno, or 0 where it kills instead (or does not fail).
 * LOADER_INTERP_CUT is EIO unless the file system has its own word for such an
 * offset: reading there tells.
 */
int loader_errno(enum loader_error error, enum loader_role role);
/* Kills the kernel for that, past the point of no return? */
int loader_kills(enum loader_error error);

/*
 * Why, in words: "a segment has more bytes in the file than in memory".  Which
 * segment and which number: bad_index and bad_value.
 */
const char *loader_strerror(enum loader_error error);

/* What loader_map made. */
struct loader_image {
	uint64_t bias;       /* address in memory = address in the file + bias */
	uint64_t entry, phdr, brk;
	int32_t error;       /* errno of the call that failed, with LOADER_MAP_FAILED */
	uint32_t bad_index;  /* and the program header at fault */
};

/* Told of each mapping made, in order; may be NULL.  `what`: 1 file, 2 bss. */
typedef void loader_mapped(void *context, uint64_t start, uint64_t size,
			   uint32_t prot, uint32_t flags, uint32_t what,
			   uint64_t offset);

/*
 * Maps the segments of `plan` from `fd`, as elf_load does: file part
 * MAP_PRIVATE at its exact place, page tail zeroed, rest of the bss anonymous.
 * `base`: for ET_DYN the address wanted for the page of the first segment
 * (page- and align-aligned), LOADER_ANYWHERE or LOADER_LINKED; ignored for
 * ET_EXEC.
 * The first segment of ET_EXEC does not replace what is mapped
 * (MAP_FIXED_NOREPLACE), the later ones do, as in the kernel: who has more in
 * its address space than the kernel has then asks loader_room first.
 * The whole span of ET_DYN must be free.  No other thread may map meanwhile.
 * On failure what was mapped so far stays mapped.
 */
enum loader_error loader_map(const struct loader_plan *plan, int fd,
			     uint64_t base, struct loader_image *image,
			     loader_mapped *mapped, void *context);

/*
 * LOADER_IN_USE, with image->bad_index, when something is mapped where a
 * segment of this ET_EXEC goes; LOADER_OK for ET_DYN.
 */
enum loader_error loader_room(const struct loader_plan *plan,
			      struct loader_image *image);

/* What goes on the initial stack.  Strings are NUL-terminated. */
struct loader_stack {
	uint64_t top;              /* where the stack ends: the highest address */
	uint64_t gap;              /* the kernel's random gap, 0..8191 */
	const char *execfn;        /* AT_EXECFN */
	const char *platform;      /* AT_PLATFORM, or NULL */
	uint8_t random[16];        /* AT_RANDOM */
	uint64_t argc, envc;
	const char *const *argv;
	const char *const *envp;
	const uint64_t *auxv;      /* the kernel's, pairs up to AT_NULL */
	/* put in place of the kernel's values */
	uint64_t phdr, phnum, entry, base;
};

struct loader_stack_out {
	uint64_t sp;      /* initial stack pointer: bytes[0] is at this address */
	uint64_t size;    /* bytes used: top - sp */
	uint64_t arg_start, arg_end, env_start, env_end; /* as mm_struct has them */
	uint64_t auxv;    /* address of the auxiliary vector */
	uint64_t auxv_size;
};

/*
 * Lays the stack out exactly as copy_strings and create_elf_tables do, in
 * bytes[0..size) for address top - size (see struct loader_stack_out.sp).
 * `capacity`: room in `bytes`; LOADER_STACK_SMALL when it does not fit.
 * The finished stack begins at bytes[0].  `bytes` holds none of the strings
 * that `in` points to: it is zeroed first.
 */
enum loader_error loader_stack(const struct loader_stack *in, uint8_t *bytes,
			       size_t capacity, struct loader_stack_out *out);

/* Upper bound of the size that loader_stack needs. */
size_t loader_stack_size(const struct loader_stack *in);

#endif
