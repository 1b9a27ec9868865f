#!/bin/sh
# Go programs that others have built: Debian's, and esbuild of many years from
# the npm registry.  They are downloaded, unpacked and run, never installed;
# this is no part of `make check`.
#
#   tests/thirdparty.sh [PROGRAM...]    those named, or all
. "$(dirname "$0")/lib.sh"

wanted=" $* "

# debian PACKAGE: unpacked to $tmp/PACKAGE
debian()
{
	mkdir -p "$tmp/deb.$1" "$tmp/$1" &&
		(cd "$tmp/deb.$1" && apt-get -qq -o APT::Sandbox::User=root \
			download "$1") >"$tmp/why" 2>&1 &&
		dpkg-deb -x "$tmp/deb.$1"/*.deb "$tmp/$1" 2>>"$tmp/why"
}

# npm_package PACKAGE@VERSION FOLDER
npm_package()
{
	mkdir -p "$2" &&
		(cd "$2" && npm pack --silent "$1" && tar xzf ./*.tgz) \
			>"$tmp/why" 2>&1
}

# A list of what does not hold for a report.
rules='
	def one_of(list): . as $it | any(list[]; . == $it);
	[ (.ledger[] | select(.kind | one_of(["mapping", "unknown",
		"file mapping", "shared library", "Go runtime, other"]))
	   | "\(.reserved + .committed) bytes are \(.kind), by " +
	     "\([.sites[] | .function])"),
	  (.ledger[:10][] | select(.owner == "Go runtime")
	   | select(.sites == [] or any(.sites[]; .function == null))
	   | "nobody claims \(.kind)"),
	  (.events.names.wrong[] | "\(.kind) by frames, \(.name) by name"),
	  (select(.program.go_version == null) | "no Go version is found"),
	  (select(any(.ledger[]; .kind == "heap") | not) | "there is no heap")
	] | .[]'

named()
{
	run native "$@"
	recorded run -- "$@"
	alike native run && closes run || return
	jq -r "$rules" "$tmp/run.json" >"$tmp/broken" 2>&1
	cat "$tmp/broken"
	[ ! -s "$tmp/broken" ]
}

# But for the few within a recursion that is deeper than 128 KiB: Go's regexp
# compiles x{0,255} in one (gh, rclone).
whole()
{
	jq -e '.events.truncated * 20 <= .events.count' "$tmp/run.json" \
		>/dev/null
}

# program TITLE FETCH... -- COMMAND...
program()
{
	title=$1
	fetch=
	shift
	while [ "$1" != -- ]; do
		fetch="$fetch $1"
		shift
	done
	shift
	case $wanted in
	'  ' | *" $title "*) ;;
	*) return ;;
	esac
	# shellcheck disable=SC2086
	if ! $fetch; then
		left_out "$title: every byte has a name" \
			"$(tail -n 1 "$tmp/why")"
		return
	fi
	run native "$@"
	if grep -q 'error while loading shared libraries' "$tmp/native.err"; then
		left_out "$title: every byte has a name" \
			"$(sed 's/.*libraries: //' "$tmp/native.err")"
		return
	fi
	fact "$title: every byte has a name" named "$@"
	jq -r '"# \(.program.go_version), \(.program.linkage), stripped: " +
		"\(.program.stripped), \(.events.count) calls, " +
		"\(.events.truncated) cut, VmSize " +
		"\(.totals.vm_size / 1048576 | floor) MiB, names " +
		"\(.events.names.agreed) of \(.events.names.given)"' \
		"$tmp/run.json"
	fact "$title: its stacks are whole" whole
}

debian_program()
{
	title=$1 package=$2 file=$3
	shift 3
	program "$title" debian "$package" -- "$tmp/$package/$file" "$@"
}

debian_program caddy caddy usr/bin/caddy version
debian_program hugo hugo usr/bin/hugo version
debian_program prometheus prometheus usr/bin/prometheus --version
debian_program etcd etcd-server usr/bin/etcd --version
debian_program gh gh usr/bin/gh --version
debian_program restic restic usr/bin/restic version
debian_program rclone rclone usr/bin/rclone version
debian_program syncthing syncthing usr/bin/syncthing --version
debian_program dockerd docker.io usr/sbin/dockerd --version

GODEBUG=decoratemappings=1
export GODEBUG
echo 'let answer: number = 6 * 7; console.log(answer)' >"$tmp/answer.ts"
for version in 0.6.0 0.8.30 0.12.0 0.14.0 0.15.0; do
	program "esbuild-$version" npm_package "esbuild-linux-64@$version" \
		"$tmp/esbuild-$version" -- \
		"$tmp/esbuild-$version/package/bin/esbuild" "$tmp/answer.ts"
done
for version in 0.18.20 0.24.0 0.27.0 0.28.2; do
	program "esbuild-$version" npm_package "@esbuild/linux-x64@$version" \
		"$tmp/esbuild-$version" -- \
		"$tmp/esbuild-$version/package/bin/esbuild" "$tmp/answer.ts"
done
finish
