#!/bin/sh
# Whatever happens to goload, or is missing around it, the program runs and
# ends as it would without; what goload could not do is said.
# shellcheck disable=SC1091,SC2317
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kernel.sh"

room
helper_static faults_do
helper_static faults_kill
program=$tmp/faults_do
command -v musl-gcc >/dev/null ||
	skip "musl-gcc is missing (Debian: musl-tools)"
helper_dynamic faults_do
dynamics='glibc glibc-nopie musl'
samples hello sleeper churn threads sleeper.pie sleeper.cgo sleeper.cgo-pie \
	sleeper.cgo-static hello.dynamic hello.cgo
hello=$SAMPLES/c-glibc-static/hello
root=$([ "$(id -u)" = 0 ] && echo yes)

file=$tmp/open/file # may be written by any user
mkdir -m 777 "$tmp/open"

ms()
{
	echo $(($(date +%s%N) / 1000000))
}

# begin COMMAND...: in the background, until it says "ready"; $pid, $observer
begin()
{
	rm -f "$tmp/run.end"
	: >"$tmp/run.out"
	run run "$@" <"${input:-/dev/null}" &
	waiter=$!
	for _ in $(seq 500); do
		grep -q ready "$tmp/run.out" && break
		sleep 0.01
	done
	observer=$(ours | grep -F -- " -> $GOLOAD" |
		sed -n 's:.*/proc/\([0-9]*\)/exe.*:\1:p' | head -n 1)
	# it watches one process, by a pidfd
	pid=$(cat "/proc/${observer:-0}/fdinfo"/* 2>/dev/null |
		sed -n 's/^Pid:[^0-9]*//p')
	[ -n "$observer" ] && return
	echo "no observer is there"
	cat "$tmp/run.out" "$tmp/run.err"
	wait "$waiter"
	return 1
}

# ends HOW: and with nothing left over
ends()
{
	wait "$waiter"
	[ "$(cat "$tmp/run.end")" = "$1" ] && nothing_left && return
	echo "it $(cat "$tmp/run.end"), wanted: $1"
	cat "$tmp/run.out" "$tmp/run.err"
	return 1
}

# ---- the observer dies -------------------------------------------------------

observer_killed() # PROGRAM
{
	for patch in all none; do
		start=$(ms)
		begin "$GOLOAD" --patch=$patch "$1" churn 600 || return
		sleep 0.15
		kill -KILL "$observer"
		ends 'exited 3' || return
		took=$(($(ms) - start))
		[ $took -lt 6000 ] && grep -q '^done' "$tmp/run.out" &&
			continue
		echo "--patch=$patch: a churn of 600 ms took $took ms"
		cat "$tmp/run.out" "$tmp/run.err"
		return 1
	done
}
fact 'the observer is killed: the program goes on to its own end' \
	observer_killed "$program"
for libc in $dynamics; do
	fact "$libc: the observer is killed: the program goes on" \
		observer_killed "$tmp/faults_do-$libc"
done

# Before it has taken or prepared much of the ring.
observer_killed_early()
{
	for patch in all none all none; do
		begin "$GOLOAD" --patch=$patch "$program" churn 400 || return
		kill -KILL "$observer"
		ends 'exited 3' || return
	done
}
fact 'the observer is killed at once: the program goes on' \
	observer_killed_early

observer_killed_in_sleep() # PROGRAM
{
	for patch in all none; do
		begin "$GOLOAD" --patch=$patch "$@" || return
		kill -KILL "$observer"
		sleep 0.1
		[ -d "/proc/$pid" ] || {
			echo "the program is gone"
			return 1
		}
		start=$(ms)
		kill -TERM "$pid"
		ends 'killed by 15' || return
		took=$(($(ms) - start))
		[ $took -lt 4000 ] || {
			echo "its death took $took ms"
			return 1
		}
	done
}
fact 'the observer of a sleeping Go program is killed' \
	observer_killed_in_sleep "$SAMPLES/go/sleeper"
for kind in $(cd "$SAMPLES" && echo go1*/sleeper.pie go1*/sleeper.cgo*); do
	fact "the observer of a sleeping $kind is killed" \
		observer_killed_in_sleep "$SAMPLES/$kind"
done

observer_killed_with_file()
{
	begin "$GOLOAD" record -q -o "$tmp/file" "$program" churn 500 || return
	sleep 0.2
	kill -KILL "$observer"
	ends 'exited 3' || return
	"$GOLOAD" report --format json "$tmp/file" >"$tmp/json" 2>"$tmp/err" &&
		[ "$(jq '.events.count > 100 and (.run.complete | not)' \
			"$tmp/json")" = true ] &&
		"$GOLOAD" report "$tmp/file" >"$tmp/out" 2>&1 && return
	cat "$tmp/err"
	jq -c '[.run, .events, .exit]' "$tmp/json"
	return 1
}
fact 'what it had written until then can be read' observer_killed_with_file

both_killed() # PROGRAM
{
	begin "$GOLOAD" "$1" churn 5000 || return
	kill -KILL "$pid" "$observer"
	ends 'killed by 9'
}
fact 'both are killed' both_killed "$program"
fact 'both are killed, in a dynamic program' both_killed "$tmp/faults_do-glibc"

terminal_signals()
{
	begin "$GOLOAD" "$program" churn 400 || return
	for sig in INT TERM HUP QUIT TSTP PIPE USR1; do
		kill -s $sig "$observer"
	done
	ends 'exited 3' && grep -q 'VmSize' "$tmp/run.err"
}
fact "the observer minds no signal that means the program" terminal_signals

# ---- killed at any moment ----------------------------------------------------

# readable RULE: what is written of $file can be read; RULE is true of it
readable()
{
	[ -s "$file" ] || return 0 # killed before anything was
	"$GOLOAD" report --format json "$file" >"$tmp/json" &&
		"$GOLOAD" report "$file" >"$tmp/text" &&
		[ "$(jq "$1" "$tmp/json")" = true ] && return
	jq -c '[.run, .exit, .events, .totals]' "$tmp/json"
	return 1
}

# after WHO: how it must have ended ($tmp/killed), and what is left to read
after()
{
	end=$(sed -n 1p "$tmp/killed")
	lines=$(sed -n '2s/ lines//p' "$tmp/killed")
	last=$(sed -n 3p "$tmp/killed")
	case "$1 $end" in
	# all that was done is recorded: 200 calls to a line
	"target killed by 9")
		readable ".events.lost == 0 and
			.events.count >= $((lines * 200))" ;;
	"both killed by 9")
		readable 'true' ;;
	"observer exited 125")
		[ "$lines" = 0 ] && [ ! -e "$file" ] &&
			[ "$(wc -l <"$tmp/err")" = 1 ] &&
			grep -q 'the observer died' "$tmp/err" ;;
	*" exited "[03]) # the observer alone, or too late
		[ "$last" = 'done' ] || [ "$lines" = 1 ] || return
		readable 'true' ;;
	*) return 1 ;;
	esac
}

# killed WHO FROM COUNT: at so many moments. One in five of Go's, which says
# nothing while it runs.
killed()
{
	for seed in $(seq "$2" $(($2 + $3 - 1))); do
		patch=all
		[ $((seed % 2)) = 0 ] || patch=none
		case $((seed / 2 % 5)) in
		0) set -- "$@" 0 "$SAMPLES/go/churn" 200 ;;
		1) set -- "$@" 40 "$program-musl" steps 40 ;;
		2) set -- "$@" 40 "$program-glibc" steps 40 ;;
		*) set -- "$@" 40 "$program" steps 40 ;;
		esac
		lines=$4
		rm -f "$file"
		who=$1
		shift 4
		"$tmp/faults_kill" "$who" "$seed" "$lines" "$GOLOAD" record -q \
			--patch=$patch -o "$file" "$@" \
			>"$tmp/killed" 2>"$tmp/err" </dev/null
		status=$?
		[ $status = 0 ] && after "$who" && nothing_left || {
			echo "$who, seed $seed, --patch=$patch, $*: $status"
			cat "$tmp/killed" "$tmp/err"
			return 1
		}
		set -- "$who" 0 0
	done
}
each=10
[ -z "${STRESS-}" ] || each=167
for who in target observer both; do
	fact "SIGKILL of $who at $each moments: nobody is left, the run can be read" \
		killed $who 1 $each
done

# ---- the observer is slow ------------------------------------------------------

observer_stopped()
{
	rm -f "$tmp/file"
	begin "$GOLOAD" record -q -o "$tmp/file" "$program" churn 2000 || return
	sleep 0.1
	kill -STOP "$observer"
	sleep 1
	kill -CONT "$observer"
	ends 'exited 3' || return
	longest=$(sed -n 's/^longest //p' "$tmp/run.out")
	"$GOLOAD" report --format json "$tmp/file" >"$tmp/json" || return
	"$GOLOAD" report "$tmp/file" >"$tmp/text" || return
	lost=$(jq .events.lost "$tmp/json")
	pairs=$(sed -n 's/^done //p' "$tmp/run.out")
	counted=$(jq '.events.by_call.munmap + .events.by_call.mmap' \
		"$tmp/json")
	grep -q "$lost lost" "$tmp/text" &&
		[ $((counted + lost)) -ge $((2 * pairs)) ] &&
		[ "$longest" -lt 800000 ] && return
	echo "longest call $longest us (200 ms allowed), $lost lost," \
		"$counted counted of $((2 * pairs))"
	head -n 3 "$tmp/text"
	return 1
}
fact 'the observer stands still: calls do not wait for it, losses are named' \
	observer_stopped

observer_stopped_at_end()
{
	rm -f "$tmp/file"
	begin "$GOLOAD" record -q -o "$tmp/file" "$program" churn 200 || return
	kill -STOP "$observer"
	wait "$waiter"
	kill -CONT "$observer"
	ends 'exited 3' && "$GOLOAD" report "$tmp/file" >"$tmp/text"
}
fact 'the observer stands still at the end: the program ends' \
	observer_stopped_at_end

# ---- the ring is full ---------------------------------------------------------

# The observer of "burst PAIRS" is stopped for the whole of it, some seconds;
# $sum is what it recorded and lost.
burst_unobserved()
{
	rm -f "$tmp/file" "$tmp/input"
	mkfifo "$tmp/input"
	input=$tmp/input
	exec 3<>"$tmp/input"
	begin "$GOLOAD" record -q -o "$tmp/file" "$program" burst "$1" || return
	kill -STOP "$observer"
	echo go >&3
	for _ in $(seq 6000); do
		grep -q over "$tmp/run.out" && break
		sleep 0.01
	done
	kill -CONT "$observer"
	echo end >&3
	ends 'exited 3'
}
# 8176 calls and what threads need are 25 or so more than the ring has room for;
# each waits 200 ms for it
overflow()
{
	: >"$tmp/here.kernel"
	as=${tracing:+sh $tmp/traced $tracing}
	${tracing:+watched} burst_unobserved 1022 || return
	as=
	input=
	exec 3>&-
	"$GOLOAD" report --format json "$tmp/file" >"$tmp/here.json" &&
		"$GOLOAD" report "$tmp/file" >"$tmp/text" || return
	lost=$(jq .events.lost "$tmp/here.json")
	count=$(jq .events.count "$tmp/here.json")
	if [ "$tracing" ]; then
		count_traced here || return
		made=$(awk '{ n += $1 } END { print n }' "$tmp/here.kernel")
	else
		made=$((count + lost))
	fi
	[ "$lost" -gt 10 ] && [ "$made" = $((count + lost)) ] &&
		[ "$count" -gt 8000 ] && grep -q "$lost lost" "$tmp/text" &&
		return
	echo "the kernel counts $made, recorded are $count, lost $lost"
	head -n 5 "$tmp/text"
	return 1
}
trace_with_kernel
fact 'the observer stands still for 5 s: recorded and lost are what was called' \
	overflow

# A ring smaller than the burst, and an observer that keeps up with it.
burst()
{
	printf 'go\nend\n' >"$tmp/words"
	rm -f "$tmp/run.run"
	run run "$GOLOAD" record -q -o "$tmp/run.run" "$program" burst 20000 \
		<"$tmp/words"
	"$GOLOAD" report --format json "$tmp/run.run" >"$tmp/run.json" &&
		closes run && [ "$(cat "$tmp/run.end")" = 'exited 3' ] &&
		[ "$(jq '.events.count > 160000' "$tmp/run.json")" = true ] &&
		nothing_left
}
fact 'twenty times what the ring has room for: nothing is lost' burst

# ---- what goload needs is missing ---------------------------------------------

# denied CALL ERRNO COMMAND...
denied()
{
	run run "$program" deny "$@" </dev/null
}

without_net() # PROGRAM
{
	denied dispatch 22 "$GOLOAD" "$1"
	[ "$(cat "$tmp/run.end" "$tmp/run.out")" = 'exited 0
hello world' ] && grep -q 'without the net' "$tmp/run.err" &&
		grep -qE '^ *unexplained +0' "$tmp/run.err" && nothing_left &&
		return
	cat "$tmp/run.end" "$tmp/run.out" "$tmp/run.err"
	return 1
}
without_net_closes()
{
	for one in go/churn c-glibc-static/churn c-glibc-static-pie/churn \
		c-musl-static/churn; do
		rm -f "$tmp/closes.run"
		denied dispatch 22 "$GOLOAD" record -q -o "$tmp/closes.run" \
			"$SAMPLES/$one" 200
		[ "$(cat "$tmp/run.end")" = 'exited 0' ] || {
			cat "$tmp/run.err"
			return 1
		}
		"$GOLOAD" report --format json "$tmp/closes.run" \
			>"$tmp/closes.json" && closes closes || return
		[ "$(jq .run.net "$tmp/closes.json")" = false ] || {
			echo "the run does not say that there was no net"
			return 1
		}
	done
}
run probe "$program" deny dispatch 22 true
if [ "$(cat "$tmp/probe.end")" = 'exited 0' ]; then
	fact 'a kernel without Syscall User Dispatch: it runs and says so' \
		without_net "$hello"
	for kind in c-glibc-dynamic c-glibc-dynamic-nopie c-musl-dynamic; do
		fact "$kind without the net: it runs and says so" \
			without_net "$SAMPLES/$kind/hello"
	done
	fact 'the ledger of patched programs closes without the net' \
		without_net_closes
else
	left_out 'a kernel without Syscall User Dispatch' 'no seccomp filters'
fi

refused_without() # CALL ERRNO
{
	for output in '' "-o run"; do
		# shellcheck disable=SC2086
		denied "$1" "$2" "$GOLOAD" $output "$hello"
		[ "$(cat "$tmp/run.end")" = 'exited 125' ] &&
			[ ! -s "$tmp/run.out" ] &&
			[ "$(wc -l <"$tmp/run.err")" = 1 ] &&
			grep -q '^goload: ' "$tmp/run.err" && nothing_left ||
			{
				cat "$tmp/run.end" "$tmp/run.out" "$tmp/run.err"
				return 1
			}
	done
}
if [ "$(cat "$tmp/probe.end")" = 'exited 0' ]; then
	fact 'memfd_create is not there' refused_without 319 38
	fact 'memfd_create is denied' refused_without 319 1
	fact 'socketpair is denied' refused_without 53 1
	fact 'execveat is denied' refused_without 322 1
	fact 'clone is denied: no observer' refused_without 56 11
fi

# lives_without CALL ERRNO: what goload can do without
lives_without()
{
	denied "$1" "$2" "$GOLOAD" "$hello"
	[ "$(cat "$tmp/run.end" "$tmp/run.out")" = 'exited 0
hello world' ] && nothing_left && return
	cat "$tmp/run.end" "$tmp/run.out" "$tmp/run.err"
	return 1
}
if [ "$(cat "$tmp/probe.end")" = 'exited 0' ]; then
	fact 'pidfd_open is not there' lives_without 434 38
	fact 'close_range is not there' lives_without 436 38
	fact 'set_robust_list is denied' lives_without 273 1
fi

# below 6.5 MiB ld.so cannot map goload's own libraries, and says so
limited() # KILOBYTES...
{
	for size; do
		run native sh -c "ulimit -v $size; exec '$hello'"
		run run sh -c "ulimit -v $size; exec '$GOLOAD' '$hello'"
		nothing_left || return
		case $(cat "$tmp/run.end") in
		"$(cat "$tmp/native.end")")
			cmp -s "$tmp/native.out" "$tmp/run.out" && continue ;;
		'exited 125' | 'exited 126')
			[ "$(wc -l <"$tmp/run.err")" = 1 ] &&
				grep -q '^goload: ' "$tmp/run.err" && continue ;;
		esac
		echo "ulimit -v $size: $(cat "$tmp/run.end")"
		cat "$tmp/run.err"
		return 1
	done
}
fact 'with a limited address space it runs, or says why not' \
	limited 200000 50000 30000 20000 16000 15000 14500 14000 12000 8000 7000

# within NAME VALUE...: under that limit it runs as natively, and its ledger
# closes; or goload says in one line why not
within()
{
	limit=$1
	shift
	for value; do
		# shellcheck disable=SC2086
		run native "$program" limit "$limit" "$value" "$target" $steps
		rm -f "$file"
		# shellcheck disable=SC2086
		run run "$program" limit "$limit" "$value" "$GOLOAD" record -q \
			-o "$file" "$target" $steps
		nothing_left || return
		case $(cat "$tmp/run.end") in
		"$(cat "$tmp/native.end")")
			cmp "$tmp/native.out" "$tmp/run.out" &&
				readable '.events.lost == 0 and
					.totals.unexplained == 0' && continue ;;
		'exited 125' | 'exited 126')
			[ "$(wc -l <"$tmp/run.err")" = 1 ] &&
				grep -q '^goload: ' "$tmp/run.err" && continue ;;
		esac
		echo "$limit $value: $(cat "$tmp/run.end"), natively" \
			"$(cat "$tmp/native.end")"
		cat "$tmp/run.err"
		return 1
	done
}
each_within()
{
	for target in "$program" "$program-glibc" "$SAMPLES/go/threads"; do
		steps='steps 5'
		[ "$target" != "$SAMPLES/go/threads" ] || steps=
		within "$@" || return
	done
}
mib=$((1 << 20))
fact 'RLIMIT_DATA: it runs, or says why not' each_within DATA \
	$((200 * mib)) $((20 * mib)) $((8 * mib)) $((4 * mib)) $((2 * mib))
fact 'RLIMIT_NOFILE: it runs, or says why not' each_within NOFILE \
	20 14 12 11 10 9 8 7 6 5
fact 'RLIMIT_STACK: it runs, or says why not' each_within STACK \
	$((1 << 40)) $((64 * mib)) $mib $((mib / 4)) $((mib / 8))
fact 'RLIMIT_FSIZE: it runs, or says why not' each_within FSIZE \
	$((100 * mib)) $((65 * mib)) $((63 * mib)) $mib

# 2900 times 200 calls are more than 64 MiB
file_is_full()
{
	rm -f "$file"
	run run "$program" limit FSIZE $((64 * mib)) "$GOLOAD" record \
		-o "$file" "$program" steps 2900
	[ "$(cat "$tmp/run.end")" = 'exited 3' ] && nothing_left &&
		[ "$(tail -n 1 "$tmp/run.out")" = 'done' ] &&
		grep -q 'is not whole: writing stopped: File too large' \
			"$tmp/run.err" &&
		[ "$(stat -c %s "$file")" = $((64 * mib)) ] &&
		readable '.events.count > 100000 and (.run.complete | not)' &&
		return
	cat "$tmp/run.end" "$tmp/run.err"
	ls -l "$file"
	return 1
}
fact 'RLIMIT_FSIZE: the run file is full: the program minds not, it can be read' \
	file_is_full
rm -f "$file"

# ---- as root ------------------------------------------------------------------

# As a user of its own: the limit is one of all that a user runs.
nproc()
{
	as="setpriv --reuid=$((60000 + $$ % 5000)) --regid=65534 --clear-groups"
	each_within NPROC 40 4 3 2 1
	status=$?
	as=
	return $status
}

# Neither /proc/PID nor ptrace is for anybody else any more, as with Yama.
hidden()
{
	for one in "$program" "$program-glibc" "$program-musl"; do
		for patch in all none; do
			recorded run --patch=$patch -- "$one" hidden
			[ "$(cat "$tmp/run.end")" = 'exited 3' ] &&
				closes run && nothing_left || return
		done
	done
}

# In $group; the file $oom_kills says how often the kernel has killed there.
make_group()
{
	v1=/sys/fs/cgroup/memory v2=/sys/fs/cgroup
	if grep -qw memory $v2/cgroup.subtree_control 2>/dev/null; then
		group=$v2/goload-$$
		mkdir "$group" && echo $((64 * mib)) >"$group/memory.max" &&
			echo 0 >"$group/memory.swap.max"
		oom_kills=$group/memory.events
	elif [ -e $v1/memory.limit_in_bytes ]; then
		group=$v1/goload-$$
		mkdir "$group" &&
			echo $((64 * mib)) >"$group/memory.limit_in_bytes"
		oom_kills=$group/memory.oom_control
	else
		return 1
	fi
}
oom()
{
	rm -f "$file"
	run run sh -c "echo \$\$ >'$group/cgroup.procs' &&
		exec '$GOLOAD' record -q -o '$file' '$program' eat"
	nothing_left && [ "$(cat "$tmp/run.end")" = 'killed by 9' ] &&
		grep -q '^oom_kill [1-9]' "$oom_kills" && [ -s "$file" ] &&
		readable '.events.lost == 0 and .events.count > 20' && return
	cat "$tmp/run.end" "$tmp/run.err"
	cat "$oom_kills"
	return 1
}

disk_full()
{
	unshare -m sh -c "
		mount -t tmpfs -o size=2m none '$room' && cd '$room' || exit 77
		'$program' deny 999 1 '$GOLOAD' record -o '$room/run' \
			'$program' steps 200 >'$tmp/run.out' 2>'$tmp/run.err'
		echo \"exited \$?\" >'$tmp/run.end'
		cp '$room/run' '$tmp/file'" || return
	[ "$(cat "$tmp/run.end")" = 'exited 3' ] &&
		grep -q '^done' "$tmp/run.out" &&
		grep -q 'No space left' "$tmp/run.err" && nothing_left &&
		"$GOLOAD" report --format json "$tmp/file" >"$tmp/json" &&
		[ "$(jq '.events.count > 10' "$tmp/json")" = true ] && return
	cat "$tmp/run.end" "$tmp/run.out" "$tmp/run.err"
	jq -c '[.run, .exit, .events]' "$tmp/json"
	return 1
}

no_room_at_all()
{
	unshare -m sh -c "
		mount -t tmpfs -o size=4k none '$room' && cd '$room' || exit 77
		head -c 4096 /dev/zero >full
		'$GOLOAD' record -o '$room/run' '$hello' >'$tmp/run.out' \
			2>'$tmp/run.err'
		echo \"exited \$?\" >'$tmp/run.end'" || return
	[ "$(cat "$tmp/run.end")" = 'exited 0' ] && [ -s "$tmp/run.out" ] &&
		[ "$(cat "$tmp/run.err")" = "goload: $room/run: is not whole: writing stopped: No space left on device" ] &&
		return
	cat "$tmp/run.end" "$tmp/run.out" "$tmp/run.err"
	return 1
}

without_proc()
{
	for one in "$hello" "$SAMPLES/go/hello" "$SAMPLES/go/hello.cgo" \
		"$SAMPLES/c-glibc-dynamic/hello" \
		"$SAMPLES/c-musl-dynamic/hello"; do
		for patch in all none; do
			run run unshare -m sh -c "mount -t tmpfs none /proc &&
				exec '$GOLOAD' --patch=$patch '$one'"
			[ "$(cat "$tmp/run.end" "$tmp/run.out")" = 'exited 0
hello world' ] && nothing_left && continue
			cat "$tmp/run.end" "$tmp/run.out" "$tmp/run.err"
			return 1
		done
	done
}

# The installed copy of the image serves; or goload says what is missing.
noexec() # LEVEL
{
	run run unshare -fp --mount-proc sh -c "
		echo $1 >/proc/sys/vm/memfd_noexec || exit 77
		'$GOLOAD' '$hello'"
	nothing_left || return
	case $(cat "$tmp/run.end") in
	'exited 0')
		[ "$(cat "$tmp/run.out")" = 'hello world' ] && return ;;
	'exited 125')
		[ "$(wc -l <"$tmp/run.err")" = 1 ] &&
			grep -q '^goload: ' "$tmp/run.err" && return ;;
	'exited 77')
		return ;;
	esac
	cat "$tmp/run.end" "$tmp/run.out" "$tmp/run.err"
	return 1
}

if [ "$root" ] && unshare -m true 2>/dev/null; then
	fact 'the disk is full: the program minds not, the run can be read' \
		disk_full
	fact 'it was full before: that is said' no_room_at_all
	fact 'without /proc it runs' without_proc
else
	left_out 'a full disk, no /proc' 'it takes root'
fi
if [ "$root" ]; then
	fact 'another user, and not dumpable: the ledger closes' hidden
	fact 'RLIMIT_NPROC: it runs, or says why not' nproc
else
	left_out 'RLIMIT_NPROC, a program that is hidden' 'it takes root'
fi
if [ "$root" ] && make_group 2>/dev/null; then
	fact 'memory of the cgroup is used up: the kernel kills the program alone' \
		oom
	rmdir "$group"
else
	left_out 'a cgroup whose memory is used up' \
		'no memory cgroup can be made here'
fi
if [ "$root" ] && [ -e /proc/sys/vm/memfd_noexec ] &&
	unshare -fp --mount-proc true 2>/dev/null; then
	fact 'vm.memfd_noexec=1' noexec 1
	fact 'vm.memfd_noexec=2' noexec 2
else
	left_out 'vm.memfd_noexec' 'it takes root and Linux 6.3'
fi

finish
