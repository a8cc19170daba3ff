"""The page on which a person deletes their account."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_limiter.util import get_remote_address
from flask_login import current_user, logout_user

from app.accounts.access import signed_in
from app.errors import Invalid
from app.lifecycle.account_deletion import delete_account as delete
from app.lifecycle.account_deletion import is_last_operator, list_holdings
from app.lifecycle.forms import AccountDeletionForm
from app.permissions import Permission
from app.transactions import unit_of_work
from app.web.access import requires
from app.web.extensions import limiter

blueprint = Blueprint("account_deletion", __name__, url_prefix="/account")

ATTEMPTS = "8 per minute"


def _person() -> str:
    return f"delete:{getattr(current_user, 'id', None) or get_remote_address()}"


@blueprint.route("/delete/", methods=["GET", "POST"])
@requires(Permission.ACCOUNT_OWN)
@limiter.limit(ATTEMPTS, key_func=_person, methods=["POST"])
def delete_account() -> ResponseReturnValue:
    form = AccountDeletionForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                delete(signed_in(), form.name.data, form.password.data)
            logout_user()
            session.clear()
            flash(_("Your account is deleted."), "success")
            return redirect(url_for("accounts.sign_in"), 303)
        except Invalid as error:
            form.refuse(error)
    return _show(form)


def _show(form: AccountDeletionForm) -> str:
    holdings = list_holdings(signed_in())
    return render_template(
        "lifecycle/delete_account.html",
        form=form,
        kept=[row for row in holdings if not row.is_theirs_alone],
        leaving=[row.organisation for row in holdings if row.is_theirs_alone],
        is_last_operator=is_last_operator(signed_in()),
    )
