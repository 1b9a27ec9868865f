#!/bin/sh
# Every memory call is an event: as many of each as the kernel counts, for the
# very same run (tracefs), and for programs that do the same each time as
# strace counts natively. And what is not an event is unexplained.
. "$(dirname "$0")/lib.sh"

samples hello churn malloc fork threads signals spin
helper drop
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

# traced NAME OPTION... -- COMMAND...: recorded, with the kernel watching. The
# program's own calls are those of its thread group behind the boot's last one,
# which switches the net on, prctl(PR_SET_SYSCALL_USER_DISPATCH, on, start,
# size); but for those in that range, where goload writes stubs.
traced()
{
	echo >"$tracing/trace"
	echo 1 >"$tracing/tracing_on"
	as="sh $tmp/traced $tracing"
	recorded "$@"
	as=
	echo 0 >"$tracing/tracing_on"
	awk '$1 == "#" && $2 ~ /^entries-in/ {
		split($3, n, "/")
		exit n[1] != n[2] || n[1] == 0 }' "$tracing/trace" || {
		echo "the kernel's buffer is too small"
		return 1
	}
	# thread group, call, arguments
	sed -nE 's/^.*-[0-9]+ +\( *([0-9-]+)\) +\[[0-9]+\].*: sys_([a-z0-9_]+)\((.*)\)$/\1 \2 \3/p' \
		"$tracing/trace" | sed 's/[a-z_0-9]*: //g; s/,//g' \
		>"$tmp/$1.trace"
	if grep -q '^-' "$tmp/$1.trace"; then
		echo "the kernel has lost track of threads"
		return 1
	fi
	# shellcheck disable=SC2046
	set -- "$1" $(jq .program.pid "$tmp/$1.json")
	# shellcheck disable=SC2046
	set -- "$@" $(awk -v pid="$2" '$1 == pid && $2 == "prctl" &&
		$3 == "0x3b" { print $5, $6; exit }' "$tmp/$1.trace")
	[ $# = 4 ] || return
	awk -v pid="$2" -v start="$3" -v end="$(printf '0x%x' $(($3 + $4)))" '
		$1 != pid { next }
		on && !(length($3) == length(start) && $3 >= start "" &&
			$3 < end "") { print $2, $3 }
		$2 == "prctl" && $3 == "0x3b" { on = 1 }' "$tmp/$1.trace" |
		recorded_only >"$tmp/$1.kernel"
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
