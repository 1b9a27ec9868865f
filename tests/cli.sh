#!/bin/sh
# The command line: help, man pages and completions say the same; colours, the
# pager and progress are for terminals; where goload speaks; Go's own workflow;
# what make install puts where.
# shellcheck disable=SC1091,SC2317
. "$(dirname "$0")/lib.sh"

built=$(cd "$(dirname "$GOLOAD")" && pwd)
cp "$GOLOAD" "$tmp/goload" # another user's too
GOLOAD=$tmp/goload
chmod 777 "$tmp"
samples hello
cp "$SAMPLES/go/hello" "$tmp/hello"
hello=$tmp/hello
export TERM=xterm SHELL=/bin/sh
unset NO_COLOR CLICOLOR_FORCE GOLOAD_OPTIONS GOLOAD_PAGER PAGER LESS

# have COMMAND SENTENCE: else the sentence is left out
have()
{
	command -v "$1" >/dev/null && return
	left_out "$2" "there is no $1"
	false
}

same() # TEXT FILE
{
	printf '%s' "$1" | diff - "$2"
}

# ---- help, man pages, completions ---------------------------------------------

verbs=$("$GOLOAD" --help | sed -n 's/^  goload \([a-z]*\) .*/\1/p')

# What a page of help, or of a manual, has: "-o --output" a line.
options_of()
{
	"$GOLOAD" "$@" | sed -nE 's/^ +(-[a-z]), (--[a-z-]+).*/\1 \2/p
		s/^ +(--[a-z-]+).*/\1/p'
}

# each COMMAND...: of run and of each verb, on what `options` has
each()
{
	options=$(options_of --help) && [ "$options" ] || return
	"$@" run || return
	for verb in $verbs; do
		options=$(options_of help "$verb") && [ "$options" ] &&
			"$@" "$verb" || return
	done
}

in_manual() # VERB
{
	case $1 in
	help) return ;; # goload(1) tells all of it
	run) page=goload.1 ;;
	*) page=goload-$1.1 ;;
	esac
	mandoc -Tascii "$built/docs/$page" | col -bx |
		sed -n '/^OPTIONS/,/^EXIT/p' |
		sed -nE 's/^ {7}(-[a-z]), (--[a-z-]+).*/\1 \2/p
			s/^ {7}(--[a-z-]+).*/\1/p' >"$tmp/page"
	printf '%s\n' "$options" | diff - "$tmp/page" && return
	echo "in $page"
	return 1
}

in_bash() # VERB
{
	sed -n "s/^_goload_options_$1=//p" \
		"$built/docs/completions/goload.bash" |
		tr -d "'" | tr ' ' '\n' | sed '/^$/d; s/=$//' >"$tmp/words"
	printf '%s\n' "$options" | tr ' ' '\n' | diff - "$tmp/words"
}

in_zsh() # VERB
{
	sed -n "/^local -a options_$1=/,/^)/p" \
		"$built/docs/completions/goload.zsh" |
		sed -nE "s/^\t'\((-[a-z]) (--[a-z-]+)\).*/\1 \2/p
			s/^\t'(--[a-z-]+).*/\1/p" >"$tmp/words"
	printf '%s\n' "$options" | diff - "$tmp/words"
}

in_fish() # VERB
{
	sed -nE "/__goload_in $1'/ {
			s/.* -s (.) -l ([a-z-]+) .*/-\1 --\2/p
			s/.*' -l ([a-z-]+) .*/--\1/p }" \
		"$built/docs/completions/goload.fish" >"$tmp/words"
	printf '%s\n' "$options" | diff - "$tmp/words"
}

lint()
{
	for page in "$built"/docs/*.[15]; do
		mandoc -Tlint -Wwarning "$page" || return
	done
}

if have mandoc 'help and man pages say the same'; then
	fact 'the man page of each verb has the options that its help has' \
		each in_manual
	fact 'mandoc has nothing to say of the man pages' lint
fi
fact "bash's completion has the options of each verb" each in_bash
fact "zsh's completion has the options of each verb" each in_zsh
fact "fish's completion has the options of each verb" each in_fish

# in_terminal COMMAND: run by sh in a terminal of 70 columns; what is typed is
# standard input. Leaves $tmp/screen and $tmp/screen.err.
in_terminal()
{
	timeout "$HUNG" script -qec "stty cols 70 rows 200; { $1; } 2>'$tmp/screen.err'" \
		/dev/null >"$tmp/screen.raw"
	tr -d '\r' <"$tmp/screen.raw" >"$tmp/screen"
}

# typed SHELL LINE WORDS: what goload gets when LINE is typed, tabs and all
typed()
{
	printf '%b\nexit\n' "$2" | in_terminal "$1"
	same "$3" "$tmp/typed" && return
	cat -v "$tmp/screen" "$tmp/screen.err"
	return 1
}

mkdir "$tmp/dir"
touch "$tmp/dir/first.run" "$tmp/dir/second.run"
fake="goload() { printf '<%s>' \"\$@\" >'$tmp/typed'; }; cd '$tmp/dir'"
bash_completion=/usr/share/bash-completion/bash_completion
cat >"$tmp/bashrc" <<-RC
	. $bash_completion
	. '$built/docs/completions/goload.bash'
	$fake
RC
mkdir "$tmp/zsh"
cp "$built/docs/completions/goload.zsh" "$tmp/zsh/_goload"
cat >"$tmp/zsh/.zshrc" <<-RC
	fpath=('$tmp/zsh' \$fpath)
	autoload -U compinit && compinit -u -D
	$fake
RC

# Both complete the same.
shells()
{
	fact "$2 completes a verb" \
		typed "$1" 'goload insp\t' '<inspect>'
	fact "$2 completes an option" \
		typed "$1" 'goload report --no-p\t' '<report><--no-pager>'
	fact "$2 completes the value of an option" \
		typed "$1" 'goload report --format=j\t' '<report><--format=json>'
	fact "$2 completes the name of a file" \
		typed "$1" 'goload compare sec\t fir\t' \
		'<compare><second.run><first.run>'
	fact "$2 completes a file that is the value of an option" \
		typed "$1" 'goload -o fir\t x' '<-o><first.run><x>'
	fact "$2 completes a program" \
		typed "$1" 'goload -q setpri\t' '<-q><setpriv>'
	fact "$2 leaves the options behind a program to it" \
		typed "$1" 'goload record -o x ls --quie\t' \
		'<record><-o><x><ls><--quie>'
}
if [ -e $bash_completion ]; then
	shells "bash --rcfile $tmp/bashrc -i" bash
else
	left_out 'bash completes' 'there is no bash-completion'
fi
if have zsh 'zsh completes'; then
	fact "zsh's completion is good zsh" \
		zsh -n "$built/docs/completions/goload.zsh"
	shells "ZDOTDIR=$tmp/zsh zsh -d -i" zsh
fi

fish_completes() # LINE WORDS
{
	fish --no-config -c "cd '$tmp/dir'
		source '$built/docs/completions/goload.fish'
		complete -C '$1'" | cut -f 1 >"$tmp/words"
	printf '%b' "$2" | diff - "$tmp/words"
}
if have fish 'fish completes'; then
	fact "fish's completion is good fish" \
		fish -n "$built/docs/completions/goload.fish"
	fact 'fish completes a verb' fish_completes 'goload insp' 'inspect\n'
	fact 'fish completes an option' \
		fish_completes 'goload report --no-p' '--no-pager\n'
	fact 'fish completes the value of an option' \
		fish_completes 'goload report --format=j' '--format=json\n'
	fact 'fish completes the name of a file' \
		fish_completes 'goload compare x sec' 'second.run\n'
	fact 'fish completes a program' \
		fish_completes 'goload -o x setpri' 'setpriv\n'
	fact 'fish leaves the options behind a program to it' \
		fish_completes 'goload record -o x true --quie' ''
fi

# ---- terminals ------------------------------------------------------------------

run="$tmp/hello.run"
"$GOLOAD" record -q -o "$run" "$hello" >/dev/null
"$GOLOAD" report "$run" >"$tmp/plain"
escape=$(printf '\033')

coloured() # FILE
{
	grep -q "$escape\\[[0-9;]*m" "$1" && return
	head -n 3 "$1"
	return 1
}

plain() # FILE
{
	[ -s "$1" ] && ! grep -q "$escape" "$1" && return
	head -n 3 "$1" | cat -v
	return 1
}

# screen FACT COMMAND: the fact about what COMMAND shows on a terminal
screen()
{
	in_terminal "$2" </dev/null
	"$1" "$tmp/screen"
}

file() # FACT COMMAND...
{
	held=$1
	shift
	"$@" >"$tmp/file" 2>"$tmp/file.err" && "$held" "$tmp/file"
}

report="$GOLOAD report --no-pager $run"
fact 'a report on a terminal has colours' screen coloured "$report"
fact 'none with NO_COLOR' screen plain "NO_COLOR=1 $report"
fact 'an empty NO_COLOR does not count' screen coloured "NO_COLOR= $report"
fact 'none with TERM=dumb' screen plain "TERM=dumb $report"
fact 'none without TERM' screen plain "unset TERM; $report"
fact 'none with --color=never' screen plain "$report --color=never"
fact 'CLICOLOR_FORCE does not undo that' \
	screen plain "CLICOLOR_FORCE=1 $report --color=never"
fact 'a report into a file has none' file plain "$GOLOAD" report "$run"
fact 'but with --color=always' \
	file coloured "$GOLOAD" report --color=always "$run"
fact 'also with NO_COLOR' \
	file coloured env NO_COLOR=1 "$GOLOAD" report --color=always "$run"
fact 'and with CLICOLOR_FORCE' \
	file coloured env CLICOLOR_FORCE=1 "$GOLOAD" report "$run"
fact 'not with CLICOLOR_FORCE=0' \
	file plain env CLICOLOR_FORCE=0 "$GOLOAD" report "$run"
fact 'nor with NO_COLOR as well' \
	file plain env CLICOLOR_FORCE=1 NO_COLOR=1 "$GOLOAD" report "$run"
fact 'comparisons and sites have colours likewise' \
	screen coloured "$GOLOAD compare --no-pager $run $run"
fact 'sites, too' screen coloured "$GOLOAD inspect --no-pager $hello"
fact 'the ledger of a run has colours on a terminal' \
	screen coloured "$GOLOAD $hello 2>&1"
fact 'but into a file' screen plain "$GOLOAD $hello 2>&1 | cat"

# Of the sentences and the table; the headline is as long as the path.
fits() # FILE
{
	[ "$(wc -l <"$1")" -gt 20 ] &&
		! tail -n +2 "$1" | LC_ALL=C.UTF-8 grep -E '^.{71}'
}
fact 'a report is cut to the width of the terminal' \
	screen fits "$report --color=never"

# ---- the pager --------------------------------------------------------------------

# Lines that went through it begin with "P:".
export GOLOAD_PAGER='sed s/^/P:/'

paged()
{
	[ -s "$1" ] && ! grep -v '^P:' "$1"
}

unpaged()
{
	[ -s "$1" ] && ! grep '^P:' "$1"
}

fact 'a report on a terminal goes through GOLOAD_PAGER' \
	screen paged "$GOLOAD report $run"
fact 'it has colours then' screen coloured "$GOLOAD report $run"
fact 'and the width of the terminal' \
	screen fits "GOLOAD_PAGER='cat -' $GOLOAD report --color=never $run"
fact 'a comparison, too' screen paged "$GOLOAD compare $run $run"
fact 'stacks, too' screen paged "$GOLOAD report --why heap $run"
fact 'sites, too' screen paged "$GOLOAD inspect $hello"
fact 'with -o -, too' screen paged "$GOLOAD report -o - $run"
fact 'JSON does not' screen unpaged "$GOLOAD report --format=json $run"
fact 'nor JSON of sites' screen unpaged "$GOLOAD inspect --format json $hello"
fact 'nor with --no-pager' screen unpaged "$GOLOAD report --no-pager $run"
fact 'nor with TERM=dumb' screen unpaged "TERM=dumb $GOLOAD report $run"
mkdir "$tmp/nothing"
fact 'nor with cat for a pager' screen unpaged \
	"PATH=$tmp/nothing GOLOAD_PAGER=cat $GOLOAD report $run"
fact 'nor with an empty one' screen unpaged "GOLOAD_PAGER= $GOLOAD report $run"
fact 'nor what goes into a pipe' screen unpaged "$GOLOAD report $run | cat"
fact 'nor the ledger of a run' screen unpaged "$GOLOAD $hello 2>&1"
fact 'GOLOAD_PAGER comes before PAGER' \
	screen paged "PAGER='sed s/^/X:/' $GOLOAD report $run"
fact 'PAGER is taken without it' screen paged \
	"unset GOLOAD_PAGER; PAGER='sed s/^/P:/' $GOLOAD report $run"

as_git()
{
	in_terminal "GOLOAD_PAGER='echo \$LESS \$LV; cat' $1" </dev/null
	[ "$(head -n 1 "$tmp/screen")" = "$2" ]
}
fact 'less is told what git tells it' as_git "$GOLOAD report $run" 'FRX -c'
fact 'unless LESS is set' as_git "LESS=R $GOLOAD report $run" 'R -c'

direct()
{
	in_terminal "unset GOLOAD_PAGER; PATH=$tmp/nothing $GOLOAD report \
		--color=never $run" </dev/null
	grep -q '^ *unexplained' "$tmp/screen" && [ ! -s "$tmp/screen.err" ]
}
fact 'without less the report is printed all the same' direct

ends() # STATUS COMMAND: in a terminal, with nothing on standard error
{
	in_terminal "$2; echo \$? >$tmp/status" </dev/null
	[ "$(cat "$tmp/status")" = "$1" ] && [ ! -s "$tmp/screen.err" ] &&
		return
	cat "$tmp/status" "$tmp/screen.err"
	return 1
}
fact "the pager's exit status does not count" \
	ends 0 "GOLOAD_PAGER='cat >/dev/null; exit 3' $GOLOAD report $run"
fact 'a pager that ends early is no error' \
	ends 0 "GOLOAD_PAGER=true $GOLOAD report $run"
fact 'nor one that reads a line' \
	ends 0 "GOLOAD_PAGER='head -n 1' $GOLOAD inspect $built/goload"
failing()
{
	in_terminal "$GOLOAD report --why nothing $run; echo \$? >$tmp/status" \
		</dev/null
	[ "$(cat "$tmp/status")" = 125 ] &&
		grep -q '^goload: .* has no row' "$tmp/screen.err"
}
fact "goload's own failure keeps its status" failing
unset GOLOAD_PAGER

quiet_pipe() # one that nobody reads
{
	mkfifo "$tmp/pipe"
	exec 8<>"$tmp/pipe" 9>"$tmp/pipe" 8<&-
	"$tmp/ended" "$HUNG" "$tmp/pipe.end" "$GOLOAD" report "$run" \
		>&9 2>"$tmp/pipe.err"
	exec 9>&-
	[ "$(cat "$tmp/pipe.end")" = 'killed by 13' ] && [ ! -s "$tmp/pipe.err" ]
}
fact 'a pipe that is closed early is no reason to speak' quiet_pipe

# ---- progress ---------------------------------------------------------------------

slowly="strace -qq -f -o /dev/null -P $run -e trace=openat \
	-e inject=openat:delay_enter=1200000"
progress()
{
	grep -q "goload: $run: reading, [0-9]* s" "$tmp/progress"
}
slow_report() # COMMAND: its standard error on the terminal
{
	in_terminal "$slowly $1 2>&1 >$tmp/slow" </dev/null
	mv "$tmp/screen.raw" "$tmp/progress"
	cmp "$tmp/plain" "$tmp/slow"
}
shows()
{
	slow_report "$GOLOAD report $run" && progress &&
		tail -c 4 "$tmp/progress" | od -An -c | grep -q '\\r 033 *\[ *K'
}
silent()
{
	in_terminal "$1" </dev/null
	cat "$tmp/screen.raw" "$tmp/screen.err" >"$tmp/progress"
	! progress
}
if ! have strace 'a report that takes its time shows that' ||
	! $slowly "$GOLOAD" report "$run" >"$tmp/slow" 2>"$tmp/slow.err"; then
	left_out 'a report that takes its time shows that' 'strace cannot run'
else
	fact 'a report that takes its time says so, and wipes that away' shows
	fact 'not into a file' silent "$slowly $GOLOAD report $run"
	fact 'nor with TERM=dumb' \
		silent "TERM=dumb $slowly $GOLOAD report $run 2>&1"
fi

# ---- sizes in bytes -----------------------------------------------------------------

# exact COLUMN: of the row "total", against the JSON report
exact()
{
	"$GOLOAD" report --bytes "$run" | sed -n 's/^  total *//p' | tr -d , |
		tr -s ' ' >"$tmp/total"
	"$GOLOAD" report --format json "$run" |
		jq -r '.totals | "\(.reserved) \(.committed) \(.resident)"' |
		diff - "$tmp/total"
}
fact '--bytes prints the bytes of the JSON report' exact
exact_rows()
{
	"$GOLOAD" report --bytes "$run" | grep -E ' [0-9.,]+ [KMG]iB' |
		grep -E '^  (page summary|heap|text|total)'
}
fact 'and none of the table is rounded' fails exact_rows
exact_difference()
{
	"$GOLOAD" record -q -o "$tmp/other.run" "$SAMPLES/go1.19.8/hello" \
		>/dev/null
	"$GOLOAD" compare --bytes "$run" "$tmp/other.run" |
		sed -nE 's/^  VmSize .* ([-+][0-9,]+|-)$/\1/p' | tr -d ',+' \
		>"$tmp/difference"
	"$GOLOAD" compare --format json "$run" "$tmp/other.run" |
		jq .totals.vm_size.difference | diff - "$tmp/difference"
}
if [ -e "$SAMPLES/go1.19.8/hello" ]; then
	fact 'likewise those of a comparison' exact_difference
else
	left_out 'likewise those of a comparison' 'there is one Go only'
fi

# ---- where goload speaks --------------------------------------------------------------

# said RUN WHAT: goload said only WHAT, and the program what it does
said()
{
	[ "$(cat "$tmp/$1.out")" = 'hello world' ] &&
		[ "$(cat "$tmp/$1.end")" = 'exited 0' ] && same "$2" "$tmp/$1.err"
}

next_command()
{
	file=$1
	run next "$GOLOAD" record -o "$file" "$hello"
	grep '^goload: next: ' "$tmp/next.err" || return
	(
		PATH=$tmp:$PATH
		eval "$(sed 's/^goload: next: //' "$tmp/next.err")"
	) | grep -q 'unexplained   0'
}

log_file()
{
	rm -rf "$tmp/logs"
	run logged "$GOLOAD" --log-file "$tmp/logs/a/%e.%%" "$hello" &&
		said logged '' &&
		grep -q 'unexplained   0' "$tmp/logs/a/hello.%" &&
		plain "$tmp/logs/a/hello.%" || return
	run logged "$GOLOAD" record --log-file "$tmp/logs/a/%e.%%" \
		-o "$tmp/logs/run" "$hello"
	said logged '' && grep -q 'unexplained   0' "$tmp/logs/a/hello.%" &&
		[ "$(tail -n 1 "$tmp/logs/a/hello.%")" = \
			"goload: next: goload report $tmp/logs/run" ] || return
	run logged "$GOLOAD" --log-file "$tmp/logs/b" "$tmp/missing"
	[ "$(cat "$tmp/logged.end")" = 'exited 127' ] &&
		[ ! -s "$tmp/logged.err" ] &&
		grep -q "^goload: $tmp/missing: " "$tmp/logs/b"
}

quiet()
{
	run quiet "$GOLOAD" -q "$hello"
	said quiet '' || return
	run quiet "$GOLOAD" record -q -o "$tmp/quiet.run" "$hello"
	rm -f "$tmp/quiet.run"
	said quiet ''
}

not_inherited() # the program has no descriptor of the log
{
	run fds "$GOLOAD" --log-file "$tmp/fds.log" /bin/ls /proc/self/fd
	run native /bin/ls /proc/self/fd
	rm -f "$tmp/fds.log"
	cmp "$tmp/fds.out" "$tmp/native.out"
}

parents()
{
	rm -rf "$tmp/runs"
	run parents "$GOLOAD" record -q -o "$tmp/runs/a/b/%e" "$hello"
	said parents '' && [ -s "$tmp/runs/a/b/hello" ]
}

# ---- the environment ----------------------------------------------------------------

splits()
{
	rm -rf "$tmp/env"
	run env env GOLOAD_OPTIONS="record" "$GOLOAD" -q "$hello"
	[ "$(cat "$tmp/env.end")" = 'exited 125' ] &&
		grep -q '^goload: GOLOAD_OPTIONS: record: is no option' \
			"$tmp/env.err" || return
	options="  -o'$tmp/env/a b'\\'\"c\\\"d\" --quiet	--color\\=never "
	run env env GOLOAD_OPTIONS="$options" "$GOLOAD" "$hello"
	said env '' && [ -s "$tmp/env/a b'c\"d" ]
}

in_front()
{
	run front env GOLOAD_OPTIONS="-o $tmp/env/one -q" "$GOLOAD" record \
		-o "$tmp/env/two" "$hello"
	said front '' && [ -s "$tmp/env/two" ] && [ ! -e "$tmp/env/one" ]
}

# Options of other verbs are passed over with their values, but not what is
# none.
shared()
{
	options='--bytes --format json --why heap --at=peak --no-pager --color never'
	rm -f "$tmp/shared.run"
	run shared env GOLOAD_OPTIONS="$options -q" "$GOLOAD" record \
		-o "$tmp/shared.run" "$hello"
	said shared '' && [ -s "$tmp/shared.run" ] || return
	rm -f "$tmp/shared.run"
	run shared env GOLOAD_OPTIONS='--format json --metric size --bytes' \
		"$GOLOAD" "$hello"
	grep -qE '^ *total +[0-9,]{7,} ' "$tmp/shared.err" || return
	for options in '--bytes --nonsense' '--why' '--redact=yes'; do
		run shared env GOLOAD_OPTIONS="$options" "$GOLOAD" record \
			-o "$tmp/shared.run" "$hello"
		[ "$(cat "$tmp/shared.end")" = 'exited 125' ] &&
			[ ! -e "$tmp/shared.run" ] &&
			grep -q "^goload: GOLOAD_OPTIONS: --" "$tmp/shared.err" ||
			return
	done
	run shared "$GOLOAD" record --bytes -o "$tmp/shared.run" "$hello"
	[ "$(cat "$tmp/shared.end")" = 'exited 125' ]
}

unclosed()
{
	run unclosed env GOLOAD_OPTIONS="-q 'x" "$GOLOAD" "$hello"
	[ "$(cat "$tmp/unclosed.end")" = 'exited 125' ] &&
		grep -q '^goload: GOLOAD_OPTIONS: a quote is not closed' \
			"$tmp/unclosed.err"
}

same_environment()
{
	run env_native env -i A=1 B= C=3 /usr/bin/env
	run env_goload env -i GOLOAD_OPTIONS=-q A=1 GOLOAD_PAGER=x B= GOLOAD_=y \
		C=3 "$GOLOAD" /usr/bin/env
	alike env_native env_goload
}

every_user() # NAME
{
	fact "the next command is the one to type, as $1" \
		next_command "$tmp/next-$1.run"
	fact "also for a name that a shell would split, as $1" \
		next_command "$tmp/next it's \$1 $1"
	fact "--log-file has all that goload says, as $1" log_file
	fact "the program does not inherit it, as $1" not_inherited
	fact "-q says nothing, as $1" quiet
	fact "directories for the run file are made, as $1" parents
	fact "GOLOAD_OPTIONS is split as a shell does it, as $1" splits
	fact "the command line comes behind it, as $1" in_front
	fact "options of other verbs in it are passed over, as $1" shared
	fact "a quote in it that is not closed is said, as $1" unclosed
	fact "the program's environment is the native one, as $1" \
		same_environment
	rm -rf "$tmp/logs" "$tmp/runs" "$tmp/env"
}
every_user "$(id -un)"
if [ "$(id -u)" = 0 ]; then
	as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	every_user nobody
	as=
fi
others()
{
	GOLOAD_OPTIONS=--nonsense "$GOLOAD" report "$run" >"$tmp/others" &&
		cmp "$tmp/plain" "$tmp/others"
}
fact 'GOLOAD_OPTIONS is for running a program only' others

# ---- go run, go test -------------------------------------------------------------------

mkdir -p "$tmp/module/a" "$tmp/module/b"
cat >"$tmp/module/go.mod" <<-'GO'
	module example.test/module

	go 1.18
GO
cat >"$tmp/module/main.go" <<-'GO'
	package main

	import (
		"fmt"
		"os"
	)

	func main() {
		fmt.Println("ran with", os.Args[1:])
		os.Exit(3)
	}
GO
for package in a b; do
	cat >"$tmp/module/$package/it_test.go" <<-GO
		package $package

		import "testing"

		func TestIt(t *testing.T) {}
	GO
done

go_do()
{
	(
		cd "$tmp/module" &&
			GOCACHE=$SAMPLES/.cache GOFLAGS=-mod=mod GOPROXY=off \
			GOTOOLCHAIN=local GOWORK=off PATH=$tmp:$PATH "$@"
	) >"$tmp/go.out" 2>"$tmp/go.err"
}

go_run() # GO
{
	go_do "$1" run -exec goload . one 'two three'
	grep -qx 'ran with \[one two three\]' "$tmp/go.out" &&
		grep -q 'exit 3; ' "$tmp/go.err" &&
		grep -q 'unexplained   0' "$tmp/go.err" &&
		grep -qx 'exit status 3' "$tmp/go.err" && return
	cat "$tmp/go.out" "$tmp/go.err"
	return 1
}

go_test() # GO
{
	go_do "$1" test -count=1 -v -exec goload ./a ./b &&
		[ "$(grep -c 'unexplained   0' "$tmp/go.out")" = 2 ] && return
	cat "$tmp/go.out" "$tmp/go.err"
	return 1
}

go_record() # GO
{
	rm -rf "$tmp/kept"
	go_do "$1" test -count=1 \
		-exec "goload record -q -o $tmp/kept/runs/%e.%p" ./a ./b &&
		! grep -q goload "$tmp/go.out" &&
		[ "$(ls "$tmp/kept/runs" | grep -cE '^[ab]\.test\.[0-9]+$')" = 2 ] ||
		{
			cat "$tmp/go.out" "$tmp/go.err"
			return 1
		}
	for kept in "$tmp"/kept/runs/*; do
		"$GOLOAD" report --format json "$kept" |
			jq -e '.run.complete and .totals.unexplained == 0' || return
	done
}

for go in go /usr/lib/go/bin/go; do
	command -v "$go" >/dev/null || continue
	version=$("$go" env GOVERSION)
	fact "go run -exec goload, $version" go_run "$go"
	fact "go test -exec goload, $version" go_test "$go"
	fact "go test -exec 'goload record', $version" go_record "$go"
done

# ---- make install ---------------------------------------------------------------------

installed()
{
	(
		unset MAKEFLAGS MFLAGS MAKELEVEL
		cd "$built" && make -s install DESTDIR="$tmp/root" prefix=/usr
	) >"$tmp/install" 2>&1 || {
		cat "$tmp/install"
		return 1
	}
	for file in bin/goload libexec/goload/image share/man/man1/goload.1 \
		share/man/man1/goload-report.1 share/man/man5/goload-format.5 \
		share/bash-completion/completions/goload \
		share/zsh/site-functions/_goload \
		share/fish/vendor_completions.d/goload.fish \
		share/doc/goload/README.md share/doc/goload/index.md \
		share/doc/goload/design.md share/doc/goload/formats.md \
		share/doc/goload/fleet.md share/doc/goload/check.md \
		share/doc/goload/glossary.md share/doc/goload/kinds.md \
		share/doc/goload/loader.md \
		share/doc/goload/page.md; do
		[ -s "$tmp/root/usr/$file" ] || {
			echo "$file is missing"
			return 1
		}
	done
	for verb in $verbs; do
		[ "$verb" = help ] ||
			[ -s "$tmp/root/usr/share/man/man1/goload-$verb.1" ] ||
			return
	done
}
fact 'make install puts everything where it belongs' installed

finish
