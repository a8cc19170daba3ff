"""The addon that tells of errors."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from tests.addons.builtin.asking import contribution_of, module_of, plugin_of


def test_the_address_is_a_secret() -> None:
    field = next(row for row in plugin_of("sentry").fields if row.name == "dsn")
    assert field.is_secret and field.variable == "SENTRY_DSN"
    names = [row.name for row in contribution_of("sentry").variables]
    assert names == ["SENTRY_TRACES_SAMPLE_RATE", "SENTRY_ENVIRONMENT"]


@pytest.mark.parametrize(
    ("stage", "environment", "expected"), [("live", "", "live"), ("live", "shop", "shop")]
)
def test_the_environment_is_named(stage: str, environment: str, expected: str) -> None:
    found = contribution_of("sentry", stage, environment=environment)
    assert {row.name: row.value for row in found.variables}["SENTRY_ENVIRONMENT"] == expected


def test_it_starts_with_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, Any]] = []
    kit = ModuleType("sentry_sdk")
    monkeypatch.setattr(kit, "init", lambda **words: started.append(words), raising=False)
    monkeypatch.setitem(sys.modules, "sentry_sdk", kit)
    module = module_of("sentry", "site_settings.py")
    monkeypatch.delenv("SENTRY_DSN", raising=False)
    module.to_settings({}, {})
    assert not started
    monkeypatch.setenv("SENTRY_DSN", "https://key@sentry.example.com/1")
    monkeypatch.setenv("SENTRY_TRACES_SAMPLE_RATE", "0.1")
    monkeypatch.setenv("SENTRY_ENVIRONMENT", "live")
    module.to_settings({}, {})
    assert started == [
        {
            "dsn": "https://key@sentry.example.com/1",
            "environment": "live",
            "traces_sample_rate": 0.1,
            "send_default_pii": False,
        }
    ]
    monkeypatch.setenv("DJANGO_MODE", "build")
    module.to_settings({}, {})
    assert len(started) == 1
