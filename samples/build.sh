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
# GOS names the go commands to use; by default the one on the PATH and
# Debian's, when they are there.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

[ $# -gt 0 ] || {
	echo "Usage: samples/build.sh OUTDIR [NAME...]" >&2
	exit 2
}
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
names=" $* "

export CGO_ENABLED=0 GOFLAGS='-mod=mod -buildvcs=false' GOTOOLCHAIN=local
export GOPROXY=off GOWORK=off
[ -w "${HOME-/nowhere}" ] || export GOCACHE=${GOCACHE-$out/.cache}

# wanted NAME: was it asked for?
wanted()
{
	[ "$names" = '  ' ] || [[ $names == *" $1 "* ]]
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

# The go commands to use.
go_commands()
{
	if [ -n "${GOS-}" ]; then
		printf '%s\n' $GOS
	else
		command -v go || true
		[ ! -x /usr/lib/go/bin/go ] || echo /usr/lib/go/bin/go
	fi
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

c_samples()
{
	local source name

	for source in "$here"/c/*.c; do
		name=$(basename "$source" .c)
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
