#!/bin/sh
# Programs side by side: the rows' differences add up, to the byte, to that of
# each total, in every pair of runs, for the static and the libc-linked server;
# the sums in words come to them too. What a setting saves is what is measured.
#
#   RUNS=20 tests/compare.sh         as many runs of each server
#   VERSIONS='1.21.13 1.24.13' ...   older Gos too, through the module proxy
#
# shellcheck disable=SC1091,SC2016,SC2154,SC2317
. "$(dirname "$0")/lib.sh"

: "${RUNS:=3}" "${VERSIONS:=}"
samples http http.cgo hello
drive="bash '$here/drive.sh' 20"

# PORT, for the next server
next_port()
{
	PORT=$(bash -c '. "$0/serve.sh"; free_port' "$here")
	export PORT
}

# compared NAME ARGUMENT...: leaves $tmp/NAME.json
compared()
{
	name=$1
	shift
	"$GOLOAD" compare --format json "$@" >"$tmp/$name.json"
}

# ---- what must hold --------------------------------------------------------

# What a document breaks, a line each: its two runs that are shown, and each pair
# of runs.
rules='
	def number: gsub(","; "") | tonumber;
	def term: if test("^[0-9,]+ [a-z ]+ x [0-9,]+$")
		then capture("^(?<n>[0-9,]+) [a-z ]+ x (?<u>[0-9,]+)$")
			| (.n | number) * (.u | number)
		else capture(" (?<n>[0-9,]+)$").n | number end;
	def signed: if startswith("- ") then ltrimstr("- ") | -term
		else term end;
	def plain: gsub("\\((?<x>[0-9,]+) \\+ (?<y>[0-9,]+)\\)";
		"\((.x | number) + (.y | number))") | gsub(" - "; " + - ");
	def said: if . == "no difference" then [0, 0] else
		capture("^(?<sign>[-+]?)(?<all>[0-9,]+) (?<unit>KiB|B): (?<rest>.*)$")
		| (if .unit == "KiB" then 1024 else 1 end) as $scale
		| [ (.all | number) * (if .sign == "-" then -1 else 1 end),
		    ([.rest | plain | split(" + ")[] | signed] | add) ]
		| map(. * $scale) end;
	def rows($total): [.ledger[]
		| if $total == "vm_size" then . else .[$total] end];
	def of_total($total): . as $it | .totals[$total] as $t | rows($total) as $rows
		| if all($rows[]; . == null) then
			([$total == "peak_vm_size" and .terms[$total] == null,
			  "its rows are not known"] | [.])
		  else
		  [ [all("a", "b", "difference"; . as $side
			| ([$rows[][$side]] | add) == $t[$side]),
		     "the rows are the total"],
		    [(.terms[$total] | said == [$t.difference, $t.difference]),
		     "the sum in words is the difference"],
		    [all($rows[], $t; .difference == .b - .a),
		     "each difference is one"] ]
		  end
		| map(select(.[0] | not) | "\($total): \(.[1])") | .[];
	def of_pair: . as $it
		| [of_total("vm_size", "committed", "reserved", "resident",
			"peak_vm_size")]
		+ [select([.ledger[] | [.kind, .owner]]
			| length != (unique | length)) | "a row is twice"]
		+ [select([.ledger[] | select(.owner != "goload"
				and .kind != "unexplained") | .difference
				| if . < 0 then -. else . end]
			| . != (sort | reverse))
			| "most difference is not first"]
		+ [select(any("a", "b"; . as $side | $it.totals
			| .target[$side] + .goload[$side] + .unexplained[$side]
			!= .vm_size[$side]))
			| "target, goload and unexplained are not VmSize"];
	of_pair[], (.runs[] | of_pair[]),
	(select(.schema != "goload/1") | "the schema"),
	(select(.runs | length == 0) | "there are no runs")'

# adds_up NAME
adds_up()
{
	broken=$(jq -r "$rules" "$tmp/$1.json" 2>&1) ||
		broken="no comparison: $broken"
	[ -s "$tmp/$1.json" ] || broken="no comparison"
	[ -n "$broken" ] || return 0
	printf '%s\n' "$broken" | sort | uniq -c | head -n 20
	return 1
}

# holds NAME FILTER ARGUMENT...: shows the totals when it does not
holds()
{
	name=$1
	filter=$2
	shift 2
	[ -s "$tmp/$name.json" ] &&
		jq -e "$@" "$filter" "$tmp/$name.json" >"$tmp/held" 2>&1 &&
		return
	cat "$tmp/held"
	jq -c '.sentences, .terms, .totals.vm_size' "$tmp/$name.json"
	return 1
}

# ---- servers -----------------------------------------------------------------

servers()
{
	next_port
	rm -rf "$tmp/kept"
	compared both --runs "$RUNS" --drive "$drive" --keep "$tmp/kept" \
		"$SAMPLES/$go/http" "$SAMPLES/$go/http.cgo" && adds_up both &&
		holds both '.a.linkage == "static" and .b.linkage == "dynamic"
			and .a.go_version == $go and .b.go_version == $go
			and (.runs | length) == $runs and .what_if == null
			and all(.runs[], .; .totals.vm_size.difference > 0)' \
			--arg go "$go" --argjson runs "$RUNS"
}

# Each pair is of the runs that were kept: no row is missing, none is changed.
of_the_reports()
{
	for run in $(seq "$RUNS"); do
		for side in a b; do
			"$GOLOAD" report --format json "$tmp/kept/$side-$run.run" \
				>"$tmp/$side.report" || return
			jq -e --slurpfile report "$tmp/$side.report" \
				--arg side "$side" --argjson run "$((run - 1))" '
				$report[0] as $r | .runs[$run] as $it
				| def sizes: map(select(. > 0)) | sort;
				  ([$it.ledger[][$side]] | sizes) ==
				  ([$r.ledger[] | .reserved + .committed]
				   + [$r.totals.goload, $r.totals.unexplained]
				   | sizes)
				and all("committed", "reserved", "resident";
				  . as $column
				  | ([$it.ledger[][$column][$side]] | sizes) ==
				    ([$r.ledger[][$column]] | sizes))
				and all($it.totals | keys[]; . as $key
				  | $it.totals[$key][$side] == $r.totals[$key])' \
				"$tmp/both.json" >/dev/null && continue
			echo "run $run of $side"
			return 1
		done
	done
}

# The runs that are shown are in the middle, and the spread is that of the runs.
in_the_middle()
{
	holds both '
		def middle: sort | .[(length - 1) / 2 | floor];
		. as $it | all("a", "b"; . as $side
		| [$it.runs[].totals.vm_size[$side]] as $sizes
		| $it.totals.vm_size[$side] == ($sizes | middle)
		and $it.runs[$it[$side].shown].totals.vm_size[$side]
			== ($sizes | middle)
		and $it.distribution.totals.vm_size[$side]
			== {min: ($sizes | min), median: ($sizes | middle),
			    max: ($sizes | max)})
		and (.distribution.totals.vm_size.difference
			| [.min, .median, .max]) ==
			([.runs[].totals.vm_size.difference]
			| [min, middle, max])
		and all(.distribution.rows[]; . as $row
			| [$it.runs[].ledger[] | select(.kind == $row.kind
				and .owner == $row.owner)] as $of
			| all("a", "b"; . as $side
				| ([$of[][$side]] + (if ($of | length) ==
					($it.runs | length) then [] else [0] end))
				| $row[$side].min == min
				and $row[$side].max == max)
			and $row.constant == ($row.a.min == $row.a.max
				and $row.b.min == $row.b.max))'
}

# What a thread brings stands in words as often as it is there.
threads_in_words()
{
	holds both '.ledger as $rows
		| [$rows[] | select(.owner == "libc" and
			(.kind == "malloc arena" or .kind == "thread stack"))
		   | .why] as $why
		| .terms.vm_size | if ($why | length) == 2 and
			all($why[]; test(" x ")) then
			test("[0-9]+ threads? x \\(8,196 \\+ 65,536\\)")
		  else test("thread stack|malloc arena") end'
}

# What stands on the screen is what the document says.
on_the_screen()
{
	"$GOLOAD" compare "$tmp/kept/a-1.run" "$tmp/kept/b-1.run" \
		>"$tmp/screen" && compared one "$tmp/kept/a-1.run" \
		"$tmp/kept/b-1.run" && adds_up one || return
	tr -s ' \n' ' ' <"$tmp/screen" >"$tmp/screen.words"
	jq -r '.sentences[], (.terms[] | select(.))' "$tmp/one.json" |
		while read -r words; do
			grep -qF -- "$words" "$tmp/screen.words" && continue
			echo "not on the screen: $words"
			return 1
		done || return
	said=$(sed -n 's/^ *B has \(.*\) MiB more VmSize than A\.$/\1/p
		s/^  VmSize .* +\([0-9.,]*\) MiB$/\1/p' "$tmp/screen" | tr -d ,)
	[ "$(echo "$said" | wc -l)" = 2 ] || return
	for mib in $said; do
		holds one '.totals.vm_size.difference / 1048576 - $mib
			| . > -0.06 and . < 0.06' --argjson mib "$mib" || return
	done
	grep -qF "$go/http.cgo   $go, dynamic" "$tmp/screen"
}

turned_round()
{
	compared back "$tmp/kept/b-1.run" "$tmp/kept/a-1.run" && adds_up back &&
		holds back '.totals.vm_size.difference ==
			-$forth[0].totals.vm_size.difference' \
			--slurpfile forth "$tmp/one.json"
}

with_itself()
{
	compared same "$tmp/kept/b-1.run" "$tmp/kept/b-1.run" && adds_up same &&
		holds same 'all((.ledger[], .totals[]); .difference == 0)
			and all(.terms[]; . == "no difference" or . == null)'
}

# ---- what if -------------------------------------------------------------------

# The arenas are gone, whole ones, and the sentence has what that came to.
one_arena()
{
	next_port
	compared arena --runs "$RUNS" --drive "$drive" \
		--what-if MALLOC_ARENA_MAX=1 "$SAMPLES/$go/http.cgo" &&
		adds_up arena && holds arena '
		.what_if == "MALLOC_ARENA_MAX=1"
		and all(.runs[], .; [.ledger[] | select(.owner == "libc" and
			.kind == "malloc arena")] | add
			| .b == 0 and .a > 0 and .a % 67108864 == 0)
		and (.totals.vm_size | (.a - .b) / 1048576) as $mib
		| .sentences[0] | test("^MALLOC_ARENA_MAX=1 takes ")
		and (capture("takes (?<mib>[0-9.]+) MiB").mib | tonumber
			- $mib | . > -0.06 and . < 0.06)
		and test(": [0-9]+ x 64 MiB malloc arena")'
}

small_stacks() # a thread's stack is as large as the limit
{
	next_port
	compared stacks --drive "$drive" --what-if 'ulimit -s 1024' \
		"$SAMPLES/$go/http.cgo" && adds_up stacks && holds stacks '
		.what_if == "ulimit -s 1024" and ([.distribution.rows[]
			| select(.kind == "thread stack") | [.a, .b]
			| map(.min)] as [[$a, $b]]
		| .distribution.rows[] | select(.kind == "thread stack").count
		| $a == .a.min * 8196 * 1024 and $b == .b.min * 1028 * 1024)'
}

two_settings()
{
	compared two --what-if GOGC=50 --what-if GODEBUG=gctrace=1 \
		"$SAMPLES/$go/hello" && adds_up two &&
		holds two '(.runs | length) == 3 and .what_if == "GOGC=50, GODEBUG=gctrace=1"
		and (.sentences[0] | startswith("GOGC=50, GODEBUG=gctrace=1 "))'
}

# ---- from one Go to another --------------------------------------------------------

# jumps A B FOLDER: from A's hello to B's
jumps()
{
	compared go "$3/$1/hello" "$3/$2/hello" && adds_up go && holds go '
		def told(words): any(.sentences[]; startswith(words));
		told("page summary: 599,168 KiB (585.1 MiB) in both: ")
		and told("scavenge index: 8 MiB in \($a), 512 MiB in \($b): " +
			"since Go 1.21 ")
		and told("heap metadata: 2,116 KiB (2.1 MiB) in \($a), ")
		and ([.ledger[] | select(.kind == "scavenge index").difference]
			== [504 * 1048576])' --arg a "$1" --arg b "$2"
}

scratch() # A B: of crypto, in a server
{
	compared go "$tmp/kept.$1/a-1.run" "$tmp/kept.$2/a-1.run" &&
		adds_up go && holds go 'any(.sentences[];
			startswith("bss: 32 MiB of it may be ")) and
			any(.ledger[]; .kind == "bss" and
				.difference > 33000000)'
}

no_jump() # between two builds of one Go
{
	compared go "$SAMPLES/$go/hello" "$SAMPLES/$go/hello.stripped" &&
		adds_up go && holds go '.sentences | length == 1'
}

# ---- formats ------------------------------------------------------------------------

# Text of others does nothing in a page, in markdown and on a terminal.
odd_name="<i>&\`*|_$(printf '\033[2J')"
escaped()
{
	cp "$SAMPLES/$go/hello" "$tmp/$odd_name" || return
	for format in html markdown text; do
		"$GOLOAD" compare --format $format -o "$tmp/escaped.$format" \
			"$tmp/$odd_name" "$SAMPLES/$go/hello" || return
		! grep -q "$(printf '\033')" "$tmp/escaped.$format" || return
		[ $format = text ] ||
			! grep -qF '<i>&' "$tmp/escaped.$format" || return
	done
	grep -qF '&#60;i&#62;&#38;`*|_?[2J' "$tmp/escaped.html" &&
		grep -qF '&#60;i&#62;&#38;&#96;&#42;&#124;&#95;?&#91;2J' \
			"$tmp/escaped.markdown"
}

# The page has all rows of the ledger, for each total of which they are known,
# and asks nobody.
page()
{
	"$GOLOAD" compare --format html "$tmp/kept/a-1.run" \
		"$tmp/kept/b-1.run" -o "$tmp/page.html" || return
	jq -r '.terms | to_entries[] | select(.value).key' "$tmp/one.json" |
		while read -r total; do
			rows=$(sed -n "/panel panel-$total\"/,/<.section>/p" \
				"$tmp/page.html" | grep -c '<tr data-row=')
			[ "$rows" = "$(jq --arg total "$total" '[.ledger[]
				| if $total == "vm_size" then . else .[$total] end
				| select(.a > 0 or .b > 0)] | length' \
				"$tmp/one.json")" ] && continue
			echo "$total has $rows rows"
			return 1
		done &&
		grep -q "default-src 'none'" "$tmp/page.html" &&
		! grep -qE '(src|href)=|https?:|url\(' "$tmp/page.html"
}

# A table of a pull request: each row of it has as many cells as its head.
table()
{
	"$GOLOAD" compare --format markdown "$tmp/kept/a-1.run" \
		"$tmp/kept/b-1.run" >"$tmp/table.md" &&
		awk -F'|' '/^\|---/ { wanted = NF } /^\|/ && wanted && NF != wanted {
			print; bad = 1 } !/^\|/ { wanted = 0 }
			/^\| \*\*VmSize\*\*/ { seen = 1 }
			END { exit bad || !seen }' "$tmp/table.md"
}

# ---- programs and run files ----------------------------------------------------------

mixed() # a run file beside a program that is run three times
{
	"$GOLOAD" record -q -o "$tmp/hello.run" "$SAMPLES/$go/hello" \
		>"$tmp/hello.out" &&
		compared mixed --runs 3 "$tmp/hello.run" "$SAMPLES/$go/hello" &&
		adds_up mixed && holds mixed '[.a.runs, .b.runs,
			(.runs | length)] == [1, 3, 3]'
}

arguments() # what is behind -- is for both
{
	compared words /bin/sh sh -- -c 'test "$0 $1" = "a b c"' a 'b c' &&
		adds_up words
}

# before_it_runs SAID OPTION...: so it is refused, and no program has run
before_it_runs()
{
	said=$1
	shift
	rm -f "$tmp/ran"
	refuses 125 "$said" --runs 2 "$@" sh sh -- -c ": >'$tmp/ran'" &&
		[ ! -e "$tmp/ran" ]
}

keeps() # what is there already stays
{
	mkdir -p "$tmp/there"
	echo mine >"$tmp/there/b-2.run"
	before_it_runs "$tmp/there/b-2.run: exists already: remove it, or choose another name" \
		--keep "$tmp/there" && [ "$(cat "$tmp/there/b-2.run")" = mine ]
}

# As far as it goes: what is there adds up.
cut_short()
{
	head -c 4096 "$one" >"$tmp/cut.run"
	compared cut "$tmp/cut.run" "$one" 2>/dev/null && adds_up cut &&
		holds cut '.sentences[0] | startswith("A is cut short: ")'
}

full_disk()
{
	cramped "$GOLOAD" compare "$hello" "$hello" >"$tmp/full.out" \
		2>"$tmp/full.err"
	[ $? = 125 ] && [ ! -s "$tmp/full.out" ] && grep -qxF \
		"goload: $hello: its run is not whole, run 1 of 1 of A" \
		"$tmp/full.err" && grep -q 'No space left' "$tmp/full.err" &&
		return
	cat "$tmp/full.err"
	return 1
}

# ---- controls and errors ---------------------------------------------------------------

breaks()
{
	cp "$tmp/one.json" "$tmp/good.json"
	adds_up good || return
	for edit in '.ledger[0].difference += 1' '.ledger[0].a += 4096' \
		'.runs[0].ledger[1].b -= 4096' 'del(.ledger[0])' \
		'.ledger += [.ledger[0]]' '.ledger |= reverse' \
		'.totals.reserved.a += 1' '.runs[0].ledger[0].reserved.b += 1' \
		'.ledger[2].committed.difference -= 1' \
		'.terms.vm_size |= sub("libc.so.6 "; "libc.so.6 9")' \
		'.terms.vm_size |= sub("^\\+"; "+9")' \
		'.runs[0].terms.vm_size |= sub("libc.so.6 [0-9]+"; "libc.so.6 ")' \
		'.terms.reserved |= sub("^\\+"; "-")' \
		'.terms.committed = null' '.ledger[0].resident = null' \
		'.totals.goload.a += 1' \
		'.schema = "goload/2"' 'del(.totals)' '.runs = []' empty; do
		jq "$edit" "$tmp/good.json" >"$tmp/edited.json"
		fails adds_up edited && continue
		echo "adds up all the same: $edit"
		return 1
	done
}

# refuses STATUS SAID ARGUMENT...: one line, and nothing else
refuses()
{
	status=$1
	said=$2
	shift 2
	run refused "$GOLOAD" compare "$@"
	[ "$(head -n 1 "$tmp/refused.err")" = "goload: $said" ] &&
		[ "$(cat "$tmp/refused.end")" = "exited $status" ] &&
		[ ! -s "$tmp/refused.out" ] && return
	cat "$tmp/refused.err" "$tmp/refused.end"
	return 1
}

# ---------------------------------------------------------------------------------------

gos=$(cd "$SAMPLES" && find go1* -maxdepth 0 | sort -V)
for go in $gos; do
	fact "$go: the static and the libc-linked server, $RUNS runs: rows and words add up" \
		servers
	fact "$go: they are the rows of the runs' reports" of_the_reports
	fact "$go: what is shown is in the middle, what varies is that of the runs" \
		in_the_middle
	fact "$go: stacks and arenas are counted in words" threads_in_words
	fact "$go: the screen says what the document says" on_the_screen
	fact "$go: turned round, so do the signs" turned_round
	fact "$go: a run has no difference from itself" with_itself
	fact "$go: MALLOC_ARENA_MAX=1 takes whole arenas away, and that is said" \
		one_arena
	fact "$go: a limit for stacks is seen in the threads' stacks" small_stacks
	fact "$go: two settings are tried together" two_settings
	fact "$go: two builds of one Go have no jump to tell" no_jump
	fact "$go: the page has the rows of each total, and no address" page
	fact "$go: markdown is whole tables" table
	mv "$tmp/kept" "$tmp/kept.$go"
done
old=$(echo "$gos" | head -n 1)
new=$(echo "$gos" | tail -n 1)
case $old-$new in
go1.19.*-go1.2[2-9]*)
	fact "from $old to $new: each jump has its reason" \
		jumps "$old" "$new" "$SAMPLES"
	;;
*)
	left_out "from $old to $new: each jump has its reason" \
		"Go 1.19 and 1.22 or later are needed"
	;;
esac
case $old-$new in
go1.19.*-go1.2[6-9]*)
	fact "from $old to $new: so has what crypto brings" \
		scratch "$old" "$new"
	;;
esac
: >"$tmp/missing"
if [ -n "$VERSIONS" ]; then
	GOS=$(toolchains $VERSIONS) "$here/../samples/build.sh" "$SAMPLES/all" hello \
		>"$tmp/build" 2>&1 || {
		cat "$tmp/build"
		exit 1
	}
	for version in $VERSIONS; do
		[ -x "$SAMPLES/all/go$version/hello" ] || continue
		rm -rf "$tmp/pair"
		mkdir "$tmp/pair"
		ln -s "$SAMPLES/$old" "$tmp/pair/$old"
		ln -s "$SAMPLES/all/go$version" "$tmp/pair/go$version"
		fact "from $old to go$version: each jump has its reason" \
			jumps "$old" "go$version" "$tmp/pair"
	done
	while read -r version why; do
		left_out "from $old to go$version: each jump has its reason" \
			"$why"
	done <"$tmp/missing"
fi
fact "control: a comparison that breaks a rule does not add up" breaks

fact "a name with markup in it is text, in each format" escaped
fact "a run file beside a program" mixed
fact "arguments are for both programs" arguments

echo no run >"$tmp/none"
: >"$tmp/empty"
hello=$SAMPLES/$go/hello
one=$tmp/kept.$go/a-1.run
fact "a run file that is cut short is compared, which is said first" cut_short
if cramped true; then
	fact "on a full disk nothing is compared" full_disk
else
	left_out "on a full disk nothing is compared" "nothing can be mounted"
fi
fact "a run file that is there is not overwritten, and nothing runs" keeps
fact "nor is a run file to be the output" before_it_runs \
	"$tmp/new/./a-2.run: is a run file of --keep" \
	--keep "$tmp/new" -o "$tmp/new/./a-2.run"
fact "runs are kept in no file" before_it_runs \
	"$tmp/none: is no directory" --keep "$tmp/none"
fact "an output that cannot be written is told before anything runs" \
	before_it_runs "$tmp/gone/x: cannot be written: No such file or directory" \
	-o "$tmp/gone/x"
fact "so is one that is a directory" before_it_runs \
	"$tmp/there: cannot be written: Is a directory" -o "$tmp/there"
fact "a file that is neither a run nor a program is refused" refuses 125 \
	"$tmp/none: is neither a run file nor a program" "$one" "$tmp/none"
chmod 755 "$tmp/empty"
fact "an empty file is refused" refuses 125 \
	"$tmp/empty: is neither a run file nor a program" "$tmp/empty" "$one"
fact "a directory is refused" refuses 125 \
	"$tmp: is neither a run file nor a program" "$tmp" "$one"
fact "a missing file is refused" refuses 127 \
	"$tmp/gone: cannot be found: No such file or directory" \
	"$one" "$tmp/gone"
fact "a program that is not in PATH is refused" refuses 127 \
	"no-such-program: not found in PATH" "$one" no-such-program
fact "one file is refused" refuses 125 \
	"two programs or run files are compared" "$one"
fact "three files are refused" refuses 125 \
	"$tmp/none: two programs or run files are compared" \
	"$one" "$one" "$tmp/none"
fact "arguments of run files are refused" refuses 125 \
	"-x: is for a program, and both are run files" "$one" "$one" -- -x
fact "runs of run files are refused" refuses 125 \
	"both are run files: nothing is run" --runs 2 "$one" "$one"
fact "a number of runs that is none is refused" refuses 125 \
	"--runs: takes a number from 1 to 1000" --runs 0 "$hello" "$hello"
fact "a setting that is none is refused" refuses 125 \
	"GOGC: is no setting: VAR=VALUE, or 'ulimit -s KIB'" \
	--what-if GOGC "$hello"
fact "a limit that is none is refused" refuses 125 \
	"ulimit -s 10x: is no limit: 'ulimit -s 1024', -v or -d" \
	--what-if 'ulimit -s 10x' "$hello"
fact "--what-if of two programs is refused" refuses 125 \
	"$hello: --what-if is about one program" \
	--what-if A=1 "$hello" "$hello"
fact "--what-if of a run file is refused" refuses 125 \
	"$one: is a run file: --what-if runs a program" --what-if A=1 "$one"
fact "a program that fails is not compared" refuses 125 \
	"false: exited with 1, in run 1 of 2 of B" --runs 2 "$one" false
fact "nor one whose --drive fails" refuses 125 \
	"sleep: the command of --drive failed, in run 1 of 1 of B" \
	--drive false "$one" sleep -- 60
finish
