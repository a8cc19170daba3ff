"""Addons on the agency's site: saved, published, with an update, taken back by its author."""

from __future__ import annotations

import datetime

import msgspec
from flask import Flask

from app.accounts.models import User
from app.accounts.queries import find_user
from app.adapters.git import Author
from app.addons.api import Field, FieldType, Rights, Visibility
from app.addons.installing import carry_out, plan_install, plan_save
from app.addons.models import Addon, AddonVersion, Audience, Channel, PackageKind
from app.addons.operations import AddonSettings, NewAddon, register_addon, update_addon
from app.addons.queries import find_addon, find_installed
from app.addons.rights import write_rights
from app.applications.models import Application
from app.applications.queries import find_application
from app.deployments.models import CurrentRelease
from app.environments.queries import list_environments
from app.extensions import db, now
from app.installation import installation
from app.organisations.models import Organisation
from app.publishing.queries import newest_changes
from app.repositories.operations import mark_deployed, refresh_branch
from app.repositories.queries import load_repository
from app.transactions import unit_of_work
from tests.browser.seeding_people import EDITOR

NOTICE, MAP, BANNER = "northlight-notice", "northlight-map", "northlight-banner"
SITE = "riverside-bakery"
UNDOABLE = "c0ffee00-0000-4000-8000-000000000001"
"""The newest save of the notice."""
FIELDS = (
    Field(
        "notice",
        "Notice",
        help_text='One line above the hours. <a href="https://example.com/notices">Good ones</a> '
        "are short.",
        initial="Fresh bread from six in the morning",
        max_length=80,
    ),
    Field(
        "hours",
        "Opening hours",
        FieldType.LONG_TEXT,
        initial="Mon–Fri 6:00–18:30\nSat 7:00–16:00",
        help_text="One line a day.",
    ),
    Field("is_shown", "Show them at the bottom of every page", FieldType.CHECKBOX, required=False),
    Field(
        "style",
        "Shown as",
        FieldType.SELECT,
        initial="table",
        choices=(("table", "A table"), ("list", "A list")),
    ),
    Field("days", "Say so this many days ahead", FieldType.NUMBER, initial=3, max_value=14),
    Field("picture", "Picture", FieldType.FILE, required=False, extensions=("svg", "jpg")),
    Field("key", "Key of the map", variable="MAP_KEY", required=False, is_secret=True),
    Field(
        "zone",
        "Time zone",
        required=False,
        initial="Europe/Zurich",
        visibility=Visibility.ADVANCED,
    ),
    Field("code", "Own HTML", required=False, visibility=Visibility.DANGEROUS),
)
CODE = """\
from app.addons import api
@api.hookimpl
def addon_info():
    return api.AddonInfo("notice", "Notice", "1.0.0", "Says what is new.")
@api.hookimpl
def clean_settings(settings):
    if settings["notice"] == "closed":
        raise api.SettingsError({"notice": "Say when you open again."})
    return settings
"""
FILES = {
    "requirements.in": b"# <INSTALLED_ADDONS>\n# </INSTALLED_ADDONS>\n",
    "static/sign.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
}


def seed_site_addons(app: Flask, owner_email: str) -> None:
    """Outside of a unit of work: addons are installed as people do it."""
    with app.app_context():
        owner, editor, site = find_user(owner_email), find_user(EDITOR), find_application(SITE)
        assert owner and editor and site
        with unit_of_work():
            publish(site.organisation, owner)
            _commit(site)
        for name in (NOTICE, MAP, BANNER):
            _install(site, name, owner)
        with unit_of_work():
            _deploy_all(site)
        _save(site, MAP, owner, is_shown=True)
        with unit_of_work():
            _deploy_test(site)
        _save(site, NOTICE, owner, style="list", days=7)
        _save(site, NOTICE, editor, notice="Closed from 1 to 15 August", is_shown=True)
        with unit_of_work():
            _pass_time(site)


def publish(agency: Organisation, owner: User) -> None:
    """Three addons; of one there is a newer version, another was yanked."""
    for name, title, summary in (
        (NOTICE, "Opening hours", "Says when you are open, and what is new."),
        (MAP, "Map", "Shows the way to you."),
        (BANNER, "Banner", "A strip across the top, for sales and warnings."),
    ):
        addon = register_addon(NewAddon(name, title, "BSD-3-Clause"), agency, owner)
        wanted = AddonSettings(title, summary, "BSD-3-Clause", Audience.ORGANISATION)
        update_addon(addon, wanted, owner)
        version = _version(addon, "1.0.0", Rights(writes_variables=("MAP_KEY",)))
        if name == BANNER:
            version.form = []


def _version(addon: Addon, number: str, rights: Rights) -> AddonVersion:
    row = AddonVersion(
        version=number,
        kind=PackageKind.PLUGIN,
        channel=Channel.STABLE,
        changes="Says what is new this week.\nFaster on phones.",
        form=msgspec.to_builtins(FIELDS),
        rights=write_rights(rights),
        facts={"needs": [], "warnings": [], "has_package": True},
        texts={"configuration": CODE, "addon_json": "{}"},
    )
    addon.versions.append(row)
    db.session.flush()
    return row


def _commit(site: Application) -> None:
    store, key = installation().adapters.repositories, load_repository(site.id).uuid
    tip = store.resolve(key, "main")
    author = Author("Jonas Weber", "jonas@northlight.example")
    store.commit(key, "main", FILES, "Make room for addons", author, expected=tip)


def _install(site: Application, name: str, actor: User) -> None:
    addon, store = find_addon(name), installation().adapters.repositories
    assert addon is not None
    version = addon.versions[0]
    carry_out(lambda: plan_install(site, version, {}, store), "", actor, store)


def _save(site: Application, name: str, actor: User, **settings: object) -> None:
    row, store = find_installed(site.id, name), installation().adapters.repositories
    assert row is not None
    carry_out(lambda: plan_save(row, settings, {}, store), "", actor, store)


def _deploy_all(site: Application) -> None:
    for environment in list_environments(site.id)[:2]:
        _mark(site, environment.slug)


def _deploy_test(site: Application) -> None:
    _mark(site, "test")


def _mark(site: Application, slug: str) -> None:
    """As if it had been deployed just now."""
    store, key = installation().adapters.repositories, load_repository(site.id).uuid
    row = next(row for row in list_environments(site.id) if row.slug == slug)
    tip = store.resolve(key, row.branch)
    assert tip is not None
    refresh_branch(row, store)
    mark_deployed(row, tip, store)
    current = db.session.scalar(
        db.select(CurrentRelease).where(CurrentRelease.environment_id == row.id)
    )
    if slug == "live" and current is not None:
        item = {"label": "Edit the shop's texts", "path": "/admin/"}
        current.release.contributions = {"navigation": [item]}


def _pass_time(site: Application) -> None:
    """A newer version came out, another was taken back, and not all was done just now."""
    notice, banner = find_addon(NOTICE), find_addon(BANNER)
    assert notice and banner
    rights = Rights(writes_variables=("MAP_KEY",), has_release_commands=True)
    _version(notice, "1.1.0", rights)
    banner.versions[0].yanked_at = now()
    banner.versions[0].yank_reason = "It shows the banner of another shop."
    rows = [find_installed(site.id, name) for name in (NOTICE, MAP, BANNER)]
    changes = newest_changes([row.id for row in rows if row])
    assert rows[0] is not None
    changes[rows[0].id].uuid = UNDOABLE
    for number, change in enumerate(changes.values()):
        change.created_at = now() - datetime.timedelta(hours=1 + 20 * number)
