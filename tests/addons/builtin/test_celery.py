"""The addon for work in the background."""

from __future__ import annotations

import pytest

from app.addons.api import ServiceKind
from tests.addons.builtin.asking import contribution_of, module_of


def test_it_adds_worker_clock_and_broker() -> None:
    found = contribution_of("celery", concurrency=5)
    assert [row.name for row in found.processes] == ["worker", "beat"]
    assert "--concurrency=5" in found.processes[0].command
    assert found.processes[1].count == 1
    assert found.services[0].kind == ServiceKind.RABBITMQ
    assert [(row.name, row.value) for row in found.variables] == [("CELERYD_CONCURRENCY", "5")]


def test_the_clock_can_be_left_out() -> None:
    assert [row.name for row in contribution_of("celery", has_beat=False).processes] == ["worker"]


def test_its_files_are_where_the_command_looks() -> None:
    paths = [file.path for file in contribution_of("celery").files]
    names = ("apps.py", "site_settings.py", "worker.py")
    assert paths == [f"addons/celery/{name}" for name in names]
    assert "--app addons.celery.worker" in contribution_of("celery").processes[0].command


def test_without_a_broker_tasks_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    module = module_of("celery", "site_settings.py")
    monkeypatch.delenv("DEFAULT_AMQP_BROKER_URL", raising=False)
    monkeypatch.delenv("BROKER_URL", raising=False)
    assert module.to_settings({}, {})["CELERY_TASK_ALWAYS_EAGER"] is True
    monkeypatch.setenv("DEFAULT_AMQP_BROKER_URL", "amqp://broker")
    found = module.to_settings({"task_minutes": 2}, {"TIME_ZONE": "Europe/Zurich"})
    assert found["CELERY_TASK_ALWAYS_EAGER"] is False
    assert found["CELERY_BROKER_URL"] == "amqp://broker"
    assert found["CELERY_TASK_TIME_LIMIT"] == 120
    assert found["CELERY_TIMEZONE"] == "Europe/Zurich"
    assert found["INSTALLED_APPS"] == ["addons.celery"]  # else web processes know no broker
