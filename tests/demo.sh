#!/bin/bash
# A Go HTTP server under goload answers 100 real requests and gets a Ctrl-C:
# its ledger is there before the prompt, with nothing unexplained. Then the
# same recorded, and the same said of it in JSON. LINKED is the same server,
# linked with libc: what that adds, to the byte, and that its malloc arenas are
# gone when it may have but one.
#
#   GOLOAD=./goload tests/demo.sh SERVER [LINKED]
#
# PAGE=FILE: the first ledger is written there too, as a page to look at.
. "$(dirname "$0")/serve.sh"

: "${GOLOAD:=./goload}" "${PAGE:=}"
server=${1:?Usage: tests/demo.sh SERVER [LINKED]}
linked=${2-}
requests=100

# recorded NAME SERVER: $tmp/NAME.run, and what it says as $tmp/NAME.json
recorded()
{
	serve $requests "$GOLOAD" record -q -o "$tmp/$1.run" "$2"
	[ ! -s "$tmp/err" ] || die "record -q said: $(cat "$tmp/err")"
	"$GOLOAD" report "$tmp/$1.run" --format json >"$tmp/$1.json"
	grep -qE '"unexplained": *0 *(,|}|$)' "$tmp/$1.json" ||
		die "the report has: $(grep -o '"unexplained": *[^,}]*' \
			"$tmp/$1.json")"
}

# with_commas NUMBER
with_commas()
{
	sed -E ':again; s/([0-9])([0-9]{3})(,|$)/\1,\2\3/; t again' <<<"$1"
}

# difference A B: in bytes of VmSize, if the rows add up to it
difference()
{
	local rows total
	"$GOLOAD" compare "$tmp/$1.run" "$tmp/$2.run" --format json >"$tmp/both"
	total=$(sed -nE 's/^ {4}"vm_size": \{.*"difference": (-?[0-9]+)\},?$/\1/p' \
		"$tmp/both")
	rows=$(sed -nE 's/^ {4}\{"kind".*"difference": (-?[0-9]+), "why".*/\1/p' \
		"$tmp/both" | paste -sd+ | sed 's/+-/-/g')
	[ -n "$total" ] && [ $((rows)) = "$total" ] ||
		die "rows that come to $((rows)) for a difference of $total"
	echo "$total"
}

# threads NAME: how many it started
threads()
{
	echo $(($(sed -nE 's/^ *"clone3?": ([0-9]+),?$/\1/p' "$tmp/$1.json" |
		paste -sd+)))
}

# library_mappings NAME: of libc and of other libraries
library_mappings()
{
	awk -F '": ' '
		/^      "kind"/ { part = $2 ~ / (text|data)",?$/ }
		/^      "owner"/ { library = $2 ~ /^"(libc|library)"/ }
		/^      "mappings"/ && part && library { sum += $2 }
		END { print sum + 0 }' "$tmp/$1.json"
}

# in_words NAME: what its ledger says of libc's share, a line each
in_words()
{
	"$GOLOAD" report "$tmp/$1.run" | tr -s ' \n' ' ' |
		grep -oE '([0-9.,]+ [KM]iB is )?[0-9]+ (x \(|thread|malloc arena).* is of libc: [0-9]+ shared [a-z]+' |
		sed 's/\. /.\n/g' || true
}

serve $requests "$GOLOAD" "$server"
echo "\$ goload $server"
cat "$tmp/out" "$tmp/err"
grep -qiE 'unexplained +0( |$)|nothing is unexplained' "$tmp/err" ||
	die "the ledger does not close"
recorded static "$server"
[ -z "$PAGE" ] ||
	"$GOLOAD" report "$tmp/static.run" --format html -o "$PAGE" ||
	die "there is no page"

if [ -n "$linked" ]; then
	recorded libc "$linked"
	MALLOC_ARENA_MAX=1 recorded arena "$linked"
	added=$(difference static libc)
	fewer=$(difference libc arena)

	echo
	echo "\$ goload compare static.run libc.run"
	"$GOLOAD" compare "$tmp/static.run" "$tmp/libc.run"
	echo "Linked with libc, the server started $(threads libc) threads" \
		"($(threads static) static). Of its VmSize"
	in_words libc | sed 's/^/  /; s/librar.*/&, in '"$(library_mappings libc)"' mappings/'
	echo "and all rows together add $(with_commas "$added") bytes, as VmSize does."
	echo
	echo "\$ goload compare libc.run MALLOC_ARENA_MAX=1.run"
	"$GOLOAD" compare "$tmp/libc.run" "$tmp/arena.run"
	! in_words arena | grep -q malloc || die "there are arenas still"
	echo "MALLOC_ARENA_MAX=1: no malloc arena, $(with_commas "$fewer") bytes."
	echo
fi
[ -z "$PAGE" ] || echo "The first ledger, over time and to click through: $PAGE"
echo "demo: $requests requests answered by each server, nothing unexplained"
