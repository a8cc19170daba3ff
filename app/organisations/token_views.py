"""A person's access tokens: made for all or one of their organisations, shown once, revoked."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts import operations
from app.accounts.access import signed_in
from app.accounts.forms import AccessTokenForm
from app.accounts.models import AccessToken
from app.errors import Invalid, NotFound
from app.organisations.models import Organisation
from app.organisations.queries import list_organisations
from app.permissions import Permission, Scope
from app.transactions import unit_of_work
from app.web.access import requires

blueprint = Blueprint("access_tokens", __name__, url_prefix="/account")


@blueprint.route("/access-tokens/", methods=["GET", "POST"])
@requires(Permission.ACCOUNT_OWN)
def access_tokens() -> ResponseReturnValue:
    return _show_tokens("organisations/access_tokens.html", AccessTokenForm())


@blueprint.route("/desktop-app/access-token/", methods=["GET", "POST"])
@requires(Permission.ACCOUNT_OWN)
def desktop_app() -> ResponseReturnValue:
    """What the command-line client opens in a browser when it is asked to sign in."""
    form = AccessTokenForm(name=_("Command line"))
    return _show_tokens("organisations/desktop_app.html", form)


def _show_tokens(template: str, form: AccessTokenForm) -> ResponseReturnValue:
    """The page; after a token was made, with its text, which is not to be had again."""
    mine = {row.slug: row for row in list_organisations(signed_in())}
    form, created = _offer(form, mine), None
    if form.validate_on_submit():
        chosen = mine.get(form.organisation.data)
        organisation_id = chosen.id if chosen else None
        try:
            created = _create(form, organisation_id)
            form = _offer(AccessTokenForm(formdata=None), mine)
        except Invalid as error:
            form.refuse(error)
    names = {row.id: row.name for row in mine.values()}
    return render_template(
        template,
        form=form,
        tokens=signed_in().access_tokens,
        names=names,
        created=created,
        host=request.host.partition(":")[0],  # ~/.netrc knows no ports
    )


def _offer(form: AccessTokenForm, mine: Mapping[str, Organisation]) -> AccessTokenForm:
    names = [(slug, row.name) for slug, row in mine.items()]
    form.organisation.choices = [("", _("All my organisations")), *names]
    return form


def _create(form: AccessTokenForm, organisation_id: int | None) -> tuple[AccessToken, str]:
    with unit_of_work():
        return operations.create_access_token(
            signed_in(),
            form.name.data,
            form.days.data or None,
            scope=Scope(form.scope.data),
            organisation_id=organisation_id,
        )


@blueprint.post("/access-tokens/<int:token_id>/revoke/")
@requires(Permission.ACCOUNT_OWN)
def revoke(token_id: int) -> ResponseReturnValue:
    with unit_of_work():
        token = next((row for row in signed_in().access_tokens if row.id == token_id), None)
        if token is None:
            raise NotFound(_("There is no such token."))
        operations.revoke_access_token(signed_in(), token)
    flash(_("The token is revoked. It opens nothing any more."), "success")
    return redirect(url_for("access_tokens.access_tokens"), 303)
