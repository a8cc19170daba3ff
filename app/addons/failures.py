"""What went wrong when a version was asked, for its authors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import undefer

from app.addons.models import AddonFailure, AddonVersion
from app.extensions import db

FAILURES_SHOWN = 20


def list_failures(version_id: int) -> Sequence[AddonFailure]:
    """The newest of a version first, with their tracebacks."""
    return db.session.scalars(
        select(AddonFailure)
        .where(AddonFailure.version_id == version_id)
        .order_by(AddonFailure.id.desc())
        .limit(FAILURES_SHOWN)
        .options(undefer(AddonFailure.detail))
    ).all()


def count_failures(addon_id: int) -> Mapping[int, int]:
    """How many are kept of each version of the addon, by the version's id."""
    query = (
        select(AddonFailure.version_id, func.count(AddonFailure.id))
        .join(AddonVersion, AddonVersion.id == AddonFailure.version_id)
        .where(AddonVersion.addon_id == addon_id)
        .group_by(AddonFailure.version_id)
    )
    return dict(db.session.execute(query).all())
