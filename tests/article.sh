#!/bin/sh
# docs/article.md: its figures are made again, and are what it says of them; what
# ps, the kernel, the shell and goload say of one process is the same; and the
# listing of the article is read.
. "$(dirname "$0")/lib.sh"

command -v ps >/dev/null || skip 'ps is missing (Debian: procps)'
command -v go >/dev/null || skip 'go is missing (Debian: golang-go)'
article=$here/../samples/article
page=$here/../docs/article.md
filled() # FILL FIGURES PAGE: what page.awk makes of it
{
	awk -v act="$1" -v texts="$tmp/article" -f "$article/page.awk" \
		"$2" "$3"
}

GOLOAD=$(realpath "$GOLOAD") CC=$CC timeout 300 \
	"$article/demo.sh" "$tmp/article" >"$tmp/demo" 2>"$tmp/demo.err" || {
	cat "$tmp/demo.err"
	exit 1
}
figures=$tmp/article/figures
awk -v act=read -f "$article/page.awk" "$page" >"$tmp/documented"

# ---- what holds of the figures -------------------------------------------------

# The rules, and those of them that figures break. A rule holds of each Go for
# which there is what it is about.
broken_rules='
	function of(program, name) {
		return figure[go, program, name]
	}
	function has(program, name) {
		return (go, program, name) in figure
	}
	function rule(sentence, holds) {
		rules++
		if (!holds)
			print go ": " sentence
	}
	function equal(sentence, a, b) {
		rule(sentence ": " a ", " b, a == b)
	}
	# of two runs, of which one may have 64 MiB of heap more
	function near(sentence, a, b, most,   i, holds) {
		for (i = -1; i <= 1; i++)
			if (a - b + i * 65536 <= most && b - a - i * 65536 <= most)
				holds = 1
		rule(sentence ": " a ", " b, holds)
	}

	function asked(program, name) {
		if (has(program, name))
			equal(program ": maps as the shell sums them, " name,
				of(program, "maps"), of(program, name))
	}
	function one_size(program) {
		rule(program ": maps have a sum", of(program, "maps") > 0)
		asked(program, "map")
		asked(program, "told")
		asked(program, "vsz")
		asked(program, "VmSize")
	}

	function rows(program,   n, i, names, sum) {
		n = split("summary scavenge heap index bss arenas stacks libc " \
			"other", names, " ")
		for (i = 1; i <= n; i++)
			sum += of(program, "row_" names[i])
		return sum
	}
	function closed(program) {
		equal(program ": the rows, what the program has",
			rows(program), of(program, "target"))
		if (!has(program, "ledger"))
			return
		equal(program ": what the program and goload have, VmSize",
			of(program, "target") + of(program, "goload"),
			of(program, "ledger"))
		equal(program ": VmSize of the ledger, of ps",
			of(program, "ledger"), of(program, "vsz"))
		equal(program ": unexplained", of(program, "unexplained"), 0)
	}

	function minor(   part) {
		split(substr(go, 3), part, ".")
		return part[1] * 1000 + part[2]
	}
	function reserved(program) {
		equal(program ": MiB of page summary",
			int(of(program, "row_summary") / 1024), 585)
		equal(program ": kB of heap index",
			of(program, "row_index"), 32768)
		equal(program ": kB of scavenge index",
			of(program, "row_scavenge"),
			minor() >= 1021 ? 524288 : 8192)
	}

	function linked(   arenas, stacks, fewer) {
		arenas = of("main", "map_arenas")
		stacks = of("main", "Threads") - 1
		rule("a stack for a thread but the first, at most",
			of("main", "map_stacks") <= stacks)
		rule("an arena for a thread, at most",
			arenas > 0 && arenas <= stacks)
		equal("parts of arenas", of("main.goload", "row_arenas") % 65536, 0)
		equal("parts of 64 MiB of heap",
			of("main.goload", "row_heap") % 65536, 0)
		equal("parts of stacks", of("main.goload", "row_stacks") % 8196, 0)
		near("what libc adds, arenas and stacks",
			of("main", "vsz") - of("static", "vsz"),
			arenas * 65536 + stacks * 8196, 4096)
		if (!has("arena", "map_arenas"))
			return
		fewer = of("main", "Threads") - of("arena", "Threads")
		equal("arenas without arenas", of("arena", "map_arenas"), 0)
		near("what MALLOC_ARENA_MAX=1 saves, arenas",
			of("main", "vsz") - of("arena", "vsz"),
			arenas * 65536 + fewer * 8196, 1024)
	}
	function needs() {
		rule("libc is needed", of("main", "needs") ~ /libc\.so/)
		equal("libraries with -libgcc=none, without",
			of("libgcc", "needs"), of("main", "needs"))
		rule("libc is as large with -libgcc=none",
			of("libgcc", "vsz") - of("static", "vsz") > 65536)
		equal("libraries without cgo", of("static", "needs"), "-")
	}
	function calls() {
		rule("static: mmap, no brk",
			of("static.goload", "call_mmap") > 0 &&
			of("static.goload", "call_brk") == 0)
		if (!has("main", "strace_arch_prctl"))
			return
		rule("arch_prctl is called", of("main", "strace_arch_prctl") > 0)
		equal("arch_prctl of strace, of goload",
			of("main", "strace_arch_prctl"),
			of("main.goload", "call_arch_prctl"))
		equal("set_thread_area", of("main", "strace_set_thread_area"), 0)
	}
	function sizes() {
		rule("MemStats.Sys is less than a twentieth",
			of("memstats", "sys") * 20 < of("main", "vsz"))
		rule("the second program looks like a server",
			of("second", "vsz") > 600 * 1024 &&
			of("second", "vsz") < of("main", "vsz"))
		rule("the C program is small", figure["-", "number", "vsz"] > 0 &&
			figure["-", "number", "vsz"] < 20 * 1024)
	}

	{
		gos[$1]
		figure[$1, $2, $3] = $4
	}
	END {
		delete gos["-"]
		for (go in gos) {
			one_size("main")
			closed("main.goload")
			closed("static.goload")
			reserved("main.goload")
			reserved("static.goload")
			linked()
			needs()
			calls()
			sizes()
		}
		rule("there are figures", rules > 0)
	}'
obeyed()
{
	broken=$(awk "$broken_rules" "$1" 2>&1)
	[ -n "$broken" ] || return 0
	echo "$broken"
	return 1
}

fact "each figure of the page, made here, is what the page says of it" \
	obeyed "$figures"
fact "so are those that it shows" obeyed "$tmp/documented"
for edit in 'main.goload row_arenas 1000' 'main maps 1000' 'libgcc needs -' \
	'arena map_arenas 1' 'main.goload unexplained 4096'; do
	awk -v edit="$edit" '
		BEGIN { split(edit, to, " ") }
		$2 == to[1] && $3 == to[2] { $4 = to[3] }
		{ print }' "$figures" >"$tmp/edited"
	fact "control: it would not be with $edit" fails obeyed "$tmp/edited"
done

# ---- the page ----------------------------------------------------------------

same_as_documented()
{
	awk -v act=differ -v fixed=1 -f "$article/page.awk" "$1" "$page" \
		>"$tmp/differ"
	[ ! -s "$tmp/differ" ] && return
	cat "$tmp/differ"
	return 1
}
fact "what a Go always reserves is as documented" \
	same_as_documented "$figures"
sed -E 's/^(.* row_summary) .*/\1 1000/' "$figures" >"$tmp/edited"
if grep -qF "$(awk '$3 == "row_summary" { print $1; exit }' "$figures")" \
	"$tmp/documented"; then
	fact "control: other summaries are not" \
		fails same_as_documented "$tmp/edited"
fi

has_all()
{
	! grep -n '^|.*| ?' "$tmp/article/article.md" &&
		grep -q '^| VSZ <!-- main vsz --> | 388,496 | [0-9,]* |' \
			"$tmp/article/article.md"
}
fact "a figure for each place of the page" has_all
demo_shows()
{
	grep -qF '388,496' "$tmp/demo" &&
		grep -q 'VmSize by the ledger' "$tmp/demo" &&
		grep -q '^This is .*article.md' "$tmp/demo"
}
fact "the demo prints the page, and what differs" demo_shows

# text NAME PAGE: the text between its comments
text()
{
	sed -n "/^<!-- text $1 /,/^<!-- end -->/p" "$2"
}
listing_again()
{
	text listing.txt "$page" >"$tmp/was"
	text listing.txt "$tmp/article/article.md" >"$tmp/is"
	grep -q 'malloc arena' "$tmp/was" && diff "$tmp/was" "$tmp/is"
}
fact "the listing of the article is summed up as documented" listing_again

# kinds_of PAGE: the rows of the ledger in it
kinds_of()
{
	text main.txt "$1" | sed -n '/reserved   committed/,/^ *total /{
		s/^      *\([a-z].*[a-zA-Z]\)  *[0-9-].*/\1/p
	}' | sed 's/   .*//' | head -n 9 | sort
}
same_ledger()
{
	newest=$(text main.txt "$page" | sed -n 's/.*: \(go[0-9.]*\),.*/\1/p')
	text main.txt "$tmp/article/article.md" | grep -qF "$newest" || {
		echo "this Go is another"
		return 0
	}
	kinds_of "$page" >"$tmp/was"
	kinds_of "$tmp/article/article.md" >"$tmp/is"
	[ -s "$tmp/was" ] && diff "$tmp/was" "$tmp/is"
}
fact "the ledger that it shows has the large rows of today's" same_ledger

# Columns: each Go has its own, a newer one takes the last.
columns()
{
	printf '%s main vsz 7\n' "$@" >"$tmp/gos"
	filled fill "$tmp/gos" "$page" | sed -n '/^|.*article, Go/{p;q;}'
}
columns_are()
{
	wanted=$1
	shift
	got=$(columns "$@")
	[ "$got" = "|  | article, Go 1.10 | $wanted |" ] && return
	echo "$got"
	return 1
}
fact "a column of the page for each Go" columns_are \
	'Go 1.19.5 | Go 1.26.1' go1.19.5 go1.26.1
fact "a newer Go takes the last" columns_are \
	'Go 1.19.8 | Go 1.30.1' go1.30.1 go1.19.8
fact "with one Go there is one" columns_are 'Go 1.19.8' go1.19.8

# ---- the listing ---------------------------------------------------------------

listing=$here/listing.txt
told()
{
	printf 'VmSize:\t%8s kB\n' "$1" | cat - "$listing" >"$tmp/told.txt"
	"$GOLOAD" map --maps "$tmp/told.txt" --format json >"$tmp/told.json"
}
# By hand, of the lines and what is between them.
listing_is()
{
	told 388496
	jq -e '.totals == { vm_size: (239212 * 1024), resident: null,
			room: (155684 * 1024), told: (388496 * 1024) }
		and .gaps == 8' "$tmp/told.json" && return
	jq -c .totals "$tmp/told.json"
	return 1
}
fact "239,212 kB of 388,496 are shown, the rest has room between" listing_is
# kind NAME FILTER
kind()
{
	jq -e --arg kind "$1" ".kinds[] | select(.kind == \$kind) | $2" \
		"$tmp/told.json" && return
	jq -c '.kinds[]' "$tmp/told.json"
	return 1
}
fact "five arenas of 64 MiB: two whole, two in part, room for one between" \
	kind 'malloc arena' '.count - .in_part == 2 and .in_part == 2
		and .between == 1 and .owner == "libc"'
fact "five stacks of 8,196 kB: likewise" kind 'thread stack' \
	'.count - .in_part == 2 and .in_part == 2 and .between == 1'
for library in libc-2.27.so libpthread-2.27.so libdl-2.27.so ld-2.27.so; do
	fact "$library is libc's" kind "$library text" '.owner == "libc"'
done
fact "and libgtk3-nocsd is not" kind 'libgtk3-nocsd.so.0 text' \
	'.owner == "library"'
fact "the Go heap of Go 1.10" kind 'heap or its metadata' \
	'.owner == "Go runtime" and .size == (2116 * 1024)'
finish
