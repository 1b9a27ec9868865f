#!/bin/sh
# Exports, read by the programs that they are for (go tool pprof, protoc,
# sqlite3, promtool, jq): what they read is the ledger, to the byte and row by
# row.
. "$(dirname "$0")/lib.sh"

formats='pprof perfetto folded jsonl sqlite openmetrics'
proto=$here/../observer/report/export
samples hello http.cgo bigheap
PATH=$PATH:$SAMPLES/.. # promtool may be there
PPROF_TMPDIR=$tmp
[ -w "${HOME-/nowhere}" ] || export GOCACHE="${GOCACHE-$tmp/cache}" HOME="$tmp"
export PPROF_TMPDIR

# exports NAME: $tmp/NAME.run in each format, as $tmp/NAME.FORMAT, and as rows of
# the report: $tmp/NAME.rows
exports()
{
	for format in $formats; do
		"$GOLOAD" export --format $format -o "$tmp/$1.$format" \
			"$tmp/$1.run" >"$tmp/said" 2>&1 &&
			[ ! -s "$tmp/said" ] || {
			echo "$format:"
			cat "$tmp/said"
			return 1
		}
	done
	jq -r '.ledger[] | [.kind, .owner, .mappings, .reserved, .committed,
		.resident] | join("|")' "$tmp/$1.json" | sort >"$tmp/$1.rows"
	[ -s "$tmp/$1.rows" ]
}

# same WANTED GOT: two sorted lists, neither of them empty
same()
{
	[ -s "$tmp/$1" ] && diff "$tmp/$1" "$tmp/$2"
}

total() # NAME INDEX: by the report
{
	jq ".totals.$2" "$tmp/$1.json"
}

# ---- pprof ------------------------------------------------------------------

# flat INDEX ARGUMENT...: the sum of what -top shows
flat()
{
	index=$1
	shift
	go tool pprof -top -unit=B -nodefraction=0 -nodecount=1000000 \
		-sample_index="$index" "$@" 2>"$tmp/said" >"$tmp/top" || {
		cat "$tmp/said"
		return 1
	}
	awk 'top { sub("B", "", $1); sum += $1 } $2 == "flat%" { top = 1 }
		END { printf "%d\n", sum }' "$tmp/top"
}

profile_totals() # NAME
{
	for index in mappings reserved committed resident; do
		got=$(flat $index "$tmp/$1.pprof")
		[ "$got" = "$(total "$1" $index)" ] && continue
		echo "$index: $got, not $(total "$1" $index)"
		return 1
	done
}

# Samples of -raw are a line of values and one of labels.
profile_rows() # NAME
{
	go tool pprof -raw "$tmp/$1.pprof" 2>"$tmp/said" | awk '
		/^Locations/ { exit }
		/^ *[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+: / {
			sub(":", "", $4)
			value[1] = $1; value[2] = $2; value[3] = $3; value[4] = $4
		}
		/^ *kind:\[/ {
			kind = $0; sub(/^ *kind:\[/, "", kind)
			owner = kind; sub(/\] owner:.*/, "", kind)
			sub(/.*\] owner:\[/, "", owner); sub(/\].*/, "", owner)
			row = kind "|" owner; rows[row] = 1
			for (i = 1; i <= 4; i++) sum[row, i] += value[i]
		}
		END { for (row in rows) printf "%s|%d|%d|%d|%d\n", row,
			sum[row, 1], sum[row, 2], sum[row, 3], sum[row, 4] }' |
		sort >"$tmp/got"
	same "$1.rows" got
}

profile_focus() # NAME KIND
{
	wanted=$(jq --arg kind "$2" '[.ledger[] | select(.kind == $kind)
		| .committed] | add' "$tmp/$1.json")
	got=$(flat committed -tagfocus="kind=^$2\$" "$tmp/$1.pprof")
	[ "$got" = "$wanted" ] || echo "$got, not $wanted"
	[ "$got" = "$wanted" ]
}

profile_base() # NAME BASE
{
	for index in mappings reserved committed resident; do
		wanted=$(($(total "$1" $index) - $(total "$2" $index)))
		got=$(flat $index -base "$tmp/$2.pprof" "$tmp/$1.pprof")
		[ "$got" = $wanted ] && continue
		echo "$index: $got, not $wanted"
		return 1
	done
}

profile_names() # NAME FUNCTION...
{
	go tool pprof -peek . -sample_index=mappings -nodefraction=0 "$tmp/$1.pprof" \
		>"$tmp/peek" 2>"$tmp/said"
	shift
	for function; do
		grep -qF "$function" "$tmp/peek" && continue
		echo "no $function"
		return 1
	done
}

# ---- perfetto ---------------------------------------------------------------

decode() # NAME: the trace as text, by its schema
{
	protoc --proto_path="$proto" --decode=perfetto.protos.Trace \
		"$proto/trace.proto" <"$tmp/$1.perfetto" >"$tmp/$1.trace"
}

# The last values of two counters, each of their moments once; on each track
# slices begin and end in turn; nothing is unknown to the schema.
trace_holds() # NAME
{
	decode "$1" || return
	awk '
		/^packet / { uuid = name = type = value = unknown = "" }
		/^ *[0-9]+[:{ ]/ { print "unknown: " $0 }
		$1 == "uuid:" { uuid = $2 }
		/^    name: / { name = $0; sub(/^    name: /, "", name) }
		$1 == "type:" { type = $2 }
		$1 == "track_uuid:" { track = $2 }
		$1 == "counter_value:" { value = $2 }
		/^}/ && uuid { names[uuid] = name }
		/^}/ && type == "TYPE_COUNTER" { last[names[track]] = value }
		/^}/ && type == "TYPE_SLICE_BEGIN" {
			if (open[track]) print "does not nest: " track
			open[track] = 1; slices++
		}
		/^}/ && type == "TYPE_SLICE_END" {
			if (!open[track]) print "ends without a beginning: " track
			open[track] = 0
		}
		/^}/ && type == "TYPE_INSTANT" { instants++ }
		END {
			for (track in open) if (open[track]) print "open: " track
			print last["\"reserved\""], last["\"committed\""],
				last["\"resident\""], (slices > 0), (instants > 2)
		}' "$tmp/$1.trace" >"$tmp/got"
	jq -r '.totals | "\(.reserved) \(.committed) \(.resident) 1 1"' \
		"$tmp/$1.json" >"$tmp/wanted"
	same wanted got
}

# ---- folded, jsonl ----------------------------------------------------------

folded_totals() # NAME
{
	for metric in size reserved committed resident; do
		wanted=$(total "$1" $metric)
		[ $metric = size ] && wanted=$(total "$1" target)
		got=$("$GOLOAD" export --format folded --metric $metric \
			"$tmp/$1.run" | awk '{ sum += $NF }
			END { printf "%d\n", sum }')
		[ "$got" = "$wanted" ] && continue
		echo "$metric: $got, not $wanted"
		return 1
	done
}

folded_rows() # NAME
{
	jq -r '.ledger[] | [.kind, .reserved + .committed] | join("|")' \
		"$tmp/$1.json" | awk -F'|' '{ sum[$1] += $2 }
		END { for (kind in sum) if (sum[kind])
			printf "%s|%d\n", kind, sum[kind] }' |
		sort >"$tmp/wanted"
	awk '{ kind = $0; sub(/;.*/, "", kind); sum[kind] += $NF }
		END { for (kind in sum) printf "%s|%d\n", kind, sum[kind] }' \
		"$tmp/$1.folded" | sort >"$tmp/got"
	same wanted got
}

jsonl_holds() # NAME
{
	broken=$(jq -rs --slurpfile report "$tmp/$1.json" '
		def of($type): map(select(.type == $type));
		def sums: group_by([.kind, .owner]) | map([.[0].kind, .[0].owner,
			(map(select(.protection == "---") | .bytes) | add // 0),
			(map(select(.protection != "---") | .bytes) | add // 0),
			(map(.resident) | add)]) | sort;
		$report[0] as $r | [
		["there is one run", (of("run") | length) == 1],
		["it is that of the report", (of("run")[0] | .vm_size ==
		 $r.totals.vm_size and .duration == $r.run.duration and
		 .status == $r.exit.status and .signal == $r.exit.signal)],
		["which run stands in each line", all(.[];
		 .program == $r.program.path and .host == $r.program.host and
		 .build_id == $r.program.build_id and
		 .go_version == $r.program.go_version and
		 .started == $r.run.started)],
		["lines are flat", all(.[]; all(.[]; type != "object" and
		 type != "array"))],
		["rows are those of the report",
		 (of("row") | map([.kind, .owner, .reserved, .committed,
		  .resident, .anonymous, .file_pages, .shared, .huge,
		  .returned, .came_back, .mappings])) ==
		 ($r.ledger | map([.kind, .owner, .reserved, .committed,
		  .resident, .anonymous, .file, .shared, .huge, .returned,
		  .came_back, .mappings]))],
		["sites are", (of("site") | map([.kind, .function, .line,
		 .address, .bytes])) == [$r.ledger[] | .kind as $kind
		 | .sites[] | [$kind, .function, .line, .address, .bytes]]],
		["points are", (of("point") | map([.t, .reserved, .committed,
		 .resident])) == ($r.timeline | map([.t, .reserved, .committed,
		 .resident]))],
		["calls are", (of("call") | map({key: .call, value: .count})
		 | from_entries) == $r.events.by_call],
		["the last lives are the rows", (of("life")
		 | map(select(.last and .owner != "goload")) | sums) ==
		 ($r.ledger | map([.kind, .owner, .reserved, .committed,
		  .resident]) | sort)],
		["there are earlier lives", any(of("life")[]; .last | not)],
		["each has its times", all(of("life")[]; .born <= .died and
		 .died <= $r.run.duration)]
		] | map(select(.[1] | not) | .[0]) | .[]' "$tmp/$1.jsonl" 2>&1) ||
		broken="no lines: $broken"
	[ -s "$tmp/$1.jsonl" ] || broken='no lines'
	[ -z "$broken" ] || printf 'does not hold: %s\n' "$broken"
	[ -z "$broken" ]
}

# ---- sqlite -----------------------------------------------------------------

query() # NAME SQL: sorted
{
	sqlite3 -readonly "$tmp/$1.sqlite" "$2" | sort >"$tmp/got"
}

sqlite_ledger() # NAME
{
	[ "$(sqlite3 "$tmp/$1.sqlite" 'PRAGMA integrity_check')" = ok ] || return
	jq -r '.ledger[] | [.kind, .owner, .reserved, .committed, .resident,
		.anonymous, .file, .shared, .huge, .returned, .came_back,
		.mappings] | join("|")' "$tmp/$1.json" | sort >"$tmp/wanted"
	query "$1" 'SELECT * FROM ledger'
	same wanted got
}

sqlite_who() # NAME
{
	jq -r '.ledger[] | .kind as $kind | .owner as $owner | .sites[]
		| [$kind, $owner, .function // "", .file // "", .line // "",
		   .bytes] | join("|")' "$tmp/$1.json" |
		awk -F'|' '{ key = $1 "|" $2 "|" $3 "|" $4 "|" $5
			sum[key] += $6 }
			END { for (key in sum) printf "%s|%d\n", key, sum[key] }' |
		sort >"$tmp/wanted"
	query "$1" "SELECT kind, owner, function, file, line, sum(\"end\" - start)
		FROM mapping WHERE last AND owner <> 'goload' AND address
		GROUP BY 1, 2, 3, 4, 5"
	same wanted got || return
	jq -r '.totals | "\(.target)|\(.resident)|\(.mappings)"' \
		"$tmp/$1.json" >"$tmp/wanted"
	query "$1" 'SELECT sum(bytes), sum(resident), sum(mappings) FROM who'
	same wanted got
}

sqlite_timeline() # NAME
{
	jq -r '.totals | "\(.reserved)|\(.committed)"' "$tmp/$1.json" \
		>"$tmp/wanted"
	query "$1" 'SELECT reserved, committed FROM timeline
		ORDER BY t DESC LIMIT 1'
	same wanted got || return
	jq -r '.totals | "\(.peak_vm_size - .goload)"' "$tmp/$1.json" \
		>"$tmp/wanted"
	query "$1" 'SELECT max(reserved + committed) FROM timeline'
	same wanted got
}

sqlite_events() # NAME
{
	jq -r '.events.by_call | to_entries[] | "\(.key)|\(.value)"' \
		"$tmp/$1.json" | sort >"$tmp/wanted"
	query "$1" 'SELECT call, count(*) FROM event GROUP BY call'
	same wanted got || return
	# each mapping has its call, each call its stack, each stack its frames
	query "$1" "SELECT 'no event', id FROM mapping WHERE event NOT NULL AND
			event NOT IN (SELECT id FROM event)
		UNION ALL SELECT 'no stack', id FROM event WHERE stack NOT IN
			(SELECT id FROM stack)
		UNION ALL SELECT 'other frames', id FROM stack WHERE frames <>
			(SELECT count(*) FROM frame WHERE stack = stack.id)
		UNION ALL SELECT 'no module', stack FROM frame WHERE
			module NOT NULL AND
			module NOT IN (SELECT id FROM module)
		UNION ALL SELECT 'no name', 0 WHERE NOT EXISTS (SELECT 1 FROM
			frame WHERE function = 'runtime.schedinit')
		UNION ALL SELECT 'no thread', id FROM event WHERE NOT thread"
	cat "$tmp/got"
	[ ! -s "$tmp/got" ]
}

sqlite_run() # NAME
{
	jq -r '[.program.path, .program.go_version, .program.build_id,
		.exit.status // "", .exit.signal // "",
		.totals.vm_size, .totals.goload, .totals.peak_vm_size,
		.events.count] | join("|")' "$tmp/$1.json" >"$tmp/wanted"
	query "$1" 'SELECT program, go_version, build_id, status, signal,
		vm_size, goload, peak_vm_size, events FROM run'
	same wanted got || return
	# jq's numbers have no room for it
	sed -n 's/^ *"started": \(.*\),$/\1/p' "$tmp/$1.json" >"$tmp/wanted"
	query "$1" 'SELECT started FROM run'
	same wanted got
}

# ---- openmetrics ------------------------------------------------------------

metrics_totals() # NAME
{
	jq -r '.totals as $t | ("reserved", "committed", "resident")
		| "\(.)|\($t[.])"' "$tmp/$1.json" | sort >"$tmp/wanted"
	sed -n 's/^goload_memory_bytes{.*,state="\(.*\)"} \(.*\)/\1 \2/p' \
		"$tmp/$1.openmetrics" | awk '{ sum[$1] += $2 }
		END { for (state in sum) printf "%s|%d\n", state, sum[state] }' |
		sort >"$tmp/got"
	same wanted got || return
	jq -r '"\(.totals.vm_size) \(.totals.mappings) \(.events.count)"' \
		"$tmp/$1.json" >"$tmp/wanted"
	awk '/^goload_vm_size_bytes/ { size = $NF }
		/^goload_mappings/ { mappings += $NF }
		/^goload_events{/ { events += $NF }
		END { print size, mappings, events }' \
		"$tmp/$1.openmetrics" >"$tmp/got"
	same wanted got
}

# What OpenMetrics asks for and promtool does not: each family's lines together,
# its type first, its unit in its name, an end, no time.
metrics_rules() # NAME
{
	awk '
		ended { print "behind the end: " $0 }
		/^# EOF$/ { ended = 1; next }
		/^# TYPE / {
			if (seen[$3]++) print "twice: " $3
			family = $3; help = 0
			next
		}
		/^# UNIT / && $3 != family { print "unit of another: " $0 }
		/^# UNIT / && $3 !~ ("_" $4 "$") { print "unit: " $0 }
		/^# HELP / && $3 != family { print "help of another: " $0 }
		/^#/ { help += $2 == "HELP"; next }
		!help { print "without help: " $0 }
		!/^goload_[a-z_]*\{([a-z_]*="([^"\\]|\\.)*",?)*\} [0-9.]+$/ {
			print "no sample: " $0
		}
		$0 !~ ("^" family "\\{") { print "of another family: " $0 }
		/=".*0x[0-9a-f]/ { print "an address: " $0 }
		END { if (!ended) print "no end" }' "$tmp/$1.openmetrics" >"$tmp/got"
	cat "$tmp/got"
	[ ! -s "$tmp/got" ] && [ "$(tail -c 1 "$tmp/$1.openmetrics")" = '' ]
}

metrics_accepted() # NAME: by promtool, without a word
{
	promtool check metrics <"$tmp/$1.openmetrics" >"$tmp/got" 2>&1 &&
		[ ! -s "$tmp/got" ] && return
	cat "$tmp/got"
	return 1
}

# ---- real runs --------------------------------------------------------------

# recorded_server NAME PROGRAM: twenty requests, then Ctrl-C
recorded_server()
{
	rm -f "$tmp/$1.run"
	bash "$here/serve.sh" 20 "$GOLOAD" record -q -o "$tmp/$1.run" \
		"$2" >"$tmp/$1.out" 2>&1 || {
		cat "$tmp/$1.out"
		return 1
	}
	"$GOLOAD" report --format json "$tmp/$1.run" >"$tmp/$1.json"
}

recorded hello -- "$SAMPLES/go/hello"
recorded bigheap -- "$SAMPLES/go/bigheap"
fact 'the libc-linked server answers' recorded_server server \
	"$SAMPLES/go/http.cgo"

for name in hello bigheap server; do
	fact "$name closes" closes $name
	fact "$name: is exported in each format" exports $name
	fact "$name: pprof's totals are the ledger's" profile_totals $name
	fact "$name: its labels are the rows" profile_rows $name
	fact "$name: -tagfocus finds a row" profile_focus $name heap
	fact "$name: and one that no call has made" profile_focus $name text
	fact "$name: protoc decodes the trace, which ends as the ledger" \
		trace_holds $name
	fact "$name: folded stacks add up" folded_totals $name
	fact "$name: kind by kind" folded_rows $name
	fact "$name: lines of JSON are the report" jsonl_holds $name
	fact "$name: the view ledger is the ledger" sqlite_ledger $name
	fact "$name: the view who is its sites" sqlite_who $name
	fact "$name: the view timeline ends there, and has its peak" \
		sqlite_timeline $name
	fact "$name: events, stacks and frames belong together" \
		sqlite_events $name
	fact "$name: the table run is the run" sqlite_run $name
	fact "$name: gauges are the ledger" metrics_totals $name
	fact "$name: they obey OpenMetrics" metrics_rules $name
	if command -v promtool >/dev/null; then
		fact "$name: and Prometheus" metrics_accepted $name
	else
		left_out "$name: and Prometheus" 'promtool is missing'
	fi
done
fact 'pprof -base is the difference of two runs' profile_base bigheap hello
fact 'also of other programs' profile_base server hello
fact 'what has no name in the program has one in its library' \
	profile_names server 'runtime.(*pageAlloc).sysInit' pthread_create \
	"[stack] kernel" "[text] $SAMPLES/go/http.cgo"

to_stdout()
{
	for format in $formats; do
		"$GOLOAD" export --format $format "$tmp/hello.run" |
			cmp - "$tmp/hello.$format" || return
		"$GOLOAD" export -o - --format $format "$tmp/hello.run" |
			cmp - "$tmp/hello.$format" || return
	done
	"$GOLOAD" export "$tmp/hello.run" | cmp - "$tmp/hello.pprof"
}
fact 'standard output gets the same bytes' to_stdout

# ---- what cannot be ----------------------------------------------------------

# refused LINES ARGUMENT...: fails, and says why in so many lines
refused()
{
	lines=$1
	shift
	run refused "$GOLOAD" export "$@"
	grep -qx 'exited 125' "$tmp/refused.end" && [ ! -s "$tmp/refused.out" ] &&
		[ "$(wc -l <"$tmp/refused.err")" = "$lines" ] &&
		grep -q '^goload: ' "$tmp/refused.err" && return
	cat "$tmp/refused".*
	return 1
}

unwritable()
{
	for format in $formats; do
		refused 1 --format $format -o /dev/full "$tmp/hello.run" &&
			refused 1 --format $format -o "$tmp/no/file" \
				"$tmp/hello.run" || return
	done
}
fact 'a full disk, and a directory that is missing' unwritable
echo text >"$tmp/text"
cp "$tmp/hello.pprof" "$tmp/kept"
fact 'a file that is no run' refused 1 "$tmp/text"
fact 'and what was there before is kept' sh -c "
	! '$GOLOAD' export -o '$tmp/kept' '$tmp/text' 2>/dev/null &&
	cmp '$tmp/kept' '$tmp/hello.pprof'"
fact 'a missing file' refused 1 "$tmp/missing"
fact 'a directory' refused 1 "$tmp"
fact 'no file' refused 2
fact 'two files' refused 2 "$tmp/hello.run" "$tmp/hello.run"
fact 'an unknown format' refused 2 --format yaml "$tmp/hello.run"
fact 'a metric where none is asked for' \
	refused 2 --format jsonl --metric resident "$tmp/hello.run"

terminal()
{
	script -qec "'$GOLOAD' export --format $1 '$tmp/hello.run'" /dev/null \
		>"$tmp/got" 2>&1 </dev/null
	status=$?
	[ $status = "$2" ] && grep -q "$3" "$tmp/got" && return
	echo "status $status"
	head -n 3 "$tmp/got"
	return 1
}
if command -v script >/dev/null; then
	fact 'a terminal gets no binary' terminal pprof 125 'is a terminal'
	fact 'but text' terminal folded 0 ';runtime.schedinit;'
else
	left_out 'a terminal gets no binary' 'script is missing'
fi

torn()
{
	head -c $(($(wc -c <"$tmp/hello.run") / 2)) "$tmp/hello.run" \
		>"$tmp/torn.run"
	for format in $formats; do
		"$GOLOAD" export --format $format -o "$tmp/torn.$format" \
			"$tmp/torn.run" 2>"$tmp/said" &&
			[ "$(wc -l <"$tmp/said")" = 1 ] &&
			grep -q cut "$tmp/said" && [ -s "$tmp/torn.$format" ] &&
			continue
		cat "$tmp/said"
		return 1
	done
}
fact 'a torn run is exported, and said to be cut' torn

# Address space by the megabyte, until all goes well: before that it is one line
# each time.
memory_short()
{
	short=0
	for format in $formats; do
		kib=6000
		while [ $kib -lt 60000 ]; do
			kib=$((kib + 1000))
			run short sh -c "ulimit -v $kib; exec '$GOLOAD' export \
				--format $format -o '$tmp/short' '$tmp/bigheap.run'"
			end=$(cat "$tmp/short.end")
			[ "$end" = 'exited 0' ] && break
			[ "$end" = 'exited 127' ] && continue # ld.so's
			short=$((short + 1))
			[ "$end" = 'exited 125' ] &&
				[ "$(wc -l <"$tmp/short.err")" = 1 ] &&
				grep -q 'Cannot allocate memory$' \
					"$tmp/short.err" && continue
			echo "$format with $kib KiB: $end"
			cat "$tmp/short.err"
			return 1
		done
		[ "$end" = 'exited 0' ] || return
	done
	[ $short -gt 0 ]
}
fact 'memory that is short is one line' memory_short

helper badinput_mangle
for format in $formats; do
	printf '#!/bin/sh\nexec "%s" export --format %s -o /dev/null "$4"\n' \
		"$GOLOAD" $format >"$tmp/as-$format"
	chmod 755 "$tmp/as-$format"
	fact "a run file with bits flipped, as $format" "$tmp/badinput_mangle" \
		"$tmp/as-$format" "$tmp/hello.run" "$tmp/mangled" flip 60
done

# ---- controls ----------------------------------------------------------------

# changed EDIT CHECK: a check of another report than that of the server's run
changed()
{
	for format in $formats run; do
		cp "$tmp/server.$format" "$tmp/other.$format"
	done
	jq "$1" "$tmp/server.json" >"$tmp/other.json"
	jq -r '.ledger[] | [.kind, .owner, .mappings, .reserved, .committed,
		.resident] | join("|")' "$tmp/other.json" | sort >"$tmp/other.rows"
	shift
	fails "$@" other
}
page='.totals.committed += 4096 | .totals.target += 4096 |
	.totals.vm_size += 4096'
row='.ledger[3].committed += 4096 | .ledger[4].committed -= 4096'
for check in profile_totals trace_holds folded_totals sqlite_timeline \
	metrics_totals; do
	fact "control: $check sees a page" changed "$page" $check
done
for check in profile_rows folded_rows jsonl_holds sqlite_ledger; do
	fact "control: $check sees a page in another row" changed "$row" $check
done
fact 'control: another owner is another row' \
	changed '.ledger[0].owner = "nobody"' profile_rows
fact 'control: another line is another site' \
	changed '.ledger[0].sites[0].line += 1' sqlite_who
fact 'control: an event less is seen' \
	changed '.events.by_call.mmap -= 1' sqlite_events
fact 'control: another run is another' \
	changed '.run.started = 17' sqlite_run
sed 's/^# EOF//' "$tmp/hello.openmetrics" >"$tmp/edited.openmetrics"
fact 'control: gauges without an end' fails metrics_rules edited
sed 's/} 1$/} 1 1700000000/' "$tmp/hello.openmetrics" >"$tmp/edited.openmetrics"
fact 'control: a sample with a time' fails metrics_rules edited
sed '/^# HELP goload_events /d' "$tmp/hello.openmetrics" \
	>"$tmp/edited.openmetrics"
fact 'control: a gauge without help' fails metrics_rules edited
if command -v promtool >/dev/null; then
	fact 'control: promtool sees it, too' fails metrics_accepted edited
fi
head -c 3000 "$tmp/hello.perfetto" >"$tmp/edited.perfetto"
cp "$tmp/hello.json" "$tmp/edited.json"
fact 'control: half a trace' fails trace_holds edited
finish
