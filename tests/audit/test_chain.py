"""The chain: whole after any work, broken by any hand that has the database only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import text

from app.audit.chain import BATCH, seal_of, walk_chain
from app.audit.models import AuditLine
from app.audit.operations import acting_through, fingerprint, record
from app.errors import Invalid
from app.extensions import db
from app.transactions import unit_of_work
from tests.panel import ALICE, Panel, build_schema, make_settings, user_of


def verify(panel: Panel, *words: str) -> Result:
    return panel.app.test_cli_runner().invoke(args=["panel", "audit", "verify", *words])


def write(panel: Panel, count: int, start: int = 0) -> None:
    with panel.work():
        for number in range(start, start + count):
            record("mark", f"x{number}", actor=user_of(ALICE), organisation_id=None, before="ä")


def tamper(panel: Panel, *statements: str) -> None:
    with panel.work():
        for statement in statements:
            db.session.execute(text(statement))


@pytest.fixture(params=["sqlite", "postgresql"])
def either_panel(request: pytest.FixtureRequest) -> Panel:
    name = "panel" if request.param == "sqlite" else "postgresql_panel"
    panel: Panel = request.getfixturevalue(name)
    return panel


def test_what_people_do_makes_a_whole_chain(panel: Panel) -> None:
    told = verify(panel)
    assert told.exit_code == 0, told.output
    with panel.reading():
        count = db.session.scalar(text("SELECT count(*) FROM audit_lines"))
        last = db.session.scalar(text("SELECT hash FROM audit_lines ORDER BY position DESC"))
    assert told.output == f"{count} lines, chain whole, ends at {last}\n"
    assert count and count > 8


def test_lines_of_a_unit_that_failed_leave_no_gap(panel: Panel) -> None:
    with pytest.raises(Invalid), panel.work():
        record("mark", "lost", actor=None, organisation_id=None)
        raise Invalid("no")
    write(panel, 3)
    assert verify(panel).exit_code == 0
    with panel.reading():
        assert "lost" not in db.session.scalars(db.select(AuditLine.subject)).all()


def test_outside_of_a_unit_nothing_is_recorded(panel: Panel) -> None:
    with panel.reading(), pytest.raises(RuntimeError, match="unit_of_work"):
        record("mark", "x", actor=None, organisation_id=None)


MIDDLE = "(SELECT max(position) - 3 FROM audit_lines)"
FORGERIES = {
    "subject": f"UPDATE audit_lines SET subject = 'else' WHERE position = {MIDDLE}",
    "actor": f"UPDATE audit_lines SET actor_name = 'Bob' WHERE position = {MIDDLE}",
    "actor's number": f"UPDATE audit_lines SET actor_id = 2 WHERE position = {MIDDLE}",
    "details": f"UPDATE audit_lines SET details = '{{}}' WHERE position = {MIDDLE}",
    "address": f"UPDATE audit_lines SET address = '192.0.2.1' WHERE position = {MIDDLE}",
    "organisation": f"UPDATE audit_lines SET organisation_id = 77 WHERE position = {MIDDLE}",
    "time": "UPDATE audit_lines SET created_at = '2020-01-01 00:00:00.000000' "
    f"WHERE position = {MIDDLE}",
    "hash": f"UPDATE audit_lines SET hash = 'f00' WHERE position = {MIDDLE}",
    "removed": f"DELETE FROM audit_lines WHERE position = {MIDDLE}",
}


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_changed_line_is_found(panel: Panel, kind: str) -> None:
    write(panel, 10)
    with panel.reading():
        place = db.session.scalar(text(f"SELECT {MIDDLE}"))
    tamper(panel, FORGERIES[kind])
    told = verify(panel)
    assert told.exit_code != 0
    assert f"broken at line {place}." in told.output


def test_a_removed_line_with_later_ones_moved_up_is_found(panel: Panel) -> None:
    write(panel, 5)
    with panel.reading():
        last = db.session.scalar(text("SELECT max(position) FROM audit_lines"))
    tamper(
        panel,
        f"DELETE FROM audit_lines WHERE position = {last - 1}",
        f"UPDATE audit_lines SET position = {last - 1} WHERE position = {last}",
        f"UPDATE audit_chains SET position = {last - 1}",
    )
    assert f"broken at line {last - 1}." in verify(panel).output


def test_two_lines_in_each_others_place_are_found(panel: Panel) -> None:
    write(panel, 5)
    with panel.reading():
        last = db.session.scalar(text("SELECT max(position) FROM audit_lines"))
    tamper(
        panel,
        f"UPDATE audit_lines SET position = 9999 WHERE position = {last}",
        f"UPDATE audit_lines SET position = {last} WHERE position = {last - 1}",
        f"UPDATE audit_lines SET position = {last - 1} WHERE position = 9999",
    )
    assert f"broken at line {last - 1}." in verify(panel).output


COPY = (
    "INSERT INTO audit_lines (actor_name, action, subject, details, address, created_at, hash, "
    "position) SELECT actor_name, action, 'forged', details, address, created_at, hash, {place} "
    "FROM audit_lines WHERE position = 3"
)


@pytest.mark.parametrize("place", ["(SELECT max(position) + 1 FROM audit_lines)", "NULL"])
def test_a_line_put_in_is_found(panel: Panel, place: str) -> None:
    tamper(panel, COPY.format(place=place))
    assert verify(panel).exit_code != 0


def test_lines_cut_off_the_end_are_found_also_with_the_end_moved_back(panel: Panel) -> None:
    write(panel, 5)
    with panel.reading():
        last = db.session.scalar(text("SELECT max(position) FROM audit_lines"))
        keep = last - 2
        there = db.session.scalar(text(f"SELECT hash FROM audit_lines WHERE position = {keep}"))
    tamper(panel, f"DELETE FROM audit_lines WHERE position > {keep}")
    assert f"The chain's end is line {last}, but the last line is {keep}." in verify(panel).output
    tamper(panel, f"UPDATE audit_chains SET position = {keep}, hash = '{there}'")
    assert "The seal on the chain's end was changed." in verify(panel).output
    write(panel, 3)  # goes on, but nobody can mend what was broken
    told = verify(panel)
    assert told.exit_code != 0 and f"broken at line {keep + 1}." in told.output


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_chains SET hash = 'f00'",
        "UPDATE audit_chains SET position = position - 1",
        "UPDATE audit_chains SET position = position + 5",
        "DELETE FROM audit_chains",
    ],
)
def test_a_changed_end_is_found_at_once_and_later(panel: Panel, statement: str) -> None:
    tamper(panel, statement)
    assert verify(panel).exit_code != 0
    write(panel, 2)
    assert verify(panel).exit_code != 0


def test_an_end_that_was_noted_must_still_be_there(panel: Panel) -> None:
    """All lines replaced by other ones, with the key: only a note elsewhere tells."""
    noted = verify(panel).output.split()[-1]
    write(panel, 2)
    assert verify(panel, "--noted", noted).exit_code == 0
    told = verify(panel, "--noted", "0" * 64)
    assert told.exit_code != 0 and "noted hash is not there" in told.output


def test_without_the_key_no_seal_can_be_made(panel: Panel) -> None:
    assert seal_of(3, "abc", b"one") != seal_of(3, "abc", b"two")
    key = panel.settings.data_dir / "secrets" / "audit.key"
    assert key.stat().st_mode & 0o777 == 0o600
    with panel.reading():
        dump = "".join(
            str(row) for row in db.session.execute(text("SELECT * FROM audit_lines")).all()
        )
    assert key.read_text().strip() not in dump


def test_lines_from_before_the_chain_are_counted_apart(tmp_path: Path) -> None:
    panel = Panel(make_settings(tmp_path / "data"))
    build_schema(panel)
    old = COPY.replace("FROM audit_lines WHERE position = 3", "").format(place="NULL")
    old = old.replace(
        "actor_name, action, 'forged', details, address, created_at, hash, NULL",
        "'A', 'mark', 'x', '{}', '', '2026-01-01 00:00:00', '', NULL",
    )
    tamper(panel, old, old)
    with panel.work():
        record("mark", "x", actor=None, organisation_id=None)
    told = verify(panel)
    assert told.exit_code == 0
    assert told.output.startswith("2 lines from before the chain are not covered.\n1 lines, chain")
    panel.close()


def test_many_writers_at_once_make_one_chain(either_panel: Panel) -> None:
    """On both databases: nobody waits for ever, no place is given twice, none is left out."""
    failures: list[BaseException] = []
    with either_panel.reading():
        before = walk_chain().lines

    def work(name: str) -> None:
        try:
            for number in range(15):
                with either_panel.work():
                    record("mark", f"{name}{number}", actor=None, organisation_id=None)
                    record("mark", f"{name}{number}b", actor=None, organisation_id=None)
        except Exception as error:  # noqa: BLE001 -- shown below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with either_panel.reading():
        found = walk_chain()
    assert (found.lines - before, found.why) == (120, "")


def test_a_walk_does_not_see_what_is_written_meanwhile(either_panel: Panel) -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            with either_panel.work():
                record("mark", "x", actor=None, organisation_id=None)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            with either_panel.reading():
                assert walk_chain().why == ""
    finally:
        stop.set()
        thread.join()


def test_a_chain_longer_than_a_batch(panel: Panel) -> None:
    write(panel, BATCH + 10)
    assert verify(panel).exit_code == 0
    tamper(panel, f"UPDATE audit_lines SET subject = 'y' WHERE position = {BATCH + 3}")
    assert f"broken at line {BATCH + 3}." in verify(panel).output


def last_line(panel: Panel) -> AuditLine:
    newest = db.select(AuditLine).order_by(AuditLine.id.desc())
    return db.session.scalars(newest).first() or AuditLine()


def test_a_line_says_by_what_it_was_done(panel: Panel) -> None:
    write(panel, 1)
    with panel.reading():
        written = {"via": "platform", "by": ALICE.email, "before": "ä"}
        assert last_line(panel).details == written
    with panel.app.app_context():
        acting_through("token Laptop")
        with unit_of_work():
            record("mark", "x", actor=None, organisation_id=None, after={"a": 1}, more=True)
        line = last_line(panel)
        assert line.details == {"via": "token Laptop", "after": {"a": 1}, "more": True}
    assert (
        panel.app.test_cli_runner().invoke(args=["panel", "operator", "add", ALICE.email]).exit_code
        == 0
    )
    with panel.reading():
        assert last_line(panel).details["via"] == "command line"
    panel.client_of(ALICE).post(
        "/operator/incidents/", data={"title": "a", "impact": "down", "text": "b"}
    )
    with panel.reading():
        line = last_line(panel)
        assert (line.details["via"], line.address) == ("page", "127.0.0.1")


def test_a_fingerprint_tells_secrets_apart_and_no_more(
    panel: Panel, tmp_path: Path, panel_template: Path
) -> None:
    with panel.reading():
        one, again, other = (fingerprint(value) for value in ("a", "a", "b"))
    assert one == again != other and len(one) == 12
    fresh: Callable[[Path], Panel] = lambda path: Panel(make_settings(path))  # noqa: E731
    stranger = fresh(tmp_path / "stranger")
    with stranger.reading():
        assert fingerprint("a") != one
    stranger.close()
