"""The addon with a password for the whole site. Its middleware is met in `tests/flows`."""

from __future__ import annotations

import pytest

from app.addons.api import SettingsError
from tests.addons.builtin.asking import clean, contribution_of, module_of, plugin_of


def variables(stage: str, place: str) -> dict[str, str]:
    found = contribution_of("basic-auth", stage, user="moon", place=place)
    return {row.name: row.value for row in found.variables}


def test_the_password_is_a_secret() -> None:
    field = next(row for row in plugin_of("basic-auth").fields if row.name == "password")
    assert field.is_secret and field.variable == "BASIC_AUTH_PASSWORD"
    assert "BASIC_AUTH_PASSWORD" not in variables("test", "all")


@pytest.mark.parametrize(
    ("stage", "place", "expected"),
    [
        ("test", "not-live", "here"),
        ("live", "not-live", "elsewhere"),
        ("live", "all", "here"),
    ],
)
def test_live_can_be_left_open(stage: str, place: str, expected: str) -> None:
    assert variables(stage, place)["BASIC_AUTH_PLACE"] == expected


def test_it_stands_first_unless_it_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    module = module_of("basic-auth", "site_settings.py")
    monkeypatch.delenv("BASIC_AUTH_PLACE", raising=False)
    found = module.to_settings({"open_paths": "/health/\n/hook/"}, {"MIDDLEWARE": ["other"]})
    assert found["MIDDLEWARE"] == ["addons.basic-auth.middleware.BasicAuthMiddleware", "other"]
    assert found["BASIC_AUTH_OPEN_PATHS"] == ("/health/", "/hook/")
    monkeypatch.setenv("BASIC_AUTH_PLACE", "elsewhere")
    assert module.to_settings({}, {"MIDDLEWARE": []})["MIDDLEWARE"] == []


def test_what_browsers_cannot_send_is_refused() -> None:
    with pytest.raises(SettingsError, match="colon"):
        clean("basic-auth", user="a:b")
    with pytest.raises(SettingsError, match="begin with"):
        clean("basic-auth", user="moon", open_paths="/ok/\nhealth")
