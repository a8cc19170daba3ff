"""The row “Addons” of the table of checklist Part 3, cell by cell: who creates an addon, manages
its settings, manages its collaborators, uploads a version, installs and upgrades it, and fills in
its form in an application. Each cell is asked of the pages and named as the table names it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.addons.installing import carry_out, plan_install
from app.addons.models import Audience, Channel
from app.addons.operations import set_addon_collaborator
from app.addons.queries import find_addon, find_installed, rights_on_addon
from app.applications.operations import add_collaborator
from app.organisations.operations import add_member, sign_up
from app.permissions import ADDON_WORK, Access, Role
from tests.addons import samples
from tests.panel import (
    ADAM,
    ALICE,
    BOB,
    CHARLIE,
    DORA,
    EVE,
    PASSWORD,
    RITA,
    Panel,
    Person,
    application,
    organisation,
    user_of,
)
from tests.publishing import sample

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


# In applications the person has access to --------------------------------------------------------

SITES = {CHARLIE: "other"}
"""All work on `demo`, but for Charlie, who is a stranger to Moon and has a site of his own."""
INSTALLERS = {
    "anyone": {Audience.PUBLIC},
    "organisation collaborator": {Audience.PUBLIC, Audience.ORGANISATION},
    "addon collaborator": set(Audience),
    "addon collaborator “Can update”": set(Audience),
    "organisation owner": set(Audience),
    "organisation admin": set(Audience),
}
"""Column “install/upgrade”. “Public only” of the table: that an addon may be open to its
organisation's members alone is ours."""
CELLS = [
    (row, audience)
    for row in INSTALLERS
    for audience in Audience
    if audience != Audience.ORGANISATION or row in ("anyone", "organisation collaborator")
]
ENTERED = {"setting-notice": "Closed in August", "setting-days": "6", "setting-style": "plain"}


@pytest.fixture
def offered(panel: Panel) -> Panel:
    """Moon has `opening-hours` with the same people; Rita, Bob and Dora work on `demo`."""
    with panel.work():
        alice, demo = user_of(ALICE), application()
        sample.publish_addon(organisation(), alice)
        addon = samples.addon_of(sample.NAME)
        for person, can_update in ((DORA, True), (BOB, False)):
            set_addon_collaborator(addon, person.email, can_update, alice)
        for person in (RITA, BOB):
            add_collaborator(demo, person.email, Access.COLLABORATOR, alice)
        for slug in ("demo", "other"):
            sample.commit_files(application(slug), panel.store, {"static/a.txt": b""})
    return panel


def site_of(person: Person) -> str:
    return f"/applications/{SITES.get(person, 'demo')}/"


def show_to(panel: Panel, audience: Audience) -> None:
    with panel.work():
        samples.addon_of(sample.NAME).audience = audience


def version_at(panel: Panel, person: Person) -> str | None:
    """Which version the person's site has."""
    with panel.reading():
        slug = SITES.get(person, "demo")
        found = find_installed(application(slug).id, sample.NAME)
        return found.version.version if found else None


def install(panel: Panel, person: Person) -> bool:
    """Install `opening-hours` on a site one works on; 404 for whoever may not know of it."""
    browser, page = panel.client_of(person), f"{site_of(person)}addons/install/{sample.NAME}/"
    offer = browser.get(page)
    data = ENTERED | {"version": "1.0", "agrees": "y"}
    answer = browser.post(page, data=data)
    is_done = version_at(panel, person) == "1.0"
    assert (offer.status_code, answer.status_code) == ((200, 303) if is_done else (404, 404))
    return is_done


def upgrade(panel: Panel, person: Person) -> bool:
    """Bring one's site, which has 1.0, to 1.1."""
    browser, page = panel.client_of(person), f"{site_of(person)}addons/{sample.NAME}/version/"
    answer = browser.post(page, data={"version": "1.1", "agrees": "y"})
    is_done = version_at(panel, person) == "1.1"
    assert answer.status_code == (303 if is_done else 404)
    return is_done


def fill_in(panel: Panel, person: Person) -> bool:
    """Preview the form and save it."""
    browser, page = panel.client_of(person), f"{site_of(person)}addons/{sample.NAME}/"
    looked = browser.get(page)
    if looked.status_code != 200:
        return False
    data = ENTERED | {"seen": sample.hidden(looked.text, "seen")}
    preview = browser.post(page, data=data | {"act": "preview"})
    plan = sample.hidden(preview.text, "plan")
    saved = browser.post(page, data=data | {"act": "save", "plan": plan})
    with panel.reading():
        found = find_installed(application(SITES.get(person, "demo")).id, sample.NAME)
        is_done = found is not None and found.settings["notice"] == ENTERED["setting-notice"]
    assert is_done == (saved.status_code == 303)
    return is_done


def put_on_site(panel: Panel, person: Person) -> None:
    """Have it installed there already, from a time when it was open to all."""
    show_to(panel, Audience.PUBLIC)
    owner = CHARLIE if person == CHARLIE else ALICE
    with panel.reading():
        site = application(SITES.get(person, "demo"))
        version = samples.addon_of(sample.NAME).versions[0]
        settings = {"notice": "Welcome", "days": 5, "style": "plain"}
        carry_out(
            lambda: plan_install(site, version, settings, panel.store),
            "",
            user_of(owner),
            panel.store,
        )


@pytest.mark.parametrize(("row", "audience"), CELLS, ids=lambda word: str(word))
def test_addons_install_and_upgrade(offered: Panel, row: str, audience: Audience) -> None:
    person, is_allowed = ROWS[row], audience in INSTALLERS[row]
    show_to(offered, audience)
    assert install(offered, person) is is_allowed
    if not is_allowed:
        put_on_site(offered, person)
        show_to(offered, audience)
    with offered.work():
        sample.publish_version(user_of(ALICE), "1.1", sample.WIDER)
    assert upgrade(offered, person) is is_allowed


@pytest.mark.parametrize("row", ROWS)
def test_addons_settings_in_an_application(offered: Panel, row: str) -> None:
    """Yes for everybody, if already installed, be it shown to nobody else any more."""
    person = ROWS[row]
    assert not fill_in(offered, person)
    put_on_site(offered, person)
    show_to(offered, Audience.PRIVATE)
    assert fill_in(offered, person)


def test_both_need_access_to_the_application(offered: Panel) -> None:
    """¹ of the table: an addon open to all opens no site."""
    show_to(offered, Audience.PUBLIC)
    stranger = offered.client_of(CHARLIE)
    page = f"/applications/demo/addons/install/{sample.NAME}/"
    data = ENTERED | {"version": "1.0", "agrees": "y"}
    assert stranger.get(page).status_code == stranger.post(page, data=data).status_code == 404
    put_on_site(offered, ALICE)
    form = f"/applications/demo/addons/{sample.NAME}/"
    assert stranger.get(form).status_code == stranger.post(form, data=ENTERED).status_code == 404
    assert stranger.post(f"{form}version/", data={"version": "1.0"}).status_code == 404
    assert offered.client_of(EVE).post(page, data=data).status_code == 403  # edits content only
