"""The table of checklist Part 3, cell by cell: who creates an application, manages its settings,
manages its collaborators. Each cell is asked of the pages and named as the table names it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.applications.queries import find_application, rights_on
from app.permissions import WORK
from tests.panel import (
    ADAM,
    ALICE,
    CHARLIE,
    DORA,
    RITA,
    Panel,
    Person,
    application,
    user_of,
)


def create(panel: Panel, person: Person) -> bool:
    """Make an application in Moon."""
    data = {"organisation": "moon", "name": "New", "slug": "new-one", "starter": "blank"}
    answer = panel.client_of(person).post("/applications/new/", data=data)
    with panel.reading():
        is_there = find_application("new-one") is not None
    assert is_there == (answer.status_code == 303)
    return is_there


def manage_settings(panel: Panel, person: Person) -> bool:
    """Rename `demo`, and add a release command."""
    page = "/applications/demo/settings/"
    browser = panel.client_of(person)
    browser.post(f"{page}name/", data={"name": "Renamed"})
    command = {"label": "migrate", "command": "true"}
    added = browser.post(f"{page}release-commands/", data=command)
    with panel.reading():
        is_done = application().name == "Renamed"
    assert is_done == (added.status_code == 303)
    return is_done


def manage_collaborators(panel: Panel, person: Person) -> bool:
    """Give Rita access to `demo`."""
    data = {"email": RITA.email, "access": "viewer"}
    panel.client_of(person).post("/applications/demo/collaborators/", data=data)
    with panel.reading():
        return RITA.email in [row.user.email for row in application().collaborators]


ROWS = {
    "anyone": CHARLIE,
    "organisation collaborator": RITA,
    "application collaborator": DORA,
    "organisation owner": ALICE,
    "organisation admin": ADAM,
}
COLUMNS: dict[str, Callable[[Panel, Person], bool]] = {
    "create": create,
    "manage settings": manage_settings,
    "manage collaborators": manage_collaborators,
}
YES, NO, NOT_APPLICABLE = True, False, None
TABLE = {
    ("anyone", "create"): NO,
    ("anyone", "manage settings"): NO,
    ("anyone", "manage collaborators"): NO,
    ("organisation collaborator", "create"): YES,
    ("organisation collaborator", "manage settings"): NO,
    ("organisation collaborator", "manage collaborators"): NO,
    ("application collaborator", "create"): NOT_APPLICABLE,
    ("application collaborator", "manage settings"): YES,
    ("application collaborator", "manage collaborators"): NO,
    ("organisation owner", "create"): YES,
    ("organisation owner", "manage settings"): YES,
    ("organisation owner", "manage collaborators"): YES,
    ("organisation admin", "create"): YES,
    ("organisation admin", "manage settings"): YES,
    ("organisation admin", "manage collaborators"): YES,
}


def test_the_table_is_whole() -> None:
    assert set(TABLE) == {(row, column) for row in ROWS for column in COLUMNS}


@pytest.mark.parametrize(
    ("row", "column"),
    [cell for cell, is_allowed in TABLE.items() if is_allowed is not NOT_APPLICABLE],
    ids=lambda word: word,
)
def test_applications(panel: Panel, row: str, column: str) -> None:
    assert COLUMNS[column](panel, ROWS[row]) is TABLE[row, column]


def test_applications_organisation_collaborator_create_added_as_collaborator(panel: Panel) -> None:
    assert create(panel, RITA)
    with panel.reading():
        made = application("new-one")
        assert [row.user.email for row in made.collaborators] == [RITA.email]
        assert rights_on(made, user_of(RITA)) >= WORK
