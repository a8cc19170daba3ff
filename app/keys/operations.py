"""Rotating the key rings. Called by `flask panel keys …` only.

A rotation has three steps: a new key in front (`rotate`), all rows with it (`reencrypt`), the old
keys gone (`retire`). Each may be repeated, and stopped anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Table, Text, literal, select, text, type_coerce, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.types import TypeDecorator

from app.audit.operations import record
from app.errors import Conflict, PanelError
from app.extensions import Base, db
from app.installation import installation
from app.keyrings import Encrypted, add_key, drop_old_keys, site_ring
from app.seals import NEEDS_KEY, Sealed, present_seal
from app.transactions import unit_of_work

BATCH = 50
"""Rows a unit of work: a writer waits for some milliseconds, not for the whole table."""


class Ring(StrEnum):
    """`SITE_KEYS` are read by every process with pages or jobs, `OPERATOR_KEYS` by workers."""

    SITE = "site"
    OPERATOR = "operator"


def _site_path() -> Path:
    return installation().settings.data_dir / "secrets" / "site.keys"


def rotate(ring: Ring) -> int:
    """Put a new key in front; running processes follow by themselves. Returns how many there are.

    Belongs into a unit of work.
    """
    count = present_seal().add_key() if ring == Ring.OPERATOR else add_key(_site_path())
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
    """Encrypt every secret of every table with the newest key of its ring, a few rows a unit of
    work. Sealed ones are counted as unreadable where the operator's keys may not be read.

    What has it is left alone, so that a run that was stopped is gone on with. Rows that change
    meanwhile are written by their writer, with the newest key.
    """
    count = Count()
    for ring in _rings():
        for table, columns in ring.tables():
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
    table: Table, columns: list[Column[str]], number: int, ring: _Opener, count: Count
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
            fresh = ring.again(token)
        except PanelError:
            count.unreadable.append(f"{table.name} {number}")
            continue
        is_same = type_coerce(column, Text) == token
        change = update(table).where(table.c.id == number, is_same)
        db.session.execute(change.values({column.name: literal(fresh, Text)}))
        count.again += 1


@dataclass(frozen=True)
class Retired:
    """How many keys went, and how many old ones stay because files outside need them."""

    gone: int
    kept: int = 0


def retire(ring: Ring) -> Retired:
    """Remove all keys but the newest and, of the operator's, those that backups need.

    Raises `Conflict` when a row still needs one of them.
    """
    opener = next(one for one in _rings() if one.ring == ring)
    _wait_for_writers(opener)
    _require_newest_everywhere(opener)
    with unit_of_work():
        done = _retire_operator() if ring == Ring.OPERATOR else Retired(drop_old_keys(_site_path()))
        record("keys.retire", ring.value, actor=None, organisation_id=None, keys=done.gone)
    return done


def _retire_operator() -> Retired:
    seal = present_seal()
    old = [str(identity.to_public()) for identity in seal.identities()[1:]]
    needed = needed_recipients()
    gone = seal.drop_keys([one for one in old if one not in needed])
    return Retired(gone, len(old) - gone)


def needed_recipients() -> set[str]:
    """Whom files outside the database, as rows tell, are sealed for."""
    found: set[str] = set()
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if column.info.get(NEEDS_KEY):
                found.update(db.session.scalars(select(column).distinct()))
    return found


def _wait_for_writers(ring: _Opener) -> None:
    """Until whoever may have encrypted before the rotation has committed; later ones take the
    newest key. SQLite lets one write at a time, so that to begin is to have waited."""
    with unit_of_work():
        names = ", ".join(table.name for table in ring.all_tables())
        if names and db.engine.dialect.name == "postgresql":
            db.session.execute(text(f"LOCK TABLE {names} IN SHARE MODE"))


def _require_newest_everywhere(ring: _Opener) -> None:
    for table, columns in ring.tables():
        for row in _all_raw(table, columns):
            tokens = [row[column.name] for column in columns]
            if not all(token is None or ring.is_of_newest(token) for token in tokens):
                raise Conflict(
                    f"A row of {table.name} (number {row['id']}) needs an older key. Run “flask "
                    "panel keys reencrypt” first; a row that no key opens has to be removed."
                )


@dataclass(frozen=True)
class _Opener:
    """One ring at work: which column type it is for, and how it reads and writes."""

    ring: Ring
    column_type: type[TypeDecorator[Any]]
    is_of_newest: Callable[[str], bool]
    again: Callable[[str], str]
    """Opens a token and closes it with the newest key; raises `Unavailable`."""

    def tables(self) -> Iterator[tuple[Table, list[Column[str]]]]:
        return encrypted_tables(self.column_type)

    def all_tables(self) -> list[Table]:
        """Those, and the ones that name keys of files."""
        own = [table for table, _ in self.tables()]
        if self.ring == Ring.SITE:
            return own
        tables = Base.metadata.sorted_tables
        return own + [
            table for table in tables if any(column.info.get(NEEDS_KEY) for column in table.columns)
        ]


def _rings() -> tuple[_Opener, _Opener]:
    keys, seal = site_ring(), present_seal()
    return (
        _Opener(
            Ring.SITE, Encrypted, keys.is_of_newest, lambda token: keys.encrypt(keys.decrypt(token))
        ),
        _Opener(
            Ring.OPERATOR, Sealed, seal.is_of_newest, lambda token: seal.close(seal.open(token))
        ),
    )


def encrypted_tables(
    column_type: type[TypeDecorator[Any]] = Encrypted,
) -> Iterator[tuple[Table, list[Column[str]]]]:
    """Every table with columns of this type, and those."""
    for table in Base.metadata.sorted_tables:
        columns = [column for column in table.columns if isinstance(column.type, column_type)]
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
