"""The real `divio addon …` against a listening panel (addon contract, section 1; command line's
contract, sections 0–3 and 2.15), with an addon that begins as the downloaded packaging files."""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest

from app.accounts.operations import create_access_token
from app.addons.models import PackageKind
from app.addons.packages.packaging import packaging_archive
from app.addons.uploads import package_path
from app.permissions import Scope
from tests.addons.registered import addon, left_behind, register
from tests.house.test_code_style import ROOT
from tests.panel import ALICE, CHARLIE, Panel, Person, user_of

BIN = ROOT / ".venv-clients" / "bin"
NAME = "susan-example"
Divio = Callable[..., tuple[int, str]]


@pytest.fixture
def zone(panel: Panel) -> Iterator[str]:
    """The panel as a URL zone. `localhost`: what netrc calls the machine has no port."""
    with panel.served() as (_, port):
        yield f"http://localhost:{port}"


@pytest.fixture
def divio(panel: Panel, zone: str, tmp_path: Path) -> Divio:
    """Runs `divio` as a person with a token of theirs in ~/.netrc; gives exit code and output."""
    home = tmp_path / "home"
    (home / ".config" / "divio").mkdir(parents=True)
    never = '{"sentry-dsn": "", "update_check_timestamp": 9999999999}'
    (home / ".config" / "divio" / "config.json").write_text(never)

    def run(
        *words: str, person: Person | None = ALICE, scope: Scope = Scope.WRITE
    ) -> tuple[int, str]:
        netrc = home / ".netrc"
        netrc.write_text("")
        if person:
            with panel.work():
                text = create_access_token(user_of(person), "laptop", scope=scope)[1]
            netrc.write_text(f"machine localhost\n  login {person.email}\n  password {text}\n")
        netrc.chmod(0o600)
        ended = subprocess.run(
            [BIN / "divio", "--zone", zone, "addon", *words],
            cwd=tmp_path,
            env={"HOME": str(home), "PATH": f"{BIN}:{os.defpath}", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return ended.returncode, ended.stdout + ended.stderr

    return run


@pytest.fixture
def source(panel: Panel, tmp_path: Path) -> Path:
    """The packaging files of a registered addon, as they are downloaded."""
    register(panel)
    return unpacked(panel, tmp_path)


def unpacked(panel: Panel, folder: Path, kind: PackageKind = PackageKind.ALDRYN) -> Path:
    with panel.reading():
        packed = packaging_archive(addon(), kind)
    zipfile.ZipFile(BytesIO(packed)).extractall(folder)
    return folder / NAME


def versions(panel: Panel) -> list[str]:
    with panel.reading():
        return [version.version for version in addon().versions]


def test_register_download_validate_upload(panel: Panel, divio: Divio, tmp_path: Path) -> None:
    assert divio("register", "Susan's example", NAME, "-o", "moon")[0] == 0
    with panel.reading():
        assert addon().name == "Susan's example"
        assert addon().organisation is not None and addon().organisation.slug == "moon"
    source = unpacked(panel, tmp_path)
    assert divio("--path", str(source), "validate") == (0, "Addon is valid!\n")
    code, said = divio("--path", str(source), "upload")
    assert code == 0 and f"{NAME} 0.0.1 is in the Alpha channel." in said, said
    with panel.reading():
        (version,) = addon().versions
        assert version.kind == PackageKind.ALDRYN and version.facts["inner_name"] == "susan_example"
        assert package_path(version).is_file()
    code, said = divio("--path", str(source), "upload")
    assert code == 1 and "Version 0.0.1 is there already, and never changes." in said, said
    (source / "susan_example" / "__init__.py").write_text('__version__ = "0.0.2"\n')
    assert divio("--path", str(source), "upload")[0] == 0
    assert versions(panel) == ["0.0.1", "0.0.2"]


def test_the_plugin_s_files_can_be_uploaded_as_they_are(
    panel: Panel, divio: Divio, tmp_path: Path
) -> None:
    register(panel)
    source = unpacked(panel, tmp_path, PackageKind.PLUGIN)
    code, said = divio("--path", str(source), "upload")
    assert code == 0 and "0.0.1 is in the Alpha channel." in said, said
    with panel.reading():
        (version,) = addon().versions
        assert version.kind == PackageKind.PLUGIN
        assert version.form[0]["variable"] == "SUSAN_EXAMPLE_GREETING"


def test_registering_again_names_the_field(divio: Divio, source: Path) -> None:
    """The command ends with 0 even then: its own doing."""
    code, said = divio("register", "Another", NAME, "-o", "moon")
    assert (code, "package_name" in said, "is taken" in said) == (0, True, True), said
    code, said = divio("register", "Another", "another")
    assert "organisation" in said and "One of: alice, moon" in said, said


def test_all_findings_reach_the_terminal(panel: Panel, divio: Divio, source: Path) -> None:
    """The client's validator forgets the licence and the name: ours says both, and more."""
    (source / "LICENSE").unlink()
    (source / "addon.json").write_text('{"package-name": "sam"}')
    assert divio("--path", str(source), "validate") == (0, "Addon is valid!\n")
    code, said = divio("--path", str(source), "upload")
    assert code == 1
    assert "LICENSE: There is no licence." in said
    assert "addon.json, line 1: “package-name” is “sam”; this addon is “susan-example”." in said
    assert versions(panel) == [] and left_behind(panel) == [".incoming"]


def test_who_may_not(panel: Panel, divio: Divio, source: Path) -> None:
    code, said = divio("--path", str(source), "upload", person=CHARLIE)
    assert code == 1 and "Unable to retrieve an addon UUID" in said, said
    code, said = divio("--path", str(source), "upload", scope=Scope.READ)
    assert code == 1 and "lets you look at" in said, said
    assert versions(panel) == []
