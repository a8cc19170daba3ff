"""Domains of `demo` in words of a person: claimed, proved at the fake outside, given a use."""

from __future__ import annotations

import datetime

from app.domains import operations
from app.domains.checks import Finding
from app.domains.models import Domain, DomainKind, RedirectBy
from app.extensions import db
from tests.panel import ALICE, Panel, Person, environment, user_of

FOUND = Finding(True, True, "It leads here.")
TRASHED = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def claim(panel: Panel, host: str, slug: str = "live", of: str = "demo", by: Person = ALICE) -> str:
    """Claim it; returns the row's uuid."""
    with panel.work():
        there = environment(slug, of)
        return operations.claim_domain(there, host, user_of(by), panel.settings).uuid


def prove(panel: Panel, uuid: str) -> bool:
    """Say that the proof was found; returns whether that proved it."""
    with panel.work():
        return operations.note_finding(row(uuid), FOUND, None)


def own(
    panel: Panel,
    host: str,
    kind: DomainKind | None = None,
    redirect_by: RedirectBy = RedirectBy.FOUND,
    **where: str,
) -> str:
    """Claim and prove it, and give it that use."""
    uuid = claim(panel, host, **where)  # type: ignore[arg-type]
    assert prove(panel, uuid)
    if kind:
        with panel.work():
            operations.change_use(row(uuid), kind, redirect_by, user_of(ALICE))
    return uuid


def row(uuid: str) -> Domain:
    """Inside an app context."""
    return db.session.scalars(db.select(Domain).where(Domain.uuid == uuid)).one()


def uses(panel: Panel, slug: str = "live") -> dict[str, str]:
    """Host and kind of the environment's own domains that are not in the trash."""
    with panel.reading():
        rows = db.session.scalars(
            db.select(Domain).where(
                Domain.environment_id == environment(slug).id,
                Domain.trashed_at.is_(None),
                Domain.kind != DomainKind.PLATFORM,
            )
        )
        return {found.host: str(found.kind) for found in rows}
