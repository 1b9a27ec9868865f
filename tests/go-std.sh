#!/bin/sh
# Go's own tests of its standard library, natively and under goload: the same ones
# pass, fail and are skipped, and the ledger of each test program closes.
#
#   tests/go-std.sh [PACKAGE...]    these, or all that goload may disturb
#
# GO is a go command (default: that on the PATH) and GOTEST holds flags for its
# test (default: -short). A test with another result than natively gets TRIES (3):
# it is as natively when it once had a result that it natively had, too.
# KEEP=FOLDER keeps the run files.
# shellcheck disable=SC2086
. "$(dirname "$0")/lib.sh"

: "${GO:=go}" "${GOTEST:=-short}" "${TRIES:=3}" "${KEEP:=$tmp/runs}"
[ $# -gt 0 ] || set -- runtime runtime/... sync sync/... os os/... syscall net \
	net/http io bufio time context plugin testing reflect internal/...
command -v "$GO" >/dev/null || skip "go is missing"
sources=$("$GO" env GOROOT)/src
[ -e "$sources/runtime/malloc_test.go" ] ||
	skip "Go's own tests are not with $("$GO" version)"
mkdir -p "$KEEP"
touch "$tmp/native" "$tmp/here"

# results_of PACKAGE... -- FLAG...: "package test result", a line each. A test
# that a process died in has none: it is its package that fails.
results_of()
{
	(cd "$sources" && "$GO" test -json -count=1 -vet=off $GOTEST "$@") \
		2>>"$tmp/errors" </dev/null | tee -a "$tmp/said" |
		jq -r 'select(.Action == "pass" or .Action == "fail" or
			.Action == "skip") |
			"\(.Package) \(.Test // "-" | gsub(" "; "_")) \(.Action)"'
}

# add NAME FLAG... PACKAGE...: to the results that are known
add()
{
	name=$1
	shift
	results_of "$@" >"$tmp/new"
	sort -u "$tmp/new" "$tmp/$name" >"$tmp/all"
	mv "$tmp/all" "$tmp/$name"
}

# Tests that never had the same result both ways.
unlike()
{
	comm -12 "$tmp/native" "$tmp/here" | cut -d ' ' -f 1,2 | sort -u \
		>"$tmp/agreed"
	cat "$tmp/native" "$tmp/here" | cut -d ' ' -f 1,2 | sort -u |
		comm -23 - "$tmp/agreed"
}

same_results()
{
	for _ in $(seq "$TRIES"); do
		add native "$@"
		add here -exec "$GOLOAD record -q -o $KEEP/%e.%p.run" "$@"
		unlike >"$tmp/unlike"
		[ -s "$tmp/unlike" ] || return 0
		echo "differ:" && cat "$tmp/unlike"
		set -- $(cut -d ' ' -f 1 "$tmp/unlike" | sort -u)
	done
	echo 'never alike; < natively, > here:'
	while read -r test; do
		grep -F "$test " "$tmp/native" | sed 's/^/< /'
		grep -F "$test " "$tmp/here" | sed 's/^/> /'
	done <"$tmp/unlike"
	return 1
}

# Races between calls of the program's own threads are counted, not forbidden.
all_close()
{
	open=0
	for file in "$KEEP"/*.run; do
		"$GOLOAD" report --format json "$file" |
			jq '.events.ambiguous = 0' >"$tmp/closed.json"
		closes closed && continue
		echo "in ${file##*/}"
		open=$((open + 1))
	done
	[ $open = 0 ]
}

fact "$("$GO" env GOVERSION): the same tests pass, fail and are skipped" \
	same_results "$@"
echo "# $(wc -l <"$tmp/native") results natively, $(wc -l <"$tmp/here") here," \
	"$(grep -c ' fail$' "$tmp/native") of them failures natively"
fact "$("$GO" env GOVERSION): the ledgers of its test programs close" all_close
echo "# $(find "$KEEP" -name '*.run' | wc -l) run files"
finish
