"""The end of addons, which comes with the end of their organisation."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import delete, select

from app.addons.models import Addon, AddonVersion, InstalledAddon
from app.addons.uploads import package_path
from app.extensions import db
from app.transactions import after_commit


def list_addons(organisation_id: int) -> Sequence[Addon]:
    """All an organisation has, by name."""
    return db.session.scalars(
        select(Addon).where(Addon.organisation_id == organisation_id).order_by(Addon.name, Addon.id)
    ).all()


def delete_addons(organisation_id: int) -> list[str]:
    """Delete all addons of the organisation with their versions, and their archives once that is
    safe; gives their package names. That no site needs them is for the caller to know: what is
    left of them in applications goes as well."""
    addons = list_addons(organisation_id)
    numbers = [addon.id for addon in addons]
    versions = db.session.scalars(select(AddonVersion).where(AddonVersion.addon_id.in_(numbers)))
    folders = [package_path(version).parent for version in versions]
    db.session.execute(delete(InstalledAddon).where(InstalledAddon.addon_id.in_(numbers)))
    for addon in addons:
        db.session.delete(addon)
    db.session.flush()
    after_commit(lambda: _forget(folders))
    return [addon.package_name for addon in addons]


def _forget(folders: Sequence[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
