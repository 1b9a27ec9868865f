#!/bin/sh
# Signals under goload are those of a native run: no handler sees goload's
# code, no register is lost, masks and dispositions are the program's own.
# shellcheck disable=SC1091,SC2317
. "$(dirname "$0")/lib.sh"

command -v musl-gcc >/dev/null ||
	skip "musl-gcc is missing (Debian: musl-tools)"
helper_static signals_pc
helper_static signals_masks
helper_static signals_step
helper_dynamic signals_pc
helper_dynamic signals_masks
samples signals spin sleeper signals.dynamic spin.pie spin.cgo spin.cgo-pie \
	spin.cgo-static

# as_native COMMAND...: the same output and end natively, patched and not.
as_native()
{
	run native "$@"
	for patch in all none; do
		run goload "$GOLOAD" -q --patch=$patch "$@"
		cmp -s "$tmp/native.end" "$tmp/goload.end" &&
			diff "$tmp/native.out" "$tmp/goload.out" &&
			cmp "$tmp/native.err" "$tmp/goload.err" && continue
		echo "(<: native, $(cat "$tmp/native.end");" \
			">: --patch=$patch, $(cat "$tmp/goload.end"))"
		cat "$tmp/goload.err"
		return 1
	done
}

# well COMMAND...: ends with 0 natively, patched and not.
well()
{
	for way in native --patch=all --patch=none --net=off; do
		if [ $way = native ]; then
			run well "$@"
		else
			run well "$GOLOAD" -q $way "$@"
		fi
		[ "$(cat "$tmp/well.end")" = 'exited 0' ] && continue
		echo "$way: $(cat "$tmp/well.end")"
		cat "$tmp/well.out" "$tmp/well.err"
		return 1
	done
}

# closed COMMAND...: the ledger of that run closes.
closed()
{
	for patch in all none; do
		recorded closed --patch=$patch -- "$@"
		closes closed || return
	done
}

# ---- what handlers see -------------------------------------------------------

fact "20,000 signals in a storm: no handler sees goload" \
	well "$tmp/signals_pc" rf 20000
for flags in o orf n no; do
	fact "signals with the flags '$flags': no handler sees goload" \
		well "$tmp/signals_pc" $flags 4000
done
fact "2,000 signals with SA_RESETHAND: no handler sees goload" \
	well "$tmp/signals_pc" h 2000
fact '20,000 handlers that leave by siglongjmp' \
	well "$tmp/signals_pc" rf 20000 jump
fact 'the same on an alternate stack' well "$tmp/signals_pc" o 4000 jump
fact 'every register is right in a storm' well "$tmp/signals_step" storm 1000
fact 'the ledger of a storm closes' closed "$tmp/signals_pc" r 2000
fact 'the ledger of many jumps closes' closed "$tmp/signals_pc" r 2000 jump

for libc in glibc glibc-nopie musl; do
	fact "5,000 signals in a storm, $libc: no handler sees goload" \
		well "$tmp/signals_pc-$libc" rf 5000
	fact "on an alternate stack, $libc" well "$tmp/signals_pc-$libc" o 2000
	fact "with SA_RESETHAND, $libc" well "$tmp/signals_pc-$libc" h 1000
	fact "2,000 handlers that leave by siglongjmp, $libc" \
		well "$tmp/signals_pc-$libc" rf 2000 jump
	fact "its ledger closes, $libc" \
		closed "$tmp/signals_pc-$libc" r 1000 jump
done

for kind in c-glibc-static c-glibc-static-pie c-musl-static \
	c-glibc-dynamic c-glibc-dynamic-nopie c-musl-dynamic; do
	fact "a storm on an alternate stack, $kind" \
		as_native "$SAMPLES/$kind/signals" 5000
	fact "its ledger closes, $kind" closed "$SAMPLES/$kind/signals" 2000
done

spins()
{
	for _ in 1 2 3; do
		as_native "$SAMPLES/go/spin" "$tmp/profile" 200 || return
	done
}
fact 'Go with preemption, children and a CPU profile' spins
for kind in $(cd "$SAMPLES" && echo go1*/spin.pie go1*/spin.cgo*); do
	fact "the same, $kind" as_native "$SAMPLES/$kind" "$tmp/profile" 200
done

# A storm from outside on a program that handles none of it itself.
bombarded()
{
	for patch in all none; do
		GODEBUG=asyncpreemptoff=0 "$GOLOAD" -q --patch=$patch \
			"$SAMPLES/go/spin" "$tmp/profile" 400 \
			>"$tmp/spin.out" 2>"$tmp/spin.err" &
		pid=$!
		while kill -s URG $pid && kill -s WINCH $pid &&
			kill -s CHLD $pid; do
			:
		done 2>/dev/null
		wait $pid && grep -q '^spin: 8' "$tmp/spin.out" && continue
		echo "--patch=$patch"
		cat "$tmp/spin.out" "$tmp/spin.err"
		return 1
	done
}
fact 'Go under SIGURG, SIGWINCH and SIGCHLD from outside' bombarded

# ---- masks and dispositions --------------------------------------------------

fact 'dispositions, masks and waiting calls' as_native "$tmp/signals_masks"
fact 'bad pointers, numbers and sizes' as_native "$tmp/signals_masks" pointers
fact "the program's own SIGSYS" as_native "$tmp/signals_masks" sys
fact 'to block SIGSYS is harmless' as_native "$tmp/signals_masks" blocked
for libc in glibc glibc-nopie musl; do
	one=$tmp/signals_masks-$libc
	fact "dispositions, masks and waiting calls, $libc" as_native "$one"
	fact "bad pointers, numbers and sizes, $libc" as_native "$one" pointers
	fact "to block SIGSYS is harmless, $libc" as_native "$one" blocked
done
for libc in glibc glibc-nopie; do
	fact "the program's own SIGSYS, $libc" \
		as_native "$tmp/signals_masks-$libc" sys
done
left_out "the program's own SIGSYS, musl" \
	'its raise() blocks SIGSYS, which goload keeps deliverable'
left_out 'a blocked SIGSYS stays pending' 'goload keeps it deliverable'
left_out 'SIGSYS is blocked in its own handler' 'goload keeps it deliverable'

# ---- a signal at every instruction -------------------------------------------

stepped() # KIND MODE GOLOAD-OPTION...
{
	kind=$1
	mode=$2
	shift 2
	HUNG=600 # thousands of steps, each some switches between processes
	run step "$tmp/signals_step" trace "$kind" "$mode" "$GOLOAD" -q "$@" \
		"$tmp/signals_step" target
	[ "$(cat "$tmp/step.end")" = 'exited 0' ] && return
	cat "$tmp/step.end" "$tmp/step.out" "$tmp/step.err"
	return 1
}

if run step "$tmp/signals_step" trace getppid one "$tmp/signals_step" target &&
	grep -q 'places' "$tmp/step.out"; then
	fact 'a signal at every instruction of every kind of call' \
		stepped all one
	fact 'the same with nothing patched' stepped all one --patch=none
	fact 'a second signal on top, in a call that is not recorded' \
		stepped getppid two
	fact 'a second signal on top, in one that is' \
		stepped munmap-fails two
	fact 'a second signal on top of one with SA_RESETHAND' stepped getppid reset
else
	left_out 'a signal at every instruction' 'ptrace does not work here'
fi

finish
