"""The marketplace: who sees what, what the list finds, and what an addon's page says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import event

from app.accounts.operations import create_user
from app.addons import marketplace
from app.addons.marketplace import Wanted
from app.addons.models import Addon, Audience, Channel
from app.addons.operations import yank_version
from app.addons.queries import find_version, rights_on_addon
from app.extensions import db, now
from app.lifecycle.trash import trash_application
from app.organisations.operations import add_member
from app.permissions import Permission, Role
from tests.addons import samples
from tests.panel import (
    ADAM,
    ALICE,
    BOB,
    CHARLIE,
    DORA,
    ERIN,
    EVE,
    PASSWORD,
    PEOPLE,
    RITA,
    Panel,
    Person,
    application,
    make_application,
    organisation,
    user_of,
)

PAGE = f"/marketplace/{samples.NAME}/"


@pytest.fixture
def busy(panel: Panel) -> Panel:
    """An addon of Moon and of Charlie for each audience, and those that come with Moonbase."""
    samples.settle(panel)
    with panel.work():
        for owner, slug in ((ALICE, "moon"), (CHARLIE, "charlie")):
            for audience in Audience:
                name = f"{slug}-{audience.value}"
                row = samples.make_addon(organisation(slug), user_of(owner), name, audience)
                samples.add_version(row)
    return panel


def names_for(panel: Panel, person: Person, wanted: Wanted | None = None) -> set[str]:
    """What the list finds for somebody, without what comes with Moonbase."""
    with panel.reading():
        found = db.session.scalars(marketplace.find_addons(user_of(person), wanted or Wanted()))
        return {row.package_name for row in found if not row.is_built_in}


def test_the_list_and_the_rights_agree_for_everybody(busy: Panel) -> None:
    seen: dict[Person, set[str]] = {}
    for person in PEOPLE:
        with busy.reading():
            user = user_of(person)
            listed = set(db.session.scalars(marketplace.visible_addons(user)))
            own = set(db.session.scalars(marketplace.own_addons(user)))
            everything = db.session.scalars(db.select(Addon)).all()
            updatable = marketplace.list_updatable_ids(user, everything)
            for addon in everything:
                rights = rights_on_addon(addon, user)
                assert (Permission.ADDON_READ in rights) == (addon in listed), (person, addon)
                assert (Permission.ADDON_UPDATE in rights) == (addon.id in updatable)
                assert addon in own or addon.id not in updatable
            seen[person] = {row.package_name for row in listed if not row.is_built_in}
    public = {"moon-public", "charlie-public"}
    assert seen[ALICE] == seen[ADAM] == public | {"moon-organisation", "moon-private", "moon-forms"}
    assert seen[DORA] == seen[BOB] == public | {"moon-organisation", "moon-forms"}
    assert seen[RITA] == public | {"moon-organisation"}
    assert seen[EVE] == seen[ERIN] == public
    assert seen[CHARLIE] == public | {"charlie-organisation", "charlie-private"}


def test_an_organisation_that_wants_a_second_factor_shows_its_public_ones_only(
    busy: Panel,
) -> None:
    with busy.work():
        organisation().requires_second_factor = True
    assert names_for(busy, ALICE) == {"moon-public", "charlie-public"}
    assert names_for(busy, DORA) == {"moon-public", "charlie-public"}


def test_filters(busy: Panel) -> None:
    with busy.work():
        row = samples.addon_of("moon-public")
        row.categories, row.summary = ["seo", "blog posts"], "Zebra crossings"
        samples.addon_of("moon-organisation").versions[0].channel = Channel.BETA
        samples.addon_of("moon-private").versions[0].channel = Channel.ALPHA
        samples.make_addon(organisation(), user_of(ALICE), "nothing-uploaded")
        yanked = samples.addon_of("charlie-public").versions[0]
        yank_version(yanked, "It was broken.", user_of(CHARLIE))
    everything = names_for(busy, ALICE)
    assert everything == {"moon-public", "moon-organisation", "moon-private", "moon-forms"}
    for wanted, found in (
        (Wanted(words="MOON pub"), {"moon-public"}),
        (Wanted(words="zebra"), {"moon-public"}),
        (Wanted(words="%"), set()),
        (Wanted(whose="public"), {"moon-public"}),
        (Wanted(whose="mine"), everything),
        (Wanted(category="seo"), {"moon-public"}),
        (Wanted(category="blog"), set()),
        (Wanted(category="blog posts"), {"moon-public"}),
        (Wanted(channel="stable"), {"moon-public", "moon-forms"}),
        (Wanted(channel="beta"), everything - {"moon-private"}),
        (Wanted(channel="alpha"), everything),
        (Wanted(channel="made-up", whose="made-up"), everything),
    ):
        assert names_for(busy, ALICE, wanted) == found, wanted
    with busy.reading():
        assert {"seo", "blog posts"} <= set(marketplace.list_categories(user_of(ALICE)))


def test_the_page_of_the_list_keeps_its_filters(busy: Panel) -> None:
    text = busy.client_of(ALICE).get("/marketplace/?q=moon&whose=mine&channel=beta").text
    assert 'value="moon"' in text and 'value="beta"' in text and "selected" in text
    tabs = re.findall(r'href="(/marketplace/\?[^"]+)"', text)
    assert any("q=moon" in tab and "channel=beta" in tab for tab in tabs)
    assert "Moon private" in text and "Charlie public" not in text
    nothing = busy.client_of(ALICE).get("/marketplace/?q=nowhere").text
    assert "No addon fits" in nothing and "Show all addons" in nothing
    for hostile in ("q=%00", "category=%00", "page=%C2%B2", "channel=%F0%9F%8C%99", "whose=%27"):
        assert busy.client_of(ALICE).get(f"/marketplace/?{hostile}").status_code == 200


@pytest.fixture
def queries(panel: Panel) -> Iterator[list[str]]:
    """What the database is asked."""
    asked: list[str] = []
    with panel.reading():
        engine = db.engine

    def note(*details: object) -> None:
        asked.append(str(details[2]))

    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


def test_pages_ask_as_many_questions_for_many_addons_as_for_few(
    busy: Panel, queries: list[str]
) -> None:
    alice = busy.client_of(ALICE)
    pages = ("/marketplace/", PAGE, "/addons/", f"/addons/{samples.NAME}/usage/")
    few = [_count(queries, lambda page=page: alice.get(page)) for page in pages]
    with busy.work():
        user, moon = user_of(ALICE), organisation()
        addon = samples.addon_of()
        for number in range(8):
            other = samples.make_addon(moon, user, f"another-{number + 2}")
            samples.add_version(other)
            version = samples.add_version(addon, f"2.{number}")
            samples.install(version, make_application(busy, f"site-{number}", moon, user))
    many = [_count(queries, lambda page=page: alice.get(page)) for page in pages]
    assert many == few


def _count(queries: list[str], act: object) -> int:
    queries.clear()
    assert act().status_code == 200  # type: ignore[operator]
    return len(queries)


def test_an_addon_says_what_it_is(busy: Panel) -> None:
    text = busy.client_of(BOB).get(PAGE).text
    for words in (
        "Moon forms",
        "by Moon",
        "Version 1.0",
        "What Moon forms does.",
        "MIT",
        "Of 1.0.",
        "New in 1.1.",
        "It sets the variable SPAM_KEY.",
        "It adds 2 processes beside the site: mailer and cleaner.",
        "Its Python package is installed in the site",
        "Spam key",
        "on no site yet",
        "those who work on it",
    ):
        assert words in text, words
    assert "<h3>Readme</h3>" in text and text.count("<h1") == 1, "its headings are below the page's"
    assert "<b>above</b>" in text and "alert(1)" not in text
    assert "Manage" not in text, "Bob may use it, not change it"
    assert "Manage" in busy.client_of(DORA).get(PAGE).text
    older = busy.client_of(BOB).get(f"{PAGE}?version=1.1").text
    assert "Version 1.1" in older and "It has no settings." in older
    assert busy.client_of(BOB).get(f"{PAGE}?version=9").status_code == 404
    for stranger in (RITA, CHARLIE, EVE):
        assert busy.client_of(stranger).get(PAGE).status_code == 404


def test_a_yanked_version_is_shown_with_its_reason_and_not_offered(busy: Panel) -> None:
    with busy.work():
        version = find_version(samples.addon_of().id, "1.0")
        assert version
        yank_version(version, "It loses mails.", user_of(ALICE))
    text = busy.client_of(DORA).get(PAGE).text
    assert "Version 1.1" in text and "It loses mails." in text
    yanked = busy.client_of(DORA).get(f"{PAGE}?version=1.0").text
    assert "cannot be installed any more" in yanked and "Go on to install" not in yanked


def test_installing_leads_to_the_page_of_the_chosen_site(busy: Panel) -> None:
    dora, bob = busy.client_of(DORA), busy.client_of(BOB)
    assert 'value="demo"' in dora.get(PAGE).text
    assert "You work on no site" in bob.get(PAGE).text, "he may only look at demo"
    assert 'value="other"' not in dora.get(PAGE).text
    there = dora.get(f"{PAGE}install/?site=demo")
    assert there.location.endswith(f"/applications/demo/addons/install/{samples.NAME}/")
    nowhere = dora.get(f"{PAGE}install/")
    assert nowhere.location.endswith(PAGE)
    assert "Choose a site first." in dora.get(nowhere.location).text
    assert busy.client_of(CHARLIE).get(f"{PAGE}install/?site=other").status_code == 404
    with busy.work():
        version = find_version(samples.addon_of().id, "1.0")
        assert version
        samples.install(version, application())
    text = dora.get(PAGE).text
    assert "Every site of yours has it." in text and "On sites you see" in text


def test_sites_are_counted_for_everybody_and_named_to_who_may_see_them(busy: Panel) -> None:
    page = "/marketplace/moon-public/"
    with busy.work():
        version = samples.addon_of("moon-public").versions[0]
        for slug in ("demo", "other"):
            samples.install(version, application(slug))
        old = make_application(busy, "old", organisation(), user_of(ALICE))
        samples.install(version, old).removed_at = now()
        gone = make_application(busy, "gone", organisation(), user_of(ALICE))
        samples.install(version, gone)
        trash_application(gone, user_of(ALICE))
    for person, own, foreign in ((ALICE, "Demo", "Other"), (CHARLIE, "Other", "Demo")):
        text = busy.client_of(person).get(page).text
        assert "on 2 sites" in text
        assert f">{own}</a>" in text and f">{foreign}</a>" not in text
    assert "On sites you see" not in busy.client_of(RITA).get(page).text
    usage = busy.client_of(ALICE).get("/addons/moon-public/usage/").text
    assert ">Demo</a>" in usage and "Other</a>" not in usage
    with busy.reading():
        row = marketplace.load_usage(samples.addon_of("moon-public"), user_of(ALICE))[0]
        assert (row.sites, [site.slug for site in row.named], row.unnamed) == (2, ["demo"], 1)
        row = marketplace.load_usage(samples.addon_of("moon-public"), user_of(RITA))[0]
        assert (row.named, row.unnamed) == ((), 2), "what she may not see has no name for her"


def test_the_palette_finds_addons_a_person_may_see(busy: Panel) -> None:
    headers = {"Accept": "application/json"}
    for person, is_found in ((BOB, True), (RITA, False), (CHARLIE, False)):
        places = busy.client_of(person).get("/search/?q=moon-forms", headers=headers).json or []
        found = [place["url"] for place in places if place["url"].startswith("/marketplace/")]
        assert (found == [PAGE]) is is_found, person


def test_who_only_edits_sites_is_not_led_here(busy: Panel) -> None:
    client = Person("Client")
    with busy.work():
        create_user(client.email, client.name, PASSWORD)
        add_member(organisation(), client.email, Role.SITE_EDITOR, user_of(ALICE))
    assert "/marketplace/" not in busy.client_of(client).get("/sites/").text
    assert "/marketplace/" in busy.client_of(RITA).get("/applications/").text
