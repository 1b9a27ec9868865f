#!/bin/sh
# The page of `report --format html` in a real browser: what it shows of real runs
# is what the JSON report says, all of it can be used with mouse and keyboard, and
# it says nothing to anybody, whatever a program is called. What is redacted is
# not in it.
. "$(dirname "$0")/lib.sh"

for tool in node npm chromium objcopy bash; do
	command -v $tool >/dev/null || skip "$tool is missing"
done

# npm puts what drives the browser where it need not be fetched again.
driver=$PWD/out/page
mkdir -p "$driver"
cp "$here/page/package.json" "$here/page/package-lock.json" \
	"$here/page/drive.mjs" "$driver"
cmp -s "$driver/package-lock.json" "$driver/installed" || {
	npm ci --prefix "$driver" --ignore-scripts --no-audit --no-fund \
		--silent >"$tmp/npm" 2>&1 ||
		skip "npm cannot install playwright-core: $(head -n 1 "$tmp/npm")"
	cp "$driver/package-lock.json" "$driver/installed"
}

# page NAME OPTION...: $tmp/NAME.html of $tmp/NAME.run
page()
{
	name=$1
	shift
	"$GOLOAD" report --format html "$@" -o "$tmp/$name.html" \
		"$tmp/$name.run" 2>"$tmp/$name.said"
}

# Facts are the driver's own lines.
driven()
{
	fact "$1: there is a page" page "$1"
	"$GOLOAD" report --format json "$tmp/$1.run" >"$tmp/$1.json"
	timeout 300 node "$driver/drive.mjs" "$(command -v chromium)" \
		"$tmp/$1.html" "$tmp/$1.json" "$1" $SHOTS >"$tmp/$1.facts" 2>&1
	ended=$?
	cat "$tmp/$1.facts"
	failed=$((failed + $(grep -c '^not ok' "$tmp/$1.facts")))
	fact "$1: the browser was driven to the end" [ $ended = 0 ]
	fact "$1: the page is no larger than 3 MB" \
		[ "$(wc -c <"$tmp/$1.html")" -le 3000000 ]
}

served()
{
	bash "$here/serve.sh" 20 "$GOLOAD" record -q -o "$tmp/$1.run" "$2" \
		>"$tmp/served" 2>&1 || cat "$tmp/served"
}

# What the page holds of a run.
data()
{
	sed 's/.*id="data">//; s/<\/script>$//' "$tmp/$1.html" | tail -n 1 |
		base64 -d | gzip -dc
}

: "${SHOTS=}" # a folder for pictures
samples hello http http.cgo churn
run hello "$GOLOAD" record -q -o "$tmp/hello.run" "$SAMPLES/go/hello"
page hello || ! grep -q 'built without the page' "$tmp/hello.said" ||
	skip "$(cat "$tmp/hello.said")"

# ---- five runs -----------------------------------------------------------------

driven hello
served http "$SAMPLES/go/http"
driven http
served http.cgo "$SAMPLES/go/http.cgo"
driven http.cgo
run churn "$GOLOAD" record -q -o "$tmp/churn.run" "$SAMPLES/go/churn" 1000
driven churn
run storm "$GOLOAD" record -q -o "$tmp/storm.run" \
	"$SAMPLES/c-glibc-static/churn" 100000
driven storm
fact 'storm: it is one of a million calls' \
	jq -e '.events.count + .events.lost >= 1000000' "$tmp/storm.json"
rm -f "$tmp/storm.run"

# ---- hostile names ---------------------------------------------------------------

evil='</script><img src=x onerror=alert(1)>'
helper page_names -static
objcopy --redefine-sym "hostile=$evil" "$tmp/page_names" "$tmp/<b onx=1>"
: >"$tmp/<svg onload=alert(2)>"
echo text >"$tmp/<svg onload=alert(2)>"
run hostile "$GOLOAD" record -q -o "$tmp/hostile.run" "$tmp/<b onx=1>" \
	"$tmp/<svg onload=alert(2)>" "$evil" '--><script>alert(3)</script>'
driven hostile
data hostile >"$tmp/hostile.data"
fact 'hostile: the names are in its data' sh -c '
	grep -qF "\"$1\"" "$2" && grep -qF "file <svg onload" "$2" &&
	grep -qF "<b onx=1>" "$2" && grep -qF -e "--><script>" "$2"' \
	sh "$evil" "$tmp/hostile.data"
fact 'hostile: and nowhere else' fails grep -qF -e onerror -e 'onload=' -e onx \
	"$tmp/hostile.html"

# ---- what is left out --------------------------------------------------------------

echo 'void library(void) { }' >"$tmp/library.c"
mkdir "$tmp/secretfolder"
$CC -shared -fPIC -Wl,--build-id=0xdeadbeefdeadbeef "$tmp/library.c" \
	-o "$tmp/secretfolder/libsecretlibrary.so"
$CC -g -O1 -D_GNU_SOURCE -DLIBRARY "$here/helpers/page_names.c" \
	-Wl,--build-id=0xcafedadacafedada,-rpath,"$tmp/secretfolder" \
	-L"$tmp/secretfolder" -lsecretlibrary -o "$tmp/secretfolder/secretprogram"
echo text >"$tmp/secretfile"
run secret env SECRETVARIABLE=1 "$GOLOAD" record -q -o "$tmp/secret.run" \
	"$tmp/secretfolder/secretprogram" "$tmp/secretfile" secretargument
secrets="secretfolder libsecretlibrary secretprogram secretfile secretargument
	secretname cafedada page_names.c ${tmp#/} \"$(uname -n)\""

# holds NAME: which of the secrets its data has
holds()
{
	data "$1" >"$tmp/$1.data"
	for word in $secrets; do
		! grep -qF -- "$word" "$tmp/$1.data" || echo "$word"
	done
}

page secret
fact 'control: the page of a run says who ran what, and where' \
	[ "$(holds secret)" = "$(printf '%s\n' $secrets)" ]
fact 'it does not have the environment' fails grep -q SECRETVARIABLE \
	"$tmp/secret.data"
page secret --redact
fact 'with --redact it says none of that' [ "$(holds secret)" = '' ]
fact 'and nothing of it stands elsewhere in the page' fails grep -q secret \
	"$tmp/secret.html"
fact 'its rows are the same' sh -c '
	jq -c "[.rows[] | [.owner, .reserved, .committed, .resident]]" "$1" >"$1.a"
	"$3" report --format json "$2" | jq -c \
		"[.ledger[] | [.owner, .reserved, .committed, .resident]]" >"$1.b"
	cmp "$1.a" "$1.b" && [ -s "$1.a" ]' \
	sh "$tmp/secret.data" "$tmp/secret.run" "$GOLOAD"
fact 'libraries, files and names are numbered' \
	jq -e '[.rows[].kind] | any(test("^library [0-9]+ text$")) and
		any(test("^file [0-9]+$")) and any(test("^name [0-9]+$"))' \
	"$tmp/secret.data"

# ---- misuse -------------------------------------------------------------------------

said()
{
	"$GOLOAD" report "$@" "$tmp/hello.run" >"$tmp/out" 2>"$tmp/err"
	[ $? = 125 ] && [ ! -s "$tmp/out" ] && grep -q '^goload: ' "$tmp/err"
}
fact '--redact is for the page' said --redact
fact 'so is not --why' said --format html --why heap
finish
