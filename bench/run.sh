#!/bin/sh
# make bench: what goload costs, as ratios of runs made in turn on one machine.
#
# Each row: the median of the native figure, of the figure under goload, their
# relation, its 95 % bound, and the bar of docs/design.md.  A row is void unless
# its goload run lost nothing and recorded every call the program made.
#
#   ROUNDS=31   rounds of each row
#   QUICK=1     fewer operations, to see that it works
set -eu

: "${GOLOAD:=./goload}" "${SAMPLES:=out/samples}" "${ROUNDS:=31}" "${CC:=cc}"
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$CC" -O2 -static -o "$work/loop" "$here/loop.c"
"$CC" -O2 -o "$work/rounds" "$here/rounds.c" -lm
"$here/../samples/build.sh" "$SAMPLES" hello hello.cgo >/dev/null

line()
{
	printf '%-44s %10s %10s %9s %9s %9s\n' "$@"
}

# row NAME BAR KIND COMMAND... : native against goload, KIND as in rounds.c
row()
{
	name=$1 bar=$2 kind=$3
	shift 3
	set -- "$@"
	"$work/rounds" "$kind" "$ROUNDS" -- "$@" \
		-- "$GOLOAD" ${OPTIONS-} -q "$@" >"$work/figures"
	set -- $(cat "$work/figures")
	case $kind in
	number) line "$name" "$1 ns" "$4 ns" "$5 x" "$6 x" "$bar" ;;
	*) line "$name" "$1 ms" "$4 ms" "+$5 ms" "+$6 ms" "$bar" ;;
	esac
}

# whole NAME COMMAND... : a recorded run of it lost nothing and closes, and the
# calls named in COUNT (name=number ...) are all there
whole()
{
	name=$1
	shift
	rm -f "$work/run"
	"$GOLOAD" record -q -o "$work/run" "$@" >/dev/null
	"$GOLOAD" report --format json "$work/run" >"$work/json"
	grep -q '"lost": 0,' "$work/json" &&
		grep -q '"unexplained": 0,' "$work/json" ||
		{ echo "void: $name lost events or does not close"; return 1; }
	for count in ${COUNT-}; do
		grep -q "\"${count%=*}\": ${count#*=}[,}]*\$" "$work/json" ||
			{ echo "void: $name: not $count"; return 1; }
	done
}

n=20000 calls=200000 signals=50000
[ -z "${QUICK-}" ] || n=2000 calls=20000 signals=5000

line "" native goload relation "95 % <" bar
COUNT="munmap=$((n + n / 10))" whole pair "$work/loop" pair $n &&
	row "mmap, touch, munmap 64 KiB" "1.05 x" number "$work/loop" pair $n
row "a call not about memory, net on" "1.20 x" number \
	"$work/loop" syscall $calls
OPTIONS=--net=off row "the same, net off" "1.03 x" number \
	"$work/loop" syscall $calls
row "a signal delivered to a handler" "1.10 x" number \
	"$work/loop" signal $signals
COUNT= whole hello "$SAMPLES/go/hello" &&
	row "start-up to main: static Go hello" "+5 ms" first \
		"$SAMPLES/go/hello"
for go in "$SAMPLES"/go1*; do
	COUNT= whole hello.cgo "$go/hello.cgo" &&
		row "the same: cgo hello, ${go##*/}" "+10 ms" first \
			"$go/hello.cgo"
done
row "hello from exec to end" "" whole "$SAMPLES/go/hello"

# Large Go programs are at hand where Go is: the go command (with symbols) and
# the compiler.
large()
{
	size=$(($(wc -c <"$1") / 1000000))
	shift
	row "start-up: Go program of $size MB" "$bar" first "$@"
}
if command -v go >/dev/null; then
	tools=$(go env GOTOOLDIR)
	bar="+10 ms" && large "$tools/link" "$tools/link" -V
	bar="+15 ms" && large "$tools/compile" "$tools/compile" -V
fi
