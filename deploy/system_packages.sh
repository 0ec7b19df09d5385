#!/bin/sh
# Installs the Debian packages behind the given needs (java maven chromium fonts pango tesseract jdk go node npm wrk) where they are missing,
# as root or by sudo.
set -eu
missing=
sparing=
java_is_new_enough() {
    command -v java >/dev/null 2>&1 && java -version 2>&1 | head -1 | grep -Eq '"(1[7-9]|[2-9][0-9])'
}
java_compiles() { java --list-modules | grep -q '^jdk.compiler'; } # as `java Publish.java` asks for
for need in "$@"; do
    case $need in
    java) java_is_new_enough || missing="$missing openjdk-17-jre-headless" ;;
    maven) command -v mvn >/dev/null 2>&1 || missing="$missing maven" ;;
    chromium) command -v chromium >/dev/null 2>&1 || missing="$missing chromium" ;;
    fonts) fc-list ':lang=zh-cn' 2>/dev/null | grep -q . || missing="$missing fontconfig fonts-noto-cjk" ;;
    pango) # what weasyprint draws its PDF files with
        /sbin/ldconfig -p | grep -q libpangoft2-1.0.so.0 && /sbin/ldconfig -p | grep -q libharfbuzz-subset.so.0 ||
            missing="$missing libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0" ;;
    tesseract) tesseract --list-langs 2>/dev/null | grep -q '^chi_sim$' || missing="$missing tesseract-ocr tesseract-ocr-chi-sim" ;;
    jdk) java_is_new_enough && java_compiles || missing="$missing openjdk-17-jdk-headless" ;;
    go)
        command -v go >/dev/null 2>&1 || {
            missing="$missing golang-go"
            # What only building another compiler takes, a third of Debian 12's 464 MB, stays out.
            option="-o DPkg::Options::=--path-exclude="
            sparing="$option/usr/lib/go-*/pkg/*/cmd/* $option/usr/share/go-*/test/*"
        } ;;
    node) node -e 'process.exit(typeof fetch === "function" ? 0 : 1)' >/dev/null 2>&1 || missing="$missing nodejs" ;;
    npm) command -v npm >/dev/null 2>&1 || missing="$missing npm" ;;
    wrk) command -v wrk >/dev/null 2>&1 || missing="$missing wrk" ;;
    *) echo "certmark: no such need: $need" >&2 && exit 2 ;;
    esac
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root=sudo
else
    as_root=none
fi
if [ "$as_root" = none ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "certmark: this needs$missing, which this user cannot install. Install them (Debian's names), then try again." >&2
    exit 1
fi
echo "Installing$missing …"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
set -f # the patterns are dpkg's
install() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $sparing $missing >"$log" 2>&1; }
install || { $as_root apt-get update >"$log" 2>&1 && install; } || {
    tail -20 "$log" >&2
    echo "certmark: apt-get could not install$missing" >&2
    exit 1
}
