"""Uploading versions: what is kept of a good package, and that nothing is of a bad one."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading

import pytest

from app.addons.api import Field
from app.addons.models import Channel, PackageKind
from app.addons.packages.findings import Finding, Refused
from app.addons.rights import read_rights
from app.addons.uploads import check_package, package_path, upload_version
from app.audit.models import AuditLine
from app.errors import Conflict, PanelError, Unavailable
from app.extensions import db
from tests.addons.archives import PLUGIN, Members, archive, bomb, files, sdist, special, tar
from tests.addons.registered import addon, left_behind, refusals, register, upload
from tests.panel import ALICE, Panel, user_of


@pytest.fixture
def panel(panel: Panel) -> Panel:
    register(panel)
    return panel


def test_a_version_is_kept_with_all_it_says(panel: Panel) -> None:
    data = archive()
    upload(panel, data)
    with panel.reading():
        (version,) = addon().versions
        assert (version.version, version.kind) == ("1.0", PackageKind.ALDRYN)
        assert version.channel == Channel.ALPHA
        assert version.archive_bytes == len(data)
        assert version.archive_sha256 == hashlib.sha256(data).hexdigest()
        assert version.changes == "1.0: the first.\n"
        (field,) = version.fields
        assert (field.name, field.label, field.initial) == ("title", "Title", "Hello")
        assert version.facts["installed_apps"] == ["susan_example"]
        assert version.facts["inner_name"] == "susan_example"
        assert version.facts["has_package"] is True and version.facts["warnings"] == []
        texts = version.texts
        assert json.loads(texts["addon_json"])["package-name"] == "susan-example"
        assert "class Form" in texts["configuration"]
        assert texts["templates"] == {"susan_example/page.html": "<p>Hello</p>\n"}
        assert texts["readme_html"].count("<em>greets</em>") == 1
        assert texts["licence"] == "Do what you like."
        home = panel.settings.data_dir / "addons"
        assert (home / version.uuid / "upload.tar.gz").read_bytes() == data
        with tarfile.open(package_path(version)) as opened:
            assert opened.getnames()[0] == "susan-example-1.0/PKG-INFO"
        assert package_path(version).read_bytes() == sdist()
        line = db.session.scalars(db.select(AuditLine).order_by(AuditLine.id.desc())).first()
        assert line is not None and line.action == "addon.upload"
        assert line.details["version"] == "1.0"


@pytest.mark.parametrize("is_flat", [True, False], ids=["flat", "in the package"])
def test_a_plugin(panel: Panel, is_flat: bool) -> None:
    """`divio addon upload` packs no plugin.py by the side: there it lies in the package."""
    flat = {"plugin.py": PLUGIN}
    inner = {"package.tar.gz": sdist(more={"plugin.py": PLUGIN})}
    upload(panel, archive(more={"aldryn_config.py": None, **(flat if is_flat else inner)}))
    with panel.reading():
        (version,) = addon().versions
        assert version.kind == PackageKind.PLUGIN
        assert version.fields == (Field("greeting", "Greeting", variable="GREETING"),)
        assert read_rights(version.rights).writes_variables == ("GREETING",)
        assert version.changes == "All new."
        assert (addon().summary, addon().categories) == ("Greets people.", ["fun"])


def test_a_plugin_needs_no_python_package(panel: Panel) -> None:
    more = {"aldryn_config.py": None, "plugin.py": PLUGIN, "package.tar.gz": None}
    upload(panel, archive(more=more))
    with panel.reading():
        (version,) = addon().versions
        assert version.facts["has_package"] is False
        assert not package_path(version).exists()


def test_a_module_of_that_name_is_no_plugin(panel: Panel) -> None:
    """Any package may have a plugin.py of its own at its top."""
    inner = sdist(more={"plugin.py": "import nothing_of_ours\n"})
    upload(panel, archive(more={"package.tar.gz": inner}))
    with panel.reading():
        assert addon().versions[0].kind == PackageKind.ALDRYN


def test_without_configuration_it_has_no_settings(panel: Panel) -> None:
    upload(panel, archive(more={"aldryn_config.py": None}))
    with panel.reading():
        (version,) = addon().versions
        assert version.form == [] and version.kind == PackageKind.ALDRYN
        assert version.facts["warnings"] == ["Without aldryn_config.py it has no settings."]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("OTHER", "add it to writes_variables"), ("LD_PRELOAD", "No addon may set")],
)
def test_a_field_s_variable_is_among_the_rights(panel: Panel, name: str, sentence: str) -> None:
    source = PLUGIN.replace('variable="GREETING"', f'variable="{name}", is_secret=True')
    more = {"aldryn_config.py": None, "plugin.py": source, "package.tar.gz": None}
    with pytest.raises(Refused, match=sentence):
        upload(panel, archive(more=more))


def test_a_readme_that_cannot_be_rendered_is_shown_as_text(panel: Panel) -> None:
    """A few kilobytes that become 4 MB: the sandbox ends it, not the panel's memory."""
    text = f"[a]: http://x.example/{'y' * 2000}\n\n" + "[a] " * 2000
    inner = sdist(more={"README.rst": None, "README.md": text})
    upload(panel, archive(more={"package.tar.gz": inner}))
    with panel.reading():
        (version,) = addon().versions
        assert (version.texts["readme"], version.texts["readme_html"]) == (text, "")
        assert "could not be rendered" in version.facts["warnings"][-1]


BAD: dict[str, tuple[Members, list[str]]] = {
    "no addon.json": ({"addon.json": None}, ["addon.json: The archive has no addon.json."]),
    "not JSON": (
        {"addon.json": '{\n  "package-name": oops\n}'},
        ["addon.json, line 2: This is not JSON: Expecting value."],
    ),
    "deep JSON": (
        {"addon.json": "[" * 30_000},
        ["addon.json: This is not JSON that can be read."],
    ),
    "a list": (
        {"addon.json": "[]"},
        ['addon.json: It must be a JSON object, e.g. {"package-name": "…"}.'],
    ),
    "no name": (
        {"addon.json": "{}"},
        ["addon.json: The key “package-name” is missing; it must be “susan-example”."],
    ),
    "another name": (
        {"addon.json": '{\n"package-name": "susan_example"}'},
        [
            "addon.json, line 2: “package-name” is “susan_example”; this addon is “susan-example”.",
        ],
    ),
    "apps": (
        {"addon.json": '{"package-name": "susan-example",\n "installed-apps": "susan"}'},
        ["addon.json, line 2: “installed-apps” must be a list of texts."],
    ),
    "no version": (
        {"VERSION": None},
        ["VERSION: The archive has no VERSION, or it is empty."],
    ),
    "no number": (
        {"VERSION": "one"},
        ["VERSION, line 1: “one” is not a version, such as 1.8.3.1 (PEP 440)."],
    ),
    "two versions": (
        {"VERSION": "2.0"},
        ["setup.py: setup.py says version “1.0”, VERSION says “2.0”. Both must agree."],
    ),
    "setup.py's name": (
        {"package.tar.gz": sdist("another")},
        ["setup.py, line 4: setup.py calls the package “another”; this addon is “susan-example”."],
    ),
    "no licence": (
        {"LICENSE.txt": None, "package.tar.gz": sdist(more={"LICENSE": None})},
        [
            "LICENSE: There is no licence. Say what others may do with it, in a file LICENSE "
            "beside setup.py."
        ],
    ),
    "no package": (
        {"package.tar.gz": None},
        ["package.tar.gz: The archive has no package.tar.gz."],
    ),
    "syntax": (
        {"aldryn_config.py": "from aldryn_client import forms\nclass Form(\n"},
        ["aldryn_config.py, line 2"],
    ),
    "raises": (
        {"aldryn_config.py": "import os\n\nraise ValueError('no')\n"},
        ["aldryn_config.py, line 3"],
    ),
    "both": (
        {"plugin.py": PLUGIN},
        ["plugin.py: Only one of aldryn_config.py and plugin.py can say how it is set."],
    ),
    "plugin's name": (
        {
            "aldryn_config.py": None,
            "plugin.py": PLUGIN.replace('"susan-example"', '"sam"').replace('"1.0"', '"3"'),
        },
        [
            "plugin.py: addon_info() says “sam”; this addon is “susan-example”.",
            "plugin.py: addon_info() says version “3”, VERSION says “1.0”. Both must agree.",
        ],
    ),
    "traversal": ({"../evil": "x"}, ["../evil: The path leads out of the archive."]),
    "bomb": (
        {"package.tar.gz": bomb(260)},
        ["Unpacked, the archive is larger than 250 MB."],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_refused_leaves_nothing_behind(panel: Panel, case: str) -> None:
    more, expected = BAD[case]
    found = refusals(panel, archive(more=more))
    errors = [str(finding) for finding in found if not finding.is_warning]
    assert len(errors) == len(expected), errors
    for error, wanted in zip(errors, expected, strict=True):
        assert error.startswith(wanted), errors
    assert left_behind(panel) == [".incoming"]
    with panel.reading():
        assert addon().versions == []


def test_the_traceback_goes_to_the_author(panel: Panel) -> None:
    more = {"aldryn_config.py": "import os\n\nraise ValueError('the reason')\n"}
    (finding,) = refusals(panel, archive(more=more))
    assert "the reason" in finding.detail and "the reason" not in finding.sentence


def test_all_findings_come_at_once(panel: Panel) -> None:
    inner = tar([*files({"x/PKG-INFO": "Name: x\n"}), special(tarfile.SYMTYPE, "x/link", "/etc")])
    more = {"addon.json": "no", "LICENSE.txt": None, "VERSION": "?", "package.tar.gz": inner}
    errors = [finding for finding in refusals(panel, archive(more=more)) if not finding.is_warning]
    assert [finding.file for finding in errors] == [
        "package.tar.gz/x/link",
        "addon.json",
        "VERSION",
        "LICENSE",
        "setup.py",
    ]


@pytest.mark.parametrize("again", ["1.0", "1.0.0"])
def test_a_version_never_changes(panel: Panel, again: str) -> None:
    upload(panel)
    found = refusals(panel, archive(again))
    assert "is there already, and never changes" in found[0].sentence
    with panel.reading():
        assert [version.version for version in addon().versions] == ["1.0"]


def test_the_same_version_twice_at_once(panel: Panel) -> None:
    """Both pass all checks; one is kept, whole, and the other is told."""
    archives = [archive(more={"LICENSE.txt": f"Licence {number}."}) for number in range(2)]
    said: list[str] = []
    reached = threading.Barrier(2)

    class Slow(io.BytesIO):
        """Both have begun before either arrives."""

        def read(self, size: int | None = -1) -> bytes:
            if self.tell() == 0:
                reached.wait(20)
            return super().read(size)

    def take(number: int) -> None:
        with panel.reading():
            try:
                upload_version(addon(), Slow(archives[number]), user_of(ALICE))
                said.append("taken")
            except Conflict as error:
                said.append(error.sentence)
            except PanelError as error:  # slower by more: it met the row at the check
                said.append(error.sentence)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (other,) = [sentence for sentence in said if sentence != "taken"]
    assert "1.0 was uploaded by somebody else just now" in other or "there already" in other
    with panel.reading():
        (version,) = addon().versions
        winner = archives[0] if version.texts["licence"] == "Licence 0." else archives[1]
        kept = package_path(version).with_name("upload.tar.gz")
        assert kept.read_bytes() == winner
        assert len([path for path in left_behind(panel) if path.endswith(".tar.gz")]) == 2


def test_an_archive_that_is_too_large_is_not_read_to_its_end(panel: Panel) -> None:
    """200 MB that nobody has in memory: reading stops at the limit."""

    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            self.given += size
            return bytes(size) if self.given <= 200 * 1024**2 else b""

    stream = Endless()
    with panel.reading(), pytest.raises(PanelError, match=r"^The archive is larger than 50 MB\.$"):
        upload_version(addon(), stream, user_of(ALICE))  # type: ignore[arg-type]
    assert stream.given < 51 * 1024**2
    assert left_behind(panel) == [".incoming"]


def test_an_addon_that_is_deleted_meanwhile(panel: Panel) -> None:
    """With its organisation, while the archive arrives."""

    def delete() -> None:
        with panel.work():
            db.session.delete(addon())

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if not self.tell():
                deleting = threading.Thread(target=delete)
                deleting.start()
                deleting.join()
            return super().read(size)

    with panel.reading(), pytest.raises(Conflict, match="was deleted while"):
        upload_version(addon(), Slow(archive()), user_of(ALICE))
    assert left_behind(panel) == [".incoming"]


def test_nobody_to_ask(panel: Panel) -> None:
    panel.queue.is_down = True
    with pytest.raises(Unavailable):
        upload(panel)
    assert left_behind(panel) == [".incoming"]


def test_what_a_dead_process_left_is_cleared_away(panel: Panel) -> None:
    import os

    stray = panel.settings.data_dir / "addons" / ".incoming" / "stray"
    stray.mkdir(parents=True)
    fresh = stray.with_name("fresh")
    fresh.mkdir()
    os.utime(stray, (0, 0))
    upload(panel)
    assert not stray.exists() and fresh.exists()


def test_checking_keeps_nothing(panel: Panel) -> None:
    with panel.reading():
        found = check_package(addon(), io.BytesIO(archive(more={"VERSION": "x"})))
        good = check_package(addon(), io.BytesIO(archive()))
    assert isinstance(found[0], Finding) and good == []
    assert left_behind(panel) == [".incoming"]
    with panel.reading():
        assert addon().versions == []
