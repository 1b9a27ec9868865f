/*
 * about - what an ELF file is made of, as its own tables have it.
 *
 * Everything is copied out or points into the file's bytes, and lives until
 * symbol_about_free(); the file stays open that long.  Nothing is believed:
 * what lies outside the file is left out, strings that do not end are "".
 * Hosted, no I/O.
 */
#ifndef OBSERVER_SYMBOL_ABOUT_H
#define OBSERVER_SYMBOL_ABOUT_H

#include "observer/symbol/symbol.h"

#include <elf.h>

struct about_section {
	const char *name;
	Elf64_Shdr header;
};

struct about_note {
	const char *owner;
	uint32_t type;
	uint64_t size; /* of what it says */
	const uint8_t *at;
};

/* A line of Go's build information: debug/buildinfo, `go version -m`. */
struct about_build {
	const char *key;   /* "path", "mod", "dep", "=>", "build" */
	const char *value; /* the rest, its tabs kept */
};

/* A function of another file that this one asks for, or, where nothing is
 * linked at run time, one that it has. */
struct about_function {
	const char *name;
	int imported;
};

/* What the program takes up before it runs, by its segments, in bytes. */
struct about_memory {
	uint64_t text;   /* PT_LOAD with execute */
	uint64_t rodata; /* neither execute nor write */
	uint64_t data;   /* write, from the file */
	uint64_t bss;    /* what a segment has in memory and not in the file */
	uint64_t tls;    /* PT_TLS: of each thread */
};

struct symbol_about {
	uint16_t type, machine; /* e_type, e_machine */
	uint64_t entry;
	Elf64_Phdr *segment;
	size_t segment_count;
	struct about_section *section; /* the first, of nothing, left out */
	size_t section_count;
	struct about_note *note;
	size_t note_count;
	const char **needed; /* DT_NEEDED */
	size_t needed_count;
	const char *soname, *runpath; /* DT_RUNPATH, else DT_RPATH; or NULL */
	int bind_now, text_relocations;
	struct about_build *build;
	size_t build_count;
	struct about_function *allocator; /* malloc, mmap ... */
	size_t allocator_count;
	struct about_memory memory;
	char *texts; /* what strings above point into */
};

/* NULL when memory is short. */
struct symbol_about *symbol_about(const struct symbol_file *file);
void symbol_about_free(struct symbol_about *about);

#endif
