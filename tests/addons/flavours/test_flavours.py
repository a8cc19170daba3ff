"""Flavours addons read from a real repository, and their forms saved as variables."""

from __future__ import annotations

import pytest

from app.addons.api import Value
from app.addons.flavours.operations import Refused, save_flavour
from app.addons.flavours.queries import (
    Flavour,
    Flavours,
    fill_form,
    find_flavour,
    read_flavours,
)
from app.audit.models import AuditLine
from app.errors import Invalid
from app.extensions import db
from app.runtime.queries import resolve_configuration
from app.variables.models import VariableChange
from app.variables.operations import Overtaken, set_variable
from app.variables.queries import list_variables
from tests.addons.flavours.laravel import (
    ADDON,
    KEY,
    PREFIX,
    install,
    listing,
    put,
    sha256_of,
)
from tests.panel import ALICE, Panel, environment, user_of

ENTERED: dict[str, Value] = {
    "enabled": False,
    "cache-lifetime": "3600",
    "driver": "redis",
    "header": "",
}
SECRETS = """\
spec: 0.1
meta: {name: shop, version: 1}
config:
  api-key: {type: scalar/string, label: Key of the shop}
  salt: {type: scalar/string, label: Salt, required: no}
"""


def found(panel: Panel, slug: str = "test") -> Flavours:
    with panel.reading():
        return read_flavours(environment(slug), panel.store)


def only(panel: Panel) -> Flavour:
    (flavour,) = found(panel).addons
    return flavour


def save(panel: Panel, entered: dict[str, Value], seen: str | None = None, key: str = KEY) -> int:
    with panel.work():
        flavour = find_flavour(environment(), key, panel.store)
        assert flavour is not None
        return save_flavour(environment(), flavour, entered, user_of(ALICE), seen)


def variables(panel: Panel) -> dict[str, str]:
    with panel.reading():
        return {row.name: row.value for row in list_variables(environment().id)}


def shown(panel: Panel) -> dict[str, Value]:
    with panel.reading():
        flavour = find_flavour(environment(), KEY, panel.store)
        assert flavour is not None
        return dict(fill_form(environment(), flavour).values)


def test_a_site_without_flavours(panel: Panel) -> None:
    assert found(panel) == Flavours()


def test_the_addon_of_the_tutorial_is_listed_with_its_form(panel: Panel) -> None:
    install(panel, ADDON)
    flavour = only(panel)
    assert flavour.listed.key == KEY and not flavour.problem
    assert [field.name for field in flavour.fields] == [
        "enabled",
        "cache-lifetime",
        "driver",
        "header",
        "build",
    ]


def test_each_environment_reads_its_own_branch(panel: Panel) -> None:
    with panel.work():
        environment("live").branch = "live"
    install(panel, ADDON)
    assert len(found(panel).addons) == 1
    assert found(panel, "live") == Flavours()  # there is no such branch
    panel_tip = put(panel, {"app.flavour": None}, "main")
    assert panel_tip and found(panel) == Flavours()


def test_a_file_that_cannot_be_used_says_why(panel: Panel) -> None:
    put(panel, {"app.flavour": "spec: 0.1\nversion: 2\n"})
    broken = found(panel)
    assert broken.is_there and not broken.addons and "unknown field" in broken.problem
    put(panel, {"app.flavour": b"x" * 6_000_000})
    assert "larger than 5 MB" in found(panel).problem


def test_a_missing_file_leaves_an_addon_without_a_form(panel: Panel) -> None:
    put(panel, {"app.flavour": listing({KEY: sha256_of(ADDON)})})
    assert only(panel).fields == () and "is not in the repository" in only(panel).problem


def test_a_changed_file_leaves_an_addon_without_a_form(panel: Panel) -> None:
    install(panel, ADDON)
    put(panel, {f".flavour/addons/{sha256_of(ADDON)}": ADDON.replace("file", "redis")})
    assert only(panel).fields == () and "the sum does not fit" in only(panel).problem


def test_a_hash_that_is_none(panel: Panel) -> None:
    put(panel, {"app.flavour": listing({KEY: "../../secret"})})
    assert "has no SHA-256" in only(panel).problem


def test_one_broken_addon_does_not_hide_the_others(panel: Panel) -> None:
    install(panel, ADDON, "spec: 0.1\nmeta: {name: x, version: 1}\nconfig: {a: {type: b/c}}\n")
    first, second = found(panel).addons
    assert first.fields and second.listed.name == "example/other-1"
    assert "of the type “b/c”, which Moonbase does not know" in second.problem


@pytest.mark.parametrize("name", ["DATABASE_URL", "SECRET_KEY", "MAIN_DATABASE_DSN", "DEBUG"])
def test_a_variable_of_the_platform_is_refused(panel: Panel, name: str) -> None:
    install(panel, ADDON.replace("RESPONSE_CACHE_ENABLED", name))
    assert only(panel).fields == ()
    assert only(panel).problem == f"It wants to set {name}, which belongs to Moonbase."
    with pytest.raises(Invalid, match="belongs to Moonbase"):
        save(panel, ENTERED)
    assert variables(panel) == {}


def test_the_form_begins_with_the_defaults(panel: Panel) -> None:
    install(panel, ADDON)
    assert shown(panel) == {
        "enabled": True,
        "cache-lifetime": 604800,
        "driver": "file",
        "header": None,
        "build": "1.10",
    }


def test_saving_sets_variables_for_the_next_deployment(panel: Panel) -> None:
    install(panel, ADDON)
    assert save(panel, ENTERED) == 4
    wanted = {
        "RESPONSE_CACHE_ENABLED": "False",
        f"{PREFIX}_CACHE_LIFETIME": "3600",
        f"{PREFIX}_DRIVER": "redis",
        f"{PREFIX}_BUILD": "1.10",
    }
    assert variables(panel) == wanted
    with panel.reading():
        assert resolve_configuration(environment()).variables.items() >= wanted.items()
        assert resolve_configuration(environment("live")).variables.get(f"{PREFIX}_DRIVER") is None
        lines = db.session.scalars(db.select(AuditLine).where(AuditLine.action == "variable.set"))
        assert {line.details["addon"] for line in lines} == {KEY}
    assert shown(panel)["enabled"] is False
    assert save(panel, ENTERED) == 0


def test_present_variables_are_what_the_form_shows(panel: Panel) -> None:
    install(panel, ADDON)
    with panel.work():
        for name, value in (
            ("RESPONSE_CACHE_ENABLED", "off"),
            (f"{PREFIX}_CACHE_LIFETIME", "-1"),
            (f"{PREFIX}_BUILD", "by hand"),
        ):
            set_variable(environment(), name, value, False, user_of(ALICE))
    values = shown(panel)
    assert (values["enabled"], values["cache-lifetime"]) == (False, -1)
    save(panel, {**ENTERED, "build": "something else"})
    assert variables(panel)[f"{PREFIX}_BUILD"] == "by hand"  # it is read only


def test_a_value_that_is_no_number_is_not_shown_as_one(panel: Panel) -> None:
    install(panel, ADDON)
    with panel.work():
        set_variable(environment(), f"{PREFIX}_CACHE_LIFETIME", "soon", False, user_of(ALICE))
    assert shown(panel)["cache-lifetime"] is None


def test_what_is_left_empty_has_no_variable(panel: Panel) -> None:
    install(panel, ADDON)
    save(panel, {**ENTERED, "header": "X-Cached"})
    assert variables(panel)[f"{PREFIX}_HEADER"] == "X-Cached"
    assert save(panel, ENTERED) == 1
    assert f"{PREFIX}_HEADER" not in variables(panel)
    with panel.reading():  # and the history can undo it
        newest = db.session.scalars(db.select(VariableChange).order_by(VariableChange.id.desc()))
        assert newest.first().before == "X-Cached"  # type: ignore[union-attr]


def test_all_or_nothing_with_a_sentence_for_each_field(panel: Panel) -> None:
    install(panel, ADDON)
    with pytest.raises(Refused) as refused:
        save(panel, {"enabled": True, "cache-lifetime": "-2", "driver": ""})
    assert refused.value.sentences == {
        "cache-lifetime": "“Lifetime” is at least -1.",
        "driver": "“Where answers are kept” must be filled in.",
    }
    with pytest.raises(Invalid, match="NUL"):
        save(panel, {**ENTERED, "driver": "a\0b"})
    with pytest.raises(Invalid, match="128 KiB"):
        save(panel, {**ENTERED, "driver": "x" * 200_000})
    assert variables(panel) == {}


def test_secrets_stay_secret(panel: Panel) -> None:
    install(panel, SECRETS)
    assert save(panel, {"api-key": "opensesame-4711", "salt": "of the earth"}) == 2
    with panel.reading():
        assert all(row.is_secret for row in list_variables(environment().id))
    assert shown(panel) == {"api-key": True, "salt": True}
    assert save(panel, {}) == 0  # left empty, they stay
    assert save(panel, {"salt": None}) == 1  # taken away
    assert variables(panel) == {"SHOP_API_KEY": "opensesame-4711"}
    with pytest.raises(Refused, match="Key of the shop"):
        save(panel, {"api-key": None})


def test_a_needed_secret_must_be_entered_once(panel: Panel) -> None:
    install(panel, SECRETS)
    with pytest.raises(Refused, match="“Key of the shop” must be filled in"):
        save(panel, {"salt": "x"})


def test_what_people_made_a_secret_is_one(panel: Panel) -> None:
    install(panel, ADDON)
    with panel.work():
        set_variable(environment(), f"{PREFIX}_DRIVER", "redis-4711", True, user_of(ALICE))
    assert shown(panel)["driver"] is True
    save(panel, {**ENTERED, "driver": "memcached-4711"})
    with panel.reading():
        rows = {row.name: row for row in list_variables(environment().id)}
        assert rows[f"{PREFIX}_DRIVER"].is_secret
        assert rows[f"{PREFIX}_DRIVER"].value == "memcached-4711"


def test_somebody_else_was_faster(panel: Panel) -> None:
    install(panel, ADDON)
    with panel.reading():
        flavour = find_flavour(environment(), KEY, panel.store)
        assert flavour is not None
        seen = fill_form(environment(), flavour).seen
    with panel.work():
        set_variable(environment(), f"{PREFIX}_DRIVER", "by hand", False, user_of(ALICE))
    with pytest.raises(Overtaken):
        save(panel, ENTERED, seen)
    assert variables(panel) == {f"{PREFIX}_DRIVER": "by hand"}
