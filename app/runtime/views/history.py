"""What became of an environment's variables, and putting back what was before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications.queries import rights_on
from app.environments.access import load_environment
from app.environments.queries import list_environments
from app.errors import NotFound
from app.permissions import Permission
from app.runtime.cautions import Piece, pieces_of
from app.runtime.views.blueprint import blueprint
from app.transactions import unit_of_work
from app.variables.models import VariableChange
from app.variables.operations import undo_change
from app.variables.queries import find_change, list_changes, names_once_secret
from app.web.access import requires
from app.web.paging import paged

SHOWN = 120
"""Characters of a value that a line of the history shows."""


@dataclass(frozen=True)
class HistoryLine:
    """One change. Where the variable is or ever was a secret, both sides stay masked."""

    change: VariableChange
    is_masked: bool
    before: Sequence[Piece]
    after: Sequence[Piece]

    @property
    def kind(self) -> str:
        if self.change.before is None:
            return "added"
        return "removed" if self.change.after is None else "changed"


@blueprint.get("/environments/<name>/variables/history/")
@requires(Permission.VARIABLES_READ)
def variables_history(slug: str, name: str) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    words = request.args.get("q", "")
    page = paged(list_changes(environment.id, words))
    masked = names_once_secret([environment.id], {row.name for row in page.rows})
    return render_template(
        "runtime/variables_history.html",
        application=environment.application,
        environment=environment,
        environments=list_environments(environment.application_id),
        rights=rights_on(environment.application, signed_in()),
        page=page,
        lines=[_line(row, (environment.id, row.name) in masked) for row in page.rows],
        words=words,
    )


def _line(row: VariableChange, is_masked: bool) -> HistoryLine:
    if is_masked:
        return HistoryLine(row, True, (), ())
    before, after = pieces_of(row.before or "", SHOWN), pieces_of(row.after or "", SHOWN)
    return HistoryLine(row, False, before, after)


@blueprint.post("/environments/<name>/variables/history/<int:change_id>/undo/")
@requires(Permission.VARIABLES_UPDATE)
def undo_variable_change(slug: str, name: str, change_id: int) -> ResponseReturnValue:
    environment = load_environment(slug, name)
    with unit_of_work():
        change = find_change(environment.id, change_id)
        if change is None:
            raise NotFound(_("There is no such change."))
        undo_change(environment, change, signed_in())
        key = change.name
    words = _("%(key)s is as it was before. It takes effect at the next deployment.", key=key)
    flash(words, "success")
    return redirect(url_for("runtime.variables_history", slug=slug, name=name), 303)
