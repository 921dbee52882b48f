#!/usr/bin/env bash
# Installs Debian's packages whose programs the tests of a station really run: a browser, a broker, a camera, a database.
# Without the right to install, it says what is missing and how to get it; the tests that need it are skipped then, with their reason.
set -euo pipefail

# program (a name on the path, or a file) and the package that brings it
needed=(
    "chromium chromium"
    "mosquitto mosquitto"
    "arv-fake-gv-camera-0.8 aravis-tools"
    "/usr/lib/x86_64-linux-gnu/girepository-1.0/Aravis-0.8.typelib gir1.2-aravis-0.8"
    "pg_ctl postgresql"
    "unshare util-linux"
    # What PyGObject is built with.
    "pkg-config pkg-config"
    "gcc gcc"
    "/usr/include/gobject-introspection-1.0 libgirepository1.0-dev"
    "/usr/include/cairo libcairo2-dev"
)

missing=()
for entry in "${needed[@]}"; do
    read -r program package <<<"$entry"
    # Debian keeps programs of services out of an ordinary user's path, and PostgreSQL's in a folder of their own.
    PATH="$PATH:/usr/sbin:$(echo /usr/lib/postgresql/*/bin | tr ' ' ':')" command -v "$program" >/dev/null 2>&1 ||
        [ -e "$program" ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null 2>&1 || { [ "$(id -u)" -ne 0 ] && ! sudo -n true 2>/dev/null; }; then
    echo "NOT TESTED where these are needed: install them with \`sudo apt-get install -y ${missing[*]}\`." >&2
    exit 0
fi
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
echo "Installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Services that packages bring are not to be started: the tests start their own.
if ! { "${as_root[@]}" apt-get update && "${as_root[@]}" apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "NOT TESTED where these are needed: ${missing[*]} could not be installed." >&2
fi
