#!/bin/sh
# Code that arrives while the program runs: what is patched, and what must not
# be.
. "$(dirname "$0")/lib.sh"

# A static program with syscall sites, as a file that can be mapped.
samples hello
helper late_shared -O1 -static
cp "$SAMPLES/c-glibc-static/hello" "$tmp/library"
cp "$tmp/library" "$tmp/untouched"

mapped_shared()
{
	recorded shared -- "$tmp/late_shared" "$tmp/library"
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
finish
