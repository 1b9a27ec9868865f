/* test_golayout - where Go's runtime keeps g and m: by hand-made code, by the
 * samples' DWARF, and by the memory of a sample that runs. */
#include "observer/symbol/golayout.h"
#include "tests/go_samples.h"
#include "tests/native.h"
#include "tests/symbol_image.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <sys/user.h>

/* ---- by hand ------------------------------------------------------------ */

/* Three functions as Go 1.16 has them, with g found by way of the GOT. */
__asm__(".pushsection .rodata\n"
        ".balign 256\n"
        "made_text:\n" /* systemstack */
        "mov 8(%rsp), %rdi\n"
        "made_load:\n"
        "mov made_text + 0x3000(%rip), %rcx\n"
        "mov %fs:(%rcx), %rax\n"
        "mov 0x30(%rax), %rbx\n"
        "made_gsignal:\n"
        "cmp 0x50(%rbx), %rax\n"
        "je 1f\n"
        "mov 0x10(%rbx), %rdx\n"
        "cmp %rdx, %rax\n"
        "je 1f\n"
        "cmp 0xc0(%rbx), %rax\n"
        "lea made_text + 0x100(%rip), %rsi\n"
        "mov %rsi, 0x40(%rax)\n"
        "mov %rsp, 0x38(%rax)\n"
        "mov %rax, 0x48(%rax)\n"
        "made_bp:\n"
        "mov %rbp, 0x68(%rax)\n"
        "mov %rdx, %fs:(%rcx)\n"
        "mov 0x38(%rdx), %rbx\n"
        "sub $8, %rbx\n"
        "mov %rbx, %rsp\n"
        "mov (%rdi), %rdi\n"
        "call *%rdi\n"
        "mov made_text + 0x3000(%rip), %rcx\n"
        "mov %fs:(%rcx), %rax\n"
        "mov 0x30(%rax), %rbx\n"
        "made_curg:\n"
        "mov 0xc0(%rbx), %rax\n"
        "mov 0x38(%rax), %rsp\n"
        "1: ret\n"
        ".balign 256\n" /* systemstack_switch */
        "ret\n"
        ".balign 256\n" /* clone */
        "mov $56, %eax\n"
        "syscall\n"
        "mov %rax, 0x77(%r13)\n"
        "mov $186, %eax\n"
        "syscall\n"
        "mov %rax, 0x48(%r13)\n"
        ".balign 256\n"
        ".popsection\n");
extern const uint8_t made_text[], made_load[], made_gsignal[], made_bp[],
	made_curg[];

static void make_runtime(struct image *image, uint16_t type)
{
	static const char names[] = "\0runtime.systemstack"
				    "\0runtime.systemstack_switch"
				    "\0runtime.clone";

	make_go(image, MAGIC_120, BASE + TEXT);
	((Elf64_Ehdr *)image->at)->e_type = type;
	put(image, TABLE + NAMES, names, sizeof(names));
	put_function(image, MAGIC_120, 1, 21);
	put_function(image, MAGIC_120, 2, 48);
	put(image, TEXT, made_text, 0x300);
}

/* The slot of the GOT is for ld.so to fill in; 24 bytes aligned to 16. */
static void make_relocation(struct image *image, int interp)
{
	Elf64_Rela rela = {
		.r_offset = BASE + BLOB,
		.r_info = ELF64_R_INFO(0, R_X86_64_TPOFF64),
		.r_addend = 8,
	};

	put(image, RELA, &rela, sizeof(rela));
	put64(image, DYNAMIC, DT_RELA);
	put64(image, DYNAMIC + 8, BASE + RELA);
	put64(image, DYNAMIC + 16, DT_RELASZ);
	put64(image, DYNAMIC + 24, sizeof(rela));
	add_segment(image, PT_DYNAMIC, PF_R | PF_W, DYNAMIC, 48);
	add_segment(image, PT_TLS, PF_R, BLOB + 0x100, 24);
	put64(image, 64 + 56 * 3 + 48, 16); /* its p_align */
	put(image, BLOB + 0x200, "/lib/ld.so", 11);
	if (interp)
		add_segment(image, PT_INTERP, PF_R, BLOB + 0x200, 11);
}

/* The same by the name of a symbol, at 8 in the block. */
static void make_named_relocation(struct image *image, uint32_t index,
                                  uint16_t section)
{
	const Elf64_Sym symbol = {
		.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_TLS),
		.st_shndx = section,
		.st_value = 8,
	};
	const Elf64_Sym symbols[3] = { [1] = symbol, [2] = symbol };

	make_runtime(image, ET_DYN);
	make_relocation(image, 1);
	put64(image, RELA + 8, ELF64_R_INFO(index, R_X86_64_TPOFF64));
	put64(image, RELA + 16, 0);
	put(image, BLOB + 0x300, symbols, sizeof(symbols));
	/* the last one is not in it */
	add_section(image, ".dynsym", SHT_DYNSYM, SHF_ALLOC, BLOB + 0x300,
	            2 * sizeof(symbol));
}

static struct golayout read_image(const struct image *image)
{
	struct golayout layout;
	struct symbol_file *file = open_image(image);

	cr_expect(eq(int, golayout_read(file, &layout), layout.valid));
	symbol_close(file);
	return layout;
}

Test(golayout, is_in_the_code_of_the_runtime)
{
	struct image image;

	make_runtime(&image, ET_EXEC);
	put64(&image, BLOB, (uint64_t)-24); /* the linker filled it in */
	struct golayout layout = read_image(&image);
	cr_assert(layout.valid);
	cr_expect(eq(i64, layout.g_tls, -24));
	cr_expect(eq(u32, layout.g_m, 0x30));
	cr_expect(eq(u32, layout.m_g0, 0x10));
	cr_expect(eq(u32, layout.m_gsignal, 0x50));
	cr_expect(eq(u32, layout.m_curg, 0xc0));
	cr_expect(eq(u32, layout.m_procid, 0x48));
	cr_expect(eq(u32, layout.sched_sp, 0x38));
	cr_expect(eq(u32, layout.sched_pc, 0x40));
	cr_expect(eq(u32, layout.sched_bp, 0x68));
	cr_expect(eq(u64, layout.systemstack[0], BASE + TEXT));
	cr_expect(eq(u64, layout.systemstack_switch[1], BASE + TEXT + 0x200));
	cr_expect(eq(u64, layout.mcall[0], 0));
	cr_expect(eq(int, layout.systemstack_has_frame, 0));
	cr_expect(eq(int, layout.morestack_clears_bp, 0));
}

Test(golayout, of_a_relocated_slot_is_known_in_a_program_not_in_a_library)
{
	struct image image;

	make_runtime(&image, ET_DYN);
	make_relocation(&image, 1);
	struct golayout layout = read_image(&image);
	cr_assert(layout.valid);
	cr_expect(eq(i64, layout.g_tls, 8 - 32));

	make_runtime(&image, ET_DYN);
	make_relocation(&image, 0);
	cr_expect(not(read_image(&image).valid));
}

Test(golayout, of_a_slot_relocated_by_name_is_known_if_the_name_is_its_own)
{
	struct image image;

	make_named_relocation(&image, 1, 1);
	struct golayout layout = read_image(&image);
	cr_assert(layout.valid);
	cr_expect(eq(i64, layout.g_tls, 8 - 32));

	make_named_relocation(&image, 1, SHN_UNDEF);
	cr_expect(not(read_image(&image).valid));
	make_named_relocation(&image, 2, 1);
	cr_expect(not(read_image(&image).valid));
}

static void expect_invalid(struct image *image, const char *why)
{
	struct golayout layout = read_image(image), nothing = { 0 };

	cr_expect(not(layout.valid), "%s", why);
	cr_expect(eq(int, memcmp(&layout, &nothing, sizeof(layout)), 0));
}

Test(golayout, is_nothing_when_the_code_is_not_as_expected)
{
	struct image image;
	const struct {
		const uint8_t *at;
		unsigned offset;
		uint8_t byte;
		const char *why;
	} cases[] = {
		{ made_curg, 3, 0xc8, "curg is in two places" },
		{ made_gsignal, 3, 0xff, "gsignal is below m" },
		{ made_bp, 0, 0x06, "no instruction" },
		{ made_bp, 2, 0x50, "bp is not kept" },
		{ made_text, 0x213, 0x90, "procid is not kept" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		make_runtime(&image, ET_EXEC);
		put64(&image, BLOB, (uint64_t)-8);
		image.at[TEXT + (cases[i].at - made_text) + cases[i].offset] =
			cases[i].byte;
		expect_invalid(&image, cases[i].why);
	}
	make_runtime(&image, ET_EXEC);
	((Elf64_Ehdr *)image.at)->e_machine = EM_AARCH64;
	expect_invalid(&image, "another machine");
	make_runtime(&image, ET_EXEC);
	put64(&image, BLOB, (uint64_t)-8);
	put(&image, TABLE + FILES, "<autogenerated>", 16);
	expect_invalid(&image, "wrappers for another calling convention");
	make_elf(&image, ET_EXEC);
	expect_invalid(&image, "no Go");
}

/* ---- by the samples ----------------------------------------------------- */

static struct golayout layout_of(const char *path)
{
	struct mapped mapped = map_sample(path);
	struct golayout layout;

	cr_expect(golayout_read(mapped.file, &layout), "%s", path);
	unmap_sample(&mapped);
	return layout;
}

/* The offset of member `name` ("sched.sp") of type `type`, or -1. */
static int64_t member(Dwarf_Die *type, const char *name)
{
	size_t length = strcspn(name, ".");
	Dwarf_Attribute attribute;
	Dwarf_Word offset;
	Dwarf_Die die, of;

	for (int no = dwarf_child(type, &die); !no;
	     no = dwarf_siblingof(&die, &die)) {
		const char *own = dwarf_diename(&die);
		if (!own || strncmp(own, name, length) || own[length] ||
		    !dwarf_attr(&die, DW_AT_data_member_location, &attribute) ||
		    dwarf_formudata(&attribute, &offset))
			continue;
		if (!name[length])
			return (int64_t)offset;
		if (!dwarf_attr(&die, DW_AT_type, &attribute) ||
		    !dwarf_formref_die(&attribute, &of) ||
		    dwarf_peel_type(&of, &of))
			return -1;
		return (int64_t)offset + member(&of, name + length + 1);
	}
	return -1;
}

/* The structure of that name, in any unit. */
static int find_type(Dwarf *dwarf, const char *name, Dwarf_Die *type)
{
	Dwarf_Off next, offset = 0;
	size_t size;
	Dwarf_Die unit;

	for (; !dwarf_nextcu(dwarf, offset, &next, &size, NULL, NULL, NULL);
	     offset = next) {
		if (!dwarf_offdie(dwarf, offset + size, &unit) ||
		    dwarf_child(&unit, type))
			continue;
		do {
			const char *own = dwarf_diename(type);
			if (dwarf_tag(type) == DW_TAG_structure_type && own &&
			    !strcmp(own, name))
				return 1;
		} while (!dwarf_siblingof(type, type));
	}
	return 0;
}

static void expect_dwarf(const char *path, const struct golayout *layout)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Dwarf *dwarf = dwarf_begin(fd, DWARF_C_READ);
	Dwarf_Die g, m;

	cr_assert(ne(ptr, dwarf, NULL), "%s", path);
	cr_assert(find_type(dwarf, "runtime.g", &g), "%s", path);
	cr_assert(find_type(dwarf, "runtime.m", &m), "%s", path);
	const struct {
		Dwarf_Die *type;
		const char *name;
		uint32_t found;
	} members[] = {
		{ &g, "m", layout->g_m },
		{ &g, "sched.sp", layout->sched_sp },
		{ &g, "sched.pc", layout->sched_pc },
		{ &g, "sched.bp", layout->sched_bp },
		{ &m, "g0", layout->m_g0 },
		{ &m, "gsignal", layout->m_gsignal },
		{ &m, "curg", layout->m_curg },
		{ &m, "procid", layout->m_procid },
	};
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		cr_expect(eq(i64, member(members[i].type, members[i].name),
		             members[i].found),
		          "%s: %s", path, members[i].name);
	dwarf_end(dwarf);
	close(fd);
}

Test(samples, have_what_their_dwarf_says, .timeout = 300)
{
	glob_t paths = go_samples();

	for (size_t i = 0; i < paths.gl_pathc; i++) {
		const char *path = paths.gl_pathv[i];
		struct golayout layout = layout_of(path);
		if (!strstr(path, "/memstats.stripped"))
			expect_dwarf(path, &layout);
	}
	globfree(&paths);
}

/* systemstack pushes rbp since 1.21, morestack clears it since 1.25. */
Test(samples, have_the_frames_of_their_version, .timeout = 300)
{
	glob_t paths = go_samples();

	for (size_t i = 0; i < paths.gl_pathc; i++) {
		struct golayout layout = layout_of(paths.gl_pathv[i]);
		const uint64_t *functions[] = {
			layout.systemstack, layout.systemstack_switch,
			layout.asmcgocall,  layout.mcall,
			layout.morestack,   layout.goexit,
			layout.mstart,      layout.rt0_go,
		};
		int minor = atoi(strstr(paths.gl_pathv[i], "/go1.") + 5);
		cr_expect(eq(int, layout.systemstack_has_frame, minor >= 21));
		cr_expect(eq(int, layout.morestack_clears_bp, minor >= 25));
		for (size_t f = 0; f < 8; f++)
			cr_expect(lt(u64, functions[f][0], functions[f][1]),
			          "function %zu", f);
	}
	globfree(&paths);
}

/* ---- by a process ------------------------------------------------------- */

static uint64_t word(pid_t tid, uint64_t address)
{
	errno = 0;
	return (uint64_t)ptrace(PTRACE_PEEKDATA, tid, (void *)address, 0);
}

/* g, m and the thread point at each other. Returns whether it runs Go. */
static int expect_thread(const char *path, pid_t tid,
                         const struct golayout *layout)
{
	struct user_regs_struct registers;

	cr_assert(eq(int, ptrace(PTRACE_GETREGS, tid, 0, &registers), 0));
	uint64_t g = word(tid, registers.fs_base + (uint64_t)layout->g_tls);
	uint64_t m = word(tid, g + layout->g_m);
	cr_expect(eq(int, errno, 0), "%s: no g", path);
	uint64_t g0 = word(tid, m + layout->m_g0);
	uint64_t gsignal = word(tid, m + layout->m_gsignal);
	uint64_t curg = word(tid, m + layout->m_curg);
	cr_expect(eq(u64, word(tid, m + layout->m_procid), (uint64_t)tid),
	          "%s: procid", path);
	cr_expect(eq(u64, word(tid, g0 + layout->g_m), m), "%s: g0", path);
	cr_expect(eq(u64, word(tid, gsignal + layout->g_m), m), "%s: gsignal",
	          path);
	cr_expect(g == g0 || g == curg, "%s: g is another", path);
	return curg && g == curg && word(tid, curg + layout->g_m) == m;
}

/* Runs it until it has said what it has to say, and then waits. */
static pid_t start(const char *path, int *in, int *out)
{
	int to[2], from[2];
	char text[4096], *argv[] = { (char *)path, NULL };
	size_t size = 0;

	cr_assert(eq(int, pipe2(to, O_CLOEXEC) | pipe2(from, O_CLOEXEC), 0));
	pid_t pid = fork();
	if (!pid) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		execv(path, argv);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	*in = to[1];
	*out = from[0];
	while (size < 4 || memcmp(text + size - 4, "end\n", 4)) {
		ssize_t got = read(*out, text + size, sizeof(text) - size);
		cr_assert(lt(long, 0, got), "%s ended", path);
		size += (size_t)got;
	}
	return pid;
}

static int expect_process(const char *path, const struct golayout *layout)
{
	char name[64];
	glob_t tasks;
	int in, out, status, running = 0;
	pid_t pid = start(path, &in, &out);

	snprintf(name, sizeof(name), "/proc/%d/task/*", (int)pid);
	cr_assert(eq(int, glob(name, 0, NULL, &tasks), 0));
	for (size_t i = 0; i < tasks.gl_pathc; i++) {
		pid_t tid = atoi(strrchr(tasks.gl_pathv[i], '/') + 1);
		if (ptrace(PTRACE_SEIZE, tid, 0, 0)) {
			running = -1;
			break;
		}
		ptrace(PTRACE_INTERRUPT, tid, 0, 0);
		cr_assert(eq(int, waitpid(tid, &status, __WALL), tid));
		running += expect_thread(path, tid, layout);
	}
	globfree(&tasks);
	kill(pid, SIGKILL);
	/* the threads are this tracer's to wait for, before the process */
	while (waitpid(-1, &status, __WALL) > 0)
		;
	close(in);
	close(out);
	return running;
}

Test(samples, have_it_there_when_they_run, .timeout = 300)
{
	glob_t paths = go_samples();

	for (size_t i = 0; i < paths.gl_pathc; i++) {
		struct golayout layout = layout_of(paths.gl_pathv[i]);
		int running = expect_process(paths.gl_pathv[i], &layout);
		if (running < 0)
			cr_skip_test("nothing may be traced here");
		cr_expect(eq(int, running, 1), "%s", paths.gl_pathv[i]);
	}
	globfree(&paths);
}
