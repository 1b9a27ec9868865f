/*
 * unwind_cfi - a frame by .eh_frame, with libunwind.
 *
 * Each step is an unwinding of its own, from the state that the last one left:
 * between the steps other ways may have been taken.  libunwind is shown the
 * copied stack and the module's file; what it would guess where there is no
 * entry it must not: a missing entry is an error.
 */
#include "observer/symbol/unwind_internal.h"

#include <libunwind.h>
#include <stdlib.h>

/* In the library, but not in its header. */
int unw_search(unw_addr_space_t space, unw_word_t ip, unw_dyn_info_t *table,
               unw_proc_info_t *info, int need,
               void *context) __asm__("_Ux86_64_dwarf_search_unwind_table");

/* Where a table of our own is shown: no program's address. */
#define TABLE_ADDRESS 0x8000000000000000u
/* A step reads some dozens of words; a hostile file must not take longer. */
#define READS_MAX 100000u

struct cfi {
	unw_addr_space_t space;
};

static const int numbers[SAVED] = {
	[SAVED_BX] = UNW_X86_64_RBX,  [SAVED_BP] = UNW_X86_64_RBP,
	[SAVED_R12] = UNW_X86_64_R12, [SAVED_R13] = UNW_X86_64_R13,
	[SAVED_R14] = UNW_X86_64_R14, [SAVED_R15] = UNW_X86_64_R15,
};

static int saved_of(int number)
{
	for (int i = 0; i < SAVED; i++)
		if (numbers[i] == number)
			return i;
	return SAVED;
}

/*
 * What libunwind trusts in a CIE: the column of the return address.
 * length 4, id 4, version 1, augmentation, two factors, column.
 */
static int column_is_usual(const struct module *module, uint64_t fde)
{
	struct span span = module_bytes(module, fde);

	if (span.size < 8 || load32(span.at) == UINT32_MAX)
		return 0;
	span = module_bytes(module, fde + 4 - load32(span.at + 4));
	if (span.size < 10 || load32(span.at) == UINT32_MAX ||
	    (span.at[8] != 1 && span.at[8] != 3))
		return 0;
	span = span_from(span, 9);
	const char *letters = span_string(span_cut(span, 0, 8), 0);
	if (!letters)
		return 0;
	span = span_from(span, strlen(letters) + 1);
	for (int factors = 0; factors < 2; span = span_from(span, 1)) {
		if (!span.size)
			return 0;
		factors += !(*span.at & 0x80);
	}
	return span.size && *span.at == 16;
}

/* The table's entry for `pc`, and so whether there is one. */
static int find_entry(struct module *module, uint64_t pc,
                      struct fde_entry *entry)
{
	const uint8_t *table = (const uint8_t *)module->frames;
	int64_t wanted = (int64_t)(pc - module->frames_base);
	size_t low = 0, high = module->frames_count;

	if (!table && high)
		table = module_bytes(module, module->frames_address).at;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if ((int32_t)load32(table + 8 * middle) <= wanted)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return 0;
	memcpy(entry, table + 8 * (low - 1), sizeof(*entry));
	return 1;
}

static int find_proc_info(unw_addr_space_t space, unw_word_t ip,
                          unw_proc_info_t *info, int need, void *context)
{
	struct walk *walk = context;
	struct module *module = walk->module;
	struct fde_entry entry;

	if (!find_entry(module, ip, &entry) ||
	    !column_is_usual(module, module->frames_base +
	                                     (uint64_t)(int64_t)entry.fde))
		return -UNW_EBADFRAME;
	unw_dyn_info_t table = {
		.start_ip = 0,
		.end_ip = UINT64_MAX,
		.format = UNW_INFO_FORMAT_REMOTE_TABLE,
		.u.rti = {
			.segbase = module->frames_base,
			.table_len = module->frames_count,
			.table_data = module->frames ? TABLE_ADDRESS
			                             : module->frames_address,
		},
	};
	return unw_search(space, ip, &table, info, need, context)
	               ? -UNW_EBADFRAME
	               : 0;
}

static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info,
                            void *context)
{
	(void)space;
	(void)info;
	(void)context;
}

static int get_list(unw_addr_space_t space, unw_word_t *list, void *context)
{
	(void)space;
	(void)list;
	(void)context;
	return -UNW_ENOINFO;
}

/* The word at `address`, what lies outside of `span` read as zero. */
static int span_word(struct span span, uint64_t address, uint64_t *value)
{
	uint8_t word[8] = { 0 };
	int any = 0;

	for (unsigned i = 0; i < 8; i++)
		if (address + i - span.address < span.size) {
			word[i] = span.at[address + i - span.address];
			any = 1;
		}
	*value = load64(word);
	return any;
}

static int read_file(const struct module *module, uint64_t address,
                     uint64_t *value)
{
	struct span table = {
		.at = (const uint8_t *)module->frames,
		.size = module->frames_count * sizeof(*module->frames),
		.address = TABLE_ADDRESS,
	};

	if (address >= TABLE_ADDRESS)
		return module->frames && span_word(table, address, value);
	struct span span = module_bytes(module, address);
	if (span.size >= 8) {
		*value = load64(span.at);
		return 1;
	}
	if (!span.size) /* the segment's first bytes */
		span = module_bytes(module, address + 7);
	return span_word(span, address, value);
}

static int access_mem(unw_addr_space_t space, unw_word_t address,
                      unw_word_t *value, int write, void *context)
{
	struct walk *walk = context;

	(void)space;
	if (write || !walk->reads)
		return -UNW_EINVAL;
	walk->reads--;
	if (walk_word(walk, address, value) ||
	    read_file(walk->module, address, value))
		return 0;
	return -UNW_EINVAL;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t number,
                      unw_word_t *value, int write, void *context)
{
	struct walk *walk = context;
	int saved = saved_of(number);

	(void)space;
	if (write)
		return -UNW_EREADONLYREG;
	if (number == UNW_X86_64_RIP)
		*value = state_pc(&walk->state);
	else if (number == UNW_X86_64_RSP)
		*value = walk->state.sp;
	else if (saved == SAVED ||
	         !walk_register(walk, walk->state.reg[saved], value))
		return -UNW_EBADREG;
	return 0;
}

static int access_fpreg(unw_addr_space_t space, unw_regnum_t number,
                        unw_fpreg_t *value, int write, void *context)
{
	(void)space;
	(void)number;
	(void)value;
	(void)write;
	(void)context;
	return -UNW_EBADREG;
}

static int resume(unw_addr_space_t space, unw_cursor_t *cursor, void *context)
{
	(void)space;
	(void)cursor;
	(void)context;
	return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t space, unw_word_t address, char *name,
                         size_t size, unw_word_t *offset, void *context)
{
	(void)space;
	(void)address;
	(void)name;
	(void)size;
	(void)offset;
	(void)context;
	return -UNW_ENOINFO;
}

struct cfi *cfi_new(void)
{
	static unw_accessors_t accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = put_unwind_info,
		.get_dyn_info_list_addr = get_list,
		.access_mem = access_mem,
		.access_reg = access_reg,
		.access_fpreg = access_fpreg,
		.resume = resume,
		.get_proc_name = get_proc_name,
	};
	struct cfi *cfi = calloc(1, sizeof(*cfi));

	if (!cfi)
		return NULL;
	cfi->space = unw_create_addr_space(&accessors, 0);
	if (!cfi->space) {
		free(cfi);
		return NULL;
	}
	unw_set_caching_policy(cfi->space, UNW_CACHE_GLOBAL);
	return cfi;
}

void cfi_free(struct cfi *cfi)
{
	if (!cfi)
		return;
	unw_destroy_addr_space(cfi->space);
	free(cfi);
}

void cfi_forget(struct cfi *cfi)
{
	unw_flush_cache(cfi->space, 0, 0);
}

/* Where the caller's register is, from where libunwind says it was saved. */
static struct place caller_place(unw_cursor_t *cursor, const struct state *old,
                                 int number)
{
	static const struct place unknown = { .kind = PLACE_UNKNOWN };
	unw_save_loc_t save;

	if (unw_get_save_loc(cursor, number, &save))
		return unknown;
	if (save.type == UNW_SLT_MEMORY)
		return (struct place){ PLACE_STACK, save.u.addr };
	int saved = save.type == UNW_SLT_REG ? saved_of(save.u.regnum) : SAVED;
	return saved == SAVED ? unknown : old->reg[saved];
}

int cfi_step(struct walk *walk)
{
	unw_cursor_t cursor;
	struct state next = { 0 };

	module_read_frames(walk->module);
	walk->reads = READS_MAX;
	if (!walk->module->frames_count ||
	    unw_init_remote(&cursor, walk->unwind->cfi->space, walk))
		return 0;
	int result = unw_step(&cursor);
	if (result < 0)
		return 0;
	if (result == 0) {
		walk->outermost = 1;
		return 1;
	}
	unw_get_reg(&cursor, UNW_REG_IP, &next.ip);
	unw_get_reg(&cursor, UNW_REG_SP, &next.sp);
	for (int i = 0; i < SAVED; i++)
		next.reg[i] = caller_place(&cursor, &walk->state, numbers[i]);
	walk->state = next;
	return 1;
}
