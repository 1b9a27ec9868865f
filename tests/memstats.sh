#!/bin/sh
# What observer/symbol/memstats.h finds in a Go program's memory from outside is
# what runtime.ReadMemStats says within it: every number, whatever Go made the
# program and however it was linked.
. "$(dirname "$0")/lib.sh"

samples memstats memstats.pie memstats.cgo memstats.cgo-pie memstats.cgo-static
ask=$PWD/tests/memstats_ask # of make check, as this is
[ -x "$ask" ] || skip "$ask is not built"

# asked FILE ARGUMENT...: leaves $tmp/numbers, "name said found" a line
asked()
{
	timeout "$HUNG" "$ask" "$@" >"$tmp/numbers" || return
	[ "$(wc -l <"$tmp/numbers")" = 14 ]
}

# equal: all that is said is found, and it is something
equal()
{
	awk '$2 != $3 || $2 == 0 { print; bad = 1 } END { exit bad }' \
		"$tmp/numbers"
}

# same FILE: as it starts, and when profiling has taken more
same()
{
	for argument in '' profile; do
		# shellcheck disable=SC2086
		asked "$1" $argument && equal || return
	done
}

# all PATTERN FACT: it holds for each of these samples, and there are some
all()
{
	files=$(cd "$SAMPLES" && find go1*/ -name "$1" -type f | sort)
	[ -n "$files" ] || return
	for file in $files; do
		"$2" "$SAMPLES/$file" && continue
		echo "in $file"
		return 1
	done
}

# Without the names of the sections, without symbols, without DWARF.
bare()
{
	cp "$1" "$tmp/bare"
	printf '\0\0\0\0\0\0\0\0' |
		dd of="$tmp/bare" bs=1 seek=40 conv=notrunc 2>/dev/null
	printf '\0\0\0\0\0\0' |
		dd of="$tmp/bare" bs=1 seek=58 conv=notrunc 2>/dev/null
	same "$tmp/bare"
}

notices()
{
	printf 'sys 1 1\nheap_sys 2 3\n' >"$tmp/numbers"
	fails equal
}

says_why()
{
	[ "$("$ask" "$ask" 2>&1)" = \
		"the program is none of Go's" ]
}

fact "control: a number that differs is noticed" notices
fact "a static program's numbers are found" all memstats same
fact "those of a stripped one too" all memstats.stripped same
fact "and without sections" all memstats.stripped bare
fact "those of a PIE, linked by Go" all memstats.pie same
fact "those of programs linked with libc" all 'memstats.cgo*' same
fact "of a program that is none of Go's it says so" says_why
finish
