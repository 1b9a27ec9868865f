#!/bin/sh
# What the report says in sentences is what its rows say: every number of every
# sentence, worked out again from the JSON report; and --why names the functions
# behind a row.
. "$(dirname "$0")/lib.sh"

ulimit -S -s 8192 # what a thread's stack is
samples hello hello.cgo hello.race http http.cgo bigheap threads malloc \
	threads.dynamic malloc.dynamic

# ---- the sentences, from the rows ------------------------------------------

sentences='
	def commas: tostring | if length > 3
		then (.[:-3] | commas) + "," + .[-3:] else . end;
	# as printf has it: a half goes to the even digit
	def tenths: (. * 10) as $t | ($t | floor) as $f
		| if $t - $f > 0.5 or ($t - $f == 0.5 and $f % 2 == 1)
		  then $f + 1 else $f end
		| "\(. / 10 | floor | commas).\(. % 10)";
	def size: if . < 1024 then if . == 0 then "0" else "\(.) B" end
		elif . >= 1048576 then "\(. / 1048576 | tenths) MiB"
		elif . % 1024 == 0 then "\(. / 1024 | commas) KiB"
		else "\(. / 1024 | tenths) KiB" end;
	def exact: if . % 1048576 == 0 then "\(. / 1048576 | commas) MiB"
		else "\(. / 1024 | commas) KiB" +
		     if . < 10485760 then "" else " (\(size))" end end;
	def sum(f): map(f) | add // 0;
	def is_libc: .owner == "libc" or .owner == "library";
	def is_thing: .kind == "thread stack" or .kind == "malloc arena";
	def is_library: is_libc and (.kind | test(" (text|data)$"));
	def bytes: .reserved + .committed;
	def site: .reserved as $bytes
		| select(.owner == "Go runtime") | .sites
		| map(select(.bytes == $bytes)) | select(length == 1)[0]
		| " (\(.function), \(.file | split("/") | last):\(.line))";
	# parts(f; n; where): n of [.. part ..] by name, the rest together
	def parts(f; n; where): map(. + {part: f} | select(.part > 0))
		| sort_by(-.part) | . as $all
		| (if length <= n + 1 then length else n end) as $named
		| [ .[:$named][] | (.part | size) + " " + .kind +
		    if where then ([site] | join("")) else "" end ] +
		  if $named == length then [] else
		  [ "\(.[$named:] | sum(.part) | size) in " +
		    "\(length - $named) other rows" ] end
		| join(", ");
	def uncounted: if .owner != "Go runtime" or
		.kind == "heap index" or .kind == "debug log" or
		.kind == "getrandom states" then .committed else 0 end;
	# how many of one size, and the bytes of all
	def things(kind; each): (map(select(.kind == kind)) | sum(bytes)) as $b
		| {count: ($b / each), bytes: $b, each: each};
	def counted(one): "\(.count) \(one)\(if .count == 1 then "" else "s" end)";
	def product(one): if .count == 0 then empty
		elif .count == 1 then "\(.bytes | exact) is \(counted(one))."
		else "\(counted(one)) x \(.each | exact) = \(.bytes | exact)."
		end;

	.totals as $t | .ledger as $rows | .memstats as $m
	| ($rows | map(select(.owner == "Go runtime")) | sum(.reserved)) as $go
	| ($rows | things("thread stack"; 8392704)) as $stack
	| ($rows | things("malloc arena"; 67108864)) as $arena
	| ($rows | map(select(is_libc and (is_thing | not)))) as $libc
	| [ "VmSize is \($t.vm_size | size), \($t.goload | size) of it " +
	    "goload'"'"'s own.",
	    (if $t.reserved == 0 then empty
	     elif $go == 0
	     then "\($t.reserved | size) is only reserved, nothing may touch it: "
	     elif $go < $t.reserved
	     then "\($t.reserved | size) is only reserved, \($go | size) of " +
		  "it by the Go runtime: "
	     elif $rows | map(select(.reserved > 0) | .reserved as $b | .sites
		  | any(.at_start and .bytes == $b)) | all
	     then "\($t.reserved | size) is address space that the Go runtime " +
		  "reserves at start and never touches: "
	     else "\($t.reserved | size) is address space that the Go runtime " +
		  "reserves and does not touch: " end) +
	    ($rows | parts(.reserved; 4; true)) + ".",
	    "\($t.committed | size) is committed, \($t.resident | size) " +
	    "resident.",
	    ($rows | select(sum(.returned) > 0)
	     | "\(sum(.returned) | size) was given back to the kernel" +
	       (sum(.came_back) | if . > 0
		then ", \(size) of that is resident again." else "." end)),
	    ($t | select(.peak_vm_size > .vm_size)
	     | "At its peak VmSize was \(.peak_vm_size | size)."),
	    (if $stack.count == $arena.count and $stack.count > 1
	     then "\($stack.count) x (8,196 KiB thread stack + 64 MiB " +
		  "malloc arena) = \($stack.bytes + $arena.bytes | exact)."
	     else ($stack | product("thread stack")),
		  ($arena | product("malloc arena")) end),
	    ($arena | select(.count > 0)
	     | "MALLOC_ARENA_MAX=1 would save " + (.count * 135168 <
	       ($rows | map(select(.kind == "malloc arena"))
		| sum(.committed)) | if . then "up to " else "" end) +
	       "\(.bytes | exact)."),
	    ($libc | select(($stack.count + $arena.count > 0 and length > 0) or
			    any(is_library))
	     | "\(sum(bytes) | exact) more is of libc: " + ([
		(map(select(is_library and (.kind | endswith(" text")))
		 | 1) | select(length > 0) | "\(add) shared librar\(if add == 1 then "y"
		 else "ies" end)"),
		(map(select(is_library | not)) | sort_by(-bytes)[] | .kind)
		] | join(", ")) + "."),
	    ($rows | map(select(.owner == "sanitizer")) | select(length > 0)
	     | "\(sum(bytes) | size) is of the sanitizer that is built in: " +
	       parts(bytes; 4; false) + "."),
	    ($m | select(. and .available)
	     | "MemStats.Sys is \(.sys | size): of what is committed it leaves " +
	       "out \($rows | sum(uncounted) | size): " +
	       ($rows | parts(uncounted; 3; false)) + "."),
	    "Nothing is unexplained." ] | join(" ")'

# said FILE.run: the first paragraph of its report, in one line
said()
{
	"$GOLOAD" report "$1" | sed -n '3,/^$/p' | tr -s ' \n' '  ' |
		sed 's/^ //; s/ $//'
}

# explained NAME: what is said of $tmp/NAME.run is what its rows say
explained()
{
	jq -r "$sentences" "$tmp/$1.json" >"$tmp/wanted" 2>&1
	said "$tmp/$1.run" >"$tmp/said"
	echo >>"$tmp/said"
	grep -q VmSize "$tmp/said" && diff "$tmp/wanted" "$tmp/said"
}

# in_the_making NAME: it ended while a thread made its arena, which has 128 MiB
# until what is too much is cut off
in_the_making()
{
	jq -e '.ledger[] | select(.kind == "malloc arena")
		| .mappings != 2 * (.reserved + .committed) / 67108864' \
		"$tmp/$1.json" >"$tmp/making"
}

# ---- the article's server ---------------------------------------------------

# kilobytes PATTERN: the number before it in $tmp/said
kilobytes()
{
	grep -oE "[0-9,]+ KiB$1" "$tmp/said" | head -n 1 | tr -dc '0-9\n'
}

# linked STATIC LIBC: what libc adds, by the sentences about threads and libc, is
# in KiB what the kernel's two VmSizes differ by, less what other rows do
linked()
{
	said "$tmp/$2.run" >"$tmp/said"
	threads=$(grep -oE '= [0-9,]+ KiB' "$tmp/said" | tr -dc '0-9\n')
	libc=$(kilobytes ' more is of libc')
	: "${threads:?not told}" "${libc:?not told}"
	jq -n --slurpfile a "$tmp/$1.json" --slurpfile b "$tmp/$2.json" '
		def rest: .totals.goload + ([.ledger[]
			| select(.owner != "libc" and .owner != "library")
			| .reserved + .committed] | add);
		($b[0].totals.vm_size - $a[0].totals.vm_size)
		- (($b[0] | rest) - ($a[0] | rest)) | . / 1024' >"$tmp/added"
	sum=0
	for part in $threads $libc; do
		sum=$((sum + part))
	done
	[ "$sum" = "$(cat "$tmp/added")" ] && return
	echo "$sum KiB by words, $(cat "$tmp/added") KiB by the kernel"
	return 1
}

# ---- the stacks behind a row ------------------------------------------------

# behind NAME ROW FUNCTION...: all of them are behind it, and it is as large as
# its row
behind()
{
	"$GOLOAD" report --why "$2" "$tmp/$1.run" >"$tmp/why" || return
	wanted=$(jq -r --arg row "$2" '.ledger[]
		| select(.kind == $row) | .mappings' "$tmp/$1.json")
	row=$2
	shift 2
	grep -qE "^$row, .* $wanted mappings?; [0-9]+ stacks?$" "$tmp/why" || {
		echo "not $wanted mappings:"
		head -n 1 "$tmp/why"
		return 1
	}
	for function; do
		grep -qE "^      $function( |@|$)" "$tmp/why" && continue
		echo "no $function:"
		cat "$tmp/why"
		return 1
	done
}

# refused LINES OPTION...: `goload report` fails, and says why in so many lines
refused()
{
	lines=$1
	shift
	run refused "$GOLOAD" report "$@"
	grep -qx 'exited 125' "$tmp/refused.end" && [ ! -s "$tmp/refused.out" ] &&
		[ "$(wc -l <"$tmp/refused.err")" = "$lines" ] && return
	cat "$tmp/refused".*
	return 1
}

for version in $(cd "$SAMPLES" && ls -d go1*); do
	for program in hello hello.cgo hello.race bigheap; do
		for _ in 1 2 3 4 5; do
			recorded run -- "$SAMPLES/$version/$program"
			in_the_making run || break
		done
		fact "$version/$program: sentences say what rows say" \
			explained run
	done
	for program in http http.cgo; do
		fact "$version/$program answers" \
			recorded_server $program "$SAMPLES/$version/$program"
		fact "$version/$program: sentences say what rows say" \
			explained $program
	done
	fact "$version: threads x (stack + arena) and libc are the difference of VmSize" \
		linked http http.cgo
	fact "$version: who is behind the page summary" \
		behind http 'page summary' 'runtime\.\(\*pageAlloc\)\.sysInit' \
		'runtime\.\(\*pageAlloc\)\.sysGrow' 'runtime\.schedinit'
	fact "$version: who is behind the heap" \
		behind http heap 'runtime\.\(\*mheap\)\.sysAlloc' \
		'runtime\.\(\*mheap\)\.grow'
	fact "$version: who is behind the heap, linked with libc" \
		behind http.cgo heap 'x_cgo_mmap' 'runtime\.\(\*mheap\)\.grow'
	fact "$version: who is behind thread stacks" \
		behind http.cgo 'thread stack' 'pthread_create' \
		'_cgo_try_pthread_create'
	fact "$version: who is behind malloc arenas" \
		behind http.cgo 'malloc arena' '(free|malloc|__libc_free)' \
		'threadentry'
done

for file in $(cd "$SAMPLES" && find c-glibc-* -name threads -o -name malloc | sort); do
	recorded run -- "$SAMPLES/$file"
	fact "$file: sentences say what rows say" explained run
done

fact 'rows are named by their first letters, in any case' \
	test "$("$GOLOAD" report --why PAGE "$tmp/http.run" | grep -c '^page ')" = 2
fact 'a whole name is that row alone' \
	test "$("$GOLOAD" report --why Heap "$tmp/http.run" | grep -c '^heap')" = 1
fact 'an unknown row is refused in one line' \
	refused 1 --why nothing "$tmp/http.run"
fact 'which names those that there are' \
	grep -q "no row 'nothing', but page summary, .*heap index" \
	"$tmp/refused.err"
fact 'no letters are no row' refused 1 --why '' "$tmp/http.run"
fact 'JSON has no stacks' \
	refused 2 --why heap --format json "$tmp/http.run"

run live "$GOLOAD" --why 'page summary' "$SAMPLES/go/hello"
run native "$SAMPLES/go/hello"
fact 'goload --why ROW PROGRAM prints its stacks at the end' \
	grep -qE '^page summary, Go runtime: .* stacks$' "$tmp/live.err"
fact 'and runs it as natively' cmp "$tmp/live.end" "$tmp/native.end"
run live "$GOLOAD" --why nothing "$SAMPLES/go/hello"
fact 'so it does when there is no such row' cmp "$tmp/live.end" "$tmp/native.end"
fact 'and says that there is none' grep -q "has no row 'nothing'" "$tmp/live.err"

# ---- controls ---------------------------------------------------------------

explained http.cgo >/dev/null
changed()
{
	cp "$tmp/http.cgo.run" "$tmp/other.run"
	jq "$1" "$tmp/http.cgo.json" >"$tmp/other.json"
	! explained other >"$tmp/diff" && grep -q "$2" "$tmp/diff"
}
fact 'control: a page of VmSize is seen' changed \
	'.totals.vm_size += 104858' 'VmSize'
fact 'control: one arena less is seen' changed \
	'(.ledger[] | select(.kind == "malloc arena") | .reserved) -= 67108864' \
	'malloc arena'
fact 'control: a kilobyte of libc is seen' changed \
	'(.ledger[] | select(.kind == "TLS") | .committed) += 1024' 'of libc'
fact 'control: another line of a file is seen' changed \
	'.ledger[].sites[].line += 1' 'mpagealloc'
fact 'control: another function is not behind a row' \
	fails behind http heap 'runtime\.\(\*pageAlloc\)\.sysInit'
jq '.totals.vm_size -= 1024' "$tmp/http.json" >"$tmp/less.json"
fact 'control: a kilobyte more is not what libc adds' fails linked less http.cgo
finish
