#!/bin/sh
# Threads by the thousand, children in every way there is, an execve of a thread
# that is not the first, and programs that own what goload uses: as natively,
# each call one event, and closed.
# shellcheck disable=SC1091,SC2317
. "$(dirname "$0")/lib.sh"

command -v musl-gcc >/dev/null ||
	skip "musl-gcc is missing (Debian: musl-tools)"
helper_static hazards_threads
helper_dynamic hazards_threads
compiled hazards_threads hazards_threads-musl-static musl-gcc -static \
	-pthread -idirafter /usr/include \
	-idirafter "/usr/include/$($CC -print-multiarch)"
programs='hazards_threads hazards_threads-glibc hazards_threads-musl
	hazards_threads-musl-static'
go_program=
if command -v go >/dev/null; then
	GOFLAGS='' GO111MODULE=off CGO_ENABLED=0 go build -o "$tmp/go_threads" \
		"$here/helpers/hazards_threads.go" || exit 1
	go_program=go_threads
fi

# same PROGRAM ARGUMENT...: natively and recorded, and it closes
same()
{
	program=$1
	shift
	run native "$tmp/$program" "$@"
	recorded here --patch="$mode" -- "$tmp/$program" "$@"
	alike native here && closes here && return
	echo "$program: natively $(cat "$tmp/native.end")," \
		"under goload $(cat "$tmp/here.end")"
	cat "$tmp/here.err"
	return 1
}

# events QUERY: does it hold of the events of that run?
events()
{
	jq -e ".events | $1" "$tmp/here.json" >/dev/null && return
	jq -c '.events | [.abandoned, .children, .by_call]' "$tmp/here.json"
	return 1
}

# More threads than the ring has slots; each but the first ends by exit, and
# leaves no slot behind. Go keeps some for itself, and does not wait for the last.
short()
{
	same "$1" short "$2" &&
		events "(.by_call | (.clone // 0) + (.clone3 // 0)) as \$made |
			\$made >= $2 and \$made < $2 + 100 and
			.by_call.exit >= $2 - 8 and .by_call.exit <= \$made and
			.by_call.mmap >= $2 and .by_call.munmap >= $2"
}

# The run is that of the program before, up to its end. Nobody waits for the
# observer then: it may take a moment.
exec_of_a_thread()
{
	run native "$tmp/$1" exec
	recorded here --patch="$mode" -- "$tmp/$1" exec
	alike native here || return
	for _ in $(seq 100); do
		"$GOLOAD" report --format json "$tmp/here.run" >"$tmp/here.json"
		jq -e '.exit.exec and .run.complete and .totals.unexplained == 0
			and .events.by_call.execve == 1' "$tmp/here.json" \
			>/dev/null && return
		sleep 0.05
	done
	jq -c '[.exit, .run, .totals, .unexplained]' "$tmp/here.json"
	return 1
}

ways()
{
	same "$1" ways && events '.children == 8 and
		(.by_call | (.clone // 0) + (.clone3 // 0) + (.fork // 0) +
			(.vfork // 0)) == 8'
}

trapped()
{
	same "$1" trap
}

# As a kernel that has none.
dispatched()
{
	for net in on off; do
		[ "$net$mode" = offnone ] && continue # then goload sees nothing
		recorded here --patch="$mode" --net="$net" -- "$tmp/$1" dispatch
		grep -qx -e '-1 Invalid argument, parent there' \
			"$tmp/here.out" || {
			cat "$tmp/here.out" "$tmp/here.end"
			return 1
		}
	done
}

each()
{
	verb=$1
	shift
	for one in $programs; do
		"$verb" "$one" "$@" || return
	done
}

for mode in all none; do
	how="--patch=$mode"
	for program in $programs $go_program; do
		count=1000
		case $mode/$program in
		all/hazards_threads | all/*-musl | all/go*) count=10000 ;;
		esac
		fact "$count short threads of $program, $how" \
			short "$program" $count
	done
	fact "a thread that is not the first calls execve, $how" \
		each exec_of_a_thread
	[ -z "$go_program" ] ||
		fact "a goroutine that is not main calls execve, $how" \
			exec_of_a_thread "$go_program"
	fact "children by fork, vfork, clone, clone3, posix_spawn, $how" \
		each ways
	fact "SIGSYS of the program's own filter is as natively, $how" \
		each trapped
	fact "the program's own Syscall User Dispatch is refused, $how" \
		each dispatched
done
finish
