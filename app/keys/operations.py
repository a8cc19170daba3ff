"""Rotating the key rings. Called by `flask panel keys …` only.

A rotation has three steps: a new key in front (`rotate`), all rows with it (`reencrypt`), the old
keys gone (`retire`). Each may be repeated, and stopped anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Column, Table, Text, literal, select, text, type_coerce, update
from sqlalchemy.engine import RowMapping

from app.audit.operations import record
from app.errors import Conflict, PanelError, Unavailable
from app.extensions import Base, db
from app.installation import installation
from app.keyrings import Encrypted, KeyRing, add_key, drop_old_keys, site_ring
from app.transactions import unit_of_work

BATCH = 50
"""Rows a unit of work: a writer waits for some milliseconds, not for the whole table."""


class Ring(StrEnum):
    """`SITE_KEYS` are read by every process with pages or jobs, `OPERATOR_KEYS` by workers."""

    SITE = "site"
    OPERATOR = "operator"


def ring_path(ring: Ring) -> Path:
    return installation().settings.data_dir / "secrets" / f"{ring.value}.keys"


def rotate(ring: Ring) -> int:
    """Put a new key in front; running processes follow by themselves. Returns how many there are.

    Belongs into a unit of work.
    """
    count = add_key(ring_path(ring))
    record("keys.rotate", ring.value, actor=None, organisation_id=None, keys=count)
    return count


@dataclass
class Count:
    """How the rows stand: with the newest key already, encrypted again, and opened by no key
    (each as “table number”)."""

    newest: int = 0
    again: int = 0
    unreadable: list[str] = field(default_factory=list)


def reencrypt() -> Count:
    """Encrypt every secret of every table with the newest key, a few rows a unit of work.

    What has it is left alone, so that a run that was stopped is gone on with. Rows that change
    meanwhile are written by their writer, with the newest key.
    """
    count = Count()
    ring = site_ring()
    for table, columns in encrypted_tables():
        after = 0
        while True:
            with unit_of_work():
                numbers = _numbers(table, after)
                for number in numbers:
                    _reencrypt_row(table, columns, number, ring, count)
            if not numbers:
                break
            after = numbers[-1]
    return count


def _reencrypt_row(
    table: Table, columns: list[Column[str]], number: int, ring: KeyRing, count: Count
) -> None:
    row = _raw(table, columns, number)
    for column in columns:
        token = row[column.name] if row else None
        if token is None:
            continue
        if ring.is_of_newest(token):
            count.newest += 1
            continue
        try:
            fresh = ring.encrypt(ring.decrypt(token))
        except PanelError:
            count.unreadable.append(f"{table.name} {number}")
            continue
        is_same = type_coerce(column, Text) == token
        change = update(table).where(table.c.id == number, is_same)
        db.session.execute(change.values({column.name: literal(fresh, Text)}))
        count.again += 1


def retire(ring: Ring) -> int:
    """Remove all keys but the newest. Returns how many went.

    Raises `Conflict` when a row still needs one of them. Nothing is encrypted with the operator's
    ring yet.
    """
    path = ring_path(ring)
    if not path.exists():
        raise Unavailable(f"There is no ring of {ring.value} keys yet.", retry=False)
    if ring == Ring.SITE:
        _wait_for_writers()
        _require_newest_everywhere()
    with unit_of_work():
        gone = drop_old_keys(path)
        record("keys.retire", ring.value, actor=None, organisation_id=None, keys=gone)
    return gone


def _wait_for_writers() -> None:
    """Until whoever may have encrypted before the rotation has committed; later ones take the
    newest key. SQLite lets one write at a time, so that to begin is to have waited."""
    with unit_of_work():
        if db.engine.dialect.name == "postgresql":
            names = ", ".join(table.name for table, _ in encrypted_tables())
            db.session.execute(text(f"LOCK TABLE {names} IN SHARE MODE"))


def _require_newest_everywhere() -> None:
    keys = site_ring()
    for table, columns in encrypted_tables():
        for row in _all_raw(table, columns):
            tokens = [row[column.name] for column in columns]
            if not all(token is None or keys.is_of_newest(token) for token in tokens):
                raise Conflict(
                    f"A row of {table.name} (number {row['id']}) needs an older key. Run “flask "
                    "panel keys reencrypt” first; a row that no key opens has to be removed."
                )


def encrypted_tables() -> Iterator[tuple[Table, list[Column[str]]]]:
    """Every table with encrypted columns, and those."""
    for table in Base.metadata.sorted_tables:
        columns = [column for column in table.columns if isinstance(column.type, Encrypted)]
        if columns:
            yield table, columns


def _numbers(table: Table, after: int) -> list[int]:
    wanted = select(table.c.id).where(table.c.id > after).order_by(table.c.id).limit(BATCH)
    return list(db.session.scalars(wanted))


def _raw(table: Table, columns: list[Column[str]], number: int) -> RowMapping | None:
    """One row as it lies in the table: the tokens, not what they hold."""
    raw = [type_coerce(column, Text).label(column.name) for column in columns]
    wanted = select(table.c.id, *raw).where(table.c.id == number)
    return db.session.execute(wanted).mappings().first()


def _all_raw(table: Table, columns: list[Column[str]]) -> Iterator[RowMapping]:
    after = 0
    while numbers := _numbers(table, after):
        for number in numbers:
            row = _raw(table, columns, number)
            if row is not None:
                yield row
        after = numbers[-1]
