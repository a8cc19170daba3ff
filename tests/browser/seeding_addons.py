"""Addons in the marketplace: in each channel, yanked, with and without a version, on sites."""

from __future__ import annotations

import datetime

import msgspec

from app.accounts.models import User
from app.addons.api import Field, FieldType, Rights, Slot
from app.addons.models import (
    Addon,
    AddonFailure,
    AddonVersion,
    Audience,
    Channel,
    InstalledAddon,
    PackageKind,
)
from app.addons.operations import (
    AddonSettings,
    NewAddon,
    register_addon,
    set_addon_collaborator,
    update_addon,
    yank_version,
)
from app.addons.packages.readme import render_readme
from app.addons.rights import write_rights
from app.applications.queries import find_application
from app.extensions import db, now
from app.organisations.models import Organisation

HOURS = "northlight-opening-hours"
EMPTY = "northlight-donations"
YANKED = "1.1.0"
FIELDS = (
    Field("heading", "Heading", initial="Opening hours", max_length=60),
    Field(
        "week",
        "Hours",
        FieldType.LONG_TEXT,
        help_text="One line a day, e.g. <code>Mon 9–18</code>. Closed days are left out.",
    ),
    Field(
        "style",
        "Shown as",
        FieldType.SELECT,
        initial="table",
        choices=(("table", "A table"), ("list", "A list"), ("line", "One line")),
    ),
    Field("holidays", "Close on public holidays", FieldType.CHECKBOX, required=False),
    Field("maps_key", "Key of the map service", variable="MAPS_KEY", is_secret=True),
)
RIGHTS = Rights(
    reads_variables=("SITE_NAME",),
    writes_variables=("MAPS_KEY",),
    slots=(Slot.NPM, Slot.STATIC),
    processes=("holidays",),
    files=("static/hours/",),
    has_requirements=True,
)
README = """\
Opening hours
=============

Shows when a shop is open, on any page, and closes it on public holidays.

* reads well on a phone
* says “open now” in the visitor's language

Use it
------

Put this into a template::

    {% load opening_hours %}
    {% opening_hours %}

See the `documentation <https://example.com/hours>`_ for more.
"""
TRACE = """\
Traceback (most recent call last):
  File "aldryn_config.py", line 31, in clean
    day, times = line.split(" ", 1)
ValueError: not enough values to unpack (expected 2, got 1)
"""


def seed_addons(agency: Organisation, owner: User, dev: User, guest: User) -> None:
    """Three of the agency's, the first of them on sites."""
    hours = _addon(agency, owner, HOURS, "Opening hours", Audience.PUBLIC)
    hours.categories = ["content", "shops"]
    set_addon_collaborator(hours, guest.email, True, owner)
    for days, number, channel, changes in (
        (70, "1.0.0", Channel.STABLE, "The first one."),
        (40, YANKED, Channel.STABLE, "Public holidays of 30 countries."),
        (31, "1.1.1", Channel.STABLE, "Hours after midnight are shown on the right day.\nFaster."),
        (6, "1.2.0", Channel.BETA, "Says “open now” in the visitor's language."),
        (1, "2.0.0a1", Channel.ALPHA, "Several shops on one site."),
    ):
        row = _version(hours, number, channel, dev if days % 2 else owner)
        row.changes, row.created_at = changes, now() - datetime.timedelta(days=days)
    versions = {row.version: row for row in hours.versions}
    yank_version(versions[YANKED], "Shops were closed on 29 February.", owner)
    _fail(versions["2.0.0a1"])
    for slug, number in (
        ("city-museum", "1.1.1"),
        ("alpine-library", "1.1.1"),
        ("zoe-notaries", YANKED),
        ("harbour-lights", "1.0.0"),
    ):
        _install(versions[number], slug)
    menu = _addon(agency, owner, "northlight-menu", "Menu of the day", Audience.ORGANISATION)
    _version(menu, "0.3.0", Channel.BETA, dev)
    _addon(agency, owner, EMPTY, "Donations", Audience.PRIVATE)


def _addon(agency: Organisation, owner: User, name: str, title: str, audience: Audience) -> Addon:
    summary = {
        HOURS: "Shows when you are open, on any page, holidays included.",
        "northlight-menu": "Today's dishes, filled in from a phone in a minute.",
    }.get(name, "")
    addon = register_addon(NewAddon(name, title, "BSD-3-Clause"), agency, owner)
    update_addon(addon, AddonSettings(title, summary, "BSD-3-Clause", audience), owner)
    return addon


def _version(addon: Addon, number: str, channel: Channel, who: User) -> AddonVersion:
    row = AddonVersion(
        version=number,
        kind=PackageKind.PLUGIN,
        channel=channel,
        uploaded_by_id=who.id,
        archive_bytes=48_213,
        archive_sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        form=msgspec.to_builtins(FIELDS),
        rights=write_rights(RIGHTS),
        facts={"needs": ["django"], "warnings": [], "has_package": True},
        texts={"readme_html": render_readme(README, "README.rst")},
    )
    addon.versions.append(row)
    db.session.flush()
    return row


def _fail(version: AddonVersion) -> None:
    version.facts = version.facts | {"warnings": ["README.rst: It is empty: say what it does."]}
    for question, sentence in (
        ("validate", "The form could not be checked: the addon's own code failed."),
        ("contribute", "The addon took longer than 10 seconds."),
    ):
        detail = TRACE if question == "validate" else ""
        row = AddonFailure(
            version_id=version.id, question=question, sentence=sentence, detail=detail
        )
        db.session.add(row)


def _install(version: AddonVersion, slug: str) -> None:
    site = find_application(slug)
    assert site is not None, slug
    row = InstalledAddon(application_id=site.id, addon_id=version.addon_id, version_id=version.id)
    db.session.add(row)
    db.session.flush()
