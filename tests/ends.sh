#!/bin/sh
# Every end that a program can have is the same under goload: the same wait
# status, the summary before the parent learns of it, and nothing left over.
# shellcheck disable=SC1091,SC2317
. "$(dirname "$0")/lib.sh"

# A copy of goload: whose processes are ours is then known by their files.
room

# begin [-i SIGNAL]... COMMAND...: start it and wait until it says "ready".
begin()
{
	rm -f "$tmp/run.pid"
	: >"$tmp/run.out"
	: >"$tmp/run.log"
	"$tmp/ends_wait" "$tmp/run.pid" "$@" \
		>>"$tmp/run.out" 2>>"$tmp/run.log" &
	waiter=$!
	for _ in $(seq 500); do
		grep -q '^ready' "$tmp/run.out" && break
		sleep 0.01
	done
	pid=$(cat "$tmp/run.pid")
	grep -q '^ready' "$tmp/run.out" && return
	echo "never got ready"
	cat "$tmp/run.out" "$tmp/run.log"
	kill -KILL "$pid"
	wait "$waiter"
	return 1
}

# whole COMMAND...: run it to its end.
whole()
{
	: >"$tmp/run.log"
	"$tmp/ends_wait" "$tmp/run.pid" "$@" >"$tmp/run.out" 2>>"$tmp/run.log"
}

# finished HOW: what was begun has ended like that, with nothing left over.
finished()
{
	wait "$waiter"
	ended "$1"
}

ended()
{
	nothing_left || return
	[ "$(tail -n 1 "$tmp/run.log")" = "== $1" ] && return
	echo "wanted '== $1', the end is '$(tail -n 1 "$tmp/run.log")':"
	cat "$tmp/run.out" "$tmp/run.log"
	return 1
}

# told [WORD]: the summary is there, before the end was known to the parent.
told()
{
	sed '/^== /,$d' "$tmp/run.log" >"$tmp/before"
	grep -q 'VmSize is' "$tmp/before" && grep -q "${1-}" "$tmp/before" &&
		grep -qE '^ *unexplained +0' "$tmp/before" && return
	echo "no summary ${1+with '$1' }before the end was known:"
	cat "$tmp/run.log"
	return 1
}

# same FILE1 FILE2
same()
{
	diff "$1" "$2" >"$tmp/difference" && return
	cat "$tmp/difference"
	return 1
}

# state PID: R, S, T, ...
state()
{
	sed -n 's/^State:[^A-Za-z]*\(.\).*/\1/p' "/proc/$1/status"
}

# becomes PID STATE: within a second.
becomes()
{
	for _ in $(seq 50); do
		case $(state "$1") in
		[$2]) return ;;
		esac
		sleep 0.02
	done
	echo "state is $(state "$1"), not $2"
	return 1
}

# says WORD: within a second.
says()
{
	for _ in $(seq 50); do
		grep -q "$1" "$tmp/run.out" && return
		sleep 0.02
	done
	echo "no '$1' came:"
	cat "$tmp/run.out" "$tmp/run.log"
	return 1
}

command -v musl-gcc >/dev/null ||
	skip "musl-gcc is missing (Debian: musl-tools)"
helper_static ends_do
helper_static ends_wait
helper_static ends_tty
helper_dynamic ends_do
samples sleeper hello fault abort fork hello.cgo sleeper.pie sleeper.cgo \
	sleeper.cgo-pie sleeper.cgo-static
program=$tmp/ends_do
go_sleeper=$SAMPLES/go/sleeper
dynamics='glibc glibc-nopie musl'
# Go's that a dynamic loader or a libc brings to life, by every Go
with_libc=$(cd "$SAMPLES" && echo go1*/sleeper.pie go1*/sleeper.cgo*)

# ---- the program ends itself -------------------------------------------------

ends_itself() # HOW COMMAND...
{
	how=$1
	shift
	whole "$@"
	cp "$tmp/run.out" "$tmp/native.out"
	ended "$how" || return
	for patch in all none; do
		whole "$GOLOAD" --patch=$patch "$@"
		ended "$how" && told && same "$tmp/native.out" "$tmp/run.out" ||
			return
	done
}

# What the run file says of the end is what the parent is told.
end_in_file() # STATUS|null SIGNAL|null COMMAND...
{
	wanted="$1 $2"
	shift 2
	rm -f "$tmp/file"
	whole "$GOLOAD" record -q -o "$tmp/file" "$@"
	got=$("$GOLOAD" report --format json "$tmp/file" |
		jq -r '"\(.exit.status) \(.exit.signal)"')
	rm -f "$tmp/file"
	[ "$got" = "$wanted" ] && return
	echo "the parent is told $(tail -n 1 "$tmp/run.log")," \
		"the run file says (status signal) $got, wanted $wanted"
	return 1
}

# Linux 5.17 took the last thread's status, before it was the first one's.
"$tmp/ends_do" every-thread-exits >/dev/null
last=$?
fact 'exit_group ends it with its status' \
	ends_itself 'exited 43' "$program" exit 43
fact 'exit of the only thread ends it with its status' \
	ends_itself 'exited 44' "$program" raw-exit 44
fact 'the first thread exits before another ends the process' \
	ends_itself 'exited 9' "$program" first-thread-exits
fact 'the first thread exits, and the last one after it' \
	ends_itself "exited $last" "$program" every-thread-exits
fact 'the run file has the status of exit_group' \
	end_in_file 43 null "$program" exit 43
fact 'the run file has the status of a thread that ends the process' \
	end_in_file 9 null "$program" first-thread-exits
fact 'where every thread exits, the run file has the status of the process' \
	end_in_file "$last" null "$program" every-thread-exits
fact 'os.Exit of a Go program' ends_itself 'exited 0' "$SAMPLES/go/hello"
for sig in 6 13 15 34; do
	fact "signal $sig raised by the program itself kills it" \
		ends_itself "killed by $sig" "$program" raise $sig
done
fact 'the run file has the signal' \
	end_in_file null 15 "$program" raise 15

# by_libc LIBC: every end that libc makes
by_libc()
{
	program=$tmp/ends_do-$1
	fact "$1: exit" ends_itself 'exited 43' "$program" exit 43
	fact "$1: _exit" ends_itself 'exited 44' "$program" _exit 44
	fact "$1: exit of the only thread" \
		ends_itself 'exited 45' "$program" raw-exit 45
	fact "$1: exit in another thread" \
		ends_itself 'exited 46' "$program" thread-exit 46
	fact "$1: the first thread has left, exit in another" \
		ends_itself 'exited 47' "$program" pthread-exit 47
	fact "$1: the first thread has left, and the last one after it" \
		ends_itself 'exited 0' "$program" pthread-exit
	fact "$1: the first thread exits, and the last one after it" \
		ends_itself "exited $last" "$program" every-thread-exits
	fact "$1: abort" ends_itself 'killed by 6' "$program" abort
	fact "$1: a fault" ends_itself 'killed by 11' "$program" fault
	fact "$1: an illegal instruction" ends_itself 'killed by 4' "$program" trap
	for sig in 1 2 13 15 34; do
		fact "$1: signal $sig raised by the program itself" \
			ends_itself "killed by $sig" "$program" raise $sig
	done
	fact "$1: the run file has the status" \
		end_in_file 46 null "$program" thread-exit 46
	fact "$1: the run file has the signal" \
		end_in_file null 6 "$program" abort
	program=$tmp/ends_do
}
for libc in $dynamics; do
	by_libc "$libc"
done

# ---- signals from outside --------------------------------------------------

killed() # SIGNAL COMMAND...
{
	sig=$1
	shift
	for patch in all none; do
		begin "$GOLOAD" --patch=$patch "$@" || return
		kill -s "$sig" "$pid" || return
		finished "killed by $(kill_number "$sig")" && told || {
			echo "--patch=$patch"
			return 1
		}
	done
}

kill_number()
{
	case $1 in
	HUP) echo 1 ;; INT) echo 2 ;; QUIT) echo 3 ;; USR1) echo 10 ;;
	PIPE) echo 13 ;; ALRM) echo 14 ;; TERM) echo 15 ;; *) echo "$1" ;;
	esac
}

for way in pause spin map threads; do
	for sig in INT TERM HUP QUIT PIPE ALRM USR1; do
		fact "SIG$sig kills a program in '$way', the summary comes first" \
			killed $sig "$program" $way
	done
done
killed_by_number() # NUMBER
{
	for patch in all none; do
		begin "$GOLOAD" --patch=$patch "$program" pause || return
		kill -"$1" "$pid" || return
		finished "killed by $1" && told || return
	done
}
for libc in $dynamics; do
	for way in pause map threads; do
		for sig in INT TERM HUP; do
			fact "$libc: SIG$sig kills a program in '$way'" \
				killed $sig "$tmp/ends_do-$libc" $way
		done
	done
done
fact 'a real-time signal kills' killed_by_number 34
fact 'the last real-time signal kills' killed_by_number 64

go_ends() # HOW SIGNAL SLEEPER-ARGUMENT...
{
	how=$1
	sig=$2
	shift 2
	begin "$go_sleeper" "$@" && kill -s "$sig" "$pid" && finished "$how" ||
		return
	cp "$tmp/run.out" "$tmp/native.out"
	for patch in all none; do
		begin "$GOLOAD" --patch=$patch "$go_sleeper" "$@" || return
		kill -s "$sig" "$pid"
		finished "$how" && told && same "$tmp/native.out" "$tmp/run.out" ||
			return
	done
}

fact 'Go without a handler dies of SIGINT' go_ends 'killed by 2' INT
fact 'Go without a handler dies of SIGTERM' go_ends 'killed by 15' TERM
fact 'Go without a handler dies of SIGHUP' go_ends 'killed by 1' HUP
fact 'Go without a handler exits on SIGQUIT' go_ends 'exited 2' QUIT
fact 'Go with a handler gets SIGINT' go_ends 'exited 3' INT -handle
fact 'Go with a handler gets SIGTERM' go_ends 'exited 3' TERM -handle
fact 'Go with a handler gets SIGHUP' go_ends 'exited 3' HUP -handle

static_sleeper=$go_sleeper
for kind in $with_libc; do
	go_sleeper=$SAMPLES/$kind
	for sig in INT:2 TERM:15 HUP:1; do
		fact "$kind without a handler dies of SIG${sig%:*}" \
			go_ends "killed by ${sig#*:}" "${sig%:*}"
	done
	fact "$kind without a handler exits on SIGQUIT" \
		go_ends 'exited 2' QUIT
	fact "$kind with a handler gets SIGTERM" \
		go_ends 'exited 3' TERM -handle
done
go_sleeper=$static_sleeper

ignored() # SIGNAL COMMAND...
{
	sig=$1
	shift
	for patch in all none; do
		begin -i "$(kill_number "$sig")" \
			"$GOLOAD" --patch=$patch "$@" || return
		kill -s "$sig" "$pid"
		sleep 0.1
		[ -n "$(state "$pid")" ] || {
			echo "it is gone"
			cat "$tmp/run.log"
			return 1
		}
		kill -s TERM "$pid"
		finished 'killed by 15' && told || return
	done
}

fact 'an ignored SIGINT stays ignored' ignored INT "$program" pause
fact 'an ignored SIGHUP stays ignored (nohup)' ignored HUP "$program" map
fact 'an ignored SIGINT stays ignored in Go' ignored INT "$go_sleeper"

# ---- faults and core dumps ----------------------------------------------------

# dumps HOW COMMAND...: with a core file whose own registers are in its text.
dumps()
{
	how=$1
	shift
	for patch in native all none; do
		rm -rf "${room:?}"/core*
		set -- "$@"
		if [ $patch = native ]; then
			(ulimit -c unlimited && whole "$@")
		else
			(ulimit -c unlimited &&
				whole "$GOLOAD" --patch=$patch "$@")
		fi
		core=$(find "$room" -name 'core*')
		[ -n "$core" ] || {
			echo "$patch: no core file"
			cat "$tmp/run.log"
			return 1
		}
		mv "$core" "$tmp/core.$patch"
		ended "$how, core dumped" || return
		[ $patch = native ] || told || return
		command -v gdb >/dev/null || continue
		gdb -nx -batch -ex 'p $_siginfo.si_signo' -ex 'info symbol $pc' \
			"$1" "$tmp/core.$patch" 2>/dev/null |
			grep -E '^\$1|in section' >"$tmp/core.$patch.says"
		same "$tmp/core.native.says" "$tmp/core.$patch.says" || {
			echo "(gdb of the core file: native, --patch=$patch)"
			return 1
		}
	done
}

if (ulimit -c unlimited) 2>/dev/null &&
	[ "$(cut -c1-4 /proc/sys/kernel/core_pattern)" = core ]; then
	fact 'a fault dumps the core of the fault' \
		dumps 'killed by 11' "$SAMPLES/c-glibc-static/fault"
	fact 'abort dumps its core' \
		dumps 'killed by 6' "$SAMPLES/c-glibc-static/abort"
	fact 'an illegal instruction dumps its core' \
		dumps 'killed by 4' "$program" trap
	for libc in $dynamics; do
		fact "$libc: a fault dumps the core of the fault" \
			dumps 'killed by 11' "$tmp/ends_do-$libc" fault
		fact "$libc: abort dumps its core" \
			dumps 'killed by 6' "$tmp/ends_do-$libc" abort
	done
else
	left_out 'core dumps' 'no core file can be had in this directory'
fi
fact 'a fault kills' \
	ends_itself 'killed by 11' "$SAMPLES/c-glibc-static/fault"
fact 'a fault kills a static PIE' \
	ends_itself 'killed by 11' "$SAMPLES/c-glibc-static-pie/fault"
fact 'a fault kills a musl program' \
	ends_itself 'killed by 11' "$SAMPLES/c-musl-static/fault"
fact 'abort kills' ends_itself 'killed by 6' "$SAMPLES/c-musl-static/abort"

# ---- execve and children -----------------------------------------------------

# goload's summary may come when the new program has ended already.
becomes_another() # HOW COMMAND...
{
	how=$1
	shift
	whole "$@"
	cp "$tmp/run.out" "$tmp/native.out"
	for patch in all none; do
		whole "$GOLOAD" --patch=$patch "$@"
		nothing_left && same "$tmp/native.out" "$tmp/run.out" || return
		# it may come in the middle of the summary
		grep -q "== $how\$" "$tmp/run.log" &&
			grep -q ' execve; ' "$tmp/run.log" &&
			grep -qE '^ *unexplained +0' "$tmp/run.log" && continue
		cat "$tmp/run.log"
		return 1
	done
}
fact 'execve: the new program has the end and the output' \
	becomes_another 'exited 21' "$program" exec "$program" exit 21
fact 'execve of a shell' \
	becomes_another 'exited 7' "$program" exec /bin/sh -c 'echo $0; exit 7'
fact 'execve that fails: the program goes on' \
	ends_itself 'exited 4' "$program" exec-missing
fact 'children that exec and exit, and ECHILD at last' \
	ends_itself 'exited 6' "$program" children "$program" exit 3
fact 'children that die of signals' \
	ends_itself 'exited 5' "$program" child-killed
for libc in $dynamics; do
	one=$tmp/ends_do-$libc
	fact "$libc: execve: the new program has the end and the output" \
		becomes_another 'exited 21' "$one" exec "$one" exit 21
	fact "$libc: execve that fails: the program goes on" \
		ends_itself 'exited 4' "$one" exec-missing
	fact "$libc: children that exec and exit, and ECHILD at last" \
		ends_itself 'exited 6' "$one" children "$one" exit 3
	fact "$libc: children that die of signals" \
		ends_itself 'exited 5' "$one" child-killed
done

exec_in_file() # HOW
{
	rm -f "$tmp/file"
	whole "$GOLOAD" record -q -o "$tmp/file" "$program" "$1" "$program" \
		exit 21
	nothing_left || return
	"$GOLOAD" report --format json "$tmp/file" >"$tmp/json"
	rm -f "$tmp/file"
	[ "$(jq -c '[.exit.exec, .run.complete, .totals.unexplained]' \
		"$tmp/json")" = '[true,true,0]' ] && return
	jq -c '[.exit, .run, .totals]' "$tmp/json"
	return 1
}
fact 'the run file of an execve says so, and is whole' exec_in_file exec
fact 'the run file of an execve behind one that failed says so' \
	exec_in_file exec-after-missing

after_failed_exec()
{
	rm -f "$tmp/file"
	whole "$GOLOAD" record -q -o "$tmp/file" "$program" exec-missing
	"$GOLOAD" report --format json "$tmp/file" >"$tmp/json"
	rm -f "$tmp/file"
	[ "$(jq -c '[.exit.status, .events.by_call.munmap, .totals.unexplained]' \
		"$tmp/json")" = '[4,2,0]' ] && return
	jq -c '[.exit, .run, .totals, .events]' "$tmp/json"
	return 1
}
fact 'what follows a failed execve is recorded' after_failed_exec

# ---- stopping --------------------------------------------------------------

stops() # SIGNAL WAY
{
	for patch in all none; do
		begin "$GOLOAD" --patch=$patch "$program" "$2" || return
		for _ in 1 2 3; do
			kill -s "$1" "$pid" && becomes "$pid" T || return
			kill -s CONT "$pid" && becomes "$pid" RSD || return
		done
		[ "$2" != continued ] || says again || return
		kill -s TERM "$pid"
		finished 'killed by 15' && told || return
	done
}
for libc in $dynamics; do
	program=$tmp/ends_do-$libc
	fact "$libc: SIGTSTP stops, SIGCONT continues" stops TSTP continued
done
program=$tmp/ends_do
for way in continued map spin threads; do
	fact "SIGTSTP stops, SIGCONT continues in '$way'" stops TSTP $way
	fact "SIGSTOP stops, SIGCONT continues in '$way'" stops STOP $way
done

terminal() # COMMAND...
{
	printf '#!/bin/sh\nexec %s 2>"%s"\n' "$*" "$tmp/terminal.err" >"$tmp/job"
	chmod 755 "$tmp/job"
	PS1='> ' PATH=$tmp:$PATH "$tmp/ends_tty" '> ' 'job^J' ready ^Z \
		Stopped '' '> ' 'echo status $?^J' 'status 148' '' \
		'> ' 'fg^J' job ^C '> ' 'exit $?^J' -- \
		bash --norc --noprofile --noediting -i >"$tmp/terminal"
	status=$?
	[ $status = 130 ] && return
	echo "status $status"
	cat "$tmp/terminal" "$tmp/terminal.err"
	return 1
}
job_control()
{
	for sleeper in "$program pause" "$go_sleeper" \
		"$tmp/ends_do-glibc pause" "$tmp/ends_do-musl pause" \
		"$SAMPLES/go/sleeper.cgo"; do
		# shellcheck disable=SC2086
		terminal $sleeper || return
		cp "$tmp/terminal" "$tmp/terminal.native"
		for patch in all none; do
			# shellcheck disable=SC2086
			terminal "$GOLOAD" --patch=$patch $sleeper &&
				same "$tmp/terminal.native" "$tmp/terminal" ||
				return
		done
		nothing_left || return
	done
}
if command -v bash >/dev/null; then
	fact 'Ctrl-Z, fg and Ctrl-C at a terminal' job_control
else
	left_out 'job control at a terminal' 'no bash'
fi

# ---- pid 1 -----------------------------------------------------------------

as_pid_1() # PROGRAM
{
	init=$1
	for patch in native all none; do
		set -- "$init" init
		[ $patch = native ] || set -- "$GOLOAD" --patch=$patch "$@"
		whole unshare -fp --mount-proc "$@"
		cp "$tmp/run.out" "$tmp/init.$patch"
		ended 'exited 5' && same "$tmp/init.native" "$tmp/init.$patch" ||
			return
		[ $patch = native ] || told || return
	done
}
go_as_pid_1() # PROGRAM
{
	whole unshare -fp --mount-proc "$GOLOAD" "$1"
	ended 'exited 0' && told
}
if [ "$(id -u)" = 0 ] && unshare -fp --mount-proc true 2>/dev/null; then
	fact 'as pid 1 of a pid namespace' as_pid_1 "$program"
	for libc in $dynamics; do
		fact "$libc: as pid 1 of a pid namespace" \
			as_pid_1 "$tmp/ends_do-$libc"
	done
	fact 'Go as pid 1 of a pid namespace' go_as_pid_1 "$SAMPLES/go/hello"
	fact 'Go with libc as pid 1 of a pid namespace' \
		go_as_pid_1 "$SAMPLES/go/hello.cgo"
else
	left_out 'as pid 1 of a pid namespace' 'not root'
fi

# ---- kill -9 -----------------------------------------------------------------

munmaps()
{
	"$GOLOAD" report --format json "$tmp/file" |
		jq '.events.by_call.munmap // 0'
}

cut_short() # PATCH
{
	rm -f "$tmp/file" "$tmp/account"
	# those of its loader are not in its account
	whole "$GOLOAD" record -q --patch="$1" -o "$tmp/file" "$program" exit 0
	loader=$(munmaps)
	rm -f "$tmp/file"
	begin "$GOLOAD" record -q --patch="$1" -o "$tmp/file" \
		"$program" churn "$tmp/account" || return
	sleep "0.$2"
	kill -KILL "$pid"
	finished 'killed by 9' || return
	"$GOLOAD" report --format json "$tmp/file" >"$tmp/json" &&
		"$GOLOAD" report "$tmp/file" >"$tmp/text" || return
	"$program" check "$tmp/account" $(($(munmaps) - loader)) 50 || return
	[ "$(jq -c '[.run.checked, .events.lost, .exit.status]' \
		"$tmp/json")" = '[false,0,null]' ] || {
		jq -c '[.run, .exit, .events]' "$tmp/json"
		return 1
	}
	grep -qiE 'cut|kill' "$tmp/text" || {
		echo "the report does not say that it was cut:"
		head -n 5 "$tmp/text"
		return 1
	}
}
cut_often() # PATCH
{
	for after in 05 1 2 35 5; do
		cut_short "$1" $after || return
	done
}
for libc in $dynamics; do
	program=$tmp/ends_do-$libc
	for patch in all none; do
		fact "$libc: after kill -9 all but the last 50 ms is kept, $patch" \
			cut_short $patch 1
	done
done
program=$tmp/ends_do
fact 'after kill -9 all but the last 50 ms is kept' cut_often all
fact 'after kill -9 all but the last 50 ms is kept, nothing patched' \
	cut_often none

finish
