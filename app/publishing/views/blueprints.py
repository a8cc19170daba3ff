"""The two frames in which people meet the addons of a site, and loading what a page is about.

Whoever builds sites sees them among the pages of the application, whoever fills them in among
“Your sites”. Pages for both have the same function, registered on both blueprints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.adapters.git import RepositoryStore
from app.addons.models import Addon, InstalledAddon
from app.addons.queries import find_addon, find_installed, rights_on_addon
from app.applications.access import load_application
from app.applications.models import Application
from app.applications.queries import rights_on
from app.errors import NotAllowed, NotFound
from app.installation import installation
from app.permissions import Permission
from app.publishing.notices import addon_notice
from app.web.access import hide

application_pages = Blueprint("site_addons", __name__, url_prefix="/applications/<slug>")
site_pages = Blueprint("site_forms", __name__, url_prefix="/sites/<slug>")


@application_pages.app_context_processor
def offer_notice() -> dict[str, Any]:
    """For the dashboard, a page of a room below this one: `addon_notice(application)`."""
    return {"addon_notice": addon_notice}


@dataclass(frozen=True)
class Desk:
    """The site a page is about, in its frame."""

    application: Application
    rights: frozenset[Permission]
    is_technical: bool
    """Among the pages of the application, where Git has its name."""

    @property
    def may_see_code(self) -> bool:
        return self.is_technical and Permission.REPOSITORY_READ in self.rights

    def show(self, template: str, **found: object) -> str:
        layout = "_layout/application.html" if self.is_technical else "publishing/_site.html"
        return render_template(
            template,
            layout=layout,
            application=self.application,
            rights=self.rights,
            is_technical=self.is_technical,
            may_see_code=self.may_see_code,
            **found,
        )


def open_desk(slug: str) -> Desk:
    """The application, if the person has the right the endpoint names. Who may not look at
    applications is led to the same page of the site, with what they have sent."""
    application = load_application(slug)
    rights = rights_on(application, signed_in())
    is_technical = request.blueprint == application_pages.name
    if is_technical and Permission.APPLICATION_READ not in rights:
        name = str(request.endpoint).partition(".")[2]
        abort(redirect(url_for(f"{site_pages.name}.{name}", **(request.view_args or {})), 307))
    return Desk(application, rights, is_technical)


def load_installed(desk: Desk, package_name: str) -> InstalledAddon:
    """The addon of that name in the site, or `NotFound`."""
    found = find_installed(desk.application.id, package_name)
    if found is None:
        raise NotFound(_("This site has no addon of that name."))
    return found


def load_offered(package_name: str) -> Addon:
    """An addon the person may install or upgrade (checklist Part 3): `NotFound` when they may not
    know of it."""
    addon = find_addon(package_name)
    rights = rights_on_addon(addon, signed_in()) if addon else frozenset()
    if addon is None or not rights:
        raise hide("addon")
    if Permission.ADDON_INSTALL not in rights:
        raise NotAllowed(_("You may look at this addon, but not install it."))
    return addon


def repositories() -> RepositoryStore:
    return installation().adapters.repositories


def tell(sentence: str, notes: Sequence[str] = ()) -> None:
    """What was done, and beside it what those who look after the files should know."""
    flash(sentence, "success")
    for note in notes:
        flash(note, "warning")
