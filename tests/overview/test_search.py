"""Searching everything: what is found, for whom, and in how many queries."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from app.extensions import db
from tests.panel import (
    ALICE,
    BOB,
    CHARLIE,
    Panel,
    Person,
    make_application,
    organisation,
    user_of,
)

JSON = {"Accept": "application/json"}


def found(panel: Panel, person: Person, words: str) -> list[tuple[str, str, str]]:
    answer = panel.client_of(person).get("/search/", query_string={"q": words}, headers=JSON)
    assert answer.status_code == 200
    return [(place["title"], place["detail"], place["url"]) for place in answer.json or []]


def test_a_site_is_found_by_part_of_its_name_and_by_its_host(panel: Panel) -> None:
    for words in ("dem", "DEMO", "demo-stage.localhost"):
        places = found(panel, ALICE, words)
        assert ("Demo", "Moon", "/applications/demo/") in places
        assert ("Logs", "Demo · Live", "/applications/demo/environments/live/logs/") in places


def test_words_for_a_page_choose_among_the_site_s(panel: Panel) -> None:
    assert found(panel, ALICE, "demo live log") == [
        ("Logs", "Demo · Live", "/applications/demo/environments/live/logs/")
    ]
    assert [title for title, _, _ in found(panel, ALICE, "demo deploy test")] == ["Deploy"]


def test_a_site_that_is_called_like_a_page_is_found(panel: Panel) -> None:
    with panel.work():
        make_application(panel, "logs", organisation(), user_of(ALICE))
    assert ("Logs", "Moon", "/applications/logs/") in found(panel, ALICE, "logs")


@pytest.mark.parametrize(("person", "sees"), [(ALICE, True), (BOB, True), (CHARLIE, False)])
def test_only_what_the_person_may_look_at(panel: Panel, person: Person, sees: bool) -> None:
    urls = [url for _, _, url in found(panel, person, "demo")]
    assert ("/applications/demo/" in urls) is sees
    assert any("/organisations/moon/" in url for _, _, url in found(panel, person, "moon")) is sees


def test_nobody_who_is_not_signed_in(panel: Panel) -> None:
    assert panel.client().get("/search/").status_code == 302


def test_the_page_says_so_when_nothing_is_found(panel: Panel) -> None:
    answer = panel.client_of(ALICE).get("/search/?q=nowhere-at-all")
    assert answer.status_code == 200 and "Nothing is called that" in answer.text


def test_the_number_of_queries_does_not_grow_with_the_sites(panel: Panel) -> None:
    def count() -> int:
        queries: list[str] = []
        with panel.app.app_context():
            engine = db.engine

        def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
            queries.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        try:
            found(panel, ALICE, "site")
        finally:
            event.remove(engine, "before_cursor_execute", note)
        return len(queries)

    with panel.work():
        for number in range(3):
            make_application(panel, f"site{number}", organisation(), user_of(ALICE))
    few = count()
    with panel.work():
        for number in range(3, 12):
            make_application(panel, f"site{number}", organisation(), user_of(ALICE))
    assert count() == few < 25


@given(words=st.text(max_size=60))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_words_get_an_answer(panel: Panel, words: str) -> None:
    found(panel, ALICE, words)
