"""Sites as real ones are laid out, and changes of their addons, for tests of installations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from app.adapters.git import Author
from app.addons.api import Field, FieldType, Rights
from app.addons.installing import Plan, carry_out
from app.addons.models import (
    Addon,
    AddonChange,
    AddonVersion,
    Audience,
    InstalledAddon,
    PackageKind,
)
from app.addons.queries import find_installed
from app.addons.rights import write_rights
from app.extensions import db
from app.repositories.queries import load_repository
from tests.addons.samples import make_addon
from tests.panel import ALICE, Panel, Person, application, organisation, user_of

NAME = "susan-news"
PUSHER = Author("Somebody", "somebody@example.com")
SITE_FILES: dict[str, bytes | None] = {
    "Dockerfile": b"""\
# <WARNING>
# </WARNING>

# <DOCKER_FROM>
# </DOCKER_FROM>

# <NPM>
# </NPM>

# <BOWER>
# </BOWER>

# <PYTHON>
# </PYTHON>

# <SOURCE>
# </SOURCE>

# <GULP>
# </GULP>

# <STATIC>
# </STATIC>
""",
    "settings.py": b"""\
# -*- coding: utf-8 -*-

INSTALLED_ADDONS = [
    # <INSTALLED_ADDONS>  # Warning: text inside the INSTALLED_ADDONS tags is auto-generated.
    'aldryn-addons',
    'aldryn-django',
    # </INSTALLED_ADDONS>
]

import aldryn_addons.settings
aldryn_addons.settings.load(locals())
""",
    "requirements.in": b"""\
# <INSTALLED_ADDONS>  # Warning: text inside the INSTALLED_ADDONS tags is auto-generated.
https://packages.example.com/aldryn-addons/1.0.2/u/a-1.0.2.tar.gz#egg=aldryn-addons==1.0.2
https://packages.example.com/aldryn-django/3.2/u/b-3.2.tar.gz#egg=aldryn-django==3.2
# </INSTALLED_ADDONS>
""",
    "addons/aldryn-django/settings.json": b'{\n    "hide_paths": ""\n}\n',
    "addons-dev/.empty": b"",
    "templates/base.html": b"<html>",
}
FIELDS = (
    Field("title", "Title of the page", initial="News"),
    Field("per_page", "Posts per page", FieldType.NUMBER, initial=10),
    Field("tags", "Tags", required=False),
    Field("is_open", "Open to all", FieldType.CHECKBOX, required=False, initial=False),
    Field("key", "Key of the service", required=False, variable="NEWS_KEY", is_secret=True),
)
FORM = "from aldryn_client import forms\n\n\nclass Form(forms.BaseForm):\n    pass\n"
TEMPLATES = {
    "susan_news/list.html": "<ul>",
    "susan_news/plugins/one.html": "<p>",
    "admin/base.html": "not this one",
}


def news_version(
    addon: Addon,
    number: str = "1.0",
    fields: Sequence[Field] = FIELDS,
    rights: Rights = Rights(),  # noqa: B008 - frozen
    **facts: Any,
) -> AddonVersion:
    """A version of an aldryn package, as an upload leaves it; its secrets are among its rights."""
    secret = tuple(field.variable for field in fields if field.is_secret)
    rights = replace(rights, writes_variables=(*rights.writes_variables, *secret))
    version = AddonVersion(
        version=number,
        kind=PackageKind.ALDRYN,
        form=msgspec.to_builtins(tuple(fields)),
        rights=write_rights(rights),
        facts={"inner_name": "susan_news", "needs": [], "has_package": True, **facts},
        texts={
            "addon_json": json.dumps({"package-name": addon.package_name, "installed-apps": []}),
            "configuration": FORM,
            "templates": TEMPLATES,
        },
    )
    addon.versions.append(version)
    db.session.flush()
    return version


def settle_site(panel: Panel, files: Mapping[str, bytes | None] = SITE_FILES) -> None:
    """`demo` with `files`, and the addon `susan-news` of Moon, not installed."""
    push(panel, files)
    with panel.work():
        addon = make_addon(organisation(), user_of(ALICE), NAME, Audience.ORGANISATION)
        news_version(addon)


def push(panel: Panel, files: Mapping[str, bytes | None], branch: str = "main") -> str:
    """What somebody pushes, without the panel hearing of it."""
    with panel.reading():
        key = load_repository(application().id).uuid
    tip = panel.store.resolve(key, branch)
    return panel.store.commit(key, branch, files, "Push", PUSHER, tip)


def file(panel: Panel, path: str) -> bytes | None:
    """A file at the tip of `demo`. Inside `reading()`."""
    key = load_repository(application().id).uuid
    tip = panel.store.resolve(key, "main")
    return panel.store.read_file(key, tip, path) if tip else None


def tip_of(panel: Panel) -> str | None:
    return panel.store.resolve(load_repository(application().id).uuid, "main")


def text(panel: Panel, path: str) -> str:
    content = file(panel, path)
    assert content is not None
    return content.decode()


def values(panel: Panel, name: str = NAME) -> Any:
    """What `settings.json` holds."""
    return json.loads(text(panel, f"addons/{name}/settings.json"))


def installed(name: str = NAME) -> InstalledAddon:
    found = find_installed(application().id, name)
    assert found is not None
    return found


def do(panel: Panel, plan: Any, seen: str = "", person: Person = ALICE) -> AddonChange:
    """Carry out what `plan()` plans. Inside `reading()`."""
    return carry_out(plan, seen, user_of(person), panel.store)


def paths_of(plan: Plan) -> list[str]:
    return sorted(plan.files)
