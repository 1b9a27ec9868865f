# The figures of docs/article.md, and those of samples/article/figures.sh:
#
#   awk -v act=fill -v texts=OUTDIR -f page.awk FIGURES PAGE   the page, made anew
#   awk -v act=differ -f page.awk FIGURES PAGE   a line for each that differs
#   awk -v act=read -f page.awk PAGE             the page's, as lines of figures
#
# A row of a table has a comment that names its program and its figure; heads of
# columns name the Go, or are "here" where there is none. A column is filled by a
# Go of its minor version; the newest Go, if it has no column, takes the last that
# is left; columns without a Go go. Texts stand between two comments.

function trim(text)
{
	gsub(/^ +| +$/, "", text)
	return text
}

# go1.26.8 -> 1026
function minor(go,   part)
{
	sub(/^[Gg]o ?/, "", go)
	split(go, part, ".")
	return part[1] * 1000 + part[2]
}

function with_commas(number,   text)
{
	if (number !~ /^[0-9]+$/)
		return number
	for (text = ""; length(number) > 3;
	     number = substr(number, 1, length(number) - 3))
		text = "," substr(number, length(number) - 2) text
	return number text
}

function without_commas(text)
{
	if (text ~ /^[0-9,]+$/)
		gsub(",", "", text)
	return text
}

# Which Go fills which column of this table?
function read_head(cells, cell,   i, go, last, taken, newest)
{
	delete here
	for (i = 1; i <= cells; i++) {
		documented[i] = cell[i] == "here" ? "-" : ""
		if (documented[i] == "-")
			here[i] = "-"
		if (cell[i] !~ /^Go [0-9.]+$/)
			continue
		documented[i] = "go" substr(cell[i], 4)
		here[i] = act == "read" ? documented[i] : ""
		for (go in gos)
			if (minor(go) == minor(cell[i]))
				here[i] = go
		if (here[i] == "")
			last = i
		taken[here[i]] = 1
	}
	for (go in gos)
		if (!newest || minor(go) > minor(newest))
			newest = go
	if (last && newest && !(newest in taken))
		here[last] = newest
	for (i in here)
		as[documented[i]] = here[i] == "" ? newest : here[i]
}

function print_row(cells, cell,   i, text)
{
	for (i = 1; i <= cells; i++)
		if (documented[i] == "" || here[i] != "")
			text = text "| " cell[i] " "
	gsub(/ +\| +\|/, " | |", text)
	print text "|"
}

# Of the same Go they are the same everywhere: they do not depend on the kernel,
# on libc, or on how many threads there were.
function is_fixed(name)
{
	return name ~ /^(row_(summary|scavenge|index)|unexplained)$/
}

function with(go, column)
{
	return go == "-" || go == column ? "" : "with " go " "
}

# A row with figures: program and name are in its comment.
function fill_row(cells, cell, program, name,   i, go, value)
{
	for (i = 1; i <= cells; i++) {
		go = here[i]
		if (go == "")
			continue
		if (act == "read") {
			print go, program, name, without_commas(cell[i])
			continue
		}
		if (("-", program, name) in figure)
			go = "-"
		value = figure[go, program, name]
		if (value == "")
			value = "?"
		value = with_commas(value)
		if (act == "differ" && value != cell[i] &&
		    (!fixed || go == documented[i] && is_fixed(name)))
			print documented[i] " " program " " name ": " cell[i] \
				", here " with(go, documented[i]) value
		cell[i] = value
	}
}

function table_line(   cells, cell, i, comment)
{
	cells = split($0, cell, "|") - 2
	for (i = 1; i <= cells; i++)
		cell[i] = trim(cell[i + 1])
	if (!in_table)
		read_head(cells, cell)
	if (!in_table)
		for (i in here)
			if (here[i] ~ /^go/)
				cell[i] = "Go " substr(here[i], 3)
	if (match(cell[1], /<!-- .* -->/)) {
		split(substr(cell[1], RSTART, RLENGTH), comment, " ")
		fill_row(cells, cell, comment[2], comment[3])
	}
	if (act == "fill")
		print_row(cells, cell)
}

function insert_text(name, go,   line)
{
	go = as["go" go]
	name = texts "/" (go == "" ? "" : go "/") name
	print ""
	while ((getline line < name) > 0)
		print line == "" ? "" : "    " line
	close(name)
	print ""
	skipping = 1
}

act != "read" && FNR == NR {
	gos[$1] = 1
	delete gos["-"]
	figure[$1, $2, $3] = $4
	next
}
/^<!-- end -->/ { skipping = 0 }
skipping { next }
/^\|/ {
	table_line()
	in_table = 1
	next
}
{ in_table = 0 }
act == "fill" { print }
act == "fill" && /^<!-- text .* -->/ { insert_text($3, $5) }
