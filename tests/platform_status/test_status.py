"""The public page: for everybody, without names, and there when all else is gone."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from app.extensions import db, now
from app.mails.operations import post_mail
from app.platform_status import queries
from app.platform_status.models import Heartbeat, Impact, Incident
from app.platform_status.operations import (
    Reporter,
    open_incident,
    report_alive,
    resolve_incident,
)
from app.platform_status.queries import State, state_of
from app.routes.models import IngressNode
from tests.panel import ALICE, BOB, Panel, copy_panel, make_settings, user_of

PROCESSES = ("scheduler", "queue", "worker", "observer", "cron", "ssh", "asker", "engine")


def everything_reports(panel: Panel) -> None:
    with panel.work():
        for name in PROCESSES:
            report_alive(name)
        db.session.execute(update(IngressNode).values(seen_at=now()))


def age(panel: Panel, component: str, seconds: float) -> None:
    moment = now() - datetime.timedelta(seconds=seconds)
    with panel.work():
        beats = update(Heartbeat).where(Heartbeat.component == component)
        db.session.execute(beats.values(seen_at=moment))


def states(panel: Panel) -> dict[str, str]:
    answer = panel.client().get("/status.json")
    assert answer.status_code == 200
    return {row["name"]: row["status"] for row in answer.get_json()["components"]}


def test_all_is_well(panel: Panel) -> None:
    everything_reports(panel)
    assert set(states(panel).values()) == {"up"}
    page = panel.client().get("/status/")
    assert page.status_code == 200 and "Everything works" in page.text
    assert panel.client().get("/status.json").get_json()["status"] == "up"


@pytest.mark.parametrize(
    ("process", "component"),
    [
        ("scheduler", "scheduler"),
        ("worker", "deployments"),
        ("queue", "deployments"),
        ("observer", "logs"),
        ("cron", "cron"),
        ("ssh", "git"),
        ("asker", "addons"),
        ("engine", "engine"),
    ],
)
def test_silence_shows_after_a_while(panel: Panel, process: str, component: str) -> None:
    everything_reports(panel)
    age(panel, process, 60)
    assert {name for name, state in states(panel).items() if state == "late"} == {component}
    age(panel, process, 600)
    assert states(panel)[component] == "down"
    assert "does not report" in panel.client().get("/status/").text


def test_ingress_nodes_count_by_their_own_reports(panel: Panel) -> None:
    everything_reports(panel)
    with panel.work():
        long_ago = now() - datetime.timedelta(minutes=10)
        db.session.execute(update(IngressNode).values(seen_at=long_ago))
    assert states(panel)["ingress"] == "down"


def test_a_mail_that_does_not_leave_is_late(panel: Panel) -> None:
    everything_reports(panel)
    with panel.work():
        mail = post_mail("a@example.com", "Hello", "text")
        mail.created_at = now() - datetime.timedelta(hours=1)
    assert states(panel)["mail"] == "late"


def test_states_by_age() -> None:
    moment = now()
    ages = {0: "up", 44: "up", 46: "late", 179: "late", 181: "down"}
    for seconds, expected in ages.items():
        assert state_of(moment - datetime.timedelta(seconds=seconds), moment) == expected
    assert state_of(None, moment) == State.DOWN


def test_it_tells_no_names_and_no_addresses(panel: Panel) -> None:
    everything_reports(panel)
    with panel.work():
        report_alive("engine", "local", {"version": "99.8.7", "containers": 4242})
    text = panel.client().get("/status/").text + panel.client().get("/status.json").text
    for word in ("demo", "moon/", "Alice", "example.com", "99.8.7", "4242", "127.0.0.1"):
        assert word not in text, word


def test_it_answers_without_queue_and_engine(panel_template: Path, tmp_path: Path) -> None:
    """With the limits' counters in a Redis that is not there, as in operation."""
    first = copy_panel(panel_template, tmp_path / "data")
    first.close()
    settings = dataclasses.replace(make_settings(tmp_path / "data"), is_testing=False)
    panel = Panel(settings)
    panel.queue.is_down = True
    panel.engine.is_down = True
    for path in ("/status/", "/status.json"):
        assert panel.client().get(path).status_code == 200
    assert states(panel)["engine"] == "down"
    panel.close()


def test_an_incident_from_its_opening_to_its_end(panel: Panel) -> None:
    everything_reports(panel)
    with panel.work():
        open_incident("Builds are slow", Impact.DEGRADED, "We look into it.", user_of(ALICE))
    for path in ("/status/", "/applications/", "/account/"):
        page = panel.client_of(BOB).get(path).text
        assert "Builds are slow" in page and "We look into it." in page
    listed = panel.client().get("/status.json").get_json()["incidents"]
    assert [row["impact"] for row in listed] == ["degraded"]
    with panel.work():
        incident = db.session.scalars(db.select(Incident)).one()
        resolve_incident(incident, "A disk was full.", user_of(ALICE))
    assert "Builds are slow" not in panel.client_of(BOB).get("/applications/").text
    page = panel.client().get("/status/").text
    assert "Everything works" in page and "A disk was full." in page
    with panel.reading():
        today = queries.list_days()[-1]
        assert (today.impact, today.count) == (Impact.DEGRADED, 1)


def test_history_goes_back_90_days(panel: Panel) -> None:
    moment = now()
    with panel.work():
        for days, impact in ((200, "down"), (89, "notice"), (40, "down"), (40, "degraded")):
            began = moment - datetime.timedelta(days=days)
            row = Incident(title=f"{days}", impact=Impact(impact), created_at=began)
            row.resolved_at = began + datetime.timedelta(days=2)
            db.session.add(row)
    with panel.reading():
        days = queries.list_days()
        impacts = {(moment.date() - day.date).days: day.impact for day in days if day.impact}
        assert len(days) == 90
        assert impacts == {89: "notice", 88: "notice", 87: "notice"} | dict.fromkeys(
            (40, 39, 38), "down"
        )
        assert {row.title for row in queries.list_recent_incidents()} == {"89", "40"}


def test_a_reporter_writes_seldom(panel: Panel) -> None:
    report = Reporter("ssh")
    with panel.reading():
        assert report({"a": 1}) and not report({"a": 2})
        assert queries.find_heartbeat("ssh").details == {"a": 1}  # type: ignore[union-attr]


def test_a_database_that_is_gone_is_no_error_of_the_reporter(tmp_path: Path) -> None:
    panel = Panel(make_settings(tmp_path / "data"))  # no table is there
    with panel.reading():
        assert Reporter("worker")()
    panel.close()
