#!/bin/sh
# Programs that a verb runs, to look at how they went: their end, their output,
# signals, what drives them; and nothing of them is left.
# shellcheck disable=SC1091,SC2016,SC2154,SC2317
. "$(dirname "$0")/lib.sh"

helper trial_do -static
room
program=$tmp/trial_do
TMPDIR=$room # so that what is left there is seen
export TMPDIR

# ended NAME END [SAID]: with that in a line of standard error
ended()
{
	[ "$(cat "$tmp/$1.end")" = "$2" ] &&
		{ [ -z "${3-}" ] || grep -q "$3" "$tmp/$1.err"; } &&
		nothing_left && return
	cat "$tmp/$1.end" "$tmp/$1.err"
	return 1
}

ends_as_the_program()
{
	run end env --ignore-signal=CHLD "$GOLOAD" inject -q \
		--fail mmap:from=main "$program" map
	ended end 'exited 128' || return
	run end "$GOLOAD" check -q --max-vm 9G "$program" map
	[ "$(cat "$tmp/end.end")" = 'exited 0' ]
}

last_lines()
{
	run much "$GOLOAD" compare "$program" "$program" -- much
	ended much 'exited 125' '^  last$'
}

own_group()
{
	run group "$GOLOAD" compare "$program" "$program" -- group
	[ "$(cat "$tmp/group.end")" = 'exited 0' ] && nothing_left && return
	cat "$tmp/group.err"
	return 1
}

hangs()
{
	run hang "$GOLOAD" inject --explore --patience 1s "$program" hang
	ended hang 'exited 125' 'does not end by itself'
}

# passed_on SIGNAL: to the program, whose end is then goload's
passed_on()
{
	run passed env --default-signal "$GOLOAD" check --max-vm 9G \
		--drive "kill -$1 \$PPID; exec sleep 60" "$program" silent
	[ "$(cat "$tmp/passed.end")" = "killed by $2" ] && nothing_left && return
	cat "$tmp/passed.end" "$tmp/passed.err"
	return 1
}

# Where the program is none of the user's own, goload ends by it, too.
interrupted()
{
	run cut env --default-signal "$GOLOAD" compare --drive 'kill -INT $PPID; exec sleep 60' \
		"$program" "$program" -- silent
	[ "$(cat "$tmp/cut.end")" = 'killed by 2' ] && nothing_left && return
	cat "$tmp/cut.end" "$tmp/cut.err"
	return 1
}

under_nohup()
{
	run kept env --ignore-signal=HUP "$GOLOAD" compare \
		--drive 'kill -HUP $PPID' "$program" "$program" -- silent
	[ "$(cat "$tmp/kept.end")" = 'exited 0' ] && nothing_left && return
	cat "$tmp/kept.end" "$tmp/kept.err"
	return 1
}

options_stay()
{
	GOLOAD_OPTIONS="--metrics-file=$tmp/%p.prom --fail=mmap" \
		run apart "$GOLOAD" compare "$program" "$program" -- map
	[ "$(cat "$tmp/apart.end")" = 'exited 0' ] &&
		[ -z "$(ls "$tmp"/*.prom 2>/dev/null)" ]
}

folders()
{
	run folder "$GOLOAD" inject -q -o "$tmp/new/folder/run" \
		--fail mmap:when=99 "$program"
	[ -s "$tmp/new/folder/run" ] || return
	TMPDIR=$tmp/none run folder "$GOLOAD" compare "$program" "$program"
	ended folder 'exited 125' \
		"^goload: $tmp/none: cannot be written: No such file or dir"
}

# What is left over would not fit.
room_for_a_few()
{
	run few unshare -m sh -c "mount -t tmpfs -o size=256k none '$room' &&
		exec '$GOLOAD' compare --runs 30 '$program' '$program'"
	[ "$(cat "$tmp/few.end")" = 'exited 0' ] && nothing_left && return
	cat "$tmp/few.end" "$tmp/few.err"
	return 1
}

fact 'its end is known, also where SIGCHLD is ignored' ends_as_the_program
fact 'of more output than is kept the last lines are shown' last_lines
fact 'what it sends to its process group is not for goload' own_group
fact 'one that hangs is killed with its children' hangs
fact 'SIGTERM is passed on' passed_on TERM 15
fact 'SIGHUP is passed on' passed_on HUP 1
fact 'Ctrl-C ends all of it' interrupted
fact 'what is ignored is not acted on' under_nohup
fact 'GOLOAD_OPTIONS are for the programs of the user' options_stay
fact 'folders are made for a run, and named when they cannot be' folders
if [ "$(id -u)" = 0 ]; then
	fact 'temporary runs take no room when they have been read' \
		room_for_a_few
else
	left_out 'temporary runs take no room when they have been read' \
		'it takes root'
fi
finish
