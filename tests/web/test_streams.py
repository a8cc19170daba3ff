"""Live pages: each costs a thread, so a person holds a few, and each is given back."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator

import pytest

from app.logs.queries import log_store
from app.web.streams import Event
from tests.panel import ALICE, DORA, Panel, Person, environment

STREAM = "/applications/demo/environments/test/logs/stream/"

Ask = Callable[..., http.client.HTTPResponse]


@pytest.fixture
def ask(panel: Panel) -> Iterator[Ask]:
    """Sends a person's request to the served panel; the answer is read by the test."""
    connections: list[http.client.HTTPConnection] = []
    with panel.served() as (host, port):

        def send(
            person: Person, method: str = "GET", query: str = "", **headers: str
        ) -> http.client.HTTPResponse:
            cookie = panel.client_of(person).get_cookie("session")
            assert cookie
            connection = http.client.HTTPConnection(host, port, timeout=5)
            connections.append(connection)
            sent = {"Cookie": f"session={cookie.value}", "Accept": "text/html", **headers}
            connection.request(method, f"{STREAM}{query}", headers=sent)
            return connection.getresponse()

        yield send
        for connection in connections:
            connection.close()


def test_a_person_holds_only_so_many_streams_and_gets_them_back(panel: Panel, ask: Ask) -> None:
    most = panel.settings.streams_per_person
    held = [ask(ALICE) for _ in range(most)]
    assert {answer.status for answer in held} == {200}
    refused = ask(ALICE)
    assert refused.status == 503 and b"Too many live pages" in refused.read()
    assert ask(DORA).status == 200
    for answer in held:  # each ends by itself after `times.stream`
        assert answer.read().startswith(b"retry: 1000\n\n")
    until = time.monotonic() + 5
    while (status := ask(ALICE).status) != 200 and time.monotonic() < until:
        time.sleep(0.05)
    assert status == 200


def test_a_stream_that_never_began_is_given_back(panel: Panel, ask: Ask) -> None:
    """A HEAD request is closed before the first line is made."""
    statuses = [ask(ALICE, "HEAD").status for _ in range(panel.settings.streams_per_person * 2)]
    assert set(statuses) == {200}


def write(panel: Panel, text: str) -> None:
    with panel.reading():
        log_store().runtime(environment().uuid).append(text)


def first_log(answer: http.client.HTTPResponse) -> tuple[str, str]:
    """Text and id of the first log event."""
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    while line := answer.readline().decode().strip("\n") or " ":
        if line == "event: log":
            data = answer.readline().decode().removeprefix("data: ")
            return json.loads(data), answer.readline().decode().strip().removeprefix("id: ")
    raise AssertionError("no log event came")


def test_a_browser_that_comes_back_goes_on_where_it_stopped(panel: Panel, ask: Ask) -> None:
    write(panel, "one\n")
    assert first_log(ask(ALICE, query="?position=0")) == ("one\n", "4")
    write(panel, "two\n")
    assert first_log(ask(ALICE, **{"Last-Event-ID": "4"})) == ("two\n", "8")


def test_what_is_written_meanwhile_comes_live(panel: Panel, ask: Ask) -> None:
    write(panel, "before\n")
    answer = ask(ALICE)
    write(panel, "now\n")
    assert first_log(answer) == ("now\n", "11")


@pytest.mark.parametrize("position", ["-1", "x", "%C2%B2", "9" * 5000, "1e3", ""])
def test_a_position_that_is_none_is_no_error(ask: Ask, position: str) -> None:
    assert ask(ALICE, query=f"?position={position}").status == 200


def test_events_are_encoded_so_that_no_text_breaks_out() -> None:
    event = Event("log", "a\nevent: evil\n\ndata: x", "7").encoded()
    assert event.count("\n") == 4 and event.endswith("\n\n")
    assert event.splitlines()[0] == "event: log" and event.splitlines()[2] == "id: 7"
