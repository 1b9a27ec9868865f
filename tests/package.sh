#!/bin/sh
# On demand, in a tree that is configured: the tarball builds without git, also
# in another directory and by distcheck, and so does the Debian package, of which
# lintian has nothing to say.
#
#   tests/package.sh
set -eu
tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT

# Tests are for the tree: here it is about what is in the tarball.
make -s distcheck TESTS= check_PROGRAMS= >"$tmp/log" 2>&1 || {
	tail -n 40 "$tmp/log"
	exit 1
}
tarball=$(ls -t goload-*.tar.gz | head -n 1)
echo "ok - make distcheck: $tarball"

tar -C "$tmp" -xzf "$tarball"
cd "$tmp/${tarball%.tar.gz}"
dpkg-buildpackage -us -uc -b >"$tmp/log" 2>&1 || {
	tail -n 40 "$tmp/log"
	exit 1
}
echo "ok - dpkg-buildpackage"
dpkg --contents ../goload_*.deb
lintian --fail-on error ../goload_*.changes
echo "ok - lintian"
