#!/bin/sh
# What `goload inspect` says of a file's segments, sections, notes, libraries
# and Go build is what readelf and `go version -m` say, of 200 files of the
# system and of the samples.
# shellcheck disable=SC1091,SC2317
. "$(dirname "$0")/lib.sh"
command -v readelf >/dev/null || skip "readelf is missing (Debian: binutils)"
samples

# As readelf has it, one line each, numbers in hex without leading zeros.
by_readelf()
{
	readelf -hlSdW "$1" 2>/dev/null | awk '
		function hex(text) {
			sub(/^0x/, "", text)
			sub(/^0+/, "", text)
			return text == "" ? "0" : text
		}
		function known(type) {
			return type ~ /^LO(OS|PROC|USER)|^</ ? "other" : type
		}
		/^  Entry point address:/ { print "entry", hex($4) }
		/^Section Headers:/ { part = "sections" }
		/^Program Headers:/ { part = "segments" }
		/^ Section to Segment/ { part = "" }
		/^Key to Flags/ { part = "" }
		part == "sections" && /^  \[ *[0-9]+\]/ {
			sub(/^  \[ *[0-9]+\] /, "")
			name = substr($0, 1, 1) == " " ? "" : $1
			if (name == "")
				$0 = "none " $0
			if ($2 == "NULL")
				next
			flags = NF > 9 ? $7 : ""
			print "section", name, known($2), hex($3), hex($4), hex($5), \
				(flags ~ /A/ ? "a" : "") (flags ~ /W/ ? "w" : "") \
				(flags ~ /X/ ? "x" : "") (flags ~ /T/ ? "t" : "") \
				(flags ~ /C/ ? "c" : "")
		}
		part == "segments" && $2 ~ /^0x/ {
			flags = substr($0, index($0, $6) + length($6))
			sub(/ 0x[0-9a-f]+$/, "", flags)
			print "segment", known($1), hex($2), hex($3), hex($5), hex($6), \
				(flags ~ /R/ ? "r" : "-") (flags ~ /W/ ? "w" : "-") \
				(flags ~ /E/ ? "x" : "-"), hex($NF)
		}
		/\(NEEDED\)/ || /\(SONAME\)/ {
			kind = $2 == "(NEEDED)" ? "needed" : "soname"
			sub(/^[^[]*\[/, "")
			sub(/\]$/, "")
			print kind, $0
		}
		/Requesting program interpreter/ {
			sub(/^.*interpreter: /, "")
			sub(/\]$/, "")
			print "interpreter", $0
		}'
	readelf -nW "$1" 2>/dev/null | sed -n \
		's/.*Build ID: \([0-9a-f]*\).*/build id \1/p' | head -n 1
}

by_goload()
{
	"$GOLOAD" inspect --format json "$1" >"$tmp/inspect.json" || return
	jq -r '
		def digits: if . < 16 then "0123456789abcdef"[.:.+1]
			else (. / 16 | floor | digits) + (. % 16 | digits) end;
		def hex: digits;
		def bare: ltrimstr("0x");
		def known: if startswith("0x") then "other" else . end;
		"entry \(.entry | bare)",
		(.sections[] | "section \(.name) \(.type | known) \(.address | bare) " +
			"\(.offset | bare) \(.size | hex) \(.flags)"),
		(.segments[] | "segment \(.type | known) \(.offset | bare) " +
			"\(.address | bare) \(.file_size | hex) " +
			"\(.memory_size | hex) \(.flags) \(.align | hex)"),
		(.needed[] | "needed \(.)"),
		(.soname // empty | "soname \(.)"),
		(.interpreter // empty | "interpreter \(.)"),
		(select([.notes[] | select(.owner == "GNU" and .type == 3)]
			!= []) | "build id \(.build_id)")' "$tmp/inspect.json"
}

# Is what both say of the file the same?
alike_of()
{
	by_readelf "$1" | sort >"$tmp/wanted"
	by_goload "$1" | sort >"$tmp/found"
	[ -s "$tmp/wanted" ] && diff "$tmp/wanted" "$tmp/found"
}

# Programs and libraries of the system, spread over all there are.
system_files()
{
	find /usr/bin /usr/sbin /usr/lib /usr/libexec -type f -size -4096k \
		\( -perm -100 -o -name '*.so.*' \) 2>/dev/null | sort |
		while read -r file; do
			[ "$(head -c 5 "$file" 2>/dev/null | od -An -tx1)" = \
				' 7f 45 4c 46 02' ] && echo "$file"
		done >"$tmp/all"
	count=$(wc -l <"$tmp/all")
	awk -v every="$((count / 200))" 'every < 1 || NR % every == 0' \
		"$tmp/all" | head -n 200
}

of_system()
{
	system_files >"$tmp/files"
	[ "$(wc -l <"$tmp/files")" -ge 100 ] || return
	while read -r file; do
		alike_of "$file" && continue
		echo "in $file"
		return 1
	done <"$tmp/files"
}

of_samples()
{
	for file in $(cd "$SAMPLES" && find go1* c-* -type f ! -name '*.run'); do
		alike_of "$SAMPLES/$file" && continue
		echo "in $file"
		return 1
	done
}

# The lines of `go version -m`, of samples and of Go's own tools.
as_go()
{
	find "$SAMPLES/"go1* "$(go env GOROOT)/bin" "$(go env GOTOOLDIR)" \
		-type f -perm -100 >"$tmp/files"
	[ "$(wc -l <"$tmp/files")" -ge 10 ] || return
	while read -r file; do
		go version -m "$file" | sed '1s/^.*: //; s/^\t//' >"$tmp/wanted"
		"$GOLOAD" inspect --format json "$file" | jq -r '.go_version,
			(.build[] | "\(.key)\t\(.value)")' >"$tmp/found"
		sed -E 's/\t+$//' "$tmp/wanted" >"$tmp/wanted.cut"
		sed -E 's/\t+$//' "$tmp/found" |
			diff "$tmp/wanted.cut" - && continue
		echo "in $file"
		return 1
	done <"$tmp/files"
}

# A byte of a header is another: both see it, or neither does.
sees()
{
	cp "$SAMPLES/c-glibc-static/hello" "$tmp/changed"
	alike_of "$tmp/changed" || return
	cp "$tmp/found" "$tmp/before"
	printf '\7' | dd of="$tmp/changed" bs=1 seek=$((64 + 44)) conv=notrunc \
		2>/dev/null # p_memsz of the first segment
	by_goload "$tmp/changed" | sort | fails cmp -s - "$tmp/before" &&
		alike_of "$tmp/changed"
}

fact "control: a changed header is seen" sees
fact "the samples are as readelf has them" of_samples
fact "200 files of the system are as readelf has them" of_system
if command -v go >/dev/null; then
	fact "Go's modules and settings are as go version -m has them" as_go
else
	left_out "Go's modules and settings" "there is no go on the PATH"
fi
finish
