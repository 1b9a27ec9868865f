/*
 * sys - raw system calls of x86-64, for code without libc.
 *
 * Psabi section A.2.1: number in rax, arguments in rdi rsi rdx r10 r8 r9,
 * result in rax, -errno on failure; rcx and r11 are destroyed.
 * Async-signal-safe; inside the shim these instructions lie in the range that
 * Syscall User Dispatch allows.
 */
#ifndef LOADER_X86_64_SYS_H
#define LOADER_X86_64_SYS_H

#include <stdint.h>

static inline long sys_call6(long nr, long a, long b, long c, long d, long e,
                             long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
	                   "r"(r9)
	                 : "rcx", "r11", "memory");
	return result;
}

#define sys_call5(nr, a, b, c, d, e) sys_call6(nr, a, b, c, d, e, 0)
#define sys_call4(nr, a, b, c, d)    sys_call6(nr, a, b, c, d, 0, 0)
#define sys_call3(nr, a, b, c)       sys_call6(nr, a, b, c, 0, 0, 0)
#define sys_call2(nr, a, b)          sys_call6(nr, a, b, 0, 0, 0, 0)
#define sys_call1(nr, a)             sys_call6(nr, a, 0, 0, 0, 0, 0)
#define sys_call0(nr)                sys_call6(nr, 0, 0, 0, 0, 0, 0)

static inline int sys_failed(long result)
{
	return (unsigned long)result > -4096ul;
}

#endif
