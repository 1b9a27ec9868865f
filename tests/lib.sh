# What the shell tests share; read it with `. "$(dirname "$0")/lib.sh"`.
#
# A test says one line for each fact, "ok - sentence" or "not ok - sentence",
# and ends with `finish`. GOLOAD, SAMPLES and CC come from make; by hand the
# defaults below do in a build directory.
#
#   fact SENTENCE COMMAND...   the fact holds when COMMAND succeeds; what it
#                              says is shown when it does not
#   fails COMMAND...           for controls: COMMAND must not succeed
#   left_out SENTENCE REASON   a fact that cannot be tested here
#   skip REASON                nor can any other
#   samples NAME...            build these samples
#   kinds NAME                 every static build of a sample, as paths below
#                              SAMPLES
#   helper NAME FLAG...        build tests/helpers/NAME.c, as $tmp/NAME
#   helper_static NAME         the same, linked statically
#   helper_dynamic NAME        the same, with each libc that is linked
#                              dynamically: $tmp/NAME-glibc, -glibc-nopie, -musl
#   compiled NAME OUTPUT COMPILER FLAG...
#                              build it as $tmp/OUTPUT with another compiler
#   toolchains VERSION...      their go commands, through the module proxy, a line
#                              each; those that cannot be had: $tmp/missing
#   cramped COMMAND...         run it with a TMPDIR that has room for 4 KiB
#   room                       a copy of goload to run in an empty directory,
#                              $room: what it leaves over is then known ...
#   ours, nothing_left         ... its processes; neither they nor a file
#   run NAME COMMAND...        leaves $tmp/NAME.out, .err and .end (how it
#                              ended: "exited 3", "killed by 11", "hung");
#                              standard input is the caller's; `as` may
#                              hold a command to run it with
#   recorded NAME OPTION... -- COMMAND...
#                              the same under `goload record`; leaves
#                              $tmp/NAME.run and .json too
#   recorded_server NAME PROGRAM
#                              likewise a server, for twenty requests until
#                              Ctrl-C; leaves $tmp/NAME.run and .json
#   alike A B                  have runs A and B the same output and end?
#   closes NAME                does $tmp/NAME.json close? says what does not
#   by_call FILE               the events of a JSON report: "N call" a line
set -u
LC_ALL=C
export LC_ALL
ulimit -S -c 0 # a test may raise it again

here=$(cd "$(dirname "$0")" && pwd)
: "${GOLOAD:=$PWD/goload}" "${SAMPLES:=$PWD/out/samples}" "${CC:=cc}"
: "${HUNG:=60}" # seconds after which a program hangs
tmp=$(mktemp -d)
chmod 755 "$tmp" # another user's too
trap 'clean_up; rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
failed=0
as=

room=
clean_up()
{
	[ -z "$room" ] || end_ours
}

fact()
{
	sentence=$1
	shift
	if said=$("$@" 2>&1); then
		echo "ok - $sentence"
	else
		echo "not ok - $sentence"
		[ -z "$said" ] || printf '%s\n' "$said" | sed 's/^/  # /'
		failed=$((failed + 1))
	fi
}

fails()
{
	! "$@" >/dev/null 2>&1
}

left_out()
{
	echo "ok - $1 # SKIP $2"
}

skip()
{
	echo "skipped: $*"
	exit 77
}

finish()
{
	[ "$failed" = 0 ] && exit 0
	echo "$failed facts do not hold"
	exit 1
}

samples()
{
	"$here/../samples/build.sh" "$SAMPLES" "$@" >"$tmp/build" 2>&1 && return
	cat "$tmp/build"
	exit 1
}

kinds()
{
	(cd "$SAMPLES" && find go1* c-*-static* \( -name "$1" -o -name "$1.stripped" \) \
		-type f | sort)
}

# compiled NAME OUTPUT COMPILER...
compiled()
{
	source=$here/helpers/$1.c
	built=$tmp/$2
	shift 2
	"$@" -std=gnu11 -O1 -Wall -Wextra -D_GNU_SOURCE -I"$here/.." "$source" \
		-o "$built" && return
	echo "$source does not build: $*"
	exit 1
}

helper()
{
	name=$1
	shift
	# shellcheck disable=SC2086
	compiled "$name" "$name" $CC "$@"
}

helper_static()
{
	helper "$1" -static -pthread
}

# musl brings no headers of the kernel
helper_dynamic()
{
	# shellcheck disable=SC2086
	compiled "$1" "$1-glibc" $CC -fPIE -pie -pthread
	# shellcheck disable=SC2086
	compiled "$1" "$1-glibc-nopie" $CC -fno-pie -no-pie -pthread
	compiled "$1" "$1-musl" musl-gcc -pthread -idirafter /usr/include \
		-idirafter "/usr/include/$($CC -print-multiarch)"
}

toolchains()
{
	for version; do
		root=$(cd / && GOTOOLCHAIN=go$version timeout 300 \
			go env GOROOT 2>"$tmp/why") &&
			[ -x "$root/bin/go" ] && echo "$root/bin/go" && continue
		echo "$version $(tail -n 1 "$tmp/why")" >>"$tmp/missing"
	done
}

cramped()
{
	[ "$(id -u)" = 0 ] && apart=-m || apart=-rm
	mkdir -p "$tmp/cramped"
	# shellcheck disable=SC2016
	unshare "$apart" sh -c 'mount -t tmpfs -o size=8k none "$0" &&
		head -c 4096 /dev/zero >"$0/full" && TMPDIR=$0 exec "$@"' \
		"$tmp/cramped" "$@"
}

room()
{
	cp "$GOLOAD" "$tmp/goload"
	GOLOAD=$tmp/goload
	room=$tmp/room
	mkdir -m 777 "$room"
	cd "$room" || exit 1
}

ours()
{
	# shellcheck disable=SC2012
	ls -l /proc/[0-9]*/exe 2>/dev/null | grep -F -- " -> $tmp/"
}

end_ours()
{
	for left in $(ours | sed -n 's:.*/proc/\([0-9]*\)/exe.*:\1:p'); do
		tr '\0' ' ' <"/proc/$left/cmdline"
		grep State: "/proc/$left/status"
		kill -KILL "$left"
	done 2>/dev/null
}

# The observer may take a moment.
nothing_left()
{
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		left=$(ours)
		[ -n "$left" ] || break
		sleep 0.05
	done
	left="$left$(ls -A "$room")"
	[ -z "$left" ] && return
	echo "left over: $left"
	end_ours
	rm -rf "${room:?}"/* "${room:?}"/.[!.]*
	return 1
}

run()
{
	name=$1
	shift
	# shellcheck disable=SC2086
	"$tmp/ended" "$HUNG" "$tmp/$name.end" $as "$@" \
		>"$tmp/$name.out" 2>"$tmp/$name.err"
}

recorded()
{
	name=$1
	shift
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	rm -f "$tmp/$name.run" "$tmp/$name.json"
	# shellcheck disable=SC2086
	run "$name" "$GOLOAD" record -q $options -o "$tmp/$name.run" "$@"
	"$GOLOAD" report --format json "$tmp/$name.run" >"$tmp/$name.json"
}

recorded_server()
{
	rm -f "$tmp/$1.run"
	bash "$here/serve.sh" 20 "$GOLOAD" record -q -o "$tmp/$1.run" \
		"$2" >"$tmp/$1.out" 2>&1 || {
		cat "$tmp/$1.out"
		return 1
	}
	"$GOLOAD" report --format json "$tmp/$1.run" >"$tmp/$1.json"
}

alike()
{
	for part in out err end; do
		cmp "$tmp/$1.$part" "$tmp/$2.$part" && continue
		diff -a "$tmp/$1.$part" "$tmp/$2.$part" | head -n 5
		return 1
	done
}

# The rules that a report must obey, as a list of those that it breaks.
closes_rules='
	def sum(column): [.ledger[] | column] | add;
	.totals as $t | .events as $e | (.moments | length) as $moments
	| [ ["unexplained is 0", $t.unexplained == 0],
	    ["phantom is 0", $t.phantom == 0],
	    ["no range is unexplained", .unexplained == []],
	    ["target, goload and unexplained are vm_size",
	     $t.target + $t.goload + $t.unexplained == $t.vm_size],
	    ["reserved and committed are target",
	     $t.reserved + $t.committed == $t.target],
	    ["the column reserved adds up", sum(.reserved) == $t.reserved],
	    ["the column committed adds up", sum(.committed) == $t.committed],
	    ["the column resident adds up", sum(.resident) == $t.resident],
	    ["the column mappings adds up", sum(.mappings) == $t.mappings],
	    ["what is resident is anonymous, of files or shared",
	     all(.ledger[]; .anonymous + .file + .shared == .resident
		and .huge <= .resident)],
	    ["what came back is resident and was returned, of the row",
	     all(.ledger[]; .came_back <= .resident
		and .came_back <= .returned
		and .returned <= .reserved + .committed)],
	    ["what was resident over time ends with what is",
	     all(.ledger[]; .resident_at[-1] == .resident)
		and .goload_resident_at[-1] == $t.goload_resident
		and .gone_resident_at[-1] == 0],
	    ["there is a number for each moment, and time goes on",
	     all(.ledger[].resident_at, .goload_resident_at,
		.gone_resident_at; length == $moments)
		and $moments <= 128 and .moments == (.moments | sort)],
	    ["what is of goload adds up",
	     ([.goload[] | .size] | add) == $t.goload],
	    ["resident is not more than committed",
	     $t.resident <= $t.committed],
	    ["peak is not less than the end", $t.peak_vm_size >= $t.vm_size],
	    ["there is something", $t.vm_size > 0 and $t.resident > 0],
	    ["the run is whole and checked", .run.complete and .run.checked],
	    ["nothing is lost", $e.lost == 0],
	    ["nothing is ambiguous", $e.ambiguous == 0],
	    ["count is the sum of by_call",
	     ([$e.by_call[]] | add) == $e.count] ]
	| map(select(.[1] | not) | .[0]) | .[]'

closes()
{
	broken=$(jq -r "$closes_rules" "$tmp/$1.json" 2>&1) ||
		broken="no report: $broken"
	[ -s "$tmp/$1.json" ] || broken="no report"
	[ -n "$broken" ] || return 0
	printf '%s\n' "$broken" | sort | uniq -c |
		sed 's/^ *1 //; s/^/does not hold: /'
	jq -c '[.program.args, .totals, .events, .unexplained, .phantom]' \
		"$tmp/$1.json" 2>/dev/null | head -n 2
	return 1
}

by_call()
{
	jq -r '.events.by_call | to_entries[] | "\(.value) \(.key)"' "$1" |
		sort -k 2
}

command -v jq >/dev/null || skip "jq is missing (Debian: jq)"
helper ended
