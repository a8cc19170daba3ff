"""Pages opened by links in mails: a forgotten password, a new address."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.accounts.email_changes import (
    confirm_email_change,
    find_email_change,
    request_email_change,
)
from app.accounts.forms import EmailForm, ForgottenPasswordForm, NewPasswordForm
from app.accounts.password_resets import (
    find_password_reset,
    request_password_reset,
    reset_password,
)
from app.errors import Invalid
from app.names import EMAIL_LENGTH, fold_email
from app.permissions import Permission
from app.transactions import unit_of_work
from app.web.access import public, requires
from app.web.extensions import limiter
from app.web.throttles import asking_person, throttle_passwords

blueprint = Blueprint("recovery", __name__, url_prefix="/account")

LINKS_PER_ADDRESS = "20 per hour"
LINKS_PER_ACCOUNT = "5 per hour"
_RESET = "password_reset"


def _named_account() -> str:
    return f"reset:{fold_email(request.form.get('email', ''))[:EMAIL_LENGTH]}"


@blueprint.route("/forgotten-password/", methods=["GET", "POST"])
@limiter.limit(LINKS_PER_ADDRESS, methods=["POST"])
@limiter.limit(LINKS_PER_ACCOUNT, key_func=_named_account, methods=["POST"])
@public
def forgotten_password() -> ResponseReturnValue:
    """The same answer for every address."""
    form = ForgottenPasswordForm()
    sent_to = None
    if form.validate_on_submit():
        try:
            request_password_reset(form.email.data)
            sent_to = form.email.data
        except Invalid as error:
            form.refuse(error)
    return render_template("accounts/forgotten_password.html", form=form, sent_to=sent_to)


@blueprint.get("/reset-password/<token>/")
@public
def open_reset_link(token: str) -> ResponseReturnValue:
    """Take the token out of the address, where it would be shown, kept in the history and sent on
    as referrer; looking at the link uses nothing up."""
    session[_RESET] = token[:100]
    answer = redirect(url_for("recovery.new_password"), 303)
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


@blueprint.route("/reset-password/", methods=["GET", "POST"])
@limiter.limit(LINKS_PER_ADDRESS, methods=["POST"])
@public
def new_password() -> ResponseReturnValue:
    token = session.get(_RESET, "")
    reset = find_password_reset(token)
    form = NewPasswordForm()
    if reset and form.validate_on_submit():
        try:
            with unit_of_work():
                reset_password(token, form.password.data)
            session.pop(_RESET)
            flash(_("Your password is changed. Sign in with it."), "success")
            return redirect(url_for("accounts.sign_in"), 303)
        except Invalid as error:
            form.refuse(error)
    page = render_template("accounts/new_password.html", form=form, reset=reset)
    return page, 200 if reset else 404


@blueprint.route("/email/", methods=["GET", "POST"])
@requires(Permission.ACCOUNT_OWN)
@limiter.limit(LINKS_PER_ACCOUNT, key_func=asking_person, methods=["POST"])
@throttle_passwords
def email() -> ResponseReturnValue:
    form = EmailForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                request_email_change(signed_in(), form.email.data, form.password.data)
            flash(_("Look into the mailbox of the new address: the link there confirms it."))
            return redirect(url_for("accounts.profile"), 303)
        except Invalid as error:
            form.refuse(error)
    return render_template("accounts/email.html", form=form)


@blueprint.route("/email/<token>/", methods=["GET", "POST"])
@requires(Permission.ACCOUNT_OWN)
def confirm_email(token: str) -> ResponseReturnValue:
    """Looking changes nothing: mail programs open links by themselves."""
    if request.method == "POST":
        with unit_of_work():
            confirm_email_change(signed_in(), token)
        flash(_("Your address is changed. You sign in with it from now on."), "success")
        return redirect(url_for("accounts.profile"), 303)
    change = find_email_change(signed_in(), token)
    return render_template("accounts/confirm_email.html", change=change, token=token)
