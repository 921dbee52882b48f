#!/usr/bin/env bash
# Makes the virtual environment VENV_ANOMALIB (default .venv-anomalib), in which the tests export models of anomalib
# and benchmarks/peers.py runs anomalib and AnomaVision.
# anomalib's own packages are installed there; torch and what else VENV (default .venv) has is taken from there, which
# saves some GB and a minute.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

quiet=()
[ -t 1 ] || quiet=(--quiet --quiet)
main=${VENV:-.venv}
venv=${VENV_ANOMALIB:-.venv-anomalib}

if ! "$main/bin/python" -c "import torch, onnxscript" >/dev/null 2>&1; then
    echo "$main has no torch: run tools/setup.sh first." >&2
    exit 1
fi
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    echo "Making $venv beside $main"
    "$main/bin/python" -m venv --clear "$venv"
fi
site() { "$1/bin/python" -c "import sysconfig; print(sysconfig.get_path('purelib'))"; }
site "$main" >"$(site "$venv")/packages_of_the_main_environment.pth"

echo "Installing anomalib into $venv"
"$venv/bin/python" -m pip install --disable-pip-version-check "${quiet[@]}" \
    -c constraints.txt -c constraints-anomalib.txt anomalib
# AnomaVision pins versions of numpy and matplotlib that anomalib does not take, and runs with newer ones.
"$venv/bin/python" -m pip install --disable-pip-version-check "${quiet[@]}" --no-deps \
    -c constraints-anomalib.txt anomavision easydict
"$venv/bin/python" -W ignore -c "import anomalib.models"
