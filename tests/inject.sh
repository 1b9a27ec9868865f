#!/bin/sh
# Memory calls that fail or wait: the rule hits the calls that it names, the
# program takes it as when strace lets them fail, and the ledger of one that goes
# on still closes. `inject --explore` tries every place that strace sees calls
# come from.
#
#   SERVERS='http http.cgo' tests/inject.sh    explores these servers, too
#
# shellcheck disable=SC1091,SC2016,SC2034,SC2154,SC2317,SC3045
. "$(dirname "$0")/lib.sh"

: "${SERVERS:=http}"
samples hello http malloc threads abort churn
helper_static inject_takes
cd "$SAMPLES" || exit 1

# failed NAME FILTER: does it hold of what was made to fail in $tmp/NAME.json?
failed_calls()
{
	jq -e ".injected | $2" "$tmp/$1.json" >/dev/null && return
	jq -c '[.injected[] | [.call, .number, .count, .errno, .kind,
		.function]]' "$tmp/$1.json"
	return 1
}

ended()
{
	[ "$(cat "$tmp/$1.end")" = "$2" ] && return
	cat "$tmp/$1.end" "$tmp/$1.err"
	return 1
}

# ---- as strace does it -------------------------------------------------------

# by_strace NAME RULE PROGRAM: like run; what the program writes is not strace's
by_strace()
{
	run "$1" strace -f -qq -o "$tmp/trace" -e "trace=${2%%:*}" \
		-e "inject=$2" "$3"
}

# Go ends with a traceback that has addresses.
first_line()
{
	head -n 1 "$tmp/$1.err" >"$tmp/line" && mv "$tmp/line" "$tmp/$1.err"
}

# like_strace CALL N PROGRAM: is the N-th call's failure taken alike?
like_strace()
{
	by_strace native "$1:error=ENOMEM:when=$2" "./$3"
	run ours "$GOLOAD" inject -q --fail "$1:ENOMEM:when=$2" "./$3"
	first_line native
	first_line ours
	alike native ours && return
	echo "$3: $1 number $2"
	return 1
}

all_like_strace()
{
	program=$1
	shift
	for number; do
		like_strace mmap "$number" "$program" || return
	done
}

other_calls_like_strace()
{
	for call in munmap mremap mprotect; do
		like_strace "$call" 1 "$1" || return
		like_strace "$call" 2 "$1" || return
	done
}

if command -v strace >/dev/null && strace -qq -o /dev/null true 2>/dev/null; then
	for go in go1*; do
		fact "$go: hello takes it as under strace that its Nth mmap fails" \
			all_like_strace "$go/hello" 1 2 3 4 5 6 7 8 9 10 11 12
	done
	for libc in c-glibc-static c-musl-static; do
		fact "$libc: a program that allocates takes a failed mmap as under strace" \
			all_like_strace "$libc/malloc" 1 2 3 5 8 13 100
		fact "$libc: and a failed munmap, mremap and mprotect" \
			other_calls_like_strace "$libc/malloc"
	done
else
	left_out "failures are taken as under strace" "no strace"
fi

# in_words FILE: what Go's runtime says it died of
in_words()
{
	grep -a -m 1 '^fatal error' "$1"
}

as_limited()
{
	(
		ulimit -v 500000
		run limited "$1/hello"
	)
	run ours "$GOLOAD" inject -q --fail "mmap:kind=page summary:when=4" \
		"$1/hello"
	[ "$(in_words "$tmp/limited.err")" = "$(in_words "$tmp/ours.err")" ] &&
		cmp "$tmp/limited.end" "$tmp/ours.end" && return
	cat "$tmp/limited.err" "$tmp/ours.err" | grep -a '^fatal error'
	return 1
}
for go in go1*; do
	fact "$go: a reservation that fails is what a limit of address space breaks" \
		as_limited "$go"
done

# ---- which calls ---------------------------------------------------------------

recorded plain -- c-glibc-static/malloc
recorded third --fail mmap:every=3 -- c-glibc-static/malloc
fact "every=3 fails every third call, and each is named with its stack" \
	failed_calls third '(map(.count) | add) as $failed
		| ($failed > 2) and all(.[]; .call == "mmap" and .errno == 12
		and .failed and (.frames | length) > 2)
		and .[0].number == 3'
every_third()
{
	[ "$(jq '[.injected[].count] | add' "$tmp/third.json")" = \
		"$(jq '.events.by_call.mmap / 3 | floor' "$tmp/third.json")" ]
}
fact "no call is missed: as many as a third of all" every_third
fact "the report shows them, too" grep -q 'mmap number 3' <<-END
	$("$GOLOAD" report "$tmp/third.run")
END

for go in go1*; do
	recorded heap --fail any:kind=heap -- "$go/hello"
	fact "$go: kind=heap fails calls for the heap alone" \
		failed_calls heap 'length > 0 and all(.[]; .kind == "heap")'
	recorded from --fail 'mmap:from=runtime.(*pageAlloc).*:EAGAIN' -- \
		"$go/hello"
	fact "$go: from=FUNCTION fails what that function asks for, with the errno" \
		failed_calls from 'length > 0 and all(.[]; .errno == 11 and
			any(.frames[].function; startswith("runtime.(*pageAlloc).")))'
	id=$(jq -r '.injected[0].at' "$tmp/from.json")
	recorded at --fail "mmap:at=$id" -- "$go/hello"
	fact "$go: at=ID fails the calls from that place" \
		failed_calls at "length == 1 and .[0].at == \"$id\""
done

recorded net --patch=none --fail mmap:every=3 -- c-glibc-static/malloc
fact "calls of sites that are not patched fail alike" \
	failed_calls net "(map(.count) | add) ==
		$(jq '[.injected[].count] | add' "$tmp/third.json")"

# ---- what is left of it ----------------------------------------------------------

for libc in c-glibc-static c-musl-static; do
	recorded many --fail munmap:every=2 --fail mremap:every=2 \
		--fail madvise:every=2 --fail brk:when=1 -- "$libc/malloc"
	fact "$libc: the ledger closes when calls have failed" closes many
	fact "$libc: and the program has gone on" ended many 'exited 0'
	fact "$libc: calls of several kinds have failed" \
		failed_calls many 'map(.call) | unique | length > 2'
done
recorded churn --fail madvise:every=2 --fail munmap:every=3 -- go/churn
fact "a Go program that gets nothing back from madvise goes on, and closes" \
	closes churn
recorded kept --fail madvise -- go/churn
fact "what a failed madvise has not given back is not counted as given back" \
	jq -e '([.ledger[].returned] | add) == 0 and .events.by_call.madvise > 0' \
	"$tmp/kept.json"
recorded threads --fail madvise:every=2 --delay any:1ms:every=40 -- \
	c-glibc-static/threads
fact "threads that ask at the same time are all answered, and the ledger closes" \
	closes threads

recorded slow --delay mmap:60ms:when=2..3 -- c-glibc-static/malloc
fact "a delayed call is made, and takes as long as it was told to" \
	failed_calls slow '(map(.count) | add) == 2 and all(.[]; .delayed and
		(.failed | not) and .errno == null and .took >= 60000000)'
fact "and the program does what it does" cmp "$tmp/plain.out" "$tmp/slow.out"

recorded normal -- c-glibc-static/malloc
fact "without a rule no call asks, and the report has no such list" \
	jq -e 'has("injected") | not' "$tmp/normal.json"

# ---- goload inject -----------------------------------------------------------------

run killed "$GOLOAD" inject --fail mmap:when=1000 c-glibc-static/abort
fact "death by a signal stays death by that signal" ended killed 'killed by 6'
fact "and it is said that no call was hit" \
	grep -q 'made no call that a rule fits' "$tmp/killed.err"
run taken "$GOLOAD" inject --fail mmap:from=gives_up "$tmp/inject_takes"
fact "the exit status is the program's" ended taken 'exited 3'
says()
{
	for words; do
		grep -q -- "$words" "$tmp/taken.err" && continue
		cat "$tmp/taken.err"
		return 1
	done
}
fact "what has failed, where, and how it ended stand behind its own words" \
	says '^no memory$' 'mmap number 2, 8 KiB, .*: failed with ENOMEM' \
	'^ *gives_up ' 'inject_takes: exited with 3$'
run hung "$GOLOAD" inject --patience=300ms --fail mmap:from=waits \
	"$tmp/inject_takes"
fact "one that hangs is killed, and that is said" \
	grep -q 'inject_takes: hung, and was killed' "$tmp/hung.err"
run waiting "$GOLOAD" inject --patience=300ms --delay mmap:3600s:from=goes_on \
	"$tmp/inject_takes"
fact "of a call that it was killed in nobody says that it was not made" \
	grep -q 'inject_takes: finished no call that a rule fits$' \
	"$tmp/waiting.err"

# few_files OPTION: descriptors for a goload that starts with three
few_files()
{
	(
		exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
		ulimit "$1" 14
		run few "$GOLOAD" inject -q --fail mmap:from=gives_up \
			"$tmp/inject_takes"
	)
}
few_files_at_first()
{
	few_files -Sn
	ended few 'exited 3'
}
fact "a limit of files that the program could raise does not blind its rules" \
	few_files_at_first

blind="goload: $tmp/inject_takes: cannot tell where calls come from: rules with from, kind and at hit nothing"
too_few_files()
{
	few_files -n
	ended few 'exited 0' && [ "$(cat "$tmp/few.err")" = "$blind" ] && return
	cat "$tmp/few.err"
	return 1
}
fact "that calls cannot be told apart under a hard one is said" too_few_files
full_disk()
{
	cramped sh -c 'cat /dev/zero >"$TMPDIR/full" 2>"$TMPDIR/said"
		exec "$0" record -q -o "$TMPDIR/run" --fail mmap:from=gives_up "$1"' \
		"$GOLOAD" "$tmp/inject_takes" >"$tmp/full.out" 2>"$tmp/full.err"
	grep -qxF "$blind" "$tmp/full.err" && return
	cat "$tmp/full.err"
	return 1
}
full="so it is on a full disk"
if cramped true; then
	fact "$full" full_disk
else
	left_out "$full" "nothing can be mounted"
fi

refused()
{
	wanted=$1
	shift
	run misused "$GOLOAD" inject "$@" "$SAMPLES/c-glibc-static/hello"
	ended misused 'exited 125' && [ ! -s "$tmp/misused.out" ] &&
		[ "$(head -n 1 "$tmp/misused.err")" = "goload: $wanted" ] &&
		return
	cat "$tmp/misused.err"
	return 1
}
fact "a rule that is none names the word and its place" refused \
	"--fail: mmap:ENOMEN:when=6: 'ENOMEN', from character 6 on, is the name of no error" \
	--fail mmap:ENOMEN:when=6
fact "so does one of --delay" refused \
	"--delay: mmap:soon: 'soon', from character 6 on, is no time: 50ms, 2s" \
	--delay mmap:soon
fact "a run file is not written over" refused \
	"$tmp/third.run: exists already: remove it, or choose another name" \
	-o "$tmp/third.run" --fail mmap
fact "without a rule there is nothing to do" refused \
	"no --fail RULE, --delay RULE or --explore given"

if [ "$(id -u)" = 0 ]; then
	chmod -R a+rX "$tmp"
	as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	run nobody "$GOLOAD" inject -q --fail mmap:from=gives_up \
		"$tmp/inject_takes"
	as=
	fact "a user without privileges can do it as well" \
		ended nobody 'exited 3'
fi

# The observer still has the command line of the goload that it is from.
cat >"$tmp/kill_observer" <<-'END'
	for process in /proc/[0-9]*; do
		tr '\0' ' ' <"$process/cmdline" 2>/dev/null |
			grep -q "^goload record .*-o $1 " || continue
		kill -KILL "${process#/proc/}"
		exit
	done
	exit 1
END
orphaned()
{
	run orphan "$GOLOAD" inject -q -o "$tmp/orphan.run" \
		--fail mmap:from=gives_up --drive "
			until [ -e '$tmp/begun' ]; do sleep 0.01; done
			sh '$tmp/kill_observer' '$tmp/orphan.run' &&
			: >'$tmp/go' && tail --pid=\$GOLOAD_PID -f /dev/null" \
		"$tmp/inject_takes" "$tmp/begun" "$tmp/go"
	ended orphan 'exited 0' && cat "$tmp/orphan.out"
}
fact "when the observer is killed nobody waits for its answer" orphaned

# ---- explore -----------------------------------------------------------------------

explored()
{
	name=$1
	shift
	"$GOLOAD" inject --explore --format json "$@" >"$tmp/$name.json" \
		2>"$tmp/$name.err"
}

table()
{
	jq -e "$2" "$tmp/$1.json" >/dev/null && return
	jq -c '.places[] | [.call, .function, .outcome, .said]' "$tmp/$1.json"
	return 1
}

explored takes --patience 500ms "$tmp/inject_takes"
fact "each way of taking it is told from the others" table takes '
	[.places[] | select(.function | IN("goes_on", "gives_up", "dies",
		"waits", "tries_on", "another_way"))
		| "\(.call) \(.function): \(.outcome) \(.status // .signal // "-")"]
	| sort == ["brk another_way: clean error 4", "mmap dies: crash 11",
		"mmap gives_up: clean error 3", "mmap goes_on: survived 0",
		"mmap tries_on: survived 0", "mmap waits: hang -"]'
fact "a place that shows behind a failure is tried behind that one" table takes '
	(.places[] | select(.function == "tries_on") | .at) as $first
	| .places[] | select(.function == "another_way") | .behind == $first'
fact "what a program says is told" table takes \
	'.places[] | select(.function == "gives_up") | .said == "no memory"'

# unexplored WANTED: it has failed with that line, and without a table
unexplored()
{
	ended unexplored 'exited 125' && [ ! -s "$tmp/unexplored.out" ] &&
		[ "$(tail -n 1 "$tmp/unexplored.err")" = "goload: $1" ] &&
		return
	cat "$tmp/unexplored.out" "$tmp/unexplored.err"
	return 1
}

fades()
{
	cp "$tmp/inject_takes" "$tmp/fades"
	run unexplored "$GOLOAD" inject --explore --drive "
			until [ -e '$tmp/there' ]; do sleep 0.01; done
			rm '$tmp/fades'; : >'$tmp/gone'" \
		"$tmp/fades" "$tmp/there" "$tmp/gone"
	unexplored "$tmp/fades: cannot be run for place 1"
}
fact "a place that the program cannot be run for is not called not reached" fades
no_room()
{
	cramped "$GOLOAD" inject --explore "$tmp/inject_takes" \
		>"$tmp/unexplored.out" 2>"$tmp/unexplored.err"
	echo "exited $?" >"$tmp/unexplored.end"
	unexplored "$tmp/inject_takes: left a run that is not whole: is there room in TMPDIR?"
}
full="on a full disk nothing is explored, and that is said"
if cramped true; then
	fact "$full" no_room
else
	left_out "$full" "nothing can be mounted"
fi
no_calls()
{
	echo 'void _start(void) { __asm__ volatile("syscall" :: "a"(231), "D"(0)); }' |
		$CC -x c -static -nostdlib -o "$tmp/quiet" - || return
	run unexplored "$GOLOAD" inject --explore "$tmp/quiet"
	unexplored "$tmp/quiet: makes no memory call"
}
fact "without a memory call there is nothing to explore" no_calls
no_folder()
{
	run unexplored "$GOLOAD" inject --explore -o "$tmp/none/table" \
		touch "$tmp/runs"
	unexplored "$tmp/none/table: cannot be written: No such file or directory" &&
		[ ! -e "$tmp/runs" ]
}
fact "that the table cannot be written is said before the program runs" no_folder
written_over()
{
	printf '%9999s\n' old >"$tmp/table"
	"$GOLOAD" inject --explore --patience 500ms -o "$tmp/table" \
		"$tmp/inject_takes" && ! grep -q old "$tmp/table" &&
		grep -q 'places that memory calls come from' "$tmp/table"
}
fact "what was in a file that the table goes to is written over" written_over

adds_up='.tried == .count and (.places | length) == .count
	and ([.outcomes[]] | add) == .count and .outcomes.survived > 0
	and .outcomes["clean error"] > 0 and .outcomes.hang == 0
	and .outcomes["not reached"] < .count / 4
	and ([.places[].at] | unique | length) == .count'

# stacks PROGRAM: of each memory call as strace -k has it, "call" and its
# functions, one call a line
stacks()
{
	strace -f -k -qq -e trace=%memory -o "$tmp/stacks" "$1" >/dev/null
	awk '/^[0-9]+ +[a-z_]+\(/ { sub(/\(.*/, "", $2); print ""; printf "%s", $2 }
		/^ > / { sub(/^ > [^(]*\(/, ""); sub(/\+0x[0-9a-f]*\).*/, ""); printf " %s", $0 }
		END { print "" }' "$tmp/stacks"
}

# Each stack of Go's start has a row of its call with one of its functions. What
# comes later comes by chance.
covers()
{
	stacks "./$2" | sort -u | grep -F ' runtime.schedinit ' >"$tmp/seen"
	jq -r '.places[] | "\(.call) \(.function)"' "$tmp/$1.json" >"$tmp/rows"
	[ "$(wc -l <"$tmp/seen")" -gt 7 ] || return
	awk 'NR == FNR { row[$1 " " $2] = 1; next }
		{ found = 0
		  for (i = 2; i <= NF; i++) found += (($1 " " $i) in row)
		  if (!found) { print "no row: " $0; missing = 1 } }
		END { exit missing }' "$tmp/rows" "$tmp/seen"
}

for go in go1*; do
	explored "$go" "$go/hello"
	fact "$go: exploring hello tries each place, and the outcomes add up" \
		table "$go" "$adds_up"
	if command -v strace >/dev/null &&
		strace -k -qq -o /dev/null "$go/hello" >/dev/null 2>&1; then
		fact "$go: no stack that strace sees at the start is without its place" \
			covers "$go" "$go/hello"
	else
		left_out "$go: no stack that strace sees at the start is without its place" \
			"no strace -k"
	fi
done
explored text c-musl-static/malloc
"$GOLOAD" inject --explore c-musl-static/malloc >"$tmp/text"
sums()
{
	jq -r '.outcomes | "  \(.survived) survived, \(.["clean error"]) clean errors"' \
		"$tmp/text.json" >"$tmp/sums"
	grep -q -F -f "$tmp/sums" "$tmp/text" && return
	cat "$tmp/sums" "$tmp/text"
	return 1
}
fact "the table says what the document says" sums

for server in $SERVERS; do
	PORT=$(bash -c '. "$0/serve.sh"; free_port' "$here")
	export PORT
	explored server --drive "bash '$here/drive.sh' 20" "go/$server"
	fact "exploring a server ($server) with twenty requests tries each place" \
		table server "$adds_up"
	recorded_server one "go/$server"
	fact "$server: what is mapped in a run has its place in the table" jq -e -n \
		--slurpfile run "$tmp/one.json" --slurpfile table "$tmp/server.json" '
		[$table[0].places[] | select(.call == "mmap") | .kind] as $kinds
		| [$run[0].ledger[] | select(.owner == "Go runtime") | .kind]
		- $kinds == []'
done
finish
