# The kernel's own count of a program's memory calls, by tracefs; read it behind
# lib.sh with `. "$(dirname "$0")/kernel.sh"`.
#
#   trace_with_kernel          begins; $tracing stays empty where it cannot be
#   of_kernel COMMAND...       are as many calls recorded of COMMAND as the
#                              kernel counts, and does the run close? $mode is
#                              for --patch, $tmp/here.json is left
#   watched COMMAND..., count_traced NAME, same_counts NAME
#                              its parts, for what starts COMMAND in its own way
: "${mode:=all}"
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

# of_kernel COMMAND...: any program
of_kernel()
{
	traced here --patch="$mode" -- "$@" && same_counts here && closes here &&
		return
	echo "in $1; < the kernel, > goload"
	return 1
}

