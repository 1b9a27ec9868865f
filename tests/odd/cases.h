/* cases - the good program that every row changes; see build.c. */
#ifndef TESTS_ODD_CASES_H
#define TESTS_ODD_CASES_H

#define BASE      0x10000000ull /* where ET_EXEC is linked to */
#define FILE_SIZE 0x3000u
#define CODE_AT   0x400u     /* of the file: in the text */
#define INTERP_AT 0x1100u    /* in the constants */
#define EMPTY     UINT64_MAX /* odd_case.size of an empty file */

/* Its program headers; SPARE ones are PT_NULL, BEHIND holds PT_INTERP. */
enum { BEFORE, TEXT, RODATA, DATA, STACK, BEHIND, SPARE, SPARE2, PHDRS };

#endif
