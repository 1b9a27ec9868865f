#!/bin/sh
# Code that arrives while the program runs: what is patched, and what must not
# be.
. "$(dirname "$0")/lib.sh"

# A static program with syscall sites, as a file that can be mapped.
samples hello
helper late_map -O1 -static
cp "$SAMPLES/c-glibc-static/hello" "$tmp/library"
cp "$tmp/library" "$tmp/untouched"

mapped_shared()
{
	recorded shared -- "$tmp/late_map" shared "$tmp/library"
	grep -q '^mapped' "$tmp/shared.out" || return
	cmp "$tmp/library" "$tmp/untouched"
}
fact 'a shared mapping is never written to' mapped_shared
fact 'and its run closes' closes shared

# Control: a file that does change is noticed.
changed()
{
	printf x | dd of="$tmp/library" bs=1 seek=5000 conv=notrunc 2>/dev/null
	cmp -s "$tmp/library" "$tmp/untouched"
}
fact 'control: a change would be seen' fails changed

# A library of 512 GiB of code, all but its beginning a hole: what is stored of it
# is looked at, and the program does not wait for more.
poke()
{
	# shellcheck disable=SC2059
	printf "$2" | dd of="$tmp/sparse" bs=1 seek="$1" conv=notrunc 2>/dev/null
}

mapped_sparse()
{
	cp "$tmp/untouched" "$tmp/sparse"
	poke 40 '\0\0\0\0\0\0\0\0'               # e_shoff
	poke 60 '\0\0\0\0'                       # e_shnum
	poke $((64 + 56 + 32)) '\0\0\0\0\0200\0\0' # p_filesz of the text
	poke $((64 + 56 + 40)) '\0\0\0\0\0200\0\0' # p_memsz
	truncate -s 1T "$tmp/sparse"
	HUNG=20
	recorded sparse -- "$tmp/late_map" private "$tmp/sparse"
	HUNG=60
	grep -q '^mapped' "$tmp/sparse.out" && closes sparse && return
	cat "$tmp/sparse.end" "$tmp/sparse.err"
	return 1
}
fact 'of a sparse library only what is stored is looked at' mapped_sparse

libc=$(ldd /bin/ls 2>/dev/null | sed -n 's/.*libc\.so[^ ]* => \([^ ]*\).*/\1/p')
libraries()
{
	recorded ls -- /bin/ls /
	closes ls || return
	test "$(jq .events.net_hits "$tmp/ls.json")" = 0
}
if [ -n "$libc" ]; then
	fact 'every call of a dynamic program is patched' libraries
else
	left_out 'every call of a dynamic program is patched' 'no glibc here'
fi

# ---- code that is written, changed, or without room -----------------------------

helper late_code -ldl
helper late_library -shared -fPIC

# counted HITS ARGUMENT...: as natively; each call is an event, so many calls of
# any kind are carried by the net, and the ledger closes
counted()
{
	hits=$1
	shift
	run native "$tmp/late_code" "$@"
	recorded here -- "$tmp/late_code" "$@"
	made=$(sed -n 's/^made \([0-9]*\), wrong 0$/\1/p' "$tmp/here.out")
	alike native here && closes here || return
	jq -e --argjson made "${made:-0}" --argjson hits "$hits" '.events |
		.by_call.madvise == $made and .net_hits == $hits and
		(.by_call | keys | all(startswith("syscall_") | not))' \
		"$tmp/here.json" >/dev/null && return
	jq -c '.events | [.net_hits, .by_call, .net_sites]' "$tmp/here.json"
	return 1
}
fact 'hard sites of a library: without room in the net, across pages patched' \
	counted 40 dlopen "$tmp/late_library"
fact 'code that was written and made executable: each call' counted 100 written
fact 'code that is written again and again: each call' counted 110 changing
fact 'a written call across two pages: each call' counted 100 across
fact 'code of a memory file, shared: each call' counted 100 shared
fact 'code of a memory file, private: each call' counted 100 private
fact "code over that of the program's file: each call" counted 5 over

# What is copied out of the text is a jump, which leads nowhere from there.
copies()
{
	recorded here --patch=none -- "$tmp/late_code" copied
	grep -qx 'made 10, wrong 0' "$tmp/here.out" && closes here
}
fact 'code that the program copies from its text, with --patch=none' copies
left_out 'the same where its calls are patched' 'a copied jump leads elsewhere'
finish
