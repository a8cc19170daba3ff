"""`opening-hours`: an uploaded addon with a field of every kind, asked in the real sandbox; and
what a person does with it in a browser without scripts."""

from __future__ import annotations

import re

from app.accounts.models import User
from app.adapters.git import Author, RepositoryStore
from app.addons.api import Field, FieldType, Rights, Visibility
from app.addons.installing import carry_out, plan_install, plan_save
from app.addons.models import AddonVersion, Audience, Channel, InstalledAddon
from app.addons.queries import find_addon, find_installed
from app.applications.models import Application
from app.environments.models import TEST
from app.environments.queries import find_environment
from app.organisations.models import Organisation
from app.repositories.queries import load_repository
from tests.addons.samples import add_version, make_addon
from tests.panel import ALICE, Panel, Person, application, organisation, user_of

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
    """Install it on `demo` with initial values."""
    with panel.reading():
        addon = find_addon(NAME)
        assert addon is not None
        site, version = application(), addon.versions[0]
        settings = {"notice": "Welcome", "days": 5, "style": "plain", "is_shown": False}
        carry_out(
            lambda: plan_install(site, version, settings, panel.store),
            "",
            user_of(person),
            panel.store,
        )


def save(panel: Panel, person: Person = ALICE, **settings: object) -> None:
    """Save single settings as somebody else does meanwhile."""
    with panel.reading():
        row = installed()
        carry_out(
            lambda: plan_save(row, settings, {}, panel.store), "", user_of(person), panel.store
        )


def installed() -> InstalledAddon:
    found = find_installed(application().id, NAME)
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
