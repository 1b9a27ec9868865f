#!/bin/sh
# Go's own tests of its standard library, natively and under goload: the same ones
# pass, fail and are skipped, and the run of each test program is whole: its ledger
# closes, nothing is lost, and sites that have no patch are named.
#
#   tests/go-std.sh               those that map, signal and start others, quickly
#   tests/go-std.sh all           those of all packages that goload may disturb
#   tests/go-std.sh PACKAGE...    those of these packages
#
# GOS holds go commands (default: that on the PATH and Debian's) and GOTEST flags
# for their test (default: -short). A test with another result than natively gets
# TRIES (3): it is as natively when it once had a result that it natively had, too.
# COUNTS=N has the kernel count the calls of N of the test programs. KEEP=FOLDER
# keeps the run files.
# shellcheck disable=SC2046,SC2086
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kernel.sh"

: "${GOTEST:=-short}" "${TRIES:=3}" "${COUNTS:=0}" "${KEEP:=$tmp/runs}"
all='runtime runtime/... sync sync/... os os/... syscall net net/http io bufio time
	context plugin testing reflect internal/...'
quick='sync sync/atomic context bufio io syscall os/signal os/exec'
# of the tests of runtime those that start no other program, in so many names
in_runtime='Gc(DeepNesting|MapIndirection|ArraySlice|RescanStack|AssistTime)
	PeriodicGC HugeGCInfo GoroutineProfile GoroutineParallelism2? ReadMemStats
	Stack(Mem|GrowthCallback|SwitchCallback|AllOutput|Panic) Map.* Finalizer.*
	Preemption(GC)? PingPongHog SetPanicOnFault.* SpuriousWakeups.* DebugCall.*
	Mmap.* Mincore.* Epoll.* Nonblocking.* LFStack.* UserArena.* PageAlloc.*
	Scaveng.* Chan.* Sema.* SelfSelect NetpollWaiters Memmove TimerFairness2?'
in_runtime="^Test($(echo $in_runtime | tr ' ' '|'))\$"
export GOTOOLCHAIN=local GOPROXY=off GOWORK=off
[ -w "${HOME-/nowhere}" ] || export GOCACHE="${GOCACHE-$SAMPLES/.cache}"

# results_of FLAG... PACKAGE...: "package test result", a line each. A test that
# a process died in has none: it is its package that fails.
results_of()
{
	(cd "$sources" && "$go" test -json -count=1 -vet=off $GOTEST $only "$@") \
		2>>"$tmp/errors" </dev/null | tee -a "$tmp/said" |
		jq -r 'select(.Action == "pass" or .Action == "fail" or
			.Action == "skip") |
			"\(.Package) \(.Test // "-" | gsub(" "; "_")) \(.Action)"'
}

# add NAME FLAG... PACKAGE...: to the results that are known
add()
{
	name=$1
	shift
	results_of "$@" >"$tmp/new"
	sort -u "$tmp/new" "$tmp/$name" >"$tmp/all"
	mv "$tmp/all" "$tmp/$name"
}

# Tests that never had the same result both ways, but for those that ask for what
# differs by design (docs/design.md, docs/loader.md): whether mappings can have names, and, up to
# Go 1.20, that the first two with code have one.
named='runtime TestDecorateMappings'
known=$named
unlike()
{
	comm -12 "$tmp/native" "$tmp/here" | cut -d ' ' -f 1,2 | sort -u \
		>"$tmp/agreed"
	cat "$tmp/native" "$tmp/here" | cut -d ' ' -f 1,2 | sort -u |
		comm -23 - "$tmp/agreed" | grep -vxE "$known"
}

without_names()
{
	only="-run=^${named#* }\$"
	results_of -exec "$GOLOAD record -q --names=off -o $runs/%e.%p.run" \
		runtime >"$tmp/new"
	grep -F "$named " "$tmp/new" | grep -xF -f - "$tmp/native"
}

# same_results ONLY PACKAGE...: of these packages those tests that -run=ONLY
# chooses, or all
same_results()
{
	only=${1:+-run=$1}
	shift
	for _ in $(seq "$TRIES"); do
		add native "$@"
		add here -exec "$GOLOAD record -q -o $runs/%e.%p.run" "$@"
		unlike >"$tmp/unlike"
		[ -s "$tmp/unlike" ] || break
		echo "differ:" && cat "$tmp/unlike"
		set -- $(cut -d ' ' -f 1 "$tmp/unlike" | sort -u)
	done
	if [ ! -s "$tmp/unlike" ]; then
		grep -q ' pass$' "$tmp/native" && return
		echo "nothing passes" && cat "$tmp/errors"
		return 1
	fi
	echo 'never alike; < natively, > here:'
	while read -r test; do
		grep -F "$test " "$tmp/native" | sed 's/^/< /'
		grep -F "$test " "$tmp/here" | sed 's/^/> /'
	done <"$tmp/unlike"
	return 1
}

one_less()
{
	cp "$tmp/here" "$tmp/whole"
	last=$(cut -d ' ' -f 1,2 "$tmp/whole" | grep -vxE "$known" | tail -n 1)
	grep -vF "$last " "$tmp/whole" >"$tmp/here"
	[ -n "$(unlike)" ]
	seen=$?
	mv "$tmp/whole" "$tmp/here"
	return $seen
}

# whole NAME: does $tmp/NAME.json close, with each site patched or named? Races
# between calls of the program's own threads are counted, not forbidden.
whole()
{
	jq '.events.ambiguous = 0' "$tmp/$1.json" >"$tmp/unraced.json"
	closes unraced || return
	jq -e '.events | .sites > 0 and .sites_patched <= .sites and
		([.net_sites[].calls] | add // 0) == .net_recorded and
		(.net_hits == .net_recorded or any(.net_sites[]; .calls == 0))' \
		"$tmp/$1.json" >/dev/null && return
	echo "calls of sites that are not named"
	return 1
}

# packages_run: those of which a test ran natively, and that succeeded
packages_run()
{
	awk '$2 == "-" { result[$1] = result[$1] $3 }
	$2 != "-" { tests[$1] }
	END { for (name in tests) if (result[name] == "pass") print name }' \
		"$tmp/native" | sort
}

all_whole()
{
	open=0
	[ -n "$(ls "$runs")" ] || return
	for file in "$runs"/*.run; do
		"$GOLOAD" report --format json "$file" >"$tmp/one.json"
		whole one && continue
		echo "in ${file##*/}"
		open=$((open + 1))
	done
	[ $open = 0 ]
}

# A package's program has its last name that is no version, v2.
all_run()
{
	open=0
	for program in $(packages_run | sed 's:/v[0-9]*$::; s:.*/::' | sort -u); do
		set -- "$runs/$program".test.*.run
		[ -e "$1" ] && continue
		echo "no run of $program.test"
		open=$((open + 1))
	done
	[ $open = 0 ]
}

counted()
{
	folder=$(cd "$sources" && "$go" list -f '{{.Dir}}' "$1") &&
		(cd "$sources" && "$go" test -c -vet=off $GOTEST \
			-o "$tmp/counted.test" "$1") && cd "$folder" || return
	traced here -- "$tmp/counted.test" -test.short && same_counts here &&
		whole here
}

# with_tools NAME VERB ARGUMENT...: go and all that it starts; where NAME is here,
# each of them under goload. These are so many that process IDs come again.
with_tools()
{
	name=$1
	verb=$2
	shift 2
	tool=
	if [ "$name" = here ]; then
		tool=$tmp/tool
		cat >"$tool" <<-EOF
			#!/bin/sh
			exec $GOLOAD record -q \\
				-o $runs/%e.%p.\$(date +%s%N).run "\$@"
		EOF
		chmod +x "$tool"
	fi
	set -- $tool "$go" "$verb" -trimpath ${tool:+-toolexec "$tool"} "$@"
	(cd "$sources" && GOCACHE=$tmp/$name.cache "$@")
}

# made NAME: from an empty cache. What is in it has its checksum for a name.
made()
{
	with_tools "$1" build std &&
		with_tools "$1" build -o "$tmp/$1.gofmt" cmd/gofmt || return
	with_tools "$1" vet std >"$tmp/$1.vet" 2>&1
	(cd "$tmp/$1.cache" && find . -name '*-d') | sort >"$tmp/$1.made"
	rm -rf "$tmp/$1.cache"
}

same_made()
{
	made native && made here && [ -s "$tmp/here.made" ] &&
		diff "$tmp/native.made" "$tmp/here.made" &&
		diff "$tmp/native.vet" "$tmp/here.vet" &&
		cmp "$tmp/native.gofmt" "$tmp/here.gofmt"
}

# every_nth N: N of the lines, from all over
every_nth()
{
	awk -v n="$1" '{ line[NR] = $0 } END {
		for (i = 0; i < n && i < NR; i++)
			print line[1 + int(i * NR / (n < NR ? n : NR))] }'
}

# of_go GO PACKAGE...: or the quick ones
of_go()
{
	go=$1
	shift
	version=$("$go" env GOVERSION)
	# go does not look for runtime/... below a symbolic link
	sources=$(cd -P "$("$go" env GOROOT)/src" && pwd)
	runs=$KEEP/$version
	known=$named
	case $version in
	go1.1?.* | go1.1? | go1.20*)
		known="$known|runtime/pprof (-|TestConvert(CPU|Mem)Profile.*)"
		;;
	esac
	alike="$version: the same tests pass, fail and are skipped"
	if [ ! -e "$sources/runtime/malloc_test.go" ]; then
		left_out "$alike" "its sources have no tests"
		return
	fi
	mkdir -p "$runs"
	for file in native here errors said; do
		: >"$tmp/$file"
	done
	if [ $# -gt 0 ]; then
		fact "$alike" same_results '' "$@"
	else
		fact "$alike, of small packages" same_results '' $quick
		fact "$alike, of runtime's memory, threads and signals" \
			same_results "$in_runtime" runtime
	fi
	echo "# $(wc -l <"$tmp/native") results natively," \
		"$(wc -l <"$tmp/here") here," \
		"$(grep -c ' fail$' "$tmp/native") of them failures natively"
	if grep -qF "$named " "$tmp/native"; then
		fact "$version: ${named#* } is as natively with --names=off" \
			without_names
	fi
	fact "$version: a test that does not run here is seen" one_less
	fact "$version: there is a run of each of its test programs" all_run
	fact "$version: the runs of its test programs are whole" all_whole
	echo "# $(find "$runs" -name '*.run' | wc -l) run files"
	if [ "$what" = all ]; then
		runs=$runs/whole
		mkdir "$runs"
		fact "$version: go, compiler, linker and vet make the same of std" \
			same_made
		fact "$version: their runs are whole" all_whole
		echo "# $(find "$runs" -name '*.run' | wc -l) run files"
	fi
	for package in $(packages_run | every_nth "$COUNTS"); do
		fact "$version: $package: as many calls as the kernel counted" \
			counted "$package"
	done
}

[ "$COUNTS" = 0 ] || trace_with_kernel || skip "no tracefs with syscalls, or not root"
what=${1-quick}
[ "$what" != all ] || set -- $all
tested=
for go in ${GOS-go /usr/lib/go/bin/go}; do
	command -v "$go" >/dev/null || continue
	version=$("$go" env GOVERSION)
	case "$tested " in
	*" $version "*) ;;
	*) of_go "$go" "$@" ;;
	esac
	tested="$tested $version"
done
[ -n "$tested" ] || skip "go is missing"
finish
