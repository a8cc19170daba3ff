"""Signing up, and an organisation's own pages."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import login_user

from app.accounts.access import signed_in
from app.audit.queries import list_lines
from app.errors import Invalid, NotAllowed, NotFound
from app.installation import installation
from app.organisations import operations
from app.organisations.access import load_organisation
from app.organisations.forms import MemberForm, OrganisationForm, SignUpForm
from app.organisations.models import Member, Organisation
from app.organisations.queries import find_member, list_organisations
from app.permissions import ORGANISATION_RIGHTS, Permission, Role
from app.transactions import unit_of_work
from app.web.access import public, requires
from app.web.extensions import limiter
from app.web.paging import paged

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
                user = operations.sign_up(form.email.data, form.name.data, form.password.data)
            login_user(user)
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


@blueprint.get("/organisations/<slug>/members/")
@requires(Permission.ORGANISATION_READ)
def members(slug: str) -> ResponseReturnValue:
    organisation = load_organisation(slug)
    return render_template(
        "organisations/members.html", organisation=organisation, form=MemberForm(), roles=list(Role)
    )


@blueprint.post("/organisations/<slug>/members/")
@requires(Permission.MEMBERS_UPDATE)
def add_member(slug: str) -> ResponseReturnValue:
    organisation = load_organisation(slug)
    form = MemberForm()
    if form.validate_on_submit():
        try:
            with unit_of_work():
                role = Role(form.role.data)
                operations.add_member(organisation, form.email.data, role, signed_in())
            flash(_("They are a member now."), "success")
            return redirect(url_for("organisations.members", slug=slug), 303)
        except Invalid as error:
            form.refuse(error)
    return render_template(
        "organisations/members.html", organisation=organisation, form=form, roles=list(Role)
    )


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
    with unit_of_work():
        operations.remove_member(member, signed_in())
    flash(_("They are not a member any more."), "success")
    return redirect(url_for("organisations.members", slug=slug), 303)


def _member(organisation: Organisation, member_id: int) -> Member:
    for member in organisation.members:
        if member.id == member_id:
            return member
    raise NotFound(_("There is no such member."))


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
    return render_template("organisations/settings.html", organisation=organisation, form=form)


@blueprint.get("/organisations/<slug>/audit/")
@requires(Permission.AUDIT_READ)
def audit(slug: str) -> ResponseReturnValue:
    organisation = load_organisation(slug)
    page = paged(list_lines(organisation.id))
    return render_template("organisations/audit.html", organisation=organisation, page=page)
