#!/bin/sh
# Whatever happens to goload, or is missing around it, the program runs and
# ends as it would without; what goload could not do is said.
# shellcheck disable=SC1091,SC2317
. "$(dirname "$0")/lib.sh"

room
helper_static faults_do
program=$tmp/faults_do
command -v musl-gcc >/dev/null ||
	skip "musl-gcc is missing (Debian: musl-tools)"
helper_dynamic faults_do
dynamics='glibc glibc-nopie musl'
samples hello sleeper churn sleeper.pie sleeper.cgo sleeper.cgo-pie \
	sleeper.cgo-static hello.dynamic hello.cgo
hello=$SAMPLES/c-glibc-static/hello
root=$([ "$(id -u)" = 0 ] && echo yes)

ms()
{
	echo $(($(date +%s%N) / 1000000))
}

# begin COMMAND...: in the background, until it says "ready"; $pid, $observer
begin()
{
	rm -f "$tmp/run.end"
	: >"$tmp/run.out"
	run run "$@" </dev/null &
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
		[ $took -lt 1600 ] && grep -q '^done' "$tmp/run.out" &&
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
		[ $took -lt 1000 ] || {
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
		[ "$longest" -lt 300000 ] && return
	echo "longest call $longest us (200 ms allowed), $lost lost," \
		"$counted counted of $((2 * pairs))"
	head -n 3 "$tmp/text"
	return 1
}
fact 'the observer stands still: calls wait 200 ms at most, losses are named' \
	observer_stopped

observer_stopped_at_end()
{
	rm -f "$tmp/file"
	begin "$GOLOAD" record -q -o "$tmp/file" "$program" churn 200 || return
	kill -STOP "$observer"
	start=$(ms)
	wait "$waiter"
	took=$(($(ms) - start))
	kill -CONT "$observer"
	ends 'exited 3' || return
	[ $took -lt 1200 ] && "$GOLOAD" report "$tmp/file" >"$tmp/text" &&
		return
	echo "its end took $took ms"
	return 1
}
fact 'the observer stands still at the end: the program ends' \
	observer_stopped_at_end

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

# ---- as root ------------------------------------------------------------------

disk_full()
{
	unshare -m sh -c "
		mount -t tmpfs -o size=2m none '$room' && cd '$room' || exit 77
		'$program' deny 999 1 '$GOLOAD' record -o '$room/run' \
			'$program' churn 300 >'$tmp/run.out' 2>'$tmp/run.err'
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
	fact 'without /proc it runs' without_proc
else
	left_out 'a full disk, no /proc' 'it takes root'
fi
if [ "$root" ] && [ -e /proc/sys/vm/memfd_noexec ] &&
	unshare -fp --mount-proc true 2>/dev/null; then
	fact 'vm.memfd_noexec=1' noexec 1
	fact 'vm.memfd_noexec=2' noexec 2
else
	left_out 'vm.memfd_noexec' 'it takes root and Linux 6.3'
fi

finish
