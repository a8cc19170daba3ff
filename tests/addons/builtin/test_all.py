"""What is true of every addon that comes with Moonbase, and of the next one."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec
import pytest

from app.addons import api
from app.addons.answers import read_description
from app.addons.builtin import FOLDER, find_all, list_plugins
from app.addons.contributions import is_platform_variable
from app.addons.project.fragments import Given, check_all
from tests.addons.builtin.asking import clean, contribution_of, initials, plugin_of

NAMES = [plugin.info.package_name for plugin in list_plugins()]
HERE = Path(__file__).parent


def test_none_is_broken() -> None:
    assert find_all(FOLDER).failures == ()
    assert {
        "basic-auth",
        "celery",
        "django",
        "mysql",
        "node-build",
        "object-storage",
        "php",
        "postgres",
        "redis-cache",
        "sentry",
    } <= set(NAMES)


def test_each_folder_is_an_addon_with_a_text_and_a_test() -> None:
    for folder in FOLDER.iterdir():
        if not folder.is_dir() or folder.name.startswith(("__", ".")):
            continue
        assert (folder / "plugin.py").is_file(), folder
        readme = (folder / "README.md").read_text()
        assert readme.startswith("# ") and len(readme) > 200, folder
        assert (HERE / f"test_{folder.name}.py").is_file(), folder


@pytest.mark.parametrize("name", NAMES)
def test_it_imports_nothing_of_the_panel_but_the_contract(name: str) -> None:
    tree = ast.parse((FOLDER / name.replace("-", "_") / "plugin.py").read_text())
    nodes = list(ast.walk(tree))
    imported = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    for node in nodes:
        imported |= {one.name for one in node.names} if isinstance(node, ast.Import) else set()
    assert {module for module in imported if module.split(".")[0] == "app"} == {"app.addons.api"}


@pytest.mark.parametrize("name", NAMES)
def test_it_says_who_it_is(name: str) -> None:
    plugin = plugin_of(name)
    info = plugin.info
    assert info.name and info.summary.endswith(".") and info.licence and info.categories
    assert plugin.readme.startswith(f"# {info.name}\n")
    assert not [row for row in info.rights.writes_variables if is_platform_variable(row)]
    named = {row.variable for row in plugin.fields if row.variable}
    assert named <= set(info.rights.writes_variables)
    assert set(info.needs) <= set(NAMES)
    said = {"info": _json(info), "fields": _json(plugin.fields)}
    assert read_description(said).fields == plugin.fields


@pytest.mark.parametrize("stage", ["", "test", "live"])
@pytest.mark.parametrize("name", NAMES)
def test_it_answers_within_its_rights_as_installed(name: str, stage: str) -> None:
    """`contribution_of` holds it to them."""
    files = frozenset({"package.json", "composer.json", "manage.py"})
    found = contribution_of(name, stage, files)
    check_all(Given(name, fragment) for fragment in found.fragments)
    for file in found.files:
        assert file.is_managed == file.path.startswith(f"addons/{name}/"), file.path


@pytest.mark.parametrize("name", NAMES)
def test_its_form_is_valid_as_it_comes(name: str) -> None:
    required = {row.name: "words" for row in plugin_of(name).fields if row.initial is None}
    given = required | {key: value for key, value in initials(name).items() if value is not None}
    kept = clean(name, **given)
    assert kept is None or set(kept) == set(initials(name))


def test_a_copied_folder_is_another_addon(tmp_path: Path) -> None:
    _copy(tmp_path, "postgres", "second_base")
    found = find_all(tmp_path)
    assert found.failures == ()
    assert found.plugins["second-base"].fields == plugin_of("postgres").fields


def test_a_broken_one_does_not_stop_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _copy(tmp_path, "postgres", "second_base")
    for name, text in {
        "crashing": "raise SystemError('no')",
        "nameless": "x = 1",
        "other_name": (FOLDER / "mysql" / "plugin.py").read_text(),
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "plugin.py").write_text(text)
    found = find_all(tmp_path)
    assert list(found.plugins) == ["second-base"]
    assert [line.split(" cannot be used: ")[0] for line in found.failures] == [
        "The addon addons/crashing",
        "The addon addons/nameless",
        "The addon addons/other_name",
    ]
    assert "crashing" in caplog.text


def test_a_hook_nobody_knows_is_a_mistake(tmp_path: Path) -> None:
    _copy(tmp_path, "postgres", "second_base")
    path = tmp_path / "second_base" / "plugin.py"
    path.write_text(f"{path.read_text()}\n\n@hookimpl\ndef contribute_nothing():\n    return ()\n")
    assert "contribute_nothing" in find_all(tmp_path).failures[0]


def _copy(target: Path, source: str, name: str) -> None:
    folder = target / name
    folder.mkdir()
    text = (FOLDER / source / "plugin.py").read_text()
    (folder / "plugin.py").write_text(text.replace(f'"{source}"', f'"{name.replace("_", "-")}"'))


def _json(value: object) -> object:
    return msgspec.to_builtins(value)


def test_services_are_what_the_platform_knows() -> None:
    wanted = {kind for name in NAMES for kind in plugin_of(name).info.rights.services}
    assert wanted == {
        api.ServiceKind.POSTGRESQL,
        api.ServiceKind.MYSQL,
        api.ServiceKind.OBJECT_STORAGE,
        api.ServiceKind.RABBITMQ,
        api.ServiceKind.REDIS,
    }
