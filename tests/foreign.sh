#!/bin/sh
# Programs of kinds that the samples do not have: other builds of Go, sanitizers,
# packers, other allocators, other languages, debuggers. Each runs as natively
# and its ledger closes, as root and as another user, patched and through the
# net alone. Calls that race on the same pages are counted, not forbidden. This
# is no part of `make check`.
#
#   tests/foreign.sh [KIND...]    those named (go-race, node ...), or all
#
# INSTALL=1 installs what is missing, by apt-get; else it is left out, by name.
# PACKER names a upx, of which Debian 12 has none. TABLE=FILE leaves the rows of
# docs/kinds.md there.
# shellcheck disable=SC2086,SC2317
. "$(dirname "$0")/lib.sh"

: "${INSTALL:=}" "${TABLE:=/dev/null}" "${PACKER:=upx}"
wanted=" $* "
nobody='setpriv --reuid=65534 --regid=65534 --clear-groups'
own_home=${HOME-/}
room
chmod 1777 "$tmp" # another user's runs are kept here
mkdir "$tmp/made"
mkdir -m 1777 "$tmp/home"
made=$tmp/made
: >"$TABLE"

# ---- what a kind needs ------------------------------------------------------

# asked KIND: by name, or as one of all?
asked()
{
	case $wanted in
	'  ' | *" $1 "*) kind=$1 ;;
	*) return 1 ;;
	esac
}

is_here()
{
	command -v "$1" >/dev/null || [ -e "$1" ]
}

# needs FILE PACKAGE: is it here, or can it be? Else $why says what is missing.
needs()
{
	is_here "$1" && return
	why="$1 is missing (Debian: $2)"
	[ -n "$INSTALL" ] || return
	DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
		--no-install-recommends "$2" >"$tmp/apt" 2>&1
	is_here "$1" && return
	why="$1: $(tail -n 1 "$tmp/apt")"
	return 1
}

# builds COMMAND...: else $why has the last that was said
builds()
{
	(cd "$made/${in-}" && HOME=$own_home timeout 300 "$@") \
		>"$tmp/build" 2>&1 && return
	why="does not build: $(grep . "$tmp/build" | tail -n 1)"
	return 1
}

# file NAME: its text is the input
file()
{
	mkdir -p "$(dirname "$made/$1")"
	cat >"$made/$1"
}

# ---- one program ------------------------------------------------------------

# same COMMAND...: natively and here, with nothing to read
same()
{
	run native "$@" </dev/null
	recorded here --patch="$mode" -- "$@" </dev/null
	jq '.events.ambiguous = 0' "$tmp/here.json" >"$tmp/closed.json"
	alike native here && closes closed && return
	echo "natively $(cat "$tmp/native.end")," \
		"under goload $(cat "$tmp/here.end")"
	tail -n 3 "$tmp/here.err"
	return 1
}

# One line: calls, cut, net hits, races, MiB, and why the net carried those.
numbers='.events as $e | [ $e.count, $e.truncated, $e.net_hits, $e.ambiguous,
	(.totals.vm_size / 1048576 | floor),
	([ $e.net_sites[] | (.module // "no file" | sub(".*/"; "")) +
	   ": " + .why ] | unique | join("; ")) ] | map(tostring) | join("|")'

# remark CLOSED: what the record holds; patched and root's is a row, too
remark()
{
	line=$(jq -r "$numbers" "$tmp/here.json" 2>/dev/null) || return
	echo "$line" | awk -F '|' '{ print "# " $1 " calls, " $2 " cut, " \
		$3 " by the net, " $4 " ambiguous, " $5 " MiB" }'
	[ "$mode$user" = all ] || return 0
	echo "$line" | awk -F '|' -v row="| $kind | $what | $1" \
		'{ print row, "|", $1, "|", $2, "|", $3, "|", $6, "|" }' \
		>>"$TABLE"
}

# Kinds whose code tells where its callers are: of a hundred stacks one is cut.
whole_kinds=' go-race go-msan go-asan go-external go-2MiB go-static-pie
	go-c-archive go-again gccgo c-address c-thread c-undefined c-memory
	c-2MiB c-aligned c-musl-static c-segments c++ libmimalloc libjemalloc
	libtcmalloc_minimal rust java node node-e perl php php-jit awk qemu '

whole()
{
	jq -e '.events.truncated * 100 <= .events.count' "$tmp/here.json" \
		>/dev/null
}

# program TITLE COMMAND...: in every way. $with holds variables for it, and
# commands before it; $modes, how sites are served.
with=
modes='all none'
program()
{
	what=$1
	shift
	as="env HOME=$tmp/home $with"
	run first "$@" </dev/null
	if [ "$(cat "$tmp/first.end")" != "exited 0" ]; then
		left_out "$what: as natively, and closed" "natively it $(
			cat "$tmp/first.end"): $(tail -n 1 "$tmp/first.err")"
		return
	fi
	for user in '' "$nobody"; do
		[ -z "$user" ] || [ "$(id -u)" = 0 ] || continue
		as="$user env HOME=$tmp/home $with"
		name=$([ "$user" ] && echo nobody || id -un)
		for mode in $modes; do
			failed_before=$failed
			fact "$what, as $name, --patch=$mode: as natively, and closed" \
				same "$@"
			remark "$([ "$failed" = "$failed_before" ] && echo yes ||
				echo no)"
			case $whole_kinds in
			*[[:space:]]"$kind"[[:space:]]*)
				fact "$what, as $name, --patch=$mode: its stacks are whole" \
					whole
				;;
			esac
			rm -f "$tmp/here.run" "$tmp/here.json"
		done
	done
	as=
}

missing()
{
	left_out "$1: as natively, and closed" "$why"
}

# built TITLE COMMAND...: program "$made/TITLE" when COMMAND has built it
built()
{
	title=$1
	shift
	if builds "$@"; then
		program "$title" "$made/$title"
	else
		missing "$title"
	fi
}

# ---- Go ---------------------------------------------------------------------

file go/go.mod <<'END'
module foreign

go 1.18
END
# Memory, goroutines, the collector, and C when it is there.
file go/work/main.go <<'END'
package main

import (
	"fmt"
	"runtime"
	"sync"
)

func main() {
	var wait sync.WaitGroup
	sums := make([]int, 8)
	for i := range sums {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			kept := [][]byte{}
			for j := 0; j < 64; j++ {
				kept = append(kept, make([]byte, 32<<10))
				kept[j][j] = byte(i)
				sums[i] += int(kept[j][j]) + inC(j)
			}
		}(i)
	}
	wait.Wait()
	runtime.GC()
	fmt.Println("sums", sums)
}
END
file go/work/c.go <<'END'
package main

/*
#include <stdlib.h>
#include <string.h>

static int in_c(int n)
{
	char *memory = malloc(300000);

	memset(memory, n, 300000);
	n = memory[299999];
	free(memory);
	return n;
}
*/
import "C"

func inC(n int) int { return int(C.in_c(C.int(n))) }
END
file go/lib/main.go <<'END'
package main

import "C"

//export Sum
func Sum(n C.int) C.int {
	sums := make(chan C.int)
	for i := C.int(0); i < n; i++ {
		go func(i C.int) {
			kept := make([]C.int, 100000)
			kept[i] = i
			sums <- kept[i]
		}(i)
	}
	var sum C.int
	for i := C.int(0); i < n; i++ {
		sum += <-sums
	}
	return sum
}

func main() {}
END
file go/uselib.c <<'END'
#include <pthread.h>
#include <stdio.h>

extern int Sum(int);

static void *thread(void *n)
{
	return (void *)(long)Sum((long)n);
}

int main(void)
{
	pthread_t other;
	void *sum;

	pthread_create(&other, NULL, thread, (void *)40L);
	pthread_join(other, &sum);
	return printf("%d %ld\n", Sum(100), (long)sum) < 0;
}
END
file go/openlib.c <<'END'
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	void *library = dlopen(argv[argc - 1], RTLD_NOW);
	int (*sum)(int) = library ? dlsym(library, "Sum") : NULL;

	if (!sum)
		return fprintf(stderr, "%s\n", dlerror()), 1;
	return printf("%d\n", sum(100)) < 0;
}
END
file go/host/main.go <<'END'
package main

import (
	"fmt"
	"os"
	"plugin"
)

func main() {
	opened, err := plugin.Open(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	f, err := opened.Lookup("Answer")
	if err != nil {
		panic(err)
	}
	fmt.Println(f.(func(int) int)(6))
}
END
file go/plug/main.go <<'END'
package main

func Answer(n int) int {
	kept := make([]int, 1<<20)
	kept[n] = 7
	return n * kept[n]
}
END
# "child": its own child; "exec": in its own place; "link": by /proc/self/exe
file go/again/main.go <<'END'
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Println("again", len(os.Args))
		return
	}
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	link, err := os.Readlink("/proc/self/exe")
	fmt.Println(self, link, err)
	if os.Args[1] == "link" {
		self = "/proc/self/exe"
	}
	if os.Args[1] == "exec" {
		panic(syscall.Exec(self, []string{self}, os.Environ()))
	}
	child, err := exec.Command(self).CombinedOutput()
	fmt.Print(string(child), err, "\n")
}
END

# go_builds OUTPUT PACKAGE FLAG...
go_builds()
{
	output=$made/$1 package=$2
	shift 2
	in=go builds env CGO_ENABLED=1 GOPROXY=off GOTOOLCHAIN=local \
		CC="${cc-gcc}" GOFLAGS='-mod=mod -buildvcs=false' \
		"$go" build -o "$output" "$@" "./$package"
}

# go_program KIND PACKAGE FLAG...
go_program()
{
	asked "$1" || return
	title=$1-$version package=$2
	shift 2
	if go_builds "$title" "$package" "$@"; then
		program "$title" "$made/$title"
	else
		missing "$title"
	fi
}

go_libraries()
{
	if asked go-c-shared; then
		title=go-c-shared-$version
		if go_builds libsum.so lib -buildmode=c-shared &&
			builds gcc go/uselib.c -o "$title" libsum.so \
				-Wl,-rpath,"$made" -pthread &&
			builds gcc go/openlib.c -o openlib -ldl; then
			program "$title" "$made/$title"
			program "$title opened" "$made/openlib" "$made/libsum.so"
		else
			missing "$title"
		fi
	fi
	if asked go-c-archive; then
		title=go-c-archive-$version
		if go_builds libsum.a lib -buildmode=c-archive &&
			builds gcc go/uselib.c -o "$title" libsum.a -pthread; then
			program "$title" "$made/$title"
		else
			missing "$title"
		fi
	fi
	if asked go-plugin; then
		title=go-plugin-$version
		if go_builds host host && go_builds plug.so plug \
			-buildmode=plugin; then
			program "$title" "$made/host" "$made/plug.so"
		else
			missing "$title"
		fi
	fi
}

go_again()
{
	asked go-again || return
	title=go-again-$version
	if ! go_builds "$title" again; then
		missing "$title"
		return
	fi
	for way in child link exec; do
		program "$title $way" "$made/$title" $way
	done
}

go_programs()
{
	version=$("$go" env GOVERSION)
	go_program go-race work -race
	cc=clang
	go_program go-msan work -msan
	cc=gcc
	go_program go-asan work -asan
	go_program go-external work -ldflags '-linkmode external'
	go_program go-2MiB work -ldflags \
		'-linkmode external -extldflags -Wl,-z,max-page-size=0x200000'
	go_program go-static-pie work -buildmode=pie -ldflags \
		'-linkmode external -extldflags -static-pie'
	go_libraries
	go_again
	if asked go-upx; then
		title=go-upx-$version
		why='upx is missing'
		if go_builds unpacked again && is_here "$PACKER" &&
			builds "$PACKER" -q -f -o "$title" unpacked; then
			program "$title" "$made/$title"
		else
			missing "$title"
		fi
	fi
}

for go in $(command -v go) /usr/lib/go/bin/go; do
	[ -x "$go" ] && go_programs
done

if asked gccgo; then
	gccgo=$(command -v gccgo || command -v gccgo-12 || echo gccgo)
	if needs "$gccgo" gccgo; then
		sed 's/ + inC(j)//' "$made/go/work/main.go" >"$made/gccgo.go"
		built gccgo "$gccgo" -O1 -g -o gccgo gccgo.go
		built gccgo-static "$gccgo" -O1 -g -static -o gccgo-static gccgo.go
	else
		missing gccgo
	fi
fi

# ---- C and C++ --------------------------------------------------------------

file work.c <<'END'
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long sum;

static void *thread(void *number)
{
	for (long i = 1; i < 300; i++) {
		size_t size = (size_t)i * i * 16;
		char *memory = malloc(size);

		memset(memory, (int)(long)number, size);
		memory = realloc(memory, size * 2);
		pthread_mutex_lock(&lock);
		sum += memory[size - 1];
		pthread_mutex_unlock(&lock);
		free(memory);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[4];
	void *mapped = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(mapped, 1, 1 << 20);
	for (long i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, thread, (void *)(i + 1));
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	munmap(mapped, 1 << 19);
	return printf("sum %ld\n", sum) < 0;
}
END
file throw.cc <<'END'
#include <iostream>
#include <map>
#include <stdexcept>
#include <thread>
#include <vector>

static int deep(int n)
{
	std::vector<int> memory(n * 1000, n);

	if (n == 50)
		throw std::runtime_error("deep");
	return deep(n + 1) + memory[0];
}

int main()
{
	std::map<int, int> caught;
	auto work = [&] {
		for (int i = 0; i < 100; i++)
			try {
				deep(0);
			} catch (const std::exception &error) {
				caught[i]++;
			}
	};

	work();
	std::thread(work).join();
	std::cout << caught.size() << " " << caught[99] << std::endl;
}
END
file aligned.c <<'END'
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(1 << 21) char data[1 << 22] = { 1 };
static _Alignas(1 << 21) char bss[1 << 22];
static _Thread_local _Alignas(1 << 16) char tls[1 << 16] = { 1 };

int main(void)
{
	void *memory;

	for (size_t align = 1 << 12; align <= (size_t)1 << 34; align <<= 2) {
		if (posix_memalign(&memory, align, align / 4))
			return 1;
		memset(memory, 1, 1 << 10);
		if ((uintptr_t)memory % align)
			return 2;
	}
	printf("%d %d %d\n", (int)((uintptr_t)data % (1 << 21)),
	       (int)((uintptr_t)bss % (1 << 21)),
	       (int)((uintptr_t)tls % (1 << 16)));
	return 0;
}
END

sanitizers()
{
	for sanitizer in address thread leak undefined memory; do
		asked "c-$sanitizer" || continue
		for compiler in gcc clang; do
			[ $compiler-$sanitizer != gcc-memory ] || continue
			title=c-$sanitizer-$compiler
			needs $compiler $compiler || {
				missing "$title"
				continue
			}
			built "$title" $compiler -O1 -g -fsanitize=$sanitizer \
				-pthread work.c -o "$title"
		done
	done
}

c_programs()
{
	big=-Wl,-z,max-page-size=0x200000
	asked c-2MiB && {
		built c-2MiB gcc -O1 $big -pthread work.c -o c-2MiB
		built c-2MiB-nopie gcc -O1 -no-pie $big -pthread work.c \
			-o c-2MiB-nopie
		built c-2MiB-static gcc -O1 -static $big -pthread work.c \
			-o c-2MiB-static
	}
	asked c-aligned && {
		built c-aligned gcc -O1 aligned.c -o c-aligned
		built c-aligned-static gcc -O1 -static aligned.c \
			-o c-aligned-static
	}
	asked c-musl-static && {
		if needs musl-gcc musl-tools; then
			built c-musl-static musl-gcc -O1 -static -pthread \
				work.c -o c-musl-static
		else
			missing c-musl-static
		fi
	}
	asked c-segments && built c-segments gcc -O1 -Wl,-z,noseparate-code \
		-Wl,-z,execstack -pthread work.c -o c-segments
	asked c++ && {
		built c++ g++ -O1 -pthread throw.cc -o c++
		built c++-static g++ -O1 -static -pthread throw.cc -o c++-static
	}
}

allocators()
{
	while read -r library package; do
		asked "${library%%.*}" || continue
		library=/usr/lib/$(gcc -print-multiarch)/$library
		title=${library##*/}
		title=${title%%.*}
		if needs "$library" "$package" &&
			builds gcc -O1 -pthread work.c -o work; then
			with="LD_PRELOAD=$library"
			program "$title" "$made/work"
			with=
		else
			missing "$title"
		fi
	done <<-'END'
		libmimalloc.so.2 libmimalloc2.0
		libjemalloc.so.2 libjemalloc2
		libtcmalloc_minimal.so.4 libtcmalloc-minimal4
	END
}

c_packed()
{
	asked c-upx || return
	for form in -static '-no-pie' '-pie -fPIE'; do
		title=c-upx$(echo "$form" | tr -d ' ')
		why='upx is missing'
		if is_here "$PACKER" && builds gcc -O1 $form -pthread work.c \
			-o unpacked && builds "$PACKER" -q -f -o "$title" unpacked; then
			program "$title" "$made/$title"
		else
			missing "$title"
		fi
		rm -f "$made/unpacked"
	done
}

sanitizers
c_programs
allocators
c_packed

# ---- other languages --------------------------------------------------------

file threads.rs <<'END'
use std::collections::HashMap;
use std::thread;

fn main() {
    std::panic::set_hook(Box::new(|_| ()));
    let threads: Vec<_> = (0..8)
        .map(|i| {
            thread::spawn(move || {
                let kept: HashMap<usize, Vec<u8>> =
                    (0..100).map(|j| (j, vec![i as u8; 10000])).collect();
                kept.values().map(|v| v[9999] as usize).sum::<usize>()
            })
        })
        .collect();
    let sums: Vec<usize> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    let caught = std::panic::catch_unwind(|| sums[sums.len()]);
    println!("{:?} {}", sums, caught.is_err());
}
END
file Threads.java <<'END'
public class Threads {
	public static void main(String[] args) throws Exception {
		Thread[] threads = new Thread[4];
		long[] sums = new long[4];

		for (int i = 0; i < 4; i++) {
			int n = i;
			threads[i] = new Thread(() -> {
				for (int j = 0; j < 2000; j++)
					sums[n] += new byte[10000].length + n;
			});
			threads[i].start();
		}
		for (Thread thread : threads)
			thread.join();
		System.gc();
		System.out.println(sums[0] + " " + sums[3]);
	}
}
END
file threads.js <<'END'
const { Worker, isMainThread, parentPort } = require('worker_threads')
if (isMainThread) {
	const kept = [...Array(100000).keys()].map(i => ({ i }))
	const worker = new Worker(__filename)
	worker.on('message', sum => console.log(sum, kept.length))
} else {
	let sum = 0
	for (let i = 0; i < 1e6; i++) sum = (sum + i) % 1000003
	parentPort.postMessage(sum)
}
END
file calls.py <<'END'
import ctypes, mmap, multiprocessing, sys, threading


def square(n):
    return n * n


def c():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    memory = libc.malloc(1 << 20)
    ctypes.memset(memory, 7, 1 << 20)
    print(ctypes.string_at(memory + 99, 1))
    libc.free(memory)
    order = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int),
                             ctypes.POINTER(ctypes.c_int))
    numbers = (ctypes.c_int * 5)(5, 3, 1, 4, 2)
    libc.qsort(numbers, 5, 4, order(lambda a, b: a[0] - b[0]))
    print(list(numbers))


def maps():
    shared = mmap.mmap(-1, 1 << 20)
    with open(sys.executable, 'rb') as program:
        mapped = mmap.mmap(program.fileno(), 0, prot=mmap.PROT_READ)
    shared[:4] = mapped[:4]
    shared.resize(1 << 21)
    private = mmap.mmap(-1, 1 << 16, flags=mmap.MAP_PRIVATE)
    print(shared[:4], len(shared), private[:2])


if __name__ == '__main__':
    c()
    maps()
    threads = [threading.Thread(target=lambda: bytearray(1 << 22))
               for i in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    sys.stdout.flush()
    for how in 'fork', 'spawn':
        with multiprocessing.get_context(how).Pool(2) as pool:
            print(how, pool.map(square, range(5)))
END
file work.lua <<'END'
local t = {}
for i = 1, 200000 do t[i] = { i * 2 } end
local s = 0
for i = 1, 5e6 do s = (s + i) % 1000003 end
local ffi = require 'ffi'
ffi.cdef 'void *malloc(size_t); void free(void *);'
local memory = ffi.C.malloc(1000000)
ffi.fill(memory, 1000000, 1)
ffi.C.free(memory)
print(#t, s)
END
file work.rb <<'END'
threads = 4.times.map { |i| Thread.new { (0..50_000).map { |j| "#{i} #{j}" }.size } }
puts threads.map(&:value).sum, Fiber.new { Fiber.yield 7 }.resume
pid = fork { exit 3 }
Process.wait pid
puts $?.exitstatus
END
file work.php <<'END'
<?php
for ($i = 0, $kept = []; $i < 200000; $i++)
	$kept[] = str_repeat('x', $i % 100);
echo count($kept), " ", array_sum(array_map('strlen', $kept)), "\n";
END
file Work.cs <<'END'
using System;
using System.Threading;

class Work {
	static void Main() {
		long sum = 0;
		var threads = new Thread[4];

		for (int i = 0; i < 4; i++) {
			threads[i] = new Thread(() => {
				for (int j = 0; j < 2000; j++)
					Interlocked.Add(ref sum, new byte[10000].Length);
			});
			threads[i].Start();
		}
		foreach (var thread in threads)
			thread.Join();
		GC.Collect();
		Console.WriteLine(sum);
	}
}
END

# language KIND FILE PACKAGE ARGUMENT...
language()
{
	asked "$1" || return
	title=$1 command=$2 package=$3
	shift 3
	if needs "$command" "$package"; then
		program "$title" "$(command -v "$command")" "$@"
	else
		missing "$title"
	fi
}

rust_programs()
{
	asked rust || return
	needs rustc rustc || {
		missing rust
		return
	}
	built rust rustc -O -g threads.rs -o rust
	built rust-static rustc -O -C target-feature=+crt-static threads.rs \
		-o rust-static
}

java_programs()
{
	asked java || return
	needs java openjdk-17-jre-headless || {
		missing java
		return
	}
	java=$(readlink -f "$(command -v java)")
	program "java -version" "$java" -version
	for collector in Serial G1; do
		title="java Threads, $collector"
		if needs javac openjdk-17-jdk-headless &&
			builds javac Threads.java; then
			program "$title" "$java" -XX:+Use${collector}GC \
				-Xshare:auto -cp "$made" Threads
		else
			missing "$title"
		fi
	done
}

mono_program()
{
	asked mono || return
	if needs mono mono-runtime && needs mcs mono-mcs &&
		builds mcs Work.cs; then
		program mono "$(command -v mono)" "$made/Work.exe"
	else
		missing mono
	fi
}

erlang_program()
{
	asked erlang || return
	needs erl erlang-base || {
		missing erlang
		return
	}
	# erl is a script, which executes this
	root=$(erl -noinput -noshell -eval 'io:put_chars(code:root_dir()), halt().')
	emulator=$(echo "$root"/erts-*/bin/beam.smp)
	with="BINDIR=${emulator%/*} ROOTDIR=$root EMU=beam"
	program erlang "$emulator" -- -root "$root" -bindir "${emulator%/*}" \
		-progname erl -- \
		-home "$tmp/home" -- -noshell -noinput -eval 'Sum = fun(N) ->
			lists:sum(lists:seq(1, N)) end, Self = self(),
		[spawn(fun() -> Self ! Sum(10000) end) || _ <- lists:seq(1, 100)],
		io:format("~p~n", [lists:sum([receive S -> S end ||
			_ <- lists:seq(1, 100)])]), halt().'
	with=
}

rust_programs
java_programs
language node node nodejs "$made/threads.js"
language node-e node nodejs -e 'console.log([1, 2, 3].map(i => i * i))'
language python /usr/bin/python3 python3 "$made/calls.py"
language luajit luajit luajit "$made/work.lua"
language perl perl perl -e 'my %kept = map { $_ => "x" x 1000 } 1..20000;
	if (!(my $pid = fork)) { exit 3 } wait; print scalar(keys %kept), " $?\n"'
language ruby ruby ruby "$made/work.rb"
language php php php-cli "$made/work.php"
language php-jit php php-cli -d opcache.enable_cli=1 \
	-d opcache.jit_buffer_size=16M "$made/work.php"
language sbcl sbcl sbcl --noinform --non-interactive --eval \
	'(progn (dotimes (i 200) (make-array 1000000)) (gc :full t) (print 42))'
language awk mawk mawk 'BEGIN { for (i = 0; i < 100000; i++) a[i] = i
	print length(a) }'
mono_program
erlang_program
asked dotnet && {
	why='dotnet is missing, and Debian has no package of it'
	if is_here dotnet; then
		program dotnet "$(command -v dotnet)" --version
	else
		missing dotnet
	fi
}

# ---- programs that run programs ---------------------------------------------

watchers()
{
	builds gcc -O1 -g -static -pthread work.c -o watched || return
	builds gcc -O1 -g -pthread work.c -o watched-dynamic || return
	builds g++ -O1 -g -pthread throw.cc -o throw || return
	language qemu qemu-x86_64 qemu-user "$made/watched"
	language gdb gdb gdb -nx -batch -ex 'break main' -ex run -ex 'info line' \
		"$made/throw"
	language strace strace strace -f -qq -e trace=munmap -o /dev/null \
		"$made/watched-dynamic"
	language valgrind valgrind valgrind -q "$made/watched-dynamic"
}
watchers
finish
