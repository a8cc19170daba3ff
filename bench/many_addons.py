"""Sites with many addons, filled straight into rows and one commit each."""

from __future__ import annotations

import json

import msgspec

from app.adapters.git import Author
from app.addons.api import Field, FieldType
from app.addons.installing import carry_out, plan_install
from app.addons.models import (
    Addon,
    AddonVersion,
    Audience,
    Channel,
    InstalledAddon,
    PackageKind,
)
from app.applications.models import Application
from app.applications.queries import find_application
from app.extensions import db
from app.repositories.queries import load_repository
from tests.addons.samples import make_addon
from tests.panel import ALICE, Panel, make_application, organisation, user_of

MEASURED = "measured-news"
SOURCE = """
from aldryn_client import forms
class Form(forms.BaseForm):
    title = forms.CharField("Title", max_length=80, initial="News")
    per_page = forms.NumberField("Posts per page", required=False, initial=10)
    is_open = forms.CheckboxField("Open to all", required=False, initial=False)
    tags = forms.CharField("Tags", required=False)
    def clean(self):
        data = super().clean()
        if data.get("title") == "refused":
            raise forms.ValidationError("Not this title.")
        return data
"""
FIELDS = (
    Field("title", "Title", max_length=80, initial="News"),
    Field("per_page", "Posts per page", FieldType.NUMBER, required=False, initial=10),
    Field("is_open", "Open to all", FieldType.CHECKBOX, required=False, initial=False),
    Field("tags", "Tags", required=False, initial=""),
)
AUTHOR = Author("Somebody", "somebody@example.com")


def fill(panel: Panel, sites: list[str], count: int) -> None:
    """Make `sites`, each with `MEASURED` and `count - 1` other addons."""
    with panel.work():
        for slug in sites:
            make_application(panel, slug, organisation(), user_of(ALICE))
        measured = _make_version(MEASURED)
        others = [_make_version(f"other-addon-{number}") for number in range(1, count)]
        measured_id, other_ids = measured.id, [row.id for row in others]
    for slug in sites:
        _commit(panel, slug, [f"other-addon-{number}" for number in range(1, count)])
        with panel.reading():
            _install(panel, slug, measured_id)
        with panel.work():
            _add_rows(_site(slug), other_ids)


def _make_version(name: str) -> AddonVersion:
    addon: Addon = make_addon(organisation(), user_of(ALICE), name, Audience.ORGANISATION)
    row = AddonVersion(
        version="1.0",
        kind=PackageKind.ALDRYN,
        channel=Channel.STABLE,
        form=msgspec.to_builtins(FIELDS),
        facts={"inner_name": name.replace("-", "_"), "needs": [], "warnings": []},
        texts={
            "addon_json": json.dumps({"package-name": name, "installed-apps": []}),
            "configuration": SOURCE,
            "templates": {},
        },
    )
    addon.versions.append(row)
    db.session.flush()
    return row


def _commit(panel: Panel, slug: str, names: list[str]) -> None:
    """A site as developers have it, with all these addons in its files."""
    listed = "".join(f"    '{name}',\n" for name in names)
    files: dict[str, bytes | None] = {
        "settings.py": (
            f"INSTALLED_ADDONS = [\n    # <INSTALLED_ADDONS>\n{listed}"
            "    # </INSTALLED_ADDONS>\n]\n"
        ).encode(),
        "requirements.in": b"# <INSTALLED_ADDONS>\n# </INSTALLED_ADDONS>\n",
    }
    for name in names:
        words = {"package-name": name, "installed-apps": [], "version": "1.0"}
        files[f"addons/{name}/addon.json"] = json.dumps(words).encode()
        files[f"addons/{name}/aldryn_config.py"] = SOURCE.encode()
        files[f"addons/{name}/settings.json"] = json.dumps({"title": "News"}).encode()
    with panel.reading():
        key = load_repository(_site(slug).id).uuid
    tip = panel.store.resolve(key, "main")
    panel.store.commit(key, "main", files, "Many addons", AUTHOR, tip)


def _install(panel: Panel, slug: str, version_id: int) -> None:
    version = db.session.get_one(AddonVersion, version_id)
    site = _site(slug)
    settings = {field.name: field.initial for field in FIELDS}
    carry_out(
        lambda: plan_install(site, version, settings, panel.store),
        "",
        user_of(ALICE),
        panel.store,
    )


def _add_rows(site: Application, version_ids: list[int]) -> None:
    for number in version_ids:
        version = db.session.get_one(AddonVersion, number)
        row = InstalledAddon(application_id=site.id, addon_id=version.addon_id, version_id=number)
        row.settings = {"title": "News"}
        db.session.add(row)


def _site(slug: str) -> Application:
    found = find_application(slug)
    assert found is not None
    return found
