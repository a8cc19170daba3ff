"""Publishing what comes with Moonbase: once, again, and after an upgrade."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.addons.builtin import FOLDER, SUPERSEDED, publish_plugins
from app.addons.models import Addon, Audience, Channel, PackageKind
from app.addons.queries import find_addon
from app.extensions import db
from tests.panel import Panel, organisation


def test_they_are_in_the_marketplace_from_the_start(panel: Panel) -> None:
    with panel.reading():
        addon = find_addon("django")
        assert addon and addon.is_built_in and addon.audience == Audience.PUBLIC
        (version,) = addon.versions
        assert (version.kind, version.channel) == (PackageKind.PLUGIN, Channel.STABLE)
        assert version.form[0]["name"] == "site_title"
        assert version.rights["has_requirements"] is True
        assert "<h1>Django</h1>" in version.texts["readme_html"]


def test_publishing_again_changes_nothing(panel: Panel) -> None:
    with panel.work():
        publish_plugins()
        assert not db.session.dirty and not db.session.new


def test_a_new_version_takes_the_place_of_the_old_one(panel: Panel, tmp_path: Path) -> None:
    _copy(tmp_path, "postgres", 'version="1.0"', 'version="1.1"')
    with panel.work():
        publish_plugins(tmp_path)
    with panel.reading():
        addon = find_addon("postgres")
        assert addon
        old, new = addon.versions
        assert (old.version, old.is_yanked, old.yank_reason) == ("1.0", True, SUPERSEDED)
        assert (new.version, new.is_yanked, new.channel) == ("1.1", False, Channel.STABLE)
    with panel.work():
        publish_plugins()  # the older Moonbase again
    with panel.reading():
        addon = find_addon("postgres")
        assert addon
        assert [row.is_yanked for row in addon.versions] == [False, True]


@pytest.mark.parametrize("taken", ["second-base", "secondbase"])
def test_a_name_an_organisation_has_is_left_to_it(
    panel: Panel, tmp_path: Path, caplog: pytest.LogCaptureFixture, taken: str
) -> None:
    _copy(tmp_path, "postgres", 'package_name="postgres"', 'package_name="second-base"')
    (tmp_path / "postgres").rename(tmp_path / "second_base")
    with panel.work():
        moon = organisation().id
        db.session.add(
            Addon(organisation_id=moon, package_name=taken, folded_name="secondbase", name="Theirs")
        )
    with panel.work():
        publish_plugins(tmp_path)
    with panel.reading():
        addon = find_addon(taken)
        assert addon and addon.organisation_id == moon and addon.versions == []
    assert "second-base is taken here" in caplog.text


def _copy(target: Path, name: str, old: str, new: str) -> None:
    folder = target / name
    folder.mkdir()
    text = (FOLDER / name / "plugin.py").read_text()
    assert old in text
    (folder / "plugin.py").write_text(text.replace(old, new))
    (folder / "README.md").write_text((FOLDER / name / "README.md").read_text())
