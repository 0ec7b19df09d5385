#!/bin/sh
# Puts nginx into the folder named, for tests. It is not installed: Debian's package would start a server on port 80.
set -eu
mkdir -p "$1"
cd "$1"
if found=$(PATH="$PATH:/usr/sbin" command -v nginx); then
    ln -sf "$found" nginx
    exit 0
fi
fetch() { apt-get download -q -o APT::Sandbox::User=root nginx >log 2>&1; }
fetch || { apt-get update >log 2>&1 && fetch; } || {
    cat log >&2
    echo "certmark: the tests of the proxy need nginx. Install it, then try again." >&2
    exit 1
}
dpkg-deb --extract nginx_*.deb .
ln -sf usr/sbin/nginx nginx
