#!/bin/bash
# Build the samples, offline, only what is out of date:
#
#   samples/build.sh OUTDIR [NAME...]    all of them, or those named
#
#   OUTDIR/go<version>/NAME           static, by each Go there is
#   OUTDIR/go<version>/NAME.stripped  the same with -ldflags '-s -w'
#   OUTDIR/go                         link to the newest Go's folder
#   OUTDIR/c-glibc-static/NAME        and c-musl-static, c-glibc-static-pie
#
# What needs a dynamic loader or a libc is built only when NAME asks for it, by
# its suffix:
#
#   NAME.dynamic      C: OUTDIR/c-glibc-dynamic/NAME (PIE), and
#                     c-glibc-dynamic-nopie, c-musl-dynamic
#   NAME.pie          Go: OUTDIR/go<version>/NAME.pie, -buildmode=pie, no cgo
#   NAME.cgo          Go, linked with libc; NAME.cgo-pie as PIE, and
#                     NAME.cgo-static with libc inside
#   NAME.race         Go: OUTDIR/go<version>/NAME.race, -race, linked with libc
#
# GOS names the go commands to use; by default the one on the PATH and
# Debian's, when they are there.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/shared.sh"

[ $# -gt 0 ] || {
	echo "Usage: samples/build.sh OUTDIR [NAME...]" >&2
	exit 2
}
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
names=" $* "
exec 9>"$out/.lock" # tests run side by side
flock 9

export CGO_ENABLED=0 GOFLAGS='-mod=mod -buildvcs=false' GOTOOLCHAIN=local
export GOPROXY=off GOWORK=off
[ -w "${HOME-/nowhere}" ] || export GOCACHE=${GOCACHE-$out/.cache}

# asked NAME: by name?
asked()
{
	[[ $names == *" $1 "* ]]
}

# wanted NAME: was it asked for?
wanted()
{
	[ "$names" = '  ' ] || asked "$1"
}

# fresh FILE SOURCE...: is FILE newer than all it is made of?
fresh()
{
	local file=$1 source
	shift
	[ -e "$file" ] || return
	for source; do
		[ ! "$source" -nt "$file" ] || return
	done
}

# go_build GO FILE NAME FLAG...: FILE appears whole or not at all.
go_build()
{
	local go=$1 file=$2 name=$3
	shift 3
	! fresh "$file" "$here/go/go.mod" "$here/go/$name/main.go" || return 0
	(cd "$here/go" && "$go" build "$@" -o "$file.new" "./$name")
	mv "$file.new" "$file"
}

# c_build FOLDER NAME COMMAND...
c_build()
{
	local file=$out/$1/$2 source=$here/c/$2.c
	shift 2
	! fresh "$file" "$source" || return 0
	mkdir -p "${file%/*}"
	"$@" -std=gnu11 -O2 -g -Wall -Wextra "$source" -pthread -o "$file.new"
	mv "$file.new" "$file"
}

# go_with_libc GO FILE NAME FLAG...: net brings libc by itself, all else is
# told to ("all=": Go 1.19 would look too late whether it is).
go_with_libc()
{
	local go=$1 file=$2 name=$3 ldflags=
	shift 3
	grep -q '^\s*"net' "$here/go/$name/main.go" ||
		ldflags='-linkmode external'
	case $file in
	*.cgo-static) ldflags='-linkmode external -extldflags -static' ;;
	esac
	CGO_ENABLED=1 go_build "$go" "$file" "$name" -ldflags "all=$ldflags" "$@"
}

# go_variants GO FILE NAME: those that were asked for
go_variants()
{
	local go=$1 file=$2 name=$3
	! asked "$name.pie" ||
		go_build "$go" "$file.pie" "$name" -buildmode=pie
	! asked "$name.cgo" || go_with_libc "$go" "$file.cgo" "$name"
	! asked "$name.cgo-pie" ||
		go_with_libc "$go" "$file.cgo-pie" "$name" -buildmode=pie
	! asked "$name.cgo-static" ||
		go_with_libc "$go" "$file.cgo-static" "$name" \
			-tags netgo,osusergo
	! asked "$name.race" ||
		CGO_ENABLED=1 go_build "$go" "$file.race" "$name" -race
}

go_samples()
{
	local go version directory name newest='' versions=()

	for go in $(go_commands); do
		version=$("$go" env GOVERSION)
		case " ${versions[*]-} " in *" $version "*) continue ;; esac
		versions+=("$version")
		mkdir -p "$out/$version"
		for directory in "$here"/go/*/; do
			name=$(basename "$directory")
			go_variants "$go" "$out/$version/$name" "$name"
			wanted "$name" || continue
			go_build "$go" "$out/$version/$name" "$name"
			go_build "$go" "$out/$version/$name.stripped" "$name" \
				-ldflags '-s -w'
		done
	done
	[ ${#versions[@]} -gt 0 ] || {
		echo "samples/build.sh: no go command; Debian's package is golang-go" >&2
		exit 1
	}
	newest=$(printf '%s\n' "${versions[@]}" | sort -V | tail -n 1)
	ln -sfn "$newest" "$out/go"
}

c_dynamic()
{
	c_build c-glibc-dynamic "$1" "${CC-gcc}" -pie -fPIE
	c_build c-glibc-dynamic-nopie "$1" "${CC-gcc}" -no-pie -fno-pie
	c_build c-musl-dynamic "$1" musl-gcc
}

c_samples()
{
	local source name

	for source in "$here"/c/*.c; do
		name=$(basename "$source" .c)
		! asked "$name.dynamic" || c_dynamic "$name"
		wanted "$name" || continue
		c_build c-glibc-static "$name" "${CC-gcc}" -static
		c_build c-glibc-static-pie "$name" "${CC-gcc}" -static-pie -fPIE
		c_build c-musl-static "$name" musl-gcc -static
	done
}

# One build at a time: tests that run side by side all ask for it.
exec 9>"$out/.lock"
flock 9
go_samples
c_samples
