#!/bin/sh
# `goload inspect` lists every syscall site of a program, with its function and
# how it is patched; none is left unproven. GOLOAD_EXTRA_BINARIES names more
# programs to look at, with blanks in between: large ones, of others, such as
# esbuild and tsgo from npm. They are run too, with --version.
. "$(dirname "$0")/lib.sh"
: "${GOLOAD_EXTRA_BINARIES:=}"

samples
newest=$(cd "$SAMPLES" && ls -d go1* | sort -V | tail -n 1)

# ---- the same from elsewhere ------------------------------------------------

# digest FILE: of each syscall instruction that objdump has, its address, its
# function and the constant that the instruction before it moves to eax, or -
digest()
{
	kept=$tmp/digest$(echo "$1" | tr / _)
	[ -s "$kept" ] || objdump -d --no-show-raw-insn "$1" | awk '
		/^[0-9a-f]+ <.*>:$/ { f = substr($2, 2, length($2) - 3); next }
		$2 == "syscall" { sub(":", "", $1); print "0x" $1, f, n }
		{ n = "-" }
		$2 == "mov" && $3 ~ /^\$0x[0-9a-f]+,%eax$/ {
			n = substr($3, 2, length($3) - 6)
		}' >"$kept"
	cat "$kept"
}

# pairs FILE: how often the two bytes are in its text, at whatever place
pairs()
{
	objcopy -O binary -j .text "$1" "$tmp/text"
	grep -aobUP '\x0f\x05' "$tmp/text" | wc -l
}

inspected()
{
	"$GOLOAD" inspect --format json "$1" >"$tmp/inspect.json" &&
		"$GOLOAD" inspect "$1" >"$tmp/inspect.txt"
}

# ---- facts ------------------------------------------------------------------

# of SAMPLES-FOLDER-PATTERN FACT: it holds for each of these static programs
of()
{
	for file in $(cd "$SAMPLES" && find $1 -type f \
		\( ! -name '*.*' -o -name '*.stripped' \) | sort); do
		inspected "$SAMPLES/$file" && "$2" "$SAMPLES/$file" && continue
		echo "in $file"
		return 1
	done
}

right_sites()
{
	jq -r '.sites[].address' "$tmp/inspect.json" | sort >"$tmp/found"
	digest "$1" | cut -d ' ' -f 1 | sort >"$tmp/wanted"
	[ -s "$tmp/wanted" ] && diff "$tmp/wanted" "$tmp/found"
}

right_pairs()
{
	set -- "$1" $(sed -nE 's/^([0-9]+) syscall sites; ([0-9]+) byte pairs.*/\1 \2/p' \
		"$tmp/inspect.txt")
	[ $# = 3 ] && [ "$(pairs "$1")" = $(($2 + $3)) ] && return
	echo "$2 sites and $3 pairs inside of others, not $(pairs "$1")"
	return 1
}

all_patched()
{
	jq -e '.sites | length > 0 and all(.patched)' "$tmp/inspect.json" \
		>/dev/null && return
	jq -c '.sites[] | select(.patched | not)' "$tmp/inspect.json"
	return 1
}

library_patched()
{
	inspected "$1" && all_patched && same_said
}

none_unproven()
{
	jq -r '.sites[] | select(.patched | not) | .served' \
		"$tmp/inspect.json" >"$tmp/left"
	! grep -q -e proven -e certain "$tmp/left" && return
	cat "$tmp/left"
	return 1
}

# Both forms say the same.
same_said()
{
	jq -r '.sites[] | "\(.address) \(.number // "any") \(.function)"' \
		"$tmp/inspect.json" >"$tmp/found"
	awk '/^0x/ { print $1, $2, $4 }' "$tmp/inspect.txt" >"$tmp/wanted"
	diff "$tmp/wanted" "$tmp/found" || return
	grep -q "^$(wc -l <"$tmp/found") syscall sites; " "$tmp/inspect.txt"
}

# functions FILE: "address function+offset" of each site
functions()
{
	inspected "$1" &&
		jq -r '.sites[] | "\(.address) \(.function)"' "$tmp/inspect.json"
}

# As objdump's symbols have it, and stripped as not stripped.
right_functions()
{
	case $1 in
	*.stripped) functions "${1%.stripped}" >"$tmp/wanted" ;;
	*)
		# the linker's mark of a calling convention is no part of the name
		digest "$1" | sed 's/ [^ ]*$//; s/\.abi0$//' >"$tmp/wanted"
		;;
	esac
	functions "$1" >"$tmp/found"
	sed -i 's/+0x[0-9a-f]*$//' "$tmp/wanted" "$tmp/found"
	[ -s "$tmp/wanted" ] && diff "$tmp/wanted" "$tmp/found"
}

# Numbers that are known are those the instructions before the site load.
right_numbers()
{
	digest "$1" | while read -r address function number; do
		[ "$number" = - ] || echo "$address $((number))"
	done >"$tmp/wanted"
	jq -r '.sites[] | "\(.address) \(.number)"' "$tmp/inspect.json" |
		sort >"$tmp/found"
	sort "$tmp/wanted" | comm -23 - "$tmp/found" >"$tmp/missing"
	[ -s "$tmp/wanted" ] && ! [ -s "$tmp/missing" ] && return
	cat "$tmp/missing"
	return 1
}

# What it is: linkage and Go version.
right_kind()
{
	said=$(jq -r '"\(.linkage) \(.go_version) \(.stripped)"' \
		"$tmp/inspect.json")
	stripped=false
	case $1 in
	*.stripped) stripped=true ;;
	esac
	case $1 in
	*/go1*/*)
		version=${1%/*}
		wanted="static ${version##*/} $stripped"
		;;
	*-pie/*) wanted="static-pie null $stripped" ;;
	*) wanted="static null $stripped" ;;
	esac
	[ "$said" = "$wanted" ] && return
	echo "$said, not $wanted"
	return 1
}

right_path()
{
	odd="$tmp/d\"o\\d é"
	cp "$SAMPLES/$newest/hello" "$odd"
	inspected "$odd" && [ "$(jq -r .path "$tmp/inspect.json")" = "$odd" ] &&
		return
	jq -r .path "$tmp/inspect.json"
	return 1
}

# Each recorded call of a run without patches is of a site that is listed for
# the file, with the same function.
net_rules()
{
	jq -e --slurpfile inspected "$tmp/inspect.json" '.events |
		.net_hits >= .net_recorded and .net_recorded > 0 and
		.sites_patched == 0 and
		([.net_sites[].calls] | add) == .net_recorded and
		all(.net_sites[]; . as $net |
		    .why == "not patched: --patch=none" and
		    any($inspected[0].sites[]; .address == $net.in_file and
		        (.function | startswith($net.function + "+0x"))))' \
		"$tmp/net.json"
}

net_named()
{
	rm -f "$tmp/net.run"
	inspected "$1" &&
		"$GOLOAD" record -q --patch=none -o "$tmp/net.run" "$1" \
			>"$tmp/net.out" &&
		"$GOLOAD" report "$tmp/net.run" >"$tmp/net.txt" &&
		"$GOLOAD" report --format json "$tmp/net.run" \
			>"$tmp/net.json" &&
		grep -q '^  Only the ends of threads were patched (--patch=none): ' \
			"$tmp/net.txt" && net_rules && return
	jq -c .events "$tmp/net.json"
	return 1
}

# ---- controls ---------------------------------------------------------------

# A site that is not listed, one that is not patched, another's name.
sees()
{
	file=$SAMPLES/$newest/hello
	inspected "$file"
	cp "$tmp/inspect.json" "$tmp/good"
	jq 'del(.sites[0])' "$tmp/good" >"$tmp/inspect.json"
	fails right_sites "$file" && fails same_said "$file" || return
	jq '.sites[3].patched = false | .sites[3].served = "unproven"' \
		"$tmp/good" >"$tmp/inspect.json"
	fails all_patched && fails none_unproven || return
	jq '.sites[1].number = 77777 | .sites[2].number = 77777 |
		.sites[3].number = 77777' "$tmp/good" >"$tmp/inspect.json"
	fails right_numbers "$file"
}

# The net's sites of one program are not among another's.
sees_net()
{
	net_named "$SAMPLES/$newest/hello" || return
	cp "$tmp/net.json" "$tmp/good"
	for edit in '.events.net_sites[0].calls += 1' \
		'.events.net_sites[0].in_file = "0x1"' \
		'.events.net_sites[0].function = "main.none"'; do
		jq "$edit" "$tmp/good" >"$tmp/net.json"
		fails net_rules && continue
		echo "right all the same: $edit"
		return 1
	done
}

# ---- programs of others -----------------------------------------------------

extra_patched()
{
	inspected "$1" && all_patched && right_pairs "$1" && same_said
}

extra_runs()
{
	run native "$1" --version
	for mode in all none; do
		recorded here --patch=$mode -- "$1" --version
		cmp "$tmp/native.out" "$tmp/here.out" &&
			cmp "$tmp/native.end" "$tmp/here.end" &&
			closes here || return
	done
}

# -----------------------------------------------------------------------------

fact "control: a site that is not as it should be is noticed" sees
fact "control: so is a call of the net with another site" sees_net
fact "the sites of Go programs are those objdump finds" of 'go1*' right_sites
fact "every pair of bytes in Go text is a site or within an instruction" \
	of 'go1*' right_pairs
fact "every site of Go programs is patched" of 'go1*' all_patched
fact "the functions of Go programs are right, stripped or not" \
	of 'go1*' right_functions
fact "numbers that the instruction before loads are known" \
	of 'go1* c-*-static*' right_numbers
fact "the sites of C programs are those objdump finds" of 'c-*-static*' right_sites
fact "no site of C programs is unproven" of 'c-*-static*' none_unproven
musl=/lib/ld-musl-x86_64.so.1
if [ -e $musl ]; then
	fact "every site of musl's libc is patched, though few functions have names" \
		library_patched $musl
else
	left_out "every site of musl's libc is patched" "there is no $musl"
fi
fact "text and JSON say the same" of 'go1* c-*-static*' same_said
fact "linkage, Go version and stripping are told" of 'go1* c-*-static*' right_kind
for file in $newest/hello $newest/hello.stripped c-glibc-static/hello; do
	fact "$file without patches: the net's calls are of its sites" \
		net_named "$SAMPLES/$file"
done
fact "a path with odd characters is told as it is" right_path

[ -n "$GOLOAD_EXTRA_BINARIES" ] ||
	left_out "every site of other programs is patched" \
		"GOLOAD_EXTRA_BINARIES is empty"
for file in $GOLOAD_EXTRA_BINARIES; do
	fact "every site of ${file##*/} is patched" extra_patched "$file"
	fact "${file##*/} --version runs as natively, and closes" \
		extra_runs "$file"
done
finish
