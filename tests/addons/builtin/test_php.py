"""The PHP addon."""

from __future__ import annotations

import pytest

from app.addons.api import SettingsError, Slot
from tests.addons.builtin.asking import clean, contribution_of


def text_of(slot: Slot, files: frozenset[str] = frozenset(), **settings: str | int) -> str:
    found = contribution_of("php", files=files, **settings)
    return "".join(row.text for row in found.fragments if row.slot == slot)


def test_an_empty_repository_gets_a_site() -> None:
    assert [file.path for file in contribution_of("php").files] == [
        "Dockerfile",
        "public/index.php",
    ]
    assert "FROM php:8.3-apache" in text_of(Slot.DOCKER_FROM)


def test_debian_s_own_php_is_installed() -> None:
    assert "FROM moonbase/debian:12" in text_of(Slot.DOCKER_FROM, base="moonbase/debian:12")
    assert "libapache2-mod-php" in text_of(Slot.SYSTEM, base="moonbase/debian:12")
    assert "libapache2-mod-php" not in text_of(Slot.SYSTEM)


def test_limits_and_folder_are_written() -> None:
    text = text_of(Slot.SYSTEM, upload_megabytes=64, folder="web", time_zone="Europe/Zurich")
    for words in ("upload_max_filesize=64M", "post_max_size=64M", "/app/web", "Europe/Zurich"):
        assert words in text


def test_composer_runs_where_it_is_used() -> None:
    assert text_of(Slot.SOURCE) == ""
    assert "composer install" in text_of(Slot.SOURCE, frozenset({"composer.json"}))


@pytest.mark.parametrize("folder", ["../etc", "a b", "", "x;y", "a/../b"])
def test_a_folder_that_is_none_is_refused(folder: str) -> None:
    with pytest.raises(SettingsError):
        clean("php", folder=folder)
    assert clean("php", folder="/web/")["folder"] == "web"
