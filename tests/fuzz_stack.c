/*
 * fuzz_stack - any arguments, environment and auxiliary vector: what was put on
 * the stack can be read there, and nothing is written past it.
 *
 *   clang -fsanitize=fuzzer,address,undefined -I. tests/fuzz_stack.c
 *           loader/stack.c
 *
 * The bytes are: how many arguments, how many strings of the environment, the
 * gap (2), the top's offset in a page (2), flags; then the strings, one behind
 * the other; then the auxiliary vector, a byte of type and of value a pair.
 */
#include "loader/loader.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define TOP   0x7ffffffff000ull
#define MOST  16
#define PAIRS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
	const uint8_t *at, *end;
};

static void demand(int holds)
{
	if (!holds)
		abort();
}

static unsigned byte(struct bytes *bytes)
{
	return bytes->at < bytes->end ? *bytes->at++ : 0;
}

/* A string of its own, so that a read past it is seen. */
static char *string(struct bytes *bytes)
{
	size_t size = strnlen((const char *)bytes->at,
	                      (size_t)(bytes->end - bytes->at));
	char *made = malloc(size + 1);

	if (!made)
		exit(1);
	memcpy(made, bytes->at, size);
	made[size] = 0;
	bytes->at += size;
	bytes->at += bytes->at < bytes->end;
	return made;
}

static void read_pairs(struct bytes *bytes, uint64_t auxv[2 * PAIRS + 2])
{
	size_t i = 0;

	while (i < PAIRS && bytes->end - bytes->at >= 2) {
		auxv[2 * i] = byte(bytes) % 64;
		auxv[2 * i + 1] = byte(bytes) * 0x0101010101010101ull;
		if (auxv[2 * i] == AT_NULL)
			break;
		i++;
	}
	auxv[2 * i] = AT_NULL;
	auxv[2 * i + 1] = 0;
}

static const uint8_t *at(const uint8_t *stack,
                         const struct loader_stack_out *out, uint64_t address)
{
	demand(address >= out->sp && address < out->sp + out->size);
	return stack + (address - out->sp);
}

static void check_strings(const uint8_t *stack,
                          const struct loader_stack_out *out,
                          const uint64_t *vector, const char *const *strings,
                          uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		demand(strcmp((const char *)at(stack, out, vector[i]),
		              strings[i]) == 0);
	demand(vector[count] == 0);
}

static void check(const struct loader_stack *in, const uint8_t *stack,
                  const struct loader_stack_out *out)
{
	const uint64_t *words = (const uint64_t *)stack;
	const uint64_t *auxv = words + in->argc + in->envc + 3;
	size_t i = 0;

	demand(out->sp % 16 == 0 && out->sp + out->size == in->top);
	demand(words[0] == in->argc);
	check_strings(stack, out, words + 1, in->argv, in->argc);
	check_strings(stack, out, words + 2 + in->argc, in->envp, in->envc);
	for (; in->auxv[i] != AT_NULL; i += 2) {
		demand(auxv[i] == in->auxv[i]);
		if (auxv[i] == AT_RANDOM)
			demand(!memcmp(at(stack, out, auxv[i + 1] + 15) - 15,
			               in->random, 16));
		if (auxv[i] == AT_EXECFN)
			demand(!strcmp(
				(const char *)at(stack, out, auxv[i + 1]),
				in->execfn));
	}
	demand(auxv[i] == AT_NULL);
	demand(out->auxv ==
	       out->sp + (uint64_t)((const uint8_t *)auxv - stack));
	demand(out->auxv_size == (i + 2) * 8);
	demand(out->arg_start <= out->arg_end &&
	       out->arg_end == out->env_start);
	demand(out->env_start <= out->env_end && out->env_end < in->top);
}

static void lay_out(const struct loader_stack *in)
{
	size_t size = loader_stack_size(in);
	uint8_t *stack = malloc(size);
	struct loader_stack_out out;

	if (!stack)
		exit(1);
	demand(loader_stack(in, stack, size - 1, &out) == LOADER_STACK_SMALL);
	demand(loader_stack(in, stack, size, &out) == LOADER_OK);
	demand(out.size == size);
	check(in, stack, &out);
	free(stack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes bytes = { data, data + size };
	uint64_t auxv[2 * PAIRS + 2];
	char *strings[2 * MOST];
	size_t count = 0, all;
	struct loader_stack in = {
		.auxv = auxv, .phdr = 1, .phnum = 2, .entry = 3, .base = 4
	};
	unsigned flags;

	in.argc = byte(&bytes) % MOST;
	in.envc = byte(&bytes) % MOST;
	in.gap = (byte(&bytes) | byte(&bytes) << 8) % 8192;
	in.top = TOP - (byte(&bytes) | byte(&bytes) << 8) % LOADER_PAGE;
	flags = byte(&bytes);
	memset(in.random, (int)flags, sizeof(in.random));
	all = in.argc + in.envc + 2;
	while (count < all)
		strings[count++] = string(&bytes);
	read_pairs(&bytes, auxv);
	in.argv = (const char *const *)strings;
	in.envp = in.argv + in.argc;
	in.execfn = strings[all - 1];
	in.platform = flags & 1 ? strings[all - 2] : NULL;
	lay_out(&in);
	while (count)
		free(strings[--count]);
	return 0;
}
