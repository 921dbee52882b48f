#!/usr/bin/env bash
# Installs the bindings of machine-vision cameras into the virtual environment $1, with the constraints $2.
# PyGObject is built from source there; where that cannot be done, its tests are skipped with their reason.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
for extra in gentl aravis; do
    log=$(mktemp)
    if ! "$1/bin/python" -m pip install --disable-pip-version-check --quiet -c "$2" -e ".[$extra]" >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        echo "NOT TESTED: the extra '$extra' could not be installed into $1." >&2
    fi
    rm -f "$log"
done
