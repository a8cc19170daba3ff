"""Elasticsearch and OpenSearch: an index prefix per instance on an administrator's server.

Moonbase starts none, for no package registry has one. Only a role and a user are made here; the
indices are the site's to make, with names that begin with its prefix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO
from urllib.parse import quote

from app.adapters.services import (
    Content,
    Contents,
    Facts,
    Order,
    Server,
    ServiceKind,
    Usage,
)
from app.adapters.services.exchange import NoExchange
from app.adapters.services.json_api import JsonApi
from app.adapters.services.search_guards import find_guard
from app.adapters.services.server_urls import Address, read_address
from app.adapters.services.variables import index_pattern, variables_of
from app.errors import Invalid, Unavailable

NAME = "The search server"
PORTS = {"https": 443, "http": 9200}
_AT_ONCE = 50
"""Indices deleted by one question: the first line of a request may have 4,096 bytes."""
_UNGUARDED = (
    "This search server cannot keep sites apart: every user reads every index. An operator may "
    "allow that by adding ?shared=yes to its address."
)


class Search(NoExchange):
    """Servers by an administrator's URL, `https://user:password@host:9200`.

    With `?shared=yes` a server that keeps nobody apart is used all the same: its sites are then
    handed the URL's own user, and can read and delete each other's indices.
    """

    kind = ServiceKind.SEARCH
    content: Content | None = None
    versions: tuple[str, ...] = ()

    def start(self, server: Server) -> None:
        """See that it answers, and as a search server."""
        about = _api(server).ask("GET", "", unless=())
        if not isinstance(about, dict) or "version" not in about:
            raise Unavailable("What answers in place of the search server is not one.")

    def stop(self, server: Server) -> None:
        """Nothing: it is not ours."""

    def remove(self, server: Server) -> None:
        """Nothing: it is not ours."""

    def provision(self, server: Server, order: Order) -> Facts:
        """Make a user that reaches the indices of its prefix and no other.

        Raises `Invalid` where the server knows no such users, unless its URL says `shared=yes`.
        """
        address = _address(server)
        api = JsonApi(address, NAME)
        guard = find_guard(api)
        facts = {
            "key": order.key,
            "scheme": address.scheme,
            "host": address.host,
            "port": str(address.port),
            "path": address.path.strip("/"),
            "user": order.key,
            "password": order.password,
        }
        if guard is not None:
            guard.make(order, index_pattern(order.key))
            return facts
        if address.options.get("shared") != "yes":
            raise Invalid(_UNGUARDED)
        return facts | {"user": address.user, "password": address.password}

    def attach(self, server: Server, facts: Facts, network: str) -> None:
        """Nothing: sites reach it as the URL says."""

    def detach(self, server: Server, facts: Facts, network: str) -> None:
        """Nothing, like `attach`."""

    def variables(self, prefix: str, facts: Facts) -> dict[str, str]:
        """See `variables_of`."""
        return variables_of(self.kind, prefix, facts)

    def usage(self, server: Server, facts: Facts) -> Usage:
        """Bytes on disk, copies included, and documents of all its indices."""
        rows = _indices(_api(server), facts["key"])
        return Usage(
            bytes=sum(int(row.get("store.size") or 0) for row in rows),
            objects=sum(int(row.get("docs.count") or 0) for row in rows),
        )

    def contents(self, server: Server, facts: Facts) -> Contents:
        """Nothing: an index is not backed up."""
        return Contents()

    def backup(self, server: Server, facts: Facts, sink: BinaryIO) -> Contents:
        """Raises `Invalid`: an index is not backed up."""
        raise Invalid("A search index is not backed up: the site builds it again from its data.")

    def restore(
        self, server: Server, facts: Facts, source: BinaryIO, *, is_whole: bool = False
    ) -> None:
        """Raises `Invalid`: an index is not backed up."""
        raise Invalid("A search index is not backed up, so nothing can be restored into it.")

    def deprovision(self, server: Server, key: str, facts: Facts) -> None:
        """Remove the user first, so that nothing new is made, then every index of the prefix.

        By their names: servers may refuse to delete by a pattern.
        """
        api = _api(server)
        guard = find_guard(api)
        if guard is not None:
            guard.remove(key)
        for some in _in_parts([row["index"] for row in _indices(api, key)]):
            names = ",".join(quote(name, safe="") for name in some)
            api.ask("DELETE", f"{names}?ignore_unavailable=true")


def _address(server: Server) -> Address:
    if server.is_embedded:
        raise Invalid("Moonbase has no search server of its own: an operator adds one by address.")
    return read_address(server.secret, PORTS, "the search server")


def _api(server: Server) -> JsonApi:
    return JsonApi(_address(server), NAME)


def _indices(api: JsonApi, key: str) -> list[dict[str, Any]]:
    asked = "format=json&bytes=b&expand_wildcards=all&h=index,docs.count,store.size"
    found: list[dict[str, Any]] | None = api.ask(
        "GET", f"_cat/indices/{index_pattern(key)}?{asked}"
    )
    # Held to the prefix once more: what this answers with is deleted.
    return [row for row in found or () if str(row.get("index", "")).startswith(f"{key}-")]


def _in_parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[at : at + _AT_ONCE] for at in range(0, len(names), _AT_ONCE))
