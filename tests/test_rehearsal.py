"""What a process prepares for the children that each do one job."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine.interfaces import CacheStats

from app.deployments.models import Deployment
from app.extensions import db, rehearse
from tests.panel import Panel


def test_children_find_the_statements_made(panel: Panel) -> None:
    """And no connection, which two processes must not share."""
    with panel.reading():
        rehearse()
        assert db.engine.pool.checkedin() == db.engine.pool.checkedout() == 0
        found = []

        @event.listens_for(db.engine, "before_cursor_execute")
        def note(
            connection: object, cursor: object, text: str, values: object, context: Any, many: bool
        ) -> None:
            found.append(context.cache_hit)

        assert db.session.get(Deployment, 1) is None
    assert found[-1] == CacheStats.CACHE_HIT  # what begins the transaction is no statement


def test_without_a_database_it_is_not_rehearsed(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    with panel.reading(), caplog.at_level(logging.WARNING):
        db.session.remove()
        with db.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE mails")
        rehearse()
    assert "nothing is rehearsed" in caplog.text
