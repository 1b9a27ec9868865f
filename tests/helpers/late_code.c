/*
 * Code that arrives while the program runs, and calls madvise:
 *
 *	late_code dlopen LIBRARY  late_library.c, ten times each
 *	late_code written         in a page that was written, then made
 *executable late_code changing        in one that is written again and again
 *	late_code across          the two bytes of the call on two pages
 *	late_code shared          in a memory file, MAP_SHARED
 *	late_code private         and MAP_PRIVATE
 *	late_code over            over code of the program's file
 *	late_code copied          copied from the program's text
 *
 * It says how many calls it made, and ends with 0 when all went well.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096ul
#define MINE (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)
#define RX   (PROT_READ | PROT_EXEC)

typedef long (*call)(void *mem);

/* madvise(mem, 4096, 0), with the call at `CALL` */
static const uint8_t code[] = {
	0xbe, 0x00, 0x10, 0x00, 0x00, /* mov $4096,%esi */
	0x31, 0xd2,                   /* xor %edx,%edx */
	0xb8, 0x1c, 0x00, 0x00, 0x00, /* mov $28,%eax */
	0x0f, 0x05,                   /* syscall */
	0xc3,                         /* ret */
};
#define CALL 12

static char *mem;
static long made, wrong;

static void *checked(void *at)
{
	if (at == MAP_FAILED || !at) {
		perror("late_code");
		exit(2);
	}
	return at;
}

static void make(void *at, int times)
{
	for (int i = 0; i < times; i++, made++)
		wrong += ((call)(uintptr_t)at)(mem) != 0;
}

static void opened(const char *path)
{
	static const char *const names[] = { "site_itself", "site_across",
		                             "site_between" };
	void *library = checked(dlopen(path, RTLD_NOW));
	long (*target)(int) = (long (*)(int))(uintptr_t)checked(
		dlsym(library, "site_target"));
	call twice = (call)(uintptr_t)checked(dlsym(library, "site_twice"));

	for (int i = 0; i < 3; i++)
		make(checked(dlsym(library, names[i])), 10);
	for (int i = 0; i < 10; i++, made++) {
		wrong += twice(mem) != -ENOSYS;
		wrong += target(0) != getppid() || target(1) != getppid();
	}
	dlclose(library);
}

static void written(void)
{
	char *at = checked(mmap(NULL, PAGE, RW, MINE, -1, 0));

	memcpy(at, code, sizeof(code));
	wrong += mprotect(at, PAGE, RX) != 0;
	make(at, 100);
}

/* The call moves through the page; what was one is another instruction's. */
static void changing(void)
{
	char *at = checked(mmap(NULL, PAGE, RW | PROT_EXEC, MINE, -1, 0));

	for (int i = 0; i < 100; i++) {
		memset(at, 0x90, PAGE);
		memcpy(at + i, code, sizeof(code));
		make(at, 1);
	}
	for (int i = 0; i < 10; i++) {
		wrong += mprotect(at, PAGE, RW) != 0;
		memset(at, 0x90, PAGE);
		memcpy(at + 7 * i, code, sizeof(code));
		wrong += mprotect(at, PAGE, RX) != 0;
		make(at, 1);
	}
}

static void across(void)
{
	char *at = checked(mmap(NULL, 2 * PAGE, RW, MINE, -1, 0));
	char *start = at + PAGE - 1 - CALL;

	memcpy(start, code, sizeof(code));
	wrong += mprotect(at, PAGE, RX) || mprotect(at + PAGE, PAGE, RX);
	make(start, 100);
}

static void file(int flags)
{
	int fd = memfd_create("code", 0);

	if (write(fd, code, sizeof(code)) != sizeof(code))
		exit(2);
	make(checked(mmap(NULL, PAGE, RX, flags, fd, 0)), 100);
}

/* Two functions with a page of the text for themselves. */
__asm__(".text\n"
        "	.p2align 12,0xcc\n"
        ".type own_call,@function\nown_call:\n"
        "	mov $4096,%esi\n"
        "	xor %edx,%edx\n"
        "	mov $28,%eax\n"
        "	syscall\n"
        "	ret\n"
        ".size own_call,.-own_call\n"
        "	.p2align 12,0xcc\n");
long own_call(void *mem);

static void over(void)
{
	char *at = (char *)(uintptr_t)own_call;

	make(at, 10);
	for (int i = 0; i < 10; i++) {
		wrong += mprotect(at, PAGE, RW) != 0;
		memcpy(at, code, sizeof(code));
		if (i & 1) /* another call in its place */
			at[CALL - 4] = SYS_getpid;
		wrong += mprotect(at, PAGE, RX) != 0;
		if (i & 1)
			wrong += own_call(mem) != getpid();
		else
			make(at, 1);
	}
}

static void copied(void)
{
	char *at = checked(mmap(NULL, PAGE, RW, MINE, -1, 0));

	memcpy(at, (char *)(uintptr_t)own_call, sizeof(code));
	wrong += mprotect(at, PAGE, RX) != 0;
	make(at, 10);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	mem = checked(mmap(NULL, 2 * PAGE, RW, MINE, -1, 0));
	if (!strcmp(what, "dlopen") && argc > 2)
		opened(argv[2]);
	else if (!strcmp(what, "written"))
		written();
	else if (!strcmp(what, "changing"))
		changing();
	else if (!strcmp(what, "across"))
		across();
	else if (!strcmp(what, "shared"))
		file(MAP_SHARED);
	else if (!strcmp(what, "private"))
		file(MAP_PRIVATE);
	else if (!strcmp(what, "over"))
		over();
	else if (!strcmp(what, "copied"))
		copied();
	printf("made %ld, wrong %ld\n", made, wrong);
	return !made || wrong;
}
