# Sourced. find_python VERSION... prints the first interpreter of these versions that runs and can make virtual environments;
# status 1: there is none; status 2: there is one without ensurepip (Debian's pythonX.Y-venv), which is printed.

find_python() {
    local version candidate without_venv=""
    for version in "$@"; do
        for candidate in "python$version" "$HOME/.pyenv/versions/$version".*/bin/"python$version" \
            "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/"python$version" "/opt/python/$version/bin/python$version"; do
            # A shim of a version manager may be on the path and refuse to run: so each is tried.
            "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" >/dev/null 2>&1 || continue
            if "$candidate" -c "import ensurepip, venv" >/dev/null 2>&1; then
                "$candidate" -c "import sys; print(sys.executable)"
                return 0
            fi
            without_venv=${without_venv:-$version}
        done
    done
    [ -n "$without_venv" ] && echo "$without_venv" && return 2
    return 1
}
