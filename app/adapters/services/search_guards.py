"""How a search server is told that a user may reach one prefix only: OpenSearch's security plugin,
and Elasticsearch's own. Written after their documentation; no such server was there to try."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from app.adapters.services import Order
from app.adapters.services.json_api import JsonApi

# Named one by one: everything a site does with its own indices, but not `indices:admin/aliases`.
# An alias is another way to an index, and could go round the prefix ("Access limitations").
OPENSEARCH_ACTIONS = (
    "crud",
    "create_index",
    "indices_monitor",
    "indices:admin/analyze*",
    "indices:admin/close*",
    "indices:admin/delete",
    "indices:admin/exists*",
    "indices:admin/flush*",
    "indices:admin/forcemerge*",
    "indices:admin/get",
    "indices:admin/mapping*",
    "indices:admin/open",
    "indices:admin/refresh*",
    "indices:admin/settings/update",
    "indices:admin/validate/query",
)
# Bulk, multi-get and scroll name their indices inside, which are checked one by one.
OPENSEARCH_CLUSTER = ("cluster_composite_ops", "cluster:monitor/main")
# An alias needs the privilege on the index and on the alias's own name, so `manage` may stay.
ELASTICSEARCH_PRIVILEGES = ("read", "write", "create_index", "delete_index", "manage")
# What a server without such an API says of it; a server that failed says something else, and must
# not be taken for one without.
_UNKNOWN = (400, 404, 405)


class Guard(Protocol):
    """Makes and removes users that reach the indices of one prefix. Both may be asked twice."""

    def make(self, order: Order, pattern: str) -> None:
        """A role for `pattern`, and a user of the instance's key who has it and nothing else."""
        ...

    def remove(self, key: str) -> None:
        """Remove user and role; silent when they are gone."""
        ...


class OpenSearchGuard:
    """The security plugin of OpenSearch, `_plugins/_security/api`."""

    def __init__(self, api: JsonApi) -> None:
        self._api = api

    def make(self, order: Order, pattern: str) -> None:
        """As `Guard` says: a role, a user, and what ties them."""
        permissions = {"index_patterns": [pattern], "allowed_actions": list(OPENSEARCH_ACTIONS)}
        role = {"cluster_permissions": list(OPENSEARCH_CLUSTER), "index_permissions": [permissions]}
        self._put("roles", order.key, role)
        self._put("internalusers", order.key, {"password": order.password})
        self._put("rolesmapping", order.key, {"users": [order.key]})

    def remove(self, key: str) -> None:
        """As `Guard` says."""
        for kind in ("rolesmapping", "internalusers", "roles"):
            self._api.ask("DELETE", f"_plugins/_security/api/{kind}/{key}")

    def _put(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        self._api.ask("PUT", f"_plugins/_security/api/{kind}/{key}", body, unless=())


class ElasticsearchGuard:
    """The security features of Elasticsearch, `_security`."""

    def __init__(self, api: JsonApi) -> None:
        self._api = api

    def make(self, order: Order, pattern: str) -> None:
        """As `Guard` says: a role without any right on the cluster, and a user."""
        index = {"names": [pattern], "privileges": list(ELASTICSEARCH_PRIVILEGES)}
        self._put("role", order.key, {"cluster": [], "indices": [index]})
        self._put("user", order.key, {"password": order.password, "roles": [order.key]})

    def remove(self, key: str) -> None:
        """As `Guard` says."""
        for kind in ("user", "role"):
            self._api.ask("DELETE", f"_security/{kind}/{key}")

    def _put(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        self._api.ask("PUT", f"_security/{kind}/{key}", body, unless=())


def find_guard(api: JsonApi) -> Guard | None:
    """Who guards this server; None when nobody does, so that every user reaches every index."""
    about = api.ask("GET", "", unless=()) or {}
    if about.get("version", {}).get("distribution") == "opensearch":
        found = api.ask("GET", "_plugins/_security/api/account", unless=_UNKNOWN)
        return None if found is None else OpenSearchGuard(api)
    found = api.ask("GET", "_security/_authenticate", unless=_UNKNOWN)
    return None if found is None else ElasticsearchGuard(api)
