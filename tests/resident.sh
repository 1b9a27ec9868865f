#!/bin/sh
# What is resident is told apart, and what a program has given back: the numbers
# are those that the program itself sees in smaps.
. "$(dirname "$0")/lib.sh"

helper pages
cp "$tmp/pages" "$tmp/pages-dynamic"
helper pages -static

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

as_another()
{
	as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	chmod 777 "$tmp"
	same another "$tmp/pages"
	result=$?
	as=
	return $result
}

fact "a static program's pages are as smaps has them" same plain "$tmp/pages"
fact "those of one linked with libc" same libc "$tmp/pages-dynamic"
fact "and huge ones" same huge "$tmp/pages" huge
if [ "$(id -u)" = 0 ]; then
	fact "also for a user without rights" as_another
else
	left_out "also for a user without rights" "that is who runs this"
fi
finish
