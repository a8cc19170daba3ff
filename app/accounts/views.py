"""Signing in and out, and a person's own pages."""

from __future__ import annotations

import zoneinfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts import operations
from app.accounts.access import present_sign_in, signed_in
from app.accounts.email_changes import find_wanted_email
from app.accounts.forms import (
    PasswordForm,
    ProfileForm,
    SignInForm,
    SSHKeyForm,
)
from app.accounts.sessions import leave, let_in
from app.accounts.targets import local_target
from app.errors import Invalid, NotFound
from app.installation import installation
from app.names import EMAIL_LENGTH, fold_email
from app.permissions import Permission
from app.transactions import unit_of_work
from app.web.access import public, requires
from app.web.extensions import limiter
from app.web.throttles import throttle_passwords

blueprint = Blueprint("accounts", __name__, url_prefix="/account")

ATTEMPTS_PER_ADDRESS = "30 per minute"
ATTEMPTS_PER_ACCOUNT = "8 per minute"


def _attempted_account() -> str:
    return f"account:{fold_email(request.form.get('email', ''))[:EMAIL_LENGTH]}"


@blueprint.route("/sign-in/", methods=["GET", "POST"])
@limiter.limit(ATTEMPTS_PER_ADDRESS, methods=["POST"])
@limiter.limit(ATTEMPTS_PER_ACCOUNT, key_func=_attempted_account, methods=["POST"])
@public
def sign_in() -> ResponseReturnValue:
    form = SignInForm()
    if form.validate_on_submit():
        user = operations.check_password(form.email.data, form.password.data)
        if user:
            target = local_target(request.args.get("next"))
            return redirect(let_in(user, is_kept=form.remember.data, target=target), 303)
        form.form_errors.append(_("E-mail address and password do not match."))
    is_open = installation().settings.lets_strangers_sign_up
    status = 401 if form.errors else 200
    return render_template("accounts/sign_in.html", form=form, sign_up_is_open=is_open), status


@blueprint.post("/sign-out/")
@requires(Permission.ACCOUNT_OWN)
def sign_out() -> ResponseReturnValue:
    leave()
    return redirect(url_for("accounts.sign_in"), 303)


@blueprint.route("/", methods=["GET", "POST"])
@requires(Permission.ACCOUNT_OWN)
def profile() -> ResponseReturnValue:
    form = ProfileForm(obj=signed_in())
    if form.validate_on_submit():
        try:
            with unit_of_work():
                operations.update_profile(signed_in(), form.profile())
            flash(_("Your profile is saved."), "success")
            return redirect(url_for("accounts.profile"), 303)
        except Invalid as error:
            form.refuse(error)
    wanted, zones = find_wanted_email(signed_in()), sorted(zoneinfo.available_timezones())
    return render_template("accounts/profile.html", form=form, wanted=wanted, zones=zones)


@blueprint.route("/password/", methods=["GET", "POST"])
@throttle_passwords
@requires(Permission.ACCOUNT_OWN)
def password() -> ResponseReturnValue:
    form = PasswordForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                present, new = form.present.data, form.password.data
                operations.change_password(signed_in(), present, new, here=present_sign_in())
            flash(_("Your password is changed. Other sessions are signed out."), "success")
            return redirect(url_for("accounts.password"), 303)
        except Invalid as error:
            form.refuse(error)
    return render_template("accounts/password.html", form=form)


@blueprint.route("/ssh-keys/", methods=["GET", "POST"])
@requires(Permission.ACCOUNT_OWN)
def ssh_keys() -> ResponseReturnValue:
    form = SSHKeyForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                operations.add_ssh_key(signed_in(), form.name.data or "", form.public_key.data)
            flash(_("The key is added. Git accepts it from now on."), "success")
            return redirect(url_for("accounts.ssh_keys"), 303)
        except Invalid as error:
            form.refuse(error)
    return render_template("accounts/ssh_keys.html", form=form, keys=signed_in().ssh_keys)


@blueprint.post("/ssh-keys/<int:key_id>/remove/")
@requires(Permission.ACCOUNT_OWN)
def remove_ssh_key(key_id: int) -> ResponseReturnValue:
    with unit_of_work():
        key = next((row for row in signed_in().ssh_keys if row.id == key_id), None)
        if key is None:
            raise NotFound(_("There is no such key."))
        operations.remove_ssh_key(signed_in(), key)
    flash(_("The key is removed."), "success")
    return redirect(url_for("accounts.ssh_keys"), 303)
