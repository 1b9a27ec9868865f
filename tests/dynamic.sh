#!/bin/sh
# Programs whose code arrives piece by piece run as natively, and close: C and
# Go, with glibc and musl, PIE or not; libraries opened and closed, preloaded,
# audited; the loader run by hand; threads, children, interpreters. As root and
# as another user, patched and through the net alone.
. "$(dirname "$0")/lib.sh"

each='hello args churn nil wait spin sections dump0 dropuid'
for name in $each; do
	each="$each $name.pie $name.cgo $name.cgo-pie $name.cgo-static"
done
# shellcheck disable=SC2086
samples $each hello.dynamic scanf.dynamic string.dynamic malloc.dynamic \
	threads.dynamic fork.dynamic signals.dynamic
helper dynamic_open -ldl
helper dynamic_preload -shared -fPIC
helper dynamic_spawn
helper dynamic_threads -pthread
helper dynamic_detached -pthread
musl-gcc -O1 "$here/helpers/dynamic_threads.c" -o "$tmp/musl_threads" ||
	skip "musl-gcc is missing (Debian: musl-tools)"
musl-gcc -O1 "$here/helpers/dynamic_detached.c" -o "$tmp/musl_detached"
loader=/lib64/ld-linux-x86-64.so.2
[ -x $loader ] || skip "no glibc at $loader"
musl_loader=/lib/ld-musl-x86_64.so.1

# Another user must reach them all.
mkdir "$tmp/samples"
cp -R "$SAMPLES"/go1* "$SAMPLES"/c-*dynamic* "$tmp/samples"
cp "$GOLOAD" "$tmp/goload"
SAMPLES=$tmp/samples
GOLOAD=$tmp/goload
chmod 777 "$tmp" # where that user's runs are kept
: >"$tmp/nothing"

# builds NAME: those that a dynamic loader or a libc brings to life
builds()
{
	(cd "$SAMPLES" && find go1* c-*dynamic* \( -name "$1" -path 'c-*' -o \
		-name "$1.pie" -o -name "$1.cgo*" \) -type f | sort)
}

# left_to_net FILE: sites of it that are not patched
left_to_net()
{
	"$GOLOAD" inspect --format json "$1" |
		jq '[.sites[] | select(.patched | not)] | length'
}

# in_net NAME KIND: every call is patched, or (--patch=none) none is. Of musl a
# few sites are left to the net: inspect names them.
in_net()
{
	hits=$(jq .events.net_hits "$tmp/$1.json")
	if [ "$mode" = none ]; then
		[ "$hits" -ge "$(jq .events.count "$tmp/$1.json")" ] && return
	else
		[ "$hits" = 0 ] && return
		case $2 in
		*musl*) [ "$(left_to_net $musl_loader)" -gt 0 ] &&
			return ;;
		esac
	fi
	echo "$hits calls carried by the net"
	return 1
}

# same KIND COMMAND...: natively and here, with $tmp/input to read
same()
{
	kind=$1
	shift
	run native "$@" <"$input"
	recorded here --patch="$mode" -- "$@" <"$input"
	alike native here && closes here && in_net here "$kind" && return
	echo "in $kind: natively $(cat "$tmp/native.end")," \
		"under goload $(cat "$tmp/here.end")"
	return 1
}

# as_natively SAMPLE ARGUMENT...: in each such build of it
as_natively()
{
	sample=$1
	shift
	[ -n "$(builds "$sample")" ] || return
	for build in $(builds "$sample"); do
		same "$build" "$SAMPLES/$build" "$@" || return
	done
}

# A panic shows addresses: a PIE has others each time.
panics()
{
	for build in $(builds nil); do
		run native "$SAMPLES/$build" die
		recorded here --patch="$mode" -- "$SAMPLES/$build" die
		sed -E -i 's/0x[0-9a-f]{8,}/0x/g' "$tmp/native.err" \
			"$tmp/here.err"
		alike native here && closes here && continue
		echo "in $build"
		return 1
	done
}

# ---- what loads code ----------------------------------------------------------

opened()
{
	same open "$tmp/dynamic_open" 300 libm.so.6 cos &&
		grep -qx 'found 300' "$tmp/here.out"
}

# with_library VARIABLE SAID BUILD...: the library does its part. It does it in
# goload too, before; that is left out.
with_library()
{
	variable=$1
	what=$2
	shift 2
	for build; do
		rm -f "$tmp/here.run"
		for under in '' \
			"$GOLOAD record -q --patch=$mode -o $tmp/here.run"; do
			# shellcheck disable=SC2086
			run "${under:+here}" env "$variable=$tmp/dynamic_preload" \
				$under "$SAMPLES/c-$build/hello"
		done
		mv "$tmp/.out" "$tmp/native.out"
		tail -n "$(wc -l <"$tmp/native.out")" "$tmp/here.out" \
			>"$tmp/last.out"
		"$GOLOAD" report --format json "$tmp/here.run" \
			>"$tmp/here.json"
		grep -q "^$what" "$tmp/native.out" && closes here &&
			cmp "$tmp/.end" "$tmp/here.end" &&
			diff "$tmp/native.out" "$tmp/last.out" || return
	done
}

by_hand()
{
	for build in glibc-dynamic glibc-dynamic-nopie; do
		same "$build" $loader "$SAMPLES/c-$build/hello" || return
	done
	same musl-dynamic $musl_loader "$SAMPLES/c-musl-dynamic/hello" &&
		same go $loader "$SAMPLES/go/hello.pie" &&
		same go $loader "$SAMPLES/go/hello.cgo-pie"
}

# LD_DEBUG's lines begin with the pid, and some hold addresses. Those of goload
# itself come first, and its observer has another pid.
debugged()
{
	hello=$SAMPLES/c-glibc-dynamic/hello
	rm -f "$tmp/here.run"
	run native env LD_DEBUG=all "$hello"
	LD_DEBUG=all run here "$GOLOAD" record -q --patch="$mode" \
		-o "$tmp/here.run" "$hello"
	cmp "$tmp/native.out" "$tmp/here.out" &&
		cmp "$tmp/native.end" "$tmp/here.end" || return
	for name in native here; do
		awk '/needed by .*\/hello/ { pid = $1 } $1 == pid' \
			"$tmp/$name.err" |
			sed -E 's/^ *[0-9]+:/pid:/; s/0x[0-9a-f]+/0x/g' \
				>"$tmp/$name.debug"
	done
	[ -s "$tmp/native.debug" ] && diff "$tmp/native.debug" "$tmp/here.debug"
}

spawned()
{
	same spawn "$tmp/dynamic_spawn" /bin/true 20 &&
		grep -qx 'spawned 20, kept 20, handled 20' "$tmp/here.out"
}

# ---- counts -------------------------------------------------------------------

calls='mmap munmap mremap mprotect madvise brk clone clone3 vfork fork execve
	exit exit_group arch_prctl mlock munlock'

# counted COMMAND...: as many calls of each kind as strace saw natively, on
# which the first is the execve of its own child
counted()
{
	strace -f -o "$tmp/strace" "$@" >/dev/null 2>&1 || return
	sed -nE '1d; s/^[0-9]+ +([a-z_0-9]+)\(.*/\1/p' "$tmp/strace" |
		awk -v calls="$(echo $calls)" '
		BEGIN { split(calls, name, " "); for (i in name) wanted[name[i]] }
		$1 in wanted { n[$1]++ }
		END { for (call in n) print n[call], call }' | sort -k 2 \
		>"$tmp/kernel"
	recorded here --patch="$mode" -- "$@"
	by_call "$tmp/here.json" >"$tmp/here.calls"
	[ -s "$tmp/kernel" ] && diff "$tmp/kernel" "$tmp/here.calls" &&
		closes here
}

against_strace()
{
	if ! strace -o /dev/null true; then
		left_out "counts as natively, --patch=$mode" "strace does not run"
		return
	fi
	# where an arena lies decides into how many parts it is cut
	MALLOC_ARENA_MAX=1 \
		fact "2,000 threads, $how: as many calls as natively" \
		counted "$tmp/dynamic_threads" 2000
	fact "2,000 threads with musl, $how: as many calls as natively" \
		counted "$tmp/musl_threads" 2000
	fact "300 libraries opened, $how: as many calls as natively" \
		counted "$tmp/dynamic_open" 300 libm.so.6 cos
	fact "hello, $how: as many calls as natively" \
		counted "$SAMPLES/c-glibc-dynamic/hello"
	fact "hello with musl, $how: as many calls as natively" \
		counted "$SAMPLES/c-musl-dynamic/hello"
}

unseen()
{
	counted "$SAMPLES/c-glibc-dynamic/hello" || return
	by_call "$tmp/here.json" | sed '1s/^[0-9]*/0/' >"$tmp/kernel"
	fails diff "$tmp/kernel" "$tmp/here.calls"
}

# ---- interpreters -------------------------------------------------------------

# interpreter NAME COMMAND...: when it is here, and another user may run it
interpreter()
{
	what=$1
	shift
	if [ -z "$1" ] ||
		! $as sh -c '"$0" --version' "$1" >/dev/null 2>&1; then
		left_out "$what, $how: as natively, and closed" "not here"
		return
	fi
	fact "$what, $how: as natively, and closed" same "$what" "$@"
}

# -----------------------------------------------------------------------------

program()
{
	command -v "$1" || true
}
# not pyenv's script, but what it starts
python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null) || python=
perl=$(program perl)
node=$(program node)

everything()
{
	how="as $1, --patch=$mode"
	input=$tmp/nothing
	fact "hello, $how: as natively, and closed" as_natively hello
	fact "arguments, $how: as natively, and closed" \
		as_natively args 'a b' '' "quoted 'so'"
	fact "churn, $how: as natively, and closed" as_natively churn 100
	fact "a nil dereference recovered, $how: as natively, and closed" \
		as_natively nil
	fact "a nil dereference that panics, $how: as natively, and closed" \
		panics
	fact "waiting for no child, $how: as natively, and closed" \
		as_natively wait
	fact "the sections of itself, $how: as natively, and closed" \
		as_natively sections
	fact "a program that is not dumpable, $how: as natively, and closed" \
		as_natively dump0
	fact "a program that drops its user, $how: as natively, and closed" \
		as_natively dropuid
	fact "eight threads, children and the collector, $how: as natively" \
		as_natively spin "$tmp/profile" 100
	rm -f "$tmp/profile"
	fact "scanf without input, $how: as natively, and closed" \
		as_natively scanf
	echo 42 >"$tmp/number"
	input=$tmp/number
	fact "scanf, $how: as natively, and closed" as_natively scanf
	fact "a string, $how: as natively, and closed" as_natively string
	input=$tmp/nothing
	fact "malloc, $how: as natively, and closed" as_natively malloc 3000
	fact "threads, $how: as natively, and closed" as_natively threads 10
	fact "fork and vfork, $how: as natively, and closed" as_natively fork
	fact "a storm of signals, $how: as natively, and closed" \
		as_natively signals 100
	fact "300 libraries opened, $how: as natively, and closed" opened
	fact "2,000 threads, $how: as natively, and closed" \
		same threads "$tmp/dynamic_threads" 2000
	fact "2,000 threads with musl, $how: as natively, and closed" \
		same musl-threads "$tmp/musl_threads" 2000
	fact "1,000 detached threads, $how: as natively, and closed" \
		same threads "$tmp/dynamic_detached" 1000
	fact "the same with musl, $how: as natively, and closed" \
		same musl-threads "$tmp/musl_detached" 1000
	fact "posix_spawn with a handler of SIGSYS, $how: as natively" spawned
	fact "LD_PRELOAD, $how: as natively" \
		with_library LD_PRELOAD 'preloaded: hello world' \
		glibc-dynamic glibc-dynamic-nopie musl-dynamic
	fact "LD_AUDIT, $how: as natively" with_library LD_AUDIT 'loaded: ' \
		glibc-dynamic glibc-dynamic-nopie
	fact "ld.so PROGRAM, $how: as natively, and closed" by_hand
	fact "LD_DEBUG=all, $how: as natively" debugged
	interpreter perl "$perl" -e 'print join(" ", map { $_ * $_ } 1..99), "\n"'
	interpreter python "$python" -c 'print(sum(i * i for i in range(99999)))'
	interpreter node "$node" -e 'console.log([1, 2, 3].map(i => i * i))'
}

every_user()
{
	mode=$1
	as=
	everything "$(id -un)"
	against_strace
	[ "$(id -u)" = 0 ] || return
	as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	everything nobody
	as=
}

every_user all
fact "control: a call that is no event is noticed" unseen
every_user none
finish
