#!/bin/sh
# Debuggers and tracers find in a program under goload what they find in it
# natively: gdb attaches, breaks by name and opens its core dump, strace and perf
# see its calls and its code; delve, where it is. As root and as another user.
# shellcheck disable=SC1091,SC2016,SC2317,SC3045
. "$(dirname "$0")/lib.sh"

cp "$GOLOAD" "$tmp/goload" # another user must reach it
GOLOAD=$tmp/goload
chmod 777 "$tmp"

# The programs, and the functions that are to be found in them.
built_as()
{
	what=$1
	shift
	# shellcheck disable=SC2086
	compiled debug "$what" $CC -g -fno-optimize-sibling-calls "$@"
}
built_as pie -fPIE -pie
built_as nopie -fno-pie -no-pie
built_as static -static
programs='pie nopie static'
if command -v go >/dev/null; then
	for mode in exe pie; do
		GOFLAGS='' GO111MODULE=off CGO_ENABLED=0 go build -buildmode=$mode \
			-o "$tmp/go-$mode" "$here/helpers/debug.go" || exit 1
		programs="$programs go-$mode"
	done
fi

# frames: of a backtrace, the functions of the program
frames()
{
	sed -nE 's/^#[0-9]+ +(0x[0-9a-f]+ in )?((main\.)?(leaf|middle|main)) .*/\2/p'
}

# has_frames FILE PROGRAM: leaf, middle and main, each called by the next
has_frames()
{
	case $2 in
	go-*) want='main.leaf main.middle main.main' ;;
	*) want='leaf middle main' ;;
	esac
	found=$(frames <"$1" | tr '\n' ' ')
	[ "$found" = "$want " ] && return
	cat "$1"
	return 1
}

function_of()
{
	case $1 in
	go-*) echo main.leaf ;;
	*) echo leaf ;;
	esac
}

gdb_batch()
{
	# shellcheck disable=SC2086
	timeout -k 5 "$HUNG" $as gdb -nx -batch -ex 'set confirm off' \
		-ex 'set debuginfod enabled off' "$@" </dev/null 2>&1
}

# ---- attach -------------------------------------------------------------------

# waiting PROGRAM OPTION...: it runs under goload and waits, $pid
waiting()
{
	one=$1
	shift
	rm -f "$tmp/input"
	mkfifo "$tmp/input"
	chmod 666 "$tmp/input"
	# shellcheck disable=SC2086
	timeout -k 5 "$HUNG" $as "$GOLOAD" -q "$@" "$tmp/$one" wait <"$tmp/input" \
		>"$tmp/said" 2>&1 &
	job=$!
	exec 9>"$tmp/input"
	for _ in $(seq 500); do
		grep -q here "$tmp/said" && break
		sleep 0.02
	done
	pid=$(sed -n 's/^here //p' "$tmp/said")
}

# went_on SUM: it reads the end of its input, and ends well
went_on()
{
	exec 9>&-
	wait "$job" && grep -q "^sum $1$" "$tmp/said" && return
	cat "$tmp/said"
	return 1
}

# The byte is in the pipe before the program goes on: no race.
attached()
{
	program=$1
	shift
	waiting "$program" "$@"
	gdb_batch -ex 'handle SIGSYS nostop noprint pass' \
		-ex "break $(function_of "$program")" \
		-ex "shell printf a >$tmp/input" -ex continue -ex bt \
		-ex delete -ex detach -p "$pid" "$tmp/$program" >"$tmp/gdb"
	went_on 2 && has_frames "$tmp/gdb" "$program"
}

# ---- from the start -------------------------------------------------------------

# The net goes on when the program is in memory and has not begun.
started()
{
	gdb_batch -ex 'catch syscall prctl' -ex 'condition 1 $rdi == 59' \
		-ex run -ex 'delete 1' -ex "file $tmp/$1" \
		-ex "break $(function_of "$1")" -ex continue -ex bt -ex delete \
		-ex continue --args "$GOLOAD" -q "$tmp/$1" 1 >"$tmp/gdb"
	grep -q '^sum 2$' "$tmp/gdb" || {
		cat "$tmp/gdb"
		return 1
	}
	has_frames "$tmp/gdb" "$1"
}

# gdb itself under goload: its child asks to be traced.
gdb_under_goload()
{
	# shellcheck disable=SC2086
	timeout -k 5 "$HUNG" $as "$GOLOAD" -q "--patch=$1" gdb -nx -batch \
		-ex 'set debuginfod enabled off' -ex 'break leaf' -ex run -ex bt \
		--args "$tmp/pie" 1 </dev/null >"$tmp/gdb" 2>&1
	has_frames "$tmp/gdb" pie
}

# ---- core dumps ------------------------------------------------------------------

# core NAME COMMAND...: dumps one, $tmp/NAME.core
core()
{
	name=$1
	shift
	mkdir -m 777 "$tmp/dump"
	# shellcheck disable=SC2086
	(cd "$tmp/dump" && ulimit -c unlimited && GOTRACEBACK=crash \
		timeout -k 5 "$HUNG" $as "$@" >"$tmp/$name.log" 2>&1)
	mv "$tmp"/dump/core* "$tmp/$name.core" 2>/dev/null || cat "$tmp/$name.log"
	rm -rf "$tmp/dump"
	[ -s "$tmp/$name.core" ]
}

# said_of NAME PROGRAM: frames, where files are mapped, and auxv, as distances
said_of()
{
	gdb_batch -ex bt "$tmp/$2" "$tmp/$1.core" >"$tmp/$1.bt"
	gdb_batch -ex 'info auxv' -ex 'info proc mappings' "$tmp/$2" \
		"$tmp/$1.core" >"$tmp/$1.notes"
	has_frames "$tmp/$1.bt" "$2" || return
	grep -c 'Program terminated with signal SIGABRT' "$tmp/$1.bt"
	awk '$2 ~ /^AT_(PHENT|PHNUM|PAGESZ|UID|SECURE|PLATFORM)$/ { print $2, $NF }
		$NF == file { print $3, $4, $5 }
		$2 == "AT_EXECFN" { print $NF }' file="$tmp/$2" "$tmp/$1.notes"
}

dumped()
{
	core native "$tmp/$1" abort && core here "$GOLOAD" -q "$tmp/$1" abort &&
		said_of native "$1" >"$tmp/native.says" || return
	said_of here "$1" >"$tmp/here.says" || {
		cat "$tmp/here.says"
		return 1
	}
	grep -q "$tmp/$1\$" "$tmp/here.says" &&
		diff "$tmp/native.says" "$tmp/here.says"
}

# ---- tracers ---------------------------------------------------------------------

# strace -f sees the program's calls, and goload's ledger is the same.
straced()
{
	rm -f "$tmp/here.run"
	# shellcheck disable=SC2086
	timeout -k 5 "$HUNG" $as strace -f -o "$tmp/strace" "$GOLOAD" record -q \
		-o "$tmp/here.run" "$tmp/$1" 20 >"$tmp/said" 2>&1
	"$GOLOAD" report --format json "$tmp/here.run" >"$tmp/here.json"
	closes here || return
	grep -q '^sum 420$' "$tmp/said" || {
		cat "$tmp/said"
		return 1
	}
	pid=$(jq .program.pid "$tmp/here.json")
	calls=$(sed -nE "s/^$pid +munmap\(.*, 4096(\)| <).*/x/p" "$tmp/strace" |
		grep -c x)
	[ "$calls" -ge 20 ] && return
	echo "$calls calls seen"
	return 1
}

# Its time is in leaf, and leaf is called by middle.
profiled()
{
	# shellcheck disable=SC2086
	timeout -k 5 "$HUNG" $as perf record -q -e cpu-clock -o "$tmp/perf.data" \
		"$GOLOAD" -q "$tmp/$1" spin >"$tmp/said" 2>&1
	perf report -i "$tmp/perf.data" --stdio --sort symbol 2>/dev/null |
		sed '/^#/d; /^$/d' >"$tmp/perf.says"
	sed 1q "$tmp/perf.says" | grep -qw leaf && return
	cat "$tmp/said" "$tmp/perf.says"
	return 1
}

# ---- delve -----------------------------------------------------------------------

delve()
{
	timeout -k 5 "$HUNG" dlv "$@" --allow-non-terminal-interactive=true \
		<"$tmp/commands" >"$tmp/dlv" 2>&1
}

# The byte comes when the breakpoint is there.
send_when_set()
{
	for _ in $(seq 500); do
		grep -q 'Breakpoint 1 set' "$tmp/dlv" && break
		sleep 0.05
	done
	printf a >&9
}

dlv_attached()
{
	waiting "$1"
	printf '%s\n' 'break main.leaf' continue stack clearall detach \
		>"$tmp/commands"
	: >"$tmp/dlv"
	send_when_set &
	delve attach "$pid" "$tmp/$1"
	went_on 2 && grep -q 'main.middle' "$tmp/dlv" && return
	cat "$tmp/dlv"
	return 1
}

# dlv_under_goload PROGRAM OPTION...: a program that dlv starts, dlv being goload's
dlv_under_goload()
{
	program=$1
	shift
	printf '%s\n' 'break main.leaf' continue stack clearall continue exit \
		>"$tmp/commands"
	timeout -k 5 "$HUNG" "$GOLOAD" -q "$@" dlv exec "$tmp/$program" \
		--allow-non-terminal-interactive=true -- 5 \
		<"$tmp/commands" >"$tmp/dlv" 2>&1
	grep -q 'main.middle' "$tmp/dlv" && grep -q 'sum 30$' "$tmp/dlv" &&
		return
	cat "$tmp/dlv"
	return 1
}

# ----------------------------------------------------------------------------------

# debugged WHO PROGRAM...
debugged()
{
	how="as $1"
	shift
	for program; do
		fact "gdb attaches to $program and breaks by name, $how" \
			attached "$program"
		fact "gdb --args goload ./$program breaks by name, $how" \
			started "$program"
	done
	fact "gdb attaches, and nothing is patched, $how" \
		attached nopie --patch=none
	for patch in all none; do
		fact "gdb under goload --patch=$patch, $how" \
			gdb_under_goload "$patch"
	done
}

ptraces()
{
	# shellcheck disable=SC2086
	timeout -k 5 20 $as gdb -nx -batch -ex run --args /bin/true </dev/null 2>&1 |
		grep -q 'exited normally'
}

for as in '' 'setpriv --reuid=65534 --regid=65534 --clear-groups'; do
	[ -n "$as" ] && [ "$(id -u)" != 0 ] && continue
	who=$($as id -un)
	if ! command -v gdb >/dev/null; then
		left_out "gdb, as $who" 'gdb is missing'
	elif ! ptraces; then
		left_out "gdb, as $who" 'ptrace does not work here'
	elif [ -z "$as" ]; then
		# shellcheck disable=SC2086
		debugged "$who" $programs
	else
		debugged "$who" pie
	fi
done
as=

if ! command -v gdb >/dev/null ||
	! (ulimit -c unlimited) 2>/dev/null ||
	[ "$(cut -c1-4 /proc/sys/kernel/core_pattern)" != core ]; then
	left_out 'core dumps' 'no gdb, or core files go elsewhere'
else
	for program in $programs; do
		fact "the core dump of $program is the native one" \
			dumped "$program"
	done
fi
if strace -o /dev/null true 2>/dev/null; then
	for program in pie static; do
		fact "strace -f goload ./$program sees its calls" \
			straced "$program"
	done
else
	left_out 'strace -f goload' 'strace does not run'
fi
if perf record -q -e cpu-clock -o "$tmp/perf.data" true >/dev/null 2>&1; then
	for program in pie static; do
		fact "perf record goload ./$program names its functions" \
			profiled "$program"
	done
else
	left_out 'perf record goload' 'perf does not run'
fi
if ! command -v dlv >/dev/null; then
	left_out 'delve' 'dlv is missing (go install github.com/go-delve/delve/cmd/dlv)'
else
	for program in go-exe go-pie; do
		fact "dlv attach to $program breaks by name" \
			dlv_attached "$program"
		fact "goload dlv exec ./$program breaks by name" \
			dlv_under_goload "$program"
		fact "goload --follow dlv exec ./$program breaks by name" \
			dlv_under_goload "$program" --follow
	done
fi
finish
