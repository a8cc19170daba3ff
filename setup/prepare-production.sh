#!/bin/sh
# Makes what docker-compose.yml needs and keeps what is there: ./secrets and .env.
# Usage: setup/prepare-production.sh PANEL_HOST PLATFORM_DOMAIN   (as root, beside docker-compose.yml)
set -eu
cd "$(dirname "$0")/.."
if [ $# -ne 2 ]; then
    echo "Usage: $0 PANEL_HOST PLATFORM_DOMAIN, e.g. $0 panel.example.com sites.example.com" >&2
    exit 2
fi
panel=$1 platform=$2
user=10001 # as in the Dockerfile

umask 077
mkdir -p secrets/panel secrets/operator # operator: the keys that only the worker sees
random() { head -c 36 /dev/urandom | base64 | tr '+/' '-_'; }
keep() { [ -s "secrets/$1" ] || cat >"secrets/$1"; }

random | keep database_password
echo "postgresql+psycopg://moonbase:$(cat secrets/database_password)@/moonbase?host=/var/run/postgresql" | keep database_url
random | keep panel/session.key
random | keep panel/ingress.token
# Empty: letters are written to the volume "mail". One line like smtp://user:password@host:587 sends them.
[ -e secrets/mail_url ] || : >secrets/mail_url
if [ ! -s secrets/tls.crt ]; then
    # To begin with; put a certificate that browsers trust in its place.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj "/CN=$panel" \
        -addext "subjectAltName=DNS:$panel,DNS:$platform,DNS:*.$platform" \
        -keyout secrets/tls.key -out secrets/tls.crt 2>/dev/null
fi
chmod 0711 secrets
chown -R "$user:$user" secrets/panel secrets/operator
chown "$user:$user" secrets/database_url secrets/mail_url
chmod 0640 secrets/tls.crt secrets/tls.key # root's group: "front" is root without its privileges
if [ ! -e .env ]; then
    cat >.env <<EOF
MOONBASE_PANEL_HOST=$panel
MOONBASE_PLATFORM_DOMAIN=$platform
DOCKER_GROUP=$(stat -c %g /var/run/docker.sock 2>/dev/null || getent group docker | cut -d: -f3)
EOF
fi
echo "Ready: docker-compose up -d"
