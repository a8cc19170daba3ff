"""The row “Addons” of the table of checklist Part 3, cell by cell: who creates an addon, manages
its settings, manages its collaborators, uploads a version. Each cell is asked of the pages and
named as the table names it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.addons.models import Audience, Channel
from app.addons.queries import find_addon, rights_on_addon
from app.organisations.operations import add_member, sign_up
from app.permissions import ADDON_WORK, Role
from tests.addons import samples
from tests.panel import (
    ADAM,
    ALICE,
    BOB,
    CHARLIE,
    DORA,
    PASSWORD,
    RITA,
    Panel,
    Person,
    organisation,
    user_of,
)

HOME = f"/addons/{samples.NAME}/"


def create(panel: Panel, person: Person) -> bool:
    """Register an addon for Moon."""
    data = {"organisation": "moon", "package_name": "new-one", "name": "New"}
    answer = panel.client_of(person).post("/addons/new/", data=data)
    with panel.reading():
        is_there = find_addon("new-one") is not None
    assert is_there == (answer.status_code == 303)
    return is_there


def manage_settings(panel: Panel, person: Person) -> bool:
    """Rename `moon-forms`, and show it to everybody."""
    data = {"name": "Renamed", "audience": "public"}
    answer = panel.client_of(person).post(f"{HOME}settings/", data=data)
    with panel.reading():
        addon = samples.addon_of()
        is_done = addon.name == "Renamed" and addon.audience == Audience.PUBLIC
    assert is_done == (answer.status_code == 303)
    return is_done


def manage_collaborators(panel: Panel, person: Person) -> bool:
    """Give Frida access to `moon-forms`."""
    panel.client_of(person).post(f"{HOME}collaborators/", data={"email": FRIDA.email})
    with panel.reading():
        return FRIDA.email in [row.user.email for row in samples.addon_of().collaborators]


def upload_version(panel: Panel, person: Person) -> bool:
    """Get as far as the archive; and move a version, which is the same right."""
    browser = panel.client_of(person)
    answer = browser.post(f"{HOME}upload/", data={})
    browser.post(f"{HOME}versions/1.1/channel/", data={"channel": "beta"})
    with panel.reading():
        is_done = {row.version: row.channel for row in samples.addon_of().versions}["1.1"]
    assert (is_done == Channel.BETA) == ("Choose the archive first." in answer.text)
    return is_done == Channel.BETA


FRIDA = Person("Frida")
"""One more regular member, to whom access is given."""
ROWS = {
    "anyone": CHARLIE,
    "organisation collaborator": RITA,
    "addon collaborator": BOB,
    "addon collaborator “Can update”": DORA,
    "organisation owner": ALICE,
    "organisation admin": ADAM,
}
COLUMNS: dict[str, Callable[[Panel, Person], bool]] = {
    "create": create,
    "manage settings": manage_settings,
    "manage collaborators": manage_collaborators,
    "upload version": upload_version,
}
YES, NO, NOT_APPLICABLE = True, False, None
TABLE = {
    ("anyone", "create"): NO,
    ("anyone", "manage settings"): NO,
    ("anyone", "manage collaborators"): NO,
    ("anyone", "upload version"): NO,
    ("organisation collaborator", "create"): YES,
    ("organisation collaborator", "manage settings"): NO,
    ("organisation collaborator", "manage collaborators"): NO,
    ("organisation collaborator", "upload version"): NO,
    ("addon collaborator", "create"): NOT_APPLICABLE,
    ("addon collaborator", "manage settings"): NO,
    ("addon collaborator", "manage collaborators"): NO,
    ("addon collaborator", "upload version"): NO,
    ("addon collaborator “Can update”", "create"): NOT_APPLICABLE,
    ("addon collaborator “Can update”", "manage settings"): YES,
    ("addon collaborator “Can update”", "manage collaborators"): YES,
    ("addon collaborator “Can update”", "upload version"): YES,
    ("organisation owner", "create"): YES,
    ("organisation owner", "manage settings"): YES,
    ("organisation owner", "manage collaborators"): YES,
    ("organisation owner", "upload version"): YES,
    ("organisation admin", "create"): YES,
    ("organisation admin", "manage settings"): YES,
    ("organisation admin", "manage collaborators"): YES,
    ("organisation admin", "upload version"): YES,
}


@pytest.fixture
def made(panel: Panel) -> Panel:
    """Moon has `moon-forms`: Dora can update it, Bob is its collaborator without that."""
    samples.settle(panel)
    with panel.work():
        sign_up(FRIDA.email, FRIDA.name, PASSWORD)
        add_member(organisation(), FRIDA.email, Role.REGULAR, user_of(ALICE))
    return panel


def test_the_table_is_whole() -> None:
    assert set(TABLE) == {(row, column) for row in ROWS for column in COLUMNS}


@pytest.mark.parametrize(
    ("row", "column"),
    [cell for cell, is_allowed in TABLE.items() if is_allowed is not NOT_APPLICABLE],
    ids=lambda word: word,
)
def test_addons(made: Panel, row: str, column: str) -> None:
    assert COLUMNS[column](made, ROWS[row]) is TABLE[row, column]


def test_addons_organisation_collaborator_create_becomes_collaborator_with_can_update(
    made: Panel,
) -> None:
    assert create(made, RITA)
    with made.reading():
        addon = samples.addon_of("new-one")
        found = [(row.user.email, row.can_update) for row in addon.collaborators]
        assert found == [(RITA.email, True)]
        assert rights_on_addon(addon, user_of(RITA)) >= ADDON_WORK
    for column in ("manage settings", "manage collaborators"):
        page = f"/addons/new-one/{column.split()[1]}/"
        assert made.client_of(RITA).get(page).status_code == 200


@pytest.mark.parametrize("audience", list(Audience), ids=lambda audience: audience.value)
def test_nobody_manages_an_addon_for_finding_it(made: Panel, audience: Audience) -> None:
    """Being public gives anyone and organisation collaborators the installation, nothing else."""
    with made.work():
        samples.addon_of().audience = audience
    for column in ("manage settings", "manage collaborators", "upload version"):
        for person in (CHARLIE, RITA, BOB):
            assert not COLUMNS[column](made, person), (column, person)
