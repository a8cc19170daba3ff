"""The MySQL addon."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from app.addons.api import ServiceKind
from tests.addons.builtin.asking import contribution_of, module_of


def test_it_asks_for_a_database_and_adds_the_driver() -> None:
    found = contribution_of("mysql", collation="utf8mb4_bin")
    assert found.services[0].kind == ServiceKind.MYSQL
    assert found.services[0].options == {"collation": "utf8mb4_bin"}
    assert found.requirements[0].line.startswith("PyMySQL")


def test_django_takes_it_for_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[bool] = []
    driver = ModuleType("pymysql")
    monkeypatch.setattr(driver, "install_as_MySQLdb", lambda: called.append(True), raising=False)
    monkeypatch.setitem(sys.modules, "pymysql", driver)
    databases = {
        "default": {"ENGINE": "django.db.backends.mysql"},
        "other": {"ENGINE": "django.db.backends.postgresql"},
    }
    module = module_of("mysql", "site_settings.py")
    found = module.to_settings({"collation": "utf8mb4_bin"}, {"DATABASES": databases})
    options = found["DATABASES"]["default"]["OPTIONS"]
    assert called and options["init_command"] == "SET NAMES utf8mb4 COLLATE utf8mb4_bin"
    assert "OPTIONS" not in found["DATABASES"]["other"]
