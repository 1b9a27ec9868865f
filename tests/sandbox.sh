#!/bin/sh
# A sandbox forbids one system call: each that goload makes itself, in its turn,
# with EPERM and with ENOSYS. Then the program runs as it does there without
# goload and its ledger closes, or goload says in one line what it cannot do
# without. A filter that kills would kill the program, too: none of that here.
# shellcheck disable=SC1091,SC2317
. "$(dirname "$0")/lib.sh"

# CALL VERDICT of all that goload calls:
#   lives          the run is whole and the ledger closes
#   refused WORD   in a line with that word, and nothing of the program has run
#   unlooked WORD  it lives, but there is no last look at the kernel's map, and
#                  the report says so; or it is refused as above, where there is
#                  a dynamic loader to hand over
#   unpatched WORD refused with --patch=none alone
#   mute           refused, and nothing can be said
#   dies           no program with a signal handler lives; it ends as natively
table='
access lives
arch_prctl lives
brk lives
clock_gettime lives
clock_nanosleep lives
clone refused clone
clone3 lives
close lives
close_range lives
dup2 lives
execveat refused execveat
exit lives
exit_group lives
faccessat lives
faccessat2 lives
fcntl refused fcntl
fgetxattr lives
fstat lives
ftruncate refused ftruncate
futex lives
getpid refused getpid
getppid lives
getrandom lives
gettid lives
ioctl lives
kill lives
lseek lives
madvise lives
memfd_create refused memfd_create
mincore lives
mmap refused mmap
mprotect refused executable
mremap lives
munmap refused munmap
nanosleep lives
newfstatat refused found
open lives
openat refused read
personality lives
pidfd_open lives
pipe2 lives
poll lives
prctl unpatched prctl
pread64 unlooked pread
prlimit64 lives
process_vm_readv lives
process_vm_writev lives
pwrite64 refused pwrite
read lives
readlink lives
recvmsg unlooked recvmsg
rseq lives
rt_sigaction refused rt_sigaction
rt_sigpending lives
rt_sigprocmask refused rt_sigprocmask
rt_sigreturn dies
rt_tgsigqueueinfo lives
sched_getaffinity lives
sendmsg unlooked sendmsg
set_robust_list lives
set_tid_address lives
setsid lives
shmctl lives
socketpair refused socketpair
stat lives
sysinfo lives
uname lives
unlink lives
wait4 lives
waitid lives
write mute
writev lives
'
EPERM=1
ENOSYS=38

room
command -v strace >/dev/null || skip "strace is missing"
helper_static faults_do
compiled sandbox_deny sandbox_deny.so "$CC" -shared -fPIC
helper_static sandbox_do
compiled sandbox_do sandbox_do-glibc "$CC" -fPIE -pie -pthread
samples hello
echo '#include <asm/unistd_64.h>' | $CC -E -dM - |
	awk '$2 ~ /^__NR_/ { print substr($2, 6), $3 }' >"$tmp/numbers"
run probe "$tmp/faults_do" deny 999 1 true
[ "$(cat "$tmp/probe.end")" = 'exited 0' ] || skip "no seccomp filters"

number()
{
	awk -v name="$1" '$1 == name { print $2 }' "$tmp/numbers"
}

# denied NUMBER ERRNO PATCH PROGRAM: natively, where the filter comes before
# everything, and under goload, where it comes behind goload's own ld.so
denied()
{
	run native "$tmp/faults_do" deny "$1" "$2" "$4"
	rm -f "$tmp/file"
	if [ "$call" = rseq ]; then # libc takes it as a whole, or not at all
		run run "$tmp/faults_do" deny "$1" "$2" \
			"$GOLOAD" record -q --patch="$3" -o "$tmp/file" "$4"
	else
		run run env GOLOAD_TEST_DENY="$1 $2" \
			LD_PRELOAD="$tmp/sandbox_deny.so" \
			"$GOLOAD" record -q --patch="$3" -o "$tmp/file" "$4"
	fi
}

refused()
{
	[ "$(cat "$tmp/run.end")" = 'exited 125' ] ||
		[ "$(cat "$tmp/run.end")" = 'exited 126' ] || return
	[ ! -s "$tmp/run.out" ] && [ ! -s "$tmp/file" ] &&
		[ "$(wc -l <"$tmp/run.err")" = 1 ] &&
		grep -q "^goload: .*$1" "$tmp/run.err"
}

# lives RULE: as natively; RULE is true of the report
lives()
{
	cmp "$tmp/native.end" "$tmp/run.end" &&
		cmp "$tmp/native.out" "$tmp/run.out" &&
		"$GOLOAD" report --format json "$tmp/file" >"$tmp/json" &&
		[ "$(jq "$1" "$tmp/json")" = true ]
}
closed='.totals.unexplained == 0 and .totals.phantom == 0
	and .unexplained == [] and .events.lost == 0 and .run.complete
	and .run.checked'
unlooked='.events.lost == 0 and .run.complete and (.run.checked | not)'
unlooked()
{
	lives "$unlooked" && "$GOLOAD" report "$tmp/file" |
		grep -q 'no last look'
}

# as_told PATCH VERDICT [WORD]
as_told()
{
	case $2 in
	lives) lives "$closed" ;;
	refused) refused "$3" ;;
	unlooked) unlooked || refused "$3" ;;
	unpatched) if [ "$1" = none ]; then refused "$3"; else
		lives "$closed"; fi ;;
	mute) [ "$(cat "$tmp/run.end")" = 'exited 125' ] &&
		[ ! -s "$tmp/run.out" ] ;;
	dies) cmp "$tmp/native.end" "$tmp/run.end" ;;
	esac
}

# one ERRNO PATCH PROGRAM CALL VERDICT [WORD]
one()
{
	call=$4
	denied "$(number "$4")" "$1" "$2" "$3"
	as_told "$2" "$5" "${6-}" >"$tmp/told" 2>&1 && nothing_left && return
	echo "errno $1, --patch=$2, $3: natively it $(cat "$tmp/native.end")," \
		"under goload it $(cat "$tmp/run.end"):"
	cat "$tmp/told" "$tmp/run.out" "$tmp/run.err"
	jq -c '[.run, .exit, .totals, .events, .unexplained]' "$tmp/json"
	return 1
}

# Half of what could be combined; STRESS=1: all, and a Go program.
without()
{
	one $EPERM all "$tmp/sandbox_do" "$@" &&
		one $ENOSYS none "$tmp/sandbox_do-glibc" "$@" || return
	[ "${STRESS-}" ] || return 0
	for errno in $EPERM $ENOSYS; do
		for patch in all none; do
			one $errno $patch "$tmp/sandbox_do" "$@" &&
				one $errno $patch "$tmp/sandbox_do-glibc" \
					"$@" || return
			case $1 in # without these Go's end is a matter of luck
			exit | exit_group | futex | rt_sigreturn) continue ;;
			esac
			one $errno $patch "$SAMPLES/go/hello" "$@" || return
		done
	done
}

# What the sources name, and what a run is seen to make.
calls_of_sources()
{
	cat "$here"/../shim/*.c "$here"/../loader/*.c | tr -d '\n\t ' |
		grep -oE '(sys_call[0-6]|copy)\((TRACE_|_*)NR_[a-z0-9_]+' |
		sed 's/.*NR_//'
	cat "$here"/../shim/x86_64/*.S |
		sed -n 's/.*mov.*\$TRACE_NR_\([a-z0-9_]*\), %eax.*/\1/p'
	cat "$here"/../observer/*/*.c | tr -d '\n\t ' |
		grep -oE 'syscall\(SYS_[a-z0-9_]+' | sed 's/.*SYS_//'
}
calls_of_runs()
{
	for patch in all none; do
		rm -f "$tmp/file"
		strace -f -o "$tmp/strace" "$GOLOAD" --patch=$patch \
			-o "$tmp/file" "$SAMPLES/c-glibc-static/hello" \
			>"$tmp/out" 2>&1
		sed -nE 's/^[0-9]+ +([a-z_0-9]+)\(.*/\1/p' "$tmp/strace"
	done
}
table_is_whole()
{
	printf '%s\n' "$table" | awk 'NF { print $1 }' | sort -u >"$tmp/table"
	{ calls_of_sources && calls_of_runs; } | sort -u |
		grep -vx execve >"$tmp/made" # of goload itself
	[ "$(wc -l <"$tmp/made")" -gt 40 ] && comm -13 "$tmp/table" \
		"$tmp/made" >"$tmp/missing" && [ ! -s "$tmp/missing" ] && return
	cat "$tmp/missing"
	return 1
}

fact 'every call that goload makes is in the table' table_is_whole
while read -r call verdict word; do
	[ -z "$call" ] ||
		fact "$call is denied: $verdict${word:+ $word}" \
			without "$call" "$verdict" ${word:+"$word"}
done <<-TABLE
	$table
TABLE

finish
