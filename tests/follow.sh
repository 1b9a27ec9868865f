#!/bin/sh
# --follow: programs that are started by the program are observed, too, each in a
# run of its own; and none of them notices.
# shellcheck disable=SC1091,SC2016,SC2154,SC2317
. "$(dirname "$0")/lib.sh"

helper_dynamic dynamic_spawn
helper follow_do
samples hello spin
hello=$SAMPLES/c-glibc-static/hello
room
mkdir -m 777 "$tmp/runs" "$tmp/in"

# What a process was before an execve is reported when it is something else.
all_is_said()
{
	while [ -n "$(ours)" ]; do
		sleep 0.02
	done
}

# followed OPTION... -- COMMAND...: leaves $tmp/f.out, .err, .end, and the runs,
# the first of them $tmp/runs/first.
followed()
{
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	rm -f "$tmp/runs"/*
	# shellcheck disable=SC2086
	run f "$GOLOAD" record -q --follow $options -o "$tmp/runs/first" "$@"
	all_is_said
}

# The runs as JSON: an array, in the order in which they began.
runs()
{
	for file in "$tmp/runs"/*; do
		"$GOLOAD" report --format json "$file" |
			jq --arg file "$file" '. + { $file }'
	done | jq -s 'sort_by(.run.started)'
}

# holds RULE: of all runs together
holds()
{
	runs >"$tmp/runs.json"
	jq -e "$1" "$tmp/runs.json" >/dev/null && return
	jq -c '.[] | [.program.path, .program.pid, .program.followed_from,
		.file, .events.children, .exit, .totals.unexplained]' \
		"$tmp/runs.json" | head -n 5
	return 1
}

all_close()
{
	for file in "$tmp/runs"/*; do
		"$GOLOAD" report --format json "$file" >"$tmp/one.json"
		closes one && continue
		echo "in $file"
		return 1
	done
}

# same COMMAND...: as natively, and each run closes.
same()
{
	for patch in all none; do
		run native "$@"
		followed --patch="$patch" -- "$@"
		alike native f && all_close && continue
		echo "--patch=$patch"
		return 1
	done
}

cd "$tmp/in" || exit 1
printf '#!/bin/sh\necho "script $0 $*"\n' >script
printf 'echo no header\n' >plain
printf '\177ELF\2\1\1 this is none' >broken
printf 'no permission\n' >denied
cp "$hello" private
chmod 755 script plain broken
chmod 4755 private

as_shells_do()
{
	same sh -c '/bin/cat /etc/hostname; (echo in a fork; /bin/echo in one)
		./script 1 "2 3"; exec /bin/echo the last' &&
		holds '[.[].program.path] | sort == ["./script", "/bin/cat",
			"/bin/echo", "/bin/echo", "'"$(command -v sh)"'"]'
}
fact 'what a shell runs is as natively, and each run closes' as_shells_do

linked()
{
	followed -- sh -c '/bin/echo child; exec /bin/echo me'
	holds '.[0] as $sh
		| length == 3 and $sh.program.followed_from == null
		and (.[1].program.followed_from
			== { pid: $sh.program.pid, run: $sh.file })
		and .[1].program.pid != $sh.program.pid
		and .[2].program.followed_from.pid == $sh.program.pid
		and .[2].program.pid == $sh.program.pid
		and $sh.exit.exec == true'
}
fact 'each run names the process and the run it comes from' linked

said()
{
	for file in "$tmp/runs/first".*; do
		"$GOLOAD" report "$file" | head -n 1
	done | grep -q "; followed from process [0-9]* ($tmp/runs/first)\$"
}
fact 'the report says so, too' said

named()
{
	rm -f "$tmp/runs"/*
	run f "$GOLOAD" record -q --follow -o "$tmp/runs/%e-%p" \
		sh -c "exec sh -c 'exec sh -c \"exec /bin/echo end\"'"
	all_is_said
	pid=$(basename "$tmp/runs"/echo-* | sed 's/echo-//')
	(cd "$tmp/runs" && ls) >"$tmp/names"
	printf '%s\n' "echo-$pid" "sh-$pid" "sh-$pid.2" "sh-$pid.3" |
		diff - "$tmp/names"
}
fact 'a process that becomes another program has a run file for each' named

# Each of them a mistake that execve tells its caller of.
mistakes()
{
	same sh -c './nothing; ./plain; ./broken; ./denied; /etc; ./nothing/x;
		PATH=/nowhere:'"$tmp/in"' script; echo $?'
}
fact 'what cannot be executed gives the same errors' mistakes

inherited()
{
	same sh -c 'trap "" USR1 PIPE; exec 5</etc/passwd 7<&5
		ulimit -n 99; umask 27; cd /
		sh -c "grep ^Sig[BI] /proc/self/status
			ls /proc/self/fd; ulimit -n; umask; pwd; env | sort"'
}
fact 'descriptors, signals, limits and environment are inherited' inherited

# They end at any moment of goload's own start.
from_before()
{
	for patch in all none; do
		run f "$tmp/follow_do" inherit 200 "$GOLOAD" -q --patch="$patch" \
			"$tmp/follow_do" reap 200
		[ "$(cat "$tmp/f.end")" = 'exited 0' ] && continue
		cat "$tmp/f.end" "$tmp/f.err"
		return 1
	done
}
fact 'children from before an execve are the program'"'"'s to wait for' from_before

unseen()
{
	followed -- "$tmp/follow_do" forks 3
	holds 'length == 1 and .[0].events.children == 3' || return
	run f "$GOLOAD" record -q -o "$tmp/runs/second" \
		sh -c '/bin/echo 1; /bin/echo 2'
	rm -f "$tmp/runs/first"
	holds 'length == 1 and .[0].events.children == 2'
}
fact 'children that only fork, or are not followed, are counted' unseen

grandchildren()
{
	followed -- "$tmp/follow_do" twice "$hello"
	grep -q '^hello world$' "$tmp/f.out" &&
		holds 'length == 2 and .[0].events.children == 1'
}
fact 'a grandchild is followed where the child was not' grandchildren

# More than the shim has places for what a vforked child leaves behind.
spawned()
{
	for libc in glibc musl; do
		followed -- "$tmp/dynamic_spawn-$libc" "$hello" "$1"
		[ "$(tail -n 1 "$tmp/f.out")" = \
			"spawned $1, kept $1, handled $1" ] &&
			holds "length == $1 + 1 and .[0].events.children == 0
				and all(.[]; .totals.unexplained == 0)" &&
			continue
		tail -n 1 "$tmp/f.out"
		return 1
	done
}
fact 'posix_spawn, many times' spawned "${SPAWNS:-80}"

aside()
{
	same "$tmp/follow_do" exec-by-fd "$hello" &&
		holds 'length == 1' &&
		same sh -c 'ulimit -v 30000; exec /bin/echo short of memory' &&
		holds 'length == 1' &&
		same sh -c './private' && holds 'length == 1 and
			.[0].events.children == 1'
}
fact 'what goload must not load runs without it' aside

# What execve tells its caller, and only execve knows: not what a status says.
told()
{
	head -c 200 "$hello" >./cut
	printf '#!/nowhere/at/all\n' >no-interpreter
	sed 's:/lib64/ld-linux:/lib64/no-linux:' "$tmp/follow_do" >no-loader
	cp "$hello" busy
	chmod 755 ./cut no-interpreter no-loader busy
	same sh -c './cut; echo $?; ./no-interpreter; echo $?; ./no-loader
		echo $?; exec 9>>busy; ./busy; echo $?'
}
fact 'what only the kernel knows is told to the caller, too' told

itself()
{
	same "$tmp/follow_do" itself "$hello" && holds 'length >= 2' &&
		same "$tmp/follow_do" by-proc "$hello"
}
fact '/proc/self/exe is the program, descriptors are its own' itself

# goload is there, and cannot be executed: more often than the shim has frames.
forbidden()
{
	cp "$GOLOAD" "$tmp/private"
	chmod 700 "$tmp/private"
	rm -f "$tmp/runs"/*
	run f "$tmp/private" record -q --follow -o "$tmp/runs/first" \
		"$tmp/follow_do" drops 600 "$hello"
	[ "$(grep -c '^hello world$' "$tmp/f.out")" = 600 ] &&
		[ "$(cat "$tmp/f.end")" = 'exited 0' ] &&
		holds 'length == 1 and .[0].events.children == 600'
}
if [ "$(id -u)" = 0 ]; then
	fact 'where goload cannot be executed all goes on without it' forbidden
else
	left_out 'where goload cannot be executed' 'it takes root'
fi

# Of what goload says nothing gets into the output of a child.
quiet()
{
	mkdir -p "$tmp/shut"
	run f "$GOLOAD" record --follow --log-file="$tmp/log" \
		-o "$tmp/runs/quiet" sh -c 'x=$(/bin/echo 1 2>&1); echo "$x"'
	all_is_said
	[ "$(cat "$tmp/f.out")" = 1 ] && [ ! -s "$tmp/f.err" ] || return
	run f "$GOLOAD" record --follow -o "$tmp/runs/quiet2" \
		sh -c 'x=$( (ulimit -f 10; /bin/echo 2) 2>&1); echo "$x"'
	[ "$(cat "$tmp/f.out")" = 2 ]
}
fact 'goload says nothing into the output of a child' quiet

# Such children are not followed, and none is lost.
apart()
{
	for how in reaper shared-fds filtered; do
		same "$tmp/follow_do" $how "$hello" &&
			holds 'length == 1' && continue
		echo "$how"
		return 1
	done
	run native env LD_TRACE_LOADED_OBJECTS=1 /bin/true
	followed -- env LD_TRACE_LOADED_OBJECTS=1 /bin/true
	grep -q libc "$tmp/f.out" && ! grep -q unwind "$tmp/f.out"
}
fact 'what would be disturbed is left alone' apart

fact 'execve under a fast timer is made' same "$tmp/follow_do" alarmed "$hello"

go_runs()
{
	same "$SAMPLES/go/spin" "$tmp/profile" 50 &&
		holds 'length > 1 and .[0].events.children <= 1' # os.checkPidfd
}
fact "Go's os/exec" go_runs

traced()
{
	command -v gdb >/dev/null || return 0
	followed -- gdb -q -batch -ex run "$hello"
	grep -q 'exited normally' "$tmp/f.out"
}
fact 'a debugger in the program works' traced

summaries()
{
	run f "$GOLOAD" --follow sh -c '/bin/echo child; exec /bin/echo me'
	all_is_said
	[ "$(grep -c '^goload: .* 0 lost' "$tmp/f.err")" = 3 ] &&
		grep -q '; followed from process [0-9]*$' "$tmp/f.err" &&
		return
	cat "$tmp/f.err"
	return 1
}
fact 'without a file each prints its own ledger' summaries

compiles()
{
	printf 'int main(void) { return 0; }\n' >c.c
	same sh -c "$CC -o c c.c && ./c" && holds 'length >= 5'
}
fact 'a compiler and its children' compiles

fact 'nothing is lost of any' holds 'all(.[]; .events.lost == 0)'

if [ "$(id -u)" = 0 ]; then
	as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	chmod 777 "$tmp/in"
	fact 'as nobody: what a shell runs' same sh -c \
		'cat /etc/hostname; /bin/echo 1; exec /bin/echo the last'
	fact 'as nobody: posix_spawn' spawned 5
	as=
fi

finish
