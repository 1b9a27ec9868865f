#!/bin/sh
# A program under goload finds itself in the state in which the kernel's execve
# would have left it.  What differs is listed here, with docs/loader.md, and is
# exactly that.
# shellcheck disable=SC1091,SC2317
. "$(dirname "$0")/lib.sh"

command -v musl-gcc >/dev/null ||
	skip "musl-gcc is missing (Debian: musl-tools)"
musl="musl-gcc -idirafter /usr/include"
musl="$musl -idirafter /usr/include/$($CC -print-multiarch)"
# probe KIND COMPILER...: $tmp/state-KIND
probe()
{
	kind=$1
	shift
	compiled state_probe "state-$kind" "$@" -pthread
}
# shellcheck disable=SC2086
{
	probe pie $CC -fPIE -pie
	probe nopie $CC -fno-pie -no-pie
	probe static $CC -static
	probe static-pie $CC -fPIE -static-pie
	probe musl $musl
	probe musl-static $musl -static
	probe execstack $CC -fPIE -pie -z execstack
	probe execstack-static $CC -static -z execstack
}
probes='pie nopie static static-pie musl musl-static execstack execstack-static'
samples state state.pie state.cgo state.cgo-pie
setarch -R true || skip "addresses cannot be fixed here (setarch -R)"

# Lines of a probe that are those of goload, not of the program: the handlers
# that take the last look, and that Syscall User Dispatch is its own.  The vDSO
# lies elsewhere.  Text that was patched is charged to the process (ac), as any
# private page that was written, and an island for its patches is next to it.
listed='^(stat\.caught [0-9]+|status\.SigCgt:.*|prctl dispatch [0-9]+)$'

# differences NAME COMMAND...: of its output natively and under goload, but for
# those that are listed
differences()
{
	name=$1
	shift
	run native setarch -R "$@" </dev/null
	run goload setarch -R "$GOLOAD" -q --patch="$mode" "$@" </dev/null
	for way in native goload; do
		sed -E "s:$tmp/$way\\.(out|err):OUTPUT:" "$tmp/$way.out" |
			unlike_goload >"$tmp/$way.lines"
	done
	diff "$tmp/native.lines" "$tmp/goload.lines"
	cmp "$tmp/native.end" "$tmp/goload.end"
}

# Leaves out what is listed, and puts the mappings that the kernel places by
# itself last.
unlike_goload()
{
	awk -v listed="$listed" '
		/^map / {
			block = $0
			island = $5 == "r-xp" && NF == 6 && $2 !~ /^(program|interp)/ ||
				$2 ~ /^0x/ && $5 == "r-xp"
			kernel = / \[v/
			flags = 1
			next
		}
		/^map\./ && flags {
			if (/^map.flags/)
				sub(/ ac/, $0 ~ /ex/ ? "" : " ac")
			block = block "\n" $0
			if (/^map.flags/) {
				if (kernel)
					last = last block "\n"
				else if (!island)
					print block
				flags = 0
			}
			next
		}
		$0 !~ listed { print }
		END { printf "%s", last }'
}

same_state()
{
	differences "$@" >"$tmp/difference"
	[ ! -s "$tmp/difference" ] && [ "$(wc -l <"$tmp/native.lines")" -gt 40 ] &&
		return
	cat "$tmp/difference"
	return 1
}

# How far the addresses of 100 runs lie apart, as the power of two above half of
# that, and the lowest bit that varies.
varied()
{
	for _ in $(seq 100); do
		"$@" where || return
	done | while read -r name address; do
		echo "$name $((address))"
	done | awk '
		!($1 in least) || $2 < least[$1] { least[$1] = $2 }
		!($1 in most) || $2 > most[$1] { most[$1] = $2 }
		{ for (bit = 1; bit < 65536 && $2 % (2 * bit) == 0; bit *= 2)
			;
		  if (!($1 in low) || bit < low[$1])
			low[$1] = bit }
		END { for (name in least) {
			for (size = 1; size < (most[name] - least[name]) * 0.75; )
				size *= 2
			print name, size, low[name]
		} }' | sort
}

# Arguments of more than a page: all of the stack is executable, not its lower
# end.
whole_stack()
{
	same_state "$1" "$tmp/state-$1" "$(printf '%06000d' 0)" &&
		grep -q '^map rwxp \[stack\]' "$tmp/goload.lines" &&
		recorded "$1" -- "$tmp/state-$1" "$(printf '%06000d' 0)" &&
		closes "$1"
}

as_random()
{
	# shellcheck disable=SC2086
	varied $as "$1" >"$tmp/native.bits"
	# shellcheck disable=SC2086
	varied $as "$GOLOAD" -q "$1" >"$tmp/goload.bits"
	[ -s "$tmp/native.bits" ] && diff "$tmp/native.bits" "$tmp/goload.bits"
}

everything()
{
	how="as $1, --patch=$mode"
	for kind in $probes; do
		fact "$kind, $how: the state that execve leaves" \
			same_state "$kind" "$tmp/state-$kind" 'a b' '' "it's"
		fact "$kind, $how: what execve takes over, and takes back" \
			same_state "$kind" "$tmp/state-$kind" as \
			"$tmp/state-$kind" a
	done
	for build in $(cd "$SAMPLES" && find go1* -path '*/state*' -type f | sort); do
		fact "$build, $how: the state that execve leaves" \
			same_state "$build" "$SAMPLES/$build" 'a b'
	done
}

for mode in all none; do
	as=
	everything "$(id -un)"
	[ "$(id -u)" = 0 ] || continue
	as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	everything nobody
done
as=
mode=all
for kind in execstack execstack-static; do
	fact "$kind: all of the stack is executable, and explained" \
		whole_stack "$kind"
done
for kind in $probes; do
	fact "$kind: as much chance in its addresses" as_random "$tmp/state-$kind"
done
finish
