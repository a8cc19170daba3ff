"""Whether a person has shown the second factor that an organisation may ask for."""

from __future__ import annotations

from flask import has_request_context

from app.accounts.access import present_sign_in, second_factor_is_shown
from app.accounts.models import User
from app.errors import SecondFactorNeeded
from app.organisations.models import Organisation


def has_shown_second_factor(user: User) -> bool:
    """In a browser: shown in this sign-in. By key or token (Git): that the account has one."""
    sign_in = present_sign_in() if has_request_context() else None
    if sign_in is not None and sign_in.user_id == user.id:
        return second_factor_is_shown()
    return user.has_second_factor


def lets_in(organisation: Organisation, user: User) -> bool:
    """Whether the organisation opens itself to this member as they come."""
    return not organisation.requires_second_factor or has_shown_second_factor(user)


def demand_second_factor(organisation: Organisation, user: User) -> None:
    """Raise `SecondFactorNeeded`, with what to do, unless `lets_in` says yes."""
    if lets_in(organisation, user):
        return
    from flask_babel import gettext as _  # for pages only: no other process loads it

    name = organisation.name
    if user.has_second_factor:
        raise SecondFactorNeeded(
            _("%(name)s asks for your second factor. Sign in again and show it.", name=name)
        )
    raise SecondFactorNeeded(
        _("%(name)s asks its members for a second factor. Set one up to go on.", name=name)
    )
