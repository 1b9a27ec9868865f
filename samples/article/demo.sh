#!/bin/bash
# The story of docs/article.md with the figures of this machine, and which of
# them differ from the page's.
#
#   GOLOAD=./goload samples/article/demo.sh OUTDIR
#
# OUTDIR/article.md is the page with them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
page=$here/../../docs/article.md
out=${1:?Usage: samples/article/demo.sh OUTDIR}

# show PAGE: for a terminal: tables in columns, no comments
show()
{
	sed '/^<!-- .* -->$/d; s/ <!-- .* -->//; s/\*\*//g' "$1" | awk -F ' *[|] *' '
		function print_table(   i, k) {
			for (i = 1; i <= rows; i++) {
				printf "    %-*s", width[2], cell[i, 2]
				for (k = 3; k < columns; k++)
					printf "  %*s", width[k], cell[i, k]
				print ""
			}
			rows = 0
			split("", width)
		}
		/^\| ---/ { next }
		/^\|/ {
			rows++
			columns = NF
			for (k = 2; k < NF; k++) {
				cell[rows, k] = $k
				if (length($k) > width[k])
					width[k] = length($k)
			}
			next
		}
		{ print_table(); print }
		END { print_table() }' | cat -s
}

mkdir -p "$out"
"$here/figures.sh" "$out" >"$out/figures"
awk -v act=fill -v texts="$out" -f "$here/page.awk" "$out/figures" "$page" \
	>"$out/article.md"
awk -v act=differ -f "$here/page.awk" "$out/figures" "$page" |
	awk '!seen[$0]++' >"$out/differences"
show "$out/article.md"
echo
echo "This is $out/article.md. Figures of docs/article.md that differ from it:"
if [ -s "$out/differences" ]; then
	sed 's/^/  /' "$out/differences"
else
	echo "  none"
fi
