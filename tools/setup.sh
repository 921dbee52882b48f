#!/usr/bin/env bash
# Makes the virtual environment VENV (default .venv) with everything that the demo and the tests need.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/find_python.sh

# pip's progress bars are for people; a log gets only what went wrong.
quiet=()
[ -t 1 ] || quiet=(--quiet --quiet)
venv=${VENV:-.venv}
extras=${EXTRAS:-export,openvino,rtx,demo,test}

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    status=0
    python=$(find_python ${NAND_EDGE_PYTHON:-3.11 3.12 3.10}) || status=$?
    if [ "$status" -eq 2 ]; then
        echo "Python $python is here without its venv module: install it with \`sudo apt-get install -y python$python-venv\`." >&2
        exit 1
    elif [ "$status" -ne 0 ]; then
        echo "No Python 3.10, 3.11 or 3.12 was found: install one with \`sudo apt-get install -y python3.11 python3.11-venv\`." >&2
        exit 1
    fi
    echo "Making $venv with $python"
    "$python" -m venv --clear "$venv"
fi

echo "Installing nand-edge[$extras] into $venv (several GB the first time, PyTorch being most of it)"
"$venv/bin/python" -m pip install --disable-pip-version-check "${quiet[@]}" -c constraints.txt -e ".[$extras]"
"$venv/bin/python" -m nand_edge.installation
