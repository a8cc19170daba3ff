"""The files to begin with. That they can be uploaded as they are is tested with the real client."""

from __future__ import annotations

import ast
import io
import json
import zipfile

import pytest

from app.addons.models import PackageKind
from app.addons.operations import NewAddon, register_addon
from app.addons.packages.licences import LICENCES
from app.addons.packages.packaging import packaging_archive, packaging_files
from tests.addons.registered import addon, register
from tests.panel import ALICE, Panel, organisation, user_of


def test_everything_is_filled_in(panel: Panel) -> None:
    register(panel)
    with panel.reading():
        files = packaging_files(addon())
        archive = zipfile.ZipFile(io.BytesIO(packaging_archive(addon())))
    assert list(files) == [
        "LICENSE",
        "MANIFEST.in",
        "README.rst",
        "addon.json",
        "aldryn_config.py",
        "setup.py",
        "susan_example/__init__.py",
    ]
    assert archive.namelist() == [f"susan-example/{path}" for path in files]
    assert json.loads(files["addon.json"]) == {
        "package-name": "susan-example",
        "installed-apps": ["susan_example"],
    }
    assert 'name="susan-example"' in files["setup.py"]
    assert "from susan_example import __version__" in files["setup.py"]
    assert "MIT License" in files["LICENSE"] and "Moon" in files["LICENSE"]
    assert not any("$" in text or "[holder]" in text for text in files.values())


@pytest.mark.parametrize("licence", ["", "unknown", *dict(LICENCES)])
def test_every_licence_has_a_text(panel: Panel, licence: str) -> None:
    register(panel, licence=licence)
    with panel.reading():
        text = packaging_files(addon())["LICENSE"]
    assert "Moon" in text and "[" not in text
    assert ("All rights reserved" in text) == (licence in ("", "unknown"))


NASTY = 'A """ \\" \\N{x} ${package_name} %s \' name\\'


@pytest.mark.parametrize("kind", PackageKind)
def test_names_of_people_break_no_file(panel: Panel, kind: PackageKind) -> None:
    with panel.work():
        wanted = NewAddon("susan-example", NASTY, summary=f"{NASTY}\nsecond {NASTY}")
        register_addon(wanted, organisation(), user_of(ALICE))
    with panel.reading():
        files = packaging_files(addon(), kind)
    for path, text in files.items():
        if path.endswith(".py"):
            ast.parse(text)
    assert NASTY in files["README.rst"]
    if kind == PackageKind.PLUGIN:
        literals = [
            node.value
            for node in ast.walk(ast.parse(files["plugin.py"]))
            if isinstance(node, ast.Constant)
        ]
        assert NASTY in literals
