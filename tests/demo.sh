#!/bin/bash
# A Go HTTP server under goload answers 100 real requests and gets a Ctrl-C:
# its ledger is there before the prompt, with nothing unexplained. Then the
# same recorded, and the same said of it in JSON.
#
#   GOLOAD=./goload tests/demo.sh SERVER
. "$(dirname "$0")/serve.sh"

: "${GOLOAD:=./goload}"
server=${1:?Usage: tests/demo.sh SERVER}
requests=100

serve $requests "$GOLOAD" "$server"
echo "\$ goload $server"
cat "$tmp/out" "$tmp/err"
grep -qiE 'unexplained +0( |$)|nothing is unexplained' "$tmp/err" ||
	die "the ledger does not close"

serve $requests "$GOLOAD" record -q -o "$tmp/run" "$server"
[ ! -s "$tmp/err" ] || die "record -q said: $(cat "$tmp/err")"
"$GOLOAD" report "$tmp/run" --format json >"$tmp/json"
grep -qE '"unexplained": *0 *(,|}|$)' "$tmp/json" ||
	die "the report has: $(grep -o '"unexplained": *[^,}]*' "$tmp/json")"

echo "demo: $requests requests answered, nothing unexplained"
