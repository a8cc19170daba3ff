"""Plans: what an installation, a save, an upgrade, an undo or a removal would do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.adapters.git import RepositoryStore
from app.addons.installing.plan import Plan
from app.addons.models import AddonChange, AddonVersion, InstalledAddon
from app.applications.models import Application


def plan_install(
    application: Application,
    version: AddonVersion,
    settings: Mapping[str, Any],
    store: RepositoryStore,
    secrets: Mapping[str, str | None] | None = None,
) -> Plan:
    """Install `version`. `settings` are cleaned values by field; fields it does not hold keep what
    `settings.json` at the tip says, and take their initial value otherwise.

    Raises `Conflict` when the addon is installed already, `Invalid` for a yanked version and for a
    site whose branch is empty.
    """
    raise NotImplementedError


def plan_save(
    installed: InstalledAddon,
    settings: Mapping[str, Any],
    secrets: Mapping[str, str | None],
    store: RepositoryStore,
    seen: str = "",
) -> Plan:
    """Save the form. `settings` are cleaned values by field, `secrets` those to replace (None
    removes one); what is in neither stays. `seen` is that of the `CurrentSettings` the form was
    filled from; empty overwrites.

    Raises `Conflict` when somebody saved meanwhile, and `Invalid` for a `settings.json` that
    cannot be read, unless `seen` stands for just that.
    """
    raise NotImplementedError


def plan_upgrade(installed: InstalledAddon, version: AddonVersion, store: RepositoryStore) -> Plan:
    """Move to `version` (newer or older), settings carried over. `Invalid` for a yanked one."""
    raise NotImplementedError


def plan_undo(change: AddonChange, store: RepositoryStore) -> Plan:
    """Set the settings that this save changed back to what they were before. `Conflict` when a
    later change touched one of them."""
    raise NotImplementedError


def plan_remove(installed: InstalledAddon, store: RepositoryStore) -> Plan:
    """Take it out of the site. `Conflict` when another installed addon needs it."""
    raise NotImplementedError
