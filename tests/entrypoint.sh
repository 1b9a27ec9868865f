#!/bin/sh
# goload as the entry point of a container: the program is pid 1 and ends, gets
# signals and has zombies as natively; nothing needs to be writable but where the
# run goes, and no capability is needed.
# shellcheck disable=SC1091,SC2154,SC2317
. "$(dirname "$0")/lib.sh"

unshare -fpm --mount-proc true 2>/dev/null ||
	skip 'a pid namespace takes root and unshare'
samples http
helper_static entrypoint_do
mkfifo "$tmp/ready" "$tmp/more"
mkdir "$tmp/runs"

# contained NAME COMMAND...: run it as pid 1
contained()
{
	contained_name=$1
	shift
	run "$contained_name" unshare -fpm --mount-proc "$@"
}

# sides FACT: natively and as an entry point, as docs/fleet.md has it; the side is
# in $side, in $entry what stands in front of the program
sides()
{
	for side in native goload; do
		entry=
		[ $side = native ] || entry="$GOLOAD record -q
			-o $tmp/runs/$1.%e.%h.%p.run --"
		"$@" || return
	done
}

# the_run NAME PROGRAM: its run file is there, alone, and is whole
the_run()
{
	file=$tmp/runs/$1.$2.$(uname -n).1.run
	[ "$(echo "$tmp/runs/$1."*)" = "$file" ] || {
		ls "$tmp/runs"
		return 1
	}
	"$GOLOAD" report --format json "$file" >"$tmp/$1.json" && closes "$1"
}

child_of() # PID
{
	grep -ls "^PPid:.$1\$" /proc/[0-9]*/status | sed 's:[^0-9]::g'
}

# begin COMMAND...: as pid 1, in the background; returns when it has written a
# line to $tmp/ready. $init is its process ID here.
begin()
{
	# shellcheck disable=SC2086
	"$tmp/ended" "$HUNG" "$tmp/$side.end" unshare -fpm --mount-proc \
		$entry "$@" >"$tmp/$side.out" 2>"$tmp/$side.err" &
	started=$!
	read -r _ <"$tmp/ready" && init=$(child_of "$(child_of $started)")
}

# ends_alike [STATUS]
ends_alike()
{
	wait "$started"
	[ $# = 0 ] || grep -qx "$1" "$tmp/$side.end" || {
		cat "$tmp/$side.end" "$tmp/$side.err"
		return 1
	}
	[ "$side" = native ] || alike native goload
}

# ---- signals ------------------------------------------------------------------

handled()
{
	# shellcheck disable=SC2016
	begin sh -c 'trap "echo asked to end; exit 7" TERM
		echo "pid $$"; echo >"$0"; read -r line <"$1"' \
		"$tmp/ready" "$tmp/more" &&
		kill -TERM "$init" && ends_alike 'exited 7' &&
		grep -qx 'pid 1' "$tmp/$side.out"
}

# It is there to answer when it has had the signal: the kernel drops it at once.
unhandled()
{
	# shellcheck disable=SC2016
	begin sh -c 'echo >"$0"; read -r line <"$1"; echo "$line"' \
		"$tmp/ready" "$tmp/more" &&
		kill -TERM "$init" && kill -INT "$init" &&
		echo still there >"$tmp/more" && ends_alike 'exited 0' &&
		grep -qx 'still there' "$tmp/$side.out"
}

killed()
{
	# shellcheck disable=SC2016
	begin sh -c 'echo >"$0"; read -r line <"$1"' "$tmp/ready" "$tmp/more" &&
		kill -KILL "$init" && ends_alike # unshare says how, or trips
}

cut_short()
{
	"$GOLOAD" report "$tmp/runs/killed.sh.$(uname -n).1.run" >"$tmp/cut" &&
		grep -q 'killed, or cut short\|SIGKILL' "$tmp/cut" && return
	head -n 3 "$tmp/cut"
	return 1
}

# Go ends by itself when the signal does not kill it.
server()
{
	PORT=$((20000 + $$ % 10000))
	export PORT
	# shellcheck disable=SC2086
	"$tmp/ended" "$HUNG" "$tmp/$side.end" unshare -fpm --mount-proc \
		$entry "$SAMPLES/go/http" >"$tmp/$side.out" 2>"$tmp/$side.err" &
	started=$!
	until answers; do
		kill -0 $started || return
	done
	kill -TERM "$(child_of "$(child_of $started)")" &&
		ends_alike 'exited 2'
}

answers()
{
	bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT &&
		printf 'GET /bar HTTP/1.0\r\n\r\n' >&3 && grep -q Hello <&3" \
		2>/dev/null
}

fact 'SIGTERM reaches the handler of pid 1, and its exit status is its own' \
	sides handled
fact 'its run file has the name that was asked for, and is whole' \
	the_run handled sh
fact 'SIGTERM and SIGINT that pid 1 does not handle are nothing, as natively' \
	sides unhandled
fact 'its run file is whole' the_run unhandled sh
fact 'SIGKILL ends pid 1, and all with it' sides killed
fact 'its run can be read, and says that it was cut short' cut_short
fact 'a Go server ends with SIGTERM as natively' sides server
fact 'its run file is whole, too' the_run server http

# ---- processes ------------------------------------------------------------------

# The observer is one process more, and no zombie.
zombies()
{
	# shellcheck disable=SC2086
	contained $side $entry "$tmp/entrypoint_do"
	grep ' goload$' "$tmp/$side.out" >"$tmp/observer"
	grep -v ' goload$' "$tmp/$side.out" | awk '
		/^(before|behind)$/ { part = $0 }
		{ print part, $0 }' | sort >"$tmp/$side.list"
	grep -qx 'exited 5' "$tmp/$side.end" &&
		[ "$(grep -c 'before Z 1 entrypoint_do' "$tmp/$side.list")" = 3 ] &&
		[ "$(grep -c 'behind Z 1 entrypoint_do' "$tmp/$side.list")" = 2 ] ||
		return
	[ "$side" = native ] && return
	diff "$tmp/native.list" "$tmp/goload.list" &&
		[ "$(wc -l <"$tmp/observer")" = 2 ] &&
		fails grep '^Z' "$tmp/observer"
}

fact 'zombies are those of a native run, and the observer is none' sides zombies
fact 'its run file is whole, among zombies' the_run zombies entrypoint_do

# ---- what it needs ----------------------------------------------------------------

# in_root FILE: into the file system, with its libraries
in_root()
{
	mkdir -p "$tmp/root/bin" && cp "$1" "$tmp/root/bin/" &&
		ldd "$1" | grep -o '/[^ ]*' | while read -r library; do
		mkdir -p "$tmp/root$(dirname "$library")" &&
			cp -L "$library" "$tmp/root$library" || exit
	done
}

# Nothing but goload and the program, read-only, but for /proc and /runs; another
# user without a capability, who cannot get one.
locked_up()
{
	in_root "$GOLOAD" && in_root "$(command -v setpriv)" &&
		cp "$SAMPLES/go/hello" "$tmp/root/bin/app" &&
		mkdir "$tmp/root/proc" "$tmp/root/runs" || return
	# shellcheck disable=SC2016
	contained locked sh -ec '
		mount --bind "$0" "$0"
		mount -t proc proc "$0/proc"
		mount --bind "$1" "$0/runs"
		mount -o remount,bind,ro "$0"
		chmod 777 "$0/runs"
		exec chroot "$0" /bin/setpriv --reuid=65534 --regid=65534 \
			--clear-groups --no-new-privs --bounding-set=-all \
			--inh-caps=-all /bin/goload record -q \
			-o /runs/locked.%e.%h.%p.run -- /bin/app' \
		"$tmp/root" "$tmp/runs"
	[ "$(cat "$tmp/locked.out" "$tmp/locked.err" "$tmp/locked.end")" = \
		"$(printf 'hello world\nexited 0')" ] && the_run locked app &&
		return
	cat "$tmp/locked.out" "$tmp/locked.err" "$tmp/locked.end"
	return 1
}

# A control: there it really cannot write anywhere else.
read_only()
{
	# shellcheck disable=SC2016
	contained control sh -ec '
		mount --bind "$0" "$0"
		mount -o remount,bind,ro "$0"
		: >"$0/file"' "$tmp/root"
	grep -q 'Read-only' "$tmp/control.err"
}

samples hello
fact 'a read-only file system with goload and the program, no capability, no root' \
	locked_up
fact 'a control: that file system is read-only' read_only
finish
