#!/bin/sh
# What observer/symbol/memstats.h finds in a Go program's memory from outside is
# what runtime.ReadMemStats says within it: every number, whatever Go made the
# program and however it was linked; and a run's report has them.
. "$(dirname "$0")/lib.sh"

samples hello memstats memstats.pie memstats.cgo memstats.cgo-pie memstats.cgo-static
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

# reports FILE: the last numbers of a report are those that the program said
# before it ended, and the timeline ends with them
reports()
{
	recorded last -- "$1" </dev/null
	sed '/^end$/d' "$tmp/last.out" | sort >"$tmp/said"
	jq -r '.memstats | select(.available and .reason == null)
		| . as $all | .timeline[-1]
		| to_entries[] | select(.key != "t")
		| select(.value == $all[.key]) | "\(.key) \(.value)"' \
		"$tmp/last.json" | sort >"$tmp/numbers"
	[ "$(wc -l <"$tmp/said")" = 14 ] && diff "$tmp/said" "$tmp/numbers" &&
		closes last
}

# sampled COUNT: as often, by the run as it is now
sampled()
{
	"$GOLOAD" report --format json "$tmp/time.run" 2>/dev/null |
		jq -e --argjson count "$1" \
			'(.memstats.timeline // []) | length >= $count'
}

# While a program waits, one sample after the other goes into the run file.
over_time()
{
	mkfifo "$tmp/quiet"
	recorded time -- "$SAMPLES/go/memstats" <"$tmp/quiet" &
	exec 8>"$tmp/quiet"
	tries=0
	until grep -q '^end' "$tmp/time.out" && sampled 5; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || break
		sleep 0.1
	done
	exec 8>&-
	wait
	jq -e '.memstats.timeline | length > 5
		and all(range(1; length) as $i
			| .[$i - 1].t < .[$i].t; .)
		and .[0].sys <= .[-1].sys' "$tmp/time.json"
}

# A hello that is over before anything was sampled has its last numbers.
short()
{
	recorded short -- "$1" </dev/null
	jq -e '.memstats | .available and .sys > 0 and .heap_inuse > 0
		and .sys == .heap_sys + .stack_sys + .mspan_sys + .mcache_sys +
			.buck_hash_sys + .gc_sys + .other_sys' \
		"$tmp/short.json"
}

not_go()
{
	recorded c -- "$SAMPLES/c-glibc-static/hello" &&
		jq -e 'has("memstats") and .memstats == null' "$tmp/c.json"
}

# A Go whose runtime's code is another: here, without its names.
unknown()
{
	sed 's/runtime\.readmemstats_m/runtime.readmemstats_x/g
		s/runtime\.(\*consistentHeapStats)/runtime.(*consistentHeapXtats)/g' \
		"$SAMPLES/go/memstats" >"$tmp/unknown"
	chmod +x "$tmp/unknown"
	recorded unknown -- "$tmp/unknown" </dev/null
	jq -e '.memstats | .available == false and (.reason | length > 9)
		and .sys == null and .timeline == []' "$tmp/unknown.json"
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

fact "a report's last numbers are those that the program said" \
	all memstats reports
fact "also of a stripped one" all memstats.stripped reports
fact "of a PIE" all memstats.pie reports
fact "and of programs linked with libc" all 'memstats.cgo*' reports
fact "they are sampled while the program runs" over_time
fact "a short program has its last" all hello short
fact "what is no Go program has none" not_go
fact "of a runtime that is not known the report says why" unknown
finish
