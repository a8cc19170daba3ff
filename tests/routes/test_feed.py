"""The feed for ingress nodes: by token only, versioned, answered as soon as a route changes."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.extensions import db
from app.factory import create_internal_app
from app.routes.models import IngressNode
from app.routes.operations import point_route, seed_feed, touch_feed
from app.routes.queries import list_ingress_routes, load_feed, nodes_behind
from tests.panel import NODE_TOKEN, Panel, environment

TOKEN = {"Authorization": f"Bearer {NODE_TOKEN}"}


@pytest.fixture
def node(panel: Panel) -> FlaskClient:
    """The internal listener, as an ingress node reaches it."""
    return create_internal_app(panel.settings, panel.adapters).test_client()


def point(panel: Panel, *endpoints: tuple[str, int]) -> int:
    with panel.work():
        return point_route(environment().id, endpoints)


def feed(node: FlaskClient, **asked: Any) -> dict[str, Any]:
    answer = node.get("/feed", query_string=asked, headers=TOKEN)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()
    return found


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {NODE_TOKEN}"},
        {"Authorization": NODE_TOKEN},
    ],
)
def test_without_the_token_there_is_no_feed(node: FlaskClient, headers: dict[str, str]) -> None:
    assert node.get("/feed", headers=headers).status_code == 403
    report = {"version": 99, "epoch": "x"}
    assert node.post("/feed/loaded", headers=headers, json=report).status_code == 403


def test_every_change_makes_a_new_version(panel: Panel, node: FlaskClient) -> None:
    before = feed(node)["version"]
    versions = [point(panel, ("10.0.0.1", 80)), point(panel, ("10.0.0.2", 80))]
    with panel.work():
        versions.append(touch_feed())
    assert versions == [before + 1, before + 2, before + 3]
    assert feed(node)["version"] == before + 3


def test_the_document_names_hosts_and_containers(panel: Panel, node: FlaskClient) -> None:
    point(panel, ("10.0.0.1", 80), ("10.0.0.2", 81))
    with panel.reading():
        routes = list_ingress_routes()
        assert [(route.hosts, len(route.upstreams)) for route in routes] == [
            (("demo-stage.localhost",), 2)
        ]
    text = str(feed(node)["document"])
    assert "demo-stage.localhost" in text and "http://10.0.0.2:81" in text


def test_another_epoch_is_answered_at_once(panel: Panel, node: FlaskClient) -> None:
    """A restored database has a smaller version; its new epoch says so."""
    present = feed(node)
    started = time.monotonic()
    again = feed(node, after=present["version"] + 1000, epoch="of another database")
    assert time.monotonic() - started < 2 and again["epoch"] == present["epoch"]


def test_a_waiting_node_hears_of_a_change_when_it_happens(panel: Panel, node: FlaskClient) -> None:
    present = feed(node)
    answers: list[tuple[float, dict[str, Any]]] = []

    def wait() -> None:
        found = feed(node, after=present["version"], epoch=present["epoch"])
        answers.append((time.monotonic(), found))

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(0.5)
    assert thread.is_alive(), "a node that is up to date has to wait"
    changed = time.monotonic()
    version = point(panel, ("10.0.0.1", 80))
    thread.join(5)
    assert answers and answers[0][1]["version"] == version
    assert answers[0][0] - changed < 1


def test_only_live_nodes_that_lag_are_waited_for(panel: Panel, node: FlaskClient) -> None:
    with panel.work():
        seed_feed("second", "another token")
    version = point(panel, ("10.0.0.1", 80))
    with panel.reading():
        epoch = load_feed().epoch
        assert nodes_behind(version, 60) == []  # nobody was heard of yet
    old = {"version": version - 1, "epoch": epoch}
    assert node.post("/feed/loaded", headers=TOKEN, json=old).status_code == 204
    with panel.reading():
        assert nodes_behind(version, 60) == ["local"]
    for report, behind in (
        ({"version": version, "epoch": "other"}, ["local"]),
        ({"version": version, "epoch": epoch}, []),
    ):
        node.post("/feed/loaded", headers=TOKEN, json=report)
        with panel.reading():
            assert nodes_behind(version, 60) == behind


@pytest.mark.parametrize("report", [{}, [], {"version": "1"}, {"version": None}, "x", 1])
def test_reports_that_make_no_sense_are_refused(node: FlaskClient, report: object) -> None:
    assert node.post("/feed/loaded", headers=TOKEN, json=report).status_code == 400


def test_seeding_again_adds_nothing(panel: Panel) -> None:
    with panel.work():
        seed_feed("local", NODE_TOKEN)
        assert len(db.session.scalars(db.select(IngressNode)).all()) == 1
