"""Who is asking: the signed-in person of a request, and the sign-in they ask with."""

from __future__ import annotations

from typing import cast

from flask import g
from flask_login import current_user

from app.accounts.models import SignIn, User
from app.accounts.sign_ins import find_sign_in


def signed_in() -> User:
    """The person of this request; the endpoint's guard has made sure that there is one."""
    return cast(User, current_user._get_current_object())


def load_signed_in(key: str) -> User | None:
    """The person a session cookie with `key` stands for; Flask-Login asks once in a request."""
    g.sign_in = find_sign_in(key)
    if g.sign_in is None:
        return None
    user: User = g.sign_in.user
    user.sign_in_key = key
    return user


def present_sign_in() -> SignIn | None:
    """The browser's sign-in of this request; None without one, e.g. with an access token."""
    is_known = current_user.is_authenticated  # reads the cookie, if nobody has yet
    return cast("SignIn | None", g.get("sign_in")) if is_known else None


def second_factor_is_shown() -> bool:
    """Whether the present sign-in has passed a second factor."""
    sign_in = present_sign_in()
    return sign_in is not None and sign_in.second_factor_at is not None
