"""The marketplace: its list, an addon's page, and the way from there to a site."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.addons import marketplace
from app.addons.access import load_addon
from app.addons.forms import build_form
from app.addons.models import Addon, AddonVersion, Channel
from app.addons.queries import find_version, rights_on_addon
from app.addons.readmes import show_readme
from app.addons.rights import read_rights, words_of
from app.addons.versions import most_trusted, newest_first
from app.errors import NotFound
from app.permissions import Permission
from app.web.access import requires
from app.web.paging import paged

blueprint = Blueprint("marketplace", __name__, url_prefix="/marketplace")

PAGE_SIZE = 24


@blueprint.get("/")
@requires(Permission.ACCOUNT_OWN)
def addons() -> ResponseReturnValue:
    wanted = _wanted()
    page = paged(marketplace.find_addons(signed_in(), wanted), PAGE_SIZE)
    return render_template(
        "marketplace/list.html",
        page=page,
        offers=marketplace.load_offers(page.rows),
        categories=marketplace.list_categories(signed_in()),
        channels=list(Channel),
        wanted=wanted,
    )


def _wanted() -> marketplace.Wanted:
    words = request.args.get("q", "").strip()[:100]
    asked = [request.args.get(name, "") for name in ("whose", "category", "channel")]
    return marketplace.Wanted(words, *asked)


@blueprint.get("/<package_name>/")
@requires(Permission.ADDON_READ)
def addon(package_name: str) -> ResponseReturnValue:
    row = load_addon(package_name)
    shown = _shown_version(row)
    return render_template(
        "marketplace/addon.html",
        addon=row,
        rights=rights_on_addon(row, signed_in()),
        shown=shown,
        versions=newest_first(row.versions),
        sites_by_version=marketplace.count_sites_by_version(row.id),
        own_sites=marketplace.list_installed_sites(row, signed_in()),
        other_sites=marketplace.list_sites_without(row, signed_in()),
        **(_details_of(shown) if shown else {}),
    )


def _shown_version(addon: Addon) -> AddonVersion | None:
    """The one `?version=` names, otherwise the newest of the most trusted channel, yanked only if
    there is no other."""
    wanted = request.args.get("version")
    if wanted is None:
        return most_trusted(addon.versions) or next(iter(newest_first(addon.versions)), None)
    found = find_version(addon.id, wanted)
    if found is None:
        raise NotFound(_("There is no such version of it."))
    return found


def _details_of(version: AddonVersion) -> dict[str, Any]:
    """What was kept of the version at its upload; no addon is asked anything."""
    fields = version.fields
    return {
        "readme": show_readme(version),
        "sentences": words_of(read_rights(version.rights)),
        "form": build_form(fields, {}) if fields else None,
        "needs": version.facts.get("needs", []),
    }


@blueprint.get("/<package_name>/install/")
@requires(Permission.ADDON_INSTALL)
def install(package_name: str) -> ResponseReturnValue:
    """From the choice of a site to that site's own page, which asks for consent and installs."""
    row = load_addon(package_name)
    site = request.args.get("site", "")
    if not site:
        flash(_("Choose a site first."), "warning")
        return redirect(url_for("marketplace.addon", package_name=row.package_name), 303)
    there = url_for("site_addons.install", slug=site, package_name=row.package_name)
    return redirect(there, 303)
