#!/bin/sh
# goload floor: the limits that it finds are those that ulimit shows by hand,
# program by program; what breaks below them is what the program complains of.
# shellcheck disable=SC1091,SC2154,SC2317
. "$(dirname "$0")/lib.sh"

# One thread for Go's own goroutines: then it needs the same each time, but for
# rare runs.
export GOMAXPROCS=1
step=64 # KiB

cp "$GOLOAD" "$tmp/goload" # another user's too
GOLOAD=$tmp/goload
chmod 777 "$tmp"
samples hello http
helper_static floor_do
old=$(cd "$SAMPLES" && for go in go1*; do
	case $go in
	"$(readlink go)") ;;
	*) echo "$go" ;;
	esac
done | head -n 1)

# floor NAME COMMAND...: leaves $tmp/NAME.json, .err
floor()
{
	name=$1
	shift
	"$GOLOAD" floor --format json -o "$tmp/$name.json" "$@" \
		2>"$tmp/$name.err" && return
	cat "$tmp/$name.err"
	return 1
}

value() # NAME JQ
{
	jq -r "$2" "$tmp/$1.json"
}

# under LETTER KIB COMMAND...: does it pass under this limit, set by hand?
under()
{
	# shellcheck disable=SC2016
	sh -c 'ulimit "-$0" "$1" && shift && exec "$@"' "$@" >"$tmp/hand" 2>&1
}

# mostly LETTER KIB COMMAND...: in three of five runs
mostly()
{
	count=0
	for _ in 1 2 3 4 5; do
		! under "$@" || count=$((count + 1))
	done
	[ $count -ge 3 ]
}

# exactly NAME COMMAND...: does it pass under the floor by hand, and not under
# one step less?  of both limits
exactly()
{
	name=$1
	shift
	floor "$name" "$@" || return
	for limit in v:address_space d:data; do
		kib=$(($(value "$name" ".${limit#?:}") / 1024))
		under "${limit%%:*}" "$kib" "$@" &&
			fails under "${limit%%:*}" $((kib - step)) "$@" &&
			continue
		echo "ulimit -${limit%%:*} $kib:"
		cat "$tmp/hand"
		return 1
	done
}

# agrees NAME LETTER KEY LESS COMMAND...: does it pass by hand, and not under LESS
# KiB less?  of a program that does not need the same each time
agrees()
{
	name=$1 letter=$2 less=$4
	kib=$(($(value "$1" ".$3") / 1024))
	shift 4
	mostly "$letter" "$kib" "$@" &&
		fails mostly "$letter" $((kib - less)) "$@" && return
	echo "ulimit -$letter $kib, and $less KiB less:"
	value "$name" .doubts
	head -n 1 "$tmp/hand"
	return 1
}

# Now and then a thread more takes some chunks of 256 KiB; of data, 4 MiB of the
# heap. Where the floor knows that, it is above them.
of_go()
{
	program=$SAMPLES/$1/hello
	floor "$1" "$program" || return
	less=$step
	jq -e '.doubts | any(.limit == "address_space" and .below_passed > 0)' \
		"$tmp/$1.json" >/dev/null && less=1024
	agrees "$1" v address_space $less "$program" &&
		agrees "$1" d data 8192 "$program"
}

# once COMMAND...: of three times. Of Go 1.26 some runs in a thousand need 4 MiB
# more of heap than others, and one such makes another floor.
once()
{
	"$@" || "$@" || "$@"
}

# ---- agreement ----------------------------------------------------------------

fact 'C, static: both limits are those that ulimit shows by hand' \
	exactly c "$SAMPLES/c-glibc-static/hello"
fact 'C, dynamic: both limits are those that ulimit shows by hand' \
	exactly dynamic /bin/echo dynamic
fact "Go: address space to $step KiB what ulimit shows by hand, data to 8 MiB" \
	once of_go go
if [ "$old" ]; then
	fact "$old: likewise" once of_go "$old"
else
	left_out 'an older Go: likewise' 'there is but one Go'
fi

do=$tmp/floor_do
mib=1048576

# To the page: a program that maps just so much.
to_the_page()
{
	set -- "$do" map $((5 * mib + 4096))
	floor page --step 4096 "$@" &&
		kib=$(($(value page .address_space) / 1024)) &&
		under v "$kib" "$@" && fails under v $((kib - 4)) "$@"
}

# needs NAME MIB: so much more than what maps nothing
needs()
{
	difference=$(($(value "$1" .address_space) - $(value nothing .address_space)))
	[ "$difference" = $(($2 * mib)) ] && return
	echo "$difference bytes more than nothing"
	return 1
}

data_alone()
{
	floor data "$do" data $((8 * mib)) && floor map "$do" map $((8 * mib)) &&
		needs data 8 && needs map 8 &&
		[ "$(value map .data)" = "$(value nothing .data)" ] &&
		[ $(($(value data .data) - $(value nothing .data))) = $((8 * mib)) ]
}

fact 'with --step 4096 they are exact to the page' to_the_page
fact 'a program that maps nothing has limits, too' floor nothing "$do" less 8192
fact 'address space counts what is mapped, data what is writable' data_alone

# ---- what breaks --------------------------------------------------------------

# breaks NAME KEY JQ: what broke, by a condition of its row
breaks()
{
	jq -e ".$2 | $3" "$tmp/$1.json" >/dev/null && return
	jq -c ".$2" "$tmp/$1.json"
	return 1
}

# Of large steps the one below the floor is without the heap, or without the page
# summary: what Go says is what the row says.
go_breaks()
{
	floor "large.$1" --step "$2" "$SAMPLES/$1/hello" &&
		breaks "large.$1" breaks '
		.owner == "Go runtime" and .call == "mmap" and .how == "failed"
		and (.kind == "heap" and (.function | test("mheap.*sysAlloc"))
			and (.said | test("out of memory"))
		or .kind == "heap index" and (.said | test("heap arena map"))
		or .kind == "page summary"
			and (.function == "runtime.(*pageAlloc).sysInit")
			and (.said | test("page summary")))
		and .line > 0 and .exit.status == 2'
}

# 360 MiB is less than its last level.
page_summary()
{
	go_breaks go 360M && breaks large.go breaks '.kind == "page summary"'
}

fact 'Go: the reservation that breaks is the one that Go complains of' \
	once go_breaks go 64M
[ -z "$old" ] || fact "$old: the reservation that breaks" \
	once go_breaks "$old" 64M
fact 'Go: where not even that fits it is the page summary' once page_summary
fact 'Go: in small steps it is of the runtime, with file and line' \
	breaks go breaks '.owner == "Go runtime" and .line > 0 and
		.how == "failed" and .said == "fatal error: runtime: cannot allocate memory"'

# The last that failed, not the first: that one it could do without.
last_failed()
{
	floor less "$do" less $((64 * mib)) && needs less 32 &&
		breaks less breaks '.call == "mmap" and .bytes == 32 * 1048576
			and .how == "failed" and .said == "no room"
			and .exit == {status: 3, signal: null}'
}

# Where goload has no room beside the program its calls without a limit tell.
too_small()
{
	breaks c breaks '.kind == "brk heap" and .call == "brk" and
		.how == "replayed"' &&
		breaks c breaks_data '.kind == "brk heap" and .how == "replayed"'
}

of_library()
{
	breaks dynamic breaks '.how == "failed" and .call == "mmap" and
		.bytes > 1000000 and .exit.status == 127 and
		(.said | test("failed to map segment"))'
}

fact 'what a program can do without does not break it' last_failed
fact 'dynamic: the library that ld.so cannot map' of_library
fact 'a program that is too small for goload under the limit: by its calls' \
	too_small

# ---- programs that do not need the same each time -------------------------------

sometimes()
{
	echo 0 >"$tmp/count"
	FLOOR_COUNT=$tmp/count floor some "$do" some $((8 * mib)) &&
		needs some 8 &&
		value some '.doubts[] | select(.limit == "address_space") |
			"\(.runs) \(.below_passed)"' >"$tmp/some" &&
		echo '12 8' | diff - "$tmp/some"
}

# Under 16 MiB and more it fails again, unless it has 24.
under_less_too()
{
	floor gap "$do" gap $((16 * mib)) && needs gap 24 || return
	again=$(value gap '.doubts[] | select(.limit == "address_space") |
		.passes_again')
	[ "$again" -gt 0 ] && under v $((again / 1024)) "$do" gap $((16 * mib)) &&
		fails under v $((again / 1024 + 10 * 1024)) "$do" gap $((16 * mib))
}

fact 'what fails in every third run is found out, and said' sometimes
fact 'that it passes under less, too, is said; limits between fail' \
	under_less_too

# ---- servers, users, words -------------------------------------------------------

cat >"$tmp/drive" <<'DRIVE'
until exec 3<>"/dev/tcp/127.0.0.1/$PORT"; do
	kill -0 "$GOLOAD_PID" || exit
done 2>/dev/null
printf 'GET /bar HTTP/1.0\r\n\r\n' >&3 && grep -q Hello <&3
DRIVE

server()
{
	PORT=$((20000 + $$ % 10000))
	export PORT
	floor server --runs 1 --step 16M --drive "bash $tmp/drive" \
		"$SAMPLES/go/http" &&
		[ "$(value server .address_space)" -gt \
			"$(value go .address_space)" ] &&
		breaks server breaks '.exit.status == 2 and
			(.said | test("out of memory|cannot allocate"))'
}

time_limited()
{
	floor sleeper --for 300ms sleep 60 && fails floor early \
		--for 100ms sh -c 'trap "exit 4" TERM; sleep 5 & wait' &&
		grep -q 'does not pass without a limit: exit status 4' \
			"$tmp/early.err"
}

nobody()
{
	(cd "$tmp" && setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$GOLOAD" floor --format json -o "$tmp/nobody.json" "$do" map 4096 \
		2>"$tmp/nobody.err") &&
		[ "$(value nobody .address_space)" = \
			"$(value nothing .address_space)" ] && return
	cat "$tmp/nobody.err"
	return 1
}

# A limit that is there already is the largest that can be tried.
limited_already()
{
	floor already "$do" map 4096 &&
		kib=$(($(value already .address_space) / 1024 + 65536)) &&
		under v "$kib" "$GOLOAD" floor --format json \
			-o "$tmp/limited.json" "$do" map 4096 &&
		[ "$(value limited .address_space)" = \
			"$(value already .address_space)" ]
}

# refused STATUS TEXT COMMAND...: one line behind what the program said
refused()
{
	status=$1 text=$2
	shift 2
	"$GOLOAD" floor "$@" >"$tmp/out" 2>"$tmp/err"
	code=$?
	[ $code = "$status" ] && [ ! -s "$tmp/out" ] &&
		tail -n 1 "$tmp/err" | grep -q "^goload: $text" && return
	echo "$code"
	cat "$tmp/out" "$tmp/err"
	return 1
}

fails_anyway()
{
	refused 125 'sh: does not pass without a limit: exit status 7' \
		sh -c 'echo what it says; exit 7' &&
		grep -qx '  what it says' "$tmp/err" &&
		refused 125 'sh: does not pass without a limit: killed by' \
			sh -c 'kill -9 $$' &&
		refused 125 'true: does not pass without a limit: its driver' \
			--drive false true &&
		refused 127 '/none/such: cannot be found' /none/such
}

misused()
{
	for words in '--step 0' '--step 5' '--step 64k' '--step 64KB' \
		'--step -64K' '--step 99999999999999999999' '--runs 0' \
		'--runs x' '--runs 1001' '--for soon' '--format html'; do
		# shellcheck disable=SC2086
		"$GOLOAD" floor $words true >"$tmp/out" 2>&1
		[ $? = 125 ] && grep -q "^goload: ${words%% *}: takes" "$tmp/out" &&
			continue
		echo "$words: $(cat "$tmp/out")"
		return 1
	done
}

# The text says what the JSON says.
text()
{
	"$GOLOAD" floor "$SAMPLES/c-glibc-static/hello" >"$tmp/text" || return
	grep -q "^  address space .* ulimit -v $(($(value c .address_space) / 1024))\$" \
		"$tmp/text" &&
		grep -q "^  data .* ulimit -d $(($(value c .data) / 1024))\$" \
			"$tmp/text" &&
		grep -q '^  cgroup memory ' "$tmp/text" &&
		grep -q 'below, this does not fit: brk heap, brk of' "$tmp/text" &&
		return
	cat "$tmp/text"
	return 1
}

fact 'a server, with a driver' server
fact 'a program that is asked to end after a time' time_limited
if [ "$(id -u)" = 0 ]; then
	fact 'another user finds the same' nobody
else
	left_out 'another user finds the same' 'not root'
fi
fact 'under a limit there is no trying above it' limited_already
fact 'what does not pass without a limit is refused, with its last words' \
	fails_anyway
fact 'misuse is told in one line' misused
fact 'the text has the figures of the JSON report' text

# ---- a control group --------------------------------------------------------------

# Takes cgroup v2, and a group that gives memory to others: else the reason is
# there.
if [ "$(value c .cgroup_memory)" = null ]; then
	fact 'without a control group there is a reason' jq -e '
		.breaks_cgroup == null and any(.doubts[];
			.limit == "cgroup_memory" and (.reason | length) > 10)' \
		"$tmp/c.json"
	left_out 'the limit of a control group' "$(value c '.doubts[].reason')"
else
	in_group()
	{
		floor big --step 1M "$do" write $((24 * mib)) &&
			breaks big breaks_cgroup '.how == "resident" and
				.bytes >= 24 * 1048576 and .exit.signal == 9' &&
			[ "$(value big .cgroup_memory)" -ge $((24 * mib)) ] &&
			[ "$(value big .cgroup_memory)" -le $((27 * mib)) ]
	}
	fact 'the limit of a control group is what the program writes to' in_group
fi
finish
