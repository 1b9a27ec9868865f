#!/bin/sh
# The stack of each memory call, from C, Go and both, goes back to the start of
# the program, of its thread or of its goroutine; one that does not is counted.
# As root and as another user, patched and through the net alone.
# shellcheck disable=SC1091,SC2317
. "$(dirname "$0")/lib.sh"

samples hello churn hello.pie hello.cgo hello.cgo-pie hello.cgo-static \
	hello.race churn.cgo hello.dynamic malloc.dynamic threads.dynamic
helper stacks_calls -O2 -fomit-frame-pointer -pthread
helper stacks_holes -O1 -pthread
helper dynamic_open -ldl
musl-gcc -O1 -D_GNU_SOURCE "$here/helpers/stacks_holes.c" -idirafter /usr/include \
	-idirafter "/usr/include/$(uname -m)-linux-gnu" -o "$tmp/stacks_musl" ||
	skip "musl-gcc is missing (Debian: musl-tools)"
$CC -O2 -fomit-frame-pointer -static -pthread "$here/helpers/stacks_calls.c" \
	-o "$tmp/stacks_static"

# Each Go's, and with its race detector: $tmp/back.go1.26.8, back.go1.26.8-race
go_back()
{
	for go in go /usr/lib/go/bin/go; do
		command -v "$go" >/dev/null || continue
		for race in '' -race; do
			# shellcheck disable=SC2086
			(cd "$here/helpers" && CGO_ENABLED=1 GOPROXY=off \
				GOTOOLCHAIN=local GOFLAGS=-buildvcs=false \
				"$go" build $race -o "$tmp/back.$("$go" \
				env GOVERSION)$race" stacks_back.go) || return
		done
	done
}

go_back >"$tmp/build" 2>&1 || {
	cat "$tmp/build"
	exit 1
}
mkdir "$tmp/samples"
cp -R "$SAMPLES"/go1* "$SAMPLES"/c-* "$tmp/samples"
cp "$GOLOAD" "$tmp/goload"
SAMPLES=$tmp/samples
GOLOAD=$tmp/goload
chmod 777 "$tmp"

# whole COMMAND...: of a thousand stacks at most one is cut.
whole()
{
	rm -f "$tmp/whole.run"
	recorded whole --patch="$mode" -- "$@" </dev/null >/dev/null
	closes whole || return
	jq -e '.events.count > 0 and
		.events.truncated * 1000 <= .events.count' \
		"$tmp/whole.json" >/dev/null && return
	echo "$*: $(jq -c '.events | [.truncated, .count]' "$tmp/whole.json")"
	return 1
}

all_whole()
{
	for build in $(cd "$SAMPLES" && find . -type f \( -name hello -o \
		-name churn -o -name 'churn.cgo' -o -name 'hello.*' -o \
		-name malloc -o -name threads \) ! -name '*.race' | sort); do
		whole "$SAMPLES/$build" || return
	done
}

# The race detector runs on g0's stack for a goroutine.
races_whole()
{
	for build in "$SAMPLES"/go1*/hello.race "$tmp"/back.*-race; do
		whole "$build" || return
	done
}

# The functions of one stack, in this order, others between them
order='growsHeap callsBack cgocallback crosscall2 inC enters asmcgocall
	callsBack cgocallback crosscall2 inC enters asmcgocall
	callsC main[.]main[^ ]* goexit'

has_order()
{
	tr '\n' ' ' <"$1" | sed 's/  *[0-9.]* [KMG]iB /\n&/g' | grep -q "$(
		printf ' [^ ]*%s .*' $order)"
}

# From C back into Go and so on: the whole way is there.
backs_whole()
{
	for build in "$tmp"/back.*; do
		whole "$build" || return
		"$GOLOAD" report --why=heap "$tmp/whole.run" >"$tmp/why"
		has_order "$tmp/why" && continue
		echo "${build##*/}: no stack has all of" $order
		return 1
	done
}

interpreters()
{
	whole "$tmp/dynamic_open" 30 libm.so.6 cos || return
	for program in python3 perl node; do
		at=$(command -v "$program") || continue
		# a wrapper is a script
		[ "$(head -c 4 "$at" | tail -c 3)" = ELF ] ||
			at=/usr/bin/$program
		[ -x "$at" ] || continue
		case $program in
		python3) whole "$at" -c 'import json, socket, threading' ;;
		perl) whole "$at" -e 'use POSIX; my @a = (1) x 1000000;' ;;
		node) whole "$at" -e 'JSON.stringify([...Array(100000).keys()])' ;;
		esac || return
	done
}

# The call that maps 3 MiB is the function's, whatever way leads to it.
from_place()
{
	for build in "$tmp"/stacks_calls "$tmp"/stacks_static; do
		rm -f "$tmp/place.run"
		recorded place --patch="$mode" -- "$build" "$1"
		closes place || return
		jq -e --argjson cut "$2" '.events.truncated == $cut and
			any(.ledger[].sites[]; .bytes == 3145728 and
				.function == "maps_memory")' \
			"$tmp/place.json" >/dev/null && continue
		echo "$build $1: $(jq -c '[.events.truncated, .ledger[].sites]' \
			"$tmp/place.json")"
		return 1
	done
}

# as_natively WHAT: no stack is so odd that a copy of it harms
as_natively()
{
	for build in stacks_holes stacks_musl; do
		case $build-$1 in
		stacks_musl-guards | stacks_musl-thread) continue ;;
		esac
		rm -f "$tmp/odd.run"
		run native "$tmp/$build" "$1"
		recorded odd --patch="$mode" -- "$tmp/$build" "$1"
		alike native odd && closes odd && continue
		echo "$build $1: $(cat "$tmp/odd.end")"
		return 1
	done
}

for user in '' "setpriv --reuid=65534 --regid=65534 --clear-groups"; do
	[ -z "$user" ] || [ "$(id -u)" = 0 ] || continue
	as=$user
	name=$([ "$user" ] && echo nobody || id -un)
	for mode in all none; do
		where="$name, --patch=$mode"
		fact "999 of 1000 stacks are whole, $where" all_whole
		fact "those of interpreters, too, $where" interpreters
		fact "those of the race detector, too, $where" races_whole
		fact "those of C that calls back into Go, $where" backs_whole
		fact "a call three deep, $where" from_place chain 0
		fact "in a thread, $where" from_place thread 0
		fact "in a signal handler, $where" from_place signal 0
		fact "in one with a stack of its own, $where" \
			from_place altstack 0
		fact "in a coroutine, $where" from_place coroutine 0
		fact "one that is too deep is counted, $where" \
			from_place alloca 1
		fact "one with holes in it, $where: as natively" \
			as_natively guards
		fact "the same in a thread, $where" as_natively thread
		# the net's signal needs a stack
		[ $mode = none ] ||
			fact "one that was never there, $where" \
				as_natively below
		fact "the ends of detached threads under a filter, $where" \
			as_natively filter
	done
done
finish
