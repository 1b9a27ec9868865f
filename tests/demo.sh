#!/bin/bash
# A Go HTTP server under goload answers 100 real requests and gets a Ctrl-C:
# its ledger is there before the prompt, with nothing unexplained. Then the
# same recorded, and the same said of it in JSON.
#
#   GOLOAD=./goload tests/demo.sh SERVER
set -eu
set -m # a program in the background keeps its Ctrl-C, and has its own group

: "${GOLOAD:=./goload}"
server=${1:?Usage: tests/demo.sh SERVER}
requests=100
sigint=130 # what the shell makes of death by SIGINT
tmp=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -KILL -- "-$pid" 2>/dev/null; rm -rf "$tmp"' EXIT

die()
{
	echo "demo: $*" >&2
	exit 1
}

# free_port: one on which nothing answers now.
free_port()
{
	local port
	while :; do
		port=$((20000 + RANDOM % 10000))
		(: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo "$port"
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
		kill -0 "$pid" 2>/dev/null || die "$server ended: $(cat "$tmp/err")"
		[ $SECONDS -lt $deadline ] || die "$server does not answer"
		sleep 0.01
	done
}

# serve COMMAND...: run it, make the requests, press Ctrl-C, wait for its end.
serve()
{
	local port body i status=0

	port=$(free_port)
	PORT=$port "$@" >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	wait_for "$port"
	for ((i = 0; i < requests; i++)); do
		body=$(get "$port" /bar)
		[ "$body" = 'Hello, "/bar"' ] || die "request $i got '$body'"
	done
	kill -INT -- "-$pid"
	wait "$pid" 2>/dev/null || status=$?
	pid=
	[ $status = $sigint ] || die "status $status, not $sigint: $(cat "$tmp/err")"
}

serve "$GOLOAD" "$server"
echo "\$ goload $server"
cat "$tmp/out" "$tmp/err"
grep -qiE 'unexplained +0( |$)|nothing is unexplained' "$tmp/err" ||
	die "the ledger does not close"

serve "$GOLOAD" record -q -o "$tmp/run" "$server"
[ ! -s "$tmp/err" ] || die "record -q said: $(cat "$tmp/err")"
"$GOLOAD" report "$tmp/run" --format json >"$tmp/json"
grep -qE '"unexplained": *0 *(,|}|$)' "$tmp/json" ||
	die "the report has: $(grep -o '"unexplained": *[^,}]*' "$tmp/json")"

echo "demo: $requests requests answered, nothing unexplained"
