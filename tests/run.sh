#!/bin/sh
# A program runs under goload as it does without, and its ledger closes: every
# sample, in every build, as root and as another user, patched and through the
# net alone. STRESS=1 does the long programs a hundred times instead of five.
. "$(dirname "$0")/lib.sh"
: "${STRESS:=0}"
times=5
[ "$STRESS" = 0 ] || times=100

samples hello args churn nil wait spin sections dump0 dropuid pid fork \
	threads malloc signals hello.dynamic hello.pie hello.cgo hello.cgo-pie \
	hello.cgo-static spin.pie spin.cgo pid.cgo nil.cgo
helper self -static
mv "$tmp/self" "$tmp/self-static"
helper self -fno-pie -no-pie
mv "$tmp/self" "$tmp/self-nopie"
helper self -fPIE -pie

# Another user must reach them all.
mkdir "$tmp/samples"
for file in $(cd "$SAMPLES" && find go1* c-* -type f ! -name 'http*'); do
	mkdir -p "$tmp/samples/${file%/*}"
	ln "$SAMPLES/$file" "$tmp/samples/$file" 2>/dev/null ||
		cp "$SAMPLES/$file" "$tmp/samples/$file"
done
cp "$GOLOAD" "$tmp/goload"
SAMPLES=$tmp/samples
GOLOAD=$tmp/goload
chmod 777 "$tmp" # where that user's runs are kept
newest=$(cd "$SAMPLES" && ls -d go1* | sort -V | tail -n 1)
go=$(command -v go || echo /usr/lib/go/bin/go)

# ---- as natively --------------------------------------------------------------

# in_net NAME: every site is patched, or (--patch=none) none is.
in_net()
{
	hits=$(jq .events.net_hits "$tmp/$1.json")
	if [ "$mode" = all ]; then
		[ "$hits" = 0 ] && return
	else
		[ "$hits" -ge "$(jq .events.count "$tmp/$1.json")" ] && return
	fi
	echo "$1: $hits calls carried by the net"
	return 1
}

# as_natively SAMPLE ARGUMENT...: in each build of it
as_natively()
{
	sample=$1
	shift
	for kind in $(kinds "$sample"); do
		run native "$SAMPLES/$kind" "$@"
		recorded here --patch="$mode" -- "$SAMPLES/$kind" "$@"
		alike native here && closes here && in_net here && continue
		echo "in $kind: natively $(cat "$tmp/native.end")," \
			"under goload $(cat "$tmp/here.end")"
		return 1
	done
}

# What it sees of itself: each line as natively, but for those about its pid,
# and for where its loader lies (AT_BASE).
self()
{
	for build in self-static self self-nopie; do
		run self_native "$tmp/$build" 'a b' '' c
		recorded self_here --patch="$mode" -- "$tmp/$build" 'a b' '' c
		for name in self_native self_here; do
			sed -E -i '/^(Tgid|PPid|NStgid):/d; /^auxv 7 [^0]/d' \
				"$tmp/$name.out"
		done
		alike self_native self_here && closes self_here || return
	done
}

# every_sample USER: all of it, as told by `as` and `mode`.
every_sample()
{
	how="as $1, --patch=$mode: as natively, and closed"
	many=$(head -c 100000 /dev/zero | tr '\0' x)

	fact "hello, $how" as_natively hello
	fact "arguments with spaces and empty ones, $how" \
		as_natively args 'a b' '' '	' '' "quoted 'so'" '*' 'é'
	BIG=$many EMPTY='' \
		fact "an environment of 100 KB, $how" as_natively args ''
	fact "churn, $how" as_natively churn "$churn"
	fact "a nil dereference recovered, $how" as_natively nil
	fact "a nil dereference that panics, $how" as_natively nil die
	fact "waiting for no child, $how" as_natively wait
	fact "the sections of itself, $how" as_natively sections
	fact "a program that is not dumpable, $how" as_natively dump0
	fact "a program that drops its user, $how" as_natively dropuid
	fact "eight threads, children and the collector, $how" \
		as_natively spin "$tmp/profile" 100
	rm -f "$tmp/profile"
	fact "all that a program sees of itself, $how" self
	fact "fork and vfork, $how" as_natively fork
	fact "threads, $how" as_natively threads
	fact "malloc, $how" as_natively malloc
	fact "a storm of signals, $how" as_natively signals 300
}

every_user()
{
	mode=$1
	as=
	every_sample "$(id -un)"
	[ "$(id -u)" = 0 ] || return
	as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	every_sample nobody
	as=
}

# ---- controls ---------------------------------------------------------------

# Each rule broken on purpose, alone.
breaks()
{
	cp "$tmp/here.json" "$tmp/good.json"
	closes good || return
	for edit in '.totals.unexplained = 4096' '.totals.phantom = 4096' \
		'.unexplained = [{start: "0x1000", end: "0x2000"}]' \
		'.totals.target += 4096' '.totals.reserved += 4096' \
		'.ledger[0].reserved += 4096' '.ledger[0].committed -= 1' \
		'.ledger[0].resident += 1' '.ledger[0].mappings += 1' \
		'.goload[0].size += 4096' '.totals.peak_vm_size = 4096' \
		'.run.complete = false' '.run.checked = false' \
		'.events.lost = 1' '.events.ambiguous = 1' \
		'.events.by_call.mmap += 1' 'del(.totals)' 'empty'; do
		jq "$edit" "$tmp/good.json" >"$tmp/bad.json"
		fails closes bad && continue
		echo "closes all the same: $edit"
		return 1
	done
}

differs()
{
	run one "$SAMPLES/$newest/args" one
	run two "$SAMPLES/$newest/args" two
	run three "$SAMPLES/$newest/nil"
	run four "$SAMPLES/$newest/nil" die
	run five sh -c 'kill -SEGV $$'
	run six sh -c 'exit 139'
	run seven "$SAMPLES/$newest/wait"
	run eight sh -c 'sleep 0.1 & exec "$0"' "$SAMPLES/$newest/wait"
	fails alike one two && fails alike three four &&
		fails alike five six && fails alike seven eight
}

# ---- one by one -------------------------------------------------------------

# fifty KIND: that many runs, one look at them all
fifty()
{
	rm -f "$tmp"/many.*
	for i in 0 1 2 3 4; do
		for j in 0 1 2 3 4 5 6 7 8 9; do
			run "many" "$GOLOAD" record -q --patch="$mode" \
				-o "$tmp/many.run" "$SAMPLES/$1"
			[ "$(cat "$tmp/many.out" "$tmp/many.end")" = \
				"hello world
exited 0" ] || return
			"$GOLOAD" report --format json "$tmp/many.run" \
				>>"$tmp/many.json" || return
			rm "$tmp/many.run"
		done
	done
	[ "$(jq .totals.vm_size "$tmp/many.json" | wc -l)" = 50 ] &&
		closes many
}

# The program ends while its threads come to sites for the first time: spin
# cannot write its profile to no file.
early_ends() # TIMES KIND
{
	rm -f "$tmp"/many.*
	i=0
	while [ $i -lt "$1" ]; do
		run many "$GOLOAD" record -q --patch="$mode" \
			-o "$tmp/many.run" "$SAMPLES/$2" ''
		[ "$(cat "$tmp/many.end")" = 'exited 1' ] || return
		"$GOLOAD" report --format json "$tmp/many.run" \
			>>"$tmp/many.json" || return
		rm "$tmp/many.run"
		i=$((i + 1))
	done
	closes many
}

same_pid() # KIND
{
	run pid sh -c 'echo $$; exec "$0" "$@"' "$GOLOAD" --patch="$mode" \
		"$SAMPLES/$1"
	[ "$(uniq "$tmp/pid.out" | wc -l)" = 1 ] &&
		[ "$(wc -l <"$tmp/pid.out")" = 2 ] && return
	cat "$tmp/pid.out" "$tmp/pid.err"
	return 1
}

through_stdin()
{
	seq 30000 >"$tmp/numbers"
	run stdin "$GOLOAD" record -q --patch="$mode" -o "$tmp/stdin.run" \
		"$tmp/self" copy <"$tmp/numbers"
	rm "$tmp/stdin.run"
	cmp "$tmp/numbers" "$tmp/stdin.out"
}

through_pipes()
{
	seq 30000 |
		"$GOLOAD" record -q --patch="$mode" -o "$tmp/pipe.run" \
			"$tmp/self" copy | cat >"$tmp/pipe.out"
	rm "$tmp/pipe.run"
	cmp "$tmp/numbers" "$tmp/pipe.out"
}

# A reader that goes away: the same SIGPIPE.
broken_pipe()
{
	for under in '' "$GOLOAD --patch=$mode"; do
		# shellcheck disable=SC2086
		{
			"$tmp/ended" "$HUNG" "$tmp/broken.end" $under \
				"$tmp/self" copy </dev/zero 2>/dev/null
		} | head -c 100 >/dev/null
		[ "$(cat "$tmp/broken.end")" = 'killed by 13' ] && continue
		cat "$tmp/broken.end"
		return 1
	done
}

# without N: the same end and output with descriptor N closed
without()
{
	for under in "" "$GOLOAD --patch=$mode"; do
		for what in "$SAMPLES/$newest/nil" \
			"$SAMPLES/$newest/nil die" "$tmp/self-static" \
			"$SAMPLES/$newest/nil.cgo die" "$tmp/self"; do
			# shellcheck disable=SC2086
			case $1 in
			0) (run closed $under $what <&-) ;;
			1) (run closed sh -c 'exec "$@" >&-' sh $under $what) ;;
			2) (run closed sh -c 'exec "$@" 2>&-' sh $under $what) ;;
			esac
			sed -E -i '/^(Tgid|PPid|NStgid):/d; /^auxv 7 [^0]/d' \
				"$tmp/closed.out"
			cat "$tmp/closed.out" "$tmp/closed.end"
			[ "$1" = 2 ] || grep '^descriptor' "$tmp/closed.err"
		done >"$tmp/closed.${under:+under}"
	done
	diff "$tmp/closed." "$tmp/closed.under"
}

as_pid_1() # KIND
{
	run pid1 unshare -fp --mount-proc "$GOLOAD" --patch="$mode" \
		"$SAMPLES/$1"
	[ "$(cat "$tmp/pid1.out" "$tmp/pid1.end")" = "1
exited 0" ] && grep -qi 'unexplained *0\|nothing is unexplained' \
		"$tmp/pid1.err" && return
	cat "$tmp/pid1.out" "$tmp/pid1.end" "$tmp/pid1.err"
	return 1
}

pid_1_panics()
{
	run pid1 unshare -fp --mount-proc "$GOLOAD" --patch="$mode" \
		"$SAMPLES/$newest/nil" die
	grep -q 'exited 2' "$tmp/pid1.end" &&
		grep -q '^panic: ' "$tmp/pid1.err" &&
		grep -q 'nexplained' "$tmp/pid1.err"
}

one_by_one()
{
	mode=$1
	for kind in $(kinds hello) $newest/hello.pie $newest/hello.cgo \
		c-glibc-dynamic/hello c-musl-dynamic/hello; do
		fact "50 runs of $kind close, --patch=$mode" fifty "$kind"
	done
	fact "100 runs that end while threads start close, --patch=$mode" \
		early_ends 100 "$newest/spin"
	for kind in $newest/spin.pie $newest/spin.cgo; do
		fact "50 runs of $kind that end early close, --patch=$mode" \
			early_ends 50 "$kind"
	done
	for kind in $newest/pid $newest/pid.cgo; do
		fact "the pid is that of the shell before exec, $kind, --patch=$mode" \
			same_pid "$kind"
	done
	fact "standard input passes through, --patch=$mode" through_stdin
	fact "pipes work, --patch=$mode" through_pipes
	fact "a pipe that breaks kills as natively, --patch=$mode" broken_pipe
	for number in 0 1 2; do
		fact "with descriptor $number closed as natively, --patch=$mode" \
			without $number
	done
	if [ "$(id -u)" != 0 ]; then
		left_out "a run as pid 1, --patch=$mode" "not root"
		return
	fi
	for kind in $newest/pid $newest/pid.cgo; do
		fact "$kind as pid 1 ends with its summary, --patch=$mode" \
			as_pid_1 "$kind"
	done
	fact "a panic as pid 1 is one, --patch=$mode" pid_1_panics
}

# ---- profiles ---------------------------------------------------------------

# shares FILE: "percent function" a line, of a CPU profile
shares()
{
	"$go" tool pprof -top -nodecount=40 "$SAMPLES/$newest/spin" "$1" \
		2>/dev/null | awk '$2 ~ /^[0-9.]+%$/ { sub("%", "", $2); print $2, $6 }'
}

# What takes a quarter of the time takes about as much under goload (a profile
# of a second has a hundred samples), and no more of it than natively is lost to
# places without a stack.
same_shares()
{
	awk '
	function all_but_gone(most, least) { return most >= 25 && least < most / 3 }
	FNR == 1 { n++ }
	n == 1 { a[$2] = $1; next }
	{ b[$2] = $1 }
	$2 ~ /^runtime\._/ && $1 > a[$2] + 5 { print $2, "has", $1 "%" }
	END {
		if (n != 2) print "an empty profile"
		for (f in a) if (all_but_gone(a[f], b[f]))
			print f, "has", a[f] "% natively and", b[f] + 0 "% here"
		for (f in b) if (all_but_gone(b[f], a[f]))
			print f, "has", a[f] + 0 "% natively and", b[f] "% here"
	}' "$1" "$2" >"$tmp/shares"
	[ -s "$tmp/shares" ] || return 0
	cat "$tmp/shares"
	head -n 5 "$1" "$2"
	return 1
}

profiled()
{
	run native "$SAMPLES/$newest/spin" "$tmp/native.profile" 1000
	recorded here --patch="$mode" -- "$SAMPLES/$newest/spin" \
		"$tmp/here.profile" 1000
	shares "$tmp/native.profile" >"$tmp/native.shares"
	shares "$tmp/here.profile" >"$tmp/here.shares"
	alike native here && closes here &&
		same_shares "$tmp/native.shares" "$tmp/here.shares"
}

# The comparison sees a stack lost, another order, another function.
sees_shares()
{
	a=$tmp/native.shares
	same_shares "$a" "$a" || return
	awk '{ print } END { print 9, "runtime._System" }' "$a" >"$tmp/b"
	fails same_shares "$a" "$tmp/b" || return
	sed '1s/ .*/ main.other/' "$a" >"$tmp/b"
	fails same_shares "$a" "$tmp/b" || return
	: >"$tmp/b"
	fails same_shares "$a" "$tmp/b"
}

# spins: as often as asked, in each build
spins()
{
	i=0
	while [ $i -lt "$times" ]; do
		GOGC=5 as_natively spin "$tmp/profile" 300 || return
		i=$((i + 1))
	done
}

# -----------------------------------------------------------------------------

as=
mode=all
recorded here -- "$SAMPLES/$newest/hello"
fact "control: a report that breaks a rule does not close" breaks
fact "control: other output and another end are noticed" differs

churn=1000
every_user all
one_by_one all
churn=100
every_user none
one_by_one none

for mode in all none; do
	fact "a CPU profile is as natively, --patch=$mode" profiled
	fact "eight threads with a profile, $times times, --patch=$mode" spins
done
fact "control: a profile that differs is noticed" sees_shares
finish
