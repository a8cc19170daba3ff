"""Founding organisations and changing who belongs to them."""

from __future__ import annotations

from app.accounts.models import User
from app.accounts.operations import create_user
from app.accounts.queries import find_user
from app.audit.operations import record
from app.errors import Invalid, NotAllowed
from app.extensions import db
from app.names import clean_email, clean_name, clean_slug, suggest_slug
from app.organisations import queries
from app.organisations.models import Member, Organisation
from app.organisations.second_factor import has_shown_second_factor
from app.permissions import Role


def create_organisation(name: str, owner: User, slug: str = "") -> Organisation:
    """A new organisation with `owner` as its first owner; the slug is made from the name."""
    label = clean_name(name)
    organisation = Organisation(name=label, slug=_free_slug(slug or suggest_slug(label) or "team"))
    organisation.members.append(Member(user=owner, role=Role.OWNER))
    db.session.add(organisation)
    db.session.flush()
    record("organisation.create", label, actor=owner, organisation_id=organisation.id)
    return organisation


def _free_slug(wanted: str) -> str:
    slug = clean_slug(wanted)
    number = 1
    while queries.find_organisation(slug):
        number += 1
        slug = f"{wanted[:34].rstrip('-')}-{number}"
    return slug


def sign_up(email: str, name: str, password: str, *, is_email_proved: bool = True) -> User:
    """A new person with an organisation of their own, so that they can begin at once."""
    user = create_user(email, name, password, is_email_proved=is_email_proved)
    create_organisation(user.name, user)
    return user


def rename_organisation(organisation: Organisation, name: str, actor: User) -> None:
    """Give it another name; its address stays."""
    before, organisation.name = organisation.name, clean_name(name)
    record(
        "organisation.rename",
        organisation.name,
        actor=actor,
        organisation_id=organisation.id,
        before=before,
        after=organisation.name,
    )


def require_second_factor(organisation: Organisation, is_required: bool, actor: User) -> None:
    """Ask all members for a second factor, or no longer. Raises `Invalid` for an owner who has
    not shown one: they would lock themselves out."""
    if is_required == organisation.requires_second_factor:
        return
    if is_required and not actor.has_second_factor:
        raise Invalid(
            "Set up a second factor for yourself first: without one you would be locked out.",
            "requires_second_factor",
        )
    if is_required and not has_shown_second_factor(actor):
        raise Invalid(
            "Show your second factor first: sign out, and in again with it.",
            "requires_second_factor",
        )
    organisation.requires_second_factor = is_required
    record(
        "organisation.second_factor",
        organisation.name,
        actor=actor,
        organisation_id=organisation.id,
        before=not is_required,
        after=is_required,
    )


def add_member(organisation: Organisation, email: str, role: Role, actor: User) -> Member:
    """Let a person with an account in at once, unasked: for the command line. People on pages
    invite (`app.organisations.invitations`)."""
    user = find_user(clean_email(email))
    if user is None:
        raise Invalid("Nobody has signed up with this address yet.", "email")
    if queries.find_member(organisation.id, user.id):
        raise Invalid(f"{user.name} is a member already.", "email")
    only_owners_make_owners(organisation, role, actor)
    member = Member(organisation=organisation, user=user, role=role)
    db.session.add(member)
    record("member.add", user.email, actor=actor, organisation_id=organisation.id, role=role.value)
    return member


def change_role(member: Member, role: Role, actor: User) -> None:
    """Give a member another role. An organisation keeps at least one owner. What a member was
    given stays noted; as a site editor they have its content only, until they are more again."""
    only_owners_make_owners(member.organisation, role, actor)
    only_owners_make_owners(member.organisation, member.role, actor)
    if member.role == Role.OWNER and role != Role.OWNER:
        _keep_an_owner(member)
    record(
        "member.role",
        member.user.email,
        actor=actor,
        organisation_id=member.organisation_id,
        before=member.role.value,
        after=role.value,
    )
    member.role = role


def remove_member(member: Member, actor: User) -> None:
    """Take a member out, or leave. Administrators remove others, not themselves (checklist 6);
    the last owner stays. What was given to them goes with the membership, what they began goes on.
    """
    only_owners_make_owners(member.organisation, member.role, actor)
    if member.role == Role.OWNER:
        _keep_an_owner(member)
    is_self = member.user_id == actor.id
    if is_self and member.role == Role.ADMINISTRATOR:
        raise NotAllowed("Administrators cannot remove themselves. Ask another one.")
    record(
        "member.leave" if is_self else "member.remove",
        member.user.email,
        actor=actor,
        organisation_id=member.organisation_id,
        role=member.role.value,
    )
    db.session.delete(member)


def _keep_an_owner(member: Member) -> None:
    # Two owners must not take each other out; SQLite has locked everything already.
    db.session.refresh(member.organisation, with_for_update={"key_share": True})
    if queries.count_owners(member.organisation_id) < 2:
        raise Invalid("This is the last owner. Make somebody else an owner first.")


def only_owners_make_owners(organisation: Organisation, role: Role, actor: User) -> None:
    """Raises `NotAllowed` when somebody else acts on an owner, or makes one."""
    own = queries.find_member(organisation.id, actor.id)
    if role == Role.OWNER and (own is None or own.role != Role.OWNER):
        raise NotAllowed("Only owners may do that to an owner.")
