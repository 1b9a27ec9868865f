#!/bin/sh
# Make the page of `goload report --format html`:
#
#	web/build.sh SOURCES PAGE
#
# SOURCES is this folder; what npm brings goes next to PAGE. Where node, npm or
# its registry is missing PAGE is empty, and goload is built without it.
set -eu
sources=$(cd "$1" && pwd)
page=$2
folder=$(dirname "$page")
mkdir -p "$folder"

without()
{
	echo "goload is built without report --format html: $*" >&2
	echo "When it is there: rm $page, and make again." >&2
	: >"$page"
	exit 0
}

command -v node >/dev/null || without "node is missing (Debian: nodejs)"
command -v npm >/dev/null || without "npm is missing (Debian: npm)"
cd "$folder"
for file in package.json package-lock.json; do
	cmp -s "$sources/$file" "$file" || cp "$sources/$file" "$file"
done
cd "$OLDPWD"
npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --silent ||
	without "npm cannot install what $folder/package.json names"
node "$sources/build.mjs" "$sources" "$folder/node_modules" >"$page.new"
mv "$page.new" "$page"
