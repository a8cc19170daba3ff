"""Merging what addons bring: a fixed order, conflicts that name both, and rights that hold."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from app.addons import api, in_commit
from app.addons.contributions import (
    AddonConflict,
    Contribution,
    Part,
    collect,
    hold_secrets_to_rights,
    is_platform_variable,
    text_of,
    with_fields,
)
from app.addons.in_commit import CommitFiles, read_addons
from app.errors import Invalid
from app.runtime.queries import automatic_variables
from tests.panel import Panel, environment

EVERYTHING = api.Rights(
    writes_variables=("A", "B", "KEY"),
    slots=tuple(api.Slot),
    services=tuple(api.ServiceKind),
    processes=("worker",),
    files=("docs/",),
    has_release_commands=True,
    has_requirements=True,
)


def part(name: str, rights: api.Rights = EVERYTHING, **given: Any) -> Part:
    return Part(name, "1.0", rights, Contribution(**given))


def test_the_order_is_that_of_the_installation() -> None:
    found = collect(
        [
            part(
                "zebra",
                variables=(api.Variable("B", "2"),),
                fragments=(api.Fragment(api.Slot.SYSTEM, "RUN z"),),
                release_commands=(api.ReleaseCommand("z", "z"),),
            ),
            part(
                "ant",
                variables=(api.Variable("A", "1"),),
                fragments=(api.Fragment(api.Slot.SYSTEM, "RUN a"),),
                release_commands=(api.ReleaseCommand("a", "a"),),
            ),
        ]
    )
    assert list(found.addons) == ["zebra", "ant"]
    assert found.variables == {"B": "2", "A": "1"}
    assert found.owners == {"B": "zebra", "A": "ant"}
    assert [row.addon for row in found.fragments] == ["zebra", "ant"]
    assert [row.label for row in found.release_commands] == ["z", "a"]
    assert found.stored()["variables"] == {"B": "zebra", "A": "ant"}  # names, not values


CONFLICTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "variable": (
        {"variables": (api.Variable("A", "1"),)},
        {"variables": (api.Variable("A", "1"),)},
    ),
    "process": (
        {"processes": (api.Process("worker", "a"),)},
        {"processes": (api.Process("worker", "b"),)},
    ),
    "requirement": (
        {"requirements": (api.Requirement("Susan-Lib==1.0"),)},
        {"requirements": (api.Requirement("susan_lib==2.0"),)},
    ),
    "range": (
        {"requirements": (api.Requirement("susan-lib<2"),)},
        {"requirements": (api.Requirement("susan-lib==2.0"),)},
    ),
    "source": (
        {"requirements": (api.Requirement("susan-lib @ https://a.example.com/a.whl"),)},
        {"requirements": (api.Requirement("susan-lib==2.0"),)},
    ),
    "service": (
        {"services": (api.Service(api.ServiceKind.MYSQL, options={"collation": "a"}),)},
        {"services": (api.Service(api.ServiceKind.MYSQL, options={"collation": "b"}),)},
    ),
}


@pytest.mark.parametrize("what", CONFLICTS)
def test_a_conflict_names_both(what: str) -> None:
    one, other = CONFLICTS[what]
    with pytest.raises(AddonConflict) as found:
        collect([part("ant", **one), part("zebra", **other)])
    assert "ant" in found.value.sentence and "zebra" in found.value.sentence
    collect([part("ant", **one)])


def test_what_goes_together_is_kept_once() -> None:
    service = api.Service(api.ServiceKind.MYSQL)
    wide = part("ant", services=(service,), requirements=(api.Requirement("susan-lib>=1"),))
    narrow = part("bee", services=(service,), requirements=(api.Requirement("susan-lib==1.5"),))
    assert collect([wide, narrow]).services == (service,)


BEYOND: dict[str, dict[str, Any]] = {
    "sets the variable A": {"variables": (api.Variable("A", "1"),)},
    "fills the section “system”": {"fragments": (api.Fragment(api.Slot.SYSTEM, "RUN x"),)},
    "needs the service redis": {"services": (api.Service(api.ServiceKind.REDIS),)},
    "adds the process “worker”": {"processes": (api.Process("worker", "x"),)},
    "writes the file docs/x": {"files": (api.File("docs/x", ""),)},
    "runs release commands": {"release_commands": (api.ReleaseCommand("x", "x"),)},
    "adds requirements": {"requirements": (api.Requirement("x"),)},
}


@pytest.mark.parametrize("words", BEYOND)
def test_what_nobody_agreed_to_is_refused(words: str) -> None:
    with pytest.raises(Invalid) as found:
        collect([part("ant", api.Rights(), **BEYOND[words])])
    assert found.value.sentence.startswith("The addon ant ") and words in found.value.sentence
    collect([part("ant", **BEYOND[words])])


def test_its_own_folder_needs_no_right() -> None:
    collect([part("ant", api.Rights(), files=(api.File("addons/ant/x", "", is_managed=True),))])


@pytest.mark.parametrize(
    "name",
    [
        "SECRET_KEY",
        "DATABASE_URL",
        "X_DATABASE_DSN",
        "MOONBASE_X",
        "PATH",
        "LD_PRELOAD",
        "PYTHONPATH",
        "NODE_OPTIONS",
        "https_proxy",
        "PIP_INDEX_URL",
    ],
)
def test_variables_of_the_platform_are_refused(name: str) -> None:
    rights = api.Rights(writes_variables=(name,))
    with pytest.raises(Invalid, match=f"ant sets {name}"):
        collect([part("ant", rights, variables=(api.Variable(name, "x"),))])


@pytest.mark.parametrize(
    ("name", "agreed", "said"),
    [
        ("DATABASE_URL", ("DATABASE_URL",), "platform's own"),
        ("PATH", ("PATH",), "platform's own"),
        ("STRIPE_KEY", ("OTHER",), "nobody agreed"),
    ],
)
def test_a_secret_is_held_to_the_rights_as_well(
    name: str, agreed: tuple[str, ...], said: str
) -> None:
    fields = (api.Field("licence", "Licence number", variable=name, is_secret=True),)
    with pytest.raises(Invalid, match=f"ant sets .*{said}"):
        hold_secrets_to_rights("ant", fields, api.Rights(writes_variables=agreed))


def test_variables_that_steer_nothing_may_be_set() -> None:
    names = ("PYTHONUNBUFFERED", "MY_PATH", "GITLAB_TOKEN", "WEB_CONCURRENCY")
    assert not [name for name in names if is_platform_variable(name)]


def test_all_automatic_variables_are_the_platform_s(panel: Panel) -> None:
    with panel.reading():
        assert all(is_platform_variable(name) for name in automatic_variables(environment()))


def test_a_value_no_container_can_hold_is_refused() -> None:
    with pytest.raises(Invalid, match="NUL"):
        collect([part("ant", variables=(api.Variable("A", "x\0"),))])


def test_fields_become_variables_but_secrets_never() -> None:
    fields = (
        api.Field("count", "Count", api.FieldType.NUMBER, variable="A"),
        api.Field("more", "More", variable="B", initial="as it comes"),
        api.Field("key", "Key", variable="KEY", is_secret=True),
        api.Field("plain", "Plain"),
        api.Field("unset", "Unset", variable="C"),
    )
    settings: api.Settings = {"count": 3, "key": True, "plain": "x", "unset": ""}
    found = with_fields(Contribution(), fields, settings)
    assert [(row.name, row.value) for row in found.variables] == [("A", "3"), ("B", "as it comes")]
    own = Contribution(variables=(api.Variable("A", "its own"),))
    found = with_fields(own, fields[:1], settings)
    assert [row.value for row in found.variables] == ["its own"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "True"), (False, "False"), (0, "0"), (["a", "b"], "a,b"), (None, None), ("", None)],
)
def test_values_as_text(value: api.Value, text: str | None) -> None:
    assert text_of(value) == text


def files(**texts: str) -> CommitFiles:
    contents = {f"addons/ant/{name}.json": text.encode() for name, text in texts.items()}
    return CommitFiles(contents, frozenset(contents))


def test_the_commit_says_which_version_it_has() -> None:
    found = read_addons(files(addon='{"package-name": "bee", "version": "2"}', settings='{"a": 1}'))
    assert (found["bee"].version, found["bee"].settings) == ("2", {"a": 1})
    found = read_addons(files(addon="{}"))
    assert (found["ant"].version, found["ant"].settings) == ("", {})
    assert read_addons(files(settings="{}")) == {}


def test_many_large_files_are_too_much(tmp_path: Path) -> None:
    archive, one = tmp_path / "commit.tar", in_commit.LARGEST_BYTES
    with tarfile.open(archive, "w") as tar:
        for number in range(in_commit.LARGEST_TOTAL // one + 1):
            member = tarfile.TarInfo(f"addons/a{number}/settings.json")
            member.size = one
            tar.addfile(member, io.BytesIO(bytes(one)))
    with pytest.raises(Invalid, match="together"):
        in_commit.read_files(archive)


@pytest.mark.parametrize(
    "text",
    ["{", "[1]", "null", '"x"', '{"a": NaN}', '{"a": ' + "[" * 100_000, '{"a": ' + "1" * 5000],
)
def test_settings_that_are_no_object_are_named(text: str) -> None:
    with pytest.raises(Invalid, match=r"addons/ant/settings\.json"):
        read_addons(files(addon="{}", settings=text))
