#!/bin/sh
# make bench: what goload costs, as relations of runs made in turn on one
# machine; docs/performance.md says how, and what came out.
#
# Each row: the medians natively, under goload, strace and perf trace; goload's
# relation to native, what it lies below with 95 % confidence, the bar, and
# whether that is met: `yes` when the bound is, `no` when the median is not, else
# `open`.  A row is `void` when its program lost events or did not close under
# goload, or when the kernel counted other memory calls (tests/kernel.sh: that
# takes root).
#
#   ROUNDS=31      rounds of each row
#   QUICK=1        fewer operations, to see that it works
#   ROWS=PATTERN   only rows whose names match (grep -E)
#
# The table goes to the terminal and to $OUT/bench.md.
set -eu

: "${GOLOAD:=$PWD/goload}" "${SAMPLES:=$PWD/out/samples}" "${OUT:=out}"
: "${ROUNDS:=31}" "${QUICK:=}" "${ROWS:=.}" "${CC:=cc}"
export GOLOAD SAMPLES CC
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# ---- the table ---------------------------------------------------------------

line()
{
	printf '| %-38s | %10s | %10s | %10s | %10s | %9s | %9s | %9s | %-4s |\n' \
		"$@" | tee -a "$OUT/bench.md"
}

head_of_table()
{
	mkdir -p "$OUT"
	: >"$OUT/bench.md"
	line "" native goload strace "perf trace" relation "95 % <" bar met
	line --- --: --: --: --: --: --: --: ---
}

# amount UNIT NUMBER: of no number, nothing
amount()
{
	[ -n "$2" ] || return 0
	case $1 in
	x) printf '%.3f x' "$2" ;;
	%) printf '%.2f %%' "$2" ;;
	+ms) printf '%+.2f ms' "$2" ;;
	+KiB) printf '%+.0f KiB' "$2" ;;
	*) printf '%.1f %s' "$2" "$1" ;;
	esac
}

# judge MEDIAN BOUND BAR
judge()
{
	awk -v median="$1" -v bound="$2" -v bar="$3" 'BEGIN {
		print (bound <= bar ? "yes" : median > bar ? "no" : "open")
	}'
}

# show NAME UNIT RELATION BAR MEDIAN RELATION BOUND...: one row, of the figures of
# each command: native, goload, and the others where they run
show()
{
	name=$1 unit=$2 relation=$3 bar=$4
	shift 4
	line "$name" "$(amount "$unit" "$1")" "$(amount "$unit" "$4")" \
		"$(amount "$unit" "${7-}")" "$(amount "$unit" "${10-}")" \
		"$(amount "$relation" "$5")" "$(amount "$relation" "$6")" \
		"$(amount "$relation" "$bar")" "${void:-$(judge "$5" "$6" "$bar")}"
}

# alone NAME UNIT BAR NUMBER: a row of goload's own
alone()
{
	line "$1" "" "$(amount "$2" "$4")" "" "" "" "" "$(amount "$2" "$3")" \
		"$(judge "$4" "$4" "$3")"
}

# ---- what is compared --------------------------------------------------------

asked()
{
	printf '%s\n' "$1" | grep -qE "$ROWS"
}

# whole COMMAND...: did a recorded run lose nothing, and close, and have as many
# calls as the kernel counts?  Else $void says so, and the terminal why.
whole()
{
	void=
	# shellcheck disable=SC2016
	sh -c '. "${0%/*}/lib.sh"; . "${0%/*}/kernel.sh"; HUNG=600
		if trace_with_kernel; then of_kernel "$@"
		else recorded here -- "$@" && closes here; fi' \
		"$here/../tests/bench" "$@" >"$work/whole" 2>&1 && return
	void=void
	sed 's/^/  void: /' "$work/whole" >&2
}

options=-q # of goload
others=yes # strace and perf trace, too?

# compare FIGURES COMMAND...: in turn; leaves $work/figures, a line for each
# figure and command
compare()
{
	figures=$1
	shift
	# shellcheck disable=SC2086
	"$work/rounds" "$figures" "$ROUNDS" -- "$@" \
		-- "$GOLOAD" $options "$@" \
		${others:+-- strace -f -e trace=%memory -o /dev/null "$@"} \
		${others:+${perf:+-- perf trace -o /dev/null -e "$perf" "$@"}} \
		>"$work/figures"
}

# figure N OF: the lines of the N-th figure of OF
figure()
{
	commands=$(($(wc -l <"$work/figures") / $2))
	sed -n "$((($1 - 1) * commands + 1)),$(($1 * commands))p" "$work/figures"
}

# row NAME FIGURE UNIT RELATION BAR COMMAND...
row()
{
	asked "$1" || return 0
	name=$1 kind=$2 unit=$3 relation=$4 bar=$5
	shift 5
	whole "$@"
	compare "$kind" "$@"
	# shellcheck disable=SC2046
	show "$name" "$unit" "$relation" "$bar" $(figure 1 1)
}

# program NAME COMMAND...: what a Go program takes in all
program()
{
	asked "$1" || return 0
	title=$1
	shift
	whole "$@"
	compare wall,cpu,share "$@"
	# shellcheck disable=SC2046
	{
		show "$title" ms x 1.02 $(figure 1 3)
		show "- processor time" ms x 1.05 $(figure 2 3)
		show "- of a processor, the observer" % % 2 $(figure 3 3)
	}
}

# ---- the rows ----------------------------------------------------------------

calls()
{
	pairs=8000 n=50000 signals=20000
	[ -z "$QUICK" ] || pairs=800 n=5000 signals=2000
	row "mmap, touch, munmap of 64 KiB" number ns x 1.05 \
		"$work/loop" pair $pairs
	row "another call, Go" number ns x 1.20 "$work/work" syscall $n
	row "another call, C" number ns x 1.20 "$work/loop" syscall $n
	row "a signal to a handler" number ns x 1.10 \
		"$work/loop" signal $signals
	options="-q --net=off" others=
	row "another call, Go, --net=off" number ns x 1.03 \
		"$work/work" syscall $((n * 4))
	row "another call, C, --net=off" number ns x 1.03 \
		"$work/loop" syscall $((n * 4))
	options=-q others=yes
}

# The compiler with what it takes to compile one package of the library.
compile_package()
{
	go list -export -deps -f \
		'{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}' \
		"$1" >"$work/imports"
	# shellcheck disable=SC2046
	program "compiler" "$compiler" -std -complete -p "$1" \
		-importcfg "$work/imports" -o "$work/object" \
		$(go list -f '{{range .GoFiles}}{{$.Dir}}/{{.}} {{end}}' "$1")
}

programs()
{
	trees=300 requests=16000
	[ -z "$QUICK" ] || trees=30 requests=1600
	program "garbage collection" "$work/work" garbage $trees
	program "HTTP server and its clients" "$work/work" http $requests
	! asked compiler || compile_package go/types
}

size()
{
	echo "$(($(wc -c <"$1") / 1000000)) MB"
}

starts()
{
	goroot=$(go env GOROOT)
	strip -o "$work/go" "$goroot/bin/go"
	row "start-up: hello" first ms +ms 5 "$hello"
	# elsewhere it has to be told where its own is
	(GOROOT=$goroot && export GOROOT &&
		row "start-up: Go command, $(size "$work/go"), stripped" \
			first ms +ms 10 "$work/go" version)
	row "start-up: hello linked with libc" first ms +ms 10 "$hello.cgo"
	row "start-up: Go compiler, $(size "$compiler")" first ms +ms 15 \
		"$compiler" -V
	options=--color=never
	row "hello and its summary" whole ms +ms 20 "$hello"
	options=-q
	row "the end, 64 MiB resident" exit ms +ms 2 "$work/loop" end 64
}

memory()
{
	row "resident at most: hello" memory KiB +KiB 1024 "$hello"
	asked "goload's part of hello" || return 0
	rm -f "$work/run"
	"$GOLOAD" record -q -o "$work/run" "$hello" >/dev/null
	"$GOLOAD" report --format json "$work/run" >"$work/json"
	alone "goload's part of hello, mapped" KiB 20480 \
		"$(jq '.totals.goload / 1024' "$work/json")"
	alone "- resident" KiB 2048 \
		"$(jq '.totals.goload_resident / 1024' "$work/json")"
}

report()
{
	asked "report of" || return 0
	rm -f "$work/run"
	events=1000000
	[ -z "$QUICK" ] || events=10000
	"$GOLOAD" record -q -o "$work/run" "$work/loop" pair \
		$((events * 10 / 22)) >/dev/null
	"$work/rounds" whole,memory 5 -- "$GOLOAD" report "$work/run" \
		>"$work/figures"
	alone "report of $events events" ms 1000 \
		"$(figure 1 2 | cut -d ' ' -f 1)"
	alone "- resident" KiB 204800 "$(figure 2 2 | cut -d ' ' -f 1)"
}

for needed in go jq strace; do
	command -v $needed >/dev/null && continue
	echo "make bench needs $needed" >&2
	exit 2
done
$CC -O2 -static -o "$work/loop" "$here/loop.c"
$CC -O2 -o "$work/rounds" "$here/rounds.c" -lm
CGO_ENABLED=0 go build -o "$work/work" "$here/work.go"
"$here/../samples/build.sh" "$SAMPLES" hello hello.cgo >/dev/null
hello=$SAMPLES/go/hello compiler=$(go env GOTOOLDIR)/compile
perf=mmap,munmap,mremap,mprotect,madvise,brk
perf trace -o /dev/null -e "$perf" true 2>/dev/null || perf=
head_of_table
calls
programs
starts
memory
report
