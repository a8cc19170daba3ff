#!/bin/sh
# Installs what is missing: Debian packages, Python packages into .venv, front-end packages.
# Usage: setup/install.sh run|test   Quick when nothing is missing. Needs root (or sudo) only for
# Debian packages; without either it prints the line to type.
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-run}

packages="git python3-venv docker.io iptables busybox-static util-linux bubblewrap"
[ "$purpose" = run ] || packages="$packages chromium-headless-shell iproute2 openssh-client postgresql debootstrap"

is_installed() {
    dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^ii'
}

is_there() { # what another source may have brought as well
    case $1 in
    bubblewrap) command -v bwrap ;;
    docker.io) command -v dockerd || test -S /var/run/docker.sock ;;
    chromium-headless-shell) test -x /usr/bin/chromium ;;
    postgresql) ls /usr/lib/postgresql/*/bin/postgres ;;
    *) return 1 ;;
    esac >/dev/null 2>&1
}

missing=""
for package in $packages; do
    is_installed "$package" || is_there "$package" || missing="$missing $package"
done
if ! command -v npm >/dev/null 2>&1; then
    missing="$missing npm"
fi
if [ -n "$missing" ]; then
    install="apt-get install -y --no-install-recommends$missing"
    if [ "$(id -u)" = 0 ]; then
        sudo=""
    elif sudo -n true 2>/dev/null; then
        sudo="sudo"
    else
        printf 'Missing Debian packages. Type this once, then try again:\n  sudo %s\n' "$install" >&2
        exit 1
    fi
    echo "  Debian packages:$missing"
    $sudo apt-get update -qq
    # The engine is started by `make run` with live-restore, unless the system's own one answers.
    DEBIAN_FRONTEND=noninteractive $sudo $install >/dev/null
fi

# The distribution's Python first: other users can run it, unlike one below somebody's home.
python=""
for candidate in /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "Moonbase needs Python 3.11 or newer with the venv module." >&2
    exit 1
fi

locks="requirements.txt"
[ "$purpose" = run ] || locks="requirements.txt requirements-dev.txt"
stamp=.venv/.installed-$purpose
wanted=$(cat $locks | sha256sum | cut -d' ' -f1)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "  Python packages"
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    arguments=""
    for lock in $locks; do arguments="$arguments -r $lock"; done
    # shellcheck disable=SC2086
    .venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes $arguments
    echo "$wanted" >"$stamp"
fi

# Command lines of others, which the tests run: in an environment of their own, as people have them.
if [ "$purpose" = test ]; then
    lock=tests/clients/requirements.txt
    stamp=.venv-clients/.installed
    wanted=$(sha256sum <$lock | cut -d' ' -f1)
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        echo "  Command lines of others"
        [ -x .venv-clients/bin/python ] || "$python" -m venv .venv-clients
        .venv-clients/bin/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes -r $lock
        echo "$wanted" >"$stamp"
    fi
fi

# Other users run the panel but may not write here: compiled once, processes start faster.
.venv/bin/python -m compileall -q addons app base_images wsgi.py worker.py

stamp=node_modules/.installed
wanted=$(cat package-lock.json setup/frontend.* | sha256sum | cut -d' ' -f1)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || [ ! -d static/vendor ]; then
    echo "  Front-end packages"
    npm ci --ignore-scripts --no-audit --no-fund --silent
    node setup/frontend.mjs
    echo "$wanted" >"$stamp"
fi
