"""Why a change of an addon is refused, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from flask_babel import gettext as _
from sqlalchemy import select

from app.addons import api, queries
from app.addons.installing.plan import CurrentSettings
from app.addons.models import AddonChange, AddonVersion, InstalledAddon
from app.addons.project.settings_json import is_same
from app.addons.questions import validate
from app.errors import Conflict, Invalid
from app.extensions import db


def refuse_yanked(version: AddonVersion) -> None:
    """A yanked version stays where it is, and comes to no other site."""
    if version.is_yanked:
        raise Invalid(
            _(
                "Version %(number)s of %(name)s was taken back by its authors: %(reason)s",
                number=version.version,
                name=version.addon.name,
                reason=version.yank_reason,
            )
        )


def refuse_removed(installed: InstalledAddon) -> None:
    if installed.removed_at is not None:
        raise Conflict(_("%(name)s was removed from this site.", name=installed.addon.name))


def refuse_needed(installed: InstalledAddon) -> None:
    """Another addon would not work without it."""
    name = installed.addon.package_name
    for row in queries.list_installed(installed.application_id):
        if row.id != installed.id and name in row.version.facts.get("needs", []):
            raise Conflict(
                _(
                    "%(other)s needs %(name)s. Remove %(other)s first.",
                    other=row.addon.name,
                    name=installed.addon.name,
                )
            )


def refuse_overtaken(installed: InstalledAddon, found: CurrentSettings) -> NoReturn:
    """The form was filled from older settings; says who wrote the present ones if that is known."""
    newest = db.session.scalars(
        select(AddonChange)
        .where(AddonChange.installed_id == installed.id)
        .order_by(AddonChange.id.desc())
        .limit(1)
    ).first()
    if newest is not None and is_same(newest.after, found.values):
        raise Conflict(
            _(
                "%(who)s has changed the settings of %(name)s meanwhile, so nothing was saved. "
                "Look at them as they are now, then make your change again.",
                who=newest.actor_name,
                name=installed.addon.name,
            )
        )
    raise Conflict(
        _(
            "The settings of %(name)s were changed in the site's files meanwhile, so nothing was "
            "saved. Look at them as they are now, then make your change again.",
            name=installed.addon.name,
        )
    )


def refuse_changed_again(
    installed: InstalledAddon, changed: Sequence[str], fields: Mapping[str, api.Field]
) -> None:
    """An undo would throw away what came later."""
    if not changed:
        return
    labels = [fields[name].label if name in fields else name for name in changed]
    raise Conflict(
        _(
            "This cannot be undone by itself, for it was changed again since: %(labels)s. Undo the "
            "later change first, or set it in the form.",
            labels=", ".join(f"“{label}”" for label in labels),
        )
    )


def refuse_no_longer_valid(
    version: AddonVersion, settings: Mapping[str, Any], touched: Sequence[str]
) -> None:
    """Another version may not take what an older one took."""
    errors = validate(version, settings).errors
    for name in touched:
        if name in errors:
            raise Invalid(errors[name], name)
