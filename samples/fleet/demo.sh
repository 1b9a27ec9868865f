#!/bin/bash
# Fifty programs run under goload, each leaves a file of gauges, node_exporter
# serves them, Prometheus reads them: one query tells VmSize by Go version and
# linkage, and an alert fires for those that are over a budget.
#
#   GOLOAD=./goload samples/fleet/demo.sh [FOLDER]
#
# The programs are samples (samples/build.sh), built static and linked with libc
# by each Go that there is (GOS chooses), and one in C. prometheus and
# node_exporter are those on the PATH, or come out of Debian's packages, which
# are fetched and unpacked, never installed: no service is started. All that
# runs ends with this script, and listens on the loopback address only.
#
# FOLDER, which must not exist, keeps what there was: runs/ (run files),
# textfiles/ (their gauges), answer.json and alerts.json (what Prometheus said).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../shared.sh"
: "${GOLOAD:=./goload}" "${SAMPLES:=out/samples}" "${TRIES:=300}"
programs='hello args pid state sections wait'
builds='.cgo .cgo-pie' # linked with libc; and static, stripped or not

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

tmp=$(mktemp -d)
pids=()
clean_up()
{
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
	wait
	rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

folder=${1-$tmp/kept}
[ ! -e "$folder" ] || die "$folder is there already"
mkdir -p "$folder/runs" "$folder/textfiles"
folder=$(cd "$folder" && pwd)

# tool NAME PACKAGE: as $tool, from the PATH or out of the package
tool()
{
	if tool=$(command -v "$1"); then
		return
	fi
	for need in apt-get dpkg-deb; do
		command -v $need >/dev/null || die "there is no $1, and no $need"
	done
	mkdir -p "$tmp/deb"
	(cd "$tmp/deb" && apt-get -qq -o APT::Sandbox::User=root download "$2") ||
		die "$2 cannot be fetched"
	dpkg-deb -x "$tmp/deb/$2"_*.deb "$tmp/unpacked"
	tool=$tmp/unpacked/usr/bin/$1
	[ -x "$tool" ] || die "there is no $1 in $2"
}

# ask QUERY: what Prometheus answers, as $tmp/answer
ask()
{
	curl -sf --data-urlencode "query=$1" \
		"http://127.0.0.1:$prometheus_port/api/v1/query" >"$tmp/answer"
}

# until_so WHAT COMMAND...: not for ever, and not when a server has ended
until_so()
{
	local what=$1 try=0 pid
	shift
	until "$@"; do
		for pid in "${pids[@]}"; do
			kill -0 "$pid" 2>/dev/null ||
				die "a server has ended: $(tail -n 3 "$tmp"/*.log)"
		done
		[ $((try += 1)) -lt "$TRIES" ] ||
			die "still not so: $what; $(tail -n 3 "$tmp"/*.log)"
		sleep 0.1
	done
}

# ---- fifty programs ----------------------------------------------------------

# run_all FOLDER PROGRAM...: those of a folder of $SAMPLES
run_all()
{
	local in=$1 program name
	shift
	for program; do
		name=$program-$in
		"$GOLOAD" record -q -o "$folder/runs/$name.run" \
			--metrics-file="$folder/textfiles/$name.prom" \
			"$SAMPLES/$in/$program" >/dev/null
	done
}

for program in $programs; do
	for build in '' $builds; do
		wanted+=("$program$build")
	done
	wanted+=("$program.stripped")
done
"$here/../build.sh" "$SAMPLES" "${wanted[@]}" hello.dynamic
for go in "$SAMPLES"/go1*; do
	run_all "${go##*/}" "${wanted[@]}"
done
run_all c-glibc-static hello
run_all c-glibc-dynamic-nopie hello
count=$(find "$folder/textfiles" -name '*.prom' | wc -l)
echo "$count programs ran under goload and left their gauges:"
(cd "$folder/textfiles" && printf '%s\n' * | head -n 3)
echo ...

# ---- who reads them ----------------------------------------------------------

command -v curl >/dev/null || die 'there is no curl'
command -v jq >/dev/null || die 'there is no jq'
node_port=$(free_port)
tool prometheus-node-exporter prometheus-node-exporter
"$tool" --collector.disable-defaults --collector.textfile \
	--collector.textfile.directory="$folder/textfiles" \
	--web.listen-address="127.0.0.1:$node_port" >"$tmp/node.log" 2>&1 &
pids+=($!)

prometheus_port=$(free_port)
sed "s/@PORT@/$node_port/" "$here/prometheus.yml" >"$tmp/prometheus.yml"
cp "$here/alerts.yml" "$tmp/"
tool prometheus prometheus
"$tool" --config.file="$tmp/prometheus.yml" --storage.tsdb.path="$tmp/data" \
	--web.listen-address="127.0.0.1:$prometheus_port" \
	>"$tmp/prometheus.log" 2>&1 &
pids+=($!)

all_read()
{
	ask 'count(goload_run_info)' &&
		[ "$(jq -r '.data.result[0].value[1]' "$tmp/answer")" = "$count" ]
}
none_refused()
{
	ask 'node_textfile_scrape_error' &&
		[ "$(jq -r '.data.result[0].value[1]' "$tmp/answer")" = 0 ]
}
until_so "Prometheus has $count runs" all_read
none_refused || die 'node_exporter did not take all files'

# ---- the question, and the budget ----------------------------------------------

ask "$(cat "$here/query.promql")"
cp "$tmp/answer" "$folder/answer.json"
echo
echo 'VmSize by Go version and linkage:'
cat "$here/query.promql"
jq -r '.data.result | sort_by(.metric.go_version, .metric.linkage)[]
	| [.metric.go_version, .metric.linkage,
	   (.value[1] | tonumber / 1048576 | . * 10 | round / 10)] | @tsv' \
	"$folder/answer.json" |
	awk -F '\t' '{ printf "  %-10s %-12s %8.1f MiB\n",
		$1 ? $1 : "(not Go)", $2, $3 }'

firing()
{
	curl -sf "http://127.0.0.1:$prometheus_port/api/v1/alerts" >"$tmp/answer" &&
		jq -e '[.data.alerts[] | select(.state == "firing")] | length > 0' \
			"$tmp/answer" >/dev/null
}
until_so 'an alert fires' firing
cp "$tmp/answer" "$folder/alerts.json"
echo
echo 'Alerts that fire:'
jq -r '.data.alerts[] | select(.state == "firing")
	| "  \(.labels.alertname): \(.annotations.summary)"' \
	"$folder/alerts.json" | sort
