"""A save asks an uploaded addon once. The sandbox is real, the queue in between is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from app.adapters.sandbox import SandboxFailed, Topic
from app.addons import api, questions
from app.addons.answers import read_settings
from app.addons.contributions import Contribution
from app.addons.installing import Entered, Plan, Refused, plan_form, plan_install
from app.addons.models import AddonFailure, AddonVersion, Audience, PackageKind
from app.addons.questions import Question, validate
from app.addons.rights import write_rights
from app.extensions import db
from app.transactions import unit_of_work
from tests.addons.samples import make_addon
from tests.addons.sites import SITE_FILES, do, installed, push, text, values
from tests.panel import ALICE, Panel, application, organisation, user_of

NAME = "susan-words"
PLUGIN = """
from app.addons.api import SettingsError, Variable, hookimpl
@hookimpl
def clean_settings(settings):
    if settings["word"] == "no":
        raise SettingsError({"word": "Not this one."})
    return {**settings, "word": settings["word"].upper()}
@hookimpl
def contribute_variables(site):
    return (Variable("WORD", f"{site.settings['word']} {site.settings['key']}"),)
"""
FIELDS = (
    api.Field("word", "Word", initial="old"),
    api.Field("key", "Key", required=False, variable="WORD_KEY", is_secret=True),
)
RIGHTS = api.Rights(writes_variables=("WORD", "WORD_KEY"))


@pytest.fixture
def site(panel: Panel) -> Iterator[Panel]:
    push(panel, SITE_FILES)
    with panel.work():
        row = AddonVersion(
            version="1.0",
            kind=PackageKind.PLUGIN,
            form=msgspec.to_builtins(FIELDS),
            rights=write_rights(RIGHTS),
            facts={"has_package": False},
            texts={"configuration": PLUGIN, "addon_json": f'{{"package-name": "{NAME}"}}'},
        )
        addon = make_addon(organisation(), user_of(ALICE), NAME, Audience.PRIVATE)
        addon.versions.append(row)
        db.session.flush()
        number = row.id
    with panel.reading():
        version = db.session.get_one(AddonVersion, number)
        do(panel, lambda: plan_install(application(), version, {}, panel.store))
        yield panel


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    """The questions that went to the sandbox."""
    found: list[Question] = []
    real = questions.ask

    def ask(queue: Any, question: Question) -> Any:
        found.append(question)
        return real(queue, question)

    monkeypatch.setattr(questions, "ask", ask)
    return found


def with_source(source: str) -> None:
    with unit_of_work():
        row = installed(NAME).version
        row.texts = {**row.texts, "configuration": source}


def planned(panel: Panel, word: str, key: str | None = None) -> Plan:
    secrets = {"key": key} if key else {}
    entered = Entered({"word": word, "key": bool(key)}, secrets)
    return plan_form(installed(NAME), entered, panel.store)


def test_a_save_is_one_question(site: Panel, asked: list[Question]) -> None:
    entered = Entered({"word": "new", "key": False})
    do(site, lambda: plan_form(installed(NAME), entered, site.store))
    assert [one.topic for one in asked] == [Topic.VALIDATE]
    assert values(site, NAME) == {"word": "NEW"}
    (told,) = installed(NAME).contributed["answer"]["variables"]
    assert told["value"] == "NEW False"


def test_a_secret_is_told_as_set_and_never_as_it_is(site: Panel, asked: list[Question]) -> None:
    plan = planned(site, "new", "hush-4711")
    assert "The environment variable WORD becomes “NEW True”." in plan.sentences
    assert len(asked) == 1 and "hush-4711" not in str(asked)
    assert asked[0].payload["secrets"] == ["key"]


def test_planned_again_it_is_not_asked_again(site: Panel, asked: list[Question]) -> None:
    entered = Entered({"word": "new", "key": False})
    first = plan_form(installed(NAME), entered, site.store)
    push(site, {"README.md": b"Pushed meanwhile"})
    again = plan_form(installed(NAME), entered, site.store)
    assert first.sentences == again.sentences and first.tip != again.tip
    # A file more at the top is something that hooks are told.
    assert [one.topic for one in asked] == [Topic.VALIDATE, Topic.CONTRIBUTE]


def test_what_is_refused_comes_by_field(site: Panel, asked: list[Question]) -> None:
    with pytest.raises(Refused) as refused:
        planned(site, "no")
    assert refused.value.sentences == {"word": "Not this one."} and len(asked) == 1
    with pytest.raises(Refused, match="required"):
        planned(site, "")
    assert len(asked) == 1, "the panel knows that by itself"


@pytest.mark.parametrize(
    ("body", "sentence", "count"),
    [
        ("1 / 0", "ZeroDivisionError in line", 2),
        ("return [Variable(5, None)]", "name", 2),
        ("import os; os._exit(0)", "ended without an answer", 3),
    ],
)
def test_a_hook_that_fails_is_told_as_ever(
    site: Panel, asked: list[Question], body: str, sentence: str, count: int
) -> None:
    with_source(PLUGIN.replace("    return (Variable", f"    {body}\n    return (Variable"))
    with pytest.raises(SandboxFailed, match=sentence):
        planned(site, "new")
    assert len(asked) == count and asked[-1].topic == Topic.CONTRIBUTE
    (row,) = db.session.scalars(select(AddonFailure))
    assert row.question == "contribute"


def test_a_value_that_changed_its_kind_is_asked_for(site: Panel, asked: list[Question]) -> None:
    """What hooks were told must be what they would be told, to the letter."""
    entered = Entered({"word": "new", "key": False})
    plan_form(installed(NAME), entered, site.store)
    push(site, {f"addons/{NAME}/settings.json": b'{"word": "x", "other": 1}'})
    plan_form(installed(NAME), entered, site.store)
    assert [one.topic for one in asked] == [Topic.VALIDATE, Topic.CONTRIBUTE]


def test_what_is_told_of_the_site_holds_no_secret(site: Panel, asked: list[Question]) -> None:
    told = api.Site("Demo", "demo", "", {"key": "geheim"})
    with pytest.raises(RuntimeError, match="secret key"):
        validate(installed(NAME).version, {"word": "new", "key": True}, told)
    assert not asked


def test_what_it_adds_is_read_strictly_and_its_settings_all_the_same() -> None:
    good = {"settings": {"a": 1}, "errors": {}}
    assert read_settings(good).contribution is None
    assert read_settings({**good, "contribution": {}}).contribution == Contribution()
    for bad in ({"variables": [{"name": 1}]}, {"sound": []}, [], {"files": [[[[[[[[1]]]]]]]]}):
        found = read_settings({**good, "contribution": bad})
        assert found.settings == {"a": 1} and found.contribution is None
    refused = read_settings({"settings": {}, "errors": {"a": "No."}, "contribution": {}})
    assert refused.contribution is None


def test_its_files_are_as_the_addon_says(site: Panel) -> None:
    do(site, lambda: planned(site, "new"))
    assert '"version": "1.0"' in text(site, f"addons/{NAME}/addon.json")


def test_another_version_is_asked_anew(site: Panel, asked: list[Question]) -> None:
    entered = Entered({"word": "new", "key": False})
    plan_form(installed(NAME), entered, site.store)
    with unit_of_work():
        old = installed(NAME).version
        words = {"form": old.form, "rights": old.rights, "facts": old.facts, "texts": old.texts}
        row = AddonVersion(version="1.1", kind=old.kind, **words)
        addon = old.addon
        addon.versions.append(row)
        installed(NAME).version = row
    plan_form(installed(NAME), entered, site.store)
    assert [one.topic for one in asked] == [Topic.VALIDATE] * 2
