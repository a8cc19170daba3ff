"""Signing up, and an organisation's own pages."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.accounts.sessions import enter
from app.errors import Invalid, NotAllowed, NotFound, SecondFactorNeeded
from app.extensions import db
from app.installation import installation
from app.organisations import operations
from app.organisations.access import load_membership, load_organisation
from app.organisations.forms import (
    InvitationForm,
    OrganisationForm,
    SecondFactorForm,
    SignUpForm,
)
from app.organisations.models import Member, Organisation
from app.organisations.pages import show_members
from app.organisations.queries import (
    find_member,
    list_members_without_second_factor,
    list_memberships,
    list_organisations,
)
from app.permissions import ORGANISATION_RIGHTS, Permission, Role
from app.transactions import unit_of_work
from app.web.access import public, requires
from app.web.extensions import limiter

blueprint = Blueprint("organisations", __name__)


@blueprint.app_context_processor
def offer_organisations() -> dict[str, Any]:
    """For every page: `my_organisations()` for menus, and what the person may do in one."""
    return {
        "my_organisations": lambda: list_organisations(signed_in()),
        "organisation_rights": _rights,
    }


def _rights(organisation: Organisation) -> frozenset[Permission]:
    member = find_member(organisation.id, signed_in().id)
    return ORGANISATION_RIGHTS[member.role] if member else frozenset()


@blueprint.app_errorhandler(SecondFactorNeeded)
def show_second_factor_needed(error: SecondFactorNeeded) -> ResponseReturnValue:
    """Wherever an organisation asks for one: what to do, instead of a bare refusal."""
    if request.accept_mimetypes.best_match(["text/html", "text/plain"]) != "text/html":
        return Response(error.sentence + "\n", error.status, mimetype="text/plain")
    page = render_template(
        "organisations/second_factor_needed.html",
        sentence=error.sentence,
        has_one=signed_in().has_second_factor,
    )
    return page, error.status


@blueprint.route("/account/sign-up/", methods=["GET", "POST"])
@limiter.limit("20 per hour", methods=["POST"])
@public
def sign_up() -> ResponseReturnValue:
    if not installation().settings.lets_strangers_sign_up:
        raise NotAllowed(_("Sign-up is closed here. Ask an owner to make you an account."))
    form = SignUpForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                user = operations.sign_up(
                    form.email.data, form.name.data, form.password.data, is_email_proved=False
                )
            enter(user)
            return redirect(url_for("overview.applications"), 303)
        except Invalid as error:
            form.refuse(error)
    return render_template("accounts/sign_up.html", form=form)


@blueprint.route("/organisations/new/", methods=["GET", "POST"])
@requires(Permission.ACCOUNT_OWN)
def create() -> ResponseReturnValue:
    form = OrganisationForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                made = operations.create_organisation(form.name.data, signed_in())
            return redirect(url_for("organisations.members", slug=made.slug), 303)
        except Invalid as error:
            form.refuse(error)
    return render_template("organisations/create.html", form=form)


@blueprint.get("/organisations/")
@requires(Permission.ACCOUNT_OWN)
def organisations() -> ResponseReturnValue:
    memberships = list_memberships(signed_in())
    return render_template("organisations/list.html", memberships=memberships)


@blueprint.get("/organisations/<slug>/members/")
@requires(Permission.ORGANISATION_READ)
def members(slug: str) -> ResponseReturnValue:
    return show_members(load_organisation(slug), InvitationForm())


@blueprint.post("/organisations/<slug>/members/<int:member_id>/role/")
@requires(Permission.MEMBERS_UPDATE)
def change_role(slug: str, member_id: int) -> ResponseReturnValue:
    member = _member(load_organisation(slug), member_id)
    role = request.form.get("role", "")
    if role not in list(Role):
        raise Invalid(_("Choose a role from the list."))
    with unit_of_work():
        operations.change_role(member, Role(role), signed_in())
    flash(_("The role is changed."), "success")
    return redirect(url_for("organisations.members", slug=slug), 303)


@blueprint.post("/organisations/<slug>/members/<int:member_id>/remove/")
@requires(Permission.MEMBERS_UPDATE)
def remove_member(slug: str, member_id: int) -> ResponseReturnValue:
    member = _member(load_organisation(slug), member_id)
    is_self = member.user_id == signed_in().id
    with unit_of_work():
        operations.remove_member(member, signed_in())
    if is_self:
        return _after_leaving()
    flash(_("They are not a member any more."), "success")
    return redirect(url_for("organisations.members", slug=slug), 303)


@blueprint.post("/organisations/<slug>/leave/")
@requires(Permission.ACCOUNT_OWN)
def leave(slug: str) -> ResponseReturnValue:
    """Anybody's own act, site editors' too: whether they may read the organisation is no matter."""
    with unit_of_work():
        operations.remove_member(load_membership(slug), signed_in())
    return _after_leaving()


def _after_leaving() -> ResponseReturnValue:
    flash(_("You are not a member any more."), "success")
    return redirect(url_for("organisations.organisations"), 303)


def _member(organisation: Organisation, member_id: int) -> Member:
    member = db.session.get(Member, member_id)
    if member is None or member.organisation_id != organisation.id:
        raise NotFound(_("There is no such member. They left or were removed meanwhile."))
    return member


@blueprint.route("/organisations/<slug>/settings/", methods=["GET", "POST"])
@requires(Permission.ORGANISATION_UPDATE)
def settings(slug: str) -> ResponseReturnValue:
    organisation = load_organisation(slug)
    form = OrganisationForm(obj=organisation)
    if form.validate_on_submit():
        try:
            with unit_of_work():
                operations.rename_organisation(organisation, form.name.data, signed_in())
            flash(_("The name is changed."), "success")
            return redirect(url_for("organisations.settings", slug=slug), 303)
        except Invalid as error:
            form.refuse(error)
    return _show_settings(organisation, form, SecondFactorForm(formdata=None, obj=organisation))


@blueprint.post("/organisations/<slug>/settings/second-factor/")
@requires(Permission.ORGANISATION_UPDATE)
def second_factor(slug: str) -> ResponseReturnValue:
    organisation = load_organisation(slug)
    form = SecondFactorForm()
    wanted = bool(form.requires_second_factor.data)
    try:
        with unit_of_work():
            operations.require_second_factor(organisation, wanted, signed_in())
        flash(_("Saved. It counts from everybody's next click on."), "success")
        return redirect(url_for("organisations.settings", slug=slug), 303)
    except Invalid as error:
        form.refuse(error)
    return _show_settings(organisation, OrganisationForm(formdata=None, obj=organisation), form)


def _show_settings(
    organisation: Organisation, form: OrganisationForm, second_factor_form: SecondFactorForm
) -> str:
    lacking = list_members_without_second_factor(organisation.id)
    return render_template(
        "organisations/settings.html",
        organisation=organisation,
        form=form,
        second_factor_form=second_factor_form,
        lacking=lacking,
    )
