#!/bin/sh
# Includes go one way:
#
#   trace <- loader <- shim
#   trace, loader <- sites, symbol, ledger <- report, record <- cli
#
# and a room knows another by its public header, the one named after it. The
# check is first seen to fail, on a made-up tree.
set -eu

# Which rooms a room may include, itself aside.
allowed()
{
	case $1 in
	trace) ;;
	loader) echo trace ;;
	shim) echo trace loader ;;
	sites | symbol | ledger) echo trace loader ;;
	report | record) echo trace loader sites symbol ledger ;;
	cli) echo trace loader sites symbol ledger report record ;;
	*) echo "no such room: $1" >&2 ;;
	esac
}

# The room of observer/record/drain.c is record, that of trace/ring.h is trace.
room()
{
	path=${1#observer/}
	echo "${path%%/*}"
}

# public ROOM HEADER: may ROOM's neighbours include it?
public()
{
	case $2 in
	trace/*.h) true ;;           # the contract: each of its headers
	loader/x86_64/*.h) true ;;   # the CPU's share of it
	"$1/$1.h" | "observer/$1/$1.h") true ;;
	observer/report/export/export.h | \
	observer/symbol/unwind.h | observer/symbol/golayout.h | \
		observer/symbol/memstats.h | observer/symbol/about.h) true ;;
	observer/report/inspect.h | observer/report/floor.h | \
		observer/report/budget.h | \
		observer/report/explore.h) true ;;
	*) false ;;
	esac
}

# check_include FILE HEADER: complain when FILE must not include it.
check_include()
{
	case $2 in
	trace/* | loader/* | shim/* | observer/*/*) ;;
	*)
		echo "$1: $2 is not named by its room"
		return
		;;
	esac
	from=$(room "$1")
	to=$(room "$2")
	[ "$from" != "$to" ] || return 0
	case " $(allowed "$from" | tr '\n' ' ') " in
	*" $to "*) ;;
	*)
		echo "$1: $from must not include $to ($2)"
		return
		;;
	esac
	public "$to" "$2" || echo "$1: $2 is private to $to"
}

# check_system FILE HEADER: what stands in trace and shim needs no libc.
check_system()
{
	case $1 in
	trace/*.h | shim/*) ;;
	*) return 0 ;;
	esac
	case $2 in
	stdint.h | stddef.h | stdbool.h | stdatomic.h | stdarg.h | limits.h) ;;
	linux/* | asm/* | asm-generic/*) ;;
	*) echo "$1: <$2> needs libc" ;;
	esac
}

# check_tree DIR: every complaint about it, one a line.
check_tree()
{
	(
		cd "$1"
		find trace loader shim observer -name '*.[chS]' | sort |
			xargs grep -nHE '^[[:space:]]*#[[:space:]]*include' |
			sed -E 's/^([^:]*):[0-9]+:[^"<]*(["<])([^">]*).*/\1 \2 \3/' |
			while read -r file kind header; do
				if [ "$kind" = '"' ]; then
					check_include "$file" "$header"
				else
					check_system "$file" "$header"
				fi
			done
	)
}

# judged FILE INCLUDE COMPLAINT: what is said of a tree with just this include.
judged()
{
	rm -rf "$made_up"
	mkdir -p "$made_up/trace" "$made_up/loader" "$made_up/shim" \
		"$made_up/$(dirname "$1")" "$made_up/observer"
	printf '/* made up */\n# include %s\n' "$2" >"$made_up/$1"
	said=$(check_tree "$made_up")
	[ "$said" = "${3:+$1: $3}" ] && return
	echo "control: $1 with $2: wanted '$3', got '$said'"
	exit 1
}

made_up=$(mktemp -d)
trap 'rm -rf "$made_up"' EXIT

judged trace/ring.h '"loader/loader.h"' \
	'trace must not include loader (loader/loader.h)'
judged loader/plan.c '"shim/shim.h"' \
	'loader must not include shim (shim/shim.h)'
judged shim/x86_64/entry.S '"observer/record/record.h"' \
	'shim must not include record (observer/record/record.h)'
judged observer/sites/window.c '"observer/symbol/symbol.h"' \
	'sites must not include symbol (observer/symbol/symbol.h)'
judged observer/report/json.h '"observer/record/record.h"' \
	'report must not include record (observer/record/record.h)'
judged observer/cli/main.c '"shim/shim.h"' \
	'cli must not include shim (shim/shim.h)'
judged observer/cli/main.c '"observer/ledger/space.h"' \
	'observer/ledger/space.h is private to ledger'
judged observer/record/look.c '"look.h"' 'look.h is not named by its room'
judged observer/cli/main.c '"observer/ledger/ledger.h"' ''
judged shim/boot.c '"loader/x86_64/sys.h"' ''
judged shim/boot.c '<stdio.h>' '<stdio.h> needs libc'

said=$(check_tree "$srcdir")
[ -z "$said" ] && exit
echo "$said"
exit 1
