"""Deploying chosen sites: a page to look it over, then all at once."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from app.accounts.access import signed_in
from app.errors import Invalid
from app.installation import installation
from app.overview.many import ENVIRONMENTS, deploy_all, load_candidates
from app.permissions import Permission
from app.web.access import requires

blueprint = Blueprint("many", __name__)


@blueprint.get("/applications/deploy/")
@requires(Permission.ACCOUNT_OWN)
def review() -> ResponseReturnValue:
    environment = _asked_environment(request.args.get("environment", ""))
    candidates = load_candidates(signed_in(), request.args.getlist("site"), environment)
    return render_template(
        "overview/deploy_many.html", candidates=candidates, environment=environment
    )


@blueprint.post("/applications/deploy/")
@requires(Permission.ACCOUNT_OWN)
def deploy() -> ResponseReturnValue:
    environment = _asked_environment(request.form.get("environment", ""))
    candidates = load_candidates(signed_in(), request.form.getlist("site"), environment)
    if not candidates:
        raise Invalid(_("Choose at least one site that you may deploy."))
    asked = deploy_all(candidates, installation().adapters.repositories, signed_in())
    if asked.requested:
        sentence = ngettext(
            "%(num)s deployment is on its way.",
            "%(num)s deployments are on their way.",
            asked.requested,
        )
        flash(sentence, "success")
    for name, sentence in asked.refused:
        flash(f"{name}: {sentence}", "danger")
    return redirect(url_for("overview.applications", state="running"), 303)


def _asked_environment(slug: str) -> str:
    if slug not in ENVIRONMENTS:
        raise Invalid(_("Choose Test or Live."))
    return slug
