#!/bin/sh
# Makes the virtual environment $1 from the first Python that is at least 3.11 (or from $PYTHON), or says what is missing.
set -eu
found=
for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    if command -v "$python" >/dev/null 2>&1 &&
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        found=${found:-$python}
        if "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
            exec "$python" -m venv --clear "$1"
        fi
    fi
done
if [ -n "$found" ]; then
    echo "certmark: $found lacks its venv module. On Debian and Ubuntu: apt install python3-venv" >&2
else
    echo "certmark: needs Python 3.11 or newer; install it, or name it with make PYTHON=/path/to/python3" >&2
fi
exit 1
