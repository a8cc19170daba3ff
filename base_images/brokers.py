"""The images of RabbitMQ and Redis: Debian's packages, their settings, how they start."""

from __future__ import annotations

from base_images.recipe import Recipe

BROKER = 999
"""Whom RabbitMQ runs as: a number of Debian's range for system users."""

_SYSTEM = (
    "busybox-static base-files libc6 libgcc-s1 libstdc++6 gcc-12-base libssl3 libsystemd0 "
    "liblzma5 libzstd1 liblz4-1 libcap2 libgcrypt20 libgpg-error0"
)
# What RabbitMQ and its plugins name as their applications; not the rest of Debian's
# dependencies (Python for rabbitmqadmin, logrotate, ftp, snmp).
_RABBITMQ = (
    "rabbitmq-server erlang-base erlang-asn1 erlang-crypto erlang-eldap erlang-inets erlang-mnesia "
    "erlang-os-mon erlang-parsetools erlang-public-key erlang-runtime-tools erlang-ssl "
    "erlang-syntax-tools erlang-tools erlang-xmerl libtinfo6 zlib1g"
)

# Memory: 40 % of the container's 512 MB is RabbitMQ's own rule of thumb; beyond it publishers
# wait. Absolute, for it would otherwise take the machine's memory as its own. Definitions are
# the panel's, read at every start: they name the administrator, and instead of its password the
# hash; with them no user `guest` is made. A client may open 128 channels in a connection: Celery
# uses two or three.
_RABBITMQ_SETTINGS = """\
listeners.tcp.default = 5672
management.tcp.port = 15672
management.disable_stats = false
vm_memory_high_watermark.absolute = 205MiB
disk_free_limit.absolute = 1GB
channel_max = 128
load_definitions = /var/lib/rabbitmq/definitions.json
log.console = true
log.console.level = warning
log.file = false
"""
# The node has a fixed name: the container's own would change, and its data with it. epmd and
# Erlang's distribution listen on loopback only. No data but the log of upgrades outside the volume.
_START_RABBITMQ = """\
#!/bin/sh
export HOME=/var/lib/rabbitmq
export RABBITMQ_NODENAME=rabbit@localhost ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
export RABBITMQ_MNESIA_BASE=/var/lib/rabbitmq/nodes
export RABBITMQ_ENABLED_PLUGINS_FILE=/etc/rabbitmq/enabled_plugins
export RABBITMQ_LOGS=- RABBITMQ_LOG_BASE=/tmp ERL_CRASH_DUMP_SECONDS=0
exec /usr/lib/rabbitmq/bin/rabbitmq-server
"""

RABBITMQ = Recipe(
    name="rabbitmq-3.10",
    tag="moonbase/rabbitmq:3.10",
    packages=tuple(f"{_SYSTEM} {_RABBITMQ}".split()),
    busybox=True,
    accounts={"rabbitmq": BROKER},
    files={
        "bin/start-rabbitmq": _START_RABBITMQ,
        "etc/rabbitmq/rabbitmq.conf": _RABBITMQ_SETTINGS,
        "etc/rabbitmq/enabled_plugins": "[rabbitmq_management].\n",
    },
    environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
    settings=("EXPOSE 5672", 'CMD ["/bin/start-rabbitmq"]'),
)

# No snapshots and no append-only file: what is in a cache can be computed again. When it is full,
# what was not used for longest makes room, for a cache that refuses to be written to breaks its
# site. 64 MB with the 128 MB of the container leave room for buffers of clients and for fragments.
# Sixty connections as a database has them (L5964), and four for the panel.
_REDIS_SETTINGS = """\
bind * -::*
port 6379
protected-mode yes
dir /tmp
save ""
appendonly no
maxmemory 64mb
maxmemory-policy allkeys-lru
maxclients 64
timeout 0
tcp-keepalive 60
lua-time-limit 5000
enable-debug-command no
enable-module-command no
enable-protected-configs no
"""

REDIS = Recipe(
    name="redis-7.0",
    tag="moonbase/redis:7.0",
    packages=tuple(f"{_SYSTEM} redis-server redis-tools libatomic1 libjemalloc2 liblzf1".split()),
    busybox=True,
    files={"etc/redis/redis.conf": _REDIS_SETTINGS},
    environment={"PATH": "/usr/bin:/bin"},
    settings=("EXPOSE 6379", 'CMD ["/usr/bin/redis-server", "/etc/redis/redis.conf"]'),
)

BROKERS = (RABBITMQ, REDIS)
