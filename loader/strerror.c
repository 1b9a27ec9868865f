/*
 * strerror - the rules in words.
 *
 * A switch and not a table: a table of pointers needs relocations, and the
 * image has none.
 */
#include <linux/errno.h>

#include "loader/loader.h"

int loader_kills(enum loader_error error)
{
	return error >= LOADER_KILLED && error <= LOADER_MAP_FAILED;
}

int loader_errno(enum loader_error error, enum loader_role role)
{
	if (error == LOADER_OK || error >= LOADER_KILLED)
		return 0;
	if (error == LOADER_INTERP_CUT)
		return EIO;
	if (role == LOADER_PROGRAM)
		return ENOEXEC;
	return error == LOADER_EMPTY || error == LOADER_TRUNCATED ? EIO
	                                                          : ELIBBAD;
}

const char *loader_strerror(enum loader_error error)
{
	switch (error) {
	case LOADER_OK:
		return "no error";
	case LOADER_EMPTY:
		return "the file is empty";
	case LOADER_NOT_ELF:
		return "not an ELF file";
	case LOADER_TRUNCATED:
		return "the file ends inside the ELF header";
	case LOADER_SCRIPT:
		return "a script, not an ELF file";
	case LOADER_NOT_PROGRAM:
		return "an ELF file but not a program (neither ET_EXEC nor "
		       "ET_DYN)";
	case LOADER_32BIT:
		return "a 32-bit program";
	case LOADER_OTHER_CPU:
		return "a program for another CPU";
	case LOADER_PHENTSIZE:
		return "a program header is not 56 bytes";
	case LOADER_PHNUM:
		return "no program header, or more than 1170";
	case LOADER_PHDRS_CUT:
		return "the file ends inside the program headers";
	case LOADER_INTERP_SIZE:
		return "the interpreter's path has fewer than 2 bytes or more "
		       "than 4096";
	case LOADER_INTERP_CUT:
		return "the file ends inside the interpreter's path";
	case LOADER_INTERP_NUL:
		return "the interpreter's path does not end in NUL";
	case LOADER_FILESZ:
		return "a segment has more bytes in the file than in memory";
	case LOADER_ADDRESS:
		return "a segment does not lie within user space";
	case LOADER_INCONGRUENT:
		return "a segment's offset and address differ modulo the page";
	case LOADER_OFFSET:
		return "a segment's offset cannot be mapped";
	case LOADER_SPAN:
		return "the segments span no address space";
	case LOADER_INTERP_TYPE:
		return "neither ET_EXEC nor ET_DYN";
	case LOADER_ENTRY:
		return "the entry point lies outside user space";
	case LOADER_BSS_PAST_END:
		return "a segment has bytes to be zeroed past the end of the "
		       "file";
	case LOADER_MAP_FAILED:
		return "a segment cannot be mapped";
	case LOADER_IN_USE:
		return "something else is mapped where a segment goes";
	case LOADER_STACK_SMALL:
		return "arguments and environment do not fit on the stack";
	case LOADER_ERRORS:
		break;
	}
	return "unknown error";
}
