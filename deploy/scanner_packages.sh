#!/bin/sh
# Installs what the scanner takes from npm into the folder $1, by its lock file. Without npm it says what then does not
# work, and ends well: all the rest does.
set -eu
here=$(dirname "$0")/../services/verify/scan
if ! command -v npm >/dev/null 2>&1; then
    echo "certmark: there is no npm, so /scan will look up online only. For its check offline: apt install npm, then make again" >&2
    exit 0
fi
echo "Installing what the scanner needs …"
mkdir -p "$1"
cp "$here/package.json" "$here/package-lock.json" "$1/"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if npm ci --prefix "$1" --omit=dev --ignore-scripts --no-audit --no-fund >"$log" 2>&1; then
    rm -rf "$1/node_modules/@types" "$1/node_modules/type-fest" "$1/node_modules/tagged-tag" # types, for who compiles
    touch "$1/scanner.stamp"
else
    tail -20 "$log" >&2
    echo "certmark: npm could not install the scanner's packages, so /scan will look up online only; make again to try once more" >&2
fi
