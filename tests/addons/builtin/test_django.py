"""The Django addon: its form, its files, and the settings a site gets from its environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.addons.api import SettingsError, Slot
from tests.addons.builtin.asking import clean, contribution_of, module_of


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No variable that counts is set."""
    for name in "SECRET_KEY DEBUG DOMAIN DOMAIN_ALIASES ALLOWED_HOSTS DATABASE_URL".split():
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def settings(folder: Path, **data: object) -> dict[str, Any]:
    found: dict[str, Any] = module_of("django", "site_settings.py").to_settings(
        data, {"BASE_DIR": str(folder)}
    )
    return found


def test_workers_are_a_variable() -> None:
    found = contribution_of("django", web_workers=4)
    assert [(row.name, row.value) for row in found.variables] == [("WEB_CONCURRENCY", "4")]


def test_aldryn_is_installed_where_it_is_wanted() -> None:
    def lines(wanted: bool) -> str:
        found = contribution_of("django", has_aldryn_addons=wanted)
        return " ".join(row.line for row in found.requirements)

    assert "aldryn-addons" in lines(True) and "gunicorn" in lines(True)
    assert "aldryn" not in lines(False)


def test_an_empty_repository_gets_a_site() -> None:
    found = contribution_of("django")
    paths = {file.path for file in found.files}
    assert {"manage.py", "settings.py", "urls.py", "wsgi.py", "Dockerfile"} <= paths
    texts = {file.path: file.text for file in found.files}
    for path in ("settings.py", "requirements.in"):
        assert "# <INSTALLED_ADDONS>" in texts[path] and "# </INSTALLED_ADDONS>" in texts[path]
    assert [file.path for file in found.files if file.is_executable] == ["manage.py"]
    assert found.release_commands[0].command == "python manage.py migrate --noinput"
    assert [row.slot for row in found.fragments] == [Slot.DOCKER_FROM]
    assert "FROM moonbase/python:3.11" in found.fragments[0].text


def test_a_time_zone_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError) as refused:
        clean("django", time_zone="Mars/Olympus", more_hosts="good.example.com, b@d")
    assert set(refused.value.sentences) == {"time_zone", "more_hosts"}


def test_hosts_are_tidied() -> None:
    kept = clean("django", more_hosts=" A.example.com\n.b.example.com ,")
    assert kept["more_hosts"] == "a.example.com, .b.example.com"


def test_settings_come_from_the_environment(tmp_path: Path, bare: pytest.MonkeyPatch) -> None:
    bare.setenv("SECRET_KEY", "of the environment")
    bare.setenv("DOMAIN", "a.example.com")
    bare.setenv("DOMAIN_ALIASES", "b.example.com,c.example.com")
    found = settings(tmp_path, site_title="Garden", language="de", more_hosts=".d.example.com")
    assert found["SECRET_KEY"] == "of the environment" and found["DEBUG"] is False
    assert found["ALLOWED_HOSTS"] == [
        "a.example.com",
        "b.example.com",
        "c.example.com",
        ".d.example.com",
    ]
    assert "https://*.d.example.com" in found["CSRF_TRUSTED_ORIGINS"]
    assert (found["SITE_TITLE"], found["LANGUAGE_CODE"]) == ("Garden", "de")
    assert found["STORAGES"]["staticfiles"]["BACKEND"].endswith("ManifestStaticFilesStorage")
    assert "SECURE_SSL_REDIRECT" not in found
    assert settings(tmp_path, https_only=True)["SESSION_COOKIE_SECURE"] is True


def test_without_a_key_only_debugging_starts(tmp_path: Path, bare: pytest.MonkeyPatch) -> None:
    assert settings(tmp_path)["SECRET_KEY"] == ""  # Django refuses to start with that
    bare.setenv("DEBUG", "True")
    assert settings(tmp_path)["SECRET_KEY"]
    assert settings(tmp_path)["ALLOWED_HOSTS"] == ["*"]


def test_without_a_database_there_is_a_file(tmp_path: Path, bare: pytest.MonkeyPatch) -> None:
    found = settings(tmp_path)["DATABASES"]["default"]
    assert found == {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path / "site.sqlite3"),
    }


def test_parts_of_other_addons_are_loaded_after_its_own(tmp_path: Path) -> None:
    part = "def to_settings(data, settings):\n    settings['SEEN'].append(({name!r}, data))\n"
    for name in ("zebra", "django", "ant"):
        folder = tmp_path / "addons" / name
        folder.mkdir(parents=True)
        (folder / "site_settings.py").write_text(part.format(name=name))
    (tmp_path / "addons" / "ant" / "settings.json").write_text('{"legs": 6}')
    found: dict[str, Any] = {"__file__": str(tmp_path / "settings.py"), "SEEN": []}
    module_of("django", "django_loader.py").load(found)
    assert found["SEEN"] == [("django", {}), ("ant", {"legs": 6}), ("zebra", {})]


def test_an_aldryn_package_without_the_loader_is_explained(tmp_path: Path) -> None:
    found = {"__file__": str(tmp_path / "settings.py"), "INSTALLED_ADDONS": ["susan"]}
    with pytest.raises(RuntimeError, match="Load addons with an aldryn_config"):
        module_of("django", "django_loader.py").load(found)
