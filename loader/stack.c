/*
 * stack - the initial stack, byte for byte as the kernel makes it.
 *
 * From the top down, by copy_strings and create_elf_tables:
 *
 *   8 zero bytes
 *   execfn string
 *   environment strings   ascending, without a gap
 *   argument strings      ascending, without a gap; mm->arg_start
 *   random gap, then down to a multiple of 16    arch_align_stack()
 *   platform string
 *   16 random bytes       AT_RANDOM, not aligned
 *   padding
 *   auxv, envp, argv, argc                       rsp, a multiple of 16
 */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include "loader/loader.h"

#define WORD sizeof(uint64_t)

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *bytes, int value, size_t size);

/* Addresses, highest first. */
struct layout {
	uint64_t execfn, env, args, platform, random, auxv, sp;
	uint64_t auxv_size;
};

/* The finished bytes and the address of the first. */
struct sheet {
	uint8_t *bytes;
	uint64_t sp;
};

/* With the NUL. */
static uint64_t string_size(const char *string)
{
	uint64_t size = 1;

	while (*string++)
		size++;
	return size;
}

static uint64_t strings_size(const char *const *strings, uint64_t count)
{
	uint64_t size = 0;

	for (uint64_t i = 0; i < count; i++)
		size += string_size(strings[i]);
	return size;
}

/* Through the AT_NULL pair, as the kernel copies it. */
static uint64_t auxv_bytes(const uint64_t *auxv)
{
	uint64_t words = 2;

	for (; auxv[0] != AT_NULL; auxv += 2)
		words += 2;
	return words * WORD;
}

static struct layout lay_out(const struct loader_stack *in)
{
	struct layout at = { .auxv_size = auxv_bytes(in->auxv) };
	uint64_t vectors = (1 + in->argc + 1 + in->envc + 1) * WORD;

	at.execfn = in->top - WORD - string_size(in->execfn);
	at.env = at.execfn - strings_size(in->envp, in->envc);
	at.args = at.env - strings_size(in->argv, in->argc);
	at.platform = (at.args - in->gap) & ~15ull;
	if (in->platform)
		at.platform -= string_size(in->platform);
	at.random = at.platform - sizeof(in->random);
	at.sp = (at.random - at.auxv_size - vectors) & ~15ull;
	at.auxv = at.sp + vectors;
	return at;
}

static void put(const struct sheet *sheet, uint64_t at, const void *from,
                uint64_t size)
{
	memcpy(sheet->bytes + (at - sheet->sp), from, size);
}

static void put_word(const struct sheet *sheet, uint64_t at, uint64_t word)
{
	/* the builtin is one store, and `bytes` may lie anywhere */
	__builtin_memcpy(sheet->bytes + (at - sheet->sp), &word, sizeof(word));
}

/* Strings from `at` upwards, their addresses from `vector` upwards. */
static void put_strings(const struct sheet *sheet, uint64_t at, uint64_t vector,
                        const char *const *strings, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t size = string_size(strings[i]);

		put_word(sheet, vector + i * WORD, at);
		put(sheet, at, strings[i], size);
		at += size;
	}
}

static uint64_t aux_value(const struct loader_stack *in,
                          const struct layout *at, const uint64_t *pair)
{
	switch (pair[0]) {
	case AT_PHDR:
		return in->phdr;
	case AT_PHNUM:
		return in->phnum;
	case AT_ENTRY:
		return in->entry;
	case AT_BASE:
		return in->base;
	case AT_EXECFN:
		return at->execfn;
	case AT_RANDOM:
		return at->random;
	case AT_PLATFORM:
		return in->platform ? at->platform : pair[1];
	default:
		return pair[1];
	}
}

static void put_auxv(const struct sheet *sheet, const struct loader_stack *in,
                     const struct layout *at)
{
	uint64_t address = at->auxv;

	for (const uint64_t *pair = in->auxv; pair[0] != AT_NULL; pair += 2) {
		put_word(sheet, address, pair[0]);
		put_word(sheet, address + WORD, aux_value(in, at, pair));
		address += 2 * WORD;
	}
}

size_t loader_stack_size(const struct loader_stack *in)
{
	return in->top - lay_out(in).sp;
}

enum loader_error loader_stack(const struct loader_stack *in, uint8_t *bytes,
                               size_t capacity, struct loader_stack_out *out)
{
	struct layout at = lay_out(in);
	struct sheet sheet = { .bytes = bytes, .sp = at.sp };
	uint64_t argv = at.sp + WORD;
	uint64_t envp = argv + (in->argc + 1) * WORD;
	uint64_t size = in->top - at.sp;

	if (size > capacity)
		return LOADER_STACK_SMALL;
	/* every gap, padding and terminator below is zero from here on */
	memset(bytes, 0, size);
	put_word(&sheet, at.sp, in->argc);
	put_strings(&sheet, at.args, argv, in->argv, in->argc);
	put_strings(&sheet, at.env, envp, in->envp, in->envc);
	put_auxv(&sheet, in, &at);
	put(&sheet, at.random, in->random, sizeof(in->random));
	if (in->platform)
		put(&sheet, at.platform, in->platform,
		    string_size(in->platform));
	put(&sheet, at.execfn, in->execfn, string_size(in->execfn));
	*out = (struct loader_stack_out){
		.sp = at.sp,
		.size = size,
		.arg_start = at.args,
		.arg_end = at.env,
		.env_start = at.env,
		.env_end = at.execfn,
		.auxv = at.auxv,
		.auxv_size = at.auxv_size,
	};
	return LOADER_OK;
}
