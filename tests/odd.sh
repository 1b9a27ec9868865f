#!/bin/sh
# Odd programs end under goload as the kernel ends them: hundreds of ELF files,
# each odd in one thing (tests/odd/cases.c), executed natively and under goload.
# Where execve fails, goload says the same errno; where the kernel kills the
# program before its first instruction, goload refuses it, or with --faithful
# dies by the same signal; where it runs, it finds the same memory, registers,
# arguments and auxiliary vector. docs/loader.md has the same table.
# shellcheck disable=SC1091,SC2317
. "$(dirname "$0")/lib.sh"

case $(uname -r) in
[0-5].* | 6.[0-9].* | 6.[0-9]-* | 6.1[0-3].* | 6.1[0-3]-*)
	skip "the table is that of Linux 6.14 and later"
	;;
esac

cp "$PWD/tests/odd/odd" "$tmp/odd" # of make check, as this is
cp "$GOLOAD" "$tmp/goload"

# written NAME: the files, in a folder of their own; as `as` says
written()
{
	mkdir -m 777 "$tmp/$1" && cd "$tmp/$1" && $as "$tmp/odd" write
}

# agree NAME PROGRAM [CASE]: nothing differs with PROGRAM as goload
agree()
{
	said=$(cd "$tmp/$1" && shift && $as "$tmp/odd" run "$@" 2>&1)
	[ $? = 0 ] && case $said in
	*" cases, 0 differ"*) return ;;
	esac
	printf '%s\n' "$said"
	return 1
}

fact 'the files are written' written here
fact "all cases are as natively, as $(id -un)" agree here "$tmp/goload"
cd "$tmp/here" && "$tmp/odd" list >"$tmp/list"
fact 'there are hundreds of them' \
	[ "$(find . ! -name 'i-*' | wc -l)" -gt 400 ]

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	as='setpriv --reuid=65534 --regid=65534 --clear-groups'
	fact 'another user can write them, too' written user
	fact 'all cases are as natively, as another user' \
		agree user "$tmp/goload"
	as=
else
	left_out 'all cases are as natively, as another user' \
		'takes root and setpriv'
fi

# Control: who only executes the program is not goload, though a good program
# cannot tell.
cat >"$tmp/native" <<-'END'
	#!/bin/sh
	shift 2
	exec env -i ODD=1 "$@"
END
chmod 755 "$tmp/native"
fact 'control: executing it does for a good program' \
	agree here "$tmp/native" good
for case in mag0 filesz-more interp-missing interp-bss-past; do
	fact "control: executing it does not do for $case" \
		fails agree here "$tmp/native" $case
done
# And who changes one thing on the way shows.
cat >"$tmp/other" <<-'END'
	#!/bin/sh
	shift 2
	exec env -i ODD=1 ONE=more "$@"
END
chmod 755 "$tmp/other"
fact 'control: a string more in the environment shows' \
	fails agree here "$tmp/other" good

# ---- killed -------------------------------------------------------------------

# killed_alike: found in the headers, and found when it is mapped
killed_alike()
{
	for case in filesz-more memsz-2e46; do
		run native "$tmp/here/$case"
		run here "$GOLOAD" --faithful "$tmp/here/$case"
		alike native here &&
			grep -q '^killed by 11' "$tmp/here.end" && continue
		cat "$tmp/here.end" "$tmp/here.err"
		return 1
	done
}

fact '--faithful dies as the kernel kills, without a word' killed_alike
as='env --ignore-signal=SEGV'
if $as true 2>/dev/null; then
	fact 'also where SIGSEGV is ignored' killed_alike
	as='env --block-signal=SEGV'
	fact 'and where it is blocked' killed_alike
else
	left_out 'also where SIGSEGV is ignored' 'takes an env of coreutils 8.31'
fi
as='unshare -pf --kill-child'
if $as true 2>/dev/null; then
	fact 'and as pid 1' killed_alike
else
	left_out 'and as pid 1' 'takes root and unshare'
fi
as=

# ---- inspected ----------------------------------------------------------------

# inspected PROGRAM: whatever it is, PROGRAM says what, and soon
inspected()
{
	HUNG=10
	for file in "$tmp"/here/*; do
		run inspect "$1" inspect "$file"
		case $(cat "$tmp/inspect.end") in
		'exited 0' | 'exited 126' | 'exited 127') continue ;;
		esac
		HUNG=60
		echo "$file: $(cat "$tmp/inspect.end" "$tmp/inspect.err")"
		return 1
	done
	HUNG=60
}

fact 'goload inspect reads every file' inspected "$tmp/goload"

# ---- the first instruction ----------------------------------------------------

helper odd_start -nostdlib -static -fno-stack-protector -fcf-protection=none \
	-mgeneral-regs-only
ln -s odd_start "$tmp/a link"
many=$(seq 300)

# starts_alike PROGRAM ARGUMENT...: registers and stack, word by word
starts_alike()
{
	run native setarch -R "$@"
	run here setarch -R "$GOLOAD" -q "$@"
	alike native here && [ "$(wc -l <"$tmp/native.out")" -gt 60 ]
}

if setarch -R true 2>/dev/null; then
	fact 'registers and stack are the kernel'\''s' \
		starts_alike "$tmp/odd_start"
	fact 'with arguments, empty ones too' \
		starts_alike "$tmp/odd_start" one '' 'two three' ''
	# shellcheck disable=SC2086
	fact 'with 300 arguments' starts_alike "$tmp/odd_start" $many
	fact 'through a link' starts_alike "$tmp/a link" one
	as='env -i'
	fact 'without an environment' starts_alike "$tmp/odd_start" one
	as="env -i A=$(printf '%05000d' 0) B= C=c"
	fact 'with one of 5000 bytes' starts_alike "$tmp/odd_start" one
	as=
	PATH=$tmp:$PATH
	fact 'looked up in PATH' starts_alike odd_start
	cd "$tmp" || exit 1
	fact 'by a relative path' starts_alike ./odd_start one
	run native setarch -R ./odd_start one
	run here setarch -R "$GOLOAD" -q ./odd_start two
	fact 'control: another argument shows' fails alike native here
else
	left_out 'registers and stack are the kernel'\''s' 'takes setarch -R'
fi

# ---- the fuzzers, with the files for a corpus ---------------------------------

# replayed NAME SOURCE...: tests/fuzz_NAME.c and the sources take every file
replayed()
{
	name=$1
	shift
	helper odd_replay -fsanitize=address,undefined \
		-fno-sanitize-recover=all "$here/fuzz_$name.c" "$@" &&
		find "$tmp/here" -type f -size -300k -exec \
			"$tmp/odd_replay" {} +
}

echo 'int main(void) { return 0; }' >"$tmp/empty.c"
if $CC -fsanitize=address,undefined "$tmp/empty.c" -o "$tmp/empty" 2>/dev/null &&
	"$tmp/empty"; then
	fact 'loader/plan.c takes every file without a fault' replayed plan \
		"$here/../loader/plan.c" "$here/../loader/strerror.c"
	fact 'so does loader/stack.c' replayed stack "$here/../loader/stack.c"
	fact 'and observer/sites' replayed sites "$here"/../observer/sites/*.c -lZydis
else
	left_out 'loader/plan.c takes every file without a fault' \
		'takes the sanitizers'
fi

# ---- the table ----------------------------------------------------------------

# in_docs: the table of docs/loader.md is this one
in_docs()
{
	sed -n '/^| case |/,/^$/p' "$here/../docs/loader.md" |
		sed '/^$/d' >"$tmp/docs"
	diff "$tmp/list" "$tmp/docs"
}

fact 'docs/loader.md has the table (odd list)' in_docs
finish
