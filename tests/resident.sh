#!/bin/sh
# What is resident is told apart, and what a program has given back: the numbers
# are those that the program itself sees in smaps.
. "$(dirname "$0")/lib.sh"

helper pages
cp "$tmp/pages" "$tmp/pages-dynamic"
helper pages -static
helper resident_steps
cp "$tmp/resident_steps" "$tmp/steps-dynamic"
helper resident_steps -static
dd if=/dev/zero of="$tmp/data" bs=1048576 count=1 2>/dev/null

# same NAME COMMAND...: the report has what the program said
same()
{
	name=$1
	shift
	recorded "$name" -- "$@"
	sort "$tmp/$name.out" >"$tmp/$name.said"
	[ "$(wc -l <"$tmp/$name.said")" = 5 ] || return
	jq -r '([.ledger[] | .shared] | add) as $shared
		| .ledger[] | select(.kind == "mapping")
		| {returned, came_back, anonymous, huge, shared: $shared}
		| to_entries[] | "\(.key) \(.value)"' \
		"$tmp/$name.json" | sort >"$tmp/$name.found"
	diff "$tmp/$name.said" "$tmp/$name.found" && closes "$name"
}

# over_time NAME PROGRAM: at each of its steps the rows have what smaps had then.
# What has no row at the end is gone.
over_time()
{
	rm -f "$tmp/from" "$tmp/to" "$tmp/$1.run"
	$as mkfifo "$tmp/from" "$tmp/to"
	$as "$tmp/ended" "$HUNG" "$tmp/$1.end" "$GOLOAD" record -q \
		-o "$tmp/$1.run" "$2" do "$tmp/data" >"$tmp/from" <"$tmp/to" &
	$as "$tmp/ended" "$HUNG" "$tmp/$1.watched" "$tmp/resident_steps" \
		watch "$tmp/$1.run" "$tmp/from" "$tmp/to" >"$tmp/$1.said"
	wait $!
	"$GOLOAD" report --format json "$tmp/$1.run" >"$tmp/$1.json"
	cat "$tmp/$1.end" "$tmp/$1.watched"
	[ "$(wc -l <"$tmp/$1.said")" = 8 ] || return
	jq -r --rawfile said "$tmp/$1.said" '. as $report
		| $said | split("\n")[] | select(. != "")
		| capture("^(?<at>[0-9]+) [0-9]+ (?<kind>.*)$")
		| .kind as $kind | (.at | tonumber) as $at
		| [$report.ledger[] | select(.kind == $kind)] as $rows
		| if $rows == [] then $report.gone_resident_at[$at]
		  else [$rows[].resident_at[$at]] | add end
		| "\($at) \(.) \($kind)"' "$tmp/$1.json" >"$tmp/$1.found"
	diff "$tmp/$1.said" "$tmp/$1.found" && closes "$1"
}

as_another()
{
	as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	chmod 777 "$tmp"
	"$@"
	result=$?
	as=
	return $result
}

fact "a static program's pages are as smaps has them" same plain "$tmp/pages"
fact "those of one linked with libc" same libc "$tmp/pages-dynamic"
fact "and huge ones" same huge "$tmp/pages" huge
fact "over time a static program's rows are as smaps has them" \
	over_time steps "$tmp/resident_steps"
fact "and those of one linked with libc" \
	over_time steps-dynamic "$tmp/steps-dynamic"
if [ "$(id -u)" = 0 ]; then
	fact "also for a user without rights" as_another same another "$tmp/pages"
	fact "and for such a one over time" \
		as_another over_time alone "$tmp/resident_steps"
else
	left_out "also for a user without rights" "that is who runs this"
fi
finish
