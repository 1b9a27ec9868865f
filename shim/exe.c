/*
 * exe - /proc/self/exe names the program.
 *
 * With CAP_CHECKPOINT_RESTORE boot.c makes the kernel's own link do so
 * (PR_SET_MM_MAP, exe_fd) and no call is answered here.  Without, the link
 * leads to goload's image, and the calls that take a path are answered with the
 * program's path where theirs is that link: os.Executable(), a program that
 * runs itself again, $ORIGIN.
 */
#include "shim/shim.h"

#include <asm/unistd_64.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#define NR_openat2    437
#define NR_faccessat2 439
#define LINK_ROOM     40 /* more than "/proc/thread-self/exe" and any pid */

static char program[4096]; /* absolute */
static int answers;

/* The calls whose path is looked at. */
static const uint16_t calls[] = {
	__NR_open,       __NR_openat,    NR_openat2,      __NR_readlink,
	__NR_readlinkat, __NR_stat,      __NR_newfstatat, __NR_statx,
	__NR_access,     __NR_faccessat, NR_faccessat2,
};

void shim_exe_know(const char *path)
{
	size_t size = 0;

	while (path[size] && size < sizeof(program) - 1) {
		program[size] = path[size];
		size++;
	}
}

/* The kernel's link is wrong. */
void shim_exe_answer(void)
{
	answers = 1;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		shim_interest[calls[i]] = SHIM_COLD;
}

static size_t put_number(char *to, uint32_t number)
{
	char digits[10];
	size_t count = 0;

	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	for (size_t i = 0; i < count; i++)
		to[i] = digits[count - 1 - i];
	return count;
}

static int equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* The program's string at `from`, cut to LINK_ROOM. */
static void read_path(char path[LINK_ROOM], uint64_t from)
{
	size_t size = LINK_ROOM - 1;

	memset(path, 0, LINK_ROOM);
	if (!shim_read(path, from, size))
		return;
	memset(path, 0, LINK_ROOM); /* the string may end where memory does */
	for (size_t i = 0; i < size && !shim_read(path + i, from + i, 1); i++)
		if (!path[i])
			return;
}

static int is_the_link(uint64_t from)
{
	char path[LINK_ROOM], own[LINK_ROOM] = "/proc/";
	static const char exe[] = "/exe";
	size_t at = 6;

	read_path(path, from);
	if (equal(path, "/proc/self/exe") ||
	    equal(path, "/proc/thread-self/exe"))
		return 1;
	at += put_number(own + at, (uint32_t)shim.pid);
	memcpy(own + at, exe, sizeof(exe));
	return equal(path, own);
}

/* The kernel's answer first: it may have reasons to give none. */
static enum shim_action read_link(struct shim_frame *frame, int buffer)
{
	long answer = sys_call4((long)frame->nr, (long)frame->arg[0],
	                        (long)frame->arg[1], (long)frame->arg[2],
	                        (long)frame->arg[3]);
	uint64_t room = frame->arg[buffer + 1];
	uint64_t size = 0;

	while (program[size])
		size++;
	if (size > room)
		size = room;
	if (sys_failed(answer))
		frame->result = (uint64_t)answer;
	else if (shim_write(frame->arg[buffer], program, size))
		frame->result = (uint64_t)-EFAULT;
	else
		frame->result = size;
	return SHIM_DONE;
}

/* Which argument is the path, and whether the link itself is meant. */
static int path_argument(const struct shim_frame *frame)
{
	switch (frame->nr) {
	case __NR_open:
	case __NR_readlink:
	case __NR_stat:
	case __NR_access:
	case __NR_execve:
		return 0;
	default:
		return 1;
	}
}

static int means_the_link(const struct shim_frame *frame)
{
	switch (frame->nr) {
	case __NR_newfstatat:
		return (frame->arg[3] & AT_SYMLINK_NOFOLLOW) != 0;
	case __NR_statx:
		return (frame->arg[2] & AT_SYMLINK_NOFOLLOW) != 0;
	default:
		return 0;
	}
}

/* What a path leads to that goload shall open, when this process is goload. */
uint64_t shim_exe_path(uint64_t path)
{
	return is_the_link(path) ? (uint64_t)program : path;
}

/* execve and execveat: the path is put in place, whatever then happens. */
void shim_exe_exec(struct shim_frame *frame)
{
	int at = path_argument(frame);

	if (!answers || !is_the_link(frame->arg[at]))
		return;
	frame->arg[at] = (uint64_t)program;
	*(at ? &frame->rsi : &frame->rdi) = (uint64_t)program;
}

enum shim_action shim_exe_call(struct shim_frame *frame)
{
	int at = path_argument(frame);

	if (!answers || means_the_link(frame) || !is_the_link(frame->arg[at]))
		return SHIM_PLAIN;
	if (frame->nr == __NR_readlink || frame->nr == __NR_readlinkat)
		return read_link(frame, at + 1);
	frame->arg[at] = (uint64_t)program;
	return SHIM_CALL;
}
