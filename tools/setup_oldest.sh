#!/usr/bin/env bash
# Makes the virtual environment VENV_OLDEST (default .venv-oldest): the device's side in the oldest versions that it allows.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/find_python.sh

# pip's progress bars are for people; a log gets only what went wrong.
quiet=()
[ -t 1 ] || quiet=(--quiet --quiet)
venv=${VENV_OLDEST:-.venv-oldest}

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    if ! python=$(find_python 3.10); then
        echo "NOT TESTED: Python 3.10 was not found; the oldest versions of the packages run on a newer Python instead." >&2
        python=$(find_python 3.11 3.12) || { echo "No Python 3.10, 3.11 or 3.12 with venv was found." >&2; exit 1; }
    fi
    echo "Making $venv with $python"
    "$python" -m venv --clear "$venv"
fi

echo "Installing the oldest allowed versions of the device's side into $venv"
"$venv/bin/python" -m pip install --disable-pip-version-check "${quiet[@]}" -c constraints-oldest.txt -e ".[station,test-device]"
"$venv/bin/python" -m nand_edge.installation
