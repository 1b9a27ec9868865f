#!/bin/sh
# Every byte has a name, for every Go and every way to build: kinds are those
# of the runtime's own table, and agree with the names that the runtime gives
# (Go 1.25 and later, asked to by GODEBUG).
#
#   tests/kinds.sh        the Go commands that are here
#   tests/kinds.sh all    older ones too, through the module proxy, every form
#
# TOOLCHAINS names those that `all` asks for.
. "$(dirname "$0")/lib.sh"

: "${TOOLCHAINS:=1.21.13 1.22.12 1.23.12 1.24.13 1.25.7}"
scope=${1-here}
forms='.pie .cgo .cgo-pie .cgo-static .race'

# programs: "NAME..." of what is built and run
programs()
{
	if [ "$scope" = all ]; then
		for name in hello http bigheap; do
			echo "$name"
			for form in $forms; do
				echo "$name$form"
			done
		done
	else
		echo hello http bigheap http.cgo bigheap.cgo
		for form in $forms; do
			echo "hello$form"
		done
	fi
}

# ---- what must hold --------------------------------------------------------

# A list of what does not, of a report.  $go is the second number of the
# version, $form the way of building, $name the program.
rules='
	def size(kind): [.ledger[] | select(.kind == kind)
		| .reserved + .committed] | add // 0;
	def one_of(list): . as $it | any(list[]; . == $it);
	def libc: $form | startswith("cgo") or . == "race";
	. as $report | .events.names as $names
	| [ (.ledger[] | select(.kind | one_of(["mapping", "unknown",
		"file mapping", "shared library", "Go runtime, other"]))
	     | "\(.reserved + .committed) bytes are \(.kind), by " +
	       "\([.sites[] | .function])"),
	    (.ledger[] | select(.owner == "Go runtime")
	     | select(.sites == [] or any(.sites[]; .function == null))
	     | "nobody claims \(.kind)"),
	    ($names.wrong[] | "\(.kind) by frames, \(.name) by name"),
	    ([["page summary", 613548032], ["heap index", 33554432],
	      ["scavenge index", if $go >= 21 then 536870912 else 8388608 end]]
	     [] | . as [$kind, $bytes] | ($report | size($kind))
	     | select(. != $bytes) | "\($kind) is \(.) bytes"),
	    (select(size("heap") % 67108864 != 0) | "the heap is no arenas"),
	    (select($name == "bigheap" and ([.ledger[] | select(.kind == "heap")
		| .committed] | add) < 209715200) | "the heap is too small"),
	    (["heap metadata", "page alloc index", "spans", "gc bits",
	      "runtime metadata", "text", "rodata", "data", "bss", "stack",
	      "vDSO, vvar"][] | select(. as $kind | $report | size($kind) == 0)
	     | "there is no \(.)"),
	    (select(libc) | ["thread stack", "malloc arena", "brk heap"][]
	     | select(. as $kind | $report | size($kind) == 0)
	     | "there is no \(.)"),
	    (select(libc and $form != "cgo-static")
	     | ["libc.so.6 text", "libc.so.6 data", "TLS"][]
	     | select(. as $kind | $report | size($kind) == 0)
	     | "there is no \(.)"),
	    (select($form == "race") | ["sanitizer shadow", "sanitizer memory"][]
	     | select(. as $kind | $report | size($kind) == 0)
	     | "there is no \(.)"),
	    (select($go >= 25 and $names.given < 20)
	     | "only \($names.given) names were given"),
	    (select($names.agreed != $names.given)
	     | "\($names.given - $names.agreed) names were not compared") ]
	| .[]'

# named FILE: what is wrong with NAME[.FORM] of a Go
named()
{
	program=${1##*/}
	case $program in
	http*) recorded_server run "$SAMPLES/$1" || return ;;
	*) recorded run -- "$SAMPLES/$1" ;;
	esac
	[ "$program" = "${program%%.*}" ] && form= || form=${program#*.}
	minor=${1#go1.}
	closes run || return
	jq -r --argjson go "${minor%%[!0-9]*}" --arg name "${program%%.*}" \
		--arg form "$form" "$rules" "$tmp/run.json" >"$tmp/broken" 2>&1
	cat "$tmp/broken"
	[ ! -s "$tmp/broken" ]
}

# ---- all of them -----------------------------------------------------------

: >"$tmp/missing"
if [ "$scope" = all ]; then
	GOS="$(command -v go) $(ls /usr/lib/go/bin/go 2>/dev/null) $(toolchains $TOOLCHAINS)"
	SAMPLES=$SAMPLES/all # other tests run every Go's samples
	export GOS
fi
# shellcheck disable=SC2046
samples $(programs)
GODEBUG=decoratemappings=1
export GODEBUG

for version in $(cd "$SAMPLES" && ls -d go1*); do
	for program in $(programs); do
		for file in "$version/$program" "$version/$program.stripped"; do
			[ -x "$SAMPLES/$file" ] || continue
			fact "$file: every byte has a name" named "$file"
		done
	done
done
while read -r version why; do
	left_out "go$version: every byte has a name" "$why"
done <"$tmp/missing"

# Names come when they are asked for (Go 1.25 and later; these samples' go.mod
# is older), beside what GODEBUG says already, and not against the kernel's word.
names_of()
{
	rm -f "$tmp/names.run"
	GODEBUG=$1 "$GOLOAD" record -q "$2" -o "$tmp/names.run" \
		"$SAMPLES/go/hello" >"$tmp/names.out" &&
		"$GOLOAD" report --format json "$tmp/names.run" |
		jq .events.names.given
}
if [ "$(go version | sed -E 's/.*go1\.([0-9]+).*/\1/')" -ge 25 ]; then
	fact '--names=all asks a program for names' \
		test "$(names_of gctrace=0 --names=all)" -gt 5
	fact '--names=auto leaves it alone' \
		test "$(names_of gctrace=0 --names=auto)" = 0
	fact '--names=auto believes one that has been asked' \
		test "$(names_of decoratemappings=1 --names=auto)" -gt 5
	fact '--names=off says what the kernel says' \
		test "$(names_of decoratemappings=1 --names=off)" -le 1
fi

# Control: the rules see what is missing.
named go/hello >/dev/null
unnamed()
{
	jq "$1" "$tmp/run.json" >"$tmp/changed" || return
	[ -n "$(jq -r --argjson go 26 --arg name hello --arg form '' "$rules" \
		"$tmp/changed")" ]
}
fact 'control: a mapping without a kind is seen' unnamed \
	'.ledger[0].kind = "mapping"'
fact 'control: a row that nobody claims is seen' unnamed \
	'(.ledger[] | select(.kind == "gc bits") | .sites) = []'
fact 'control: a name that does not agree is seen' unnamed \
	'.events.names.wrong = [{"name": "heap", "kind": "gc bits"}]'
fact 'control: a name that was not compared is seen' unnamed \
	'.events.names.agreed -= 1'
fact 'control: a page summary one page short is seen' unnamed \
	'(.ledger[] | select(.kind == "page summary") | .reserved) -= 4096'
finish
