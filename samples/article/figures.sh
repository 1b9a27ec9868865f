#!/bin/bash
# Every figure of docs/article.md, made anew with each Go there is: a line each,
#
#   GO PROGRAM FIGURE VALUE
#
# GO is - where none is in it; sizes are in kB, as ps has them. OUTDIR is left
# with the programs, and with what goload prints:
#
#   listing.txt           of the article's own /proc/PID/maps
#   GO/main.txt           the ledger of the server
#   GO/main.run, static.run   for more
#
#   GOLOAD=./goload samples/article/figures.sh OUTDIR
#
# GOS names the go commands to use; by default the one on the PATH and
# Debian's, when they are there.
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/serve.sh"
. "$top/samples/shared.sh"

: "${GOLOAD:=./goload}" "${CC:=cc}"
GOLOAD=$(realpath "$GOLOAD")
out=${1:?Usage: samples/article/figures.sh OUTDIR}
requests=20

mkdir -p "$out"
out=$(cd "$out" && pwd)
export GOFLAGS='-mod=mod -buildvcs=false' GOTOOLCHAIN=local GOPROXY=off
export GOWORK=off LC_ALL=C
[ -w "${HOME-/nowhere}" ] || export GOCACHE=${GOCACHE-$out/.cache}
ulimit -S -s 8192 # of which glibc makes the size of a thread's stack

# ---- programs ----------------------------------------------------------------

# build GO DIRECTORY: the programs of the article
build()
{
	local go=$1 to=$2 samples=$top/samples
	mkdir -p "$to"
	CGO_ENABLED=1 "$go" build -o "$to/main" "$samples/go/http/main.go"
	CGO_ENABLED=0 "$go" build -o "$to/static" "$samples/go/http/main.go"
	CGO_ENABLED=1 "$go" build -ldflags '-libgcc=none' -o "$to/libgcc" \
		"$samples/go/http/main.go"
	CGO_ENABLED=1 "$go" build -o "$to/memstats" \
		"$samples/go/http-memstats/main.go"
	CGO_ENABLED=1 "$go" build -o "$to/second" "$samples/article/second.go"
}

# start COMMAND...: in the background, its process ID in $pid
start()
{
	rm -f "$tmp/out" "$tmp/err" # those of the program before
	env --default-signal=INT "$@" >"$tmp/out" 2>"$tmp/err" &
	pid=$!
}

# start_server COMMAND...: it has answered some requests and has nothing to do
start_server()
{
	local port i
	port=$(free_port)
	PORT=$port start "$@"
	wait_for "$port"
	for ((i = 0; i < requests; i++)); do
		[ "$(get "$port" /bar)" = 'Hello, "/bar"' ] ||
			die "request $i is not answered"
	done
}

# state: of the program, a letter
state()
{
	sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null
}

# until_it COMMAND...: false when ten seconds are over
until_it()
{
	local deadline=$((SECONDS + 10))
	until "$@"; do
		[ $SECONDS -lt $deadline ] || return
		sleep 0.01
	done
}

is_stopped()
{
	[ "$(state)" = T ]
}

has_ended()
{
	case $(state) in
	'' | Z) ;;
	*) false ;;
	esac
}

has_said()
{
	grep -qs "$1" "$tmp/out" "$tmp/err"
}

# hold: it stands still, so that all see the same
hold()
{
	kill -STOP "$pid"
	until_it is_stopped || die "$program does not stop: $(state)"
}

# finish: Ctrl-C, and its end
finish()
{
	local status=0
	kill -INT -- "-$pid"
	kill -CONT -- "-$pid" 2>/dev/null || true
	until_it has_ended 2>/dev/null || die "$program does not end: $(state)"
	wait -f "$pid" 2>/dev/null || status=$?
	pid=
	[ $status = $sigint ] || die "status $status, not $sigint"
}

# ---- what is asked -----------------------------------------------------------

# figure NAME VALUE: of $go_version and $program
figure()
{
	echo "$go_version $program $1 $2"
}

# figures: the same of lines "NAME VALUE"
figures()
{
	local name value
	while read -r name value; do
		figure "$name" "$value"
	done
}

ask_ps()
{
	local vsz rss
	read -r vsz rss < <(ps -o vsz=,rss= -p "$pid")
	figure vsz "$vsz"
	figure rss "$rss"
}

ask_status()
{
	local name value
	while read -r name value _; do
		case $name in
		Vm* | Rss* | Threads:) figure "${name%:}" "$value" ;;
		esac
	done <"/proc/$pid/status"
}

# sum_maps FILE: in kB, without what VmSize does not count
sum_maps()
{
	echo $((($(sed '/vsyscall/d; s/^\(.*\)-\(.*\) [r-][w-].*/+0x\2-0x\1/' "$1")) / 1024))
}

ask_maps()
{
	cat "/proc/$pid/status" "/proc/$pid/maps" >saved
	figure maps "$(sum_maps "/proc/$pid/maps")"
	"$GOLOAD" map --maps saved --format json | jq -r '
		def count(kind): [.kinds[] | select(.kind == kind) | .count] | add // 0;
		"map \(.totals.vm_size / 1024)",
		"told \(.totals.told / 1024)",
		"map_arenas \(count("malloc arena"))",
		"map_stacks \(count("thread stack"))"' |
		figures
}

ask_memstats()
{
	local sys heap
	until_it has_said Sys || die "$program does not say Sys"
	read -r sys heap < <(sed -n \
		's/.*Sys = \([0-9]*\), HeapAlloc = \([0-9]*\).*/\1 \2/p' \
		"$tmp/err" | tail -n 1)
	figure sys $((sys / 1024))
	figure heap_alloc $((heap / 1024))
}

# What the file is linked with.
ask_file()
{
	"$GOLOAD" inspect --format json "$1" | jq -r '
		"linkage \(.linkage)",
		"needs \(if .needed == [] then "-" else .needed | join(",") end)"' |
		figures
}

# The rows of a ledger that the page shows, and all others in one.
ledger_figures='
	def is_libc: .owner == "libc";
	def row: { "page summary": "summary", "scavenge index": "scavenge",
		"heap": "heap", "heap index": "index", "bss": "bss",
		"malloc arena": "arenas", "thread stack": "stacks" }[.kind]
		// if .owner == "libc" then "libc" else "other" end;
	([.ledger[] | { (row): ((.reserved + .committed) / 1024) }]) as $rows
	| ("summary", "scavenge", "heap", "index", "bss", "arenas", "stacks",
	   "libc", "other" | . as $row | "row_\(.) \([$rows[][$row]] | add // 0)"),
	  (.totals | "ledger \(.vm_size / 1024)", "target \(.target / 1024)",
	   "goload \(.goload / 1024)", "resident \(.resident / 1024)",
	   "unexplained \(.unexplained)"),
	  (.memstats | "sys \(.sys)"),
	  (.events.by_call as $calls | "mmap", "munmap", "mprotect", "madvise",
	   "brk", "arch_prctl", "clone", "clone3"
	   | "call_\(.) \($calls[.] // 0)")'

# What goload says of the listing in the article, but for its lines.
ask_listing()
{
	local listing=$top/tests/listing.txt
	"$GOLOAD" map --maps "$listing" --format json | jq -r '
		.totals | "shown \(.vm_size / 1024)", "room \(.room / 1024)"' |
		figures
	figure sum "$(sum_maps <(grep -v '^\.' "$listing"))"
	{
		echo VmSize: 388496 kB
		cat "$listing"
	} | "$GOLOAD" map --maps /dev/stdin | sed '/^address/,/^$/d' \
		>"$out/listing.txt"
}

# ask_ledger RUN
ask_ledger()
{
	"$GOLOAD" report --format json "$1" | jq -r "$ledger_figures" |
		figures
}

# ---- each program ------------------------------------------------------------

# served NAME FILE [VAR=VALUE]: the server natively, as the article looks at it
served()
{
	program=$1
	start_server "${@:3}" "$2"
	hold
	ask_ps
	ask_status
	ask_maps
	finish
	ask_file "$2"
}

# recorded NAME FILE: the server under goload. A thread that starts when ps has
# looked is in the ledger alone: then all is done again.
recorded()
{
	program=$1.goload
	for _ in 1 2 3; do
		rm -f "$1.run"
		start_server "$GOLOAD" record -q -o "$1.run" "$2"
		hold
		ask_ps >"$1.figures"
		finish
		[ ! -s "$tmp/err" ] || die "goload says: $(cat "$tmp/err")"
		ask_ledger "$1.run" >>"$1.figures"
		[ "$(value_of vsz "$1")" != "$(value_of ledger "$1")" ] || break
	done
	cat "$1.figures"
	"$GOLOAD" report "$1.run" >"$1.txt"
}

# value_of FIGURE NAME
value_of()
{
	sed -n "s/.* $1 //p" "$2.figures"
}

# said NAME FILE WORDS: a program that says WORDS and waits
said()
{
	program=$1
	start "$2" <"$tmp/never"
	until_it has_said "$3" || die "$program does not say $3"
	hold
	ask_ps
	finish
}

# logged NAME FILE: a server that says what the runtime says
logged()
{
	program=$1
	start_server "$2"
	ask_memstats
	finish
}

# traced NAME FILE: its calls as strace counts them
traced()
{
	program=$1
	command -v strace >/dev/null || return 0
	start_server strace -qq -f -o "$tmp/calls" \
		-e trace=arch_prctl,set_thread_area "$2"
	finish
	figure strace_arch_prctl "$(grep -c 'arch_prctl(' "$tmp/calls")"
	figure strace_set_thread_area \
		"$(grep -c 'set_thread_area(' "$tmp/calls" || true)"
}

mkfifo "$tmp/never"
exec 4<>"$tmp/never"
for go in $(go_commands); do
	go_version=$("$go" env GOVERSION)
	[[ " ${versions-} " != *" $go_version "* ]] || continue
	versions="${versions-} $go_version"
	build "$go" "$out/$go_version"
	cd "$out/$go_version"
	served main ./main
	served static ./static
	served libgcc ./libgcc
	served arena ./main MALLOC_ARENA_MAX=1
	logged memstats ./memstats
	said second ./second Sys
	recorded main ./main
	recorded static ./static
	traced main ./main
done
go_version=-
cd "$out"
"$CC" -o number "$top/samples/c/scanf.c"
said number ./number number:
program=listing
ask_listing
