"""Addons, their versions, who works on them, and where they are installed."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import JSON, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import User
from app.addons import api
from app.applications.models import Application
from app.extensions import Base, Numbered, Outside
from app.organisations.models import Organisation


class Audience(StrEnum):
    """Who finds an addon in the marketplace and may install it."""

    PUBLIC = "public"
    ORGANISATION = "organisation"
    """All members of its organisation."""
    PRIVATE = "private"
    """Its collaborators, and the owners and administrators of its organisation."""


class Channel(StrEnum):
    """How far a version is trusted: it begins as Alpha, its authors move it."""

    ALPHA = "alpha"
    BETA = "beta"
    STABLE = "stable"


class PackageKind(StrEnum):
    """On which contract a version was written."""

    PLUGIN = "plugin"
    """`plugin.py` on the hooks of `app.addons.api`."""
    ALDRYN = "aldryn"
    """`aldryn_config.py` with a `Form`, or without any configuration."""


class Addon(Numbered, Outside, Base):
    """A package by its name, unique over the installation. One that comes with Moonbase belongs
    to no organisation: nobody may change it here."""

    __tablename__ = "addons"

    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisations.id"), index=True)
    package_name: Mapped[str] = mapped_column(unique=True)
    """`a-z 0-9 -`."""
    folded_name: Mapped[str] = mapped_column(unique=True)
    """The package name with look-alikes made one: `1`, `l` and `i`, `0` and `o`, without dashes."""
    name: Mapped[str]
    summary: Mapped[str] = mapped_column(default="")
    licence: Mapped[str] = mapped_column(default="")
    author: Mapped[str] = mapped_column(default="")
    categories: Mapped[list[str]] = mapped_column(JSON, default=list)
    audience: Mapped[Audience] = mapped_column(default=Audience.PRIVATE)
    registered_by_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL")
    )

    organisation: Mapped[Organisation | None] = relationship()
    versions: Mapped[list[AddonVersion]] = relationship(
        back_populates="addon", cascade="all, delete-orphan", order_by="AddonVersion.id"
    )
    collaborators: Mapped[list[AddonCollaborator]] = relationship(
        back_populates="addon", cascade="all, delete-orphan", order_by="AddonCollaborator.id"
    )

    @property
    def is_built_in(self) -> bool:
        return self.organisation_id is None


class AddonCollaborator(Numbered, Base):
    """A member of the addon's organisation who works on it (checklist Part 3)."""

    __tablename__ = "addon_collaborators"
    __table_args__ = (UniqueConstraint("addon_id", "user_id"),)

    addon_id: Mapped[int] = mapped_column(ForeignKey("addons.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id", ondelete="CASCADE"), index=True)
    """The right ends with the membership."""
    can_update: Mapped[bool] = mapped_column(default=False)

    addon: Mapped[Addon] = relationship(back_populates="collaborators")
    user: Mapped[User] = relationship()


class AddonVersion(Numbered, Outside, Base):
    """One upload; never changed afterwards but for its channel and a yank. `uuid` is the secret
    part of the address at which its package is fetched."""

    __tablename__ = "addon_versions"
    __table_args__ = (UniqueConstraint("addon_id", "version"),)

    addon_id: Mapped[int] = mapped_column(ForeignKey("addons.id", ondelete="CASCADE"))
    version: Mapped[str]
    kind: Mapped[PackageKind]
    channel: Mapped[Channel] = mapped_column(default=Channel.ALPHA)
    uploaded_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    archive_bytes: Mapped[int] = mapped_column(default=0)
    archive_sha256: Mapped[str] = mapped_column(default="")
    """Of the uploaded archive; empty for what comes with Moonbase."""
    changes: Mapped[str] = mapped_column(Text, default="")
    """What is new in it, in the words of its author."""
    yanked_at: Mapped[datetime.datetime | None]
    yank_reason: Mapped[str] = mapped_column(default="")
    form: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """The fields of its form, as JSON; `fields` reads them."""
    rights: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What it asks for, as `app.addons.rights` reads and writes it."""
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Small facts of the package: `installed_apps`, `needs`, `inner_name`, `warnings`."""
    texts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, deferred=True)
    """Its files that the panel hands on: `addon_json`, `configuration` (the source of
    `aldryn_config.py` or `plugin.py`), `readme`, `licence`, `templates` (path to text)."""

    addon: Mapped[Addon] = relationship(back_populates="versions")
    uploaded_by: Mapped[User | None] = relationship()

    @property
    def fields(self) -> tuple[api.Field, ...]:
        """The fields of its form, as they were described at the upload."""
        return msgspec.convert(self.form, tuple[api.Field, ...], strict=True)

    @property
    def is_yanked(self) -> bool:
        return self.yanked_at is not None


class AddonFailure(Numbered, Base):
    """A question a version could not answer, for its authors: the newest few are kept."""

    __tablename__ = "addon_failures"
    __table_args__ = (Index("ix_addon_failures_version_id_id", "version_id", "id"),)

    version_id: Mapped[int] = mapped_column(ForeignKey("addon_versions.id", ondelete="CASCADE"))
    question: Mapped[str]
    sentence: Mapped[str]
    detail: Mapped[str] = mapped_column(Text, default="", deferred=True)
    """The traceback, for its authors only."""


class InstalledAddon(Numbered, Outside, Base):
    """An addon in an application. Which version a commit has stands in the commit
    (`addons/<name>/addon.json`); this is what the branch of Test has."""

    __tablename__ = "installed_addons"
    __table_args__ = (UniqueConstraint("application_id", "addon_id"),)

    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"))
    addon_id: Mapped[int] = mapped_column(ForeignKey("addons.id"), index=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("addon_versions.id"), index=True)
    channel: Mapped[Channel] = mapped_column(default=Channel.STABLE)
    """Which versions the site is told of: this channel's, and those trusted more."""
    consented: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """The rights people agreed to."""
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What `settings.json` holds at the tip of the Test branch, as the panel wrote it."""
    contributed: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What it answered at its last change, as `app.addons.installing.contributed` reads and writes
    it: a change of one addon does not ask all the others again."""
    removed_at: Mapped[datetime.datetime | None]
    """Kept after the removal: older commits, and Live behind Test, still hold the addon."""

    application: Mapped[Application] = relationship()
    addon: Mapped[Addon] = relationship()
    version: Mapped[AddonVersion] = relationship()


class ChangeKind(StrEnum):
    """What was done to an addon of a site."""

    INSTALL = "install"
    SAVE = "save"
    UPGRADE = "upgrade"
    UNDO = "undo"
    REMOVE = "remove"


class AddonChange(Numbered, Outside, Base):
    """One commit of the panel for an addon: the history people see, and undo from."""

    __tablename__ = "addon_changes"

    installed_id: Mapped[int] = mapped_column(
        ForeignKey("installed_addons.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[ChangeKind]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    actor_name: Mapped[str]
    commit: Mapped[str]
    """The sha; the one before when nothing but secrets changed."""
    before: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    after: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Settings; without secrets."""
    secrets: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Names of the fields whose secret was changed."""
    version_before: Mapped[str] = mapped_column(default="")
    version_after: Mapped[str] = mapped_column(default="")

    installed: Mapped[InstalledAddon] = relationship()
