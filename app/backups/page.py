"""What the pages of backups show: rows of backups and restorations, and what they are in words."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask_babel import gettext as _

from app.accounts.models import User
from app.adapters.services import Content
from app.backups.content import CONTENT_OF
from app.backups.models import (
    Backup,
    BackupPart,
    Download,
    Restoration,
    WorkStatus,
)
from app.backups.queries import (
    ACTIVE,
    list_downloads,
    list_restorable_targets,
)
from app.environments.models import Environment
from app.extensions import now
from app.services.models import TITLES


@dataclass(frozen=True)
class Row:
    """One backup at a glance."""

    backup: Backup

    @property
    def size(self) -> int:
        """Bytes in the store, encrypted."""
        return sum(part.stored_bytes for part in self.backup.parts)

    @property
    def done(self) -> int:
        return sum(part.status.is_final for part in self.backup.parts)

    @property
    def is_active(self) -> bool:
        return self.backup.status in ACTIVE

    @property
    def is_restorable(self) -> bool:
        """Whether any part of it is there."""
        return any(part.status == WorkStatus.SUCCEEDED for part in self.backup.parts)

    @property
    def proof(self) -> str:
        """A word of the status vocabulary, or nothing while there is nothing to say."""
        if self.backup.proof_failed_at:
            return "unrestorable"
        return "proved" if self.backup.proved_at else ""

    @property
    def seconds(self) -> float | None:
        """How long it took, or has taken so far."""
        began, ended = self.backup.started_at, self.backup.ended_at
        return ((ended or now()) - began).total_seconds() if began else None

    @property
    def taken_at(self) -> datetime.datetime:
        return self.backup.started_at or self.backup.created_at


@dataclass(frozen=True)
class Place:
    """An environment that a whole backup can be restored into."""

    environment: Environment
    instances: Sequence[str]
    refusal: str = ""


def part_name(part: BackupPart) -> str:
    """For people: `PostgreSQL “DEFAULT”`, also when that service is gone."""
    return part.instance.name if part.instance else f"{TITLES[part.kind]} “{part.prefix}”"


def plain_part_name(part: BackupPart) -> str:
    """For people who know their site and no databases."""
    return _plain(part.content)


def plain_restored(row: Restoration) -> str:
    """What a restoration brings back, for the same people."""
    return _plain(CONTENT_OF[row.instance.kind])


def _plain(content: Content) -> str:
    is_database = content == Content.DATABASE
    return str(_("Texts and data") if is_database else _("Pictures and files"))


def counted(part: BackupPart) -> tuple[int, int]:
    """How many tables or files a part has, and the rows or bytes in them."""
    counts: Mapping[str, int] = part.contents.get("counts", {})
    return len(counts), sum(counts.values())


def list_places(user: User, backup: Backup) -> list[Place]:
    """Environments with a service of the same kind and prefix for each part that is there. The
    refusal of the first part that cannot be restored counts for the whole."""
    found: dict[int, dict[int, tuple[str, str]]] = {}
    environments: dict[int, Environment] = {}
    parts = [part for part in backup.parts if part.status == WorkStatus.SUCCEEDED]
    for part in parts:
        for target in list_restorable_targets(user, part):
            if target.instance.prefix == part.prefix:
                environment = target.instance.environment
                environments[environment.id] = environment
                names = found.setdefault(environment.id, {})
                names[part.id] = (target.instance.name, target.refusal)
    return [
        Place(
            environments[number],
            [name for name, _refusal in names.values()],
            next((refusal for _name, refusal in names.values() if refusal), ""),
        )
        for number, names in found.items()
        if len(names) == len(parts)
    ]


def load_downloads(user: User, backup: Backup) -> Mapping[int, Download]:
    """The newest download of each part that the person asked for, by part."""
    rows = list_downloads(user.id, [part.id for part in backup.parts])
    return {row.part_id: row for row in reversed(rows)}


def is_busy(rows: Sequence[Row], restorations: Sequence[Restoration]) -> bool:
    """Whether something on the page will change by itself soon."""
    return any(row.is_active for row in rows) or any(
        not row.status.is_final for row in restorations
    )
