"""`opening-hours`: an uploaded addon with a field of every kind, asked in the real sandbox; and
what a person does with it in a browser without scripts."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

from app.accounts.models import User
from app.adapters.git import Author, RepositoryStore
from app.addons.api import Field, FieldType, Rights, Visibility
from app.addons.installing import carry_out, plan_install, plan_save
from app.addons.models import (
    AddonChange,
    AddonVersion,
    Audience,
    Channel,
    InstalledAddon,
    PackageKind,
)
from app.addons.queries import find_addon, find_installed
from app.applications.models import Application
from app.environments.models import TEST
from app.environments.queries import find_environment
from app.extensions import db
from app.organisations.models import Organisation
from app.repositories.queries import load_repository
from tests.addons.samples import add_version, make_addon
from tests.panel import ADAM, ALICE, DORA, EVE, Panel, Person, application, organisation, user_of

NAME = "opening-hours"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
SOURCE = """
from app.addons import api
@api.hookimpl
def addon_info():
    return api.AddonInfo("opening-hours", "Opening hours", "1.0", "Says when you are open.")
@api.hookimpl
def clean_settings(settings):
    if settings["notice"] == "boom":
        raise RuntimeError("a secret of the author")
    if settings["notice"] == "closed":
        raise api.SettingsError({"notice": "Say when you open again."})
    if settings["notice"] == "nonsense":
        raise api.SettingsError({"": "This does not go together."})
    return settings
@api.hookimpl
def contribute_variables(site):
    return (api.Variable("OPENING_DAYS", str(site.settings.get("days") or 0)),)
"""
FIELDS = (
    Field(
        "notice",
        "Notice",
        help_text='Shown <b>above</b> the hours. <a href="https://example.com/help">More</a>'
        + HOSTILE,
        max_length=80,
    ),
    Field("hours", "Hours", FieldType.LONG_TEXT, required=False),
    Field("is_shown", "Show them in the footer", FieldType.CHECKBOX, required=False),
    Field("days", "Days a week", FieldType.NUMBER, initial=5, min_value=1, max_value=7),
    Field(
        "style",
        "Style",
        FieldType.SELECT,
        initial="plain",
        choices=(("plain", "Plain"), ("boxed", f"In a box {HOSTILE}")),
    ),
    Field("picture", "Picture", FieldType.FILE, required=False, extensions=("svg",)),
    Field(
        "map_key",
        "Key of the map",
        required=False,
        variable="MAP_KEY",
        is_secret=True,
    ),
    Field("zone", "Time zone", required=False, initial="UTC", visibility=Visibility.ADVANCED),
    Field("raw", "Raw code", required=False, visibility=Visibility.DANGEROUS),
    Field("build", "Build", required=False, initial="fixed", is_read_only=True),
)
FIRST = {"notice": "Welcome", "days": 5, "style": "plain", "is_shown": False}
RIGHTS = Rights(writes_variables=("MAP_KEY", "OPENING_DAYS"))
WIDER = Rights(writes_variables=("MAP_KEY", "OPENING_DAYS"), has_release_commands=True)
ENTERED = {
    "setting-notice": "Closed in August",
    "setting-hours": "Mo–Fr 9–18",
    "setting-is_shown": "y",
    "setting-days": "6",
    "setting-style": "boxed",
    "setting-zone": "UTC",
}


def publish_addon(
    of: Organisation, actor: User, audience: Audience = Audience.ORGANISATION
) -> None:
    """Stable 1.0 in the marketplace of `of`; belongs into a unit of work."""
    addon = make_addon(of, actor, NAME, audience)
    addon.name, addon.summary = "Opening hours", "Says when you are open."
    publish_version(actor, "1.0", RIGHTS)


def publish_version(
    actor: User, number: str, rights: Rights, channel: Channel = Channel.STABLE
) -> AddonVersion:
    addon = find_addon(NAME)
    assert addon is not None
    version = add_version(addon, number, channel, FIELDS, rights)
    version.texts = {"configuration": SOURCE, "addon_json": "{}"}
    version.facts = {"needs": [], "warnings": [], "has_package": False}
    return version


def settle(panel: Panel) -> None:
    """`opening-hours` in the marketplace of Moon, and a first commit with a picture in `demo`."""
    with panel.work():
        publish_addon(organisation(), user_of(ALICE))
        commit_files(
            application(), panel.store, {"static/sign.svg": b"<svg/>", "static/a.txt": b""}
        )


def commit_files(
    site: Application,
    store: RepositoryStore,
    files: dict[str, bytes | None],
    branch: str = "main",
) -> str:
    """A developer's commit."""
    key = load_repository(site.id).uuid
    tip = store.resolve(key, branch)
    return store.commit(key, branch, files, "By hand", Author("Dev", "d@example.com"), expected=tip)


def install(panel: Panel, person: Person = ALICE) -> None:
    """Install it on `demo`, with the values of `FIRST`."""
    _install(panel, NAME, FIRST, person)


def _install(
    panel: Panel, name: str, settings: Mapping[str, object], person: Person = ALICE
) -> None:
    with panel.reading():
        addon, site, store = find_addon(name), application(), panel.store
        assert addon is not None
        version = addon.versions[0]
        carry_out(lambda: plan_install(site, version, settings, store), "", user_of(person), store)


def save(panel: Panel, person: Person = ALICE, name: str = NAME, **settings: object) -> None:
    """Save single settings, as somebody else does meanwhile."""
    with panel.reading():
        row, store = installed(name), panel.store
        carry_out(lambda: plan_save(row, settings, {}, store), "", user_of(person), store)


def save_secret(panel: Panel, value: str, person: Person = ALICE) -> None:
    with panel.reading():
        row, store, secrets = installed(), panel.store, {"map_key": value}
        carry_out(lambda: plan_save(row, {}, secrets, store), "", user_of(person), store)


def rows_only(version: AddonVersion, site: Application) -> None:
    """As if it were installed: nothing is in the repository."""
    db.session.add(
        InstalledAddon(application_id=site.id, addon_id=version.addon_id, version_id=version.id)
    )


def branch_off(panel: Panel, name: str) -> None:
    """A branch where `main` is now, as a developer pushes it."""
    with panel.reading():
        key = load_repository(application().id).uuid
        at = tip(panel)
    folder = next((panel.settings.data_dir / "repositories").glob(f"*/{key}.git"))
    subprocess.run(["git", "--git-dir", str(folder), "branch", name, at], check=True)


def installed(name: str = NAME) -> InstalledAddon:
    found = find_installed(application().id, name)
    assert found is not None
    return found


def tip(panel: Panel) -> str:
    """Of the branch that Test follows."""
    test = find_environment(application().id, TEST)
    assert test is not None
    found = panel.store.resolve(load_repository(application().id).uuid, test.branch)
    assert found is not None
    return found


def hidden(page: str, name: str) -> str:
    """The value of a hidden field of a page."""
    tag = re.search(rf'<input[^>]*name="{name}"[^>]*>', page)
    assert tag is not None, f"the page has no field {name}"
    value = re.search(r'value="([^"]*)"', tag[0])
    return value[1] if value else ""


def words_of(page: str) -> str:
    """What can be read on a page, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.split("<body>", 1)[1]).split())


SMALL, OTHER = "small", "other-small"
"""Installed on `demo`, and not; both private to Moon, and quick to ask."""
SMALL_SOURCE = """
from aldryn_client import forms
class Form(forms.BaseForm):
    title = forms.CharField("Title")
"""


def settle_small(panel: Panel) -> None:
    """`small` on `demo`, saved twice; `small` 1.1 and `other-small` in the marketplace of Moon."""
    with panel.work():
        for name in (SMALL, OTHER):
            addon = make_addon(organisation(), user_of(ALICE), name, Audience.ORGANISATION)
            for number in ("1.0", "1.1"):
                version = add_version(addon, number, Channel.STABLE, (Field("title", "Title"),))
                version.kind = PackageKind.ALDRYN
                version.texts = {"configuration": SMALL_SOURCE, "addon_json": "{}"}
    _install(panel, SMALL, {"title": "A"})
    for title in ("B", "C"):
        save(panel, name=SMALL, title=title)


FORMS = {
    "site_addons.install": {"channel": "stable", "version": "1.1", "setting-title": "New"},
    "site_addons.choose_channel": {"channel": "beta"},
    "site_addons.upgrade": {"version": "1.1"},
    "site_addons.remove": {"name": SMALL},
}
"""For the permission matrix: what acts take, with `settle_small`."""


IN_BOTH_FRAMES = "form fill history preview_undo undo publishing publish_to_test publish_to_live"
EXCEPTIONS = {
    # Whoever publishes says of which commit they were told: nobody was.
    **{
        (f"{frame}.publish_to_live", person): 409
        for frame in ("site_addons", "site_forms")
        for person in (ALICE, ADAM, DORA, EVE)
    },
    # An editor is led to the same page of the site.
    **{(f"site_addons.{name}", EVE): 307 for name in IN_BOTH_FRAMES.split()},
}


def address_of(endpoint: str) -> dict[str, object]:
    """For the permission matrix: what stands in the addresses of these pages."""
    if not endpoint.startswith(("site_addons.", "site_forms.")):
        return {}
    is_new = endpoint in ("site_addons.offer", "site_addons.install")
    newest = db.select(AddonChange.uuid).order_by(AddonChange.id.desc())
    return {
        "package_name": OTHER if is_new else SMALL,
        "change_uuid": db.session.scalars(newest).first(),
    }
