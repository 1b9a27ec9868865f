#!/bin/sh
# The image that lives in the target needs nothing from anybody: no
# relocation, no undefined symbol, no thread-local storage, no vector or x87
# register, no interpreter, no library, no executable data. Each rule is first
# seen to fail, on a made-up program that breaks it.
set -eu
LC_ALL=C
export LC_ALL

# faults FILE: the rules it breaks, one word a line.
faults()
{
	readelf -hW "$1" | grep -q 'Type: *DYN' || echo type
	readelf -rW "$1" | grep -q 'no relocations' || echo relocation
	readelf -sW "$1" | awk '$7 == "UND" && $8 != ""' | grep -q . &&
		echo undefined
	readelf -lW "$1" | grep -q '^ *TLS ' && echo tls
	readelf -lW "$1" | grep -q '^ *INTERP ' && echo interpreter
	readelf -dW "$1" | grep -q '(NEEDED)' && echo needed
	readelf -lW "$1" | grep -qE '^ *(LOAD|GNU_STACK) .* (RWE|WE) ' &&
		echo executable-data
	objdump -d --no-show-raw-insn "$1" |
		grep -qE '%([xyzt]?mm|st|k)[0-7]' && echo vector
	return 0
}

# make_up FLAG...: compile and link standard input as the image is.
make_up()
{
	$CC -x c - -std=gnu11 -O1 -ffreestanding -fPIE -nostdlib -static-pie \
		-fno-stack-protector -fvisibility=hidden -U_FORTIFY_SOURCE \
		-Wl,--no-dynamic-linker,-z,noexecstack,-z,norelro \
		-Wl,--build-id=none "$@" -o "$made_up/program"
}

# breaks RULE: what make_up made breaks this rule and no other.
breaks()
{
	said=$(faults "$made_up/program" | tr '\n' ' ')
	[ "${said% }" = "$1" ] && return
	echo "control: wanted '$1', got '$said'"
	exit 1
}

made_up=$(mktemp -d)
trap 'rm -rf "$made_up"' EXIT
: "${CC:=cc}" "${IMAGE:=shim/image.elf}"

make_up <<-'C'
	void _start(void) { for (;;) ; }
C
breaks ''

make_up <<-'C'
	static void a(void) { }
	static void b(void) { }
	void (*volatile table[])(void) = { a, b };
	void _start(void) { table[0](); }
C
breaks relocation

make_up -c <<-'C'
	extern void absent(void);
	void _start(void) { absent(); }
C
breaks 'type relocation undefined'

make_up <<-'C'
	_Thread_local volatile int mine = 1;
	void _start(void) { mine++; }
C
breaks tls

make_up <<-'C'
	volatile double half = 0.5;
	void _start(void) { half *= 3; }
C
breaks vector

make_up -Wl,-z,execstack <<-'C'
	void _start(void) { for (;;) ; }
C
breaks executable-data

make_up -no-pie <<-'C'
	void _start(void) { for (;;) ; }
C
breaks type

echo 'int unused;' |
	$CC -x c - -shared -nostdlib -fPIC -o "$made_up/libneeded.so"
echo 'void _start(void) { for (;;) ; }' |
	$CC -x c - -nostdlib -fPIE -pie -Wl,--no-as-needed \
		-o "$made_up/program" -x none "$made_up/libneeded.so"
breaks 'interpreter needed'

said=$(faults "$IMAGE" | tr '\n' ' ')
[ -z "$said" ] && exit
echo "$IMAGE breaks: $said"
exit 1
