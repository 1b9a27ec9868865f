#!/bin/sh
# What libc makes of signals, stacks and processes is the same under goload:
# threads are cancelled in every call that can block, exceptions and stacks go
# through frames whose calls goload carries, children are spawned and forked.
# With glibc and musl, dynamic and static; as root and as another user, patched
# and through the net alone.
# shellcheck disable=SC1091,SC2317
. "$(dirname "$0")/lib.sh"

command -v musl-gcc >/dev/null ||
	skip "musl-gcc is missing (Debian: musl-tools)"
cp "$GOLOAD" "$tmp/goload" # another user must reach it
GOLOAD=$tmp/goload
chmod 777 "$tmp" # where that user's runs are kept
libcs='glibc glibc-nopie glibc-static musl musl-static'

# with_libc LIBC: the compiler and how to link
with_libc()
{
	case $1 in
	glibc) echo "$CC -fPIE -pie" ;;
	glibc-nopie) echo "$CC -fno-pie -no-pie" ;;
	glibc-static) echo "$CC -static" ;;
	musl) echo musl-gcc ;;
	musl-static) echo musl-gcc -static ;;
	esac
}

# helpers NAME FLAG...: as $tmp/NAME-LIBC, with each libc
helpers()
{
	program=$1
	shift
	for libc in $libcs; do
		# shellcheck disable=SC2046
		$(with_libc "$libc") -std=gnu11 -O1 -Wall -Wextra -D_GNU_SOURCE \
			"$here/helpers/$program.c" "$@" -pthread -lrt \
			-o "$tmp/$program-$libc" && continue
		echo "tests/helpers/$program.c does not build with $libc"
		exit 1
	done
}

helpers libc_cancel -Wno-unused-result -Wno-missing-field-initializers
helpers libc_sigsys
helpers libc_prefork
helpers signals_masks

# The same as C++: with glibc alone.
cxx=
if command -v g++ >/dev/null; then
	for libc in glibc glibc-nopie glibc-static; do
		flags=$(with_libc $libc)
		# shellcheck disable=SC2086
		g++ ${flags#"$CC"} -std=gnu++11 -O1 -Wall -Wextra \
			-fnon-call-exceptions -fasynchronous-unwind-tables \
			-rdynamic "$here/helpers/libc_throw.cc" -pthread -ldl \
			-o "$tmp/libc_throw-$libc" || exit 1
	done
	cxx=yes
fi

# in_net LIBC: every call is patched, or (--patch=none) none is. Of musl a few
# sites are left to the net: inspect names them.
in_net()
{
	hits=$(jq .events.net_hits "$tmp/here.json")
	if [ "$mode" = none ]; then
		[ "$hits" -ge "$(jq .events.count "$tmp/here.json")" ] && return
	else
		case $1 in
		musl*) return 0 ;;
		esac
		[ "$hits" = 0 ] && return
	fi
	echo "$hits calls carried by the net"
	return 1
}

# same LIBC COMMAND...: natively and here
same()
{
	libc=$1
	shift
	run native "$@" </dev/null
	recorded here --patch="$mode" -- "$@" </dev/null
	alike native here && closes here && in_net "$libc" && return
	echo "with $libc: natively $(cat "$tmp/native.end")," \
		"under goload $(cat "$tmp/here.end")"
	return 1
}

# with_each "LIBC..." PROGRAM ARGUMENT...: and it ends well
with_each()
{
	each=$1
	program=$2
	shift 2
	for one in $each; do
		same "$one" "$tmp/$program-$one" "$@" || return
		[ "$(cat "$tmp/here.end")" = 'exited 0' ] || {
			cat "$tmp/here.end" "$tmp/here.out"
			return 1
		}
	done
}

# Linked statically it aborts natively, too, in 1 of 60 runs.
cancelled_in_cxx()
{
	with_each 'glibc glibc-nopie' libc_throw cancel || return
	for _ in 1 2 3 4 5; do
		with_each glibc-static libc_throw cancel && return
	done
	return 1
}

# ---- SIGSYS -------------------------------------------------------------------

# What a child has is left out where it differs (docs/design.md).
spawns()
{
	for libc in $libcs; do
		run native "$tmp/libc_sigsys-$libc" "$1" 5
		recorded here --patch="$mode" -- "$tmp/libc_sigsys-$libc" "$1" 5
		if [ "$1" = ignored ]; then
			sed -i '/a child has it/d' "$tmp/native.out" \
				"$tmp/here.out"
		fi
		alike native here || {
			echo "with $libc"
			return 1
		}
	done
}

# ---- children that never exec -------------------------------------------------

# Their calls are not the program's: of threads and ends there are its own.
forks()
{
	for libc in $libcs; do
		same "$libc" "$tmp/libc_prefork-$libc" 4 100 || return
		own=$(jq -c '[.exit.status, .events.children,
			.events.by_call.exit, .events.by_call.exit_group]' \
			"$tmp/here.json")
		[ "$own" = '[0,4,100,1]' ] && continue
		echo "with $libc: status, children, exit, exit_group: $own"
		return 1
	done
}

# ---- traps --------------------------------------------------------------------

# A signal frame's unwind entry begins a byte before the function: decoded from
# there the number is lost, and the window lies in the middle of an instruction.
# Each file that has such a site has its number, and is patched.
restorers()
{
	found=0
	for file in $(ldd "$tmp/libc_cancel-glibc" |
		sed -nE 's:^[^/]*(/[^ ]*).*:\1:p') "$tmp/libc_cancel-glibc-static"; do
		"$GOLOAD" inspect --format json "$file" >"$tmp/sites" || return
		n=$(jq '[.sites[] | select(.number == 15 and .patched)] | length' \
			"$tmp/sites")
		found=$((found + n))
	done
	echo "$found restorers found"
	[ $found -ge 2 ] # libc's own, and the same in the static program
}

# Most of musl has no unwind entries, so nothing tells where functions begin and
# end but the symbols. It is patched all the same: of what this run does nothing
# is left to the net.
without_bounds()
{
	for libc in musl musl-static; do
		recorded here -- "$tmp/libc_prefork-$libc" 2 10
		closes here && [ "$(jq .events.net_hits "$tmp/here.json")" = 0 ] ||
			return
	done
	libc=$(ldd "$tmp/libc_prefork-musl" | sed -nE 's:^[^/]*(/[^ ]*).*:\1:p' |
		tail -n 1)
	"$GOLOAD" inspect --format json "$libc" |
		jq -e '[.sites[] | select(.patched)] as $p |
			($p | length) * 10 > (.sites | length) * 9' >/dev/null
}

# -----------------------------------------------------------------------------

# not pyenv's script, but what it starts
python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null) || python=

workers='
import multiprocessing, subprocess, sys
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    with context.Pool(4) as pool:
        print(sum(pool.starmap(pow, [(i, 2) for i in range(200)])))
    queue = context.Queue()
    child = context.Process(target=queue.put, args=("forked",))
    child.start()
    print(queue.get())
    child.join()
    print(child.exitcode)
    print(subprocess.run(["/bin/echo", "spawned"], stdout=-1).stdout)'

everything()
{
	how="as $1, --patch=$mode: as natively, and closed"
	fact "threads cancelled while they wait, in each call, $how" \
		with_each "$libcs" libc_cancel waiting
	fact "threads that enter each call cancelled, $how" \
		with_each "$libcs" libc_cancel pending
	fact "threads cancelled anywhere, $how" \
		with_each "$libcs" libc_cancel anywhere
	# glibc loses them natively, before 2.41
	fact "a cancelled read of musl loses nothing, $how" \
		with_each 'musl musl-static' libc_cancel lossless
	for has in handled ignored blocked default; do
		fact "children of a program that has SIGSYS $has, $how" \
			spawns $has
	done
	fact "a server that forks its workers, $how" forks
	fact "bad pointers, numbers and sizes of masks, $how" \
		with_each "$libcs" signals_masks pointers
	if [ -z "$cxx" ]; then
		left_out "C++ exceptions and stacks, $how" \
			"g++ is missing (Debian: g++)"
	else
		with_glibc='glibc glibc-nopie glibc-static'
		fact "1,000 exceptions thrown by a signal's handler, $how" \
			with_each "$with_glibc" libc_throw signal 1000
		fact "exceptions thrown through libc, $how" \
			with_each "$with_glibc" libc_throw sort
		fact "C++ threads cancelled, $how" cancelled_in_cxx
		fact "the stacks of handlers in calls, $how" \
			with_each "$with_glibc" libc_throw backtrace
		fact "the stacks of handlers anywhere, $how" \
			with_each "$with_glibc" libc_throw everywhere 500
	fi
	if [ -z "$python" ] ||
		! $as sh -c '"$0" --version' "$python" >/dev/null 2>&1; then
		left_out "Python's multiprocessing, $how" "no python3 here"
	else
		fact "Python's multiprocessing, $how" \
			same glibc "$python" -c "$workers"
	fi
}

# The comparison sees a thread that was not cancelled, another stack.
noticed()
{
	run native "$tmp/libc_cancel-musl" waiting
	run here sh -c '"$0" waiting | sed "s/^poll: .*/poll: went on/"' \
		"$tmp/libc_cancel-musl"
	fails alike native here || return
	[ -z "$cxx" ] && return
	run native "$tmp/libc_throw-glibc" backtrace
	run here sh -c '"$0" backtrace | sed 2s/0x/0x1/' \
		"$tmp/libc_throw-glibc"
	fails alike native here
}

for mode in all none; do
	as=
	everything "$(id -un)"
	[ "$(id -u)" = 0 ] || continue
	as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	everything nobody
	as=
done
left_out 'a child inherits that SIGSYS is ignored or blocked' \
	'SIGSYS is the net of its parent'
fact "sites behind an unwind entry that begins a byte early are patched" \
	restorers
fact "functions without unwind entries are patched" without_bounds
fact "control: other ends and other stacks are noticed" noticed
finish
