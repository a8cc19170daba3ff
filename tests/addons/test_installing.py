"""Installing, saving, upgrading and removing an addon of a site, in a real repository."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from app.addons.api import Field, FieldType, Rights
from app.addons.collecting import Place, ask_addons
from app.addons.in_commit import CommitFiles
from app.addons.installing import (
    current_settings,
    diff_of,
    plan_install,
    plan_remove,
    plan_save,
    plan_upgrade,
)
from app.addons.models import AddonChange, AddonVersion, ChangeKind, InstalledAddon
from app.addons.operations import yank_version
from app.addons.queries import find_addon
from app.audit.models import AuditLine
from app.errors import Conflict, Invalid
from app.extensions import db
from app.repositories.queries import find_tracked_branch, load_repository
from app.transactions import unit_of_work
from app.variables.queries import find_variable
from tests.addons.samples import make_addon
from tests.addons.sites import (
    FIELDS,
    NAME,
    SITE_FILES,
    do,
    file,
    installed,
    news_version,
    paths_of,
    push,
    settle_site,
    text,
    tip_of,
    values,
)
from tests.panel import ALICE, DORA, Panel, application, environment, organisation, user_of

FOLDER = f"addons/{NAME}"


@pytest.fixture
def site(panel: Panel) -> Iterator[Panel]:
    settle_site(panel)
    with panel.reading():
        yield panel


def version(number: str = "1.0") -> AddonVersion:
    addon = find_addon(NAME)
    assert addon is not None
    return next(row for row in addon.versions if row.version == number)


def install(panel: Panel, **settings: object) -> AddonChange:
    return do(panel, lambda: plan_install(application(), version(), settings, panel.store))


def save(panel: Panel, **settings: object) -> AddonChange:
    return do(panel, lambda: plan_save(installed(), settings, {}, panel.store))


class TestInstall:
    def test_the_repository_has_all_of_it_in_one_commit_by_the_person(self, site: Panel) -> None:
        change = do(
            site, lambda: plan_install(application(), version(), {}, site.store), person=DORA
        )
        assert json.loads(text(site, f"{FOLDER}/addon.json")) == {
            "package-name": NAME,
            "installed-apps": [],
            "version": "1.0",
        }
        assert "class Form" in text(site, f"{FOLDER}/aldryn_config.py")
        assert values(site) == {"title": "News", "per_page": 10, "tags": None, "is_open": False}
        assert "    'aldryn-django',\n    'susan-news',\n" in text(site, "settings.py")
        address = f"/api/v1/apps/serve/{NAME}/1.0/{version().uuid}/{NAME}-1.0.tar.gz"
        assert f"{address}#egg={NAME}==1.0\n" in text(site, "requirements.in")
        assert "RUN pip install --requirement /app/req" in text(site, "Dockerfile")
        key = load_repository(application().id).uuid
        newest = site.store.log(key, change.commit, None, 1)[0]
        assert (newest.sha, newest.author_email) == (tip_of(site), DORA.email)
        assert newest.subject == f"Install {NAME} 1.0"

    def test_the_rows_say_so(self, site: Panel) -> None:
        change = install(site)
        row = installed()
        assert (row.version.version, row.settings) == ("1.0", values(site))
        assert (change.kind, change.version_before, change.version_after) == (
            ChangeKind.INSTALL,
            "",
            "1.0",
        )
        tracked = find_tracked_branch(environment().id)
        assert tracked is not None
        assert (tracked.head, tracked.pushed_by_id) == (change.commit, user_of(ALICE).id)
        line = db.session.query(AuditLine).order_by(AuditLine.id.desc()).first()
        assert line is not None
        assert (line.action, line.details["addon"]) == ("site_addon.install", NAME)

    def test_templates_of_the_inner_module_are_copied_where_there_is_nothing(
        self, site: Panel
    ) -> None:
        push(site, {"templates/susan_news/list.html": b"mine"})
        install(site)
        assert file(site, "templates/susan_news/list.html") == b"mine"
        assert file(site, "templates/susan_news/plugins/one.html") == b"<p>"
        assert file(site, "templates/admin/base.html") is None

    def test_not_when_module_and_package_have_different_names(self, site: Panel) -> None:
        with unit_of_work():
            version().facts = {**version().facts, "inner_name": "other"}
        install(site)
        assert file(site, "templates/susan_news/list.html") is None

    def test_what_the_repository_says_of_settings_already_counts(self, site: Panel) -> None:
        push(site, {f"{FOLDER}/settings.json": b'{"title": "Old", "languages": "[]"}'})
        install(site, per_page=5)
        assert values(site) == {
            "title": "Old",
            "per_page": 5,
            "tags": None,
            "is_open": False,
            "languages": "[]",
        }

    def test_files_without_tags_are_left_alone_and_that_is_said(self, site: Panel) -> None:
        bare: dict[str, bytes | None] = {
            "settings.py": b"INSTALLED_ADDONS = []\n",
            "requirements.in": b"django\n",
            "Dockerfile": b"FROM x\n",
        }
        push(site, bare)
        plan = plan_install(application(), version(), {}, site.store)
        assert not bare.keys() & plan.files.keys()
        assert [note.split()[0] for note in plan.notes] == ["settings.py", "requirements.in"]

    def test_twice_is_a_conflict(self, site: Panel) -> None:
        install(site)
        with pytest.raises(Conflict, match="already"):
            install(site)

    def test_a_yanked_version_cannot_be_installed_but_stays(self, site: Panel) -> None:
        install(site)
        with unit_of_work():
            yank_version(version(), "It loses data.", user_of(ALICE))
        save(site, title="x")
        do(site, lambda: plan_remove(installed(), site.store))
        with pytest.raises(Invalid, match="loses data"):
            plan_install(application(), version(), {}, site.store)

    def test_one_yanked_after_the_plan_neither(self, site: Panel) -> None:
        plan = plan_install(application(), version(), {}, site.store)
        with unit_of_work():
            yank_version(version(), "It loses data.", user_of(ALICE))
        with pytest.raises(Invalid, match="loses data"):
            do(site, lambda: plan)
        assert file(site, f"{FOLDER}/addon.json") is None

    def test_addons_it_needs_come_first(self, site: Panel) -> None:
        with unit_of_work():
            version().facts = {**version().facts, "needs": ["aldryn-django", "susan-base"]}
        assert plan_install(application(), version(), {}, site.store).missing == ("susan-base",)
        with pytest.raises(Invalid, match="susan-base"):
            install(site)

    def test_an_empty_repository_gets_its_first_commit(self, site: Panel) -> None:
        with unit_of_work():
            environment().branch = "fresh"
        change = install(site)
        key = load_repository(application().id).uuid
        assert site.store.resolve(key, "fresh") == change.commit
        assert site.store.log(key, change.commit, None, 5)[-1].sha == change.commit

    def test_the_diff_and_the_sentences_tell_what_happens(self, site: Panel) -> None:
        plan = plan_install(application(), version(), {"title": "Hello"}, site.store)
        assert "+    'susan-news',\n" in diff_of(plan)
        assert "--- /dev/null\n+++ b/addons/susan-news/addon.json\n" in diff_of(plan)
        assert plan.sentences[0] == "Susan news 1.0 is added to the site."
        assert "“Title of the page” becomes “Hello”." in plan.sentences

    def test_consent_is_asked_for_what_it_may_do(self, site: Panel) -> None:
        with unit_of_work():
            version().rights = {"writes_variables": ["NEWS_KEY", "NEWS_URL"]}
        plan = plan_install(application(), version(), {}, site.store)
        assert plan.rights == Rights(writes_variables=("NEWS_KEY", "NEWS_URL"))
        do(site, lambda: plan)
        assert installed().consented == {"writes_variables": ["NEWS_KEY", "NEWS_URL"]}

    @pytest.mark.parametrize("name", ["DATABASE_URL", "PATH", "STRIPE_KEY"])
    def test_no_secret_becomes_a_variable_nobody_agreed_to(self, site: Panel, name: str) -> None:
        with unit_of_work():
            field = Field("key", "Licence number", variable=name, is_secret=True)
            news_version(version().addon, "2.0", (field,)).rights = {}
        secrets: dict[str, str | None] = {"key": "postgres://elsewhere/x"}
        with pytest.raises(Invalid, match=f"sets .*{name}"):
            plan_install(application(), version("2.0"), {}, site.store, secrets)


class TestSave:
    def test_only_the_settings_change(self, site: Panel) -> None:
        install(site)
        plan = plan_save(installed(), {"per_page": 20, "is_open": True}, {}, site.store)
        assert paths_of(plan) == [f"{FOLDER}/settings.json"]
        assert plan.sentences == (
            "“Posts per page” changes from “10” to “20”.",
            "“Open to all” is switched on.",
        )
        change = do(site, lambda: plan)
        assert values(site)["per_page"] == 20
        assert (change.before["per_page"], change.after["per_page"]) == (10, 20)

    def test_numbers_may_be_nothing_and_lists_are_text(self, site: Panel) -> None:
        install(site, per_page="", tags=["a", "b"])
        plan = plan_save(installed(), {"per_page": 5, "tags": ["a"]}, {}, site.store)
        assert plan.sentences == (
            "“Posts per page” becomes “5”.",
            "“Tags” changes from “a, b” to “a”.",
        )
        save(site, per_page=None)
        assert values(site)["per_page"] is None
        assert values(site)["tags"] == ["a", "b"]

    def test_a_secret_goes_to_the_variables_of_all_environments_and_nowhere_else(
        self, site: Panel
    ) -> None:
        install(site)
        before = tip_of(site)
        plan = plan_save(installed(), {}, {"key": "hunter2-hunter2"}, site.store)
        assert plan.sentences == ("The secret “Key of the service” gets a new value.",)
        assert "hunter2" not in repr(plan) + diff_of(plan)
        change = do(site, lambda: plan)
        for slug in ("test", "live"):
            row = find_variable(environment(slug).id, "NEWS_KEY")
            assert row is not None
            assert (row.value, row.is_secret) == ("hunter2-hunter2", True)
        assert (change.secrets, change.commit) == (["key"], before)
        assert "key" not in values(site)
        do(site, lambda: plan_save(installed(), {}, {"key": None}, site.store))
        assert find_variable(environment("live").id, "NEWS_KEY") is None

    def test_a_secret_among_the_settings_never_reaches_git(self, site: Panel) -> None:
        install(site, key="hunter2")
        save(site, key="hunter2", title="x")
        assert "hunter2" not in text(site, f"{FOLDER}/settings.json")

    def test_a_hand_edit_in_the_repository_wins_over_the_row(self, site: Panel) -> None:
        install(site)
        push(site, {f"{FOLDER}/settings.json": b'{"title": "By hand", "mine": 1}'})
        assert current_settings(application(), NAME, site.store).values["title"] == "By hand"
        save(site, per_page=3)
        assert values(site) == {"title": "By hand", "mine": 1, "per_page": 3}

    def test_what_cannot_be_read_is_told_and_replaced_only_by_who_has_seen_it(
        self, site: Panel
    ) -> None:
        install(site)
        push(site, {f"{FOLDER}/settings.json": b'{\n"title": oops'})
        found = current_settings(application(), NAME, site.store)
        assert "line 2" in found.problem
        with pytest.raises(Invalid, match="line 2"):
            save(site, title="x")
        do(site, lambda: plan_save(installed(), {"title": "x"}, {}, site.store, found.seen))
        assert values(site) == {"title": "x"}

    def test_nothing_different_is_no_save(self, site: Panel) -> None:
        install(site)
        assert plan_save(installed(), {"title": "News"}, {}, site.store).is_empty
        with pytest.raises(Invalid, match="nothing to save"):
            save(site, title="News")

    def test_a_commit_whose_rows_were_lost_is_mended_by_repeating(self, site: Panel) -> None:
        install(site)
        change = save(site, title="x")
        with unit_of_work():  # as if the database had failed after the commit
            installed().settings = dict(change.before)
            db.session.delete(change)
        again = save(site, title="x")
        assert again.commit == tip_of(site)
        assert installed().settings["title"] == "x"


class TestUpgrade:
    def test_settings_are_carried_over_and_new_fields_begin(self, site: Panel) -> None:
        install(site, title="Mine")
        fields = (*FIELDS[1:], Field("color", "Colour", initial="red"))
        with unit_of_work():
            news_version(version().addon, "2.0", fields)
        push(site, {"templates/susan_news/list.html": None})
        plan = plan_upgrade(installed(), version("2.0"), site.store)
        assert plan.sentences == (
            "Susan news goes from version 1.0 to version 2.0.",
            "“Colour” becomes “red”.",
        )
        do(site, lambda: plan)
        assert values(site)["title"] == "Mine"
        assert values(site)["color"] == "red"
        assert f"{NAME}-2.0.tar.gz" in text(site, "requirements.in")
        assert f"{NAME}-1.0.tar.gz" not in text(site, "requirements.in")
        assert json.loads(text(site, f"{FOLDER}/addon.json"))["version"] == "2.0"
        assert file(site, "templates/susan_news/list.html") is None, "never refreshed"

    def test_wider_rights_are_asked_again(self, site: Panel) -> None:
        install(site)
        with unit_of_work():
            news_version(version().addon, "2.0", rights=Rights(has_release_commands=True))
        plan = plan_upgrade(installed(), version("2.0"), site.store)
        assert plan.rights == Rights(has_release_commands=True)

    def test_a_version_pushed_by_hand_is_one_that_may_be_had(self, site: Panel) -> None:
        install(site)
        with unit_of_work():
            news_version(version().addon, "2.0")
        said = b'{"package-name": "susan-news", "version": "2.0"}'
        files = CommitFiles({f"{FOLDER}/addon.json": said}, frozenset())
        place = Place(application().id, "Demo", "demo", "test")
        assert ask_addons(files, place).collected.addons == {"susan-news": "2.0"}
        with unit_of_work():
            yank_version(version("2.0"), "It loses data.", user_of(ALICE))
        with pytest.raises(Invalid, match="taken back"):
            ask_addons(files, place)

    def test_a_field_that_becomes_a_secret_leaves_the_repository(self, site: Panel) -> None:
        install(site, title="sesame")
        with unit_of_work():
            secret = Field("title", "Title", FieldType.TEXT, variable="T", is_secret=True)
            news_version(version().addon, "2.0", (secret,))
        do(site, lambda: plan_upgrade(installed(), version("2.0"), site.store))
        assert "sesame" not in text(site, f"{FOLDER}/settings.json")


class TestRemove:
    def test_all_of_it_goes_but_what_was_copied(self, site: Panel) -> None:
        install(site)
        push(site, {f"{FOLDER}/more.txt": b"x"})
        change = do(site, lambda: plan_remove(installed(), site.store))
        key = load_repository(application().id).uuid
        paths = site.store.list_files(key, change.commit)
        assert not [path for path in paths if path.startswith(FOLDER)]
        assert "templates/susan_news/list.html" in paths
        for path in ("settings.py", "requirements.in"):
            assert file(site, path) == SITE_FILES[path]
        row = db.session.query(InstalledAddon).one()
        assert row.removed_at is not None

    def test_it_comes_back_without_its_templates(self, site: Panel) -> None:
        install(site, title="Mine")
        do(site, lambda: plan_remove(installed(), site.store))
        push(site, {"templates/susan_news/list.html": None})
        number = db.session.query(InstalledAddon).one().id
        install(site)
        assert installed().id == number
        assert values(site)["title"] == "News"
        assert file(site, "templates/susan_news/list.html") is None

    def test_not_while_another_one_needs_it(self, site: Panel) -> None:
        install(site)
        with unit_of_work():
            other = make_addon(organisation(), user_of(ALICE), "susan-extra")
            needing = news_version(other, needs=[NAME])
        do(site, lambda: plan_install(application(), needing, {}, site.store))
        with pytest.raises(Conflict, match="needs Susan news"):
            plan_remove(installed(), site.store)

    def test_a_name_by_hand_is_told(self, site: Panel) -> None:
        content = SITE_FILES["settings.py"] or b""
        by_hand = content.replace(b"    # </INST", b"    # </INSTALLED_ADDONS>\n    'susan-news',#")
        push(site, {"settings.py": by_hand})
        install(site)
        assert file(site, "settings.py") == by_hand
        plan = plan_remove(installed(), site.store)
        assert any("outside of the section" in note for note in plan.notes)
