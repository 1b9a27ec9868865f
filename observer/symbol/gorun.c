/* gorun - a function of Go's runtime, run over in our head. */
#include "observer/symbol/gorun.h"

#include <stdlib.h>

/* ---- sums --------------------------------------------------------------- */

static struct gorun_value sum_new(struct gorun *run,
                                  const struct gorun_sum *sum)
{
	if (run->sum_count == GORUN_SUMS)
		return (struct gorun_value){ 0 };
	run->sum[run->sum_count] = *sum;
	return (struct gorun_value){ GORUN_SUM, (uint64_t)run->sum_count++ };
}

static int sum_add(struct gorun_sum *sum, uint64_t address, int weight)
{
	for (int i = 0; i < sum->count; i++) {
		if (sum->term[i].address != address)
			continue;
		sum->term[i].weight += weight;
		if (!sum->term[i].weight)
			sum->term[i] = sum->term[--sum->count];
		return abs(sum->term[i].weight) <= GORUN_WEIGHT;
	}
	if (sum->count == GORUN_TERMS)
		return 0;
	sum->term[sum->count++] = (struct gorun_term){ address, weight };
	return 1;
}

/* a + weight * b; a may be an address, and b how far from there */
static struct gorun_value combine(struct gorun *run, struct gorun_value a,
                                  struct gorun_value b, int weight)
{
	if (a.holds >= GORUN_ADDRESS && b.holds == GORUN_NUMBER) {
		a.number += (uint64_t)weight * b.number;
		return a;
	}
	if (a.holds != GORUN_SUM || b.holds != GORUN_SUM)
		return (struct gorun_value){ 0 };
	struct gorun_sum sum = run->sum[a.number];
	const struct gorun_sum *other = &run->sum[b.number];
	for (int i = 0; i < other->count; i++)
		if (!sum_add(&sum, other->term[i].address,
		             weight * other->term[i].weight))
			return (struct gorun_value){ 0 };
	return sum_new(run, &sum);
}

/* ---- memory ------------------------------------------------------------- */

static struct gorun_value *slot_at(struct gorun_frame *frame, uint64_t offset)
{
	/* room for a return address and arguments above */
	uint64_t slot = offset / 8 + GORUN_SLOTS - 8;

	slot %= UINT64_MAX / 8 + 1;
	return offset % 8 || slot >= GORUN_SLOTS ? NULL : &frame->slot[slot];
}

struct gorun_value gorun_load(struct gorun *run, uint64_t address)
{
	struct gorun_sum sum = { 1, { { address, 1 } } };

	for (int i = 0; i < run->written_count; i++)
		if (run->written[i].address == address)
			return run->written[i].value;
	return sum_new(run, &sum);
}

/* A field of heapStatsDelta: one word in each copy. */
static struct gorun_value load_delta(struct gorun *run, uint64_t address)
{
	struct gorun_sum sum = { 0 };

	for (int i = 0; i < GORUN_COPIES; i++)
		sum_add(&sum, address + (uint64_t)i * run->copy_size, 1);
	return sum_new(run, &sum);
}

static struct gorun_value load_from(struct gorun_frame *frame,
                                    struct gorun_value address)
{
	struct gorun *run = frame->run;
	uint64_t at = address.number;
	const struct gorun_value *slot;

	switch (address.holds) {
	case GORUN_ADDRESS:
		return gorun_load(run, at);
	case GORUN_RESULT:
		if (at % 8 || at >= GORUN_RESULTS)
			break;
		return run->result[at / 8];
	case GORUN_STACK:
		if (frame->delta_of && at - frame->delta < run->copy_size)
			return load_delta(run,
			                  frame->delta_of + at - frame->delta);
		slot = slot_at(frame, at);
		if (slot)
			return *slot;
		break;
	default:
		break;
	}
	return (struct gorun_value){ 0 };
}

static void store_data(struct gorun *run, uint64_t address,
                       struct gorun_value value)
{
	int i = 0;

	while (i < run->written_count && run->written[i].address != address)
		i++;
	if (i == GORUN_WRITTEN)
		return;
	if (i == run->written_count)
		run->written_count++;
	run->written[i].address = address;
	run->written[i].value = value;
}

static void store_to(struct gorun_frame *frame, struct gorun_value address,
                     struct gorun_value value)
{
	uint64_t at = address.number;
	struct gorun_value *slot;

	if (address.holds == GORUN_ADDRESS)
		store_data(frame->run, at, value);
	if (address.holds == GORUN_RESULT && at % 8 == 0 && at < GORUN_RESULTS)
		frame->run->result[at / 8] = value;
	if (address.holds == GORUN_STACK) {
		slot = slot_at(frame, at);
		if (slot)
			*slot = value;
	}
	if (address.holds == GORUN_COPY && at % 8 == 0 && at < 8 * 64)
		frame->run->counted |= 1ull << at / 8;
}

/* ---- instructions ------------------------------------------------------- */

static struct gorun_value in_register(const struct gorun_frame *frame,
                                      ZydisRegister name)
{
	int number = gocode_register(name);

	if (name == ZYDIS_REGISTER_RSP)
		return (struct gorun_value){ GORUN_STACK, frame->sp };
	return number < 0 ? (struct gorun_value){ 0 }
	                  : frame->registers[number];
}

/* The address that operand `i`, memory, means. */
static struct gorun_value address_of(struct gorun_frame *frame,
                                     const struct gocode *code, int i)
{
	const ZydisDecodedOperand *operand = &code->operand[i];
	struct gorun_value base = in_register(frame, operand->mem.base);

	if (operand->mem.base == ZYDIS_REGISTER_RIP)
		return (struct gorun_value){ GORUN_ADDRESS,
			                     gocode_address(code, i) };
	if (operand->mem.segment == ZYDIS_REGISTER_FS ||
	    base.holds < GORUN_ADDRESS)
		return (struct gorun_value){ 0 };
	base.number += (uint64_t)operand->mem.disp.value;
	return base;
}

static struct gorun_value value_of(struct gorun_frame *frame,
                                   const struct gocode *code, int i)
{
	const ZydisDecodedOperand *operand = &code->operand[i];

	if (operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return (struct gorun_value){ GORUN_NUMBER,
			                     operand->imm.value.u };
	if (operand->size != 64)
		return (struct gorun_value){ 0 };
	if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER)
		return in_register(frame, operand->reg.value);
	if (!gocode_is_memory(code, i))
		return (struct gorun_value){ 0 };
	return load_from(frame, address_of(frame, code, i));
}

/* An address, also of one of several (the index is not known), or a sum. */
static struct gorun_value lea(struct gorun_frame *frame,
                              const struct gocode *code)
{
	const ZydisDecodedOperand *from = &code->operand[1];
	struct gorun_value index = in_register(frame, from->mem.index);

	if (index.holds == GORUN_SUM && from->mem.scale == 1 &&
	    !from->mem.disp.value)
		return combine(frame->run, in_register(frame, from->mem.base),
		               index, 1);
	return address_of(frame, code, 1);
}

static struct gorun_value result(struct gorun_frame *frame,
                                 const struct gocode *code)
{
	struct gorun *run = frame->run;
	struct gorun_value left = value_of(frame, code, 0);

	switch (code->head.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		return value_of(frame, code, 1);
	case ZYDIS_MNEMONIC_LEA:
		return lea(frame, code);
	case ZYDIS_MNEMONIC_ADD:
		return combine(run, left, value_of(frame, code, 1), 1);
	case ZYDIS_MNEMONIC_SUB:
		return combine(run, left, value_of(frame, code, 1), -1);
	default:
		return (struct gorun_value){ 0 };
	}
}

static void run_instruction(struct gorun_frame *frame,
                            const struct gocode *code)
{
	struct gorun_value value = { 0 };

	if (code->head.operand_count >= 2)
		value = result(frame, code);
	for (int i = 0; i < code->head.operand_count; i++) {
		const ZydisDecodedOperand *to = &code->operand[i];
		if (!(to->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		if (gocode_is_memory(code, i))
			store_to(frame, address_of(frame, code, i),
			         i ? (struct gorun_value){ 0 } : value);
		if (to->type != ZYDIS_OPERAND_TYPE_REGISTER)
			continue;
		int number = gocode_register(to->reg.value);
		if (number >= 0)
			frame->registers[number] =
				i ? (struct gorun_value){ 0 } : value;
	}
}

/* push, pop, and rsp plus or minus a number */
static void move_stack(struct gorun_frame *frame, const struct gocode *code)
{
	const ZydisDecodedOperand *by = &code->operand[1];

	if (code->head.mnemonic == ZYDIS_MNEMONIC_PUSH)
		frame->sp -= 8;
	if (code->head.mnemonic == ZYDIS_MNEMONIC_POP)
		frame->sp += 8;
	if (!gocode_is_register(code, 0, ZYDIS_REGISTER_RSP) ||
	    by->type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return;
	if (code->head.mnemonic == ZYDIS_MNEMONIC_SUB)
		frame->sp -= by->imm.value.u;
	if (code->head.mnemonic == ZYDIS_MNEMONIC_ADD)
		frame->sp += by->imm.value.u;
}

/* ---- functions ---------------------------------------------------------- */

struct gorun_value gorun_argument(struct gorun_frame *frame, int i,
                                  enum gorun_holds holds)
{
	static const int registers[] = { GOCODE_RAX, GOCODE_RBX, GOCODE_RCX,
		                         GOCODE_RDI, GOCODE_RSI };
	struct gorun_value value = frame->registers[registers[i]];

	if (value.holds == holds)
		return value;
	value = load_from(frame,
	                  (struct gorun_value){ GORUN_STACK,
	                                        frame->sp + 8 * (uint64_t)i });
	return value.holds == holds ? value : (struct gorun_value){ 0 };
}

static void call(struct gorun_frame *frame, const struct gocode *code)
{
	struct gorun *run = frame->run;
	uint64_t range[2];

	run->returned = (struct gorun_value){ 0 };
	if (gocode_callee(code, range))
		run->called(frame, range);
	memset(frame->registers, 0, sizeof(frame->registers));
	frame->registers[GOCODE_RAX] = run->returned;
}

void gorun_function(struct gorun *run, const uint64_t range[2])
{
	struct gorun_frame *frame = calloc(1, sizeof(*frame));
	struct gorun_value result = { GORUN_RESULT, 0 };
	struct gocode code;

	if (!frame)
		return;
	frame->run = run;
	frame->registers[GOCODE_RAX] = result;
	store_to(frame, (struct gorun_value){ GORUN_STACK, 8 }, result);
	gocode_open(&code, run->file, range);
	while (gocode_next(&code) && code.head.mnemonic != ZYDIS_MNEMONIC_RET) {
		if (code.head.mnemonic == ZYDIS_MNEMONIC_CALL) {
			call(frame, &code);
			continue;
		}
		run_instruction(frame, &code);
		move_stack(frame, &code);
	}
	free(frame);
}
