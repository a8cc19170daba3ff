"""Invitations: the acts of who invites, and the page behind the link of who is invited."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from app.accounts.access import signed_in
from app.accounts.queries import find_user
from app.accounts.sessions import enter, leave
from app.errors import Invalid, NotFound
from app.extensions import now
from app.organisations import invitations, queries
from app.organisations.access import load_organisation
from app.organisations.forms import InvitationForm, NewcomerForm
from app.organisations.models import Invitation
from app.organisations.pages import show_members
from app.permissions import Permission, Role
from app.transactions import unit_of_work
from app.web.access import public, requires
from app.web.extensions import limiter
from app.web.throttles import asking_person

blueprint = Blueprint("invitations", __name__)

MAILS_PER_PERSON = "60 per hour"
"""However many organisations somebody has: a panel is no machine for sending mail to strangers."""
LINKS_PER_ADDRESS = "30 per minute"


_throttle_mails = limiter.shared_limit(
    MAILS_PER_PERSON, scope="invitations", key_func=asking_person, methods=["POST"]
)


@blueprint.post("/organisations/<slug>/invitations/")
@_throttle_mails
@requires(Permission.MEMBERS_UPDATE)
def send(slug: str) -> ResponseReturnValue:
    organisation = load_organisation(slug)
    form = InvitationForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                role = Role(form.role.data)
                address = invitations.invite(organisation, form.email.data, role, signed_in()).email
            flash(_("The invitation is on its way to %(email)s.", email=address), "success")
            return redirect(url_for("organisations.members", slug=slug), 303)
        except Invalid as error:
            form.refuse(error)
    return show_members(organisation, form)


@blueprint.post("/organisations/<slug>/invitations/<uuid>/resend/")
@_throttle_mails
@requires(Permission.MEMBERS_UPDATE)
def resend(slug: str, uuid: str) -> ResponseReturnValue:
    invitation = _pending(load_organisation(slug).id, uuid)
    with unit_of_work():
        invitations.resend(invitation, signed_in())
    flash(_("A new mail is on its way. The link in the one before is dead."), "success")
    return redirect(url_for("organisations.members", slug=slug), 303)


@blueprint.post("/organisations/<slug>/invitations/<uuid>/revoke/")
@requires(Permission.MEMBERS_UPDATE)
def revoke(slug: str, uuid: str) -> ResponseReturnValue:
    invitation = _pending(load_organisation(slug).id, uuid)
    with unit_of_work():
        invitations.revoke(invitation, signed_in())
    flash(_("The invitation is taken back. Its link opens nothing any more."), "success")
    return redirect(url_for("organisations.members", slug=slug), 303)


def _pending(organisation_id: int, uuid: str) -> Invitation:
    found = queries.find_invitation_of(organisation_id, uuid)
    if found is None:
        raise NotFound(_("There is no such invitation. It was accepted or taken back meanwhile."))
    return found


@blueprint.get("/invitations/<token>/")
@limiter.limit(LINKS_PER_ADDRESS)
@public
def invitation(token: str) -> ResponseReturnValue:
    return _welcome_back(token) or _show(_find(token), NewcomerForm())


@blueprint.post("/invitations/<token>/")
@limiter.limit(LINKS_PER_ADDRESS)
@public
def accept(token: str) -> ResponseReturnValue:
    """Signed in: become a member. Else: make an account for the invited address and do the same."""
    welcome = _welcome_back(token)
    if welcome:
        return welcome
    if current_user.is_authenticated:
        return _accept_as_oneself(token)
    return _accept_as_newcomer(token)


@blueprint.post("/invitations/<token>/sign-out/")
@public
def sign_out(token: str) -> ResponseReturnValue:
    """For who is signed in as somebody else than was invited: out, and back to the invitation."""
    leave()
    return redirect(url_for("invitations.invitation", token=token), 303)


def _find(token: str) -> Invitation:
    found = queries.find_invitation(token)
    if found is None:
        raise invitations.gone()
    return found


def _welcome_back(token: str) -> ResponseReturnValue | None:
    """Who accepted it before has come for the organisation, not for the invitation."""
    if not current_user.is_authenticated:
        return None
    member = queries.find_invited_member(signed_in().id, token)
    if member is None:
        return None
    name = member.organisation.name
    flash(_("You are a member of %(name)s already.", name=name), "success")
    return redirect(url_for("overview.applications"), 303)


def _accept_as_oneself(token: str) -> ResponseReturnValue:
    with unit_of_work():
        found = _find(token)
        name = found.organisation.name
        invitations.accept(found, signed_in(), token)
    flash(_("Welcome to %(name)s.", name=name), "success")
    return redirect(url_for("overview.applications"), 303)


def _accept_as_newcomer(token: str) -> ResponseReturnValue:
    form = NewcomerForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                found = _find(token)
                name = found.organisation.name
                user = invitations.accept_as_new(found, form.name.data, form.password.data, token)
            enter(user)
            flash(_("Welcome to %(name)s.", name=name), "success")
            return redirect(url_for("overview.applications"), 303)
        except Invalid as error:
            form.refuse(error)
    return _show(_find(token), form)


def _show(found: Invitation, form: NewcomerForm) -> ResponseReturnValue:
    return render_template(
        "organisations/invitation.html",
        invitation=found,
        is_expired=found.expires_at <= now(),
        has_account=find_user(found.email) is not None,
        form=form,
    )
