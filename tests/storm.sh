#!/bin/sh
# A storm of memory calls by eight threads, drawn by lot: at every barrier
# goload's model is the map that the program reads of itself, page for page, and
# at the end the kernel's. STRESS=1: ten million calls. SEED=N: another storm.
[ -z "${STRESS-}" ] || : "${HUNG:=900}"
. "$(dirname "$0")/lib.sh"

: "${SEED:=1}"
ledger=$here/../observer/ledger
helper_static storm
mv "$tmp/storm" "$tmp/storm.static"
helper_dynamic storm
helper drop "$here/../trace/file.c"
helper storm_check "$ledger/run.c" "$ledger/replay.c" "$ledger/calls.c" \
	"$ledger/effects.c" "$ledger/shm.c" "$ledger/race.c" \
	"$ledger/space.c" "$ledger/look.c" "$ledger/trend.c" \
	"$ledger/words.c" "$here/../trace/file.c"
samples storm
chmod 777 "$tmp"
head -c 300000 /dev/zero >"$tmp/file"

# Before Linux 6.17 a call that is to move several mappings fails when it has
# unmapped what was in their way: in doubt until the last look.
half_done=
printf '%s\n' 6.17 "$(uname -r)" | sort -V -C || half_done=doubt

# agrees NAME [doubt]: the model is the program's own map at each barrier, and
# each call of the program's is an event
agrees()
{
	"$tmp/storm_check" "$tmp/$1.run" "$tmp/$1.out" ${2:+"$2"} \
		>"$tmp/$1.sum" 2>"$tmp/$1.wrong" &&
		read -r maps _ _ _ disturbed <"$tmp/$1.sum" &&
		[ "$maps" -gt 0 ] && [ "$disturbed" = 0 ] && return
	cat "$tmp/$1.end" "$tmp/$1.sum"
	head -n 20 "$tmp/$1.wrong"
	return 1
}

# peaked NAME: the most that the model had is VmPeak
peaked()
{
	peak=$(grep -a '^peak ' "$tmp/$1.out")
	jq -e --argjson peak "${peak#peak }" '.totals.peak_vm_size == $peak' \
		"$tmp/$1.json" && return
	jq -c .totals "$tmp/$1.json"
	echo "$peak"
	return 1
}

# raced NAME: what is in doubt has been settled by the last look
raced()
{
	jq -e '.totals.unexplained == 0 and .totals.phantom == 0
		and .unexplained == [] and .phantom == []
		and .events.lost == 0 and .run.checked
		and .events.ambiguous > 0' "$tmp/$1.json" >/dev/null && return
	jq -c '[.totals, .events, .unexplained, .phantom]' "$tmp/$1.json"
	return 1
}

# Whether one failed call has changed something may need the map to tell.
closes_with_doubt()
{
	jq '.events.ambiguous = 0' "$tmp/$1.json" >"$tmp/sure.json"
	closes sure
}

# own WHICH OPTION... -- COMMAND...: a storm in which each thread has its own
own()
{
	which=$1
	shift
	recorded storm "$@"
	fact "$which: the model is the map at each barrier" \
		agrees storm $half_done
	fact "$which: and at the end" closes_with_doubt storm
}

# storms CALLS SEED: CALLS of each of eight threads, or fewer
storms()
{
	calls=$1
	seed=$2
	own "seed $seed, patched" -- "$tmp/storm.static" own 8 "$calls" 5 \
		"$seed" "$tmp/file"
	own "seed $seed, by the net" --patch=none -- "$tmp/storm.static" own 8 \
		$((calls / 4)) 5 "$seed" "$tmp/file"
	for libc in glibc musl; do
		own "seed $seed, $libc" -- "$tmp/storm-$libc" own 8 \
			$((calls / 4)) 5 "$seed" "$tmp/file"
	done
	for go in $(cd "$SAMPLES" && echo go1*/storm); do
		own "seed $seed, $go" -- "$SAMPLES/$go" 8 $((calls / 4)) 5 \
			"$seed" "$tmp/file"
	done
	own "seed $seed, one thread" -- "$tmp/storm.static" own 1 \
		$((calls * 2)) 9 "$seed" "$tmp/file"
	fact "seed $seed, one thread: the peak is VmPeak" peaked storm

	recorded race -- "$tmp/storm.static" shared 8 "$calls" 5 "$seed" \
		"$tmp/file"
	fact "seed $seed, a race: what differs from the map was in doubt" \
		agrees race doubt
	fact "seed $seed, a race: at the end nothing differs" raced race
}

# dropped: without one of its mmaps pages are missing in the model
dropped()
{
	cp "$tmp/many.out" "$tmp/dropped.out"
	"$tmp/drop" "$tmp/many.run" 0 "$tmp/dropped.run" || return
	"$tmp/storm_check" "$tmp/dropped.run" "$tmp/dropped.out" \
		>"$tmp/dropped.sum" 2>/dev/null && return 1
	read -r _ _ wrong _ <"$tmp/dropped.sum" && [ "$wrong" -gt 0 ]
}

storms 4000 "$SEED"

if [ "$(id -u)" = 0 ]; then
	as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	own 'a user without rights' -- "$tmp/storm.static" own 8 1000 3 \
		"$SEED" "$tmp/file"
	as=
else
	left_out 'a user without rights' 'that is who runs this'
fi

# ---- as many mappings as the kernel lets a process have -----------------------

recorded many -- "$tmp/storm.static" many 60000 "$SEED"
fact '60,000 mappings: the model is the map' agrees many
fact '60,000 mappings: and at the end' closes many
fact '60,000 mappings: the peak is VmPeak' peaked many
fact 'control: without one mmap the model is not the map' dropped

# ---- ten million ---------------------------------------------------------------

if [ -n "${STRESS-}" ]; then
	for seed in 101 102 103 104 105; do
		storms 62000 "$seed"
	done
fi
finish
