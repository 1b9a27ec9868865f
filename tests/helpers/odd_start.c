/*
 * odd_start: prints what it finds at its first instruction, without libc: the
 * registers, then each word of the stack from the stack pointer to its end.
 * What differs from run to run is named instead: the address of the vDSO, and
 * the 16 random bytes.
 *
 * Built with -nostdlib -static; meant to be run without randomised addresses.
 */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#define REGISTERS 20
#define ROOM      65536

struct start {
	uint64_t reg[REGISTERS];
};

/* Where the kernel stops the stack: behind the name of the file. */
#define TAIL 8

static char text[ROOM];
static size_t used;

static long call(long nr, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(nr), "D"(a), "S"(b), "d"(c)
	                 : "rcx", "r11", "memory");
	return result;
}

static void flush(void)
{
	call(SYS_write, 1, (long)text, (long)used);
	used = 0;
}

static void put(char c)
{
	if (used == ROOM)
		flush();
	text[used++] = c;
}

static void put_string(const char *s)
{
	while (*s)
		put(*s++);
}

static void put_hex(uint64_t value)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		put("0123456789abcdef"[value >> shift & 15]);
}

static void line(const char *name, uint64_t value)
{
	put_string(name);
	put(' ');
	put_hex(value);
	put('\n');
}

static void word(uint64_t address, uint64_t value, const char *instead)
{
	put_hex(address);
	put(' ');
	if (instead)
		put_string(instead);
	else
		put_hex(value);
	put('\n');
}

static const uint64_t *auxv_of(const uint64_t *sp)
{
	const uint64_t *at = sp + 1 + sp[0] + 1;

	while (*at++)
		;
	return at;
}

static uint64_t aux(const uint64_t *auxv, uint64_t type)
{
	for (; auxv[0] != AT_NULL; auxv += 2)
		if (auxv[0] == type)
			return auxv[1];
	return 0;
}

static uint64_t end_of(const char *s)
{
	while (*s++)
		;
	return (uint64_t)s;
}

static const char *instead_of(const uint64_t *auxv, const uint64_t *at)
{
	uint64_t random = aux(auxv, AT_RANDOM);

	if (at > auxv && at[-1] == AT_SYSINFO_EHDR &&
	    *at == aux(auxv, AT_SYSINFO_EHDR))
		return "the vDSO";
	/* words that hold a random byte */
	if ((uint64_t)at + 8 > random && (uint64_t)at < random + 16)
		return "random";
	return NULL;
}

void print(const struct start *start, const uint64_t *sp)
{
	static const char name[REGISTERS][8] = {
		"rax", "rbx",   "rcx", "rdx", "rsi",   "rdi", "rbp",
		"r8",  "r9",    "r10", "r11", "r12",   "r13", "r14",
		"r15", "flags", "cs",  "ds",  "mxcsr", "fcw",
	};
	const uint64_t *auxv = auxv_of(sp);
	uint64_t end = end_of((const char *)aux(auxv, AT_EXECFN)) + TAIL;
	uint64_t base = 0;

	for (int i = 0; i < REGISTERS; i++)
		line(name[i], start->reg[i]);
	call(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, (long)&base, 0);
	line("fs", base);
	line("sp", (uint64_t)sp);
	line("end", end);
	line("below", sp[-1]);
	for (const uint64_t *at = sp; (uint64_t)at < end; at++)
		word((uint64_t)at, *at, instead_of(auxv, at));
	flush();
	call(SYS_exit_group, 0, 0, 0);
}

__asm__(".globl _start\n"
        "_start:\n"
        "	mov %rax, start_registers(%rip)\n"
        "	lea start_registers(%rip), %rax\n"
        "	mov %rbx, 8(%rax)\n"
        "	mov %rcx, 16(%rax)\n"
        "	mov %rdx, 24(%rax)\n"
        "	mov %rsi, 32(%rax)\n"
        "	mov %rdi, 40(%rax)\n"
        "	mov %rbp, 48(%rax)\n"
        "	mov %r8, 56(%rax)\n"
        "	mov %r9, 64(%rax)\n"
        "	mov %r10, 72(%rax)\n"
        "	mov %r11, 80(%rax)\n"
        "	mov %r12, 88(%rax)\n"
        "	mov %r13, 96(%rax)\n"
        "	mov %r14, 104(%rax)\n"
        "	mov %r15, 112(%rax)\n"
        "	mov %rsp, %rsi\n"
        "	mov -8(%rsp), %rbx\n" /* pushed over */
        "	pushfq\n"
        "	pop 120(%rax)\n"
        "	mov %rbx, -8(%rsp)\n"
        "	mov %cs, 128(%rax)\n"
        "	mov %ds, 136(%rax)\n"
        "	stmxcsr 144(%rax)\n"
        "	fnstcw 152(%rax)\n"
        "	mov %rax, %rdi\n"
        "	lea own_stack_end(%rip), %rsp\n"
        "	call print\n"
        "	.bss\n"
        "	.p2align 4\n"
        "start_registers:\n"
        "	.skip 160\n"
        "	.skip 16384\n"
        "	.p2align 4\n"
        "own_stack_end:\n"
        "	.text\n");
