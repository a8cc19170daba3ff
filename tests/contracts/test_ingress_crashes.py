"""One ingress node while its parts, the panel or its disk fail: real processes, killed hard."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.adapters.ingress import Route, Upstream
from tests.contracts.ingress_fixtures import FeedServer, IngressStack, SiteServer, wait_until
from tests.load import LoadGenerator, Outcome


@pytest.fixture(scope="module")
def site() -> Iterator[SiteServer]:
    server = SiteServer("A", "127.0.0.2")
    yield server
    server.stop()


@pytest.fixture
def feed() -> Iterator[FeedServer]:
    server = FeedServer()
    yield server
    server.stop()


@pytest.fixture
def node(feed: FeedServer, tmp_path: Path) -> Iterator[IngressStack]:
    stack = IngressStack(feed.url, tmp_path)
    yield stack
    stack.stop()


def routes(site: SiteServer, count: int = 3) -> list[Route]:
    """Routes `r0`, `r1`, … for hosts `r0.test`, …"""
    target = (Upstream(site.host, site.port),)
    return [Route(f"r{n}", (f"r{n}.test",), target) for n in range(count)]


def start(node: IngressStack, feed: FeedServer, site: SiteServer) -> None:
    version = feed.publish(routes(site))
    node.start()
    feed.wait_loaded(version)


def assert_never_404(outcome: Outcome) -> None:
    assert set(outcome.failures) <= {"ConnectionRefusedError", "ConnectionResetError",
                                     "IncompleteReadError"}, outcome.failures  # fmt: skip


def test_traefik_killed_while_the_panel_is_down(
    node: IngressStack, feed: FeedServer, site: SiteServer
) -> None:
    start(node, feed, site)
    feed.stop()
    with LoadGenerator(node.load("r0.test", keep_alive=False)) as running:
        time.sleep(0.3)
        node.kill_proxy()
        node.start_proxy()
        took = wait_until(lambda: all(node.answers(f"r{n}.test") for n in range(3)), 3)
        time.sleep(0.5)
    outcome = running.outcome
    print(f"all back after {took:.2f} s; {outcome.sent} sent, {dict(outcome.failures)}")
    assert_never_404(outcome)


def test_agent_killed_while_the_panel_is_down_loses_nothing(
    node: IngressStack, feed: FeedServer, site: SiteServer
) -> None:
    start(node, feed, site)
    feed.stop()
    with LoadGenerator(node.load("r0.test")) as running:
        time.sleep(0.3)
        node.kill_agent()
        time.sleep(0.7)
        node.start_agent()
        time.sleep(1)
    assert not running.outcome.failures
    assert "serving the kept feed, version 1" in node.log()


def test_both_killed_while_the_panel_is_down(
    node: IngressStack, feed: FeedServer, site: SiteServer
) -> None:
    start(node, feed, site)
    feed.stop()
    with LoadGenerator(node.load("r1.test", keep_alive=False)) as running:
        time.sleep(0.3)
        node.kill_agent()
        node.kill_proxy()
        node.start_proxy()
        time.sleep(0.3)
        node.start_agent()
        took = wait_until(lambda: node.answers("r1.test"), 4)
        time.sleep(0.5)
    print(f"back after {took:.2f} s, {dict(running.outcome.failures)}")
    assert_never_404(running.outcome)
    feed.start()
    feed.reports.clear()
    feed.wait_loaded(1)


def test_a_first_start_waits_for_the_feed_instead_of_saying_404(
    node: IngressStack, feed: FeedServer, site: SiteServer
) -> None:
    node.start_proxy()
    node.start_agent()
    with LoadGenerator(node.load("r0.test", keep_alive=False, rate=50)) as running:
        time.sleep(1)
        assert feed.reports == []
        feed.wait_loaded(feed.publish(routes(site)))
        time.sleep(0.5)
    assert_never_404(running.outcome)
    assert running.outcome.good > 50


def test_a_version_is_reported_only_once_the_entry_point_serves_it(
    node: IngressStack, feed: FeedServer, site: SiteServer
) -> None:
    version = feed.publish(routes(site))
    node.start_agent()
    wait_until(node.state_file.exists)
    assert stat.S_IMODE(node.state_file.stat().st_mode) == 0o600
    time.sleep(1)
    assert feed.reports == []
    node.start_proxy()
    feed.wait_loaded(version)
    feed.reports.clear()
    time.sleep(1.2)
    assert len(feed.reports) >= 1, "no heartbeat"
    node.kill_proxy()
    feed.reports.clear()
    time.sleep(1.2)
    assert len(feed.reports) <= 1, "a node without Traefik must not pass for alive"


@pytest.mark.parametrize("damage", [b"", b"half", b"flip"])
def test_a_damaged_state_file_is_set_aside_and_the_sites_stay(
    node: IngressStack, feed: FeedServer, site: SiteServer, damage: bytes
) -> None:
    start(node, feed, site)
    feed.stop()
    node.kill_agent()
    whole = node.state_file.read_bytes()
    flipped = whole.replace(b"127.0.0.2", b"127.0.0.9")
    broken = {b"half": whole[: len(whole) // 2], b"flip": flipped}.get(damage, damage)
    node.state_file.write_bytes(broken)
    node.start_agent()
    wait_until(lambda: "the state file is damaged and not served" in node.log())
    time.sleep(0.7)
    assert node.answers("r0.test")
    aside = list(node.state_file.parent.glob("feed.damaged-*"))
    assert [one.read_bytes() for one in aside] == [broken]
    feed.start()
    feed.reports.clear()
    feed.wait_loaded(feed.publish(routes(site)))
    assert node.state_file.exists()


def test_a_wrong_token_is_said_and_tried_again(
    feed: FeedServer, site: SiteServer, tmp_path: Path
) -> None:
    stack = IngressStack(feed.url, tmp_path, token="wrong")
    feed.publish(routes(site))
    stack.start_agent()
    try:
        wait_until(lambda: feed.refused >= 3)
        assert "the panel refuses this node's token (401)" in stack.log()
        assert "wrong" not in stack.log()
        assert not stack.state_file.exists()
    finally:
        stack.stop()


def test_a_restored_database_may_start_at_a_lower_version(
    node: IngressStack, feed: FeedServer, site: SiteServer
) -> None:
    feed.version = 40
    start(node, feed, site)
    feed.epoch = "epoch-2"
    took = feed.wait_loaded(feed.publish(routes(site)[:1], version=3))
    assert node.answers("r0.test")
    assert node.answers("r2.test", 404)
    print(f"new epoch effective after {took:.2f} s")


def test_a_late_older_version_is_not_taken(
    node: IngressStack, feed: FeedServer, site: SiteServer
) -> None:
    start(node, feed, site)
    feed.wait_loaded(feed.publish(routes(site), version=9))
    feed.publish([], version=4)
    time.sleep(1.2)
    assert node.answers("r0.test")


def test_sigterm_ends_the_agent_cleanly(
    node: IngressStack, feed: FeedServer, site: SiteServer
) -> None:
    start(node, feed, site)
    agent = node.agent
    assert agent is not None
    agent.terminate()
    assert agent.wait(2) == 0
    assert node.log().endswith("stopped\n")


def test_a_thousand_routes(node: IngressStack, feed: FeedServer, site: SiteServer) -> None:
    many = routes(site, 1000)
    version = feed.publish(many)
    node.start()
    first = feed.wait_loaded(version)
    added = feed.wait_loaded(feed.publish(routes(site, 1001)))
    assert node.answers("r1000.test")
    with LoadGenerator(node.load("r0.test")) as running:
        time.sleep(0.5)
        changed = feed.wait_loaded(feed.publish(many))
        time.sleep(0.3)
    assert not running.outcome.failures
    assert node.agent is not None
    status = Path(f"/proc/{node.agent.pid}/status").read_text()
    resident = int(status.split("VmRSS:")[1].split()[0]) / 1024
    print(f"1,000 routes: start {first:.2f} s, one more {added:.2f} s, one less {changed:.2f} s;")
    print(f"agent {resident:.1f} MB, p50 {running.outcome.percentile(0.5) * 1000:.1f} ms")
    assert max(added, changed) < 10
    assert resident < 40
