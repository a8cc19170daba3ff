"""The search backend against a protocol double; see `search_server.py` for what that proves."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from urllib.parse import quote, unquote, urlsplit

import pytest
import requests

from app.adapters.services import Order, Server, ServiceKind
from app.adapters.services.search import Search
from app.errors import Invalid, Unavailable
from tests.contracts.search_server import ADMIN, SearchServer

BACKEND = Search()


def server_at(double: SearchServer, query: str = "", password: str = ADMIN[1]) -> Server:
    login = f"{ADMIN[0]}:{quote(password, safe='')}"
    return Server(
        key=str(uuid.uuid4()),
        kind=ServiceKind.SEARCH,
        version="",
        is_embedded=False,
        secret=f"http://{login}@127.0.0.1:{double.port}/{query}",
        installation_id="test",
    )


def order(letter: str) -> Order:
    return Order(key=letter * 16, password=f"pw:/{letter}-ü")


@pytest.fixture(params=["opensearch", "elasticsearch"])
def double(request: pytest.FixtureRequest) -> Iterator[SearchServer]:
    with SearchServer(request.param) as made:
        yield made


class Site:
    """What a site does with the variable it is given."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.scheme == "es+http"
        assert parts.path.endswith("-*")
        self.prefix = parts.path.strip("/").removesuffix("*")
        self._root = f"http://{parts.hostname}:{parts.port}"
        self._login = (unquote(parts.username or ""), unquote(parts.password or ""))

    def ask(self, method: str, path: str, body: object = None) -> int:
        user, password = (part.encode() for part in self._login)
        return requests.request(
            method, f"{self._root}/{path}", json=body, auth=(user, password), timeout=5
        ).status_code


def site(double: SearchServer, letter: str, query: str = "") -> Site:
    server = server_at(double, query)
    facts = BACKEND.provision(server, order(letter))
    assert BACKEND.provision(server, order(letter)) == facts
    variables = BACKEND.variables("DEFAULT", facts)
    assert list(variables) == ["DEFAULT_HAYSTACK_URL"]
    return Site(variables["DEFAULT_HAYSTACK_URL"])


def test_a_site_reaches_its_own_prefix_and_no_other(double: SearchServer) -> None:
    BACKEND.start(server_at(double))
    one, other = site(double, "a"), site(double, "b")
    assert double.indices == {}, "nothing is made until the site does"
    assert one.ask("PUT", f"{one.prefix}pages") == 200
    assert one.ask("POST", f"{one.prefix}pages/_doc", {"title": "Käse"}) == 200
    assert other.ask("GET", f"{one.prefix}pages/_search") == 403
    assert other.ask("DELETE", f"{one.prefix}pages") == 403
    assert other.ask("GET", "_cat/indices/*") == 403
    assert one.ask("GET", f"{one.prefix}pages/_search") == 200


def test_usage_and_removal_touch_the_prefix_only(double: SearchServer) -> None:
    server = server_at(double)
    one, other = site(double, "a"), site(double, "b")
    for number in range(120):
        double.indices[f"{one.prefix}{number}"] = [{"n": number}]
    double.indices[f"{other.prefix}kept"] = [{}]
    double.indices["a" * 17] = [{}]
    facts = BACKEND.provision(server, order("a"))
    usage = BACKEND.usage(server, facts)
    assert usage.objects == 120
    assert usage.bytes is not None and usage.bytes > 120
    for known in (facts, {}):
        BACKEND.deprovision(server, "a" * 16, known)
    assert sorted(double.indices) == ["a" * 17, f"{other.prefix}kept"]
    assert list(double.users) == list(double.patterns) == ["b" * 16]
    assert one.ask("GET", f"{one.prefix}1") == 401
    assert not any("*" in asked for asked in double.asked if asked.startswith("DELETE"))


@pytest.mark.parametrize("distribution", ["opensearch", ""])
def test_a_server_that_keeps_nobody_apart_is_refused_unless_an_operator_allows_it(
    distribution: str,
) -> None:
    with SearchServer("", distribution) as double:
        with pytest.raises(Invalid, match=r"\?shared=yes") as refused:
            BACKEND.provision(server_at(double), order("a"))
        assert ADMIN[1] not in refused.value.sentence
        shared = site(double, "a", "?shared=yes")
        assert shared.ask("PUT", f"{shared.prefix}pages") == 200


def test_a_guard_that_fails_is_not_taken_for_none(double: SearchServer) -> None:
    double.fails_with = 503
    with pytest.raises(Unavailable, match="503"):
        BACKEND.provision(server_at(double, "?shared=yes"), order("a"))


def test_errors_name_no_secret(double: SearchServer) -> None:
    wrong = server_at(double, password="geheimnis")
    with pytest.raises(Invalid, match="refuses the administrator") as refused:
        BACKEND.start(wrong)
    with pytest.raises(Invalid, match="must look like") as unreadable:
        BACKEND.start(Server(**{**vars(wrong), "secret": "ftp://a:geheimnis@host"}))
    with pytest.raises(Invalid, match="cannot be read") as unescaped:
        BACKEND.start(Server(**{**vars(wrong), "secret": "https://a:geheimnis/x@host"}))
    assert unescaped.value.__cause__ is None
    with pytest.raises(Invalid, match="no search server of its own"):
        BACKEND.start(Server(**{**vars(wrong), "is_embedded": True}))
    for caught in (refused, unreadable, unescaped):
        assert "geheimnis" not in str(caught.value)
    assert BACKEND.content is None
    assert BACKEND.versions == ()


def test_one_that_is_down_or_something_else_is_unavailable() -> None:
    with SearchServer("opensearch") as double:
        server = server_at(double)
    with pytest.raises(Unavailable, match="does not answer"):
        BACKEND.start(server)
