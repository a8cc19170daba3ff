#!/bin/sh
# Installs what is missing: Debian packages, Python packages into .venv, front-end packages.
# Usage: setup/install.sh run|test   Quick when nothing is missing. Needs root (or sudo) only for
# Debian packages; without either it prints the line to type.
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-run}

packages="git python3-venv docker.io iptables busybox-static util-linux bubblewrap age"
# libatomic1: what drives the browser in tests brings a Node of its own, which needs it.
[ "$purpose" = run ] || packages="$packages chromium-headless-shell libatomic1 iproute2 openssh-client
    postgresql debootstrap docker-compose"

is_installed() {
    dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^ii'
}

is_there() { # what another source may have brought as well
    case $1 in
    age) command -v age ;;
    bubblewrap) command -v bwrap ;;
    docker.io) command -v dockerd || test -S /var/run/docker.sock ;;
    chromium-headless-shell) test -x /usr/bin/chromium ;;
    docker-compose) command -v docker-compose ;;
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

# Installs what the lock files pin into an environment, unless it is there: `environment STAMP
# FOLDER LOCK…`. uv needs 5 s where pip needs 45 (measured), but does not read pip's settings: where
# those name an index of their own, or uv does not get through, pip does it.
environment() {
    stamp=$2/$1
    folder=$2
    shift 2
    wanted=$(cat setup/uv.txt "$@" | sha256sum | cut -d' ' -f1)
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    echo "  Python packages into $folder"
    [ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
    locks=$(printf ' -r %s' "$@")
    pip="$folder/bin/python -m pip"
    install="$pip install --quiet --quiet --disable-pip-version-check --require-hashes"
    if $pip config list | grep -qE "[.](index-url|no-index)=" ||
        ! $install -r setup/uv.txt ||
        ! "$folder/bin/uv" pip install --quiet --no-cache --python "$folder/bin/python" --require-hashes $locks; then
        # shellcheck disable=SC2086
        $install $locks
    fi
    # Other users run the panel but may not write here: compiled once, processes start faster.
    [ "$purpose" = test ] || "$folder/bin/python" -m compileall -qq -j 0 "$folder/lib" || true
    echo "$wanted" >"$stamp"
}

front_end() {
    stamp=node_modules/.installed
    wanted=$(cat package-lock.json setup/frontend.* | sha256sum | cut -d' ' -f1)
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || [ ! -d static/vendor ]; then
        echo "  Front-end packages"
        npm ci --ignore-scripts --no-audit --no-fund --silent
        node setup/frontend.mjs
        echo "$wanted" >"$stamp"
    fi
}

# All of them at once: each waits for the network now and then.
front_end &
others=$!
if [ "$purpose" = test ]; then
    # Command lines of others, as people have them: in an environment of their own.
    environment .installed .venv-clients tests/clients/requirements.txt &
    others="$others $!"
    environment .installed-test .venv requirements.txt requirements-dev.txt
else
    environment .installed-run .venv requirements.txt
fi
.venv/bin/python -m compileall -q addons app base_images wsgi.py worker.py
for one in $others; do wait "$one"; done
