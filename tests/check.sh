#!/bin/sh
# goload check: goload's own samples keep to their budgets, and do not when one is
# made to reserve 1 MiB more; limits hold to the page; how it ends; what it writes.
# ROUNDS=50: each sample is checked so often, for a budget that is new.
# shellcheck disable=SC1091,SC2016,SC2034,SC2154,SC2317
. "$(dirname "$0")/lib.sh"

: "${ROUNDS:=2}"
cp "$GOLOAD" "$tmp/goload" # another user's too
GOLOAD=$tmp/goload
unset GOLOAD_OPTIONS GITHUB_ACTIONS GITHUB_WORKSPACE
export CGO_ENABLED=0 GOFLAGS='-mod=mod -buildvcs=false' GOTOOLCHAIN=local
export GOPROXY=off GOWORK=off
[ -w "${HOME-/nowhere}" ] || export GOCACHE="${GOCACHE-$SAMPLES/.cache}"
samples hello http churn abort

# checked NAME OPTION... COMMAND...: leaves $tmp/NAME.out, .err and .end
checked()
{
	name=$1
	shift
	run "$name" "$GOLOAD" check "$@"
}

# ends NAME END PATTERN...: so it ended, and said lines with these; otherwise it
# is shown
ends()
{
	name=$1
	fine=$([ "$(cat "$tmp/$1.end")" = "$2" ] && echo yes)
	shift 2
	for pattern; do
		grep -q -- "$pattern" "$tmp/$name.err" || fine=
	done
	[ -n "$fine" ] && return
	cat "$tmp/$name.end" "$tmp/$name.err" "$tmp/$name.out"
	return 1
}

# ---- the samples ----------------------------------------------------------------

# It answers ten requests.
drive="bash '$here/drive.sh' 10"

# guard NAME BUDGET PROGRAM: the sample NAME
guard()
{
	case $1 in
	http)
		PORT=$((20000 + ($$ + left) % 10000)) GOMAXPROCS=4 checked "$1" \
			-q --budget "$2" --drive "$drive" "$3"
		;;
	*)
		GOMAXPROCS=4 checked "$1" -q --budget "$2" "$3"
		;;
	esac
}

# guarded NAME BUDGET PROGRAM: it keeps to its budget
guarded()
{
	left=$ROUNDS
	while [ "$left" -gt 0 ]; do
		guard "$@"
		ends "$1" 'exited 0' || return
		left=$((left - 1))
	done
}

# made NAME GO: the sample with a file more, which maps 1 MiB, as $tmp/made/NAME
made()
{
	rm -rf "$tmp/made"
	mkdir "$tmp/made"
	cp -R "$here/../samples/go/$1" "$here/../samples/go/go.mod" "$tmp/made"
	cat >"$tmp/made/$1/more.go" <<-'GO'
		package main

		import "syscall"

		func init() {
			const size = 1 << 20
			_, err := syscall.Mmap(-1, 0, size,
				syscall.PROT_NONE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
			if err != nil {
				panic(err)
			}
		}
	GO
	(cd "$tmp/made" && "$2" build -o program "./$1")
}

# caught NAME BUDGET GO: the row, the size and the line. Churn has such a row in its
# budget, which is larger then; to others it is new.
caught()
{
	made "$1" "$3" || return
	left=1
	guard "$1" "$2" "$tmp/made/program"
	case $1 in
	churn) what='1.[0-9] MiB at .*, [0-9]* KiB over its limit of 1 MiB (.*:[0-9]*)' ;;
	*) what='1.0 MiB, of a kind that the budget does not have' ;;
	esac
	ends "$1" 'exited 3' \
		"^goload: .*/made/program: mapping: $what; main.init.0 .*/more.go:7$" \
		'^  1 MiB by 1 mmap call$' '^      main.init.0 .*/more.go:7$'
}

for go in go /usr/lib/go/bin/go; do
	command -v "$go" >/dev/null || continue
	version=$("$go" env GOVERSION)
	minor=$(expr "$version" : '\(go1\.[0-9]*\)')
	for name in hello http churn; do
		budget=$here/budgets/$name.$minor
		if [ ! -e "$budget" ]; then
			left_out "$version: $name keeps to its budget" \
				"no tests/budgets/$name.$minor yet"
			continue
		fi
		fact "$version: $name keeps to its budget" \
			guarded "$name" "$budget" "$SAMPLES/$version/$name"
		fact "$version: so it does without symbols" \
			guarded "$name" "$budget" "$SAMPLES/$version/$name.stripped"
		fact "$version: $name that reserves 1 MiB more does not, and the line is named" \
			caught "$name" "$budget" "$go"
	done
done

# ---- what limits hold ------------------------------------------------------------

hello=$SAMPLES/go/hello
kept()
{
	rm -f "$tmp/kept.run"
	"$GOLOAD" record -q -o "$tmp/kept.run" "$SAMPLES/go/churn" >/dev/null &&
		"$GOLOAD" report --format json "$tmp/kept.run" >"$tmp/kept.json" &&
		"$GOLOAD" check --update --slack 0 --budget "$tmp/exact" \
			"$tmp/kept.run" 2>"$tmp/err" &&
		echo "reserved any" >>"$tmp/exact" &&
		"$GOLOAD" check --format json --budget "$tmp/exact" \
			"$tmp/kept.run" >"$tmp/exact.json"
}
fact 'a budget without slack is kept to by its run' kept

same_values()
{
	jq -e --slurpfile report "$tmp/kept.json" '
		$report[0] as $r
		| (.limits | map({ key: (.kind // .limit), value }) | from_entries)
			as $has
		| ($r.ledger | group_by(.kind) | map({ key: .[0].kind, value:
			(map(.reserved + .committed) | add) }) | from_entries)
			as $row
		| [ ["vm is the peak of VmSize, without what is of goload",
		     $has.vm == $r.totals.peak_vm_size - $r.totals.goload],
		    ["a kind has what its rows have, or had more",
		     all($row | keys[]; $has[.] >= $row[.])],
		    ["a kind that had most at the end has what its rows have",
		     all(.limits[] | select(.kind and .at == $r.run.duration);
			.value == $row[.kind])],
		    ["one that is gone was there before",
		     all(.limits[] | select(.kind and $row[.kind] == null);
			.value > 0 and .at < $r.run.duration)],
		    ["so many are reserved and committed",
		     $has.reserved >= $r.totals.reserved
			and $has.committed >= $r.totals.committed],
		    ["resident is not less than at the end",
		     $has.resident >= $r.totals.resident],
		    ["mappings are those of the end",
		     $has.mappings == $r.totals.mappings],
		    ["it is within", .within and .over == []] ]
		| map(select(.[1] | not) | .[0])
		| if length > 0 then error(tostring) else true end' \
		"$tmp/exact.json"
}
fact 'what is held against limits is what the report has' same_values

# lower N: the budget with limit N one page, or mapping, lower
lower()
{
	awk -v n="$1" '
		/^(vm|committed|resident|kind) .* (B|KiB|MiB)$/ {
			i++
		}
		i == n && !done {
			done = 1
			unit = $NF == "MiB" ? 1048576 : $NF == "KiB" ? 1024 : 1
			size = $(NF - 1)
			gsub(",", "", size)
			bytes = sprintf("%.0f", size * unit - 4096)
			sub(/ *[0-9,.]+ [KM]?i?B$/, "")
			print $0, bytes
			next
		}
		{ print }' "$tmp/exact"
}

by_a_page()
{
	limits=$(grep -cE '^(vm|committed|resident|kind) ' "$tmp/exact")
	[ "$limits" -gt 10 ] || return
	for n in $(seq "$limits"); do
		lower "$n" >"$tmp/lower"
		line=$(diff "$tmp/exact" "$tmp/lower" | sed -n '1s/[^0-9].*//p')
		"$GOLOAD" check --format json --budget "$tmp/lower" \
			"$tmp/kept.run" >"$tmp/over.json"
		[ $? = 3 ] && jq -e --argjson line "$line" '(.over | length) == 1
			and .over[0].line == $line and (.within | not)
			and .over[0].value - .over[0].most == 4096
			and .over[0].rows[0].value > 0' "$tmp/over.json" && continue
		cat "$tmp/over.json" "$tmp/lower"
		return 1
	done
}
fact 'each limit that is one page lower is exceeded, and no other' by_a_page

one_mapping()
{
	most=$(sed -n 's/^mappings *//p' "$tmp/exact")
	checked run --max-mappings $((most - 1)) "$tmp/kept.run"
	[ "$(cat "$tmp/run.end")" = 'exited 3' ] &&
		grep -q "mappings: $most, 1 over its limit of $((most - 1))" \
			"$tmp/run.out" && [ ! -s "$tmp/run.err" ] && return
	cat "$tmp/run.end" "$tmp/run.out" "$tmp/run.err"
	return 1
}
fact 'so is one mapping less, and of a run it is said on standard output' \
	one_mapping

by_options()
{
	checked over --max-vm 1M --max-reserved 1M --max-committed 1M \
		--max-rss 64K --max-mappings 3 --max heap=4M --max 'gc bits=1K' \
		--max hep=4M --no-new-kinds "$hello"
	ends over 'exited 3' ': vm: ' ': reserved: ' ': committed: ' \
		': resident: ' ': mappings: ' ': heap: 64.0 MiB, 60.0 MiB over ' \
		': gc bits: .* over its limit of 1 KiB' ': text: .* of a kind' \
		'^goload: --max: hep: the run has no such kind$'
}
fact 'each limit has an option, and a kind that is misspelt is told' by_options

# A guard does not pass on nothing.
cut_short()
{
	head -c 4096 "$tmp/kept.run" >"$tmp/cut.run"
	checked cut --max-vm 4G "$tmp/cut.run"
	ends cut 'exited 125' "^goload: $tmp/cut.run: is cut short: "
}
fact 'a run file that is cut short is not checked' cut_short

crammed()
{
	cramped "$GOLOAD" check "$@" >"$tmp/full.out" 2>"$tmp/full.err"
	echo "exited $?" >"$tmp/full.end"
}

full_disk()
{
	rm -f "$tmp/full.budget"
	crammed --max-vm 4G "$hello"
	ends full 'exited 125' 'hello: its run is not whole: ' 'No space left' ||
		return
	crammed --update --budget "$tmp/full.budget" "$hello"
	ends full 'exited 125' 'hello: its run is not whole: ' || return
	[ ! -e "$tmp/full.budget" ] || return
	crammed --max-vm 4G sh -c 'exit 7'
	ends full 'exited 7' 'sh: its run is not whole: '
}
if cramped true; then
	fact 'nor is a program on a full disk' full_disk
else
	left_out 'nor is a program on a full disk' 'nothing can be mounted'
fi

# ---- how it ends ------------------------------------------------------------------

ends_as()
{
	checked well --max-vm 4G "$hello" && ends well 'exited 0' \
		'^goload: .*/hello: keeps to its budget: 1 limit; vm: ' || return
	checked over --max-vm 4M "$hello"
	ends over 'exited 3' ': vm: ' || return
	checked over --max-vm 4K sh -c 'exit 7'
	ends over 'exited 7' ': vm: ' || return
	checked over --max-vm 4K sh -c 'kill -USR1 $$'
	ends over 'killed by 10' ': vm: ' || return
	checked well --max-vm 4G "$SAMPLES/c-glibc-static/abort"
	ends well 'killed by 6' || return
	! grep -q goload "$tmp/well.err"
}
fact 'it ends as the program does, and with 3 when only the budget fails' ends_as

own_failures()
{
	checked bad --max-vm 4G "$tmp/nothing"
	ends bad 'exited 127' || return
	echo no program >"$tmp/text"
	checked bad --max-vm 4G "$tmp/text"
	ends bad 'exited 126' || return
	checked bad --max-vm 4G
	ends bad 'exited 125' 'no program given' || return
	checked bad "$hello"
	ends bad 'exited 125' '^goload: no limit given$' || return
	for option in --max-vm=x --max-mappings=1M --max=heap --max==4M \
		--max=heap=4X --no-new-kinds --update --slack=5% --for=1h \
		--budget="$tmp/nothing"; do
		checked bad "$option" "$hello"
		ends bad 'exited 125' '^goload: ' || return
		[ ! -s "$tmp/bad.out" ] || return
	done
	checked bad --max-vm 4G "$tmp/kept.run" more
	ends bad 'exited 125' '^goload: more: one run at a time$'
}
fact "goload's own failures are 125 to 127, and the program has not run" \
	own_failures

bad_budgets()
{
	for text in 'vm' 'heap 64M' 'kind 5M' 'vm 1M 2M' 'mappings 1K' \
		'no new kind'; do
		printf '# ours\n\n%s\n' "$text" >"$tmp/bad.budget"
		checked bad --budget "$tmp/bad.budget" "$hello"
		ends bad 'exited 125' "^goload: $tmp/bad.budget:3: " || return
		[ ! -s "$tmp/bad.out" ] && [ "$(wc -l <"$tmp/bad.err")" = 1 ] ||
			return
	done
	head -c 3000 "$hello" >"$tmp/bad.budget"
	checked bad --budget "$tmp/bad.budget" "$hello"
	ends bad 'exited 125' || return
	checked bad --budget "$tmp" "$hello"
	ends bad 'exited 125' 'Is a directory'
}
fact 'a budget that is wrong is told by file and line, before the program runs' \
	bad_budgets

own_streams()
{
	printf 'one\ntwo\n' >"$tmp/in"
	checked cat -q --max-vm 4K cat <"$tmp/in"
	ends cat 'exited 3' && cmp "$tmp/in" "$tmp/cat.out" || return
	checked log --log-file "$tmp/log" --max-vm 4K sh -c 'echo err >&2'
	[ "$(cat "$tmp/log.err")" = err ] && [ ! -s "$tmp/log.out" ] &&
		grep -q ': vm: ' "$tmp/log" || return
	checked log --log-file "$tmp/log.%p" --max-vm 4K "$tmp/nothing"
	ends log 'exited 127' && [ ! -s "$tmp/log.err" ] &&
		grep -q 'cannot be found' "$tmp/log.%p" || return
	checked quiet -q --max-vm 4G "$hello"
	ends quiet 'exited 0' && [ ! -s "$tmp/quiet.err" ]
}
fact "standard input, output and error are the program's" own_streams

keeps_run()
{
	rm -f "$tmp/new.run"
	checked keep -q -o "$tmp/new.run" --max-vm 4G "$hello"
	ends keep 'exited 0' &&
		"$GOLOAD" report "$tmp/new.run" | grep -q 'unexplained   0' ||
		return
	checked keep -o "$tmp/new.run" --max-vm 4G "$hello"
	ends keep 'exited 125' 'exists already' && [ ! -s "$tmp/keep.out" ]
}
fact '-o keeps the run' keeps_run

nobody()
{
	as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	checked nobody --max heap=4M "$hello"
	as=
	ends nobody 'exited 3' ': heap: 64.0 MiB, 60.0 MiB over its limit of 4 MiB'
}
if [ "$(id -u)" = 0 ]; then
	fact 'another user is told the same' nobody
fi

# ---- servers -----------------------------------------------------------------------

server()
{
	PORT=$((20000 + $$ % 10000))
	export PORT
	http=$SAMPLES/go/http
	checked server --max-vm 4G --drive "$drive" "$http"
	ends server 'exited 0' 'keeps to its budget' || return
	checked server --max heap=4M --drive "$drive" "$http"
	ends server 'exited 3' ': heap: .* over its limit' || return
	checked server --max-vm 4G --drive 'exit 9' "$http"
	ends server 'exited 9' '/http: --drive exited with 9$' || return
	checked server --max-vm 4G --for 100ms "$http"
	ends server 'exited 0' 'keeps to its budget' || return
	checked server --max-vm 4G --drive "$drive"'; kill -INT $GOLOAD_PID;
		sleep 60' "$http"
	ends server 'killed by 2'
}
fact 'a server is driven, or runs for some time, and what it ends with counts' \
	server

# ---- --update -----------------------------------------------------------------------

updates()
{
	rm -f "$tmp/new"
	GOMAXPROCS=2 checked new --update --budget "$tmp/new" "$hello"
	ends new 'exited 0' "^goload: $tmp/new: is new: " &&
		grep -q '^no new kinds$' "$tmp/new" || return
	for _ in 1 2 3 4 5; do
		GOMAXPROCS=2 checked again --budget "$tmp/new" "$hello"
		ends again 'exited 0' || return
	done
	chmod 640 "$tmp/new"
	cp "$tmp/new" "$tmp/old"
	GOMAXPROCS=2 checked again --update --budget "$tmp/new" "$hello"
	ends again 'exited 0' 'is left as it is' && cmp "$tmp/old" "$tmp/new" ||
		return
	sed -e 's/^kind heap  .*/# ours:\n\tkind heap 3M/' -e '/^kind text /d' \
		"$tmp/old" >"$tmp/new"
	checked again --budget "$tmp/new" "$hello"
	ends again 'exited 3' 'heap: .* over its limit of 3 MiB' \
		'text: .* of a kind' || return
	checked again --update --slack 0 --budget "$tmp/new" "$hello"
	ends again 'exited 0' ': heap is raised from 3 MiB to 64 MiB$' \
		': text is added: ' || return
	[ "$(diff "$tmp/old" "$tmp/new" | grep -c '^[<>]')" = 5 ] &&
		grep -qx "$(printf '\tkind heap 64 MiB')" "$tmp/new" &&
		[ "$(stat -c %a "$tmp/new")" = 640 ] && return
	diff "$tmp/old" "$tmp/new"
	stat -c %a "$tmp/new"
	return 1
}
fact '--update writes a budget that other runs keep to, and keeps what is written' \
	updates

no_update()
{
	rm -f "$tmp/none"
	checked fails --update --budget "$tmp/none" sh -c 'exit 4'
	ends fails 'exited 4' && [ ! -e "$tmp/none" ] || return
	checked fails --update --budget "$tmp/none/none" "$hello"
	ends fails 'exited 125' 'cannot be'
}
fact 'it writes nothing when the program fails' no_update

# ---- for machines --------------------------------------------------------------------

annotated()
{
	made hello go || return
	export GITHUB_ACTIONS=true GITHUB_WORKSPACE="$tmp/made"
	rm -f "$tmp/with,comma"
	checked note --update --budget "$tmp/with,comma" "$hello"
	checked note --budget "$tmp/with,comma" "$tmp/made/program"
	ends note 'exited 3' '^::error file=hello/more.go,line=7,title=goload%3A mapping over budget::mapping: 1.0 MiB, of a kind that the budget does not have%0A  1 MiB by 1 mmap call%0A' || return
	sed -i 's/^kind text .*/kind text 4K/' "$tmp/with,comma"
	GITHUB_WORKSPACE=$tmp checked note --budget "$tmp/with,comma" "$hello"
	ends note 'exited 3' '^::error file=with%2Ccomma,line=[0-9]*,title=goload%3A text over budget::text: ' ||
		return
	checked note --annotate none --budget "$tmp/with,comma" "$hello"
	ends note 'exited 3' && ! grep '^::' "$tmp/note.err" || return
	unset GITHUB_ACTIONS GITHUB_WORKSPACE
	checked note --budget "$tmp/with,comma" "$hello"
	ends note 'exited 3' && ! grep '^::' "$tmp/note.err" || return
	checked note --annotate github --budget "$tmp/with,comma" "$hello"
	ends note 'exited 3' '^::error '
}
fact 'GitHub is told the line of code, or else that of the budget' annotated

junit()
{
	checked junit --junit "$tmp/junit.xml" --max text=4K \
		--max '<&">=4K' --max-vm 4G --no-new-kinds "$hello"
	ends junit 'exited 3' || return
	python3 - "$tmp/junit.xml" <<-'PYTHON'
		import sys, xml.etree.ElementTree as tree
		suite = tree.parse(sys.argv[1]).getroot().find("testsuite")
		cases = suite.findall("testcase")
		failed = [c.get("name") for c in cases if c.find("failure") is not None]
		assert [c.get("name") for c in cases] == [
		    "the program ends well", "vm", "kind text", 'kind <&">',
		    "no new kinds"], cases
		assert failed == ["kind text", "no new kinds"], failed
		assert suite.get("tests") == "5" and suite.get("failures") == "2"
		text = cases[2].find("failure")
		assert text.get("message").startswith("text: "), text.attrib
		assert "by no call of the program" in text.text, text.text
	PYTHON
}
if command -v python3 >/dev/null; then
	fact 'JUnit gets a test case for each limit, in XML that can be read' junit
else
	left_out 'JUnit gets a test case for each limit, in XML that can be read' \
		'python3 is missing'
fi

# ---- go test -----------------------------------------------------------------------

mkdir -p "$tmp/module/a" "$tmp/module/b"
cat >"$tmp/module/go.mod" <<-'GO'
	module example.test/module

	go 1.18
GO
for package in a b; do
	cat >"$tmp/module/$package/it_test.go" <<-GO
		package $package

		import (
			"os"
			"syscall"
			"testing"
		)

		func TestIt(t *testing.T) {
			if os.Getenv("FAIL") == "$package" {
				t.Fatal("it was told to")
			}
			if os.Getenv("MORE") == "$package" {
				syscall.Mmap(-1, 0, 1<<20, syscall.PROT_NONE,
					syscall.MAP_PRIVATE|syscall.MAP_ANON)
			}
		}
	GO
done

# go_test OPTION...: each package's tests, held against its budget
go_test()
{
	(
		cd "$tmp/module" && PATH=$tmp:$PATH "$go" test -count=1 \
			-exec "goload check --budget=mem.budget $*" ./a ./b
	) >"$tmp/go.out" 2>&1
}

tests_of_go()
{
	rm -f "$tmp"/module/?/mem.budget
	go_test --update && [ -s "$tmp/module/a/mem.budget" ] &&
		[ -s "$tmp/module/b/mem.budget" ] && go_test &&
		[ "$(grep -c '^ok ' "$tmp/go.out")" = 2 ] &&
		! grep goload "$tmp/go.out" || return
	MORE=b go_test
	[ $? = 1 ] && grep -q '^ok .*module/a' "$tmp/go.out" &&
		grep -q '^FAIL.*module/b' "$tmp/go.out" &&
		grep -q 'b.test: mapping: 1.0 MiB, of a kind .*; example.test/module/b.TestIt .*/b/it_test.go:14$' \
			"$tmp/go.out" || return
	FAIL=a go_test
	[ $? = 1 ] && grep -q 'it was told to' "$tmp/go.out" &&
		grep -q '^FAIL.*module/a' "$tmp/go.out" &&
		! grep 'a.test: .* of a kind' "$tmp/go.out"
}

go_tests()
{
	tests_of_go && return
	cat "$tmp/go.out"
	return 1
}

for go in go /usr/lib/go/bin/go; do
	command -v "$go" >/dev/null || continue
	fact "go test -exec 'goload check' holds each package to its budget, $("$go" env GOVERSION)" \
		go_tests
done

finish
