#!/bin/sh
# On demand, in a tree that is configured, of git: the tarball has all of it, builds
# without git, also in another directory and by distcheck, and so does the Debian
# package, of which lintian has nothing to say.
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

tar -tzf "$tarball" | sed 's:^[^/]*/::' | sort >"$tmp/has"
if grep node_modules "$tmp/has"; then
	echo "not ok - no node_modules in the tarball"
	exit 1
fi
if git ls-files | grep -v '^\.gitignore$' | sort | comm -23 - "$tmp/has" |
	grep .; then
	echo "not ok - the tarball has all that git has"
	exit 1
fi
echo "ok - the tarball has all that git has, and no more of npm's"

# What bootstrap installs for a build; debhelper brings compiler and autotools.
for package in $(sed -n '/^build_packages=(/,/^)/p' bootstrap |
	grep -oE '[a-z0-9-]+(-dev|-compiler)' |
	grep -vxE 'libc6-dev|libcriterion-dev'); do
	grep -qx " $package," debian/control || {
		echo "not ok - debian/control names $package"
		exit 1
	}
done
echo 'ok - debian/control names what bootstrap installs for a build'

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
