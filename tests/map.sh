#!/bin/sh
# goload map: at the end of a run it is the kernel's map and the report's rows,
# in the middle it is what the program saw of itself; and the kernel's listings
# get the right names.
. "$(dirname "$0")/lib.sh"

helper map_look "$here/../trace/file.c"
helper map_steps
cp "$tmp/map_steps" "$tmp/steps.dynamic"
helper map_steps -static
mv "$tmp/map_steps" "$tmp/steps.static"
samples hello hello.cgo hello.pie bigheap churn threads malloc \
	threads.dynamic malloc.dynamic hello.dynamic

# ---- against the kernel ------------------------------------------------------

# Lines of a map, "start end perms offset path" in hex, as one line for what is
# one: neighbours with the same perms and path, and of files the next offset.
# What the kernel splits by names of its own is one, too; all that lies below the
# break it calls the heap.
joined()
{
	while read -r range perms offset _ _ path; do
		case $path in
		'[vsyscall]') continue ;;
		'[vvar'*) path='[vvar]' ;;
		'[anon'* | '[heap]') path= ;;
		esac
		echo "${range%-*} ${range#*-} $perms $offset $path"
	done | awk '
		function value(hex,   i, n) {
			n = 0
			for (i = 1; i <= length(hex); i++)
				n = n * 16 + index("0123456789abcdef",
					substr(hex, i, 1)) - 1
			return n
		}
		function flush() {
			if (start != "")
				print start "-" end, perms, offset, path
		}
		{
			at = value($1)
			off = value($4)
			name = $0
			sub(/^[^ ]* [^ ]* [^ ]* [^ ]* ?/, "", name)
			if ($1 == end && $3 == perms && name == path &&
			    (name !~ /^\// || off == next_offset)) {
				end = $2
			} else {
				flush()
				start = $1; end = $2; perms = $3
				offset = $4; path = name
			}
			next_offset = off + value($2) - at
		}
		END { flush() }'
}

# listed RUN OPTION...: goload's map in the columns of the kernel's
listed()
{
	run=$1
	shift
	"$GOLOAD" map --format json "$@" "$run" | jq -r '
		def digits: ltrimstr("0x") | if length < 8
			then ("00000000" + .)[-8:] else . end;
		.mappings[] | "\(.start | digits)-\(.end | digits) \(.perms) " +
			"\(.offset | digits) 00:00 0 \(.path // "")"' | joined
}

# ends_as NAME: the map of the end is the last look, line by line
ends_as()
{
	"$tmp/map_look" "$tmp/$1.run" | joined >"$tmp/kernel"
	listed "$tmp/$1.run" >"$tmp/listed"
	[ -s "$tmp/kernel" ] && diff "$tmp/kernel" "$tmp/listed"
}

# as_rows NAME: the sums of the map's mappings are the rows of the report
as_rows()
{
	jq -r '(.ledger[] | [.kind, .owner, .reserved, .committed, .resident]),
	       (.goload[] | [.kind, "goload", 0, .size, .resident])
	       | @tsv' "$tmp/$1.json" | sort >"$tmp/rows"
	"$GOLOAD" map --format json "$tmp/$1.run" | jq -r '
		def sum(f): map(f) | add // 0;
		.mappings | group_by([.kind, .owner])[]
		| [.[0].kind, .[0].owner,
		   sum(if .perms[:3] == "---" then .size else 0 end),
		   sum(if .perms[:3] == "---" then 0 else .size end),
		   sum(.resident)] | @tsv' | sort >"$tmp/sums"
	[ -s "$tmp/rows" ] && diff "$tmp/rows" "$tmp/sums"
}

# in_order NAME [RELATION]: no moment is above the peak, and it is the report's;
# with threads it may be less: calls of one moment, by clocks of two processors,
# count together
in_order()
{
	start=$("$GOLOAD" map --at start --format json "$tmp/$1.run" |
		jq .totals.vm_size)
	peak=$("$GOLOAD" map --at peak --format json "$tmp/$1.run" |
		jq .totals.vm_size)
	jq -e "$peak ${2-<=} .totals.peak_vm_size and $start <= $peak and $start > 0
		and .totals.vm_size <= $peak" "$tmp/$1.json"
}

for file in $(kinds hello) $(kinds bigheap) $(kinds churn) \
	$(cd "$SAMPLES" && find go1* \( -name hello.cgo -o -name hello.pie \) |
		sort) \
	$(cd "$SAMPLES" && find c-* \( -name threads -o -name malloc \
		-o -name hello \) | sort); do
	recorded run -- "$SAMPLES/$file"
	fact "$file: the end is the kernel's map" ends_as run
	fact "$file: and the report's rows" as_rows run
	fact "$file: the peak is its peak" in_order run
done

# ---- a moment in the middle --------------------------------------------------

MARK=5a0000000000

# middle_as NAME COMMAND...: what the program printed of itself is the map while
# the mark stood, its end is the kernel's
middle_as()
{
	name=$1
	shift
	recorded "$name" -- "$@"
	at=$("$GOLOAD" map --addr $MARK --format json "$tmp/$name.run" |
		jq -r '.lives | select(length == 1)[0].from')
	joined <"$tmp/$name.out" >"$tmp/kernel"
	listed "$tmp/$name.run" --at "$at" >"$tmp/listed"
	[ -s "$tmp/kernel" ] && diff "$tmp/kernel" "$tmp/listed" &&
		ends_as "$name" && as_rows "$name"
}

chmod 777 "$tmp"
for linked in static dynamic; do
	fact "$linked: the map in the middle is what the program saw" \
		middle_as "$linked" "$tmp/steps.$linked"
	fact "$linked: and with a file mapped" \
		middle_as "$linked" "$tmp/steps.$linked" "$here/lib.sh"
	if [ "$(id -u)" = 0 ]; then
		as='setpriv --reuid=65534 --regid=65534 --clear-groups'
		fact "$linked: also for a user without rights" \
			middle_as "$linked" "$tmp/steps.$linked"
		as=
	else
		left_out "$linked: also for a user without rights" \
			"that is who runs this"
	fi
done
fact "the peak of a single thread is the report's" in_order static ==
off_by_one()
{
	listed "$tmp/static.run" --at "$((at - 1))" >"$tmp/listed"
	cmp "$tmp/kernel" "$tmp/listed"
}
joined <"$tmp/static.out" >"$tmp/kernel"
at=$("$GOLOAD" map --addr $MARK --format json "$tmp/static.run" |
	jq -r '.lives[0].from')
fact 'control: a nanosecond earlier it is not' fails off_by_one

# ---- one address --------------------------------------------------------------

# about FILTER OPTION...: what is said of an address of the static run
about()
{
	filter=$1
	shift
	"$GOLOAD" map --format json "$@" "$tmp/static.run" >"$tmp/about"
	jq -e "$filter" "$tmp/about" >/dev/null || cat "$tmp/about"
	jq -e "$filter" "$tmp/about" >/dev/null
}

fact 'an address: what is there, by whom, with its stack and thread' about '
	.mapping.kind == "mapping" and .mapping.size == 4096
	and .mapping.perms == "r--p" and .maker.call == "mmap"
	and .maker.thread == .run.pid
	and ([.maker.frames[].function] | index("main") != null)' \
	--addr 0x$MARK --at "$at"
fact 'where nothing is, its neighbours' about '
	def number: [length, .];
	.mapping == null and .maker == null
	and (.below.end | number) <= (.address | number)
	and (.above.start | number) > (.address | number)
	and (.lives | length) == 1' --addr $MARK
protected=$("$GOLOAD" map --format json "$tmp/static.run" |
	jq -r '[.mappings[] | select(.perms == "r--p" and .kind == "mapping")
		| .start][0]')
fact 'its protection over time' about '
	[.lives[].perms] == ["rw-p", "r--p"]
	and .lives[0].until == .lives[1].from and .lives[1].until == null' \
	--addr "$protected"

# said WORD... -- OPTION...: the text has all of the words
said()
{
	words=
	while [ "$1" != -- ]; do
		words="$words $1"
		shift
	done
	shift
	"$GOLOAD" map "$@" "$tmp/static.run" >"$tmp/said" || return
	for word in $words; do
		grep -q -e "$word" "$tmp/said" && continue
		echo "no $word:"
		cat "$tmp/said"
		return 1
	done
}

fact 'as text: a map' said '00400000-' '\[stack\]' 'VmSize' 'goload$' --
fact 'as text: it says when resident is not known' \
	said 'resident:.not.known.at.that.moment' -- --at "$at"
fact 'as text: an address' said 'made.by.mmap' 'thread' ' main' 'until' -- \
	--addr $MARK --at "$at"

# ---- the kernel's listings ---------------------------------------------------

"$GOLOAD" map --maps "$here/listing.txt" --format json >"$tmp/listing.json"
of_listing()
{
	jq -e "$1" "$tmp/listing.json" && return
	jq -c '.totals, .kinds[]' "$tmp/listing.json"
	return 1
}
shell_sum()
{
	sum=0
	for range in $(grep -v vsyscall "$here/listing.txt" |
		grep -oE '^[0-9a-f]+-[0-9a-f]+'); do
		sum=$((sum + 0x${range#*-} - 0x${range%-*}))
	done
	of_listing ".totals.vm_size == $sum"
}
fact 'a saved listing: what it shows adds up' shell_sum
fact 'arenas of 65,536 kB, whole and in part' of_listing '.kinds[]
	| select(.kind == "malloc arena") | .count == 4 and .in_part == 2
	and .owner == "libc"'
fact 'thread stacks with their guards' of_listing '.kinds[]
	| select(.kind == "thread stack") | .count == 4 and .in_part == 2'
fact 'places where lines are left out' of_listing '.gaps == 8
	and .causes == false'
fact 'text, data and bss of the program; libraries' of_listing '
	[.mappings[:4][].kind] == ["text", "rodata", "data", "bss"]
	and ([.kinds[].kind] | index("libc-2.27.so data") != null)'

# live: this shell, which waits meanwhile, has the size that the kernel says
live()
{
	"$GOLOAD" map --pid $$ --format json >"$tmp/live.json" || return
	size=$(sed -n 's/^VmSize:[^0-9]*\([0-9]*\) kB/\1/p' /proc/$$/status)
	jq -e --argjson size "$((size * 1024))" --argjson pid $$ '
		.pid == $pid and .totals.vm_size == $size
		and .totals.resident > 0
		and (["text", "data", "stack", "vDSO, vvar"]
		     - [.kinds[].kind] == [])' "$tmp/live.json" && return
	jq -c '.pid, .totals, .kinds[]' "$tmp/live.json"
	return 1
}

fact 'a process that runs: all of VmSize is listed' live

# ---- what is refused ---------------------------------------------------------

# refused LINES OPTION...: it fails, and says why in so many lines
refused()
{
	lines=$1
	shift
	run refused "$GOLOAD" map "$@"
	grep -qx 'exited 125' "$tmp/refused.end" && [ ! -s "$tmp/refused.out" ] &&
		[ "$(wc -l <"$tmp/refused.err")" = "$lines" ] && return
	cat "$tmp/refused".*
	return 1
}

fact 'no file is refused' refused 2
fact 'two are' refused 2 "$tmp/static.run" "$tmp/static.run"
fact 'what is no run file' refused 1 "$here/lib.sh"
fact 'what is not there' refused 1 "$tmp/nothing"
fact 'no moment' refused 2 --at noon "$tmp/static.run"
fact 'nor one behind the end' refused 1 --at 9999s "$tmp/static.run"
fact 'no address' refused 2 --addr here "$tmp/static.run"
fact 'no process' refused 2 --pid me
fact 'one that is not there' refused 1 --pid 4194305
fact 'a listing without a line' refused 1 --maps "$here/lib.sh"
sort -r "$here/listing.txt" >"$tmp/upside_down"
fact 'a listing upside down' refused 1 --maps "$tmp/upside_down"
fact 'a listing that is not there' refused 1 --maps "$tmp/nothing"
fact 'a moment of a listing' refused 2 --at end --maps "$here/listing.txt"
if [ "$(id -u)" = 0 ]; then
	as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	fact "somebody else's process" refused 1 --pid $$
	# shellcheck disable=SC2016,SC2086
	fact 'one of his own is not' $as sh -c \
		'"$1" map --pid $$ | grep -qF "[stack]"' sh "$GOLOAD"
	as=
else
	fact "somebody else's process" refused 1 --pid 1
fi
finish
