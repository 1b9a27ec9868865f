#include "observer/sites/step.h"

#include "observer/sites/code.h"

#include <string.h>

enum {
	LONGEST = 15, /* bytes of any instruction */
	SMALL = 0x66, /* prefix: operands of two bytes */
	REX = 0x40,   /* and its low bits */
	REX_W = 8,
	ESCAPE = 0x0f, /* the second table's opcode follows */
};

/* What follows an opcode, and what it does. */
enum {
	KNOWN = 1,
	RM = 2,      /* a ModRM byte, and what that says */
	BYTE = 4,    /* one byte of immediate or distance */
	WORD = 8,    /* four of them */
	BARE = 16,   /* known without prefixes only */
	BRANCH = 32, /* the immediate is a distance */
	STOP = 64,
	SOME = 128, /* not with every ModRM or prefix: is_one() */
};

/* clang-format off */
#define ARITHMETIC(n) \
	[n ... n + 3] = KNOWN | RM, \
	[n + 4] = KNOWN | BYTE, \
	[n + 5] = KNOWN | WORD

static const uint8_t one_byte[256] = {
	ARITHMETIC(0x00), ARITHMETIC(0x08), ARITHMETIC(0x10), ARITHMETIC(0x18),
	ARITHMETIC(0x20), ARITHMETIC(0x28), ARITHMETIC(0x30), ARITHMETIC(0x38),
	[0x50 ... 0x5f] = KNOWN,                        /* push, pop */
	[0x63] = KNOWN | RM,                            /* movslq */
	[0x69] = KNOWN | RM | WORD,                     /* imul */
	[0x6b] = KNOWN | RM | BYTE,
	[0x70 ... 0x7f] = KNOWN | BARE | BRANCH | BYTE, /* jcc */
	[0x80] = KNOWN | RM | BYTE,                     /* add ... cmp */
	[0x81] = KNOWN | RM | WORD,
	[0x83] = KNOWN | RM | BYTE,
	[0x84 ... 0x8b] = KNOWN | RM,                   /* test, xchg, mov */
	[0x8d] = KNOWN | RM | SOME,                     /* lea */
	[0x90] = KNOWN | BARE,                          /* nop */
	[0x98 ... 0x99] = KNOWN,                        /* cltq, cqto */
	[0xa8] = KNOWN | BYTE,                          /* test */
	[0xa9] = KNOWN | WORD,
	[0xb0 ... 0xb7] = KNOWN | BYTE,                 /* mov */
	[0xb8 ... 0xbf] = KNOWN | WORD | SOME,
	[0xc0 ... 0xc1] = KNOWN | RM | BYTE,            /* shl ... sar */
	[0xc3] = KNOWN | BARE | STOP,                   /* ret */
	[0xc6] = KNOWN | RM | BYTE | SOME,              /* mov */
	[0xc7] = KNOWN | RM | WORD | SOME,
	[0xcc] = KNOWN | BARE | STOP,                   /* int3 */
	[0xd0 ... 0xd3] = KNOWN | RM,                   /* shl ... sar */
	[0xe8] = KNOWN | BARE | BRANCH | WORD,          /* call */
	[0xe9] = KNOWN | BARE | BRANCH | WORD | STOP,   /* jmp */
	[0xeb] = KNOWN | BARE | BRANCH | BYTE | STOP,
	[0xf6 ... 0xf7] = KNOWN | RM | SOME,            /* not ... idiv */
	[0xfe ... 0xff] = KNOWN | RM | SOME,            /* inc ... push */
};

static const uint8_t two_byte[256] = {
	[0x05] = KNOWN | BARE,                          /* syscall */
	[0x0b] = KNOWN | BARE | STOP,                   /* ud2 */
	[0x10 ... 0x11] = KNOWN | RM,                   /* movups */
	[0x1f] = KNOWN | RM,                            /* nop */
	[0x28 ... 0x29] = KNOWN | RM,                   /* movaps */
	[0x40 ... 0x4f] = KNOWN | RM,                   /* cmovcc */
	[0x57] = KNOWN | RM,                            /* xorps */
	[0x80 ... 0x8f] = KNOWN | BARE | BRANCH | WORD, /* jcc */
	[0x90 ... 0x9f] = KNOWN | RM,                   /* setcc */
	[0xaf] = KNOWN | RM,                            /* imul */
	[0xb6 ... 0xb7] = KNOWN | RM,                   /* movz */
	[0xbe ... 0xbf] = KNOWN | RM,                   /* movs */
};
/* clang-format on */

/* Of what SOME says: one of those instructions that the table means. */
static int is_one(uint8_t opcode, uint8_t rex, uint8_t rm)
{
	unsigned extension = rm >> 3 & 7;

	switch (opcode) {
	case 0x8d:
		return rm < 0xc0; /* of memory */
	case 0xc6:
	case 0xc7:
		return extension == 0;
	case 0xf6:
	case 0xf7:
		return extension >= 2; /* test has an immediate */
	case 0xfe:
		return extension < 2;
	case 0xff:
		return extension < 3 || extension == 6; /* no jump */
	default:
		return !(rex & REX_W); /* mov of eight bytes */
	}
}

/* Bytes of a ModRM and of the SIB and displacement that it asks for. */
static size_t rm_size(const uint8_t *rm)
{
	static const uint8_t displacement[4] = { 0, 1, 4, 0 };
	unsigned mod = rm[0] >> 6;
	unsigned sib = mod != 3 && (rm[0] & 7) == 4;
	unsigned base = rm[sib] & 7;

	return 1 + sib + displacement[mod] + (mod == 0 && base == 5) * 4;
}

int step_known(const uint8_t *bytes, size_t size, struct step *step)
{
	const uint8_t *at = bytes, *table = one_byte;
	uint8_t small, rex = 0, how;
	int32_t distance = 0;

	if (size < LONGEST)
		return 0;
	small = *at == SMALL;
	at += small;
	if ((*at & 0xf0) == REX)
		rex = *at++;
	if (*at == ESCAPE) {
		table = two_byte;
		at++;
	}
	how = table[*at++];
	if (!how || (how & BARE && (small || rex)) || (how & WORD && small) ||
	    (how & SOME && !is_one(at[-1], rex, *at)))
		return 0;
	if (how & RM)
		at += rm_size(at);
	if (how & BRANCH && how & BYTE)
		distance = (int8_t)*at;
	else if (how & BRANCH)
		memcpy(&distance, at, sizeof(distance));
	at += how & (BYTE | WORD) ? how & BYTE ? 1 : 4 : 0;
	*step = (struct step){
		.length = (uint8_t)(at - bytes),
		.stops = !!(how & STOP),
		.relative = !!(how & BRANCH),
		.distance = distance,
	};
	return 1;
}

static int decode(const ZydisDecoder *decoder, const uint8_t *bytes,
                  size_t size, struct step *step)
{
	ZydisDecodedInstruction head;

	if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(decoder, NULL, bytes,
	                                              size, &head)))
		return 0;
	*step = (struct step){
		.length = head.length,
		.stops = (uint8_t)code_stops(&head),
		.relative = (uint8_t)code_relative(&head),
		.indirect = head.mnemonic == ZYDIS_MNEMONIC_JMP &&
		            !code_relative(&head),
		.distance = head.raw.imm[0].value.s,
	};
	return 1;
}

int step_decode(const ZydisDecoder *decoder, const uint8_t *bytes, size_t size,
                struct step *step)
{
	return step_known(bytes, size, step) ||
	       decode(decoder, bytes, size, step);
}
