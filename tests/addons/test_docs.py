"""`docs/addons.md` says of each hook what the contract says, and all its examples run: here, and in
the real sandbox."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pluggy
import pytest

from app.adapters.sandbox import Question, Sandbox, SandboxFailed, SandboxLimits, Topic
from app.adapters.sandbox.choosing import choose_sandbox
from app.adapters.sandbox.guest import inspect_archive, stand_ins
from app.addons import answers, api
from app.addons.contributions import Part, collect, hold_secrets_to_rights, with_fields
from app.addons.flavours import fields as flavour_fields
from app.addons.flavours import files, yaml_text
from app.addons.project.dockerfile import refresh
from app.addons.project.fragments import Given
from app.addons.project.package_files import check_files
from app.addons.project.requirements import Asked
from app.addons.project.requirements import check as check_requirement
from app.addons.questions import CONTRIBUTIONS
from app.config import Settings
from tests.addons.documented import DOCUMENT, HOOKS, example_of, read_sections, read_site

WHOLE = "\n".join(example_of(hook) for hook in HOOKS)
"""All examples as one `plugin.py`."""
MEGABYTE = 1024**2


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return choose_sandbox()


def site() -> api.Site:
    told = read_site()
    return api.Site(**{**told, "files": frozenset(told["files"]), "addons": tuple(told["addons"])})


def ask_here(code: str, hook: str) -> Any:
    """The hook's answer, asked as pluggy asks it."""
    module = ModuleType("plugin")
    exec(compile(code, f"{hook} in {DOCUMENT.name}", "exec"), module.__dict__)
    manager = pluggy.PluginManager(api.PROJECT)
    manager.add_hookspecs(api.Hooks)
    manager.register(module)
    manager.check_pending()
    words = {"site": site(), "settings": site().settings}
    asked = {name: words[name] for name in getattr(manager.hook, hook).spec.argnames}
    (answer,) = getattr(manager.hook, hook)(**asked)
    return answer


def contributed(sandbox: Sandbox, source: str) -> Mapping[str, Any]:
    return sandbox.ask(Question(Topic.CONTRIBUTE, "plugin", source, {"site": read_site()}))


def test_there_are_hooks() -> None:
    assert len(HOOKS) == 11 and set(CONTRIBUTIONS.values()) < set(HOOKS)


def test_every_hook_is_documented_and_nothing_else() -> None:
    assert list(read_sections()) == list(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_document_says_when_it_fires(hook: str) -> None:
    told = " ".join((getattr(api.Hooks, hook).__doc__ or "").replace("`", "").split())
    fires = re.split(r"[:.]", told)[0]
    assert fires.startswith("Fires ")
    assert fires in read_sections()[hook].words


@pytest.mark.parametrize("hook", HOOKS)
def test_its_example_answers(hook: str) -> None:
    answer = ask_here(example_of(hook), hook)
    assert answer  # none of them shows an addon that does nothing


def test_the_examples_describe_themselves_in_the_sandbox(sandbox: Sandbox) -> None:
    described = answers.read_description(sandbox.ask(Question(Topic.DESCRIBE, "plugin", WHOLE)))
    assert described.info == ask_here(WHOLE, "addon_info")
    assert described.fields == ask_here(WHOLE, "settings_form")


@pytest.mark.parametrize("key", CONTRIBUTIONS)
def test_the_sandbox_answers_as_pluggy_does(sandbox: Sandbox, key: str) -> None:
    hook = CONTRIBUTIONS[key]
    found = answers.read_contribution(contributed(sandbox, example_of(hook)))
    assert getattr(found, key) == ask_here(example_of(hook), hook)


def test_settings_are_cleaned_in_the_sandbox(sandbox: Sandbox) -> None:
    given = {**read_site()["settings"], "sender": " News@Bakery.example"}
    question = Question(Topic.VALIDATE, "plugin", example_of("clean_settings"), {"settings": given})
    cleaned = answers.read_settings(sandbox.ask(question))
    assert cleaned.settings == read_site()["settings"] and not cleaned.errors
    given["sender"] = "nobody"
    question = Question(Topic.VALIDATE, "plugin", example_of("clean_settings"), {"settings": given})
    assert answers.read_settings(sandbox.ask(question)).errors == {
        "sender": "Enter an e-mail address."
    }


def test_the_examples_keep_to_their_own_rights(sandbox: Sandbox) -> None:
    """And to all rules for fragments, files and requirements."""
    info: api.AddonInfo = ask_here(WHOLE, "addon_info")
    found = answers.read_contribution(contributed(sandbox, WHOLE))
    fields: tuple[api.Field, ...] = ask_here(WHOLE, "settings_form")
    hold_secrets_to_rights(info.package_name, fields, info.rights)
    full = with_fields(found, fields, site().settings)
    collected = collect([Part(info.package_name, info.version, info.rights, full)])
    secret = {row.variable for row in fields if row.is_secret}
    assert {*collected.variables, *secret} == set(info.rights.writes_variables)
    given = [Given(info.package_name, fragment) for fragment in found.fragments]
    refreshed = refresh(b"# <DOCKER_FROM>\nFROM base:1\n# </DOCKER_FROM>\n", (), given)
    assert b"libxml2" in refreshed.content and not refreshed.missing
    check_files(info.package_name, found.files)
    for requirement in found.requirements:
        check_requirement(Asked(info.package_name, requirement.line))


def test_a_hook_that_is_none_is_refused(sandbox: Sandbox) -> None:
    code = example_of("contribute_variables").replace("contribute_variables", "contribute_magic")
    with pytest.raises(SandboxFailed, match="contribute_magic"):
        contributed(sandbox, code)


def table_row(what: str) -> str:
    (line,) = (line for line in DOCUMENT.read_text().splitlines() if line.startswith(f"| {what}"))
    return line


LIMITS = SandboxLimits()
TOLD = {
    "archive": (
        f"{Settings.addon_bytes // MEGABYTE} MB compressed",
        f"{inspect_archive.UNPACKED_BYTES // MEGABYTE} MB unpacked",
        f"{inspect_archive.MEMBERS['archive']} files",
        f"{inspect_archive.MEMBERS['package.tar.gz']:,} more",
        f"{inspect_archive.DEPTH} folders deep",
    ),
    "`plugin.py`": (f"{inspect_archive.TEXT_BYTES['plugin.py'] // 1024} KB",),
    "`addon.json`": (f"{inspect_archive.TEXT_BYTES['addon.json'] // 1024} KB",),
    "one question": (
        f"{LIMITS.memory_bytes // MEGABYTE} MB of memory",
        f"{LIMITS.processes} processes",
        f"{LIMITS.cpu_seconds} s of processor",
        f"{LIMITS.wall_seconds} s in all",
        f"{LIMITS.output_bytes // MEGABYTE} MB of answer",
        f"{LIMITS.disk_bytes // MEGABYTE} MB of files",
    ),
    "a form": (f"{answers.FIELDS} fields", f"{answers.CHOICES:,} choices"),
    "contributions": (f"{answers.FILES} files", f"{answers.ITEMS} of each"),
    "`app.flavour`": (
        f"{yaml_text.LARGEST // 1024} KB each",
        f"{files.MOST_ADDONS} addons",
        f"{flavour_fields.MOST_FIELDS} fields",
    ),
}


@pytest.mark.parametrize("what", TOLD)
def test_the_document_says_the_real_limits(what: str) -> None:
    for words in TOLD[what]:
        assert words in table_row(what)


def test_the_document_names_every_slot_and_every_module_of_the_sandbox() -> None:
    text = DOCUMENT.read_text()
    assert [slot.name for slot in api.Slot] == re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE)
    parents = {name for name in stand_ins.MODULES if "." not in name}
    assert {name for name in parents if f"`{name}" not in text} == set()
    assert f"version **{api.API_VERSION}**" in text


def test_all_its_anchors_are_there() -> None:
    text = DOCUMENT.read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    known = {re.sub(r"[^a-z0-9 _-]", "", one.lower()).replace(" ", "-") for one in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= known
