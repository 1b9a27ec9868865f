/*
 * native - the kernel as the oracle: a process stopped at its first
 * instruction, and what can be read of it there.
 *
 * For tests only; the file that includes it defines _GNU_SOURCE first.
 */
#ifndef TESTS_NATIVE_H
#define TESTS_NATIVE_H

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NATIVE_MAPPINGS 2048

enum native_end {
	NATIVE_RUNS,    /* stopped after execve, to be ended by native_kill */
	NATIVE_REFUSED, /* execve returned */
	NATIVE_KILLED,  /* execve did not return: past the point of no return */
};

struct native {
	enum native_end end;
	int error; /* of execve, with NATIVE_REFUSED */
	pid_t pid;
};

struct native_mapping {
	uint64_t start, end, offset;
	char prot[5];
	int file;
};

/* What to exec: `path` as it stands, or the file that `fd` is where NULL. */
struct native_program {
	const char *path;
	int fd;
	char **argv, **envp;
	unsigned long personality;
};

static inline void native_exec(const struct native_program *program, int error)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	personality(program->personality);
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	syscall(SYS_execveat, program->path ? AT_FDCWD : program->fd,
	        program->path ? program->path : "", program->argv,
	        program->envp, program->path ? 0 : AT_EMPTY_PATH);

	int value = errno;

	if (write(error, &value, sizeof(value)) != sizeof(value))
		abort();
	_exit(0);
}

static inline void native_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static inline struct native native_start(const struct native_program *program)
{
	struct native native = { .end = NATIVE_RUNS };
	int error[2], status;

	if (pipe2(error, O_CLOEXEC) != 0)
		abort();
	native.pid = fork();
	if (native.pid == 0)
		native_exec(program, error[1]);
	close(error[1]);
	if (waitpid(native.pid, &status, 0) != native.pid)
		abort();
	if (read(error[0], &native.error, sizeof(native.error)) > 0)
		native.end = NATIVE_REFUSED;
	else if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
		native.end = NATIVE_KILLED; /* a tracer may see its SIGSEGV */
	close(error[0]);
	if (native.end == NATIVE_KILLED && WIFSTOPPED(status))
		native_kill(native.pid);
	return native;
}

static inline int native_open(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* The value of one entry of the auxiliary vector, 0 where there is none. */
static inline uint64_t native_aux(pid_t pid, uint64_t type)
{
	uint64_t pair[2], value = 0;
	int fd = native_open(pid, "auxv");

	while (read(fd, pair, sizeof(pair)) == sizeof(pair) && pair[0] != 0)
		if (pair[0] == type)
			value = pair[1];
	close(fd);
	return value;
}

/* Field `number` of /proc/PID/stat, counted from 1 as proc(5) does. */
static inline uint64_t native_stat(pid_t pid, int number)
{
	char text[2048] = { 0 };
	int fd = native_open(pid, "stat");
	ssize_t size = read(fd, text, sizeof(text) - 1);
	char *field = strrchr(text, ')');

	close(fd);
	if (size <= 0 || !field)
		abort();
	for (int i = 2; i < number; i++)
		field = strchr(field + 1, ' ');
	return strtoull(field + 1, NULL, 10);
}

/* vm_brk_flags does not join what follows, mmap does: no difference. */
static inline int native_joins(const struct native_mapping *mapping,
                               const struct native_mapping *next)
{
	return mapping->end == next->start && !mapping->file && !next->file &&
	       strcmp(mapping->prot, next->prot) == 0;
}

/*
 * The mappings within [low, high), cut to it: outside of a program's own span
 * an anonymous mapping may have joined what is next to it.
 */
static inline size_t native_maps(pid_t pid, uint64_t low, uint64_t high,
                                 struct native_mapping *mappings)
{
	char line[4096], path[64];
	size_t count = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);

	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file)) {
		struct native_mapping m = { 0 };
		unsigned long start, end, offset, inode;

		if (sscanf(line, "%lx-%lx %4s %lx %*s %lu", &start, &end,
		           m.prot, &offset, &inode) != 5)
			abort();
		if (end <= low || start >= high || count == NATIVE_MAPPINGS)
			continue;
		/* the kernel likes holes between segments for its vDSO */
		if (strstr(line, "[vdso]") || strstr(line, "[vvar"))
			continue;
		m.file = inode != 0;
		m.offset = m.file ? offset : 0;
		m.start = start > low ? start : low;
		m.end = end < high ? end : high;
		if (count != 0 && native_joins(&mappings[count - 1], &m))
			mappings[count - 1].end = m.end;
		else
			mappings[count++] = m;
	}
	if (file)
		fclose(file);
	return count;
}

#endif
