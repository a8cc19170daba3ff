"""A person's sign-ins and second factor: where they are signed in, what a sign-in asks for."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from app.accounts import passkeys, second_factor, sign_ins
from app.accounts.access import present_sign_in, signed_in
from app.accounts.agents import describe_agent, is_phone
from app.accounts.forms import AuthenticatorForm, PasskeyForm, PasswordAgainForm, SecondStepForm
from app.accounts.models import Passkey
from app.accounts.operations import confirm_password
from app.accounts.second_factor import Shown
from app.accounts.sessions import enter, half_signed_in
from app.accounts.targets import local_target
from app.errors import Invalid, NotFound
from app.installation import installation
from app.permissions import Permission
from app.transactions import unit_of_work
from app.web.access import public, requires
from app.web.extensions import limiter
from app.web.throttles import asking_person, throttle_passwords

blueprint = Blueprint("security", __name__, url_prefix="/account")

CODE_ATTEMPTS = "5 per minute; 30 per hour"
"""Three of a million codes are right at any moment: guessing on for a year is not worth it."""
_SECRET, _TO_SHOW, _TO_ADD = "authenticator_secret", "passkey_challenge", "new_passkey_challenge"
"""Places in the session. Challenges are kept apart: the one to show a passkey is had without a
password, and must not do to add one."""


def _claimant() -> str:
    """Whose second factor is tried, from whichever address."""
    waiting = half_signed_in()
    return f"person:{waiting[0].id}" if waiting else asking_person()


_throttle_codes = limiter.shared_limit(
    CODE_ATTEMPTS, scope="second-factor", key_func=_claimant, methods=["POST"]
)


# Sign-ins -------------------------------------------------------------------------------------


@blueprint.get("/sessions/")
@requires(Permission.ACCOUNT_OWN)
def sessions() -> ResponseReturnValue:
    return render_template(
        "accounts/sessions.html",
        sign_ins=sign_ins.list_sign_ins(signed_in()),
        here=present_sign_in(),
        describe_agent=describe_agent,
        is_phone=is_phone,
    )


@blueprint.post("/sessions/<uuid>/sign-out/")
@requires(Permission.ACCOUNT_OWN)
def end_session(uuid: str) -> ResponseReturnValue:
    with unit_of_work():
        rows = sign_ins.list_sign_ins(signed_in())
        row = next((row for row in rows if row.uuid == uuid), None)
        if row is None:
            raise NotFound(_("That browser is signed out already."))
        sign_ins.end_sign_in(row)
    flash(_("That browser is signed out."), "success")
    return redirect(url_for("security.sessions"), 303)


@blueprint.post("/sessions/sign-out-others/")
@requires(Permission.ACCOUNT_OWN)
def end_other_sessions() -> ResponseReturnValue:
    with unit_of_work():
        sign_ins.end_sign_ins(signed_in(), but=present_sign_in())
    flash(_("All other browsers are signed out."), "success")
    return redirect(url_for("security.sessions"), 303)


# The second step of signing in ----------------------------------------------------------------


@blueprint.route("/sign-in/second-step/", methods=["GET", "POST"])
@_throttle_codes
@public
def second_step() -> ResponseReturnValue:
    waiting = half_signed_in()
    if waiting is None:
        return redirect(url_for("accounts.sign_in"), 303)
    user, half = waiting
    form = SecondStepForm()
    if form.validate_on_submit():
        try:
            enter(user, is_kept=half.is_kept, shown=_shown_in(form))
            return redirect(half.target, 303)
        except Invalid as error:
            form.refuse(error)
    answer = render_template("accounts/second_step.html", form=form, person=user, **_place())
    return answer, 401 if form.errors else 200


@blueprint.route("/second-factor/show/", methods=["GET", "POST"])
@_throttle_codes
@requires(Permission.ACCOUNT_OWN)
def show_second_factor() -> ResponseReturnValue:
    """For a sign-in from before there was a second factor; an organisation may ask for it."""
    user, form = signed_in(), SecondStepForm()
    if not user.has_second_factor:
        return redirect(url_for("security.overview"), 303)
    if form.validate_on_submit():
        try:
            with unit_of_work():
                second_factor.show_second_factor(user, present_sign_in(), _shown_in(form))
            return redirect(local_target(request.args.get("next")), 303)
        except Invalid as error:
            form.refuse(error)
    return render_template("accounts/second_step.html", form=form, person=user, **_place())


@blueprint.post("/sign-in/passkey-options/")
@limiter.limit("30 per minute")
@public
def sign_in_options() -> ResponseReturnValue:
    """For `navigator.credentials.get`: asked by script, as whoever is at the second step."""
    waiting = half_signed_in()
    if waiting is None and not current_user.is_authenticated:
        raise Invalid(_("Too much time has passed. Sign in again."))
    person = waiting[0] if waiting else signed_in()
    return _with_challenge(_TO_SHOW, passkeys.authentication_options(person))


def _shown_in(form: SecondStepForm) -> Shown:
    return Shown(form.code.data or "", form.passkey.data or "", _take_challenge(_TO_SHOW))


def _with_challenge(purpose: str, made: tuple[str, bytes]) -> Response:
    options, challenge = made
    session[purpose] = challenge.hex()
    return Response(options, mimetype="application/json", headers={"Cache-Control": "no-store"})


def _take_challenge(purpose: str) -> bytes:
    return bytes.fromhex(session.pop(purpose, ""))


def _place() -> dict[str, object]:
    """Passkeys work at one address only, whatever other names lead to the panel."""
    origin = installation().settings.panel_url
    return {"passkeys_at": origin, "is_there": request.host_url.rstrip("/") == origin}


# The second factor ----------------------------------------------------------------------------


@blueprint.get("/second-factor/")
@requires(Permission.ACCOUNT_OWN)
def overview() -> ResponseReturnValue:
    form = PasskeyForm()
    return render_template("accounts/second_factor.html", person=signed_in(), form=form, **_place())


@blueprint.route("/second-factor/app/", methods=["GET", "POST"])
@throttle_passwords
@requires(Permission.ACCOUNT_OWN)
def add_authenticator() -> ResponseReturnValue:
    user, form = signed_in(), AuthenticatorForm()
    if user.totp_secret is not None:
        return redirect(url_for("security.overview"), 303)
    secret = session.setdefault(_SECRET, second_factor.make_secret())
    if form.validate_on_submit():
        try:
            confirm_password(user, form.password.data)
            with unit_of_work():
                codes = second_factor.add_authenticator(user, secret, form.code.data)
                _note_shown()
            return _done(_("Sign-ins ask for a code of your app from now on."), codes)
        except Invalid as error:
            form.refuse(error)
    return _enrolment_page(form, secret)


def _enrolment_page(form: AuthenticatorForm, secret: str) -> str:
    host = installation().settings.panel_host
    address = second_factor.enrolment_address(signed_in(), secret, host)
    picture = second_factor.picture_of(address)
    return render_template(
        "accounts/authenticator.html", form=form, secret=secret, picture=picture, address=address
    )


@blueprint.route("/second-factor/app/remove/", methods=["GET", "POST"])
@throttle_passwords
@requires(Permission.ACCOUNT_OWN)
def remove_authenticator() -> ResponseReturnValue:
    user = signed_in()
    if user.totp_secret is None:
        return redirect(url_for("security.overview"), 303)
    return _after_password(
        lambda: second_factor.remove_authenticator(user),
        _("The authenticator app is removed."),
        "authenticator",
    )


@blueprint.post("/passkeys/options/")
@throttle_passwords
@requires(Permission.ACCOUNT_OWN)
def registration_options() -> ResponseReturnValue:
    """For `navigator.credentials.create`; without it there is no challenge to answer."""
    confirm_password(signed_in(), request.form.get("password", ""))
    return _with_challenge(_TO_ADD, passkeys.registration_options(signed_in()))


@blueprint.post("/passkeys/")
@requires(Permission.ACCOUNT_OWN)
def add_passkey() -> ResponseReturnValue:
    user, challenge = signed_in(), _take_challenge(_TO_ADD)
    name, answer = request.form.get("name", ""), request.form.get("passkey", "")
    try:
        with unit_of_work():
            codes = second_factor.add_passkey(user, name, answer, challenge)
            _note_shown()
    except Invalid as error:
        flash(error.sentence, "danger")
        return redirect(url_for("security.overview"), 303)
    return _done(_("The passkey is added. Sign-ins ask for it from now on."), codes)


@blueprint.route("/passkeys/<int:passkey_id>/remove/", methods=["GET", "POST"])
@throttle_passwords
@requires(Permission.ACCOUNT_OWN)
def remove_passkey(passkey_id: int) -> ResponseReturnValue:
    row = _own_passkey(passkey_id)
    return _after_password(
        lambda: second_factor.remove_passkey(signed_in(), row),
        _("The passkey is removed."),
        "passkey",
        row,
    )


@blueprint.route("/recovery-codes/", methods=["GET", "POST"])
@throttle_passwords
@requires(Permission.ACCOUNT_OWN)
def renew_recovery_codes() -> ResponseReturnValue:
    user = signed_in()
    if not user.has_second_factor:
        return redirect(url_for("security.overview"), 303)
    return _after_password(
        lambda: second_factor.renew_recovery_codes(user),
        _("You have new recovery codes. Those before open nothing."),
        "codes",
    )


def _after_password(
    act: Callable[[], list[str] | None], done: str, what: str, row: Passkey | None = None
) -> ResponseReturnValue:
    """Do `act` once the person has typed their password again; it may give recovery codes."""
    form = PasswordAgainForm()
    if form.validate_on_submit():
        try:
            confirm_password(signed_in(), form.password.data)
            with unit_of_work():
                codes = act()
            return _done(done, codes)
        except Invalid as error:
            form.refuse(error)
    return _ask_password(form, what, row)


def _own_passkey(passkey_id: int) -> Passkey:
    for row in signed_in().passkeys:
        if row.id == passkey_id:
            return row
    raise NotFound(_("There is no such passkey."))


def _note_shown() -> None:
    sign_in = present_sign_in()
    if sign_in is not None:
        sign_ins.note_second_factor(sign_in)


def _ask_password(form: PasswordAgainForm, what: str, row: Passkey | None = None) -> str:
    return render_template(
        "accounts/password_again.html", form=form, what=what, passkey=row, person=signed_in()
    )


def _done(sentence: str, codes: list[str] | None = None) -> ResponseReturnValue:
    """Back to the overview; by way of the codes, which no other page ever shows."""
    session.pop(_SECRET, None)
    flash(sentence, "success")
    if codes:
        return render_template("accounts/recovery_codes.html", codes=codes)
    return redirect(url_for("security.overview"), 303)
