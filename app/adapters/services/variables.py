"""What sites are told of their services: names and values of variables, by kind.

Computed from what provisioning noted; nothing is asked and no vendor's library loaded, for pages
show it as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote

from app.adapters.services import Facts, Order, ServiceKind
from app.adapters.services.storage_dsn import storage_dsn

DEFAULT = "DEFAULT"
"""The prefix whose instances have a second, short name (L5925)."""


def variables_of(kind: ServiceKind, prefix: str, facts: Facts) -> dict[str, str]:
    """The environment variables of an instance with this prefix; all hold secrets.

    Raises KeyError when `facts` lack something.
    """
    value = _KINDS[kind][2](facts)
    return dict.fromkeys(variable_names(kind, prefix), value)


def variable_names(kind: ServiceKind, prefix: str) -> tuple[str, ...]:
    """Their names, which are known before an instance is made."""
    ending, short, _ = _KINDS[kind]
    name = f"{prefix}_{ending}"
    return (name, short) if short and prefix == DEFAULT else (name,)


def index_pattern(key: str) -> str:
    """The names of all search indices of an instance."""
    return f"{key}-*"


def bracketed(host: str) -> str:
    """The host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def _login(facts: Facts) -> str:
    return ":".join(quote(facts[part], safe="") for part in ("user", "password"))


def database_facts(order: Order, host: str, port: int) -> Facts:
    """What is noted of a database that was made for `order`."""
    return {
        "key": order.key,
        "host": host,
        "port": str(port),
        "user": order.key,
        "password": order.password,
        "database": order.key,
    }


def _database(scheme: str) -> Callable[[Facts], str]:
    def write(facts: Facts) -> str:
        place = f"{facts['host']}:{facts['port']}/{quote(facts['database'], safe='')}"
        return f"{scheme}://{_login(facts)}@{place}"

    return write


def _broker(facts: Facts) -> str:
    place = f"{bracketed(facts['host'])}:{facts['port']}/{quote(facts['vhost'], safe='')}"
    return f"{facts['scheme']}://{_login(facts)}@{place}"


def _cache(facts: Facts) -> str:
    return f"redis://:{quote(facts['password'], safe='')}@{facts['host']}:{facts['port']}/0"


def _search(facts: Facts) -> str:
    """`es+https://user:password@host:9200/<prefix>-*` (L7563)."""
    path = "/".join(filter(None, (facts["path"], index_pattern(facts["key"]))))
    host = f"{bracketed(facts['host'])}:{facts['port']}"
    at = f"{_login(facts)}@{host}" if facts["user"] else host
    return f"es+{facts['scheme']}://{at}/{path}"


_KINDS: Mapping[ServiceKind, tuple[str, str, Callable[[Facts], str]]] = {
    ServiceKind.POSTGRESQL: ("DATABASE_DSN", "DATABASE_URL", _database("postgres")),
    ServiceKind.MYSQL: ("DATABASE_DSN", "DATABASE_URL", _database("mysql")),
    ServiceKind.OBJECT_STORAGE: ("STORAGE_DSN", "", storage_dsn),
    ServiceKind.RABBITMQ: ("AMQP_BROKER_URL", "BROKER_URL", _broker),
    ServiceKind.REDIS: ("CACHE_URL", "CACHE_URL", _cache),
    ServiceKind.SEARCH: ("HAYSTACK_URL", "", _search),
}
"""Ending, short name and value (L4075, L5107, L5925, L7563)."""
