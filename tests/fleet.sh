#!/bin/sh
# The demonstration of docs/fleet.md, held against the run files: Prometheus'
# answer is theirs, and its alert fires for the programs that are over the budget.
# Where DuckDB and ClickHouse are there (as python modules duckdb and chdb) they
# read the run files by what docs/fleet.md says, and answer the same.
#
# Packages are fetched: this is no part of `make check`.
#
#   tests/fleet.sh
#
# PYTHON is the python3 that has the modules.
# shellcheck disable=SC1091,SC2016,SC2154,SC2317
. "$(dirname "$0")/lib.sh"

: "${PYTHON:=python3}"
fleet=$here/../samples/fleet
out=$tmp/fleet
budget='1.3 * 2^30'
command -v go >/dev/null || skip 'there is no go'

demo()
{
	SAMPLES=$SAMPLES GOLOAD=$GOLOAD "$fleet/demo.sh" "$out" >"$tmp/said" 2>&1
	status=$?
	cat "$tmp/said"
	return $status
}

# What each run is and takes, by its file: NAME VERSION LINKAGE BYTES a line.
facts()
{
	for run in "$out"/runs/*.run; do
		name=${run##*/}
		"$GOLOAD" report --format json "$run" |
			jq -r --arg name "${name%.run}" '[$name,
				.program.go_version // "-", .program.linkage,
				.totals.target] | join(" ")'
	done >"$tmp/facts"
	[ "$(wc -l <"$tmp/facts")" -ge 50 ] && return
	echo "$(wc -l <"$tmp/facts") programs"
	return 1
}

many()
{
	cut -d ' ' -f 2 "$tmp/facts" | sort -u | grep -c '^go' >"$tmp/gos"
	cut -d ' ' -f 3 "$tmp/facts" | sort -u >"$tmp/linkages"
	[ "$(cat "$tmp/gos")" -ge 2 ] && grep -q '^static$' "$tmp/linkages" &&
		grep -q '^dynamic' "$tmp/linkages" && return
	cat "$tmp/gos" "$tmp/linkages"
	return 1
}

# The mean of each Go version and linkage, rounded: as run files have it ...
means()
{
	awk '{ of = $2 " " $3; sum[of] += $4; n[of]++ }
		END { for (of in sum) printf "%s %.0f\n", of, sum[of] / n[of] }' \
		"$tmp/facts" | sort
}

# ... and as Prometheus says.
answer()
{
	jq -r '.data.result[] | [.metric.go_version // "-", .metric.linkage,
		.value[1]] | join(" ")' "$out/answer.json" |
		awk '{ printf "%s %s %.0f\n", $1, $2, $3 }' | sort
}

answered()
{
	means >"$tmp/wanted"
	answer >"$tmp/got"
	[ -s "$tmp/wanted" ] && diff "$tmp/wanted" "$tmp/got"
}

over_budget() # BUDGET
{
	awk "\$4 > $1 { print \$1 }" "$tmp/facts" | sort
}

firing()
{
	jq -r '.data.alerts[] | select(.state == "firing")
		| select(.labels.alertname == "VmSizeOverBudget") | .labels.run' \
		"$out/alerts.json" | sort
}

alerted() # BUDGET
{
	over_budget "$1" >"$tmp/wanted"
	firing >"$tmp/got"
	[ -s "$tmp/wanted" ] && diff "$tmp/wanted" "$tmp/got"
}

no_other_alert()
{
	jq -r '.data.alerts[] | select(.labels.alertname != "VmSizeOverBudget")
		| "\(.labels.alertname) \(.labels.run)"' "$out/alerts.json" \
		>"$tmp/got"
	cat "$tmp/got"
	[ ! -s "$tmp/got" ]
}

nothing_runs()
{
	# shellcheck disable=SC2009
	ps -eo args= | grep -F -e "$out" -e "$tmp" | grep -v grep && return 1
	return 0
}

fact 'the demonstration runs to its end' demo
[ -e "$out/alerts.json" ] || finish
fact 'at least fifty programs have left a run' facts
fact 'of two versions of Go or more, static and linked with libc' many
fact 'VmSize by Go version and linkage is that of the run files' answered
sed '1s/[0-9]*$/&000/' "$tmp/facts" >"$tmp/edited"
cp "$tmp/facts" "$tmp/kept"
cp "$tmp/edited" "$tmp/facts"
fact 'control: a program that takes more' fails answered
cp "$tmp/kept" "$tmp/facts"
fact 'the alert fires for those over the budget, and for no others' \
	alerted "$budget"
fact 'control: another budget' fails alerted '0.9 * 2^30'
fact 'no other alert fires' no_other_alert
fact 'nothing runs any more' nothing_runs

# ---- tables --------------------------------------------------------------------

# The indented blocks of docs/fleet.md that begin with a word, one after the
# other, with a semicolon at the end.
blocks() # WORD
{
	awk -v word="$1" '
		/^    / && !inside { inside = $1 == word ? 1 : -1 }
		!/^    / { if (inside == 1) print ";"; inside = 0 }
		inside == 1' "$here/../docs/fleet.md" |
		sed 's/^;$/ ;/' | sed 's/; *;/;/'
}

lines()
{
	for run in "$out"/runs/*.run; do
		"$GOLOAD" export --format jsonl "$run" || return
	done >"$tmp/fleet.jsonl"
	grep '^{"type":"run",' "$tmp/fleet.jsonl" >"$tmp/runs.jsonl" &&
		grep '^{"type":"row",' "$tmp/fleet.jsonl" >"$tmp/rows.jsonl"
}

# engine NAME CODE: CODE prints the first query's answer; it has the blocks of
# each word as files.
engine()
{
	for word in CREATE INSERT SELECT; do
		blocks $word >"$tmp/$word.sql"
		[ -s "$tmp/$word.sql" ] || return
	done
	(cd "$tmp" && "$PYTHON" -c "
def statements(word):
    return [part.strip() for part in open(word + '.sql').read().split(';')
            if part.strip()]
$2") >"$tmp/$1" 2>"$tmp/said" || {
		tail -n 3 "$tmp/said"
		return 1
	}
	means >"$tmp/wanted"
	sort "$tmp/$1" | diff "$tmp/wanted" -
}

duckdb='
import duckdb
base = duckdb.connect()
for word in "CREATE", "INSERT":
    for statement in statements(word):
        base.execute(statement)
answers = [base.execute(query).fetchall() for query in statements("SELECT")]
assert all(answers)
for go, linkage, runs, size in answers[0]:
    print(go or "-", linkage, "%.0f" % size)'

clickhouse='
import json
from chdb import session
base = session.Session()
for statement in statements("CREATE"):
    base.query(statement +
               " ENGINE = MergeTree ORDER BY (host, started, pid)")
for table in "runs", "rows":
    base.query("INSERT INTO goload_" + table +
               " SETTINGS input_format_skip_unknown_fields = 1"
               " FORMAT JSONEachRow\n" + open(table + ".jsonl").read())
answers = [[json.loads(line) for line in
            str(base.query(query, "JSONEachRow")).splitlines()]
           for query in statements("SELECT")]
assert all(answers)
for row in answers[0]:
    print(row["go_version"] or "-", row["linkage"],
          "%.0f" % float(row["vm_size"]))'

fact 'all runs are lines of JSON' lines
if "$PYTHON" -c 'import duckdb' 2>/dev/null; then
	fact 'DuckDB has the same answer from them, as docs/fleet.md says' \
		engine duckdb "$duckdb"
else
	left_out 'DuckDB has the same answer' 'there is no module duckdb'
fi
if "$PYTHON" -c 'import chdb' 2>/dev/null; then
	fact 'so has ClickHouse' engine clickhouse "$clickhouse"
else
	left_out 'so has ClickHouse' 'there is no module chdb'
fi
finish
