/*
 * odd - programs that are odd in one thing, and what the kernel makes of them.
 *
 *   cases.c   the table: what is changed, the rule that it tests, what happens
 *   build.c   a row -> a file
 *   run.c     the file under the kernel and under goload: is it the same?
 *   main.c    odd list, odd write, odd run
 *   code.h    what the files execute
 *
 * For tests only; needs no library but libc.
 */
#ifndef TESTS_ODD_ODD_H
#define TESTS_ODD_ODD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ODD_POKES 10
#define ODD_NAME  64

/* How an execve goes: an errno below ODD_RUNS, or one of these. */
enum odd_end {
	ODD_RUNS = 1000,    /* and exits; + status where it is known */
	ODD_KILLED = 2000,  /* SIGSEGV before the first instruction */
	ODD_DIES = 3000,    /* + signal, later */
	ODD_DEPENDS = 4000, /* on the machine, or the kernel's options */
	ODD_REFUSED = 5000, /* by goload, with a line of its own */
};

/* One field of the file gets another value. */
struct odd_poke {
	uint32_t where, width;
	uint64_t value;
	bool relative; /* to where the program is linked */
};

enum odd_code { ODD_PROBE, ODD_CALL, ODD_READ, ODD_WRITE };

enum odd_kind {
	ODD_ELF,
	ODD_ELF32, /* a good 32-bit program */
	ODD_TEXT,  /* `text` is what the file holds */
	ODD_LINK,  /* to `text` */
	ODD_FOLDER,
	ODD_FIFO,
	ODD_NONE, /* nothing is written: there is no file of that name */
};

enum odd_flag {
	ODD_PIE = 1,   /* ET_DYN, linked to 0 */
	ODD_BOTH = 2,  /* ET_EXEC and, with "-pie" to its name, ET_DYN */
	ODD_PART = 4,  /* not run: the file belongs to another case */
	ODD_FIXED = 8, /* run without randomised addresses */
	ODD_BUSY = 16, /* somebody writes to it, or to its interpreter */
};

struct odd_case {
	const char *name;
	const char *change; /* what is odd */
	const char *rule;   /* what the kernel does about it */
	const char *source; /* where in the kernel */
	int end;            /* enum odd_end: how that goes */
	struct odd_poke poke[ODD_POKES];
	const char *interp; /* the path in PT_INTERP */
	uint64_t size;      /* of the file, where not 0 */
	uint64_t table;     /* the program headers are there, where not 0 */
	enum odd_code code;
	int64_t at;        /* where it looks, from its own page; ODD_CALL: 0 is
	                      the stack; ODD_PROBE: with `count` only */
	int64_t count;     /* ODD_PROBE: how many pages, where not 0 */
	uint32_t segments; /* this many PT_LOAD more */
	enum odd_kind kind;
	const char *text;
	uint32_t mode;    /* of the file, where not 0 */
	uint32_t flags;   /* enum odd_flag */
	const char *path; /* what is executed, where not the name */
	int ours;         /* how it goes under goload, where not so ... */
	int ours_user;    /* the same, but only where not run by root */
	const char *says; /* with ODD_REFUSED: what it says */
	const char *why;  /* ... and why not */
};

extern const struct odd_case odd_cases[];
extern const size_t odd_count;

/* The name of the file: that of the case, "-pie" for its other half. */
void odd_name(const struct odd_case *row, bool pie, char name[ODD_NAME]);

/* Writes the file into the current folder; false, with errno: it cannot be. */
bool odd_build(const struct odd_case *row, bool pie);

/* In words, as `odd list` prints it: "ENOEXEC", "runs", "dies of SIGBUS". */
const char *odd_end_name(int end, char text[ODD_NAME]);

/* How it ended natively, or under goload with the option; `line` is what goload
 * said. */
struct odd_run {
	int end;
	char line[1024];
};
struct odd_run odd_native(const struct odd_case *row, const char *path);
struct odd_run odd_goload(const struct odd_case *row, const char *path,
                          const char *goload, const char *option);

#endif
