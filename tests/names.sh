#!/bin/sh
# Names, files, lines and inlined calls of addresses are those that others say:
# the Go runtime of its own stack, binutils' addr2line of a C program, also
# where what they read was stripped or lies in a separate file.
. "$(dirname "$0")/lib.sh"

symbol=$here/../observer/symbol
helper names_places "$symbol/file.c" "$symbol/elf.c" "$symbol/texts.c" \
	"$symbol/starts.c" "$symbol/symtab.c" "$symbol/pclntab.c" \
	"$symbol/goline.c" "$symbol/ehframe.c" "$symbol/buildinfo.c" \
	"$symbol/lines.c" "$symbol/lines_copy.c" "$symbol/lines_file.c" -ldw -lelf -lz

# places FILE [BASE]: names_places with its addresses on standard input
places()
{
	"$tmp/names_places" "$1" "$tmp/debug" ${2+"$2"}
}

# ---- Go --------------------------------------------------------------------

export CGO_ENABLED=0 GOFLAGS='-mod=mod -buildvcs=false' GOTOOLCHAIN=local
export GOPROXY=off GOWORK=off
[ -w "${HOME-/nowhere}" ] || export GOCACHE="$tmp/cache"

# same_stack FILE: the frames that the program says it has, ours from its
# return addresses
same_stack()
{
	"$1" >"$1.said" || return
	sed -n 's/^frame //p' "$1.said" >"$1.wanted"
	base=$(sed -n 's/^base //p' "$1.said")
	low=$(readelf -lW "$1" | awk '$1 == "LOAD" { print $3; exit }')
	sed -n 's/^pc //p' "$1.said" |
		places "$1" "$(printf %x $((0x$base - low)))" | grep -v ^0x \
		>"$1.found"
	diff "$1.wanted" "$1.found" && [ "$(wc -l <"$1.found")" -gt 40 ]
}

# go_names GO: every build of names_go
go_names()
{
	version=$("$1" env GOVERSION)
	file=$tmp/$version
	(
		cd "$here/helpers/names_go"
		"$1" build -o "$file.plain" .
		"$1" build -ldflags '-s -w' -o "$file.stripped" .
		"$1" build -buildmode=pie -ldflags '-s -w' -o "$file.pie" .
	)
	for build in plain stripped pie; do
		fact "$version, $build: its stack is what the runtime says" \
			same_stack "$file.$build"
	done
}

for go in ${GOS-$(command -v go) /usr/lib/go/bin/go}; do
	[ -x "$(command -v "$go")" ] && go_names "$go"
done

# ---- C ---------------------------------------------------------------------

# addresses FILE: where instructions start in the file's own functions
addresses()
{
	objdump -d -j .text --no-show-raw-insn "$1" | awk '
		/^[0-9a-f]+ </ { own = /<(main|outer|lone|other)>/ }
		own && /^ +[0-9a-f]+:/ && !/nop|xchg +%ax,%ax/ { sub(":", "", $1); print "0x" $1 }'
}

# binutils FILE: what addr2line says, in the form of ours
binutils()
{
	addr2line -a -f -i -e "$1" | sed 's/ (discriminator [0-9]*)$//
		s/^0x0*/0x/; s/:?$/:0/' |
		awk '/^0x/ { print; next } { name = $0; getline; print name, $0 }'
}

# same_lines FILE WHOLE: does FILE have what addr2line finds in WHOLE?
same_lines()
{
	addresses "$2" >"$tmp/addresses"
	binutils "$2" <"$tmp/addresses" >"$tmp/wanted"
	places "$1" <"$tmp/addresses" >"$tmp/found"
	diff "$tmp/wanted" "$tmp/found" &&
		[ "$(grep -c '^deepest ' "$tmp/found")" -gt 3 ]
}

# c_names NAME FLAG...: a program with its DWARF inside, then beside, then by
# its build id, then gone
c_names()
{
	file=$tmp/$1
	shift
	$CC -g -O2 "$@" "$here/helpers/names_c.c" -o "$file" || return
	objcopy --only-keep-debug "$file" "$file.debug"
	fact "${file##*/}: files, lines and inlined calls are addr2line's" \
		same_lines "$file" "$file"
	(cd "$tmp" && strip -o "$file.linked" "$file" &&
		objcopy --add-gnu-debuglink="${file##*/}.debug" "$file.linked")
	fact "${file##*/}: so they are with a debug file beside it" \
		same_lines "$file.linked" "$file"
	printf x | dd of="$file.debug" bs=1 seek=$(($(wc -c <"$file.debug") - 1)) \
		conv=notrunc 2>/dev/null
	case $* in
	*build-id=none*)
		fact "${file##*/}: a debug file with another checksum is not it" \
			fails same_lines "$file.linked" "$file"
		;;
	*)
		mv "$file.debug" "$tmp/moved"
		fact "${file##*/}: without its debug file nothing is known" \
			fails same_lines "$file.linked" "$file"
		id=$(readelf -n "$file" | sed -n 's/.*Build ID: //p')
		rest=${id#??}
		mkdir -p "$tmp/debug/.build-id/${id%"$rest"}"
		mv "$tmp/moved" "$tmp/debug/.build-id/${id%"$rest"}/$rest.debug"
		fact "${file##*/}: so they are with a debug file by build id" \
			same_lines "$file.linked" "$file"
		;;
	esac
}

c_names pie -pie -fPIE -Wl,--build-id
c_names fixed -no-pie -fno-pie -Wl,--build-id=none
c_names dwarf4 -pie -fPIE -gdwarf-4 -gz -Wl,--build-id

finish
