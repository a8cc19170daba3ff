"""Changes of an addon while others push and save: retried, explained, never forced. And undo."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from app.addons.installing import Plan, current_settings, plan_install, plan_save, plan_undo
from app.addons.models import AddonChange, ChangeKind
from app.addons.queries import find_addon
from app.errors import Conflict, Invalid
from app.extensions import db
from app.repositories.queries import load_repository
from app.transactions import unit_of_work
from app.variables.queries import find_variable
from tests.addons.sites import (
    FIELDS,
    NAME,
    SITE_FILES,
    do,
    file,
    installed,
    news_version,
    push,
    settle_site,
    text,
    tip_of,
    values,
)
from tests.panel import ALICE, DORA, Panel, application, environment

SETTINGS = f"addons/{NAME}/settings.json"
STRICTER = """\
from aldryn_client import forms


class Form(forms.BaseForm):
    title = forms.CharField("Title", min_length=3)
"""
Step = Callable[[], object]


@pytest.fixture
def site(panel: Panel) -> Iterator[Panel]:
    """`demo` with the addon installed."""
    settle_site(panel)
    with panel.reading():
        do(panel, lambda: install(panel))
        yield panel


def install(panel: Panel) -> Plan:
    addon = find_addon(NAME)
    assert addon is not None
    return plan_install(application(), addon.versions[0], {}, panel.store)


def save_plan(panel: Panel, seen: str = "", **settings: object) -> Plan:
    return plan_save(installed(), settings, {}, panel.store, seen)


def interrupted(plan: Callable[[], Plan], *steps: Step) -> Callable[[], Plan]:
    """Each time a plan was made, the next of `steps` happens before it is carried out."""
    left = list(steps)

    def made() -> Plan:
        found = plan()
        if left:
            left.pop(0)()
        return found

    return made


def pushing(panel: Panel, path: str, content: bytes) -> Step:
    return lambda: push(panel, {path: content})


class TestPushInBetween:
    def test_of_another_file_is_kept(self, site: Panel) -> None:
        seen = save_plan(site, title="x").seen
        steps = [pushing(site, "a.txt", b"1"), pushing(site, "settings.py", b"# theirs\n")]
        change = do(site, interrupted(lambda: save_plan(site, title="x"), *steps), seen)
        assert (values(site)["title"], file(site, "a.txt")) == ("x", b"1")
        assert file(site, "settings.py") == b"# theirs\n"
        assert change.commit == tip_of(site)
        key = load_repository(application().id).uuid
        assert site.store.count(key, change.commit, None) == 6  # with the first two, and no merge

    def test_outside_of_the_tags_of_a_file_that_is_written_survives(self, panel: Panel) -> None:
        settle_site(panel)
        theirs = (SITE_FILES["settings.py"] or b"") + b"# theirs \xff\n"
        with panel.reading():
            do(panel, interrupted(lambda: install(panel), pushing(panel, "settings.py", theirs)))
            content = file(panel, "settings.py") or b""
        assert content == theirs.replace(b"    # </INST", b"    'susan-news',\n    # </INST")

    def test_of_the_same_file_is_explained(self, site: Panel) -> None:
        seen = current_settings(application(), NAME, site.store).seen
        step = pushing(site, SETTINGS, b'{"title": "Theirs"}')
        with pytest.raises(Conflict, match="in the site's files meanwhile"):
            do(site, interrupted(lambda: save_plan(site, seen, title="x"), step))
        assert values(site) == {"title": "Theirs"}
        assert db.session.query(AddonChange).count() == 1

    def test_what_the_person_was_shown_must_hold(self, site: Panel) -> None:
        seen = save_plan(site, title="x").seen
        step = pushing(site, SETTINGS, b'{"title": "Theirs"}')
        with pytest.raises(Conflict, match="than what you have seen"):
            do(site, interrupted(lambda: save_plan(site, title="x"), step), seen)
        assert values(site) == {"title": "Theirs"}

    def test_who_never_gets_a_turn_is_told_and_nothing_is_left(self, site: Panel) -> None:
        steps = [pushing(site, "a.txt", b"%d" % number) for number in range(3)]
        plan = interrupted(
            lambda: plan_save(installed(), {"title": "x"}, {"key": "s" * 9}, site.store), *steps
        )
        with pytest.raises(Conflict, match="Try again"):
            do(site, plan)
        assert values(site)["title"] == "News"
        assert find_variable(environment().id, "NEWS_KEY") is None
        assert db.session.query(AddonChange).count() == 1
        assert installed().settings["title"] == "News"

    def test_when_test_follows_another_branch_by_now(self, site: Panel) -> None:
        def switch() -> None:
            with site.work():
                environment().branch = "next"

        push(site, {"templates/x": b"x"})
        change = do(site, interrupted(lambda: save_plan(site, title="x"), switch))
        key = load_repository(application().id).uuid
        assert site.store.resolve(key, "next") == change.commit
        assert values(site)["title"] == "News"  # on `main`


class TestTwoPeople:
    def test_the_second_is_told_who_was_first(self, site: Panel) -> None:
        seen = current_settings(application(), NAME, site.store).seen

        def dora() -> None:
            with site.reading():
                do(site, lambda: save_plan(site, seen, title="Dora’s"), person=DORA)

        with pytest.raises(Conflict, match="Dora has changed the settings of Susan news"):
            do(site, interrupted(lambda: save_plan(site, seen, per_page=1), dora))
        assert (values(site)["title"], values(site)["per_page"]) == ("Dora’s", 10)

    def test_at_the_same_moment_one_of_them_wins(self, site: Panel) -> None:
        seen = current_settings(application(), NAME, site.store).seen
        barrier = threading.Barrier(2, timeout=20)
        told: list[object] = []

        def act(**settings: object) -> None:
            def plan() -> Plan:
                made = save_plan(site, seen, **settings)
                if not told:
                    barrier.wait()
                return made

            with site.reading():
                try:
                    told.append(do(site, plan).commit)
                except Conflict as error:
                    told.append(error.sentence)

        threads = [
            threading.Thread(target=act, kwargs=settings)
            for settings in ({"title": "A"}, {"per_page": 3})
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        tip = tip_of(site)
        assert tip in told
        assert any("meanwhile" in str(one) for one in told)
        assert (values(site)["title"] == "A") != (values(site)["per_page"] == 3)

    def test_both_install_the_same(self, panel: Panel) -> None:
        settle_site(panel)

        def dora() -> None:
            with panel.reading():
                do(panel, lambda: install(panel), person=DORA)

        with panel.reading(), pytest.raises(Conflict, match="installed already"):
            do(panel, interrupted(lambda: install(panel), dora))


class TestUndo:
    def saved(self, site: Panel, **settings: object) -> AddonChange:
        return do(site, lambda: save_plan(site, **settings))

    def undo(self, site: Panel, change: AddonChange) -> AddonChange:
        return do(site, lambda: plan_undo(change, site.store))

    def test_it_takes_back_what_that_save_changed_and_nothing_else(self, site: Panel) -> None:
        first = self.saved(site, title="x", fresh="new")
        self.saved(site, per_page=3)
        plan = plan_undo(first, site.store)
        assert plan.sentences == (
            "“Title of the page” changes from “x” to “News”.",
            "“fresh” becomes empty; it was “new”.",
        )
        change = do(site, lambda: plan)
        assert change.kind == ChangeKind.UNDO
        assert (values(site)["title"], values(site)["per_page"]) == ("News", 3)
        assert "fresh" not in values(site)

    def test_an_undo_can_be_undone(self, site: Panel) -> None:
        undone = self.undo(site, self.saved(site, title="x"))
        self.undo(site, undone)
        assert values(site)["title"] == "x"

    def test_not_when_it_was_changed_again(self, site: Panel) -> None:
        first = self.saved(site, title="x")
        self.saved(site, title="y")
        with pytest.raises(Conflict, match="again since: “Title of the page”"):
            self.undo(site, first)
        assert values(site)["title"] == "y"

    def test_also_by_hand(self, site: Panel) -> None:
        first = self.saved(site, title="x")
        push(site, {SETTINGS: text(site, SETTINGS).replace('"x"', '"z"').encode()})
        with pytest.raises(Conflict, match="again since"):
            self.undo(site, first)

    def test_secrets_stay_and_that_is_said(self, site: Panel) -> None:
        change = do(
            site, lambda: plan_save(installed(), {"title": "x"}, {"key": "s" * 9}, site.store)
        )
        plan = plan_undo(change, site.store)
        assert any("Key of the service" in note for note in plan.notes)
        do(site, lambda: plan)
        assert find_variable(environment().id, "NEWS_KEY") is not None

    def test_an_installation_is_no_save(self, site: Panel) -> None:
        change = db.session.query(AddonChange).one()
        with pytest.raises(Invalid, match="Only a save"):
            plan_undo(change, site.store)

    def test_an_older_value_must_suit_the_version_of_today(self, site: Panel) -> None:
        self.saved(site, title="x")
        change = self.saved(site, title="Long enough")
        with unit_of_work():
            row = news_version(installed().addon, "2.0")
            row.texts = {**row.texts, "configuration": STRICTER}
            installed().version = row
        with pytest.raises(Invalid, match="at least 3 characters") as caught:
            plan_undo(change, site.store)
        assert caught.value.field == "title"

    def test_a_value_whose_field_is_gone_harms_nobody(self, site: Panel) -> None:
        change = self.saved(site, title="x")
        with unit_of_work():
            installed().version = news_version(installed().addon, "2.0", FIELDS[1:])
        assert plan_undo(change, site.store).settings_after["title"] == "News"


def test_alice_is_the_author(site: Panel) -> None:
    change = db.session.query(AddonChange).one()
    assert change.actor_name == ALICE.name
