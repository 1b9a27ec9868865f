#!/bin/sh
# Two runs side by side: the rows' differences add up, to the byte, to that of
# VmSize, for the static and the libc-linked server, and without arenas.
. "$(dirname "$0")/lib.sh"

samples http http.cgo

# served NAME SERVER: twenty requests under `goload record`
served()
{
	rm -f "$tmp/$1.run"
	bash "$here/serve.sh" 20 \
		"$GOLOAD" record -q -o "$tmp/$1.run" "$SAMPLES/$2" || return
	"$GOLOAD" report --format json "$tmp/$1.run" >"$tmp/$1.json"
	closes "$1"
}

# compared A B: leaves $tmp/both.json
compared()
{
	"$GOLOAD" compare --format json "$tmp/$1.run" "$tmp/$2.run" \
		>"$tmp/both.json"
}

# The rules of a comparison, as a list of those that it breaks.
adds_up_rules='
	$a[0] as $a | $b[0] as $b | .totals as $t
	| def all_rows(report): [report | (.ledger[] | .reserved + .committed),
		.totals.goload, .totals.unexplained];
	  [ ["the schema", .schema == "goload/1"],
	    ["the differences of the rows are that of VmSize",
	     ([.ledger[].difference] | add) == $t.vm_size.difference],
	    ["the rows of A are its VmSize",
	     ([.ledger[].a] | add) == $t.vm_size.a],
	    ["the rows of B are its VmSize",
	     ([.ledger[].b] | add) == $t.vm_size.b],
	    ["each difference is one",
	     all((.ledger[], $t[]); .difference == .b - .a)],
	    ["each row is once", ([.ledger[] | [.kind, .owner]] |
	     length == (unique | length))],
	    ["no row of A is missing", ([.ledger[].a] | map(select(. > 0)) |
	     sort) == (all_rows($a) | map(select(. > 0)) | sort)],
	    ["no row of B is missing", ([.ledger[].b] | map(select(. > 0)) |
	     sort) == (all_rows($b) | map(select(. > 0)) | sort)],
	    ["the totals are those of the reports",
	     all("vm_size", "target", "goload", "unexplained", "reserved",
	         "committed", "resident", "peak_vm_size", "mappings"; . as $k |
	         $t[$k].a == $a.totals[$k] and $t[$k].b == $b.totals[$k])],
	    ["most difference comes first", ([.ledger[] |
	     select(.owner != "goload" and .kind != "unexplained") |
	     .difference | if . < 0 then -. else . end] |
	     . == (sort | reverse))] ]
	| map(select(.[1] | not) | .[0]) | .[]'

# adds_up A B: what $tmp/both.json breaks
adds_up()
{
	broken=$(jq -r --slurpfile a "$tmp/$1.json" \
		--slurpfile b "$tmp/$2.json" "$adds_up_rules" \
		"$tmp/both.json" 2>&1) || broken="no comparison: $broken"
	[ -s "$tmp/both.json" ] || broken="no comparison"
	[ -n "$broken" ] || return 0
	printf 'does not hold: %s\n' "$broken"
	return 1
}

static_with_libc()
{
	compared static libc && adds_up static libc &&
		jq -e '.a.linkage == "static" and .b.linkage == "dynamic" and
			.totals.vm_size.difference > 0' "$tmp/both.json"
}

turned_round()
{
	compared static libc && mv "$tmp/both.json" "$tmp/forth.json" &&
		compared libc static && adds_up libc static &&
		jq -e --slurpfile forth "$tmp/forth.json" \
			'.totals.vm_size.difference ==
			-$forth[0].totals.vm_size.difference' "$tmp/both.json"
}

with_itself()
{
	compared libc libc && adds_up libc libc &&
		jq -e 'all((.ledger[], .totals[]); .difference == 0)' \
			"$tmp/both.json"
}

# What stands on the screen is what the document says.
in_words()
{
	compared static libc || return
	"$GOLOAD" compare "$tmp/static.run" "$tmp/libc.run" >"$tmp/screen" ||
		return
	said=$(sed -n 's/^ *B has \(.*\) MiB more VmSize than A: .*/\1/p
		s/^  VmSize .* +\(.*\) MiB$/\1/p' "$tmp/screen")
	[ "$(echo "$said" | wc -l)" = 2 ] && for mib in $said; do
		jq -e --argjson mib "$mib" '.totals.vm_size.difference /
			1048576 - $mib | . > -0.06 and . < 0.06' \
			"$tmp/both.json" || said=
	done
	[ -n "$said" ] &&
		grep -F "$SAMPLES/$go/http.cgo   $go, dynamic" "$tmp/screen" &&
		return
	cat "$tmp/screen"
	return 1
}

fewer_reserved()
{
	compared libc arena && adds_up libc arena &&
		jq -e '.totals.reserved.difference < -60000000' \
			"$tmp/both.json" && return
	jq -c .totals "$tmp/both.json"
	return 1
}

whole_arenas()
{
	jq -e '[.ledger[] | select(.kind == "malloc arena" and
		.owner == "libc").difference] | add |
		. < 0 and . % 67108864 == 0' "$tmp/both.json" && return
	jq -c '.ledger[]' "$tmp/both.json"
	return 1
}

# ---- controls and errors ------------------------------------------------------

breaks()
{
	compared static libc && adds_up static libc || return
	mv "$tmp/both.json" "$tmp/good.json"
	for edit in '.ledger[0].difference += 1' '.ledger[0].a += 4096' \
		'.ledger[0].b -= 4096' 'del(.ledger[0])' \
		'.ledger += [.ledger[0]]' '.ledger |= reverse' \
		'.totals.reserved.a += 1' '.schema = "goload/2"' \
		'del(.totals)' empty; do
		jq "$edit" "$tmp/good.json" >"$tmp/both.json"
		fails adds_up static libc && continue
		echo "adds up all the same: $edit"
		return 1
	done
}

# refuses SAID ARGUMENT...: one line, and 125
refuses()
{
	said=$1
	shift
	run refused "$GOLOAD" compare "$@"
	[ "$(head -n 1 "$tmp/refused.err")" = "goload: $said" ] &&
		[ "$(cat "$tmp/refused.end")" = 'exited 125' ] &&
		[ ! -s "$tmp/refused.out" ] && return
	cat "$tmp/refused.err" "$tmp/refused.end"
	return 1
}

# -----------------------------------------------------------------------------

for go in $(cd "$SAMPLES" && ls -d go1* | sort -V); do
	fact "$go: the static server closes" served static "$go/http"
	fact "$go: the libc-linked server closes" served libc "$go/http.cgo"
	MALLOC_ARENA_MAX=1 fact "$go: the libc-linked server with one arena closes" \
		served arena "$go/http.cgo"
	fact "$go: static and libc-linked, the rows add up" static_with_libc
	fact "$go: turned round, so do the signs" turned_round
	fact "$go: a run has no difference from itself" with_itself
	fact "$go: the screen says so too" in_words
	fact "$go: MALLOC_ARENA_MAX=1 reserves less" fewer_reserved
	if jq -e 'any(.ledger[]; .kind == "malloc arena")' \
		"$tmp/libc.json" >/dev/null; then
		fact "$go: by whole arenas of 64 MiB" whole_arenas
	else
		left_out "$go: by whole arenas of 64 MiB" "no arenas by name yet"
	fi
done
fact "control: a comparison that breaks a rule does not add up" breaks

echo no run >"$tmp/none"
: >"$tmp/empty"
fact "a file that is no run is refused" \
	refuses "$tmp/none: is not a run file" "$tmp/static.run" "$tmp/none"
fact "an empty file is refused" \
	refuses "$tmp/empty: is not a run file" "$tmp/empty" "$tmp/static.run"
fact "a program is refused" \
	refuses "$GOLOAD: is not a run file" "$GOLOAD" "$tmp/static.run"
fact "a directory is refused" refuses "$tmp: cannot be read: Is a directory" \
	"$tmp" "$tmp/static.run"
fact "a missing file is refused" refuses \
	"$tmp/gone: cannot be read: No such file or directory" \
	"$tmp/static.run" "$tmp/gone"
fact "one file is refused" refuses "two files are compared" "$tmp/static.run"
fact "three files are refused" refuses "$tmp/none: two files are compared" \
	"$tmp/static.run" "$tmp/libc.run" "$tmp/none"
finish
