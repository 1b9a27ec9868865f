#!/bin/sh
# Every memory call is an event: as many of each as the kernel counts, for the
# very same run (tracefs), and for programs that do the same each time as
# strace counts natively. And what is not an event is unexplained.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kernel.sh"

samples hello churn malloc fork threads signals spin hello.dynamic \
	churn.dynamic malloc.dynamic fork.dynamic threads.dynamic \
	signals.dynamic hello.pie hello.cgo hello.cgo-pie hello.cgo-static \
	churn.pie churn.cgo churn.cgo-pie churn.cgo-static spin.cgo http.cgo
helper drop
helper dynamic_open -ldl
helper dynamic_threads -pthread
helper counts_vdso
musl-gcc -O1 "$here/helpers/dynamic_threads.c" -o "$tmp/musl_threads" ||
	skip "musl-gcc is missing (Debian: musl-tools)"
# ---- against strace ---------------------------------------------------------

# The first call is the execve of strace's own child.
straced()
{
	name=$1
	shift
	strace -o "$tmp/strace" "$@" >/dev/null 2>&1 || return
	sed -nE '1d; s/^([a-z_0-9]+)\(([A-Z_0-9a-z]*).*/\1 \2/p' \
		"$tmp/strace" | recorded_only >"$tmp/$name.kernel"
}

as_strace()
{
	sample=$1
	shift
	for kind in $(kinds "$sample" | grep ^c-); do
		straced here "$SAMPLES/$kind" "$@" || return
		recorded here --patch="$mode" -- "$SAMPLES/$kind" "$@"
		same_counts here && closes here && continue
		echo "in $kind; < the kernel, > goload"
		return 1
	done
}

against_strace()
{
	if ! strace -o /dev/null true; then
		left_out "counts as natively, --patch=$mode" "strace does not run"
		return
	fi
	fact "hello: as many calls as natively, --patch=$mode" as_strace hello
	fact "churn: as many calls as natively, --patch=$mode" \
		as_strace churn 200
	fact "malloc: as many calls as natively, --patch=$mode" as_strace malloc
	fact "fork: as many calls as natively, --patch=$mode" as_strace fork
}

# ---- against the kernel's own count of the same run ---------------------------

as_kernel()
{
	sample=$1
	builds=$2
	shift 2
	for kind in $(kinds "$sample" | grep "^$builds"); do
		traced here --patch="$mode" -- "$SAMPLES/$kind" "$@" &&
			same_counts here && closes here && continue
		echo "in $kind; < the kernel, > goload"
		return 1
	done
}

# with_libc SAMPLE ARGUMENT...: what a dynamic loader or a libc brings to life
with_libc()
{
	sample=$1
	shift
	for kind in $(cd "$SAMPLES" && find go1* c-*dynamic* \( \
		-name "$sample" -path 'c-*' -o -name "$sample.pie" -o \
		-name "$sample.cgo*" \) -type f | sort); do
		of_kernel "$SAMPLES/$kind" "$@" || return
	done
}

# served KIND N: a server that answers N requests and dies of a Ctrl-C
served()
{
	rm -f "$tmp/here.run"
	watched timeout "$HUNG" bash "$here/serve.sh" "$2" \
		sh "$tmp/traced" "$tracing" "$GOLOAD" record -q \
		--patch="$mode" -o "$tmp/here.run" "$SAMPLES/$1"
	"$GOLOAD" report --format json "$tmp/here.run" >"$tmp/here.json"
	count_traced here && same_counts here && closes here && return
	echo "in $1; < the kernel, > goload"
	return 1
}

# real COMMAND...: it does its work, with threads or children
real()
{
	of_kernel "$@" || return
	if ! grep -qx 'exited 0' "$tmp/here.end"; then
		cat "$tmp/here.end" "$tmp/here.err"
		return 1
	fi
	grep -qE '(clone3?|v?fork)$' "$tmp/here.kernel" && return
	echo "neither threads nor children"
	return 1
}

# one_of_kernel NAME PROGRAM ARGUMENT...: when PROGRAM is here
one_of_kernel()
{
	what=$1
	shift
	if [ -z "$1" ]; then
		left_out "$what: $how" "not here"
	else
		fact "$what: $how" real "$@"
	fi
}

# What others have written, each with threads, with children, or with both.
real_programs()
{
	one_of_kernel "go build" "$go" build -o "$tmp/made" "$tmp/main.go"
	one_of_kernel gcc "$gcc" -O1 -pthread "$here/helpers/dynamic_threads.c" \
		-o "$tmp/made"
	one_of_kernel "make -j 2" "$make" -B -j 2 -f "$tmp/makefile"
	one_of_kernel "git repack" "$git" -C "$tmp/git" repack -adfq --threads=2
	one_of_kernel "git grep" "$git" -C "$tmp/git" grep --threads=4 -c main
	one_of_kernel xz "$xz" -T 4 --block-size=1MiB -c "$GOLOAD"
	one_of_kernel sqlite3 "$sqlite" :memory: ".read $tmp/in.sql"
	one_of_kernel bash "$bash" "$tmp/in.sh"
	one_of_kernel fish "$fish" --no-config "$tmp/in.fish"
	one_of_kernel Python "$python" "$tmp/in.py"
	one_of_kernel perl "$perl" "$tmp/in.pl"
	one_of_kernel node "$node" "$tmp/in.js"
}

against_kernel()
{
	if [ -z "$tracing" ]; then
		left_out "counts as the kernel's, --patch=$mode" \
			"no tracefs with syscalls, or not root"
		return
	fi
	how="as many calls as the kernel counted, --patch=$mode"
	fact "Go hello: $how" as_kernel hello go
	fact "Go churn with 8 threads: $how" as_kernel churn go 500
	fact "Go spin with its children: $how" as_kernel spin go "$tmp/profile" 200
	fact "C hello: $how" as_kernel hello c
	fact "C churn: $how" as_kernel churn c 500
	fact "C threads: $how" as_kernel threads c
	fact "C fork: $how" as_kernel fork c
	fact "C signals: $how" as_kernel signals c 300
	fact "hello with libc: $how" with_libc hello
	fact "churn with libc: $how" with_libc churn 300
	fact "malloc with libc: $how" with_libc malloc 1000
	fact "fork with libc: $how" with_libc fork
	fact "threads with libc: $how" with_libc threads 10
	fact "signals with libc: $how" with_libc signals 100
	fact "Go spin with libc: $how" with_libc spin "$tmp/profile" 200
	for kind in $(cd "$SAMPLES" && echo go1*/http.cgo); do
		fact "a server with libc, $kind, 1,000 requests: $how" \
			served "$kind" 1000
	done
	fact "10,000 threads: $how" of_kernel "$tmp/dynamic_threads" 10000
	fact "10,000 threads with musl: $how" of_kernel "$tmp/musl_threads" 10000
	fact "3 libraries opened and closed 100 times: $how" of_kernel \
		"$tmp/dynamic_open" 100 libm.so.6 cos libz.so.1 zlibVersion \
		libelf.so.1 elf_version
	[ -z "$cxx" ] || fact "C++: $how" of_kernel "$cxx" sort
	real_programs
}

# ---- what is missing is seen --------------------------------------------------

# No site patched and no net: no event, and the count is not the kernel's.
unseen()
{
	straced here "$SAMPLES/c-glibc-static/churn" 10 || return
	recorded here -- "$SAMPLES/c-glibc-static/churn" 10
	same_counts here || return
	jq '.events.by_call.munmap -= 1' "$tmp/here.json" >"$tmp/fewer"
	mv "$tmp/fewer" "$tmp/here.json"
	fails same_counts here || return
	recorded here --patch=none --net=off -- \
		"$SAMPLES/c-glibc-static/churn" 10
	[ "$(jq .events.count "$tmp/here.json")" = 0 ] &&
		fails same_counts here && fails closes here
}

in_vdso()
{
	recorded here -- "$tmp/counts_vdso"
	closes here && jq -e '.events.net_hits == 0' "$tmp/here.json" \
		>/dev/null && grep -qx 'exited 0' "$tmp/here.end"
}

# Every mmap dropped in its turn, of those that nothing else touches.
dropped()
{
	recorded whole -- "$SAMPLES/$1"
	closes whole || return
	n=0
	while range=$("$tmp/drop" "$tmp/whole.run" $n "$tmp/part.run"); do
		"$GOLOAD" report --format json "$tmp/part.run" \
			>"$tmp/part.json" || return
		found=$(jq -r '.unexplained[] | .start + " " + .end' \
			"$tmp/part.json")
		if [ "$found" != "$range" ]; then
			echo "mmap $n was $range, unexplained is $found"
			return 1
		fi
		jq -e --argjson size $((${range#* } - ${range% *})) '.totals |
			.unexplained == $size and
			.target + .goload + $size == .vm_size' \
			"$tmp/part.json" >/dev/null || return
		fails closes part || return
		n=$((n + 1))
	done
	[ $n -gt "$2" ] && return
	echo "only $n mappings could be dropped"
	return 1
}

# -----------------------------------------------------------------------------

program()
{
	command -v "$1" || true
}
# not pyenv's script, but what it starts
python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null) || python=
perl=$(program perl)
node=$(program node)
go=$(program go)
gcc=$(program gcc)
make=$(program make)
git=$(program git)
xz=$(program xz)
sqlite=$(program sqlite3)
bash=$(program bash)
fish=$(program fish)
cxx=$(program g++)
if [ -n "$cxx" ]; then
	g++ -std=gnu++11 -O1 "$here/helpers/libc_throw.cc" -pthread -ldl \
		-o "$tmp/libc_throw" || exit 1
	cxx=$tmp/libc_throw
fi

# What they are given to do.
unset MAKEFLAGS MAKELEVEL # of make check
export GOTOOLCHAIN=local GOWORK=off
[ -w "${HOME-/nowhere}" ] || export GOCACHE="${GOCACHE-$SAMPLES/.cache}"
echo "package main; func main() { println($$) }" >"$tmp/main.go"
cat >"$tmp/makefile" <<-EOF
	all: $tmp/ended.o $tmp/drop.o
	$tmp/%.o: $here/helpers/%.c; $CC -D_GNU_SOURCE -I$here/.. -c \$< -o \$@
EOF
if [ -n "$git" ]; then
	mkdir "$tmp/git"
	cp -R "$here/helpers" "$tmp/git"
	git -C "$tmp/git" init -q
	git -C "$tmp/git" add .
	git -C "$tmp/git" -c user.name=x -c user.email=x@localhost commit -qm x
fi
cat >"$tmp/in.sql" <<-'EOF'
	PRAGMA threads = 4;
	PRAGMA cache_size = 100;
	CREATE TABLE t AS WITH RECURSIVE n(i) AS
		(SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000)
		SELECT i, hex(i * 7919 % 100003) AS h FROM n;
	CREATE INDEX u ON t(h);
	.shell echo of a child
	SELECT count(*) FROM t;
EOF
cat >"$tmp/in.sh" <<-'EOF'
	for i in {1..50}; do
		(echo "$i") | cat | read -r _ &
		text+=$(echo "$i")
	done
	wait
EOF
cat >"$tmp/in.fish" <<-'EOF'
	for i in (seq 20)
		echo $i | cat | string replace 1 2
		true (command true)
	end
EOF
cat >"$tmp/in.py" <<-'EOF'
	import ctypes, json, multiprocessing, socket, subprocess, threading
	threads = [threading.Thread(target=sorted, args=[range(100000)])
	           for _ in range(8)]
	for thread in threads: thread.start()
	for thread in threads: thread.join()
	with multiprocessing.Pool(2) as pool: print(pool.map(abs, range(100)))
	subprocess.run(['true'])
EOF
cat >"$tmp/in.pl" <<-'EOF'
	use threads;
	use POSIX;
	my @threads = map { threads->create(sub {
		my %h; $h{$_} = "x" x 100 for 1 .. 10000 }) } 1 .. 4;
	$_->join for @threads;
	system "true";
	fork or POSIX::_exit(0);
	print `echo child`, wait;
EOF
cat >"$tmp/in.js" <<-'EOF'
	const { Worker } = require('worker_threads');
	const { spawnSync } = require('child_process');
	for (let i = 0; i < 2; i++)
		new Worker('[1, 2, 3].map(i => i * i)', { eval: true });
	console.log(spawnSync('echo', ['of a child']).stdout.toString());
EOF

trace_with_kernel
for mode in all none; do
	against_strace
	against_kernel
done
fact "the sites of the vDSO are patched, too" in_vdso
fact "control: a call that is no event fails the count" unseen
for kind in $(kinds hello | grep ^go); do
	fact "each mmap dropped of $kind is unexplained, with its exact range" \
		dropped "$kind" 3
done
finish
