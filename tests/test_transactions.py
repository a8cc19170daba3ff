"""Units of work: all or nothing, one writer at a time, and nobody fails because of a lock."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.accounts.models import User
from app.audit.models import AuditLine
from app.audit.operations import record
from app.extensions import db
from app.transactions import after_commit, end_reading, once_a_reading, unit_of_work
from tests.panel import ALICE, Panel, user_of


def test_a_write_outside_a_unit_is_a_mistake(panel: Panel) -> None:
    with panel.reading():
        user_of(ALICE).name = "Mallory"
        with pytest.raises(RuntimeError, match="inside unit_of_work"):
            db.session.commit()
        db.session.rollback()
        db.session.add(AuditLine(action="x", subject="x", actor_name="x"))
        with pytest.raises(RuntimeError, match="inside unit_of_work"):
            db.session.flush()
    with panel.reading():
        assert user_of(ALICE).name == "Alice"


def test_changes_from_before_do_not_slip_into_a_unit(panel: Panel) -> None:
    with panel.reading():
        user_of(ALICE).name = "Mallory"
        with pytest.raises(RuntimeError), unit_of_work():
            pass
    with panel.reading():
        assert user_of(ALICE).name == "Alice"


def test_an_error_undoes_everything_and_nothing_runs_afterwards(panel: Panel) -> None:
    ran: list[str] = []
    with pytest.raises(ZeroDivisionError), panel.work():
        user_of(ALICE).name = "Mallory"
        db.session.flush()
        after_commit(lambda: ran.append("after"))
        raise ZeroDivisionError
    with panel.reading():
        assert user_of(ALICE).name == "Alice" and ran == []


def test_after_commit_runs_once_the_data_is_safe_and_in_order(panel: Panel) -> None:
    seen: list[tuple[int, int]] = []

    def look(number: int) -> None:
        with sqlite3.connect(panel.settings.data_dir / "panel/panel.sqlite3") as other:
            found = other.execute("SELECT count(*) FROM audit_lines WHERE action = 'mark'")
            seen.append((number, found.fetchone()[0]))

    with panel.work():
        record("mark", "x", actor=None, organisation_id=None)
        after_commit(lambda: look(1))
        after_commit(lambda: look(2))
        assert seen == []
    assert seen == [(1, 1), (2, 1)]


def test_actions_of_a_failed_unit_do_not_run_after_the_next(panel: Panel) -> None:
    ran: list[str] = []
    with panel.reading():
        with pytest.raises(ZeroDivisionError), unit_of_work():
            after_commit(lambda: ran.append("failed"))
            raise ZeroDivisionError
        with unit_of_work():
            after_commit(lambda: ran.append("second"))
    assert ran == ["second"]


def test_units_do_not_nest(panel: Panel) -> None:
    with panel.work(), pytest.raises(RuntimeError, match="open already"), unit_of_work():
        pass


def test_what_was_loaded_before_is_read_again_under_the_lock(panel: Panel) -> None:
    with panel.reading():
        alice = user_of(ALICE)
        assert alice.name == "Alice"
        with sqlite3.connect(panel.settings.data_dir / "panel/panel.sqlite3") as other:
            other.execute("UPDATE users SET name = 'Alicia' WHERE id = ?", (alice.id,))
        with unit_of_work():
            assert alice.name == "Alicia"


def test_many_writers_at_once_wait_for_each_other(panel: Panel) -> None:
    """Read, then write, in 8 threads: every increment counts, and nothing is “locked”."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(25):
                with panel.reading():
                    user_of(ALICE)  # a reading before, as every request has one
                    with unit_of_work():
                        alice = user_of(ALICE)
                        alice.name = str(int(alice.name) + 1)
        except (OperationalError, RuntimeError) as error:
            failures.append(error)

    with panel.work():
        user_of(ALICE).name = "0"
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with panel.reading():
        assert failures == [] and user_of(ALICE).name == "200"


def test_a_database_locked_for_five_seconds_is_survived(panel: Panel) -> None:
    holder = sqlite3.connect(
        panel.settings.data_dir / "panel/panel.sqlite3",
        isolation_level=None,
        check_same_thread=False,
    )
    holder.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(5, holder.execute, ["COMMIT"])
    timer.start()
    started = time.monotonic()
    with panel.reading():  # readers do not even notice
        assert user_of(ALICE).name == "Alice"
    assert time.monotonic() - started < 1
    with panel.work():
        user_of(ALICE).name = "Patient"
    assert time.monotonic() - started > 4.5
    timer.join()
    holder.close()
    with panel.reading():
        assert db.session.scalar(select(User.name).where(User.email == ALICE.email)) == "Patient"


def test_times_without_a_zone_are_refused(panel: Panel) -> None:
    import datetime

    with pytest.raises(Exception, match="without a zone"), panel.work():
        db.session.execute(db.update(User).values(created_at=datetime.datetime(2026, 1, 1)))


def test_a_question_is_asked_once_a_reading(panel: Panel) -> None:
    asked = []

    @once_a_reading
    def names(numbers: list[int], of: User) -> str:
        asked.append(numbers)
        return db.session.scalars(select(User.name).where(User.id == of.id)).one()

    with panel.reading():
        alice = user_of(ALICE)
        assert names([1, 2], alice) == names([1, 2], alice) == "Alice"
        assert asked == [[1, 2]]
        names([2, 1], alice)
        assert asked == [[1, 2], [2, 1]]
        end_reading()
        names([1, 2], user_of(ALICE))
        assert len(asked) == 3
    with panel.reading():
        names([1, 2], user_of(ALICE))
        assert len(asked) == 4


def test_what_changes_is_asked_anew(panel: Panel) -> None:
    @once_a_reading
    def name_of(number: int) -> str:
        return db.session.scalars(select(User.name).where(User.id == number)).one()

    with panel.reading():
        number = user_of(ALICE).id
        assert name_of(number) == "Alice"
        with unit_of_work():
            assert name_of(number) == "Alice"
            user_of(ALICE).name = "Alice Cooper"
            db.session.flush()
            assert name_of(number) == "Alice Cooper"
        assert name_of(number) == "Alice Cooper"


def test_what_cannot_be_told_apart_is_refused(panel: Panel) -> None:
    @once_a_reading
    def count(numbers: set[int]) -> int:
        return len(numbers)

    with panel.reading(), pytest.raises(TypeError, match="set cannot"):
        count({1})
