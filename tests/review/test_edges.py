"""Small edges: forms, settings, a queue that hangs, errors that tell too much."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest
from flask import request

from app.adapters.job_queue import Queue
from app.adapters.job_queue.redis import RedisJobQueue
from app.config import Settings
from app.errors import Invalid, Unavailable
from app.extensions import db
from app.factory import create_app
from app.variables.queries import find_variable
from app.web.extensions import limiter
from tests.panel import ALICE, CHARLIE, Panel, environment


def test_line_breaks_of_a_value_are_those_that_were_typed(panel: Panel) -> None:
    form = {"name": "KEY", "value": " one\r\ntwo\r\n", "is_secret": "y"}  # as browsers send it
    path = "/applications/demo/environments/test/variables/"
    assert panel.client_of(ALICE).post(path, data=form).status_code == 303
    with panel.reading():
        variable = find_variable(environment().id, "KEY")
        assert variable and variable.value == " one\ntwo\n"


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("0", False), ("", False)])
def test_a_yes_or_no_setting(tmp_path: Path, text: str, value: bool) -> None:
    environ = {"DATA_DIR": str(tmp_path), "MOONBASE_IS_HTTPS": text}
    assert Settings.read(environ).is_https is value


def test_a_misspelt_yes_is_not_taken_for_a_no(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="IS_HTTPS"):
        Settings.read({"DATA_DIR": str(tmp_path), "MOONBASE_IS_HTTPS": "enabled"})


def test_a_queue_that_hangs_does_not_hang_who_asks(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(path))
        deaf.listen()
        queue = RedisJobQueue(f"unix://{path}", answer_seconds=0.05)
        began = time.monotonic()
        with pytest.raises(Unavailable):
            queue.enqueue(Queue.OPERATIONS, "app.deployments.jobs.clean_up", key="once")
        assert time.monotonic() - began < 20


def attempts(client_panel: Panel, **environ: str) -> list[int]:
    """Answers to ten wrong passwords for ten accounts' sign-in, one after the other."""
    client = client_panel.client()
    form = {"email": "nobody@example.com", "password": "wrong"}
    return [
        client.post("/account/sign-in/", data=form, environ_overrides=environ).status_code
        for _ in range(10)
    ]


def test_attempts_are_limited_without_redis(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "_storage_dead", False)  # and so again for the next test
    panel.settings = replace(panel.settings, is_testing=False)  # its Redis does not exist
    panel.app = create_app(panel.settings, panel.adapters)
    assert attempts(panel).count(429) == 2


def test_behind_a_proxy_each_visitor_has_attempts_of_their_own(panel: Panel) -> None:
    panel.settings = replace(panel.settings, proxies=1)
    panel.app = create_app(panel.settings, panel.adapters)
    seen = []
    panel.app.after_request(lambda response: seen.append(asked_by()) or response)
    header = {"HTTP_X_FORWARDED_FOR": "6.6.6.6, 203.0.113.7", "REMOTE_ADDR": "127.0.0.1"}
    panel.client().get("/health/", environ_overrides=header)
    assert seen == ["203.0.113.7"]


def test_without_a_proxy_the_header_is_not_believed(panel: Panel) -> None:
    seen = []
    panel.app.after_request(lambda response: seen.append(asked_by()) or response)
    header = {"HTTP_X_FORWARDED_FOR": "6.6.6.6", "REMOTE_ADDR": "192.0.2.1"}
    panel.client().get("/health/", environ_overrides=header)
    assert seen == ["192.0.2.1"]


def asked_by() -> str:

    return request.remote_addr or ""


def test_guessing_the_present_password_is_limited(panel: Panel) -> None:
    client = panel.client_of(CHARLIE)
    form = {"present": "wrong", "password": "a new long password"}
    codes = [client.post("/account/password/", data=form).status_code for _ in range(10)]
    assert codes.count(429) == 2


def test_errors_of_the_database_do_not_show_what_was_written(panel: Panel) -> None:
    with panel.reading(), pytest.raises(Exception, match="no such table") as raised:
        db.session.execute(db.text("SELECT :secret FROM nowhere"), {"secret": "opensesame"})
    assert "opensesame" not in str(raised.value)
