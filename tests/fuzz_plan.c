/*
 * fuzz_plan - any bytes as a program, and as an interpreter: what loader_plan
 * takes, loader_map can map without looking again.
 *
 *   clang -fsanitize=fuzzer,address,undefined -I. tests/fuzz_plan.c
 *           loader/plan.c loader/strerror.c
 *
 * `odd write` (tests/odd) makes a corpus; tests/odd.sh runs it through this.
 */
#include "loader/loader.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int holds)
{
	if (!holds)
		abort();
}

/* A copy of the exact size: a read past it is seen. */
static uint8_t *copy(const uint8_t *bytes, size_t size)
{
	uint8_t *made = malloc(size ? size : 1);

	if (!made)
		exit(1);
	if (size)
		memcpy(made, bytes, size);
	return made;
}

static void check_segment(const struct loader_plan *plan,
                          const struct loader_segment *segment)
{
	uint64_t end = segment->vaddr + segment->memsz;

	demand(segment->index < plan->phnum && segment->prot <= 7);
	demand(segment->filesz <= segment->memsz && end >= segment->vaddr);
	demand(plan->low <= segment->vaddr && end <= plan->high);
	if (plan->role == LOADER_PROGRAM)
		demand(end <= LOADER_TASK_SIZE);
	if (segment->filesz == 0)
		return;
	demand((segment->offset ^ segment->vaddr) % LOADER_PAGE == 0);
	demand(segment->offset + segment->filesz <= INT64_MAX);
}

static void check_plan(const struct loader_plan *plan, uint64_t file_size)
{
	demand(plan->type == ET_EXEC || plan->type == ET_DYN);
	demand(plan->phnum >= 1 && plan->phnum <= LOADER_PHDRS_MAX);
	demand(plan->segment_count <= plan->phnum);
	demand(plan->low <= plan->high && plan->low % LOADER_PAGE == 0);
	demand(plan->align >= LOADER_PAGE &&
	       (plan->align & (plan->align - 1)) == 0);
	demand(plan->brk % LOADER_PAGE == 0);
	if (plan->interp_size != 0)
		demand(plan->role == LOADER_PROGRAM && plan->interp_size >= 2 &&
		       plan->interp_size <= LOADER_INTERP_MAX &&
		       plan->interp_size <= file_size &&
		       plan->interp_offset <= file_size - plan->interp_size);
	if (plan->role == LOADER_INTERP)
		demand(plan->low < plan->high && !plan->exec_stack);
	for (uint32_t i = 0; i < plan->segment_count; i++)
		check_segment(plan, &plan->segment[i]);
}

static void plan(const uint8_t *data, size_t size, uint64_t file_size,
                 enum loader_role role)
{
	size_t have = size < LOADER_HEADER ? size : LOADER_HEADER;
	uint8_t *header = copy(data, have), *phdrs;
	struct loader_plan *made;
	uint64_t phoff;
	size_t phdrs_size;
	enum loader_error error;

	error = loader_header(header, have, role, &phoff, &phdrs_size);
	demand(error < LOADER_KILLED);
	demand((error == LOADER_OK) == (loader_errno(error, role) == 0));
	if (error || phoff > size || phdrs_size > size - phoff) {
		free(header);
		return;
	}
	phdrs = copy(data + phoff, phdrs_size);
	/* no room more than there are headers */
	made = malloc(LOADER_PLAN_SIZE(phdrs_size / LOADER_PHDR));
	if (!made)
		exit(1);
	error = loader_plan(header, phdrs, file_size, role, made);
	demand(error < LOADER_MAP_FAILED);
	if (error == LOADER_OK)
		check_plan(made, file_size);
	else
		demand(made->bad_index < made->phnum);
	free(made);
	free(phdrs);
	free(header);
}

/* As it is, and as the beginning of a larger file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t larger[] = { 1ull << 20, INT64_MAX };

	for (int role = LOADER_PROGRAM; role <= LOADER_INTERP; role++) {
		plan(data, size, size, role);
		for (size_t i = 0; i < 2; i++)
			if (size <= larger[i])
				plan(data, size, larger[i], role);
	}
	return 0;
}
