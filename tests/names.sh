#!/bin/sh
# Names, files, lines and inlined calls of addresses are those that others say:
# the Go runtime of its own stack, binutils' addr2line of a C program, also
# where what they read was stripped or lies in a separate file.  A report has no
# names from a file that is not the one that ran.
. "$(dirname "$0")/lib.sh"

symbol=$here/../observer/symbol
helper names_places "$symbol/file.c" "$symbol/elf.c" "$symbol/texts.c" \
	"$symbol/bytes.c" "$symbol/minidebug.c" "$symbol/demangle.c" \
	"$symbol/starts.c" "$symbol/symtab.c" "$symbol/pclntab.c" \
	"$symbol/goline.c" "$symbol/ehframe.c" "$symbol/buildinfo.c" \
	"$symbol/lines.c" "$symbol/lines_copy.c" "$symbol/lines_file.c" -ldw \
	-lelf -llzma -lz -liberty

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

# ---- reports ---------------------------------------------------------------

# functions NAME: those that a report of $tmp/NAME.run names; what it says
# besides is in $tmp/NAME.said
functions()
{
	"$GOLOAD" report --format json "$tmp/$1.run" 2>"$tmp/$1.said" |
		jq -r '.ledger[].sites[].function // empty'
}

# names NAME FUNCTION: does a report name it, without a word besides?
names()
{
	functions "$1" >"$tmp/functions"
	cat "$tmp/functions" "$tmp/$1.said"
	grep -qxF -e "$2" "$tmp/functions" && [ ! -s "$tmp/$1.said" ]
}

# names_nothing NAME FILE OTHER: does it say once that FILE has changed, and
# nothing of what was in there, nor of OTHER that is there now?
names_nothing()
{
	functions "$1" >"$tmp/functions"
	cat "$tmp/functions" "$tmp/$1.said"
	fails grep -E -e "^(first|second|main|runtime[.].*|$3)\$" \
		"$tmp/functions" || return
	echo "goload: $2: has changed since the run was recorded: its" \
		"addresses stay without names" | diff - "$tmp/$1.said"
}

# map FILE WHO FLAG...: names_map.c as a program
map()
{
	map_file=$1
	map_who=$2
	shift 2
	$CC -O1 -DWHO="$map_who" "$here/helpers/names_map.c" -o "$map_file" "$@" ||
		exit 1
}

# changes NAME FLAG...: a program that is built again with another name at the
# same place, then comes back; then one that was only copied, or touched
changes()
{
	name=$1
	file=$tmp/$1.program
	shift
	map "$file" first "$@"
	cp -p "$file" "$file.kept"
	recorded "$name" -- "$file"
	fact "$name: its function has its name" names "$name" first
	map "$file" second "$@"
	fact "$name: built again it names nothing" \
		names_nothing "$name" "$file" second
	fact "$name: --why says so, too, and names nothing" \
		why_names_nothing "$name"
	rm "$file"
	cp -p "$file.kept" "$file"
	fact "$name: it is the same as a copy" names "$name" first
	touch "$file"
	case $* in
	*build-id=none*)
		fact "$name: without a build id its time counts" \
			names_nothing "$name" "$file" second
		;;
	*)
		fact "$name: with a build id its time does not count" \
			names "$name" first
		;;
	esac
}

why_names_nothing()
{
	"$GOLOAD" report --why mapping "$tmp/$1.run" >"$tmp/why" 2>"$tmp/said"
	cat "$tmp/why" "$tmp/said"
	[ -s "$tmp/why" ] && fails grep -wE 'first|second' "$tmp/why" &&
		[ "$(wc -l <"$tmp/said")" = 1 ]
}

changes build-id -Wl,--build-id
changes no-build-id -Wl,--build-id=none
changes static -static -Wl,--build-id

map "$tmp/sparse" first -Wl,--build-id=none
truncate -s 1G "$tmp/sparse"
recorded sparse -- "$tmp/sparse"
fact 'a sparse program without a build id is the one that ran' \
	names sparse first

map "$tmp/libmap.so" first -DLIBRARY -shared -fPIC -Wl,--build-id
map "$tmp/linked" first -DPROGRAM "$tmp/libmap.so" -Wl,-rpath,"$tmp"
recorded library -- "$tmp/linked"
helper dynamic_open -ldl
recorded opened -- "$tmp/dynamic_open" 3 "$tmp/libmap.so" first
fact "a library's function has its name" names library first
map "$tmp/libmap.so" second -DLIBRARY -shared -fPIC -Wl,--build-id
fact "a library that was built again names nothing, its program does" eval \
	'fails names library first && fails names library second &&
	 [ "$(grep -c "^goload: $tmp/libmap.so: has changed" "$tmp/library.said")" = 1 ] &&
	 [ "$(wc -l <"$tmp/library.said")" = 1 ] &&
	 "$GOLOAD" report --why mapping "$tmp/library.run" 2>&1 | grep -q main'

fact "one that was opened again and again is said once to have changed" eval \
	'functions opened >"$tmp/functions" && cat "$tmp/opened.said" &&
	 [ "$(wc -l <"$tmp/opened.said")" = 1 ]'

for go in "$tmp"/go1*.plain; do
	[ -f "$go" ] || continue
	version=${go##*/}
	recorded "$version" -- "$go"
	fact "$version: the runtime's functions have their names" \
		names "$version" 'runtime.(*pageAlloc).sysInit'
	cp "${go%.plain}.stripped" "$go"
	fact "$version: another build of it names nothing" \
		names_nothing "$version" "$go" 'main[.].*'
done

# ---- functions of stripped files -------------------------------------------

# stripped NAME: a program without symbols; $file is where it was with them
stripped()
{
	file=$tmp/$1
	map "$file" first -fvisibility=hidden -Wl,--build-id
	strip -o "$file.stripped" "$file"
}

# pack FILE: what is in .gnu_debugdata of Fedora's programs
pack()
{
	objcopy --only-keep-debug "$1" "$1.mini" &&
		objcopy -S --remove-section .comment \
			--keep-symbol=first "$1.mini" "$1.mini" && xz -f "$1.mini"
}

stripped plain
recorded plain -- "$file.stripped"
fact "a stripped file has no name for its function" fails names plain first

stripped packed
if command -v xz >"$tmp/xz"; then
	pack "$file"
	objcopy --add-section .gnu_debugdata="$file.mini.xz" "$file.stripped"
	recorded packed -- "$file.stripped"
	fact "it has with .gnu_debugdata" names packed first
else
	left_out "it has with .gnu_debugdata" "xz is missing"
fi

stripped linked
objcopy --only-keep-debug "$file" "$file.stripped.debug"
(cd "$tmp" && objcopy --add-gnu-debuglink=linked.stripped.debug "$file.stripped")
recorded linked -- "$file.stripped"
fact "it has with a debug file that has no more than symbols" \
	names linked first

# ---- C++ -------------------------------------------------------------------

if command -v "${CXX:=c++}" >"$tmp/cxx" &&
	$CXX -O1 -g "$here/helpers/names_map.cc" -o "$tmp/cxx.program"; then
	recorded cxx -- "$tmp/cxx.program"
	fact "a C++ function's name is what its author wrote" \
		names cxx 'outer::inlined'
	strip -g "$tmp/cxx.program"
	recorded cxx -- "$tmp/cxx.program"
	fact "it is by the symbol table alone" \
		names cxx 'outer::keeper<int>::map'
else
	left_out "a C++ function's name is what its author wrote" \
		"there is no C++ compiler"
fi

finish
