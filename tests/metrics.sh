#!/bin/sh
# --metrics-file: the gauges of a run, for the textfile collector of
# node_exporter. They are the JSON report's; many files go together; and a file
# that cannot be written is no matter to the program. What docs/fleet.md says of
# tables is what lines of JSON have.
# shellcheck disable=SC1091,SC2016,SC2034,SC2154,SC2317
. "$(dirname "$0")/lib.sh"

samples hello
PATH=$PATH:$SAMPLES/.. # promtool may be there
hello=$SAMPLES/go/hello
helper page_names
chmod 755 "$tmp/page_names"
dir=$tmp/textfiles
mkdir -m 777 "$dir"

# measured NAME OPTION... -- COMMAND...: the run and its gauges, $dir/NAME.prom
measured()
{
	measured=$1
	shift
	recorded "$measured" --metrics-file "$dir/$measured.prom" "$@"
}

same() # WANTED GOT
{
	[ -s "$tmp/$1" ] && diff "$tmp/$1" "$tmp/$2"
}

# ---- what they say --------------------------------------------------------------

# gauge NAME METRIC: its only value
gauge()
{
	sed -n "s/^$2{[^}]*} \(.*\)/\1/p" "$dir/$1.prom"
}

totals() # NAME
{
	jq -r '.totals as $t
		| ("reserved", "committed", "resident") | "\(.) \($t[.])"' \
		"$tmp/$1.json" | sort >"$tmp/wanted"
	sed -n 's/^goload_memory_bytes{.*,state="\(.*\)"} \(.*\)/\1 \2/p' \
		"$dir/$1.prom" | awk '{ sum[$1] += $2 }
		END { for (state in sum) printf "%s %d\n", state, sum[state] }' |
		sort >"$tmp/got"
	same wanted got || return
	jq -r '[.totals.vm_size, .totals.peak_vm_size, .totals.goload,
		.totals.unexplained, .totals.phantom, .totals.mappings,
		.events.count, .events.lost, .exit.status] | join(" ")' \
		"$tmp/$1.json" >"$tmp/wanted"
	{
		for metric in vm_size vm_size_peak own unexplained phantom; do
			gauge "$1" "goload_${metric}_bytes"
		done
		gauge "$1" goload_mappings | awk '{ n += $1 } END { print n }'
		gauge "$1" goload_events | awk '{ n += $1 } END { print n }'
		gauge "$1" goload_events_lost
		gauge "$1" goload_run_exit_status
	} | paste -sd ' ' >"$tmp/got"
	same wanted got
}

# Of the rows that have a name in common with other runs.
rows() # NAME
{
	jq -r '.ledger[] | select(.owner != "libc" and .owner != "library")
		| "\(.kind)|\(.owner)|\(.reserved)|\(.committed)|\(.resident)"' \
		"$tmp/$1.json" | sort >"$tmp/wanted"
	sed -nE 's/^goload_memory_bytes\{.*,kind="([^"]*)",owner="([^"]*)",state="([^"]*)"\} (.*)/\1|\2|\4/p' \
		"$dir/$1.prom" | awk -F '|' '
		$1 "|" $2 != row { if (row) print line; line = row = $1 "|" $2 }
		{ line = line "|" $3 }
		END { print line }' | grep -v -e '|libc|' -e '|library|' |
		sort >"$tmp/got"
	same wanted got
}

about() # NAME
{
	jq -r '"program=\"hello\",run=\"'"$1"'\",linkage=\"\(.program.linkage
		)\",go_version=\"\(.program.go_version
		)\",build_id=\"\(.program.build_id)\""' \
		"$tmp/$1.json" >"$tmp/wanted"
	sed -n 's/^goload_run_info{\(.*\)} 1$/\1/p' "$dir/$1.prom" >"$tmp/got"
	same wanted got
}

measured hello -- "$hello"
fact 'the gauges have the totals of the report' totals hello
fact 'and its rows' rows hello
fact 'the program, its linkage, Go version and build ID are told' about hello
for go in "$SAMPLES"/go1*; do
	name=${go##*/}
	[ "$name" != "$(readlink "$SAMPLES/go")" ] || continue
	measured "$name" -- "$go/hello.stripped"
	fact "$name, stripped: likewise" totals "$name"
done

# ---- bounded labels ---------------------------------------------------------------

bounded() # NAME
{
	for kind in 'file ' lib secretname; do
		jq -r '.ledger[].kind' "$tmp/$1.json" | grep -q "^$kind" &&
			continue
		echo "the report has no '$kind'"
		return 1
	done
	grep -E '="[^"]*(lib.*\.so|/|secret|of-a-user|0x[0-9a-f])' \
		"$dir/$1.prom" && return 1
	for kind in 'shared library' 'file mapping' 'named mapping'; do
		grep -q "kind=\"$kind\"" "$dir/$1.prom" && continue
		echo "no $kind"
		return 1
	done
}
echo >"$tmp/file-of-a-user"
measured names -- "$tmp/page_names" "$tmp/file-of-a-user"
fact 'libraries, files and names of a program are kinds that any run may have' \
	bounded names
fact 'and they add up all the same' totals names

# ---- what the collector takes -------------------------------------------------------

# Prometheus' own text: no unit, end or time; each family together.
plain() # FILE
{
	awk '
		/^# TYPE / {
			if (seen[$3]++) print "twice: " $3
			family = $3
			next
		}
		/^# HELP / && $3 == family { next }
		/^#/ { print "comment: " $0 }
		!/^goload_[a-z_]*\{([a-z_]*="([^"\\]|\\.)*",?)*\} [0-9.]+$/ {
			print "no sample: " $0
		}
		$0 !~ ("^" family "\\{") { print "of another family: " $0 }' \
		"$1" >"$tmp/got"
	cat "$tmp/got"
	[ ! -s "$tmp/got" ] && [ -s "$1" ] && [ "$(tail -c 1 "$1")" = '' ]
}

all_plain()
{
	for file in "$dir"/*.prom; do
		plain "$file" || return
	done
}

# What stands in two files must not differ in its words, nor be the same sample.
together()
{
	[ "$(find "$dir" -name '*.prom' | wc -l)" -gt 2 ] || return
	cat "$dir"/*.prom | grep '^# ' | sort -u |
		awk '{ print $2, $3 }' | sort | uniq -d >"$tmp/got"
	cat "$dir"/*.prom | sed -n 's/^\(goload_.*}\) .*/\1/p' | sort |
		uniq -d >>"$tmp/got"
	cat "$tmp/got"
	[ ! -s "$tmp/got" ]
}

accepted() # FILE: by promtool, without a word
{
	promtool check metrics <"$1" >"$tmp/got" 2>&1 && [ ! -s "$tmp/got" ] &&
		return
	cat "$tmp/got"
	return 1
}

all_accepted()
{
	for file in "$dir"/*.prom; do
		accepted "$file" || return
	done
}

fact 'a file is in the text that Prometheus reads' all_plain
fact 'many files go together: other samples, and the same words for them' \
	together
sed 's/} 1$/} 1 1700000000/' "$dir/hello.prom" >"$tmp/edited"
fact 'control: a sample with a time' fails plain "$tmp/edited"
cp "$dir/hello.prom" "$dir/twice.prom"
fact 'control: two files with the same samples' fails together
rm "$dir/twice.prom"
if command -v promtool >/dev/null; then
	fact 'promtool has nothing to say' all_accepted
	sed '/^# HELP goload_events /d' "$dir/hello.prom" >"$tmp/edited"
	fact 'control: promtool sees a gauge without help' \
		fails accepted "$tmp/edited"
else
	left_out 'promtool has nothing to say' 'promtool is missing'
fi

# ---- the file -----------------------------------------------------------------------

# Who has the old one open sees all of it: the new one has only its name.
replaced()
{
	echo old >"$dir/again.prom"
	exec 3<"$dir/again.prom"
	"$GOLOAD" -q --metrics-file "$dir/again.prom" "$hello" >"$tmp/out" || return
	[ "$(cat <&3)" = old ] && plain "$dir/again.prom"
}

readable()
{
	rm -f "$dir/mode.prom"
	(umask 077 && "$GOLOAD" -q --metrics-file "$dir/mode.prom" "$hello") \
		>"$tmp/out" || return
	mode=$(stat -c %a "$dir/mode.prom")
	[ "$mode" = 644 ] || echo "$mode"
	[ "$mode" = 644 ]
}

# Eight writers, one file.
crowded()
{
	writers=
	for _ in 1 2 3 4 5 6 7 8; do
		"$GOLOAD" -q --metrics-file "$dir/crowd.prom" "$hello" \
			>"$tmp/out" 2>&1 &
		writers="$writers $!"
	done
	for writer in $writers; do
		wait "$writer" || return
	done
	plain "$dir/crowd.prom"
}

nothing_else()
{
	# shellcheck disable=SC2010
	ls -A "$dir" | grep -v '\.prom$' && return 1
	return 0
}

# The file is where goload was, whatever the program does.
relative()
{
	(cd "$dir" && "$GOLOAD" -q --metrics-file here.%e%%.prom \
		sh -c 'cd /; :') && plain "$dir/here.sh%.prom" &&
		grep -q '{program="sh",run="here.sh%",' "$dir/here.sh%.prom"
}

# As long as a name may be.
long_name()
{
	long=$(printf '%0250d' 0).prom
	"$GOLOAD" -q --metrics-file "$dir/$long" "$hello" >"$tmp/out" &&
		plain "$dir/$long" &&
		(cd "$dir" && rm "$long" && "$GOLOAD" -q --metrics-file "$long" \
			"$hello" >"$tmp/out" && plain "$long")
}

# With the ledger, and from GOLOAD_OPTIONS.
beside_ledger()
{
	GOLOAD_OPTIONS="--metrics-file='$dir/%e of options.prom'" \
		"$GOLOAD" "$hello" >"$tmp/out" 2>"$tmp/err" &&
		grep -q '^  unexplained   0' "$tmp/err" &&
		grep -q '^goload_vm_size_bytes' "$dir/hello of options.prom"
}

killed()
{
	run killed "$GOLOAD" -q --metrics-file "$dir/killed.prom" \
		sh -c 'kill -TERM $$'
	[ "$(cat "$tmp/killed.end")" = 'killed by 15' ] &&
		[ "$(gauge killed goload_run_signal)" = 15 ] &&
		[ -z "$(gauge killed goload_run_exit_status)" ] &&
		[ "$(gauge killed goload_run_complete)" = 1 ]
}

failing()
{
	run failing "$GOLOAD" -q --metrics-file "$dir/failing.prom" sh -c 'exit 7'
	[ "$(cat "$tmp/failing.end")" = 'exited 7' ] &&
		[ "$(gauge failing goload_run_exit_status)" = 7 ] &&
		[ "$(gauge failing goload_run_signal)" = 0 ]
}

fact 'the file takes the place of the one before when it is whole' replaced
fact 'others may read it, whatever the umask' readable
fact 'eight at once write one whole file' crowded
fact 'percent signs in its name, and a program that goes elsewhere' relative
fact 'its name may have 255 bytes' long_name
fact 'the ledger is printed all the same' beside_ledger
fact 'a signal that kills the program is told' killed
fact 'so is its exit status' failing
fact 'nothing else is left in the directory' nothing_else

# ---- children -------------------------------------------------------------------------

followed()
{
	"$GOLOAD" -q --follow --metrics-file "$dir/all.prom" \
		sh -c "'$hello'; '$SAMPLES/c-glibc-static/hello' | cat; :" \
		>"$tmp/out" || return
	for name in all all.hello all.cat; do
		plain "$dir/$name.prom" &&
			grep -q "run=\"$name\"" "$dir/$name.prom" && continue
		echo "$name"
		return 1
	done
}

followed_by_name()
{
	"$GOLOAD" -q --follow --metrics-file "$dir/by-%e.prom" \
		sh -c "'$hello'; :" >"$tmp/out" || return
	plain "$dir/by-sh.prom" && plain "$dir/by-hello.prom" &&
		[ ! -e "$dir/by-hello.hello.prom" ]
}

fact 'with --follow each program has a file of its own' followed
fact 'which the name may say' followed_by_name
fact 'all of these go together, too' together

# ---- what cannot be written -------------------------------------------------------------

# unwritten FILE WHAT COMMAND...: one line about FILE, the program is as ever
unwritten()
{
	file=$1
	what=$2
	shift 2
	run unwritten "$@"
	[ "$(cat "$tmp/unwritten.end")" = 'exited 0' ] &&
		[ "$(cat "$tmp/unwritten.out")" = 'hello world' ] &&
		printf 'goload: %s: %s\n' "$file" "$what" |
		diff - "$tmp/unwritten.err" && return
	cat "$tmp/unwritten.end" "$tmp/unwritten.out"
	return 1
}

no_directory()
{
	unwritten "$tmp/missing/x.prom" \
		'cannot be written: No such file or directory' \
		"$GOLOAD" -q --metrics-file "$tmp/missing/x.prom" "$hello"
}

# As a device would be, which root could take away.
a_pipe()
{
	mkfifo "$tmp/pipe" &&
		unwritten "$tmp/pipe" 'is no regular file: no metrics written' \
			"$GOLOAD" -q --metrics-file "$tmp/pipe" "$hello" &&
		[ -p "$tmp/pipe" ]
}

a_link()
{
	ln -s target "$dir/link.prom"
	unwritten "$dir/link.prom" 'is no regular file: no metrics written' \
		"$GOLOAD" -q --metrics-file "$dir/link.prom" "$hello" &&
		[ "$(readlink "$dir/link.prom")" = target ] &&
		[ ! -e "$dir/target" ]
	status=$?
	rm "$dir/link.prom"
	return $status
}

a_directory()
{
	unwritten "$dir" 'is no regular file: no metrics written' \
		"$GOLOAD" -q --metrics-file "$dir" "$hello"
}

not_allowed()
{
	mkdir -m 755 "$tmp/closed"
	cp "$GOLOAD" "$hello" "$tmp/"
	as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	unwritten "$tmp/closed/x.prom" 'cannot be written: Permission denied' \
		"$tmp/goload" -q --metrics-file "$tmp/closed/x.prom" "$tmp/hello"
	status=$?
	as=
	return $status
}

another_user()
{
	as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	run user "$tmp/goload" -q --metrics-file "$dir/user.prom" "$tmp/hello"
	as=
	[ ! -s "$tmp/user.err" ] && plain "$dir/user.prom"
}

disk_full()
{
	mkdir -p "$tmp/small" && unshare -m sh -c "
		mount -t tmpfs -o size=4k none '$tmp/small' || exit 77
		'$GOLOAD' -q --metrics-file '$tmp/small/x.prom' '$hello' \
			>'$tmp/full.out' 2>'$tmp/full.err'
		echo \"exited \$?\" >'$tmp/full.end'
		ls -A '$tmp/small' >'$tmp/full.ls'" &&
		[ "$(cat "$tmp/full.end" "$tmp/full.out" "$tmp/full.ls")" = \
			'exited 0
hello world' ] && [ "$(cat "$tmp/full.err")" = \
		"goload: $tmp/small/x.prom: cannot be written: No space left on device" ] &&
		return
	cat "$tmp"/full.*
	return 1
}

# used FILE COMMAND...: nothing is run, FILE is as it was
used()
{
	file=$1
	shift
	run used "$@"
	[ "$(cat "$tmp/used.end")" = 'exited 125' ] &&
		echo "goload: $file: is a file that is used" |
		diff - "$tmp/used.err" && [ ! -s "$tmp/used.out" ] && return
	cat "$tmp/used.end" "$tmp/used.out"
	return 1
}

run_file()
{
	used "$tmp/same" "$GOLOAD" record -q -o "$tmp/same" \
		--metrics-file "$tmp/same" "$hello" && [ ! -e "$tmp/same" ]
}

program_file()
{
	cp "$hello" "$tmp/self"
	used "$tmp/self" "$GOLOAD" -q --metrics-file "$tmp/self" "$tmp/self" &&
		cmp "$tmp/self" "$hello"
}

log_file()
{
	"$GOLOAD" -q --log-file "$tmp/log" --metrics-file "$tmp/log" "$hello" \
		>"$tmp/out"
	[ $? = 125 ] && [ ! -s "$tmp/out" ] &&
		grep -qx "goload: $tmp/log: is a file that is used" "$tmp/log"
}

standard_output()
{
	# shellcheck disable=SC2094
	"$GOLOAD" -q --metrics-file "$tmp/out" "$hello" >"$tmp/out" 2>"$tmp/err"
	[ $? = 125 ] && [ -e "$tmp/out" ] && [ ! -s "$tmp/out" ] &&
		grep -qx "goload: $tmp/out: is a file that is used" "$tmp/err"
}

misused() # PATTERN
{
	"$GOLOAD" --metrics-file "$1" -q -o "$tmp/misused.run" "$hello" \
		>"$tmp/out" 2>"$tmp/err"
	[ $? = 125 ] && [ ! -s "$tmp/out" ] && [ ! -e "$tmp/misused.run" ] &&
		grep -q '^goload: --metrics-file: knows ' "$tmp/err"
}

fact 'a directory that is missing: one line, and the program is as ever' \
	no_directory
fact 'a pipe, which stays one' a_pipe
fact 'a link, which stays one' a_link
fact 'a directory' a_directory
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	fact 'a directory that is not ours' not_allowed
	fact 'another user, who may' another_user
else
	left_out 'a directory that is not ours' 'it takes root and setpriv'
fi
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	fact 'a disk that is full: nothing half is left there' disk_full
else
	left_out 'a disk that is full' 'it takes root and unshare'
fi
fact 'the run file itself: refused, nothing is run' run_file
fact 'so is the program' program_file
fact 'and the log file' log_file
fact 'and what standard output goes to' standard_output
fact 'a name that cannot be made up is misuse: nothing is run' \
	misused "$dir/%x.prom"

# ---- tables of many runs ------------------------------------------------------------------

# The columns of a CREATE TABLE in docs/fleet.md, a name a line.
columns() # TABLE
{
	awk -v table="$1" '
		$0 ~ ("CREATE TABLE " table " ") { inside = 1; next }
		inside && /^ *\)/ { exit }
		inside { sub(/^ */, ""); sub(/ .*/, ""); print }' \
		"$here/../docs/fleet.md" | sort
}

columns_are() # TABLE TYPE
{
	columns "$1" >"$tmp/wanted"
	"$GOLOAD" export --format jsonl "$tmp/hello.run" |
		jq -r "select(.type == \"$2\") | keys[]" | grep -vx type |
		sort -u >"$tmp/got"
	same wanted got
}

fact 'docs/fleet.md: the table of runs has what lines of JSON have' \
	columns_are goload_runs run
fact 'so has that of rows' columns_are goload_rows row
finish
