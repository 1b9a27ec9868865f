#!/bin/bash
# Serve real requests: COMMAND runs an HTTP server that listens at $PORT; it is
# waited for, asked N times, and gets a Ctrl-C, of which it must die.
#
#   tests/serve.sh N COMMAND...
#
# Or `. tests/serve.sh` for `serve N COMMAND...`: COMMAND's output is then in
# $tmp/out and $tmp/err, and $tmp goes away at the end.
set -eu
. "$(dirname "${BASH_SOURCE[0]}")/../samples/shared.sh"
set -m # a program in the background keeps its Ctrl-C, and has its own group

sigint=130 # what the shell makes of death by SIGINT
tmp=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -KILL -- "-$pid" 2>/dev/null; rm -rf "$tmp"' EXIT

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# get PORT PATH: the body of the answer.
get()
{
	local line
	exec 3<>"/dev/tcp/127.0.0.1/$1" || return
	printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3
	while IFS= read -r line <&3 && [ "$line" != $'\r' ]; do :; done
	cat <&3
	exec 3>&-
}

# wait_for PORT: until the server answers; its end or ten seconds are too much.
wait_for()
{
	local deadline=$((SECONDS + 10))
	until (get "$1" /bar) >/dev/null 2>&1; do
		kill -0 "$pid" 2>/dev/null ||
			die "the server ended: $(cat "$tmp/err")"
		[ $SECONDS -lt $deadline ] || die "the server does not answer"
		sleep 0.01
	done
}

# ask PORT N: N requests, each answered as it should be.
ask()
{
	local body i
	for ((i = 0; i < $2; i++)); do
		body=$(get "$1" /bar)
		[ "$body" = 'Hello, "/bar"' ] || die "request $i got '$body'"
	done
}

# serve N COMMAND...: run it, make the requests, press Ctrl-C, wait for its end.
serve()
{
	local requests=$1 port status=0
	shift

	port=$(free_port)
	# where this runs in the background itself SIGINT is ignored
	PORT=$port env --default-signal=INT "$@" >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	wait_for "$port"
	ask "$port" "$requests"
	kill -INT -- "-$pid"
	wait "$pid" 2>/dev/null || status=$?
	pid=
	[ $status = $sigint ] || die "status $status, not $sigint: $(cat "$tmp/err")"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	serve "$@"
	cat "$tmp/out"
	cat "$tmp/err" >&2
fi
