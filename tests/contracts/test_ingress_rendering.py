"""Routes as Traefik's configuration: what may stand in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.ingress import Redirect, RequestLimits, Route, Upstream, traefik
from app.adapters.ingress.feed import DamagedFeed, parse_feed
from app.errors import Invalid

PROBE = "probe.ingress.invalid"
UPSTREAM = Upstream("127.0.0.1", 8000)


@pytest.mark.parametrize(
    "host",
    [
        "a`) || Host(`b", "A.test", "a b", "", "a..test", ".test", "-a.test", "a.test-", "ä.test",
        "a.test\n", "a_b.test", "*.test", "a.test:80", "x" * 64 + ".test", "a." * 127 + "test",
    ],
)  # fmt: skip
def test_dangerous_hosts_are_refused(host: str) -> None:
    with pytest.raises(Invalid):
        traefik.render([Route("x", (host,), (UPSTREAM,))], 1, PROBE)
    with pytest.raises(Invalid):
        traefik.render([Route("x", (), (), (Redirect(host, "b.test"),))], 1, PROBE)
    with pytest.raises(Invalid):
        traefik.render([], 1, host)


@pytest.mark.parametrize("target", ["b.test/x", "b.test:", "b.test:0", "b.test:99999", "$1", "b:c"])
def test_dangerous_redirect_targets_are_refused(target: str) -> None:
    with pytest.raises(Invalid):
        traefik.render([Route("x", (), (), (Redirect("a.test", target),))], 1, PROBE)


@pytest.mark.parametrize(
    "route",
    [
        Route("x y", ("a.test",), ()),
        Route("x", ("a.test",), (Upstream("metadata.internal", 80),)),
        Route("x", ("a.test",), (Upstream("127.0.0.1@evil", 80),)),
        Route("x", ("a.test",), (Upstream("127.0.0.1", 0),)),
        Route("x", (), (), (Redirect("a.test", "b.test", 307),)),
    ],
)
def test_unusable_routes_are_refused(route: Route) -> None:
    with pytest.raises(Invalid):
        traefik.render([route], 1, PROBE)


def test_two_routes_of_one_name_are_refused() -> None:
    with pytest.raises(Invalid):
        traefik.render([Route("x", ("a.test",), ()), Route("x", ("b.test",), ())], 1, PROBE)


def has_empty(value: Any) -> bool:
    if isinstance(value, dict):
        return not value or any(has_empty(one) for one in value.values())
    return isinstance(value, list) and (not value or any(has_empty(one) for one in value))


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(["a.test", "b.test"]), max_size=2, unique=True),
            st.integers(0, 3),
            st.booleans(),
        ),
        max_size=4,
    )
)
def test_no_map_is_ever_empty(shapes: list[tuple[list[str], int, bool]]) -> None:
    routes = [
        Route(f"r{n}", tuple(hosts), (UPSTREAM,) * count, (Redirect("c.test", "d.test"),) * to)
        for n, (hosts, count, to) in enumerate(shapes)
    ]
    assert not has_empty(traefik.render(routes, 1, PROBE))


@pytest.mark.parametrize(("containers", "attempts"), [(1, None), (2, 2), (3, 3), (9, 3)])
def test_connects_stay_within_fifteen_seconds(containers: int, attempts: int | None) -> None:
    document = traefik.render([Route("x", ("a.test",), (UPSTREAM,) * containers)], 1, PROBE)
    retries = [
        one["retry"]["attempts"]
        for one in document["http"]["middlewares"].values()
        if "retry" in one
    ]
    assert retries == ([attempts] if attempts else [])
    assert (attempts or 1) * RequestLimits().connect_seconds <= 15


def test_ipv6_upstreams_stand_in_brackets() -> None:
    document = traefik.render([Route("x", ("a.test",), (Upstream("fd00::2", 80),))], 1, PROBE)
    servers = document["http"]["services"]["site-x"]["loadBalancer"]["servers"]
    assert servers == [{"url": "http://[fd00::2]:80"}]


def test_probe_host_is_found_again() -> None:
    assert traefik.find_probe_host(traefik.render([], 1, PROBE)) == PROBE
    assert traefik.find_probe_host({"http": {}}) is None


def test_access_log_is_off_unless_asked_for() -> None:
    arguments = traefik.static_arguments("127.0.0.1:80", "http://127.0.0.1:1/configuration")
    assert not any("accesslog" in one for one in arguments)
    logged = traefik.static_arguments("127.0.0.1:80", "http://127.0.0.1:1/", Path("/x/log"))
    assert "--accesslog.filepath=/x/log" in logged


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b'{"epoch": "e", "version": 1, "document": {}}', b"\xff", b"null"]
)
def test_what_is_no_feed_is_refused(raw: bytes) -> None:
    with pytest.raises(DamagedFeed):
        parse_feed(raw)
