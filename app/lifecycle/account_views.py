"""The page on which a person deletes their account."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import logout_user

from app.accounts.access import signed_in
from app.lifecycle.account_deletion import delete_account as delete
from app.lifecycle.account_deletion import is_last_operator, list_holdings
from app.lifecycle.forms import AccountDeletionForm
from app.permissions import Permission
from app.web.access import requires
from app.web.throttles import throttle_passwords

blueprint = Blueprint("account_deletion", __name__, url_prefix="/account")


@blueprint.route("/delete/", methods=["GET", "POST"])
@requires(Permission.ACCOUNT_OWN)
@throttle_passwords
def delete_account() -> ResponseReturnValue:
    form = AccountDeletionForm()
    name = signed_in().name
    if form.is_done(name, lambda: delete(signed_in(), form.password.data)):
        logout_user()
        session.clear()
        flash(_("Your account is deleted."), "success")
        return redirect(url_for("accounts.sign_in"), 303)
    return _show(form)


def _show(form: AccountDeletionForm) -> str:
    holdings = list_holdings(signed_in())
    return render_template(
        "lifecycle/delete_account.html",
        form=form,
        kept=[row for row in holdings if not row.is_theirs_alone],
        leaving=[row for row in holdings if row.is_theirs_alone],
        is_last_operator=is_last_operator(signed_in()),
    )
