"""The addon for a shared cache."""

from __future__ import annotations

import pytest

from app.addons.api import ServiceKind
from tests.addons.builtin.asking import contribution_of, module_of


def test_it_asks_for_redis() -> None:
    found = contribution_of("redis-cache")
    assert found.services[0].kind == ServiceKind.REDIS
    assert found.requirements[0].line.startswith("redis")


def test_django_caches_there(monkeypatch: pytest.MonkeyPatch) -> None:
    module = module_of("redis-cache", "site_settings.py")
    monkeypatch.setenv("DEFAULT_CACHE_URL", "redis://cache:6379/0")
    found = module.to_settings({"seconds": 60, "has_sessions": True}, {})
    assert found["CACHES"]["default"]["LOCATION"] == "redis://cache:6379/0"
    assert found["CACHES"]["default"]["TIMEOUT"] == 60
    assert found["SESSION_ENGINE"].endswith("backends.cache")


@pytest.mark.parametrize("address", ["", "db://django_dbcache"])
def test_without_the_service_nothing_changes(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DEFAULT_CACHE_URL", address)
    assert module_of("redis-cache", "site_settings.py").to_settings({"seconds": 60}, {}) == {}
