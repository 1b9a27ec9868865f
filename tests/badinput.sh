#!/bin/sh
# What cannot be run, and what goload is asked for in vain: one line that
# names the object and the rule, the right status, and nothing left over.
# shellcheck disable=SC1091,SC2317
. "$(dirname "$0")/lib.sh"

room
things=$tmp/things
mkdir -m 777 "$things"
helper badinput_mangle
helper_static badinput_fds
samples hello sleeper
hello=$SAMPLES/c-glibc-static/hello
go_hello=$SAMPLES/go/hello
root=$([ "$(id -u)" = 0 ] && echo yes)

# one_line OBJECT STATUS COMMAND...: COMMAND ends with STATUS, says nothing on
# standard output and one line about OBJECT on standard error.
one_line()
{
	object=$1
	status=$2
	shift 2
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	if [ $got = "$status" ] && [ ! -s "$tmp/out" ] &&
		[ "$(wc -l <"$tmp/err")" = 1 ] &&
		[ "$(tail -c 1 "$tmp/err" | wc -l)" = 1 ]; then
		case $(cat "$tmp/err") in
		"goload: $object: "?*) nothing_left && return ;;
		esac
	fi
	echo "status $got, wanted $status; stdout, then stderr:"
	cat "$tmp/out" "$tmp/err"
	return 1
}

# refused STATUS PROGRAM: by both verbs, with and without a run file.
refused()
{
	one_line "$2" "$1" "$GOLOAD" "$2" &&
		one_line "$2" "$1" "$GOLOAD" -q -o run "$2" an argument &&
		one_line "$2" "$1" "$GOLOAD" record -o run.%p "$2" &&
		one_line "$2" "$1" "$GOLOAD" --patch=none --net=off "$2"
}

# poke FILE OFFSET BYTE...: octal bytes
poke()
{
	file=$1
	offset=$2
	shift 2
	for byte; do
		# shellcheck disable=SC2059
		printf "\\$byte" |
			dd of="$file" bs=1 seek="$offset" conv=notrunc \
				2>/dev/null
		offset=$((offset + 1))
	done
}

# with NAME OFFSET BYTE...: a copy of hello with these bytes
with()
{
	cp "$hello" "$things/$1"
	poke "$things/$@"
}

# ---- programs that cannot be run ---------------------------------------------

fact 'a missing file' refused 127 "$things/missing"
fact 'a missing file with a space in its name' refused 127 './no such file'
fact 'a path through a file' refused 127 "$hello/x"
# A directory of PATH that is closed to us would make it 126, as execvp has it.
saved_path=$PATH
PATH=/usr/bin:/bin
fact 'an empty name' refused 127 ''
fact 'a name that is not in PATH' refused 127 no-such-program-here
PATH=$saved_path
ln -s nowhere "$things/dangling"
fact 'a dangling link' refused 127 "$things/dangling"
ln -s loop "$things/loop"
fact 'a link to itself' refused 126 "$things/loop"
fact 'a name that is too long' \
	refused 126 "/$(printf '%0300d' 0)"
fact 'a directory' refused 126 "$things"
cp "$hello" "$things/no-x"
chmod 644 "$things/no-x"
fact 'a file that is not executable' refused 126 "$things/no-x"
: >"$things/empty"
chmod 755 "$things/empty"
fact 'an empty file' refused 126 "$things/empty"
echo 'just some text' >"$things/text"
chmod 755 "$things/text"
fact 'a text' refused 126 "$things/text"
printf '#!/no/such/interpreter\necho ran\n' >"$things/script"
chmod 755 "$things/script"
fact 'a script without an interpreter' refused 126 "$things/script"
dd if=/dev/urandom of="$things/noise" bs=1000 count=3 2>/dev/null
chmod 755 "$things/noise"
fact 'noise' refused 126 "$things/noise"
mkfifo "$things/fifo"
chmod 755 "$things/fifo"
fact 'a FIFO' refused 126 "$things/fifo"
fact 'a device' refused 126 /dev/null

# A socket: bash and dash cannot make one.
cat >"$tmp/socket.c" <<-'C'
	#include <string.h>
	#include <sys/socket.h>
	#include <sys/un.h>
	int main(int argc, char **argv)
	{
		struct sockaddr_un a = { .sun_family = AF_UNIX };
		strncpy(a.sun_path, argv[argc - 1], sizeof(a.sun_path) - 1);
		return bind(socket(AF_UNIX, SOCK_STREAM, 0),
		            (struct sockaddr *)&a, sizeof(a)) != 0;
	}
C
$CC -w -o "$tmp/socket" "$tmp/socket.c" && "$tmp/socket" "$things/socket"
chmod 755 "$things/socket"
fact 'a socket' refused 126 "$things/socket"

cp "$hello" "$things/setuid"
chmod 4755 "$things/setuid"
fact 'a setuid file' refused 126 "$things/setuid"
cp "$hello" "$things/setgid"
chmod 2755 "$things/setgid"
fact 'a setgid file' refused 126 "$things/setgid"
cp "$hello" "$things/capable"
if [ "$root" ] && setcap cap_net_raw+ep "$things/capable" 2>/dev/null; then
	fact 'a file with capabilities' refused 126 "$things/capable"
else
	left_out 'a file with capabilities' 'it takes root and setcap'
fi

as_nobody() # COMMAND...
{
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
cp "$hello" "$things/unreadable"
chmod 711 "$things/unreadable"
if [ "$root" ] && as_nobody true 2>/dev/null; then
	fact 'a file that may be executed but not read' \
		one_line "$things/unreadable" 126 \
		as_nobody "$GOLOAD" "$things/unreadable"
	mkdir -m 700 "$things/closed"
	cp "$hello" "$things/closed/hello"
	fact 'a file in a directory that is closed to us' \
		one_line "$things/closed/hello" 126 \
		as_nobody "$GOLOAD" "$things/closed/hello"
else
	left_out 'files that may not be read' 'it takes root and setpriv'
fi

cut_short()
{
	for size in 1 3 4 5 15 16 31 52 63 64 65 100 119 120 200 400; do
		head -c $size "$1" >"$things/cut"
		chmod 755 "$things/cut"
		refused 126 "$things/cut" || {
			echo "cut to $size bytes"
			return 1
		}
	done
}
fact 'a C program cut short in its headers' cut_short "$hello"
fact 'a Go program cut short in its headers' cut_short "$go_hello"

# Where the kernel runs it (to a bus error), so may goload; nothing else.
cut_later()
{
	whole=$(wc -c <"$1")
	for part in 1 10 30 50 70 90 99; do
		head -c $((whole * part / 100)) "$1" >"$things/cut"
		chmod 755 "$things/cut"
		run native "$things/cut"
		run goload "$GOLOAD" -q "$things/cut"
		nothing_left || return
		case $(cat "$tmp/goload.end") in
		'exited 126') ;;
		"$(cat "$tmp/native.end")")
			cmp "$tmp/native.out" "$tmp/goload.out" || return
			continue ;;
		*)
			echo "cut to $part %: $(cat "$tmp/goload.end")," \
				"natively $(cat "$tmp/native.end")"
			return 1 ;;
		esac
		one_line "$things/cut" 126 "$GOLOAD" "$things/cut" || return
	done
}
fact 'a C program cut short in its segments' cut_later "$hello"
fact 'a Go program cut short in its segments' cut_later "$go_hello"

with class 4 1
poke "$things/class" 18 3 0
fact 'a 32-bit program' refused 126 "$things/class"
with cpu 18 267 0
fact 'a program for another CPU' refused 126 "$things/cpu"
with i386 18 3 0
fact 'a program for i386' refused 126 "$things/i386"
with relocatable 16 1 0
fact 'an object file' refused 126 "$things/relocatable"
with core 16 4 0
fact 'a core file' refused 126 "$things/core"
with magic 0 176
fact 'a broken magic' refused 126 "$things/magic"
with phentsize 54 40 0
fact 'program headers of another size' refused 126 "$things/phentsize"
with phnum 56 0 0
fact 'no program headers' refused 126 "$things/phnum"
with many 56 377 377
fact 'too many program headers' refused 126 "$things/many"
with phoff 32 0 0 0 0 0 0 0 177
fact 'program headers far away' refused 126 "$things/phoff"

# first_load FILE: where its first PT_LOAD header is
first_load()
{
	index=$(readelf -lW "$1" | sed -n '/^Program Headers/,/^$/p' |
		grep -E '^  [A-Z]' | grep -v '^  Type' |
		grep -nE '^  LOAD' | head -n 1 | cut -d : -f 1)
	echo $((64 + 56 * (index - 1)))
}
load=$(first_load "$hello")
with filesz $((load + 32)) 0 0 0 0 0 0 0 177
fact 'a segment with more bytes than the file' refused 126 "$things/filesz"
with vaddr $((load + 16)) 0 0 0 0 0 0 0 377
fact 'a segment outside the address space' refused 126 "$things/vaddr"
with memsz $((load + 40)) 0 0 0 0 0 0 0 1
fact 'a segment larger than the address space' refused 126 "$things/memsz"
with offset $((load + 8)) 1 2 3
fact 'a segment that is not aligned as its address' \
	refused 126 "$things/offset"

echo 'int main(void) { return 0; }' >"$tmp/dynamic.c"
$CC -o "$things/dynamic" "$tmp/dynamic.c"
# Dynamic programs are run, or refused with a line that says so.
dynamic()
{
	"$GOLOAD" -q "$things/dynamic" >"$tmp/out" 2>"$tmp/err" &&
		[ ! -s "$tmp/out" ] && nothing_left && return
	refused 126 "$things/dynamic" && grep -q 'dynamic' "$tmp/err" && return
	cat "$tmp/err"
	return 1
}
fact 'a dynamically linked program: run, or refused and said' dynamic

# ---- goload's own failures ---------------------------------------------------

# misused WORD COMMAND...: 125, a line, and a hint that has WORD
misused()
{
	hint=$1
	shift
	"$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
	[ $status = 125 ] && [ ! -s "$tmp/out" ] &&
		[ "$(wc -l <"$tmp/err")" -le 2 ] &&
		grep -q '^goload: ' "$tmp/err" &&
		grep -qx "Try 'goload help$hint'." "$tmp/err" &&
		nothing_left && return
	echo "status $status; stdout, then stderr:"
	cat "$tmp/out" "$tmp/err"
	return 1
}

fact 'no program at all' misused '' "$GOLOAD"
fact 'an unknown option' misused '' "$GOLOAD" --nonsense "$hello"
fact 'an unknown short option' misused '' "$GOLOAD" -Z "$hello"
fact 'a value that is none' misused '' "$GOLOAD" --patch=some "$hello"
control_bytes()
{
	name=$(printf 'a\nb\033[31mc\177')
	one_line './a?b?[31mc?' 127 "$GOLOAD" "./$name" &&
		one_line './a?b?[31mc?' 125 "$GOLOAD" report "./$name" &&
		misused ' report' "$GOLOAD" report "--$name"
}
fact 'control bytes in a name stay out of the line' control_bytes
fact 'an empty value' misused '' "$GOLOAD" --net= "$hello"
fact 'a missing value' misused '' "$GOLOAD" -o
fact 'a value too many' misused '' "$GOLOAD" --quiet=yes "$hello"
fact 'record without a program' misused ' record' "$GOLOAD" record -o run
fact 'record without -o' misused ' record' "$GOLOAD" record "$hello"
fact 'record with an unknown %' \
	misused ' record' "$GOLOAD" record -o run.%z "$hello"
fact 'record with a % at the end' \
	misused ' record' "$GOLOAD" record -o run% "$hello"
fact 'report without a file' misused ' report' "$GOLOAD" report
fact 'report of two files' misused ' report' "$GOLOAD" report a b
fact 'report in an unknown format' \
	misused ' report' "$GOLOAD" report --format=yaml run
fact 'inspect without a file' misused ' inspect' "$GOLOAD" inspect
fact 'help for an unknown verb' misused '' "$GOLOAD" help nonsense
# full COMMAND...: 125 and a line, where nothing can be printed
full()
{
	"$@" >/dev/full 2>"$tmp/err"
	[ $? = 125 ] && [ "$(wc -l <"$tmp/err")" = 1 ] &&
		grep -q '^goload: standard output: cannot be written: ' \
			"$tmp/err" && return
	cat "$tmp/err"
	return 1
}
fact 'help to a full disk' full "$GOLOAD" help
fact 'help for a verb to a full disk' full "$GOLOAD" help report
fact '--help to a full disk' full "$GOLOAD" report --help
fact '--version to a full disk' full "$GOLOAD" --version
fact 'inspect to a full disk' full "$GOLOAD" inspect "$hello"
fact 'an option is no file' misused ' report' "$GOLOAD" report --nonsense

# not_run FILE STATUS...: as one_line, and the program has not run
output_refused() # OUTPUT
{
	one_line "$1" 125 "$GOLOAD" record -o "$1" "$hello" &&
		one_line "$1" 125 "$GOLOAD" -o "$1" "$hello"
}
echo 'precious' >"$things/exists"
fact 'a run file that exists' output_refused "$things/exists"
kept()
{
	[ "$(cat "$things/exists")" = precious ]
}
fact 'it is kept as it was' kept
fact 'a run file in a directory that cannot be made' \
	output_refused "$things/exists/nowhere/run"
fact 'a run file that is a directory' output_refused "$things"
fact 'a run file with an empty name' output_refused ''
if [ "$root" ] && as_nobody true 2>/dev/null; then
	mkdir -m 755 "$things/mine"
	fact 'a run file in a directory that may not be written' \
		one_line "$things/mine/run" 125 \
		as_nobody "$GOLOAD" record -o "$things/mine/run" "$hello"
else
	left_out 'a run file in a directory that may not be written' \
		'it takes root and setpriv'
fi

# ---- run files ---------------------------------------------------------------

"$GOLOAD" record -q -o "$tmp/run" "$SAMPLES/go/hello" >/dev/null 2>"$tmp/err"
fact 'report of a missing file' \
	one_line "$things/missing" 125 "$GOLOAD" report "$things/missing"
fact 'report of a directory' \
	one_line "$things" 125 "$GOLOAD" report "$things"
fact 'report of an empty file' \
	one_line "$things/empty" 125 "$GOLOAD" report "$things/empty"
fact 'report of a text' \
	one_line "$things/text" 125 "$GOLOAD" report "$things/text"
fact 'report of noise' \
	one_line "$things/noise" 125 "$GOLOAD" report "$things/noise"
fact 'report of a program' one_line "$hello" 125 "$GOLOAD" report "$hello"
fact 'report of a FIFO' \
	one_line "$things/fifo" 125 "$GOLOAD" report "$things/fifo"
fact 'report of a device' one_line /dev/null 125 "$GOLOAD" report /dev/null
fact 'report to a full disk' \
	one_line /dev/full 125 "$GOLOAD" report -o /dev/full "$tmp/run"
fact 'report into a directory that is missing' \
	one_line "$things/no/report" 125 \
	"$GOLOAD" report -o "$things/no/report" "$tmp/run"
# spared FILE OBJECT COMMAND...: 125, a line about OBJECT, and FILE is as it was
spared()
{
	spared=$1
	object=$2
	shift 2
	cp "$spared" "$tmp/copy"
	one_line "$object" 125 "$@" && cmp "$spared" "$tmp/copy" && return
	cp "$tmp/copy" "$spared"
	return 1
}

# What is read is written by no name: neither its own nor another.
spared_input()
{
	cp "$tmp/run" "$things/a"
	cp "$tmp/run" "$things/b"
	cat /proc/self/maps >"$things/maps"
	ln -f "$things/a" "$things/hard"
	ln -sf a "$things/soft"
	for name in a hard soft; do
		for verb in report 'report --format json' 'report --why heap' \
			'export --format pprof' 'export --format sqlite' map \
			"compare $things/b" "compare --format json $things/b"; do
			# shellcheck disable=SC2086
			spared "$things/a" "$things/$name" \
				"$GOLOAD" $verb -o "$things/$name" "$things/a" &&
				continue
			echo "$verb -o $name"
			return 1
		done
	done
	spared "$things/b" "$things/b" "$GOLOAD" compare -o "$things/b" \
		"$things/a" "$things/b" &&
		spared "$things/maps" "$things/maps" "$GOLOAD" map \
			--maps "$things/maps" -o "$things/maps"
}
fact 'no verb writes to the file that it reads' spared_input

spared_appended()
{
	# shellcheck disable=SC2094
	"$GOLOAD" report "$things/a" 2>"$tmp/err" >>"$things/a"
	[ $? = 125 ] && cmp "$tmp/run" "$things/a" &&
		grep -qx 'goload: standard output: is a file that is read' \
			"$tmp/err" && return
	cat "$tmp/err"
	return 1
}
fact 'nor to its end, as standard output' spared_appended

spared_program()
{
	cp "$SAMPLES/go/hello" "$things/program"
	"$GOLOAD" record -q -o "$tmp/program.run" "$things/program" \
		>/dev/null || return
	spared "$things/program" "$things/program" \
		"$GOLOAD" report -o "$things/program" "$tmp/program.run"
}
fact 'nor to a program that names come from' spared_program

spared_output()
{
	spared "$things/exists" "$things/text" \
		"$GOLOAD" report -o "$things/exists" "$things/text" &&
		spared "$things/exists" "$things/empty" \
			"$GOLOAD" report -o "$things/exists" "$things/empty" &&
		spared "$things/exists" "$tmp/run" "$GOLOAD" report \
			--why nothing -o "$things/exists" "$tmp/run" &&
		spared "$things/exists" "$things/text" \
			"$GOLOAD" map -o "$things/exists" "$things/text" &&
		spared "$things/exists" "$things/text" "$GOLOAD" map \
			--maps "$things/text" -o "$things/exists" &&
		spared "$things/exists" "$things/text" "$GOLOAD" export \
			-o "$things/exists" "$things/text" &&
		spared "$things/exists" "$things/text" "$GOLOAD" compare \
			-o "$things/exists" "$tmp/run" "$things/text"
}
fact 'a verb that fails leaves its output as it was' spared_output

overwritten()
{
	"$GOLOAD" report "$tmp/run" >"$tmp/out" || return
	head -c 100000 /dev/zero >"$things/old"
	"$GOLOAD" report -o "$things/old" "$tmp/run" &&
		cmp "$tmp/out" "$things/old"
}
fact 'one that does not writes it anew' overwritten

fact 'inspect of a missing file' \
	one_line "$things/missing" 127 "$GOLOAD" inspect "$things/missing"
fact 'inspect of a text' \
	one_line "$things/text" 126 "$GOLOAD" inspect "$things/text"

fact 'a run file cut at 200 places' \
	"$tmp/badinput_mangle" "$GOLOAD" "$tmp/run" "$tmp/mangled" cut 200
fact 'a run file with bits flipped, 500 times' \
	"$tmp/badinput_mangle" "$GOLOAD" "$tmp/run" "$tmp/mangled" flip 500

says_torn()
{
	head -c $(($(wc -c <"$tmp/run") - 30)) "$tmp/run" >"$tmp/torn"
	"$GOLOAD" report "$tmp/torn" >"$tmp/out" 2>"$tmp/err" &&
		grep -q 'cut' "$tmp/err" && return
	cat "$tmp/err"
	return 1
}
fact 'a torn run file is reported, and said to be cut' says_torn

# ---- descriptors -------------------------------------------------------------

# same_descriptors REDIRECTIONS: natively and under goload, by every way
same_descriptors()
{
	for way in '' --patch=none '-o run' '-o run --patch=none'; do
		rm -f run
		sh -c "exec 8>'$tmp/fds.native'; exec '$tmp/badinput_fds' 8 $1" \
			>/dev/null 2>>"$tmp/err" </dev/null
		: >"$tmp/err"
		sh -c "exec 8>'$tmp/fds'; exec '$GOLOAD' $way \
			'$tmp/badinput_fds' 8 $1" \
			>/dev/null 2>>"$tmp/err" </dev/null
		status=$?
		sed 's/^8 .*/8/' "$tmp/fds" >"$tmp/fds.1"
		sed 's/^8 .*/8/' "$tmp/fds.native" >"$tmp/fds.2"
		diff "$tmp/fds.2" "$tmp/fds.1" && [ $status = 0 ] || {
			echo "status $status with $way $1"
			cat "$tmp/err"
			return 1
		}
		case $way in
		*run*)
			sleep 0.02
			"$GOLOAD" report run >"$tmp/out" 2>"$tmp/err" &&
				grep -qE '^ *unexplained +0' "$tmp/out" &&
				[ ! -s "$tmp/err" ] || {
				echo "report of a run with $way $1:"
				cat "$tmp/err"
				tail -c 100 run | od -c | tail -n 5
				return 1
			} ;;
		esac
		rm -f run
	done
	nothing_left
}
fact 'the descriptors are those of a native run' same_descriptors ''
fact 'the same without standard input' same_descriptors '0<&-'
fact 'the same without standard output' same_descriptors '1>&-'
fact 'the same without standard error' same_descriptors '2>&-'
fact 'the same without input and error' same_descriptors '0<&- 2>&-'
fact 'the same without output and error' same_descriptors '1>&- 2>&-'
fact 'the same without any of the three' same_descriptors '0<&- 1>&- 2>&-'
fact 'the same with more of them' same_descriptors '3</dev/null 9>&1 20>&2'

no_descriptor_left()
{
	for few in 4 6 8 10 16 64; do
		run few sh -c "ulimit -n $few; exec '$GOLOAD' -q '$hello'"
		nothing_left || return
		case $(cat "$tmp/few.end") in
		'exited 0') [ ! -s "$tmp/few.err" ] && continue ;;
		'exited 125') [ "$(wc -l <"$tmp/few.err")" = 1 ] && continue ;;
		esac
		echo "ulimit -n $few: $(cat "$tmp/few.end")"
		cat "$tmp/few.err"
		return 1
	done
}
fact 'with few descriptors to be had it runs, or says why not' \
	no_descriptor_left

# A refusal whose standard error is closed, too.
silent()
{
	"$GOLOAD" "$things/missing" 2>&- >"$tmp/out"
	[ $? = 127 ] && [ ! -s "$tmp/out" ] && nothing_left
}
fact 'a refusal without standard error has its status' silent

finish
