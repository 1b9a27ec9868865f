#!/bin/sh
# Every memory call is an event: as many of each as the kernel counts, for the
# very same run (tracefs), and for programs that do the same each time as
# strace counts natively. And what is not an event is unexplained.
. "$(dirname "$0")/lib.sh"

samples hello churn malloc fork threads signals spin hello.dynamic \
	churn.dynamic malloc.dynamic fork.dynamic threads.dynamic \
	signals.dynamic hello.pie hello.cgo hello.cgo-pie hello.cgo-static \
	churn.pie churn.cgo churn.cgo-pie churn.cgo-static spin.cgo http.cgo
helper drop
helper dynamic_open -ldl
helper dynamic_threads -pthread
musl-gcc -O1 "$here/helpers/dynamic_threads.c" -o "$tmp/musl_threads" ||
	skip "musl-gcc is missing (Debian: musl-tools)"
newest=$(cd "$SAMPLES" && ls -d go1* | sort -V | tail -n 1)
tracing=
calls='mmap munmap mremap mprotect pkey_mprotect madvise process_madvise brk
	shmat shmdt remap_file_pages mlock mlock2 munlock mlockall munlockall
	mseal map_shadow_stack io_setup io_destroy arch_prctl clone clone3 fork
	vfork execve execveat exit exit_group'
calls=$(echo $calls)

clean_up()
{
	[ -n "$tracing" ] || return 0
	echo 0 >"$tracing/tracing_on"
	echo >"$tracing/set_event_pid"
	rmdir "$tracing"
	umount "$tmp/tracing"
}

# recorded_only: of "call argument" lines those that goload records, counted;
# prctl only where it is about memory (shim/cold.c)
recorded_only()
{
	awk -v calls="$calls" '
	BEGIN {
		split(calls, name, " ")
		for (i in name) wanted[name[i]]
		split("0x53564d41 0x23 PR_SET_VMA PR_SET_MM", name, " ")
		for (i in name) process[name[i]]
	}
	$1 in wanted || $1 == "prctl" && $2 in process { n[$1]++ }
	END { for (call in n) print n[call], call }' | sort -k 2
}

# same_counts NAME: are $tmp/NAME.kernel and the report's the same?
same_counts()
{
	by_call "$tmp/$1.json" >"$tmp/$1.calls"
	[ -s "$tmp/$1.kernel" ] && diff "$tmp/$1.kernel" "$tmp/$1.calls"
}

# ---- against strace ---------------------------------------------------------

# The first call is the execve of strace's own child.
straced()
{
	name=$1
	shift
	strace -o "$tmp/strace" "$@" >/dev/null 2>&1 || return
	sed -nE '1d; s/^([a-z_0-9]+)\(([A-Z_0-9a-z]*).*/\1 \2/p' \
		"$tmp/strace" | recorded_only >"$tmp/$name.kernel"
}

as_strace()
{
	sample=$1
	shift
	for kind in $(kinds "$sample" | grep ^c-); do
		straced here "$SAMPLES/$kind" "$@" || return
		recorded here --patch="$mode" -- "$SAMPLES/$kind" "$@"
		same_counts here && closes here && continue
		echo "in $kind; < the kernel, > goload"
		return 1
	done
}

against_strace()
{
	if ! strace -o /dev/null true; then
		left_out "counts as natively, --patch=$mode" "strace does not run"
		return
	fi
	fact "hello: as many calls as natively, --patch=$mode" as_strace hello
	fact "churn: as many calls as natively, --patch=$mode" \
		as_strace churn 200
	fact "malloc: as many calls as natively, --patch=$mode" as_strace malloc
	fact "fork: as many calls as natively, --patch=$mode" as_strace fork
}

# ---- against the kernel's own count of the same run ---------------------------

trace_with_kernel()
{
	[ "$(id -u)" = 0 ] || return
	mkdir "$tmp/tracing"
	mount -t tracefs nodev "$tmp/tracing" 2>/dev/null || return
	[ -d "$tmp/tracing/events/syscalls/sys_enter_mmap" ] || {
		umount "$tmp/tracing"
		return 1
	}
	tracing=$tmp/tracing/instances/goload-$$
	mkdir "$tracing"
	echo 8192 >"$tracing/buffer_size_kb"
	echo 1 >"$tracing/options/event-fork"
	echo 1 >"$tracing/options/record-tgid"
	for call in $calls prctl; do
		enable=$tracing/events/syscalls/sys_enter_$call/enable
		[ ! -e "$enable" ] || echo 1 >"$enable"
	done
	cat >"$tmp/traced" <<-'SH'
		echo $$ >"$1/set_event_pid"
		shift
		exec "$@"
	SH
}

# watched COMMAND...: with the kernel watching
watched()
{
	echo >"$tracing/trace"
	echo 1 >"$tracing/tracing_on"
	"$@"
	echo 0 >"$tracing/tracing_on"
}

# traced NAME OPTION... -- COMMAND...: recorded, and counted by the kernel
traced()
{
	as="sh $tmp/traced $tracing"
	watched recorded "$@"
	as=
	count_traced "$1"
}

# of_program PID START SIZE: "call argument" of each call in "group thread call
# argument..." lines that the program itself made: those of its thread group
# behind the boot's last one, which switches the net on with the range of the
# stubs. Where code arrives late goload makes it writable, then the stubs, maps
# islands (MAP_FIXED_NOREPLACE), and makes all as it was: none of that is the
# program's.
of_program()
{
	awk -v pid="$1" -v start="$2" -v end="$(printf '0x%x' $(($2 + $3)))" '
	function in_stubs(at)
	{
		return length(at) == length(start) && at >= start "" && at < end
	}
	function release(thread)
	{
		if (thread in held)
			print held[thread]
		delete held[thread]
	}
	$1 != pid { next }
	!on { on = $3 == "prctl" && $4 == "0x3b"; next }
	$2 in late {
		if ($3 == "mprotect" && $4 " " $5 == late[$2])
			delete late[$2]
		next
	}
	in_stubs($4) { next }
	$2 in held && $3 == "mmap" && $7 == "0x100022" {
		late[$2] = range[$2]
		delete held[$2]
		next
	}
	{ release($2) }
	$3 == "mprotect" && $6 ~ /[67]$/ {
		held[$2] = $3 " " $4
		range[$2] = $4 " " $5
		next
	}
	{ print $3, $4 }
	END { for (thread in held) release(thread) }'
}

# count_traced NAME: what the kernel saw of that run
count_traced()
{
	awk '$1 == "#" && $2 ~ /^entries-in/ {
		split($3, n, "/")
		exit n[1] != n[2] || n[1] == 0 }' "$tracing/trace" || {
		echo "the kernel's buffer is too small"
		return 1
	}
	sed -nE 's/^.*-([0-9]+) +\( *([0-9-]+)\) +\[[0-9]+\].*: sys_([a-z0-9_]+)\((.*)\)$/\2 \1 \3 \4/p' \
		"$tracing/trace" | sed 's/[a-z_0-9]*: //g; s/,//g' \
		>"$tmp/$1.trace"
	if grep -q '^-' "$tmp/$1.trace"; then
		echo "the kernel has lost track of threads"
		return 1
	fi
	# shellcheck disable=SC2046
	set -- "$1" $(jq .program.pid "$tmp/$1.json")
	# shellcheck disable=SC2046
	set -- "$@" $(awk -v pid="$2" '$1 == pid && $3 == "prctl" &&
		$4 == "0x3b" { print $6, $7; exit }' "$tmp/$1.trace")
	[ $# = 4 ] || return
	of_program "$2" "$3" "$4" <"$tmp/$1.trace" | recorded_only \
		>"$tmp/$1.kernel"
}

as_kernel()
{
	sample=$1
	builds=$2
	shift 2
	for kind in $(kinds "$sample" | grep "^$builds"); do
		traced here --patch="$mode" -- "$SAMPLES/$kind" "$@" &&
			same_counts here && closes here && continue
		echo "in $kind; < the kernel, > goload"
		return 1
	done
}

# of_kernel COMMAND...: any program
of_kernel()
{
	traced here --patch="$mode" -- "$@" && same_counts here && closes here &&
		return
	echo "in $1; < the kernel, > goload"
	return 1
}

# with_libc SAMPLE ARGUMENT...: what a dynamic loader or a libc brings to life
with_libc()
{
	sample=$1
	shift
	for kind in $(cd "$SAMPLES" && find go1* c-*dynamic* \( \
		-name "$sample" -path 'c-*' -o -name "$sample.pie" -o \
		-name "$sample.cgo*" \) -type f | sort); do
		of_kernel "$SAMPLES/$kind" "$@" || return
	done
}

# served KIND N: a server that answers N requests and dies of a Ctrl-C
served()
{
	rm -f "$tmp/here.run"
	watched timeout "$HUNG" bash "$here/serve.sh" "$2" \
		sh "$tmp/traced" "$tracing" "$GOLOAD" record -q \
		--patch="$mode" -o "$tmp/here.run" "$SAMPLES/$1"
	"$GOLOAD" report --format json "$tmp/here.run" >"$tmp/here.json"
	count_traced here && same_counts here && closes here && return
	echo "in $1; < the kernel, > goload"
	return 1
}

# one_of_kernel NAME PROGRAM ARGUMENT...: when PROGRAM is here
one_of_kernel()
{
	what=$1
	shift
	if [ -z "$1" ]; then
		left_out "$what: $how" "not here"
	else
		fact "$what: $how" of_kernel "$@"
	fi
}

against_kernel()
{
	if [ -z "$tracing" ]; then
		left_out "counts as the kernel's, --patch=$mode" \
			"no tracefs with syscalls, or not root"
		return
	fi
	how="as many calls as the kernel counted, --patch=$mode"
	fact "Go hello: $how" as_kernel hello go
	fact "Go churn with 8 threads: $how" as_kernel churn go 500
	fact "Go spin with its children: $how" as_kernel spin go "$tmp/profile" 200
	fact "C hello: $how" as_kernel hello c
	fact "C churn: $how" as_kernel churn c 500
	fact "C threads: $how" as_kernel threads c
	fact "C fork: $how" as_kernel fork c
	fact "C signals: $how" as_kernel signals c 300
	fact "hello with libc: $how" with_libc hello
	fact "churn with libc: $how" with_libc churn 300
	fact "malloc with libc: $how" with_libc malloc 1000
	fact "fork with libc: $how" with_libc fork
	fact "threads with libc: $how" with_libc threads 10
	fact "signals with libc: $how" with_libc signals 100
	fact "Go spin with libc: $how" with_libc spin "$tmp/profile" 200
	for kind in $(cd "$SAMPLES" && echo go1*/http.cgo); do
		fact "a server with libc, $kind, 1,000 requests: $how" \
			served "$kind" 1000
	done
	fact "10,000 threads: $how" of_kernel "$tmp/dynamic_threads" 10000
	fact "10,000 threads with musl: $how" of_kernel "$tmp/musl_threads" 10000
	fact "3 libraries opened and closed 100 times: $how" of_kernel \
		"$tmp/dynamic_open" 100 libm.so.6 cos libz.so.1 zlibVersion \
		libelf.so.1 elf_version
	one_of_kernel C++ "$cxx" sort
	one_of_kernel Python "$python" -c 'import json, socket, ctypes, threading'
	one_of_kernel perl "$perl" -MPOSIX -e 'print "$_\n" for 1..1000'
	one_of_kernel node "$node" -e 'console.log([1, 2, 3].map(i => i * i))'
}

# ---- what is missing is seen --------------------------------------------------

# No site patched and no net: no event, and the count is not the kernel's.
unseen()
{
	straced here "$SAMPLES/c-glibc-static/churn" 10 || return
	recorded here -- "$SAMPLES/c-glibc-static/churn" 10
	same_counts here || return
	jq '.events.by_call.munmap -= 1' "$tmp/here.json" >"$tmp/fewer"
	mv "$tmp/fewer" "$tmp/here.json"
	fails same_counts here || return
	recorded here --patch=none --net=off -- \
		"$SAMPLES/c-glibc-static/churn" 10
	[ "$(jq .events.count "$tmp/here.json")" = 0 ] &&
		fails same_counts here && fails closes here
}

# Every mmap dropped in its turn, of those that nothing else touches.
dropped()
{
	recorded whole -- "$SAMPLES/$1"
	closes whole || return
	n=0
	while range=$("$tmp/drop" "$tmp/whole.run" $n "$tmp/part.run"); do
		"$GOLOAD" report --format json "$tmp/part.run" \
			>"$tmp/part.json" || return
		found=$(jq -r '.unexplained[] | .start + " " + .end' \
			"$tmp/part.json")
		if [ "$found" != "$range" ]; then
			echo "mmap $n was $range, unexplained is $found"
			return 1
		fi
		jq -e --argjson size $((${range#* } - ${range% *})) '.totals |
			.unexplained == $size and
			.target + .goload + $size == .vm_size' \
			"$tmp/part.json" >/dev/null || return
		fails closes part || return
		n=$((n + 1))
	done
	[ $n -gt "$2" ] && return
	echo "only $n mappings could be dropped"
	return 1
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
cxx=$(program g++)
if [ -n "$cxx" ]; then
	g++ -std=gnu++11 -O1 "$here/helpers/libc_throw.cc" -pthread -ldl \
		-o "$tmp/libc_throw" || exit 1
	cxx=$tmp/libc_throw
fi

trace_with_kernel
for mode in all none; do
	against_strace
	against_kernel
done
fact "control: a call that is no event fails the count" unseen
for kind in $(kinds hello | grep ^go); do
	fact "each mmap dropped of $kind is unexplained, with its exact range" \
		dropped "$kind" 3
done
finish
