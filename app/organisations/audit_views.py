"""The audit log of an organisation, its export, and a person's own acts."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.audit.exports import as_csv, as_json_lines
from app.audit.filters import Filter, read_filter
from app.audit.queries import list_actors, list_lines, stream_lines
from app.audit.words import GROUPS, OF_OPERATORS, facts, sentence
from app.errors import NotFound
from app.organisations.access import load_organisation
from app.permissions import Permission
from app.web.access import requires
from app.web.paging import paged

blueprint = Blueprint("audit", __name__)

blueprint.add_app_template_filter(sentence, "audit_sentence")
blueprint.add_app_template_filter(facts, "audit_facts")

TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


@blueprint.app_context_processor
def offer_groups() -> dict[str, object]:
    """For every page: the groups of acts that can be asked for."""
    return {"audit_groups": GROUPS, "audit_operator_groups": GROUPS | OF_OPERATORS}


@blueprint.get("/organisations/<slug>/audit/")
@requires(Permission.AUDIT_READ)
def lines(slug: str) -> ResponseReturnValue:
    organisation = load_organisation(slug)
    wanted = read_filter(request.args)
    return render_template(
        "organisations/audit.html",
        organisation=organisation,
        page=paged(list_lines(wanted, organisation_id=organisation.id)),
        wanted=wanted,
        actors=list_actors(organisation.id),
    )


@blueprint.get("/organisations/<slug>/audit/export.<kind>")
@requires(Permission.AUDIT_READ)
def export(slug: str, kind: str) -> ResponseReturnValue:
    organisation = load_organisation(slug)
    wanted = read_filter(request.args)
    return _file(kind, f"audit-{slug}", wanted, organisation.id)


def _file(kind: str, name: str, wanted: Filter, organisation_id: int) -> Response:
    """All that fits as a download, written while it is read."""
    if kind not in TYPES:
        raise NotFound(_("There is no such export."))
    found = stream_lines(list_lines(wanted, organisation_id=organisation_id))
    text: Iterator[str] = as_csv(found) if kind == "csv" else as_json_lines(found)
    answer = Response(stream_with_context(text), content_type=TYPES[kind])
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/account/activity/")
@requires(Permission.ACCOUNT_OWN)
def activity() -> ResponseReturnValue:
    wanted = read_filter(request.args)
    page = paged(list_lines(wanted, actor_id=signed_in().id))
    return render_template("accounts/activity.html", page=page, wanted=wanted)
