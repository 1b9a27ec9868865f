/*
 * golayout - the runtime's own code tells where it keeps what.
 *
 * runtime.systemstack is run over in our head, with a note per register of
 * what it holds:
 *
 *     mov  %fs:T,%rax          g is at fs:T
 *     mov  A(%rax),%rbx        g.m
 *     cmp  B(%rbx),%rax        g == m.gsignal?
 *     mov  C(%rbx),%rdx        m.g0
 *     cmp  D(%rbx),%rax        g == m.curg?
 *     call gosave_systemstack_switch   (up to Go 1.16 what it does is here)
 *       lea  systemstack_switch,%r9
 *       mov  %r9,E(%r14)       g.sched.pc
 *       mov  %rbp,F(%r14)      g.sched.bp
 *     mov  G(%rdx),%rsp        g0.sched.sp
 *     call *%rdi
 *     ...                      and the way back reads most of it again
 *
 * What is said twice must be the same both times.
 */
#include "observer/symbol/golayout.h"

#include "observer/symbol/gocode.h"

enum { SYS_GETTID = 186 };

enum holds {
	HOLDS_NOTHING, /* that is known */
	HOLDS_NUMBER,
	HOLDS_G,
	HOLDS_M,
	HOLDS_G0,
	HOLDS_CURG,
	HOLDS_SP, /* g.sched.sp, loaded from offset `number` */
};

struct value {
	enum holds holds;
	uint64_t number;
};

/* What is known so far, and whether it contradicts itself. */
enum fact {
	FACT_TLS,
	FACT_G_M,
	FACT_GSIGNAL,
	FACT_G0,
	FACT_CURG,
	FACT_PC,
	FACT_SP,
	FACT_BP,
	FACT_PROCID,
	FACTS,
};

struct facts {
	const struct symbol_file *file;
	const struct golayout *layout;
	uint64_t value[FACTS];
	uint8_t known[FACTS];
	int contradiction;
};

static void learn(struct facts *facts, enum fact fact, uint64_t value)
{
	if (facts->known[fact] && facts->value[fact] != value)
		facts->contradiction = 1;
	facts->known[fact] = 1;
	facts->value[fact] = value;
}

static struct value in_register(const struct value *registers,
                                ZydisRegister name)
{
	int number = gocode_register(name);

	return number < 0 ? (struct value){ 0 } : registers[number];
}

/* The program's own thread-local block ends at fs. */
static struct value in_block(const struct symbol_file *file, uint64_t offset)
{
	Elf64_Phdr segment;

	for (uint32_t i = 0; elf_segment(file, i, &segment); i++) {
		if (segment.p_type != PT_TLS || !segment.p_align)
			continue;
		uint64_t size = segment.p_memsz;
		size += -(segment.p_vaddr + size) & (segment.p_align - 1);
		return (struct value){ HOLDS_NUMBER, offset - size };
	}
	return (struct value){ 0 };
}

/* A symbol of the program itself, at an offset in its block; 0: it is none. */
static int own_symbol(const struct symbol_file *file, uint64_t index,
                      uint64_t *offset)
{
	Elf64_Shdr section;
	Elf64_Sym symbol;

	for (uint32_t i = 0; elf_section(file, i, &section); i++) {
		if (section.sh_type != SHT_DYNSYM)
			continue;
		struct span span = elf_section_span(file, &section);
		if (index >= span.size / sizeof(symbol))
			return 0;
		memcpy(&symbol, span.at + index * sizeof(symbol),
		       sizeof(symbol));
		*offset = symbol.st_value;
		return symbol.st_shndx != SHN_UNDEF;
	}
	return 0;
}

/*
 * What a slot of the GOT holds: an offset from fs.  The linker wrote it, or
 * left a relocation for ld.so, in a program that exports its symbols by the
 * name of one.  Where a library's block is only ld.so knows.
 */
static struct value in_got(const struct symbol_file *file, uint64_t slot)
{
	struct value unknown = { 0 };

	for (uint64_t i = 0; file->rela.size - i >= sizeof(Elf64_Rela);
	     i += sizeof(Elf64_Rela)) {
		const uint8_t *rela = file->rela.at + i;
		if (load64(rela) != slot)
			continue;
		uint64_t type = load64(rela + 8), offset = 0;
		if (ELF64_R_TYPE(type) != R_X86_64_TPOFF64 ||
		    !file->info.interp ||
		    (ELF64_R_SYM(type) &&
		     !own_symbol(file, ELF64_R_SYM(type), &offset)))
			return unknown;
		return in_block(file, offset + load64(rela + 16));
	}
	struct span span = elf_at(file, slot);
	if (file->header.e_type != ET_EXEC || span.size < 8)
		return unknown;
	return (struct value){ HOLDS_NUMBER, load64(span.at) };
}

/* What loading the second operand gives, when the address is one we know. */
static struct value load(struct facts *facts, const struct value *registers,
                         const struct gocode *code)
{
	const ZydisDecodedOperand *from = &code->operand[1];
	struct value nothing = { 0 };

	if (!gocode_is_memory(code, 1) || from->size != 64)
		return nothing;
	if (from->mem.base == ZYDIS_REGISTER_RIP)
		return in_got(facts->file, gocode_address(code, 1));
	struct value base = in_register(registers, from->mem.base);
	uint64_t offset = (uint64_t)from->mem.disp.value;
	if (from->mem.segment == ZYDIS_REGISTER_FS) {
		if (from->mem.base != ZYDIS_REGISTER_NONE &&
		    base.holds != HOLDS_NUMBER)
			return nothing;
		learn(facts, FACT_TLS, base.number + offset);
		return (struct value){ HOLDS_G, 0 };
	}
	switch (base.holds) {
	case HOLDS_G:
		learn(facts, FACT_G_M, offset);
		return (struct value){ HOLDS_M, 0 };
	case HOLDS_M:
		/* on the way there it is g0, on the way back curg */
		if (!facts->known[FACT_SP]) {
			learn(facts, FACT_G0, offset);
			return (struct value){ HOLDS_G0, 0 };
		}
		learn(facts, FACT_CURG, offset);
		return (struct value){ HOLDS_CURG, 0 };
	case HOLDS_G0:
	case HOLDS_CURG:
		return (struct value){ HOLDS_SP, offset };
	default:
		return nothing;
	}
}

static void store(struct facts *facts, const struct value *registers,
                  const struct gocode *code)
{
	const ZydisDecodedOperand *to = &code->operand[0];
	const ZydisDecodedOperand *from = &code->operand[1];

	if (!gocode_is_memory(code, 0) ||
	    to->mem.segment == ZYDIS_REGISTER_FS ||
	    from->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    in_register(registers, to->mem.base).holds != HOLDS_G)
		return;
	uint64_t offset = (uint64_t)to->mem.disp.value;
	struct value value = in_register(registers, from->reg.value);
	const uint64_t *marker = facts->layout->systemstack_switch;
	if (from->reg.value == ZYDIS_REGISTER_RBP)
		learn(facts, FACT_BP, offset);
	else if (value.holds == HOLDS_NUMBER && value.number >= marker[0] &&
	         value.number < marker[1])
		learn(facts, FACT_PC, offset);
}

/* What the instruction leaves in its first operand. */
static struct value result(struct facts *facts, const struct value *registers,
                           const struct gocode *code)
{
	const ZydisDecodedOperand *from = &code->operand[1];
	struct value nothing = { 0 };

	switch (code->head.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		if (from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
			return (struct value){ HOLDS_NUMBER,
				               from->imm.value.u };
		if (from->type == ZYDIS_OPERAND_TYPE_REGISTER)
			return in_register(registers, from->reg.value);
		return load(facts, registers, code);
	case ZYDIS_MNEMONIC_LEA:
		if (from->mem.base != ZYDIS_REGISTER_RIP)
			return nothing;
		return (struct value){ HOLDS_NUMBER, gocode_address(code, 1) };
	case ZYDIS_MNEMONIC_SUB: /* Go 1.16 and before: a frame on g0 */
		return in_register(registers, code->operand[0].reg.value);
	default:
		return nothing;
	}
}

static void compare(struct facts *facts, const struct value *registers,
                    const struct gocode *code)
{
	const ZydisDecodedOperand *left = &code->operand[0];
	const ZydisDecodedOperand *right = &code->operand[1];

	if (left->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    !gocode_is_memory(code, 1) ||
	    in_register(registers, left->reg.value).holds != HOLDS_G ||
	    in_register(registers, right->mem.base).holds != HOLDS_M)
		return;
	learn(facts, facts->known[FACT_GSIGNAL] ? FACT_CURG : FACT_GSIGNAL,
	      (uint64_t)right->mem.disp.value);
}

static void run_instruction(struct facts *facts, struct value *registers,
                            const struct gocode *code)
{
	const ZydisDecodedOperand *to = &code->operand[0];
	struct value value = { 0 };

	if (code->head.mnemonic == ZYDIS_MNEMONIC_CMP)
		compare(facts, registers, code);
	if (code->head.mnemonic == ZYDIS_MNEMONIC_MOV)
		store(facts, registers, code);
	if (code->head.operand_count >= 2 &&
	    to->type == ZYDIS_OPERAND_TYPE_REGISTER)
		value = result(facts, registers, code);
	if (gocode_is_register(code, 0, ZYDIS_REGISTER_RSP) &&
	    value.holds == HOLDS_SP)
		learn(facts, FACT_SP, value.number);
	for (int i = 0; i < code->head.operand_count; i++) {
		const ZydisDecodedOperand *operand = &code->operand[i];
		if (operand->type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    !(operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		int number = gocode_register(operand->reg.value);
		if (number >= 0)
			registers[number] = i ? (struct value){ 0 } : value;
	}
}

/* With g in r14; what it loads is to check that g is as it should be. */
static void run_gosave(struct facts *facts, const uint64_t range[2])
{
	struct value registers[GOCODE_REGISTERS] = { 0 };
	struct gocode code;

	registers[GOCODE_R14] = (struct value){ HOLDS_G, 0 };
	gocode_open(&code, facts->file, range);
	while (gocode_next(&code) && code.head.mnemonic != ZYDIS_MNEMONIC_RET) {
		if (code.head.mnemonic == ZYDIS_MNEMONIC_LEA)
			run_instruction(facts, registers, &code);
		if (code.head.mnemonic == ZYDIS_MNEMONIC_MOV)
			store(facts, registers, &code);
	}
}

static void run_systemstack(struct facts *facts)
{
	struct value registers[GOCODE_REGISTERS] = { 0 };
	struct gocode code;
	uint64_t range[2];

	gocode_open(&code, facts->file, facts->layout->systemstack);
	while (gocode_next(&code) && code.head.mnemonic != ZYDIS_MNEMONIC_RET) {
		if (code.head.mnemonic != ZYDIS_MNEMONIC_CALL)
			run_instruction(facts, registers, &code);
		else if (!gocode_callee(&code, range)) /* fn itself */
			memset(registers, 0, sizeof(registers));
		else if (!facts->known[FACT_PC])
			run_gosave(facts, range);
	}
}

/* The new thread asks for its id and keeps it. */
static void run_clone(struct facts *facts, const uint64_t range[2])
{
	struct gocode code;
	int asks = 0, asked = 0;

	gocode_open(&code, facts->file, range);
	while (gocode_next(&code)) {
		int moves = code.head.mnemonic == ZYDIS_MNEMONIC_MOV;
		if (asked && moves && gocode_is_memory(&code, 0) &&
		    gocode_is_register(&code, 1, ZYDIS_REGISTER_RAX))
			learn(facts, FACT_PROCID,
			      (uint64_t)code.operand[0].mem.disp.value);
		asked = asks && code.head.mnemonic == ZYDIS_MNEMONIC_SYSCALL;
		asks = moves &&
		       gocode_is_register(&code, 0, ZYDIS_REGISTER_EAX) &&
		       code.operand[1].imm.value.u == SYS_GETTID;
	}
}

static int pushes_bp(const struct facts *facts, const uint64_t range[2])
{
	struct gocode code;

	gocode_open(&code, facts->file, range);
	return gocode_next(&code) &&
	       code.head.mnemonic == ZYDIS_MNEMONIC_PUSH &&
	       gocode_is_register(&code, 0, ZYDIS_REGISTER_RBP);
}

static int clears_bp(const struct facts *facts, const uint64_t range[2])
{
	struct gocode code;

	gocode_open(&code, facts->file, range);
	while (gocode_next(&code)) {
		const ZydisDecodedOperand *from = &code.operand[1];
		if (gocode_is_register(&code, 0, ZYDIS_REGISTER_RBP) &&
		    code.head.mnemonic == ZYDIS_MNEMONIC_MOV &&
		    from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
		    !from->imm.value.u)
			return 1;
	}
	return 0;
}

/* Offsets within g and m are small. */
static int facts_hold(const struct facts *facts)
{
	if (facts->contradiction)
		return 0;
	for (int i = 0; i < FACTS; i++)
		if (!facts->known[i] ||
		    (i != FACT_TLS && facts->value[i] > UINT16_MAX))
			return 0;
	return 1;
}

static void take(struct golayout *layout, const struct facts *facts)
{
	layout->g_tls = (int64_t)facts->value[FACT_TLS];
	layout->g_m = (uint32_t)facts->value[FACT_G_M];
	layout->m_g0 = (uint32_t)facts->value[FACT_G0];
	layout->m_gsignal = (uint32_t)facts->value[FACT_GSIGNAL];
	layout->m_curg = (uint32_t)facts->value[FACT_CURG];
	layout->m_procid = (uint32_t)facts->value[FACT_PROCID];
	layout->sched_sp = (uint32_t)facts->value[FACT_SP];
	layout->sched_pc = (uint32_t)facts->value[FACT_PC];
	layout->sched_bp = (uint32_t)facts->value[FACT_BP];
	layout->systemstack_has_frame = pushes_bp(facts, layout->systemstack);
	layout->morestack_clears_bp = clears_bp(facts, layout->morestack);
	layout->valid = 1;
}

int golayout_read(struct symbol_file *file, struct golayout *layout)
{
	struct facts facts = { .file = file, .layout = layout };
	uint64_t clone[2] = { 0 };
	const struct gocode_wanted wanted[] = {
		{ "runtime.systemstack", layout->systemstack },
		{ "runtime.systemstack_switch", layout->systemstack_switch },
		{ "runtime.asmcgocall", layout->asmcgocall },
		{ "runtime.cgocallback", layout->cgocallback },
		{ "runtime.mcall", layout->mcall },
		{ "runtime.morestack", layout->morestack },
		{ "runtime.goexit", layout->goexit },
		{ "runtime.mstart", layout->mstart },
		{ "runtime.rt0_go", layout->rt0_go },
		{ "runtime.clone", clone },
		{ 0 },
	};

	*layout = (struct golayout){ 0 };
	gocode_find(file, wanted);
	run_systemstack(&facts);
	run_clone(&facts, clone);
	if (facts_hold(&facts))
		take(layout, &facts);
	else
		*layout = (struct golayout){ 0 };
	return layout->valid;
}
