"""Asking addons from the panel: the sandbox is real, the queue in between is not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from app.adapters.sandbox import Reason, SandboxFailed
from app.addons import api, questions
from app.addons.contributions import Contribution
from app.addons.models import AddonFailure, AddonVersion, PackageKind
from app.addons.questions import contribute, describe, validate
from app.errors import Unavailable
from app.extensions import db
from tests.addons.samples import make_addon
from tests.panel import ALICE, Panel, organisation, user_of

ALDRYN = """
from aldryn_client import forms
class Form(forms.BaseForm):
    title = forms.CharField("Title", max_length=20)
    count = forms.NumberField("Count", required=False, max_value=9)
    def clean(self):
        data = super().clean()
        if data.get("title") == "boom":
            raise RuntimeError("a secret of the author")
        if data.get("title") == "no":
            raise forms.ValidationError("Not this one.")
        return data
"""
PLUGIN = """
from app.addons import api
@api.hookimpl
def addon_info():
    return api.AddonInfo("asked", "Asked", "1.0", "It is asked.")
@api.hookimpl
def settings_form():
    return (api.Field("key", "Key", variable="ASKED_KEY", is_secret=True),
            api.Field("colour", "Colour", required=False))
@api.hookimpl
def clean_settings(settings):
    assert settings["key"] is True
    return {"key": "stolen?", "colour": settings["colour"].upper()}
@api.hookimpl
def contribute_variables(site):
    if site.slug == "broken":
        return [api.Variable(5, None)]
    seen = ",".join(sorted(site.files)) + site.stage + str(site.settings["key"])
    return (api.Variable("SEEN", seen),)
"""
SITE = api.Site("Demo", "demo", "test", {"key": True, "colour": ""}, frozenset({"a", "b"}), ("x",))


def make_version(panel: Panel, kind: PackageKind, source: str) -> int:
    """A version whose form is what its code says."""
    with panel.reading():
        form = msgspec.to_builtins(describe(kind, source).fields)
    with panel.work():
        addon = make_addon(organisation(), user_of(ALICE), "asked")
        row = AddonVersion(version="1.0", kind=kind, form=form, texts={"configuration": source})
        addon.versions.append(row)
        db.session.flush()
        return row.id


def ask_to_validate(panel: Panel, number: int, settings: dict[str, Any]) -> questions.Validated:
    with panel.reading():
        return validate(db.session.get_one(AddonVersion, number), settings)


def failures(panel: Panel) -> list[AddonFailure]:
    with panel.reading():
        rows = db.session.scalars(select(AddonFailure).order_by(AddonFailure.id)).all()
        for row in rows:
            _ = row.detail
        db.session.expunge_all()
        return list(rows)


@pytest.fixture
def aldryn(panel: Panel) -> int:
    return make_version(panel, PackageKind.ALDRYN, ALDRYN)


@pytest.fixture
def plugin(panel: Panel) -> int:
    return make_version(panel, PackageKind.PLUGIN, PLUGIN)


def test_settings_are_cleaned_by_the_package(panel: Panel, aldryn: int) -> None:
    found = ask_to_validate(panel, aldryn, {"title": "Hello", "count": 3})
    assert found == questions.Validated({"title": "Hello", "count": 3}, {})
    assert not failures(panel)


@pytest.mark.parametrize(
    ("settings", "errors"),
    [
        ({"title": "x" * 21}, {"title": "This may have at most 20 characters, and has 21."}),
        ({"title": "a", "count": 10}, {"count": "This may not be larger than 9."}),
        ({"title": "no"}, {"": "Not this one."}),
        ({}, {"title": "This field is required."}),
    ],
)
def test_errors_come_back_at_their_fields(
    panel: Panel, aldryn: int, settings: dict[str, Any], errors: dict[str, str]
) -> None:
    assert ask_to_validate(panel, aldryn, settings) == questions.Validated({}, errors)
    assert not failures(panel)


def test_a_field_s_own_limits_need_no_package(panel: Panel, aldryn: int) -> None:
    panel.queue.is_down = True
    assert ask_to_validate(panel, aldryn, {}).errors
    with pytest.raises(Unavailable):
        ask_to_validate(panel, aldryn, {"title": "Hello"})


def test_an_exception_is_an_error_of_the_form(panel: Panel, aldryn: int) -> None:
    """Its traceback is for the authors, not for who saves."""
    found = ask_to_validate(panel, aldryn, {"title": "boom"})
    assert list(found.errors) == [""] and "RuntimeError" not in found.errors[""]
    (row,) = failures(panel)
    assert row.question == "validate" and row.sentence == found.errors[""]
    assert 'RuntimeError("a secret of the author")' in row.detail


def test_the_newest_failures_are_kept(panel: Panel, aldryn: int) -> None:
    with panel.work():
        for number in range(questions.FAILURES_KEPT + 5):
            db.session.add(
                AddonFailure(version_id=aldryn, question="validate", sentence=f"{number}")
            )
    ask_to_validate(panel, aldryn, {"title": "boom"})
    rows = failures(panel)
    assert len(rows) == questions.FAILURES_KEPT
    assert rows[0].sentence == "6" and "RuntimeError" in rows[-1].detail


def test_a_secret_never_goes_along(panel: Panel, plugin: int) -> None:
    """And what the package makes of it is not believed."""
    found = ask_to_validate(panel, plugin, {"key": True, "colour": "red"})
    assert found.settings == {"key": True, "colour": "RED"}
    for asked in (
        lambda row: validate(row, {"key": "geheim", "colour": "red"}),
        lambda row: contribute(row, api.Site("D", "d", "", {"key": "geheim"})),
    ):
        with panel.reading(), pytest.raises(RuntimeError, match="secret key") as refused:
            asked(db.session.get_one(AddonVersion, plugin))
        assert "geheim" not in str(refused.value)


def test_what_a_package_adds(panel: Panel, plugin: int) -> None:
    with panel.reading():
        found = contribute(db.session.get_one(AddonVersion, plugin), SITE)
    assert found == Contribution(variables=(api.Variable("SEEN", "a,btestTrue"),))


def test_nonsense_is_told_and_kept(panel: Panel, plugin: int) -> None:
    site = api.Site("Demo", "broken", "test", {"key": False})
    with panel.reading(), pytest.raises(SandboxFailed) as failed:
        contribute(db.session.get_one(AddonVersion, plugin), site)
    assert failed.value.reason == Reason.NONSENSE
    (row,) = failures(panel)
    assert row.question == "contribute" and row.sentence == failed.value.sentence


def test_an_aldryn_package_adds_nothing_itself(panel: Panel, aldryn: int) -> None:
    panel.queue.is_down = True
    with panel.reading():
        assert contribute(db.session.get_one(AddonVersion, aldryn), SITE) == Contribution()


def test_nobody_is_kept_from_writing_meanwhile(panel: Panel, aldryn: int) -> None:
    with panel.work(), pytest.raises(RuntimeError, match="unit of work"):
        validate(db.session.get_one(AddonVersion, aldryn), {"title": "Hello"})
    with panel.work(), pytest.raises(RuntimeError, match="unit of work"):
        describe(PackageKind.ALDRYN, ALDRYN)


def test_one_that_came_with_the_panel_is_asked_in_it(panel: Panel) -> None:
    panel.queue.is_down = True
    with panel.reading():
        version = version_of(panel, "django")
        fields = msgspec.convert(version.form, tuple[api.Field, ...])
        settings = {field.name: field.initial for field in fields}
        assert validate(version, settings).errors == {}
        found = contribute(version, api.Site("Demo", "demo", "test", settings))
    assert found.requirements and found.fragments


def version_of(panel: Panel, package_name: str) -> AddonVersion:
    from app.addons.queries import find_addon

    addon = find_addon(package_name)
    assert addon and addon.is_built_in
    return addon.versions[-1]


def test_one_that_came_with_an_earlier_panel_only(panel: Panel) -> None:
    from app.addons.models import Addon

    with panel.work():
        renamed = update(Addon).where(Addon.package_name == "django").values(package_name="gone")
        db.session.execute(renamed)
    with panel.reading(), pytest.raises(SandboxFailed, match="not come with Moonbase any more"):
        contribute(version_of(panel, "gone"), api.Site("Demo", "demo", "", {}))
