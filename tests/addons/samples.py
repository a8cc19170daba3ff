"""Addons as rows, for tests of pages: no archive and no sandbox. All belong into a unit of work."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.accounts.models import User
from app.addons.api import Field, Rights
from app.addons.models import (
    Addon,
    AddonFailure,
    AddonVersion,
    Audience,
    Channel,
    InstalledAddon,
    PackageKind,
)
from app.addons.operations import NewAddon, register_addon, set_addon_collaborator
from app.addons.queries import find_addon
from app.addons.rights import write_rights
from app.applications.models import Application
from app.extensions import db
from app.organisations.models import Organisation
from tests.panel import ALICE, BOB, DORA, Panel, organisation, user_of

NAME = "moon-forms"
FIELDS = (
    Field("title", "Title", help_text="Shown <b>above</b> the form.<script>alert(1)</script>"),
    Field("spam_key", "Spam key", required=False, variable="SPAM_KEY", is_secret=True),
)
RIGHTS = Rights(writes_variables=("SPAM_KEY",), processes=("mailer", "cleaner"))


def make_addon(
    of: Organisation, actor: User, package_name: str = NAME, audience: Audience = Audience.PRIVATE
) -> Addon:
    """An addon without a version."""
    words = package_name.replace("-", " ").capitalize()
    wanted = NewAddon(package_name, words, "MIT", f"What {words} does.", audience)
    return register_addon(wanted, of, actor)


def add_version(
    addon: Addon,
    number: str = "1.0",
    channel: Channel = Channel.STABLE,
    fields: Sequence[Field] = (),
    rights: Rights = Rights(),  # noqa: B008 - frozen
) -> AddonVersion:
    """A version as an upload leaves it."""
    version = AddonVersion(
        version=number,
        kind=PackageKind.PLUGIN,
        channel=channel,
        changes=f"New in {number}.",
        form=msgspec.to_builtins(tuple(fields)),
        rights=write_rights(rights),
        facts={"needs": [], "warnings": [], "has_package": True},
        texts={"readme_html": f"<h1>Readme</h1><p>Of {number}.</p>"},
    )
    addon.versions.append(version)
    db.session.flush()
    return version


def install(version: AddonVersion, application: Application) -> InstalledAddon:
    """The row only: nothing is written into the repository."""
    row = InstalledAddon(
        application_id=application.id, addon_id=version.addon_id, version_id=version.id
    )
    db.session.add(row)
    db.session.flush()
    return row


def settle_addon(actor: User) -> Addon:
    """`moon-forms`, private to Moon: Dora can update it, Bob may use it; Alpha 1.1 and Stable 1.0,
    which has a form and rights, and failed once."""
    addon = make_addon(organisation(), actor)
    set_addon_collaborator(addon, DORA.email, True, actor)
    set_addon_collaborator(addon, BOB.email, False, actor)
    version = add_version(addon, "1.0", Channel.STABLE, FIELDS, RIGHTS)
    add_version(addon, "1.1", Channel.ALPHA)
    trace = "Traceback: the author's secret path"
    row = AddonFailure(
        version_id=version.id, question="validate", sentence="It broke.", detail=trace
    )
    db.session.add(row)
    return addon


def addon_of(package_name: str = NAME) -> Addon:
    """The addon's row."""
    found = find_addon(package_name)
    assert found is not None
    return found


def settle(panel: Panel) -> None:
    """`settle_addon` in a unit of work of its own."""
    with panel.work():
        settle_addon(user_of(ALICE))
