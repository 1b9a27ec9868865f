#!/bin/sh
# Ten hazards of patching syscall instructions, a fact or some for each. With
# MUTATE=1 goload is then built without each remedy (tests/hazards/*.patch), in a
# copy of the build tree, and the facts that the patch names must fail, and no
# others. MUTATE=NAME does that with the patches that have NAME in theirs.
# shellcheck disable=SC1091,SC2317
. "$(dirname "$0")/lib.sh"

: "${HAZARDS:=}" # the program, when it is built already
if [ -n "$HAZARDS" ]; then
	hazards=$HAZARDS
else
	helper hazards -static -no-pie -pthread
	hazards=$tmp/hazards
fi

# as_natively NAME: ends well natively and recorded
as_natively()
{
	run native "$hazards" "$1"
	recorded here -- "$hazards" "$1"
	for way in native here; do
		[ "$(cat "$tmp/$way.end")" = 'exited 0' ] && continue
		echo "$way: $(cat "$tmp/$way.end")"
		cat "$tmp/$way.out" "$tmp/$way.err"
		return 1
	done
}

# well NAME: and its ledger closes
well()
{
	as_natively "$1" && closes here
}

# events QUERY: does it hold of the events of that run?
events()
{
	jq -e ".events | $1" "$tmp/here.json" >/dev/null && return
	jq -c '.events | [.net_hits, .children, .by_call]' "$tmp/here.json"
	return 1
}

# well_with NAME QUERY
well_with()
{
	well "$1" && events "$2"
}

# Each late call is one of the net.
late()
{
	well_with "$1" ".net_hits == $2"
}

fact 'hazard 1: bytes that look like a syscall are left alone' \
	well_with bytes '.net_hits == 0'
fact 'hazard 2: page 0 stays empty, NULL faults' well null
fact "hazard 3: calls need nothing of the program's stack" \
	well_with stack '.net_hits == 0'
fact 'hazard 4: children that have no stack go on where they must' well clones
fact 'hazard 4: a new thread is under the net' late threads 2
fact 'hazard 5: the net holds with SIGSYS blocked' late masked 1
fact 'hazard 5: the net holds in a handler that blocks all signals' \
	late masked-handler 1
fact 'hazard 5: the net holds behind a handler that leaves all blocked' \
	late masked-return 1
fact "hazard 5: the program's own SIGSYS and the net's are told apart" \
	late owned 2
fact 'hazard 5: the net uses the signal stack' \
	well_with on-stack '.net_hits == 9'

# As many as it made: nothing twice, nothing less.
stormed()
{
	recorded here -- "$hazards" storm
	closes here && made=$(sed -n 's/^made //p' "$tmp/here.out") &&
		events ".by_call.munmap == $made"
}
fact "hazard 6: in a storm of signals handlers see the program's code alone" \
	as_natively storm
fact 'hazard 6: in a storm of signals each call is one event' stormed
fact 'hazard 7: threads that reuse addresses are kept in order' \
	well_with reuse '.by_call.munmap >= 80000'
fact 'hazard 7: what is cut, moved, replaced or fails is followed' well changes
fact 'hazard 8: a child that forks takes no part, one that executes runs' \
	well_with children '.children == 3 and .by_call.mremap == null'
fact 'hazard 9: what has no room is left to the net, across pages is none' \
	well_with room '.net_hits == 40 and .by_call.madvise == 40 and
		(.by_call | keys | all(startswith("syscall_") | not))'
missed()
{
	recorded here --net=off -- "$hazards" room
	events '.by_call.madvise < 40'
}
fact 'control: without the net what has no room is missed' missed
fact 'hazard 10: registers are kept in calls of every kind' \
	well_with registers '.net_hits == 9'
fact 'hazard 10: flags that are read behind a call are kept' well flags

# ---- without the remedies ------------------------------------------------------

# mutated PATCH WAY...: what is patched in $tree
mutated()
{
	mutation=$1
	shift
	(cd "$tree" && patch -s -p1 -F0 --no-backup-if-mismatch "$@" <"$mutation")
}

# without PATCH: exactly the facts fail that it names in lines "Fails: SENTENCE"
without()
{
	sed -n 's/^Fails: /not ok - /p' "$1" | sort >"$tmp/named"
	mutated "$1" || return
	if make -s -C "$tree" goload WERROR= >"$tmp/said" 2>&1; then
		GOLOAD=$tree/goload HAZARDS=$hazards HUNG=10 MUTATE='' \
			sh "$here/hazards.sh" >"$tmp/said" 2>&1
	fi
	mutated "$1" -R || return
	grep '^not ok' "$tmp/said" | sort >"$tmp/failing"
	[ -s "$tmp/named" ] && diff "$tmp/named" "$tmp/failing" && return
	echo "(<: named, >: failing)"
	cat "$tmp/said"
	return 1
}

copy_tree()
{
	tree=$tmp/tree
	mkdir "$tree"
	tar -cf - --exclude=./out --exclude=./.git --exclude=node_modules . |
		tar -xf - -C "$tree"
}

if [ -n "${MUTATE:-}" ]; then
	[ "$MUTATE" != 1 ] || MUTATE=
	cd "$here/.." || exit 1
	[ -f Makefile ] || {
		echo "MUTATE=1 takes a tree that goload is built in"
		exit 1
	}
	copy_tree
	for patch in "$here"/hazards/*"$MUTATE"*.patch; do
		[ "$(id -u)" != 0 ] && grep -q '^As root' "$patch" && {
			left_out "without: $(sed 1q "$patch")" 'not root'
			continue
		}
		fact "without: $(sed 1q "$patch")" without "$patch"
	done
fi
finish
